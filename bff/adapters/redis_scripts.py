"""The steps that Redis must do as one: each script touches one {hash tag} only."""

import hashlib
from dataclasses import dataclass, field
from typing import Final

NUMBER_WIDTH: Final = 16
"""Versions and fences have 16 digits in Redis, so that a script finds them by position."""


@dataclass(frozen=True, slots=True)
class Script:
    """Lua text and the name that Redis gives it once it has seen it."""

    text: str
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        """Compute the name: SHA-1 is Redis' choice and protects nothing here."""
        digest = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()
        object.__setattr__(self, "sha", digest)


# KEYS[2] is the number of the tag: one for all keys of a hash tag, without expiry, so that it
# outlives every entry and every lease. It is never behind the clock either: if the number itself
# is lost (eviction, failover to a replica that lags), the next one is still greater than all
# before. Microseconds stay exact in a Lua number (below 2^53) until the year 2255.
_NEXT_NUMBER: Final = """
local time = redis.call('TIME')
local number = time[1] * 1000000 + time[2]
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
if number <= last then number = last + 1 end
number = string.format('%016.0f', number)
redis.call('SET', KEYS[2], number)
"""

_NOW: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

PUT: Final = Script(
    _NEXT_NUMBER
    + """
redis.call('SET', KEYS[1], number .. ARGV[1], 'PX', ARGV[2])
return number
"""
)

# A lease is taken like an entry is added: its value is the owner, its version the fence.
ADD: Final = Script(
    "if redis.call('EXISTS', KEYS[1]) == 1 then return false end"
    + _NEXT_NUMBER
    + """
redis.call('SET', KEYS[1], number .. ARGV[1], 'PX', ARGV[2])
return number
"""
)

REPLACE: Final = Script(
    "if redis.call('GETRANGE', KEYS[1], 0, 15) ~= ARGV[3] then return false end"
    + _NEXT_NUMBER
    + """
redis.call('SET', KEYS[1], number .. ARGV[1], 'PX', ARGV[2])
return number
"""
)

RENEW_LEASE: Final = Script("""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
""")

RELEASE_LEASE: Final = Script("""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
""")

# A count without an end would lock somebody out for good: the end is set whenever it lacks.
COUNT: Final = Script("""
local value = redis.call('INCR', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  left = tonumber(ARGV[1])
end
return {value, left}
""")

# A member's score is when it ends, by the clock of Redis; the group ends with its last member.
JOIN: Final = Script(
    _NOW
    + """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[2]), ARGV[1])
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', last[2]))
return 1
"""
)

LEAVE: Final = Script(
    _NOW
    + """
local ends = redis.call('ZSCORE', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[1], ARGV[1])
if ends and tonumber(ends) > now then return 1 end
return 0
"""
)

MEMBERS: Final = Script(
    _NOW
    + """
return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. string.format('%.0f', now), '+inf')
"""
)
