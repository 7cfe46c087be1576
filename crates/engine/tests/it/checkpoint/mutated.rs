//! Whatever happens to the bytes of a file, reading it ends, without a panic or a huge allocation.

use f5tts_engine::checkpoint::Checkpoint;
use f5tts_testkit::Golden;
use proptest::{collection::vec, prelude::*, sample::Index};

use super::hostile::torch;

/// Opcodes that do something, so that random programs get further than their first byte.
const OPCODES: &[u8] =
    b"(.012NJKMXUBCGtaesuqrhjbRQc])}\x80\x81\x85\x86\x87\x88\x8a\x8c\x8f\x90\x91\x93\x94\x95";

/// Names that a program may use, as whole operations.
const GLOBALS: [&[u8]; 4] = [
    b"ccollections\nOrderedDict\n",
    b"ctorch._utils\n_rebuild_tensor_v2\n",
    b"ctorch\nFloatStorage\n",
    b"X\x07\x00\x00\x00storage",
];

/// Reads everything that can be read; tells whether there was anything.
fn read_all(bytes: Vec<u8>) -> bool {
    let length = bytes.len();
    let Ok(checkpoint) = Checkpoint::from_bytes("mutated", bytes) else {
        return false;
    };
    for name in checkpoint.names() {
        let tensor = checkpoint.tensor(name).unwrap();
        let count: usize = tensor.shape.iter().product();
        assert_eq!(tensor.data.len(), count * tensor.dtype.bytes());
        // No tensor is larger than the file that it came from.
        assert!(tensor.data.len() <= length);
        if let Some(values) = tensor.to_f32() {
            assert_eq!(values.len(), count);
        }
    }
    true
}

fn golden() -> impl Strategy<Value = Vec<u8>> {
    let names = [
        "checkpoint/training.pt",
        "checkpoint/views.pt",
        "checkpoint/views.safetensors",
    ];
    let files = names.map(|name| std::fs::read(Golden::path(name)).unwrap());
    prop::sample::select(files.to_vec())
}

/// One step of a random program.
fn operation() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => prop::sample::select(OPCODES).prop_map(|opcode| vec![opcode]),
        2 => prop::sample::select(GLOBALS.to_vec()).prop_map(<[u8]>::to_vec),
        1 => (0..4_u8).prop_map(|memo| vec![b'h', memo]),
        1 => (0..4_u8).prop_map(|memo| vec![b'q', memo]),
        1 => any::<u8>().prop_map(|number| vec![b'K', number]),
        1 => vec(any::<u8>(), 1..4),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn files_with_changed_bytes_are_read_or_refused(
        mut file in golden(),
        changes in vec((any::<Index>(), any::<u8>()), 1..8),
    ) {
        for (place, byte) in changes {
            let place = place.index(file.len());
            file[place] = byte;
        }
        read_all(file);
    }

    #[test]
    fn files_with_missing_or_doubled_parts_are_read_or_refused(
        file in golden(),
        start in any::<Index>(),
        end in any::<Index>(),
        twice in any::<bool>(),
    ) {
        let (start, end) = (start.index(file.len()), end.index(file.len()));
        let (start, end) = (start.min(end), start.max(end));
        let part = if twice { &file[start..end] } else { &[] };
        read_all([&file[..end], part, &file[end..]].concat());
        read_all([&file[..start], &file[end..]].concat());
    }

    #[test]
    fn random_bytes_are_refused(mut bytes in vec(any::<u8>(), 0..200), kind in 0..3_usize) {
        let magic: &[u8] = [&b""[..], b"PK\x03\x04", b"\x08\x00\x00\x00\x00\x00\x00\x00{"][kind];
        bytes.splice(..magic.len().min(bytes.len()), magic.iter().copied());
        prop_assert!(!read_all(bytes));
    }

    #[test]
    fn random_pickles_end(program in vec(operation(), 0..60)) {
        let program = program.concat();
        read_all(torch(&[b"\x80\x02", program.as_slice(), b"."].concat()));
    }
}

#[test]
fn unchanged_files_are_read() {
    for name in [
        "checkpoint/training.pt",
        "checkpoint/views.pt",
        "checkpoint/views.safetensors",
    ] {
        assert!(read_all(std::fs::read(Golden::path(name)).unwrap()), "{name}");
    }
}
