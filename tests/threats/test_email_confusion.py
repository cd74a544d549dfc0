"""People are known by issuer and subject; an e-mail address is a claim, and must look like one."""

import pytest
from bff_rig import BffRig
from security_model import Asset, Attacker, threat

from bff.signin.claims_map import mapped_claims
from bff.signin.fingerprints import PairwiseSubjects

NAMES = {"email": "email", "given_name": "given_name"}


@pytest.mark.parametrize(
    "email",
    [
        "a@evil@corp.example",
        "a@evil.example,b@corp.example",
        "<a@corp.example>",
        "a @corp.example",
        "a@corp.example\n",
        "@corp.example",
        "a@",
        "a",
        "",
        ["a@corp.example"],
        42,
        "a" * 300 + "@corp.example",
    ],
)
def test_what_is_no_address_is_left_out(email: object) -> None:
    assert mapped_claims({"email": email, "given_name": "Amira"}, NAMES) == {"given_name": "Amira"}


def test_an_address_that_the_provider_did_not_verify_is_left_out(bff: BffRig) -> None:
    browser = bff.browser()

    browser.sign_in("ben")

    assert browser.session()["email"] == ""
    assert browser.session()["name"] == "Ben Carter"


@threat(
    Attacker.PROVIDER,
    Asset.SESSION,
    can="Use the subject or the e-mail address of another provider's user: a different user here",
)
def test_the_same_subject_at_another_issuer_is_another_person() -> None:
    subjects = PairwiseSubjects(b"s" * 32)

    here = subjects.subject(sector="genesys", issuer="https://a.example", subject="1")
    there = subjects.subject(sector="genesys", issuer="https://a.example1", subject="")
    elsewhere = subjects.subject(sector="genesys", issuer="https://b.example", subject="1")

    assert len({here, there, elsewhere}) == 3
    assert here == subjects.subject(sector="genesys", issuer="https://a.example", subject="1")
