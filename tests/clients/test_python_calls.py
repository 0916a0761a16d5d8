"""The voice client of the published Python server SDK, unmodified, with simulated phones."""

import io
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.clients.app_server import PATIENCE, AppServer, Told, app_server
from tests.clients.conftest import Connect, DevServer
from vonage_http_client.errors import (
    AuthenticationError,
    FileStreamingError,
    HttpRequestError,
    NotFoundError,
)
from vonage_users import User
from vonage_voice import (
    AudioStreamOptions,
    CreateCallRequest,
    ListCallsFilter,
    Talk,
    TtsStreamOptions,
    Voice,
)
from vonage_voice.models.ncco import Conversation, Record

pytestmark = [
    pytest.mark.clients, pytest.mark.system, pytest.mark.usefixtures("phones")
]  # fmt: skip

PERSON, ECHO, BUSY = "15550100", "15550105", "15550102"
OWN = {"type": "phone", "number": "15550199"}
NOTHING = "00000000-0000-4000-8000-000000000000"
ROOM = [Conversation(name="calls of the Python SDK")]
_TICK = 0.05


class Watched:
    """The client, with the names of those of its methods that were called."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.called: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.called.add(name)
        return getattr(self._client, name)


@pytest.fixture(scope="module")
def app() -> Iterator[AppServer]:
    with app_server() as server:
        yield server


@pytest.fixture
def voice(connect: Connect) -> Any:
    return Watched(connect().voice)


def calling(to: Any, app: AppServer, **members: Any) -> CreateCallRequest:
    to = {"type": "phone", "number": to} if isinstance(to, str) else to
    known = {"from_": OWN, "event_url": [f"{app.url}/event"], **members}
    if "answer_url" not in known and "ncco" not in known:
        known["ncco"] = ROOM
    return CreateCallRequest(to=[to], **known)


def elsewhere(voice: Any, uuid: str, origin: str) -> str:
    """Where a call is once it has left a conversation: it takes a moment to move."""
    deadline = time.monotonic() + PATIENCE
    while (now := str(voice.get_call(uuid).conversation_uuid)) == origin:
        assert time.monotonic() < deadline, "it was not moved"
        time.sleep(0.05)
    return now


def until(voice: Any, uuid: str, status: str) -> Any:
    """The call, once it is so."""
    end = time.monotonic() + PATIENCE
    while (call := voice.get_call(uuid)).status != status:
        assert time.monotonic() < end, call
        time.sleep(_TICK)
    return call


def answered(voice: Any, app: AppServer, to: Any = ECHO, **members: Any) -> str:
    uuid = str(voice.create_call(calling(to, app, **members)).uuid)
    until(voice, uuid, "answered")
    return uuid


def code(error: pytest.ExceptionInfo[Any]) -> tuple[int, str]:
    response = error.value.response
    return response.status_code, response.json()["code"]


def tone() -> bytes:
    """Ten seconds of WAV."""
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(range(256)) * 625)
    return content.getvalue()


def test_every_method_on_a_live_call(
    voice: Any, app: AppServer, server: DevServer, tmp_path: Path
) -> None:
    made = voice.create_call(calling(ECHO, app))
    assert (made.status, made.direction) == ("started", "outbound")
    uuid = made.uuid
    call = until(voice, uuid, "answered")
    assert (call.to.number, call.from_.number) == (ECHO, OWN["number"])
    assert call.link.endswith(f"/v1/calls/{uuid}")
    calls, _ = voice.list_calls(ListCallsFilter(status="answered"))
    assert uuid in [each.uuid for each in calls]

    app.content["/tone.wav"] = ("audio/wav", tone())
    options = AudioStreamOptions(stream_url=[f"{app.url}/tone.wav"], loop=0, level=0.5)
    assert voice.play_audio_into_call(uuid, options).message == "Stream started"
    assert voice.stop_audio_stream(uuid).message == "Stream stopped"
    options = TtsStreamOptions(text="Hello", language="en-US", style=0, loop=2, level=-0.5)
    assert voice.play_tts_into_call(uuid, options).message == "Talk started"
    assert voice.stop_tts(uuid).message == "Talk stopped"
    assert voice.play_dtmf_into_call(uuid, "1p23*#").message == "DTMF sent"
    for method in ("mute", "unmute", "earmuff", "unearmuff"):
        assert getattr(voice, method)(uuid) is None

    voice.transfer_call_ncco(uuid, [Talk(text="You were moved.", loop=0)])
    between = elsewhere(voice, uuid, call.conversation_uuid)
    url = app.serve("/next", [{"action": "conversation", "name": "moved again"}])
    voice.transfer_call_answer_url(uuid, url)
    elsewhere(voice, uuid, between)
    voice.hangup(uuid)
    over = until(voice, uuid, "completed")
    assert over.start_time < over.end_time and int(over.duration) >= 0
    assert (over.rate, over.price) == ("0.00", "0.00000000")

    told = app.until(lambda each: _is(each, uuid, status="completed"))
    assert voice.verify_signature(told.token, server.signature_secret) is True
    assert (
        voice.verify_signature(told.token, "another secret, as long as secrets have to be") is False
    )
    with pytest.raises(FileStreamingError):
        url = f"{server.api_url}/v1/files/MED-{NOTHING}?compat=api.nexmo.com"
        voice.download_recording(url, str(tmp_path / "nothing"))
    methods = {name for name in vars(Voice) if not name.startswith("_")}
    assert voice.called >= methods - {"http_client"}


def _is(told: Told, uuid: str, **members: str) -> bool:
    return told.members.get("uuid") == uuid and members.items() <= told.members.items()


def test_a_recording_is_downloaded(voice: Any, app: AppServer, tmp_path: Path) -> None:
    script = [
        Record(format="wav", eventUrl=[f"{app.url}/recorded"]), Talk(text="Good morning."), *ROOM
    ]  # fmt: skip
    uuid = answered(voice, app, ECHO, ncco=script)
    app.until(lambda each: _is(each, uuid, status="answered"))
    time.sleep(1.5)  # of sound
    voice.hangup(uuid)
    told = app.until(lambda each: each.path == "/recorded" and _is(each, uuid))
    file = tmp_path / "recording.wav"
    voice.download_recording(told.members["recording_url"], str(file))
    assert file.stat().st_size == told.members["size"]
    with wave.open(str(file)) as recording:
        assert recording.getnframes() / recording.getframerate() > 1


def test_an_answer_url_gives_the_script(voice: Any, app: AppServer) -> None:
    url = app.serve("/script", [{"action": "talk", "text": "Bye."}])
    made = voice.create_call(calling(PERSON, app, answer_url=[url], answer_method="GET"))
    until(voice, made.uuid, "completed")
    app.until(lambda each: _is(each, made.uuid, status="completed"))
    told = [each.members["status"] for each in app.told if _is(each, made.uuid)
            and "status" in each.members]  # fmt: skip
    assert told == ["started", "ringing", "answered", "completed"]


def test_what_becomes_of_calls_is_listed_page_by_page(voice: Any, app: AppServer) -> None:
    busy = [voice.create_call(calling(BUSY, app)).uuid for _ in range(3)]
    for uuid in busy:
        until(voice, uuid, "busy")
    where = ListCallsFilter(status="busy", page_size=2, order="desc")
    calls, index = voice.list_calls(where)
    assert [each.uuid for each in calls] == busy[:0:-1] and index == 1
    rest, _ = voice.list_calls(where.model_copy(update={"record_index": 2}))
    assert rest[0].uuid == busy[0]
    where = ListCallsFilter(date_start="2026-01-01T00:00:00Z", date_end="2026-01-02 00:00:00")
    assert voice.list_calls(where) == ([], None)


def test_every_kind_of_end_can_be_read(voice: Any, app: AppServer, connect: Connect) -> None:
    name = f"callee-{time.time_ns()}"
    connect().users.create_user(User(name=name))
    app_call = app.serve("/connect", [
        {"action": "connect", "endpoint": [{"type": "app", "user": name}]},
    ])  # fmt: skip
    ends = (
        {"type": "sip", "uri": "sip:rob@127.0.0.1:9"}, {"type": "vbc", "extension": "123"},
        {"type": "websocket", "uri": "ws://127.0.0.1:9/socket"}, ECHO,
    )  # fmt: skip
    made = [voice.create_call(calling(to, app)).uuid for to in ends[:3]]
    made.append(voice.create_call(calling(ECHO, app, from_="447700900000")).uuid)
    made.append(voice.create_call(calling(ECHO, app, random_from_number=True, from_=None)).uuid)
    connected = answered(voice, app, ECHO, answer_url=[app_call])
    app.until(lambda each: each.members.get("to") == name)
    calls, _ = voice.list_calls(ListCallsFilter(order="desc"))
    shown = {each.uuid: each for each in calls}
    assert shown.keys() >= {*made, connected}
    assert [type(shown[uuid].to).__name__ for uuid in made[:4]] == [
        "Sip", "Vbc", "Websocket", "Phone"
    ]  # fmt: skip
    assert shown[made[3]].from_.number == "447700900000"
    assert shown[made[4]].from_.number == OWN["number"]
    assert name in [getattr(each.to, "number", None) for each in calls]
    for uuid in (*made[3:], connected):
        voice.hangup(uuid)


def test_refusals_arrive_as_the_sdk_knows_them(
    voice: Any, app: AppServer, connect: Connect
) -> None:
    with pytest.raises(NotFoundError) as missing:
        voice.get_call(NOTHING)
    assert code(missing) == (404, "call:error:not-found")
    uuid = voice.create_call(calling("15550103", app)).uuid
    until(voice, uuid, "ringing")
    with pytest.raises(HttpRequestError) as early:
        voice.play_tts_into_call(uuid, TtsStreamOptions(text="Hello"))
    assert code(early) == (400, "call:error:invalid-state")
    voice.hangup(uuid)
    until(voice, uuid, "cancelled")
    with pytest.raises(NotFoundError) as over:
        voice.hangup(uuid)
    assert code(over) == (404, "call:error:over")
    with pytest.raises(HttpRequestError) as wrong:
        voice.create_call(calling("12", app))
    assert code(wrong) == (400, "http:error:validation-fail")
    with pytest.raises(AuthenticationError):
        connect(application_id=NOTHING).voice.list_calls()
