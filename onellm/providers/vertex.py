"""Gemini and its neighbours through Google Cloud: Vertex AI, by its newer name the Gemini Enterprise Agent Platform.

https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference
"""

import re
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, cast

from msgspec import structs

from onellm.dialects.anthropic.chat import AnthropicMessages
from onellm.dialects.anthropic.counts import AnthropicTokenCount
from onellm.dialects.base import HttpRequest
from onellm.dialects.gemini.chat import GeminiChat
from onellm.errors import ConfigurationError
from onellm.providers.auth import check_host
from onellm.providers.base import Call, ProviderSettings
from onellm.providers.gemini_host import GeminiHost, version
from onellm.providers.google_auth import GoogleCredentials
from onellm.providers.named import (
    GeminiImages,
    GeminiLive,
    GeminiSpeech,
    GeminiTokenCount,
    PublisherEmbeddings,
    PublisherModels,
)
from onellm.providers.protocols import ChunkStream
from onellm.types.chat import ChatCompletion, TokenCount
from onellm.types.chat_params import ChatRequest
from onellm.types.models import ModelInfo
from onellm.types.secret import Secret

if TYPE_CHECKING:
    from onellm.providers.protocols import RealtimeHost
    from onellm.types.realtime import RealtimeRequest

_LIVE = "ws/google.cloud.aiplatform.{}.LlmBidiService/BidiGenerateContent"
_GLOBAL = "global"
_VERSION = "v1beta1"
_CLAUDE = "anthropic/"
_CLAUDE_VERSION = "v1"
_LOCATION = re.compile(r"[a-z][a-z0-9-]*")
_REGIONS = ("us", "eu")  # of many data centres each, with hosts of another form


class ClaudeMessages(AnthropicMessages, frozen=True, kw_only=True):
    """Messages of models under their publisher, which is named in front of theirs."""

    def encode_request(self, request: ChatRequest) -> HttpRequest:
        return super().encode_request(_bare(request))

    def encode_stream(self, request: ChatRequest) -> HttpRequest:
        return super().encode_stream(_bare(request))


class ClaudeTokenCount(AnthropicTokenCount, frozen=True, kw_only=True):
    """Counts of the same models. They are asked for at a model that is called `count-tokens`."""

    path: str = "publishers/anthropic/models/count-tokens:rawPredict"

    def encode_request(self, request: ChatRequest) -> HttpRequest:
        return super().encode_request(_bare(request))


def _bare(request: ChatRequest) -> ChatRequest:
    return structs.replace(request, model=request.model.removeprefix(_CLAUDE))


class VertexProvider(GeminiHost, frozen=True, kw_only=True):
    """Google Cloud. Models stand in a project and a location; with an API key, in neither.

    claude, claude_counts:  how models of Anthropic's are asked, and how their tokens are counted
    """

    claude: AnthropicMessages
    claude_counts: AnthropicTokenCount

    @property
    def native_options(self) -> frozenset[str]:
        return super().native_options | self.claude.native_options

    def create_chat_completion(self, request: ChatRequest, call: Call) -> Coroutine[Any, Any, ChatCompletion]:
        if request.model.startswith(_CLAUDE):
            return self.ask(self.claude, request, _in(call, "claude"))
        return super().create_chat_completion(request, call)

    async def stream_chat_completion(self, request: ChatRequest, call: Call) -> ChunkStream:
        if request.model.startswith(_CLAUDE):
            return await self.ask_stream(self.claude, request, _in(call, "claude"))
        return await super().stream_chat_completion(request, call)

    async def count_tokens(self, request: ChatRequest, call: Call) -> TokenCount:
        if request.model.startswith(_CLAUDE):
            return await self.ask(self.claude_counts, request, _in(call, "claude"))
        return await super().count_tokens(request, call)

    def settle(self, settings: ProviderSettings) -> ProviderSettings:
        """With the host of the location; requests go to the project, the list of models to no one's.

        Raises:
            ConfigurationError: no project, and no API key; a location that is none; a host that may not get a token.
        """
        options = settings.options
        location = str(options.get("location") or _GLOBAL)
        if not _LOCATION.fullmatch(location):  # it becomes a part of the host
            raise ConfigurationError(
                f"{location!r} is no location of Google Cloud; one is us-central1", provider=self.name
            )
        root = settings.base_url
        if root == self.base_url:
            root = f"{host(location)}/{options.get('api_version') or _VERSION}"
        bare = structs.replace(settings, base_url=root)
        if isinstance(settings.api_key, Secret):
            return structs.replace(bare, state={"bare": bare})
        if settings.api_key is None:
            check_host(settings, self.name)
        project = options.get("project")
        if not project:
            raise ConfigurationError(
                f"{self.name} needs a project: set GOOGLE_CLOUD_PROJECT, or give "
                f'providers={{"{self.name}": {{"options": {{"project": "…", "location": "…"}}}}}}; or an api_key',
                provider=self.name,
            )
        base = f"{root}/projects/{project}/locations/{location}"
        settled = structs.replace(bare, base_url=base)
        settled.state["bare"] = bare
        if settings.base_url == self.base_url and not options.get("api_version"):  # it has another one of its own
            base = base.replace(f"/{_VERSION}/", f"/{_CLAUDE_VERSION}/", 1)
            settled.state["claude"] = structs.replace(bare, base_url=base)
        return settled

    def realtime_host(self, request: "RealtimeRequest", call: Call) -> "RealtimeHost":
        """With the version and the project of the base URL: the setup names the model with all that it stands in."""
        base = call.settings.base_url
        _, projects, place = base.partition("/projects/")
        live = cast("GeminiLive", self._dialect(self.realtime, "realtime"))
        live = structs.replace(
            live,
            address=_LIVE.format(version(base, _VERSION)),
            parent=f"{projects[1:]}{place}/" if projects else "",
        )
        return super(VertexProvider, structs.replace(self, realtime=live)).realtime_host(request, call)

    async def list_models(self, call: Call) -> list[ModelInfo]:
        return await super().list_models(_in(call, "bare"))

    async def retrieve_model(self, model: str, call: Call) -> ModelInfo:
        return await super().retrieve_model(model, _in(call, "bare"))


def host(location: str) -> str:
    """Where the models of a location are."""
    if location == _GLOBAL:
        return "https://aiplatform.googleapis.com"
    if location in _REGIONS:
        return f"https://aiplatform.{location}.rep.googleapis.com"
    return f"https://{location}-aiplatform.googleapis.com"


def _in(call: Call, place: str) -> Call:
    """The call with other settings: `bare` for what belongs to no project, `claude` for another version of the API."""
    found = call.settings.state.get(place)
    if not isinstance(found, ProviderSettings):
        return call
    if call.settings.preview:
        found = structs.replace(found, preview=True)
    return structs.replace(call, settings=found)


_CHAT = GeminiChat(
    publishers=True,
    file_uri="",
    needs_mime_type=True,
    tier_header="X-Vertex-AI-LLM-Shared-Request-Type",
    labels=True,
    store=False,
    server_calls=False,
)
_CLAUDE_CHAT = ClaudeMessages(
    path="publishers/anthropic/models/{model}:rawPredict",
    stream_path="publishers/anthropic/models/{model}:streamRawPredict",
    model_in_body=False,
    version_in_body="vertex-2023-10-16",
    urls=False,
    server_side=False,
)
_IMAGES = GeminiImages(chat=_CHAT, predicting=("imagen",))

PROVIDER = VertexProvider(
    name="vertex",
    base_url="https://aiplatform.googleapis.com/v1beta1",
    key_env=("GOOGLE_VERTEX_API_KEY",),
    key_optional=True,
    option_env={"project": "GOOGLE_CLOUD_PROJECT", "location": "GOOGLE_CLOUD_LOCATION"},
    auth=GoogleCredentials(),
    chat=_CHAT,
    claude=_CLAUDE_CHAT,
    claude_counts=ClaudeTokenCount(messages=structs.replace(_CLAUDE_CHAT, model_in_body=True)),
    token_counts=GeminiTokenCount(chat=_CHAT, whole=False),
    embeddings=PublisherEmbeddings(),
    speech=GeminiSpeech(chat=_CHAT),
    images=_IMAGES,
    image_edits=_IMAGES,
    models=PublisherModels(),
    realtime=GeminiLive(address=_LIVE.format(_VERSION), publishers=True, needs_mime_type=True),
    docs="https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference",
    notes=(
        (
            "Without a key it takes the credentials of the machine (`onellm[vertex]`), or those of the file that the "
            "option `credentials_file` names; the option `quota_project` says who pays."
        ),
        (
            "Models `anthropic/claude-…` are asked in their own API, Messages, and take `AnthropicOptions`. Of the "
            "tools that Anthropic runs they have `web_search_20250305` alone, and neither files nor URLs of images."
        ),
        "Models of other publishers are `vertex/publisher/model`, one's own `vertex/endpoints/id`.",
        "The option `location` is `global` unless it is given; `us` and `eu` are regions of many data centres.",
        "What of a call is mapped, and what is refused, stands in docs/google.md.",
    ),
)
