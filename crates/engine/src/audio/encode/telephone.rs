//! The two laws of ITU-T G.711: eight bits, of which three count the octave of the magnitude.

#![expect(
    clippy::cast_possible_truncation,
    reason = "every part of a code is less than a byte"
)]

use super::to_i16;

/// Writes samples within ±1, a byte each.
pub(super) fn mu_law(samples: &[f32]) -> Vec<u8> {
    samples
        .iter()
        .map(|&sample| mu_law_byte(to_i16(sample)))
        .collect()
}

/// Writes samples within ±1, a byte each.
pub(super) fn a_law(samples: &[f32]) -> Vec<u8> {
    samples
        .iter()
        .map(|&sample| a_law_byte(to_i16(sample)))
        .collect()
}

fn mu_law_byte(sample: i16) -> u8 {
    /// Makes the lowest octave as fine as linear.
    const BIAS: u16 = 33 << 2;
    let magnitude = sample.unsigned_abs().min(0x7fff - BIAS) + BIAS;
    let code = octave_code(magnitude, magnitude.ilog2() - 7);
    // Transmitted inverted, so that silence has many ones.
    !(code | sign_bit(sample < 0))
}

fn a_law_byte(sample: i16) -> u8 {
    // Twelve bits and the sign; minus one and zero are both the smallest magnitude.
    let magnitude = if sample < 0 { !sample } else { sample }.unsigned_abs();
    let octave = (magnitude >> 7).checked_ilog2().unwrap_or(0);
    let code = match magnitude >> 8 {
        0 => (magnitude >> 4) as u8,
        _ => octave_code(magnitude, octave),
    };
    // Every other bit is inverted, again for the sake of silence.
    (code | sign_bit(sample >= 0)) ^ 0x55
}

/// The octave, and the four bits below the leading one of the magnitude.
fn octave_code(magnitude: u16, octave: u32) -> u8 {
    (octave as u8) << 4 | (magnitude >> (octave + 3) & 0xf) as u8
}

fn sign_bit(is_set: bool) -> u8 {
    u8::from(is_set) << 7
}
