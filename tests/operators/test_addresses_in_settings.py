"""Addresses in settings: the scheme that counts is the one that is dialled, however spelled."""

from pathlib import Path

import pytest
from bff_rig import environment

from bff.errors import SettingsError
from bff.settings import Settings

ISSUER = "https://id.example"


def read(name: str, value: str) -> Settings:
    return Settings.read(environment(ISSUER, **{name: value}))


def refusal(name: str, value: str) -> str:
    with pytest.raises(SettingsError) as refused:
        read(name, value)
    (line,) = refused.value.detail.splitlines()
    assert line.startswith(name)
    return line


@pytest.mark.parametrize(
    "place",
    [
        *("http://copies.example/heads", "HTTP://copies.example/heads", "Http:copies.example"),
        *("http://127.0.0.1:9/heads", "http://localhost/heads", " http://copies.example"),
        *("ftp://copies.example/heads", "ftp:", "FTP:/x", "s3://bucket/heads", "ws://x/y"),
        *("file:///var/heads", "FILE:/var/heads", "data:text/plain,x", "javascript:x"),
        *("https:", "https:/copies.example", "https://", "https:///heads", "https://user:pw@"),
        *("https://:443/heads", "https://copies.example:99999/", "https://copies.example:x/"),
        *("https://copies example/", "https://copies.example/\t", "https://a\\@b/", "./a://b"),
        *("//copies.example/heads", "heads/", "/", "."),
    ],
)
def test_heads_are_kept_in_a_file_or_over_https(place: str) -> None:
    if place in {"//copies.example/heads", "https://copies.example/\t"}:
        # A path, as odd as it is; and spaces around a value are nobody's.
        assert read("BFF_AUDIT_HEADS", place).audit_heads == place.strip()
        return
    refusal("BFF_AUDIT_HEADS", place)


@pytest.mark.parametrize(
    ("place", "kept"),
    [
        ("heads.jsonl", "heads.jsonl"),
        ("/var/lib/bff/heads.jsonl", "/var/lib/bff/heads.jsonl"),
        ("https://copies.example/heads?a=b", "https://copies.example/heads?a=b"),
        ("HTTPS://user:pw@copies.example/Heads", "https://user:pw@copies.example/Heads"),
    ],
)
def test_these_are(place: str, kept: str) -> None:
    assert read("BFF_AUDIT_HEADS", place).audit_heads == kept


def test_a_folder_keeps_no_heads(tmp_path: Path) -> None:
    assert "neither a file" in refusal("BFF_AUDIT_HEADS", str(tmp_path))


@pytest.mark.parametrize("name", ["BFF_RECORDS_URL", "BFF_STORE_URL"])
@pytest.mark.parametrize(
    "url",
    ["sqlite:x.db", "sqlite://x.db", "sqlite:///", "sqlite:///:memory:", "sqlite:///a/", "SQLITE:"],
)
def test_a_file_is_named_as_one(name: str, url: str) -> None:
    assert "names no file" in refusal(name, url)


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    assert "names no file" in refusal("BFF_RECORDS_URL", f"sqlite:///{tmp_path}")


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("BFF_RECORDS_URL", "POSTGRESQL://h/records"),
        ("BFF_RECORDS_URL", "SQLite:////var/lib/records.db"),
        ("BFF_STORE_URL", "SQLITE:////var/lib/store.db"),
        ("BFF_STORE_URL", "Redis://h:6379/0"),
        ("BFF_STORE_URL", "REDISS://h/0"),
        ("BFF_STORE_URL", "Redis+Sentinel://u:p@h:26379,[::1]:26380,k/sessions"),
        ("BFF_STORE_URL", "rediss+sentinel://h/sessions/3?ssl_ca_certs=/ca.pem"),
    ],
)
def test_large_letters_are_small_ones(name: str, url: str) -> None:
    scheme, _, rest = url.partition(":")

    settings = read(name, url)

    assert getattr(settings, name.removeprefix("BFF_").lower()) == f"{scheme.lower()}:{rest}"
    assert settings.embedded is not settings.store_url.startswith("redis")


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("BFF_RECORDS_URL", "postgresql:records"),
        ("BFF_RECORDS_URL", "postgresql://user:pass-word@h:port/records"),
        ("BFF_RECORDS_URL", "postgresql://h ost/records"),
        ("BFF_RECORDS_URL", "postgresql+psycopg2://h/records"),
        ("BFF_RECORDS_URL", "postgres://h/records"),
        ("BFF_RECORDS_URL", "http://h/records"),
        ("BFF_RECORDS_URL", "/var/lib/records.db"),
        ("BFF_STORE_URL", "redis:h"),
        ("BFF_STORE_URL", "redis://:pass-word@h:99999/0"),
        ("BFF_STORE_URL", "store.sqlite3"),
        ("BFF_STORE_URL", "redis+sentinel://:pass-word@h:26379"),
        ("BFF_STORE_URL", "redis+sentinel://:pass-word@h:26379,k:port/sessions"),
        ("BFF_STORE_URL", "redis+sentinel://:pass-word@h:99999,k/sessions"),
        ("BFF_STORE_URL", "redis+sentinel://:pass-word@h,,k/sessions"),
        ("BFF_STORE_URL", "redis+sentinel://:pass-word@/sessions"),
        ("BFF_STORE_URL", "redis+sentinel://:pass-word@h/sessions/x"),
    ],
)
def test_any_other_is_refused_and_no_password_repeated(name: str, url: str) -> None:
    assert "pass-word" not in refusal(name, url)


@pytest.mark.parametrize(
    "name",
    [
        *("BFF_PUBLIC_URL", "BFF_ALLOWED_ORIGINS", "BFF_GENESYS_LOGIN_URL"),
        *("BFF_GENESYS_API_URL", "BFF_GENESYS_CDN_URL", "BFF_GENESYS_REDIRECT_URI"),
    ],
)
@pytest.mark.parametrize(
    "url",
    [
        *("ftp://a.example", "FTP://localhost", "http:", "https:a.example", "https://"),
        *("HTTP://a.example", "file:///a", "https://@a.example", "https://u:pass-word@a.example"),
        *("https://:pass-word@a.example", "https://a.example:port", "https://a.example:99999"),
        *(
            "https://a\\b.example",
            "https://a b.example",
            "https://a.example\t.b",
            "https://ä.example",
        ),
        "javascript://a.example",
    ],
)
def test_an_origin_is_one(name: str, url: str) -> None:
    end = "/landing" if name.endswith("REDIRECT_URI") else ""

    assert "pass-word" not in refusal(name, url + end)


@pytest.mark.parametrize("url", ["HTTPS://A.Example", "https://a.example/"])
def test_an_origin_is_spelled_as_browsers_do(url: str) -> None:
    assert read("BFF_GENESYS_API_URL", url).genesys_api_url == "https://a.example"


@pytest.mark.parametrize(
    "url", ["ws://a.example", "https://a.example", "wss://u@a.example", "wss:"]
)
def test_messaging_is_a_safe_socket(url: str) -> None:
    refusal("BFF_GENESYS_MESSAGING_URL", url)


@pytest.mark.parametrize("url", ["https://a.example/x#y", "https://a.example"])
def test_a_redirect_uri_has_a_path_and_no_fragment(url: str) -> None:
    refusal("BFF_GENESYS_REDIRECT_URI", url)


@pytest.mark.parametrize(
    "url", ["ftp://localhost", "file://localhost/x", "https://u:p@id.example", "ws://127.0.0.1"]
)
def test_an_issuer_is_reached_by_https_or_on_this_machine(url: str) -> None:
    assert "must be an https URL" in refusal("BFF_PROVIDERS__MAIN__ISSUER", url)


@pytest.mark.parametrize("name", ["a b", "a.b", "ä", "%2f"])
def test_the_name_of_a_second_provider_can_be_in_an_address(name: str) -> None:
    two = {
        f"BFF_PROVIDERS__{name}__{setting}": value
        for setting, value in (
            ("ISSUER", ISSUER),
            ("CLIENT_ID", "brand"),
            ("CLIENT_SECRET", "secret-of-the-brand-0123456789"),
        )
    }
    with pytest.raises(SettingsError) as refused:
        Settings.read({**environment(ISSUER), **two})

    assert "is a part of its redirect URI" in refused.value.detail
