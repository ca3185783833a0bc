"""What the replay server itself can do: requests per second of a loop over bare sockets that only counts bytes.

    python -m benchmarks.replay.limit [--uvloop]

A benchmark whose client does not come near these figures measures the client.
"""

from __future__ import annotations

import argparse
import selectors
import socket
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

import orjson

from benchmarks.replay.server import replaying

CONNECTIONS = 4
SECONDS = 0.5
TEXT = "A soft answer turneth away wrath: but grievous words stir up anger. This is text {} of many."


def request(line: str, body: bytes = b"") -> bytes:
    """Return a request as it travels."""
    return f"{line} HTTP/1.1\r\nhost: replay\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def prediction(model: str, count: int) -> bytes:
    """Return a prediction of so many texts."""
    body = {"text_docs": [TEXT.format(i) for i in range(count)], "return_bytes": True, "return_number": False}
    return request(f"POST /_plugins/_ml/_predict/text_embedding/{model}", orjson.dumps(body))


def requests() -> Mapping[str, bytes]:
    """Return a request of each kind that the benchmarks send."""
    document = b'{"index":{"_id":"d1"}}\n' + orjson.dumps({"text": TEXT, "embedding": [0.123456789] * 384}) + b"\n"
    return {
        "get a task": request("GET /_plugins/_ml/tasks/t"),
        "32 texts, 384 dims": prediction("local-384", 32),
        "64 texts, 768 dims": prediction("local-768", 64),
        "64 texts, 384 dims, JSON": prediction("json-384", 64),
        "_bulk of 1,000 documents": request("POST /documents-384/_bulk", document * 1000),
    }


def rate(url: str, message: bytes, seconds: float = SECONDS) -> tuple[float, int]:
    """Return the requests per second over some connections, and the bytes of a response."""
    place = urlsplit(url)
    links = [socket.create_connection((place.hostname or "", place.port or 0)) for _ in range(CONNECTIONS)]
    size = _size(links[0], message)
    room, count, left = bytearray(1 << 20), 0, dict.fromkeys(range(CONNECTIONS), size)
    with selectors.DefaultSelector() as ready:
        for number, link in enumerate(links):
            ready.register(link, selectors.EVENT_READ, number)
            link.sendall(message)
        started = time.perf_counter()
        while time.perf_counter() - started < seconds:
            for key, _ in ready.select():
                number = key.data
                left[number] -= links[number].recv_into(room)
                if not left[number]:
                    count, left[number] = count + 1, size
                    links[number].sendall(message)
        spent = time.perf_counter() - started
    for link in links:
        link.close()
    return count / spent, size


def _size(link: socket.socket, message: bytes) -> int:
    """Return the bytes of a response, which is the same each time."""
    link.sendall(message)
    found = b""
    while b"\r\n\r\n" not in found:
        found += link.recv(1 << 16)
    head, _, rest = found.partition(b"\r\n\r\n")
    length, received = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]), len(rest)
    while received < length:
        received += len(link.recv(1 << 16))
    return len(head) + 4 + length


def limits(url: str) -> dict[str, float]:
    """Print the rate of each kind of request, and return them."""
    found = {}
    print(f"{'the replay server by itself':28} {'requests/s':>11} {'MB/s':>7}")
    for name, message in requests().items():
        found[name], size = rate(url, message)
        print(f"{name:28} {found[name]:11,.0f} {found[name] * (size + len(message)) / 1e6:7,.0f}")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--uvloop", action="store_true", help="of a server with the event loop of that package")
    with replaying(uvloop=parser.parse_args().uvloop) as server:
        limits(server)
