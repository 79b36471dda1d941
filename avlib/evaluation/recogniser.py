"""The recogniser that comes with avlib: trained on every actor, with a card that says its worth.

Of no lesson yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from avlib import files
from avlib.corpus.ravdess import EMOTIONS
from avlib.evaluation import ladder, runner
from avlib.features import functionals
from avlib.features.store import FeatureStore
from avlib.learning import fusion
from avlib.learning.fusion import LateFusion

SHIPPED = Path(fusion.__file__).parent / "trained"
NAMES = {"voice": ladder.VOICE, "own-voice": None, "voice-and-face": ladder.LATE}  # step of ladder


def licence(corpus: str) -> str:
    """What binds weights that were trained on a corpus."""
    if corpus != "RAVDESS":
        return "none needed: drawn and synthetic"
    return (
        "Derived from RAVDESS (Livingstone and Russo 2018, doi:10.1371/journal.pone.0196391), "
        "whose licence, CC BY-NC-SA 4.0, binds these weights, too: no commercial use, share alike."
    )


def ship(store: FeatureStore, result: Mapping[str, object], folder: Path) -> list[Path]:
    """Train on all speakers of a store and write ``voice`` and ``voice-and-face``, and a card.

    `result` is what `ladder.run` returned about the same store: what the model is worth was
    measured on folds, of models that did not know the speaker. Returns the paths. (``own-voice`` is
    written by `robustness.ship`.)
    """
    emotion, speakers = (store.clips[name].to_numpy() for name in ("emotion", "actor"))
    paths = []
    for name, step in NAMES.items():
        if step not in result["of"]:
            continue  # the ladder went without faces
        used = {"sound": store.voice}
        if name == "voice-and-face":
            used["face"] = ladder.faces(store)
        header = runner.circumstances("recogniser", store) | {
            "functionals": [each.name for each in functionals.described()],
            "licence": licence(store.corpus),
            "rows": [row for row in result["rows"] if row["step"] == step],
            **result["of"][step],
        }
        paths += write(name, LateFusion().fit(used, emotion, speakers), header, folder)
    return list(dict.fromkeys(sorted(paths, key=lambda path: path.suffix == ".md")))


def write(name: str, model: LateFusion, header: Mapping[str, object], folder: Path) -> list[Path]:
    """Write one recogniser, and the card of all that lie in the folder; return both paths."""
    path, about = folder / f"{name}.safetensors", folder / "MODEL_CARD.md"
    fusion.save(model, path, header)
    there = {known: folder / f"{known}.safetensors" for known in NAMES}
    headers = {known: fusion.load(each)[1] for known, each in there.items() if each.exists()}
    files.save(about, card(headers).encode())
    return [path, about]


def load(name: str = "voice") -> tuple[LateFusion, dict[str, object]]:
    """A recogniser that comes with avlib, and its header, which says what it was trained on.

    ``voice`` and ``voice-and-face`` are for RAVDESS; ``own-voice`` is for other microphones: it
    goes without the functionals that follow a recording's level. Raises ValueError if there is none
    of that name, or if this avlib does not compute its functionals.

    >>> import numpy as np
    >>> model, header = load("voice")
    >>> heard = np.zeros((1, len(header["functionals"])), np.float32)
    >>> model.log_posteriors({"sound": heard}).shape
    (1, 8)
    """
    if name not in NAMES:
        raise ValueError(f"recogniser: there is no {name!r}; choose from {', '.join(NAMES)}")
    return read(SHIPPED / f"{name}.safetensors")


def read(path: Path) -> tuple[LateFusion, dict[str, object]]:
    """The recogniser of a file that `ship` wrote. Raises as `load`, or if it is no such file."""
    model, header = fusion.load(path)
    known = {each.name for each in functionals.described()}
    if not set(header.get("functionals", [""])) <= known:
        raise ValueError(
            f"{path}: was trained on other functionals than this avlib computes; train it again by "
            "`python -m avlib run ladder` or `run robustness`, with `--weights DIR`"
        )
    return model, header


def columns(names: Sequence[str]) -> list[int]:
    """Where functionals of these names stand among all of them."""
    place = {each.name: number for number, each in enumerate(functionals.described())}
    return [place[name] for name in names]


WHAT = {
    "voice": "a voice, as RAVDESS recorded it: shrinkage discriminants on {count} functionals "
    "(`avlib.features.functionals`)",
    "own-voice": "any voice: discriminants on {count} functionals, without those that follow the "
    "recording's level, trained on every recording with noise, in a room and by telephone, too",
    "voice-and-face": "voice and face: discriminants on {count} functionals, and others on the "
    "face, fused late (`avlib.learning.fusion`)",
}


def card(headers: Mapping[str, Mapping[str, object]]) -> str:
    """What is to be known of recognisers before they are used, as Markdown; headers by name."""
    parts = [
        "# Model card: the recognisers in this folder",
        "Written by `python -m avlib run ladder --weights DIR` and `python -m avlib run "
        "robustness --weights DIR`. Plain numbers as safetensors, with a header in JSON; nothing "
        "is unpickled. Networks in their place were tried and not shown to be better (RESULTS.md). "
        "(Those networks that come with avlib were trained on the practice corpus, which is drawn "
        "and synthetic.)",
        "\n".join(
            f"- `{name}` hears {WHAT[name].format(count=len(each['functionals']))}. Trained on "
            f"{each['measured_on']}: {each['clips']} clips of {len(each['actors'])} actors. "
            f"{each['licence']}"
            for name, each in headers.items()
        ),
        "**How often they are right about people they never heard.** Measured on folds of four "
        "actors, by models that did not know them; intervals over actors, 95 %. *Known by* is how "
        "many unlabelled clips of the person set the normalisation.",
        _table(
            ["", "known by", "accuracy", "UAR", "calibration error"],
            [_worth(row) for header in headers.values() for row in header["rows"]],
        ),
        "Right by emotion (recall) and by actor, about strangers:",
        _table(
            ["", *EMOTIONS, "worst actor", "best actor"],
            [_spread(header) for header in headers.values()],
        ),
        f"Listeners were right about {100 * ladder.LISTENERS:.1f} % of RAVDESS's clips from sound, "
        "neutral and calm counted as one.",
        "**Meant for** teaching, and for trying on oneself. **Not for** judging people: acted "
        "emotion is not felt emotion, and twenty-four North American actors saying two sentences "
        "are not everyone. In the European Union it is prohibited to infer emotions at work and in "
        "education (Regulation (EU) 2024/1689, Article 5(1)(f)).",
        "**Limits.** One language, two sentences, one studio and one microphone: another room, "
        "level, age, language or a cold changes what it hears. It always names one of eight words.",
    ]
    return "\n\n".join(parts) + "\n"


def _worth(row: Mapping[str, object]) -> list[str]:
    return [
        row["step"],
        str(row["speaker_clips"]),
        "{accuracy:.3f} ({low:.3f} to {high:.3f})".format_map(row),
        f"{row['uar']:.3f}",
        f"{row['calibration_error']:.3f}",
    ]


def _spread(header: Mapping[str, object]) -> list[str]:
    actors = header["accuracy_of_actor"].values()
    shares = [*header["recall"].values(), min(actors), max(actors)]
    return [header["rows"][0]["step"], *(f"{share:.2f}" for share in shares)]


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
