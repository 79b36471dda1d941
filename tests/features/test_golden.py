"""Who changes what comes out of the same settings raises `Recipe.revision`: old numbers stay known.

After that, ``python tests/features/test_golden.py`` writes the new ones into golden.json.
"""

import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import soundfile

from avlib import features
from avlib.features import Recipe, audio, functionals, video

RATE, NTSC = 48_000, Fraction(30_000, 1001)
GOLDEN = Path(__file__).with_name("golden.json")
FORGOTTEN = (
    "features are not what they were under this revision: take the change back, or raise "
    "Recipe.revision and run `python tests/features/test_golden.py`"
)


def write_sound(path: Path) -> None:
    """A sweep up to where the resampler's filter ends, and a voice of harmonics that trembles."""
    time = np.arange(round(3.2 * RATE)) / RATE
    sweep = np.sin(2 * np.pi * (80 * time + 1700 * time**2))
    voice = sum(np.sin(2 * np.pi * 150 * n * time) / n for n in range(1, 20))
    sound = 0.2 * sweep + 0.1 * voice * (1 + np.sin(2 * np.pi * 3 * time))
    soundfile.write(path, sound, RATE, subtype="PCM_16")


def write_film(path: Path) -> None:
    """Moving waves, encoded without loss: every encoder's film holds the same pixels."""
    y, x = np.mgrid[:180, :320]
    with av.open(path, "w") as film:
        stream = film.add_stream("libx264", rate=NTSC, options={"qp": "0", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for number in range(96):
            light = 128 + 60 * np.sin(x / 23 + number / 9) + 30 * np.cos(y / 1.7 - number / 13)
            blue = 128 + 25 * np.sin(x[::2, ::2] / 31 - number / 7)
            red = 128 + 25 * np.cos(y[::2, ::2] / 29 + number / 11)
            planes = np.concatenate([light.ravel(), blue.ravel(), red.ravel()]).round()
            frame = av.VideoFrame.from_ndarray(
                planes.astype(np.uint8).reshape(270, 320), format="yuv420p"
            )
            frame.pts, frame.time_base = number, 1 / NTSC
            film.mux(stream.encode(frame))
        film.mux(stream.encode())


def some_features(folder: Path, **changes: object) -> dict[str, list]:
    """A few numbers of every preset, of the pairs and of the film strip."""
    paper, sequence, spectrogram = (
        replace(Recipe.preset(name, "frames" if name == "spectrogram" else "pairs"), **changes)
        for name in ("paper", "sequence", "spectrogram")
    )
    pairs = features.clip_pairs(folder / "film.mp4", paper)
    strip = features.clip_frames(folder / "film.mp4", spectrogram)
    voice = features.clip_voice(folder / "sound.wav", Recipe.preset("voice"))
    mean, table, bands = (
        features.clip_mfcc(folder / "sound.wav", each) for each in (paper, sequence, spectrogram)
    )
    return {
        "paper": mean.astype(float).round(3).tolist(),
        "sequence": table[::3, ::25].astype(float).round(2).tolist(),
        "spectrogram": bands[::5, ::25].astype(float).round(2).tolist(),
        "frames": strip[:, 5::27, 9::55].reshape(len(strip), -1).tolist(),
        "voice": voice[::5].astype(float).round(3).tolist(),
        "pairs": pairs[:, 5::27, 9::55].reshape(len(pairs), -1).tolist(),
    }


def differing(found: dict[str, list]) -> list[str]:
    """Which of the features are not those that were kept."""
    golden = json.loads(GOLDEN.read_text())
    different = ["revision"] if golden.pop("revision") != Recipe.revision else []
    for name, wanted in golden.items():
        relative, absolute = (0, 2) if name in ("pairs", "frames") else (1e-3, 0.01)
        same = np.shape(found[name]) == np.shape(wanted)
        if not same or not np.allclose(found[name], wanted, rtol=relative, atol=absolute):
            different.append(name)
    return different


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("golden")
    write_sound(folder / "sound.wav")
    write_film(folder / "film.mp4")
    return folder


def test_features_are_those_of_their_revision(recording: Path) -> None:
    assert differing(some_features(recording)) == [], FORGOTTEN


@pytest.mark.parametrize(
    "changes", [{"hop": 500}, {"analysis_window": 2000}, {"pair_offset": 0.2}, {"pair_window": 0.4}]
)
def test_a_changed_setting_is_seen(recording: Path, changes: dict[str, object]) -> None:
    assert differing(some_features(recording, **changes))


def one_pixel_aside(frames: np.ndarray, size: int) -> np.ndarray:
    return SQUARE(np.roll(frames, 1, axis=2), size)


SQUARE = video.square


@pytest.mark.parametrize(
    ("module", "name", "changed"),
    [
        (audio, "ROLLOFF", 0.91),
        (audio, "KAISER_BETA", 12.0),
        (cv2, "INTER_AREA", cv2.INTER_LINEAR),
        (functionals, "SILENCE", 20.0),
        (functionals, "PITCH_FLOOR", 160.0),
        (video, "square", one_pixel_aside),
        (video, "upright", lambda frame: frame.to_ndarray(format="bgr24")),
    ],
)
def test_a_changed_filter_or_crop_is_seen(
    recording: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: object,
    name: str,
    changed: float | Callable,
) -> None:
    audio.kaiser_best.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(module, name, changed)
        found = some_features(recording)
    audio.kaiser_best.cache_clear()
    assert differing(found)


def test_a_raised_revision_asks_for_new_numbers(
    recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Recipe, "revision", Recipe.revision + 1)
    assert differing(some_features(recording)) == ["revision"]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        write_sound(Path(place) / "sound.wav")
        write_film(Path(place) / "film.mp4")
        found = {name: json.dumps(each) for name, each in some_features(Path(place)).items()}
    rows = ",\n".join(f' "{name}": {numbers}' for name, numbers in found.items())
    GOLDEN.write_text(f'{{\n "revision": {Recipe.revision},\n{rows}\n}}\n')
