"""Paintings as styles, and styles saved in a file: a whole brief with all that is needed to paint by it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from impasto.brief import SELECTORS, Brief, Region, of_map
from impasto.controls.color import OF_PHOTO
from impasto.encoders import load_encoder, weights_path
from impasto.engine.scales import SMALLEST_SIDE
from impasto.errors import PictureError, SettingsError, WeightsError
from impasto.losses.terms import Targets
from impasto.media.files import replacing
from impasto.media.geometry import fit
from impasto.media.image import Picture, read
from impasto.media.writing import write
from impasto.models.instant import STYLE_LAYERS
from impasto.recipes.pictures import Pictures
from impasto.recipes.regions import MaskReader
from impasto.settings import style_size
from impasto.shelf.engines import STYLE_SUFFIX
from impasto.weights.files import read_weights, sha256

_ENCODER, _BRIEF = "impasto-encoder", "impasto-brief"
_FLAT = 2 / 255
_LARGEST_RESULT = 1024
_QUALITY = 92


class PaintingReader:
    """Paintings and the masks of their parts; one that several regions share is read once."""

    def __init__(self, pictures: Pictures) -> None:
        self.pictures = pictures
        self._opened: dict[tuple[str, int], tuple[Picture, MaskReader]] = {}

    def read(self, style: str, size: int, part: str) -> tuple[Picture, Tensor | None]:
        """The painting, its long side scaled to `size`, and the mask of a part of it, None for all ("").

        Raises:
            PictureError: it cannot be read, is all one colour, or the mask cannot be used.
            WeightsError: a saved style that is damaged, or that holds no picture.
        """
        if (style, size) not in self._opened:
            painting = read_painting(style, size, self.pictures)
            check_not_flat(painting.pixels, f"The style {Path(style).name}")
            self._opened[style, size] = painting, MaskReader(painting, self.pictures)
        painting, masks = self._opened[style, size]
        return painting, masks.read(part) if part else None


def read_painting(style: str, size: int, pictures: Pictures) -> Picture:
    """A painting, its long side scaled to `size`: a file, or one inside a saved style.

    Raises:
        PictureError: it cannot be read.
        WeightsError: a saved style that is damaged, or that holds no picture.
    """
    if not is_saved(style, pictures):
        return pictures.read(style, size)
    return Pictures().read(SavedStyle.read(style, pictures).picture(style), size)


def seen_size(region: Region, brief: Brief, shape: tuple[int, int]) -> int:
    """The long side at which a painting of `shape` is looked at: the result's, so that strokes are in proportion.

    Raises:
        SettingsError: it would be enlarged beyond all measure.
    """
    largest = min(_LARGEST_RESULT, brief.settings.painted_size)
    result = largest if brief.settings.size == "max" else min(largest, brief.settings.size)
    wanted = style_size(result, region.style_scale or 1.0)
    height, width = fit(*shape, wanted)
    return wanted if min(height, width) >= SMALLEST_SIDE else -(-wanted * SMALLEST_SIDE // min(height, width))


def check_not_flat(pixels: Tensor, name: object) -> None:
    """Raise `PictureError` where a picture (1, 3, H, W) is all one colour."""
    if float(pixels.amax((2, 3)).sub(pixels.amin((2, 3))).max()) < _FLAT:
        raise PictureError(f"{name} is all one colour, so there is nothing to see in it; give another picture.")


def check_not_narrow(size: tuple[int, int]) -> None:
    """Raise `PictureError` where a result of `size` (height, width) has a side that the encoder cannot see."""
    if min(size) < SMALLEST_SIDE:
        needed = -(-max(size) * SMALLEST_SIDE // min(size))
        raise PictureError(
            f"At a size of {max(size)} the photo would be {size[1]}x{size[0]} pixels; its short side needs "
            f"{SMALLEST_SIDE}, so give --size {needed} or more, or crop the photo."
        )


def is_saved(style: str, pictures: Pictures) -> bool:
    """Whether a style is a file that `impasto style save` has written, or a part of one."""
    place = pictures.place(_file(style))
    return not isinstance(place, Picture) and Path(place).suffix == STYLE_SUFFIX


@dataclass(frozen=True)
class SavedStyle:
    """What a file of a style holds: its brief, and for each region what is known of its style, or its paintings."""

    path: Path
    brief: Brief | None
    state: dict[str, Tensor]

    @staticmethod
    def read(style: str, pictures: Pictures) -> SavedStyle:
        """The file of a style, or of a part of one.

        Raises:
            WeightsError: it is missing, damaged, no style, or was made with another encoder.
        """
        path = pictures.path(_file(style))
        state, metadata = read_weights(path)
        if metadata.get(_ENCODER) != sha256(weights_path("compact")):
            raise WeightsError(
                f"{path} is no style that this version has saved; make it again with 'impasto style save'."
            )
        text = metadata.get(_BRIEF)
        return SavedStyle(path, Brief.from_json(text, f"The brief in {path}") if text else None, state)

    @property
    def paintings(self) -> int:
        """How many paintings it holds; 0 where it holds what is known of them."""
        return sum(".picture." in key for key in self.state)

    def description(self, style: str) -> Targets:
        """What the instant network knows of it.

        Raises:
            WeightsError: it is damaged, or holds paintings instead.
        """
        region, _ = _part(style)
        prefix = f"{region}." if self.brief else ""
        convolutions = load_encoder("compact").architecture.convolutions
        description: Targets = {}
        for layer in STYLE_LAYERS:
            width = convolutions[layer.removeprefix("relu")]
            description[layer] = {
                "mean": self._checked(f"{prefix}{layer}.mean", (1, width)),
                "moment": self._checked(f"{prefix}{layer}.moment", (1, width, width)),
            }
        return description

    def has_picture(self, style: str) -> bool:
        """Whether it holds the painting, and not what is known of it.

        Raises:
            SettingsError: it holds more than one style, and is to be mixed with others.
        """
        several = self.brief and (len(self.brief.regions) > 1 or self.paintings > 1 or not self.state)
        if of_map(style) is None and several:
            raise SettingsError(
                f"{self.path} holds more than one style, or those of a painter; give it alone, without other styles "
                "and regions."
            )
        region, number = _part(style)
        return f"{region}.picture.{number}" in self.state

    def picture(self, style: str) -> Picture:
        """The painting.

        Raises:
            WeightsError: it holds none.
        """
        region, number = _part(style)
        key = f"{region}.picture.{number}"
        if not self.has_picture(style):
            raise WeightsError(
                f"{self.path} holds what the instant network knows of a style, and no painting to optimise by or "
                "adapt to; save it with --engine optimize, or paint with --engine instant as it is."
            )
        with tempfile.NamedTemporaryFile(suffix=".webp") as file:
            file.write(self.state[key].byte().numpy().tobytes())
            file.flush()
            return read(file.name)

    def opened(self) -> Brief:
        """The brief, which it has, its styles called by the parts of this file."""
        assert self.brief is not None
        regions = []
        for number, region in enumerate(self.brief.regions):
            if self.brief.painter_style(region.styles[0]) is None:
                count = len([key for key in self.state if key.startswith(f"{number}.picture.")])
                styles = tuple(f"{self.path}#{number:02x}00{at:02x}" for at in range(max(1, count)))
                region = region.model_copy(update={"styles": styles})
            regions.append(region)
        return self.brief.model_copy(update={"regions": tuple(regions)})

    def _checked(self, key: str, shape: tuple[int, ...]) -> Tensor:
        if key not in self.state or self.state[key].shape != shape or not bool(self.state[key].isfinite().all()):
            raise WeightsError(f"{self.path} is damaged ({key}); make it again with 'impasto style save'.")
        return self.state[key]


def save_style(brief: Brief, path: Path, pictures: Pictures, *, force: bool = False) -> None:
    """Write a brief with what is known of its styles, so that `path` is all that is needed to paint by it.

    Where the instant network paints in the style's own colours as it is, that is a few statistics; otherwise small
    copies of the paintings.

    Raises:
        InputError: a painting that cannot be used, a painter that is to adapt, or masks in files, which belong to one
            photo.
        OutputError: it exists, or cannot be written.
    """
    from safetensors.torch import save_file

    from impasto.recipes.sources import open_model

    _check_for_any_photo(brief)
    if brief.settings.adapt:
        open_model(brief, pictures)
    state: dict[str, Tensor] = {}
    regions = []
    for number, region in enumerate(brief.regions):
        if brief.painter_style(region.styles[0]) is not None:
            regions.append(region)
            continue
        known = _known(brief, region, pictures)
        state |= {f"{number}.{key}": value for key, value in known.items()}
        described = not any(key.startswith("picture") for key in known)
        changes = {"styles": ("saved",), "blend": ()} if described else {"styles": ("saved",) * len(region.styles)}
        regions.append(region.model_copy(update={**changes, "style_masks": ()}))
    kept = brief.model_copy(update={"regions": tuple(regions), "output": {}, "weights": None})
    told = kept.renamed({brief.engine: Path(brief.engine).name}).to_json()
    metadata = {_ENCODER: sha256(weights_path("compact")), _BRIEF: told}
    with replacing(path, force=force) as temporary:
        save_file({key: value.contiguous() for key, value in state.items()}, temporary, metadata)


def _known(brief: Brief, region: Region, pictures: Pictures) -> dict[str, Tensor]:
    """What is known of a region's style: statistics, or pictures."""
    from impasto.recipes.one_pass import OnePass

    look = brief.look_of(region)
    reads = brief.engine != "optimize" and not brief.engine.endswith(".onnx") and not brief.settings.adapt
    if reads and look.color not in OF_PHOTO:
        (description,) = OnePass.open(brief.model_copy(update={"regions": (region,)}), pictures).descriptions()
        return {f"{layer}.{name}": value.cpu() for layer, named in description.items() for name, value in named.items()}
    if any(region.style_masks):
        raise SettingsError(
            "A part of a painting can be saved for the instant network only, without --adapt and in its own colours; "
            "otherwise save the whole painting."
        )
    copies, reader = {}, PaintingReader(pictures)
    for at, style in enumerate(region.styles):
        saved = is_saved(style, pictures)
        shape = SavedStyle.read(style, pictures).picture(style).size if saved else pictures.dimensions(style)
        size = seen_size(look, brief, shape)
        painting, _ = reader.read(style, size, "")
        copies[f"picture.{at}"] = _compressed(painting)
    return copies


def _compressed(picture: Picture) -> Tensor:
    import torch

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "painting.webp"
        write(Picture(picture.pixels), path, quality=_QUALITY)
        return torch.frombuffer(bytearray(path.read_bytes()), dtype=torch.uint8)


def _check_for_any_photo(brief: Brief) -> None:
    masks = [brief.keep, *(mask for region in brief.regions for mask in (region.mask, region.grade))]
    if any(mask and mask not in SELECTORS for mask in masks):
        raise SettingsError(
            f"A saved style is for any photo, and a mask for one; save it with {', '.join(SELECTORS)} or without masks."
        )


def _file(style: str) -> str:
    """The file that a style, or a part of one, lies in."""
    part = of_map(style)
    return part[0] if part and part[0].endswith(STYLE_SUFFIX) else style


def _part(style: str) -> tuple[int, int]:
    """(region, painting) that a part of a saved style is."""
    part = of_map(style)
    return (int(part[1][:2], 16), int(part[1][4:], 16)) if part else (0, 0)
