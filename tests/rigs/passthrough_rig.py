"""A BFF in passthrough: Genesys is a client of the provider, and we redeem nothing for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from bff_rig import BFF, BffRig, Browser, query_of, running_bff
from werkzeug.test import TestResponse

from bff.simulator.provider_settings import ProviderClient

CALLBACK: Final = f"{BFF}/messenger/callback"
MOST_HOPS: Final = 5
NAVIGATION: Final = {"Sec-Fetch-Mode": "navigate", "Accept": "text/html"}
GENESYS: Final = ProviderClient(
    client_id="genesys-at-provider",
    client_secret="secret-of-genesys-at-the-provider-0123",
    name="Genesys",
    redirect_uris=(CALLBACK,),
)
CLIENT_VARIABLE: Final = "BFF_PROVIDERS__MAIN__PASSTHROUGH_CLIENT_ID"
PASSTHROUGH: Final = {
    "BFF_CODES": "passthrough",
    "BFF_GENESYS_CLIENT_ID": "",
    "BFF_GENESYS_CLIENT_SECRET": "",
    CLIENT_VARIABLE: GENESYS.client_id,
}


@contextmanager
def running_passthrough(folder: Path, **changes: str) -> Iterator[BffRig]:
    """Wire one before a provider that knows two clients: the BFF, and Genesys."""
    with running_bff(folder, {**PASSTHROUGH, **changes}) as bff:
        bff.provider.provider._clients[GENESYS.client_id] = GENESYS
        yield bff


@dataclass(frozen=True, slots=True)
class CodePage:
    """A browser whose page asks for codes, and whose frames fetch them."""

    browser: Browser

    def sign_in(self, person: str = "amira", *, path: str = "/auth/login") -> TestResponse:
        """Go the whole way, to the answer that leaves the provider for good."""
        return self.second_leg(self.browser.sign_in(person, path=path))

    def second_leg(self, answer: TestResponse) -> TestResponse:
        """Follow the chain of the second authorization from the first callback's answer."""
        for _ in range(MOST_HOPS):
            url = answer.headers.get("Location", "")
            if "client_id" not in query_of(url):
                return answer
            answer = self.browser.get(self.browser.at_provider(url), **NAVIGATION)
        raise AssertionError("sent to the provider for ever")

    def ask(self, **body: Any) -> TestResponse:
        return self.browser.post("/messenger/code", body)

    def channel(self) -> tuple[str, str]:
        """Ask where the next code is fetched; return its id and the path to visit."""
        answer = self.ask()
        assert answer.status_code == 202, answer.text
        front = answer.get_json()["front_channel"]
        where = urlsplit(front["url"])
        return str(front["id"]), f"{where.path}?{where.query}"

    def frame(self, path: str) -> TestResponse:
        """Visit as a hidden frame does, there and back."""
        answer = self.browser.get(path, **NAVIGATION)
        if not answer.headers.get("Location", "").startswith("http"):
            return answer
        back = self.browser.at_provider(answer.headers["Location"])
        return self.browser.get(back, **NAVIGATION)

    def silent_code(self) -> dict[str, Any]:
        """Fetch the next code as the page and its hidden frame do."""
        key, path = self.channel()
        self.frame(path)
        answer = self.ask(transaction=key)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.get_json()
        return body


def redeemed(bff: BffRig, code: dict[str, Any]) -> dict[str, Any]:
    """Redeem a code as Genesys does: at the provider, with a secret that the BFF never had."""
    answer = bff.provider.post(
        "/token",
        client_id=GENESYS.client_id,
        client_secret=GENESYS.client_secret,
        grant_type="authorization_code",
        code=code["authCode"],
        redirect_uri=code["redirectUri"],
        code_verifier=code["codeVerifier"],
    )
    body: dict[str, Any] = answer.json()
    return {"status": answer.status_code, **body}
