import random
from io import BytesIO
from typing import Any

import pytest
from PIL import Image, ImageOps

from tertulia.model.media import content_type_of
from tertulia.services import pictures
from tertulia.services.pictures import TooManyPixels, reduced

SCAN = b"\xff\xda"
ORIENTATION, GPS, MAKER = 0x0112, 0x8825, 0x010F
LEFT_BLUE = Image.new("RGB", (60, 40), "red")
LEFT_BLUE.paste("blue", (0, 0, 30, 40))


def encoded(image: Image.Image, kind: str, **how: Any) -> bytes:
    out = BytesIO()
    image.save(out, kind, **how)
    return out.getvalue()


def small(content: bytes, *ratios: int, quality: int = 90) -> list[Image.Image]:
    found = reduced(content, content_type_of(content) or "", ratios or (50,), quality=quality)
    assert found is not None
    for picture in found:
        assert content_type_of(picture.content) == picture.content_type
    return [Image.open(BytesIO(picture.content)) for picture in found]


@pytest.mark.parametrize(("kind", "made"), [
    ("JPEG", "JPEG"), ("PNG", "PNG"), ("GIF", "PNG"), ("WEBP", "WEBP"),
])  # fmt: skip
def test_sizes_are_percents_of_the_original(kind: str, made: str) -> None:
    found = small(encoded(LEFT_BLUE, kind), 100, 50, 30, 1)
    assert [image.size for image in found] == [(60, 40), (30, 20), (18, 12), (1, 1)]
    assert {image.format for image in found} == {made}
    red, green, blue = found[1].convert("RGB").getpixel((3, 10))  # type: ignore[misc]
    assert blue > 200 and red < 60 and green < 60


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "YCbCr"])
def test_every_mode_has_a_smaller_form(mode: str) -> None:
    kind = "JPEG" if mode in ("CMYK", "YCbCr") else "PNG"
    (found,) = small(encoded(LEFT_BLUE.convert(mode), kind))
    assert found.size == (30, 20)


def test_transparency_stays() -> None:
    clear = Image.new("RGBA", (10, 10), (255, 0, 0, 0))
    for content in (encoded(clear, "PNG"), encoded(clear, "WEBP"), encoded(clear, "GIF")):
        (found,) = small(content)
        assert found.convert("RGBA").getpixel((2, 2))[3] == 0  # type: ignore[index]


def test_an_image_is_turned_upright_and_says_nothing_of_where_it_was_taken() -> None:
    exif = Image.Exif()
    exif[ORIENTATION], exif[MAKER] = 6, "maker"
    exif.get_ifd(GPS)[1] = "N"
    for kind in ("JPEG", "PNG", "WEBP"):
        content = encoded(LEFT_BLUE, kind, exif=exif, comment=b"private", xmp=b"<private/>")
        with Image.open(BytesIO(content)) as original:
            upright = ImageOps.exif_transpose(original)
            assert original.getexif()[MAKER] == "maker"
        (found,) = small(content)
        assert found.size == (upright.width // 2, upright.height // 2) == (20, 30)
        assert not found.getexif()
        told = set(found.info) - {"jfif", "jfif_version", "jfif_unit", "jfif_density", "loop",
                                  "background", "timestamp", "duration"}  # fmt: skip
        assert told == set()


def test_quality_makes_a_difference() -> None:
    noise = encoded(Image.effect_noise((100, 100), 90), "JPEG")
    sizes = [
        len((reduced(noise, "image/jpeg", (100,), quality=quality) or [])[0].content)
        for quality in (0, 40, 100)
    ]
    assert sizes == sorted(set(sizes))


def test_the_first_frame_stands_for_all() -> None:
    for kind in ("GIF", "WEBP", "PNG"):
        others = [Image.new("RGB", (60, 40), "green")] * 3
        content = encoded(LEFT_BLUE, kind, save_all=True, append_images=others)
        (found,) = small(content, 100)
        assert getattr(found, "n_frames", 1) == 1
        assert found.convert("RGB").getpixel((50, 20))[0] > 200  # type: ignore[index]


def test_a_bomb_is_refused_by_its_header(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = encoded(Image.new("1", (20_000, 10_000)), "PNG")
    assert len(bomb) < 100_000
    monkeypatch.setattr(Image.Image, "load", _never)
    with pytest.raises(TooManyPixels):
        reduced(bomb, "image/png", (50,), quality=90)


def test_a_jpeg_has_so_many_scans(monkeypatch: pytest.MonkeyPatch) -> None:
    content = encoded(LEFT_BLUE, "JPEG", progressive=True)
    start, end = content.rindex(SCAN), content.rindex(b"\xff\xd9")
    ten = content.count(SCAN)
    more = (pictures.SCANS_MAX - ten) * content[start:end]
    allowed = content[:end] + more + content[end:]
    assert small(allowed)[0].size == (30, 20)
    monkeypatch.setattr(Image, "open", _never)
    bomb = content[:end] + more + content[start:]
    assert reduced(bomb, "image/jpeg", (50,), quality=90) is None


def _never(*_: object) -> None:
    raise AssertionError("it was decoded")


@pytest.mark.parametrize("content", [
    b"\xff\xd8\xff\xd9", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP",
    encoded(LEFT_BLUE, "JPEG")[:200], encoded(LEFT_BLUE, "PNG")[:60],
])  # fmt: skip
def test_what_cannot_be_decoded(content: bytes) -> None:
    assert reduced(content, content_type_of(content) or "", (50,), quality=90) is None


@pytest.mark.filterwarnings("ignore")
def test_damaged_images_are_decoded_or_not() -> None:
    """Whatever the decoders make of it, nothing else than the two answers comes out."""
    dice = random.Random(7)
    for kind in ("JPEG", "PNG", "GIF", "WEBP"):
        whole = encoded(LEFT_BLUE, kind)
        for _ in range(100):
            damaged = bytearray(whole[: dice.randrange(20, len(whole) + 1)])
            for _ in range(dice.randrange(6)):
                damaged[dice.randrange(12, len(damaged))] = dice.randrange(256)
            content_type = content_type_of(bytes(damaged))
            assert content_type is not None
            try:
                reduced(bytes(damaged), content_type, (50,), quality=50)
            except TooManyPixels:
                assert pictures.PIXELS_MAX
