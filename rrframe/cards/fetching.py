"""Fetching what a card tells of, into the cache of huggingface_hub, where every library looks for it."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from rrframe.cards.cached import cache_folder, missing, snapshot
from rrframe.cards.downloading import DownloadFailed, download
from rrframe.cards.models import PICKLES, Hub, ModelCard
from rrframe.errors import RRFrameError

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class PlannedFile:
    """One file to fetch: its path, its size in bytes where known, and whether it is there already."""

    path: str
    size: int | None
    cached: bool


@dataclass(frozen=True)
class Plan:
    """What fetching a card would do.

    Args:
        files: Its files.
        folder: Where they go.
        free: Bytes free there.
        asked: The hub was asked; otherwise the files are what the card says, and patterns stand for some.
    """

    files: tuple[PlannedFile, ...]
    folder: Path
    free: int
    asked: bool

    @property
    def to_fetch(self) -> int:
        """Bytes still to come, as far as sizes are known."""
        return sum(file.size or 0 for file in self.files if not file.cached)


class _Unreachable(Exception):
    """The hub does not answer."""


def make_plan(card: ModelCard) -> Plan:
    """What fetching ``card`` would do. The hub is asked if it can be reached.

    Raises:
        RRFrameError: It cannot be fetched, or the hub refuses.
    """
    if not card.can_be_fetched:
        raise RRFrameError(f"{card.name} cannot be fetched", hint=card.by_hand)
    folder, free = cache_folder(card), _free(card)
    if card.hub is not None:
        try:
            files = (PlannedFile(each.filename, each.file_size, each.is_cached) for each in _listed(card, card.hub))
            return Plan(tuple(files), folder, free, asked=True)
        except _Unreachable:
            pass  # what the card says of its files is the next best
    lacking = _lacking(card)
    files = (PlannedFile(file.path, file.bytes, file.path not in lacking) for file in card.files)
    return Plan(tuple(files), folder, free, asked=False)


def fetch(card: ModelCard, *, allow_pickle: bool = False) -> Path:
    """Fetch the files of ``card``; what was begun before goes on from where it stopped.

    Args:
        card: What to fetch.
        allow_pickle: Fetch pickles too.

    Returns:
        The folder with its files by their names.

    Raises:
        RRFrameError: It cannot be fetched: pickles, no network, no space, terms to accept.
        DownloadFailed: A file did not come, or is not what its card or the hub says it is.
    """
    if not card.can_be_fetched:
        raise RRFrameError(f"{card.name} cannot be fetched", hint=card.by_hand)
    _refuse_pickles(card.pickles, allow_pickle)
    if card.hub is None:
        return _fetch_addresses(card)
    try:
        listed = _listed(card, card.hub)
    except _Unreachable as error:
        if not _lacking(card) and (folder := snapshot(card)):
            return folder
        raise _out_of_reach(card, str(error)) from error
    _refuse_pickles([each.filename for each in listed if Path(each.filename).suffix in PICKLES], allow_pickle)
    _room_for(card, sum(each.file_size or 0 for each in listed if not each.is_cached))
    for each in listed:
        if not each.is_cached:
            _fetch_one(card, card.hub, each.filename)
    folder = snapshot(card)
    if folder is None or (lacking := missing(card, folder)):
        names = ", ".join(lacking) if folder else "everything"
        raise DownloadFailed(f"{card.hub.repo} lacks {names}", hint="the card may be out of date: please report it")
    return folder


def _listed(card: ModelCard, hub: Hub) -> list[Any]:
    """The hub's answer: which files there are, how large, and which are here."""
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    if constants.HF_HUB_OFFLINE:
        raise _Unreachable("HF_HUB_OFFLINE=1 forbids it")
    patterns = [file.path for file in card.files]
    shown = not are_progress_bars_disabled()
    disable_progress_bars()  # a listing is no download
    try:
        return list(snapshot_download(hub.repo, revision=hub.revision, allow_patterns=patterns, dry_run=True))
    except Exception as error:
        cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
        page = f"https://huggingface.co/{hub.repo}"
        if isinstance(cause, GatedRepoError):
            hint = f"accept its terms on {page}, then log in here with: hf auth login"
            raise RRFrameError(f"{hub.repo} is only for those who accept its terms", hint=hint) from error
        if isinstance(cause, RevisionNotFoundError):
            raise RRFrameError(f"{hub.repo} has no revision {hub.revision}", hint=f"look at {page}") from error
        if isinstance(cause, RepositoryNotFoundError):
            hint = f"it may have moved, or need a log-in: look at {page}"
            raise RRFrameError(f"the hub knows no {hub.repo}", hint=hint) from error
        raise _Unreachable(" ".join(str(cause).split()) or type(cause).__name__) from error
    finally:
        if shown:
            enable_progress_bars()


def _fetch_one(card: ModelCard, hub: Hub, name: str) -> None:
    """Put the file where huggingface_hub would, and let it link its name to it."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.utils._headers import build_hf_headers

    url = hf_hub_url(hub.repo, name, revision=hub.revision)
    try:
        found = get_hf_file_metadata(url)
    except Exception as error:
        raise _out_of_reach(card, " ".join(str(error).split())) from error
    headers = build_hf_headers()
    location = found.location or url
    if urlparse(location).netloc != urlparse(url).netloc:
        headers.pop("authorization", None)  # a token is for the hub, not for whoever stores its files
    etag = found.etag or ""
    published = next((file.sha256 for file in card.files if file.path == name and file.sha256), None)
    sha256 = published or (etag if _SHA256.fullmatch(etag) else None)  # the hub names large files by their hash
    blob = cache_folder(card) / "blobs" / etag
    download(location, blob, size=found.size, sha256=sha256, headers=headers, name=name)
    hf_hub_download(hub.repo, name, revision=hub.revision)


def _fetch_addresses(card: ModelCard) -> Path:
    from huggingface_hub import constants

    folder = cache_folder(card)
    lacking = [file for file in card.files if not (folder / file.path).exists()]
    if lacking and constants.HF_HUB_OFFLINE:
        raise _out_of_reach(card, "HF_HUB_OFFLINE=1 forbids it")
    for file in lacking:
        download(str(file.url), folder / file.path, size=file.bytes, sha256=file.sha256)
    return folder


def _lacking(card: ModelCard) -> list[str]:
    folder = snapshot(card)
    return [file.path for file in card.files] if folder is None else missing(card, folder)


def _out_of_reach(card: ModelCard, why: str) -> RRFrameError:
    lacking = _lacking(card)
    more = f" and {len(lacking) - 5} more" if len(lacking) > 5 else ""
    folder = cache_folder(card)
    source = "~/.cache/huggingface/" + ("hub/" if card.hub else "rrframe/") + folder.name
    return DownloadFailed(
        f"{card.name} cannot be fetched from here: {why}. Missing: {', '.join(lacking[:5])}{more}",
        hint=f"on a machine with a network, run: rrframe assets fetch {card.name}; then copy its {source} to {folder}",
    )


def _refuse_pickles(names: list[str], allowed: bool) -> None:
    if names and not allowed:
        raise RRFrameError(
            f"{', '.join(names)}: a pickle can run code when it is read",
            hint="--allow-pickle fetches it all the same, if you trust where it comes from",
        )


def _room_for(card: ModelCard, needed: int) -> None:
    free = _free(card)
    if needed > free:
        raise RRFrameError(
            f"{card.name} takes {needed / 1e9:.1f} GB, and {cache_folder(card)} has {free / 1e9:.1f} GB free",
            hint="free some, or name a cache on another disk: HF_HOME=/other/disk/huggingface",
        )


def _free(card: ModelCard) -> int:
    folder = cache_folder(card)
    return shutil.disk_usage(next(parent for parent in (folder, *folder.parents) if parent.exists())).free
