"""Functionals follow what a voice does, and nothing that surrounds it."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter
from scipy.stats import spearmanr

from avlib import features
from avlib.features import Recipe, audio, functionals
from avlib.features.functionals import RATE


def pulses(hertz: float, seconds: float = 1.0, tremble: float = 0.0) -> np.ndarray:
    """A buzz like that of vocal folds, whose periods may tremble."""
    random, place, sound = np.random.default_rng(0), 0.0, np.zeros(round(seconds * RATE))
    while place < len(sound) - 1:
        sound[int(place)] = 1
        place += RATE / hertz * (1 + tremble * random.uniform(-1, 1))
    return lfilter([1], [1, -0.97], sound).astype(np.float32) * 0.3


def buzz(hertz: float) -> np.ndarray:
    """A second of all harmonics of a pitch."""
    time = np.arange(RATE) / RATE
    harmonics = np.arange(1, int(RATE / 2 / hertz))[:, None]
    return (0.1 * np.sin(2 * np.pi * hertz * harmonics * time).sum(axis=0)).astype(np.float32)


def vowel(formants: tuple[float, ...], hertz: float = 120.0) -> np.ndarray:
    """A buzz through resonances 80 Hz wide, two more of them than are named."""
    sound = lfilter([1], [1, -0.97], buzz(hertz))
    for centre in (*formants, 3600, 4600):
        radius = np.exp(-np.pi * 80 / RATE)
        sound = lfilter([1], [1, -2 * radius * np.cos(2 * np.pi * centre / RATE), radius**2], sound)
    return (0.3 * sound / np.abs(sound).max()).astype(np.float32)


def named(sound: np.ndarray) -> dict[str, float]:
    names = [each.name for each in functionals.described()]
    return dict(zip(names, functionals.compute(sound, RATE).tolist(), strict=True))


SYLLABLES = 0.6 + 0.4 * np.sin(2 * np.pi * 4 * np.arange(2 * RATE) / RATE).astype(np.float32)
SPEECH = SYLLABLES * np.concatenate([vowel((700, 1200, 2500)), vowel((300, 2200, 3000), 160)])


@given(st.floats(80, 500))
@settings(max_examples=15)
def test_the_pitch_of_a_buzz_is_found(hertz: float) -> None:
    found = np.median(functionals.analyse(buzz(hertz), RATE).pitch)
    assert found == pytest.approx(12 * np.log2(hertz / 27.5), abs=0.3)


def test_formants_of_a_made_vowel_are_found() -> None:
    found = named(vowel((700, 1200, 2500)))
    heights = [27.5 * 2 ** (found[f"formant {number} mean"] / 12) for number in (1, 2, 3)]
    assert heights == pytest.approx([700, 1200, 2500], rel=0.1)


def test_every_functional_has_a_name_a_unit_and_a_source_and_is_a_number() -> None:
    described = functionals.described()
    assert len({each.name for each in described}) == len(described)
    assert all(each.unit and each.source for each in described)
    found = functionals.compute(SPEECH, RATE)
    assert found.shape == (len(described),)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()


@pytest.mark.parametrize("silence", [0.3, 1.0])
def test_silence_around_a_voice_changes_nothing(silence: float) -> None:
    hush = np.zeros(round(silence * RATE / functionals.HOP) * functionals.HOP, np.float32)
    alone, within = (
        functionals.compute(np.concatenate([around, SPEECH, around]), RATE)
        for around in (hush[: RATE // 5], hush)
    )
    np.testing.assert_allclose(within, alone, rtol=1e-3, atol=0.02)


@pytest.mark.parametrize("gain", [0.03, 0.25])
def test_a_louder_voice_is_louder_and_otherwise_the_same(gain: float) -> None:
    quiet, loud = named(gain * SPEECH), named(SPEECH)
    for name, value in loud.items():
        more = 20 * np.log10(1 / gain) if functionals.follows_level(name) else 0
        assert value - quiet[name] == pytest.approx(more, abs=0.02), name


def test_a_trembling_voice_has_more_jitter_and_less_harmonicity() -> None:
    steady, trembling = (functionals.analyse(pulses(120, 1, t), RATE) for t in (0.0, 0.04))
    assert trembling.jitter > 2 * steady.jitter
    assert np.median(trembling.harmonicity) < np.median(steady.harmonicity)


@pytest.mark.parametrize(
    ("sound", "said"),
    [
        (np.zeros(RATE, np.float32), "nothing but silence; is the microphone on"),
        (np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32), "holds no voice"),
    ],
    ids=["silence", "noise"],
)
def test_what_holds_no_voice_is_refused_by_name(
    tmp_path: Path, sound: np.ndarray, said: str
) -> None:
    soundfile.write(tmp_path / "a.wav", sound, RATE)
    with pytest.raises(ValueError, match=rf"a\.wav: holds .*{said.removeprefix('holds ')}"):
        features.clip_voice(tmp_path / "a.wav", Recipe.preset("voice"))


def test_a_store_of_voices_holds_them_and_no_mfccs(corpus: Path, tmp_path: Path) -> None:
    folder, folded = tmp_path / "spoken", tmp_path / "store"
    folder.mkdir()
    for actor in (1, 2):
        name = folder / f"03-01-03-01-01-01-{actor:02d}.wav"
        soundfile.write(name, np.tile(SPEECH, 2), RATE, subtype="PCM_16")
    clips = features.store.ravdess.index(folder)
    recipe = Recipe.preset("voice", "none")
    store = features.build(clips, recipe, folded, jobs=1, progress=False)
    assert store.shapes["voice"] == store.voice.shape == (2, len(functionals.described()))
    wanted = features.clip_voice(clips["sound"][0], recipe)
    np.testing.assert_array_equal(store.voice[0], wanted)
    with pytest.raises(ValueError, match=r"these networks take MFCCs.*run ladder"):
        store.mfcc  # noqa: B018


# Functionals of eGeMAPS that mean the same as one of ours.
TWINS = {
    "pitch mean": "F0semitoneFrom27.5Hz_sma3nz_amean",
    "pitch p50": "F0semitoneFrom27.5Hz_sma3nz_percentile50.0",
    "loudness level": "loudness_sma3_amean",
    "quality jitter": "jitterLocal_sma3nz_amean",
    "quality shimmer": "shimmerLocaldB_sma3nz_amean",
    "quality harmonicity mean": "HNRdBACF_sma3nz_amean",
    "formant 1 mean": "F1frequency_sma3nz_amean",
    "formant 2 mean": "F2frequency_sma3nz_amean",
    "spectral alpha voiced mean": "alphaRatioV_sma3nz_amean",
    "spectral hammarberg voiced mean": "hammarbergIndexV_sma3nz_amean",
    "spectral slope to 500 voiced mean": "slopeV0-500_sma3nz_amean",
    "spectral slope to 1500 voiced mean": "slopeV500-1500_sma3nz_amean",
    "time voiced segments a second": "VoicedSegmentsPerSec",
    "time voiced mean": "MeanVoicedSegmentLengthSec",
}
LEAST = 0.5  # rank correlation over clips, or its negative: they subtract low from high in alpha
# Praat and openSMILE find periods and formants in other ways, and agree less: 0.38 to 0.44.
OTHER_WAYS = ("quality jitter", "formant 1 mean", "formant 2 mean")


@pytest.mark.slow
def test_functionals_rank_clips_as_their_twins_of_egemaps_do(real_speech: Path) -> None:
    opensmile = pytest.importorskip(
        "opensmile",
        reason="needs opensmile, whose licence forbids commercial use: install it by hand",
    )
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
    ours, theirs = [], []
    with zipfile.ZipFile(real_speech) as archive:
        for name in sorted(n for n in archive.namelist() if n.endswith(".wav"))[::12]:
            with archive.open(name) as file:
                sound, rate = soundfile.read(file, dtype="float32", always_2d=True)
            sound = audio.resample(sound.mean(axis=1), rate, RATE)
            start, end = functionals.trim(sound)
            ours.append(named(sound[start:end]))
            theirs.append(smile.process_signal(sound[start:end], RATE).iloc[0])
    found = {
        mine: spearmanr([o[mine] for o in ours], [t[twin] for t in theirs]).statistic
        for mine, twin in TWINS.items()
    }
    print({name: round(float(rank), 2) for name, rank in found.items()})
    assert all(
        abs(rank) > (0.3 if name in OTHER_WAYS else LEAST) for name, rank in found.items()
    ), found
