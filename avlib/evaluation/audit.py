"""What a split leaks: what its test side has in common with what was trained on.

The names of recordings are enough to tell. Taught in notebooks/06-honest-splits.ipynb.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from avlib.corpus import ravdess, verify
from avlib.learning import splits
from avlib.learning.splits import UNITS, Split

_PAIRS_A_CLIP = 6  # of the paper's recipe


def leaks(rows: pd.DataFrame, split: Split) -> pd.Series:
    """The share of test rows, 0–1, for which the training side holds something of the same.

    That is *another row of the same clip*, *its twin in another modality*, *the same bytes*, *the
    other repetition* of the take, and *the same actor*; NaN where the rows do not say. `rows` are
    as for `splits.split`; ``modality`` (01, 02 or 03, where each file is a row) and ``digest`` (of
    the file's bytes) are optional.
    """
    train, test = rows.iloc[split.train], rows.iloc[split.test]

    def share(same: list[str], other: str | None = None) -> float:
        """Of test rows, those for which a row in train is the same in this, but not in that."""
        columns = [*same, other] if other else same
        if not set(columns) <= set(rows.columns):
            return np.nan
        known = train[columns].drop_duplicates()
        met = test[columns].reset_index().merge(known, on=same, suffixes=("", " in train"))
        if other:
            met = met[met[other] != met[f"{other} in train"]]
        return met["index"].nunique() / len(test)

    file = ["clip", "modality"] if "modality" in rows.columns else ["clip"]
    return pd.Series(
        {
            "another row of the same clip": share(file),
            "its twin in another modality": share(["clip"], "modality"),
            "the same bytes": share(["digest"]),
            "the other repetition": share(UNITS["take"], "repetition"),
            "the same actor": share(["actor"]),
        }
    )


def audit(folder: Path | None, unit: str, seeds: Sequence[int]) -> dict[str, object]:
    """What test sides share with training sides, over several random splits.

    `folder` holds recordings; None stands for the names of all 1440 speech clips of RAVDESS.
    `unit` is what is never cut apart: ``pair`` (six a clip), ``file`` (each film by itself, with
    sound and without), ``clip``, ``take`` or ``actor``. Returns ``measured_on``, ``rows``, ``what``
    the rows are, ``split``, and ``shares``: the mean, least and most over seeds of each of `leaks`,
    or None where the names do not tell. Raises ValueError if there is too little for the split.
    """
    clips, measured_on = _design() if folder is None else _recordings(folder, unit != "file")
    rows, what = clips, "clips"
    if unit == "pair":
        rows, what = clips.loc[clips.index.repeat(_PAIRS_A_CLIP)].reset_index(drop=True), "pairs"
    elif unit == "file":
        films = [clips.assign(modality=modality) for modality in (1, 2)]
        rows, what = pd.concat(films, ignore_index=True), "films"
    alone = "pair" if unit == "file" else unit  # each row by itself
    found = pd.DataFrame([leaks(rows, splits.split(rows, alone, seed)) for seed in seeds])
    ranges = found.agg(["mean", "min", "max"]).set_axis(["mean", "least", "most"])
    return {
        "measured_on": measured_on,
        "rows": len(rows),
        "what": what,
        "split": unit,
        "shares": {
            name: None if found[name].isna().any() else ranges[name].to_dict() for name in found
        },
    }


def _design() -> tuple[pd.DataFrame, str]:
    names = ravdess.speech_names(range(1, ravdess.ACTORS + 1))
    clips = pd.DataFrame([vars(name) | {"clip": name.clip, "sex": name.sex} for name in names])
    return clips.drop(columns="modality"), "the full design of RAVDESS"


def _recordings(folder: Path, with_digests: bool) -> tuple[pd.DataFrame, str]:
    clips = ravdess.index(folder)
    sounds = clips["sound"].dropna()
    if with_digests and len(sounds) == len(clips):
        digests = verify.digests([Path(path) for path in sounds])
        clips["digest"] = [digests[Path(path)] for path in sounds]
    return clips, f"{folder}, {ravdess.corpus(clips)}"
