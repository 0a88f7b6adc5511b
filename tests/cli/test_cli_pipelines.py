"""`onellm embed --output` and `onellm map`: files in, files out, and how a run goes on that was stopped."""

import asyncio
import csv
import json
import re
import signal
import struct
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Ran, Terminal, require
from forms import files
from loopback import Answer, Loopback, Recorded, soon
from openai_host import openai_host

from onellm.cli.progress import Shown
from onellm.types.pipelines import PipelineProgress

Run = Callable[..., Awaitable[Ran]]
Start = Callable[..., Awaitable[asyncio.subprocess.Process]]

TEXTS = ["a", "bb", "ccc", "dddd", "eeeee"]  # the host's vectors begin with the lengths
SMALL = ("-m", "openai/text-embedding-3-small")


@pytest.fixture
def folder(openai_set: Path) -> Path:
    """Where OpenAI is configured, with TEXTS in files of every kind."""
    rows = [{"id": f"id{place}", "text": text, "other": place} for place, text in enumerate(TEXTS)]
    (openai_set / "docs.jsonl").write_text("\n\n".join(map(json.dumps, rows)))
    (openai_set / "texts.jsonl").write_text("\n".join(map(json.dumps, TEXTS)))
    (openai_set / "docs.txt").write_bytes("\r\n\n".join(TEXTS).encode())
    for suffix, delimiter in (("csv", ","), ("tsv", "\t")):
        with (openai_set / f"docs.{suffix}").open("w", newline="", encoding="utf-8-sig") as file:
            table = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
            table.writeheader()
            table.writerows(rows)
    return openai_set


def lines_of(name: str) -> list[Any]:
    return [json.loads(line) for line in Path(name).read_text().splitlines()]


def there(pattern: str) -> list[str]:
    """The files in the working directory that are called so."""
    return sorted(path.name for path in Path().glob(pattern))


def sent(host: Loopback) -> list[str]:
    return [text for request in host.requests for text in request.json["input"]]


# --- files in ---


@pytest.mark.parametrize("name", ["docs.jsonl", "texts.jsonl", "docs.csv", "docs.tsv", "docs.txt", "-"])
async def test_every_kind_of_file_is_read(name: str, folder: Path, onellm: Run, host: Loopback) -> None:
    """The field "text" of rows, or the whole line; blank lines are none."""
    stdin = (folder / "docs.txt").read_bytes() if name == "-" else b""
    ran = await onellm("embed", name, *SMALL, "-o", "out.jsonl", stdin=stdin)
    assert (ran.code, ran.out) == (0, "")
    assert sent(host) == TEXTS
    lines = lines_of("out.jsonl")
    assert [(line["id"], line["embedding"][0]) for line in lines] == [(n, n + 1.0) for n in range(5)]
    assert lines[0]["embedding"] == [1.0, 0.5, -0.25, 0.125, 1.0]
    total = "5" if name == "-" else "5 of 5"
    assert f"onellm: out.jsonl: {total} done" in ran.err
    assert there("out*") == ["out.jsonl"]


async def test_fields_and_ids_have_names(folder: Path, onellm: Run, host: Loopback) -> None:
    (folder / "x").write_text('{"body": "bb", "key": 7}\n{"body": "a", "key": "k"}\n')
    more = ("--field", "body", "--id-field", "key", "--input-format", "jsonl", "--dimensions", "3", "--batch-size", "1")
    ran = await onellm("embed", "x", *SMALL, *more, "-o", "out.jsonl")
    assert ran.code == 0
    lines = lines_of("out.jsonl")
    assert [(line["id"], line["embedding"][0]) for line in lines] == [(7, 2.0), ("k", 1.0)]
    assert sorted((request.json["input"], request.json["dimensions"]) for request in host.requests) == [
        (["a"], 3),
        (["bb"], 3),
    ]


@pytest.mark.usefixtures("folder")
async def test_a_field_that_is_not_there_is_named(onellm: Run, host: Loopback) -> None:
    ran = await onellm("embed", "docs.csv", *SMALL, "--field", "body", "-o", "out.jsonl")
    assert ran.code == 1
    assert "the first row has no 'body', but id, text, other: name the field with --field" in ran.err
    assert host.requests == []
    assert not there("out.jsonl*.part")


async def test_parquet_in_and_out(folder: Path, onellm: Run) -> None:
    require("pyarrow")
    pa, pq = import_module("pyarrow"), import_module("pyarrow.parquet")

    rows = [{"text": text, "id": f"id{place}"} for place, text in enumerate(["a", "", "ccc"])]
    pq.write_table(pa.Table.from_pylist(rows), "docs.parquet")
    ran = await onellm("embed", "docs.parquet", *SMALL, "--id-field", "id", "-o", "out.parquet", "--batch-size", "2")
    assert ran.code == 1
    table = pq.read_table("out.parquet")
    assert str(table.schema.field("vector").type) == "fixed_size_list<element: float>[5]"
    found = table.to_pylist()
    assert [(row["index"], row["id"]) for row in found] == [(0, "id0"), (1, "id1"), (2, "id2")]
    assert [row["vector"] and row["vector"][0] for row in found] == [1.0, None, 3.0]
    assert [row["error"] for row in found] == [None, "the text is empty", None]
    ran = await onellm("map", "docs.parquet", "-m", "openai/m", "--field", "text", "-o", "answers.parquet")
    assert ran.code == 0
    first = pq.read_table("answers.parquet").to_pylist()[0]
    assert (first["content"], first["finish_reason"], first["error"]) == ("You said: a", "stop", None)
    assert (folder / "answers.parquet").exists()


async def test_without_pyarrow_the_error_names_the_extra(
    folder: Path, onellm: Run, host: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    for command in ("embed", "map"):
        ran = await onellm(command, "docs.txt", "-m", "openai/m", "-o", "out.parquet")
        assert (ran.code, ran.err) == (1, 'onellm: Parquet needs pyarrow: pip install "onellm[pipeline]"\n')
    (folder / "docs.parquet").write_bytes(b"PAR1")
    ran = await onellm("embed", "docs.parquet", *SMALL, "-o", "out.npy")
    assert 'pip install "onellm[pipeline]"' in ran.err
    assert host.requests == []
    assert not there("out*")


# --- files out ---


@pytest.mark.parametrize("bad", [None, 0, 4])
async def test_a_file_of_numpy_s(bad: int | None, folder: Path, onellm: Run) -> None:
    """Row i is input i, of NaN where it failed; written without numpy, and numpy reads it."""
    texts = [json.dumps("" if place == bad else text) for place, text in enumerate(TEXTS)]
    (folder / "in.jsonl").write_text("\n".join(texts))
    ran = await onellm("embed", "in.jsonl", *SMALL, "-o", "out.npy", "--batch-size", "2", "--concurrency", "1")
    assert ran.code == (0 if bad is None else 1)
    matrix = np.load("out.npy", mmap_mode="r")
    assert (matrix.shape, matrix.dtype, matrix.flags.c_contiguous) == ((5, 5), np.dtype("<f4"), True)
    expected = [float("nan") if place == bad else place + 1.0 for place in range(5)]
    assert np.array_equal(matrix[:, 0], expected, equal_nan=True)
    assert struct.unpack("<H", (folder / "out.npy").read_bytes()[8:10]) == (118,)


async def test_failures_stand_at_their_places(folder: Path, onellm: Run) -> None:
    (folder / "in.jsonl").write_text('{"text": "a"}\n{"text": ""}\n{"txt": "b"}\n{"text": "cc"}\n')
    ran = await onellm("embed", "in.jsonl", *SMALL, "-o", "out.jsonl")
    assert ran.code == 1
    lines = lines_of("out.jsonl")
    assert [line.get("error") for line in lines] == [
        None,
        "the text is empty",
        "an input is a text or a list of token ids, not NoneType",
        None,
    ]
    assert "onellm: [1] 1: the text is empty\n" in ran.err
    assert "4 of 4 done" in ran.err
    assert "2 failed" in ran.err
    ran = await onellm("embed", "in.jsonl", *SMALL, "-o", "other.jsonl", "--on-error", "raise")
    assert (ran.code, "inputs[1]: the text is empty" in ran.err) == (1, True)
    assert not (folder / "other.jsonl").exists()


async def test_where_nothing_was_embedded_there_is_no_file(folder: Path, onellm: Run) -> None:
    (folder / "in.jsonl").write_text('""\n')
    ran = await onellm("embed", "in.jsonl", *SMALL, "-o", "out.npy")
    assert (ran.code, "no input was embedded" in ran.err) == (1, True)
    assert not there("out.npy*.part")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("embed", "nothing.jsonl", "-o", "o.npy"), "there is no file nothing.jsonl"),
        (("embed", "docs.txt", "-o", "o.csv"), "--output o.csv: its name must end in .jsonl or .npy or .parquet"),
        (("embed", "docs.txt", "-o", "no/o.npy"), "--output no/o.npy cannot be written: No such file or directory"),
        (("embed", "bad.jsonl", "-o", "o.npy"), "bad.jsonl, line 3: no JSON: "),
        (("map", "docs.txt", "-o", "o.npy"), "its name must end in .jsonl or .parquet"),
    ],
)
async def test_what_cannot_be_done_is_said(argv: tuple[str, ...], said: str, folder: Path, onellm: Run) -> None:
    (folder / "bad.jsonl").write_text('"a"\n\n{"text": \n')
    ran = await onellm(*argv, "-m", "openai/m")
    assert ran.code == 1
    assert said in ran.err
    assert not there("o.*part")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("embed", "a", "b", "-o", "o.npy"), "with --output, give one file of texts"),
        (("embed", "a", "-o", "o.npy", "--json"), "name the --output with .jsonl"),
        (("embed", "a", "--resume"), "--resume is for files: give --output, too"),
        (("embed", "a", "--id-field", "x"), "--id-field is for files"),
        (("map", "a"), "required: -o/--output"),
    ],
)
@pytest.mark.usefixtures("folder")
async def test_misuse(argv: tuple[str, ...], said: str, onellm: Run) -> None:
    ran = await onellm(*argv)
    assert ran.code == 2
    assert said in ran.err


# --- stopped, and gone on with ---


@pytest.mark.usefixtures("folder")
async def test_a_run_that_ended_goes_on(onellm: Run, host: Loopback) -> None:
    """With --resume, and without it a checkpoint that is there is not passed over; when all is done it is deleted."""
    host.chooses(lambda request: Answer(status=401) if "ccc" in request.json["input"] else openai_host(request))
    ask = ("embed", "docs.jsonl", *SMALL, "-o", "out.npy", "--batch-size", "1", "--concurrency", "1")
    ran = await onellm(*ask)
    assert ran.code == 1
    assert "onellm: ended after 2 of 5; the same command with --resume goes on from there\n" in ran.err
    assert there("out*") == ["out.npy.checkpoint"]
    assert sent(host) == TEXTS[:3]
    host.requests.clear()
    host.chooses(openai_host)
    ran = await onellm(*ask)
    assert "out.npy.checkpoint is there, of a run that did not end: --resume goes on with it" in ran.err
    assert host.requests == []
    ran = await onellm(*ask, "--resume")
    assert ran.code == 0
    assert "2 from the checkpoint" in ran.err
    assert sent(host) == TEXTS[2:]
    assert np.load("out.npy")[:, 0].tolist() == [1, 2, 3, 4, 5]
    assert there("out*") == ["out.npy"]
    host.requests.clear()
    assert await onellm(*ask, "--resume") == Ran(0, "", "onellm: out.npy is finished; delete it to begin anew\n")
    assert host.requests == []


@pytest.mark.usefixtures("folder")
async def test_a_run_that_did_nothing_leaves_nothing(onellm: Run) -> None:
    """So that the command can be put right and given again. What was done before stays."""
    wrong = await onellm("embed", "docs.jsonl", *SMALL, "-o", "out.npy", "--field", "body")
    assert wrong.code == 1
    assert wrong.err.count("\n") == 1
    assert "the first row has no 'body', but id, text, other: name the field with --field" in wrong.err
    assert there("out*") == []
    own = await onellm("embed", "docs.jsonl", *SMALL, "-o", "out.npy", "--field", "body", "--checkpoint", "run.sqlite")
    assert (own.code, there("run*")) == (1, ["run.sqlite"])
    assert (await onellm("embed", "docs.jsonl", *SMALL, "-o", "out.npy")).code == 0


@pytest.mark.usefixtures("folder")
async def test_a_checkpoint_of_one_s_own_stays(onellm: Run, host: Loopback) -> None:
    ask = ("embed", "docs.txt", *SMALL, "--checkpoint", "run.sqlite")
    assert (await onellm(*ask, "-o", "out.npy")).code == 0
    host.requests.clear()
    assert (await onellm(*ask, "-o", "out.jsonl", "--resume")).code == 0
    assert host.requests == []
    assert len(lines_of("out.jsonl")) == 5


@pytest.mark.usefixtures("folder")
async def test_ctrl_c_stops_it_and_says_how_to_go_on(start: Start, host: Loopback) -> None:
    """The file that was begun goes; what was paid for stays in the checkpoint."""
    host.chooses(
        lambda request: Answer(cut="stall", head=False) if "ccc" in request.json["input"] else openai_host(request)
    )
    ask = ("embed", "docs.jsonl", *SMALL, "-o", "out.npy", "--batch-size", "1", "--concurrency", "1")
    process = await start(*ask)
    await soon(host.wait_for_requests(3))
    process.send_signal(signal.SIGINT)
    _, err = await soon(process.communicate())
    assert process.returncode == 130
    assert re.search(
        "onellm: stopped after [12] of 5; the same command with --resume goes on from there\n", err.decode()
    )
    assert "Traceback" not in err.decode()
    assert there("out*") == ["out.npy.checkpoint"]
    host.chooses(openai_host)
    process = await start(*ask, "--resume")
    _, err = await soon(process.communicate())
    assert process.returncode == 0, err
    assert sent(host) == [*TEXTS[:3], *TEXTS[2:]]
    assert np.load("out.npy")[:, 0].tolist() == [1, 2, 3, 4, 5]


# --- progress ---


async def test_a_bar_on_a_terminal(folder: Path, terminal: Callable[..., Awaitable[Terminal]]) -> None:
    require("tqdm")
    opened = await terminal("embed", "docs.jsonl", *SMALL, "-o", "out.npy")
    await opened.expect("5/5")
    await opened.expect("out.npy: 5 of 5 done")
    assert await opened.wait() == 0
    assert (folder / "out.npy").exists()


def test_a_line_says_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rate, tokens, cost, failures, and the time that is left; what came from a checkpoint was not work."""
    progress = PipelineProgress(done=0)
    now = 100.0
    shown = Shown(progress, 1_000_000, "openai/text-embedding-3-small", lambda: now)
    progress.done, progress.resumed, progress.failed, progress.prompt_tokens = 300_000, 100_000, 4, 5_000_000
    now = 200.0
    assert shown.line() == (
        "300,000 of 1,000,000 done, 2,000 a second, 5,000,000 tokens, $0.1000, 100,000 from the checkpoint, "
        "4 failed, 0:05:50 left"
    )
    monkeypatch.setitem(__import__("sys").modules, "genai_prices", None)
    unpriced = Shown(PipelineProgress(done=3, prompt_tokens=1, completion_tokens=2), None, "openai/m", lambda: now)
    assert unpriced.line() == "3 done, 3 tokens"


def test_lines_come_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    times = [0.0]
    progress = PipelineProgress()
    shown = Shown(progress, None, "openai/m", lambda: times[-1])
    for time in (1.0, 9.0, 10.0, 11.0, 19.0, 20.5):
        times.append(time)
        progress.done += 10
        shown.update()
    shown.close()
    assert capsys.readouterr().err == "onellm: 30 done, 3 a second\nonellm: 60 done, 3 a second\n"


# --- map ---


async def test_map_answers_rows_of_every_kind(folder: Path, onellm: Run, host: Loopback) -> None:
    """Prompts, requests as `create` takes them, lines of a batch's file."""
    rows: list[Any] = [
        {"prompt": "one"},
        {"messages": [{"role": "user", "content": "two"}], "temperature": 0.25},
        {
            "custom_id": "c",
            "method": "POST",
            "url": "/v1",
            "body": {"model": "x", "messages": [{"role": "user", "content": "three"}]},
        },
        "four",
        {"prompt": ""},
        {"custom_id": "f", "messages": [{"role": "user", "content": "five"}]},
    ]
    (folder / "in.jsonl").write_text("\n".join(map(json.dumps, rows)))
    ran = await onellm(
        "map",
        "in.jsonl",
        "-m",
        "openai/m",
        "-o",
        "out.jsonl",
        "-s",
        "Be brief.",
        "--max-tokens",
        "9",
        "--temperature",
        "1",
    )
    assert ran.code == 0, ran.err
    lines = lines_of("out.jsonl")
    assert [(line["id"], line["content"]) for line in lines] == [
        (0, "You said: one"),
        (1, "You said: two"),
        ("c", "You said: three"),
        (3, "You said: four"),
        (4, "You said: "),
        ("f", "You said: five"),
    ]
    assert lines[0]["response"]["choices"][0]["message"]["content"] == "You said: one"
    asked = {request.json["messages"][-1]["content"]: request.json for request in host.requests}
    assert [len(asked[text]["messages"]) for text in ("one", "two", "three", "four")] == [2, 1, 1, 2]
    assert [asked[text]["temperature"] for text in ("one", "two")] == [1, 0.25]
    assert {request.json["model"] for request in host.requests} == {"m"}


@pytest.mark.usefixtures("folder")
async def test_map_in_batches(onellm: Run, host: Loopback) -> None:
    sent_lines: list[Any] = []

    def choose(request: Recorded) -> Answer:
        if request.path.endswith("/files"):
            sent_lines.extend(json.loads(line) for line in files(request)[0][3].splitlines())
        if request.path.endswith("/content"):
            body = {"id": "1", "choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"}}]}
            lines = [{"custom_id": str(place), "response": {"status_code": 200, "body": body}} for place in range(5)]
            return Answer(chunks=["\n".join(map(json.dumps, lines))])
        return openai_host(request)

    host.chooses(choose)
    ran = await onellm("map", "docs.txt", "-m", "openai/m", "-o", "out.jsonl", "--mode", "batch", "--id-field", "id")
    assert ran.code == 0, ran.err
    assert [line["body"]["messages"][0]["content"] for line in sent_lines] == TEXTS
    assert [line["content"] for line in lines_of("out.jsonl")] == ["ok"] * 5


@pytest.mark.usefixtures("folder")
async def test_map_goes_on(onellm: Run, host: Loopback) -> None:
    def choose(request: Recorded) -> Answer:
        text = request.json["messages"][-1]["content"]
        return Answer(status=401) if text == "ccc" else openai_host(request)

    host.chooses(choose)
    ask = ("map", "docs.txt", "-m", "openai/m", "-o", "out.jsonl", "--concurrency", "1")
    assert (await onellm(*ask)).code == 1
    host.chooses(openai_host)
    host.requests.clear()
    assert (await onellm(*ask, "--resume")).code == 0
    assert [request.json["messages"][-1]["content"] for request in host.requests] == TEXTS[2:]
    lines = lines_of("out.jsonl")
    assert [line["content"] for line in lines] == [f"You said: {text}" for text in TEXTS]
