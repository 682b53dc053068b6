"""Settings of the training commands."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from impasto.device import DeviceName, Precision
from impasto.settings import by_name

Method = Literal["cut", "fastcut", "cyclegan"]

_CONVOLUTIONS = {f"{block}_{n}" for block, depth in enumerate((2, 2, 4, 4, 1), start=1) for n in range(1, depth + 1)}
_WIDTHS = {
    "1_1": 24, "1_2": 24, "2_1": 64, "2_2": 64, "3_1": 160, "3_4": 128, "4_1": 96, "4_2": 96, "4_4": 128, "5_1": 128,
}  # fmt: skip
_JUDGED = {"1_1", "2_1", "3_1", "3_4", "4_1", "4_2", "5_1"}


class EncoderTraining(BaseModel):
    """Settings of `impasto train encoder`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    widths: dict[str, int] = Field(
        _WIDTHS,
        description="Channels of each layer, as in `1_1=24,1_2=24,...`; layers that are left out are not there. What "
        "is trained further keeps its own.",
    )
    crops: int = Field(160, ge=16, description="Crops for the closed-form start.")
    crop_size: int = Field(160, ge=64, description="Side of the crops, in pixels.")
    enlarged: float = Field(
        0.3, ge=0, le=1, description="Share of the crops that are soft, as small paintings are in large results."
    )
    ridge: float = Field(1e-4, gt=0, description="Ridge of the regressions, relative to the features' power.")
    minutes: float = Field(60, ge=0, description="Time limit of the fine-tuning.")
    steps: int = Field(5000, ge=0, description="Steps of the fine-tuning, at most.")
    batch: int = Field(6, ge=2, description="Crops per step, half of them paintings in progress.")
    learning_rate: float = Field(5e-4, gt=0, description="Adam's step at its highest; it rises, then falls to 0.")
    seed: int = Field(0, description="Fixes the split, the crops and the patches.")

    _written_as_text = field_validator("widths", mode="before")(by_name)

    @field_validator("widths")
    @classmethod
    def _widths_in_order(cls, value: dict[str, int]) -> dict[str, int]:
        if not (_JUDGED <= {*value} <= _CONVOLUTIONS and min(value.values()) >= 8):
            raise ValueError(
                "must give 8 or more channels to each of 1_1, 2_1, 3_1, 3_4, 4_1, 4_2 and 5_1, and to whichever you "
                "like of VGG-19's other layers up to 5_1"
            )
        return dict(sorted(value.items()))


class Training(BaseModel):
    """Settings of every training by gradient descent; those that are `free` may change when it goes on."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    free: ClassVar[frozenset[str]] = frozenset(
        {"minutes", "steps", "patience", "validate_every", "checkpoint_minutes", "workers", "learning_rate", "clip"}
    )

    minutes: float | None = Field(
        None, gt=0, description="Time limit of the whole command, by whose end the learning rate has come to its own."
    )
    steps: int = Field(20_000, ge=1, description="Steps at most.")
    batch: int = Field(8, ge=1, description="Crops per step and device.")
    crop_size: int = Field(128, ge=64, multiple_of=8, description="Side of the crops, in pixels.")
    accumulate: int = Field(1, ge=1, description="Batches whose gradients are added up for one step.")
    learning_rate: float = Field(3e-3, gt=0, description="Adam's step at its highest.")
    schedule: Literal["cosine", "linear", "constant"] = Field("cosine", description="How the learning rate falls.")
    warm_up: int = Field(100, ge=0, description="Steps in which the learning rate rises from 0.")
    weight_decay: float = Field(0.0, ge=0, description="Decoupled weight decay (AdamW).")
    clip: float = Field(1.0, gt=0, description="Largest norm of the gradient.")
    averaging: float = Field(0.998, ge=0, lt=1, description="Decay of the running average of the weights.")
    style_weight: float = Field(1.0, ge=0, description="Weight of style.")
    content_weight: float = Field(0.12, ge=0, description="Weight of content.")
    smoothness_weight: float = Field(0.0, ge=0, description="Weight of total variation.")
    grid_weight: float = Field(1.0, ge=0, description="Weight of painting no weave: of detail that keeps to a grid.")
    shift_weight: float = Field(
        0.0, ge=0, description="Weight of painting a photo that has moved by a few pixels like the photo itself."
    )
    blotch_weight: float = Field(
        0.0, ge=0, description="Weight of painting no blotches or halos: alike what is alike in the photo."
    )
    steady_weight: float = Field(0.0, ge=0, description="Weight of painting a disturbed photo like the photo itself.")
    disturbance: Literal["fgsm", "noise"] = Field("fgsm", description="How photos are disturbed for that.")
    epsilon: float = Field(4.0, gt=0, le=64, description="How far each value is disturbed at most, of 255.")
    validate_every: int = Field(250, ge=1, description="Steps between validations.")
    patience: int = Field(0, ge=0, description="Validations without improvement before it stops; 0: never.")
    checkpoint_minutes: float = Field(5.0, gt=0, description="Minutes between checkpoints.")
    workers: int = Field(1, ge=1, description="Threads that load pictures.")
    devices: int = Field(1, ge=1, description="Processes that train together (DDP), one per device.")
    device: DeviceName = Field("auto", description="Where to compute.")
    precision: Precision = Field("auto", description="bfloat16 where it is faster, or always float32.")
    seed: int = Field(0, ge=0, description="Fixes the split, the crops, the styles and the first weights.")

    def differences(self, other: Training) -> list[str]:
        """Settings that differ though a training that goes on cannot change them."""
        mine, theirs = self.model_dump(), other.model_dump()
        return [name for name in mine if name not in self.free and mine[name] != theirs.get(name)]


class InstantTraining(Training):
    """Settings of `impasto train instant`."""

    blocks: int | None = Field(
        None, ge=0, le=16,
        description="Residual blocks at an eighth of the size, where strokes are laid out: 2, or those of the network "
        "that it goes on from, which may grow.",
    )  # fmt: skip
    reader: int | None = Field(
        None, ge=16, le=4096,
        description="Width of what reads a style: 128, or that of the network that it goes on from, which may grow.",
    )  # fmt: skip


class PainterTraining(Training):
    """Settings of `impasto train painter`."""

    batch: int = Field(4, ge=1, description="Crops per step and device.")
    crop_size: int = Field(256, ge=64, multiple_of=8, description="Side of the crops, in pixels.")
    learning_rate: float = Field(2e-3, gt=0, description="Adam's step at its highest.")
    content_weight: float = Field(0.2, ge=0, description="Weight of content.")
    content_weights: dict[str, Annotated[float, Field(ge=0)]] = Field(
        {}, description="The same for styles that need more or less of it than others: `--content-weights.NAME 0.1`."
    )
    widths: tuple[int, ...] | None = Field(
        None,
        description="Channels at an eighth, a quarter, half and full size: 64 64 32 16, or those of the network that "
        "it goes on from, which may be widened.",
    )
    style_scale: float = Field(1.0, ge=0.1, le=8, description="Size of the strokes relative to the picture.")
    sizes: tuple[Annotated[int, Field(ge=64, le=4096)], ...] = Field(
        (512,),
        min_length=1,
        description="Long sides of pictures for which each style is learned; strokes grow with them.",
    )

    @field_validator("widths")
    @classmethod
    def _four_widths(cls, value: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if value is not None and not (len(value) == 4 and 8 <= min(value) <= max(value) <= 512):
            raise ValueError("must be four numbers from 8 to 512, for an eighth, a quarter, half and full size")
        return value


class CollectionTraining(Training):
    """Settings of `impasto train collection`."""

    free = Training.free | {"adversarial_weight", "critic_pace", "r1", "augmentation"}

    method: Method = Field("cut", description="What holds the content: contrast of places, or the way back.")
    generator: Literal["painter", "residual", "unet"] = Field(
        "painter", description="The network: one that sees with the encoder, or one that learns to see."
    )
    width: int = Field(16, ge=4, le=256, description="Channels of a residual network or U-Net at full size.")
    blocks: int = Field(6, ge=0, le=32, description="Residual blocks; the papers have 6 or 9.")
    critic: Literal["features", "patches"] = Field(
        "features", description="What the critic sees: the encoder's features, or 70x70 pixels."
    )
    critic_width: int = Field(64, ge=4, le=256, description="Channels of the critic.")
    critic_scales: int = Field(1, ge=1, le=4, description="Sizes at which a critic of patches looks.")
    critic_pace: float = Field(1.0, gt=0, description="The critic's learning rate, as a multiple of the painter's.")
    spectral: bool = Field(False, description="Spectral normalisation of the critic.")
    game: Literal["logistic", "least_squares", "hinge"] = Field("least_squares", description="What both play for.")
    r1: float = Field(0.0, ge=0, description="Weight of the critic's slope on real paintings.")
    augmentation: bool = Field(False, description="Disturb what the critic sees, real and painted alike.")
    pool: int = Field(0, ge=0, le=1000, description="Earlier results that the critic sees again; CycleGAN: 50.")
    adversarial_weight: float = Field(0.1, ge=0, description="Weight of the game.")
    manner_weight: float = Field(1.0, ge=0, description="Weight of the collection's mean statistics.")
    manner_memory: float = Field(
        0.9, ge=0, lt=1, description="Share of earlier results in those statistics, so that no crop needs all colours."
    )
    contrast_weight: float = Field(0.1, ge=0, description="Weight of contrast (cut, fastcut).")
    cycle_weight: float = Field(10.0, ge=0, description="Weight of there and back again (cyclegan).")
    identity_weight: float = Field(5.0, ge=0, description="Weight of leaving paintings as they are (cyclegan).")
    validation_content: float = Field(1.0, ge=0, description="What a content distance weighs in validation.")

    batch: int = Field(4, ge=1, description="Photos, and as many paintings, per step and device.")
    crop_size: int = Field(128, ge=64, multiple_of=16, description="Side of the crops, in pixels.")
    smallest_scale: float = Field(
        0.0, ge=0, le=1,
        description="How small crops may be made: 0, down to whole pictures; 1, not at all, so that touches keep their "
        "size.",
    )  # fmt: skip
    learning_rate: float = Field(2e-4, gt=0, description="Adam's step at its highest.")
    schedule: Literal["cosine", "linear", "constant"] = Field("linear", description="How the learning rate falls.")
