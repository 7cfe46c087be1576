//! Every stage as a file, for whoever looks where two implementations part.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use safetensors::{Dtype, tensor::TensorView};

/// A directory that gets `NAME.safetensors` with the tensor `NAME` for every stage.
#[derive(Debug)]
pub(crate) struct StageDump {
    directory: PathBuf,
    failure: Option<anyhow::Error>,
}

impl StageDump {
    /// Makes the directory if it is not there.
    pub(crate) fn new(directory: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(directory).context("could not create it")?;
        Ok(Self { directory: directory.to_owned(), failure: None })
    }

    /// Writes a stage, unless an earlier one failed.
    pub(crate) fn write(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        if self.failure.is_none() {
            self.failure = self.try_write(name, shape, values).err();
        }
    }

    /// The first failure, if there was one.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        self.failure.map_or(Ok(()), Err)
    }

    fn try_write(&self, name: &str, shape: &[usize], values: &[f32]) -> anyhow::Result<()> {
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        let path = self.directory.join(format!("{name}.safetensors"));
        let tensor = TensorView::new(Dtype::F32, shape.to_vec(), &bytes)?;
        let file = safetensors::serialize([(name, tensor)], None)?;
        fs::write(&path, file).with_context(|| format!("could not write `{}`", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use safetensors::SafeTensors;

    use super::*;

    #[test]
    fn a_stage_is_read_back_by_others() {
        let directory = tempfile::tempdir().unwrap();
        let mut dump = StageDump::new(directory.path()).unwrap();
        dump.write("chunk0.mel", &[2, 1], &[1.0, -0.5]);
        dump.finish().unwrap();
        let file = fs::read(directory.path().join("chunk0.mel.safetensors")).unwrap();
        let tensors = SafeTensors::deserialize(&file).unwrap();
        let mel = tensors.tensor("chunk0.mel").unwrap();
        assert_eq!(mel.shape(), [2, 1]);
        assert_eq!(mel.data(), [1.0_f32.to_le_bytes(), (-0.5_f32).to_le_bytes()].concat());
    }

    #[test]
    fn the_first_failure_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let mut dump = StageDump::new(directory.path()).unwrap();
        dump.write("no/such/directory", &[1], &[1.0]);
        dump.write("fine", &[1], &[1.0]);
        assert!(
            dump.finish()
                .unwrap_err()
                .to_string()
                .contains("no/such/directory")
        );
    }
}
