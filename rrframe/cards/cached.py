"""Which of a card's files are on this machine, and where: in the cache of huggingface_hub."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

from rrframe.cards.loading import model_cards
from rrframe.cards.models import PICKLES, ModelCard
from rrframe.errors import RRFrameError

_WEIGHTS = PICKLES | {".safetensors"}


def cache_folder(card: ModelCard) -> Path:
    """Where huggingface_hub keeps the repository of ``card``; for files with addresses of their own, a folder beside
    its repositories.
    """
    from huggingface_hub import constants

    if card.hub is None:
        return Path(constants.HF_HOME) / "rrframe" / card.name
    return Path(constants.HF_HUB_CACHE) / f"models--{card.hub.repo.replace('/', '--')}"


def snapshot(card: ModelCard) -> Path | None:
    """The folder with the card's files by their names, or ``None`` if none has been fetched."""
    home = cache_folder(card)
    if card.hub is None:
        return home if home.is_dir() else None
    reference = home / "refs" / card.hub.revision
    commit = reference.read_text().strip() if reference.is_file() else card.hub.revision
    folder = home / "snapshots" / commit
    return folder if folder.is_dir() else None


def missing(card: ModelCard, folder: Path) -> list[str]:
    """The files of ``card`` that ``folder`` lacks: those it names, patterns of weights that match none, and what an
    index of shards names.
    """
    there = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    wanted = [file.path for file in card.files if not file.is_pattern and file.path not in there]
    wanted += [
        file.path
        for file in card.files
        if file.is_pattern
        and PurePosixPath(file.path).suffix in _WEIGHTS
        and not any(fnmatch(name, file.path) for name in there)
    ]
    return wanted + [shard for shard in _shards(folder, there) if shard not in there]


def state(card: ModelCard) -> str:
    """``yes``, ``partly`` or ``no``: whether the files of ``card`` are on this machine."""
    folder = snapshot(card)
    if folder is None or not card.can_be_fetched:
        return "no"
    return "partly" if missing(card, folder) else "yes"


def located(checkpoint: Path, **context: Any) -> Path:
    """``checkpoint`` if it is there; if it is the name of a card instead, where the card's weights lie.

    Args:
        checkpoint: A file, a folder, or the name of a card, such as ``realrestorer``.
        context: What an ``RRFrameError`` takes, such as ``component``.

    Raises:
        RRFrameError: It is the name of a card whose files are not on this machine, with the command that fetches them.
    """
    if not is_card(checkpoint):
        return checkpoint
    card = model_cards()[str(checkpoint)]
    folder = snapshot(card)
    lacking = [file.path for file in card.files] if folder is None else missing(card, folder)
    if folder is None or lacking or not card.can_be_fetched:
        fetches = f"rrframe assets fetch {card.name}{' --allow-pickle' if card.pickles else ''}"
        hint = fetches if card.can_be_fetched else card.by_hand
        lacks = f" (it lacks {', '.join(lacking[:3])}{', ...' if len(lacking) > 3 else ''})" if folder else ""
        raise RRFrameError(f"the weights of {card.name} are not on this machine{lacks}", hint=hint, **context)
    return folder / card.opens if card.opens else folder


def is_card(checkpoint: Path) -> bool:
    """Whether ``checkpoint`` is the name of a card; a file or folder of that name counts first."""
    return len(checkpoint.parts) == 1 and not checkpoint.exists() and str(checkpoint) in model_cards()


def _shards(folder: Path, there: set[str]) -> Iterator[str]:
    for name in sorted(there):
        if name.endswith(".index.json"):
            try:
                table = json.loads((folder / name).read_text())["weight_map"]
            except (OSError, ValueError, KeyError, TypeError):
                yield f"{name} (damaged)"
                continue
            yield from sorted({(PurePosixPath(name).parent / shard).as_posix() for shard in table.values()})
