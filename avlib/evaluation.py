"""What a network's answers are worth: accuracy, UAR, confusion, how sure we and it can be.

Taught in notebooks/05-the-accuracy-comparison.ipynb.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, logsumexp
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss, recall_score

from avlib.features import FeatureStore
from avlib.ravdess import EMOTIONS, ClipName

CODES = range(1, len(EMOTIONS) + 1)
_LOG_COLUMNS = [f"log_prob_{code}" for code in CODES]


def predictions(
    store: FeatureStore, rows: np.ndarray, log_probabilities: np.ndarray
) -> pd.DataFrame:
    """Set a network's answers beside the clips they are about.

    Parameters
    ----------
    store : FeatureStore
    rows : ndarray of int64
        The rows that were predicted.
    log_probabilities : ndarray, shape (rows, 8)
        As `training.predict` gives them.

    Returns
    -------
    DataFrame
        One row each: ``clip``, ``actor``, ``label`` (emotion code, 1–8) and
        ``log_prob_1`` … ``log_prob_8``.

    Notes
    -----
    Taught in lesson 05.
    """
    known = store.rows.iloc[rows][["clip", "actor", "emotion"]].reset_index(drop=True)
    answers = pd.DataFrame(log_probabilities, columns=_LOG_COLUMNS)
    return known.rename(columns={"emotion": "label"}).join(answers)


def table(answers: Mapping[str, Sequence[float]]) -> pd.DataFrame:
    """Set answers beside what the clips' names say.

    Parameters
    ----------
    answers : mapping of str to sequence of 8 floats
        Clip (the last six codes of its name) → log-probabilities.

    Returns
    -------
    DataFrame
        As `by_clip`.

    Notes
    -----
    Taught in lesson 05.
    """
    names = [ClipName.parse(f"01-{clip}") for clip in answers]
    known = {
        "clip": list(answers),
        "actor": [name.actor for name in names],
        "label": [name.emotion for name in names],
    }
    return pd.DataFrame(known).join(pd.DataFrame(list(answers.values()), columns=_LOG_COLUMNS))


def by_clip(answers: pd.DataFrame) -> pd.DataFrame:
    """Join the answers about a clip's frame pairs into one answer about the clip.

    The log-probabilities are averaged, so that a pair that is sure of "no" is heard; the
    averages are then scaled to probabilities that sum to one.

    Parameters
    ----------
    answers : DataFrame
        What `predictions` returned.

    Returns
    -------
    DataFrame
        The same columns, one row a clip, sorted by clip.

    Notes
    -----
    Taught in lesson 05.
    """
    joined = answers.groupby(["clip", "actor", "label"], as_index=False)[_LOG_COLUMNS].mean()
    logs = joined[_LOG_COLUMNS].to_numpy()
    joined[_LOG_COLUMNS] = logs - logsumexp(logs, axis=1, keepdims=True)
    return joined


def decided(answers: pd.DataFrame) -> np.ndarray:
    """The emotion code (1–8) with the highest probability in each row.

    Notes
    -----
    Taught in lesson 05.
    """
    return answers[_LOG_COLUMNS].to_numpy().argmax(axis=1) + 1


def accuracy(answers: pd.DataFrame) -> float:
    """The share of rows decided rightly, 0–1.

    Notes
    -----
    Taught in lesson 05.
    """
    return float(accuracy_score(answers["label"], decided(answers)))


def uar(answers: pd.DataFrame) -> float:
    """Unweighted average recall, 0–1: the mean over emotions of the share decided rightly.

    Neutral has half as many clips as the others; here it counts as much. Emotions that no row is
    labelled with are left out.

    Notes
    -----
    Taught in lesson 05. Source: Schuller et al. 2009, doi:10.21437/Interspeech.2009-103.
    """
    present = np.unique(answers["label"])
    recall = recall_score(answers["label"], decided(answers), labels=present, average="macro")
    return float(recall)


def each(answers: pd.DataFrame, of: str = "actor") -> pd.DataFrame:
    """The accuracy of each actor by themselves, or of each emotion: its recall.

    Parameters
    ----------
    answers : DataFrame
        What `by_clip` returned.
    of : {"actor", "label"}

    Returns
    -------
    DataFrame
        One row for each: ``clips`` and ``accuracy``, 0–1. Emotions carry their names.

    Notes
    -----
    Taught in lesson 06.
    """
    right = pd.Series(decided(answers) == answers["label"].to_numpy(), answers.index)
    found = right.groupby(answers[of]).agg(clips="size", accuracy="mean")
    if of == "label":
        found.index = pd.Index([EMOTIONS[code - 1] for code in found.index], name="emotion")
    return found


def confusion(answers: pd.DataFrame) -> pd.DataFrame:
    """Count what was decided (columns) for each emotion that was acted (rows).

    Returns
    -------
    DataFrame, shape (8, 8), int
        Both axes carry the names of the emotions.

    Notes
    -----
    Taught in lesson 05.
    """
    return named(confusion_matrix(answers["label"], decided(answers), labels=list(CODES)))


def named(counts: np.ndarray) -> pd.DataFrame:
    """Write the emotions' names on both sides of an 8 × 8 table of counts.

    Notes
    -----
    Taught in lesson 05.
    """
    return pd.DataFrame(
        counts, pd.Index(EMOTIONS, name="acted"), pd.Index(EMOTIONS, name="decided")
    )


def interval(
    answers: pd.DataFrame,
    score: Callable[[pd.DataFrame], float] = accuracy,
    than: pd.DataFrame | None = None,
    over: str = "actor",
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Between what bounds a score may lie, had other actors been recorded.

    The clips of one actor are alike, so actors are drawn again with replacement, each with all of
    their answers, and the score is taken anew. Of few actors such a bootstrap comes out too narrow;
    the quantiles are moved outwards as far as Student's t lies outside the normal distribution.

    Parameters
    ----------
    answers : DataFrame
        What `by_clip` returned; of several runs one below the other.
    score : {accuracy, uar}
        A score that follows from how often each emotion was decided rightly.
    than : DataFrame, optional
        Another network's answers about the same clips: the interval is that of the difference,
        `answers` less `than`, with the same actors drawn for both.
    over : str
        The column whose values are drawn: ``actor``. With ``clip`` the interval says what other
        clips *of these actors* would give, which is narrower and rarely what one wants to know.
    level : float
        Of confidence, 0–1.
    resamples : int
    seed : int

    Returns
    -------
    low, high : float

    Raises
    ------
    ValueError
        If there are fewer than three to draw from, or the two tables are about other clips.

    Notes
    -----
    Taught in lesson 05. Source: Hesterberg 2015, doi:10.1080/00031305.2015.1089789 (the expanded
    percentile interval).
    """
    if than is not None and set(than["clip"]) != set(answers["clip"]):
        raise ValueError("than: the two tables hold answers about different clips")
    drawn = sorted(answers[over].unique())
    if len(drawn) < 3:
        raise ValueError(
            f"interval: needs three of {over!r} or more to draw from, not {len(drawn)}"
        )
    summed = _SUMMED[score]
    tables = [
        _right_and_acted(table, over, drawn) for table in (answers, than) if table is not None
    ]

    def scored(numbers: np.ndarray, axis: int = -1) -> np.ndarray:
        first, *second = (summed(table[:, numbers].sum(axis=axis - 1)) for table in tables)
        return first - second[0] if second else first

    count = len(drawn)
    outwards = np.sqrt(count / (count - 1)) * stats.t.ppf((1 + level) / 2, count - 1)
    found = stats.bootstrap(
        (np.arange(count),), scored, n_resamples=resamples, batch=1 + 10**5 // count,
        method="percentile", confidence_level=2 * stats.norm.cdf(outwards) - 1,
        vectorized=True, rng=seed,
    ).confidence_interval  # fmt: skip
    return float(found.low), float(found.high)


def _right_and_acted(answers: pd.DataFrame, over: str, drawn: list) -> np.ndarray:
    """How often each emotion was decided rightly, and acted: (2, drawn, 8)."""
    asked = answers[[over, "label"]].reset_index(drop=True)
    right = decided(answers) == answers["label"].to_numpy()
    counts = [
        pd.crosstab(rows[over], rows["label"]).reindex(
            index=drawn, columns=list(CODES), fill_value=0
        )
        for rows in (asked[right], asked)
    ]
    return np.stack(counts).astype(float)


def _mean_recall(counts: np.ndarray) -> np.ndarray:
    right, acted = counts
    with np.errstate(invalid="ignore"):
        return np.nanmean(right / acted, axis=-1)


_SUMMED = {accuracy: lambda counts: counts[0].sum(-1) / counts[1].sum(-1), uar: _mean_recall}


def reliability(answers: pd.DataFrame, bins: int = 10) -> pd.DataFrame:
    """How often a network is right when it is so sure.

    Parameters
    ----------
    answers : DataFrame
        What `by_clip` returned.
    bins : int
        Equal parts of the probability of what was decided, 0–1.

    Returns
    -------
    DataFrame
        One row for each part that holds answers: ``confidence`` (mean probability of what was
        decided), ``accuracy`` and ``answers`` (how many).

    Notes
    -----
    Taught in lesson 05. Source: Guo et al. 2017, *On Calibration of Modern Neural Networks*.
    """
    sure = np.exp(answers[_LOG_COLUMNS].to_numpy().max(axis=1))
    each = pd.DataFrame({"confidence": sure, "accuracy": decided(answers) == answers["label"]})
    part = np.minimum((sure * bins).astype(int), bins - 1)
    found = each.groupby(part).agg(
        confidence=("confidence", "mean"),
        accuracy=("accuracy", "mean"),
        answers=("accuracy", "size"),
    )
    return found.reset_index(drop=True)


def calibration_error(answers: pd.DataFrame, bins: int = 10) -> float:
    """Expected calibration error, 0–1: how far confidence and accuracy lie apart, on average.

    Parameters
    ----------
    answers, bins
        As `reliability`.

    Returns
    -------
    float

    Notes
    -----
    Taught in lesson 05. Source: as `reliability`.
    """
    found = reliability(answers, bins)
    apart = (found["confidence"] - found["accuracy"]).abs()
    return float(np.average(apart, weights=found["answers"]))


def temperature(answers: pd.DataFrame) -> float:
    """The number that log-probabilities are best divided by: more than 1 makes them less sure.

    Parameters
    ----------
    answers : DataFrame
        About validation clips; never about the clips that are then judged.

    Returns
    -------
    float
        Between 0.05 and 20, where the mean log-probability of the truth is highest.

    Notes
    -----
    Taught in lesson 05. Source: as `reliability`.
    """
    logs, label = answers[_LOG_COLUMNS].to_numpy(), answers["label"]

    def surprise(exponent: float) -> float:
        return log_loss(
            label, np.exp(log_softmax(logs / np.exp(exponent), axis=1)), labels=list(CODES)
        )

    found = minimize_scalar(surprise, bounds=np.log([0.05, 20]), method="bounded")
    return float(np.exp(found.x))


def at_temperature(answers: pd.DataFrame, degrees: float) -> pd.DataFrame:
    """The same answers, with log-probabilities divided by a temperature; decisions stay.

    Notes
    -----
    Taught in lesson 05. Source: as `reliability`.
    """
    logs = log_softmax(answers[_LOG_COLUMNS].to_numpy() / degrees, axis=1)
    return answers.assign(**dict(zip(_LOG_COLUMNS, logs.T, strict=True)))


def majority(answers: pd.DataFrame) -> pd.DataFrame:
    """What a machine would answer that always says the most frequent emotion of these clips.

    Notes
    -----
    Taught in lesson 05.
    """
    share = answers["label"].value_counts(normalize=True).reindex(list(CODES), fill_value=0)
    with np.errstate(divide="ignore"):
        return answers.assign(**dict(zip(_LOG_COLUMNS, np.log(share), strict=True)))


def read(path: str | Path) -> pd.DataFrame:
    """Read anybody's table of predictions.

    Parameters
    ----------
    path : str or Path
        A CSV file with the columns ``clip`` (a RAVDESS name), ``label`` (emotion code, 1–8) and
        ``prob_1`` … ``prob_8``; optionally ``fold``. Several rows a clip are joined as `by_clip`
        does.

    Returns
    -------
    DataFrame
        As `by_clip`, with ``fold`` where the file has it.

    Raises
    ------
    ValueError
        If a column is missing, a name is not RAVDESS, a label is no emotion code or not that of
        the name, or the probabilities of a row do not add up to one.

    Notes
    -----
    Taught in lesson 05.
    """
    table = pd.read_csv(path, dtype={"clip": str})
    columns = [f"prob_{code}" for code in CODES]
    missing = {"clip", "label", *columns} - set(table.columns)
    if missing:
        raise ValueError(f"{path}: lacks the columns {', '.join(sorted(missing))}")
    names = [
        ClipName.parse(name if name.count("-") == 6 else f"01-{name}") for name in table["clip"]
    ]
    for line, (name, row) in enumerate(zip(names, table.itertuples(), strict=True), 2):
        if row.label != name.emotion:
            raise ValueError(
                f"{path}: line {line}: {row.clip} is {EMOTIONS[name.emotion - 1]} "
                f"({name.emotion}), and its label says {row.label}"
            )
    chances = table[columns].to_numpy(float)
    wrong = np.flatnonzero(~(np.abs(chances.sum(axis=1) - 1) < 1e-3) | (chances < 0).any(axis=1))
    if len(wrong):
        raise ValueError(
            f"{path}: line {wrong[0] + 2}: probabilities should be 0 or more and add up to 1, "
            f"and come to {chances[wrong[0]].sum():.4g}"
        )
    known = pd.DataFrame({"clip": [name.clip for name in names], "label": table["label"]})
    known["actor"] = [name.actor for name in names]
    with np.errstate(divide="ignore"):
        logs = pd.DataFrame(np.log(np.maximum(chances, np.finfo(float).tiny)), columns=_LOG_COLUMNS)
    joined = by_clip(known.join(logs))
    if "fold" in table:
        folds = known.assign(fold=table["fold"])[["clip", "fold"]].drop_duplicates()
        joined = joined.merge(folds, on="clip", validate="one_to_one")
    return joined
