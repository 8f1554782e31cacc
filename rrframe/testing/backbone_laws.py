"""Laws of backbones that restore."""

from __future__ import annotations

import torch

from rrframe.contracts.backbone import Backbone
from rrframe.errors import RRFrameError
from rrframe.testing.calls import CLOSE, Call, digest
from rrframe.testing.checks import Broken, NotApplicable, check, for_each
from rrframe.testing.component_laws import survives_its_params
from rrframe.testing.degradation_laws import sound
from rrframe.testing.examples import RESTORING, Restoring
from rrframe.testing.pictures import Picture
from rrframe.testing.purity_laws import leaves_global_state_alone, leaves_its_input_alone, runs
from rrframe.testing.subjects import Subject
from rrframe.testing.watching import moved_by, other_global_seeds

_ODD = ((1, 1), (7, 10), (33, 18), (15, 47))
_NEAR = 1e-3  # a quarter of an 8-bit step: kernels chosen by the size of a batch round apart, and layers add it up


@check(survives_its_params)
def same_seed_same_weights(subject: Subject) -> None:
    """Fresh weights are those that seed names, whatever the global generators hold, and making them moves none."""
    with other_global_seeds(1):
        first = subject.backbone()
        moved = moved_by(lambda: first.network)
    if moved:
        raise Broken(f"making the network changes {' and '.join(moved)}")
    with other_global_seeds(2):
        second = subject.backbone()
        if digest(first.network.state_dict()) != digest(second.network.state_dict()):
            raise Broken("two networks of the same params have different weights; draw them from torch's generator")


@check(*sound)
def works_on_odd_sizes(subject: Subject) -> None:
    """Pictures of any size, down to 1 x 1, come back at their size: finite, in [0, 1]."""

    def law(example: Restoring) -> None:
        result, images = _restored(subject, example), example.picture.tensor()
        if result.shape != images.shape:
            raise Broken(f"restore gives {tuple(result.shape)} for {tuple(images.shape)}")
        if not (result.isfinite().all() and result.min() >= -CLOSE and result.max() <= 1 + CLOSE):
            raise Broken("restore gives values that are not finite or not in [0, 1]")

    for_each([Restoring(Picture(height, width)) for height, width in _ODD], law)


@check(runs)
def refuses_unknown_tasks(subject: Subject) -> None:
    """A task that is not among capabilities.tasks is refused with an RRFrameError that names it."""
    backbone = subject.shaken
    if backbone.capabilities.tasks is None:
        raise NotApplicable("it takes any task")
    task = "no-such-task"
    try:
        backbone.restore(Picture(16, 16).tensor(), task)
    except RRFrameError as error:
        if task not in error.render():
            raise Broken(f"the task {task!r} is refused in words that do not name it: {error.render()}") from None
        return
    except Exception as error:
        raise Broken(f"the task {task!r} gives {type(error).__name__}, not an RRFrameError: {error}") from None
    raise Broken(f"the task {task!r} is taken, and capabilities.tasks are {sorted(backbone.capabilities.tasks)}")


@check(leaves_global_state_alone)
def same_seed_same_image(subject: Subject) -> None:
    """The same image, task and seed give the same bytes on a CPU, whatever the global generators hold."""
    _deterministic(subject)

    def law(example: Restoring) -> None:
        with other_global_seeds(1):
            first = digest(_restored(subject, example))
        with other_global_seeds(2):
            second = digest(_restored(subject, example))
        if first != second:
            raise Broken("restore gives two results for the same input; its randomness comes from its seed alone")

    for_each(RESTORING[:2], law)


@check(same_seed_same_image)
def keeps_no_state(subject: Subject) -> None:
    """What it restored before makes no difference: a new one with the same weights gives the same bytes."""
    _deterministic(subject)
    used, new = subject.shaken, subject.backbone()
    if used.capabilities.trainable:
        new.trainable().load_state_dict(used.trainable().state_dict())

    def law(examples: tuple[Restoring, Restoring]) -> None:
        first, (call,) = (example.calls(subject) for example in examples)
        _run(*first)
        if digest(_run(call)) != digest(_run(call.of(new))):
            raise Broken("restore gives something else for an image after it has seen another")

    for_each([RESTORING[:2]], law)


@check(same_seed_same_image)
def batch_equals_singles(subject: Subject) -> None:
    """An image of a batch comes out as it would alone, within 1e-3: no image sees its neighbours, and each starts from
    the noise of the seed.
    """
    _deterministic(subject)

    def law(example: Restoring) -> None:
        (call,) = example.calls(subject)
        together = call.run().detach()
        for index in range(example.picture.batch):
            _close(
                together[index : index + 1], call.single(index).run(), f"image {index} of the batch and the same alone"
            )

    for_each([Restoring(Picture(24, 17, 2, pattern)) for pattern in ("texture", "constant")], law)


@check(same_seed_same_image, leaves_its_input_alone, *sound)
def works_in_inference_mode(subject: Subject) -> None:
    """Called as the host does, on a tensor in torch.inference_mode, it gives what restore gives, within 1e-3."""
    _deterministic(subject)

    def law(example: Restoring) -> None:
        (call,) = example.calls(subject)
        assert isinstance(call.component, Backbone)
        inside = call.component(*call.arguments, **call.settings)
        _close(inside, call.run(), "the image inside torch.inference_mode() and outside")

    for_each(RESTORING[:1], law)


def _deterministic(subject: Subject) -> None:
    if not subject.shaken.capabilities.deterministic_on_cpu:
        raise NotApplicable("it says that it is not deterministic")


def _restored(subject: Subject, example: Restoring) -> torch.Tensor:
    (call,) = example.calls(subject)
    return _run(call)


def _run(call: Call) -> torch.Tensor:
    with torch.inference_mode():
        result: torch.Tensor = call.run()
    return result


def _close(found: torch.Tensor, expected: torch.Tensor, what: str) -> None:
    apart = float((found.detach().double() - expected.detach().double()).abs().max())
    if found.shape != expected.shape or apart > _NEAR:
        raise Broken(f"{what} differ by up to {apart:.2g}")
