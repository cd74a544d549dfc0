"""How the stand-in provider says no: OAuth error codes, and a page where nobody may be sent on."""


class OAuthError(Exception):
    """An error that the protocol has a word for (RFC 6749 4.1.2.1, 5.2; OIDC Core 3.1.2.6)."""

    def __init__(self, error: str, description: str, *, status: int = 400) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description
        self.status = status


class LostVisitorError(Exception):
    """The request names no client or address we trust: explain, and redirect nowhere."""
