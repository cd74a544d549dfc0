"""What the report says of what was measured."""

from pathlib import Path

import pytest
from bench_report import Cost, Report, Weight


def a_cost(server: float) -> Cost:
    return Cost(
        server=server,
        upstream=0.0,
        redis=0.0,
        load=9.0,
        busy=1.0,
        frames_a_second=1_000.0,
        p50_ms=1.0,
        p99_ms=2.0,
    )


def a_report(*, ours: float) -> Report:
    report = Report()
    report.compare("echo", 50, {"peer": a_cost(50), "cached": a_cost(20), "ours": a_cost(ours)})
    report.weigh([Weight(contender="peer", shape="echo", count=9, kib=6.0)])
    report.weigh(
        [
            Weight(contender="peer", shape="echo", count=9, kib=6.0),
            Weight(contender="ours", shape="echo", count=9, kib=12.6),
        ]
    )
    report.judge(ours="ours", peer="peer", cached="cached")
    return report


def test_a_goal_is_said_to_be_reached_or_not(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- bench -->\nold\n<!-- /bench -->\nafter\n", encoding="utf-8")

    a_report(ours=16).put_into(page)

    text = page.read_text(encoding="utf-8")
    assert "old" not in text
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "| echo, 50: peer | ≥ 2.5 x | 3.12 x | reached |" in text
    assert "| echo, 50: cached | ≥ 1.3 x | 1.25 x | not reached |" in text
    assert "| memory, echo: peer | ≤ 2.0 x | 2.10 x | not reached |" in text


def test_a_page_without_marks_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing", encoding="utf-8")

    with pytest.raises(SystemExit, match="has no"):
        a_report(ours=16).put_into(page)

    assert page.read_text(encoding="utf-8") == "nothing"
