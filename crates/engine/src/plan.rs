//! The first stage: what is sampled, chunk by chunk.

use crate::{
    LONGEST_CHUNK_FRAMES, duration,
    engine::Part,
    error::SpeakError,
    options::SpeakOptions,
    text::{
        plan::{Length, PlanOptions, Reference},
        tokenize::Tokenizer,
        vocab::Vocab,
    },
    voice::Voice,
    warning::Warning,
};

/// One chunk, ready to be sampled.
#[derive(Debug)]
pub(crate) struct PlannedChunk<'a> {
    pub(crate) voice: &'a Voice,
    pub(crate) part: usize,
    pub(crate) text: String,
    /// Whether it goes on with the sentence of the chunk before.
    pub(crate) continues: bool,
    pub(crate) tokens: Vec<String>,
    /// The reference's frames included.
    pub(crate) frames: usize,
}

/// What turns text into numbers, of one model.
#[derive(Debug)]
pub(crate) struct TextStage {
    pub(crate) tokenizer: Tokenizer,
    pub(crate) vocab: Vocab,
}

impl TextStage {
    /// Cuts all parts into chunks, with tokens and durations.
    pub(crate) fn plan<'a>(
        &self,
        parts: &[Part<'a>],
        options: &SpeakOptions,
    ) -> Result<Vec<PlannedChunk<'a>>, SpeakError> {
        let bytes: usize = parts.iter().map(|part| part.text.len()).sum();
        let mut chunks = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            let share = part.text.len() as f64 / bytes as f64;
            let length = options
                .duration
                .map_or(Length::Estimated, |seconds| Length::Speech(seconds.get() * share));
            chunks.extend(self.plan_part(index, *part, length, options)?);
        }
        if chunks.is_empty() {
            return Err(SpeakError::NothingToSpeak);
        }
        Ok(chunks)
    }

    pub(crate) fn plan_part<'a>(
        &self,
        index: usize,
        Part { voice, text }: Part<'a>,
        length: Length,
        options: &SpeakOptions,
    ) -> Result<Vec<PlannedChunk<'a>>, SpeakError> {
        let reference = Reference {
            text: voice.transcript(),
            seconds: voice.seconds(),
            samples: voice.samples(),
        };
        let plan_options = PlanOptions {
            speed: options.speed,
            length,
            cross_fade: options.cross_fade,
            max_frames: LONGEST_CHUNK_FRAMES,
        };
        let prompt = voice.transcript().prompt();
        let chunks = crate::text::plan::plan(text, &reference, &plan_options)?;
        let planned = chunks.into_iter().map(|chunk| {
            // The official code segments reference and text together.
            let tokens = self.tokenizer.tokens(&format!("{prompt}{}", chunk.text));
            let frames = duration::clamp(
                chunk.frames,
                tokens.len(),
                voice.mel_frames(),
                duration::MAX_FRAMES,
            );
            PlannedChunk {
                voice,
                part: index,
                text: chunk.text,
                continues: chunk.continues,
                tokens,
                frames,
            }
        });
        Ok(planned.collect())
    }

    /// What the texts of the chunks make worse.
    pub(crate) fn warnings(&self, chunks: &[PlannedChunk<'_>]) -> Vec<Warning> {
        let mut unknown: Vec<&str> = Vec::new();
        for token in chunks
            .iter()
            .flat_map(|chunk| self.vocab.unknown(&chunk.tokens))
        {
            if !unknown.contains(&token) {
                unknown.push(token);
            }
        }
        let unknown =
            (!unknown.is_empty()).then(|| Warning::UnknownTokens { tokens: unknown.join(" ") });
        let short = chunks
            .iter()
            .filter(|chunk| chunk.text.len() < duration::SHORT_TEXT_BYTES);
        let short = short.map(|chunk| Warning::VeryShortText { text: chunk.text.clone() });
        let split = chunks.iter().filter(|chunk| chunk.continues);
        let split = split.map(|chunk| Warning::SentenceSplit { before: begin(&chunk.text) });
        unknown.into_iter().chain(short).chain(split).collect()
    }
}

/// The first words of a text, for messages.
fn begin(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().take(4).collect();
    words.join(" ").chars().take(40).collect()
}
