"""Who is compared: how each server is started, and what its pages speak."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

from bench_processes import HERE, Bench, Cores, Started
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from bff.adapters.system import SystemEntropy
from bff.guests.guest_upgrade import PATH
from bff.simulator.stage import free_port

ORIGIN: Final = "https://auth.example.com"
DEPLOYMENT: Final = "7c4e1f0a-52d8-4d53-9a57-0d3f6f1b2c88"
LOOPBACK: Final = "127.0.0.1"
A_DAY: Final = timedelta(days=1)


class Shape(StrEnum):
    """What a server does with a frame besides checking it."""

    ECHO = "echo"
    PROXY = "proxy"
    PROXY_TLS = "proxy, TLS upstream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What is around the servers of one comparison."""

    shape: Shape
    redis_url: str
    cores: Cores
    secret: str = field(repr=False)
    # The same for all of ours: they share a store, as the processes of one service do.
    master_key: str = field(repr=False)
    certificate: Path
    upstream_port: int = 0

    @property
    def upstream_url(self) -> str:
        """Return the host of the upstream, by the name in its certificate."""
        if self.shape is Shape.PROXY_TLS:
            return f"wss://localhost:{self.upstream_port}"
        return f"ws://{LOOPBACK}:{self.upstream_port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One row of the table."""

    name: str
    wire: str
    start: Callable[[Bench, Scene], Started]
    path: str = PATH
    most_connections: int = 5_000


def _peer(*flags: str) -> Callable[[Bench, Scene], Started]:
    def start(bench: Bench, scene: Scene) -> Started:
        upstream = [] if scene.shape is Shape.ECHO else ["--upstream", scene.upstream_url]
        script = str(HERE / "node_middleware.mjs")
        return bench.start(
            *("node", script, "--redis", scene.redis_url, *flags, *upstream),
            *("--ca", str(scene.certificate)),
            core=scene.cores.server,
            environment={"PEER_HMAC_SECRET": scene.secret},
        )

    return start


def _ours(script: str) -> Callable[[Bench, Scene], Started]:
    def start(bench: Bench, scene: Scene) -> Started:
        echo = ["--echo"] if scene.shape is Shape.ECHO else []
        environment = {**_settings(scene), "SSL_CERT_FILE": str(scene.certificate)}
        return bench.python(script, *echo, core=scene.cores.server, environment=environment)

    return start


def _bare(bench: Bench, scene: Scene) -> Started:
    proxied = ["--upstream", scene.upstream_url, "--trust", str(scene.certificate)]
    arguments = [] if scene.shape is Shape.ECHO else proxied
    return bench.python("bare_gateway.py", *arguments, core=scene.cores.server)


def _settings(scene: Scene) -> Mapping[str, str]:
    entropy = SystemEntropy()
    return {
        "BFF_PUBLIC_URL": ORIGIN,
        "BFF_HOST": LOOPBACK,
        "BFF_PORT": str(free_port()),
        "BFF_GATEWAY_HOST": LOOPBACK,
        "BFF_GATEWAY_PORT": "0",
        "BFF_ALLOWED_ORIGINS": ORIGIN,
        # Each page has an address of its own: the limit of new sessions stays as it is.
        "BFF_TRUSTED_PROXIES": "1",
        "BFF_MASTER_KEY": scene.master_key,
        "BFF_PAIRWISE_SALT": entropy.token(),
        "BFF_PROVIDERS__MAIN__ISSUER": "https://login.example.com",
        "BFF_PROVIDERS__MAIN__CLIENT_ID": "benchmark",
        "BFF_PROVIDERS__MAIN__CLIENT_SECRET": entropy.token(),
        "BFF_GENESYS_CLIENT_ID": "benchmark",
        "BFF_GENESYS_CLIENT_SECRET": entropy.token(),
        "BFF_GENESYS_DEPLOYMENT_ID": DEPLOYMENT,
        "BFF_GENESYS_MESSAGING_URL": scene.upstream_url,
        "BFF_HMAC_SECRET": scene.secret,
        "BFF_STORE_URL": scene.redis_url,
        "BFF_LOG_LEVEL": "WARNING",
    }


NODE: Final = Contender(name="Node", wire="peer", start=_peer(), path="/")
CACHED: Final = Contender(name="Node, cached", wire="peer", start=_peer("--cached"), path="/")
PIPELINED: Final = Contender(
    name="Node, GETs pipelined", wire="peer", start=_peer("--pipelined"), path="/"
)
GATEWAY: Final = Contender(
    name="gateway, page keys", wire="page", start=_ours("gateway_under_load.py")
)
GATEWAY_SHARED: Final = Contender(
    name="gateway, shared secret", wire="shared", start=_ours("gateway_under_load.py")
)
FLASK: Final = Contender(
    name="Flask on gevent",
    wire="page",
    start=_ours("flask_under_load.py"),
    most_connections=1_000,
)
BARE: Final = Contender(name="our core, bare shell", wire="page", start=_bare)
CONTENDERS: Final = (NODE, PIPELINED, CACHED, GATEWAY, GATEWAY_SHARED, FLASK, BARE)


def throw_away_certificate(folder: Path) -> Path:
    """Write a key and a certificate of localhost, good for a day; return the file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(IPv4Address(LOOPBACK))]
    now = datetime.now(UTC)  # noqa: TID251 - a certificate knows no other clock
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - A_DAY)
        .not_valid_after(now + A_DAY)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file = folder / "localhost.pem"
    file.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    return file
