"""Write docs/reference.md: commands, settings and the brief, made from the code.

python docs/reference.py
"""

from __future__ import annotations

import inspect
import io
import re
from pathlib import Path
from typing import Any

from cyclopts import App
from pydantic import BaseModel
from rich.console import Console

from impasto import Brief, Region
from impasto.cli import app
from impasto.presets import PRESETS
from impasto.settings import Look, Recipe
from impasto.training.settings import CollectionTraining, EncoderTraining, InstantTraining, PainterTraining

PATH = Path(__file__).with_name("reference.md")
_WIDTH = 118


def help_of(*tokens: str) -> str:
    """What `impasto TOKENS --help` shows."""
    console = Console(file=io.StringIO(), width=_WIDTH, color_system=None, force_terminal=False, legacy_windows=False)
    app.help_print(list(tokens), console=console)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().strip().splitlines())


def commands(parent: App, *before: str) -> list[tuple[str, ...]]:
    """Every command that does something, as its words."""
    found: list[tuple[str, ...]] = []
    for name in parent:
        if name.startswith("-"):
            continue
        child, words = parent[name], (*before, name)
        inner = [one for one in child if not one.startswith("-")]
        found += commands(child, *words) if inner else [words]
    return found


def table(kind: type[BaseModel], besides: type[BaseModel] | None = None) -> str:
    """The settings of a kind, but for those that it shares with another."""
    lines = ["| setting | default | what |", "|---|---|---|"]
    for name, field in kind.model_fields.items():
        if besides is None or name not in besides.model_fields:
            default = "" if field.is_required() else f"`{_shown(field.default)}`"
            lines.append(f"| `{name}` | {default} | {field.description or ''} |")
    return "\n".join(lines)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={one:g}" for name, one in value.items())
    return str(value)


def arguments(kind: type) -> str:
    """The arguments that a class's docstring tells of, as a table."""
    text = inspect.getdoc(kind) or ""
    told = text.partition("Args:\n")[2].partition("\n\n")[0]
    entries = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", told, re.MULTILINE)
    rows = [f"| `{name}` | {' '.join(what.split()).replace('|', chr(92) + '|')} |" for name, what in entries]
    return "\n".join(["| part | what |", "|---|---|", *rows])


def of_brief() -> str:
    """The parts of briefs and regions."""
    return f"""## The brief

What is said of a painting, in Python (`impasto.Brief`, `impasto.Region`) and as JSON; version 1.

{arguments(Brief)}

Each of `regions`:

{arguments(Region)}
"""


def of_settings() -> str:
    """Those of engines, presets and trainings."""
    presets = []
    for name, make in PRESETS.items():
        changed = make().model_dump(exclude_defaults=True)
        told = ", ".join(f"`{key}={_shown(value)}`" for key, value in changed.items()) or "the defaults"
        presets.append(f"- `{name}`: {told}")
    return f"""## Settings

Of every engine (`impasto.Look`):

{table(Look)}

Of optimisation besides (`impasto.Recipe`):

{table(Recipe, Look)}

Presets:

{chr(10).join(presets)}

Of trainings: `instant`

{table(InstantTraining)}

`painter`, besides those of `instant`:

{table(PainterTraining, InstantTraining)}

`collection`, besides those of `instant`:

{table(CollectionTraining, InstantTraining)}

`encoder`

{table(EncoderTraining)}
"""


FILES = """## Files

| suffix | what | form |
|---|---|---|
| `.impasto` | a trained model with its card | safetensors, float16; the card is JSON in its metadata under `impasto` |
| `.style` | a way of painting with what is known of its styles | safetensors; the brief is JSON under `impasto-brief` |
| `.onnx` | an exported model | ONNX; the card is under `impasto` |
| `.json` | settings, for `--preset`; a record, for `reproduce` | JSON |
| `.unfinished` | what `--resume` goes on from | torch, loaded with `weights_only` |
| `.training` | the folder of a training | checkpoint, curves and pictures for TensorBoard |
| `.sqlite` | a search, and the ledger of a batch | SQLite |

A picture carries its record as XMP in the attribute `impasto:record`: JSON with `version` (2), `brief`, `content`, the
`pictures` that the brief names, `encoder` and `model`, each with name and SHA-256, `done` and `versions`.
"""


def of_commands() -> str:
    """What each command says of itself."""
    shown = "\n\n".join(f"### impasto {' '.join(words)}\n\n```text\n{help_of(*words)}\n```" for words in commands(app))
    return f"## Commands\n\n{shown}\n"


def reference() -> str:
    """The whole page."""
    title = "# Reference\n\nMade from the code by `python docs/reference.py`.\n"
    return "\n".join([title, of_brief(), of_settings(), FILES, of_commands()])


if __name__ == "__main__":
    PATH.write_text(reference(), encoding="utf-8")
