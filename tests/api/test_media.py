"""Media files: upload in both forms, who sees them, and how they are served."""

import asyncio
import struct
import threading
from io import BytesIO
from typing import Any

import pytest
from msgspec.structs import replace
from PIL import Image
from tests.api.cast import (
    ACCOUNT,
    INVALID,
    NO_CONVERSATION,
    NOBODY,
    NOT_GRANTED,
    ORIGIN,
    blamed,
    conversation,
    entrance,
    joined,
    refusal,
    stranger,
    user,
)
from tests.api.conftest import SETTINGS, Play

from tertulia.protocols.http1 import Streamed
from tertulia.services import media
from tertulia.settings import Media
from tertulia.testing.world import Answer, World
from tertulia.web.serving import PIECE

GONE = (404, "media:error:not-found")
TOO_LARGE = (413, "http:error:payload-too-large")
NOT_TAKEN = (415, "http:error:unsupported-media-type")
NO_ENTRY = (401, "system:error:invalid-token")
WAV = b"RIFF" + struct.pack("<I", 92) + b"WAVEfmt " + bytes(range(84))
NO_JPEG = b"\xff\xd8\xff\xd9"
"""It begins and ends as a JPEG does, and has nothing in between."""


def picture(kind: str = "PNG", size: tuple[int, int] = (40, 20)) -> bytes:
    out = BytesIO()
    Image.new("RGB", size, "teal").save(out, kind)
    return out.getvalue()


def form(fields: dict[str, str], file: bytes | None, name: str = "cat.png") -> bytes:
    parts = [f'name="{field}"\r\n\r\n{text}'.encode() for field, text in fields.items()]
    if file is not None:
        head = f'name="file"; filename="{name}"\r\nContent-Type: application/octet-stream\r\n\r\n'
        parts.append(head.encode() + file)
    whole = b"".join(
        b"--xyz\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts
    )
    return whole + b"--xyz--\r\n"


FORM = {"content-type": "multipart/form-data; boundary=xyz"}


async def upload_image(
    world: World, file: bytes | None, *, by: str | None = None, name: str = "cat.png", **fields: str
) -> Answer:
    body = form(fields, file, name)
    return await world.call("POST", "/v1/image", body, user=by, headers=FORM)


async def uploaded(world: World, content: bytes, *, by: str | None = None, **how: str) -> str:
    """The id of a new file, put in as a raw body."""
    headers = {"content-type": "application/octet-stream"}
    query = f"?name={how['name']}" if how else ""
    answer = await world.call("POST", f"/v3/media{query}", content, user=by, headers=headers)
    assert answer.status == 201, answer.json
    media_id: str = answer.json["id"]
    return media_id


async def fetched(world: World, media_id: str, *, by: str | None = None, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await world.call("GET", f"/v3/media/{media_id}", user=by, headers=named)


def path(url: str) -> str:
    assert url.startswith(ORIGIN)
    return url.removeprefix(ORIGIN)


# Upload.


def test_an_image_comes_in_three_sizes(play: Play) -> None:
    async def scenario(world: World) -> None:
        await user(world, "alice")
        content = picture("JPEG")
        answer = await upload_image(
            world, content, by="alice", quality_ratio="80", medium_size_ratio="50",
            thumbnail_size_ratio="10",
        )  # fmt: skip
        assert answer.status == 200
        assert list(answer.json) == ["original", "medium", "thumbnail"]
        assert len({each["id"] for each in answer.json.values()}) == 3
        sizes = {}
        for name, each in answer.json.items():
            assert each["type"] == name
            assert each["url"] == f"{ORIGIN}/v3/media/{each['id']}"
            assert "image" not in each["url"]
            found = await world.call("GET", path(each["url"]), user="alice")
            assert (found.status, found.content_type) == (200, "image/jpeg")
            assert len(found.raw) == each["size"]
            sizes[name] = Image.open(BytesIO(found.raw)).size
            if name == "original":
                assert found.raw == content
        assert sizes == {"original": (40, 20), "medium": (20, 10), "thumbnail": (4, 2)}

    play(scenario)


def test_ratios_may_be_left_out(play: Play) -> None:
    async def scenario(world: World) -> None:
        for fields in ({}, {"medium_size_ratio": "undefined", "quality_ratio": "undefined"}):
            answer = await upload_image(world, picture(), **fields)
            medium = await fetched(world, answer.json["medium"]["id"])
            thumbnail = await fetched(world, answer.json["thumbnail"]["id"])
            assert Image.open(BytesIO(medium.raw)).size == (20, 10)
            assert Image.open(BytesIO(thumbnail.raw)).size == (12, 6)

    play(scenario)


@pytest.mark.parametrize(("name", "text"), [
    ("quality_ratio", "101"), ("quality_ratio", "-1"), ("quality_ratio", ""),
    ("medium_size_ratio", "0"), ("medium_size_ratio", "1.5"),
    ("thumbnail_size_ratio", "101"), ("thumbnail_size_ratio", "x"),
    ("thumbnail_size_ratio", "99999999999999999999"),
])  # fmt: skip
def test_ratios_are_checked(play: Play, name: str, text: str) -> None:
    async def scenario(world: World) -> None:
        assert blamed(await upload_image(world, picture(), **{name: text})) == name

    play(scenario)


def test_what_cannot_be_decoded_stands_for_itself(play: Play) -> None:
    async def scenario(world: World) -> None:
        answer = await upload_image(world, NO_JPEG)
        assert answer.status == 200
        for each in answer.json.values():
            assert (await fetched(world, each["id"])).raw == NO_JPEG

    play(scenario)


def test_what_comes_out_larger_than_a_file_may_be_is_not_kept(play: Play) -> None:
    async def scenario(world: World) -> None:
        out = BytesIO()
        Image.effect_noise((100, 100), 90).convert("1").save(out, "PNG")
        answer = await upload_image(world, out.getvalue(), medium_size_ratio="99")
        sizes = {name: each["size"] for name, each in answer.json.items()}
        assert sizes["medium"] == sizes["original"] < 2000
        assert sizes["thumbnail"] != sizes["original"]

    play(scenario, replace(SETTINGS, media=Media(upload_limit=4000)))


def test_so_many_images_are_decoded_at_once(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, going = threading.Semaphore(0), threading.Event()
    at_once: list[bool] = []
    under_way = threading.Semaphore(media.REDUCING_MAX)

    def reduced(*_: object, **__: object) -> None:
        at_once.append(under_way.acquire(blocking=False))
        begun.release()
        going.wait(10)
        under_way.release()

    monkeypatch.setattr(media, "reduced", reduced)

    async def scenario(world: World) -> None:
        uploads = [asyncio.create_task(upload_image(world, picture())) for _ in range(5)]
        for _ in range(media.REDUCING_MAX):
            await asyncio.to_thread(begun.acquire)
        going.set()
        assert {(await each).status for each in uploads} == {200}
        assert at_once == [True] * 5

    play(scenario)


def test_a_bomb_is_refused(play: Play) -> None:
    async def scenario(world: World) -> None:
        out = BytesIO()
        Image.new("1", (20_000, 10_000)).save(out, "PNG")
        assert blamed(await upload_image(world, out.getvalue())) == "file"

    play(scenario)


@pytest.mark.parametrize("content", [b"%PDF-1.7", b"plain words", WAV, b"\0\1\2", b"<svg/>"])
def test_only_images_are_images(play: Play, content: bytes) -> None:
    async def scenario(world: World) -> None:
        assert refusal(await upload_image(world, content, name="cat.png")) == NOT_TAKEN

    play(scenario)


@pytest.mark.parametrize(("content_type", "body"), [
    ("multipart/form-data; boundary=xyz", b"--xyz\r\nnonsense"),
    ("multipart/form-data; boundary=xyz", b""), ("multipart/form-data", form({}, NO_JPEG)),
    ("multipart/form-data; boundary=xyz", form({}, NO_JPEG)[:-8]),
    ("application/json", b"{}"), ("image/jpeg", NO_JPEG),
    ("multipart/form-data; boundary=xyz", form({"file": "words"}, None)),
    ("multipart/form-data; boundary=xyz", form({}, None)),
    ("multipart/form-data; boundary=xyz", form({}, b"")),
])  # fmt: skip
def test_what_is_no_form_with_a_file(play: Play, content_type: str, body: bytes) -> None:
    async def scenario(world: World) -> None:
        headers = {"content-type": content_type}
        answer = await world.call("POST", "/v1/image", body, headers=headers)
        assert refusal(answer) == (400, INVALID)

    play(scenario)


@pytest.mark.parametrize(("content", "content_type", "shown"), [
    (picture("GIF"), "image/gif", "inline"), (WAV, "audio/wav", "inline"),
    (b"\0\0\0\x20ftypisom", "video/mp4", "inline"),
    (b"%PDF-1.7", "application/pdf", "attachment"),
    (b"<script>alert(1)</script>", "text/plain; charset=utf-8", "attachment"),
    (b"BEGIN:VCARD\r\nEND:VCARD\r\n", "text/vcard; charset=utf-8", "attachment"),
])  # fmt: skip
def test_other_files(play: Play, content: bytes, content_type: str, shown: str) -> None:
    async def scenario(world: World) -> None:
        media_id = await uploaded(world, content)
        body = form({}, content, 'ñ".txt')
        by_form = await world.call("POST", "/v3/media", body, headers=FORM)
        assert (by_form.status, by_form.json["name"]) == (201, 'ñ".txt')
        found = await fetched(world, media_id, accept="image/*")
        assert (found.status, found.raw, found.content_type) == (200, content, content_type)
        headers = found.headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert headers["Cache-Control"].startswith("private, max-age=")
        assert headers["Access-Control-Allow-Origin"] == "*"
        assert headers["Content-Disposition"].startswith(f'{shown}; filename="{media_id}.')
        found = await fetched(world, by_form.json["id"])
        named = f"{shown}; filename=\"__.txt\"; filename*=UTF-8''%C3%B1%22.txt"
        assert found.headers["Content-Disposition"] == named

    play(scenario)


@pytest.mark.parametrize("content", [b"\x7fELF\2\1\1\0", b"PK\3\4", b"MZ\x90\0", b"a\0b", b"\xff"])
def test_what_is_not_taken(play: Play, content: bytes) -> None:
    async def scenario(world: World) -> None:
        headers = {"content-type": "image/png"}
        answer = await world.call("POST", "/v3/media", content, headers=headers)
        assert refusal(answer) == NOT_TAKEN
        for empty, how in ((b"", headers), (form({}, b""), FORM), (form({}, None), FORM)):
            answer = await world.call("POST", "/v3/media", empty, headers=how)
            assert blamed(answer) == "file"

    play(scenario)


def test_a_file_and_all_files_have_a_limit(play: Play) -> None:
    async def scenario(world: World) -> None:
        await user(world, "alice")
        big = await world.call("POST", "/v3/media", b"x" * 2001)
        assert refusal(big) == TOO_LARGE
        big = await upload_image(world, NO_JPEG + 2000 * b"\0")
        assert refusal(big) == TOO_LARGE
        first = await uploaded(world, b"x" * 2000, by="alice")
        for _ in range(2):
            full = await world.call("POST", "/v3/media", b"y" * 501)
            assert refusal(full) == (413, "media:error:quota-reached")
        await uploaded(world, b"z" * 500)
        await world.call("DELETE", f"/v3/media/{first}", user="alice")
        await uploaded(world, b"x" * 2000)

    play(scenario, replace(SETTINGS, media=Media(upload_limit=2000, quota=2500)))


def test_a_store_that_fails_is_said_to(play: Play) -> None:
    async def scenario(world: World) -> None:
        world.media.fail()
        answer = await world.call("POST", "/v3/media", b"words")
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
        world.media.fail(False)
        await uploaded(world, b"words")

    play(scenario)


# Who sees what.


async def speak(
    world: World, cid: str, member_id: str | None, media_id: str, by: str | None
) -> Answer:
    """Send a message with the file in it, as the user of that name."""
    url = f"{ORIGIN}/v3/media/{media_id}"
    body = {"message_type": "image", "image": {"url": url}}
    draft = {"type": "message", "from": member_id, "body": body}
    return await world.call("POST", f"/v1/conversations/{cid}/events", draft, user=by)


async def seen_by(world: World, media_id: str, *names: str) -> list[str]:
    """Which of these users may see the file."""
    seen = []
    for name in names:
        answer = await fetched(world, media_id, by=name)
        info = await world.call("GET", f"/v3/media/{media_id}/info", user=name)
        assert info.status == answer.status
        if answer.status == 200:
            seen.append(name)
        else:
            assert refusal(answer) == GONE
    return seen


def test_who_sees_a_file(play: Play) -> None:
    async def scenario(world: World) -> None:
        cid = (await conversation(world))["id"]
        alice = (await joined(world, cid, "alice"))["id"]
        bob = (await joined(world, cid, "bob"))["id"]
        await joined(world, cid, "carol", state="invited")
        await user(world, "dora")
        everybody = ("alice", "bob", "carol", "dora")
        media_id = await uploaded(world, NO_JPEG, by="alice")
        assert await seen_by(world, media_id, *everybody) == ["alice"]
        assert (await fetched(world, media_id)).status == 200
        assert (await speak(world, cid, alice, media_id, "alice")).status == 201
        assert await seen_by(world, media_id, *everybody) == ["alice", "bob", "carol"]
        left = {"state": "left"}
        await world.call("PATCH", f"/v1/conversations/{cid}/members/{bob}", left, user="bob")
        assert await seen_by(world, media_id, *everybody) == ["alice", "bob", "carol"]
        await world.call("POST", f"/v1/conversations/{cid}/members", entrance("dora"))
        assert await seen_by(world, media_id, *everybody) == list(everybody)
        await world.call("DELETE", f"/v1/conversations/{cid}")
        assert await seen_by(world, media_id, *everybody) == ["alice"]

    play(scenario)


def test_an_image_event_shows_all_its_representations(play: Play) -> None:
    async def scenario(world: World) -> None:
        cid = (await conversation(world))["id"]
        alice = (await joined(world, cid, "alice"))["id"]
        await joined(world, cid, "bob")
        representations = (await upload_image(world, picture(), by="alice")).json
        draft = {"type": "image", "from": alice, "body": {"representations": representations}}
        events = f"/v0.3/conversations/{cid}/events"
        assert (await world.call("POST", events, draft, user="alice")).status == 201
        for each in representations.values():
            assert await seen_by(world, each["id"], "bob") == ["bob"]

    play(scenario)


def test_members_see_what_is_shown_in_many_places(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(world: World) -> None:
        media_id = await uploaded(world, NO_JPEG)
        for number in range(1, 6):
            await conversation(world)
            answer = await speak(world, f"CON-{number}", None, media_id, None)
            assert answer.status == 201
        await joined(world, "CON-5", "alice")
        await joined(world, "CON-5", "bob", state="invited")
        assert await seen_by(world, media_id, "alice", "bob") == ["alice", "bob"]
        monkeypatch.setattr(media, "LOOKED_AT_MAX", 4)
        assert await seen_by(world, media_id, "alice", "bob") == ["alice"]

    play(scenario)


def test_a_deleted_event_shows_nothing_more(play: Play) -> None:
    async def scenario(world: World) -> None:
        cid = (await conversation(world))["id"]
        alice = (await joined(world, cid, "alice"))["id"]
        await joined(world, cid, "bob")
        media_id = await uploaded(world, NO_JPEG, by="alice")
        numbers = [(await speak(world, cid, alice, media_id, "alice")).json["id"] for _ in range(2)]
        for number, seers in zip(numbers, (["alice", "bob"], ["alice"]), strict=True):
            for _ in range(2):
                event = f"/v1/conversations/{cid}/events/{number}"
                assert (await world.call("DELETE", event)).status == 204
            assert await seen_by(world, media_id, "alice", "bob") == seers
        await speak(world, cid, alice, media_id, "alice")
        assert await seen_by(world, media_id, "bob") == ["bob"]

    play(scenario)


def test_a_refused_event_shows_nothing(play: Play) -> None:
    async def scenario(world: World) -> None:
        cid = (await conversation(world))["id"]
        alice = (await joined(world, cid, "alice"))["id"]
        await joined(world, cid, "bob")
        media_id = await uploaded(world, NO_JPEG, by="alice")
        members = f"/v1/conversations/{cid}/members/{alice}"
        await world.call("PATCH", members, {"state": "left"}, user="alice")
        answer = await speak(world, cid, alice, media_id, "alice")
        assert refusal(answer) == (400, "conversation:error:invalid-member-state")
        assert await seen_by(world, media_id, "bob") == []

    play(scenario)


def test_nobody_shows_what_he_does_not_see(play: Play) -> None:
    async def scenario(world: World) -> None:
        cid = (await conversation(world))["id"]
        await joined(world, cid, "alice")
        bob = (await joined(world, cid, "bob"))["id"]
        await joined(world, cid, "carol")
        media_id = await uploaded(world, NO_JPEG, by="alice")
        assert (await speak(world, cid, bob, media_id, "bob")).status == 201
        assert await seen_by(world, media_id, "bob", "carol") == []
        assert (await speak(world, cid, bob, "MED-none", "bob")).status == 201

    play(scenario)


def test_nothing_is_shown_where_nothing_may_be_sent(play: Play) -> None:
    async def scenario(world: World) -> None:
        cid = (await conversation(world))["id"]
        bob = (await joined(world, cid, "bob"))["id"]
        await user(world, "alice")
        media_id = await uploaded(world, NO_JPEG, by="alice")
        for room in (cid, "CON-none"):
            answer = await speak(world, room, bob, media_id, "alice")
            assert refusal(answer) == (404, NO_CONVERSATION)
        assert await seen_by(world, media_id, "bob") == []

    play(scenario)


def test_a_file_that_cannot_be_shown_is_not_sent(play: Play) -> None:
    async def scenario(world: World) -> None:
        cid = (await conversation(world))["id"]
        alice = (await joined(world, cid, "alice"))["id"]
        media_id = await uploaded(world, NO_JPEG, by="alice")
        world.media.fail()
        assert (await speak(world, cid, alice, media_id, "alice")).status == 503

    play(scenario)


def test_another_application_sees_nothing(play: Play) -> None:
    async def scenario(world: World) -> None:
        media_id = await uploaded(world, NO_JPEG)
        other = await stranger(world)
        for target in (f"/v3/media/{media_id}", f"/v3/media/{media_id}/info"):
            assert refusal(await world.call("GET", target, token=other.token())) == GONE
        target = f"/v3/media/{media_id}"
        assert (await world.call("DELETE", target, token=other.token())).status == 204
        assert (await fetched(world, media_id)).status == 200

    play(scenario)


def test_an_application_takes_its_files_along(play: Play) -> None:
    async def scenario(world: World) -> None:
        kept = await uploaded(world, NO_JPEG)
        other = await stranger(world)
        made = await world.call("POST", "/v3/media", NO_JPEG, token=other.token())
        info = await world.call("GET", f"/v3/media/{made.json['id']}/info", token=other.token())
        signed = path(info.json["signed_url"])
        one = f"/v2/applications/{other.id}"
        world.media.fail()
        assert (await world.call("DELETE", one, headers=ACCOUNT)).status == 503
        world.media.fail(False)
        assert (await world.call("GET", signed, headers=NOBODY)).status == 200
        assert (await world.call("DELETE", one, headers=ACCOUNT)).status == 204
        assert refusal(await world.call("GET", signed, headers=NOBODY)) == GONE
        assert (await fetched(world, kept)).status == 200

    play(scenario)


def test_a_token_has_to_grant_it(play: Play) -> None:
    async def scenario(world: World) -> None:
        media_id = await uploaded(world, NO_JPEG)
        sdk: dict[str, Any] = {"paths": {"/*/image/**": {}, "/*/media/**": {}}}
        none: dict[str, Any] = {"paths": {"/*/users/**": {}}}
        for acl, granted in ((sdk, True), (none, False)):
            for method, target, body in (
                ("POST", "/v1/image", form({}, NO_JPEG)), ("POST", "/v3/media", NO_JPEG),
                ("GET", f"/v3/media/{media_id}", None),
                ("GET", f"/v3/media/{media_id}/info", None),
                ("DELETE", "/v3/media/MED-none", None),
            ):  # fmt: skip
                how = FORM if target == "/v1/image" else {}
                token = world.token(acl=acl)
                answer = await world.call(method, target, body, token=token, headers=how)
                if granted:
                    assert answer.status < 300, (method, target, answer.json)
                else:
                    assert refusal(answer) == (403, NOT_GRANTED)

    play(scenario)


# Signed addresses.


def test_a_signed_address_opens_one_file_for_a_while(play: Play) -> None:
    async def scenario(world: World) -> None:
        media_id, other = await uploaded(world, NO_JPEG, name="c.jpg"), await uploaded(world, b"b")
        info = (await world.call("GET", f"/v3/media/{media_id}/info")).json
        signed = path(info["signed_url"])
        assert {**info, "signed_url": "", "signed_until": ""} == {
            "id": media_id, "size": 4, "url": f"{ORIGIN}/v3/media/{media_id}", "type": "original",
            "content_type": "image/jpeg", "name": "c.jpg",
            "timestamp": info["timestamp"], "signed_url": "", "signed_until": "",
        }  # fmt: skip
        await user(world, "dora")
        ways: tuple[dict[str, Any], ...] = ({"headers": NOBODY}, {"user": "dora"})
        for how in ways:
            answer = await world.call("GET", signed, **how)
            assert (answer.status, answer.raw) == (200, NO_JPEG)
            foreign = await world.call("GET", signed.replace(media_id, other), **how)
            assert refusal(foreign) == (GONE if "user" in how else NO_ENTRY)
        for method in ("DELETE", "POST"):
            assert (await world.call(method, signed, headers=NOBODY)).status in (401, 405)
        answer = await world.call("GET", signed.replace("?", "/info?"), headers=NOBODY)
        assert refusal(answer) == NO_ENTRY
        world.clock.advance(3590)
        assert (await world.call("GET", signed, headers=NOBODY)).status == 200
        world.clock.advance(10)
        assert refusal(await world.call("GET", signed, headers=NOBODY)) == NO_ENTRY
        assert (await world.call("GET", signed)).status == 200

    play(scenario)


def test_a_signed_address_cannot_be_made_up(play: Play) -> None:
    async def scenario(world: World) -> None:
        media_id = await uploaded(world, NO_JPEG)
        target = f"/v3/media/{media_id}"
        info = await world.call("GET", f"{target}/info?expires_in=60")
        signed = path(info.json["signed_url"])
        expires, signature = (each.partition("=")[2] for each in signed.split("?")[1].split("&"))
        for wrong in (
            "", f"?expires={expires}", f"?signature={signature}", "?expires=0&signature=00",
            f"?expires={int(expires) + 1}&signature={signature}",
            f"?expires={expires}&signature={signature[:-1]}",
            f"?expires={expires}&signature=%C3%B1",
        ):  # fmt: skip
            answer = await world.call("GET", target + wrong, headers=NOBODY)
            assert refusal(answer) == NO_ENTRY, wrong
        for wrong in ("?expires=x&signature=x", f"?expires={10**12}&signature=x"):
            answer = await world.call("GET", target + wrong, headers=NOBODY)
            assert refusal(answer) == (400, INVALID)
        for wrong in ("0", "86401", "x"):
            assert blamed(await world.call("GET", f"{target}/info?expires_in={wrong}"))

    play(scenario)


def test_a_signed_address_of_a_deleted_file(play: Play) -> None:
    async def scenario(world: World) -> None:
        media_id = await uploaded(world, NO_JPEG)
        info = await world.call("GET", f"/v3/media/{media_id}/info")
        await world.call("DELETE", f"/v3/media/{media_id}")
        answer = await world.call("GET", path(info.json["signed_url"]), headers=NOBODY)
        assert refusal(answer) == GONE

    play(scenario)


# Deletion.


def test_a_deletion_takes_all_representations(play: Play) -> None:
    async def scenario(world: World) -> None:
        await user(world, "alice")
        for who in ("alice", None):
            files = (await upload_image(world, picture(), by="alice")).json
            one = f"/v3/media/{files['original']['id']}"
            for _ in range(2):
                assert (await world.call("DELETE", one, user=who)).status == 204
                for each in files.values():
                    assert refusal(await fetched(world, each["id"])) == GONE
                    info = await world.call("GET", f"/v3/media/{each['id']}/info")
                    assert refusal(info) == GONE

    play(scenario)


def test_somebody_elses_deletion_does_nothing(play: Play) -> None:
    """It is answered as if it had: the browser SDK deletes the image before the event."""

    async def scenario(world: World) -> None:
        cid = (await conversation(world))["id"]
        alice = (await joined(world, cid, "alice"))["id"]
        await joined(world, cid, "bob")
        media_id = await uploaded(world, NO_JPEG, by="alice")
        await speak(world, cid, alice, media_id, "alice")
        assert (await world.call("DELETE", f"/v3/media/{media_id}", user="bob")).status == 204
        assert await seen_by(world, media_id, "alice", "bob") == ["alice", "bob"]
        answer = await world.call("DELETE", f"/v3/media/{media_id}", headers=NOBODY)
        assert refusal(answer) == NO_ENTRY

    play(scenario)


# Serving.


def test_what_is_known_is_not_sent_again(play: Play) -> None:
    async def scenario(world: World) -> None:
        media_id = await uploaded(world, NO_JPEG)
        tag = (await fetched(world, media_id)).headers["ETag"]
        for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
            answer = await fetched(world, media_id, if_none_match=known)
            assert (answer.status, answer.raw, answer.headers["ETag"]) == (304, b"", tag)
        assert (await fetched(world, media_id, if_none_match='"x"')).status == 200
        other = await uploaded(world, NO_JPEG + b"\0")
        assert (await fetched(world, other, if_none_match=tag)).status == 200

    play(scenario)


@pytest.mark.parametrize(("asked", "first", "last"), [
    ("bytes=0-", 0, 99), ("bytes=0-0", 0, 0), ("bytes=10-19", 10, 19), ("bytes=90-500", 90, 99),
    ("bytes=-1", 99, 99), ("bytes=-500", 0, 99), ("bytes=99-", 99, 99),
])  # fmt: skip
def test_a_part_of_a_sound(play: Play, asked: str, first: int, last: int) -> None:
    async def scenario(world: World) -> None:
        media_id = await uploaded(world, WAV)
        whole = await fetched(world, media_id)
        assert (len(whole.raw), whole.headers["Accept-Ranges"]) == (100, "bytes")
        answer = await fetched(world, media_id, range=asked, if_range=whole.headers["ETag"])
        assert (answer.status, answer.raw) == (206, WAV[first : last + 1])
        assert answer.headers["Content-Range"] == f"bytes {first}-{last}/100"

    play(scenario)


@pytest.mark.parametrize("asked", [
    "bytes=-", "bytes=5-4", "bytes=0-1,3-4", "octets=0-1", "bytes=a-b", "bytes=0-1x", "",
])  # fmt: skip
def test_a_range_that_is_none_counts_for_nothing(play: Play, asked: str) -> None:
    async def scenario(world: World) -> None:
        media_id = await uploaded(world, WAV)
        assert (await fetched(world, media_id, range=asked)).raw == WAV

    play(scenario)


LONG = WAV + bytes(range(256)) * (3 * PIECE // 256)


@pytest.mark.parametrize(("asked", "first", "end"), [
    ("", 0, len(LONG)), ("bytes=0-", 0, len(LONG)), ("bytes=7-", 7, len(LONG)),
    (f"bytes=5-{PIECE + 4}", 5, PIECE + 5), (f"bytes=5-{PIECE + 5}", 5, PIECE + 6),
    (f"bytes=-{2 * PIECE}", len(LONG) - 2 * PIECE, len(LONG)),
])  # fmt: skip
def test_a_long_file_comes_in_pieces(play: Play, asked: str, first: int, end: int) -> None:
    async def scenario(world: World) -> None:
        media_id = await uploaded(world, LONG)
        answer = await fetched(world, media_id, range=asked)
        assert (answer.status, answer.raw) == (206 if asked else 200, LONG[first:end])
        response = await world.respond("GET", f"/v3/media/{media_id}", headers={"range": asked})
        if end - first <= PIECE:
            assert len(response.body) == PIECE
        else:
            assert isinstance(response, Streamed)
            assert response.length == end - first
            sizes = [len(piece) async for piece in response.pieces]
            assert max(sizes) == PIECE

    play(scenario)


def test_a_file_that_goes_meanwhile_ends_early(play: Play) -> None:
    async def scenario(world: World) -> None:
        media_id = await uploaded(world, LONG)
        response = await world.respond("GET", f"/v3/media/{media_id}")
        assert isinstance(response, Streamed)
        assert await anext(response.pieces) == LONG[:PIECE]
        await world.call("DELETE", f"/v3/media/{media_id}")
        assert [piece async for piece in response.pieces] == []

    play(scenario)


def test_where_ranges_mean_nothing(play: Play) -> None:
    async def scenario(world: World) -> None:
        sound, image = await uploaded(world, WAV), await uploaded(world, NO_JPEG)
        assert (await fetched(world, sound, range="bytes=0-1", if_range='"x"')).raw == WAV
        assert (await fetched(world, image, range="bytes=0-1")).raw == NO_JPEG
        head = await world.call("HEAD", f"/v3/media/{sound}", headers={"range": "bytes=0-1"})
        assert (head.status, len(head.raw)) == (200, 100)
        for asked in ("bytes=100-", "bytes=100-200", "bytes=-0"):
            answer = await fetched(world, sound, range=asked)
            assert refusal(answer) == (416, "http:error:range-not-satisfiable")
            assert answer.headers["Content-Range"] == "bytes */100"

    play(scenario)


def test_uploads_of_the_older_sdk_are_sent_and_fetched(play: Play) -> None:
    """As a published driver does it: upload, event, thumbnail by another member, deletion."""

    async def scenario(world: World) -> None:
        cid = (await conversation(world))["id"]
        alice = (await joined(world, cid, "alice"))["id"]
        await joined(world, cid, "bob")
        answer = await upload_image(
            world, NO_JPEG, by="alice", name="blob", quality_ratio="100", medium_size_ratio="50",
            thumbnail_size_ratio="30",
        )  # fmt: skip
        draft = {"type": "image", "from": alice, "body": {"representations": answer.json}}
        events = f"/v0.3/conversations/{cid}/events"
        event = (await world.call("POST", events, draft, user="alice")).json
        named = event["body"]["representations"]
        thumbnail = await world.call(
            "GET", path(named["thumbnail"]["url"]), user="bob",
            headers={"content-type": "application/json; charset=utf-8"},
        )  # fmt: skip
        assert (thumbnail.status, thumbnail.raw) == (200, NO_JPEG)
        deleted = await world.call("DELETE", path(named["original"]["url"]), user="bob")
        assert deleted.status == 204

    play(scenario)
