"""Speech of `flite`, and where its words are: exact, as the program itself places them.

Debian's packages `flite` and `libflite1` are used through their shared libraries.
"""

import ctypes
import ctypes.util
import functools

import numpy as np

VOICES = {"slt": 16000, "rms": 16000, "awb": 16000, "kal16": 16000, "kal": 8000}


class Wave(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_char_p),
        ("sample_rate", ctypes.c_int),
        ("num_samples", ctypes.c_int),
        ("num_channels", ctypes.c_int),
        ("samples", ctypes.POINTER(ctypes.c_short)),
    ]


def function(name, result, *arguments):
    found = getattr(library(), name)
    found.restype, found.argtypes = result, arguments
    return found


@functools.cache
def library():
    # The voices find their symbols in the library that was loaded first.
    return ctypes.CDLL("libflite.so.1", mode=ctypes.RTLD_GLOBAL)


@functools.cache
def voice(name):
    function("flite_init", ctypes.c_int)()
    for other in ("libflite_usenglish.so.1", "libflite_cmulex.so.1"):
        ctypes.CDLL(other, mode=ctypes.RTLD_GLOBAL)
    register = getattr(ctypes.CDLL(f"libflite_cmu_us_{name}.so.1"), f"register_cmu_us_{name}")
    register.restype, register.argtypes = ctypes.c_void_p, [ctypes.c_char_p]
    return register(None)


def speak(text, name, stretch=1.0):
    """Samples within ±1, their rate, and (start, end) in seconds for each word of `text`.

    A word is what stands between blanks. None instead of the times: flite says nothing for a word,
    or cuts the text at another place.
    """
    pointer, text_type = ctypes.c_void_p, ctypes.c_char_p
    set_float = function("feat_set_float", None, pointer, text_type, ctypes.c_float)
    voice_features = ctypes.cast(voice(name) + ctypes.sizeof(pointer), ctypes.POINTER(pointer))[0]
    set_float(voice_features, b"duration_stretch", stretch)
    utterance = function("flite_synth_text", pointer, text_type, pointer)(text.encode(), voice(name))
    wave = function("utt_wave", ctypes.POINTER(Wave), pointer)(utterance)[0]
    samples = np.ctypeslib.as_array(wave.samples, (wave.num_samples,)).astype(np.float32) / 32768
    tokens = [token_span(token) for token in tokens_of(utterance)]
    rate = wave.sample_rate
    times = match(text, tokens)
    function("delete_utterance", None, pointer)(utterance)
    return samples, rate, times


def items(first):
    following = function("item_next", ctypes.c_void_p, ctypes.c_void_p)
    while first:
        yield first
        first = following(first)


def tokens_of(utterance):
    pointer = ctypes.c_void_p
    relation = function("utt_relation", pointer, pointer, ctypes.c_char_p)(utterance, b"Token")
    yield from items(function("relation_head", pointer, pointer)(relation))


def feature(item, name):
    get = function("item_feat_string", ctypes.c_char_p, ctypes.c_void_p, ctypes.c_char_p)
    return get(item, name.encode()).decode()


def token_span(token):
    """(text with its punctuation, start, end); the times are None for what is not spoken."""
    pointer = ctypes.c_void_p
    daughter = function("item_daughter", pointer, pointer)
    in_relation = function("item_as", pointer, pointer, ctypes.c_char_p)
    number = function("ffeature_float", ctypes.c_float, pointer, ctypes.c_char_p)
    segments = []
    for word in items(daughter(token)):
        for syllable in items(daughter(in_relation(word, b"SylStructure"))):
            for segment in items(daughter(syllable)):
                in_segments = in_relation(segment, b"Segment")
                segments.append((number(in_segments, b"p.end"), number(in_segments, b"end")))
    written = feature(token, "prepunctuation") + feature(token, "name") + feature(token, "punc")
    if not segments:
        return written, None, None
    return written, segments[0][0], segments[-1][1]


def match(text, tokens):
    """Puts tokens together to the words of the text."""
    times, rest = [], list(tokens)
    for word in text.split():
        starts, ends, written = [], [], ""
        while rest and len(written) < len(word) and word.startswith(written + rest[0][0]):
            part, start, end = rest.pop(0)
            written += part
            if start is not None:
                starts.append(start)
                ends.append(end)
        # The full stop of an abbreviation is not kept.
        if written not in (word, word.rstrip(".")) or not starts:
            return None
        times.append((starts[0], ends[-1]))
    return times if not rest else None
