"""Names to providers: built-in, registered, and brought by installed packages."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from loopback import Answer, Loopback
from wire.openai import CHAT

import onellm
from onellm import AsyncOneLLM
from onellm.errors import ConfigurationError, UnknownProviderError, UnsupportedFeatureError
from onellm.providers import compatible, registry
from onellm.providers.base import Provider
from onellm.providers.http import HttpProvider
from onellm.providers.registry import Registry
from onellm.types.capabilities import Capability

FLAGS = (
    "json_mode_support",
    "vision_support",
    "audio_input_support",
    "streaming_support",
    "realtime_support",
    "function_calling_support",
)


class Own:
    """A provider of somebody's own: the right shape, no base class."""

    json_mode_support = vision_support = audio_input_support = False
    streaming_support = realtime_support = function_calling_support = False

    def __init__(self, name: Any = "own") -> None:
        self.name = name

    def get_model_capabilities(self, model: str) -> dict[str, bool]:
        return {"vision_support": model == "seeing"}


@pytest.fixture
def default(monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A process-wide registry of the test's own."""
    fresh = Registry()
    monkeypatch.setattr(registry, "DEFAULT", fresh)
    return fresh


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Path]:
    """A folder on the path, where packages can be put."""
    sys.path.insert(0, str(tmp_path))
    yield tmp_path
    sys.path.remove(str(tmp_path))
    for name in ("fine_plugin", "broken_plugin"):
        sys.modules.pop(name, None)


def install(folder: Path, entry: str, source: str, *, module: str = "fine_plugin") -> None:
    """Put a package there that brings an entry point of ours."""
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[onellm.providers]\n{entry}\n")
    (folder / f"{module}.py").write_text(source)


@pytest.mark.parametrize("name", sorted(compatible.ROWS))
def test_every_row_is_a_provider(name: str) -> None:
    row = Registry().get(name)
    assert isinstance(row, Provider)
    assert (row, row.name) == (compatible.ROWS[name], name)
    assert all(isinstance(getattr(row, flag), bool) for flag in FLAGS)
    said = row.get_model_capabilities("anything")
    assert {flag: said[flag] for flag in FLAGS} == {flag: getattr(row, flag) for flag in FLAGS}
    assert isinstance(row, HttpProvider)
    assert row.docs.startswith("https://")
    assert row.base_url is None or (row.base_url.startswith("http") and not row.base_url.endswith("/"))


def test_names_are_listed_sorted(default: Registry) -> None:
    default.register(Own("aaa"))
    names = onellm.list_providers()
    assert names == sorted(names)
    assert {"aaa", "openai"} <= set(names)


@pytest.mark.parametrize(
    ("asked", "hint"),
    [("opnai", "did you mean openai"), ("OpenAI", "did you mean openai"), ("qzxv", "known are "), ("", "known are ")],
)
def test_an_unknown_name_says_which_are_near(asked: str, hint: str) -> None:
    with pytest.raises(UnknownProviderError, match=hint) as caught:
        onellm.get_provider(asked)
    assert repr(asked) in caught.value.message
    assert "openai" in caught.value.message


def test_registering(default: Registry) -> None:
    own = Own()
    onellm.register_provider(own)
    assert onellm.get_provider("own") is own
    twin = Own()
    onellm.register_provider(twin)
    assert onellm.get_provider("own") is twin
    assert "own" in default
    mine = Own("openai")
    onellm.register_provider(mine)
    assert onellm.get_provider("openai") is mine


@pytest.mark.parametrize("missing", ["name", "vision_support", "get_model_capabilities"])
def test_what_lacks_a_part_is_no_provider(missing: str) -> None:
    members = {key: value for key, value in vars(Own).items() if key != missing}
    if missing != "name":
        members["name"] = "own"
    del members["__init__"]
    with pytest.raises(ConfigurationError, match=rf"Lacking is no provider: it lacks {missing}$"):
        Registry().register(type("Lacking", (), members)())


@pytest.mark.parametrize("name", ["", "a/b", "/", None, 5])
def test_a_name_must_be_a_word_without_a_slash(name: object) -> None:
    with pytest.raises(ConfigurationError, match="is no provider's name"):
        Registry().register(Own(name))


async def test_a_client_has_providers_of_its_own() -> None:
    """What is registered with one client is unknown to others; what everybody knows, it knows too."""
    async with AsyncOneLLM() as one, AsyncOneLLM() as other:
        one.register(Own())
        assert (await one.models.capabilities("own/seeing")).vision == Capability("yes", "row")
        with pytest.raises(UnknownProviderError):
            await other.models.capabilities("own/seeing")
        assert (await one.models.capabilities("openai/x")).chat


async def test_what_is_not_served_names_who_serves_it(installed: Path) -> None:
    """Also where an installed package is broken: that is not what was asked."""
    install(installed, "brought = broken_plugin:PROVIDER", "import no_such_module_at_all\n", module="broken_plugin")
    async with AsyncOneLLM() as client:
        client.register(Own())
        with pytest.raises(UnsupportedFeatureError, match=r"^own: own does not serve chat; .*openai.* does") as caught:
            await client.chat.completions.create(model="own/x", messages=[{"role": "user", "content": "Hi"}])
    assert "brought" not in caught.value.message


async def test_a_provider_registered_again_is_used_at_once() -> None:
    async with AsyncOneLLM() as client:
        client.register(Own())
        client._core.bind("own")
        again = Own()
        client.register(again)
        assert client._core.bind("own").provider is again


def test_an_installed_package_brings_a_provider(installed: Path) -> None:
    source = Path(__file__).read_text().split("class Own:")[1].split("@pytest.fixture")[0]
    install(
        installed,
        "brought = fine_plugin:PROVIDER",
        f"from typing import Any\nclass Own:{source}\nPROVIDER = Own('brought')\n",
    )
    fresh = Registry()
    assert "brought" in list(fresh)
    assert "fine_plugin" not in sys.modules  # it is imported when it is asked for
    found = fresh.get("brought")
    assert found.name == "brought"
    assert fresh.get("brought") is found


def test_a_built_in_name_cannot_be_taken_by_a_package(installed: Path) -> None:
    """Installing something must not move a key to somebody else's code."""
    install(installed, "openai = fine_plugin:PROVIDER", "raise AssertionError('imported')\n")
    assert Registry().get("openai") is compatible.ROWS["openai"]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("import no_such_module_at_all\n", "No module named 'no_such_module_at_all'"),
        ("OTHER = 1\n", "PROVIDER"),
        ("PROVIDER = 5\n", "int is no provider: it lacks name"),
    ],
)
def test_a_package_that_is_broken_is_named(installed: Path, source: str, text: str) -> None:
    install(installed, "brought = broken_plugin:PROVIDER", source, module="broken_plugin")
    with pytest.raises(ConfigurationError) as caught:
        Registry().get("brought")
    assert caught.value.message.startswith("the provider 'brought' that broken_plugin brings: ")
    assert text in caught.value.message


async def test_registering_anew_replaces_what_calls_had_in_common(loopback: Loopback) -> None:
    """The next call goes to the base URL of the provider that is registered now, not to the one before."""
    loopback.plays(Answer(chunks=[CHAT]), Answer(chunks=[CHAT]))
    async with AsyncOneLLM() as client:
        for path in ("before", "after"):
            client.register(compatible.compatible("own", f"{loopback.url}/{path}"))
            await client.chat.completions.create(model="own/m", messages=[{"role": "user", "content": "hi"}])
    assert [request.path for request in loopback.requests] == ["/before/chat/completions", "/after/chat/completions"]
