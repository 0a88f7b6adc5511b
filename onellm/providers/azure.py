"""Azure OpenAI (Microsoft Foundry): OpenAI's API at a resource of one's own, where models are deployments.

Two shapes of the API: v1, whose paths are OpenAI's, and the older one, whose every call says a dated `api-version`
and where most operations stand under `deployments/{deployment}`.

https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle
"""

import asyncio
import inspect
import re
import time
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

import msgspec
from msgspec import Struct, structs

from onellm.dialects.openai.chat import OpenAIChat
from onellm.errors import (
    APIConnectionError,
    AuthenticationError,
    ConfigurationError,
    InvalidRequestError,
    MissingDependencyError,
    MissingKeyError,
    OneLLMError,
    RateLimitError,
    UnsupportedFeatureError,
)
from onellm.providers.answers import HttpAnswerStream
from onellm.providers.auth import BEARER, Outgoing, check_host
from onellm.providers.base import Call, ProviderSettings
from onellm.providers.http import HttpProvider
from onellm.providers.named import (
    OpenAIBatches,
    OpenAICompletions,
    OpenAIEmbeddings,
    OpenAIFiles,
    OpenAIImages,
    OpenAIModels,
    OpenAIRealtime,
    OpenAIRealtimeTokens,
    OpenAIResponses,
    OpenAISpeech,
    OpenAITranscriptions,
    OpenAITranslations,
    OpenAIUploads,
)
from onellm.providers.protocols import Binary, RealtimeHost
from onellm.providers.tokens import Token, TokenCache
from onellm.types.audio import SpeechRequest
from onellm.types.base import Answer
from onellm.types.chat import CompletionUsage
from onellm.types.options import TokenCredential
from onellm.types.request import Request
from onellm.types.secret import Secret

if TYPE_CHECKING:
    from onellm.dialects.protocols import Dialect, SpeechDialect, StreamDialect
    from onellm.types.realtime import RealtimeRequest, RealtimeToken

D = TypeVar("D")
RequestT = TypeVar("RequestT", bound=Request)
AnswerT = TypeVar("AnswerT", bound=Answer)
ChunkT = TypeVar("ChunkT", bound=Answer)

SCOPE = "https://cognitiveservices.azure.com/.default"
"""What a token of Entra ID is for; the option `scope` replaces it."""

# Variables that hold a token and not a key. The first of all variables that is set counts, as in `openai`'s client.
TOKEN_ENV = ("AZURE_OPENAI_AD_TOKEN", "AZURE_AD_TOKEN")

# The operations that stand under a deployment in the older shape; all others stand beside the deployments.
IN_DEPLOYMENT = frozenset({
    "chat/completions",
    "completions",
    "embeddings",
    "audio/transcriptions",
    "audio/translations",
    "audio/speech",
    "images/generations",
    "images/edits",
})  # fmt: skip

_DATED = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?")
_ROOT = "openai"  # the step of a path below which the API stands
_V1 = frozenset({"v1", "latest", "preview"})
_STREAM_OPTIONS = "2024-09-01"  # the first version that knows them
_BESIDE = frozenset({
    "v1", "deployments", "models", "files", "batches", "responses", "uploads", "realtime", "fine_tuning",
    "assistants", "threads", "vector_stores",
})  # fmt: skip
_TOKENS, _SHAPE = "azure.tokens", "azure.shape"


class AzureAuth(Struct, frozen=True):
    """A key as `api-key`; a token, wherever it comes from, as a bearer."""

    def fixed_headers(self, settings: ProviderSettings) -> dict[str, str] | None:
        key = settings.api_key
        if isinstance(key, Secret):
            if settings.key_source in TOKEN_ENV:
                return {"Authorization": f"Bearer {key.reveal()}"}
            return {"api-key": key.reveal()}
        return {} if key is None and _TOKENS not in settings.state else None

    async def headers(self, outgoing: Outgoing, settings: ProviderSettings) -> dict[str, str]:
        fixed = self.fixed_headers(settings)
        if fixed is not None:
            return fixed
        tokens: TokenCache | None = settings.state.get(_TOKENS)
        if tokens is None:
            return await BEARER.headers(outgoing, settings)
        return {"Authorization": f"Bearer {(await tokens.get()).reveal()}"}

    def forget(self, sent: Mapping[str, str], settings: ProviderSettings) -> None:
        tokens: TokenCache | None = settings.state.get(_TOKENS)
        scheme, _, token = sent.get("Authorization", "").partition(" ")
        if tokens is not None and scheme == "Bearer" and token:
            tokens.drop(Secret(token))


class AzureChat(OpenAIChat, frozen=True, kw_only=True):
    """Chat Completions of many makers' models; reasoning tokens are added to `completion_tokens` where the total shows
    that they were left out.
    """

    def normalise_usage(self, usage: CompletionUsage, data: bytes) -> None:
        super().normalise_usage(usage, data)
        details = usage.completion_tokens_details
        thought = (details.reasoning_tokens or 0) if details is not None else 0
        if thought and usage.total_tokens == usage.prompt_tokens + usage.completion_tokens + thought:
            usage.completion_tokens += thought


class _Shape(Struct, frozen=True, kw_only=True):
    """What the options of a client make of each request."""

    classic: bool = False
    stream_usage: bool = True
    deployments: Mapping[str, str] = {}


class AzureProvider(HttpProvider, frozen=True, kw_only=True):
    """The row, in both shapes: `settle` finds out which, and puts the deployment where that has it."""

    takes_credential: bool = True

    def read_base_url(self, url: str) -> tuple[str, dict[str, Any]]:
        """The URL as far as `/openai`, and the version that it says; without a version or `/v1` it says none."""
        try:
            parts = urlsplit(url.strip())
            query = dict(parse_qsl(parts.query, keep_blank_values=True))
        except ValueError:
            return url, {}  # whoever checks it says what is wrong
        steps = [step for step in parts.path.split("/") if step]
        root = next((at for at, step in enumerate(steps) if step == _ROOT and _is_root(steps[at + 1 :])), None)
        below = [] if root is None else steps[root + 1 :]
        options: dict[str, Any] = {}
        if version := query.pop("api-version", None):
            options["api_version"] = version
        if below[:1] == ["v1"] and version not in _V1:
            options["api_version"] = "v1"
        if query:
            return url, {}
        path = "/".join(steps if root is None else steps[:root])
        path = f"/{path}/{_ROOT}" if path else f"/{_ROOT}"
        return urlunsplit((parts.scheme, parts.netloc, path, "", parts.fragment)), options

    def settle(self, settings: ProviderSettings) -> ProviderSettings:
        version = self._version(settings.options.get("api_version"))
        classic = version not in {"", *_V1}
        shape = _Shape(
            classic=classic,
            stream_usage=not classic or version >= _STREAM_OPTIONS,
            deployments=self._deployments(settings.options.get("deployments")),
        )
        state: dict[str, Any] = {_SHAPE: shape}
        api_key = settings.api_key
        if (tokens := self._tokens(settings)) is not None:
            state[_TOKENS] = tokens
            api_key = None
        elif api_key is None and not {"api-key", "authorization"} & {name.lower() for name in settings.headers}:
            raise MissingKeyError(
                f"no key for {self.name}: set {self.key_env[1]}, or give "
                f'providers={{"{self.name}": {{"api_key": …}}}}, a key or a credential of azure-identity, or the '
                'option "entra": True',
                provider=self.name,
            )
        return structs.replace(
            settings,
            api_key=api_key,
            base_url=settings.base_url if classic else f"{settings.base_url}/v1",
            query={"api-version": version} if classic or version == "preview" else {},
            state=state,
        )

    def _version(self, given: object) -> str:
        version = "" if given is None else str(given)  # TOML has dates
        if version and version not in _V1 and not _DATED.fullmatch(version):
            raise self._wrong(
                f'api_version is {version!r}: give a date such as "2024-10-21" or "2025-04-01-preview", or "v1", '
                '"preview" or "latest"'
            )
        return version

    def _deployments(self, given: object) -> dict[str, str]:
        try:
            return msgspec.convert(given or {}, dict[str, str])
        except msgspec.ValidationError:
            wrong = self._wrong('deployments are names by model, such as {"gpt-5.4-mini": "mine"}')
            raise wrong from None

    def _tokens(self, settings: ProviderSettings) -> TokenCache | None:
        """What gives tokens, where it is not a key or a function."""
        scope = str(settings.options.get("scope") or SCOPE)
        entra: object = settings.options.get("entra", False)
        if not isinstance(entra, bool):
            raise self._wrong(f"entra must be True or False, not {entra!r}")
        if (credential := settings.credential) is not None:
            return TokenCache(lambda: _token_of(credential, scope), clock=time.time)
        if not entra:
            return None
        if settings.key_source == "argument":
            raise self._wrong("give api_key or entra, not both")
        check_host(settings, self.name)
        return TokenCache(lambda: _default_token(scope), clock=time.time)

    def _wrong(self, message: str) -> ConfigurationError:
        return ConfigurationError(f"{self.name}: {message}", provider=self.name)

    # --- each request, with its deployment ---

    async def ask(self, dialect: "Dialect[RequestT, AnswerT]", request: RequestT, call: Call) -> AnswerT:
        dialect, request = _placed(dialect, request, call)
        return await super().ask(dialect, request, call)

    async def ask_stream(
        self, dialect: "StreamDialect[RequestT, AnswerT, ChunkT]", request: RequestT, call: Call
    ) -> HttpAnswerStream[ChunkT, AnswerT]:
        dialect, request = _placed(dialect, request, call)
        return await super().ask_stream(dialect, request, call)

    async def ask_audio(self, dialect: "SpeechDialect", request: SpeechRequest, call: Call) -> Binary:
        dialect, request = _placed(dialect, request, call)
        return await super().ask_audio(dialect, request, call)

    def realtime_host(self, request: "RealtimeRequest", call: Call) -> RealtimeHost:
        """In the older shape the deployment has a name of its own in the query, and the session its older names."""
        _, request = _placed(None, request, call)
        if not _shape(call).classic:  # and any version, "preview" too, is refused with 401
            settings = structs.replace(call.settings, query={})
            return super().realtime_host(request, structs.replace(call, settings=settings))
        from onellm.dialects.openai import realtime  # noqa: PLC0415 - only for those who use it
        from onellm.providers.realtime import HttpRealtimeHost  # noqa: PLC0415 - likewise

        dialect = realtime.OpenAIRealtime(shape="beta", model_query="deployment", transcriber="whisper-1")
        return HttpRealtimeHost(self, dialect, request, call)

    async def create_realtime_token(
        self, request: "RealtimeRequest", seconds: int | None, call: Call
    ) -> "RealtimeToken":
        if _shape(call).classic:
            raise UnsupportedFeatureError(
                f"{self.name}: tokens for realtime sessions are of the v1 API: leave api_version out",
                provider=self.name,
            )
        _, request = _placed(None, request, call)
        return await super().create_realtime_token(request, seconds, call)


def _is_root(below: list[str]) -> bool:
    """Whether `openai`, with these steps below it, is where the API begins, and not a name on the way there."""
    return not below or below[0] in _BESIDE or any("/".join(below).startswith(path) for path in IN_DEPLOYMENT)


def _shape(call: Call) -> _Shape:
    shape: _Shape | None = call.settings.state.get(_SHAPE)
    return shape or _Shape()


def _placed(dialect: D, request: RequestT, call: Call) -> tuple[D, RequestT]:
    """A dialect at the path of the request's deployment, and the request under the deployment's name."""
    shape = _shape(call)
    if (deployment := shape.deployments.get(request.model)) is not None:
        request = structs.replace(request, model=deployment)
    if shape.classic and isinstance(dialect, Struct) and (path := getattr(dialect, "path", "")) in IN_DEPLOYMENT:
        if request.model in {".", ".."}:
            raise InvalidRequestError(f"not a deployment: {request.model!r}", param="model")
        changed: dict[str, Any] = {"path": f"deployments/{quote(request.model, safe='')}/{path}"}
        if not shape.stream_usage and hasattr(dialect, "stream_usage"):
            changed["stream_usage"] = False
        dialect = structs.replace(dialect, **changed)
    return dialect, request


# --- tokens of Entra ID ---


async def _token_of(credential: TokenCredential, scope: str) -> Token:
    """A token of a credential; one that is not async is asked in a thread."""
    try:
        if inspect.iscoroutinefunction(credential.get_token):
            found = await credential.get_token(scope)
        else:
            found = await asyncio.to_thread(credential.get_token, scope)
            if inspect.isawaitable(found):
                found = await found
    except Exception as exc:
        raise _no_token(scope, exc) from exc
    return Token(Secret(found.token, name="the token of Entra ID"), float(found.expires_on))


async def _default_token(scope: str) -> Token:
    """A token of whatever the environment, the machine or the user's tools have.

    The credential is made anew each time, about once an hour, and closed: it keeps no connection, and a token that was
    refused does not come back from its memory.

    Raises:
        MissingDependencyError: azure-identity is not installed.
    """
    try:
        identity = await asyncio.to_thread(import_module, "azure.identity.aio")
    except ImportError as exc:
        raise MissingDependencyError(
            'the option entra needs azure-identity: pip install "onellm[azure]"', provider=PROVIDER.name
        ) from exc
    async with identity.DefaultAzureCredential() as credential:
        return await _token_of(credential, scope)


def _no_token(scope: str, exc: Exception) -> OneLLMError:
    if isinstance(exc, OneLLMError):
        return exc
    unreachable: tuple[type[Exception], ...] = (OSError,)
    try:
        errors: Any = import_module("azure.core.exceptions")
        unreachable = (OSError, errors.ServiceRequestError, errors.ServiceResponseError)
    except ImportError:
        pass  # a credential that is not azure-identity's
    said = f"no token for {scope}: {exc}"
    return APIConnectionError(said) if isinstance(exc, unreachable) else AuthenticationError(said)


PROVIDER = AzureProvider(
    name="azure",
    base_url=None,
    base_url_env=("AZURE_OPENAI_ENDPOINT", "AZURE_API_BASE"),
    key_env=("AZURE_OPENAI_AD_TOKEN", "AZURE_OPENAI_API_KEY", "AZURE_AD_TOKEN", "AZURE_API_KEY"),
    key_optional=True,
    option_env={"api_version": ("OPENAI_API_VERSION", "AZURE_API_VERSION"), "scope": "AZURE_SCOPE"},
    auth=AzureAuth(),
    chat=AzureChat(caching="retention"),
    responses=OpenAIResponses(),
    completions=OpenAICompletions(),
    embeddings=OpenAIEmbeddings(),
    transcriptions=OpenAITranscriptions(),
    translations=OpenAITranslations(),
    speech=OpenAISpeech(),
    images=OpenAIImages(),
    image_edits=OpenAIImages(path="images/edits"),
    files=OpenAIFiles(),
    uploads=OpenAIUploads(),
    # 400, and yet only the queue of the moment is full.
    batches=OpenAIBatches(codes={"token_limit_exceeded": RateLimitError}),
    models=OpenAIModels(),
    # What writes down is a model of its own, and the deployment of one has a name of its own; this one needs none.
    realtime=OpenAIRealtime(transcriber="whisper-1"),
    realtime_tokens=OpenAIRealtimeTokens(realtime=OpenAIRealtime(transcriber="whisper-1")),
    docs="https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle",
    notes=(
        "A model is named by its deployment, `azure/my-deployment`; the option `deployments` maps other names to them.",
        "The list of models is of base models, and not of deployments.",
        "With a date as `api_version` the older API is spoken, else v1.",
        "Tokens of Entra ID: a credential of azure-identity as `api_key`, or the option `entra`.",
    ),
)
