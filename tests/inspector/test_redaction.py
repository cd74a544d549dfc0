"""Whatever a text is made of, no secret of a known name, place or look is in what is kept of it."""

import json
import string
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.inspector.redaction import MOST_TEXT, without_secrets

VECTORS: Final = json.loads(
    (Path(__file__).parent.parent / "vectors" / "redaction.json").read_text("utf-8")
)["texts"]
NAMES: Final = [
    *("code", "state", "token", "id_token", "access_token", "refresh_token", "client_secret"),
    *("password", "otp", "pin", "session", "sid", "nonce", "code_verifier", "assertion"),
    *("api_key", "login_hint", "jwt", "authorization", "csrf_token", "email", "phone_number"),
    *("client_assertion", "id_token_hint", "one_time_code", "session_id", "user_name"),
]


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


SPELLINGS: Final[list[Callable[[str], str]]] = [
    str,
    str.upper,
    camel,
    lambda name: name.replace("_", "-"),
    lambda name: name.replace("_", "."),
    lambda name: "x_" + name,
    lambda name: "urn:" + name,
]
FORMS: Final[list[Callable[[str, str], str]]] = [
    lambda name, value: f"{name}={value}",
    lambda name, value: f"{name}: {value}",
    lambda name, value: f"{name} = '{value}'",
    lambda name, value: f"/callback?a=1&{name}={value}&b=2",
    lambda name, value: f"https://brand.example/x#{name}={value}",
    lambda name, value: f"https://{value}@brand.example/{name}",
    lambda name, value: json.dumps({"a": 1, name: value, "b": [2]}),
    lambda name, value: json.dumps(json.dumps({name: value})),
    lambda name, value: json.dumps({name: {"deep": [value]}}),
    lambda name, value: f"failed: a=1;{name}={value};b=2",
    lambda name, value: f"the {name} is {value}.",
]
LAYERS: Final[list[Callable[[str], str]]] = [
    str,
    lambda text: quote(text, safe=""),
    lambda text: quote(quote(text, safe=""), safe=""),
    lambda text: "".join(f"%{ord(one):02x}" if one in "=@:&" else one for one in text),
]
# Not words of ours, and with a digit, so that a sentence about a state stays a sentence.
VALUES: Final = st.builds(
    lambda head, digit, tail: head + digit + tail,
    st.text(string.ascii_letters + string.digits + "_-", min_size=3, max_size=30),
    st.sampled_from(string.digits),
    st.text(string.ascii_letters, min_size=1, max_size=10),
)


@pytest.mark.parametrize(("text", "kept"), VECTORS)
def test_the_vectors(text: str, kept: str) -> None:
    assert without_secrets(text) == kept


@given(
    name=st.sampled_from(NAMES),
    spelled=st.sampled_from(SPELLINGS),
    form=st.sampled_from(FORMS),
    layer=st.sampled_from(LAYERS),
    value=VALUES,
)
def test_no_value_of_a_known_name_is_kept(
    name: str,
    spelled: Callable[[str], str],
    form: Callable[[str, str], str],
    layer: Callable[[str], str],
    value: str,
) -> None:
    kept = without_secrets(layer(form(spelled(name), value)))

    assert value not in kept


@given(
    digits=st.text(string.digits, min_size=4, max_size=8),
    words=st.sampled_from(
        [
            *("Your code is {}", "{} is your code", "Use {} to sign in", "OTP {}", "otp:{}"),
            *("PIN ({})", "code {}", "Enter {} now.", "TAN={}", "G-{}", "code\n{}", "[{}]"),
        ]
    ),
    layer=st.sampled_from(LAYERS),
)
def test_no_one_time_code_is_kept(digits: str, words: str, layer: Callable[[str], str]) -> None:
    assert digits not in without_secrets(layer(words.format(digits)))


@given(
    local=st.text(string.ascii_lowercase + ".+-_", min_size=1, max_size=20),
    layers=st.integers(0, 4),
    around=st.sampled_from(["{}", "user {} unknown", "<{}>", "mailto:{}", "a,{},b"]),
)
def test_no_mail_address_is_kept_however_often_it_is_encoded(
    local: str, layers: int, around: str
) -> None:
    address = f"{local}@people.example"
    text = address
    for _ in range(layers):
        text = quote(text, safe="")
    kept = without_secrets(around.format(text))
    assert "people" not in kept
    assert "@" not in kept


@given(st.text(max_size=700))
def test_whatever_comes_is_short_and_looking_twice_changes_no_length(text: str) -> None:
    kept = without_secrets(text)
    assert len(kept) <= MOST_TEXT
    assert len(without_secrets(kept)) <= MOST_TEXT


@given(filler=st.integers(440, 500), value=VALUES)
def test_a_secret_that_is_cut_in_two_is_in_neither_half(filler: int, value: str) -> None:
    text = "x" * 30 + " " + "y" * (filler - 31) + " password=" + value
    kept = without_secrets(text)
    assert value[:4] not in kept.replace("password=", "")


def test_a_long_text_takes_no_time() -> None:
    for one in ("a=", "%25", "@ ", '"', "\\", "1 ", "x.", "code ", "{[", "--1", "http://"):
        without_secrets(one * 100_000)
