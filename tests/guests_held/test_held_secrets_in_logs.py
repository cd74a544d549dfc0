"""No token of a guest reaches a log, a repr, an error or, unsealed, the store."""

import logging
import sqlite3
import traceback
from pathlib import Path

import pytest
from black_holes import nobody_listens
from held_rig import LONG_AGO, HeldRig, doors_at, foundation_of

from bff.errors import BffError, SettingsError
from bff.guests.held_tokens import HeldPair, HeldTokens
from bff.ports import AuthCode
from bff.simulator.genesys_faults import Door, Fault


class Noting:
    """The broker, and what it minted."""

    def __init__(self, held: HeldRig) -> None:
        self._broker = held.services.broker
        self.minted: list[AuthCode] = []

    def vouch(self, session_key: str) -> object:
        return self._broker.vouch(session_key)

    def mint(self, session_key: str) -> AuthCode:
        code = self._broker.mint(session_key)
        self.minted.append(code)
        return code


def story(tokens: HeldTokens, key: str) -> str:
    with pytest.raises(BffError) as told:
        tokens.jwt_for(key)
    return "".join(traceback.format_exception(told.value))


def a_hard_life(held: HeldRig, codes: Noting) -> list[str]:
    """Go through everything that can go wrong; return what was told."""
    tokens = HeldTokens(foundation_of(held.services), codes=codes, doors=held.doors)
    faults, key = held.stage.genesys.faults, held.new_session()
    faults.order(Door.EXCHANGE, Fault(status=500))
    told = [story(tokens, key)]
    held.clock.advance(LONG_AGO)
    tokens.jwt_for(key)
    held.clock.advance(LONG_AGO)
    faults.order(Door.REFRESH, Fault(status=503), times=2)
    told.append(story(tokens, key))
    held.clock.advance(LONG_AGO)
    with nobody_listens() as port:
        doors = doors_at(f"http://127.0.0.1:{port}", clock=held.clock)
        told.append(story(HeldTokens(foundation_of(held.services), codes=codes, doors=doors), key))
    held.clock.advance(LONG_AGO)
    tokens.jwt_for(key)
    held.clock.advance(LONG_AGO)
    held.stage.genesys.desk.kill("pairwise-of-amira")
    faults.order(Door.EXCHANGE, Fault(status=401, message="the code was echoed"))
    told.append(story(tokens, key))
    another = held.new_session()
    tokens.jwt_for(another)
    faults.order(Door.REVOKE, Fault(status=503))
    tokens.forget(another)
    return told


def test_no_token_is_written_down_in_a_hard_life(
    held: HeldRig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    codes = Noting(held)
    told = a_hard_life(held, codes)

    grants = held.stage.genesys.desk._all()
    tokens = [token for grant in grants for token in (grant.jwt, grant.refresh_token) if token]
    secrets = {*tokens, *(part for one in codes.minted for part in (one.code, one.code_verifier))}
    ours = [r.getMessage() for r in caplog.records if not r.name.startswith("bff.simulator")]
    written = "\n".join([*ours, *told])
    assert len(grants) >= 2
    assert len(codes.minted) >= 4
    assert "not revoked at Genesys" in written
    assert "no JWT for a fresh code" in written
    assert [secret for secret in secrets if secret in written] == []


def test_the_store_holds_a_pair_only_sealed(held: HeldRig, tmp_path: Path) -> None:
    key = held.new_session()
    jwt = held.tokens.jwt_for(key)
    refresh_token = held.stage.genesys.desk._all()[0].refresh_token

    assert held.stored(key)
    held.services.close()
    connection = sqlite3.connect(tmp_path / "held.sqlite3")
    dump = "\n".join(connection.iterdump()).encode()
    connection.close()
    assert key.encode() in dump
    assert jwt.encode().hex().upper().encode() not in dump.upper()
    assert jwt.encode() not in dump
    assert refresh_token
    assert refresh_token.encode().hex().upper().encode() not in dump.upper()


def test_what_holds_a_token_does_not_show_it(held: HeldRig) -> None:
    now = held.clock.now()
    pair = HeldPair(jwt="canary", refresh_token="canary", fresh_until=now, ends_at=now)

    assert "canary" not in repr([pair, held.tokens, held.doors])


def test_genesys_is_asked_over_https_only(held: HeldRig) -> None:
    with pytest.raises(SettingsError):
        doors_at("http://api.mypurecloud.com", clock=held.clock)
