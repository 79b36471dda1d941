"""The commands: ``python -m avlib COMMAND --help``. Of no lesson."""

from __future__ import annotations

import argparse
import io
import os
import re
import signal
import subprocess
import sys
import threading
import warnings
from pathlib import Path

from avlib import __version__


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit status.

    Parameters
    ----------
    arguments : list of str, optional
        What follows ``python -m avlib``.

    Returns
    -------
    int
        0 if all went well, 1 if not, after a message that says what to do.

    Notes
    -----
    Where ``AVLIB_DEBUG`` is set, errors come with their traceback.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    passed_on = []
    if "--" in arguments:  # what follows belongs to JupyterLab
        cut = arguments.index("--")
        arguments, passed_on = arguments[:cut], arguments[cut + 1 :]
    _speak_any_encoding()
    options = _parser().parse_args(arguments)
    options.passed_on = passed_on
    try:
        _check_result(options)
        return options.command(options)
    except (ValueError, OSError, RuntimeError) as error:
        if os.environ.get("AVLIB_DEBUG"):
            raise
        _say(f"avlib {options.name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        goes_on = options.name in _GO_ON or getattr(options, "experiment", None) in _KEPT
        said = "; run it again to go on" if goes_on else ""
        _say(f"avlib {options.name}: interrupted{said}", file=sys.stderr)
        return 130


def _interrupt(*_: object) -> None:
    """End the command; what joblib's threads and warnings have to say of that is not the user's."""
    threading.excepthook = lambda _: None
    warnings.simplefilter("ignore")
    raise KeyboardInterrupt


def _speak_any_encoding() -> None:
    """Let a console that lacks … or → show something else; no command dies of what it says."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _say(*words: object, **how: object) -> None:
    """Print, with what a terminal would obey escaped: names of files can hold anything."""
    told = (
        re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", lambda control: ascii(control[0])[1:-1], str(word))
        for word in words
    )
    print(*told, **how)


def _check_result(options: argparse.Namespace) -> None:
    """Try `--json FILE` before the work: an hour later would be late."""
    if getattr(options, "json", None) is None:
        return
    from avlib import files

    given = [value for name, value in vars(options).items() if name != "json"]
    several = [each for value in given if isinstance(value, list) for each in value]
    inputs = [value for value in (*given, *several) if isinstance(value, Path)]
    files.refuse_to_replace(options.json, inputs)


_KEPT = ("protocols", "auxiliary", "pairing")
_GO_ON = ("download", "verify", "features", "practice")  # which keep what they have done


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m avlib", description="Lessons on seeing and hearing emotion."
    )
    parser.add_argument("--version", action="version", version=f"avlib {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: object, summary: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=summary, description=summary)
        made.set_defaults(command=command, name=name)
        return made

    lab = add("lab", _lab, "Open JupyterLab on lesson 00; what follows -- goes to JupyterLab.")
    lab.add_argument("--no-browser", action="store_true", help="print the address instead")

    doctor = add("doctor", _doctor, "Check everything that a lesson needs.")
    _json_option(doctor)

    practice = add("practice", _practice, "Write a practice corpus: drawn faces, spoken words.")
    practice.add_argument("--out", type=Path, metavar="DIR", required=True, help="where")
    practice.add_argument(
        "--actors", type=int, default=16, metavar="N", help="1 to 24 (default 16)"
    )
    practice.add_argument(
        "--whole", action="store_true", help="60 clips an actor, as RAVDESS holds, instead of 30"
    )
    practice.add_argument(
        "--modalities", type=int, nargs="+", choices=[1, 2, 3], default=[1, 3], metavar="M",
        help="1 sound and picture, 2 picture alone, 3 sound alone (default 1 3)",
    )  # fmt: skip
    practice.add_argument("--seed", type=int, default=0, metavar="S", help="default 0")

    download = add("download", _download, "Fetch RAVDESS: resumed, checked, unpacked.")
    for flag, what in (
        ("speech", "spoken sentences (the default)"),
        ("song", "sung ones"),
        ("audio", "the sound of all actors, in one archive"),
        ("video", "sound and picture, an archive of half a gigabyte for each actor"),
        ("accept-license", "agree to CC BY-NC-SA 4.0 without being asked"),
        ("keep-archives", "keep the zip archives once they are unpacked"),
        ("refresh-registry", "only compare our list of archives with the record's own"),
    ):
        download.add_argument(f"--{flag}", action="store_true", help=what)
    download.add_argument(
        "--actors", default="1-24", metavar="N", help="whose: 3, 1-4 or 1,5,7-9 (default 1-24)"
    )
    download.add_argument(
        "--out", type=Path, metavar="DIR", help="where to (default: the lessons' data folder)"
    )
    download.add_argument(
        "--mirror", metavar="ADDRESS", help="fetch from there, as from https://zenodo.org"
    )

    index = add("index", _index, "Say what a folder holds against what RAVDESS should hold.")
    index.add_argument("folder", type=Path, metavar="DIR")
    _json_option(index)

    verify = add("verify", _verify, "Open every recording to its end and say what is wrong.")
    verify.add_argument("folder", type=Path, metavar="DIR")
    verify.add_argument(
        "--again", action="store_true", help="open every file, also those of an earlier look"
    )
    _json_option(verify)

    features = add("features", _features, "Compute the features of a folder's clips.")
    features.add_argument("folder", type=Path, metavar="DIR")
    _recipe_option(features)
    features.add_argument("--out", type=Path, required=True, metavar="STORE", help="where to")
    features.add_argument("--no-picture", action="store_true", help="sound alone")
    features.add_argument(
        "--skip-faulty", action="store_true", help="leave faulty clips out instead of stopping"
    )
    _json_option(features)

    run = add("run", _run, "Run a whole experiment.")
    run.add_argument(
        "experiment", choices=["table1", "audio", *_KEPT],
        help="table1: Table I; audio: sound alone, on folds; protocols: three networks under "
        "several splits; auxiliary: with and without auxiliary losses; pairing: with sounds "
        "exchanged within an emotion. The last three are kept run by run, and go on where they "
        "were stopped",
    )  # fmt: skip
    _data_option(run)
    _recipe_option(run)
    run.add_argument(
        "--split", nargs="+", metavar="UNIT", choices=["pair", "clip", "take", "actor"],
        help="what is never cut apart: pair, clip, take or actor; of protocols several "
        "(default actor, of protocols all four)",
    )  # fmt: skip
    run.add_argument(
        "--folds", type=_folds, metavar="N",
        help="test each of N folds in turn, or published ones: emobox, luna-jimenez, hicmae or "
        "leave-one-out (default of audio 4, else one tenth is tested)",
    )  # fmt: skip
    run.add_argument(
        "--normalisation", choices=["training", "actor", "neutral"], default="training",
        help="normalise features by the training side (default), by each actor's own clips, or "
        "by each actor's neutral clips",
    )  # fmt: skip
    run.add_argument(
        "--weights", type=Path, metavar="DIR", help="write table1's trained networks there"
    )
    run.add_argument("--epochs", type=_positive, default=30, metavar="N", help="default 30")
    run.add_argument("--seed", type=int, metavar="S", help="of table1 and audio (default 0)")
    run.add_argument(
        "--seeds", type=_positive, metavar="N", help="of the others: 0 to N - 1 (default 5)"
    )
    run.add_argument(
        "--fresh",
        action="store_true",
        help="make every run again, whatever is kept of earlier ones",
    )
    _json_option(run)

    audit = add("audit", _audit, "Say what the test side of a split shares with its training side.")
    audit.add_argument(
        "folder", type=Path, nargs="?", metavar="DIR",
        help="recordings (default: the full design of RAVDESS, by its names alone)",
    )  # fmt: skip
    audit.add_argument(
        "--split", default="clip", choices=["pair", "file", "clip", "take", "actor"],
        help="what is never cut apart; file: each mp4 by itself (default clip)",
    )  # fmt: skip
    audit.add_argument("--seeds", type=int, default=20, metavar="N", help="splits (default 20)")
    _json_option(audit)

    score = add("score", _score, "Score anybody's predictions, with intervals over actors.")
    score.add_argument(
        "predictions", type=Path, metavar="FILE",
        help="CSV with columns clip, label, prob_1 … prob_8, and optionally fold",
    )  # fmt: skip
    score.add_argument(
        "--labels", choices=["from-0"], help="labels count from 0: neutral 0 … surprised 7"
    )
    _json_option(score)

    lessons = add("lessons", _lessons, "Run every lesson on a fresh kernel.")
    lessons.add_argument("only", nargs="*", metavar="NN", help="lesson numbers (default: all)")
    lessons.add_argument("--keep", type=Path, metavar="DIR", help="keep the executed copies")
    _json_option(lessons)
    return parser


def _positive(text: str) -> int:
    """A number of times: 1 or more."""
    if not (text.isdecimal() and int(text) >= 1):
        raise argparse.ArgumentTypeError(f"should be 1 or more, got {text}")
    return int(text)


def _json_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers here too")


def _data_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="recordings (default: the lessons')"
    )


def _recipe_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--recipe", default="paper", choices=["paper", "sequence"], help="default paper"
    )
    parser.add_argument(
        "--action-units", type=Path, metavar="FILE",
        help="see faces by this table of action units instead of films (or a folder of what "
        "OpenFace writes)",
    )  # fmt: skip


def _write_json(options: argparse.Namespace, result: object) -> None:
    if options.json is not None:
        from avlib import files

        files.save_json(options.json, result)


def _lab(options: argparse.Namespace) -> int:
    from avlib import course

    if _report(_findings()):
        return 1
    first = course.lessons()[0]
    command = [
        sys.executable, "-m", "jupyterlab",
        f"--ServerApp.root_dir={first.parent}",
        f"--LabApp.default_url=/lab/tree/{first.name}",
    ]  # fmt: skip
    if options.no_browser:
        command.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # root in a container is common, and Jupyter refuses it
    course.hand_on()
    with subprocess.Popen(command + options.passed_on) as jupyter:
        # JupyterLab ends its kernels when it is told to stop; nobody else would tell it.
        signal.signal(signal.SIGTERM, lambda *_: jupyter.terminate())
        while True:
            try:
                return jupyter.wait()
            except KeyboardInterrupt:  # which JupyterLab has got, too, and asks about
                continue


def _findings() -> list:
    from avlib.course import doctor

    return doctor.examine()


def _report(findings: list) -> int:
    _say(*findings, sep="\n")
    return int(not all(finding.ok for finding in findings))


def _doctor(options: argparse.Namespace) -> int:
    from dataclasses import asdict

    findings = _findings()
    _write_json(options, [asdict(finding) for finding in findings])
    return _report(findings)


def _practice(options: argparse.Namespace) -> int:
    from avlib import practice
    from avlib.corpus import ravdess

    folder = practice.write(
        options.out,
        actors=options.actors,
        seed=options.seed,
        whole=options.whole,
        modalities=options.modalities,
    )
    _say(f"{folder}: {len(ravdess.index(folder))} clips of the practice corpus")
    return 0


def _download(options: argparse.Namespace) -> int:
    from avlib import course
    from avlib.corpus import download, manifest

    host = download.Host(options.mirror) if options.mirror else download.Host()
    if options.refresh_registry:
        found = download.differences(host)
        _say(*(found or ["the registry and the record agree"]), sep="\n")
        return int(bool(found))
    channels = [name for name in ("speech", "song") if getattr(options, name)] or ["speech"]
    kinds = [name for name in ("audio", "video") if getattr(options, name)]
    actors = _numbers(options.actors)
    wanted = manifest.select(channels, kinds, actors)
    folder = options.out or course.data_folder()
    work = download.plan(wanted, actors, folder, host, options.keep_archives)
    _say(work, download.LICENSE, sep="\n")
    if work.archives:
        if not options.accept_license and not _agrees():
            raise ValueError("the licence was not accepted; nothing was fetched")
        download.fetch_all(work, host)
    _say(f"{folder}: all there. `python -m avlib verify {folder}` opens every recording.")
    return 0


def _agrees() -> bool:
    if not sys.stdin.isatty():
        raise ValueError("nobody is there to accept the licence; add --accept-license")
    return input("Do you accept the licence? [yes/no] ").strip().lower() in ("y", "yes")


def _numbers(text: str) -> set[int]:
    """Read ``1,5,7-9``."""
    numbers: set[int] = set()
    for piece in text.split(","):
        first, _, last = piece.partition("-")
        try:
            begin, end = int(first), int(last or first)
        except ValueError as error:
            raise ValueError(f"--actors {text}: should look like 3, 1-4 or 1,5,7-9") from error
        if not 1 <= begin <= end <= 24:
            raise ValueError(f"--actors {text}: should be some of 1 to 24, the lower number first")
        numbers |= set(range(begin, end + 1))
    return numbers


def _index(options: argparse.Namespace) -> int:
    from avlib.corpus import ravdess

    clips = ravdess.index(options.folder)
    found = ravdess.holdings(clips)
    _write_json(options, found)
    _say(
        f"{options.folder}: {found['corpus']}, {found['clips']} speech clips of "
        f"{len(found['actors'])} actors (RAVDESS holds {found['expected']} of these actors)"
    )
    _say(f"  with sound {found['with_sound']}, with picture {found['with_picture']}")
    if found["pictures_from_silent_films"]:
        _say(f"  {found['pictures_from_silent_films']} pictures from films without sound (02)")
    if found["sound_from_films"]:
        _say(f"  {found['sound_from_films']} sounds from films, for want of a wav (03)")
    for emotion, count in found["emotions"].items():
        _say(f"  {emotion:<10} {count:4d}")
    if found["missing"]:
        _say(f"  missing {len(found['missing'])}: {', '.join(found['missing'][:5])} …")
    return 0


def _verify(options: argparse.Namespace) -> int:
    from avlib.corpus import verify

    found = verify.verify(options.folder, again=options.again)
    counts = found["finding"].value_counts().to_dict()
    listed = found.to_dict("records")
    _write_json(options, {"files": found.attrs["files"], "counts": counts, "found": listed})
    for file, finding, detail in found.itertuples(index=False):
        _say(f"{finding:<11} {file}: {detail}")
    said = ", ".join(f"{count} {finding}" for finding, count in counts.items()) or "nothing found"
    _say(f"{options.folder}: {found.attrs['files']} files opened to their end; {said}")
    if found.attrs["remembered"]:
        _say(
            f"{found.attrs['remembered']} of them were opened at an earlier look, and have the "
            "size and time that they had then (`--again` opens these too)"
        )
    return int(bool(set(counts) & (verify.UNUSABLE | verify.LOST)))


def _clips_and_recipe(
    options: argparse.Namespace, folder: Path, sound_alone: bool
) -> tuple[object, object]:
    from avlib.corpus import ravdess
    from avlib.features import action_units
    from avlib.features.recipe import Recipe

    clips = ravdess.index(folder)
    if sound_alone:
        return clips, Recipe.preset(options.recipe, visual="none")
    if options.action_units is None:
        return clips, Recipe.preset(options.recipe)
    return action_units.join(clips, options.action_units), Recipe.preset(options.recipe, "vector")


def _features(options: argparse.Namespace) -> int:
    from avlib import features

    if options.no_picture and options.action_units is not None:
        raise ValueError("--no-picture and --action-units: choose one of them")
    clips, recipe = _clips_and_recipe(options, options.folder, options.no_picture)
    store = features.build(clips, recipe, options.out, skip_faulty=options.skip_faulty)
    shapes = store.shapes
    told = {name: value for name, value in store.header.items() if name != "clips"}
    _write_json(options, told | shapes)
    _say(f"{store.folder}: " + ", ".join(f"{name} {shape}" for name, shape in shapes.items()))
    for clip, reason in store.header["left_out"].items():
        _say(f"  left out {clip}: {reason}")
    return 0


def _folds(text: str) -> int | str:
    """A number, or the name of published folds."""
    from avlib.learning.splits import PUBLISHED

    if text in PUBLISHED or text.isdigit():
        return int(text) if text.isdigit() else text
    raise argparse.ArgumentTypeError(
        f"{text!r} is neither a number nor one of {', '.join(PUBLISHED)}"
    )


# What an experiment takes of the options that not all of them take.
_TAKES = {
    "table1": {"seed", "weights", "action_units"},
    "audio": {"seed", "folds"},
    **{kept: {"seeds", "folds", "action_units", "fresh"} for kept in _KEPT},
}


def _run(options: argparse.Namespace) -> int:
    from avlib import course, files
    from avlib.evaluation import experiments
    from avlib.learning.training import Training

    several = options.experiment == "protocols"
    units = options.split or (["pair", "clip", "take", "actor"] if several else ["actor"])
    if len(units) > 1 and not several:
        raise ValueError(f"--split: {options.experiment} takes one unit, not {len(units)}")
    if options.folds is not None and options.experiment == "table1":
        raise ValueError("--folds: table1 tests one tenth, as the paper does")
    for name in ("seed", "seeds", "folds", "weights", "action_units", "fresh"):
        if getattr(options, name) not in (None, False) and name not in _TAKES[options.experiment]:
            flag = name.replace("_", "-")
            raise ValueError(
                f"--{flag}: `run {options.experiment}` has no use for it; leave it out"
            )
    if options.weights is not None:  # tried before the training, not after
        files.refuse_to_replace(options.weights / ".json")
        options.weights.mkdir(parents=True, exist_ok=True)
    sound_alone = options.experiment == "audio"
    clips, recipe = _clips_and_recipe(options, options.data or course.recordings(), sound_alone)
    if recipe.visual == "pairs" and clips["picture"].isna().all():
        raise ValueError(
            f"{options.experiment} needs faces, and these recordings are sound alone: add films, "
            "name a table of action units by --action-units, or use `run audio`"
        )
    store = course.store(clips, recipe)
    settings = Training(epochs=options.epochs, seed=options.seed or 0)
    how = {"normalisation": options.normalisation, "folds": options.folds}
    if options.experiment in _KEPT:
        keep = course.data_folder() / "runs"
        if several:
            result = experiments.protocols(
                store, units, options.seeds or 5, settings, keep=keep, fresh=options.fresh, **how
            )
        else:
            result = experiments.variants(
                store, options.experiment, units[0], options.seeds or 5, settings,
                keep=keep, fresh=options.fresh, **how,
            )  # fmt: skip
        _print_kept(result, options)
    elif sound_alone:
        folds = 4 if options.folds is None else options.folds
        result = experiments.audio(
            store, units[0], folds, settings, normalisation=options.normalisation
        )
        _print_folds(result)
    else:
        result = experiments.table1(
            store,
            units[0],
            settings,
            weights_to=options.weights,
            normalisation=options.normalisation,
        )
        _print_table1(result)
    _write_json(options, result)
    return 0


def _print_kept(result: dict, options: argparse.Namespace) -> None:
    from avlib.evaluation import experiments

    folds = "one tenth tested" if result["folds"] is None else f"{result['folds']} folds"
    _say(
        f"{result['experiment']}, measured on {_the(result['measured_on'])}: {result['clips']} "
        f"clips of {len(result['actors'])} actors, {options.recipe} recipe, faces by "
        f"{_FACES[result['recipe']['visual']]}, {folds}, {options.epochs} epochs, "
        f"{len({run['seed'] for run in result['runs']})} seeds; by clip, 95 % intervals over actors"
    )
    _say(_normalisation(result))
    _say(experiments.table(result).to_string(float_format="%.3f", na_rep=""))


_FACES = {"pairs": "frame pairs", "vector": "action units"}


def _normalisation(result: dict) -> str:
    return "Features are normalised by " + {
        "training": "the training side.",
        "actor": "each actor's own clips: other clips of the actors who are tested are seen, "
        "without labels.",
        "neutral": "each actor's neutral clips: other clips of the actors who are tested are seen, "
        "and which of them are neutral.",
    }[result["normalisation"]]  # fmt: skip


def _heading(result: dict, what: str) -> str:
    return (
        f"{what}, measured on {_the(result['measured_on'])}: {result['clips']} clips of "
        f"{len(result['actors'])} actors, split by {result['runs'][0]['unit']}, "
        f"{result['training']['epochs']} epochs, seed {result['training']['seed']}.\n"
        f"{_normalisation(result)}"
    )


def _the(corpus: str) -> str:
    return corpus if corpus == "RAVDESS" else f"the {corpus}"


def _print_table1(result: dict) -> None:
    from avlib.evaluation import experiments

    _say(_heading(result, "Table I (per cent)"))
    _say(experiments.table1_beside_paper(result).to_string())
    tested = result["runs"][0]["sides"]["test"]
    _say(f"The test side holds {tested['clips']} clips of actors {tested['actors']}.")


def _print_folds(result: dict) -> None:
    _say(_heading(result, "Audio network"))
    from avlib.evaluation import experiments

    for number, run in enumerate(result["runs"], 1):
        fold = run["sides"]["test"]
        _say(
            f"  fold {number}: accuracy {fold['clip_accuracy']:.3f}, UAR {fold['uar']:.3f}, "
            f"{fold['clips']} clips of actors {fold['actors']}"
        )
    together = experiments.table(result).iloc[0]
    _say(
        f"  together: accuracy {together['accuracy']:.3f}, UAR {together['UAR']:.3f}, "
        f"{together['clips']:.0f} clips"
    )


def _audit(options: argparse.Namespace) -> int:
    from avlib.evaluation import audit

    if options.seeds < 1:
        raise ValueError(f"--seeds {options.seeds}: should be 1 or more")
    found = audit.audit(options.folder, options.split, range(options.seeds))
    _write_json(options, found)
    _say(
        f"{found['measured_on']}: {found['rows']} {found['what']}, split by {options.split}, "
        f"{options.seeds} splits.\nShare of the test side for which the training side holds "
        "(mean, least, most):"
    )
    for what, shares in found["shares"].items():
        told = (
            "not known here"
            if shares is None
            else "{mean:.4f}  {least:.4f}  {most:.4f}".format_map(shares)
        )
        _say(f"  {what:<30} {told}")
    return 0


_EACH = {"each emotion": "label", "each actor": "actor"}


def _score(options: argparse.Namespace) -> int:
    import pandas as pd

    from avlib.evaluation import metrics, scoring

    predictions = scoring.read(options.predictions, labels_from=1 if options.labels is None else 0)
    found = scoring.summarise(predictions)
    parts = {name: metrics.accuracy_by(predictions, of) for name, of in _EACH.items()}
    _write_json(options, found | {name: part.to_dict("index") for name, part in parts.items()})
    actors = predictions["actor"].nunique()
    _say(f"{options.predictions}: {len(predictions)} clips of {actors} actors")
    for count, said in (
        (
            predictions.attrs["rows"] - len(predictions),
            "rows more than clips: those about one clip joined",
        ),
        (
            predictions.attrs["rounded"],
            "rows whose probabilities were rounded: scaled to add up to 1",
        ),
        (
            metrics.ties(predictions),
            "clips with a tie: the first of the emotions in the lead counts",
        ),
    ):
        if count:
            _say(f"  {count} {said}")
    _say(pd.DataFrame(found).T.to_string(float_format="%.3f", na_rep=""))
    _say("Intervals: 95 %, over actors, from three actors on. Calibration error: ten equal bins.")
    for part in parts.values():
        _say("\n" + part.to_string(float_format="%.3f"))
    return 0


def _lessons(options: argparse.Namespace) -> int:
    from nbclient.exceptions import CellExecutionError
    from nbconvert.filters import strip_ansi

    from avlib import course

    lessons = {path.name[:2]: path for path in course.lessons()}
    unknown = [number for number in options.only if number not in lessons]
    if unknown:
        raise ValueError(f"there is no lesson {unknown[0]!r}; choose from {', '.join(lessons)}")
    chosen = [lessons[number] for number in options.only] or list(lessons.values())
    kept = options.keep
    if kept is not None and kept.exists() and kept.samefile(course.home() / "notebooks"):
        raise FileExistsError(f"{kept}: holds the lessons themselves; name another folder")
    course.recordings()
    course.hand_on()
    seconds = {}
    for notebook in chosen:
        _say(f"{notebook.name} …", end=" ", flush=True)
        try:
            seconds[notebook.name] = course.run_lesson(notebook, kept)
        except CellExecutionError as error:
            _say(f"failed\n{strip_ansi(str(error))}")
            return 1
        _say(f"{seconds[notebook.name]:.0f} s")
    _write_json(options, seconds)
    return 0


if __name__ == "__main__":
    # `kill` ends a command as Ctrl-C does: it tidies up, and ends the processes that it started.
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    warnings.showwarning = lambda said, *_, **__: _say(f"avlib: {said}", file=sys.stderr)
    # After `kill -9` the processes that are left tidy up; their warnings would help nobody.
    os.environ.setdefault("PYTHONWARNINGS", "ignore:resource_tracker")
    status = main()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done and said; Python only tidies up
    sys.exit(status)
