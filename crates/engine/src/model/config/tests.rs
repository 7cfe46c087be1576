use super::{DitConfig, ModelConfig, Padding, QkNorm, VocosConfig};

/// The official configuration of the first release, shortened where nothing is read.
const F5TTS_BASE: &str = "
hydra:
  run:
    dir: ckpts/${model.name}_${model.mel_spec.mel_spec_type}/${now:%Y-%m-%d}

optim:
  learning_rate: 7.5e-5
  bnb_optimizer: False  # use bnb 8bit AdamW optimizer or not

model:
  name: F5TTS_Base  # model name
  tokenizer: pinyin  # tokenizer type
  tokenizer_path: null  # if 'custom' tokenizer, define the path want to use (should be vocab.txt)
  backbone: DiT
  arch:
    dim: 1024
    depth: 22
    heads: 16
    ff_mult: 2
    text_dim: 512
    text_mask_padding: False
    conv_layers: 4
    pe_attn_head: 1
    attn_backend: torch  # torch | flash_attn
    attn_mask_enabled: False
    checkpoint_activations: False  # recompute activations and save memory for extra compute
  mel_spec:
    target_sample_rate: 24000
    n_mel_channels: 100
    hop_length: 256
    win_length: 1024
    n_fft: 1024
    mel_spec_type: vocos  # vocos | bigvgan
  vocoder:
    is_local: False  # use local offline ckpt or not
    local_path: null  # local vocoder path
";

fn refusal(text: &str) -> String {
    chain(&ModelConfig::parse(text).unwrap_err())
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

#[test]
fn the_official_file_is_the_preset() {
    let config = ModelConfig::parse(F5TTS_BASE).unwrap();
    assert_eq!(Some(&config), ModelConfig::preset("F5TTS_Base").as_ref());
    let v1 = F5TTS_BASE
        .replace("F5TTS_Base", "F5TTS_v1_Base")
        .replace("text_mask_padding: False", "text_mask_padding: True\n    qk_norm: null")
        .replace("pe_attn_head: 1", "pe_attn_head: null");
    assert_eq!(Some(ModelConfig::parse(&v1).unwrap()), ModelConfig::preset("F5TTS_v1_Base"));
    let small =
        v1.replace("1024\n    depth: 22\n    heads: 16", "768\n    depth: 18\n    heads: 12");
    let small = ModelConfig::parse(&small.replace("v1_Base", "v1_Small")).unwrap();
    assert_eq!(Some(small), ModelConfig::preset("F5TTS_v1_Small"));
}

#[test]
fn every_preset_exists() {
    for name in ModelConfig::PRESETS {
        assert_eq!(ModelConfig::preset(name).unwrap().name.as_deref(), Some(name));
    }
    assert!(ModelConfig::preset("E2TTS_Base").is_none());
}

#[test]
fn a_card_of_a_community_model_is_read() {
    let card = r#"{"dim":1024,"depth":22,"heads":16,"ff_mult":2,"text_dim":512,"text_mask_padding":false,"conv_layers":4,"pe_attn_head":1}"#;
    let config = ModelConfig::parse(card).unwrap();
    assert_eq!((config.dit, config.name), (DitConfig::f5tts_base(), None));
    let yaml = "dim: 1024\ntext_mask_padding: true\npe_attn_head: null\n";
    let config = ModelConfig::parse(yaml).unwrap().dit;
    let defaults = DitConfig {
        depth: 8,
        heads: 8,
        ff_mult: 4,
        text_dim: 100,
        conv_layers: 0,
        ..DitConfig::f5tts_v1_base()
    };
    assert_eq!(config, defaults);
    assert_eq!(config.inner_dim(), 512);
}

#[test]
fn the_goldens_are_read() {
    let parse = |name: &str| ModelConfig::parse(&f5tts_testkit::Golden::text(name)).unwrap();
    let x = parse("tiny_x/config.json");
    assert_eq!(x.name.as_deref(), Some("tiny_x"));
    assert_eq!((x.dit.qk_norm, x.dit.pe_attn_head), (Some(QkNorm::RmsNorm), Some(2)));
    assert!(x.dit.long_skip_connection && x.dit.attn_mask_enabled);
    assert!(x.dit.text_embedding_average_upsampling);
    let (v0, v1) = (parse("tiny_v0/config.json").dit, parse("tiny_v1/config.json").dit);
    assert_eq!(v0, DitConfig { text_mask_padding: false, pe_attn_head: Some(1), ..v1 });
}

#[test]
fn a_model_brings_its_own_defaults() {
    let config = ModelConfig::parse(&format!("{F5TTS_BASE}\nf5tts: {{nfe_step: 16}}\n")).unwrap();
    assert_eq!(config.defaults.nfe_step, Some(16));
    let card = r#"{"dim":64,"text_mask_padding":true,"pe_attn_head":null,"f5tts":{"nfe_step":7}}"#;
    assert_eq!(ModelConfig::parse(card).unwrap().defaults.nfe_step, Some(7));
    assert_eq!(
        refusal(&card.replace(":7", ":129")),
        "`f5tts.nfe_step` is 129; allowed is a whole number from 1 to 128"
    );
    assert_eq!(
        refusal(&card.replace("nfe_step", "nfe")),
        "`f5tts.nfe` is unknown; known are nfe_step"
    );
}

#[test]
fn v0_and_v1_are_never_guessed() {
    let without = |line: &str| refusal(&F5TTS_BASE.replace(line, ""));
    let expected =
        "the configuration lacks `model.arch.text_mask_padding`; the weights cannot tell";
    assert!(without("    text_mask_padding: False\n").starts_with(expected));
    let expected = "the configuration lacks `model.arch.pe_attn_head`; the weights cannot tell";
    assert!(without("    pe_attn_head: 1\n").starts_with(expected));
}

#[test]
fn unknown_keys_are_named_with_the_known_ones() {
    let message = refusal(&F5TTS_BASE.replace("conv_layers", "conv_layer"));
    assert!(
        message.starts_with("`model.arch.conv_layer` is unknown; known are "),
        "{message}"
    );
    assert!(message.contains("conv_layers") && message.contains("text_mask_padding"));
    let message = refusal(&F5TTS_BASE.replace("hop_length", "hop_size"));
    assert!(message.starts_with("`model.mel_spec.hop_size` is unknown"), "{message}");
}

#[test]
fn other_kinds_of_models_are_refused_by_name() {
    let with = |from: &str, to: &str| refusal(&F5TTS_BASE.replace(from, to));
    assert_eq!(
        with("backbone: DiT", "backbone: UNetT"),
        "E2-TTS (backbone UNetT) is not supported yet"
    );
    assert_eq!(
        with("backbone: DiT", "backbone: MMDiT"),
        "backbone \"MMDiT\" is not supported yet"
    );
    assert_eq!(
        with("_type: vocos", "_type: bigvgan"),
        "a model for the vocoder BigVGAN is not supported yet"
    );
    assert_eq!(
        with("target_sample_rate: 24000", "target_sample_rate: 16000"),
        "`model.mel_spec.target_sample_rate` is 16000; allowed is only 24000"
    );
}

#[test]
fn values_out_of_range_are_refused() {
    for (from, to, expected) in [
        (
            "dim: 1024",
            "dim: 1000",
            "`model.arch.dim` is 1000; allowed is a multiple of 16",
        ),
        (
            "dim: 1024",
            "dim: -1",
            "`model.arch.dim` is -1; allowed is a whole number from 16 to 8192",
        ),
        ("dim: 1024", "dim: 1e30", "`model.arch.dim` is 1e+30; allowed is a whole number"),
        (
            "dim: 1024",
            "dim: wide",
            "`model.arch.dim` is \\\"wide\\\"; allowed is a whole number",
        ),
        ("depth: 22", "depth: 0", "`model.arch.depth` is 0"),
        (
            "heads: 16",
            "heads: 16\n    dim_head: 63",
            "`model.arch.dim_head` is 63; allowed is an even",
        ),
        (
            "text_dim: 512",
            "text_dim: 511",
            "`model.arch.text_dim` is 511; allowed is an even",
        ),
        (
            "head: 1",
            "head: 17",
            "`model.arch.pe_attn_head` is 17; allowed is at most the number",
        ),
        (
            "padding: False",
            "padding: 0",
            "`model.arch.text_mask_padding` is 0; allowed is true or false",
        ),
        (
            "conv_",
            "qk_norm: layer\n    conv_",
            "`model.arch.qk_norm` is \"layer\"; allowed is null or",
        ),
        (
            "conv_",
            "text_embedding_average_upsampling: true\n    conv_",
            "only together with",
        ),
        (
            "conv_",
            "mel_dim: 80\n    conv_",
            "`model.arch.mel_dim` is 80; allowed is only 100",
        ),
        ("  arch:", "  arch: []\n  other:", "`model.arch` is []; allowed is a table"),
    ] {
        let message = refusal(&F5TTS_BASE.replace(from, to));
        assert!(message.contains(expected), "{message}");
    }
    assert!(refusal("[1, 2]").starts_with("`the configuration` is [1,2]"));
}

#[test]
fn hostile_documents_are_refused() {
    assert!(refusal("{\"dim\":").starts_with("the configuration is not valid JSON: "));
    assert_eq!(
        refusal("a: ["),
        "the configuration is not valid YAML: unclosed bracket '[' at line 1, column 4"
    );
    assert!(refusal("a: &a [x]\nb: *a\n").starts_with("the configuration is not valid YAML: "));
    assert!(refusal("dim: 1\ndim: 2\n").contains("duplicate"));
    let deep = format!("a: {}{}", "[".repeat(40), "]".repeat(40));
    assert!(refusal(&deep).starts_with("the configuration is not valid YAML: "));
    assert!(refusal(&format!("{{\"a\":{}", "[".repeat(100_000))).contains("recursion limit"));
    let long = format!("# {}", "x".repeat(2 << 20));
    assert_eq!(refusal(&long), "the configuration has 2097154 bytes, the limit is 1048576");
}

#[test]
fn the_official_vocoder_is_the_preset() {
    let golden = f5tts_testkit::Golden::text("vocos/config.yaml");
    let tiny = VocosConfig::parse(&golden).unwrap();
    assert_eq!(
        tiny,
        VocosConfig {
            dim: 16,
            intermediate_dim: 48,
            num_layers: 2,
            ..VocosConfig::vocos_mel_24khz()
        }
    );
    let large = golden
        .replace("dim: 16", "dim: 512")
        .replace("intermediate_dim: 48", "intermediate_dim: 1536")
        .replace("num_layers: 2", "num_layers: 8");
    assert_eq!(VocosConfig::parse(&large).unwrap(), VocosConfig::vocos_mel_24khz());
    let at = golden.rfind("padding: center").unwrap();
    let same = format!("{}padding: same", &golden[..at]);
    assert_eq!(VocosConfig::parse(&same).unwrap().padding, Padding::Same);
}

#[test]
fn other_vocoders_are_refused() {
    let golden = f5tts_testkit::Golden::text("vocos/config.yaml");
    for (from, to, expected) in [
        (
            "MelSpectrogramFeatures",
            "EncodecFeatures",
            "the vocoder class \"vocos.feature_extractors.EncodecFeatures\"",
        ),
        (
            "heads.ISTFTHead",
            "heads.IMDCTSymExpHead",
            "\"vocos.heads.IMDCTSymExpHead\" is not supported yet",
        ),
        (
            "sample_rate: 24000",
            "sample_rate: 44100",
            "`feature_extractor.init_args.sample_rate` is 44100",
        ),
        (
            "num_layers: 2",
            "num_layers: 2\n    adanorm_num_embeddings: 4",
            "adanorm_num_embeddings` is 4",
        ),
        (
            "num_layers: 2",
            "layers: 2",
            "the configuration lacks `backbone.init_args.num_layers`",
        ),
        (
            "dim: 16\n    n_fft",
            "dim: 32\n    n_fft",
            "`head.init_args.dim` is 32; allowed is only 16",
        ),
        ("dim: 16\n    n_fft: 1024", "dim: 16\n    n_fft: 500", "an even number from 512"),
    ] {
        assert!(golden.contains(from), "{from}");
        let message = chain(&VocosConfig::parse(&golden.replace(from, to)).unwrap_err());
        assert!(message.contains(expected), "{message}");
    }
}

proptest::proptest! {
    #[test]
    fn random_text_is_read_or_refused(text in "[a-z0-9:{}\\[\\]&*\\-# \n\"',!|>?.]{0,200}") {
        let refused = ModelConfig::parse(&text).is_err() && VocosConfig::parse(&text).is_err();
        proptest::prop_assert!(refused);
    }
}
