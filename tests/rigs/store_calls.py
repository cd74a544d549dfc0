"""Every call of `ports.Store`, each once."""

from collections.abc import Callable
from datetime import timedelta

from bff.ports import Lease, Store

MINUTE = timedelta(minutes=1)
LEASE = Lease(name="l", owner="o", fence=1)

EVERY_CALL: dict[str, Callable[[Store], object]] = {
    "get": lambda store: store.get("k"),
    "put": lambda store: store.put("k", b"v", ttl=MINUTE),
    "add": lambda store: store.add("k", b"v", ttl=MINUTE),
    "replace": lambda store: store.replace("k", b"v", version=1, ttl=MINUTE),
    "take": lambda store: store.take("k"),
    "delete": lambda store: store.delete("k"),
    "acquire_lease": lambda store: store.acquire_lease("l", ttl=MINUTE),
    "renew_lease": lambda store: store.renew_lease(LEASE, ttl=MINUTE),
    "release_lease": lambda store: store.release_lease(LEASE),
    "count": lambda store: store.count("c", window=MINUTE),
    "join": lambda store: store.join("g", "m", ttl=MINUTE),
    "leave": lambda store: store.leave("g", "m"),
    "members": lambda store: store.members("g"),
    "publish": lambda store: store.publish("n", b"v"),
    "subscribe": lambda store: store.subscribe("n"),
    "ping": lambda store: store.ping(),
}
