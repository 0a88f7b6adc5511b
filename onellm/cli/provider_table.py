"""Writes docs/providers.md from the registry: `python -m onellm.cli.provider_table [--check] [file]`."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from onellm.cli.facts import FLAGS, details, flags, served
from onellm.providers.base import OPERATIONS, Configurable, Provider
from onellm.providers.registry import Registry, built_in

PAGE = Path(__file__).parents[2] / "docs" / "providers.md"

_INTRODUCTION = """\
# Providers

Written by `make docs` from the registry: what is wrong here is wrong in a row, and is put right there.

A model is named `provider/model`; the provider's own id follows the first slash as it is. `onellm providers` prints
this page for the terminal and says which keys are set, `onellm providers groq` prints one provider,
`onellm models groq` lists its models. What a provider does not serve or cannot express is an error before anything is
sent. What it takes beyond OpenAI's arguments goes into `extra_body={...}`, as it is.
"""

_FLAGS = """\
"no" is known; "yes" may depend on the model. `client.models.capabilities("provider/model")` gives the same
of one model, and what its provider says of it.
"""


def page() -> str:
    """The whole page."""
    registry = Registry()
    providers = [registry.get(name) for name in built_in()]
    return "\n".join(_lines(providers)).rstrip() + "\n"


def _lines(providers: Sequence[Provider]) -> Iterator[str]:
    yield _INTRODUCTION
    yield "## What each serves\n"
    yield from _table(
        ["provider", *(name.replace("_", " ") for name in OPERATIONS)],
        [
            [_link(provider), *("●" if name in served(provider) else "" for name in OPERATIONS)]
            for provider in providers
        ],
    )
    yield "## What its chat can\n"
    yield _FLAGS
    yield from _table(
        ["provider", *(words for _, words in FLAGS.values())],
        [[_link(provider), *_said(provider)] for provider in providers if "chat" in served(provider)],
    )
    yield "## Keys and addresses\n"
    yield from _table(
        ["provider", "key", "base URL", "replaced by"], [[_link(provider), *_where(provider)] for provider in providers]
    )
    yield "## One by one\n"
    for provider in providers:
        yield f"### {provider.name}\n"
        for about, text in details(provider):
            yield f"- {about.replace('_', ' ')}: {f'<{text}>' if about == 'docs' else text}"
        yield ""


def _said(provider: Provider) -> Iterator[str]:
    said = flags(provider)
    yield from ("" if flag not in said else "yes" if said[flag] else "no" for flag in FLAGS)


def _where(provider: Provider) -> list[str]:
    if not isinstance(provider, Configurable):
        return ["none", "inside the process", ""]
    keys = ", ".join(f"`{name}`" for name in provider.key_env) or "none"
    return [
        f"{keys} (optional)" if provider.key_env and provider.key_optional else keys,
        f"`{provider.base_url}`" if provider.base_url else "yours",
        ", ".join(f"`{name}`" for name in provider.base_url_env),
    ]


def _link(provider: Provider) -> str:
    return f"[{provider.name}](#{provider.name})"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield _row(head)
    yield "|" + "---|" * len(head)
    yield from map(_row, rows)
    yield ""


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def main(argv: Sequence[str] | None = None) -> int:
    """Write the page; with --check say only whether it is up to date."""
    parser = argparse.ArgumentParser(prog="python -m onellm.cli.provider_table", description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=PAGE)
    parser.add_argument("--check", action="store_true", help="fail where the page is not what would be written")
    arguments = parser.parse_args(argv)
    file: Path = arguments.file
    wanted = page()
    if not arguments.check:
        file.write_text(wanted, "utf-8")
        return 0
    if file.exists() and file.read_text("utf-8") == wanted:
        return 0
    print(f"{file} is stale: run `make docs`", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
