"""The shape of the demonstration model: one place for what training, export and checks must agree on."""

ARCHITECTURE = dict(
    dim=256,
    depth=6,
    heads=4,
    dim_head=64,
    ff_mult=2,
    text_dim=256,
    conv_layers=6,
    text_mask_padding=True,
    text_embedding_average_upsampling=True,
    qk_norm=None,
    pe_attn_head=None,
    attn_backend="torch",
    attn_mask_enabled=False,
    long_skip_connection=False,
)

MEL = dict(
    target_sample_rate=24000,
    n_mel_channels=100,
    hop_length=256,
    win_length=1024,
    n_fft=1024,
    mel_spec_type="vocos",
)

# Every character of a reference and of the training speech takes this many frames.
FRAMES_PER_CHARACTER = 6

# Evaluations of the network that `f5tts` uses for this model unless told otherwise.
DEFAULT_EVALUATIONS = 7

# How fast each of flite's voices is played. slt lowered by 12 % is a woman still, and easier to understand.
VOICES = {"rms": 1.0, "slt": 0.88}

# The sets of utterances of plan.py: sentences as they were found, and sentences with common words put in.
SETS = [voice + kind for kind in ("", "_common") for voice in VOICES]
