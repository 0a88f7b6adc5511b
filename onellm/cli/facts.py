"""What is known of a provider, in words: read off its row, and off the fields of its dialects that differ.

`onellm providers` and docs/providers.md say the same, because both say this.
"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# The values of fields are of any type.

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import NODEFAULT, Struct, structs

from onellm.config import variables
from onellm.providers.base import OPERATIONS, Configurable, Provider, operations

# The flags: in a table of the command line a letter each.
FLAGS = {
    "json_mode_support": ("J", "JSON mode"),
    "json_schema_support": ("S", "JSON schema"),
    "vision_support": ("V", "images in"),
    "audio_input_support": ("A", "sound in"),
    "function_calling_support": ("T", "tools"),
    "reasoning_support": ("R", "reasoning"),
    "streaming_support": ("F", "streams"),
    "realtime_support": ("L", "realtime"),
}

_LACKS = "its API does not have it"
# What a field says that its operation implies.
_USUAL = {
    ("image_edits", "path"): "images/edits",
    ("image_variations", "path"): "images/variations",
}


def served(provider: Provider) -> list[str]:
    """The operations of a provider, in the order of the protocols."""
    found = operations(provider)
    return [name for name in OPERATIONS if name in found]


def flags(provider: Provider) -> dict[str, bool]:
    """The flags of `FLAGS`; one that a provider does not know of a model is left out."""
    said = provider.get_model_capabilities("")
    return {flag: said[flag] for flag in FLAGS if flag in said}


def letters(provider: Provider) -> str:
    """The flags that are set, a letter each."""
    said = flags(provider)
    return "".join(letter if said.get(flag) else "-" for flag, (letter, _) in FLAGS.items())


def details(provider: Provider) -> Iterator[tuple[str, str]]:
    """Everything else, each with what it is about. Code stands between backquotes."""
    if isinstance(provider, Configurable):
        if provider.key_env:
            optional = " (optional)" if provider.key_optional else ""
            yield "key", " or ".join(map(_code, provider.key_env)) + optional
        else:
            yield "key", "needs none"
        instead = " or ".join(map(_code, provider.base_url_env))
        if provider.base_url is None:
            yield "base URL", "yours" + (f", or {instead}" if instead else "")
        else:
            yield "base URL", _code(provider.base_url) + (f"; {instead} replaces it" if instead else "")
        headers: Mapping[str, str] = getattr(provider, "option_headers", {})
        for option in dict.fromkeys((*provider.option_env, *headers)):
            named = variables(provider.option_env.get(option, ()))
            variable = "".join(f", or {_code(each)}" for each in named)
            header = f", sent as the header {_code(headers[option])}" if option in headers else ""
            yield "option", _code(option) + variable + header
    else:
        yield "key", "needs none: it runs inside the process"
    for operation in served(provider):
        dialect = getattr(provider, operation, None)
        if isinstance(dialect, Struct) and (said := quirks(operation, dialect)):
            yield operation, "; ".join(said)
    for note in getattr(provider, "notes", ()):
        yield "note", note
    if docs := getattr(provider, "docs", ""):
        yield "docs", docs


def quirks(operation: str, dialect: Struct) -> list[str]:
    """How a dialect differs from OpenAI's own behaviour, one phrase a field."""
    said: list[str] = []
    own = type(dialect)
    parent = own.__base__
    if parent is not None and parent is not Struct and not parent.__name__.startswith("_"):
        said.append(_first_sentence(own.__doc__ or own.__name__))  # what is code is told by its docstring
    for field in structs.fields(dialect):
        value = getattr(dialect, field.name)
        usual = field.default if field.default is not NODEFAULT else _made(field.default_factory)
        if value in (usual, _USUAL.get((operation, field.name), usual)):
            continue
        words = _WORDS.get(field.name)
        said.append(f"{_code(field.name)}: {_code(_plain(value))}" if words is None else words(value))
    return [phrase for phrase in said if phrase]


def _made(factory: Any) -> Any:
    return None if factory is NODEFAULT else factory()


def _code(text: object) -> str:
    return f"`{text}`"


def _codes(texts: Any) -> str:
    return ", ".join(map(_code, texts))


def _plain(value: Any) -> str:
    """A value without anything that is another one in the next run."""
    match value:
        case type():
            return value.__name__
        case dict():
            return ", ".join(f"{key}={_plain(item)}" for key, item in value.items())
        case frozenset():
            return ", ".join(sorted(map(_plain, value)))
        case _:
            return str(value)


def _first_sentence(text: str) -> str:
    return " ".join(text.strip().partition("\n\n")[0].split()).partition(". ")[0].rstrip(".")


# --- a phrase for each field ---


def _refuses(reasons: Mapping[str, str]) -> str:
    lacking = [name for name, reason in reasons.items() if reason == _LACKS]
    others: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        if reason != _LACKS:
            others.setdefault(reason, []).append(name)
    phrases = [f"does not take {_codes(lacking)}"] if lacking else []
    phrases += [f"does not take {_codes(names)} ({reason})" for reason, names in others.items()]
    return "; ".join(phrases)


def _values(spellings: Mapping[str, Mapping[str, str | None]]) -> str:
    phrases: list[str] = []
    for name, spelling in spellings.items():
        for given, spelled in spelling.items():
            if spelled is None:
                phrases.append(f"has no {_code(f'{name}={given}')}")
            elif spelled:
                phrases.append(f"{_code(f'{name}={given}')} is sent as {_code(spelled)}")
            else:
                phrases.append(f"{_code(f'{name}={given}')} is what it does anyway, and not sent")
    return "; ".join(phrases)


def _error_codes(codes: Mapping[str, type[Any]]) -> str:
    by_class: dict[str, list[str]] = {}
    for code, cls in codes.items():
        by_class.setdefault(cls.__name__, []).append(code)
    return "error codes: " + ", ".join(f"{_codes(found)} is {_code(name)}" for name, found in by_class.items())


def _place(path: tuple[str | int, ...]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")


def _unless(phrase: str) -> Callable[[Any], str]:
    """A phrase for a field that is False."""
    return lambda _: phrase


_PAGING = {
    "after": "a list goes on after the last id",
    "page": "the pages of a list have numbers",
    "whole": "a list comes whole",
}
_CACHING = {
    "automatic": "keeps prompts by itself",
    "retention": "keeps prompts by itself, for as long as `cache` says",
    "marks": "keeps prompts up to marks, which `cache` sets",
}
_WORDS: dict[str, Callable[[Any], str]] = {
    # where
    "path": lambda path: f"at {_code(path)}",
    "hosted_at": lambda url: f"at {_code(url)}, unless a base URL is given",
    "hosted_models": lambda urls: ", ".join(f"model {_code(model)} at {_code(url)}" for model, url in urls.items()),
    "paging": lambda paging: _PAGING[paging.style],
    # realtime
    "realtime": lambda _: "",  # what stands under realtime
    "address": lambda path: f"at {_code('/' + path)}, whatever the path of the base URL",
    "model_query": lambda name: f"the model is {_code(name)} in the query",
    "shape": lambda shape: "voice and turn detection stand on top of the session" if shape == "flat" else "older names",
    "transcriber": lambda model: f"{_code(model)} writes down what is heard",
    "rates": lambda rates: f"sound at {', '.join(map(str, sorted(rates)))} samples a second",
    "texts": _unless("always speaks"),
    "g711": _unless("takes no G.711"),
    "truncates": _unless("what was not heard cannot be taken back"),
    "loses_responses": lambda _: "",
    "lifetime": lambda seconds: "" if seconds is None else f"a connection ends after {seconds / 60:g} minutes",
    "sends_session": _unless("says nothing of the session"),
    # arguments
    "renames": lambda names: ", ".join(f"{_code(name)} is sent as {_code(other)}" for name, other in names.items()),
    "values": _values,
    "refuses": _refuses,
    "input_types": lambda kinds: (
        "input types: " + ", ".join(f"{_code(k)} as {_code(word)}" for k, word in kinds.items())
    ),
    "lists": lambda names: f"one {_codes(names)} is sent as a list",
    "response_formats": lambda kinds: (
        f"response formats: {_codes(sorted(kinds))} only" if kinds else "takes no `response_format`"
    ),
    "schema_key": lambda key: f"a JSON schema is sent under {_code(key)}",
    "stream_usage": _unless("a stream has its usage without `stream_options`"),
    "tools": _unless("has no tools"),
    "vision": _unless("takes no images"),
    "audio_input": _unless("takes no sound"),
    "reasoning": _unless("takes no `reasoning_effort`"),
    "flat_content": _unless("parts of text are sent as one text; it takes no others"),
    "flat_text": _unless("a list of text parts is sent as one text"),
    "audio_as": lambda kind: (
        "sound is sent as its base64 text alone" if kind == "text" else f"sound is sent as a part {_code(kind)}"
    ),
    "message_names": _unless("names of messages are left out"),
    "tool_id_length": lambda length: f"ids of tool calls are made {length} letters and digits long",
    "caching": lambda kind: _CACHING[kind],
    "uncached": lambda fields: f"`cache=off` is sent as {_codes(f'{k}={v}'.lower() for k, v in fields.items())}",
    "replay": lambda names: f"gets {_codes(names)} of its own messages back",
    "chat": _unless(""),
    "publishers": _unless("models stand under their publishers"),
    "file_uri": lambda uri: f"its own files are at {_code(uri)}" if uri else "it keeps no files",
    "needs_mime_type": _unless("what stands at an address needs its type, as `mime_type`"),
    "tier_header": lambda header: f"`service_tier` is sent as the header {_code(header)}",
    "labels": _unless("`metadata` is sent as `labels`"),
    "store": _unless("does not take `store`"),
    "server_calls": _unless(""),
    "whole": _unless(""),
    "predicting": lambda parts: f"models with {_codes(parts)} in their ids are asked by `predict`",
    # messages
    "stream_path": lambda path: f"streams at {_code(path)}",
    "stream_in_body": _unless("the body does not say whether the answer is to be streamed"),
    "version_in_body": lambda version: f"the API's version, {_code(version)}, stands in the body",
    "betas_in_body": _unless("betas stand in the body"),
    "urls": _unless("takes images and documents as bytes only"),
    "web_search": lambda kind: (
        f"`web_search_options` is sent as the tool {_code(kind)}" if kind else "has no `web_search_options`"
    ),
    "default_max_tokens": lambda count: f"{count} tokens are the limit of an answer where the call gives none",
    # answers
    "finish": lambda words: ", ".join(f"end {_code(word)} is {_code(normal)}" for word, normal in words.items()),
    "codes": _error_codes,
    "usage_in": lambda path: f"a stream's usage is read from {_code(_place(path))}, too",
    "error_in": lambda path: f"an error is read from {_code(_place(path))} of a chunk, too",
    "cached_in": lambda name: f"cached tokens are read from {_code(f'usage.{name}')}",
    "adds_reasoning": _unless("reasoning tokens are added to `completion_tokens`, where it leaves them out"),
    "citations_in": lambda names: f"`message.citations` is read from {_codes(names)}",
    "think_tags": _unless("thinking between `<think>` tags is taken out of the text"),
    "base_resp": _unless("an error may come as `base_resp` in an answer with status 200"),
    # responses
    "keeps": _unless("keeps no responses: the whole conversation goes into the input"),
    "cancels": _unless("cannot cancel a response"),
    # completions, embeddings, models, moderations
    "one_prompt": _unless("takes one text as prompt"),
    "max_inputs": lambda count: f"{count} inputs a request; more are sent in several",
    "max_tokens": lambda count: f"{count:,} tokens a request, by an estimate; more are sent in several",
    "dimensions": _unless("vectors are not shortened"),
    "base64": _unless("vectors come as numbers, not in base64"),
    "prefix": lambda prefix: f"{_code(prefix)} is taken off the ids",
    "publishes": lambda _: "says what a model can, when `models.capabilities` asks",
    "takes_parts": _unless("takes texts, and no images"),
    "most_inline": lambda count: f"up to {count:,} requests go into the call that begins a batch, without a file",
    "chat_path": lambda path: f"judges conversations at {_code(path)}",
    # reranking
    "query_field": lambda name: f"the query is sent as {_code(name)}",
    "documents_field": lambda name: f"the documents are sent as {_code(name)}",
    "wraps_texts": _unless("texts are sent as objects"),
    "repeats_query": _unless("the query is sent once for each document"),
    "takes_objects": _unless("documents are texts"),
    "model_in_body": _unless("the body does not name the model"),
    "takes_top_n": _unless("has no `top_n`: the best are picked here"),
    "always": lambda fields: ", ".join(
        f"{_code(f'{name}={value}'.lower())} is always sent" for name, value in fields.items()
    ),
    # sound and images
    "formats": lambda kinds: f"answers in {_codes(sorted(kinds))}",
    "file_types": lambda kinds: f"takes files {_codes(sorted(kinds))}",
    "sends_format": _unless("`response_format` is not sent"),
    "sends_model": _unless("the model is not sent"),
    "brackets": _unless("lists are sent by their plain names"),
    "max_chars": lambda count: f"at most {count} characters",
    "asks_for": lambda kind: f"asked for {_code(kind)} where no format is given",
    "json_answer": _unless("the sound comes as base64 in JSON"),
    "stream_field": lambda field: f"events are asked for by {_code(f'{field[0]}={field[1]}'.lower())}",
    "voice_field": lambda name: f"`voice` is sent as {_code(name)}",
    "max_n": lambda count: f"at most {count} images a call",
    "sizes": lambda sizes: (
        f"sizes: sides to {sizes.longest} pixels, {sizes.pixels} pixels in all, at most {sizes.ratio:g}:1"
    ),
    "max_images": lambda count: f"at most {count} images to work from",
    "inline": _unless("images to work from are sent in JSON"),
}
