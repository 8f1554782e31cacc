"""Networks of transformers, tiny and never trained, saved to a folder as real ones are: they show that loading,
preparing and sizes are right, and nothing about what a trained one sees.
"""

from __future__ import annotations

import functools
import json
import tempfile
from pathlib import Path
from typing import Any

import torch

_BACKBONE = {"hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2}
_NECK = {"neck_hidden_sizes": [8, 8, 8, 8], "fusion_hidden_size": 8}
# What their authors ship as preprocessor_config.json, at a small size.
_DPT = {"do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "size": {"height": 32, "width": 32}}
_ANYTHING = {
    "do_normalize": True,
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
    "size": {"height": 28, "width": 28},
    "keep_aspect_ratio": True,
    "ensure_multiple_of": 14,
}


def dpt(folder: Path) -> Path:
    """DPT, the architecture of MiDaS 3: disparity."""
    from transformers import DPTConfig, DPTForDepthEstimation

    config = DPTConfig(
        **_BACKBONE,
        **_NECK,
        intermediate_size=32,
        image_size=32,
        patch_size=16,
        backbone_out_indices=[0, 1, 2, 3],
        reassemble_factors=[4, 2, 1, 0.5],
        is_hybrid=False,
    )
    return _saved(DPTForDepthEstimation, config, _DPT, folder)


def depth_anything(folder: Path, **settings: Any) -> Path:
    """Depth Anything V2 on a DINOv2 backbone: disparity, or metres if told."""
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

    backbone = Dinov2Config(
        **_BACKBONE, image_size=28, patch_size=14, mlp_ratio=2, out_indices=[1, 2, 3, 4], reshape_hidden_states=False
    )
    config = DepthAnythingConfig(
        backbone_config=backbone, **_NECK, reassemble_hidden_size=16, head_hidden_size=8, patch_size=14, **settings
    )
    return _saved(DepthAnythingForDepthEstimation, config, _ANYTHING, folder)


def sam2(folder: Path) -> Path:
    """SAM 2, for pictures of 64 x 64."""
    from transformers import (
        Sam2Config,
        Sam2HieraDetConfig,
        Sam2MaskDecoderConfig,
        Sam2Model,
        Sam2PromptEncoderConfig,
        Sam2VisionConfig,
    )

    hiera = Sam2HieraDetConfig(
        hidden_size=8,
        image_size=[64, 64],
        blocks_per_stage=[1, 2, 1, 1],
        embed_dim_per_stage=[8, 16, 32, 64],
        num_attention_heads_per_stage=[1, 1, 2, 2],
        window_size_per_stage=[4, 2, 2, 2],
        window_positional_embedding_background_size=[4, 4],
        global_attention_blocks=[2],
    )
    vision = Sam2VisionConfig(
        backbone_config=hiera,
        backbone_channel_list=[64, 32, 16, 8],
        backbone_feature_sizes=[[16, 16], [8, 8], [4, 4]],
        fpn_hidden_size=16,
    )
    config = Sam2Config(
        vision_config=vision,
        prompt_encoder_config=Sam2PromptEncoderConfig(hidden_size=16, image_size=64, mask_input_channels=4),
        mask_decoder_config=Sam2MaskDecoderConfig(
            hidden_size=16, mlp_dim=32, num_attention_heads=2, iou_head_hidden_dim=16
        ),
    )
    return _saved(Sam2Model, config, {"size": {"height": 64, "width": 64}}, folder)


_TEMPLATE = """{%- for message in messages %}<|im_start|>{{ message.role }}
{% if message.content is string %}{{ message.content }}{% else %}{%- for part in message.content -%}
{%- if part.type == 'image' %}<|vision_start|>IMAGE<|vision_end|>{% else %}{{ part.text }}{% endif -%}
{%- endfor -%}{%- endif %}<|im_end|>
{% endfor %}{%- if add_generation_prompt %}<|im_start|>assistant
{% endif -%}"""


def qwen3_vl(folder: Path) -> Path:
    """Qwen3-VL, with a tokenizer learnt from a fixed text alone."""
    from rrframe_backbones.step1x.sizes import processor
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    tokenizer = processor().tokenizer
    number = tokenizer.convert_tokens_to_ids
    config = Qwen3VLConfig(
        text_config={
            **_TEXT,
            "rope_parameters": {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 1e6},
            "eos_token_id": number("<|im_end|>"),
            "pad_token_id": number("<|endoftext|>"),
        },
        vision_config={
            "depth": 2,
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_heads": 2,
            "out_hidden_size": 32,
            "patch_size": 16,
            "num_position_embeddings": 256,
            "deepstack_visual_indexes": [0, 1],
        },
        image_token_id=number("<|image_pad|>"),
        video_token_id=number("<|video_pad|>"),
        vision_start_token_id=number("<|vision_start|>"),
        vision_end_token_id=number("<|vision_end|>"),
    )
    settings = {
        "image_processor_type": "Qwen2VLImageProcessorFast",
        "patch_size": 16,
        "size": {"shortest_edge": 1024, "longest_edge": 16777216},
    }
    return _with_words(Qwen3VLForConditionalGeneration, config, settings, tokenizer, "<|image_pad|>", folder)


def llava(folder: Path) -> Path:
    """LLaVA, with the same tokenizer."""
    from rrframe_backbones.step1x.sizes import processor
    from transformers import AddedToken, CLIPVisionConfig, LlavaConfig, LlavaForConditionalGeneration, Qwen2Config

    tokenizer = processor().tokenizer
    tokenizer.add_tokens([AddedToken("<image>", special=True)])
    vision = CLIPVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=32, patch_size=16
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=Qwen2Config(**_TEXT),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
    )
    settings = {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"shortest_edge": 32},
        "crop_size": {"height": 32, "width": 32},
    }
    made = _with_words(LlavaForConditionalGeneration, config, settings, tokenizer, "<image>", folder)
    prepares = {"patch_size": 16, "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1}
    (made / "processor_config.json").write_text(json.dumps({"processor_class": "LlavaProcessor", **prepares}))
    return made


_TEXT = {
    "vocab_size": 1024,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "initializer_range": 0.3,  # so large that what is written depends on the picture and the question
}


def _with_words(cls: Any, config: Any, settings: dict[str, Any], tokenizer: Any, image: str, folder: Path) -> Path:
    _saved(cls, config, settings, folder)
    tokenizer.save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(_TEMPLATE.replace("IMAGE", image))
    return folder


@functools.cache
def kept(make: Any) -> Path:
    """The folder of one of them, made once a process."""
    return make(Path(tempfile.mkdtemp(prefix="rrframe-tiny-")))


def _saved(cls: Any, config: Any, settings: dict[str, Any], folder: Path) -> Path:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        cls(config).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return folder
