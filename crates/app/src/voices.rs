//! The voices that are known by name, and voices from files.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow, ensure};
use bytes::Bytes;
use f5tts_engine::{Voice, audio::DecodeLimits};
use f5tts_service::transcription::Transcription;

use crate::{
    config::VoiceSettings,
    demo,
    failure::{Failure, OrBadInput, say},
    transcribe::hear,
};

/// What in a directory of voices is a recording.
const EXTENSIONS: [&str; 12] = [
    "wav", "flac", "mp3", "ogg", "oga", "opus", "m4a", "mp4", "aac", "aiff", "caf", "webm",
];
/// No transcript of twelve seconds is longer.
const MAX_TRANSCRIPT_BYTES: u64 = 64 << 10;

/// The voices by name.
#[derive(Debug)]
pub(crate) struct VoiceBook<'a> {
    settings: &'a VoiceSettings,
    transcription: Transcription,
    known: BTreeMap<String, Source>,
}

/// A voice that is ready, and what it is called.
#[derive(Debug)]
pub(crate) struct NamedVoice {
    pub(crate) name: String,
    pub(crate) voice: Voice,
}

#[derive(Debug)]
enum Source {
    Bundled(&'static demo::BundledVoice),
    File(PathBuf),
}

impl<'a> VoiceBook<'a> {
    /// The bundled voices, then those of the directory, then those that were added one by one; a
    /// later one takes the place of an earlier one of its name.
    ///
    /// Recordings without a transcript are heard by `transcription`.
    pub(crate) fn new(
        settings: &'a VoiceSettings,
        transcription: Transcription,
    ) -> Result<Self, Failure> {
        let bundled = demo::VOICES.iter();
        let mut known: BTreeMap<_, _> = bundled
            .map(|voice| (voice.name.to_owned(), Source::Bundled(voice)))
            .collect();
        if let Some(directory) = settings.directory() {
            let found = recordings(&directory)
                .or_bad_input_in(format!("the directory of voices `{}`", directory.display()))?;
            known.extend(
                found
                    .into_iter()
                    .map(|(name, path)| (name, Source::File(path))),
            );
        }
        for added in &settings.add_voice {
            known.insert(added.name.clone(), Source::File(added.path.clone()));
        }
        Ok(Self { settings, transcription, known })
    }

    /// The voice that speaks where no tag says otherwise: a known one, or a recording.
    pub(crate) fn main(&self) -> Result<NamedVoice, Failure> {
        let name = self.settings.voice.as_str();
        let transcript = self.settings.ref_text.as_deref();
        let voice = match self.find(name) {
            Some(Source::Bundled(_)) if transcript.is_some() => {
                return Err(Failure::bad_input(format!(
                    "the voice {name} has its own transcript: give `--ref-text` with a recording"
                )));
            }
            Some(source) => self.open(source, transcript)?,
            None if Path::new(name).exists() => self.open_file(Path::new(name), transcript)?,
            None => return Err(self.unknown(name, ", and there is no such file")),
        };
        Ok(NamedVoice { name: name.to_owned(), voice })
    }

    /// The voice that a tag names.
    pub(crate) fn tagged(&self, name: &str) -> Result<NamedVoice, Failure> {
        let source = self.known.get(name).ok_or_else(|| self.unknown(name, ""))?;
        Ok(NamedVoice { name: name.to_owned(), voice: self.open(source, None)? })
    }

    /// A voice by its name, or by that of its file, as `f5tts voices list` shows it.
    fn find(&self, name: &str) -> Option<&Source> {
        let is_meant = |source: &&Source| match source {
            Source::Bundled(_) => false,
            Source::File(path) => path.file_name().is_some_and(|file| file == name),
        };
        let by_file = || self.known.values().find(is_meant);
        let is_here = Path::new(name).exists();
        self.known
            .get(name)
            .or_else(|| by_file().filter(|_| !is_here))
    }

    fn open(&self, source: &Source, transcript: Option<&str>) -> Result<Voice, Failure> {
        match source {
            Source::Bundled(voice) => {
                let transcript = voice.transcript.trim_end();
                let opened = Voice::from_bytes(voice.recording, transcript);
                Ok(opened.with_context(|| {
                    format!("the voice {} of this program is damaged", voice.name)
                })?)
            }
            Source::File(path) => self.open_file(path, transcript),
        }
    }

    fn open_file(&self, path: &Path, transcript: Option<&str>) -> Result<Voice, Failure> {
        let in_voice = || format!("the voice `{}`", path.display());
        let recording = read(path, DecodeLimits::default().bytes as u64);
        let recording = Bytes::from(recording.or_bad_input_in(in_voice())?);
        let transcript = match transcript {
            Some(transcript) => Some(transcript.to_owned()),
            None => transcript_beside(path).or_bad_input_in(in_voice())?,
        };
        let transcript = match transcript {
            Some(transcript) => transcript,
            None => self.hear(path, &recording)?,
        };
        Voice::from_bytes(&recording, &transcript).or_bad_input_in(in_voice())
    }

    /// What is said in a recording of which nobody says it.
    fn hear(&self, path: &Path, recording: &Bytes) -> Result<String, Failure> {
        let text_file = path.with_extension("txt");
        if let Err(absence) = self.transcription.model() {
            return Err(Failure::bad_input(format!(
                "the voice `{}`: it needs a transcript: give what is said in it with `--ref-text`, or write it to `{}`; {absence}",
                path.display(),
                text_file.display()
            )));
        }
        let heard = hear(&self.transcription, path, recording.clone())?;
        say(format_args!(
            "`{}` was transcribed as “{}” (confidence {:.2}): write that to `{}` and it is not heard again",
            path.display(),
            heard.text,
            heard.confidence(),
            text_file.display()
        ));
        Ok(heard.text)
    }

    fn unknown(&self, name: &str, also: &str) -> Failure {
        let known: Vec<_> = self.known.keys().map(String::as_str).collect();
        Failure::bad_input(format!("unknown voice `{name}`{also}; known are {}", known.join(", ")))
    }
}

/// The recordings of a directory by their names without extension.
fn recordings(directory: &Path) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).context("could not read it")? {
        let path = entry.context("could not read it")?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        let is_recording = extension.is_some_and(|extension| {
            EXTENSIONS
                .iter()
                .any(|known| known.eq_ignore_ascii_case(extension))
        });
        if let (true, Some(name)) = (is_recording, path.file_stem().and_then(|stem| stem.to_str()))
        {
            found.insert(name.to_owned(), path);
        }
    }
    Ok(found)
}

/// What stands in `anna.txt` beside `anna.wav`, if there is one.
fn transcript_beside(recording: &Path) -> anyhow::Result<Option<String>> {
    let path = recording.with_extension("txt");
    if !path.is_file() || path == recording {
        return Ok(None);
    }
    read_transcript(&path)
        .with_context(|| format!("its transcript `{}`", path.display()))
        .map(Some)
}

/// What stands in a file about a recording.
pub(crate) fn read_transcript(path: &Path) -> anyhow::Result<String> {
    let bytes = read(path, MAX_TRANSCRIPT_BYTES)?;
    let text = String::from_utf8(bytes).map_err(|_| anyhow!("it is not UTF-8 text"))?;
    Ok(text.trim_start_matches('\u{feff}').trim_end().to_owned())
}

/// A file of at most so many bytes.
pub(crate) fn read(path: &Path, max_bytes: u64) -> anyhow::Result<Vec<u8>> {
    ensure!(!path.is_dir(), "it is a directory");
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(max_bytes + 1).read_to_end(&mut bytes))
        .context("could not read it")?;
    ensure!(bytes.len() as u64 <= max_bytes, "it has more than {max_bytes} bytes");
    Ok(bytes)
}
