"""The frame that comes out is the one that was on screen."""

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate, pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from conftest import REAL
from hypothesis import assume, given
from hypothesis import strategies as st
from media import GREY, NTSC, number_on, numbered_frame, tone, write_mp4

from avlib.features import video

REAL_CLIPS = sorted((REAL / "video").glob("*.mp4"))


def numbers(path: Path, times: Sequence[float]) -> list[int]:
    return [number_on(frame) for frame in video.frames_at(path, times)]


@pytest.mark.parametrize("rate", [NTSC, Fraction(25), Fraction(30)])
def test_a_frame_is_on_screen_from_its_time_until_the_next(tmp_path: Path, rate: Fraction) -> None:
    begins = [number / rate for number in range(40)]
    path = write_mp4(tmp_path / "clip.mp4", begins)
    hair = Fraction(1, 100_000)
    asked = sorted([*begins, *(time + hair for time in begins), *(t - hair for t in begins[1:])])
    wanted = [int(time * rate) for time in asked]
    assert numbers(path, [float(time) for time in asked]) == wanted


def test_the_last_frame_stays_as_long_as_the_others(tmp_path: Path) -> None:
    path = write_mp4(tmp_path / "clip.mp4", [number / NTSC for number in range(30)])
    assert numbers(path, [float(29.9 / NTSC)]) == [29]
    with pytest.raises(ValueError, match=r"clip\.mp4.*ends before"):
        video.frames_at(path, [float(30.1 / NTSC)])


@given(st.lists(st.integers(1, 40), min_size=8, max_size=40), st.data())
def test_frames_at_uneven_times_are_told_apart(
    tmp_path_factory: pytest.TempPathFactory, gaps: list[int], data: st.DataObject
) -> None:
    begins = [Fraction(ticks, 100) for ticks in accumulate(gaps, initial=0)]
    path = write_mp4(tmp_path_factory.mktemp("uneven") / "clip.mp4", begins, size=(64, 64))
    last = int(begins[-1] * 1000)
    asked = sorted(data.draw(st.lists(st.integers(0, last), min_size=1, max_size=9)))
    wanted = [sum(begin * 1000 <= time for begin in begins) - 1 for time in asked]
    assert numbers(path, [time / 1000 for time in asked]) == wanted


def test_one_frame_after_the_other_is_the_same_frame(tmp_path: Path) -> None:
    begins = [Fraction(n * n, 100) for n in range(12)]
    path = write_mp4(tmp_path / "clip.mp4", begins)
    asked = [0, 0.005, 0.01, 0.5, 0.5, 1.19, 1.21]
    along = [number_on(frame) for frame in video.frames_along(path, asked)]
    assert along == numbers(path, asked)
    assert [number_on(f) for f in video.frames_along(path, [0, 99])] == [0, 11]  # the last stays


@pytest.mark.parametrize("threads", [1, 2, 0])
def test_threads_change_no_pixel(tmp_path: Path, threads: int) -> None:
    path = write_mp4(tmp_path / "clip.mp4")
    wanted = video.frames_at(path, [0.1, 0.9, 2.2])
    np.testing.assert_array_equal(video.frames_at(path, [0.1, 0.9, 2.2], threads), wanted)


@pytest.mark.parametrize("size", [(321, 181), (181, 321), (96, 96), (640, 120)])
def test_frames_of_any_size_come_whole(tmp_path: Path, size: tuple[int, int]) -> None:
    path = write_mp4(
        tmp_path / "clip.mp4", [number / NTSC for number in range(20)], size, pixels="yuv444p"
    )
    frames = video.frames_at(path, [0, 0.3, 0.3, 0.6])
    assert frames.shape == (4, size[1], size[0], 3)
    assert frames.dtype == np.uint8
    assert [number_on(frame) for frame in frames] == [0, 8, 8, 17]


def test_colours_come_as_red_green_blue(tmp_path: Path) -> None:
    path = write_mp4(tmp_path / "clip.mp4", colour=(200, 60, 20))
    corner = video.frames_at(path, [1.0])[0, -30:, :30].mean(axis=(0, 1))
    np.testing.assert_allclose(corner, (200, 60, 20), atol=8)


def decode_with_ffmpeg(path: Path) -> tuple[list[float], np.ndarray]:
    """When each frame comes on (s after the first), and all frames, as ffmpeg decodes them."""
    told = subprocess.run(
        ["ffprobe", "-v", "error", "-select_streams", "v:0", "-of", "json",
         "-show_entries", "stream=width,height:frame=best_effort_timestamp_time", path],
        check=True, capture_output=True,
    ).stdout  # fmt: skip
    shown = json.loads(told)
    times = [float(frame["best_effort_timestamp_time"]) for frame in shown["frames"]]
    raw = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", path, "-map", "0:v:0", "-fps_mode", "passthrough",
         "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
        check=True, capture_output=True,
    ).stdout  # fmt: skip
    stream = shown["streams"][0]
    frames = np.frombuffer(raw, np.uint8).reshape(-1, stream["height"], stream["width"], 3)
    assert len(frames) == len(times)
    return [time - times[0] for time in times], frames


@pytest.mark.slow
@pytest.mark.skipif(not REAL_CLIPS, reason=f"needs the real recordings in {REAL / 'video'}")
@pytest.mark.skipif(not shutil.which("ffprobe"), reason="needs ffmpeg as the second opinion")
@pytest.mark.parametrize("path", REAL_CLIPS, ids=lambda path: path.stem)
def test_real_frames_are_those_that_ffmpeg_shows(path: Path) -> None:
    begins, frames = decode_with_ffmpeg(path)
    middles = [(one + two) / 2 for one, two in pairwise(begins)]
    asked = sorted([*video.pair_times(video.duration(path)).ravel(), *middles[1:-1:9]])
    for time, found in zip(asked, video.frames_at(path, asked), strict=True):
        on_screen = max(number for number, begin in enumerate(begins) if begin <= time)
        near = frames[on_screen - 1 if on_screen else 0 : on_screen + 2].astype(np.int16)
        distances = np.abs(near - found).mean(axis=(1, 2, 3)).tolist()
        wanted = distances.pop(1 if on_screen else 0)
        assert wanted < 1, f"{time} s"
        assert wanted < min(distances), f"{time} s"


@given(st.floats(0.1, 20), st.floats(0.05, 2), st.floats(0, 1), st.floats(0.05, 10))
def test_pairs_ascend_inside_the_clip_and_keep_their_offset(
    seconds: float, window: float, share: float, limit: float
) -> None:
    offset = share * window * 0.99
    assume(seconds >= window)
    times = video.pair_times(seconds, window, offset, limit)
    assert len(times) >= 1
    assert (np.diff(times.ravel()) >= 0).all()
    assert times.min() >= 0
    assert times.max() < seconds
    assert times[:, 0].max() < limit
    np.testing.assert_allclose(times[:, 1] - times[:, 0], offset, atol=1e-9)
    np.testing.assert_allclose(np.diff(times[:, 0]), window, atol=1e-9)


@given(st.floats(3, 100))
def test_a_clip_of_three_seconds_gives_six_pairs(seconds: float) -> None:
    times = video.pair_times(seconds)
    np.testing.assert_array_equal(times[:, 0], [0, 0.5, 1, 1.5, 2, 2.5])
    np.testing.assert_array_equal(times[:, 1] - times[:, 0], 0.25)


@given(st.floats(0.5, 3))
def test_a_short_clip_gives_every_pair_that_lies_inside_it(seconds: float) -> None:
    wanted = [start for start in (0, 0.5, 1, 1.5, 2, 2.5) if start + 0.25 < seconds]
    assert video.pair_times(seconds)[:, 0].tolist() == wanted


def test_impossible_pair_settings_are_refused() -> None:
    with pytest.raises(ValueError, match=r"0\.40 s, shorter than one window"):
        video.pair_times(0.4)
    for offset in (-0.1, 0.5):
        with pytest.raises(ValueError, match="offset"):
            video.pair_times(3.2, window=0.5, offset=offset)


@pytest.mark.parametrize(("height", "width"), [(180, 320), (320, 180), (100, 100), (101, 333)])
def test_the_square_is_cut_from_the_centre(height: int, width: int) -> None:
    side = min(height, width)
    frame = np.zeros((1, height, width, 3), np.uint8)
    top, left = (height - side) // 2, (width - side) // 2
    frame[:, top : top + side, left : left + side] = 255
    frame[:, top + side // 4 : top + side // 2, left : left + side // 4] = (255, 0, 0)
    cut = video.square(frame, 64)
    assert cut.shape == (1, 64, 64, 3)
    assert (cut[..., 0] == 255).all()  # nothing from outside the square
    red = np.argwhere(cut[0, ..., 1] < 128)
    np.testing.assert_allclose(red.min(axis=0), (16, 0), atol=1)
    np.testing.assert_allclose(red.max(axis=0), (31, 15), atol=1)


def test_each_pixel_is_the_mean_of_the_area_it_covers() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (1, 192, 192, 3), np.uint8)
    wanted = frame.reshape(1, 64, 3, 64, 3, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(video.square(frame, 64), wanted, atol=0.5)


def test_a_pair_shows_the_earlier_frame_on_the_left(tmp_path: Path) -> None:
    path = write_mp4(tmp_path / "clip.mp4")
    pairs = video.frame_pairs(path, video.pair_times(video.duration(path)))
    assert pairs.shape == (6, 64, 128, 3)
    assert pairs.dtype == np.uint8
    assert [number_on(pair[:, :64]) for pair in pairs] == [0, 14, 29, 44, 59, 74]
    assert [number_on(pair[:, 64:]) for pair in pairs] == [7, 22, 37, 52, 67, 82]
    drawn = video.square(numbered_frame(7, (320, 180), GREY)[None])[0]
    assert np.abs(pairs[0, :, 64:].astype(int) - drawn).mean() < 8


def test_duration_is_how_long_the_picture_lasts(tmp_path: Path) -> None:
    assert video.duration(write_mp4(tmp_path / "clip.mp4")) == pytest.approx(96 / NTSC, abs=1e-3)


@pytest.mark.parametrize("times", [[0.5, 0.2], [-0.1, 0.2]])
def test_times_that_go_back_or_begin_too_early_are_refused(
    tmp_path: Path, times: list[float]
) -> None:
    path = write_mp4(tmp_path / "clip.mp4")
    with pytest.raises(ValueError, match="times"):
        video.frames_at(path, times)


@pytest.mark.parametrize("index_first", [False, True])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.7])
def test_a_clip_that_was_cut_short_is_refused(
    tmp_path: Path, share: float, index_first: bool
) -> None:
    path = write_mp4(tmp_path / "cut.mp4", index_first=index_first)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match=re.escape(str(path))):
        video.frames_at(path, [0.0, 1.0, 3.1])


@pytest.mark.parametrize("read", [video.duration, lambda path: video.frames_at(path, [0.0])])
def test_a_clip_without_picture_is_refused(tmp_path: Path, read: object) -> None:
    path = write_mp4(tmp_path / "heard.mp4", times=[], sound=tone(440))
    with pytest.raises(ValueError, match=r"heard\.mp4.*no picture"):
        read(path)


@pytest.mark.parametrize("content", [b"", b"not a film" * 999])
@pytest.mark.parametrize("read", [video.duration, lambda path: video.frames_at(path, [0.0])])
def test_a_file_that_is_no_film_is_refused(tmp_path: Path, read: object, content: bytes) -> None:
    path = tmp_path / "page.mp4"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"page\.mp4.*whole copy"):
        read(path)


@pytest.mark.parametrize("read", [video.duration, lambda path: video.frames_at(path, [0.0])])
def test_a_film_whose_codec_nobody_knows_is_refused(tmp_path: Path, read: object) -> None:
    path = write_mp4(tmp_path / "odd.mp4", times=[0, 3003])
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
    with pytest.raises(ValueError, match=r"odd\.mp4.*whole copy"):
        read(path)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")
@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_film_on_its_side_is_turned_as_players_turn_it(tmp_path: Path, degrees: int) -> None:
    upright = write_mp4(tmp_path / "upright.mp4", size=(320, 180), colour=(200, 60, 20))
    turned = tmp_path / "turned.mp4"
    quiet = ["ffmpeg", "-v", "error", "-y"]
    # The metadata alone, the pixels as they are.
    marked = subprocess.run(
        [*quiet, "-i", upright, "-c", "copy", "-metadata:s:v:0", f"rotate={degrees}", turned],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert marked.returncode == 0, marked.stderr
    raw = ["-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    shown = subprocess.run([*quiet, "-i", turned, *raw], capture_output=True, check=True).stdout
    (found,) = video.frames_at(turned, [0.0])
    assert found.shape == ((320, 180, 3) if degrees % 180 else (180, 320, 3))
    assert np.abs(np.frombuffer(shown, np.uint8).reshape(found.shape) - found.astype(int)).max() < 9


def test_a_cover_picture_is_no_film(tmp_path: Path) -> None:
    """Of several video streams the film is taken, not a still that is attached to it."""
    film = write_mp4(tmp_path / "film.mp4")
    both = tmp_path / "both.mp4"
    with av.open(film) as source, av.open(both, "w") as target:
        cover = target.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 32, 18, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        moving = target.add_stream_from_template(source.streams.video[0])
        still = av.VideoFrame.from_ndarray(numbered_frame(0, (32, 18), GREY))
        target.mux([*cover.encode(still), *cover.encode()])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = moving
                target.mux(packet)
    assert number_on(video.frames_at(both, [1.0])[0]) == number_on(video.frames_at(film, [1.0])[0])
