"""Applications: the owners of everything, and their keys and webhooks."""

import asyncio
from typing import Annotated, Protocol

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import replace

from tertulia.model.addresses import is_web_address
from tertulia.model.errors import ApplicationNotFound, ValidationFailed
from tertulia.model.ids import ApplicationId
from tertulia.model.state import Application, Capability, Privacy
from tertulia.ports import Clock, Directory, Ids, MediaStore


class KeySmith(Protocol):
    """RSA keys in PEM."""

    def new_pair(self) -> tuple[str, str]:
        """Private and public key. Takes a fifth of a second of arithmetic."""

    def is_public_key(self, text: str) -> bool: ...


class KeysDraft(Struct, frozen=True):
    public_key: Annotated[str, Meta(max_length=8192)] | None = None


class ApplicationDraft(Struct, frozen=True):
    """The body of create and update (wire-api 6.1). An update replaces what it names."""

    name: Annotated[str, Meta(min_length=1, max_length=255)]
    keys: KeysDraft | None = None
    capabilities: dict[str, Capability] | UnsetType | None = UNSET
    privacy: Privacy | UnsetType | None = UNSET


class Applications:
    def __init__(
        self, *, directory: Directory, media: MediaStore, clock: Clock, ids: Ids, smith: KeySmith
    ) -> None:
        self._directory = directory
        self._media = media
        self._clock = clock
        self._ids = ids
        self._smith = smith
        self._turn = asyncio.Lock()
        """Of those who change an application: a row is written whole, and the gone stay gone."""

    async def create(self, draft: ApplicationDraft) -> tuple[Application, str | None]:
        """The application, and its private key if the key pair was made here: shown this once."""
        private_key, public_key = None, self._given_key(draft) or ""
        if not public_key:
            private_key, public_key = await asyncio.to_thread(self._smith.new_pair)
        application = _drafted(
            Application(
                id=self._ids.application(), name=draft.name, public_key=public_key,
                created_at=self._clock.now(),
            ),
            draft,
        )  # fmt: skip
        await self._directory.put_application(application)
        return application, private_key

    async def get(self, application_id: ApplicationId) -> Application:
        found = await self._directory.application(application_id)
        if found is None:
            raise ApplicationNotFound()
        return found

    async def list(self) -> list[Application]:
        return await self._directory.applications()

    async def update(self, application_id: ApplicationId, draft: ApplicationDraft) -> Application:
        public_key = self._given_key(draft)
        async with self._turn:
            old = await self.get(application_id)
            new = _drafted(
                replace(
                    old, name=draft.name, public_key=public_key or old.public_key,
                    updated_at=self._clock.now(),
                ),
                draft,
            )  # fmt: skip
            await self._directory.put_application(new)
        return new

    async def set_webhook_policy(self, application_id: ApplicationId, policy: str) -> None:
        async with self._turn:
            application = await self.get(application_id)
            changed = replace(application, webhook_policy=policy, updated_at=self._clock.now())
            await self._directory.put_application(changed)

    async def delete(self, application_id: ApplicationId) -> None:
        """With its media files. These go first: should that fail, it can be asked for again."""
        async with self._turn:
            await self.get(application_id)
            await self._media.delete_application(application_id)
            await self._directory.delete_application(application_id)

    def _given_key(self, draft: ApplicationDraft) -> str | None:
        given = draft.keys.public_key if draft.keys else None
        if given and not self._smith.is_public_key(given):
            raise ValidationFailed.of("keys.public_key", "must be an RSA public key in PEM")
        return given or None


def _drafted(application: Application, draft: ApplicationDraft) -> Application:
    given: dict[str, object] = {}
    if not isinstance(draft.capabilities, UnsetType):
        given["capabilities"] = draft.capabilities or {}
        _check_webhooks(draft.capabilities or {})
    if not isinstance(draft.privacy, UnsetType):
        given["privacy"] = draft.privacy
    return replace(application, **given)


def _check_webhooks(capabilities: dict[str, Capability]) -> None:
    for heading, capability in capabilities.items():
        for name, webhook in (capability.webhooks or {}).items():
            where = f"capabilities.{heading}.webhooks.{name}"
            if not is_web_address(webhook.address):
                raise ValidationFailed.of(f"{where}.address", "must be a valid http or https uri")
            if webhook.http_method not in (None, "GET", "POST"):
                raise ValidationFailed.of(f"{where}.http_method", "must be one of [GET, POST]")
