"""What llama-server understands, over HTTP and inside this process.

https://github.com/ggml-org/llama.cpp/tree/master/tools/server; facts marked "seen" are from xllamacpp
2026.10.11549, November 2026.
"""

from typing import Any

from msgspec import Struct

from onellm.dialects import lenient
from onellm.dialects.base import HttpRequest
from onellm.dialects.openai.chat import OpenAIChat
from onellm.dialects.openai.embeddings import OpenAIEmbeddings
from onellm.dialects.openai.models import OpenAIModels
from onellm.errors import InvalidRequestError
from onellm.types.capabilities import PublishedCapabilities
from onellm.types.chat_params import ChatRequest

_IGNORED = "llama.cpp would ignore it"  # seen, for each of these
_CHAT_IGNORES = (
    "audio",
    "function_call",
    "functions",
    "metadata",
    "modalities",
    "moderation",
    "prediction",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
    "user",
    "verbosity",
    "web_search_options",
)


class LlamaChat(OpenAIChat, frozen=True, kw_only=True):
    """Chat Completions whose `tool_choice` is a word: an object is ignored (seen).

    So a tool that must be called becomes the only one. "required" lets the model write text before it calls.
    """

    def encode_params(self, request: ChatRequest) -> dict[str, Any]:
        params = super().encode_params(request)
        match params.get("tool_choice"):
            case {"type": "function", "function": {"name": name}}:
                params["tools"] = [tool for tool in params.get("tools", ()) if _name(tool) == name]
                if not params["tools"]:
                    raise InvalidRequestError(f"tool_choice: {name!r} is none of the tools", param="tool_choice")
                params["tool_choice"] = "required"
                request.adjustments.append(f"sent tool_choice as the only tool {name!r}, required")
            case {"type": kind}:
                request.unsupported(f'tool_choice {{"type": "{kind}"}}', "it takes a function's name or a word")
                del params["tool_choice"]
            case _:
                pass
        return params


def _name(tool: dict[str, Any]) -> str | None:
    name: str | None = tool.get("function", {}).get("name")
    return name


class LlamaModels(OpenAIModels, frozen=True, kw_only=True):
    """What a model can stands in the server's properties, at the root of its address: `/props`."""

    def encode_capabilities(self, model: str) -> HttpRequest | None:  # noqa: ARG002 - it serves one
        return HttpRequest(method="GET", path="../props")

    def decode_capabilities(self, body: bytes, model: str) -> PublishedCapabilities | None:  # noqa: ARG002 - likewise
        said = PublishedCapabilities(raw=body)
        value = lenient.convert(lenient.decode_json(body, "server properties"), _Props, "server properties")
        if value.default_generation_settings is not None:
            said.context_window = value.default_generation_settings.n_ctx
        if value.modalities is not None:
            said.vision, said.audio_input = value.modalities.vision, value.modalities.audio
        if value.chat_template_caps is not None:
            said.tools = value.chat_template_caps.supports_tools
        return said


class _Modalities(Struct):
    vision: bool | None = None
    audio: bool | None = None


class _TemplateCaps(Struct):
    supports_tools: bool | None = None


class _Generation(Struct):
    n_ctx: int | None = None


class _Props(Struct):
    default_generation_settings: _Generation | None = None
    modalities: _Modalities | None = None
    chat_template_caps: _TemplateCaps | None = None


LLAMA_CHAT = LlamaChat(
    caching="automatic",
    uncached={"cache_prompt": False},
    refuses=dict.fromkeys(_CHAT_IGNORES, _IGNORED),
    replay=("reasoning_content",),
)
LLAMA_EMBEDDINGS = OpenAIEmbeddings(refuses=dict.fromkeys(("dimensions", "user"), _IGNORED))
