"""What of a text may stand in a recording: what gives nobody and nothing away.

By what a value is called (`otp=…`, `"client_secret": "…"`), by where it stands (in an address of a
page, beside the word "code"), and by its looks. The recorder in the page has the same rules
(static/messenger-inspector.js); tests/vectors/redaction.json holds both to them.
"""

import re
import unicodedata
from typing import Final

MOST_TEXT: Final = 120
HIDDEN: Final = "…"

_ENCODED: Final = re.compile(r"(?:%|\\u00|\\x|&#x)([2-7][0-9a-f]);?", re.IGNORECASE)
_ENTITY: Final = re.compile(r"&#(3[2-9]|[4-9]\d|1[01]\d|12[0-6]);")
_UNSEEN: Final = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
_MAIL: Final = re.compile(
    r"\S+(?:@|&commat;?|\s?[\[({]at[\])}]\s?)\S+"
    r"|\S+\sat\s\S+(?:\sdot\s|\s?[\[(]dot[\])]\s?)[a-z]{2,}\b",
    re.IGNORECASE,
)
_PLACE: Final = re.compile(r"\S*://\S*|[?#]\S*=\S*")
_NAMED: Final = re.compile(
    r"([^\W\d_][\w.-]*)[\"'\\\])]*(?:\s*(?:=>|[=:])\s*|(\s+(?:is|was|ist|lautet)\s+))"
)
_QUOTED: Final = re.compile(r"\\*([\"'])(?:\\.|(?!\1).)*\1?", re.DOTALL)
_WORD: Final = re.compile(r"(?:(?:bearer|basic|digest|dpop)\s+)?[^\s&;,\"'<>)\]}]*", re.IGNORECASE)
_CLAUSE: Final = re.compile(r"[^&;,\n]*")
_LINE: Final = re.compile(r"[^\n]*")
_HEADER: Final = re.compile(r"cookie2?$|authorization$", re.IGNORECASE)
_SCHEME: Final = re.compile(r"\b(bearer|basic|digest|dpop)\s+[^\s,;\"']+", re.IGNORECASE)
_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+")

_SECRET_WORDS: Final = frozenset(
    re.findall(
        r"\w+",
        "code codes state totp pin puk tan sid nonce key auth sig sub hint ticket jti pwd pass mail"
        " phone tel mobile user username login cookie bearer cvv cvc iban ssn device challenge"
        " signature csrf xsrf saml pw hmac nickname dob upn",
    )
)
_SECRET_PARTS: Final = re.compile(
    r"token|secret|passw|passphrase|passcode|passkey|apikey|privatekey|credential|session|sessid|dpop|verifier|otp|jwt"
    r"|email|assertion|authoriz|onetime|givenname|familyname|firstname|lastname|fullname|birth"
    r"|kennwort|contrase|senha|motdepasse|código|codigo|codice|wachtwoord"
)
_WHATEVER_IT_SAYS: Final = re.compile(
    r"secret|pass|pwd|pw$|otp|pin|puk|tan|name|birth|kennwort|contrase|senha|wachtwoord"
)
_ABOUT_CODES: Final = re.compile(
    r"code|código|codigo|codice|otp|\bpin\b|\btan\b|one.?time|verif|2fa|mfa|\bsms\b", re.IGNORECASE
)
_DIGITS: Final = re.compile(
    r"(?:\b(?:rfc|status|closed?) \d{4}\b|\b\d{4,7} ?(?:ms|bytes|kb)\b)"
    r"|(?<![\w…])(?:[a-z]{1,3}-)?"
    r"(?:\d{4,19}|\d(?:[ -]\d){3,9}|\d{2,4}[ -]\d{2,4}(?:[ -]\d{2,4})?)(?!\w)",
    re.IGNORECASE,
)
_ALLOWED_DIGITS: Final = re.compile(
    r"(?:rfc|status|closed?) \d{4}|\d{4,7} ?(?:ms|bytes|kb)", re.IGNORECASE
)
_LETTERS_AND_DIGITS: Final = re.compile(
    r"(?<![\w…])(?=[a-z_-]*\d)(?=[\d_-]*[a-z])[a-z\d_-]{4,12}(?!\w)", re.IGNORECASE
)
_CAPITALS: Final = re.compile(r"(?<![\w…])[A-Z]{4,12}(?!\w)")
_PHONE: Final = re.compile(r"\+?\d[\d\s().-]{7,}\d")
_MIXED: Final = re.compile(r"(?=[a-z_~+/=-]*\d)(?=[\d_~+/=-]*[a-z])[\w~+/=-]{10,}", re.IGNORECASE)
_LONG: Final = re.compile(r"[\w.~+/=%-]{20,}")
_KNOWN_EVENT: Final = re.compile(
    r"(?:Auth|AuthProvider|MessagingService|Messenger|GenesysJS|Launcher|Conversations|Database"
    r"|Journey|Identifiers|Toaster|MobileMessenger|BusPlugin|CobrowseService|Offersend"
    r"|EngageContentOffer)(?:\.[A-Za-z]{1,32}){1,2}"
)
_KNOWN_WORDS: Final = frozenset(
    re.findall(
        r"\w+",
        "access account answer attempt attributes authenticated at connections consent credentials"
        " denied ended error expired failed genesys in incomplete interaction internal invalid"
        " large leaves led limited logged login logout many messenger mismatch missing mode needed"
        " never nowhere offline online outcome out permission person provider rate ready"
        " reauthenticate recording redirect refresh refused request required scope selection"
        " server service session sign signed signing state store supported tabs temporarily"
        " together token too unavailable unknown unsupported untold uri without wrong client grant"
        " response type unauthorized",
    )
)


def without_secrets(text: str) -> str:
    """Return a short text in which nothing is a secret by its name, its place or its looks."""
    short = text[: MOST_TEXT * 4]
    if len(text) > len(short):
        # What is cut in two is known by neither half.
        short = re.sub(r"\S*$", HIDDEN, short)
    plain = _PLACE.sub(HIDDEN, _MAIL.sub(HIDDEN, _decoded(short)))
    plain = _without_named(_SCHEME.sub(rf"\1 {HIDDEN}", plain))
    looks = [_DIGITS, _PHONE, _MIXED, _LONG]
    if _ABOUT_CODES.search(plain):
        looks += [_LETTERS_AND_DIGITS, _CAPITALS]
    for pattern in looks:
        plain = pattern.sub(_unless_known, plain)
    return plain[:MOST_TEXT]


def _decoded(text: str) -> str:
    """Return what a text says when every layer of percent signs and entities is taken off it."""
    while True:
        plain = _ENCODED.sub(lambda found: chr(int(found[1], 16)), text)
        plain = _UNSEEN.sub("", _ENTITY.sub(lambda found: chr(int(found[1])), plain))
        # Wide letters are letters; but what was hidden before stays as it is.
        parts = plain.split(HIDDEN)
        plain = HIDDEN.join(unicodedata.normalize("NFKC", part) for part in parts)
        if plain == text:
            return plain
        text = plain


def _without_named(text: str) -> str:
    """Hide the value behind each name of a secret."""
    kept, place = "", 0
    while found := _NAMED.search(text, place):
        kept += text[place : found.end()]
        place = found.end()
        if _is_secret(found[1]):
            end = _end_of_value(found[1], text, place)
            stays = _may_stay(found[1], text[place:end], spoken=found[2] is not None)
            kept += text[place:end] if stays else HIDDEN
            place = end
    return kept + text[place:]


def _is_secret(name: str) -> bool:
    words = [word.lower() for word in _WORDS.findall(name)]
    return not _SECRET_WORDS.isdisjoint(words) or bool(_SECRET_PARTS.search("".join(words)))


def _end_of_value(name: str, text: str, place: int) -> int:
    if text[place : place + 1] in {"[", "{"}:
        return len(text)
    found = _QUOTED.match(text, place)
    if found is None:
        # A pass phrase has blanks in it, and a header of several pairs ends with its line.
        whole = _CLAUSE if _WHATEVER_IT_SAYS.search(name.lower()) else _WORD
        whole = _LINE if _HEADER.search(name) else whole
        found = whole.match(text, place)
    return place if found is None else found.end()


def _may_stay(name: str, value: str, *, spoken: bool) -> bool:
    """Say whether a value is a word: of a sentence, or one that our codes are made of."""
    if _WHATEVER_IT_SAYS.search(name.lower()):
        return False
    word = value.strip("\\\"'.")
    return _is_known(word) or (spoken and re.fullmatch(r"[a-z]+", word) is not None)


def _is_known(text: str) -> bool:
    if _KNOWN_EVENT.fullmatch(text):
        return True
    return all(word in _KNOWN_WORDS for word in re.split(r"[_-]", text))


def _unless_known(found: re.Match[str]) -> str:
    text = found.group()
    return text if _ALLOWED_DIGITS.fullmatch(text) or _is_known(text) else HIDDEN
