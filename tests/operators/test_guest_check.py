"""`messenger-bff check` finds what would keep guests from chatting, each with its fix."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from bff_rig import BFF, BRAND, environment
from command_rig import Site
from genesys_rig import PLATFORM, GenesysRig, running_genesys

from bff.adapters.system import SystemClock
from bff.findings import Finding, Verdict
from bff.guest_checkup import examine_guests
from bff.settings import Settings
from bff.simulator.genesys_faults import Door, Fault
from bff.simulator.genesys_settings import DEMO_DEPLOYMENT
from bff.simulator.stage import free_port

HTTP = {"BFF_GUEST_PROVISIONING": "http"}
SHOP = "http://shop.brand.localhost"


@pytest.fixture
def genesys() -> Iterator[GenesysRig]:
    with running_genesys(allow_session_upgrade=True) as rig:
        rig.state.behaviour.gateway_makes_guests = True
        yield rig


def at_genesys(rig: GenesysRig) -> dict[str, str]:
    """Return the settings of a BFF whose Genesys is the stand-in."""
    return {
        "BFF_GENESYS_DEPLOYMENT_ID": DEMO_DEPLOYMENT,
        "BFF_GENESYS_LOGIN_URL": rig.url,
        "BFF_GENESYS_API_URL": rig.url,
        "BFF_GENESYS_CDN_URL": rig.url,
        "BFF_GENESYS_MESSAGING_URL": rig.url.replace("http", "ws", 1),
        "BFF_PLATFORM_CLIENT_ID": PLATFORM.client_id,
        "BFF_PLATFORM_CLIENT_SECRET": PLATFORM.client_secret,
    }


def found_at(rig: GenesysRig, **changes: str) -> list[Finding]:
    """Return the findings, without what is fine and without the one note."""
    settings = Settings.read(environment("https://idp.example", **{**at_genesys(rig), **changes}))
    findings = [*examine_guests(settings, SystemClock())]
    assert [one.verdict for one in findings].count(Verdict.NOTE) == 1
    assert findings[-1].verdict is Verdict.NOTE
    quiet = {Verdict.OK, Verdict.NOTE}
    return [one for one in findings if one.verdict not in quiet]


def nowhere(scheme: str = "http") -> str:
    return f"{scheme}://genesys.localhost:{free_port()}"


@pytest.mark.parametrize("changes", [{}, HTTP], ids=["local", "http"])
def test_a_good_set_up_has_nothing_to_mend_and_leaves_nothing_behind(
    genesys: GenesysRig, changes: dict[str, str]
) -> None:
    assert found_at(genesys, **changes) == []

    report = genesys.report()
    assert report["sessions"] == []
    assert report["counters"]["guests_made"] == 0
    assert report["counters"]["configured_guest"] == 0
    assert report["counters"]["platform_tokens_given"] == 1


def test_without_a_deployment_nobody_is_asked() -> None:
    settings = Settings.read(environment("https://idp.example"))

    (finding,) = examine_guests(settings, SystemClock())

    assert finding.verdict is Verdict.OK
    assert "guest sessions are off" in finding.what


def test_settings_without_a_deployment_have_no_effect_and_that_is_said() -> None:
    env = environment("https://idp.example", BFF_GUEST_LIFETIME="600", BFF_GATEWAY_PORT="9000")

    (finding,) = examine_guests(Settings.read(env), SystemClock())

    assert finding.verdict is Verdict.WARNING
    assert "BFF_GATEWAY_PORT, BFF_GUEST_LIFETIME without effect" in finding.what
    assert "BFF_GENESYS_DEPLOYMENT_ID" in finding.fix


def order(door: Door, status: int) -> Callable[[GenesysRig], None]:
    return lambda rig: rig.state.faults.order(door, Fault(status=status))


def turn(**dials: Any) -> Callable[[GenesysRig], None]:
    return lambda rig: rig.control("behaviour", **dials)


def settle(**settings: Any) -> Callable[[GenesysRig], None]:
    def change(rig: GenesysRig) -> None:
        rig.state.settings = replace(rig.state.settings, **settings)

    return change


def nothing(_: GenesysRig) -> None:
    """Leave the stand-in as it is: the settings are wrong."""


FAULTS: list[tuple[str, Callable[[GenesysRig], None], dict[str, str], str, str]] = [
    (
        "wrong secret",
        nothing,
        {"BFF_PLATFORM_CLIENT_SECRET": "canary-guessed"},
        "does not accept its id and secret (401)",
        "BFF_PLATFORM_CLIENT_SECRET",
    ),
    (
        "wrong way to show it",
        nothing,
        {"BFF_PLATFORM_AUTH": "body"},
        "does not accept its id and secret (401)",
        "BFF_PLATFORM_AUTH",
    ),
    (
        "missing permission",
        turn(missing_permission="conversation:webchat:create"),
        HTTP,
        "lacks a permission: conversation:webchat:create",
        "role of the client",
    ),
    (
        "no gateway",
        turn(gateway_makes_guests=False),
        HTTP,
        "there is nothing at",
        "BFF_GUEST_PROVISIONING=local",
    ),
    (
        "gateway down",
        order(Door.GUESTS, 503),
        HTTP,
        "genesys_unavailable",
        "BFF_GENESYS_REGION",
    ),
    (
        "gateway broken",
        order(Door.GUESTS, 500),
        HTTP,
        "genesys_outcome_unknown",
        "try again",
    ),
    (
        "gateway does not know us",
        order(Door.GUESTS, 401),
        HTTP,
        "genesys_credentials_refused",
        "BFF_GENESYS_REGION",
    ),
    (
        "no such deployment",
        settle(deployment_id=str(uuid.uuid4())),
        {},
        "there is none of that id at",
        "BFF_GENESYS_DEPLOYMENT_ID",
    ),
    (
        "one origin of two refused",
        settle(allowed_domains=("www.brand.localhost",)),
        {},
        f"refuses pages of {SHOP} (403)",
        "add shop.brand.localhost to the allowed domains",
    ),
    (
        "bad request",
        order(Door.UPGRADE, 400),
        {"BFF_ALLOWED_ORIGINS": BRAND},
        f"answers pages of {BRAND} with 400",
        "must belong together",
    ),
]


@pytest.mark.parametrize(
    ("cause", "changes", "words", "fix"),
    [fault[1:] for fault in FAULTS],
    ids=[fault[0] for fault in FAULTS],
)
def test_a_fault_is_one_line_with_its_fix(
    genesys: GenesysRig,
    cause: Callable[[GenesysRig], None],
    changes: dict[str, str],
    words: str,
    fix: str,
) -> None:
    cause(genesys)

    (finding,) = found_at(genesys, **changes)

    assert finding.verdict is Verdict.FAULT
    assert words in finding.what
    assert fix in finding.fix
    assert "canary" not in finding.what + finding.fix


def test_the_domains_that_genesys_lists_are_told(genesys: GenesysRig) -> None:
    genesys.state.settings = replace(
        genesys.state.settings, allowed_domains=("www.brand.localhost", "old.brand.localhost")
    )

    (finding,) = found_at(genesys)

    assert "listed now: www.brand.localhost, old.brand.localhost" in finding.fix


WARNINGS: list[tuple[str, Callable[[GenesysRig], None], str]] = [
    ("authentication off", settle(auth_enabled=False), "knows guests only"),
    ("upgrade off", settle(allow_session_upgrade=False), "cannot become signed-in people"),
    ("upgrade refused for now", order(Door.UPGRADE, 429), "cannot say now whether it lets pages"),
    ("CDN down", order(Door.CONFIG, 503), "does not say whether it exists"),
    ("login down", order(Door.TOKEN, 503), "platform client"),
]


@pytest.mark.parametrize(
    ("cause", "words"), [one[1:] for one in WARNINGS], ids=[one[0] for one in WARNINGS]
)
def test_what_may_be_meant_or_may_pass_is_something_to_consider(
    genesys: GenesysRig, cause: Callable[[GenesysRig], None], words: str
) -> None:
    cause(genesys)

    (finding,) = found_at(genesys)

    assert finding.verdict is Verdict.WARNING
    assert words in finding.what
    assert finding.fix


def test_a_login_host_that_is_away_is_a_fault_once_a_gateway_needs_its_token(
    genesys: GenesysRig,
) -> None:
    away = {"BFF_GENESYS_LOGIN_URL": nowhere()}

    (local,) = found_at(genesys, **away)
    (gateway,) = found_at(genesys, **away, **HTTP)

    assert (local.verdict, gateway.verdict) == (Verdict.WARNING, Verdict.FAULT)


def test_web_messaging_that_is_away_is_one_fault_for_all_origins(genesys: GenesysRig) -> None:
    (finding,) = found_at(genesys, BFF_GENESYS_MESSAGING_URL=nowhere("ws"))

    assert finding.verdict is Verdict.FAULT
    assert "does not answer" in finding.what
    assert "BFF_GENESYS_MESSAGING_URL" in finding.fix


def test_a_deployment_that_the_cdn_cannot_name_is_still_asked_for_each_origin(
    genesys: GenesysRig,
) -> None:
    genesys.state.settings = replace(genesys.state.settings, allowed_domains=())

    findings = found_at(genesys, BFF_GENESYS_CDN_URL=nowhere())

    assert [one.verdict for one in findings] == [Verdict.WARNING, Verdict.FAULT, Verdict.FAULT]
    assert all("another deployment's" in one.fix for one in findings[1:])


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"hello": "there"}, "no deployment"),
        ({"status": "Inactive", "messenger": {"enabled": True}}, "switched off"),
        ({"status": "Active", "messenger": {"enabled": False}}, "switched off"),
    ],
)
def test_what_is_published_must_be_a_deployment_that_is_awake(
    genesys: GenesysRig, config: dict[str, Any], words: str
) -> None:
    genesys.app.view_functions["genesys_deployment.config"] = lambda **_: config

    (finding,) = found_at(genesys)

    assert finding.verdict is Verdict.FAULT
    assert words in finding.what


def test_genesys_cannot_come_back_to_a_name_of_this_machine(genesys: GenesysRig) -> None:
    (finding,) = found_at(genesys, BFF_GENESYS_API_URL="https://gateway.brand.example")

    assert finding.verdict is Verdict.WARNING
    assert f"cannot reach {BFF}/op" in finding.what


def test_the_command_prints_it_with_everything_else(site: Site, genesys: GenesysRig) -> None:
    settings = at_genesys(genesys)
    good = site.command("check", **settings)
    genesys.state.settings = replace(genesys.state.settings, allowed_domains=())
    bad = site.command("check", **settings)

    assert (good.code, bad.code) == (0, 1)
    assert good.err == bad.err == ""
    assert f"deployment {DEMO_DEPLOYMENT}: exists and is active" in good.out
    assert "note     OIDC integration" in good.out
    assert good.out.splitlines()[-1].endswith("0 to mend. Ready: `messenger-bff serve`.")
    assert "to the allowed domains of the Messenger deployment" in bad.out
    assert PLATFORM.client_secret not in good.out + bad.out
