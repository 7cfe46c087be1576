//! The transcript of the reference recording, which the text to speak continues.

use super::is_space;

/// The transcript of a reference recording, ended as the network expects it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferenceText {
    text: String,
    /// Bytes of `text` that were given.
    spoken_bytes: usize,
}

impl ReferenceText {
    /// Ends the transcript in `. ` unless it ends so or in `。`.
    ///
    /// `None` if there is nothing but white space: then it must be transcribed first.
    pub fn new(transcript: &str) -> Option<Self> {
        if transcript.chars().all(is_space) {
            return None;
        }
        let end = if transcript.ends_with(". ") || transcript.ends_with('。') {
            ""
        } else if transcript.ends_with('.') {
            " "
        } else {
            ". "
        };
        Some(Self {
            text: format!("{transcript}{end}"),
            spoken_bytes: transcript.len(),
        })
    }

    /// The transcript; its bytes count for [`crate::duration::chunk_bytes`].
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What stands before every chunk: the transcript, with a further blank if it ends in ASCII.
    pub fn prompt(&self) -> String {
        let blank = if self.text.ends_with(|last: char| last.is_ascii()) {
            " "
        } else {
            ""
        };
        format!("{}{blank}", self.text)
    }

    /// What was given, without white space around it.
    pub fn spoken(&self) -> &str {
        self.text[..self.spoken_bytes].trim_matches(is_space)
    }

    /// Whether what was given ends like a sentence; if not, speech often begins with its rest.
    pub fn was_punctuated(&self) -> bool {
        let closing = ['"', '\'', ')', '”', '’', '»', '」', '』', '）'];
        let spoken = self.spoken().trim_end_matches(closing);
        spoken.ends_with(['.', '!', '?', '…', '。', '！', '？', '।', '؟', '۔'])
    }
}
