//! Refusals of operands that do not fit.

use std::ops::Range;

use super::tensor::Tensor;
use crate::{Error, Items, Result};

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
    pub(crate) fn shape(self, what: &str, tensor: &Tensor, shape: (usize, usize)) -> Result<()> {
        self.equal(what, tensor.shape(), shape)
    }

    /// Refuses rows that do not lie in a matrix.
    pub(crate) fn rows(self, rows: &Range<usize>, tensor: &Tensor) -> Result<()> {
        if rows.start <= rows.end && rows.end <= tensor.rows() {
            return Ok(());
        }
        Err(self.error(format!("rows within 0..{}", tensor.rows()), format!("{rows:?}")))
    }

    /// Refuses items that are not all the rows of a matrix.
    pub(crate) fn items(self, items: &Items, tensor: &Tensor) -> Result<()> {
        self.equal("items with rows", items.rows(), tensor.rows())
    }

    /// Refuses a table without one row an item or without `columns` columns.
    pub(crate) fn table(self, table: &Tensor, items: &Items, columns: usize) -> Result<()> {
        self.equal("a table with rows", table.rows(), items.len())?;
        self.at_least("table columns", table.columns(), columns)
    }

    /// The refusal.
    pub(crate) fn error(self, expected: String, actual: String) -> Error {
        Error::Shape { operation: self.0, expected, actual }
    }
}
