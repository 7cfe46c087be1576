//! Prints whether transcripts fit their recordings, as JSON.
//!
//! Reads one job a line, `{"audio": PATH, "text": TEXT}`, and prints one answer a line. For `tools/align/transcripts.py`.

use std::{
    error::Error,
    fs,
    io::{self, Write},
};

use f5tts_service::voices::check::{Said, VoiceReport};
use serde_json::Value;

fn main() -> Result<(), Box<dyn Error>> {
    let mut output = io::stdout().lock();
    for line in io::stdin().lines() {
        let job: Value = serde_json::from_str(&line?)?;
        let path = job["audio"].as_str().ok_or("a job has no audio")?;
        let text = job["text"].as_str().ok_or("a job has no text")?;
        let report = VoiceReport::of(path, &fs::read(path)?, &Said::Given(text));
        writeln!(output, "{}", serde_json::to_string(&report.transcript_fit)?)?;
    }
    Ok(())
}
