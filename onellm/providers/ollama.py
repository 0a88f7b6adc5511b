"""Ollama: its own API, of a server at hand or of its cloud. https://docs.ollama.com/api"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar
from urllib.parse import urlsplit, urlunsplit

import msgspec
from msgspec import Struct

from onellm.dialects.base import ErrorDecoder, HttpRequest
from onellm.dialects.ollama.chat import OllamaChat
from onellm.dialects.ollama.models import OllamaModels, OllamaStore
from onellm.errors import APIConnectionError, AuthenticationError, ConfigurationError, NotFoundError, OneLLMError
from onellm.providers.answers import HttpAnswerStream
from onellm.providers.base import Call, ProviderSettings
from onellm.providers.http import HttpProvider
from onellm.providers.named import OllamaCompletions, OllamaEmbeddings
from onellm.providers.protocols import PullStream
from onellm.types.base import Answer
from onellm.types.models import ModelDeleted, ModelInfo, PullRequest
from onellm.types.request import Request

if TYPE_CHECKING:
    from onellm.dialects.protocols import Dialect, StreamDialect

RequestT = TypeVar("RequestT", bound=Request)
AnswerT = TypeVar("AnswerT", bound=Answer)
ChunkT = TypeVar("ChunkT", bound=Answer)

_PORT = 11434
_PORTS = {"http": 80, "https": 443}
_ANY_ADDRESS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what a server listens at
_CLOUD = "ollama.com"


class _Refusal(Struct, gc=False):
    signin_url: str = ""


class OllamaProvider(HttpProvider, frozen=True, kw_only=True):
    """A server whose models are fetched first: what is not there says how, or is fetched with `auto_pull`."""

    model_store: OllamaStore | None = None

    def read_base_url(self, url: str) -> tuple[str, dict[str, Any]]:
        """An address as `OLLAMA_HOST` has it: scheme and port may be left out, and so may the host."""
        return read_host(url), {}

    def settle(self, settings: ProviderSettings) -> ProviderSettings:
        pulls = settings.options.get("auto_pull", False)
        if not isinstance(pulls, bool):
            raise ConfigurationError(f"auto_pull is true or false, not {pulls!r}", provider=self.name)
        return settings

    async def ask(self, dialect: "Dialect[RequestT, AnswerT]", request: RequestT, call: Call) -> AnswerT:
        try:
            return await super().ask(dialect, request, call)
        except OneLLMError as exc:
            if not self._may_pull(exc, call):
                self._explain(exc, call)
        await self._pull_whole(request.model, call)
        return await super().ask(dialect, request, call)

    async def ask_stream(
        self, dialect: "StreamDialect[RequestT, AnswerT, ChunkT]", request: RequestT, call: Call
    ) -> HttpAnswerStream[ChunkT, AnswerT]:
        try:
            return await super().ask_stream(dialect, request, call)
        except OneLLMError as exc:
            if not self._may_pull(exc, call):
                self._explain(exc, call)
        await self._pull_whole(request.model, call)
        return await super().ask_stream(dialect, request, call)

    async def fetch(
        self,
        dialect: ErrorDecoder,
        encode: Callable[[], HttpRequest],
        decode: Callable[[bytes], AnswerT],
        call: Call,
        *,
        model: str | None = None,
    ) -> AnswerT:
        try:
            return await super().fetch(dialect, encode, decode, call, model=model)
        except OneLLMError as exc:
            self._explain(exc, call)

    async def list_models(self, call: Call) -> list[ModelInfo]:
        try:
            return await super().list_models(call)
        except OneLLMError as exc:
            self._explain(exc, call)

    async def retrieve_model(self, model: str, call: Call) -> ModelInfo:
        found = await super().retrieve_model(model, call)
        found.id = model
        return found

    async def pull_model(self, request: PullRequest, call: Call) -> PullStream:
        try:
            return await super().ask_stream(self._dialect(self.model_store, "model_store"), request, call)
        except OneLLMError as exc:
            self._explain(exc, call, pulls=False)

    async def delete_model(self, model: str, call: Call) -> ModelDeleted:
        dialect = self._dialect(self.model_store, "model_store")
        try:
            return await super().fetch(
                dialect,
                lambda: dialect.encode_delete(model),
                lambda body: dialect.decode_deleted(body, model),
                call,
                model=model,
            )
        except OneLLMError as exc:
            self._explain(exc, call, pulls=False)

    def _may_pull(self, exc: OneLLMError, call: Call) -> bool:
        return isinstance(exc, NotFoundError) and bool(call.settings.options.get("auto_pull"))

    async def _pull_whole(self, model: str, call: Call) -> None:
        pull = await self.pull_model(PullRequest(provider=self.name, model=model), call)
        try:
            while await pull.read():
                pass
        finally:
            pull.close()

    def _explain(self, exc: OneLLMError, call: Call, *, pulls: bool = True) -> NoReturn:
        """Say what to do where the server does not run, or has no such model to work with; and raise it on."""
        base_url = call.settings.base_url
        if pulls and isinstance(exc, NotFoundError) and exc.model and urlsplit(base_url).hostname != _CLOUD:
            exc.message += f"; `onellm pull {self.name}/{exc.model}` or `ollama pull {exc.model}` fetches it"
        elif isinstance(exc, AuthenticationError) and (url := _signin_url(exc.raw)):
            exc.message += f"; a model of the cloud needs `ollama signin` on the server, or {url}"
        elif isinstance(exc, APIConnectionError) and _is_refused(exc):
            exc.message = (
                f"nothing listens at {base_url}: start the server with `ollama serve`, or open the Ollama app; "
                "if it runs elsewhere, set OLLAMA_HOST"
            )
        raise exc


def read_host(given: str) -> str:
    """The base URL that Ollama's own client makes of `OLLAMA_HOST`.

    Without a scheme the port is 11434; with one it is the scheme's. A server's address for "any" is this machine's.
    https://github.com/ollama/ollama/blob/main/envconfig/config.go
    """
    text = given.strip().strip("\"'")
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "http", text
        port: int | None = _PORT
        if rest.rstrip("/") == _CLOUD:
            scheme, port = "https", None
    else:
        scheme = scheme.lower()
        port = None
    place, slash, path = rest.partition("/")
    path = (slash + path).rstrip("/")
    if "@" in place or scheme not in _PORTS:
        return text.rstrip("/")  # for the check of base URLs to refuse
    host, found = _split_port(place)
    host = _ANY_ADDRESS.get(host, host)
    if found is not None:
        port = found or port or _PORT  # one that is none falls back to the usual
    shown = f"[{host}]" if ":" in host else host
    usual = port is None or port == _PORTS[scheme]
    return urlunsplit((scheme, shown if usual else f"{shown}:{port}", path, "", ""))


def _split_port(place: str) -> tuple[str, int | None]:
    """Host and port; None where none is said, 0 where what is said cannot be one."""
    if place.startswith("["):
        host, _, after = place[1:].partition("]")
        said = after.removeprefix(":") if after.startswith(":") else None
    elif place.count(":") > 1:
        return place, None
    else:
        host, colon, after = place.partition(":")
        said = after if colon else None
    if said is None:
        return host, None
    return host, int(said) if said.isascii() and said.isdecimal() and int(said) < 1 << 16 else 0


def _signin_url(body: bytes) -> str:
    """Where to sign in, which a server says that has not been; "" where it is not said."""
    try:
        return msgspec.json.decode(body, type=_Refusal).signin_url
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def _is_refused(exc: BaseException) -> bool:
    """Whether nobody listened at the address."""
    seen: BaseException | None = exc
    while seen is not None:
        if isinstance(seen, ConnectionRefusedError) or isinstance(
            getattr(seen, "os_error", None), ConnectionRefusedError
        ):
            return True
        seen = seen.__cause__
    return False


PROVIDER = OllamaProvider(
    name="ollama",
    base_url="http://127.0.0.1:11434",
    base_url_env=("OLLAMA_HOST",),
    key_env=("OLLAMA_API_KEY",),
    key_optional=True,
    chat=OllamaChat(),
    completions=OllamaCompletions(),
    embeddings=OllamaEmbeddings(),
    models=OllamaModels(),
    model_store=OllamaStore(),
    docs="https://docs.ollama.com/api",
    notes=(
        "`OLLAMA_HOST` is read as Ollama reads it; `https://ollama.com` is its cloud, and needs the key.",
        "With the option `auto_pull` a model that is not there is fetched, and the call goes on.",
        "The options of its chat are `ollama=OllamaOptions(...)`.",
        "Its OpenAI-compatible side is a host of your own at `http://127.0.0.1:11434/v1`.",
    ),
)
