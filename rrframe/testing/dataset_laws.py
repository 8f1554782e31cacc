"""Laws of datasets."""

from __future__ import annotations

import json
import pickle
from collections import Counter
from collections.abc import Sequence

import numpy as np

from rrframe.contracts.dataset import Dataset, Item, Sample
from rrframe.errors import did_you_mean
from rrframe.manager import get_manager
from rrframe.testing.checks import Broken, check, for_each
from rrframe.testing.component_laws import survives_its_params
from rrframe.testing.examples import Reading, readings
from rrframe.testing.subjects import Subject


@check(survives_its_params)
def lists_pairs(subject: Subject) -> None:
    """items gives a sequence of Items, one or more, each key once."""
    items = _listed(subject)
    if not isinstance(items, Sequence) or not len(items):
        raise Broken(f"items gives {'an empty list' if isinstance(items, Sequence) else type(items).__name__}")
    for number, item in enumerate(items):
        if not isinstance(item, Item) or not all(isinstance(part, str) and part for part in item):
            raise Broken(f"item {number} is {item!r}, not an Item of three words")
    key, times = Counter(item.key for item in items).most_common(1)[0]
    if times > 1:
        raise Broken(f"{times} items have the key {key!r}")
    for number in (0, len(items) // 2, len(items) - 1):
        if items[number] != next(item for place, item in enumerate(items) if place == number):
            raise Broken(f"items[{number}] is {items[number]}, and iterating gives another there")


@check(lists_pairs)
def lists_the_same_again(subject: Subject) -> None:
    """The list is the same at the second call, of a new component, and of one that was sent to another process."""
    known = list(_listed(subject))
    others = {
        "at the second call": _listed(subject),
        "of a new component": _dataset(subject.made()).items(),
        "of a component that was pickled": _dataset(pickle.loads(pickle.dumps(subject.component))).items(),
    }
    for which, items in others.items():
        if list(items) != known:
            raise Broken(f"the list {which} is another")


@check(lists_pairs)
def tasks_are_known(subject: Subject) -> None:
    """The task of every item is one that a plugin announces."""
    known = get_manager().table("task")
    for task in dict.fromkeys(item.task for item in _listed(subject)):
        if task not in known:
            raise Broken(f"{task!r} is no task; {did_you_mean(task, known)}")


@check(lists_pairs)
def gives_pairs(subject: Subject) -> None:
    """read gives a Sample: two arrays of one size, [H, W, 3] uint8 or uint16, and what JSON can hold of them."""

    def law(example: Reading) -> None:
        (call,) = example.calls(subject)
        sample = call.run()
        if not isinstance(sample, Sample):
            raise Broken(f"read gives a {type(sample).__name__}, not a Sample")
        for side, pixels in (("degraded", sample.degraded), ("clean", sample.clean)):
            told = f"{pixels.dtype} {pixels.shape}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
            if told != f"{sample.clean.dtype} {sample.clean.shape}" or sample.clean.shape[2:] != (3,):
                raise Broken(f"{side} is {told}; both are [H, W, 3] and alike")
            if pixels.dtype not in (np.uint8, np.uint16):
                raise Broken(f"{side} is {told}, neither uint8 nor uint16")
        json.dumps(sample.meta, allow_nan=False)

    for_each(readings(subject), law)


def _listed(subject: Subject) -> Sequence[Item]:
    return _dataset(subject.component).items()


def _dataset(component: object) -> Dataset:
    assert isinstance(component, Dataset)
    return component
