# GENERATED from onellm/resources/files.py by onellm._sync.generate. Do not edit: run make sync.

"""`files`. https://platform.openai.com/docs/api-reference/files"""

from typing_extensions import Unpack

from onellm._sync.binary import BinaryResponse
from onellm._sync.iteration import awaited
from onellm._sync.pages import Page
from onellm._sync.portal import run
from onellm.resources.files import AsyncFiles
from onellm.types.file_objects import FileCreateParams, FileDeleted, FileListParams, FileObject, FileUrl, FileUrlParams
from onellm.types.files import FileInput
from onellm.types.options import CallOptions


class Files:
    """Files that a provider keeps. `provider` names whose; the default provider's where it is not given."""

    def __init__(self, held: AsyncFiles) -> None:
        self._async = held

    def create(
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
        return run(self._async.create(file=file, purpose=purpose, provider=provider, **params))

    def list(self, *, provider: str | None = None, **params: Unpack[FileListParams]) -> Page[FileObject]:
        """The files, of all pages where one iterates, or of the first page alone.

        Raises:
            UsageError: the call is wrong; nothing was sent.
            APIConnectionError, APIStatusError: when a page is asked for: no answer, or a refusal.
        """
        return Page(run(awaited(self._async.list(provider=provider, **params))))

    def retrieve(self, file_id: str, *, provider: str | None = None, **options: Unpack[CallOptions]) -> FileObject:
        """What the provider says of a file.

        Raises:
            NotFoundError: there is no such file.
        """
        return run(self._async.retrieve(file_id, provider=provider, **options))

    def content(self, file_id: str, *, provider: str | None = None, **options: Unpack[CallOptions]) -> BinaryResponse:
        """The content of a file, read as it comes: by `read`, `iter_bytes` or `write_to_file`.

        Raises:
            NotFoundError: there is no such file.
        """
        return BinaryResponse(run(self._async.content(file_id, provider=provider, **options)))

    def signed_url(self, file_id: str, *, provider: str | None = None, **params: Unpack[FileUrlParams]) -> FileUrl:
        """A URL by which whoever has it can read a file, without a key, until it expires.

        Raises:
            UnsupportedFeatureError: the provider gives none; says who does.
            NotFoundError: there is no such file.
        """
        return run(self._async.signed_url(file_id, provider=provider, **params))

    def delete(self, file_id: str, *, provider: str | None = None, **options: Unpack[CallOptions]) -> FileDeleted:
        """Delete a file.

        Raises:
            NotFoundError: there is no such file.
        """
        return run(self._async.delete(file_id, provider=provider, **options))
