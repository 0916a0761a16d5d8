"""Tokens, RS256: the application's own has neither `sub` nor `acl`, a user's has both."""

import base64
import time
import uuid
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

LIFE = 6 * 3600
"""Seconds."""
PATHS = ("users", "conversations", "sessions", "image", "media", "push", "knocking", "legs")
ACL: dict[str, Any] = {"paths": {f"/*/{path}/**": {} for path in PATHS} | {"/*/rtc/**": {}}}
"""What an application usually grants to its users."""


class Issuer:
    """Signs for one application. `private_key` is PEM."""

    def __init__(self, application_id: str, private_key: bytes) -> None:
        key = load_pem_private_key(private_key, password=None)
        if not isinstance(key, RSAPrivateKey):
            raise TypeError("the application's key is not RSA")
        self.application_id = application_id
        self._key = key

    def application_token(self) -> str:
        return self._token({})

    def user_token(self, name: str) -> str:
        return self._token({"sub": name, "acl": ACL})

    def _token(self, claims: dict[str, Any]) -> str:
        """Good from now on."""
        now = int(time.time())
        claims = claims | {
            "application_id": self.application_id,
            "iat": now,
            "exp": now + LIFE,
            "jti": str(uuid.uuid4()),
        }
        signed = f"{_part({'alg': 'RS256', 'typ': 'JWT'})}.{_part(claims)}"
        return f"{signed}.{_base64(self._key.sign(signed.encode(), PKCS1v15(), SHA256()))}"


def _part(values: dict[str, Any]) -> str:
    return _base64(msgspec.json.encode(values))


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
