#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "samples and places made for the tests"
)]

mod decoding;
mod encoding;
mod quality;
mod rates;
mod reference;
mod spectrum;
