"""The checks as pytest tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rrframe.errors import RRFrameError
from rrframe.testing.subjects import Effort, Provider, What, subjects_named
from rrframe.testing.trial import Trial


def conformance(
    *what: What,
    cues: Mapping[str, Provider] | None = None,
    expected_failures: Mapping[str, Mapping[str, str]] | None = None,
    effort: Effort | None = None,
) -> Callable[..., None]:
    """A test function with one test for each check of each component.

    ```python
    test_conformance = conformance(
        "rrframe-fog",  # everything that the distribution announces
        ("fog/lamps", {"count": 3}),  # given params, in place of its defaults
        expected_failures={"fog/bank": {"stays-in-range": "lamps are brighter than white, clipped by the sink"}},
    )
    ```
    Each is called like ``test_conformance[fog/bank-stays-in-range]``, so that ``-k`` finds it.

    Args:
        what: Names of components, classes, instances, ``(name or class, params)``; modules, distributions, plugins. A
            component named again replaces what was said of it before.
        cues: Providers of cues by name: a ``Cue``, or a function from images ``[B, 3, H, W]`` to maps ``[B, C, H, W]``.
            Default providers give the rest, and a synthetic picture the cue ``partner``.
        expected_failures: Component to check to reason. They are strict: one that passes is a failure. A class may
            have them itself, as ``expected_failures: ClassVar[dict[str, str]]``.
        effort: How many examples, and chosen from which seed.

    Raises:
        RRFrameError: Something named here does not exist, or there is nothing to check.
    """
    import pytest

    found = [subject for one in what for subject in subjects_named(one, cues=cues, effort=effort)]
    subjects = {(subject.kind, subject.name): subject for subject in found}  # a name may stand in two kinds
    unknown = sorted(set(expected_failures or {}) - {name for _, name in subjects})
    if unknown:
        raise RRFrameError(f"expected_failures names {unknown[0]!r}, which is not checked here")
    trials = [Trial(subject, (expected_failures or {}).get(name)) for (_, name), subject in subjects.items()]
    cases = [
        pytest.param(trial, check, id=f"{trial.subject.name}-{check}") for trial in trials for check in trial.checks
    ]
    if not cases:
        raise RRFrameError("there is nothing to check", hint="name a component, a module or a distribution")

    @pytest.mark.parametrize(("trial", "check"), cases)
    def test_conformance(trial: Trial, check: str) -> None:
        outcome = trial.outcome(check)
        if outcome.status == "failed":
            pytest.fail(outcome.render(), pytrace=False)
        if outcome.status == "skipped":
            pytest.skip(outcome.reason)
        if outcome.status == "expected failure":
            pytest.xfail(outcome.reason)

    function: Callable[..., None] = test_conformance
    return function
