"""Files that the host keeps for two days. https://ai.google.dev/api/files"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# JSON of any shape is taken apart here, by patterns that prove what they use.

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct

from onellm.dialects import errors, lenient
from onellm.dialects.base import HttpRequest
from onellm.dialects.lenient import encode_json
from onellm.dialects.params import refuse
from onellm.errors import APIStatusError, InvalidRequestError, ResponseDecodeError, UnsupportedFeatureError
from onellm.types.file_objects import FileDeleted, FileObject, FileRequest
from onellm.types.pages import Listing, ListRequest

_REFUSES = {
    "expires_after": "its files are kept for two days",
    "purpose": "its files have none",
    "order": "its list has one order",
    "after": "its pages have tokens: give `pageToken` in extra_query",
}


class GeminiFiles(Struct, frozen=True, kw_only=True):
    """Files. One is sent in pieces to an address that the first answer names. path: joined to the base URL."""

    path: str = "files"

    def encode_create(self, request: FileRequest) -> HttpRequest:
        return self.encode_start(request, None)

    def encode_start(self, request: FileRequest, size: int | None) -> HttpRequest:
        """Announces a file; the answer has the address for its bytes in `X-Goog-Upload-URL`."""
        params = dict(request.params)
        refuse(params, _REFUSES, request)
        request.adjustments.append("left out purpose: its files have none")
        headers = {
            "X-Goog-Upload-Protocol": "resumable",
            "X-Goog-Upload-Command": "start",
            "X-Goog-Upload-Header-Content-Type": request.file.content_type,
        }
        if size is not None:
            headers["X-Goog-Upload-Header-Content-Length"] = str(size)
        body = {"file": {"displayName": request.file.filename, **(request.extra_body or {})}}
        return HttpRequest(path=self.path, headers=headers, body=encode_json(body))

    def piece_headers(self, offset: int, *, last: bool) -> dict[str, str]:
        """What goes with the bytes from `offset` on."""
        command = "upload, finalize" if last else "upload"
        return {"X-Goog-Upload-Offset": str(offset), "X-Goog-Upload-Command": command}

    def encode_list(self, request: ListRequest) -> HttpRequest:
        params = dict(request.params)
        refuse(params, _REFUSES, request)
        query = {"pageSize": str(params["limit"])} if "limit" in params else {}
        return HttpRequest(method="GET", path=self.path, query=query | dict(request.next))

    def encode_retrieve(self, file_id: str) -> HttpRequest:
        return HttpRequest(method="GET", path=self._at(file_id))

    def encode_content(self, file_id: str) -> HttpRequest:
        raise UnsupportedFeatureError(f"{file_id} can be used in messages; what was uploaded cannot be downloaded")

    def encode_delete(self, file_id: str) -> HttpRequest:
        return HttpRequest(method="DELETE", path=self._at(file_id))

    def decode_file(self, body: bytes) -> FileObject:
        value = self._object(body, "a file")
        return _file(value["file"] if isinstance(value.get("file"), dict) else value)

    def decode_list(self, body: bytes, query: Mapping[str, str]) -> Listing[FileObject]:  # noqa: ARG002 - as all lists
        value = self._object(body, "a list of files")
        data = [_file(item) for item in value.get("files", ()) if isinstance(item, dict)]
        token = value.get("nextPageToken")
        return Listing(data=data, next={"pageToken": token} if isinstance(token, str) and token else {}, raw=body)

    def decode_deleted(self, body: bytes) -> FileDeleted:
        self._object(body or b"{}", "an answer to a deletion")
        return FileDeleted(deleted=True, raw=body)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now)

    def _at(self, file_id: str) -> str:
        own = file_id.rpartition("/files/")[2].removeprefix("files/")
        if own in {"", ".", ".."}:
            raise InvalidRequestError(f"not an id: {file_id!r}", param="id")
        return f"{self.path}/{quote(own, safe='')}"

    def _object(self, body: bytes, what: str) -> dict[str, Any]:
        value = lenient.decode_json(body, what)
        if not isinstance(value, dict) or ("name" not in value and errors.is_error(value)):
            raise ResponseDecodeError(f"not {what}", body=body[:2000])
        return value


def _file(value: dict[str, Any]) -> FileObject:
    """A file, under the name that messages take as its id."""
    created, expires = _time(value.get("createTime")), _time(value.get("expirationTime"))
    size = str(value.get("sizeBytes") or 0)
    state = value.get("state")
    return FileObject(
        id=str(value.get("name") or ""),
        bytes=int(size) if size.isdecimal() else 0,
        created_at=created or 0,
        expires_at=expires,
        filename=str(value.get("displayName") or ""),
        status=state if isinstance(state, str) else None,
        raw=msgspec.json.encode(value),
    )


def _time(value: Any) -> int | None:
    try:
        return int(datetime.fromisoformat(value).timestamp()) if isinstance(value, str) else None
    except ValueError:
        return None
