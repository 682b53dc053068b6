"""Content credentials (C2PA): a signed manifest in a picture that says what it was made of and how.

Specification: https://spec.c2pa.org. Nothing is ever fetched: neither manifests that a picture says are elsewhere, nor
the state of certificates.
"""

from __future__ import annotations

import io
import json
import mimetypes
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from impasto.errors import PictureError, SettingsError
from impasto.identity import Identity
from impasto.media.files import replacing
from impasto.provenance import Record

BRIEF = "org.impasto.record"
_SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
_SETTINGS = {
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": True},
    "builder": {"thumbnail": {"enabled": False}},
}


@dataclass(frozen=True)
class Verdict:
    """What a picture's credentials are worth.

    `state` is `missing`, `changed` (the picture is not what was signed), `untrusted` (it is, by a signer whom nobody
    vouches for) or `trusted`; `problem` is what is wrong; `record` is how it was made, if it was painted by impasto.
    """

    state: str
    signer: str = ""
    problem: str = ""
    record: dict[str, Any] | None = None


def sign(picture: Path, output: Path, identity: Identity, inputs: Sequence[Path] = ()) -> None:
    """Write `picture`, which carries our record, with a signed manifest.

    Args:
        picture: what was painted.
        output: the file to write; it may be the picture itself.
        identity: who signs.
        inputs: the photo and the paintings as far as they are at hand; the photo's own credentials go along.

    Raises:
        RecordError: it was not painted by impasto.
        PictureError: its format cannot be signed.
        SettingsError: an extra is missing, or the key and its certificates are not fit for it.
    """
    from impasto.media.image import read
    from impasto.weights.files import sha256

    c2pa = _library()
    record = Record.from_xmp(read(picture).metadata)
    files = {sha256(path): path for path in inputs}
    kind = mimetypes.guess_type(picture.name)[0] or ""
    try:
        with (
            c2pa.Context.from_dict(_SETTINGS) as context,
            c2pa.Builder(_manifest(record, picture.name), context) as builder,
            _signer(c2pa, identity) as signer,
            replacing(output) as temporary,
        ):
            for number, source in enumerate((record.content, *record.pictures.values())):
                _add_ingredient(builder, source.name, source.sha256, files.get(source.sha256), is_photo=number == 0)
            with picture.open("rb") as read_from, temporary.open("w+b") as write_to:
                builder.sign(signer, kind, read_from, write_to)
    except c2pa.C2paError as error:
        raise PictureError(f"{picture} cannot be signed ({error}); JPEG, PNG, WebP and TIFF can be.") from error


def verify(picture: Path) -> Verdict:
    """What the credentials of a picture say, and whether it is still what was signed.

    Raises:
        PictureError: it cannot be read.
        SettingsError: an extra is missing.
    """
    c2pa = _library()
    if not picture.is_file():
        raise PictureError(f"{picture} is no file; give a picture.")
    try:
        with c2pa.Context.from_dict(_SETTINGS) as context, c2pa.Reader(picture, context=context) as reader:
            told = json.loads(reader.json())
    except c2pa.C2paError as error:
        if "ManifestNotFound" in type(error).__name__ or "ManifestNotFound" in str(error):
            return Verdict("missing")
        return Verdict("changed", problem=str(error))
    manifest = told["manifests"][told["active_manifest"]]
    failures = told.get("validation_results", {}).get("activeManifest", {}).get("failure", [])
    broken = [one for one in failures if one["code"] != "signingCredential.untrusted"]
    state = "changed" if broken else "trusted" if told.get("validation_state") == "Trusted" else "untrusted"
    record = next((one["data"] for one in manifest.get("assertions", []) if one["label"] == BRIEF), None)
    signer = manifest.get("signature_info", {}).get("common_name") or manifest.get("signature_info", {}).get("issuer")
    return Verdict(state, signer or "", broken[0].get("explanation", broken[0]["code"]) if broken else "", record)


def _library() -> Any:
    try:
        import c2pa
    except ImportError as error:
        raise SettingsError("Signing needs an extra; install it with: pip install 'impasto[sign]'.") from error
    return c2pa


def _signer(c2pa: Any, identity: Identity) -> Any:
    try:
        _ = identity.name
        info = c2pa.C2paSignerInfo(identity.algorithm.lower(), identity.certificates, identity.key, None)
        return c2pa.Signer.from_info(info)
    except (ValueError, KeyError, c2pa.C2paError) as error:
        raise SettingsError(
            f"The key and its certificates cannot be used ({error}); give them as PEM files."
        ) from error


def _manifest(record: Record, title: str) -> dict[str, Any]:
    agent = {"name": "Impasto", "version": version("impasto")}
    return {
        "claim_generator_info": [agent],
        "title": title,
        "assertions": [
            {
                "label": "c2pa.actions.v2",
                "data": {
                    "actions": [
                        {"action": "c2pa.opened", "parameters": {"ingredientIds": ["photo"]}},
                        {
                            "action": "c2pa.edited",
                            "softwareAgent": agent,
                            "digitalSourceType": _SOURCE,
                            "description": "Painted in the manner of the pictures that went in.",
                        },
                    ]
                },
            },
            {"label": BRIEF, "data": _without_empty(record.model_dump(mode="json", exclude_defaults=True))},
        ],
    }


def _without_empty(value: Any) -> Any:
    """The same without what says nothing."""
    if isinstance(value, dict):
        return {name: _without_empty(one) for name, one in value.items() if one not in (None, "", [], {})}
    return [_without_empty(one) for one in value] if isinstance(value, list) else value


def _add_ingredient(builder: Any, name: str, digest: str, file: Path | None, *, is_photo: bool) -> None:
    """The photo is what the picture was made from, the paintings are what went into it."""
    kind = mimetypes.guess_type((file or Path(name)).name)[0] or "application/octet-stream"
    told = {
        "title": name,
        "format": kind,
        "relationship": "parentOf" if is_photo else "inputTo",
        "instance_id": f"sha256:{digest}",
        **({"label": "photo"} if is_photo else {}),
    }
    if file is None:
        builder.add_ingredient_from_stream(told, "application/octet-stream", io.BytesIO(b""))
    else:
        with file.open("rb") as stream:
            builder.add_ingredient_from_stream(told, kind, stream)
