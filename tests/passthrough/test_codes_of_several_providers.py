"""Each provider has a client of its own for Genesys; a code comes from whoever signed in."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bff_rig import CLIENT, BffRig, query_of, running_bff
from passthrough_rig import GENESYS, NAVIGATION, PASSTHROUGH, CodePage, running_passthrough
from provider_visitor import ProviderRig, running_provider

STAFF_GENESYS = "genesys-for-staff"


@contextmanager
def two(folder: Path) -> Iterator[tuple[BffRig, ProviderRig]]:
    with running_provider(client=CLIENT) as staff:
        named = {
            "BFF_PROVIDERS__STAFF__ISSUER": staff.url,
            "BFF_PROVIDERS__STAFF__CLIENT_ID": CLIENT.client_id,
            "BFF_PROVIDERS__STAFF__CLIENT_SECRET": CLIENT.client_secret,
            "BFF_PROVIDERS__STAFF__PASSTHROUGH_CLIENT_ID": STAFF_GENESYS,
        }
        with running_passthrough(folder, **named) as bff:
            yield bff, staff


def test_the_second_part_goes_to_the_provider_that_signed_in(tmp_path: Path) -> None:
    with two(tmp_path) as (bff, staff):
        main = bff.browser().sign_in().headers["Location"]
        other = bff.browser().sign_in(path="/auth/login?provider=staff").headers["Location"]

        assert main.startswith(bff.provider.url + "/")
        assert query_of(main)["client_id"] == GENESYS.client_id
        assert other.startswith(staff.url + "/")
        assert query_of(other)["client_id"] == STAFF_GENESYS


def test_so_does_the_frame(tmp_path: Path) -> None:
    with two(tmp_path) as (bff, staff):
        page = CodePage(bff.browser())
        page.browser.sign_in(path="/auth/login?provider=staff")
        _, path = page.channel()

        out = page.browser.get(path, **NAVIGATION)

        assert out.headers["Location"].startswith(staff.url + "/")


def test_a_provider_that_was_taken_out_gives_no_more_codes(tmp_path: Path) -> None:
    with two(tmp_path) as (bff, _):
        browser = bff.browser()
        browser.sign_in(path="/auth/login?provider=staff")
        cookie = str(browser.cookie())
        issuer = bff.provider.url
    changes = {**PASSTHROUGH, "BFF_PROVIDERS__MAIN__ISSUER": issuer}
    with running_bff(tmp_path, changes) as bff:
        page = CodePage(bff.browser())
        page.browser.set_cookie("__Host-bff", cookie)
        key, path = page.channel()

        page.browser.get(path, **NAVIGATION)

        state = page.browser.get(f"/auth/transactions/{key}").get_json()
        assert state == {"status": "failed", "code": "provider_unknown"}


def test_where_codes_are_ours_no_frame_goes_anywhere(tmp_path: Path) -> None:
    with running_bff(tmp_path) as bff:
        paths = ("/messenger/authorize", "/messenger/callback", "/messenger/silent")

        assert {bff.browser().get(path).status_code for path in paths} == {404}
