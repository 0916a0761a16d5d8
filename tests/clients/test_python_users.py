"""The users of the published Python server SDK, unmodified, over https."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.clients.conftest import Connect
from vonage_http_client.errors import AuthenticationError, HttpRequestError, NotFoundError
from vonage_users import (
    Channels,
    ListUsersFilter,
    MessengerChannel,
    MmsChannel,
    Properties,
    PstnChannel,
    SipChannel,
    SmsChannel,
    User,
    VbcChannel,
    ViberChannel,
    WebsocketChannel,
    WhatsappChannel,
)

pytestmark = [pytest.mark.clients, pytest.mark.system]

NOBODY = "USR-00000000-0000-4000-8000-000000000000"
CHANNELS = Channels(
    sms=[SmsChannel(number="447700900001")],
    mms=[MmsChannel(number="447700900002")],
    whatsapp=[WhatsappChannel(number="447700900003")],
    viber=[ViberChannel(number="447700900004")],
    messenger=[MessengerChannel(id="12345abcd")],
    pstn=[PstnChannel(number=447700900005)],
    sip=[SipChannel(uri="sip:alice@example.org", username="alice", password="not-a-secret")],
    websocket=[
        WebsocketChannel(uri="wss://example.org/socket", headers={"who": "alice"}),
    ],
    vbc=[VbcChannel(extension="403")],
)


@pytest.fixture
def users(connect: Connect) -> Any:
    return connect().users


def fresh(name: str) -> str:
    return f"{name}-{uuid.uuid4().hex[:8]}"


def code(error: pytest.ExceptionInfo[Any]) -> str:
    return str(error.value.response.json()["code"])


def all_users(users: Any, page_size: int, order: str | None = None) -> list[Any]:
    found: list[Any] = []
    cursor = None
    while True:
        page, cursor = users.list_users(
            ListUsersFilter(page_size=page_size, order=order, cursor=cursor)
        )
        assert len(page) <= page_size
        found += page
        if cursor is None:
            return found


def test_a_user_keeps_every_field(users: Any) -> None:
    given = User(
        name=fresh("alice"),
        display_name="Alice",
        image_url="https://img.example.org/alice.png",
        channels=CHANNELS,
        properties=Properties(custom_data={"tier": "gold", "nested": {"n": [1, None, "č"]}}),
    )
    made = users.create_user(given)
    assert made.id.startswith("USR-")
    assert made.model_dump(exclude={"id", "link"}) == given.model_dump(exclude={"id", "link"})
    assert made.link.endswith(f"/v1/users/{made.id}")
    assert made.link.startswith("https://")
    assert users.get_user(made.id) == made


def test_a_user_needs_no_field(users: Any) -> None:
    first, second = users.create_user(), users.create_user(User())
    assert first.name
    assert second.name
    assert first.name != second.name


def test_an_update_changes_what_it_names(users: Any) -> None:
    made = users.create_user(User(name=fresh("bob"), display_name="Bob", channels=CHANNELS))
    changed = users.update_user(made.id, User(display_name="Robert"))
    assert changed.display_name == "Robert"
    assert (changed.id, changed.name, changed.channels) == (made.id, made.name, made.channels)
    assert users.get_user(made.id) == changed


def test_a_user_is_updated_with_itself(users: Any) -> None:
    made = users.create_user(User(name=fresh("carol"), channels=CHANNELS))
    assert users.update_user(made.id, made) == made


@pytest.mark.parametrize("page_size", [1, 3, 100])
def test_users_are_listed_through_every_page(users: Any, page_size: int) -> None:
    before = [user.id for user in all_users(users, 100)]
    made = [users.create_user(User(name=fresh(f"listed-{n}"), display_name="L")) for n in range(5)]
    expected = before + [user.id for user in made]
    listed = all_users(users, page_size)
    assert [user.id for user in listed] == expected
    assert [(user.name, user.display_name, user.link) for user in listed[-5:]] == [
        (user.name, user.display_name, user.link) for user in made
    ]
    backwards = all_users(users, page_size, "desc")
    assert [user.id for user in backwards] == expected[::-1]


def test_a_user_is_found_by_name(users: Any) -> None:
    made = users.create_user(User(name=fresh("dave")))
    found, cursor = users.list_users(ListUsersFilter(name=made.name))
    assert [user.id for user in found] == [made.id]
    assert cursor is None
    assert users.list_users(ListUsersFilter(name=fresh("nobody"))) == ([], None)


def test_a_deleted_user_is_gone(users: Any) -> None:
    made = users.create_user(User(name=fresh("erin")))
    assert users.delete_user(made.id) is None
    with pytest.raises(NotFoundError) as error:
        users.get_user(made.id)
    assert code(error) == "user:error:not-found"
    assert made.id not in [user.id for user in all_users(users, 100)]


def test_an_unknown_user_is_not_found(users: Any) -> None:
    requests: list[Callable[[], Any]] = [
        lambda: users.get_user(NOBODY),
        lambda: users.update_user(NOBODY, User(display_name="x")),
        lambda: users.delete_user(NOBODY),
    ]
    for request in requests:
        with pytest.raises(NotFoundError) as error:
            request()
        assert code(error) == "user:error:not-found"


def test_a_taken_name_is_a_conflict(users: Any) -> None:
    made = users.create_user(User(name=fresh("frank")))
    with pytest.raises(HttpRequestError) as error:
        users.create_user(User(name=made.name))
    assert error.value.response.status_code == 409
    assert code(error) == "user:error:duplicate-name"


def test_a_wrong_field_is_named(users: Any) -> None:
    with pytest.raises(HttpRequestError) as error:
        users.create_user(User(name="n" * 201))
    assert error.value.response.status_code == 400
    assert code(error) == "http:error:validation-fail"
    names = [wrong["name"] for wrong in error.value.response.json()["invalid_parameters"]]
    assert names == ["name"]


def test_a_foreign_key_is_refused(connect: Connect) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    with pytest.raises(AuthenticationError) as error:
        connect(private_key=key.decode()).users.list_users()
    assert code(error) == "system:error:invalid-token"
