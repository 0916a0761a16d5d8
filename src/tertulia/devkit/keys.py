"""RSA keys in PEM: made for applications, and the development application's own."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tertulia.devkit import files
from tertulia.protocols import jwt
from tertulia.settings import SettingsError

BITS = 2048


class RsaSmith:
    """Makes the key pairs of applications."""

    def new_pair(self) -> tuple[str, str]:
        """Private key (PKCS 8) and public key. Takes some tens of milliseconds."""
        key = rsa.generate_private_key(65_537, BITS)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return private.decode(), _public_pem(key)

    def is_public_key(self, text: str) -> bool:
        """Whether tokens can be verified with it."""
        try:
            jwt.load_public_key(text)
        except ValueError:
            return False
        return True


def ensure_private_key(path: Path) -> str:
    """Make the private key if there is none; the public key that goes with it.

    Raises:
        SettingsError: the file holds something else, or cannot be written.
    """
    if not path.exists():
        private, public = RsaSmith().new_pair()
        files.write(path, private.encode(), mode=files.SECRET)
        return public
    try:
        return _public_pem(jwt.load_private_key(path.read_bytes()))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: {error}") from None


def _public_pem(key: rsa.RSAPrivateKey) -> str:
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return public.decode()
