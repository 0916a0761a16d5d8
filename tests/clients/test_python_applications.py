"""The applications of the published Python server SDK, unmodified, over https."""

from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.clients.conftest import Connect
from vonage_application import (
    ApplicationConfig,
    ApplicationUrl,
    Capabilities,
    Keys,
    ListApplicationsFilter,
    Messages,
    MessagesWebhooks,
    Privacy,
    Region,
    Rtc,
    RtcWebhooks,
    Vbc,
    Verify,
    VerifyWebhooks,
    Voice,
    VoiceUrl,
    VoiceWebhooks,
)
from vonage_http_client.errors import AuthenticationError, HttpRequestError, NotFoundError
from vonage_users import User

pytestmark = [pytest.mark.clients, pytest.mark.system]

NOTHING = "00000000-0000-4000-8000-000000000000"

FULL = ApplicationConfig(
    name="shop",
    capabilities=Capabilities(
        voice=Voice(
            webhooks=VoiceWebhooks(
                answer_url=VoiceUrl(
                    address="https://example.org/answer",
                    http_method="GET",
                    connect_timeout=500,
                    socket_timeout=3000,
                ),
                fallback_answer_url=VoiceUrl(address="https://example.org/fallback"),
                event_url=VoiceUrl(address="https://example.org/event", http_method="POST"),
            ),
            signed_callbacks=True,
            conversations_ttl=12,
            leg_persistence_time=7,
            region=Region.EU_WEST,
        ),
        rtc=Rtc(
            webhooks=RtcWebhooks(event_url=ApplicationUrl(address="https://example.org/rtc")),
            signed_callbacks=True,
        ),
        messages=Messages(
            version="v1",
            webhooks=MessagesWebhooks(
                inbound_url=ApplicationUrl(address="https://example.org/in", http_method="POST"),
                status_url=ApplicationUrl(address="https://example.org/status"),
            ),
            authenticate_inbound_media=True,
        ),
        vbc=Vbc(),
        verify=Verify(
            webhooks=VerifyWebhooks(
                status_url=ApplicationUrl(address="https://example.org/verify", http_method="POST")
            )
        ),
    ),
    privacy=Privacy(improve_ai=False),
)


@pytest.fixture
def applications(connect: Connect) -> Any:
    return connect().application


def settings(application: Any) -> dict[str, Any]:
    kept: dict[str, Any] = application.model_dump(
        include={"name", "capabilities", "privacy"}, exclude_none=True
    )
    return kept


def test_an_application_keeps_every_field_and_shows_its_key_once(applications: Any) -> None:
    made = applications.create_application(FULL)
    assert settings(made) == settings(FULL)
    assert made.keys.public_key.startswith("-----BEGIN PUBLIC KEY-----")
    assert made.keys.private_key.startswith("-----BEGIN PRIVATE KEY-----")
    assert made.link.endswith(f"/v2/applications/{made.id}")

    read = applications.get_application(made.id)
    assert settings(read) == settings(FULL)
    assert read.keys.model_dump() == {"public_key": made.keys.public_key}


def test_the_key_of_a_new_application_opens_it(connect: Connect) -> None:
    made = connect().application.create_application(ApplicationConfig(name="new"))
    mine = connect(application_id=made.id, private_key=made.keys.private_key).users
    assert mine.list_users() == ([], None)
    user = mine.create_user(User(name="only"))
    assert [found.id for found in mine.list_users()[0]] == [user.id]
    with pytest.raises(NotFoundError):
        connect().users.get_user(user.id)


def test_a_given_public_key_is_kept_and_no_private_key_is_made(applications: Any) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    pem = key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()
    made = applications.create_application(
        ApplicationConfig(name="own-key", keys=Keys(public_key=pem))
    )
    assert made.keys.public_key.strip() == pem.strip()
    assert getattr(made.keys, "private_key", None) is None


def test_an_application_is_updated(applications: Any) -> None:
    made = applications.create_application(FULL)
    changed = applications.update_application(made.id, FULL.model_copy(update={"name": "renamed"}))
    assert settings(changed) == settings(FULL) | {"name": "renamed"}
    assert changed.keys.public_key == made.keys.public_key
    assert getattr(changed.keys, "private_key", None) is None
    assert applications.get_application(made.id) == changed


def test_applications_are_listed_through_every_page(applications: Any) -> None:
    made = [
        applications.create_application(ApplicationConfig(name=f"listed-{n}")).id for n in range(4)
    ]
    every, following = applications.list_applications()
    assert following is None
    assert [application.id for application in every][-4:] == made
    for page_size in (1, 3):
        seen: list[str] = []
        page: int | None = 1
        while page is not None:
            found, page = applications.list_applications(
                ListApplicationsFilter(page_size=page_size, page=page)
            )
            seen += [application.id for application in found]
        assert seen == [application.id for application in every]


def test_a_deleted_application_is_gone(applications: Any) -> None:
    made = applications.create_application(ApplicationConfig(name="gone"))
    assert applications.delete_application(made.id) is None
    for request in (applications.get_application, applications.delete_application):
        with pytest.raises(NotFoundError) as error:
            request(made.id)
        assert error.value.response.json()["code"] == "application:error:not-found"


def test_an_unknown_application_is_not_found(applications: Any) -> None:
    with pytest.raises(NotFoundError):
        applications.update_application(NOTHING, ApplicationConfig(name="x"))


@pytest.mark.parametrize("wrong", ["api_key", "api_secret"])
def test_a_wrong_account_is_refused(connect: Connect, wrong: str) -> None:
    with pytest.raises(AuthenticationError):
        connect(**{wrong: "wrong"}).application.list_applications()


def test_an_application_without_a_usable_name_is_refused(applications: Any) -> None:
    with pytest.raises(HttpRequestError) as error:
        applications.create_application(ApplicationConfig(name=""))
    assert error.value.response.status_code == 400
