//! docs/api.md is true: its examples run, its fields and codes are those of the code.
//!
//! A block of `json request` is run as a job, all of them in one store and in order. The block behind it, `json
//! answer` or `json error`, is what comes back: every field, and no other. `…` stands for what varies: alone
//! for any value, at the end of a text for its end. In a request it stands for a recording.

use std::fs;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use f5tts_service::{
    ErrorCode,
    request::{ParseOptions, Request},
};
use serde::{Deserialize, de};
use serde_json::{Map, Value};

use crate::{Sandbox, repository};

const VARIES: char = '…';

fn page() -> String {
    fs::read_to_string(repository().join("docs/api.md")).unwrap()
}

/// The blocks of a page whose language is `json` and a word: that word and the content.
fn blocks(page: &str) -> Vec<(&str, Value)> {
    let blocks = page.split("\n```json ").skip(1).map(|rest| {
        let (kind, rest) = rest.split_once('\n').unwrap();
        let (text, _) = rest.split_once("\n```").unwrap();
        let value = serde_json::from_str(text).map_err(|error| format!("{error}: {text}"));
        (kind, value.unwrap())
    });
    blocks.collect()
}

/// The cells of the tables whose first column is headed so, without the head.
fn rows<'a>(page: &'a str, head: &str) -> Vec<Vec<&'a str>> {
    let lines = page
        .lines()
        .skip_while(|line| !line.starts_with(&format!("| {head} |")));
    let rows = lines.skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect()
}

/// The words in backticks.
fn names(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

fn assert_matches(found: &Value, documented: &Value, place: &str) {
    match (documented, found) {
        (Value::String(text), _) if text.chars().eq([VARIES]) => {}
        (Value::String(text), Value::String(found)) if text.ends_with(VARIES) => {
            let begin = text.trim_end_matches(VARIES);
            assert!(found.starts_with(begin), "{place} is {found:?}, documented is {text:?}");
        }
        (Value::Object(documented), Value::Object(found)) => {
            let keys = |map: &Map<String, Value>| map.keys().cloned().collect::<Vec<_>>();
            assert_eq!(keys(found), keys(documented), "the fields of {place}");
            for (name, documented) in documented {
                assert_matches(&found[name], documented, &format!("{place}.{name}"));
            }
        }
        (Value::Array(documented), Value::Array(found)) => {
            assert_eq!(found.len(), documented.len(), "the length of {place}");
            for (index, (found, documented)) in found.iter().zip(documented).enumerate() {
                assert_matches(found, documented, &format!("{place}[{index}]"));
            }
        }
        _ => assert_eq!(found, documented, "{place}"),
    }
}

/// Puts a recording in the place of what varies.
fn fill(request: &mut Value) {
    match request {
        Value::String(text) if text.ends_with(VARIES) => {
            let recording = repository().join("tools/goldens/inputs/baker.wav");
            *text = BASE64_STANDARD.encode(fs::read(recording).unwrap());
        }
        Value::Object(fields) => fields.values_mut().for_each(fill),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {}
    }
}

#[test]
fn the_examples_run_and_answer_what_is_written() {
    let sandbox = Sandbox::new();
    let page = page();
    assert!(!page.contains("```json\n"), "a block that nobody runs");
    let blocks = blocks(&page);
    assert!(blocks.len() >= 20, "{} blocks", blocks.len());
    for pair in blocks.chunks(2) {
        let [("request", request), (kind, documented)] = pair else {
            panic!("a request without answer: {pair:?}");
        };
        let mut job = request.clone();
        fill(&mut job);
        sandbox.write("job.json", job.to_string());
        let code = match *kind {
            "answer" => 0,
            "error" => 1,
            other => panic!("a block of {other}"),
        };
        let answer = sandbox.run(&["job", "run", "job.json"]).json(code);
        assert_matches(&answer, documented, &format!("the answer to {request}"));
    }
}

#[test]
fn what_is_documented_otherwise_is_noticed() {
    let found = serde_json::json!({"a": "xyz", "b": [1, {"c": null}]});
    let same = |documented: Value| {
        std::panic::catch_unwind(|| assert_matches(&found, &documented, "it")).is_ok()
    };
    assert!(same(serde_json::json!({"a": "x…", "b": [1, "…"]})));
    for other in [
        serde_json::json!({"a": "…"}),
        serde_json::json!({"a": "…", "b": "…", "c": "…"}),
        serde_json::json!({"a": "y…", "b": "…"}),
        serde_json::json!({"a": "…", "b": [1]}),
        serde_json::json!({"a": "…", "b": [1, {"c": 0}]}),
    ] {
        assert!(!same(other.clone()), "{other}");
    }
}

#[test]
fn every_field_and_operation_of_the_tables_is_known() {
    let page = page();
    let (speech, voices) = page.split_once("\n## Voices\n").unwrap();
    let parse = |fields: Map<String, Value>| {
        Request::parse(&Value::Object(fields), &ParseOptions::default())
            .map(|parsed| parsed.warnings)
    };
    for (part, needed) in [
        (speech, r#"{"text": "Hello there."}"#),
        (voices, r#"{"endpoint": "upload", "voice_name": "a", "file": "YQ=="}"#),
    ] {
        let needed: Map<String, Value> = serde_json::from_str(needed).unwrap();
        for row in rows(part, "Field") {
            for name in names(row[0]) {
                let mut fields = needed.clone();
                fields.entry(name).or_insert(Value::Null);
                assert_eq!(parse(fields), Ok(vec![]), "{name}");
                // The type is checked, so the field is not just ignored.
                let mut fields = needed.clone();
                fields.insert(name.to_owned(), serde_json::json!({}));
                let error = parse(fields).unwrap_err().to_string();
                assert!(error.contains(&format!("`{name}` is an object")), "{error}");
            }
        }
    }
    for row in rows(&page, "`input.endpoint`") {
        for name in names(row[0]) {
            let fields = serde_json::json!({"endpoint": name.trim_matches('"')});
            let error = Request::parse(&fields, &ParseOptions::default()).err();
            let is_known = error.is_none_or(|error| !error.to_string().contains("`endpoint`"));
            assert!(is_known, "{name}");
        }
    }
}

#[test]
fn every_code_is_in_the_table_with_who_acts() {
    let page = page();
    let mut documented = Vec::new();
    for row in rows(&page, "`error_code`") {
        let name = names(row[0]).next().unwrap();
        let code: ErrorCode = serde_json::from_value(name.into()).unwrap();
        let acts = if code.is_callers() {
            "client"
        } else {
            "operator"
        };
        assert_eq!(row[1], acts, "{name}");
        documented.push(name);
    }
    documented.sort_unstable();
    assert_eq!(documented, all_codes());
}

/// The names of all codes but the one for those of later versions.
fn all_codes() -> Vec<&'static str> {
    let error = ErrorCode::deserialize(Variants).unwrap_err().to_string();
    let mut codes: Vec<_> = error
        .split(' ')
        .map(|name| &*name.to_owned().leak())
        .collect();
    codes.retain(|name| *name != "unknown");
    codes.sort_unstable();
    codes
}

/// Tells which variants an enumeration wants to read, as an error.
struct Variants;

impl<'de> de::Deserializer<'de> for Variants {
    type Error = de::value::Error;

    fn deserialize_any<V: de::Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(de::Error::custom("it is no enumeration"))
    }

    fn deserialize_enum<V: de::Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Self::Error> {
        Err(de::Error::custom(variants.join(" ")))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}
