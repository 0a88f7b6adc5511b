"""Moderations in OpenAI's shape. https://platform.openai.com/docs/api-reference/moderations"""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, field

from onellm.dialects import errors
from onellm.dialects.base import HttpRequest
from onellm.dialects.error_in_answer import is_error
from onellm.dialects.lenient import DECODE_ERRORS, encode_json
from onellm.dialects.openai.chat import OpenAIChat
from onellm.errors import APIStatusError, ResponseDecodeError, UnsupportedParameterError
from onellm.types.chat_params import ChatRequest
from onellm.types.moderations import ByCategory, Moderation, ModerationCreateResponse, ModerationRequest


class _Result(Struct):
    flagged: bool | None = None
    categories: dict[str, bool | None] | None = None
    category_scores: dict[str, float | None] | None = None
    category_applied_input_types: dict[str, list[str] | None] | None = None


class _Response(Struct):
    results: list[_Result]
    id: str | None = None
    model: str | None = None


T = TypeVar("T")

_decode = msgspec.json.Decoder(_Response, strict=False).decode


class OpenAIModerations(Struct, frozen=True, kw_only=True):
    """Moderations. Nothing is left out or guessed here: what cannot be sent or read is an error.

    takes_parts:  whether the host judges parts with images; text parts alone are sent as one text
    chat_path:    where the host judges conversations, if it does
    chat:         how it takes their messages
    """

    path: str = "moderations"
    takes_parts: bool = True
    chat_path: str = ""
    chat: OpenAIChat = field(default_factory=OpenAIChat)
    codes: Mapping[str, type[APIStatusError]] = {}

    def encode_request(self, request: ModerationRequest) -> HttpRequest:
        path, given = self.path, request.input
        if request.conversations:
            path, given = self.chat_path, self._conversations(request)
        elif not self.takes_parts:
            given = _texts(request)
        body: dict[str, Any] = {"input": given}
        if request.model:
            body["model"] = request.model
        body.update(request.extra_body or {})
        return HttpRequest(path=path, body=encode_json(body))

    def _conversations(self, request: ModerationRequest) -> list[Any]:
        """Their messages as the host takes them; of one conversation, in no list of conversations.

        Raises:
            UnsupportedParameterError: the host judges none. They are never sent as texts: what a text is an answer to
                is part of what is judged.
        """
        if not self.chat_path:
            raise UnsupportedParameterError(
                f"{request.provider} judges texts, and not conversations: give the texts of the messages",
                provider=request.provider,
                model=request.model,
                param="input",
            )
        sent: list[Any] = []
        for messages in request.conversations:
            asked = ChatRequest(
                provider=request.provider,
                model=request.model,
                messages=messages,
                params={},
                on_unsupported=request.on_unsupported,
            )
            sent.append(self.chat.encode_messages(asked))
            request.adjustments.extend(each for each in asked.adjustments if each not in request.adjustments)
        return sent[0] if len(sent) == 1 else sent

    def decode_response(self, body: bytes, request: ModerationRequest) -> ModerationCreateResponse:
        if b'"error"' in body and is_error(body):
            raise self.decode_error(200, {}, body, now=0.0)
        try:
            wire = _decode(body)
        except DECODE_ERRORS as exc:
            raise ResponseDecodeError(f"not a moderation: {exc}", body=body) from exc
        if len(wire.results) != request.expected_results:
            raise ResponseDecodeError(
                f"{len(wire.results)} results came for {request.expected_results} inputs", body=body
            )
        return ModerationCreateResponse(
            id=wire.id or "", model=wire.model or "", results=[_result(item, body) for item in wire.results], raw=body
        )

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now, codes=self.codes)


def _texts(request: ModerationRequest) -> str | list[str]:
    """The input of a host that takes no parts.

    Raises:
        UnsupportedParameterError: there is an image in it, which is never left out: it would pass unseen.
    """
    if isinstance(request.input, str):
        return request.input
    texts = [item for item in request.input if isinstance(item, str)]
    if texts:
        return texts
    parts = [item for item in request.input if not isinstance(item, str)]
    if any(part["type"] != "text" for part in parts):
        raise UnsupportedParameterError(
            f"{request.provider} moderates texts only: give text parts",
            provider=request.provider,
            model=request.model,
            param="input",
        )
    return "\n".join(part["text"] for part in parts)


def _result(wire: _Result, body: bytes) -> Moderation:
    categories = ByCategory(_without_none(wire.categories))
    if wire.flagged is None and not categories:
        raise ResponseDecodeError("a moderation says nothing of any category", body=body)
    applied = wire.category_applied_input_types
    return Moderation(
        flagged=any(categories.values()) if wire.flagged is None else wire.flagged,
        categories=categories,
        category_scores=ByCategory(_without_none(wire.category_scores)),
        category_applied_input_types=None if applied is None else ByCategory(_without_none(applied)),
    )


def _without_none(given: dict[str, T | None] | None) -> dict[str, T]:
    return {name: value for name, value in (given or {}).items() if value is not None}
