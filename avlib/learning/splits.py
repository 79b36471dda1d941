"""Which rows train, which validate, which test, and what is never cut apart.

A split keeps *units* whole: a frame pair, a clip, a take (both repetitions of the same
sentence, emotion and intensity by one actor) or an actor. The paper does not say what its 80/10/10
counts; the choice decides what an accuracy means.
Taught in notebooks/05-the-accuracy-comparison.ipynb.
"""

import itertools
import warnings
from collections.abc import Sequence
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

# Test actors of each fold, as they were published: EmoBox; Luna-Jiménez et al. 2022,
# doi:10.3390/app12010327; HiCMAE.
PUBLISHED = {
    "emobox": (
        (1, 11, 20, 21), (4, 10, 12, 14), (8, 9, 19, 23),
        (3, 5, 7, 24), (2, 15, 16, 18), (6, 13, 17, 22),
    ),
    "luna-jimenez": (
        (2, 5, 14, 15, 16), (3, 6, 7, 13, 18), (10, 11, 12, 19, 20),
        (8, 17, 21, 23, 24), (1, 4, 9, 22),
    ),
    "hicmae": tuple(tuple(range(first, first + 4)) for first in range(1, 25, 4)),
    "leave-one-out": tuple((actor,) for actor in range(1, 25)),
}  # fmt: skip


@dataclass(frozen=True)
class Split:
    """Row numbers of the three sides, each int64 and ascending; they share no unit."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    unit: str  # what was kept whole: pair, clip, take or actor


def split(rows: pd.DataFrame, unit: str, seed: int) -> Split:
    """Cut rows into train, validation and test: 80, 10 and 10 % of the units.

    `rows` has the columns of `ravdess.index`, one row for each thing to train on
    (`FeatureStore.rows`). Every side has the emotions, or for actors the sexes, in their
    proportions. From eight actors on, validation and test hold men and women, which of few actors
    is more than a tenth. Raises ValueError if there is no such unit, or too few of it for three
    sides. Source: the paper's 80/10/10; what is counted is our decision.

    >>> rows = pd.DataFrame({"clip": list("abcdefghij"), "emotion": 1})
    >>> made = split(rows, "clip", seed=0)
    >>> len(made.train), len(made.validation), len(made.test)
    (8, 1, 1)
    """
    return folds(rows, unit, _groups(_units(rows, unit)), seed)[0]


def folds(rows: pd.DataFrame, unit: str, count: int, seed: int) -> list[Split]:
    """Cut rows into `count` folds, so that every unit is tested once (see `split`).

    In each fold a tenth of what is not tested validates, or of few actors more. Raises ValueError
    as `split`, or if there are more folds than units.
    """
    units = _units(rows, unit)
    if not 2 <= count <= len(units):
        raise ValueError(
            f"folds: {count} folds cannot be made of {len(units)} units of {unit!r}; "
            f"choose from 2 to {len(units)}"
        )
    tested = [units.index[side] for _, side in _deal(units, count, seed)]
    return [_fold(rows, unit, units, side, seed) for side in tested]


def cuts(rows: pd.DataFrame, unit: str, count: int | str | None, seed: int) -> list[Split]:
    """One split (None), so many `folds`, or `published` ones by their name."""
    if count is None:
        return [split(rows, unit, seed)]
    if isinstance(count, int):
        return folds(rows, unit, count, seed)
    if unit != "actor":
        raise ValueError(f"folds: {count!r} keeps actors apart; choose the unit 'actor'")
    return published(rows, count, seed)


def published(rows: pd.DataFrame, name: str, seed: int) -> list[Split]:
    """The folds of actors that others report on (`PUBLISHED`), to stand beside their numbers.

    Where actors are missing from the rows, a warning names them: each fold tests those of its
    actors that are there, and a fold without any is left out. Validation actors come from the
    training side, as in `folds`. Raises ValueError if there are no such folds, or too few actors.
    """
    if name not in PUBLISHED:
        raise ValueError(f"folds: {name!r} is not known; choose from {', '.join(PUBLISHED)}")
    units = _units(rows, "actor")
    numbers = dict(zip(rows["actor"], _unit_numbers(rows, "actor"), strict=True))
    if missing := sorted({*range(1, 25)} - {*numbers}):
        warnings.warn(
            f"folds {name}: the rows lack {len(missing)} of the 24 actors "
            f"({', '.join(map(str, missing))}); what comes out cannot stand beside the published "
            "numbers",
            stacklevel=2,
        )
    tested = [[numbers[actor] for actor in fold if actor in numbers] for fold in PUBLISHED[name]]
    return [_fold(rows, "actor", units, side, seed) for side in tested if side]


def _fold(
    rows: pd.DataFrame, unit: str, units: pd.Series, tested: Sequence[int], seed: int
) -> Split:
    """Test some units; of the rest, let a group validate."""
    remaining = units[~units.index.isin(tested)]
    if len(remaining) < 2:
        raise ValueError(
            f"folds: of {len(units)} units of {unit!r}, {len(remaining)} would be left to train "
            "and validate on; choose more folds"
        )
    kept, validating = _deal(remaining, _groups(remaining), seed)[0]
    sides = (remaining.index[kept], remaining.index[validating], tested)
    numbers = _unit_numbers(rows, unit)
    made = Split(*(np.flatnonzero(np.isin(numbers, side)) for side in sides), unit)
    check(rows, made)
    return made


def check(rows: pd.DataFrame, split: Split) -> None:
    """See that no unit stands on two sides of a split, from here or elsewhere, and no row is lost.

    Raises ValueError that names the first unit that does.
    """
    numbers = _unit_numbers(rows, split.unit)
    sides = {name: getattr(split, name) for name in ("train", "validation", "test")}
    for (one, here), (other, there) in itertools.combinations(sides.items(), 2):
        crossing = here[np.isin(numbers[here], numbers[there])]
        if len(crossing):
            known = rows.iloc[crossing[0]][UNITS[split.unit] or ["clip"]].to_dict()
            raise ValueError(
                f"split: {split.unit} {known} stands both in {one} and in {other}; "
                f"{len(crossing)} rows of {one} do"
            )
    used = sum(len(side) for side in sides.values())
    if used != len(rows):
        raise ValueError(f"split: it holds {used} of {len(rows)} rows; each belongs on one side")


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
