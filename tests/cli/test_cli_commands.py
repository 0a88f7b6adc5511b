"""`onellm embed | models | providers | config`, and what all commands share."""

import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import Ran, Terminal
from loopback import Answer, Loopback

from onellm import __version__
from onellm.cli import main

Run = Callable[..., Awaitable[Ran]]


# --- embed ---


@pytest.mark.usefixtures("openai_set")
async def test_embed_prints_a_line_for_each_text(onellm: Run, host: Loopback) -> None:
    ran = await onellm("embed", "abc", "four")
    assert ran == Ran(
        0,
        f"{'abc':40}  5 numbers  [3.0000, 0.5000, -0.2500, 0.1250, …]\n"
        f"{'four':40}  5 numbers  [4.0000, 0.5000, -0.2500, 0.1250, …]\n",
        "",
    )
    assert host.requests[0].json["model"] == "text-embedding-3-small"
    assert host.requests[0].json["input"] == ["abc", "four"]


@pytest.mark.usefixtures("openai_set")
@pytest.mark.parametrize("argv", [(), ("-",)])
async def test_embed_takes_the_lines_of_standard_input(onellm: Run, host: Loopback, argv: tuple[str, ...]) -> None:
    ran = await onellm("embed", "-m", "openai/x", "--json", *argv, stdin=b"one\r\n\ntwo")
    assert [item["embedding"][0] for item in json.loads(ran.out)["data"]] == [3.0, 3.0]
    assert host.requests[0].json["input"] == ["one", "two"]
    assert host.requests[0].json["model"] == "x"


@pytest.mark.usefixtures("openai_set")
async def test_embed_without_a_text_is_misuse(onellm: Run, terminal: Callable[..., Awaitable[Terminal]]) -> None:
    """Nothing in the pipe, or a terminal, which is not waited for."""
    ran = await onellm("embed")
    assert ran.code == 2
    assert ran.err.endswith("give at least one text\n")
    opened = await terminal("embed")
    await opened.expect("give at least one text")
    assert await opened.wait() == 2


# --- models ---


@pytest.mark.usefixtures("openai_set")
@pytest.mark.parametrize("argv", [(), ("openai",)])
async def test_models_are_printed_as_they_are_named(onellm: Run, argv: tuple[str, ...]) -> None:
    assert await onellm("models", *argv) == Ran(0, "openai/small\nopenai/org/large\n", "")


@pytest.mark.usefixtures("nothing_set")
async def test_models_of_nobody(onellm: Run) -> None:
    ran = await onellm("models", "opnai")
    assert ran.code == 1
    assert ran.err.startswith("onellm: no provider 'opnai': did you mean openai")


@pytest.mark.parametrize(
    ("name", "listed"),
    {
        "together": ([{"id": "org/a", "type": "chat"}, {"id": "b"}], "/v1/models"),
        "google-openai": ({"data": [{"id": "models/org/a"}, {"id": "models/b"}]}, "/v1/models"),
        "github": ([{"id": "org/a", "publisher": "Org"}, {"id": "b"}], "/v1/catalog/models"),
        "perplexity": ({"object": "list", "data": [{"id": "org/a"}, {"id": "b"}]}, "/v1/v1/models"),
    }.items(),
)
async def test_models_in_every_shape_of_list(
    onellm: Run, host: Loopback, nothing_set: Path, name: str, listed: tuple[Any, str]
) -> None:
    """A list under `data`, a bare array, ids with a prefix: what is printed can be asked."""
    answer, path = listed
    (nothing_set / "onellm.toml").write_text(f'[providers.{name}]\nbase_url = "{host.url}/v1"\napi_key = "k"\n')
    host.plays(Answer(chunks=[answer]))
    assert await onellm("models", name) == Ran(0, f"{name}/org/a\n{name}/b\n", "")
    assert [(request.method, request.path) for request in host.requests] == [("GET", path)]


async def test_models_of_a_host_without_a_list(onellm: Run, nothing_set: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says where the names are, and how one is asked."""
    (nothing_set / "onellm.toml").write_text('[providers.cloudflare.options]\naccount_id = "a1"\n')
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "k-1")
    ran = await onellm("models", "cloudflare")
    assert (ran.code, ran.out) == (1, "")
    assert "cloudflare has no list of its models; they are named at https://developers.cloudflare.com/" in ran.err
    assert ran.err.endswith(": ask one as cloudflare/…\n")


# --- providers ---


@pytest.fixture
def broken_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package whose provider cannot be imported."""
    folder = tmp_path / "site" / "broken-1.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (folder / "entry_points.txt").write_text("[onellm.providers]\nbroken = broken_module:PROVIDER\n")
    monkeypatch.syspath_prepend(str(folder.parent))


async def test_providers_say_whether_a_key_is_set(
    onellm: Run, nothing_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the environment or the file; the key itself is not shown."""
    (nothing_set / "onellm.toml").write_text(
        '[providers.mine]\nbase_url = "http://127.0.0.1:1/v1"\napi_key = "k-secret"\n'
        '[providers.plain]\nbase_url = "http://127.0.0.1:1/v1"\n'
        '[providers.other]\nbase_url = "http://127.0.0.1:1/v1"\nkey_env = "OTHER_KEY"\n'
    )
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-1")
    ran = await onellm("providers")
    assert (ran.code, ran.err) == (0, "")
    rows = {line.split()[0]: line for line in ran.out.splitlines()}
    assert rows["provider"].split() == ["provider", "serves", "can", "key"]
    name, *serves, can, variable, said = rows["openai"].split()
    assert (name, can, variable, said) == ("openai", "JSVATRFL", "OPENAI_API_KEY", "(set)")
    assert "-SV--RF-" in rows["perplexity"].split()
    assert rows["can:"].startswith("can: J JSON mode, S JSON schema, ")
    assert {"chat", "embeddings", "models"} <= set(serves)
    assert rows["openai-compatible"].endswith("OPENAI_COMPATIBLE_API_KEY (optional, not set)")
    assert rows["mine"].endswith(f"set in {nothing_set / 'onellm.toml'}")
    assert rows["plain"].endswith("needs none")
    assert rows["other"].endswith("OTHER_KEY (optional, not set)")
    assert "secret" not in ran.out


@pytest.mark.usefixtures("nothing_set")
async def test_one_provider_in_full(onellm: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same facts as in docs/providers.md, and whether its key is set."""
    monkeypatch.setenv("MISTRAL_API_KEY", "k-secret")
    ran = await onellm("providers", "mistral")
    assert (ran.code, ran.err) == (0, "")
    said: dict[str, str] = {line.split()[0]: " ".join(line.split()[1:]) for line in ran.out.splitlines()}
    assert said["provider"] == "mistral"
    assert said["serves"].startswith("chat completions embeddings")
    assert said["can"].startswith("JSON mode, JSON schema, images in")
    assert said["set"] == "MISTRAL_API_KEY (set)"
    assert "seed is sent as random_seed" in said["chat"]
    assert "ids of tool calls are made 9 letters and digits long" in said["chat"]
    assert "secret" not in ran.out


@pytest.mark.usefixtures("nothing_set")
async def test_one_provider_that_does_not_exist(onellm: Run) -> None:
    ran = await onellm("providers", "mistrl")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("onellm: no provider 'mistrl': did you mean mistral")


@pytest.mark.usefixtures("nothing_set", "broken_package")
async def test_a_provider_that_cannot_be_loaded_does_not_hide_the_others(onellm: Run) -> None:
    ran = await onellm("providers")
    assert ran.code == 0
    [row] = [line for line in ran.out.splitlines() if line.startswith("broken ")]
    assert row.split(maxsplit=1)[1].startswith("cannot be loaded: the provider 'broken' that broken brings: No module")
    assert "OPENAI_API_KEY (not set)" in ran.out


@pytest.mark.usefixtures("nothing_set", "broken_package")
async def test_config_shows_a_provider_that_cannot_be_loaded(onellm: Run) -> None:
    assert settings(await onellm("config"))["broken"][0].endswith("No module named 'broken_module'")


# --- config ---


def settings(ran: Ran) -> dict[str, tuple[str, str]]:
    """The table of `onellm config`: each setting's value and source."""
    head, *lines = ran.out.splitlines()
    second, third = head.index("value"), head.index("from")
    return {line[:second].strip(): (line[second:third].strip(), line[third:].strip()) for line in lines}


@pytest.mark.usefixtures("nothing_set")
async def test_config_with_nothing_set_is_the_defaults(onellm: Run, tmp_path: Path) -> None:
    """The embedded model is the default, and the table says why. Providers of which nothing is said are left out."""
    ran = await onellm("config")
    assert (ran.code, ran.err) == (0, "")
    found = settings(ran)
    assert found["file"] == ("none", f"{tmp_path / 'config/onellm/onellm.toml'} would be read")
    assert found["timeout"] == ("connect 10 s, first_byte 600 s, idle 120 s, total 3600 s", "default")
    assert found["chat_model"] == ("llama_cpp/smollm2", "no key for openai (OPENAI_API_KEY)")
    assert found["embedding_model"] == ("llama_cpp/smollm2", "no key for openai (OPENAI_API_KEY)")
    assert not any(name.startswith("openai") for name in found)


async def test_config_shows_where_each_value_comes_from(
    onellm: Run, nothing_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """File, environment, default; keys, headers, options and a proxy's password are hidden."""
    file = nothing_set / "onellm.toml"
    file.write_text(
        'max_retries = 7\ntimeout = {connect = 1, total = 9}\nchat_model = "mine/m"\n'
        '[providers.mine]\nbase_url = "http://127.0.0.1:1/v1"\napi_key = "k-secret"\n'
        'headers = {X-Team = "secret"}\nproxy = "http://us:secret@proxy.lan:3128"\n'
        '[providers.bad]\nbase_url = "ftp://x"\n'
    )
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-1")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-secret")
    monkeypatch.setenv("ONELLM_ON_UNSUPPORTED", "warn")
    ran = await onellm("config")
    found = settings(ran)
    assert found["file"] == (str(file), "the working directory")
    assert found["max_retries"] == ("7", str(file))
    assert found["timeout"] == ("connect 1 s, first_byte 600 s, idle 120 s, total 9 s", str(file))
    assert found["on_unsupported"] == ("warn", "ONELLM_ON_UNSUPPORTED")
    assert found["default_provider"] == ("openai", "default")
    assert found["chat_model"] == ("mine/m", str(file))
    assert found["embedding_model"] == ("openai/text-embedding-3-small", "default")
    assert found["openai.base_url"] == ("https://api.openai.com/v1", "default")
    assert found["openai.api_key"] == ("***", "OPENAI_API_KEY")
    assert found["openai.options.organization"] == ("***", "set")
    assert found["mine.base_url"] == ("http://127.0.0.1:1/v1", str(file))
    assert found["mine.api_key"] == ("***", str(file))
    assert found["mine.headers.X-Team"] == ("***", "set")
    assert found["mine.proxy"] == ("http://proxy.lan", "set")
    assert found["bad"][0].startswith("error: bad: the base URL of bad is 'ftp://x'")
    assert "secret" not in ran.out


async def test_config_says_which_file_is_read(
    onellm: Run, nothing_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user's own; one that ONELLM_CONFIG names goes before it. A wrong default provider is shown, not raised."""
    own = tmp_path / "config" / "onellm" / "onellm.toml"
    own.parent.mkdir(parents=True)
    own.write_text('default_provider = "nobody"\ntimeout = {idle = 5}')
    found = settings(await onellm("config"))
    assert found["file"] == (str(own), "the user's own")
    assert found["chat model"][0].startswith("error: no provider 'nobody'")
    named = nothing_set / "named.toml"
    named.write_text('chat_model = "a/b"')
    monkeypatch.setenv("ONELLM_CONFIG", str(named))
    monkeypatch.setenv("ONELLM_CHAT_MODEL", "c/d")
    found = settings(await onellm("config"))
    assert found["file"] == (str(named), "ONELLM_CONFIG")
    assert found["chat_model"] == ("c/d", "ONELLM_CHAT_MODEL")


async def test_config_without_a_model_to_ask(onellm: Run, nothing_set: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (nothing_set / "onellm.toml").write_text('[providers.mine]\nbase_url = "http://127.0.0.1:1/v1"\n')
    monkeypatch.setenv("ONELLM_DEFAULT_PROVIDER", "mine")
    assert settings(await onellm("config"))["chat_model"] == ("none", "default")


async def test_a_wrong_file_is_one_line(onellm: Run, nothing_set: Path) -> None:
    (nothing_set / "onellm.toml").write_text("max_retrys = 1")
    ran = await onellm("config")
    assert (ran.code, ran.out) == (1, "")
    assert "max_retrys" in ran.err
    assert len(ran.err.splitlines()) == 1


# --- all commands ---


async def test_version(onellm: Run) -> None:
    assert await onellm("--version") == Ran(0, f"onellm {__version__}\n", "")


async def test_help_names_the_commands(onellm: Run) -> None:
    ran = await onellm("--help")
    assert ran.code == 0
    assert all(command in ran.out for command in ("chat", "embed", "models", "providers", "config"))


@pytest.mark.parametrize("argv", [(), ("frob",), ("chat", "--max-tokens", "many", "Hi"), ("chat", "a", "b")])
async def test_misuse_is_two(onellm: Run, argv: tuple[str, ...]) -> None:
    ran = await onellm(*argv)
    assert (ran.code, ran.out) == (2, "")
    assert "error: " in ran.err


@pytest.mark.usefixtures("openai_set")
async def test_a_closed_standard_input_is_an_empty_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert main(["chat"]) == 2
    assert capsys.readouterr().err.endswith("the prompt is empty\n")
