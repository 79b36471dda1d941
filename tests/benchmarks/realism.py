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


def rows(found: dict[str, object]) -> list[dict[str, object]]:
    """What `report` found, a dict a row."""
    table = experiments.table(found["networks"])
    table.index.names = ["split by", "who"]
    listed = table.reset_index().to_dict("records")
    listed += [
        {"split by": split, "who": "support vector machine, 40 mean MFCCs", "accuracy": value}
        for split, value in found["svm"].items()
    ]
    listed += [
        {"who": f"rank correlation, {what}", "correlation": value}
        for what, value in found["voice"].items()
    ]
    return listed + [
        {"split by": "actor", "who": f"balanced takes {true} for {predicted}", "share": share}
        for true, shares in found["confused"].items()
        for predicted, share in shares.items()
    ]


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
        kept = {"measured_on": "the practice corpus", "rows": rows(found)}
        files.save_json(options.json, kept)
    print(
        f"{options.corpus}: practice corpus of {found['clips']} clips of {found['actors']} actors; "
        f"networks with the sequence recipe, {options.epochs} epochs, {options.seeds} seeds"
    )
    print(pd.DataFrame(rows(found)).round(3).to_string(index=False, na_rep=""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
