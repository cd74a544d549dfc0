"""An e-mail and a telephone number have one form each, however they are written."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.records.contact_forms import former_emails, normal_email, normal_phone

AMIRA = "amira@münchen.example"
SPELLINGS = [
    "amira@münchen.example",
    "  Amira@MÜNCHEN.Example\n",
    unicodedata.normalize("NFD", "AMIRA@MÜNCHEN.EXAMPLE"),
    "amira@xn--mnchen-3ya.example",
    "AMIRA@XN--MNCHEN-3YA.EXAMPLE.",
    "amira＠münchen。example",  # noqa: RUF001 - as some keyboards write it
    "amira\u200b@mün\u00adchen.example",
    "\ufeff\u202aamira@münchen.example\u202c",
    "mailto:amira@münchen.example",
    "<amira@münchen.example>",
    "amira @ münchen.example.",
    "Amira Haddad <Amira@münchen.example>",
    '"Haddad, Amira" <mailto:amira@münchen.example>',
    "mailto:amira%40m%C3%BCnchen.example?subject=Erase%20me",
]


@pytest.mark.parametrize("spelled", SPELLINGS)
def test_one_address_has_one_form(spelled: str) -> None:
    assert normal_email(spelled) == AMIRA


@pytest.mark.parametrize(
    ("one", "another"),
    [
        ("a@straße.example", "a@strasse.example"),
        ("strauß@b.example", "strauss@b.example"),
        ("a@b.example", "a@b.example.org"),
        ("a.b@c.example", "ab@c.example"),
        ("a+b@c.example", "a@c.example"),
        ("а@b.example", "a@b.example"),  # noqa: RUF001 - a Cyrillic letter is another one
    ],
)
def test_two_addresses_have_two(one: str, another: str) -> None:
    assert normal_email(one) != normal_email(another)


@given(st.text(max_size=40))
def test_a_form_has_itself_as_its_form_and_nothing_breaks_it(text: str) -> None:
    once = normal_email(text)
    assert normal_email(once) == normal_email(normal_email(once))
    assert normal_phone(text) in {"", normal_phone(normal_phone(text))}
    assert list(former_emails(text))


@pytest.mark.parametrize("kept_as", ["amira@münchen.example", "amira@xn--mnchen-3ya.example"])
@pytest.mark.parametrize("asked_as", SPELLINGS)
def test_what_the_version_before_wrote_is_looked_for_as_well(kept_as: str, asked_as: str) -> None:
    for form in ("NFC", "NFD"):
        before = unicodedata.normalize(form, kept_as).strip().casefold()
        assert before in set(former_emails(asked_as))


@pytest.mark.parametrize(
    ("spelled", "form"),
    [
        ("+49 170 1234567", "+491701234567"),
        ("0049-170-123.45.67", "+491701234567"),
        ("+49 (0) 170 / 1234567", "+491701234567"),
        ("+49 (0)1701234567", "+491701234567"),
        ("tel:+491701234567", "+491701234567"),
        ("＋４９１７０１２３４５６７", "+491701234567"),  # noqa: RUF001 - full width
        ("0170 1234567", "01701234567"),
        ("\u202a+49\u00a0170\u20111234567", "+491701234567"),
        ("call me", ""),
        ("1234", ""),
        ("", ""),
        ("12345 or 6789", ""),
    ],
)
def test_a_number_has_one_form(spelled: str, form: str) -> None:
    assert normal_phone(spelled) == form
