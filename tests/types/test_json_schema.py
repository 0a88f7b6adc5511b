"""JSON schemas in the strict form, beside what the official `openai` client makes of the same pydantic models."""

import enum
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta, Struct
from openai.lib._pydantic import to_strict_json_schema
from pydantic import BaseModel, ConfigDict, Field

from onellm.types.answer_types import AnswerType
from onellm.types.json_schema import NotStrictError, strict_schema


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Step(BaseModel):
    """One step."""

    explanation: str
    minutes: int = Field(ge=0, le=600)


class Plain(BaseModel):
    title: str = Field(description="in few words")
    score: float
    done: bool
    colour: Colour
    tags: list[str]


class Nested(BaseModel):
    steps: list[Step] = Field(min_length=1, max_length=5)
    last: Step
    maybe: Step | None
    answer: int | str | list[Step]


class Described(BaseModel):
    """References with something beside them are written out."""

    first: Step = Field(description="the first of them")
    steps: list[Annotated[Step, Field(description="each")]]


class Literals(BaseModel):
    one: Literal["only"]
    some: Literal["a", "b"]
    number: Literal[1, 2]


class Optional(BaseModel):
    none: str | None = None


class Empty(BaseModel):
    pass


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    good: bool


class Pets(BaseModel):
    pets: list[Cat | Dog]


class Tree(BaseModel):
    name: str
    children: "list[Tree]"


class Defaults(BaseModel):
    count: int = 3


class DefaultStep(BaseModel):
    step: Step = Step(explanation="", minutes=1)


class Chosen(BaseModel):
    pet: Cat | Dog = Field(discriminator="kind")


class Sets(BaseModel):
    tags: set[str]


SAME = [Plain, Nested, Described, Literals, Optional, Empty, Pets, Step, Tree]


def without(schema: Any, *keys: str) -> Any:
    """A schema without some of its keys."""
    if isinstance(schema, dict):
        return {key: without(value, *keys) for key, value in schema.items() if key not in keys}
    return [without(item, *keys) for item in schema] if isinstance(schema, list) else schema


def one_of_as_any_of(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {"anyOf" if key == "oneOf" else key: one_of_as_any_of(value) for key, value in schema.items()}
    return [one_of_as_any_of(item) for item in schema] if isinstance(schema, list) else schema


# Where ours differ from theirs, why, and theirs as ours.
DIFFERENT: dict[type[BaseModel], tuple[str, Any]] = {
    Defaults: (
        "a default is a value that strict output has no use for; they keep all but null",
        lambda theirs: without(theirs, "default"),
    ),
    DefaultStep: (
        "a reference with nothing but a default beside it stands alone; they write it out",
        lambda theirs: theirs | {"properties": {"step": {"$ref": "#/$defs/Step"}}},
    ),
    Chosen: (
        "strict output documents anyOf alone for unions; they leave a discriminated one as it is",
        lambda theirs: one_of_as_any_of(without(theirs, "discriminator")),
    ),
    Sets: (
        "that nothing stands in it twice cannot be held to, and a set is read from it all the same",
        lambda theirs: without(theirs, "uniqueItems"),
    ),
}


@pytest.mark.parametrize("model", SAME)
def test_it_is_the_official_client_s(model: type[BaseModel]) -> None:
    assert AnswerType(model).schema == to_strict_json_schema(model)


@pytest.mark.parametrize("model", DIFFERENT)
def test_it_differs_only_where_it_says_so(model: type[BaseModel]) -> None:
    _, as_ours = DIFFERENT[model]
    ours, theirs = AnswerType(model).schema, to_strict_json_schema(model)
    assert ours != theirs
    assert ours == as_ours(theirs)


def test_a_described_reference_to_itself_ends() -> None:
    """Written out it would never end (the official client's does not): the reference stays, the description goes."""

    class Branch(BaseModel):
        name: str
        twigs: list[Annotated["Branch", Field(description="smaller ones")]]

    class Garden(BaseModel):
        oak: Branch = Field(description="the old one")

    Branch.model_rebuild(_types_namespace={"Branch": Branch})
    Garden.model_rebuild(_types_namespace={"Branch": Branch})
    with pytest.raises(RecursionError):
        to_strict_json_schema(Branch)
    made = strict_schema(Branch.model_json_schema())
    assert made["$defs"]["Branch"]["properties"]["twigs"]["items"] == {"$ref": "#/$defs/Branch"}
    oak = strict_schema(Garden.model_json_schema())["properties"]["oak"]
    assert oak["description"] == "the old one"
    assert oak["properties"]["twigs"]["items"] == {"$ref": "#/$defs/Branch"}


def test_what_is_given_stays_as_it_is() -> None:
    given = Described.model_json_schema()
    before = msgspec.json.encode(given)
    strict_schema(given)
    assert msgspec.json.encode(given) == before


class Mixed(Struct):
    choice: Literal["a", 2] | None = None
    small: Annotated[int, Meta(ge=0, description="a few")] = 0


def test_enums_have_their_types_and_everything_is_required() -> None:
    """msgspec leaves the type of an enum to be seen; hosts that build a grammar of a schema want it said."""
    made = strict_schema(msgspec.json.schema(Mixed))["$defs"]["Mixed"]
    assert made["properties"] == {
        "choice": {"anyOf": [{"enum": [2, "a"], "type": ["integer", "string"]}, {"type": "null"}]},
        "small": {"type": "integer", "minimum": 0, "description": "a few"},
    }
    assert (made["required"], made["additionalProperties"]) == (["choice", "small"], False)


OBJECT: dict[str, Any] = {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        ({"allOf": [{"type": "string"}], "description": "d"}, {"type": "string", "description": "d"}),
        ({"const": 1}, {"const": 1, "type": "integer"}),
        ({"properties": {}}, {"type": "object", "properties": {}, "required": [], "additionalProperties": False}),
        ({"oneOf": [{"type": "null"}]}, {"anyOf": [{"type": "null"}]}),
        (
            {"definitions": {"a": {"type": "null", "default": None}}, "$ref": "#/definitions/a", "title": "t"},
            {"definitions": {"a": {"type": "null"}}, "type": "null", "title": "t"},
        ),
    ],
)
def test_other_ways_to_say_it(schema: dict[str, Any], strict: dict[str, Any]) -> None:
    assert strict_schema(schema) == strict


class Loose(BaseModel):
    model_config = ConfigDict(extra="allow")


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": "object"}, "the schema is a dict with any keys"),
        (Loose.model_json_schema(), "the schema is a dict with any keys"),
        ({**OBJECT, "properties": {"a": {"type": "object", "additionalProperties": {"type": "null"}}}}, "a is a dict"),
        ({**OBJECT, "properties": {"a": {"type": "array"}}}, "a is a list of anything"),
        ({**OBJECT, "properties": {"a": {"type": "array", "items": True}}}, r"a\[\] takes a value of any type"),
        ({**OBJECT, "properties": {"a": {"properties": {"b": {}}}}}, "a.b takes a value of any type"),
        ({"type": "array", "prefixItems": [], "items": False}, "the schema has prefixItems"),
        ({"type": ["object", "null"]}, "the schema has several types in one"),
        ({"allOf": [OBJECT, OBJECT]}, "the schema has allOf"),
        ({"enum": [[1]]}, "no texts, numbers or bools"),
        ({"enum": []}, "no texts, numbers or bools"),
        ({"$ref": "#/$defs/nowhere", "title": "x"}, "#/\\$defs/nowhere leads nowhere"),
        ({"$defs": {"A": {"not": {}}}, "$ref": "#/$defs/A"}, "A has not"),
    ],
)
def test_what_no_strict_schema_says_is_named(schema: dict[str, Any], why: str) -> None:
    with pytest.raises(NotStrictError, match=why):
        strict_schema(schema)
