"""Checkpoints of Step1X-Edit: each layout is read to the same tensors, and written back byte by byte."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from diffusers import AutoencoderKL
from rrframe_backbones.step1x import sizes
from rrframe_backbones.step1x.autoencoder_keys import autoencoder_to_diffusers, autoencoder_to_published
from rrframe_backbones.step1x.keys import to_diffusers, to_published
from rrframe_backbones.step1x.layouts import open_parts
from rrframe_backbones.step1x.pipeline import Step1XEditPipeline
from rrframe_backbones.step1x.restorer import Step1XEdit
from rrframe_backbones.step1x.stored import Stored, Table
from rrframe_backbones.step1x.transformer import Step1XEditTransformer
from rrframe_backbones.step1x.writing import planned
from safetensors.torch import load_file, save_file
from step1x_published import Autoencoder, Sizes, Transformer, Weights, autoencoder_weights, transformer_weights

from rrframe import RRFrameError

SIZES = Sizes()


def dit(version: str = "v1.1", *, device: str = "meta") -> Step1XEditTransformer:
    with torch.device(device):
        return Step1XEditTransformer(
            in_channels=SIZES.channels,
            num_layers=SIZES.double,
            num_single_layers=SIZES.single,
            attention_head_dim=SIZES.hidden // SIZES.heads,
            num_attention_heads=SIZES.heads,
            joint_attention_dim=SIZES.text,
            pooled_projection_dim=SIZES.pooled,
            axes_dims_rope=SIZES.axes,
            text_channels=SIZES.language,
            connector_heads=2,
            version=version,
        )


def vae(*, device: str = "meta") -> AutoencoderKL:
    with torch.device(device):
        return AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * len(SIZES.widths),
            up_block_types=("UpDecoderBlock2D",) * len(SIZES.widths),
            block_out_channels=SIZES.widths,
            layers_per_block=SIZES.blocks,
            norm_num_groups=SIZES.groups,
            latent_channels=SIZES.latent,
            scaling_factor=0.3611,
            shift_factor=0.1159,
            use_quant_conv=False,
            use_post_quant_conv=False,
        )


def tiny() -> Sizes:
    """The sizes of the preset, which the command knows."""
    with torch.device("meta"):
        network, autoencoder = sizes.transformer("tiny", "v1.1").config, sizes.autoencoder("tiny").config
    return Sizes(
        channels=network.in_channels,
        hidden=network.num_attention_heads * network.attention_head_dim,
        heads=network.num_attention_heads,
        double=network.num_layers,
        single=network.num_single_layers,
        text=network.joint_attention_dim,
        pooled=network.pooled_projection_dim,
        language=network.text_channels,
        axes=network.axes_dims_rope,
        widths=autoencoder.block_out_channels,
        blocks=autoencoder.layers_per_block,
        latent=autoencoder.latent_channels,
        groups=autoencoder.norm_num_groups,
    )


def table(weights: Weights) -> dict[str, Stored]:
    return {name: Stored(tensor.shape, tensor.dtype, tensor.clone) for name, tensor in weights.items()}


def read(found: Table) -> Weights:
    return {name: stored.read() for name, stored in found.items()}


def assert_same(one: Weights, other: Weights) -> None:
    """To the bit, dtypes included."""
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert tensor.dtype == other[name].dtype, name
        assert torch.equal(tensor, other[name]), name


# What the weights compute
# --------------------------------------------------------------------------------------------------------------------


def test_the_mapped_weights_compute_what_the_published_transformer_does() -> None:
    weights = {name: tensor.double() for name, tensor in transformer_weights(SIZES).items()}
    network = dit(device="cpu").double()
    network.load_state_dict(read(to_diffusers(table(weights))))
    generator = torch.Generator().manual_seed(2)
    image, text, pooled = (
        torch.randn(shape, generator=generator, dtype=torch.float64)
        for shape in ((2, 12, SIZES.channels), (2, 5, SIZES.text), (2, SIZES.pooled))
    )
    sigma = torch.tensor([0.3, 0.96], dtype=torch.float64)
    places = torch.stack(torch.meshgrid(torch.arange(2), torch.arange(2), torch.arange(3), indexing="ij"), -1)
    places = places.reshape(12, 3).double()
    text_places = torch.zeros(5, 3, dtype=torch.float64)
    expected = Transformer(SIZES, weights)(image, text, torch.cat([text_places, places]), sigma, pooled)
    with torch.no_grad():
        # the connector is left out: what Flux's own transformer does with what a connector gives
        given = super(Step1XEditTransformer, network).forward(
            image, text, pooled, sigma, places, text_places, return_dict=False
        )[0]
    assert expected.abs().max() > 0.1
    assert (given - expected).abs().max() < 1e-6


def test_the_mapped_weights_compute_what_the_published_autoencoder_does() -> None:
    weights = {name: tensor.double() for name, tensor in autoencoder_weights(SIZES).items()}
    network = vae(device="cpu").double()
    network.load_state_dict(read(autoencoder_to_diffusers(table(weights))))
    image = torch.randn(1, 3, 16, 32, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    published = Autoencoder(SIZES, weights)
    moments = published.encode(image)
    with torch.no_grad():
        posterior = network.encode(image).latent_dist
        assert (posterior.parameters - moments).abs().max() < 1e-9
        latent = moments.chunk(2, 1)[0]
        assert (network.decode(latent).sample - published.decode(latent)).abs().max() < 1e-9


def test_both_maps_are_exact_both_ways() -> None:
    weights = transformer_weights(SIZES, version="v1.0")
    assert_same(read(to_published(to_diffusers(table(weights)))), weights)
    weights = autoencoder_weights(SIZES)
    assert_same(read(autoencoder_to_published(autoencoder_to_diffusers(table(weights)))), weights)


def test_the_halves_of_the_last_modulation_change_places() -> None:
    weights = transformer_weights(SIZES)
    shift, scale = weights["final_layer.adaLN_modulation.1.bias"].chunk(2)
    assert torch.equal(to_diffusers(table(weights))["norm_out.linear.bias"].read(), torch.cat([scale, shift]))


# Reading
# --------------------------------------------------------------------------------------------------------------------


def write_qwen(folder: Path) -> None:
    """Files with the names of Qwen2.5-VL's; what is in them is not read here."""
    folder.mkdir(parents=True)
    for name in ("config.json", "generation_config.json", "preprocessor_config.json", "tokenizer.json", "vocab.json"):
        (folder / name).write_text(json.dumps({"name": name}))
    (folder / "merges.txt").write_text("a b\n")
    save_file({"embed": torch.zeros(2)}, folder / "model.safetensors")


def write_raw(folder: Path, weights: Weights, of: Sizes = SIZES) -> Path:
    folder.mkdir()
    save_file(weights, folder / "step1x-edit-v1p1-official.safetensors")
    save_file(autoencoder_weights(of), folder / "vae.safetensors")
    write_qwen(folder / "Qwen2.5-VL-7B-Instruct")
    return folder


def write_bundle(folder: Path, weights: Weights) -> Path:
    for name, tensors in {"transformer": weights, "vae": autoencoder_weights(SIZES)}.items():
        (folder / name).mkdir(parents=True)
        inner = {f"inner_model.{key}": tensor for key, tensor in tensors.items()}
        save_file(inner, folder / name / "diffusion_pytorch_model.safetensors")
    for name in ("text_encoder", "processor"):
        write_qwen(folder / name)
    (folder / "model_index.json").write_text("{}")
    return folder


def write_shards(folder: Path, weights: Weights, *, ranks: int = 2, prefix: str = "module.") -> Path:
    """Split as Megatron does: the first projection of a pair by its outputs, the second by its inputs; the rest is
    the same in each.
    """
    folder.mkdir()
    for rank in range(ranks):
        save_file(
            {prefix + name: _of_rank(name, tensor, rank, ranks) for name, tensor in weights.items()},
            folder / f"TP{rank}.safetensors",
        )
    return folder


def _of_rank(name: str, tensor: torch.Tensor, rank: int, ranks: int) -> torch.Tensor:
    stem, _, kind = name.rpartition(".")
    if stem.endswith(("_attn.qkv", "_mlp.0", "linear1")):
        return tensor.chunk(ranks, 0)[rank].contiguous()
    if stem.endswith(("_attn.proj", "_mlp.2", "linear2")) and kind == "weight":
        return tensor.chunk(ranks, 1)[rank].contiguous()
    return tensor


def write_released(folder: Path, weights: Weights) -> Path:
    parts = open_parts(write_raw(folder.with_name(folder.name + "-raw"), weights))
    folder.mkdir()
    planned(parts, "diffusers", dit(), vae()).write(folder)
    return folder


WRITERS = {"raw": write_raw, "bundle": write_bundle, "shards": write_shards, "diffusers": write_released}


@pytest.mark.parametrize("layout", WRITERS)
def test_every_layout_is_told_and_holds_the_same_tensors(layout: str, tmp_path: Path) -> None:
    weights = transformer_weights(SIZES)
    parts = open_parts(WRITERS[layout](tmp_path / "checkpoint", weights))
    assert (parts.layout, parts.version) == (layout, "v1.1")
    found = parts.transformer.fitted(dit())
    assert_same(read(found), read(to_diffusers(table(weights))))
    assert found["connector.global_proj_out.weight"].dtype == torch.float32
    if layout == "shards":
        assert parts.vae is None
        assert parts.text_encoder is None
    else:
        assert_same(read(parts.vae.fitted(vae())), read(autoencoder_to_diffusers(table(autoencoder_weights(SIZES)))))
        assert (parts.text_encoder / "config.json").is_file()
        assert (parts.processor / "preprocessor_config.json").is_file()


@pytest.mark.parametrize("layout", ["raw", "bundle", "shards"])
def test_v10_is_told_by_its_scale_factor(layout: str, tmp_path: Path) -> None:
    weights = transformer_weights(SIZES, version="v1.0")
    parts = open_parts(WRITERS[layout](tmp_path / "checkpoint", weights))
    assert parts.version == "v1.0"
    found = parts.transformer.fitted(dit("v1.0"))
    assert torch.equal(found["connector.scale_factor"].read(), weights["connector.scale_factor"])


@pytest.mark.parametrize("layout", ["raw", "bundle", "shards"])
def test_the_mask_token_that_nothing_reads_is_left_out(layout: str, tmp_path: Path) -> None:
    weights = transformer_weights(SIZES) | {"mask_token": torch.zeros(1, 1, SIZES.hidden)}
    found = open_parts(WRITERS[layout](tmp_path / "checkpoint", weights)).transformer.fitted(dit())
    assert found.keys() == dit().state_dict().keys()


@pytest.mark.parametrize("prefix", ["", "module.", "model.", "module.model."])
def test_prefixes_of_training_are_left_out(prefix: str, tmp_path: Path) -> None:
    folder = write_shards(tmp_path / "shards", transformer_weights(SIZES), prefix=prefix)
    assert open_parts(folder).transformer.fitted(dit()).keys() == dit().state_dict().keys()


def test_shards_are_joined_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    weights = transformer_weights(SIZES)
    folder = write_shards(tmp_path / "shards", weights, ranks=16)  # TP10 comes after TP9
    assert_same(read(open_parts(folder).transformer.fitted(dit())), read(to_diffusers(table(weights))))


def test_a_raw_file_is_told_from_the_other_one_beside_it(tmp_path: Path) -> None:
    folder = write_raw(tmp_path / "raw", transformer_weights(SIZES))
    save_file(transformer_weights(SIZES, version="v1.0"), folder / "step1x-edit-i1258.safetensors")
    with pytest.raises(RRFrameError, match="several transformers: step1x-edit-i1258"):
        open_parts(folder)
    assert open_parts(folder / "step1x-edit-i1258.safetensors").version == "v1.0"


def test_opening_reads_no_tensor(tmp_path: Path) -> None:
    """As 64 GB that are a hole in a file."""
    size = 64_000_000_000
    entry = {"dtype": "BF16", "shape": [size // 64, 32], "data_offsets": [0, size]}
    header = json.dumps({"double_blocks.0.img_attn.qkv.weight": entry}).encode()
    file = tmp_path / "huge.safetensors"
    with open(file, "wb") as writing:
        writing.write(struct.pack("<Q", len(header)) + header)
        writing.truncate(8 + len(header) + size)
    before = psutil.Process().memory_info().rss
    parts = open_parts(file)
    with pytest.raises(RRFrameError, match="weight is 1000000000 x 32, not 96 x 32"):
        parts.transformer.fitted(dit())
    assert psutil.Process().memory_info().rss - before < 500e6


# Bad input
# --------------------------------------------------------------------------------------------------------------------


def problem_with(path: Path, network: Any = None, **settings: Any) -> str:
    with pytest.raises(RRFrameError) as caught:
        open_parts(path, **settings).transformer.fitted(network or dit())
    return str(caught.value)


def test_one_error_tells_all_that_does_not_fit_by_its_name_in_the_file(tmp_path: Path) -> None:
    weights = transformer_weights(SIZES)
    del weights["img_in.bias"]
    weights["guidance_in.in_layer.bias"] = torch.zeros(3)
    weights["double_blocks.1.img_attn.qkv.weight"] = torch.zeros(90, SIZES.hidden)
    said = problem_with(write_bundle(tmp_path / "bundle", weights))
    assert "read as the bundle of RealRestorer" in said
    assert "missing: img_in.bias" in said
    assert "extra: guidance_in.in_layer.bias" in said
    assert "of another shape: double_blocks.1.img_attn.qkv.weight is 90 x 32, not 96 x 32" in said


@pytest.mark.parametrize(("found", "wanted"), [("v1.0", "v1.1"), ("v1.1", "v1.0")])
def test_the_wrong_version_is_told(found: str, wanted: str, tmp_path: Path) -> None:
    said = problem_with(write_raw(tmp_path / "raw", transformer_weights(SIZES, version=found)), dit(wanted))
    assert "connector.scale_factor" in said
    assert f"these are weights of {found}: set version to {found}" in said


def test_shards_that_cannot_be_joined_are_told(tmp_path: Path) -> None:
    folder = write_shards(tmp_path / "shards", transformer_weights(SIZES), ranks=4)
    (folder / "TP3.safetensors").unlink()
    said = problem_with(folder)
    assert "read as tensor-parallel shards" in said
    assert "double_blocks.0.img_attn.qkv.weight is 24 x 32, not 96 x 32" in said
    assert "connector" not in said  # the same in each shard


def test_a_truncated_file_is_told(tmp_path: Path) -> None:
    folder = write_raw(tmp_path / "raw", transformer_weights(SIZES))
    file = folder / "step1x-edit-v1p1-official.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    said = problem_with(folder)
    assert file.name in said
    assert "cut short" in said


@pytest.mark.parametrize("content", [{}, {"weights.safetensors": {"conv.weight": torch.zeros(2)}}, {"notes.txt": None}])
def test_what_is_no_checkpoint_is_told_with_what_would_be(content: dict[str, Any], tmp_path: Path) -> None:
    for name, tensors in content.items():
        save_file(tensors, tmp_path / name) if tensors else (tmp_path / name).write_text("none")
    said = problem_with(tmp_path)
    assert "no checkpoint of Step1X-Edit in a known layout" in said
    assert "tensor-parallel shards" in said


def test_a_pickle_is_read_only_when_allowed(tmp_path: Path) -> None:
    weights = transformer_weights(SIZES)
    (tmp_path / "shards").mkdir()
    torch.save({"model": weights}, tmp_path / "shards" / "TP0.pt")
    torch.save({"step": 3}, tmp_path / "shards" / "TP0_OPT.pt")
    assert "is a pickle" in problem_with(tmp_path / "shards")
    parts = open_parts(tmp_path / "shards", allow_pickle=True)
    assert_same(read(parts.transformer.fitted(dit())), read(to_diffusers(table(weights))))


class Opens:
    """A file that it is unpickled from would make one."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return open, (str(self.path), "w")


def test_a_pickle_that_runs_code_is_refused_even_then(tmp_path: Path) -> None:
    torch.save({"double_blocks.0.x": Opens(tmp_path / "ran")}, tmp_path / "model.pt")
    assert "holds more than weights" in problem_with(tmp_path / "model.pt", allow_pickle=True)
    assert not (tmp_path / "ran").exists()


# Writing
# --------------------------------------------------------------------------------------------------------------------


def written(folder: Path) -> Weights:
    return {name: tensor for file in sorted(folder.glob("*.safetensors")) for name, tensor in load_file(file).items()}


@pytest.mark.parametrize("version", ["v1.0", "v1.1"])
def test_a_bundle_comes_back_byte_by_byte(version: str, tmp_path: Path) -> None:
    weights = transformer_weights(SIZES, version=version)
    bundle = write_bundle(tmp_path / "bundle", weights)
    (tmp_path / "out").mkdir()
    planned(open_parts(bundle), "bundle", dit(version), vae()).write(tmp_path / "out")
    for part in ("transformer", "vae"):
        assert_same(written(tmp_path / "out" / part), written(bundle / part))
        modes = {path.stat().st_mode for path in (tmp_path / "out" / part).iterdir()}
        assert len(modes) == 1  # who may read the configuration may read the weights
    assert json.loads((tmp_path / "out" / "transformer" / "config.json").read_text())["version"] == version


@pytest.mark.parametrize("layout", WRITERS)
def test_every_layout_becomes_the_same_bundle(layout: str, tmp_path: Path) -> None:
    weights = transformer_weights(SIZES)
    raw = write_raw(tmp_path / "raw", weights)
    beside = {"vae": raw / "vae.safetensors", "text_encoder": raw / "Qwen2.5-VL-7B-Instruct"}
    parts = open_parts(WRITERS[layout](tmp_path / "checkpoint", weights), **(beside if layout == "shards" else {}))
    (tmp_path / "out").mkdir()
    planned(parts, "bundle", dit(), vae()).write(tmp_path / "out")
    expected = write_bundle(tmp_path / "expected", weights)
    for part in ("transformer", "vae"):
        assert_same(written(tmp_path / "out" / part), written(expected / part))


def test_large_weights_are_written_in_several_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rrframe_backbones.step1x import writing

    monkeypatch.setattr(writing, "_LARGEST", 100_000)
    bundle = write_bundle(tmp_path / "bundle", transformer_weights(SIZES))
    (tmp_path / "out").mkdir()
    count = 0

    def wrote(bytes_: int) -> None:
        nonlocal count
        count += bytes_

    plan = planned(open_parts(bundle), "bundle", dit(), vae())
    plan.write(tmp_path / "out", wrote)
    assert count == sum(plan.sizes().values())
    index = json.loads((tmp_path / "out/transformer/diffusion_pytorch_model.safetensors.index.json").read_text())
    assert len(set(index["weight_map"].values())) > 2
    assert_same(written(tmp_path / "out" / "transformer"), written(bundle / "transformer"))


def test_v10_has_no_place_in_the_layout_of_diffusers(tmp_path: Path) -> None:
    parts = open_parts(write_raw(tmp_path / "raw", transformer_weights(SIZES, version="v1.0")))
    with pytest.raises(RRFrameError, match="no place for"):
        planned(parts, "diffusers", dit("v1.0"), vae())


# rrframe convert
# --------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return write_raw(tmp_path / "raw", transformer_weights(tiny()), tiny())


@pytest.mark.slow
def test_convert_writes_a_bundle_whole(rrframe_cli: Any, raw: Path, tmp_path: Path) -> None:
    done = rrframe_cli("convert", raw, "bundle", "--to", "bundle", "--preset", "tiny")
    assert done.returncode == 0, done.stderr
    assert "a raw file of Step1X-Edit, v1.1" in done.stdout
    bundle = tmp_path / "bundle"
    assert open_parts(bundle).layout == "bundle"
    files = {folder: {path.name for path in (bundle / folder).iterdir()} for folder in ("text_encoder", "processor")}
    assert files["text_encoder"] == {"config.json", "generation_config.json", "model.safetensors"}
    assert files["processor"] == {"preprocessor_config.json", "tokenizer.json", "vocab.json", "merges.txt"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle", "raw"]


@pytest.fixture
def convert(raw: Path, tmp_path: Path) -> Callable[..., str]:
    """What ``rrframe convert`` says when it fails, without a process."""
    from rrframe_backbones.step1x.command import convert as command

    def run(*arguments: object) -> str:
        given = arguments or (raw, tmp_path / "out")
        with pytest.raises(RRFrameError) as caught:
            command.main([*map(str, given), "--to", "bundle", "--preset", "tiny"], standalone_mode=False)
        return str(caught.value)

    return run


def test_a_dry_run_writes_nothing(raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from rrframe_backbones.step1x.command import convert as command

    arguments = [str(raw), str(tmp_path / "out"), "--to", "diffusers", "--preset", "tiny", "--dry-run"]
    command.main(arguments, standalone_mode=False)
    said = capsys.readouterr().out
    assert "transformer:" in said
    assert "would write" in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw"]


def test_convert_replaces_a_checkpoint_only_when_told(convert: Any, raw: Path, tmp_path: Path) -> None:
    from rrframe_backbones.step1x.command import convert as command

    out = write_bundle(tmp_path / "out", transformer_weights(SIZES))
    (out / "old").write_text("old")
    assert "is there already" in convert(raw, out)
    assert (out / "old").exists()
    command.main([str(raw), str(out), "--to", "bundle", "--preset", "tiny", "--force"], standalone_mode=False)
    assert not (out / "old").exists()
    assert_same(*(read(open_parts(path).transformer.shards[0]) for path in (out, raw)))


def test_convert_replaces_only_checkpoints(convert: Any, raw: Path, tmp_path: Path) -> None:
    (tmp_path / "photographs").mkdir()
    assert "--force replaces nothing else" in convert(raw, tmp_path / "photographs", "--force")
    assert "is read, and lies in" in convert(raw, raw, "--force")
    assert "is read, and lies in" in convert(raw, tmp_path, "--force")
    assert raw.is_dir()


def test_convert_checks_the_disk_first(convert: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10, 9, 1))
    assert "are needed in" in convert()
    assert not (tmp_path / "out").exists()


def test_convert_says_what_is_not_there(convert: Any, tmp_path: Path) -> None:
    shards = write_shards(tmp_path / "shards", transformer_weights(SIZES))
    said = convert(shards, tmp_path / "out")
    assert "comes without vae and text_encoder and processor" in said
    assert "--vae" in said


def test_nothing_stays_of_a_conversion_that_failed(raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rrframe_backbones.step1x import writing
    from rrframe_backbones.step1x.command import convert as command

    old = write_bundle(tmp_path / "out", transformer_weights(SIZES, seed=9))
    before = written(old / "transformer")
    monkeypatch.setattr(writing, "_copy", lambda *arguments: 1 / 0)
    arguments = [str(raw), str(old), "--to", "bundle", "--preset", "tiny", "--force"]
    with pytest.raises(ZeroDivisionError):
        command.main(arguments, standalone_mode=False)
    assert_same(written(old / "transformer"), before)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "raw"]


def test_what_a_killed_conversion_left_is_removed(tmp_path: Path) -> None:
    from rrframe_backbones.step1x.writing import beside

    done = subprocess.Popen(["true"])
    done.wait()
    left, alive = tmp_path / f".out.{done.pid}.tmp", tmp_path / f".out.{os.getppid()}.tmp"
    left.mkdir()
    alive.mkdir()
    with beside(tmp_path / "out") as folder:
        (folder / "file").write_text("written")
    assert not left.exists()
    assert alive.exists()
    assert (tmp_path / "out" / "file").read_text() == "written"


# Restoring
# --------------------------------------------------------------------------------------------------------------------


def write_like(layout: str, folder: Path, pipeline: Path, version: str) -> dict[str, Path]:
    """The tiny pipeline at ``pipeline`` in another layout: the params of the backbone that say where it lies."""
    with torch.device("meta"):
        networks = sizes.transformer("tiny", version), sizes.autoencoder("tiny")
    parts = open_parts(pipeline)
    if layout in ("bundle", "diffusers"):
        folder.mkdir()
        planned(parts, layout, *networks).write(folder)
        return {"checkpoint": folder}
    weights = read(to_published(parts.transformer.fitted(networks[0])))
    if layout == "shards":
        return {
            "checkpoint": write_shards(folder, weights),
            "vae": pipeline / "vae",
            "text_encoder": pipeline,
        }
    folder.mkdir()
    save_file(weights, folder / "step1x-edit.safetensors")
    save_file(read(autoencoder_to_published(parts.vae.fitted(networks[1]))), folder / "vae.safetensors")
    for part in ("processor", "text_encoder"):
        shutil.copytree(pipeline / part, folder / "Qwen2.5-VL-7B-Instruct", dirs_exist_ok=True)
    return {"checkpoint": folder / "step1x-edit.safetensors"}


@pytest.mark.slow
@pytest.mark.parametrize("version", ["v1.0", "v1.1"])
def test_every_layout_restores_the_same_pixels(version: str, tmp_path: Path, photo: np.ndarray) -> None:
    image = photo[100:170, 100:190]
    given = Step1XEdit(preset="tiny", version=version, steps=2, seed=5)
    Step1XEditPipeline.of(given).save_pretrained(tmp_path / "pipeline")
    expected = given(image, "haze")
    for layout in ("bundle", "raw", "shards") + (("diffusers",) if version == "v1.1" else ()):
        where = write_like(layout, tmp_path / layout, tmp_path / "pipeline", version)
        restorer = Step1XEdit(preset="tiny", version=version, steps=2, **where)
        assert np.array_equal(restorer(image, "haze"), expected), layout


@pytest.mark.slow
def test_trained_weights_become_a_bundle(tmp_path: Path, photo: np.ndarray) -> None:
    from rrframe_backbones.step1x.command import convert as command

    began = Step1XEdit(preset="tiny", seed=5)
    Step1XEditPipeline.of(began).save_pretrained(tmp_path / "pipeline")
    trained = Step1XEdit(preset="tiny", steps=2, checkpoint=tmp_path / "pipeline")
    with torch.no_grad():
        trained.network.proj_out.weight += 1
    trained.save(tmp_path / "trained")
    arguments = [str(tmp_path / "trained"), str(tmp_path / "bundle"), "--to", "bundle", "--preset", "tiny"]
    command.main(arguments, standalone_mode=False)
    again = Step1XEdit(preset="tiny", steps=2, checkpoint=tmp_path / "bundle")
    assert np.array_equal(again(photo[:64, :64], "rain"), trained(photo[:64, :64], "rain"))
    assert not np.array_equal(again(photo[:64, :64], "rain"), began(photo[:64, :64], "rain", steps=2))
