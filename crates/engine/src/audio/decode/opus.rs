//! Opus, which symphonia unpacks but does not decode.

use std::fmt;

use opus_pure::{MAX_PACKET_SAMPLES, OpusMSDecoder};
use symphonia::core::{
    audio::{
        AsGenericAudioBufferRef, AudioBuffer, AudioMut, AudioSpec, Channels, GenericAudioBufferRef,
    },
    codecs::{
        CodecInfo,
        audio::{
            AudioCodecParameters, AudioDecoder, AudioDecoderOptions, FinalizeResult,
            well_known::CODEC_ID_OPUS,
        },
        registry::{RegisterableAudioDecoder, SupportedAudioCodec},
    },
    errors::{Error, Result, decode_error, unsupported_error},
    packet::PacketRef,
};

/// The rate at which all Opus files play.
const RATE_HZ: u32 = 48_000;

/// What the decoder needs of the identification header, RFC 7845 section 5.1.
struct Header {
    channels: u8,
    /// Samples that come before the sound.
    pre_skip: u16,
    /// By which to multiply all samples.
    gain: f32,
    mapping_family: u8,
}

impl Header {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let fields = bytes.strip_prefix(b"OpusHead")?.first_chunk::<11>()?;
        // In MP4 the header has version 0, and the order of bytes that MP4 has.
        let number = |at: usize| match fields[0] {
            0 => u16::from_be_bytes([fields[at], fields[at + 1]]),
            _ => u16::from_le_bytes([fields[at], fields[at + 1]]),
        };
        // In 256ths of a decibel.
        let gain_db = f32::from(number(8).cast_signed()) / 256.0;
        Some(Self {
            channels: fields[1],
            pre_skip: number(2),
            gain: 10_f32.powf(gain_db / 20.0),
            mapping_family: fields[10],
        })
    }
}

/// Decodes packets at 48 kHz.
pub(super) struct OpusDecoder {
    params: AudioCodecParameters,
    decoder: OpusMSDecoder,
    channels: usize,
    gain: f32,
    /// Samples of each channel still to be left out.
    skip: usize,
    interleaved: Vec<f32>,
    buffer: AudioBuffer<f32>,
}

impl fmt::Debug for OpusDecoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpusDecoder")
            .field("decoder", &self.decoder)
            .finish_non_exhaustive()
    }
}

impl OpusDecoder {
    fn new(params: &AudioCodecParameters) -> Result<Self> {
        let header = params.extra_data.as_deref().and_then(Header::parse);
        let header = header.ok_or(Error::DecodeError("opus: no identification header"))?;
        let channels = usize::from(header.channels);
        let decoder = OpusMSDecoder::new(RATE_HZ as i32, channels, header.mapping_family);
        let Ok(decoder) = decoder else {
            return unsupported_error("opus: unusual channels");
        };
        let spec = AudioSpec::new(RATE_HZ, Channels::Discrete(header.channels.into()));
        Ok(Self {
            params: params.clone(),
            decoder,
            channels,
            gain: header.gain,
            skip: header.pre_skip.into(),
            interleaved: vec![0.0; MAX_PACKET_SAMPLES * channels],
            buffer: AudioBuffer::new(spec, MAX_PACKET_SAMPLES),
        })
    }
}

impl AudioDecoder for OpusDecoder {
    fn reset(&mut self) {
        // Fails only for settings that are not made here.
        self.decoder.reset_state().ok();
    }

    fn codec_info(&self) -> &CodecInfo {
        &Self::supported_codecs()[0].info
    }

    fn codec_params(&self) -> &AudioCodecParameters {
        &self.params
    }

    fn decode_ref(&mut self, packet: &PacketRef<'_>) -> Result<GenericAudioBufferRef<'_>> {
        self.buffer.clear();
        // An empty packet would be taken for a lost one, and sound invented in its place.
        if packet.data.is_empty() {
            return decode_error("opus: empty packet");
        }
        let decoded = self
            .decoder
            .decode(packet.data, MAX_PACKET_SAMPLES, &mut self.interleaved);
        let Ok(frames) = decoded else {
            return decode_error("opus: invalid packet");
        };
        let samples = &mut self.interleaved[..frames * self.channels];
        for sample in samples.iter_mut() {
            *sample *= self.gain;
        }
        self.buffer.render_uninit(Some(frames));
        self.buffer.copy_from_slice_interleaved(&samples);
        // Containers tell the beginning in different ways or not at all; the header always does.
        let skip = self.skip.min(frames);
        self.skip -= skip;
        let trim_end = usize::try_from(packet.trim_end.get()).unwrap_or(frames);
        self.buffer.trim(skip, trim_end);
        Ok(self.buffer.as_generic_audio_buffer_ref())
    }

    fn finalize(&mut self) -> FinalizeResult {
        FinalizeResult::default()
    }

    fn last_decoded(&self) -> GenericAudioBufferRef<'_> {
        self.buffer.as_generic_audio_buffer_ref()
    }
}

impl RegisterableAudioDecoder for OpusDecoder {
    fn try_registry_new(
        params: &AudioCodecParameters,
        _: &AudioDecoderOptions,
    ) -> Result<Box<dyn AudioDecoder>> {
        Ok(Box::new(Self::new(params)?))
    }

    fn supported_codecs() -> &'static [SupportedAudioCodec] {
        const INFO: CodecInfo = CodecInfo { short_name: "opus", long_name: "Opus", profiles: &[] };
        &[SupportedAudioCodec { id: CODEC_ID_OPUS, info: INFO }]
    }
}
