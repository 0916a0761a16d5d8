"""Keys, certificates and the development identity: what a Tertulia makes for itself and keeps.

Everything is made once under the data folder and found again at the next start.
"""

from tertulia.devkit.account import with_account
from tertulia.devkit.authority import (
    AUTHORITY_FILE,
    ServerFiles,
    ensure_certificate,
    server_ssl_context,
)
from tertulia.devkit.development import (
    Development,
    development_application,
    development_private_key,
    development_settings,
    prepare,
    renewed,
)
from tertulia.devkit.document import DevDocument, Ports, dev_document, start_screen, write_document
from tertulia.devkit.keys import RsaSmith

__all__ = [
    "AUTHORITY_FILE",
    "DevDocument",
    "Development",
    "Ports",
    "RsaSmith",
    "ServerFiles",
    "dev_document",
    "development_application",
    "development_private_key",
    "development_settings",
    "ensure_certificate",
    "prepare",
    "renewed",
    "server_ssl_context",
    "start_screen",
    "with_account",
    "write_document",
]
