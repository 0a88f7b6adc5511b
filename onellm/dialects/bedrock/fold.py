"""Content blocks added up to a message: one code for a whole answer and for its stream."""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# Citations and tool results are JSON of any shape, taken apart by patterns that prove what they use.

import base64
import binascii
from typing import Any

from msgspec import Struct

from onellm.dialects.bedrock.content import arguments
from onellm.dialects.lenient import decode_json
from onellm.types.chat import (
    ChatCompletion,
    ChatCompletionMessage,
    ChatCompletionMessageToolCall,
    Choice,
    Citation,
    CompletionUsage,
    FinishReason,
    Function,
    PromptTokensDetails,
    ProviderData,
)

FINISH: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    "malformed_model_output": "error",
    "malformed_tool_use": "error",
}


class WireUsage(Struct, gc=False):
    """Tokens as Converse counts them: `inputTokens` leaves out what the cache holds; ours counts it."""

    inputTokens: int | None = None  # noqa: N815 - Converse's names
    outputTokens: int | None = None  # noqa: N815
    cacheReadInputTokens: int | None = None  # noqa: N815
    cacheWriteInputTokens: int | None = None  # noqa: N815

    def ours(self) -> CompletionUsage:
        read, written = self.cacheReadInputTokens, self.cacheWriteInputTokens
        prompt = (self.inputTokens or 0) + (read or 0) + (written or 0)
        answer = self.outputTokens or 0
        details = None
        if read is not None or written is not None:
            details = PromptTokensDetails(cached_tokens=read, cache_write_tokens=written)
        return CompletionUsage(
            prompt_tokens=prompt,
            completion_tokens=answer,
            total_tokens=prompt + answer,  # theirs counts the cache for some models only
            prompt_tokens_details=details,
        )


class _Block:
    """One block so far. Which lists hold something says what it is."""

    __slots__ = (
        "citations",
        "image",
        "input",
        "reasoning",
        "redacted",
        "result",
        "result_content",
        "signature",
        "text",
        "tool",
    )

    def __init__(self) -> None:
        self.text: list[str] = []
        self.reasoning: list[str] | None = None
        self.signature: list[str] = []
        self.redacted: list[str] = []
        self.tool: tuple[str, str, str | None] | None = None
        self.input: list[str] = []
        self.citations: list[dict[str, Any]] = []
        self.result: dict[str, Any] | None = None
        self.result_content: list[Any] = []
        self.image: dict[str, Any] | None = None

    @property
    def arguments(self) -> str:
        return "".join(self.input) or "{}"

    def as_sent(self) -> dict[str, Any] | None:  # noqa: PLR0911 - one for each kind of block
        """The block as it goes back in; None where it may not: empty text and unsigned reasoning are refused."""
        text = "".join(self.text)
        if self.redacted:
            return {"reasoningContent": {"redactedContent": _joined(self.redacted)}}
        if self.reasoning is not None or self.signature:
            said = {"text": "".join(self.reasoning or ()), "signature": "".join(self.signature)}
            return {"reasoningContent": {"reasoningText": said}} if self.signature else None
        if self.tool is not None:
            id_, name, kind = self.tool
            given = arguments(self.arguments)
            value = {"arguments": self.arguments} if given is None else decode_json(bytes(given), "arguments")
            return {"toolUse": {"toolUseId": id_, "name": name, "input": value, **({"type": kind} if kind else {})}}
        if self.result is not None:
            return {"toolResult": {**self.result, "content": self.result_content}}
        if self.image is not None:
            return {"image": self.image}
        if self.citations:
            content = {"content": [{"text": text}]} if text else {}
            return {"citationsContent": {**content, "citations": self.citations}}
        return {"text": text} if text.strip() else None

    @property
    def says_more(self) -> bool:
        """Whether OpenAI's shape has no place for it."""
        server = self.tool is not None and self.tool[2] is not None
        return bool(self.signature or self.redacted or self.citations or self.result or self.image or server)


class MessageFold:
    """What the blocks of one answer have added up to, by their number. Pieces are joined once, at the end."""

    def __init__(self) -> None:
        self._blocks: dict[int, _Block] = {}
        self._calls: dict[int, int] = {}  # the block of a call: which of the calls it is
        self.finish_raw: str | None = None
        self.usage: CompletionUsage | None = None
        self.service_tier: str | None = None

    def block(self, number: int) -> _Block:
        found = self._blocks.get(number)
        if found is None:
            found = self._blocks[number] = _Block()
        return found

    def texts(self, number: int) -> list[str]:
        """Where the pieces of a block's text go."""
        return self.block(number).text

    def reason(self, number: int, text: str | None, signature: str | None, redacted: str | None) -> None:
        block = self.block(number)
        if text is not None:
            block.reasoning = block.reasoning or []
            block.reasoning.append(text)
        if signature:
            block.signature.append(signature)
        if redacted:
            block.redacted.append(redacted)

    def call(self, number: int, id_: str, name: str, kind: str | None) -> int | None:
        """Begin a call; its place among the calls that are the caller's, None where the service makes it itself."""
        self.block(number).tool = (id_, name, kind)
        if kind is not None:
            return None
        return self._calls.setdefault(number, len(self._calls))

    def place(self, number: int) -> int | None:
        """Which of the caller's calls a block is."""
        return self._calls.get(number)

    def result(self, number: int, begun: dict[str, Any]) -> None:
        self.block(number).result = begun

    def result_content(self, number: int, items: Any) -> None:
        content = self.block(number).result_content
        for item in items if isinstance(items, list) else ():
            match content, item:
                case [*_, {"text": str() as before}], {"text": str() as text}:
                    content[-1] = {"text": before + text}
                case _:
                    content.append(item)

    def image(self, number: int, fields: dict[str, Any]) -> None:
        block = self.block(number)
        block.image = {**(block.image or {}), **fields}

    def whole(self, *, provider: str, model: str) -> ChatCompletion:
        blocks = [block for _, block in sorted(self._blocks.items())]
        content: list[str] = []
        citations: list[Citation] = []
        length = 0
        for block in blocks:
            text = "".join(block.text)
            cited = (length, length + len(text)) if text else None
            citations += [citation(item, cited) for item in block.citations]
            content.append(text)
            length += len(text)
        kept = None
        if any(block.says_more for block in blocks):
            sent = [found for block in blocks if (found := block.as_sent()) is not None]
            kept = ProviderData(provider=provider, data={"blocks": sent})
        calls = [
            ChatCompletionMessageToolCall(
                id=block.tool[0], function=Function(name=block.tool[1], arguments=block.arguments)
            )
            for block in blocks
            if block.tool is not None and block.tool[2] is None
        ]
        message = ChatCompletionMessage(
            content="".join(content) or None,
            reasoning="".join(piece for block in blocks for piece in block.reasoning or ()) or None,
            tool_calls=calls or None,
            citations=citations or None,
            provider_data=kept,
        )
        raw = self.finish_raw
        finish = None if raw is None else FINISH.get(raw, "other")
        return ChatCompletion(
            model=model,
            choices=[Choice(message=message, finish_reason=finish, finish_reason_raw=raw)],
            usage=self.usage,
            service_tier=self.service_tier,
        )


def citation(item: dict[str, Any], cited: tuple[int, int] | None) -> Citation:
    """A source as ours; `cited` is the part of the content that rests on it."""
    url: Any = None
    document: Any = None
    match item.get("location"):
        case {"web": {"url": found}}:
            url = found
        case {"searchResultLocation": {"searchResultIndex": place}}:
            document = place
        case dict() as location:  # documentChar, documentPage, documentChunk
            for inner in location.values():
                match inner:
                    case {"documentIndex": place}:
                        document = place
                    case _:
                        pass
        case _:
            pass
    source: Any = item.get("source")
    if url is None and isinstance(source, str) and source.startswith(("http://", "https://")):
        url = source
    texts: Any = item.get("sourceContent")
    text = "".join(piece["text"] for piece in texts if "text" in piece) if isinstance(texts, list) else None
    title: Any = item.get("title")
    return Citation(
        url=url if isinstance(url, str) else None,
        title=title if isinstance(title, str) else None,
        text=text,
        start_index=None if cited is None else cited[0],
        end_index=None if cited is None else cited[1],
        document=document if isinstance(document, int | str) else None,
        raw_citation=item,
    )


def _joined(pieces: list[str]) -> str:
    """Base64 that came in pieces, as one; a single one stays as it came."""
    if len(pieces) == 1:
        return pieces[0]
    try:
        return base64.b64encode(b"".join(base64.b64decode(piece) for piece in pieces)).decode()
    except binascii.Error:
        return "".join(pieces)
