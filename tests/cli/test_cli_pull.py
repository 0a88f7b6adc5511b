"""`onellm pull`: what it prints, and where."""

import io
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from command_line import Ran
from loopback import Answer, Loopback
from wire import ollama as wire

from onellm.cli.pull import Progress, bar, size
from onellm.types.models import PullProgress

Run = Callable[..., Awaitable[Ran]]


@pytest.fixture
async def server(nothing_set: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Loopback]:  # noqa: ARG001 - first
    async with Loopback() as loopback:
        loopback.plays(Answer(chunks=wire.PULL_STREAM, content_type=wire.STREAM_TYPE))
        monkeypatch.setenv("OLLAMA_HOST", loopback.url)
        yield loopback


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def drawn(*progress: PullProgress) -> str:
    screen = Screen()
    shown = Progress(screen)
    for each in progress:
        shown.show(each)
    shown.close()
    return screen.getvalue()


async def test_a_line_a_step_where_there_is_no_terminal(onellm: Run, server: Loopback) -> None:
    ran = await onellm("pull", "ollama/llama3.2")
    steps = ["pulling manifest", "pulling dde5aa3fc5ff", "verifying sha256 digest", "writing manifest", "success"]
    assert (ran.code, ran.out, ran.err.splitlines()) == (0, "ollama/llama3.2\n", steps)
    assert server.requests[0].json == {"model": "llama3.2", "stream": True}


async def test_what_fails_is_one_line(onellm: Run, server: Loopback) -> None:
    lines = [wire.PULL_STREAM[0], b'{"error":"pull model manifest: file does not exist"}\n']
    server.plays(Answer(chunks=lines, content_type=wire.STREAM_TYPE))
    ran = await onellm("pull", "ollama/no-such")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines()[1].startswith("onellm: ollama/no-such: pull model manifest: file does not exist")


@pytest.mark.usefixtures("server")
async def test_others_cannot(onellm: Run) -> None:
    ran = await onellm("pull", "llama-server/m")
    assert ran.code == 1
    assert "llama-server does not serve model_store; " in ran.err


def test_a_bar_that_is_written_over() -> None:
    """One line a step, shorter texts cover longer ones, and a control character is none."""
    said = "layer\x1b[2J"
    layer = [PullProgress(status=said, total=4_000_000, completed=done) for done in (0, 2_000_000)]
    assert drawn(*layer, PullProgress(status="success")) == (
        "\rlayer[2J [........................]   0% of 4.0 MB"
        "\rlayer[2J [############............]  50% of 4.0 MB\n"
        "\rsuccess\n"
    )
    assert drawn() == ""


@pytest.mark.parametrize(
    ("total", "completed", "shown"),
    [
        (None, None, ""),
        (0, 0, ""),
        (10, None, "[........................]   0% of 10 B"),
        (1500, 1500, "[########################] 100% of 1.5 kB"),
        (2_019_377_376, 4_000_000_000, "[########################] 100% of 2.0 GB"),
    ],
)
def test_how_far(total: int | None, completed: int | None, shown: str) -> None:
    assert bar(PullProgress(status="x", total=total, completed=completed)) == shown


def test_sizes() -> None:
    assert [size(count) for count in (0, 999, 1000, 5 * 10**15)] == ["0 B", "999 B", "1.0 kB", "5000.0 TB"]
