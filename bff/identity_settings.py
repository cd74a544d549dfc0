"""Settings of an identity provider: where people sign in, and how Genesys is known there."""

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Final, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from bff.adapters.http_client import is_loopback_name
from bff.setting_checks import Duration

OUR_PARAMETERS: Final = frozenset(
    {
        *("response_type", "response_mode", "client_id", "redirect_uri", "scope", "state", "nonce"),
        *("code_challenge", "code_challenge_method", "prompt", "max_age", "acr_values"),
        *("request", "request_uri"),
    }
)
"""Of an authorization request; what may vary among them has a setting of its own."""

_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


OUR_CLAIMS: Final = ("email", "given_name", "family_name", "name")


class ProviderSettings(BaseModel):
    """One identity provider that people sign in at."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: str = Field(description="issuer, to the letter as in its discovery document")
    client_id: str = Field(min_length=1, description="our client id there")
    client_secret: SecretStr = Field(description="our client secret there")
    scopes: tuple[str, ...] = Field(
        ("openid", "profile", "email", "offline_access"),
        description="scopes asked for; without `offline_access` there may be no refresh token",
    )
    extra_parameters: dict[str, str] = Field(
        default_factory=dict, description="further parameters of the authorization request"
    )
    prompt: Literal["none", "login", "select_account", "consent"] | None = Field(
        None, description="`prompt` of each sign-in; what a page asks for counts only without it"
    )
    max_age: Duration | None = Field(
        None,
        ge=timedelta(0),
        le=timedelta(days=3650),
        description="how old a sign-in at the provider may be; verified",
    )
    acr_values: tuple[str, ...] = Field((), description="accepted `acr` values; verified")
    token_auth: Literal["client_secret_basic", "client_secret_post"] = Field(
        "client_secret_basic", description="how we authenticate at its token endpoint"
    )
    userinfo: Literal["when_needed", "always", "never"] = Field(
        "when_needed", description="when to ask the userinfo endpoint for claims"
    )
    logout_types: tuple[str, ...] = Field(
        ("logout+jwt",),
        description="accepted `typ` of its logout tokens; older providers send `JWT` or none",
    )
    claims: dict[str, str] = Field(
        default_factory=lambda: {name: name for name in OUR_CLAIMS},
        description="our claim → the provider's claim; what is not named here keeps its own name",
    )
    assume_email_verified: bool = Field(
        False,
        description="take an e-mail for verified where the provider says nothing of it "
        "(`email_verified` is absent)",
    )
    passthrough_client_id: str | None = Field(
        None,
        min_length=1,
        description="client id of the Genesys OIDC integration there; for `BFF_CODES=passthrough`",
    )
    passthrough_scopes: tuple[str, ...] = Field(
        ("openid", "profile", "email", "offline_access"),
        description="scopes asked for in its name",
    )
    passthrough_hint: Literal["auto", "login_hint", "id_token", "subject", "none"] = Field(
        "auto",
        description="how the provider is told whose code we want: `login_hint` (the e-mail), "
        "`id_token` (a hint with ours), `subject` (a `claims` request, which binds it); "
        "`auto` sends the first, and the last where the provider can",
    )

    @field_validator("issuer")
    @classmethod
    def _issuer_is_safe(cls, value: str) -> str:
        parts = urlsplit(value)
        inside = parts.scheme == "http" and is_loopback_name(parts.hostname or "")
        safe = (parts.scheme == "https" or inside) and "@" not in parts.netloc
        if not parts.hostname or not safe or parts.query or parts.fragment:
            raise ValueError("must be an https URL without query (OIDC Discovery 1.0)")
        return value

    @field_validator("extra_parameters")
    @classmethod
    def _ours_are_ours(cls, value: dict[str, str]) -> dict[str, str]:
        # A fixed state or nonce would protect nobody; found here, not at the first sign-in.
        if taken := sorted(set(value) & OUR_PARAMETERS):
            raise ValueError(f"must not contain {', '.join(taken)}: each sign-in sets its own")
        return value

    @field_validator("claims")
    @classmethod
    def _others_stay(cls, value: dict[str, str]) -> dict[str, str]:
        if unknown := sorted(set(value) - set(OUR_CLAIMS)):
            known = ", ".join(OUR_CLAIMS)
            raise ValueError(f"names {', '.join(unknown)}, which are none of ours ({known})")
        return {**{name: name for name in OUR_CLAIMS}, **value}

    @field_validator("scopes", "passthrough_scopes")
    @classmethod
    def _openid_is_asked(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if "openid" not in value:
            raise ValueError("must contain openid")
        return value


def check_names(providers: Iterable[str]) -> None:
    """Refuse a name that cannot be the end of a redirect URI; the first provider has none."""
    for name in list(providers)[1:]:
        if not _PLAIN_NAME.fullmatch(name):
            raise ValueError(
                f"has a provider {name[:64]!r}, whose name is a part of its redirect URI: use "
                "letters, digits, `-` and `_`"
            )


def check_known_to_genesys(providers: dict[str, ProviderSettings], *, codes: str | None) -> None:
    """Refuse passthrough where a provider does not know Genesys, and its settings where it is off.

    A provider without a client for Genesys would sign people in who then never get a chat.
    """
    for name, provider in providers.items():
        variable = f"BFF_PROVIDERS__{name.upper()}__PASSTHROUGH_CLIENT_ID"
        if codes == "passthrough" and provider.passthrough_client_id is None:
            raise ValueError(
                f"is incomplete for BFF_CODES=passthrough: {variable} is missing, the client id "
                "that the Genesys OIDC integration has at this provider"
            )
        if codes == "broker" and provider.passthrough_client_id is not None:
            raise ValueError(
                f"has {variable}, which only BFF_CODES=passthrough uses: set that, or remove this"
            )
