"""Parts of OpenAI's messages as Converse's content blocks.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html
"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# Parts are dicts of any shape, taken apart by patterns that prove what they use.

import re
from typing import Any

import msgspec

from onellm.dialects import data_url
from onellm.errors import InvalidRequestError
from onellm.types.chat_params import ChatRequest

Block = dict[str, Any]

IMAGES = {"png": "png", "jpeg": "jpeg", "jpg": "jpeg", "gif": "gif", "webp": "webp"}
DOCUMENTS = {
    "pdf": "pdf",
    "csv": "csv",
    "doc": "doc",
    "docx": "docx",
    "xls": "xls",
    "xlsx": "xlsx",
    "html": "html",
    "htm": "html",
    "txt": "txt",
    "md": "md",
    "plain": "txt",
    "markdown": "md",
    "msword": "doc",
    "vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "vnd.ms-excel": "xls",
    "vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
}
VIDEOS = {
    **{name: name for name in ("mkv", "mov", "mp4", "webm", "flv", "mpeg", "mpg", "wmv", "three_gp")},
    "3gp": "three_gp",
    "3gpp": "three_gp",
    "quicktime": "mov",
    "x-matroska": "mkv",
    "x-ms-wmv": "wmv",
    "x-flv": "flv",
}
SOUNDS = {
    name: name
    for name in (
        *("mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "mkv", "mka", "x-aac", "m4a", "mpeg", "mpga", "pcm"),
        "webm",
    )
}
# Blocks of Converse's own that a caller may give as parts: {"type": "guardContent", "guardContent": {...}}.
NATIVE = frozenset(
    {
        "audio",
        "cachePoint",
        "citationsContent",
        "document",
        "guardContent",
        "image",
        "searchResult",
        "toolAddition",
        "toolRemoval",
        "video",
    }
)
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9\-()\[\] ]+")
_LONGEST_NAME = 200


class Names:
    """Names for the documents of one request: of the letters that Converse takes, and each used once."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def name(self, given: str) -> str:
        plain = " ".join(_NOT_IN_NAMES.sub(" ", given).split())[:_LONGEST_NAME].strip() or "document"
        name, number = plain, 1
        while name in self._used:
            number += 1
            ending = f" ({number})"
            name = plain[: _LONGEST_NAME - len(ending)].rstrip() + ending
        self._used.add(name)
        return name


class Parts:
    """Encodes the parts of one request's messages."""

    def __init__(self, request: ChatRequest, *, citations: bool | None) -> None:
        self._request = request
        self._citations = citations
        self._names = Names()

    def blocks(self, content: Any, where: str) -> list[Block]:
        """The blocks of a message's content; text that is empty is left out, as Converse refuses it."""
        if content is None:
            return []
        if isinstance(content, str):
            return [{"text": content}] if content.strip() else []
        blocks: list[Block] = []
        for number, part in enumerate(content):
            block = self._block(part, f"{where}.content[{number}]")
            if block is not None:
                blocks.append(block)
            if block is not None and (mark := part.get("cache_control")):
                blocks.append(cache_point(mark, f"{where}.content[{number}].cache_control"))
        return blocks

    def _block(self, part: dict[str, Any], where: str) -> Block | None:  # noqa: PLR0911 - one for each kind of part
        match part:
            case {"type": "text", "text": str() as text} | {"type": "refusal", "refusal": str() as text}:
                return {"text": text} if text.strip() else None
            case {"type": "image_url", "image_url": image}:
                return self._image(image, where)
            case {"type": "input_audio", "input_audio": sound}:
                return self._sound(sound, where)
            case {"type": "file", "file": dict() as file}:
                return self._file(part, file, where)
            case {"type": "video_url", "video_url": video}:
                url = video["url"] if isinstance(video, dict) else video
                kind, source = self._source(url, VIDEOS, where)
                return None if source is None else {"video": {"format": kind, "source": source}}
            case {"type": str() as name} if name in NATIVE and name in part:
                return {name: part[name]}
            case {"type": kind}:
                self._request.unsupported(where, f"Converse takes no {kind}")
                return None
            case _:
                raise InvalidRequestError(f"{where} has no type", param="messages")

    def _image(self, image: Any, where: str) -> Block | None:
        if isinstance(image, dict):
            detail = image.get("detail")
            if detail not in (None, "auto"):
                self._request.unsupported(f"{where}.image_url.detail", "Converse has no detail of images")
            image = image["url"]
        kind, source = self._source(image, IMAGES, where)
        return None if source is None else {"image": {"format": kind, "source": source}}

    def _sound(self, sound: Any, where: str) -> Block | None:
        match sound:
            case {"data": str() as content, "format": str() as kind}:
                if kind not in SOUNDS:
                    self._request.unsupported(f"{where}.format={kind!r}", f"it takes {', '.join(SOUNDS)}")
                    return None
                return {"audio": {"format": kind, "source": {"bytes": content}}}
            case str():
                kind, source = self._source(sound, SOUNDS, where)
                return None if source is None else {"audio": {"format": kind, "source": source}}
            case _:
                raise InvalidRequestError(f"{where}.input_audio needs data and format", param="messages")

    def _file(self, part: dict[str, Any], file: dict[str, Any], where: str) -> Block | None:
        name = str(file.get("filename") or "")
        given = file.get("file_data")
        if given is None and str(file.get("file_id") or "").startswith("s3://"):
            given = file["file_id"]
        if not isinstance(given, str):
            self._request.unsupported(f"{where}.file.file_id", "it keeps no files: give file_data, or an s3:// address")
            return None
        kind, source = self._source(given, DOCUMENTS, where, name)
        if source is None:
            return None
        ending = f".{name.rpartition('.')[2]}"
        own = name.removesuffix(ending) if ending[1:].lower() in DOCUMENTS else name
        if not own and "s3Location" in source:
            own = given.rpartition("/")[2].partition(".")[0]
        title = self._names.name(own)
        if own and title != own:
            self._request.adjustments.append(f"named the document {own!r} {title!r}")
        document: Block = {"format": kind, "name": title, "source": source}
        if context := part.get("context"):
            document["context"] = context
        citations = part.get("citations")
        if citations is None and self._citations is not None:
            citations = {"enabled": self._citations}
        if citations is not None:
            document["citations"] = citations
        return {"document": document}

    def _source(self, url: Any, formats: dict[str, str], where: str, name: str = "") -> tuple[str, Block | None]:
        """The format of a content, and where it is: in the request, or in S3."""
        if not isinstance(url, str):
            raise InvalidRequestError(f"{where} needs a URL as text", param="messages")
        ending = (name or url.partition("?")[0]).rpartition(".")[2].lower()
        if url.startswith("s3://"):
            return self._format(ending, formats, where), {"s3Location": {"uri": url}}
        found = data_url.parse(url)
        if found is None:
            self._request.unsupported(where, "it fetches nothing: give a data: URI, or an s3:// address")
            return "", None
        said = found.media_type.rpartition("/")[2]
        kind = said if said in formats else ending if name else said
        return self._format(kind, formats, where), {"bytes": found.data}

    def _format(self, kind: str, formats: dict[str, str], where: str) -> str:
        if kind not in formats:
            raise InvalidRequestError(
                f"{where}: Converse knows no format {kind!r} there, but {', '.join(sorted(set(formats.values())))}",
                param="messages",
            )
        return formats[kind]


def cache_point(mark: Any, where: str) -> Block:
    """A cache point for Anthropic's mark `{"type": "ephemeral", "ttl": "1h"}`: a block after what it covers."""
    match mark:
        case {"type": "ephemeral", **rest} if not rest.keys() - {"ttl"}:
            ttl = rest.get("ttl")
            return {"cachePoint": {"type": "default", **({"ttl": ttl} if ttl else {})}}
        case _:
            raise InvalidRequestError(f'{where} must be {{"type": "ephemeral"}}, with a ttl if any', param="messages")


def arguments(text: str) -> Any:
    """A call's arguments as the JSON they are, byte for byte; None where they are no object."""
    if not text.strip():
        return msgspec.Raw(b"{}")
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return msgspec.Raw(text.encode()) if isinstance(value, dict) else None
