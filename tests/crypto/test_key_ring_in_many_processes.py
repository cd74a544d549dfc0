"""One ring for all processes, whoever makes it and whoever rotates it."""

from datetime import timedelta

from process_crowd import Crowd, all_at_once
from ring_rigs import CONTEXT, HOUR, key_ring, open_and_seal, rotate_together, seal_together
from store_rigs import StoreRig

NOW = timedelta(0)


def test_six_processes_that_start_together_make_one_ring(rig: StoreRig) -> None:
    sealed = all_at_once(6, seal_together, rig.address, NOW)

    ring = key_ring(rig.store, rig.clock)
    assert [ring.open(value, context=CONTEXT) for value in sealed] == [b"together"] * 6
    assert len(ring.keys()) == 1


def test_six_processes_with_an_old_key_rotate_once(rig: StoreRig) -> None:
    ring = key_ring(rig.store, rig.clock)
    before = ring.seal(b"before", context=CONTEXT)

    sealed = all_at_once(6, seal_together, rig.address, HOUR)

    assert [ring.open(value, context=CONTEXT) for value in sealed] == [b"together"] * 6
    assert ring.open(before, context=CONTEXT) == b"before"
    assert len(ring.keys()) == 2


def test_no_command_to_rotate_is_lost(rig: StoreRig) -> None:
    made = all_at_once(4, rotate_together, rig.address)

    listed = key_ring(rig.store, rig.clock).keys()
    assert len(set(made)) == 4
    assert set(made) < {key.id for key in listed}


def test_a_new_process_opens_what_we_sealed_and_we_open_its_answer(rig: StoreRig) -> None:
    ring = key_ring(rig.store, rig.clock)
    sealed = ring.seal(b"question", context=CONTEXT)

    [(opened, answer)] = all_at_once(1, open_and_seal, rig.address, sealed, False)

    assert opened == b"question"
    assert ring.open(answer, context=CONTEXT) == b"answer"


def test_a_process_that_rotates_opens_what_we_sealed_and_we_open_its_answer(
    rig: StoreRig,
) -> None:
    ring = key_ring(rig.store, rig.clock)
    sealed = ring.seal(b"question", context=CONTEXT)

    with Crowd(1) as crowd:
        exchange = crowd.start(open_and_seal, rig.address, sealed, True)
        crowd.go()
        opened, answer = exchange.result(60)
        # Our copy is from before the rotation, and what we seal with it opens over there.
        late = ring.seal(b"question", context=CONTEXT)
    [(late_opened, _)] = all_at_once(1, open_and_seal, rig.address, late, False)

    assert opened == late_opened == b"question"
    assert late[:9] == sealed[:9]
    assert answer[:9] != sealed[:9]
    assert ring.open(answer, context=CONTEXT) == b"answer"
