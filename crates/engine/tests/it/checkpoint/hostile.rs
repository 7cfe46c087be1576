//! Files that were made to do harm, byte by byte.

use f5tts_engine::checkpoint::Checkpoint;
use f5tts_testkit::Golden;
use rawzip::{CompressionMethod, ZipArchiveWriter};

use super::refusal;

/// A safetensors file with this header and so many bytes of data.
fn safetensors(header: &str, data: usize) -> Vec<u8> {
    let length = u64::try_from(header.len()).unwrap();
    [&length.to_le_bytes(), header.as_bytes(), &vec![0; data]].concat()
}

fn one(shape: &str, offsets: &str) -> String {
    format!(r#"{{"a":{{"dtype":"F32","shape":{shape},"data_offsets":{offsets}}}}}"#)
}

/// A zip archive of plainly stored entries.
pub(super) fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    zip_at(0, entries)
}

/// Like [`zip`], for a place in a larger file.
pub(super) fn zip_at(offset: u64, entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = ZipArchiveWriter::builder()
        .with_offset(offset)
        .build(Vec::new());
    for (name, data) in entries {
        let file = archive
            .new_file(name)
            .compression_method(CompressionMethod::STORE);
        let (mut entry, config) = file.start().unwrap();
        let mut writer = config.wrap(&mut entry);
        std::io::Write::write_all(&mut writer, data).unwrap();
        let (_, descriptor) = writer.finish().unwrap();
        entry.finish(descriptor).unwrap();
    }
    archive.finish().unwrap()
}

/// A torch checkpoint with this pickle and one storage of 24 bytes, called `0`.
pub(super) fn torch(pickle: &[u8]) -> Vec<u8> {
    zip(&[("m/data.pkl", pickle), ("m/data/0", &[0; 24])])
}

/// The pickle of `{"w": tensor}`; numbers are 32 bits wide, so they may lie about anything.
pub(super) fn pickle(
    key: &str,
    elements: i32,
    offset: i32,
    shape: &[i32],
    strides: &[i32],
) -> Vec<u8> {
    let mut out = b"\x80\x02}X\x01\x00\x00\x00w".to_vec();
    out.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
    out.extend(b"X\x07\x00\x00\x00storagectorch\nFloatStorage\nX");
    out.extend(u32::try_from(key.len()).unwrap().to_le_bytes());
    out.extend(key.as_bytes());
    out.extend(b"X\x03\x00\x00\x00cpu");
    let int = |out: &mut Vec<u8>, value: i32| {
        out.push(b'J');
        out.extend(value.to_le_bytes());
    };
    int(&mut out, elements);
    out.extend(b"tQ");
    int(&mut out, offset);
    for sizes in [shape, strides] {
        out.push(b'(');
        sizes.iter().for_each(|size| int(&mut out, *size));
        out.push(b't');
    }
    out.extend(b"\x89ccollections\nOrderedDict\n)RtRs.");
    out
}

#[test]
fn a_well_formed_file_made_by_hand_is_read() {
    // What the other tests twist must be right before.
    let good = Checkpoint::from_bytes("t", torch(&pickle("0", 6, 0, &[2, 3], &[3, 1]))).unwrap();
    assert_eq!(good.tensor("w").unwrap().shape, [2, 3]);
    let good = Checkpoint::from_bytes("s", safetensors(&one("[2,3]", "[0,24]"), 24)).unwrap();
    assert_eq!(good.tensor("a").unwrap().shape, [2, 3]);
}

#[test]
fn safetensors_that_lie_are_refused() {
    let good = safetensors(&one("[2,3]", "[0,24]"), 24);
    for cut in 0..good.len() {
        assert!(Checkpoint::from_bytes("cut", good[..cut].to_vec()).is_err(), "{cut}");
    }
    let cases = [
        (one("[2,3]", "[0,24]"), 20, "damaged"), // Shorter than it says
        (one("[2,3]", "[0,24]"), 28, "damaged"), // Longer than it says
        (one("[2,3]", "[4,28]"), 28, "damaged"), // A hole
        (one("[2,3]", "[24,0]"), 24, "damaged"), // Backwards
        (one("[2,4]", "[0,24]"), 24, "damaged"), // Another size
        (one("[9223372036854775808,2]", "[0,0]"), 0, "damaged"), // 2^64 elements
        (one("[4611686018427387904]", "[0,0]"), 0, "damaged"), // 2^64 bytes
        (one("[2,3]", "[0,18446744073709551615]"), 24, "damaged"),
        (one("[-1]", "[0,4]"), 4, "damaged"),
        (one("[1]", "[0,4]").replace("F32", "F31"), 4, "damaged"),
        (
            one("[1]", "[0,4]").replace("F32", "U32"),
            4,
            "tensor `a` has elements of the unsupported type U32",
        ),
        ("{".repeat(4000), 0, "damaged"),
        (format!("{{\"a\":{}", "[".repeat(4000)), 0, "damaged"),
    ];
    for (header, data, reason) in cases {
        let message = refusal(safetensors(&header, data));
        assert!(message.contains(reason), "{header}: {message}");
    }
}

#[test]
fn overlapping_and_repeated_tensors_are_refused() {
    let entry = |name: &str, offsets: &str| {
        format!(r#""{name}":{{"dtype":"F32","shape":[1],"data_offsets":{offsets}}}"#)
    };
    let overlap = format!("{{{},{}}}", entry("a", "[0,4]"), entry("b", "[0,4]"));
    assert!(refusal(safetensors(&overlap, 4)).contains("damaged"));
    let twice = format!("{{{},{}}}", entry("a", "[0,4]"), entry("a", "[0,4]"));
    assert!(refusal(safetensors(&twice, 4)).ends_with("it has two tensors called `a`"));
}

#[test]
fn a_header_of_terabytes_is_refused_before_it_is_read() {
    let mut file = safetensors("{}", 0);
    file[..8].copy_from_slice(&(1_u64 << 40).to_le_bytes());
    assert!(refusal(file).contains("header of 1099511627776 bytes is over the limit"));
}

#[test]
fn a_pickle_that_calls_a_function_is_refused_by_name() {
    // `system` lives in the module of the platform, which is what the pickle names.
    let message = refusal(std::fs::read(Golden::path("checkpoint/hostile.pt")).unwrap());
    assert!(message.contains("wants to use `posix.system`; only tensors"), "{message}");
    for (pickle, name) in [
        (&b"\x80\x02cos\nsystem\n(X\x02\x00\x00\x00lstR."[..], "os.system"),
        (b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x01x\x85R.", "builtins.eval"),
        (b"\x80\x02c__torch__.m\nModel\n)\x81.", "__torch__.m.Model"),
        (b"\x80\x02ctorch\n\x1b[31mload\n)R.", r"torch.\u{1b}[31mload"),
    ] {
        let message = refusal(torch(pickle));
        assert!(message.contains(&format!("wants to use `{name}`")), "{message}");
    }
}

#[test]
fn calls_of_known_names_with_wrong_arguments_are_refused() {
    for body in [
        &b"ccollections\nOrderedDict\n}\x85R."[..], // Arguments
        b"ctorch._utils\n_rebuild_tensor_v2\n)R.",  // None
        b"ctorch._utils\n_rebuild_tensor_v2\n(K\x00K\x00K\x00K\x00tR.", // No storage
        b"ctorch\nFloatStorage\n)R.",               // A class as a function
        b"ccollections\nOrderedDict\n)\x81.",       // A function as a class
        b"}}b}.}b.",                                // State for nothing
        b"]}b.",                                    // State for a list
        b"K\x01)R.",                                // A number as a function
        b"X\x01\x00\x00\x00xQ.",                    // An unknown persistent id
        b"h\x07.",                                  // An unknown memo
        b"(K\x01(0.",                               // A value below the mark
        b"t.",                                      // No mark
        b"}(K\x01u.",                               // A key without a value
        b"}K\x01a.",                                // A dictionary as a list
        b"X\x01\x00\x00\x00\xff.",                  // No UTF-8
        b"X\xff\xff\xff\xff.",                      // A text of 4 GB
        b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff.",   // A text of 2^64 bytes
        b"i",                                       // An unknown operation
        b"ctorch",                                  // A line without an end
        b"",
    ] {
        let message = refusal(torch(&[b"\x80\x02", body].concat()));
        assert!(
            message.contains("pickle is refused") || message.contains("no weights"),
            "{message}"
        );
    }
    assert!(refusal(torch(b"\x80\x05N.")).contains("protocol 5"));
}

#[test]
fn deep_and_cyclic_values_are_harmless() {
    // A tuple in a tuple, and so on: a recursive reader or destructor would run out of stack.
    let deep = [&b"\x80\x02)"[..], &b"\x85".repeat(1_000_000), b"."].concat();
    assert!(refusal(torch(&deep)).contains("no weights"));
    let cyclic = b"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s.";
    assert!(refusal(torch(cyclic)).contains("no weights"));
    let long = b"}".repeat(3_000_000);
    assert!(refusal(torch(&long)).contains("operations"));
}

#[test]
fn a_memo_that_grows_is_not_copied() {
    // A tuple of a million items as the arguments of a hundred thousand calls.
    let mut program = b"\x80\x02(".to_vec();
    program.extend(b"N".repeat(1_000_000));
    program.extend(b"tq\x000ccollections\nOrderedDict\nq\x010");
    program.extend(b"h\x01h\x00R0".repeat(100_000));
    program.extend(b"N.");
    assert!(refusal(torch(&program)).contains("pickle is refused"));
}

/// Key, elements, offset, shape and strides of a tensor, and why it is refused.
type Case<'a> = (&'a str, i32, i32, &'a [i32], &'a [i32], &'a str);

#[test]
fn tensors_outside_their_storage_are_refused() {
    let huge = i32::MAX;
    let cases: [Case<'_>; 12] = [
        ("1", 6, 0, &[6], &[1], "no entry `data/1`"),
        ("../x", 6, 0, &[6], &[1], "no entry `data/../x`"),
        ("0", 7, 0, &[6], &[1], "another size than stated"),
        ("0", 5, 0, &[5], &[1], "another size than stated"),
        ("0", huge, 0, &[6], &[1], "another size than stated"),
        ("0", 6, 1, &[6], &[1], "beyond the end"),
        ("0", 6, 0, &[2, 3], &[4, 1], "beyond the end"),
        ("0", 6, 7, &[0], &[1], "beyond the end"),
        ("0", 6, 0, &[huge; 8], &[0; 8], "too large"),
        ("0", 6, 0, &[huge, huge], &[0, 0], "elements overlap"),
        ("0", 6, 0, &[huge, 1], &[huge, huge], "beyond the end"),
        ("0", 6, 0, &[2, 3], &[1], "another number of strides"),
    ];
    for (key, elements, offset, shape, strides, reason) in cases {
        let message = refusal(torch(&pickle(key, elements, offset, shape, strides)));
        assert!(message.contains(reason), "{key} {shape:?} {strides:?}: {message}");
    }
    for (elements, offset, shape, strides) in
        [(-6, 0, 6, 1), (6, -1, 6, 1), (6, 0, -6, 1), (6, 0, 6, -1)]
    {
        let message = refusal(torch(&pickle("0", elements, offset, &[shape], &[strides])));
        assert!(message.contains("a size below zero"), "{message}");
    }
    let message = refusal(std::fs::read(Golden::path("checkpoint/expanded.pt")).unwrap());
    assert!(message.contains("`expanded` does not fit its storage: its elements overlap"));
}

#[test]
fn archives_that_are_no_checkpoint_are_refused() {
    let message = refusal(std::fs::read(Golden::path("checkpoint/compressed.pt")).unwrap());
    assert!(message.contains("is compressed or encrypted"), "{message}");
    assert!(refusal(zip(&[("word/document.xml", b"<a/>")])).contains("no entry `data.pkl`"));
    let good = pickle("0", 6, 0, &[6], &[1]);
    let big = zip(&[
        ("m/data.pkl", &good),
        ("m/byteorder", b"big"),
        ("m/data/0", &[0; 24]),
    ]);
    assert!(refusal(big).contains("byte order is `big`"));
    let twice = zip(&[
        ("m/data.pkl", &good),
        ("m/data/0", &[0; 24]),
        ("m/data/0", &[1; 24]),
    ]);
    assert!(refusal(twice).contains("two"));
    let nothing =
        refusal(torch(b"\x80\x02}(X\x03\x00\x00\x00cfgK\x01X\x04\x00\x00\x00stepK\x02u."));
    assert!(nothing.contains("found `cfg`, `step`"), "{nothing}");
}

#[test]
fn one_storage_is_not_copied_without_end() {
    // Ninety transposed views of one storage are each small, but together larger than the file.
    let single = pickle("0", 600, 0, &[20, 30], &[1, 20]);
    let item = &single[3..single.len() - 2];
    let mut program = b"\x80\x02}(".to_vec();
    for index in 0..90 {
        let mut renamed = item.to_vec();
        renamed[5] = b' ' + index;
        program.extend(renamed);
    }
    program.extend(b"u.");
    let message = refusal(zip(&[("m/data.pkl", &program), ("m/data/0", &[0; 2400])]));
    assert!(message.contains("too many copies"), "{message}");
}
