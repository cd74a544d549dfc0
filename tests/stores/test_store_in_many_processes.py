"""What the stores promise when real processes press at the same moment."""

import multiprocessing
import time
from datetime import timedelta
from itertools import chain

import pytest
from process_crowd import Crowd, all_at_once
from store_jobs import add_all, count_all, increment, listen, take_all, work_alone
from store_rigs import StoreRig

MINUTE = timedelta(minutes=1)


def test_eight_processes_take_each_value_once(rig: StoreRig) -> None:
    keys = [f"code{number}" for number in range(150)]
    for key in keys:
        rig.store.put(key, b"v", ttl=MINUTE)

    taken = all_at_once(8, take_all, rig.address, keys)

    assert sorted(chain(*taken)) == sorted(keys)


def test_four_processes_add_each_key_once(rig: StoreRig) -> None:
    keys = [f"nonce{number}" for number in range(150)]

    added = all_at_once(4, add_all, rig.address, keys)

    assert sorted(chain(*added)) == sorted(keys)


def test_four_processes_lose_no_compare_and_set(rig: StoreRig) -> None:
    rig.store.put("sum", b"0", ttl=MINUTE)

    refused = all_at_once(4, increment, rig.address, "sum", 100)

    assert rig.store.take("sum") == b"400"
    # Otherwise they did not meet, and the test has shown nothing.
    assert sum(refused) > 0


def test_four_processes_never_hold_one_lease_together(rig: StoreRig) -> None:
    fences = all_at_once(4, work_alone, rig.address, "lease", 40)

    written = [int(fence) for fence in (rig.store.take("written") or b"").split()]
    assert len(written) == 160
    assert written == sorted(set(written))
    assert written == sorted(chain(*fences))


def test_four_processes_count_exactly(rig: StoreRig) -> None:
    counted = all_at_once(4, count_all, rig.address, "limit", 100)

    assert sorted(chain(*counted)) == list(range(1, 401))


def test_another_process_hears_a_message_within_a_second(rig: StoreRig) -> None:
    with Crowd(1) as crowd:
        heard = crowd.start(listen, rig.address, "news")
        crowd.go()
        published_at = time.monotonic()
        rig.store.publish("news", b"signed out")
        message, heard_at = heard.result(30)

    assert message == ("news", b"signed out")
    # The clock of the machine is the same for all its processes.
    assert heard_at - published_at < 1.0


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_a_forked_child_goes_on_with_the_store_of_its_parent(rig: StoreRig) -> None:
    rig.store.put("k", b"of the parent", ttl=MINUTE)

    def work() -> None:
        with rig.store.subscribe("news") as subscription:
            rig.store.publish("news", b"in the child")
            heard = subscription.receive(timedelta(seconds=5))
        taken = rig.store.take("k")
        rig.store.put("k", b"of the child: %r %r" % (heard, taken), ttl=MINUTE)

    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join(30)

    assert child.exitcode == 0
    said = rig.store.take("k") or b""
    assert said == b"of the child: %r %r" % (("news", b"in the child"), b"of the parent")
