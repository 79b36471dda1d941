"""What a network's predictions are worth: accuracy, UAR, confusion, how sure we and it can be.

Predictions are a table: ``clip`` (the last six codes of its name), ``actor``, ``label`` (emotion
code, 1–8) and ``log_prob_1`` … ``log_prob_8``, the natural logarithms of eight probabilities.
Taught in notebooks/05-the-accuracy-comparison.ipynb.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, logsumexp
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss, recall_score

from avlib.corpus.ravdess import EMOTIONS, ClipName
from avlib.features.store import FeatureStore

CODES = range(1, len(EMOTIONS) + 1)
LOG_COLUMNS = [f"log_prob_{code}" for code in CODES]


def prediction_table(
    store: FeatureStore, rows: np.ndarray, log_probabilities: np.ndarray
) -> pd.DataFrame:
    """Set log-probabilities, ``(rows, 8)``, beside the rows of a store that they are about."""
    known = store.rows.iloc[rows][["clip", "actor", "emotion"]].reset_index(drop=True)
    predictions = pd.DataFrame(log_probabilities, columns=LOG_COLUMNS)
    return known.rename(columns={"emotion": "label"}).join(predictions)


def from_log_probabilities(predictions: Mapping[str, Sequence[float]]) -> pd.DataFrame:
    """A table of predictions from a mapping: clip → eight log-probabilities."""
    names = [ClipName.parse(f"01-{clip}") for clip in predictions]
    known = {
        "clip": list(predictions),
        "actor": [name.actor for name in names],
        "label": [name.emotion for name in names],
    }
    return pd.DataFrame(known).join(pd.DataFrame(list(predictions.values()), columns=LOG_COLUMNS))


def by_clip(predictions: pd.DataFrame) -> pd.DataFrame:
    """Join the predictions about a clip's frame pairs into one prediction about the clip.

    The log-probabilities are averaged, so that a pair that is sure of "no" is heard; the
    averages are then scaled to probabilities that sum to one. One row a clip, sorted by clip.
    """
    joined = predictions.groupby(["clip", "actor", "label"], as_index=False)[LOG_COLUMNS].mean()
    logs = joined[LOG_COLUMNS].to_numpy()
    joined[LOG_COLUMNS] = logs - logsumexp(logs, axis=1, keepdims=True)
    return joined


def predicted(predictions: pd.DataFrame) -> np.ndarray:
    """The emotion code (1–8) with the highest probability in each row."""
    return predictions[LOG_COLUMNS].to_numpy().argmax(axis=1) + 1


def accuracy(predictions: pd.DataFrame) -> float:
    """The share of rows predicted rightly, 0–1."""
    return float(accuracy_score(predictions["label"], predicted(predictions)))


def uar(predictions: pd.DataFrame) -> float:
    """Unweighted average recall, 0–1: the mean over emotions of the share predicted rightly.

    Neutral has half as many clips as the others; here it counts as much. Emotions that no row is
    labelled with are left out. Source: Schuller et al. 2009, doi:10.21437/Interspeech.2009-103.
    """
    present = np.unique(predictions["label"])
    recall = recall_score(
        predictions["label"], predicted(predictions), labels=present, average="macro"
    )
    return float(recall)


def accuracy_by(predictions: pd.DataFrame, of: str = "actor") -> pd.DataFrame:
    """The accuracy of each actor by themselves, or of each emotion (``label``): its recall.

    One row for each: ``clips`` and ``accuracy``, 0–1. Emotions carry their names.
    """
    right = pd.Series(predicted(predictions) == predictions["label"].to_numpy(), predictions.index)
    found = right.groupby(predictions[of]).agg(clips="size", accuracy="mean")
    if of == "label":
        found.index = pd.Index([EMOTIONS[code - 1] for code in found.index], name="emotion")
    return found


def confusion(predictions: pd.DataFrame) -> pd.DataFrame:
    """Count predicted labels (columns) for each true label (rows): 8 × 8, named by emotion."""
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
    """Between what bounds a score, or a difference of two, may lie had other actors been recorded.

    The clips of one actor are alike, so what counts is how much actors differ. Each actor is left
    out in turn, with all of their clips, and the score is taken anew: how far these scores spread
    gives the standard error (the *jackknife*), and Student's t says how many standard errors to
    go for so few actors. A bootstrap of few actors comes out too narrow: of three it holds the
    truth 75 times in 100 where it promises 95. This one held it 93 to 95 times, with 3 to 24
    actors, in simulated tables.

    `predictions` are by clip (`by_clip`), of several runs one below the other; `score` is
    `accuracy` or `uar`. With `than`, another network's predictions about the same clips, the
    interval is that of the difference, `predictions` less `than`, with the same actor left out of
    both. `over` names the column whose values are left out: with ``clip`` the interval says what
    other clips *of these actors* would give, which is narrower and rarely what one wants to know.

    Raises ValueError if there are fewer than three to leave out, or the two tables are about other
    clips. Source: Efron and Stein 1981, doi:10.1214/aos/1176345462.
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

    `bins` are equal parts of the probability of what was predicted, 0–1. One row for each part that
    holds predictions: ``confidence`` (mean probability of what was predicted), ``accuracy`` and
    ``predictions`` (how many).
    Source: Guo et al. 2017, *On Calibration of Modern Neural Networks*, arXiv:1706.04599.
    """
    sure = np.exp(predictions[LOG_COLUMNS].to_numpy().max(axis=1))
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

    Source: as `reliability`.
    """
    found = reliability(predictions, bins)
    apart = (found["confidence"] - found["accuracy"]).abs()
    return float(np.average(apart, weights=found["predictions"]))


def temperature(predictions: pd.DataFrame) -> float:
    """The number, 0.05 to 20, that log-probabilities are best divided by; over 1 is less sure.

    The best makes the mean log-probability of the truth highest. `predictions` are about validation
    clips, never about the clips that are then judged. Source: as `reliability`.
    """
    logs, label = predictions[LOG_COLUMNS].to_numpy(), predictions["label"]

    def surprise(exponent: float) -> float:
        return log_loss(
            label, np.exp(log_softmax(logs / np.exp(exponent), axis=1)), labels=list(CODES)
        )

    found = minimize_scalar(surprise, bounds=np.log([0.05, 20]), method="bounded")
    return float(np.exp(found.x))


def at_temperature(predictions: pd.DataFrame, degrees: float) -> pd.DataFrame:
    """The same predictions, with log-probabilities divided by a temperature; decisions stay."""
    logs = log_softmax(predictions[LOG_COLUMNS].to_numpy() / degrees, axis=1)
    return predictions.assign(**dict(zip(LOG_COLUMNS, logs.T, strict=True)))


def majority(predictions: pd.DataFrame, training: Iterable[int]) -> pd.DataFrame:
    """What a machine would predict that only knows how often each emotion occurs in `training`.

    `training` holds the emotion codes (1–8) of the training side; the labels of `predictions` are
    not looked at. Every row gets each emotion's share of the training side: the most frequent one
    is predicted, of several as frequent the first, in RAVDESS's order.
    """
    share = np.bincount(list(training), minlength=len(EMOTIONS) + 1)[1:]
    with np.errstate(divide="ignore"):
        logs = np.log(share / share.sum())
    return predictions.assign(**dict(zip(LOG_COLUMNS, logs, strict=True)))


def summarise(predictions: pd.DataFrame) -> dict[str, float]:
    """Accuracy and UAR, by clip, with their 95 % intervals over actors, and the calibration error.

    Without intervals where there are fewer than three actors.
    """
    found = {"clips": len(predictions)}
    for name, score in METRICS.items():
        found[name] = score(predictions)
        if predictions["actor"].nunique() >= 3:
            found[f"{name} from"], found[f"{name} to"] = interval(predictions, score)
    return found | {"calibration error": calibration_error(predictions)}


def difference(predictions: pd.DataFrame, than: pd.DataFrame) -> dict[str, float]:
    """How much accuracy and UAR differ on the same clips, with 95 % intervals over actors."""
    found = {"clips": len(predictions)}
    for name, score in METRICS.items():
        found[name] = score(predictions) - score(than)
        if predictions["actor"].nunique() >= 3:
            found[f"{name} from"], found[f"{name} to"] = interval(predictions, score, than)
    return found


def ties(predictions: pd.DataFrame) -> int:
    """In how many rows two or more emotions share the highest probability."""
    logs = predictions[LOG_COLUMNS].to_numpy()
    return int(((logs == logs.max(axis=1, keepdims=True)).sum(axis=1) > 1).sum())
