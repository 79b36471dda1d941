"""A clip in a page: sound and picture in step, small, whole or refused, and said in words."""

import io
import re
from pathlib import Path

import av
import cv2
import ipywidgets
import numpy as np
import pandas as pd
import pytest
import soundfile
from media import NTSC, RATE, number_on, tone, write_mp4

from avlib.course import film, widgets
from avlib.features import video
from avlib.practice import media

CLICK_S = 1.5  # when the click is heard, and the marked frame seen
APART_S = 0.005  # that a click may be off; a frame lasts 0.033 s


def click(seconds: float = 3.2, rate: int = RATE) -> np.ndarray:
    """Silence, with 10 ms of noise from `CLICK_S` on."""
    sound = np.zeros(round(seconds * rate), np.float32)
    at = round(CLICK_S * rate)
    sound[at : at + rate // 100] = np.random.default_rng(0).uniform(-0.8, 0.8, rate // 100)
    return sound


def decoded(mp4: bytes) -> tuple[list[tuple[float, np.ndarray]], np.ndarray, int]:
    """Frames with their times, samples from time 0 on, and their rate, as a player gets them."""
    with av.open(io.BytesIO(mp4)) as opened:
        frames = [
            (frame.time, frame.to_ndarray(format="rgb24")) for frame in opened.decode(video=0)
        ]
    with av.open(io.BytesIO(mp4)) as opened:
        if not opened.streams.audio:
            return frames, np.zeros(0), 0
        pieces = list(opened.decode(audio=0))
    assert pieces[0].time == pytest.approx(0, abs=1e-4)
    return frames, np.concatenate([each.to_ndarray()[0] for each in pieces]), pieces[0].sample_rate


def clicked(sound: np.ndarray, rate: int) -> float:
    return np.flatnonzero(np.abs(sound) > 0.2)[0] / rate


def assert_in_step(mp4: bytes) -> None:
    frames, sound, rate = decoded(mp4)
    assert [number_on(frame) for _, frame in frames] == list(range(96))
    np.testing.assert_allclose(
        [time for time, _ in frames], [float(n / NTSC) for n in range(96)], atol=1e-3
    )
    marked = next(time for time, frame in frames if number_on(frame) == round(CLICK_S * NTSC))
    assert marked == pytest.approx(CLICK_S, abs=float(0.5 / NTSC))
    assert clicked(sound, rate) == pytest.approx(CLICK_S, abs=APART_S)
    assert len(sound) / rate == pytest.approx(float(96 / NTSC), abs=0.05)


@pytest.fixture
def silent(tmp_path: Path) -> Path:
    return write_mp4(tmp_path / "02-01-03-02-01-01-01.mp4")


@pytest.mark.parametrize("rate", [48_000, 44_100, 16_000])
def test_a_silent_film_and_a_wav_are_brought_together_in_step(silent: Path, rate: int) -> None:
    heard = silent.with_name("03-01-03-02-01-01-01.wav")
    soundfile.write(heard, click(rate=rate), rate)
    found = film.encode(silent, heard)
    assert found.mp4 != silent.read_bytes()
    assert found.seconds == pytest.approx(float(96 / NTSC), abs=0.05)
    assert_in_step(found.mp4)


def test_a_film_that_browsers_play_stays_as_it_is(tmp_path: Path) -> None:
    path = write_mp4(tmp_path / "film.mp4", sound=click())
    found = film.encode(path, path)
    assert found.mp4 == path.read_bytes()
    assert found.size == (320, 180)
    assert_in_step(found.mp4)


def test_a_large_film_is_written_again_small_and_in_step(tmp_path: Path) -> None:
    path = write_mp4(tmp_path / "film.mp4", size=(1280, 720), sound=click())
    found = film.encode(path, path)
    assert found.mp4 != path.read_bytes()
    assert found.size == (480, 270)
    assert len(found.mp4) <= film.LARGEST
    assert_in_step(found.mp4)
    assert found.poster[:2] == b"\xff\xd8"


def test_its_poster_is_the_expression_that_is_held_and_no_blink(tmp_path: Path) -> None:
    rest, held, blink = (np.full((180, 320, 3), level, np.uint8) for level in (60, 160, 250))
    path = tmp_path / "film.mp4"
    path.write_bytes(media.mp4([rest] * 30 + [held] * 20 + [blink] * 4 + [held] * 20, None))
    poster = cv2.imdecode(np.frombuffer(film.encode(path).poster, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert poster.mean() == pytest.approx(160, abs=5)
    assert video.still(path).mean() == pytest.approx(160, abs=5)


@pytest.mark.parametrize("late", [0.3, 1.0])
def test_a_sound_that_begins_later_than_the_picture_does_so_still(
    tmp_path: Path, late: float
) -> None:
    heard = click()[round(late * RATE) :]
    path = write_mp4(tmp_path / "film.mp4", sound=heard, sound_from=late)
    found = film.encode(path, path)
    assert found.mp4 != path.read_bytes()
    assert_in_step(found.mp4)


def noisy(path: Path, seconds: float, size: tuple[int, int] = (1280, 720)) -> Path:
    """A film that no coder makes small."""
    random = np.random.default_rng(0)
    with av.open(path, "w") as out:
        stream = out.add_stream("libx264", rate=30, options={"preset": "ultrafast", "crf": "30"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for _ in range(round(30 * seconds)):
            small = random.integers(0, 256, (size[1] // 8, size[0] // 8, 3), np.uint8)
            frame = small.repeat(8, axis=0).repeat(8, axis=1)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        out.mux(stream.encode())
    return path


def test_what_is_hard_to_code_gets_coarser_until_it_fits(tmp_path: Path) -> None:
    path = noisy(tmp_path / "noise.mp4", 0.6)
    assert len(film._write(str(path), None, film._COARSER[0])) > film.LARGEST
    assert len(film.encode(path).mp4) <= film.LARGEST


def test_a_film_too_long_for_a_page_is_refused(tmp_path: Path) -> None:
    path = noisy(tmp_path / "noise.mp4", 3.0)
    with pytest.raises(ValueError, match=r"noise\.mp4: its film has \d+ kB.*cut it shorter"):
        film.encode(path)


def test_it_is_written_once_and_again_when_the_file_changes(
    silent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, write = [], film._write
    monkeypatch.setattr(film, "_write", lambda *given: written.append(given) or write(*given))
    first = film.encode(silent)
    assert film.encode(silent) is first
    assert len(written) == 1
    write_mp4(silent, size=(160, 90))
    assert film.encode(silent).size == (160, 90)
    assert len(written) == 2


def cut(content: bytes) -> bytes:
    return content[: len(content) * 6 // 10]


def overwritten(content: bytes) -> bytes:
    """The middle of the pictures is zeros."""
    at = content.index(b"mdat") + (len(content) - content.index(b"mdat")) // 2
    return content[:at] + bytes(3000) + content[at + 3000 :]


@pytest.mark.parametrize("index_first", [False, True])
@pytest.mark.parametrize("damage", [cut, overwritten, lambda _: b"", lambda _: b"no film " * 99])
def test_a_damaged_film_is_an_error_in_red_that_names_it(
    tmp_path: Path, damage: object, index_first: bool
) -> None:
    path = write_mp4(tmp_path / "01-01-03-02-01-01-01.mp4", sound=click(), index_first=index_first)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=re.escape(path.name)):
        film.show(path, path, "a clip", "practice corpus")
    browser = widgets.Explorer(
        lambda n: film.show(path, path, "x", "y"), "…", films=True, n=ipywidgets.IntSlider(1)
    )
    assert 'role="alert" style="color: #b00020"' in browser.shown.value
    assert path.name in browser.shown.value
    assert "<video" not in browser.shown.value


@pytest.fixture
def shown(tmp_path: Path) -> film.Film:
    path = write_mp4(tmp_path / "film.mp4", sound=tone(440))
    return film.show(path, path, "A “tone” & bars", "practice corpus", "Kids are talking")


def test_it_says_in_words_what_is_seen_and_heard(shown: film.Film) -> None:
    page = shown.html()
    assert 'aria-label="Film: A “tone” &amp; bars. Made from: practice corpus."' in page
    assert all(
        alt.endswith("Made from: practice corpus.") for alt in re.findall('alt="(.*?)"', page)
    )
    assert "6 frame pairs, at 0.00 and 0.25, 0.50 and 0.75" in page
    assert "controls" in page
    assert shown.subtitles.startswith("WEBVTT\n\n00:00:00.0")
    assert "Kids are talking" in shown.subtitles
    assert "data:text/vtt" in page
    assert not re.search(r"https?://", page + film.script())


def test_the_frame_pairs_are_marked_where_they_are(shown: film.Film) -> None:
    lefts = re.findall(r"dashed; background[^\"]*left: ([\d.]+)%; width: ([\d.]+)%", shown.html())
    share = 100 * (film.RIGHT - film.LEFT) / shown.encoded.seconds
    times = video.pair_times(3.2)
    assert len(lefts) == len(times) == 6
    for (left, width), (first, second) in zip(lefts, times, strict=True):
        assert float(left) == pytest.approx(100 * film.LEFT + share * first, abs=0.01)
        assert float(width) == pytest.approx(share * (second - first), abs=0.01)


def test_the_chart_begins_and_ends_where_it_says(tmp_path: Path) -> None:
    path = tmp_path / "click.wav"
    soundfile.write(path, click(), RATE)
    import cv2

    png = film.chart(str(path), "digest", 3.2, "practice corpus").png
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    height, width = picture.shape[:2]
    mel = picture[round(0.7 * height), :, :].astype(int)  # cividis: bright where it is loud
    loud = np.flatnonzero(mel[:, 2] > 150)
    inside = loud[(loud > (film.LEFT + 0.02) * width) & (loud < (film.RIGHT - 0.02) * width)]
    share = (inside.mean() / width - film.LEFT) / (film.RIGHT - film.LEFT)
    assert 3.2 * share == pytest.approx(CLICK_S + 0.005, abs=0.02)


def test_silence_is_drawn_as_silence(tmp_path: Path) -> None:
    path = tmp_path / "silence.wav"
    soundfile.write(path, np.zeros(2 * RATE), RATE)
    shown = film.chart(str(path), "digest", 2.0, "practice corpus")
    assert "loudest value 0.00" in shown.alt
    picture = cv2.imdecode(np.frombuffer(shown.png, np.uint8), cv2.IMREAD_COLOR)
    mel = picture[round(0.7 * len(picture)), round(film.LEFT * 864) : round(film.RIGHT * 864)]
    assert (mel == mel[0]).all()
    assert mel.max() < 100  # the lower end of cividis


def test_a_silent_film_is_shown_without_a_chart(silent: Path) -> None:
    shown = film.show(silent, None, "nobody speaks", "practice corpus", "Kids are talking")
    assert shown.picture is None
    assert "<img" not in shown.html()
    assert "<track" not in shown.html()
    assert "6 frame pairs" in shown.html()


def test_the_spectrogram_shows_a_tone_in_its_band() -> None:
    for hertz in (300, 1000, 4000):
        found = film.log_mel(tone(hertz), RATE)
        assert found.shape == (film.BANDS, 321)
        edges = np.linspace(0, 2595 * np.log10(1 + film.TOP / 700), film.BANDS + 2)
        centre = 700 * (10 ** (edges[1 + found[:, 100].argmax()] / 2595) - 1)
        assert centre == pytest.approx(hertz, rel=0.1)


def test_a_page_without_a_kernel_has_film_and_script(shown: film.Film) -> None:
    page = shown._repr_mimebundle_()["text/html"]
    assert "data:video/mp4;base64," in page
    assert "data:image/jpeg;base64,/9j/" in page
    assert page.count("<script>") == 1
    assert len(page) < 4 / 3 * film.LARGEST + 200_000
    explorer = widgets.Explorer(lambda n: shown, "…", films=True, n=ipywidgets.IntSlider(1))
    assert explorer._repr_mimebundle_()["text/html"] == page
    assert film.mover() in explorer.box.children


def test_a_clip_without_a_film_shows_what_it_showed(clips: pd.DataFrame) -> None:
    heard = widgets.draw_clip(clips.assign(picture=None), 5, 1, 2)
    assert isinstance(heard, widgets.Heard)
    assert "<audio" in heard.html()
    assert "The waveform lasts 3.2 s" in heard.picture.alt
