//! The weights among all that a torch checkpoint holds.

use super::{
    FormatError,
    pickle::{Pickle, TensorSpec, Value},
};

/// Finds the dictionary of weights: averaged ones before raw ones, as the official loader does.
///
/// A file of weights alone is such a dictionary itself; training checkpoints hold several beside
/// the state of the optimiser, and other trainers call theirs `state_dict`.
pub(super) fn find<'a, 'p>(
    pickle: &'p Pickle<'a>,
) -> Result<Vec<(&'a str, &'p TensorSpec<'a>)>, FormatError> {
    let Some(root) = pickle.dict(pickle.root()) else {
        return Err(FormatError::NoWeights { found: "no dictionary".to_owned() });
    };
    let nested = |name: &str| {
        let (_, value) = root.iter().find(|(key, _)| text(*key) == Some(name))?;
        pickle.dict(*value).map(|items| tensors(pickle, items))
    };
    let found = nested("ema_model_state_dict")
        .or_else(|| nested("model_state_dict"))
        .or_else(|| Some(tensors(pickle, root)).filter(|flat| !flat.is_empty()))
        .or_else(|| nested("state_dict"))
        .filter(|tensors| !tensors.is_empty());
    found.ok_or_else(|| FormatError::NoWeights { found: describe(root) })
}

/// The tensors of a dictionary. Other values, such as the number of the training step, are no weights.
fn tensors<'a, 'p>(
    pickle: &'p Pickle<'a>,
    items: &'p [(Value<'a>, Value<'a>)],
) -> Vec<(&'a str, &'p TensorSpec<'a>)> {
    let named = items
        .iter()
        .filter_map(|(key, value)| Some((text(*key)?, pickle.tensor(*value)?)));
    named.collect()
}

fn text(key: Value<'_>) -> Option<&str> {
    if let Value::Text(text) = key {
        Some(text)
    } else {
        None
    }
}

fn describe(root: &[(Value<'_>, Value<'_>)]) -> String {
    let keys: Vec<String> = root
        .iter()
        .filter_map(|(key, _)| text(*key))
        .take(8)
        .map(|key| {
            format!(
                "`{}`",
                key.chars()
                    .take(60)
                    .flat_map(char::escape_default)
                    .collect::<String>()
            )
        })
        .collect();
    if keys.is_empty() {
        "nothing".to_owned()
    } else {
        keys.join(", ")
    }
}
