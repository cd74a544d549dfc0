"""No cache keeps an answer about a person, and every cache is told what it depends on."""

import re

from bff_rig import BffRig
from security_model import Asset, Attacker, threat

from bff.web.guard import CACHED


@threat(
    Attacker.NEXT_USER,
    Asset.SESSION,
    can="Read the browser's or a proxy's cache: no answer about a user is kept in one",
)
def test_every_door_forbids_caching_unless_it_is_the_same_for_all(bff: BffRig) -> None:
    browser = bff.browser()
    browser.sign_in()

    for rule in bff.app.url_map.iter_rules():
        if rule.endpoint in CACHED or "GET" not in (rule.methods or set()):
            continue
        response = browser.get(re.sub(r"<[^>]+>", "x", rule.rule))
        response.close()
        assert response.headers["Cache-Control"] == "no-store", rule.rule
        assert {"Cookie", "Origin"} <= set(response.vary.to_header().split(", ")), rule.rule
