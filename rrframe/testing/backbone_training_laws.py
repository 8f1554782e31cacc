"""Laws of backbones that are trained: their loss, their gradients, their files."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path

import torch

from rrframe.contracts.backbone import DESCRIPTION, Backbone, Pairs
from rrframe.contracts.draw import Noise
from rrframe.contracts.weights import is_pickle
from rrframe.errors import RRFrameError
from rrframe.testing.backbone_laws import same_seed_same_image, same_seed_same_weights
from rrframe.testing.calls import digest
from rrframe.testing.checks import Broken, NotApplicable, check
from rrframe.testing.examples import RESTORING, task_of
from rrframe.testing.pictures import Picture
from rrframe.testing.purity_laws import runs
from rrframe.testing.subjects import Subject
from rrframe.testing.watching import moved_by, other_global_seeds

_SIDE = 24
_PAIRS = 8
_STEPS = 60
_RATE = 1e-3
_FALL = 0.1
_NEAR = 1e-3  # of the loss itself


@check(runs)
def loss_is_one_a_pair(subject: Subject) -> None:
    """encode gives tensors with a row for each pair, and loss a finite float32 for each: [B]."""
    backbone = _trained(subject)
    pairs = _pairs(backbone, 3)
    with torch.no_grad():
        batch = backbone.encode(pairs)
        loss = backbone.loss(batch, _noise(backbone, 3))
    for name, values in batch.items():
        if not isinstance(values, torch.Tensor) or values.ndim == 0 or len(values) != 3:
            raise Broken(f"encode gives {name!r} as {_told(values)} for 3 pairs")
    if tuple(loss.shape) != (3,) or loss.dtype != torch.float32:
        raise Broken(f"loss gives {_told(loss)} for 3 pairs, not [3] of torch.float32")
    if not loss.isfinite().all():
        raise Broken(f"loss gives {loss.tolist()}")


@check(loss_is_one_a_pair)
def same_seeds_same_loss(subject: Subject) -> None:
    """The same pairs and seeds give the same loss, whatever the global generators hold, which it leaves alone."""
    backbone = _trained(subject)
    pairs = _pairs(backbone, 2)

    def compute() -> torch.Tensor:
        return _loss(backbone, pairs, range(2)).detach()

    if moved := moved_by(compute):
        raise Broken(f"loss, or encode, changes {' and '.join(moved)}")
    losses = []
    for seed in (1, 2):
        with other_global_seeds(seed):
            losses.append(digest(compute()))
    if losses[0] != losses[1]:
        raise Broken("loss gives two results for the same pairs; its randomness comes from rng alone")


@check(same_seeds_same_loss)
def loss_of_batch_equals_singles(subject: Subject) -> None:
    """The loss of a pair is the same in a batch and alone, and with its row of what encode gave, within 0.1 %."""
    backbone = _trained(subject)
    pairs = _pairs(backbone, 3)
    with torch.no_grad():
        batch = backbone.encode(pairs)
        together = backbone.loss(batch, _noise(backbone, 3))
        for index in range(3):
            rows = {name: values[index : index + 1] for name, values in batch.items()}
            one = Pairs(
                pairs.degraded[index : index + 1], pairs.clean[index : index + 1], pairs.tasks[index : index + 1]
            )
            kept = backbone.loss(rows, Noise([index], backbone.torch_device))
            for loss, what in ((kept, "with its row of the batch"), (_loss(backbone, one, [index]), "encoded alone")):
                if not torch.allclose(loss, together[index : index + 1], rtol=_NEAR, atol=1e-6):
                    raise Broken(
                        f"the loss of pair {index} is {float(loss):.6g} {what}, {float(together[index]):.6g} in it"
                    )


@check(loss_is_one_a_pair, same_seed_same_weights)
def loss_falls(subject: Subject) -> None:
    """Over-fitting eight pairs with AdamW, at a rate of 0.001, makes their loss a tenth smaller within 60 steps."""
    backbone = _trained(subject, fresh=True)
    module = backbone.trainable().train()
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if not parameters:
        raise Broken("trainable() has no parameter that wants a gradient; capabilities.trainable is True")
    pairs = _pairs(backbone, _PAIRS)
    batch = backbone.encode(pairs)
    optimizer = torch.optim.AdamW(parameters, lr=_RATE, weight_decay=0.0)
    losses: list[float] = []
    for _ in range(_STEPS):
        loss = backbone.loss(batch, _noise(backbone, _PAIRS)).mean()
        losses.append(loss.item())
        if losses[-1] <= (1 - _FALL) * losses[0]:
            return
        if not loss.requires_grad:
            raise Broken("no gradient reaches the parameters from the loss")
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    raise Broken(f"the loss goes from {losses[0]:.4g} to {losses[-1]:.4g} in {_STEPS} steps")


@check(loss_falls)
def frozen_parts_get_no_gradient(subject: Subject) -> None:
    """Parameters that freeze was told to keep get no gradient, the others do, and it says which they are."""
    backbone = _trained(subject, fresh=True)
    parameters = dict(backbone.trainable().named_parameters())
    names = list(parameters)
    if len(names) < 2:
        raise NotApplicable("it has a single parameter")
    kept = names[: len(names) // 2]
    told = backbone.freeze(kept)
    if sorted(told) != sorted(kept):
        raise Broken(f"freeze says that it froze {len(told)} parameters, and was told to freeze {len(kept)}")
    loss = _loss(backbone, _pairs(backbone, 2), range(2)).mean()
    if loss.requires_grad:
        torch.autograd.backward(loss)
    reached = [name for name, parameter in parameters.items() if parameter.grad is not None]
    if frozen := [name for name in reached if name in kept]:
        raise Broken(f"{frozen[0]} is frozen and gets a gradient")
    if not reached:
        raise Broken("no parameter gets a gradient once the first half of them is frozen")


@check(runs)
def refuses_unknown_patterns(subject: Subject) -> None:
    """freeze refuses a pattern that means no parameter, with an RRFrameError that names it."""
    backbone, patterns = _trained(subject), ["no_such_part[:25%]"]
    _refuses(lambda: backbone.freeze(patterns), f"freeze({patterns})", naming="no_such_part")


@check(same_seed_same_image, same_seed_same_weights)
def saves_and_loads(subject: Subject) -> None:
    """What save wrote, read by load, or named as checkpoint of a new one with no other params, gives the same weights
    and the same image to the bit. It is safetensors, and no pickle.
    """
    backbone = _trained(subject)
    with _saved(backbone) as folder:
        files = [file for file in folder.rglob("*") if file.is_file()]
        if not any(file.suffix == ".safetensors" for file in files) or any(map(is_pickle, files)):
            raise Broken(f"save wrote {', '.join(sorted(file.name for file in files))}")
        loaded = subject.backbone()
        loaded.load(folder)
        _is_same(subject, backbone, loaded, "load")
        cls = type(backbone)
        named = cls.make({"checkpoint": folder, "device": backbone.device})
        named._entry = subject.entry
        _is_same(subject, backbone, named, "checkpoint")


@check(saves_and_loads)
def refuses_anothers_weights(subject: Subject) -> None:
    """load, and checkpoint, refuse a folder that another backbone saved, with an RRFrameError that names that one."""
    backbone, other = _trained(subject), "backbone/of-someone-else"
    with _saved(backbone) as folder:
        described = json.loads((folder / DESCRIPTION).read_text())
        (folder / DESCRIPTION).write_text(json.dumps(described | {"use": other}))
        _refuses(lambda: backbone.load(folder), "load", naming=other)
        _refuses(lambda: subject.backbone(checkpoint=folder).network, "checkpoint", naming=other)


@check(saves_and_loads)
def refuses_missing_weights(subject: Subject) -> None:
    """load refuses a folder in which a tensor is missing, with an RRFrameError that names it."""
    from safetensors.torch import load_file, save_file

    backbone = _trained(subject)
    with _saved(backbone) as folder:
        file = min(folder.rglob("*.safetensors"))
        tensors = load_file(file)
        name = next(iter(tensors))
        del tensors[name]
        save_file(tensors, file)
        _refuses(lambda: backbone.load(folder), f"load, with {name} missing,", naming=name)


def _trained(subject: Subject, *, fresh: bool = False) -> Backbone:
    backbone = subject.backbone() if fresh else subject.shaken
    if not backbone.capabilities.trainable:
        raise NotApplicable("it says that it cannot be trained")
    return backbone


def _pairs(backbone: Backbone, count: int) -> Pairs:
    """Textures, and the same with less contrast under noise; of two tasks, where it knows so many."""
    clean = Picture(_SIDE, _SIDE, count).tensor()
    degraded = 0.6 * clean + 0.2 * Picture(_SIDE, _SIDE, count, "noise", seed=1).tensor()
    tasks = sorted(backbone.capabilities.tasks or {task_of(backbone)})[:2]
    return Pairs(degraded, clean, tuple(islice(cycle(tasks), count)))


def _noise(backbone: Backbone, count: int) -> Noise:
    return Noise(list(range(count)), backbone.torch_device)


def _loss(backbone: Backbone, pairs: Pairs, seeds: range | list[int]) -> torch.Tensor:
    return backbone.loss(backbone.encode(pairs), Noise(list(seeds), backbone.torch_device))


@contextmanager
def _saved(backbone: Backbone) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rrframe-check-") as place:
        folder = Path(place) / "saved"
        backbone.save(folder)
        yield folder


def _is_same(subject: Subject, saved: Backbone, read: Backbone, how: str) -> None:
    if digest(saved.trainable().state_dict()) != digest(read.trainable().state_dict()):
        raise Broken(f"the weights read by {how} are not those that were saved")
    (call,) = RESTORING[0].calls(subject)
    with torch.inference_mode():
        if saved.capabilities.deterministic_on_cpu and digest(call.run()) != digest(call.of(read).run()):
            raise Broken(f"the image restored with the weights read by {how} is another")


def _refuses(action: Callable[[], object], what: str, *, naming: str) -> None:
    try:
        action()
    except RRFrameError as error:
        if naming not in error.render():
            raise Broken(f"{what} is refused in words that do not name {naming}: {error.render()}") from None
        return
    except Exception as error:
        raise Broken(f"{what} gives {type(error).__name__}, not an RRFrameError: {error}") from None
    raise Broken(f"{what} is accepted")


def _told(values: object) -> str:
    return f"{tuple(values.shape)} of {values.dtype}" if isinstance(values, torch.Tensor) else type(values).__name__
