"""Every lesson runs from top to bottom, and the code it shows is the code that avlib ships."""

import html
import json
import re
from pathlib import Path

import av
import librosa
import numpy as np
import pandas as pd
import pytest
import torch
from exercises import exercises
from media import chirp
from shown import BROWSER, NOTEBOOKS, assert_pictures_say_what_they_are, executed, said_by, shown

from avlib import course, features
from avlib.corpus import ravdess
from avlib.evaluation import ladder, metrics
from avlib.features import audio, functionals, video
from avlib.learning import fusion, speakers, splits


@pytest.fixture(scope="module", autouse=True)
def recordings() -> Path:
    """The lessons' own recordings; written here if no lesson has run yet."""
    return course.recordings()


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is not None, reason="a browser is here, and test_browser.py runs them")
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_lesson_runs_and_each_picture_says_what_it_was_made_from(
    notebook: Path, tmp_path: Path
) -> None:
    assert course.run_lesson(notebook, tmp_path) > 0
    pages = [
        "".join(output["data"]["text/html"])
        for cell in json.loads((tmp_path / notebook.name).read_text(encoding="utf-8"))["cells"]
        for output in cell.get("outputs", [])
        if "text/html" in output.get("data", {})
    ]
    texts = [html.unescape(alt) for page in pages for alt in re.findall(r'<img alt="(.*?)"', page)]
    assert_pictures_say_what_they_are(texts)


class TestShownIsShipped:
    def test_reading_a_name(self) -> None:
        name = ravdess.speech_names([12])[37]
        told = shown("01").describe(f"{name}.mp4")
        assert told["emotion"] == ravdess.EMOTIONS[name.emotion - 1]
        assert told["intensity"] == ravdess.INTENSITIES[name.intensity - 1]
        assert told["statement"] == ravdess.STATEMENTS[name.statement - 1]
        assert told["sex"] == name.sex
        assert (told["repetition"], told["actor"]) == (name.repetition, name.actor)

    @pytest.mark.parametrize("rates", [(48_000, 22_050), (44_100, 22_050), (16_000, 22_050)])
    def test_resampling(self, rates: tuple[int, int]) -> None:
        sound = chirp(1.3, rates[0])
        ours, theirs = shown("02").resample(sound, *rates), audio.resample(sound, *rates)
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, atol=2e-6)

    def test_mfccs(self) -> None:
        sound = chirp(1.3, 22_050)
        np.testing.assert_allclose(
            shown("02").mfcc(sound, 22_050), audio.mfcc(sound, 22_050), atol=0.01
        )

    def test_pooling_pairs_into_clips(self, easy: features.FeatureStore) -> None:
        rows = np.arange(len(easy.rows))
        logits = torch.from_numpy(np.random.default_rng(0).normal(size=(len(rows), 8)))
        predictions = metrics.prediction_table(easy, rows, logits.log_softmax(dim=1).numpy())
        pooled = metrics.by_clip(predictions)
        taught = shown("05").by_clip(predictions)
        assert (taught["clip"] == pooled["clip"]).all()
        assert (taught["predicted"] == metrics.predicted(pooled)).all()

    def test_drawing_actors_again(self) -> None:
        drawn = np.random.default_rng(0)
        actor = np.repeat(np.arange(24), 60)
        right = drawn.random(1440) < drawn.uniform(0.2, 0.8, 24)[actor]
        logs = np.where(np.arange(8) == np.where(right, 0, 1)[:, None], 0.0, -9.0)
        predictions = pd.DataFrame(logs, columns=[f"log_prob_{code}" for code in range(1, 9)])
        predictions = predictions.assign(actor=actor, label=1, clip=np.arange(1440).astype(str))
        low, high = np.quantile(shown("06").drawn_again(right, actor), [0.025, 0.975])
        lower, higher = metrics.interval(predictions)
        assert lower < low < right.mean() < high < higher
        assert higher - lower < 1.25 * (high - low)  # widened as Student's t asks, and no more

    @pytest.mark.parametrize("unit", list(splits.UNITS))
    def test_splitting(self, easy: features.FeatureStore, unit: str) -> None:
        lesson = shown("05")
        assert lesson.UNITS == splits.UNITS
        sides = lesson.split_by(easy.rows, lesson.UNITS[unit], seed=0)
        assert sorted(np.concatenate(sides).tolist()) == list(range(len(easy.rows)))
        for columns in [lesson.UNITS[unit]] if lesson.UNITS[unit] else []:
            units = [set(map(tuple, easy.rows[columns].iloc[side].to_numpy())) for side in sides]
            assert not units[0] & units[1]
            assert not units[0] & units[2]
            assert not units[1] & units[2]


def solved(number: str) -> dict[str, object]:
    """What an exercise's folded solution defines."""
    names = vars(shown(f"{int(number.partition('.')[0]):02d}"))
    exec(next(each.solution for each in exercises() if each.number == number), names)
    return names


class TestOf02SolvedIsShipped:
    def test_mel_filters(self) -> None:
        corners = librosa.mel_frequencies(130, fmin=0, fmax=11_025)
        tones = np.linspace(0, 11_025, 1025)
        mel_filter = solved("2.1")["mel_filter"]
        rows = [mel_filter(tones, *corners[at : at + 3]) for at in range(128)]
        np.testing.assert_allclose(rows, audio.mel_bands(22_050, 2048), atol=1e-6)

    def test_the_cosine_step(self) -> None:
        sound = chirp(1.3, 22_050)
        found = solved("2.2")["cosine_step"](audio.spectrogram(sound, 22_050, 128))
        np.testing.assert_allclose(found, audio.mfcc(sound, 22_050), atol=0.001)

    def test_frame_pairs(self, clips: pd.DataFrame) -> None:
        path = clips["picture"].iloc[0]
        times = video.pair_times(video.duration(path))
        with av.open(path) as film:
            decoded = list(film.decode(video=0))
        frames = np.stack([frame.to_ndarray(format="rgb24") for frame in decoded])
        begins = [frame.time for frame in decoded]
        found = solved("2.4")["frame_pairs"](frames, begins, times)
        np.testing.assert_array_equal(found, video.frame_pairs(path, times))


def without_its_first_half(notebook: Path, to: Path) -> Path:
    """Lesson 02 up to its set-up cell, and from the place on where one may stop."""
    lesson = json.loads(notebook.read_text(encoding="utf-8"))
    ids = [cell["id"] for cell in lesson["cells"]]
    del lesson["cells"][ids.index("lesson-02-03") + 1 : ids.index("lesson-02-stop")]
    to.write_text(json.dumps(lesson), encoding="utf-8")
    return to


@pytest.mark.slow
class TestOf02:
    def test_its_text_says_what_came_out(self) -> None:
        text = "\n".join(said_by(executed("02")))
        for found in (
            "a tone that falls again", "from 100 to 400", "a third", "four times thicker",
            "nearly the same numbers", "number 7", "(6, 64, 128, 3)", "refuses",
        ):  # fmt: skip
            assert f"It came out as: {found}." in text
        far, near, nearest = (
            float(re.search(rf"\b{kept} weights: off by ([\d.]+) dB", text)[1])
            for kept in (5, 13, 40)
        )
        assert far > near > nearest

    def test_a_calm_voice_varies_less_in_loudness(self) -> None:
        clips = ravdess.index(course.recordings())
        strong = clips[(clips["intensity"] == 2) & clips["sound"].notna()]
        spread = solved("2.3")["mean_and_deviation"]
        calm, angry = (
            spread(strong[strong["emotion"] == code].iloc[0]["sound"])[40] for code in (2, 5)
        )
        assert angry > calm

    def test_its_second_half_runs_alone(self, tmp_path: Path) -> None:
        notebook = next(path for path in NOTEBOOKS if path.name.startswith("02"))
        half = without_its_first_half(notebook, tmp_path / notebook.name)
        assert course.run_lesson(half, tmp_path / "run") > 0


class TestOf09SolvedIsShipped:
    def test_trimming(self) -> None:
        silence = np.zeros(functionals.RATE, np.float32)
        sound = np.concatenate([silence, chirp(1.3, functionals.RATE), silence])
        first, last = solved("9.1")["sounding"](functionals.levels(sound))
        around = functionals._MARGIN
        start, end = first * functionals.HOP - around, last * functionals.HOP + around
        assert functionals.trim(sound) == (start, end)

    def test_late_fusion(self) -> None:
        random = np.random.default_rng(0)
        speaker, emotion = np.repeat(np.arange(6), 16), np.tile(np.arange(1, 9), 12)
        own = {name: np.eye(8)[emotion - 1] + random.normal(0, 1, (96, 8)) for name in "ab"}
        model = fusion.LateFusion(
            {name: lambda x, y, _: fusion.discriminant(x, y, 0.3) for name in own}
        )
        model.fit(own, emotion, speaker)
        one, two = (
            model.models[name, False].log_posteriors(
                model.normalisations[name].forget().transform(numbers)
            )
            for name, numbers in own.items()
        )
        fused = solved("9.2")["fused"](one, two, *model.weights[0])
        np.testing.assert_allclose(fused, model.log_posteriors(own))

    def test_knowing_a_speaker(self) -> None:
        random = np.random.default_rng(0)
        speaker = np.repeat(np.arange(6), 10)
        numbers = random.normal(0, 1, (60, 5)) + random.normal(0, [0, 1, 2, 3, 4], (6, 5))[speaker]
        normalisation = speakers.SpeakerNormalisation().fit(numbers, speaker)
        for known in (0, 1, 7):
            clips = numbers[speaker == 2][:known]
            expected = solved("9.3")["expected_mean"](
                clips, normalisation.mean, normalisation.doubt
            )
            normalisation.forget().partial_fit(clips)
            np.testing.assert_allclose(normalisation.transform(expected[None]), 0, atol=1e-9)

    def test_telling_the_counts(self) -> None:
        random = np.random.default_rng(0)
        label = np.repeat(np.arange(1, 9), [2, 4, 4, 4, 4, 4, 4, 4])
        shares = random.dirichlet(np.ones(8), len(label))
        told = shown("09").told_the_counts(shares, np.bincount(label, minlength=9)[1:])
        table = pd.DataFrame(np.log(shares), columns=metrics.LOG_COLUMNS)
        shipped = ladder.with_proportions(table.assign(label=label, actor=1))
        np.testing.assert_allclose(told, np.exp(shipped[metrics.LOG_COLUMNS]), atol=1e-6)
        np.testing.assert_allclose(told.sum(axis=0), np.bincount(label)[1:], atol=0.01)
