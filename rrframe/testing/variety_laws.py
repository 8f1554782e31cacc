"""Laws of what a degradation's draws do: seeds and dials matter, and severity goes from nothing to much."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise, product

from rrframe.contracts.chain import Chain
from rrframe.contracts.cue import Cues
from rrframe.contracts.degradation import Degradation
from rrframe.contracts.dials import Law, Value
from rrframe.contracts.draw import Draw
from rrframe.testing.calls import digest
from rrframe.testing.checks import Broken, NotApplicable, check
from rrframe.testing.degradation_laws import replays_from_json, sound
from rrframe.testing.examples import Degrading
from rrframe.testing.pictures import Picture
from rrframe.testing.purity_laws import same_input_same_bytes
from rrframe.testing.subjects import Subject
from rrframe.testing.watching import generators_made

_PICTURE = Picture(384, 384)  # lengths scale with the image, and come to a pixel only in a large one
_CLIPPED = Picture(384, 384, pattern="extreme")  # for dials of what is black or white only
_SEEDS = range(4)
_MANY_SEEDS = range(32)  # for dials that only some draws take: the first that does ends the search
_SEVERITIES = (0.0, 0.25, 0.5, 0.75, 1.0)
_NEAR = 0.01  # root mean square over encoded values in [0, 1]: 40 dB
_SLACK = 0.05  # of the greatest distance: noise, and dials that go in steps, do not grow at every one


@check(same_input_same_bytes, replays_from_json)
def different_seeds_differ(subject: Subject) -> None:
    """Where anything is random, different seeds give different images.

    Random is what draws different values for different keys, and what makes a generator while it works, be it
    through ``draw.rng``.
    """
    examples = [Degrading(_PICTURE, None, seed) for seed in _SEEDS]
    drawn = [example.draws(subject) for example in examples]
    varies = len({_values(draws) for draws in drawn}) > 1
    if varies and _all_alike(_results(subject, examples, drawn)):
        raise Broken("different values are drawn for different seeds, and every image comes out the same", examples[0])
    # The same values with other seeds: only generators can tell them apart.
    held = [[_reseeded(draw, seed) for draw in drawn[0]] for seed in _SEEDS]
    calls = [examples[0].calls(subject, draws) for draws in held]
    with generators_made() as made:
        alike = _all_alike(digest([call.run() for call in group]) for group in calls)
    if made and alike:
        found = f"it makes {made[0]}, and its numbers are the same for every seed; take them from draw.rng"
        raise Broken(found, examples[0])
    if not varies and not made:
        raise NotApplicable("nothing in it is random")


@check(different_seeds_differ)
def every_dial_matters(subject: Subject) -> None:
    """Every dial that varies changes the image for some of its values."""
    component = subject.component
    assert isinstance(component, Degradation)
    values = {name: _values_of(dial.law) for name, dial in component.dials().items()}
    if all(len(set(some)) == 1 for some in values.values()):
        raise NotApplicable("no dial varies")
    for name, some in values.items():
        tries = product(_MANY_SEEDS, (_PICTURE, _CLIPPED))
        if len(set(some)) > 1 and not any(_matters(subject, name, some, picture, seed) for seed, picture in tries):
            told = ", ".join(f"{value:.4g}" if isinstance(value, float) else str(value) for value in some)
            raise Broken(f"{name} changes nothing, be it {told}", Degrading(_PICTURE))


def _values_of(law: Law) -> list[Value]:
    # The ends alone would not do: an angle's mean the same.
    first, last = law.ends
    return [first, last, *(law.sample(random.Random(number)) for number in range(3))]


def _matters(subject: Subject, dial: str, values: Iterable[Value], picture: Picture, seed: int) -> bool:
    examples = [Degrading(picture, None, seed, ((dial, value),)) for value in values]
    return not _all_alike(digest([call.run() for call in example.calls(subject)]) for example in examples)


@check(same_input_same_bytes, *sound)
def distance_grows_with_severity(subject: Subject) -> None:
    """The farther severity goes from 0 to 1, the farther the image is from the target, seeds being the same."""
    distances = _distances(subject, _SEVERITIES)
    told = ", ".join(f"{severity:g}: {distance:.4f}" for severity, distance in zip(_SEVERITIES, distances, strict=True))
    slack = _SLACK * max(distances)
    if distances[-1] <= distances[0] + slack:
        raise Broken(f"severity 1 is no farther from the target than severity 0; distances are {told}", _batch(0.0))
    for index, (before, after) in enumerate(pairwise(distances)):
        if after < before - slack:
            raise Broken(f"the distance falls on the way; distances are {told}", _batch(_SEVERITIES[index + 1]))


@check(distance_grows_with_severity)
def severity_zero_is_identity(subject: Subject) -> None:
    """At severity 0 the image is the target, within a root mean square of 0.01 (40 dB)."""
    distance = _distances(subject, (0.0,))[0]
    if distance > _NEAR:
        raise Broken(f"the image lies {distance:.4f} from the target at severity 0; check the mild ends", _batch(0.0))


def _distances(subject: Subject, severities: Sequence[float]) -> list[float]:
    """The root mean square between image and target, encoded, for each severity, over a batch of textures."""
    component = subject.component
    assert isinstance(component, Degradation)
    if not _follows_severity(subject, component):
        raise NotApplicable("no dial has a mild end")
    chain, example = Chain((component,)), _batch(0.0)
    images = example.picture.tensor()
    cues = Cues(subject.maps(component.needs(), images))
    distances = []
    for severity in severities:
        steps = replace(example, severity=severity).draws(subject)
        draws = [Draw(seed=step.seed, steps=(step,)) for step in steps]
        target = chain.retarget(images.clone(), draws, cues)
        apart = chain.apply(images.clone(), draws, cues).detach() - target.detach()
        distances.append(float(apart.square().mean().sqrt()))
    return distances


def _follows_severity(subject: Subject, component: Degradation) -> bool:
    if any(dial.mild is not None and dial.law.name != "fixed" for dial in component.dials().values()):
        return True
    # An effect has no such dial, but its inner steps may.
    mild, severe = [[_values(Degrading(_PICTURE, end, seed).draws(subject)) for seed in _SEEDS] for end in (0.0, 1.0)]
    return mild != severe


def _batch(severity: float) -> Degrading:
    return Degrading(replace(_PICTURE, batch=2), severity)


def _results(subject: Subject, examples: Iterable[Degrading], drawn: Iterable[list[Draw]]) -> Iterator[str]:
    for example, draws in zip(examples, drawn, strict=True):
        yield digest([call.run() for call in example.calls(subject, draws)])


def _all_alike(results: Iterable[str]) -> bool:
    """Looks no farther than the first that differs."""
    each = iter(results)
    first = next(each)
    return all(other == first for other in each)


def _values(draws: Iterable[Draw]) -> str:
    """What was drawn, seeds left out."""
    return repr([(sorted(draw.values.items()), _values(draw.steps)) for draw in draws])


def _reseeded(draw: Draw, shift: int) -> Draw:
    steps = tuple(_reseeded(step, shift) for step in draw.steps)
    return draw.model_copy(update={"seed": draw.seed + shift, "steps": steps})
