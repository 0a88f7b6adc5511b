"""`onellm download`: a GGUF file, or all parts of one model, from a URL or from the Hugging Face hub."""

import asyncio
import os
import re
import sys
import time
from argparse import Namespace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from onellm import config as config_module
from onellm.cli._fetch import Fetch, check_writable
from onellm.cli.report import notice
from onellm.errors import APIConnectionError, ConfigurationError, InvalidRequestError
from onellm.policy.retry import RetryPolicy, retry
from onellm.providers._gguf_parts import all_parts
from onellm.providers._hub import SCHEME, parse_hub
from onellm.transport.http import HttpTransport
from onellm.types.options import HttpOptions

_HUB = "https://huggingface.co"
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_BAR = 24  # characters
_LOOK = 0.2  # seconds between two looks at whether another process has ended
_EVERY = 0.1  # seconds between two drawings of the bar
_UNITS = ("B", "kB", "MB", "GB", "TB")
_KILO = 1000


def run(arguments: Namespace) -> int:
    """Fetch the file; its path is the output, everything else is said on standard error."""
    if arguments.sha256 is not None and not _SHA256.fullmatch(arguments.sha256):
        arguments.misused("--sha256 takes 64 hex digits")
    parts = all_parts(arguments.source)
    if len(parts) > 1 and arguments.sha256:
        arguments.misused(f"--sha256 is of one file, and this is a model in {len(parts)}")
    sources = [_source(part) for part in parts]
    targets = [_target(arguments.output, url) for url, _ in sources]
    if len(set(targets)) < len(targets):
        arguments.misused(f"-o names one file for {len(parts)} parts: give a folder, which has to be there")
    check_writable(targets[0].parent)
    digest = arguments.sha256.lower() if arguments.sha256 else None
    paths = [_one(url, target, digest, headers) for (url, headers), target in zip(sources, targets, strict=True)]
    for path in paths:
        print(path)
    notice(f"ask it with: onellm chat -m llama_cpp/{paths[0]}")
    return 0


def _one(url: str, target: Path, digest: str | None, headers: dict[str, str]) -> Path:
    """One file, with its bar."""
    bar = _Bar(target.name)
    fetch = Fetch(url, target, sha256=digest, headers=headers, progress=bar.show)
    try:
        path = asyncio.run(_fetch(fetch))
    except BaseException as exc:
        bar.end()
        if fetch.size and isinstance(exc, KeyboardInterrupt | APIConnectionError):
            notice(f"{size_text(fetch.size)} are in {fetch.part}: the same command goes on from there")
        raise
    bar.end()
    return path


async def _fetch(fetch: Fetch) -> Path:
    """Again and again, as long as each round of attempts has brought something."""
    transport = HttpTransport(HttpOptions())
    policy = RetryPolicy(max_retries=config_module.load().max_retries)
    try:
        await _alone(fetch)
        while True:
            before = fetch.size
            try:
                return await retry(fetch.attempt, policy, transport)
            except APIConnectionError:
                if fetch.size <= before or not policy.max_retries:
                    raise
    except OSError as exc:
        raise ConfigurationError(f"{fetch.part} cannot be written: {exc.strerror or exc}") from exc
    finally:
        fetch.lock.release()
        await transport.aclose()


async def _alone(fetch: Fetch) -> None:
    """Until nobody else fetches it."""
    told = False
    while not fetch.lock.take():
        if not told:
            owner = fetch.lock.owner()
            who = "another process" if owner is None else f"process {owner}"
            notice(f"{who} is fetching {fetch.target.name} already: waiting for it to end")
            told = True
        await asyncio.sleep(_LOOK)


def _source(source: str) -> tuple[str, dict[str, str]]:
    """The URL, and the headers that its host is shown: the hub's key goes to the hub, and to no URL of somebody's."""
    if source.startswith(SCHEME):
        file = parse_hub(source)
        hub = (os.environ.get("HF_ENDPOINT") or _HUB).rstrip("/")
        config_module.check_base_url(hub, "the hub (HF_ENDPOINT)")
        token = os.environ.get("HF_TOKEN", "").strip()
        return f"{hub}/{file.path}", {"Authorization": f"Bearer {token}"} if token else {}
    try:
        parts = urlsplit(source)
        plain = parts.scheme == "http" and not config_module.is_private(source)
        _ = parts.port  # is looked at only now
    except ValueError as exc:
        raise InvalidRequestError(f"{source!r} is not a URL: {exc}", param="source") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
        raise InvalidRequestError(
            "give the URL of a .gguf file, or hf:owner/repo/file.gguf for one of the Hugging Face hub", param="source"
        )
    if plain:
        raise InvalidRequestError("plain http:// is for your own network: give the https:// URL", param="source")
    return source, {}


def _target(output: str | None, url: str) -> Path:
    name = unquote(urlsplit(url).path).rpartition("/")[2]
    if output is not None:
        path = Path(output).expanduser()
        if not (path.is_dir() or output.endswith(("/", os.sep))):
            return path.absolute()
    else:
        path = Path.cwd()
    if not name or name in {".", ".."} or "\0" in name:
        raise InvalidRequestError("the URL does not end in a file name: give one with -o", param="output")
    return (path / name).absolute()


def size_text(size: float) -> str:
    """Bytes as people read them, such as "1.2 GB"."""
    power = 0
    while size >= _KILO and power < len(_UNITS) - 1:
        size, power = size / _KILO, power + 1
    return f"{size:.1f} {_UNITS[power]}" if power else f"{size:.0f} B"


class _Bar:
    """How far it is, on one line of a terminal that is drawn anew; elsewhere nothing."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._shows = sys.stderr.isatty()
        self._drawn = 0.0
        self._percent: int | None = None
        self._began: tuple[float, int] | None = None
        self._open = False

    def show(self, done: int, total: int | None) -> None:
        now = time.monotonic()
        began, had = self._began = self._began or (now, done)
        percent = 100 * done // total if total else None
        if not self._shows or (now - self._drawn < _EVERY and percent == self._percent):
            return
        self._drawn, self._percent = now, percent
        speed = f"{size_text((done - had) / (now - began))}/s" if now > began else ""
        if total:
            filled = min(_BAR, _BAR * done // total)
            line = f"[{'#' * filled:{_BAR}}] {percent:3}%  {size_text(done)} of {size_text(total)}"
        else:
            line = size_text(done)
        print(f"\r\x1b[K{self._name}  {line}  {speed}", end="", file=sys.stderr, flush=True)
        self._open = True

    def end(self) -> None:
        """Go to the next line, where there is one to leave."""
        if self._open:
            print(file=sys.stderr, flush=True)
            self._open = False
