"""What the command says to somebody who has never run it."""

import re
from pathlib import Path

import pytest
from command_rig import Site, run_command

COMMANDS = ("serve", "demo", "check", "sessions", "keys")
NEEDED = (
    "BFF_PUBLIC_URL",
    "BFF_ALLOWED_ORIGINS",
    "BFF_MASTER_KEY",
    "BFF_PAIRWISE_SALT",
    "BFF_PROVIDERS",
    "BFF_GENESYS_CLIENT_ID",
    "BFF_GENESYS_CLIENT_SECRET",
)


@pytest.mark.parametrize("words", [("serve",), ("check",), ("sessions", "list"), ("keys", "list")])
def test_with_nothing_set_every_missing_setting_is_named_at_once(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    done = run_command(*words, folder=tmp_path, env={})

    lines = done.err.splitlines()
    assert done.code == 2
    assert lines[0] == f"messenger-bff cannot start: {len(NEEDED)} settings to mend"
    assert [line.split()[1] for line in lines[1:]] == list(NEEDED)
    assert done.out == ""


def test_several_workers_on_a_file_are_refused_with_the_reason(site: Site) -> None:
    done = site.command("serve", "--workers", "2")

    assert done.code == 2
    assert done.err.splitlines()[0] == "messenger-bff cannot start: 1 setting to mend"
    assert "more than one process needs Redis" in done.err
    assert "Traceback" not in done.err


def test_an_unknown_command_names_the_known_ones(tmp_path: Path) -> None:
    done = run_command("sreve", folder=tmp_path, env={})

    assert done.code == 2
    assert all(command in done.err for command in COMMANDS)


@pytest.mark.parametrize(
    ("words", "offered"),
    [((), COMMANDS), (("sessions",), ("list", "revoke")), (("keys",), ("new", "list", "rotate"))],
)
def test_a_command_that_is_not_finished_shows_what_there_is(
    tmp_path: Path, words: tuple[str, ...], offered: tuple[str, ...]
) -> None:
    done = run_command(*words, folder=tmp_path, env={})

    assert done.code == 2
    assert done.err.startswith("usage: messenger-bff")
    assert all(re.search(rf"^    {name} +\w", done.err, re.MULTILINE) for name in offered)


def test_help_and_version_are_there_without_any_setting(tmp_path: Path) -> None:
    helped = run_command("--help", folder=tmp_path, env={})
    told = run_command("--version", folder=tmp_path, env={})

    assert (helped.code, helped.err) == (0, "")
    assert "messenger-bff demo" in helped.out
    assert re.fullmatch(r"messenger-bff \d+\.\d+\.\d+\n", told.out)


def test_a_settings_file_that_is_not_there_is_named(site: Site) -> None:
    done = site.command("--settings", "nowhere.toml", "check")

    assert done.code == 2
    assert "there is no file nowhere.toml" in done.err


def test_a_store_that_cannot_be_opened_is_told_to_an_operator(site: Site) -> None:
    done = site.command("sessions", "list", BFF_STORE_URL="redis://127.0.0.1:1/0")

    assert done.code == 1
    assert done.err.strip().endswith("[store_unavailable]")
    assert "127.0.0.1:1" in done.err
    assert "You are still signed in" not in done.err
    assert "Traceback" not in done.err
