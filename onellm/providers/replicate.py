"""Replicate: models of any kind, each with inputs of its own, as runs that are called predictions.

https://replicate.com/docs/reference/http
"""

import asyncio
import base64
import math
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar
from urllib.parse import unquote_to_bytes
from weakref import WeakKeyDictionary

from msgspec import Struct, structs

from onellm.dialects.replicate.inputs import encode_chat, encode_images, encode_speech, encode_transcription
from onellm.dialects.replicate.models import decode_model, decode_page, encode_page
from onellm.dialects.replicate.outputs import created, decode_chat, decode_transcription, urls_of
from onellm.dialects.replicate.predictions import CODES, Prediction, Predictions, split
from onellm.dialects.replicate.schema import ModelSchema, decode_release, decode_schema
from onellm.errors import ConfigurationError, OneLLMError, ResponseDecodeError, UnsupportedFeatureError
from onellm.providers._prediction_run import PredictionStream, Run
from onellm.providers.answers import HttpBinary, locate
from onellm.providers.base import OPERATIONS, Call, ProviderSettings
from onellm.providers.http import HttpProvider
from onellm.providers.inline import read_whole
from onellm.providers.protocols import Binary, ChunkStream, ImageStream, SpeechStream, TranscriptionStream
from onellm.types.audio import AnyTranscription, SpeechRequest, TranscriptionRequest
from onellm.types.base import Answer
from onellm.types.chat import ChatCompletion
from onellm.types.chat_params import ChatRequest
from onellm.types.files import InputFile
from onellm.types.headers import head_of
from onellm.types.images import Image, ImageRequest, ImagesResponse
from onellm.types.models import ModelInfo
from onellm.types.pages import Listing
from onellm.types.request import Request

AnswerT = TypeVar("AnswerT", bound=Answer)

HOST = HttpProvider(name="replicate", base_url="https://api.replicate.com")
_DIALECT = Predictions(codes=CODES)
# Where its API hands out streams and files that want the key; finished files are for everybody who has their URL.
OWN_HOSTS = frozenset({"replicate.com", "replicate.net"})
_INTERVAL = 0.5
_LARGEST_INLINE = (
    256 << 10
)  # bytes of a file that stands in the request; https://replicate.com/docs/topics/predictions/input-files
_SERVES = ("chat", "transcriptions", "speech", "images", "models")
_MOST_SCHEMAS = 1024


class ReplicateProvider(Struct, frozen=True, kw_only=True):
    """Runs what a model's own description says it takes. What a model makes is up to the model."""

    name: str = "replicate"
    base_url: str | None = "https://api.replicate.com"
    base_url_env: tuple[str, ...] = ("REPLICATE_BASE_URL",)
    key_env: tuple[str, ...] = ("REPLICATE_API_TOKEN",)
    key_optional: bool = False
    option_env: Mapping[str, str | tuple[str, ...]] = {}
    docs: str = "https://replicate.com/docs/reference/http"
    notes: tuple[str, ...] = (
        'A model\'s own description says what it takes; what has no name here goes in `extra_body={"input": {…}}`.',
        "A model is `replicate/owner/name`, or `replicate/owner/name:version`.",
        "A deployment is `replicate/deployments/owner/name`.",
    )

    json_mode_support: bool = False
    vision_support: bool = True
    audio_input_support: bool = False
    streaming_support: bool = True
    realtime_support: bool = False
    function_calling_support: bool = False

    @property
    def operations(self) -> frozenset[str]:
        return frozenset(_SERVES)

    def get_model_capabilities(self, model: str) -> dict[str, bool]:  # noqa: ARG002 - only the model's page knows
        return {
            "json_mode_support": self.json_mode_support,
            "json_schema_support": False,
            "vision_support": self.vision_support,
            "audio_input_support": self.audio_input_support,
            "streaming_support": self.streaming_support,
            "realtime_support": self.realtime_support,
            "function_calling_support": self.function_calling_support,
            "reasoning_support": False,
            **{f"{name}_support": name in _SERVES for name in OPERATIONS},
        }

    def settle(self, settings: ProviderSettings) -> ProviderSettings:
        """The base URL without its version, which its own client leaves out too; and the interval as a number."""
        given = settings.options.get("poll_interval", _INTERVAL)
        try:
            interval = float(given)
        except (TypeError, ValueError):
            interval = math.nan
        if not 0 < interval < math.inf:
            raise ConfigurationError(f"replicate: poll_interval must be seconds above 0, not {given!r}")
        return structs.replace(
            settings,
            base_url=settings.base_url.removesuffix("/v1"),
            options={**settings.options, "poll_interval": interval},
        )

    async def create_chat_completion(self, request: ChatRequest, call: Call) -> ChatCompletion:
        request.adjustments.clear()
        run = self._run(call)
        try:
            schema = await self._schema(request.model, run)
            prediction = await self._whole(run, request, schema, encode_chat(request, schema))
            reply = decode_chat(prediction, request)
        except OneLLMError as exc:
            locate(exc, self.name, request.model)
        return self._signed(reply, prediction, request)

    async def stream_chat_completion(self, request: ChatRequest, call: Call) -> ChunkStream:
        request.adjustments.clear()
        run = self._run(call)
        try:
            schema = await self._schema(request.model, run)
            body = encode_chat(request, schema)
            prediction = await run.begin(_DIALECT.encode_create(request.model, schema, body, stream=True), request)
            stream = PredictionStream(run, _DIALECT, prediction, request, self.name)
            await stream.open()
        except OneLLMError as exc:
            locate(exc, self.name, request.model)
        return stream

    async def generate_images(self, request: ImageRequest, call: Call) -> ImagesResponse:
        request.adjustments.clear()
        run = self._run(call)
        try:
            schema = await self._schema(request.model, run)
            prediction = await self._whole(run, request, schema, encode_images(request, schema))
            urls = urls_of(prediction)
            if request.params.get("response_format") == "b64_json":
                images = await asyncio.gather(*(self._image(url, run, request) for url in urls))
            else:
                images = [Image(url=url) for url in urls]
        except OneLLMError as exc:
            locate(exc, self.name, request.model)
        return self._signed(ImagesResponse(created=created(prediction), data=images), prediction, request)

    async def stream_images(self, request: ImageRequest, call: Call) -> ImageStream:  # noqa: ARG002 - it has none
        self._streams_no("images")

    async def create_speech(self, request: SpeechRequest, call: Call) -> Binary:
        request.adjustments.clear()
        run = self._run(call)
        try:
            schema = await self._schema(request.model, run)
            prediction = await self._whole(run, request, schema, encode_speech(request, schema))
            binary = await self._file(urls_of(prediction)[0], run, request)
            binary.request_id, binary.head = prediction.request_id, head_of(prediction)
            await binary.open()
        except OneLLMError as exc:
            locate(exc, self.name, request.model)
        return binary

    async def stream_speech(self, request: SpeechRequest, call: Call) -> SpeechStream:  # noqa: ARG002 - it has none
        self._streams_no("speech")

    async def create_transcription(self, request: TranscriptionRequest, call: Call) -> AnyTranscription:
        request.adjustments.clear()
        run = self._run(call)
        try:
            schema = await self._schema(request.model, run)
            request.file = await read_whole(request.file, "file", limit=call.max_body_bytes)
            encode_transcription(request, schema, "")  # what is wrong with the call shows before a file is sent
            request.adjustments.clear()
            url = await self._input_file(request.file, run)
            prediction = await self._whole(run, request, schema, encode_transcription(request, schema, url))
            reply = decode_transcription(prediction, request)
        except OneLLMError as exc:
            locate(exc, self.name, request.model)
        return self._signed(reply, prediction, request)

    async def stream_transcription(self, request: TranscriptionRequest, call: Call) -> TranscriptionStream:  # noqa: ARG002 - it has none
        self._streams_no("transcriptions")

    async def list_models(self, call: Call) -> list[ModelInfo]:
        return (await self.list_models_page({}, call)).data

    async def list_models_page(self, query: Mapping[str, str], call: Call) -> Listing[ModelInfo]:
        """The public models, in the order that the host gives them."""
        if query and call.query:  # the caller's own is of the first page: what leads on goes before it
            call = structs.replace(call, query={name: own for name, own in call.query.items() if name not in query})
        http = encode_page(_DIALECT.prefix, query)
        listing = await HOST.fetch(_DIALECT, lambda: http, lambda body: decode_page(body, query), call)
        for model in listing.data:
            model.provider, model.request_id, model.head = self.name, listing.request_id, head_of(listing)
        return listing

    async def retrieve_model(self, model: str, call: Call) -> ModelInfo:
        """A model, one of its versions, or a deployment."""
        return await HOST.fetch(
            _DIALECT, lambda: _DIALECT.encode_schema(model), lambda body: decode_model(body, model), call, model=model
        )

    def _run(self, call: Call) -> Run:
        interval = call.settings.options.get("poll_interval", _INTERVAL)
        return Run(HOST, _DIALECT, call, interval, OWN_HOSTS)

    async def _whole(self, run: Run, request: Request, schema: ModelSchema, body: dict[str, Any]) -> Prediction:
        prediction = await run.begin(_DIALECT.encode_create(request.model, schema, body, wait=run.wait), request)
        return await run.end(prediction)

    async def _schema(self, model: str, run: Run) -> ModelSchema:
        """What a model takes: asked for once a client, also where many calls begin at once."""
        call = run.call()
        schemas: dict[str, ModelSchema] = call.settings.state.setdefault("schemas", {})
        if (found := schemas.get(model)) is not None:
            return found
        locks: WeakKeyDictionary[Any, dict[str, asyncio.Lock]] = call.settings.state.setdefault(
            "locks", WeakKeyDictionary()
        )
        lock = locks.setdefault(asyncio.get_running_loop(), {}).setdefault(model, asyncio.Lock())
        async with lock:
            if (found := schemas.get(model)) is None:
                described = model
                if split(model).deployment:
                    described = (await self._read(model, model, decode_release, run)).model
                found = await self._read(described, model, decode_schema, run)
                if described != model:
                    found.version = None  # the deployment has chosen it
                if len(schemas) < _MOST_SCHEMAS:
                    schemas[model] = found
        return found

    async def _read(self, name: str, model: str, decode: Callable[[bytes], AnswerT], run: Run) -> AnswerT:
        """What the host says of a name, for a call of `model`."""
        # A query of the caller's own is of the call, and what is kept is of all calls.
        call = structs.replace(run.call(), query=None)
        return await HOST.fetch(_DIALECT, lambda: _DIALECT.encode_schema(name), decode, call, model=model)

    async def _input_file(self, file: InputFile, run: Run) -> str:
        """A URL for a file that was read: one that holds it where it is small, else of the host's own store."""
        content = bytes(file.source)  # type: ignore[arg-type] # read whole
        if len(content) <= _LARGEST_INLINE:
            return f"data:{file.content_type};base64,{base64.b64encode(content).decode()}"
        http = _DIALECT.encode_upload(file)
        stored = await HOST.fetch(_DIALECT, lambda: http, _DIALECT.decode_upload, run.call())
        url = (stored.urls or {}).get("get")
        if not isinstance(url, str):
            raise ResponseDecodeError("the uploaded file has no URL", body=stored.raw)
        return url

    async def _file(self, url: str, run: Run, request: Request) -> HttpBinary:
        if not url.startswith("data:"):
            return HttpBinary(self.name, request, await run.open(url))
        head, _, data = url.removeprefix("data:").partition(",")
        kind = head.partition(";")[0] or "application/octet-stream"
        try:
            content = base64.b64decode(data) if head.endswith(";base64") else unquote_to_bytes(data)
        except ValueError as exc:
            raise ResponseDecodeError(f"the file is not base64: {exc}") from exc
        binary = HttpBinary(self.name, request, _Held())
        binary.holds(content, kind)
        return binary

    async def _image(self, url: str, run: Run, request: Request) -> Image:
        binary = await self._file(url, run, request)
        content = await binary.read_whole(run.limit)
        return Image(b64_json=base64.b64encode(content).decode(), media_type=binary.content_type)

    def _signed(self, reply: AnswerT, prediction: Prediction, request: Request) -> AnswerT:
        reply.provider = self.name
        reply.request_id, reply.head = prediction.request_id, head_of(prediction)
        reply.adjustments = tuple(request.adjustments)
        reply.raw = prediction.raw
        return reply

    def _streams_no(self, what: str) -> NoReturn:
        raise UnsupportedFeatureError(f"{self.name} does not stream {what}: leave stream out", provider=self.name)


class _Held:
    """The answer behind bytes that stood in another one: it has ended."""

    status = 200
    headers: Mapping[str, str] = {}

    async def read(self) -> bytes:
        return b""

    receive = read_error = read

    def rest(self) -> None:
        pass

    def failed(self, exc: BaseException) -> NoReturn:
        raise exc

    async def finish(self) -> None:
        pass

    def close(self) -> None:
        pass


PROVIDER = ReplicateProvider(option_env={"poll_interval": "REPLICATE_POLL_INTERVAL"})
