"""A live widget: the learner's own microphone and camera, and what the recogniser makes of them.

The page (``live.js``) records and draws; here is what the kernel does. `Session` answers the page's
messages and knows no browser, `Live` is the widget around it. Runs on ipywidgets 7.7 and 8.
Taught in notebooks/10-your-own-voice-and-face.ipynb.
"""

from __future__ import annotations

import html
import io
import tempfile
from collections.abc import Sequence
from pathlib import Path

import anywidget
import numpy as np
import pandas as pd
import soundfile
import traitlets

from avlib import course, files
from avlib.corpus import ravdess, recording
from avlib.corpus.ravdess import EMOTIONS
from avlib.evaluation import listening, plots
from avlib.features import audio, faces, functionals
from avlib.features.functionals import RATE

WINDOW = 3.0  # s of sound that are judged at once
LEAST = 1.0  # s; a window that has only begun is not judged
LARGEST = 10_000_000  # bytes of a file that is loaded
COLUMNS = 600  # of the spectrogram that the page gets; a long file's is thinned out
DEPTH = 60.0  # dB under the loudest that the spectrogram shows
FACE = 64  # pixels: the side of the face that a network would get
Answer = tuple[dict[str, object], list[bytes]]  # what the page gets: plain values, and buffers


def judge(sound: np.ndarray, rate: int) -> dict[str, object]:
    """What ``python -m avlib predict`` says of the same sound, ``(samples,)`` float32.

    ``probabilities`` by emotion (None if there is no voice), what is ``said`` of them, and
    ``segments`` with ``start``, ``end`` (s) and ``probabilities``.
    """
    try:
        found = listening.stretches(sound, rate)
    except ValueError as error:
        return {"probabilities": None, "said": f"The sound {error}.", "segments": []}
    heard = listening.Recogniser.load().judge("live", found)
    return {
        "probabilities": heard.probabilities,
        "said": heard.sentence(),
        "segments": heard.segments,
    }


def spectrogram(sound: np.ndarray) -> tuple[np.ndarray, float]:
    """The mel spectrogram that is judged of a sound at `RATE`, ``(64, frames)`` uint8, and its s.

    Trimmed, and at one loudness. 255 is the loudest, 0 is `DEPTH` dB under it or less. At most
    `COLUMNS` frames; of silence none.
    """
    try:
        start, end = functionals.trim(sound)
    except ValueError:
        return np.zeros((functionals.BANDS, 0), np.uint8), 0.0
    sound = sound[start:end]
    mel = functionals.spectra(sound * (functionals.EVEN / np.sqrt(np.mean(np.square(sound)))))[1]
    mel = mel[:, :: -(-mel.shape[1] // COLUMNS)]
    grey = np.round(255 * np.clip(1 + (mel - mel.max()) / DEPTH, 0, 1)).astype(np.uint8)
    return grey, len(sound) / RATE


def face_in(jpeg: bytes) -> tuple[str, np.ndarray | None]:
    """What is said of the faces in a picture, and the largest, ``(64, 64, 3)`` uint8, if any."""
    import cv2

    found = np.frombuffer(jpeg, np.uint8)
    frame = cv2.imdecode(found, cv2.IMREAD_COLOR) if found.size else None
    if frame is None:
        raise ValueError("the camera's picture cannot be decoded; untick the camera")
    frame = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
    boxes = faces.find(frame)
    if not len(boxes):
        return "No face is found; look into the camera, with the light in front of you.", None
    more = f"{len(boxes)} faces are found; this is the largest." if len(boxes) > 1 else ""
    return more or "One face is found.", faces.crop(frame, boxes[0], FACE)


class Window:
    """The last `WINDOW` seconds of a sound that comes in pieces."""

    def __init__(self) -> None:
        self.begin(RATE)

    def begin(self, rate: int) -> None:
        """Forget what was; what comes now has `rate` Hz."""
        self.rate, self.sound = rate, np.zeros(0, np.float32)

    def add(self, samples: np.ndarray) -> None:
        """Take what came; the oldest falls out."""
        self.sound = np.concatenate([self.sound, samples])[-round(WINDOW * self.rate) :]


class Session:
    """The kernel's side of one widget: answers the page's messages; nothing here is a browser.

    `clips` (see `ravdess.index`) can be played as if live, `folder` takes what is kept.
    """

    def __init__(self, clips: pd.DataFrame | None, folder: Path) -> None:
        self.clips = None if clips is None else clips[clips["sound"].notna()]
        self.folder = folder
        self.window = Window()
        self._played = 0

    def answer(self, message: object, buffers: Sequence[bytes]) -> Answer:
        """Answer one message; of one that cannot be answered, the sentence that says why."""
        ways = {"sound": self._sound, "file": self._file, "keep": self._keep, "clip": self._clip}
        try:
            kind = message.get("kind") if isinstance(message, dict) else None
            if not isinstance(kind, str) or kind not in ways:
                raise ValueError(f"the page sent {message!r:.60}, which is no message; reload it")
            return ways[kind](message, buffers)
        except (ValueError, OSError) as error:
            return {"refused": str(error)}, []

    def _sound(self, message: dict[str, object], buffers: Sequence[bytes]) -> Answer:
        """The samples since the last message and, with a camera, its picture now."""
        rate = message.get("rate")
        if not isinstance(rate, int) or rate not in recording.RATES:
            raise ValueError(f"the page sent sound of {rate!r:.20} Hz; reload it")
        if len(buffers) not in (1, 2) or len(buffers[0]) % 4:
            raise ValueError("the page sent sound that is no row of float32; reload it")
        samples = np.frombuffer(buffers[0], np.float32)
        if not np.abs(samples).max(initial=0) <= recording.LOUDEST:  # NaN, too
            raise ValueError("the page sent samples that are no sound; reload it")
        if message.get("begin") or rate != self.window.rate:
            self.window.begin(rate)
        self.window.add(samples)
        seen = face_in(bytes(buffers[1])) if len(buffers) == 2 else None
        if len(self.window.sound) < LEAST * rate:
            said = f"Heard {len(self.window.sound) / rate:.1f} s; {LEAST:.0f} s are needed."
            judged = {"probabilities": None, "said": said, "segments": []}
            return self._judged(np.zeros(0, np.float32), judged, seen)
        sound = audio.resample(self.window.sound, rate, RATE)
        return self._judged(sound, judge(sound, RATE), seen)

    def _judged(
        self,
        sound: np.ndarray,
        judged: dict[str, object],
        seen: tuple[str, np.ndarray | None] | None = None,
    ) -> Answer:
        (mel, heard), (said, crop) = spectrogram(sound), seen or (None, None)
        pictures = [mel.tobytes()] + ([] if crop is None else [crop.tobytes()])
        return judged | {"columns": mel.shape[1], "heard": heard, "face": said}, pictures

    def _file(self, message: dict[str, object], buffers: Sequence[bytes]) -> Answer:
        """A file's own bytes, judged as a whole and by its stretches."""
        name = Path(str(message.get("name"))).name
        if len(buffers) != 1 or not buffers[0]:
            raise ValueError(f"{name}: is empty; choose another file")
        if len(buffers[0]) > LARGEST:
            raise ValueError(
                f"{name}: has {len(buffers[0]) / 1e6:.1f} MB, and at most {LARGEST / 1e6:.0f} MB "
                "are taken; cut it, or save it as mp3 or flac"
            )
        suffix = Path(name).suffix.lower()
        if suffix not in listening.SUFFIXES:
            raise ValueError(f"{name}: is none of {', '.join(listening.SUFFIXES)}")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"file{suffix}"
            path.write_bytes(buffers[0])
            try:
                sound, rate = recording.load(path)
            except ValueError as error:
                raise ValueError(str(error).replace(str(path), name)) from error
        self.window.begin(rate)  # what is kept is never mistaken for the file
        return self._judged(audio.resample(sound, rate, RATE), judge(sound, rate))

    def _keep(self, message: dict[str, object], buffers: Sequence[bytes]) -> Answer:
        """Write the window, as it was heard last, as a wav file that has a new name."""
        if not len(self.window.sound):
            raise ValueError("nothing is recorded yet; press “microphone” first")
        numbers = range(1, 2 + len(list(self.folder.glob("recording-*.wav"))))
        names = (self.folder / f"recording-{number:02d}.wav" for number in numbers)
        path = next(name for name in names if not name.exists())
        files.save(path, _wav(self.window.sound, self.window.rate))
        seconds = len(self.window.sound) / self.window.rate
        return {"said": f"Kept the last {seconds:.1f} s: {path}"}, []

    def _clip(self, message: dict[str, object], buffers: Sequence[bytes]) -> Answer:
        """Another clip of the corpus: its samples as int16, its rate, and what it is in words."""
        if self.clips is None or self.clips.empty:
            raise ValueError("there are no clips to play; use the microphone or a file")
        order = np.random.default_rng(0).permutation(len(self.clips))
        clip = self.clips.iloc[order[self._played % len(order)]]
        self._played += 1
        sound, rate = recording.load(clip["sound"])
        said = f"actor {clip.actor:02d}, {EMOTIONS[clip.emotion - 1]}"
        said += f", {ravdess.INTENSITIES[clip.intensity - 1]} ({ravdess.corpus(self.clips)})"
        samples = np.round(32768 * np.clip(sound, -1, 32767 / 32768)).astype("<i2")
        return {"rate": rate, "said": said}, [samples.tobytes()]


def _wav(sound: np.ndarray, rate: int) -> bytes:
    written = io.BytesIO()
    soundfile.write(written, np.clip(sound, -1, 1), rate, format="WAV", subtype="PCM_16")
    return written.getvalue()


class _Page(anywidget.AnyWidget):
    """What runs in the browser; all of its script is one module there."""

    _esm = "".join(
        Path(__file__).with_name(name).read_text("utf-8")
        for name in ("live_devices.js", "live_board.js", "live.js")
    )
    _css = Path(__file__).with_name("live.css").read_text("utf-8")
    settings = traitlets.Dict().tag(sync=True)


class Live:
    """Microphone, camera or file in the page; eight bars, the spectrogram, the face.

    Everything is computed in the kernel that the cell runs in. `clips` (see `ravdess.index`) adds
    a button that plays clips of a corpus as if live; `folder` takes what the learner keeps, and
    is ``own`` in the data folder if none is named. A page without a kernel shows a sentence.
    """

    def __init__(self, clips: pd.DataFrame | None = None, folder: Path | None = None) -> None:
        place = course.data_folder() / "own" if folder is None else Path(folder)
        self.session = Session(clips, place)
        # The first judgement takes seconds, for what it imports and compiles: better now than live.
        judge(np.sign(np.sin(np.arange(RATE) / 20)).astype(np.float32), RATE)
        self.page = _Page(
            settings={
                "emotions": list(EMOTIONS),
                "colours": list(plots.OKABE_ITO),
                "seconds": WINDOW,
                "largest": LARGEST,
                "bands": functionals.BANDS,
                "face": FACE,
                "clips": clips is not None,
                "suffixes": ",".join(listening.SUFFIXES),
            }
        )
        self.page.on_msg(self._reply)

    def _reply(self, page: _Page, message: object, buffers: Sequence[bytes]) -> None:
        try:
            said, pictures = self.session.answer(message, buffers)
        except Exception as error:  # the page shows it, and waits no longer
            said, pictures = {"refused": f"{type(error).__name__}: {error}"}, []
        number = message.get("id") if isinstance(message, dict) else None
        page.send(said | {"id": number}, pictures)

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, object], dict[str, object]]:
        bundle = self.page._repr_mimebundle_()
        shown, about = bundle if isinstance(bundle, tuple) else (bundle, {})
        said = (
            "Here your own microphone and camera come into the lesson, live. They need a kernel: "
            "run the cell in JupyterLab or on Colab."
        )
        return {**shown, "text/html": f"<p>{html.escape(said)}</p>", "text/plain": said}, about
