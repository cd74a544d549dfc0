"""What `check` can find out about passthrough before a customer does."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import requests

from bff.adapters.http_client import http_session
from bff.errors import BffError
from bff.findings import Finding, fault, fine, note, warning
from bff.identity_settings import ProviderSettings
from bff.passthrough_wiring import genesys_at
from bff.ports import Clock, Demands, Entropy
from bff.setting_sources import PREFIX
from bff.settings import Settings
from bff.signin.passthrough import NEEDS_PERSON


def examine_passthrough(settings: Settings, clock: Clock, entropy: Entropy) -> Iterator[Finding]:
    """Yield what there is to say of Genesys' client at each provider; nothing for `broker`."""
    if not settings.passthrough:
        return
    for name, provider in settings.providers.items():
        where = f"provider {name}, Genesys' client {provider.passthrough_client_id}"
        yield from _registration(where, provider)
        try:
            url = _request(name, provider, settings, clock, entropy)
        except BffError as error:
            yield fault(f"{where}: {error.code} ({error.detail})", "mend the provider first")
            continue
        yield _answer(where, url, settings.passthrough_redirect_uri_of(name))
        yield _frame(where, url, settings.public_url)


def _registration(where: str, provider: ProviderSettings) -> Iterator[Finding]:
    yield note(
        f"{where}: the Genesys OIDC integration has its secret",
        f"point the integration's discovery URI at {provider.issuer}, with this client id",
    )
    if provider.passthrough_client_id == provider.client_id:
        yield warning(
            f"{where}: it is our own client as well",
            "register another for Genesys: two parties with one secret are one party",
        )


def _request(
    name: str, provider: ProviderSettings, settings: Settings, clock: Clock, entropy: Entropy
) -> str:
    """Return what a browser would be sent to; nobody is signed in here."""
    client = genesys_at(name, provider, clock=clock, entropy=entropy)
    demands = Demands(prompt="none", max_age=provider.max_age, acr_values=provider.acr_values)
    request = client.provider.authorization_request(
        redirect_uri=settings.passthrough_redirect_uri_of(name), demands=demands
    )
    return request.url


def _answer(where: str, url: str, redirect_uri: str) -> Finding:
    """Ask as a browser without a sign-in would: who is known there is sent back at once."""
    http = http_session()
    # To look at one; none is followed.
    http.max_redirects = 1
    try:
        answer = http.get(url, allow_redirects=False)
    except requests.RequestException as error:
        return fault(f"{where}: {type(error).__name__}", "mend the provider first")
    target = answer.headers.get("Location", "")
    register = f"register {redirect_uri} there, to the letter, and allow code with PKCE S256"
    if not target.startswith(redirect_uri + "?"):
        return fault(
            f"{where}: the provider does not send browsers back to us ({answer.status_code})",
            f"{register}; {PREFIX}PROVIDERS__…__PASSTHROUGH_CLIENT_ID must be known there",
        )
    said = parse_qs(urlsplit(target).query).get("error", [""])[0]
    if said in NEEDS_PERSON:
        return fine(f"{where}: known, and its redirect URI is registered")
    return fault(f"{where}: the provider says {said[:64]!r}", register)


def _frame(where: str, url: str, public_url: str) -> Finding:
    if _site(url) == _site(public_url):
        return fine(f"{where}: on our site, so a hidden frame gets further codes")
    return warning(
        f"{where}: it is on another site than {public_url}",
        "browsers keep its cookies out of hidden frames, and each further code needs a window or "
        "a redirect: serve the provider from a subdomain of your site (docs/passthrough.md)",
    )


def _site(url: str) -> tuple[str, str]:
    """Return scheme and the last two labels: right for most sites, a hint for the others."""
    parts = urlsplit(url)
    return parts.scheme, ".".join((parts.hostname or "").split(".")[-2:])
