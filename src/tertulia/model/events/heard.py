"""The types that calls cause, of phones and of clients, and what of a call causes each.

`make events-proof` and tests/system/test_call_events.py call, and fail unless just these come of it
and reach everybody whom the catalogue promises them.
"""

from collections.abc import Mapping

HEARD: Mapping[str, str] = {
    "leg:status:update": "a leg starts, rings, is answered, turns out to be a machine's, ends",
    "audio:dtmf": "a key is pressed: RFC 4733, tone, SIP INFO, a client; or sent to a leg",
    "audio:earmuff:off": "a client has its earmuff taken off",
    "audio:earmuff:on": "a client has itself earmuffed",
    "audio:mute:off": "the application unmutes a leg",
    "audio:mute:on": "the application mutes a leg",
    "audio:play:stop": "an endless tone is stopped",
    "audio:play:done": "a file has been heard to its end",
    "audio:play": "a file is played to all, or to one leg",
    "audio:record:stop": "a recording is stopped",
    "audio:record:done": "the file of a recording is there",
    "audio:record": "a conversation is recorded",
    "audio:asr:done": "a spoken sentence has been understood",
    "audio:asr:record:done": "the sound of that sentence has been saved",
    "audio:say:stop": "an endless text is stopped",
    "audio:say:done": "a text has been heard to its end",
    "audio:say": "a text is spoken to all, or to one leg",
    "audio:speaking:on": "somebody begins to speak",
    "audio:speaking:off": "somebody ceases to speak",
    "audio:transcribe:done": "a recording has been transcribed",
    "audio:ringing:start": "a ringing tone is asked for",
    "audio:ringing:stop": "the ringing tone is stopped",
    "conversation:created": "a phone calls, or is called: the conversation of its own",
    "member:invited": "a user is called",
    "member:joined": "a phone or a client enters a conversation",
    "member:left": "the call of a member has ended",
    "member:media": "a member has audio, is muted or earmuffed, loses its audio",
    "rtc:status": "a client's call has ended: its account",
    "rtc:transfer": "a client or a phone is moved to another conversation",
    "rtc:hangup": "a client's call ends: what was measured of it",
    "rtc:terminate": "a client gives its audio up and stays",
    "rtc:answered": "a client answers",
    "rtc:ringing": "a client is called",
    "rtc:answer": "a client's offer is answered",
    "rtc:offer": "a client is offered audio by whoever calls it",
    "sip:status": "a phone's call has ended: its account",
    "sip:answered": "a phone answers, or is answered",
    "sip:machine": "a voicemail greets a call that asked for detection",
    "sip:hangup": "a phone's call ends: what was measured of it",
    "sip:ringing": "a phone that is called rings",
    "sip:amd_machine": "a voicemail greets, then beeps: detection in advanced mode",
    "app:knocking": "a client calls the application",
    "app:knocking:cancel": "that client gives up",
}
"""In the words of the reference (docs/events.md)."""
