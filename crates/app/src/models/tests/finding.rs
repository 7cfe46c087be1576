//! Models that are on the machine, or not.

use super::*;

const SNAPSHOT: &str = "hf/hub/models--SWivid--F5-TTS/snapshots/c0ffee/F5TTS_v1_Base";
const VOCODER: &str = "hf/hub/models--charactr--vocos-mel-24khz/snapshots/c0ffee";

#[test]
fn auto_is_the_demo_until_the_official_model_is_complete() {
    let machine = Machine::new();
    assert_eq!(machine.resolve("auto").unwrap().checkpoint, FileSource::Embedded);
    machine.fill("hf/hub", "F5TTS_v1_Base");
    assert_eq!(machine.resolve("auto").unwrap().name, "demo");
    machine.fill("hf/hub", "vocos-mel-24khz");
    let expected = ModelFiles {
        name: "F5TTS_v1_Base".to_owned(),
        checkpoint: file(machine.path(SNAPSHOT).join("model_1250000.safetensors")),
        vocab: file(machine.path(SNAPSHOT).join("vocab.txt")),
        config: ConfigSource::Preset("F5TTS_v1_Base".to_owned()),
        vocoder_checkpoint: file(machine.path(VOCODER).join("pytorch_model.bin")),
        vocoder_config: file(machine.path(VOCODER).join("config.yaml")),
    };
    assert_eq!(machine.resolve("auto").unwrap(), expected);
    assert_eq!(machine.resolve("F5TTS_v1_Base").unwrap(), expected);
    assert_eq!(machine.resolve("demo").unwrap().checkpoint, FileSource::Embedded);
}

#[test]
fn a_file_that_was_cut_short_is_not_there() {
    let machine = Machine::new();
    machine.fill("hf/hub", "F5TTS_v1_Base");
    machine.fill("hf/hub", "vocos-mel-24khz");
    fs::write(machine.path(SNAPSHOT).join("vocab.txt"), "a\nb\n").unwrap();
    assert_eq!(machine.resolve("auto").unwrap().name, "demo");
}

#[test]
fn every_cache_of_the_hugging_face_tools_is_looked_at() {
    for cache in [
        "models",
        "cache",
        "hf/hub",
        "transformers",
        "xdg/huggingface/hub",
    ] {
        let mut machine = Machine::new();
        machine.fill(cache, "vocos-mel-24khz");
        let path = |name: &str| Some(machine.path(name));
        machine.settings = HubSettings {
            models_dir: path("models"),
            hf_hub_cache: path("cache"),
            hf_home: path("hf"),
            transformers_cache: path("transformers"),
            xdg_cache_home: path("xdg"),
            home: path("home"),
            ..HubSettings::default()
        };
        assert!(super::path("vocos-mel-24khz", &machine.settings).is_ok(), "{cache}");
        machine.settings.xdg_cache_home = None;
        let is_here = super::path("vocos-mel-24khz", &machine.settings).is_ok();
        assert_eq!(is_here, !cache.starts_with("xdg"), "{cache}");
    }
    let mut machine = Machine::new();
    machine.fill("home/.cache/huggingface/hub", "vocos-mel-24khz");
    machine.settings = HubSettings { home: Some(machine.path("home")), ..HubSettings::default() };
    assert!(super::path("vocos-mel-24khz", &machine.settings).is_ok());
}

#[test]
fn a_snapshot_without_a_reference_is_found() {
    let machine = Machine::new();
    machine.fill("hf/hub", "vocos-mel-24khz");
    let reference = machine.path("hf/hub/models--charactr--vocos-mel-24khz/refs/main");
    fs::write(&reference, "an older commit").unwrap();
    assert!(path("vocos-mel-24khz", &machine.settings).is_ok());
    fs::remove_file(&reference).unwrap();
    let found = path("vocos-mel-24khz", &machine.settings).unwrap();
    assert_eq!(found.files[0].path, machine.path(VOCODER).join("config.yaml"));
}

#[test]
fn a_model_that_was_not_fetched_tells_how_to_get_it() {
    let machine = Machine::new();
    let message = machine.refusal("F5TTS_Base");
    for part in [
        "`F5TTS_Base` is not on this machine; fetch it with `f5tts models get F5TTS_Base`",
        "put these files into a directory DIR and give `--model DIR --model-config F5TTS_Base`",
        "`model_1200000.safetensors` from https://huggingface.co/SWivid/F5-TTS/resolve/main/F5TTS_Base/",
        "`vocoder/pytorch_model.bin` from https://huggingface.co/charactr/vocos-mel-24khz/resolve/main/",
    ] {
        assert!(message.contains(part), "{message}");
    }
    // The directory that the advice asks for works.
    let directory = machine.path("own");
    for name in [
        "model_1200000.safetensors",
        "vocab.txt",
        "vocoder/config.yaml",
        "vocoder/pytorch_model.bin",
    ] {
        machine.write(&format!("own/{name}"), b"");
    }
    let overrides = Overrides { config: Some("F5TTS_Base".into()), ..Overrides::default() };
    let files = resolve(directory.to_str().unwrap(), &overrides, &machine.settings).unwrap();
    assert_eq!(files.config, ConfigSource::Preset("F5TTS_Base".to_owned()));
    assert_eq!(files.vocoder_checkpoint, file(directory.join("vocoder/pytorch_model.bin")));
    assert_eq!(files.name, "own");
}

#[test]
fn unknown_names_are_refused_with_the_known_ones() {
    let machine = Machine::new();
    let known =
        "auto, demo, F5TTS_v1_Base, F5TTS_v1_Base_no_zero_init, F5TTS_Base, vocos-mel-24khz";
    let message = machine.refusal("F5TTS");
    assert!(
        message.starts_with(&format!("there is no model `F5TTS`; known are {known}")),
        "{message}"
    );
    assert!(machine.refusal("vocos-mel-24khz").contains("is a vocoder"));
    for result in [
        path("x", &machine.settings).map(drop),
        verify("x", &machine.settings).map(drop),
    ] {
        assert!(chain(&result.unwrap_err()).starts_with("there is no model `x`"));
    }
}

#[test]
fn a_directory_of_ones_own_is_a_model() {
    let mut machine = Machine::new();
    machine.fill("hf/hub", "vocos-mel-24khz");
    machine.settings.models_dir = Some(machine.path("models"));
    let checkpoint = machine.write("models/anna/model_last.pt", b"");
    let directory = machine.path("models/anna");
    let directory = directory.to_str().unwrap();
    assert!(
        machine
            .refusal(directory)
            .contains("has no `vocab.txt`; put the tokens of the model there")
    );
    machine.write("models/anna/vocab.txt", b"");
    let message = machine.refusal(directory);
    assert!(
        message.contains("has no configuration (`config.yaml` or `config.json`)"),
        "{message}"
    );
    assert!(message.contains("one of F5TTS_v1_Base, F5TTS_Base"), "{message}");
    let config = machine.write("models/anna/F5TTS_Anna.yaml", b"");
    let files = machine.resolve(directory).unwrap();
    assert_eq!((&files.checkpoint, files.name.as_str()), (&file(&checkpoint), "anna"));
    assert_eq!(files.config, ConfigSource::File(config));
    assert_eq!(files.vocoder_config, file(machine.path(VOCODER).join("config.yaml")));
    // By its name, and as a file, it is the same.
    assert_eq!(machine.resolve("anna").unwrap(), files);
    assert_eq!(machine.resolve(checkpoint.to_str().unwrap()).unwrap(), files);
    // A plain name beats others; two others are not guessed between.
    machine.write("models/anna/other.yaml", b"");
    assert!(
        machine
            .refusal(directory)
            .contains("has several configurations: F5TTS_Anna.yaml, other.yaml")
    );
    let plain = machine.write("models/anna/config.json", b"");
    assert_eq!(machine.resolve(directory).unwrap().config, ConfigSource::File(plain));
}

#[test]
fn one_checkpoint_of_several_is_not_guessed() {
    let machine = Machine::new();
    machine.write("m/vocab.txt", b"");
    machine.write("m/config.yaml", b"");
    let directory = machine.path("m");
    let directory = directory.to_str().unwrap();
    assert!(
        machine
            .refusal(directory)
            .contains("has no checkpoint; expected is a file such as")
    );
    machine.write("m/model_1.pt", b"");
    machine.write("m/model_2.pt", b"");
    assert!(
        machine
            .refusal(directory)
            .contains("has several checkpoints: model_1.pt, model_2.pt")
    );
    // Of two formats, the one that cannot hold programs.
    let safe = machine.write("m/model_2.safetensors", b"");
    machine.write("m/vocoder/config.yaml", b"");
    assert!(
        machine
            .refusal(directory)
            .contains("has no `pytorch_model.bin` or `model.safetensors`")
    );
    machine.write("m/vocoder/model.safetensors", b"");
    assert_eq!(machine.resolve(directory).unwrap().checkpoint, file(safe));
}

#[test]
fn what_is_given_apart_beats_what_lies_beside() {
    let machine = Machine::new();
    machine.fill("hf/hub", "F5TTS_v1_Base");
    let overrides = Overrides {
        vocab: Some(machine.write("other.txt", b"")),
        config: Some(machine.write("other.yaml", b"")),
        vocoder: machine
            .write("vocoder/config.yaml", b"")
            .parent()
            .map(Path::to_owned),
    };
    let weights = machine.write("vocoder/pytorch_model.bin", b"");
    for model in ["F5TTS_v1_Base", "demo"] {
        let files = resolve(model, &overrides, &machine.settings).unwrap();
        assert_eq!(files.vocab, file(machine.path("other.txt")));
        assert_eq!(files.config, ConfigSource::File(machine.path("other.yaml")));
        assert_eq!(files.vocoder_checkpoint, file(&weights));
    }
    let missing = Some(machine.path("no such file"));
    for (overrides, name) in [
        (
            Overrides { vocab: missing.clone(), ..Overrides::default() },
            "the file of `--vocab`",
        ),
        (
            Overrides { config: missing.clone(), ..Overrides::default() },
            "the file of `--model-config`",
        ),
        (
            Overrides { vocoder: missing, ..Overrides::default() },
            "the directory of the vocoder",
        ),
    ] {
        let message = chain(&resolve("demo", &overrides, &machine.settings).unwrap_err());
        assert!(
            message.starts_with(name) && message.ends_with("no such file` does not exist"),
            "{message}"
        );
    }
}

#[test]
fn the_list_tells_what_is_here() {
    let mut machine = Machine::new();
    machine.fill("hf/hub", "F5TTS_v1_Base");
    machine.fill("hf/hub", "vocos-mel-24khz");
    machine.settings.models_dir = Some(machine.path("models"));
    machine.write("models/anna/model_last.pt", b"");
    machine.write("models/notes/readme.txt", b"");
    machine.write("models/models--org--name/model.pt", b"");
    let list = list(&machine.settings);
    let here: Vec<(&str, bool)> = list
        .iter()
        .map(|model| (model.name.as_str(), model.is_here))
        .collect();
    let expected = [
        ("demo", true),
        ("F5TTS_v1_Base", true),
        ("F5TTS_v1_Base_no_zero_init", false),
        ("F5TTS_Base", false),
        ("vocos-mel-24khz", true),
        ("anna", true),
    ];
    assert_eq!(here, expected);
    let official = serde_json::to_value(&list[1]).unwrap();
    assert_eq!(official["licence"], "CC-BY-NC-4.0");
    assert_eq!(official["bytes"], 1_348_435_761_u64 + 13_800);
    assert!(
        list[1]
            .path
            .as_ref()
            .is_some_and(|path| path.ends_with("model_1250000.safetensors"))
    );
}

#[test]
fn the_catalogue_is_consistent() {
    use f5tts_engine::model::config::ModelConfig;
    for model in &super::super::catalogue::KNOWN {
        assert!(model.file(Role::Checkpoint).is_some(), "{}", model.name);
        let other = if model.kind == Kind::Speech {
            Role::Vocab
        } else {
            Role::Config
        };
        assert!(model.file(other).is_some(), "{}", model.name);
        let preset = model.preset.and_then(ModelConfig::preset);
        assert_eq!(preset.is_some(), model.kind == Kind::Speech, "{}", model.name);
        for file in model.files {
            assert!(file.sha256.is_none_or(super::super::digest::is_sha256), "{}", file.path);
        }
    }
}
