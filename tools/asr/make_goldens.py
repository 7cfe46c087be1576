"""Makes tiny random Whisper models and records what transformers computes with them.

    make_goldens.py OUT_DIR        OUT_DIR is crates/testkit/goldens/asr

Needs tools/requirements.txt, transformers==5.23.0 and soundfile. Everything is seeded. The models have the real layout of
files, but few tokens: special tokens lie at the end in their real order, and the configuration says where.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import soundfile as sf
import torch
from safetensors.torch import save_file
from transformers import GenerationConfig, WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

SPEECH = Path(__file__).resolve().parents[2] / "crates/testkit/goldens/align/harbor.flac"
WIDTH, LAYERS, HEADS, INNER, POSITIONS = 16, 2, 2, 32, 48
TEXT_TOKENS = 256 + 40
LENGTH = 24
# Frames of the spectrogram and rows of the encoder that are recorded.
FRAMES = [*range(0, 340, 6), 341, 900, 2998, 2999]
ROWS = [*range(0, 180, 8), 748, 1498, 1499]
MODELS = {
    "multilingual": dict(mels=80, languages=["en", "zh", "de", "es", "ru"], times=6),
    "large": dict(mels=128, languages=["en", "zh", "de", "es", "ru", "yue"], times=6),
    "english": dict(mels=80, languages=[], times=6),
}


def characters_of_bytes() -> list[str]:
    visible = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in visible]
    names = {byte: chr(byte) for byte in visible} | {byte: chr(256 + k) for k, byte in enumerate(hidden)}
    return [names[byte] for byte in [*visible, *hidden]]


def tokenizer(languages: list[str], times: int) -> tuple[dict, list[str]]:
    """Returns tokenizer.json and the special tokens, which follow the others."""
    letters = characters_of_bytes()
    pairs = ["Ġ" + letter for letter in "abcdefghijklmnopqrstuvwxyz"] + ["th", "he", "in", "Ġthe", "er", "an"]
    vocab = {token: k for k, token in enumerate((letters + pairs)[:TEXT_TOKENS])}
    special = ["<|endoftext|>", "<|startoftranscript|>", *(f"<|{code}|>" for code in languages)]
    special += ["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]
    special += [f"<|{k * 0.02:.2f}|>" for k in range(times)]
    first = len(vocab)
    added = [dict(id=first + k, content=name, special=not name[2].isdigit()) for k, name in enumerate(special)]
    return dict(version="1.0", added_tokens=added, model=dict(type="BPE", vocab=vocab, merges=[])), special


def make(name: str, out: Path, wave: np.ndarray) -> None:
    layout = MODELS[name]
    torch.manual_seed(list(MODELS).index(name))
    files, special = tokenizer(layout["languages"], layout["times"])
    first = len(files["model"]["vocab"])
    ids = {mark: first + k for k, mark in enumerate(special)}
    start, end = ids["<|startoftranscript|>"], ids["<|endoftext|>"]
    config = WhisperConfig(
        vocab_size=first + len(special),
        num_mel_bins=layout["mels"],
        d_model=WIDTH,
        encoder_layers=LAYERS,
        decoder_layers=LAYERS,
        encoder_attention_heads=HEADS,
        decoder_attention_heads=HEADS,
        encoder_ffn_dim=INNER,
        decoder_ffn_dim=INNER,
        max_target_positions=POSITIONS,
        decoder_start_token_id=start,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
    )
    model = WhisperForConditionalGeneration(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            # Far enough from each other that no two logits are nearly equal.
            parameter.copy_((parameter + torch.randn_like(parameter) * 0.2).half().float())
    marks = [k for mark, k in ids.items() if mark != "<|endoftext|>"]
    generation = GenerationConfig(
        decoder_start_token_id=start,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
        no_timestamps_token_id=ids["<|notimestamps|>"],
        is_multilingual=bool(layout["languages"]),
        suppress_tokens=[1, 2, 7, *marks],
        begin_suppress_tokens=[220, end],
        max_length=LENGTH,
        return_timestamps=False,
    )
    if layout["languages"]:
        generation.lang_to_id = {f"<|{code}|>": ids[f"<|{code}|>"] for code in layout["languages"]}
        generation.task_to_id = {"translate": ids["<|translate|>"], "transcribe": ids["<|transcribe|>"]}
    model.generation_config = generation
    directory = out / name
    directory.mkdir(parents=True, exist_ok=True)
    tensors = {k: v.half().contiguous() for k, v in model.state_dict().items() if k != "proj_out.weight"}
    save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})
    config.save_pretrained(directory)
    generation.save_pretrained(directory)
    (directory / "tokenizer.json").write_text(json.dumps(files, ensure_ascii=False))

    extract = WhisperFeatureExtractor(feature_size=layout["mels"])
    features = extract(wave, sampling_rate=16_000, return_tensors="pt").input_features
    with torch.no_grad():
        encoded = model.get_encoder()(features).last_hidden_state[0]
        prompt = torch.tensor([[start]])
        logits = model(input_features=features, decoder_input_ids=prompt).logits[0, 0]
        options = dict(task="transcribe") if layout["languages"] else {}
        tokens = model.generate(features, **options)[0]
        more = dict(language="de", **options) if layout["languages"] else {}
        german = model.generate(features, **more)[0]
    golden = dict(
        features=features[0].T[FRAMES].contiguous(),
        frames=torch.tensor(FRAMES, dtype=torch.int32),
        encoded=encoded[ROWS].contiguous(),
        rows=torch.tensor(ROWS, dtype=torch.int32),
        logits=logits.contiguous(),
        tokens=tokens.to(torch.int32),
        german=german.to(torch.int32),
    )
    if layout["languages"]:
        golden["language"] = model.detect_language(input_features=features).to(torch.int32)
    save_file(golden, directory / "golden.safetensors")
    print(name, tokens.tolist(), german.tolist())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    wave, rate_hz = sf.read(SPEECH, dtype="float32")
    assert rate_hz == 16_000
    for name in MODELS:
        make(name, options.out, wave)


if __name__ == "__main__":
    main()
