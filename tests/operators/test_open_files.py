"""Files that hold secrets, and that others on the machine may read: said by `check` and `serve`."""

import logging
from pathlib import Path

import pytest
from bff_rig import environment
from command_rig import Site, serving

from bff.setting_sources import holds_secrets, without_passwords
from bff.settings import Settings
from bff.wiring import build

SECRETS = ("BFF_MASTER_KEY", "BFF_GENESYS_CLIENT_SECRET")


def with_file(site: Site, *, mode: int) -> tuple[Site, Path]:
    """Move the secrets of a site into a file."""
    file = site.folder / "bff.toml"
    lines = [f'{name.removeprefix("BFF_").lower()} = "{site.env[name]}"' for name in SECRETS]
    file.write_text("\n".join(lines), "utf-8")
    file.chmod(mode)
    return site.with_settings(**dict.fromkeys(SECRETS, ""), BFF_SETTINGS_FILE=str(file)), file


@pytest.mark.parametrize(
    ("mode", "verb"), [(0o644, "read"), (0o640, "read"), (0o604, "read"), (0o666, "changed")]
)
def test_a_settings_file_for_all_is_a_warning_with_what_to_do(
    site: Site, mode: int, verb: str
) -> None:
    moved, file = with_file(site, mode=mode)

    done = moved.command("check")

    lines = done.out.splitlines()
    found = [number for number, line in enumerate(lines) if line.startswith("warning ")]
    assert done.code == 0
    assert len(found) == 1
    assert f"{file} may be {verb} by other users" in lines[found[0]]
    assert f"chmod 600 {file}" in lines[found[0] + 1]


def test_one_of_our_own_is_none(site: Site) -> None:
    moved, _ = with_file(site, mode=0o600)

    done = moved.command("check")

    assert "warning " not in done.out
    assert " 0 to consider" in done.out


def test_a_file_that_others_may_change_is_a_warning_without_any_secret_in_it(site: Site) -> None:
    """Whoever changes it, changes where people sign in."""
    file = site.folder / "plain.toml"
    file.write_text('log_level = "INFO"\n', "utf-8")
    file.chmod(0o666)

    done = site.command("check", BFF_SETTINGS_FILE=str(file))

    (warning,) = [line for line in done.out.splitlines() if line.startswith("warning ")]
    assert f"{file} may be changed by other users" in warning
    assert not [line for line in done.out.splitlines() if line.startswith("note ")]


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://bff:secret@db.example/bff",
        "postgresql://db.example/bff?user=bff&password=secret",
        "redis://store.example/0?username=bff&PASSWORD=secret",
    ],
)
def test_an_address_with_a_password_is_a_secret_wherever_it_has_it(url: str) -> None:
    assert holds_secrets({"records_url": url})
    assert "secret" not in without_passwords(url)
    assert not holds_secrets({"records_url": "postgresql://db.example/bff?sslmode=require"})


def test_a_file_without_secrets_is_a_note(site: Site) -> None:
    file = site.folder / "plain.toml"
    file.write_text('log_level = "INFO"\n', "utf-8")
    file.chmod(0o644)

    done = site.command("check", BFF_SETTINGS_FILE=str(file))

    (note,) = [line for line in done.out.splitlines() if line.startswith("note ")]
    assert str(file) in note
    assert f"chmod 600 {file}" in done.out


def test_the_service_says_so_when_it_starts(site: Site) -> None:
    moved, file = with_file(site, mode=0o644)

    with serving(moved) as served:
        said = served.log

    assert f"{file} may be read by other users of this machine (mode 644)" in said
    assert f"chmod 600 {file}" in said


@pytest.mark.parametrize(
    "name", ["store.sqlite3", "store-records.sqlite3", "store-keys.sqlite3", "store.sqlite3-wal"]
)
def test_so_are_the_stores(tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str) -> None:
    store = f"sqlite:///{tmp_path / 'store.sqlite3'}"
    settings = Settings.read(environment("https://id.example", BFF_STORE_URL=store))
    (tmp_path / name).touch(0o644)
    (tmp_path / name).chmod(0o644)
    caplog.set_level(logging.WARNING)

    build(settings).close()

    (line,) = [one for one in caplog.messages if "other users" in one]
    assert line.startswith(str(tmp_path / name))
    assert line.endswith(f"chmod 600 {tmp_path / name}")


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ('[providers.main]\nclient_secret = "x"', True),
        ('store_url = "redis://:pass@host/0"', True),
        ('store_url = "redis+sentinel://h/s?sentinel_password=pass"', True),
        ('records_url = "postgresql://user:pass@host/records"', True),
        ('pairwise_salt = "x"', True),
        ('audit_token = "0123456789-abcdef"', True),
        ('store_url = "redis://host/0"\n[providers.main]\nclient_id = "x"', False),
        ('[providers.main]\ntoken_auth = "client_secret_post"', False),
    ],
)
def test_what_counts_as_a_secret(tmp_path: Path, text: str, *, secret: bool) -> None:
    file = tmp_path / "bff.toml"
    file.write_text(text, "utf-8")

    settings = Settings.read(environment("https://id.example"), file=file)

    assert settings.source is not None
    assert settings.source.secret is secret
