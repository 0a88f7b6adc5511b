"""Calls as the inputs of a model, under the names that the model itself publishes.

A name that a model may give to one meaning stands in a table below; the first that the model has is used. What the
model lacks is unsupported.
"""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# Messages are JSON of known shapes, taken apart by patterns.

import re
from collections.abc import Mapping
from math import gcd
from typing import Any

import msgspec

from onellm.dialects.params import refuse
from onellm.dialects.replicate.schema import ModelSchema
from onellm.errors import UnsupportedFeatureError
from onellm.types.audio import SpeechRequest, TranscriptionRequest
from onellm.types.chat_params import ChatRequest
from onellm.types.images import ImageRequest
from onellm.types.request import Request

PROMPT = ("prompt", "text", "input_text", "inputs", "input")
SYSTEM = ("system_prompt", "system_instruction", "system")
IMAGES = ("image_input", "input_images", "images", "image")
AUDIO = ("audio", "audio_file", "audio_path", "file", "input_audio")
SPOKEN = ("text", "prompt", "input", "inputs", "gen_text")
VOICE = ("voice", "voice_id", "speaker", "speaker_id")

# Arguments, each with the names under which models know them.
NAMES: dict[str, tuple[str, ...]] = {
    "max_tokens": ("max_tokens", "max_new_tokens", "max_completion_tokens", "max_output_tokens", "max_length"),
    "max_completion_tokens": ("max_completion_tokens", "max_output_tokens", "max_tokens", "max_new_tokens"),
    "n": ("num_outputs", "number_of_images", "num_images", "n"),
    "output_compression": ("output_compression", "output_quality"),
    "speed": ("speed", "speech_speed"),
    "language": ("language", "language_code"),
    "prompt": ("initial_prompt", "prompt"),
    "response_format": ("output_format", "audio_format", "response_format"),
    "instructions": ("instructions", "style_prompt"),
}
_NO_OBJECTS = "a prediction's output is text"
_REFUSES: dict[str, str] = dict.fromkeys(
    (
        "audio",
        "function_call",
        "functions",
        "logit_bias",
        "logprobs",
        "modalities",
        "n",
        "parallel_tool_calls",
        "prediction",
        "response_format",
        "tool_choice",
        "tools",
        "top_logprobs",
        "web_search_options",
    ),
    _NO_OBJECTS,
)
_SIZE = re.compile(r"^(\d+)x(\d+)$")
_SPEAKERS = {"user": "User", "assistant": "Assistant"}


def encode_chat(request: ChatRequest, schema: ModelSchema) -> dict[str, Any]:
    """A conversation: as messages where the model takes them, else as one prompt."""
    params = dict(request.params)
    if params.get("response_format") == {"type": "text"}:
        del params["response_format"]
    params.pop("stream_options", None)  # the counts come with every answer that has them
    refuse(params, _REFUSES, request)
    body: dict[str, Any] = {}
    if _needs(request, schema, PROMPT, "prompt", also=("messages",)):
        turns, images = _turns(request)
        _put_images(images, body, request, schema)
        if "messages" in schema.inputs and (len(turns) > 1 or schema.first(PROMPT) is None):
            listed = [{"role": role, "content": text} for role, text in turns]
            as_text = schema.inputs["messages"].type == "string"
            body["messages"] = msgspec.json.encode(listed).decode() if as_text else listed
        else:
            _put_prompt(turns, body, request, schema)
    _put_stop(params, body, request, schema)
    return _finish(params, body, request, schema)


def encode_images(request: ImageRequest, schema: ModelSchema) -> dict[str, Any]:
    """A wish for images. In which form they come back is up to who reads them."""
    params = {name: value for name, value in request.params.items() if name != "response_format"}
    body: dict[str, Any] = {}
    if _needs(request, schema, PROMPT, "prompt"):
        body[schema.first(PROMPT) or "prompt"] = request.prompt or ""
    _put_size(params, body, request, schema)
    return _finish(params, body, request, schema)


def encode_speech(request: SpeechRequest, schema: ModelSchema) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if _needs(request, schema, SPOKEN, "text"):
        body[schema.first(SPOKEN) or "text"] = request.input
    voice = request.voice if isinstance(request.voice, str) or request.voice is None else request.voice.get("id")
    params = dict(request.params)
    if voice is not None:
        if (name := schema.first(VOICE)) is None:
            request.unsupported("voice", _takes(schema))
        else:
            _put(name, voice, "voice", body, request, schema)
    return _finish(params, body, request, schema)


def encode_transcription(request: TranscriptionRequest, schema: ModelSchema, url: str) -> dict[str, Any]:
    """The recording stands at `url`, which may hold it."""
    body: dict[str, Any] = {}
    if request.format not in {None, "json", "text", "verbose_json"}:
        request.unsupported(f"response_format={request.format!r}", "it answers with text, and with segments")
    if _needs(request, schema, AUDIO, "audio"):
        body[schema.first(AUDIO) or "audio"] = url
    return _finish(dict(request.params), body, request, schema)


def _needs(
    request: Request, schema: ModelSchema, names: tuple[str, ...], what: str, *, also: tuple[str, ...] = ()
) -> bool:
    """Whether the main input is to be put in: not where the caller gave the model's own inputs and it has none such.

    Raises:
        UnsupportedFeatureError: the model has no such input.
    """
    if schema.first((*names, *also)) is not None:
        return True
    if _own(request):
        return False
    has = f"its inputs are {', '.join(schema.inputs)}" if schema.known else "it publishes no description"
    raise UnsupportedFeatureError(
        f'{request.model} has no {what} among its inputs: {has}; give them as extra_body={{"input": {{…}}}}',
        provider=request.provider,
        model=request.model,
    )


def _own(request: Request) -> Mapping[str, Any]:
    found = (request.extra_body or {}).get("input")
    return found if isinstance(found, dict) else {}


def _finish(params: dict[str, Any], body: dict[str, Any], request: Request, schema: ModelSchema) -> dict[str, Any]:
    """The body of the request: the other arguments under the model's names, and the caller's own fields."""
    for name, value in list(params.items()):
        found = schema.first(NAMES.get(name, (name,)))
        if found is not None and found not in body:
            if found != name:
                request.adjustments.append(f"sent {name} as {found}")
            _put(found, value, name, body, request, schema)
            del params[name]
    refuse(params, dict.fromkeys(params, _takes(schema)), request)
    own = dict(request.extra_body or {})
    body.update(_own(request))
    own.pop("input", None)
    return {"input": body, **own}


def _takes(schema: ModelSchema) -> str:
    return f"this model takes {', '.join(schema.inputs)}" if schema.inputs else "what this model takes is not known"


def _put(  # noqa: PLR0917 - one line a call
    field: str, value: Any, name: str, body: dict[str, Any], request: Request, schema: ModelSchema
) -> None:
    allowed = schema.inputs[field].enum
    if allowed and value not in allowed:
        twin = {"jpeg": "jpg", "jpg": "jpeg"}.get(value) if isinstance(value, str) else None
        if twin not in allowed:
            request.unsupported(f"{name}={value!r}", f"it takes {', '.join(map(repr, allowed))}")
            return
        request.adjustments.append(f"sent {name}={value!r} as {twin!r}")
        value = twin
    body[field] = value


def _turns(request: ChatRequest) -> tuple[list[tuple[str, str]], list[str]]:
    """Who said what, in order, and the images among it."""
    turns: list[tuple[str, str]] = []
    images: list[str] = []
    for number, message in enumerate(request.messages):
        where = f"messages[{number}]"
        role = "system" if message["role"] == "developer" else message["role"]
        if role in {"tool", "function"} or message.get("tool_calls"):
            request.unsupported(where, "it has no tools")
            continue
        content = message.get("content") or message.get("refusal") or ""
        parts: list[dict[str, Any]] = [{"type": "text", "text": content}] if isinstance(content, str) else content
        texts: list[str] = []
        for place, part in enumerate(parts):
            match part:
                case {"type": "text", "text": str() as text} | {"type": "refusal", "refusal": str() as text}:
                    texts.append(text)
                case {"type": "image_url", "image_url": str() as url} | {"image_url": {"url": str() as url}}:
                    images.append(url)
                case _:
                    request.unsupported(f"{where}.content[{place}]", f"it takes no {part['type']}")
        turns.append((role, "\n".join(texts)))
    return turns, images


def _put_images(images: list[str], body: dict[str, Any], request: ChatRequest, schema: ModelSchema) -> None:
    if not images:
        return
    field = schema.first(IMAGES)
    if field is None:
        request.unsupported("image_url", _takes(schema))
    elif schema.inputs[field].type == "array":
        body[field] = images
    else:
        if len(images) > 1:
            request.unsupported("several images", "this model takes one")
        body[field] = images[0]


def _put_prompt(turns: list[tuple[str, str]], body: dict[str, Any], request: ChatRequest, schema: ModelSchema) -> None:
    field = schema.first(PROMPT) or "prompt"
    system = "\n\n".join(text for role, text in turns if role == "system")
    said = [turn for turn in turns if turn[0] != "system"]
    if system and (own := schema.first(SYSTEM)) is not None:
        body[own] = system
        system = ""
    if len(said) == 1 and said[0][0] == "user":
        prompt = said[0][1]
    else:
        lines = [f"{_SPEAKERS.get(role, role)}: {text}" for role, text in said]
        if said and said[-1][0] == "user":
            lines.append("Assistant:")
        prompt = "\n\n".join(lines)
        request.adjustments.append("wrote the conversation as one prompt: this model takes no messages")
    if system:
        request.adjustments.append("put the system message before the prompt: this model takes none")
    body[field] = f"{system}\n\n{prompt}" if system else prompt


def _put_stop(params: dict[str, Any], body: dict[str, Any], request: ChatRequest, schema: ModelSchema) -> None:
    stop = params.pop("stop", None)
    if stop is None:
        return
    stops = [stop] if isinstance(stop, str) else list(stop)
    field = schema.first(("stop_sequences", "stop"))
    if field is None:
        request.unsupported("stop", _takes(schema))
    elif schema.inputs[field].type == "array":
        body[field] = stops
    elif any("," in text for text in stops):
        request.unsupported("stop", "this model parts texts by commas, and one of these has a comma")
    else:
        body[field] = ",".join(stops)


def _put_size(params: dict[str, Any], body: dict[str, Any], request: ImageRequest, schema: ModelSchema) -> None:
    """Width and height, or the ratio of the two, as the model has it."""
    size = params.get("size")
    if size == "auto":
        del params["size"]
        return
    found = _SIZE.match(size or "")
    if found is None or "size" in schema.inputs:
        return
    width, height = int(found[1]), int(found[2])
    if {"width", "height"} <= schema.inputs.keys():
        del params["size"]
        _put("width", width, "size", body, request, schema)
        _put("height", height, "size", body, request, schema)
    elif "aspect_ratio" in schema.inputs and width and height:
        ratio = f"{width // gcd(width, height)}:{height // gcd(width, height)}"
        if ratio in schema.inputs["aspect_ratio"].enum:
            del params["size"]
            body["aspect_ratio"] = ratio
            request.adjustments.append(f"sent size={size!r} as aspect_ratio={ratio!r}: this model chooses the pixels")
