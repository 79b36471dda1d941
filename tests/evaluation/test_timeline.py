"""What was heard is drawn over time, and under the film: sound, times and frames stay."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from media import number_on, write_mp4

from avlib import practice
from avlib.__main__ import main
from avlib.corpus.ravdess import EMOTIONS
from avlib.evaluation import listening, timeline
from avlib.features import audio, video

SURE = dict.fromkeys(EMOTIONS, 0.02) | {"sad": 0.86}


def heard(path: Path, *spans: tuple[float, float]) -> listening.Judgement:
    segments = [{"start": a, "end": b, "probabilities": SURE} for a, b in spans]
    return listening.Judgement(str(path), SURE, segments)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One practice clip."""
    folder = tmp_path_factory.mktemp("film")
    practice.write(folder, 1, modalities=[1], names=practice.first()[:1], progress=False, jobs=1)
    return next(folder.rglob("01-*.mp4"))


def test_a_picture_says_what_it_shows(film: Path) -> None:
    picture = timeline.draw(heard(film, (0.4, 1.2), (1.6, 2.5)))
    assert picture.png.startswith(b"\x89PNG")
    assert "sad 0.86" in picture.alt
    assert "2 stretches of voice: 0.4 to 1.2 s sad 0.86; 1.6 to 2.5 s sad 0.86" in picture.alt


def test_the_film_keeps_its_frames_times_and_sound(film: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.mp4"
    said = timeline.annotate(heard(film, (0.5, 2.0)), out, progress=False)
    with av.open(film) as before, av.open(out) as after:
        times = [[f.time for f in each.decode(video=0)] for each in (before, after)]
        wide = after.streams.video[0].width
    np.testing.assert_allclose(times[1], times[0], atol=1e-3)
    assert said == f"a face was seen in {len(times[0])} of {len(times[0])} looks"
    assert wide == timeline.LEAST_PIXELS  # the practice film is 320 wide, too narrow for words
    sounds = [audio.load(path)[0] for path in (film, out)]
    length = min(map(len, sounds))
    assert abs(len(sounds[0]) - len(sounds[1])) < 2048  # a frame of AAC, or two
    assert np.corrcoef(sounds[0][:length], sounds[1][:length])[0, 1] > 0.98
    bars = video.frames_at(out, [0.1, 1.0])[:, -150:].astype(float)
    blue = (bars[..., 2] - bars[..., 0] > 60).mean(axis=(1, 2))
    assert blue[0] < 0.01 < 0.03 < blue[1]  # silence, then sad
    assert not list(tmp_path.glob("*.part*"))


def test_a_telephones_film_stands_upright_at_its_own_times(tmp_path: Path) -> None:
    begins = [Fraction(n * n, 200) for n in range(20)]  # slower and slower
    path = write_mp4(tmp_path / "clip.mp4", begins, size=(480, 270), sound=None)
    out = tmp_path / "a.mp4"
    assert timeline.annotate(heard(path), out, progress=False).startswith("a face was seen in 0 of")
    with av.open(out) as after:
        frames = list(after.decode(video=0))
    assert [f.time for f in frames] == pytest.approx([float(b) for b in begins], abs=1e-3)
    assert [number_on(f.to_ndarray(format="rgb24")[:270]) for f in frames] == list(range(20))


def test_what_cannot_be_drawn_is_said(
    film: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    folder, out = tmp_path / "two", tmp_path / "a.mp4"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.mp4").write_bytes(film.read_bytes())
    assert main(["predict", str(folder), "--annotate", str(out)]) == 1
    assert "--annotate is for one recording; 2 were given" in capsys.readouterr().err
    sound, rate = audio.load(film)
    soundfile.write(tmp_path / "a.wav", sound, rate)
    assert main(["predict", str(tmp_path / "a.wav"), "--annotate", str(out)]) == 1
    assert "has no picture" in capsys.readouterr().err
    assert not out.exists()
    plot = tmp_path / "a.png"
    assert main(["predict", str(tmp_path / "a.wav"), "--plot", str(plot)]) == 0
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert main(["predict", str(tmp_path / "a.wav"), "--plot", str(plot)]) == 1
    assert "is there already" in capsys.readouterr().err
