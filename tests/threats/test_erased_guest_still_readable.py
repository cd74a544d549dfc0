"""Row 41: an erased guest still readable, in a backup, the trail, a cache, or by coming back.

What older copies of both databases open is in tests/erasure/test_shredding.py.
"""

import json
from pathlib import Path

from erasure_rig import ASKER, BROWSER, DEVICE, PROFILE, TOKEN, erasure_rig
from hand_clock import HandClock
from security_model import Asset, Attacker, threat

from bff.records.erasure import Erased
from bff.records.guest_export import export_guest
from bff.records.guest_memory import GuestFacts, Recall


@threat(
    Attacker.STORE_OWNER,
    Asset.ERASURE,
    can="Read all files of the service after an erasure: no word of the guest is in them",
)
def test_no_file_of_the_service_has_a_word_of_an_erased_guest(tmp_path: Path) -> None:
    """Store, records and keys, with their side files: as a copy of the disk would have them."""
    with erasure_rig(tmp_path, f"sqlite:///{tmp_path / 'records.sqlite3'}") as rig:
        rig.remember()
        rig.bind(person="pairwise-of-amira")
        rig.guests.erasure.ask("guest-1", ASKER)
        rig.told()
        disk = b"".join(file.read_bytes() for file in sorted(tmp_path.iterdir()))
    for word in (*PROFILE.values(), TOKEN, DEVICE, BROWSER, "pairwise-of-amira"):
        assert word.encode() not in disk, word


@threat(
    Attacker.NEXT_USER,
    Asset.ERASURE,
    can="Come back with the cookie and the device of an erased guest: nothing is known of them",
)
def test_neither_the_browser_nor_an_export_gets_anything_back(tmp_path: Path) -> None:
    with erasure_rig(tmp_path, f"sqlite:///{tmp_path / 'records.sqlite3'}") as rig:
        rig.remember()
        came, guest = rig.guests.memory.recall(
            device_id=DEVICE, browser_secret=BROWSER, person=None
        )
        assert came is Recall.RESUMED
        assert guest is not None
        assert rig.guests.erasure.ask("guest-1", ASKER) is Erased.DONE
        assert rig.guests.memory.recall(device_id=DEVICE, browser_secret=BROWSER, person=None) == (
            Recall.UNKNOWN,
            None,
        )
        rig.records.settle()
        known = json.dumps(
            export_guest(
                "guest-1",
                guests=rig.guests,
                keeper=rig.records.keeper,
                purposes=rig.records.keys,
            )
        )
        assert "guest_erased" in known, "that it was erased can be proved"
        for word in (*PROFILE.values(), TOKEN):
            assert word not in known


def test_an_older_copy_of_the_keys_opens_nothing_either_without_the_rows(tmp_path: Path) -> None:
    url, clock = f"sqlite:///{tmp_path / 'records.sqlite3'}", HandClock()
    keys = tmp_path / "store-keys.sqlite3"
    with erasure_rig(tmp_path, url, clock=clock) as rig:
        rig.remember()
    older = keys.read_bytes()
    with erasure_rig(tmp_path, url, clock=clock) as rig:
        rig.guests.erasure.ask("guest-1", ASKER)
    keys.write_bytes(older)
    with erasure_rig(tmp_path, url, clock=clock) as rig:
        assert rig.guests.keys.find("guest-1") is not None, "the key is back"
        assert rig.guests.memory.profile_of("guest-1") is None
        assert not rig.guests.memory.write(GuestFacts(guest_id="guest-1", at=clock.now()))
        assert rig.guests.erasure.ask("guest-1", ASKER) is Erased.ALREADY
        assert rig.guests.keys.find("guest-1") is None, "and goes when it is asked for again"
