"""How near the practice corpus comes to RAVDESS: as hard, and leaking as much.

A practice corpus is worth something if a network finds on it what it would find on real
recordings: that mixing the actors flatters every number, that two senses know more than
one, and that calm is taken for neutral rather than for angry.
`python tests/benchmarks/realism.py DIR [--json FILE]` measures a practice corpus; with 960 clips
that takes half an hour on two cores.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import voices
from sklearn.model_selection import GroupKFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from avlib import course, files, practice
from avlib.corpus import ravdess
from avlib.evaluation import experiments, metrics
from avlib.features import FeatureStore, Recipe
from avlib.learning.training import Training

# On the 1440 real clips: an RBF SVM (C = 10) on 40 MFCC means, by six folds.
REAL_SVM = {"random": 0.738, "actor": 0.351}
# On the 960 real sound clips of actors 1 to 16: `run audio --recipe sequence`, four folds.
REAL_AUDIO = {"clip": 0.683, "actor": 0.434}


def report(
    clips: pd.DataFrame,
    seed: int,
    stores: tuple[FeatureStore, FeatureStore],
    seeds: int = 3,
    settings: Training = Training(),
    progress: bool = True,
) -> dict[str, object]:
    """Measure a practice corpus as RAVDESS was measured.

    `clips` is what `ravdess.index` returned for the corpus, `seed` its seed, `stores` its
    ``paper`` features (sound is enough) and its ``sequence`` features with pictures, `seeds` the
    runs of each network under each split. Returns ``voice`` (rank correlation of asked and
    measured, over at most 240 clips), ``svm`` (accuracy with clips at random and actors apart),
    ``networks`` (what `experiments.protocols` returned) and ``confused`` (see `confused`).
    ValueError if there are fewer than six actors, too few to set some apart.
    """
    paper, sequence = stores
    if clips["actor"].nunique() < 6:
        raise ValueError("report: needs clips of six actors or more; write a larger corpus")
    some = clips.iloc[:: max(1, len(clips) // 240)]
    heard = voices.asked_and_measured(some, seed)
    networks = experiments.protocols(
        sequence, ("pair", "clip", "actor"), seeds, settings, progress=progress
    )
    return {
        "clips": len(clips),
        "actors": int(clips["actor"].nunique()),
        "voice": voices.rank_correlations(heard),
        "svm": svm_accuracies(paper),
        "networks": networks,
        "confused": confused(strangers_confusion(networks)),
    }


def svm_accuracies(store: FeatureStore) -> dict[str, float]:
    """An RBF SVM (C = 10) on mean MFCCs, accuracy over six folds of a ``paper`` store.

    ``random`` with clips at random and ``actor`` with actors apart; features are standardised on
    the training side of each fold.
    """
    machine = make_pipeline(StandardScaler(), SVC(C=10))
    label, actor = store.clips["emotion"], store.clips["actor"]
    at_random = StratifiedKFold(6, shuffle=True, random_state=0)
    dealt = {
        "random": at_random.split(store.mfcc, label),
        "actor": GroupKFold(6).split(store.mfcc, label, actor),
    }
    return {
        name: float(cross_val_score(machine, store.mfcc, label, cv=folds).mean())
        for name, folds in dealt.items()
    }


def strangers_confusion(networks: dict[str, object], name: str = "balanced") -> pd.DataFrame:
    """The confusion matrix (8, 8) of one network over all its runs with actors apart.

    `networks` is what `experiments.protocols` returned.
    """
    counts = sum(
        np.array(run["confusion"])
        for run in networks["runs"]
        if run["network"] == name and run["unit"] == "actor"
    )
    return metrics.with_names(counts)


def confused(counts: pd.DataFrame) -> dict[str, dict[str, float]]:
    """For what calm and fearful are taken, as shares of the clips so acted.

    `counts` is (8, 8), true × predicted. Returns ``calm`` → ``neutral``, ``sad``, ``angry``;
    ``fearful`` → ``surprised``, ``sad``, ``happy``. Wished for: neutral and sad together over
    angry, surprised or sad over happy.
    """
    shares = counts.div(counts.sum(axis=1), axis=0)
    asked = {"calm": ["neutral", "sad", "angry"], "fearful": ["surprised", "sad", "happy"]}
    return {acted: shares.loc[acted, decided].to_dict() for acted, decided in asked.items()}


def summary(found: dict[str, object]) -> dict[str, pd.DataFrame]:
    """The tables of a report, each under its heading."""
    svm = pd.DataFrame({"practice corpus": found["svm"], "RAVDESS (24 actors)": REAL_SVM})
    return {
        "Voice, rank correlation of what was asked and what the wav measures": pd.DataFrame(
            {"practice corpus": found["voice"]}
        ).T,
        "RBF SVM on 40 mean MFCCs, accuracy": svm.T,
        "Networks, accuracy by clip, mean over seeds": _network_table(found["networks"]),
        "Fusion, unseen speakers, true (row) and predicted label (column)": strangers_confusion(
            found["networks"]
        ),
        "What calm and fearful are taken for, share of the clips so acted": pd.DataFrame(
            found["confused"]
        ).T,
    }


def _network_table(networks: dict[str, object]) -> pd.DataFrame:
    runs = pd.DataFrame(networks["runs"]).set_index(["network", "unit", "seed"])["clip_accuracy"]
    by_seed = runs.unstack("seed")
    table = by_seed.mean(axis=1).unstack("unit")[list(dict.fromkeys(runs.index.levels[1]))]
    table["clip less actor"] = table["clip"] - table["actor"]
    actor = by_seed.xs("actor", level="unit")
    table["actor, each seed"] = [
        " ".join(f"{value:.3f}" for value in row) for row in actor.to_numpy()
    ]
    for unit, value in REAL_AUDIO.items():
        table.loc["audio", f"RAVDESS {unit}"] = value
    return table.loc[list(experiments.PAPER_TABLE_1)]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", type=Path, metavar="DIR", help="a practice corpus")
    parser.add_argument("--seeds", type=int, default=3, help="runs a network (default 3)")
    parser.add_argument("--epochs", type=int, default=30, help="of each of them (default 30)")
    parser.add_argument("--json", type=Path, help="write the numbers here too")
    options = parser.parse_args(arguments)
    if options.json:
        files.refuse_to_replace(options.json)
    seed = practice.seed_of(options.corpus)
    clips = ravdess.index(options.corpus)
    stores = (
        course.store(clips, Recipe.preset("paper", visual="none")),
        course.store(clips, Recipe.preset("sequence")),
    )
    found = report(clips, seed, stores, options.seeds, Training(epochs=options.epochs))
    if options.json:
        files.save_json(options.json, found)
    print(
        f"{options.corpus}: practice corpus of {found['clips']} clips of {found['actors']} actors; "
        f"networks with the sequence recipe, {options.epochs} epochs, {options.seeds} seeds"
    )
    for heading, table in summary(found).items():
        print(f"\n{heading}\n{table.round(3).to_string(na_rep='')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
