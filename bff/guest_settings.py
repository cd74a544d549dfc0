"""Settings of the guest sessions: Genesys' side, provisioning, lives, limits, the gateway."""

import uuid
from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, Field, SecretStr, ValidationInfo, field_validator

from bff.errors import SettingsError
from bff.guests.provisioning import GUESTS_PATH, checked_guests_path
from bff.guests.regions import domain_of, hosts_of
from bff.guests.shared_secret import checked_shared_secret
from bff.ports import GenesysHosts
from bff.setting_checks import Duration, checked_origin, checked_socket_origin


class GuestSettings(BaseModel):
    """The part of `Settings` that anonymous visitors need; all of it may be left out.

    What one setting says about another is checked field by field: a check of the whole would
    wait until every other setting is right, and then name its fault in a second start.
    """

    genesys_deployment_id: str | None = Field(
        None, description="id of the Messenger deployment; switches guest sessions on"
    )
    genesys_region: str = Field(
        "prod", description="region of Genesys Cloud, by name (`prod-euw1`) or domain"
    )
    genesys_login_url: str | None = Field(
        None, description="where platform tokens come from, if not from the region"
    )
    genesys_api_url: str | None = Field(
        None, description="where the platform API is, if not in the region"
    )
    genesys_cdn_url: str | None = Field(
        None, description="where deployments are published, if not in the region; `check` asks it"
    )
    genesys_messaging_url: str | None = Field(
        None, description="where web messaging is (`wss://…`), if not in the region"
    )
    platform_client_id: str | None = Field(
        None, min_length=1, description="OAuth client of the platform API (client credentials)"
    )
    platform_client_secret: SecretStr | None = Field(
        None, min_length=1, validate_default=True, description="its client secret"
    )
    platform_auth: Literal["basic", "body"] = Field(
        "basic", description="how it shows its secret; `body` is for gateways"
    )
    platform_scope: str = Field("", description="scope it asks for; Genesys reads none")
    guest_provisioning: Literal["local", "http"] = Field(
        "local", description="who makes guests: we (`local`), or a gateway (`http`)"
    )
    guest_provisioning_path: str = Field(
        GUESTS_PATH, description="path at the platform API where a gateway makes guests"
    )
    guest_lifetime: Duration = Field(
        timedelta(hours=1),
        ge=timedelta(minutes=1),
        le=timedelta(hours=72),
        description="life of a guest session that nobody uses",
    )
    guest_recall_age: Duration = Field(
        timedelta(hours=24),
        ge=timedelta(minutes=1),
        le=timedelta(days=30),
        description="time for which a browser alone, without a sign-in, comes back to a "
        "conversation; Genesys keeps one for 72 hours by default",
    )
    session_id_key_lifecycle: Duration = Field(
        timedelta(hours=1),
        ge=timedelta(minutes=1),
        description="age at which the keys of session ids rotate",
    )
    guest_sessions_per_minute: int = Field(
        10, ge=1, description="guest sessions that one address or browser may begin in a minute"
    )
    guest_connections: int = Field(1000, ge=1, description="pages that one process keeps connected")
    hmac_secret: SecretStr | None = Field(
        None, description="allows the `shared-secret` scheme, for clients that are servers"
    )
    gateway_host: str = Field("127.0.0.1", description="address that `gateway` listens on")
    gateway_port: int = Field(8081, ge=0, le=65535, description="port that `gateway` listens on")

    @field_validator("genesys_deployment_id")
    @classmethod
    def _deployment_is_an_id(cls, value: str | None) -> str | None:
        if value is None:
            return None
        spelled = value.strip().lower()
        try:
            right = str(uuid.UUID(spelled)) == spelled
        except ValueError:
            right = False
        if not right:
            raise ValueError("is not a UUID: copy the id from the Messenger deployment's page")
        return spelled

    @field_validator("genesys_region")
    @classmethod
    def _region_is_known(cls, value: str) -> str:
        try:
            domain_of(value)
        except SettingsError as error:
            raise ValueError(error.detail) from None
        return value.strip().lower()

    @field_validator("genesys_login_url", "genesys_api_url", "genesys_cdn_url")
    @classmethod
    def _hosts_are_safe(cls, value: str | None) -> str | None:
        return None if value is None else checked_origin(value)

    @field_validator("genesys_messaging_url")
    @classmethod
    def _messaging_is_safe(cls, value: str | None) -> str | None:
        return None if value is None else checked_socket_origin(value)

    @field_validator("platform_client_secret")
    @classmethod
    def _platform_client_is_whole(
        cls, value: SecretStr | None, info: ValidationInfo
    ) -> SecretStr | None:
        client_id = info.data.get("platform_client_id")
        if value is None and client_id is not None:
            raise ValueError("is missing: BFF_PLATFORM_CLIENT_ID is of no use without it")
        if value is not None and client_id is None and "platform_client_id" in info.data:
            raise ValueError("has no BFF_PLATFORM_CLIENT_ID beside it: set both or neither")
        return value

    @field_validator("guest_provisioning")
    @classmethod
    def _gateway_knows_us(
        cls, value: Literal["local", "http"], info: ValidationInfo
    ) -> Literal["local", "http"]:
        alone = info.data.get("platform_client_id", "") is None
        if value == "http" and alone and info.data.get("platform_client_secret", "") is None:
            raise ValueError(
                "is http: the gateway wants a token of the platform API, so set "
                "BFF_PLATFORM_CLIENT_ID and BFF_PLATFORM_CLIENT_SECRET"
            )
        return value

    @field_validator("guest_provisioning_path")
    @classmethod
    def _path_is_plain(cls, value: str) -> str:
        try:
            return checked_guests_path(value)
        except SettingsError as error:
            raise ValueError(error.detail) from None

    @field_validator("hmac_secret")
    @classmethod
    def _shared_secret_is_strong(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            checked_shared_secret(value.get_secret_value())
        return value

    @property
    def genesys_hosts(self) -> GenesysHosts:
        """Return where Genesys answers: in its region, unless a setting says otherwise."""
        region = hosts_of(self.genesys_region)
        return GenesysHosts(
            login_url=self.genesys_login_url or region.login_url,
            api_url=self.genesys_api_url or region.api_url,
            cdn_url=self.genesys_cdn_url or region.cdn_url,
            messaging_url=self.genesys_messaging_url or region.messaging_url,
        )
