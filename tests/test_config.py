"""Settings: whose word counts, where it came from, and what keys may go where."""

import itertools
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onellm import AsyncOneLLM, RetryPolicy, config
from onellm.config import Config, ConfigFile, Resolved, resolve_provider
from onellm.errors import ConfigurationError, MissingKeyError, OneLLMError
from onellm.types.options import Timeouts
from onellm.types.secret import Secret

KEY = "sk-argument-0123456789"
ENV_KEY = "sk-environment-0123456789"
FILE_KEY = "sk-file-0123456789"
HOME = "https://api.example.com/v1"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file and no variable of whoever runs the tests counts."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    for variable in (*config.ENVIRONMENT.values(), "ONELLM_CONFIG", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(variable, raising=False)


def write(text: str, path: str | Path = "onellm.toml") -> Path:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def load(environ: dict[str, str] | None = None, **arguments: Any) -> Config:
    home = {"XDG_CONFIG_HOME": str(Path("home").absolute())}
    return config.load({**home, **(environ or {})}, **arguments)


# --- precedence ---------------------------------------------------------------------------------------------------

# how to read it, default, (argument, what it becomes), (variable, text, becomes), (line of the file, becomes)
SETTINGS: dict[str, tuple[Callable[[Config], Any], Any, tuple[Any, Any], tuple[str, str, Any], tuple[str, Any]]] = {
    "default_provider": (
        lambda found: found.default_provider,
        "openai",
        ("a", "a"),
        ("ONELLM_DEFAULT_PROVIDER", "b", "b"),
        ('default_provider = "c"', "c"),
    ),
    "timeout": (
        lambda found: found.timeouts.total,
        3600.0,
        (5, 5.0),
        ("ONELLM_TIMEOUT", "6.5", 6.5),
        ("timeout = 7", 7.0),
    ),
    "max_retries": (
        lambda found: found.max_retries,
        2,
        (0, 0),
        ("ONELLM_MAX_RETRIES", "4", 4),
        ("max_retries = 5", 5),
    ),
    "on_unsupported": (
        lambda found: found.on_unsupported,
        "raise",
        ("warn", "warn"),
        ("ONELLM_ON_UNSUPPORTED", "drop", "drop"),
        ('on_unsupported = "warn"', "warn"),
    ),
    "log": (
        lambda found: found.log,
        "off",
        ("info", "info"),
        ("ONELLM_LOG", "debug", "debug"),
        ('log = "info"', "info"),
    ),
    "deadline": (
        lambda found: found.deadline,
        None,
        (30, 30.0),
        ("ONELLM_DEADLINE", "40.5", 40.5),
        ("deadline = 50", 50.0),
    ),
    "chat_model": (
        lambda found: found.chat_model,
        "",
        ("groq/a", "groq/a"),
        ("ONELLM_CHAT_MODEL", "groq/b", "groq/b"),
        ('chat_model = "groq/c"', "groq/c"),
    ),
    "embedding_model": (
        lambda found: found.embedding_model,
        "",
        ("nebius/a", "nebius/a"),
        ("ONELLM_EMBEDDING_MODEL", "nebius/b", "nebius/b"),
        ('embedding_model = "nebius/c"', "nebius/c"),
    ),
}


def test_every_setting_is_tested() -> None:
    assert set(SETTINGS) == set(config.ENVIRONMENT)


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("given", list(itertools.product([True, False], repeat=3)), ids=str)
def test_arguments_then_environment_then_file_then_default(name: str, given: tuple[bool, bool, bool]) -> None:
    """Each setting, from every set of places; `sources` says which place it was."""
    read, default, (argument, as_argument), (variable, text, as_variable), (line, as_line) = SETTINGS[name]
    by_argument, by_variable, by_file = given
    path = write(line).absolute() if by_file else None
    found = load({variable: text} if by_variable else {}, **({name: argument} if by_argument else {}))
    if by_argument:
        expected = as_argument, "argument"
    elif by_variable:
        expected = as_variable, variable
    elif by_file:
        expected = as_line, str(path)
    else:
        expected = default, "default"
    assert (read(found), found.sources[name]) == expected
    assert all(found.sources[other] == "default" for other in SETTINGS if other != name)


def test_an_empty_variable_is_none() -> None:
    assert load(dict.fromkeys(config.ENVIRONMENT.values(), "")) == load()


def test_which_file_counts(tmp_path: Path) -> None:
    """The one that is named, then the working directory's, then the user's; one of them, not all."""
    user = write("max_retries = 1", tmp_path / "home" / "onellm" / "onellm.toml")
    assert load().max_retries == 1
    assert load().file == ConfigFile(path=user, trusted=True, content=config._File(max_retries=1))
    here = write("timeout = 9").absolute()
    found = load()
    assert (found.max_retries, found.timeouts.total, found.file and found.file.path) == (2, 9, here)
    assert found.file is not None
    assert not found.file.trusted
    named = write("max_retries = 7", tmp_path / "else.toml")
    found = load({"ONELLM_CONFIG": str(named)})
    assert (found.max_retries, found.timeouts.total) == (7, 3600)
    assert found.file is not None
    assert found.file.trusted
    with pytest.raises(ConfigurationError, match="ONELLM_CONFIG names nowhere, which is no file"):
        load({"ONELLM_CONFIG": "nowhere"})


def test_all_four_timeouts() -> None:
    write("timeout = {connect = 1, idle = 2.5}")
    assert load().timeouts == Timeouts(connect=1, idle=2.5)
    assert load(timeout=Timeouts(total=None)).timeouts == Timeouts(total=None)
    assert load(timeout=3).timeouts == Timeouts(total=3.0)
    assert config.timeouts(None, Timeouts(idle=1)) == Timeouts(idle=1)
    assert config.timeouts(4, Timeouts(idle=1)) == Timeouts(idle=1, total=4.0)


# --- bad values ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "text"),
    [
        ({"ONELLM_TIMEOUT": "soon"}, "ONELLM_TIMEOUT is 'soon': give seconds"),
        ({"ONELLM_TIMEOUT": "0"}, "timeout is 0.0 (ONELLM_TIMEOUT): give seconds above 0"),
        ({"ONELLM_TIMEOUT": "nan"}, "timeout is nan (ONELLM_TIMEOUT)"),
        ({"ONELLM_MAX_RETRIES": "-1"}, "ONELLM_MAX_RETRIES is '-1': give a number"),
        ({"ONELLM_MAX_RETRIES": "2.5"}, "ONELLM_MAX_RETRIES is '2.5'"),
        ({"ONELLM_ON_UNSUPPORTED": "ignore"}, "on_unsupported is 'ignore' (ONELLM_ON_UNSUPPORTED)"),
        ({"ONELLM_DEFAULT_PROVIDER": "a/b"}, "default_provider is 'a/b' (ONELLM_DEFAULT_PROVIDER)"),
    ],
)
def test_a_bad_variable_is_named(environ: dict[str, str], text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(environ)
    assert text in caught.value.message


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"timeout": -1}, "timeout is -1 (argument)"),
        ({"timeout": True}, "timeout is True (argument)"),
        ({"timeout": "5"}, "timeout is '5' (argument)"),
        ({"timeout": Timeouts(connect=0)}, "timeout.connect is 0 (argument)"),
        ({"timeout": Timeouts(idle="x")}, "timeout.idle is 'x' (argument)"),  # type: ignore[arg-type]
        ({"max_retries": -1}, "max_retries is -1 (argument)"),
        ({"max_retries": True}, "max_retries is True (argument)"),
        ({"max_retries": 1.5}, "max_retries is 1.5 (argument)"),
        ({"on_unsupported": "x"}, "on_unsupported is 'x' (argument)"),
        ({"default_provider": ""}, "default_provider is '' (argument)"),
        ({"default_provider": 5}, "default_provider is 5 (argument)"),
    ],
)
def test_a_bad_argument_is_named(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        AsyncOneLLM(**arguments)
    assert text in caught.value.message


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("timeout =\n", "(at line 1"),
        ('timeout = "x"', "$.timeout"),
        ("timeout = -1", "timeout is -1"),
        ("timeout = {conect = 1}", "unknown field `conect` - at `$.timeout`"),
        ("timeout = {connect = -1}", "timeout.connect is -1"),
        ("max_retries = -1", "max_retries is -1"),
        ("max_retries = 1.5", "$.max_retries"),
        ('on_unsupported = "x"', "$.on_unsupported"),
        ("retries = 1", "unknown field `retries`"),
        ('[providers.groq]\napi_kye = "x"', "unknown field `api_kye` - at `$.providers"),
        ("[providers.groq]\napi_key = 5", "$.providers[...].api_key"),
    ],
)
def test_a_bad_file_is_named(content: str, text: str) -> None:
    path = write(content).absolute()
    with pytest.raises(ConfigurationError) as caught:
        load()
    assert str(path) in caught.value.message
    assert text in caught.value.message


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "onellm.toml"
    path.write_bytes(b'default_provider = "\xff"')
    with pytest.raises(ConfigurationError, match=r"onellm\.toml: not UTF-8 at byte 20"):
        load()
    with pytest.raises(ConfigurationError, match="No such file"):
        config.read_file(tmp_path / "none.toml", trusted=True)


def test_two_words_on_retries() -> None:
    with pytest.raises(ConfigurationError, match="give max_retries or retry, not both"):
        AsyncOneLLM(max_retries=1, retry=RetryPolicy())


# --- one provider -------------------------------------------------------------------------------------------------


def file(
    text: str,
    *,
    trusted: bool = True,
) -> ConfigFile:
    return config.read_file(write(text).absolute(), trusted=trusted)


def resolve(name: str = "groq", environ: dict[str, str] | None = None, **given: Any) -> Resolved:
    settings: dict[str, Any] = {
        "base_url": HOME,
        "base_url_env": ("GROQ_BASE_URL",),
        "key_env": ("GROQ_API_KEY", "GROQ_KEY"),
        "option_env": {"region": "GROQ_REGION"},
        "environ": environ or {},
    }
    return resolve_provider(name, **{**settings, **given})


def revealed(found: Resolved) -> str | None:
    return found.api_key.reveal() if isinstance(found.api_key, Secret) else None


@pytest.mark.parametrize("given", list(itertools.product([True, False], repeat=3)), ids=str)
def test_where_key_address_and_options_come_from(given: tuple[bool, bool, bool]) -> None:
    by_argument, by_variable, by_file = given
    arguments = {"api_key": KEY, "base_url": "https://argument.example", "options": {"region": "a"}}
    environ = {"GROQ_API_KEY": ENV_KEY, "GROQ_BASE_URL": "https://environment.example", "GROQ_REGION": "e"}
    text = f'[providers.groq]\napi_key = "{FILE_KEY}"\nbase_url = "https://file.example"\noptions = {{region = "f"}}'
    places: dict[str, Any] = {"key_optional": True}
    if by_file:
        places["file"] = file(text)
    found = resolve(environ=environ if by_variable else {}, arguments=arguments if by_argument else {}, **places)
    if by_argument:
        expected = KEY, "argument", "https://argument.example", "argument", {"region": "a"}
    elif by_variable:
        expected = ENV_KEY, "GROQ_API_KEY", "https://environment.example", "GROQ_BASE_URL", {"region": "e"}
    elif by_file:
        origin = str(Path("onellm.toml").absolute())
        expected = FILE_KEY, origin, "https://file.example", origin, {"region": "f"}
    else:
        expected = None, "none", HOME, "default", {}  # type: ignore[assignment]
    assert (revealed(found), found.key_source, found.base_url, found.base_url_source, found.options) == expected


def test_the_first_variable_that_is_set() -> None:
    assert revealed(resolve(environ={"GROQ_API_KEY": "", "GROQ_KEY": "second"})) == "second"
    assert revealed(resolve(environ={"GROQ_API_KEY": "first", "GROQ_KEY": "second"})) == "first"


def test_headers_options_and_proxies_are_joined() -> None:
    text = '[providers.groq]\nheaders = {A = "f", B = "f"}\noptions = {x = 1, y = 1}\n'
    text += 'proxy = "http://f:1"\nkey_env = "MINE"'
    found = resolve(environ={"MINE": "k"}, file=file(text), arguments={"headers": {"B": "a"}, "options": {"y": 2}})
    assert (found.headers, found.options, found.proxy) == ({"A": "f", "B": "a"}, {"x": 1, "y": 2}, "http://f:1")
    assert (revealed(found), found.key_source) == ("k", "MINE")
    assert resolve(environ={"MINE": "k"}, file=file(text), arguments={"proxy": ""}).proxy == ""


def test_a_function_may_give_the_key() -> None:
    def token() -> str:
        return "t"

    found = resolve(environ={"GROQ_API_KEY": ENV_KEY}, arguments={"api_key": token})
    assert (found.api_key, found.key_source) == (token, "argument")


def test_a_secret_is_a_key_as_it_is() -> None:
    """It goes before the environment, as a text would."""
    given = Secret(KEY)
    found = resolve(environ={"GROQ_API_KEY": ENV_KEY}, arguments={"api_key": given})
    assert (found.api_key, found.key_source) == (given, "argument")
    assert KEY not in repr(found)


def test_a_trailing_slash_is_taken_off() -> None:
    assert resolve(arguments={"api_key": "k", "base_url": HOME + "//"}).base_url == HOME


@pytest.mark.parametrize("key", [5, b"key", {"k"}, {"k": "v"}])
def test_a_key_of_another_type(key: object) -> None:
    with pytest.raises(ConfigurationError, match="the groq key must be a text, or a function that gives one"):
        resolve(arguments={"api_key": key})


@pytest.mark.parametrize("bad", [KEY + "\n", KEY + " ", "\t" + KEY])
def test_a_key_with_a_line_end_is_refused_and_not_shown(bad: str) -> None:
    for given in ({"arguments": {"api_key": bad}}, {"environ": {"GROQ_API_KEY": bad}}):
        with pytest.raises(ConfigurationError, match=r"the groq key \((argument|GROQ_API_KEY)\)") as caught:
            resolve(**given)  # type: ignore[arg-type]
        assert KEY not in str(caught.value)


@pytest.mark.parametrize("header", [{"X": "a\nb"}, {"X\r": "a"}, {"X": "\0"}])
def test_a_header_with_a_line_end(header: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match=r"the header .* of groq holds a line end"):
        resolve(arguments={"api_key": KEY, "headers": header})


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"api_kye": KEY}, "unknown field `api_kye`"),
        ({"base_url": 5, "api_key": KEY}, "$.base_url"),
        ({"headers": {"X": 5}, "api_key": KEY}, "$.headers"),
    ],
)
def test_a_setting_that_does_not_exist_or_fit(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"providers\['groq'\]: ") as caught:
        resolve(arguments=arguments)
    assert text in caught.value.message
    assert KEY not in str(caught.value)


def test_settings_of_a_provider_are_a_dict() -> None:
    with pytest.raises(ConfigurationError, match=r"providers\['groq'\] must be a dict") as caught:
        AsyncOneLLM(providers={"groq": KEY})  # type: ignore[dict-item]
    assert KEY not in str(caught.value)


# --- a missing key ------------------------------------------------------------------------------------------------


def test_a_missing_key_names_the_variable() -> None:
    with pytest.raises(
        MissingKeyError, match=r'^groq: no key for groq: set GROQ_API_KEY, or give providers={"groq"'
    ) as caught:
        resolve()
    assert caught.value.provider == "groq"
    with pytest.raises(MissingKeyError, match="no key for groq: give providers="):
        resolve(key_env=())
    assert resolve(key_optional=True).api_key is None


@pytest.mark.parametrize("variable", ["GROQ_APIKEY", "GROQ_API_KEYS", "GORQ_API_KEY", "groq_api_key"])
def test_a_misspelt_variable_is_pointed_out(variable: str) -> None:
    with pytest.raises(MissingKeyError) as caught:
        resolve(environ={variable: KEY, "PATH": "/bin"})
    hinted = f"{variable} is set: is it a misspelling?" in caught.value.message
    assert hinted == (variable != "groq_api_key")
    assert KEY not in str(caught.value)


def test_another_providers_variable_is_no_misspelling() -> None:
    with pytest.raises(MissingKeyError) as caught:
        resolve(environ={"OPENAI_API_KEY": KEY, "PATH": "/bin"})
    assert "misspelling" not in caught.value.message


# --- what may go where --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com/v1",
        "http://localhost:11434/v1",
        "http://127.0.0.1:8080",
        "http://[::1]:8080/v1",
        "http://10.1.2.3",
        "http://192.168.1.5:8000",
        "http://172.16.0.1",
        "http://[fd00::1]",
        "http://[::ffff:127.0.0.1]",
        "http://ollama:11434",
        "http://box.local",
        "http://api.internal",
    ],
)
def test_https_anywhere_and_http_at_home(url: str) -> None:
    assert resolve(arguments={"api_key": KEY, "base_url": url}).base_url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com/v1",
        "http://8.8.8.8",
        "http://134744072",
        "http://0x08080808",
        "http://8.8.2056",
        "http://[2001:4860:4860::8888]",
        "http://[::ffff:8.8.8.8]",
        "http://localhost.example.com",
        "http://10.0.0.1.example.com",
    ],
)
def test_plain_http_to_a_public_address_must_be_asked_for(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"plain http to .* which would show the key"):
        resolve(arguments={"api_key": KEY, "base_url": url})
    assert resolve(arguments={"api_key": KEY, "base_url": url, "allow_http": True}).base_url == url


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("api.example.com/v1", "must begin with https:// or http://"),
        ("ftp://example.com", "must begin with https:// or http://"),
        ("https://", "must begin with https:// or http://"),
        ("user:secret@example.com", "must begin with https:// or http://"),
        ("https://user:secret@example.com", "holds a user name or password"),
        ("https://example.com/v1?key=secret", "has a query or fragment"),
        ("https://example.com/v1#x", "has a query or fragment"),
        ("http://[::1", "is not a URL"),
        ("https://example.com:http", "is not a URL"),
    ],
)
def test_a_base_url_that_cannot_work(url: str, text: str) -> None:
    with pytest.raises(ConfigurationError, match="the base URL of groq") as caught:
        resolve(arguments={"api_key": KEY, "base_url": url})
    assert text in caught.value.message
    assert "secret" not in str(caught.value)


def test_no_address_at_all() -> None:
    with pytest.raises(ConfigurationError, match=r"mine has no address of its own: .* or GROQ_BASE_URL"):
        resolve("mine", base_url=None)


HOSTILE = '[providers.groq]\nbase_url = "https://evil.example/v1"\n'


def test_a_file_in_the_working_directory_cannot_send_an_environments_key_elsewhere() -> None:
    """It may have come with somebody else's project; the same file is obeyed once the user has named it."""
    with pytest.raises(
        ConfigurationError, match=r"sends groq to evil\.example, and the key would come from GROQ_API_KEY"
    ):
        resolve(environ={"GROQ_API_KEY": ENV_KEY}, file=file(HOSTILE, trusted=False))
    assert resolve(environ={"GROQ_API_KEY": ENV_KEY}, file=file(HOSTILE)).base_url == "https://evil.example/v1"


@pytest.mark.parametrize(
    "text",
    [
        HOSTILE + 'key_env = "AWS_SECRET_ACCESS_KEY"',
        '[providers.groq]\nkey_env = "AWS_SECRET_ACCESS_KEY"',
        '[providers.groq]\nkey_env = "OPENAI_API_KEY"\nheaders = {A = "b"}',
    ],
)
def test_nor_choose_which_variable_is_sent(text: str) -> None:
    environ = {"AWS_SECRET_ACCESS_KEY": "aws", "OPENAI_API_KEY": "openai", "GROQ_API_KEY": ENV_KEY}
    with pytest.raises(ConfigurationError, match="A file in the working directory may not choose"):
        resolve(environ=environ, file=file(text, trusted=False))
    assert revealed(resolve(environ=environ, file=file(text))) in ("aws", "openai")


def test_nor_allow_plain_http_for_an_address_that_is_not_its_own() -> None:
    environ = {"GROQ_API_KEY": ENV_KEY, "GROQ_BASE_URL": "http://api.example.com"}
    text = "[providers.groq]\nallow_http = true"
    with pytest.raises(ConfigurationError, match="plain http"):
        resolve(environ=environ, file=file(text, trusted=False))
    assert resolve(environ=environ, file=file(text)).base_url == "http://api.example.com"


def test_what_it_may_do() -> None:
    """Its own key to its own host, any key to this machine, and a host that needs none."""
    own = f'{HOSTILE}api_key = "{FILE_KEY}"'
    assert revealed(resolve(file=file(own, trusted=False))) == FILE_KEY
    local = '[providers.groq]\nbase_url = "http://localhost:8000/v1"'
    assert revealed(resolve(environ={"GROQ_API_KEY": ENV_KEY}, file=file(local, trusted=False))) == ENV_KEY
    assert resolve(file=file(HOSTILE, trusted=False), key_optional=True).api_key is None
    same = '[providers.groq]\nkey_env = "GROQ_KEY"'
    assert revealed(resolve(environ={"GROQ_KEY": ENV_KEY}, file=file(same, trusted=False))) == ENV_KEY


async def test_the_whole_client_refuses_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", ENV_KEY)
    write('[providers.openai]\nbase_url = "https://evil.example/v1"')
    async with AsyncOneLLM() as client:
        with pytest.raises(ConfigurationError, match=r"sends openai to evil\.example"):
            await client.chat.completions.create(model="openai/x", messages=[{"role": "user", "content": "Hi"}])


# --- nothing shows a key ------------------------------------------------------------------------------------------


async def test_no_key_is_shown_anywhere(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", ENV_KEY)
    caplog.set_level(logging.DEBUG)
    async with AsyncOneLLM(
        providers={"mine": {"api_key": KEY, "base_url": "http://127.0.0.1:9"}}, max_retries=0
    ) as client:
        bound = [client._core.bind("openai"), client._core.bind("mine")]
        with pytest.raises(OneLLMError) as caught:
            await client.chat.completions.create(model="mine/x", messages=[{"role": "user", "content": "Hi"}])
        shown = [repr(client), repr(bound), repr(client._core.config), str(caught.value), repr(caught.value)]
        shown += [repr(resolve(arguments={"api_key": KEY})), caplog.text, repr(vars(caught.value))]
    assert not any(key in text for key in (KEY, ENV_KEY) for text in shown)
    settings = [one.settings.api_key for one in bound]
    assert [key.reveal() for key in settings if isinstance(key, Secret)] == [ENV_KEY, KEY]


def test_an_end_in_time_is_no_setting_of_a_file() -> None:
    """A file is read at any time: what it can say is a length."""
    write("timeout = {until = 5.0}")
    with pytest.raises(ConfigurationError, match="deadline gives seconds"):
        load()
