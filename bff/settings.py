"""Every setting: read once from the environment and an optional file, complete or refused."""

import os
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from bff.errors import SettingsError
from bff.guest_settings import GuestSettings
from bff.identity_settings import ProviderSettings, check_known_to_genesys, check_names
from bff.inspector_settings import InspectorSettings
from bff.record_settings import RecordSettings
from bff.setting_checks import (
    NEW_KEY_HINT,
    Duration,
    check_for_broker,
    checked_database,
    checked_origin,
    checked_secret,
    checked_store,
    decoded_key,
)
from bff.setting_sources import (
    FILE_VARIABLE,
    PREFIX,
    SettingsFile,
    from_environment,
    from_file,
    holds_secrets,
    merge,
    unknown_variables,
)
from bff.signin.redirect_uris import callback_of, redirect_uri

STORE_PLACES: Final = 128
MIN_STORE_PLACES: Final = 16
"""Calls to Redis at a time: of all workers together, and of each at least."""


class ServiceSettings(BaseSettings):
    """What signing in needs, and where and how the service runs."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )

    public_url: str = Field(description="origin under which browsers reach this service")
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        description="origins of the pages that embed the Messenger, separated by commas"
    )
    store_url: str = Field(
        "sqlite:///messenger-bff.sqlite3",
        description="`sqlite:///FILE` (one process), `redis://…`, `rediss://…`, or "
        "`redis+sentinel://HOST:PORT,HOST:PORT/PRIMARY` (`rediss+sentinel` with TLS)",
    )
    workers: int = Field(1, ge=1, le=64, description="processes of `serve`; more need Redis")
    store_pool: int | None = Field(
        None,
        ge=1,
        le=10_000,
        description="calls to Redis that one process makes at a time, others wait in line; "
        "default: 128 for all workers together, 16 for each at least",
    )
    master_key: SecretStr = Field(description="32 bytes, base64: seals the key ring")
    master_key_previous: SecretStr | None = Field(
        None, description="the one before, while you change it"
    )
    pairwise_salt: SecretStr = Field(
        description="32 bytes, base64: makes customer ids at Genesys; never change it"
    )
    codes: Literal["broker", "passthrough"] = Field(
        "broker",
        description="whose codes Genesys redeems: ours (`broker`) or the provider's "
        "(`passthrough`, docs/passthrough.md)",
    )
    passthrough_code_life: Duration = Field(
        timedelta(seconds=60),
        ge=timedelta(seconds=10),
        le=timedelta(minutes=10),
        description="how long a provider's code waits here for its page; not longer than it lives",
    )
    providers: dict[str, ProviderSettings] = Field(
        min_length=1,
        description="identity providers by name, the first is the default: "
        "`BFF_PROVIDERS__MAIN__ISSUER`, …",
    )
    genesys_client_id: str = Field(
        "",
        validate_default=True,
        description="client id that the Genesys OIDC integration uses with us; **required** "
        "for `broker`",
    )
    genesys_client_secret: SecretStr = Field(
        SecretStr(""),
        validate_default=True,
        description="its client secret; **required** for `broker`",
    )
    genesys_redirect_uri: str | None = Field(
        None, description="redirect URI of our codes; default `PUBLIC_URL/op/landing`"
    )
    access_token_life: Duration = Field(
        timedelta(minutes=15),
        ge=timedelta(seconds=10),
        le=timedelta(days=1),
        description="life of our access tokens: how soon a logout reaches Genesys",
    )
    session_absolute: Duration = Field(
        timedelta(days=7), gt=timedelta(0), description="longest life of a session"
    )
    session_idle: Duration = Field(
        timedelta(hours=12), gt=timedelta(0), description="life of a session that nobody uses"
    )
    renewal_lead: Duration = Field(
        timedelta(seconds=60), description="renew the provider's tokens this long before expiry"
    )
    outage_grace: Duration = Field(
        timedelta(minutes=15), description="how long codes are minted while the provider is down"
    )
    key_lifecycle: Duration = Field(
        timedelta(days=30), ge=timedelta(minutes=1), description="age at which sealing keys rotate"
    )
    signing_key_lifecycle: Duration = Field(
        timedelta(days=30), ge=timedelta(minutes=1), description="age at which signing keys rotate"
    )
    cross_site: bool = Field(
        default=False, description="pages are on another site: `SameSite=None; Partitioned`"
    )
    trusted_proxies: int = Field(
        0, ge=0, le=8, description="proxies in front whose `X-Forwarded-*` are believed"
    )
    sign_ins_per_minute: int = Field(
        30, ge=1, description="sign-ins that one address may start in a minute"
    )
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8080, ge=0, le=65535, description="port to listen on")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="how much is logged"
    )

    @field_validator("public_url")
    @classmethod
    def _public_url_is_origin(cls, value: str) -> str:
        return checked_origin(value)

    @field_validator("allowed_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("allowed_origins")
    @classmethod
    def _origins_are_exact(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("is empty: name the pages that embed the Messenger")
        return tuple(checked_origin(origin) for origin in value)

    @field_validator("store_url")
    @classmethod
    def _store_is_known(cls, value: str) -> str:
        schemes = ("sqlite", "redis", "rediss", "redis+sentinel", "rediss+sentinel")
        known = "starts with none of sqlite:, redis:, rediss:, redis+sentinel:, rediss+sentinel:"
        return checked_store(checked_database(value, schemes, known))

    @field_validator("workers")
    @classmethod
    def _workers_fit_store(cls, value: int, info: ValidationInfo) -> int:
        if value > 1 and str(info.data.get("store_url", "redis:")).startswith("sqlite:"):
            raise ValueError(
                "more than one process needs Redis (BFF_STORE_URL=redis://…): the embedded "
                "store is one file on one machine and its news reach one process at once"
            )
        return value

    @field_validator("store_pool")
    @classmethod
    def _pool_is_said_once(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and "max_connections=" in str(info.data.get("store_url", "")):
            raise ValueError("is also in BFF_STORE_URL (max_connections): say it in one place")
        return value

    @field_validator("master_key", "master_key_previous", "pairwise_salt")
    @classmethod
    def _keys_are_strong(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            decoded_key(value)
        return value

    @field_validator("pairwise_salt")
    @classmethod
    def _salt_is_its_own(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        if value == info.data.get("master_key"):
            raise ValueError("equals BFF_MASTER_KEY: one secret, one purpose")
        return value

    @field_validator("providers")
    @classmethod
    def _providers_fit_codes(
        cls, value: dict[str, ProviderSettings], info: ValidationInfo
    ) -> dict[str, ProviderSettings]:
        check_names(value)
        check_known_to_genesys(value, codes=info.data.get("codes"))
        return value

    @field_validator("genesys_client_id")
    @classmethod
    def _client_fits_codes(cls, value: str, info: ValidationInfo) -> str:
        check_for_broker(value, codes=info.data.get("codes"), what="client id of the integration")
        return value

    @field_validator("genesys_client_secret")
    @classmethod
    def _secret_is_strong(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        text = value.get_secret_value()
        check_for_broker(
            text, codes=info.data.get("codes"), what="client secret of the integration"
        )
        return checked_secret(value) if text else value

    @field_validator("genesys_redirect_uri")
    @classmethod
    def _redirect_is_safe(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None:
            check_for_broker(value, codes=info.data.get("codes"), what="redirect URI of our codes")
            checked_origin("/".join(value.split("/", 3)[:3]))
            parts = urlsplit(value)
            if parts.fragment or not parts.path.startswith("/"):
                raise ValueError("is no redirect URI: it has a path, and no fragment (RFC 6749)")
        return value

    @field_validator("session_idle")
    @classmethod
    def _idle_fits(cls, value: timedelta, info: ValidationInfo) -> timedelta:
        if value > info.data.get("session_absolute", value):
            raise ValueError("is longer than BFF_SESSION_ABSOLUTE")
        return value

    @property
    def redirect_uri(self) -> str:
        """Return where the first provider sends browsers back."""
        return self.public_url + "/auth/callback"

    @property
    def passthrough_redirect_uri(self) -> str:
        """Return where the first provider sends browsers back with codes for Genesys."""
        return self.public_url + "/messenger/callback"

    def redirect_uri_of(self, provider: str) -> str:
        """Return where a provider sends browsers back: a place of its own."""
        return redirect_uri(self.redirect_uri, callback_of(provider, self.providers))

    def passthrough_redirect_uri_of(self, provider: str) -> str:
        """Return where a provider sends browsers back with codes for Genesys."""
        return redirect_uri(self.passthrough_redirect_uri, callback_of(provider, self.providers))

    @property
    def broker_issuer(self) -> str:
        """Return the issuer that the Genesys OIDC integration is pointed at."""
        return self.public_url + "/op"

    @property
    def broker_redirect_uri(self) -> str:
        """Return the constant redirect URI of our codes."""
        return self.genesys_redirect_uri or self.broker_issuer + "/landing"

    @property
    def passthrough(self) -> bool:
        """Say whether Genesys redeems at the identity provider itself."""
        return self.codes == "passthrough"

    @property
    def embedded(self) -> bool:
        """Say whether the store is the file on this machine."""
        return self.store_url.startswith("sqlite:")

    @property
    def store_places(self) -> int:
        """Return how many calls to Redis one process makes at a time."""
        return self.store_pool or max(MIN_STORE_PLACES, STORE_PLACES // self.workers)

    @property
    def store_path(self) -> Path:
        """Return the file of the embedded store."""
        return Path(self.store_url.removeprefix("sqlite://").removeprefix("/"))

    @property
    def master_keys(self) -> tuple[bytes, ...]:
        """Return the master key, and the previous one behind it if there is one."""
        texts = (self.master_key, self.master_key_previous)
        return tuple(decoded_key(text) for text in texts if text is not None)


class Settings(InspectorSettings, RecordSettings, GuestSettings, ServiceSettings):
    """All settings. Secrets have no default.

    `source` is the file that some of them came from, and whether secrets are among these.
    """

    _source: SettingsFile | None = PrivateAttr(None)

    @property
    def source(self) -> SettingsFile | None:
        """Return the file that was read, if one was."""
        return self._source

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what `read` hands over, and nothing from behind its back."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)

    @classmethod
    def read(
        cls,
        env: Mapping[str, str] | None = None,
        *,
        file: Path | None = None,
        over: Mapping[str, str] | None = None,
    ) -> Self:
        """Read the environment (first; `over` before it) and a TOML file (second).

        Raises SettingsError whose detail names every missing, weak, unknown or contradictory
        setting, each with what to do.
        """
        env = dict(os.environ) if env is None else env  # noqa: TID251 - this is the room
        env = {**env, **(over or {})}
        faults = unknown_variables(env, cls.model_fields)
        chosen = file or (Path(env[FILE_VARIABLE]) if env.get(FILE_VARIABLE) else None)
        values: dict[str, Any] = {}
        source: SettingsFile | None = None
        if chosen is not None:
            values, problem = from_file(cls, chosen)
            faults += [problem] if problem else []
            source = SettingsFile(path=chosen, secret=holds_secrets(values))
        merge(values, from_environment(cls, env))
        try:
            settings = cls(**values)
        except ValidationError as error:
            faults += [_sentence(fault) for fault in error.errors(include_url=False)]
        else:
            if not faults:
                settings._source = source
                return settings
        raise SettingsError("\n".join(faults))


def inherited(names: Iterable[str]) -> dict[str, str]:
    """Return those of `names` that are set, for a child process that gets its own environment."""
    return {name: os.environ[name] for name in names if name in os.environ}  # noqa: TID251 - the room


def _sentence(fault: ErrorDetails) -> str:
    name = PREFIX + "__".join(str(part) for part in fault["loc"]).upper()
    if fault["type"] == "missing":
        return f"{name} is missing: {_what(fault['loc'])}"
    message = fault["msg"].removeprefix("Value error, ")
    reads_on = message.startswith(("is ", "has ", "holds ", "equals ", "must "))
    return f"{name} {message}" if reads_on else f"{name}: {message}"


def _what(location: tuple[int | str, ...]) -> str:
    """Return the description of a missing setting."""
    model: type[BaseModel] = Settings if len(location) == 1 else ProviderSettings
    field = model.model_fields[str(location[-1])]
    needs_key = location[-1] in {"master_key", "pairwise_salt"}
    return f"{field.description}{f' ({NEW_KEY_HINT})' if needs_key else ''}"
