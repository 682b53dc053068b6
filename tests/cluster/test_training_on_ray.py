"""A training on a Ray cluster: the loop that runs here, in processes that may be lost."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from impasto.shelf.card import read_card
from impasto.weights.files import read_weights

from nodes import Nodes
from runs import PATIENCE, in_background, wait_until

pytestmark = pytest.mark.once_in("bfloat16")


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with Nodes(2) as nodes:
        yield nodes


@pytest.fixture
def command(tmp_path: Path, save: Any, style: Path) -> list[Any]:
    (tmp_path / "photos").mkdir()
    for number in range(24):
        save(f"photos/{number}.png", 80, 96, number)
    flags = ["--batch", 1, "--crop-size", 64, "--device", "cpu", "--devices", 2, "--from", "none"]
    return ["train", "painter", "--style", style, "--photos", tmp_path / "photos", *flags]


def test_two_processes_of_a_cluster_train_as_two_here(command: list[Any], tmp_path: Path, nodes: Nodes) -> None:
    here, there = tmp_path / "here.impasto", tmp_path / "there.impasto"
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}
    for output, more, env in ((here, [], alone), (there, ["--on", nodes.address], nodes.own)):
        process = in_background(*command, "--steps", 3, "-o", output, *more, env=env)
        told, problems = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, problems
        assert "step 3" in told
    trained = [read_weights(output)[0] for output in (here, there)]
    assert trained[0].keys() == trained[1].keys()
    assert all(torch.equal(value, trained[1][name]) for name, value in trained[0].items())


def test_a_training_goes_on_when_a_process_is_lost(command: list[Any], tmp_path: Path, nodes: Nodes) -> None:
    output, checkpoint = tmp_path / "there.impasto", tmp_path / "there.training" / "checkpoint.pt"
    more = ["--steps", 60, "--checkpoint-minutes", 0.02, "-o", output, "--on", nodes.address]
    process = in_background(*command, *more, env=nodes.own)
    wait_until(lambda: checkpoint.is_file() or process.poll() is not None)
    trainers = [one for one in psutil.process_iter(["cmdline"]) if "TrainWorker" in " ".join(one.info["cmdline"] or [])]
    assert len(trainers) == 2
    trainers[0].kill()
    _, problems = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, problems
    assert read_card(output).training["steps"] == 60
