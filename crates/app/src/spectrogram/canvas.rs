use font8x8::legacy::BASIC_LEGACY;

use super::colour::Rgb;

/// How many pixels a pixel of the font takes.
const ZOOM: usize = 2;
/// Width and height of a character.
pub(super) const GLYPH: usize = 8 * ZOOM;

/// Where a text lies from its place.
#[derive(Clone, Copy, Debug)]
pub(super) enum Align {
    Left,
    Centre,
    Right,
}

/// Pixels. What lies outside is not drawn.
#[derive(Debug)]
pub(super) struct Canvas {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

impl Canvas {
    pub(super) fn new(width: usize, height: usize, Rgb(background): Rgb) -> Self {
        Self { width, height, rgb: background.repeat(width * height) }
    }

    pub(super) const fn width(&self) -> usize {
        self.width
    }

    pub(super) const fn height(&self) -> usize {
        self.height
    }

    /// Three bytes a pixel, row by row from the top.
    pub(super) fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// Fills a rectangle.
    pub(super) fn fill(
        &mut self,
        (left, top): (usize, usize),
        (width, height): (usize, usize),
        colour: Rgb,
    ) {
        for y in top..(top + height).min(self.height) {
            for x in left..(left + width).min(self.width) {
                let at = (y * self.width + x) * 3;
                self.rgb[at..at + 3].copy_from_slice(&colour.0);
            }
        }
    }

    /// Draws a line around a rectangle.
    pub(super) fn frame(
        &mut self,
        (left, top): (usize, usize),
        (width, height): (usize, usize),
        colour: Rgb,
    ) {
        let (before, above) = (left.saturating_sub(1), top.saturating_sub(1));
        self.fill((before, above), (width + 2, 1), colour);
        self.fill((before, top + height), (width + 2, 1), colour);
        self.fill((before, above), (1, height + 2), colour);
        self.fill((left + width, above), (1, height + 2), colour);
    }

    /// Writes a line; characters beyond ASCII become `?`.
    pub(super) fn text(&mut self, text: &str, (x, y): (usize, usize), align: Align, colour: Rgb) {
        let width = text.chars().count() * GLYPH;
        let left = match align {
            Align::Left => x,
            Align::Centre => x.saturating_sub(width / 2),
            Align::Right => x.saturating_sub(width),
        };
        for (index, character) in text.chars().enumerate() {
            self.glyph(character, (left + index * GLYPH, y), colour);
        }
    }

    fn glyph(&mut self, character: char, (left, top): (usize, usize), colour: Rgb) {
        let code = if character.is_ascii_graphic() || character == ' ' {
            character
        } else {
            '?'
        };
        for (row, bits) in BASIC_LEGACY[code as usize].into_iter().enumerate() {
            for column in (0..8).filter(|column| bits & (1 << column) != 0) {
                self.fill((left + column * ZOOM, top + row * ZOOM), (ZOOM, ZOOM), colour);
            }
        }
    }
}
