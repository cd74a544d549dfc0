"""A start with anything missing or weak names all of it at once, each with what to do."""

from datetime import timedelta
from pathlib import Path

import pytest
from bff_rig import a_key, environment
from pydantic import SecretStr

from bff.errors import SettingsError
from bff.settings import Settings

ISSUER = "https://idp.example"


def faults_of(variables: dict[str, str], *, file: Path | None = None) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        Settings.read(variables, file=file)
    return refused.value.detail.splitlines()


def test_a_complete_environment_is_read() -> None:
    settings = Settings.read(environment(ISSUER, BFF_SESSION_IDLE="3600"))

    assert settings.allowed_origins == ("http://www.brand.localhost", "http://shop.brand.localhost")
    assert settings.session_idle == timedelta(hours=1)
    assert settings.providers["main"].issuer == ISSUER
    assert settings.embedded
    assert settings.workers == 1


@pytest.mark.parametrize(
    ("workers", "pool", "places"), [(1, None, 128), (4, None, 32), (64, None, 16), (4, "5", 5)]
)
def test_calls_to_redis_are_sized_with_the_workers(
    workers: int, pool: str | None, places: int
) -> None:
    chosen = {"BFF_STORE_POOL": pool} if pool else {}
    settings = Settings.read(
        environment(ISSUER, BFF_STORE_URL="redis://h/0", BFF_WORKERS=str(workers), **chosen)
    )

    assert settings.store_places == places


def test_a_pool_is_said_in_one_place() -> None:
    url = "redis://:pass-word@h/0?max_connections=7"

    (fault,) = faults_of(environment(ISSUER, BFF_STORE_URL=url, BFF_STORE_POOL="5"))

    assert fault.startswith("BFF_STORE_POOL is also in BFF_STORE_URL")
    assert "pass-word" not in fault


def test_nothing_set_names_every_missing_setting_and_no_other() -> None:
    faults = faults_of({})

    assert [fault.split()[0] for fault in faults] == [
        "BFF_PUBLIC_URL",
        "BFF_ALLOWED_ORIGINS",
        "BFF_MASTER_KEY",
        "BFF_PAIRWISE_SALT",
        "BFF_PROVIDERS",
        "BFF_GENESYS_CLIENT_ID",
        "BFF_GENESYS_CLIENT_SECRET",
    ]
    assert all("is missing: " in fault for fault in faults)


def test_secrets_have_no_default() -> None:
    for name, field in Settings.model_fields.items():
        if "secret" in name or name in {"master_key", "pairwise_salt"}:
            assert field.is_required() or field.default in {None, SecretStr("")}, name


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("BFF_MASTER_KEY", "c2hvcnQ=", "holds 5 bytes instead of 32"),
        ("BFF_MASTER_KEY", "A" * 43 + "=", "too regular"),
        ("BFF_MASTER_KEY", "no base64!", "is not base64"),
        ("BFF_PAIRWISE_SALT", a_key("A"), "one secret, one purpose"),
        ("BFF_GENESYS_CLIENT_SECRET", "password", "is weak"),
        ("BFF_GENESYS_CLIENT_SECRET", "a" * 40, "is weak"),
        ("BFF_PUBLIC_URL", "http://auth.brand.example", "is not https"),
        ("BFF_PUBLIC_URL", "https://auth.brand.example/bff", "has a path"),
        ("BFF_ALLOWED_ORIGINS", "", "is missing"),
        ("BFF_ALLOWED_ORIGINS", "https://a.example,*", "is not an origin"),
        ("BFF_ALLOWED_ORIGINS", " , ", "is empty"),
        ("BFF_STORE_URL", "mysql://localhost", "starts with none of"),
        ("BFF_WORKERS", "4", "more than one process needs Redis"),
        ("BFF_SESSION_IDLE", "P30D", "longer than BFF_SESSION_ABSOLUTE"),
        ("BFF_PROVIDERS__MAIN__ISSUER", "http://idp.example", "must be an https URL"),
        ("BFF_PROVIDERS__MAIN__SCOPES", '["email"]', "must contain openid"),
        ("BFF_PROVIDERS__MAIN__CLIENT_SECRT", "x", "Extra inputs"),
        ("BFF_MASTERKEY", "x", "did you mean BFF_MASTER_KEY?"),
        ("BFF_SOMETHING_ELSE_ENTIRELY", "x", "remove it"),
        ("BFF_PORT", "eighty", "valid integer"),
        ("BFF_SETTINGS_FILE", "/nowhere/at/all.toml", "there is no file"),
    ],
)
def test_one_fault_is_one_line_with_its_name_and_what_to_do(
    name: str, value: str, words: str
) -> None:
    faults = faults_of(environment(ISSUER, **{name: value}))

    assert len(faults) == 1
    assert faults[0].startswith(name)
    assert words in faults[0]


def test_faults_of_every_kind_are_named_together() -> None:
    variables = environment(
        ISSUER, BFF_WORKERS="2", BFF_PORTT="1", BFF_MASTER_KEY="x", BFF_PUBLIC_URL="ftp://a"
    )
    del variables["BFF_GENESYS_CLIENT_ID"]

    names = {fault.split()[0].rstrip(":") for fault in faults_of(variables)}

    assert names == {
        "BFF_PORTT",
        "BFF_WORKERS",
        "BFF_MASTER_KEY",
        "BFF_PUBLIC_URL",
        "BFF_GENESYS_CLIENT_ID",
    }


def test_no_fault_repeats_a_secret() -> None:
    secrets = {
        "BFF_MASTER_KEY": "hunter2-master",
        "BFF_PAIRWISE_SALT": "hunter2-salt",
        "BFF_GENESYS_CLIENT_SECRET": "hunter2",
        "BFF_PROVIDERS__MAIN__CLIENT_SECRET": "",
    }

    said = "\n".join(faults_of(environment(ISSUER, **secrets)))

    assert "hunter2" not in said


def test_a_file_is_read_and_the_environment_goes_before_it(tmp_path: Path) -> None:
    file = tmp_path / "bff.toml"
    file.write_text(
        'port = 9000\nlog_level = "WARNING"\n[providers.main]\nprompt = "login"\n', "utf-8"
    )

    settings = Settings.read(environment(ISSUER, BFF_PORT="9100"), file=file)

    assert (settings.port, settings.log_level) == (9100, "WARNING")
    assert settings.providers["main"].prompt == "login"
    assert settings.providers["main"].issuer == ISSUER


def test_a_broken_file_is_one_more_fault(tmp_path: Path) -> None:
    file = tmp_path / "bff.toml"
    file.write_text("port = = 1", "utf-8")

    assert str(file) in faults_of(environment(ISSUER), file=file)[0]


@pytest.mark.parametrize(
    ("url", "path"),
    [("sqlite:///a/b.sqlite3", "a/b.sqlite3"), ("sqlite:////var/b.sqlite3", "/var/b.sqlite3")],
)
def test_a_store_path_is_relative_or_absolute(url: str, path: str) -> None:
    assert Settings.read(environment(ISSUER, BFF_STORE_URL=url)).store_path == Path(path)


def test_several_providers_may_be_named_and_the_first_is_the_default() -> None:
    more = {
        "BFF_PROVIDERS__STAFF__ISSUER": "https://staff.example",
        "BFF_PROVIDERS__STAFF__CLIENT_ID": "brand",
        "BFF_PROVIDERS__STAFF__CLIENT_SECRET": "another-secret-0123456789",
    }

    settings = Settings.read(environment(ISSUER, **more))

    assert list(settings.providers) == ["main", "staff"]
