"""Table 3: truncation of the latents against the distance from real images and the diversity.

The paper chose a threshold by FID alone; recall and coverage beside it show what that costs.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.figures.images import truncation as draw
from analysis.images import BLIND
from analysis.images.distances import BIASED_BELOW, NEIGHBOURS, frechet_distance, precision_recall
from analysis.images.features import Features, extractor_key
from analysis.images.kid import kid_of_rows
from analysis.images.runs import EvaluatedRun, evaluated_runs
from analysis.numbers import signed
from analysis.section import Context, Section, results
from analysis.sections.images.quality import real_against_real, real_images
from glimpse.images import one_of_each

THRESHOLDS: tuple[float | None, ...] = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, None)  # the paper's
IMAGES = 125  # per threshold; 250 gave the same curves, and the same range between real images, in twice the time
REAL_ROW = "real against real"  # the last row of a run's table


def scores_against(real: Features, groups: NDArray[Any], generated: Features) -> dict[str, float | None]:
    """One cell's column of Table 3: Fréchet distance and KID, and precision, recall, density and coverage.

    >>> real, generated = Features(np.array([[0.0], [2.0]])), Features(np.array([[1.0], [1.0]]))
    >>> found = scores_against(real, np.array(["a", "b"]), generated)
    >>> round(found["frechet"], 9), found["kid"]  # variance 2 against 0; 1 + 8 - 2 * (1 + 27) / 2
    (2.0, -19.0)
    """
    found: dict[str, float | None] = {
        "frechet": frechet_distance(real, generated), "kid": kid_of_rows(real.values, generated.values, groups),
    }  # fmt: skip
    if len(set(groups.tolist())) > NEIGHBOURS:
        found |= precision_recall(real.values, generated.values, groups)
    return found


def compute(context: Context) -> Section | None:
    """The table and curves of every unconditional run."""
    found, _ = evaluated_runs(context)
    section = Section("truncation")
    rows: list[dict[str, Any]] = []
    curves: dict[str, pd.DataFrame] = {}
    names: dict[str, str] = {}
    for run, result in results(section, context, found, partial(_of_run, context=context), extractor_key(context)):
        table, real, names = result["table"], result["real"], result["names"]
        curves[run.name] = table
        cells = table.astype(object).where(table.notna(), None)
        for row in cells.to_dict("records"):
            rows.append({"run": run.name, **{str(k): v for k, v in row.items()}})
        beside = {c: real[f"real_{c}"] for c in map(str, table) if f"real_{c}" in real}
        rows.append({"run": run.name, "threshold": REAL_ROW, **beside})
        section.scores[run.name] = {
            "n": result["n"], "against": result["against"], **real, "thresholds": cells.to_dict("records")
        }  # fmt: skip
        section.sentences.append(_sentence(run.name, names["frechet"], table, result["n"], real))
    if not rows:
        return None
    frame = pd.DataFrame(rows)
    frame["threshold"] = ["none" if pd.isna(t) else t for t in frame["threshold"]]
    biased = any(one["n"] < BIASED_BELOW for one in section.scores.values())
    section.figure(
        "truncation", partial(draw.truncation, curves, section.scores, names), distance=names["frechet"],
        biased=biased, biased_below=BIASED_BELOW, random=names["frechet"].startswith("random"),
    )  # fmt: skip
    section.table("truncation", frame)
    section.explain(images=IMAGES)
    return section


def _sentence(name: str, distance: str, table: pd.DataFrame, n: int, real: dict[str, float]) -> str:
    """A sentence on the threshold with the lowest distance, or that the gain is within the range of real images."""
    best: Any = table.iloc[int(np.argmin(table["frechet"]))]
    plain: Any = table[table["threshold"].isna()].iloc[0]
    truncated = not np.isnan(best["threshold"])

    def beside(column: str, digits: str) -> list[str]:
        said = [f"without {signed(plain[column], digits)}"] if truncated else []
        if f"real_{column}" in real:
            said.append(f"real against real {signed(real[f'real_{column}'], digits)}")
        return said

    threshold = f"a threshold of {best['threshold']:g}" if truncated else "no truncation"
    words = f"{name}: the {distance} is lowest with {threshold}: {signed(best['frechet'], '.4g')}"
    words += f", biased at n = {n}" if n < BIASED_BELOW else ""
    words += "".join(f"; {one}" for one in beside("frechet", ".4g"))
    if real:
        low, high = real["real_frechet_low"], real["real_frechet_high"]
        words += f" ({signed(low, '.4g')} to {signed(high, '.4g')})"
        if truncated and plain["frechet"] - best["frechet"] < high - low:
            words += ", a wider range than the gain, which may be chance"
    if "coverage" in table:
        words += "; ".join([f". Coverage there: {best['coverage']:.2f}", *beside("coverage", ".2f")])
    return words + (f"; {BLIND}." if distance.startswith("random") else ".")


def _of_run(run: EvaluatedRun, context: Context) -> dict[str, Any]:
    extractor = run.extractor(context)
    real, groups, pool, pool_groups = real_images(run, context)
    n = min(IMAGES, len(real), len(pool) // 2)
    rng = np.random.default_rng(context.seed)
    rows = np.sort(one_of_each(groups, rng)[:n])
    real, groups = real.take(rows), groups[rows]
    table = [
        {
            "threshold": np.nan if t is None else t,
            **scores_against(real, groups, run.generated_features(extractor, context, n, t)),
        }
        for t in THRESHOLDS
    ]
    among = real_against_real(pool, pool_groups, n, (len(set(groups.tolist())), n), rng)
    return {"table": pd.DataFrame(table), "n": n, "against": run.against, "real": among,
            "names": extractor.names}  # fmt: skip
