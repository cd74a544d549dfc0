"""What the Genesys stand-in is told at its start; the control API can turn the dials later."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

DEMO_DEPLOYMENT: Final = "7c4e1f0a-52d8-4d53-9a57-0d3f6f1b2c88"


class ClientAuthentication(StrEnum):
    """How the integration proves itself at the provider's token endpoint."""

    BASIC = "client_secret_basic"
    POST = "client_secret_post"


class EarlyRefresh(StrEnum):
    """What a refresh gives while the old JWT is still valid. It is never a new JWT."""

    SAME = "same"
    REJECT_400 = "reject400"


class JwtLife(StrEnum):
    """How the provider's access token bounds the JWT: by its whole life or by what is left."""

    LIFETIME = "lifetime"
    REMAINING = "remaining"


class UnknownDeployment(StrEnum):
    """When a deployment that does not exist is noticed: before the upgrade, or when configuring."""

    UPGRADE_403 = "upgrade403"
    UPGRADE_400 = "upgrade400"
    CONFIGURE = "configure"


class AfterReauthenticate(StrEnum):
    """What the page exchanges once `reAuthenticate` has resolved with auth data."""

    PAYLOAD = "payload"
    CODE = "code"
    BOTH = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcIntegration:
    """The "OpenID Connect Messenger Configuration" of the organisation."""

    discovery_uri: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: tuple[str, ...] = ("openid", "email", "profile", "offline_access")
    client_authentication: ClientAuthentication = ClientAuthentication.BASIC


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformClient:
    """An OAuth client of the platform API (client credentials)."""

    client_id: str
    client_secret: str = field(repr=False)
    token_life: timedelta = timedelta(days=1)


@dataclass(slots=True, kw_only=True)
class Behaviour:
    """The dials: every line is a point where Genesys hurts, or where its ways are unknown."""

    early_refresh: EarlyRefresh = EarlyRefresh.SAME
    jwt_life: JwtLife = JwtLife.LIFETIME
    # The body of a failed exchange is undocumented; 401 and 400 have both been seen.
    exchange_refusal_status: int = 401
    # The vendor's own client takes 403 for it (pull request 129 of the transport SDK); unsure.
    unknown_deployment: UnknownDeployment = UnknownDeployment.UPGRADE_403
    # Tutorials put id and secret into the form; the vendor's clients never do.
    credentials_in_body: bool = False
    # Not Genesys but a gateway in front of it. A permission named here is missing there.
    gateway_makes_guests: bool = False
    missing_permission: str = ""
    # Page side. The first is the unanswered report of the forum thread.
    reauthenticate_resolve_is_ignored: bool = False
    reauthenticate_uses: AfterReauthenticate = AfterReauthenticate.PAYLOAD
    same_jwt_is_published: bool = False
    stored_tokens_are_published: bool = False
    refused_code_forces_update: bool = False
    signed_in_event_is_required: bool = True
    # How long the page waits for a renewal by the brand before it shows the pop-up.
    popup_grace_ms: int = 1_500
    reconnect_ms: int = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class GenesysSettings:
    """One organisation with one deployment, one integration and some platform clients."""

    integration: OidcIntegration
    allowed_domains: tuple[str, ...]
    deployment_id: str = DEMO_DEPLOYMENT
    allow_all_domains: bool = False
    auth_enabled: bool = True
    allow_session_upgrade: bool = False
    auto_start: bool = True
    conversation_clear: bool = True
    jwt_cap: timedelta = timedelta(minutes=15)
    refresh_token_life: timedelta = timedelta(hours=24)
    session_life: timedelta = timedelta(hours=72)
    connection_life: timedelta = timedelta(hours=2)
    platform_clients: tuple[PlatformClient, ...] = ()
    # Guests that a gateway in front of Genesys lists; without any it has no such door.
    gateway_guests: tuple[Mapping[str, Any], ...] = ()
    agent_name: str = "Robin"
    agent_delay: timedelta = timedelta(0)
    behaviour: Behaviour = field(default_factory=Behaviour)

    def allows_host(self, host: str) -> bool:
        """Say whether a page of `host` may use the deployment; scheme and port do not count."""
        name = host.lower()
        return self.allow_all_domains or any(
            name == domain or name.endswith("." + domain) for domain in self.allowed_domains
        )
