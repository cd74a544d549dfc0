"""The sample customers who can sign in at the stand-in provider."""

from dataclasses import dataclass, field
from typing import Any, Final

SAMPLE_PASSWORD: Final = "harbour"  # noqa: S105 - printed on the sign-in page, as in any demo

_CLAIMS_OF_SCOPE: Final = {
    "profile": ("name", "given_name", "family_name", "preferred_username"),
    "email": ("email", "email_verified"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A customer; `subject` is what the provider calls them for ever."""

    username: str
    subject: str
    given_name: str
    family_name: str
    email: str
    email_verified: bool = True
    password: str = field(default=SAMPLE_PASSWORD, repr=False)

    @property
    def name(self) -> str:
        """Return the name as a page shows it."""
        return f"{self.given_name} {self.family_name}"

    @property
    def initials(self) -> str:
        """Return what stands in for a portrait."""
        return self.given_name[:1] + self.family_name[:1]

    def claims(self, scopes: tuple[str, ...]) -> dict[str, Any]:
        """Return what `scopes` allow a client to know (OIDC Core 5.4)."""
        everything = {
            "name": self.name,
            "given_name": self.given_name,
            "family_name": self.family_name,
            "preferred_username": self.username,
            "email": self.email,
            "email_verified": self.email_verified,
        }
        allowed = {claim for scope in scopes for claim in _CLAIMS_OF_SCOPE.get(scope, ())}
        return {claim: value for claim, value in everything.items() if claim in allowed}


SAMPLE_PEOPLE: Final = (
    Person(
        username="amira",
        subject="c-20417",
        given_name="Amira",
        family_name="Haddad",
        email="amira@example.com",
    ),
    Person(
        username="zoe",
        subject="c-20533",
        given_name="Zoë",
        family_name="Łukasik",
        email="zoe@example.org",
    ),
    Person(
        username="ben",
        subject="c-20698",
        given_name="Ben",
        family_name="Carter",
        email="ben@example.net",
        email_verified=False,
    ),
)
