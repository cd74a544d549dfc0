"""`messenger-bff snippet` prints a tag that can be pasted, and says which one to choose."""

import re
from pathlib import Path

import pytest
from bff_rig import BFF, environment
from command_rig import run_command

from bff.page_scripts import PageScripts
from bff.resources import static_folder

SETTINGS = environment("https://id.brand.example")
PLUGIN = PageScripts(static_folder()).current("messenger-auth")


def tags_of(out: str) -> list[str]:
    return re.findall(r"^<script .*</script>$", out, re.MULTILINE)


def test_both_tags_are_printed_and_one_of_them_is_pinned(tmp_path: Path) -> None:
    done = run_command("snippet", "--deployment", "d-1", folder=tmp_path, env=SETTINGS)

    following, pinned = tags_of(done.out)
    assert done.code == 0
    assert following == (
        f'<script defer src="{BFF}/static/messenger-auth.js" data-deployment="d-1"></script>'
    )
    assert pinned == (
        f'<script defer src="{BFF}{PLUGIN.path}" integrity="{PLUGIN.integrity}" '
        'crossorigin="anonymous" data-deployment="d-1"></script>'
    )
    assert f"script-src {BFF};" in done.out
    assert f"connect-src {BFF};" in done.out


def test_a_surface_and_a_nonce_are_written_into_both(tmp_path: Path) -> None:
    done = run_command("snippet", "--surface", "popup", "--nonce", folder=tmp_path, env=SETTINGS)

    for tag in tags_of(done.out):
        assert 'data-surface="popup"' in tag
        assert 'nonce="NONCE"' in tag
        assert "data-deployment" not in tag
    assert "script-src 'nonce-NONCE';" in done.out


def test_the_deployment_of_the_settings_is_the_default(tmp_path: Path) -> None:
    settings = {**SETTINGS, "BFF_GENESYS_DEPLOYMENT_ID": 'of"settings'}

    done = run_command("snippet", folder=tmp_path, env=settings)

    assert all('data-deployment="of&quot;settings"' in tag for tag in tags_of(done.out))


@pytest.mark.parametrize("words", [("--surface", "window"), ("--deployment",)])
def test_what_no_tag_could_say_is_refused(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = run_command("snippet", *words, folder=tmp_path, env=SETTINGS)

    assert done.code == 2
    assert done.out == ""
