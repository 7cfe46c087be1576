//! The tokens that a model knows, and their numbers.

use std::collections::HashMap;

/// The tokens of a model, from its `vocab.txt`.
#[derive(Clone, Debug)]
pub struct Vocab {
    ids: HashMap<String, u32>,
    largest: u32,
    warnings: Vec<VocabWarning>,
}

const MAX_BYTES: usize = 16 << 20;
const MAX_TOKENS: usize = 1 << 20;
const BLANK: &str = " ";
/// What a token without number becomes: that of the blank, in every vocabulary that was published.
const UNKNOWN: u32 = 0;

/// Why a file is no vocabulary.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VocabError {
    /// Nothing in it.
    #[error("the vocabulary is empty")]
    Empty,
    /// No vocabulary is that large.
    #[error("the vocabulary has {bytes} bytes, at most {MAX_BYTES} are allowed")]
    TooLarge {
        /// The size of the file.
        bytes: usize,
    },
    /// No vocabulary is that long.
    #[error("the vocabulary has {tokens} lines, at most {MAX_TOKENS} are allowed")]
    TooMany {
        /// Lines of the file.
        tokens: usize,
    },
    /// Not text.
    #[error("the vocabulary is not UTF-8: the first {valid_bytes} bytes are")]
    NotUtf8 {
        /// How many bytes are valid.
        valid_bytes: usize,
        /// What is wrong behind them.
        source: std::str::Utf8Error,
    },
    /// The embedding of the checkpoint has too few rows.
    #[error("the vocabulary needs {needed} rows of the text embedding, the checkpoint has {rows}")]
    TooFewRows {
        /// What the largest number needs.
        needed: usize,
        /// What there is.
        rows: usize,
    },
}

/// What is unusual about a vocabulary that can be used nevertheless.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VocabWarning {
    /// Unknown tokens are read as the first line.
    #[error(
        "the first line of the vocabulary is `{token}`, not a blank: unknown characters are read as it"
    )]
    FirstIsNotBlank {
        /// The token there.
        token: String,
    },
    /// The last one counts.
    #[error("line {line} of the vocabulary repeats the token `{token}` of line {first}")]
    Duplicate {
        /// The token.
        token: String,
        /// Where it is repeated, from 1.
        line: usize,
        /// Where it stood before.
        first: usize,
    },
    /// No text has this token.
    #[error("line {line} of the vocabulary is empty")]
    EmptyLine {
        /// Which, from 1.
        line: usize,
    },
    /// The original cuts off one character there, and so do we.
    #[error(
        "the last line of the vocabulary has no line end, so its token loses its last character and is read as `{token}`"
    )]
    NoLastLineEnd {
        /// What is left of the token.
        token: String,
    },
}

impl Vocab {
    /// Reads a `vocab.txt`: one token a line, numbered from 0; lines end in LF or CRLF.
    ///
    /// A token that occurs twice has its last number. Behind the last token there must be a line
    /// end: the original takes one character off every line, whatever it is.
    pub fn parse(bytes: &[u8]) -> Result<Self, VocabError> {
        if bytes.len() > MAX_BYTES {
            return Err(VocabError::TooLarge { bytes: bytes.len() });
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|source| VocabError::NotUtf8 { valid_bytes: source.valid_up_to(), source })?;
        // Python takes a lone CR for a line end as well.
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let mut vocab = Self { ids: HashMap::new(), largest: 0, warnings: Vec::new() };
        let mut lines = 0;
        for line in text.split_inclusive('\n') {
            if lines == MAX_TOKENS {
                return Err(VocabError::TooMany { tokens: text.split_inclusive('\n').count() });
            }
            vocab.add(line, lines);
            lines += 1;
        }
        if lines == 0 {
            Err(VocabError::Empty)
        } else {
            Ok(vocab)
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "a vocabulary has less than 2^20 lines"
    )]
    fn add(&mut self, line: &str, index: usize) {
        let token = line
            .strip_suffix('\n')
            .map(|line| line.strip_suffix('\r').unwrap_or(line));
        let token = token.unwrap_or_else(|| {
            let mut characters = line.chars();
            characters.next_back();
            let token = characters.as_str();
            self.warnings
                .push(VocabWarning::NoLastLineEnd { token: token.to_owned() });
            token
        });
        if index == 0 && token != BLANK {
            self.warnings
                .push(VocabWarning::FirstIsNotBlank { token: token.to_owned() });
        }
        if token.is_empty() {
            self.warnings
                .push(VocabWarning::EmptyLine { line: index + 1 });
        }
        self.largest = index as u32;
        if let Some(first) = self.ids.insert(token.to_owned(), self.largest) {
            self.warnings.push(VocabWarning::Duplicate {
                token: token.to_owned(),
                line: index + 1,
                first: first as usize + 1,
            });
        }
    }

    /// The number of different tokens.
    pub fn size(&self) -> usize {
        self.ids.len()
    }

    /// What is unusual about it.
    pub fn warnings(&self) -> &[VocabWarning] {
        &self.warnings
    }

    /// Checks that the text embedding has a row for each number, and one for the filler before them.
    pub const fn check_rows(&self, rows: usize) -> Result<(), VocabError> {
        let needed = self.largest as usize + 2;
        if rows < needed {
            Err(VocabError::TooFewRows { needed, rows })
        } else {
            Ok(())
        }
    }

    /// The numbers of `tokens`; one that is not in the vocabulary has that of the blank, 0.
    ///
    /// The network adds 1 to them, since its 0 is the filler.
    pub fn ids<T: AsRef<str>>(&self, tokens: &[T]) -> Vec<u32> {
        let id = |token: &T| self.ids.get(token.as_ref()).copied().unwrap_or(UNKNOWN);
        tokens.iter().map(id).collect()
    }

    /// Those of `tokens` that are not in the vocabulary, each once, in order: they will be silent.
    pub fn unknown<'a, T: AsRef<str>>(&self, tokens: &'a [T]) -> Vec<&'a str> {
        let mut unknown = Vec::new();
        for token in tokens.iter().map(AsRef::as_ref) {
            if !self.ids.contains_key(token) && !unknown.contains(&token) {
                unknown.push(token);
            }
        }
        unknown
    }
}
