"""A code is redeemed once; whoever comes second takes the first one's tokens down with them."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from bff_rig import BffRig
from broker_rig import CLIENT, SESSION, BrokerRig, broker_rig
from op_visitor import OpVisitor
from security_model import Asset, Attacker, threat

from bff.adapters.http_client import http_session
from bff.broker.exchanges import Issued
from bff.errors import CodeRefusedError, RefreshRefusedError
from bff.simulator.serving import Served

CROWD = 32


@pytest.fixture
def rig() -> BrokerRig:
    return broker_rig()


def assert_dead(rig: BrokerRig, issued: Issued) -> None:
    assert rig.broker.identify(issued.access_token) is None
    with pytest.raises(RefreshRefusedError):
        rig.refresh(issued.refresh_token)


@threat(
    Attacker.STRANGER,
    Asset.TOKENS,
    can="Replay a stolen code: it is refused, and the tokens of the first redemption are revoked",
    noticed="`code_refused` in the log; the chat asks for a new code",
)
def test_a_replay_is_refused_and_revokes_what_the_first_got(rig: BrokerRig) -> None:
    minted = rig.broker.mint(SESSION)
    first = rig.redeem(minted)

    with pytest.raises(CodeRefusedError):
        rig.redeem(minted)

    assert_dead(rig, first)


def test_a_replay_long_after_revokes_the_tokens_of_today(rig: BrokerRig) -> None:
    minted = rig.broker.mint(SESSION)
    issued = rig.redeem(minted)
    for _ in range(40):
        rig.clock.advance(issued.expires_in)
        issued = rig.refresh(issued.refresh_token)

    with pytest.raises(CodeRefusedError):
        rig.redeem(minted)

    assert_dead(rig, issued)


def test_a_replay_without_the_verifier_revokes_too(rig: BrokerRig) -> None:
    minted = rig.broker.mint(SESSION)
    first = rig.redeem(minted)

    with pytest.raises(CodeRefusedError):
        rig.redeem(minted, code_verifier=None, client_id="somebody")

    assert_dead(rig, first)


def test_a_replay_revokes_even_while_the_provider_is_away(rig: BrokerRig) -> None:
    minted = rig.broker.mint(SESSION)
    first = rig.redeem(minted)
    rig.witness.away = True
    with pytest.raises(CodeRefusedError):
        rig.redeem(minted)

    rig.witness.away = False

    assert_dead(rig, first)


def test_a_replay_in_the_middle_of_the_first_redemption_lets_nobody_keep_tokens(
    rig: BrokerRig,
) -> None:
    minted = rig.broker.mint(SESSION)
    inner: list[Issued] = []
    rig.witness.meanwhile = lambda: inner.append(rig.redeem(minted))

    with pytest.raises(CodeRefusedError):
        rig.redeem(minted)

    assert len(inner) == 1
    assert_dead(rig, inner[0])


def test_a_wrong_redemption_in_the_middle_of_the_right_one_burns_the_code(rig: BrokerRig) -> None:
    minted = rig.broker.mint(SESSION)

    def burn() -> None:
        with pytest.raises(CodeRefusedError):
            rig.redeem(minted, code_verifier="w" * 43)

    rig.witness.meanwhile = burn

    with pytest.raises(CodeRefusedError):
        rig.redeem(minted)


@threat(
    Attacker.STRANGER,
    Asset.TOKENS,
    can="Race the redemption of a code: one request wins, and loses its tokens to the replay",
    noticed="`code_refused` in the log",
)
def test_of_32_redemptions_at_once_exactly_one_wins_and_keeps_nothing(rig: BrokerRig) -> None:
    minted = rig.broker.mint(SESSION)
    gate = threading.Barrier(CROWD)

    def redeem(_: int) -> Issued | None:
        gate.wait(timeout=10)
        try:
            return rig.redeem(minted)
        except CodeRefusedError:
            return None

    with ThreadPoolExecutor(CROWD) as crowd:
        won = [issued for issued in crowd.map(redeem, range(CROWD)) if issued]

    assert len(won) == 1
    assert_dead(rig, won[0])


def test_over_http_too_exactly_one_of_32_wins_and_keeps_nothing(bff: BffRig) -> None:
    visitor = OpVisitor(bff)
    form = visitor.code_form()
    gate = threading.Barrier(CROWD)
    auth = (CLIENT.client_id, CLIENT.client_secret)

    with Served(bff.app) as served:

        def redeem(_: int) -> tuple[int, dict[str, str]]:
            with http_session() as session:
                gate.wait(timeout=10)
                answer = session.post(f"{served.url}/op/token", data=form, auth=auth)
                return answer.status_code, answer.json()

        with ThreadPoolExecutor(CROWD) as crowd:
            answers = list(crowd.map(redeem, range(CROWD)))

    assert sorted(status for status, _ in answers) == [200] + [400] * (CROWD - 1)
    winner = next(body for status, body in answers if status == 200)
    refused = [body["error"] for status, body in answers if status == 400]
    assert set(refused) == {"invalid_grant"}
    assert visitor.userinfo(winner["access_token"]).status_code == 401
    assert visitor.refresh(winner["refresh_token"]).status_code == 400
