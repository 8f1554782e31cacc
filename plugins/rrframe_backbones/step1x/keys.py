"""The names of the published weights and those of diffusers, and how to go from one to the other.

Both ways are exact: what is fused in one is split in the other, and nothing is rounded. Names that no rule knows pass
as they are, the connector's among them, which are the same in both. Sizes are read from the tensors.

Source: the released code of Step1X-Edit (modules/model_edit.py, layers.py, autoencoder.py) and diffusers'
``FluxTransformer2DModel`` and ``AutoencoderKL``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from rrframe_backbones.step1x.stored import Stored, Table, joined

UNUSED = "mask_token"
"""A parameter of some published weights that no layer reads."""

_OUTSIDE = {
    "img_in": ("x_embedder",),
    "txt_in": ("context_embedder",),
    "time_in.in_layer": ("time_text_embed.timestep_embedder.linear_1",),
    "time_in.out_layer": ("time_text_embed.timestep_embedder.linear_2",),
    "vector_in.in_layer": ("time_text_embed.text_embedder.linear_1",),
    "vector_in.out_layer": ("time_text_embed.text_embedder.linear_2",),
    "final_layer.linear": ("proj_out",),
    "final_layer.adaLN_modulation.1": ("norm_out.linear",),
}
_DOUBLE = {
    "img_mod.lin": ("norm1.linear",),
    "txt_mod.lin": ("norm1_context.linear",),
    "img_attn.qkv": ("attn.to_q", "attn.to_k", "attn.to_v"),
    "txt_attn.qkv": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
    "img_attn.norm.query_norm": ("attn.norm_q",),
    "img_attn.norm.key_norm": ("attn.norm_k",),
    "txt_attn.norm.query_norm": ("attn.norm_added_q",),
    "txt_attn.norm.key_norm": ("attn.norm_added_k",),
    "img_attn.proj": ("attn.to_out.0",),
    "txt_attn.proj": ("attn.to_add_out",),
    "img_mlp.0": ("ff.net.0.proj",),
    "img_mlp.2": ("ff.net.2",),
    "txt_mlp.0": ("ff_context.net.0.proj",),
    "txt_mlp.2": ("ff_context.net.2",),
}
_SINGLE = {
    "modulation.lin": ("norm.linear",),
    "linear1": ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"),
    "linear2": ("proj_out",),
    "norm.query_norm": ("attn.norm_q",),
    "norm.key_norm": ("attn.norm_k",),
}
# list of blocks in the published weights -> its name in diffusers, what its blocks hold; first what is in no list
_PLACES = {
    "": ("", _OUTSIDE),
    "double_blocks": ("transformer_blocks", _DOUBLE),
    "single_blocks": ("single_transformer_blocks", _SINGLE),
}
_BACK = {
    here: (
        there,
        {part: (stem, place) for stem, parts in stems.items() for place, part in enumerate(parts)},
    )
    for there, (here, stems) in _PLACES.items()
}
_SWAPPED = "final_layer.adaLN_modulation.1."
_RELEASED = {  # the two embedders, in the transformer that Step1X-Edit's authors wrote for diffusers
    "time_embed.in_layer": "time_text_embed.timestep_embedder.linear_1",
    "time_embed.out_layer": "time_text_embed.timestep_embedder.linear_2",
    "vec_embed.in_layer": "time_text_embed.text_embedder.linear_1",
    "vec_embed.out_layer": "time_text_embed.text_embedder.linear_2",
}
_BLOCK = re.compile(r"(?:(\w+_blocks)\.(\d+)\.)?(.+)\.(\w+)")


def to_diffusers(table: Table) -> dict[str, Stored]:
    """From the published names to those of diffusers: fused projections split, the last modulation's halves swapped."""
    fused = [stored for name, stored in table.items() if len(_targets(name)) > 1 and name.endswith(".weight")]
    hidden = fused[0].shape[-1] if fused else 0
    renamed: dict[str, Stored] = {}
    for name, stored in table.items():
        targets = _targets(name)
        if len(targets) == 1:
            renamed[targets[0]] = _swapped(stored) if name.startswith(_SWAPPED) else stored
            continue
        for place, target in enumerate(targets):
            renamed[target] = stored.rows(place * hidden, (place + 1) * hidden if place < 3 else None)
    return renamed


def to_published(table: Table) -> dict[str, Stored]:
    """The way back of ``to_diffusers``."""
    parts: dict[str, dict[int, Stored]] = {}
    for name, stored in table.items():
        source, place = _source(name)
        parts.setdefault(source, {})[place] = _swapped(stored) if source.startswith(_SWAPPED) else stored
    return {
        name: joined([found[place] for place in sorted(found)]) if len(found) > 1 else found[0]
        for name, found in parts.items()
    }


def from_released(table: Table) -> dict[str, Stored]:
    """From the names of the released ``Step1X-Edit-v1p1-diffusers`` to those of diffusers' Flux transformer."""
    return _restemmed(table, _RELEASED)


def to_released(table: Table) -> dict[str, Stored]:
    """The way back of ``from_released``."""
    return _restemmed(table, {here: there for there, here in _RELEASED.items()})


@dataclass(frozen=True)
class Naming:
    """How the names in a file and those of diffusers are had from each other."""

    decode: Callable[[Table], dict[str, Stored]]
    encode: Callable[[Table], dict[str, Stored]]


def _targets(name: str) -> tuple[str, ...]:
    """The names in diffusers of what the published tensor ``name`` holds, in its order."""
    found = _BLOCK.fullmatch(name)
    blocks, number, stem, kind = found.groups() if found else ("", "", name, "")
    here, stems = _PLACES.get(blocks or "", ("", {}))
    if stem not in stems:
        return (name,)
    start = f"{here}.{number}." if here else ""
    return tuple(f"{start}{part}.{'weight' if kind == 'scale' else kind}" for part in stems[stem])


def _source(name: str) -> tuple[str, int]:
    """The published tensor that holds what diffusers calls ``name``, and its place there."""
    found = _BLOCK.fullmatch(name)
    blocks, number, part, kind = found.groups() if found else ("", "", name, "")
    there, stems = _BACK.get(blocks or "", ("", {}))
    if part not in stems:
        return name, 0
    stem, place = stems[part]
    start = f"{there}.{number}." if there else ""
    return f"{start}{stem}.{'scale' if stem.endswith('_norm') else kind}", place


def _swapped(stored: Stored) -> Stored:
    """Its two halves, the second first: (shift, scale) in the published weights is (scale, shift) in diffusers."""
    half = stored.shape[0] // 2
    return joined([stored.rows(half), stored.rows(0, half)])


def _restemmed(table: Table, stems: dict[str, str]) -> dict[str, Stored]:
    renamed = {}
    for name, stored in table.items():
        stem, _, kind = name.rpartition(".")
        renamed[f"{stems[stem]}.{kind}" if stem in stems else name] = stored
    return renamed


SAME = Naming(dict, dict)
PUBLISHED = Naming(to_diffusers, to_published)
RELEASED = Naming(from_released, to_released)
