//! The frame before an MP3 stream that tells how much of the stream is not sound.
//!
//! Encoders put silence before and after the sound. LAME's own tag does not fit into frames of low
//! bitrates, where it leaves it out; this one does without the table for seeking, and takes a larger
//! frame where it must. <http://gabriel.mp3-tech.org/mp3infotag.html>

/// Silence before the sound in every stream of LAME; decoders know that their own adds to it.
const ENCODER_DELAY: usize = 576;
/// Bytes of the tag after the header and the side information.
const TAG_BYTES: usize = 16 + 36;

/// What the header of a frame says, if it is one of layer III.
#[derive(Clone, Copy, Debug)]
struct Header {
    bytes: [u8; 4],
    is_mpeg_1: bool,
    bitrate_index: u8,
    sample_rate_hz: usize,
}

impl Header {
    fn read(stream: &[u8], sample_rate_hz: u32) -> Option<Self> {
        let bytes = *stream.first_chunk()?;
        let is_header = bytes[0] == 0xff && bytes[1] & 0xe6 == 0xe2;
        is_header.then_some(Self {
            bytes,
            is_mpeg_1: bytes[1] & 0x18 == 0x18,
            bitrate_index: bytes[2] >> 4,
            sample_rate_hz: sample_rate_hz as usize,
        })
    }

    /// The same header for a frame of 64 kbit/s.
    fn at_64_kbps(self) -> Self {
        Self { bitrate_index: if self.is_mpeg_1 { 5 } else { 8 }, ..self }
    }

    fn frame_bytes(self) -> usize {
        const MPEG_1_KBPS: [usize; 16] = [
            0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0,
        ];
        const MPEG_2_KBPS: [usize; 16] = [
            0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0,
        ];
        let index = usize::from(self.bitrate_index);
        let kbps = if self.is_mpeg_1 {
            MPEG_1_KBPS[index]
        } else {
            MPEG_2_KBPS[index]
        };
        let padding = usize::from(self.bytes[2] >> 1 & 1);
        self.samples() / 8 * kbps * 1000 / self.sample_rate_hz + padding
    }

    /// Samples of a frame.
    fn samples(self) -> usize {
        if self.is_mpeg_1 { 1152 } else { 576 }
    }

    /// Bytes of side information in a frame of one channel.
    fn side_bytes(self) -> usize {
        if self.is_mpeg_1 { 17 } else { 9 }
    }

    /// The beginning of a frame of this bitrate without padding.
    fn to_bytes(self) -> [u8; 4] {
        let [sync, version, rates, mode] = self.bytes;
        [sync, version, self.bitrate_index << 4 | rates & 0x0d, mode]
    }
}

/// The frame to put before a mono stream of `samples` samples and constant bitrate.
///
/// `None` if the stream does not begin with a frame.
pub(super) fn frame(stream: &[u8], sample_rate_hz: u32, samples: usize) -> Option<Vec<u8>> {
    let first = Header::read(stream, sample_rate_hz)?;
    let frames = count_frames(stream, sample_rate_hz);
    let padding = (frames * first.samples()).checked_sub(ENCODER_DELAY + samples)?;

    let begin = 4 + first.side_bytes();
    let own = Header { bytes: first.to_bytes(), ..first };
    let header = if own.frame_bytes() < begin + TAG_BYTES {
        own.at_64_kbps()
    } else {
        own
    };
    let length = header.frame_bytes();
    let mut frame = header.to_bytes().to_vec();
    frame.resize(begin, 0);
    frame.extend(b"Info");
    // The numbers of frames and bytes follow.
    frame.extend(3_u32.to_be_bytes());
    frame.extend(u32::try_from(frames).ok()?.to_be_bytes());
    frame.extend(u32::try_from(length + stream.len()).ok()?.to_be_bytes());
    frame.extend(b"LAME3.100");
    // Constant bitrate; low-pass, loudness and its peak are not told.
    frame.extend([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let delays = u32::try_from(ENCODER_DELAY << 12 | padding.min(0xfff)).ok()?;
    frame.extend(&delays.to_be_bytes()[1..]);
    frame.extend([0; 4]);
    frame.extend(u32::try_from(length + stream.len()).ok()?.to_be_bytes());
    frame.extend(crc16(stream).to_be_bytes());
    frame.extend(crc16(&frame).to_be_bytes());
    frame.resize(length, 0);
    Some(frame)
}

fn count_frames(stream: &[u8], sample_rate_hz: u32) -> usize {
    let mut rest = stream;
    let mut frames = 0;
    while let Some(header) = Header::read(rest, sample_rate_hz) {
        frames += 1;
        rest = rest.get(header.frame_bytes()..).unwrap_or_default();
    }
    frames
}

/// CRC-16 with the polynomial 0x8005, lowest bit first.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, &byte| {
        (0..8).fold(crc ^ u16::from(byte), |crc, _| {
            if crc & 1 == 1 {
                crc >> 1 ^ 0xa001
            } else {
                crc >> 1
            }
        })
    })
}
