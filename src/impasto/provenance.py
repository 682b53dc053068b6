"""The record of how a picture was made, carried inside its file."""

from __future__ import annotations

import html
import json
import platform
import re
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from impasto.errors import RecordError
from impasto.weights.files import sha256

if TYPE_CHECKING:
    import torch

_NAMESPACE = "urn:impasto:record:2"
_PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:impasto="{namespace}" '
    'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
    'Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/'
    'compositeWithTrainedAlgorithmicMedia" '
    'xmp:CreatorTool="impasto {version}" impasto:record="{record}"/>'
    '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)


class Source(BaseModel):
    """An input: its file name, without folders, the SHA-256 of its bytes, and its licence if that is known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    sha256: str
    licence: str | None = None

    @classmethod
    def of(cls, path: Path) -> Self:
        """The file at `path`."""
        return cls(name=path.name, sha256=sha256(path))

    @field_validator("name")
    @classmethod
    def _as_text(cls, name: str) -> str:
        """Names that are no text are told with question marks, lest a record cannot be written."""
        return name.encode(errors="replace").decode()


class Record(BaseModel):
    """What made a picture: its brief, and the hashes of all that went into it; `done` is the share of the work done.

    `brief` is `impasto.brief.Brief` as JSON, in which pictures are called by the keys of `pictures`; `model` is the
    network that painted in one pass, or that an optimisation started from. No time, no folder, no person.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[2] = 2
    brief: dict[str, Any]
    content: Source
    pictures: dict[str, Source] = {}
    encoder: Source
    model: Source | None = None
    done: float = 0.0
    versions: dict[str, str]

    @property
    def output(self) -> dict[str, Any]:
        """How the file was written."""
        output: dict[str, Any] = self.brief.get("output", {})
        return output

    def to_xmp(self) -> bytes:
        """An XMP packet that holds this record."""
        record = html.escape(self.model_dump_json(exclude_none=True), quote=True)
        return _PACKET.format(namespace=_NAMESPACE, version=version("impasto"), record=record).encode()

    @staticmethod
    def from_xmp(packet: bytes | None) -> Record:
        """The record inside an XMP packet.

        Raises:
            RecordError: there is none, or it is damaged.
        """
        match = re.search(rb'impasto:record="([^"]*)"', packet or b"")
        if match is None:
            raise RecordError("The picture carries no record of its making; only pictures painted by impasto do.")
        return Record.from_json(html.unescape(match[1].decode(errors="replace")))

    @staticmethod
    def from_json(text: str) -> Record:
        """The record written as JSON.

        Raises:
            RecordError: it is damaged, or of another version.
        """
        try:
            given = json.loads(text)
        except ValueError as error:
            raise RecordError(f"The record is damaged ({error}).") from error
        if not isinstance(given, dict):
            raise RecordError("The record is damaged: expected a JSON object.")
        version = given.get("version", 1)
        if isinstance(version, int) and version > 2:
            raise RecordError("The record was written by a newer version of impasto than this one; use that.")
        try:
            return Record.model_validate(_as_version_2(given) if "method" in given else given)
        except (ValidationError, KeyError, TypeError) as error:
            if not isinstance(error, ValidationError):
                raise RecordError(f"The record is damaged or of another version ({error!r}).") from error
            problem = error.errors()[0]
            where = ".".join(map(str, problem["loc"])) or "its form"
            raise RecordError(f"The record is damaged or of another version ({where}: {problem['msg']}).") from error


def _as_version_2(given: dict[str, Any]) -> dict[str, Any]:
    """A record of impasto before briefs: `method`, `styles`, `names` and `blend` of the whole picture, `recipe`."""
    model, names = given.get("model") or {"name": ""}, given.get("names") or []
    optimized, keys = given["method"] == "optimize", labelled([source["name"] for source in given["styles"]])
    styles = keys or [f"{model['name']}:{name}" for name in names] or [model["name"]]
    return {
        "brief": {
            "regions": [{"styles": styles, "blend": given["blend"]}],
            "engine": "optimize" if optimized else model["name"],
            "settings": given["recipe"],
            "output": given.get("output", {}),
        },
        "content": given["content"],
        "pictures": dict(zip(keys, given["styles"])),
        **{name: given[name] for name in ("encoder", "model", "done", "versions") if name in given},
    }


def labelled(names: Sequence[str]) -> list[str]:
    """Each name, those that come again told apart by a number before them."""
    labels: list[str] = []
    for at, name in enumerate(names, 1):
        label = name if name not in labels else f"{at}_{name}"
        while label in labels:
            at, label = at + 1, f"{at + 1}_{name}"
        labels.append(label)
    return labels


def versions(device: torch.device, *, bfloat16: bool) -> dict[str, str]:
    """What the bytes of a result depend on besides its inputs."""
    import torch

    return {
        "device": device.type,
        "precision": "bfloat16" if bfloat16 else "float32",
        "impasto": version("impasto"),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "threads": str(torch.get_num_threads()),
    }
