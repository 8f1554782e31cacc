"""The names of Flux's autoencoder as published, and as diffusers' ``AutoencoderKL`` has them, both ways.

In the published file the single attention layer is made of 1 x 1 convolutions, of linear layers in diffusers; and the
decoder's stages are counted from the finest, from the coarsest in diffusers.
"""

from __future__ import annotations

import re

from rrframe_backbones.step1x.keys import Naming
from rrframe_backbones.step1x.stored import Stored, Table

_ATTENTION = "mid_block.attentions.0"
# published -> diffusers, whole parts between dots; the order matters on the way back, where mid_block.resnets is no
# list of a stage
_PARTS = (
    ("mid.block_1", "mid_block.resnets.0"),
    ("mid.block_2", "mid_block.resnets.1"),
    ("mid.attn_1.norm", f"{_ATTENTION}.group_norm"),
    ("mid.attn_1.q", f"{_ATTENTION}.to_q"),
    ("mid.attn_1.k", f"{_ATTENTION}.to_k"),
    ("mid.attn_1.v", f"{_ATTENTION}.to_v"),
    ("mid.attn_1.proj_out", f"{_ATTENTION}.to_out.0"),
    ("norm_out", "conv_norm_out"),
    ("nin_shortcut", "conv_shortcut"),
    ("downsample", "downsamplers.0"),
    ("upsample", "upsamplers.0"),
    ("down", "down_blocks"),
    ("up", "up_blocks"),
    ("block", "resnets"),
)
_STAGE = re.compile(r"(?<=\.up_blocks\.)\d+|(?<=\.up\.)\d+")


def autoencoder_to_diffusers(table: Table) -> dict[str, Stored]:
    """From the published names to those of ``AutoencoderKL``."""
    renamed = {}
    for name, stored in _coarsest_first(table).items():
        new = _replaced(name, _PARTS)
        flat = _ATTENTION in new and len(stored.shape) == 4
        renamed[new] = stored.reshaped(*stored.shape[:2]) if flat else stored
    return renamed


def autoencoder_to_published(table: Table) -> dict[str, Stored]:
    """The way back."""
    renamed = {}
    for name, stored in _coarsest_first(table).items():
        deep = _ATTENTION in name and len(stored.shape) == 2
        new = _replaced(name, tuple((here, there) for there, here in _PARTS))
        renamed[new] = stored.reshaped(*stored.shape, 1, 1) if deep else stored
    return renamed


def _coarsest_first(table: Table) -> dict[str, Stored]:
    """The decoder's stages counted from the other end."""
    last = max((int(found[0]) for name in table if (found := _STAGE.search(name))), default=0)
    return {_STAGE.sub(lambda found: str(last - int(found[0])), name): stored for name, stored in table.items()}


def _replaced(name: str, parts: tuple[tuple[str, str], ...]) -> str:
    for old, new in parts:
        name = re.sub(rf"(?<![^.]){re.escape(old)}(?![^.])", new, name)
    return name


PUBLISHED_AUTOENCODER = Naming(autoencoder_to_diffusers, autoencoder_to_published)
