"""Faces are found wherever they are, followed, and framed as those of RAVDESS are."""

from pathlib import Path

import numpy as np
import pytest
from conftest import REAL
from hypothesis import given
from hypothesis import strategies as st

from avlib import practice
from avlib.features import faces, video

REAL_CLIPS = sorted((REAL / "video").glob("*.mp4"))


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One practice clip."""
    folder = tmp_path_factory.mktemp("film")
    practice.write(folder, 1, modalities=[1], names=practice.first()[:1], progress=False, jobs=1)
    return next(folder.rglob("01-*.mp4"))


@pytest.fixture(scope="module")
def frame(film: Path) -> np.ndarray:
    return video.frames_at(film, [1.0])[0]


@given(st.integers(-60, 60), st.integers(-20, 20), st.booleans())
def test_a_face_is_found_where_it_is(
    frame: np.ndarray, right: int, down: int, second: bool
) -> None:
    (there,) = faces.find(frame)
    tall, wide = frame.shape[:2]
    canvas = np.full((2 * tall, 3 * wide, 3), frame[0, 0], np.uint8)
    top, left = tall // 2 + down, wide // 2 + right
    canvas[top : top + tall, left : left + wide] = frame
    found = faces.find(canvas)
    assert len(found) == 1
    np.testing.assert_allclose(found[0], there + np.array([left, top, 0, 0]), atol=0.12 * there[3])


def test_of_two_faces_the_larger_is_first_and_is_followed(frame: np.ndarray) -> None:
    tall, wide = frame.shape[:2]
    small = video.cv2.resize(frame, (wide * 2 // 3, tall * 2 // 3))
    canvas = np.full((tall, 2 * wide, 3), frame[0, 0], np.uint8)
    canvas[:, wide:] = frame
    canvas[: small.shape[0], : small.shape[1]] = small
    found = faces.find(canvas)
    assert len(found) == 2
    assert found[0, 0] > wide > found[1, 0]
    swapped = [found, found[::-1], found[:1], np.zeros((0, 4), np.float32), found]
    track = faces.follow(swapped)
    assert np.isnan(track[3]).all()
    assert np.nanmin(track[:, 0]) > wide


def test_what_is_no_face_is_not_found() -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (4, 180, 320, 3), np.uint8)
    assert [len(faces.find(each)) for each in noise] == [0] * 4


@given(st.integers(-40, 200), st.integers(-40, 120), st.integers(4, 90))
def test_a_crop_is_the_square_around_a_face(left: int, top: int, size: int) -> None:
    """Beyond the edges no black is made up: of a picture of one colour every crop has it."""
    frame = np.full((120, 200, 3), (10, 200, 30), np.uint8)
    middle = left + size / 2, top + size / 2
    if not (0 <= middle[0] < 200 and 0 <= middle[1] < 120):
        return
    square = faces.crop(frame, np.array([left, top, size, size]), 32)
    assert square.shape == (32, 32, 3)
    assert (square == (10, 200, 30)).all()


def test_pairs_of_stretches_with_and_without_a_face(film: Path) -> None:
    counts = faces.Counts()
    seconds = video.duration(film)
    found = list(faces.pairs(film, [(0.0, 0.3), (0.5, 1.8), (1.8, seconds)], counts))
    assert [len(each) for each in found][:2] == [0, 3]
    assert found[1].shape[1:] == (64, 128, 3)
    assert counts.without == counts.several == 0
    assert str(counts) == f"a face was seen in {counts.looks} of {counts.looks} looks"


@pytest.mark.skipif(not REAL_CLIPS, reason=f"needs real films in {REAL / 'video'}")
@pytest.mark.parametrize("path", REAL_CLIPS, ids=lambda path: path.stem)
def test_real_faces_fill_as_much_of_the_centre_as_is_said(path: Path) -> None:
    frames = video.frames_at(path, np.arange(0.1, video.duration(path) - 0.1, 0.25))
    found = [faces.find(each) for each in frames]
    assert [len(each) for each in found] == [1] * len(frames)
    boxes = np.concatenate(found) / frames.shape[1]
    assert boxes[:, 3].mean() == pytest.approx(faces.SHARE, abs=0.02)
    assert (boxes[:, 1] + boxes[:, 3] / 2).mean() == pytest.approx(faces.MIDDLE, abs=0.05)
    ours = faces.crop(frames[4], found[4][0]).astype(float)
    papers = video.square(frames[4:5])[0].astype(float)
    assert np.corrcoef(ours.ravel(), papers.ravel())[0, 1] > 0.8
