"""The layouts that checkpoints of Step1X-Edit come in, and what is where in each.

Which one it is, is read from the names of files and of tensors:

* the bundle of RealRestorer: a folder with ``transformer/`` and ``vae/``, whose tensors are prefixed ``inner_model.``,
  ``text_encoder/`` and ``processor/``;
* a raw file, such as ``step1x-edit-v1p1-official.safetensors``, or the folder it lies in, with ``vae.safetensors`` and
  the folder of Qwen2.5-VL beside it;
* ``Step1X-Edit-v1p1-diffusers``: folders as in the bundle, the names of diffusers' Flux transformer but for
  ``time_embed`` and ``vec_embed``, and the connector;
* tensor-parallel shards, a file each: ``TP*.safetensors`` or ``TP*.pt``, whose tensors may be prefixed ``module.`` or
  ``model.``;
* a folder that ``Step1XEditPipeline.save_pretrained`` or ``Backbone.save`` of this plugin wrote.

Weights of v1.0 have ``connector.scale_factor``, those of v1.1 have not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from torch import nn

from rrframe import RRFrameError
from rrframe.contracts.backbone import DESCRIPTION
from rrframe.contracts.weights import is_pickle, misfits, weight_files
from rrframe_backbones.step1x.autoencoder_keys import PUBLISHED_AUTOENCODER
from rrframe_backbones.step1x.keys import PUBLISHED, RELEASED, SAME, UNUSED, Naming
from rrframe_backbones.step1x.stored import Stored, Table, fill, joined, table_in, table_of

Version = Literal["v1.0", "v1.1"]

TITLES = {
    "bundle": "the bundle of RealRestorer",
    "raw": "a raw file of Step1X-Edit",
    "diffusers": "Step1X-Edit-v1p1-diffusers",
    "shards": "tensor-parallel shards",
    "pipeline": "a saved pipeline",
    "saved": "saved by training",
}
SCALE_FACTOR = "connector.scale_factor"
_PREFIXES = re.compile(r"(module\.)?(model\.)?(inner_model\.)?")
_AUTOENCODERS = ("vae.safetensors", "ae.safetensors", "FLUX.1-dev/ae.safetensors", "FLUX.1-dev/vae.safetensors", "vae")
_ENCODERS = ("text_encoder", "Qwen2.5-VL-7B-Instruct", "qwen25vl-7b-instruct")
_NO_WEIGHTS = re.compile(r".*_OPT\.pt|.*\.meta\.pt|data\.pt")  # what training leaves beside its shards


@dataclass(frozen=True)
class Part:
    """The weights of one network, in their files.

    Args:
        path: Where they lie, for messages.
        layout: One of ``TITLES``.
        shards: Tables by the names in the files, prefixes left out; several only for tensor-parallel shards.
        naming: How those names and diffusers' are had from each other.
    """

    path: Path
    layout: str
    shards: tuple[Table, ...]
    naming: Naming

    @property
    def version(self) -> Version:
        """What a transformer's weights are of."""
        return "v1.0" if any(SCALE_FACTOR in shard for shard in self.shards) else "v1.1"

    def fitted(self, network: nn.Module, **context: Any) -> dict[str, Stored]:
        """The tensors by the names in ``network``, which may lie on the meta device.

        Raises:
            RRFrameError: Some are missing, extra or of another shape: all that is wrong, together, by their names in
                the files, with the layout.
        """
        wanted = self.naming.encode(table_of(network))
        found = _merged(self.shards, wanted)
        problems = misfits({name: stored.shape for name, stored in wanted.items()}, found)
        if problems:
            version = _mismatch(wanted, found)
            raise RRFrameError(
                f"{self.path} does not fit (read as {TITLES[self.layout]}): {problems}", hint=version, **context
            )
        return self.naming.decode(found)

    def fill(self, network: nn.Module, **context: Any) -> None:
        """Put the tensors into ``network``; on the meta device it takes them in the dtypes they have.

        Raises:
            RRFrameError: As for ``fitted``.
        """
        fill(network, self.fitted(network, **context))


@dataclass(frozen=True)
class Parts:
    """What a checkpoint has, and where.

    Args:
        transformer: Its weights.
        vae: Those of the autoencoder; ``None`` where it has none.
        text_encoder: The folder of Qwen2.5-VL's configuration and weights; ``None`` where it has none.
        processor: The folder of its processor.
    """

    transformer: Part
    vae: Part | None
    text_encoder: Path | None
    processor: Path | None

    @property
    def paths(self) -> list[Path]:
        """Where the parts lie."""
        lie = [self.transformer.path, self.vae and self.vae.path, self.text_encoder, self.processor]
        return [path for path in lie if path]

    @property
    def layout(self) -> str:
        return self.transformer.layout

    @property
    def version(self) -> Version:
        return self.transformer.version


def open_parts(
    path: Path, *, vae: Path | None = None, text_encoder: Path | None = None, allow_pickle: bool = False, **context: Any
) -> Parts:
    """What lies at ``path``. Headers are read, and no tensor.

    Args:
        path: A checkpoint in any layout of this module.
        vae: The autoencoder, where it lies elsewhere: a file, or a folder.
        text_encoder: The folder of Qwen2.5-VL, where it lies elsewhere, or of a bundle that has it.
        allow_pickle: Read pickles too, with ``weights_only=True``.
        context: What an ``RRFrameError`` takes, such as ``component``.

    Raises:
        RRFrameError: It is in no known layout, a file is damaged, or a pickle without ``allow_pickle``.
    """
    if not path.exists():
        raise RRFrameError(f"{path} is not there", **context)
    if vae and not vae.exists():
        raise RRFrameError(f"{vae} is not there", **context)
    transformer = _transformer(path, allow_pickle, context)
    if transformer.layout == "saved":
        began = _begun(path, context)
        path, vae, text_encoder = (
            began["checkpoint"] or path,
            vae or began["vae"],
            text_encoder or began["text_encoder"],
        )
    beside = path if path.is_dir() else path.parent
    vae = vae or _first(beside, _AUTOENCODERS)
    if text_encoder and not (_first(text_encoder, _ENCODERS) or (text_encoder / "config.json").is_file()):
        raise RRFrameError(f"{text_encoder} holds no Qwen2.5-VL: there is no config.json", **context)
    encoder = _first(text_encoder or beside, _ENCODERS) or text_encoder
    processor = _first(text_encoder or beside, ("processor",)) or encoder
    return Parts(transformer, _autoencoder(vae, allow_pickle, context) if vae else None, encoder, processor)


def _transformer(path: Path, allow_pickle: bool, context: Mapping[str, Any]) -> Part:
    if (path / DESCRIPTION).is_file():
        table = table_in(weight_files(path, **context), allow_pickle=allow_pickle, **context)
        return Part(path, "saved", (table,), SAME)
    if (path / "transformer").is_dir():
        return _of_pipeline(path / "transformer", allow_pickle, context)
    files = _weights_in(path) if path.is_dir() else [path]
    if shards := sorted((file for file in files if file.name.startswith("TP")), key=_natural):
        tables = tuple(_stripped(table_in([file], allow_pickle=allow_pickle, **context)) for file in shards)
        if not any(map(_is_published, tables)):
            raise _unknown(path, tables, context)
        return Part(path, "shards", tuple(map(_used, tables)), PUBLISHED)
    return _of_raw(path, files, allow_pickle, context)


def _of_pipeline(folder: Path, allow_pickle: bool, context: Mapping[str, Any]) -> Part:
    table = table_in(weight_files(folder, **context), allow_pickle=allow_pickle, **context)
    stripped = _stripped(table)
    if _is_published(stripped):
        return Part(folder, "bundle", (_used(stripped),), PUBLISHED)
    if any(name.startswith(("time_embed.", "vec_embed.")) for name in table):
        return Part(folder, "diffusers", (table,), RELEASED)
    if any(name.startswith("transformer_blocks.") for name in table):
        return Part(folder, "pipeline", (table,), SAME)
    raise _unknown(folder, (table,), context)


def _of_raw(path: Path, files: Sequence[Path], allow_pickle: bool, context: Mapping[str, Any]) -> Part:
    tables = {file: _stripped(table_in([file], allow_pickle=allow_pickle, **context)) for file in files}
    found = {file: table for file, table in tables.items() if _is_published(table)}
    if not found:
        raise _unknown(path, tuple(tables.values()), context)
    if len(found) > 1 and len({name for table in found.values() for name in table}) < sum(map(len, found.values())):
        raise RRFrameError(
            f"{path} holds several transformers: {', '.join(file.name for file in found)}",
            hint="name the file instead of its folder",
            **context,
        )
    whole = {name: stored for table in found.values() for name, stored in table.items()}
    return Part(path, "raw", (_used(whole),), PUBLISHED)


def _autoencoder(path: Path, allow_pickle: bool, context: Mapping[str, Any]) -> Part:
    table = _stripped(table_in(weight_files(path, **context), allow_pickle=allow_pickle, **context))
    published = any(".mid.block_" in name for name in table)
    layout = ("bundle" if published else "pipeline") if path.is_dir() else "raw"
    return Part(path, layout, (table,), PUBLISHED_AUTOENCODER if published else SAME)


def _merged(shards: Sequence[Table], wanted: Table) -> dict[str, Stored]:
    """One table of tensor-parallel ``shards``.

    The files do not say how a tensor was split. As in the released loader of RealRestorer, one that has the wanted
    shape in the first shard is taken from there, being the same in all; any other is joined along the first dimension
    that gives the wanted shape. What cannot give it stays as it is in the first.
    """
    names = dict.fromkeys(name for shard in shards for name in shard)
    return {name: _whole([shard[name] for shard in shards if name in shard], wanted.get(name)) for name in names}


def _whole(parts: Sequence[Stored], wanted: Stored | None) -> Stored:
    if wanted is None or len(parts) == 1 or parts[0].shape == wanted.shape:
        return parts[0]
    if len({len(part.shape) for part in parts}) > 1:
        return parts[0]
    for dim in range(len(parts[0].shape)):
        others = {(*part.shape[:dim], *part.shape[dim + 1 :]) for part in parts}
        whole = joined(parts, dim)
        if len(others) == 1 and whole.shape == wanted.shape:
            return whole
    return parts[0]


def _mismatch(wanted: Table, found: Table) -> str | None:
    """What to do where the versions differ."""
    if (SCALE_FACTOR in wanted) == (SCALE_FACTOR in found):
        return None
    version = "v1.0" if SCALE_FACTOR in found else "v1.1"
    return f"these are weights of {version}: set version to {version}"


def _is_published(table: Table) -> bool:
    return any(name.startswith(("double_blocks.", "single_blocks.")) for name in table)


def _stripped(table: Table) -> dict[str, Stored]:
    return {_PREFIXES.sub("", name, count=1): stored for name, stored in table.items()}


def _used(table: Table) -> dict[str, Stored]:
    return {name: stored for name, stored in table.items() if name != UNUSED}


def _begun(path: Path, context: Mapping[str, Any]) -> dict[str, Path | None]:
    """Where the other parts of the weights saved at ``path`` lie: where they did when training began.

    Raises:
        RRFrameError: Only some of the weights were saved, or nothing tells.
    """
    try:
        described = json.loads((path / DESCRIPTION).read_text())
        params = {name: described["params"].get(name) for name in ("checkpoint", "vae", "text_encoder")}
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise RRFrameError(f"{path / DESCRIPTION} cannot be read: {error}", **context) from error
    if not described.get("whole"):
        raise RRFrameError(f"{path} holds only the part of the weights that was trained", **context)
    return {name: Path(value) if value else None for name, value in params.items()}


def _weights_in(folder: Path) -> list[Path]:
    """Files of weights in ``folder``: safetensors, or pickles where there are none."""
    files = sorted(file for file in folder.iterdir() if file.suffix == ".safetensors" or is_pickle(file))
    files = [file for file in files if not _NO_WEIGHTS.fullmatch(file.name)]
    return [file for file in files if not is_pickle(file)] or files


def _first(folder: Path, names: Sequence[str]) -> Path | None:
    return next((folder / name for name in names if (folder / name).exists()), None)


def _natural(file: Path) -> list[tuple[int, str]]:
    """TP10 after TP9."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", file.name)]


def _unknown(path: Path, tables: Sequence[Table], context: Mapping[str, Any]) -> RRFrameError:
    seen = [name for table in tables for name in table][:3]
    return RRFrameError(
        f"{path} is no checkpoint of Step1X-Edit in a known layout"
        + (f": it has {', '.join(seen)} and the like" if seen else ": it has no weights"),
        hint="known are " + ", ".join(list(TITLES.values())[:4]),
        **context,
    )
