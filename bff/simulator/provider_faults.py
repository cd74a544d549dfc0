"""What the stand-in provider can be told to do wrong, and for how many more times."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final


class Fault(StrEnum):
    """One way to misbehave. The sentence beside it says what `value` means, if anything."""

    # Doors, `endpoint` says which: discovery, jwks, token, userinfo, revocation.
    SERVER_ERROR = "server_error"  # 500; value: another status
    UNAVAILABLE = "unavailable"  # 503; value: seconds for Retry-After (default 2, 0: no header)
    NO_ANSWER = "no_answer"  # neither works nor answers until released; value: seconds at most
    CUT = "cut"  # the connection ends before any work
    REDIRECT = "redirect"  # 307; value: where to
    SLOW = "slow"  # works at once, answers later; value: seconds (default 10) or until released
    ANSWER_LOST = "answer_lost"  # works, then the connection ends: rotation happened unseen
    INVALID_GRANT = "invalid_grant"  # the token door refuses; nothing is spent
    # The authorization response.
    STATE_WRONG = "state_wrong"
    STATE_MISSING = "state_missing"
    RESPONSE_ISSUER_WRONG = "response_issuer_wrong"  # value: the other issuer
    RESPONSE_ISSUER_MISSING = "response_issuer_missing"
    AUTHORIZE_ERROR = "authorize_error"  # value: the error code (default access_denied)
    # Discovery.
    DISCOVERY_ISSUER_WRONG = "discovery_issuer_wrong"  # value: the other issuer
    DISCOVERY_INNER_HOSTS = "discovery_inner_hosts"  # value: base (default 169.254.169.254)
    # The ID token and userinfo.
    ID_TOKEN_MISSING = "id_token_missing"  # noqa: S105 - names a fault
    ISSUER_WRONG = "issuer_wrong"  # value: the other issuer
    AUDIENCE_FOREIGN = "audience_foreign"  # aud is another's, azp is ours
    AUDIENCE_LIST_FOREIGN = "audience_list_foreign"  # the same, aud as a list
    AUDIENCE_LIST = "audience_list"  # aud lists us and another, azp is ours; value: the other
    AZP_WRONG = "azp_wrong"  # aud is ours, azp is another's
    SUBJECT_MISSING = "subject_missing"
    NONCE_WRONG = "nonce_wrong"
    NONCE_MISSING = "nonce_missing"
    EXPIRED = "expired"  # value: seconds ago (default 3600)
    ISSUED_IN_FUTURE = "issued_in_future"  # value: seconds ahead (default 600)
    AUTH_TIME_OLD = "auth_time_old"  # value: seconds ago (default 86400)
    AUTH_TIME_MISSING = "auth_time_missing"
    ACR_LOWER = "acr_lower"
    ACR_MISSING = "acr_missing"
    SIGNATURE_BAD = "signature_bad"
    ALGORITHM_NONE = "algorithm_none"
    ALGORITHM_HS256 = "algorithm_hs256"  # signed with the client secret
    KID_UNKNOWN = "kid_unknown"
    USERINFO_SUBJECT_OTHER = "userinfo_subject_other"


DOOR_FAULTS: Final = frozenset(
    {
        Fault.SERVER_ERROR,
        Fault.UNAVAILABLE,
        Fault.NO_ANSWER,
        Fault.CUT,
        Fault.REDIRECT,
        Fault.SLOW,
        Fault.ANSWER_LOST,
    }
)
DEFAULT_DOOR: Final = "token"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedFault:
    """A fault in force: until cleared, or for the next `times` uses."""

    fault: Fault
    times: int | None = None
    value: Any = None
    endpoint: str = DEFAULT_DOOR

    def seconds(self, default: float) -> float:
        """Return `value` as seconds."""
        return default if self.value is None else float(self.value)

    def text(self, default: str) -> str:
        """Return `value` as text."""
        return default if self.value is None else str(self.value)

    def spell(self) -> dict[str, Any]:
        """Return it as the control door shows it."""
        shown: dict[str, Any] = {"fault": self.fault.value, "times": self.times}
        if self.value is not None:
            shown["value"] = self.value
        if self.fault in DOOR_FAULTS:
            shown["endpoint"] = self.endpoint
        return shown


class FaultBoard:
    """Every planted fault, for all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._planted: dict[tuple[Fault, str], PlantedFault] = {}
        self._release = threading.Event()

    def plant(
        self,
        fault: Fault | str,
        *,
        times: int | None = None,
        value: Any = None,
        endpoint: str = DEFAULT_DOOR,
    ) -> None:
        """Misbehave from now on, or for the next `times` uses. Raises ValueError if unknown."""
        planted = PlantedFault(fault=Fault(fault), times=times, value=value, endpoint=endpoint)
        with self._lock:
            self._planted[self._place(planted.fault, endpoint)] = planted

    def take(self, fault: Fault, *, endpoint: str = DEFAULT_DOOR) -> PlantedFault | None:
        """Return the fault if it is in force, and count one use of it."""
        place = self._place(fault, endpoint)
        with self._lock:
            planted = self._planted.get(place)
            if planted is None or planted.times is None:
                return planted
            if planted.times > 1:
                self._planted[place] = replace(planted, times=planted.times - 1)
            else:
                del self._planted[place]
            return planted

    def clear(self) -> None:
        """Behave again, and let go of everybody who is kept waiting."""
        with self._lock:
            self._planted.clear()
        self.release()

    def release(self) -> None:
        """Answer everybody who is kept waiting now; the faults stay."""
        with self._lock:
            released, self._release = self._release, threading.Event()
        released.set()

    def keep_waiting(self, seconds: float) -> None:
        """Wait for `release`, at most `seconds` of real time: a socket's time-out is real too."""
        with self._lock:
            release = self._release
        release.wait(seconds)

    def listed(self) -> list[Mapping[str, Any]]:
        """Return what is in force."""
        with self._lock:
            return [planted.spell() for planted in self._planted.values()]

    @staticmethod
    def _place(fault: Fault, endpoint: str) -> tuple[Fault, str]:
        return fault, endpoint if fault in DOOR_FAULTS else ""
