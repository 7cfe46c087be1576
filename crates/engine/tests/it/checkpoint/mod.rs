//! Files that torch and safetensors wrote, and what hostile hands make of them.

mod hostile;
mod mutated;

use std::{path::Path, sync::Arc};

use f5tts_engine::checkpoint::{Checkpoint, Dtype, Weights};
use f5tts_testkit::Golden;

use self::hostile::{pickle, zip, zip_at};

fn open(golden: &str) -> Checkpoint {
    Checkpoint::open(&Golden::path(golden)).unwrap()
}

/// The message of an error with those of its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

/// Why bytes are refused.
fn refusal(bytes: Vec<u8>) -> String {
    chain(&Checkpoint::from_bytes("test", bytes).unwrap_err())
}

/// Checks that a checkpoint holds just the tensors of a golden, bit for bit.
fn assert_same(checkpoint: &Checkpoint, golden: &Golden) {
    // The counters of the moving average are no numbers that a golden could give.
    let counter = |name: &str| matches!(name, "step" | "initted");
    let mut names: Vec<String> = golden.names();
    names.retain(|name| !counter(name));
    names.sort();
    let found: Vec<&str> = checkpoint.names().filter(|name| !counter(name)).collect();
    assert_eq!(found, names);
    for name in names {
        let tensor = checkpoint.tensor(&name).unwrap();
        assert_eq!(tensor.shape, golden.shape(&name), "{name}");
        let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&tensor.to_f32().unwrap()), bits(&golden.f32(&name)), "{name}");
    }
}

#[test]
fn a_training_checkpoint_gives_its_averaged_weights() {
    let checkpoint = open("checkpoint/training.pt");
    let golden = Golden::open("checkpoint/training.safetensors");
    assert_same(&checkpoint, &golden);
    let dtype = |name: &str| {
        checkpoint
            .tensor(&format!("ema_model.transformer.{name}"))
            .unwrap()
            .dtype
    };
    assert_eq!(dtype("f16.weight"), Dtype::F16);
    assert_eq!(dtype("bf16.weight"), Dtype::BF16);
}

#[test]
fn averaged_and_raw_weights_have_the_same_names() {
    let averaged = Weights::dit(Arc::new(open("checkpoint/training.pt"))).unwrap();
    let raw = Weights::dit(Arc::new(open("checkpoint/raw.pt"))).unwrap();
    for weights in [&averaged, &raw] {
        let scope = weights.scope("proj");
        assert!(scope.tensor("weight", &[4, 6]).is_ok());
        assert!(scope.tensor("bias", &[4]).is_ok());
    }
    let weight = |weights: &Weights| {
        weights
            .scope("proj")
            .tensor("weight", &[4, 6])
            .unwrap()
            .into_owned()
    };
    assert_ne!(weight(&averaged), weight(&raw));
}

#[test]
fn views_are_put_in_order() {
    assert_same(&open("checkpoint/views.pt"), &Golden::open("checkpoint/views.safetensors"));
}

#[test]
fn safetensors_are_what_the_other_reader_says() {
    for name in ["tiny_v1/model.safetensors", "checkpoint/views.safetensors"] {
        assert_same(&open(name), &Golden::open(name));
    }
    let half = open("tiny_x/model.safetensors");
    let tensor = half
        .tensor("ema_model.transformer.rotary_embed.inv_freq")
        .unwrap();
    assert_eq!((tensor.dtype, tensor.shape), (Dtype::F16, &[8][..]));
}

#[test]
fn a_vocoder_loads_completely() {
    let table = Golden::text("vocos/tensors.json");
    let shapes: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&table).unwrap();
    let weights = Weights::vocos(Arc::new(open("vocos/pytorch_model.bin"))).unwrap();
    for (name, shape) in shapes {
        if !name.starts_with("feature_extractor.") {
            let shape: Vec<usize> = serde_json::from_value(shape[1].clone()).unwrap();
            assert!(weights.root().tensor(&name, &shape).is_ok(), "{name}");
        }
    }
    weights.finish().unwrap();
}

#[test]
fn a_file_and_its_bytes_are_the_same_checkpoint() {
    let path = Golden::path("tiny_v1/model.safetensors");
    let bytes: &'static [u8] = std::fs::read(&path).unwrap().leak();
    let golden = Golden::open("tiny_v1/model.safetensors");
    assert_same(&Checkpoint::from_static("built in", bytes).unwrap(), &golden);
}

#[test]
#[cfg(all(unix, target_pointer_width = "64"))]
fn an_archive_of_gigabytes_is_read_where_it_lies() {
    use std::os::unix::fs::FileExt;

    // Five gigabytes of which only the ends are written: offsets need 64 bits, the disk no space.
    let start = 5 << 30;
    let values: Vec<u8> = (0..6_u8)
        .flat_map(|value| f32::from(value).to_le_bytes())
        .collect();
    let program = pickle("0", 6, 1, &[2, 2], &[2, 1]);
    let archive = zip_at(start, &[("m/data.pkl", &program), ("m/data/0", &values)]);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.pt");
    let file = std::fs::File::create(&path).unwrap();
    file.write_all_at(b"PK\x03\x04", 0).unwrap();
    file.write_all_at(&archive, start).unwrap();
    let checkpoint = Checkpoint::open(&path).unwrap();
    let values = checkpoint.tensor("w").unwrap().to_f32().unwrap();
    assert_eq!(*values, [1.0, 2.0, 3.0, 4.0]);
}

#[test]
fn an_archive_of_very_many_entries_is_read() {
    // Beyond 65 535 entries the directory is described by records of 64 bits.
    let program = pickle("69999", 6, 0, &[6], &[1]);
    let names: Vec<String> = (0..70_000).map(|index| format!("m/data/{index}")).collect();
    let mut entries: Vec<(&str, &[u8])> =
        names.iter().map(|name| (name.as_str(), &[][..])).collect();
    entries[69_999].1 = &[0; 24];
    entries.push(("m/data.pkl", &program));
    let checkpoint = Checkpoint::from_bytes("many", zip(&entries)).unwrap();
    assert_eq!(checkpoint.tensor("w").unwrap().shape, [6]);
    let names: Vec<String> = (0..=100_000).map(|index| index.to_string()).collect();
    let entries: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &[][..])).collect();
    assert!(refusal(zip(&entries)).ends_with("has over 100000 entries"));
}

#[test]
fn files_of_other_kinds_are_refused_with_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.pt");
    let refusal = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        chain(&Checkpoint::open(&path).unwrap_err())
    };
    assert!(refusal(b"").ends_with("it is empty"));
    assert!(
        refusal(b"RIFF....WAVE").ends_with("neither a safetensors file nor a torch checkpoint")
    );
    assert!(
        refusal(b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.")
            .contains("torch.save(torch.load(path), path)")
    );
    assert!(
        refusal(b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n")
            .contains("download the file")
    );
    assert!(refusal(b"PK\x03\x04").contains("zip archive is damaged: "));
    let missing = Checkpoint::open(Path::new("/no/such/file.pt")).unwrap_err();
    assert!(missing.to_string().contains("/no/such/file.pt"));
    assert!(Checkpoint::open(directory.path()).is_err());
}
