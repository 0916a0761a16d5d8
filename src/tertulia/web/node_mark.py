"""The header by which a node shows another whose request it hands on, and for whom.

It says what the client's connection said: scheme and address. It grants nothing, and so it holds no
time: who says it again learns nothing that was not said to him before. Whether the request may be
carried out its token tells, as always.
"""

import hmac
from hashlib import sha256
from typing import NamedTuple

from tertulia.protocols.http1 import Request

HEADER = "tertulia-node"
_SCHEMES = ("http", "https")
_PARTS = 4


class Mark(NamedTuple):
    node: str
    """That hands it on."""
    scheme: str
    peer: str


class Marks:
    """`secret`: of the cluster; without one, no mark is believed."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def written(self, mark: Mark, request: Request) -> str:
        """Value of the header for one request."""
        return f"{mark.node} {mark.scheme} {mark.peer or '-'} {self._proof(mark, request)}"

    def read(self, request: Request) -> Mark | None:
        """None: the request bears none, or not one of this cluster."""
        parts = request.headers.get(HEADER, "").split(" ")
        if not self._secret or len(parts) != _PARTS or parts[1] not in _SCHEMES:
            return None
        mark = Mark(parts[0], parts[1], "" if parts[2] == "-" else parts[2])
        proof = self._proof(mark, request).encode()
        return mark if hmac.compare_digest(proof, parts[3].encode("latin-1")) else None

    def _proof(self, mark: Mark, request: Request) -> str:
        host = request.headers.get("host", "")
        told = "\n".join((HEADER, *mark, request.method, request.target, host))
        return hmac.new(self._secret, told.encode(), sha256).hexdigest()
