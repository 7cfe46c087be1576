//! What is to be spoken, and by whom: checks a text and cuts it at its `[voice]` tags.

/// The most characters of a script, unless set otherwise.
pub const DEFAULT_MAX_CHARACTERS: usize = 20_000;
/// In the original, the name of the voice that speaks where no tag says otherwise.
pub const MAIN_VOICE: &str = "main";

/// A stretch of text with one voice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The name in the tag; `None` before the first tag.
    pub voice: Option<String>,
    /// The text, without tags and without white space around it.
    pub text: String,
}

/// How a text is read.
#[derive(Clone, Copy, Debug)]
pub struct ScriptOptions {
    /// The most characters.
    pub max_characters: usize,
    /// Whether tags choose voices.
    pub tags: Tags,
}

impl Default for ScriptOptions {
    fn default() -> Self {
        Self { max_characters: DEFAULT_MAX_CHARACTERS, tags: Tags::Spoken }
    }
}

/// What `[name]` means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tags {
    /// Words like others.
    #[default]
    Spoken,
    /// The voice of that name speaks from here on.
    ChooseVoice,
}

/// A checked text: not empty, not too long, and every piece has something to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    pieces: Vec<Piece>,
    warnings: Vec<ScriptWarning>,
}

/// Why a text cannot be spoken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// Nothing but white space.
    #[error("the text is empty")]
    Empty,
    /// More than allowed.
    #[error("the text has {characters} characters, at most {max_characters} are allowed")]
    TooLong {
        /// Characters of the text.
        characters: usize,
        /// What is allowed.
        max_characters: usize,
    },
    /// Neither letter nor digit.
    #[error("the text has no letter and no digit, so there is nothing to speak")]
    NothingToSpeak,
}

/// What was changed in a text before it is spoken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScriptWarning {
    /// Control characters.
    #[error("control characters were removed from the text: {count}")]
    ControlCharacters {
        /// How many.
        count: usize,
    },
    /// A piece of one voice without letter or digit.
    #[error("`[{voice}]` has nothing to say and was left out")]
    SilentPiece {
        /// The voice.
        voice: String,
    },
}

impl Script {
    /// Checks `text` and cuts it by voice.
    pub fn parse(text: &str, options: ScriptOptions) -> Result<Self, ScriptError> {
        let (text, controls) = without_controls(text);
        if text.trim().is_empty() {
            return Err(ScriptError::Empty);
        }
        let ScriptOptions { max_characters, tags } = options;
        let characters = text.chars().count();
        if characters > max_characters {
            return Err(ScriptError::TooLong { characters, max_characters });
        }
        let pieces = match tags {
            Tags::Spoken => vec![Piece {
                voice: None,
                text: text.trim_matches(super::is_space).to_owned(),
            }],
            Tags::ChooseVoice => split_by_voice(&text),
        };
        let (pieces, silent): (Vec<_>, Vec<_>) = pieces
            .into_iter()
            .partition(|piece| is_speakable(&piece.text));
        if pieces.is_empty() {
            return Err(ScriptError::NothingToSpeak);
        }
        let controls =
            (controls > 0).then_some(ScriptWarning::ControlCharacters { count: controls });
        let silent = silent.into_iter().map(|piece| ScriptWarning::SilentPiece {
            voice: piece.voice.unwrap_or_else(|| MAIN_VOICE.to_owned()),
        });
        Ok(Self {
            pieces,
            warnings: controls.into_iter().chain(silent).collect(),
        })
    }

    /// What is spoken, in order.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The names of all voices that speak, each once, in order; `None` where no tag said otherwise.
    pub fn voices(&self) -> Vec<Option<&str>> {
        let mut voices = Vec::new();
        for voice in self.pieces.iter().map(|piece| piece.voice.as_deref()) {
            if !voices.contains(&voice) {
                voices.push(voice);
            }
        }
        voices
    }

    /// What was changed.
    pub fn warnings(&self) -> &[ScriptWarning] {
        &self.warnings
    }
}

/// Whether there is anything that a voice can say: a letter, a syllable or a digit.
pub fn is_speakable(text: &str) -> bool {
    text.chars().any(char::is_alphanumeric)
}

/// Cuts a text before each `[name]` tag, as the original's multi-voice mode does.
///
/// The name is made of letters, digits and `_` of any script. Pieces may be empty, where a tag
/// follows a tag. Every name is taken as it is; whether there is such a voice is for the caller.
pub fn split_by_voice(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut voice = None;
    let mut rest = text;
    loop {
        let tag = find_tag(rest);
        let spoken = tag.as_ref().map_or(rest, |tag| &rest[..tag.start]);
        let spoken = spoken.trim_matches(super::is_space);
        if voice.is_some() || !spoken.is_empty() {
            pieces.push(Piece { voice: voice.take(), text: spoken.to_owned() });
        }
        let Some(tag) = tag else { return pieces };
        voice = Some(rest[tag.start + 1..tag.end - 1].to_owned());
        rest = &rest[tag.end..];
    }
}

/// Where the first `[name]` lies, with its brackets.
fn find_tag(text: &str) -> Option<std::ops::Range<usize>> {
    text.match_indices('[').find_map(|(start, _)| {
        let name = &text[start + 1..];
        let end = name.find(|character: char| !character.is_alphanumeric() && character != '_')?;
        (end > 0 && name[end..].starts_with(']')).then_some(start..start + end + 2)
    })
}

/// The text without control characters other than white space, and how many there were.
fn without_controls(text: &str) -> (String, usize) {
    let is_control = |&character: &char| character.is_control() && !character.is_whitespace();
    let count = text.chars().filter(is_control).count();
    (
        text.chars()
            .filter(|character| !is_control(character))
            .collect(),
        count,
    )
}
