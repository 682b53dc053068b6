"""`impasto sign` and `impasto verify`: content credentials (C2PA) of painted pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from impasto.errors import SettingsError

_TOLD = {
    "missing": "carries no content credentials.",
    "changed": "was changed after it was signed, or its credentials are damaged",
    "untrusted": "is as it was signed by {}; nobody vouches for this signer, so other programs will call it untrusted.",
    "trusted": "is as it was signed by {}.",
}


def sign(
    picture: Path,
    /,
    *,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    inputs: Annotated[list[Path] | None, Parameter(name=["--inputs", "-i"], negative="")] = None,
    name: str = "",
    key: Path | None = None,
    certificates: Path | None = None,
    force: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Sign a picture painted by impasto: what it was made of and how, so that any change is found.

    It needs an extra: pip install 'impasto[sign]'. Without --key you sign with a key of your own making, kept in your
    data folder: it shows that a picture is unchanged, but not who you are, and other programs call it untrusted.

    Examples:

    - `impasto sign out.png --name 'Anna Ancher'`
    - `impasto sign out.png --inputs photos --key key.pem --certificates chain.pem -o signed.png`

    Args:
        picture: The picture, which carries its record.
        output: The file to write; by default the picture itself.
        inputs: The photo and the paintings, or folders with them; a photo's own credentials go along.
        name: Your name, for the key of your own making.
        key: A private key that you were given (PEM).
        certificates: Its certificates, the own one first (PEM).
        force: Replace the output if it exists.
    """
    from impasto import signing
    from impasto.identity import Identity
    from impasto.media.files import check_writable
    from impasto.media.image import read
    from impasto.provenance import Record

    if (key is None) != (certificates is None):
        raise SettingsError("Expected --key and --certificates together, or neither.")
    target = output or picture
    check_writable(target, force=force or output is None)
    record = Record.from_xmp(read(picture).metadata)
    named = [record.content, *record.pictures.values()]
    found = [
        path
        for given in inputs or []
        for path in ([given / Path(source.name).name for source in named] if given.is_dir() else [given])
        if path.is_file()
    ]
    identity = Identity.read(key, certificates) if key and certificates else Identity.own(name)
    signing.sign(picture, target, identity, found)
    print(f"{target}  signed by {identity.name}")


def verify(picture: Path, /) -> int:
    """Say whether a picture is still what was signed, and by whom. Status 0: it is; 1: it is not.

    Examples:

    - `impasto verify out.png`

    Args:
        picture: The picture.
    """
    from impasto.signing import verify

    verdict = verify(picture)
    why = f" ({verdict.problem})." if verdict.problem else ""
    print(f"{picture} {_TOLD[verdict.state].format(verdict.signer)}{why}")
    return int(verdict.state not in ("untrusted", "trusted"))
