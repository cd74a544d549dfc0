"""Which claims become ours: a verified e-mail, and text that everybody can store and read."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.identity_settings import OUR_CLAIMS, ProviderSettings
from bff.signin.claims_map import MAX_CLAIM_CHARS, mapped_claims

NAMES = {name: name for name in OUR_CLAIMS}
EMAIL = "amira@example.com"


def email_of(**claims: Any) -> str | None:
    return mapped_claims({"email": EMAIL, **claims}, NAMES).get("email")


@pytest.mark.parametrize("said", [True, "true"])
def test_an_email_counts_if_the_provider_has_verified_it(said: object) -> None:
    assert email_of(email_verified=said) == EMAIL


@pytest.mark.parametrize(
    "said", [False, "false", "False", "TRUE", "yes", "1", 1, 0, None, "", [], [True], {}, "true "]
)
def test_anything_else_is_no_yes(said: object) -> None:
    assert email_of(email_verified=said) is None
    loose = mapped_claims({"email": EMAIL, "email_verified": said}, NAMES, unverified_email=True)
    assert "email" not in loose, "the setting is for silence, not for a no"


def test_silence_is_a_setting() -> None:
    assert email_of() is None
    assert mapped_claims({"email": EMAIL}, NAMES, unverified_email=True) == {"email": EMAIL}


@pytest.mark.parametrize(
    "email",
    [
        *("a@evil@corp.example", "a@corp.example\n", " a@corp.example", "a@corp.example\x00"),
        *("a\u202e@corp.example", "a\ud800@corp.example", "@corp.example", "a@", "", 42, {}),
        "a" * 300 + "@corp.example",
    ],
)
def test_an_email_is_one_to_the_letter_or_none(email: object) -> None:
    assert mapped_claims({"email": email, "email_verified": True}, NAMES) == {}


def test_of_a_list_the_first_text_counts() -> None:
    claims = {"email": [7, EMAIL, "second@example.com"], "email_verified": True, "name": ["A", "B"]}

    assert mapped_claims(claims, NAMES) == {"email": EMAIL, "name": "A"}
    assert mapped_claims({"name": []}, NAMES) == {}
    assert mapped_claims({"name": [["A"]]}, NAMES) == {}


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("Ami\ud83dra", "Amira"),
        ("\udc00Amira", "Amira"),
        ("Amira\x00\x1b[31m", "Amira[31m"),
        ("Ami\r\nra", "Amira"),
        ("\u202eamirA", "amirA"),
        ("  Amira ", "Amira"),
        ("Zoë Łukasik", "Zoë Łukasik"),
        ("李小龍 🎉", "李小龍 🎉"),
        ("Mary-Jane O'Neill", "Mary-Jane O'Neill"),
        ("נועה", "נועה"),
    ],
)
def test_a_name_keeps_what_can_be_read(name: str, kept: str) -> None:
    assert mapped_claims({"name": name}, NAMES) == {"name": kept}


@given(st.dictionaries(st.sampled_from([*OUR_CLAIMS, "email_verified"]), st.from_type(object)))
def test_whatever_a_provider_says_is_stored_printed_and_sent(claims: dict[str, Any]) -> None:
    check(mapped_claims(claims, NAMES, unverified_email=True))


@given(st.text(alphabet=st.characters(), max_size=40))
def test_whatever_a_name_is_made_of(name: str) -> None:
    check(mapped_claims({"name": name + "\ud800"}, NAMES))


def check(kept: dict[str, str]) -> None:
    for value in kept.values():
        assert value.encode()
        assert 0 < len(value) <= MAX_CLAIM_CHARS
        assert not any(ord(letter) < 32 or ord(letter) == 127 for letter in value)


def settings(**claims: str) -> ProviderSettings:
    return ProviderSettings.model_validate(
        {
            "issuer": "https://idp.example",
            "client_id": "us",
            "client_secret": "s" * 32,
            "claims": claims,
        }
    )


def test_naming_one_claim_keeps_the_others() -> None:
    assert settings(email="preferred_username").claims == {**NAMES, "email": "preferred_username"}


def test_a_claim_that_is_none_of_ours_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="names mail, which are none of ours"):
        settings(mail="email")
