"""What a card says, a model a kind."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, HttpUrl, model_validator

PICKLES = frozenset({".bin", ".ckpt", ".pkl", ".pt", ".pth"})
"""Endings of files that can run code when they are read."""


def _inside(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\\" in path:
        raise ValueError(f"{path!r} does not lie inside a folder")
    return path


Name = Annotated[str, Field(pattern=r"^[a-z0-9]+([._-][a-z0-9]+)*$", max_length=60)]
Inside = Annotated[str, AfterValidator(_inside)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
NamePattern = Annotated[str, Field(pattern=r"^[^{}/]*\{\}[^{}/]*$")]
"""The name of a file, without the extension: ``{}`` stands for what files that go together share."""
Size = Annotated[int, Field(strict=True, ge=1)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, populate_by_name=True)


class Licence(_Section):
    """Under which terms something may be used."""

    name: str
    """Its SPDX identifier, or what its authors call it."""
    commercial: bool | None = None
    """Whether it allows commercial use; left out where that is not known."""
    note: str = ""
    """What is to be known besides."""


class WeightFile(_Section):
    """A file, or with ``*`` a pattern for files whose names or sizes are not known here."""

    path: Inside
    """Where it lies in the repository."""
    bytes: Size | None = None
    """Its size, where that is known."""
    sha256: Digest | None = None
    """Its hash, where one is published."""
    url: HttpUrl | None = None
    """Where it is fetched from, for a file outside a repository of the hub."""

    @property
    def is_pattern(self) -> bool:
        return "*" in self.path

    @property
    def is_pickle(self) -> bool:
        return PurePosixPath(self.path).suffix in PICKLES


class Hub(_Section):
    """A repository of the Hugging Face hub."""

    repo: str = Field(pattern=r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$")
    """Its owner and name."""
    revision: str = "main"
    """A commit never changes; a branch may."""
    gated: bool = False
    """Whether its terms have to be accepted on its page first, with an account."""


class Card(_Section):
    """What every card says."""

    kind: str
    """What it is a card of."""
    name: Name
    """Names it, and its file."""
    title: str
    """What people call it."""
    summary: str
    """What it is, in a line or two."""
    used_by: tuple[str, ...] = ()
    """The components that use it."""


class ModelCard(Card):
    """Published weights."""

    kind: Literal["model"]
    page: HttpUrl
    """Where its authors describe it."""
    hub: Hub | None = None
    """Where its files are, unless each names its own address."""
    files: tuple[WeightFile, ...] = ()
    """What is fetched, and nothing else."""
    about_bytes: Size | None = None
    """Their size together, rounded, where not every file's is known."""
    opens: Inside | None = None
    """The file that a component is given as its checkpoint; by default the whole folder."""
    by_hand: str = ""
    """How to get it where it cannot be fetched."""
    licence: Licence
    facts: tuple[str, ...] = Field(min_length=1)
    """Where each fact on the card is from."""
    unverified: tuple[str, ...] = ()
    """What could not be checked."""

    @model_validator(mode="after")
    def _can_be_had(self) -> Self:
        if not self.files and not self.by_hand:
            raise ValueError("a card has files to fetch, or says under by_hand how to get them")
        homeless = [file.path for file in self.files if self.hub is None and (file.url is None or file.is_pattern)]
        if homeless and not self.by_hand:
            raise ValueError(f"nothing says where {homeless[0]} is fetched from: it has no url, and the card no hub")
        if self.opens and self.opens not in {file.path for file in self.files}:
            raise ValueError(f"opens names {self.opens}, which is not among the files")
        return self

    @property
    def can_be_fetched(self) -> bool:
        return not self.by_hand

    @property
    def size(self) -> int | None:
        """Bytes of all files together; rounded where ``is_rounded``; ``None`` where it is not known."""
        return self.about_bytes or (None if self.is_rounded else sum(file.bytes or 0 for file in self.files))

    @property
    def is_rounded(self) -> bool:
        return not self.files or any(file.bytes is None for file in self.files)

    @property
    def pickles(self) -> list[str]:
        return [file.path for file in self.files if file.is_pickle]


class Picture(_Section):
    """One picture of a set."""

    name: Name
    shows: str
    file: Inside
    source: str = Field(alias="from")
    licence: str
    size: tuple[int, int]
    """Width and height, in pixels."""
    channels: Literal["colour", "grey"]
    bytes: Size
    sha256: Digest


class Part(_Section):
    """A part of a data set, such as a split."""

    name: str
    images: Size | None = None
    """How many pictures, or pairs where they are pairs; left out where that is not known."""
    summary: str = ""


class DatasetCard(Card):
    """Published pictures."""

    kind: Literal["dataset"]
    use: str
    """What it is good for."""
    download: str
    """What has to be fetched, and how."""
    page: HttpUrl | None = None
    """Where its authors describe it."""
    tasks: tuple[str, ...] = ()
    """The degradations that its pictures show; none for clean ones."""
    pairs: bool = False
    """Whether each degraded picture has a clean one."""
    parts: tuple[Part, ...] = ()
    about_bytes: Size | None = None
    """What is fetched, rounded, where that is known."""
    licence: Licence | None = None
    """Of all of it, unless each picture has its own."""
    facts: tuple[str, ...] = ()
    """Where each fact on the card is from."""
    unverified: tuple[str, ...] = ()
    """What could not be checked."""
    pictures: tuple[Picture, ...] = ()

    @model_validator(mode="after")
    def _is_told_where_from(self) -> Self:
        if not self.pictures and not (self.page and self.licence and self.facts):
            raise ValueError("a card names its pictures one by one, or has a page, a licence and facts")
        return self

    @property
    def images(self) -> int | None:
        """How many pictures or pairs there are in all; ``None`` where one part's number is not known."""
        counts = [part.images for part in self.parts]
        if self.pictures or not counts:
            return len(self.pictures) or None
        return None if None in counts else sum(count or 0 for count in counts)


class BenchmarkTask(_Section):
    """One degradation of a benchmark."""

    name: Name
    images: Size | None = None
    """How many images it has; left out where that is not known."""
    folder: str = ""
    """Where the degraded images lie, from the folder of the benchmark, and"""
    clean: str = ""
    """the clean ones; none without references."""
    degraded_name: NamePattern = "{}"
    """How degraded images are named, and"""
    clean_name: NamePattern = "{}"
    """clean ones, where their names differ."""
    prompts: dict[str, str] = {}
    """The fixed prompt in each language, where the benchmark has one."""


class PublishedScores(_Section):
    """A table of scores as its source prints it."""

    measure: str
    """What is scored, with its unit."""
    higher_is_better: bool = True
    source: str
    """Where it is printed."""
    decimals: int = 3
    """To how many decimals."""
    note: str = ""
    """What has to be known of it."""
    scores: dict[str, dict[str, float]]
    """By model, and below by task, or under ``average`` as printed."""


class BenchmarkCard(Card):
    """A benchmark: images, tasks, prompts, and what has been published on it."""

    kind: Literal["benchmark"]
    page: HttpUrl
    """Where its authors describe it."""
    hub: Hub | None = None
    """Its repository, where it has one."""
    download: str
    """What has to be fetched, and how."""
    images: Size | None = None
    """How many images there are in all; left out where that is not known."""
    references: bool
    """Whether each image has a clean reference."""
    tasks: tuple[BenchmarkTask, ...] = Field(min_length=1)
    layout: str
    """How its files lie."""
    metrics: tuple[str, ...]
    """What it is scored by."""
    about_bytes: Size | None = None
    """What is fetched, rounded, where that is known."""
    licence: Licence
    published: tuple[PublishedScores, ...] = ()
    facts: tuple[str, ...] = Field(min_length=1)
    """Where each fact on the card is from."""
    unverified: tuple[str, ...] = ()
    """What could not be checked."""

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        counts = [task.images for task in self.tasks]
        if None not in counts and self.images != sum(count or 0 for count in counts):
            raise ValueError(f"its tasks have {sum(count or 0 for count in counts)} images, and it says {self.images}")
        known = {task.name for task in self.tasks} | {"average"}
        for table in self.published:
            for model, row in table.scores.items():
                if unknown := sorted(row.keys() - known):
                    raise ValueError(f"{table.measure} of {model} names {unknown[0]}, which is no task here")
        return self


CARDS: dict[str, type[Card]] = {"model": ModelCard, "dataset": DatasetCard, "benchmark": BenchmarkCard}
"""The model of each kind of card."""
