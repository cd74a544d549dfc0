"""The options of every connection to Redis: short time-outs and no second try."""

from typing import Any, Final

from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

# Together less than a second in the worst case: a name with two addresses that both swallow the
# handshake (2 x 0.25 s), or a server behind TLS that stops after it (0.25 + 2 x 0.35 s).
CONNECT_SECONDS: Final = 0.25
ANSWER_SECONDS: Final = 0.35

# No limit of redis-py's: its pool refuses a caller above it. Ours lets the caller wait.
NO_LIMIT: Final = 2**31

OPTIONS: Final[dict[str, Any]] = {
    "socket_connect_timeout": CONNECT_SECONDS,
    "socket_timeout": ANSWER_SECONDS,
    # The default, ten retries with pauses, takes seconds; and what is repeated after a lost
    # answer counts twice or finds its own take-once value gone.
    "retry": Retry(NoBackoff(), 0),
    # No greeting and no client library name: a connection is ready when it is made.
    "protocol": 2,
    "driver_info": None,
    "maint_notifications_config": MaintNotificationsConfig(enabled=False),
    "decode_responses": False,
}
