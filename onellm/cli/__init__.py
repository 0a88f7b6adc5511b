"""The command line: `onellm chat | talk | embed | map | models | pull | download | providers | config`.

What a command needs is imported when it runs, so that `onellm --help` is quick.
"""

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, TypeAlias

from onellm import __version__

_Command: TypeAlias = Callable[[str, str], argparse.ArgumentParser]  # adds one, by its name and what it does

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

    _add_conversations(command)
    _add_pipelines(command)
    _add_models(command)
    command("config", "Show each setting and where it comes from; keys are not shown.")
    return parser


def _add_conversations(command: _Command) -> None:
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


def _add_pipelines(command: _Command) -> None:
    embed = command("embed", "Turn texts into vectors; with --output, those of a file.")
    embed.add_argument(
        "texts",
        nargs="*",
        metavar="text",
        help="without one, or with -: the lines of standard input; with --output: a file",
    )
    embed.add_argument("-m", "--model", help="provider/model; `onellm config` shows the default")
    embed.add_argument("--json", action="store_true", help="print the whole vectors as JSON")
    _add_file_options(embed, "vectors go (.parquet, .npy, .jsonl)", "text")
    embed.add_argument("--dimensions", type=int, metavar="N", help="numbers of a vector, where the model can choose")
    embed.add_argument("--batch-size", type=int, metavar="N", help="the most texts of one request")

    mapping = command("map", "Answer a file of prompts; goes on where it was stopped.")
    mapping.add_argument(
        "source", metavar="file", help="prompts or requests (.jsonl, .csv, .parquet, text); - is input"
    )
    mapping.add_argument("-m", "--model", help="provider/model; `onellm config` shows the default")
    _add_file_options(mapping, "answers go (.jsonl, .parquet)", "prompt", required=True)
    mapping.add_argument("-s", "--system", metavar="TEXT", help="instructions that go before each prompt")
    mapping.add_argument("--mode", choices=("requests", "batch"), default="requests", help="batch: cheaper, in hours")
    mapping.add_argument("--max-tokens", type=int, metavar="N", help="the longest answer")
    mapping.add_argument("--temperature", type=float, metavar="T", help="0 is the most predictable")


def _add_models(command: _Command) -> None:
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


def _add_file_options(parser: argparse.ArgumentParser, what: str, field: str, *, required: bool = False) -> None:
    """What pipelines from file to file take."""
    parser.add_argument("-o", "--output", metavar="FILE", required=required, help=f"where the {what}")
    default = field if required else None  # of embed, to tell whether it was given
    parser.add_argument("--field", metavar="NAME", default=default, help=f"the column or key of each {field}: {field}")
    parser.add_argument("--id-field", metavar="NAME", help="the column or key of ids that go along")
    formats = ("jsonl", "csv", "tsv", "parquet", "text")
    parser.add_argument("--input-format", choices=formats, help="where the name of the file does not say it")
    parser.add_argument("--resume", action="store_true", help="go on where a run of this command was stopped")
    parser.add_argument(
        "--checkpoint", metavar="FILE", help="what was done; it stays. Else OUTPUT.checkpoint, until done"
    )
    parser.add_argument("--concurrency", type=int, metavar="N", help="requests under way together")
    parser.add_argument(
        "--on-error", choices=("skip", "raise"), default="skip", help="skip goes on, and errors are in the output"
    )


def _discard_output() -> None:
    """Let what is still in the buffer go nowhere, or the interpreter complains of the closed pipe as it exits."""
    with contextlib.suppress(OSError, ValueError):  # an output that is no file
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
