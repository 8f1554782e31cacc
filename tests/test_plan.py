"""The plan of a run: tasks dealt in exact proportion, pairs known by their number alone."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrframe.recipe import SynthesisRecipe
from rrframe.synthesis.deck import Deck
from rrframe.synthesis.plan import Plan

weights = st.dictionaries(st.text("abcdefgh", min_size=1), st.integers(1, 12), min_size=1, max_size=9)


@given(weights, st.integers(0, 2**32))
def test_every_deck_holds_the_exact_proportions(weights, seed):
    deck = Deck(weights, seed)
    for number in range(3):
        dealt = Counter(deck.task(number * deck.size + card) for card in range(deck.size))
        total = sum(weights.values())
        assert all(dealt[task] * total == weight * deck.size for task, weight in weights.items())


@given(weights, st.integers(0, 2**32))
def test_the_first_cards_come_close_to_the_proportions(weights, seed):
    deck, total = Deck(weights, seed), sum(weights.values())
    dealt: Counter[str] = Counter()
    for card in range(1, deck.size + 1):
        dealt[deck.task(card - 1)] += 1
        for task, weight in weights.items():
            assert abs(dealt[task] - card * weight / total) <= 2


def test_nine_equal_tasks_are_all_in_every_nine_pairs():
    names = ["blur", "compression", "flare", "haze", "lowlight", "moire", "noise", "rain", "reflection"]
    deck = Deck(dict.fromkeys(names, 1.0), 7)
    hands = [[deck.task(9 * hand + card) for card in range(9)] for hand in range(20)]
    assert all(sorted(hand) == names for hand in hands)
    assert len({tuple(hand) for hand in hands}) > 15, "the deck is not shuffled anew"


def test_a_weight_of_zero_leaves_a_task_out_and_fractions_count():
    deck = Deck({"haze": 0.5, "noise": 0.25, "rain": 0}, 1)
    assert deck.cards == {"haze": 2, "noise": 1}


def test_the_published_counts_keep_their_rarest_task():
    published = {"rain": 84_968, "blur": 1_014_229, "lowlight": 5_000, "haze": 103_971}
    deck = Deck(published, 0)
    assert deck.size <= 1001
    assert deck.cards["lowlight"] / deck.size == pytest.approx(5_000 / sum(published.values()), abs=5e-4)


def _plan(**changes) -> Plan:
    recipe = SynthesisRecipe.model_validate(
        {
            "kind": "synthesis",
            "name": "plan",
            "source": {"use": "images/samples"},
            "tasks": {"haze": {"chain": [{"use": "haze/scattering"}]}},
            "sink": {"use": "pairs/webdataset", "params": {"pairs_per_shard": 7}},
        }
        | changes
    )
    return Plan(recipe, [f"{letter}.png" for letter in "abcdefghij"])


@given(st.integers(1, 5), st.integers(1, 12))
def test_shards_cut_the_pairs_without_gap_or_overlap(variants, limit):
    plan = _plan(variants=variants, limit=limit)
    assert plan.pairs == variants * min(limit, 10)
    assert [index for shard in range(plan.shards) for index in plan.shard(shard)] == list(range(plan.pairs))
    assert Counter(plan.pair(index).source for index in range(plan.pairs)) == dict.fromkeys(plan.sources, variants)


def test_keys_of_pairs_rise_and_differ():
    plan = _plan(variants=3)
    keys = [plan.pair(index).key for index in range(plan.pairs)]
    assert keys == sorted(set(keys))
    assert len({plan.key(plan.pair(index)).seed for index in range(plan.pairs)}) == plan.pairs


def test_a_picture_is_never_its_own_partner():
    plan = _plan(variants=2)
    for index in range(plan.pairs):
        pair = plan.pair(index)
        partners = list(plan.partners(pair))
        assert pair.source not in partners
        assert len(set(partners)) == len(partners) == 8
        assert partners == list(plan.partners(pair))
    assert not list(_plan(limit=1).partners(_plan(limit=1).pair(0)))
