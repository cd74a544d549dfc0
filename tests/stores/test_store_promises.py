"""What `ports.Store` promises, kept by every adapter."""

import threading
from datetime import timedelta

import pytest
from store_rigs import StoreRig

from bff.errors import StoreDownError
from bff.ports import Lease, Store, Subscription

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
SOON = timedelta(seconds=5)
AT_ONCE = timedelta(0)
ANY_BYTES = bytes(range(256)) * 40


# Entries


def test_what_is_put_is_there(store: Store) -> None:
    version = store.put("k", ANY_BYTES, ttl=MINUTE)

    entry = store.get("k")

    assert entry is not None
    assert (entry.value, entry.version) == (ANY_BYTES, version)


def test_what_was_never_put_is_none(store: Store) -> None:
    assert store.get("k") is None


def test_an_empty_value_is_a_value(store: Store) -> None:
    store.put("k", b"", ttl=MINUTE)

    assert store.take("k") == b""


def test_put_overwrites_with_a_greater_version(store: Store) -> None:
    first = store.put("k", b"one", ttl=MINUTE)
    second = store.put("k", b"two", ttl=MINUTE)

    entry = store.get("k")
    assert entry is not None
    assert entry.value == b"two"
    assert second > first


def test_an_entry_lives_until_its_end(rig: StoreRig) -> None:
    rig.store.put("k", b"v", ttl=MINUTE)

    rig.forward(timedelta(seconds=50))

    assert rig.store.get("k") is not None


def test_an_expired_entry_is_gone_for_get(rig: StoreRig) -> None:
    rig.store.put("k", b"v", ttl=MINUTE)

    rig.forward(MINUTE)

    assert rig.store.get("k") is None


def test_an_expired_entry_is_gone_for_take(rig: StoreRig) -> None:
    rig.store.put("k", b"v", ttl=MINUTE)

    rig.forward(MINUTE)

    assert rig.store.take("k") is None


def test_an_expired_entry_is_gone_for_delete(rig: StoreRig) -> None:
    rig.store.put("k", b"v", ttl=MINUTE)

    rig.forward(MINUTE)

    assert not rig.store.delete("k")


def test_an_expired_entry_is_gone_for_replace(rig: StoreRig) -> None:
    version = rig.store.put("k", b"v", ttl=MINUTE)

    rig.forward(MINUTE)

    assert rig.store.replace("k", b"new", version=version, ttl=MINUTE) is None
    assert rig.store.get("k") is None


def test_an_expired_entry_leaves_its_key_free(rig: StoreRig) -> None:
    rig.store.put("k", b"v", ttl=MINUTE)

    rig.forward(MINUTE)

    assert rig.store.add("k", b"new", ttl=MINUTE)
    assert rig.store.take("k") == b"new"


def test_putting_again_moves_the_end(rig: StoreRig) -> None:
    rig.store.put("k", b"v", ttl=MINUTE)
    rig.forward(timedelta(seconds=40))
    rig.store.put("k", b"v", ttl=MINUTE)

    rig.forward(timedelta(seconds=40))

    assert rig.store.get("k") is not None


def test_replacing_moves_the_end(rig: StoreRig) -> None:
    version = rig.store.put("k", b"v", ttl=MINUTE)
    rig.store.replace("k", b"v", version=version, ttl=2 * MINUTE)

    rig.forward(timedelta(seconds=90))

    assert rig.store.get("k") is not None


def test_nothing_left_to_live_is_gone_at_once(rig: StoreRig) -> None:
    rig.store.put("k", b"old", ttl=MINUTE)
    rig.store.put("k", b"v", ttl=timedelta(seconds=-5))

    rig.forward(timedelta(milliseconds=1))

    assert rig.store.get("k") is None


def test_a_key_is_added_once(store: Store) -> None:
    first = store.add("k", b"first", ttl=MINUTE)
    second = store.add("k", b"second", ttl=MINUTE)

    assert (first, second) == (True, False)
    assert store.take("k") == b"first"


def test_a_value_is_taken_once(store: Store) -> None:
    store.put("k", ANY_BYTES, ttl=MINUTE)

    assert store.take("k") == ANY_BYTES
    assert store.take("k") is None
    assert store.get("k") is None


def test_delete_says_whether_there_was_anything(store: Store) -> None:
    store.put("k", b"v", ttl=MINUTE)

    assert store.delete("k")
    assert not store.delete("k")
    assert store.get("k") is None


def test_keys_do_not_touch_each_other(store: Store) -> None:
    store.put("one", b"1", ttl=MINUTE)
    store.put("two", b"2", ttl=MINUTE)

    store.delete("one")

    assert store.take("two") == b"2"


def test_an_entry_a_lease_a_count_and_a_group_may_share_a_name(store: Store) -> None:
    store.put("n", b"v", ttl=MINUTE)
    lease = store.acquire_lease("n", ttl=MINUTE)
    counted = store.count("n", window=MINUTE)
    store.join("n", "m", ttl=MINUTE)

    assert store.take("n") == b"v"
    assert lease is not None
    assert counted.value == 1
    assert store.members("n") == ["m"]


def test_names_may_have_256_characters(store: Store) -> None:
    name = "n" * 256

    store.put(name, b"v", ttl=MINUTE)

    assert store.take(name) == b"v"


# Compare and set


def test_replace_writes_what_has_not_changed(store: Store) -> None:
    version = store.put("k", b"old", ttl=MINUTE)

    new = store.replace("k", ANY_BYTES, version=version, ttl=MINUTE)

    entry = store.get("k")
    assert entry is not None
    assert (entry.value, entry.version) == (ANY_BYTES, new)
    assert entry.version > version


def test_replace_refuses_what_has_changed(store: Store) -> None:
    version = store.put("k", b"old", ttl=MINUTE)
    store.put("k", b"newer", ttl=MINUTE)

    assert store.replace("k", b"stale", version=version, ttl=MINUTE) is None
    assert store.take("k") == b"newer"


def test_replace_never_brings_back_what_was_deleted(store: Store) -> None:
    version = store.put("k", b"v", ttl=MINUTE)
    store.delete("k")

    assert store.replace("k", b"back", version=version, ttl=MINUTE) is None
    assert store.get("k") is None


def test_replace_never_creates(store: Store) -> None:
    assert store.replace("k", b"v", version=0, ttl=MINUTE) is None
    assert store.get("k") is None


@pytest.mark.parametrize("by", ["put", "add"])
def test_a_stale_version_does_not_fit_an_entry_that_was_made_again(store: Store, by: str) -> None:
    versions = {store.put("k", b"v", ttl=MINUTE)}
    for _ in range(50):
        store.delete("k")
        if by == "put":
            store.put("k", b"again", ttl=MINUTE)
        else:
            store.add("k", b"again", ttl=MINUTE)
        for stale in versions:
            assert store.replace("k", b"stale", version=stale, ttl=MINUTE) is None
        entry = store.get("k")
        assert entry is not None
        assert entry.version > max(versions)
        versions.add(entry.version)


# Leases


def acquired(store: Store, name: str = "l", ttl: timedelta = MINUTE) -> Lease:
    lease = store.acquire_lease(name, ttl=ttl)
    assert lease is not None
    return lease


def test_a_lease_has_one_holder(store: Store) -> None:
    acquired(store)

    assert store.acquire_lease("l", ttl=MINUTE) is None


def test_a_released_lease_is_free(store: Store) -> None:
    first = acquired(store)

    assert store.release_lease(first)
    assert acquired(store).fence > first.fence


def test_a_lease_ends_by_itself(rig: StoreRig) -> None:
    first = acquired(rig.store)

    rig.forward(MINUTE)

    assert acquired(rig.store).fence > first.fence


def test_a_renewed_lease_lives_on(rig: StoreRig) -> None:
    lease = acquired(rig.store)
    rig.forward(timedelta(seconds=50))

    assert rig.store.renew_lease(lease, ttl=MINUTE)

    rig.forward(timedelta(seconds=50))
    assert rig.store.acquire_lease("l", ttl=MINUTE) is None


def test_a_lease_that_ended_cannot_be_renewed(rig: StoreRig) -> None:
    lease = acquired(rig.store)

    rig.forward(MINUTE)

    assert not rig.store.renew_lease(lease, ttl=MINUTE)
    acquired(rig.store)


def test_a_lost_lease_cannot_be_renewed(rig: StoreRig) -> None:
    lost = acquired(rig.store)
    rig.forward(MINUTE)
    acquired(rig.store)

    assert not rig.store.renew_lease(lost, ttl=MINUTE)


def test_releasing_a_lost_lease_leaves_the_new_holder_alone(rig: StoreRig) -> None:
    lost = acquired(rig.store)
    rig.forward(MINUTE)
    held = acquired(rig.store)

    assert not rig.store.release_lease(lost)
    assert rig.store.renew_lease(held, ttl=MINUTE)


def test_a_lease_is_released_once(store: Store) -> None:
    lease = acquired(store)

    assert store.release_lease(lease)
    assert not store.release_lease(lease)


def test_fences_grow_with_every_holder(rig: StoreRig) -> None:
    fences = []
    for turn in range(20):
        lease = acquired(rig.store)
        fences.append(lease.fence)
        if turn % 2:
            rig.store.release_lease(lease)
        else:
            rig.forward(MINUTE)

    assert fences == sorted(set(fences))


def test_fences_are_not_reset_by_a_year_of_silence(rig: StoreRig) -> None:
    first = acquired(rig.store)
    rig.store.release_lease(first)

    rig.forward(timedelta(days=365))
    # What happens meanwhile sweeps whatever the store throws away.
    for number in range(50):
        rig.store.put(f"k{number}", b"v", ttl=MINUTE)

    assert acquired(rig.store).fence > first.fence


def test_leases_of_two_names_are_two(store: Store) -> None:
    acquired(store, "one")

    acquired(store, "two")


# Counters


def test_counts_go_up_by_one(store: Store) -> None:
    assert [store.count("c", window=MINUTE).value for _ in range(3)] == [1, 2, 3]


def test_a_window_starts_with_its_first_count(rig: StoreRig) -> None:
    rig.store.count("c", window=MINUTE)
    rig.forward(timedelta(seconds=40))

    count = rig.store.count("c", window=MINUTE)

    assert count.value == 2
    assert timedelta(seconds=15) < count.resets_in <= timedelta(seconds=20)


def test_a_window_that_is_over_counts_from_one(rig: StoreRig) -> None:
    rig.store.count("c", window=MINUTE)

    rig.forward(MINUTE)

    count = rig.store.count("c", window=MINUTE)
    assert count.value == 1
    assert timedelta(seconds=55) < count.resets_in <= MINUTE


# Groups


def test_a_group_has_its_members(store: Store) -> None:
    store.join("g", "one", ttl=MINUTE)
    store.join("g", "two", ttl=MINUTE)
    store.join("other", "three", ttl=MINUTE)

    assert sorted(store.members("g")) == ["one", "two"]


def test_a_group_nobody_joined_is_empty(store: Store) -> None:
    assert store.members("g") == []


def test_joining_twice_is_one_membership(store: Store) -> None:
    store.join("g", "one", ttl=MINUTE)
    store.join("g", "one", ttl=MINUTE)

    assert store.members("g") == ["one"]


def test_members_expire_one_by_one(rig: StoreRig) -> None:
    rig.store.join("g", "long", ttl=2 * MINUTE)
    rig.store.join("g", "short", ttl=MINUTE)

    rig.forward(MINUTE)

    assert rig.store.members("g") == ["long"]


def test_joining_again_moves_the_end(rig: StoreRig) -> None:
    rig.store.join("g", "one", ttl=MINUTE)
    rig.forward(timedelta(seconds=40))
    rig.store.join("g", "one", ttl=MINUTE)

    rig.forward(timedelta(seconds=40))

    assert rig.store.members("g") == ["one"]


def test_a_short_stay_does_not_end_the_stay_of_others(rig: StoreRig) -> None:
    rig.store.join("g", "long", ttl=timedelta(days=2))
    rig.store.join("g", "short", ttl=MINUTE)

    rig.forward(timedelta(days=1))

    assert rig.store.members("g") == ["long"]


def test_leaving_says_whether_one_was_there(store: Store) -> None:
    store.join("g", "one", ttl=MINUTE)

    assert store.leave("g", "one")
    assert not store.leave("g", "one")
    assert store.members("g") == []


def test_who_has_expired_was_not_there_to_leave(rig: StoreRig) -> None:
    rig.store.join("g", "one", ttl=MINUTE)
    rig.store.join("g", "two", ttl=2 * MINUTE)

    rig.forward(MINUTE)

    assert not rig.store.leave("g", "one")


# Publish and subscribe


def test_a_message_reaches_every_subscription_of_its_channel(store: Store) -> None:
    with store.subscribe("news") as one, store.subscribe("news", "more") as two:
        store.publish("news", ANY_BYTES)

        assert one.receive(SOON) == ("news", ANY_BYTES)
        assert two.receive(SOON) == ("news", ANY_BYTES)


def test_messages_come_in_order_and_name_their_channel(store: Store) -> None:
    with store.subscribe("one", "two") as subscription:
        for number in range(20):
            store.publish("one" if number % 2 else "two", str(number).encode())

        received = [subscription.receive(SOON) for _ in range(20)]

    assert received == [
        ("one" if number % 2 else "two", str(number).encode()) for number in range(20)
    ]


def test_other_channels_are_not_heard(store: Store) -> None:
    with store.subscribe("news") as subscription:
        store.publish("newsflash", b"not for us")
        store.publish("news", b"for us")

        assert subscription.receive(SOON) == ("news", b"for us")


def test_what_was_said_before_is_not_heard(store: Store) -> None:
    with store.subscribe("news"):
        store.publish("news", b"before")
        with store.subscribe("news") as late:
            store.publish("news", b"after")

            assert late.receive(SOON) == ("news", b"after")


def test_silence_is_none(store: Store) -> None:
    with store.subscribe("news") as subscription:
        assert subscription.receive(AT_ONCE) is None
        assert subscription.receive(timedelta(milliseconds=10)) is None


def test_another_store_object_hears_what_is_published(rig: StoreRig) -> None:
    other = rig.another()
    with other.subscribe("news") as subscription:
        rig.store.publish("news", b"hello")

        assert subscription.receive(SOON) == ("news", b"hello")
    other.close()


def test_a_waiting_listener_is_woken(store: Store) -> None:
    heard: list[tuple[str, bytes] | None] = []
    with store.subscribe("news") as subscription:
        listener = threading.Thread(target=lambda: heard.append(subscription.receive(SOON)))
        listener.start()

        store.publish("news", b"hello")

        listener.join(timeout=10)
        assert heard == [("news", b"hello")]


def test_closing_wakes_a_waiting_listener(store: Store) -> None:
    ended: list[Exception] = []
    subscription = store.subscribe("news")

    def listen(to: Subscription) -> None:
        try:
            to.receive(timedelta(seconds=30))
        except StoreDownError as error:
            ended.append(error)

    listener = threading.Thread(target=listen, args=[subscription])
    listener.start()
    subscription.close()

    listener.join(timeout=5)
    assert len(ended) == 1


def test_a_subscription_may_be_closed_twice(store: Store) -> None:
    subscription = store.subscribe("news")

    subscription.close()
    subscription.close()

    with pytest.raises(StoreDownError):
        subscription.receive(AT_ONCE)


def test_publishing_goes_on_after_a_listener_left(store: Store) -> None:
    store.subscribe("news").close()
    with store.subscribe("news") as subscription:
        store.publish("news", b"still here")

        assert subscription.receive(SOON) == ("news", b"still here")


# The store itself


def test_a_store_that_is_there_answers(store: Store) -> None:
    store.ping()


def test_a_store_may_be_closed_twice_and_stays_closed(rig: StoreRig) -> None:
    other = rig.another()
    other.put("k", b"v", ttl=MINUTE)

    other.close()
    other.close()

    with pytest.raises(StoreDownError):
        other.get("k")
    assert rig.store.take("k") == b"v"
