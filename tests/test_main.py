"""The commands, as a person types them."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import nbformat
import psutil
import pytest
from jupyter_client import BlockingKernelClient
from shown import NOTEBOOKS

import avlib
from avlib import practice
from avlib.__main__ import main
from avlib.corpus import ravdess

COMMANDS = [
    "lab", "doctor", "practice", "download", "index", "verify", "features", "audit", "score",
    "predict", "lessons", "grade", "run", "run table1", "run audio", "run protocols",
    "run auxiliary",
    "run pairing", "run dominance", "run ladder",
]  # fmt: skip


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AVLIB_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture) -> None:
    for asked in ("-h", "--help"):
        assert main([*command.split(), asked]) == 0
        said = capsys.readouterr().out
        assert f"python -m avlib {command}" in said
        assert max(map(len, said.splitlines())) <= 80
        assert not re.search("[─│╭\x1b]", said)  # no frames, no colours: readable in a pipe


def test_index_says_what_is_there(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(["index", str(corpus), "--json", str(tmp_path / "found.json")]) == 0
    said = capsys.readouterr().out
    assert "practice corpus, 32 speech clips of 4 actors" in said
    assert "missing 208" in said
    assert json.loads((tmp_path / "found.json").read_text())["emotions"]["angry"] == 8


def test_features_builds_a_store_and_says_its_shapes(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    store = tmp_path / "store"
    assert main(["features", str(corpus), "--recipe", "sequence", "--out", str(store)]) == 0
    assert "mfcc (32, 40, 125), pairs (192, 64, 128, 3)" in capsys.readouterr().out
    assert main(["features", str(corpus), "--recipe", "paper", "--out", str(store)]) == 1
    assert "sound is 'sequence' and 'mean' was asked for" in capsys.readouterr().err


@pytest.mark.slow
def test_table1_is_printed_beside_the_papers_and_is_the_same_twice(
    corpus: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    command = ["run", "table1", "--data", str(corpus), "--split", "actor", "--epochs", "2"]
    for name in ("once", "again"):
        assert main([*command, "--seed", "3", "--json", str(tmp_path / name)]) == 0
    assert (tmp_path / "once").read_bytes() == (tmp_path / "again").read_bytes()
    said = capsys.readouterr().out
    assert "measured on the practice corpus: 32 clips of 4 actors, split by actor" in said
    assert re.search(r"fusion .* 98\.0 +89\.0 +89\.0", said)


@pytest.mark.slow
def test_the_ladder_is_climbed_and_its_recogniser_written(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture
) -> None:
    spoken, given = tmp_path / "spoken", ["--json", str(tmp_path / "ladder.json")]
    names = [
        name
        for name in practice.half(range(1, 9))
        if name.intensity == 1 or name.emotion in (3, 5, 6)  # fewer, so that it takes seconds
    ]
    practice.write(spoken, 8, modalities=[3], names=names, progress=False)
    command = ["run", "ladder", "--quick", "--data", str(spoken), "--folds", "4"]
    assert main([*command, *given, "--weights", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "Look 1 at these actors. Listeners: 0.624 from sound" in said
    assert re.search(r"the whole voice +all +0\.\d{3} \(0\.\d{3} to", said)
    rows = json.loads((tmp_path / "ladder.json").read_text())["rows"]
    assert {"step", "speaker_clips", "accuracy", "low", "high", "uar"} <= set(rows[0])
    assert {row["speaker_clips"] for row in rows} >= {0, 5, "all"}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "MODEL_CARD.md",
        "voice.safetensors",
    ]


def test_with_too_few_speakers_nobody_can_climb(
    corpus: Path, data: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(["run", "ladder", "--quick", "--data", str(corpus), "--folds", "4"]) == 1
    assert "speakers: six are needed, or more, to choose and to learn on" in capsys.readouterr().err


def test_audio_is_run_fold_by_fold(corpus: Path, data: Path, capsys: pytest.CaptureFixture) -> None:
    command = ["run", "audio", "--data", str(corpus), "--folds", "2", "--epochs", "2"]
    assert main([*command, "--recipe", "sequence"]) == 0
    told = capsys.readouterr().out
    assert "fold 2: accuracy" in told
    assert re.search(r"actor audio +2\.000 +32\.000 ", told)


@pytest.mark.slow
def test_dominance_sets_cures_side_by_side_and_goes_on(
    corpus: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    units = tmp_path / "units.csv"
    clips = ravdess.index(corpus)["clip"]
    units.write_text("name,AU12_r\n" + "".join(f"01-{clip},0.{clip[1]}\n" for clip in clips))
    command = ["run", "dominance", "--data", str(corpus), "--action-units", str(units)]
    command += ["--cures", "none,late", "--split", "clip", "--folds", "2", "--epochs", "1"]
    command += ["--seeds", "1", "--strength", "1,0.5"]
    assert main([*command, "--json", str(tmp_path / "once.json")]) == 0
    said = capsys.readouterr().out
    assert "dominance, measured on the practice corpus: 32 clips of 4 actors" in said
    assert "faces by action units, 2 folds, 1 epochs, 1 seeds" in said
    for told in ("late less none", "noise at 10 dB", "face black for 1 s", "Shapley of sound"):
        assert told in said
    assert main([*command, "--json", str(tmp_path / "again.json")]) == 0
    assert "8 of 8 runs kept from" in capsys.readouterr().out
    assert (tmp_path / "once.json").read_bytes() == (tmp_path / "again.json").read_bytes()


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [("--strength", "2", "'2' should be numbers from 0 to 1"),
     ("--strength", "loud", "'loud' should be numbers from 0 to 1"),
     ("--cures", "luck", "'luck' is not one of none, auxiliary")],
)  # fmt: skip
def test_dominance_refuses_what_is_none(
    option: str, value: str, said: str, data: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(["run", "dominance", option, value]) == 2
    assert said in re.sub(r"\s+", " ", capsys.readouterr().err)


@pytest.mark.slow
def test_protocols_run_on_action_units_and_say_what_they_know_of_the_speaker(
    corpus: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    units = tmp_path / "units.csv"
    clips = ravdess.index(corpus)["clip"]
    units.write_text("name,AU12_r\n" + "".join(f"01-{clip},0.{clip[1]}\n" for clip in clips))
    command = ["run", "protocols", "--data", str(corpus), "--action-units", str(units)]
    command += ["--split", "actor", "--folds", "hicmae", "--seeds", "1", "--epochs", "1"]
    with pytest.warns(UserWarning, match="hicmae: the rows lack 20 of the 24 actors"):
        assert (
            main([*command, "--normalisation", "actor"]) == 1
        )  # the first fold holds all four actors
    assert "0 would be left to train" in capsys.readouterr().err
    command[command.index("hicmae")] = "luna-jimenez"
    with pytest.warns(UserWarning, match="luna-jimenez: the rows lack 20"):
        assert main([*command, "--normalisation", "actor"]) == 0
    said = capsys.readouterr().out
    assert "faces by action units, luna-jimenez folds" in said
    assert "other clips of the actors who are tested are seen" in said
    for row in ("fusion less image", "regression on both", "always the most frequent"):
        assert row in said
    units.write_text("".join(units.read_text().splitlines(keepends=True)[:-3]))
    assert main(command) == 1
    assert "3 of 32 clips have no action units" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["index", "{empty}"], "no RAVDESS speech recordings"),
        (["index", "{empty}/nowhere"], "no RAVDESS speech recordings"),
        (["features", "{empty}", "--out", "{empty}/store"], "no RAVDESS speech recordings"),
        (["run", "table1", "--data", "{empty}"], "no RAVDESS speech recordings"),
        (["practice", "--out", "{empty}/p", "--actors", "25"], "actors"),
        (["audit", "{empty}"], "no RAVDESS speech recordings"),
        (["score", "{empty}/mine.csv"], "mine.csv"),
        (["lessons", "99"], "no lesson '99'"),
        (["lessons", "00", "foo"], "no lesson 'foo'"),
        (["lessons", "00", "--keep", "{notebooks}"], "holds the lessons themselves"),
        (
            ["features", "{corpus}", "--out", "{empty}/s", "--no-picture", "--action-units", "F"],
            "--no-picture and --action-units: choose one",
        ),
    ],
)
def test_bad_input_ends_in_one_clear_line(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    data: Path,
    corpus: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    assert (
        main(
            [
                part.format(empty=tmp_path, corpus=corpus, notebooks=NOTEBOOKS[0].parent)
                for part in arguments
            ]
        )
        == 1
    )
    message = capsys.readouterr().err
    assert said in message
    assert "Traceback" not in message


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "table1", "--split", "clip", "pair"], "unexpected extra argument"),
        (["run", "table1", "--split", "clip,pair"], "--split"),
        (["run", "protocols", "--split", "clip,clap"], "--split: 'clap' is not one of pair, clip"),
        (["run", "protocols", "--folds", "hicmea"], "--folds: 'hicmea' is neither a number nor"),
        (["practice", "--out", "p", "--modalities", "1,4"], "--modalities: '4' is not one of"),
        (["run", "table1", "--epochs", "0"], "--epochs"),
        (["run", "tables"], "No such command 'tables'"),
        (["index"], "DIR"),
        (["audit", "--seeds", "0"], "--seeds"),
        *(
            ([*command.split(), *option.split()], f"No such option: {option.split()[0]}")
            for command, options in (
                ("run table1", ("--folds 3", "--seeds 3", "--fresh")),
                ("run audio", ("--weights w", "--action-units FILE", "--seeds 3", "--fresh")),
                ("run protocols", ("--weights w", "--seed 3")),
                ("run auxiliary", ("--weights w", "--seed 3")),
                ("run pairing", ("--weights w", "--seed 3")),
                ("index DIR", ("--again", "--no-json")),
                ("run", ("--data DIR", "--install-completion")),
            )
            for option in options
        ),
    ],
)
def test_what_a_command_does_not_take_is_refused(
    arguments: list[str], said: str, data: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(arguments) == 2
    told = capsys.readouterr()
    assert said in told.err
    assert told.err.splitlines()[-1].startswith("Error: ")
    assert told.out == ""
    assert not data.exists()


def test_a_result_never_overwrites_what_a_command_reads(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    sound = next(corpus.glob("Actor_01/*.wav"))
    before = sound.read_bytes()
    assert main(["index", str(corpus), "--json", str(sound)]) == 1
    assert f"{sound}: is there already and is no earlier result" in capsys.readouterr().err
    assert sound.read_bytes() == before
    table = tmp_path / "mine.csv"
    table.write_text("{}")
    assert main(["score", str(table), "--json", str(table)]) == 1
    assert "mine.csv: is read by this command" in capsys.readouterr().err
    assert table.read_text() == "{}"


@pytest.mark.parametrize("encoding", ["ascii", "cp437", "cp1252"])
@pytest.mark.parametrize(
    "command", [["index", "{corpus}"], ["verify", "{corpus}"], ["doctor"], ["score", "--help"]]
)
def test_every_console_can_print_what_a_command_says(
    command: list[str], encoding: str, corpus: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "avlib", *(part.format(corpus=corpus) for part in command)],
        env=os.environ | {"PYTHONIOENCODING": encoding, "AVLIB_DATA": str(tmp_path / "… → data")},
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1)
    assert done.stdout
    assert b"Traceback" not in done.stderr
    assert b"UnicodeEncodeError" not in done.stderr


def test_a_developer_can_ask_for_the_traceback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert main(["index", str(tmp_path)]) == 1
    monkeypatch.setenv("AVLIB_DEBUG", "1")
    with pytest.raises(FileNotFoundError, match="no RAVDESS"):
        main(["index", str(tmp_path)])


def test_audit_prints_what_a_split_leaks(capsys: pytest.CaptureFixture) -> None:
    assert main(["audit", "--split", "clip", "--seeds", "2"]) == 0
    said = capsys.readouterr().out
    assert "1440 clips, split by clip" in said
    assert re.search(r"the same actor +1\.0000", said)
    assert re.search(r"the same bytes +not known here", said)


def test_score_prints_every_fold_and_the_majority(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    rows = ["clip,label,fold," + ",".join(f"prob_{code}" for code in range(1, 9))]
    for actor in range(1, 7):
        for emotion in range(1, 9):
            chances = [0.05] * 8
            chances[emotion - 1 if actor < 5 else 0] = 0.65
            rows.append(
                f"03-01-{emotion:02d}-01-01-01-{actor:02d},{emotion},{actor % 2},"
                + ",".join(map(str, chances))
            )
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(rows))
    assert main(["score", str(path), "--json", str(tmp_path / "found.json")]) == 0
    said = capsys.readouterr().out
    assert "48 clips of 6 actors" in said
    assert "fold 1" in said
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["all"]["accuracy"] == (4 * 8 + 2) / 48
    assert found["always the most frequent of the other folds"]["UAR"] == 1 / 8
    assert found["each actor"]["6"] == {"clips": 8, "accuracy": 1 / 8}
    assert found["each emotion"]["neutral"]["accuracy"] == 1
    assert "surprised" in said


def test_doctor_writes_json(tmp_path: Path) -> None:
    assert main(["doctor", "--json", str(tmp_path / "found.json")]) == 0
    findings = json.loads((tmp_path / "found.json").read_text())
    assert all(finding["ok"] for finding in findings)
    assert {"numpy", "torch", "device"} <= {finding["name"] for finding in findings}


def test_sound_alone_has_no_faces_for_table1(
    corpus: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    shutil.copy(next(corpus.glob("Actor_01/*.wav")), tmp_path)
    assert main(["run", "table1", "--data", str(tmp_path)]) == 1
    assert "table1 needs faces" in capsys.readouterr().err
    assert not data.exists()


@pytest.mark.slow
def test_lab_hands_data_and_this_very_avlib_to_its_kernels(corpus: Path, tmp_path: Path) -> None:
    """Though another avlib is installed, and the kernels run elsewhere."""
    jupyterlab, other = tmp_path / "jupyterlab", tmp_path / "avlib"
    for package in (jupyterlab, other):
        package.mkdir()
        (package / "__init__.py").touch()
    (jupyterlab / "__main__.py").write_text(
        "import subprocess, sys\n"
        "kernel = 'import os, sys, avlib; print(avlib.__file__, os.environ[\"AVLIB_DATA\"])'\n"
        "place = sys.argv[1].removeprefix('--ServerApp.root_dir=')\n"
        "print(*sys.argv[1:], flush=True)\n"
        "sys.exit(subprocess.run([sys.executable, '-c', kernel], cwd=place).returncode + 5)\n"
    )
    shutil.copytree(corpus, tmp_path / "data")
    code = (  # as `python -m avlib`, which finds the avlib of the folder where it is called
        f"import os, sys; sys.path.insert(0, {str(NOTEBOOKS[0].parents[1])!r});"
        f"from avlib.__main__ import main; os.chdir({str(tmp_path)!r});"
        "sys.exit(main(['lab', '--no-browser', '--', '--port=1', '--', 'x']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(tmp_path), "AVLIB_DATA": "data"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    *_, given, found = done.stdout.splitlines()
    assert re.fullmatch(r".* --no-browser .*--port=1 -- x|.* --no-browser --port=1 -- x", given)
    assert "--LabApp.default_url=/lab/tree/00-start-here.ipynb" in given
    assert found.split() == [avlib.__file__, str(tmp_path / "data")]
    assert done.returncode == 5  # what JupyterLab said


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_lessons_kernel_ends_with_the_command(
    how: signal.Signals, corpus: Path, tmp_path: Path
) -> None:
    (tmp_path / "notebooks").mkdir()
    cells = ["import os; open('pid', 'w').write(f'{os.getpid()} ')", "import time; time.sleep(600)"]
    lesson = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, cells)))
    nbformat.write(lesson, tmp_path / "notebooks" / "00-long.ipynb")
    code = (
        "import pathlib, runpy, sys; from avlib.course import lesson;"
        f"lesson.home = lambda: pathlib.Path({str(tmp_path)!r});"
        "sys.argv = ['avlib', 'lessons', '00']; runpy.run_module('avlib', run_name='__main__')"
    )
    command = subprocess.Popen(
        [sys.executable, "-c", code], env=os.environ | {"AVLIB_DATA": str(corpus)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    written = tmp_path / "notebooks" / "pid"
    while not (written.exists() and written.read_text().endswith(" ")):
        assert command.poll() is None, command.stdout.read()
        time.sleep(0.1)
    kernel = psutil.Process(int(written.read_text()))
    command.send_signal(how)
    said = command.communicate(timeout=30)[0]
    psutil.wait_procs([kernel], timeout=10)
    assert not kernel.is_running() or kernel.status() == psutil.STATUS_ZOMBIE
    assert "Traceback" not in said
    if how != signal.SIGKILL:
        assert said == "00-long.ipynb … avlib lessons: interrupted\n"
        assert command.returncode == 130


@pytest.mark.slow
def test_lab_opens_lesson_00_and_its_kernels_know_data_and_avlib(
    corpus: Path, tmp_path: Path
) -> None:
    """Though another avlib is installed; a kernel runs in the notebooks' folder."""
    checkout, other = NOTEBOOKS[0].parents[1], tmp_path / "other"
    (other / "avlib").mkdir(parents=True)
    (other / "avlib" / "__init__.py").touch()
    where = {"AVLIB_DATA": os.path.relpath(tmp_path, checkout), "PYTHONPATH": str(other)}
    where |= {"JUPYTER_RUNTIME_DIR": str(tmp_path)}  # where kernels say how they are reached
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shutil.copy(next(corpus.glob("Actor_01/*.wav")), tmp_path)  # so none has to be made
    command = [sys.executable, "-m", "avlib", "lab", "--no-browser", "--"]
    options = [f"--port={port}", "--ServerApp.ip=127.0.0.1", "--IdentityProvider.token=lesson"]
    lab = subprocess.Popen(
        [*command, *options],
        cwd=checkout,
        env=os.environ | where,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        page, listing = None, None
        for _ in range(120):
            time.sleep(0.5)
            try:
                address = f"http://127.0.0.1:{port}"
                page = urllib.request.urlopen(f"{address}/?token=lesson", timeout=10)
                contents = f"{address}/api/contents?token=lesson"
                listing = json.load(urllib.request.urlopen(contents, timeout=10))
                break
            except (urllib.error.URLError, ConnectionError):
                assert lab.poll() is None, lab.stdout.read()
        assert page is not None, "JupyterLab did not answer within a minute"
        assert page.url.split("?")[0].endswith("/lab/tree/00-start-here.ipynb")
        assert "00-start-here.ipynb" in [entry["name"] for entry in listing["content"]]
        started = urllib.request.Request(f"{address}/api/kernels?token=lesson", b"{}")
        kernel = json.load(urllib.request.urlopen(started, timeout=60))["id"]
        assert _asked(tmp_path / f"kernel-{kernel}.json") == f"{avlib.__file__} {tmp_path}"
        lab.terminate()  # the command alone: it sees to JupyterLab
        lab.wait(timeout=60)
        with pytest.raises(OSError, match="refused"), socket.socket() as probe:
            probe.connect(("127.0.0.1", port))
    finally:
        if lab.poll() is None:
            os.killpg(lab.pid, signal.SIGTERM)
        lab.communicate(timeout=30)


def _asked(connection: Path) -> str:
    """What a kernel says of where its avlib and its data lie; it may take its time to start."""
    answer, client = connection.with_suffix(".txt"), BlockingKernelClient()
    client.load_connection_file(str(connection))
    client.start_channels(hb=False)
    words = "f'{avlib.__file__} {course.data_folder().resolve()}'"
    client.execute(
        "import avlib, pathlib; from avlib import course;"
        f"pathlib.Path({str(answer)!r}).write_text({words})"
    )
    end = time.monotonic() + 120
    while not (answer.exists() and answer.read_text()) and time.monotonic() < end:
        time.sleep(0.5)
    client.stop_channels()
    return answer.read_text()
