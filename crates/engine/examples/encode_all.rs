//! Writes a recording in every format and at every usual rate, for `tools/audio_check.py`.
#![expect(clippy::print_stdout, reason = "a program")]

use std::{env, error::Error, fs, path::PathBuf};

use f5tts_engine::audio::{
    DecodeLimits, EncodeError, Encoding, Format, decode, encode, resample_output,
};

const RATES_HZ: &[u32] = &[
    8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000,
];

/// Every format, and those with a choice also at a low bitrate.
fn encodings() -> impl Iterator<Item = Encoding> {
    let low = |format| Encoding { format, bitrate_kbps: Some(32) };
    let formats = Format::ALL.iter().copied();
    let choosable = formats.clone().filter(|format| format.has_bitrate());
    formats.map(Encoding::from).chain(choosable.map(low))
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1).map(PathBuf::from);
    let (Some(source), Some(directory)) = (arguments.next(), arguments.next()) else {
        return Err("usage: encode_all RECORDING DIRECTORY".into());
    };
    let recording = decode(&fs::read(source)?, &DecodeLimits::default())?;
    let mono = recording.to_mono();
    for &rate_hz in RATES_HZ {
        let samples = resample_output(&mono, recording.format().sample_rate_hz, rate_hz);
        for encoding in encodings() {
            let encoded = match encode(&samples, rate_hz, encoding) {
                Err(EncodeError::SampleRate { .. }) => continue,
                encoded => encoded?,
            };
            let bitrate = encoding
                .bitrate_kbps
                .map_or(String::new(), |kbps| format!("@{kbps}"));
            let name = format!("{}{bitrate}-{rate_hz}.{}", encoding.format, encoded.extension);
            fs::write(directory.join(&name), &encoded.bytes)?;
            println!("{name} {} samples, {} bytes", samples.len(), encoded.bytes.len());
        }
    }
    Ok(())
}
