"""What servers without an aligner tell as word times."""

import soundfile


def by_letter_count(utterance):
    """The duration shared among the words by their letters, as most do."""
    words = utterance.get("words") or utterance["text"].split()
    duration = soundfile.info(utterance["audio"]).duration
    letters = sum(len(word) for word in words)
    found, at = [], 0.0
    for word in words:
        end = at + duration * len(word) / letters
        found.append((word, at, end))
        at = end
    return found


def original(utterance, speed=1.0):
    """The formula of the server whose interface f5tts takes over; it never looks at the audio."""
    found, at = [], 0.0
    for word in utterance.get("words") or utterance["text"].split():
        end = at + max(0.2, len(word) * 0.08 / speed)
        found.append((word, at, end))
        at = end + 0.05
    return found
