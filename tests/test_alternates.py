"""Editors over pipelines of diffusers, with tiny random weights: that they compute what those pipelines do.

Nothing here says how well the published weights restore.
"""

from __future__ import annotations

import functools
import json
import shutil

import numpy as np
import pytest
import torch
from diffusers import FluxKontextPipeline, LongCatImageEditPipeline, QwenImageEditPlusPipeline
from diffusers.pipelines.flux import pipeline_flux_kontext
from diffusers.pipelines.longcat_image import pipeline_longcat_image_edit
from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError
from rrframe_backbones import qwen_image_edit, qwen_vl
from rrframe_backbones.editing.latents import packed
from rrframe_backbones.flux_kontext import PREFERRED, FluxKontext
from rrframe_backbones.longcat_image_edit import LongCatImageEdit, spelt
from rrframe_backbones.qwen_image_edit import QwenImageEdit
from safetensors.torch import load_file, save_file
from skimage import data
from transformers import BatchFeature, Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLModel

from rrframe import Pairs, RRFrameError
from rrframe.contracts.draw import Noise

PROMPT = "Remove the haze, don't touch the sign 'stop'"
EDITORS = (FluxKontext, QwenImageEdit, LongCatImageEdit)
SIZE = {FluxKontext: (48, 80), QwenImageEdit: (64, 96), LongCatImageEdit: (48, 80)}
"""Sizes that they restore at, so that nothing is resized."""
SHIFT = ("base_shift", "max_shift", "base_image_seq_len", "max_image_seq_len", "shift_terminal", "use_dynamic_shifting")


@functools.cache
def tiny(cls):
    """One for all tests that do not change it."""
    height, width = SIZE[cls]
    return cls(preset="tiny", pixels=64 * 64 if cls is FluxKontext else height * width, steps=3)


def photograph(height, width):
    return Image.fromarray(data.astronaut()[20 : 20 + height, 180 : 180 + width])


def as_batch(picture):
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 255


def noise(height, width, seed):
    return torch.randn(16, height // 8, width // 8, generator=torch.Generator().manual_seed(seed))[None]


# The pipelines of diffusers, with our weights
# ---------------------------------------------------------------------------------------------------------------------


class Told(torch.nn.Module):
    """Qwen2.5-VL told which tokens are the picture's. It found that out itself when the editors were trained; today's
    takes rows and columns for a line of text if it is not told, and diffusers 0.42 does not tell.
    """

    def __init__(self, model, image_token):
        super().__init__()
        self.model, self.image_token = model, image_token

    @property
    def dtype(self):
        return self.model.dtype

    @property
    def device(self):
        return self.model.device

    def forward(self, input_ids, **settings):
        return self.model(
            input_ids=input_ids, mm_token_type_ids=(input_ids == self.image_token).int(), use_cache=False, **settings
        )


class Processor:
    """The processor of Qwen2.5-VL in transformers, for pictures alone: that one needs torchvision for its films."""

    def __init__(self, tokenizer, image_processor):
        self.tokenizer, self.image_processor = tokenizer, image_processor

    def __call__(self, text, images, **_):
        found = self.image_processor(images=images, return_tensors="pt")
        squares = int(found["image_grid_thw"].prod()) // 4
        read = self.tokenizer(text[0].replace(qwen_vl.IMAGE, qwen_vl.IMAGE * squares), return_tensors="pt")
        return BatchFeature({**read, **found})


def by_kontext(editor, picture, guidance, monkeypatch):
    pipeline = FluxKontextPipeline(
        editor.scheduler(),
        *(editor.part(part) for part in ("vae", "text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2")),
        editor.network,
    )
    height, width = picture.height, picture.width
    size = {"height": height, "width": width, "max_area": height * width, "_auto_resize": False}
    return pipeline, size | {"guidance_scale": guidance}


def by_qwen(editor, picture, guidance, monkeypatch):
    tokenizer = editor.part("tokenizer")
    pipeline = QwenImageEditPlusPipeline(
        editor.scheduler(),
        editor.part("vae"),
        Told(editor.part("text_encoder"), tokenizer.convert_tokens_to_ids(qwen_vl.IMAGE)),
        tokenizer,
        Processor(tokenizer, editor.part("processor")),
        editor.network,
    )
    pipeline.prompt_template_encode_start_idx = len(qwen_vl.tokens_of(tokenizer, qwen_image_edit.BEFORE))
    assert qwen_image_edit.SEEN["full"] == pipeline_qwenimage_edit_plus.CONDITION_IMAGE_SIZE
    monkeypatch.setattr(pipeline_qwenimage_edit_plus, "CONDITION_IMAGE_SIZE", qwen_image_edit.SEEN["tiny"])
    monkeypatch.setattr(pipeline_qwenimage_edit_plus, "VAE_IMAGE_SIZE", picture.height * picture.width)
    size = {"height": picture.height, "width": picture.width}
    return pipeline, size | {"true_cfg_scale": guidance, "negative_prompt": " "}


def by_longcat(editor, picture, guidance, monkeypatch):
    tokenizer = editor.part("tokenizer")
    pipeline = LongCatImageEditPipeline(
        editor.scheduler(),
        editor.part("vae"),
        Told(editor.part("text_encoder"), tokenizer.convert_tokens_to_ids(qwen_vl.IMAGE)),
        tokenizer,
        Processor(tokenizer, editor.part("text_processor")),
        editor.network,
    )
    rule, area = pipeline_longcat_image_edit.calculate_dimensions, picture.height * picture.width
    monkeypatch.setattr(pipeline_longcat_image_edit, "calculate_dimensions", lambda _, ratio: rule(area, ratio))
    return pipeline, {"guidance_scale": guidance}


PIPELINES = {FluxKontext: by_kontext, QwenImageEdit: by_qwen, LongCatImageEdit: by_longcat}


def latents_of(editor, monkeypatch, *args, **settings):
    """What ``restore`` decodes."""
    found = []
    decode = type(editor).to_images
    with monkeypatch.context() as patched:
        patched.setattr(
            type(editor), "to_images", lambda self, latents: (found.append(latents), decode(self, latents))[1]
        )
        editor.restore(*args, **settings)
    return found[0]


@pytest.mark.parametrize("guidance", [1.0, 4.0])
@pytest.mark.parametrize("cls", EDITORS)
def test_restoring_is_what_the_pipeline_of_diffusers_does(cls, guidance, monkeypatch):
    editor, picture = tiny(cls), photograph(*SIZE[cls])
    pipeline, settings = PIPELINES[cls](editor, picture, guidance, monkeypatch)
    pipeline.set_progress_bar_config(disable=True)
    found = latents_of(editor, monkeypatch, as_batch(picture), "haze", prompt=PROMPT, guidance=guidance, seed=5)
    start = packed(noise(*SIZE[cls], 5))
    expected = pipeline(
        picture, prompt=PROMPT, num_inference_steps=3, latents=start, output_type="latent", **settings
    ).images
    assert (packed(found) - expected).abs().max() < 1e-5


@pytest.mark.parametrize("cls", EDITORS)
def test_prompt_guidance_and_picture_have_a_say(cls, monkeypatch):
    """So that equality with the pipelines says that each is as there."""
    editor, image = tiny(cls), as_batch(photograph(*SIZE[cls]))
    settings = {"prompt": PROMPT, "guidance": 4.0, "seed": 5}
    found = latents_of(editor, monkeypatch, image, "haze", **settings)
    for other in ({"prompt": "Remove the rain"}, {"guidance": 7.0}):
        assert (latents_of(editor, monkeypatch, image, "haze", **settings | other) - found).abs().max() > 1e-3
    assert (latents_of(editor, monkeypatch, image.flip(3), "haze", **settings) - found).abs().max() > 1e-3


# Sizes
# ---------------------------------------------------------------------------------------------------------------------


def test_kontext_restores_at_sizes_that_it_was_trained_at():
    assert PREFERRED == pipeline_flux_kontext.PREFERRED_KONTEXT_RESOLUTIONS
    editor = FluxKontext()
    assert {editor.size(*size) for size in PREFERRED} == set(PREFERRED)
    assert editor.size(3000, 4000) == (880, 1184)
    assert FluxKontext(pixels=512 * 512).size(3000, 4000) == (448, 592)


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_sizes_of_the_others_are_those_of_their_pipelines(height, width):
    area, ratio = 1024 * 1024, width / height
    across, down = pipeline_qwenimage_edit_plus.calculate_dimensions(area, ratio)
    assert QwenImageEdit().size(height, width) == (max(32, down), max(32, across))
    across, down = pipeline_longcat_image_edit.calculate_dimensions(area, ratio)
    assert LongCatImageEdit().size(height, width) == (down, across)


@pytest.mark.parametrize("cls", EDITORS)
def test_the_picture_lies_where_the_result_does(cls, monkeypatch):
    """Both have the same size, and so the same places: else everything moves by some pixels."""
    editor, seen = tiny(cls), []
    velocity = cls.velocity
    monkeypatch.setattr(cls, "velocity", lambda self, *args: (seen.append(args), velocity(self, *args))[1])
    image = as_batch(photograph(53, 121))
    assert editor.restore(image, "haze", steps=1).shape == image.shape
    assert seen[0][0].shape == seen[0][2].shape


# What they are told
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "prompt",
    ["", PROMPT, 'paint "5 o\'clock" there', "写“你好”和‘再见’", "''", "an open 'quote", 'a "b" c "d"'],
)
def test_longcat_spells_what_stands_between_quotes(prompt):
    pieces = pipeline_longcat_image_edit.split_quotation(prompt)
    assert list(spelt(prompt)) == [part for text, quoted in pieces for part in (text if quoted else [text])]


def test_apostrophes_in_several_words_are_none_of_its_quotes():
    """The pipeline of diffusers 0.42 puts the words in each other's place."""
    assert list(spelt("don't touch what's there")) == ["don't touch what's there"]


def test_a_prompt_that_is_too_long_is_refused_by_qwen_and_cut_by_longcat():
    image, long = as_batch(photograph(64, 96)), "haze " * 600
    with pytest.raises(RRFrameError, match="tokens, more than"):
        tiny(QwenImageEdit).condition(image, [long])
    assert tiny(LongCatImageEdit).condition(image, [long])["hidden"].shape[1] > 512


def test_qwen_attends_to_no_padding():
    editor, count = tiny(QwenImageEdit), 2
    image = as_batch(photograph(64, 96))
    with torch.no_grad():
        told = editor.condition(image.expand(count, -1, -1, -1), ["Remove the haze", PROMPT])
        other = {**told, "hidden": torch.where(told["mask"][..., None], told["hidden"], 9.0)}
        latents = noise(64, 96, 1).expand(count, -1, -1, -1)
        found, again = (editor.velocity(latents, torch.full((count,), 0.7), latents, one) for one in (told, other))
    assert told["mask"].sum(1).diff() > 0
    torch.testing.assert_close(found, again, atol=1e-6, rtol=0)


def test_kontext_learns_at_the_guidance_that_it_restores_at():
    image = as_batch(photograph(48, 80))
    pairs = Pairs(image, image.flip(3), ("haze",))
    levels = []
    for guidance in (2.5, 6.0):
        editor = FluxKontext(preset="tiny", guidance=guidance)
        embedder = editor.network.time_text_embed.guidance_embedder
        embedder.register_forward_pre_hook(lambda module, args: levels.append(args[0]))
        editor.loss(editor.encode(pairs), Noise([0], torch.device("cpu")))
        editor.restore(image, "haze", steps=1)
    learnt, restored, otherwise, again = levels
    assert torch.equal(learnt, restored)
    assert torch.equal(otherwise, again)
    assert not torch.equal(learnt, otherwise)


def test_a_single_step_of_a_stretched_schedule_is_finite():
    image = as_batch(photograph(64, 96))
    assert tiny(QwenImageEdit).restore(image, "haze", steps=1).isfinite().all()


def test_latents_of_qwen_are_as_long_as_pictures_are_deep():
    """Its autoencoder makes films; a picture is one of a single frame, and what is decoded is undone by encoding."""
    editor, image = tiny(QwenImageEdit), as_batch(photograph(64, 96))
    latents = editor.to_latents(image.expand(2, -1, -1, -1))
    vae = editor.part("vae")
    raw = vae.encode(image.unsqueeze(2) * 2 - 1).latent_dist.mode()[:, :, 0]
    mean, deviation = (
        torch.tensor(values).view(1, 16, 1, 1) for values in (vae.config.latents_mean, vae.config.latents_std)
    )
    torch.testing.assert_close(latents[:1], (raw - mean) / deviation)
    expected = vae.decode(raw.unsqueeze(2)).sample[:, :, 0].mul(0.5).add(0.5).clamp(0, 1)
    torch.testing.assert_close(editor.to_images(latents)[1:], expected)


@pytest.mark.parametrize(("cls", "billions"), [(FluxKontext, 11.9), (QwenImageEdit, 20.4), (LongCatImageEdit, 6.3)])
def test_full_size_has_the_published_count_of_parameters(cls, billions):
    network = cls(device="meta").network
    assert sum(parameter.numel() for parameter in network.parameters()) == pytest.approx(billions * 1e9, abs=5e7)


# Faster and smaller
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", EDITORS)
@pytest.mark.parametrize("speed", [{"offload": "idle"}, {"offload": "group"}])
def test_keeping_networks_in_main_memory_changes_nothing(cls, speed):
    original, image = tiny(cls), as_batch(photograph(*SIZE[cls]))
    editor = cls(preset="tiny", pixels=original.pixels, steps=3, speed=speed)
    torch.testing.assert_close(editor.restore(image, "haze"), original.restore(image, "haze"))


@pytest.mark.parametrize("cls", EDITORS)
@pytest.mark.parametrize("cache", ["first-block", "taylorseer"])
def test_caches_skip_blocks_or_are_refused(cls, cache):
    if cls is LongCatImageEdit and cache == "first-block":
        with pytest.raises(ValidationError, match="no first-block cache"):
            cls(preset="tiny", speed={"cache": cache})
        return
    settings = {"preset": "tiny", "pixels": tiny(cls).pixels, "speed": {"cache": cache, "threshold": 0.9}}
    editor, calls = cls(**settings), []
    network = editor.network
    last = [*network.transformer_blocks, *getattr(network, "single_transformer_blocks", ())][-1]
    last.attn.to_q.register_forward_pre_hook(lambda *_: calls.append(1))
    editor.restore(as_batch(photograph(*SIZE[cls])), "haze", steps=6)
    assert 0 < len(calls) < 6


# Checkpoints
# ---------------------------------------------------------------------------------------------------------------------


def save(editor, folder):
    """The parts of ``editor`` as its pipeline saves them, Qwen2.5-VL with its language head."""
    for part in editor.classes:
        found = editor.network if part == "transformer" else editor.part(part)
        if isinstance(found, Qwen2_5_VLModel):
            whole = Qwen2_5_VLForConditionalGeneration(found.config)
            whole.model = found
            found = whole
        found.save_pretrained(folder / part)
    (folder / "model_index.json").write_text(json.dumps({"_class_name": editor.pipeline}))
    return folder


@pytest.mark.parametrize("cls", EDITORS)
def test_a_folder_of_the_pipeline_is_a_checkpoint(cls, tmp_path):
    image = as_batch(photograph(40, 70))
    original = tiny(cls)
    read = cls(preset="tiny", pixels=original.pixels, steps=3, seed=1, checkpoint=save(original, tmp_path / "a"))
    assert torch.equal(read.restore(image, "haze"), original.restore(image, "haze"))
    own, released = ({**editor.scheduler().config} for editor in (original, read))
    assert [released[name] for name in SHIFT] == [own[name] for name in SHIFT]
    read.save(tmp_path / "b")
    again = cls(checkpoint=tmp_path / "b")
    assert torch.equal(again.restore(image, "haze"), original.restore(image, "haze"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save(tiny(LongCatImageEdit), tmp_path_factory.mktemp("longcat"))


def test_a_repository_in_the_cache_is_a_checkpoint(folder, tmp_path, monkeypatch):
    repository = tmp_path / "models--owner--longcat"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0" * 40)
    (repository / "snapshots").mkdir()
    (repository / "snapshots" / ("0" * 40)).symlink_to(folder)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    read = LongCatImageEdit(preset="tiny", seed=1, checkpoint="owner/longcat")
    assert torch.equal(read.network.proj_out.weight, tiny(LongCatImageEdit).network.proj_out.weight)
    with pytest.raises(RRFrameError, match="owner/other is not there"):
        _ = LongCatImageEdit(checkpoint="owner/other").network


def copied(folder, to):
    shutil.copytree(folder, to)
    return to


def test_folders_that_are_not_the_pipelines_are_refused(folder, tmp_path):
    with pytest.raises(RRFrameError, match="is for LongCatImageEditPipeline, not for FluxKontextPipeline"):
        _ = FluxKontext(checkpoint=folder).network
    with pytest.raises(RRFrameError, match=r"holds no model_index\.json"):
        _ = FluxKontext(checkpoint=folder / "vae").network
    other = copied(folder, tmp_path / "a")
    shutil.rmtree(other / "vae")
    with pytest.raises(RRFrameError, match="there is no vae in"):
        LongCatImageEdit(checkpoint=other).part("vae")
    (other / "model_index.json").write_text("{")
    with pytest.raises(RRFrameError, match=r"model_index\.json cannot be read"):
        _ = LongCatImageEdit(checkpoint=other).network


def edited(folder, to, part, change):
    file = next((copied(folder, to) / part).glob("*.safetensors"))
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file, metadata={"format": "pt"})
    return to


@pytest.mark.parametrize("part", ["transformer", "vae", "text_encoder"])
def test_weights_that_do_not_fit_are_refused(folder, tmp_path, part):
    def read(checkpoint):
        editor = LongCatImageEdit(preset="tiny", checkpoint=checkpoint)
        return editor.network if part == "transformer" else editor.part(part)

    name = min(load_file(next((folder / part).glob("*.safetensors"))), key=lambda name: (".0." not in name, name))
    own = name.removeprefix("model.")  # as the network without its language head calls it
    missing = edited(folder, tmp_path / "a", part, lambda tensors: tensors.pop(name))
    with pytest.raises(RRFrameError, match=f"does not fit: missing: .*{own}"):
        read(missing)
    misshapen = edited(folder, tmp_path / "b", part, lambda tensors: tensors.update({name: torch.zeros(3)}))
    with pytest.raises(RRFrameError, match=f"does not fit: of another shape: .*{own} is 3, not"):
        read(misshapen)
    if part != "text_encoder":
        extra = edited(folder, tmp_path / "c", part, lambda tensors: tensors.update(more=torch.zeros(3)))
        with pytest.raises(RRFrameError, match="does not fit: extra: more"):
            read(extra)


@pytest.mark.parametrize("part", ["transformer", "text_encoder"])
def test_damaged_weights_and_pickles_are_refused(folder, tmp_path, part):
    def read(**params):
        editor = LongCatImageEdit(preset="tiny", checkpoint=other, **params)
        return editor.network if part == "transformer" else editor.part(part)

    other = copied(folder, tmp_path / "a")
    file = next((other / part).glob("*.safetensors"))
    pickled = file.with_name("pytorch_model.bin" if part == "text_encoder" else f"{file.stem}.bin")
    torch.save(load_file(file), pickled)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(RRFrameError, match="cannot be read as safetensors"):
        read()
    file.unlink()
    with pytest.raises(RRFrameError, match="is a pickle"):
        read()
    original = tiny(LongCatImageEdit)
    expected = (original.network if part == "transformer" else original.part(part)).state_dict()
    found = read(allow_pickle=True).state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
