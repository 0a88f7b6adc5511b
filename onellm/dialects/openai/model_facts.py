"""What hosts publish of a model beside its id, in the shapes that are about.

OpenAI's own list says nothing. Each key below is read where it stands; a list that leaves a word out says no where the
list is one of all that a model takes (`supported_parameters`, `input_modalities`), and nothing where it is one of tags.
"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# JSON of any shape is taken apart here, by patterns that prove what they use.

from collections.abc import Iterator
from typing import Any

import msgspec

from onellm.types.capabilities import PublishedCapabilities

_CONTEXT = ("context_length", "context_window", "max_context_length", "max_model_len", "max_input_tokens")
_LONGEST = ("max_completion_tokens", "max_output_tokens", "max_tokens")
_BOOLS = {
    "supports_chat": "chat",
    "supports_tools": "tools",
    "supports_image_input": "vision",
    "supports_structured_output": "json_schema",
    "completion_chat": "chat",
    "function_calling": "tools",
    "vision": "vision",
    "audio": "audio_input",
    "reasoning": "reasoning",
}
_PARAMETERS = {
    "tools": "tools",
    "response_format": "json_mode",
    "structured_outputs": "json_schema",
    "reasoning": "reasoning",
}
_MODALITIES = {"image": "vision", "audio": "audio_input", "file": "document_input"}
_TAGS = {
    "tool-use": "tools",
    "tool-calling": "tools",
    "vision": "vision",
    "file-input": "document_input",
    "reasoning": "reasoning",
    "streaming": "streaming",
    "implicit-caching": "prompt_caching",
}
# The lists, what their words mean, and whether a word that is left out is a no.
_LISTS = (
    ("input_modalities", _MODALITIES, True),
    ("supported_input_modalities", _MODALITIES, True),
    ("supported_parameters", _PARAMETERS, True),
    ("tags", _TAGS, False),
    ("capabilities", _TAGS, False),
)
_KINDS = {"chat": "chat", "language": "chat", "embedding": "embeddings"}


def find(items: list[Any], model: str) -> Any:
    """The item of a list that is of a model: by its id, an alias, or its id without what routes it (`:free`)."""
    for wanted in dict.fromkeys((model, model.partition(":")[0])):
        for item in items:
            match item:
                case {"id": str(id_)} if id_ == wanted:
                    return item
                case {"aliases": [*others]} if wanted in others:
                    return item
                case _:
                    pass
    return None


def read(item: Any, model: str) -> PublishedCapabilities:
    """What an item of a list of models, or a single one, says of what the model can."""
    said = PublishedCapabilities(raw=msgspec.json.encode(item))
    for part in _parts(item, model.partition(":")[2]):
        _read_part(part, said)
    return said


def _parts(item: Any, route: str) -> Iterator[dict[str, Any]]:
    """The objects in an item that hold facts; of several hosts behind a router the one that the name chooses."""
    if not isinstance(item, dict):
        return
    yield item
    for key in ("top_provider", "limits", "architecture"):
        if isinstance(part := item.get(key), dict):
            yield part
    if isinstance(part := item.get("capabilities"), dict):
        yield part
    if isinstance(hosts := item.get("providers"), list):
        live = [host for host in hosts if isinstance(host, dict)]
        yield from [host for host in live if host.get("provider") == route] or live


def _read_part(part: dict[str, Any], said: PublishedCapabilities) -> None:
    said.context_window = _larger(said.context_window, part, _CONTEXT)
    said.max_output_tokens = _larger(said.max_output_tokens, part, _LONGEST)
    for key, name in _BOOLS.items():
        if isinstance(value := part.get(key), bool):
            setattr(said, name, bool(getattr(said, name)) or value)  # one of several hosts is enough
    for key, names, complete in _LISTS:
        if isinstance(words := part.get(key), list):
            found = {name: word in words for word, name in names.items() if complete or word in words}
            for name, there in found.items():
                setattr(said, name, there)
    if isinstance(kind := part.get("type"), str) and kind in _KINDS:
        setattr(said, _KINDS[kind], True)
    if isinstance(prices := part.get("pricing"), dict) and "input_cache_read" in prices:
        said.prompt_caching = True


def _larger(known: int | None, part: dict[str, Any], names: tuple[str, ...]) -> int | None:
    found = [value for name in names if isinstance(value := part.get(name), int) and not isinstance(value, bool)]
    return max([*found[:1], *([known] if known else [])], default=None) or None
