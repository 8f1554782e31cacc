"""One error type. Everything that goes wrong for a user carries four things: the plugin, the component, the YAML
path, and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class RRFrameError(Exception):
    """A failure that a user can act on.

    Args:
        message: What is wrong, as one sentence.
        plugin: The plugin's distribution and version, such as ``"rrframe-fog 1.2"``.
        component: The component's name, such as ``"haze/scattering"``.
        path: Where in the recipe, such as ``"tasks.haze.chain[0].params.beta"``.
        place: The file and line that ``path`` lies on, or the override that set it.
        hint: What to do next.
    """

    exit_code = 2
    """What the command line exits with: 2, the input is wrong, unless a subclass says otherwise."""

    def __init__(
        self,
        message: str,
        *,
        plugin: str | None = None,
        component: str | None = None,
        path: str | None = None,
        place: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.plugin = plugin
        self.component = component
        self.path = path
        self.place = place
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:  # crosses process borders whole
        return (_rebuild, (type(self), self.__dict__))

    def render(self) -> str:
        """The message followed by those of the four things that are known, a line each."""
        where = " ".join(part for part in (self.path, f"({self.place})" if self.place else None) if part)
        details = {"where": where, "component": self.component, "plugin": self.plugin, "try": self.hint}
        return "\n".join([self.message, *(f"  {label + ':':<11}{text}" for label, text in details.items() if text)])

    def __str__(self) -> str:
        return self.render()


class RRFrameErrors(RRFrameError):
    """Several failures reported together, so that a recipe is mended in one go."""

    def __init__(self, errors: Iterable[RRFrameError], *, message: str | None = None) -> None:
        self.errors: Sequence[RRFrameError] = tuple(errors)
        count = len(self.errors)
        super().__init__(message or f"{count} problem{'s' if count != 1 else ''} found")

    def render(self) -> str:
        return "\n".join([*(error.render() for error in self.errors), self.message])


def did_you_mean(name: str, known: Iterable[str], *, listing: str | None = None) -> str:
    """A hint for a name that is not known: the nearest names, or else how to list them all."""
    import difflib  # only failures need it

    names = sorted(known)
    likeness = {known_name: difflib.SequenceMatcher(None, name, known_name).ratio() for known_name in names}
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    near = [one for one in near if likeness[one] > likeness[near[0]] - 0.15]  # beside a hit, the rest is noise
    if not near:  # "scattering" for "haze/scattering"
        near = [known_name for known_name in names if name in known_name.split("/")][:3]
    if near:
        return "did you mean " + " or ".join(near) + "?"
    if listing:
        return f"see them all with: {listing}"
    return "known here: " + (", ".join(names) if names else "none")


def _rebuild(cls: type[RRFrameError], state: dict[str, object]) -> RRFrameError:
    error = cls.__new__(cls)
    Exception.__init__(error, state["message"])
    error.__dict__.update(state)
    return error
