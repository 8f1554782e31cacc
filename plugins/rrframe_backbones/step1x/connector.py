"""The connector of Step1X-Edit: what Qwen2.5-VL says, as a Flux transformer wants to hear it.

Names of modules are those of the published weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

_WAVES = 256


class Step1XConnector(nn.Module):
    """Hidden states of a language model to the text tokens and the pooled vector of a Flux transformer.

    Args:
        channels: Of the hidden states.
        width: Of the text tokens.
        heads: Of the attention.
        layers: Refiner blocks.
        pooled: Of the pooled vector.
        scaled: With ``scale_factor``, which only v1.0 has.

    Source: ``Qwen2Connector`` of the published code; the refiner is that of HunyuanVideo.
    """

    def __init__(
        self,
        channels: int = 3584,
        width: int = 4096,
        heads: int = 32,
        layers: int = 2,
        pooled: int = 768,
        scaled: bool = False,
    ) -> None:
        super().__init__()
        self.S = _Refiner(channels, width, heads, layers)
        self.global_proj_out = _Float32Linear(channels, pooled, dtype=torch.float32)
        self.scale_factor = nn.Parameter(torch.full((1,), 0.09 - 1)) if scaled else None

    def forward(
        self, hidden: torch.Tensor, sigma: torch.Tensor, mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The text tokens ``[B, L, width]`` and the pooled vector ``[B, pooled]``.

        Args:
            hidden: ``[B, L, channels]``.
            sigma: ``[B]``, the noise level in [0, 1].
            mask: ``[B, L]``, true where there is text. It acts here and nowhere later: the transformer sees all slots.
        """
        mean = _masked_mean(hidden, mask)
        pooled = mean if self.scale_factor is None else mean * (1 + self.scale_factor.to(mean.dtype))
        return self.S(hidden, sigma * 1000, mean.to(hidden.dtype), mask), self.global_proj_out(pooled).to(hidden.dtype)


class _Refiner(nn.Module):
    def __init__(self, channels: int, width: int, heads: int, layers: int) -> None:
        super().__init__()
        self.input_embedder = nn.Linear(channels, width)
        self.t_embedder = _TimeEmbedder(width)
        self.c_embedder = _ContextEmbedder(channels, width)
        self.individual_token_refiner = _Blocks(width, heads, layers)

    def forward(self, hidden: torch.Tensor, time: torch.Tensor, mean: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        context = self.t_embedder(time) + self.c_embedder(mean)
        tokens = self.input_embedder(hidden)
        return self.individual_token_refiner(tokens, context, mask.bool())


class _TimeEmbedder(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(_WAVES, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, time: torch.Tensor) -> torch.Tensor:
        """``[B]``, from 0 to 1000, to ``[B, width]`` in the same dtype."""
        dtype = _at_least_float32(time)
        exponents = torch.arange(_WAVES // 2, dtype=dtype, device=time.device) / (_WAVES // 2)
        angles = time.to(dtype)[:, None] * torch.exp(-math.log(10_000) * exponents)
        return self.mlp(torch.cat([angles.cos(), angles.sin()], dim=-1).to(time.dtype))


class _ContextEmbedder(nn.Module):
    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.linear_1, self.linear_2 = nn.Linear(channels, width), nn.Linear(width, width)

    def forward(self, mean: torch.Tensor) -> torch.Tensor:
        return self.linear_2(functional.silu(self.linear_1(mean)))


class _Blocks(nn.Module):
    def __init__(self, width: int, heads: int, layers: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_Block(width, heads) for _ in range(layers))

    def forward(self, tokens: torch.Tensor, context: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        seen = mask[:, None, :, None] & mask[:, None, None, :]
        seen[..., 0] = True  # a query that sees nothing would be NaN
        for block in self.blocks:
            tokens = block(tokens, context, seen)
        return tokens


class _Block(nn.Module):
    """Attention and an MLP, each added to its input through a gate that the context alone sets."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.self_attn_qkv = nn.Linear(width, 3 * width)
        self.self_attn_proj = nn.Linear(width, width)
        self.mlp = _Mlp(width)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))
        nn.init.zeros_(self.adaLN_modulation[1].weight)
        nn.init.zeros_(self.adaLN_modulation[1].bias)

    def forward(self, tokens: torch.Tensor, context: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        first, second = self.adaLN_modulation(context)[:, None].chunk(2, dim=-1)
        query, key, value = self.self_attn_qkv(self.norm1(tokens)).unflatten(-1, (3, self.heads, -1)).unbind(2)
        found = functional.scaled_dot_product_attention(
            query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2), attn_mask=seen
        )
        tokens = tokens + first * self.self_attn_proj(found.transpose(1, 2).flatten(2))
        return tokens + second * self.mlp(self.norm2(tokens))


class _Mlp(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.fc2(functional.silu(self.fc1(tokens)))


class _Float32Linear(nn.Linear):
    """A layer that stays in float32 when a network is cast to fewer bits, as in the published weights."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return super().forward(values.to(self.weight.dtype))

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> Any:
        def without_rounding(tensor: torch.Tensor) -> torch.Tensor:
            changed = fn(tensor)
            rounds = changed.dtype in (torch.bfloat16, torch.float16)
            return tensor.to(changed.device) if rounds else changed

        return super()._apply(without_rounding, recurse)


def _masked_mean(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The mean of ``hidden`` where ``mask`` is true, ``[B, channels]``, in float32 or better."""
    dtype = _at_least_float32(hidden)
    weights = mask.to(dtype)[..., None]
    return (hidden.to(dtype) * weights).sum(dim=1) / weights.sum(dim=1)


def _at_least_float32(tensor: torch.Tensor) -> torch.dtype:
    return torch.promote_types(tensor.dtype, torch.float32)
