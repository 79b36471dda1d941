"""The commands: ``python -m avlib COMMAND --help``. Of no lesson."""

import signal

if __name__ == "__main__":  # Ctrl-C before there is anything to say, while all this is imported
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import io
import os
import re
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Literal

import typer

from avlib import __version__, files, run, terminal
from avlib.terminal import (
    ActionUnits,
    AnyRecipeName,
    Json,
    argument,
    command,
    flag,
    option,
    save,
    say,
)

app = typer.Typer(**terminal.PLAIN)
Folder = argument(Path, "recordings", "DIR")


def main(arguments: list[str] | None = None) -> int:
    """Run one command, by default the one after ``python -m avlib``; return its exit status.

    0 if all went well, 1 after an error told in one sentence, 2 if the command was not written as
    ``--help`` says, 130 if it was interrupted. Where ``AVLIB_DEBUG`` is set, errors come with their
    traceback.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a console that lacks … or → shows something else
            stream.reconfigure(errors="backslashreplace")
    try:
        app(arguments, prog_name="python -m avlib")
    except SystemExit as end:
        return end.code


@app.callback(invoke_without_command=True)
def _avlib(version: flag("--version", "Show it and exit.") = False) -> None:
    """Lessons on seeing and hearing emotion."""
    if version:
        say(f"avlib {__version__}")
        raise typer.Exit


@command(app)
def lab(
    passed_on: argument(list[str] | None, "what JupyterLab is given", "-- ARGS") = None,
    no_browser: flag("--no-browser", "print the address instead") = False,
) -> int:
    """Open JupyterLab on lesson 00. What follows -- goes to JupyterLab."""
    from avlib import course

    if doctor():
        return 1
    first = course.lessons()[0]
    words = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={first.parent}"]
    words.append(f"--LabApp.default_url=/lab/tree/{first.name}")
    if no_browser:
        words.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        words.append("--allow-root")  # root in a container is common, and Jupyter refuses it
    course.hand_on()
    with subprocess.Popen(words + (passed_on or [])) as jupyter:
        # JupyterLab ends its kernels when it is told to stop; nobody else would tell it.
        signal.signal(signal.SIGTERM, lambda *_: jupyter.terminate())
        while True:
            try:
                return jupyter.wait()
            except KeyboardInterrupt:  # which JupyterLab has got, too, and asks about
                continue


@command(app)
def doctor(json: Json = None) -> int:
    """Check everything that a lesson needs."""
    from dataclasses import asdict

    from avlib.course import doctor

    findings = doctor.examine()
    save(json, [asdict(finding) for finding in findings])
    say(*findings)
    return int(not all(finding.ok for finding in findings))


@command(app, goes_on=True)
def practice(
    out: option(Path, "where", "DIR"),
    actors: option(int, "1 to 24", "N") = 16,
    whole: flag("--whole", "60 clips an actor, as RAVDESS holds, instead of 30") = False,
    modalities: option(str, "1 sound and picture, 2 picture alone, 3 sound alone", "M,…") = "1,3",
    seed: terminal.Seed = 0,
) -> None:
    """Write a practice corpus: drawn faces, spoken words."""
    from avlib import practice
    from avlib.corpus import ravdess

    kinds = [int(code) for code in terminal.some_of("123", "--modalities", modalities)]
    practice.write(out, actors, seed, whole=whole, modalities=kinds)
    say(f"{out}: {len(ravdess.index(out))} clips of the practice corpus")


@command(app, goes_on=True)
def download(
    speech: flag("--speech", "spoken sentences (the default)") = False,
    song: flag("--song", "sung ones") = False,
    audio: flag("--audio", "the sound of all actors, in one archive") = False,
    video: flag("--video", "sound and picture, half a gigabyte for each actor") = False,
    actors: option(str, "whose: 3, 1-4 or 1,5,7-9", "N") = "1-24",
    out: option(Path | None, "where to (default: the lessons' data folder)", "DIR") = None,
    mirror: option(str | None, "fetch from there, as from https://zenodo.org", "ADDRESS") = None,
    accept_license: flag("--accept-license", "agree to CC BY-NC-SA 4.0 without a question") = False,
    keep_archives: flag("--keep-archives", "keep the zip archives once they are unpacked") = False,
    refresh_registry: flag("--refresh-registry", "only compare our list with the record's") = False,
) -> int:
    """Fetch RAVDESS: resumed, checked, unpacked."""
    from avlib import course
    from avlib.corpus import download, manifest

    host = download.Host(mirror) if mirror else download.Host()
    if refresh_registry:
        found = download.differences(host)
        say(*(found or ["the registry and the record agree"]))
        return int(bool(found))
    channels = [name for name, asked in (("speech", speech or not song), ("song", song)) if asked]
    kinds = [name for name, asked in (("audio", audio), ("video", video)) if asked]
    whose, folder = _some_actors(actors), out or course.data_folder()
    wanted = manifest.select(channels, kinds, whose)
    work = download.plan(wanted, whose, folder, host, keep_archives)
    say(work, download.LICENSE)
    if work.archives:
        if not accept_license and not _agrees():
            raise ValueError("the licence was not accepted; nothing was fetched")
        download.fetch_all(work, host)
    say(f"{folder}: all there. `python -m avlib verify {folder}` opens every recording.")
    return 0


def _some_actors(text: str) -> set[int]:
    """Read ``1,5,7-9``."""
    found = [re.fullmatch(r"(\d+)(?:-(\d+))?", piece) for piece in text.split(",")]
    if not all(found):
        raise ValueError(f"--actors {text}: should look like 3, 1-4 or 1,5,7-9")
    spans = [(int(each[1]), int(each[2] or each[1])) for each in found]
    if not all(1 <= first <= last <= 24 for first, last in spans):
        raise ValueError(f"--actors {text}: should be some of 1 to 24, the lower number first")
    return {actor for first, last in spans for actor in range(first, last + 1)}


def _agrees() -> bool:
    if not sys.stdin.isatty():
        raise ValueError("nobody is there to accept the licence; add --accept-license")
    return input("Do you accept the licence? [yes/no] ").strip().lower() in ("y", "yes")


@command(app)
def index(folder: Folder, json: Json = None) -> None:
    """Say what a folder holds against what RAVDESS should hold."""
    from avlib.corpus import ravdess

    found = ravdess.holdings(ravdess.index(folder))
    save(json, found)
    say(
        f"{folder}: {found['corpus']}, {found['clips']} speech clips of "
        f"{len(found['actors'])} actors (RAVDESS holds {found['expected']} of these actors)",
        f"  with sound {found['with_sound']}, with picture {found['with_picture']}",
    )
    if found["pictures_from_silent_films"]:
        say(f"  {found['pictures_from_silent_films']} pictures from films without sound (02)")
    if found["sound_from_films"]:
        say(f"  {found['sound_from_films']} sounds from films, for want of a wav (03)")
    say(*(f"  {emotion:<10} {count:4d}" for emotion, count in found["emotions"].items()))
    if found["missing"]:
        say(f"  missing {len(found['missing'])}: {', '.join(found['missing'][:5])} …")


@command(app, goes_on=True)
def verify(
    folder: Folder,
    again: flag("--again", "open every file, also those of an earlier look") = False,
    json: Json = None,
) -> int:
    """Open every recording to its end and say what is wrong."""
    from avlib.corpus import verify

    found = verify.verify(folder, again=again)
    counts = found["finding"].value_counts().to_dict()
    opened, listed = found.attrs["files"], found.to_dict("records")
    save(json, {"files": opened, "counts": counts, "found": listed})
    for row in listed:
        say("{finding:<11} {file}: {detail}".format_map(row))
    told = ", ".join(f"{count} {finding}" for finding, count in counts.items()) or "nothing found"
    say(f"{folder}: {opened} files opened to their end; {told}")
    if found.attrs["remembered"]:
        say(
            f"{found.attrs['remembered']} of them were opened at an earlier look, and have the "
            "size and time that they had then (`--again` opens these too)"
        )
    return int(bool(set(counts) & (verify.UNUSABLE | verify.LOST)))


@command(app, goes_on=True)
def features(
    folder: Folder,
    out: option(Path, "where to", "STORE"),
    recipe: AnyRecipeName = "paper",
    action_units: ActionUnits = None,
    no_picture: flag("--no-picture", "sound alone") = False,
    skip_faulty: flag("--skip-faulty", "leave faulty clips out instead of stopping") = False,
    json: Json = None,
) -> None:
    """Compute the features of a folder's clips."""
    from avlib import features

    if no_picture and action_units is not None:
        raise ValueError("--no-picture and --action-units: choose one of them")
    clips, chosen = terminal.clips_and_recipe(folder, recipe, action_units, no_picture)
    store = features.build(clips, chosen, out, skip_faulty=skip_faulty)
    told = {name: value for name, value in store.header.items() if name != "clips"}
    save(json, told | store.shapes)
    held = (f"{name} {shape}" for name, shape in store.shapes.items() if shape is not None)
    say(f"{store.folder}: " + ", ".join(held))
    for clip, reason in store.header["left_out"].items():
        say(f"  left out {clip}: {reason}")


@command(app)
def audit(
    folder: argument(Path | None, "recordings (default: all names that RAVDESS has)", "DIR") = None,
    split: option(
        Literal["pair", "file", "clip", "take", "actor"],
        "what is never cut apart; file: each mp4 by itself",
    ) = "clip",
    seeds: option(int, "how many splits", "N", min=1) = 20,
    json: Json = None,
) -> None:
    """Say what a split's test side shares with its training side."""
    from avlib.evaluation import audit

    found = audit.audit(folder, split, range(seeds))
    save(json, found)
    say(
        f"{found['measured_on']}: {found['rows']} {found['what']}, split by {split}, "
        f"{seeds} splits.",
        "Share of the test side for which the training side holds (mean, least, most):",
    )
    for what, shares in found["shares"].items():
        told = "{mean:.4f}  {least:.4f}  {most:.4f}".format_map(shares) if shares else None
        say(f"  {what:<30} {told or 'not known here'}")


@command(app)
def score(
    predictions: argument(
        Path, "CSV with columns clip, label, prob_1 … prob_8, and optionally fold", "FILE"
    ),
    labels: option(Literal["from-0"] | None, "count from 0: neutral 0 … surprised 7") = None,
    json: Json = None,
) -> None:
    """Score anybody's predictions, with intervals over actors."""
    import pandas as pd

    from avlib.evaluation import metrics, scoring

    table = scoring.read(predictions, labels_from=1 if labels is None else 0)
    scores = scoring.summarise(table)
    emotions, actors = metrics.accuracy_by(table, "label"), metrics.accuracy_by(table, "actor")
    parts = {"each emotion": emotions.to_dict("index"), "each actor": actors.to_dict("index")}
    save(json, scores | parts)
    say(f"{predictions}: {len(table)} clips of {len(actors)} actors")
    for count, what in (
        (table.attrs["rows"] - len(table), "rows more than clips: those about one clip joined"),
        (table.attrs["rounded"], "rows whose probabilities were rounded: scaled to add up to 1"),
        (metrics.ties(table), "clips with a tie: the first of the emotions in the lead counts"),
    ):
        if count:
            say(f"  {count} {what}")
    say(
        pd.DataFrame(scores).T.to_string(float_format="%.3f", na_rep=""),
        "Intervals: 95 %, over actors, from three actors on. Calibration error: ten equal bins.",
        "\n" + emotions.to_string(float_format="%.3f"),
        "\n" + actors.to_string(float_format="%.3f"),
    )


@command(app)
def predict(
    recordings: argument(list[Path], "sound files, films, or folders of them", "FILE…"),
    same_speaker: flag("--same-speaker", "all are by one person, whom they make known") = False,
    profile: option(Path | None, "what is known of the speaker; these are added", "FILE") = None,
    weights: option(Path | None, "a recogniser that you trained on films", "FILE") = None,
    plot: option(Path | None, "draw what is heard over time, of one recording", "PNG") = None,
    annotate: option(Path | None, "write the film with its bars below, of one film", "MP4") = None,
    csv: option(Path | None, "write the table here too", "FILE") = None,
    json: Json = None,
) -> int:
    """Say which emotion a voice shows, in any recording."""
    import pandas as pd

    from avlib.evaluation import listening, timeline
    from avlib.evaluation import profile as profiles

    paths = listening.files_in(recordings)
    _try_outputs(paths, json, profile=profile, csv=csv, plot=plot, annotate=annotate)
    known = profiles.load(profile) if profile else []
    heard, done = listening.predict(paths, same_speaker, weights, known)
    save(json, [each.as_json() for each in heard])
    _tell(heard)
    for path, reason in done.failed.items():
        say(f"{path}: {reason}", file=sys.stderr)
    if done.interrupted:
        rest = len(paths) - len(heard)
        say(f"interrupted; {rest} of {len(paths)} recordings were not heard", file=sys.stderr)
    if profile and done.found:
        count = profiles.update(profile, done.found)
        say(f"{profile}: {count} stretches of voice are known of this person")
    if csv is not None:
        rows = [{"file": each.file, "emotion": each.emotion} | each.probabilities for each in heard]
        files.save(csv, pd.DataFrame(rows).to_csv(index=False).encode())
    for each in heard if plot is not None else []:
        files.save(plot, timeline.draw(each).png)
    for each in heard if annotate is not None else []:
        say(f"{annotate}: {timeline.annotate(each, annotate)}")
    return 130 if done.interrupted else int(bool(done.failed))


def _try_outputs(paths: list[Path], json: Path | None, **outputs: Path | None) -> None:
    """See that what `predict` is asked to write can be written, before it hears anything."""
    from avlib.features import video

    asked = {name: path for name, path in (outputs | {"json": json}).items() if path is not None}
    for name in {"plot", "annotate"} & set(asked):
        if len(paths) > 1:
            raise ValueError(f"--{name} is for one recording; {len(paths)} were given")
    for name, path in asked.items():
        twice = [other for other in asked if asked[other].resolve() == path.resolve()]
        if len(twice) > 1:
            raise ValueError(f"{path}: is named by --{' and --'.join(twice)}; name two files")
        if name != "profile":
            files.refuse_to_replace(path, paths)
    if "annotate" in asked:
        with video.opened(paths[0]):
            pass


def _tell(heard: list) -> None:
    """Print what was heard in each file, stretch by stretch where there are several."""
    from avlib.evaluation import listening

    say(*dict.fromkeys(each.worth for each in heard))
    for each in heard:
        say(f"{each.file}: {each.sentence()}", *(f"  {note}" for note in each.notes))
        for part in each.segments if len(each.segments) > 1 else []:
            likeliest = max(part["probabilities"], key=part["probabilities"].get)
            share = part["probabilities"][likeliest]
            say(f"  {part['start']:7.1f} to {part['end']:6.1f} s  {likeliest} {share:.2f}")
    if len(heard) > 1:
        say(f"{len(heard)} recordings: {listening.summary(heard)}")


@command(app)
def export(onnx: option(Path, "where to", "DIR")) -> None:
    """Write recognisers as ONNX files, for programs without Python."""
    from avlib import course, practice
    from avlib.corpus import ravdess
    from avlib.evaluation import export
    from avlib.features import Recipe

    # The fusion network that comes with avlib was trained on the practice corpus.
    clips = ravdess.index(practice.write(course.data_folder() / "practice"))
    for path in export.write(onnx, course.store(clips, Recipe())):
        say(f"{path}: {path.stat().st_size:,} bytes")


@command(app)
def lessons(
    only: argument(list[str] | None, "lesson numbers (default: all)", "NN") = None,
    keep: option(Path | None, "keep the executed copies", "DIR") = None,
    json: Json = None,
) -> int:
    """Run every lesson on a fresh kernel."""
    from nbclient.exceptions import CellExecutionError
    from nbconvert.filters import strip_ansi

    from avlib import course

    known = {path.name[:2]: path for path in course.lessons()}
    unknown = [number for number in only or [] if number not in known]
    if unknown:
        raise ValueError(f"there is no lesson {unknown[0]!r}; choose from {', '.join(known)}")
    if keep is not None and keep.exists() and keep.samefile(course.home() / "notebooks"):
        raise FileExistsError(f"{keep}: holds the lessons themselves; name another folder")
    course.recordings()
    course.hand_on()
    seconds = {}
    for notebook in (known[number] for number in only or known):
        say(f"{notebook.name} …", end=" ", flush=True)
        try:
            seconds[notebook.name] = course.run_lesson(notebook, keep)
        except CellExecutionError as error:
            say(f"failed\n{strip_ansi(str(error))}")
            return 1
        say(f"{seconds[notebook.name]:.0f} s")
    save(json, seconds)
    return 0


app.add_typer(run.app)


def _interrupt(*_: object) -> None:
    """End the command; what joblib's threads and warnings have to say of that is not the user's."""
    threading.excepthook = lambda _: None
    warnings.simplefilter("ignore")
    raise KeyboardInterrupt


if __name__ == "__main__":
    # `kill` ends a command as Ctrl-C does: it tidies up, and ends the processes that it started.
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    warnings.showwarning = lambda said, *_, **__: say(f"avlib: {said}", file=sys.stderr)
    # After `kill -9` the processes that are left tidy up; their warnings would help nobody.
    os.environ.setdefault("PYTHONWARNINGS", "ignore:resource_tracker")
    status = main()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done and said; Python only tidies up
    sys.exit(status)
