#!/usr/bin/env python3
"""Records how the official implementation trims references of unusual formats.

Writes crates/testkit/goldens/tables/trim_formats.json. Needs f5-tts 1.1.22 and pydub 0.25.1.
Each case is noise from a linear congruential generator, loud and quiet by a plan.
"""
import hashlib
import io
import json
import pathlib
import sys
import tempfile
import wave

LOUD, QUIET = 12000, 20
CASES = [
    # name, bits, channels, rate, plan of (amplitude of 16 bits, milliseconds)
    ("telephone", 8, 1, 8000, [(0, 300), (LOUD, 2000), (0, 1700), (LOUD, 1500), (0, 400)]),
    ("telephone_16", 16, 1, 8000, [(QUIET, 455), (LOUD, 3001), (QUIET, 321)]),
    ("just_below_silence_rate", 16, 2, 11024, [(LOUD, 1111), (0, 1234), (LOUD, 777)]),
    ("silence_rate", 8, 2, 11025, [(QUIET, 40), (LOUD, 1500), (QUIET, 1100), (LOUD, 333)]),
    ("cd", 16, 2, 44100, [(QUIET, 301), (LOUD, 2503), (0, 1201), (LOUD, 1717), (QUIET, 99)]),
    ("cd_long", 16, 2, 44100, [(LOUD, 5003), (0, 133), (LOUD, 4001), (0, 217), (LOUD, 5009)]),
    ("studio", 24, 1, 48000, [(QUIET, 217), (LOUD, 1503), (0, 1100), (LOUD, 517), (QUIET, 219)]),
    ("studio_long", 24, 2, 48000, [(LOUD, 13007)]),
    ("wide", 32, 2, 16000, [(0, 200), (LOUD, 900), (QUIET, 1500), (LOUD, 900), (0, 333)]),
    ("four_channels", 16, 4, 22050, [(QUIET, 111), (LOUD, 1999), (0, 2001), (LOUD, 1013)]),
    ("silent_stereo", 16, 2, 44100, [(QUIET, 2000)]),
    ("short", 16, 1, 22050, [(LOUD, 37)]),
    ("short_silent", 16, 1, 22050, [(0, 37)]),
]


def pcm(bits, channels, rate, plan):
    state, out = 1, bytearray()
    for amplitude, ms in plan:
        for _ in range(ms * rate // 1000 * channels):
            state = (state * 1664525 + 1013904223) % 2**32
            value = ((state >> 16) - 32768) * amplitude >> 15
            if bits == 8:
                out.append((value >> 8) + 128)
            else:
                low = state & ((1 << bits - 16) - 1) if amplitude else 0
                out += (value << bits - 16 | low).to_bytes(bits // 8, "little", signed=True)
    return bytes(out)


def main():
    import f5_tts.infer.utils_infer as official

    table = []
    for name, bits, channels, rate, plan in CASES:
        with tempfile.NamedTemporaryFile(suffix=".wav") as source:
            with wave.open(source.name, "wb") as out:
                out.setparams((channels, bits // 8, rate, 0, "NONE", ""))
                out.writeframes(pcm(bits, channels, rate, plan))
            messages, stdout = [], sys.stdout
            sys.stdout = io.StringIO()
            trimmed, _ = official.preprocess_ref_audio_text(source.name, "x", show_info=messages.append)
            sys.stdout = stdout
        with wave.open(trimmed, "rb") as result:
            data = result.readframes(result.getnframes())
            table.append({
                "name": name, "bits": bits, "channels": channels, "rate_hz": rate, "plan": plan,
                "trimmed": {
                    "bits": result.getsampwidth() * 8, "channels": result.getnchannels(),
                    "rate_hz": result.getframerate(), "frames": result.getnframes(),
                    "md5": hashlib.md5(data).hexdigest(),
                    "shortened": any("over 12s" in message for message in messages),
                },
            })
        pathlib.Path(trimmed).unlink()
    place = pathlib.Path(__file__).resolve().parents[2] / "crates/testkit/goldens/tables/trim_formats.json"
    lines = ",\n ".join(json.dumps(case) for case in table)
    place.write_text(f"[{lines}]\n")


if __name__ == "__main__":
    main()
