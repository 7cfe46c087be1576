//! Recordings in, speech out: everything that touches audio as audio.
//!
//! [`decode`] reads an upload, [`trim_reference`] clips it as the official implementation does,
//! [`resample`] and [`log_mel`] make it what the model sees; [`remove_silence`] and [`encode`] finish
//! what the model says. Nothing here reads files, the network or the environment.

mod decode;
mod encode;
mod inspect;
mod level;
mod mel;
mod recording;
mod resample;
mod segment;
mod silence;
mod trim;

pub use decode::{DecodeError, DecodeLimits, container, decode};
pub use encode::{
    EncodeError, Encoded, Encoding, Format, UnknownFormat, encode, wav_stream_header,
};
pub use inspect::{Inspection, inspect};
pub use level::{normalize, rms};
pub use mel::{Mel, TooShort, log_mel};
pub use recording::{InvalidPcm, PcmFormat, Recording, Warning};
pub use resample::{resample, resample_output};
pub use silence::{Kept, remove_silence};
pub use trim::trim_reference;
