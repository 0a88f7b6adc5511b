"""The command line: `onellm chat | talk | embed | models | pull | download | providers | config`.

What a command needs is imported when it runs, so that `onellm --help` is quick.
"""

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from onellm import __version__

INTERRUPTED = 130  # as shells report what Ctrl-C ended
NOBODY_READS = 141  # as shells report what a closed pipe ended


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit code: 0 done, 1 failed, 2 misused, 130 interrupted, 141 the output was closed."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a character that the terminal lacks is no reason to stop
    if sys.stdin is None:  # closed, as services have it
        sys.stdin = io.StringIO()
    debug = False
    try:
        arguments = _parser().parse_args(argv)
        debug = arguments.debug
        code: int = import_module(f"onellm.cli.{arguments.command}").run(arguments)
        sys.stdout.flush()
    except SystemExit as exc:  # argparse: --help, --version, and what it refuses
        return exc.code if isinstance(exc.code, int) else 1
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        _discard_output()
        return NOBODY_READS
    except Exception as exc:  # noqa: BLE001 - the outermost: what happened becomes one line
        from onellm.cli.report import report  # noqa: PLC0415 - on the path of failure only

        report(exc, debug=debug)
        return 1
    else:
        return code


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help="show tracebacks")
    parser = argparse.ArgumentParser(
        prog="onellm", description="One client for every LLM provider. A model is named provider/model."
    )
    parser.add_argument("--version", action="version", version=f"onellm {__version__}")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")

    def command(name: str, summary: str) -> argparse.ArgumentParser:
        added: Any = commands.add_parser(name, help=summary, description=summary, parents=[common])
        added.set_defaults(misused=added.error)
        return added  # type: ignore[no-any-return] # the subparsers' class is private to argparse

    chat = command("chat", "Ask a model; without a prompt, a conversation.")
    chat.add_argument("prompt", nargs="?", help="the question; - reads it from standard input")
    chat.add_argument("-m", "--model", help="provider/model; `onellm config` shows the default")
    chat.add_argument("-s", "--system", metavar="TEXT", help="instructions that go before the conversation")
    chat.add_argument("--json", action="store_true", help="print the whole answer as JSON")
    chat.add_argument("--no-stream", action="store_true", help="print the answer when it is whole")
    chat.add_argument("--max-tokens", type=int, metavar="N", help="the longest answer")
    chat.add_argument("--temperature", type=float, metavar="T", help="0 is the most predictable")

    talk = command("talk", "Talk to a model: by microphone and loudspeaker, or from a file to a file.")
    talk.add_argument("-m", "--model", help="provider/model, such as openai/gpt-realtime")
    talk.add_argument("--voice", metavar="NAME", help="the model's voice, such as marin")
    talk.add_argument("--instructions", metavar="TEXT", help="what the model is told before the conversation")
    talk.add_argument("--input", metavar="WAV", help="say this, in place of what a microphone hears")
    talk.add_argument("--output", metavar="WAV", help="write the answer there, in place of playing it; needs --input")
    talk.add_argument("--transcript", metavar="TXT", help="write the words of both sides there, too")
    talk.add_argument("--microphone", metavar="DEVICE", help="its name or number in `python -m sounddevice`")
    talk.add_argument("--speaker", metavar="DEVICE", help="its name or number in `python -m sounddevice`")
    talk.add_argument(
        "--half-duplex",
        action="store_true",
        help="hear nothing while the model speaks: for loudspeakers that the microphone hears",
    )

    embed = command("embed", "Turn texts into vectors.")
    embed.add_argument("texts", nargs="*", metavar="text", help="without one, or with -: the lines of standard input")
    embed.add_argument("-m", "--model", help="provider/model; `onellm config` shows the default")
    embed.add_argument("--json", action="store_true", help="print the whole vectors as JSON")

    models = command("models", "List a provider's models.")
    models.add_argument("provider", nargs="?", help="the default provider where none is named")
    pull = command("pull", "Fetch a model to where its provider keeps them, such as Ollama.")
    pull.add_argument("model", help="provider/model, such as ollama/llama3.2")
    providers = command("providers", "List the providers: what they serve and can, and whether a key is set.")
    providers.add_argument("provider", nargs="?", help="show this one in full")
    download = command("download", "Fetch a GGUF file for a model inside the process; goes on where it was broken off.")
    download.add_argument("source", help="the file's URL, or hf:owner/repo/file.gguf")
    download.add_argument("-o", "--output", metavar="PATH", help="the file, or the folder, that it is written to")
    download.add_argument("--sha256", metavar="HEX", help="what its SHA-256 must be, where the host does not say it")
    command("config", "Show each setting and where it comes from; keys are not shown.")
    return parser


def _discard_output() -> None:
    """Let what is still in the buffer go nowhere, or the interpreter complains of the closed pipe as it exits."""
    with contextlib.suppress(OSError, ValueError):  # an output that is no file
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
