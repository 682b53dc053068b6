"""A setting that is searched, and its range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from pydantic import BaseModel

from impasto.errors import SettingsError, UnknownName

if TYPE_CHECKING:
    import optuna

_DECADE = 10.0


@dataclass(frozen=True)
class Axis:
    """A setting and what it may be: numbers from `low` to `high`, by powers if they span a decade, or `choices`."""

    name: str
    low: float = 0.0
    high: float = 0.0
    whole: bool = False
    choices: tuple[str | bool, ...] = ()

    @staticmethod
    def parse(text: str, settings: type[BaseModel]) -> Axis:
        """`content_weight=0.03:0.6`, or `color=style,match`, of these settings.

        Raises:
            UnknownName: no such setting.
            SettingsError: anything else.
        """
        name, _, span = text.partition("=")
        name = name.strip().lstrip("-").replace("-", "_")
        if name not in settings.model_fields:
            raise UnknownName("setting", name, settings.model_fields)
        kind = settings.model_fields[name].annotation
        try:
            if kind is bool:
                return Axis(name, choices=tuple({"true": True, "false": False}[part] for part in span.split(",")))
            if get_origin(kind) is Literal and not set(span.split(",")) - set(get_args(kind)):
                return Axis(name, choices=tuple(span.split(",")))
            if kind in (int, float) or name in ("size", "minutes", "strength"):
                low, high = map(float, span.split(":"))
                if low < high:
                    return Axis(name, low, high, whole=kind is int or name == "size")
        except (KeyError, ValueError):
            pass
        raise SettingsError(
            "Expected a range like content_weight=0.03:0.6, or choices like color=style,match, of a setting that is a "
            f"number or a word; got {text}."
        )

    def suggest(self, trial: optuna.Trial) -> Any:
        """A value for this trial."""
        if self.choices:
            return trial.suggest_categorical(self.name, self.choices)
        log = self.low > 0 and self.high / self.low >= _DECADE
        if self.whole:
            return trial.suggest_int(self.name, int(self.low), int(self.high), log=log)
        return trial.suggest_float(self.name, self.low, self.high, log=log)
