"""`impasto evaluate` and `impasto study` from the door."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch

from impasto.errors import UnknownName, WeightsError
from impasto.media.image import read
from impasto.metrics.extractors import open_extractor

from door import run

pytestmark = pytest.mark.once_in("bfloat16")


@pytest.fixture
def folders(tmp_path: Path, save: Any) -> tuple[Path, Path]:
    for name, count in (("c", 1), ("s", 2)):
        (tmp_path / name).mkdir()
        for number in range(count):
            save(f"{name}/{name}{number}.png", 72, 96, number + len(name) * 10 + count)
    return tmp_path / "c", tmp_path / "s"


def averaging(path: Path) -> Path:
    """A network in a file that sees the mean colour of a picture."""
    ends = [onnx.helper.make_tensor_value_info("picture", onnx.TensorProto.FLOAT, [None, 3, None, None]),
            onnx.helper.make_tensor_value_info("mean", onnx.TensorProto.FLOAT, [None, 3, 1, 1])]  # fmt: skip
    node = onnx.helper.make_node("GlobalAveragePool", ["picture"], ["mean"])
    graph = onnx.helper.make_graph([node], "averaging", ends[:1], ends[1:])
    onnx.save(onnx.helper.make_model(graph, ir_version=10, opset_imports=[onnx.helper.make_opsetid("", 20)]), path)
    return path


def test_a_network_of_the_users_compares_sets(tmp_path: Path, save: Any) -> None:
    name, extractor = open_extractor(str(averaging(tmp_path / "mean.onnx")))
    photo = save("photo.png")
    ((share, features),) = extractor([photo])
    assert (name, share) == ("mean", 1.0)
    assert torch.allclose(features.float(), read(photo).pixels.mean((2, 3)) * 2 - 1, atol=0.01)
    for wrong, problem in (("vgg91=x", UnknownName), ("vgg19=none.pth", WeightsError), ("none.onnx", WeightsError)):
        with pytest.raises(problem):
            open_extractor(wrong)


def test_engines_and_other_tools_side_by_side(
    folders: tuple[Path, Path], tmp_path: Path, save: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    contents, styles = folders
    (tmp_path / "theirs").mkdir()
    for content in range(1):
        for style in range(2):
            save(f"theirs/c{content}_s{style}.png", 72, 96, 50 + content + style)
    report = tmp_path / "report"
    command = ["evaluate", "--contents", contents, "--styles", styles, "--collection", styles, "--report", report]
    command += ["--engine", "instant", "--engine", "looks:mosaic", "--results", f"theirs={tmp_path / 'theirs'}"]
    command += ["--seen-by", averaging(tmp_path / "mean.onnx")]
    assert run(*command, "--size", 64, "--workers", 1) == 0
    told = json.loads((report / "results.json").read_text())
    assert {line["method"]: line["measured"] for line in told["methods"]} == {
        "untouched photo": 2, "style itself": 2, "theirs": 2, "instant": 2, "looks:mosaic": 2,
    }  # fmt: skip
    assert set(told["methods"][2]["sets"]) == {"frechet", "kernel", "frechet by mean", "kernel by mean"}
    assert told["methods"][2]["sets"]["frechet"] > 0
    assert told["specification"]["costs"]["instant"]["seconds"] > 0.1
    assert told["specification"]["costs"]["looks:mosaic"]["megabytes"] > 50
    page = (report / "index.html").read_text()
    assert page.count("<img") == 2 * 2 + 3 * 2
    named = {part.split('"')[0] for part in page.split("pictures/")[1:]}
    assert all((report / "pictures" / name).is_file() for name in named)
    assert 'src="http' not in page
    assert (report / "results.csv").read_text().count("\n") == 11
    before = {path: path.stat().st_mtime_ns for path in (report / "painted").rglob("*.png")}
    assert run(*command, "--size", 64, "--workers", 1) == 0
    assert {path: path.stat().st_mtime_ns for path in (report / "painted").rglob("*.png")} == before
    assert run("study", "make", report, "-o", tmp_path / "study.html") == 0
    assert "6 choices" in capsys.readouterr().out


def test_what_is_missing_is_said(folders: tuple[Path, Path], tmp_path: Path, save: Any, capsys: Any) -> None:
    contents, styles = folders
    (tmp_path / "theirs").mkdir()
    save("theirs/c0_s0.png", 72, 96)
    command = ["evaluate", "--contents", contents, "--styles", styles, "--report", tmp_path / "r"]
    assert run(*command, "--results", f"theirs={tmp_path / 'theirs'}") == 1
    assert "There is no c0_s1" in capsys.readouterr().err
    assert (tmp_path / "r" / "index.html").is_file()
    assert run(*command, "--paired", "--engine", "instant") == 2
    assert "as many styles as photos; got 1 and 2" in capsys.readouterr().err
    assert run(*command) == 2
    assert run("evaluate", "--contents", contents, "--engine", "instant", "--report", tmp_path / "r") == 2
    assert run("study", "score") == 2


def test_disturbed_photos_move_results(folders: tuple[Path, Path], tmp_path: Path) -> None:
    command = ["evaluate", "--contents", folders[0], "--styles", folders[1] / "s0.png", "--report", tmp_path / "r"]
    assert run(*command, "--engine", "looks:swirls", "--adversarial", "--size", 64, "--workers", 1) == 0
    told = json.loads((tmp_path / "r" / "results.json").read_text())["specification"]["movements"]
    by_name = {one["disturbance"]: one for one in told}
    assert set(by_name) == {"noise 4", "jpeg", "fgsm 2", "fgsm 4", "pgd 2", "pgd 4", "shift 1", "shift 3", "shift 6"}
    assert by_name["shift 1"]["photo"] < 1e-3 < by_name["shift 1"]["result"]
    assert 0 < by_name["pgd 2"]["photo"] <= 2
    assert by_name["pgd 4"]["result"] > by_name["noise 4"]["result"] > 0
    assert "When photos are disturbed" in (tmp_path / "r" / "index.html").read_text()
