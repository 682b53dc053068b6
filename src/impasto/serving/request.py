"""What a client asks for: a brief whose pictures are uploads, never files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from impasto.brief import Brief
from impasto.controls.color import OF_PHOTO
from impasto.engine.scales import plan_scales
from impasto.errors import InputError, SettingsError
from impasto.media.geometry import fit
from impasto.presets import preset
from impasto.provenance import Record
from impasto.recipes.frames import STEADY
from impasto.serving.selection import Selection
from impasto.settings import Recipe, describe
from impasto.shelf.models import models

LARGEST = 4096
MOST_STEPS = 2000
MOST_STYLES = 8
MOST_WORK = 4000.0
"""Of `JobRequest.price`: two cores do 2 to 5 a second by optimisation, and a job has half an hour."""
_PIXELS_OF_ADAPTING = 1 << 18  # pixels painted in one pass in the time of a step of adapting to a style, about
_UPLOAD = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}(:[A-Za-z0-9_-]{1,64})?|[0-9a-f]{64}(#[0-9a-fA-F]{6})?")
_QUICK_SIZE = 1024
_NAMING = ("engine", "keep", "mask", "styles", "style_masks", "strength", "weights")
"""Parts of a brief and its regions that name pictures or models."""
_OF_A_MACHINE = ("device", "precision", "runtime", "memory")
_Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class JobRequest:
    """A photo and what is to be painted of it; both by the hashes of uploads.

    The photo may be a film, which is painted as `steady` as is asked for.
    """

    photo: str
    brief: Brief
    film: bool = False
    steady: float = STEADY

    @staticmethod
    def of(given: Mapping[str, Any]) -> JobRequest:
        """What was sent: {"photo": upload, "brief": {...}, "preset": name, "steady": 0 to 1, "film": true}.

        A brief's pictures are named by upload.

        Raises:
            InputError: something in it is missing, unknown, too large, or no upload.
        """
        unknown = set(given) - {"photo", "brief", "preset", "steady", "film"}
        steady = given.get("steady", STEADY)
        if not isinstance(steady, int | float) or isinstance(steady, bool) or not 0 <= steady <= 1:
            raise SettingsError("Expected a film's steadiness from 0 to 1.")
        photo, brief = given.get("photo"), given.get("brief")
        if unknown or not isinstance(photo, str) or not _UPLOAD.fullmatch(photo) or not isinstance(brief, Mapping):
            raise SettingsError("Expected a job to have a photo, which is an upload's id, a brief, and maybe a preset.")
        _check_names(brief)
        if name := given.get("preset"):
            if not isinstance(name, str):
                raise SettingsError("Expected the name of a preset.")
            own = brief.get("settings") or {}
            if not isinstance(own, Mapping):
                raise SettingsError("The settings of a brief should be a JSON object.")
            brief = {**brief, "settings": preset(name, **own).model_dump(exclude_defaults=True)}
        try:
            asked = JobRequest(photo, Brief.from_json(json.dumps(brief)), given.get("film") is True, float(steady))
        except ValidationError as error:
            raise SettingsError(describe(error)) from error
        asked._check()
        return asked

    @property
    def quick(self) -> bool:
        """Whether it takes a second or two."""
        brief = self.brief
        size = brief.settings.size
        at_once = not self.film and brief.engine != "optimize" and not brief.settings.adapt
        return at_once and size != "max" and size <= _QUICK_SIZE

    def price(self, height: int, width: int, frames: int = 1) -> float:
        """Millions of pixels that it paints, times steps and styles, of a photo of this size, or of a film of such."""
        size, settings = self.brief.settings.size, self.brief.settings
        height, width = fit(height, width, max(height, width) if size == "max" else size)
        styles = sum(len(region.styles) for region in self.brief.regions)
        if not isinstance(settings, Recipe):
            looks = [self.brief.look_of(region) for region in self.brief.regions]
            times = frames if any(look.color in OF_PHOTO for look in looks) else 1
            return styles * (frames * height * width + times * settings.adapt * _PIXELS_OF_ADAPTING) / 1e6
        scales = plan_scales(height, width, settings.steps, pyramid=settings.pyramid)
        return frames * styles * sum(scale.cost for scale in scales) / 1e6

    @property
    def uploads(self) -> list[str]:
        """All that it needs."""
        return list(dict.fromkeys([self.photo, *self.brief.pictures()]))

    def to_json(self) -> str:
        """What `of` reads; the same for the same job."""
        brief = self.brief.model_dump(mode="json", exclude_defaults=True)
        film = {"film": True, "steady": self.steady} if self.film else {}
        return json.dumps({"photo": self.photo, "brief": brief, **film}, sort_keys=True)

    def _check(self) -> None:
        brief = self.brief
        if brief.engine not in ("optimize", "instant", *models()):
            raise SettingsError("There is no such engine; GET /v1/engines lists them.")
        if brief.weights or brief.output:
            raise SettingsError("A job takes neither weights nor output; leave them out.")
        if not all(_UPLOAD.fullmatch(name) for name in brief.pictures()):
            raise SettingsError("A brief's pictures should be ids of uploads, or styles of GET /v1/styles.")
        if brief.settings.size != "max" and brief.settings.size > LARGEST:
            raise SettingsError(f"A size of {brief.settings.size} is too large; give {LARGEST} or less, or max.")
        if brief.engine == "optimize" and sum(brief.recipe.steps) > MOST_STEPS:
            raise SettingsError(f"More than {MOST_STEPS} steps are too many; give fewer.")
        if sum(len(region.styles) for region in brief.regions) > MOST_STYLES:
            raise SettingsError(f"More than {MOST_STYLES} styles are too many; give fewer.")


class MaskRequest(BaseModel):
    """A photo, and what is meant in it: one of box, points (maybe with outside), or a name."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    photo: Annotated[str, Field(pattern=_UPLOAD.pattern + "$")]
    name: Literal["", "subject", "face"] = Field("", alias="of")
    box: tuple[_Share, _Share, _Share, _Share] | None = None
    points: Annotated[tuple[tuple[_Share, _Share], ...], Field(max_length=64)] = ()
    outside: Annotated[tuple[tuple[_Share, _Share], ...], Field(max_length=64)] = ()

    @staticmethod
    def of(given: Mapping[str, Any]) -> MaskRequest:
        """What was sent.

        Raises:
            SettingsError: it is anything else.
        """
        try:
            asked = MaskRequest.model_validate(given)
        except ValidationError as error:
            raise SettingsError(describe(error)) from error
        if sum(map(bool, (asked.box, asked.points, asked.name))) != 1:
            raise SettingsError("Expected a mask to be asked for by one of box, points and of.")
        return asked

    @property
    def selection(self) -> Selection:
        """What is meant."""
        return Selection(self.name, self.box, self.points, self.outside)


def of_record(photo: str, record: Record) -> JobRequest:
    """The job that a record tells of, its pictures called by their hashes, without what belongs to a machine.

    Raises:
        InputError: it names anything else, or cannot be done.
    """
    names = {name: source.sha256 for name, source in record.pictures.items()}
    brief = {name: value for name, value in record.brief.items() if name not in ("output", "weights")}
    for part in (brief, *(brief["regions"] if isinstance(brief.get("regions"), list) else ())):
        if isinstance(part, dict):
            part.update({name: _renamed(part[name], names) for name in _NAMING if name in part})
    if isinstance(brief.get("settings"), Mapping):
        brief["settings"] = {name: value for name, value in brief["settings"].items() if name not in _OF_A_MACHINE}
    own = record.content.sha256
    return JobRequest.of({"photo": own if is_upload(own) else photo, "brief": brief})


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        picture, mark, color = value.rpartition("#")
        return names.get(value, f"{names[picture]}#{color}" if mark and picture in names else value)
    return [_renamed(one, names) for one in value] if isinstance(value, list) else value


def is_upload(id: str) -> bool:
    """Whether it looks like the id of an upload."""
    return _UPLOAD.fullmatch(id) is not None


def _check_names(brief: Mapping[str, Any]) -> None:
    """Nothing in a brief may be read as a path, not even before it is known to be one."""
    regions = brief.get("regions")
    parts = [brief, *(regions if isinstance(regions, list) else [])]
    found = [text for part in parts if isinstance(part, Mapping) for name in _NAMING for text in _texts(part.get(name))]
    if not all(text == "" or _NAME.fullmatch(text) for text in found):
        raise InputError("A brief names something that is neither an upload nor a style; GET /v1/styles lists those.")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
