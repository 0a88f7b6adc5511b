"""Sample values for a type: what `openai`'s client says its arguments may be, made into things to call it with."""

import types
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, Required, Union, get_args, get_origin

from openai._types import NotGiven, Omit
from typing_extensions import get_type_hints, is_typeddict

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
ABSENT = (type(None), Omit, NotGiven)  # None is left out: for us it means the same as not giving the argument


class NoSampleError(Exception):
    """The table lacks a sample for an argument or a field of this name."""


def samples(given: Any, name: str, table: Mapping[str, list[Any]]) -> list[Any]:  # noqa: PLR0911 - a kind of type each
    """Values that a type allows: each alternative, each literal, each field of a dict, and a dict of the least.

    table has the values of the arguments and fields, by their names, of which the type alone does not say them:
    numbers, and files.
    """
    if name in table:
        return table[name]
    origin, inside = get_origin(given), get_args(given)
    if origin in {Annotated, Required}:
        return samples(inside[0], name, table)
    if origin in {Union, types.UnionType}:
        return _distinct(value for each in inside if each not in ABSENT for value in samples(each, name, table))
    if origin is Literal:
        return list(inside)
    if origin in {list, Iterable, Sequence}:
        return [[1, 2]] if inside[0] is int else [[value] for value in samples(inside[0], name, table)]
    if origin is dict:
        return [{"50256": 1}] if inside[1] in {int, float} else [{"key": samples(inside[1], name, table)[0]}]
    if is_typeddict(given):
        return _dicts(given, table)
    simple: dict[Any, list[Any]] = {str: ["text"], bool: [True, False], object: [SCHEMA]}
    if given not in simple:
        raise NoSampleError(name)
    return simple[given]


def _dicts(given: Any, table: Mapping[str, list[Any]]) -> list[Any]:
    """With all fields, each further value of each field in turn, and with the required fields alone."""
    hints: dict[str, Any] = get_type_hints(given, include_extras=True)
    fields = {name: samples(kind, name, table) for name, kind in hints.items()}
    full = {name: values[0] for name, values in fields.items()}
    further = [full | {name: value} for name, values in fields.items() for value in values[1:]]
    least = {name: value for name, value in full.items() if _is_required(hints[name])}
    return _distinct([full, *further, least])


def _is_required(kind: Any) -> bool:
    wrapped: Any = get_origin(kind)
    return wrapped is Required


def _distinct(values: Iterable[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if not any(value is each or (type(value) is type(each) and value == each) for each in found):
            found.append(value)
    return found
