"""One form for each e-mail address and telephone number, however it is written."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

_PUNYCODE: Final = "xn--"
_DOTS: Final = str.maketrans({"\u3002": ".", "\uff0e": ".", "\uff61": "."})  # IDNA2003, section 3.1
_PREFIX: Final = re.compile(r"^(?:mailto:|tel:)", re.IGNORECASE)
_MAILTO: Final = re.compile(r"mailto:", re.IGNORECASE)
_TRUNK_ZERO: Final = re.compile(r"\(\s*0\s*\)")
LEAST_DIGITS: Final = 5


def normal_email(text: str) -> str:
    """Return the form under which an e-mail address is compared and looked for.

    Unicode NFKC, in lower case (not folded: straße.example is not strasse.example), without
    blanks around and without characters that nobody sees; the domain with its letters instead of
    punycode, and without a dot at its end. It is for comparing, not for sending to.
    """
    plain = _bare(_visible(text).strip())
    local, at, domain = plain.rpartition("@")
    if not at:
        return plain
    labels = domain.strip().translate(_DOTS).rstrip(".").split(".")
    return f"{local.strip()}@{'.'.join(map(_in_letters, labels))}"


def former_emails(text: str) -> Iterator[str]:
    """Yield forms under which the version before may have kept the same address.

    It only stripped and folded what it was given, so each way of writing was another address.
    """
    normal = normal_email(text)
    local, _, domain = normal.rpartition("@")
    in_ascii = f"{local}@{'.'.join(map(_in_punycode, domain.split('.')))}"
    seen = set()
    for spelled in (text, normal, in_ascii):
        for form in (spelled, *(unicodedata.normalize(kind, spelled) for kind in ("NFC", "NFD"))):
            folded = form.strip().casefold()
            if folded not in seen:
                seen.add(folded)
                yield folded


def normal_phone(text: str) -> str:
    """Return the digits of a telephone number, `+` before them if it is international.

    Empty if it is none. `00` counts as `+`. Without a country code it is compared as it is.
    """
    plain = _TRUNK_ZERO.sub("", _PREFIX.sub("", _visible(text).strip()))
    if not all(letter in "+()-./ \t" or letter.isdecimal() for letter in plain):
        return ""
    digits = "".join(str(unicodedata.decimal(letter)) for letter in plain if letter.isdecimal())
    if len(digits) < LEAST_DIGITS:
        return ""
    if plain.startswith("+"):
        return f"+{digits}"
    return f"+{digits[2:]}" if digits.startswith("00") else digits


def _bare(text: str) -> str:
    """Return an address without what stands around it: `Name <…>`, `mailto:…?subject=…`."""
    if text.endswith(">"):
        text = text.removesuffix(">").rpartition("<")[2]
    text = text.strip().strip("<>").strip()
    if _MAILTO.match(text):
        text = unquote(text.partition("?")[0])  # RFC 6068
    return _PREFIX.sub("", text)


def _visible(text: str) -> str:
    """Return NFKC in lower case, without formatting characters (zero width, direction …)."""
    lowered = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).lower())
    kept = (letter for letter in lowered if unicodedata.category(letter) not in {"Cf", "Cc"})
    return "".join(kept).replace("\u2010", "-").replace("\u2011", "-")


def _in_letters(label: str) -> str:
    if not label.startswith(_PUNYCODE):
        return label
    try:
        letters = label.removeprefix(_PUNYCODE).encode("ascii").decode("punycode")
    except UnicodeError:
        return label
    return unicodedata.normalize("NFKC", letters.lower())


def _in_punycode(label: str) -> str:
    if label.isascii():
        return label
    return _PUNYCODE + label.encode("punycode").decode("ascii")
