"""What a provider is: any object of the right shape, no base class.

A provider that is only a row of data becomes one through `HttpProvider`; one that runs in the process, or that a
third party brings, satisfies these directly. It takes part in an operation by having its method.
"""

# The types of all operations stand in annotations alone: what imports a client pays for those it uses.
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, runtime_checkable

# Exported: they belong to what a provider is, and stand apart because every call needs them.
from onellm.providers.base import Call as Call  # noqa: PLC0414, TC001
from onellm.providers.base import Configurable as Configurable  # noqa: PLC0414
from onellm.providers.base import CountsInputs as CountsInputs  # noqa: PLC0414
from onellm.providers.base import Provider as Provider  # noqa: PLC0414
from onellm.providers.base import ProviderSettings as ProviderSettings  # noqa: PLC0414
from onellm.providers.base import ReadsBaseUrl as ReadsBaseUrl  # noqa: PLC0414
from onellm.providers.base import Settles as Settles  # noqa: PLC0414
from onellm.types.base import Answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from typing import NoReturn

    from onellm.dialects.realtime import Ending, RealtimeCodec
    from onellm.types.audio import (
        AnyTranscription,
        AnyTranslation,
        SpeechAudioDoneEvent,
        SpeechRequest,
        SpeechStreamEvent,
        TranscriptionRequest,
        TranscriptionStreamEvent,
    )
    from onellm.types.batches import Batch, BatchCreateRequest, BatchResult
    from onellm.types.capabilities import PublishedCapabilities
    from onellm.types.chat import ChatCompletion, ChatCompletionChunk, TokenCount
    from onellm.types.chat_params import ChatRequest
    from onellm.types.completions import Completion, CompletionRequest
    from onellm.types.embeddings import CreateEmbeddingResponse, EmbeddingsRequest
    from onellm.types.file_objects import FileDeleted, FileObject, FileRequest, FileUrl, Upload, UploadPart
    from onellm.types.files import Form, InputFile
    from onellm.types.images import ImageRequest, ImagesResponse, ImageStreamEvent
    from onellm.types.models import ModelDeleted, ModelInfo, PullProgress, PullRequest
    from onellm.types.moderations import ModerationCreateResponse, ModerationRequest
    from onellm.types.ocr import OcrRequest, OcrResponse
    from onellm.types.options import Timeouts
    from onellm.types.pages import Listing, ListRequest
    from onellm.types.realtime import RealtimeRequest, RealtimeToken
    from onellm.types.request import Request
    from onellm.types.rerank import RerankRequest, RerankResponse
    from onellm.types.response_events import ResponseStreamEvent
    from onellm.types.response_items import ResponseOutputItem
    from onellm.types.response_params import ResponseRequest, StoredResponseRequest
    from onellm.types.responses import InputTokenCountResponse, ResponseDeleted
    from onellm.types.responses import Response as ModelResponse

ChunkT_co = TypeVar("ChunkT_co", bound=Answer, covariant=True)
AnswerT_co = TypeVar("AnswerT_co", bound=Answer, covariant=True)


class Response(Protocol):
    """A whole HTTP answer."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def body(self) -> bytes: ...


class ResponseStream(Protocol):
    """An HTTP answer that is read as it comes."""

    status: int
    headers: Mapping[str, str]

    async def read(self) -> bytes: ...
    def receive(self) -> Awaitable[bytes]:
        """`read` in parts: then `rest`, or where it raised `failed`, and after b"" `finish` or `close`."""
        ...

    @property
    def rest(self) -> Callable[[], object]: ...
    def failed(self, exc: BaseException) -> NoReturn: ...
    async def read_error(self) -> bytes: ...
    async def finish(self) -> None: ...
    def close(self) -> None: ...


class Socket(Protocol):
    """A WebSocket, or a refusal of one: then `status` is not 101, and `body` says why.

    code, reason:  of the close frame, once `receive` has given None; 1006 where there was none
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    code: int
    reason: str

    @property
    def closed(self) -> bool: ...

    async def receive(self) -> bytes | None:
        """The next frame, text or binary; None is the end."""
        ...

    def send_now(self, frame: bytes) -> None:
        """Send a text frame without waiting for the socket to take it.

        Raises:
            APIConnectionError: the connection is gone.
        """
        ...

    async def send(self, frame: bytes, limit: float | None) -> None:
        """Send a text frame; where the socket is full, wait for at most `limit` seconds.

        Raises:
            APIConnectionError: the connection is gone, or takes nothing.
        """
        ...

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        """Close it, and wait for the other side, but not for long."""
        ...

    def close_now(self) -> None:
        """End it now. Safe to call twice, and from another thread."""
        ...


class Transport(Protocol):
    """What sends requests."""

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | Form | None,
        timeouts: Timeouts,
        proxy: str | None = None,
    ) -> Response: ...

    async def stream(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | Form | None,
        timeouts: Timeouts,
        proxy: str | None = None,
    ) -> ResponseStream: ...

    async def connect(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        subprotocols: tuple[str, ...] = (),
        timeouts: Timeouts,
        proxy: str | None = None,
    ) -> Socket: ...

    async def aclose(self) -> None: ...


class Pace(Protocol):
    """Lets the requests of a provider out, each when it is its turn."""

    async def enter(self, call: Call, body: object, request: Request) -> Call:
        """Wait for the turn of a request to a model, and give the call to send it through.

        The turn is over when the answer of that call's transport is, or where none is asked for at `give_up`.

        Raises:
            APITimeoutError: it did not come within the total limit; `phase` is "queue".
        """
        ...

    def give_up(self, call: Call) -> None:
        """End the turn of a call that `enter` gave, unless its request has gone out."""
        ...


class AnswerStream(Protocol[ChunkT_co, AnswerT_co]):
    """A streamed answer."""

    @property
    def request_id(self) -> str | None: ...

    async def read(self) -> Sequence[ChunkT_co]:
        """The chunks of one network read; none is the end.

        Raises:
            StreamInterruptedError: the stream ended before its terminal event.
        """
        ...

    def final(self) -> AnswerT_co:
        """The whole answer, once `read` has given none."""
        ...

    def close(self) -> None:
        """End the stream now. Safe to call twice, and from another thread."""
        ...


ChunkStream: TypeAlias = "AnswerStream[ChatCompletionChunk, ChatCompletion]"
CompletionStream: TypeAlias = "AnswerStream[Completion, Completion]"
TranscriptionStream: TypeAlias = "AnswerStream[TranscriptionStreamEvent, AnyTranscription]"
ImageStream: TypeAlias = "AnswerStream[ImageStreamEvent, ImagesResponse]"
EventStream: TypeAlias = "AnswerStream[ResponseStreamEvent, ModelResponse]"
SpeechStream: TypeAlias = "AnswerStream[SpeechStreamEvent, SpeechAudioDoneEvent]"
PullStream: TypeAlias = "AnswerStream[PullProgress, PullProgress]"


class Binary(Protocol):
    """An answer of bytes that is read as it comes.

    content_type:    what the bytes are
    content_length:  how many there are, where that was said
    """

    @property
    def provider(self) -> str: ...
    @property
    def request_id(self) -> str | None: ...
    @property
    def adjustments(self) -> tuple[str, ...]: ...
    @property
    def content_type(self) -> str: ...
    @property
    def content_length(self) -> int | None: ...

    async def read(self) -> bytes:
        """What has come since the last read, waiting for something; b"" is the end."""
        ...

    def close(self) -> None:
        """End it now. Safe to call twice, and from another thread."""
        ...


@runtime_checkable
class ChatProvider(Protocol):
    """Serves `chat.completions`."""

    async def create_chat_completion(self, request: ChatRequest, call: Call) -> ChatCompletion: ...

    async def stream_chat_completion(self, request: ChatRequest, call: Call) -> ChunkStream:
        """Open a stream, up to and with its first chunk."""
        ...


@runtime_checkable
class TokenCountProvider(Protocol):
    """Serves `chat.completions.count_tokens`."""

    async def count_tokens(self, request: ChatRequest, call: Call) -> TokenCount: ...


@runtime_checkable
class CompletionProvider(Protocol):
    """Serves `completions`."""

    async def create_completion(self, request: CompletionRequest, call: Call) -> Completion: ...

    async def stream_completion(self, request: CompletionRequest, call: Call) -> CompletionStream:
        """Open a stream, up to and with its first chunk."""
        ...


@runtime_checkable
class ResponseProvider(Protocol):
    """Serves `responses`. One that keeps none raises `UnsupportedFeatureError` where it is asked for them again."""

    async def create_response(self, request: ResponseRequest, call: Call) -> ModelResponse: ...

    async def stream_response(self, request: ResponseRequest, call: Call) -> EventStream:
        """Open a stream, up to and with its first event."""
        ...

    async def retrieve_response(self, request: StoredResponseRequest, call: Call) -> ModelResponse: ...

    async def restream_response(self, request: StoredResponseRequest, call: Call) -> EventStream:
        """Open the stream of a response that was begun before, up to and with its first event."""
        ...

    async def delete_response(self, response_id: str, call: Call) -> ResponseDeleted: ...
    async def cancel_response(self, response_id: str, call: Call) -> ModelResponse: ...

    async def list_response_items(
        self, response_id: str, request: ListRequest, call: Call
    ) -> Listing[ResponseOutputItem]: ...

    async def count_input_tokens(self, request: ResponseRequest, call: Call) -> InputTokenCountResponse: ...


@runtime_checkable
class TranscriptionProvider(Protocol):
    """Serves `audio.transcriptions`. An answer of plain text is a `Transcription` with that text."""

    async def create_transcription(self, request: TranscriptionRequest, call: Call) -> AnyTranscription: ...

    async def stream_transcription(self, request: TranscriptionRequest, call: Call) -> TranscriptionStream:
        """Open a stream, up to and with its first event."""
        ...


@runtime_checkable
class TranslationProvider(Protocol):
    """Serves `audio.translations`. An answer of plain text is a `Translation` with that text."""

    async def create_translation(self, request: TranscriptionRequest, call: Call) -> AnyTranslation: ...


@runtime_checkable
class SpeechProvider(Protocol):
    """Serves `audio.speech`."""

    async def create_speech(self, request: SpeechRequest, call: Call) -> Binary:
        """Open the answer, up to its first byte."""
        ...

    async def stream_speech(self, request: SpeechRequest, call: Call) -> SpeechStream:
        """Open a stream of events, up to and with its first."""
        ...


@runtime_checkable
class ImageProvider(Protocol):
    """Serves `images.generate`."""

    async def generate_images(self, request: ImageRequest, call: Call) -> ImagesResponse: ...

    async def stream_images(self, request: ImageRequest, call: Call) -> ImageStream:
        """Open a stream, up to and with its first event."""
        ...


@runtime_checkable
class ImageEditProvider(Protocol):
    """Serves `images.edit`."""

    async def edit_images(self, request: ImageRequest, call: Call) -> ImagesResponse: ...

    async def stream_image_edits(self, request: ImageRequest, call: Call) -> ImageStream:
        """Open a stream, up to and with its first event."""
        ...


@runtime_checkable
class ImageVariationProvider(Protocol):
    """Serves `images.create_variation`."""

    async def vary_image(self, request: ImageRequest, call: Call) -> ImagesResponse: ...


@runtime_checkable
class EmbeddingProvider(Protocol):
    """Serves `embeddings`. `max_embedding_inputs` is how many inputs one request may have, `max_embedding_tokens` how
    many tokens in all, where that is bounded.
    """

    @property
    def max_embedding_inputs(self) -> int: ...
    @property
    def max_embedding_tokens(self) -> int | None: ...

    async def create_embeddings(self, request: EmbeddingsRequest, call: Call) -> CreateEmbeddingResponse: ...


@runtime_checkable
class RerankProvider(Protocol):
    """Serves `rerank`."""

    async def create_rerank(self, request: RerankRequest, call: Call) -> RerankResponse: ...


@runtime_checkable
class OcrProvider(Protocol):
    """Serves `ocr`."""

    async def create_ocr(self, request: OcrRequest, call: Call) -> OcrResponse: ...


class RealtimeHost(Protocol):
    """Where a realtime session is held: it may need more than one connection."""

    def codec(self) -> RealtimeCodec:
        """The codec of a new session.

        Raises:
            UnsupportedParameterError: the provider cannot express an argument.
        """
        ...

    async def connect(self) -> Socket:
        """A new connection.

        Raises:
            APIConnectionError: there is none.
            APIStatusError: the provider refused it.
        """
        ...

    def ending(self, code: int, reason: str) -> Ending:
        """What the end of a connection means."""
        ...


@runtime_checkable
class RealtimeProvider(Protocol):
    """Serves `realtime.connect`."""

    def realtime_host(self, request: RealtimeRequest, call: Call) -> RealtimeHost: ...


@runtime_checkable
class RealtimeTokenProvider(Protocol):
    """Serves `realtime.create_token`."""

    async def create_realtime_token(
        self, request: RealtimeRequest, seconds: int | None, call: Call
    ) -> RealtimeToken: ...


@runtime_checkable
class ModerationProvider(Protocol):
    """Serves `moderations`."""

    async def create_moderation(self, request: ModerationRequest, call: Call) -> ModerationCreateResponse: ...


@runtime_checkable
class ModelProvider(Protocol):
    """Serves `models`."""

    async def list_models(self, call: Call) -> list[ModelInfo]: ...
    async def retrieve_model(self, model: str, call: Call) -> ModelInfo: ...


@runtime_checkable
class PagedModelProvider(Protocol):
    """A provider of models whose list comes in pages; its `list_models` is the first of them."""

    async def list_models_page(self, query: Mapping[str, str], call: Call) -> Listing[ModelInfo]:
        """One page: the first where the query is empty, else the one that a page's `next` has asked for."""
        ...


@runtime_checkable
class CapabilityProvider(Protocol):
    """Can be asked what a model can do; `publishes_capabilities` where it has an answer."""

    @property
    def publishes_capabilities(self) -> bool: ...

    async def published_capabilities(self, model: str, call: Call) -> PublishedCapabilities | None:
        """What it says of a model; None where it does not know it."""
        ...


@runtime_checkable
class ModelStoreProvider(Protocol):
    """Serves `models.pull` and `models.delete`: it has models that are fetched and deleted."""

    async def pull_model(self, request: PullRequest, call: Call) -> PullStream:
        """Begin to fetch a model, up to and with the first word of progress."""
        ...

    async def delete_model(self, model: str, call: Call) -> ModelDeleted: ...


@runtime_checkable
class FileProvider(Protocol):
    """Serves `files`."""

    async def create_file(self, request: FileRequest, call: Call) -> FileObject: ...
    async def list_files(self, request: ListRequest, call: Call) -> Listing[FileObject]: ...
    async def retrieve_file(self, file_id: str, call: Call) -> FileObject: ...

    async def open_file(self, file_id: str, call: Call) -> Binary:
        """Open the content, up to its first byte."""
        ...

    async def delete_file(self, file_id: str, call: Call) -> FileDeleted: ...


@runtime_checkable
class FileUrlProvider(Protocol):
    """Gives URLs by which its files can be read without a key. `expires_in` is seconds; None leaves it to the host."""

    async def create_file_url(self, file_id: str, expires_in: int | None, call: Call) -> FileUrl: ...


@runtime_checkable
class UploadProvider(Protocol):
    """Takes files in parts. `largest_whole_file` and `largest_part` are bytes."""

    @property
    def largest_whole_file(self) -> int: ...
    @property
    def largest_part(self) -> int: ...
    async def create_upload(self, request: FileRequest, size: int, call: Call) -> Upload: ...
    async def add_upload_part(self, upload_id: str, part: InputFile, call: Call) -> UploadPart: ...
    async def complete_upload(self, upload_id: str, part_ids: Sequence[str], call: Call) -> Upload: ...
    async def cancel_upload(self, upload_id: str, call: Call) -> Upload: ...


@runtime_checkable
class BatchProvider(Protocol):
    """Serves `batches`. With `one_batch_model` a batch has one model for all its requests."""

    @property
    def one_batch_model(self) -> bool: ...

    def check_batch(self, request: BatchCreateRequest) -> None:
        """Raise what `create_batch` would say of the call itself: before the requests are sent."""
        ...

    def encode_batch_line(self, custom_id: str, body: Mapping[str, Any], endpoint: str) -> bytes:
        """A request as a line of the file that a batch is made of."""
        ...

    async def create_batch(self, request: BatchCreateRequest, call: Call) -> Batch: ...
    async def list_batches(self, request: ListRequest, call: Call) -> Listing[Batch]: ...
    async def retrieve_batch(self, batch_id: str, call: Call) -> Batch: ...
    async def cancel_batch(self, batch_id: str, call: Call) -> Batch: ...

    def read_batch_line(self, line: bytes, batch: Batch) -> BatchResult:
        """A line of a file of results. What it cannot be read as is its error, and nothing is raised."""
        ...


@runtime_checkable
class InlineBatchProvider(Protocol):
    """A `BatchProvider` that may take the requests in `BatchCreateRequest.lines`, and give results without a file."""

    @property
    def inline_batches(self) -> bool:
        """Whether it does; else batches are made of files."""
        ...

    @property
    def most_inline_requests(self) -> int | None:
        """The most that a batch takes in this way; of more a file is made. None where it makes none of files."""
        ...

    async def open_batch_results(self, batch: Batch, call: Call) -> Binary:
        """Open the results of a batch that has ended, up to the first byte: lines for `read_batch_line`."""
        ...


PROTOCOLS: dict[str, type] = {
    "chat": ChatProvider,
    "token_counts": TokenCountProvider,
    "completions": CompletionProvider,
    "responses": ResponseProvider,
    "embeddings": EmbeddingProvider,
    "transcriptions": TranscriptionProvider,
    "translations": TranslationProvider,
    "speech": SpeechProvider,
    "images": ImageProvider,
    "image_edits": ImageEditProvider,
    "image_variations": ImageVariationProvider,
    "files": FileProvider,
    "file_urls": FileUrlProvider,
    "uploads": UploadProvider,
    "batches": BatchProvider,
    "models": ModelProvider,
    "model_store": ModelStoreProvider,
    "moderations": ModerationProvider,
    "rerank": RerankProvider,
    "ocr": OcrProvider,
    "realtime": RealtimeProvider,
    "realtime_tokens": RealtimeTokenProvider,
}
"""What the methods of each operation are."""
