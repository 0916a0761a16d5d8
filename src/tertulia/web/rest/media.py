"""Upload and serving of media files (wire-clients 3.2 and 3.5)."""

from functools import partial
from typing import Annotated, Any

from msgspec import Meta, Struct

from tertulia.model.errors import InvalidToken, ValidationFailed
from tertulia.model.ids import MediaId
from tertulia.model.media import MediaFile
from tertulia.model.validation import convert
from tertulia.protocols.form import FORM, FilePart, Form, FormError, is_form, read_form
from tertulia.protocols.http1 import Request, Response
from tertulia.services.media import Given, MediaFiles, Ratios, SignedAddress
from tertulia.web import answers, serving, shapes
from tertulia.web.routing import Call, Edition, Guard, Upload, route

IMAGE = "/image"
MEDIA = "/v3/media"
ONE = MEDIA + "/{media_id}"
FILE = "/files/{media_id}"
"""The same for who knows recordings only."""
UPLOADS = (f"/{Edition.V1.value}{IMAGE}", MEDIA)
"""Where a body may be larger than elsewhere."""
FORM_SLACK = 64 * 1024
"""Octets of a form around its file."""

_ABSENT = "undefined"
"""COMPAT: what the browser SDK appends for a ratio that its caller did not name."""
_FILE = {"type": "string", "format": "binary", "examples": ["GIF89a"]}

File = Annotated[Any, Meta(description="The file itself.", extra_json_schema=_FILE)]


class ImageForm(Ratios, frozen=True, kw_only=True):
    """An image, and how its smaller representations are made."""

    file: File


class MediaForm(Struct, frozen=True):
    """A file of a type that is taken: images, sounds, films, PDF, vCard, plain text."""

    file: File


class UploadQuery(Struct, frozen=True):
    name: Annotated[str, Meta(description="File name, for a body that is no form.")] = ""


class SignedQuery(Struct, frozen=True):
    expires: Annotated[int, Meta(ge=0, le=10**11, description="Of a signed address.")] = 0
    signature: Annotated[str, Meta(max_length=200, description="Of a signed address.")] = ""


class FileQuery(SignedQuery, frozen=True):
    compat: Annotated[
        str, Meta(max_length=200, description="Without effect: some clients want it there.")
    ] = ""


class InfoQuery(Struct, frozen=True):
    expires_in: Annotated[
        int, Meta(ge=1, le=86_400, description="Seconds that the signed address is to be good.")
    ] = 3600


class MediaResource:
    def __init__(self, media: MediaFiles) -> None:
        self._media = media

    @route("POST", IMAGE, editions=(Edition.V1,), body=Upload(ImageForm, (FORM,)),
           answers={200: shapes.MediaRepresentations})  # fmt: skip
    async def upload_image(self, call: Call) -> Response:
        """Upload an image; a medium and a thumbnail are made of it"""
        form = _form(call.request)
        given = {name: text for name, text in form.fields.items() if text != _ABSENT}
        draft = convert({**given, **form.files}, ImageForm, strict=False)
        files = await self._media.add_image(_given(draft.file), draft, call.actor)
        told = (shapes.media_representation(file, call.origin) for file in files)
        return answers.json(200, shapes.MediaRepresentations(*told))

    @route("POST", MEDIA, query=UploadQuery,
           body=Upload(MediaForm, (FORM, "application/octet-stream")),
           answers={201: shapes.MediaResource})  # fmt: skip
    async def upload_media(self, call: Call) -> Response:
        """Upload a file of any type that is taken"""
        request = call.request
        if is_form(request.headers.get("content-type", "")):
            given = _given(_form(request).files.get("file"))
        else:
            given = Given(request.body, call.query.name)
        file = await self._media.add(given, call.actor)
        return self._described(201, file, call, InfoQuery())

    @route("GET", ONE + "/info", query=InfoQuery, answers={200: shapes.MediaResource})
    async def get_media_info(self, call: Call) -> Response:
        """Tell what a file is, with an address that opens it to anybody for a while"""
        file = await self._media.find(_id(call), call.actor)
        return self._described(200, file, call, call.query)

    @route("GET", ONE, guard=Guard.SIGNED, query=SignedQuery,
           answers={200: bytes, 206: bytes, 304: None})  # fmt: skip
    @route("GET", FILE, name="get_file", editions=(Edition.V1,), guard=Guard.SIGNED,
           query=FileQuery, answers={200: bytes, 206: bytes, 304: None})  # fmt: skip
    @route("GET", "/v3" + FILE, name="get_file_by_id", guard=Guard.SIGNED, query=FileQuery,
           answers={200: bytes, 206: bytes, 304: None})  # fmt: skip
    async def get_media(self, call: Call) -> Response:
        """Retrieve a file"""
        file = await self._found(call)
        if serving.is_known(file, call.request):
            return serving.not_modified(file)
        return await serving.served(file, partial(self._media.content, file), call.request)

    @route("DELETE", ONE, answers={204: None})
    async def delete_media(self, call: Call) -> Response:
        """Delete a file of one's own, in all its representations"""
        await self._media.delete(_id(call), call.actor)
        return answers.nothing()

    async def _found(self, call: Call) -> MediaFile:
        if call.query.signature:
            address = SignedAddress(call.query.expires, call.query.signature)
            file = await self._media.find_signed(_id(call), address)
            if file is not None:
                return file
        if call.actor is None:
            raise InvalidToken("A token or a signed address that has not expired is required.")
        return await self._media.find(_id(call), call.actor)

    def _described(self, status: int, file: MediaFile, call: Call, query: InfoQuery) -> Response:
        address = self._media.signed(file, query.expires_in)
        return answers.json(status, shapes.media(file, address, call.origin))


def _id(call: Call) -> MediaId:
    return MediaId(call.params["media_id"])


def _form(request: Request) -> Form:
    try:
        return read_form(request.headers.get("content-type", ""), request.body)
    except FormError as error:
        raise ValidationFailed(f"The body is not a valid form: {error}.") from None


def _given(part: object) -> Given:
    if not isinstance(part, FilePart):
        raise ValidationFailed.of("file", "is required")
    return Given(part.content, part.name)
