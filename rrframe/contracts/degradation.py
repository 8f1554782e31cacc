"""The contract of a degradation: dials, a draw, and a pure ``apply``. The host does everything else."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import GetJsonSchemaHandler, ValidationInfo, ValidatorFunctionWrapHandler, field_validator
from pydantic_core import CoreSchema

from rrframe.contracts.component import Component
from rrframe.contracts.dials import Dial
from rrframe.contracts.draw import Draw, Draws
from rrframe.errors import RRFrameError
from rrframe.imaging.colour import from_pixels, into_pixels
from rrframe.imaging.layout import joined, to_batch, to_pixels
from rrframe.rng import Key

if TYPE_CHECKING:
    import numpy as np
    import torch

    from rrframe.contracts.cue import Cues

Light = Literal["linear", "encoded"]


class Degradation(Component):
    """An operator that makes images worse in one way.

    A subclass names its ``category``, the ``light`` it works in and the ``cues`` it needs, declares its dials as
    fields, and writes ``apply``. Seeds, severity, replay, batches, region masks, the command line, the gallery and
    the conformance checks come from the host.
    """

    kind: ClassVar[str] = "degradation"
    category: ClassVar[str]
    """The task that this degradation belongs to, such as ``haze``."""
    light: ClassVar[Light] = "encoded"
    """What ``apply`` works on: ``linear`` light (optics, sensors) or ``encoded`` sRGB (codecs, web resizes).

    The host converts.
    """
    cues: ClassVar[set[str]] = set()
    """The cues that ``apply`` reads."""
    eight_bit: ClassVar[bool] = False
    """Whether a picture of eight bits that it is given may be rounded to eight bits after it, as in a file.

    Chains then ask ``apply_pixels`` for as long as a picture has not left its eight bits, which is several times as
    fast for what goes through a file or adds noise to encoded values; no step's codes differ by more than 1.
    """

    @abstractmethod
    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        """The degraded images. Pure: no global randomness, no state, no input changed; same draws, same bytes.

        Args:
            images: ``[B, 3, H, W]`` float32 in [0, 1], in this operator's light; channels_last on a CPU.
            draw: The drawn values, each as ``[B, 1, 1, 1]``, and ``draw.rng`` for fields of noise.
            cues: The cues asked for.

        Returns:
            The same shape, dtype, range and light.
        """

    def apply_pixels(self, pixels: np.ndarray, draw: Draws, cues: Cues) -> np.ndarray:
        """``apply`` for one picture of eight bits, as pure as that. Override it where there is a shorter way than
        through floats. A chain asks for it as its last step, and before that where ``eight_bit`` is set.

        Args:
            pixels: ``[H, W, 3]`` uint8, encoded whatever ``light`` is.
            draw: The draw of that one picture.
            cues: The cues asked for, of that one picture.

        Returns:
            The same, each code within 1 of what ``apply`` gives.
        """
        return into_pixels(self.apply(from_pixels(pixels, self.light), draw, cues)[0], self.light)

    def retarget(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        """The clean images as they should be restored to: unchanged unless overridden, as where a flare's light
        source stays in the target.

        Shapes, range and light are those of ``apply``.
        """
        return images

    def draw(self, key: Key, severity: float | None = None) -> Draw:
        """Concrete values for one image. Override it for values that depend on each other, starting from
        ``super().draw(key, severity)``.

        Args:
            key: The place in the tree of randomness that this image and this step have.
            severity: From 0 (mild) to 1 (severe); ``None`` takes every value from its distribution.
        """
        # A key for each dial: adding a dial leaves what the others draw alone.
        values = {name: dial.take(key.child(name).random(), severity) for name, dial in self.dials().items()}
        return Draw(seed=key.seed, values=values)

    def needs(self) -> set[str]:
        """The names of all cues needed, those of inner steps included."""
        return set(self.cues)

    def parts(self) -> list[Degradation]:
        """This degradation and all that it holds."""
        return [self]

    def retargets(self) -> bool:
        """Whether the clean side changes too."""
        return type(self).retarget is not Degradation.retarget

    def dials(self) -> dict[str, Dial]:
        """The dials as this component's settings have them, by name."""
        return {name: value for name in type(self).model_fields if isinstance(value := getattr(self, name), Dial)}

    def __call__(self, image: Any, *, severity: float | None = None, seed: int = 0, cues: Cues | None = None) -> Any:
        """``image`` degraded: a Pillow image, a numpy array or a tensor, given back as the same type, size and range.

        Args:
            image: Pillow; numpy ``[H, W]``, ``[H, W, 3]`` or ``[B, H, W, 3]``; torch ``[3, H, W]`` or ``[B, 3, H,
                W]``. Integer types span their range, floats [0, 1]; encoded sRGB.
            severity: From 0 (mild) to 1 (severe); by default values come from the dials' distributions.
            seed: The same seed gives the same result. The images of a batch differ.
            cues: Cues to use instead of the default providers'.

        Raises:
            RRFrameError: The image is of no such form, or a cue is needed that nothing provides.
        """
        from rrframe.contracts.trying import degrade_any

        return degrade_any(self, image, severity=severity, seed=seed, cues=cues)

    # Dials as pydantic fields
    # -----------------------------------------------------------------------------------------------------

    @classmethod
    def declared_dials(cls) -> dict[str, Dial]:
        """The dials as the class declares them, by name."""
        return {name: field.default for name, field in cls.model_fields.items() if isinstance(field.default, Dial)}

    @field_validator("*", mode="wrap")
    @classmethod
    def _dial_from_yaml(cls, value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        declared = cls.declared_dials().get(info.field_name or "")
        return declared.with_value(value) if declared else handler(value)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        for name, field in cls.model_fields.items():
            if field.annotation is Dial and not isinstance(field.default, Dial):
                raise TypeError(
                    f"{cls.__qualname__}.{name} is a Dial and needs a default, such as uniform(0.1, 0.5, mild=0.0)"
                )
            if isinstance(field.default, Dial) and hasattr(Draws, name):
                raise TypeError(f"{cls.__qualname__}.{name} could not be read: draw.{name} is something else")

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        described = handler(schema)
        properties = handler.resolve_ref_schema(described).get("properties", {})
        for name, dial in cls.declared_dials().items():
            properties[name] = {"title": properties.get(name, {}).get("title", name), **dial.json_schema()}
        return described


class FileDegradation(Degradation):
    """A degradation of files, such as a codec: it takes whole pictures of eight bits, one at a time, on the CPU.

    A subclass writes ``apply_pixels``, and the host makes ``apply`` of it.
    """

    light: ClassVar[Light] = "encoded"
    eight_bit: ClassVar[bool] = True

    @abstractmethod
    def apply_pixels(self, pixels: np.ndarray, draw: Draws, cues: Cues) -> np.ndarray:
        """The degraded picture; ``[H, W, 3]`` uint8, encoded, as ``pixels`` is, which stays as it is."""

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        done = [
            self.apply_pixels(to_pixels(image), draw.select([index]), cues.select([index]))
            for index, image in enumerate(images)
        ]
        return joined([to_batch(pixels) for pixels in done]).to(images.device)


def check_severity(severity: float | None) -> float | None:
    """``severity`` if it is ``None`` or in [0, 1].

    Raises:
        RRFrameError: It is not.
    """
    if severity is not None and not 0.0 <= severity <= 1.0:
        raise RRFrameError(f"severity {severity:g} is not between 0 (mild) and 1 (severe)")
    return severity
