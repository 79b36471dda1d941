"""A store holds what the recipe says, whole or not at all, whatever interrupts its making."""

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from unittest import mock

import joblib
import numpy as np
import pandas as pd
import pytest
import soundfile
from conftest import REAL
from dask.distributed import Client, LocalCluster, get_task_stream
from media import RATE, number_on, tone, write_mp4

from avlib import features, files
from avlib.corpus import manifest, ravdess
from avlib.corpus.manifest import Entry, crc32
from avlib.features import FeatureStore, Recipe

PAPER = Recipe()
FILE_OPERATIONS = (
    "open",
    "os.mkdir",
    "os.rename",
    "os.remove",
    "os.rmdir",
)  # as Python audits them


def build(
    clips: pd.DataFrame,
    folder: Path,
    recipe: Recipe = PAPER,
    jobs: int = 1,
    skip_faulty: bool = False,
) -> FeatureStore:
    return features.build(clips, recipe, folder, jobs, progress=False, skip_faulty=skip_faulty)


def contents(store: FeatureStore | Path) -> dict[str, bytes]:
    folder = store if isinstance(store, Path) else store.folder
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def few(clips: pd.DataFrame, tmp_path: Path) -> pd.DataFrame:
    """Eight clips of the corpus, copied so that a test can harm them."""
    for row in clips[::4].itertuples():
        for path in (row.sound, row.picture):
            shutil.copy2(path, tmp_path / path.name)
    return ravdess.index(tmp_path)


def test_the_paper_recipe_is_the_papers_table() -> None:
    recipe = Recipe.preset("paper")
    assert recipe == PAPER
    assert (recipe.sample_rate, recipe.coefficients, recipe.sound) == (22_050, 40, "mean")
    assert (recipe.pair_window, recipe.pair_offset, recipe.pair_limit) == (0.5, 0.25, 3.0)
    assert (recipe.frame_size, recipe.pairs_a_clip, recipe.visual) == (64, 6, "pairs")


def test_the_paper_recipe_gives_40_means_and_six_pairs(clips: pd.DataFrame) -> None:
    clip = clips.iloc[0]
    mfcc = features.clip_mfcc(clip["sound"], PAPER)
    assert (mfcc.shape, mfcc.dtype) == ((40,), np.float32)
    pairs = features.clip_pairs(clip["picture"], PAPER)
    assert (pairs.shape, pairs.dtype) == ((6, 64, 128, 3), np.uint8)
    assert [number_on(pair[:, :64]) for pair in pairs] == [0, 14, 29, 44, 59, 74]
    assert [number_on(pair[:, 64:]) for pair in pairs] == [7, 22, 37, 52, 67, 82]


def test_the_sequence_recipe_keeps_the_middle_of_the_clip(clips: pd.DataFrame) -> None:
    recipe = Recipe.preset("sequence")
    assert replace(recipe, sound="mean") == PAPER
    path = clips["sound"].iloc[0]
    sequence = features.clip_mfcc(path, recipe)
    assert sequence.shape == (40, recipe.sequence_frames) == (40, 125)
    whole = features.clip_mfcc(path, replace(recipe, sequence_seconds=3.2))
    spare = whole.shape[1] - 125
    np.testing.assert_array_equal(sequence, whole[:, spare // 2 : spare // 2 + 125])
    np.testing.assert_allclose(whole.mean(axis=1), features.clip_mfcc(path, PAPER), atol=0.5)


def test_a_clip_shorter_than_the_recipe_asks_for_is_refused_by_name(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "brief.wav", tone(440, 1.0), RATE)
    with pytest.raises(ValueError, match=r"brief\.wav.*1\.00 s.*2\.9 s"):
        features.clip_mfcc(tmp_path / "brief.wav", Recipe.preset("sequence"))
    write_mp4(tmp_path / "brief.mp4", [number / 30 for number in range(12)])
    with pytest.raises(ValueError, match=r"brief\.mp4.*shorter than one window"):
        features.clip_pairs(tmp_path / "brief.mp4", PAPER)


def test_a_sound_shorter_than_one_window_is_refused_by_name(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "blip.wav", tone(220, seconds=0.01), RATE)
    with pytest.raises(ValueError, match=r"blip\.wav: lasts 0\.0100 s, shorter than one analysis"):
        features.clip_mfcc(tmp_path / "blip.wav", PAPER)


@pytest.mark.parametrize("skip", [False, True])
def test_a_recording_of_nan_is_named_or_left_out(
    few: pd.DataFrame, tmp_path: Path, skip: bool
) -> None:
    sound = tone(220)
    sound[5] = np.nan
    soundfile.write(few["sound"].iloc[2], sound, RATE, subtype="FLOAT")
    if skip:
        store = build(ravdess.index(tmp_path), tmp_path / "store", skip_faulty=True)
        assert list(store.header["left_out"]) == [few["clip"].iloc[2]]
        assert np.isfinite(store.mfcc).all()
    else:
        with pytest.raises(
            ValueError, match=rf"1 of 8 .*\n.*{few['sound'].iloc[2].name}.*nan times"
        ):
            build(ravdess.index(tmp_path), tmp_path / "store")


def test_an_unknown_preset_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'papper'.*paper, sequence"):
        Recipe.preset("papper")


def test_the_store_holds_each_clips_features(built: FeatureStore, clips: pd.DataFrame) -> None:
    assert built.recipe == PAPER
    assert built.corpus == "practice corpus"
    assert built.clips["clip"].tolist() == clips["clip"].tolist()
    assert built.clips["sound"].tolist() == [path.name for path in clips["sound"]]
    np.testing.assert_array_equal(built.clip_of_pair, np.repeat(np.arange(len(clips)), 6))
    for number in range(0, len(clips), 5):
        clip = clips.iloc[number]
        np.testing.assert_array_equal(built.mfcc[number], features.clip_mfcc(clip["sound"], PAPER))
        np.testing.assert_array_equal(
            built.pairs[built.clip_of_pair == number], features.clip_pairs(clip["picture"], PAPER)
        )


def test_the_rows_are_the_pairs_with_their_clips_codes(built: FeatureStore) -> None:
    assert len(built.rows) == len(built.pairs) == 6 * len(built.clips)
    for column in ("clip", "emotion", "actor", "sex"):
        wanted = built.clips[column].to_numpy()[built.clip_of_pair]
        assert built.rows[column].tolist() == wanted.tolist()
    assert built.rows["clip_number"].tolist() == built.clip_of_pair.tolist()


def test_a_clip_too_short_for_six_pairs_gives_fewer(tmp_path: Path, few: pd.DataFrame) -> None:
    picture = few["picture"].iloc[1]
    write_mp4(picture, [number / 30 for number in range(60)], sound=tone(300, 2.0))
    store = build(ravdess.index(tmp_path), tmp_path / "store")
    assert np.bincount(store.clip_of_pair).tolist() == [6, 4, *[6] * 6]
    np.testing.assert_array_equal(store.pairs[6:10], features.clip_pairs(picture, PAPER))


@pytest.mark.parametrize("name", ["paper", "sequence"])
def test_two_processes_give_what_one_gives(few: pd.DataFrame, tmp_path: Path, name: str) -> None:
    recipe = Recipe.preset(name)
    alone = build(few, tmp_path / "alone", recipe, jobs=1)
    together = build(few, tmp_path / "together", recipe, jobs=2)
    assert contents(together) == contents(alone)
    assert not list(tmp_path.glob("*.partial"))


def test_a_finished_store_is_opened_as_it_is(few: pd.DataFrame, tmp_path: Path) -> None:
    first = build(few, tmp_path / "store")
    before = {path: path.stat().st_mtime_ns for path in first.folder.iterdir()}
    second = build(few, tmp_path / "store")
    np.testing.assert_array_equal(second.mfcc, first.mfcc)
    assert {path: path.stat().st_mtime_ns for path in first.folder.iterdir()} == before


def test_another_recipe_is_refused_with_both_values(few: pd.DataFrame, tmp_path: Path) -> None:
    build(few, tmp_path / "store")
    other = replace(PAPER, coefficients=13, sound="sequence")
    for refuse in (
        lambda: build(few, tmp_path / "store", other),
        lambda: FeatureStore.open(tmp_path / "store", other),
    ):
        with pytest.raises(
            FileExistsError, match=r"store: .*coefficients is 40 and 13 .*'mean' and 'sequence'"
        ):
            refuse()


def test_other_recordings_are_refused(few: pd.DataFrame, tmp_path: Path) -> None:
    build(few, tmp_path / "store")
    with pytest.raises(FileExistsError, match=r"store: .*other recordings"):
        build(few[:-1], tmp_path / "store")
    soundfile.write(few["sound"].iloc[3], tone(99), RATE)
    with pytest.raises(FileExistsError, match=r"store: .*changed"):
        build(few, tmp_path / "store")


def test_a_second_run_reads_no_recording(few: pd.DataFrame, tmp_path: Path) -> None:
    first = contents(build(few, tmp_path / "store"))
    for path in [*few["sound"], *few["picture"]]:  # other bytes, of the same length and time
        before = path.stat()
        path.write_bytes(bytes(before.st_size))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert contents(build(few, tmp_path / "store")) == first


def test_the_same_bytes_elsewhere_are_the_same_recordings(
    few: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = contents(build(few, tmp_path / "store"))
    (tmp_path / "moved").mkdir()
    for path in [*few["sound"], *few["picture"]]:
        shutil.copy(path, tmp_path / "moved")
    monkeypatch.setattr(features.store, "_write_clip", pytest.fail)
    moved = ravdess.index(tmp_path / "moved")
    assert moved["sound"].iloc[0] != few["sound"].iloc[0]
    assert contents(build(moved, tmp_path / "store", jobs=1)) == first


def test_a_store_of_other_code_is_refused(few: pd.DataFrame, tmp_path: Path) -> None:
    store = build(few, tmp_path / "store")
    files.seal(store.folder / "header.json", store.header | {"code": "older"})
    with pytest.raises(FileExistsError, match=r"store: .*another version of avlib"):
        build(few, tmp_path / "store")


def test_a_dask_cluster_gives_what_one_process_gives(few: pd.DataFrame, tmp_path: Path) -> None:
    alone = contents(build(few, tmp_path / "alone", jobs=1))
    with (
        mock.patch.dict(os.environ),  # Dask leaves one thread a process to all that comes after
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        workers = set(client.scheduler_info()["workers"])
        with joblib.parallel_config("dask"), get_task_stream(client) as stream:
            together = contents(build(few, tmp_path / "together", jobs=2))
        assert {task["worker"] for task in stream.data} == workers
    assert together == alone


def test_a_folder_that_holds_something_else_is_left_alone(
    few: pd.DataFrame, tmp_path: Path
) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    with pytest.raises(FileExistsError, match="thesis"):
        build(few, tmp_path / "thesis")
    assert contents(tmp_path / "thesis") == {"chapter.tex": b"years of work"}


def test_somebodys_folder_of_a_name_like_ours_is_left_alone(
    few: pd.DataFrame, tmp_path: Path
) -> None:
    (tmp_path / "store.partial").mkdir()
    (tmp_path / "store.partial" / "chapter.tex").write_text("years of work")
    build(few, tmp_path / "store")
    build(few, tmp_path / "store")
    assert contents(tmp_path / "store.partial") == {"chapter.tex": b"years of work"}


def test_a_folder_under_the_very_name_of_the_parts_is_named_and_left_alone(
    few: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(features.store, "_join", mock.Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            build(few, tmp_path / "store")
    (partial,) = tmp_path.glob("store.*.partial")
    shutil.rmtree(partial)
    partial.mkdir()
    (partial / "header.json").write_text("{}")
    with pytest.raises(FileExistsError, match=rf"{partial}: holds header\.json"):
        build(few, tmp_path / "store")
    assert contents(partial) == {"header.json": b"{}"}


def test_a_part_that_is_damaged_or_of_another_clip_is_made_again(
    few: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = contents(build(few, tmp_path / "whole"))
    with monkeypatch.context() as patch:
        patch.setattr(features.store, "_join", mock.Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            build(few, tmp_path / "store")
    parts = sorted(next(tmp_path.glob("store.*.partial")).glob("*.part"))
    first = parts[0].read_bytes()
    for part, content in zip(parts, (b"", first[:-1], bytes(len(first)), first), strict=False):
        part.write_bytes(content)
    parts[4].write_bytes(first)  # whole, and another clip's
    assert contents(build(few, tmp_path / "store")) == whole


@pytest.mark.parametrize("name", ["mfcc.npy", "pairs.npy", "clip_of_pair.npy", "clips.csv"])
def test_a_damaged_store_is_named_and_built_again(
    few: pd.DataFrame, tmp_path: Path, name: str
) -> None:
    store = build(few, tmp_path / "store")
    whole = contents(store)
    damaged = store.folder / name
    damaged.write_bytes(whole[name][:-100] + bytes(100))
    with pytest.raises(files.DamagedError, match=rf"{name}: is not as avlib wrote it"):
        FeatureStore.open(store.folder)
    with pytest.warns(UserWarning, match=rf"{name}.*built again"):
        again = build(few, tmp_path / "store")
    assert contents(again) == whole


@pytest.mark.parametrize("header", ["{}", "[]", "", '{"format": 4}'])
def test_a_header_that_is_not_ours_is_named_and_left_alone(
    few: pd.DataFrame, tmp_path: Path, header: str
) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "header.json").write_text(header)
    for use in (
        lambda: FeatureStore.open(tmp_path / "store"),
        lambda: build(few, tmp_path / "store"),
    ):
        with pytest.raises(files.DamagedError, match=r"header\.json: .*no feature store"):
            use()
    assert contents(tmp_path / "store") == {"header.json": header.encode()}


def test_two_builds_of_other_recordings_into_one_name_never_mix(
    few: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second begins while the first has written its parts, and ends before it."""
    join, mine = features.store._join, contents(build(few[:4], tmp_path / "alone"))

    def join_after_another(*arguments: object) -> None:
        monkeypatch.setattr(features.store, "_join", join)
        for path in few["sound"][:4]:
            soundfile.write(path, tone(99), RATE)
        others = build(ravdess.index(tmp_path)[:4], tmp_path / "store")
        assert contents(others)["mfcc.npy"] != mine["mfcc.npy"]
        join(*arguments)

    monkeypatch.setattr(features.store, "_join", join_after_another)
    with pytest.raises(FileExistsError, match=r"store: .*other recordings"):
        build(few[:4], tmp_path / "store")
    assert len(FeatureStore.open(tmp_path / "store").clips) == 4


def test_what_is_no_store_is_not_opened(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(FileNotFoundError, match=f"{folder}: no finished feature store"):
            FeatureStore.open(folder)


def test_lacking_pictures_are_refused_with_the_way_out(few: pd.DataFrame, tmp_path: Path) -> None:
    few["picture"].iloc[2].unlink()
    lacking = ravdess.index(tmp_path)
    with pytest.raises(
        ValueError, match=rf"1 of 8 clips have no picture.*{few['clip'].iloc[2]}.*--no-picture"
    ):
        build(lacking, tmp_path / "store")
    store = build(lacking, tmp_path / "store", replace(PAPER, visual="none"))
    assert store.pairs is None
    assert store.clip_of_pair is None
    assert store.rows["clip_number"].tolist() == np.repeat(np.arange(8), 6).tolist()


def test_lacking_sound_is_refused(few: pd.DataFrame, tmp_path: Path) -> None:
    few["sound"].iloc[5].unlink()
    picture = few["picture"].iloc[5]
    picture.rename(picture.with_name("02" + picture.name[2:]))
    with pytest.raises(ValueError, match=rf"1 of 8 clips have no sound.*{few['clip'].iloc[5]}"):
        build(ravdess.index(tmp_path), tmp_path / "store")


@pytest.mark.parametrize("column", ["sound", "picture"])
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_faulty_clip_is_named_and_leaves_no_store(
    few: pd.DataFrame, tmp_path: Path, column: str, jobs: int
) -> None:
    faulty = few[column].iloc[4]
    whole = faulty.read_bytes()
    faulty.write_bytes(b"<html>404</html>")
    with pytest.raises(ValueError, match=faulty.name):
        build(ravdess.index(tmp_path), tmp_path / "store", jobs=jobs)
    assert not (tmp_path / "store").exists()
    faulty.write_bytes(whole)
    mended = build(ravdess.index(tmp_path), tmp_path / "store")
    fresh = build(ravdess.index(tmp_path), tmp_path / "fresh")
    assert contents(mended) == contents(fresh)


def test_every_faulty_clip_is_listed_before_the_work_starts(
    few: pd.DataFrame, tmp_path: Path
) -> None:
    short, lost = few["sound"].iloc[1], few["picture"].iloc[4]
    short.write_bytes(short.read_bytes()[:5000])
    lost.write_bytes(b"<html>404</html>")
    clips, folder = ravdess.index(tmp_path), tmp_path / "store"
    with pytest.raises(ValueError, match="2 of 8 clips cannot be used") as raised:
        build(clips, folder)
    assert short.name in str(raised.value)
    assert lost.name in str(raised.value)
    assert not list(tmp_path.glob("*.partial"))


def test_faulty_clips_are_left_out_on_request_and_named_in_the_header(
    few: pd.DataFrame, tmp_path: Path
) -> None:
    lost = few["picture"].iloc[4]
    lost.write_bytes(b"<html>404</html>")
    clips, folder = ravdess.index(tmp_path), tmp_path / "store"
    store = build(clips, folder, skip_faulty=True)
    rest = clips[clips["clip"] != few["clip"].iloc[4]]
    assert list(store.clips["clip"]) == list(rest["clip"])
    assert list(store.header["left_out"]) == [few["clip"].iloc[4]]
    assert lost.name in store.header["left_out"][few["clip"].iloc[4]]
    alone = build(rest, tmp_path / "alone")
    assert (store.mfcc == alone.mfcc).all()
    assert (store.pairs == alone.pairs).all()
    assert list(build(clips, folder, skip_faulty=True).clips["clip"]) == list(rest["clip"])
    with pytest.raises(ValueError, match="1 of 8 clips cannot be used"):
        build(clips, folder)  # who does not ask for less gets all or an error


def test_a_clip_that_the_recipe_is_too_long_for_is_left_out_too(
    few: pd.DataFrame, tmp_path: Path
) -> None:
    soundfile.write(few["sound"].iloc[2], tone(220, seconds=1.0), RATE)
    clips = ravdess.index(tmp_path)
    with pytest.raises(ValueError, match=r"1 of 8 clips cannot be used:\n.*lasts 1\.00 s"):
        build(clips, tmp_path / "store", Recipe.preset("sequence"))
    store = build(clips, tmp_path / "store", Recipe.preset("sequence"), skip_faulty=True)
    assert list(store.header["left_out"]) == [few["clip"].iloc[2]]


def test_nothing_is_not_a_store(few: pd.DataFrame, tmp_path: Path) -> None:
    for path in few["sound"]:
        path.write_bytes(b"")
    with pytest.raises(ValueError, match="none is left"):
        build(ravdess.index(tmp_path), tmp_path / "store", skip_faulty=True)


def test_a_changed_byte_that_still_decodes_is_found_by_the_manifest(
    few: pd.DataFrame, tmp_path: Path
) -> None:
    for path in (*few["sound"], *few["picture"]):
        entry = Entry(path.stat().st_size, crc32(path), "a.zip")
        manifest.add(tmp_path, {path.relative_to(tmp_path).as_posix(): entry})
    damaged = few["picture"].iloc[3]
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 4
    damaged.write_bytes(content)
    with pytest.raises(ValueError, match=rf"{damaged.name}: is not the file that came from a.zip"):
        build(ravdess.index(tmp_path), tmp_path / "store")


def forks() -> multiprocessing.context.BaseContext:
    """Processes that start at once, with everything imported."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        pytest.skip("needs processes that start as a fork")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["avlib.features", "librosa.feature.spectral"])
    return context


def in_another_process(job: Callable[..., None], *arguments: object) -> int:
    """Run a job where it may die; return its exit status, less than 0 if a signal ended it."""
    process = forks().Process(target=job, args=arguments)
    process.start()
    process.join()
    return process.exitcode


def build_until(clips: pd.DataFrame, folder: Path, kill_at: int | None, told: Path) -> None:
    """Build, and die at the given file operation; else tell how many there were."""
    operations = 0

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal operations
        if event in FILE_OPERATIONS and str(folder) in str(arguments[0]):
            operations += 1
            if operations == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    build(clips, folder)
    told.write_text(str(operations))


@pytest.mark.slow
def test_a_killed_build_leaves_no_store_and_goes_on_to_the_same_bytes(
    few: pd.DataFrame, tmp_path: Path
) -> None:
    few, told = few[:3], tmp_path / "operations"
    assert in_another_process(build_until, few, tmp_path / "whole", None, told) == 0
    operations, whole = int(told.read_text()), contents(tmp_path / "whole")
    unfinished = 0
    for eighth in range(1, 9):  # from soon after the beginning to the very end
        folder = tmp_path / f"killed-{eighth}"
        kill_at = operations * eighth // 8
        assert in_another_process(build_until, few, folder, kill_at, told) == -signal.SIGKILL
        if folder.exists():  # killed while it tidied up: the store is whole
            assert contents(folder) == whole
        else:
            unfinished += 1
            with pytest.raises(FileNotFoundError, match="no finished"):
                FeatureStore.open(folder)
        assert contents(build(few, folder)) == whole
        assert not list(tmp_path.glob(folder.name + ".*partial"))
    assert unfinished >= 4


class Command:
    """A build in a new interpreter with workers of its own, as the command line starts it."""

    def __init__(self, clips: pd.DataFrame, store: Path) -> None:
        program = (
            "import sys; import pandas as pd; from avlib import features\n"
            "clips = pd.read_pickle(sys.argv[1])\n"
            "features.build(clips, features.Recipe(), sys.argv[2], jobs=2, progress=False)"
        )
        table = store.with_name("clips.pickle")
        clips.to_pickle(table)
        command = [sys.executable, "-c", program, str(table), str(store)]
        self.process = subprocess.Popen(command, start_new_session=True)

    def ends_within(self, seconds: float | None) -> bool:
        try:
            assert self.process.wait(seconds) == 0
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        # joblib's workers finish what they are at, and would wait five minutes for more.
        time.sleep(0.1)
        with suppress(ProcessLookupError):  # killed before it had workers
            os.killpg(self.process.pid, signal.SIGKILL)


class Fork:
    """A build in one process that starts at once."""

    def __init__(self, clips: pd.DataFrame, store: Path) -> None:
        self.process = forks().Process(target=build, args=(clips, store))
        self.process.start()

    def ends_within(self, seconds: float | None) -> bool:
        self.process.join(seconds)
        assert self.process.exitcode in (0, None)
        return self.process.exitcode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.join()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kills process groups")
@pytest.mark.parametrize(("start", "kills"), [(Fork, 20), (Command, 5)])
def test_runs_killed_at_random_moments_end_in_the_undisturbed_store(
    clips: pd.DataFrame, tmp_path: Path, start: type, kills: int
) -> None:
    clips = clips[::3]
    undisturbed = contents(build(clips, tmp_path / "undisturbed"))
    store, rng = tmp_path / "store", np.random.default_rng(0)
    for _ in range(2):  # the second is timed: the first may wait for what starts the others
        shutil.rmtree(store, ignore_errors=True)
        begun = time.monotonic()
        assert start(clips, store).ends_within(None)
        longest = time.monotonic() - begun
    while kills:
        if store.exists():
            assert contents(store) == undisturbed
            shutil.rmtree(store)
        run = start(clips, store)
        if not run.ends_within(rng.uniform(0.0, 1.0) * longest):
            run.kill()
            kills -= 1
    assert start(clips, store).ends_within(None)
    assert contents(store) == undisturbed
    assert not list(tmp_path.glob("store.*partial"))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="starts forks")
def test_runs_of_the_same_work_at_once_end_in_one_store(few: pd.DataFrame, tmp_path: Path) -> None:
    whole = contents(build(few, tmp_path / "alone"))
    rng = np.random.default_rng(0)
    for attempt in range(12):
        store = tmp_path / f"store-{attempt}"
        runs = []
        for _ in range(3):
            runs.append(Fork(few, store))
            time.sleep(rng.uniform(0, 0.05) * (attempt % 3))
        assert all(run.ends_within(None) for run in runs)
        assert contents(store) == whole
        assert not list(tmp_path.glob(store.name + ".*partial"))


def build_and_tell(clips: pd.DataFrame, folder: Path, told: Path, limit: int | None) -> None:
    """Build, under a limit of a file's size (bytes) if there is one, and tell what went wrong."""
    if limit:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        build(clips, folder)
    except OSError as error:
        told.write_text(str(error))


# Eight clips take 1.2 MB, and twice that while they are joined.
@pytest.mark.parametrize("kilobytes", [8, 700, 1400, 2200])
def test_a_full_disk_is_reported_and_the_build_goes_on_when_there_is_room(
    few: pd.DataFrame, tmp_path: Path, small_disk: Callable[[int], Path], kilobytes: int
) -> None:
    folder, told = small_disk(kilobytes) / "store", tmp_path / "error"
    assert in_another_process(build_and_tell, few, folder, told, None) == 0
    assert str(folder) in told.read_text()
    assert "No space left" in told.read_text()
    assert not folder.exists()
    small_disk(10_000)
    assert contents(build(few, folder)) == contents(build(few, tmp_path / "roomy"))


def test_a_file_size_limit_is_reported_like_a_full_disk(few: pd.DataFrame, tmp_path: Path) -> None:
    folder, told = tmp_path / "store", tmp_path / "error"
    assert in_another_process(build_and_tell, few, folder, told, 400_000) == 0
    assert f"{folder}: could not be written" in told.read_text()
    assert not folder.exists()
    assert contents(build(few, folder)) == contents(build(few, tmp_path / "roomy"))


@pytest.mark.skipif(not (REAL / "video").exists(), reason=f"needs the recordings in {REAL}")
def test_the_real_clips_give_a_store(tmp_path: Path) -> None:
    clips = ravdess.index(REAL / "video")
    store = build(clips, tmp_path / "store")
    assert store.corpus == "RAVDESS"
    assert store.mfcc.shape == (3, 40)
    assert np.isfinite(store.mfcc).all()
    assert np.bincount(store.clip_of_pair).min() >= 5
    assert store.header["recipe"] == asdict(PAPER)
