"""Where does fusion win? How often each network is right about each actor, and paired differences.

``python tests/benchmarks/wins.py RESULT … --json FILE`` reads what ``run protocols --folds N
--json RESULT`` wrote, of one corpus or of several, and counts the runs with actors apart.
"""

import argparse
import json
from pathlib import Path

import pandas as pd

from avlib import files
from avlib.evaluation import metrics
from avlib.learning import networks


def count(result: dict) -> list[dict[str, object]]:
    """A row for each network and seed, with what is right of each actor; then the differences."""
    tables = {
        (name, seed): pd.concat(
            [
                metrics.from_log_probabilities(run["predictions"])
                for run in result["runs"]
                if (run["network"], run["seed"], run["unit"]) == (name, seed, "actor")
            ],
            ignore_index=True,
        )
        for name in networks.NETWORKS
        for seed in sorted({run["seed"] for run in result["runs"]})
    }
    rows, own = [], {"setting": result["measured_on"]}
    for (name, seed), predictions in tables.items():
        by_actor = metrics.accuracy_by(predictions)
        counted = {
            str(actor): [round(each.accuracy * each.clips), int(each.clips)]
            for actor, each in by_actor.iterrows()
        }
        found = metrics.summarise(predictions)
        rows.append(own | {"who": name, "seed": seed} | found | {"right of": counted})
    pooled = {
        name: pd.concat([table for (other, _), table in tables.items() if other == name])
        for name in networks.NETWORKS
    }
    for who, than in result["compared"]:
        difference = metrics.difference(pooled[who], pooled[than])
        rows.append(own | {"who": f"{who} less {than}"} | difference)
    return rows


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("results", type=Path, nargs="+", metavar="RESULT")
    parser.add_argument("--json", type=Path, help="write the rows here too")
    options = parser.parse_args(arguments)
    found = [json.loads(path.read_text("utf-8")) for path in options.results]
    rows = [row for result in found for row in count(result)]
    measured_on = ", ".join(result["measured_on"] for result in found)
    if options.json:
        files.save_json(options.json, {"measured_on": measured_on, "rows": rows})
    print(pd.DataFrame(rows).drop(columns="right of").round(3).to_string(index=False, na_rep=""))


if __name__ == "__main__":
    main()
