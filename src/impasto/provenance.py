"""The record of how a picture was made, carried inside its file."""

from __future__ import annotations

import html
import platform
import re
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from impasto.errors import RecordError

if TYPE_CHECKING:
    import torch

_NAMESPACE = "urn:impasto:record:1"
_PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:impasto="{namespace}" '
    'xmp:CreatorTool="impasto {version}" impasto:record="{record}"/>'
    '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)


class Source(BaseModel):
    """An input: its file name, without folders, and the SHA-256 of its bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    sha256: str

    @field_validator("name")
    @classmethod
    def _as_text(cls, name: str) -> str:
        """Names that are no text are told with question marks, lest a record cannot be written."""
        return name.encode(errors="replace").decode()


class Record(BaseModel):
    """What made a picture: inputs, settings, seed, weights, versions; `done` is the share of the work that was done.

    `model` is the network that painted it in one pass, and `names` are the styles that it had learned, if it had.
    No time, no folder, no person.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str
    content: Source
    styles: tuple[Source, ...]
    blend: tuple[float, ...]
    recipe: dict[str, Any]
    encoder: Source
    model: Source | None = None
    names: tuple[str, ...] = ()
    output: dict[str, Any] = {}
    done: float = 0.0
    versions: dict[str, str]

    def to_xmp(self) -> bytes:
        """An XMP packet that holds this record."""
        record = html.escape(self.model_dump_json(), quote=True)
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
            return Record.model_validate_json(text)
        except ValidationError as error:
            problem = error.errors()[0]
            where = ".".join(map(str, problem["loc"])) or "its form"
            raise RecordError(f"The record is damaged or of another version ({where}: {problem['msg']}).") from error


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
