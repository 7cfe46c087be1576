use std::sync::Arc;

use super::{
    Cuda,
    arguments::{Convert, Matrix},
    bytes_of, bytes_of_mut,
    device::{Address, int},
    launch::{Kernel, Launch},
    pool::{Block, Pool},
};
use crate::{
    Result,
    check::{Check, Shaped},
};

/// How the values of a [`Tensor`] are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 32 bits.
    Single,
    /// 16 bits, of which 11 are significant.
    Half,
}

impl Precision {
    fn bytes(self) -> usize {
        match self {
            Self::Single => 4,
            Self::Half => 2,
        }
    }
}

/// A row-major matrix in device memory.
#[derive(Debug)]
pub struct Tensor {
    block: Block,
    rows: usize,
    columns: usize,
    precision: Precision,
}

impl Shaped for Tensor {
    fn shape(&self) -> (usize, usize) {
        (self.rows, self.columns)
    }
}

impl Tensor {
    /// A matrix of undefined content.
    pub(super) fn new(
        pool: &Arc<Pool>,
        rows: usize,
        columns: usize,
        precision: Precision,
    ) -> Result<Self> {
        let bytes = rows
            .checked_mul(columns)
            .and_then(|length| length.checked_mul(precision.bytes()))
            .ok_or_else(|| {
                Check("zeros").error("fewer values".to_owned(), format!("{rows} times {columns}"))
            })?;
        // Kernels count rows and columns, and thus single values of a row, in `i32`.
        int(rows)?;
        int(columns)?;
        Ok(Self { block: pool.allocate(bytes)?, rows, columns, precision })
    }

    /// With all values zero.
    pub(super) fn zeroed(self, cuda: &Cuda) -> Result<Self> {
        cuda.device.fill(self.block.address(), 0, self.bytes())?;
        Ok(self)
    }

    /// A copy of a row-major matrix, in single precision.
    pub(super) fn upload(cuda: &Cuda, values: &[f32], columns: usize) -> Result<Self> {
        let rows = values.len().checked_div(columns).unwrap_or_default();
        Check("upload").equal("values", values.len(), rows * columns)?;
        let tensor = cuda.matrix(rows, columns, Precision::Single)?;
        cuda.device
            .upload(bytes_of(values), tensor.block.address())?;
        Ok(tensor)
    }

    /// All values, row after row.
    pub(super) fn download(&self, cuda: &Cuda) -> Result<Vec<f32>> {
        if self.precision == Precision::Half {
            let single = cuda.matrix(self.rows, self.columns, Precision::Single)?;
            self.convert(cuda, &single)?;
            return single.download(cuda);
        }
        let mut values = vec![0.0_f32; self.rows * self.columns];
        cuda.device
            .download(self.block.address(), bytes_of_mut(&mut values))?;
        Ok(values)
    }

    /// Writes all values to `out`, which has as many rows and at least as many columns; the columns beyond
    /// become zero.
    pub(super) fn convert(&self, cuda: &Cuda, out: &Self) -> Result<()> {
        let arguments = Convert {
            x: self.matrix()?,
            out: out.matrix()?,
            rows: int(self.rows)?,
            padding: 0,
        };
        cuda.launch(&Launch::cells(Kernel::Convert, self.rows, out.columns, &arguments))
    }

    /// Rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows, self.columns)
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// How the values are kept.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The matrix as kernels take it.
    pub(super) fn matrix(&self) -> Result<Matrix> {
        self.matrix_from(0)
    }

    /// The rows from `row` on.
    pub(super) fn matrix_from(&self, row: usize) -> Result<Matrix> {
        Ok(Matrix {
            data: self.row_address(row),
            columns: int(self.columns)?,
            half: i32::from(self.precision == Precision::Half),
        })
    }

    /// Where `row` begins.
    pub(super) fn row_address(&self, row: usize) -> Address {
        self.block.address() + (row * self.row_bytes()) as Address
    }

    pub(super) fn row_bytes(&self) -> usize {
        self.columns * self.precision.bytes()
    }

    fn bytes(&self) -> usize {
        self.rows * self.row_bytes()
    }
}
