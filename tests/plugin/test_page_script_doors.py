"""The scripts travel small, are kept for as long as they are true, and are never mixed up."""

import base64
import gzip
import hashlib
from collections.abc import Iterator
from pathlib import Path

import brotli
import pytest
from bff_rig import BffRig, running_bff

from bff.page_scripts import NAMES, PageScripts
from bff.resources import static_folder
from bff.web.plugin_routes import SCRIPTS

A_YEAR_S = 365 * 86400
SERVED_LIMIT_BYTES = 9 * 1024
OPEN = {
    "br": brotli.decompress,
    "gzip": gzip.decompress,
    None: bytes,
}


@pytest.fixture(scope="module")
def bff(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BffRig]:
    with running_bff(tmp_path_factory.mktemp("scripts")) as rig:
        yield rig


def source_of(name: str) -> bytes:
    return (static_folder() / f"{name}.js").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_each_script_has_an_alias_for_a_while_and_a_hashed_address_for_a_year(
    bff: BffRig, name: str
) -> None:
    script = SCRIPTS.find(name)
    assert script is not None

    alias = bff.app.test_client().get(script.alias)
    hashed = bff.app.test_client().get(script.path)

    assert alias.data == hashed.data == source_of(name)
    assert hashlib.sha256(source_of(name)).hexdigest().startswith(script.fingerprint)
    assert alias.headers["Cache-Control"] == "public, max-age=300"
    assert hashed.headers["Cache-Control"] == f"public, max-age={A_YEAR_S}, immutable"
    for answer in (alias, hashed):
        assert answer.mimetype == "text/javascript"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    ("accepts", "comes_as"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, deflate", "gzip"),
        ("br;q=0.5, gzip", "gzip"),
        ("br;q=0, gzip;q=0", None),
        ("identity", None),
        ("*", "br"),
        ("", None),
    ],
)
@pytest.mark.parametrize("name", ["messenger-auth", "messenger-guest"])
def test_a_script_comes_as_small_as_the_browser_can_read_it(
    bff: BffRig, name: str, accepts: str, comes_as: str | None
) -> None:
    answer = bff.app.test_client().get(f"/static/{name}.js", headers={"Accept-Encoding": accepts})

    assert answer.headers.get("Content-Encoding") == comes_as
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    assert OPEN[comes_as](answer.data) == source_of(name)


def test_what_a_page_really_pays_for_the_plugin_is_below_its_budget(bff: BffRig) -> None:
    sizes = {}
    for encoding in ("br", "gzip", "identity"):
        headers = {"Accept-Encoding": encoding}
        answer = bff.app.test_client().get("/static/messenger-auth.js", headers=headers)
        sizes[encoding] = len(answer.data)

    # Every browser of the last years reads brotli; who reads only gzip pays a little more.
    assert sizes["br"] < SERVED_LIMIT_BYTES < sizes["gzip"] < 1.2 * SERVED_LIMIT_BYTES
    assert sizes["gzip"] < sizes["identity"]


def test_a_browser_that_has_the_script_is_sent_nothing_but_only_in_its_own_encoding(
    bff: BffRig,
) -> None:
    client = bff.app.test_client()
    tags = {}
    for encoding in ("br", "gzip", "identity"):
        headers = {"Accept-Encoding": encoding}
        tags[encoding] = client.get("/static/messenger-auth.js", headers=headers).headers["ETag"]

    assert len(set(tags.values())) == len(tags)
    for encoding, own in tags.items():
        for known, tag in tags.items():
            headers = {"Accept-Encoding": encoding, "If-None-Match": tag}
            answer = client.get("/static/messenger-auth.js", headers=headers)
            assert answer.status_code == (304 if known == encoding else 200), (known, encoding)
            assert answer.headers["ETag"] == own
            assert answer.headers["Vary"] == "Accept-Encoding"
            assert answer.headers["Cache-Control"] == "public, max-age=300"


@pytest.mark.parametrize(
    "path",
    [
        "/static/messenger-auth.0123456789abcdef.js",
        "/static/messenger-auth.br.js",
        "/static/messenger-nobody.js",
        "/static/messenger-nobody.0123456789abcdef.js",
        "/static/messenger-../cli.0123456789abcdef.js",
    ],
)
def test_an_address_of_other_bytes_is_refused_and_the_refusal_not_kept(
    bff: BffRig, path: str
) -> None:
    answer = bff.app.test_client().get(path)

    assert answer.status_code == 404
    assert answer.headers["Cache-Control"] == "no-store"


def test_one_scripts_fingerprint_does_not_open_another(bff: BffRig) -> None:
    auth, guest = SCRIPTS.find("messenger-auth"), SCRIPTS.find("messenger-guest")
    assert auth is not None
    assert guest is not None

    mixed = auth.path.replace(auth.fingerprint, guest.fingerprint)

    assert bff.app.test_client().get(mixed).status_code == 404


def test_a_script_that_is_replaced_has_another_address_and_another_integrity(
    tmp_path: Path,
) -> None:
    lying = tmp_path / "messenger-auth.js"
    lying.write_bytes(b"'old'")
    scripts = PageScripts(tmp_path)
    old = scripts.find("messenger-auth")

    lying.write_bytes(b"'newer'")
    new = scripts.find("messenger-auth")

    assert old is not None
    assert new is not None
    assert scripts.find("messenger-auth", old.fingerprint) is None
    assert scripts.find("messenger-auth", new.fingerprint) is new
    digest = base64.b64encode(hashlib.sha384(b"'newer'").digest()).decode()
    assert new.integrity == f"sha384-{digest}"


def test_a_script_is_compressed_once(tmp_path: Path) -> None:
    (tmp_path / "messenger-auth.js").write_bytes(b"'same'")
    scripts = PageScripts(tmp_path)

    assert scripts.find("messenger-auth") is scripts.find("messenger-auth")
