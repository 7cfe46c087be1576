use crate::{audio, text::script::ScriptWarning};

/// Something that spoils speech though it is no error, with what to do about it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Warning {
    /// About the reference's file.
    #[error("the reference: {0}")]
    Recording(audio::Warning),
    /// The recording touches full scale.
    #[error("{:.1} % of the reference is at full scale: record it at a lower level", 100.0 * clipped_share)]
    ReferenceOverdriven {
        /// The share of such samples.
        clipped_share: f32,
    },
    /// The recording stops in the middle of a sound.
    #[error(
        "the reference ends in the middle of a sound, which the speech may begin with: let it end in a pause"
    )]
    ReferenceEndsAbruptly,
    /// The transcript does not end like a sentence.
    #[error(
        "the transcript has no final punctuation: end it as it is spoken, or its last word may be repeated"
    )]
    TranscriptWithoutFullStop,
    /// Recording and transcript do not seem to belong together.
    #[error(
        "the reference has {characters_per_second:.1} characters a second, speech has 2.5 to 30: check that its transcript is just what is said"
    )]
    UnlikelyPace {
        /// Letters of the transcript by seconds of the recording.
        characters_per_second: f64,
    },
    /// About the text as it was given.
    #[error("{0}")]
    Script(ScriptWarning),
    /// The vocabulary lacks something.
    #[error("the model does not know these characters and reads a blank for each: {tokens}")]
    UnknownTokens {
        /// Each once, in order.
        tokens: String,
    },
    /// The official rule for short texts applied.
    #[error(
        "\"{text}\" is shorter than 10 bytes: the model speaks it slowly, whatever the speed; a longer text sounds better"
    )]
    VeryShortText {
        /// The chunk.
        text: String,
    },
    /// A sentence was longer than the model can speak at once.
    #[error(
        "a sentence is longer than the model can speak at once and was split before \"{before} …\""
    )]
    SentenceSplit {
        /// The first words after the cut.
        before: String,
    },
}
