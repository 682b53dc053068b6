"""A sheet of small pictures with a line of text below each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

_GAP, _LINE = 12, 22
_PAPER, _INK = (247, 246, 243), (40, 40, 40)


def contact_sheet(pictures: Sequence[Tensor], labels: Sequence[str], columns: int) -> Tensor:
    """One picture (1, 3, H, W) in [0, 1] of `pictures` (1, 3, h, w) of one size, row by row, with their labels."""
    height, width = pictures[0].shape[-2:]
    rows = -(-len(pictures) // columns)
    size = columns * (width + _GAP) + _GAP, rows * (height + _LINE + _GAP) + _GAP
    sheet, font = Image.new("RGB", size, _PAPER), ImageFont.load_default(14)
    draw = ImageDraw.Draw(sheet)
    for number, (picture, label) in enumerate(zip(pictures, labels)):
        left = _GAP + number % columns * (width + _GAP)
        top = _GAP + number // columns * (height + _LINE + _GAP)
        array = (picture[0].clamp(0, 1).permute(1, 2, 0) * 255).round().byte().numpy()
        sheet.paste(Image.fromarray(array), (left, top))
        while draw.textlength(label, font) > width and len(label) > 1:
            label = label[:-2] + "…"
        draw.text((left, top + height + 3), label, _INK, font)
    return torch.from_numpy(np.asarray(sheet).copy()).permute(2, 0, 1)[None].float() / 255
