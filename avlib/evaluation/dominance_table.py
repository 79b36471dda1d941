"""What the runs of `dominance` come to: worth, paired differences, diagnostics.

Taught in notebooks/07-which-modality-decides.ipynb.
"""

import json
import re
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from avlib.evaluation import metrics
from avlib.learning import dominance
from avlib.learning.dominance import MODALITIES

CONDITIONS = ("sound only", "face only", "noise at 10 dB", "face black for 1 s")
COMPARED = ("none", "auxiliary", "late")  # every cure is compared with these


def table(result: dict[str, object]) -> list[dict[str, object]]:
    """What the runs come to: a row for each split, strength and cure, then paired differences.

    Accuracy and UAR have 95 % intervals over actors (``… from``, ``… to``). *Sound only* is the
    joint classifier with the face at its training mean, and so on; the rest is `diagnostics`.
    With three strengths or more, Spearman's rank correlation of each diagnostic with the strength
    that was set, for plain concatenation: over worlds (all runs of one together) and single runs.
    """
    worlds: dict[tuple[str, float], dict[str, list[dict]]] = {}
    for each in result["runs"]:
        world = worlds.setdefault((each["unit"], each["strength"]), {})
        world.setdefault(each["variant"], []).append(each)
    several, rows = len(result["strengths"]) > 1, []
    for (unit, strength), runs in worlds.items():
        where = {"split by": unit} | ({"strength": strength} if several else {})
        pooled = {name: pooled_of(each) for name, each in runs.items()}
        for name, each in pooled.items():
            found = metrics.summarise(each[""])
            del found["calibration error"]
            rows.append(where | {"who": name} | found | diagnostics(runs[name], each))
        rank = {name: COMPARED.index(name) if name in COMPARED else len(COMPARED) for name in runs}
        for name, than in product(runs, filter(runs.get, COMPARED)):
            if rank[name] > rank[than]:
                parts = ((part, pooled[name][part], pooled[than][part])
                         for part in ("", *CONDITIONS) if part in pooled[name])  # fmt: skip
                each = {k: v for compared in parts for k, v in _difference(*compared)}
                rows.append(where | {"who": f"{name} less {than}"} | each)
    if len(result["strengths"]) > 2:
        rows += _ranked([row for row in rows if row["who"] == "none"], "worlds")
        plain = [each for each in result["runs"] if each["variant"] == "none"]
        rows += _ranked(
            [{"split by": each["unit"], "strength": each["strength"]}
             | diagnostics([each], pooled_of([each])) for each in plain], "single runs"
        )  # fmt: skip
    return rows


def pooled_of(runs: Sequence[dict]) -> dict[str, pd.DataFrame]:
    """The predictions of all runs, one below the other: the network's (""), and of each part."""
    tables: dict[str, list[pd.DataFrame]] = {}
    for each in runs:
        found = metrics.from_log_probabilities(each["predictions"])
        tables.setdefault("", []).append(found)
        for name, codes in each["asked"].items():
            logs = np.where(np.array(metrics.CODES) == np.array(codes)[:, None], 0.0, -99.0)
            as_logs = dict(zip(metrics.LOG_COLUMNS, logs.T, strict=True))
            tables.setdefault(name, []).append(found.assign(**as_logs))
    return {name: pd.concat(each, ignore_index=True) for name, each in tables.items()}


def diagnostics(runs: Sequence[dict], pooled: dict[str, pd.DataFrame]) -> dict[str, float]:
    """What runs say of sound and face; see `avlib.learning.dominance` for each.

    ``overfitting ratio`` is that of the joint classifier from the first epoch to the last, over
    mean losses; None where the validation loss did not fall.
    """
    part = {name: metrics.accuracy(each) for name, each in pooled.items()}
    found = {name: part[name] for name in CONDITIONS if name in part}
    alone = {"audio": part["sound only"], "image": part["face only"]}
    values = {(name,): value for name, value in alone.items()}
    shares = dominance.shapley(values | {(): part["neither"], MODALITIES: part[""]})
    pulls = [each["gradients"] for each in runs if each["gradients"]]
    sides = zip(MODALITIES, MODALITIES[::-1], ("sound", "face"), strict=True)
    for name, other, said in sides:
        found[f"utilisation of {said}"] = dominance.utilisation(part[""], alone[other])
        found[f"lost with another's {said}"] = part[""] - part[f"another's {said}"]
        found[f"Shapley of {said}"] = shares[name]
        found[f"head of {said}"] = part[f"head {name}"]
        found[f"probe of {said}"] = part[f"probe {name}"]
        if pulls:
            found[f"gradient of {said}"] = float(np.mean([each[name]["joint"] for each in pulls]))
    history = pd.concat([pd.DataFrame(each["history"]) for each in runs])
    joint = history[history["classifier"] == "joint"].pivot_table("loss", "epoch", "side")
    first, last = (dominance.Losses(*joint.iloc[at][["train", "validation"]]) for at in (0, -1))
    ratio = dominance.overfitting_ratio(first, last)
    return found | {"overfitting ratio": ratio if np.isfinite(ratio) else None}


def _difference(part: str, one: pd.DataFrame, than: pd.DataFrame) -> Iterator[tuple[str, float]]:
    for name, value in metrics.difference(one, than).items():
        if name != "clips" and (not part or name.startswith("accuracy")):
            yield name.replace("accuracy", part) if part else name, value


def _ranked(rows: Sequence[dict[str, object]], over: str) -> list[dict[str, object]]:
    """How each diagnostic ranks worlds, by split: ρ with the strength; of face it should be −1."""
    ranked = []
    for unit, each in pd.DataFrame(rows).groupby("split by"):
        named = each.drop(columns=["split by", "strength", "who", "clips"], errors="ignore")
        named = named.drop(columns=[name for name in named if re.search(" (from|to)$", name)])
        found = named.astype(float).corrwith(each["strength"], method="spearman")
        ranked.append({"split by": unit, "who": f"ρ over {over}"} | found.dropna().to_dict())
    return ranked


def measured(what: Literal["cures", "worlds", "auxiliary", "missing"]) -> pd.DataFrame:
    """What `table` came to once, kept for whoever has no recordings or no time.

    ``cures``: all cures on RAVDESS; ``worlds``: the practice corpus with a sound that tells less
    and less. For lesson 04, ``auxiliary``: weights of the auxiliary losses, on RAVDESS;
    ``missing``: modality dropout on the practice corpus, with a modality missing. Written by
    ``tests/tools/results.py write``.
    """
    kept = json.loads(Path(__file__).with_name("dominance.json").read_text("utf-8"))
    return pd.DataFrame(kept[what]["rows"])


def as_text(rows: Sequence[dict[str, object]]) -> Iterator[str]:
    """Three tables for a terminal: what each is worth, paired differences, diagnostics."""
    shown = pd.DataFrame(rows)
    about = [name for name in ("split by", "strength", "who") if name in shown]
    worth = [name for name in ("accuracy", "accuracy from", "accuracy to", "UAR", *CONDITIONS)
             if name in shown]  # fmt: skip
    less, ranks = (shown["who"].str.contains(mark) for mark in (" less ", "^ρ "))
    known = [*about, *worth, "clips", "UAR from", "UAR to"]
    rest = [name for name in shown if name not in known and not name.endswith((" from", " to"))]
    for which, columns in (
        (shown[~less & ~ranks], worth), (shown[less], worth), (shown[~less], rest)
    ):  # fmt: skip
        if len(which):
            yield which[about + columns].to_string(index=False, float_format="%.3f", na_rep="")
            yield ""
