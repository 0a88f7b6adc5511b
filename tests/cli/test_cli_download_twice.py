"""`onellm download` of one file by two at once: one fetches, the other waits."""

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from command_line import Ran
from loopback import Answer, Recorded, soon
from model_files import DIGEST, HALF, MODEL, Host, left

from onellm.cli._lock import FileLock

Run = Callable[..., Awaitable[Ran]]
Start = Callable[..., Awaitable[asyncio.subprocess.Process]]


class Held:
    """The host's answers, of which the first stops in its middle until it is let go."""

    def __init__(self, files: Host) -> None:
        self.go = asyncio.Event()
        self._files = files
        files.server.chooses(self)

    def __call__(self, request: Recorded) -> Answer:
        answer = self._files(request)
        if len(self._files.server.requests) == 1:
            (whole,) = answer.chunks
            answer.chunks, answer.pause = [whole[:HALF], whole[HALF:]], {1: self.go.wait}
        return answer


async def line(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    return (await soon(process.stderr.readline())).decode()


@pytest.mark.parametrize("hashed", [True, False])
async def test_the_second_waits_and_finds_the_file(start: Start, nothing_set: Path, files: Host, hashed: bool) -> None:
    """It says for whom it waits, and fetches nothing of its own; what is there then is compared, as at any time."""
    held = Held(files)
    files.etag = files.etag if hashed else '"v1"'
    first = await start("download", files.url)
    await soon(files.server.wait_for_requests(1))
    second = await start("download", files.url)
    assert await line(second) == f"onellm: process {first.pid} is fetching tiny.gguf already: waiting for it to end\n"
    assert len(files.server.requests) == 1
    held.go.set()
    assert await soon(first.wait()) == 0
    out, err = await soon(second.communicate())
    if hashed:
        assert (second.returncode, out.decode()) == (0, f"{nothing_set / 'tiny.gguf'}\n")
    else:
        assert second.returncode == 1
        assert "cannot be compared" in err.decode()
    assert left(nothing_set) == {"tiny.gguf": MODEL}


async def test_who_was_killed_holds_up_nobody(start: Start, onellm: Run, nothing_set: Path, files: Host) -> None:
    """The lock's file stays, and locks nothing; the next command goes on from what is there."""
    Held(files)
    first = await start("download", files.url)
    await soon(files.server.wait_for_requests(1))
    first.kill()
    await soon(first.wait())
    assert left(nothing_set)["tiny.gguf.part.lock"] == b"%d" % first.pid
    ran = await soon(onellm("download", files.url))
    assert (ran.code, "waiting" in ran.err) == (0, False)
    assert left(nothing_set) == {"tiny.gguf": MODEL}


async def test_two_files_do_not_wait_for_each_other(start: Start, onellm: Run, nothing_set: Path, files: Host) -> None:
    held = Held(files)
    first = await start("download", files.url)
    await soon(files.server.wait_for_requests(1))
    assert (await soon(onellm("download", files.url, "-o", "other.gguf", "--sha256", DIGEST))).code == 0
    held.go.set()
    assert await soon(first.wait()) == 0
    assert left(nothing_set) == {"tiny.gguf": MODEL, "other.gguf": MODEL}


def test_one_at_a_time_also_in_one_process(tmp_path: Path) -> None:
    """And whoever comes after it was given back has it, in a file of its own."""
    path = tmp_path / "a.lock"
    one, two = FileLock(path), FileLock(path)
    assert one.take()
    assert not two.take()
    assert two.owner() == os.getpid()
    one.release()
    assert not path.exists()
    one.release()  # which it has not
    assert two.take()
    assert not one.take()
    two.release()


@pytest.mark.parametrize("content", [b"", b"99999999", b"not a number"])
def test_a_file_that_was_left_locks_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.lock"
    path.write_bytes(content)
    lock = FileLock(path)
    assert lock.take()
    assert lock.owner() == os.getpid()
    lock.release()


def test_a_lock_on_a_file_that_was_deleted_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who opened it before its owner deleted it does not share the file with who comes after."""
    path = tmp_path / "a.lock"
    lock, deleted = FileLock(path), list[bool]()
    looked = FileLock._try

    def then_deleted(descriptor: int) -> bool:
        found = looked(descriptor)
        if not deleted:
            deleted.append(True)
            path.unlink()
        return found

    monkeypatch.setattr(FileLock, "_try", staticmethod(then_deleted))
    assert lock.take()
    assert path.exists()
    assert not FileLock(path).take()
    lock.release()


def test_a_file_system_without_locks_gives_it_to_everybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it was before there was a lock: no download fails for want of one."""

    def unsupported(_: int) -> None:
        raise OSError(errno.ENOTSUP, "no locks here")

    monkeypatch.setattr("onellm.cli._lock._lock", unsupported)
    locks = [FileLock(tmp_path / "a.lock") for _ in range(2)]
    assert [lock.take() for lock in locks] == [True, True]
    for lock in locks:
        lock.release()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_takes_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="gone"):
        FileLock(tmp_path / "gone" / "a.lock").take()


async def test_an_error_gives_it_back(onellm: Run, nothing_set: Path, files: Host) -> None:
    files.content = b"<html>not a model</html>"
    assert (await onellm("download", files.url)).code == 1
    assert left(nothing_set) == {}
