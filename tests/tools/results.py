"""Measure, keep, and print: RESULTS.md and README's table are written from what is kept.

``python tests/tools/results.py measure NAME … --data DIR --action-units FILE`` runs the commands of
these measurements (all of them without a name) and keeps what they come to under
``tests/benchmarks/measured``, with the commit, the machine and the date.
``python tests/tools/results.py write`` prints all that is kept into RESULTS.md and README.md, and
the rows of `ladder`, `robustness`, `dominance`, `table2` and `wins` beside these modules of avlib.
Nobody types a number.
"""

import argparse
import datetime
import json
import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from avlib import files
from avlib.evaluation import dominance_table, experiments, table2

ROOT = Path(__file__).parents[2]
MEASURED = ROOT / "tests" / "benchmarks" / "measured"
# In commands → options here.
PLACES = {"DIR": "data", "FILE": "action_units", "FILM": "film", "FILMS": "films"}


@dataclass(frozen=True)
class Measurement:
    """What stands under one heading: what it says, and the commands that its rows come from."""

    title: str
    about: str
    commands: dict[str, str]  # what sets the rows of each apart → the command, which takes --json
    prepare: tuple[str, ...] = ()  # commands before, which write into the folder TMP


def read_measurements() -> dict[str, Measurement]:
    """The measurements by name, as ``results.json`` beside this file lists them."""
    listed = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
    return {name: Measurement(**each) for name, each in listed.items()}


def rows_of(result: dict) -> list[dict[str, object]]:
    """The rows of what a command wrote: an instrument's own, or the table of an experiment."""
    if result.get("experiment") == "ladder":
        rows = [*result["rows"], *result["differences"]]
        names = {"low": "accuracy from", "high": "accuracy to", "uar": "UAR"}
        return [{names.get(k, k).replace("_", " "): v for k, v in row.items()} for row in rows]
    if result.get("experiment") == "dominance":
        # A table of cures is wide enough without these.
        much = () if len(result["strengths"]) > 1 else ("lost with", "head of", "gradient of")
        return [
            {column: value for column, value in row.items() if not column.startswith(much)}
            for row in dominance_table.table(result)
        ]
    if result.get("experiment") == "systems":
        return table2.table(result)
    if "rows" in result and "runs" not in result:
        return result["rows"]
    if result.get("experiment") == "table1":
        table = experiments.table1_beside_paper(result)
        table.columns = [f"{what}, {side}" for what, side in table.columns]
        table.index.name = "network"
        return table.reset_index().to_dict("records")
    table = experiments.table(result)
    table.index.names = ["split by", "who"]
    return table.reset_index().to_dict("records")


def measure(name: str, what: Measurement, places: dict[str, Path | None]) -> None:
    """Run the commands of one measurement, and keep the rows."""
    rows, measured_on, looks, seconds = [], set(), 0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        for place in what.prepare:
            _run(place, places | {"TMP": Path(folder)})
        for apart, command in what.commands.items():
            result, begun = Path(folder) / "result.json", time.perf_counter()
            _run(f"{command} --json {result}", places | {"TMP": Path(folder)})
            seconds += time.perf_counter() - begun
            found = json.loads(result.read_text("utf-8"))
            measured_on.add(found.get("measured_on", "no recordings"))
            looks += found.get("looks", 0)
            own = {"setting": apart} if apart else {}
            rows += [own | {k: _plain(v) for k, v in row.items()} for row in rows_of(found)]
    files.save_json(
        MEASURED / f"{name}.json",
        {
            "measured_on": sorted(measured_on),
            "commands": list(what.commands.values()),
            "prepared_by": list(what.prepare),
            "commit": _said("git", "rev-parse", "--short", "HEAD"),
            "changed_files": len(_said("git", "status", "--short", "avlib").splitlines()),
            "date": datetime.date.today().isoformat(),
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
            f"Python {platform.python_version()}, torch {version('torch')}",
            "seconds": round(seconds),
            "looks": looks or None,
            "rows": rows,
        },
    )


def _run(command: str, places: dict[str, Path | None]) -> None:
    words = shlex.split(command)
    lacking = [word for word in words if word in places and places[word] is None]
    if lacking:
        raise SystemExit(f"{command}: say what {lacking[0]} is, by --{PLACES[lacking[0]]}")
    words = [str(places.get(word, word)).replace("TMP", str(places["TMP"])) for word in words]
    words[0] = sys.executable
    print("$", command, flush=True)
    subprocess.run(words, cwd=ROOT, check=True)


def _said(*command: str) -> str:
    return subprocess.check_output(command, cwd=ROOT, text=True).strip()


def _plain(value: object) -> object:
    """As JSON holds it: no NaN, and figures of six digits."""
    if isinstance(value, float):
        return None if pd.isna(value) else float(f"{value:.6g}")
    return value


def table(rows: list[dict[str, object]]) -> str:
    """Rows as Markdown; a figure and its interval share a cell."""
    columns = [name for name in dict.fromkeys(key for row in rows for key in row)]
    columns = [name for name in columns if not re.search(r" (from|to)$", name)]
    columns = [
        name
        for name in columns
        if any(row.get(name) is not None and not isinstance(row[name], dict) for row in rows)
    ]  # what is counted actor by actor is drawn in lesson 05
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    for row in rows:
        lines.append("| " + " | ".join(cell(row, name) for name in columns) + " |")
    return "\n".join(lines)


def cell(row: dict[str, object], name: str) -> str:
    """One figure, with its interval where it has one."""
    value, low, high = (row.get(key) for key in (name, f"{name} from", f"{name} to"))
    if value is None:
        return ""
    if low is None:
        if isinstance(value, float) and abs(value) >= 10_000:
            return f"{value:,.0f}"
        share = isinstance(value, float) and abs(value) < 1
        return (
            f"{value:.3f}" if share else f"{value:.5g}" if isinstance(value, float) else str(value)
        )
    sign = "+" if " less " in f"{row.get('who')} {row.get('step')} {name}" else ""
    return f"{value:{sign}.3f} ({low:{sign}.3f} to {high:{sign}.3f})"


def section(name: str, what: Measurement) -> str:
    """What RESULTS.md says of one measurement."""
    path = MEASURED / f"{name}.json"
    if not path.is_file():
        return f"## {what.title}\n\nNot measured yet."
    kept = json.loads(path.read_text("utf-8"))
    commands = ", ".join(f"`{command}`" for command in (*kept["prepared_by"], *kept["commands"]))
    changed = " with changes" if kept["changed_files"] else ""
    looks = f" Look {kept['looks']} at these test actors." if kept.get("looks") else ""
    told = (
        f"Measured on {' and '.join(kept['measured_on'])} by {commands} ({kept['seconds']} s on "
        f"{kept['machine']}; commit {kept['commit']}{changed}, {kept['date']}).{looks}"
    )
    return "\n\n".join([f"## {what.title}", what.about, told, table(kept["rows"])])


README_ROWS = {  # who in the table of `speakers` → what README calls it
    "audio": "audio network",
    "image": "face network (an MLP on action units)",
    "balanced": "fusion network",
    "regression on both": "regression on both",
    "always the most frequent": "always the most frequent",
}
README_COLUMNS = {
    "clips at random": ("by the training side", "clip"),
    "actors kept apart": ("by the training side", "actor"),
    "the same, normalised by each actor's own clips": ("by each actor's own clips", "actor"),
}


README_LADDER = {  # step of `ladder` → what README calls it
    "the whole voice": "lesson 09: voice, by functionals",
    "face alone": "lesson 09: face, by action units",
    "voice and face, late": "lesson 09: both, fused late",
}
README_KNOWN = dict(zip((0, "all"), list(README_COLUMNS)[1:], strict=True))  # clips → column


def readme_table() -> str:
    """README's one table: accuracy by clip of known and of unseen speakers."""
    kept = json.loads((MEASURED / "speakers.json").read_text("utf-8"))["rows"]
    found = {(row["setting"], row["split by"], row["who"]): row for row in kept}
    rows = [
        {"": said}
        | {title: cell(found[*where, who], "accuracy") for title, where in README_COLUMNS.items()}
        for who, said in README_ROWS.items()
    ]
    climbed = json.loads((MEASURED / "ladder.json").read_text("utf-8"))["rows"]
    rungs = {(row["step"], row["speaker clips"]): row for row in climbed}
    rows[-1:-1] = [
        {"": said}
        | {column: cell(rungs[step, clips], "accuracy") for clips, column in README_KNOWN.items()}
        for step, said in README_LADDER.items()
    ]
    return table(rows)


def _kept(name: str) -> tuple[list[dict[str, object]], dict[str, object]]:
    """The rows of a measurement, and where and when they came from."""
    kept = json.loads((MEASURED / f"{name}.json").read_text("utf-8"))
    told = ("measured_on", "prepared_by", "commands", "commit", "date")
    return kept["rows"], {key: kept[key] for key in told if kept[key]}


_NOT_DRAWN = ("UAR", "noise at", "face black", "gradient of", "overfitting", "lost with")


def drawn() -> dict[str, object]:
    """What lessons draw of measurements, which a learner has without this repository, by module."""
    names = {"accuracy from": "low", "accuracy to": "high", "UAR": "uar"}
    rows, told = _kept("ladder")
    ladder = told | {
        "rows": [
            {names.get(k, k).replace(" ", "_"): value for k, value in row.items()}
            for row in rows
            if " less " not in row["step"]
        ]
    }
    rows, told = _kept("robustness")
    dominance = {}
    parts = {"cures": "dominance", "worlds": "dominance-worlds"}
    for part, name in (parts | {"auxiliary": "auxiliary", "missing": "missing"}).items():
        each, about = _kept(name)
        dominance[part] = about | {
            "rows": [
                {column: v for column, v in row.items() if not column.startswith(_NOT_DRAWN)}
                for row in each
                if not row["who"].startswith("ρ")
            ]
        }
    found = {"ladder": ladder, "robustness": told | {"rows": rows}, "dominance": dominance}
    rows, told = _kept("systems")
    found["table2"] = told | {"rows": rows}
    rows, told = _kept("wins")
    counted = [
        {"corpus": row["setting"], "network": row["who"]}
        | {key: row[key] for key in ("seed", "right of")}
        for row in rows
        if "right of" in row
    ]
    return found | {"wins": told | {"rows": counted}}


def written() -> dict[Path, str]:
    """RESULTS.md, README.md and what lessons draw, as they follow from what is kept."""
    head = (
        "# What was measured\n\nWritten by `python tests/tools/results.py write` from "
        "[tests/benchmarks/measured](tests/benchmarks/measured); nobody types a number. DIR is a "
        "folder of recordings, FILE a table of action units. Brackets hold 95 % intervals over "
        "actors (Student's t over jackknifed actors); `a less b` is a paired difference on the "
        "same clips, shown only where its interval leaves zero out. On a processor the same seed, "
        "versions and machine give the same bits; on another machine the third digit can differ."
    )
    sections = [section(name, what) for name, what in read_measurements().items()]
    readme = (ROOT / "README.md").read_text("utf-8")
    marked = re.compile(r"(<!-- results -->\n).*?(\n<!-- end -->)", re.DOTALL)
    return {
        **{
            ROOT / "avlib" / "evaluation" / f"{module}.json": json.dumps(
                content, indent=1, ensure_ascii=False
            )
            + "\n"
            for module, content in drawn().items()
        },
        ROOT / "RESULTS.md": "\n\n".join([head, *sections]) + "\n",
        ROOT / "README.md": marked.sub(lambda at: at[1] + readme_table() + at[2], readme),
    }


def main(arguments: list[str] | None = None) -> int:
    known = read_measurements()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("work", choices=["measure", "write", "check"])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    parser.add_argument("--data", type=Path, help="recordings, DIR in the commands")
    parser.add_argument("--action-units", type=Path, help="a table of them, FILE in the commands")
    parser.add_argument("--film", type=Path, help="a real film, FILM in the commands")
    parser.add_argument("--films", type=Path, help="a folder of them, FILMS in the commands")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in known]:
        parser.error(f"there is no measurement {unknown[0]!r}; choose from {', '.join(known)}")
    if options.work == "measure":
        places = {place: getattr(options, option) for place, option in PLACES.items()}
        for name in options.names or known:
            measure(name, known[name], places)
        return 0
    for path, text in written().items():
        if options.work == "check" and path.read_text("utf-8") != text:
            print(f"{path.name}: is not what `write` gives; run it")
            return 1
        path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
