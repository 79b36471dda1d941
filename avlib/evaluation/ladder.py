"""From 0.35 to the best with unseen speakers, one change at a time: the ladder of lesson 09.

Every choice (shrinkage, weights of late fusion) is made on training speakers; see `LateFusion`.
Taught in notebooks/09-better-with-unseen-speakers.ipynb.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from joblib import delayed
from scipy.special import log_softmax
from threadpoolctl import threadpool_limits

from avlib import files, workers
from avlib.evaluation import metrics, runner
from avlib.evaluation.runner import Trial
from avlib.features import functionals
from avlib.features.store import FeatureStore
from avlib.learning import splits
from avlib.learning.fusion import Features, JointFusion, LateFusion, ensemble
from avlib.learning.training import Training

LISTENERS = 0.624  # of RAVDESS's clips, from sound, neutral and calm as one (its validation, S1)
STRANGER, ALL = 0, "all"
CURVE: tuple[int | str, ...] = (STRANGER, 1, 2, 5, 10, 20, ALL)
DRAWS = 3  # times that the known clips are drawn
CLOSEST = ("voice and face, late", "voice and face, joint")


@dataclass(frozen=True)
class Rung:
    """One step of the ladder: what is heard and seen, and what learns from it."""

    step: str
    features: Features
    known: Sequence[int | str] = (STRANGER,)
    joint: bool = False
    networks: tuple[str, ...] = ()  # the modalities that an ensemble of networks learns


def rungs(store: FeatureStore, networks: bool = False) -> list[Rung]:
    """The ladder of a store by the recipe ``voice``; with `networks`, small ones beside it."""
    heard, columns = store.voice, [each.name for each in functionals.described()]

    def of(*groups: str) -> np.ndarray:
        return heard[:, [any(name.startswith(g) for g in groups) for name in columns]]

    spread = ("mfcc mean", "mfcc deviation", "mfcc p10", "mfcc p90", "mfcc movement")
    ladder = [
        Rung("silence trimmed", {"sound": of("mfcc mean")}),
        Rung("their spread added", {"sound": of(*spread)}),
        Rung("pitch, loudness and time added", {"sound": of(*spread, "pitch", "loudness", "time")}),
        Rung("the whole voice", {"sound": heard}, (STRANGER, 5, ALL)),
    ]
    if networks:
        ladder.append(Rung("networks on the voice", {"sound": heard}, networks=("sound",)))
    face = faces(store)
    if face is None:
        return ladder
    both = {"sound": heard, "face": face}
    ladder += [
        Rung("face alone", {"face": face}, (STRANGER, 5, ALL)),
        Rung(CLOSEST[0], both, (*CURVE, "neutral")),
        Rung(CLOSEST[1], both, (STRANGER, 5, ALL), joint=True),
    ]
    if networks:
        beside = both | {"sound by networks": heard, "face by networks": face}
        ladder += [
            Rung("networks on both, late", both, networks=("sound", "face")),
            Rung("networks beside them", beside, (STRANGER, 5, ALL), networks=tuple(beside)[2:]),
        ]
    return ladder


def faces(store: FeatureStore) -> np.ndarray | None:
    """What is seen of each clip as a row of numbers; None of a store of sound alone.

    Action units; or of frame pairs their mean at 16 × 16 grey pixels and how the second frame
    differs from the first: linear discriminants of pixels are known as Fisherfaces (Belhumeur et
    al. 1997, doi:10.1109/34.598228).
    """
    if store.pairs is None:
        return store.vectors
    blocks = store.pairs.astype(np.float32).mean(axis=3).reshape(-1, 16, 4, 32, 4)
    first, second = np.split(blocks.mean(axis=(2, 4)), 2, axis=2)
    seen = np.concatenate([first, second - first], axis=2).reshape(len(first), -1)
    return pd.DataFrame(seen).groupby(store.clip_of_pair).mean().to_numpy()


def run(
    store: FeatureStore,
    mfccs: FeatureStore,
    folds: int | str = "hicmae",
    networks: bool = False,
    jobs: int | None = None,
    progress: bool = True,
    keep: Path | None = None,
) -> dict[str, object]:
    """Climb the ladder on folds of actors; with networks, the fusion network of lesson 04, too.

    `store` is by the recipe ``voice``, `mfccs` by ``sequence``, of the same clips. In the folder
    `keep` runs of the fusion network are kept, and a log of every look at these test actors.

    Returns the circumstances, ``looks`` (how many there were, this one with it), ``listeners``,
    ``rows`` and ``differences`` (paired), each with ``step``, ``speaker_clips``, ``accuracy``,
    its 95 % interval over actors ``low`` to ``high``, ``uar`` and ``calibration_error``; and of the
    best step for strangers ``recall`` by emotion and ``accuracy_of_actor``.
    """
    tested = [
        np.unique(store.rows["actor"].iloc[split.test]).tolist()
        for split in splits.cuts(store.rows, "actor", folds, seed=0)
    ]
    means = Rung("mean MFCCs of the clip", {"sound": mfccs.mfcc.mean(axis=2)})
    ladder = [means, *rungs(store, networks)]
    known = store.clips[["clip", "actor", "emotion"]]
    tasks = [delayed(_climb)(rung, known, actors) for rung in ladder for actors in tested]
    found = workers.results(tasks, jobs, "ladder", "fold", progress, ordered=True)
    tables: dict[tuple[str, int | str], list[pd.DataFrame]] = {}
    for (rung, _), by_known in zip(((r, a) for r in ladder for a in tested), found, strict=True):
        for clips, table in by_known.items():
            tables.setdefault((rung.step, clips), []).append(table)
    pooled = {place: pd.concat(each, ignore_index=True) for place, each in tables.items()}
    if (CLOSEST[0], STRANGER) in pooled:
        place = ("their proportions told (unfair)", STRANGER)
        pooled[place] = with_proportions(pooled[CLOSEST[0], STRANGER])
    if networks and store.image_shape is not None:
        pooled["fusion network of lesson 04", STRANGER] = _lesson_04(
            mfccs, folds, jobs=jobs, progress=progress, keep=keep
        )
    best = pooled.get((CLOSEST[0], STRANGER), pooled["the whole voice", STRANGER])
    result = runner.circumstances("ladder", store) | {
        "folds": folds,
        "listeners": LISTENERS,
        "rows": [_row(place, metrics.summarise(table)) for place, table in pooled.items()],
        "differences": _differences(pooled),
        "recall": metrics.accuracy_by(best, "label")["accuracy"].to_dict(),
        "accuracy_of_actor": {
            str(actor): share for actor, share in metrics.accuracy_by(best)["accuracy"].items()
        },
    }
    return result | {"looks": _looked(keep, result)}


def _climb(rung: Rung, known: pd.DataFrame, actors: Sequence[int]) -> dict[int | str, pd.DataFrame]:
    """Learn from the other actors, and predict these: strangers, or known by some clips."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            return _tested(rung, known, actors)
    finally:
        torch.set_num_threads(threads)


def _tested(
    rung: Rung, known: pd.DataFrame, actors: Sequence[int]
) -> dict[int | str, pd.DataFrame]:
    emotion, speaker = known["emotion"].to_numpy(), known["actor"].to_numpy()
    train = np.flatnonzero(~np.isin(speaker, actors))
    model = JointFusion() if rung.joint else LateFusion(dict.fromkeys(rung.networks, ensemble))
    model.fit(_rows(rung.features, train), emotion[train], speaker[train])
    found: dict[int | str, list[pd.DataFrame]] = {clips: [] for clips in rung.known}
    for actor in actors:
        own = np.flatnonzero(speaker == actor)
        for clips in rung.known:
            for draw in range(DRAWS if clips in CURVE[1:-1] else 1):
                some = _known_clips(clips, own, emotion[own] == 1, [actor, draw])
                asked = own if clips in (STRANGER, ALL) else np.setdiff1d(own, some)
                logs = model.log_posteriors(
                    _rows(rung.features, asked), _rows(rung.features, some) if len(some) else None
                )
                table = known.iloc[asked].rename(columns={"emotion": "label"})
                found[clips].append(
                    table.assign(**dict(zip(metrics.LOG_COLUMNS, logs.T, strict=True)))
                )
    return {clips: pd.concat(each, ignore_index=True) for clips, each in found.items()}


def _known_clips(
    clips: int | str, own: np.ndarray, neutral: np.ndarray, seed: Sequence[int]
) -> np.ndarray:
    """Which of a speaker's clips are known: all, the neutral ones, or some by the draw."""
    if isinstance(clips, int):
        return np.random.default_rng(seed).permutation(own)[:clips]
    return own if clips == ALL else own[neutral]


def _rows(features: Features, rows: np.ndarray) -> dict[str, np.ndarray]:
    return {name: clips[rows] for name, clips in features.items()}


def with_proportions(predictions: pd.DataFrame) -> pd.DataFrame:
    """Predictions of each actor, made to hold every emotion as often as RAVDESS does.

    Whoever knows that four of sixty clips are neutral, and eight each of the rest, knows what no
    user can know. Rows and columns are scaled in turns until both sums fit. Source: Sinkhorn 1964,
    doi:10.1214/aoms/1177703591.
    """
    done = []
    for _, own in predictions.groupby("actor"):
        counts = np.bincount(own["label"], minlength=9)[1:]
        shares = np.exp(own[metrics.LOG_COLUMNS].to_numpy())
        for _ in range(100):
            shares *= counts / np.maximum(shares.sum(axis=0), 1e-12)
            shares /= shares.sum(axis=1, keepdims=True)
        logs = log_softmax(np.log(shares + 1e-12), axis=1)
        done.append(own.assign(**dict(zip(metrics.LOG_COLUMNS, logs.T, strict=True))))
    return pd.concat(done, ignore_index=True)


def _lesson_04(mfccs: FeatureStore, folds: int | str, **how: object) -> pd.DataFrame:
    """What the fusion network with modality dropout says in the same folds, five seeds."""
    count = len(splits.cuts(mfccs.rows, "actor", folds, seed=0))
    trials = [
        Trial("balanced", "actor", Training(seed=seed).for_network("balanced"), folds, fold)
        for seed in range(5)
        for fold in range(count)
    ]
    runs = runner.run("ladder", mfccs, trials, **how)["runs"]
    return pd.concat(
        [metrics.from_log_probabilities(each["predictions"]) for each in runs], ignore_index=True
    )


def _row(place: tuple[str, int | str], found: dict[str, float]) -> dict[str, object]:
    step, clips = place
    return {
        "step": step,
        "speaker_clips": clips,
        "accuracy": found["accuracy"],
        "low": found.get("accuracy from"),
        "high": found.get("accuracy to"),
        "uar": found["UAR"],
        "calibration_error": found.get("calibration error"),
    }


def _differences(pooled: dict[tuple[str, int | str], pd.DataFrame]) -> list[dict[str, object]]:
    """What each step adds to the one before it for a stranger, and what the others add to late."""
    compared = [
        ("silence trimmed", "mean MFCCs of the clip"),
        ("their spread added", "silence trimmed"),
        ("pitch, loudness and time added", "their spread added"),
        ("the whole voice", "pitch, loudness and time added"),
        ("networks on the voice", "the whole voice"),
        (CLOSEST[0], "the whole voice"),
        (CLOSEST[0], CLOSEST[1]),
        ("networks on both, late", CLOSEST[0]),
        ("networks beside them", CLOSEST[0]),
        (CLOSEST[0], "fusion network of lesson 04"),
    ]
    return [
        _row(
            (f"{step} less {than}", STRANGER),
            metrics.difference(pooled[step, STRANGER], pooled[than, STRANGER]),
        )
        for step, than in compared
        if (step, STRANGER) in pooled and (than, STRANGER) in pooled
    ]


def _looked(keep: Path | None, result: dict[str, object]) -> int:
    """Write a look at these test actors into the log, and count them."""
    if keep is None:
        return 1
    path = keep / "looks.json"
    form = {"looks": list}
    looks = files.unseal(path, form)["looks"] if path.is_file() else []
    place = [result["recordings"], result["folds"]]
    best = max(row["accuracy"] for row in result["rows"] if row["speaker_clips"] == STRANGER)
    looks.append({"at": place, "on": date.today().isoformat(), "best": best})
    files.seal(path, {"looks": looks})
    return sum(look["at"] == place for look in looks)


def measured() -> pd.DataFrame:
    """What the ladder came to on RAVDESS: 16 actors in four folds of consecutive actors.

    A row for each step: ``step``, ``speaker_clips`` (as text), ``accuracy``, its 95 % interval
    ``low`` to ``high``, ``uar``, ``calibration_error``.
    """
    path = Path(__file__).with_name("ladder.json")
    found = pd.DataFrame(json.loads(path.read_text(encoding="utf-8"))["rows"])
    return found.assign(speaker_clips=found["speaker_clips"].astype(str))
