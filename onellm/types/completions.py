"""Text completions: what callers say, and what they get. https://platform.openai.com/docs/api-reference/completions"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from msgspec import Meta, field

from onellm.types.base import Answer, Model
from onellm.types.chat import CompletionUsage, FinishReason, PromptFilterResult, Seconds
from onellm.types.chat_params import StreamOptions
from onellm.types.options import ModelOptions
from onellm.types.request import Request

if TYPE_CHECKING:
    from decimal import Decimal

Prompt: TypeAlias = str | Sequence[str] | Sequence[int] | Sequence[Sequence[int]]
"""One text, many texts, one text as token ids, or many as token ids."""


class CompletionParams(ModelOptions, total=False):
    """Everything `completions.create` takes beside model, prompt and stream; None is the same as leaving out."""

    best_of: Annotated[int, Meta(ge=1)] | None
    echo: bool | None
    frequency_penalty: Annotated[float, Meta(ge=-2, le=2)] | None
    logit_bias: Mapping[str, float] | None
    logprobs: Annotated[int, Meta(ge=0)] | None
    max_tokens: Annotated[int, Meta(ge=0)] | None  # 0 with echo asks for the prompt's log probabilities only
    n: Annotated[int, Meta(ge=1)] | None
    presence_penalty: Annotated[float, Meta(ge=-2, le=2)] | None
    seed: int | None
    stop: str | Sequence[str] | None
    stream_options: StreamOptions | None
    suffix: str | None
    temperature: Annotated[float, Meta(ge=0)] | None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None
    user: str | None


class CompletionArguments(CompletionParams, total=False):
    """The same with the prompt, to be checked together."""

    prompt: str | list[str | int | list[int]] | None


class CompletionLogprobs(Model, kw_only=True, gc=False):
    """Lists side by side, one item a token; `text_offset` counts characters. The first token may have no value."""

    tokens: list[str] | None = None
    token_logprobs: list[float | None] | None = None
    top_logprobs: list[dict[str, float] | None] | None = None
    text_offset: list[int] | None = None


class CompletionChoice(Model, kw_only=True, gc=False):
    """One continuation; with several prompts the `n` of the first come first.

    `finish_reason_raw` is the provider's own word. Beyond OpenAI, `content_filter_results` is what a host's filters
    found, as in a chat's `Choice`.
    """

    index: int = 0
    text: str = ""
    finish_reason: FinishReason | None = None
    finish_reason_raw: str | None = None
    logprobs: CompletionLogprobs | None = None
    content_filter_results: dict[str, Any] | None = None


class Completion(Answer, kw_only=True, gc=False):
    """A whole answer, or a chunk of a streamed one, whose texts are the pieces.

    Beyond OpenAI, `prompt_filter_results` is what a host's filters found in the prompts.
    """

    id: str = ""
    object: str = "text_completion"
    created: Seconds = 0
    model: str = ""
    choices: list[CompletionChoice] = field(default_factory=list[CompletionChoice])
    usage: CompletionUsage | None = None
    system_fingerprint: str | None = None
    prompt_filter_results: list[PromptFilterResult] | None = None

    def cost(self) -> "Decimal | None":
        """What it cost in US dollars, by the price list of `genai-prices`; None where that is not known.

        Raises:
            MissingDependencyError: `genai-prices` is not installed.
        """
        from onellm.types.prices import cost  # noqa: PLC0415 - for callers who use it

        return cost(self.provider, self.model, self.usage, created=self.created, tier=None)


class CompletionRequest(Request, kw_only=True):
    """A validated text completion call.

    prompt:  as the caller gave it; None begins a new document
    params:  the given arguments of `create`, None left out, options of the call not among them
    """

    prompt: str | list[str] | list[int] | list[list[int]] | None
    params: dict[str, Any]

    @property
    def expected_choices(self) -> int:
        """How many continuations were asked for."""
        prompts = len(self.prompt) if isinstance(self.prompt, list) and not isinstance(self.prompt[0], int) else 1
        return prompts * int(self.params.get("n", 1))
