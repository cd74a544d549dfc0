"""A page about a person takes a file's place: its mode, its links and its target do not matter."""

import os
import stat
from pathlib import Path

import pytest
from bff_rig import environment

from bff.adapters.private_file import write_private
from bff.cli import main
from bff.errors import SettingsError

GUEST = "7d1f9f54-4f0e-4b3e-9d0a-5a1f6a4b2c11"


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def left_beside(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir() if file.name.startswith("."))


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_a_file_that_all_could_read_ends_private(tmp_path: Path, umask: int) -> None:
    page = tmp_path / "page.html"
    page.write_text("an older page")
    page.chmod(0o644)
    before = os.umask(umask)
    try:
        write_private(page, "new: ä")
    finally:
        os.umask(before)
    assert (page.read_text("utf-8"), mode_of(page)) == ("new: ä", 0o600)
    assert left_beside(tmp_path) == []


def test_who_has_the_older_file_open_or_linked_reads_nothing_new(tmp_path: Path) -> None:
    page, other = tmp_path / "page.html", tmp_path / "other-name.html"
    page.write_text("older")
    page.chmod(0o666)
    os.link(page, other)
    with page.open() as open_before:
        write_private(page, "secret")
        assert open_before.read() == "older"
    assert other.read_text() == "older"
    assert page.read_text() == "secret"


@pytest.mark.parametrize("there", [True, False])
def test_a_link_is_replaced_and_its_target_left_alone(tmp_path: Path, there: bool) -> None:
    victim, page = tmp_path / "victim", tmp_path / "page.html"
    if there:
        victim.write_text("not yours")
    page.symlink_to(victim)
    write_private(page, "secret")
    assert not page.is_symlink()
    assert (page.read_text(), mode_of(page)) == ("secret", 0o600)
    assert (victim.read_text() if there else victim.exists()) == ("not yours" if there else False)


def test_what_is_no_file_is_refused_and_nothing_is_left_behind(tmp_path: Path) -> None:
    pipe, folder = tmp_path / "pipe", tmp_path / "folder"
    os.mkfifo(pipe)
    folder.mkdir()
    missing, below = tmp_path / "no" / "page.html", tmp_path / "folder" / ".." / "pipe" / "x"
    for place in (pipe, folder, missing, below, tmp_path / ("x" * 300), Path("a\0b")):
        with pytest.raises(SettingsError):
            write_private(place, "secret")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["folder", "pipe"]


def test_a_text_that_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("older")
    with pytest.raises(SettingsError):
        write_private(page, "\ud800")
    assert page.read_text() == "older"
    assert left_beside(tmp_path) == []


def test_audit_page_does_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = f"sqlite:///{tmp_path / 'store.sqlite3'}"
    for name, value in environment("http://id.brand.localhost", BFF_STORE_URL=store).items():
        monkeypatch.setenv(name, value)
    victim, page, older = tmp_path / "victim", tmp_path / "link.html", tmp_path / "older.html"
    victim.write_text("not yours")
    page.symlink_to(victim)
    older.write_text("older")
    older.chmod(0o644)
    for file in (page, older):
        assert main(["audit", "page", GUEST, "-o", str(file)]) == 0
        assert mode_of(file) == 0o600
        assert "What is held" in file.read_text("utf-8")
    assert victim.read_text() == "not yours"
    assert main(["audit", "page", GUEST, "-o", str(tmp_path)]) == 2
