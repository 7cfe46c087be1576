//! Reads the tables of the goldens.

use serde_json::Value;

/// A table by its name.
pub(crate) fn table(name: &str) -> Value {
    let text = f5tts_testkit::Golden::text(&format!("tables/{name}.json"));
    serde_json::from_str(&text).unwrap()
}

pub(crate) fn strings(value: &Value) -> Vec<&str> {
    let list = value.as_array().unwrap();
    list.iter().map(|item| item.as_str().unwrap()).collect()
}

pub(crate) fn floats(value: &Value) -> Vec<f32> {
    serde_json::from_value(value.clone()).unwrap()
}

pub(crate) fn number(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap()).unwrap()
}
