"""`impasto train encoder`: distil a small encoder from a large one, on a CPU, in minutes.

A closed-form start (`prune_and_regress`), then gradient descent on all layers together (`fine_tuning`), then figures
from pictures that were never seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from impasto.encoders.encoder import Encoder
from impasto.encoders.vgg import load_stack, load_vgg
from impasto.errors import WeightsError
from impasto.provenance import Source
from impasto.training.fine_tuning import LAYERS, fine_tune
from impasto.training.heads import explained_by_linear_heads, weigh_channels
from impasto.training.pictures import Crops, find_pictures, split
from impasto.training.prune_and_regress import Teacher, prune_and_regress, student_of
from impasto.training.settings import EncoderTraining
from impasto.weights.files import read_weights, sha256

_FIT, _TEST = 64, 48


@dataclass(frozen=True)
class EncoderProgress:
    """What has just happened: a layer was fitted, or a number of steps taken; the encoder, once it is whole."""

    done: float
    message: str
    encoder: Encoder | None


def load_teacher(paths: Sequence[Path]) -> Teacher:
    """Encoders to learn from; each layer comes from the first file that has it.

    Raises:
        WeightsError: a file is neither a VGG-19 nor a VGG-shaped stack.
    """
    encoders = []
    for path in paths:
        state, _ = read_weights(path)
        vgg = "preprocess.weight" not in state
        encoders.append(load_vgg("vgg19", path, padding_mode="reflect") if vgg else load_stack(path))
    return Teacher(encoders)


def train_encoder(
    teacher: Teacher, folders: Sequence[Path], settings: EncoderTraining, start: Encoder | None = None
) -> Iterator[EncoderProgress]:
    """Distil an encoder, or train `start` further, yielding it as it improves.

    Raises:
        InputError: a folder without pictures.
        WeightsError: the teacher lacks a layer.
        DivergedError: the fine-tuning ran into NaN; lower the learning rate.
    """
    needed = LAYERS if start else [f"relu{key}" for key in settings.widths]
    missing = [layer for layer in needed if not any(layer in encoder.layers for encoder in teacher.encoders)]
    if missing:
        raise WeightsError(f"The teachers lack {', '.join(missing)}; add a file that has them.")
    training = [split(paths, settings.seed).training for paths in find_pictures(folders)]
    begun = 0.0
    for step in [] if start else _in_closed_form(teacher, training, settings):
        start, begun = step.encoder, step.done
        yield step
    assert start is not None
    if not settings.steps or not settings.minutes:
        yield EncoderProgress(1.0, "not trained further", start)
        return
    crops = Crops(training, settings.crop_size, seed=settings.seed + 1, enlarged=settings.enlarged)
    for checked in fine_tune(start, teacher, crops, settings):
        done = begun + (1 - begun) * checked.done
        yield EncoderProgress(done, f"step {checked.step}: {checked.loss:.3f} from the teacher", checked.encoder)


def _in_closed_form(
    teacher: Teacher, pictures: Sequence[Sequence[Path]], settings: EncoderTraining
) -> Iterator[EncoderProgress]:
    crops = Crops(pictures, settings.crop_size, seed=settings.seed).draw(settings.crops)
    layers = prune_and_regress(teacher, crops, settings.widths, ridge=settings.ridge, seed=settings.seed)
    for number, (fitted, state) in enumerate(layers, start=1):
        message = f"relu{fitted.key}: {len(fitted.channels)} channels, {fitted.explained:.1%} of their variance"
        yield EncoderProgress(0.2 * number / len(settings.widths), message, None)
    weighed = weigh_channels(student_of(state), teacher, crops[:64])
    yield EncoderProgress(0.2, "channels weighed", weighed)


def write_weights(encoder: Encoder, path: Path) -> None:
    """Write the weights as float16 safetensors."""
    from safetensors.torch import save_file

    from impasto.media.files import replacing

    with replacing(path) as temporary:
        save_file({key: value.half().contiguous() for key, value in encoder.state().items()}, temporary)


def write_encoder(
    encoder: Encoder,
    path: Path,
    teacher: Teacher,
    teachers: Sequence[Path],
    folders: Sequence[Path],
    settings: EncoderTraining,
    start: Path | None = None,
) -> dict[str, object]:
    """Write the weights and, beside them, the card (JSON) with held-out figures; return the card.

    `start` is the file that the training went on from.

    Raises:
        InputError: a folder without pictures.
    """
    import json

    from impasto.media.files import replacing

    parts = [split(paths, settings.seed) for paths in find_pictures(folders)]
    fit = Crops([part.training for part in parts], settings.crop_size, seed=settings.seed + 2).draw(_FIT)
    test = Crops([part.test for part in parts], settings.crop_size, seed=settings.seed + 3).draw(_TEST)
    explained = explained_by_linear_heads(teacher, encoder, fit, test, LAYERS)
    write_weights(encoder, path)
    card: dict[str, object] = {
        "name": path.stem,
        "architecture": dict(encoder.architecture.convolutions),
        "padding": encoder.architecture.padding_mode,
        "input": "RGB in [0, 1]; preprocess is part of the weights",
        "licence": "MIT",
        "sha256": sha256(path),
        "method": "prune and regress, then fine-tuning on pictures and on paintings in progress; see impasto/training",
        "from": Source.of(start).model_dump() if start else None,
        "teachers": {teacher_path.name: sha256(teacher_path) for teacher_path in teachers},
        "pictures": {folder.name: len(paths) for folder, paths in zip(folders, find_pictures(folders))},
        "settings": settings.model_dump(exclude={"widths"} if start else None),
        "explained_by_linear_head_on_test_crops": {layer: round(share, 3) for layer, share in explained.items()},
    }
    with replacing(path.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(card, indent=2) + "\n")
    return card
