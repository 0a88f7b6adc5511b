"""What an answer rests on: grounding by search, and texts that it recites.

https://ai.google.dev/api/generate-content#GroundingMetadata
"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# JSON of any shape is taken apart here.

from typing import Any

from msgspec import Struct

from onellm.types.chat import Citation, UrlCitation


class _Segment(Struct, gc=False):
    """Offsets count bytes of UTF-8."""

    startIndex: int = 0  # noqa: N815 - the wire's names
    endIndex: int = 0  # noqa: N815
    text: str | None = None


class _Support(Struct, gc=False):
    segment: _Segment | None = None
    groundingChunkIndices: list[int] | None = None  # noqa: N815 - the wire's name


class Grounding(Struct, gc=False):
    """What was found, and which part of the answer rests on it."""

    groundingChunks: list[dict[str, Any]] | None = None  # noqa: N815 - the wire's names
    groundingSupports: list[_Support] | None = None  # noqa: N815


class Recited(Struct, gc=False):
    """Known texts in the answer, under one of two names."""

    citationSources: list[dict[str, Any]] | None = None  # noqa: N815 - the wire's name
    citations: list[dict[str, Any]] | None = None


def citations(grounding: Grounding | None, recited: Recited | None, content: str) -> list[Citation]:
    """The sources in the order of the answer; those that no part of it rests on come last."""
    found: list[Citation] = []
    encoded = content.encode("utf-8", "surrogatepass")
    if grounding is not None:
        chunks = grounding.groundingChunks or []
        used: set[int] = set()
        for support in grounding.groundingSupports or ():
            start, end = _characters(support.segment, content, encoded)
            for place in support.groundingChunkIndices or ():
                if 0 <= place < len(chunks):
                    used.add(place)
                    found.append(_citation(chunks[place], start, end))
        found += [_citation(chunk, None, None) for place, chunk in enumerate(chunks) if place not in used]
    if recited is not None:
        for source in recited.citationSources or recited.citations or ():
            segment = _Segment(startIndex=_int(source.get("startIndex")), endIndex=_int(source.get("endIndex")))
            start, end = _characters(segment, content, encoded)
            found.append(
                Citation(
                    url=_text(source.get("uri")),
                    title=_text(source.get("title")),
                    start_index=start,
                    end_index=end,
                    raw_citation=source,
                )
            )
    return found


def urls(found: list[Citation]) -> list[UrlCitation]:
    """Those of them that have an address, as OpenAI's annotations say it."""
    return [
        UrlCitation(url=each.url, title=each.title or "", start_index=each.start_index, end_index=each.end_index)
        for each in found
        if each.url
    ]


def _citation(chunk: dict[str, Any], start: int | None, end: int | None) -> Citation:
    """A chunk is `{"web": {"uri", "title"}}`, or the same under another name: retrievedContext, maps."""
    source: dict[str, Any] = next((value for value in chunk.values() if isinstance(value, dict)), {})
    return Citation(
        url=_text(source.get("uri")),
        title=_text(source.get("title")),
        text=_text(source.get("text")),
        start_index=start,
        end_index=end,
        raw_citation=chunk,
    )


def _characters(segment: _Segment | None, content: str, encoded: bytes) -> tuple[int | None, int | None]:
    """Where a segment is, in characters; None where it is nowhere.

    Offsets count from the start of their part. Where another part stands before it, the segment's text tells.
    """
    if segment is None:
        return None, None
    start = len(encoded[: segment.startIndex].decode("utf-8", "ignore"))
    end = len(encoded[: segment.endIndex].decode("utf-8", "ignore"))
    if not segment.text or content[start:end] == segment.text:
        return (start, end) if end > start else (None, None)
    at = content.find(segment.text)
    return (at, at + len(segment.text)) if at >= 0 else (None, None)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _int(value: Any) -> int:
    return value if isinstance(value, int) else 0
