"""Measures against other libraries' and against what they must be."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_msssim import ms_ssim as reference_ms_ssim
from scipy.linalg import sqrtm
from skimage.metrics import structural_similarity

from impasto.encoders import load_encoder
from impasto.errors import InputError, PictureError
from impasto.losses.wasserstein import Wasserstein, covariance_of
from impasto.metrics.measures import (
    Ruler,
    color_distance,
    content_distance,
    grain,
    gram_distance,
    grid,
    luma,
    ms_ssim,
    perceptual_distance,
    salt,
    sharpness,
    ssim,
    style_distance,
)
from impasto.metrics.sets import frechet_distance, kernel_distance, nearest_pictures
from impasto.metrics.specification import MEASURES
from impasto.metrics.table import (
    STYLE,
    UNTOUCHED,
    Result,
    find_results,
    interval,
    measure,
    read_results,
    references,
    summarise,
    write_tables,
)

from fakes import picture, tiny_encoder

pytestmark = pytest.mark.once_in("float32")


def samples(count: int, width: int, seed: int, shift: float = 0.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(width, width, generator=generator, dtype=torch.float64)
    return torch.randn(count, width, generator=generator, dtype=torch.float64) @ mixing + shift


@pytest.mark.parametrize("count", [5, 80])
def test_frechet_distance_is_its_formula(count: int) -> None:
    one, other = samples(count, 12, 0), samples(60, 12, 1, 0.5)
    first, second = np.cov(one.numpy().T), np.cov(other.numpy().T)
    root = np.real(sqrtm(first @ second))
    expected = ((one.mean(0) - other.mean(0)) ** 2).sum().item() + np.trace(first + second - 2 * root)
    assert frechet_distance(one, other) == pytest.approx(expected, rel=1e-4)
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-6)


def test_wasserstein_distance_is_its_formula() -> None:
    loss = Wasserstein("none")
    one, other = (loss.describe(samples(400, 6, seed).T.reshape(1, 6, 20, 20).float()) for seed in (0, 1))
    first, second = (covariance_of(told)[0].double().numpy() for told in (one, other))
    root = np.real(sqrtm(sqrtm(second) @ first @ sqrtm(second)))
    expected = float((one["mean"] - other["mean"]).square().sum()) + np.trace(first + second - 2 * root)
    assert float(loss.compare(one, loss.prepare(other))) == pytest.approx(expected, rel=1e-4)


def test_structural_similarity_is_that_of_other_libraries() -> None:
    one, other = (luma(picture(200, 180, seed)) for seed in (0, 1))
    expected = structural_similarity(
        one[0, 0].numpy(), other[0, 0].numpy(), data_range=1, gaussian_weights=True, use_sample_covariance=False
    )
    assert ssim(one, other) == pytest.approx(expected, abs=1e-4)
    assert ms_ssim(one, other) == pytest.approx(float(reference_ms_ssim(one, other, data_range=1)), abs=1e-4)
    assert ssim(one, one) == ms_ssim(one, one) == pytest.approx(1)


def test_kernel_distance_has_no_bias_and_sees_a_shift() -> None:
    generator = torch.Generator().manual_seed(5)
    draws = [torch.randn(200, 8, generator=generator) for _ in range(2)]
    assert abs(kernel_distance(*draws)) < 0.05
    far = kernel_distance(draws[0], draws[1] + 1)
    assert far > 0.5
    assert abs(kernel_distance(draws[0], draws[0][:100])) < 0.1 * far
    with pytest.raises(InputError, match="two pictures"):
        frechet_distance(draws[0][:1], draws[1])


def test_a_copy_is_found() -> None:
    known = [torch.randn(4, 6, generator=torch.Generator().manual_seed(seed)) for seed in range(12)]
    new = torch.randn(4, 6, generator=torch.Generator().manual_seed(99))
    paths = [Path(f"{number}.png") for number in range(12)]
    copied, own = nearest_pictures([Path("a"), Path("b")], [known[7] + 0.01, new], paths, known)
    assert copied.nearest == paths[7]
    assert copied.distance < 0.1 < 0.6 < own.distance


def test_distances_are_0_for_the_same_and_ordered() -> None:
    encoder = load_encoder("compact")
    photo, painting = picture(128, 160, 0), torch.rand(1, 3, 128, 160, generator=torch.Generator().manual_seed(3))
    layers = ("relu1_1", "relu2_1", "relu3_1", "relu3_4", "relu4_1", "relu4_2", "relu5_1")
    seen, other, half = (encoder(one, layers) for one in (photo, painting, photo.lerp(painting, 0.5)))
    for distance in (style_distance, gram_distance, content_distance, perceptual_distance):
        assert distance(seen, seen) < 0.02
        assert 0.02 < distance(half, seen) < distance(other, seen)
    assert color_distance(photo, photo.flip(3)) == pytest.approx(0, abs=1e-6)
    assert color_distance(photo, painting) > 5


def test_sharpness_and_grain() -> None:
    smooth = luma(picture(128, 128, 0))
    noise = torch.randn(1, 1, 128, 128, generator=torch.Generator().manual_seed(0))
    assert grain(torch.full((1, 1, 64, 64), 0.5) + noise[..., :64, :64] * 4 / 255) == pytest.approx(4, rel=0.1)
    assert grain(smooth) < 1
    ramp = torch.linspace(0, 1, 256).expand(1, 1, 16, 256)
    assert sharpness(ramp) == pytest.approx(1, rel=0.01)


@pytest.fixture
def pairs(save: Any) -> list[tuple[Path, Path]]:
    return [(save(f"c{n}.png", 176, 200, n), save(f"s{n}.png", 180, 170, 10 + n)) for n in range(2)]


def test_references_are_perfect_in_what_they_are(pairs: list[tuple[Path, Path]]) -> None:
    rows = list(measure(references(pairs), Ruler(load_encoder("compact"))))
    untouched, style = rows[0], rows[2]
    assert (untouched.method, style.method) == (UNTOUCHED, STYLE)
    assert untouched.measures["content"] == pytest.approx(0, abs=1e-6)
    assert untouched.measures["ssim"] == pytest.approx(1)
    assert set(untouched.measures) == {one.name for one in MEASURES}
    assert style.measures["style"] is not None
    assert untouched.measures["style"] is not None
    assert style.measures["style"] < 0.01 < untouched.measures["style"]
    assert style.measures["gram"] == style.measures["color"] == 0
    lines = summarise(rows)
    assert [line.undominated for line in lines] == [False, False]


def test_results_of_another_tool(pairs: list[tuple[Path, Path]], tmp_path: Path, save: Any) -> None:
    (tmp_path / "theirs").mkdir()
    save("theirs/c0-s0.png", 88, 100, 30)
    save("theirs/c1-s1.png", 100, 88, 31)
    rows = find_results("theirs", tmp_path / "theirs", "{content}-{style}", [*pairs, (pairs[0][0], pairs[1][1])])
    measured = list(measure(rows, Ruler(tiny_of_all_layers())))
    assert measured[0].measures["content"]
    assert "is of another shape" in measured[1].problem
    assert measured[2].problem == f"There is no c0-s1.* in {tmp_path / 'theirs'}."
    (line,) = summarise(measured)
    assert (line.measured, line.missed) == (1, 2)
    with pytest.raises(InputError, match="no result called"):
        find_results("theirs", tmp_path / "theirs", "{content}+{style}", pairs)
    (tmp_path / "t.csv").write_text("method,content,style,result\nx,c0.png,s0.png,theirs/c0-s0.png\n")
    (row,) = read_results(tmp_path / "t.csv")
    assert next(measure([row], Ruler(tiny_of_all_layers()))).measures["style"] == measured[0].measures["style"]
    (tmp_path / "bad.csv").write_text("method,content\nx,c0.png\n")
    with pytest.raises(InputError, match="needs the columns"):
        read_results(tmp_path / "bad.csv")


def tiny_of_all_layers() -> Any:
    keys = ["1_1", "1_2", "2_1", "2_2", "3_1", "3_2", "3_3", "3_4", "4_1", "4_2", "4_3", "4_4", "5_1"]
    return tiny_encoder(**dict.fromkeys(keys, 4))


def test_a_method_that_is_beaten_in_both_is_marked() -> None:
    def line(method: str, style: float, content: float) -> Result:
        return Result(method, Path("c"), Path("s"), Path("r"), {"style": style, "content": content})

    rows = [line("a", 0.2, 0.3), line("b", 0.3, 0.2), line("c", 0.3, 0.3), line(UNTOUCHED, 0.0, 0.0)]
    assert [one.undominated for one in summarise(rows)] == [True, True, False, False]


def test_intervals_hold_the_mean_and_narrow_with_more_pairs() -> None:
    values = samples(64, 1, 0)[:, 0].tolist()
    few, many = interval(values[:8]), interval(values)
    assert few[1] < few[0] < few[2]
    assert many[2] - many[1] < few[2] - few[1]
    assert interval([3.0]) == (3.0, 3.0, 3.0)


def test_a_result_that_is_no_picture(pairs: list[tuple[Path, Path]], tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(PictureError):
        Ruler(tiny_of_all_layers()).measure(*pairs[0], tmp_path / "broken.png")


def test_a_weave_and_coloured_salt_are_seen_and_paint_is_not_taken_for_them() -> None:
    painted = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    soft = torch.nn.functional.avg_pool2d(painted, 5, 1, 2)
    assert grid(luma(soft)) < 0.1
    woven = soft.clone()
    woven[..., ::4] += 0.02
    assert grid(luma(woven)) > 0.3
    assert salt(soft) == 0
    salted = soft.clone()
    salted[0, 0, 40, 50], salted[0, 1, 90, 7] = 1, 1
    assert salt(salted) == pytest.approx(2e6 / 128**2)
    grey = soft.clone()
    grey[..., 64, 64] = 1
    assert salt(grey) == 0


@pytest.mark.parametrize("pattern", ["{x}", "{content", "{}", "{content}_{painting}", "nothing"])
def test_patterns_that_are_none(pairs: list[tuple[Path, Path]], tmp_path: Path, pattern: str) -> None:
    with pytest.raises(InputError, match="a pattern of"):
        find_results("theirs", tmp_path, pattern, pairs)


def test_tables_name_each_column_once_and_can_be_read_from_anywhere(
    pairs: list[tuple[Path, Path]], tmp_path: Path, save: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "report").mkdir()
    rows = [Result("mine", *pairs[0], save("result.png", 176, 200, 40), {"style": 0.25, "content": 0.5})]
    monkeypatch.chdir(tmp_path)
    write_tables(Path("report"), rows, summarise(rows), {})
    monkeypatch.chdir("/")
    with (tmp_path / "report" / "results.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["style_distance"], row["content_distance"]) == ("0.25", "0.5")
    (again,) = read_results(tmp_path / "report" / "results.csv")
    for path in (again.content, again.style, again.picture):
        assert path.is_file()
    assert str(tmp_path) not in (tmp_path / "report" / "results.json").read_text()
