import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia.protocols.form import FIELD_MAX, Form, FormError, is_form, read_form

TYPE = "multipart/form-data; boundary=xyz"
FILE = 'form-data; name="file"; filename="a.bin"'


def part(disposition: str, content: bytes, *headers: str) -> bytes:
    head = "\r\n".join((f"Content-Disposition: {disposition}", *headers)).encode()
    return b"--xyz\r\n" + head + b"\r\n\r\n" + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--xyz--\r\n"


def test_a_form_as_browsers_send_it() -> None:
    content = bytes(range(256)) + b"\r\n--xy\r\n--xyzz"[:6]
    body = form(
        part(FILE, content, "Content-Type: image/png"),
        part('form-data; name="quality_ratio"', b"100"),
        part('form-data; name="empty"', b""),
    )
    found = read_form(TYPE, body)
    assert found.fields == {"quality_ratio": "100", "empty": ""}
    assert found.files["file"].content == content
    assert found.files["file"].name == "a.bin"


@pytest.mark.parametrize("content_type", [
    'multipart/form-data; boundary="xyz"', "Multipart/Form-Data;boundary=xyz",
    "multipart/form-data; charset=utf-8; boundary=xyz",
])  # fmt: skip
def test_the_boundary_is_read_in_its_spellings(content_type: str) -> None:
    assert is_form(content_type)
    assert read_form(content_type, form(part('form-data; name="a"', b"b"))).fields == {"a": "b"}


@pytest.mark.parametrize(("disposition", "name"), [
    ('form-data; name="file"; filename="ñ.png"', "ñ.png"),
    ('FORM-DATA; NAME=file; FILENAME="x"', "x"),
    ('form-data; name="file"; filename="a\\"b;c.png"', 'a"b;c.png'),
    ('form-data; name="file"; filename=""', ""),
])  # fmt: skip
def test_file_names(disposition: str, name: str) -> None:
    assert read_form(TYPE, form(part(disposition, b"x"))).files["file"].name == name


def test_the_last_of_a_name_counts() -> None:
    parts = [part('form-data; name="a"', value) for value in (b"1", b"2")]
    assert read_form(TYPE, form(*parts)) == Form({"a": "2"}, {})


def test_a_form_may_be_empty() -> None:
    assert read_form(TYPE, form()) == Form({}, {})


@pytest.mark.parametrize("content_type", ["", "multipart/form-data", "image/png", "x; boundary="])
def test_without_a_boundary_it_is_no_form(content_type: str) -> None:
    with pytest.raises(FormError, match="boundary"):
        read_form(content_type, form(part(FILE, b"x")))


@pytest.mark.parametrize("body", [
    b"", b"--xyz", b"x", form(part(FILE, b"x"))[:-7], b"--xyz\r\n\r\n\r\n--xyz--\r\n",
    form(part("attachment", b"x")), form(part("form-data", b"x")),
    b"--xyz\r\nContent-Type: text/plain\r\n\r\nx\r\n--xyz--\r\n",
    b"--xyz\r\nno colon here\r\n\r\nx\r\n--xyz--\r\n",
    form(*(part('form-data; name="a"', b"1") for _ in range(17))),
    form(part(FILE, b"x", *(f"X-{n}: y" for n in range(20)))),
    form(part(FILE, b"x", "X: " + 5000 * "y")),
    form(part('form-data; name="a"', (FIELD_MAX + 1) * b"x")),
    form(part(FILE, b"x")).replace(b"xyz", b"abc"),
])  # fmt: skip
def test_what_is_no_form(body: bytes) -> None:
    with pytest.raises(FormError):
        read_form(TYPE, body)


def test_a_long_boundary_is_refused() -> None:
    with pytest.raises(FormError):
        read_form(f"multipart/form-data; boundary={300 * 'x'}", b"")


@given(st.binary(max_size=300), st.integers(0, 200), st.integers(0, 200))
def test_any_octets_are_a_form_or_none(noise: bytes, at: int, cut: int) -> None:
    body = form(part(FILE, b"content"), part('form-data; name="a"', b"1"))
    for damaged in (noise, body[:at] + noise + body[at + cut :]):
        try:
            read_form(TYPE, damaged)
        except FormError:
            pass


@given(st.binary(max_size=2000))
def test_content_comes_through(content: bytes) -> None:
    if b"--xyz" not in content:
        assert read_form(TYPE, form(part(FILE, content))).files["file"].content == content
