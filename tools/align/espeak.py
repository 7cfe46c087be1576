"""Speech of `espeak-ng`, and where its words are, as its events tell.

Debian's package `libespeak-ng1` is used through its shared library.
"""

import ctypes
import functools

import numpy as np

WORD, PHONEME = 1, 7
RATE, PITCH = 1, 3
SYNCHRONOUS, PHONEME_EVENTS, UTF_8 = 2, 1, 1


class Id(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("string", ctypes.c_char * 8)]


class Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", Id),
    ]


CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(Event))


@functools.cache
def library():
    """The library, ready, and its sample rate."""
    found = ctypes.CDLL("libespeak-ng.so.1")
    return found, found.espeak_Initialize(SYNCHRONOUS, 0, None, PHONEME_EVENTS)


def speak(text, voice, words_per_minute=175, pitch=50):
    """Samples within ±1, their rate, and (start, end) in seconds for each word of `text`.

    Times are None where espeak-ng does not tell: it joins some words.
    """
    synthesizer, rate = library()
    waves, events = [], []

    def receive(wave, count, event):
        if count > 0:
            waves.append(np.ctypeslib.as_array(wave, (count,)).copy())
        index = 0
        while event[index].type != 0:
            one = event[index]
            name = one.id.string.decode() if one.type == PHONEME else ""
            events.append((one.type, one.text_position - 1, one.sample, name))
            index += 1
        return 0

    callback = CALLBACK(receive)
    synthesizer.espeak_SetSynthCallback(callback)
    assert synthesizer.espeak_SetVoiceByName(voice.encode()) == 0, voice
    synthesizer.espeak_SetParameter(RATE, words_per_minute, 0)
    synthesizer.espeak_SetParameter(PITCH, pitch, 0)
    data = text.encode()
    synthesizer.espeak_Synth(data, len(data) + 1, 0, 1, 0, UTF_8, None, None)
    samples = np.concatenate(waves).astype(np.float32) / 32768
    return samples, rate, word_times(text, events, rate, len(samples))


def word_times(text, events, rate, length):
    starts = word_starts(events)
    pauses = [sample for kind, _, sample, name in events if kind == PHONEME and name.startswith("_")]
    positions, at = [], 0
    for word in text.split():
        at = text.index(word, at)
        positions.append((at, at + len(word)))
        at += len(word)
    found = []
    for begin, end in positions:
        inside = [sample for position, sample in starts if begin <= position < end]
        found.append(min(inside) if inside else None)
    times = []
    for index, start in enumerate(found):
        following = found[index + 1] if index + 1 < len(found) else length
        if start is None or following is None:
            times.append(None)
            continue
        # A pause within a long number is no end; the last one before the next word is.
        before = [pause for pause in pauses if start < pause <= following]
        edge = [pause for pause in before if all(not pause < s < following for _, s in starts)]
        times.append((start / rate, min(edge, default=following) / rate))
    return times


def word_starts(events):
    """(text position, sample) of the beginning of each word that the events tell of.

    The event of a word comes before a nasal or liquid that still belongs to the word before: its
    sample is then not behind that of the sound. In this case the next sound begins the word.
    """
    starts = []
    for index, (kind, position, sample, _) in enumerate(events):
        if kind != WORD:
            continue
        sounds = [other for other in events[:index] if other[0] == PHONEME]
        following = next((other for other in events[index:] if other[0] == PHONEME), None)
        if following is None or following[3].startswith("_"):
            continue
        is_late = sounds and sounds[-1][2] >= sample and not sounds[-1][3].startswith("_")
        starts.append((position, following[2] if is_late else sample))
    return starts
