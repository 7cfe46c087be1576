//! What the measurements mean.

use f5tts_engine::{
    Warning,
    audio::{self, DecodeError},
};

use super::{
    Said, TranscriptFit,
    report::{Finding, Measurements, Transcript, VoiceReport},
};

/// Less speech has too few sounds to tell a voice by.
const SHORTEST_SPEECH_SECONDS: f64 = 1.0;
/// Below, voices come out unlike: the model was trained to continue references of some seconds.
const SHORT_SECONDS: f64 = 3.0;
/// 16 bits have 36 dB left for the sound at this level: it is noise of the converter.
const SILENT_LUFS: f64 = -60.0;
/// Soft ends of words fall below −42 dB, where the trimming takes them off.
const QUIET_LUFS: f64 = -30.0;
/// Noise and held tones have up to 1.8 dB, clean speech 7 and more, with noise as loud as itself 2.4.
const STEADY_DB: f64 = 2.0;
/// With more noise than speech, not even the words are understood.
const DROWNED_SNR_DB: f64 = 0.0;
/// The model copies the noise with the voice; `LibriTTS`, too, calls speech clean from here on.
const NOISY_SNR_DB: f64 = 20.0;
/// Shorter recordings may have no pause that shows how little noise there is.
const NOISE_SECONDS: f64 = 2.0;
/// Clipping is heard from here on; the engine warns at the same share.
const CLIPPED_SHARE: f64 = 0.001;
/// Telephones end at 3.4 kHz, everything sampled at 16 kHz comes near 8.
const NARROW_HZ: u32 = 7_000;
/// The model hears up to 12 kHz.
const NOT_FULL_HZ: u32 = 11_000;
/// −42 dB, below which the trimming sees silence: with such an offset, it sees none.
const DC_OFFSET: f64 = 0.008;
/// Above it the pauses in speech are remarkable: usual are 0.7 to 0.95.
const LOW_SPEECH_SHARE: f64 = 0.5;
/// What is quiet enough is trimmed, but noise before and after speech is not.
const LONG_EDGE_SECONDS: f64 = 1.0;

/// Why a file has no sound that could be checked.
pub(super) fn undecodable(error: &DecodeError) -> Finding {
    let (code, what_to_do) = match error {
        DecodeError::TooLarge { .. } => ("too_large", "send a recording of 3 to 12 s"),
        DecodeError::TooLong { .. } | DecodeError::TooManySamples { .. } => {
            ("too_long", "send 3 to 12 s of it")
        }
        DecodeError::Channels { .. } => ("too_many_channels", "mix it down to mono"),
        DecodeError::SampleRate { .. } => ("sample_rate", "convert it to 24000 Hz or more"),
        DecodeError::NotAudio { .. } => ("not_audio", "send a recording of one person who speaks"),
        DecodeError::Unsupported { .. } => ("unsupported", "convert it to WAV or FLAC"),
        DecodeError::Empty => ("empty", "record it again"),
        // Or what the engine may refuse in future.
        DecodeError::Damaged { .. } | _ => ("damaged", "export it again"),
    };
    finding(code, format!("{error}: {what_to_do}"))
}

/// Adds why a recording cannot be a voice.
pub(super) fn errors(report: &mut VoiceReport, measured: &Measurements) {
    let loudness = measured.loudness_lufs.filter(|&lufs| lufs > SILENT_LUFS);
    let found = if measured.duration_seconds < SHORTEST_SPEECH_SECONDS {
        finding(
            "too_short",
            format!(
                "the recording has {:.2} s, at least {SHORTEST_SPEECH_SECONDS} s of speech are needed: record 3 to 12 s",
                measured.duration_seconds
            ),
        )
    } else if loudness.is_none() {
        finding(
            "silent",
            format!(
                "the recording is silent{}: check the microphone and its level",
                measured.loudness_lufs.map_or(String::new(), |lufs| format!(
                    " ({lufs:.0} LUFS, at least {SILENT_LUFS:.0} are needed)"
                ))
            ),
        )
    } else if measured.variation_db < STEADY_DB {
        finding(
            "only_noise",
            format!(
                "there is nothing but steady noise or tones: the level changes by {:.1} dB, that of speech by more than {STEADY_DB}: record speech in a quiet room",
                measured.variation_db
            ),
        )
    } else if measured.speech_seconds < SHORTEST_SPEECH_SECONDS {
        finding(
            "too_little_speech",
            format!(
                "{:.2} s of speech were found in {:.2} s, at least {SHORTEST_SPEECH_SECONDS} s are needed: record 3 to 12 s of speech",
                measured.speech_seconds, measured.duration_seconds
            ),
        )
    } else if measured.trimmed_seconds < SHORTEST_SPEECH_SECONDS {
        finding(
            "too_quiet",
            format!(
                "the speech is so quiet that {:.2} s are left of {:.2} s when silence below -42 dB is cut off, at least {SHORTEST_SPEECH_SECONDS} s are needed: record it at a higher level",
                measured.trimmed_seconds, measured.duration_seconds
            ),
        )
    } else if let Some(snr_db) = measured.snr_db.filter(|&snr| snr < DROWNED_SNR_DB) {
        finding(
            "drowned",
            format!(
                "the noise is louder than the speech by {:.0} dB: record in a quiet room, {NOISY_SNR_DB} dB below the speech are wanted",
                -snr_db
            ),
        )
    } else {
        return;
    };
    report.errors.push(found);
}

/// Adds what will be heard: what the engine says, and what it does not look at.
pub(super) fn warnings(report: &mut VoiceReport, measured: &Measurements, engine: Vec<Warning>) {
    let own = [
        short(measured),
        quiet(measured),
        noisy(measured),
        narrow(measured),
        offset(measured),
    ];
    let found = engine
        .into_iter()
        .map(|warning| of_engine(&warning, measured));
    report
        .warnings
        .extend(found.chain(own.into_iter().flatten()));
    if !report
        .warnings
        .iter()
        .any(|warning| warning.code == CLIPPED)
    {
        report.warnings.extend(clipped(measured));
    }
}

const CLIPPED: &str = "clipped";

fn of_engine(warning: &Warning, measured: &Measurements) -> Finding {
    match warning {
        Warning::Recording(audio::Warning::Shortened { kept, mid_speech }) => {
            let kept = kept.as_secs_f64();
            let given = measured.duration_seconds;
            let cut = if *mid_speech {
                "in the middle of speech"
            } else {
                "at a pause"
            };
            finding(
                "shortened",
                format!(
                    "{given:.1} s were given and at most 12 s are used: the first {kept:.1} s of speech, cut {cut}; what comes later is lost: cut the recording yourself, and its transcript to what is left"
                ),
            )
        }
        Warning::Recording(audio::Warning::Truncated { .. }) => engine_finding("cut_off", warning),
        Warning::Recording(audio::Warning::Damaged { .. }) => {
            engine_finding("partly_damaged", warning)
        }
        Warning::ReferenceOverdriven { .. } => engine_finding(CLIPPED, warning),
        Warning::ReferenceEndsAbruptly => engine_finding("ends_abruptly", warning),
        Warning::TranscriptWithoutFullStop => engine_finding("no_final_punctuation", warning),
        Warning::UnlikelyPace { .. } => engine_finding("unlikely_pace", warning),
        // Not about voices, or what the engine may find in future.
        Warning::Recording(_)
        | Warning::Script(_)
        | Warning::UnknownTokens { .. }
        | Warning::VeryShortText { .. }
        | Warning::SentenceSplit { .. }
        | _ => engine_finding("other", warning),
    }
}

fn engine_finding(code: &'static str, warning: &Warning) -> Finding {
    finding(code, warning.to_string())
}

fn short(measured: &Measurements) -> Option<Finding> {
    let seconds = measured.trimmed_seconds;
    (seconds < SHORT_SECONDS).then(|| {
        finding(
            "short",
            format!("{seconds:.1} s are left without silence: {SHORT_SECONDS} to 12 s give a voice that is more alike"),
        )
    })
}

fn quiet(measured: &Measurements) -> Option<Finding> {
    let lufs = measured.loudness_lufs.filter(|&lufs| lufs < QUIET_LUFS)?;
    Some(finding(
        "quiet",
        format!(
            "the recording is quiet ({lufs:.0} LUFS, usual are -24 to -16): soft ends of words are cut off below {QUIET_LUFS:.0}; raise its level"
        ),
    ))
}

fn noisy(measured: &Measurements) -> Option<Finding> {
    let is_long_enough = measured.trimmed_seconds >= NOISE_SECONDS;
    let snr_db = measured
        .snr_db
        .filter(|&snr| is_long_enough && snr < NOISY_SNR_DB)?;
    Some(finding(
        "noisy",
        format!(
            "speech is {snr_db:.0} dB above the noise, {NOISY_SNR_DB:.0} are needed for clean speech: the noise is copied with the voice; record in a quiet room"
        ),
    ))
}

fn narrow(measured: &Measurements) -> Option<Finding> {
    let hz = measured.bandwidth_hz.filter(|&hz| hz < NARROW_HZ)?;
    Some(finding(
        "narrow_band",
        format!(
            "nothing is heard above {hz} Hz, as on the telephone: speech will sound as dull; record up to 12000 Hz, at least {NARROW_HZ}"
        ),
    ))
}

fn offset(measured: &Measurements) -> Option<Finding> {
    let offset = measured.dc_offset;
    (offset.abs() >= DC_OFFSET).then(|| {
        finding(
            "dc_offset",
            format!("the samples are {offset:.3} off zero, at most {DC_OFFSET} are harmless: silence is not recognised and not cut off; remove the offset"),
        )
    })
}

/// Clipping that the engine does not see, as it lies below full scale.
fn clipped(measured: &Measurements) -> Option<Finding> {
    let share = measured.clipped_share;
    (share > CLIPPED_SHARE).then(|| {
        finding(
            CLIPPED,
            format!(
                "{:.1} % of the recording are flat at its extremes, at most {:.1} % are harmless: record it at a lower level",
                100.0 * share,
                100.0 * CLIPPED_SHARE
            ),
        )
    })
}

/// A transcript that is not what is said.
pub(super) fn misfit(fit: &TranscriptFit, transcript: Transcript) -> Option<Finding> {
    let problem = fit.problem()?;
    let what_to_do = if transcript == Transcript::Transcribed {
        "listen to it, and give what is said with `ref_text`"
    } else {
        "correct it: what is said, word for word, no more and no less"
    };
    let message =
        format!("the transcript does not seem to be what is said: {problem}; {what_to_do}");
    Some(finding("transcript_misfit", message))
}

/// Adds what would be better.
pub(super) fn advice(report: &mut VoiceReport, measured: &Measurements, said: &Said<'_>) {
    if report.transcript == Transcript::Missing {
        let message = match said {
            Said::Unknown(Ok(model)) => format!(
                "no transcript was given: {model} writes it down when the voice is first used, which takes a while then; `ref_text`, what is said in it, word for word, is surer and spares the wait"
            ),
            Said::Unknown(Err(absence)) => format!(
                "no transcript was given, and {absence}, so the voice cannot speak: upload it again with `ref_text`, what is said in it, word for word"
            ),
            Said::Given(_) | Said::Heard { .. } => "the transcript is blank, and without one the voice cannot speak: upload it again with `ref_text`, what is said in it, word for word".to_owned(),
        };
        report.advice.push(finding("transcript_missing", message));
    }
    let hz = measured.bandwidth_hz.unwrap_or(NOT_FULL_HZ);
    if (NARROW_HZ..NOT_FULL_HZ).contains(&hz) {
        report.advice.push(finding(
            "not_full_band",
            format!("nothing is heard above {hz} Hz, the model hears up to 12000: a recording at 24000 Hz or more sounds clearer"),
        ));
    }
    if measured.speech_share < LOW_SPEECH_SHARE {
        report.advice.push(finding(
            "long_pauses",
            format!(
                "speech fills {:.0} % of the time from its first to its last sound, usual are more than {:.0} %: cut long pauses, or they are spoken, too",
                100.0 * measured.speech_share,
                100.0 * LOW_SPEECH_SHARE
            ),
        ));
    }
    let (before, after) = (measured.leading_silence_seconds, measured.trailing_silence_seconds);
    if before > LONG_EDGE_SECONDS || after > LONG_EDGE_SECONDS {
        report.advice.push(finding(
            "long_edges",
            format!("there is no speech in the first {before:.1} s and the last {after:.1} s, {LONG_EDGE_SECONDS} s at either end is plenty: cut them off"),
        ));
    }
    if measured.begins_abruptly {
        report.advice.push(finding(
            "begins_abruptly",
            "the recording begins in the middle of a sound: leave a short pause before the first word".to_owned(),
        ));
    }
}

fn finding(code: &'static str, message: String) -> Finding {
    Finding { code: code.into(), message }
}
