//! Samples of any decoder as integers of the width that the official preprocessing would see.

use symphonia::core::{
    audio::GenericAudioBufferRef,
    codecs::audio::{
        AudioCodecParameters,
        well_known::{
            CODEC_ID_AAC, CODEC_ID_ADPCM_IMA_QT, CODEC_ID_ADPCM_IMA_WAV, CODEC_ID_ADPCM_MS,
            CODEC_ID_ALAC, CODEC_ID_FLAC, CODEC_ID_MP3,
        },
    },
};

use crate::audio::recording::PcmFormat;

/// The width that pydub gives to samples of a codec, where it is not that of the decoder's buffer.
pub(super) fn width(params: &AudioCodecParameters) -> Option<u32> {
    let own = match params.codec {
        CODEC_ID_MP3 | CODEC_ID_AAC => Some(16),
        CODEC_ID_ADPCM_MS | CODEC_ID_ADPCM_IMA_WAV | CODEC_ID_ADPCM_IMA_QT => Some(16),
        CODEC_ID_FLAC => params.bits_per_sample,
        CODEC_ID_ALAC => alac_width(params.extra_data.as_ref()?),
        _ => None,
    };
    own.map(|bits| if bits <= 16 { 16 } else { 32 })
}

/// The width in the configuration of an ALAC decoder, which CAF wraps in atoms.
fn alac_width(configuration: &[u8]) -> Option<u32> {
    let atom = configuration.windows(4).rposition(|name| name == b"alac");
    let begin = atom.map_or(0, |at| at + 8);
    configuration.get(begin + 5).copied().map(u32::from)
}

/// The samples of a packet, interleaved; `width` stands instead of that of the buffer.
pub(super) fn interleaved(
    buffer: &GenericAudioBufferRef<'_>,
    width: Option<u32>,
) -> Option<(PcmFormat, Vec<i32>)> {
    use GenericAudioBufferRef::{F32, F64, S8, S16, S24, S32, U8, U16, U24, U32};
    let channels = buffer.spec().channels().count();
    if channels == 0 || buffer.is_empty() {
        return None;
    }
    let bits_per_sample = width.unwrap_or(match buffer {
        U8(_) | S8(_) => 8,
        U16(_) | S16(_) => 16,
        U24(_) | S24(_) => 24,
        U32(_) | S32(_) | F32(_) | F64(_) => 32,
    });
    let samples = match buffer {
        F32(_) | F64(_) => {
            let mut samples = Vec::<f64>::new();
            buffer.copy_to_vec_interleaved(&mut samples);
            samples
                .into_iter()
                .map(|sample| quantize(sample, bits_per_sample))
                .collect()
        }
        U8(_) | U16(_) | U24(_) | U32(_) | S8(_) | S16(_) | S24(_) | S32(_) => {
            let mut samples = Vec::<i32>::new();
            buffer.copy_to_vec_interleaved(&mut samples);
            for sample in &mut samples {
                *sample >>= 32 - bits_per_sample;
            }
            samples
        }
    };
    let format = PcmFormat {
        bits_per_sample,
        channels,
        sample_rate_hz: buffer.spec().rate(),
    };
    Some((format, samples))
}

/// The nearest integer of a width, as ffmpeg rounds; NaN becomes zero.
#[expect(clippy::cast_possible_truncation, reason = "limited to the range")]
fn quantize(sample: f64, bits_per_sample: u32) -> i32 {
    let full_scale = f64::from(1_u32 << (bits_per_sample - 1));
    (sample * full_scale)
        .round_ties_even()
        .clamp(-full_scale, full_scale - 1.0) as i32
}
