"""Files that a host keeps, in OpenAI's shape.

https://platform.openai.com/docs/api-reference/files, https://platform.openai.com/docs/api-reference/uploads
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from onellm.dialects import errors, lenient
from onellm.dialects.base import HttpRequest
from onellm.dialects.form import encode_fields
from onellm.dialects.openai.lists import CURSOR, Paging, at_id, decode_list, decode_object, received
from onellm.dialects.params import refuse
from onellm.errors import APIStatusError, ResponseDecodeError
from onellm.types.file_objects import FileDeleted, FileObject, FileRequest, Upload, UploadPart
from onellm.types.files import Form, InputFile
from onellm.types.pages import Listing, ListRequest


class OpenAIFiles(Struct, frozen=True, kw_only=True):
    """Files. Fields are a host's quirks; the defaults are OpenAI's own behaviour.

    path:         joined to the base URL
    upload_path:  where files are sent to, where that is another path
    names_file:   whether the form says the file's name and type in fields of their own
    purposes:     purposes that the host spells differently
    paging:       how its list comes
    refuses, codes:  as in chat
    """

    path: str = "files"
    upload_path: str = ""
    names_file: bool = False
    purposes: Mapping[str, str] = {}
    paging: Paging = CURSOR
    refuses: Mapping[str, str] = {}
    codes: Mapping[str, type[APIStatusError]] = {}

    def encode_create(self, request: FileRequest) -> HttpRequest:
        params = dict(request.params)
        refuse(params, self.refuses, request)
        named = {"file_name": request.file.filename, "file_type": request.file.extension} if self.names_file else {}
        fields = {"purpose": _purpose(request, self.purposes)} | named | params | dict(request.extra_body or {})
        form = Form(fields=encode_fields(fields), files=(("file", request.file),))
        return HttpRequest(path=self.upload_path or self.path, form=form)

    def encode_list(self, request: ListRequest) -> HttpRequest:
        purpose = request.params.get("purpose", "")
        if purpose in self.purposes:
            request.params["purpose"] = self.purposes[purpose]
        return HttpRequest(method="GET", path=self.path, query=self.paging.encode(request))

    def encode_retrieve(self, file_id: str) -> HttpRequest:
        return HttpRequest(method="GET", path=at_id(self.path, file_id))

    def encode_content(self, file_id: str) -> HttpRequest:
        path = at_id(self.path, file_id, "/content")
        return HttpRequest(method="GET", path=path, headers={"Accept": "application/binary"})

    def encode_delete(self, file_id: str) -> HttpRequest:
        return HttpRequest(method="DELETE", path=at_id(self.path, file_id))

    def decode_file(self, body: bytes) -> FileObject:
        value = decode_object(body, "a file", self)
        found = received(value, FileObject, "a file", raw=body)
        if not found.id:
            raise ResponseDecodeError("not a file: it has no id", body=body[:2000])
        return found

    def decode_list(self, body: bytes, query: Mapping[str, str]) -> Listing[FileObject]:
        return decode_list(body, "a list of files", self, _file, self.paging, query)

    def decode_deleted(self, body: bytes) -> FileDeleted:
        return received(decode_object(body, "a deletion", self), FileDeleted, "a deletion", raw=body)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now, codes=self.codes)


class OpenAIUploads(Struct, frozen=True, kw_only=True):
    """Files that are sent in parts.

    largest_whole:  bytes; a file above this goes in parts
    largest_part:   bytes
    """

    path: str = "uploads"
    largest_whole: int = 512_000_000
    largest_part: int = 64_000_000
    codes: Mapping[str, type[APIStatusError]] = {}

    def encode_create(self, request: FileRequest, size: int) -> HttpRequest:
        body = {
            "bytes": size,
            "filename": request.file.filename,
            "mime_type": request.file.content_type,
            "purpose": request.purpose,
            **request.params,
            **(request.extra_body or {}),
        }
        return HttpRequest(path=self.path, body=lenient.encode_json(body))

    def encode_part(self, upload_id: str, part: InputFile) -> HttpRequest:
        return HttpRequest(path=at_id(self.path, upload_id, "/parts"), form=Form(files=(("data", part),)))

    def encode_complete(self, upload_id: str, part_ids: Sequence[str]) -> HttpRequest:
        body = lenient.encode_json({"part_ids": list(part_ids)})
        return HttpRequest(path=at_id(self.path, upload_id, "/complete"), body=body)

    def encode_cancel(self, upload_id: str) -> HttpRequest:
        return HttpRequest(path=at_id(self.path, upload_id, "/cancel"))

    def decode_upload(self, body: bytes) -> Upload:
        found = received(decode_object(body, "an upload", self), Upload, "an upload", raw=body)
        if not found.id:
            raise ResponseDecodeError("not an upload: it has no id", body=body[:2000])
        return found

    def decode_part(self, body: bytes) -> UploadPart:
        found = received(decode_object(body, "a part", self), UploadPart, "a part", raw=body)
        if not found.id:
            raise ResponseDecodeError("not a part of an upload: it has no id", body=body[:2000])
        return found

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now, codes=self.codes)


def _purpose(request: FileRequest, spelled: Mapping[str, str]) -> str:
    purpose = spelled.get(request.purpose, request.purpose)
    if purpose != request.purpose:
        request.adjustments.append(f"sent purpose={request.purpose!r} as {purpose!r}")
    return purpose


def _file(item: Any) -> FileObject:
    return received(item, FileObject, "a file")
