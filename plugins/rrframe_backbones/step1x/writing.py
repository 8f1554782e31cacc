"""Writing a checkpoint in a published layout, byte by byte what was read."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psutil
from torch import nn

from rrframe import RRFrameError
from rrframe_backbones.step1x.autoencoder_keys import autoencoder_to_published
from rrframe_backbones.step1x.configs import bundle_files, released_files
from rrframe_backbones.step1x.keys import to_published, to_released
from rrframe_backbones.step1x.layouts import Parts
from rrframe_backbones.step1x.stored import Stored, Table

Layout = Literal["bundle", "diffusers"]

_LARGEST = 5_000_000_000  # bytes of a file of weights, which is what is in memory while one is written
_PIECE = 16 << 20  # bytes copied at a time
_MODEL = ("config.json", "generation_config.json", "*.safetensors", "*.safetensors.index.json")


@dataclass(frozen=True)
class Checkpoint:
    """A folder to write.

    Args:
        tables: Tensors of each sub-folder, by the names that they get there.
        texts: JSON files by their path in the folder.
        copies: Where each other file comes from, by its path in the folder.
    """

    tables: Mapping[str, Table]
    texts: Mapping[str, Any]
    copies: Mapping[str, Path]

    def sizes(self) -> dict[str, int]:
        """Bytes of each sub-folder, but for the small files."""
        sizes = {name: sum(stored.bytes for stored in table.values()) for name, table in self.tables.items()}
        for name, source in self.copies.items():
            folder = name.partition("/")[0]
            sizes[folder] = sizes.get(folder, 0) + source.stat().st_size
        return sizes

    def write(self, folder: Path, wrote: Callable[[int], None] = lambda count: None) -> None:
        """Write it into ``folder``, which is there and empty; ``wrote`` is told of bytes as they are written."""
        for name in {*self.tables, *(path.rpartition("/")[0] for path in (*self.texts, *self.copies))}:
            (folder / name).mkdir(exist_ok=True)
        for name, text in self.texts.items():
            (folder / name).write_text(json.dumps(text, indent=2) + "\n")
        for name, table in self.tables.items():
            _write_table(table, folder / name, wrote)
            for file in (folder / name).glob("*.safetensors"):  # which the library lets none but their owner read
                shutil.copymode(folder / "model_index.json", file)
        for name, source in self.copies.items():
            _copy(source, folder / name, wrote)


def planned(parts: Parts, layout: Layout, transformer: nn.Module, vae: nn.Module, **context: Any) -> Checkpoint:
    """The checkpoint at ``parts`` in another layout.

    Args:
        parts: What was opened.
        layout: ``bundle``, that of RealRestorer, or ``diffusers``, that of Step1X-Edit-v1p1-diffusers.
        transformer: A ``Step1XEditTransformer`` of the same version and sizes; it may lie on the meta device.
        vae: An ``AutoencoderKL`` of the same sizes, likewise.
        context: What an ``RRFrameError`` takes.

    Raises:
        RRFrameError: A part is not there, does not fit, or has no place in that layout.
    """
    if parts.vae is None or parts.text_encoder is None or parts.processor is None:
        gone = [name for name in ("vae", "text_encoder", "processor") if getattr(parts, name) is None]
        raise RRFrameError(
            f"{parts.transformer.path} comes without {' and '.join(gone)}",
            hint="say where they lie: --vae FILE --text-encoder FOLDER",
            **context,
        )
    if layout == "diffusers" and parts.version == "v1.0":
        raise RRFrameError(
            "weights of v1.0 have a scale factor that this layout has no place for: its readers know v1.1 only",
            hint="--to bundle",
            **context,
        )
    dit, autoencoder = parts.transformer.fitted(transformer, **context), parts.vae.fitted(vae, **context)
    copies = _copies(parts.text_encoder, parts.processor)
    if layout == "bundle":
        tables = {"transformer": _inner(to_published(dit)), "vae": _inner(autoencoder_to_published(autoencoder))}
        return Checkpoint(tables, bundle_files(transformer.config, vae.config, parts.version), copies)
    tables = {"transformer": to_released(dit), "vae": autoencoder}
    return Checkpoint(tables, released_files(transformer.config, vae.config), copies)


@contextmanager
def beside(out: Path) -> Iterator[Path]:
    """An empty folder beside ``out`` that takes its place when all went well; else nothing of it stays."""
    out.parent.mkdir(parents=True, exist_ok=True)
    for leftover in out.parent.glob(f".{out.name}.*.tmp"):
        number = leftover.name.split(".")[-2]
        if number.isdecimal() and not psutil.pid_exists(int(number)):  # its writer was killed
            shutil.rmtree(leftover)
    folder = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    folder.mkdir()
    try:
        yield folder
        for file in folder.rglob("*"):
            _sync(file)
        _take_place(folder, out)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _take_place(folder: Path, out: Path) -> None:
    if not out.exists():
        folder.rename(out)
        return
    replaced = folder.with_suffix(".old")
    out.rename(replaced)
    try:
        folder.rename(out)
    except OSError:
        replaced.rename(out)
        raise
    shutil.rmtree(replaced)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _inner(table: Table) -> dict[str, Stored]:
    return {f"inner_model.{name}": stored for name, stored in table.items()}


def _copies(text_encoder: Path, processor: Path) -> dict[str, Path]:
    """The files of Qwen2.5-VL, from one folder or from two, as the two of a pipeline."""
    model = {file for pattern in _MODEL for file in text_encoder.glob(pattern)}
    others = {file for pattern in ("*.json", "*.txt", "*.jinja") for file in processor.glob(pattern)}
    named = [("text_encoder", file) for file in sorted(model)]
    named += [("processor", file) for file in sorted(others - model)]
    return {f"{folder}/{file.name}": file for folder, file in named}


def _write_table(table: Table, folder: Path, wrote: Callable[[int], None]) -> None:
    from huggingface_hub import split_state_dict_into_shards_factory
    from safetensors.torch import save_file

    split = split_state_dict_into_shards_factory(
        dict(table),
        get_storage_size=lambda stored: stored.bytes,
        filename_pattern="diffusion_pytorch_model{suffix}.safetensors",
        max_shard_size=_LARGEST,
    )
    for file, names in split.filename_to_tensors.items():
        tensors = {}
        for name in names:
            tensors[name] = table[name].read().contiguous()
            wrote(table[name].bytes)
        save_file(tensors, folder / file, metadata={"format": "pt"})
    if split.is_sharded:
        index = {"metadata": split.metadata, "weight_map": split.tensor_to_filename}
        (folder / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")


def _copy(source: Path, target: Path, wrote: Callable[[int], None]) -> None:
    with open(source, "rb") as reading, open(target, "wb") as writing:
        while piece := reading.read(_PIECE):
            writing.write(piece)
            wrote(len(piece))
