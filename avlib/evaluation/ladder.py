"""From 0.35 to the best with unseen speakers, one change at a time: the ladder of lesson 09.

Every choice (shrinkage, weights of late fusion) is made on training speakers; see `LateFusion`.
Taught in notebooks/09-better-with-unseen-speakers.ipynb.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import delayed
from scipy.special import log_softmax
from threadpoolctl import threadpool_limits

from avlib import files, workers
from avlib.evaluation import metrics, runner
from avlib.evaluation.runner import Trial
from avlib.features import functionals
from avlib.features.store import FeatureStore
from avlib.learning import splits
from avlib.learning.classifiers import ensemble
from avlib.learning.fusion import Features, JointFusion, LateFusion
from avlib.learning.training import Training

LISTENERS = 0.624  # of RAVDESS's clips, from sound, neutral and calm as one (its validation, S1)
STRANGER, ALL = 0, "all"
CURVE: tuple[int | str, ...] = (STRANGER, 1, 2, 5, 10, 20, ALL)
DRAWS = 3  # times that the known clips are drawn
VOICE, LATE, JOINT = "the whole voice", "voice and face, late", "voice and face, joint"
BEST = "discriminants and networks, late"
OWN = "the voice, its level left out"  # for another microphone than RAVDESS's
SHIPPED = (VOICE, LATE)  # for any voice `robustness` has one that learns from spoilt clips, too
BY_NETWORKS = {"sound": "sound by networks", "face": "face by networks"}
UNFAIR = "their proportions told (unfair)"
DIFFERENCES = (
    ("silence trimmed", "mean MFCCs of the clip"),
    ("their spread added", "silence trimmed"),
    ("pitch, loudness and time added", "their spread added"),
    (VOICE, "pitch, loudness and time added"),
    ("networks on the voice", VOICE),
    (OWN, VOICE),
    (LATE, VOICE),
    (LATE, JOINT),
    ("networks on both, late", LATE),
    (BEST, LATE),
    (LATE, "fusion network of lesson 04"),
    (BEST, "fusion network of lesson 04"),
)


@dataclass(frozen=True)
class Rung:
    """What is learned at once, and the steps of the ladder that it gives.

    A step is some of the opinions, and how many clips its speakers are known by.
    """

    features: Features
    steps: Mapping[str, tuple[Sequence[str], Sequence[int | str]]]
    joint: bool = False


def rungs(store: FeatureStore, networks: bool = True) -> list[Rung]:
    """The ladder of a store by the recipe ``voice``, with or without small networks."""
    heard, columns = store.voice, [each.name for each in functionals.described()]

    def of(*groups: str) -> dict[str, np.ndarray]:
        return {"sound": heard[:, [any(n.startswith(g) for g in groups) for n in columns]]}

    spread = ("mfcc mean", "mfcc deviation", "mfcc p10", "mfcc p90", "mfcc movement")
    prosody = ("pitch", "loudness", "time")
    ladder = [
        Rung(of("mfcc mean"), {"silence trimmed": (["sound"], [STRANGER])}),
        Rung(of(*spread), {"their spread added": (["sound"], [STRANGER])}),
        Rung(
            of(*spread, *prosody), {"pitch, loudness and time added": (["sound"], [STRANGER])}
        ),
    ]  # fmt: skip
    given, some, every = {"sound": heard}, (STRANGER, 5, ALL), (*CURVE, "neutral")
    own = heard[:, [not functionals.follows_level(name) for name in columns]]
    ladder.append(Rung({"sound": own}, {OWN: (["sound"], every)}))
    face = faces(store)
    steps = {VOICE: (["sound"], some)}
    if face is not None:
        given = both = {"sound": heard, "face": face}
        steps |= {"face alone": (["face"], some), LATE: (["sound", "face"], every)}
    if networks:
        given = given | {BY_NETWORKS[name]: clips for name, clips in given.items()}
        steps["networks on the voice"] = ([BY_NETWORKS["sound"]], some)
        if face is not None:
            steps["networks on both, late"] = (list(BY_NETWORKS.values()), some)
            steps[BEST] = (list(given), every)
    joint = [Rung(both, {JOINT: (["joint"], some)}, joint=True)] if face is not None else []
    return [*ladder, Rung(given, steps), *joint]


def faces(store: FeatureStore) -> np.ndarray | None:
    """What is seen of each clip as a row of numbers; None of a store of sound alone.

    Action units; or of frame pairs their mean at 16 × 16 grey pixels and how the second frame
    differs from the first: linear discriminants of pixels are known as Fisherfaces (Belhumeur et
    al. 1997, doi:10.1109/34.598228).
    """
    if store.pairs is None:
        return store.vectors
    return pd.DataFrame(seen(store.pairs)).groupby(store.clip_of_pair).mean().to_numpy()


def seen(pairs: np.ndarray) -> np.ndarray:
    """Frame pairs, ``(pairs, 64, 128, 3)`` uint8, as rows of `faces`, ``(pairs, 512)`` float32."""
    blocks = pairs.astype(np.float32).mean(axis=3).reshape(-1, 16, 4, 32, 4)
    first, second = np.split(blocks.mean(axis=(2, 4)), 2, axis=2)
    return np.concatenate([first, second - first], axis=2).reshape(len(first), -1)


def run(
    store: FeatureStore,
    mfccs: FeatureStore,
    folds: int | str = "hicmae",
    networks: bool = True,
    jobs: int | None = None,
    progress: bool = True,
    keep: Path | None = None,
) -> dict[str, object]:
    """Climb the ladder on folds of actors; with networks, the fusion network of lesson 04, too.

    `store` is by the recipe ``voice``, `mfccs` by ``sequence``, of the same clips. In the folder
    `keep` runs of the fusion network are kept, and a log of every look at these test actors.

    Returns the circumstances, ``looks`` (how many there were, this one with it), ``listeners``,
    ``rows`` and ``differences`` (paired), each with ``step``, ``speaker_clips``, ``accuracy``,
    its 95 % interval over actors ``low`` to ``high``, ``uar`` and ``calibration_error``; and ``of``
    the steps that may be shipped, for strangers, ``recall`` by emotion and ``accuracy_of_actor``.
    """
    tested = [
        np.unique(store.rows["actor"].iloc[split.test]).tolist()
        for split in splits.cuts(store.rows, "actor", folds, seed=0)
    ]
    means = {"sound": mfccs.mfcc.mean(axis=2)}
    first = Rung(means, {"mean MFCCs of the clip": (["sound"], [STRANGER])})
    ladder = [first, *rungs(store, networks)]
    known = store.clips[["clip", "actor", "emotion"]]
    # The longest first, so that no core waits long for the last one.
    tasks = [delayed(_climb)(rung, known, actors) for rung in ladder[::-1] for actors in tested]
    found = workers.results(tasks, jobs, "ladder", "fold", progress, ordered=True)
    tables: dict[tuple[str, int | str], list[pd.DataFrame]] = {}
    for by_step in found:
        for place, table in by_step.items():
            tables.setdefault(place, []).append(table)
    pooled = {
        (step, clips): pd.concat(tables[step, clips], ignore_index=True)
        for rung in ladder
        for step, (_, numbers) in rung.steps.items()
        for clips in numbers
    }
    if (LATE, STRANGER) in pooled:
        closest = BEST if networks else LATE
        pooled[UNFAIR, STRANGER] = with_proportions(pooled[closest, STRANGER])
    if networks and store.image_shape is not None:
        pooled["fusion network of lesson 04", STRANGER] = _lesson_04(
            mfccs, folds, jobs=jobs, progress=progress, keep=keep
        )
    result = runner.circumstances("ladder", store) | {
        "folds": folds,
        "listeners": LISTENERS,
        "rows": [row(place, metrics.summarise(table)) for place, table in pooled.items()],
        "differences": _differences(pooled),
        "of": {
            step: shares_of(pooled[step, STRANGER])
            for step in SHIPPED
            if (step, STRANGER) in pooled
        },
    }
    return result | {"looks": _looked(keep, result)}


Tables = dict[tuple[str, int | str], pd.DataFrame]


def _climb(rung: Rung, known: pd.DataFrame, actors: Sequence[int]) -> Tables:
    """Learn from the other actors, and predict these: strangers, or known by some clips."""
    with runner.on_one_thread(), threadpool_limits(1):
        return _tested(rung, known, actors)


def _tested(rung: Rung, known: pd.DataFrame, actors: Sequence[int]) -> Tables:
    emotion, speaker = known["emotion"].to_numpy(), known["actor"].to_numpy()
    train = np.flatnonzero(~np.isin(speaker, actors))
    by_networks = {name: ensemble for name in BY_NETWORKS.values() if name in rung.features}
    model = JointFusion() if rung.joint else LateFusion(by_networks)
    model.fit(_rows(rung.features, train), emotion[train], speaker[train])
    found = {}
    for step, (names, numbers) in rung.steps.items():
        part = model if rung.joint else model.only(*names)
        for clips in numbers:
            found[step, clips] = asked(part, rung.features, known, actors, clips)
    return found


def asked(
    model: LateFusion,
    features: Features,
    known: pd.DataFrame,
    actors: Sequence[int],
    clips: int | str,
) -> pd.DataFrame:
    """What a model says of actors' clips when it knows so many others of theirs, or all.

    `features` are of all clips, and `known` their ``clip``, ``actor`` and ``emotion``.
    """
    emotion, speaker, found = known["emotion"].to_numpy(), known["actor"].to_numpy(), []
    for actor in actors:
        own = np.flatnonzero(speaker == actor)
        for draw in range(DRAWS if clips in CURVE[1:-1] else 1):
            some = _known_clips(clips, own, emotion[own] == 1, [actor, draw])
            rows = own if clips in (STRANGER, ALL) else np.setdiff1d(own, some)
            logs = model.log_posteriors(
                _rows(features, rows), _rows(features, some) if len(some) else None
            )
            found.append(table(known.iloc[rows], logs))
    return pd.concat(found, ignore_index=True)


def table(known: pd.DataFrame, logs: np.ndarray) -> pd.DataFrame:
    """Predictions as `metrics` takes them, of clips with ``clip``, ``actor`` and ``emotion``."""
    named = known.rename(columns={"emotion": "label"})
    return named.assign(**dict(zip(metrics.LOG_COLUMNS, logs.T, strict=True)))


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


def shares_of(predictions: pd.DataFrame) -> dict[str, dict[str, float]]:
    """What share was right of each emotion, and of each actor."""
    by_actor = metrics.accuracy_by(predictions)["accuracy"]
    return {
        "recall": metrics.accuracy_by(predictions, "label")["accuracy"].to_dict(),
        "accuracy_of_actor": {str(actor): share for actor, share in by_actor.items()},
    }


def row(place: tuple[str, int | str], found: dict[str, float]) -> dict[str, object]:
    """What `metrics.summarise` found of a step and a number of known clips, as `run` returns it."""
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


def _differences(pooled: Tables) -> list[dict[str, object]]:
    """What each step adds to the one before it for a stranger, and what the others add to late."""
    return [
        row(
            (f"{step} less {than}", STRANGER),
            metrics.difference(pooled[step, STRANGER], pooled[than, STRANGER]),
        )
        for step, than in DIFFERENCES
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
    best = {row["step"]: row["accuracy"] for row in result["rows"] if row["step"] in SHIPPED}
    looks.append({"at": place, "on": date.today().isoformat(), "accuracy": best})
    files.seal(path, {"looks": looks})
    return sum(look["at"] == place for look in looks)


def measured() -> pd.DataFrame:
    """What the ladder came to on RAVDESS, as RESULTS.md prints it.

    One row for each ``step`` and number of ``speaker_clips`` (text: ``0``, ``5``, ``all``, …), with
    ``accuracy``, ``low``, ``high``, ``uar`` and ``calibration_error``.
    """
    kept = json.loads(Path(__file__).with_name("ladder.json").read_text("utf-8"))
    return pd.DataFrame(kept["rows"]).astype({"speaker_clips": str})
