use super::document::{ConfigError, Table};

/// The sizes of a Vocos vocoder. Those that were parsed, and the preset, are valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VocosConfig {
    /// Channels of the mel spectrogram.
    pub input_channels: usize,
    /// Width of the residual stream.
    pub dim: usize,
    /// Width within the ConvNeXt blocks.
    pub intermediate_dim: usize,
    /// Number of ConvNeXt blocks.
    pub num_layers: usize,
    /// Samples of a frame.
    pub n_fft: usize,
    /// Samples from one frame to the next.
    pub hop_length: usize,
    /// How the frames are cut to a signal.
    pub padding: Padding,
}

/// How the ends of a signal are cut after the inverse transform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// `n_fft / 2` samples at both ends, which leaves `(frames - 1) · hop_length`.
    Center,
    /// `(n_fft - hop_length) / 2` samples at both ends, which leaves `frames · hop_length`.
    Same,
}

impl VocosConfig {
    /// `charactr/vocos-mel-24khz`, the vocoder of the official models.
    pub const fn vocos_mel_24khz() -> Self {
        Self {
            input_channels: 100,
            dim: 512,
            intermediate_dim: 1536,
            num_layers: 8,
            n_fft: 1024,
            hop_length: 256,
            padding: Padding::Center,
        }
    }

    /// Reads the `config.yaml` of a vocoder.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let mut root = Table::parse(text)?;
        check_features(&mut root)?;
        let class = "vocos.models.VocosBackbone";
        let mut backbone = arguments_of(&mut root, "backbone", class)?;
        let needed = "it must be given";
        let mut size = |key, range| {
            let size = backbone.number(key, range)?;
            size.ok_or_else(|| backbone.missing(key, needed))
        };
        let input_channels = size("input_channels", 1..=1024)?;
        let (dim, intermediate_dim) =
            (size("dim", 1..=8192)?, size("intermediate_dim", 1..=32_768)?);
        let num_layers = size("num_layers", 1..=128)?;
        if input_channels != 100 {
            return Err(backbone.conflict("input_channels", input_channels, "only 100"));
        }
        if let Some(bandwidths) = backbone.number("adanorm_num_embeddings", 0..=usize::MAX)? {
            return Err(backbone.conflict("adanorm_num_embeddings", bandwidths, "only null"));
        }
        backbone.ignore(&["layer_scale_init_value"]);
        backbone.finish()?;
        let mut head = arguments_of(&mut root, "head", "vocos.heads.ISTFTHead")?;
        head.only("dim", dim)?;
        let n_fft = head.number("n_fft", 2..=16_384)?;
        let config = Self {
            input_channels,
            dim,
            intermediate_dim,
            num_layers,
            n_fft: n_fft.ok_or_else(|| head.missing("n_fft", needed))?,
            hop_length: 256,
            padding: read_padding(&mut head)?,
        };
        head.only("hop_length", config.hop_length)?;
        if !config.n_fft.is_multiple_of(2) || config.n_fft < 2 * config.hop_length {
            return Err(head.conflict("n_fft", config.n_fft, "an even number from 512"));
        }
        head.finish()?;
        root.finish()?;
        Ok(config)
    }
}

/// Checks that the vocoder expects the mel spectrogram that the model makes.
fn check_features(root: &mut Table) -> Result<(), ConfigError> {
    let class = "vocos.feature_extractors.MelSpectrogramFeatures";
    let mut features = arguments_of(root, "feature_extractor", class)?;
    features.only("sample_rate", 24_000)?;
    features.only("n_fft", 1024)?;
    features.only("hop_length", 256)?;
    features.only("n_mels", 100)?;
    match features.text("padding")?.as_deref() {
        None | Some("center") => features.finish(),
        Some(other) => Err(features.conflict("padding", format!("{other:?}"), "only \"center\"")),
    }
}

/// Takes out a part of the given class, as the table of its arguments.
fn arguments_of(root: &mut Table, part: &'static str, class: &str) -> Result<Table, ConfigError> {
    let mut part = root.table(part)?;
    match part.text("class_path")? {
        None => return Err(part.missing("class_path", "it must be given")),
        Some(found) if found != class => {
            let what = format!("the vocoder class {found:?}");
            return Err(ConfigError::Unsupported { what: what.chars().take(120).collect() });
        }
        Some(_) => {}
    }
    let arguments = part.table("init_args")?;
    part.finish()?;
    Ok(arguments)
}

fn read_padding(head: &mut Table) -> Result<Padding, ConfigError> {
    match head.text("padding")?.as_deref() {
        Some("center") => Ok(Padding::Center),
        // The default of the official constructor.
        None | Some("same") => Ok(Padding::Same),
        Some(other) => {
            Err(head.conflict("padding", format!("{other:?}"), "\"center\" or \"same\""))
        }
    }
}
