"""`impasto train encoder`: distil an encoder anew, or train one further."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from impasto.training.settings import EncoderTraining


def encoder(
    *,
    teacher: Annotated[list[Path], Parameter(negative="")],
    pictures: Annotated[list[Path], Parameter(negative="")],
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    start: Annotated[str | None, Parameter(name="--from")] = None,
    force: Annotated[bool, Parameter(negative="")] = False,
    settings: Annotated[EncoderTraining | None, Parameter(name="*")] = None,
) -> None:
    """Distil a small encoder from a large one, on a CPU, and write it with its card.

    Ctrl-C keeps the encoder as it is by then. Until it is written, NAME.partial.safetensors beside it is what has been
    learned so far, for `--from`, should the machine be switched off.

    Example:

    - `impasto train encoder --teacher vgg19-dcbb9e9d.pth --pictures photos --pictures paintings -o mine.safetensors`

    Args:
        teacher: Weights to learn from; repeat it, and each layer comes from the first file that has it.
        pictures: A folder of pictures to learn on; repeat it, and crops come from each in turn.
        output: The .safetensors file to write; the card goes beside it as .json.
        start: An encoder to train further: a .safetensors file, or the name of one in the package.
        force: Replace files that exist.
    """
    from impasto.cli.interrupt import stop_between_steps
    from impasto.cli.progress import Log, progress_line
    from impasto.encoders.compact import shipped_weights
    from impasto.encoders.vgg import load_stack
    from impasto.media.files import check_apart, check_writable
    from impasto.training.encoder import load_teacher, train_encoder, write_encoder, write_weights

    settings = settings or EncoderTraining()
    check_writable(output, force=force)
    partial = output.with_name(f"{output.stem}.partial.safetensors")
    begun_from = None if start is None else shipped_weights().get(start, Path(start))
    check_apart([output], [begun_from, *teacher, *pictures])
    loaded = load_teacher(teacher)
    first = load_stack(begun_from) if begun_from else None
    with stop_between_steps() as interrupt, progress_line() as progress:
        task, log = progress.add_task(output.name, total=1.0, note=""), Log(progress)
        for step in train_encoder(loaded, pictures, settings, first):
            progress.update(task, completed=step.done, note=step.message)
            log.tell(step.done, step.message)
            if step.encoder:
                write_weights(step.encoder, partial)
            if interrupt.requested:
                break
        interrupt.writing = True
        if step.encoder:
            card = write_encoder(step.encoder, output, loaded, teacher, pictures, settings, begun_from)
            partial.unlink(missing_ok=True)
    if step.encoder:
        for layer, share in card["explained_by_linear_head_on_test_crops"].items():  # type: ignore[attr-defined]
            print(f"{layer}  {share:.3f} of the teacher's variance")
        print(output)
    if interrupt.requested:
        kept = f"--from {output} goes on." if step.encoder else "Not all layers were there yet: nothing was written."
        print(f"Stopped at {step.done:.0%}. {kept}", file=sys.stderr)
        sys.exit(130)
