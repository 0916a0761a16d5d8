"""The message clients of the published Python server SDK, unmodified, with simulated handsets."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import vonage_messages
from tests.clients.app_server import AppServer, Told, app_server
from tests.clients.conftest import Connect, DevServer
from vonage_http_client.errors import AuthenticationError, HttpRequestError, NotFoundError
from vonage_messages import (
    MessengerAudio,
    MessengerFile,
    MessengerImage,
    MessengerOptions,
    MessengerResource,
    MessengerText,
    MessengerVideo,
    MmsAudio,
    MmsContent,
    MmsContentItemFile,
    MmsContentItemImage,
    MmsFile,
    MmsImage,
    MmsResource,
    MmsText,
    MmsVcard,
    MmsVideo,
    RcsCard,
    RcsCardMessage,
    RcsCarousel,
    RcsCarouselMessage,
    RcsCustom,
    RcsFile,
    RcsImage,
    RcsOptions,
    RcsOptionsCard,
    RcsOptionsCarousel,
    RcsResource,
    RcsSuggestionActionCreateCalendarEvent,
    RcsSuggestionActionDial,
    RcsSuggestionActionOpenUrl,
    RcsSuggestionActionOpenUrlWebview,
    RcsSuggestionActionShareLocation,
    RcsSuggestionActionViewLocation,
    RcsSuggestionReply,
    RcsText,
    RcsVideo,
    ReplyingIndicatorText,
    Sms,
    SmsOptions,
    ViberAction,
    ViberFile,
    ViberFileResource,
    ViberImage,
    ViberImageResource,
    ViberText,
    ViberTextOptions,
    ViberVideo,
    ViberVideoOptions,
    ViberVideoResource,
    WebhookVersion,
    WhatsappAudio,
    WhatsappAudioResource,
    WhatsappContext,
    WhatsappCustom,
    WhatsappFile,
    WhatsappFileResource,
    WhatsappImage,
    WhatsappImageResource,
    WhatsappSticker,
    WhatsappStickerId,
    WhatsappTemplate,
    WhatsappTemplateResource,
    WhatsappText,
    WhatsappVideo,
    WhatsappVideoResource,
)
from vonage_sms import SmsError, SmsMessage

pytestmark = [
    pytest.mark.clients, pytest.mark.system, pytest.mark.usefixtures("phones")
]  # fmt: skip

PERSON, REFUSED, OFF, OWN = "15550110", "15550112", "15550113", "15550199"
NOTHING = "00000000-0000-4000-8000-000000000000"
SOUND, FILM, CAT = (f"https://media.test/{name}" for name in ("a.mp3", "a.mp4", "cat.jpg"))
PAPER = "https://media.test/a.pdf"
SHOP = "https://shop.test/"
ENDS = {"to": PERSON, "from_": OWN}
CARD = RcsCard(title="Tea", text="Green", media_url=CAT, media_height="SHORT")
CHOICE = {"text": "Look", "postback_data": "postback"}
SUGGESTIONS = [
    RcsSuggestionReply(**CHOICE),
    RcsSuggestionActionDial(**CHOICE, phone_number=OWN),
    RcsSuggestionActionViewLocation(**CHOICE, latitude="51.5", longitude="-0.1", pin_label="Here"),
    RcsSuggestionActionShareLocation(**CHOICE),
    RcsSuggestionActionOpenUrl(**CHOICE, url=SHOP, description="The shop"),
    RcsSuggestionActionOpenUrlWebview(**CHOICE, url=SHOP, description="It", view_mode="TALL"),
    RcsSuggestionActionCreateCalendarEvent(
        **CHOICE, start_time="2030-01-01T10:00:00Z", end_time="2030-01-01T11:00:00Z",
        title="Tea", description="With cake",
    ),
]  # fmt: skip
ALL = (
    Sms(**ENDS, text="Hi", ttl=300, sms=SmsOptions(encoding_type="auto"), trusted_recipient=True),
    MmsText(**ENDS, text="Hi", ttl=600),
    MmsImage(**ENDS, image=MmsResource(url=CAT, caption="A cat")),
    MmsVcard(**ENDS, vcard=MmsResource(url="https://media.test/a.vcf")),
    MmsAudio(**ENDS, audio=MmsResource(url=SOUND)),
    MmsVideo(**ENDS, video=MmsResource(url=FILM)),
    MmsFile(**ENDS, file=MmsResource(url=PAPER)),
    MmsContent(**ENDS, content=[MmsContentItemImage(url=CAT), MmsContentItemFile(url=PAPER)]),
    WhatsappText(**ENDS, text="Hi", context=WhatsappContext(message_uuid=NOTHING)),
    WhatsappImage(**ENDS, image=WhatsappImageResource(url=CAT, caption="A cat")),
    WhatsappAudio(**ENDS, audio=WhatsappAudioResource(url=SOUND)),
    WhatsappVideo(**ENDS, video=WhatsappVideoResource(url=FILM, caption="A film")),
    WhatsappFile(**ENDS, file=WhatsappFileResource(url=PAPER, name="a.pdf")),
    WhatsappTemplate(
        **ENDS, template=WhatsappTemplateResource(name="greeting", parameters=["Ada"])
    ),
    WhatsappSticker(**ENDS, sticker=WhatsappStickerId(id="st-1")),
    WhatsappCustom(
        **ENDS, custom={"type": "location", "location": {"latitude": 1, "longitude": 2}}
    ),
    ViberText(
        **ENDS, text="Hi",
        viber_service=ViberTextOptions(
            category="transaction", ttl=600, type="template",
            action=ViberAction(url=SHOP, text="Open"),
        ),
    ),
    ViberImage(**ENDS, image=ViberImageResource(url=CAT, caption="A cat")),
    ViberVideo(
        **ENDS, video=ViberVideoResource(url=FILM, thumb_url=CAT, caption="A film"),
        viber_service=ViberVideoOptions(
            category="transaction", duration="10", file_size="1", ttl=600
        ),
    ),
    ViberFile(**ENDS, file=ViberFileResource(url=PAPER, name="a.pdf")),
    MessengerText(
        **ENDS, text="Hi", messenger=MessengerOptions(category="message_tag", tag="HUMAN_AGENT")
    ),
    MessengerImage(**ENDS, image=MessengerResource(url=CAT)),
    MessengerAudio(**ENDS, audio=MessengerResource(url=SOUND)),
    MessengerVideo(**ENDS, video=MessengerResource(url=FILM)),
    MessengerFile(**ENDS, file=MessengerResource(url=PAPER)),
    RcsText(**ENDS, text="Hi", suggestions=SUGGESTIONS, rcs=RcsOptions(category="promotion")),
    RcsImage(**ENDS, image=RcsResource(url=CAT)),
    RcsVideo(**ENDS, video=RcsResource(url=FILM)),
    RcsFile(**ENDS, file=RcsResource(url=PAPER)),
    RcsCardMessage(
        **ENDS, card=CARD,
        rcs=RcsOptionsCard(card_orientation="HORIZONTAL", image_alignment="RIGHT"),
    ),
    RcsCarouselMessage(
        **ENDS, carousel=RcsCarousel(cards=[CARD, CARD]),
        rcs=RcsOptionsCarousel(card_width="SMALL"),
    ),
    RcsCustom(**ENDS, custom={"contentMessage": {"text": "Hi"}}),
)  # fmt: skip


@pytest.fixture(scope="module")
def app() -> Iterator[AppServer]:
    with app_server() as server:
        yield server


def sent_to(app: AppServer, model: Any, **members: Any) -> Any:
    """The message, whose statuses the application's own server is told."""
    told = {
        "webhook_url": f"{app.url}/status", "webhook_version": WebhookVersion.V1,
        "client_ref": "py",
    }  # fmt: skip
    return model.model_copy(update={**told, **members})


def told_so(uuid: str, status: str) -> Callable[[Told], bool]:
    def is_so(told: Told) -> bool:
        members = told.members
        return (members.get("message_uuid"), members.get("status")) == (uuid, status)

    return is_so


def test_every_model_is_sent() -> None:
    concrete = {
        model
        for name, model in inspect.getmembers(vonage_messages, inspect.isclass)
        if name != "BaseMessage" and issubclass(model, vonage_messages.BaseMessage)
    }
    assert {type(model) for model in ALL} == concrete


@pytest.mark.parametrize("model", ALL, ids=lambda model: type(model).__name__)
def test_a_message_is_delivered(connect: Connect, app: AppServer, model: Any) -> None:
    uuid = connect().messages.send(sent_to(app, model)).message_uuid
    told = app.until(told_so(uuid, "delivered")).members
    statuses = [
        each.members["status"] for each in app.told if each.members.get("message_uuid") == uuid
    ]
    assert statuses[:2] == ["submitted", "delivered"]
    assert told["channel"] == model.channel
    assert (told["to"], told["from"], told["client_ref"]) == (PERSON, OWN, "py")


def test_a_failover_follows(connect: Connect, app: AppServer) -> None:
    first = sent_to(app, Sms(**ENDS, text="Hi"), to=REFUSED)
    second = sent_to(app, WhatsappText(**ENDS, text="Hi"), client_ref="py-second")
    made = connect().messages.send(first, failover=[second])
    assert made.workflow_id
    error = app.until(told_so(made.message_uuid, "rejected")).members["error"]
    assert error["type"].endswith(f"#{error['title']}")
    told = app.until(
        lambda told: (
            (told.members.get("client_ref"), told.members["status"]) == ("py-second", "delivered")
        )
    ).members
    assert told["workflow"] == {
        "id": made.workflow_id, "items_number": "2", "items_total": "2",
    }  # fmt: skip


def test_key_and_secret_will_do(connect: Connect, app: AppServer) -> None:
    messages = connect(application_id=None, private_key=None).messages
    uuid = messages.send(sent_to(app, Sms(**ENDS, text="Hi"))).message_uuid
    app.until(told_so(uuid, "delivered"))
    uuid = messages.send(sent_to(app, RcsText(**ENDS, text="Hi"))).message_uuid
    app.until(told_so(uuid, "delivered"))
    messages.revoke_rcs_message(uuid)


def test_refusals(connect: Connect, app: AppServer) -> None:
    messages = connect().messages
    with pytest.raises(HttpRequestError) as invalid:
        messages.send(sent_to(app, Sms(**ENDS, text="Hi"), to="12"))
    assert invalid.value.response.status_code == 422
    with pytest.raises(NotFoundError):
        messages.mark_whatsapp_message_read(NOTHING, ReplyingIndicatorText(show=True))
    wrong = connect(application_id=None, private_key=None, api_secret="wrong").messages
    with pytest.raises(AuthenticationError):
        wrong.send(sent_to(app, Sms(**ENDS, text="Hi")))


def test_the_older_api(connect: Connect, app: AppServer) -> None:
    told = {"client_ref": "py", "callback": f"{app.url}/receipt"}
    answer = connect().sms.send(SmsMessage(to=PERSON, from_=OWN, text="Hi", **told))
    assert (answer.message_count, answer.messages[0].status) == ("1", "0")
    message_id = answer.messages[0].message_id
    receipt = app.until(lambda told: told.members.get("messageId") == message_id).members
    assert (receipt["msisdn"], receipt["client-ref"]) == (PERSON, "py")
    long = connect().sms.send(SmsMessage(to=PERSON, from_=OWN, text="x" * 161))
    assert [each.status for each in long.messages] == ["0", "0"]
    with pytest.raises(SmsError, match="error code 3"):
        connect().sms.send(SmsMessage(to="x", from_=OWN, text="Hi"))


@pytest.mark.parametrize("method", ["md5", "sha1", "sha256", "sha512"])
def test_the_older_api_with_a_signature(
    connect: Connect, server: DevServer, method: str
) -> None:  # fmt: skip
    signed = connect(signature_secret=server.signature_secret, signature_method=method).sms
    message = SmsMessage(to=PERSON, from_=OWN, text="Tea & cake = 3", status_report_req=True)
    assert signed.send(message).messages[0].status == "0"
    forged = connect(signature_secret="wrong", signature_method=method).sms
    with pytest.raises(SmsError, match="error code 14"):
        forged.send(message)
