"""Where settings come from: arguments, then the environment, then `onellm.toml`, then defaults.

```toml
default_provider = "groq"
timeout = 60                       # seconds, or a table: {connect = 5, first_byte = 60, idle = 30, total = 600}
max_retries = 3
deadline = 90                      # seconds for a call and all that is tried for it
chat_model = "groq/llama-3.3-70b"  # what the command line asks when no model is named

[providers.groq]
api_key = "gsk_…"                  # better: leave it to GROQ_API_KEY

[providers.mine]                   # a host of your own that speaks OpenAI's API
base_url = "https://llm.example.com/v1"
key_env = "MINE_API_KEY"

[routes.fast]                      # "route/fast" is a model: the first that can answers
models = ["groq/llama-3.3-70b", "openai/gpt-5.4-mini"]
[limits."openai/gpt-5.4"]          # of a model; those of a provider go into [providers.openai.limits]
requests_per_minute = 500

[providers.llama_cpp.options]      # models in this process have neither key nor host
n_ctx = 8192
```

The file is `$ONELLM_CONFIG`, or else `onellm.toml` in the working directory, or else `onellm/onellm.toml` in the
user's configuration folder. A file that merely lies in the working directory cannot send a key from the
environment to a host that it names itself: see `ConfigFile.trusted`.
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, urlsplit

import msgspec
from msgspec import Struct, field, structs

from onellm.errors import ConfigurationError, MissingKeyError
from onellm.types.limits import Limits
from onellm.types.options import LogLevel, OnUnsupported, Timeouts, TokenCredential, TokenSource
from onellm.types.secret import Secret

if TYPE_CHECKING:
    from onellm.types.execution import Route

FILE_NAME = "onellm.toml"


class ProviderConfig(Struct, kw_only=True, forbid_unknown_fields=True):
    """What can be said of a provider, in `providers=` or in the file.

    api_key:     the key
    api_keys:    several keys, taken in turn
    key_env:     the variable that holds it; for a host of your own
    base_url:    where the API is
    headers:     sent with every request
    options:     the provider's own settings
    proxy:       a proxy for this provider alone
    allow_http:  plain http to a public address; the key then travels in the clear
    limits:      how fast its calls may go out
    """

    api_key: str | None = None
    api_keys: list[str] | None = None
    key_env: str | None = None
    base_url: str | None = None
    headers: dict[str, str] = {}
    options: dict[str, Any] = {}
    proxy: str | None = None
    allow_http: bool = False
    limits: Limits | None = None

    def __repr__(self) -> str:  # keys, headers and a proxy's password stay out
        return f"ProviderConfig(base_url={self.base_url!r}, key_env={self.key_env!r})"


class _File(Struct, kw_only=True, forbid_unknown_fields=True):
    default_provider: str | None = None
    timeout: float | Timeouts | None = None
    max_retries: int | None = None
    deadline: float | None = None
    on_unsupported: OnUnsupported | None = None
    log: LogLevel | None = None
    chat_model: str | None = None
    embedding_model: str | None = None
    providers: dict[str, ProviderConfig] = {}
    routes: dict[str, Any] = {}
    limits: dict[str, Limits] = {}


class ConfigFile(Struct, frozen=True, kw_only=True):
    """A file that was read.

    trusted: it was named by the user, or lies in the user's own folder. A file in the working directory may have
    come with somebody else's project, and is not.
    """

    path: Path
    trusted: bool
    content: _File


class Setting(Struct, frozen=True, kw_only=True):
    """A value and where it comes from, as `onellm config` shows it."""

    name: str
    value: str
    source: str


class Config(Struct, kw_only=True):
    """The settings of one client. `sources` says where each comes from.

    chat_model, embedding_model:  what the command line asks when no model is named; "" is its own choice
    """

    default_provider: str = "openai"
    timeouts: Timeouts = Timeouts()
    max_retries: int = 2
    deadline: float | None = None
    on_unsupported: OnUnsupported = "raise"
    log: LogLevel = "off"
    chat_model: str = ""
    embedding_model: str = ""
    file: ConfigFile | None = None
    sources: dict[str, str] = field(default_factory=dict[str, str])


def load(environ: Mapping[str, str] = os.environ, **arguments: Any) -> Config:
    """The settings, from all places. arguments that are None were not given.

    Raises:
        ConfigurationError: a value has the wrong type, or the file cannot be read; names the place.
    """
    file = find_file(environ)
    places: list[tuple[str, dict[str, Any]]] = [
        ("argument", {key: value for key, value in arguments.items() if value is not None}),
        *(
            (variable, {name: _from_text(environ[variable], variable)})
            for name, variable in ENVIRONMENT.items()
            if environ.get(variable)
        ),
    ]
    if file is not None:
        content = file.content
        given = {name: getattr(content, name) for name in ENVIRONMENT}
        places.append((str(file.path), {name: value for name, value in given.items() if value is not None}))
    config = Config(file=file)
    for name in ENVIRONMENT:
        for source, values in places:
            if name in values:
                _set(config, name, values[name], source)
                break
        else:
            config.sources[name] = "default"
    return config


ENVIRONMENT = {
    "default_provider": "ONELLM_DEFAULT_PROVIDER",
    "timeout": "ONELLM_TIMEOUT",
    "max_retries": "ONELLM_MAX_RETRIES",
    "deadline": "ONELLM_DEADLINE",
    "on_unsupported": "ONELLM_ON_UNSUPPORTED",
    "log": "ONELLM_LOG",
    "chat_model": "ONELLM_CHAT_MODEL",
    "embedding_model": "ONELLM_EMBEDDING_MODEL",
}


def _from_text(text: str, variable: str) -> str | float | int:
    if variable in ("ONELLM_TIMEOUT", "ONELLM_DEADLINE"):
        try:
            return float(text)
        except ValueError:
            raise ConfigurationError(f"{variable} is {text!r}: give seconds, such as 60") from None
    if variable == "ONELLM_MAX_RETRIES":
        if not text.isdecimal():
            raise ConfigurationError(f"{variable} is {text!r}: give a number, such as 2")
        return int(text)
    return text


_CHOICES = {"on_unsupported": ("raise", "warn", "drop"), "log": ("off", "info", "debug", "content")}


def _set(config: Config, name: str, value: Any, source: str) -> None:
    config.sources[name] = source
    match name:
        case "timeout":
            if isinstance(value, Timeouts) and value.until is not None and source != "argument":
                raise ConfigurationError(f"timeout.until ({source}) is a point in time; deadline gives seconds")
            config.timeouts = timeouts(value, config.timeouts, source)
        case "max_retries":
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise ConfigurationError(f"max_retries is {value!r} ({source}): give a whole number from 0")
            config.max_retries = value
        case "deadline":
            config.deadline = _duration(value, source)
        case "on_unsupported" | "log":
            choices = _CHOICES[name]
            if value not in choices:
                raise ConfigurationError(f"{name} is {value!r} ({source}): {', '.join(choices[:-1])} or {choices[-1]}")
            setattr(config, name, value)
        case "chat_model" | "embedding_model":
            setattr(config, name, value)
        case _:
            if not isinstance(value, str) or not value or "/" in value:
                raise ConfigurationError(f"default_provider is {value!r} ({source}): give a provider's name")
            config.default_provider = value


def timeouts(value: float | Timeouts | None, default: Timeouts, source: str = "timeout") -> Timeouts:
    """Time limits from what a caller gives: seconds for the whole call, all four, or nothing."""
    if value is None:
        return default
    if isinstance(value, Timeouts):
        for name in value.__struct_fields__:
            limit = getattr(value, name)
            if limit is not None and not _is_duration(limit):
                raise ConfigurationError(f"timeout.{name} is {limit!r} ({source}): give seconds above 0, or None")
        return value
    if not _is_duration(value):
        raise ConfigurationError(f"timeout is {value!r} ({source}): give seconds above 0, or Timeouts(...)")
    return msgspec.structs.replace(default, total=float(value))


def _duration(value: Any, source: str) -> float:
    if not _is_duration(value):
        raise ConfigurationError(f"deadline is {value!r} ({source}): give seconds above 0")
    return float(value)


def limits(
    given: Limits | Mapping[str, Limits] | None,
    providers: Mapping[str, dict[str, Any]],
    file: ConfigFile | None,
) -> dict[str, Limits]:
    """The limits from all places, by provider or "provider/model"; "" is every provider that is not named.

    Takes "limits" out of the settings of providers.

    Raises:
        ConfigurationError: they are none; names the place.
    """
    found: dict[str, Limits] = {}
    if file is not None:
        found |= {name: said.limits for name, said in file.content.providers.items() if said.limits is not None}
        found |= file.content.limits
    for name, settings in providers.items():
        if (own := settings.pop("limits", None)) is not None:
            found[name] = _limits(own, f"providers[{name!r}]['limits']")
    if isinstance(given, Limits):
        found[""] = given
    elif given is not None:
        if not isinstance(given, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - callers err
            raise ConfigurationError('limits: give Limits(...), or a dict such as {"openai": Limits(...)}')
        found |= {name: _limits(own, f"limits[{name!r}]") for name, own in given.items()}
    return found


def _limits(value: object, where: str) -> Limits:
    try:
        return msgspec.convert(value, Limits)
    except msgspec.ValidationError as exc:
        raise ConfigurationError(f"{where}: {exc}") from None


def _is_duration(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def find_file(environ: Mapping[str, str] = os.environ) -> ConfigFile | None:
    """The file that applies, read; None where there is none."""
    if named := environ.get("ONELLM_CONFIG"):
        path = Path(named).expanduser()
        if not path.is_file():
            raise ConfigurationError(f"ONELLM_CONFIG names {named}, which is no file")
        return read_file(path, trusted=True)
    if (path := Path(FILE_NAME)).is_file():
        return read_file(path.absolute(), trusted=False)
    path = user_file(environ)
    return read_file(path, trusted=True) if path.is_file() else None


def user_file(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the user's own file lies, whether it is there or not."""
    if os.name == "nt":
        folder = Path(environ.get("APPDATA") or "~").expanduser()
    else:
        folder = Path(environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser()
    return folder / "onellm" / FILE_NAME


def read_file(path: Path, *, trusted: bool) -> ConfigFile:
    """Read a file.

    Raises:
        ConfigurationError: it is not TOML, or has a setting that does not exist or does not fit; never shows values.
    """
    import tomllib  # noqa: PLC0415 - only where there is a file; it compiles patterns

    try:
        with path.open("rb") as stream:
            content = msgspec.convert(tomllib.load(stream), _File)
    except OSError as exc:
        raise ConfigurationError(f"{path}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise ConfigurationError(f"{path}: not UTF-8 at byte {exc.start}") from None  # it holds the whole file
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as exc:
        raise ConfigurationError(f"{path}: {exc}") from None
    if content.routes:
        content.routes = _routes(content.routes, path)
    return ConfigFile(path=path, trusted=trusted, content=content)


def _routes(given: dict[str, Any], path: Path) -> "dict[str, Route]":
    from onellm.types.execution import Route  # noqa: PLC0415 - only where there are some

    try:
        return msgspec.convert(given, dict[str, Route])
    except msgspec.ValidationError as exc:
        raise ConfigurationError(f"{path}: routes: {exc}") from None


class Resolved(Struct, kw_only=True):
    """A provider's settings, and where the key and the base URL come from.

    foreign_host:  the base URL comes from a file that may not choose where keys of the environment go
    more_keys:     those after the first
    """

    api_key: Secret | TokenSource | None
    key_source: str
    base_url: str
    base_url_source: str
    headers: dict[str, str]
    options: dict[str, Any]
    proxy: str | None
    credential: TokenCredential | None = None
    foreign_host: bool = False
    more_keys: tuple[Secret, ...] = ()


def resolve_provider(
    name: str,
    *,
    base_url: str | None,
    base_url_env: tuple[str, ...] = (),
    key_env: tuple[str, ...] = (),
    key_optional: bool = False,
    option_env: Mapping[str, str | tuple[str, ...]] | None = None,
    takes_credential: bool = False,
    read_base_url: Callable[[str], tuple[str, dict[str, Any]]] | None = None,
    arguments: Mapping[str, Any] | None = None,
    file: ConfigFile | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Resolved:
    """One provider's settings from all places.

    Raises:
        MissingKeyError: no key, and the provider needs one; names the variable.
        ConfigurationError: a key with white space, a base URL without a scheme or in the clear, an unknown setting.
    """
    given = dict(arguments or {})
    key_argument: Any = given.pop("api_key", None)
    said = _provider_config(name, given)
    in_file = (file.content.providers.get(name) if file is not None else None) or ProviderConfig()
    origin = str(file.path) if file is not None else ""
    untrusted = file is not None and not file.trusted
    borrowed = bool(untrusted and not said.key_env and in_file.key_env and in_file.key_env not in key_env)
    if own_variable := said.key_env or in_file.key_env:
        key_env = (own_variable,)

    url, url_source = _first(
        (said.base_url, "argument"),
        *((environ.get(variable), variable) for variable in base_url_env),
        (in_file.base_url, origin),
        (base_url, "default"),
    )
    if not url:
        how = f" or {base_url_env[0]}" if base_url_env else ""
        raise ConfigurationError(
            f'{name} has no address of its own: give providers={{"{name}": {{"base_url": "https://…/v1"}}}}{how}',
            provider=name,
        )
    url, in_url = read_base_url(url) if read_base_url is not None else (url, {})
    options = {**in_file.options, **_from_environment(option_env or {}, environ), **in_url, **said.options}
    url = _fill_in(url, name, options, option_env or {})
    its_own = not untrusted or url_source == origin  # may it say something of the host?
    check_base_url(url, name, allow_http=said.allow_http or (in_file.allow_http and its_own))

    found = _find_key(
        name,
        key_argument,
        said,
        in_file,
        origin=origin,
        takes_credential=takes_credential,
        variables=key_env,
        environ=environ,
    )
    key, key_source, credential = found.key, found.source, found.credential
    if key is None and credential is None and not key_optional:
        raise MissingKeyError(_missing_key(name, key_env, environ), provider=name)
    if borrowed and key_source == in_file.key_env and not is_private(url):
        raise ConfigurationError(
            f"{origin} takes the {name} key from {key_source}. A file in the working directory may not choose which "
            f"variable goes to {urlsplit(url).hostname}: put key_env into {user_file(environ)}, set ONELLM_CONFIG to "
            "this file, or pass api_key=",
            provider=name,
        )
    foreign_host = untrusted and url_source == origin and not is_private(url)
    if foreign_host and key is not None and key_source not in (origin, "argument"):
        raise ConfigurationError(
            f"{origin} sends {name} to {urlsplit(url).hostname}, and the key would come from {key_source}. A file in "
            f"the working directory may not choose where such a key goes: put base_url into {user_file(environ)}, "
            "set ONELLM_CONFIG to this file, or pass base_url=",
            provider=name,
        )
    proxy = said.proxy if said.proxy is not None else in_file.proxy
    return Resolved(
        api_key=key,
        key_source=key_source,
        base_url=url.rstrip("/"),
        base_url_source=url_source,
        headers=_headers(name, {**in_file.headers, **said.headers}),
        options=options,
        proxy=proxy,
        credential=credential,
        foreign_host=foreign_host,
        more_keys=found.more,
    )


class _Found(Struct, kw_only=True):
    """A key, or several, or what stands in for one, and where it comes from."""

    key: Secret | TokenSource | None = None
    more: tuple[Secret, ...] = ()
    credential: TokenCredential | None = None
    source: str = "none"


def _find_key(
    name: str,
    argument: Any,
    said: ProviderConfig,
    in_file: ProviderConfig,
    *,
    origin: str,
    takes_credential: bool,
    variables: tuple[str, ...],
    environ: Mapping[str, str],
) -> _Found:
    if isinstance(argument, list | tuple) or said.api_keys is not None:
        return _several(name, cast("Any", argument), said.api_keys, "argument")
    if takes_credential and isinstance(argument, TokenCredential):
        return _Found(credential=argument, source="argument")
    if isinstance(argument, Secret):
        return _Found(key=argument, source="argument")
    if callable(argument):
        return _Found(key=cast("TokenSource", argument), source="argument")
    if argument is not None and not isinstance(argument, str):
        raise ConfigurationError(
            f"the {name} key must be a text, or a function that gives one, not {type(argument).__name__}",
            provider=name,
        )
    text, source = _first(
        (argument, "argument"),
        *((environ.get(variable), variable) for variable in variables),
        (in_file.api_key, origin),
    )
    if text:
        return _Found(key=Secret(text, name=f"the {name} key ({source})"), source=source)
    return _Found() if in_file.api_keys is None else _several(name, None, in_file.api_keys, origin)


def _several(name: str, as_key: Any, as_keys: list[str] | None, source: str) -> _Found:
    """Keys that are given as a list.

    Raises:
        ConfigurationError: there is none, one is no text, or they are given twice.
    """
    if as_key is not None and as_keys is not None:
        raise ConfigurationError(f"give api_key or api_keys of {name}, not both", provider=name)
    keys = list(cast("Sequence[Any]", as_key) if as_keys is None else as_keys)
    if not keys or not all(isinstance(key, str) and key for key in keys):
        raise ConfigurationError(f"the {name} keys must be texts, and at least one", provider=name)
    first, *more = (Secret(key, name=f"a {name} key ({source})") for key in keys)
    return _Found(key=first, more=tuple(more), source=source)


def resolve_options(name: str, arguments: Mapping[str, Any], file: ConfigFile | None) -> dict[str, Any]:
    """The settings of a provider that is not reached over the network: its arguments, over its options in the file.

    Raises:
        ConfigurationError: the file says more of it than options.
    """
    in_file = (file.content.providers.get(name) if file is not None else None) or ProviderConfig()
    for field_name, value in structs.asdict(in_file).items():
        if value and field_name != "options":
            raise ConfigurationError(
                f"{file and file.path}: {name} is not reached over the network and has no {field_name}; "
                f"what it has goes into [providers.{name}.options]",
                provider=name,
            )
    return {**in_file.options, **arguments}


def _provider_config(name: str, given: Mapping[str, Any]) -> ProviderConfig:
    try:
        return msgspec.convert(given, ProviderConfig)
    except msgspec.ValidationError as exc:
        raise ConfigurationError(f"providers[{name!r}]: {exc}", provider=name) from None


def _headers(name: str, headers: dict[str, str]) -> dict[str, str]:
    for header, value in headers.items():
        if any(ch in "\r\n\0" for ch in header + value):
            raise ConfigurationError(f"the header {header!r} of {name} holds a line end", provider=name)
    return headers


def _first(*places: tuple[str | None, str]) -> tuple[str | None, str]:
    for value, source in places:
        if value:
            return value, source
    return None, "none"


def variables(named: str | tuple[str, ...]) -> tuple[str, ...]:
    """The variables of an option, in order."""
    return (named,) if isinstance(named, str) else named


def _from_environment(option_env: Mapping[str, str | tuple[str, ...]], environ: Mapping[str, str]) -> dict[str, str]:
    found = {
        name: _first(*((environ.get(variable), variable) for variable in variables(named)))[0]
        for name, named in option_env.items()
    }
    return {name: value for name, value in found.items() if value}


def _fill_in(url: str, name: str, options: Mapping[str, Any], option_env: Mapping[str, str | tuple[str, ...]]) -> str:
    """A base URL such as `https://…/accounts/{account_id}` with the provider's options in it."""
    for option in re.findall(r"{(\w+)}", url):
        if not options.get(option):
            how = f" or {variables(option_env[option])[0]}" if option in option_env else ""
            raise ConfigurationError(
                f'{name} needs {option}: give providers={{"{name}": {{"options": {{"{option}": …}}}}}}{how}',
                provider=name,
            )
        url = url.replace(f"{{{option}}}", quote(str(options[option]), safe=""))
    return url


def _missing_key(name: str, key_env: tuple[str, ...], environ: Mapping[str, str]) -> str:
    import difflib  # noqa: PLC0415 - only for a message

    if not key_env:
        return f'no key for {name}: give providers={{"{name}": {{"api_key": …}}}}'
    text = f'no key for {name}: set {key_env[0]}, or give providers={{"{name}": {{"api_key": …}}}}'
    near = difflib.get_close_matches(key_env[0], [variable for variable in environ if variable not in key_env], 1, 0.85)
    return f"{text}; {near[0]} is set: is it a misspelling?" if near else text


def check_base_url(url: str, name: str, *, allow_http: bool = False) -> None:
    """Refuse what cannot work, and what would show the key to the network.

    Raises:
        ConfigurationError: no scheme, no host, user data in the URL, or plain http to a public address.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port  # is looked at only now
    except ValueError as exc:
        raise ConfigurationError(f"the base URL of {name} is not a URL: {exc}", provider=name) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        shown = "" if "@" in url else f" is {url!r}: it"
        raise ConfigurationError(f"the base URL of {name}{shown} must begin with https:// or http://", provider=name)
    if parts.username or parts.password:
        raise ConfigurationError(f"the base URL of {name} holds a user name or password: use headers=", provider=name)
    if parts.query or parts.fragment:
        raise ConfigurationError(f"the base URL of {name} has a query or fragment: use extra_query=", provider=name)
    if parts.scheme == "http" and not allow_http and not is_private(url):
        raise ConfigurationError(
            f"the base URL of {name} is plain http to {parts.hostname}, which would show the key to the network: "
            f'use https://, or providers={{"{name}": {{"allow_http": True}}}}',
            provider=name,
        )


def check_proxy(url: str, name: str) -> None:
    """Refuse a proxy that would be spoken to in the wrong language: a request shows it the key.

    Raises:
        ConfigurationError: no http:// or https://, or no host; does not show what may be a password.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable:
        raise ConfigurationError(
            f"the proxy for {name} must be http://host:port or https://host:port; SOCKS is not spoken here. "
            'For none, whatever the environment says, give http=HttpOptions(proxy="")',
            provider=name,
        )


def is_private(url: str) -> bool:
    """Whether a URL's host is this machine or a private network, as far as its name says."""
    import ipaddress  # noqa: PLC0415 - only for plain http and for foreign files

    host = urlsplit(url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        if re.fullmatch(r"[\d.]+|0x[\da-f.x]+", host):
            return False  # resolvers read 134744072 as an address, and a public one
        return "." not in host or host.endswith((".localhost", ".local", ".internal", ".lan", ".home.arpa"))
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address.is_loopback or address.is_private or address.is_link_local
