"""Rows name their dialects; what they name is imported when it is read."""

import ast
import inspect
import json
from importlib import import_module
from typing import Any

import pytest
from msgspec import structs
from process import python

from onellm import get_provider, list_providers
from onellm.dialects.openai.embeddings import OpenAIEmbeddings
from onellm.dialects.openai.images import Sizes
from onellm.dialects.openai.speech import OpenAISpeech
from onellm.providers import named
from onellm.providers.base import OPERATIONS
from onellm.providers.deferred import Deferred, Named
from onellm.providers.http import HttpProvider


def test_the_three_lists_are_one() -> None:
    """`__all__`, the table of homes and the imports for type checkers name the same things at the same places."""
    imported: dict[str, str] = {}
    for node in ast.parse(inspect.getsource(named)).body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for statement in node.body:
                assert isinstance(statement, ast.ImportFrom)
                imported |= {alias.name: str(statement.module) for alias in statement.names}
    assert imported == {name: f"onellm.{module}" for name, module in named._HOME.items()}
    assert sorted(named.__all__) == sorted(named._HOME)


@pytest.mark.parametrize("name", named.__all__)
def test_a_name_stands_for_what_its_module_defines(name: str) -> None:
    written: Any = getattr(named, name)
    assert type(written) is Named
    assert written.make() is getattr(import_module(f"onellm.{named._HOME[name]}"), name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'OpenAIMagic'"):
        getattr(named, "OpenAIMagic")  # noqa: B009 - what an import asks


@pytest.mark.parametrize("name", list_providers())
def test_whoever_reads_a_row_gets_dialects(name: str) -> None:
    """Whatever it holds; and what is served has one."""
    row: Any = get_provider(name)
    found = {operation: getattr(row, operation, None) for operation in OPERATIONS}
    assert not [operation for operation, dialect in found.items() if isinstance(dialect, Named | Deferred)]
    if isinstance(row, HttpProvider):
        assert row.operations == {operation for operation, dialect in found.items() if dialect is not None}


def row() -> HttpProvider:
    """A row as those of the registry are written."""
    return HttpProvider(
        name="host",
        base_url="http://127.0.0.1:1",
        embeddings=named.OpenAIEmbeddings(base64=False),
        images=named.OpenAIImages(sizes=named.Sizes(longest=8, pixels=64, ratio=1.0)),
        models=None,
    )


def test_a_dialect_is_made_once_with_its_quirks() -> None:
    written = row()
    made = written.embeddings
    assert made == OpenAIEmbeddings(base64=False)
    assert written.embeddings is made
    assert written.models is None


def test_a_quirk_may_be_named_too() -> None:
    images: Any = row().images
    assert images.sizes == Sizes(longest=8, pixels=64, ratio=1.0)


def test_a_row_is_copied_before_and_after_it_is_read() -> None:
    """A copy has dialects of the same kind, and what it is given in their place."""
    written = row()
    assert structs.replace(written, name="other").embeddings == OpenAIEmbeddings(base64=False)
    _ = written.embeddings
    copied = structs.replace(written, name="other", speech=OpenAISpeech(path="say"))
    assert copied.embeddings == OpenAIEmbeddings(base64=False)
    assert copied.speech == OpenAISpeech(path="say")
    assert copied.operations == {"embeddings", "images", "speech"}


def test_a_dialect_can_be_given_as_it_is() -> None:
    """As rows outside of this package are written."""
    dialect = OpenAIEmbeddings(path="vectors")
    written = HttpProvider(name="host", base_url=None, embeddings=dialect)
    assert written.embeddings is dialect


def test_a_row_stays_frozen() -> None:
    with pytest.raises(AttributeError):
        row().embeddings = None  # type: ignore[misc] # what is tested


def test_an_object_can_be_asked_whether_it_is_of_a_named_class() -> None:
    assert isinstance(row().embeddings, named.OpenAIEmbeddings)
    assert not isinstance(row().images, named.OpenAIEmbeddings)


async def test_what_rows_serve_is_known_without_their_dialects() -> None:
    """The table of compatible hosts, and what each of them serves."""
    script = """
import json, sys
from onellm.providers.compatible import ROWS
served = {name: sorted(row.operations) for name, row in ROWS.items()}
print(json.dumps([served, sorted(name for name in sys.modules if name.startswith("onellm.dialects."))]))
"""
    served, loaded = json.loads(await python(script))
    assert {"chat", "speech", "batches"} <= set(served["openai"])
    assert [name for name in loaded if name.startswith("onellm.dialects.openai.")] == []
