"""The scripts travel small, are kept for as long as they are true, and are never mixed up."""

import base64
import gzip
import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import brotli
import pytest
from bff_rig import BffRig, running_bff
from plugin_node import node

from bff.page_scripts import NAMES, PageScripts
from bff.resources import static_folder
from bff.web.plugin_routes import SCRIPTS

HERE = Path(__file__).parent
A_YEAR_S = 365 * 86400
SERVED_LIMITS_KB = {
    "messenger-auth": (28, 9),
    "messenger-person": (12, 4),
    "messenger-sign-in": (38, 11),
    "messenger-guest": (20, 7),
    "messenger-inspector": (26, 8),
}
"""Raw, and compressed by gzip: brotli is smaller."""
OPEN = {
    "br": brotli.decompress,
    "gzip": gzip.decompress,
    None: bytes,
}


@pytest.fixture(scope="module")
def bff(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BffRig]:
    with running_bff(tmp_path_factory.mktemp("scripts")) as rig:
        yield rig


def served_of(bff: BffRig, name: str) -> bytes:
    headers = {"Accept-Encoding": "identity"}
    body: bytes = bff.app.test_client().get(f"/static/{name}.js", headers=headers).data
    return body


@pytest.mark.parametrize("name", NAMES)
def test_each_script_has_an_alias_for_a_while_and_a_hashed_address_for_a_year(
    bff: BffRig, name: str
) -> None:
    script = SCRIPTS.find(name)
    assert script is not None

    alias = bff.app.test_client().get(script.alias)
    hashed = bff.app.test_client().get(script.path)

    assert alias.data == hashed.data == served_of(bff, name)
    assert hashlib.sha256(served_of(bff, name)).hexdigest().startswith(script.fingerprint)
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
    assert OPEN[comes_as](answer.data) == served_of(bff, name)


@pytest.mark.parametrize(("name", "limits_kb"), SERVED_LIMITS_KB.items())
def test_what_a_page_really_pays_for_a_script_is_below_its_budget(
    bff: BffRig, name: str, limits_kb: tuple[int, int]
) -> None:
    sizes = {}
    for encoding in ("br", "gzip", "identity"):
        headers = {"Accept-Encoding": encoding}
        answer = bff.app.test_client().get(f"/static/{name}.js", headers=headers)
        sizes[encoding] = len(answer.data)
    raw_kb, gzip_kb = limits_kb

    assert sizes["br"] < sizes["gzip"] <= gzip_kb * 1024
    assert sizes["gzip"] < sizes["identity"] <= raw_kb * 1024


def test_every_script_has_a_budget() -> None:
    assert set(SERVED_LIMITS_KB) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_script_loses_its_comments_on_the_way_and_nothing_else(
    bff: BffRig, tmp_path: Path, name: str
) -> None:
    served = tmp_path / f"{name}.js"
    served.write_bytes(served_of(bff, name))
    source = static_folder() / f"{name}.js"

    compared = subprocess.run(
        [node(), "same_program.mjs", source, served],
        cwd=HERE,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert compared.returncode == 0, compared.stderr
    assert b"/*!" in served.read_bytes(), "who reads it learns where it is explained"
    assert served.stat().st_size < 0.75 * source.stat().st_size


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
