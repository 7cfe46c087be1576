//! Typed reading of the fields of an input.

use std::{cell::RefCell, fmt::Display};

use serde_json::{Map, Value};

use crate::storage::NameError;

/// What is wrong with a field: which, what it is, what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// It has to be there.
    #[error("`{field}` is missing: it must be {allowed}")]
    Missing {
        /// Its name.
        field: String,
        /// What it must be.
        allowed: String,
    },
    /// It is something else than it may be.
    #[error("`{field}` is {value}, allowed is {allowed}")]
    NotAllowed {
        /// Its name.
        field: String,
        /// What it is, shortened.
        value: String,
        /// What it may be.
        allowed: String,
    },
    /// It is no name.
    #[error("{prefix}{error}")]
    Name {
        /// Which field, where the error names another.
        prefix: String,
        /// What is wrong with it.
        error: NameError,
    },
}

impl FieldError {
    /// A field with a name that cannot be one.
    pub fn name(field: &str, error: NameError) -> Self {
        let prefix = if field == error.field() {
            String::new()
        } else {
            format!("`{field}`: ")
        };
        Self::Name { prefix, error }
    }

    /// `value` is not what the field may be.
    pub fn not_allowed(field: &str, value: &Value, allowed: impl Display) -> Self {
        Self::NotAllowed {
            field: field.to_owned(),
            value: shown(value),
            allowed: allowed.to_string(),
        }
    }

    fn missing(field: &str, allowed: impl Display) -> Self {
        Self::Missing { field: field.to_owned(), allowed: allowed.to_string() }
    }
}

/// The fields of an input. It remembers which were asked for, so that the others can be told.
///
/// `null` is the same as no field.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    map: &'a Map<String, Value>,
    known: RefCell<Vec<&'static str>>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(map: &'a Map<String, Value>) -> Self {
        Self { map, known: RefCell::default() }
    }

    /// The field as it is, `null` included.
    pub(super) fn raw(&self, field: &'static str) -> Option<&'a Value> {
        self.known.borrow_mut().push(field);
        self.map.get(field)
    }

    /// The field in a form of its own, or `None` where it is absent.
    pub(super) fn optional<T>(
        &self,
        field: &'static str,
        allowed: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, FieldError> {
        let Some(value) = self.raw(field).filter(|value| !value.is_null()) else {
            return Ok(None);
        };
        read(value)
            .map(Some)
            .ok_or_else(|| FieldError::not_allowed(field, value, allowed))
    }

    pub(super) fn text(&self, field: &'static str) -> Result<Option<&'a str>, FieldError> {
        self.optional(field, "a text", Value::as_str)
    }

    /// The first of several names of one thing that is there.
    pub(super) fn text_by_any_name(
        &self,
        fields: &[&'static str],
    ) -> Result<Option<&'a str>, FieldError> {
        let mut found = None;
        for field in fields {
            found = found.or(self.text(field)?);
        }
        Ok(found)
    }

    pub(super) fn required_text(
        &self,
        field: &'static str,
        allowed: &str,
    ) -> Result<&'a str, FieldError> {
        self.optional(field, allowed, Value::as_str)?
            .ok_or_else(|| FieldError::missing(field, allowed))
    }

    pub(super) fn flag(&self, field: &'static str, default: bool) -> Result<bool, FieldError> {
        let given = self.optional(field, "true or false", Value::as_bool)?;
        Ok(given.unwrap_or(default))
    }

    /// A number within a range, which `convert` may narrow further.
    pub(super) fn number<T, E>(
        &self,
        field: &'static str,
        (least, most): (f64, f64),
        convert: impl FnOnce(f64) -> Result<T, E>,
    ) -> Result<Option<T>, FieldError> {
        let allowed = format!("a number from {least} to {most}");
        self.optional(field, &allowed, |value| {
            let number = value.as_f64()?;
            let within = (least..=most).contains(&number);
            within.then(|| convert(number).ok())?
        })
    }

    /// A number without fraction within a range.
    pub(super) fn whole(
        &self,
        field: &'static str,
        (least, most): (u64, u64),
    ) -> Result<Option<u64>, FieldError> {
        let allowed = format!("a whole number from {least} to {most}");
        self.optional(field, &allowed, |value| {
            let number = whole(value)?;
            (least..=most).contains(&number).then_some(number)
        })
    }

    /// One of several words.
    pub(super) fn choice<T: Copy>(
        &self,
        field: &'static str,
        choices: &[(&str, T)],
    ) -> Result<Option<T>, FieldError> {
        let allowed = words(choices.iter().map(|(word, _)| *word));
        self.optional(field, &allowed, |value| choose(value.as_str()?, choices))
    }

    /// The fields that nobody asked for.
    pub(super) fn unknown(&self) -> Vec<&'a str> {
        let known = self.known.borrow();
        let names = self.map.keys().map(String::as_str);
        names.filter(|name| !known.contains(name)).collect()
    }
}

/// A whole number, also one that is written with a fraction of zero, as JavaScript and Lua do.
fn whole(value: &Value) -> Option<u64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if let Some(number) = value.as_u64() {
        return Some(number);
    }
    let number = value.as_f64()?;
    let is_whole = number.fract() == 0.0 && (0.0..EXACT).contains(&number);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole and within 0 and 2^53"
    )]
    is_whole.then_some(number as u64)
}

/// What a word stands for, in any case.
pub(super) fn choose<T: Copy>(word: &str, choices: &[(&str, T)]) -> Option<T> {
    let mut choices = choices.iter();
    choices
        .find(|(name, _)| name.eq_ignore_ascii_case(word))
        .map(|&(_, choice)| choice)
}

/// `a, b or c`
pub(super) fn words<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<_> = words.collect();
    match words.split_last() {
        None => String::new(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
    }
}

/// A value as a message shows it: what it is rather than all of it.
fn shown(value: &Value) -> String {
    const MOST: usize = 60;
    match value {
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(fields) => format!("an object of {} fields", fields.len()),
        Value::String(text) if text.chars().count() > MOST => {
            let start: String = text.chars().take(MOST).collect();
            format!("{} …", Value::String(start))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(value: &Value) -> Fields<'_> {
        Fields::new(value.as_object().unwrap())
    }

    #[test]
    fn a_wrong_value_is_named_with_what_is_allowed() {
        let input = json!({"text": 3, "speed": 9, "count": 1.5, "on": "yes", "size": "xl"});
        let fields = of(&input);
        let keep = |number| Ok::<f64, ()>(number);
        let messages = [
            fields.text("text").unwrap_err(),
            fields.number("speed", (0.5, 2.0), keep).unwrap_err(),
            fields.whole("count", (1, 5)).unwrap_err(),
            fields.flag("on", false).unwrap_err(),
            fields
                .choice("size", &[("s", 1), ("m", 2), ("l", 3)])
                .unwrap_err(),
            fields.required_text("voice", "a name").unwrap_err(),
        ]
        .map(|error| error.to_string());
        assert_eq!(
            messages,
            [
                "`text` is 3, allowed is a text",
                "`speed` is 9, allowed is a number from 0.5 to 2",
                "`count` is 1.5, allowed is a whole number from 1 to 5",
                "`on` is \"yes\", allowed is true or false",
                "`size` is \"xl\", allowed is s, m or l",
                "`voice` is missing: it must be a name",
            ]
        );
    }

    #[test]
    fn long_values_are_shortened() {
        let error = FieldError::not_allowed("x", &json!("é".repeat(1000)), "less");
        assert!(error.to_string().len() < 200);
        let error = FieldError::not_allowed("x", &json!([[1], [2]]), "less");
        assert_eq!(error.to_string(), "`x` is a list of 2, allowed is less");
    }

    #[test]
    fn null_is_absent_and_unknown_fields_are_told() {
        let input = json!({"a": null, "b": 7.0, "c": 1});
        let fields = of(&input);
        assert_eq!(fields.text("a"), Ok(None));
        assert_eq!(fields.whole("b", (0, 9)), Ok(Some(7)));
        assert_eq!(fields.unknown(), ["c"]);
    }
}
