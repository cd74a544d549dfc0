"""The vault: renews in time and alone, keeps what an outage must not cost, forgets what ended."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from signin_rig import TOKEN_LIFE, Mood, SignInRig, StillClock, signin_rig

from bff.errors import IdentityProviderDownError, ProviderAnswerError, SignInRequiredError
from bff.ports import Lease
from bff.signin.records import EndReason
from bff.signin.token_vault import VaultPolicy

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def test_good_tokens_are_handed_out_without_asking(parts: SignInRig) -> None:
    _, session = parts.sign_in()
    parts.clock.advance(TOKEN_LIFE - MINUTE - SECOND)

    assert parts.vault.live_tokens(session).access_token == "access-1"
    assert parts.provider.renewals == 0


def test_they_are_renewed_a_minute_before_they_end_and_once(parts: SignInRig) -> None:
    _, session = parts.sign_in()
    parts.clock.advance(TOKEN_LIFE - MINUTE)

    tokens = [parts.vault.live_tokens(session).access_token for _ in range(3)]

    assert tokens == ["access-2"] * 3
    assert parts.provider.renewals == 1


def test_short_lives_are_renewed_in_their_last_quarter(parts: SignInRig) -> None:
    short = parts.provider.sign_on(life=timedelta(seconds=20))
    _, session = parts.sign_in(tokens=short)

    parts.clock.advance(timedelta(seconds=14))
    assert parts.vault.live_tokens(session) == short
    parts.clock.advance(SECOND)
    assert parts.vault.live_tokens(session) != short


def test_however_many_ask_at_once_the_refresh_token_is_spent_once() -> None:
    # Whoever waits would turn a hand clock, and the lease run out under the one who renews.
    parts = signin_rig(clock=StillClock())
    _, session = parts.sign_in()
    parts.clock.advance(TOKEN_LIFE)
    parts.provider.gate.clear()

    with ThreadPoolExecutor(max_workers=8) as pool:
        waiting = [pool.submit(parts.vault.live_tokens, session) for _ in range(8)]
        assert parts.provider.arrived.wait(10)
        parts.provider.gate.set()
        found = {future.result(timeout=20).access_token for future in waiting}

    assert found == {"access-2"}
    assert (parts.provider.renewals, parts.provider.at_a_time) == (1, 1)


def test_whoever_gets_the_lease_looks_again_before_spending(
    parts: SignInRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, session = parts.sign_in()
    parts.clock.advance(TOKEN_LIFE)
    take = parts.store.acquire_lease

    def after_another_process(name: str, *, ttl: timedelta) -> Lease | None:
        monkeypatch.setattr(parts.store, "acquire_lease", take)
        parts.vault.live_tokens(session)
        return take(name, ttl=ttl)

    monkeypatch.setattr(parts.store, "acquire_lease", after_another_process)

    assert parts.vault.live_tokens(session).access_token == "access-2"
    assert parts.provider.renewals == 1


def test_whoever_waits_too_long_is_told_to_come_back_and_stays_signed_in() -> None:
    parts = signin_rig(VaultPolicy(lease=timedelta(hours=1), patience=timedelta(seconds=1)))
    _, session = parts.sign_in()
    parts.clock.advance(TOKEN_LIFE)
    lease = parts.store.acquire_lease(f"renewal:{session.key}", ttl=timedelta(hours=1))

    with pytest.raises(IdentityProviderDownError):
        parts.vault.live_tokens(session)

    assert lease is not None
    assert parts.provider.renewals == 0
    assert parts.book.look_up(session.key) is not None


@pytest.mark.parametrize("mood", [Mood.DOWN, Mood.BROKEN])
def test_an_outage_is_forgiven_for_the_grace_and_then_told(parts: SignInRig, mood: Mood) -> None:
    _, session = parts.sign_in()
    parts.provider.mood = mood
    parts.clock.advance(TOKEN_LIFE + timedelta(minutes=15))
    parts.vault.confirm(session)

    parts.clock.advance(MINUTE)
    with pytest.raises((IdentityProviderDownError, ProviderAnswerError)) as told:
        parts.vault.confirm(session)
    parts.provider.mood = Mood.WELL
    parts.clock.advance(MINUTE)
    parts.vault.confirm(session)

    assert told.value.retry_after is not None
    assert parts.book.look_up(session.key) is not None


def test_during_an_outage_nobody_asks_twice_in_a_moment(parts: SignInRig) -> None:
    _, session = parts.sign_in()
    parts.provider.mood = Mood.DOWN
    parts.clock.advance(TOKEN_LIFE)

    for _ in range(50):
        parts.vault.confirm(session)

    assert parts.provider.renewals == 1


def test_a_refusal_ends_the_session_and_empties_the_vault(parts: SignInRig) -> None:
    token, session = parts.sign_in()
    parts.provider.mood = Mood.REFUSING
    parts.clock.advance(TOKEN_LIFE)

    with parts.news.inbox(session.key) as inbox:
        with pytest.raises(SignInRequiredError):
            parts.vault.confirm(session)
        heard = inbox.get(timeout=5)

    assert heard is not None
    assert heard.reason is EndReason.REFUSED
    assert parts.book.find(token) is None
    assert not parts.holds_tokens(session)


def test_a_refusal_before_renewal_is_due_is_not_even_noticed(parts: SignInRig) -> None:
    token, session = parts.sign_in()
    parts.provider.mood = Mood.REFUSING

    parts.vault.confirm(session)

    assert parts.book.find(token) is not None


def test_a_session_that_ends_during_the_renewal_stays_ended(parts: SignInRig) -> None:
    token, session = parts.sign_in()
    parts.clock.advance(TOKEN_LIFE)
    parts.provider.gate.clear()

    with ThreadPoolExecutor(max_workers=1) as pool:
        renewal = pool.submit(parts.vault.live_tokens, session)
        assert parts.provider.arrived.wait(10)
        parts.sign_out.here(token, return_url="http://www.brand.localhost/")
        parts.provider.gate.set()
        with pytest.raises(SignInRequiredError):
            renewal.result(timeout=20)

    assert parts.book.find(token) is None
    assert not parts.holds_tokens(session)
    # What the session had, and what the renewal brought too late.
    assert parts.provider.revoked == ["refresh-1", "refresh-2"]


def test_a_lost_answer_costs_one_sign_in_and_no_loop(parts: SignInRig) -> None:
    token, session = parts.sign_in()
    parts.provider.mood = Mood.LOSING
    parts.clock.advance(TOKEN_LIFE)
    parts.vault.confirm(session)
    parts.provider.mood = Mood.WELL
    parts.clock.advance(MINUTE)

    for _ in range(5):
        with pytest.raises(SignInRequiredError):
            parts.vault.confirm(session)

    assert parts.provider.renewals == 2
    assert parts.book.find(token) is None


def test_a_provider_without_refresh_tokens_is_never_asked(parts: SignInRig) -> None:
    tokens = replace(parts.provider.sign_on(), refresh_token=None)
    token, session = parts.sign_in(tokens=tokens)
    parts.clock.advance(timedelta(hours=11))

    parts.vault.confirm(session)

    assert parts.provider.renewals == 0
    assert parts.book.find(token) is not None


def test_tokens_are_taken_once(parts: SignInRig) -> None:
    _, session = parts.sign_in()

    taken = [parts.vault.take(session.key) for _ in range(2)]

    assert taken[0] is not None
    assert taken[1] is None


def test_tokens_are_sealed_where_they_lie(parts: SignInRig) -> None:
    parts.sign_in()

    assert all(b"refresh-1" not in value for value in parts.store.values())
