"""A host of large bodies, in a process of its own: what comes is counted and dropped, what goes out is made of zeros.

    python large_host.py DOWNLOAD_BYTES DIMENSIONS

Prints its port, and ends with its standard input. Threads that block are the quickest server that Python has.
"""

import base64
import json
import socket
import sys
import threading
from array import array

DOWNLOAD, DIMENSIONS = int(sys.argv[1]), int(sys.argv[2])
PIECE = 1 << 20
VECTOR = base64.b64encode(array("f", [0.5] * DIMENSIONS)).decode()

parts: dict[str, int] = {}
lock = threading.Lock()


def serve(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    buffer = memoryview(bytearray(PIECE))
    with connection:
        while (request := read_head(connection)) is not None:
            (method, path), length, begun = request
            if path.endswith("/embeddings"):
                answer(connection, embeddings(begun + read(connection, length - len(begun))))
                continue
            left = length - len(begun)
            while left > 0:
                if not (size := connection.recv_into(buffer, min(left, PIECE))):
                    raise ConnectionError("a body was cut")
                left -= size
            if method == "GET" or path.endswith("/speech"):
                send_zeros(connection)
            else:
                answer(connection, take(path.rpartition("/")[2], length))


def read_head(connection: socket.socket) -> tuple[tuple[str, str], int, bytes] | None:
    """Method and path, length of the body, and what of that has come already."""
    received = b""
    while b"\r\n\r\n" not in received:
        if not (piece := connection.recv(1 << 16)):
            return None
        received += piece
    head, _, begun = received.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    lengths = [line.partition(":")[2] for line in lines if line.lower().startswith("content-length")]
    method, path, _ = first.split(" ")
    return (method, path), int(lengths[0]) if lengths else 0, begun


def read(connection: socket.socket, length: int) -> bytes:
    pieces = b""
    while len(pieces) < length:
        pieces += connection.recv(length - len(pieces))
    return pieces


def take(step: str, length: int) -> bytes:
    """What is said of a body; the size of a file is that of the bodies which brought it."""
    with lock:
        if step == "parts":
            name = f"part_{len(parts)}"
            parts[name] = length
            return json.dumps({"id": name}).encode()
        size = sum(parts.values()) if step == "complete" else length
    file = {"id": "file-1", "object": "file", "bytes": size, "filename": f"{len(parts)} parts"}
    return json.dumps({"id": "upload_1", "file": file} if step in {"complete", "uploads"} else file).encode()


def embeddings(body: bytes) -> bytes:
    asked = json.loads(body)
    assert asked["encoding_format"] == "base64"
    data = [{"object": "embedding", "index": i, "embedding": VECTOR} for i in range(len(asked["input"]))]
    return json.dumps({"object": "list", "data": data, "model": "m"}).encode()


def answer(connection: socket.socket, body: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
    connection.sendall(body)


def send_zeros(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\nContent-Length: %d\r\n\r\n" % DOWNLOAD)
    piece = bytes(PIECE)
    for start in range(0, DOWNLOAD, PIECE):
        connection.sendall(piece[: DOWNLOAD - start])


def main() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        print(server.getsockname()[1], flush=True)  # noqa: T201 - whoever started it reads that
        threading.Thread(target=accept, args=(server,), daemon=True).start()
        sys.stdin.read()


def accept(server: socket.socket) -> None:
    while True:
        threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()


main()
