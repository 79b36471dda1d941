"""What a hostile or unlucky user met, finding by finding: what is done, said, and left on disk.

A row is a command on a small corpus that `prepare` has spoiled. Beyond what the row says, nothing
on disk may change. What needs a host, a kill, a browser or a training has its test elsewhere.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pytest
import soundfile
from media import write_mp4

from avlib.__main__ import main
from avlib.corpus import ravdess

SINE = np.sin(np.arange(96_000) / 9)
SOUND = "data/Actor_01/03-01-03-01-01-01-01.wav"
FILM = "data/Actor_01/01-01-03-01-01-01-01.mp4"
IN_DATA = SOUND.removeprefix("data/")
STORE = ["features", "data", "--no-picture", "--out", "s"]
BUILT = ("s/*", "data/.verified.json")


def nothing(place: Path) -> None:
    """As it is."""


def write(name: str, content: str | bytes) -> Callable[[Path], None]:
    """Put a file there."""

    def prepare(place: Path) -> None:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    return prepare


def sound(samples: np.ndarray, name: str = SOUND, rate: int = 48_000) -> Callable[[Path], None]:
    """Put a float wav file in a recording's place."""

    def prepare(place: Path) -> None:
        soundfile.write(place / name, samples, rate, subtype="FLOAT")

    return prepare


def store(name: str, content: bytes | None) -> Callable[[Path], None]:
    """A finished store, of which a file is then something else, or zeroed."""

    def prepare(place: Path) -> None:
        assert main(STORE) == 0
        path = min((place / "s").rglob(name))
        path.write_bytes(bytes(path.stat().st_size) if content is None else content)

    return prepare


def patched(at: int, content: bytes) -> Callable[[Path], None]:
    """Bytes of the recording exchanged."""

    def prepare(place: Path) -> None:
        whole = bytearray((place / SOUND).read_bytes())
        whole[at : at + len(content)] = content
        (place / SOUND).write_bytes(whole)

    return prepare


def zeroed_with_its_time_restored(place: Path) -> None:
    main(["verify", "data"])
    film, stat = place / FILM, (place / FILM).stat()
    content = bytearray(film.read_bytes())
    content[2000:5000] = bytes(3000)
    film.write_bytes(content)
    os.utime(film, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def linked(place: Path) -> None:
    (place / "elsewhere").mkdir()
    (place / "data" / "Actor_02").rename(place / "elsewhere" / "Actor_02")
    (place / "data" / "Actor_02").symlink_to(place / "elsewhere" / "Actor_02")


def another_of_that_name(place: Path) -> None:
    shutil.copy(place / SOUND.replace("_01/", "_02/").replace("-01.wav", "-02.wav"), place / "x")
    (place / "data" / "z").mkdir()
    (place / "x").rename(place / "data" / "z" / Path(SOUND).name)


def late(place: Path) -> None:
    tone = np.sin(np.arange(96_000) / 20).astype(np.float32)
    write_mp4(place / FILM, sound=tone, sound_from=0.98)


def remembered(content: str) -> Callable[[Path], None]:
    def prepare(place: Path) -> None:
        main(["verify", "data"])
        (place / "data" / ".verified.json").write_text(content)

    return prepare


def predictions(
    change: Callable[[list[str]], list[str]] = lambda rows: rows, heading: str = "", mark: str = ","
) -> Callable[[Path], None]:
    """A table of predictions, changed."""

    def prepare(place: Path) -> None:
        head = heading or "clip,label,fold," + ",".join(f"prob_{n}" for n in range(1, 9))
        rows = [
            f"03-01-{emotion:02d}-01-01-01-{actor:02d},{emotion},{actor},"
            + ",".join("0.86" if n == emotion else "0.02" for n in range(1, 9))
            for actor in (1, 2, 3)
            for emotion in range(1, 9)
        ]
        text = "\n".join([head, *change(rows)]) + "\n"
        if mark != ",":
            text = text.replace(",", mark).replace("0.", "0,")
        (place / "mine.csv").write_text(text)

    return prepare


def cell(row: int, number: int, value: str) -> Callable[[list[str]], list[str]]:
    def change(rows: list[str]) -> list[str]:
        cells = rows[row].split(",")
        cells[number] = value
        return [*rows[:row], ",".join(cells), *rows[row + 1 :]]

    return change


def words(rows: list[str]) -> list[str]:
    cells = [row.split(",") for row in rows]
    return [",".join([c[0], ravdess.EMOTIONS[int(c[1]) - 1].title(), *c[2:]]) for c in cells]


def units(heading: str, value: str, mark: str = ",") -> Callable[[Path], None]:
    """A table of action units of every film."""

    def prepare(place: Path) -> None:
        names = sorted(path.stem for path in (place / "data").rglob("*.mp4"))
        rows = [heading, *(f"{name},{value}" for name in names)]
        text = "\n".join(rows) + "\n"
        (place / "units.csv").write_text(
            text.replace(",", mark).replace(".", ",") if mark != "," else text
        )

    return prepare


def utf_16(place: Path) -> None:
    predictions()(place)
    text = (place / "mine.csv").read_text()
    (place / "mine.csv").write_bytes(text.encode("utf-16"))


def odd_folder(place: Path) -> None:
    (place / "data").rename(place / "d\x1b[31m\udcff")


@dataclass(frozen=True)
class Row:
    """A finding: what is spoiled, what is run, said and returned, and what may change on disk."""

    finding: str
    prepare: Callable[[Path], None]
    command: list[str]
    said: str  # a regular expression over all that is printed and warned of
    code: int
    changes: tuple[str, ...] = ()


FOREIGN = "name,born\nAda,1815\n"
SCORE = ["score", "mine.csv"]
VECTORS = ["features", "data", "--action-units", "units.csv", "--out", "s"]
VERIFY = ["verify", "data"]
SEEN = ("data/.verified.json",)
NAMED = r"s/../[0-9a-f]{64}\.clip: is gone or not as avlib wrote it.*makes it again"
ALL = "24 clips of 3 actors"
ROWS = [
    Row("A1", write("s.partial/mine.txt", "mine"), STORE, r"s: mfcc \(4, 40\)", 0, BUILT),
    Row("A1", write("s/mine.txt", "mine"), STORE, "s: is there already and is no", 1, SEEN),
    Row("A3", write("data/manifest.csv", FOREIGN), VERIFY, "manifest.csv: avlib did not", 0, SEEN),
    Row("A3", write("manifest.csv", FOREIGN), VERIFY, "8 files opened", 0, SEEN),
    Row("A5", predictions(), [*SCORE, "--json", "mine.csv"], "is read by this command", 1),
    Row("A5", nothing, ["index", "data", "--json", SOUND], "is no earlier result", 1),
    Row("B8", linked, ["index", "data"], "4 speech clips of 2 actors", 0),
    Row(
        "B10",
        zeroed_with_its_time_restored,
        [*VERIFY, "--again"],
        f"unreadable .*{Path(FILM).name}",
        1,
        SEEN,
    ),
    Row(
        "B11",
        sound(np.full(96_000, 1e30)),
        VERIFY,
        f"unreadable .*{IN_DATA}: holds samples",
        1,
        SEEN,
    ),
    Row("B14", store("*.clip", None), STORE, NAMED, 0, BUILT),
    Row(
        "B17",
        late,
        VERIFY,
        f"starts apart .*{Path(FILM).name}: the sound starts 0.96 s later",
        0,
        SEEN,
    ),
    Row("B19", another_of_that_name, ["index", "data"], "under the name of", 0),
    Row(
        "B20",
        patched(40, (10**7).to_bytes(4, "little")),
        VERIFY,
        "its sound should reach to byte",
        1,
        SEEN,
    ),
    Row(
        "B21", sound(np.stack([SINE, -SINE], 1)), VERIFY, f"{IN_DATA}: its channels cancel", 1, SEEN
    ),
    Row(
        "B21",
        sound(np.full(1, 0.5)),
        STORE,
        f"{SOUND}: lasts 0.0000 s",
        1,
        (*SEEN, "s/??/*.clip"),
    ),
    Row("B22", units("name,AU1r", "0.5"), VECTORS, "'AU1r' looks like an action unit", 1),
    Row("B22", units("name,AU01_r", "1e38"), VECTORS, "AU01_r is 1e.38, and goes from 0 to 5", 1),
    Row(
        "B23", nothing, ["run", "audio", "--epochs", "-1"], "--epochs.*(x>=1|than or equal to 1)", 2
    ),
    Row("B24", nothing, ["run", "audio", "--weights", "w"], "No such option: --weights", 2),
    Row("B25", nothing, ["lessons", "foo"], "no lesson 'foo'; choose from 00", 1),
    Row("B28", predictions(cell(3, 2, "")), SCORE, "01-04-01-01-01-01 … has no fold", 1),
    Row("C29", sound(np.r_[SINE, np.nan]), STORE, f"{SOUND}: holds samples of nan", 1, SEEN),
    Row(
        "C29",
        sound(np.r_[SINE, np.nan]),
        [*STORE, "--skip-faulty"],
        "left out 01-03-01-01-01-01: .*nan",
        0,
        BUILT,
    ),
    Row(
        "C30",
        patched(24, (0x7FFFFFF1).to_bytes(4, "little")),
        VERIFY,
        "2147483633 samples a second",
        1,
        SEEN,
    ),
    Row(
        "C30",
        sound(np.zeros(99), rate=1),
        VERIFY,
        f"{IN_DATA}: says that it has 1 samples",
        1,
        SEEN,
    ),
    Row(
        "C32",
        nothing,
        ["run", "protocols", "--seeds", "0"],
        "--seeds.*(x>=1|than or equal to 1)",
        2,
    ),
    Row("C33", predictions(cell(0, 0, "")), SCORE, "mine.csv: line.* 2", 1),
    Row("C33", predictions(lambda rows: [*rows, ",,,,,,,,,,"]), SCORE, ALL, 0),
    Row("C33", predictions(cell(0, 1, "1.0")), SCORE, ALL, 0),
    Row("C34", store("*.clip", b""), STORE, NAMED, 0, BUILT),
    Row("C35", store("header.json", b"{}"), STORE, "header.json: .*no feature store", 1),
    Row("C35", store("*.clip", b"clip,actor\nx,1\n"), STORE, NAMED, 0, BUILT),
    *(
        Row("C36", remembered(text), VERIFY, "8 files opened to their end", 0, SEEN)
        for text in (
            "[]",
            "{}",
            '{"version": 3, "files": 7}',
            '"x"',
            "",
            '{"version": [], "files": {"a": null}}',
        )
    ),
    Row("C38", nothing, ["download", "--audio", "--actors", "1-99999999999"], "some of 1 to 24", 1),
    Row("C38", nothing, ["lessons", "99", "--keep", "pages"], "no lesson '99'", 1),
    Row("E45", units("name,AU01_r", "0.5", ";"), VECTORS, r"vectors \(4, 1\)", 0, BUILT),
    Row("E45", predictions(mark=";"), SCORE, ALL, 0),
    Row(
        "E45",
        predictions(heading="CLIP,Label,Fold," + ",".join(f"PROB_{n}" for n in range(1, 9))),
        SCORE,
        ALL,
        0,
    ),
    Row("E51", utf_16, SCORE, "mine.csv: .*(UTF-16|UTF-8)", 1),
    Row("E51", write("mine.csv", ""), SCORE, "mine.csv: lacks the columns clip", 1),
    Row("E52", nothing, ["index", SOUND], "is no folder|is a file", 1),
    Row("E54", nothing, [*STORE[:-1], "."], r"\.: .*name", 1),
    Row("E55", predictions(words), SCORE, ALL, 0),
    Row("E55", predictions(cell(0, 3, "0.865")), SCORE, "1 rows whose prob.* rounded", 0),
    Row(
        "E55",
        predictions(lambda rows: [*rows, rows[0].replace(",1,1,", ",1,2,")]),
        SCORE,
        "two folds",
        1,
    ),
    Row("E56", odd_folder, ["index", "d\x1b[31m\udcff"], r"d\\x1b\[31m.*4 speech clips", 0),
    Row("R5", predictions(lambda rows: [rows[0], *rows]), SCORE, "1 rows more than clips", 0),
    Row(
        "R5",
        predictions(lambda rows: [re.sub(r"0\.\d\d", "0.125", row) for row in rows]),
        SCORE,
        "24 clips with a tie",
        0,
    ),
]

ELSEWHERE = {
    "A2": "test_download.py::test_a_log_in_page_of_no_known_length_leaves_the_part",
    "A4": "test_download.py::test_an_endless_body_is_cut_at_the_known_size",
    "B6": "test_store.py::test_two_builds_of_other_recordings_into_one_name_never_mix",
    "B7": "test_lesson.py::test_a_data_folder_means_the_same_place_in_every_process",
    "B9": "test_ravdess.py::test_a_folder_that_may_not_be_read_is_named",
    "B12": "test_runner.py::test_whoever_changes_a_network_changes_what_runs_are_kept_under",
    "B13": "test_runner.py::test_a_kept_run_that_was_changed_is_made_again",
    "B15": "test_store.py::test_a_part_that_is_damaged_or_of_another_clip_is_made_again",
    "B16": "test_archives.py::test_an_archive_without_what_is_wanted_is_named_and_kept",
    "B18": "test_video.py::test_a_film_on_its_side_is_turned_as_players_turn_it",
    "B26": "test_release.py::test_what_is_no_repository_is_refused",
    "B27": "test_splits.py::test_published_folds_of_fewer_actors_test_those_that_are_there",
    "C31": "test_download.py::test_a_speed_that_cannot_be_is_not_believed",
    "C37": "test_download.py::test_what_is_no_record_is_told",
    "C39": "test_training.py::test_a_damaged_checkpoint_is_named_and_the_training_starts_anew",
    "C40": "test_lesson.py::test_too_few_clips_for_the_lessons_are_told_at_the_start",
    "C41": "test_hostile.py::test_whoever_interrupts_at_any_moment_gets_one_line",
    "D42": "test_download.py::test_a_record_that_never_ends_or_hardly_comes_is_given_up",
    "D43": "test_main.py::test_lab_opens_lesson_00_and_its_kernels_know_data_and_avlib",
    "D44": "test_download.py::test_whoever_presses_ctrl_c_need_not_wait_for_a_silent_host",
    "E46": "test_audio.py::test_other_forms_of_sound_are_read_under_the_name_of_a_wav",
    "E47": "test_download.py::test_an_answer_to_another_question_is_no_full_disk",
    "E48": "test_download.py::test_a_mirror_without_a_scheme_is_refused_at_once",
    "E49": "test_verify.py::test_a_file_that_cannot_be_read_does_not_stop_the_others",
    "E50": "test_hostile.py::test_going_on_is_promised_where_it_is_so",
    "E53": "test_main.py::test_every_console_can_print_what_a_command_says",
    "R1": "test_runner.py::test_kept_runs_are_told_and_made_again_on_request_or_by_other_code",
    "R2": "test_metrics.py::test_the_coverage_of_an_interval_over_actors_is_what_it_says",
    "R3": "test_metrics.py::test_the_majority_is_the_most_frequent_emotion_of_the_training_side",
    "R4": "test_loaders.py::test_by_actor_each_actor_is_a_standard_of_their_own",
    "R6": "test_checks.py::test_whatever_an_answer_is_the_learner_gets_a_hint",
    "R7": "test_init.py::test_threads_wait_asleep_unless_the_user_says_otherwise",
    "R8": "test_speed.py::test_a_benchmark_that_fails_takes_nothing_of_the_others_with_it",
}
LETTERS = {"A": (1, 5), "B": (6, 28), "C": (29, 41), "D": (42, 44), "E": (45, 56), "R": (1, 8)}
FINDINGS = {f"{letter}{n}" for letter, (a, b) in LETTERS.items() for n in range(a, b + 1)}


def on_disk(place: Path) -> dict[str, str]:
    """Every file and what it holds."""
    return {
        path.relative_to(place).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in place.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def place(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two clips each of two actors, from which commands are run."""
    for name in (ravdess.ClipName(1, 1, e, 1, 1, 1, a) for a in (1, 2) for e in (3, 5)):
        folder = tmp_path / "data" / f"Actor_{name.actor:02d}"
        folder.mkdir(parents=True, exist_ok=True)
        for path in (corpus / folder.name).glob(f"*{str(name)[2:]}.*"):
            shutil.copy(path, folder)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AVLIB_DATA", str(tmp_path / "avlib"))
    return tmp_path


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.finding}-{n}" for n, row in enumerate(ROWS)])
def test_a_finding_is_mended_or_refused(
    row: Row, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        row.prepare(place)
        before = on_disk(place)
        capsys.readouterr()
        warned.clear()
        code = main(row.command)
    printed = capsys.readouterr()
    said = "\n".join([printed.out, printed.err, *(str(each.message) for each in warned)])
    assert re.search(row.said, said, re.DOTALL), said
    assert code == row.code, said
    assert "\x1b" not in said
    after = on_disk(place)
    changed = {name for name in before | after if before.get(name) != after.get(name)}
    assert not [name for name in changed if not any(fnmatch(name, may) for may in row.changes)]


def test_every_finding_has_its_row_or_its_test() -> None:
    assert {row.finding for row in ROWS} | set(ELSEWHERE) == FINDINGS
    for finding, test in ELSEWHERE.items():
        file, _, name = test.partition("::")
        text = "".join(path.read_text("utf-8") for path in Path(__file__).parent.rglob(file))
        assert f"def {name}(" in text, f"{finding}: {test}"


@pytest.mark.parametrize("seconds", [0.6, 0.9, 1.2, 2.0])
def test_whoever_interrupts_at_any_moment_gets_one_line(place: Path, seconds: float) -> None:
    """While Python starts, while the workers start, while they work."""
    command = [sys.executable, "-m", "avlib", *STORE]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    ) as run:
        time.sleep(seconds)
        os.killpg(run.pid, 2)
        said = run.communicate(timeout=30)[0].decode()
    assert "Traceback" not in said
    assert "leaked" not in said
    assert run.returncode in (0, 130, -2)  # it may have been faster, or Python not yet there


def test_going_on_is_promised_where_it_is_so(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ravdess, "index", interrupt)
    assert main(STORE) == 130
    assert "interrupted; run it again to go on" in capsys.readouterr().err
    assert main(["run", "audio", "--data", "data"]) == 130
    assert capsys.readouterr().err.strip() == "avlib run: interrupted"
