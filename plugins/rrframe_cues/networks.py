"""Depth and segments from networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator

from rrframe.imaging.resample import resize
from rrframe_cues.conversion import depth_at_size, nearness_to_depth, stretched
from rrframe_cues.models import FromModel, normalized

_METRIC = ("depth_pro", "glpn", "zoedepth")  # the kinds of network that give metres
_POINTS_AT_ONCE = 64
_SAME = 0.7  # two masks that share so much of their union are one


class DepthModel(FromModel):
    """Depth by a network: DPT and MiDaS, Depth Anything, ZoeDepth, and whatever else ``AutoModelForDepthEstimation``
    of transformers loads.

    A network that gives disparity tells near from far and not how far: the nearest pixel of each picture becomes
    ``near`` and the farthest ``far``, z = 1 / (a d + b). One that gives metres is taken at its word up to ``far``.

    Source: Ranftl et al. 2021, "Vision transformers for dense prediction"; Yang et al. 2024, "Depth Anything V2".
    """

    near: float = Field(5.0, gt=0, allow_inf_nan=False, description="the nearest depth of a picture, in metres")
    far: float = Field(150.0, gt=0, allow_inf_nan=False, description="the farthest depth of a picture, in metres")
    gives: Literal["auto", "disparity", "metric"] = "auto"
    """What the network's numbers are, where its configuration does not say so."""

    @model_validator(mode="after")
    def _near_is_nearer(self) -> Self:
        if self.near > self.far:
            raise ValueError(f"near ({self.near:g} m) is farther than far ({self.far:g} m)")
        return self

    def compute(self, images: torch.Tensor, keys: Sequence[str]) -> torch.Tensor:
        network, settings = self.network("AutoModelForDepthEstimation"), self.settings()
        height, width = images.shape[-2:]
        rows, columns = _wanted_size(height, width, settings)
        with torch.no_grad():
            prepared = normalized(resize(images.to(self.place()), rows, columns, "cubic"), settings)
            found = network(pixel_values=prepared).predicted_depth[:, None].to(images.device)
        if self._gives_metres(network.config):
            return depth_at_size(1.0 / found.clamp(min=1e-3), height, width, self.far)
        return nearness_to_depth(resize(stretched(found), height, width, "linear"), self.near, self.far)

    def _gives_metres(self, config: Any) -> bool:
        if self.gives != "auto":
            return self.gives == "metric"
        return config.model_type in _METRIC or getattr(config, "depth_estimation_type", "") == "metric"


class Sam2(FromModel):
    """Segments by SAM 2: it is asked what lies at each point of a grid, and what it is sure of is kept.

    Of masks that are nearly the same the surest counts; smaller ones lie on larger ones. What no mask covers is
    segment 0.

    Source: Ravi et al. 2024, "SAM 2: Segment anything in images and videos"; the thresholds are those of its automatic
    mask generator.
    """

    points: int = Field(16, ge=1, le=64, description="points of the grid, along each side")
    least_score: float = Field(0.8, ge=0, le=1, description="the overlap that the network expects of its mask")
    least_stability: float = Field(
        0.95, ge=0, le=1, description="the overlap of a mask at two thresholds, 1 to either side"
    )

    def compute(self, images: torch.Tensor, keys: Sequence[str]) -> torch.Tensor:
        network, settings = self.network("Sam2Model"), self.settings()
        side = network.config.prompt_encoder_config.image_size
        with torch.no_grad():
            prepared = normalized(resize(images.to(self.place()), side, side, "linear"), settings)
            features = network.get_image_embeddings(prepared)
            maps = [
                self._labels(network, [level[index : index + 1] for level in features], side, images.shape[-2:])
                for index in range(len(images))
            ]
        return torch.stack(maps).to(images.device)

    def _labels(self, network: Any, features: list[torch.Tensor], side: int, size: torch.Size) -> torch.Tensor:
        """The segments of one picture, ``[1, H, W]``, whose ``features`` have a batch of one."""
        logits = self._masks(network, features, side)
        areas = (logits > 0).flatten(1).sum(dim=1)
        labels = torch.zeros(1, *size, dtype=torch.float32, device=logits.device)
        for number, index in enumerate(areas.argsort(descending=True, stable=True).tolist(), 1):
            mask = F.interpolate(logits[index][None, None], size, mode="bilinear", align_corners=False)[0]
            labels[mask > 0] = number
        return labels

    def _masks(self, network: Any, features: list[torch.Tensor], side: int) -> torch.Tensor:
        """The masks that are sure and differ, as logits ``[N, h, w]``, the surest first."""
        places = (torch.arange(self.points, dtype=torch.float32, device=features[0].device) + 0.5) * (
            side / self.points
        )
        grid = torch.cartesian_prod(places, places).view(1, -1, 1, 2)
        masks, scores = [], []
        for points in grid.split(_POINTS_AT_ONCE, dim=1):
            found = network(image_embeddings=features, input_points=points, multimask_output=True)
            logits, score = found.pred_masks[0].flatten(0, 1), found.iou_scores[0].flatten()
            union = (logits > -1).flatten(1).sum(dim=1).clamp(min=1)
            stability = (logits > 1).flatten(1).sum(dim=1) / union
            sure = (
                (score >= self.least_score) & (stability >= self.least_stability) & (logits > 0).flatten(1).any(dim=1)
            )
            masks.append(logits[sure])
            scores.append(score[sure])
        order = torch.cat(scores).argsort(descending=True, stable=True)
        return _differing(torch.cat(masks)[order])


def _differing(logits: torch.Tensor) -> torch.Tensor:
    """The masks, ``[N, h, w]``, without those that are nearly the same as one before."""
    flat = (logits > 0).flatten(1).to(torch.float32)
    shared, areas = flat @ flat.T, flat.sum(dim=1)
    alike = (shared / (areas[:, None] + areas[None] - shared).clamp(min=1.0) > _SAME).tolist()
    kept: list[int] = []
    for index in range(len(logits)):
        if not any(alike[index][other] for other in kept):
            kept.append(index)
    return logits[kept]


def _wanted_size(height: int, width: int, settings: dict[str, Any]) -> tuple[int, int]:
    """The size that a network of depth wants for a picture: as its processor would make it.

    Source: the MiDaS transform, ``get_resize_output_image_size`` of transformers.
    """
    size = settings.get("size") or {}
    multiple = settings.get("ensure_multiple_of") or settings.get("size_divisor") or 1
    down = size.get("height", size.get("shortest_edge", height)) / height
    across = size.get("width", size.get("shortest_edge", width)) / width
    if settings.get("keep_aspect_ratio"):  # as little scaling as possible
        down = across = across if abs(1 - across) < abs(1 - down) else down
    return tuple(max(1, round(scale * side / multiple)) * multiple for scale, side in ((down, height), (across, width)))  # type: ignore[return-value]
