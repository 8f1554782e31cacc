"""Hypothesis strategies for laws of your own.

```python
@given(images(), severities(), seeds())
def test_haze_is_no_brighter_than_the_scene(image, severity, seed):
    hazy = rrframe.load("haze/scattering")(image, severity=severity, seed=seed)
    assert hazy.max() <= image.max() + 1e-4
```
"""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import strategies as st

from rrframe.contracts.degradation import Degradation
from rrframe.contracts.draw import Draw
from rrframe.contracts.trying import image_key
from rrframe.testing.pictures import LAYOUTS, PATTERNS, Picture


def pictures(
    *, least_side: int = 1, greatest_side: int = 33, greatest_batch: int = 1, layouts: tuple[str, ...] = LAYOUTS
) -> st.SearchStrategy[Picture]:
    """Descriptions of pictures: square, odd, tall and wide; black, white, constant, slopes, extremes, noise, texture;
    in each way to lie in memory. Simple ones come out of a failure.

    Args:
        least_side: In pixels.
        greatest_side: In pixels.
        greatest_batch: The largest batch.
        layouts: Some of ``rrframe.testing.pictures.LAYOUTS``.
    """
    sides = st.integers(least_side, greatest_side)
    return st.builds(
        Picture,
        height=sides,
        width=sides,
        batch=st.integers(1, greatest_batch),
        pattern=st.sampled_from(PATTERNS),
        layout=st.sampled_from(layouts),
        seed=st.integers(0, 255),
    )


def images(**limits: Any) -> st.SearchStrategy[torch.Tensor]:
    """Images as operators take them, ``[B, 3, H, W]`` float32 in [0, 1]. ``limits`` are those of ``pictures``."""
    return pictures(**limits).map(Picture.tensor)


def severities() -> st.SearchStrategy[float | None]:
    """``None`` (values from the dials' distributions) or a severity in [0, 1], its ends and middle often."""
    return st.none() | st.sampled_from((0.0, 0.5, 1.0)) | st.floats(0.0, 1.0)


def seeds() -> st.SearchStrategy[int]:
    """Seeds of a run."""
    return st.integers(0, 2**31 - 1)


def draws(component: Degradation) -> st.SearchStrategy[Draw]:
    """Draws that ``component`` makes for one image, over severities and seeds."""
    return st.builds(
        lambda seed, severity: component.draw(image_key(seed).child(component.name), severity), seeds(), severities()
    )
