"""The client proves itself by header or by form, in one way at a time."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from bff_rig import BffRig, running_bff
from broker_rig import CLIENT
from op_visitor import OpVisitor, error_and_status


@pytest.fixture(scope="module")
def bff(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BffRig]:
    """One BFF for the whole file: no test here disturbs another's session."""
    folder = tmp_path_factory.mktemp("bff")
    with running_bff(folder, BFF_SIGN_INS_PER_MINUTE="10000") as running:
        yield running


POSTED = {"client_id": CLIENT.client_id, "client_secret": CLIENT.client_secret}
ODD_SECRET = "a+secret/with%20odd=signs:and ü"


def basic(raw: bytes) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(raw).decode()}


def test_by_header(bff: BffRig) -> None:
    visitor = OpVisitor(bff)

    assert visitor.token(visitor.code_form()).status_code == 200


def test_by_form(bff: BffRig) -> None:
    visitor = OpVisitor(bff)

    assert visitor.token(visitor.code_form(**POSTED), auth=None).status_code == 200


@pytest.mark.parametrize(
    ("form", "headers"),
    [
        ({}, {}),
        ({"client_id": CLIENT.client_id}, {}),
        ({**POSTED, "client_secret": "wrong"}, {}),
        ({**POSTED, "client_secret": ""}, {}),
        ({**POSTED, "client_secret": CLIENT.client_secret + " "}, {}),
        ({**POSTED, "client_id": "somebody"}, {}),
        ({}, basic(b"genesys:wrong")),
        ({}, basic(b"genesys:")),
        ({}, basic(b"genesys")),
        ({}, basic(b"somebody:secret-of-genesys-0123456789")),
        ({}, basic(b"\xff\xfe:\xff")),
        ({}, {"Authorization": "Basic not-base64!"}),
        ({}, {"Authorization": "Basic"}),
        ({}, {"Authorization": "Bearer secret-of-genesys-0123456789"}),
    ],
)
@pytest.mark.parametrize("door", ["/op/token", "/op/revoke"])
def test_nobody_else_gets_in_and_burns_nothing(
    bff: BffRig, form: dict[str, str], headers: dict[str, str], door: str
) -> None:
    visitor = OpVisitor(bff)
    good = visitor.code_form()
    asked = good | {"token": "x"} | form

    answer = visitor.token(asked, auth=None, path=door, headers=headers)

    assert error_and_status(answer) == (401, "invalid_client")
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    assert answer.headers["Cache-Control"] == "no-store"
    assert visitor.token(good).status_code == 200


def test_two_ways_at_once_are_refused(bff: BffRig) -> None:
    visitor = OpVisitor(bff)

    assert error_and_status(visitor.token(visitor.code_form(**POSTED))) == (400, "invalid_request")


def test_the_form_may_name_the_client_of_the_header_and_no_other(bff: BffRig) -> None:
    visitor = OpVisitor(bff)
    form = visitor.code_form()

    other = visitor.token(form | {"client_id": "somebody"})
    same = visitor.token(form | {"client_id": CLIENT.client_id})

    assert error_and_status(other) == (400, "invalid_request")
    assert same.status_code == 200


@pytest.mark.parametrize(
    "raw",
    [
        f"genesys:{ODD_SECRET}".encode(),
        b"genesys:a%2Bsecret%2Fwith%2520odd%3Dsigns%3Aand+%C3%BC",
        b"gen%65sys:a%2Bsecret%2Fwith%2520odd%3Dsigns%3Aand%20%C3%BC",
    ],
)
def test_a_secret_with_odd_signs_comes_encoded_or_not(tmp_path: Path, raw: bytes) -> None:
    with running_bff(tmp_path, BFF_GENESYS_CLIENT_SECRET=ODD_SECRET) as bff:
        visitor = OpVisitor(bff)

        answer = visitor.token(visitor.code_form(), auth=None, headers=basic(raw))

        assert answer.status_code == 200


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "unsupported_grant_type"),
        ({"grant_type": "password", "username": "u", "password": "p"}, "unsupported_grant_type"),
        ({"grant_type": 'cli"ent\\ü'}, "unsupported_grant_type"),
        ({"grant_type": "authorization_code"}, "invalid_request"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "authorization_code", "code": "x"}, "invalid_grant"),
        ({"grant_type": "authorization_code", "code": "ü" * 65}, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "\x00" * 65}, "invalid_grant"),
    ],
)
def test_whatever_else_is_asked_gets_the_right_word(
    bff: BffRig, form: dict[str, str], error: str
) -> None:
    assert error_and_status(OpVisitor(bff).token(form)) == (400, error)


def test_json_is_no_form(bff: BffRig) -> None:
    visitor = OpVisitor(bff)
    form = visitor.code_form()

    answer = visitor.client.post(
        "/op/token",
        base_url=bff.settings.public_url,
        json=form,
        auth=(CLIENT.client_id, CLIENT.client_secret),
    )

    assert error_and_status(answer) == (400, "unsupported_grant_type")


def test_more_scope_than_granted_is_named_as_such(bff: BffRig) -> None:
    visitor = OpVisitor(bff)
    refresh = visitor.tokens()["refresh_token"]
    asked = {"grant_type": "refresh_token", "refresh_token": refresh, "scope": "openid admin"}

    assert error_and_status(visitor.token(asked)) == (400, "invalid_scope")
    assert visitor.refresh(refresh).status_code == 200


def test_revoking_what_is_unknown_is_no_error(bff: BffRig) -> None:
    visitor = OpVisitor(bff)

    for form in ({"token": "x"}, {"token": "x", "token_type_hint": "whatever"}):
        assert visitor.token(form, path="/op/revoke").status_code == 200
    missing = visitor.token({"token_type_hint": "access_token"}, path="/op/revoke")
    assert error_and_status(missing) == (400, "invalid_request")


def test_an_answer_of_the_token_endpoint_is_complete(bff: BffRig) -> None:
    tokens = OpVisitor(bff).tokens()

    assert set(tokens) == {
        "access_token", "token_type", "expires_in", "scope", "id_token", "refresh_token"
    }  # fmt: skip
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 900)
