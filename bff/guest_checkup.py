"""`messenger-bff check`, the Genesys part: what guest sessions need, looked at beforehand.

Nothing is made at Genesys: a token is asked for, published documents are read, and sockets are
opened and closed without a word. A gateway that makes guests is sent a request that names no
channel, which it refuses after it has looked at our permissions.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

from bff.adapters.genesys_cloud import GenesysCloud
from bff.adapters.genesys_wire import GenesysWire
from bff.adapters.http_client import is_loopback_name
from bff.adapters.messaging_probe import OPENED, upgrade_status
from bff.errors import BffError, GenesysDownError, GenesysPermissionError, GenesysSilentError
from bff.findings import Finding, Verdict, fault, fine, note, warning
from bff.guest_settings import GuestSettings
from bff.guest_wiring import APPLICATION, genesys_cloud
from bff.guests.platform_answers import said_yes
from bff.guests.upstream_frames import socket_path
from bff.ports import Clock, PlatformAnswer, PlatformRequest
from bff.setting_sources import PREFIX
from bff.settings import Settings

LIMIT: Final = timedelta(seconds=10)

_CREDENTIALS_REFUSED: Final = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED})
_NO_DOOR: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED})
_COME_BACK: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_SERVER_FAULT: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class _Deployment:
    """What is looked at: one deployment, as our settings describe it."""

    settings: Settings
    clock: Clock
    wire: GenesysWire
    name: str

    def published(self, document: str) -> Mapping[str, Any]:
        """Return a document of it that every page can read. Raises an error of Genesys."""
        cdn = self.settings.genesys_hosts.cdn_url
        url = f"{cdn}/webdeployments/v1/deployments/{self.name}/{document}"
        return said_yes(self.wire.ask("GET", url, limit=LIMIT), what=document)

    def upgrade(self, origin: str) -> int:
        """Return what web messaging answers a page of `origin`. Raises GenesysDownError."""
        path = socket_path(deployment_id=self.name, application=APPLICATION)
        url = self.settings.genesys_hosts.messaging_url + path
        return upgrade_status(url, origin=origin, limit=LIMIT, clock=self.clock)


def examine_guests(settings: Settings, clock: Clock) -> Iterator[Finding]:
    """Yield a finding for the platform client, the deployment, each origin, the integration."""
    if settings.genesys_deployment_id is None:
        yield _switched_off(settings)
        return
    yield from _platform_client(settings, clock)
    deployment = _Deployment(
        settings=settings,
        clock=clock,
        wire=GenesysWire(clock=clock),
        name=settings.genesys_deployment_id,
    )
    found = [*_existence(deployment)]
    yield from found
    if found[0].verdict is not Verdict.FAULT:
        # Otherwise each origin would be refused for the same reason.
        yield from _origins(deployment)
    yield from _integration(settings)


def _switched_off(settings: Settings) -> Finding:
    without_effect = sorted(settings.model_fields_set & set(GuestSettings.model_fields))
    if not without_effect:
        return fine("guest sessions are off: BFF_GENESYS_DEPLOYMENT_ID is not set")
    names = ", ".join(f"{PREFIX}{name.upper()}" for name in without_effect)
    return warning(
        f"guest sessions are off, and {names} without effect",
        "set BFF_GENESYS_DEPLOYMENT_ID to switch them on, or remove what is not needed",
    )


# The platform client


def _platform_client(settings: Settings, clock: Clock) -> Iterator[Finding]:
    if settings.platform_client_id is None:
        return
    cloud = genesys_cloud(settings, clock)
    login = settings.genesys_hosts.login_url
    try:
        answer = cloud.request_token(limit=LIMIT)
        finding, token = _token(answer, login)
    except BffError as error:
        finding, token = _unreached("platform client", login, error, settings), ""
    yield finding
    if token and settings.guest_provisioning == "http":
        yield _gateway(settings, cloud, token)


def _token(answer: PlatformAnswer, login: str) -> tuple[Finding, str]:
    if answer.status in _CREDENTIALS_REFUSED:
        what = f"platform client: {login} does not accept its id and secret ({answer.status})"
        fix = (
            "copy BFF_PLATFORM_CLIENT_ID and BFF_PLATFORM_CLIENT_SECRET from an OAuth client of "
            "grant type Client Credentials, of the organisation in BFF_GENESYS_REGION; a gateway "
            "may want BFF_PLATFORM_AUTH=body"
        )
        return fault(what, fix), ""
    token = said_yes(answer, what="token").get("access_token")
    if not isinstance(token, str) or not token:
        what = f"platform client: {login} answers without a token"
        return fault(what, "look at BFF_GENESYS_LOGIN_URL: is that a login host?"), ""
    return fine(f"platform client: {login} gives it a token"), token


def _unreached(what: str, host: str, error: BffError, settings: Settings) -> Finding:
    """Return a fault if guests cannot begin without `host`, and something to consider if not."""
    said = f"{what}: {host} is of no use now: {error.code} ({error.detail})"
    fix = (
        "look at BFF_GENESYS_REGION and the addresses BFF_GENESYS_…_URL, and whether this machine "
        "may reach that host; then try again"
    )
    return fault(said, fix) if settings.guest_provisioning == "http" else warning(said, fix)


def _gateway(settings: Settings, cloud: GenesysCloud, token: str) -> Finding:
    path = settings.guest_provisioning_path
    where = f"{settings.genesys_hosts.api_url}{path}"
    try:
        answer = cloud.send(
            PlatformRequest(method="POST", path=path, body={}), token=token, limit=LIMIT
        )
        if answer.status in _NO_DOOR:
            return fault(
                f"gateway: there is nothing at {where} ({answer.status})",
                "look at BFF_GENESYS_API_URL and BFF_GUEST_PROVISIONING_PATH. Genesys itself has "
                "no such door: without a gateway it is BFF_GUEST_PROVISIONING=local",
            )
        if answer.status not in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}:
            said_yes(answer, what="gateway")
    except GenesysPermissionError as error:
        missing = ", ".join(error.permissions) or "it does not say which"
        return fault(
            f"gateway: the platform client lacks a permission: {missing}",
            "give that permission to a role of the client: its rights come from roles",
        )
    except BffError as error:
        return _unreached("gateway", where, error, settings)
    return fine(f"gateway: {where} lets the platform client in")


# The deployment


def _existence(deployment: _Deployment) -> Iterator[Finding]:
    """Yield whether the deployment is there and awake; first of all, whether it exists."""
    where = f"deployment {deployment.name}"
    cdn = deployment.settings.genesys_hosts.cdn_url
    try:
        config = deployment.published("config.json")
    except (GenesysDownError, GenesysSilentError) as error:
        yield warning(
            f"{where}: {cdn} does not say whether it exists: {error.code} ({error.detail})",
            "nothing but this check needs that host; let this machine reach it, or see below "
            "whether origins are let in",
        )
        return
    except BffError as error:
        yield fault(
            f"{where}: there is none of that id at {cdn} ({error.detail.partition(';')[0]})",
            "copy BFF_GENESYS_DEPLOYMENT_ID from the deployment's page at Genesys (Admin, "
            "Messenger Deployments), and look at BFF_GENESYS_REGION: each region has its own",
        )
        return
    awake = _awake(where, config)
    yield awake
    if awake.verdict is Verdict.OK:
        yield from _signed_in_people(where, config.get("auth"))


def _awake(where: str, config: Mapping[str, Any]) -> Finding:
    messenger = config.get("messenger")
    if not isinstance(messenger, dict):
        return fault(
            f"{where}: what is published is no deployment",
            "look at BFF_GENESYS_CDN_URL: something else answers there",
        )
    if config.get("status", "Active") != "Active" or messenger.get("enabled") is False:
        return fault(
            f"{where}: it is switched off at Genesys",
            "set the deployment to Active, and enable Messenger in its configuration",
        )
    return fine(f"{where}: exists and is active")


def _signed_in_people(where: str, auth: object) -> Iterator[Finding]:
    said = auth if isinstance(auth, dict) else {}
    if said.get("enabled") is not True:
        yield warning(
            f"{where}: it knows guests only, Authentication is off",
            "switch it on in the Messenger configuration and choose the OIDC integration that "
            "points at this service, or signed-in people stay nameless for agents",
        )
    elif said.get("allowSessionUpgrade") is not True:
        yield warning(
            f"{where}: guests cannot become signed-in people, session upgrade is off",
            "allow it in the Messenger configuration, under Authentication; or whoever signs in "
            "during a chat begins a new one",
        )


# The origins


def _origins(deployment: _Deployment) -> Iterator[Finding]:
    listed = _listed_domains(deployment)
    for origin in deployment.settings.allowed_origins:
        try:
            status = deployment.upgrade(origin)
        except GenesysDownError as error:
            host = deployment.settings.genesys_hosts.messaging_url
            yield fault(
                f"web messaging: {host} does not answer ({error.detail})",
                "let this machine open WebSockets to that host (TLS, port 443), and look at "
                "BFF_GENESYS_REGION and BFF_GENESYS_MESSAGING_URL",
            )
            return
        yield _origin(origin, status, listed)


def _listed_domains(deployment: _Deployment) -> str:
    try:
        domains = deployment.published("domains.json").get("allowedDomains")
    except BffError:
        return ""
    return ", ".join(map(str, domains)) if isinstance(domains, list) else ""


def _origin(origin: str, status: int, listed: str) -> Finding:
    if status == OPENED:
        return fine(f"web messaging: lets pages of {origin} in")
    if status in _COME_BACK or status >= _SERVER_FAULT:
        return warning(
            f"web messaging: cannot say now whether it lets pages of {origin} in ({status})",
            "try again in a minute",
        )
    if status == HTTPStatus.FORBIDDEN:
        host = urlsplit(origin).hostname
        there = f"; listed now: {listed}" if listed else ""
        return fault(
            f"web messaging: refuses pages of {origin} ({status})",
            f"add {host} to the allowed domains of the Messenger deployment{there}. If it is "
            "there, BFF_GENESYS_DEPLOYMENT_ID is another deployment's",
        )
    return fault(
        f"web messaging: answers pages of {origin} with {status}",
        "BFF_GENESYS_DEPLOYMENT_ID, BFF_GENESYS_REGION and BFF_GENESYS_MESSAGING_URL must belong "
        "together",
    )


# The integration


def _integration(settings: Settings) -> Iterator[Finding]:
    """Yield what is known of the way back, from Genesys to us."""
    ours, theirs = (
        is_loopback_name(urlsplit(url).hostname or "")
        for url in (settings.public_url, settings.genesys_hosts.api_url)
    )
    if ours and not theirs:
        yield warning(
            f"OIDC integration: Genesys cannot reach {settings.broker_issuer} on this machine",
            "signing in at the Messenger needs a BFF_PUBLIC_URL that Genesys can reach",
        )
    yield note(
        "OIDC integration: whether Genesys has the right address and secret shows when somebody "
        "signs in",
        f"compare its Discovery URI with {settings.broker_issuer}/.well-known/openid-configuration "
        "and its client with BFF_GENESYS_CLIENT_ID and BFF_GENESYS_CLIENT_SECRET; then sign in on "
        "a page: a 401 for POST /op/token in this service's log is a wrong secret, no such line "
        "is a wrong address",
    )
