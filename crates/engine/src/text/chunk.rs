//! Cuts a text into chunks that are spoken one by one.

use super::is_space;

/// Cuts `text` at punctuation into chunks of at most `max_bytes` of UTF-8, as the original does.
///
/// A sentence ends at `; : , . ! ?` followed by white space, or at one of their full-width
/// counterparts. A sentence that is longer than `max_bytes` stays whole, and a text of white space
/// gives an empty chunk; [`chunk_text_within`] is stricter.
pub fn chunk_text(text: &str, max_bytes: i64) -> Vec<String> {
    let mut chunks = Vec::new();
    let mut chunk = String::new();
    for sentence in sentences(text) {
        let bytes = i64::try_from(chunk.len() + sentence.len()).unwrap_or(i64::MAX);
        if bytes > max_bytes && !chunk.is_empty() {
            chunks.push(chunk.trim_matches(is_space).to_owned());
            chunk.clear();
        }
        chunk.push_str(sentence);
        if sentence.ends_with(|last: char| last.is_ascii()) {
            chunk.push(' ');
        }
    }
    if !chunk.is_empty() {
        chunks.push(chunk.trim_matches(is_space).to_owned());
    }
    chunks
}

/// A chunk of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextChunk {
    /// What is spoken in one go.
    pub text: String,
    /// Whether it goes on with a sentence that was too long for one chunk.
    pub continues: bool,
}

/// As [`chunk_text`], but no chunk is empty, and none is longer than `limit` bytes.
///
/// This is the one place where we cut otherwise than the original, which runs into the end of the
/// network's position table instead. A sentence that is too long is cut between clauses, else
/// between words, else between characters. `limit` is at least 4, or one character may exceed it.
pub fn chunk_text_within(text: &str, max_bytes: i64, limit: usize) -> Vec<TextChunk> {
    let max_bytes = max_bytes.min(i64::try_from(limit).unwrap_or(i64::MAX));
    let mut chunks = Vec::new();
    for chunk in chunk_text(text, max_bytes) {
        cut(&chunk, limit, &mut chunks);
    }
    chunks
}

/// What the original splits with `(?<=[;:,.!?])\s+|(?<=[；：，。！？])`, without empty parts.
fn sentences(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let (sentence, behind) = rest.split_at(sentence_end(rest));
            let cut_by_white_space = sentence.ends_with(ENDS_BEFORE_WHITE_SPACE);
            rest = if cut_by_white_space {
                behind.trim_start_matches(is_space)
            } else {
                behind
            };
            if !sentence.is_empty() {
                return Some(sentence);
            }
        }
        None
    })
}

const ENDS_BEFORE_WHITE_SPACE: [char; 6] = [';', ':', ',', '.', '!', '?'];
const ENDS_ANYWHERE: [char; 6] = ['；', '：', '，', '。', '！', '？'];

/// The bytes of the first sentence, its mark included.
fn sentence_end(text: &str) -> usize {
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let next = characters.peek().map(|&(_, next)| next);
        let ends = ENDS_ANYWHERE.contains(&character)
            || ENDS_BEFORE_WHITE_SPACE.contains(&character) && next.is_some_and(is_space);
        if ends {
            return at + character.len_utf8();
        }
    }
    text.len()
}

/// Appends `text` in parts of at most `limit` bytes, without white space around them.
fn cut(text: &str, limit: usize, chunks: &mut Vec<TextChunk>) {
    let mut rest = text.trim_matches(is_space);
    let mut continues = false;
    while !rest.is_empty() {
        let place = if rest.len() > limit {
            cut_place(rest, limit)
        } else {
            rest.len()
        };
        let (part, behind) = rest.split_at(place);
        let text = part.trim_matches(is_space).to_owned();
        chunks.push(TextChunk { text, continues });
        rest = behind.trim_matches(is_space);
        continues = true;
    }
}

/// Where to cut a `text` of more than `limit` bytes: such that the parts become about equal.
fn cut_place(text: &str, limit: usize) -> usize {
    let ideal = text.len().div_ceil(text.len().div_ceil(limit.max(1)));
    let window = &text[..text.floor_char_boundary(limit)];
    let places = |is_end: fn(char) -> bool| {
        let ends = window
            .char_indices()
            .filter(move |&(_, character)| is_end(character));
        ends.map(|(at, character)| at + character.len_utf8())
            .filter(|&place| place >= ideal / 2)
            .min_by_key(|place| place.abs_diff(ideal))
    };
    let between_characters = || {
        let place = text.floor_char_boundary(ideal.min(limit));
        if place == 0 {
            text.ceil_char_boundary(1)
        } else {
            place
        }
    };
    places(ends_clause)
        .or_else(|| places(is_space))
        .unwrap_or_else(between_characters)
}

/// Marks that end a clause even where the original does not cut.
///
/// Comma and point are none of them: without white space behind they are part of a number.
const fn ends_clause(character: char) -> bool {
    matches!(
        character,
        ';' | '!'
            | '?'
            | '\n'
            | '；'
            | '：'
            | '，'
            | '。'
            | '！'
            | '？'
            | '、'
            | '…'
            | '—'
            | '–'
            | ')'
            | '）'
            | '”'
            | '」'
            | '』'
            | '》'
            | '»'
            | '।'
            | '،'
            | '؛'
            | '؟'
            | '۔'
    )
}
