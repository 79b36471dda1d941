"""The commands ``python -m avlib run EXPERIMENT``. Of no lesson."""

from pathlib import Path
from typing import Literal

import typer

from avlib import files, terminal
from avlib.terminal import ActionUnits, Json, RecipeName, Seed, command, flag, option, save, say

app = typer.Typer(
    name="run",
    help="Run a whole experiment.\n\nprotocols, auxiliary, pairing, dominance and systems keep "
    "every run that has ended, and go on where they were stopped.",
    **terminal.PLAIN,
)

Data = option(Path | None, "recordings (default: the lessons')", "DIR")
Split = option(Literal["pair", "clip", "take", "actor"], "what is never cut apart")
Splits = option(str, "what is never cut apart, split by split", "UNIT,…")
Folds = option(
    str | None,
    "test each of N folds in turn, or published ones: emobox, luna-jimenez, hicmae or "
    "leave-one-out; without it, one tenth is tested",
    "N",
)
Normalisation = option(
    Literal["training", "actor", "neutral"],
    "normalise features by the training side, by each actor's own clips, or by each actor's "
    "neutral clips",
)
Epochs = option(int, "rounds through the training side", "N", min=1)
Seeds = option(int, "runs of each network, with seeds 0 to N - 1", "N", min=1)
Fresh = flag("--fresh", "make every run again, whatever is kept of earlier ones")


@command(app)
def table1(
    data: Data = None,
    recipe: RecipeName = "paper",
    action_units: ActionUnits = None,
    split: Split = "actor",
    normalisation: Normalisation = "training",
    epochs: Epochs = 30,
    seed: Seed = 0,
    weights: option(Path | None, "write the trained networks there", "DIR") = None,
    json: Json = None,
) -> None:
    """Table I: the networks on one split, of which a tenth is tested."""
    from avlib.evaluation import experiments

    _try_folder(weights)
    store, settings = _prepared("table1", data, recipe, action_units, epochs, seed)
    result = experiments.table1(store, split, settings, normalisation, weights_to=weights)
    save(json, result)
    tested = result["runs"][0]["sides"]["test"]
    say(_heading("Table I (per cent)", result))
    say(experiments.table1_beside_paper(result).to_string())
    say(f"The test side holds {tested['clips']} clips of actors {tested['actors']}.")


@command(app)
def audio(
    data: Data = None,
    recipe: RecipeName = "paper",
    split: Split = "actor",
    folds: Folds = "4",
    normalisation: Normalisation = "training",
    epochs: Epochs = 30,
    seed: Seed = 0,
    json: Json = None,
) -> None:
    """Sound alone, on folds."""
    from avlib.evaluation import experiments

    parts = _folds_of(folds)
    store, settings = _prepared("audio", data, recipe, None, epochs, seed)
    result = experiments.audio(store, split, parts, settings, normalisation)
    save(json, result)
    say(_heading("Audio network", result))
    for number, run in enumerate(result["runs"], 1):
        say(
            f"  fold {number}: "
            + "accuracy {clip_accuracy:.3f}, UAR {uar:.3f}, {clips} clips of actors "
            "{actors}".format_map(run["sides"]["test"])
        )
    say(experiments.table(result).to_string(float_format="%.3f", na_rep=""))


@command(app, goes_on=True)
def protocols(
    data: Data = None,
    recipe: RecipeName = "paper",
    action_units: ActionUnits = None,
    split: Splits = "pair,clip,take,actor",
    folds: Folds = None,
    normalisation: Normalisation = "training",
    epochs: Epochs = 30,
    seeds: Seeds = 5,
    fresh: Fresh = False,
    json: Json = None,
) -> None:
    """The networks under several splits."""
    from avlib.evaluation import experiments
    from avlib.learning.splits import UNITS

    units, how = terminal.some_of(UNITS, "--split", split), _kept(folds, normalisation, fresh)
    store, settings = _prepared("protocols", data, recipe, action_units, epochs)
    result = experiments.protocols(store, units, seeds, settings, **how)
    _give(result, recipe, json)


@command(app, name="pairing", help="With sounds exchanged within an emotion.", goes_on=True)
@command(app, name="auxiliary", help="With and without auxiliary losses.", goes_on=True)
def variants(
    context: typer.Context,
    data: Data = None,
    recipe: RecipeName = "paper",
    action_units: ActionUnits = None,
    split: Split = "actor",
    folds: Folds = None,
    normalisation: Normalisation = "training",
    epochs: Epochs = 30,
    seeds: Seeds = 5,
    fresh: Fresh = False,
    json: Json = None,
) -> None:
    """The fusion network trained in several ways; the command's name says in which."""
    from avlib.evaluation import experiments

    name, how = context.info_name, _kept(folds, normalisation, fresh)
    store, settings = _prepared(name, data, recipe, action_units, epochs)
    result = experiments.variants(store, name, split, seeds, settings, **how)
    _give(result, recipe, json)


@command(app, goes_on=True)
def dominance(
    data: Data = None,
    recipe: RecipeName = "paper",
    action_units: ActionUnits = None,
    split: Splits = "clip,actor",
    folds: Folds = "4",
    epochs: Epochs = 30,
    seeds: Seeds = 2,
    cures: option(str | None, "some of the cures (default: all)", "NAME,…") = None,
    strength: option(
        str, "how much the sound tells, 1 as recorded to 0 nothing; several make worlds", "S,…"
    ) = "1",
    drawn: flag(
        "--drawn", "see the practice corpus's faces by the action units that they are drawn from"
    ) = False,
    fresh: Fresh = False,
    json: Json = None,
) -> None:
    """Which modality decides, and what cures one that drowns the other."""
    from avlib import course
    from avlib.evaluation import dominance as laboratory
    from avlib.evaluation import dominance_table
    from avlib.features.recipe import Recipe
    from avlib.learning.cures import CURES
    from avlib.learning.splits import UNITS
    from avlib.learning.training import Training

    units = terminal.some_of(UNITS, "--split", split)
    names = terminal.some_of(CURES, "--cures", cures or ",".join(CURES))
    strengths, keep = _strengths_of(strength), course.data_folder() / "runs"
    folder, how = data or course.recordings(), {"folds": _folds_of(folds), "fresh": fresh}
    clips, chosen = _with_faces("dominance", folder, recipe, action_units)
    if drawn:
        clips, chosen = laboratory.drawn_faces(clips, folder), Recipe.preset(recipe, "vector")
    store = laboratory.with_noise(course.store(clips, chosen), clips, keep)
    settings = Training(epochs=epochs)
    result = laboratory.run(store, units, seeds, settings, names, strengths, keep=keep, **how)
    save(json, result)
    faces = "frame pairs" if chosen.visual == "pairs" else "action units"
    say(
        f"dominance, {_measured_on(result)}, {recipe} recipe, faces by {faces}, {folds} folds, "
        f"{epochs} epochs, {seeds} seeds; by clip, 95 % intervals over actors",
        *dominance_table.as_text(dominance_table.table(result)),
    )


def _strengths_of(text: str) -> list[float]:
    """Read numbers from 0 to 1 with commas between them."""
    try:
        found = [float(each) for each in text.split(",")]
    except ValueError:
        found = [-1.0]
    if not all(0 <= each <= 1 for each in found):
        raise typer.BadParameter(f"{text!r} should be numbers from 0 to 1", param_hint="--strength")
    return found


@command(app, name="systems", goes_on=True)
def table2(
    data: Data = None,
    action_units: ActionUnits = None,
    split: Splits = "clip,actor",
    folds: Folds = "emobox",
    epochs: Epochs = 30,
    seeds: Seeds = 1,
    systems: option(str | None, "some of the systems (default: all)", "NAME,…") = None,
    cnn14: option(
        Path | None, "give [21] the published weights of CNN-14 (Cnn14_mAP=0.431.pth)", "FILE"
    ) = None,
    predictions: option(
        list[Path] | None,
        "somebody's predictions, as `score` reads them; may be given again",
        "FILE",
    ) = None,
    fresh: Fresh = False,
    json: Json = None,
) -> None:
    """Table II: the systems that the paper names, and its own network, on the same folds."""
    from avlib import course
    from avlib.evaluation import scoring, table2
    from avlib.features.recipe import Recipe
    from avlib.learning.splits import UNITS
    from avlib.learning.systems import built
    from avlib.learning.training import Training

    units, parts = terminal.some_of(UNITS, "--split", split), _folds_of(folds)
    names = terminal.some_of(built(), "--systems", systems or ",".join(built()))
    published = {path.stem: scoring.read(path) for path in predictions or ()}
    folder, how = data or course.recordings(), {"weights": cnn14, "fresh": fresh}
    clips, chosen = _with_faces("systems", folder, "spectrogram", action_units)
    seen = {"pairs": ("frames", "pairs", "pairs")}.get(chosen.visual, 3 * [chosen.visual])
    recipes = zip(("spectrogram", "sequence", "voice"), seen, strict=True)
    stores = (course.store(clips, Recipe.preset(*each)) for each in recipes)
    keep = course.data_folder() / "runs"
    result = table2.run(
        *stores, units, parts, seeds, Training(epochs=epochs), names, published, keep=keep, **how
    )
    save(json, result)
    faces = "films" if chosen.visual == "pairs" else "action units"
    say(
        f"systems, {_measured_on(result)}, faces by {faces}, {folds} folds, {epochs} epochs, "
        f"{seeds} seeds; by clip, 95 % intervals over actors",
        *table2.as_text(table2.table(result)),
    )


@command(app, goes_on=True)
def ladder(
    data: Data = None,
    action_units: ActionUnits = None,
    folds: Folds = "hicmae",
    quick: flag("--quick", "without networks, which take most of the time") = False,
    weights: option(Path | None, "train on all actors, and write that recogniser", "DIR") = None,
    json: Json = None,
) -> None:
    """Better with unseen speakers, one change at a time."""
    from avlib import course
    from avlib.evaluation import ladder as steps
    from avlib.evaluation import recogniser
    from avlib.features.recipe import Recipe

    folder, parts = data or course.recordings(), _folds_of(folds)
    clips, chosen = terminal.clips_and_recipe(folder, "voice", action_units, False)
    if chosen.visual == "pairs" and clips["picture"].isna().all():
        chosen = Recipe.preset("voice", "none")
    store, mfccs = (
        course.store(clips, Recipe.preset(name, chosen.visual)) for name in ("voice", "sequence")
    )
    _try_folder(weights)
    result = steps.run(store, mfccs, parts, not quick, keep=course.data_folder() / "runs")
    save(json, result)
    if weights is not None:
        recogniser.ship(store, result, weights)
    rows = [*result["rows"], *result["differences"]]
    width = max(len(row["step"]) for row in rows)
    say(
        f"ladder, {_measured_on(result)}, {folds} folds of actors; by clip, 95 % intervals over "
        f"actors. Look {result['looks']} at these actors. Listeners: "
        f"{result['listeners']:.3f} from sound on all of RAVDESS, neutral and calm as one.",
        f"{'step':{width}} known by  accuracy              UAR   calibration error",
        *(_rung(row, width) for row in rows),
    )


@command(app)
def robustness(
    data: Data = None,
    folds: Folds = "hicmae",
    weights: option(Path | None, "train on all actors, and write that recogniser", "DIR") = None,
    json: Json = None,
) -> None:
    """Strangers through other microphones, rooms and lines; sound alone."""
    from avlib import course
    from avlib.corpus import ravdess
    from avlib.evaluation import robustness
    from avlib.features.recipe import Recipe

    parts = _folds_of(folds)
    clips = ravdess.index(data or course.recordings())
    clips = clips[clips["sound"].notna()]
    store = course.store(clips, Recipe.preset("voice", "none"))
    _try_folder(weights)
    digests = store.header["recordings"]
    heard = robustness.hear(clips, digests, keep=course.data_folder() / "features")
    result = robustness.run(store, heard, parts)
    save(json, result)
    if weights is not None:
        robustness.ship(store, heard, result, weights)
    say(
        f"robustness, {_measured_on(result)}, {folds} folds of actors; by clip, 95 % intervals "
        "over actors",
        *(
            f"{row['heard']:14} {row['trained on']:25} {row['accuracy']:+.3f} "
            f"({row['accuracy from']:+.3f} to {row['accuracy to']:+.3f})"
            for row in result["rows"]
        ),
    )


def _rung(row: dict, width: int) -> str:
    sign = "+" if " less " in row["step"] else ""
    values = [format(row[name], f"{sign}.3f") for name in ("accuracy", "low", "high", "uar")]
    error = row["calibration_error"]
    sure = "" if error is None else f"{error:.3f}"
    return (
        f"{row['step']:{width}} {row['speaker_clips']!s:8}  "
        f"{'{} ({} to {})'.format(*values[:3]):26}{values[3]:7}{sure}".rstrip()
    )


def _try_folder(weights: Path | None) -> None:
    """See that weights can be written there before the training, not after."""
    if weights is not None:
        files.refuse_to_replace(weights / ".json")
        weights.mkdir(parents=True, exist_ok=True)


def _kept(folds: str | None, normalisation: str, fresh: bool) -> dict[str, object]:
    """What `protocols` and `variants` are told of folds, and of runs that are kept."""
    from avlib import course

    how = {"folds": _folds_of(folds), "normalisation": normalisation}
    return how | {"keep": course.data_folder() / "runs", "fresh": fresh}


def _folds_of(text: str | None) -> int | str | None:
    """Read a number of folds, or the name of published ones."""
    from avlib.learning.splits import PUBLISHED

    if text is None or text in PUBLISHED:
        return text
    if not text.isdecimal():
        said = f"{text!r} is neither a number nor one of {', '.join(PUBLISHED)}"
        raise typer.BadParameter(said, param_hint="--folds")
    return int(text)


def _prepared(
    name: str, data: Path | None, recipe: str, units: Path | None, epochs: int, seed: int = 0
) -> tuple:
    """The features for an experiment, built where they are not there, and how to train on them."""
    from avlib import course
    from avlib.learning.training import Training

    clips, chosen = _with_faces(name, data or course.recordings(), recipe, units)
    return course.store(clips, chosen), Training(epochs=epochs, seed=seed)


def _with_faces(name: str, folder: Path, recipe: str, units: Path | None) -> tuple:
    """The table of clips and the recipe, where the experiment finds the faces that it needs."""
    clips, chosen = terminal.clips_and_recipe(folder, recipe, units, name == "audio")
    if chosen.visual == "pairs" and clips["picture"].isna().all():
        raise ValueError(
            f"{name} needs faces, and these recordings are sound alone: add films, "
            "name a table of action units by --action-units, or use `run audio`"
        )
    return clips, chosen


def _heading(what: str, result: dict) -> str:
    training = result["training"]
    return (
        f"{what}, {_measured_on(result)}, split by {result['runs'][0]['unit']}, "
        f"{training['epochs']} epochs, seed {training['seed']}.\n{_normalised(result)}"
    )


def _measured_on(result: dict) -> str:
    the = "" if result["measured_on"] == "RAVDESS" else "the "
    clips, actors = result["clips"], len(result["actors"])
    return f"measured on {the}{result['measured_on']}: {clips} clips of {actors} actors"


def _normalised(result: dict) -> str:
    seen = ": other clips of the actors who are tested are seen"
    by = {
        "training": "the training side",
        "actor": f"each actor's own clips{seen}, without labels",
        "neutral": f"each actor's neutral clips{seen}, and which of them are neutral",
    }
    return f"Features are normalised by {by[result['normalisation']]}."


def _give(result: dict, recipe: str, json: Path | None) -> None:
    """Save and print what an experiment of many runs comes to."""
    from avlib.evaluation import experiments

    save(json, result)
    faces = {"pairs": "frame pairs", "vector": "action units"}[result["recipe"]["visual"]]
    folds = "one tenth tested" if result["folds"] is None else f"{result['folds']} folds"
    seeds = len({run["seed"] for run in result["runs"]})
    say(
        f"{result['experiment']}, {_measured_on(result)}, {recipe} recipe, faces by {faces}, "
        f"{folds}, {result['training']['epochs']} epochs, {seeds} seeds; "
        "by clip, 95 % intervals over actors",
        _normalised(result),
        experiments.table(result).to_string(float_format="%.3f", na_rep=""),
    )
