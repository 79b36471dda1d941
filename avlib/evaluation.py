"""What a network's answers are worth: accuracy, UAR, confusion.

Taught in notebooks/05-the-accuracy-comparison.ipynb.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import logsumexp
from sklearn.metrics import accuracy_score, confusion_matrix, recall_score

from avlib.features import FeatureStore
from avlib.ravdess import EMOTIONS

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
