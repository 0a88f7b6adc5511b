"""Options of the v2 chat beyond OpenAI's shape. https://docs.cohere.com/reference/chat"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Required, TypeAlias

from msgspec import Meta, Struct
from typing_extensions import TypedDict


class CohereDocument(TypedDict, total=False):
    """A document to answer from. data: fields with texts; `title`, `url` and `text` are what citations show of it."""

    data: Required[Mapping[str, Any]]
    id: str


class CohereThinking(TypedDict, total=False):
    """Whether the model thinks first, and with how many tokens at most; leave 1,000 or more for the answer."""

    type: Required[Literal["enabled", "disabled"]]
    token_budget: Annotated[int, Meta(ge=1)]


CitationMode: TypeAlias = Literal["ENABLED", "DISABLED", "FAST", "ACCURATE", "OFF"]
SafetyMode: TypeAlias = Literal["CONTEXTUAL", "STRICT", "OFF"]


class CohereOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What only Cohere's v2 chat takes: `create(..., cohere=CohereOptions(documents=[...]))`.

    documents:      what to answer from, and to cite: texts, or `{"id": "doc-1", "data": {"title": …, "text": …}}`
    citation_mode:  how citations are made; "ACCURATE" makes them when the text is there, "FAST" along with it
    thinking:       `{"type": "enabled", "token_budget": 4000}`, in place of `reasoning_effort`
    safety_mode:    which instructions go along; not heeded beside tools and documents
    strict_tools:   whether calls must fit their tools' schemas; each tool needs a required parameter then
    k:              sample from this many tokens only, 0 to 500; 0 is all
    priority:       0 to 999: lower ones are answered first when there is much to do
    """

    documents: list[str | CohereDocument] | None = None
    citation_mode: CitationMode | None = None
    thinking: CohereThinking | None = None
    safety_mode: SafetyMode | None = None
    strict_tools: bool | None = None
    k: Annotated[int, Meta(ge=0, le=500)] | None = None
    priority: Annotated[int, Meta(ge=0, le=999)] | None = None
