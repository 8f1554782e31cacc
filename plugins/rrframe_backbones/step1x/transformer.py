"""The transformer of Step1X-Edit: that of Flux, behind the connector."""

from __future__ import annotations

from typing import Any, Literal

import torch
from diffusers import FluxTransformer2DModel, ModelMixin  # noqa: F401, diffusers looks here for how to load this class
from diffusers.configuration_utils import register_to_config

from rrframe_backbones.step1x.connector import Step1XConnector

Version = Literal["v1.0", "v1.1"]
REFERENCE_IDS: dict[Version, float] = {"v1.0": 0.0, "v1.1": 1.0}
"""The first of the three numbers that place a token of the reference; a token of the picture has 0."""


class Step1XEditTransformer(FluxTransformer2DModel):
    """The published DiT, which computes what the Flux transformer of diffusers does behind a connector: so the
    library's caches, attention backends, compilation, casting and offloading work on it as on Flux.

    Args:
        text_channels: Hidden size of the language model.
        connector_heads: Attention heads of the connector.
        connector_layers: Its refiner blocks.
        version: ``v1.0`` has a scale factor in the connector, and tells the reference from the picture by nothing.
        guidance_embeds: There is no such embedding; the argument is part of a Flux configuration.

    The others are those of Flux.
    """

    _keep_in_fp32_modules = ["global_proj_out"]
    _skip_layerwise_casting_patterns = [*FluxTransformer2DModel._skip_layerwise_casting_patterns, "connector"]

    @register_to_config
    def __init__(
        self,
        patch_size: int = 1,
        in_channels: int = 64,
        out_channels: int | None = None,
        num_layers: int = 19,
        num_single_layers: int = 38,
        attention_head_dim: int = 128,
        num_attention_heads: int = 24,
        joint_attention_dim: int = 4096,
        pooled_projection_dim: int = 768,
        guidance_embeds: bool = False,
        axes_dims_rope: tuple[int, int, int] = (16, 56, 56),
        text_channels: int = 3584,
        connector_heads: int = 32,
        connector_layers: int = 2,
        version: Version = "v1.1",
    ) -> None:
        if guidance_embeds:
            raise ValueError("Step1X-Edit has no embedding of guidance")
        super().__init__(
            patch_size=patch_size,
            in_channels=in_channels,
            out_channels=out_channels,
            num_layers=num_layers,
            num_single_layers=num_single_layers,
            attention_head_dim=attention_head_dim,
            num_attention_heads=num_attention_heads,
            joint_attention_dim=joint_attention_dim,
            pooled_projection_dim=pooled_projection_dim,
            guidance_embeds=False,
            axes_dims_rope=axes_dims_rope,
        )
        self.connector = Step1XConnector(
            text_channels,
            joint_attention_dim,
            connector_heads,
            connector_layers,
            pooled_projection_dim,
            scaled=version == "v1.0",
        )

    @property
    def reference_id(self) -> float:
        """The first of the three numbers that place a token of the reference."""
        return REFERENCE_IDS[self.config.version]

    def forward(
        self,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor,
        encoder_attention_mask: torch.Tensor,
        timestep: torch.Tensor,
        img_ids: torch.Tensor,
        txt_ids: torch.Tensor,
        joint_attention_kwargs: dict[str, Any] | None = None,
        return_dict: bool = True,
    ) -> Any:
        """The velocity of every token, ``[B, N, in_channels]``.

        Args:
            hidden_states: ``[B, N, in_channels]``, the tokens of the noisy picture and then those of the reference.
            encoder_hidden_states: ``[B, L, text_channels]``, what the language model says, padded to 640.
            encoder_attention_mask: ``[B, L]``, true where it is no padding.
            timestep: ``[B]``, the noise level in [0, 1]; not times 1000, which the network does.
            img_ids: ``[N, 3]``, where the tokens of the pictures lie.
            txt_ids: ``[L, 3]`` of zeros.
            joint_attention_kwargs: As for Flux.
            return_dict: As for Flux.
        """
        sigma = timestep.to(hidden_states.dtype)
        text, pooled = self.connector(encoder_hidden_states, sigma, encoder_attention_mask)
        return super().forward(
            hidden_states=hidden_states,
            encoder_hidden_states=text,
            pooled_projections=pooled,
            timestep=sigma,
            img_ids=img_ids,
            txt_ids=txt_ids,
            joint_attention_kwargs=joint_attention_kwargs,
            return_dict=return_dict,
        )
