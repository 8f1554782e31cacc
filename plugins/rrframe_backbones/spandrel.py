"""Restorers of other people, in any architecture that spandrel recognises from its weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from pydantic import Field, PrivateAttr
from torch import nn
from torch.nn import functional

from rrframe import Backbone, Capabilities, RRFrameError
from rrframe.contracts.weights import read_tensors

if TYPE_CHECKING:
    from spandrel import ImageModelDescriptor

_GREY, _COLOUR = (1, 1), (3, 3)


class SpandrelRestorer(Backbone):
    """A network recognised from its weights alone: some forty architectures, such as SwinIR, HAT, SCUNet or FBCNN.

    It treats every task alike: what it removes is what its weights were trained to remove. Networks for grey pictures
    are given the three channels one by one. Those that enlarge are taken too, and what they give is brought back to the
    size of the picture by averaging.
    Source: spandrel, https://github.com/chaiNNer-org/spandrel.
    Cannot: be trained; fill masks; take or give other channels than grey or colour.
    """

    tile: int = Field(default=512, ge=64)
    """The longest side in pixels that is taken in one piece."""

    _found: ImageModelDescriptor[nn.Module] | None = PrivateAttr(default=None)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(largest_side=self.tile, trainable=False)

    def relies_on(self) -> tuple[str, ...]:
        return ("spandrel",)

    def build(self) -> nn.Module:
        if self.checkpoint is None:
            raise self._error("it has no weights of its own", "name a file of weights: checkpoint")
        return self.open(self.checkpoint)

    def open(self, checkpoint: Path) -> nn.Module:
        tensors = read_tensors(checkpoint, allow_pickle=self.allow_pickle, component=self.name, plugin=self.plugin)
        found = self._recognised(tensors, checkpoint)
        what = f"{checkpoint} is a {found.architecture.name} that"
        if (found.input_channels, found.output_channels) not in (_GREY, _COLOUR):
            raise self._error(f"{what} makes {found.output_channels} channels of {found.input_channels}")
        half = {torch.float16: found.supports_half, torch.bfloat16: found.supports_bfloat16}
        if not half.get(self.torch_dtype, True):
            raise self._error(f"{what} cannot compute in {self.dtype}", "leave dtype at float32")
        self._found = found
        return found.model

    def loss(self, batch: Mapping[str, torch.Tensor], rng: object) -> torch.Tensor:
        raise self._error("it cannot be trained", "backbone/nafnet can")

    def restore(self, images: torch.Tensor, task: str, **settings: object) -> torch.Tensor:
        _ = self.network  # at first use this finds what it is
        assert self._found is not None
        given = images.to(self.torch_device, self.torch_dtype, copy=True)
        planes = given.flatten(0, 1).unsqueeze(1) if self._found.input_channels == 1 else given
        # One by one, as spandrel asks; it pads to the sizes that the network needs, and cuts what was added.
        restored = torch.cat([self._found(plane.unsqueeze(0)) for plane in planes]).float()
        if self._found.scale > 1:
            restored = functional.avg_pool2d(restored, self._found.scale)
        return restored.reshape(images.shape).clamp(0, 1).to(images.device)

    def _recognised(self, tensors: dict[str, torch.Tensor], checkpoint: Path) -> ImageModelDescriptor[nn.Module]:
        try:
            from spandrel import ImageModelDescriptor, ModelLoader, UnsupportedModelError, canonicalize_state_dict
        except (ImportError, RuntimeError) as error:  # torchvision, which it needs, for another torch
            said = str(error).partition("\n")[0]
            hint = "pip install 'rrframe[spandrel]', with the torchvision that goes with your torch"
            raise self._error(f"spandrel cannot be imported: {said}", hint) from error
        try:
            found: Any = ModelLoader().load_from_state_dict(canonicalize_state_dict(tensors))
        except UnsupportedModelError:
            raise self._error(f"spandrel recognises no architecture in {checkpoint}") from None
        except (RuntimeError, KeyError, ValueError) as error:  # names that it knows, and not all that go with them
            said = " ".join(str(error).split())
            raise self._error(f"{checkpoint} looks like a network that spandrel knows, and is not: {said}") from error
        if not isinstance(found, ImageModelDescriptor):
            raise self._error(f"{checkpoint} is a {found.architecture.name}, which fills masks")
        return found

    def _error(self, message: str, hint: str | None = None) -> RRFrameError:
        return RRFrameError(message, component=self.name, plugin=self.plugin, hint=hint)
