"""What several processes do with the tokens of one session at the same moment."""

from concurrent.futures import ThreadPoolExecutor
from typing import Final

from held_rig import tokens_of
from process_crowd import assemble

from bff.errors import BffError
from bff.settings import Settings
from bff.wiring import build

THREADS: Final = 10


def jwts_together(environment: dict[str, str], genesys_url: str, key: str) -> list[str]:
    """Ask in ten threads, as others do; return the JWTs, or the codes of failures."""
    services = build(Settings.read(environment))
    tokens = tokens_of(services, genesys_url)

    def ask(_: int) -> str:
        try:
            return tokens.jwt_for(key)
        except BffError as error:
            return error.code

    try:
        services.store.ping()
        with ThreadPoolExecutor(THREADS) as pool:
            assemble()
            return list(pool.map(ask, range(THREADS)))
    finally:
        services.close()
