"""What the services ask of the world outside; adapters keep these promises."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol, Self


class Clock(Protocol):
    """Time, so that a test can turn it."""

    def now(self) -> datetime:
        """Return the current time, aware, in UTC."""

    def sleep(self, duration: timedelta) -> None:
        """Let other work run for `duration`."""


class Entropy(Protocol):
    """Randomness, so that a test can repeat it."""

    def bytes(self, count: int) -> bytes:
        """Return `count` unpredictable bytes."""

    def token(self, count: int = 32) -> str:
        """Return `count` unpredictable bytes as base64url text without padding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A stored value and the version that `replace` must name to change it."""

    value: bytes = field(repr=False)
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A right to work alone for a while; `fence` grows with each new holder of `name`."""

    name: str
    owner: str = field(repr=False)
    fence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many in the current window, and when the window ends."""

    value: int
    resets_in: timedelta


class Subscription(Protocol):
    """A listener on channels; open until closed. Messages from before it opened are not seen."""

    def receive(self, timeout: timedelta) -> tuple[str, bytes] | None:
        """Return the next (channel, message), or None if none came within `timeout`.

        Raises StoreDownError if the connection was lost: messages may have been missed.
        """

    def close(self) -> None:
        """Stop listening. Idempotent."""

    def __enter__(self) -> Self:
        """Return itself."""

    def __exit__(self, *_: object) -> None:
        """Close."""


class Store(Protocol):
    """Short-lived state that every process shares.

    Keys and names are ASCII text of at most 256 characters. Every method raises StoreDownError
    within a second if the store cannot be reached; nothing else is raised for a store's fault.
    What has expired is gone for every method at once.
    """

    def get(self, key: str) -> Entry | None:
        """Return the entry, or None if there is none."""

    def put(self, key: str, value: bytes, *, ttl: timedelta) -> int:
        """Write unconditionally; return the new version (greater than any version before)."""

    def add(self, key: str, value: bytes, *, ttl: timedelta) -> bool:
        """Write only if the key is free; say whether this call wrote it."""

    def replace(self, key: str, value: bytes, *, version: int, ttl: timedelta) -> int | None:
        """Write only if the entry still has `version`; return its new version, else None.

        Never creates: a deleted or expired entry stays gone.
        """

    def take(self, key: str) -> bytes | None:
        """Return the value and delete it, for exactly one caller; None for all others."""

    def delete(self, key: str) -> bool:
        """Delete; say whether there was anything."""

    def acquire_lease(self, name: str, *, ttl: timedelta) -> Lease | None:
        """Take the lease if it is free, else None. `fence` is greater than every earlier one's."""

    def renew_lease(self, lease: Lease, *, ttl: timedelta) -> bool:
        """Hold on for `ttl` from now; False if it was lost meanwhile."""

    def release_lease(self, lease: Lease) -> bool:
        """Give it back; False if it was lost meanwhile (somebody else's lease is not touched)."""

    def count(self, name: str, *, window: timedelta) -> Count:
        """Count one more in a fixed window that starts with its first count. One atomic step."""

    def join(self, group: str, member: str, *, ttl: timedelta) -> None:
        """Add `member` to `group` for `ttl`; joining again moves the end."""

    def leave(self, group: str, member: str) -> bool:
        """Remove `member`; say whether it was there."""

    def members(self, group: str) -> list[str]:
        """Return the members that have not expired, in no order."""

    def publish(self, channel: str, message: bytes) -> None:
        """Tell every subscription of `channel` in every process."""

    def subscribe(self, *channels: str) -> Subscription:
        """Listen from now on; once this returns, nothing published later is missed."""

    def ping(self) -> None:
        """Raise StoreDownError unless the store answers."""

    def close(self) -> None:
        """Release connections. Idempotent."""


class Sealer(Protocol):
    """Seals values for storage. `context` (what, whose) must be equal on both sides."""

    def seal(self, plain: bytes, *, context: str) -> bytes:
        """Encrypt and authenticate `plain`, bound to `context`."""

    def open(self, sealed: bytes, *, context: str) -> bytes:
        """Return the plain bytes. Raises BrokenSealError for every way to be wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foundation:
    """What nearly every service stands on."""

    store: Store
    sealer: Sealer
    clock: Clock
    entropy: Entropy
    unreadable: Counter[str] = field(default_factory=Counter, repr=False)
    """How often a record could not be read, by its kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSet:
    """What the identity provider gave us for one signed-in person."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    id_token: str | None = field(repr=False)
    expires_at: datetime

    def due_for_refresh(self, now: datetime, *, lead: timedelta) -> bool:
        """Say whether less than `lead` of the access token's life is left."""
        return now >= self.expires_at - lead


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """Where to send the browser, and what must be remembered until it comes back."""

    url: str = field(repr=False)
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    code_verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demands:
    """What a sign-in must satisfy beyond the protocol; verified when asked for."""

    prompt: str | None = None
    max_age: timedelta | None = None
    acr_values: tuple[str, ...] = ()
    # When the provider was asked for a sign-in of its own, if that can be told from its answer.
    not_before: datetime | None = None
    # Whom we expect; only the provider can check these, so nothing is concluded from them here.
    login_hint: str | None = None
    id_token_hint: str | None = field(default=None, repr=False)
    subject: str | None = None
    # Only where it is the same for every client and the provider reads `claims`.
    subject_if_public: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedIdentity:
    """Claims of an ID token that passed every check, and the tokens that came with it."""

    claims: Mapping[str, Any]
    tokens: TokenSet


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutNotice:
    """A verified back-channel logout token (OIDC Back-Channel Logout 2.4)."""

    subject: str | None
    sid: str | None
    jti: str
    issued_at: datetime


class IdentityProvider(Protocol):
    """One OpenID Provider that people sign in at. Each call may go over the network.

    Raises IdentityProviderDownError if nobody answered (or only with 5xx), and
    ProviderAnswerError if the answer breaks the protocol.
    """

    name: str

    def authorization_request(self, *, redirect_uri: str, demands: Demands) -> AuthorizationRequest:
        """Prepare a code + PKCE request with fresh state, nonce and verifier."""

    def check_response_issuer(self, unverified_iss: str | None) -> None:
        """Raise IssuerMixUpError unless the `iss` parameter is right (RFC 9207)."""

    def binds_subject(self, demands: Demands) -> bool:
        """Say whether a request with these `demands` is answered for their `subject` or nobody."""

    def redeem(
        self,
        code: str,
        *,
        redirect_uri: str,
        code_verifier: str,
        nonce: str,
        demands: Demands,
    ) -> VerifiedIdentity:
        """Spend the code, once, and verify what comes back. StepUpFailedError if `demands` fail."""

    def renew(self, tokens: TokenSet) -> TokenSet:
        """Spend the refresh token.

        Raises TokensRefusedError if it is refused, IdentityProviderDownError if nobody answered;
        only the first means that the person must sign in again.
        """

    def revoke(self, tokens: TokenSet) -> None:
        """Revoke the refresh token (RFC 7009) where the provider can; nothing where it cannot."""

    def end_session_url(self, *, id_token: str | None, return_url: str, state: str) -> str | None:
        """Return where RP-initiated logout goes, or None if the provider has no such place."""

    def verify_logout_token(self, unverified: str) -> LogoutNotice:
        """Check a back-channel logout token. Raises LogoutTokenError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenesysHosts:
    """Where one region of Genesys Cloud answers."""

    login_url: str
    api_url: str
    cdn_url: str
    messaging_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformRequest:
    """What to ask of the platform API; `path` begins with a slash."""

    method: str
    path: str
    body: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def idempotent(self) -> bool:
        """Say whether asking twice is the same as asking once (RFC 9110 section 9.2.2)."""
        return self.method in {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformAnswer:
    """What came back, whatever it says; `body` is empty unless it was a JSON object."""

    status: int
    body: Mapping[str, Any] = field(repr=False)
    retry_after: timedelta | None = None


class GenesysPlatform(Protocol):
    """The platform API of Genesys Cloud as one client of it. Each call is one HTTP request.

    An answer is returned, not judged. Raises GenesysDownError if the request was not sent, and
    GenesysSilentError if it was and no whole answer came within `limit`.
    """

    name: str
    """Which client at which host; nothing secret."""

    def request_token(self, *, limit: timedelta) -> PlatformAnswer:
        """Ask for a token with the client's credentials (RFC 6749 section 4.4)."""

    def send(self, request: PlatformRequest, *, token: str, limit: timedelta) -> PlatformAnswer:
        """Ask the API."""


class AuthCode(Protocol):
    """A fresh single-use code of our broker, and all that its redeemer needs."""

    @property
    def issuer(self) -> str:
        """Who minted it (RFC 9207)."""

    @property
    def redirect_uri(self) -> str:
        """The redirect URI that it is bound to."""

    @property
    def code(self) -> str:
        """The code."""

    @property
    def code_verifier(self) -> str:
        """What its challenge was made from (RFC 7636)."""

    @property
    def nonce(self) -> str:
        """The nonce that the ID token will carry."""


class CodeSource(Protocol):
    """Who vouches for a session and mints codes for it: the broker."""

    def vouch(self, session_key: str) -> object:
        """Return if the session lives. Raises SignInRequiredError, IdentityProviderDownError."""

    def mint(self, session_key: str) -> AuthCode:
        """Return a fresh code, bound to this session."""


class SignInLedger(Protocol):
    """Who writes down what happened to sign-ins. Nothing here raises, and nothing waits long."""

    def began(self, *, person: str, provider: str, session_key: str) -> None:
        """Somebody has signed in. `person` is the pairwise subject."""

    def failed(self, *, provider: str, code: str) -> None:
        """A sign-in came back without a session; `code` is the public one of the error."""

    def ended(
        self, *, person: str | None, provider: str, session_key: str, reason: str, by: str = ""
    ) -> bool:
        """A session is over, for this reason, by whom. Told twice it is written once.

        False if that would not survive this process: tell it again.
        """


class NoLedger:
    """Keeps `SignInLedger` where nobody wants to know."""

    def began(self, *, person: str, provider: str, session_key: str) -> None:
        """Forget it."""

    def failed(self, *, provider: str, code: str) -> None:
        """Forget it."""

    def ended(
        self, *, person: str | None, provider: str, session_key: str, reason: str, by: str = ""
    ) -> bool:
        """Forget it."""
        del person, provider, session_key, reason, by
        return True


NO_LEDGER: Final = NoLedger()


class HeldElsewhere(Protocol):
    """Who keeps something of a session at Genesys that must go when the session does."""

    def release(self, session_key: str) -> bool:
        """Take it away here and line it up to be revoked; say if there is any. Repeatable.

        Asks nobody but the store. Raises StoreDownError.
        """

    def forget(self, session_key: str) -> bool:
        """Do the same, and revoke what is lined up for this session. May be slow.

        False if Genesys may not have heard; it stays in line then. Raises StoreDownError.
        """

    def tell_waiting(self) -> int:
        """Revoke what is lined up, of whichever session; return how many. Raises StoreDownError."""


class GenesysTokenDoors(Protocol):
    """The doors for a guest's tokens and history. Each call is one HTTP request.

    An answer is returned, not judged. Raises GenesysDownError if the request was not sent, and
    GenesysSilentError if it was and no whole answer came within `limit`.
    """

    def exchange(self, code: AuthCode, *, limit: timedelta) -> PlatformAnswer:
        """Have Genesys redeem the code: it calls our token endpoint before it answers."""

    def refresh(self, refresh_token: str, *, limit: timedelta) -> PlatformAnswer:
        """Ask for a JWT. The refresh token stays as it is."""

    def revoke(self, jwt: str, *, limit: timedelta) -> PlatformAnswer:
        """Log the person out at Genesys; needs a JWT that still lives."""

    def history(self, jwt: str, *, page: int, limit: timedelta) -> PlatformAnswer:
        """Ask for a page of messages, newest first, with the JWT that `getJwt` gave."""
