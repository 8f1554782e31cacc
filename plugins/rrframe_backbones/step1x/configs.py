"""The small files that go with the weights in a published layout, made of what the networks here are made of."""

from __future__ import annotations

from typing import Any

_VERSION = {"_diffusers_version": "0.37.0.dev0"}  # of the branch that the authors of the bundle wrote it with
_SHIFT = {"base_image_seq_len": 256, "max_image_seq_len": 4096, "base_shift": 0.5, "max_shift": 1.15}
_QWEN = {
    "text_encoder": ["transformers", "Qwen2_5_VLForConditionalGeneration"],
    "processor": ["transformers", "Qwen2_5_VLProcessor"],
}


def bundle_files(transformer: Any, vae: Any, version: str) -> dict[str, Any]:
    """Those of the bundle of RealRestorer, by path.

    Args:
        transformer: The configuration of a ``Step1XEditTransformer``.
        vae: That of an ``AutoencoderKL``.
        version: ``v1.0`` or ``v1.1``; the released pipeline would take v1.1 if its index did not say.
    """
    width = vae.block_out_channels[0]
    return {
        "model_index.json": {
            "_class_name": "RealRestorerPipeline",
            **_VERSION,
            **_QWEN,
            "scheduler": ["diffusers", "RealRestorerFlowMatchScheduler"],
            "transformer": ["diffusers", "RealRestorerTransformer2DModel"],
            "vae": ["diffusers", "RealRestorerAutoencoderKL"],
            "version": version,
        },
        "scheduler/scheduler_config.json": {
            "_class_name": "RealRestorerFlowMatchScheduler",
            **_VERSION,
            **_SHIFT,
            "shift": True,
        },
        "transformer/config.json": {
            "_class_name": "RealRestorerTransformer2DModel",
            **_VERSION,
            "in_channels": transformer.in_channels,
            "out_channels": transformer.out_channels or transformer.in_channels,
            "vec_in_dim": transformer.pooled_projection_dim,
            "context_in_dim": transformer.joint_attention_dim,
            "hidden_size": transformer.num_attention_heads * transformer.attention_head_dim,
            "mlp_ratio": 4.0,
            "num_heads": transformer.num_attention_heads,
            "depth": transformer.num_layers,
            "depth_single_blocks": transformer.num_single_layers,
            "axes_dims_rope": list(transformer.axes_dims_rope),
            "theta": 10_000,
            "qkv_bias": True,
            "mode": "flash",
            "version": version,
            "guidance_embeds": False,
            "use_mask_token": False,
        },
        "vae/config.json": {
            "_class_name": "RealRestorerAutoencoderKL",
            **_VERSION,
            "resolution": 256,
            "in_channels": vae.in_channels,
            "ch": width,
            "out_ch": vae.out_channels,
            "ch_mult": [channels // width for channels in vae.block_out_channels],
            "num_res_blocks": vae.layers_per_block,
            "z_channels": vae.latent_channels,
            "scale_factor": vae.scaling_factor,
            "shift_factor": vae.shift_factor,
        },
    }


def released_files(transformer: Any, vae: Any) -> dict[str, Any]:
    """Those of ``Step1X-Edit-v1p1-diffusers``, by path; the arguments are those of ``bundle_files``."""
    return {
        "model_index.json": {
            "_class_name": "Step1XEditPipeline",
            **_VERSION,
            **_QWEN,
            "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
            "transformer": ["diffusers", "Step1XEditTransformer2DModel"],
            "vae": ["diffusers", "AutoencoderKL"],
        },
        "scheduler/scheduler_config.json": {
            "_class_name": "FlowMatchEulerDiscreteScheduler",
            **_VERSION,
            **_SHIFT,
            "num_train_timesteps": 1000,
            "shift": 3.0,
            "use_dynamic_shifting": True,
        },
        "transformer/config.json": {
            "_class_name": "Step1XEditTransformer2DModel",
            **_VERSION,
            "patch_size": transformer.patch_size,
            "in_channels": transformer.in_channels,
            "out_channels": transformer.out_channels or transformer.in_channels,
            "num_layers": transformer.num_layers,
            "num_single_layers": transformer.num_single_layers,
            "attention_head_dim": transformer.attention_head_dim,
            "num_attention_heads": transformer.num_attention_heads,
            "joint_attention_dim": transformer.joint_attention_dim,
            "timestep_in_dim": 256,
            "vector_in_dim": transformer.pooled_projection_dim,
            "connector_in_channels": transformer.text_channels,
            "connector_hidden_size": transformer.joint_attention_dim,
            "connector_heads_num": transformer.connector_heads,
            "connector_depth": transformer.connector_layers,
            "guidance_embeds": False,
            "axes_dims_rope": list(transformer.axes_dims_rope),
        },
        "vae/config.json": {
            "_class_name": "AutoencoderKL",
            **{name: value for name, value in vae.items() if not name.startswith("_")},
            **_VERSION,
        },
    }
