//! Where objects lie: every key that the service ever uses is made here.

use std::{fmt, str::FromStr};

use super::name::{FilePath, IdempotencyHash, JobId, Repository, VoiceName, WriterId};

/// The place of an object. Displayed, it is the key in the bucket.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ObjectKey {
    /// `voices/NAME`: the recording of a voice.
    Voice(VoiceName),
    /// `voices/STEM.txt`: what is said in the recording.
    Transcript(VoiceName),
    /// `voices/STEM.json`: what a check of the recording found.
    VoiceReport(VoiceName),
    /// `output/JOB.EXTENSION`: the speech of a job.
    Output {
        /// Whose speech it is.
        job: JobId,
        /// Tells the format.
        extension: AudioExtension,
    },
    /// `timings/JOB.EXTENSION`: when each word of a job is said.
    Timings {
        /// Whose timings these are.
        job: JobId,
        /// Tells the format.
        extension: TimingExtension,
    },
    /// `jobs/JOB/NNNN.json`: one step in the life of a job, only ever created.
    JobRecord {
        /// Whose record it is.
        job: JobId,
        /// The number of the step, from 0.
        number: u32,
        /// Who wrote it, on a store that cannot refuse a second writer: `jobs/JOB/NNNN.WRITER.json`.
        writer: Option<WriterId>,
    },
    /// `idempotency/HASH.json`: which job a caller's key stands for.
    Idempotency(IdempotencyHash),
    /// `models/ORGANISATION--NAME/PATH`: a file of a model.
    ModelFile {
        /// The repository on the hub.
        repository: Repository,
        /// The file within it.
        path: FilePath,
    },
    /// `probe/ID`: an object by which a start finds out what the store can do.
    Probe(WriterId),
}

impl ObjectKey {
    /// The media type that the object is stored with.
    pub fn content_type(&self) -> &'static str {
        match self {
            Self::Voice(name) => recording_type(name.extension()),
            Self::Transcript(_) | Self::Probe(_) => "text/plain; charset=utf-8",
            Self::Output { extension, .. } => extension.content_type(),
            Self::Timings { extension, .. } => extension.content_type(),
            Self::VoiceReport(_) | Self::JobRecord { .. } | Self::Idempotency(_) => {
                "application/json"
            }
            Self::ModelFile { .. } => "application/octet-stream",
        }
    }

    /// How long those between the store and a client may keep it.
    pub const fn cache_control(&self) -> &'static str {
        match self {
            // The speech of a job is written once.
            Self::Output { .. } | Self::Timings { .. } => "private, max-age=3600",
            Self::ModelFile { .. } | Self::Voice(_) | Self::Transcript(_) => "private, no-cache",
            Self::VoiceReport(_)
            | Self::JobRecord { .. }
            | Self::Idempotency(_)
            | Self::Probe(_) => "no-store",
        }
    }

    /// The key for the path of a signed link, if it is one of those that links are given for: speech, timings
    /// and recordings.
    pub fn of_link(path: &str) -> Option<Self> {
        let (place, name) = path.split_once('/')?;
        match place {
            "voices" => VoiceName::try_from(name).ok().map(Self::Voice),
            "output" => {
                let (job, extension) = name.rsplit_once('.')?;
                let job = JobId::try_from(job).ok()?;
                Some(Self::Output { job, extension: extension.parse().ok()? })
            }
            "timings" => {
                let (job, extension) = name.rsplit_once('.')?;
                let job = JobId::try_from(job).ok()?;
                Some(Self::Timings { job, extension: extension.parse().ok()? })
            }
            _ => None,
        }
    }

    /// Number and writer of the record that is called `name` below [`Prefix::JobRecords`].
    pub fn parse_record_name(name: &str) -> Option<(u32, Option<WriterId>)> {
        let stem = name.strip_suffix(".json")?;
        let (number, writer) = match stem.split_once('.') {
            Some((number, writer)) => (number, Some(WriterId::try_from(writer).ok()?)),
            None => (stem, None),
        };
        let has_form = number.len() >= 4 && number.bytes().all(|byte| byte.is_ascii_digit());
        has_form.then_some((number.parse().ok()?, writer))
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Voice(name) => write!(f, "voices/{}", name.as_str()),
            Self::Transcript(name) => write!(f, "voices/{}.txt", name.stem()),
            Self::VoiceReport(name) => write!(f, "voices/{}.json", name.stem()),
            Self::Output { job, extension } => write!(f, "output/{}.{extension}", job.as_str()),
            Self::Timings { job, extension } => write!(f, "timings/{}.{extension}", job.as_str()),
            Self::JobRecord { job, number, writer: None } => {
                write!(f, "jobs/{}/{number:04}.json", job.as_str())
            }
            Self::JobRecord { job, number, writer: Some(writer) } => {
                write!(f, "jobs/{}/{number:04}.{}.json", job.as_str(), writer.as_str())
            }
            Self::Idempotency(hash) => write!(f, "idempotency/{}.json", hash.as_str()),
            Self::ModelFile { repository, path } => {
                write!(f, "models/{}/{}", repository.directory(), path.as_str())
            }
            Self::Probe(id) => write!(f, "probe/{}", id.as_str()),
        }
    }
}

/// The media type of a recording, by the ending of its name.
fn recording_type(extension: Option<&str>) -> &'static str {
    let extension = extension.map(str::to_ascii_lowercase);
    match extension.as_deref() {
        Some("wav" | "wave") => "audio/wav",
        Some("flac") => "audio/flac",
        Some("mp3") => "audio/mpeg",
        Some("ogg" | "oga") => "audio/ogg",
        Some("opus") => "audio/opus",
        Some("m4a" | "mp4") => "audio/mp4",
        Some("webm") => "audio/webm",
        _ => "application/octet-stream",
    }
}

/// Which objects a list shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prefix {
    /// Recordings, their transcripts and reports.
    Voices,
    /// The speech of all jobs.
    Outputs,
    /// The timings of all jobs.
    Timings,
    /// The records of all jobs: `JOB/NNNN.json`.
    Jobs,
    /// The records of one job: `NNNN.json`.
    JobRecords(JobId),
    /// What callers' keys stand for.
    Idempotency,
    /// The files of one repository.
    Model(Repository),
    /// What probes left behind when they were cut off.
    Probes,
}

impl fmt::Display for Prefix {
    /// Ends with a slash.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Voices => f.write_str("voices/"),
            Self::Outputs => f.write_str("output/"),
            Self::Timings => f.write_str("timings/"),
            Self::Jobs => f.write_str("jobs/"),
            Self::JobRecords(job) => write!(f, "jobs/{}/", job.as_str()),
            Self::Idempotency => f.write_str("idempotency/"),
            Self::Model(repository) => write!(f, "models/{}/", repository.directory()),
            Self::Probes => f.write_str("probe/"),
        }
    }
}

/// An ending that no object of its kind has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown extension `{extension}`, known are {known}")]
pub struct UnknownExtension {
    extension: String,
    known: String,
}

macro_rules! extensions {
    ($(#[$doc:meta])* $name:ident { $($variant:ident, $text:literal, $content_type:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $(#[doc = concat!("`.", $text, "`, ", $content_type)] $variant,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The ending without its dot.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The media type.
            pub const fn content_type(self) -> &'static str {
                match self { $(Self::$variant => $content_type),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownExtension;

            fn from_str(text: &str) -> Result<Self, UnknownExtension> {
                let found = Self::ALL.iter().copied().find(|known| known.as_str() == text);
                found.ok_or_else(|| UnknownExtension {
                    extension: text.chars().take(20).collect(),
                    known: [$($text),+].join(", "),
                })
            }
        }
    };
}

extensions! {
    /// The ending of stored speech.
    AudioExtension {
        Wav, "wav", "audio/wav";
        Flac, "flac", "audio/flac";
        Mp3, "mp3", "audio/mpeg";
        Opus, "opus", "audio/opus";
        Pcm, "pcm", "audio/pcm";
        MuLaw, "ulaw", "audio/basic";
        ALaw, "alaw", "audio/x-alaw-basic";
    }
}

extensions! {
    /// The ending of stored timings.
    TimingExtension {
        Srt, "srt", "application/x-subrip";
        Vtt, "vtt", "text/vtt";
        Ass, "ass", "text/x-ssa";
        Csv, "csv", "text/csv; charset=utf-8";
        Json, "json", "application/json";
    }
}

#[cfg(test)]
mod tests {
    use f5tts_engine::audio::Format;

    use super::*;

    #[test]
    fn keys_are_those_of_the_contract() {
        let voice = VoiceName::try_from("anna b+ü.wav").unwrap();
        let job = JobId::try_from("sync-1-e1").unwrap();
        let record =
            |number, writer| ObjectKey::JobRecord { job: job.clone(), number, writer }.to_string();
        let writer = WriterId::try_from("w1").unwrap();
        assert_eq!(ObjectKey::Voice(voice.clone()).to_string(), "voices/anna b+ü.wav");
        assert_eq!(ObjectKey::Transcript(voice.clone()).to_string(), "voices/anna b+ü.txt");
        assert_eq!(ObjectKey::VoiceReport(voice).to_string(), "voices/anna b+ü.json");
        assert_eq!(record(7, None), "jobs/sync-1-e1/0007.json");
        assert_eq!(record(12345, None), "jobs/sync-1-e1/12345.json");
        assert_eq!(record(7, Some(writer)), "jobs/sync-1-e1/0007.w1.json");
        let model = ObjectKey::ModelFile {
            repository: Repository::try_from("SWivid/F5-TTS").unwrap(),
            path: FilePath::try_from("F5TTS_v1_Base/vocab.txt").unwrap(),
        };
        assert_eq!(model.to_string(), "models/SWivid--F5-TTS/F5TTS_v1_Base/vocab.txt");
    }

    #[test]
    fn links_lead_to_what_clients_get_and_to_nothing_else() {
        for path in ["output/a.b.wav", "timings/a.srt", "voices/anna ü.wav"] {
            assert_eq!(ObjectKey::of_link(path).unwrap().to_string(), path);
        }
        for path in [
            "jobs/a/0000.json",
            "output/a.exe",
            "output/../x.wav",
            "output/.wav",
            "voices/a.txt",
            "voices/a/b.wav",
            "output",
            "",
            ".link-secret",
        ] {
            assert_eq!(ObjectKey::of_link(path), None, "{path}");
        }
    }

    #[test]
    fn records_are_found_again_by_their_names() {
        let parse = ObjectKey::parse_record_name;
        assert_eq!(parse("0007.json"), Some((7, None)));
        assert_eq!(parse("12345.json"), Some((12345, None)));
        assert_eq!(parse("0007.w-1.json").unwrap().1.unwrap().as_str(), "w-1");
        for name in [
            "7.json",
            "0007",
            "0007.json.part",
            "99999999999.json",
            "+007.json",
            "0007..json",
        ] {
            assert_eq!(parse(name), None, "{name}");
        }
    }

    #[test]
    fn every_format_of_the_engine_has_an_extension_of_the_same_type() {
        for format in Format::ALL {
            let extension: AudioExtension = format.extension().parse().unwrap();
            assert_eq!(extension.content_type(), format.content_type());
        }
        let error = "exe".parse::<AudioExtension>().unwrap_err().to_string();
        assert_eq!(
            error,
            "unknown extension `exe`, known are wav, flac, mp3, opus, pcm, ulaw, alaw"
        );
    }
}
