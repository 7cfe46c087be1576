//! Refusals of operands that do not fit.

use std::ops::Range;

use crate::{Error, Items, Result};

/// What has rows and columns.
pub(crate) trait Shaped {
    /// Rows and columns.
    fn shape(&self) -> (usize, usize);
}

/// The operation that checks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Check(pub(crate) &'static str);

impl Check {
    /// Refuses a `what` that is not as it should be.
    pub(crate) fn equal<T: Copy + PartialEq + std::fmt::Debug>(
        self,
        what: &str,
        actual: T,
        expected: T,
    ) -> Result<()> {
        if actual == expected {
            return Ok(());
        }
        Err(self.error(format!("{what} {expected:?}"), format!("{actual:?}")))
    }

    /// Refuses a `what` that is too small.
    pub(crate) fn at_least(self, what: &str, actual: usize, least: usize) -> Result<()> {
        if actual >= least {
            return Ok(());
        }
        Err(self.error(format!("{what} of at least {least}"), actual.to_string()))
    }

    /// Refuses a matrix of another shape.
    pub(crate) fn shape(
        self,
        what: &str,
        tensor: &impl Shaped,
        shape: (usize, usize),
    ) -> Result<()> {
        self.equal(what, tensor.shape(), shape)
    }

    /// Refuses rows that do not lie in a matrix.
    pub(crate) fn rows(self, rows: &Range<usize>, tensor: &impl Shaped) -> Result<()> {
        if rows.start <= rows.end && rows.end <= tensor.shape().0 {
            return Ok(());
        }
        Err(self.error(format!("rows within 0..{}", tensor.shape().0), format!("{rows:?}")))
    }

    /// Refuses items that are not all the rows of a matrix.
    pub(crate) fn items(self, items: &Items, tensor: &impl Shaped) -> Result<()> {
        self.equal("items with rows", items.rows(), tensor.shape().0)
    }

    /// Refuses a table without one row an item or without `columns` columns.
    pub(crate) fn table(self, table: &impl Shaped, items: &Items, columns: usize) -> Result<()> {
        self.equal("a table with rows", table.shape().0, items.len())?;
        self.at_least("table columns", table.shape().1, columns)
    }

    /// The refusal.
    pub(crate) fn error(self, expected: String, actual: String) -> Error {
        Error::Shape { operation: self.0, expected, actual }
    }
}
