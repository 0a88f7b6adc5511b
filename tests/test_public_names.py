"""The public names: listed once, sorted, importable, and the same to type checkers as at run time."""

import ast
import inspect
from importlib import import_module

import pytest

import onellm


def imported_for_type_checkers() -> dict[str, str]:
    """Each name imported under TYPE_CHECKING, with its module."""
    found: dict[str, str] = {}
    for node in ast.parse(inspect.getsource(onellm)).body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for statement in node.body:
                assert isinstance(statement, ast.ImportFrom)
                found |= {alias.asname or alias.name: str(statement.module) for alias in statement.names}
    return found


def test_all_is_sorted_and_has_no_name_twice() -> None:
    assert onellm.__all__ == sorted(set(onellm.__all__))


def test_the_three_lists_are_one() -> None:
    """`__all__`, the table of homes and the imports for type checkers name the same things at the same places."""
    homes = {name: f"onellm.{module}" for module, names in onellm._HOMES.items() for name in names}
    assert homes == imported_for_type_checkers()
    assert sorted(homes) == onellm.__all__
    assert all(list(names) == sorted(names) for names in onellm._HOMES.values())


@pytest.mark.parametrize("name", onellm.__all__)
def test_every_name_can_be_imported(name: str) -> None:
    home = import_module(f"onellm.{onellm._HOME[name]}")
    assert getattr(onellm, name) is getattr(home, name)
    assert name in dir(onellm)


def test_every_async_class_has_its_blocking_twin() -> None:
    """But for what is awaited itself: who blocks has what it gives."""
    asynchronous = {
        name for name in onellm.__all__ if name.startswith("Async") and not hasattr(getattr(onellm, name), "__await__")
    }
    assert asynchronous
    assert {name.removeprefix("Async") for name in asynchronous} <= set(onellm.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'onellm' has no attribute 'Nothing'"):
        _ = onellm.Nothing
    assert not hasattr(onellm, "_nothing")


def test_star_import() -> None:
    namespace: dict[str, object] = {}
    exec("from onellm import *", namespace)  # noqa: S102 - what a notebook does
    assert set(onellm.__all__) <= set(namespace)
