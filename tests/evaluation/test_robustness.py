"""What is spoilt is heard once, strangers are strangers, and spoilt training helps where it can."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_ladder import stores

from avlib import practice
from avlib.corpus import ravdess
from avlib.evaluation import recogniser, robustness
from avlib.features import audio, functionals
from avlib.features.spoil import CONDITIONS

QUIET = {"jobs": 1, "progress": False}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("clips")
    practice.write(folder, 1, modalities=[3], names=practice.first()[:2], progress=False, jobs=1)
    return ravdess.index(folder)


def test_clips_are_heard_under_every_condition_and_kept(
    clips: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = robustness.hear(clips, "these", tmp_path, **QUIET)
    assert heard.shape == (len(clips), len(CONDITIONS), len(functionals.described()))
    for clip, path in enumerate(clips["sound"]):
        np.testing.assert_array_equal(heard[clip, 0], functionals.compute(*audio.load(path)))
    monkeypatch.setattr(functionals, "compute", None)  # what is kept needs it no more
    again = robustness.hear(clips, "these", tmp_path, **QUIET)
    np.testing.assert_array_equal(again, heard)
    with pytest.raises(TypeError):  # of other recordings nothing is kept
        robustness.hear(clips, "others", tmp_path, **QUIET)


@pytest.mark.slow
def test_spoilt_training_helps_where_a_line_moves_the_voice(tmp_path: Path) -> None:
    """Each condition moves all voices its own way; in one a third of the clips are no voice."""
    store, _ = stores(2.0)
    moved = np.random.default_rng(1).normal(0, 12, (len(CONDITIONS), store.voice.shape[1]))
    moved[0], names = 0, list(CONDITIONS)
    heard = (store.voice[:, None] + moved).astype(np.float32)
    heard[::3, names.index("noise 0 dB")] = np.nan
    result = robustness.run(store, heard, 3, **QUIET)
    rows = pd.DataFrame(result["rows"]).set_index(["trained on", "heard"])["accuracy"]
    clean, spoilt = (rows[way] for way in robustness.WAYS)
    assert clean["clean"] > 0.5
    assert spoilt["telephone"] > clean["telephone"] + 0.2
    lost = pd.DataFrame(result["rows"]).query("heard == 'noise 0 dB'").iloc[:2]
    assert set(lost["refused"]) == {len(store.clips) // 3}
    assert set(lost["clips"]) == {len(store.clips) - len(store.clips) // 3}
    assert {row["speaker_clips"] for row in result["known"]} >= {0, 5, "all", "neutral"}

    paths = robustness.ship(store, heard, result, tmp_path)
    model, header = recogniser.read(paths[0])
    assert paths[0].name == "own-voice.safetensors"
    assert "loudness level" not in header["functionals"]
    assert header["trained_with"] == list(robustness.TRAINED_WITH)
    asked = heard[:, names.index("telephone"), robustness.columns()]
    told = model.log_posteriors({"sound": asked}).argmax(axis=1) + 1
    assert (told == store.clips["emotion"]).mean() > 0.5
    assert robustness.STEP in paths[1].read_text("utf-8")
