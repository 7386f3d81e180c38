"""The shipped sweeps still say what docs/sweeps.md says."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import eesim

ROOT = Path(__file__).parents[2]
STUDIES = ROOT / "scenarios" / "studies"
PAGE = (ROOT / "docs" / "sweeps.md").read_text(encoding="utf-8")


def told(mark: str) -> list[list[str]]:
    """Rows of the table after a mark, without its heading."""
    table = PAGE.split(f"<!-- study: {mark} -->")[1].split("\n\n")[0].strip().splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table]


def swept(name: str, folder: Path) -> pd.DataFrame:
    found = eesim.sweep(STUDIES / name, folder, workers=1)
    assert found.failed == 0
    table: pd.DataFrame = found.table().to_pandas()
    table["fps"] = table["stream.arrivals.rate"].astype(str).str.split().str[0].astype(float)
    return table


@pytest.mark.slow
def test_up_to_which_rate_a_mapping_is_in_time(tmp_path: Path) -> None:
    table = swept("rate_and_inputs.yaml", tmp_path)
    assert len(table) == 25 * 6 * 3
    met = table[table["requirements_met"].astype(bool)]
    highest = met.groupby(["mapping.segments", "stream.exits.counts"], observed=True)["fps"].max()
    counts = ("[9200, 500, 100, 200]", "[8222, 1015, 294, 469]", "[6000, 2000, 800, 1200]")
    rows = told("rates")
    for mapping, *limits in rows:
        assert [highest[mapping, count] for count in counts] == [float(limit) for limit in limits], mapping
    # Below its limit a mapping is in time at every rate; the others never are.
    assert len(met) == sum((table["fps"].unique() <= limit).sum() for limit in highest)
    assert set(met["mapping.segments"].unique()) == {row[0] for row in rows}


@pytest.mark.slow
def test_what_a_cap_on_the_big_cluster_costs(tmp_path: Path) -> None:
    table = swept("thermal_cap.yaml", tmp_path)
    assert len(table) == 8 * 12 * 2
    met = table["requirements_met"].astype(bool)
    assert not met[table["policy.speculation"] == "blocking"].any()
    parallel = table[table["policy.speculation"] == "parallel"]
    for clock, p99, energy, limit in told("cap"):
        of_clock = parallel[parallel["mapping.opp.B"] == f"{clock} MHz"]
        at_30 = of_clock[of_clock["fps"] == 30].iloc[0]
        assert f"{at_30['latency_ms.p99']:.2f}" == p99
        assert f"{at_30['energy_mj_per_frame.total']:.1f}" == energy
        in_time = of_clock[of_clock["requirements_met"].astype(bool)]["fps"]
        assert limit == ("none" if in_time.empty else f"{in_time.max():g}")
