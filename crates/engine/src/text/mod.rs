//! From text to what the network reads: a script becomes pieces, chunks, tokens, and numbers.
//!
//! In the order of the work: [`script`] checks what was given and cuts it by voice, [`plan`] cuts
//! each piece into chunks of bearable length ([`chunk`]), [`tokenize`] spells a chunk, Chinese in
//! pinyin ([`pinyin`]), and [`vocab`] numbers the tokens. [`mod@reference`] prepares the transcript
//! that the text continues.

pub mod chunk;
pub mod pinyin;
pub mod plan;
pub mod reference;
pub mod script;
pub mod tokenize;
pub mod vocab;

/// White space as Python has it: that of Unicode, and four separators of ASCII.
pub(crate) fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\x1C'..='\x1F').contains(&character)
}
