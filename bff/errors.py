"""Everything that can go wrong, in one tree with stable public codes.

BffError
├── SettingsError             a setting is missing, weak or contradictory; no start
├── StoreDownError            the store did not answer in time; nothing was lost
│   └── UnreadableRecordError a record is there, and this version or its keys cannot read it
├── NotReadyError             what goes on in the background has died, or hangs
├── RecordsDownError          the database of the guest records did not answer; chats go on
│   └── RecordsRefusedError   it answered, and refused: a right, a table or room is missing
├── RecordsOffError           no records are kept here, or this door of theirs is shut
├── AuditorUnknownError       who asks for the audit trail has not shown the auditor's token
├── GuestUnknownError         there is no such guest, and never was
├── SignatureRefusedError     a signature is missing, wrong, late, or was used before
├── BrokenSealError           a sealed value does not open: wrong key, wrong context or tampering
├── SignInRequiredError       there is no session, or it has ended
├── AttemptUnknownError       a sign-in came back that this browser did not start, or too late
├── SignInDeniedError         the provider answered with an error, or the person cancelled
├── InteractionNeededError    the provider gives no code for Genesys unless a person looks
├── StepUpFailedError         the sign-in was older or weaker than what was asked for
├── IssuerMixUpError          the answer to a sign-in comes from another provider than asked
├── ProviderAnswerError       the provider's answer breaks OpenID Connect; nobody is signed in
│   └── ClientRefusedError    the provider refuses this service, not the user; for the operator
├── IdentityProviderDownError the provider did not answer; the session is kept
├── TokensRefusedError        the provider refused the refresh token; the session has ended
├── LogoutTokenError          a back-channel logout token was refused
├── ReturnPathError           `return_to` leaves the site
├── ProviderUnknownError      no provider of that name is configured
├── TransactionUnknownError   no such sign-in transaction, or it has expired
├── OriginRefusedError        the page asking is not on the list
├── CsrfRefusedError          the request lacks the header that only our page can send
├── CookieTossedError         two cookies of one name: somebody planted one
├── RequestRefusedError       the request itself is malformed
├── RateLimitedError          too many requests
├── GuestsOffError            guest sessions are not switched on here
├── MetricsOffError           figures are shown to nobody here
├── WatcherUnknownError       figures were asked for without their token
├── InspectorOffError         there is no flow inspector here
├── OperatorUnknownError      who asks for a recording is no operator
├── RecordingUnknownError     there is no such recording, or it is over
├── RecordingRefusedError     a page wants to be recorded and was not invited
├── TooManyConnectionsError   the guest sockets of this process are all taken
├── GenesysDownError          Genesys did not answer, or is too busy
├── GenesysSilentError        Genesys was asked once and its answer is not known
├── GenesysCredentialsError   Genesys does not accept our platform client
├── GenesysPermissionError    the platform client lacks a permission; `detail` names it
├── GenesysRefusedError       Genesys refused what we asked for
├── GenesysAnswerError        an answer of Genesys is not what it should be
├── CodeRefusedError          an authorization code is unknown, used, expired or bound elsewhere
└── RefreshRefusedError       a broker refresh token is unknown, reused, or its session has ended

`code` and `message` are public and stable. `detail` is for the log and never holds a secret.
"""

from datetime import timedelta


class BffError(Exception):
    """The root: a public `code` and `message`, a private `detail`."""

    code = "internal_error"
    message = "Something went wrong on our side. Please try again."

    def __init__(self, detail: str = "", *, retry_after: timedelta | None = None) -> None:
        super().__init__(detail or self.message)
        self.detail = detail
        self.retry_after = retry_after


class SettingsError(BffError):
    """The settings do not allow a safe start; `detail` lists every fault, one a line."""

    code = "settings_refused"
    message = "The settings are incomplete or unsafe."


class StoreDownError(BffError):
    """The store did not answer in time. Nobody is signed out by this.

    `reason` is a public word for why, if the store itself has said so: `read_only`, `full`,
    `loading`, `disk_failed`, `no_permission` or `too_few_replicas`.
    """

    code = "store_unavailable"
    message = "We cannot reach our session store. Nothing was lost; please try again."

    def __init__(
        self, detail: str = "", *, retry_after: timedelta | None = None, reason: str = ""
    ) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.reason = reason


class UnreadableRecordError(StoreDownError):
    """A record is there and cannot be read: nobody can tell what it says. Its bytes are kept.

    `newer` says that its seal opened, and that it is of a version with other fields; else the key
    that sealed it is not there, or somebody has changed it.
    """

    code = "record_unreadable"
    message = "We cannot read what we remember just now. Nothing was lost; please try again."

    def __init__(self, detail: str = "", *, newer: bool = False) -> None:
        super().__init__(detail)
        self.newer = newer


class NotReadyError(BffError):
    """A background job of this process has died, or hangs; `detail` names it."""

    code = "not_ready"
    message = "This process is not ready. Please try again in a moment."


class RecordsDownError(BffError):
    """The database of the guest records did not answer in time. Nothing is lost by it."""

    code = "records_unavailable"
    message = "We cannot reach our records. Nothing was lost; please try again."


class RecordsRefusedError(RecordsDownError):
    """The database of the records refused: somebody must give a right, make a table or room.

    Nothing is lost, and whoever waits for the database waits for this as well.
    """

    code = "records_refused"
    message = "Our records did not take this. Nothing was lost; please try again later."


class RecordsOffError(BffError):
    """No guest records are kept here, or the door that was asked at is not configured."""

    code = "records_off"
    message = "There is nothing at this address."


class AuditorUnknownError(BffError):
    """A report was asked for without the auditor's token, or with a wrong one."""

    code = "auditor_unknown"
    message = "This door is for the auditor, who has a token for it."


class GuestUnknownError(BffError):
    """Nothing is known of this guest, and no erasure of them either."""

    code = "guest_unknown"
    message = "We know nothing of this guest."


class SignatureRefusedError(BffError):
    """The signature of a callback is missing, wrong, too old or too new, or was used before."""

    code = "signature_refused"
    message = "The signature was refused."


class BrokenSealError(BffError):
    """A sealed value does not open. One class for every way to be wrong: none is an oracle."""

    code = "seal_broken"
    message = "This value was not made by us, or it is too old."


class SignInRequiredError(BffError):
    """There is no session behind this request, or it has ended."""

    code = "login_required"
    message = "You are not signed in. Please sign in to continue."


class AttemptUnknownError(BffError):
    """A sign-in answer that this browser did not ask for, or that came too late or twice."""

    code = "sign_in_attempt_unknown"
    message = "This sign-in was not started in this browser or took too long. Please start again."


class SignInDeniedError(BffError):
    """The provider answered with an error, or the person cancelled."""

    code = "sign_in_denied"
    message = "The sign-in was cancelled or refused. You can try again."


class InteractionNeededError(BffError):
    """The provider gave no code to a hidden frame: a person must sign in (passthrough)."""

    code = "interaction_required"
    message = "The sign-in service wants to see you. Please sign in again to go on."


class StepUpFailedError(BffError):
    """`auth_time` or `acr` do not satisfy what was asked for (OIDC Core 3.1.2.1, 5.5.1.1)."""

    code = "step_up_failed"
    message = "Your sign-in is not recent or not strong enough for this. Please sign in again."


class IssuerMixUpError(BffError):
    """The `iss` of an authorization response is not the provider that was asked (RFC 9207)."""

    code = "issuer_mismatch"
    message = "The sign-in answer came from the wrong place. Please start again."


class ProviderAnswerError(BffError):
    """The provider's answer breaks the protocol; it is not believed."""

    code = "provider_answer_invalid"
    message = "The sign-in service gave an answer that we cannot trust. Nobody was signed in."


class ClientRefusedError(ProviderAnswerError):
    """The provider refuses this service: its secret, a scope, its registration. No user is."""

    code = "provider_refuses_service"
    message = "The sign-in service does not accept us at the moment. Please try again later."


class IdentityProviderDownError(BffError):
    """Nobody answered at the provider. Unreachable is not refused: the session stays."""

    code = "provider_unavailable"
    message = "The sign-in service does not answer. Nothing was lost; please try again."


class TokensRefusedError(BffError):
    """The provider refused the refresh token (RFC 6749 section 5.2, invalid_grant)."""

    code = "sign_in_expired"
    message = "Your sign-in has ended. Please sign in again."


class LogoutTokenError(BffError):
    """A back-channel logout token fails OIDC Back-Channel Logout section 2.6."""

    code = "logout_token_refused"
    message = "The logout token was refused."


class ReturnPathError(BffError):
    """`return_to` is not a plain path on an allowed origin."""

    code = "return_to_refused"
    message = "The page to return to is not on this site."


class ProviderUnknownError(BffError):
    """No provider of that name is configured."""

    code = "provider_unknown"
    message = "There is no such sign-in service here."


class TransactionUnknownError(BffError):
    """No such sign-in transaction for this browser, or it has expired."""

    code = "transaction_unknown"
    message = "This sign-in has expired. Please start again."


class OriginRefusedError(BffError):
    """The `Origin` of the request is not on the list of allowed origins."""

    code = "origin_refused"
    message = "This page is not allowed to use the sign-in service."


class CsrfRefusedError(BffError):
    """A state-changing request without the `X-CSRF` header."""

    code = "csrf_header_missing"
    message = "The request lacks the X-CSRF header."


class CookieTossedError(BffError):
    """More than one cookie of the same name: a sibling subdomain may have planted one."""

    code = "cookie_conflict"
    message = "Your browser sent conflicting cookies. Please clear the cookies of this site."


class RequestRefusedError(BffError):
    """The request is malformed, too large, or not for this door."""

    code = "request_refused"
    message = "The request could not be understood."

    def __init__(self, detail: str = "", *, parameter: str | None = None) -> None:
        super().__init__(detail)
        self.parameter = parameter


class RateLimitedError(BffError):
    """Too many requests; `retry_after` says when the next one is welcome."""

    code = "rate_limited"
    message = "Too many requests. Please wait a moment."


class GuestsOffError(BffError):
    """Guest sessions are not switched on: no deployment is named in the settings."""

    code = "guests_off"
    message = "There is no chat at this address."


class MetricsOffError(BffError):
    """Figures are shown to nobody: no token for them is set."""

    code = "metrics_off"
    message = "There is nothing at this address."


class WatcherUnknownError(BffError):
    """Figures were asked for without their token, or with a wrong one."""

    code = "watcher_unknown"
    message = "This door is for whoever watches the service, who has a token for it."


class InspectorOffError(BffError):
    """The flow inspector was asked for and `BFF_INSPECTOR` is off."""

    code = "inspector_off"
    message = "There is no flow inspector here."


class OperatorUnknownError(BffError):
    """A recording was asked for by somebody whom `BFF_INSPECTOR_OPERATORS` does not name."""

    code = "operator_unknown"
    message = "Recordings are for operators of this service, and you are not one of them."


class RecordingUnknownError(BffError):
    """There is no such recording, or its day is over."""

    code = "recording_unknown"
    message = "There is no such recording. Each one is kept for a day."


class RecordingRefusedError(BffError):
    """A page wants to be recorded, and its invitation is missing, used or too old."""

    code = "recording_refused"
    message = "This browser was not invited to be recorded, or the invitation was used."


class TooManyConnectionsError(BffError):
    """All guest sockets of this process are taken; `retry_after` says when to come back."""

    code = "too_many_connections"
    message = "There are too many visitors at the moment. Please try again soon."


class GenesysDownError(BffError):
    """Genesys did not answer or asks us to wait. Nothing was done; asking again is safe."""

    code = "genesys_unavailable"
    message = "The chat service does not answer. Please try again in a moment."


class GenesysSilentError(BffError):
    """Genesys was reached and its answer lost: what must not be done twice is not repeated."""

    code = "genesys_outcome_unknown"
    message = "The chat service took too long. We do not know whether it did what was asked."


class GenesysCredentialsError(BffError):
    """Genesys does not accept the platform client's id and secret, or its fresh token."""

    code = "genesys_credentials_refused"
    message = "The chat service did not accept our credentials."


class GenesysPermissionError(BffError):
    """The platform client lacks a permission at Genesys; `permissions` and the log name it."""

    code = "genesys_permission_missing"
    message = "The chat service does not allow us to do this."

    def __init__(self, detail: str = "", *, permissions: tuple[str, ...] = ()) -> None:
        super().__init__(detail)
        self.permissions = permissions


class GenesysRefusedError(BffError):
    """Genesys refused what we asked for; its code and context id are in the log."""

    code = "genesys_refused"
    message = "The chat service refused what we asked for."


class GenesysAnswerError(BffError):
    """An answer of Genesys, or of a gateway in its place, is malformed; it is not used."""

    code = "genesys_answer_invalid"
    message = "The chat service gave an answer that we cannot use."


class CodeRefusedError(BffError):
    """An authorization code is unknown, used, expired, or bound to something else."""

    code = "code_refused"
    message = "The authorization code is not valid."


class RefreshRefusedError(BffError):
    """A broker refresh token is unknown, was reused, or its session has ended."""

    code = "refresh_refused"
    message = "The refresh token is not valid."
