"""What one turn of the loop writes, and in which order."""

from typing import Any

from bff.gateway.outgoing import COLLECTED_BYTES, Outgoing


class OneTurn:
    """As much of a loop as is asked of it."""

    def __init__(self) -> None:
        self.soon: list[Any] = []

    def call_soon(self, call: Any) -> None:
        self.soon.append(call)


class Wire:
    """A transport that writes down who wrote."""

    def __init__(self, name: str, written: list[tuple[str, bytes]]) -> None:
        self._name = name
        self._written = written

    def send(self, _: Any, text: bytes) -> None:
        self._written.append((self._name, text))


def test_genesys_has_a_message_before_the_page_is_told_that_it_was_accepted() -> None:
    written: list[tuple[str, bytes]] = []
    loop: Any = OneTurn()
    page: Any = Wire("page", written)
    genesys: Any = Wire("genesys", written)
    outgoing = Outgoing(loop)

    outgoing.send(page, b"accepted 1")
    outgoing.send_ahead(genesys, b"message 1")
    outgoing.send(page, b"accepted 2")
    outgoing.send_ahead(genesys, b"message 2")

    assert len(loop.soon) == 1
    loop.soon[0]()
    assert written == [
        ("genesys", b"message 1"),
        ("genesys", b"message 2"),
        ("page", b"accepted 1"),
        ("page", b"accepted 2"),
    ]


def test_a_turn_that_reads_much_writes_before_its_end_and_genesys_first_all_the_same() -> None:
    written: list[tuple[str, bytes]] = []
    loop: Any = OneTurn()
    page: Any = Wire("page", written)
    genesys: Any = Wire("genesys", written)
    outgoing = Outgoing(loop)
    texts = [b"%4d" % number * 1000 for number in range(200)]

    for count, text in enumerate(texts, start=1):
        # As a relay does it: the page is told first, and its message handed on behind that.
        outgoing.send(page, text)
        outgoing.send_ahead(genesys, text)
        to_page, to_genesys = texts_to("page", written), texts_to("genesys", written)
        assert len(to_page) <= len(to_genesys), "told accepted before it had left"
        assert (count - len(to_page)) * len(text) < COLLECTED_BYTES + 2 * len(text)
    for flush in loop.soon:
        flush()
    assert texts_to("page", written) == texts
    assert texts_to("genesys", written) == texts


def texts_to(name: str, written: list[tuple[str, bytes]]) -> list[bytes]:
    return [text for who, text in written if who == name]
