"""Golden tables of the text frontend, the sampler's grids and noise, and the tags of several voices."""

import ast
import hashlib
import json
import re
import sys
from pathlib import Path

import numpy as np
import rjieba
import torch
from durations import clamps, durations
from f5_tts.infer import utils_infer
from f5_tts.model.utils import (
    convert_char_to_pinyin,
    get_epss_timesteps,
    get_tokenizer,
    list_str_to_idx,
    list_str_to_tensor,
)
from official import MELS, PACKAGE, SAMPLE_RATE_HZ, VOCABULARY, versions, write_json
from preprocessing import preprocessing, reference_texts
from texts import CHUNK_CASES, FRONTEND_TEXTS

QUOTES = str.maketrans({";": ",", "“": '"', "”": '"', "‘": "'", "’": "'"})
EPSS_EVALUATIONS = (5, 6, 7, 10, 12, 16)
SEEDS = (0, 1, 42, 1234, 2**31 - 1, 2**32 + 5, sys.maxsize)
VOICE_TAGS = (
    "[main] Hello there. [town] I am the town mouse! [country] And I live here.",
    "No tag at first. [town] then a tag [unknown] what",
    "[a][b] x",
    "text with [not a tag] inside [ok]",
    "[town]\n line\n[main]",
    "list[0] and arr[i]",
    "[你好] 中文标签",
    "",
    "[x]",
)
STYLE_TAGS = (
    "{Regular} Hello. {Surprised} What?\n{Sad} No.",
    "no tag {Angry} mad",
    '{"name": "S1_Happy", "seed": -1, "speed": 1} Hi. {"name": "S2", "seed": 5, "speed": 0.7} Bye.',
    "{broken json: 1} x",
    "{}",
    "{A}{B} y",
    "a {x} b {x} c",
)


def frontend() -> dict:
    vocabulary, size = get_tokenizer(str(VOCABULARY), "custom")
    cases = []
    for text in FRONTEND_TEXTS:
        tokens = convert_char_to_pinyin([text])[0]
        segments = list(rjieba.cut(text.translate(QUOTES)))
        ids = [vocabulary.get(token, 0) for token in tokens]
        cases.append(dict(text=text, segments=segments, tokens=tokens, ids=ids))
    pair = ["ab", "你好"]
    return dict(
        versions=versions(),
        vocab_size=size,
        vocab_md5=hashlib.md5(VOCABULARY.read_bytes()).hexdigest(),
        cases=cases,
        byte_tokenizer=[dict(text=t, ids=list_str_to_tensor([t])[0].tolist()) for t in ("Hi", "é你", "a b")],
        padded=dict(texts=pair, ids=list_str_to_idx(convert_char_to_pinyin(pair), vocabulary).tolist()),
    )


def chunks() -> list[dict]:
    return [
        dict(text=text, max_chars=limit, chunks=utils_infer.chunk_text(text, max_chars=limit))
        for text, limit in CHUNK_CASES
    ]


def time_grids() -> list[dict]:
    grids = []
    for evaluations in (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 20, 24, 32, 64):
        for sway in (None, -1.0, 0.5):
            for epss in (True, False):
                # Elsewhere both are the same linear grid.
                if not epss and evaluations not in EPSS_EVALUATIONS:
                    continue
                linear = torch.linspace(0, 1, evaluations + 1)
                t = get_epss_timesteps(evaluations, "cpu", torch.float32) if epss else linear
                if sway is not None:
                    t = t + sway * (torch.cos(torch.pi / 2 * t) - 1 + t)
                grids.append(dict(nfe=evaluations, sway=sway, epss=epss, t=t.tolist()))
    return grids


def noise() -> list[dict]:
    """PyTorch's CPU generator; a second draw shows how many numbers the first one used up."""
    cases = []
    for seed in SEEDS:
        for rows in (1, 3, 4, 48):
            torch.manual_seed(seed)
            first, second = torch.randn(rows, MELS), torch.randn(2, MELS)
            flat, following = first.flatten(), second.flatten()
            case = dict(seed=seed, rows=rows, first=flat[:8].tolist(), last=flat[-8:].tolist())
            case |= dict(sum=float(first.double().sum()))
            case |= dict(next_first=following[:4].tolist(), next_last=following[-2:].tolist())
            cases.append(case)
    return cases


def function_of(path: Path, name: str, names: dict):
    """Takes one function out of a file that cannot be imported without starting a server."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    node = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name)
    exec(compile(ast.Module([node], []), str(path), "exec"), names)
    return names[name]


def voices_of(text: str) -> list[list[str]]:
    """The loop of `infer_cli.py`, which is not a function there."""
    parts = []
    for part in re.split(r"(?=\[\w+\])", text):
        if part.strip():
            tag = re.match(r"\[(\w+)\]", part)
            parts.append([tag[1] if tag else "main", re.sub(r"\[(\w+)\]", "", part).strip()])
    return parts


def several_voices() -> dict:
    parse = function_of(PACKAGE / "infer" / "infer_gradio.py", "parse_speechtypes_text", dict(re=re, json=json))
    return dict(
        cli=[dict(text=text, parts=voices_of(text)) for text in VOICE_TAGS],
        gradio=[dict(text=text, segments=parse(text)) for text in STYLE_TAGS],
    )


def cross_fade() -> dict:
    """The ramps are f64, because `np.linspace` is."""
    samples = int(0.15 * SAMPLE_RATE_HZ)
    falling, rising = np.linspace(1, 0, samples), np.linspace(0, 1, samples)
    return dict(samples=samples, fade_out_first=falling[:4].tolist(), fade_in_last=rising[-4:].tolist())


def write_tables(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    makers = dict(
        text_frontend=frontend,
        chunk_text=chunks,
        timesteps=time_grids,
        noise=noise,
        durations=durations,
        duration_clamp=clamps,
        preprocess=preprocessing,
        ref_text=reference_texts,
        multivoice=several_voices,
        crossfade=cross_fade,
    )
    for name, make in makers.items():
        write_json(make(), directory / f"{name}.json")
