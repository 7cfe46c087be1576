use super::{
    buffer::Buffer,
    check::{Check, Shaped},
};
use crate::Result;

/// A row-major matrix of `f32` in host memory.
#[derive(Debug)]
pub struct Tensor {
    values: Buffer,
    rows: usize,
    columns: usize,
}

impl Shaped for Tensor {
    fn shape(&self) -> (usize, usize) {
        (self.rows, self.columns)
    }
}

impl Tensor {
    /// A matrix of zeros.
    pub(crate) fn zeros(rows: usize, columns: usize) -> Result<Self> {
        let length = rows.checked_mul(columns).ok_or_else(|| {
            Check("zeros").error("fewer values".to_owned(), format!("{rows} times {columns}"))
        })?;
        Ok(Self { values: Buffer::zeros(length)?, rows, columns })
    }

    /// A copy of a row-major matrix.
    pub(crate) fn copy_of(values: &[f32], columns: usize) -> Result<Self> {
        let rows = values.len().checked_div(columns).unwrap_or_default();
        Check("upload").equal("values", values.len(), rows * columns)?;
        let mut tensor = Self::zeros(rows, columns)?;
        tensor.values.copy_from_slice(values);
        Ok(tensor)
    }

    /// Rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows, self.columns)
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// All values, row after row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// All values, row after row.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// One row.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.columns..][..self.columns]
    }
}
