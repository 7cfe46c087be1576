//! From the bytes of an upload to PCM, within limits.

mod error;
mod opus;
mod pcm;
mod riff;
mod sniff;
mod vorbis;

use std::{
    io::{Cursor, ErrorKind},
    panic,
    sync::LazyLock,
    time::{Duration, Instant},
};

use symphonia::core::{
    codecs::{
        audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions},
        registry::CodecRegistry,
    },
    errors::Error as CodecError,
    formats::{
        FormatOptions, FormatReader, Track, TrackType, probe::Hint, well_known::FORMAT_ID_MKV,
    },
    io::{MediaSourceStream, MediaSourceStreamOptions},
    meta::MetadataOptions,
};

pub use error::{DecodeError, DecodeLimits};
pub use sniff::container;

use super::recording::{PcmFormat, Recording, Warning, playing_time};

/// Decodes an audio file of any known format, told by its content.
///
/// Whatever can be decoded of a damaged or truncated file is returned, with a warning. Of several
/// audio tracks, the default one is taken. PCM keeps its width; lossy formats become 16 bits (MP3,
/// AAC) or 32 bits, as in the official implementation.
///
/// # Errors
///
/// If nothing can be decoded, or the recording exceeds a limit. A panic of a format's crate counts as
/// damage of the file, but passes the panic hook.
pub fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<Recording, DecodeError> {
    if bytes.len() > limits.bytes {
        return Err(DecodeError::TooLarge { bytes: bytes.len(), limit: limits.bytes });
    }
    // The formats' crates forbid `unsafe` but not every overflow in damaged files.
    let decoded = panic::catch_unwind(|| decode_unguarded(bytes, limits));
    decoded.unwrap_or(Err(DecodeError::Damaged { source: None }))
}

fn decode_unguarded(bytes: &[u8], limits: &DecodeLimits) -> Result<Recording, DecodeError> {
    let header = riff::Header::read(bytes);
    if let Some(header) = &header {
        check_rate(header.sample_rate_hz, limits)?;
        check_channels(header.channels.into(), limits)?;
    }
    let repaired = header.and_then(|header| header.repair(bytes));
    let mut reader = open(repaired.as_ref().map_or(bytes, |repaired| &repaired.bytes))
        .map_err(|error| not_opened(bytes, error))?;
    let track = reader
        .default_track(TrackType::Audio)
        .ok_or(DecodeError::NotAudio { found: "a file without an audio track" })?
        .clone();
    let mut decoding = Decoding::new(&track, limits)?;
    let mut end = decoding.run(reader.as_mut(), bytes.len())?;

    if let Some(stated) = repaired.as_ref().and_then(|repaired| repaired.stated) {
        decoding.stated = Some(stated);
        end = End::Early;
    }
    decoding.into_recording(end)
}

/// All codecs of symphonia, and Opus.
static CODECS: LazyLock<CodecRegistry> = LazyLock::new(|| {
    let mut codecs = CodecRegistry::new();
    symphonia::default::register_enabled_codecs(&mut codecs);
    codecs.register_audio_decoder::<opus::OpusDecoder>();
    codecs
});

fn open(bytes: &[u8]) -> Result<Box<dyn FormatReader + '_>, CodecError> {
    let source = Box::new(Cursor::new(bytes));
    symphonia::default::get_probe().probe(
        &Hint::new(),
        MediaSourceStream::new(source, MediaSourceStreamOptions::default()),
        FormatOptions::default(),
        MetadataOptions::default(),
    )
}

fn not_opened(bytes: &[u8], error: CodecError) -> DecodeError {
    match sniff::kind(bytes) {
        sniff::Kind::Known(_) => DecodeError::Damaged { source: Some(error.into()) },
        sniff::Kind::Other(found) => DecodeError::NotAudio { found },
    }
}

/// What a header says about the codec of a track.
fn audio_params(track: &Track) -> Option<&AudioCodecParameters> {
    track.codec_params.as_ref()?.audio()
}

/// The playing time in a header.
fn stated_duration(track: &Track) -> Option<Duration> {
    let rate_hz = audio_params(track)?.sample_rate.filter(|&rate| rate > 0)?;
    Duration::try_from_secs_f64(track.num_frames? as f64 / f64::from(rate_hz)).ok()
}

/// More than any encoder puts into a packet: decoders reserve memory for what a header announces.
const MAX_PACKET_FRAMES: u64 = 1 << 18;

/// How often the time is looked at.
const PACKETS_BETWEEN_CLOCKS: usize = 64;

/// How the packets ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// Where the file says.
    Regular,
    /// In the middle of something.
    Early,
}

/// Samples decoded so far.
struct Decoding<'a> {
    limits: &'a DecodeLimits,
    track_id: u32,
    decoder: Box<dyn AudioDecoder>,
    width: Option<u32>,
    /// The playing time in the header.
    stated: Option<Duration>,
    format: Option<PcmFormat>,
    samples: Vec<i32>,
    damaged: usize,
    first_error: Option<CodecError>,
}

impl<'a> Decoding<'a> {
    fn new(track: &Track, limits: &'a DecodeLimits) -> Result<Self, DecodeError> {
        let unknown = DecodeError::NotAudio { found: "a file without a known audio track" };
        let params = audio_params(track).ok_or(unknown)?;
        if let Some(rate_hz) = params.sample_rate {
            check_rate(rate_hz, limits)?;
        }
        if let Some(channels) = &params.channels {
            check_channels(channels.count(), limits)?;
        }
        if params
            .max_frames_per_packet
            .is_some_and(|frames| frames > MAX_PACKET_FRAMES)
        {
            return Err(DecodeError::Damaged { source: None });
        }
        if vorbis::is_too_large(params) {
            return Err(DecodeError::Damaged { source: None });
        }
        let decoder = CODECS
            .make_audio_decoder(params, &AudioDecoderOptions::default())
            .map_err(|source| DecodeError::Unsupported { source: source.into() })?;
        Ok(Self {
            limits,
            track_id: track.id,
            decoder,
            width: pcm::width(params),
            stated: stated_duration(track),
            format: None,
            samples: Vec::new(),
            damaged: 0,
            first_error: None,
        })
    }

    fn run(&mut self, reader: &mut dyn FormatReader, bytes: usize) -> Result<End, DecodeError> {
        let begun = Instant::now();
        // No format has more packets than bytes, but a crafted index can name one byte many times, and
        // can be slow to search.
        for packets in 0..=bytes {
            if packets % PACKETS_BETWEEN_CLOCKS == 0 && begun.elapsed() > self.limits.work {
                return Err(DecodeError::TooSlow { limit: self.limits.work });
            }
            let packet = match reader.next_packet() {
                Ok(Some(packet)) if packet.track_id == self.track_id => packet,
                Ok(Some(_)) => continue,
                Ok(None) => return Ok(End::Regular),
                Err(error) if is_end_of_recording(&error, reader) => return Ok(End::Regular),
                Err(error) => {
                    self.first_error.get_or_insert(error);
                    return Ok(End::Early);
                }
            };
            match self.decoder.decode(&packet) {
                Ok(buffer) => {
                    if let Some((format, samples)) = pcm::interleaved(&buffer, self.width) {
                        self.append(format, &samples)?;
                    }
                }
                Err(CodecError::ResetRequired) => return Ok(End::Early),
                Err(error) => {
                    self.damaged += 1;
                    self.first_error.get_or_insert(error);
                }
            }
        }
        Ok(End::Early)
    }

    fn append(&mut self, format: PcmFormat, samples: &[i32]) -> Result<(), DecodeError> {
        let limits = self.limits;
        check_rate(format.sample_rate_hz, limits)?;
        check_channels(format.channels, limits)?;
        if *self.format.get_or_insert(format) != format {
            self.damaged += 1;
            return Ok(());
        }
        let total = self.samples.len() + samples.len();
        if playing_time(total / format.channels, format.sample_rate_hz) > limits.duration {
            return Err(DecodeError::TooLong { limit: limits.duration });
        }
        if total > limits.samples {
            return Err(DecodeError::TooManySamples { limit: limits.samples });
        }
        self.samples.extend_from_slice(samples);
        Ok(())
    }

    fn into_recording(self, end: End) -> Result<Recording, DecodeError> {
        /// Headers are inexact by a packet or two, and encoders' delays are not always known.
        const TOLERANCE: Duration = Duration::from_millis(100);
        let Some(format) = self.format else {
            let is_empty = end == End::Regular
                && self.first_error.is_none()
                && self.stated.is_none_or(|stated| stated.is_zero());
            let source = self.first_error.map(Into::into);
            return Err(if is_empty {
                DecodeError::Empty
            } else {
                DecodeError::Damaged { source }
            });
        };
        let recording = Recording::new(self.samples, format)
            .expect("decoders give whole frames, and the samples were cut to the width");
        if recording.frames() == 0 {
            return Err(DecodeError::Empty);
        }
        let decoded = recording.duration();
        let stated = self.stated.filter(|&stated| stated > decoded);
        let is_short = stated.is_some_and(|stated| stated > decoded + TOLERANCE);
        let mut warnings = Vec::new();
        if self.damaged > 0 {
            warnings.push(Warning::Damaged { packets: self.damaged });
        }
        if is_short || end == End::Early {
            warnings.push(Warning::Truncated { stated, decoded });
        }
        Ok(recording.with_warnings(warnings))
    }
}

/// Whether the file just stops where it is allowed to.
///
/// Browsers record Matroska without knowing its length, and symphonia looks for more at the end.
fn is_end_of_recording(error: &CodecError, reader: &dyn FormatReader) -> bool {
    let is_end =
        matches!(error, CodecError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof);
    is_end && reader.format_info().format == FORMAT_ID_MKV
}

fn check_rate(rate_hz: u32, limits: &DecodeLimits) -> Result<(), DecodeError> {
    if limits.sample_rates_hz.contains(&rate_hz) {
        return Ok(());
    }
    Err(DecodeError::SampleRate { rate_hz, allowed_hz: limits.sample_rates_hz.clone() })
}

fn check_channels(channels: usize, limits: &DecodeLimits) -> Result<(), DecodeError> {
    if channels <= limits.channels {
        return Ok(());
    }
    Err(DecodeError::Channels { channels, limit: limits.channels })
}
