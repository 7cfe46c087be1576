//! The sizes of the network and the tokens that decoding needs.

use std::{collections::BTreeMap, fmt::Display, ops::RangeInclusive};

use serde::Deserialize;

use crate::{AsrError, ModelFiles, Vocabulary, files::read_json};

/// Positions of the encoder: 30 s of two mel frames each.
pub(crate) const ENCODER_POSITIONS: usize = 1_500;

/// The tokens of a model of English alone; those of all others are more.
const ENGLISH_TOKENS: usize = 51_864;

/// `config.json`, as `WhisperConfig` of transformers writes it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Config {
    model_type: String,
    pub(crate) vocab_size: usize,
    pub(crate) num_mel_bins: usize,
    pub(crate) d_model: usize,
    pub(crate) encoder_layers: usize,
    pub(crate) encoder_attention_heads: usize,
    pub(crate) encoder_ffn_dim: usize,
    pub(crate) decoder_layers: usize,
    pub(crate) decoder_attention_heads: usize,
    pub(crate) decoder_ffn_dim: usize,
    max_source_positions: usize,
    pub(crate) max_target_positions: usize,
    #[serde(default = "gelu")]
    activation_function: String,
    #[serde(default)]
    scale_embedding: bool,
    #[serde(flatten)]
    decoding: Decoding,
}

fn gelu() -> String {
    "gelu".to_owned()
}

/// What `generation_config.json` says; old models have it in `config.json`.
#[derive(Clone, Debug, Default, Deserialize)]
struct Decoding {
    decoder_start_token_id: Option<u32>,
    eos_token_id: Option<OneOrMany>,
    no_timestamps_token_id: Option<u32>,
    suppress_tokens: Option<Vec<u32>>,
    begin_suppress_tokens: Option<Vec<u32>>,
    max_length: Option<usize>,
    lang_to_id: Option<BTreeMap<String, u32>>,
    task_to_id: Option<BTreeMap<String, u32>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(u32),
    Many(Vec<u32>),
}

/// The tokens that decoding begins with, ends with and never chooses.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    pub(crate) start: u32,
    pub(crate) ends: Vec<u32>,
    pub(crate) no_timestamps: Option<u32>,
    pub(crate) suppressed: Vec<u32>,
    pub(crate) suppressed_first: Vec<u32>,
    /// Codes such as `en`; none if the model knows one language only.
    pub(crate) languages: BTreeMap<String, u32>,
    pub(crate) transcribe: Option<u32>,
    /// Tokens of the text.
    pub(crate) most: usize,
}

impl Config {
    /// Reads `config.json` and checks every number that sizes something.
    pub(crate) fn read(files: &ModelFiles) -> Result<Self, AsrError> {
        /// The type alone, since other models have other fields.
        #[derive(Deserialize)]
        struct Kind {
            model_type: String,
        }
        let kind: Kind = read_json(&files.config)?;
        if kind.model_type != "whisper" {
            return Err(AsrError::OtherModel(shortened(&kind.model_type)));
        }
        let config: Self = read_json(&files.config)?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), AsrError> {
        debug_assert_eq!(self.model_type, "whisper");
        within("d_model", self.d_model, 1..=8_192)?;
        within("vocab_size", self.vocab_size, 1..=1_000_000)?;
        within("encoder_layers", self.encoder_layers, 1..=256)?;
        within("decoder_layers", self.decoder_layers, 1..=256)?;
        within("encoder_ffn_dim", self.encoder_ffn_dim, 1..=65_536)?;
        within("decoder_ffn_dim", self.decoder_ffn_dim, 1..=65_536)?;
        within("max_target_positions", self.max_target_positions, 8..=8_192)?;
        within(
            "max_source_positions",
            self.max_source_positions,
            ENCODER_POSITIONS..=ENCODER_POSITIONS,
        )?;
        if self.num_mel_bins != 80 && self.num_mel_bins != 128 {
            return Err(unexpected("num_mel_bins", self.num_mel_bins, "80 or 128"));
        }
        for (field, heads) in [
            ("encoder_attention_heads", self.encoder_attention_heads),
            ("decoder_attention_heads", self.decoder_attention_heads),
        ] {
            if heads == 0 || !self.d_model.is_multiple_of(2 * heads) {
                let expected =
                    format!("a number that divides d_model, {}, into even parts", self.d_model);
                return Err(unexpected(field, heads, expected));
            }
        }
        if self.activation_function != "gelu" {
            return Err(unexpected("activation_function", &self.activation_function, "gelu"));
        }
        if self.scale_embedding {
            return Err(unexpected("scale_embedding", true, "false"));
        }
        Ok(())
    }
}

impl Tokens {
    /// Reads them from `generation_config.json`, or from `config.json` where that does not have them.
    ///
    /// Models of before 2023 tell neither languages nor tasks: then the marks of the vocabulary do.
    pub(crate) fn read(
        files: &ModelFiles,
        config: &Config,
        vocabulary: &Vocabulary,
    ) -> Result<Self, AsrError> {
        let own = match &files.generation_config {
            Some(path) => read_json::<Decoding>(path)?,
            None => Decoding::default(),
        };
        let old = config.decoding.clone();
        let missing = |field| unexpected(field, "missing", "a token");
        let token = |own: Option<u32>, old: Option<u32>| own.or(old);
        let tokens = Self {
            start: token(own.decoder_start_token_id, old.decoder_start_token_id)
                .ok_or_else(|| missing("decoder_start_token_id"))?,
            ends: match own
                .eos_token_id
                .or(old.eos_token_id)
                .ok_or_else(|| missing("eos_token_id"))?
            {
                OneOrMany::One(end) => vec![end],
                OneOrMany::Many(ends) => ends,
            },
            no_timestamps: token(own.no_timestamps_token_id, old.no_timestamps_token_id),
            suppressed: own
                .suppress_tokens
                .or(old.suppress_tokens)
                .unwrap_or_default(),
            suppressed_first: own
                .begin_suppress_tokens
                .or(old.begin_suppress_tokens)
                .unwrap_or_default(),
            languages: codes(own.lang_to_id.or(old.lang_to_id).unwrap_or_default()),
            transcribe: own
                .task_to_id
                .or(old.task_to_id)
                .and_then(|tasks| tasks.get("transcribe").copied()),
            most: own
                .max_length
                .or(old.max_length)
                .unwrap_or(config.max_target_positions)
                .clamp(8, config.max_target_positions),
        };
        let tokens = if tokens.languages.is_empty() && config.vocab_size > ENGLISH_TOKENS {
            tokens.completed(vocabulary)
        } else {
            tokens
        };
        tokens.check(config.vocab_size)?;
        Ok(tokens)
    }

    fn completed(self, vocabulary: &Vocabulary) -> Self {
        Self {
            languages: vocabulary.languages(),
            transcribe: self
                .transcribe
                .or_else(|| vocabulary.mark(&["<|transcribe|>"])),
            no_timestamps: self
                .no_timestamps
                .or_else(|| vocabulary.mark(&["<|notimestamps|>"])),
            ..self
        }
    }

    /// The tokens before the text.
    pub(crate) fn prompt(&self, language: Option<u32>) -> Vec<u32> {
        let task = language.and(self.transcribe);
        [Some(self.start), language, task, self.no_timestamps]
            .into_iter()
            .flatten()
            .collect()
    }

    fn check(&self, vocabulary: usize) -> Result<(), AsrError> {
        let lists = [
            ("decoder_start_token_id", vec![self.start]),
            ("eos_token_id", self.ends.clone()),
            ("no_timestamps_token_id", self.no_timestamps.into_iter().collect()),
            ("suppress_tokens", self.suppressed.clone()),
            ("begin_suppress_tokens", self.suppressed_first.clone()),
            ("lang_to_id", self.languages.values().copied().collect()),
            ("task_to_id", self.transcribe.into_iter().collect()),
        ];
        for (field, tokens) in lists {
            if let Some(&token) = tokens.iter().find(|&&token| token as usize >= vocabulary) {
                return Err(unexpected(field, token, format!("tokens below {vocabulary}")));
            }
        }
        Ok(())
    }
}

/// `<|en|>` → `en`
fn codes(languages: BTreeMap<String, u32>) -> BTreeMap<String, u32> {
    languages
        .into_iter()
        .map(|(name, id)| (name.trim_matches(['<', '|', '>']).to_owned(), id))
        .collect()
}

fn within(field: &'static str, value: usize, range: RangeInclusive<usize>) -> Result<(), AsrError> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(unexpected(field, value, format!("{} to {}", range.start(), range.end())))
}

fn unexpected(field: &'static str, value: impl Display, expected: impl Into<String>) -> AsrError {
    AsrError::Config {
        field,
        value: shortened(&value.to_string()),
        expected: expected.into(),
    }
}

/// A text of a file, for a message.
fn shortened(text: &str) -> String {
    text.chars()
        .filter(|character| !character.is_control())
        .take(60)
        .collect()
}
