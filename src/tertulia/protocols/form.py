"""multipart/form-data, as browsers send it (RFC 7578): a whole body taken apart, within limits."""

from msgspec import Struct
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

FORM = "multipart/form-data"
PARTS_MAX = 16
HEADERS_MAX = 8
"""Of one part."""
HEADER_MAX = 4096
FIELD_MAX = 1024
"""Octets of a part that is no file."""


class FormError(Exception):
    """The body is not a form, or has more in it than is taken. Says why."""


class FilePart(Struct, frozen=True):
    """A file as it was sent."""

    content: bytes
    name: str


class Form(Struct, frozen=True):
    """What a form holds, by name; of several parts of a name the last."""

    fields: dict[str, str]
    files: dict[str, FilePart]


class _Collector:
    """What the parser has reported so far."""

    def __init__(self) -> None:
        self.form = Form({}, {})
        self.is_complete = False
        self._parts = 0
        self._begin()

    def _begin(self) -> None:
        self._name = b""
        self._value = b""
        self._disposition = ""
        self._content: list[bytes] = []

    def on_part_begin(self) -> None:
        self._begin()
        self._parts += 1
        if self._parts > PARTS_MAX:
            raise FormError(f"a form may have {PARTS_MAX} parts")

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = self._value.decode("latin-1")
        self._name = self._value = b""

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._content.append(data[start:end])

    def on_part_end(self) -> None:
        kind, told = parse_options_header(self._disposition)
        if kind != b"form-data" or b"name" not in told:
            raise FormError("a part does not say which field it is")
        name = told[b"name"].decode("utf-8", "replace")
        content = b"".join(self._content)
        if b"filename" in told:
            file_name = told[b"filename"].decode("utf-8", "replace")
            self.form.files[name] = FilePart(content, file_name)
        elif len(content) <= FIELD_MAX:
            self.form.fields[name] = content.decode("utf-8", "replace")
        else:
            raise FormError(f"the field {name[:40]} is too long")

    def on_end(self) -> None:
        self.is_complete = True


def is_form(content_type: str) -> bool:
    """Whether a Content-Type says that the body is a form."""
    return content_type.partition(";")[0].strip().lower() == FORM


def read_form(content_type: str, body: bytes) -> Form:
    """Take a body apart. Raises FormError."""
    _, told = parse_options_header(content_type)
    boundary = told.get(b"boundary")
    if not boundary:
        raise FormError("the content type names no boundary")
    collector = _Collector()
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": collector.on_part_begin,
                "on_header_field": collector.on_header_field,
                "on_header_value": collector.on_header_value,
                "on_header_end": collector.on_header_end,
                "on_part_data": collector.on_part_data,
                "on_part_end": collector.on_part_end,
                "on_end": collector.on_end,
            },
            max_header_count=HEADERS_MAX,
            max_header_size=HEADER_MAX,
        )
        parser.write(body)
    except FormParserError as error:
        raise FormError(str(error)) from None
    if not collector.is_complete:
        raise FormError("the form ends early")
    return collector.form
