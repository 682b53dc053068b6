"""Settings of a painting."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)

from impasto.controls.color import Color
from impasto.device import DeviceName, Precision
from impasto.encoders import EncoderName, Pooling
from impasto.engine.optimizer_settings import OptimizerSettings
from impasto.engine.start import Start
from impasto.errors import SettingsError

StyleLoss = Literal["wasserstein", "gram", "gram-size", "moments", "sliced"]
ContentLoss = Literal["instance", "mean", "gatys", "cosine"]
SMALLEST_SIZE, LARGEST_SIZE = 64, 32768
LARGEST_STYLE = 8192
Runtime = Literal["torch", "onnxruntime", "openvino"]
Strength = Annotated[float, Field(ge=0, le=1)] | Literal["auto"]
_RANGES = {
    "size": f"a whole number from {SMALLEST_SIZE} to {LARGEST_SIZE} pixels, or max",
    "strength": "a number from 0 (the photo) to 1 (the full style), or auto",
}
_RESNET_LAYERS = {
    "style_layers": dict.fromkeys(("conv1", "layer1_1", "layer2_1", "layer3_1", "layer4_1"), 0.2),
    "content_layers": {"layer2_2": 0.5, "layer3_2": 0.5},
}


class Look(BaseModel):
    """Settings of every painting, however it is made."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    size: Annotated[int, Field(ge=SMALLEST_SIZE, le=LARGEST_SIZE)] | Literal["max"] = Field(
        512, description="Long side of the result in pixels; max: that of the photo, or as much as memory allows."
    )
    painted_size: int = Field(
        2048,
        ge=SMALLEST_SIZE,
        le=LARGEST_SIZE,
        description="Long side up to which is painted (a panorama's is longer); larger results are enlarged from it "
        "along the photo's edges. Less makes broader strokes.",
    )
    strength: Strength = Field(
        1.0, description="From the photo (0) to the full style (1); auto: as much as leaves its shapes."
    )
    color: Color = Field(
        "style",
        description="Colours of the style; chroma of the photo (content) or its hues (harmony); the style's, moved to "
        "the photo's palette (match) or histogram.",
    )
    style_scale: float = Field(
        1.0, ge=0.1, le=8, description="Size at which the painting is seen: finer marks below 1, softer ones above."
    )
    adapt: int = Field(
        0,
        ge=0,
        le=100,
        description="Steps in which the instant network adapts to a style before it paints: 20 take seconds, once for "
        "all photos and frames (with the colours of each, once for each), and come nearer to the style.",
    )
    memory: str = Field("", description="Most memory to use, like 2GB; without it, most of what is free.")
    seed: int = Field(0, ge=0, lt=2**63, description="Variation: another number, another picture; 0 is the plain one.")
    device: DeviceName = Field("auto", description="Where to compute.")
    precision: Precision = Field("auto", description="bfloat16 where it is faster, or one of both.")
    runtime: Runtime = Field(
        "torch",
        description="What runs networks that paint in one pass; openvino is up to three times as fast on a CPU.",
    )

    @field_validator("memory")
    @classmethod
    def _memory_as_written(cls, value: str) -> str:
        if value and not _bytes_of(value):
            raise ValueError("must be more than 0, like 1500MB or 2GB")
        return value

    @property
    def memory_bytes(self) -> float | None:
        """The most memory to use, in bytes."""
        return _bytes_of(self.memory) if self.memory else None

    @field_validator("size", "strength", mode="wrap")
    @classmethod
    def _in_range(cls, value: object, usual: ValidatorFunctionWrapHandler, info: ValidationInfo) -> object:
        try:
            return usual(value)
        except ValidationError:
            raise ValueError(f"must be {_RANGES[info.field_name or '']}") from None


def _bytes_of(memory: str) -> float:
    """Of `2GB`, `1500 MB`, `1.5GiB`; 0 of nothing."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt])(i?)b\s*", memory, re.IGNORECASE)
    if memory and not match:
        raise ValueError("must be a number of MB or GB, like 1500MB or 2GB")
    if not match:
        return 0.0
    unit = (1024.0 if match[3] else 1000.0) ** ("kmgt".index(match[2].lower()) + 1)
    return float(match[1]) * unit


def by_name(value: object) -> object:
    """`relu3_1=1,relu4_1=0.5` as a dictionary; what is no text, as it is."""
    if not isinstance(value, str):
        return value
    pairs = [part.partition("=")[::2] for part in value.split(",")]
    return {name.strip(): number.strip() for name, number in pairs}


def style_size(size: int, style_scale: float) -> int:
    """The long side at which a painting is looked at for a result of `size`, so that strokes are in proportion.

    Raises:
        SettingsError: it would be enlarged beyond all measure.
    """
    wanted = round(size * style_scale)
    if style_scale > 1 and wanted > LARGEST_STYLE:
        fitting = int(100 * LARGEST_STYLE / size) / 100
        advice = f"give --style-scale {fitting:g} or less, or a smaller --size" if fitting > 1 else "leave it out"
        raise SettingsError(
            f"At --style-scale {style_scale:g} a result of {size} pixels asks for a painting of {wanted}, more than "
            f"{LARGEST_STYLE}; {advice}."
        )
    return wanted


class Recipe(OptimizerSettings, Look):
    """Settings of a painting by optimisation. The defaults are the preset `balanced`."""

    encoder: EncoderName = Field(
        "compact2", description="Network that sees; all but compact and compact2 need their weights."
    )
    pooling: Pooling = Field("max", description="How the encoder shrinks its features.")
    style_loss: StyleLoss = Field("wasserstein", description="What style is.")
    style_layers: dict[str, float] = Field(
        {"relu1_1": 0.2, "relu2_1": 0.2, "relu3_1": 0.2, "relu4_1": 0.2, "relu5_1": 0.2},
        description="Layers that judge style, with weights.",
    )
    style_weight: float = Field(1.0, ge=0, description="Weight of style.")
    content_loss: ContentLoss = Field("instance", description="What content is.")
    content_layers: dict[str, float] = Field(
        {"relu3_4": 0.5, "relu4_2": 0.5}, description="Layers that judge content, with weights."
    )
    content_weight: float = Field(0.15, ge=0, description="Weight of content, for pictures of up to 512 px.")
    content_growth: float = Field(
        0.95, ge=0, le=2, description="Power of the size, up to 1792 px over 512 px, by which content weighs more."
    )
    smoothness: Literal["l1", "l2"] = Field(
        "l2", description="What smoothness is: total variation, absolute or squared."
    )
    smoothness_weight: float = Field(0.0, ge=0, description="Weight of smoothness.")
    start: Start = Field(
        "instant",
        description="First picture: the photo, noise, the photo in the style's colours, or painted in one pass.",
    )
    detail: float = Field(
        1.0, ge=0, le=1, description="Share of the detail of a first picture at each finer size that is added there."
    )
    steps: tuple[int, ...] = Field(
        (0, 0, 12, 6, 9),
        description="Steps at long sides of 128, 256, 512, 1024, 2048 px, then halved; 0: not there.",
    )
    jitter: bool = Field(
        False, description="Move the picture by a pixel between steps up to 1024 px, too: less grain, but more steps."
    )
    tile: int = Field(
        -1,
        ge=-1,
        le=1 << 16,
        description="Side of the tiles in which the picture is judged, exactly as in one piece; 0: in one piece, -1: "
        "as memory asks for.",
    )
    pyramid: bool = Field(True, description="Paint coarse to fine; otherwise at the full size only.")

    @property
    def orders_features(self) -> bool:
        """Whether style puts features in order, all over the picture, which is then seen as a whole."""
        return self.style_loss == "sliced"

    @model_validator(mode="before")
    @classmethod
    def _layers_of_a_residual_network(cls, data: Any) -> Any:
        """Where none are named, those of a residual network that lie where VGG's do."""
        if isinstance(data, dict) and str(data.get("encoder", "")).startswith("resnet"):
            return {**_RESNET_LAYERS, **data}
        return data

    @field_validator("tile")
    @classmethod
    def _tile_on_the_grid(cls, value: int) -> int:
        if value > 0 and (value < 128 or value % 16):
            raise ValueError("must be a multiple of 16 from 128 on, or 0, or -1")
        return value

    _written_as_text = field_validator("style_layers", "content_layers", mode="before")(by_name)

    @field_validator("style_layers", "content_layers")
    @classmethod
    def _weights_in_range(cls, value: dict[str, float]) -> dict[str, float]:
        if not value or min(value.values()) < 0:
            raise ValueError("must name at least one layer, with weights of 0 or more")
        return value

    @field_validator("steps")
    @classmethod
    def _steps_in_range(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not value or min(value) < 0 or value[-1] < 1:
            raise ValueError("must be one or more counts of 0 or more, the last of 1 or more")
        return value

    def layers(self) -> set[str]:
        """Every layer of the encoder that is looked at."""
        return {*self.style_layers, *self.content_layers}


def describe(error: ValidationError) -> str:
    """One sentence for the first thing that is wrong."""
    problem = error.errors()[0]
    message = problem["msg"].removeprefix("Value error, ")
    name = ".".join(part for part in map(str, problem["loc"]) if not part.endswith(("int", "float")))
    return f"The setting {name} is {problem['input']!r}, but {message[0].lower()}{message[1:]}."
