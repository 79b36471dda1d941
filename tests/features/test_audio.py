"""Sound is read whole or refused, and resampled as resampy's kaiser_best does it."""

import io
import re
import zipfile
from pathlib import Path

import av
import librosa
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from media import NTSC, RATE, chirp, tone, write_mp4

from avlib.features import audio

TARGET = 22_050


def assert_like_resampy(sound: np.ndarray, rate: int, target: int) -> None:
    """Same samples to 5e-5 of full scale; at the paper's rate, same MFCCs to 0.05 dB."""
    wanted = librosa.resample(sound, orig_sr=rate, target_sr=target, res_type="kaiser_best")
    found = audio.resample(sound, rate, target)
    assert found.shape == wanted.shape
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=0, atol=5e-5)
    if target == TARGET:
        np.testing.assert_allclose(
            audio.mfcc(found, target),
            librosa.feature.mfcc(y=wanted, sr=target, n_mfcc=40),
            rtol=0,
            atol=0.05,
        )


@pytest.mark.parametrize(
    ("rate", "target"),
    [(48_000, 22_050), (44_100, 22_050), (16_000, 22_050), (22_050, 48_000)],
)
@pytest.mark.parametrize("seconds", [0.50003, 1.00003])
def test_resampling_equals_kaiser_best(rate: int, target: int, seconds: float) -> None:
    assert_like_resampy(chirp(seconds, rate), rate, target)


@pytest.mark.slow
def test_resampling_equals_kaiser_best_on_real_speech(real_speech: Path) -> None:
    with zipfile.ZipFile(real_speech) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".wav"))
        chosen = names[::40]
        assert len(chosen) >= 20
        for name in chosen:
            sound, rate = soundfile.read(io.BytesIO(archive.read(name)), dtype="float32")
            assert_like_resampy(sound if sound.ndim == 1 else sound.mean(axis=1), rate, TARGET)


def test_a_real_stereo_recording_becomes_one_channel(real_speech: Path, tmp_path: Path) -> None:
    name = "Actor_01/03-01-02-01-01-02-01.wav"
    with zipfile.ZipFile(real_speech) as archive:
        path = Path(archive.extract(name, tmp_path))
    both, rate = soundfile.read(path, dtype="float32")
    assert both.shape[1] == 2
    sound, found_rate = audio.load(path)
    assert found_rate == rate == RATE
    np.testing.assert_allclose(sound, both.mean(axis=1), atol=1e-7)


@given(
    st.integers(1, 3000),
    st.sampled_from([8000, 16_000, 22_050, 44_100, 48_000]),
    st.sampled_from([16_000, 22_050, 48_000]),
)
def test_resampled_length_is_the_duration_at_the_new_rate(
    samples: int, rate: int, target: int
) -> None:
    found = audio.resample(np.ones(samples, np.float32), rate, target)
    assert len(found) == -(-samples * target // rate)


def test_resampling_to_the_same_rate_changes_nothing() -> None:
    sound = chirp(0.2, TARGET)
    np.testing.assert_array_equal(audio.resample(sound, TARGET, TARGET), sound)


def test_resampling_keeps_what_the_new_rate_can_hold_and_removes_the_rest() -> None:
    kept, removed = (
        audio.resample(tone(hertz, 1.0), RATE, TARGET)[2000:-2000] for hertz in (1000, 15_000)
    )
    time = np.arange(TARGET)[2000:-2000] / TARGET
    np.testing.assert_allclose(kept, 0.5 * np.sin(2 * np.pi * 1000 * time), atol=1e-4)
    assert np.abs(removed).max() < 1e-4


@pytest.mark.parametrize(("coefficients", "hop"), [(13, 512), (40, 256)])
def test_mfccs_have_the_shape_that_was_asked_for(coefficients: int, hop: int) -> None:
    found = audio.mfcc(chirp(1.0, TARGET), TARGET, coefficients, hop)
    assert found.shape == (coefficients, TARGET // hop + 1)
    assert found.dtype == np.float32


def test_the_channels_of_a_wav_are_averaged(tmp_path: Path) -> None:
    left, right = tone(300, 0.5), tone(500, 0.5)
    soundfile.write(tmp_path / "two.wav", np.stack([left, right], axis=1), RATE, subtype="FLOAT")
    sound, rate = audio.load(tmp_path / "two.wav")
    assert rate == RATE
    np.testing.assert_allclose(sound, (left + right) / 2, atol=1e-6)


def test_the_sound_of_an_mp4_is_what_was_put_in(tmp_path: Path) -> None:
    wanted = tone(440) + 0.3 * tone(1234)
    sound, rate = audio.load(write_mp4(tmp_path / "clip.mp4", sound=wanted))
    assert rate == RATE
    assert 0 <= len(sound) - len(wanted) <= 1024  # AAC comes in blocks of 1024
    inside = slice(2048, len(wanted) - 2048)
    error = np.sqrt(np.mean((sound[inside] - wanted[inside]) ** 2))
    assert error < 0.01 * np.sqrt(np.mean(wanted[inside] ** 2))


def refused(path: Path) -> str:
    with pytest.raises(ValueError, match=re.escape(str(path))) as caught:
        audio.load(path)
    return str(caught.value)


def test_a_wav_without_samples_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "none.wav", np.zeros(0, np.float32), RATE)
    assert "no sound samples" in refused(tmp_path / "none.wav")


@pytest.mark.parametrize("name", ["clip.wav", "clip.mp4"])
@pytest.mark.parametrize("content", [b"", b"<html>not found</html>" * 99], ids=["empty", "page"])
def test_a_file_that_is_no_recording_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert "whole copy" in refused(tmp_path / name)


@pytest.mark.parametrize("name", ["clip.wav", "clip.mp4"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    assert refused(tmp_path / name)


@pytest.mark.parametrize("share", [0.0001, 0.3, 0.7])
def test_a_wav_that_was_cut_short_is_refused(tmp_path: Path, share: float) -> None:
    path = tmp_path / "cut.wav"
    soundfile.write(path, chirp(3.2, RATE), RATE)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    assert "whole copy" in refused(path)


@pytest.mark.parametrize("index_first", [False, True])
@pytest.mark.parametrize("share", [0.3, 0.7])
def test_an_mp4_that_was_cut_short_is_refused(
    tmp_path: Path, share: float, index_first: bool
) -> None:
    path = write_mp4(tmp_path / "cut.mp4", sound=chirp(3.2, RATE), index_first=index_first)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    assert "whole copy" in refused(path)


@pytest.mark.parametrize("kind", ["mp3", "flac", "mkv", "webm"])  # an ogg tells no length
@pytest.mark.parametrize("seconds", [3, 150])
def test_other_kinds_that_were_cut_short_are_refused_and_whole_ones_read(
    tmp_path: Path, kind: str, seconds: int
) -> None:
    path, sound = tmp_path / f"a.{kind}", chirp(seconds, RATE)
    if kind in ("mkv", "webm"):
        write_sound(path, sound, "libopus" if kind == "webm" else "aac")
    else:
        soundfile.write(path, sound, RATE)
    whole, rate = audio.load(path)
    assert rate == RATE
    assert len(whole) == pytest.approx(len(sound), abs=0.1 * RATE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    with pytest.raises(ValueError, match=rf"a\.{kind}: (is cut short|cannot be read as sound)"):
        audio.load(path)


def write_sound(path: Path, sound: np.ndarray, codec: str) -> None:
    with av.open(path, "w") as film:
        stream = film.add_stream(codec, rate=RATE, layout="mono")
        block = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
        block.sample_rate = RATE
        film.mux(stream.encode(block))
        film.mux(stream.encode(None))


def test_an_mp4_without_sound_is_refused(tmp_path: Path) -> None:
    assert "no sound track" in refused(write_mp4(tmp_path / "silent.mp4"))


@pytest.mark.parametrize(
    ("value", "said"),
    [(np.nan, "nan times full scale"), (np.inf, "inf times"), (1e30, r"1e\+30 times full scale")],
)
def test_samples_that_are_no_sound_are_refused(tmp_path: Path, value: float, said: str) -> None:
    sound = tone(220)
    sound[70_000] = value
    soundfile.write(tmp_path / "clip.wav", sound, RATE, subtype="FLOAT")
    assert re.search(said, refused(tmp_path / "clip.wav"))


@pytest.mark.parametrize("rate", [0x7FFFFFF1, 1, 3999, 1_000_003])
def test_a_rate_that_no_recording_has_is_refused_before_anything_is_read(
    tmp_path: Path, rate: int
) -> None:
    path = tmp_path / "clip.wav"
    soundfile.write(path, tone(220), RATE)
    content = bytearray(path.read_bytes())
    content[24:28] = rate.to_bytes(4, "little")
    path.write_bytes(content)
    assert f"{rate} samples a second" in refused(path)


def test_channels_that_cancel_each_other_are_refused(tmp_path: Path) -> None:
    left = tone(220)
    soundfile.write(tmp_path / "two.wav", np.stack([left, -left], axis=1), RATE)
    assert "cancel each other out" in refused(tmp_path / "two.wav")


def test_sound_that_reaches_beyond_the_files_end_is_refused(tmp_path: Path) -> None:
    """What follows the samples, a title say, would be read as sound."""
    path = tmp_path / "clip.wav"
    soundfile.write(path, tone(220), RATE)
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = (int.from_bytes(content[at : at + 4], "little") + 100).to_bytes(
        4, "little"
    )
    path.write_bytes(content)
    assert "its sound should reach to byte" in refused(path)


@pytest.mark.parametrize("form", ["FLAC", "AIFF", "W64", "RF64", "CAF"])
def test_other_forms_of_sound_are_read_under_the_name_of_a_wav(tmp_path: Path, form: str) -> None:
    path = tmp_path / "clip.wav"
    soundfile.write(path, tone(220), RATE, format=form, subtype="PCM_16")
    sound, rate = audio.load(path)
    assert rate == RATE
    np.testing.assert_allclose(sound, tone(220), atol=1e-4)


def test_a_wav_that_was_written_into_a_pipe_is_read(tmp_path: Path) -> None:
    """Whoever writes into a pipe cannot know the lengths, and writes the largest number."""
    path = tmp_path / "clip.wav"
    soundfile.write(path, tone(220), RATE)
    content = bytearray(path.read_bytes())
    for at in (4, content.index(b"data") + 4):
        content[at : at + 4] = b"\xff" * 4
    path.write_bytes(content)
    np.testing.assert_allclose(audio.load(path)[0], tone(220), atol=1e-4)


@pytest.mark.parametrize("late", [0.98, -0.5])
def test_sound_and_picture_that_begin_apart_are_aligned(tmp_path: Path, late: float) -> None:
    """Time 0 is that of the first frame."""
    wanted, rest = chirp(3.2, RATE), max(-late, 0.0)
    times = [rest + number / NTSC for number in range(96)]
    film = write_mp4(tmp_path / "late.mp4", times, sound=wanted, sound_from=max(late, 0.0))
    sound, _ = audio.load(film)
    place, length = RATE + RATE // 2, RATE // 4  # a quarter of a second, well inside
    heard_at = np.correlate(sound, wanted[place : place + length], "valid").argmax() / RATE
    assert heard_at == pytest.approx(place / RATE + late, abs=0.005)  # mp4 counts milliseconds
    if late > 0:
        assert np.abs(sound[: round((late - 0.05) * RATE)]).max() < 1e-3


def test_a_long_recording_is_worked_on_in_blocks_to_the_same_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sound = chirp(3.2, RATE)
    whole = audio.resample(sound, RATE, TARGET)
    mfccs = audio.mfcc(whole, TARGET)
    monkeypatch.setattr(audio, "_BLOCK", 13)
    np.testing.assert_allclose(audio.resample(sound, RATE, TARGET), whole, atol=1e-6)
    np.testing.assert_allclose(audio.mfcc(whole, TARGET), mfccs, atol=1e-3)
