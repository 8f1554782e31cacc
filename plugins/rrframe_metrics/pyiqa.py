"""Every metric of pyiqa by its name there: DISTS, MUSIQ, CLIP-IQA, NIQE, BRISQUE, MANIQA and many more."""

from __future__ import annotations

from typing import Any

import torch
from pydantic import Field, PrivateAttr

from rrframe.errors import did_you_mean
from rrframe_metrics.comparing import Comparison

_LICENCE = "PolyForm-Noncommercial-1.0.0, and those of the weights that the metric fetches"


class Pyiqa(Comparison):
    """A metric of pyiqa by its name there: ``dists``, ``musiq``, ``clipiqa``, ``niqe``, ``brisque``, ``maniqa``.

    Its direction and whether it compares are what pyiqa says of it; the range is not stated here, since pyiqa's are
    rough. Most fetch weights from the network when they are first used. Images go through one by one.
    For non-commercial use alone: pyiqa's own licence, whatever that of the weights.
    Source: Chen and Mo, IQA-PyTorch, https://github.com/chaofengc/IQA-PyTorch.
    """

    licence = _LICENCE
    commercial = False
    range = (None, None)

    metric: str = Field("musiq", pattern=r"^[a-z0-9_+.-]+$")
    """Its name in pyiqa."""
    device: str = "cpu"
    """What it computes on, such as ``cuda``."""

    _model: Any = PrivateAttr(default=None)

    @property
    def reads(self) -> str:
        return "no-reference" if self._known["metric_mode"] == "NR" else super().reads

    @property
    def higher_is_better(self) -> bool:
        return not self._known.get("lower_better", False)

    @property
    def ideal(self) -> None:
        return None

    def relies_on(self) -> tuple[str, ...]:
        return ("pyiqa",)

    def score(self, images: torch.Tensor, references: torch.Tensor | None = None) -> torch.Tensor:
        if self._model is None:
            from pyiqa import create_metric

            self._known  # an unknown name is told in our own words  # noqa: B018
            with torch.inference_mode(False), torch.random.fork_rng(devices=[]):
                self._model = create_metric(self.metric, device=torch.device(self.device))
        with torch.random.fork_rng(devices=[]):  # some sample crops
            torch.manual_seed(0)
            scores = [
                self._model(
                    *(batch[index : index + 1].clamp(0, 1) for batch in (images, references) if batch is not None)
                )
                for index in range(len(images))
            ]
        return torch.cat([torch.as_tensor(score).reshape(1) for score in scores]).float().to(images.device)

    @property
    def _known(self) -> dict[str, Any]:
        """What pyiqa says of the metric."""
        try:
            from pyiqa.default_model_configs import DEFAULT_CONFIGS as known
        except (ImportError, RuntimeError) as error:  # torchvision, which it needs, for another torch
            said = str(error).partition("\n")[0]
            hint = "pip install 'rrframe[pyiqa]', with the torchvision that goes with your torch"
            raise self._error(f"pyiqa cannot be imported: {said}", hint) from error
        found = known.get(self.metric)
        if found is None or found.get("metric_mode") not in ("FR", "NR"):
            raise self._error(
                f"pyiqa has no metric of one image or of two that is called {self.metric!r}",
                did_you_mean(self.metric, [name for name, facts in known.items() if facts.get("metric_mode")]),
            )
        return dict(found)
