"""What is measured, and how: frozen, so that figures of one version compare, whoever took them."""

from __future__ import annotations

from dataclasses import asdict, dataclass

VERSION = 2


@dataclass(frozen=True)
class Measure:
    """A column of the table. `better` is "lower", "higher", or "neither" where it only describes."""

    name: str
    better: str
    meaning: str


MEASURES = (
    Measure("style", "lower", "Wasserstein-2 distance to the style's Gaussian, relative, root, mean over layers"),
    Measure("gram", "lower", "distance of Gram matrices, relative to the style's, mean over layers"),
    Measure("content", "lower", "half the mean squared difference of instance-normalised features, mean over layers"),
    Measure(
        "perceptual", "lower", "distance of unit-length features to the photo's, sum over layers (as LPIPS, unweighted)"
    ),
    Measure("ssim", "higher", "structural similarity of luma to the photo's (Wang et al., 2004)"),
    Measure("ms_ssim", "higher", "the same at five scales (Wang et al., 2003)"),
    Measure("color", "lower", "sliced Wasserstein-1 distance of colours in CIELAB to the style's"),
    Measure("sharpness", "neither", "mean length of the luma's gradient, of 255"),
    Measure("grain", "neither", "deviation of what looks like noise in luma, of 255 (Immerkær, 1996)"),
    Measure("grid", "lower", "weave: how much fine detail depends on row or column modulo 4, of the result as it is"),
    Measure("salt", "lower", "pixels of a colour beyond all of their neighbours', per million, of the result as it is"),
)

SIZE = 512
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
CONTENT_LAYERS = ("relu3_4", "relu4_2")
PERCEPTUAL_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
SET_LAYERS = ("relu2_1", "relu3_1", "relu4_1")
SET_CELLS = 4
DIRECTIONS = 32
SSIM_SIGMA = 1.5
GRID_PERIOD = 4
SALT = 0.1


def specification(encoder: str, sha256: str) -> dict[str, object]:
    """All of it as JSON, with the encoder that saw."""
    return {
        "version": VERSION,
        "encoder": {"name": encoder, "sha256": sha256},
        "long_side": SIZE,
        "style_layers": STYLE_LAYERS,
        "content_layers": CONTENT_LAYERS,
        "perceptual_layers": PERCEPTUAL_LAYERS,
        "set_layers": SET_LAYERS,
        "set_cells": SET_CELLS,
        "measures": [asdict(measure) for measure in MEASURES],
    }
