"""`onellm talk`: a recording and its answer, and a conversation by scripted devices."""

import asyncio
import base64
import signal
import struct
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest
from command_line import ROOT, Ran, require
from realtime_server import Peer, RealtimeServer, ready, response_created, response_done
from voice_host import committed, echoes, hear, interrupts, say_much, spoken

from onellm import WavReader, WavWriter

Run = Callable[..., Awaitable[Ran]]
Start = Callable[..., Awaitable[asyncio.subprocess.Process]]

RATE = 24_000
QUESTION = struct.pack("<4800h", *range(4800))  # 0.2 s


@pytest.fixture
async def server(nothing_set: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RealtimeServer]:
    """OpenAI, where `question.wav` is in the working directory."""
    async with RealtimeServer() as server:
        server.plays(echoes)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        record(nothing_set / "question.wav", QUESTION)
        (nothing_set / "words.txt").write_text("Hello")
        yield server


def record(file: Path, pcm: bytes, rate: int = RATE) -> None:
    with WavWriter(file, rate) as recording:
        recording.write(pcm)


def sound_of(file: str) -> bytes:
    with WavReader(file) as recording:
        assert recording.rate == RATE
        return b"".join(recording.pieces())


def text_of(file: str) -> str:
    return Path(file).read_text("utf-8")


async def test_a_recording_is_answered_in_a_file(onellm: Run, server: RealtimeServer) -> None:
    """All of it is sent as one turn; sound and words of the answer are written; the words of the question came late."""
    ran = await onellm(
        *("talk", "--input", "question.wav", "--output", "answer.wav", "--transcript", "words.txt"),
        *("--voice", "marin", "--instructions", "Be brief"),
    )
    words = "you: What did I say?\nmodel: I heard "
    assert (ran.code, ran.err) == (0, "onellm: answer.wav: 0.2 s\n")
    assert ran.out.startswith(words)
    assert text_of("words.txt") == ran.out
    assert sound_of("answer.wav") == QUESTION
    peer = server.peer
    assert (peer.path, peer.query) == ("/v1/realtime", {"model": "gpt-realtime"})
    assert peer.headers["authorization"] == "Bearer sk-1"
    session = peer.received[0]["session"]
    assert session["instructions"] == "Be brief"
    assert session["audio"]["output"]["voice"] == "marin"
    assert session["audio"]["input"]["turn_detection"] is None
    assert [event["type"] for event in peer.received[1:]] == [
        *["input_audio_buffer.append"] * 2,
        "input_audio_buffer.commit",
        "response.create",
    ]


async def test_a_recording_at_another_rate_is_converted(onellm: Run, server: RealtimeServer) -> None:
    """8,000 samples a second, two channels of 8 bits; the answer is at the provider's rate."""
    require("soxr", "numpy")
    with wave.open("question.wav", "wb") as file:
        file.setparams((2, 1, 8000, 0, "NONE", ""))
        file.writeframes(b"\x90\x70" * 4000)
    ran = await onellm("talk", "-m", "openai/other", "--input", "question.wav", "--output", "answer.wav")
    assert (ran.code, ran.err) == (0, "onellm: answer.wav: 0.5 s\n")
    assert server.peer.query == {"model": "other"}
    heard = b"".join(base64.b64decode(event["audio"]) for event in server.peer.received if "audio" in event)
    assert len(heard) == RATE


async def test_an_answer_in_text_is_shown(onellm: Run, server: RealtimeServer) -> None:
    """And where nobody writes the question down, there is no line for it."""

    async def script(peer: Peer) -> None:
        await ready(peer)
        await hear(peer)
        text = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0}
        peer.send(
            response_created(),
            {"type": "response.output_text.done", "text": "Two\nlines", **text},
            response_done(),
        )

    server.plays(script)
    ran = await onellm("talk", "--input", "question.wav", "--output", "answer.wav")
    assert (ran.code, ran.out) == (0, "model: Two lines\n")
    assert sound_of("answer.wav") == b""


async def test_words_that_do_not_come_are_not_waited_for_long(
    onellm: Run, server: RealtimeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is there, and so is the end of it."""

    async def script(peer: Peer) -> None:
        await ready(peer)
        heard = await hear(peer)
        peer.send(committed(), response_created(), *spoken(heard, "Yes."), response_done())

    monkeypatch.setattr("onellm.cli.talk._LATE", 0.05)
    server.plays(script)
    ran = await onellm("talk", "--input", "question.wav", "--output", "answer.wav")
    assert ran == Ran(0, "model: Yes.\n", "onellm: answer.wav: 0.2 s\n")


async def refused(peer: Peer) -> None:
    await ready(peer)
    await hear(peer)
    peer.send({"type": "error", "error": {"type": "invalid_request_error", "code": "no", "message": "Not that."}})


async def failed(peer: Peer) -> None:
    await ready(peer)
    await hear(peer)
    error = {"type": "server_error", "message": "It broke."}
    peer.send(response_created(), response_done(status="failed", status_details={"type": "failed", "error": error}))


async def ended(peer: Peer) -> None:
    await ready(peer)
    await hear(peer)
    await peer.close(1000)


async def lost(peer: Peer) -> None:
    await ready(peer)
    await hear(peer)
    peer.reset()


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (refused, "Not that."),
        (failed, "It broke."),
        (ended, "the session was ended before the answer"),
        (lost, "1006"),
    ],
)
async def test_no_answer_is_an_error(
    script: Callable[[Peer], Awaitable[None]], says: str, onellm: Run, server: RealtimeServer
) -> None:
    """One line; what there is of the answer is a WAV file all the same."""
    server.plays(script)
    ran = await onellm("talk", "--input", "question.wav", "--output", "answer.wav")
    assert (ran.code, ran.out) == (1, "")
    assert says in ran.err.splitlines()[-1]
    assert sound_of("answer.wav") == b""


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("--output", "answer.wav"), "--output needs --input"),
        (("--input", "none.wav", "--output", "answer.wav"), "none.wav cannot be read: No such file or directory"),
        (("--input", "words.txt", "--output", "answer.wav"), "words.txt is no WAV file of whole-number samples"),
        (("--input", "empty.wav", "--output", "answer.wav"), "empty.wav has no sound in it"),
        (("--input", "question.wav", "--output", "no/answer.wav"), "no/answer.wav cannot be written: No such file"),
        (("--transcript", "."), ". cannot be written: Is a directory"),
    ],
)
async def test_what_cannot_be_is_said_at_once(
    argv: tuple[str, ...], says: str, onellm: Run, server: RealtimeServer
) -> None:
    """Before anything is sent."""
    record(Path("empty.wav"), b"")
    ran = await onellm("talk", *argv)
    assert ran.code == (2 if "--output" in argv[:1] else 1)
    assert says in ran.err
    assert not server.peers


async def test_a_provider_without_realtime_names_those_that_have_it(
    onellm: Run, server: RealtimeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "gsk-1")
    ran = await onellm("talk", "-m", "groq/llama", "--input", "question.wav", "--output", "answer.wav")
    assert ran.code == 1
    assert "groq does not serve realtime; " in ran.err
    assert "openai" in ran.err
    assert not server.peers


@pytest.mark.usefixtures("nothing_set")
async def test_a_key_that_is_missing_is_named(onellm: Run, tmp_path: Path) -> None:
    record(tmp_path / "q.wav", QUESTION)
    ran = await onellm("talk", "--input", str(tmp_path / "q.wav"), "--output", "answer.wav")
    assert ran.code == 1
    assert "OPENAI_API_KEY" in ran.err


@pytest.mark.usefixtures("nothing_set")
async def test_a_default_provider_without_a_usual_model_needs_one_named(
    onellm: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONELLM_DEFAULT_PROVIDER", "groq")
    ran = await onellm("talk")
    assert (ran.code, ran.err) == (1, "onellm: name a model, --model groq/…; `onellm models groq` lists them\n")


# --- with a microphone and a loudspeaker, in a process of its own -------------------------------------------------


@pytest.fixture
def devices(monkeypatch: pytest.MonkeyPatch, nothing_set: Path) -> Path:
    """A machine whose microphone hears some words and then silence; gives the file of what the loudspeaker plays."""
    require("soxr", "numpy")
    (nothing_set / "heard.pcm").write_bytes(b"\x01\x10" * 8000)
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{ROOT / 'tests' / 'scripted_sound'}")
    monkeypatch.setenv("SCRIPTED_MICROPHONE", str(nothing_set / "heard.pcm"))
    monkeypatch.setenv("SCRIPTED_SPEAKER", str(nothing_set / "played.pcm"))
    return nothing_set / "played.pcm"


def bytes_of(file: Path) -> bytes:
    """The file's content; b"" where it is not there."""
    return file.read_bytes() if file.exists() else b""


async def test_who_speaks_over_the_model_stops_it(start: Start, server: RealtimeServer, devices: Path) -> None:
    """The sound ends, and the model is told how much of it was heard; the rest of the session goes on."""
    heard: list[int] = []

    async def script(peer: Peer) -> None:
        heard.append(await interrupts(peer))
        assert 0 < heard[0] < 10_000
        await peer.expect(*["input_audio_buffer.append"] * 25)  # a second without a sound
        await peer.close(1000)

    server.plays(script)
    process = await start("talk", "--transcript", "words.txt")
    out, err = await process.communicate()
    assert (process.returncode, err.decode()) == (
        0,
        "onellm: openai/gpt-realtime listens to scripted microphone; Ctrl-C ends\n",
    )
    assert out.decode() == "you: Tell me a story.\nmodel: A long story.\n" == text_of("words.txt")
    played = bytes_of(devices)
    last = len(played.rstrip(b"\0"))
    assert played[last:].count(0) == len(played) - last > 6_400  # silence, of 0.2 s and more
    sounding = len(played[:last].lstrip(b"\0")) / 2 / 16_000 * 1000
    assert heard[0] == pytest.approx(sounding, abs=100)
    first = server.peer.received[1]
    assert base64.b64decode(first["audio"]).strip(b"\0")


async def test_half_duplex_hears_nothing_while_the_model_speaks(
    start: Start, server: RealtimeServer, devices: Path
) -> None:
    """Silence goes out in its place, so that the turn still has its time."""

    async def script(peer: Peer) -> None:
        await say_much(peer)
        await peer.close(1000)

    await asyncio.to_thread((devices.parent / "heard.pcm").write_bytes, b"\x01\x10" * 16_000 * 60)
    server.plays(script)
    process = await start("talk", "--half-duplex")
    await process.communicate()
    assert process.returncode == 0
    sent = [base64.b64decode(event["audio"]) for event in server.peer.received if "audio" in event]
    assert sent[0].strip(b"\0")
    assert not sent[-1].strip(b"\0")


async def test_ctrl_c_ends_a_conversation(start: Start, server: RealtimeServer, devices: Path) -> None:
    """In order: it is the way out, and what was said is there."""
    spoke = asyncio.Event()

    async def script(peer: Peer) -> None:
        await say_much(peer)
        spoke.set()

    server.plays(script)
    process = await start("talk")
    await spoke.wait()
    process.send_signal(signal.SIGINT)
    out, err = await process.communicate()
    assert (process.returncode, out) == (0, b"you: Tell me a story.\nmodel: A long story.\n")
    assert err.decode().splitlines()[1:] == [""]
    assert bytes_of(devices)
    await server.peer.gone.wait()
    assert server.peer.closed == (1000, "")


async def test_a_recording_can_be_answered_aloud(start: Start, server: RealtimeServer, devices: Path) -> None:
    """Without --output; the command ends when all was heard."""
    process = await start("talk", "--input", "question.wav")
    out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert out.startswith(b"you: What did I say?\n")
    sounding = len(bytes_of(devices).strip(b"\0")) / 2 / 16_000
    assert sounding == pytest.approx(0.2, abs=0.05)
    assert server.peer.closed == (1000, "")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("no microphone", "onellm: no microphone 1: Error querying device -1\n"),
        ("no loudspeaker", "onellm: no loudspeaker 2: Error querying device -1\n"),
        (
            "busy",
            "onellm: the loudspeaker 'scripted loudspeaker' at 16000 Hz: Device unavailable [PaErrorCode -9985]\n",
        ),
    ],
)
async def test_a_device_that_is_missing_is_named(
    wrong: str, says: str, *, start: Start, server: RealtimeServer, devices: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.plays(ready)
    monkeypatch.setenv("SCRIPTED_SOUND", wrong)
    process = await start("talk", "--microphone", "1", "--speaker", "2")
    out, err = await process.communicate()
    assert (process.returncode, out, err.decode()) == (1, b"", says)
    assert not bytes_of(devices)
    assert len(server.peers) == (wrong == "busy")


@pytest.mark.parametrize(
    ("module", "says"),
    [
        ("raise ImportError", 'need sounddevice: pip install "onellm[voice]"'),
        ("raise OSError('PortAudio library not found')", "sounddevice needs PortAudio"),
    ],
)
async def test_a_package_that_is_missing_is_named(
    module: str, says: str, *, start: Start, server: RealtimeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asyncio.to_thread((tmp_path / "sounddevice.py").write_text, module)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{ROOT}")
    process = await start("talk")
    out, err = await process.communicate()
    assert (process.returncode, out) == (1, b"")
    assert says in err.decode()
    assert not server.peers


@pytest.mark.usefixtures("devices")
async def test_a_session_that_ends_while_the_microphone_hears_ends_the_command(
    start: Start, server: RealtimeServer
) -> None:
    """In order where the provider says so; else with what was wrong, and once."""
    server.plays(partial(ends, code=1000), partial(ends, code=1008))
    for code, says in (
        (0, ""),
        (1, "onellm: openai/gpt-realtime: the session was closed by the other side, code 1008"),
    ):
        process = await start("talk")
        _, err = await process.communicate()
        assert process.returncode == code
        last = err.decode().splitlines()[1:]
        assert [line.startswith(says) for line in last] == [True] * bool(says), last


@pytest.mark.usefixtures("devices")
async def test_a_connection_that_is_lost_is_made_anew(start: Start, server: RealtimeServer) -> None:
    """And it is said what became of the conversation; what the provider refuses is said, too."""

    async def lose(peer: Peer) -> None:
        await ready(peer)
        await peer.expect("input_audio_buffer.append")
        peer.reset()

    async def go_on(peer: Peer) -> None:
        await ready(peer)
        await peer.expect("input_audio_buffer.append")
        peer.send({"type": "error", "error": {"type": "invalid_request_error", "code": "no", "message": "Not that."}})
        peer.send(response_created(), *spoken(QUESTION, "Yes."), response_done())
        await peer.expect(*["input_audio_buffer.append"] * 10)
        await peer.close(1000)

    server.plays(lose, go_on)
    process = await start("talk")
    out, err = await process.communicate()
    assert (process.returncode, out) == (0, b"model: Yes.\n")
    assert err.decode().splitlines()[1:] == [
        "onellm: the connection was lost; the conversation goes on from what was said",
        "onellm: Not that.",
    ]


async def ends(peer: Peer, code: int) -> None:
    await ready(peer)
    await peer.expect("input_audio_buffer.append")
    await peer.close(code, "policy" if code == 1008 else "")
