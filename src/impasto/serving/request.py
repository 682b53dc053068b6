"""What a client asks for: a brief whose pictures are uploads, never files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from impasto.brief import Brief
from impasto.errors import InputError, SettingsError
from impasto.settings import describe, preset
from impasto.shelf.models import models

MOST_PIXELS = 50_000_000
LARGEST = 4096
MOST_STEPS = 2000
MOST_STYLES = 8
_UPLOAD = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}(:[A-Za-z0-9_-]{1,64})?|[0-9a-f]{64}(#[0-9a-fA-F]{6})?")
_QUICK_SIZE = 1024


@dataclass(frozen=True)
class JobRequest:
    """A photo and what is to be painted of it; both by the hashes of uploads."""

    photo: str
    brief: Brief

    @staticmethod
    def of(given: Mapping[str, Any]) -> JobRequest:
        """What was sent: {"photo": upload, "brief": {...}, "preset": name}; a brief's pictures are named by upload.

        Raises:
            InputError: something in it is missing, unknown, too large, or no upload.
        """
        unknown = set(given) - {"photo", "brief", "preset"}
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
            asked = JobRequest(photo, Brief.from_json(json.dumps(brief)))
        except ValidationError as error:
            raise SettingsError(describe(error)) from error
        asked._check()
        return asked

    @property
    def quick(self) -> bool:
        """Whether it takes a second or two."""
        size = self.brief.settings.size
        return self.brief.engine != "optimize" and size != "max" and size <= _QUICK_SIZE

    @property
    def uploads(self) -> list[str]:
        """All that it needs."""
        return list(dict.fromkeys([self.photo, *self.brief.pictures()]))

    def to_json(self) -> str:
        """What `of` reads; the same for the same job."""
        brief = self.brief.model_dump(mode="json", exclude_defaults=True)
        return json.dumps({"photo": self.photo, "brief": brief}, sort_keys=True)

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


def is_upload(id: str) -> bool:
    """Whether it looks like the id of an upload."""
    return _UPLOAD.fullmatch(id) is not None


def _check_names(brief: Mapping[str, Any]) -> None:
    """Nothing in a brief may be read as a path, not even before it is known to be one."""
    regions = brief.get("regions")
    parts = [brief, *(regions if isinstance(regions, list) else [])]
    names = ("engine", "keep", "mask", "styles", "style_masks", "strength", "weights")
    found = [text for part in parts if isinstance(part, Mapping) for name in names for text in _texts(part.get(name))]
    if not all(text == "" or _NAME.fullmatch(text) for text in found):
        raise InputError("A brief names something that is neither an upload nor a style; GET /v1/styles lists those.")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
