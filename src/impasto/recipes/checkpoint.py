"""Unfinished paintings on disk, to go on with bit for bit."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import torch

from impasto.brief import Brief
from impasto.engine.optimize import State
from impasto.errors import RecordError
from impasto.media.files import replacing
from impasto.provenance import Record

_FREE = ("done", "memory", "tile")  # what may be another when a painting goes on


def save_checkpoint(path: Path, state: State, record: Record) -> None:
    """Write `state` and what it belongs to.

    Raises:
        OutputError: it cannot be written there.
    """
    shallow = {field.name: getattr(state, field.name) for field in fields(state)}
    with replacing(path) as temporary, temporary.open("wb") as file:
        torch.save({"state": shallow, "record": record.model_dump_json()}, file)


def load_checkpoint(path: Path, record: Record) -> State:
    """The state in `path`, if it belongs to the same inputs and settings as `record`.

    Raises:
        RecordError: it is missing, damaged, or belongs to another painting; the message says what differs.
    """
    state, before = _saved(path)
    now, then = _flat(record), _flat(before)
    differing = [name for name, value in now.items() if then.get(name) != value and name not in _FREE]
    if differing:
        raise RecordError(
            f"{path} was painted with other settings or inputs ({', '.join(differing)}); "
            "give the same again, or run without --resume."
        )
    return state


def saved_brief(path: Path) -> Brief:
    """The brief of the unfinished painting in `path`; its size is what `max` meant when it was begun.

    Raises:
        RecordError: it is missing or damaged.
    """
    return Brief(**_saved(path)[1].brief)


def _saved(path: Path) -> tuple[State, Record]:
    if not path.is_file():
        raise RecordError(f"There is no unfinished painting {path}; run without --resume.")
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        return State(**saved["state"]), Record.from_json(saved["record"])
    except Exception as error:
        raise RecordError(f"{path} is damaged ({type(error).__name__}); remove it and run without --resume.") from error


def _flat(record: Record) -> dict[str, object]:
    dumped = record.model_dump(mode="json")
    brief = Brief(**dumped.pop("brief")).model_dump(mode="json", exclude={"output"})
    return {**dumped, **brief.pop("settings"), **brief}
