"""Options of Ollama's chat beyond OpenAI's shape. https://docs.ollama.com/api/chat"""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

Thinking: TypeAlias = bool | Literal["low", "medium", "high", "max"]
Count: TypeAlias = Annotated[int, Meta(ge=0)]


class OllamaOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What only Ollama's chat takes: `create(..., ollama=OllamaOptions(num_ctx=16384))`.

    think:              whether, or how much, the model thinks first; in place of `reasoning_effort`
    keep_alive:         how long the model stays loaded: seconds, or "5m"; negative is for ever, 0 unloads it
    truncate:           False makes a prompt longer than the context an error, which else loses its beginning
    shift:              False ends an answer where the context is full, which else loses its beginning
    num_keep:           tokens of the prompt's beginning that are never lost
    top_k, min_p, typical_p:        which tokens are sampled from
    repeat_last_n, repeat_penalty:  how far back repetition is looked for, and how it is punished

    A change of these loads the model anew:
    num_ctx:            tokens of the context; what the server takes unasked may be as little as 4,096
    num_batch:          tokens of the prompt that are read at once
    num_gpu, main_gpu:  layers on the GPU, and which one leads
    use_mmap:           whether the model's file is mapped into memory
    num_thread:         threads
    draft_num_predict:  tokens that a draft model writes ahead
    """

    think: Thinking | None = None
    keep_alive: float | str | None = None
    truncate: bool | None = None
    shift: bool | None = None
    num_keep: int | None = None
    top_k: Count | None = None
    min_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    typical_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    repeat_last_n: int | None = None
    repeat_penalty: float | None = None
    num_ctx: Annotated[int, Meta(ge=1)] | None = None
    num_batch: Annotated[int, Meta(ge=1)] | None = None
    num_gpu: int | None = None
    main_gpu: int | None = None
    use_mmap: bool | None = None
    num_thread: Count | None = None
    draft_num_predict: Count | None = None
