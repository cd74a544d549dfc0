"""The sample shop: the same page twice, once with our plugin and once with the naive one."""

import re

import pytest
from flask.testing import FlaskClient

from bff.simulator.brand_site import BrandSettings, create_brand_site
from bff.simulator.genesys_settings import DEMO_DEPLOYMENT

BFF = "http://auth.brand.localhost:1"
GENESYS = "http://genesys.localhost:2"


@pytest.fixture
def shop() -> FlaskClient:
    return create_brand_site(BrandSettings(bff_url=BFF, genesys_url=GENESYS)).test_client()


@pytest.mark.parametrize("path", ["/", "/orders"])
def test_every_page_has_the_snippet_and_then_our_script(shop: FlaskClient, path: str) -> None:
    text = shop.get(path).text

    snippet = text.index(f"{GENESYS}/genesys-bootstrap/genesys.min.js")
    ours = text.index(f'src="{BFF}/static/messenger-auth.js" data-deployment="{DEMO_DEPLOYMENT}"')
    assert snippet < ours


def test_the_naive_page_differs_in_the_plugin_alone(shop: FlaskClient) -> None:
    lines = set(shop.get("/").text.splitlines()) ^ set(shop.get("/naive").text.splitlines())

    assert len(lines) == 2
    assert {"messenger-auth.js" in line for line in lines} == {True, False}
    assert all("<script defer" in line for line in lines)


def test_the_support_page_is_as_strict_as_a_page_can_be(shop: FlaskClient) -> None:
    answer = shop.get("/support")

    policy = answer.headers["Content-Security-Policy"]
    assert f"connect-src {BFF} ws://auth.brand.localhost:1;" in policy
    assert "default-src 'none'" in policy
    assert "trusted-types 'none'" in policy
    assert "unsafe" not in policy
    # What such a policy forbids is not there: no script or style but in files of their own.
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", answer.text)


def test_the_support_page_has_our_chat_in_place_of_the_messenger(shop: FlaskClient) -> None:
    text = shop.get("/support").text

    assert "genesys.min.js" not in text
    assert f'src="{BFF}/static/messenger-auth.js"' in text
    assert 'href="/support"' in shop.get("/").text


def test_what_the_pages_need_is_served(shop: FlaskClient) -> None:
    for name in ("brand.css", "brand.js", "naive-plugin.js", "support.css", "support.js"):
        with shop.get(f"/static/{name}") as answer:
            assert answer.status_code == 200
