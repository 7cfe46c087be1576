use std::{fmt::Display, ops::RangeInclusive};

use serde_json::{Map, Value};

/// The longest configuration that is read. The official one has 2 kB.
const MAX_BYTES: usize = 1 << 20;

/// Why a configuration of a model was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Longer than any configuration.
    #[error("the configuration has {bytes} bytes, the limit is {limit}")]
    TooLarge {
        /// The length.
        bytes: usize,
        /// The longest that is read.
        limit: usize,
    },
    /// No JSON.
    #[error("the configuration is not valid JSON")]
    Json(#[source] serde_json::Error),
    /// No YAML.
    #[error("the configuration is not valid YAML")]
    Yaml(#[source] Box<serde_saphyr::Error>),
    /// A key that must be there is not.
    #[error("the configuration lacks `{key}`; {hint}")]
    Missing {
        /// The key, with those above it.
        key: String,
        /// What to write.
        hint: &'static str,
    },
    /// A value of the wrong type or out of range.
    #[error("`{key}` is {found}; allowed is {allowed}")]
    Value {
        /// The key, with those above it.
        key: String,
        /// The value.
        found: String,
        /// What it may be.
        allowed: String,
    },
    /// A key that nobody reads, and that may change what the model does.
    #[error("`{key}` is unknown; known are {known}")]
    Unknown {
        /// The key, with those above it.
        key: String,
        /// The keys that may stand there.
        known: String,
    },
    /// A kind of model that cannot be run.
    #[error("{what} is not supported yet")]
    Unsupported {
        /// The kind.
        what: String,
    },
}

/// A table of a configuration file, which knows where it stands there.
#[derive(Debug)]
pub(super) struct Table {
    /// The keys above, each with a dot at its end.
    path: String,
    values: Map<String, Value>,
    known: Vec<&'static str>,
}

impl Table {
    /// Reads a document of JSON or YAML.
    pub(super) fn parse(text: &str) -> Result<Self, ConfigError> {
        if text.len() > MAX_BYTES {
            return Err(ConfigError::TooLarge { bytes: text.len(), limit: MAX_BYTES });
        }
        let value = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(ConfigError::Json)?
        } else {
            yaml(text)?
        };
        Self::new(String::new(), value)
    }

    fn new(path: String, value: Value) -> Result<Self, ConfigError> {
        match value {
            Value::Object(values) => Ok(Self { path, values, known: Vec::new() }),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => {
                let key = path.trim_end_matches('.');
                let key = if key.is_empty() {
                    "the configuration"
                } else {
                    key
                };
                Err(not_allowed(key.to_owned(), &value, "a table"))
            }
        }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// Takes a table out; an empty one if it is not there.
    pub(super) fn table(&mut self, key: &'static str) -> Result<Self, ConfigError> {
        let value = self.take(key).unwrap_or_else(|| Value::Object(Map::new()));
        Self::new(format!("{}{key}.", self.path), value)
    }

    /// Takes a text out; `None` if it is absent or null.
    pub(super) fn text(&mut self, key: &'static str) -> Result<Option<String>, ConfigError> {
        match self.take(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(not_allowed(self.full(key), &other, "a text")),
        }
    }

    /// Takes a truth value out.
    pub(super) fn bool(&mut self, key: &'static str) -> Result<Option<bool>, ConfigError> {
        match self.take(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(value)),
            Some(other) => Err(not_allowed(self.full(key), &other, "true or false")),
        }
    }

    /// Takes a whole number out.
    pub(super) fn number(
        &mut self,
        key: &'static str,
        range: RangeInclusive<usize>,
    ) -> Result<Option<usize>, ConfigError> {
        let value = match self.take(key) {
            None | Some(Value::Null) => return Ok(None),
            Some(value) => value,
        };
        let number = value
            .as_u64()
            .and_then(|number| usize::try_from(number).ok());
        if let Some(number) = number.filter(|number| range.contains(number)) {
            return Ok(Some(number));
        }
        let allowed = format!("a whole number from {} to {}", range.start(), range.end());
        Err(not_allowed(self.full(key), &value, &allowed))
    }

    /// Takes a number out that must be this one, if it is there.
    pub(super) fn only(&mut self, key: &'static str, number: usize) -> Result<(), ConfigError> {
        match self.take(key) {
            None | Some(Value::Null) => Ok(()),
            Some(value) if value.as_u64() == u64::try_from(number).ok() => Ok(()),
            Some(value) => Err(not_allowed(self.full(key), &value, &format!("only {number}"))),
        }
    }

    /// Takes values out that change nothing here.
    pub(super) fn ignore(&mut self, keys: &[&'static str]) {
        for key in keys {
            self.values.remove(*key);
        }
    }

    /// Checks that nothing is left.
    pub(super) fn finish(self) -> Result<(), ConfigError> {
        match self.values.keys().next() {
            None => Ok(()),
            Some(key) => Err(ConfigError::Unknown {
                key: self.full(&shown(key)),
                known: self.known.join(", "),
            }),
        }
    }

    /// An error for a value that another one forbids.
    pub(super) fn conflict(&self, key: &str, found: impl Display, allowed: &str) -> ConfigError {
        let (key, found, allowed) = (self.full(key), found.to_string(), allowed.to_owned());
        ConfigError::Value { key, found, allowed }
    }

    /// An error for a value that must be there.
    pub(super) fn missing(&self, key: &str, hint: &'static str) -> ConfigError {
        ConfigError::Missing { key: self.full(key), hint }
    }

    fn take(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.values.remove(key)
    }

    fn full(&self, key: &str) -> String {
        format!("{}{key}", self.path)
    }
}

/// Reads YAML into the types of JSON.
///
/// References multiply what they refer to, and no configuration of a model has any.
fn yaml(text: &str) -> Result<Value, ConfigError> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_aliases: 0,
            max_depth: 16,
            max_documents: 1,
        },
        // A message of one line, without text from the file.
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| ConfigError::Yaml(Box::new(error)))
}

fn not_allowed(key: String, found: &Value, allowed: &str) -> ConfigError {
    ConfigError::Value {
        key,
        found: shown(&found.to_string()),
        allowed: allowed.to_owned(),
    }
}

/// Text from the file as a message may show it.
fn shown(text: &str) -> String {
    text.chars().take(60).flat_map(char::escape_debug).collect()
}
