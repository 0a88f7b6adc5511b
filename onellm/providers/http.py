"""The one class behind every row: a provider that is reached over HTTP and speaks one dialect an operation."""

import time
from collections.abc import Mapping, Sequence
from typing import Generic, NoReturn, TypeVar
from urllib.parse import urlencode

from msgspec import Struct

from onellm.dialects.base import (
    ChatDialect,
    CompletionDialect,
    Dialect,
    EmbeddingDialect,
    ErrorDecoder,
    HttpRequest,
    ModelsDialect,
    ModerationDialect,
    Reducer,
    RerankDialect,
    StreamDialect,
)
from onellm.dialects.errors import request_id
from onellm.errors import OneLLMError, UnsupportedFeatureError
from onellm.providers.auth import BEARER, Auth, Outgoing
from onellm.providers.protocols import (
    OPERATIONS,
    Call,
    ChunkStream,
    CompletionStream,
    Response,
    ResponseStream,
)
from onellm.types.base import Answer
from onellm.types.chat import ChatCompletion
from onellm.types.chat_params import ChatRequest
from onellm.types.completions import Completion, CompletionRequest
from onellm.types.embeddings import CreateEmbeddingResponse, EmbeddingsRequest
from onellm.types.models import ModelInfo
from onellm.types.moderations import ModerationCreateResponse, ModerationRequest
from onellm.types.request import Request
from onellm.types.rerank import RerankRequest, RerankResponse

D = TypeVar("D")
RequestT = TypeVar("RequestT", bound=Request)
AnswerT = TypeVar("AnswerT", bound=Answer)
ChunkT = TypeVar("ChunkT", bound=Answer)

_USER_AGENT = "onellm"
_HTTP_ERROR = 300  # redirects are not followed with credentials: they are errors too


class HttpProvider(Struct, frozen=True, kw_only=True):
    """A provider as a row of data: where it is, how it knows its users, and the dialect of each operation.

    An operation without a dialect is not served. `docs` is where the row's facts come from.
    """

    name: str
    base_url: str | None
    key_env: tuple[str, ...] = ()
    base_url_env: tuple[str, ...] = ()
    key_optional: bool = False
    option_env: Mapping[str, str] = {}
    option_headers: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    auth: Auth = BEARER
    chat: ChatDialect | None = None
    completions: CompletionDialect | None = None
    embeddings: EmbeddingDialect | None = None
    models: ModelsDialect | None = None
    moderations: ModerationDialect | None = None
    rerank: RerankDialect | None = None
    docs: str = ""

    # --- what it can do, derived from the dialects ---

    @property
    def operations(self) -> frozenset[str]:
        return frozenset(name for name in OPERATIONS if getattr(self, name, None) is not None)

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
            **{f"{name}_support": name in self.operations for name in OPERATIONS},
        }

    # --- operations ---

    async def create_chat_completion(self, request: ChatRequest, call: Call) -> ChatCompletion:
        return await self._ask(self._dialect(self.chat, "chat"), request, call)

    async def stream_chat_completion(self, request: ChatRequest, call: Call) -> ChunkStream:
        return await self._ask_stream(self._dialect(self.chat, "chat"), request, call)

    async def create_completion(self, request: CompletionRequest, call: Call) -> Completion:
        return await self._ask(self._dialect(self.completions, "completions"), request, call)

    async def stream_completion(self, request: CompletionRequest, call: Call) -> CompletionStream:
        return await self._ask_stream(self._dialect(self.completions, "completions"), request, call)

    @property
    def max_embedding_inputs(self) -> int:
        return self._dialect(self.embeddings, "embeddings").max_inputs

    async def create_embeddings(self, request: EmbeddingsRequest, call: Call) -> CreateEmbeddingResponse:
        return await self._ask(self._dialect(self.embeddings, "embeddings"), request, call)

    async def create_rerank(self, request: RerankRequest, call: Call) -> RerankResponse:
        return await self._ask(self._dialect(self.rerank, "rerank"), request, call)

    async def create_moderation(self, request: ModerationRequest, call: Call) -> ModerationCreateResponse:
        return await self._ask(self._dialect(self.moderations, "moderations"), request, call)

    async def list_models(self, call: Call) -> list[ModelInfo]:
        dialect = self._dialect(self.models, "models")
        try:
            response = await self._send(dialect, dialect.encode_list(), call)
            models = dialect.decode_list(response.body)
        except OneLLMError as exc:
            _locate(exc, self.name, None)
        for model in models:
            model.provider = self.name
            model.request_id = request_id(response.headers)
        return models

    async def retrieve_model(self, model: str, call: Call) -> ModelInfo:
        dialect = self._dialect(self.models, "models")
        try:
            response = await self._send(dialect, dialect.encode_retrieve(model), call)
            found = dialect.decode_retrieve(response.body)
        except OneLLMError as exc:
            _locate(exc, self.name, model)
        found.provider = self.name
        found.request_id = request_id(response.headers)
        return found

    # --- how a request goes out ---

    def _dialect(self, dialect: D | None, operation: str) -> D:
        if dialect is None:
            raise UnsupportedFeatureError(f"{self.name} does not serve {operation}", provider=self.name)
        return dialect

    async def _ask(self, dialect: Dialect[RequestT, AnswerT], request: RequestT, call: Call) -> AnswerT:
        """Send one request, read one whole answer."""
        request.adjustments.clear()  # a retry encodes anew
        try:
            response = await self._send(dialect, dialect.encode_request(request), call)
            reply = dialect.decode_response(response.body, request)
        except OneLLMError as exc:
            _locate(exc, self.name, request.model)
        reply.provider = self.name
        reply.request_id = request_id(response.headers)
        reply.adjustments = tuple(request.adjustments)
        return reply

    async def _ask_stream(
        self, dialect: StreamDialect[RequestT, AnswerT, ChunkT], request: RequestT, call: Call
    ) -> "_HttpChunkStream[ChunkT, AnswerT]":
        """Send one request, read its answer up to the first chunk."""
        request.adjustments.clear()
        try:
            response = await self._open(dialect, dialect.encode_stream(request), call)
            return await _open_chunks(self.name, dialect, request, response, call)
        except OneLLMError as exc:
            _locate(exc, self.name, request.model)

    async def _send(self, dialect: ErrorDecoder, http: HttpRequest, call: Call) -> Response:
        url, headers = await self._address(http, call)
        response = await call.transport.request(
            http.method, url, headers=headers, body=http.body, timeouts=call.timeouts, proxy=call.settings.proxy
        )
        if response.status >= _HTTP_ERROR:
            raise dialect.decode_error(response.status, response.headers, response.body, now=time.time())
        return response

    async def _open(self, dialect: ErrorDecoder, http: HttpRequest, call: Call) -> ResponseStream:
        url, headers = await self._address(http, call)
        response = await call.transport.stream(
            http.method, url, headers=headers, body=http.body, timeouts=call.timeouts, proxy=call.settings.proxy
        )
        if response.status >= _HTTP_ERROR:
            body = await response.read_error()
            raise dialect.decode_error(response.status, response.headers, body, now=time.time())
        return response

    async def _address(self, http: HttpRequest, call: Call) -> tuple[str, dict[str, str]]:
        settings = call.settings
        hosted = http.hosted_at and settings.base_url == self.base_url
        url = http.hosted_at if hosted else f"{settings.base_url}/{http.path}"
        if http.query or call.query:
            url = f"{url}?{urlencode({**http.query, **(call.query or {})}, doseq=True)}"
        headers = {"User-Agent": _USER_AGENT, **self.headers, **settings.headers}
        if http.body is not None:
            headers["Content-Type"] = "application/json"
        headers.update(http.headers)
        headers.update(await self.auth.headers(Outgoing(http.method, url, http.body), settings))
        for name, value in (call.headers or {}).items():
            for ours in [ours for ours in headers if ours.lower() == name.lower()]:
                del headers[ours]
            if value is not None:
                headers[name] = value
        return url, headers


class _HttpChunkStream(Generic[ChunkT, AnswerT]):
    """A streamed answer: reads from the connection, folds through the dialect's reducer."""

    def __init__(
        self, provider: str, request: Request, response: ResponseStream, reducer: Reducer[ChunkT, AnswerT]
    ) -> None:
        self.request_id = request_id(response.headers)
        self._provider = provider
        self._model = request.model
        self._adjustments = tuple(request.adjustments)
        self._response = response
        self._reducer = reducer
        self._final: AnswerT | None = None
        self._first: Sequence[ChunkT] = ()

    async def open(self) -> None:
        """Read up to the first chunk, so that what fails before it can be tried again."""
        self._first = await self.read()

    async def read(self) -> Sequence[ChunkT]:
        if self._first:
            first, self._first = self._first, ()
            return first
        if self._final is not None:
            return ()
        try:
            return await self._read()
        except OneLLMError as exc:
            self._response.close()
            exc.request_id = exc.request_id or self.request_id
            _locate(exc, self._provider, self._model)

    async def _read(self) -> Sequence[ChunkT]:
        reducer = self._reducer
        while not (reducer.finished or reducer.error):
            data = await self._response.read()
            if not data:
                break
            chunks = reducer.feed(data)
            if chunks:
                for chunk in chunks:
                    chunk.provider = self._provider
                    chunk.request_id = self.request_id
                return chunks
        final = reducer.close()
        final.provider = self._provider
        final.request_id = self.request_id
        final.adjustments = self._adjustments
        await self._response.finish()
        self._final = final
        return ()

    def final(self) -> AnswerT:
        return self._reducer.close() if self._final is None else self._final

    def close(self) -> None:
        self._response.close()


async def _open_chunks(
    provider: str,
    dialect: StreamDialect[RequestT, AnswerT, ChunkT],
    request: RequestT,
    response: ResponseStream,
    call: Call,
) -> _HttpChunkStream[ChunkT, AnswerT]:
    if response.headers.get("Content-Type", "").startswith("application/json"):
        # Not a stream: an error inside a 200, or a host that does not stream, whose answer cannot be handed out.
        dialect.decode_response(await response.read_error(), request)
        raise UnsupportedFeatureError(f"{provider} answered a streamed call with one whole answer")
    reducer = dialect.reducer(request, max_event_bytes=call.max_event_bytes)
    stream = _HttpChunkStream(provider, request, response, reducer)
    try:
        await stream.open()
    except BaseException:
        stream.close()
        raise
    return stream


def _locate(exc: OneLLMError, provider: str, model: str | None) -> NoReturn:
    """Say in an error whose it is, and raise it on."""
    exc.provider = exc.provider or provider
    exc.model = exc.model or model
    raise exc
