"""How many tokens a prompt has. https://platform.claude.com/docs/en/api/messages-count-tokens"""

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from onellm.dialects.anthropic.chat import AnthropicMessages
from onellm.dialects.base import HttpRequest
from onellm.dialects.lenient import DECODE_ERRORS, encode_json
from onellm.dialects.params import native_options
from onellm.errors import APIStatusError, ResponseDecodeError
from onellm.types.anthropic import AnthropicOptions
from onellm.types.chat import TokenCount
from onellm.types.chat_params import ChatRequest

# What a prompt's count depends on; all else of a call is about its answer.
_COUNTED = frozenset(
    {
        "anthropic_version",
        "cache_control",
        "context_management",
        "mcp_servers",
        "messages",
        "model",
        "output_config",
        "speed",
        "system",
        "thinking",
        "tool_choice",
        "tools",
    }
)

_decode = msgspec.json.Decoder(TokenCount, strict=False).decode


class AnthropicTokenCount(Struct, frozen=True, kw_only=True):
    """Counts what `messages` would send. path: joined to the base URL; messages: the dialect of the calls, which must
    name the model in the body.
    """

    path: str = "v1/messages/count_tokens"
    messages: AnthropicMessages = AnthropicMessages()

    def encode_request(self, request: ChatRequest) -> HttpRequest:
        options = native_options(request, "anthropic", AnthropicOptions)
        body = {name: value for name, value in self.messages.encode_body(request, options).items() if name in _COUNTED}
        request.adjustments[:] = [note for note in request.adjustments if not note.startswith("sent max_tokens")]
        body |= dict(request.extra_body or {})
        return HttpRequest(path=self.path, body=encode_json(body), headers=self.messages.encode_headers(options))

    def decode_response(self, body: bytes, request: ChatRequest) -> TokenCount:  # noqa: ARG002 - of the protocol
        try:
            found = _decode(body)
        except DECODE_ERRORS as exc:
            raise ResponseDecodeError(f"not a count of tokens: {exc}", body=body) from exc
        if b'"input_tokens"' not in body:
            raise ResponseDecodeError("not a count of tokens", body=body)
        found.raw = body
        return found

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return self.messages.decode_error(status, headers, body, now=now)
