use std::{
    fs,
    path::{Path, PathBuf},
};

use safetensors::{Dtype, SafeTensors};

/// A file of expected tensors, written by the official implementation (`tools/goldens`).
#[derive(Debug)]
pub struct Golden {
    name: String,
    bytes: Vec<u8>,
}

impl Golden {
    /// Reads a golden of this repository, such as `tiny_v1/forward.safetensors`, or one elsewhere.
    pub fn open(name: impl AsRef<Path>) -> Self {
        let path = Self::path(name);
        let bytes =
            fs::read(&path).unwrap_or_else(|error| fail(&format!("{}: {error}", path.display())));
        Self { name: path.display().to_string(), bytes }
    }

    /// Where a file of the goldens lies.
    pub fn path(name: impl AsRef<Path>) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("goldens")
            .join(name)
    }

    /// A text file of the goldens, such as a table in JSON.
    pub fn text(name: &str) -> String {
        let path = Self::path(name);
        fs::read_to_string(&path)
            .unwrap_or_else(|error| fail(&format!("{}: {error}", path.display())))
    }

    /// The names of all tensors.
    pub fn names(&self) -> Vec<String> {
        self.file()
            .names()
            .into_iter()
            .map(ToString::to_string)
            .collect()
    }

    /// Whether the file holds this tensor.
    pub fn has(&self, tensor: &str) -> bool {
        self.file().tensor(tensor).is_ok()
    }

    /// The shape of a tensor.
    pub fn shape(&self, tensor: &str) -> Vec<usize> {
        self.view(tensor).shape().to_vec()
    }

    /// A tensor of `f32`, row-major.
    pub fn f32(&self, tensor: &str) -> Vec<f32> {
        let view = self.view(tensor);
        self.expect_dtype(tensor, view.dtype(), Dtype::F32);
        let values = view.data().chunks_exact(4);
        values
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect()
    }

    /// A tensor of `i32`, row-major.
    pub fn i32(&self, tensor: &str) -> Vec<i32> {
        let view = self.view(tensor);
        self.expect_dtype(tensor, view.dtype(), Dtype::I32);
        let values = view.data().chunks_exact(4);
        values
            .map(|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect()
    }

    fn file(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.bytes)
            .unwrap_or_else(|error| fail(&format!("{}: {error}", self.name)))
    }

    fn view(&self, tensor: &str) -> safetensors::tensor::TensorView<'_> {
        self.file()
            .tensor(tensor)
            .unwrap_or_else(|error| fail(&format!("{}: {tensor}: {error}", self.name)))
    }

    fn expect_dtype(&self, tensor: &str, actual: Dtype, expected: Dtype) {
        if actual != expected {
            fail(&format!("{}: {tensor} is {actual:?}, not {expected:?}", self.name));
        }
    }
}

#[expect(clippy::panic, reason = "a broken golden fails the test")]
fn fail(message: &str) -> ! {
    panic!("{message}")
}
