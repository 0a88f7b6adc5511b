"""Files that a provider keeps: what callers say, and what they get. https://platform.openai.com/docs/api-reference/files"""

from typing import Annotated, Any, Literal, Required

from msgspec import Meta
from typing_extensions import TypedDict

from onellm.types.base import Answer
from onellm.types.chat import Seconds
from onellm.types.files import InputFile
from onellm.types.options import CallOptions
from onellm.types.request import Request


class ExpiresAfter(TypedDict, total=False):
    """When a file is deleted: so many seconds after it was made, from an hour to 30 days."""

    anchor: Required[Literal["created_at"]]
    seconds: Required[Annotated[int, Meta(ge=3600, le=2592000)]]


class FileCreateParams(CallOptions, total=False):
    """Everything `files.create` takes beside file, purpose and provider.

    part_size:  bytes; the file is then sent in parts of this size, whatever its own
    """

    expires_after: ExpiresAfter | None
    part_size: Annotated[int, Meta(ge=1)] | None


class FileListParams(CallOptions, total=False):
    """Everything `files.list` takes beside provider.

    after:  the id of the file after which the list begins
    limit:  the most files of one page
    """

    purpose: str | None
    limit: Annotated[int, Meta(ge=1, le=10000)] | None
    order: Literal["asc", "desc"] | None
    after: str | None


class FileUrlParams(CallOptions, total=False):
    """Everything `files.signed_url` takes beside the file's id and provider.

    expires_in:  seconds for which the URL is good; as long as the provider sees fit where it is not given
    """

    expires_in: Annotated[int, Meta(ge=1)] | None


class FileObject(Answer, kw_only=True, gc=False):
    """A file that a provider keeps.

    bytes:                   its size
    created_at, expires_at:  Unix time in seconds
    """

    id: str = ""
    object: str = "file"
    bytes: int = 0
    created_at: Seconds = 0
    expires_at: Seconds | None = None
    filename: str = ""
    purpose: str = ""
    status: str | None = None
    status_details: str | None = None


class FileDeleted(Answer, kw_only=True, gc=False):
    """What comes of deleting a file."""

    id: str = ""
    object: str = "file"
    deleted: bool = False


class FileUrl(Answer, kw_only=True, gc=False):
    """Where a file can be read by whoever has the URL, without a key, until it expires."""

    url: str = ""


class Upload(Answer, kw_only=True, gc=False):
    """A file that is being sent in parts; `file` once it is whole."""

    id: str = ""
    object: str = "upload"
    bytes: int = 0
    created_at: Seconds = 0
    expires_at: Seconds | None = None
    filename: str = ""
    purpose: str = ""
    status: str = ""
    file: FileObject | None = None


class UploadPart(Answer, kw_only=True, gc=False):
    """One part that has arrived."""

    id: str = ""
    object: str = "upload.part"
    created_at: Seconds = 0
    upload_id: str = ""


class FileRequest(Request, kw_only=True):
    """A validated call to keep a file."""

    file: InputFile
    purpose: str
    params: dict[str, Any]
