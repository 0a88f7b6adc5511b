"""How many tokens a prompt has. https://ai.google.dev/api/tokens"""

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from onellm.dialects import errors, lenient
from onellm.dialects.base import HttpRequest
from onellm.dialects.gemini.chat import GeminiChat, model_name
from onellm.dialects.lenient import DECODE_ERRORS, encode_json
from onellm.errors import APIStatusError, ResponseDecodeError
from onellm.types.chat import TokenCount
from onellm.types.chat_params import ChatRequest


class _Counted(Struct, gc=False):
    totalTokens: int | None = None  # noqa: N815 - the wire's name


_decode = msgspec.json.Decoder(_Counted, strict=False).decode

# What counts beside the contents, where it stands beside them.
_COUNTED = ("systemInstruction", "tools", "generationConfig")


class GeminiTokenCount(Struct, frozen=True, kw_only=True):
    """countTokens.

    chat:   how the call itself is written
    whole:  whether all but the contents is sent as a request in the request
    """

    chat: GeminiChat
    whole: bool = True

    def encode_request(self, request: ChatRequest) -> HttpRequest:
        full, _ = self.chat.encode_body(request)
        if self.whole and len(full) > 1:
            name = model_name(request.model, publishers=self.chat.publishers)
            body = {"generateContentRequest": {"model": name, **full}}
        else:
            body = {"contents": full["contents"]} | {name: full[name] for name in _COUNTED if name in full}
        return HttpRequest(path=self.chat.path(request.model, "countTokens"), body=encode_json(body))

    def decode_response(self, body: bytes, request: ChatRequest) -> TokenCount:  # noqa: ARG002 - the dialects' signature
        try:
            found = _decode(body).totalTokens
        except DECODE_ERRORS:
            found = lenient.convert(lenient.decode_json(body, "a count of tokens"), _Counted, "a count").totalTokens
        if found is None:
            raise ResponseDecodeError("not a count of tokens: it has no totalTokens", body=body)
        return TokenCount(input_tokens=found, raw=body)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now)
