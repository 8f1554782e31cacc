"""Metrics: numbers that score a restored image, alone or against another."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal, get_args

import torch

from rrframe.contracts.component import Component, attributed
from rrframe.errors import RRFrameError

Reads = Literal["full-reference", "no-reference", "consistency"]
READS: tuple[Reads, ...] = get_args(Reads)


class Metric(Component):
    """One number an image.

    A subclass writes ``score`` and the class attributes that say what the number means; where that depends on a param,
    a property of the same name says it. The protocol (which colours, which sizes) belongs in its name or its params,
    since numbers of two protocols cannot be compared.

    What calls a metric calls the object itself, which looks at the images first and at the scores after.
    """

    kind: ClassVar[str] = "metric"

    reads: ClassVar[Reads]
    """What it looks at besides the restored image: ``full-reference`` the clean one, ``consistency`` the degraded one,
    ``no-reference`` nothing."""
    higher_is_better: ClassVar[bool]
    range: ClassVar[tuple[float | None, float | None]]
    """The least and the greatest value there is; ``None`` where there is no bound."""
    unit: ClassVar[str] = ""
    """Such as ``dB``; empty for a plain number."""
    symmetric: ClassVar[bool] = False
    """Whether the two images can change places."""
    least_side: ClassVar[int] = 1
    """The shortest side in pixels that it can score."""
    sizes: ClassVar[Literal["refused", "resized"]] = "refused"
    """What becomes of two images of different sizes. ``resized``: ``align`` makes them alike, and the docstring says
    how."""
    licence: ClassVar[str] = ""
    """The terms of the weights or of the package that it needs, where they are not those of its plugin."""
    commercial: ClassVar[bool | None] = True
    """Whether these allow commercial use; ``None`` where that is not known."""

    @abstractmethod
    def score(self, images: torch.Tensor, references: torch.Tensor | None = None) -> torch.Tensor:
        """The scores of a batch. The host calls it in ``torch.inference_mode``.

        Args:
            images: Restored: ``[B, 3, H, W]`` float32 in [0, 1], encoded sRGB.
            references: What they are compared with, of the same size; ``None`` for one that compares with nothing.

        Returns:
            ``[B]`` float32, each as it would be alone.
        """

    @property
    def ideal(self) -> float | None:
        """What an image scores against itself, the best there is; for one that compares with nothing, the best.

        The better end of ``range``, unless a subclass says otherwise.
        """
        return self.range[1] if self.higher_is_better else self.range[0]

    @property
    def compares(self) -> bool:
        """Whether it needs a second image."""
        return self.reads != "no-reference"

    def align(self, images: torch.Tensor, references: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The two batches at one size.

        Raises:
            RRFrameError: They differ in size, and this metric does not resize.
        """
        if images.shape != references.shape:
            raise self._error(
                f"it compares images of one size, not {_size(images)} with {_size(references)}",
                "resize or crop one of them, and say so beside the scores",
            )
        return images, references

    def __call__(self, images: torch.Tensor, references: torch.Tensor | None = None) -> torch.Tensor:
        """``score``, of images that were looked at before.

        Raises:
            RRFrameError: The images are no batch of that form, are too small or of two sizes; the reference is missing,
                or there is one that it does not read; what came out is not a finite number for each.
        """
        if self.compares != (references is not None):
            what = {"full-reference": "clean", "consistency": "degraded"}.get(self.reads)
            raise self._error(f"it compares with the {what} image" if what else "it compares with nothing")
        for batch in (images, references):
            if batch is not None and (batch.ndim != 4 or batch.shape[1] != 3 or batch.dtype != torch.float32):
                raise self._error(f"it takes [B, 3, H, W] of float32, not {tuple(batch.shape)} of {batch.dtype}")
        with torch.inference_mode(), attributed(self, "scoring"):
            if references is not None:
                if len(images) != len(references):
                    raise self._error(f"there are {len(images)} images and {len(references)} references")
                images, references = self.align(images, references)
            if min(images.shape[-2:]) < self.least_side:
                raise self._error(f"it needs {self.least_side} pixels a side, and the image is {_size(images)}")
            scores = self.score(images, references)
        if tuple(scores.shape) != (len(images),):
            raise self._error(f"it gave {tuple(scores.shape)} for {len(images)} images")
        if odd := (~scores.isfinite()).nonzero().flatten().tolist():
            raise self._error(f"image {odd[0]} of {len(images)} scores {float(scores[odd[0]])}")
        return scores

    def _error(self, message: str, hint: str | None = None) -> RRFrameError:
        return RRFrameError(message, component=self.name, plugin=self.plugin, hint=hint)


def _size(images: torch.Tensor) -> str:
    """Width x height."""
    return f"{images.shape[-1]} x {images.shape[-2]}"
