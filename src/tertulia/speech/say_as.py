"""What `say-as` asks for, in words that every engine reads alike. Pure.

The words for signs and months are English; a text in another language keeps its signs.
"""

import re
from collections.abc import Callable

_SIGNS = {
    "@": "at", ".": "dot", "-": "dash", "_": "underscore", "/": "slash", "#": "hash", "+": "plus",
    "*": "star", "&": "and", ":": "colon", "%": "percent", "=": "equals", ",": "comma",
}  # fmt: skip
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July",
    "August", "September", "October", "November", "December",
)  # fmt: skip
_DIGITS_MAX = 18
"""A longer number is read digit by digit: no engine has words for it."""


def plainly(text: str, how: str, form: str = "", *, english: bool = True) -> str:
    """The text as `interpret-as` wants it read; as it is, where that is unknown."""
    said = _WAYS.get(how)
    return said(" ".join(text.split()), form.lower(), english) if said else text


def _characters(text: str, _: str, english: bool) -> str:
    named = (_SIGNS.get(sign, sign) if english else sign for sign in text if not sign.isspace())
    return ", ".join(sign.upper() for sign in named)


def _digits(text: str, *_: object) -> str:
    return " ".join(sign for sign in text if sign.isalnum())


def _telephone(text: str, _: str, english: bool) -> str:
    """Digit by digit, with a short pause where the number is divided."""
    groups = re.findall(r"[^\W_]+", text)
    plus = ["plus"] if english and text.startswith("+") else []
    return ", ".join(plus + [" ".join(group) for group in groups])


def _cardinal(text: str, *_: object) -> str:
    number = re.sub(r"(?<=\d)[, '](?=\d{3}\b)", "", text)
    digits = re.sub(r"\D", "", number)
    return " ".join(number) if len(digits) > _DIGITS_MAX else number


def _ordinal(text: str, _: str, english: bool) -> str:
    if not english or not re.fullmatch(r"[0-9]{1,9}", text):
        return text
    teen = text[-2:-1] == "1"
    return text + ("th" if teen else {"1": "st", "2": "nd", "3": "rd"}.get(text[-1], "th"))


def _date(text: str, form: str, english: bool) -> str:
    """`05/04/2026` as `mdy` is May 4, 2026. The form names the order of the numbers."""
    numbers = re.findall(r"[0-9]{1,8}", text)
    if len(numbers) == 1 and len(numbers[0]) == 8 and form in {"ymd", "yyyymmdd", ""}:
        numbers, form = [numbers[0][:4], numbers[0][4:6], numbers[0][6:]], "ymd"
    if not form:
        form = "ymd" if numbers and len(numbers[0]) == 4 else "mdy"
    found = dict(zip(form, numbers, strict=False))
    if not english or len(found) != len(form) or not set(form) <= set("dmy"):
        return text
    return _spelled(found) or text


def _spelled(found: dict[str, str]) -> str:
    month = int(found.get("m", "0"))
    if month > 12 or ("m" in found and month < 1):
        return ""
    words = _MONTHS[month - 1] if month else ""
    if "d" in found:
        words = f"{words} {int(found['d'])}".strip()
    return f"{words}, {found['y']}".removeprefix(", ") if "y" in found else words


_WAYS: dict[str, Callable[[str, str, bool], str]] = {
    "characters": _characters, "spell-out": _characters, "verbatim": _characters,
    "digits": _digits, "telephone": _telephone, "cardinal": _cardinal, "number": _cardinal,
    "ordinal": _ordinal, "date": _date,
}  # fmt: skip
