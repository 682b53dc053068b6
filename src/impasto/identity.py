"""Who signs pictures: a key, and what others say of whose it is."""

from __future__ import annotations

import datetime
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from impasto.errors import SettingsError
from impasto.media.files import replacing

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate, Name

_YEARS = 10
_AUTHORITY = "Own authority"


@dataclass(frozen=True)
class Identity:
    """Who signs: a private key and its chain of certificates, the own one first, both as PEM."""

    key: bytes
    certificates: bytes

    @staticmethod
    def read(key: Path, certificates: Path) -> Identity:
        """What somebody has been given by an authority.

        Raises:
            SettingsError: a file cannot be read.
        """
        try:
            return Identity(key.read_bytes(), certificates.read_bytes())
        except OSError as error:
            raise SettingsError(f"{error.filename} cannot be read ({error.strerror}); give a PEM file.") from error

    @staticmethod
    def own(name: str = "", folder: Path | None = None) -> Identity:
        """One of this user's own making, made the first time; validators do not know it and say so.

        Raises:
            SettingsError: an extra is missing, or there is one under another name.
        """
        folder = folder or identity_folder()
        key, certificates = folder / "key.pem", folder / "certificates.pem"
        if not certificates.is_file():
            made = _made(name or "Impasto user")
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for path, content in ((key, made.key), (certificates, made.certificates)):
                with replacing(path) as temporary:
                    temporary.write_bytes(content)
                path.chmod(0o600)
        identity = Identity.read(key, certificates)
        if name and name != identity.name:
            raise SettingsError(
                f"You have signed as {identity.name} until now; remove {folder} to sign as {name} from now on."
            )
        return identity

    @property
    def name(self) -> str:
        """Whose the key is, as the certificate says."""
        from cryptography import x509
        from cryptography.x509.oid import NameOID

        subject = x509.load_pem_x509_certificates(self.certificates)[0].subject
        return str(subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)

    @property
    def algorithm(self) -> str:
        """C2PA's name of how the key signs."""
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        key = load_pem_private_key(self.key, None)
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return {256: "ES256", 384: "ES384", 521: "ES512"}[key.curve.key_size]
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return "ED25519"
        if isinstance(key, rsa.RSAPrivateKey):
            return "PS256"
        raise SettingsError("Expected a private key of the kind EC, Ed25519 or RSA.")


def identity_folder() -> Path:
    """Where the user's own key lies: `IMPASTO_IDENTITY`, or a folder of the user's data."""
    named = os.environ.get("IMPASTO_IDENTITY")
    return Path(named or platformdirs.user_data_path("impasto", appauthor=False) / "identity")


def _made(name: str) -> Identity:
    """A key, and a certificate by an authority of its own: C2PA takes none that is signed by itself."""
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError as error:
        raise SettingsError("Signing needs an extra; install it with: pip install 'impasto[sign]'.") from error
    authority, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    chain = [_certificate(name, key, authority), _certificate(_AUTHORITY, authority, authority)]
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Identity(private, b"".join(one.public_bytes(pem) for one in chain))


def _certificate(subject: str, key: EllipticCurvePrivateKey, authority: EllipticCurvePrivateKey) -> Certificate:
    """What the authority says of a key; of its own, that it is one."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID

    is_authority, public, now = key is authority, key.public_key(), datetime.datetime.now(datetime.UTC)
    usage = x509.KeyUsage(
        digital_signature=not is_authority, key_cert_sign=is_authority, crl_sign=is_authority, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    builder = (
        x509.CertificateBuilder()
        .subject_name(_named(subject))
        .issuer_name(_named(_AUTHORITY))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=365 * _YEARS))
        .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False)
    )
    if not is_authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    return builder.sign(authority, hashes.SHA256())


def _named(text: str) -> Name:
    from cryptography.x509 import Name, NameAttribute
    from cryptography.x509.oid import NameOID

    return Name([NameAttribute(NameOID.COMMON_NAME, text), NameAttribute(NameOID.ORGANIZATION_NAME, "Impasto")])
