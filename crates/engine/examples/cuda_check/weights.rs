//! Random weights of the real size: nothing has to be downloaded.

use std::{error::Error, path::Path};

use f5tts_engine::{
    MEL_CHANNELS,
    model::config::{DitConfig, VocosConfig},
    sampler::noise::NoiseGenerator,
};
use safetensors::{Dtype, tensor::TensorView};

/// Names, sizes, and about how large the values are.
type Named = Vec<(String, Vec<usize>, f32)>;

/// A linear layer or convolution, whose outputs are about as large as its inputs.
fn layer(all: &mut Named, name: &str, shape: &[usize]) {
    let inputs: usize = shape[1..].iter().product();
    all.push((format!("{name}.weight"), shape.to_vec(), (inputs as f32).powf(-0.5)));
    all.push((format!("{name}.bias"), vec![shape[0]], 0.02));
}

/// The weight and bias of a norm.
fn norm(all: &mut Named, name: &str, dim: usize) {
    all.push((format!("{name}.weight"), vec![dim], 1.0));
    all.push((format!("{name}.bias"), vec![dim], 0.1));
}

pub(crate) fn write_dit(
    path: &Path,
    config: &DitConfig,
    vocab_size: usize,
) -> Result<(), Box<dyn Error>> {
    let (mut all, dim, text) = (Named::new(), config.dim, config.text_dim);
    let inner = config.heads * config.dim_head;
    layer(&mut all, "time_embed.time_mlp.0", &[dim, 256]);
    layer(&mut all, "time_embed.time_mlp.2", &[dim, dim]);
    all.push(("text_embed.text_embed.weight".to_owned(), vec![vocab_size + 1, text], 1.0));
    for index in 0..config.conv_layers {
        let block = format!("text_embed.text_blocks.{index}");
        layer(&mut all, &format!("{block}.dwconv"), &[text, 1, 7]);
        norm(&mut all, &format!("{block}.norm"), text);
        layer(&mut all, &format!("{block}.pwconv1"), &[2 * text, text]);
        all.push((format!("{block}.grn.gamma"), vec![1, 1, 2 * text], 0.1));
        all.push((format!("{block}.grn.beta"), vec![1, 1, 2 * text], 0.1));
        layer(&mut all, &format!("{block}.pwconv2"), &[text, 2 * text]);
    }
    layer(&mut all, "input_embed.proj", &[dim, 2 * MEL_CHANNELS + text]);
    for index in [0, 2] {
        layer(
            &mut all,
            &format!("input_embed.conv_pos_embed.conv1d.{index}"),
            &[dim, dim / 16, 31],
        );
    }
    for index in 0..config.depth {
        let block = format!("transformer_blocks.{index}");
        layer(&mut all, &format!("{block}.attn_norm.linear"), &[6 * dim, dim]);
        for part in ["to_q", "to_k", "to_v"] {
            layer(&mut all, &format!("{block}.attn.{part}"), &[inner, dim]);
        }
        layer(&mut all, &format!("{block}.attn.to_out.0"), &[dim, inner]);
        layer(&mut all, &format!("{block}.ff.ff.0.0"), &[config.ff_mult * dim, dim]);
        layer(&mut all, &format!("{block}.ff.ff.2"), &[dim, config.ff_mult * dim]);
    }
    layer(&mut all, "norm_out.linear", &[2 * dim, dim]);
    layer(&mut all, "proj_out", &[MEL_CHANNELS, dim]);
    let half = config.dim_head / 2;
    let frequencies = (0..half)
        .map(|i| 10_000_f32.powf(-(i as f32) / half as f32))
        .collect();
    write(path, all, Some(("rotary_embed.inv_freq".to_owned(), frequencies)))
}

pub(crate) fn write_vocos(path: &Path, config: &VocosConfig) -> Result<(), Box<dyn Error>> {
    let (mut all, dim) = (Named::new(), config.dim);
    layer(&mut all, "backbone.embed", &[dim, config.input_channels, 7]);
    norm(&mut all, "backbone.norm", dim);
    for index in 0..config.num_layers {
        let block = format!("backbone.convnext.{index}");
        all.push((format!("{block}.gamma"), vec![dim], 0.1));
        layer(&mut all, &format!("{block}.dwconv"), &[dim, 1, 7]);
        norm(&mut all, &format!("{block}.norm"), dim);
        layer(&mut all, &format!("{block}.pwconv1"), &[config.intermediate_dim, dim]);
        layer(&mut all, &format!("{block}.pwconv2"), &[dim, config.intermediate_dim]);
    }
    norm(&mut all, "backbone.final_layer_norm", dim);
    layer(&mut all, "head.out", &[config.n_fft + 2, dim]);
    let turn = |n: usize| std::f32::consts::TAU * n as f32 / config.n_fft as f32;
    let window = (0..config.n_fft)
        .map(|n| 0.5 - 0.5 * turn(n).cos())
        .collect();
    write(path, all, Some(("head.istft.window".to_owned(), window)))
}

fn write(
    path: &Path,
    named: Named,
    exact: Option<(String, Vec<f32>)>,
) -> Result<(), Box<dyn Error>> {
    let mut noise = NoiseGenerator::new(7);
    let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    let bytes = |values: &[f32]| {
        values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect()
    };
    for (name, shape, spread) in named {
        // At least as many as the generator makes together.
        let count: usize = shape.iter().product();
        let mut values = noise.normal(count.max(16));
        values.truncate(count);
        values.iter_mut().for_each(|value| *value *= spread);
        tensors.push((name, shape, bytes(&values)));
    }
    if let Some((name, values)) = exact {
        tensors.push((name, vec![values.len()], bytes(&values)));
    }
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| Ok((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?)))
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
    Ok(safetensors::serialize_to_file(views, None, path)?)
}
