//! Speech of several chunks.

use f5tts_engine::{
    Chunk, Speech, StageTimes,
    align::{AlignError, Aligner, Alignment},
    audio::{remove_silence, resample},
    stitch::{CrossFade, cross_fade},
    text::{pinyin::Edition, tokenize::Tokenizer},
};

use super::{RATE_HZ, Utterance, error_ms};

const ENGINE_RATE_HZ: u32 = 24_000;

/// The two utterances, spoken as chunks that fade into each other, and the truth for the whole.
fn speech() -> (Speech, Vec<String>, Vec<(f64, f64)>) {
    let utterances = ["harbor", "flight"].map(Utterance::open);
    let waves = utterances
        .each_ref()
        .map(|utterance| resample(&utterance.samples, RATE_HZ, ENGINE_RATE_HZ));
    let joined = cross_fade(&waves, CrossFade::DEFAULT);
    let mut chunks = Vec::new();
    let mut times = Vec::new();
    for ((utterance, wave), &start) in utterances.iter().zip(&waves).zip(&joined.starts) {
        chunks.push(Chunk {
            text: utterance.text.clone(),
            part: 0,
            frames: wave.len() / 256,
            start_sample: start,
            samples: wave.len(),
        });
        let later = start as f64 / f64::from(ENGINE_RATE_HZ);
        times.extend(
            utterance
                .times
                .iter()
                .map(|(start, end)| (start + later, end + later)),
        );
    }
    let speech = Speech {
        samples: joined.samples,
        sample_rate_hz: ENGINE_RATE_HZ,
        mel: Vec::new(),
        chunks,
        kept: None,
        evaluations: 0,
        times: StageTimes::default(),
        warnings: Vec::new(),
    };
    (speech, utterances.map(|utterance| utterance.text).to_vec(), times)
}

fn align(speech: &Speech, texts: &[&str]) -> Result<Alignment, AlignError> {
    let tokenizer = Tokenizer::new(Edition::default());
    Aligner::new(&tokenizer).align_speech(speech, texts)
}

#[test]
fn times_are_those_of_the_whole_speech() {
    let (speech, texts, times) = speech();
    let whole = texts.join("\n ");
    let parts: Vec<&str> = texts.iter().map(String::as_str).collect();
    for texts in [&[whole.as_str()], &parts[..]] {
        let alignment = align(&speech, texts).unwrap();
        let error = error_ms(&alignment, &times);
        assert!(error < 15.0, "{error} ms");
        assert!(alignment.words.last().unwrap().end <= speech.seconds());
    }
}

#[test]
fn times_follow_the_removal_of_silence() {
    let (mut speech, texts, times) = speech();
    // Two seconds of silence before the speech, of which some is taken away again.
    let silence = 2 * ENGINE_RATE_HZ as usize;
    speech.samples.splice(..0, vec![0.0; silence]);
    speech.chunks[0].samples += silence;
    speech.chunks[1].start_sample += silence;
    let kept = remove_silence(&speech.samples, ENGINE_RATE_HZ);
    let removed = speech.samples.len() - kept.samples.len();
    assert!(removed > silence / 4, "{removed} samples were removed");
    let before = |seconds: f64| {
        let sample = seconds * f64::from(ENGINE_RATE_HZ) + silence as f64;
        let left = kept
            .ranges
            .iter()
            .map(|range| sample.clamp(range.start as f64, range.end as f64) - range.start as f64);
        left.sum::<f64>() / f64::from(ENGINE_RATE_HZ)
    };
    let times: Vec<(f64, f64)> = times
        .iter()
        .map(|&(start, end)| (before(start), before(end)))
        .collect();
    speech.samples = kept.samples;
    speech.kept = Some(kept.ranges);
    let error = error_ms(&align(&speech, &[&texts.join(" ")]).unwrap(), &times);
    assert!(error < 15.0, "{error} ms");
}

#[test]
fn a_chunk_without_speech_is_named() {
    let (mut speech, texts, _) = speech();
    let place = speech.place(&speech.chunks[1]);
    speech.samples[place].fill(0.0);
    let error = align(&speech, &[&texts.join(" ")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "could not align the chunk `Flight 482 was delayed by 35 minutes.`"
    );
}

#[test]
fn another_text_is_not_the_speech_s() {
    let (speech, texts, _) = speech();
    assert_eq!(align(&speech, &[&texts[0]]), Err(AlignError::OtherText));
}
