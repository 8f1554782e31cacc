"""Restoring without being told what to remove: the task of each picture is guessed, and it is said that it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pages_read import assert_self_contained
from PIL import Image
from rich.console import Console
from torch import nn

import rrframe
from rrframe import Backbone, Capabilities, RRFrameError
from rrframe.imaging.layout import to_batch
from rrframe.imaging.resample import resize_pixels
from rrframe.restoring.guessing import Guesser
from rrframe.restoring.inputs import find_inputs
from rrframe.restoring.restorer import Asked, Restorer
from rrframe.restoring.run import plan_restoring, run_restoring

# The worst that a dial does to a photograph: guessed right with other seeds than the classifier was fitted on.
PLAIN = ("blur/motion", "compression/jpeg", "haze/scattering", "lowlight/exposure", "noise/sensor", "moire/screen")


class Told(Backbone):
    """Notes what it is told to remove, and from how many pictures at once."""

    known: tuple[str, ...] | None = None
    seen: list[Any] = []

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(tasks=frozenset(self.known) if self.known else None, trainable=False)

    def build(self) -> nn.Module:
        return nn.Identity()

    def loss(self, batch, rng):
        raise NotImplementedError

    def restore(self, images, task, **settings):
        self.seen.append((task, len(images)))
        return images


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photograph of 240 x 160 made worse in six ways, each file named after what was done to it."""
    pixels = resize_pixels(rrframe.load("images/samples").read("flower").eight_bit(), 256, 384)
    folder = tmp_path_factory.mktemp("pictures")
    for name in PLAIN:
        worse = rrframe.load(name)(pixels, severity=0.9, seed=5)
        Image.fromarray(worse).save(folder / f"{name.partition('/')[0]}.png")
    return folder


def restored(pictures: Path, out: Path, backbone: Backbone, **given: Any) -> tuple[Any, str]:
    with open(out.with_suffix(".txt"), "w+") as file:
        restorer = Restorer(backbone, Asked(task="auto"))
        summary = run_restoring(
            find_inputs([str(pictures)], out), out, restorer, Console(file=file, width=200), **given
        )
        file.seek(0)
        return summary, file.read()


def test_what_was_done_to_a_photograph_is_guessed(pictures: Path) -> None:
    guesser = Guesser()
    assert len(guesser.tasks) == 9
    right = 0
    for path in pictures.iterdir():
        guess = guesser(to_batch(np.asarray(Image.open(path))))
        assert 1 / 9 <= guess.sure <= 1
        assert guess.scores.keys() == set(guesser.tasks)
        right += guess.task == path.stem
    assert right >= len(PLAIN) - 1


def test_each_picture_is_restored_for_its_own_task_and_the_page_says_that_it_was_guessed(
    pictures: Path, tmp_path: Path
) -> None:
    backbone = Told()
    summary, said = restored(pictures, tmp_path / "out", backbone, explain=True)
    assert summary.restored == len(PLAIN)
    assert sorted(task for task, count in backbone.seen for _ in range(count)) == sorted(summary.guessed)
    rows = [json.loads(line) for line in (tmp_path / "out/.rrframe/journal.jsonl").read_text().splitlines()]
    for row in rows:
        assert row["guessed"].split(",")[0] in summary.guessed
        assert len(row["scores"].split(", ")) == 9
        assert f"{row['name']}: {row['guessed']}: {row['scores']}" in said
    page = summary.report.read_text()
    assert "guessed, from estimates of severity" in page
    assert rows[0]["scores"] in page
    assert_self_contained(page)
    assert "task: auto" in (tmp_path / "out/.rrframe/recipe.resolved.yaml").read_text()
    again, _ = restored(pictures, tmp_path / "out", Told())
    assert (again.restored, again.before) == (0, len(PLAIN))


def test_pictures_of_two_tasks_do_not_share_a_batch(pictures: Path, tmp_path: Path) -> None:
    backbone = Told()
    summary, _ = restored(pictures, tmp_path / "out", backbone)
    assert {task for task, _ in backbone.seen} == set(summary.guessed)
    assert len(backbone.seen) >= len(set(summary.guessed)) > 2


def test_only_what_the_backbone_can_do_is_guessed(pictures: Path, tmp_path: Path) -> None:
    summary, _ = restored(pictures, tmp_path / "out", Told(known=("haze", "noise", "snow")))
    assert set(summary.guessed) <= {"haze", "noise"}
    with pytest.raises(RRFrameError, match="none of snow can be guessed"):
        Restorer(Told(known=("snow",)), Asked(task="auto"))


def test_a_plan_tells_the_guess_and_writes_nothing(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    planned = list(plan_restoring(find_inputs([str(pictures)], out), out, Restorer(Told(), Asked(task="auto"))))
    assert sum(one.guess.task == one.input.path.stem for one in planned) >= len(PLAIN) - 1
    assert not out.exists()


def test_a_prompt_leaves_nothing_to_guess() -> None:
    class Prompted(Told):
        @property
        def capabilities(self) -> Capabilities:
            return Capabilities(needs_prompt=True, trainable=False)

    with pytest.raises(RRFrameError, match="a prompt says what to do already"):
        Restorer(Prompted(), Asked(task="auto", prompt="take away the rain"))


def test_a_picture_too_small_to_guess_at_costs_itself(pictures: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(folder / "small.png")
    Image.open(pictures / "haze.png").save(folder / "haze.png")
    summary, _ = restored(folder, tmp_path / "out", Told())
    assert summary.restored == 1
    (row,) = summary.failed
    assert "16 pixels a side" in row.reason


def test_the_command_says_that_it_guessed(rrframe_here, pictures: Path) -> None:
    given = ("--backbone", "backbone/nafnet", "-p", "preset=tiny", "--task", "auto")
    done = rrframe_here("restore", pictures / "haze.png", *given, "--explain")
    assert done.returncode == 0, done.stderr
    assert "the task of each picture is guessed" in done.stdout
    assert "haze.png: haze, guessed (" in done.stdout
    assert "what was removed is a guess: haze 1" in done.stdout
    planned = rrframe_here("restore", pictures / "haze.png", *given, "--plan", "--explain", "--out", "elsewhere")
    assert "haze.png, haze, guessed (" in planned.stdout
    refused = rrframe_here("restore", pictures / "haze.png", *given[:-1], "haze", "--explain")
    assert refused.returncode != 0
    assert "it goes with --task auto" in refused.stderr
