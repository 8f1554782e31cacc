"""Laws of metrics: which way they point, what an image scores against itself, what they do with sizes."""

from __future__ import annotations

from collections.abc import Callable

import torch

from rrframe.contracts.metric import READS, Metric
from rrframe.errors import RRFrameError
from rrframe.testing.calls import Facts
from rrframe.testing.checks import Broken, NotApplicable, check, for_each
from rrframe.testing.component_laws import is_described, survives_its_params
from rrframe.testing.examples import facts_of
from rrframe.testing.measuring import Measuring, measuring_examples
from rrframe.testing.purity_laws import leaves_its_input_alone, runs
from rrframe.testing.subjects import Subject

_NEAR = 1e-4  # of the greatest score in question, or of 1
_SHARES = (0.0, 0.1, 0.3, 0.6)


@check(is_described, survives_its_params)
def says_what_it_means(subject: Subject) -> None:
    """It says what it reads, which way is better, and a range whose least value is below its greatest."""
    metric = _metric(subject)
    facts = ("reads", "higher_is_better", "range")
    if unsaid := [fact for fact in facts if not hasattr(metric, fact)]:
        raise Broken(f"it does not say {' nor '.join(unsaid)}")
    if metric.reads not in READS:
        raise Broken(f"reads is {metric.reads!r}, which is none of {', '.join(READS)}")
    low, high = metric.range
    if low is not None and high is not None and not low < high:
        raise Broken(f"the range goes from {low} to {high}")


@check(says_what_it_means, runs)
def gives_one_score_an_image(subject: Subject) -> None:
    """The scores are float32, one for each image: [B]."""

    def law(facts: Facts) -> None:
        if facts.shape != facts.given[:1] or facts.dtype != torch.float32:
            raise Broken(f"score gives {facts.shape} of {facts.dtype} for {facts.given}")

    _for_all_scores(subject, law)


@check(gives_one_score_an_image)
def is_finite(subject: Subject) -> None:
    """No score is NaN or infinite: reports and means hold numbers."""

    def law(facts: Facts) -> None:
        if facts.odd:
            raise Broken(f"score gives {facts.odd} values that are not finite")

    _for_all_scores(subject, law)


@check(is_finite)
def stays_in_its_range(subject: Subject) -> None:
    """No score lies outside the range that it says."""
    low, high = _metric(subject).range

    def law(facts: Facts) -> None:
        if (low is not None and facts.low < low - _slack(low)) or (
            high is not None and facts.high > high + _slack(high)
        ):
            raise Broken(f"scores go from {facts.low:.6g} to {facts.high:.6g}, and its range from {low} to {high}")

    _for_all_scores(subject, law)


@check(is_finite, leaves_its_input_alone)
def identical_images_score_best(subject: Subject) -> None:
    """An image compared with itself gets the ideal score, which no other image exceeds."""
    metric = _comparing(subject)

    def law(example: Measuring) -> None:
        images, changed = example.restored(), example.references()
        for itself, other in zip(metric(images, images).tolist(), metric(changed, images).tolist(), strict=True):
            if metric.ideal is not None and abs(itself - metric.ideal) > _slack(metric.ideal):
                raise Broken(f"an image scores {itself:.6g} against itself, and the ideal is {metric.ideal:.6g}")
            if _better(metric, other, itself):
                raise Broken(f"an image scores {itself:.6g} against itself, and a changed one {other:.6g}")

    for_each(measuring_examples(subject), law)


@check(identical_images_score_best)
def worse_images_score_worse(subject: Subject) -> None:
    """The more noise is mixed into an image, the worse it scores against the image without, as it says."""
    metric = _comparing(subject)

    def law(example: Measuring) -> None:
        clean = example.restored()
        noise = example.noise()
        scores = [metric(clean.lerp(noise, share), clean) for share in _SHARES]
        for share, milder, stronger in zip(_SHARES[1:], scores, scores[1:], strict=False):
            for before, after in zip(milder.tolist(), stronger.tolist(), strict=True):
                if not _better(metric, before, after):
                    raise Broken(
                        f"a share of {share:g} of noise turns {before:.6g} into {after:.6g}, which is no worse"
                    )

    for_each(measuring_examples(subject, patterns=("texture",)), law)


@check(is_finite, leaves_its_input_alone)
def is_symmetric(subject: Subject) -> None:
    """Where it says that the two images can change places, they can."""
    metric = _comparing(subject)
    if not metric.symmetric:
        raise NotApplicable("it does not say that it is")

    def law(example: Measuring) -> None:
        one, other = example.restored(), example.references()
        for there, back in zip(metric(one, other).tolist(), metric(other, one).tolist(), strict=True):
            if abs(there - back) > _slack(max(abs(there), abs(back))):
                raise Broken(f"it gives {there:.6g}, and {back:.6g} with the images in each other's place")

    for_each(measuring_examples(subject), law)


@check(is_finite)
def treats_other_sizes_as_it_says(subject: Subject) -> None:
    """Two images of different sizes are refused with an RRFrameError, or scored, as sizes says."""
    metric = _comparing(subject)
    images = measuring_examples(subject)[0].restored()
    try:
        scores = metric(images, images[..., :-1])
    except RRFrameError as error:
        if metric.sizes == "resized":
            raise Broken(f"sizes says that they are resized, and they are refused: {error.message}") from None
        return
    if metric.sizes == "refused":
        raise Broken(f"sizes says that they are refused, and they score {scores.tolist()}")


def _metric(subject: Subject) -> Metric:
    assert isinstance(subject.component, Metric)
    return subject.component


def _comparing(subject: Subject) -> Metric:
    metric = _metric(subject)
    if not metric.compares:
        raise NotApplicable("it compares with nothing")
    return metric


def _better(metric: Metric, one: float, other: float) -> bool:
    """Whether ``one`` is better than ``other`` by more than rounding."""
    gain = one - other if metric.higher_is_better else other - one
    return gain > _slack(max(abs(one), abs(other))) / 10


def _slack(value: float) -> float:
    return _NEAR * max(1.0, abs(value))


def _for_all_scores(subject: Subject, law: Callable[[Facts], None]) -> None:
    def each(example: Measuring) -> None:
        for facts in facts_of(subject, example):
            law(facts)

    for_each(measuring_examples(subject), each)
