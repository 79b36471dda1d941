"""The voice of a practice clip: eSpeak NG says the sentence, PSOLA gives it its manner.

PSOLA (pitch-synchronous overlap-add) cuts a voice into grains of two pitch periods and lays
them out anew: closer together for a higher pitch, some of them twice for slower speech. The
vowels stay what they were, because each grain keeps its shape. Sound is float32, full scale 1.

Sources: Moulines & Charpentier 1990, doi:10.1016/0167-6393(90)90021-Z; eSpeak NG,
https://github.com/espeak-ng/espeak-ng.
"""

import ctypes
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import scipy.fft
from scipy.ndimage import gaussian_filter1d, median_filter
from scipy.signal import firwin, resample_poly

from avlib.corpus.ravdess import STATEMENTS, ClipName
from avlib.practice import performance
from avlib.practice.media import SOUND_RATE

ESPEAK_RATE = 22_050  # Hz, what eSpeak NG speaks at
# eSpeak NG's names; none has an echo or a roughness that would hide its pitch.
MALE_VOICES = ("m3", "m7", "Hugo", "Diogo")
FEMALE_VOICES = ("f1", "f2", "f5", "anika")
_VOICE, _THROAT = 4, 7  # first keys of the random numbers here, see performance.py
# What is heard of the mouth: action unit, middle (Hz), width (octaves), gain (dB a unit). How
# much was set so that the same actor's MFCCs differ from emotion to emotion as real ones do.
_HEARD = (
    ("AU12", 3_000, 0.40, 8.0),  # spread lips shorten the throat: the upper resonances rise
    ("AU26", 800, 0.35, 8.0),  # a dropped jaw raises the lowest resonance
    ("AU10", 1_700, 0.30, 8.0),  # a raised upper lip sharpens
    ("AU15", 450, 0.35, 10.0),  # lowered corners darken
    ("AU20", 2_300, 0.25, 12.0),  # stretched lips ring
    ("AU17", 1_250, 0.25, 12.0),  # a raised chin pushes the lower lip forward
    ("AU25", 600, 0.25, 6.0),  # parted lips let more out
    ("AU23", 4_200, 0.30, 12.0),  # tightened lips hiss
    ("AU14", 5_500, 0.30, 10.0),  # so do dimpled corners, higher up
)
_MOST_HEARD_DB = 18.0  # what one action unit can do
_LONGEST_THROAT = 6  # per cent over the average, and the shortest as much under it
_HOP = 110  # samples (5 ms) between pitch measurements
# RMS of neutral speech, dB of full scale. Low, as in RAVDESS, because strong anger is more than
# 23 dB louder and must not clip.
NEUTRAL_LEVEL_DB = -47.0
_NOISE_LEVEL_DB = -84.0  # RMS of the room's noise
_SILENCE_S = (0.8, 1.1)  # shortest and longest, before and after speech
_CLIP_S = (2.94, 5.27)  # shortest and longest, as in RAVDESS
_PITCH_HZ = (66.0, 690.0)  # as far as the trackers look
_UP, _DOWN = 320, 147  # 22,050 Hz × 320 / 147 = 48,000 Hz


@dataclass(frozen=True)
class Sentence:
    """A spoken sentence, taken apart for PSOLA."""

    sound: np.ndarray  # (samples,), float32, 22,050 Hz
    marks: np.ndarray  # (grains,), int64: the sample on which each grain is centred
    periods: np.ndarray  # (grains,), float64: samples from one grain to the next
    voiced: np.ndarray  # (grains,), bool: whether the grain has a pitch
    melody: np.ndarray  # (grains,): semitones over the median, 10th to 90th percentile scaled to 1
    brightness_db: float  # energy above 1 kHz over energy below (dB)


def speak(name: ClipName, row: Mapping[str, float], seed: int = 0) -> np.ndarray:
    """Say a clip's sentence in the manner of its performance.

    The name gives the sentence and the actor; `row`, of `performance.draw`, the pitch and its
    range (semitones), the level (dB), the rate (octaves), the tilt (dB) and what is heard of the
    mouth; `seed` the room's noise and the silence around the speech. Returns ``(samples,)``
    float32 at 48 kHz, 2.94 to 5.27 s. Raises RuntimeError if eSpeak NG cannot be loaded.
    """
    rng = np.random.default_rng((seed, _VOICE, *performance.clip_key(name)))
    neutral_hz, neutral_s = performance.neutral_voice(name.actor)
    sentence = sentence_of(name.actor, name.statement)

    before, speech_s, after = _times(neutral_s, row, rng)
    pitch_hz = neutral_hz * 2.0 ** (
        (row["pitch_st"] + max(row["pitch_range_st"], 0.5) * sentence.melody) / 12
    )
    speech = _overlap_add(sentence, speech_s, pitch_hz.clip(*_PITCH_HZ))
    speech = _articulate(speech, row)
    speech = _tilt(speech, sentence.brightness_db + row["tilt_db"])
    speech = resample_poly(speech, _UP, _DOWN, window=_lowpass())
    speech *= _amplitude(NEUTRAL_LEVEL_DB + row["level_db"]) / _rms(speech)
    return _in_room(speech, before, after, rng)


def murmur(name: ClipName, row: Mapping[str, float], seed: int = 0) -> np.ndarray:
    """What a mouth can move to where there is no voice: noise in the rhythm of syllables.

    As long as `speak` would make it, and not meant to be heard.
    """
    rng = np.random.default_rng((seed, _VOICE, *performance.clip_key(name)))
    _, neutral_s = performance.neutral_voice(name.actor)
    before, speech_s, after = _times(neutral_s, row, rng)
    seconds = np.arange(round(speech_s * SOUND_RATE)) / SOUND_RATE
    syllables = 7  # of either statement
    loudness = np.abs(np.sin(np.pi * syllables * seconds / speech_s))
    noise = 0.1 * loudness * rng.standard_normal(len(seconds))
    silences = round(before * SOUND_RATE), round(after * SOUND_RATE)
    return np.pad(noise, silences).astype(np.float32)


def _times(
    neutral_s: float, row: Mapping[str, float], rng: np.random.Generator
) -> tuple[float, float, float]:
    """Seconds of silence, of speech, and of silence again."""
    before, after = rng.uniform(*_SILENCE_S, size=2)
    shortest, longest = _CLIP_S
    speech_s = min(neutral_s * 2.0 ** -row["log2_rate"], longest - before - after)
    return before, speech_s, max(after, shortest - before - speech_s)


def _overlap_add(sentence: Sentence, seconds: float, pitch_hz: np.ndarray) -> np.ndarray:
    """Lay a sentence's grains out anew, for another length and another pitch (PSOLA).

    `pitch_hz` is wanted at each grain of the sentence, and ignored where it is not voiced.
    """
    steps = np.where(sentence.voiced, ESPEAK_RATE / pitch_hz, sentence.periods).tolist()
    samples = round(seconds * ESPEAK_RATE)
    stretch = samples / len(sentence.sound)
    between = (sentence.marks[:-1] + sentence.marks[1:]) / 2  # from here the next grain is nearer
    between, marks = between.tolist(), sentence.marks.tolist()
    halves = sentence.periods.astype(int).tolist()
    margin = int(sentence.periods.max()) + 1
    padded = np.pad(sentence.sound, margin)
    laid = np.zeros(samples + 2 * margin, np.float32)
    time = 0.0
    while time < samples:
        grain = bisect_left(between, time / stretch)
        half = halves[grain]
        source = margin + marks[grain] - half
        target = margin + int(time) - half
        laid[target : target + 2 * half] += padded[source : source + 2 * half] * _hann(half)
        time += steps[grain]
    return laid[margin:-margin]


def _articulate(sound: np.ndarray, row: Mapping[str, float]) -> np.ndarray:
    """Let the mouth's shape be heard: each of its action units strengthens some frequencies.

    That a smile is heard is known (Tartter 1980, doi:10.3758/BF03199901); how much, and what
    the other units do, is our decision.
    """
    frequency = np.fft.rfftfreq(len(sound), 1 / ESPEAK_RATE).clip(60.0)
    gain_db = np.zeros(len(frequency))
    for unit, middle_hz, octaves, gain_per_unit_db in _HEARD:
        distance = np.log2(frequency / middle_hz) / octaves
        gain = _MOST_HEARD_DB * np.tanh(gain_per_unit_db * row[unit] / _MOST_HEARD_DB)
        gain_db += gain * np.exp(-0.5 * distance**2)
    return _filtered(_spectrum(sound), gain_db, len(sound))


def _tilt(sound: np.ndarray, wanted_db: float) -> np.ndarray:
    """Raise or lower all above 1 kHz until a sound is as bright as asked for."""
    spectrum = _spectrum(sound)
    frequency = np.fft.rfftfreq(len(sound), 1 / ESPEAK_RATE)
    octaves = np.log2(np.maximum(frequency, 1.0) / 1_000)
    shelf = 1 / (1 + np.exp(-octaves * 6))  # 0 well below 1 kHz, 1 well above
    power = np.abs(spectrum) ** 2
    gain_db = 0.0
    for _ in range(8):  # each round leaves less than half of the error
        shelved = power * 10 ** (gain_db * shelf / 10)
        gain_db += wanted_db - _high_over_low_db(shelved, frequency)
    return _filtered(spectrum, gain_db * shelf, len(sound))


def _spectrum(sound: np.ndarray) -> np.ndarray:
    # SciPy keeps the plan of a length for the transform back, NumPy makes it anew: three times
    # slower where the length has large prime factors.
    return scipy.fft.rfft(sound.astype(np.float64)).astype(np.complex64)


def _filtered(spectrum: np.ndarray, gain_db: np.ndarray, samples: int) -> np.ndarray:
    return scipy.fft.irfft(spectrum * 10 ** (gain_db / 20), samples).astype(np.float32)


def brightness_db(sound: np.ndarray, rate: int) -> float:
    """Energy above 1 kHz over energy below (dB) of a sound of that rate (Hz)."""
    power = np.abs(np.fft.rfft(sound)) ** 2
    return _high_over_low_db(power, np.fft.rfftfreq(len(sound), 1 / rate))


@cache
def sentence_of(actor: int, statement: int) -> Sentence:
    """What an actor says, before any manner: a voice of eSpeak NG with the actor's throat.

    Both numbers are codes of a RAVDESS name. Raises RuntimeError if eSpeak NG cannot be loaded.
    """
    voices = MALE_VOICES if actor % 2 else FEMALE_VOICES
    generation = (actor - 1) // 2  # which man or woman, counted from 0
    spoken = _everything_said()[voices[generation % len(voices)], statement]
    # A longer throat lowers every formant.
    throat = np.random.default_rng((_THROAT, actor, 0)).uniform(-_LONGEST_THROAT, _LONGEST_THROAT)
    longer = 100 + round(throat)
    return _take_apart(resample_poly(spoken, longer, 100).astype(np.float32))


@cache
def _everything_said() -> dict[tuple[str, int], np.ndarray]:
    """Each sentence in each voice, float32 at 22,050 Hz.

    eSpeak NG carries noise and flutter on from one utterance to the next, so the same words
    come out differently later. Each process therefore says everything once, in one order, and
    then only reshapes what was said: the same samples, whichever clips it is asked for. The
    breath in a voice is noise, which starts at the time of day if it is not given a seed.
    """
    engine = _start_engine()
    engine.espeak_ng_SetRandSeed(ctypes.c_long(1))
    spoken = []

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
    def receive(samples: ctypes.POINTER(ctypes.c_short), count: int, _events: int) -> int:
        if samples and count > 0:
            spoken.append(np.ctypeslib.as_array(samples, (count,)).astype(np.float32) / 32_768)
        return 0  # go on

    engine.espeak_SetSynthCallback(receive)
    said = {}
    for voice in MALE_VOICES + FEMALE_VOICES:
        if engine.espeak_SetVoiceByName(f"en-us+{voice}".encode()) != 0:
            raise RuntimeError(f"eSpeak NG has no voice en-us+{voice}; {_MEND}")
        for statement, words in enumerate(STATEMENTS, 1):
            spoken.clear()
            text = words.encode()
            engine.espeak_Synth(text, len(text) + 1, 0, 1, 0, 1, None, None)
            said[voice, statement] = _trim(np.concatenate(spoken))
    engine.espeak_Terminate()
    return said


_MEND = "install it anew with `pip install --force-reinstall espeakng-loader`"


def _start_engine() -> ctypes.CDLL:
    try:
        import espeakng_loader

        engine = ctypes.CDLL(espeakng_loader.get_library_path())
    except (ImportError, OSError) as error:
        raise RuntimeError(
            f"the practice voice needs eSpeak NG, which cannot be loaded here ({error}); install "
            "it with `pip install espeakng-loader`, or write faces alone: modality 2"
        ) from error
    folder = espeakng_loader.get_data_path()
    answer_at_once, do_not_exit = 2, 0x8000  # else it ends Python where its data are missing
    if engine.espeak_Initialize(answer_at_once, 0, folder.encode(), do_not_exit) != ESPEAK_RATE:
        raise RuntimeError(f"eSpeak NG cannot use its data in {folder}; {_MEND}")
    return engine


def _take_apart(sound: np.ndarray) -> Sentence:
    pitch_hz = _track_pitch(sound)
    grains = zip(*_walk(sound, pitch_hz), strict=True)
    marks, periods, voiced = (np.array(column) for column in grains)
    melody = 12 * np.log2(ESPEAK_RATE / periods)
    low, middle, high = np.percentile(melody[voiced], (10, 50, 90))
    melody = ((melody - middle) / (high - low)).clip(-0.8, 1.0)  # beyond lie tracking errors
    return Sentence(sound, marks, periods, voiced, melody, brightness_db(sound, ESPEAK_RATE))


def _track_pitch(sound: np.ndarray) -> np.ndarray:
    """Pitch every 5 ms by autocorrelation (Hz, float64), 0 where there is none."""
    window = 1_024
    padded = np.pad(sound, window // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::_HOP] * np.hanning(window)
    spectra = np.abs(np.fft.rfft(frames, 2 * window)) ** 2
    likeness = np.fft.irfft(spectra)[:, :window]
    bare = np.fft.irfft(np.abs(np.fft.rfft(np.hanning(window), 2 * window)) ** 2)[:window]
    likeness /= np.maximum(likeness[:, :1], 1e-6) * (bare / bare[0]).clip(0.05)
    shortest, longest = ESPEAK_RATE // 350, ESPEAK_RATE // 62
    inside = likeness[:, shortest:longest]
    best = inside.max(axis=1)
    # Twice the period is nearly as good a likeness: take the first that is good enough.
    lag = (inside > 0.9 * best[:, None]).argmax(axis=1)
    lag += [inside[row, start : start + 12].argmax() for row, start in enumerate(lag)]
    loud = likeness[:, 0] * spectra.sum(axis=1) > 1e-3 * spectra.sum(axis=1).max()
    hz = np.where((best > 0.6) & loud, ESPEAK_RATE / (lag + shortest), 0.0)
    return median_filter(hz, 5)


def _walk(sound: np.ndarray, pitch_hz: np.ndarray) -> Iterator[tuple[int, float, bool]]:
    """Go through a sound period by period: (sample of the mark, period, voiced)."""
    unvoiced_period = _HOP
    polarity = np.sign(sound[np.abs(sound).argmax()])
    position = 0.0
    while position < len(sound):
        hz = pitch_hz[min(int(position) // _HOP, len(pitch_hz) - 1)]
        period = ESPEAK_RATE / hz if hz else unvoiced_period
        mark = int(position)
        if hz:  # sit on the pulse of the vocal folds, so that grains add up in step
            start = max(mark - int(period / 4), 0)
            near = sound[start : mark + int(period / 4) + 1]
            mark = start + int((polarity * near).argmax())
        yield mark, period, bool(hz)
        position = max(mark + period, position + period / 2)


def _in_room(
    speech: np.ndarray, before: float, after: float, rng: np.random.Generator
) -> np.ndarray:
    lead, tail = round(before * SOUND_RATE), round(after * SOUND_RATE)
    sound = np.pad(speech, (lead, tail))
    hiss = gaussian_filter1d(rng.standard_normal(len(sound)), 4.0, mode="wrap", truncate=3)
    sound = sound + hiss * (_amplitude(_NOISE_LEVEL_DB) / _rms(hiss))
    # A last resort: what exceeds 0.8 is bent so that it never reaches full scale.
    over = np.abs(sound) > 0.8
    bent = 0.8 + 0.2 * np.tanh((np.abs(sound[over]) - 0.8) / 0.2)
    sound[over] = np.sign(sound[over]) * bent
    return sound.astype(np.float32)


def _trim(sound: np.ndarray) -> np.ndarray:
    """Cut the silence before and after, 35 dB under the loudest moment."""
    loudness = gaussian_filter1d(sound**2, ESPEAK_RATE * 0.005)
    heard = np.flatnonzero(loudness > loudness.max() * 10**-3.5)
    return sound[heard[0] : heard[-1] + 1]


def _high_over_low_db(power: np.ndarray, frequency: np.ndarray) -> float:
    middle = np.searchsorted(frequency, 1_000)
    return float(10 * np.log10(power[middle:].sum() / power[:middle].sum()))


@cache
def _lowpass() -> np.ndarray:
    """What `resample_poly` would design anew for each clip."""
    return firwin(20 * _UP + 1, 1 / _UP, window=("kaiser", 5.0)).astype(np.float32)


@cache
def _hann(half: int) -> np.ndarray:
    return np.hanning(2 * half + 1)[:-1].astype(np.float32)


def _rms(sound: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(sound, dtype=np.float64))))


def _amplitude(level_db: float) -> float:
    return 10 ** (level_db / 20)
