"""Addresses where a connection goes nowhere, each in its own way."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

LOOPBACK: Final = "127.0.0.1"


@contextmanager
def nobody_listens() -> Iterator[int]:
    """Hold a port that refuses connections at once."""
    with socket.socket() as held:
        held.bind((LOOPBACK, 0))
        yield held.getsockname()[1]


@contextmanager
def never_accepts() -> Iterator[int]:
    """Listen with a full queue: the kernel drops what knocks, connecting takes for ever."""
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        waiting = [_knock(port) for _ in range(4)]
        yield port
        for connection in waiting:
            connection.close()


@contextmanager
def never_answers() -> Iterator[int]:
    """Listen and let the kernel accept: whoever connects waits for a word in vain."""
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen(64)
        yield listener.getsockname()[1]


def _knock(port: int) -> socket.socket:
    connection = socket.socket()
    connection.setblocking(False)
    connection.connect_ex((LOOPBACK, port))
    return connection
