"""Small recordings whose content is known: tones, and frames that carry their own number."""

from collections.abc import Sequence
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pandas as pd
import soundfile

from avlib import features
from avlib.corpus import ravdess

RATE = 48_000
NTSC = Fraction(30_000, 1001)
GREY = (128, 128, 128)
_BITS = 8
_TICKS = 90_000  # video time base: 29.97, 25 and 30 frames a second are all exact in it


def tone(hertz: float, seconds: float = 3.2, rate: int = RATE) -> np.ndarray:
    """A sine of half full scale, shape (samples,), float32."""
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype("f4")


def chirp(seconds: float, rate: int, seed: int = 0) -> np.ndarray:
    """A rising tone in noise, so that every band and every moment differs."""
    time = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(seed).normal(0, 0.05, len(time))
    return (0.4 * np.sin(2 * np.pi * (100 + 1500 * time) * time) + noise).astype(np.float32)


def numbered_frame(number: int, size: tuple[int, int], colour: Sequence[int]) -> np.ndarray:
    """A coloured frame with its number as eight black or white bars in the centre square."""
    width, height = size
    frame = np.full((height, width, 3), colour, np.uint8)
    side = min(size)
    top, left = (height - side) // 2, (width - side) // 2
    for bit in range(_BITS):
        bar = slice(left + bit * side // _BITS, left + (bit + 1) * side // _BITS)
        frame[top : top + side // 2, bar] = 255 * (number >> bit & 1)
    return frame


def number_on(frame: np.ndarray) -> int:
    """Read the number back from a frame, whole or cut square."""
    height, width = frame.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    bars = frame[top + side // 8 : top + side // 4, left : left + side].mean(axis=(0, 2))
    centres = [round((bit + 0.5) * side / _BITS) for bit in range(_BITS)]
    return sum(int(bars[centre] > 128) << bit for bit, centre in enumerate(centres))


def write_mp4(
    path: Path,
    times: Sequence[Fraction] | None = None,
    size: tuple[int, int] = (320, 180),
    colour: Sequence[int] = GREY,
    sound: np.ndarray | None = None,
    pixels: str = "yuv420p",
    index_first: bool = False,
    sound_from: float = 0.0,
) -> Path:
    """Write numbered frames shown from `times` on (96 at 29.97 Hz if None, none if empty)."""
    times = [number / NTSC for number in range(96)] if times is None else times
    with av.open(path, "w", options={"movflags": "faststart"} if index_first else {}) as container:
        if times:
            picture = container.add_stream("libx264", rate=NTSC, options={"preset": "ultrafast"})
            picture.width, picture.height, picture.pix_fmt = *size, pixels
            picture.codec_context.time_base = Fraction(1, _TICKS)
        if sound is not None:
            voice = container.add_stream("aac", rate=RATE, layout="mono", bit_rate=128_000)
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(numbered_frame(number, size, colour))
            frame.pts, frame.time_base = round(time * _TICKS), Fraction(1, _TICKS)
            container.mux(picture.encode(frame))
        if times:
            container.mux(picture.encode())
        if sound is not None:
            block = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
            block.sample_rate, block.pts = RATE, round(sound_from * RATE)
            container.mux(voice.encode(block))
            container.mux(voice.encode())
    return path


def write_clip(folder: Path, name: ravdess.ClipName) -> None:
    """Write one clip as wav (03) and mp4 (01): pitch and colour tell its emotion."""
    folder.mkdir(parents=True, exist_ok=True)
    pitch = 150 * 2 ** (name.emotion / 2) * (1 + 0.01 * name.actor)
    sound = tone(pitch) + 0.02 * chirp(3.2, RATE, seed=hash(name) % 1000)
    colour = [(name.emotion * step) % 200 + name.repetition for step in (40, 90, 150)]
    soundfile.write(folder / f"{name.as_modality(3)}.wav", sound, RATE)
    write_mp4(folder / f"{name.as_modality(1)}.mp4", colour=colour, sound=sound)


def table(names: Sequence[ravdess.ClipName]) -> pd.DataFrame:
    """The table that `ravdess.index` would give for names whose media are not needed."""
    return pd.DataFrame(
        [
            {"clip": name.clip, **asdict(name), "sex": name.sex, "practice": True}
            for name in sorted(names, key=lambda name: (name.actor, name.clip))
        ]
    )


def store_of(
    clips: pd.DataFrame,
    mfcc: np.ndarray,
    pairs: np.ndarray | None,
    pairs_a_clip: int = 1,
    vectors: np.ndarray | None = None,
) -> features.FeatureStore:
    """A store in memory, with features that a test chose; more than two frames make a strip."""
    frames = 2 if pairs is None else pairs.shape[2] // pairs.shape[1]
    shown = "pairs" if frames == 2 else "frames"
    recipe = features.Recipe(
        sound="mean" if mfcc.ndim == 2 else "sequence",
        visual=shown if pairs is not None else "none" if vectors is None else "vector",
        frame_size=64 if pairs is None else pairs.shape[1],
        pair_limit=0.5 * (pairs_a_clip if frames == 2 else frames),
    )
    rows = 1 if vectors is not None else pairs_a_clip
    told = {"recipe": asdict(recipe), "recordings": "none", "corpus": "practice corpus"}
    store = features.FeatureStore(Path("in-memory"), told | {"versions": []})
    arrays = {"mfcc": mfcc.astype(np.float32)} | ({} if pairs is None else {"pairs": pairs})
    vars(store).update(clips=clips.assign(rows=rows), arrays=arrays, vectors=vectors)
    return store
