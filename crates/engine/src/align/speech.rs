//! The words of speech that was made chunk by chunk.

use super::{
    AlignError, Aligner, Alignment,
    found::{self, Found},
    seconds_of,
};
use crate::{
    speech::{Chunk, Speech},
    text::is_space,
};

/// A word, or the part of it that one chunk speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fragment<'t> {
    text: &'t str,
    /// Which of the words.
    word: usize,
    /// Which of the chunks.
    chunk: usize,
}

impl Aligner<'_> {
    /// Finds when each word of the texts is spoken in a speech that was made of them.
    ///
    /// `texts` are those of the speech's parts, in order. Every chunk is searched alone, where it
    /// lies in the samples that are left of it, so an error never spreads beyond its chunk.
    ///
    /// # Errors
    /// If a chunk cannot be aligned, and if the speech does not hold the texts.
    pub fn align_speech(&self, speech: &Speech, texts: &[&str]) -> Result<Alignment, AlignError> {
        self.measure_speech(speech, texts)?.believable()
    }

    /// Finds where each word is spoken if it is, however unlikely that is.
    ///
    /// # Errors
    /// If a chunk cannot be aligned.
    pub fn measure_speech(&self, speech: &Speech, texts: &[&str]) -> Result<Alignment, AlignError> {
        let texts: Vec<Vec<&str>> = texts.iter().map(|text| self.words(text)).collect();
        let fragments = fragments(&texts, &speech.chunks).ok_or(AlignError::OtherText)?;
        let words = texts.concat();
        let mut found = vec![None; words.len()];
        for fragments in fragments.chunk_by(|one, next| one.chunk == next.chunk) {
            for (fragment, rest) in fragments.iter().zip(self.find_in_chunk(speech, fragments)?) {
                let begin: &mut Option<Found> = &mut found[fragment.word];
                *begin = match (*begin, rest) {
                    (Some(begin), Some(rest)) => Some(begin.with(rest)),
                    (begin, rest) => begin.or(rest),
                };
            }
        }
        if found.iter().all(Option::is_none) {
            return Err(AlignError::NothingSpoken);
        }
        if !found::is_heard(&found) {
            return Err(AlignError::UnknownSounds);
        }
        Ok(found::alignment(&words, found, speech.seconds()))
    }

    /// What is found out about fragments of one chunk, in the time of the whole speech.
    fn find_in_chunk(
        &self,
        speech: &Speech,
        fragments: &[Fragment<'_>],
    ) -> Result<Vec<Option<Found>>, AlignError> {
        let Some(chunk) = fragments
            .first()
            .map(|fragment| &speech.chunks[fragment.chunk])
        else {
            return Ok(Vec::new());
        };
        let words: Vec<&str> = fragments.iter().map(|fragment| fragment.text).collect();
        let samples = speech.place(chunk);
        let begins = seconds_of(samples.start, speech.sample_rate_hz);
        match self.find(&speech.samples[samples], speech.sample_rate_hz, &words) {
            Ok(found) => Ok(found
                .into_iter()
                .map(|found| found.map(|found| found.after(begins)))
                .collect()),
            Err(AlignError::NothingSpoken) => Ok(vec![None; words.len()]),
            Err(source) => {
                Err(AlignError::Chunk { text: chunk.text.clone(), source: Box::new(source) })
            }
        }
    }
}

/// Cuts the words of each part where chunks end. `None`: the chunks are of another text.
fn fragments<'t>(texts: &[Vec<&'t str>], chunks: &[Chunk]) -> Option<Vec<Fragment<'t>>> {
    let mut fragments = Vec::new();
    let mut spoken = chunks.iter().enumerate().flat_map(|(index, chunk)| {
        let characters = chunk.text.chars().filter(|&character| !is_space(character));
        characters.map(move |character| (character, index))
    });
    for (word, text) in texts.iter().flatten().enumerate() {
        let mut start = 0;
        let mut current = None;
        for (at, character) in text.char_indices() {
            let (found, chunk) = spoken.next()?;
            if found != character {
                return None;
            }
            if let Some(before) = current.filter(|&before| before != chunk) {
                fragments.push(Fragment { text: &text[start..at], word, chunk: before });
                start = at;
            }
            current = Some(chunk);
        }
        fragments.extend(current.map(|chunk| Fragment { text: &text[start..], word, chunk }));
    }
    spoken.next().is_none().then_some(fragments)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::chunk::chunk_text_within;

    fn chunk(text: &str) -> Chunk {
        Chunk {
            text: text.to_owned(),
            part: 0,
            frames: 1,
            start_sample: 0,
            samples: 1,
        }
    }

    #[test]
    fn words_are_cut_where_chunks_end() {
        let texts = [vec!["Well,", "你好！”", "no"]];
        let chunks = [chunk("Well, 你好！"), chunk("” no")];
        let found = fragments(&texts, &chunks).unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|fragment| (fragment.text, fragment.word, fragment.chunk))
            .collect();
        assert_eq!(found, [("Well,", 0, 0), ("你好！", 1, 0), ("”", 1, 1), ("no", 2, 1)]);
    }

    #[test]
    fn chunks_of_another_text_are_refused() {
        let texts = [vec!["One", "two"]];
        assert_eq!(fragments(&texts, &[chunk("One")]), None);
        assert_eq!(fragments(&texts, &[chunk("One two three")]), None);
        assert_eq!(fragments(&texts, &[chunk("One tow")]), None);
    }

    proptest! {
        #[test]
        fn every_character_is_in_the_fragment_of_its_chunk(
            text in "([a-c,.!？。你 ]|ab, |你好。){0,60}",
            limit in 4_usize..40,
        ) {
            let chunks: Vec<Chunk> =
                chunk_text_within(&text, 12, limit).iter().map(|found| chunk(&found.text)).collect();
            let words: Vec<&str> = text.split(is_space).filter(|word| !word.is_empty()).collect();
            let fragments = fragments(std::slice::from_ref(&words), &chunks).unwrap();
            for (index, word) in words.iter().enumerate() {
                let parts = fragments.iter().filter(|fragment| fragment.word == index);
                prop_assert_eq!(parts.map(|part| part.text).collect::<String>(), *word);
            }
            for (index, chunk) in chunks.iter().enumerate() {
                let parts = fragments.iter().filter(|fragment| fragment.chunk == index);
                let spoken: String = chunk.text.split(is_space).collect();
                prop_assert_eq!(parts.map(|part| part.text).collect::<String>(), spoken);
            }
        }
    }
}
