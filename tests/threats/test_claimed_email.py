"""A page claims somebody else's e-mail: what is done with an address must know whose word it is."""

from pathlib import Path

from security_model import Asset, Attacker, threat
from shared_computer import SharedComputer, shared_computer

from bff.record_ports import GuestRow


def row_of(computer: SharedComputer, guest_id: str) -> GuestRow:
    computer.settles()
    row = computer.records.guests.rows.find(guest_id)
    assert row is not None
    return row


@threat(
    Attacker.STRANGER,
    Asset.RECORD,
    can="have a record of their own with somebody else's e-mail, marked as unverified",
)
def test_a_claim_is_marked_and_never_takes_the_place_of_a_sign_ins_word(tmp_path: Path) -> None:
    with shared_computer(tmp_path) as computer:
        claim = {"email": "victim@example.com"}
        created = computer.says("hello", profile=claim)
        claimed = row_of(computer, created["guestId"])
        assert claimed.email_verified is False
        computer.signs_in("amira")
        with computer.page() as page:
            assert page.created["guestId"] == created["guestId"]
            page.until("session_authenticated")
        verified = row_of(computer, created["guestId"])
        assert verified.email_verified is True
        assert verified.email != claimed.email
        with computer.page(profile=claim) as page:
            assert page.created["resumed"] is True
        again = row_of(computer, created["guestId"])
        assert (again.email, again.email_verified) == (verified.email, True)
