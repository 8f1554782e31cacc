"""How a network is trained: which optimizer, all of its weights or an adapter's."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, StrictBool, StrictInt

from rrframe.recipe.sections import Section

OptimizerName = Literal["adamw", "adamw-8bit", "adamw-4bit", "adafactor", "adamw-offloaded"]


class OptimizerChoice(Section):
    """What changes the weights."""

    name: OptimizerName = "adamw"
    """``adamw``; with its moments in 8 or 4 bits; with them and a float32 copy of the weights in main memory
    (``adamw-offloaded``); or ``adafactor``, whose learning rate is relative to the size of the weights and which has no
    betas.
    """
    stochastic_rounding: StrictBool = False
    """Round weights in bfloat16 up or down by chance, in proportion: on average no step is lost, where rounding to the
    nearest would leave most weights as they are.
    """

    @property
    def keeps_float32(self) -> bool:
        """Whether it has a float32 copy of the weights to add small steps to."""
        return self.name == "adamw-offloaded"


class AdapterChoice(Section):
    """Small matrices that are trained beside the weights, which stay as they are."""

    kind: Literal["lora", "dora"] = "lora"
    """Low-rank adaptation (Hu et al. 2021, arXiv 2106.09685), or one that trains the lengths of the weights' columns
    apart (Liu et al. 2024, arXiv 2402.09353).
    """
    rank: StrictInt = Field(64, ge=1)
    """How many columns and rows the two matrices of a layer have."""
    alpha: float | None = Field(None, gt=0)
    """The change of a layer is scaled by ``alpha / rank``. By default the rank."""
    targets: tuple[str, ...] = ()
    """Patterns of the layers that get one, as ``freeze`` has them: ``*_blocks.*.attn``. By default every linear layer,
    and every convolution that is not split into groups; with ``dora`` none that has an output whose weights are all 0.
    """
