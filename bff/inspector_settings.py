"""Settings of the flow inspector: whether there is one, and who may look."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, ValidationInfo, field_validator
from pydantic_settings import NoDecode


class InspectorSettings(BaseModel):
    """The part of `Settings` that the inspector needs; without it there is none."""

    inspector_operators: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="who may look at any recording: `PROVIDER/SUBJECT`, separated by commas",
    )
    inspector: Literal["off", "operators", "everybody"] = Field(
        "off",
        validate_default=True,
        description="flow inspector: for nobody, for operators (production), or also for every "
        "browser about itself (demo and QA)",
    )

    @field_validator("inspector_operators", mode="before")
    @classmethod
    def _split_operators(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("inspector_operators")
    @classmethod
    def _operators_are_whole(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            provider, _, subject = one.partition("/")
            if not provider or not subject:
                raise ValueError(
                    "has an entry that is not PROVIDER/SUBJECT: /inspector shows yours"
                )
        return value

    @field_validator("inspector")
    @classmethod
    def _somebody_may_look(cls, value: str, info: ValidationInfo) -> str:
        if value == "operators" and info.data.get("inspector_operators") == ():
            raise ValueError("is operators, and BFF_INSPECTOR_OPERATORS names nobody")
        return value
