"""Smaller representations of an image, by Pillow.

What is made holds pixels and their colour profile, and nothing else that the image told: no place,
no camera, no comment.
"""

import struct
from collections.abc import Sequence
from io import BytesIO

from msgspec import Struct
from PIL import Image, ImageOps

from tertulia.model.errors import TertuliaError

PIXELS_MAX = 50_000_000
"""Of width times height, looked at before anything is decoded."""
SCANS_MAX = 100
"""Of a JPEG. Each goes over all pixels however short it is: of a few hundred kilobytes decoding
would take half a minute. Encoders make about ten."""
_FORMATS = {
    "image/jpeg": "JPEG", "image/png": "PNG", "image/gif": "GIF", "image/webp": "WEBP",
}  # fmt: skip
_MADE = {"JPEG": "image/jpeg", "WEBP": "image/webp"}
_SCAN = b"\xff\xda"
_PLAIN = ("L", "LA", "RGB", "RGBA")
_BROKEN = (
    OSError, EOFError, SyntaxError, ValueError, LookupError, TypeError, AttributeError,
    ArithmeticError, RuntimeError, MemoryError, struct.error,
)  # fmt: skip
"""What Pillow's decoders raise when they are given what is no image."""

# Ours is the stricter limit; Pillow's own would be told as a warning.
Image.MAX_IMAGE_PIXELS = None


class TooManyPixels(TertuliaError):
    """The image would take too much memory when decoded."""


class Picture(Struct, frozen=True):
    content: bytes
    content_type: str


def reduced(
    content: bytes, content_type: str, ratios: Sequence[int], *, quality: int
) -> list[Picture] | None:
    """The first frame, upright, at each of the ratios (percent); None: it cannot be decoded.

    Raises:
        TooManyPixels: and nothing was decoded.
    """
    kind = _FORMATS[content_type]
    if kind == "JPEG" and content.count(_SCAN) > SCANS_MAX:
        return None
    try:
        with Image.open(BytesIO(content), formats=[kind]) as image:
            if image.width * image.height > PIXELS_MAX:
                raise TooManyPixels
            plain = _plain(ImageOps.exif_transpose(image))
            made = kind if kind in _MADE else "PNG"
            return [_encoded(_scaled(plain, ratio), made, quality) for ratio in ratios]
    except _BROKEN:
        return None


def _plain(image: Image.Image) -> Image.Image:
    """In a mode that can be scaled and written."""
    profile = image.info.get("icc_profile")
    if image.mode not in _PLAIN:
        if image.mode != "P":
            profile = None  # it speaks of the mode that is left
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    image.info = {"icc_profile": profile} if profile else {}
    return image


def _scaled(image: Image.Image, ratio: int) -> Image.Image:
    size = (max(1, round(image.width * ratio / 100)), max(1, round(image.height * ratio / 100)))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)


def _encoded(image: Image.Image, kind: str, quality: int) -> Picture:
    if kind == "JPEG" and image.mode not in ("L", "RGB"):
        image = image.convert("RGB")
    out = BytesIO()
    image.save(
        out, kind, quality=quality, optimize=kind == "JPEG",
        icc_profile=image.info.get("icc_profile"),
    )  # fmt: skip
    return Picture(out.getvalue(), _MADE.get(kind, "image/png"))
