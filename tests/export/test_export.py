"""Networks as ONNX paint the same pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

from impasto.errors import WeightsError
from impasto.media.image import read
from impasto.recipes.onnx import OnnxModel
from impasto.settings import Look

from door import run

pytestmark = pytest.mark.once_in("bfloat16")


def difference(one: Path, other: Path) -> int:
    first, second = (np.asarray(Image.open(path).convert("RGB")).astype(int) for path in (one, other))
    return int(np.abs(first - second).max())


@pytest.mark.parametrize("name", ["looks", "instant"])
def test_the_same_pictures(name: str, save: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo, style, exported = save("photo.png", 61, 90, 0), save("style.png", 90, 70, 4), tmp_path / f"{name}.onnx"
    assert run("export", name, "--float16", "-o", exported) == 0
    differences = [float(line.split()[-1]) for line in capsys.readouterr().out.splitlines()]
    assert len(differences) == (2 if name == "instant" else 1)
    assert max(differences) <= 1e-3
    assert exported.stat().st_size < 4e6
    exact = ["--precision", "float32"]
    for size in (64, 123, *([800] if name == "looks" else [])):
        if name == "instant":
            by_onnx, by_torch = ["--engine", exported], ["--engine", "instant", *exact]
            assert run("paint", photo, style, *by_onnx, "-o", tmp_path / "onnx.png", "--size", size, "--force") == 0
            assert run("paint", photo, style, *by_torch, "-o", tmp_path / "torch.png", "--size", size, "--force") == 0
        else:
            assert (
                run("paint", photo, f"{exported}:mosaic", "-o", tmp_path / "onnx.png", "--size", size, "--force") == 0
            )
            assert (
                run("paint", photo, "looks:mosaic", *exact, "-o", tmp_path / "torch.png", "--size", size, "--force")
                == 0
            )
        assert difference(tmp_path / "onnx.png", tmp_path / "torch.png") <= 2
    if name == "looks":
        assert run("reproduce", tmp_path / "onnx.png") == 0


def test_files_that_cannot_be_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "damaged.onnx").write_bytes(b"\x08\x07nothing")
    with pytest.raises(WeightsError, match="no intact ONNX"):
        OnnxModel.open(tmp_path / "damaged.onnx", Look())
    identity = onnx.helper.make_node("Identity", ["content"], ["painted"])
    value = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in ("content", "painted")]
    graph = onnx.helper.make_graph([identity], "foreign", value[:1], value[1:])
    onnx.save(onnx.helper.make_model(graph, ir_version=10, opset_imports=[onnx.helper.make_opsetid("", 20)]),
              tmp_path / "foreign.onnx")  # fmt: skip
    with pytest.raises(WeightsError, match="not made by 'impasto export'"):
        OnnxModel.open(tmp_path / "foreign.onnx", Look())
    assert run("export", "looks", "-o", tmp_path / "out.txt") == 2
    assert "ends in .onnx" in capsys.readouterr().err
    assert not (tmp_path / "out.txt").exists()


def test_other_runtimes_paint_alike(save: Any, style: Path, tmp_path: Path) -> None:
    photo = save("photo.png", 61, 90, 0)
    for name in ("looks:mosaic", str(style)):
        way = ["paint", photo, name, *([] if ":" in name else ["--engine", "instant"]), "--size", 90, "--force"]
        assert run(*way, "--precision", "float32", "-o", tmp_path / "torch.png") == 0
        for runtime, precision, tolerance in (("onnxruntime", "float32", 1.0), ("openvino", "float32", 1.0),
                                              ("openvino", "bfloat16", 8.0)):  # fmt: skip
            out = tmp_path / f"{runtime}.png"
            assert run(*way, "--runtime", runtime, "--precision", precision, "-o", out) == 0
            apart = (read(out).pixels - read(tmp_path / "torch.png").pixels).abs().mean() * 255
            assert apart < tolerance, (name, runtime, precision)
        assert run("reproduce", tmp_path / "openvino.png") == 0
    assert run("paint", photo, "looks", "--runtime", "openvino", "--keep", "subject", "-o", tmp_path / "x.png") == 2
