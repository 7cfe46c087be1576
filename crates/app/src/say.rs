//! `f5tts say`: a text becomes a file.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};
use f5tts_engine::{
    Engine, Part, SpeakOptions, Speech, Stop,
    align::{AlignError, Alignment},
    audio::{self, Format},
    text::script::{MAIN_VOICE, Script, ScriptOptions, Tags},
};

use crate::{
    cli::SayArguments,
    config::{SampleRate, Seed},
    failure::{Failure, OrBadInput, say},
    interrupt::stop_on_ctrl_c,
    models::ModelFiles,
    output::{self, Output},
    progress::{ProgressLine, Watch},
    recogniser,
    report::{self, Metrics, Report, milliseconds, rounded},
    spectrogram::Spectrogram,
    stage_dump::StageDump,
    text_source::TextSource,
    timings::TimingFile,
    voices::{NamedVoice, VoiceBook},
    wiring,
};

/// Speaks. Whatever can be wrong with the input is found before the model is loaded.
pub(crate) fn run(arguments: &SayArguments) -> Result<(), Failure> {
    let task = Task::new(arguments)?;
    let stop = stop_on_ctrl_c()?;
    let line = ProgressLine::start("loading the model", arguments.quiet);
    let result = task.perform(&line, &stop);
    line.clear();
    let report = result?;
    if arguments.json {
        let mut json =
            serde_json::to_string_pretty(&report).context("could not write the report")?;
        json.push('\n');
        output::print(&json)?;
    }
    if !arguments.quiet {
        say(report.summary());
    }
    Ok(())
}

/// Everything that was asked for, checked.
struct Task<'a> {
    arguments: &'a SayArguments,
    text: String,
    script: Script,
    cast: Cast,
    target: Target,
    picture: Option<Output>,
    timing_files: Vec<TimingFile>,
    stages: Option<StageDump>,
    seed: u64,
    voice_time: Duration,
    files: ModelFiles,
}

impl<'a> Task<'a> {
    fn new(arguments: &'a SayArguments) -> Result<Self, Failure> {
        let target = Target::new(arguments)?;
        let picture = arguments
            .spectrogram
            .as_deref()
            .map(Output::new)
            .transpose()?;
        let to_standard_output = [
            target.output.is_standard(),
            picture.as_ref().is_some_and(Output::is_standard),
            arguments.json,
        ];
        if to_standard_output.iter().filter(|&&wants| wants).count() > 1 {
            return Err(Failure::bad_input(
                "only one of speech, picture and JSON can go to standard output",
            ));
        }
        let (text, script) = read_script(arguments)?;
        let start = Instant::now();
        let cast = Cast::new(arguments, &script)?;
        let voice_time = start.elapsed();
        let stages = arguments
            .dump_stages
            .as_deref()
            .map(stage_dump)
            .transpose()?;
        let seed = match arguments.speech.seed {
            Some(seed) => seed,
            None => {
                Seed::from_random(getrandom::u64().context("the system gives no random numbers")?)
            }
        };
        Ok(Self {
            arguments,
            text,
            script,
            cast,
            target,
            picture,
            timing_files: TimingFile::all(&arguments.timings)?,
            stages,
            seed: seed.into(),
            voice_time,
            files: wiring::find(&arguments.model, &arguments.hub)?,
        })
    }

    fn perform(mut self, line: &ProgressLine, stop: &Stop) -> Result<Report, Failure> {
        let start = Instant::now();
        let engine = wiring::load(&self.files, &self.arguments.model)?;
        let load_time = start.elapsed();
        let mut watch = Watch { line, stages: self.stages.take() };
        let speech = self.speak(&engine, &mut watch, stop)?;
        if let Some(stages) = watch.stages {
            stages.finish()?;
        }
        line.clear();
        let start = Instant::now();
        let clipped = self.target.write(&speech)?;
        let encode_time = start.elapsed();
        let start = Instant::now();
        let words = self.words(&engine, &speech);
        let alignment_time = start.elapsed();
        let others = OtherTimes { load_time, alignment_time, encode_time };
        let mut report = self.report(&engine, &speech, clipped, others);
        report.add_timings(words.as_ref());
        for warning in &report.warnings {
            say(format_args!("warning: {warning}"));
        }
        let found = words.as_ref().and_then(|words| words.as_ref().ok());
        self.write_words(&speech, found, &caption(&report))?;
        Ok(report)
    }

    /// Finds the words, if anybody wants to know.
    fn words(&self, engine: &Engine, speech: &Speech) -> Option<Result<Alignment, AlignError>> {
        let is_asked =
            !self.timing_files.is_empty() || self.picture.is_some() || self.arguments.json;
        let pieces = self.script.pieces().iter();
        let texts: Vec<&str> = pieces.map(|piece| piece.text.as_str()).collect();
        is_asked.then(|| engine.aligner().align_speech(speech, &texts))
    }

    fn write_words(
        &self,
        speech: &Speech,
        words: Option<&Alignment>,
        caption: &str,
    ) -> Result<(), Failure> {
        if let Some(picture) = &self.picture {
            let mel = audio::log_mel(&speech.samples).context("could not draw the spectrogram")?;
            let words = words.map_or(&[][..], |alignment| &alignment.words);
            let spectrogram = Spectrogram::new(&mel.values, caption).with_words(words);
            picture.write(&spectrogram.to_png()?)?;
        }
        for file in &self.timing_files {
            let alignment = words
                .ok_or_else(|| anyhow!("the speech was written, the timing files were not"))?;
            file.write(&alignment.words)?;
        }
        Ok(())
    }

    fn speak(
        &self,
        engine: &Engine,
        watch: &mut Watch<'_>,
        stop: &Stop,
    ) -> Result<Speech, Failure> {
        let options = self.options(engine);
        let pieces = self.script.pieces().iter();
        let parts: Vec<_> = pieces
            .zip(&self.cast.parts)
            .map(|(piece, &voice)| Part {
                voice: &self.cast.voices[voice].voice,
                text: &piece.text,
            })
            .collect();
        Ok(engine.speak(&parts, &options, watch, stop)?)
    }

    fn options(&self, engine: &Engine) -> SpeakOptions {
        wiring::speak_options(&self.arguments.speech, engine.config().defaults, self.seed)
    }

    fn report(
        &self,
        engine: &Engine,
        speech: &Speech,
        clipped: usize,
        others: OtherTimes,
    ) -> Report {
        let OtherTimes { load_time, alignment_time, encode_time } = others;
        let times = speech.times;
        let work = self.voice_time
            + times.text
            + times.sampling
            + times.vocoder
            + times.stitch
            + alignment_time
            + encode_time;
        let voices: Vec<_> = self
            .cast
            .parts
            .iter()
            .map(|&voice| self.cast.voices[voice].name.as_str())
            .collect();
        let chunks = report::chunks(speech, &voices);
        let mut warnings: Vec<_> = self
            .script
            .warnings()
            .iter()
            .map(ToString::to_string)
            .collect();
        warnings.extend(speech.warnings.iter().map(ToString::to_string));
        if clipped > 0 {
            warnings.push(format!("{clipped} samples were beyond full scale and were clipped"));
        }
        let rtf = rounded(work.as_secs_f64() / speech.seconds().max(f64::MIN_POSITIVE), 1e4);
        let metrics = Metrics {
            load_ms: milliseconds(load_time),
            voice_ms: milliseconds(self.voice_time),
            text_ms: milliseconds(times.text),
            synthesis_ms: milliseconds(times.sampling),
            vocoder_ms: milliseconds(times.vocoder),
            stitch_ms: milliseconds(times.stitch),
            alignment_ms: milliseconds(alignment_time),
            encode_ms: milliseconds(encode_time),
            rtf,
            chunks: chunks.len(),
            evaluations: speech.evaluations,
        };
        Report {
            path: self.arguments.output.display().to_string(),
            duration: rounded(speech.seconds(), 1e4),
            sample_rate: self.target.sample_rate.hertz(),
            format: self.target.format.name(),
            seed: self.seed,
            model: engine.name().to_owned(),
            device: engine.device(),
            voice: self.arguments.voice.voice.clone(),
            text: self.text.clone(),
            chunks,
            timings: None,
            evaluations: speech.evaluations,
            rtf,
            warnings,
            metrics,
        }
    }
}

/// What the engine does not measure.
#[derive(Clone, Copy)]
struct OtherTimes {
    load_time: Duration,
    alignment_time: Duration,
    encode_time: Duration,
}

fn read_script(arguments: &SayArguments) -> Result<(String, Script), Failure> {
    let max_characters = arguments.speech.limit.max_characters;
    let source = TextSource::new(arguments.text.as_deref(), arguments.file.as_deref());
    let text = source.read(max_characters)?;
    let tags = if arguments.voice.multi_voice {
        Tags::ChooseVoice
    } else {
        Tags::Spoken
    };
    let options = ScriptOptions { max_characters: max_characters as usize, tags };
    let script = Script::parse(&text, options).or_bad_input()?;
    Ok((text, script))
}

fn stage_dump(directory: &Path) -> Result<StageDump, Failure> {
    StageDump::new(directory).or_bad_input_in(format!("the directory `{}`", directory.display()))
}

fn caption(report: &Report) -> String {
    let Report { model, voice, seed, .. } = report;
    let voice = Path::new(voice)
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy();
    let text: String = report.text.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{text}\nmodel {model}, voice {voice}, seed {seed}")
}

/// Who speaks which piece of the script.
struct Cast {
    voices: Vec<NamedVoice>,
    /// For each piece, the index of its voice.
    parts: Vec<usize>,
}

impl Cast {
    fn new(arguments: &SayArguments, script: &Script) -> Result<Self, Failure> {
        let book = VoiceBook::new(
            &arguments.voice,
            recogniser::for_people(
                &arguments.transcription,
                &arguments.hub,
                arguments.model.device(),
                arguments.model.threads,
            ),
        )?;
        let mut cast = Self { voices: Vec::new(), parts: Vec::new() };
        let mut names: Vec<Option<&str>> = Vec::new();
        for piece in script.pieces() {
            let name = piece.voice.as_deref().filter(|&name| name != MAIN_VOICE);
            let known = names.iter().position(|known| *known == name);
            if known.is_none() {
                cast.voices.push(match name {
                    Some(name) => book.tagged(name)?,
                    None => book.main()?,
                });
                names.push(name);
            }
            cast.parts.push(known.unwrap_or(names.len() - 1));
        }
        Ok(cast)
    }
}

/// Where the speech goes, and how it is written there.
struct Target {
    output: Output,
    format: Format,
    sample_rate: SampleRate,
}

impl Target {
    fn new(arguments: &SayArguments) -> Result<Self, Failure> {
        let output = Output::new(&arguments.output)?;
        let sample_rate = arguments.format.sample_rate;
        let format = match arguments.format.format {
            Some(format) => format,
            None => format_of(&arguments.output)?,
        };
        // Not every format has every rate; better to know it before the work is done.
        audio::encode(&[0.0], sample_rate.hertz(), format).or_bad_input()?;
        Ok(Self { output, format, sample_rate })
    }

    /// Writes the speech and tells how many samples were clipped.
    fn write(&self, speech: &Speech) -> anyhow::Result<usize> {
        let rate_hz = self.sample_rate.hertz();
        let resampled = audio::resample_output(&speech.samples, speech.sample_rate_hz, rate_hz);
        let encoded = audio::encode(&resampled, rate_hz, self.format)?;
        self.output.write(&encoded.bytes)?;
        Ok(encoded.clipped)
    }
}

fn format_of(path: &Path) -> Result<Format, Failure> {
    if path == Path::new("-") {
        return Ok(Format::Wav);
    }
    let extension = path
        .extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default();
    Format::from_extension(extension).ok_or_else(|| {
        Failure::bad_input(format!(
            "the name `{}` tells no format: end it in one of {}, or give `--format`",
            path.display(),
            Format::list()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_file_tells_the_format() {
        assert_eq!(format_of(Path::new("a.b/c.WAV")).unwrap(), Format::Wav);
        assert_eq!(format_of(Path::new("-")).unwrap(), Format::Wav);
        assert!(format_of(Path::new("a.txt")).is_err());
        assert!(format_of(Path::new("wav")).is_err());
    }
}
