"""Other microphones, rooms and lines: how well a voice is known through them, and what helps.

A recogniser that learned from one studio's recordings takes a hum for a mood. One that learned from
the same recordings spoilt in some ways (`TRAINED_WITH`), too, does not: *data augmentation*, or
multi-condition training (Lippmann et al. 1987, doi:10.1109/ICASSP.1987.1169544). It is the one that
is shipped for any voice. Taught in notebooks/10-your-own-voice-and-face.ipynb.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from joblib import delayed
from threadpoolctl import threadpool_limits

from avlib import files, workers
from avlib.evaluation import ladder, metrics, recogniser, runner
from avlib.features import audio, functionals, spoil
from avlib.features.recipe import Recipe
from avlib.features.spoil import CONDITIONS
from avlib.features.store import FeatureStore
from avlib.learning import splits
from avlib.learning.fusion import LateFusion
from avlib.learning.training import load_weights, save_weights

# Chosen before anything was measured: one of each kind, and the milder one.
TRAINED_WITH = ("clean", "noise 20 dB", "room 0.4 s", "telephone")
WAYS = {"clean recordings": ("clean",), "spoilt ones, too": TRAINED_WITH}
STEP = "any voice, clean and spoilt"


def hear(
    clips: pd.DataFrame,
    recordings: str,
    keep: Path | None = None,
    jobs: int | None = None,
    progress: bool = True,
) -> np.ndarray:
    """The functionals of every clip under every condition, ``(clips, conditions, functionals)``.

    float32; NaN where no voice is found. `clips` is what `ravdess.index` returned, and `recordings`
    the digest of their bytes. They are kept in the folder `keep`, for they take minutes.
    """
    names = [each.name for each in functionals.described()]
    code = inspect.getsource(spoil)
    place = files.digest([recordings, names, code, Recipe.revision])[:16]
    path = None if keep is None else keep / f"spoilt-{place}.safetensors"
    if path is not None:
        with suppress(FileNotFoundError, files.DamagedError):  # what is damaged is made again
            return load_weights(path)[0]["heard"].numpy()
    tasks = [delayed(_spoilt)(path, number) for number, path in enumerate(clips["sound"])]
    found = workers.results(tasks, jobs, "spoiling", "clip", progress, ordered=True)
    heard = np.stack(list(found))
    if path is not None:
        save_weights(path, {"heard": torch.from_numpy(heard)}, {"conditions": list(CONDITIONS)})
    return heard


def _spoilt(path: Path, number: int) -> np.ndarray:
    """The functionals of one clip under every condition."""
    sound, rate = audio.load(path)
    found = []
    for place, way in enumerate(CONDITIONS.values()):
        drawn = np.random.default_rng([number, place])
        try:
            found.append(functionals.compute(*way(sound, rate, drawn)))
        except ValueError:
            found.append(np.full(len(functionals.described()), np.nan, np.float32))
    return np.stack(found)


def learn(
    heard: np.ndarray, emotion: np.ndarray, actor: np.ndarray, conditions: Sequence[str]
) -> LateFusion:
    """A recogniser of voices, from clips, ``(clips, conditions, functionals)``, under some of them.

    Who is heard through another microphone is, to the normalisation, another speaker: so it learns
    how far lines and rooms, too, move a voice's mean.
    """
    places = [list(CONDITIONS).index(name) for name in conditions]
    clip, place = (each.ravel() for each in np.meshgrid(np.arange(len(heard)), places))
    found = ~np.isnan(heard[clip, place, 0])
    clip, place = clip[found], place[found]
    with runner.on_one_thread(), threadpool_limits(1):
        return LateFusion().fit(
            {"sound": heard[clip, place]},
            emotion[clip],
            actor[clip] * len(CONDITIONS) + place,
            people=actor[clip],
        )


def columns() -> list[int]:
    """Those of the functionals that do not follow the microphone's level."""
    names = [each.name for each in functionals.described()]
    return [n for n, name in enumerate(names) if not functionals.follows_level(name)]


def run(
    store: FeatureStore,
    heard: np.ndarray,
    folds: int | str = "hicmae",
    jobs: int | None = None,
    progress: bool = True,
) -> dict[str, object]:
    """Ask recognisers about strangers under every condition, trained on clean clips and on spoilt.

    `store` holds the clips' names, and `heard` is what `hear` returned of them. Returns the
    circumstances; ``rows``, of each condition and way of training, with ``accuracy``, ``UAR``,
    their intervals and the ``calibration error``; ``known``, as rows of `ladder.run`, of clean
    clips of speakers who are known by some; and ``of``, as there.
    """
    clips = store.clips[["clip", "actor", "emotion"]]
    tested = [
        np.unique(store.rows["actor"].iloc[split.test]).tolist()
        for split in splits.cuts(store.rows, "actor", folds, seed=0)
    ]
    own = heard[:, :, columns()]
    tasks = [delayed(_fold)(own, clips, actors, way) for way in WAYS for actors in tested]
    tables: dict[tuple, list[pd.DataFrame]] = {}
    for found in workers.results(tasks, jobs, "robustness", "fold", progress, ordered=True):
        for place, table in found.items():
            tables.setdefault(place, []).append(table)
    pooled = {place: pd.concat(each, ignore_index=True) for place, each in tables.items()}
    known = {(STEP, clips): pooled["known", clips] for clips in (*ladder.CURVE, "neutral")}
    return runner.circumstances("robustness", store) | {
        "folds": folds,
        "trained_with": TRAINED_WITH,
        "rows": [row for condition in CONDITIONS for row in _rows(condition, pooled, len(clips))],
        "known": [ladder.row(place, metrics.summarise(table)) for place, table in known.items()],
        "of": {STEP: ladder.shares_of(pooled["known", 0])},
    }


def _fold(
    heard: np.ndarray, clips: pd.DataFrame, actors: Sequence[int], way: str
) -> dict[tuple, pd.DataFrame]:
    """Learn from the other actors in one way, and predict these under every condition."""
    emotion, actor = clips["emotion"].to_numpy(), clips["actor"].to_numpy()
    train, test = ~np.isin(actor, actors), np.isin(actor, actors)
    model = learn(heard[train], emotion[train], actor[train], WAYS[way])
    found = {}
    for place, condition in enumerate(CONDITIONS):
        asked = heard[test, place]
        voiced = ~np.isnan(asked[:, 0])  # `predict` refuses the others, too
        logs = model.log_posteriors({"sound": asked[voiced]})
        found[way, condition] = ladder.table(clips[test][voiced], logs)
    if way == list(WAYS)[-1]:
        clean = {"sound": heard[:, 0]}
        for known in (*ladder.CURVE, "neutral"):
            found["known", known] = ladder.asked(model, clean, clips, actors, known)
    return found


def _rows(condition: str, pooled: dict[tuple, pd.DataFrame], clips: int) -> list[dict[str, object]]:
    """What both ways come to under a condition, and the difference."""
    both = {way: pooled[way, condition] for way in WAYS}
    rows = [
        {"heard": condition, "trained on": way}
        | metrics.summarise(table)
        | {"refused": clips - len(table)}
        for way, table in both.items()
    ]
    name = "the second less the first"
    return [*rows, {"heard": condition, "trained on": name}
            | metrics.difference(*reversed(both.values()))]  # fmt: skip


def ship(
    store: FeatureStore, heard: np.ndarray, result: dict[str, object], folder: Path
) -> list[Path]:
    """Train on all speakers, clean and spoilt, and write ``own-voice`` and the card of all.

    `result` is what `run` returned of the same clips.
    """
    names, chosen = [each.name for each in functionals.described()], columns()
    emotion, actor = (store.clips[name].to_numpy() for name in ("emotion", "actor"))
    header = runner.circumstances("recogniser", store) | {
        "functionals": [names[column] for column in chosen],
        "licence": recogniser.licence(store.corpus),
        "trained_with": TRAINED_WITH,
        "rows": result["known"],
        **result["of"][STEP],
    }
    model = learn(heard[:, :, chosen], emotion, actor, TRAINED_WITH)
    return recogniser.write("own-voice", model, header, folder)


def measured() -> pd.DataFrame:
    """What came out on RAVDESS, as RESULTS.md prints it: the ``rows`` of `run`."""
    kept = json.loads(Path(__file__).with_name("robustness.json").read_text("utf-8"))
    return pd.DataFrame(kept["rows"])
