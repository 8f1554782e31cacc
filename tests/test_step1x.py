"""Step1X-Edit with tiny random weights: what it computes, against re-derivations, and the traps of its parts.

Nothing here says how well the published weights restore.
"""

from __future__ import annotations

import functools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import FluxTransformer2DModel
from PIL import Image
from rrframe_backbones.editing.latents import packed, places
from rrframe_backbones.editing.speed import Speed, cached
from rrframe_backbones.step1x import sizes
from rrframe_backbones.step1x.connector import Step1XConnector
from rrframe_backbones.step1x.pipeline import Step1XEditPipeline
from rrframe_backbones.step1x.processor import DROPPED
from rrframe_backbones.step1x.prompts import SLOTS, hidden_states
from rrframe_backbones.step1x.restorer import Step1XEdit
from rrframe_backbones.step1x.transformer import Step1XEditTransformer
from skimage import data
from torch.nn.functional import layer_norm, linear, silu

import rrframe
from rrframe import Pairs, RRFrameError
from rrframe.contracts.draw import Noise

CPU = torch.device("cpu")


@functools.cache
def tiny(**params):
    """One for all tests that do not change it."""
    return Step1XEdit(preset="tiny", **params)


def shaken(module):
    """Zero-initialised gates opened, so that every layer has its say."""
    generator = torch.Generator().manual_seed(7)
    for parameter in module.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * 0.3
    return module.double()


@functools.cache
def photograph(height=70, width=51):
    return torch.from_numpy(data.astronaut()[:height, :width].copy()).permute(2, 0, 1)[None].float() / 255


def watched(module, monkeypatch):
    """The keyword arguments of every call of ``module``."""
    calls = []
    forward = module.forward
    monkeypatch.setattr(
        module, "forward", lambda *args, **named: (calls.append((args, named)), forward(*args, **named))[1]
    )
    return calls


# The connector
# ---------------------------------------------------------------------------------------------------------------------


def connector_by_hand(weights, hidden, sigma, mask, heads):
    """The connector from the published names alone, a query at a time."""

    def layer(values, name):
        return linear(values, weights[f"{name}.weight"], weights[f"{name}.bias"])

    def norm(values, name):
        return layer_norm(values, values.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"], 1e-6)

    texts, pooled = [], []
    for row, level, real in zip(hidden, sigma, mask, strict=True):
        mean = row[real].mean(dim=0)
        scale = 1 + weights["scale_factor"] if "scale_factor" in weights else 1
        pooled.append(layer(mean * scale, "global_proj_out"))
        waves = torch.exp(-math.log(10_000) * torch.arange(128, dtype=torch.float64) / 128) * 1000 * level
        waves = torch.cat([torch.cos(waves), torch.sin(waves)])
        context = layer(silu(layer(waves, "S.t_embedder.mlp.0")), "S.t_embedder.mlp.2")
        context = context + layer(silu(layer(mean, "S.c_embedder.linear_1")), "S.c_embedder.linear_2")
        tokens = layer(row, "S.input_embedder")
        for number in range(2):
            block = f"S.individual_token_refiner.blocks.{number}"
            gates = layer(silu(context), f"{block}.adaLN_modulation.1").split(len(context))
            query, key, value = layer(norm(tokens, f"{block}.norm1"), f"{block}.self_attn_qkv").chunk(3, dim=-1)
            found = torch.zeros_like(query)
            size = query.shape[-1] // heads
            for head in range(heads):
                part = slice(head * size, (head + 1) * size)
                for place in range(len(row)):
                    seen = [other for other in range(len(row)) if other == 0 or (real[place] and real[other])]
                    scores = key[seen, part] @ query[place, part] / math.sqrt(size)
                    found[place, part] = scores.softmax(dim=0) @ value[seen, part]
            tokens = tokens + gates[0] * layer(found, f"{block}.self_attn_proj")
            inner = silu(layer(norm(tokens, f"{block}.norm2"), f"{block}.mlp.fc1"))
            tokens = tokens + gates[1] * layer(inner, f"{block}.mlp.fc2")
        texts.append(tokens)
    return torch.stack(texts), torch.stack(pooled)


@pytest.mark.parametrize("scaled", [False, True])
def test_the_connector_computes_what_its_published_names_say(scaled):
    connector = shaken(Step1XConnector(12, 16, 4, 2, 6, scaled=scaled))
    assert any("scale_factor" in name for name in connector.state_dict()) is scaled
    hidden, sigma = torch.randn(2, 7, 12, dtype=torch.float64), torch.tensor([0.9, 0.05], dtype=torch.float64)
    mask = torch.arange(7) < torch.tensor([[5], [7]])
    with torch.no_grad():
        text, pooled = connector(hidden, sigma, mask)
        expected = connector_by_hand(connector.state_dict(), hidden, sigma, mask, 4)
    assert (text - expected[0]).abs().max() < 1e-9
    assert (pooled - expected[1]).abs().max() < 1e-9


def test_the_published_connector_begins_with_closed_gates_and_its_scale():
    connector = Step1XConnector(12, 16, 4, 2, 6, scaled=True)
    assert connector.scale_factor.item() == pytest.approx(-0.91)
    hidden = torch.randn(1, 5, 12)
    text, _ = connector(hidden, torch.tensor([0.5]), torch.ones(1, 5, dtype=torch.bool))
    torch.testing.assert_close(text, connector.S.input_embedder(hidden))


def test_a_pooled_projection_stays_in_float32_to_the_bit(tmp_path):
    network = sizes.transformer("tiny", "v1.1")
    before = network.connector.global_proj_out.weight.detach().clone()
    network.to(torch.bfloat16)
    assert network.connector.S.input_embedder.weight.dtype == torch.bfloat16
    assert torch.equal(network.connector.global_proj_out.weight, before)
    network.save_pretrained(tmp_path)
    read = Step1XEditTransformer.from_pretrained(tmp_path, torch_dtype=torch.bfloat16)
    assert read.connector.S.input_embedder.weight.dtype == torch.bfloat16
    assert torch.equal(read.connector.global_proj_out.weight, before)
    assert tiny(dtype="bfloat16").network.connector.global_proj_out.weight.dtype == torch.float32


# The transformer
# ---------------------------------------------------------------------------------------------------------------------


def small_inputs(count=1, slots=9):
    generator = torch.Generator().manual_seed(3)
    mask = torch.arange(slots).expand(count, -1) < slots - 4
    return {
        "hidden_states": torch.randn(count, 8, 64, generator=generator, dtype=torch.float64),
        "encoder_hidden_states": torch.randn(count, slots, 32, generator=generator, dtype=torch.float64),
        "encoder_attention_mask": mask,
        "timestep": torch.full((count,), 0.7, dtype=torch.float64),
        "img_ids": torch.cat([places(4, 4), places(4, 4, 1.0)]),
        "txt_ids": torch.zeros(slots, 3),
    }


def test_the_transformer_is_flux_behind_the_connector_with_the_level_in_0_to_1():
    """A plain Flux transformer with the same weights, and the level times 1000 in its sinusoids."""
    network = shaken(sizes.transformer("tiny", "v1.1"))
    own = ("text_channels", "connector_heads")
    config = {name: value for name, value in sizes.TRANSFORMER["tiny"].items() if name not in own}
    plain = FluxTransformer2DModel(**config).double()
    plain.load_state_dict({n: t for n, t in network.state_dict().items() if not n.startswith("connector.")})
    seen = []
    plain.time_text_embed.time_proj.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    inputs = small_inputs()
    with torch.no_grad():
        found = network(**inputs, return_dict=False)[0]
        text, pooled = connector_by_hand(
            {n.removeprefix("connector."): t for n, t in network.state_dict().items()},
            inputs["encoder_hidden_states"],
            inputs["timestep"],
            inputs["encoder_attention_mask"],
            2,
        )
        expected = plain(
            hidden_states=inputs["hidden_states"],
            encoder_hidden_states=text,
            pooled_projections=pooled,
            timestep=inputs["timestep"],
            img_ids=inputs["img_ids"],
            txt_ids=inputs["txt_ids"],
            return_dict=False,
        )[0]
    assert (found - expected).abs().max() < 1e-6 * expected.abs().max()
    assert seen[0].tolist() == [700.0]


def test_the_mask_acts_in_the_connector_alone():
    """What lies in padded slots changes neither the pooled vector nor other tokens before the transformer, and does
    change what comes out of it: it attends to them all.
    """
    network = shaken(sizes.transformer("tiny", "v1.1"))
    inputs = small_inputs()
    other = dict(inputs, encoder_hidden_states=inputs["encoder_hidden_states"].clone())
    other["encoder_hidden_states"][:, -4:] += 1
    with torch.no_grad():
        told = [
            network.connector(one["encoder_hidden_states"], one["timestep"], one["encoder_attention_mask"])
            for one in (inputs, other)
        ]
        found = [network(**one, return_dict=False)[0] for one in (inputs, other)]
    assert torch.equal(told[0][1], told[1][1])
    assert torch.equal(told[0][0][:, :5], told[1][0][:, :5])
    assert (found[0] - found[1]).abs().max() > 1e-3


def test_full_size_is_the_published_count_of_parameters():
    with torch.device("meta"):
        network = sizes.transformer("full", "v1.1")
    assert sum(parameter.numel() for parameter in network.connector.parameters()) == 536_621_824
    assert sum(parameter.numel() for parameter in network.parameters()) == 12_427_800_384


def test_an_embedding_of_guidance_is_refused():
    with pytest.raises(ValueError, match="no embedding of guidance"):
        Step1XEditTransformer(**sizes.TRANSFORMER["tiny"], guidance_embeds=True)


def test_checkpointing_changes_no_gradient():
    network = sizes.transformer("tiny", "v1.1").double().train()
    gradients = []
    for checkpointing in (False, True):
        if checkpointing:
            network.enable_gradient_checkpointing()
        network.zero_grad()
        network(**small_inputs(), return_dict=False)[0].square().mean().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None]))
    torch.testing.assert_close(gradients[0], gradients[1])


@pytest.mark.parametrize(("cache", "full"), [("none", 8), ("first-block", 1), ("taylorseer", 5), ("magcache", 4)])
def test_caches_skip_blocks_and_leave_nothing_behind(cache, full):
    """How many of eight steps run the third single block; first-block has one and the same step to do eight times."""
    network = sizes.transformer("tiny", "v1.1").double()
    runs = []
    network.single_transformer_blocks[2].attn.to_q.register_forward_pre_hook(lambda module, args: runs.append(1))
    with torch.no_grad():
        exact = network(**small_inputs())[0]
        for _ in range(2):
            runs.clear()
            with cached(network, Speed(cache=cache), 8):
                for _ in range(8):
                    network(**small_inputs())
            assert len(runs) == full
        runs.clear()
        assert torch.equal(network(**small_inputs())[0], exact)
    assert len(runs) == 1


@pytest.mark.parametrize("speed", [{"fp8": True}, {"offload": "idle"}, {"offload": "group"}], ids=str)
def test_a_smaller_transformer_restores_nearly_the_same_and_is_not_trained(speed):
    restorer = Step1XEdit(preset="tiny", speed=speed)
    found, exact = (one.restore(photograph(), "haze", steps=1, guidance=1) for one in (restorer, tiny()))
    assert torch.equal(found, exact) is ("fp8" not in speed)
    assert (found - exact).abs().mean() < 0.02
    with pytest.raises(RRFrameError, match="cannot be trained"):
        restorer.loss({}, Noise([1], CPU))


def test_idle_networks_lie_in_main_memory(monkeypatch):
    """Nobody but the one that works is on the device: here one that notes where it is sent."""
    restorer = Step1XEdit(preset="tiny", speed={"offload": "idle"})
    sent = []
    for name, network in (("network", restorer.network), ("text_encoder", restorer.part("text_encoder"))):
        monkeypatch.setattr(network, "to", lambda place, name=name: sent.append((name, str(place))))
    monkeypatch.setattr(Step1XEdit, "torch_device", property(lambda self: torch.device("cuda")))
    restorer._bring("text_encoder")
    restorer._bring("network")
    assert sent == [("network", "cpu"), ("text_encoder", "cuda"), ("text_encoder", "cpu"), ("network", "cuda")]


def test_a_kernel_that_is_not_there_is_named():
    with pytest.raises(RRFrameError, match="speed cannot be set so here"):
        _ = Step1XEdit(preset="tiny", speed={"attention": "no-such-kernel"}).network


# What the language model is told
# ---------------------------------------------------------------------------------------------------------------------


def read(prompt, image=None):
    return tiny().part("processor")(image or Image.new("RGB", (64, 48), "grey"), prompt)


def text_of(ids):
    return tiny().part("processor").tokenizer.decode(ids)


def test_the_prompt_is_the_published_one_and_keeps_its_apostrophes():
    found = read("Don't blur the dog's 'ear'")
    processor = tiny().part("processor")
    ids = found["input_ids"][0].tolist()
    assert text_of(ids[: processor.dropped]) == DROPPED
    kept = text_of(ids[processor.dropped :]).replace("<|image_pad|>", "")
    assert kept == (
        ":Picture 1: <|vision_start|><|vision_end|>Don't blur the dog's 'ear'<|im_end|>\n<|im_start|>assistant\n"
    )
    plain = processor.tokenizer("Don't blur the dog's 'ear'", add_special_tokens=False)["input_ids"]
    assert " ".join(map(str, plain)) in " ".join(map(str, ids))
    assert len(DROPPED) > 1000
    assert DROPPED.endswith("\nUser Prompt")


def test_text_in_double_quotes_is_spelt_out_and_an_open_quote_is_not():
    tokenizer = tiny().part("processor").tokenizer
    tail = tokenizer("<|im_end|>\n<|im_start|>assistant\n", add_special_tokens=False)["input_ids"]
    after_image = tokenizer.convert_tokens_to_ids("<|vision_end|>")

    def prompt_of(prompt):
        ids = read(prompt)["input_ids"][0].tolist()
        return ids[ids.index(after_image) + 1 : -len(tail)]

    def tokens(text):
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    spelt = prompt_of('say "with" it')
    letters = [number for letter in "with" for number in tokens(letter)]
    assert spelt == tokens('say "') + letters + tokens('" it')
    assert tokens('say "with" it') != spelt  # the tokenizer knows "with" as a word
    assert prompt_of("say “with” it") == spelt
    assert prompt_of('a 5" disk') == tokens('a 5" disk')


@pytest.mark.parametrize("size", [(64, 48), (1024, 1024), (1360, 768), (640, 32)])
def test_the_language_model_sees_256_to_324_squares(size):
    found = read("x", Image.new("RGB", size))
    squares = int(found["image_grid_thw"].prod()) // 4
    assert 256 <= squares <= 324 or max(size) > 10 * min(size)
    assert found["mm_token_type_ids"].sum() == squares
    assert found["attention_mask"].all()


def test_the_language_model_places_the_picture_in_rows_and_columns(monkeypatch):
    calls = watched(tiny().part("text_encoder").language_model, monkeypatch)
    hidden_states(tiny().part("processor"), tiny().part("text_encoder"), photograph(), ["x"])
    rows, columns = calls[0][1]["position_ids"][-2:, 0]
    assert len(set(zip(rows.tolist(), columns.tolist(), strict=True))) > len(set(rows.tolist()))


def test_hidden_states_fill_640_slots_and_need_no_language_head():
    from transformers import Qwen2_5_VLForConditionalGeneration

    processor, encoder = tiny().part("processor"), tiny().part("text_encoder")
    hidden, mask = hidden_states(processor, encoder, photograph(), ["Please dehaze the image"])
    count = int(mask.sum())
    assert hidden.shape == (1, SLOTS, encoder.config.text_config.hidden_size)
    assert mask[0, :count].all()
    assert not hidden[0, count:].any()
    assert hidden[0, :count].abs().sum(dim=-1).min() > 0
    ids = processor(Image.fromarray((photograph()[0] * 255).byte().permute(1, 2, 0).numpy()), "Please dehaze the image")
    assert count == ids["input_ids"].shape[1] - processor.dropped
    whole = Qwen2_5_VLForConditionalGeneration(encoder.config).eval()
    whole.model.load_state_dict(encoder.state_dict())
    whole.lm_head.register_forward_pre_hook(lambda module, args: pytest.fail("the language head was called"))
    with torch.no_grad():
        torch.testing.assert_close(
            hidden_states(processor, whole, photograph(), ["Please dehaze the image"])[0], hidden
        )
    long = hidden_states(processor, encoder, photograph(), ["word " * 900])
    assert long[0].shape == (1, SLOTS, 32)
    assert long[1].all()


def test_trimming_the_text_would_change_the_picture():
    restorer = tiny()
    told = restorer.condition(photograph(64, 48), ["Please dehaze the image"])
    used = int(told["mask"].sum())
    latents, references = torch.randn(2, 1, 16, 8, 6).unbind(0)
    level = torch.tensor([0.8])
    with torch.no_grad():
        whole = restorer.velocity(latents, level, references, told)
        trimmed = restorer.velocity(
            latents, level, references, {name: tensor[:, :used] for name, tensor in told.items()}
        )
    assert (whole - trimmed).abs().max() > 1e-3


def test_a_picture_longer_than_the_language_model_takes_is_refused():
    with pytest.raises(RRFrameError, match="200 times as long as wide"):
        hidden_states(None, None, torch.zeros(1, 3, 16, 16 * 201), ["x"])


# Restoring
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "reference"), [("v1.0", 0.0), ("v1.1", 1.0)])
def test_the_reference_follows_the_picture_at_its_own_place(version, reference, monkeypatch):
    restorer = Step1XEdit(preset="tiny", version=version)
    assert (restorer.network.connector.scale_factor is not None) is (version == "v1.0")
    assert restorer.network.reference_id == reference
    calls = watched(restorer.network, monkeypatch)
    latents, references = torch.randn(2, 1, 16, 4, 6).unbind(0)
    told = {"hidden": torch.randn(1, 12, 32), "mask": torch.ones(1, 12, dtype=torch.bool)}
    with torch.no_grad():
        restorer.velocity(latents, torch.tensor([0.4]), references, told)
    named = calls[0][1]
    assert torch.equal(named["hidden_states"], torch.cat([packed(latents), packed(references)], dim=1))
    assert torch.equal(named["img_ids"][:6, 1:], named["img_ids"][6:, 1:])
    assert named["img_ids"][:6, 0].tolist() == [0.0] * 6
    assert named["img_ids"][6:, 0].tolist() == [reference] * 6
    assert not named["txt_ids"].any()
    assert named["timestep"].tolist() == pytest.approx([0.4])


def test_what_comes_out_is_of_the_picture_and_not_of_the_reference(monkeypatch):
    restorer = Step1XEdit(preset="tiny")
    tokens = torch.arange(12.0).view(1, 12, 1).expand(1, 12, 64)
    monkeypatch.setattr(restorer.network, "forward", lambda **named: (tokens,))
    found = restorer.velocity(*torch.zeros(1, 1, 16, 4, 6), torch.zeros(1), torch.zeros(1, 16, 4, 6), told())
    assert packed(found)[0, :, 0].tolist() == [0, 1, 2, 3, 4, 5]


def told(count=1):
    return {"hidden": torch.randn(count, 12, 32), "mask": torch.ones(count, 12, dtype=torch.bool)}


@pytest.mark.parametrize(("guidance", "batch"), [(3.0, 4), (1.0, 2), (-1, 2), (0.0, 2)])
def test_guidance_runs_in_one_batch_and_can_be_off(guidance, batch, monkeypatch):
    restorer = tiny()
    calls = watched(restorer.network, monkeypatch)
    restorer.restore(photograph().expand(2, -1, -1, -1), "haze", guidance=guidance, steps=3)
    assert [len(named["hidden_states"]) for _, named in calls] == [batch] * 3
    levels = [named["timestep"] for _, named in calls]
    assert all(float(level.min()) > 0 and float(level.max()) <= 1 for level in levels)
    assert all(len(set(level.tolist())) == 1 for level in levels)


def test_the_negative_prompt_is_empty_and_sees_the_same_picture(monkeypatch):
    restorer = tiny()
    calls = []
    hidden = restorer.condition
    monkeypatch.setattr(
        Step1XEdit,
        "condition",
        lambda self, images, prompts: (calls.append((images, prompts)), hidden(images, prompts))[1],
    )
    restorer.restore(photograph(), "haze", steps=1)
    restorer.restore(photograph(), "haze", prompt='Make it "red"', steps=1, guidance=1)
    assert [prompts for _, prompts in calls] == [["Please dehaze the image"], [""], ['Make it "red"']]
    assert torch.equal(calls[0][0], calls[1][0])


def test_each_image_of_a_batch_starts_from_the_same_noise():
    both = tiny().restore(photograph().expand(2, -1, -1, -1), "haze", seed=5)
    assert torch.equal(both[0], both[1])
    other = tiny().restore(photograph(), "haze", seed=6)
    assert (other - both[:1]).abs().max() > 0.01


def test_a_network_that_knows_the_way_gets_there(monkeypatch):
    """Sampling follows the very velocity that training teaches, from noise to the picture."""
    restorer, picture = tiny(), photograph(64, 64)
    with torch.no_grad():
        target = restorer.to_latents(picture)

    def velocity(self, latents, sigma, references, conditioning):
        return (latents - target) / sigma.view(-1, 1, 1, 1)

    monkeypatch.setattr(Step1XEdit, "velocity", velocity)
    with torch.no_grad():
        expected = restorer.to_images(target)
        torch.testing.assert_close(restorer.restore(picture, "haze", steps=5), expected, atol=1e-5, rtol=0)


def test_a_photograph_of_odd_size_comes_back_at_its_size():
    picture = Image.fromarray(data.astronaut()[:211, :333])
    restored = rrframe.load("backbone/step1x-edit", preset="tiny")(picture, "rain", seed=1)
    assert restored.size == (333, 211)
    assert np.asarray(restored).std() > 0


def test_a_task_has_a_prompt_in_two_languages():
    assert tiny().prompt("moire") == "Please remove the moiré patterns from the image"
    assert tiny(language="zh").prompt("haze") == "请将图像去雾。"
    with pytest.raises(RRFrameError, match="haze") as caught:
        tiny().prompt("hase")
    assert "did you mean" in caught.value.render()


# Training
# ---------------------------------------------------------------------------------------------------------------------


def test_training_from_a_cache_loads_no_frozen_part():
    pairs = Pairs(photograph(64, 64), photograph(64, 64).flip(-1), ("haze",))
    batch = tiny().encode(pairs)
    trained = Step1XEdit(preset="tiny")
    loss = trained.loss(batch, Noise([3], CPU))
    assert trained._parts == {}
    assert torch.equal(loss, tiny().loss(batch, Noise([3], CPU)))


def test_the_loss_is_the_error_of_the_velocity_at_shifted_levels(monkeypatch):
    restorer = Step1XEdit(preset="tiny", timesteps="uniform")
    clean = torch.randn(64, 16, 4, 4)
    seen = []

    def velocity(self, latents, sigma, references, conditioning):
        seen.append((latents, sigma))
        return torch.zeros_like(latents) if len(seen) == 1 else (latents - clean) / sigma.view(-1, 1, 1, 1)

    monkeypatch.setattr(Step1XEdit, "velocity", velocity)
    batch = {"latents": clean, "references": torch.zeros_like(clean), **told(64)}
    loss = restorer.loss(batch, Noise(list(range(64)), CPU))
    noisy, sigma = seen[0]
    level = sigma.view(-1, 1, 1, 1)
    noise = (noisy - (1 - level) * clean) / level
    torch.testing.assert_close(loss, (noise - clean).square().mean((1, 2, 3)), rtol=1e-3, atol=1e-3)
    assert restorer.loss(batch, Noise(list(range(64)), CPU)).max() < 1e-6  # noise less picture is what is right
    mu = 0.5 + (4 - 256) / 3840 * 0.65
    shares = 1 / (1 + math.exp(mu) * (1 / sigma.double() - 1))
    assert 0.4 < shares.mean() < 0.6  # uniform before the shift
    assert 0.2 < shares.std() < 0.36


def test_over_fitting_eight_pairs_lowers_the_loss():
    clean = torch.stack([photograph(64, 64)[0].roll(8 * index, -1) for index in range(8)])
    pairs = Pairs((clean * 0.5 + 0.3), clean, ("haze", "rain") * 4)
    restorer = Step1XEdit(preset="tiny", seed=1)
    batch = {
        name: tensor[:, :64] if name in ("hidden", "mask") else tensor  # a tenth of the slots, for a tenth of the time
        for name, tensor in restorer.encode(pairs).items()
    }
    optimizer = torch.optim.AdamW(restorer.trainable().train().parameters(), lr=2e-3)
    losses = []
    for _ in range(12):
        loss = restorer.loss(batch, Noise(list(range(8)), CPU)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]


def test_what_was_first_used_to_restore_can_be_trained():
    restorer = Step1XEdit(preset="tiny")
    restorer(photograph(), "haze", steps=1)
    restorer.loss(
        {"latents": torch.randn(1, 16, 4, 4), "references": torch.randn(1, 16, 4, 4), **told()}, Noise([1], CPU)
    ).sum().backward()
    assert restorer.network.x_embedder.weight.grad is not None


# Files
# ---------------------------------------------------------------------------------------------------------------------


def test_a_pipeline_is_saved_and_read_and_restores_the_same(tmp_path):
    restorer = tiny()
    expected = restorer.restore(photograph(), "haze", seed=3)
    Step1XEditPipeline.of(restorer).save_pretrained(tmp_path)
    pipeline = Step1XEditPipeline.from_pretrained(tmp_path)
    found = pipeline(photograph(), "Please dehaze the image", num_inference_steps=2, seed=3, pixels=64 * 64)
    assert torch.equal(found, expected)
    opened = Step1XEdit(preset="tiny", seed=9, checkpoint=tmp_path)
    assert torch.equal(opened.restore(photograph(), "haze", seed=3), expected)


def test_trained_weights_go_with_the_frozen_parts_that_they_were_trained_beside(tmp_path):
    published, first, second = (tmp_path / name for name in ("published", "first", "second"))
    Step1XEditPipeline.of(Step1XEdit(preset="tiny", seed=4)).save_pretrained(published)
    restorer = Step1XEdit(preset="tiny", checkpoint=published)
    restorer.network.proj_out.weight.data += 0.1
    restorer.save(first)
    again = Step1XEdit(checkpoint=first)
    assert again.preset == "tiny"
    again.network.proj_out.weight.data += 0.1
    again.save(second)
    last = Step1XEdit(checkpoint=second)
    assert last.published() == Path(published)
    assert torch.equal(last.network.proj_out.weight, again.network.proj_out.weight)
    expected = restorer.part("vae").state_dict()
    assert all(torch.equal(expected[name], tensor) for name, tensor in last.part("vae").state_dict().items())


def test_a_part_that_is_not_there_is_named(tmp_path):
    Step1XEditPipeline.of(tiny()).save_pretrained(tmp_path)
    (tmp_path / "vae").rename(tmp_path / "elsewhere")
    with pytest.raises(RRFrameError, match="there is no vae with") as caught:
        Step1XEdit(preset="tiny", checkpoint=tmp_path).part("vae")
    assert "-p vae=" in caught.value.render()
    Step1XEdit(preset="tiny", checkpoint=tmp_path, vae=tmp_path / "elsewhere").part("vae")
