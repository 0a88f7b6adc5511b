"""docs/providers.md, and the words for what a row's fields say."""

import re
from pathlib import Path

import pytest
from msgspec import Struct

from onellm.cli.facts import details, quirks
from onellm.cli.provider_table import PAGE, main, page
from onellm.dialects.openai.chat import OpenAIChat
from onellm.dialects.openai.images import OpenAIImages
from onellm.dialects.rerank import Rerank
from onellm.errors import QuotaExceededError
from onellm.providers.base import OPERATIONS
from onellm.providers.compatible import ROWS
from onellm.providers.registry import built_in, get_provider


def test_the_committed_page_is_up_to_date() -> None:
    """`make docs` writes it."""
    assert main(["--check"]) == 0
    assert PAGE.read_text("utf-8") == page()


def test_a_stale_page_fails_and_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "providers.md"
    assert main(["--check", str(file)]) == 1
    file.write_text(page() + "by hand\n", "utf-8")
    assert main(["--check", str(file)]) == 1
    assert capsys.readouterr().err.count("is stale: run `make docs`") == 2
    assert main([str(file)]) == 0
    assert main(["--check", str(file)]) == 0


@pytest.mark.parametrize("name", built_in())
def test_each_provider_is_on_the_page_with_what_it_serves(name: str) -> None:
    """Its mark under each operation, its section, its key's variables."""
    lines = page().splitlines()
    head = next(line for line in lines if line.startswith("| provider | chat"))
    row = next(line for line in lines if line.startswith(f"| [{name}](#{name})"))
    columns = [cell.strip().replace(" ", "_") for cell in head.strip("|").split("|")]
    marks = dict(zip(columns, (cell.strip() for cell in row.strip("|").split("|")), strict=True))
    capabilities = get_provider(name).get_model_capabilities("")
    assert {operation for operation in OPERATIONS if marks[operation]} == {
        operation for operation in OPERATIONS if capabilities.get(f"{operation}_support")
    }
    section = lines[lines.index(f"### {name}") :]
    for variable in ROWS[name].key_env if name in ROWS else ():
        assert f"`{variable}`" in section[2]


def test_nothing_on_the_page_is_another_in_the_next_run() -> None:
    """No address in memory, no order of a set, no class but by its name."""
    assert page() == page()
    assert not re.search(r" at 0x|<class|frozenset|mappingproxy", page())


@pytest.mark.parametrize(
    ("operation", "dialect", "said"),
    [
        ("chat", OpenAIChat(), []),
        ("chat", OpenAIChat(renames={"seed": "random_seed"}), ["`seed` is sent as `random_seed`"]),
        (
            "chat",
            OpenAIChat(values={"tool_choice": {"required": None, "none": "off"}}),
            ["has no `tool_choice=required`; `tool_choice=none` is sent as `off`"],
        ),
        (
            "chat",
            OpenAIChat(refuses={"n": "its API does not have it", "seed": "it is always 0"}),
            ["does not take `n`; does not take `seed` (it is always 0)"],
        ),
        ("chat", OpenAIChat(response_formats=frozenset()), ["takes no `response_format`"]),
        ("chat", OpenAIChat(codes={"1": QuotaExceededError}), ["error codes: `1` is `QuotaExceededError`"]),
        (
            "chat",
            OpenAIChat(usage_in=("choices", 0, "usage")),
            ["a stream's usage is read from `choices[0].usage`, too"],
        ),
        ("image_edits", OpenAIImages(path="images/edits"), []),
        ("images", OpenAIImages(path="images/edits"), ["at `images/edits`"]),
        ("rerank", Rerank(always={"return_documents": False}), ["`return_documents=false` is always sent"]),
    ],
)
def test_words_for_fields(operation: str, dialect: Struct, said: list[str]) -> None:
    """What is as OpenAI has it is not said."""
    assert quirks(operation, dialect) == said


class _Taught(OpenAIChat, frozen=True, kw_only=True):
    """Speaks twice. The rest is not said."""

    echoes: tuple[str, ...] = ()


def test_what_has_no_words_is_said_by_its_name() -> None:
    """Code by its docstring's first sentence, a field by its name."""
    assert quirks("chat", _Taught(echoes=("a",))) == ["Speaks twice", "`echoes`: `('a',)`"]


def test_notes_and_options_are_said() -> None:
    said = list(details(ROWS["openrouter"]))
    assert ("option", "`site_url`, sent as the header `HTTP-Referer`") in said
    assert any(about == "note" and "`transforms`" in text for about, text in said)
    assert ("base URL", "yours, or `ANYSCALE_BASE_URL`") in list(details(ROWS["anyscale"]))
    assert list(details(get_provider("llama_cpp"))) == [("key", "needs none: it runs inside the process")]
