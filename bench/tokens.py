"""Application tokens: RS256, without `sub` and `acl`, so that they act as the application."""

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


def application_token(application_id: str, private_key: bytes) -> str:
    """A token that is good from now on. `private_key` is PEM."""
    key = load_pem_private_key(private_key, password=None)
    if not isinstance(key, RSAPrivateKey):
        raise TypeError("the application's key is not RSA")
    now = int(time.time())
    claims = {
        "application_id": application_id,
        "iat": now,
        "exp": now + LIFE,
        "jti": str(uuid.uuid4()),
    }
    signed = f"{_part({'alg': 'RS256', 'typ': 'JWT'})}.{_part(claims)}"
    return f"{signed}.{_base64(key.sign(signed.encode(), PKCS1v15(), SHA256()))}"


def _part(values: dict[str, Any]) -> str:
    return _base64(msgspec.json.encode(values))


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
