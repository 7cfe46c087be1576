//! The words below the mel, each where it is spoken, and their borders in it.

use f5tts_engine::align::WordTiming;

use super::{
    MARGIN, Plot, TICK_PIXELS, along,
    canvas::{Align, Canvas, GLYPH},
    colour::{BORDER, INK},
};

/// How far below the mel the first row of words stands: below the time axis.
const BELOW_AXIS: usize = TICK_PIXELS + 2 * GLYPH + 24;
const ROW_HEIGHT: usize = GLYPH + 8;
/// Each third pixel of a border is drawn, so that the mel shows through.
const DASH: usize = 3;

/// Where a word begins and ends, in pixels of the mel.
#[derive(Debug)]
pub(super) struct Label<'a> {
    word: &'a str,
    start: usize,
    end: usize,
}

/// Words that do not touch each other.
type Row<'a> = Vec<Label<'a>>;

/// Distributes the words to rows, each to the first in which it has room.
pub(super) fn rows(words: &[WordTiming], seconds: f64, width: usize) -> Vec<Row<'_>> {
    let place = |time: f64| along((time / seconds).clamp(0.0, 1.0), width);
    let mut rows: Vec<Row<'_>> = Vec::new();
    for word in words {
        let label = Label {
            word: &word.word,
            start: place(word.start),
            end: place(word.end),
        };
        let room = rows.iter_mut().find(|row| {
            row.last()
                .is_none_or(|last| last.text_end() + GLYPH / 2 <= label.start)
        });
        match room {
            Some(row) => row.push(label),
            None => rows.push(vec![label]),
        }
    }
    rows
}

/// The height of the rows.
pub(super) fn height(rows: &[Row<'_>]) -> usize {
    rows.len() * ROW_HEIGHT
}

/// Draws the rows, and the borders of the words across the mel.
pub(super) fn draw(rows: &[Row<'_>], plot: &Plot<'_>, canvas: &mut Canvas) {
    let below = MARGIN.top + plot.height + BELOW_AXIS;
    for (row, top) in rows.iter().zip((below..).step_by(ROW_HEIGHT)) {
        for label in row {
            for x in [label.start, label.end] {
                for y in (MARGIN.top..MARGIN.top + plot.height).step_by(DASH) {
                    canvas.fill((MARGIN.left + x, y), (1, 1), BORDER);
                }
            }
            let left = MARGIN.left + label.start;
            canvas.fill((left, top - 3), (label.end.saturating_sub(label.start).max(2), 2), INK);
            canvas.text(label.word, (left, top), Align::Left, INK);
        }
    }
}

impl Label<'_> {
    /// Where its letters end.
    fn text_end(&self) -> usize {
        self.end.max(self.start + self.word.chars().count() * GLYPH)
    }
}
