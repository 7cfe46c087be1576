#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "colours are between those of a table, places within it"
)]

/// Red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rgb(pub(super) [u8; 3]);

pub(super) const BACKGROUND: Rgb = Rgb([255, 255, 255]);
pub(super) const INK: Rgb = Rgb([32, 32, 40]);
/// A border of words, seen on dark and on bright.
pub(super) const BORDER: Rgb = Rgb([120, 220, 255]);

/// From dark to bright in even steps of lightness, so that it can be read in grey, too.
const HEAT: [[u8; 3]; 9] = [
    [4, 4, 20],
    [32, 16, 72],
    [80, 20, 116],
    [128, 32, 124],
    [176, 48, 116],
    [220, 72, 96],
    [248, 120, 88],
    [252, 180, 116],
    [252, 244, 184],
];

/// The colour of a loudness from 0 to 1; what lies outside takes the colour of its end.
pub(super) fn heat(loudness: f64) -> Rgb {
    let last = HEAT.len() - 1;
    let loudness = if loudness.is_nan() {
        0.0
    } else {
        loudness.clamp(0.0, 1.0)
    };
    let place = loudness * last as f64;
    let index = (place as usize).min(last - 1);
    let part = place - index as f64;
    let mix = |channel: usize| {
        let (from, to) = (f64::from(HEAT[index][channel]), f64::from(HEAT[index + 1][channel]));
        (from + (to - from) * part).round() as u8
    };
    Rgb([mix(0), mix(1), mix(2)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn louder_is_brighter() {
        let lightness = |step: u8| {
            let Rgb([red, green, blue]) = heat(f64::from(step) / 100.0);
            2 * u32::from(red) + 5 * u32::from(green) + u32::from(blue)
        };
        assert!((0..100).all(|step| lightness(step) <= lightness(step + 1)));
    }

    #[test]
    fn everything_has_a_colour() {
        assert_eq!(heat(f64::NAN), heat(0.0));
        assert_eq!(heat(-3.0), Rgb(HEAT[0]));
        assert_eq!(heat(3.0), Rgb(HEAT[8]));
    }
}
