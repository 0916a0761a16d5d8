"""The account's credentials, made once where the operator sets none."""

import secrets
from pathlib import Path

import msgspec
from msgspec.structs import asdict, replace

from tertulia.devkit import files
from tertulia.settings import Account, Settings, SettingsError


def with_account(settings: Settings) -> Settings:
    """The settings with no credential empty; those made here are kept in `account.json`.

    What is set stands over what is kept, and is not written down.

    Raises:
        SettingsError: the file is not what was written, or cannot be.
    """
    given = {name: value for name, value in asdict(settings.account).items() if value}
    if len(given) < len(Account.__struct_fields__):
        given = asdict(_kept(settings.data.path / "account.json")) | given
    return replace(settings, account=Account(**given))


def _kept(path: Path) -> Account:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Account)
    except FileNotFoundError:
        made = Account(
            api_key=secrets.token_hex(4),
            api_secret=secrets.token_urlsafe(16),
            signature_secret=secrets.token_urlsafe(32),
        )
        files.write(path, msgspec.json.encode(made), mode=files.SECRET)
        return made
    except (OSError, msgspec.DecodeError) as error:
        raise SettingsError(f"{path}: {error}") from None
