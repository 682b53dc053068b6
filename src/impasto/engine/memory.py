"""How much memory a descent takes, before it starts."""

from __future__ import annotations

from impasto.encoders.encoder import Architecture

_PICTURES = 150
_MASKS = 40
_MARGIN = 1.2


def bytes_per_pixel(architecture: Architecture, layers: set[str], regions: int = 0) -> float:
    """Bytes that each pixel of the picture takes while its loss is differentiated, in float32.

    Each of `regions`, where there are any, has masks at every size.

    Each convolution keeps its output until the gradient has passed, each pooling eight bytes for every value; on the
    way back three gradients of the widest layer are alive at once. The pictures themselves, their averages and the
    optimiser's moments come on top.
    """
    names = architecture.layers()
    deepest = max(names.index(layer) for layer in layers)
    kept = widest = 0.0
    channels, area = 3, 1.0
    for name in names[: deepest + 1]:
        if name.startswith("conv"):
            channels = architecture.convolutions[name[4:]]
            kept += 4 * area * channels
            widest = max(widest, 4 * area * channels)
        elif name.startswith("pool"):
            area /= 4
            kept += 8 * area * channels
    return _MARGIN * (_PICTURES + _MASKS * regions + kept + 3 * widest)
