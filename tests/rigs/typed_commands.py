"""Operators' commands typed in this process, against a Genesys stand-in on loopback."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from command_rig import Outcome
from erasure_rig import ErasureRig, erasure_rig, variables_for

from bff.adapters.system import SystemClock, SystemEntropy
from bff.cli import main
from bff.simulator.genesys_app import create_genesys
from bff.simulator.genesys_settings import GenesysSettings, OidcIntegration
from bff.simulator.genesys_settings import PlatformClient as Known
from bff.simulator.genesys_state import GenesysState, genesys_of
from bff.simulator.serving import Served

CLIENT: Final = Known(client_id="platform", client_secret="secret-of-the-platform-client")


@dataclass(frozen=True, kw_only=True)
class Typist:
    """Types commands; each is a start of its own on the same files."""

    folder: Path
    url: str
    genesys: GenesysState
    platform: Served
    env: Mapping[str, str] = field(repr=False)
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def type(self, *words: str) -> Outcome:
        for name, value in self.env.items():
            self.monkeypatch.setenv(name, value)
        self.capsys.readouterr()
        code = main(words)
        out, err = self.capsys.readouterr()
        return Outcome(code=code, out=out, err=err)

    @contextmanager
    def records(self) -> Iterator[ErasureRig]:
        """Open what the commands work on."""
        with erasure_rig(self.folder, self.url, clock=SystemClock()) as rig:
            yield rig


@contextmanager
def typist(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    guests: tuple[Mapping[str, Any], ...] = (),
    **changes: str,
) -> Iterator[Typist]:
    nobody = OidcIntegration(
        discovery_uri="http://idp.localhost/", client_id="-", client_secret="-"
    )
    settings = GenesysSettings(
        integration=nobody, allowed_domains=(), platform_clients=(CLIENT,), gateway_guests=guests
    )
    app = create_genesys(settings, clock=SystemClock(), entropy=SystemEntropy())
    url = f"sqlite:///{folder / 'records.sqlite3'}"
    with Served(app, host="genesys.localhost") as served:
        platform = {
            "BFF_GENESYS_LOGIN_URL": served.url,
            "BFF_GENESYS_API_URL": served.url,
            "BFF_PLATFORM_CLIENT_ID": CLIENT.client_id,
            "BFF_PLATFORM_CLIENT_SECRET": CLIENT.client_secret,
        }
        yield Typist(
            folder=folder,
            url=url,
            genesys=genesys_of(app),
            platform=served,
            env=variables_for(folder, url, **platform, **changes),
            monkeypatch=monkeypatch,
            capsys=capsys,
        )
