//! The text to speak: from the command line, standard input or a file.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use anyhow::{Context, anyhow};

use crate::failure::{Failure, OrBadInput};

/// The longest UTF-8 sequence, in bytes.
const LONGEST_CHARACTER_BYTES: u64 = 4;
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Where the text comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TextSource<'a> {
    /// The command line.
    Given(&'a str),
    /// Standard input.
    Input,
    /// A file.
    File(&'a Path),
}

impl<'a> TextSource<'a> {
    /// `text` is `-` for standard input; `file` counts where there is none.
    pub(crate) fn new(text: Option<&'a str>, file: Option<&'a Path>) -> Self {
        match (text, file) {
            (Some("-"), _) => Self::Input,
            (Some(text), _) => Self::Given(text),
            (None, Some(file)) if file == Path::new("-") => Self::Input,
            (None, Some(file)) => Self::File(file),
            (None, None) => Self::Given(""),
        }
    }

    /// Reads the text, without a byte order mark.
    ///
    /// It ends early, with an error, where no text of `max_characters` can have so many bytes.
    pub(crate) fn read(self, max_characters: u32) -> Result<String, Failure> {
        let max_bytes = LONGEST_CHARACTER_BYTES * (u64::from(max_characters) + 1);
        match self {
            Self::Given(text) => Ok(text.to_owned()),
            Self::Input => text_of(io::stdin().lock(), max_bytes).or_bad_input_in("standard input"),
            Self::File(path) => {
                let text = File::open(path)
                    .context("could not open it")
                    .and_then(|file| text_of(file, max_bytes));
                text.or_bad_input_in(format!("the text file `{}`", path.display()))
            }
        }
    }
}

fn text_of(source: impl Read, max_bytes: u64) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    source
        .take(max_bytes + 1)
        .read_to_end(&mut bytes)
        .context("could not read it")?;
    if bytes.len() as u64 > max_bytes {
        return Err(anyhow!(
            "it is longer than {max_bytes} bytes; `--max-characters` sets what is allowed"
        ));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid_bytes = error.utf8_error().valid_up_to();
        anyhow!("it is not UTF-8 text, as byte {} shows", valid_bytes + 1)
    })?;
    match text.strip_prefix(BYTE_ORDER_MARK) {
        Some(rest) => Ok(rest.to_owned()),
        None => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_byte_order_mark_is_dropped() {
        assert_eq!(text_of("\u{feff}Hello.".as_bytes(), 100).unwrap(), "Hello.");
    }

    #[test]
    fn other_encodings_are_refused() {
        let error = text_of(&b"Gr\xfc\xdfe"[..], 100).unwrap_err();
        assert_eq!(error.to_string(), "it is not UTF-8 text, as byte 3 shows");
    }

    #[test]
    fn endless_input_is_not_read_to_its_end() {
        let error = text_of(io::repeat(b'a'), 100).unwrap_err();
        assert!(error.to_string().contains("longer than 100 bytes"), "{error}");
    }

    proptest! {
        #[test]
        fn any_text_of_allowed_length_is_read_as_it_is(text in "[^\u{feff}]{0,25}") {
            prop_assert_eq!(text_of(text.as_bytes(), 100).unwrap(), text);
        }
    }
}
