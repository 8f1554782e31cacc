"""Which checks a component gets, by its kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rrframe.testing import (
    backbone_laws,
    backbone_training_laws,
    batch_laws,
    cue_laws,
    dataset_laws,
    declared_laws,
    degradation_laws,
    filter_laws,
    judge_laws,
    metric_laws,
    purity_laws,
    variety_laws,
)
from rrframe.testing.checks import Check
from rrframe.testing.component_laws import is_announced, is_described, refuses_unknown_params, survives_its_params

_COMPONENT = (is_announced, is_described, survives_its_params, refuses_unknown_params)
_PURITY = (
    purity_laws.leaves_its_input_alone,
    purity_laws.leaves_global_state_alone,
    purity_laws.same_input_same_bytes,
    purity_laws.keeps_no_state,
    purity_laws.survives_pickling,
    purity_laws.same_bytes_in_another_process,
)
_BATCH = (batch_laws.batch_equals_singles, batch_laws.takes_any_memory_layout, batch_laws.works_in_inference_mode)
_DEGRADATION = (
    *_COMPONENT,
    declared_laws.refuses_bad_dials,
    declared_laws.draw_survives_json,
    declared_laws.reads_only_declared_cues,
    purity_laws.runs,
    *degradation_laws.sound,
    degradation_laws.works_on_tiny_pictures,
    degradation_laws.eight_bits_agree_with_floats,
    *_PURITY,
    *_BATCH,
    degradation_laws.same_key_same_draw,
    degradation_laws.replays_from_json,
    variety_laws.different_seeds_differ,
    variety_laws.every_dial_matters,
    variety_laws.distance_grows_with_severity,
    variety_laws.severity_zero_is_identity,
)
_BACKBONE = (
    *_COMPONENT,
    backbone_laws.same_seed_same_weights,
    purity_laws.runs,
    *degradation_laws.sound,
    backbone_laws.works_on_odd_sizes,
    backbone_laws.refuses_unknown_tasks,
    purity_laws.leaves_its_input_alone,
    purity_laws.leaves_global_state_alone,
    backbone_laws.same_seed_same_image,
    backbone_laws.keeps_no_state,
    backbone_laws.batch_equals_singles,
    backbone_laws.works_in_inference_mode,
    backbone_training_laws.loss_is_one_a_pair,
    backbone_training_laws.same_seeds_same_loss,
    backbone_training_laws.loss_of_batch_equals_singles,
    backbone_training_laws.loss_falls,
    backbone_training_laws.frozen_parts_get_no_gradient,
    backbone_training_laws.refuses_unknown_patterns,
    backbone_training_laws.saves_and_loads,
    backbone_training_laws.refuses_anothers_weights,
    backbone_training_laws.refuses_missing_weights,
)
_METRIC = (
    *_COMPONENT,
    metric_laws.says_what_it_means,
    purity_laws.runs,
    metric_laws.gives_one_score_an_image,
    metric_laws.is_finite,
    metric_laws.stays_in_its_range,
    metric_laws.identical_images_score_best,
    metric_laws.worse_images_score_worse,
    metric_laws.is_symmetric,
    metric_laws.treats_other_sizes_as_it_says,
    *_PURITY,
    *_BATCH,
)
_JUDGE = (
    *_COMPONENT,
    declared_laws.says_how_it_is_asked,
    judge_laws.identity_is_json,
    purity_laws.runs,
    judge_laws.answers_every_image,
    judge_laws.reads_answers_or_none,
    judge_laws.refuses_unknown_tasks,
    judge_laws.more_is_never_milder,
    *_PURITY,
    batch_laws.batch_equals_singles,
)
_SUITES = {
    "backbone": _BACKBONE,
    "degradation": _DEGRADATION,
    "effect": _DEGRADATION,
    "dataset": (
        *_COMPONENT,
        dataset_laws.lists_pairs,
        dataset_laws.lists_the_same_again,
        dataset_laws.tasks_are_known,
        dataset_laws.gives_pairs,
        purity_laws.leaves_global_state_alone,
        purity_laws.same_input_same_bytes,
        purity_laws.keeps_no_state,
        purity_laws.survives_pickling,
        purity_laws.same_bytes_in_another_process,
    ),
    "cue": (*_COMPONENT, purity_laws.runs, cue_laws.gives_a_map, cue_laws.works_on_tiny_pictures, *_PURITY, *_BATCH),
    "filter": (
        *_COMPONENT,
        filter_laws.has_a_stage,
        purity_laws.runs,
        filter_laws.gives_a_verdict,
        filter_laws.works_on_tiny_pictures,
        filter_laws.says_why_it_drops,
        *_PURITY,
    ),
    "judge": _JUDGE,
    "metric": _METRIC,
}


def checks_for(component: Any) -> Iterator[Check]:
    """The checks for ``component``: an instance, a class, or a ``Subject``; calling one with a ``Subject`` runs it.

    Backbones, datasets, degradations, effects, cues, filters, judges and metrics have theirs; of other kinds only the
    announcement is checked.
    """
    yield from _SUITES.get(component.kind, (is_announced,))
