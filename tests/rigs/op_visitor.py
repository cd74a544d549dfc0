"""Talks to the broker's doors as a relying party does, by the test client."""

from typing import Any

from bff_rig import BFF, BffRig, Browser
from broker_rig import CLIENT, with_ready_keys
from werkzeug.test import TestResponse

from bff.ports import Foundation

BASIC = (CLIENT.client_id, CLIENT.client_secret)


class OpVisitor:
    """A relying party in front of a whole BFF, and one signed-in browser beside it."""

    def __init__(self, bff: BffRig) -> None:
        self.bff = bff
        here = bff.services
        if here.store.get("signing-keys:ring") is None:
            with_ready_keys(
                Foundation(
                    store=here.store,
                    sealer=here.key_ring,
                    clock=here.clock,
                    entropy=here.entropy,
                )
            )
        self.browser: Browser = bff.browser()
        self.browser.sign_in()
        self.client = bff.app.test_client()
        self.minted: dict[str, Any] = {}

    def code_form(self, **changes: str | None) -> dict[str, str]:
        """Mint a code for the browser; return the form that redeems it, but for `changes`."""
        self.minted = self.browser.post("/messenger/code").get_json()
        form = {
            "grant_type": "authorization_code",
            "code": self.minted["authCode"],
            "redirect_uri": self.minted["redirectUri"],
            "code_verifier": self.minted["codeVerifier"],
            **changes,
        }
        return {name: value for name, value in form.items() if value is not None}

    def token(
        self,
        form: Any,
        *,
        auth: tuple[str, str] | None = BASIC,
        path: str = "/op/token",
        headers: dict[str, str] | None = None,
    ) -> TestResponse:
        return self.client.post(path, base_url=BFF, data=form, auth=auth, headers=headers)

    def tokens(self) -> dict[str, Any]:
        """Redeem a fresh code; return the answer."""
        answer = self.token(self.code_form())
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.get_json()
        return body

    def refresh(self, token: str) -> TestResponse:
        return self.token({"grant_type": "refresh_token", "refresh_token": token})

    def userinfo(self, token: str) -> TestResponse:
        header = {"Authorization": f"Bearer {token}"}
        return self.client.get("/op/userinfo", base_url=BFF, headers=header)

    def get(self, path: str, **query: str) -> TestResponse:
        return self.client.get(path, base_url=BFF, query_string=query)


def error_and_status(response: TestResponse) -> tuple[int, str]:
    """Return what an OAuth refusal says."""
    return response.status_code, str(response.get_json()["error"])
