"""Whatever the host, the network or the disk does, a download ends right or says why."""

import io
import random
import signal
import ssl
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from email.utils import formatdate
from functools import partial
from hashlib import md5
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme
from server import Zenodo, zenodo

from avlib.__main__ import main
from avlib.corpus import download, manifest, ravdess
from avlib.corpus.download import Host
from avlib.corpus.manifest import Archive

RNG = random.Random(0)
SPEECH, FILM1, FILM2 = (
    "Audio_Speech_Actors_01-24.zip",
    "Video_Speech_Actor_01.zip",
    "Video_Speech_Actor_02.zip",
)
SONG, SUNG1 = "Audio_Song_Actors_01-24.zip", "Video_Song_Actor_01.zip"
DAY_S = 86_400


def zipped(modality: int, actors: list[int], channel: int = 1) -> bytes:
    """An archive as the record has them: noise, under the right names."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for actor in actors:
            for emotion in range(1, 7):
                name = ravdess.ClipName(modality, channel, emotion, 1, 1, 1, actor)
                suffix = "wav" if modality == 3 else "mp4"
                content = RNG.randbytes(20_000)
                archive.writestr(f"Actor_{actor:02d}/{name}.{suffix}", content)
    return file.getvalue()


FILES = {
    SPEECH: zipped(3, [1, 2, 3]),
    FILM1: zipped(1, [1]),
    FILM2: zipped(1, [2]),
    SONG: zipped(3, [1, 2, 3], channel=2),
    SUNG1: zipped(1, [1], channel=2),
}
SMALL = {
    name: replace(manifest.registry()[name], bytes=len(data), md5=md5(data).hexdigest())
    for name, data in FILES.items()
}


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Zenodo]:
    monkeypatch.setattr(manifest, "registry", lambda: SMALL)
    with zenodo(dict(FILES)) as server:
        yield server


def quick(server: Zenodo, **settings: float) -> Host:
    return Host(server.address, **({"pause_s": 0.01} | settings))


def fetch(server: Zenodo, folder: Path, **settings: float) -> bytes:
    return download.fetch(SMALL[SPEECH], folder, quick(server, **settings)).read_bytes()


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_a_whole_download(host: Zenodo, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    host.troubles = [("drip", 200_000)] * 3
    command = ["download", "--audio", "--video", "--actors", "1-2", "--out", str(tmp_path)]
    command += ["--mirror", host.address, "--accept-license"]
    assert main(command) == 0
    said = capsys.readouterr().out
    for name in (SPEECH, FILM1, FILM2):
        assert name in said
    assert "CC BY-NC-SA" in said
    clips = ravdess.index(tmp_path)
    assert sorted(clips["actor"].unique()) == [1, 2]
    assert clips[["sound", "picture"]].notna().all(axis=None)
    for file, entry in manifest.read(tmp_path).items():
        assert manifest.is_whole(tmp_path, file, entry)
    assert not list(tmp_path.glob("*.zip*"))
    assert host.most_at_work == 2  # three archives, two at a time
    host.requests.clear()
    assert main(command) == 0
    assert host.requests == []
    assert "is here" in capsys.readouterr().out


def test_a_folder_that_python_serves_is_a_mirror(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(manifest, "registry", lambda: SMALL)
    folder = tmp_path / "mirror" / "records" / download.RECORD / "files"
    folder.mkdir(parents=True)
    (folder / SPEECH).write_bytes(FILES[SPEECH])
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path / "mirror")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:  # as `python -m http.server`
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        command = ["download", "--audio", "--actors", "1-3", "--out", str(tmp_path / "own")]
        assert main([*command, "--mirror", address, "--accept-license"]) == 0
        server.shutdown()
    assert sorted(ravdess.index(tmp_path / "own")["actor"].unique()) == [1, 2, 3]
    assert SPEECH in capsys.readouterr().out


def test_archives_are_kept_on_request_and_song_is_kept_apart(host: Zenodo, tmp_path: Path) -> None:
    command = ["download", "--song", "--audio", "--video", "--actors", "1", "--keep-archives"]
    command += ["--out", str(tmp_path), "--mirror", host.address, "--accept-license"]
    assert main(command) == 0
    assert {SONG, SUNG1} <= names_in(tmp_path)
    assert set(ravdess.index(tmp_path, channel=2)["actor"]) == {1}
    with pytest.raises(FileNotFoundError, match="no RAVDESS speech"):
        ravdess.index(tmp_path)


def test_a_recording_that_was_removed_is_fetched_again(host: Zenodo, tmp_path: Path) -> None:
    work = download.plan([SMALL[FILM1]], [1], tmp_path, quick(host))
    download.fetch_all(work, quick(host), progress=False)
    gone = next(tmp_path.rglob("*.mp4"))
    gone.unlink()
    again = download.plan([SMALL[FILM1]], [1], tmp_path, quick(host))
    download.fetch_all(again, quick(host), progress=False)
    assert gone.is_file()


def test_the_licence_must_be_accepted(
    host: Zenodo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["download", "--audio", "--out", str(tmp_path), "--mirror", host.address]
    assert main(command) == 1
    assert "--accept-license" in capsys.readouterr().err
    assert host.requests == []
    assert names_in(tmp_path) == set()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "audio, video or both"),
        (["--audio", "--actors", "0-3"], "some of 1 to 24"),
        (["--audio", "--actors", "two"], "1-4"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["download", *options]) == 1
    assert message in capsys.readouterr().err


def test_a_connection_cut_ten_times_goes_on_each_time(host: Zenodo, tmp_path: Path) -> None:
    points = sorted(RNG.sample(range(1, len(FILES[SPEECH])), 10))
    steps = [at - before for before, at in zip([0, *points], points, strict=False)]
    host.troubles = [("cut", step) for step in steps]
    assert fetch(host, tmp_path) == FILES[SPEECH]
    assert [span for _, span in host.requests] == [None, *(f"bytes={at}-" for at in points)]


def test_a_download_stopped_by_hand_goes_on(host: Zenodo, tmp_path: Path) -> None:
    came = []

    def stop_early(got: int) -> None:
        came.append(got)
        if got:
            raise OSError("stopped")

    host.troubles = [("drip", 100_000)]
    with pytest.raises(OSError, match="stopped"):
        download.fetch(SMALL[SPEECH], tmp_path, quick(host), stop_early)
    assert 0 < sum(came) < len(FILES[SPEECH])
    assert fetch(host, tmp_path) == FILES[SPEECH]
    assert host.requests[-1] == (SPEECH, f"bytes={sum(came)}-")


def test_a_host_that_cannot_go_on_starts_again(host: Zenodo, tmp_path: Path) -> None:
    host.ranges, host.troubles = False, [("cut", 30_000), ("cut", 50_000)]
    assert fetch(host, tmp_path) == FILES[SPEECH]


def test_a_part_that_is_longer_than_the_archive_is_fetched_anew(
    host: Zenodo, tmp_path: Path
) -> None:
    (tmp_path / f"{SPEECH}.part").write_bytes(FILES[SPEECH] + b"!")
    assert fetch(host, tmp_path) == FILES[SPEECH]
    assert [span for _, span in host.requests] == [f"bytes={len(FILES[SPEECH]) + 1}-", None]


@pytest.mark.parametrize("asked", ["soon", "-1", "Fri, 31 Dec 99999 23:59:59 GMT", ""])
def test_a_time_to_wait_that_is_none_is_not_waited_for(
    host: Zenodo, tmp_path: Path, asked: str
) -> None:
    host.troubles = [("status", 503, asked)]
    assert fetch(host, tmp_path) == FILES[SPEECH]


@pytest.mark.parametrize("code", [429, 503])
@pytest.mark.parametrize("as_date", [False, True])
def test_the_host_is_given_the_time_it_asks_for(
    host: Zenodo, tmp_path: Path, code: int, as_date: bool
) -> None:
    until = formatdate(time.time() + 2, usegmt=True)  # dates come in whole seconds
    host.troubles = [("status", code, until if as_date else "1")]
    begun = time.monotonic()
    assert fetch(host, tmp_path) == FILES[SPEECH]
    assert time.monotonic() - begun >= (0.9 if as_date else 1.0)


def test_a_very_long_wait_is_left_to_the_student(host: Zenodo, tmp_path: Path) -> None:
    host.troubles = [("status", 429, str(DAY_S))]
    with pytest.raises(OSError, match="come back in 1440 minutes"):
        fetch(host, tmp_path)
    assert fetch(host, tmp_path) == FILES[SPEECH]


def test_a_host_that_never_answers_rightly_is_given_up(host: Zenodo, tmp_path: Path) -> None:
    host.troubles = [("cut", 40_000)] + [("status", 500, None)] * 5
    with pytest.raises(OSError, match="gave up after 5 tries"):
        fetch(host, tmp_path)
    assert (tmp_path / f"{SPEECH}.part").stat().st_size == 40_000
    assert fetch(host, tmp_path) == FILES[SPEECH]


def test_a_slow_drip_is_closed_and_gone_on_with(host: Zenodo, tmp_path: Path) -> None:
    host.troubles = [("drip", 2000)]
    begun = time.monotonic()
    assert fetch(host, tmp_path, patience_s=0.5, slowest=10_000) == FILES[SPEECH]
    assert time.monotonic() - begun < 20  # to its end the drip would take three minutes
    assert len(host.requests) == 2


def test_a_slow_but_steady_host_is_waited_for(host: Zenodo, tmp_path: Path) -> None:
    host.troubles = [("drip", 300_000)]
    assert fetch(host, tmp_path, patience_s=0.5, slowest=10_000) == FILES[SPEECH]
    assert len(host.requests) == 1


def test_wrong_content_comes_twice_and_is_refused(host: Zenodo, tmp_path: Path) -> None:
    host.files[SPEECH] = bytes(len(FILES[SPEECH]))
    with pytest.raises(ValueError, match=rf"{SPEECH}: came twice with a wrong checksum"):
        fetch(host, tmp_path)
    assert names_in(tmp_path) == set()
    host.files[SPEECH] = FILES[SPEECH]
    assert fetch(host, tmp_path) == FILES[SPEECH]


def test_a_part_of_something_else_is_not_gone_on_with_to_the_end(
    host: Zenodo, tmp_path: Path
) -> None:
    (tmp_path / f"{SPEECH}.part").write_bytes(bytes(50_000))
    assert fetch(host, tmp_path) == FILES[SPEECH]
    assert [span for _, span in host.requests] == ["bytes=50000-", None]


def test_a_part_that_is_too_long_is_thrown_away(host: Zenodo, tmp_path: Path) -> None:
    (tmp_path / f"{SPEECH}.part").write_bytes(bytes(len(FILES[SPEECH]) + 1))
    assert fetch(host, tmp_path) == FILES[SPEECH]


@pytest.mark.parametrize("there", [0, 50_000])
def test_a_login_page_or_a_shorter_file_is_refused_at_once(
    host: Zenodo, tmp_path: Path, there: int
) -> None:
    if there:
        (tmp_path / f"{SPEECH}.part").write_bytes(FILES[SPEECH][:there])
    host.troubles = [("other", b"<html>Please log in</html>")]
    with pytest.raises(ValueError, match="offers 26 bytes instead of"):
        fetch(host, tmp_path)
    assert fetch(host, tmp_path) == FILES[SPEECH]
    assert host.requests[-1][1] == (f"bytes={there}-" if there else None)  # nothing was lost


def test_a_file_that_the_host_lacks(host: Zenodo, tmp_path: Path) -> None:
    del host.files[SPEECH]
    with pytest.raises(OSError, match=rf"{SPEECH}.*404"):
        fetch(host, tmp_path)


def test_one_archive_that_fails_does_not_stop_the_others(host: Zenodo, tmp_path: Path) -> None:
    del host.files[FILM1]
    work = download.plan([SMALL[FILM1], SMALL[FILM2]], [1, 2], tmp_path, quick(host))
    with pytest.raises(OSError, match=f"{FILM1}.*404"):
        download.fetch_all(work, quick(host), progress=False)
    assert set(ravdess.index(tmp_path)["actor"]) == {2}


def test_a_certificate_that_is_not_trusted(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with zenodo(dict(FILES), context) as server:
        safe = Host(server.address.replace("http:", "https:"), pause_s=0.01)
        with pytest.raises(OSError, match="certificate is not trusted"):
            download.fetch(SMALL[SPEECH], tmp_path, safe)


def test_a_name_that_is_not_known(tmp_path: Path) -> None:
    nowhere = Host("http://no-such-host.invalid", pause_s=0.01)
    with pytest.raises(OSError, match="name is not known"):
        download.fetch(SMALL[SPEECH], tmp_path, nowhere)
    with pytest.raises(OSError, match="name is not known"):
        nowhere.record()


def test_a_host_that_is_not_there(host: Zenodo, tmp_path: Path) -> None:
    gone = quick(host)
    host.socket.close()
    closed = replace(gone, address="http://127.0.0.1:9", tries=2)
    with pytest.raises(OSError, match="gave up after 2 tries"):
        download.fetch(SMALL[SPEECH], tmp_path, closed)


def test_too_small_a_disk_is_told_before_anything_moves(
    host: Zenodo, small_disk: Callable[[int], Path]
) -> None:
    folder = small_disk(300)
    work = download.plan([SMALL[SPEECH]], [1, 2, 3], folder, quick(host))
    with pytest.raises(OSError, match="free disk"):
        download.fetch_all(work, quick(host), progress=False)
    assert host.requests == []


def test_a_disk_that_fills_up_is_told_and_gone_on_with(
    host: Zenodo, small_disk: Callable[[int], Path]
) -> None:
    folder = small_disk(200)
    with pytest.raises(OSError, match=r"No space left.*make room"):
        fetch(host, folder)
    kept = (folder / f"{SPEECH}.part").stat().st_size
    assert kept > 100_000
    small_disk(4000)
    host.requests.clear()
    assert fetch(host, folder) == FILES[SPEECH]
    assert host.requests == [(SPEECH, f"bytes={kept}-")]


def test_a_killed_download_goes_on(host: Zenodo, tmp_path: Path) -> None:
    host.troubles = [("drip", 100_000)]
    program = (
        "from pathlib import Path\n"
        "from avlib.corpus import download\nfrom avlib.corpus.manifest import Archive\n"
        f"download.fetch({SMALL[SPEECH]!r}, Path({str(tmp_path)!r}), "
        f"download.Host({host.address!r}))"
    )
    process = subprocess.Popen([sys.executable, "-c", program])
    part, limit = tmp_path / f"{SPEECH}.part", time.monotonic() + 60
    while not (part.is_file() and part.stat().st_size > 20_000):
        assert time.monotonic() < limit
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert part.stat().st_size < len(FILES[SPEECH])
    assert fetch(host, tmp_path) == FILES[SPEECH]
    assert host.requests[-1][1] is not None


def test_lengths_and_checksums_that_the_registry_lacks_come_from_the_record(
    host: Zenodo, tmp_path: Path
) -> None:
    lacking = replace(SMALL[FILM1], bytes=None, md5=None)
    work = download.plan([lacking], [1], tmp_path, quick(host))
    assert work.archives == (SMALL[FILM1],)
    nowhere = Host("http://127.0.0.1:9", tries=1)
    with pytest.raises(OSError, match=f"{FILM1}: its checksum stands in no list"):
        download.plan([lacking], [1], tmp_path, nowhere)
    no_length = replace(SMALL[FILM1], bytes=None)
    assert download.plan([no_length], [1], tmp_path, nowhere).archives == (no_length,)
    del host.files[FILM1]
    with pytest.raises(OSError, match=f"{FILM1}: .*the record lists no such file"):
        download.plan([lacking], [1], tmp_path, quick(host))


def test_the_registry_is_compared_with_the_record(
    host: Zenodo, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["download", "--refresh-registry", "--mirror", host.address]
    assert main(command) == 0
    assert "agree" in capsys.readouterr().out
    host.files[FILM1] += b"!"
    host.files["New.zip"] = b"new"
    del host.files[FILM2]
    assert main(command) == 1
    said = capsys.readouterr().out
    size, sums = len(FILES[FILM1]), [md5(x).hexdigest() for x in (host.files[FILM1], FILES[FILM1])]
    assert said.splitlines() == [
        "New.zip: 3 bytes, md5 22af645d1859cb5ca6da0c484f1f37ea in the record, not in the registry",
        f"{FILM1}: {size + 1} bytes, md5 {sums[0]} in the record, "
        f"{size} bytes, md5 {sums[1]} in the registry",
        f"{FILM2}: not in the record, {SMALL[FILM2].bytes} bytes, md5 {SMALL[FILM2].md5} in the "
        "registry",
    ]


def test_a_plan_says_how_long_it_will_take(host: Zenodo, tmp_path: Path) -> None:
    work = download.plan([SMALL[SPEECH]], [1, 2, 3], tmp_path, quick(host))
    assert "0.00 GB, 0 min at 20 Mbit/s" in str(work)
    large = replace(SMALL[FILM1], bytes=600_000_000)
    assert "0.60 GB, 4 min at 20 Mbit/s" in str(replace(work, archives=(large,)))


def test_the_official_registry_is_whole() -> None:
    known = manifest.registry()
    speech = [archive for archive in known.values() if archive.channel == "speech"]
    assert [archive.actor for archive in speech] == [None, *range(1, 25)]
    assert all(isinstance(archive, Archive) and archive.source for archive in known.values())
    assert len({archive.md5 for archive in speech}) == 25
    assert all(len(archive.md5) == 32 for archive in speech)
    assert 18 not in {archive.actor for archive in known.values() if archive.channel == "song"}


def test_a_log_in_page_of_no_known_length_leaves_the_part(host: Zenodo, tmp_path: Path) -> None:
    part = tmp_path / f"{SPEECH}.part"
    part.write_bytes(FILES[SPEECH][:50_000])
    host.troubles = [("unsized", b"<html>Please log in</html>", 3)]
    with pytest.raises(ValueError, match=r"is no zip archive.*What came earlier is kept"):
        fetch(host, tmp_path)
    assert part.read_bytes() == FILES[SPEECH][:50_000]
    assert fetch(host, tmp_path) == FILES[SPEECH]
    assert host.requests[-1][1] == "bytes=50000-"


def test_an_endless_body_is_cut_at_the_known_size(host: Zenodo, tmp_path: Path) -> None:
    host.troubles = [("unsized", FILES[SPEECH], 100)]
    with pytest.raises(ValueError, match=rf"sends more than its {len(FILES[SPEECH])} bytes"):
        fetch(host, tmp_path)
    written = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert written <= len(FILES[SPEECH])
    assert fetch(host, tmp_path) == FILES[SPEECH]


def test_an_archive_of_other_actors_is_kept_and_not_called_all_there(
    host: Zenodo, tmp_path: Path
) -> None:
    data = FILES[FILM1]
    other = replace(SMALL[FILM2], bytes=len(data), md5=md5(data).hexdigest())
    host.files[FILM2] = data
    work = download.plan([other], [2], tmp_path, quick(host))
    with pytest.raises(OSError, match=rf"{FILM2}: holds no recording of the actors \[2\]") as told:
        download.fetch_all(work, quick(host), progress=False)
    assert "goes on" not in str(told.value)
    assert names_in(tmp_path) == {FILM2}


@pytest.mark.parametrize("kept", ["{}", '{"bytes_a_second": 0}', "\xff"])
def test_a_speed_that_cannot_be_is_not_believed(host: Zenodo, tmp_path: Path, kept: str) -> None:
    """An earlier avlib kept one here."""
    (tmp_path / ".download.json").write_text(kept, encoding="latin-1")
    assert "at 20 Mbit/s" in str(download.plan([SMALL[SPEECH]], [1], tmp_path, quick(host)))


@pytest.mark.parametrize(
    "files",
    [
        "null", "7", '[{"key": 1, "size": 2}]', '[{"key": "a", "size": 1e999}]',
        '[{"key": "a", "size": 5, "checksum": 3}]', '[{"key": "a"}]', '[null]', "[" * 9999,
        '[{"key": "a", "size": -1}]',
    ],
)  # fmt: skip
def test_what_is_no_record_is_told(host: Zenodo, files: str) -> None:
    host.record = b'{"files": ' + files.encode() + b"}"
    with pytest.raises(ValueError, match=r"api/records/1188976: does not answer with a record"):
        quick(host).record()


def test_a_record_without_a_checksum_lists_none(host: Zenodo) -> None:
    host.record = b'{"files": [{"key": "a", "size": 5, "checksum": null}]}'
    assert quick(host).record() == {"a": (5, None)}


def test_a_record_that_never_ends_or_hardly_comes_is_given_up(host: Zenodo) -> None:
    host.record = b" " * 11_000_000
    with pytest.raises(ValueError, match="does not answer with a record"):
        quick(host).record()
    host.slowly = 0.05
    with pytest.raises(OSError, match="did not answer in time"):
        quick(host, patience_s=0.5).record()


@pytest.mark.parametrize("code", [206, 416])
def test_an_answer_to_another_question_is_no_full_disk(
    host: Zenodo, tmp_path: Path, code: int
) -> None:
    host.troubles = [("status", code, None)]
    with pytest.raises(OSError, match=rf"{SPEECH}.* answers {code}; .* no mirror") as told:
        fetch(host, tmp_path)
    assert "make room" not in str(told.value)


@pytest.mark.parametrize("text", ["1-99999999999", "1-20000000", "4-1", "0"])
def test_actors_that_do_not_exist_are_refused_at_once(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["download", "--audio", "--actors", text]) == 1
    assert f"--actors {text}: should be some of 1 to 24" in capsys.readouterr().err


def test_a_mirror_without_a_scheme_is_refused_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["download", "--audio", "--mirror", "classroom:8000"]) == 1
    assert "classroom:8000: an address should begin with https://" in capsys.readouterr().err


def test_whoever_presses_ctrl_c_need_not_wait_for_a_silent_host(
    host: Zenodo, tmp_path: Path
) -> None:
    """The host sends nothing for a minute; patience is half a minute."""
    host.troubles = [("silent",)] * 4
    command = [sys.executable, "-m", "avlib", "download", "--audio", "--mirror", host.address]
    command += ["--out", str(tmp_path), "--accept-license"]
    running = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    while not host.requests:
        assert running.poll() is None
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=20)
    assert running.returncode == 130
    assert "interrupted; run it again to go on" in said
