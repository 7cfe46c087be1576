use std::{io::Write, sync::Arc};

use f5tts_engine::{
    Stop,
    audio::resample_output,
    checkpoint::{Checkpoint, Weights},
};
use f5tts_kernels::Backend;
use flate2::{Compression, write::ZlibEncoder};

use crate::{
    AsrError, ModelFiles, Vocabulary,
    config::{Config, Tokens},
    decoder::Decoder,
    encoder,
    features::{self, SAMPLES},
    files::read_json,
    maths,
    vocabulary::Tokenizer,
};

/// Samples a second of what the model hears.
pub const SAMPLE_RATE_HZ: u32 = 16_000;
/// Seconds of a recording that are heard; the rest is not.
pub const LONGEST_RECORDING_S: u32 = 30;

/// Recordings in which nothing is louder hold no speech: half a step of 16 bits.
const SILENCE: f32 = 1.5e-5;
const KNOWN_SHOWN: usize = 12;

/// How a recording is transcribed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The language as a code such as `en`; found by the model if not given. Models of English alone ignore it.
    pub language: Option<String>,
}

/// What is said in a recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Transcript {
    /// The text, without blanks around it.
    pub text: String,
    /// The code of the language, given or found; none for models of English alone.
    pub language: Option<String>,
    /// The mean natural logarithm of the tokens' probabilities: how sure the model is. Zero is certainty.
    pub mean_log_probability: f32,
    /// The probability that nobody speaks, of models that tell. Above 0.6, Whisper's own program believes it, unless the
    /// mean log-probability is above −1.
    pub no_speech_probability: Option<f32>,
    /// Bytes of the text over those that it compresses to: above 2.4, Whisper's own program takes it for a loop.
    pub compression_ratio: f32,
    /// The recording was longer than is heard.
    pub cut: bool,
    /// The tokens of the text.
    pub tokens: Vec<u32>,
}

impl Transcript {
    /// How sure the model is, from 0 to 1: the geometric mean of the tokens' probabilities.
    pub fn confidence(&self) -> f32 {
        self.mean_log_probability.exp()
    }
}

/// A Whisper model on a device. Its weights are mapped, and read when a recording is transcribed.
#[derive(Debug)]
pub struct Whisper<B> {
    backend: Arc<B>,
    config: Config,
    tokens: Tokens,
    vocabulary: Vocabulary,
    weights: Weights,
}

/// What was decoded, before it is judged.
struct Decoded {
    language: Option<String>,
    tokens: Vec<u32>,
    log_probability: f32,
    no_speech: Option<f32>,
}

impl<B: Backend> Whisper<B> {
    /// Opens a model.
    ///
    /// # Errors
    /// A file that is missing, damaged, or of another kind of model.
    pub fn load(backend: Arc<B>, files: &ModelFiles) -> Result<Self, AsrError> {
        let config = Config::read(files)?;
        let vocabulary: Vocabulary = read_json::<Tokenizer>(&files.tokenizer)?.into();
        let tokens = Tokens::read(files, &config, &vocabulary)?;
        let weights = Weights::whisper(Arc::new(Checkpoint::open(&files.weights)?))?;
        Ok(Self { backend, config, tokens, vocabulary, weights })
    }

    /// Writes down what is said in a mono recording: its first 30 s.
    ///
    /// Greedily and without times, as the pipeline of transformers that the official code calls.
    ///
    /// # Errors
    /// [`AsrError::NoSpeech`] where there is no sound at all, a language that the model does not know, damaged weights, or that
    /// somebody asked to stop.
    pub fn transcribe(
        &self,
        samples: &[f32],
        sample_rate_hz: u32,
        options: &Options,
        stop: &Stop,
    ) -> Result<Transcript, AsrError> {
        let language = self.language(options)?;
        let heard = prepared(samples, sample_rate_hz)?;
        let mel = features::log_mel(&heard, self.config.num_mel_bins);
        let encoded = encoder::encode(&*self.backend, &self.weights, &self.config, &mel, stop)?;
        let decoded = self.decode(&encoded, language, stop)?;
        let text = self
            .vocabulary
            .text(&decoded.tokens)
            .replace(char::is_control, " ");
        let text = text.trim().to_owned();
        Ok(Transcript {
            compression_ratio: compression_ratio(&text),
            text,
            language: decoded.language,
            mean_log_probability: decoded.log_probability,
            no_speech_probability: decoded.no_speech,
            cut: heard.len() > SAMPLES,
            tokens: decoded.tokens,
        })
    }

    /// The codes of the languages that the model knows; empty if it knows English alone.
    pub fn languages(&self) -> impl Iterator<Item = &str> {
        self.tokens.languages.keys().map(String::as_str)
    }

    /// The token of the language that was asked for.
    fn language(&self, options: &Options) -> Result<Option<u32>, AsrError> {
        let Some(code) = options
            .language
            .as_deref()
            .filter(|_| !self.tokens.languages.is_empty())
        else {
            return Ok(None);
        };
        let code = code.trim().to_ascii_lowercase();
        // `en-US` is English too.
        let short = code.split(['-', '_']).next().unwrap_or_default();
        let found = [code.as_str(), short]
            .iter()
            .find_map(|code| self.tokens.languages.get(*code));
        found.copied().map(Some).ok_or_else(|| {
            let known: Vec<&str> = self.languages().take(KNOWN_SHOWN).collect();
            let more = if self.tokens.languages.len() > KNOWN_SHOWN {
                ", …"
            } else {
                ""
            };
            let language = code.chars().take(KNOWN_SHOWN).collect();
            AsrError::Language { language, known: format!("{}{more}", known.join(", ")) }
        })
    }

    fn decode(
        &self,
        encoded: &[f32],
        language: Option<u32>,
        stop: &Stop,
    ) -> Result<Decoded, AsrError> {
        let mut decoder = Decoder::load(&*self.backend, &self.weights, &self.config, encoded)?;
        let first = decoder.say(self.tokens.start)?;
        let no_speech = self.vocabulary.mark(&["<|nospeech|>", "<|nocaptions|>"]);
        let no_speech = no_speech.and_then(|token| {
            maths::log_softmax(&first)
                .get(token as usize)
                .map(|log| log.exp())
        });
        let language = language.or_else(|| best(&first, self.tokens.languages.values().copied()));
        let mut logits = first;
        let prompt = self.tokens.prompt(language);
        for &token in &prompt[1..] {
            logits = decoder.say(token)?;
        }
        let (mut tokens, mut log_probability) = (Vec::new(), 0.0);
        let room = self.config.max_target_positions - prompt.len();
        while tokens.len() < room.min(self.tokens.most) {
            stop.check()?;
            self.suppress(&mut logits, tokens.is_empty());
            let Some(token) = best(&logits, 0..) else {
                break;
            };
            log_probability += maths::log_softmax(&logits)[token as usize];
            if self.tokens.ends.contains(&token) {
                break;
            }
            tokens.push(token);
            if tokens.len() < room {
                logits = decoder.say(token)?;
            }
        }
        let name = |token: u32| {
            self.tokens
                .languages
                .iter()
                .find(|&(_, &id)| id == token)
                .map(|(code, _)| code.clone())
        };
        Ok(Decoded {
            language: language.and_then(name),
            log_probability: log_probability / (tokens.len() + 1) as f32,
            tokens,
            no_speech,
        })
    }

    /// Makes the tokens impossible that are never chosen, or never first.
    fn suppress(&self, logits: &mut [f32], first: bool) {
        let never_first = self.tokens.suppressed_first.iter().filter(|_| first);
        for &token in self.tokens.suppressed.iter().chain(never_first) {
            logits[token as usize] = f32::NEG_INFINITY;
        }
    }
}

/// The first of the most probable ones among some tokens.
fn best(logits: &[f32], among: impl IntoIterator<Item = u32>) -> Option<u32> {
    let known = among
        .into_iter()
        .map_while(|token| Some((token, *logits.get(token as usize)?)));
    let possible = known.filter(|(_, logit)| *logit > f32::NEG_INFINITY);
    possible
        .reduce(|best, other| if other.1 > best.1 { other } else { best })
        .map(|(token, _)| token)
}

/// What the model hears of a recording, and one sample more if that is not all.
fn prepared(samples: &[f32], sample_rate_hz: u32) -> Result<Vec<f32>, AsrError> {
    if sample_rate_hz == 0 || samples.is_empty() {
        return Err(AsrError::Recording("is empty"));
    }
    let audible = (LONGEST_RECORDING_S as usize + 1) * sample_rate_hz as usize;
    let samples = &samples[..samples.len().min(audible)];
    if samples.iter().any(|sample| !sample.is_finite()) {
        return Err(AsrError::Recording("holds values that are no numbers"));
    }
    if samples.iter().all(|sample| sample.abs() < SILENCE) {
        return Err(AsrError::NoSpeech);
    }
    let mut heard = resample_output(samples, sample_rate_hz, SAMPLE_RATE_HZ);
    heard.truncate(SAMPLES + 1);
    Ok(heard)
}

fn compression_ratio(text: &str) -> f32 {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    let compressed = encoder
        .write_all(text.as_bytes())
        .and_then(|()| encoder.finish());
    let bytes = compressed.map_or(text.len(), |compressed| compressed.len());
    text.len() as f32 / bytes.max(1) as f32
}

#[cfg(test)]
mod tests {
    use f5tts_engine::audio::{DecodeLimits, decode};
    use f5tts_kernels::{Cpu, CpuOptions};
    use f5tts_testkit::{Golden, Tolerance, assert_close};

    use super::*;

    // Two layers of sums in f32, in another order than PyTorch's.
    const TOLERANCE: Tolerance = Tolerance::relative(2e-5);

    #[test]
    fn the_networks_are_those_of_transformers() {
        let bytes = std::fs::read(Golden::path("align/harbor.flac")).unwrap();
        let speech = decode(&bytes, &DecodeLimits::default()).unwrap().to_mono();
        for model in ["multilingual", "large", "english"] {
            let files = ModelFiles::in_directory(&Golden::path(format!("asr/{model}"))).unwrap();
            let cpu = Arc::new(Cpu::new(CpuOptions::default()).unwrap());
            let whisper = Whisper::load(cpu, &files).unwrap();
            let golden = Golden::open(format!("asr/{model}/golden.safetensors"));
            let (config, stop) = (&whisper.config, Stop::default());
            let mel = features::log_mel(&speech, config.num_mel_bins);
            let encoded =
                encoder::encode(&*whisper.backend, &whisper.weights, config, &mel, &stop).unwrap();
            let row = |row: &i32| {
                encoded[row.unsigned_abs() as usize * config.d_model..][..config.d_model].to_vec()
            };
            let rows: Vec<f32> = golden.i32("rows").iter().flat_map(row).collect();
            assert_close(&format!("{model} encoded"), &rows, &golden.f32("encoded"), TOLERANCE);
            let mut decoder =
                Decoder::load(&*whisper.backend, &whisper.weights, config, &encoded).unwrap();
            let logits = decoder.say(whisper.tokens.start).unwrap();
            assert_close(&format!("{model} logits"), &logits, &golden.f32("logits"), TOLERANCE);
            if golden.has("language") {
                let language = best(&logits, whisper.tokens.languages.values().copied());
                assert_eq!(language.map(|id| vec![id as i32]), Some(golden.i32("language")));
            }
        }
    }
}
