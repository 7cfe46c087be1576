use super::document::{ConfigError, Table};
use crate::sampler::grid::Nfe;

/// Groups of the convolution over positions; the width must be a multiple of it.
const CONV_GROUPS: usize = 16;

/// What is to be written where v0 and v1 cannot be told apart.
const VERSION_HINT: &str = "the weights cannot tell, so it must be given: \
     v1 models have `text_mask_padding: true` and `pe_attn_head: null`, \
     v0 models `text_mask_padding: false` and `pe_attn_head: 1`";

/// A model as its configuration describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelConfig {
    /// What the configuration calls the model.
    pub name: Option<String>,
    /// The network.
    pub dit: DitConfig,
    /// What requests get that do not say otherwise.
    pub defaults: ModelDefaults,
}

/// Settings of a request for which a model has its own defaults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModelDefaults {
    /// Steps of the sampler.
    pub nfe_step: Option<usize>,
}

impl ModelDefaults {
    /// The steps of a request that does not say how many.
    pub fn nfe(self) -> Nfe {
        self.nfe_step
            .and_then(|steps| u32::try_from(steps).ok())
            .and_then(|steps| Nfe::try_from(steps).ok())
            .unwrap_or_default()
    }
}

/// The sizes and switches of a `DiT`. Those that were parsed, and the presets, are valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DitConfig {
    /// Width of the residual stream, a multiple of 16.
    pub dim: usize,
    /// Number of transformer blocks.
    pub depth: usize,
    /// Number of attention heads.
    pub heads: usize,
    /// Width of a head, even.
    pub dim_head: usize,
    /// Width of the feed-forward layers as a multiple of `dim`.
    pub ff_mult: usize,
    /// Width of the text embedding, even.
    pub text_dim: usize,
    /// Number of ConvNeXt blocks on the text.
    pub conv_layers: usize,
    /// Whether filler rows of the text are kept at zero (v1).
    pub text_mask_padding: bool,
    /// Whether the text is stretched evenly over the frames instead of filled up.
    pub text_embedding_average_upsampling: bool,
    /// How many heads are rotated by position; all if `None` (v1).
    pub pe_attn_head: Option<usize>,
    /// The normalisation of queries and keys.
    pub qk_norm: Option<QkNorm>,
    /// Whether the input of the first block is joined to the output of the last.
    pub long_skip_connection: bool,
    /// Whether padded frames are masked in batches. Batches here have none, so it changes nothing.
    pub attn_mask_enabled: bool,
    /// Channels of the mel spectrogram.
    pub mel_dim: usize,
}

/// A normalisation of queries and keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QkNorm {
    /// By the root of the mean square, with a weight per channel of a head.
    RmsNorm,
}

impl ModelConfig {
    /// The models whose configuration is built in.
    pub const PRESETS: [&str; 4] = [
        "F5TTS_v1_Base",
        "F5TTS_Base",
        "F5TTS_v1_Small",
        "F5TTS_Small",
    ];

    /// The built-in configuration of a model, by its official name.
    pub fn preset(name: &str) -> Option<Self> {
        let dit = match name {
            "F5TTS_v1_Base" => DitConfig::f5tts_v1_base(),
            "F5TTS_Base" => DitConfig::f5tts_base(),
            "F5TTS_v1_Small" => DitConfig::f5tts_v1_small(),
            "F5TTS_Small" => DitConfig::f5tts_small(),
            _ => return None,
        };
        Some(Self {
            name: Some(name.to_owned()),
            dit,
            defaults: ModelDefaults::default(),
        })
    }

    /// Reads a configuration, as JSON or YAML, in any of these forms.
    ///
    /// - the official training configuration, with the model under `model`
    /// - that part alone: a table with `arch`
    /// - the keys of `arch` alone, as cards of community models give them
    ///
    /// Defaults of the model itself stand beside, as in `f5tts: {nfe_step: 16}`.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let mut root = Table::parse(text)?;
        let mut own = root.table("f5tts")?;
        let defaults = ModelDefaults { nfe_step: own.number("nfe_step", 1..=128)? };
        own.finish()?;
        // Outside of `arch` and `mel_spec` there are settings of training and bookkeeping of all kinds.
        let mut model = if root.has("model") {
            root.table("model")?
        } else {
            root
        };
        let name = model.text("name")?;
        check_kind(&mut model)?;
        let dit = if model.has("arch") {
            DitConfig::read(model.table("arch")?)?
        } else {
            DitConfig::read(model)?
        };
        Ok(Self { name, dit, defaults })
    }
}

impl DitConfig {
    /// `F5TTS_v1_Base`: 337 million parameters.
    ///
    /// <https://github.com/SWivid/F5-TTS/blob/2ae2c9b/src/f5_tts/configs/F5TTS_v1_Base.yaml>
    pub const fn f5tts_v1_base() -> Self {
        Self {
            dim: 1024,
            depth: 22,
            heads: 16,
            dim_head: 64,
            ff_mult: 2,
            text_dim: 512,
            conv_layers: 4,
            text_mask_padding: true,
            text_embedding_average_upsampling: false,
            pe_attn_head: None,
            qk_norm: None,
            long_skip_connection: false,
            attn_mask_enabled: false,
            mel_dim: 100,
        }
    }

    /// `F5TTS_Base`: the first release.
    ///
    /// <https://github.com/SWivid/F5-TTS/blob/2ae2c9b/src/f5_tts/configs/F5TTS_Base.yaml>
    pub const fn f5tts_base() -> Self {
        Self {
            text_mask_padding: false,
            pe_attn_head: Some(1),
            ..Self::f5tts_v1_base()
        }
    }

    /// `F5TTS_v1_Small`: 159 million parameters; the authors published no weights.
    ///
    /// <https://github.com/SWivid/F5-TTS/blob/2ae2c9b/src/f5_tts/configs/F5TTS_v1_Small.yaml>
    pub const fn f5tts_v1_small() -> Self {
        Self { dim: 768, depth: 18, heads: 12, ..Self::f5tts_v1_base() }
    }

    /// `F5TTS_Small`: the first release in this size; the authors published no weights.
    ///
    /// <https://github.com/SWivid/F5-TTS/blob/2ae2c9b/src/f5_tts/configs/F5TTS_Small.yaml>
    pub const fn f5tts_small() -> Self {
        Self { dim: 768, depth: 18, heads: 12, ..Self::f5tts_base() }
    }

    /// Width of all heads together.
    pub const fn inner_dim(&self) -> usize {
        self.heads * self.dim_head
    }

    /// Reads the keys of `arch`. Those left out take the defaults of the official constructor.
    ///
    /// <https://github.com/SWivid/F5-TTS/blob/2ae2c9b/src/f5_tts/model/backbones/dit.py#L170>
    fn read(mut arch: Table) -> Result<Self, ConfigError> {
        if !arch.has("pe_attn_head") {
            return Err(arch.missing("pe_attn_head", VERSION_HINT));
        }
        let dim = arch.number("dim", 16..=8192)?;
        let text_mask_padding = arch.bool("text_mask_padding")?;
        let mel_dim = 100;
        arch.only("mel_dim", mel_dim)?;
        let config = Self {
            dim: dim
                .ok_or_else(|| arch.missing("dim", "it is the width of the model, such as 1024"))?,
            depth: arch.number("depth", 1..=128)?.unwrap_or(8),
            heads: arch.number("heads", 1..=128)?.unwrap_or(8),
            dim_head: arch.number("dim_head", 2..=512)?.unwrap_or(64),
            ff_mult: arch.number("ff_mult", 1..=16)?.unwrap_or(4),
            text_dim: arch.number("text_dim", 2..=8192)?.unwrap_or(mel_dim),
            conv_layers: arch.number("conv_layers", 0..=64)?.unwrap_or(0),
            text_mask_padding: text_mask_padding
                .ok_or_else(|| arch.missing("text_mask_padding", VERSION_HINT))?,
            text_embedding_average_upsampling: arch
                .bool("text_embedding_average_upsampling")?
                .unwrap_or(false),
            pe_attn_head: arch.number("pe_attn_head", 0..=128)?,
            qk_norm: read_qk_norm(&mut arch)?,
            long_skip_connection: arch.bool("long_skip_connection")?.unwrap_or(false),
            attn_mask_enabled: arch.bool("attn_mask_enabled")?.unwrap_or(false),
            mel_dim,
        };
        config.check(&arch)?;
        // How attention is computed and how training goes; the size of the vocabulary comes with it.
        arch.ignore(&[
            "attn_backend",
            "checkpoint_activations",
            "dropout",
            "text_num_embeds",
        ]);
        arch.finish()?;
        Ok(config)
    }

    /// Checks what depends on several values.
    fn check(&self, arch: &Table) -> Result<(), ConfigError> {
        if !self.dim.is_multiple_of(CONV_GROUPS) {
            return Err(arch.conflict("dim", self.dim, "a multiple of 16"));
        }
        if !self.dim_head.is_multiple_of(2) {
            return Err(arch.conflict("dim_head", self.dim_head, "an even number"));
        }
        if !self.text_dim.is_multiple_of(2) {
            return Err(arch.conflict("text_dim", self.text_dim, "an even number"));
        }
        if let Some(heads) = self.pe_attn_head.filter(|heads| *heads > self.heads) {
            return Err(arch.conflict("pe_attn_head", heads, "at most the number of heads"));
        }
        if self.text_embedding_average_upsampling && !self.text_mask_padding {
            let allowed = "true only together with `text_mask_padding: true`";
            return Err(arch.conflict("text_embedding_average_upsampling", true, allowed));
        }
        Ok(())
    }
}

fn read_qk_norm(arch: &mut Table) -> Result<Option<QkNorm>, ConfigError> {
    match arch.text("qk_norm")?.as_deref() {
        None => Ok(None),
        Some("rms_norm") => Ok(Some(QkNorm::RmsNorm)),
        Some(other) => Err(arch.conflict("qk_norm", format!("{other:?}"), "null or \"rms_norm\"")),
    }
}

/// Refuses models of other kinds, by name.
fn check_kind(model: &mut Table) -> Result<(), ConfigError> {
    match model.text("backbone")?.as_deref() {
        None | Some("DiT") => {}
        Some("UNetT") => return Err(unsupported("E2-TTS (backbone UNetT)")),
        Some(other) => return Err(unsupported(&format!("backbone {other:?}"))),
    }
    let mut mel = model.table("mel_spec")?;
    match mel.text("mel_spec_type")?.as_deref() {
        None | Some("vocos") => {}
        Some("bigvgan") => return Err(unsupported("a model for the vocoder BigVGAN")),
        Some(other) => return Err(unsupported(&format!("mel_spec_type {other:?}"))),
    }
    mel.only("target_sample_rate", 24_000)?;
    mel.only("n_mel_channels", 100)?;
    mel.only("hop_length", 256)?;
    mel.only("win_length", 1024)?;
    mel.only("n_fft", 1024)?;
    mel.finish()
}

fn unsupported(what: &str) -> ConfigError {
    ConfigError::Unsupported { what: what.chars().take(100).collect() }
}
