"""Trains a small Vocos with the official classes on the waves of mels.py, on the CPU or on CUDA.

    train_vocoder.py WORK OUT.pt --hours H [--adversarial]

The loss is the mel's L1 and the multi-resolution STFT; --adversarial adds small multi-period discriminators, best
started on a trained checkpoint. Resumes from OUT.pt.
"""

import argparse
import random
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (PyTorch's own habit)
import torchaudio
from data import Utterance, read_utterances
from layout import MEL, VOICES
from vocos.heads import ISTFTHead
from vocos.models import VocosBackbone

DIM, INTERMEDIATE_DIM, LAYERS = 192, 512, 6
HOP, FFT, MELS = MEL["hop_length"], MEL["n_fft"], MEL["n_mel_channels"]
BATCH, SEGMENT_FRAMES = 12, 48
# The wave of a segment is cut at any sample, so an utterance must be longer than one.
MARGIN = 2048
TOP_RATE, LAST_RATE, WARM_UP_STEPS = 2e-3, 1e-5, 200
DISCRIMINATOR_RATE = 5e-4
RESOLUTIONS = ((2048, 512), (1024, 256), (512, 128), (256, 64), (128, 32))
PERIODS = (2, 3, 5, 7, 11)
# Magnitudes below this are silence: 60 dB and more below speech. Without it, most of the loss would be about the
# empty bands above 8 kHz.
QUIETEST = 1e-3
SAVE_EVERY_S, LOG_EVERY = 120, 100


class PeriodDiscriminator(torch.nn.Module):
    """One period of a multi-period discriminator after HiFi-GAN, with few channels."""

    def __init__(self, period: int) -> None:
        super().__init__()
        self.period = period
        widths = [1, 16, 32, 64, 64]
        norm = torch.nn.utils.parametrizations.weight_norm
        layers = (torch.nn.Conv2d(a, b, (5, 1), (3, 1), (2, 0)) for a, b in zip(widths, widths[1:], strict=False))
        self.layers = torch.nn.ModuleList(map(norm, layers))
        self.last = norm(torch.nn.Conv2d(widths[-1], 1, (3, 1), 1, (1, 0)))

    def forward(self, wave: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        rows = wave.shape[-1] // self.period
        x = wave[:, None, : rows * self.period].reshape(len(wave), 1, rows, self.period)
        features = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.1)
            features.append(x)
        return self.last(x), features


class Training:
    def __init__(self, options: argparse.Namespace) -> None:
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.out, self.seconds = options.out, options.hours * 3600
        self.backbone = VocosBackbone(MELS, DIM, INTERMEDIATE_DIM, LAYERS).to(self.device)
        self.head = ISTFTHead(DIM, FFT, HOP, "center").to(self.device)
        self.parameters = [*self.backbone.parameters(), *self.head.parameters()]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=TOP_RATE, betas=(0.8, 0.95))
        self.to_mel = torchaudio.transforms.MelSpectrogram(
            sample_rate=MEL["target_sample_rate"], n_fft=FFT, win_length=FFT, hop_length=HOP, n_mels=MELS, power=1
        ).to(self.device)
        self.windows = {size: torch.hann_window(size, device=self.device) for size, _ in RESOLUTIONS}
        self.window = torch.hann_window(FFT, device=self.device)
        self.judges = torch.nn.ModuleList(map(PeriodDiscriminator, PERIODS if options.adversarial else ()))
        self.judges.to(self.device)
        if options.adversarial:
            self.judging = torch.optim.AdamW(self.judges.parameters(), lr=DISCRIMINATOR_RATE, betas=(0.8, 0.95))
        self.step = 0
        if self.out.exists():
            state = torch.load(self.out, map_location=self.device, weights_only=True)
            self.backbone.load_state_dict(state["bb"])
            self.head.load_state_dict(state["hd"])
            self.step = state["step"]

    def save(self) -> None:
        state = dict(bb=self.backbone.state_dict(), hd=self.head.state_dict(), step=self.step)
        part = self.out.with_suffix(".part")
        torch.save(state | dict(dims=(DIM, INTERMEDIATE_DIM, LAYERS)), part)
        part.replace(self.out)

    def mel_loss(self, mel: torch.Tensor, said: torch.Tensor) -> torch.Tensor:
        return F.l1_loss((self.to_mel(said) + QUIETEST).log(), (mel + QUIETEST).log())

    def spectral_loss(self, wave: torch.Tensor, said: torch.Tensor) -> torch.Tensor:
        total = torch.zeros((), device=self.device)
        for size, hop in RESOLUTIONS:
            real, fake = (
                torch.stft(x, size, hop, size, self.windows[size], return_complex=True).abs() for x in (wave, said)
            )
            convergence = (real - fake).norm() / (real.norm() + 1e-5)
            total = total + convergence + F.l1_loss((fake + QUIETEST).log(), (real + QUIETEST).log())
        return total / len(RESOLUTIONS)

    def magnitude_loss(self, wave: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """The head's own magnitudes against those of the wave: without the phases, they are quickly learned."""
        said = self.head.out(features).transpose(1, 2).chunk(2, 1)[0].exp()
        real = torch.stft(wave, FFT, HOP, FFT, self.window, return_complex=True).abs()
        return F.l1_loss((said + QUIETEST).log(), (real + QUIETEST).log())

    def adversarial_loss(self, wave: torch.Tensor, said: torch.Tensor) -> torch.Tensor:
        """Teaches the discriminators, then returns how far the vocoder is from deceiving them."""
        self.judging.zero_grad()
        verdicts = ((judge(wave)[0], judge(said.detach())[0]) for judge in self.judges)
        sum(F.relu(1 - real).mean() + F.relu(1 + fake).mean() for real, fake in verdicts).backward()
        self.judging.step()
        loss = torch.zeros((), device=self.device)
        for judge in self.judges:
            verdict, fake = judge(said)
            with torch.no_grad():
                _, real = judge(wave)
            loss = loss - verdict.mean() + 2 * sum(F.l1_loss(f, r) for f, r in zip(fake, real, strict=True))
        return loss

    def learn(self, wave: torch.Tensor, part: float) -> tuple[float, float]:
        for group in self.optimizer.param_groups:
            warm = min(1, (self.step + 1) / WARM_UP_STEPS)
            group["lr"] = TOP_RATE * warm * (1 - part) ** 0.7 + LAST_RATE
        mel = self.to_mel(wave)
        features = self.backbone(mel.clamp(min=1e-5).log())
        said = self.head(features)[:, : wave.shape[1]]
        mel_loss, spectral_loss = self.mel_loss(mel, said), self.spectral_loss(wave, said)
        loss = 5 * mel_loss + 2 * spectral_loss + 3 * self.magnitude_loss(wave, features)
        if len(self.judges):
            loss = loss + 0.3 * self.adversarial_loss(wave, said)
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 5.0)
        self.optimizer.step()
        self.step += 1
        return mel_loss.item(), spectral_loss.item()

    def run(self, utterances: list[Utterance]) -> None:
        start = saved = time.time()
        losses = []
        while (part := (time.time() - start) / self.seconds) < 1:
            losses.append(self.learn(segments(utterances).to(self.device), part))
            if self.step % LOG_EVERY == 0:
                mel, spectral = np.mean(losses, axis=0)
                print(self.step, f"mel {mel:.4f}, spectrum {spectral:.4f}", flush=True)
                losses = []
            if time.time() - saved > SAVE_EVERY_S:
                self.save()
                saved = time.time()
        self.save()


def segments(utterances: list[Utterance]) -> torch.Tensor:
    """Returns a batch of waves cut anywhere, `[BATCH, samples]`."""
    samples = SEGMENT_FRAMES * HOP
    chosen = random.choices(utterances, k=BATCH)
    return torch.from_numpy(np.stack([u.wave(random.randint(0, u.samples - samples), samples) for u in chosen]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--hours", type=float, default=0.5)
    parser.add_argument("--adversarial", action="store_true")
    options = parser.parse_args()
    torch.manual_seed(0)
    random.seed(0)
    least = SEGMENT_FRAMES * HOP + MARGIN
    training = Training(options)
    training.run([u for u in read_utterances(options.work, VOICES) if u.samples > least])
    print("finished at step", training.step)


if __name__ == "__main__":
    main()
