"""URLs of Redis: passwords that never leak, TLS, a cluster's rules, settings that are ours."""

import logging
import traceback
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import redis
from own_certificate import OwnCertificate, own_certificate
from redis_server import RedisServer, free_port
from store_calls import EVERY_CALL

from bff.adapters.redis_store import RedisStore
from bff.errors import BffError, SettingsError, StoreDownError

MINUTE = timedelta(minutes=1)
CANARY = "c4n4ry-p4ssw0rd"


def everything_said(error: BffError) -> str:
    return error.detail + repr(error) + "".join(traceback.format_exception(error))


def test_a_password_in_the_url_is_used() -> None:
    with RedisServer(password=CANARY) as server:
        store = RedisStore(server.url)

        store.put("k", b"v", ttl=MINUTE)

        assert store.take("k") == b"v"
        assert CANARY not in repr(store)
        store.close()


def test_a_wrong_password_is_a_store_that_is_down_and_is_not_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    with RedisServer(password="right") as server:
        store = RedisStore(server.url.replace("right", CANARY))

        with pytest.raises(StoreDownError) as caught:
            store.get("k")

        store.close()
    assert CANARY not in everything_said(caught.value) + caplog.text


def test_an_unreachable_redis_is_told_without_the_password() -> None:
    store = RedisStore(f"redis://user:{CANARY}@127.0.0.1:1/0")

    with pytest.raises(StoreDownError) as caught:
        store.get("k")

    assert "127.0.0.1:1/0" in caught.value.detail
    assert CANARY not in everything_said(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        f"http://:{CANARY}@127.0.0.1/0",
        f"redis://:{CANARY}#{CANARY}@127.0.0.1:port/0",
        f"redis://127.0.0.1:{CANARY}/0",
        f"redis://:{CANARY}@127.0.0.1/0?socket_keepalive={CANARY}&nonsense=1",
        f"redis://:{CANARY}@127.0.0.1/0?db={CANARY}",
        f"{CANARY}",
        f"redis://:{CANARY}@127.0.0.1/0?socket_timeout=60",
        f"redis://:{CANARY}@127.0.0.1/0?decode_responses=True",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        RedisStore(url)

    assert CANARY not in everything_said(caught.value)


def test_what_redis_quotes_from_a_command_is_not_repeated() -> None:
    with RedisServer("--rename-command", "GETDEL", "") as server:
        store = RedisStore(server.url)

        with pytest.raises(StoreDownError) as caught:
            store.take(CANARY)

        store.close()
    assert CANARY not in everything_said(caught.value)


def test_two_prefixes_are_two_stores() -> None:
    with RedisServer() as server:
        ours, theirs = RedisStore(server.url, prefix="a:"), RedisStore(server.url, prefix="b:")
        with theirs.subscribe("news") as subscription:
            ours.put("k", b"v", ttl=MINUTE)
            ours.publish("news", b"not for them")
            theirs.publish("news", b"for them")

            assert theirs.get("k") is None
            assert subscription.receive(timedelta(seconds=5)) == ("news", b"for them")
        ours.close()
        theirs.close()


def test_every_call_keeps_to_one_slot_of_a_cluster() -> None:
    with RedisServer("--cluster-enabled", "yes") as server:
        with redis.Redis.from_url(server.url) as raw:
            raw.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            while b"cluster_state:ok" not in raw.execute_command("CLUSTER", "INFO"):
                pass
        store = RedisStore(server.url)
        for call in EVERY_CALL.values():
            call(store)
        for number in range(100):
            assert store.add(f"k{number}", b"v", ttl=MINUTE)
        store.close()


@pytest.fixture
def certificate(tmp_path: Path) -> OwnCertificate:
    return own_certificate(tmp_path)


@pytest.fixture
def secure_port(certificate: OwnCertificate) -> Iterator[int]:
    port = free_port()
    crt, key = str(certificate.file), str(certificate.key_file)
    options = ["--tls-cert-file", crt, "--tls-key-file", key, "--tls-auth-clients", "no"]
    with RedisServer("--tls-port", str(port), *options, password=CANARY):
        yield port


def test_a_rediss_url_speaks_tls(certificate: OwnCertificate, secure_port: int) -> None:
    trust = f"?ssl_ca_certs={certificate.file}"
    store = RedisStore(f"rediss://:{CANARY}@127.0.0.1:{secure_port}/0{trust}")

    with store.subscribe("news") as subscription:
        store.publish("news", b"sealed")

        assert subscription.receive(timedelta(seconds=5)) == ("news", b"sealed")
    store.close()


def test_a_certificate_nobody_vouches_for_is_refused(secure_port: int) -> None:
    store = RedisStore(f"rediss://:{CANARY}@127.0.0.1:{secure_port}/0")

    with pytest.raises(StoreDownError) as caught:
        store.ping()

    store.close()
    assert CANARY not in everything_said(caught.value)
