"""JSON that is still being written: at every cut, a value that the whole one grows out of."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onellm.types.partial_json import partial_json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("{", {}),
        ('{"a', {}),
        ('{"a"', {}),
        ('{"a":', {}),
        ('{"a": "x', {"a": "x"}),
        ('{"a": "x\\', {"a": "x"}),
        ('{"a": "x\\\\', {"a": "x\\"}),
        ('{"a": "\\u00e', {"a": ""}),
        ('{"a": "\\ud83d', {"a": ""}),
        ('{"a": "\\ud83d\\ude0', {"a": ""}),
        ('{"a": "\\ud83d\\ude00', {"a": "\U0001f600"}),
        ('{"a": 12', {}),
        ('{"a": 12,', {"a": 12}),
        ('{"a": tru', {}),
        ('{"a": true, "b', {"a": True}),
        ('{"a": [1, "x"', {"a": [1, "x"]}),
        ('{"a": [1, 2', {"a": [1]}),
        ('[{"a": 1}, {', [{"a": 1}, {}]),
        ('"x', "x"),
        ("[1]]", None),
        ("no JSON", None),
        ("{]", None),
        (":", None),
    ],
)
def test_what_is_there(text: str, value: Any) -> None:
    assert partial_json(text) == value


def grows_into(part: Any, whole: Any) -> bool:
    """Whether a value can be an earlier state of another."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and grows_into(value, whole[key]) for key, value in part.items())
    if isinstance(part, list) and isinstance(whole, list):
        return len(part) <= len(whole) and all(map(grows_into, part, whole))
    if isinstance(part, str) and isinstance(whole, str):
        return whole.startswith(part)
    return part is None or (part == whole and type(part) is type(whole))


@given(JSON.map(lambda value: {"value": value}), st.booleans(), st.data())
def test_every_cut_grows_into_the_whole(value: Any, escaped: bool, data: st.DataObject) -> None:
    text = json.dumps(value, ensure_ascii=escaped, indent=data.draw(st.sampled_from([None, 1])))
    assert partial_json(text) == value
    cut = data.draw(st.integers(0, len(text)))
    assert grows_into(partial_json(text[:cut]), value)
