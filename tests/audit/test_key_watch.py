"""New keys stand in the trail, whether somebody asked for them or their time had come."""

import json

import pytest
from trail_rig import TrailRig

from bff.errors import StoreDownError
from bff.records.key_watch import PAUSE, KeyWatch
from bff.records.record_house import TrailRounds


class Rings:
    """Two rings whose keys a test names."""

    def __init__(self) -> None:
        self.seal = ["a"]
        self.sign = ["x"]

    def watch(self, rig: TrailRig) -> KeyWatch:
        rings = {"seal": lambda: self.seal, "sign": lambda: self.sign}
        return KeyWatch(rig.foundation, rig.trail, rings)


def told(rig: TrailRig) -> list[dict[str, str]]:
    rig.writer.once()
    return [json.loads(row.details) for row in rig.keeper.rows(after=0, limit=10)]


def test_new_keys_are_told_once(on_file: TrailRig) -> None:
    rings = Rings()
    watch = rings.watch(on_file)
    watch.once()
    on_file.clock.advance(PAUSE)
    watch.once()
    assert told(on_file) == [{"seal": "a", "sign": "x"}]

    rings.seal = ["a", "b"]
    on_file.clock.advance(PAUSE)
    watch.once()

    assert told(on_file)[1:] == [{"seal": "b"}]


def test_a_key_that_has_retired_is_no_news(on_file: TrailRig) -> None:
    rings = Rings()
    rings.seal = ["a", "b"]
    rings.watch(on_file).once()
    rings.seal = ["b"]
    on_file.clock.advance(PAUSE)

    rings.watch(on_file).once()

    assert len(told(on_file)) == 1


def test_of_several_processes_one_looks(on_file: TrailRig) -> None:
    rings = Rings()
    rings.watch(on_file).once()
    rings.seal = ["b"]

    rings.watch(on_file).once()

    assert len(told(on_file)) == 1


def test_while_the_store_is_away_nothing_is_forgotten(on_file: TrailRig) -> None:
    rings = Rings()
    on_file.store.down = True
    with pytest.raises(StoreDownError):
        rings.watch(on_file).once()
    on_file.store.down = False

    rings.watch(on_file).once()

    assert told(on_file) == [{"seal": "a", "sign": "x"}]


def test_whatever_of_a_round_fails_the_rest_is_done(on_file: TrailRig) -> None:
    done: list[str] = []

    def fails() -> None:
        done.append("failed")
        raise StoreDownError("on purpose")

    rounds = TrailRounds(on_file.trail, on_file.signer, store=on_file.store, clock=on_file.clock)
    rounds.also(lambda: done.append("before"))
    rounds.also(fails)
    rounds.also(lambda: done.append("after"))
    on_file.fill(1)

    with pytest.raises(StoreDownError, match="on purpose"):
        rounds.once()

    assert sorted(done) == ["after", "before", "failed"]
    assert [head.seq for head in on_file.keeper.heads()] == [1]
