"""The one class behind every row: a provider that is reached over HTTP and speaks one dialect an operation."""

# The types of all operations stand in annotations alone: what imports a row pays for those it uses.
from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from msgspec import structs

from onellm.dialects.base import CapabilityDialect, InlineBatchDialect
from onellm.errors import OneLLMError, UnsupportedFeatureError
from onellm.providers.answers import HttpBinary, is_json, locate, open_answer
from onellm.providers.base import OPERATIONS
from onellm.providers.deferred import DialectField, has_dialect
from onellm.providers.sending import HttpHost

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping, Sequence

    from onellm.dialects.protocols import (
        BatchDialect,
        ChatDialect,
        CompletionDialect,
        EmbeddingDialect,
        FileDialect,
        FileUrlDialect,
        ImageDialect,
        ModelsDialect,
        ModerationDialect,
        OcrDialect,
        RerankDialect,
        ResponseDialect,
        SpeechDialect,
        StreamDialect,
        TokenCountDialect,
        TranscriptionDialect,
        TranslationDialect,
        UploadDialect,
    )
    from onellm.dialects.realtime import RealtimeDialect, RealtimeTokenDialect
    from onellm.providers.base import Call, ProviderSettings
    from onellm.providers.protocols import (
        Binary,
        ChunkStream,
        CompletionStream,
        EventStream,
        ImageStream,
        RealtimeHost,
        SpeechStream,
        TranscriptionStream,
    )
    from onellm.types.audio import AnyTranscription, AnyTranslation, SpeechRequest, TranscriptionRequest
    from onellm.types.batches import Batch, BatchCreateRequest, BatchResult
    from onellm.types.capabilities import PublishedCapabilities
    from onellm.types.chat import ChatCompletion, TokenCount
    from onellm.types.chat_params import ChatRequest
    from onellm.types.completions import Completion, CompletionRequest
    from onellm.types.embeddings import CreateEmbeddingResponse, EmbeddingsRequest
    from onellm.types.file_objects import FileDeleted, FileObject, FileRequest, FileUrl, Upload, UploadPart
    from onellm.types.files import InputFile
    from onellm.types.images import ImageRequest, ImagesResponse
    from onellm.types.models import ModelInfo
    from onellm.types.moderations import ModerationCreateResponse, ModerationRequest
    from onellm.types.ocr import OcrRequest, OcrResponse
    from onellm.types.pages import Listing, ListRequest
    from onellm.types.realtime import RealtimeRequest, RealtimeToken
    from onellm.types.rerank import RerankRequest, RerankResponse
    from onellm.types.response_events import ResponseStreamEvent
    from onellm.types.response_items import ResponseOutputItem
    from onellm.types.response_params import ResponseRequest, StoredResponseRequest
    from onellm.types.responses import InputTokenCountResponse, ResponseDeleted
    from onellm.types.responses import Response as ModelResponse

D = TypeVar("D")


class HttpProvider(HttpHost, frozen=True, kw_only=True):
    """A provider as a row of data: where it is, how it knows its users, and the dialect of each operation.

    An operation without a dialect is not served. `docs` is where the row's facts come from; `notes` tell users what
    no field says, a sentence each.
    """

    key_env: tuple[str, ...] = ()
    base_url_env: tuple[str, ...] = ()
    key_optional: bool = False
    option_env: Mapping[str, str | tuple[str, ...]] = {}
    option_headers: Mapping[str, str] = {}
    chat: ChatDialect | None = None
    token_counts: TokenCountDialect | None = None
    completions: CompletionDialect | None = None
    responses: ResponseDialect | None = None
    embeddings: EmbeddingDialect | None = None
    transcriptions: TranscriptionDialect | None = None
    translations: TranslationDialect | None = None
    speech: SpeechDialect | None = None
    images: ImageDialect | None = None
    image_edits: ImageDialect | None = None
    image_variations: ImageDialect | None = None
    files: FileDialect | None = None
    file_urls: FileUrlDialect | None = None
    uploads: UploadDialect | None = None
    batches: BatchDialect | None = None
    models: ModelsDialect | None = None
    moderations: ModerationDialect | None = None
    rerank: RerankDialect | None = None
    ocr: OcrDialect | None = None
    realtime: RealtimeDialect | None = None
    realtime_tokens: RealtimeTokenDialect | None = None
    docs: str = ""
    notes: tuple[str, ...] = ()

    # --- what it can do, derived from the dialects ---

    @property
    def operations(self) -> frozenset[str]:
        return frozenset(name for name in OPERATIONS if has_dialect(self, name))

    @property
    def json_mode_support(self) -> bool:
        return self.chat is not None and "json_object" in self.chat.response_formats

    @property
    def vision_support(self) -> bool:
        return self.chat is not None and self.chat.vision

    @property
    def audio_input_support(self) -> bool:
        return self.chat is not None and self.chat.audio_input

    @property
    def streaming_support(self) -> bool:
        return self.chat is not None

    @property
    def realtime_support(self) -> bool:
        return "realtime" in self.operations

    @property
    def function_calling_support(self) -> bool:
        return self.chat is not None and self.chat.tools

    @property
    def native_options(self) -> frozenset[str]:
        """The arguments of native APIs, such as `anthropic=`, that its calls take."""
        return frozenset() if self.chat is None else self.chat.native_options

    def settle(self, settings: ProviderSettings) -> ProviderSettings:
        """The settings as its requests need them: called once a client, for what follows from options."""
        return settings

    def get_model_capabilities(self, model: str) -> dict[str, bool]:  # noqa: ARG002 - rows know hosts, not models
        return {
            "json_mode_support": self.json_mode_support,
            "vision_support": self.vision_support,
            "audio_input_support": self.audio_input_support,
            "streaming_support": self.streaming_support,
            "realtime_support": self.realtime_support,
            "function_calling_support": self.function_calling_support,
            "json_schema_support": self.chat is not None and "json_schema" in self.chat.response_formats,
            "reasoning_support": self.chat is not None and self.chat.reasoning,
            **({"prompt_caching_support": True} if getattr(self.chat, "caching", None) else {}),
            **{f"{name}_support": name in self.operations for name in OPERATIONS},
        }

    # --- operations ---

    # A coroutine handed on, and not one more around it: each costs every wake-up of the call.
    def create_chat_completion(self, request: ChatRequest, call: Call) -> Coroutine[Any, Any, ChatCompletion]:
        return self.ask(self._dialect(self.chat, "chat"), request, call)

    async def stream_chat_completion(self, request: ChatRequest, call: Call) -> ChunkStream:
        return await self.ask_stream(self._dialect(self.chat, "chat"), request, call)

    async def count_tokens(self, request: ChatRequest, call: Call) -> TokenCount:
        return await self.ask(self._dialect(self.token_counts, "token_counts"), request, call)

    async def create_completion(self, request: CompletionRequest, call: Call) -> Completion:
        return await self.ask(self._dialect(self.completions, "completions"), request, call)

    async def stream_completion(self, request: CompletionRequest, call: Call) -> CompletionStream:
        return await self.ask_stream(self._dialect(self.completions, "completions"), request, call)

    async def create_response(self, request: ResponseRequest, call: Call) -> ModelResponse:
        return await self.ask(self._dialect(self.responses, "responses"), request, call)

    async def stream_response(self, request: ResponseRequest, call: Call) -> EventStream:
        return await self.ask_stream(self._dialect(self.responses, "responses"), request, call)

    async def retrieve_response(self, request: StoredResponseRequest, call: Call) -> ModelResponse:
        dialect = self._dialect(self.responses, "responses")
        return await self.fetch(dialect, lambda: dialect.encode_retrieve(request), dialect.decode_stored, call)

    async def restream_response(self, request: StoredResponseRequest, call: Call) -> EventStream:
        dialect = self._dialect(self.responses, "responses")
        try:
            response = await self._open(dialect, dialect.encode_retrieve_stream(request), call)
            streams = cast("StreamDialect[StoredResponseRequest, ModelResponse, ResponseStreamEvent]", dialect)
            return await open_answer(self.name, streams, request, response, call)
        except OneLLMError as exc:
            locate(exc, self.name, None)

    async def delete_response(self, response_id: str, call: Call) -> ResponseDeleted:
        dialect = self._dialect(self.responses, "responses")
        return await self.fetch(dialect, lambda: dialect.encode_delete(response_id), dialect.decode_deleted, call)

    async def cancel_response(self, response_id: str, call: Call) -> ModelResponse:
        dialect = self._dialect(self.responses, "responses")
        return await self.fetch(dialect, lambda: dialect.encode_cancel(response_id), dialect.decode_stored, call)

    async def list_response_items(
        self, response_id: str, request: ListRequest, call: Call
    ) -> Listing[ResponseOutputItem]:
        dialect = self._dialect(self.responses, "responses")
        query = {**request.params, **request.next, **(call.query or {})}
        return await self.fetch(
            dialect,
            lambda: dialect.encode_items(response_id, request),
            lambda body: dialect.decode_items(body, query),
            call,
        )

    async def count_input_tokens(self, request: ResponseRequest, call: Call) -> InputTokenCountResponse:
        dialect = self._dialect(self.responses, "responses")
        request.adjustments.clear()
        counted = await self.fetch(
            dialect, lambda: dialect.encode_count(request), dialect.decode_count, call, model=request.model
        )
        counted.adjustments = tuple(request.adjustments)
        return counted

    @property
    def max_embedding_inputs(self) -> int:
        return self._dialect(self.embeddings, "embeddings").max_inputs

    @property
    def max_embedding_tokens(self) -> int | None:
        return self._dialect(self.embeddings, "embeddings").max_tokens

    async def create_embeddings(self, request: EmbeddingsRequest, call: Call) -> CreateEmbeddingResponse:
        return await self.ask(self._dialect(self.embeddings, "embeddings"), request, call)

    async def create_transcription(self, request: TranscriptionRequest, call: Call) -> AnyTranscription:
        return await self.ask(self._dialect(self.transcriptions, "transcriptions"), request, call)

    async def stream_transcription(self, request: TranscriptionRequest, call: Call) -> TranscriptionStream:
        return await self.ask_stream(self._dialect(self.transcriptions, "transcriptions"), request, call)

    async def create_translation(self, request: TranscriptionRequest, call: Call) -> AnyTranslation:
        return await self.ask(self._dialect(self.translations, "translations"), request, call)

    async def create_speech(self, request: SpeechRequest, call: Call) -> Binary:
        return await self.ask_audio(self._dialect(self.speech, "speech"), request, call)

    async def ask_audio(self, dialect: SpeechDialect, request: SpeechRequest, call: Call) -> Binary:
        """`ask` for an answer that is a file."""
        request.adjustments.clear()
        try:
            response = await self._open(dialect, dialect.encode_request(request), call, request)
            binary = HttpBinary(self.name, request, response)
            if dialect.json_answer or is_json(response):
                body = await binary.read_whole(call.max_body_bytes)
                binary.holds(dialect.decode_audio(body, request), dialect.content_type(request))
            await binary.open()
        except OneLLMError as exc:
            locate(exc, self.name, request.model)
        return binary

    async def stream_speech(self, request: SpeechRequest, call: Call) -> SpeechStream:
        return await self.ask_stream(self._dialect(self.speech, "speech"), request, call)

    async def generate_images(self, request: ImageRequest, call: Call) -> ImagesResponse:
        return await self.ask(self._dialect(self.images, "images"), request, call)

    async def stream_images(self, request: ImageRequest, call: Call) -> ImageStream:
        return await self.ask_stream(self._dialect(self.images, "images"), request, call)

    async def edit_images(self, request: ImageRequest, call: Call) -> ImagesResponse:
        dialect = self._dialect(self.image_edits, "image_edits")
        return await self.ask(dialect, await _with_images(dialect, request, call), call)

    async def stream_image_edits(self, request: ImageRequest, call: Call) -> ImageStream:
        dialect = self._dialect(self.image_edits, "image_edits")
        return await self.ask_stream(dialect, await _with_images(dialect, request, call), call)

    async def vary_image(self, request: ImageRequest, call: Call) -> ImagesResponse:
        return await self.ask(self._dialect(self.image_variations, "image_variations"), request, call)

    async def create_rerank(self, request: RerankRequest, call: Call) -> RerankResponse:
        return await self.ask(self._dialect(self.rerank, "rerank"), request, call)

    async def create_ocr(self, request: OcrRequest, call: Call) -> OcrResponse:
        dialect = self._dialect(self.ocr, "ocr")
        if not isinstance(request.document, dict):  # it stays read for another attempt
            from onellm.providers.inline import read_whole  # noqa: PLC0415 - only for those who use it

            request.document = await read_whole(request.document, "document", limit=call.max_body_bytes)
        return await self.ask(dialect, request, call)

    def realtime_host(self, request: RealtimeRequest, call: Call) -> RealtimeHost:
        from onellm.providers.realtime import HttpRealtimeHost  # noqa: PLC0415 - only for those who use it

        return HttpRealtimeHost(self, self._dialect(self.realtime, "realtime"), request, call)

    async def create_realtime_token(self, request: RealtimeRequest, seconds: int | None, call: Call) -> RealtimeToken:
        from onellm.providers.realtime import create_token  # noqa: PLC0415 - only for those who use it

        return await create_token(self, self._dialect(self.realtime_tokens, "realtime_tokens"), request, call, seconds)

    async def create_moderation(self, request: ModerationRequest, call: Call) -> ModerationCreateResponse:
        return await self.ask(self._dialect(self.moderations, "moderations"), request, call)

    async def create_file(self, request: FileRequest, call: Call) -> FileObject:
        dialect = self._dialect(self.files, "files")
        request.adjustments.clear()
        made = await self.fetch(dialect, lambda: dialect.encode_create(request), dialect.decode_file, call)
        made.adjustments = tuple(request.adjustments)
        return made

    async def list_files(self, request: ListRequest, call: Call) -> Listing[FileObject]:
        return await self._list(self._dialect(self.files, "files"), request, call)

    async def retrieve_file(self, file_id: str, call: Call) -> FileObject:
        dialect = self._dialect(self.files, "files")
        return await self.fetch(dialect, lambda: dialect.encode_retrieve(file_id), dialect.decode_file, call)

    async def open_file(self, file_id: str, call: Call) -> Binary:
        dialect = self._dialect(self.files, "files")
        return await self._open_binary(dialect, dialect.encode_content(file_id), call)

    async def delete_file(self, file_id: str, call: Call) -> FileDeleted:
        dialect = self._dialect(self.files, "files")
        return await self.fetch(dialect, lambda: dialect.encode_delete(file_id), dialect.decode_deleted, call)

    async def create_file_url(self, file_id: str, expires_in: int | None, call: Call) -> FileUrl:
        dialect = self._dialect(self.file_urls, "file_urls")
        return await self.fetch(
            dialect, lambda: dialect.encode_request(file_id, expires_in), dialect.decode_response, call
        )

    @property
    def largest_whole_file(self) -> int:
        return self._dialect(self.uploads, "uploads").largest_whole

    @property
    def largest_part(self) -> int:
        return self._dialect(self.uploads, "uploads").largest_part

    async def create_upload(self, request: FileRequest, size: int, call: Call) -> Upload:
        dialect = self._dialect(self.uploads, "uploads")
        return await self.fetch(dialect, lambda: dialect.encode_create(request, size), dialect.decode_upload, call)

    async def add_upload_part(self, upload_id: str, part: InputFile, call: Call) -> UploadPart:
        dialect = self._dialect(self.uploads, "uploads")
        return await self.fetch(dialect, lambda: dialect.encode_part(upload_id, part), dialect.decode_part, call)

    async def complete_upload(self, upload_id: str, part_ids: Sequence[str], call: Call) -> Upload:
        dialect = self._dialect(self.uploads, "uploads")
        return await self.fetch(
            dialect, lambda: dialect.encode_complete(upload_id, part_ids), dialect.decode_upload, call
        )

    async def cancel_upload(self, upload_id: str, call: Call) -> Upload:
        dialect = self._dialect(self.uploads, "uploads")
        call = structs.replace(call, body=None)  # the caller's own fields are the file's
        return await self.fetch(dialect, lambda: dialect.encode_cancel(upload_id), dialect.decode_upload, call)

    @property
    def one_batch_model(self) -> bool:
        return self._dialect(self.batches, "batches").one_model

    @property
    def inline_batches(self) -> bool:
        return isinstance(self.batches, InlineBatchDialect)

    @property
    def most_inline_requests(self) -> int | None:
        return self.batches.most_inline if isinstance(self.batches, InlineBatchDialect) else None

    def check_batch(self, request: BatchCreateRequest) -> None:
        self._dialect(self.batches, "batches").encode_create(request)

    def encode_batch_line(self, custom_id: str, body: Mapping[str, Any], endpoint: str) -> bytes:
        return self._dialect(self.batches, "batches").encode_line(custom_id, body, endpoint)

    async def create_batch(self, request: BatchCreateRequest, call: Call) -> Batch:
        dialect = self._dialect(self.batches, "batches")
        request.adjustments.clear()
        made = await self.fetch(dialect, lambda: dialect.encode_create(request), dialect.decode_batch, call)
        made.adjustments = tuple(request.adjustments)
        return made

    async def list_batches(self, request: ListRequest, call: Call) -> Listing[Batch]:
        return await self._list(self._dialect(self.batches, "batches"), request, call)

    async def retrieve_batch(self, batch_id: str, call: Call) -> Batch:
        dialect = self._dialect(self.batches, "batches")
        return await self.fetch(dialect, lambda: dialect.encode_retrieve(batch_id), dialect.decode_batch, call)

    async def cancel_batch(self, batch_id: str, call: Call) -> Batch:
        dialect = self._dialect(self.batches, "batches")
        return await self.fetch(dialect, lambda: dialect.encode_cancel(batch_id), dialect.decode_batch, call)

    async def open_batch_results(self, batch: Batch, call: Call) -> Binary:
        dialect = self._dialect(self.batches, "batches")
        if not isinstance(dialect, InlineBatchDialect):
            raise UnsupportedFeatureError(f"{self.name} keeps the results of batches in files", provider=self.name)
        return await self._open_binary(dialect, dialect.encode_results(batch), call)

    def read_batch_line(self, line: bytes, batch: Batch) -> BatchResult:
        from onellm.providers._batch_lines import read_line  # noqa: PLC0415 - only for those who use it

        return read_line(self, self._dialect(self.batches, "batches"), line, batch)

    async def list_models(self, call: Call) -> list[ModelInfo]:
        dialect = self._dialect(self.models, "models")
        try:
            response = await self._send(dialect, dialect.encode_list(), call)
            models = dialect.decode_list(response.body)
        except OneLLMError as exc:
            locate(exc, self.name, None)
        self._sign(models, response)
        return models

    async def retrieve_model(self, model: str, call: Call) -> ModelInfo:
        dialect = self._dialect(self.models, "models")
        return await self.fetch(
            dialect, lambda: dialect.encode_retrieve(model), dialect.decode_retrieve, call, model=model
        )

    @property
    def publishes_capabilities(self) -> bool:
        """Whether it can be asked what a model can do."""
        models = self.models
        return isinstance(models, CapabilityDialect) and models.encode_capabilities("model") is not None

    async def published_capabilities(self, model: str, call: Call) -> PublishedCapabilities | None:
        models = self.models
        http = models.encode_capabilities(model) if isinstance(models, CapabilityDialect) else None
        if http is None or not isinstance(models, CapabilityDialect):
            return None
        try:
            response = await self._send(models, http, call)
            found = models.decode_capabilities(response.body, model)
        except OneLLMError as exc:
            locate(exc, self.name, model)
        if found is not None:
            self._sign([found], response)
        return found

    def _dialect(self, dialect: D | None, operation: str) -> D:
        if dialect is None:
            raise UnsupportedFeatureError(f"{self.name} does not serve {operation}", provider=self.name)
        return dialect


for _name in {*OPERATIONS} & {*HttpProvider.__struct_fields__}:
    setattr(HttpProvider, _name, DialectField(getattr(HttpProvider, _name)))


async def _with_images(dialect: ImageDialect, request: ImageRequest, call: Call) -> ImageRequest:
    """The request with its images read, where they go into JSON. They stay read for another attempt."""
    if dialect.inline:
        from onellm.providers.inline import read_whole  # noqa: PLC0415 - only for those who use it

        limit = call.max_body_bytes
        request.images = [await read_whole(image, "image", limit=limit) for image in request.images]
    return request
