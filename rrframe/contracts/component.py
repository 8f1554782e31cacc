"""The base of everything that a plugin provides under a name, and how one component holds another in a recipe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, PrivateAttr, ValidationError
from pydantic_core import CoreSchema, core_schema

from rrframe.contracts.problems import Location, failure, from_error, nested, problem, translate
from rrframe.errors import RRFrameError, RRFrameErrors, did_you_mean
from rrframe.manager import get_manager

if TYPE_CHECKING:
    from rrframe.manager import Entry


class Component(BaseModel):
    """Settings with behaviour. The fields are the ``params`` of the YAML; unknown ones are refused.

    Making a component is light and has no side effect: models are loaded and files opened at first use, so that a
    recipe can be validated on a machine that could never run it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), use_attribute_docstrings=True)
    kind: ClassVar[str]
    """What kind of component this is: one of ``rrframe.specs.KINDS``. Set by the contract, not by plugins."""

    _entry: Entry | None = PrivateAttr(default=None)
    _id: str | None = PrivateAttr(default=None)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        for name in cls.model_fields:
            hides = next(
                (base for base in cls.__mro__[1:] if name in {*vars(base), *vars(base).get("__class_vars__", ())}), None
            )
            if hides:
                raise TypeError(
                    f"{cls.__qualname__}.{name} hides {hides.__qualname__}.{name}; call the param otherwise"
                )

    @property
    def entry(self) -> Entry | None:
        """The row of the lookup table that this component was made from, if it came from one."""
        return self._entry or get_manager().entry_of(type(self))

    @property
    def name(self) -> str:
        """The registered name, or the class's own for a class that no plugin announces."""
        return self.entry.spec.name if self.entry else f"{type(self).__module__}:{type(self).__qualname__}"

    @property
    def plugin(self) -> str | None:
        """The distribution and version that this component comes from."""
        return str(self.entry.plugin) if self.entry else None

    def params(self) -> dict[str, Any]:
        """All settings, defaults included, as plain JSON values: what ``params`` in a recipe would say."""
        return self.model_dump(mode="json")

    def relies_on(self) -> tuple[str, ...]:
        """Distributions whose version may change what comes out, besides the plugin's own; records name them."""
        return ()

    @classmethod
    def make(cls, params: Mapping[str, Any]) -> Self:
        """A component of this class from ``params``.

        Raises:
            RRFrameErrors: Everything that does not fit, together.
        """
        try:
            return cls.model_validate(dict(params))
        except ValidationError as error:
            raise RRFrameErrors([found for _, found in translate(error, model=cls, given=params)]) from None


def create(name: str, params: Mapping[str, Any] | None = None, *, kinds: tuple[str, ...] = ()) -> Component:
    """The component called ``name`` made from ``params``.

    Raises:
        RRFrameError: There is no such component among ``kinds``, or it cannot be imported.
        RRFrameErrors: ``params`` do not fit.
    """
    manager = get_manager()
    entry = manager.find(name, *kinds)
    cls = manager.load(entry)
    try:
        return manager.create(name, params, kinds=kinds)
    except ValidationError as error:
        found = translate(error, model=cls, given=params or {}, component=name, plugin=str(entry.plugin))
        raise RRFrameErrors([each for _, each in found]) from None


@contextmanager
def attributed(component: Component, doing: str, wrong: type[RRFrameError] = RRFrameError) -> Iterator[None]:
    """Names the component and its plugin in whatever goes wrong inside, as an error of the type ``wrong``.

    What the system refuses (a full disk, an interrupt) passes unchanged.
    """
    try:
        yield
    except (RRFrameError, MemoryError, KeyboardInterrupt):
        raise
    except Exception as error:
        said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        hint = f"rrframe check {component.name} looks for the cause" if component.kind == "degradation" else None
        raise wrong(f"{doing} failed: {said}", component=component.name, plugin=component.plugin, hint=hint) from error


class Used:
    """Marks a recipe field as holding a component of the given kinds, written ``{use: NAME, params: {...}}``.

    ```python
    source: Annotated[Source, Used("source")]
    ```
    The component's own model validates ``params``; its errors keep their place in the YAML. A step of a chain may
    carry an ``id`` too.
    """

    def __init__(self, *kinds: str) -> None:
        self.kinds = kinds

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        serialization = core_schema.plain_serializer_function_ser_schema(as_use)
        return core_schema.no_info_plain_validator_function(self._validate, serialization=serialization)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        # A placeholder: what may stand here depends on the plugins installed. rrframe.recipe.schema fills it in.
        return {"x-rrframe-kinds": list(self.kinds)}

    def _validate(self, value: Any) -> Component:
        if isinstance(value, Component):
            if value.kind not in {"degradation" if kind == "effect" else kind for kind in self.kinds}:
                raise problem(f"a {' or '.join(self.kinds)} is needed here, and {value.name} is a {value.kind}")
            return value
        if not isinstance(value, Mapping):
            raise problem(
                f"a {' or '.join(self.kinds)} is written {{use: NAME, params: {{...}}}}",
                hint=f"rrframe plugins --kind {self.kinds[0]}",
            )
        allowed = {"use", "params"} | ({"id"} if "degradation" in self.kinds else set())
        problems: dict[Location, Any] = {
            (str(key),): problem(f"unknown key {str(key)!r}", hint=did_you_mean(str(key), allowed))
            for key in value
            if key not in allowed
        }
        name = value.get("id")
        if "id" in allowed and name is not None and (not isinstance(name, str) or not name):
            problems["id",] = problem(f"an id is a word, not {name!r}")
        try:
            component = self._create(value)
        except ValidationError as error:
            problems |= nested(error)
        if problems:
            raise failure(problems)
        component._id = name
        return component

    def _create(self, value: Mapping[str, Any]) -> Component:
        name, params = value.get("use"), value.get("params")
        if not isinstance(name, str):
            listing = f"rrframe plugins --kind {self.kinds[0]}"
            raise failure({("use",): problem("'use' is missing: it names the component", hint=listing)})
        if params is not None and not isinstance(params, Mapping):
            raise failure({("params",): problem("params must be a mapping of names to values")})
        manager = get_manager()
        try:
            entry = manager.find(name, *self.kinds)
            cls = manager.load(entry)
        except RRFrameError as error:
            raise failure({("use",): from_error(error)}) from None
        where = {"component": name, "plugin": str(entry.plugin)}
        try:
            return manager.create(name, params, kinds=self.kinds)
        except ValidationError as error:
            raise failure(nested(error, ("params",), model=cls, given=params or {}, **where)) from None
        except Exception as error:  # a plugin's own validator fell over
            said = problem(f"making it failed: {type(error).__name__}: {error}", **where)
            raise failure({("params",): said}) from error


def as_use(component: Component) -> dict[str, Any]:
    """``component`` as a recipe writes it, every default filled in."""
    written: dict[str, Any] = {"use": component.name, "params": component.params()}
    return written | ({"id": component._id} if component._id else {})
