"""A stranger asks for sessions in vain, thousands of times: the log that only grows would grow."""

from pathlib import Path

from guest_page import Jar
from security_model import Asset, Attacker, threat
from shared_computer import SharedComputer, shared_computer

FLOOD = 40
BORNE = 10


@threat(
    Attacker.STRANGER,
    Asset.AUDIT_LOG,
    can="add ten refused resumes a minute for an address or a browser to it, and no more",
    noticed="`guest_refused` in the audit log; further tries are answered `rate_limited`",
)
def test_refused_resumes_are_limited_like_new_sessions(tmp_path: Path) -> None:
    with shared_computer(tmp_path, BFF_GUEST_SESSIONS_PER_MINUTE=str(BORNE)) as computer:
        own = computer.says("hello")
        sealed = own["encryptedSessionId"]
        for jar in (None, Jar()):
            # With a cookie, and with another one each time.
            codes = [refused(computer, sealed, jar) for _ in range(FLOOD)]
            assert codes.count("session_unknown") == (BORNE if jar is None else 0)
            assert codes.count("rate_limited") == FLOOD - codes.count("session_unknown")
        assert computer.noted("guest_refused") == BORNE
        assert computer.code_for(sealed) is None, "who comes back with what is theirs is let in"
        with computer.page() as page:
            page.say("and a new session is counted apart")
            page.until("message_delivered")


def refused(computer: SharedComputer, sealed: str, jar: Jar | None) -> str:
    with computer.rig.page(jar or Jar()) as page:
        page.send(page.keys.init(encryptedSessionId=sealed))
        answer = page.next()
        if answer["code"] == "rate_limited":
            assert answer["retryAfter"] > 0
        return str(answer["code"])
