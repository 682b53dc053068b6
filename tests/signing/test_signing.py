"""Content credentials: signed, verified, and found out when anything is changed."""

from __future__ import annotations

import json
import socket
import stat
from pathlib import Path
from typing import Any

import c2pa
import pytest
from conftest import SavePicture
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from impasto.errors import PictureError, RecordError, SettingsError
from impasto.identity import Identity
from impasto.signing import BRIEF, sign, verify

from door import run

pytestmark = pytest.mark.once_in("bfloat16")


@pytest.fixture
def painted(tmp_path: Path, save: SavePicture) -> Path:
    photo, style = save("photo.png"), save("style.jpg", seed=1)
    assert run("paint", photo, style, "--engine", "instant", "--size", 96, "-o", tmp_path / "out.png") == 0
    return tmp_path / "out.png"


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    return Identity.own("Anna", tmp_path / "identity")


def test_a_picture_is_signed_and_every_change_is_found(painted: Path, identity: Identity, tmp_path: Path) -> None:
    signed, inputs = tmp_path / "signed.png", [tmp_path / "photo.png", tmp_path / "style.jpg"]
    sign(painted, signed, identity, inputs)
    verdict = verify(signed)
    assert (verdict.state, verdict.signer, verdict.problem) == ("untrusted", "Anna", "")
    assert verdict.record
    assert verdict.record["content"]["name"] == "photo.png"
    assert signed.stat().st_size - painted.stat().st_size <= 5000
    data = signed.read_bytes()
    for place in (len(data) // 3, len(data) // 2, len(data) - 100):
        flipped = bytearray(data)
        flipped[place] ^= 1
        (tmp_path / "flipped.png").write_bytes(flipped)
        assert verify(tmp_path / "flipped.png").state == "changed"
    assert verify(painted).state == "missing"
    sign(signed, signed, identity)
    assert verify(signed).state == "untrusted"


def test_the_manifest_tells_what_went_in(painted: Path, identity: Identity, tmp_path: Path) -> None:
    sign(painted, tmp_path / "signed.png", identity)
    with c2pa.Reader(tmp_path / "signed.png") as reader:
        told: dict[str, Any] = json.loads(reader.json())
    manifest = told["manifests"][told["active_manifest"]]
    ingredients = {one["title"]: one["relationship"] for one in manifest["ingredients"]}
    assert ingredients == {"photo.png": "parentOf", "style.jpg": "inputTo"}
    assert not any("thumbnail" in one for one in (manifest, *manifest["ingredients"]))
    assertions = {one["label"]: one["data"] for one in manifest["assertions"]}
    assert assertions[BRIEF]["brief"]["engine"] == "instant"
    sources = [one.get("digitalSourceType", "") for one in assertions["c2pa.actions.v2"]["actions"]]
    assert any(source.endswith("compositeWithTrainedAlgorithmicMedia") for source in sources)


def test_nothing_is_fetched(tmp_path: Path) -> None:
    """A picture may say that its manifest is elsewhere."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        port = listener.getsockname()[1]
        info = PngInfo()
        info.add_itxt(
            "XML:com.adobe.xmp",
            '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
            '<rdf:Description rdf:about="" xmlns:dcterms="http://purl.org/dc/terms/" '
            f'dcterms:provenance="http://127.0.0.1:{port}/manifest.c2pa"/></rdf:RDF></x:xmpmeta>',
        )
        Image.new("RGB", (80, 80)).save(tmp_path / "elsewhere.png", pnginfo=info)
        assert verify(tmp_path / "elsewhere.png").state in ("missing", "changed")
        with pytest.raises(TimeoutError):
            listener.accept()


def test_a_key_of_ones_own_is_made_once_and_for_oneself(tmp_path: Path) -> None:
    first = Identity.own("Anna", tmp_path / "id")
    assert Identity.own(folder=tmp_path / "id") == first
    assert stat.S_IMODE((tmp_path / "id" / "key.pem").stat().st_mode) == 0o600
    with pytest.raises(SettingsError, match="signed as Anna"):
        Identity.own("Bertha", tmp_path / "id")


def test_what_cannot_be_signed(painted: Path, identity: Identity, tmp_path: Path, save: SavePicture) -> None:
    with pytest.raises(RecordError):
        sign(save("other.png", seed=4), tmp_path / "x.png", identity)
    with pytest.raises(SettingsError, match="cannot be used"):
        sign(painted, tmp_path / "x.png", Identity(identity.key, b"x"))
    with pytest.raises(SettingsError, match="cannot be read"):
        Identity.read(tmp_path / "none.pem", tmp_path / "none.pem")
    with pytest.raises(PictureError, match="no file"):
        verify(tmp_path / "none.png")
    assert not (tmp_path / "x.png").exists()


def test_from_the_door(painted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("verify", painted) == 1
    assert run("sign", painted, "--name", "Anna", "--inputs", tmp_path) == 0
    assert "signed by Anna" in capsys.readouterr().out
    assert run("verify", painted) == 0
    assert "nobody vouches" in capsys.readouterr().out
    assert run("sign", painted, "--key", tmp_path / "x") == 2
