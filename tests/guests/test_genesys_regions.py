"""The regions: those that the vendor's own client knows, and more; odd names are explained."""

from importlib.util import find_spec
from pathlib import Path
from runpy import run_path

import pytest

from bff.errors import SettingsError
from bff.guests.regions import DOMAINS, DOMAINS_WITHOUT_A_NAME, domain_of, hosts_of

ENVIRONMENTS = {
    *("prod", "prod-usw2", "prod-cac1", "prod-euw1", "prod-euw2", "prod-euc1", "prod-euc2"),
    *("prod-aps1", "prod-apne1", "prod-apne2", "prod-apne3", "prod-apse1", "prod-apse2"),
    *("prod-sae1", "prod-mec1", "prod-mxc1", "fedramp-use2-core"),
}


def test_every_environment_has_a_domain_of_its_own() -> None:
    assert set(DOMAINS) == ENVIRONMENTS
    assert len({*DOMAINS.values(), *DOMAINS_WITHOUT_A_NAME}) == len(ENVIRONMENTS) + 3


def hosts_of_the_vendor() -> set[str]:
    """Read one file of the vendor's package: all of it takes seconds to import."""
    package = find_spec("PureCloudPlatformClientV2")
    assert package is not None
    assert package.origin is not None
    path = Path(package.origin).with_name("purecloud_region_hosts.py")
    return {region.get_api_host() for region in run_path(str(path))["PureCloudRegionHosts"]}


def test_every_region_of_the_vendors_own_client_is_here_with_its_hosts() -> None:
    hosts = hosts_of_the_vendor()
    domains = [*DOMAINS.values(), *DOMAINS_WITHOUT_A_NAME]

    assert len(hosts) >= 18
    assert hosts <= {hosts_of(domain).api_url for domain in domains}


def test_the_hosts_follow_from_the_domain() -> None:
    hosts = hosts_of("prod-euw1")

    assert hosts.login_url == "https://login.mypurecloud.ie"
    assert hosts.api_url == "https://api.mypurecloud.ie"
    assert hosts.cdn_url == "https://api-cdn.mypurecloud.ie"
    assert hosts.messaging_url == "wss://webmessaging.mypurecloud.ie"


def test_a_region_may_be_called_by_its_domain() -> None:
    assert domain_of("mypurecloud.de") == domain_of("prod-euc1") == domain_of(" PROD-EUC1 ")
    assert domain_of("edee1.eusc-pure.cloud") == "edee1.eusc-pure.cloud"


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("prod-euw3", "prod-euw1"),
        ("prod_euc1", "prod-euc1"),
        ("euw2", "prod-euw2"),
        ("mypurecloud.it", "mypurecloud.ie"),
        ("apne2.purecloud", "apne2.pure.cloud"),
    ],
)
def test_an_unknown_region_is_answered_with_what_may_have_been_meant(wrong: str, near: str) -> None:
    with pytest.raises(SettingsError) as told:
        hosts_of(wrong)

    assert repr(wrong) in told.value.detail
    assert near in told.value.detail.partition("did you mean")[2]


def test_a_region_like_no_other_is_answered_with_all_of_them() -> None:
    with pytest.raises(SettingsError) as told:
        domain_of("mars")

    assert all(name in told.value.detail for name in DOMAINS)
