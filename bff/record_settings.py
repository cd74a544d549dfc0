"""Settings of the guest records: the database, the keys, the audit trail, erasure, the import."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from bff.setting_checks import (
    Duration,
    checked_database,
    checked_file_or_https,
    checked_secret,
)

OUR_FIELDS = frozenset({"email", "name"})


class RecordSettings(BaseModel):
    """The part of `Settings` that the records need; all of it has a default that is safe."""

    records_url: str | None = Field(
        None,
        description="`postgresql://…` or `sqlite:///FILE` for guests and the audit trail; "
        "default: a file beside the store's; with Redis none is kept unless this is set",
    )
    records_pool: int = Field(5, ge=1, le=100, description="connections of one process to it")
    records_timeout: Duration = Field(
        timedelta(seconds=5),
        ge=timedelta(milliseconds=100),
        le=timedelta(minutes=1),
        description="how long a connection, a lock or a statement may take",
    )
    records_statements: int = Field(
        100, ge=0, description="prepared statements of each connection (PostgreSQL)"
    )
    guest_keys_path: Path | None = Field(
        None,
        description="file of the guests' keys, apart from what they open; default: beside the "
        "store's; with Redis they are there",
    )
    profile_fields: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="fields of a profile that are kept beside `email` and `name`, by commas"
    )
    profile_retention: Duration = Field(
        timedelta(days=365), description="age at which `records prune` forgets unused guests"
    )
    deletion_secret: SecretStr | None = Field(
        None, description="secret of the deletion callback; without it nobody is answered there"
    )
    audit_token: SecretStr | None = Field(
        None, description="bearer token of the auditor, for `/records/audit`; without it it is shut"
    )
    metrics_token: SecretStr | None = Field(
        None, description="bearer token of whoever reads `/metrics`; without it it is shut"
    )
    audit_head_every: int = Field(
        1000, ge=1, description="events after which the head of the trail is signed"
    )
    audit_head_age: Duration = Field(
        timedelta(minutes=15), description="time after which it is signed anyway"
    )
    audit_heads: str | None = Field(
        None, description="where signed heads are kept as well: a file, or an `https:` URL"
    )
    import_path: str = Field(
        "/api/v2/engagement/guests", description="path at the platform API of `guests import`"
    )
    import_page_size: int = Field(10, ge=1, le=1000, description="guests on a page of it")
    callbacks_path: str = Field(
        "/api/v2/callbacks", description="path where `callbacks register` asks to be called"
    )

    @field_validator("records_url")
    @classmethod
    def _database_is_known(cls, value: str | None) -> str | None:
        if value is None:
            return None
        schemes = ("sqlite", "postgresql")
        return checked_database(value, schemes, "starts with none of sqlite:, postgresql:")

    @field_validator("profile_fields", mode="before")
    @classmethod
    def _split_fields(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("profile_fields")
    @classmethod
    def _fields_are_new(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if taken := sorted(set(value) & OUR_FIELDS):
            raise ValueError(f"names {', '.join(taken)}, which are kept anyway")
        return value

    @field_validator("deletion_secret", "audit_token", "metrics_token")
    @classmethod
    def _secrets_are_strong(cls, value: SecretStr | None) -> SecretStr | None:
        return None if value is None else checked_secret(value)

    @field_validator("audit_heads")
    @classmethod
    def _heads_are_safe(cls, value: str | None) -> str | None:
        return None if value is None else checked_file_or_https(value)
