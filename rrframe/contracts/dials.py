"""Dials: the settings of a degradation, each a fixed value or a distribution, with a mild and a severe end."""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypedDict, TypeVar, Unpack

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from rrframe.errors import did_you_mean

Value = float | int | str | bool
T = TypeVar("T")


@dataclass(frozen=True)
class Law:
    """Where a dial's values come from: the name of a distribution and its arguments."""

    name: str
    arguments: tuple[Value, ...]

    @property
    def ends(self) -> tuple[Value, Value]:
        """The first and the last value that can come out."""
        return _ends(self.name, self.arguments)

    def sample(self, generator: random.Random) -> Value:
        if self.name == "fixed":
            return self.arguments[0]
        if self.name == "choice":
            return generator.choice(self.arguments)
        numbers = [float(argument) for argument in self.arguments]
        first, last = _ends(self.name, numbers)
        if self.name == "integers":
            return generator.randint(int(first), int(last))
        if self.name == "log_uniform":
            return _within(math.exp(generator.uniform(math.log(first), math.log(last))), first, last)
        if self.name == "truncated_normal":
            return _truncated_normal(generator, *numbers)
        return _within(generator.uniform(first, last), first, last)

    def written(self) -> Any:
        """As YAML has it: a bare value, or ``{uniform: [0.1, 0.5]}``."""
        return self.arguments[0] if self.name == "fixed" else {self.name: list(self.arguments)}

    def __str__(self) -> str:
        listed = ", ".join(map(_short, self.arguments))
        return listed if self.name == "fixed" else f"{self.name}({listed})"


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
        whole: Only whole numbers are accepted and come out.
        options: Nothing but these is accepted. ``mild`` is the first or the last, and severity walks from it through
            those that the law draws from.

    Raises:
        ValueError: The settings contradict each other, such as a distribution that reaches outside the bounds.
    """

    law: Law
    mild: Value | None = None
    low: float | None = None
    high: float | None = None
    power: float = 1.0
    unit: str = ""
    about: str = ""
    whole: bool = False
    options: tuple[Value, ...] = ()

    def __post_init__(self) -> None:
        if self.power <= 0:
            raise ValueError(f"power must be above 0, not {_short(self.power)}")
        if self.options:
            if self.mild not in (None, self.options[0], self.options[-1]):
                raise ValueError(f"mild must be the first or the last option, not {self.mild!r}")
            return
        for value in (*(self.law.arguments if self.law.name == "choice" else self.law.ends), self.mild):
            if value is not None and self.low is not None and float(value) < self.low:
                raise ValueError(f"{_short(value)} is below {_short(self.low)}, the least this dial takes")
            if value is not None and self.high is not None and float(value) > self.high:
                raise ValueError(f"{_short(value)} is above {_short(self.high)}, the most this dial takes")

    @property
    def severe(self) -> Value | None:
        """The end that severity 1 means: of the law's ends, the one farther from ``mild``."""
        if self.mild is None:
            return None
        if self.options:
            return self._walk()[-1]
        mild = float(self.mild)
        return max(self.law.ends, key=lambda end: abs(float(end) - mild))

    def take(self, generator: random.Random, severity: float | None = None) -> Value:
        """A value: from the distribution, or for a ``severity`` in [0, 1] on the way from mild to severe where the
        dial has a mild end.

        A dial fixed by the user stays where they put it.
        """
        if severity is None or self.mild is None or self.severe is None or self.law.name == "fixed":
            value = self.law.sample(generator)
        elif self.options:
            walk = self._walk()
            value = walk[round(severity * (len(walk) - 1))]
        else:
            mild, severe, weight = float(self.mild), float(self.severe), severity**self.power
            # Both ends come out exactly, which mild + (severe - mild) * weight does not give.
            value = _within(mild * (1 - weight) + severe * weight, *sorted((mild, severe)))
        return round(float(value)) if self.whole else value

    def _walk(self) -> list[Value]:
        """The options on the way from mild to severe: the mild one, drawn or not, and those that are drawn."""
        ordered = self.options if self.mild == self.options[0] else self.options[::-1]
        return [option for option in ordered if option == self.mild or option in self.law.arguments]

    def with_value(self, value: Any) -> Dial:
        """This dial with what a user wrote: a bare value, or a mapping such as ``{uniform: [0.1, 0.5]}``.

        A number may come as text, as a command line and ``1e-3`` in YAML give it.

        Raises:
            ValueError: It is no value or distribution, or reaches outside the dial's bounds.
        """
        return replace(self, law=self._read(value.law.written() if isinstance(value, Dial) else value))

    def _read(self, value: Any) -> Law:
        if not isinstance(value, Mapping):
            return Law("fixed", (self._value(value),))
        if len(value) != 1:
            raise ValueError(
                f"a distribution is one name with its arguments, such as {{uniform: [0.1, 0.5]}}, not {dict(value)!r}"
            )
        (name, arguments), *_ = value.items()
        if name == "fixed":
            return Law("fixed", (self._value(arguments),))
        if name not in _ARITY:
            raise ValueError(f"unknown distribution {name!r}; {did_you_mean(str(name), _ARITY)}")
        if not isinstance(arguments, (list, tuple)):
            raise ValueError(f"{name} takes a list of arguments, not {arguments!r}")
        if name == "choice":
            chosen = [self._value(argument) for argument in arguments]
            # In order, however they were listed: the ends are then the ends.
            return _law(name, sorted(chosen, key=self.options.index if self.options else float))
        if self.options:
            raise ValueError(f"{name} is for numbers; here choose from {_listed(self.options)}")
        law = _law(name, arguments)
        for end in law.ends if self.whole else ():
            _number(end, whole=True)
        return law

    def _value(self, value: Any) -> Value:
        if not self.options:
            return _number(value, whole=self.whole)
        for option in self.options:
            if str(option) == value or (option == value and isinstance(option, bool) == isinstance(value, bool)):
                return option
        raise ValueError(f"{value!r} is not one of {_listed(self.options)}")

    def json_schema(self) -> dict[str, Any]:
        """What may be written for this dial, as JSON Schema.

        It cannot say that a range goes from the smaller to the larger number, and leaves out numbers given as text.
        """
        about = " ".join(part for part in (self.about, f"[{self.unit}]" if self.unit else "") if part)
        value: dict[str, Any] = {"enum": list(self.options)} if self.options else self._number_schema(self.whole)
        forms = [value, _only("fixed", value), _only("choice", {"type": "array", "items": value, "minItems": 1})]
        if not self.options:
            positive: dict[str, Any] = {"exclusiveMinimum": 0}
            forms += [
                _only("uniform", _array(value, value)),
                _only("log_uniform", _array(value | positive, value | positive)),
                _only("integers", _array(self._number_schema(True), self._number_schema(True))),
                _only("truncated_normal", _array({"type": "number"}, {"type": "number"} | positive, value, value)),
            ]
        return ({"description": about} if about else {}) | {"default": self.law.written(), "anyOf": forms}

    def _number_schema(self, whole: bool) -> dict[str, Any]:
        bounds = {"minimum": self.low, "maximum": self.high}
        return {"type": "integer" if whole else "number"} | {
            name: bound for name, bound in bounds.items() if bound is not None
        }

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
    return Dial(_law("integers", [first, last]), whole=True, **settings)


def choice(*options: Value, mild: Value | None = None, unit: str = "", about: str = "") -> Dial:
    """One of ``options``. Where ``mild`` is the first or the last of them, severity walks through them in order."""
    return Dial(_law("choice", options), mild, unit=unit, about=about, options=options)


def fixed(value: float, **settings: Unpack[Settings]) -> Dial:
    """A number that does not vary unless a recipe makes it."""
    return Dial(Law("fixed", (_number(value),)), **settings)


def _law(name: str, arguments: Sequence[Any]) -> Law:
    arity = _ARITY[name]
    if (arity is None and not arguments) or (arity is not None and len(arguments) != arity):
        raise ValueError(f"{name} takes {arity or 'one or more'} arguments, not {len(arguments)}")
    if name == "choice":
        return Law(name, tuple(arguments))
    numbers = tuple(_number(argument, whole=name == "integers") for argument in arguments)
    first, last = _ends(name, numbers)
    if first > last:
        raise ValueError(
            f"{name} goes from the smaller to the larger number, not from {_short(first)} to {_short(last)}"
        )
    if name == "log_uniform" and first <= 0:
        raise ValueError(f"log_uniform needs numbers above 0, not {_short(first)}")
    if name == "truncated_normal" and numbers[1] <= 0:
        raise ValueError(f"a deviation must be above 0, not {_short(numbers[1])}")
    return Law(name, numbers)


def _ends(name: str, arguments: Sequence[T]) -> tuple[T, T]:
    return (arguments[2], arguments[3]) if name == "truncated_normal" else (arguments[0], arguments[-1])


def _number(value: Any, *, whole: bool = False) -> float | int:
    number = value
    if isinstance(value, str):
        try:
            number = float(value) if any(mark in value.lower() for mark in ".en") else int(value)
        except ValueError:
            raise ValueError(f"{value!r} is not a number") from None
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise ValueError(f"a number or a distribution such as {{uniform: [0.1, 0.5]}} is needed, not {value!r}")
    if not abs(number) <= sys.float_info.max:  # true of NaN too
        raise ValueError(f"{value} is not a finite number")
    if whole and number != int(number):
        raise ValueError(f"a whole number is needed, not {value}")
    return int(number) if whole else number


def _within(value: float, first: float, last: float) -> float:
    return min(max(value, first), last)  # rounding can carry a value past its end


def _truncated_normal(generator: random.Random, mean: float, deviation: float, low: float, high: float) -> float:
    for _ in range(1000):
        value = generator.gauss(mean, deviation)
        if low <= value <= high:
            return value
    return _within(mean, low, high)  # a window so far out that nothing falls in: its nearer end


def _only(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {name: schema}, "required": [name], "additionalProperties": False}


def _array(*items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "prefixItems": list(items), "minItems": len(items), "maxItems": len(items)}


def _listed(values: Sequence[Value]) -> str:
    return ", ".join(map(repr, values))


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
