"""Options of Converse beyond OpenAI's shape.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta, Struct

CacheTtl: TypeAlias = Literal["5m", "1h"]
"""How long a cached prompt is kept: five minutes, or an hour."""


class Guardrail(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A guardrail that looks at the prompt and the answer.

    identifier, version:  which one; a version is a number as text, or "DRAFT"
    trace:                whether the answer's `raw` says what it found
    stream:               whether a stream waits for it ("sync") or is looked at while it goes out ("async")
    """

    identifier: str
    version: str
    trace: Literal["enabled", "disabled", "enabled_full"] | None = None
    stream: Literal["sync", "async"] | None = None


class BedrockOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What only Converse takes: `create(..., bedrock=BedrockOptions(fields={"top_k": 5}))`.

    fields:            `additionalModelRequestFields`: arguments of the model's own
    response_fields:   `additionalModelResponseFieldPaths`: JSON pointers into the model's own answer; what they point
                       at stands in `raw`
    guardrail:         `guardrailConfig`
    latency:           `performanceConfig.latency`
    prompt_variables:  `promptVariables`, for a model that is the ARN of a prompt
    system_tools:      names of tools that the service itself runs, such as "nova_grounding"
    cache_points:      where a cache point is put: after the tools, after the system text, after the last message. A
                       part of a message gets its own by `"cache_control": {"type": "ephemeral"}` beside its type
    cache_ttl:         how long these are kept; left out, the service says
    citations:         whether the model cites the documents that go in
    effort_field:      where in `fields` the model looks for `reasoning_effort`, with dots: "reasoning_effort",
                       "output_config.effort", "reasoningConfig.maxReasoningEffort". Left out, it is sent as
                       Converse's own `outputConfig.effort`
    system_role:       whether the model takes system messages between others; if not, they go as the user's text
    tool_id_length:    the length that the model wants tool-call ids to have, where it insists on one
    tool_status:       False for a model that refuses the `status` of a tool's result
    """

    fields: Mapping[str, Any] | None = None
    response_fields: Annotated[Sequence[str], Meta(max_length=10)] | None = None
    guardrail: Guardrail | None = None
    latency: Literal["standard", "optimized"] | None = None
    prompt_variables: Mapping[str, str] | None = None
    system_tools: Sequence[str] | None = None
    cache_points: Sequence[Literal["tools", "system", "messages"]] = ()
    cache_ttl: CacheTtl | None = None
    citations: bool | None = None
    effort_field: str | None = None
    system_role: bool = False
    tool_id_length: Annotated[int, Meta(ge=1, le=64)] | None = None
    tool_status: bool = True
