"""The platform token: one request for everybody, sealed, kept, dropped when it is refused."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from memory_store import MemoryStore
from platform_jobs import THREADS, tokens_together
from platform_rig import (
    GET_THINGS,
    PLATFORM,
    POST_THINGS,
    THINGS,
    TOKEN_PATH,
    PlatformRig,
    Scripted,
    client_at,
    registration_at,
    running_platform,
)
from process_crowd import all_at_once
from signin_rig import StillClock
from store_rigs import StoreRig

from bff.adapters.genesys_cloud import GenesysCloud
from bff.errors import (
    BffError,
    GenesysAnswerError,
    GenesysCredentialsError,
    GenesysDownError,
    GenesysRefusedError,
)
from bff.guests.platform_client import PlatformClient
from bff.ports import Lease
from bff.simulator.genesys_faults import Door, Fault

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
SOON = timedelta(seconds=30)


def token_of(rig: PlatformRig, client: PlatformClient | None = None) -> str:
    return (client or rig.client).tokens.current(deadline=rig.clock.now() + SOON)


def test_m1_forty_threads_in_each_of_three_processes_ask_once(rig: StoreRig) -> None:
    with running_platform() as platform:
        answers = all_at_once(3, tokens_together, rig.address, platform.url)

        assert platform.token_requests == 1
    found = [token for answer in answers for token in answer]
    assert len(found) == 3 * THREADS
    assert len(set(found)) == 1
    assert found[0] not in {"genesys_unavailable", "genesys_credentials_refused"}


def test_a_failure_is_shared_for_a_moment_by_all_who_waited(rig: StoreRig) -> None:
    with running_platform() as platform:
        refusal = Scripted(status=401, body={"code": "bad.credentials"})
        platform.watched.script(TOKEN_PATH, *[refusal] * 3 * THREADS)
        answers = all_at_once(3, tokens_together, rig.address, platform.url)

        assert platform.token_requests == 1
    assert {code for answer in answers for code in answer} == {"genesys_credentials_refused"}


def test_it_is_kept_until_a_minute_before_its_end(platform: PlatformRig) -> None:
    first = token_of(platform)
    # The stand-in grants a day less a second.
    platform.clock.advance(timedelta(days=1) - 2 * SECOND - MINUTE)
    assert token_of(platform) == first
    platform.clock.advance(SECOND)

    assert token_of(platform) != first
    assert platform.token_requests == 2


def test_a_short_life_is_renewed_in_its_last_quarter() -> None:
    with running_platform(token_life=timedelta(seconds=41)) as platform:
        first = token_of(platform)
        platform.clock.advance(29 * SECOND)
        assert token_of(platform) == first
        platform.clock.advance(SECOND)
        assert token_of(platform) != first


def test_another_process_reads_it_from_the_store(platform: PlatformRig) -> None:
    assert token_of(platform) == token_of(platform, platform.another_client())
    assert platform.token_requests == 1


def test_it_lies_sealed_in_the_store_and_under_no_telling_name(platform: PlatformRig) -> None:
    token = token_of(platform)

    assert isinstance(platform.store, MemoryStore)
    assert all(token.encode() not in value for value in platform.store.values())
    assert all(PLATFORM.client_id not in name for name in platform.store.names())


def test_another_registration_has_a_token_of_its_own(platform: PlatformRig) -> None:
    other = registration_at(platform.url.replace("genesys.", "gateway."))
    cloud = GenesysCloud(other, clock=platform.clock)

    assert token_of(platform) != token_of(
        platform, PlatformClient(platform.foundation, platform=cloud)
    )


def test_m1_a_401_of_the_api_drops_the_token_and_is_tried_once_more(platform: PlatformRig) -> None:
    old = token_of(platform)
    platform.watched.revoke_all()

    assert platform.client.call(GET_THINGS) == {"things": 7}

    new = token_of(platform)
    assert platform.watched.bearers(THINGS) == [old, new]
    assert platform.token_requests == 2


def test_a_post_is_made_again_after_401_since_nothing_was_done(platform: PlatformRig) -> None:
    token_of(platform)
    platform.watched.revoke_all()

    assert platform.client.call(POST_THINGS) == {"things": 7}
    assert platform.watched.count(THINGS) == 2


def test_a_second_401_is_an_error_and_no_loop(platform: PlatformRig) -> None:
    platform.watched.script(THINGS, *[Scripted(status=401)] * 5)

    with pytest.raises(GenesysCredentialsError):
        platform.client.call(GET_THINGS)

    assert platform.watched.count(THINGS) == 2
    assert platform.token_requests == 2


def test_only_the_very_token_that_was_refused_is_dropped(platform: PlatformRig) -> None:
    old = token_of(platform)
    platform.client.tokens.drop(old)
    new = token_of(platform)

    platform.client.tokens.drop(old)

    assert token_of(platform) == new
    assert platform.token_requests == 2


def test_a_token_that_comes_while_the_old_one_is_dropped_stays(
    platform: PlatformRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = token_of(platform)
    replace = platform.store.replace

    def after_another_process(
        key: str, value: bytes, *, version: int, ttl: timedelta
    ) -> int | None:
        monkeypatch.setattr(platform.store, "replace", replace)
        platform.client.tokens.drop(old)
        token_of(platform)
        return replace(key, value, version=version, ttl=ttl)

    monkeypatch.setattr(platform.store, "replace", after_another_process)
    platform.client.tokens.drop(old)

    new = token_of(platform)
    assert new != old
    assert platform.token_requests == 2


def test_many_calls_that_are_refused_together_cost_one_new_token() -> None:
    with running_platform(clock=StillClock()) as platform:
        token_of(platform)
        platform.watched.revoke_all()

        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(platform.client.call, [GET_THINGS] * 20))

        assert answers == [{"things": 7}] * 20
        assert platform.token_requests == 2


def test_whoever_gets_the_lease_looks_again_before_asking(
    platform: PlatformRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = platform.store.acquire_lease
    other = platform.another_client()

    def after_another_process(name: str, *, ttl: timedelta) -> Lease | None:
        monkeypatch.setattr(platform.store, "acquire_lease", take)
        token_of(platform, other)
        return take(name, ttl=ttl)

    monkeypatch.setattr(platform.store, "acquire_lease", after_another_process)

    token_of(platform)

    assert platform.token_requests == 1


def test_whoever_waits_too_long_for_another_process_is_told_to_come_back(
    platform: PlatformRig,
) -> None:
    name = platform.client.tokens._name
    lease = platform.store.acquire_lease(f"genesys-token:{name}", ttl=timedelta(hours=1))
    assert lease is not None

    with pytest.raises(GenesysDownError, match="somebody else"):
        token_of(platform)

    assert platform.token_requests == 0


def test_whoever_waits_too_long_for_another_thread_is_told_to_come_back() -> None:
    with running_platform(clock=StillClock()) as platform:
        gate = threading.Event()
        platform.watched.script(TOKEN_PATH, Scripted(status=503, gate=gate))
        with ThreadPoolExecutor(1) as pool:
            slow = pool.submit(token_of, platform)
            assert platform.watched.arrived.wait(10)
            with pytest.raises(GenesysDownError, match="somebody else"):
                platform.client.tokens.current(deadline=platform.clock.now())
            gate.set()

            assert slow.result(20)


def test_an_old_token_is_used_while_genesys_gives_no_new_one(platform: PlatformRig) -> None:
    old = token_of(platform)
    platform.clock.advance(timedelta(days=1) - SOON)
    platform.stand_in.faults.order(Door.TOKEN, Fault(status=503), times=4)

    assert token_of(platform) == old
    asked = platform.token_requests
    assert [token_of(platform) for _ in range(9)] == [old] * 9
    assert platform.token_requests == asked


def test_a_failure_is_forgotten_after_its_moment(platform: PlatformRig) -> None:
    platform.watched.script(TOKEN_PATH, Scripted(status=401))
    for _ in range(5):
        with pytest.raises(GenesysCredentialsError):
            token_of(platform)
    assert platform.token_requests == 1

    platform.clock.advance(2 * SECOND)

    assert token_of(platform)
    assert platform.token_requests == 2


def test_a_long_retry_after_of_the_token_endpoint_holds_for_all(platform: PlatformRig) -> None:
    platform.stand_in.faults.order(Door.TOKEN, Fault(status=429, retry_after=45 * SECOND))
    with pytest.raises(GenesysDownError) as first:
        token_of(platform)
    platform.clock.advance(40 * SECOND)
    with pytest.raises(GenesysDownError) as second:
        token_of(platform, platform.another_client())
    platform.clock.advance(5 * SECOND)

    assert token_of(platform)
    assert platform.token_requests == 2
    assert first.value.retry_after == 45 * SECOND
    assert second.value.retry_after == 5 * SECOND


def test_basic_at_the_login_host_is_the_default(platform: PlatformRig) -> None:
    token_of(platform)

    (seen,) = platform.watched.seen
    assert seen.authorization.startswith("Basic ")
    assert seen.form == {"grant_type": ["client_credentials"]}


def test_the_body_form_is_for_gateways_that_want_it() -> None:
    with running_platform(auth="body", scope="conversations:guest:create") as platform:
        good = {"access_token": "from-a-gateway", "token_type": "Bearer", "expires_in": 600}
        platform.watched.script(TOKEN_PATH, Scripted(body=good))

        assert token_of(platform) == "from-a-gateway"

        (seen,) = platform.watched.seen
    assert seen.authorization == ""
    assert seen.form == {
        "grant_type": ["client_credentials"],
        "client_id": [PLATFORM.client_id],
        "client_secret": [PLATFORM.client_secret],
        "scope": ["conversations:guest:create"],
    }


def test_wrong_credentials_are_named(platform: PlatformRig) -> None:
    client = client_at(platform.url, platform.clock, client_secret="another")

    with pytest.raises(GenesysCredentialsError, match=r"bad\.credentials"):
        token_of(platform, client)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Scripted(body="<html>"), GenesysAnswerError),
        (Scripted(body="[" * 100_000), GenesysAnswerError),
        (Scripted(body={"access_token": "", "token_type": "bearer"}), GenesysAnswerError),
        (Scripted(body={"access_token": 7, "token_type": "bearer"}), GenesysAnswerError),
        (Scripted(body={"access_token": "a\r\nb", "token_type": "bearer"}), GenesysAnswerError),
        (Scripted(body={"access_token": "t", "token_type": "mac"}), GenesysAnswerError),
        (
            Scripted(body={"access_token": "t", "token_type": "bearer", "expires_in": -1}),
            GenesysAnswerError,
        ),
        (Scripted(status=400, body={"error": "invalid_client"}), GenesysCredentialsError),
        (Scripted(status=400, body={"error": "invalid_scope"}), GenesysRefusedError),
        (Scripted(status=302, headers={"Location": "http://x.localhost/"}), GenesysRefusedError),
    ],
)
def test_an_answer_that_is_no_token_is_a_clear_error(
    platform: PlatformRig, answer: Scripted, kind: type[BffError]
) -> None:
    platform.watched.script(TOKEN_PATH, answer)

    with pytest.raises(kind):
        token_of(platform)

    assert platform.token_requests == 1


def test_a_token_without_a_life_is_kept_for_five_minutes_at_most(platform: PlatformRig) -> None:
    good = {"access_token": "endless", "token_type": "bearer"}
    platform.watched.script(TOKEN_PATH, Scripted(body=good))
    token_of(platform)
    platform.clock.advance(4 * MINUTE - SECOND)
    assert token_of(platform) == "endless"
    platform.clock.advance(SECOND)

    assert token_of(platform) != "endless"


def test_a_store_that_is_away_is_said_and_genesys_is_not_asked(platform: PlatformRig) -> None:
    assert isinstance(platform.store, MemoryStore)
    platform.store.down = True

    with pytest.raises(BffError) as told:
        token_of(platform)

    assert told.value.code == "store_unavailable"
    assert platform.token_requests == 0
