"""A store holds what the recipe says, each clip whole or not at all, whatever interrupts it."""

import multiprocessing
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from multiprocessing import forkserver
from pathlib import Path
from unittest import mock

import joblib
import librosa
import numpy as np
import pandas as pd
import pytest
import soundfile
from conftest import REAL
from dask.distributed import Client, LocalCluster, get_task_stream
from media import RATE, number_on, tone, write_mp4

from avlib import features, files
from avlib.__main__ import main
from avlib.corpus import manifest, ravdess, verify
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
    """Every file of a store that has a name of its own, and what it holds."""
    folder = store if isinstance(store, Path) else store.folder
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("[!.]*"))
        if path.is_file()
    }


def times(store: FeatureStore) -> dict[Path, int]:
    """When each file of a store was written."""
    return {path: path.stat().st_mtime_ns for path in store.folder.rglob("*") if path.is_file()}


def file_of(store: FeatureStore, number: int) -> Path:
    """Where the features of a clip lie."""
    (path,) = store.folder.rglob(f"{store.clips['key'][number]}.*")
    return path


def arrays(store: FeatureStore) -> tuple[bytes, bytes, list[str]]:
    return store.mfcc.tobytes(), store.pairs.tobytes(), store.clips["clip"].tolist()


@contextmanager
def unchanged_clips(store: FeatureStore) -> Iterator[None]:
    """What happens here computes nothing anew."""
    before = times(store)
    yield
    header = store.folder / "header.json"
    assert times(store) | {header: 0} == before | {header: 0}


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


def test_the_spectrogram_recipe_gives_what_mfccs_are_made_of_and_a_film_strip(
    clips: pd.DataFrame, tmp_path: Path
) -> None:
    recipe = Recipe.preset("spectrogram", "frames")
    clip = clips.iloc[0]
    strip = features.clip_frames(clip["picture"], recipe)
    assert (strip.shape, strip.dtype) == ((1, 64, 384, 3), np.uint8)
    frames = np.split(strip[0], 6, axis=1)
    assert [number_on(frame) for frame in frames] == [0, 14, 29, 44, 59, 74]
    bands = features.clip_mfcc(clip["sound"], recipe)
    assert (bands.shape, bands.dtype) == ((64, 125), np.float32)
    many = features.clip_mfcc(clip["sound"], replace(recipe, coefficients=128))
    told = librosa.feature.mfcc(S=many, n_mfcc=40)
    sequence = features.clip_mfcc(clip["sound"], Recipe.preset("sequence"))
    np.testing.assert_allclose(told, sequence, atol=1e-3)
    store = build(clips.iloc[:3], tmp_path / "store", recipe)
    assert store.image_shape == (64, 384, 3)
    assert len(store.rows) == 3
    np.testing.assert_array_equal(store.pairs[:1], strip)
    np.testing.assert_array_equal(store.mfcc[0], bands)


def test_a_film_that_ends_before_its_last_frame_is_refused_by_name(tmp_path: Path) -> None:
    write_mp4(tmp_path / "brief.mp4", [number / 30 for number in range(60)])
    with pytest.raises(ValueError, match=r"brief\.mp4.*ends before 2\.50 s"):
        features.clip_frames(tmp_path / "brief.mp4", Recipe.preset("spectrogram", "frames"))


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
    assert (built.mfcc.dtype, built.pairs.dtype) == (np.float32, np.uint8)
    shapes = {"mfcc": built.mfcc.shape, "pairs": built.pairs.shape}
    assert built.shapes == shapes | {"voice": None, "vectors": None}
    assert built.image_shape == (64, 128, 3)
    for number in range(0, len(clips), 5):
        clip = clips.iloc[number]
        np.testing.assert_array_equal(built.mfcc[number], features.clip_mfcc(clip["sound"], PAPER))
        np.testing.assert_array_equal(
            built.pairs[built.clip_of_pair == number], features.clip_pairs(clip["picture"], PAPER)
        )


def test_a_sequence_comes_back_as_it_was_computed(few: pd.DataFrame, tmp_path: Path) -> None:
    recipe = Recipe.preset("sequence")
    store = build(few, tmp_path / "store", recipe)
    for number, path in enumerate(few["sound"]):
        np.testing.assert_array_equal(store.mfcc[number], features.clip_mfcc(path, recipe))
    assert store.shapes["mfcc"] == store.mfcc.shape == (8, 40, 125)


def test_who_writes_into_a_store_is_stopped(few: pd.DataFrame, tmp_path: Path) -> None:
    store = build(few, tmp_path / "store")
    for array in (store.mfcc, store.pairs):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_a_store_of_vectors_keeps_them_to_the_last_bit(few: pd.DataFrame, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    vectors = random.uniform(0, 5, (8, 35)).astype(np.float32)
    recipe = Recipe.preset("paper", "vector")
    store = build(few.assign(vector=list(vectors)), tmp_path / "store", recipe)
    again = FeatureStore.open(store.folder, recipe)
    for found in (store, again):
        assert found.vectors.tobytes() == vectors.tobytes()
        assert found.image_shape == (35,)
        assert found.rows["clip_number"].tolist() == list(range(8))
        assert found.pairs is found.clip_of_pair is None
    with unchanged_clips(store):
        other = build(few.assign(vector=list(vectors + 1)), tmp_path / "store", recipe)
    assert (other.vectors == vectors + 1).all()
    assert other.header["recordings"] != store.header["recordings"]


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
    assert not list(tmp_path.rglob("*.part"))


def test_a_finished_store_is_opened_as_it_is(few: pd.DataFrame, tmp_path: Path) -> None:
    first = build(few, tmp_path / "store")
    before = times(first)
    second = build(few, tmp_path / "store")
    np.testing.assert_array_equal(second.mfcc, first.mfcc)
    assert times(first) == before
    opened = FeatureStore.open(tmp_path / "store", PAPER)
    assert arrays(opened) == arrays(first)
    assert opened.header == first.header == second.header
    assert opened.clips.equals(first.clips)


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


def test_a_clip_more_costs_one_clip(few: pd.DataFrame, tmp_path: Path) -> None:
    fewer = build(few[:-1], tmp_path / "store")
    before = times(fewer)
    more = build(few, tmp_path / "store")
    after = times(more)
    assert set(after) - set(before) == {file_of(more, 7)}
    assert {path for path in before if after[path] != before[path]} == {
        tmp_path / "store" / "header.json"
    }
    assert arrays(more) == arrays(build(few, tmp_path / "alone"))
    assert more.header["recordings"] != fewer.header["recordings"]
    with unchanged_clips(more):
        less = build(few[2:5], tmp_path / "store")
    assert arrays(less) == arrays(FeatureStore.open(less.folder))
    assert arrays(less) == arrays(build(few[2:5], tmp_path / "three"))
    assert arrays(fewer) == arrays(build(few[:-1], tmp_path / "seven"))  # still of seven clips


def test_a_changed_recording_costs_its_clip(few: pd.DataFrame, tmp_path: Path) -> None:
    first = build(few, tmp_path / "store")
    before = times(first)
    soundfile.write(few["sound"].iloc[3], tone(99), RATE)
    second = build(few, tmp_path / "store")
    assert set(times(second)) - set(before) == {file_of(second, 3)}
    assert np.flatnonzero((first.mfcc != second.mfcc).any(axis=1)).tolist() == [3]
    assert arrays(second) == arrays(build(few, tmp_path / "alone"))


def test_a_raised_revision_makes_all_anew(
    few: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = build(few, tmp_path / "store")
    before = times(first)
    monkeypatch.setattr(Recipe, "revision", Recipe.revision + 1)
    second = build(few, tmp_path / "store")
    assert len(set(times(second)) - set(before)) == 8
    assert not set(first.clips["key"]) & set(second.clips["key"])
    assert arrays(first) == arrays(second)


def test_other_versions_are_told_once_a_store_and_refused_by_none(
    few: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = r"store: .*by NumPy 1\.0; here is revision .*NumPy 2.*"
    with monkeypatch.context() as patch:
        older = features.store._VERSIONS.replace(f"NumPy {np.__version__}", "NumPy 1.0")
        patch.setattr(features.store, "_VERSIONS", older)
        first = build(few[:4], tmp_path / "store")
    for use in (
        lambda: FeatureStore.open(tmp_path / "store"),
        lambda: build(few, tmp_path / "store"),  # four by one, four by another
    ):
        with pytest.warns(UserWarning, match=said) as told:
            store = use()
        assert len(told) == 1
        assert (store.mfcc[:4] == first.mfcc).all()
    with warnings.catch_warnings(action="error"):
        build(few[4:], tmp_path / "store")  # all by today's
        pickle.loads(pickle.dumps(store))  # a worker has nothing to tell


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
    monkeypatch.setattr(features.store, "_make", pytest.fail)
    moved = ravdess.index(tmp_path / "moved")
    assert moved["sound"].iloc[0] != few["sound"].iloc[0]
    assert contents(build(moved, tmp_path / "store", jobs=1)) == first


def test_a_recording_that_cannot_be_read_shares_its_features_with_none(
    few: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = verify.digests
    unread = set(few["sound"][:2])

    def some(*arguments: object) -> dict[Path, str]:
        return {p: "" if p in unread else digest for p, digest in digests(*arguments).items()}

    monkeypatch.setattr(verify, "digests", some)
    store = build(few, tmp_path / "store", replace(PAPER, visual="none"))
    assert store.clips["key"].nunique() == 8
    assert (store.mfcc[0] != store.mfcc[1]).any()


@pytest.mark.slow
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


@pytest.mark.parametrize("kind", ["a file", "a dead link", "no name"])
def test_what_is_no_folder_is_left_alone(few: pd.DataFrame, tmp_path: Path, kind: str) -> None:
    store = tmp_path / "store"
    if kind == "a file":
        store.write_text("years of work")
    elif kind == "a dead link":
        store.symlink_to(tmp_path / "nowhere")
    else:
        store = Path()
    with pytest.raises(FileExistsError, match="name another folder"):
        build(few, store)
    assert kind != "a file" or store.read_text() == "years of work"
    assert not (tmp_path / "nowhere").exists()


def test_what_somebody_keeps_inside_a_store_is_left_alone(
    few: pd.DataFrame, tmp_path: Path
) -> None:
    store = build(few, tmp_path / "store")
    theirs = [store.folder / "notes.txt", file_of(store, 0).with_name("chapter.tex")]
    for path in theirs:
        path.write_text("years of work")
    file_of(store, 0).unlink()
    assert arrays(build(few, tmp_path / "store")) == arrays(build(few, tmp_path / "alone"))
    assert [path.read_text() for path in theirs] == ["years of work"] * 2


def test_a_part_that_is_damaged_or_of_another_clip_is_made_again(
    few: pd.DataFrame, tmp_path: Path
) -> None:
    store = build(few, tmp_path / "store")
    whole, first = contents(store), file_of(store, 0).read_bytes()
    half = len(first) // 2
    changed = first[:half] + bytes([first[half] ^ 1]) + first[half + 1 :]
    for number, damage in enumerate((b"", first[:-1], bytes(len(first)), changed)):
        file_of(store, number).write_bytes(damage)
    file_of(store, 4).write_bytes(first)  # whole, and another clip's
    with pytest.raises(files.DamagedError, match=rf"{file_of(store, 0).name}: .*not as avlib"):
        FeatureStore.open(store.folder).mfcc  # noqa: B018
    with pytest.warns(UserWarning, match="not as avlib wrote it") as told:
        again = build(few, tmp_path / "store")
    assert [str(each.message).split(": ")[0] for each in told] == [
        str(file_of(store, number)) for number in range(5)
    ]
    assert contents(again) == whole


def test_a_disk_that_does_not_keep_what_is_written_is_named(
    few: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = files.save
    with monkeypatch.context() as patch:
        patch.setattr(files, "save", lambda path, content: save(path, content[:-1]))
        with pytest.raises(files.DamagedError, match=r"\.clip: is gone or not as avlib wrote it"):
            build(few, tmp_path / "store")
    with pytest.warns(UserWarning, match="makes it again"):
        again = build(few, tmp_path / "store")
    assert contents(again) == contents(build(few, tmp_path / "alone"))


def test_a_clip_that_is_gone_is_named_and_made_again(few: pd.DataFrame, tmp_path: Path) -> None:
    store = build(few, tmp_path / "store")
    whole, lost = contents(store), file_of(store, 2)
    lost.unlink()
    with pytest.raises(files.DamagedError, match=rf"{lost.name}: is gone"):
        FeatureStore.open(store.folder).pairs  # noqa: B018
    assert contents(build(few, tmp_path / "store")) == whole


@pytest.mark.parametrize("header", ["{}", "[]", "", '{"recipe": {}, "corpus": "RAVDESS"}'])
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
    """The second begins while the first has written its clips, and ends before it."""
    others, accept = [], features.store._accept
    mine = arrays(build(few[:5], tmp_path / "alone"))

    def accept_after_another(left_out: dict, clips: pd.DataFrame, skip_faulty: bool) -> None:
        if list(tmp_path.glob("store/??/*")):
            monkeypatch.setattr(features.store, "_accept", accept)
            others.append(build(few[3:], tmp_path / "store"))
        accept(left_out, clips, skip_faulty)

    monkeypatch.setattr(features.store, "_accept", accept_after_another)
    assert arrays(build(few[:5], tmp_path / "store")) == mine
    assert arrays(others[0]) == arrays(build(few[3:], tmp_path / "other"))
    assert arrays(FeatureStore.open(tmp_path / "store")) == mine  # whoever ended last


def test_a_store_goes_to_another_process_without_its_arrays(
    few: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = build(few, Path("store"))
    wanted = arrays(store)
    sent = pickle.dumps(store)
    assert len(sent) < 10_000
    monkeypatch.chdir(tmp_path.parent)  # a notebook moves on
    assert arrays(pickle.loads(sent)) == wanted


def test_features_need_not_be_in_memory_all_at_once(
    few: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FeatureStore, "arrays", property(pytest.fail))
    assert main(["features", str(tmp_path), "--out", str(tmp_path / "store")]) == 0
    assert len(FeatureStore.open(tmp_path / "store").rows) == 48


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
    assert not folder.exists()


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
    context.set_forkserver_preload(["librosa.feature.spectral", __name__])
    with mock.patch.dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)):  # to find this file
        forkserver.ensure_running()
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
        if (folder / "header.json").exists():  # killed at the very end: the store is whole
            assert contents(folder) == whole
        else:
            unfinished += 1
            with pytest.raises(FileNotFoundError, match="no finished"):
                FeatureStore.open(folder)
        assert contents(build(few, folder)) == whole
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
        if (store / "header.json").exists():
            assert contents(store) == undisturbed
            shutil.rmtree(store)
        run = start(clips, store)
        if not run.ends_within(rng.uniform(0.0, 1.0) * longest):
            run.kill()
            kills -= 1
    assert start(clips, store).ends_within(None)
    assert contents(store) == undisturbed


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
        assert not list(store.rglob("*.part"))


def build_and_tell(clips: pd.DataFrame, folder: Path, told: Path, limit: int | None) -> None:
    """Build, under a limit of a file's size (bytes) if there is one, and tell what went wrong."""
    if limit:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        build(clips, folder)
    except OSError as error:
        told.write_text(str(error))


# Eight clips take 1.2 MB.
@pytest.mark.slow
@pytest.mark.parametrize("kilobytes", [8, 400, 800, 1100])
def test_a_full_disk_is_reported_and_the_build_goes_on_when_there_is_room(
    few: pd.DataFrame, tmp_path: Path, small_disk: Callable[[int], Path], kilobytes: int
) -> None:
    folder, told = small_disk(kilobytes) / "store", tmp_path / "error"
    assert in_another_process(build_and_tell, few, folder, told, None) == 0
    assert str(folder) in told.read_text()
    assert "No space left" in told.read_text()
    assert "nothing is lost, make room and run the same command again" in told.read_text()
    with pytest.raises(FileNotFoundError, match="no finished"):
        FeatureStore.open(folder)
    done = {path: path.stat().st_mtime_ns for path in folder.rglob("*.clip")}
    assert len(done) == kilobytes // 150
    small_disk(10_000)
    assert contents(build(few, folder)) == contents(build(few, tmp_path / "roomy"))
    assert {path: path.stat().st_mtime_ns for path in done} == done  # not made again


@pytest.mark.slow
def test_a_file_size_limit_is_reported_like_a_full_disk(few: pd.DataFrame, tmp_path: Path) -> None:
    folder, told = tmp_path / "store", tmp_path / "error"
    assert in_another_process(build_and_tell, few, folder, told, 100_000) == 0
    assert f"{folder}: could not be written" in told.read_text()
    assert not contents(folder)
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
