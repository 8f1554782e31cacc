"""Step1X-Edit as its authors published it, derived again from their description: the names and shapes of its weights,
and what the transformer and the autoencoder compute from them. Nothing here comes from the code under test.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.nn import functional

Weights = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Sizes:
    """Of a transformer and an autoencoder too small to do anything."""

    channels: int = 16
    hidden: int = 32
    heads: int = 2
    double: int = 2
    single: int = 2
    text: int = 24
    pooled: int = 12
    language: int = 20
    axes: tuple[int, int, int] = (4, 6, 6)
    widths: tuple[int, ...] = (8, 16, 16)
    blocks: int = 1
    latent: int = 4
    groups: int = 4


def transformer_weights(sizes: Sizes, *, version: str = "v1.1", seed: int = 0) -> Weights:
    """Random weights of all published names, bf16 but for the pooled projection."""
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, shape in _transformer_shapes(sizes):
        scale = 0.5 if len(shape) == 1 else shape[-1] ** -0.5
        dtype = torch.float32 if "global_proj_out" in name else torch.bfloat16
        weights[name] = (scale * torch.randn(shape, generator=generator)).to(dtype)
    if version == "v1.0":
        weights["connector.scale_factor"] = torch.tensor([-0.91], dtype=torch.bfloat16)
    return weights


def _transformer_shapes(sizes: Sizes) -> Iterator[tuple[str, tuple[int, ...]]]:
    hidden, head = sizes.hidden, sizes.hidden // sizes.heads
    linear = {
        "img_in": (hidden, sizes.channels),
        "txt_in": (hidden, sizes.text),
        "time_in.in_layer": (hidden, 256),
        "time_in.out_layer": (hidden, hidden),
        "vector_in.in_layer": (hidden, sizes.pooled),
        "vector_in.out_layer": (hidden, hidden),
        "final_layer.linear": (sizes.channels, hidden),
        "final_layer.adaLN_modulation.1": (2 * hidden, hidden),
    }
    norms = []
    for block in range(sizes.double):
        for stream in ("img", "txt"):
            start = f"double_blocks.{block}.{stream}_"
            linear[start + "mod.lin"] = (6 * hidden, hidden)
            linear[start + "attn.qkv"] = (3 * hidden, hidden)
            linear[start + "attn.proj"] = (hidden, hidden)
            linear[start + "mlp.0"] = (4 * hidden, hidden)
            linear[start + "mlp.2"] = (hidden, 4 * hidden)
            norms += [start + "attn.norm.query_norm.scale", start + "attn.norm.key_norm.scale"]
    for block in range(sizes.single):
        start = f"single_blocks.{block}."
        linear[start + "modulation.lin"] = (3 * hidden, hidden)
        linear[start + "linear1"] = (7 * hidden, hidden)
        linear[start + "linear2"] = (hidden, 5 * hidden)
        norms += [start + "norm.query_norm.scale", start + "norm.key_norm.scale"]
    linear |= dict(_connector_shapes(sizes))
    for name, shape in linear.items():
        yield f"{name}.weight", shape
        yield f"{name}.bias", shape[:1]
    for name in norms:
        yield name, (head,)


def _connector_shapes(sizes: Sizes) -> Iterator[tuple[str, tuple[int, ...]]]:
    width, language = sizes.text, sizes.language
    yield "connector.global_proj_out", (sizes.pooled, language)
    yield "connector.S.input_embedder", (width, language)
    yield "connector.S.t_embedder.mlp.0", (width, 256)
    yield "connector.S.t_embedder.mlp.2", (width, width)
    yield "connector.S.c_embedder.linear_1", (width, language)
    yield "connector.S.c_embedder.linear_2", (width, width)
    for block in range(2):
        start = f"connector.S.individual_token_refiner.blocks.{block}."
        yield start + "norm1", (width,)
        yield start + "norm2", (width,)
        yield start + "self_attn_qkv", (3 * width, width)
        yield start + "self_attn_proj", (width, width)
        yield start + "mlp.fc1", (4 * width, width)
        yield start + "mlp.fc2", (width, 4 * width)
        yield start + "adaLN_modulation.1", (2 * width, width)


class Transformer:
    """What the published DiT computes after the connector."""

    def __init__(self, sizes: Sizes, weights: Weights) -> None:
        self.sizes, self.weights = sizes, weights

    def __call__(
        self, image: torch.Tensor, text: torch.Tensor, ids: torch.Tensor, sigma: torch.Tensor, pooled: torch.Tensor
    ) -> torch.Tensor:
        """``[B, N, channels]``; ``ids`` of the text first, then of the image."""
        vector = self.mlp("time_in", _waves(sigma)) + self.mlp("vector_in", pooled)
        image, text = self.linear("img_in", image), self.linear("txt_in", text)
        turns = self.turns(ids)
        for block in range(self.sizes.double):
            image, text = self.double(f"double_blocks.{block}.", image, text, vector, turns)
        both = torch.cat([text, image], 1)
        for block in range(self.sizes.single):
            both = self.single(f"single_blocks.{block}.", both, vector, turns)
        shift, scale = self.linear("final_layer.adaLN_modulation.1", functional.silu(vector))[:, None].chunk(2, -1)
        return self.linear("final_layer.linear", (1 + scale) * _normal(both[:, text.shape[1] :]) + shift)

    def double(
        self, at: str, image: torch.Tensor, text: torch.Tensor, vector: torch.Tensor, turns: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        streams = {"img_": image, "txt_": text}
        modulated = {
            name: self.linear(f"{at}{name}mod.lin", functional.silu(vector))[:, None].chunk(6, -1) for name in streams
        }
        heads = []
        for name in ("txt_", "img_"):
            shift, scale = modulated[name][:2]
            normal = (1 + scale) * _normal(streams[name]) + shift
            heads.append(self.heads(self.linear(f"{at}{name}attn.qkv", normal), f"{at}{name}attn.norm."))
        found = self.attended(*(torch.cat(each, 1) for each in zip(*heads, strict=True)), turns)
        parts = {"txt_": found[:, : text.shape[1]], "img_": found[:, text.shape[1] :]}
        for name, stream in streams.items():
            _, _, gate, shift, scale, gate_mlp = modulated[name]
            stream = stream + gate * self.linear(f"{at}{name}attn.proj", parts[name])  # noqa: PLW2901
            inner = self.linear(f"{at}{name}mlp.0", (1 + scale) * _normal(stream) + shift)
            inner = functional.gelu(inner, approximate="tanh")
            streams[name] = stream + gate_mlp * self.linear(f"{at}{name}mlp.2", inner)
        return streams["img_"], streams["txt_"]

    def single(self, at: str, both: torch.Tensor, vector: torch.Tensor, turns: torch.Tensor) -> torch.Tensor:
        shift, scale, gate = self.linear(f"{at}modulation.lin", functional.silu(vector))[:, None].chunk(3, -1)
        wide = self.linear(f"{at}linear1", (1 + scale) * _normal(both) + shift)
        fused, inner = wide.split([3 * self.sizes.hidden, 4 * self.sizes.hidden], -1)
        found = self.attended(*self.heads(fused, f"{at}norm."), turns)
        inner = functional.gelu(inner, approximate="tanh")
        return both + gate * self.linear(f"{at}linear2", torch.cat([found, inner], -1))

    def heads(self, fused: torch.Tensor, norms: str) -> tuple[torch.Tensor, ...]:
        query, key, value = fused.unflatten(-1, (3, self.sizes.heads, -1)).unbind(2)
        return (
            _rooted(query) * self.weights[f"{norms}query_norm.scale"],
            _rooted(key) * self.weights[f"{norms}key_norm.scale"],
            value,
        )

    def attended(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, turns: torch.Tensor
    ) -> torch.Tensor:
        query, key = _turned(query, turns), _turned(key, turns)
        likeness = torch.einsum("bqhd,bkhd->bhqk", query, key) * query.shape[-1] ** -0.5
        return torch.einsum("bhqk,bkhd->bqhd", likeness.softmax(-1), value).flatten(2)

    def turns(self, ids: torch.Tensor) -> torch.Tensor:
        """Angles ``[N, head / 2]``."""
        each = [
            ids[:, axis, None] * 10_000 ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)
            for axis, size in enumerate(self.sizes.axes)
        ]
        return torch.cat(each, -1)

    def mlp(self, name: str, values: torch.Tensor) -> torch.Tensor:
        return self.linear(f"{name}.out_layer", functional.silu(self.linear(f"{name}.in_layer", values)))

    def linear(self, name: str, values: torch.Tensor) -> torch.Tensor:
        return values @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]


def _waves(sigma: torch.Tensor) -> torch.Tensor:
    """The sinusoids of 1000 sigma, which both implementations compute in float32."""
    angles = (1000 * sigma).float()[:, None] * torch.exp(
        -math.log(10_000) * torch.arange(128, dtype=torch.float32) / 128
    )
    return torch.cat([angles.cos(), angles.sin()], -1).to(sigma)


def _normal(values: torch.Tensor) -> torch.Tensor:
    return functional.layer_norm(values, values.shape[-1:], eps=1e-6)


def _rooted(values: torch.Tensor) -> torch.Tensor:
    return values * (values.square().mean(-1, keepdim=True) + 1e-6).rsqrt()


def _turned(values: torch.Tensor, turns: torch.Tensor) -> torch.Tensor:
    """Neighbouring pairs of ``[B, N, heads, head]``, as complex numbers, by the angles."""
    pairs = torch.view_as_complex(values.unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(pairs * torch.polar(torch.ones_like(turns), turns)[:, None]).flatten(-2)


# The autoencoder
# --------------------------------------------------------------------------------------------------------------------


def autoencoder_weights(sizes: Sizes, *, seed: int = 1) -> Weights:
    """Random weights of all published names, float32."""
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, shape in _autoencoder_shapes(sizes):
        fan = max(math.prod(shape[1:]), 1)
        weights[f"{name}.weight"] = torch.randn(shape, generator=generator) * fan**-0.5
        weights[f"{name}.bias"] = 0.1 * torch.randn(shape[:1], generator=generator)
    return weights


def _autoencoder_shapes(sizes: Sizes) -> Iterator[tuple[str, tuple[int, ...]]]:
    deepest = sizes.widths[-1]
    yield "encoder.conv_in", (sizes.widths[0], 3, 3, 3)
    yield "decoder.conv_in", (deepest, sizes.latent, 3, 3)
    came = sizes.widths[0]
    for stage, width in enumerate(sizes.widths):
        for block in range(sizes.blocks):
            yield from _block_shapes(f"encoder.down.{stage}.block.{block}", came, width)
            came = width
        if stage < len(sizes.widths) - 1:
            yield f"encoder.down.{stage}.downsample.conv", (width, width, 3, 3)
    for half in ("encoder", "decoder"):
        yield from _block_shapes(f"{half}.mid.block_1", deepest, deepest)
        yield from _block_shapes(f"{half}.mid.block_2", deepest, deepest)
        yield f"{half}.mid.attn_1.norm", (deepest,)
        for part in ("q", "k", "v", "proj_out"):
            yield f"{half}.mid.attn_1.{part}", (deepest, deepest, 1, 1)
    came = deepest
    for stage in reversed(range(len(sizes.widths))):
        for block in range(sizes.blocks + 1):
            yield from _block_shapes(f"decoder.up.{stage}.block.{block}", came, sizes.widths[stage])
            came = sizes.widths[stage]
        if stage:
            yield f"decoder.up.{stage}.upsample.conv", (came, came, 3, 3)
    yield "encoder.norm_out", (deepest,)
    yield "encoder.conv_out", (2 * sizes.latent, deepest, 3, 3)
    yield "decoder.norm_out", (sizes.widths[0],)
    yield "decoder.conv_out", (3, sizes.widths[0], 3, 3)


def _block_shapes(name: str, came: int, width: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.norm1", (came,)
    yield f"{name}.conv1", (width, came, 3, 3)
    yield f"{name}.norm2", (width,)
    yield f"{name}.conv2", (width, width, 3, 3)
    if came != width:
        yield f"{name}.nin_shortcut", (width, came, 1, 1)


class Autoencoder:
    """What Flux's autoencoder computes."""

    def __init__(self, sizes: Sizes, weights: Weights) -> None:
        self.sizes, self.weights = sizes, weights

    def encode(self, image: torch.Tensor) -> torch.Tensor:
        """Mean and log variance, ``[B, 2 latent, h, w]``."""
        values = self.conv("encoder.conv_in", image)
        for stage in range(len(self.sizes.widths)):
            for block in range(self.sizes.blocks):
                values = self.block(f"encoder.down.{stage}.block.{block}", values)
            if stage < len(self.sizes.widths) - 1:
                values = self.conv(
                    f"encoder.down.{stage}.downsample.conv", functional.pad(values, (0, 1, 0, 1)), stride=2, padding=0
                )
        return self.ended("encoder", self.middle("encoder", values))

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        values = self.middle("decoder", self.conv("decoder.conv_in", latent))
        for stage in reversed(range(len(self.sizes.widths))):
            for block in range(self.sizes.blocks + 1):
                values = self.block(f"decoder.up.{stage}.block.{block}", values)
            if stage:
                values = values.repeat_interleave(2, -1).repeat_interleave(2, -2)
                values = self.conv(f"decoder.up.{stage}.upsample.conv", values)
        return self.ended("decoder", values)

    def middle(self, half: str, values: torch.Tensor) -> torch.Tensor:
        values = self.block(f"{half}.mid.block_1", values)
        at = f"{half}.mid.attn_1"
        normal = self.norm(f"{at}.norm", values)
        query, key, value = (self.conv(f"{at}.{part}", normal, padding=0).flatten(2) for part in "qkv")
        likeness = torch.einsum("bcq,bck->bqk", query, key) * query.shape[1] ** -0.5
        found = torch.einsum("bqk,bck->bcq", likeness.softmax(-1), value).unflatten(-1, values.shape[-2:])
        return self.block(f"{half}.mid.block_2", values + self.conv(f"{at}.proj_out", found, padding=0))

    def block(self, name: str, values: torch.Tensor) -> torch.Tensor:
        inner = self.conv(f"{name}.conv1", functional.silu(self.norm(f"{name}.norm1", values)))
        inner = self.conv(f"{name}.conv2", functional.silu(self.norm(f"{name}.norm2", inner)))
        short = f"{name}.nin_shortcut"
        return inner + (self.conv(short, values, padding=0) if f"{short}.weight" in self.weights else values)

    def ended(self, half: str, values: torch.Tensor) -> torch.Tensor:
        return self.conv(f"{half}.conv_out", functional.silu(self.norm(f"{half}.norm_out", values)))

    def norm(self, name: str, values: torch.Tensor) -> torch.Tensor:
        return functional.group_norm(
            values, self.sizes.groups, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"], 1e-6
        )

    def conv(self, name: str, values: torch.Tensor, *, stride: int = 1, padding: int = 1) -> torch.Tensor:
        return functional.conv2d(values, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"], stride, padding)
