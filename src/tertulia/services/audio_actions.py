"""Actions of scripts as the audio events that they cause."""

from tertulia.model.events.audio import AudioPlay, AudioRecord, AudioSay, Transcription
from tertulia.model.script import Record, Stream, Talk


def said(talk: Talk) -> AudioSay:
    """A text that begins as SSML is SSML."""
    is_ssml = talk.text.lstrip().startswith("<speak")
    return AudioSay(
        text=talk.text, level=talk.level, loop=talk.loop, language=talk.language,
        style=talk.style, premium=talk.premium or None, ssml=is_ssml or None,
    )  # fmt: skip


def played(stream: Stream) -> AudioPlay:
    return AudioPlay(stream_url=stream.stream_url, level=stream.level, loop=stream.loop)


def recorded(record: Record) -> AudioRecord:
    wanted = record.transcription
    return AudioRecord(
        format=record.format, split=True if record.split else None, channels=record.channels,
        end_on_silence=record.end_on_silence, end_on_key=record.end_on_key,
        time_limit=record.time_out, beep_start=record.beep_start or None,
        transcription=Transcription(
            language=wanted.language, sentiment_analysis=wanted.sentiment_analysis or None
        ) if wanted else None,
    )  # fmt: skip
