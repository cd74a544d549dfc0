"""Every way to end a session, for whatever a test does meanwhile."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from ending_rig import PAGE, EndingRig, Process, Signed
from signin_rig import IDLE, Mood

from bff.errors import SignInRequiredError
from bff.ports import LogoutNotice
from bff.signin.records import EndReason
from bff.signin.session_expiry import CURSOR

End = Callable[[EndingRig, Process, Signed], object]


def by_user(_: EndingRig, process: Process, signed: Signed) -> object:
    return process.sign_out.here(signed.token, return_url=PAGE)


def by_operator(_: EndingRig, process: Process, signed: Signed) -> object:
    return process.sign_out.revoke(signed.key)


def by_many(_: EndingRig, process: Process, signed: Signed) -> object:
    return process.sign_out.revoke_all([signed.key])


def by_client(_: EndingRig, process: Process, signed: Signed) -> object:
    return process.sign_out.revoke(signed.key, EndReason.SIGNED_OUT)


def by_provider(rig: EndingRig, process: Process, signed: Signed) -> object:
    notice = LogoutNotice(
        subject="amira", sid=None, jti=f"of {signed.key}", issued_at=rig.clock.now()
    )
    return process.sign_out.by_provider("main", notice)


def by_refusal(rig: EndingRig, process: Process, signed: Signed) -> object:
    rig.provider.mood = Mood.REFUSING
    rig.clock.advance(timedelta(minutes=20))
    with pytest.raises(SignInRequiredError):
        process.vault.confirm(signed.session)
    return None


def by_another(rig: EndingRig, process: Process, signed: Signed) -> object:
    return rig.sign_in(process, "zoe", previous=signed.key)


def by_time(rig: EndingRig, process: Process, signed: Signed) -> object:
    del signed
    rig.clock.advance(IDLE + timedelta(minutes=2))
    # Rounds have gone on all the time.
    minute = int((rig.clock.now() - timedelta(minutes=4)).timestamp()) // 60
    rig.store.real.put(CURSOR, str(minute).encode(), ttl=IDLE)
    return process.sweep.once()


EVERY_END: dict[str, End] = {
    "user": by_user,
    "operator": by_operator,
    "many": by_many,
    "client": by_client,
    "provider": by_provider,
    "refusal": by_refusal,
    "another": by_another,
    "time": by_time,
}
