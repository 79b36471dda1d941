"""Which rows train, which validate, which test, and what is never cut apart.

A split keeps *units* whole: a frame pair, a clip, a take (both repetitions of the same
sentence, emotion and intensity by one actor) or an actor. The paper does not say what its 80/10/10
counts; the choice decides what an accuracy means.
Taught in notebooks/05-the-accuracy-comparison.ipynb.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedKFold

UNITS = {
    "pair": [],
    "clip": ["clip"],
    "take": ["actor", "emotion", "intensity", "statement"],
    "actor": ["actor"],
}


@dataclass(frozen=True)
class Split:
    """Row numbers of the three sides; they share no unit.

    Attributes
    ----------
    train, validation, test : ndarray of int64
        Row numbers, ascending.
    unit : str
        What was kept whole: ``pair``, ``clip``, ``take`` or ``actor``.

    Notes
    -----
    Taught in lesson 05.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    unit: str


def split(rows: pd.DataFrame, unit: str, seed: int) -> Split:
    """Cut rows into train, validation and test: 80, 10 and 10 % of the units.

    Units are dealt so that every side has the emotions, or for actors the sexes, in their
    proportions. From eight actors on, validation and test hold men and women, which of few
    actors is more than a tenth.

    Parameters
    ----------
    rows : DataFrame
        One row for each thing to train on, with the columns of `ravdess.index`
        (`FeatureStore.rows`).
    unit : {"pair", "clip", "take", "actor"}
        What is never cut apart.
    seed : int

    Returns
    -------
    Split

    Raises
    ------
    ValueError
        If there is no such unit, or too few of it for three sides.

    Notes
    -----
    Taught in lesson 05. Source: the paper's 80/10/10; what is counted is our decision.
    """
    return folds(rows, unit, _groups(_units(rows, unit)), seed)[0]


def folds(rows: pd.DataFrame, unit: str, count: int, seed: int) -> list[Split]:
    """Cut rows into folds: every unit is tested once.

    In each fold a tenth of what is not tested validates, or of few actors more, as in `split`.

    Parameters
    ----------
    rows, unit, seed
        As `split`.
    count : int
        How many folds.

    Returns
    -------
    list of Split
        One for each fold.

    Raises
    ------
    ValueError
        As `split`, or if there are more folds than units to test.

    Notes
    -----
    Taught in lesson 05. Source: scikit-learn's `StratifiedKFold` deals the units.
    """
    units = _units(rows, unit)
    if not 2 <= count <= len(units):
        raise ValueError(
            f"folds: {count} folds cannot be made of {len(units)} units of {unit!r}; "
            f"choose from 2 to {len(units)}"
        )
    numbers = _unit_numbers(rows, unit)
    made = []
    for rest, tested in _deal(units, count, seed):
        remaining = units.iloc[rest]
        if len(remaining) < 2:
            raise ValueError(
                f"folds: {count} folds of {len(units)} units of {unit!r} leave one unit to train "
                "and validate on; choose more folds"
            )
        kept, validating = _deal(remaining, _groups(remaining), seed)[0]
        sides = (remaining.index[kept], remaining.index[validating], units.index[tested])
        made.append(Split(*(np.flatnonzero(np.isin(numbers, side)) for side in sides), unit))
    return made


def _unit_numbers(rows: pd.DataFrame, unit: str) -> np.ndarray:
    """For each row, the number of the unit it belongs to."""
    if unit not in UNITS:
        raise ValueError(f"split: there is no unit {unit!r}; choose from {', '.join(UNITS)}")
    columns = UNITS[unit]
    return rows.groupby(columns).ngroup().to_numpy() if columns else np.arange(len(rows))


def _units(rows: pd.DataFrame, unit: str) -> pd.Series:
    """One entry for each unit, numbered, holding what is to be in proportion on all sides."""
    numbers = _unit_numbers(rows, unit)
    units = pd.Series(rows["sex" if unit == "actor" else "emotion"].to_numpy(), index=numbers)
    units = units[~units.index.duplicated()].sort_index()
    if len(units) < 3:
        raise ValueError(
            f"split: three sides need at least three units of {unit!r}, "
            f"and there are {len(units)}; "
            + ("add recordings of more actors" if unit == "actor" else "add recordings")
        )
    return units


def _groups(units: pd.Series) -> int:
    """Ten groups, or as many as the rarest kind of unit can stand in every one of."""
    rarest = int(units.value_counts().min())
    return min(10, rarest if rarest >= 3 else len(units))


def _deal(units: pd.Series, count: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Deal units into groups like cards, kind by kind; each group in turn is set aside."""
    too_rare = units.value_counts().min() < count
    kinds = np.zeros(len(units)) if too_rare else units.to_numpy()
    dealer = StratifiedKFold(count, shuffle=True, random_state=seed)
    return list(dealer.split(np.zeros(len(units)), kinds))
