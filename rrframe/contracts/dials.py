"""Dials: the settings of a degradation, each a fixed value or a distribution, with a mild and a severe end."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypedDict, Unpack

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from rrframe.errors import did_you_mean

Value = float | int | str | bool


@dataclass(frozen=True)
class Law:
    """Where a dial's values come from: the name of a distribution and its arguments."""

    name: str
    arguments: tuple[Value, ...]

    @property
    def ends(self) -> tuple[Value, Value]:
        """The first and the last value that can come out."""
        if self.name == "truncated_normal":
            return self.arguments[2], self.arguments[3]
        return self.arguments[0], self.arguments[-1]

    def sample(self, generator: random.Random) -> Value:
        if self.name == "fixed":
            return self.arguments[0]
        if self.name == "choice":
            return generator.choice(self.arguments)
        numbers = [float(argument) for argument in self.arguments]
        if self.name == "integers":
            return generator.randint(int(numbers[0]), int(numbers[1]))
        if self.name == "log_uniform":
            return math.exp(generator.uniform(math.log(numbers[0]), math.log(numbers[1])))
        if self.name == "truncated_normal":
            mean, deviation, low, high = numbers
            return _truncated_normal(generator, mean, deviation, low, high)
        return generator.uniform(*numbers)

    def written(self) -> Any:
        """As YAML has it: a bare value, or ``{uniform: [0.1, 0.5]}``."""
        return self.arguments[0] if self.name == "fixed" else {self.name: list(self.arguments)}

    def __str__(self) -> str:
        return (
            str(self.arguments[0]) if self.name == "fixed" else f"{self.name}({', '.join(map(_short, self.arguments))})"
        )


# How many arguments each distribution takes; choice takes any number.
_ARITY = {"uniform": 2, "log_uniform": 2, "integers": 2, "truncated_normal": 4, "choice": None}


@dataclass(frozen=True)
class Dial:
    """A setting with a distribution.

    Args:
        law: The distribution that values come from when no severity is asked for.
        mild: The end that severity 0 means. A dial without one does not follow severity.
        low: No value below this is accepted.
        high: No value above this is accepted.
        power: How the way from mild to severe is walked: ``mild + (severe - mild) * severity ** power``.
        unit: The unit, for people.
        about: What it does, for people.
    """

    law: Law
    mild: Value | None = None
    low: float | None = None
    high: float | None = None
    power: float = 1.0
    unit: str = ""
    about: str = ""

    def __post_init__(self) -> None:
        self._check(self.law)

    @property
    def severe(self) -> Value | None:
        """The end that severity 1 means: of the law's ends, the one farther from ``mild``."""
        if self.mild is None:
            return None
        first, last = self.law.ends
        if isinstance(self.mild, (int, float)) and isinstance(first, (int, float)) and isinstance(last, (int, float)):
            return max((first, last), key=lambda end: abs(end - self.mild))  # type: ignore[operator]
        return first if last == self.mild else last

    def take(self, generator: random.Random, severity: float | None = None) -> Value:
        """A value: from the distribution, or for a ``severity`` in [0, 1] on the way from mild to severe where the
        dial has a mild end.

        A dial fixed by the user stays where they put it.
        """
        if severity is None or self.mild is None or self.law.name == "fixed":
            return self.law.sample(generator)
        if self.law.name == "choice":
            options = self.law.arguments if self.severe == self.law.arguments[-1] else self.law.arguments[::-1]
            return options[round(severity * (len(options) - 1))]
        mild, severe = float(self.mild), float(self.severe)  # type: ignore[arg-type]
        value = mild + (severe - mild) * severity**self.power
        return round(value) if self.law.name == "integers" else value

    def with_value(self, value: Any) -> Dial:
        """This dial with what a user wrote: a bare value, or a mapping such as ``{uniform: [0.1, 0.5]}``.

        Raises:
            ValueError: It is no value or distribution, or reaches outside the dial's bounds.
        """
        if isinstance(value, Dial):
            return replace(self, law=self._check(value.law))
        return replace(self, law=self._check(_parse(value, self.law)))

    def _check(self, law: Law) -> Law:
        for argument in law.arguments if law.name == "choice" else law.ends:
            if isinstance(argument, float) and not math.isfinite(argument):
                raise ValueError(f"{argument} is not a finite number")
            if isinstance(argument, (int, float)) and not isinstance(argument, bool):
                if self.low is not None and argument < self.low:
                    raise ValueError(f"{_short(argument)} is below {_short(self.low)}, the least this dial takes")
                if self.high is not None and argument > self.high:
                    raise ValueError(f"{_short(argument)} is above {_short(self.high)}, the most this dial takes")
        return law

    def json_schema(self) -> dict[str, Any]:
        """What may be written for this dial, as JSON Schema."""
        about = " ".join(part for part in (self.about, f"[{self.unit}]" if self.unit else "") if part)
        common: dict[str, Any] = {"description": about} if about else {}
        if _is_textual(self.law):
            options = list(self.law.arguments)
            listed = {"type": "array", "items": {"enum": options}, "minItems": 1}
            return common | {"default": self.law.written(), "anyOf": [{"enum": options}, _only("choice", listed)]}
        number: dict[str, Any] = {"type": "integer" if self.law.name == "integers" else "number"}
        number |= {} if self.low is None else {"minimum": self.low}
        number |= {} if self.high is None else {"maximum": self.high}
        forms = [number]
        for name, arity in _ARITY.items():
            size = {"minItems": arity, "maxItems": arity} if arity else {"minItems": 1}
            forms.append(
                _only(
                    name,
                    {"type": "array", "items": {"type": "number"} if name == "truncated_normal" else number, **size},
                )
            )
        return common | {"default": self.law.written(), "anyOf": forms}

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        serialization = core_schema.plain_serializer_function_ser_schema(lambda dial: dial.law.written())
        return core_schema.is_instance_schema(cls, serialization=serialization)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {}  # the degradation that holds it fills in json_schema(), which knows the bounds

    def __str__(self) -> str:
        return str(self.law)


class Settings(TypedDict, total=False):
    """What every distribution takes besides its arguments; see ``Dial``."""

    mild: float
    low: float
    high: float
    power: float
    unit: str
    about: str


def uniform(first: float, last: float, **settings: Unpack[Settings]) -> Dial:
    """A number, evenly distributed between ``first`` and ``last``. ``settings`` are those of ``Dial``."""
    return Dial(_law("uniform", [first, last]), **settings)


def log_uniform(first: float, last: float, **settings: Unpack[Settings]) -> Dial:
    """A positive number whose logarithm is evenly distributed between those of ``first`` and ``last``."""
    return Dial(_law("log_uniform", [first, last]), **settings)


def truncated_normal(mean: float, deviation: float, first: float, last: float, **settings: Unpack[Settings]) -> Dial:
    """A number from a normal distribution, drawn again while outside ``first`` to ``last``."""
    return Dial(_law("truncated_normal", [mean, deviation, first, last]), **settings)


def integers(first: int, last: int, **settings: Unpack[Settings]) -> Dial:
    """A whole number from ``first`` to ``last``, both included."""
    return Dial(_law("integers", [first, last]), **settings)


def choice(*options: Value, mild: Value | None = None, unit: str = "", about: str = "") -> Dial:
    """One of ``options``. Where ``mild`` is the first or the last of them, severity walks through them in order."""
    return Dial(_law("choice", list(options)), mild, unit=unit, about=about)


def fixed(value: float, **settings: Unpack[Settings]) -> Dial:
    """A number that does not vary unless a recipe makes it."""
    return Dial(Law("fixed", (value,)), **settings)


def _parse(value: Any, declared: Law) -> Law:
    if isinstance(value, Mapping):
        if len(value) != 1:
            raise ValueError(
                f"a distribution is one name with its arguments, such as {{uniform: [0.1, 0.5]}}, not {dict(value)!r}"
            )
        (name, arguments), *_ = value.items()
        if name == "fixed":
            return _parse(arguments, declared)
        if name not in _ARITY:
            raise ValueError(f"unknown distribution {name!r}; {did_you_mean(str(name), _ARITY)}")
        if not isinstance(arguments, (list, tuple)):
            raise ValueError(f"{name} takes a list of arguments, not {arguments!r}")
        law = _law(name, list(arguments))
    else:
        law = Law("fixed", (_number(value) if not _is_textual(declared) else value,))
    if _is_textual(declared):
        for argument in law.arguments:
            if argument not in declared.arguments:
                raise ValueError(f"{argument!r} is not one of {', '.join(map(repr, declared.arguments))}")
    elif declared.name == "integers" and any(
        isinstance(argument, str) or float(argument) != int(argument) for argument in law.arguments
    ):
        raise ValueError(f"whole numbers are needed, not {law}")
    return law


def _law(name: str, arguments: list[Any]) -> Law:
    arity = _ARITY[name]
    if (arity is None and not arguments) or (arity is not None and len(arguments) != arity):
        raise ValueError(f"{name} takes {arity or 'one or more'} arguments, not {len(arguments)}")
    if name == "choice":
        return Law(name, tuple(arguments))
    numbers = tuple(_number(argument) for argument in arguments)
    first, last = Law(name, numbers).ends
    if first > last:
        raise ValueError(
            f"{name} goes from the smaller to the larger number, not from {_short(first)} to {_short(last)}"
        )
    if name == "log_uniform" and first <= 0:
        raise ValueError(f"log_uniform needs numbers above 0, not {_short(first)}")
    if name == "truncated_normal" and numbers[1] <= 0:
        raise ValueError(f"a deviation must be above 0, not {_short(numbers[1])}")
    return Law(name, numbers)


def _number(value: Any) -> float | int:
    if isinstance(value, str):  # from a command line
        try:
            value = float(value) if any(mark in value.lower() for mark in ".en") else int(value)
        except ValueError:
            raise ValueError(f"{value!r} is not a number") from None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"a number or a distribution such as {{uniform: [0.1, 0.5]}} is needed, not {value!r}")
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a finite number")
    return value


def _truncated_normal(generator: random.Random, mean: float, deviation: float, low: float, high: float) -> float:
    for _ in range(1000):
        value = generator.gauss(mean, deviation)
        if low <= value <= high:
            return value
    return min(max(mean, low), high)  # a window so far out that nothing falls in: its nearer end


def _is_textual(law: Law) -> bool:
    return any(isinstance(argument, (str, bool)) for argument in law.arguments)


def _only(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {name: schema}, "required": [name], "additionalProperties": False}


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
