"""What a token endpoint's answer means: the user is refused, we are, or nobody is."""

from typing import Any

import pytest
import requests
from scripted_server import Scripted, ScriptedServer

from bff.adapters.http_client import http_session
from bff.adapters.token_answers import CLIENT_REFUSED, USER_REFUSED, sorted_answer
from bff.errors import (
    BffError,
    ClientRefusedError,
    IdentityProviderDownError,
    ProviderAnswerError,
    TokensRefusedError,
)

TOKENS = {"access_token": "at", "token_type": "Bearer"}


def meaning(server: ScriptedServer, answer: Scripted) -> type[BffError]:
    server.always("/token", answer)
    response: requests.Response = http_session().post(f"{server.url}/token", data={"a": "b"})
    with pytest.raises(BffError) as told:
        sorted_answer(response)
    return type(told.value)


@pytest.mark.parametrize("status", [200, 400, 401, 403, 422])
@pytest.mark.parametrize("error", sorted(USER_REFUSED))
def test_a_user_who_must_come_again_is_refused_whatever_the_status(
    server: ScriptedServer, status: int, error: str
) -> None:
    assert meaning(server, Scripted.json({"error": error}, status)) is TokensRefusedError


@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize("error", sorted(CLIENT_REFUSED))
def test_a_refusal_of_us_is_no_word_about_the_user(
    server: ScriptedServer, status: int, error: str
) -> None:
    assert meaning(server, Scripted.json({"error": error}, status)) is ClientRefusedError


@pytest.mark.parametrize(
    ("status", "body"),
    [
        *((status, {}) for status in (408, 425, 429, 500, 502, 503, 504, 599)),
        *((500, {"error": error}) for error in ("invalid_grant", "invalid_client")),
        *((400, {"error": error}) for error in ("temporarily_unavailable", "server_error")),
    ],
)
def test_nobody_is_refused_by_a_server_that_cannot(
    server: ScriptedServer, status: int, body: dict[str, Any]
) -> None:
    assert meaning(server, Scripted.json(body, status)) is IdentityProviderDownError


@pytest.mark.parametrize(
    "answer",
    [
        Scripted.json({"error": "something_new"}, 400),
        Scripted.json({"error": ["invalid_grant"]}, 400),
        Scripted.json({"error": {"code": "invalid_grant"}}, 400),
        Scripted.json({"message": "invalid_grant"}, 400),
        Scripted(status=403, body=b"<html>invalid_grant</html>"),
        Scripted(status=404),
        Scripted(status=302, headers={"Location": "https://idp.example/login"}),
        Scripted(body=b"not json"),
        Scripted.json([]),
        Scripted.json({}),
        Scripted.json({**TOKENS, "token_type": "mac"}),
        Scripted.json({**TOKENS, "access_token": 7}),
        Scripted(body=b"[" * 60_000),
    ],
)
def test_what_is_neither_signs_nobody_out(server: ScriptedServer, answer: Scripted) -> None:
    assert meaning(server, answer) is ProviderAnswerError


def test_401_without_a_word_is_about_us(server: ScriptedServer) -> None:
    assert meaning(server, Scripted(status=401)) is ClientRefusedError


def test_an_error_with_odd_characters_is_no_line_of_the_log(server: ScriptedServer) -> None:
    server.always("/token", Scripted.json({"error": "x\r\n2026 INFO forged\u202e" * 9}, 400))

    with pytest.raises(ProviderAnswerError) as told:
        sorted_answer(http_session().post(f"{server.url}/token"))

    assert told.value.detail.isprintable()
    assert told.value.detail.isascii()
    assert len(told.value.detail) < 200


def test_tokens_are_tokens(server: ScriptedServer) -> None:
    server.always("/token", Scripted.json({**TOKENS, "expires_in": 5}))

    assert sorted_answer(http_session().post(f"{server.url}/token"))["expires_in"] == 5
