//! `f5tts align`: when each word of a text is spoken in a recording.

use std::path::Path;

use anyhow::Context;
use f5tts_engine::{
    SAMPLE_RATE_HZ,
    align::{Aligner, Alignment, TimingReport},
    audio::{self, DecodeLimits, Mel},
    text::{pinyin::Edition, tokenize::Tokenizer},
};
use serde::Serialize;

use crate::{
    cli::AlignArguments,
    failure::{Failure, OrBadInput},
    output::{Output, print},
    report::rounded,
    spectrogram::Spectrogram,
    text_source::TextSource,
    timings::TimingFile,
    voices::read,
};

/// No recording that is aligned at once holds so much text.
const MAX_CHARACTERS: u32 = 100_000;

/// What `align --json` prints.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    timings: TimingReport,
    /// Seconds.
    duration: f64,
}

/// Finds the words, and writes them wherever they were asked for.
pub(crate) fn run(arguments: &AlignArguments) -> Result<(), Failure> {
    let files = TimingFile::all(&arguments.output)?;
    let picture = arguments
        .spectrogram
        .as_deref()
        .map(Output::new)
        .transpose()?;
    if arguments.json && picture.as_ref().is_some_and(Output::is_standard) {
        return Err(Failure::bad_input("only one of picture and JSON can go to standard output"));
    }
    let source = TextSource::new(arguments.text.as_deref(), arguments.file.as_deref());
    let text = source.read(MAX_CHARACTERS)?;
    let audio = Audio::read(&arguments.audio)
        .or_bad_input_in(format!("the recording `{}`", arguments.audio.display()))?;

    let tokenizer = Tokenizer::new(Edition::default());
    let aligner = Aligner::new(&tokenizer);
    let result = aligner.align(&audio.samples, audio.sample_rate_hz, &aligner.words(&text));
    if arguments.json {
        print_json(TimingReport::from(&result), &audio)?;
    }
    let alignment = result.or_bad_input()?;
    for file in &files {
        file.write(&alignment.words)?;
    }
    if let Some(picture) = &picture {
        let mel = audio.mel()?;
        let caption = arguments.audio.display().to_string();
        let spectrogram = Spectrogram::new(&mel.values, &caption).with_words(&alignment.words);
        picture.write(&spectrogram.to_png()?)?;
    }
    if files.is_empty() && picture.is_none() && !arguments.json {
        print(&table(&alignment))?;
    }
    Ok(())
}

/// A recording.
struct Audio {
    samples: Vec<f32>,
    sample_rate_hz: u32,
}

impl Audio {
    fn read(path: &Path) -> anyhow::Result<Self> {
        let limits = DecodeLimits::default();
        let recording = audio::decode(&read(path, limits.bytes as u64)?, &limits)?;
        let sample_rate_hz = recording.format().sample_rate_hz;
        Ok(Self { samples: recording.to_mono(), sample_rate_hz })
    }

    fn mel(&self) -> anyhow::Result<Mel> {
        let samples = audio::resample(&self.samples, self.sample_rate_hz, SAMPLE_RATE_HZ);
        audio::log_mel(&samples).context("could not draw the spectrogram")
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "ten minutes have less than 2^53 samples"
    )]
    fn seconds(&self) -> f64 {
        self.samples.len() as f64 / f64::from(self.sample_rate_hz)
    }
}

fn print_json(timings: TimingReport, audio: &Audio) -> anyhow::Result<()> {
    let report = Report { timings, duration: rounded(audio.seconds(), 1e4) };
    let json = serde_json::to_string_pretty(&report).context("could not write the report")?;
    print(&format!("{json}\n"))
}

/// A line for every word, and a mark where it is probably not in the recording.
fn table(alignment: &Alignment) -> String {
    let missing: Vec<usize> = alignment.missing().collect();
    let mut table = " start     end  confidence  word\n".to_owned();
    for (index, word) in alignment.words.iter().enumerate() {
        let note = if missing.contains(&index) {
            "  (probably not there)"
        } else {
            ""
        };
        table += &format!(
            "{:6.2}  {:6.2}  {:10.2}  {}{note}\n",
            word.start, word.end, word.confidence, word.word
        );
    }
    table
}
