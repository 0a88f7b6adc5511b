"""`files`. https://platform.openai.com/docs/api-reference/files"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from typing_extensions import Unpack

from onellm.errors import InvalidRequestError
from onellm.policy.execute import Options
from onellm.resources import validation
from onellm.resources.binary import AsyncBinaryResponse
from onellm.resources.core import Bound, Core
from onellm.resources.pages import AsyncPages
from onellm.resources.uploads import send_in_parts, size_of
from onellm.types.file_objects import (
    FileCreateParams,
    FileDeleted,
    FileListParams,
    FileObject,
    FileRequest,
    FileUrl,
    FileUrlParams,
)
from onellm.types.files import FileInput, InputFile, input_file
from onellm.types.options import CallOptions
from onellm.types.pages import Listing, ListRequest

if TYPE_CHECKING:
    from onellm.providers.protocols import FileProvider, FileUrlProvider, UploadProvider

T = TypeVar("T")


class AsyncFiles:
    """Files that a provider keeps. `provider` names whose; the default provider's where it is not given."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def create(
        self,
        *,
        file: FileInput,
        purpose: str,
        provider: str | None = None,
        **params: Unpack[FileCreateParams],
    ) -> FileObject:
        """Send a file, piece by piece: it is never in memory as a whole.

        A file that is larger than the provider takes at once (OpenAI: 512 MB) is sent in parts, four at a time, where
        the provider has that; `part_size` asks for it. A source that can be read once has no size and goes whole.

        An upload of which it is not known what came (a lost connection, a time limit, a failure inside the provider)
        is not sent again unless `max_retries` stands in the call itself: there could be a second file.

        Raises:
            UsageError: the call is wrong; nothing was sent.
            APIConnectionError: no whole answer arrived.
            APIStatusError: the provider refused.
        """
        bound, options, given = _prepare(self._core, "files", "files.create", provider, params, FileCreateParams)
        asked = params.get("max_retries") is not None
        part_size: int | None = given.pop("part_size", None)
        request = FileRequest(
            provider=bound.provider.name,
            model="",
            file=input_file(file, "file"),
            purpose=validation.text(purpose, "purpose"),
            params=given,
            extra_body=options.extra_body,
            on_unsupported=options.on_unsupported,
        )
        if part_size is not None:
            self._core.require(bound.provider.name, "uploads")
        if "uploads" in bound.operations:
            takes = cast("UploadProvider", bound.provider)
            size = await size_of(request.file)
            if part_size is not None or (size is not None and size > takes.largest_whole_file):
                part_size = _part_size(request.file, size, part_size, takes.largest_part)
                return await send_in_parts(takes, request, size or 0, part_size, options, asked)
        served = cast("FileProvider", bound.provider)
        return await options.send_making(served.create_file, request, asked=asked)

    def list(self, *, provider: str | None = None, **params: Unpack[FileListParams]) -> AsyncPages[FileObject]:
        """The files, of all pages where one iterates, or of the first page alone.

        Raises:
            UsageError: the call is wrong; nothing was sent.
            APIConnectionError, APIStatusError: when a page is asked for: no answer, or a refusal.
        """
        bound, options, given = _prepare(self._core, "files", "files.list", provider, params, FileListParams)
        served = cast("FileProvider", bound.provider)

        async def fetch(following: Mapping[str, str]) -> Listing[FileObject]:
            request = list_request(bound, options, given, following)
            return await options.send(served.list_files, request)

        return AsyncPages(fetch)

    async def retrieve(
        self, file_id: str, *, provider: str | None = None, **options: Unpack[CallOptions]
    ) -> FileObject:
        """What the provider says of a file.

        Raises:
            NotFoundError: there is no such file.
        """
        bound, taken, _ = _prepare(self._core, "files", "files.retrieve", provider, options, CallOptions)
        served = cast("FileProvider", bound.provider)
        return await taken.send(served.retrieve_file, validation.text(file_id, "file_id"))

    async def content(
        self, file_id: str, *, provider: str | None = None, **options: Unpack[CallOptions]
    ) -> AsyncBinaryResponse:
        """The content of a file, read as it comes: by `read`, `iter_bytes` or `write_to_file`.

        Raises:
            NotFoundError: there is no such file.
        """
        bound, taken, _ = _prepare(self._core, "files", "files.content", provider, options, CallOptions)
        served = cast("FileProvider", bound.provider)
        source = await taken.send(served.open_file, validation.text(file_id, "file_id"))
        return AsyncBinaryResponse(source, max_bytes=taken.call.max_body_bytes)

    async def signed_url(
        self, file_id: str, *, provider: str | None = None, **params: Unpack[FileUrlParams]
    ) -> FileUrl:
        """A URL by which whoever has it can read a file, without a key, until it expires.

        Raises:
            UnsupportedFeatureError: the provider gives none; says who does.
            NotFoundError: there is no such file.
        """
        bound, taken, given = _prepare(self._core, "file_urls", "files.signed_url", provider, params, FileUrlParams)
        served = cast("FileUrlProvider", bound.provider)
        name = validation.text(file_id, "file_id")
        return await taken.send(served.create_file_url, name, given.get("expires_in"))

    async def delete(self, file_id: str, *, provider: str | None = None, **options: Unpack[CallOptions]) -> FileDeleted:
        """Delete a file.

        Raises:
            NotFoundError: there is no such file.
        """
        bound, taken, _ = _prepare(self._core, "files", "files.delete", provider, options, CallOptions)
        served = cast("FileProvider", bound.provider)
        return await taken.send(served.delete_file, validation.text(file_id, "file_id"))


def _prepare(  # noqa: PLR0917 - what the calls share
    core: Core, operation: str, call: str, provider: str | None, params: Mapping[str, Any], known: Any
) -> tuple[Bound, Options, dict[str, Any]]:
    name = core.config.default_provider if provider is None else validation.text(provider, "provider")
    given = validation.params(params, known, call)
    bound = core.require(name, operation)
    return bound, core.options(bound, given), given


def list_request(
    bound: Bound, options: Options, params: Mapping[str, Any], following: Mapping[str, str]
) -> ListRequest:
    """What asks for one page."""
    return ListRequest(
        provider=bound.provider.name,
        model="",
        params=dict(params),
        next=following,
        on_unsupported=options.on_unsupported,
    )


def _part_size(file: InputFile, size: int | None, given: int | None, largest: int) -> int:
    if size is None:
        raise InvalidRequestError(
            f"part_size: {file.filename!r} comes from a source that can be read once; give a path or bytes",
            param="part_size",
        )
    if given is not None and given > largest:
        raise InvalidRequestError(f"part_size: at most {largest} bytes, not {given}", param="part_size")
    return given or largest
