"""What a network's predictions are worth: accuracy, UAR, confusion, how sure we and it can be.

Taught in notebooks/05-the-accuracy-comparison.ipynb.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, logsumexp
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss, recall_score

from avlib import files
from avlib.corpus.ravdess import EMOTIONS, ClipName
from avlib.features.store import FeatureStore

CODES = range(1, len(EMOTIONS) + 1)
_LOG_COLUMNS = [f"log_prob_{code}" for code in CODES]
_CHANCES = [f"prob_{code}" for code in CODES]
_READ = {"clip", "label", "fold", *_CHANCES}
_ROUNDING = 8 * 0.005 + 1e-9  # how far eight numbers of two digits may add up beside 1
_CLIP_LENGTH = len("01-01-01-01-01-01")


def prediction_table(
    store: FeatureStore, rows: np.ndarray, log_probabilities: np.ndarray
) -> pd.DataFrame:
    """Set a network's predictions beside the clips they are about.

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
    """
    known = store.rows.iloc[rows][["clip", "actor", "emotion"]].reset_index(drop=True)
    predictions = pd.DataFrame(log_probabilities, columns=_LOG_COLUMNS)
    return known.rename(columns={"emotion": "label"}).join(predictions)


def from_log_probabilities(predictions: Mapping[str, Sequence[float]]) -> pd.DataFrame:
    """Set predictions beside what the clips' names say.

    Parameters
    ----------
    predictions : mapping of str to sequence of 8 floats
        Clip (the last six codes of its name) → log-probabilities.

    Returns
    -------
    DataFrame
        As `by_clip`.
    """
    names = [ClipName.parse(f"01-{clip}") for clip in predictions]
    known = {
        "clip": list(predictions),
        "actor": [name.actor for name in names],
        "label": [name.emotion for name in names],
    }
    return pd.DataFrame(known).join(pd.DataFrame(list(predictions.values()), columns=_LOG_COLUMNS))


def by_clip(predictions: pd.DataFrame) -> pd.DataFrame:
    """Join the predictions about a clip's frame pairs into one prediction about the clip.

    The log-probabilities are averaged, so that a pair that is sure of "no" is heard; the
    averages are then scaled to probabilities that sum to one.

    Parameters
    ----------
    predictions : DataFrame
        What `prediction_table` returned.

    Returns
    -------
    DataFrame
        The same columns, one row a clip, sorted by clip.
    """
    joined = predictions.groupby(["clip", "actor", "label"], as_index=False)[_LOG_COLUMNS].mean()
    logs = joined[_LOG_COLUMNS].to_numpy()
    joined[_LOG_COLUMNS] = logs - logsumexp(logs, axis=1, keepdims=True)
    return joined


def predicted(predictions: pd.DataFrame) -> np.ndarray:
    """The emotion code (1–8) with the highest probability in each row."""
    return predictions[_LOG_COLUMNS].to_numpy().argmax(axis=1) + 1


def accuracy(predictions: pd.DataFrame) -> float:
    """The share of rows predicted rightly, 0–1."""
    return float(accuracy_score(predictions["label"], predicted(predictions)))


def uar(predictions: pd.DataFrame) -> float:
    """Unweighted average recall, 0–1: the mean over emotions of the share predicted rightly.

    Neutral has half as many clips as the others; here it counts as much. Emotions that no row is
    labelled with are left out.

    Notes
    -----
    Source: Schuller et al. 2009, doi:10.21437/Interspeech.2009-103.
    """
    present = np.unique(predictions["label"])
    recall = recall_score(
        predictions["label"], predicted(predictions), labels=present, average="macro"
    )
    return float(recall)


def accuracy_by(predictions: pd.DataFrame, of: str = "actor") -> pd.DataFrame:
    """The accuracy of each actor by themselves, or of each emotion: its recall.

    Parameters
    ----------
    predictions : DataFrame
        What `by_clip` returned.
    of : {"actor", "label"}

    Returns
    -------
    DataFrame
        One row for each: ``clips`` and ``accuracy``, 0–1. Emotions carry their names.
    """
    right = pd.Series(predicted(predictions) == predictions["label"].to_numpy(), predictions.index)
    found = right.groupby(predictions[of]).agg(clips="size", accuracy="mean")
    if of == "label":
        found.index = pd.Index([EMOTIONS[code - 1] for code in found.index], name="emotion")
    return found


def confusion(predictions: pd.DataFrame) -> pd.DataFrame:
    """Count predicted labels (columns) for each true label (rows).

    Returns
    -------
    DataFrame, shape (8, 8), int
        Both axes carry the names of the emotions.
    """
    return with_names(
        confusion_matrix(predictions["label"], predicted(predictions), labels=list(CODES))
    )


def with_names(counts: np.ndarray) -> pd.DataFrame:
    """Write the emotions' names on both sides of an 8 × 8 table of counts."""
    return pd.DataFrame(
        counts, pd.Index(EMOTIONS, name="true"), pd.Index(EMOTIONS, name="predicted")
    )


def interval(
    predictions: pd.DataFrame,
    score: Callable[[pd.DataFrame], float] = accuracy,
    than: pd.DataFrame | None = None,
    over: str = "actor",
    level: float = 0.95,
) -> tuple[float, float]:
    """Between what bounds a score may lie, had other actors been recorded.

    The clips of one actor are alike, so what counts is how much actors differ. Each actor is left
    out in turn, with all of their clips, and the score is taken anew: how far these scores spread
    gives the standard error (the *jackknife*), and Student's t says how many standard errors to
    go for so few actors. A bootstrap of few actors comes out too narrow: of three it holds the
    truth 75 times in 100 where it promises 95. This one held it 93 to 95 times, with 3 to 24
    actors, in simulated tables.

    Parameters
    ----------
    predictions : DataFrame
        What `by_clip` returned; of several runs one below the other.
    score : {accuracy, uar}
        A score that follows from how often each emotion was predicted rightly.
    than : DataFrame, optional
        Another network's predictions about the same clips: the interval is that of the difference,
        `predictions` less `than`, with the same actor left out of both.
    over : str
        The column whose values are left out in turn: ``actor``. With ``clip`` the interval says
        what other clips *of these actors* would give, which is narrower and rarely what one wants
        to know.
    level : float
        Of confidence, 0–1.

    Returns
    -------
    low, high : float
        Between 0 and 1; of a difference between -1 and 1.

    Raises
    ------
    ValueError
        If there are fewer than three to leave out, or the two tables are about other clips.

    Notes
    -----
    Source: Efron and Stein 1981, doi:10.1214/aos/1176345462.
    """
    if than is not None and set(than["clip"]) != set(predictions["clip"]):
        raise ValueError("than: the two tables hold predictions about different clips")
    units = sorted(predictions[over].unique())
    count = len(units)
    if count < 3:
        raise ValueError(f"interval: needs three of {over!r} or more, not {count}")
    counts = [
        _right_and_true(table, over, units) for table in (predictions, than) if table is not None
    ]

    def scored(tables: list[np.ndarray]) -> np.ndarray:
        first, *second = map(_SUMMED[score], tables)
        return first - second[0] if second else first

    totals = [table.sum(axis=1, keepdims=True) for table in counts]
    without = scored([total - table for total, table in zip(totals, counts, strict=True)])
    error = np.sqrt((count - 1) / count * np.square(without - without.mean()).sum())
    reach = stats.t.ppf((1 + level) / 2, count - 1) * error
    found = scored(totals)[0] + np.array([-reach, reach])
    low, high = found.clip(-1 if than is not None else 0, 1)
    return float(low), float(high)


def _right_and_true(predictions: pd.DataFrame, over: str, units: list) -> np.ndarray:
    """How often each emotion was predicted rightly, and how often it is true: (2, units, 8)."""
    asked = predictions[[over, "label"]].reset_index(drop=True)
    right = predicted(predictions) == predictions["label"].to_numpy()
    counts = [
        pd.crosstab(rows[over], rows["label"]).reindex(
            index=units, columns=list(CODES), fill_value=0
        )
        for rows in (asked[right], asked)
    ]
    return np.stack(counts).astype(float)


def _mean_recall(counts: np.ndarray) -> np.ndarray:
    right, true = counts
    with np.errstate(invalid="ignore"):
        return np.nanmean(right / true, axis=-1)


METRICS = {"accuracy": accuracy, "UAR": uar}
_SUMMED = {accuracy: lambda counts: counts[0].sum(-1) / counts[1].sum(-1), uar: _mean_recall}


def reliability(predictions: pd.DataFrame, bins: int = 10) -> pd.DataFrame:
    """How often a network is right when it is so sure.

    Parameters
    ----------
    predictions : DataFrame
        What `by_clip` returned.
    bins : int
        Equal parts of the probability of what was predicted, 0–1.

    Returns
    -------
    DataFrame
        One row for each part that holds predictions: ``confidence`` (mean probability of what was
        predicted), ``accuracy`` and ``predictions`` (how many).

    Notes
    -----
    Source: Guo et al. 2017, *On Calibration of Modern Neural Networks*.
    """
    sure = np.exp(predictions[_LOG_COLUMNS].to_numpy().max(axis=1))
    each = pd.DataFrame(
        {"confidence": sure, "accuracy": predicted(predictions) == predictions["label"]}
    )
    part = np.minimum((sure * bins).astype(int), bins - 1)
    found = each.groupby(part).agg(
        confidence=("confidence", "mean"),
        accuracy=("accuracy", "mean"),
        predictions=("accuracy", "size"),
    )
    return found.reset_index(drop=True)


def calibration_error(predictions: pd.DataFrame, bins: int = 10) -> float:
    """Expected calibration error, 0–1: how far confidence and accuracy lie apart, on average.

    Parameters
    ----------
    predictions, bins
        As `reliability`.

    Returns
    -------
    float

    Notes
    -----
    Source: as `reliability`.
    """
    found = reliability(predictions, bins)
    apart = (found["confidence"] - found["accuracy"]).abs()
    return float(np.average(apart, weights=found["predictions"]))


def temperature(predictions: pd.DataFrame) -> float:
    """The number that log-probabilities are best divided by: more than 1 makes them less sure.

    Parameters
    ----------
    predictions : DataFrame
        About validation clips; never about the clips that are then judged.

    Returns
    -------
    float
        Between 0.05 and 20, where the mean log-probability of the truth is highest.

    Notes
    -----
    Source: as `reliability`.
    """
    logs, label = predictions[_LOG_COLUMNS].to_numpy(), predictions["label"]

    def surprise(exponent: float) -> float:
        return log_loss(
            label, np.exp(log_softmax(logs / np.exp(exponent), axis=1)), labels=list(CODES)
        )

    found = minimize_scalar(surprise, bounds=np.log([0.05, 20]), method="bounded")
    return float(np.exp(found.x))


def at_temperature(predictions: pd.DataFrame, degrees: float) -> pd.DataFrame:
    """The same predictions, with log-probabilities divided by a temperature; decisions stay.

    Notes
    -----
    Source: as `reliability`.
    """
    logs = log_softmax(predictions[_LOG_COLUMNS].to_numpy() / degrees, axis=1)
    return predictions.assign(**dict(zip(_LOG_COLUMNS, logs.T, strict=True)))


def majority(predictions: pd.DataFrame, training: Iterable[int]) -> pd.DataFrame:
    """What a machine would predict that only knows how often each emotion occurs in training.

    Parameters
    ----------
    predictions : DataFrame
        About the clips that it is asked about; their labels are not looked at.
    training : iterable of int
        The emotion codes (1–8) of the training side, a clip or a row each.

    Returns
    -------
    DataFrame
        The same rows: each emotion with its share of the training side. The most frequent one is
        predicted; of several as frequent the first, in RAVDESS's order.
    """
    share = np.bincount(list(training), minlength=len(EMOTIONS) + 1)[1:]
    with np.errstate(divide="ignore"):
        logs = np.log(share / share.sum())
    return predictions.assign(**dict(zip(_LOG_COLUMNS, logs, strict=True)))


def summarise(predictions: pd.DataFrame) -> dict[str, float]:
    """Accuracy and UAR with their 95 % intervals over actors, and the calibration error.

    Parameters
    ----------
    predictions : DataFrame
        What `by_clip` returned.

    Returns
    -------
    dict of float
        Without intervals where there are fewer than three actors.
    """
    found = {"clips": len(predictions)}
    for name, score in METRICS.items():
        found[name] = score(predictions)
        if predictions["actor"].nunique() >= 3:
            found[f"{name} from"], found[f"{name} to"] = interval(predictions, score)
    return found | {"calibration error": calibration_error(predictions)}


def ties(predictions: pd.DataFrame) -> int:
    """In how many rows two or more emotions share the highest probability."""
    logs = predictions[_LOG_COLUMNS].to_numpy()
    return int(((logs == logs.max(axis=1, keepdims=True)).sum(axis=1) > 1).sum())


def read_predictions(path: str | Path, labels_from: int = 1) -> pd.DataFrame:
    """Read anybody's table of predictions, as it was published.

    Parameters
    ----------
    path : str or Path
        A text file with commas, semicolons or tabs and, in any order and with small or capital
        letters, the columns ``clip`` (a RAVDESS name), ``label`` (emotion code, or its word) and
        ``prob_1`` … ``prob_8``; optionally ``fold``. Several rows about a clip are joined as
        `by_clip` does. It is read a block at a time: a million rows need no more memory than one
        block.
    labels_from : {1, 0}
        The code of *neutral*: RAVDESS counts from 1, many programs from 0.

    Returns
    -------
    DataFrame
        As `by_clip`, with ``fold`` where the file has it. Its ``attrs`` say what was done:
        ``rows`` read, and ``rounded`` rows whose probabilities, rounded to two digits, say, did
        not add up to one and were scaled.

    Raises
    ------
    ValueError
        If it cannot be read as a table, a column is missing, a name is not RAVDESS, a label is no
        emotion or not that of the name, the probabilities of a row are no probabilities, or a clip
        stands in two folds; lists the lines.
    """
    path, faults, sums, folds, rows, rounded = Path(path), [], [], [], 0, 0
    for block in _blocks(path):
        chances = block[_CHANCES].to_numpy(float)
        actor, label = _against_names(block, labels_from, faults)
        total = chances.sum(axis=1)
        wrong = ~(np.abs(total - 1) <= _ROUNDING) | (chances < 0).any(axis=1)
        faults += [
            (line, f"probabilities should be 0 or more and add up to 1, and come to {come:.4g}")
            for line, come in zip(block.index[wrong], total[wrong], strict=True)
        ]
        if faults:
            continue  # to the end of the file: every faulty line is to be told
        rows, rounded = rows + len(block), rounded + int((np.abs(total - 1) > 1e-4).sum())
        logs = np.log(np.maximum(chances / total[:, None], np.finfo(float).tiny))
        known = pd.DataFrame(logs, columns=_LOG_COLUMNS).assign(
            clip=block["clip"].astype(object).str[-_CLIP_LENGTH:].to_numpy(),
            actor=actor,
            label=label,
        )
        sums.append(known.assign(rows=1).groupby(["clip", "actor", "label"]).sum())
        if "fold" in block:
            folds.append(known[["clip"]].assign(fold=block["fold"].to_numpy()).drop_duplicates())
    if faults:
        shown = "; ".join(f"line {line}: {said}" for line, said in sorted(faults)[:3])
        more = f"; and {len(faults) - 3} lines more" if len(faults) > 3 else ""
        raise ValueError(f"{path}: {shown}{more}")
    if not rows:
        raise ValueError(f"{path}: holds no rows below its header")
    whole = pd.concat(sums).groupby(level=[0, 1, 2]).sum()
    joined = by_clip(whole[_LOG_COLUMNS].div(whole["rows"], axis=0).reset_index())
    if folds:
        joined = _with_folds(joined, pd.concat(folds).drop_duplicates(), path)
    joined.attrs |= {"rows": rows, "rounded": rounded}
    return joined


def _blocks(path: Path) -> Iterator[pd.DataFrame]:
    """The rows of a table, a block at a time; the index is the line in the file."""
    mark, decimal, names = files.dialect(path)
    names = [name.lower() for name in names]
    missing = {"clip", "label", *_CHANCES} - set(names)
    if missing:
        raise ValueError(f"{path}: lacks the columns {', '.join(sorted(missing))}")
    line = 2
    try:
        for block in pd.read_csv(
            path, sep=mark, names=names, header=0, encoding="utf-8-sig", chunksize=50_000,
            dtype={"clip": "category", "label": "category"}, decimal=decimal,
            usecols=[name for name in names if name in _READ], skip_blank_lines=False,
        ):  # fmt: skip
            block.index = range(line, line + len(block))
            line += len(block)
            block = block[block.notna().any(axis=1)]  # an empty line, or one of commas alone
            for name in _CHANCES:
                block[name] = pd.to_numeric(block[name], errors="coerce")
            yield block
    except (ValueError, MemoryError, OverflowError) as error:
        raise ValueError(f"{path}: cannot be read as a table ({error})") from error


def _against_names(
    block: pd.DataFrame, labels_from: int, faults: list[tuple[int, str]]
) -> tuple[np.ndarray, np.ndarray]:
    """Actor and emotion code of each row, by its clip's name; what the labels say otherwise."""
    actor, emotion, unread = {}, {}, {}
    clip = block["clip"].astype(object).fillna("")
    for name in clip.unique():
        try:
            parsed = ClipName.parse(name if name.count("-") == 6 else f"01-{name}")
            actor[name], emotion[name] = parsed.actor, parsed.emotion
        except ValueError as error:
            unread[name] = str(error) if name else "the clip has no name"
    told = {label: _code(str(label), labels_from) for label in block["label"].unique()}
    truth, label = clip.map(emotion), block["label"].map(told).astype(float)
    for line in block.index[clip.isin(list(unread))]:
        faults.append((line, unread[clip[line]]))
    for line in block.index[truth.notna() & (label != truth)]:
        code = int(truth[line])
        faults.append((
            line, f"{clip[line]} is {EMOTIONS[code - 1]} ({code}), and its label says "
            f"{block['label'][line]} (labels that count from 0 need `--labels from-0`)",
        ))  # fmt: skip
    return clip.map(actor).to_numpy(), truth.to_numpy()


def _code(label: str, labels_from: int) -> float:
    """The emotion code that a label means: a word, 3 or 3.0; NaN if it means none."""
    word = label.strip().lower()
    if word in EMOTIONS:
        return EMOTIONS.index(word) + 1
    try:
        return float(word) + 1 - labels_from
    except ValueError:
        return np.nan


def _with_folds(joined: pd.DataFrame, folds: pd.DataFrame, path: Path) -> pd.DataFrame:
    for said, wrong in (
        ("has no fold", folds["fold"].isna()),
        ("stands in two folds", folds["clip"].duplicated()),
    ):
        if wrong.any():
            clips = ", ".join(folds.loc[wrong, "clip"].unique()[:3])
            raise ValueError(f"{path}: {wrong.sum()} clips: {clips} … {said}; mend the column")
    return joined.merge(folds, on="clip", validate="one_to_one")
