"""Which voice says it: from the language, voice name and style of the wire. Pure.

1. The language asked for; without one, that of the voice named (`amy` is British); else en-US.
2. The neural voice, when it speaks that language in whatever accent; else espeak-ng, when it does.
3. For a language that neither speaks: the neural voice; without it espeak-ng's American English.
   Words are then read as if they were English, which is better heard than nothing.
4. Espeak-ng has a woman's or a man's voice as the name has; without a known name, and for one
   neural voice with several speakers, `style` counts through them and begins again at the end.
"""

from typing import NamedTuple

DEFAULT_LANGUAGE = "en-US"
_WOMEN = ("f2", "f3", "f4", "f1", "f5")
_MEN = ("m3", "m1", "m7", "m2", "m4")
_ANYONE = ("f2", "m3", "f3", "m1", "f4", "m7")

# COMPAT: wire-api 5.1: voice_name. The names that applications send, and what they expect to hear.
NAMES: dict[str, tuple[str, tuple[str, ...]]] = {
    **dict.fromkeys(("joanna", "salli", "kimberly", "kendra", "ivy"), ("en-US", _WOMEN)),
    **dict.fromkeys(("joey", "justin", "matthew"), ("en-US", _MEN)),
    **dict.fromkeys(("amy", "emma"), ("en-GB", _WOMEN)),
    **dict.fromkeys(("brian", "geraint"), ("en-GB", _MEN)),
    "nicole": ("en-AU", _WOMEN), "russell": ("en-AU", _MEN),
    **dict.fromkeys(("raveena", "aditi"), ("en-IN", _WOMEN)),
    "gwyneth": ("cy-GB", _WOMEN), "zeina": ("ar", _WOMEN), "zhiyu": ("cmn-CN", _WOMEN),
    "naja": ("da-DK", _WOMEN), "mads": ("da-DK", _MEN),
    "lotte": ("nl-NL", _WOMEN), "ruben": ("nl-NL", _MEN),
    **dict.fromkeys(("celine", "lea"), ("fr-FR", _WOMEN)), "mathieu": ("fr-FR", _MEN),
    "chantal": ("fr-CA", _WOMEN),
    **dict.fromkeys(("marlene", "vicki"), ("de-DE", _WOMEN)), "hans": ("de-DE", _MEN),
    "dora": ("is-IS", _WOMEN), "karl": ("is-IS", _MEN),
    **dict.fromkeys(("carla", "bianca"), ("it-IT", _WOMEN)), "giorgio": ("it-IT", _MEN),
    "mizuki": ("ja-JP", _WOMEN), "takumi": ("ja-JP", _MEN), "seoyeon": ("ko-KR", _WOMEN),
    "liv": ("nb-NO", _WOMEN),
    **dict.fromkeys(("ewa", "maja"), ("pl-PL", _WOMEN)),
    **dict.fromkeys(("jacek", "jan"), ("pl-PL", _MEN)),
    **dict.fromkeys(("camila", "vitoria"), ("pt-BR", _WOMEN)), "ricardo": ("pt-BR", _MEN),
    "ines": ("pt-PT", _WOMEN), "cristiano": ("pt-PT", _MEN), "carmen": ("ro-RO", _WOMEN),
    "tatyana": ("ru-RU", _WOMEN), "maxim": ("ru-RU", _MEN),
    **dict.fromkeys(("conchita", "lucia"), ("es-ES", _WOMEN)), "enrique": ("es-ES", _MEN),
    "mia": ("es-MX", _WOMEN),
    **dict.fromkeys(("penelope", "lupe"), ("es-US", _WOMEN)), "miguel": ("es-US", _MEN),
    "astrid": ("sv-SE", _WOMEN), "filiz": ("tr-TR", _WOMEN),
}  # fmt: skip

_ESPEAK_LANGUAGES = frozenset(
    "af am ar as az be bg bn bs ca cmn cs cy da de el eo es et eu fa fi ga gd gu he hi hr ht hu hy "
    "id is it ja ka kk kn ko ku ky la lb lt lv mi mk ml mr ms mt my nb ne nl or pa pl pt ro ru sd "
    "si sk sl sq sr sv sw ta te th tk tr tt ug uk ur uz vi yue".split()
)
"""Those of espeak-ng 1.51 that are called on the wire as there."""
_ESPEAK_ACCENTS = {
    "en": "en-us", "en-us": "en-us", "fr": "fr-fr", "fr-be": "fr-be", "fr-ch": "fr-ch",
    "pt-br": "pt-br", "es-us": "es-419", "es-mx": "es-419", "es-419": "es-419",
    "zh": "cmn", "zh-hk": "yue", "no": "nb", "nn": "nb", "arb": "ar", "iw": "he",
}  # fmt: skip


class Voice(NamedTuple):
    engine: str
    """`piper` or `espeak`."""
    name: str
    """As espeak-ng spells it; empty for piper."""
    style: int


def choose(
    language: str | None, name: str | None, style: int, *, piper: str | None, espeak: bool
) -> Voice | None:
    """The voice to use; None when there is no engine at all.

    `piper` is the language of the neural voice, None without one; `espeak` whether the host has it.
    """
    own, kind = NAMES.get((name or "").strip().lower(), (DEFAULT_LANGUAGE, _ANYONE))
    wanted = (language or own).strip().replace("_", "-").lower()
    native = espeak_language(wanted) if espeak else None
    if piper is not None and (_primary(wanted) == _primary(piper) or native is None):
        return Voice("piper", "", style)
    if espeak:
        return Voice("espeak", f"{native or 'en-us'}+{kind[style % len(kind)]}", style)
    return None


def espeak_language(code: str) -> str | None:
    """`de-de` is `de` there; None when it does not speak that."""
    code = code.lower()
    primary = _primary(code)
    if accent := _ESPEAK_ACCENTS.get(code) or _ESPEAK_ACCENTS.get(primary):
        return "en-gb" if primary == "en" and code not in _ESPEAK_ACCENTS else accent
    return primary if primary in _ESPEAK_LANGUAGES else None


def _primary(code: str) -> str:
    return code.replace("_", "-").partition("-")[0].lower()
