"""The networks that goldens are made of: the official architecture, tiny and in its real size, with random weights."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Configuration:
    name: str
    arch: dict
    vocabulary: str = "tiny"  # "tiny": printable ASCII and a few syllables; "official": the published file
    dtype: str = "F32"
    # Checkpoints of early releases hold two tensors of the mel front end, which the loader drops.
    has_mel_tensors: bool = False
    # What of the golden is kept beyond one forward pass and one trajectory.
    evaluations: tuple[int, ...] = (7,)
    every_layer: bool = False
    batch: bool = False
    variants: bool = False
    text: str | None = None
    frames: int = 40
    reference_frames: int = 16
    seed: int = 1234


TINY = dict(dim=64, depth=2, heads=4, dim_head=16, ff_mult=2, text_dim=32, conv_layers=2, attn_backend="torch")

TINY_V1 = Configuration(
    name="tiny_v1",
    arch=dict(TINY, text_mask_padding=True, qk_norm=None, pe_attn_head=None, attn_mask_enabled=False),
    evaluations=(4, 7, 16, 32),
    every_layer=True,
    batch=True,
    variants=True,
)

# The same tensors as tiny_v1 under the flags of the first release: the weights cannot tell the two apart.
TINY_V0 = Configuration(
    name="tiny_v0",
    arch=dict(TINY, text_mask_padding=False, pe_attn_head=1, attn_mask_enabled=False),
    has_mel_tensors=True,
)

# Every other switch of the DiT at once, an inner dimension (4 * 16) that is not `dim`, and f16 storage.
TINY_X = Configuration(
    name="tiny_x",
    arch=dict(
        TINY,
        dim=32,
        text_mask_padding=True,
        text_embedding_average_upsampling=True,
        qk_norm="rms_norm",
        pe_attn_head=2,
        attn_mask_enabled=True,
        long_skip_connection=True,
    ),
    dtype="F16",
    batch=True,
)

# One block stored as bf16.
TINY_BF16 = Configuration(
    name="tiny_bf16",
    arch=dict(
        TINY,
        dim=32,
        depth=1,
        heads=2,
        conv_layers=1,
        text_mask_padding=True,
        pe_attn_head=None,
        attn_mask_enabled=False,
    ),
    dtype="BF16",
    frames=24,
    reference_frames=10,
)

V1_BASE = Configuration(
    name="v1_base",
    arch=dict(
        dim=1024,
        depth=22,
        heads=16,
        ff_mult=2,
        text_dim=512,
        text_mask_padding=True,
        qk_norm=None,
        conv_layers=4,
        pe_attn_head=None,
        attn_backend="torch",
        attn_mask_enabled=False,
        checkpoint_activations=False,
    ),
    vocabulary="official",
    every_layer=True,
    text="Some call me nature, others call me mother nature. I don't really care what you call me, 你好世界。",
    frames=280,
    reference_frames=140,
)

TINY_CONFIGURATIONS = (TINY_V1, TINY_V0, TINY_X, TINY_BF16)
