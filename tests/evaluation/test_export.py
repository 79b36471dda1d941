"""What is exported computes the same numbers in another runtime, from samples to probabilities."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from avlib import course, features
from avlib.__main__ import main
from avlib.corpus import ravdess
from avlib.corpus.ravdess import EMOTIONS
from avlib.evaluation import experiments, export, metrics, recogniser
from avlib.features import Recipe
from avlib.features.store import FeatureStore
from avlib.learning import loaders, splits, training

onnxruntime = pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.slow  # the practice corpus, and its features


@pytest.fixture(scope="module")
def store() -> FeatureStore:
    clips = ravdess.index(course.recordings())
    if ravdess.corpus(clips) == "RAVDESS":
        pytest.skip("needs the practice corpus, on which the networks that come with avlib learned")
    return course.store(clips, Recipe())


@pytest.fixture(scope="module")
def written(store: FeatureStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("onnx")
    export.write(folder, store)
    return folder


def test_from_samples_to_probabilities_over_the_corpus(store: FeatureStore, written: Path) -> None:
    session = onnxruntime.InferenceSession(written / "fusion.onnx")
    network = experiments.trained("fusion", store)[0].cpu()
    samples = loaders.to_device(store, splits.split(store.rows, "actor", 0).train, "cpu")
    rows = np.arange(len(store.rows))
    logs = training.predict(network, samples, rows)
    wanted = metrics.by_clip(metrics.prediction_table(store, rows, logs)).set_index("clip")
    clips = ravdess.index(course.recordings()).set_index("clip")
    for number, name in enumerate(store.clips["clip"]):
        sound, rate = soundfile.read(clips["sound"][name], dtype="int16")
        assert rate == export.RATE
        given = {"samples": sound, "pairs": store.pairs[store.clip_of_pair == number]}
        (found,) = session.run(None, given)
        shares = np.exp(wanted.loc[name, metrics.LOG_COLUMNS].to_numpy(float))
        np.testing.assert_allclose(found, shares, atol=1e-4)


@pytest.mark.parametrize("seconds", [0.1, 1.0, 2.94, 5.27, 12.3])
def test_every_length_has_the_mfccs_of_features(
    store: FeatureStore, seconds: float, tmp_path: Path
) -> None:
    sound = np.random.default_rng(0).normal(0, 3000, round(seconds * 48_000)).astype(np.int16)
    sound[len(sound) // 3 : len(sound) // 2] = 0
    soundfile.write(tmp_path / "a.wav", sound, 48_000)
    network = experiments.trained("fusion", store)[0]
    whole = export.WholeWay(network, store, np.arange(60))
    wanted = features.clip_mfcc(tmp_path / "a.wav", Recipe())
    with torch.no_grad():
        np.testing.assert_allclose(whole.mfcc(torch.from_numpy(sound)), wanted, atol=2e-3)


def test_from_functionals_to_probabilities(written: Path) -> None:
    model, header = recogniser.load("own-voice")
    own = model.normalisations["sound"]
    drawn = np.random.default_rng(0).normal(size=(50, len(own.mean)))
    heard = (own.mean + 3 * drawn * own.deviation).astype(np.float32)
    session = onnxruntime.InferenceSession(written / "own-voice.onnx")
    (found,) = session.run(None, {"functionals": heard})
    np.testing.assert_allclose(found, np.exp(model.log_posteriors({"sound": heard})), atol=1e-4)
    described = json.loads((written / "own-voice.json").read_text())
    assert [each["name"] for each in described["functionals"]] == header["functionals"]
    assert described["settings"]["hop"] == 160
    assert json.loads(session.get_modelmeta().custom_metadata_map["emotions"]) == list(EMOTIONS)
    assert "CC BY-NC-SA" in session.get_modelmeta().custom_metadata_map["licence"]


def test_what_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnxscript", None)
    assert main(["export", "--onnx", str(tmp_path)]) == 1
    assert "pip install onnxscript" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
