"""Make pysodmetrics.json: what PySODMetrics 1.6.2 says of the cases. ``python make.py`` beside cases.py.

It is installed alone, as it asks for older versions than ours: ``pip install --no-deps pysodmetrics==1.6.2`` and then
numpy 2.4.6, scipy 1.17.1, scikit-image 0.26.0, opencv-python-headless 5.0.0.93 and scikit-learn 1.9.1. ``normalize=False``
everywhere: the default would stretch each map. A value that is not a number there is null.
"""

from __future__ import annotations

import json
import math
import warnings
from pathlib import Path
from typing import Any

from cases import COUNT, case, digest


def values(soft: Any, target: Any) -> dict[str, float | None]:
    """Figures of one case."""
    import py_sod_metrics as sod

    judges = {name: getattr(sod, name)() for name in ("MAE", "Smeasure", "Emeasure", "WeightedFmeasure", "Fmeasure")}
    for judge in judges.values():
        judge.step(pred=soft, gt=target, normalize=False)
    e, f = judges["Emeasure"].get_results()["em"], judges["Fmeasure"].get_results()["fm"]
    found = {
        "mae": judges["MAE"].get_results()["mae"],
        "s_measure": judges["Smeasure"].get_results()["sm"],
        "e_measure": e["curve"].mean(),
        "e_measure_max": e["curve"].max(),
        "e_measure_adp": e["adp"],
        "weighted_f": judges["WeightedFmeasure"].get_results()["wfm"],
        "max_f": f["curve"].max(),
        "mean_f": f["curve"].mean(),
        "adaptive_f": f["adp"],
    }
    return {name: float(value) if math.isfinite(value) else None for name, value in found.items()}


def main() -> None:
    """Write the file."""
    warnings.simplefilter("ignore")
    rows = [{"seed": seed, "digest": digest(*case(seed)), **values(*case(seed))} for seed in range(COUNT)]
    lines = ",\n".join(json.dumps(row) for row in rows)
    Path(__file__).with_name("pysodmetrics.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
