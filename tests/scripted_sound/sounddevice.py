"""`sounddevice` on a machine whose sound is scripted: what the microphone hears is given, what is played is kept.

In a test's own process its streams are driven by the test, through `opened`. In a process of a program, where
SCRIPTED_MICROPHONE names a file of samples, they run by themselves, eight times as fast as time: first what is in the
file, then silence. SCRIPTED_SPEAKER names the file that what is played is written to. SCRIPTED_SOUND says what is
wrong: "no microphone", "no loudspeaker", "busy".
"""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

RATE = 16_000
opened: list["_Stream"] = []
_NAMES = {"input": "microphone", "output": "loudspeaker"}


class PortAudioError(Exception):
    """What PortAudio refuses."""


def query_devices(device: int | str | None, kind: str) -> dict[str, Any]:
    if os.environ.get("SCRIPTED_SOUND") == f"no {_NAMES[kind]}":
        raise PortAudioError("Error querying device -1")
    if device == "none of that name":
        raise ValueError("No input device matching 'none of that name'")
    return {"name": f"scripted {_NAMES[kind]}", "default_samplerate": float(RATE)}


class _Stream:
    kind = ""
    latency = 0.0

    def __init__(
        self,
        *,
        callback: Callable[[Any, int, object, object], None],
        finished_callback: Callable[[], None],
        blocksize: int,
        **settings: object,
    ) -> None:
        if os.environ.get("SCRIPTED_SOUND") == "busy":
            raise PortAudioError("Device unavailable [PaErrorCode -9985]")
        self.settings = settings
        self.blocksize = blocksize
        self.state = "opened"
        self._callback = callback
        self._finished = finished_callback
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        opened.append(self)

    def start(self) -> None:
        self.state = "started"
        if os.environ.get("SCRIPTED_MICROPHONE"):
            self._thread.start()

    def abort(self) -> None:
        self.state = "aborted"
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        self._finished()

    def close(self) -> None:
        self.state = "closed"

    def drive(self, buffer: bytes | bytearray) -> None:
        """One turn of the device's thread."""

        def turn() -> None:
            self._callback(buffer, len(buffer) // 2, None, None)

        device = threading.Thread(target=turn)
        device.start()
        device.join()

    def unplug(self) -> None:
        device = threading.Thread(target=self._finished)
        device.start()
        device.join()

    def _run(self) -> None:
        raise NotImplementedError  # the two kinds of device differ in it

    def _paced(self) -> bool:
        return not self._stopped.wait(self.blocksize / RATE / 8)


class RawInputStream(_Stream):
    kind = "input"

    def _run(self) -> None:
        heard = Path(os.environ["SCRIPTED_MICROPHONE"]).read_bytes()
        size = self.blocksize * 2
        at = 0
        while self._paced():
            self._callback(heard[at : at + size].ljust(size, b"\0"), self.blocksize, None, None)
            at += size


class RawOutputStream(_Stream):
    kind = "output"
    latency = 0.01

    def _run(self) -> None:
        with Path(os.environ["SCRIPTED_SPEAKER"]).open("wb") as played:
            while self._paced():
                buffer = bytearray(self.blocksize * 2)
                self._callback(memoryview(buffer), self.blocksize, None, None)
                played.write(buffer)
                played.flush()
