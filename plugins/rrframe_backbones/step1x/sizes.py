"""The sizes of the networks, and fresh ones: the published ones, and tiny ones that were never trained."""

from __future__ import annotations

import json
from typing import Any, Literal

from rrframe_backbones.step1x.processor import DROPPED, LEAST, MOST, SPECIAL, Step1XProcessor
from rrframe_backbones.step1x.transformer import Step1XEditTransformer, Version

Preset = Literal["full", "tiny"]

TRANSFORMER: dict[Preset, dict[str, Any]] = {
    "full": {},
    "tiny": {
        "num_layers": 1,
        "num_single_layers": 4,
        "attention_head_dim": 16,
        "num_attention_heads": 2,
        "axes_dims_rope": (4, 6, 6),
        "joint_attention_dim": 32,
        "pooled_projection_dim": 16,
        "text_channels": 32,
        "connector_heads": 2,
    },
}
"""What differs from the defaults of ``Step1XEditTransformer``."""
_AUTOENCODER: dict[Preset, dict[str, Any]] = {
    "full": {"block_out_channels": (128, 256, 512, 512), "layers_per_block": 2, "norm_num_groups": 32},
    "tiny": {"block_out_channels": (8, 8, 16, 16), "layers_per_block": 1, "norm_num_groups": 4},
}
_TEXT: dict[Preset, dict[str, Any]] = {
    "full": {
        "vocab_size": 152064,
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "rope_parameters": {"rope_type": "default", "mrope_section": [16, 24, 24], "rope_theta": 1e6},
    },
    "tiny": {
        "vocab_size": 1024,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "rope_parameters": {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 1e6},
    },
}
_VISION: dict[Preset, dict[str, Any]] = {
    "full": {
        "depth": 32,
        "hidden_size": 1280,
        "intermediate_size": 3420,
        "num_heads": 16,
        "out_hidden_size": 3584,
        "fullatt_block_indexes": [7, 15, 23, 31],
        "window_size": 112,
    },
    "tiny": {
        "depth": 2,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_heads": 2,
        "out_hidden_size": 32,
        "fullatt_block_indexes": [1],
        "window_size": 112,
    },
}


def transformer(preset: Preset, version: Version) -> Step1XEditTransformer:
    return Step1XEditTransformer(**TRANSFORMER[preset], version=version)


def autoencoder(preset: Preset) -> Any:
    """The autoencoder of Flux."""
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=16,
        sample_size=1024,
        scaling_factor=0.3611,
        shift_factor=0.1159,
        use_quant_conv=False,
        use_post_quant_conv=False,
        **_AUTOENCODER[preset],
    )


def text_encoder(preset: Preset, processor: Step1XProcessor) -> Any:
    """Qwen2.5-VL without its language head; ``processor`` tells the numbers of the special tokens."""
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLModel

    number = processor.tokenizer.convert_tokens_to_ids
    text = {**_TEXT[preset], "bos_token_id": None, "eos_token_id": None, "pad_token_id": None}
    config = Qwen2_5_VLConfig(
        text_config=text,
        vision_config=_VISION[preset],
        image_token_id=number("<|image_pad|>"),
        video_token_id=number("<|video_pad|>"),
        vision_start_token_id=number("<|vision_start|>"),
        vision_end_token_id=number("<|vision_end|>"),
    )
    return Qwen2_5_VLModel(config)


def processor() -> Step1XProcessor:
    """A processor whose tokenizer is of the kind of Qwen's, with a vocabulary learnt from the fixed text alone."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers
    from transformers import AddedToken, Qwen2Tokenizer
    from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PRETOKENIZE_REGEX), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    learner.train_from_iterator(
        [DROPPED, "“ ”"], trainers.BpeTrainer(vocab_size=768, initial_alphabet=alphabet, show_progress=False)
    )
    learnt = json.loads(learner.to_str())["model"]
    tokenizer = Qwen2Tokenizer(vocab=learnt["vocab"], merges=[tuple(pair) for pair in learnt["merges"]])
    tokenizer.add_tokens([AddedToken(token, special=True) for token in SPECIAL])
    return Step1XProcessor(tokenizer, Qwen2VLImageProcessorPil(min_pixels=LEAST, max_pixels=MOST))
