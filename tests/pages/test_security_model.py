"""docs/security-model.md says what the threat tests prove, for every attacker that it names."""

from security_model import PAGE, Asset, Attacker, page_with, rows


def test_the_page_is_made_from_the_tests() -> None:
    text = PAGE.read_text("utf-8")

    assert page_with(text, rows()) == text, "run python tests/rigs/security_model.py --write"


def test_every_attacker_and_every_asset_has_a_row() -> None:
    found = rows()

    assert {row.attacker for row in found} == set(Attacker)
    assert {row.asset for row in found} == set(Asset)


def test_every_attacker_and_asset_is_explained() -> None:
    text = PAGE.read_text("utf-8")

    for name in (*Attacker, *Asset):
        assert f"| {name.value} |" in text, name


def test_no_two_rows_say_the_same() -> None:
    said = [(row.attacker, row.asset, row.can) for row in rows()]

    assert len(said) == len(set(said))
