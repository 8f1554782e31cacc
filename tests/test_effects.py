"""Effects: which chains apply to which images, with what settings, and how they replay."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from importlib.metadata import version

import jsonschema
import numpy as np
import pytest
import torch
from PIL import Image

import rrframe
from rrframe import Cues, Draw, Draws, RRFrameError
from rrframe.contracts.trying import image_key
from rrframe.recipe import load_recipe
from rrframe.recipe.schema import recipe_schema

NOISE = {"use": "noise/poisson-gaussian"}
JPEG = {"use": "compression/jpeg"}
HAZE = {"use": "haze/scattering"}
NESTED = [
    {
        "use": "effect/one_of",
        "params": {
            "options": [
                NOISE,
                [JPEG, {"use": "effect/repeat", "params": {"times": {"integers": [1, 3]}, "chain": [JPEG]}}],
                {"use": "effect/region", "params": {"area": 0.4, "chain": [NOISE, JPEG]}},
            ],
            "weights": [1, 2, 3],
        },
    },
    {"use": "effect/maybe", "id": "late", "params": {"p": 0.5, "chain": [HAZE]}},
]


def draws(effect, count, seed=0, severity=None):
    return [effect.draw(image_key(seed, index), severity) for index in range(count)]


def noise_images(count, side=24):
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0))


# Choosing
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_maybe_applies_to_its_share_and_leaves_the_rest_to_the_bit(p):
    effect = rrframe.load("effect/maybe", p=p, chain=[NOISE])
    applied = [bool(draw.steps) for draw in draws(effect, 1000)]
    assert np.mean(applied) == pytest.approx(p, abs=0.05)
    images = noise_images(40)
    done = effect.apply(images, Draws(draws(effect, 40)), Cues())
    for image, result, was in zip(images, done, applied, strict=False):
        assert torch.equal(image, result) != was


def test_one_of_takes_options_in_proportion_to_their_weights():
    effect = rrframe.load("effect/one_of", options=[NOISE, JPEG, HAZE], weights=[1, 2, 5])
    drawn = draws(effect, 4000)
    assert all(len(draw.steps) == 1 for draw in drawn)
    taken = Counter(draw.steps[0].values["chain"] for draw in drawn)
    shares = {name: count / 4000 for name, count in taken.items()}
    assert shares == pytest.approx(
        {"noise/poisson-gaussian": 1 / 8, "compression/jpeg": 2 / 8, "haze/scattering": 5 / 8}, abs=0.03
    )


@pytest.mark.parametrize("name", ["effect/one_of", "effect/some_of"])
def test_another_option_leaves_what_the_others_draw_alone(name):
    before = rrframe.load(name, options=[NOISE, JPEG])
    after = rrframe.load(name, options=[HAZE, NOISE, JPEG])
    changed = 0
    for one, other in zip(draws(before, 300), draws(after, 300), strict=True):
        known = {step.values["chain"]: step for step in one.steps}
        kept = [step for step in other.steps if step.values["chain"] != "haze/scattering"]
        assert all(known[step.values["chain"]] == step for step in kept)  # the same option with the same draw
        changed += len(kept) < len(known)
    assert 60 < changed < 240  # the newcomer takes some images, and only from these


def test_some_of_keeps_the_order_and_takes_each_once():
    effect = rrframe.load("effect/some_of", options=[HAZE, NOISE, JPEG], count={"integers": [0, 5]})
    order = list(effect.chains())
    counts = Counter()
    for draw in draws(effect, 300):
        names = [step.values["chain"] for step in draw.steps]
        assert names == sorted(set(names), key=order.index)
        assert len(names) == min(draw.values["count"], 3)
        counts[len(names)] += 1
    assert set(counts) == {0, 1, 2, 3}


def test_options_of_one_name_are_told_apart():
    effect = rrframe.load("effect/one_of", options=[JPEG, JPEG, [JPEG, JPEG]])
    assert list(effect.chains()) == ["compression/jpeg", "compression/jpeg#2", "compression/jpeg+compression/jpeg#2"]


def test_repetitions_draw_their_own_settings():
    effect = rrframe.load("effect/repeat", times=3, chain=[JPEG, NOISE])
    draw = effect.draw(image_key(0))
    assert len(draw.steps) == 3
    assert len({step.steps[1].values["shot"] for step in draw.steps}) == 3
    assert len({step.steps[1].seed for step in draw.steps}) == 3
    once = rrframe.load("effect/repeat", times=1, chain=[JPEG, NOISE]).draw(image_key(0))
    assert once.steps == draw.steps[:1]  # more of them leave the first as it was


def test_repeat_is_its_chain_again_and_again():
    effect = rrframe.load("effect/repeat", times=2, chain=[NOISE])
    images = noise_images(1)
    draw = effect.draw(image_key(0))
    expected = images
    for step in draw.steps:
        expected = effect.chain.apply(expected, [step], Cues(), effect.light)
    assert torch.equal(effect.apply(images, Draws([draw]), Cues()), expected)
    none = rrframe.load("effect/repeat", times=0, chain=[NOISE])
    assert torch.equal(none.apply(images, Draws(draws(none, 1)), Cues()), images)


# Nesting
# ---------------------------------------------------------------------------------------------------------------------


def nested():
    return rrframe.load("effect/repeat", times={"integers": [1, 2]}, chain=NESTED)


def test_a_batch_of_nested_effects_gives_what_its_images_give_alone():
    effect, images = nested(), noise_images(12)
    drawn = draws(effect, 12)
    cues = Cues({"depth": torch.linspace(5, 100, 24).view(1, 1, 24, 1).expand(12, 1, 24, 24)})
    together = effect.apply(images, Draws(drawn), cues)
    for index, draw in enumerate(drawn):
        alone = effect.apply(images[index : index + 1], Draws([draw]), cues.select([index]))
        assert torch.allclose(together[index], alone[0], atol=1e-5)


def test_nested_draws_survive_json_and_give_the_same_bytes():
    effect, images = nested(), noise_images(4)
    cues = Cues({"depth": torch.full((4, 1, 24, 24), 30.0)})
    drawn = draws(effect, 4)
    read = [Draw.model_validate(json.loads(json.dumps(draw.model_dump(mode="json")))) for draw in drawn]
    assert read == drawn
    assert torch.equal(effect.apply(images, Draws(drawn), cues), effect.apply(images, Draws(read), cues))


def test_severity_reaches_the_innermost_step():
    def shots(draw):
        return [draw.values["shot"]] if "shot" in draw.values else [x for step in draw.steps for x in shots(step)]

    effect = rrframe.load("effect/repeat", times=1, chain=[{"use": "effect/region", "params": {"chain": [NOISE]}}])
    mild, severe = (effect.draw(image_key(0), severity) for severity in (0.0, 1.0))
    assert shots(mild) == [0.0]
    assert shots(severe) == [0.012]


def test_needs_and_parts_and_light_are_those_of_what_it_holds():
    effect = nested()
    assert effect.needs() == {"depth"}
    names = [part.name for part in effect.parts()]
    assert names[0] == "effect/repeat"
    assert {"effect/one_of", "effect/region", "haze/scattering", "noise/poisson-gaussian"} <= set(names)
    assert effect.light == "linear"
    assert effect.category == "noise"
    assert rrframe.load("effect/maybe", chain=[JPEG]).light == "encoded"


# Recipes
# ---------------------------------------------------------------------------------------------------------------------


def written(tmp_path, chain):
    recipe = {
        "kind": "synthesis",
        "source": {"use": "images/samples"},
        "tasks": {"noise": {"chain": chain}},
    }
    path = tmp_path / "recipe.yaml"
    path.write_text(json.dumps(recipe))
    return path


def test_params_go_through_yaml_and_back(tmp_path):
    first = load_recipe(written(tmp_path, NESTED)).recipe.tasks["noise"].chain
    once = first.model_dump(mode="json")
    again = load_recipe(written(tmp_path, once)).recipe.tasks["noise"].chain
    assert again.model_dump(mode="json") == once
    assert again.draw(image_key(3)) == first.draw(image_key(3))
    assert again.ids == ("effect/one_of", "late")


def test_what_is_wrong_inside_keeps_its_place(tmp_path):
    bad = {"use": "compression/jpeg", "params": {"qualty": 3}}
    for options, place in (
        ([NOISE, bad], "options[1].params.qualty"),
        ([NOISE, [JPEG, bad]], "options[1][1].params.qualty"),
        ([NOISE, {"use": "compression/jpg"}], "options[1].use"),
    ):
        chain = [{"use": "effect/one_of", "params": {"options": options}}]
        with pytest.raises(RRFrameError) as caught:
            load_recipe(written(tmp_path, chain))
        assert f"tasks.noise.chain[0].params.{place} " in caught.value.render()


@pytest.mark.parametrize(
    ("name", "params", "said"),
    [
        ("effect/maybe", {"p": 1.5, "chain": [NOISE]}, "p"),
        ("effect/maybe", {"chain": []}, "at least 1"),
        ("effect/one_of", {"options": []}, "at least 1"),
        ("effect/one_of", {"options": [NOISE], "weights": [1, 2]}, "1 options need as many weights, not 2"),
        ("effect/one_of", {"options": [NOISE], "weights": [0]}, "greater than 0"),
        ("effect/repeat", {"times": -1, "chain": [NOISE]}, "below 0"),
        ("effect/region", {"area": 1.5, "chain": [NOISE]}, "above 1"),
        ("effect/region", {}, "'chain' is missing"),
    ],
)
def test_what_does_not_fit_is_refused(name, params, said):
    with pytest.raises(RRFrameError, match=said):
        rrframe.load(name, **params)


def test_the_schema_takes_what_loading_takes(tmp_path):
    validator = jsonschema.Draft202012Validator(recipe_schema("synthesis"))
    validator.check_schema(validator.schema)

    def errors(chain):
        return list(validator.iter_errors(json.loads(written(tmp_path, chain).read_text())))

    assert not errors(NESTED)
    assert not errors(load_recipe(written(tmp_path, NESTED)).recipe.tasks["noise"].chain.model_dump(mode="json"))
    assert errors([{"use": "effect/one_of", "params": {"options": [{"use": "compression/jpg"}]}}])
    assert errors([{"use": "effect/maybe", "params": {"p": 2, "chain": [NOISE]}}])
    assert errors([{"use": "effect/repeat"}])


@pytest.mark.slow
def test_degrade_and_replay_nested_effects(rrframe_cli, tmp_path, photo):
    Image.fromarray(photo[:200, :180]).save(tmp_path / "photo.png")
    chain = json.dumps([*NESTED, {"use": "effect/augment", "params": {"transform": "Perspective"}}])
    done = rrframe_cli(
        "degrade", "photo.png", "a.png", "--op", "effect/repeat", "-p", f"chain={chain}", "--record", "record.json"
    )
    assert done.returncode == 0, done.stderr
    versions = json.loads((tmp_path / "record.json").read_text())["versions"]
    assert versions == {"albumentations": version("albumentations"), "rrframe": version("rrframe")}
    again = rrframe_cli("replay", "photo.png", "record.json", "b.png")
    assert again.returncode == 0, again.stderr
    one, other = (np.asarray(Image.open(tmp_path / name)) for name in ("a.png", "b.png"))
    assert np.array_equal(one, other)
    assert not np.array_equal(one, photo[:200, :180])


# Transforms of other libraries
# ---------------------------------------------------------------------------------------------------------------------

TRANSFORMS = [
    ("albumentations", "GaussNoise", {}),
    ("albumentations", "MotionBlur", {"blur_limit": [5, 9]}),
    ("albumentations", "Perspective", {"scale": [0.1, 0.2]}),
    ("albumentations", "ElasticTransform", {"alpha": 60, "sigma": 8}),
    ("kornia", "RandomGaussianNoise", {"std": 0.2}),
    ("kornia", "RandomMotionBlur", {"kernel_size": 5, "angle": [0, 90], "direction": [-1, 1]}),
    ("kornia", "RandomPerspective", {"distortion_scale": 0.4}),
]
MOVING = {"Perspective", "ElasticTransform", "RandomPerspective"}


def augment(library, transform, settings=None):
    return rrframe.load("effect/augment", library=library, transform=transform, settings=settings or {})


@pytest.mark.parametrize(("library", "name", "params"), TRANSFORMS)
def test_a_transform_is_seeded_and_leaves_global_generators_alone(library, name, params):
    from rrframe.testing.watching import moved_by

    effect, images = augment(library, name, params), noise_images(3, side=32)
    drawn = draws(effect, 3)
    results = []
    assert moved_by(lambda: results.append(effect.apply(images, Draws(drawn), Cues()))) == []
    (done,) = results
    assert done.dtype == torch.float32
    assert not torch.equal(done, images)
    read = [Draw.model_validate_json(draw.model_dump_json()) for draw in drawn]
    assert torch.equal(done, augment(library, name, params).apply(images, Draws(read), Cues()))
    assert torch.equal(done[1:2], effect.apply(images[1:2], Draws(drawn[1:2]), Cues()))
    assert not torch.equal(done, effect.apply(images, Draws(draws(effect, 3, seed=9)), Cues()))


@pytest.mark.parametrize(("library", "name", "params"), TRANSFORMS)
def test_the_target_moves_with_the_image_and_only_then(library, name, params):
    effect = augment(library, name, params)
    assert effect.retargets() == (name in MOVING)
    clean = torch.linspace(0.2, 0.8, 96).view(1, 1, 1, 96).expand(1, 3, 96, 96).contiguous()
    degraded = 1 - clean  # another picture, so that what is drawn from pixels would show
    drawn = Draws(draws(effect, 1))
    target = effect.retarget(clean, drawn, Cues())
    if name not in MOVING:
        assert target is clean
        return
    moved = effect.apply(degraded, drawn, Cues())
    inside = effect.apply(torch.ones_like(clean), drawn, Cues()) > 0.999  # not what came in from beyond the border
    assert inside.float().mean() > 0.3
    assert torch.allclose((moved + target)[inside], torch.tensor(1.0), atol=0.01)
    assert not torch.allclose(target, clean, atol=0.05)


@pytest.mark.parametrize(
    ("library", "name", "params", "said"),
    [
        ("albumentations", "MotionBlr", {}, "did you mean .*MotionBlur"),
        ("albumentations", "Compose", {}, "does not take one image and give one"),
        ("albumentations", "CenterCrop3D", {}, "does not take one image and give one"),
        ("albumentations", "MotionBlur", {"blur": 3}, "no parameter 'blur'"),
        ("albumentations", "MotionBlur", {"blur_limit": "wide"}, "cannot be made from these settings"),
        ("albumentations", "Resize", {"height": 8, "width": 9}, "gives 9 x 8 for 24 x 24"),
        ("albumentations", "FromFloat", {}, "uint8"),
        ("kornia", "RandomGausianBlur", {}, "did you mean .*RandomGaussianBlur"),
        ("kornia", "RandomMosaic", {}, "does not take one image and give one"),
        ("kornia", "RandomCrop", {"size": [8, 9]}, "gives 9 x 8 for 24 x 24"),
        ("kornia", "RandomAffine", {}, "cannot be made from these settings"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_reason(library, name, params, said):
    effect = augment(library, name, params)
    with pytest.raises(RRFrameError, match=said):
        effect(np.zeros((24, 24, 3), np.uint8))


def test_a_missing_library_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "albumentations", None)
    effect = augment("albumentations", "GaussNoise")  # a recipe can be read without it
    with pytest.raises(RRFrameError, match=r"pip install 'rrframe\[augment\]'"):
        effect(np.zeros((8, 8, 3), np.uint8))


@pytest.mark.slow
def test_albumentations_asks_no_network(photo):
    script = """
import os, socket, sys
os.environ.pop("NO_ALBUMENTATIONS_UPDATE", None)
def refuse(*args, **kwargs):
    sys.exit("the network was asked")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
import numpy, rrframe
rrframe.load("effect/augment", transform="GaussNoise")(numpy.zeros((8, 8, 3), numpy.uint8))
print("done")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
