"""Goldens of the DiT and of its sampler: what every layer gives, and where the trajectories go."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from configurations import Configuration
from f5_tts.model import CFM
from f5_tts.model.utils import convert_char_to_pinyin, get_epss_timesteps, list_str_to_idx
from official import MELS, Tap, float32, load_model
from safetensors.torch import save_file
from speech import GOOD_MORNING, at_24_khz

TEXT = "Hi friend. A cat, 你好吗?"
SECOND_TEXT = "Hi there. 今天天气很好。"
FIRST_REFERENCE_FRAME = 20
TIME = 0.3712
GUIDANCE = 2.0
SWAY = -1.0


@dataclass
class Inputs:
    text: str
    tokens: list[list[str]]
    ids: torch.Tensor
    reference: torch.Tensor  # [1, reference frames, mels]


def inputs_of(configuration: Configuration, model: CFM) -> Inputs:
    text = configuration.text or TEXT
    tokens = convert_char_to_pinyin([text])
    mel = model.mel_spec(at_24_khz(GOOD_MORNING)).permute(0, 2, 1)
    end = FIRST_REFERENCE_FRAME + configuration.reference_frames
    reference = mel[:, FIRST_REFERENCE_FRAME:end].contiguous()
    return Inputs(text, tokens, list_str_to_idx(tokens, model.vocab_char_map), reference)


def described(settings: dict) -> dict[str, str]:
    """One entry only: safetensors writes several in random order, and the same golden should be the same file."""
    return {"golden": json.dumps(settings, ensure_ascii=False)}


def tap_layers(network: torch.nn.Module, configuration: Configuration) -> Tap:
    tap = Tap()
    tap.on(network.time_embed, "time_embed")
    tap.on(network.text_embed, "text_embed")
    for i, block in enumerate(network.text_embed.text_blocks):
        tap.on(block, f"text_embed.block{i}")
    tap.on(network.input_embed, "input_embed")
    for i, block in enumerate(network.transformer_blocks):
        tap.on(block, f"block{i:02d}")
    if configuration.every_layer:
        tap.on(network.text_embed.text_embed, "text_embed.lookup")
        first = network.transformer_blocks[0]
        tap.on(first.attn_norm, "block00.attn_norm", lambda output: output[0])
        tap.on(first.attn, "block00.attn")
        tap.on(first.ff, "block00.ff")
    tap.on(network.norm_out, "norm_out")
    return tap


def write_forward(configuration: Configuration, model: CFM, inputs: Inputs, directory: Path) -> None:
    """One evaluation with guidance: row 0 is conditional, row 1 unconditional."""
    network = model.transformer
    generator = torch.Generator().manual_seed(configuration.seed + 2)
    x = torch.randn(1, configuration.frames, MELS, generator=generator)
    padding = configuration.frames - configuration.reference_frames
    condition = torch.nn.functional.pad(inputs.reference, (0, 0, 0, padding))
    time = torch.tensor(TIME)
    common = dict(x=x, cond=condition, text=inputs.ids, time=time, mask=None)
    tap = tap_layers(network, configuration)
    with torch.inference_mode():
        predicted = network(**common, cfg_infer=True, cache=False)
    golden = tap.off()
    with torch.inference_mode():
        conditional = network(**common, drop_audio_cond=False, drop_text=False)
        unconditional = network(**common, drop_audio_cond=True, drop_text=True)
    # Both branches in one batch must be what each is alone, or the golden would hide a leak between rows.
    torch.testing.assert_close(torch.cat([conditional, unconditional]), predicted, atol=1e-4, rtol=0)
    golden |= {
        "in.x": x,
        "in.cond_mel": inputs.reference,
        "in.text_ids": inputs.ids.to(torch.int32),
        "in.time": time.reshape(1),
        "out.cond": float32(predicted[:1]),
        "out.uncond": float32(predicted[1:]),
    }
    metadata = described(dict(text=inputs.text, tokens=inputs.tokens[0]))
    save_file({k: v.contiguous() for k, v in golden.items()}, directory / "forward.safetensors", metadata=metadata)


def sample(model: CFM, inputs: Inputs, frames: int, seed: int, **overrides: object) -> tuple[torch.Tensor, ...]:
    """Returns the mel and the trajectory, by default after four evaluations."""
    arguments = dict(cond=inputs.reference, text=inputs.tokens, duration=frames, seed=seed)
    arguments |= dict(steps=4, cfg_strength=GUIDANCE, sway_sampling_coef=SWAY)
    with torch.inference_mode():
        return model.sample(**(arguments | overrides))


def kept_steps(configuration: Configuration, evaluations: int) -> list[int]:
    """A trajectory is large: short ones are kept whole, of longer ones a few points."""
    if configuration.every_layer and (evaluations <= 7 or configuration.vocabulary == "official"):
        steps = list(range(evaluations + 1))
    elif configuration.every_layer:
        steps = [0, 1, evaluations // 2, evaluations]
    else:
        steps = [0, 1, evaluations]
    # The noise depends on the seed alone, so one file holds it for all.
    return steps if evaluations == configuration.evaluations[0] else steps[1:]


def write_trajectories(configuration: Configuration, model: CFM, inputs: Inputs, directory: Path) -> None:
    for evaluations in configuration.evaluations:
        output, trajectory = sample(model, inputs, configuration.frames, configuration.seed, steps=evaluations)
        times = get_epss_timesteps(evaluations, "cpu", torch.float32)
        times = times + SWAY * (torch.cos(torch.pi / 2 * times) - 1 + times)
        golden = {f"traj.{i:02d}": float32(trajectory[i]) for i in kept_steps(configuration, evaluations)}
        golden |= {"out": float32(output), "t": times}
        settings = dict(seed=configuration.seed, duration=configuration.frames)
        settings |= dict(nfe=evaluations, cfg=GUIDANCE, sway=SWAY)
        save_file(golden, directory / f"sample_nfe{evaluations}.safetensors", metadata=described(settings))


def write_variants(configuration: Configuration, model: CFM, inputs: Inputs, directory: Path) -> None:
    """The sampler's other modes; for most configurations only the one without guidance, sway and EPSS."""
    frames, seed = configuration.frames, configuration.seed
    linear = dict(steps=5, cfg_strength=0.0, sway_sampling_coef=None, use_epss=False)
    golden = {"cfg0_sway_none_linear5": float32(sample(model, inputs, frames, seed, **linear)[0])}
    if configuration.variants:
        reference_frames = configuration.reference_frames
        mask = torch.ones(1, reference_frames, dtype=torch.bool)
        mask[:, reference_frames // 4 : reference_frames // 2] = False
        golden["edit_mask"] = mask.to(torch.uint8)
        golden["edit_nfe4"] = float32(sample(model, inputs, reference_frames, seed, edit_mask=mask)[0])
        golden["no_ref_audio_nfe4"] = float32(sample(model, inputs, frames, seed, no_ref_audio=True)[0])
        euler, model.odeint_kwargs = model.odeint_kwargs, dict(method="midpoint")
        output, trajectory = sample(model, inputs, frames, seed)
        model.odeint_kwargs = euler
        golden["midpoint_nfe4"] = float32(output)
        golden["midpoint_nfe4.traj.01"] = float32(trajectory[1])
    save_file(golden, directory / "sample_variants.safetensors")


def write_batch(configuration: Configuration, model: CFM, inputs: Inputs, directory: Path) -> None:
    """A padded batch of two, as the official evaluation makes it, and its second item alone."""
    frames, reference_frames = configuration.frames, configuration.reference_frames
    second_frames, second_reference_frames = frames - 9, reference_frames - 7
    condition = torch.zeros(2, reference_frames, MELS)
    condition[0] = inputs.reference[0]
    condition[1, :second_reference_frames] = inputs.reference[0, 3 : 3 + second_reference_frames]
    tokens = convert_char_to_pinyin([inputs.text, SECOND_TEXT])
    lengths = torch.tensor([reference_frames, second_reference_frames])
    durations = torch.tensor([frames, second_frames])
    golden = {
        "in.cond": condition,
        "in.lens": lengths.to(torch.int32),
        "in.duration": durations.to(torch.int32),
        "in.text_ids": list_str_to_idx(tokens, model.vocab_char_map).to(torch.int32),
    }
    batch = Inputs(inputs.text, tokens, inputs.ids, condition)
    for masked in (False, True):
        other = load_model(configuration.arch | dict(attn_mask_enabled=masked), directory)
        output, trajectory = sample(other, batch, durations, configuration.seed, lens=lengths)
        golden[f"out.attn_mask_{masked}"] = float32(output)
        if not masked:
            golden["y0"] = float32(trajectory[0])
    alone = Inputs(SECOND_TEXT, tokens[1:], inputs.ids, condition[1:, :second_reference_frames])
    golden["item1_alone"] = float32(sample(model, alone, second_frames, configuration.seed)[0])
    save_file({k: v.contiguous() for k, v in golden.items()}, directory / "sample_batch2.safetensors")


def write_network(configuration: Configuration, directory: Path) -> None:
    model = load_model(configuration.arch, directory)
    inputs = inputs_of(configuration, model)
    write_forward(configuration, model, inputs, directory)
    write_trajectories(configuration, model, inputs, directory)
    write_variants(configuration, model, inputs, directory)
    if configuration.batch:
        write_batch(configuration, model, inputs, directory)
