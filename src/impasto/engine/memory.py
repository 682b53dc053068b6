"""How much memory a descent takes, before it starts."""

from __future__ import annotations

from impasto.encoders.encoder import Architecture

_PER_PIXEL = 200
_OVERHEAD = 1.25


def bytes_per_pixel(architecture: Architecture, layers: set[str]) -> float:
    """Bytes that each pixel of the picture takes while its loss is differentiated, in float32.

    Each convolution keeps its padded input and its output until the gradient has passed, and so does each pooling;
    on the way back two gradients of the widest layer are alive at once.
    """
    names = architecture.layers()
    deepest = max(names.index(layer) for layer in layers)
    kept = widest = 0.0
    channels, area = 3, 1.0
    for name in names[: deepest + 1]:
        if name.startswith("conv"):
            width = architecture.convolutions[name[4:]]
            kept += 4 * area * (channels + width)
            widest = max(widest, 4 * area * width)
            channels = width
        elif name.startswith("pool"):
            area /= 4
            kept += 4 * area * 3 * channels
    return _PER_PIXEL + _OVERHEAD * (kept + 2 * widest)


def estimate_bytes(architecture: Architecture, layers: set[str], pixels: int) -> int:
    """Bytes that painting a picture of so many pixels takes, beyond what the program itself does."""
    return int(pixels * bytes_per_pixel(architecture, layers))
