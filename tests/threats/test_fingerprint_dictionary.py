"""Whoever has a copy of the records tries every device id and e-mail there is against it."""

import hashlib
import hmac
from pathlib import Path

from records_rig import TENANT, RecordsRig, running_records
from security_model import Asset, Attacker, threat

from bff.records.purpose_keys import PurposeKeys

DEVICES = [f"device-{number}" for number in range(500)]
EMAILS = [f"user{number}@example.com" for number in range(500)]


def guesses(word: str) -> list[str]:
    """Return what a plain hash would be, in the ways that people hash."""
    framed = b"".join(
        len(part).to_bytes(4, "big") + part for part in (TENANT.encode(), word.encode())
    )
    texts = [word, f"{TENANT}{word}", f"{TENANT}:{word}", f"device{word}", f"email{word}"]
    plain = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
    keyless = [hmac.digest(key, framed, "sha256").hex() for key in (b"", b"device", bytes(32))]
    other = PurposeKeys(b"another installation's secret 32").fingerprint("device", TENANT, word)
    return [*plain, hashlib.sha256(framed).hexdigest(), *keyless, other]


def written(rig: RecordsRig) -> set[str]:
    for device, email in zip(DEVICES[:3], EMAILS[:3], strict=True):
        facts = rig.facts(
            device, device_id=device, browser_secret="b" * 43, profile={"email": email}
        )
        assert rig.memory.write(facts)
    rows = [rig.rows.find(device) for device in DEVICES[:3]]
    return {print_ for row in rows if row for print_ in (row.device, row.email) if print_}


@threat(
    Attacker.DATABASE_OWNER,
    Asset.RECORD,
    can="Try every device id and e-mail on the fingerprints: none fits without the settings",
)
def test_without_the_key_no_guess_meets_a_fingerprint(tmp_path: Path) -> None:
    with running_records(f"sqlite:///{tmp_path / 'records.sqlite3'}") as rig:
        stored = written(rig)
        assert len(stored) == 6
        for word in [*DEVICES, *EMAILS]:
            assert not stored & set(guesses(word)), word


def test_one_purpose_says_nothing_about_another(tmp_path: Path) -> None:
    keys = PurposeKeys(bytes(32))
    purposes = ("device", "email", "person", "browser", "audit-guest")
    assert len({keys.fingerprint(purpose, TENANT, "same") for purpose in purposes}) == 5
    assert keys.fingerprint("device", "ab", "c") != keys.fingerprint("device", "a", "bc")
    with running_records(f"sqlite:///{tmp_path / 'records.sqlite3'}") as rig:
        assert rig.memory.write(
            rig.facts("same", device_id="same", person="same", browser_secret="same")
        )
        row = rig.rows.find("same")
        assert row is not None
        assert len({row.device, row.person, row.browser}) == 3
