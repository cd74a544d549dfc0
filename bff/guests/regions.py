"""Where Genesys Cloud lives: the regions by name, and the hosts that follow from a domain."""

from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final

from bff.errors import SettingsError
from bff.ports import GenesysHosts

DOMAINS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "prod": "mypurecloud.com",
        "prod-usw2": "usw2.pure.cloud",
        "prod-cac1": "cac1.pure.cloud",
        "prod-euw1": "mypurecloud.ie",
        "prod-euw2": "euw2.pure.cloud",
        "prod-euc1": "mypurecloud.de",
        "prod-euc2": "euc2.pure.cloud",
        "prod-aps1": "aps1.pure.cloud",
        "prod-apne1": "mypurecloud.jp",
        "prod-apne2": "apne2.pure.cloud",
        "prod-apne3": "apne3.pure.cloud",
        "prod-apse1": "apse1.pure.cloud",
        "prod-apse2": "mypurecloud.com.au",
        "prod-sae1": "sae1.pure.cloud",
        "prod-mec1": "mec1.pure.cloud",
        "prod-mxc1": "mxc1.pure.cloud",
        "fedramp-use2-core": "use2.us-gov-pure.cloud",
    }
)
"""The `environment` of the Messenger snippet, and its domain."""

DOMAINS_WITHOUT_A_NAME: Final = (
    "use1.pure.cloud",  # another name of prod
    "edee1.eusc-pure.cloud",
    "use2.maximus-pure.cloud",
)
"""Regions whose environment name is not public: they are called by their domain."""


def domain_of(region: str) -> str:
    """Return the domain of a region, called by its environment name or by the domain itself.

    Raises SettingsError that lists what might have been meant.
    """
    called = region.strip().lower()
    domains = {*DOMAINS.values(), *DOMAINS_WITHOUT_A_NAME}
    if called in domains:
        return called
    if called in DOMAINS:
        return DOMAINS[called]
    known = sorted({*DOMAINS, *domains})
    near = get_close_matches(called, known, n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}?" if near else f"known are {', '.join(known)}"
    raise SettingsError(f"there is no Genesys region {region!r}; {hint}")


def hosts_of(region: str) -> GenesysHosts:
    """Return the hosts of a region. Raises SettingsError if there is no such region."""
    domain = domain_of(region)
    return GenesysHosts(
        login_url=f"https://login.{domain}",
        api_url=f"https://api.{domain}",
        cdn_url=f"https://api-cdn.{domain}",
        messaging_url=f"wss://webmessaging.{domain}",
    )
