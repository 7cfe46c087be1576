"""Trains the small DiT with the official classes, on the CPU or on CUDA.

    train.py WORK OUT --hours H [--init MODEL --vocab VOCAB] [--batch-frames N] [--rate LR]
    torchrun --nproc-per-node 2 train.py ...    a process each core or card, each with its own batches

Resumes from OUT/last.pt. `--init` starts from an export (models/demo/model.safetensors, with its vocab.txt). The
learning rate follows the hours used, not the steps, so a run ends when it should on any machine. The loss of single
batches says little: watch the one on held-out utterances, and judge by evaluate.py.
"""

import argparse
import copy
import os
import random
import time
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from data import Utterance, batches_of, read_utterances
from export import read_weights
from f5_tts.model import CFM, DiT
from layout import ARCHITECTURE, MEL, SETS

# The layers of attention, feed-forward and text.
MUON = (".attn.to_", ".ff.ff.", ".pwconv")
WARM_UP_STEPS = 100
LAST_RATE = 1e-6
SAVE_EVERY_S = 180
# One utterance in so many is not learned but shows, at every save, whether the rest is learned well.
HELD_OUT_EVERY = 400
LOG_EVERY = 50
# A machine that was suspended must not use up the time.
LONGEST_STEP_S = 20
AVERAGE = 0.999
# The model is far too small to learn its data by heart, and knows its voices: it gains nothing from dropout, and less
# than a large one from drawing without a reference.
DROPOUT, AUDIO_DROP, CONDITION_DROP = 0.0, 0.2, 0.1


def learning_rate(top: float, step: int, part: float) -> float:
    falling = (1 - part) ** 0.5 if part < 0.7 else (1 - part) / 0.3 * 0.55
    return top * min(1, (step + 1) / WARM_UP_STEPS) * falling + LAST_RATE


def read_vocabulary(path: Path | None, utterances: list[Utterance]) -> list[str]:
    if path:
        return path.read_text(encoding="utf-8").splitlines()
    return [" ", *sorted({character for u in utterances for character in u.text} - {" "})]


def optimizers_of(network: DiT, rate: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the blocks, which learns more from a step than AdamW; AdamW for all else.

    What comes of the time alone (`attn_norm.linear`, `time_embed`) is left out: Muon gives every direction of a matrix
    the same step, though those inputs lie on one curve, and trainings with all matrices diverged.
    """
    matrices, rest = [], []
    for name, parameter in network.named_parameters():
        inside = parameter.ndim == 2 and any(part in name for part in MUON)
        (matrices if inside else rest).append(parameter)
    muon = torch.optim.Muon(matrices, lr=rate, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    return [muon, torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.98))]


class Training:
    def __init__(self, options: argparse.Namespace, vocabulary: list[str]) -> None:
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.out, self.hours, self.top_rate = options.out, options.hours, options.rate
        self.network = DiT(**ARCHITECTURE, text_num_embeds=len(vocabulary), mel_dim=MEL["n_mel_channels"], dropout=DROPOUT)
        self.network.to(self.device)
        ids = {token: i for i, token in enumerate(vocabulary)}
        drops = dict(audio_drop_prob=AUDIO_DROP, cond_drop_prob=CONDITION_DROP)
        self.model = CFM(self.network, mel_spec_kwargs=MEL, vocab_char_map=ids, **drops).to(self.device)
        self.optimizers = optimizers_of(self.network, self.top_rate)
        self.step, self.used_s = 0, 0.0
        self.rank = dist.get_rank() if dist.is_initialized() else 0
        self.average = copy.deepcopy(self.network)
        if self.checkpoint.exists():
            self._resume()
        elif options.init:
            weights, _ = read_weights(options.init)
            for network in (self.network, self.average):
                network.load_state_dict(weights)

    @property
    def checkpoint(self) -> Path:
        return self.out / "last.pt"

    @property
    def part(self) -> float:
        return self.used_s / (self.hours * 3600)

    def _resume(self) -> None:
        state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        self.network.load_state_dict(state["net"])
        self.average.load_state_dict(state["ema"])
        for optimizer, kept in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        self.step, self.used_s = state["step"], state["used_s"]

    def save(self) -> None:
        state = dict(net=self.network.state_dict(), ema=self.average.state_dict())
        state |= dict(optimizers=[optimizer.state_dict() for optimizer in self.optimizers])
        state |= dict(step=self.step, used_s=self.used_s)
        part = self.checkpoint.with_suffix(".part")
        torch.save(state, part)
        part.replace(self.checkpoint)

    def share(self, took_s: float) -> float:
        """Averages the gradients over all processes, and the time, by which all of them set rates and stop."""
        if not dist.is_initialized():
            return took_s
        gradients = [parameter.grad for parameter in self.network.parameters()]
        flat = torch.cat([*(g.flatten() for g in gradients), torch.tensor([took_s], device=self.device)])
        dist.all_reduce(flat, op=dist.ReduceOp.SUM)
        flat /= dist.get_world_size()
        for gradient, mean in zip(gradients, flat[:-1].split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(mean.view_as(gradient))
        return flat[-1].item()

    def loss(self, batch: list[Utterance]) -> torch.Tensor:
        mel = torch.zeros(len(batch), max(u.frames for u in batch), MEL["n_mel_channels"])
        for row, utterance in zip(mel, batch, strict=True):
            row[: utterance.frames] = torch.from_numpy(utterance.mel())
        lengths = torch.tensor([u.frames for u in batch], device=self.device)
        with torch.autocast(self.device, dtype=torch.bfloat16):
            loss, _, _ = self.model(mel.to(self.device), text=[u.text for u in batch], lens=lengths)
        return loss

    def learn(self, batch: list[Utterance]) -> float:
        for group in (group for optimizer in self.optimizers for group in optimizer.param_groups):
            group["lr"] = learning_rate(self.top_rate, self.step, self.part)
        loss = self.loss(batch)
        self.network.zero_grad()
        loss.backward()
        self.used_s += self.share(min(time.time() - self.last, LONGEST_STEP_S))
        self.last = time.time()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
        keep = min(AVERAGE, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mean, now in zip(self.average.parameters(), self.network.parameters(), strict=True):
                mean.lerp_(now, 1 - keep)
        self.step += 1
        return loss.item()

    def held_out_loss(self, batches: list[list[Utterance]]) -> float:
        """The mean loss, with the same noise, times and masks whenever it is asked for."""
        state = random.getstate()
        with torch.random.fork_rng(), torch.no_grad():
            random.seed(0)
            torch.manual_seed(0)
            losses = [self.loss(batch).item() for batch in batches]
        random.setstate(state)
        return float(np.mean(losses))

    def run(self, batches: list[list[Utterance]], held_out: list[list[Utterance]]) -> None:
        self.last = saved = time.time()
        losses = []
        while self.part < 1:
            random.shuffle(batches)
            for batch in batches:
                if self.part >= 1:
                    break
                losses.append(self.learn(batch))
                if self.rank:
                    continue
                if self.step % LOG_EVERY == 0:
                    print(self.step, f"loss {np.mean(losses):.4f}, {self.used_s / 3600:.2f} h", flush=True)
                    losses = []
                if time.time() - saved > SAVE_EVERY_S:
                    self.save()
                    print(self.step, f"held-out loss {self.held_out_loss(held_out):.4f}", flush=True)
                    saved = time.time()
        if not self.rank:
            self.save()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--hours", type=float, default=1)
    parser.add_argument("--rate", type=float, default=4e-4)
    parser.add_argument("--batch-frames", type=int, default=2500)
    parser.add_argument("--init", type=Path)
    parser.add_argument("--vocab", type=Path)
    options = parser.parse_args()
    if "WORLD_SIZE" in os.environ:
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        torch.manual_seed(1 + dist.get_rank())
        random.seed(1 + dist.get_rank())
    else:
        torch.manual_seed(0)
        random.seed(0)
    options.out.mkdir(parents=True, exist_ok=True)
    utterances = read_utterances(options.work, SETS)
    vocabulary = read_vocabulary(options.vocab, utterances)
    (options.out / "vocab.txt").write_text("".join(token + "\n" for token in vocabulary), encoding="utf-8")
    utterances = [u for u in utterances if set(u.text) <= set(vocabulary)]
    training = Training(options, vocabulary)
    seconds = sum(u.frames for u in utterances) * MEL["hop_length"] / MEL["target_sample_rate"]
    print(len(utterances), "utterances,", f"{seconds / 3600:.1f} h,", len(vocabulary), "tokens,", training.device)
    held_out = utterances[::HELD_OUT_EVERY]
    learned = [u for k, u in enumerate(utterances) if k % HELD_OUT_EVERY]
    training.run(batches_of(learned, options.batch_frames), batches_of(held_out, options.batch_frames))
    print("finished at step", training.step)


if __name__ == "__main__":
    main()
