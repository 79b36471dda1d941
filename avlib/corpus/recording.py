"""A recording's sound as it is: from a wav file or a film to samples and their rate.

`avlib.features.audio` goes on from here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import av

FILMS = (".mp4", ".mov", ".m4v", ".m4a", ".webm", ".mkv", ".3gp", ".avi")  # others are sound files
RATES = range(4_000, 384_001)  # Hz, that a recording can have
LOUDEST = 10.0  # times full scale; a float file can hold anything, a recording cannot
SILENT = 1e-4  # of full scale: a recording that nowhere exceeds it (−80 dB) holds no voice
BLOCK_S = 60  # of sound that is read at once
APART_S = 0.05  # sound and picture of a film that begin so far apart are brought together

Block = tuple[np.ndarray, int]  # sound, and its rate in Hz


def load(path: str | Path) -> tuple[np.ndarray, int]:
    """Read the sound of a wav file or of an mp4 file as one channel, and its rate in Hz.

    (Of a flac, ogg or mp3 file or of another kind of film in `FILMS`, too.)

    The sound is ``(samples,)`` float32, full scale is 1; several channels are averaged. That of a
    film that begins later than its picture is silent till then, and what comes before the picture
    is left out: time 0 is that of the first frame, as in `video.frames_at`.

    Raises ``ValueError`` if the file cannot be read, has no sound, or holds no samples, samples
    that are no numbers or beyond any recording, a rate that no recording has, or channels that
    cancel each other.
    """
    return _whole(blocks(path))


def load_channels(path: str | Path) -> tuple[np.ndarray, int]:
    """As `load`, each channel for itself: ``(samples, channels)`` float32, and the rate."""
    return _whole(_blocks_of_channels(Path(path)))


def blocks(path: str | Path) -> Iterator[Block]:
    """What `load` returns, a piece at a time, so that hours of sound need little memory."""
    mixed = apart = 0.0
    for channels, rate in _blocks_of_channels(Path(path)):
        sound = channels[:, 0] if channels.shape[1] == 1 else channels.mean(axis=1)
        mixed, apart = max(mixed, _loudest(sound)), max(apart, _loudest(channels))
        yield sound, rate
    if mixed < SILENT <= apart:
        raise ValueError(
            f"{path}: its channels cancel each other out; keep one of them (`sox` or Audacity "
            "can), and use that"
        )


def _whole(pieces: Iterator[Block]) -> Block:
    sounds, rates = zip(*pieces, strict=True)
    return (sounds[0] if len(sounds) == 1 else np.concatenate(sounds)), rates[0]


def _blocks_of_channels(path: Path) -> Iterator[Block]:
    """``(samples, channels)`` and the rate; at least one block, or a `ValueError`."""
    film, empty = path.suffix.lower() in FILMS, True
    for channels, rate in _film_blocks(path) if film else _wav_blocks(path):
        if channels.shape[0] == 0:
            continue
        empty, loudest = False, _loudest(channels)
        if not loudest <= LOUDEST:  # NaN, too
            raise _damaged(
                path, f"holds samples of {loudest:g} times full scale, which is no sound"
            )
        yield channels, rate
    if empty:
        raise _damaged(path, "holds no sound samples")


def _damaged(path: Path, what: str) -> ValueError:
    return ValueError(f"{path}: {what}; get a whole copy of the file")


def _cut_short(path: Path, found: float, promised: float) -> ValueError:
    return _damaged(path, f"is cut short, {found:.2f} of {promised:.2f} s of sound are there")


def _loudest(sound: np.ndarray) -> float:
    """How far the samples reach from zero; without a copy of them all, as `abs` would make."""
    return float(max(sound.max(), -sound.min()))


def _require_rate(path: Path, rate: int) -> None:
    if rate not in RATES:
        possible = f"{RATES.start} to {RATES.stop - 1}"
        raise _damaged(
            path, f"says that it has {rate} samples a second, a recording has {possible}"
        )


def _wav_blocks(path: Path) -> Iterator[Block]:
    import soundfile

    try:
        # On Linux a name is bytes, which soundfile would read as UTF-8.
        with soundfile.SoundFile(path if os.name == "nt" else os.fsencode(path)) as file:
            _require_rate(path, file.samplerate)
            _require_whole(path)
            rate, found = file.samplerate, 0
            while len(part := file.read(BLOCK_S * rate, "float32", always_2d=True)):
                found += len(part)
                yield part, rate
            # An mp3 or flac says how much it holds; a pipe's largest number says nothing.
            if found + 0.1 * rate < file.frames < 2**62:
                raise _cut_short(path, found / rate, file.frames / rate)
    except soundfile.SoundFileRuntimeError as error:
        said = getattr(error, "error_string", error)
        raise _damaged(path, f"cannot be read as sound ({said})") from error


def _require_whole(path: Path) -> None:
    """Compare the lengths that a RIFF file promises with what is there; libsndfile does not.

    A program that writes into a pipe cannot know them, and writes the largest number or none.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        kind, promised = file.read(4), int.from_bytes(file.read(4), "little") + 8
        if kind != b"RIFF" or promised in (8, 0xFFFFFFFF + 8):
            return
        if promised > size:
            raise _damaged(path, f"is cut short, {size} of {promised} bytes are there")
        file.seek(12)
        while len(chunk := file.read(8)) == 8:
            end = file.tell() + int.from_bytes(chunk[4:], "little")
            if chunk[:4] == b"data" and end > promised:
                raise _damaged(
                    path, f"its sound should reach to byte {end}, and the file ends at {promised}"
                )
            file.seek(end + end % 2)


def _film_blocks(path: Path) -> Iterator[Block]:
    import av

    try:
        with av.open(path, metadata_errors="replace") as film:
            if not film.streams.audio:
                raise ValueError(
                    f"{path}: has no sound track; use one that has (of RAVDESS 01 or 03)"
                )
            stream = film.streams.best("audio")
            _require_rate(path, stream.rate or 0)
            late, found, gathered, rate = starts_late(film), 0, [], stream.rate
            for frame, rate in _planar(film, stream):  # which knows the rate better
                apart = round(late * rate) if abs(late) > APART_S else 0
                if not found and apart > 0:
                    gathered.append(np.zeros((apart, frame.shape[1]), np.float32))
                gathered.append(frame[max(0, -apart - found) :])
                found += len(frame)
                if sum(map(len, gathered)) >= BLOCK_S * rate:
                    yield np.concatenate(gathered), rate
                    gathered = []
            promised = float((stream.duration or 0) * stream.time_base)
    except av.FFmpegError as error:
        raise _damaged(path, f"its sound cannot be decoded ({error.strerror})") from error
    if found / rate < promised - 0.1:
        raise _cut_short(path, found / rate, promised)
    if gathered:
        yield np.concatenate(gathered), rate


def _planar(film: av.container.InputContainer, stream: av.audio.AudioStream) -> Iterator[Block]:
    """A film's sound as it is decoded, ``(samples, channels)`` float32, and its rate.

    Some kinds of film say how long they last, and do not say it of the sound: of these all packets
    are looked at, for the picture may be longer.
    """
    import av

    planar, last = av.AudioResampler(format="fltp"), 0.0
    for packet in film.demux():
        if packet.pts is not None:
            last = max(last, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        for frame in packet.decode() if packet.stream is stream else ():
            for block in planar.resample(frame):
                yield block.to_ndarray().T, block.sample_rate
    for block in planar.resample(None):  # what is still held back
        yield block.to_ndarray().T, block.sample_rate
    if stream.duration is None and film.duration and last < film.duration / av.time_base - 0.5:
        raise _cut_short(Path(film.name), last, film.duration / av.time_base)


def starts_late(container: av.container.InputContainer) -> float:
    """Seconds from the first frame of an open film's picture to its first sound.

    Less than 0 if the sound is first; 0 where there is no picture or no sound, or the film does not
    say when they begin.
    """
    streams = [container.streams.best(kind) for kind in ("audio", "video")]
    if any(stream is None or stream.start_time is None for stream in streams):
        return 0.0
    sound, picture = (float(stream.start_time * stream.time_base) for stream in streams)
    return sound - picture
