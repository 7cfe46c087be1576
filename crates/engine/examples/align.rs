//! Prints when each word of a text is spoken in a recording, as JSON.
//!
//! Reads one job a line, `{"audio": PATH, "text": TEXT}`, and prints one answer a line. Words are told
//! even if the audio probably does not hold them; `refused` then says why `align` would fail.

use std::{
    error::Error,
    fs,
    io::{self, Write},
    time::Instant,
};

use f5tts_engine::{
    align::{AlignError, Aligner, Alignment, Evidence, LEAST_CONFIDENCE},
    audio,
    text::{pinyin::Edition, tokenize::Tokenizer},
};
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn Error>> {
    let tokenizer = Tokenizer::new(Edition::default());
    let aligner = Aligner::new(&tokenizer);
    let mut output = io::stdout().lock();
    for line in io::stdin().lines() {
        let job: Value = serde_json::from_str(&line?)?;
        writeln!(output, "{}", answer(&job, aligner)?)?;
    }
    Ok(())
}

fn answer(job: &Value, aligner: Aligner<'_>) -> Result<Value, Box<dyn Error>> {
    let path = job["audio"].as_str().ok_or("a job has no audio")?;
    let text = job["text"].as_str().ok_or("a job has no text")?;
    let recording = audio::decode(&fs::read(path)?, &audio::DecodeLimits::default())?;
    let samples = recording.to_mono();
    let words = aligner.words(text);
    let begin = Instant::now();
    let alignment = aligner.measure(&samples, recording.format().sample_rate_hz, &words);
    let seconds = begin.elapsed().as_secs_f64();
    Ok(match alignment {
        Ok(alignment) => described(&alignment, seconds),
        Err(error) => json!({"refused": error.to_string()}),
    })
}

fn described(alignment: &Alignment, seconds: f64) -> Value {
    let confidence = alignment.confidence;
    let refused =
        (confidence < LEAST_CONFIDENCE).then(|| AlignError::Mismatch { confidence }.to_string());
    let words = alignment.words.iter().zip(&alignment.evidence);
    let words: Vec<Value> = words
        .map(|(word, evidence)| {
            json!({
                "word": word.word,
                "start": word.start,
                "end": word.end,
                "confidence": word.confidence,
                "evidence": evidence.as_ref().map(numbers),
            })
        })
        .collect();
    let missing: Vec<usize> = alignment.missing().collect();
    json!({
        "words": words, "confidence": confidence, "missing": missing,
        "refused": refused, "seconds": seconds,
    })
}

fn numbers(evidence: &Evidence) -> Value {
    json!({
        "phones": evidence.phones,
        "phone_fit": evidence.phone_fit,
        "worst_fit": evidence.worst_fit,
        "frame_fit": evidence.frame_fit,
        "over_silence": evidence.over_silence,
        "over_absence": evidence.over_absence,
        "pace": evidence.pace,
        "others_fit": evidence.others_fit,
    })
}
