"""A key of the ring is away for a while: what waits under it is set aside, and comes back whole."""

from datetime import timedelta

from outbox_rig import memory_world

RING = "keyring:at-rest"
LONG = timedelta(days=3650)


def test_the_newest_event_comes_back_as_well_when_its_key_does() -> None:
    """It lies in the end of its lane, and nowhere else."""
    world = memory_world()
    world.foundation()
    before = world.store.get(RING).value
    world.foundation().sealer.rotate()  # type: ignore[attr-defined]  # the real ring
    writer = world.process()
    for body in ("first", "second"):
        writer.put(body)
    after = world.store.get(RING).value
    world.store.put(RING, before, ttl=LONG)
    without = world.process()
    without.put("third")
    without.writer.once()
    assert world.database.bodies == ["third"]
    assert len(without.outbox.dead.ids()) == 2

    world.store.put(RING, after, ttl=LONG)
    again = world.process()
    assert all(map(again.outbox.retry, again.outbox.dead.all()))
    again.writer.once()

    assert sorted(world.database.bodies) == ["first", "second", "third"]
    assert again.outbox.dead.ids() == []
