"""The mixer: exact in every block, everything once an epoch, a pure function of the place."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rrframe.pairs.mixing import LARGEST_BLOCK, Cell, Mixer
from rrframe.pairs.shuffle import Shuffle
from rrframe.rng import Key

KEY = Key.of("test")


def cells(**sources: tuple[int, ...]) -> dict[Cell, int]:
    """So many pairs of each task, numbered, of each source."""
    return {Cell(name, str(task)): size for name, sizes in sources.items() for task, size in enumerate(sizes)}


def shares(sizes: dict[Cell, int], **sources: int) -> dict[Cell, Fraction]:
    """The shares of sources, spread evenly over their tasks."""
    tasks = Counter(cell.source for cell in sizes)
    return {cell: Fraction(sources[cell.source], tasks[cell.source]) for cell in sizes if cell.source in sources}


@given(size=st.integers(1, 3000), name=st.text(max_size=5))
@settings(max_examples=30, deadline=None)
def test_a_shuffle_holds_every_number_once(size: int, name: str) -> None:
    shuffle = Shuffle(Key.of(name), size)
    assert sorted(shuffle[place] for place in range(size)) == list(range(size))


def test_shuffles_of_other_keys_differ() -> None:
    one, other = ([Shuffle(Key.of(name), 100)[place] for place in range(100)] for name in "ab")
    assert one != other
    assert one != sorted(one)


def test_two_to_eight_over_nine_tasks_is_exact_in_every_block() -> None:
    sizes = cells(synthetic=(50,) * 9, real=(7,) * 9)
    mixer = Mixer(sizes, shares(sizes, synthetic=2, real=8), key=KEY)
    assert mixer.block == 45  # nine tasks, one pair to four
    for number in range(20):
        block = Counter(mixer[number * mixer.block + place].cell for place in range(mixer.block))
        assert block == {cell: 1 if cell.source == "synthetic" else 4 for cell in sizes}


@given(
    weights=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    sizes=st.lists(st.integers(1, 12), min_size=4, max_size=4),
    name=st.text(max_size=3),
)
@settings(max_examples=40, deadline=None)
def test_every_pair_comes_once_before_any_comes_again(weights: list[int], sizes: list[int], name: str) -> None:
    known = {Cell("one", str(task)): size for task, size in enumerate(sizes)}
    wanted = {Cell("one", str(task)): Fraction(weight) for task, weight in enumerate(weights)}
    mixer = Mixer(known, wanted, key=Key.of(name))
    taken = [mixer[place] for place in range(3 * mixer.block * max(sizes))]
    assert len(taken) == len(set(taken))  # no pair twice in an epoch
    for cell in mixer.cells:
        epochs = [place.epoch for place in taken if place.cell == cell]
        assert epochs == sorted(epochs) or set(epochs) == set(range(max(epochs) + 1))
        whole = Counter(epochs)
        assert all(whole[epoch] == known[cell] for epoch in range(max(epochs)))


def test_a_ramp_goes_from_one_mix_to_the_other_and_stays() -> None:
    sizes = cells(synthetic=(100,) * 3, real=(100,) * 3)
    mixer = Mixer(sizes, shares(sizes, synthetic=1, real=0), shares(sizes, synthetic=2, real=8), 20_000, key=KEY)
    assert mixer.block == 990  # a multiple of 15, in which 2 : 8 over three tasks comes out even
    real = [
        sum(count for cell, count in mixer.counts(first, first + 990).items() if cell.source == "real")
        for first in range(0, 30 * 990, 990)
    ]
    changing = 21  # blocks, the last begins within the ramp
    assert real[:changing] == sorted(real[:changing])
    assert real[0] == pytest.approx(0.8 * 990 / changing / 2, abs=1)  # the mean share of the first block
    assert sum(real[:changing]) == pytest.approx(changing * 990 * 0.4, abs=1)
    assert real[changing:] == [792] * 9


@given(first=st.integers(0, 5000), length=st.integers(0, 3000), ramp=st.booleans())
@settings(max_examples=15, deadline=None)
def test_counts_are_what_stands_there(first: int, length: int, ramp: bool) -> None:
    sizes = cells(a=(5, 9), b=(3,))
    begin, end = shares(sizes, a=3, b=1), shares(sizes, a=1, b=4)
    mixer = Mixer(sizes, begin, end if ramp else None, 4000 if ramp else 0, key=KEY)
    found = Counter(mixer[place].cell for place in range(first, first + length))
    assert mixer.counts(first, first + length) == {cell: found[cell] for cell in mixer.cells}


def test_a_share_too_small_for_a_block_is_not_left_out() -> None:
    sizes = cells(a=(1_000_000, 3))
    mixer = Mixer(sizes, {cell: Fraction(size) for cell, size in sizes.items()}, key=KEY)
    assert mixer.block == LARGEST_BLOCK
    assert min(mixer.counts(0, LARGEST_BLOCK).values()) == 1


def test_a_source_without_a_pair_is_refused() -> None:
    sizes = cells(a=(5,), b=(0,))
    with pytest.raises(ValueError, match="no pair of"):
        Mixer(sizes, shares(sizes, a=1, b=1), key=KEY)
