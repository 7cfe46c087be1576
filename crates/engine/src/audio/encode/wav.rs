use super::{EncodeError, Format, to_i16};

/// How a sample is stored.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sample {
    Int16,
    Int24,
    Float32,
}

impl Sample {
    fn bytes(self) -> u16 {
        match self {
            Self::Int16 => 2,
            Self::Int24 => 3,
            Self::Float32 => 4,
        }
    }

    /// `WAVE_FORMAT_PCM` or `WAVE_FORMAT_IEEE_FLOAT`.
    fn tag(self) -> u16 {
        match self {
            Self::Int16 | Self::Int24 => 1,
            Self::Float32 => 3,
        }
    }

    fn format(self) -> Format {
        match self {
            Self::Int16 => Format::Wav,
            Self::Int24 => Format::Wav24,
            Self::Float32 => Format::WavF32,
        }
    }
}

const HEADER_BYTES: u32 = 44;

/// The beginning of a WAV file whose length is not known yet: 16-bit mono samples follow.
///
/// Both sizes in it are the largest number, which players read as "to the end of the stream".
pub fn stream_header(sample_rate_hz: u32) -> Vec<u8> {
    header(sample_rate_hz, Sample::Int16, Sizes { riff: u32::MAX, data: u32::MAX })
}

/// Writes mono samples within ±1.
pub(super) fn write(
    samples: &[f32],
    sample_rate_hz: u32,
    sample: Sample,
) -> Result<Vec<u8>, EncodeError> {
    let sizes = Sizes::of(samples.len(), sample);
    let too_long = EncodeError::TooLong { format: sample.format(), samples: samples.len() };
    let mut bytes = header(sample_rate_hz, sample, sizes.ok_or(too_long)?);
    bytes.reserve(samples.len() * usize::from(sample.bytes()) + 1);
    match sample {
        Sample::Int16 => bytes.extend(samples.iter().flat_map(|&s| to_i16(s).to_le_bytes())),
        Sample::Int24 => {
            let integers = samples.iter().map(|&s| to_i24(s).to_le_bytes());
            bytes.extend(integers.flat_map(|[a, b, c, _]| [a, b, c]));
        }
        Sample::Float32 => bytes.extend(samples.iter().flat_map(|s| s.to_le_bytes())),
    }
    // A chunk of odd length is followed by a byte that does not count.
    if bytes.len() % 2 == 1 {
        bytes.push(0);
    }
    Ok(bytes)
}

#[derive(Clone, Copy, Debug)]
struct Sizes {
    riff: u32,
    data: u32,
}

impl Sizes {
    /// `None` if there are more bytes than a header can say.
    fn of(samples: usize, sample: Sample) -> Option<Self> {
        let data = u32::try_from(samples.checked_mul(sample.bytes().into())?).ok()?;
        let riff = data.checked_add(HEADER_BYTES - 8 + data % 2)?;
        Some(Self { riff, data })
    }
}

fn header(sample_rate_hz: u32, sample: Sample, sizes: Sizes) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES as usize);
    bytes.extend(b"RIFF");
    bytes.extend(sizes.riff.to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend(16_u32.to_le_bytes());
    bytes.extend(sample.tag().to_le_bytes());
    bytes.extend(1_u16.to_le_bytes());
    bytes.extend(sample_rate_hz.to_le_bytes());
    bytes.extend((sample_rate_hz * u32::from(sample.bytes())).to_le_bytes());
    bytes.extend(sample.bytes().to_le_bytes());
    bytes.extend((sample.bytes() * 8).to_le_bytes());
    bytes.extend(b"data");
    bytes.extend(sizes.data.to_le_bytes());
    bytes
}

/// The nearest 24-bit sample; 1 becomes the largest.
#[expect(clippy::cast_possible_truncation, reason = "limited to the range")]
fn to_i24(sample: f32) -> i32 {
    (f64::from(sample) * 8_388_608.0)
        .round_ties_even()
        .min(8_388_607.0) as i32
}
