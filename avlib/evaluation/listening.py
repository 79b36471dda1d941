"""What the recogniser hears in any recording: stretches of voice, and eight probabilities for each.

A recording goes the same way as in training: `recording.blocks`, `functionals.compute`. Hours go
through a block at a time, twice: once for the pauses, once for the voice between them.
Of no lesson yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from joblib import delayed
from tqdm.auto import tqdm

from avlib import files, workers
from avlib.corpus import recording
from avlib.corpus.ravdess import EMOTIONS
from avlib.corpus.recording import Block
from avlib.evaluation import ladder, recogniser
from avlib.features import faces, functionals
from avlib.learning.fusion import LateFusion

LONGEST = 6.0  # s; up to this a recording is one performance, as each one in training was
PAUSE = 0.4  # s of silence, between which a longer recording is cut
SHORTEST = 0.3  # s of sound; what is shorter is no sentence
FRAMES = 100  # a second, in which pauses are sought
STANDS_OUT = 0.4  # the probability from which on an emotion is named
SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", *recording.FILMS)
FEWEST = 2  # stretches of a speaker that are of use; by one alone nothing is gained
INTERRUPTED = "interrupted; run it again for the rest"


@dataclass(frozen=True)
class Stretch:
    """A stretch of voice in a recording."""

    start: float  # s
    end: float  # s
    functionals: np.ndarray  # (functionals,)
    face: np.ndarray | None = None  # as `ladder.seen`; None where nobody looked, or saw none


@dataclass(frozen=True)
class Judgement:
    """What a recogniser makes of one file."""

    file: str
    probabilities: dict[str, float]  # of the whole, by emotion
    segments: list[dict[str, object]]  # ``start`` and ``end`` (s) and ``probabilities`` of each
    notes: list[str] = field(default_factory=list)  # what else is to be known, in sentences
    worth: str = ""  # how often such a judgement is right, in one sentence

    @property
    def emotion(self) -> str:
        """The likeliest emotion."""
        return max(self.probabilities, key=self.probabilities.get)

    @property
    def stands_out(self) -> bool:
        """Whether it is likely enough to be named."""
        return self.probabilities[self.emotion] >= STANDS_OUT

    def sentence(self) -> str:
        """The three likeliest, and an honest word where none stands out."""
        likeliest = sorted(self.probabilities, key=self.probabilities.get, reverse=True)[:3]
        said = ", ".join(f"{name} {self.probabilities[name]:.2f}" for name in likeliest)
        return said if self.stands_out else f"no emotion stands out ({said})"

    def as_json(self) -> dict[str, object]:
        """As ``predict --json`` lists it."""
        return {
            "file": self.file,
            "probabilities": self.probabilities,
            "emotion": self.emotion,
            "segments": self.segments,
            "notes": self.notes,
        }


def stretches(sound: np.ndarray, rate: int) -> list[Stretch]:
    """Cut a sound at its pauses, and compute the functionals of each stretch that holds a voice.

    `sound` is ``(samples,)`` float32 at `rate` Hz. One of up to `LONGEST` seconds is one stretch.
    Raises ValueError if no stretch holds a voice, with what is wrong where there is one alone.
    """
    return list(_stretches(lambda: iter([(sound, rate)])))


def _stretches(read: Callable[[], Iterator[Block]]) -> Iterator[Stretch]:
    """As `stretches`, one after the other, of what `read` reads from its beginning each time."""
    level, seconds = _levels(read())
    if seconds <= LONGEST:
        pieces = list(read())
        sound = pieces[0][0] if len(pieces) == 1 else np.concatenate([s for s, _ in pieces])
        yield Stretch(0.0, seconds, functionals.compute(sound, pieces[0][1]))
        return
    found, spans = 0, _sounding(level)
    for (start, end), (cut, rate) in zip(spans, _cuts(read(), spans), strict=True):
        try:
            yield Stretch(start, end, functionals.compute(cut, rate))
            found += 1
        except ValueError:  # a cough, a door
            continue
    if not found:
        raise ValueError("holds no voice (silence, noise, music?); use a recording of speech")


def loudness(blocks: Iterable[Block]) -> np.ndarray:
    """How loud a recording is in each hundredth of a second, in dB of full scale."""
    return _levels(blocks)[0]


def _levels(blocks: Iterable[Block]) -> tuple[np.ndarray, float]:
    """As `loudness`, and how many seconds the recording has."""
    found, rest, samples, rate, done = [], np.zeros(0, np.float32), 0, 1, 0
    for sound, rate in blocks:
        begin, joined = samples - len(rest), np.concatenate([rest, sound])
        samples += len(sound)
        # Hundredths of a second begin where they do, whole samples or not: hours must not drift.
        edges = np.arange(done, samples * FRAMES // rate + 1) * rate // FRAMES - begin
        done += len(edges) - 1
        power = np.square(joined[: edges[-1]], dtype=np.float64)
        if len(edges) > 1:
            mean = np.add.reduceat(power, edges[:-1]) / np.diff(edges)
            found.append(10 * np.log10(mean + 1e-10))
        rest = joined[edges[-1] :]
    return np.concatenate(found or [np.zeros(0)]), samples / rate


def _sounding(level: np.ndarray) -> list[tuple[float, float]]:
    """Where a recording is louder than silence: start and end in seconds, between pauses."""
    quiet = np.percentile(level, 10)
    # Rooms are never silent: what lies a third of the way from the quietest to the loudest counts.
    on = np.flatnonzero(level > quiet + (level.max() - quiet) / 3)
    if not len(on):
        raise ValueError("holds nothing but silence; is the microphone on?")
    breaks = np.flatnonzero(np.diff(on) / FRAMES > PAUSE)
    begins, ends = on[np.r_[0, breaks + 1]], on[np.r_[breaks, len(on) - 1]]
    pieces = []
    for begin, end in zip(begins / FRAMES, (ends + 1) / FRAMES, strict=True):
        parts = int(np.ceil((end - begin) / LONGEST))  # who speaks without a pause is cut evenly
        edges = np.linspace(begin, end, parts + 1)
        pieces += [(a, b) for a, b in pairwise(edges) if b - a >= SHORTEST]
    return [(float(a), float(b)) for a, b in pieces]


def _cuts(blocks: Iterator[Block], spans: Iterable[tuple[float, float]]) -> Iterator[Block]:
    """Each stretch with half a pause around it; no more of the sound is held than that needs."""
    held, begin, rate = np.zeros(0, np.float32), 0, 0
    for start, end in spans:
        while not rate or begin + len(held) < round((end + PAUSE / 2) * rate):
            sound, rate = next(blocks, (None, rate))
            if sound is None:
                break
            behind = max(0, min(round((start - PAUSE / 2) * rate) - begin, len(held)))
            held, begin = np.concatenate([held[behind:], sound]), begin + behind
        first = max(0, round((start - PAUSE / 2) * rate) - begin)
        yield held[first : round((end + PAUSE / 2) * rate) - begin], rate


@dataclass(frozen=True)
class Recogniser:
    """What judges: a fusion, and what it was trained on."""

    model: LateFusion
    header: Mapping[str, object]

    @classmethod
    def load(cls, weights: Path | None = None) -> Recogniser:
        """The one for any voice that comes with avlib; or one that you trained on films.

        Raises ValueError if the file holds none, or one that asks for action units.
        """
        if weights is None:
            return _shipped()
        found = cls(*recogniser.read(weights))
        if found.sees and found.header["recipe"]["visual"] != "pairs":
            raise ValueError(
                f"{weights}: asks for a face's action units, which films do not hold; train one on "
                "films, by `python -m avlib run ladder --weights DIR`"
            )
        return found

    @property
    def sees(self) -> bool:
        """Whether it was trained on faces, too."""
        return "face" in self.model.normalisations

    def judge(
        self,
        file: str,
        found: Sequence[Stretch],
        known: Sequence[Stretch] = (),
        notes: Sequence[str] = (),
    ) -> Judgement:
        """One judgement for each stretch, and one for all of them, weighted by how long they last.

        `known` are stretches of the same speaker, of any emotion, by which they are normalised. A
        stretch has no part in what is known for its own judgement, as in the table of what that is
        worth; and two are the fewest that are of use.
        """
        rows, logs, fewest = self._rows(known), [], len(known)
        place = {each.functionals.tobytes(): number for number, each in enumerate(known)}
        for each in found:
            own = place.get(each.functionals.tobytes())
            others = rows if own is None else [np.delete(part, own, axis=0) for part in rows]
            fewest = min(fewest, len(others[0]))
            given = self._named(others) if len(others[0]) >= FEWEST else None
            logs.append(self.model.log_posteriors(self._named(self._rows([each])), given)[0])
        whole = np.average(logs, axis=0, weights=[each.end - each.start for each in found])
        segments = [
            {"start": each.start, "end": each.end, "probabilities": _by_emotion(own)}
            for each, own in zip(found, logs, strict=True)
        ]
        worth = self.worth(fewest if fewest >= FEWEST else 0)
        return Judgement(file, _by_emotion(whole), segments, list(notes), worth)

    def _rows(self, stretches: Sequence[Stretch]) -> list[np.ndarray]:
        """What the model asks of each stretch: functionals and face, NaN where none was seen."""
        columns, unseen = recogniser.columns(self.header["functionals"]), np.full(512, np.nan)
        sound = [each.functionals[columns] for each in stretches]
        face = [unseen if each.face is None else each.face for each in stretches]
        return [np.array(sound).reshape(-1, len(columns)), np.array(face).reshape(-1, 512)]

    def _named(self, rows: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """The same by modality, without the faces that were not seen."""
        sound, face = rows
        face = face[~np.isnan(face[:, 0])]
        return {"sound": sound, "face": face} if self.sees and len(face) else {"sound": sound}

    def worth(self, known: int = 0) -> str:
        """How often it is right about people of whom it knows so many clips, in a sentence."""
        header = self.header
        clips = {60 if row["speaker_clips"] == "all" else row["speaker_clips"]: row
                 for row in header["rows"] if row["speaker_clips"] != "neutral"}  # fmt: skip
        count = max(each for each in clips if each <= known)
        row = clips[count]
        some = f"{count} clip{'s' * (count > 1)}"
        who = f"of whom it knew {some}, without labels" if count else "it had never heard"
        given = "sound and picture" if self.sees else "sound alone"
        return (
            f"Trained on {header['measured_on']}, {header['clips']} clips of "
            f"{len(header['actors'])} actors, {given}. It was right on "
            f"{100 * row['accuracy']:.0f} % ({100 * row['low']:.0f} to {100 * row['high']:.0f}) of "
            f"clips of actors {who}; chance is 12.5 %. Acted emotion is not felt emotion: do not "
            "judge people by this."
        )


@lru_cache(maxsize=1)
def _shipped() -> Recogniser:
    """The one for any voice, read once: widgets ask it several times a second."""
    return Recogniser(*recogniser.load("own-voice"))


def _by_emotion(logs: np.ndarray) -> dict[str, float]:
    """Probabilities by emotion; they sum to one."""
    shares = np.exp(logs - logs.max())
    return dict(zip(EMOTIONS, (shares / shares.sum()).tolist(), strict=True))


@dataclass
class Listened:
    """What became of each file: its stretches of voice, notes, or why there are none."""

    found: dict[Path, list[Stretch]] = field(default_factory=dict)
    notes: dict[Path, list[str]] = field(default_factory=dict)
    failed: dict[Path, str] = field(default_factory=dict)
    interrupted: bool = False


def listen(
    paths: Sequence[Path], sees: bool = False, jobs: int | None = None, progress: bool = True
) -> Listened:
    """Find the voices in files, by `jobs` processes; with `sees`, the faces of films, too.

    A file that cannot be heard is in `Listened.failed`, with the reason. Ctrl-C ends it, and keeps
    what was found; of a single file the stretches until then.
    """
    done = Listened()
    if len(paths) == 1:
        results: Iterable = [_listen(paths[0], sees, progress)]
    else:
        tasks = [delayed(_listen)(path, sees) for path in paths]
        results = workers.results(tasks, jobs, "listening", "file", progress, ordered=True)
    try:
        for path, (found, notes, failure) in zip(paths, results, strict=True):
            if failure:
                done.failed[path] = failure
            if found:
                done.found[path], done.notes[path] = found, notes
    except KeyboardInterrupt:
        done.interrupted = True
    done.interrupted = done.interrupted or INTERRUPTED in done.failed.values()
    return done


def _listen(
    path: Path, sees: bool, progress: bool = False
) -> tuple[list[Stretch], list[str], str | None]:
    """The stretches of one file, what is to be known of it, and what went wrong."""
    found: list[Stretch] = []
    bar = tqdm(desc="listening", unit="s", disable=not progress, bar_format=_SECONDS)
    try:
        with bar:
            for stretch in _stretches(lambda: recording.blocks(path)):
                found.append(stretch)
                bar.update(round(stretch.end) - bar.n)
        if not sees:
            return found, [], None
        return *_with_faces(path, found), None
    except KeyboardInterrupt:
        return found, [], INTERRUPTED
    except (ValueError, OSError) as error:
        return [], [], str(error).removeprefix(f"{path}: ")


_SECONDS = "{desc}: {n} s of sound heard after {elapsed} s"


def _with_faces(path: Path, found: Sequence[Stretch]) -> tuple[list[Stretch], list[str]]:
    """The stretches with the face that is seen in each; and what is to be said of that."""
    counts, spans = faces.Counts(), [(each.start, each.end) for each in found]
    try:
        seen = [
            replace(each, face=ladder.seen(pairs).mean(axis=0) if len(pairs) else None)
            for each, pairs in zip(found, faces.pairs(path, spans, counts), strict=True)
        ]
    except ValueError as error:
        why = str(error).removeprefix(f"{path}: ").partition(";")[0]
        return list(found), [f"{why}: the voice was judged alone"]
    notes = [str(counts)]
    if any(each.face is None for each in seen):
        notes.append("a face was not seen in every stretch: the voice was judged alone")
    return seen, notes


def predict(
    paths: Sequence[Path],
    same_speaker: bool = False,
    weights: Path | None = None,
    known: Sequence[Stretch] = (),
    jobs: int | None = None,
    progress: bool = True,
) -> tuple[list[Judgement], Listened]:
    """What a recogniser hears in each file, and what became of the files.

    The shipped one, or that of the file `weights`. With `same_speaker` all files are by one
    person, and set the normalisation together; with `known`, as of `Recogniser.judge`, these do,
    too; without, each file is by a stranger.
    """
    voice = Recogniser.load()
    chosen = Recogniser.load(weights) if weights else voice
    done = listen(paths, chosen.sees, jobs, progress)
    if same_speaker:
        known = [*known, *(each for found in done.found.values() for each in found)]
    heard = []
    for path, found in done.found.items():
        judge = chosen if not chosen.sees or all(s.face is not None for s in found) else voice
        heard.append(judge.judge(str(path), found, known, done.notes[path]))
    return heard, done


def files_in(paths: Iterable[Path]) -> list[Path]:
    """The sound files and films that are meant: files as they are, of folders what lies in them.

    Raises FileNotFoundError for a path that is not there, ValueError for a folder without any.
    """
    listed: list[Path] = []
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"{path}: is not there; name a sound file, a film or a folder")
        if not path.is_dir():
            listed.append(path)
            continue
        inside = [
            each
            for each in files.below(path)
            if each.suffix.lower() in SUFFIXES and not each.name.startswith(".")
        ]
        if not inside:
            raise ValueError(f"{path}: holds no sound file and no film ({', '.join(SUFFIXES)})")
        listed += inside
    once: dict[Path, Path] = {}
    for path in listed:
        once.setdefault(path.resolve(), path)
    return list(once.values())


def summary(heard: Sequence[Judgement]) -> str:
    """In how many files each emotion stands out."""
    named = [each.emotion if each.stands_out else "none stands out" for each in heard]
    counts = ((name, named.count(name)) for name in (*EMOTIONS, "none stands out"))
    return ", ".join(f"{name} {count}" for name, count in counts if count)
