use std::{
    borrow::Cow,
    collections::{BTreeMap, btree_map::Entry},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{Checkpoint, TensorView, WeightsError};

/// How many names of surplus tensors a message shows.
const NAMES_SHOWN: usize = 5;

/// The tensors of a [`Checkpoint`] by the names that the model gives them.
///
/// Layers may be loaded in parallel, and tensors may be asked for again at any time.
#[derive(Debug)]
pub struct Weights {
    checkpoint: Arc<Checkpoint>,
    weights: BTreeMap<String, Weight>,
}

#[derive(Debug)]
struct Weight {
    /// The name in the file.
    raw: String,
    used: AtomicBool,
}

/// The weights of one layer: those whose names begin with its path.
#[derive(Clone, Debug)]
pub struct Scope<'a> {
    weights: &'a Weights,
    path: String,
}

impl Weights {
    /// The weights of a `DiT`: names begin as in `time_embed.time_mlp.0.weight`.
    ///
    /// Removes what the official loader removes, and the prefixes that other trainers leave.
    pub fn dit(checkpoint: Arc<Checkpoint>) -> Result<Self, WeightsError> {
        Self::named(checkpoint, |raw| {
            let name = without_wrappers(raw);
            let bookkeeping = matches!(name.as_str(), "initted" | "step" | "update");
            if bookkeeping || name.starts_with("mel_spec.mel_stft.") {
                return None;
            }
            Some(
                name.strip_prefix("transformer.")
                    .map(str::to_owned)
                    .unwrap_or(name),
            )
        })
    }

    /// The weights of a Vocos vocoder: names begin as in `backbone.embed.weight`.
    ///
    /// The mel spectrogram that Vocos files bring along is left out; ours is computed.
    pub fn vocos(checkpoint: Arc<Checkpoint>) -> Result<Self, WeightsError> {
        Self::named(checkpoint, |raw| {
            Some(without_wrappers(raw)).filter(|name| !name.starts_with("feature_extractor."))
        })
    }

    /// The weights of Whisper in the layout of transformers: names begin as in `encoder.conv1.weight`.
    ///
    /// The last layer of the decoder is the embedding of its tokens, whether or not the file has it twice.
    pub fn whisper(checkpoint: Arc<Checkpoint>) -> Result<Self, WeightsError> {
        Self::named(checkpoint, |raw| {
            let name = raw.strip_prefix("model.").unwrap_or(raw);
            (name != "proj_out.weight").then(|| name.to_owned())
        })
    }

    /// All weights.
    pub const fn root(&self) -> Scope<'_> {
        Scope { weights: self, path: String::new() }
    }

    /// The weights below a path such as `transformer_blocks.0`.
    pub fn scope(&self, path: &str) -> Scope<'_> {
        self.root().scope(path)
    }

    /// The number of parameters, all tensors together.
    pub fn parameters(&self) -> usize {
        let tensors = self
            .weights
            .values()
            .filter_map(|weight| self.checkpoint.tensor(&weight.raw));
        tensors
            .map(|tensor| tensor.shape.iter().product::<usize>())
            .sum()
    }

    /// Checks, when the model is loaded, that it asked for every tensor.
    pub fn finish(&self) -> Result<(), WeightsError> {
        let unused = self
            .weights
            .iter()
            .filter(|(_, weight)| !weight.used.load(Ordering::Relaxed));
        let names: Vec<&str> = unused.map(|(name, _)| name.as_str()).collect();
        if names.is_empty() {
            return Ok(());
        }
        let more = if names.len() > NAMES_SHOWN {
            ", …"
        } else {
            ""
        };
        let shown = names[..names.len().min(NAMES_SHOWN)].join(", ");
        Err(WeightsError::Surplus {
            origin: self.origin(),
            count: names.len(),
            names: format!("{shown}{more}"),
        })
    }

    fn named(
        checkpoint: Arc<Checkpoint>,
        rename: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, WeightsError> {
        let mut weights = BTreeMap::new();
        for raw in checkpoint.names() {
            let Some(name) = rename(raw) else { continue };
            match weights.entry(name) {
                Entry::Vacant(vacant) => {
                    vacant.insert(Weight { raw: raw.to_owned(), used: AtomicBool::new(false) });
                }
                Entry::Occupied(first) => {
                    return Err(WeightsError::Ambiguous {
                        origin: checkpoint.origin().to_owned(),
                        name: first.key().clone(),
                        first: first.get().raw.clone(),
                        second: raw.to_owned(),
                    });
                }
            }
        }
        Ok(Self { checkpoint, weights })
    }

    fn find(&self, name: &str) -> Option<TensorView<'_>> {
        let weight = self.weights.get(name)?;
        weight.used.store(true, Ordering::Relaxed);
        self.checkpoint.tensor(&weight.raw)
    }

    fn origin(&self) -> String {
        self.checkpoint.origin().to_owned()
    }
}

impl<'a> Scope<'a> {
    /// The weights of a layer within this one.
    #[must_use]
    pub fn scope(&self, path: &str) -> Self {
        Self { weights: self.weights, path: self.join(path) }
    }

    /// A tensor of this shape, row-major; borrowed from the file where that has `f32`.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Cow<'a, [f32]>, WeightsError> {
        let tensor = self.find(name, shape)?;
        tensor.to_f32().ok_or_else(|| WeightsError::Dtype {
            origin: self.weights.origin(),
            name: self.join(name),
            found: tensor.dtype,
        })
    }

    /// Asks for a tensor whose values are read later.
    pub fn check(&self, name: &str, shape: &[usize]) -> Result<(), WeightsError> {
        self.find(name, shape).map(|_| ())
    }

    fn find(&self, name: &str, shape: &[usize]) -> Result<TensorView<'a>, WeightsError> {
        let (name, origin) = (self.join(name), self.weights.origin());
        let Some(tensor) = self.weights.find(&name) else {
            return Err(WeightsError::Missing { origin, name });
        };
        if tensor.shape != shape {
            return Err(WeightsError::Shape {
                origin,
                name,
                expected: shape.to_vec(),
                found: tensor.shape.to_vec(),
            });
        }
        Ok(tensor)
    }

    fn join(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }
}

/// A name without what wrappers of models put around it: averaging, compilation, parallel training.
fn without_wrappers(raw: &str) -> String {
    // The official loader removes this one wherever it stands; a compiled layer may lie anywhere too.
    let name = raw.replace("ema_model.", "").replace("_orig_mod.", "");
    let mut name = name.as_str();
    while let Some(inner) = ["ema.", "model.", "module."]
        .iter()
        .find_map(|wrapper| name.strip_prefix(wrapper))
    {
        name = inner;
    }
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use safetensors::{Dtype, serialize, tensor::TensorView};

    use super::*;

    /// A checkpoint of tensors with one element each, numbered in the order of their names.
    fn checkpoint(names: &[&str]) -> Arc<Checkpoint> {
        let values: Vec<[u8; 4]> = (0_u8..)
            .take(names.len())
            .map(|i| f32::from(i).to_le_bytes())
            .collect();
        let tensors = names.iter().zip(&values);
        let tensors = tensors
            .map(|(name, value)| (*name, TensorView::new(Dtype::F32, vec![1], value).unwrap()));
        Arc::new(Checkpoint::from_bytes("test.pt", serialize(tensors, None).unwrap()).unwrap())
    }

    #[test]
    fn prefixes_of_all_kinds_are_removed() {
        for prefix in [
            "",
            "transformer.",
            "ema_model.transformer.",
            "ema.transformer.",
            "model.transformer.",
            "module.transformer.",
            "_orig_mod.transformer.",
            "ema_model._orig_mod.transformer.",
            "module.ema_model.transformer.",
            "model.ema_model.module.transformer.",
            "transformer._orig_mod.",
        ] {
            let checkpoint = checkpoint(&[&format!("{prefix}norm_out.linear.weight")]);
            let weights = Weights::dit(checkpoint).unwrap();
            let scope = weights.scope("norm_out").scope("linear");
            assert!(scope.tensor("weight", &[1]).is_ok(), "{prefix}");
            weights.finish().unwrap();
        }
    }

    #[test]
    fn what_is_no_weight_is_left_out() {
        let names = [
            "ema_model.initted",
            "ema_model.mel_spec.mel_stft.mel_scale.fb",
            "ema_model.mel_spec.mel_stft.spectrogram.window",
            "initted2",
            "step",
            "update",
        ];
        let weights = Weights::dit(checkpoint(&names)).unwrap();
        let message = weights.finish().unwrap_err().to_string();
        assert!(
            message.starts_with("`test.pt` has 1 tensors that the model does not use: initted2;")
        );
        let weights =
            Weights::vocos(checkpoint(&["feature_extractor.mel_spec.mel_scale.fb"])).unwrap();
        weights.finish().unwrap();
    }

    #[test]
    fn surplus_tensors_are_named_but_not_all() {
        let names = ["a", "b", "c", "d", "e", "f", "g"];
        let weights = Weights::dit(checkpoint(&names)).unwrap();
        weights.root().tensor("b", &[1]).unwrap();
        assert!(weights.root().check("no", &[1]).is_err());
        let message = weights.finish().unwrap_err().to_string();
        assert!(message.contains("has 6 tensors that the model does not use: a, c, d, e, f, …;"));
        for name in names {
            weights.root().check(name, &[1]).unwrap();
        }
        weights.finish().unwrap();
        assert_eq!(weights.parameters(), 7);
    }

    #[test]
    fn errors_name_tensor_and_shapes() {
        let weights = Weights::dit(checkpoint(&["transformer.proj_out.weight"])).unwrap();
        let scope = weights.scope("proj_out");
        let message = scope.tensor("bias", &[1]).unwrap_err().to_string();
        assert!(message.starts_with("`test.pt` has no tensor `proj_out.bias`"));
        for result in [
            scope.tensor("weight", &[1, 1]).map(|_| ()),
            scope.check("weight", &[1, 1]),
        ] {
            let message = result.unwrap_err().to_string();
            let expected = "tensor `proj_out.weight` of `test.pt` has the shape [1], the configuration needs [1, 1]";
            assert_eq!(message, expected);
        }
    }

    #[test]
    fn integers_are_refused() {
        let view = TensorView::new(Dtype::I64, vec![1], &[0; 8]).unwrap();
        let bytes = serialize([("a", view)], None).unwrap();
        let weights = Weights::dit(Arc::new(Checkpoint::from_bytes("t", bytes).unwrap())).unwrap();
        let message = weights.root().tensor("a", &[1]).unwrap_err().to_string();
        assert_eq!(
            message,
            "tensor `a` of `t` has elements of type I64; weights are F32, F16 or BF16"
        );
    }

    #[test]
    fn two_tensors_for_one_weight_are_refused() {
        let checkpoint = checkpoint(&["ema_model.transformer.x", "transformer.x"]);
        let message = Weights::dit(checkpoint).unwrap_err().to_string();
        assert_eq!(
            message,
            "`test.pt` has `x` twice: as `ema_model.transformer.x` and as `transformer.x`"
        );
    }

    #[test]
    fn layers_can_be_loaded_in_parallel_and_again() {
        fn shared<T: Send + Sync>(value: T) -> T {
            value
        }
        let weights = shared(Weights::dit(checkpoint(&["a.x", "b.x"])).unwrap());
        std::thread::scope(|threads| {
            for name in ["a", "b"] {
                threads.spawn(|| weights.scope(name).tensor("x", &[1]).unwrap());
            }
        });
        weights.finish().unwrap();
        assert_eq!(*weights.scope("b").tensor("x", &[1]).unwrap(), [1.0]);
    }
}
