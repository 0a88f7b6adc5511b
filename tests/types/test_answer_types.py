"""Types as the form of an answer: the schema that a model is held to, and what it wrote as a value."""

import datetime as dt
import enum
import re
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from importlib import import_module
from importlib.util import find_spec
from types import GenericAlias
from typing import Annotated, Any, Generic, Literal, NotRequired, TypedDict, TypeVar

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import UNSET, Meta, Struct, UnsetType
from pydantic import BaseModel, Field

from onellm import InvalidRequestError, ResponseValidationError
from onellm.types.answer_types import AnswerType, answer_type, is_answer_type

jsonschema: Any = import_module("jsonschema") if find_spec("jsonschema") else None

T = TypeVar("T")


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Step(Struct):
    explanation: str
    minutes: Annotated[int, Meta(ge=0)] = 0


class Solution(Struct):
    """How it is done."""

    steps: list[Step]
    colour: Colour = Colour.RED
    note: str | None = None
    rest: int | UnsetType = UNSET


class Node(Struct):
    name: str
    children: "list[Node]" = []


class Box(Struct, Generic[T]):
    inside: T


class Answer(Struct):
    """It has the name of the object that lists are put into."""

    text: str


class Cat(Struct, tag=True):
    lives: int


class Dog(Struct, tag=True):
    good: bool


class Pair(Struct, array_like=True):
    first: int
    second: str


@dataclass
class Range:
    first: int
    last: int = 9
    tags: list[str] = field(default_factory=list)


class Hint(TypedDict):
    text: str
    weight: NotRequired[float]


class Person(BaseModel):
    name: str = Field(min_length=1)
    friends: "list[Person]" = []


READ: list[tuple[Any, str, str, Any]] = [
    (Solution, "Solution", '{"steps":[{"explanation":"x"}]}', Solution([Step("x")])),
    (Node, "Node", '{"name":"a","children":[{"name":"b"}]}', Node("a", [Node("b")])),
    (Box[int], "Box", '{"inside":1}', Box(1)),
    (Range, "Range", '{"first":1}', Range(1)),
    (Hint, "Hint", '{"text":"x"}', {"text": "x"}),
    (Person, "Person", '{"name":"a","friends":[{"name":"b"}]}', Person(name="a", friends=[Person(name="b")])),
    (list[Step], "list", '{"value":[{"explanation":"x"}]}', [Step("x")]),
    (list[Answer], "list", '{"value":[{"text":"x"}]}', [Answer("x")]),
    (list[Person], "list", '{"value":[{"name":"a"}]}', [Person(name="a")]),
    (Person | None, "answer", '{"value":null}', None),
    (Cat | Dog, "answer", '{"value":{"type":"Dog","good":true}}', Dog(good=True)),
    (Literal["a", "b"], "Literal", '{"value":"b"}', "b"),
    (int | str, "answer", '{"value":"b"}', "b"),
    (Colour, "Colour", '{"value":"blue"}', Colour.BLUE),
    (set[int], "set", '{"value":[1,1]}', {1}),
    (float, "float", '{"value":1}', 1.0),
    (Pair, "Pair", '{"value":[1,"x"]}', Pair(1, "x")),
    (dict[str, int], "dict", '{"a":1}', {"a": 1}),
    (dict, "dict", '{"a":[null]}', {"a": [None]}),
    (Annotated[list[int], Meta(max_length=2)], "Annotated", '{"value":[1]}', [1]),
]


@pytest.mark.parametrize(("kind", "name", "written", "value"), READ, ids=[str(case[0]) for case in READ])
def test_what_is_written_is_read(kind: Any, name: str, written: str, value: Any) -> None:
    """What is no object stands in one; the name is one that hosts take."""
    answer = AnswerType[Any](kind)
    read = answer.read(written)
    assert (type(read), read) == (type(value), value)
    assert answer.schema["type"] == "object"
    # Python 3.14 has a name for unions
    assert answer.name == name or (sys.version_info >= (3, 14) and answer.name == "Union")


def test_the_schema_is_what_a_request_says() -> None:
    assert AnswerType[Any](Solution).response_format() == {
        "type": "json_schema",
        "json_schema": {
            "name": "Solution",
            "strict": True,
            "schema": {
                "title": "Solution",
                "description": "How it is done.",
                "type": "object",
                "properties": {
                    "steps": {"type": "array", "items": {"$ref": "#/$defs/Step"}},
                    "colour": {"$ref": "#/$defs/Colour"},
                    "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                    "rest": {"type": "integer"},
                },
                "required": ["steps", "colour", "note", "rest"],
                "additionalProperties": False,
                "$defs": {
                    "Step": {
                        "title": "Step",
                        "type": "object",
                        "properties": {
                            "explanation": {"type": "string"},
                            "minutes": {"type": "integer", "minimum": 0},
                        },
                        "required": ["explanation", "minutes"],
                        "additionalProperties": False,
                    },
                    "Colour": {"title": "Colour", "enum": ["blue", "red"], "type": "string"},
                },
            },
        },
    }


@pytest.mark.parametrize(
    ("kind", "loose", "free"),
    [
        (Solution, None, False),
        (dict[str, int], "the schema is a dict with any keys", False),
        (tuple[int, str], "value has prefixItems", False),
        (Pair, "Pair has prefixItems", False),
        (Box[dict[str, int]], "inside is a dict with any keys", False),
        (Box[Any], "inside takes a value of any type", False),
        (dict, "the schema is a dict with any keys", True),
        (dict[str, Any], "the schema is a dict with any keys", True),
        (Mapping[str, Any], "the schema is a dict with any keys", True),
    ],
)
def test_what_a_model_cannot_be_held_to_is_known(kind: Any, loose: str | None, free: bool) -> None:
    """The schema goes out all the same, as one that only guides."""
    answer = AnswerType[Any](kind)
    assert (answer.loose, answer.strict, answer.free) == (loose, loose is None, free)
    assert answer.response_format()["json_schema"]["strict"] is (loose is None)


MISFITS: list[tuple[Any, str, str]] = [
    (Solution, '{"steps":[{"explanation":1}]}', r"no Solution: Expected str, got int - at \$.steps\[0\].explanation"),
    (Solution, "{}", "no Solution: Object missing required field steps"),
    (Solution, '{"steps":[', "Input data was truncated"),
    (Solution, "", "Input data was truncated"),
    (Solution, "Sure!", "JSON is malformed"),
    (list[Step], '{"value":[{"explanation":1}]}', r"no list: Expected str, got int - at \$\[0\].explanation"),
    (Person, '{"name":""}', r"no Person: .*at least 1 character - at \$.name"),
    (Person, '{"name":1,"friends":1}', r"at \$.name; .* - at \$.friends"),
    (list[Person], '{"value":[{}]}', r"Field required - at \$.0.name"),
    (Box[Any], '{"inside":' + "[" * 100_000, "recursion"),
]


@pytest.mark.parametrize(("kind", "written", "says"), MISFITS)
def test_what_does_not_fit_says_where_and_what(kind: Any, written: str, says: str) -> None:
    with pytest.raises(ResponseValidationError, match=says) as caught:
        AnswerType[Any](kind).read(written)
    assert caught.value.raw == written.encode()


def test_half_a_character_is_a_misfit_too() -> None:
    """A stream's text may end, or be put together, inside a pair of surrogates."""
    with pytest.raises(ResponseValidationError):
        AnswerType[Any](str).read('{"value":"\ud83d"}')


FENCED = '```json\n{"text": "x"}\n```'


@pytest.mark.parametrize("text", [FENCED, f"\n{FENCED}\n", '```\n{"text": "x"}```', '{"text": "x"}'])
def test_a_code_block_is_taken_off_where_the_form_was_only_asked_for(text: str) -> None:
    answer = AnswerType[Answer](Answer)
    assert answer.read(text, unfence=True) == Answer("x")
    if "```" in text:
        with pytest.raises(ResponseValidationError, match="malformed"):
            answer.read(text)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Answer, '{"text": "x', {"text": "x"}),
        (Answer, "", None),
        (Answer, '```json\n{"text": "x', {"text": "x"}),
        (Answer, FENCED, {"text": "x"}),
        (list[Answer], '{"value": [{"text": "x"}, {', [{"text": "x"}, {}]),
        (list[Answer], "{", None),
    ],
)
def test_what_is_there_so_far(kind: Any, text: str, value: Any) -> None:
    assert AnswerType[Any](kind).read_partial(text, unfence=True) == value


class Odd:
    pass


class Holder(Struct):
    odd: Odd


class HalfPydantic(Struct):
    person: Person


class Defaulted(Struct):
    raw: msgspec.Raw = msgspec.Raw(b"1")


@pytest.mark.parametrize(
    "kind", [Odd, Holder, list[Odd], 5, HalfPydantic, Person | Step, Defaulted, complex, list[int] | set[int]]
)
def test_what_no_schema_says_is_refused(kind: Any) -> None:
    with pytest.raises(InvalidRequestError, match="response_format: no schema can say") as caught:
        answer_type(kind)
    assert caught.value.param == "response_format"


def test_two_types_of_one_name_are_refused() -> None:
    """msgspec tells them apart by module and name."""

    def make(**fields: Any) -> Any:
        return msgspec.defstruct("Twin", list(fields.items()), module="somewhere")

    with pytest.raises(InvalidRequestError, match="no schema can say Twin: two types in it are called"):
        AnswerType[Any](make(other=make(x=int)))


def test_what_is_no_type_is_known() -> None:
    for wrong in (None, {"type": "json_object"}, "json_object", b"", Step("x")):
        assert not is_answer_type(wrong)
    for right in (Step, list[Step], dict, Literal["a"], int | None, Person, TypedDict):
        assert is_answer_type(right)


def test_a_schema_is_made_once_for_a_type() -> None:
    """One that has no hash is made anew."""
    assert answer_type(list[Step]) is answer_type(list[Step])
    unhashable = Annotated[int, []]
    assert answer_type(unhashable) is not answer_type(unhashable)


def test_the_name_is_one_that_hosts_take() -> None:
    made = type("Größe " * 20, (Struct,), {"__annotations__": {"x": int}})
    assert AnswerType[Any](made).name == ("Gr_e_" * 20)[:64]


# --- any Struct ---

Kind = tuple[Any, st.SearchStrategy[Any]]

_TEXT = st.text(max_size=5)
_INT = st.integers(-(2**53), 2**53)
_FLOAT = st.floats(allow_nan=False, allow_infinity=False)
SIMPLE: list[Kind] = [
    (int, _INT),
    (str, _TEXT),
    (bool, st.booleans()),
    (float, _FLOAT),
    (type(None), st.none()),
    (Colour, st.sampled_from(Colour)),
    (Literal["a", "b"], st.sampled_from(["a", "b"])),
    (Literal[1, 2], st.sampled_from([1, 2])),
    (Annotated[int, Meta(ge=0, le=9, description="a digit")], st.integers(0, 9)),
    (Annotated[str, Meta(min_length=1, max_length=3)], st.text(min_size=1, max_size=3)),
    (bytes, st.binary(max_size=5)),
    (uuid.UUID, st.uuids()),
    (Decimal, st.decimals(allow_nan=False, allow_infinity=False)),
    (dt.date, st.dates()),
    (dt.datetime, st.datetimes(timezones=st.just(dt.UTC))),
    (Step, st.builds(Step, _TEXT, st.integers(0, 9))),
    (Annotated[Step, Meta(description="described")], st.builds(Step, _TEXT, st.integers(0, 9))),
    (Node, st.builds(Node, _TEXT, st.lists(st.builds(Node, _TEXT), max_size=2))),
    (Range, st.builds(Range, _INT, _INT, st.lists(_TEXT, max_size=2))),
    (Hint, st.fixed_dictionaries({"text": _TEXT, "weight": _FLOAT})),
    (Cat | Dog, st.builds(Cat, _INT) | st.builds(Dog, st.booleans())),
    (Pair, st.builds(Pair, _INT, _TEXT)),
    (Any, _INT | _TEXT),
    (Odd, st.builds(Odd)),
    (complex, st.complex_numbers()),
]


def _of(inner: st.SearchStrategy[Kind]) -> st.SearchStrategy[Kind]:
    return st.one_of(
        inner.map(lambda one: (GenericAlias(list, (one[0],)), st.lists(one[1], max_size=2))),
        inner.map(lambda one: (GenericAlias(dict, (str, one[0])), st.dictionaries(_TEXT, one[1], max_size=2))),
        inner.map(lambda one: (GenericAlias(tuple, (one[0], int)), st.tuples(one[1], _INT))),
        inner.map(lambda one: (GenericAlias(tuple, (one[0], ...)), st.lists(one[1], max_size=2).map(tuple))),
        inner.map(lambda one: (one[0] | None, one[1] | st.none())),
        inner.map(lambda one: (one[0] | list[int], one[1] | st.lists(_INT, max_size=2))),
        st.lists(inner, max_size=4).map(_struct),
    )


def _struct(parts: list[Kind]) -> Kind:
    fields = [(f"x{place}", kind) for place, (kind, _) in enumerate(parts)]
    made = msgspec.defstruct("Made", fields)
    return made, st.tuples(*(values for _, values in parts)).map(lambda values: made(*values))


KINDS = st.recursive(st.sampled_from(SIMPLE), _of, max_leaves=6)


def form_of(kind: Any) -> AnswerType[Any] | None:
    """None where it is refused, with a reason."""
    try:
        return AnswerType(kind)
    except InvalidRequestError as exc:
        why = exc.message
    assert re.match(r"response_format: no schema can say \w+: .{10}", why)
    return None


@settings(suppress_health_check=[HealthCheck.too_slow])  # the first text that is drawn waits for a table
@given(st.lists(KINDS, max_size=4).map(_struct) | KINDS, st.data())
def test_any_type_round_trips_or_is_refused(kind: Kind, data: st.DataObject) -> None:
    """What msgspec writes of a value is read as this value, and fits the schema that the model is held to."""
    made, values = kind
    if (answer := form_of(made)) is None:
        return
    value = data.draw(values)
    text = msgspec.json.encode({"value": value} if answer._wrapped else value).decode()
    assert answer.read(text) == value
    assert answer.strict is (answer.loose is None)
    fits(text, answer.schema)


def fits(text: str, schema: dict[str, Any]) -> None:
    """Where there is a validator, it agrees that the text fits the schema."""
    if jsonschema is not None:
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.Draft202012Validator(schema).validate(msgspec.json.decode(text))
