"""SSML, say-as, pieces and voices: tables, and whatever people may send."""

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tertulia.speech.phrases import FIRST_MAX, PIECE_MAX, pieces
from tertulia.speech.say_as import plainly
from tertulia.speech.ssml import DEPTH_MAX, ELEMENTS_MAX, MARKUP_MAX, Segment, segments
from tertulia.speech.voices import NAMES, Voice, choose, espeak_language


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<speak>Hello</speak>", [Segment("Hello")]),
        ("Hello &amp; bye", [Segment("Hello & bye")]),
        ("<?xml version='1.0'?><speak>Hi</speak>", [Segment("Hi")]),
        ("<speak> a \n b </speak>", [Segment("a b")]),
        ("<speak>a<break/>b</speak>", [Segment("a", pause_ms=400), Segment("b")]),
        ("<speak>a<break time='1.5s'/></speak>", [Segment("a", pause_ms=1500)]),
        ("<speak>a<break time='250ms'/></speak>", [Segment("a", pause_ms=250)]),
        ("<speak>a<break time='soon'/></speak>", [Segment("a", pause_ms=400)]),
        ("<speak>a<break time='99s'/></speak>", [Segment("a", pause_ms=10_000)]),
        ("<speak>a<break strength='x-strong'/></speak>", [Segment("a", pause_ms=1000)]),
        ("<speak>a<break strength='none'/>b</speak>", [Segment("a"), Segment("b")]),
        ("<speak><break time='2s'/>a</speak>", [Segment("", pause_ms=2000), Segment("a")]),
        (
            "<speak><p><s>a</s><s>b</s></p>c</speak>",
            [Segment("a", pause_ms=150), Segment("b", pause_ms=400), Segment("c")],
        ),
        (
            "<speak>a<prosody rate='slow' volume='soft'>b</prosody>c</speak>",
            [Segment("a"), Segment("b", 0.75, 0.5), Segment("c")],
        ),
        ("<speak><prosody rate='120%'>a</prosody></speak>", [Segment("a", 1.2)]),
        ("<speak><prosody rate='+50%'>a</prosody></speak>", [Segment("a", 1.5)]),
        ("<speak><prosody rate='-50%'>a</prosody></speak>", [Segment("a", 0.5)]),
        ("<speak><prosody rate='2'>a</prosody></speak>", [Segment("a", 2.0)]),
        ("<speak><prosody rate='9000%'>a</prosody></speak>", [Segment("a", 3.0)]),
        ("<speak><prosody rate='quick'>a</prosody></speak>", [Segment("a")]),
        ("<speak><prosody volume='silent'>a</prosody></speak>", [Segment("a", volume=0.0)]),
        ("<speak><prosody volume='+60dB'>a</prosody></speak>", [Segment("a", volume=2.0)]),
        ("<speak>a <sub alias='World Wide Web'>WWW</sub>.</speak>", [Segment("a World Wide Web.")]),
        ("<speak><emphasis level='strong'>very</emphasis> good</speak>", [Segment("very good")]),
        ("<speak>a <amazon:effect name='w'>b</amazon:effect></speak>", [Segment("a b")]),
        ("<speak><odd><odder>a</odder></odd></speak>", [Segment("a")]),
        (
            "<speak>Pin<say-as interpret-as='digits'>42</say-as>.</speak>",
            [Segment("Pin 4 2 .")],
        ),
        ("<speak xml:lang='en-US' xmlns='http://example.com'>a</speak>", [Segment("a")]),
    ],
)
def test_what_is_understood(markup: str, expected: list[Segment]) -> None:
    assert segments(markup) == expected


def test_prosody_within_prosody_is_relative() -> None:
    inner = "<prosody rate='fast'>a<prosody rate='50%' volume='-6dB'>b</prosody></prosody>"
    _, found = segments(f"<speak>{inner}</speak>")
    assert (found.rate, round(found.volume, 2)) == (0.65, 0.5)


@pytest.mark.parametrize(
    "markup",
    [
        "<speak>",
        "<speak>a</speak><speak>b</speak>",
        "<speak>a & b</speak>",
        "<speak>&nbsp;</speak>",
        "<!DOCTYPE speak><speak>a</speak>",
        "<?xml version='1.0'?><!DOCTYPE s [<!ENTITY a 'b'>]><speak>&a;</speak>",
        "<?xml version='1.0'?><!DOCTYPE s SYSTEM 'file:///etc/hostname'><speak>a</speak>",
        "<speak>" + "<a>" * DEPTH_MAX + "x" + "</a>" * DEPTH_MAX + "</speak>",
        "<speak>" + "<a/>" * ELEMENTS_MAX + "</speak>",
        "a" * (MARKUP_MAX + 1),
        "<speak>" + "<break time='10s'/>" * 13 + "</speak>",
        "<speak>\ud800</speak>",
        "<speak>\x00</speak>",
    ],
)
def test_hostile_markup_is_refused(markup: str) -> None:
    with pytest.raises(ValueError):
        segments(markup)


@given(st.text(alphabet=st.one_of(st.sampled_from("<>&/'\"=! speakbrtim10.-[]"), st.characters())))
@settings(max_examples=100, deadline=None)
def test_any_text_is_segments_or_a_value_error(text: str) -> None:
    for markup in (text, f"<speak>{text}</speak>"):
        try:
            found = pieces(segments(markup))
        except ValueError:
            continue
        assert all(each.text or each.pause_ms for each in found)


TAGS = st.sampled_from(["p", "s", "break", "prosody", "say-as", "sub", "emphasis", "x:y"])
VALUES = st.dictionaries(
    st.sampled_from(["time", "strength", "rate", "volume", "interpret-as", "format", "alias"]),
    st.sampled_from(
        "1s -1s 9e9s +5% -200% 1e9 digits date telephone ordinal cardinal mdy slow soft".split()
    ),
)


def element(tag: str, values: dict[str, str], parts: list[str]) -> str:
    attributes = " ".join(f"{key}='{value}'" for key, value in values.items())
    return f"<{tag} {attributes}>{''.join(parts)}</{tag}>"


MARKUP = st.recursive(
    st.sampled_from(["a", "12/31/2026", "+1 555", "٣²", ""]),
    lambda inner: st.builds(element, TAGS, VALUES, st.lists(inner, max_size=4)),
)


@given(MARKUP)
@settings(max_examples=100, deadline=None)
def test_any_well_formed_markup_is_read(markup: str) -> None:
    for each in segments(f"<speak xmlns:x='y'>{markup}</speak>"):
        assert 0.3 <= each.rate <= 3 and 0 <= each.volume <= 2 and each.pause_ms >= 0


@pytest.mark.parametrize(
    ("text", "how", "form", "expected"),
    [
        ("4217", "digits", "", "4 2 1 7"),
        ("a1.b", "characters", "", "A, 1, DOT, B"),
        ("ab", "spell-out", "", "A, B"),
        ("+1 (555) 0199", "telephone", "", "plus, 1, 5 5 5, 0 1 9 9"),
        ("1,234", "cardinal", "", "1234"),
        ("123456789012345678901", "cardinal", "", " ".join("123456789012345678901")),
        ("3", "ordinal", "", "3rd"),
        ("12", "ordinal", "", "12th"),
        ("21", "ordinal", "", "21st"),
        ("05/04/2026", "date", "mdy", "May 4, 2026"),
        ("04.05.2026", "date", "dmy", "May 4, 2026"),
        ("2026-05-04", "date", "", "May 4, 2026"),
        ("20260504", "date", "ymd", "May 4, 2026"),
        ("5/2026", "date", "my", "May, 2026"),
        ("12/31", "date", "md", "December 31"),
        ("31/31/2026", "date", "mdy", "31/31/2026"),
        ("tomorrow", "date", "mdy", "tomorrow"),
        ("x", "unheard-of", "", "x"),
    ],
)
def test_say_as(text: str, how: str, form: str, expected: str) -> None:
    assert plainly(text, how, form) == expected


def test_english_words_are_for_english_only() -> None:
    assert plainly("05/04/2026", "date", "mdy", english=False) == "05/04/2026"
    assert plainly("a@b", "characters", english=False) == "A, @, B"
    dated = "<speak><say-as interpret-as='date' format='dmy'>4.5.2026</say-as></speak>"
    assert segments(dated, language="de-DE") == [Segment("4.5.2026")]


def test_sentences_are_pieces() -> None:
    text = 'Dr. Smith is in. "Is he?" J. R. asked! No. 5 is alive… 3.5 is a number'
    assert [each.text for each in pieces([Segment(text)])] == [
        "Dr. Smith is in.", '"Is he?"', "J. R. asked!", "No. 5 is alive…", "3.5 is a number",
    ]  # fmt: skip


def test_the_pause_stays_behind_the_last_piece() -> None:
    found = pieces([Segment("One. Two.", 0.5, 0.25, 700), Segment("", pause_ms=100)])
    assert found == (
        Segment("One.", 0.5, 0.25), Segment("Two.", 0.5, 0.25, 700), Segment("", pause_ms=100),
    )  # fmt: skip


def test_brackets_and_control_characters_are_no_words() -> None:
    assert pieces([Segment("a\x00b\u200bc \ud800 ... d")]) == (Segment("a b c ..."), Segment("d"))
    with pytest.raises(ValueError):
        pieces([Segment("\u200b ... !")])


@given(st.lists(st.text(st.sampled_from("ab.,! -"), min_size=1), min_size=1, max_size=30))
@example([".....-", ".....-", "....."])
@settings(max_examples=100, deadline=None)
def test_pieces_keep_every_letter_and_are_short(parts: list[str]) -> None:
    text = (" ".join(parts) * 10)[:3000] + "a"
    found = pieces([Segment(text)])
    letters = [sign for each in found for sign in each.text if sign.isalnum()]
    assert letters == [sign for sign in text if sign.isalnum()]
    assert len(found[0].text) <= FIRST_MAX
    assert all(0 < len(each.text) <= PIECE_MAX for each in found)


@pytest.mark.parametrize("text", ["a" * 50_000, "a. " * 20_000, ". " * 20_000, ", " * 20_000 + "a"])
def test_long_texts_are_cut_quickly(text: str) -> None:
    began = time.process_time()
    assert pieces([Segment(text + "b")])
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("language", "name", "style", "piper", "espeak", "expected"),
    [
        (None, None, 0, "en-US", True, Voice("piper", "", 0)),
        ("en-GB", "amy", 3, "en-US", True, Voice("piper", "", 3)),
        (None, "Amy", 0, None, True, Voice("espeak", "en-gb+f2", 0)),
        ("de-DE", None, 1, "en-US", True, Voice("espeak", "de+m3", 1)),
        (None, "marlene", 6, "en-US", True, Voice("espeak", "de+f3", 6)),
        ("de-DE", None, 0, "en-US", False, Voice("piper", "", 0)),
        ("tlh", None, 0, "en-US", True, Voice("piper", "", 0)),
        ("tlh", None, 0, None, True, Voice("espeak", "en-us+f2", 0)),
        ("de_DE", None, 0, "de-DE", False, Voice("piper", "", 0)),
        ("en-US", None, 0, "de-DE", True, Voice("espeak", "en-us+f2", 0)),
        ("", "nobody", 0, "en-US", False, Voice("piper", "", 0)),
        ("en-US", None, 0, None, False, None),
    ],
)  # fmt: skip
def test_who_says_it(
    language: str | None, name: str | None, style: int, piper: str | None, espeak: bool,
    expected: Voice | None,
) -> None:  # fmt: skip
    assert choose(language, name, style, piper=piper, espeak=espeak) == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("en-US", "en-us"), ("en-AU", "en-gb"), ("en-GB-WLS", "en-gb"), ("fr-CA", "fr-fr"),
        ("pt-BR", "pt-br"), ("pt-PT", "pt"), ("es-ES", "es"), ("es-MX", "es-419"),
        ("cmn-CN", "cmn"), ("zh-TW", "cmn"), ("yue-CN", "yue"), ("nb-NO", "nb"), ("arb", "ar"),
        ("xx", None), ("", None),
    ],
)  # fmt: skip
def test_languages_of_espeak(code: str, expected: str | None) -> None:
    assert espeak_language(code) == expected


def test_every_name_has_a_language_that_can_be_said() -> None:
    assert all(espeak_language(language) for language, _ in NAMES.values())
