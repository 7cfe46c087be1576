//! A request for speech, checked.

use f5tts_engine::{
    CfgStrength, Silence, SpeakOptions, SpeechSeconds,
    audio::{self, Format},
    duration::Speed,
    sampler::grid::{Nfe, Sway},
    stitch::CrossFade,
    subtitles,
    text::script::{MAIN_VOICE, Script, ScriptOptions, Tags},
};
use serde_json::Value;

use super::fields::{FieldError, Fields, choose, words};
use super::{ParseOptions, narrow};
use crate::storage::VoiceName;

/// Seeds are below 2^53, so that every JSON reader keeps them exactly.
pub const SEEDS: std::ops::RangeInclusive<u64> = 0..=(1 << 53) - 1;
/// The sample rate that the original's page promises.
const DEFAULT_SAMPLE_RATE_HZ: u32 = 22_050;
const SPEEDS: (f64, f64) = (0.5, 2.0);
const SAMPLE_RATES_HZ: (u64, u64) = (8_000, 48_000);
const MAX_KEY_CHARACTERS: usize = 255;
const MAX_URL_CHARACTERS: usize = 4_096;
const MAX_TRANSCRIPT_CHARACTERS: usize = 2_000;

/// What is to be spoken, and how.
#[derive(Clone, Debug)]
pub struct SpeechRequest {
    /// The text as it was given.
    pub text: String,
    /// The text, checked and cut by voice.
    pub script: Script,
    /// Who speaks where no tag says otherwise.
    pub voice: VoiceChoice,
    /// The model that was asked for.
    pub model: Option<String>,
    /// Everything that the engine is told, but steps and seed where they were not given.
    pub options: SpeakOptions,
    /// The steps that were asked for.
    pub nfe: Option<Nfe>,
    /// The seed that was asked for.
    pub seed: Option<u64>,
    /// Whether words are to be timed.
    pub word_timings: bool,
    /// The timing file that the client looks at; all are written.
    pub timing_format: Option<subtitles::Format>,
    /// The file's format.
    pub format: Format,
    /// Samples a second of the file.
    pub sample_rate_hz: u32,
    /// How the audio comes back.
    pub return_audio: ReturnAudio,
    /// Whether the answer comes before the speech.
    pub is_async: bool,
    /// The key under which a repeated request finds the first one's result.
    pub idempotency_key: Option<String>,
}

/// Who speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VoiceChoice {
    /// The default voice.
    Default,
    /// A stored or bundled voice.
    Named(VoiceName),
    /// A recording from the network, used once.
    Url {
        /// Where it is.
        url: String,
        /// What is said in it.
        transcript: Option<String>,
    },
}

/// How the audio comes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReturnAudio {
    /// As a signed URL.
    #[default]
    Url,
    /// In the answer.
    Base64,
}

/// The timing files that can be asked for; `compact` is what old clients call JSON.
const TIMING_FORMATS: [(&str, subtitles::Format); 6] = [
    ("srt", subtitles::Format::Srt),
    ("vtt", subtitles::Format::Vtt),
    ("ass", subtitles::Format::Ass),
    ("csv", subtitles::Format::Csv),
    ("json", subtitles::Format::Json),
    ("compact", subtitles::Format::Json),
];

impl SpeechRequest {
    pub(super) fn read(
        fields: &Fields<'_>,
        options: &ParseOptions,
        warnings: &mut Vec<String>,
    ) -> Result<Self, FieldError> {
        let tags = if fields.flag("multi_voice", false)? {
            Tags::ChooseVoice
        } else {
            Tags::Spoken
        };
        let (text, script) = read_text(fields, options, tags)?;
        warnings.extend(script.warnings().iter().map(ToString::to_string));
        let (format, sample_rate_hz) = read_format(fields)?;
        let return_audio = fields.choice(
            "return_audio",
            &[("url", ReturnAudio::Url), ("base64", ReturnAudio::Base64)],
        )?;
        Ok(Self {
            text,
            script,
            voice: read_voice(fields, warnings)?,
            model: fields.text("model")?.map(str::to_owned),
            options: read_options(fields)?,
            nfe: read_nfe(fields)?,
            seed: fields.whole("seed", (*SEEDS.start(), *SEEDS.end()))?,
            word_timings: fields.flag("return_word_timings", true)?,
            timing_format: read_timing_format(fields)?,
            format,
            sample_rate_hz,
            return_audio: return_audio.unwrap_or(options.return_audio),
            is_async: fields.flag("async", false)?,
            idempotency_key: read_key(fields)?,
        })
    }
}

/// The name of a voice in a tag, or `None` where the main voice speaks.
pub(crate) fn tagged(name: Option<&str>) -> Option<&str> {
    name.filter(|&name| name != MAIN_VOICE)
}

fn read_text(
    fields: &Fields<'_>,
    options: &ParseOptions,
    tags: Tags,
) -> Result<(String, Script), FieldError> {
    let max_characters = options.max_characters;
    let allowed = format!("a text of 1 to {max_characters} characters");
    let text = fields.required_text("text", &allowed)?;
    let script = Script::parse(text, ScriptOptions { max_characters, tags }).map_err(|error| {
        FieldError::not_allowed("text", &Value::from(text), format_args!("{allowed}: {error}"))
    })?;
    for name in script.voices().into_iter().filter_map(tagged) {
        named_voice("text", name)?;
    }
    Ok((text.to_owned(), script))
}

fn read_voice(fields: &Fields<'_>, warnings: &mut Vec<String>) -> Result<VoiceChoice, FieldError> {
    let transcript = fields.text_by_any_name(&["ref_text", "reference_text"])?;
    if let Some(text) = transcript
        && text.chars().count() > MAX_TRANSCRIPT_CHARACTERS
    {
        let allowed = format!("a text of at most {MAX_TRANSCRIPT_CHARACTERS} characters");
        return Err(FieldError::not_allowed("ref_text", &Value::from(text), allowed));
    }
    let transcript = transcript.filter(|text| !text.trim().is_empty());
    let voice = fields.text("local_voice")?.unwrap_or_default();
    if voice.starts_with("http://") || voice.starts_with("https://") {
        return Ok(VoiceChoice::Url {
            url: checked_url("local_voice", voice)?,
            transcript: transcript.map(str::to_owned),
        });
    }
    if transcript.is_some() {
        warnings.push("`ref_text` was ignored: it belongs to a recording given by URL".to_owned());
    }
    if voice.is_empty() {
        return Ok(VoiceChoice::Default);
    }
    named_voice("local_voice", voice).map(VoiceChoice::Named)
}

/// A URL of a bearable length; whether it may be fetched is decided where it is fetched.
pub(super) fn checked_url(field: &str, url: &str) -> Result<String, FieldError> {
    if url.chars().count() > MAX_URL_CHARACTERS {
        let allowed = format!("a URL of at most {MAX_URL_CHARACTERS} characters");
        return Err(FieldError::not_allowed(field, &Value::from(url), allowed));
    }
    Ok(url.to_owned())
}

/// The name of a stored voice.
pub(super) fn named_voice(field: &str, name: &str) -> Result<VoiceName, FieldError> {
    VoiceName::try_from(name).map_err(|error| FieldError::name(field, error))
}

fn read_options(fields: &Fields<'_>) -> Result<SpeakOptions, FieldError> {
    let defaults = SpeakOptions::default();
    let speed = fields.number("speed", SPEEDS, Speed::try_from)?;
    let (least, most) = CfgStrength::RANGE;
    let cfg_range = (f64::from(least), f64::from(most));
    let cfg_strength =
        fields.number("cfg_strength", cfg_range, |number| CfgStrength::try_from(narrow(number)))?;
    let cross_fade =
        fields.number("cross_fade_duration", CrossFade::RANGE_SECONDS, CrossFade::try_from)?;
    let duration =
        fields.number("duration_seconds", SpeechSeconds::RANGE, SpeechSeconds::try_from)?;
    let silence = if fields.flag("remove_silence", false)? {
        Silence::Remove
    } else {
        Silence::Keep
    };
    Ok(SpeakOptions {
        speed: speed.unwrap_or(defaults.speed),
        cfg_strength: cfg_strength.unwrap_or(defaults.cfg_strength),
        sway: read_sway(fields)?,
        cross_fade: cross_fade.unwrap_or(defaults.cross_fade),
        duration,
        silence,
        ..defaults
    })
}

/// Here `null` has a meaning of its own: no sway.
fn read_sway(fields: &Fields<'_>) -> Result<Sway, FieldError> {
    const FIELD: &str = "sway_sampling_coef";
    if fields.raw(FIELD).is_some_and(Value::is_null) {
        return Ok(Sway::NONE);
    }
    let (least, most) = Sway::RANGE;
    let range = (f64::from(least), f64::from(most));
    let sway = fields.number(FIELD, range, |number| Sway::try_from(narrow(number)))?;
    Ok(sway.unwrap_or(Sway::DEFAULT))
}

/// A number of steps beats a quality.
fn read_nfe(fields: &Fields<'_>) -> Result<Option<Nfe>, FieldError> {
    let (least, most) = Nfe::RANGE;
    let steps = fields.whole("nfe_step", (least.into(), most.into()))?;
    let steps = steps
        .and_then(|steps| u32::try_from(steps).ok())
        .and_then(|steps| Nfe::try_from(steps).ok());
    let qualities = [
        ("fast", Nfe::FAST),
        ("balanced", Nfe::BALANCED),
        ("best", Nfe::BEST),
    ];
    let quality = fields.choice("quality", &qualities)?;
    Ok(steps.or(quality))
}

fn read_format(fields: &Fields<'_>) -> Result<(Format, u32), FieldError> {
    let formats: Vec<_> = Format::ALL
        .iter()
        .map(|format| (format.name(), *format))
        .collect();
    let format = fields
        .choice("output_format", &formats)?
        .unwrap_or(Format::Wav);
    let rate_hz = fields
        .whole("sample_rate", SAMPLE_RATES_HZ)?
        .and_then(|rate_hz| u32::try_from(rate_hz).ok())
        .unwrap_or(DEFAULT_SAMPLE_RATE_HZ);
    // Not every format has every rate; better to know it before the work is done.
    audio::encode(&[0.0], rate_hz, format)
        .map_err(|error| FieldError::not_allowed("sample_rate", &rate_hz.into(), error))?;
    Ok((format, rate_hz))
}

/// One format, or a list whose first counts.
fn read_timing_format(fields: &Fields<'_>) -> Result<Option<subtitles::Format>, FieldError> {
    let names = words(TIMING_FORMATS.iter().map(|(name, _)| *name));
    let allowed = format!("{names}, or a list of these");
    let read = |value: &Value| choose(value.as_str()?, &TIMING_FORMATS);
    let format = fields.optional("timing_format", &allowed, |value| {
        if let Some(formats) = value.as_array() {
            let formats: Option<Vec<_>> = formats.iter().map(read).collect();
            return Some(formats?.first().copied());
        }
        read(value).map(Some)
    })?;
    Ok(format.flatten())
}

fn read_key(fields: &Fields<'_>) -> Result<Option<String>, FieldError> {
    let allowed = format!("a text of 1 to {MAX_KEY_CHARACTERS} characters");
    fields.optional("idempotency_key", &allowed, |value| {
        let key = value.as_str()?;
        let characters = key.chars().take(MAX_KEY_CHARACTERS + 1).count();
        (1..=MAX_KEY_CHARACTERS)
            .contains(&characters)
            .then(|| key.to_owned())
    })
}
