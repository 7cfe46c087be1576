//! Cuts a text into chunks and gives each its duration.

use super::{
    chunk::{TextChunk, chunk_text_within},
    reference::ReferenceText,
};
use crate::{
    HOP_LENGTH, SAMPLE_RATE_HZ,
    duration::{self, Pace, PaceError, Speed},
    stitch::CrossFade,
};

/// A reference as far as it sets pace and context.
#[derive(Clone, Copy, Debug)]
pub struct Reference<'a> {
    /// What is said.
    pub text: &'a ReferenceText,
    /// The length of the recording after trimming, at its own rate.
    pub seconds: f64,
    /// The length of the recording at 24 kHz.
    pub samples: usize,
}

/// How long the speech shall be.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Length {
    /// As long as the pace of the reference suggests.
    #[default]
    Estimated,
    /// The speech alone lasts so many seconds, to within a frame for every chunk.
    Speech(f64),
    /// Reference and speech last so many seconds, as `fix_duration` of the original.
    WithReference(f64),
}

/// What decides about chunks and durations, besides text and reference.
#[derive(Clone, Copy, Debug)]
pub struct PlanOptions {
    /// The pace, relative to the reference.
    pub speed: Speed,
    /// The length of the whole.
    pub length: Length,
    /// How long neighbouring chunks will overlap.
    pub cross_fade: CrossFade,
    /// The most frames of a chunk that the model can take, the reference included.
    pub max_frames: usize,
}

/// What is sampled in one go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The text to speak.
    pub text: String,
    /// Whether it goes on with a sentence that the model cannot speak in one go.
    pub continues: bool,
    /// Its duration with the reference. Still to be clamped, see [`duration::clamp`].
    pub frames: usize,
}

impl Chunk {
    fn new(TextChunk { text, continues }: TextChunk, frames: usize) -> Self {
        Self { text, continues, frames }
    }
}

/// Why a text cannot be planned.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// The reference sets no pace.
    #[error("the reference cannot be used")]
    Reference(#[source] PaceError),
    /// Nothing fits beside the reference.
    #[error(
        "the reference takes {reference_frames} frames and {reference_bytes} bytes of transcript, which leaves no room for speech in the {max_frames} frames of the model"
    )]
    ReferenceTooLong {
        /// Frames of the reference.
        reference_frames: usize,
        /// Bytes of its transcript.
        reference_bytes: usize,
        /// What the model can take.
        max_frames: usize,
    },
    /// So much time cannot be filled with so little text.
    #[error(
        "{seconds} s cannot be spread over this text: a chunk would take {frames} frames, the model takes {max_frames}"
    )]
    LengthTooLong {
        /// What was asked for.
        seconds: f64,
        /// What the longest chunk would take.
        frames: usize,
        /// What the model can take.
        max_frames: usize,
    },
}

/// Cuts `text` into chunks with their durations; a text of white space gives none.
pub fn plan(
    text: &str,
    reference: &Reference<'_>,
    options: &PlanOptions,
) -> Result<Vec<Chunk>, PlanError> {
    let reference_bytes = reference.text.prompt().len();
    let pace = Pace::new(reference.samples, reference_bytes).map_err(PlanError::Reference)?;
    let max_bytes =
        duration::chunk_bytes(reference.text.as_str().len(), reference.seconds, options.speed);
    let too_long = PlanError::ReferenceTooLong {
        reference_frames: pace.mel_frames(),
        reference_bytes,
        max_frames: options.max_frames,
    };
    let texts = Texts { text, max_bytes };
    match options.length {
        Length::Estimated => {
            let limit = pace
                .max_bytes(options.speed, options.max_frames)
                .ok_or(too_long)?;
            let chunks = texts.within(limit).into_iter();
            Ok(chunks
                .map(|chunk| {
                    let frames = pace.frames(chunk.text.len(), options.speed);
                    // Only a very short text beside a long reference would need more.
                    let frames = frames.min(options.max_frames);
                    Chunk::new(chunk, frames)
                })
                .collect())
        }
        Length::Speech(_) | Length::WithReference(_) => {
            let limit = pace.max_token_bytes(options.max_frames).ok_or(too_long)?;
            fit(&texts, pace, options, limit)
        }
    }
}

/// A text, and where the original would begin a new chunk.
struct Texts<'a> {
    text: &'a str,
    max_bytes: i64,
}

impl Texts<'_> {
    fn within(&self, limit: usize) -> Vec<TextChunk> {
        chunk_text_within(self.text, self.max_bytes, limit)
    }
}

/// Cuts smaller and smaller until no chunk's share of the length exceeds the model.
fn fit(
    texts: &Texts<'_>,
    pace: Pace,
    options: &PlanOptions,
    limit: usize,
) -> Result<Vec<Chunk>, PlanError> {
    let mut limit = limit;
    loop {
        let chunks = texts.within(limit);
        let bytes: Vec<usize> = chunks.iter().map(|chunk| chunk.text.len()).collect();
        let seconds = total_seconds(pace, options.length, bytes.len());
        let shares = pace.fixed_frames(seconds, &bytes, options.cross_fade.seconds());
        let longest = shares.iter().copied().max().unwrap_or(0);
        if longest <= options.max_frames {
            let chunks = chunks.into_iter().zip(shares);
            return Ok(chunks
                .map(|(chunk, frames)| Chunk::new(chunk, frames))
                .collect());
        }
        let longest_bytes = bytes.iter().copied().max().unwrap_or(0);
        limit = longest_bytes.min(limit) * 3 / 4;
        if limit < 4 {
            let max_frames = options.max_frames;
            return Err(PlanError::LengthTooLong { seconds, frames: longest, max_frames });
        }
    }
}

/// Reference and speech together. Each chunk loses its last frame in the vocoder.
#[expect(
    clippy::cast_precision_loss,
    reason = "lengths of recordings are below 2^53"
)]
fn total_seconds(pace: Pace, length: Length, chunks: usize) -> f64 {
    let frame_seconds = HOP_LENGTH as f64 / f64::from(SAMPLE_RATE_HZ);
    match length {
        Length::Estimated => 0.0,
        Length::WithReference(seconds) => seconds,
        Length::Speech(seconds) => {
            seconds + (pace.reference_frames() + chunks) as f64 * frame_seconds
        }
    }
}
