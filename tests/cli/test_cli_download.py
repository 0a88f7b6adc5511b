"""`onellm download` over a real socket: what breaks goes on, what is wrong does not stay."""

import hashlib
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from command_line import Ran, Terminal
from loopback import Answer, Loopback, Recorded
from model_files import DIGEST, HALF, MODEL, Host, left

Run = Callable[..., Awaitable[Ran]]


async def test_file_is_fetched_and_its_path_is_the_output(onellm: Run, nothing_set: Path, files: Host) -> None:
    """No bar where nobody looks; nothing but the file stays."""
    ran = await onellm("download", files.url)
    path = nothing_set / "tiny.gguf"
    assert (ran.code, ran.out) == (0, f"{path}\n")
    assert ran.err == f"onellm: ask it with: onellm chat -m llama_cpp/{path}\n"
    assert left(nothing_set) == {"tiny.gguf": MODEL}
    (request,) = files.server.requests
    assert (request.method, request.headers["accept-encoding"]) == ("GET", "identity")
    assert "range" not in request.headers


@pytest.mark.parametrize("cut", ["close", "reset"])
async def test_broken_connection_goes_on_where_it_broke(onellm: Run, nothing_set: Path, files: Host, cut: str) -> None:
    """Twice, within one command; the hash is that of the whole."""
    files.cuts = [cut, cut]
    assert (await onellm("download", files.url)).code == 0
    assert left(nothing_set) == {"tiny.gguf": MODEL}
    begins = [int(r.headers["range"].removeprefix("bytes=").removesuffix("-")) for r in files.server.requests[1:]]
    assert len(begins) == 2
    assert 0 < begins[0] <= HALF
    assert begins[0] < begins[1] < len(MODEL)


async def test_what_has_come_stays_for_the_next_command(
    onellm: Run, nothing_set: Path, files: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONELLM_MAX_RETRIES", "0")
    files.cuts = ["close"]
    broken = await onellm("download", files.url)
    part = nothing_set / "tiny.gguf.part"
    assert (broken.code, broken.out) == (1, "")
    assert f"are in {part}: the same command goes on from there" in broken.err
    had = len(part.read_bytes())
    assert had > 0
    assert (await onellm("download", files.url)).code == 0
    assert files.server.requests[1].headers["range"] == f"bytes={had}-"
    assert left(nothing_set) == {"tiny.gguf": MODEL}


async def test_beginning_of_another_version_does_not_go_on(
    onellm: Run, nothing_set: Path, files: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host has a new file under the same name: two halves of two files are no file."""
    monkeypatch.setenv("ONELLM_MAX_RETRIES", "0")
    files.cuts = ["close"]
    assert (await onellm("download", files.url)).code == 1
    files.content = b"GGUF" + bytes(len(MODEL) - 4)
    files.etag = f'"{hashlib.sha256(files.content).hexdigest()}"'
    assert (await onellm("download", files.url)).code == 0
    assert left(nothing_set) == {"tiny.gguf": files.content}
    assert ["range" in request.headers for request in files.server.requests] == [False, True, False]


async def test_server_without_ranges_sends_all_again(onellm: Run, nothing_set: Path, files: Host) -> None:
    files.ranges = False
    files.cuts = ["close"]
    assert (await onellm("download", files.url)).code == 0
    assert left(nothing_set) == {"tiny.gguf": MODEL}
    assert "range" in files.server.requests[1].headers


async def test_without_a_tag_only_a_hash_lets_it_go_on(onellm: Run, nothing_set: Path, files: Host) -> None:
    """Nothing else says that both halves are of one file."""
    files.etag = ""
    files.cuts = ["close"]
    assert (await onellm("download", files.url, "--sha256", DIGEST)).code == 0
    assert len(files.server.requests) == 2
    (nothing_set / "tiny.gguf").unlink()
    files.cuts = ["close"]
    assert (await onellm("download", files.url)).code == 0
    assert [request.headers.get("range", "") != "" for request in files.server.requests[2:]] == [False, True, False]
    assert left(nothing_set) == {"tiny.gguf": MODEL}


async def test_part_that_is_whole_is_finished(
    onellm: Run, nothing_set: Path, files: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a crash between the last byte and the new name; the host has nothing beyond it (416)."""
    monkeypatch.setenv("ONELLM_MAX_RETRIES", "0")
    files.cuts = ["close"]
    assert (await onellm("download", files.url)).code == 1
    (nothing_set / "tiny.gguf.part").write_bytes(MODEL)
    assert (await onellm("download", files.url)).code == 0
    assert left(nothing_set) == {"tiny.gguf": MODEL}
    assert len(files.server.requests) == 3


PART = "big-00001-of-00003.gguf"


def in_parts(files: Host) -> str:
    """The URL of the first of three files, which the host keeps."""
    names = [f"big-0000{number}-of-00003.gguf" for number in (1, 2, 3)]
    kept = {f"/models/{name}": b"GGUF" + name.encode() for name in names}

    def choose(request: Recorded) -> Answer:
        content = kept.get(request.path)
        return Answer(status=404, chunks=["no"]) if content is None else Answer(chunks=[content])

    files.server.chooses(choose)
    return f"{files.server.url}/models/{PART}"


async def test_all_parts_of_a_model_are_fetched(onellm: Run, nothing_set: Path, files: Host) -> None:
    """Where its first is named; another of them is a file as any."""
    url = in_parts(files)
    (nothing_set / "models").mkdir()
    ran = await onellm("download", f"{url}?download=true", "-o", "models")
    names = [f"big-0000{number}-of-00003.gguf" for number in (1, 2, 3)]
    paths = [nothing_set / "models" / name for name in names]
    assert (ran.code, ran.out.split()) == (0, [str(path) for path in paths])
    assert ran.err == f"onellm: ask it with: onellm chat -m llama_cpp/{paths[0]}\n"
    assert left(nothing_set / "models") == {name: b"GGUF" + name.encode() for name in names}
    assert {request.query["download"] for request in files.server.requests} == {"true"}
    assert (await onellm("download", url.replace("-00001-", "-00002-"))).code == 0
    assert (nothing_set / names[1]).exists()
    assert len(files.server.requests) == 4


async def test_parts_keep_their_names(onellm: Run, nothing_set: Path, files: Host) -> None:
    """The engine finds them by these; and a hash is of one file."""
    url = in_parts(files)
    ran = await onellm("download", url, "-o", "one.gguf")
    assert (ran.code, "give a folder" in ran.err) == (2, True)
    ran = await onellm("download", url, "--sha256", DIGEST)
    assert (ran.code, "a model in 3" in ran.err) == (2, True)
    assert (files.server.requests, left(nothing_set)) == ([], {})


@pytest.mark.parametrize("said_by", ["host", "caller"])
async def test_wrong_hash_leaves_nothing(onellm: Run, nothing_set: Path, files: Host, said_by: str) -> None:
    """Broken bytes are not tried again, and do not stay as a beginning."""
    files.etag = f'"{"0" * 64}"' if said_by == "host" else '"v1"'
    ran = await onellm("download", files.url, *(() if said_by == "host" else ("--sha256", "0" * 64)))
    assert ran.code == 1
    assert f"its SHA-256 is {DIGEST}, not {'0' * 64}; it was deleted" in ran.err
    assert left(nothing_set) == {}
    assert len(files.server.requests) == 1


async def test_hash_that_the_host_contradicts_fetches_nothing(onellm: Run, nothing_set: Path, files: Host) -> None:
    ran = await onellm("download", files.url, "--sha256", "0" * 64)
    assert ran.code == 1
    assert "nothing was fetched" in ran.err
    assert left(nothing_set) == {}


async def test_what_is_there_already_is_compared_and_never_overwritten(
    onellm: Run, nothing_set: Path, files: Host
) -> None:
    """The same file is fine; another one, or one that cannot be compared, is refused."""
    path = nothing_set / "tiny.gguf"
    path.write_bytes(MODEL)
    assert (await onellm("download", files.url)).out == f"{path}\n"
    path.write_bytes(b"GGUF mine")
    ran = await onellm("download", files.url)
    assert (ran.code, ran.out) == (1, "")
    assert "is there already and is not overwritten: it has 9 bytes" in ran.err
    path.write_bytes(MODEL[::-1])
    assert "its SHA-256 is not" in (await onellm("download", files.url)).err
    files.etag = ""
    assert "cannot be compared" in (await onellm("download", files.url)).err
    assert left(nothing_set) == {"tiny.gguf": MODEL[::-1]}


async def test_page_is_no_model(onellm: Run, nothing_set: Path, files: Host) -> None:
    """A page about logging in comes with status 200 too."""
    files.server.plays(Answer(chunks=[b"<", b"html>"], content_type="text/html"))
    ran = await onellm("download", files.url)
    assert (ran.code, left(nothing_set)) == (1, {})
    assert "not a GGUF file" in ran.err


@pytest.mark.parametrize(("status", "says"), [(401, "401"), (404, "404")])
async def test_refusal_is_told(onellm: Run, nothing_set: Path, files: Host, status: int, says: str) -> None:
    files.server.plays(Answer(status=status, chunks=[b"Entry not found"], content_type="text/plain"))
    ran = await onellm("download", files.url)
    assert (ran.code, left(nothing_set)) == (1, {})
    assert "Entry not found" in ran.err or says in ran.err
    assert len(files.server.requests) == 1


async def test_hub_sends_on_and_its_key_stays_behind(
    onellm: Run, nothing_set: Path, monkeypatch: pytest.MonkeyPatch, files: Host
) -> None:
    """The key goes to the hub, not to the host that it names; what the hub says of the file is what counts."""
    async with Loopback() as hub:
        there = f"{files.server.url}/blob/1?signature=s"
        linked = {"X-Linked-ETag": f'"{DIGEST}"', "X-Linked-Size": str(len(MODEL)), "Location": there}
        hub.plays(
            Answer(status=307, headers={"Location": "/moved/tiny.gguf"}, length=0),
            Answer(status=302, headers=linked, length=0),
        )
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_TOKEN", "hf_secret")
        ran = await onellm("download", "hf:owner/repo@v1/sub/tiny.gguf", "-o", "models.gguf")
    assert (ran.code, left(nothing_set)) == (0, {"models.gguf": MODEL})
    assert [request.path for request in hub.requests] == ["/owner/repo/resolve/v1/sub/tiny.gguf", "/moved/tiny.gguf"]
    assert [request.headers["authorization"] for request in hub.requests] == ["Bearer hf_secret"] * 2
    (request,) = files.server.requests
    assert request.target == "/blob/1?signature=s"
    assert "authorization" not in request.headers


async def test_key_of_the_hub_goes_to_no_url(
    onellm: Run, monkeypatch: pytest.MonkeyPatch, files: Host, nothing_set: Path
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert (await onellm("download", files.url)).code == 0
    assert "authorization" not in files.server.requests[0].headers
    assert left(nothing_set) == {"tiny.gguf": MODEL}


@pytest.mark.parametrize("where", ["/models/tiny.gguf", "ftp://example.com/x", "http://u:p@127.0.0.1/x", ""])
async def test_redirect_to_nowhere_is_not_followed(onellm: Run, nothing_set: Path, files: Host, where: str) -> None:
    files.server.plays(Answer(status=302, headers={"Location": where}, length=0))
    ran = await onellm("download", files.url)
    assert (ran.code, left(nothing_set), len(files.server.requests)) == (1, {}, 1)
    assert "redirects to nowhere" in ran.err


async def test_redirects_end(onellm: Run, nothing_set: Path, files: Host) -> None:
    files.server.chooses(
        lambda request: Answer(status=302, headers={"Location": f"{request.path}+"}, length=0),
    )
    ran = await onellm("download", files.url)
    assert (ran.code, left(nothing_set), len(files.server.requests)) == (1, {}, 6)
    assert "more than 5 redirects" in ran.err


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("tiny.gguf",), "give the URL of a .gguf file, or hf:owner/repo/file.gguf"),
        (("hf:owner/repo",), "write hf:owner/repo/file.gguf"),
        (("hf:owner/repo/../../x.gguf",), "write hf:owner/repo/file.gguf"),
        (("http://example.com/tiny.gguf",), "give the https:// URL"),
        (("https://example.com/",), "give one with -o"),
        (("https://example.com/a.gguf", "-o", "no/such/folder/"), "is no folder to write into"),
    ],
)
async def test_wrong_source_or_target_says_what_to_give(
    onellm: Run, nothing_set: Path, argv: tuple[str, ...], says: str
) -> None:
    ran = await onellm("download", *argv)
    assert (ran.code, left(nothing_set)) == (1, {})
    assert says in ran.err


async def test_wrong_digest_is_misuse(onellm: Run, nothing_set: Path) -> None:
    ran = await onellm("download", "https://example.com/a.gguf", "--sha256", "abc")
    assert (ran.code, left(nothing_set)) == (2, {})


async def test_interrupted_download_leaves_a_beginning_that_goes_on(
    terminal: Callable[..., Awaitable[Terminal]],
    onellm: Run,
    nothing_set: Path,
    files: Host,
) -> None:
    """On a terminal there is a bar; Ctrl-C ends it, says what is there, and the next command fetches the rest."""
    files.cuts = ["stall"]
    opened = await terminal("download", files.url)
    await opened.expect("tiny.gguf  [############            ]  50%  51.2 kB of 102.4 kB")
    opened.type("\x03")
    await opened.expect("51.2 kB are in")
    assert await opened.wait() == 128 + signal.SIGINT
    assert left(nothing_set)["tiny.gguf.part"] == MODEL[:HALF]
    assert (await onellm("download", files.url)).code == 0
    assert files.server.requests[1].headers["range"] == f"bytes={HALF}-"
    assert left(nothing_set) == {"tiny.gguf": MODEL}
