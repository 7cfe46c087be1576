//! One row a word.

use crate::align::WordTiming;

/// A table as RFC 4180 has it.
pub(super) fn csv(words: &[WordTiming]) -> String {
    let mut file = "word,start_time,end_time,confidence\r\n".to_owned();
    for word in words {
        let WordTiming { start, end, confidence, .. } = word;
        file += &format!("{},{start:.3},{end:.3},{confidence:.3}\r\n", quoted(&word.word));
    }
    file
}

pub(super) fn json(words: &[WordTiming]) -> String {
    let rows: Vec<_> = words.iter().map(|word| serde_json::json!(word)).collect();
    format!("{:#}\n", serde_json::Value::Array(rows))
}

fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}
