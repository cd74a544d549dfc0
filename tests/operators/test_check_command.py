"""`messenger-bff check` finds what would go wrong, and says what to do about each."""

from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime

import pytest
from bff_rig import a_key
from command_rig import Outcome, Site
from redis_server import RedisServer

from bff.simulator.provider_faults import Fault
from bff.simulator.serving import _QuietHandler


def fix_of(done: Outcome, verdict: str, words: str) -> str:
    """Return the fix under the only finding of that verdict; `words` are in the finding."""
    lines = done.out.splitlines()
    found = [number for number, line in enumerate(lines) if line.startswith(f"{verdict} ")]
    assert len(found) == 1, done.out
    assert words in lines[found[0]]
    fix = lines[found[0] + 1].strip()
    assert fix.startswith("→ ")
    return fix


def test_a_good_set_up_is_ok_line_by_line(site: Site) -> None:
    done = site.command("check")

    *findings, blank, summary = done.out.splitlines()
    assert done.code == 0
    assert done.err == ""
    assert all(line.startswith("ok       ") for line in findings), done.out
    assert summary == f"{len(findings)} ok, 0 to consider, 0 to mend. Ready: `messenger-bff serve`."
    assert blank == ""
    for what in ("BFF_SESSION_IDLE = ", "keys: ", "origin http", "store: ", "clocks differ by 0 s"):
        assert any(what in line for line in findings), what


@pytest.mark.parametrize(
    "url",
    [
        "redis://:pass-of-redis@127.0.0.1:1/0",
        "redis://127.0.0.1:1/0?password=pass-of-redis",
        "redis+sentinel://u:pass-of-redis@127.0.0.1:1,127.0.0.1:2/s?sentinel_password=pass-of-redis",
    ],
)
def test_no_secret_is_printed(site: Site, url: str) -> None:
    done = site.command("check", BFF_STORE_URL=url)

    secrets = [v for k, v in site.env.items() if k.endswith(("_KEY", "_SALT", "_SECRET"))]
    assert "BFF_MASTER_KEY = (set)" in done.out
    assert "store: Redis answers" in done.out
    assert all(secret not in done.out for secret in [*secrets, "pass-of-redis"])


def plant(fault: Fault) -> Callable[[Site], None]:
    return lambda site: site.provider.provider.faults.plant(fault, endpoint="discovery")


@pytest.mark.parametrize(
    ("cause", "words", "fix"),
    [
        (
            plant(Fault.DISCOVERY_ISSUER_WRONG),
            "provider_answer_invalid",
            "__MAIN__ISSUER must equal",
        ),
        (plant(Fault.SERVER_ERROR), "provider_unavailable", "reachable from here"),
        (plant(Fault.DISCOVERY_INNER_HOSTS), "provider_answer_invalid", "__MAIN__ISSUER must"),
    ],
    ids=["wrong issuer", "server error", "inner hosts"],
)
def test_what_is_wrong_at_the_provider_has_its_line_and_its_fix(
    site: Site, cause: Callable[[Site], None], words: str, fix: str
) -> None:
    cause(site)

    done = site.command("check")

    assert done.code == 1
    assert fix in fix_of(done, "fault", words)
    assert done.out.splitlines()[-1].endswith("1 to mend. Not ready: follow each → under `fault`.")
    assert done.err == ""


@pytest.mark.parametrize(
    ("ahead_s", "verdict", "code"), [(120, "fault", 1), (-120, "fault", 1), (15, "warning", 0)]
)
def test_clocks_that_differ_are_told_with_how_much(
    site: Site, monkeypatch: pytest.MonkeyPatch, ahead_s: int, verdict: str, code: int
) -> None:
    clock = site.provider.clock
    clock.shift = timedelta(seconds=ahead_s)
    monkeypatch.setattr(
        _QuietHandler, "date_time_string", lambda _: format_datetime(clock.now(), usegmt=True)
    )

    done = site.command("check")

    assert done.code == code
    assert "synchronise" in fix_of(done, verdict, "clocks differ by 1")


def test_a_date_that_cannot_be_read_is_no_crash(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        _QuietHandler, "date_time_string", lambda _: "Fri, 20 Nov 2026 09:00:00 -0000"
    )

    done = site.command("check")

    assert done.code == 0
    assert fix_of(done, "warning", "its clock is not told")


@pytest.mark.parametrize(
    ("changes", "words", "fix"),
    [
        (
            {"BFF_PROVIDERS__MAIN__ISSUER": "http://idp.localhost:1"},
            "provider_unavailable",
            "http://idp.localhost:1/.well-known/openid-configuration",
        ),
        (
            {"BFF_ALLOWED_ORIGINS": "http://www.brand.localhost,http://www.other.localhost"},
            "origin http://www.other.localhost is on another site",
            "BFF_CROSS_SITE=true",
        ),
        ({"BFF_STORE_URL": "redis://127.0.0.1:1/0"}, "Redis answers", "BFF_STORE_URL"),
        ({"BFF_STORE_URL": "sqlite:////proc/no/store"}, "the SQLite file answers", "written to"),
    ],
    ids=["provider away", "other site", "no redis", "no folder"],
)
def test_what_is_wrong_in_the_settings_has_its_line_and_its_fix(
    site: Site, changes: dict[str, str], words: str, fix: str
) -> None:
    done = site.command("check", **changes)

    assert done.code == 1
    assert fix in fix_of(done, "fault", words)
    assert done.err == ""


def test_pages_on_another_site_are_fine_once_that_is_said(site: Site) -> None:
    done = site.command(
        "check", BFF_ALLOWED_ORIGINS="https://www.elsewhere.example", BFF_CROSS_SITE="true"
    )

    assert done.code == 0


def test_a_redis_that_is_killed_is_told_from_a_wrong_key(site: Site) -> None:
    with RedisServer() as redis:
        assert site.command("check", BFF_STORE_URL=redis.url).code == 0
        wrong_key = site.command("check", BFF_STORE_URL=redis.url, BFF_MASTER_KEY=a_key("P"))
        redis.kill()
        killed = site.command("check", BFF_STORE_URL=redis.url)

    assert (wrong_key.code, killed.code) == (1, 1)
    assert "BFF_MASTER_KEY" in fix_of(wrong_key, "fault", "the key ring opens and seals")
    assert "BFF_STORE_URL" in fix_of(killed, "fault", "Redis answers")


def test_a_previous_master_key_is_something_to_consider(site: Site) -> None:
    done = site.command("check", BFF_MASTER_KEY_PREVIOUS=a_key("P"))

    assert done.code == 0
    assert "docs/keys.md" in fix_of(done, "warning", "BFF_MASTER_KEY_PREVIOUS is set")
    assert "1 to consider, 0 to mend" in done.out


def test_an_inspector_for_everybody_is_something_to_consider_where_customers_come(
    site: Site,
) -> None:
    public = "https://auth.brand.example"
    done = site.command("check", BFF_INSPECTOR="everybody", BFF_PUBLIC_URL=public)
    at_home = site.command("check", BFF_INSPECTOR="everybody")

    assert "warning  BFF_INSPECTOR is everybody" in done.out
    assert "BFF_INSPECTOR is everybody" not in at_home.out


def test_a_scope_that_the_provider_does_not_know_is_something_to_consider(site: Site) -> None:
    done = site.command("check", BFF_PROVIDERS__MAIN__SCOPES='["openid", "chat"]')

    assert done.code == 0
    assert fix_of(done, "warning", "scope chat is not offered")
