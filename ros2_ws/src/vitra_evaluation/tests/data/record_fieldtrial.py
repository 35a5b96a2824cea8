"""Record what fieldtrial (PyPI, Apache-2.0) says about cases that ours is compared with in test_fieldtrial.py.

python record_fieldtrial.py OUT.json        run it where fieldtrial is installed: see `make fieldtrial-record`
"""

from __future__ import annotations

import json
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
from fieldtrial import stats

COUNTS = [(0, 5), (3, 8), (17, 20), (14, 20), (20, 20), (59, 80), (43, 64)]
TABLES = [(17, 20, 14, 20), (38, 40, 20, 40), (0, 10, 10, 10), (6, 8, 4, 8), (59, 80, 43, 64)]
PAIRS = [(0, 0), (5, 1), (9, 0), (12, 5), (3, 3)]
POWERS = [(0.255, 0.105, 40), (0.3, 0.1, 100), (0.2, 0.2, 60), (0.12, 0.02, 144)]
RATINGS = [[[10, 2], [3, 5]], [[7, 0], [0, 7]], [[20, 5], [10, 15]]]
P_VALUES = [[0.01, 0.04, 0.03], [0.5, 0.001, 0.02, 0.02], [0.9]]


def main(out: Path) -> None:
    """Write every case with fieldtrial's answer."""
    found = {
        "version": metadata.version("fieldtrial"),
        "intervals": [
            {
                "k": k,
                "n": n,
                "method": method,
                "level": level,
                **_bounds(stats.proportion_ci(k, n, level=level, method=method)),
            }
            for k, n in COUNTS
            for method in ("wilson", "clopper-pearson")
            for level in (0.9, 0.95)
        ],
        "independent": [
            {"counts": c, "p": _p(r := stats.compare_independent(*c, test="boschloo")), **_difference(r)}
            for c in TABLES
        ],
        "mcnemar": [{"b": b, "c": c, "p": float(stats.mcnemar_exact(b, c).pvalue)} for b, c in PAIRS],
        "power": [
            {"p10": p10, "p01": p01, "n": n, "power": float(stats.mcnemar_power(p10, p01, n).power)}
            for p10, p01, n in POWERS
        ],
        "kappa": [{"table": t, "kappa": float(stats.cohens_kappa(t).kappa)} for t in RATINGS],
        "holm": [{"p": p, "adjusted": [float(x) for x in stats.adjust_pvalues(p).adjusted]} for p in P_VALUES],
    }
    out.write_text(json.dumps(found, indent=1, default=_plain) + "\n")


def _bounds(estimate: object) -> dict[str, float]:
    interval = getattr(estimate, "interval", estimate)
    return {"low": float(interval.low), "high": float(interval.high)}


def _p(result: object) -> float:
    return float(result.primary.pvalue)


def _difference(result: object) -> dict[str, float]:
    return {"difference": float(result.difference), **_bounds(result)}


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else list(value)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
