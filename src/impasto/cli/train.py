"""`impasto train`: make the models anew."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from impasto.training.settings import EncoderTraining

train = App(name="train", help="Train the models that come with the package, or your own.")


@train.command
def encoder(
    *,
    teacher: Annotated[list[Path], Parameter(negative="")],
    pictures: Annotated[list[Path], Parameter(negative="")],
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    force: Annotated[bool, Parameter(negative="")] = False,
    settings: Annotated[EncoderTraining | None, Parameter(name="*")] = None,
) -> None:
    """Distil a small encoder from a large one, on a CPU, and write it with its card.

    Ctrl-C keeps the encoder as it is by then.

    Example:

    - `impasto train encoder --teacher vgg19-dcbb9e9d.pth --pictures photos --pictures paintings -o compact.safetensors`

    Args:
        teacher: Weights to learn from; repeat it, and each layer comes from the first file that has it.
        pictures: A folder of pictures to learn on; repeat it, and crops come from each in turn.
        output: The .safetensors file to write; the card goes beside it as .json.
        force: Replace files that exist.
    """
    from impasto.cli.interrupt import stop_between_steps
    from impasto.cli.progress import progress_line
    from impasto.media.files import check_writable
    from impasto.training.encoder import load_teacher, train_encoder, write_encoder

    settings = settings or EncoderTraining()
    check_writable(output, force=force)
    loaded = load_teacher(teacher)
    with stop_between_steps() as interrupt, progress_line() as progress:
        task = progress.add_task(output.name, total=1.0, note="")
        for step in train_encoder(loaded, pictures, settings):
            progress.update(task, completed=step.done, note=step.message)
            if interrupt.requested:
                break
    card = write_encoder(step.encoder, output, loaded, teacher, pictures, settings)
    for layer, share in card["explained_by_linear_head_on_test_crops"].items():  # type: ignore[attr-defined]
        print(f"{layer}  {share:.3f} of the teacher's variance")
    print(output)
