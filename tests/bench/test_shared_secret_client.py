"""The client of the shared-secret scheme, against the gateway of the benchmark."""

from bench_processes import Cores
from contenders import GATEWAY_SHARED, LOOPBACK, ORIGIN, Shape
from frames_per_cpu import surroundings
from shared_secret_client import said

TEXT = "from a server"


def test_a_server_with_the_secret_says_something_and_ends() -> None:
    with surroundings(Shape.PROXY, Cores.of_this_machine()) as (bench, scene, _):
        port = GATEWAY_SHARED.start(bench, scene).port()
        url = f"ws://{LOOPBACK}:{port}{GATEWAY_SHARED.path}"

        answers = said(url, origin=ORIGIN, secret=scene.secret.encode(), text=TEXT)

    kinds = [answer["type"] for answer in answers]
    assert kinds == ["session_created", "message_accepted", "message_delivered", "session_ended"]
    assert answers[2]["body"]["text"] == TEXT


def test_a_server_with_another_secret_says_nothing() -> None:
    with surroundings(Shape.PROXY, Cores.of_this_machine()) as (bench, scene, _):
        port = GATEWAY_SHARED.start(bench, scene).port()
        url = f"ws://{LOOPBACK}:{port}{GATEWAY_SHARED.path}"

        answers = said(url, origin=ORIGIN, secret=b"another" * 6, text=TEXT)

    assert [answer.get("code") for answer in answers[1:]] == ["signature_wrong"] * 2
