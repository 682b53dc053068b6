"""The command line: one file per command."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from cyclopts import App, CycloptsError
from pydantic import ValidationError

from impasto.cli.batch import batch
from impasto.cli.camera import camera
from impasto.cli.doctor import doctor
from impasto.cli.evaluate import evaluate
from impasto.cli.export import export
from impasto.cli.film import film
from impasto.cli.interrupt import raise_on_interrupt
from impasto.cli.manifest import manifest
from impasto.cli.mask import mask
from impasto.cli.models import models
from impasto.cli.paint import paint
from impasto.cli.plan import plan
from impasto.cli.reproduce import reproduce
from impasto.cli.search import search
from impasto.cli.sign import sign, verify
from impasto.cli.studio import serve, studio
from impasto.cli.study import study
from impasto.cli.style import style
from impasto.cli.styles import styles
from impasto.cli.train import train
from impasto.cli.weights import weights
from impasto.device import keep_freed_memory
from impasto.errors import ImpastoError
from impasto.settings import describe

app = App(
    name="impasto",
    version=lambda: version("impasto"),
    help_format="markdown",
    suppress_keyboard_interrupt=False,
    help="""Paint a photo in the manner of a painting: offline, on a laptop, in seconds.

    Examples:

    - `impasto paint photo.jpg starry.jpg -o out.png`
    - `impasto paint photo.jpg starry.jpg --engine instant -o out.png`
    - `impasto paint photo.jpg a.jpg b.jpg --blend 2:1 --preset best --size 1600 -o out.tif`
    - `impasto reproduce out.png`
    """,
)
app.register_install_completion_command()
app.command(paint)
app.command(film)
app.command(camera)
app.command(studio)
app.command(serve)
app.command(batch)
app.command(manifest)
app.command(plan)
app.command(mask)
app.command(style)
app.command(reproduce)
app.command(sign)
app.command(verify)
app.command(train)
app.command(evaluate)
app.command(study)
app.command(search)
app.command(styles)
app.command(models)
app.command(export)
app.command(weights)
app.command(doctor)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; our own errors become one line and status 2, a bug keeps its traceback."""
    raise_on_interrupt()
    keep_freed_memory()
    try:
        app(arguments, exit_on_error=False, print_error=False)
    except ImpastoError as error:
        _fail(str(error))
    except CycloptsError as error:
        cause = error.__cause__
        _fail(describe(cause) if isinstance(cause, ValidationError) else " ".join(str(error).split()))
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except KeyboardInterrupt:
        print("impasto: stopped; what was not done before is not there.", file=sys.stderr)
        sys.exit(130)


def _fail(message: str) -> None:
    print(f"impasto: {message}", file=sys.stderr)
    sys.exit(2)
