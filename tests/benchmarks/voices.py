"""Listen to practice clips again, and see whether each voice did what it was asked for.

The same measurements, by the same means, as those of real clips that drive the corpus.
"""

from collections.abc import Mapping
from pathlib import Path

import librosa
import numpy as np
import pandas as pd
from joblib import delayed
from scipy.stats import spearmanr

from avlib import workers
from avlib.corpus.ravdess import ClipName
from avlib.features import audio
from avlib.practice import performance, voice
from avlib.practice.performance import VOICE_QUANTITIES

PITCH_HZ = (65.0, 700.0)  # where pitch is looked for
SILENCE_DB = 35.0  # what is this much under the loudest moment is no speech


def measure(path: str | Path) -> dict[str, float]:
    """The five voice quantities of a practice clip, over its actor's voice before any manner.

    `path` is a sound file of a practice corpus, under its RAVDESS name; ValueError if it cannot
    be read or has another name. The quantities and their units are those of `performance.draw`;
    pitch is not a number where none was found. Silence is trimmed at −35 dB; pitch is Mauch &
    Dixon's pYIN (doi:10.1109/ICASSP.2014.6853678).
    """
    name = ClipName.parse(Path(path))
    sound, rate = audio.load(path)
    speech, _ = librosa.effects.trim(sound, top_db=SILENCE_DB)
    low, high = PITCH_HZ
    pitch_hz, voiced, _ = librosa.pyin(
        audio.resample(speech, rate, 22_050), fmin=low, fmax=high, sr=22_050
    )
    semitones = 12 * np.log2(pitch_hz[voiced])
    neutral_hz, neutral_s = performance.neutral_voice(name.actor)
    tenth, middle, ninetieth = (
        np.percentile(semitones, (10, 50, 90)) if voiced.any() else [np.nan] * 3
    )
    level_db = 20 * np.log10(np.sqrt(np.mean(np.square(speech, dtype=np.float64))))
    untouched_db = voice.sentence_of(name.actor, name.statement).brightness_db
    return {
        "pitch_st": middle - 12 * np.log2(neutral_hz),
        "pitch_range_st": ninetieth - tenth,
        "level_db": float(level_db) - voice.NEUTRAL_LEVEL_DB,
        "log2_rate": float(np.log2(neutral_s / (len(speech) / rate))),
        "tilt_db": voice.brightness_db(speech, rate) - untouched_db,
    }


def asked_and_measured(clips: pd.DataFrame, seed: int, jobs: int | None = None) -> pd.DataFrame:
    """Set what was asked of each voice beside what is measured in its file.

    `clips` is what `ravdess.index` returned for a practice corpus, `seed` its seed. Returns
    ``(clips, 10)``: columns ``(quantity, "asked")`` and ``(quantity, "measured")``, a row a clip.
    """
    names = [ClipName.parse(Path(path)) for path in clips["sound"]]
    asked = performance.draw(names, seed)[list(VOICE_QUANTITIES)]
    tasks = [delayed(measure)(path) for path in clips["sound"]]
    found = workers.results(tasks, jobs, "voices", "clip", progress=False, ordered=True)
    measured = pd.DataFrame(list(found), index=asked.index)
    beside = pd.concat({"asked": asked, "measured": measured}, axis=1)
    return beside.swaplevel(axis=1).sort_index(axis=1)


def rank_correlations(beside: pd.DataFrame) -> Mapping[str, float]:
    """Spearman's rank correlation of asked and measured, for each voice quantity.

    Clips without a pitch are left out of its two correlations.
    """
    return {
        quantity: float(
            spearmanr(beside[quantity]["asked"], beside[quantity]["measured"], nan_policy="omit")[0]
        )
        for quantity in VOICE_QUANTITIES
    }
