"""A conversation by voice without an event loop: the microphone in a thread, the session's events in another."""

from pathlib import Path

import pytest
from command_line import ROOT, require, run_python, unset_all
from realtime_server import Peer, RealtimeServer
from voice_host import interrupts

CONVERSATION = """
import threading
from onellm import Microphone, OneLLM, Speaker, TranscriptDone

microphone, speaker = Microphone(), Speaker()
with (
    OneLLM() as client,
    client.realtime.connect(
        model="openai/gpt-realtime", input_rate=microphone.rate, output_rate=speaker.rate
    ) as session,
    microphone,
    speaker,
):
    def listen():
        for pcm in microphone:
            if session.closed:
                return
            session.send_audio(pcm)

    threading.Thread(target=listen).start()
    for event in session:
        if heard := speaker.playback.feed(event):
            session.interrupt(heard=heard)
        if isinstance(event, TranscriptDone):
            print(event.role, event.text)
"""


async def test_it_is_held_in_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who speaks over the model stops it, as with a loop, and the threads end with the session."""
    require("soxr", "numpy", "onellm._sync.client")
    unset_all(monkeypatch, tmp_path)
    (tmp_path / "heard.pcm").write_bytes(b"\x01\x10" * 8000)
    told: list[int] = []

    async def script(peer: Peer) -> None:
        told.append(await interrupts(peer))
        await peer.close(1000)

    async with RealtimeServer() as server:
        server.plays(script)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{ROOT / 'tests' / 'scripted_sound'}")
        monkeypatch.setenv("SCRIPTED_MICROPHONE", str(tmp_path / "heard.pcm"))
        monkeypatch.setenv("SCRIPTED_SPEAKER", str(tmp_path / "played.pcm"))
        ran = await run_python("-W", "always::ResourceWarning", "-c", CONVERSATION)
    assert (ran.code, ran.err, ran.out) == (0, "", "assistant A long story.\nuser Tell me a story.\n")
    assert 0 < told[0] < 10_000
