"""What is done of a film, on disk: parts that stand alone, and what the next needs to know."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from torch import Tensor

from impasto.errors import OutputError, RecordError
from impasto.media.encoding import Piece
from impasto.media.files import make_folder, replacing
from impasto.recipes.frames import Past


@dataclass
class Part:
    """Frames that stand alone: `piece` where they are encoded, else how long each of their pictures is shown."""

    number: int
    frames: int = 0
    piece: Piece | None = None
    durations: list[Fraction] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        own: dict[str, Any] = {"number": self.number, "frames": self.frames, "durations": [*map(str, self.durations)]}
        if self.piece:
            own["piece"] = {**self.piece.__dict__, "path": self.piece.path.name}
        return own

    @staticmethod
    def from_json(folder: Path, own: dict[str, Any]) -> Part:
        piece = own.get("piece")
        return Part(
            own["number"],
            own["frames"],
            Piece(folder / Path(piece["path"]).name, piece["times"], piece["durations"]) if piece else None,
            [*map(Fraction, own["durations"])],
        )


@dataclass
class Plan:
    """What is done of a film, in a file that is never half written."""

    folder: Path
    key: dict[str, Any]
    parts: list[Part] = field(default_factory=list)
    held: int = 0
    whole: bool = False

    @staticmethod
    def open(folder: Path, key: dict[str, Any], *, resume: bool) -> Plan:
        """That of a film, or a new one in an empty folder.

        Raises:
            RecordError: it is damaged, or belongs to another film.
        """
        path = folder / "plan.json"
        if not resume:
            if folder.is_dir() and not path.is_file() and any(folder.iterdir()):
                raise OutputError(f"{folder} is in the way; move it, or give another output.")
            shutil.rmtree(folder, ignore_errors=True)
            make_folder(folder)
            plan = Plan(folder, key)
            plan._save()
            return plan
        try:
            own = json.loads(path.read_text(encoding="utf-8"))
            parts = [Part.from_json(folder, part) for part in own["parts"]]
            differing = [name for name, value in key.items() if own["key"][name] != value]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RecordError(f"{path} is damaged ({error}); remove it, and run without --resume.") from error
        if differing:
            raise RecordError(
                f"{folder} was begun with other settings or inputs ({', '.join(differing)}); give the same again, or "
                "run without --resume."
            )
        return Plan(folder, key, parts, own["held"], own["whole"])

    @property
    def frames(self) -> int:
        """How many are done."""
        return sum(part.frames for part in self.parts)

    def add(self, part: Part, past: Past, held: int) -> None:
        """A part is done, and the next goes on from `past`."""
        self.parts.append(part)
        self.held = held
        state = {"painted": past.painted, **{f"mask {name}": mask for name, mask in past.masks.items()}}
        with replacing(self.folder / f"state{len(self.parts)}.safetensors") as temporary:
            exact = {"sharpness": np.array([past.sharpness])}
            save_file({**exact, **{name: _in_16_bits(value) for name, value in state.items()}}, temporary)
        (self.folder / "partial.json").unlink(missing_ok=True)
        self._save()
        (self.folder / f"state{len(self.parts) - 1}.safetensors").unlink(missing_ok=True)

    def past(self, photo: Tensor) -> Past:
        """What the next frame needs to know, given the last photo."""
        try:
            state = load_file(self.folder / f"state{len(self.parts)}.safetensors")
        except (OSError, SafetensorError) as error:
            raise RecordError(f"{self.folder} is damaged ({error}); run without --resume.") from error
        sharpness = float(state.pop("sharpness")[0])
        kept = {name: torch.from_numpy(value.astype(np.float32)).div_(65535) for name, value in state.items()}
        masks = {name.removeprefix("mask "): value for name, value in kept.items() if name != "painted"}
        return Past(photo, kept["painted"], masks, sharpness)

    def finish(self) -> None:
        """All is painted."""
        self.whole = True
        self._save()

    def keep_partial(self, part: Part) -> None:
        """A part that was broken off: good for a look, but painted anew when the film goes on."""
        part.frames = len(part.piece.times if part.piece else part.durations)
        if not part.frames:
            return
        with replacing(self.folder / "partial.json") as temporary:
            temporary.write_text(json.dumps(part.to_json()), encoding="utf-8")

    def partial(self) -> list[Part]:
        """The part that was broken off, if there is one."""
        path = self.folder / "partial.json"
        return [Part.from_json(self.folder, json.loads(path.read_text(encoding="utf-8")))] if path.is_file() else []

    def _save(self) -> None:
        own = {
            "key": self.key,
            "parts": [part.to_json() for part in self.parts],
            "held": self.held,
            "whole": self.whole,
        }
        with replacing(self.folder / "plan.json") as temporary:
            temporary.write_text(json.dumps(own), encoding="utf-8")


def _in_16_bits(values: Tensor) -> np.ndarray[Any, Any]:
    return np.ascontiguousarray(values.mul(65535).round_().numpy().astype(np.uint16))
