"""Every lesson runs from top to bottom, and the code it shows is the code that avlib ships."""

import html
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from exercises import exercises
from media import chirp
from shown import BROWSER, NOTEBOOKS, assert_pictures_say_what_they_are, shown

from avlib import course, features
from avlib.corpus import ravdess
from avlib.evaluation import ladder, metrics
from avlib.features import audio, functionals, video
from avlib.learning import fusion, loaders, networks, speakers, splits, training


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

    def test_frame_pairs(self, clips: object) -> None:
        path = clips["picture"].iloc[0]
        times = video.pair_times(video.duration(path))
        ours = shown("02").frame_pairs(path, times)
        np.testing.assert_array_equal(ours, video.frame_pairs(path, times))

    @pytest.mark.parametrize("name", ["AudioCNN", "ImageCNN"])
    def test_unimodal_networks(self, name: str) -> None:
        taught, shipped = getattr(shown("03"), name)(), getattr(networks, name)()
        taught.load_state_dict(shipped.state_dict())
        values = torch.randn((5, 40) if name == "AudioCNN" else (5, 3, 64, 128))
        assert torch.equal(taught(values), shipped(values))

    def test_the_training_loop(self, easy: features.FeatureStore) -> None:
        split = splits.split(easy.rows, "clip", seed=0)
        lesson = shown("03")
        samples = loaders.to_device(easy, split.train, "cpu")
        lesson.train.__globals__.update(samples=samples, split=split)
        shipped = networks.seeded(networks.AudioNetwork, seed=0)
        taught = networks.seeded(networks.AudioNetwork, seed=0)
        history = training.fit(shipped, samples, split, training.Training(epochs=2), False)
        curves = lesson.train(torch.nn.Sequential(taught.cnn, taught.classifier), epochs=2)
        assert training.digest(taught) == training.digest(shipped)
        accuracies = history.pivot(index="epoch", columns="side", values="accuracy")
        np.testing.assert_allclose(curves, accuracies[["train", "validation"]], atol=1e-6)

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
    names = vars(shown("09"))
    exec(next(each.solution for each in exercises() if each.number == number), names)
    return names


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
