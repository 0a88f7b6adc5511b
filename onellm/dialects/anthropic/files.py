"""Files that an account keeps. https://platform.claude.com/docs/en/api/files-create"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# JSON of any shape is taken apart here, by patterns that prove what they use.

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from onellm.dialects import errors
from onellm.dialects.anthropic.chat import CODES
from onellm.dialects.base import HttpRequest
from onellm.dialects.form import encode_fields
from onellm.dialects.openai.lists import at_id, decode_object, received
from onellm.errors import APIStatusError, ResponseDecodeError
from onellm.types.file_objects import FileDeleted, FileObject, FileRequest
from onellm.types.files import Form
from onellm.types.pages import Listing, ListRequest


class AnthropicFiles(Struct, frozen=True, kw_only=True):
    """Files, which have no purpose; what was sent up cannot be read back, only what tools have made.

    path: joined to the base URL
    """

    path: str = "v1/files"

    def encode_create(self, request: FileRequest) -> HttpRequest:
        fields: dict[str, Any] = {}
        for name, value in request.params.items():
            if name == "expires_after":
                fields["expires_in_seconds"] = value["seconds"]
            else:
                request.unsupported(name, "its API does not have it")
        request.adjustments.append(f"left out purpose={request.purpose!r}: files have none")
        fields |= dict(request.extra_body or {})
        return HttpRequest(path=self.path, form=Form(fields=encode_fields(fields), files=(("file", request.file),)))

    def encode_list(self, request: ListRequest) -> HttpRequest:
        query: dict[str, str] = {}
        for name, value in request.params.items():
            if name == "limit":
                query["limit"] = str(value)
            else:
                request.unsupported(name, "its list has a limit, and pages that follow each other")
        return HttpRequest(method="GET", path=self.path, query=query | dict(request.next))

    def encode_retrieve(self, file_id: str) -> HttpRequest:
        return HttpRequest(method="GET", path=at_id(self.path, file_id))

    def encode_content(self, file_id: str) -> HttpRequest:
        path = at_id(self.path, file_id, "/content")
        return HttpRequest(method="GET", path=path, headers={"Accept": "application/binary"})

    def encode_delete(self, file_id: str) -> HttpRequest:
        return HttpRequest(method="DELETE", path=at_id(self.path, file_id))

    def decode_file(self, body: bytes) -> FileObject:
        found = _file(decode_object(body, "a file", self))
        if not found.id:
            raise ResponseDecodeError("not a file: it has no id", body=body[:2000])
        found.raw = body
        return found

    def decode_list(self, body: bytes, query: Mapping[str, str]) -> Listing[FileObject]:
        value = decode_object(body, "a list of files", self)
        if not isinstance(value, dict) or not isinstance(items := value.get("data"), list):
            raise ResponseDecodeError("not a list of files", body=body[:2000])
        page = value.get("next_page")
        following = {"page": page} if isinstance(page, str) and page and page != query.get("page") else {}
        return Listing(data=[_file(item) for item in items], next=following, raw=body)

    def decode_deleted(self, body: bytes) -> FileDeleted:
        value = decode_object(body, "a deletion", self)
        found = received(value, FileDeleted, "a deletion", raw=body)
        found.deleted = isinstance(value, dict) and value.get("type") == "file_deleted"
        return found

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now, codes=CODES)


def _file(value: Any) -> FileObject:
    raw = msgspec.json.encode(value)
    if isinstance(value, dict):
        value = {**value, "bytes": value.get("size_bytes")}
    return received(value, FileObject, "a file", raw=raw)
