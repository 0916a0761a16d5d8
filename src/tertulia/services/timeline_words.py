"""What a moment of a timeline says beside its name, in a few words."""

from tertulia.model.calling import name_of
from tertulia.model.endpoints import end_of
from tertulia.model.event import Event
from tertulia.model.events.audio import (
    AudioAsrDone,
    AudioDtmf,
    AudioPlay,
    AudioPlayDone,
    AudioRecordDone,
    AudioSay,
    AudioSayDone,
)
from tertulia.model.events.member import MemberLeft
from tertulia.model.events.rtc import Hangup
from tertulia.model.events.sip import SipAmdMachine, SipMachine, SipStatus
from tertulia.model.script import Connect, Meeting, Stream, Talk, Transfer
from tertulia.model.script_orders import (
    AskConnect,
    Complain,
    End,
    Listen,
    Order,
    Report,
    Submit,
    Timer,
)
from tertulia.services.reactions import body_of


def of_event(event: Event) -> str:
    """Empty where the type says it all."""
    body = body_of(event)
    match body:
        case SipMachine() | SipAmdMachine():
            return f"{body.type}, {body.confidence} %"
        case Hangup(reason=reason):
            return f"{reason.sip_code} {reason.text}"
        case SipStatus():
            return f"{body.duration} s"
        case MemberLeft(reason=reason):
            return (reason.text or reason.code or "") if reason is not None else ""
        case _:
            return _of_audio(body)


def _of_audio(body: object) -> str:
    match body:
        case AudioSay(text=text):
            return text
        case AudioPlay(stream_url=urls):
            return urls[0]
        case AudioSayDone(error=error) | AudioPlayDone(error=error):
            return error or ""
        case AudioRecordDone():
            return body.error or body.destination_url
        case AudioDtmf():
            return body.digits or body.digit or ""
        case AudioAsrDone(asr=asr):
            words = " ".join(each.word for each in asr.results[:1])
            return words or asr.error or asr.timeout_reason or ""
        case _:
            return ""


def of_order(order: Order) -> str:
    """What a script wants done, beside the name of that."""
    match order:
        case Talk(text=text):
            return text
        case Stream(stream_url=urls):
            return urls[0]
        case Connect():
            return name_of(end_of(order.callee))
        case Meeting(name=name):
            return name
        case Transfer():
            return order.conversation_id
        case _:
            return _of_course(order)


def _of_course(order: Order) -> str:
    """Of what no action is by itself."""
    match order:
        case Timer(seconds=seconds):
            return f"{seconds:g} s"
        case Listen(speech=speech):
            return speech.language
        case Submit():
            return order.digits or ("nothing" if order.timed_out else "")
        case Report(digit=digit):
            return digit
        case AskConnect(status=status):
            return status
        case Complain(reason=reason):
            return reason
        case End(error=error):
            return error or ""
        case _:
            return ""
