"""Python functions as tools: what a model is told of them, and what becomes of what it writes."""

import enum
import json
from dataclasses import dataclass
from types import GenericAlias
from typing import Annotated, Any, Literal, TypedDict

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onellm import FunctionTool, InvalidRequestError, ResponseValidationError
from onellm.types.functions import as_tool


class Unit(enum.Enum):
    CELSIUS = "c"
    FAHRENHEIT = "f"


class Place(msgspec.Struct):
    city: str
    country: str = "FR"


@dataclass
class Range:
    first: int
    last: int


class Hint(TypedDict, total=False):
    text: str


def weather(
    place: Place,
    unit: Unit = Unit.CELSIUS,
    days: Annotated[int, msgspec.Meta(ge=1, le=7)] = 1,
    *,
    tags: list[Literal["rain", "wind"]] = ["rain"],  # noqa: B006 - a default that must not be shared
    near: Place | None = None,
) -> str:
    """The weather of a place.

    It comes from nowhere.

    Args:
        place: where,
            on two lines
        unit (Unit): of the temperature

    Returns:
        a text
    """
    return f"{place.city} {unit.value} {days} {tags} {near}"


def test_what_a_model_is_told() -> None:
    """Types, defaults, constraints and descriptions; what is nested stands in `$defs`."""
    tool = FunctionTool(weather)
    definition: Any = tool.param()["function"]
    assert (definition["name"], definition["description"]) == (
        "weather",
        "The weather of a place.\n\nIt comes from nowhere.",
    )
    schema = definition["parameters"]
    assert (schema["type"], schema["required"], schema["additionalProperties"]) == ("object", ["place"], False)
    assert schema["properties"]["place"] == {"$ref": "#/$defs/Place", "description": "where, on two lines"}
    assert schema["properties"]["unit"] == {
        "$ref": "#/$defs/Unit",
        "description": "of the temperature",
        "default": "c",
    }
    assert schema["properties"]["days"] == {"type": "integer", "minimum": 1, "maximum": 7, "default": 1}
    assert schema["properties"]["tags"]["items"] == {"enum": ["rain", "wind"]}
    assert schema["$defs"]["Unit"]["enum"] == ["c", "f"]
    assert "strict" not in definition


def test_arguments_are_values_of_the_functions_types() -> None:
    tool = FunctionTool(weather)
    _, named = tool.arguments('{"place": {"city": "Zürich"}, "unit": "f", "near": {"city": "Bern", "country": "CH"}}')
    assert named["place"] == Place("Zürich")
    assert named["unit"] is Unit.FAHRENHEIT
    assert tool(**named) == "Zürich f 1 ['rain'] Place(city='Bern', country='CH')"
    named["tags"].append("wind")
    assert tool.arguments('{"place": {"city": "x"}}')[1]["tags"] == ["rain"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"place": {"city": 1}}', "Expected str, got int - at $.place.city"),
        ("{}", "missing required field place"),
        ('{"place": {"city": "x"}, "days": 9}', "at $.days"),
        ('{"place": {"city": "x"}, "colour": 1}', "unknown field colour"),
        ('{"place": {"city": "x"', "truncated"),
        ("[]", "Expected object"),
        (b'{"place": {"city": "\xff"}}', "utf-8"),
    ],
)
def test_arguments_that_do_not_fit_say_where(text: str | bytes, says: str) -> None:
    with pytest.raises(ResponseValidationError, match="the arguments of weather do not fit") as caught:
        FunctionTool(weather).arguments(text)
    assert says.lower() in caught.value.message.lower()
    assert caught.value.raw == (text.encode() if isinstance(text, str) else text)


def test_no_arguments_at_all() -> None:
    """Some models write nothing where there is nothing to write."""

    def now() -> str:
        return "noon"

    tool = FunctionTool(now)
    assert tool.parameters == {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    assert tool.arguments("") == ([], {})


def test_fields_and_positional_arguments() -> None:
    """Sphinx's docstrings, and what can only be passed by its place."""

    def add(a: int, b: int = 2, /, times: int = 1) -> int:
        """Add.

        :param a: the first
        :param int b: the second,
            which has a default
        :returns: a sum
        """
        return (a + b) * times

    tool = FunctionTool(add)
    assert tool.description == "Add."
    assert tool.parameters["properties"]["a"]["description"] == "the first"
    assert tool.parameters["properties"]["b"]["description"] == "the second, which has a default"
    positional, named = tool.arguments('{"a": 1, "times": 3}')
    assert tool(*positional, **named) == 9


def test_methods_objects_and_names() -> None:
    class Desk:
        def __init__(self, name: str) -> None:
            self.name = name

        def look_up(self, word: str) -> str:
            """Look a word up."""
            return f"{self.name}: {word}"

        def __call__(self, word: Annotated[str, msgspec.Meta(description="a word")]) -> str:
            return word

    desk = Desk("d")
    tool = FunctionTool(desk.look_up)
    assert (tool.name, tool.description, list(tool.parameters["properties"])) == (
        "look_up",
        "Look a word up.",
        ["word"],
    )
    assert tool(**tool.arguments('{"word": "x"}')[1]) == "d: x"
    named = FunctionTool(desk, name="desk", description="A desk.", strict=True)
    definition: Any = named.param()["function"]
    assert (definition["name"], definition["strict"]) == ("desk", True)
    assert definition["parameters"]["properties"]["word"]["description"] == "a word"
    assert repr(named) == "FunctionTool(desk)"
    assert FunctionTool(lambda: 1).name == "_lambda_"


def test_dataclasses_and_typed_dicts() -> None:
    def find(range_: Range, hint: Hint, words: dict[str, int]) -> None: ...

    _, named = FunctionTool(find).arguments(
        '{"range_": {"first": 1, "last": 2}, "hint": {"text": "x"}, "words": {"a": 1}}'
    )
    assert named == {"range_": Range(1, 2), "hint": {"text": "x"}, "words": {"a": 1}}


def bare(x) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    """No type."""


def many(*x: int) -> None: ...
def more(**x: int) -> None: ...
def unknown(x: "Nowhere") -> None: ...  # type: ignore[name-defined] # pyright: ignore[reportUndefinedVariable] # noqa: F821
def strange(x: complex) -> None: ...


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (bare, "its argument x has no type"),
        (many, "its argument x takes any number"),
        (more, "its argument x takes any number"),
        (unknown, "its annotations cannot be read"),
        (strange, "the tool strange: "),
    ],
)
def test_a_function_that_no_schema_can_say_is_refused(function: Any, says: str) -> None:
    with pytest.raises(InvalidRequestError, match=says) as caught:
        FunctionTool(function)
    assert caught.value.param == "tools"


def test_what_is_no_tool_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match=r"tools\[2\] must be a dict, a function or a FunctionTool, not int"):
        as_tool(5, 2)
    with pytest.raises(InvalidRequestError, match="'1st' cannot name a tool"):
        FunctionTool(weather, name="1st")
    tool = FunctionTool(weather)
    assert as_tool(tool) is tool


SIMPLE = st.sampled_from([int, str, bool, float, Unit, Place, Range, Literal["a", "b"], int | None])
KINDS = st.recursive(
    SIMPLE,
    lambda inner: st.one_of(
        inner.map(lambda kind: GenericAlias(list, (kind,))), inner.map(lambda kind: GenericAlias(dict, (str, kind)))
    ),
    max_leaves=3,
)
VALUES: dict[Any, Any] = {
    int: 5,
    str: "é",
    bool: True,
    float: 0.5,
    Unit: Unit.FAHRENHEIT,
    Place: Place("x", "y"),
    Range: Range(1, 2),
    Literal["a", "b"]: "b",
    int | None: None,
}


def value_of(kind: Any) -> Any:
    if kind in VALUES:
        return VALUES[kind]
    inner = value_of(kind.__args__[-1])
    return [inner, inner] if kind.__origin__ is list else {"k": inner}


@given(st.lists(KINDS, max_size=4))
def test_any_signature_round_trips(kinds: list[Any]) -> None:
    """The JSON of a call's values is read as these values, and every argument stands in the schema."""
    names = [f"x{place}" for place in range(len(kinds))]

    def function(**_: Any) -> None: ...

    function.__annotations__ = dict(zip(names, kinds, strict=True))
    import inspect  # noqa: PLC0415 - beside its use

    function.__signature__ = inspect.Signature(  # type: ignore[attr-defined] # pyright: ignore[reportFunctionMemberAccess]
        [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in names]
    )
    tool = FunctionTool(function)
    values = {name: value_of(kind) for name, kind in zip(names, kinds, strict=True)}
    assert tool.arguments(msgspec.json.encode(values)) == ([], values)
    assert sorted(tool.parameters["properties"]) == sorted(names)
    assert json.loads(json.dumps(tool.parameters)) == tool.parameters
