"""`python -m benchmarks`: the page of all benchmarks."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import __main__ as bench


def test_the_page_holds_what_each_benchmark_printed_and_names_missing_peers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    works = bench.Benchmark("compare", "It works", ("-c", "print('twice as fast')"), ("pytest", "no-such-peer"))
    fails = bench.Benchmark("report", "It fails", ("-c", "raise SystemExit('no memory')"))
    missed = bench.Benchmark("load", "It is slow", ("-c", "print('slow'); raise SystemExit(1)"))
    monkeypatch.setattr(bench, "BENCHMARKS", (works, fails, missed))
    out = tmp_path / "benchmarks.md"
    assert bench.main(["--out", str(out), "--measured", "make study", "11 min"]) == 0
    text = out.read_text("utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert f"pytest {pytest.__version__}, no-such-peer (not installed: not measured)" in rows[2]
    assert "did not run" in rows[3]
    assert "claim missed" in rows[4]
    assert rows[5] == "| `make study` | none | 11 min |"
    assert "twice as fast" in text
    assert "no memory" in text


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", [one.name for one in bench.BENCHMARKS])
def test_each_benchmark_runs_at_its_smallest_sizes(name: str) -> None:
    printed, state = bench.run(next(one for one in bench.BENCHMARKS if one.name == name), tiny=True)
    assert "did not run" not in state, printed
