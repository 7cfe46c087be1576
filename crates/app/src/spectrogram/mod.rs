//! A picture of the generated mel, with axes that people can read.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "places in a picture of a few thousand pixels, never below zero"
)]

mod axis;
mod canvas;
mod colour;
mod words;

use anyhow::Context;
use f5tts_engine::{HOP_LENGTH, MEL_CHANNELS, SAMPLE_RATE_HZ, align::WordTiming};

use axis::{frequency_ticks, time_ticks};
use canvas::{Align, Canvas, GLYPH};
use colour::{BACKGROUND, INK, heat};

/// Pixels of a mel channel from bottom to top.
const CHANNEL_PIXELS: usize = 4;
/// The picture of the mel is at least so wide, so that the title fits, and not much wider than this.
const PLOT_WIDTH: std::ops::Range<usize> = 720..2400;
const MARGIN: Margin = Margin { left: 84, top: 76, right: 120, bottom: 64 };
/// What is shown below the loudest value; the rest is background noise.
const RANGE_DB: f64 = 80.0;
const TICK_PIXELS: usize = 6;
const SCALE_WIDTH: usize = 16;
/// A natural logarithm of an amplitude in decibels.
const DECIBELS: f64 = 20.0 * std::f64::consts::LOG10_E;

struct Margin {
    left: usize,
    top: usize,
    right: usize,
    bottom: usize,
}

/// A log-mel spectrogram and what stands above it.
#[derive(Debug)]
pub(crate) struct Spectrogram<'a> {
    /// (frames, 100), natural logarithms.
    mel: &'a [f32],
    /// Up to two lines.
    caption: &'a str,
    /// What is shown below, where it is spoken.
    words: &'a [WordTiming],
}

impl<'a> Spectrogram<'a> {
    /// Takes the mel of a speech: (frames, 100).
    pub(crate) const fn new(mel: &'a [f32], caption: &'a str) -> Self {
        Self { mel, caption, words: &[] }
    }

    /// The same with words below the mel.
    pub(crate) const fn with_words(self, words: &'a [WordTiming]) -> Self {
        Self { words, ..self }
    }

    /// Draws it as a PNG file.
    pub(crate) fn to_png(&self) -> anyhow::Result<Vec<u8>> {
        let canvas = self.draw();
        let mut png = Vec::new();
        let (width, height) = (u32::try_from(canvas.width())?, u32::try_from(canvas.height())?);
        let mut encoder = png::Encoder::new(&mut png, width, height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder
            .write_header()
            .context("could not draw the spectrogram")?;
        writer
            .write_image_data(canvas.rgb())
            .context("could not draw the spectrogram")?;
        writer.finish().context("could not draw the spectrogram")?;
        Ok(png)
    }

    fn draw(&self) -> Canvas {
        let plot = Plot::new(self.mel);
        let width = MARGIN.left + plot.width + MARGIN.right;
        let rows = words::rows(self.words, plot.seconds(), plot.width);
        let height = MARGIN.top + plot.height + MARGIN.bottom + words::height(&rows);
        let mut canvas = Canvas::new(width, height, BACKGROUND);
        plot.draw(&mut canvas);
        words::draw(&rows, &plot, &mut canvas);
        plot.draw_time_axis(&mut canvas);
        plot.draw_frequency_axis(&mut canvas);
        plot.draw_scale(&mut canvas);
        let columns = (width - MARGIN.left - 2 * GLYPH) / GLYPH;
        for (row, line) in self.caption.lines().take(2).enumerate() {
            let line = shortened(line, columns);
            canvas.text(&line, (MARGIN.left, 10 + row * (GLYPH + 6)), Align::Left, INK);
        }
        canvas
    }
}

/// The mel on its pixels.
struct Plot<'a> {
    mel: &'a [f32],
    frames: usize,
    width: usize,
    height: usize,
    loudest_db: f64,
}

impl<'a> Plot<'a> {
    fn new(mel: &'a [f32]) -> Self {
        let frames = (mel.len() / MEL_CHANNELS).max(1);
        let zoom = (PLOT_WIDTH.start.div_ceil(frames)).max(1);
        let loudest = mel
            .iter()
            .copied()
            .filter(|value| value.is_finite())
            .fold(f32::MIN, f32::max);
        Self {
            mel,
            frames,
            width: (frames * zoom).min(PLOT_WIDTH.end),
            height: MEL_CHANNELS * CHANNEL_PIXELS,
            loudest_db: f64::from(loudest) * DECIBELS,
        }
    }

    fn seconds(&self) -> f64 {
        frames_to_seconds(self.frames)
    }

    fn draw(&self, canvas: &mut Canvas) {
        for x in 0..self.width {
            for channel in 0..MEL_CHANNELS {
                let colour = heat(self.loudness(x, channel));
                let bottom = MARGIN.top + self.height - channel * CHANNEL_PIXELS;
                canvas.fill(
                    (MARGIN.left + x, bottom - CHANNEL_PIXELS),
                    (1, CHANNEL_PIXELS),
                    colour,
                );
            }
        }
        canvas.frame((MARGIN.left, MARGIN.top), (self.width, self.height), INK);
    }

    /// The loudest frame that a column of pixels stands for: 0 (quiet) to 1.
    fn loudness(&self, x: usize, channel: usize) -> f64 {
        let first = x * self.frames / self.width;
        let end = ((x + 1) * self.frames).div_ceil(self.width).max(first + 1);
        let values = (first..end).filter_map(|frame| self.mel.get(frame * MEL_CHANNELS + channel));
        let loudest = values.copied().fold(f32::MIN, f32::max);
        1.0 + (f64::from(loudest) * DECIBELS - self.loudest_db) / RANGE_DB
    }

    fn draw_time_axis(&self, canvas: &mut Canvas) {
        let bottom = MARGIN.top + self.height;
        let seconds = self.seconds();
        for (label, part) in time_ticks(seconds, self.width / (7 * GLYPH)) {
            let x = MARGIN.left + along(part, self.width);
            canvas.fill((x, bottom), (1, TICK_PIXELS), INK);
            canvas.text(&label, (x, bottom + TICK_PIXELS + 4), Align::Centre, INK);
        }
        let middle = (MARGIN.left + self.width / 2, bottom + TICK_PIXELS + GLYPH + 12);
        canvas.text("time (s)", middle, Align::Centre, INK);
    }

    fn draw_frequency_axis(&self, canvas: &mut Canvas) {
        for (label, part) in frequency_ticks(SAMPLE_RATE_HZ) {
            let y = MARGIN.top + self.height - along(part, self.height);
            canvas.fill((MARGIN.left - TICK_PIXELS, y), (TICK_PIXELS, 1), INK);
            let place = (MARGIN.left - TICK_PIXELS - 4, y - GLYPH / 2);
            canvas.text(&label, place, Align::Right, INK);
        }
        canvas.text("kHz, mel scale", (8, MARGIN.top - GLYPH - 10), Align::Left, INK);
    }

    /// What the colours mean.
    fn draw_scale(&self, canvas: &mut Canvas) {
        let left = MARGIN.left + self.width + 16;
        for row in 0..self.height {
            let part = 1.0 - row as f64 / self.height as f64;
            canvas.fill((left, MARGIN.top + row), (SCALE_WIDTH, 1), heat(part));
        }
        canvas.frame((left, MARGIN.top), (SCALE_WIDTH, self.height), INK);
        for below_db in [0, 20, 40, 60, 80] {
            let y = MARGIN.top + along(f64::from(below_db) / RANGE_DB, self.height);
            canvas.fill((left + SCALE_WIDTH, y), (TICK_PIXELS, 1), INK);
            let label = if below_db == 0 {
                "0".to_owned()
            } else {
                format!("-{below_db}")
            };
            let place = (left + SCALE_WIDTH + TICK_PIXELS + 4, y - GLYPH / 2);
            canvas.text(&label, place, Align::Left, INK);
        }
        canvas.text("dB", (left, MARGIN.top - GLYPH - 10), Align::Left, INK);
    }
}

fn shortened(line: &str, columns: usize) -> String {
    if line.chars().count() <= columns {
        return line.to_owned();
    }
    let kept: String = line.chars().take(columns.saturating_sub(3)).collect();
    format!("{}...", kept.trim_end())
}

fn along(part: f64, pixels: usize) -> usize {
    (part * pixels as f64).round() as usize
}

fn frames_to_seconds(frames: usize) -> f64 {
    (frames * HOP_LENGTH) as f64 / f64::from(SAMPLE_RATE_HZ)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tone that rises through all channels, on a quiet ground.
    fn rising(frames: usize) -> Vec<f32> {
        let mut mel = vec![-11.5; frames * MEL_CHANNELS];
        for frame in 0..frames {
            mel[frame * MEL_CHANNELS + frame * MEL_CHANNELS / frames] = 1.0;
        }
        mel
    }

    fn decoded(png: &[u8]) -> (usize, usize, Vec<u8>) {
        let mut reader = png::Decoder::new(std::io::Cursor::new(png))
            .read_info()
            .unwrap();
        let mut rgb = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut rgb).unwrap();
        (info.width as usize, info.height as usize, rgb)
    }

    #[test]
    fn time_goes_right_and_frequency_up() {
        let mel = rising(280);
        let (width, height, rgb) = decoded(&Spectrogram::new(&mel, "A tone").to_png().unwrap());
        let pixel = |x: usize, y: usize| -> u32 {
            let at = (y * width + x) * 3;
            rgb[at..at + 3].iter().map(|&value| u32::from(value)).sum()
        };
        let bottom = height - MARGIN.bottom;
        let (early, late) = (MARGIN.left + 20, width - MARGIN.right - 20);
        let brightest = |x: usize| {
            (MARGIN.top + 2..bottom - 2)
                .max_by_key(|&y| pixel(x, y))
                .unwrap()
        };
        assert!(brightest(early) > bottom - 30 && brightest(late) < MARGIN.top + 30);
    }

    #[test]
    fn words_stand_below_with_their_borders() {
        let word = |start: f64, end: f64| WordTiming {
            word: "word".to_owned(),
            start,
            end,
            confidence: 1.0,
        };
        let mel = vec![-11.5; 280 * MEL_CHANNELS];
        let height = |words: &[WordTiming]| {
            decoded(
                &Spectrogram::new(&mel, "")
                    .with_words(words)
                    .to_png()
                    .unwrap(),
            )
            .1
        };
        // Two words on top of each other need a row more than two beside each other.
        let [none, apart, close] = [
            vec![],
            vec![word(0.0, 1.0), word(1.5, 2.0)],
            vec![word(0.0, 0.02), word(0.02, 0.04)],
        ];
        assert!(height(&none) < height(&apart) && height(&apart) < height(&close));
    }

    #[test]
    fn any_length_gives_a_picture_of_bearable_size() {
        for frames in [0, 1, 50, 20_000] {
            let (width, _, _) = decoded(&Spectrogram::new(&rising(frames), "").to_png().unwrap());
            assert!((600..2700).contains(&width), "{frames} frames are {width} pixels wide");
        }
    }
}
