"""When heads are signed, where they are kept, and whose key signs them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hand_clock import START
from trail_rig import TrailRig, trail_rig

from bff.adapters.head_copies import FileCopies, UrlCopies, head_copies
from bff.crypto import head_lines
from bff.errors import RecordsDownError
from bff.records.audit_heads import HeadSigner, is_genuine
from bff.simulator.serving import Served
from bff.trail_ports import HeadCopies, SignedHead

AGE = timedelta(minutes=15)


class Outside:
    """Keeps `HeadCopies`; can be away."""

    name = "outside"

    def __init__(self) -> None:
        self.kept: list[int] = []
        self.away = False

    def keep(self, head: SignedHead) -> None:
        if self.away:
            raise RecordsDownError("away")
        self.kept.append(head.seq)


def signer(rig: TrailRig, copies: HeadCopies | None = None, *, every: int = 10) -> HeadSigner:
    return HeadSigner(
        rig.keeper, rig.head_keys, every=every, age=AGE, copies=copies, store=rig.store
    )


def heads(rig: TrailRig) -> list[int]:
    return [head.seq for head in rig.keeper.heads()]


def test_a_head_is_signed_after_so_many_events(rig: TrailRig) -> None:
    signing = signer(rig)
    for number in range(1, 26):
        signing.written(rig.keeper.append([rig.entry(number)]))

    assert heads(rig) == [10, 20]


def test_a_head_is_signed_after_so_much_time(rig: TrailRig) -> None:
    signing = signer(rig)
    rig.fill(1)
    assert signing.tend(now=rig.clock.now())
    rig.fill(1, first=2)
    assert not signing.tend(now=rig.clock.now())

    rig.clock.advance(AGE)

    assert signing.tend(now=rig.clock.now())
    assert heads(rig) == [1, 2]


def test_without_a_new_event_nothing_is_signed_again(rig: TrailRig) -> None:
    signing = signer(rig)
    assert not signing.tend(now=rig.clock.now())
    rig.fill(1)
    signing.tend(now=rig.clock.now())
    rig.clock.advance(10 * AGE)

    assert not signing.tend(now=rig.clock.now())


def test_two_processes_sign_an_event_once(rig: TrailRig) -> None:
    rig.fill(10)
    outside = Outside()
    first, second = signer(rig, outside), signer(rig, outside)

    assert first.tend()
    assert not second.tend()

    assert heads(rig) == outside.kept == [10]


def test_a_head_that_could_not_be_kept_outside_is_kept_in_the_next_round(
    on_file: TrailRig, caplog: pytest.LogCaptureFixture
) -> None:
    outside = Outside()
    outside.away = True
    on_file.fill(1)
    signing = signer(on_file, outside)
    assert signing.tend(now=on_file.clock.now())
    assert "kept here only" in caplog.text

    outside.away = False
    signing.tend(now=on_file.clock.now())
    signing.tend(now=on_file.clock.now())

    assert outside.kept == [1]


def test_a_cut_tail_is_told_at_once_in_the_log(
    rig: TrailRig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.fill(3)
    rig.sign()
    rig.without_triggers()
    rig.raw("DELETE FROM audit_events WHERE seq = 3")

    signer(rig).tend(now=rig.clock.now())

    assert "the trail ends before its newest signed head" in caplog.text


def test_copies_in_a_file_come_back_as_they_were(on_file: TrailRig) -> None:
    on_file.fill(2)
    head = on_file.sign()

    read = head_lines.read(on_file.copies_file.read_text().strip())

    assert read == head
    assert is_genuine(read, {head.key_id: None})


def test_a_file_that_cannot_be_written_is_no_copy(tmp_path: Path, on_file: TrailRig) -> None:
    on_file.fill(1)
    head = on_file.sign()

    with pytest.raises(RecordsDownError, match="BFF_AUDIT_HEADS"):
        FileCopies(tmp_path / "no such folder" / "heads").keep(head)


@contextmanager
def taking(status: str) -> Iterator[tuple[str, list[Any]]]:
    """Run a server that takes heads, and answers like this."""
    taken: list[Any] = []

    def application(environ: Any, start_response: Any) -> Any:
        taken.append(json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))))
        start_response(status, [("Content-Length", "0")])
        return []

    with Served(application) as served:
        yield f"{served.url}/heads", taken


def test_heads_are_posted_to_an_address(on_file: TrailRig) -> None:
    on_file.fill(1)
    head = on_file.sign()

    with taking("204 No Content") as (url, taken):
        UrlCopies(url).keep(head)

    assert [head_lines.read(json.dumps(one)) for one in taken] == [head]


@pytest.mark.parametrize("status", ["500 Internal Server Error", "302 Found", "403 Forbidden"])
def test_an_address_that_refuses_a_head_has_not_kept_it(on_file: TrailRig, status: str) -> None:
    on_file.fill(1)
    head = on_file.sign()

    with taking(status) as (url, _), pytest.raises(RecordsDownError, match="BFF_AUDIT_HEADS"):
        UrlCopies(url).keep(head)


def test_nobody_at_the_address_is_not_kept_and_no_password_is_told(on_file: TrailRig) -> None:
    on_file.fill(1)
    head = on_file.sign()

    with pytest.raises(RecordsDownError) as told:
        UrlCopies("https://me:s3cret@127.0.0.1:1/heads").keep(head)

    assert "s3cret" not in told.value.detail


def test_where_copies_go_is_told_by_the_setting(tmp_path: Path) -> None:
    assert head_copies(None) is None
    assert isinstance(head_copies("https://heads.example/"), UrlCopies)
    assert isinstance(head_copies(str(tmp_path / "heads")), FileCopies)


@pytest.mark.parametrize(
    "line", ["", "null", "[]", "{}", '{"seq": "1"}', '{"seq": true, "hash": ""}', "\x00", "9" * 9]
)
def test_a_line_that_is_no_head_is_refused(line: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - one error for every way to be wrong
        head_lines.read(line)


def test_old_public_keys_are_kept_after_a_rotation_and_their_heads_stay_good(
    rig: TrailRig,
) -> None:
    rig.fill(2)
    first = rig.sign()
    fresh = rig.head_keys.rotate()
    rig.fill(1, first=3)
    second = rig.sign()

    assert [key.public for key in rig.head_keys.known()] == [first.key_id, fresh]
    assert second.key_id == fresh
    assert rig.verify().faults == ()


def test_the_private_key_lies_sealed_in_the_store(on_file: TrailRig) -> None:
    seed = on_file.head_keys._record().seed.encode()

    assert all(seed not in value for value in on_file.store.values())


def test_the_key_outlives_the_keys_that_seal_it(on_file: TrailRig) -> None:
    """Also while nothing happens that would have to be signed."""
    signing = signer(on_file)
    signing.tend(now=on_file.clock.now())
    public = on_file.head_keys.known()[-1].public

    for _ in range(120):
        on_file.clock.advance(timedelta(days=1))
        on_file.foundation.sealer.seal(b"others seal as well", context="x")
        signing.tend(now=on_file.clock.now())

    assert on_file.clock.now() - START > timedelta(days=100)
    assert [key.public for key in on_file.head_keys.known()] == [public]


def test_a_key_that_does_not_open_any_more_is_replaced_and_told(
    on_file: TrailRig, caplog: pytest.LogCaptureFixture
) -> None:
    on_file.fill(1)
    old = on_file.sign()
    on_file.store.put("audit-head-keys:keys", b"sealed by another ring", ttl=AGE)

    on_file.fill(1, first=2)
    fresh = on_file.sign()

    assert fresh.key_id != old.key_id
    assert f"the head key did not open; now it is {fresh.key_id}" in caplog.text


def test_two_processes_begin_with_one_key(on_file: TrailRig, tmp_path: Path) -> None:
    other = trail_rig(on_file.url, tmp_path)
    del other
    on_file.head_keys.tend()
    before = on_file.head_keys.known()
    on_file.head_keys._begin()

    assert on_file.head_keys.known() == before
