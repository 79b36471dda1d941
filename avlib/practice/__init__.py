"""The practice corpus: RAVDESS-named media files that a computer draws and speaks.

RAVDESS may not be shipped, so the lessons run on a corpus that behaves like it: a drawn face
and a synthetic voice perform each clip as strongly, as variedly and with as much of the
actor's own manner as 1440 real clips measure.

Source of the statistics: Livingstone & Russo 2018, doi:10.1371/journal.pone.0196391.
"""

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import product
from pathlib import Path

import lazy_loader
from joblib import delayed

from avlib import files, workers
from avlib.corpus import manifest
from avlib.corpus.ravdess import ACTORS, PRACTICE_MARK, ClipName, speech_names
from avlib.practice import performance

__getattr__, __dir__, _ = lazy_loader.attach(__name__, ["face", "media", "movement", "voice"])

VERSION = 5  # of the corpus: another number, other bytes
_SOURCE = "practice corpus"
_STALE_S = 3600  # no file takes so long to write: its run was killed

_TEXT = """\
SYNTHETIC. These are not RAVDESS recordings, and nobody was recorded.

avlib drew the faces and eSpeak NG spoke the words, to practise on. The files are named as in
RAVDESS, and how each clip is performed was drawn from statistics of its 1440 speech clips:
Livingstone & Russo 2018, doi:10.1371/journal.pone.0196391. Accuracies measured here say
nothing about RAVDESS, and less about people.

corpus version: {version}
seed: {seed}
actors: {actors}
"""


def write(
    folder: str | Path,
    actors: int = 16,
    seed: int = 0,
    jobs: int | None = None,
    progress: bool = True,
    whole: bool = False,
    modalities: Sequence[int] = (1, 3),
    names: Iterable[ClipName] | None = None,
) -> Path:
    """Write a practice corpus, or what is missing of one; returns its folder.

    Each clip of `actors` 1 to that number (at most 24) becomes ``Actor_NN/01-….mp4`` and
    ``Actor_NN/03-….wav``: the 30 clips an actor of `half`, all 60 of RAVDESS where `whole`, or
    these speech clips `names`, whatever their modality. Files that are there already stay, so a
    run that was stopped goes on where it was; two runs may share a folder. The same `seed` (zero
    or more) on the same machine gives the same bytes. `jobs` is the number of processes, one for
    each processor where None; `progress` shows a bar that tells how long is left.

    `modalities` are the files that a clip gets: 1 sound and picture (mp4), 2 the same picture
    without sound (mp4), 3 the same sound alone (wav). For 2 alone no voice is needed: where
    eSpeak NG cannot be loaded, the mouth moves to a rhythm instead of the words.

    Raises ValueError if an argument is out of range, or the corpus there has another seed or
    version; FileExistsError if the folder holds RAVDESS-named media that are not a practice
    corpus; OSError, naming the file, if one cannot be written; RuntimeError if a voice is needed
    and eSpeak NG cannot be loaded.
    """
    folder = Path(folder)
    modalities = tuple(sorted(set(modalities)))
    if not modalities or not set(modalities) <= {1, 2, 3}:
        raise ValueError(f"modalities: should be some of 1, 2 and 3, got {modalities}")
    if not 1 <= actors <= ACTORS:
        raise ValueError(f"actors: should be 1 to {ACTORS}, got {actors}")
    if names is None:
        names = (speech_names if whole else half)(range(1, actors + 1))
    wanted = list(dict.fromkeys(name.as_modality(1) for name in names))
    missing = [name for name in wanted if not _is_written(folder, name, modalities)]
    heard = performance.draw(missing, seed).to_dict("records")
    seen = performance.draw(missing, seed, seen=True).to_dict("records")
    _claim(folder, seed, {name.actor for name in wanted})
    tasks = [
        delayed(_write_clip)(folder, *clip, seed, modalities)
        for clip in zip(missing, heard, seen, strict=True)
    ]
    for _ in workers.results(tasks, jobs, "practice corpus", "clip", progress):
        pass
    known, fresh, entries = manifest.read(folder), set(missing), {}
    for name, modality in product(wanted, modalities):
        path = _path(folder, name, modality)
        file = path.relative_to(folder).as_posix()
        if file not in known or name in fresh:
            entries[file] = manifest.Entry(path.stat().st_size, manifest.crc32(path), _SOURCE)
    manifest.add(folder, entries)
    return folder


def first() -> list[ClipName]:
    """A clip of every manner by actor 1: what lesson 00 shows before the others are written."""
    manners = {(name.emotion, name.intensity): name for name in reversed(half([1]))}
    return sorted(manners.values())


def half(actors: Iterable[int]) -> list[ClipName]:
    """Half of the actors' speech clips, 30 an actor: every manner with one sentence, twice.

    To meet strangers, a network needs many actors more than it needs many clips of each. So the
    lessons' corpus takes thirty clips of sixteen actors, not sixty of eight. Among two men, or
    two women, every manner comes with both sentences; of one actor and emotion, the two
    intensities do.
    """
    return [
        name
        for name in speech_names(actors)
        if ((name.actor - 1) // 2 + name.emotion + name.intensity + name.statement) % 2 == 0
    ]


def is_practice(folder: str | Path) -> bool:
    """Whether a folder is a practice corpus: whether it says so in ``SYNTHETIC.txt``."""
    return (Path(folder) / PRACTICE_MARK).is_file()


def seed_of(folder: str | Path) -> int:
    """The seed that a practice corpus was drawn with; ValueError if the folder is none."""
    if not is_practice(folder):
        raise ValueError(
            f"{folder}: is no practice corpus (no {PRACTICE_MARK}); "
            f"write one with `python -m avlib practice --out {folder}`"
        )
    return int(_read_mark(Path(folder) / PRACTICE_MARK)["seed"])


def _path(folder: Path, name: ClipName, modality: int) -> Path:
    kind = "wav" if modality == 3 else "mp4"
    return folder / f"Actor_{name.actor:02d}" / f"{name.as_modality(modality)}.{kind}"


def _is_written(folder: Path, name: ClipName, modalities: Iterable[int]) -> bool:
    return all(_path(folder, name, modality).exists() for modality in modalities)


def _write_clip(
    folder: Path,
    name: ClipName,
    heard: Mapping[str, float],
    seen: Mapping[str, float],
    seed: int,
    modalities: tuple[int, ...],
) -> None:
    if _is_written(folder, name, modalities):  # by a run beside this one, which came first
        return
    from avlib.practice import face, media, voice  # seconds, which the calling process is spared

    try:
        sound = voice.speak(name, heard, seed)
    except RuntimeError:
        if modalities != (2,):
            raise
        sound = voice.murmur(name, heard, seed)
    contents = {3: media.wav(sound)} if 3 in modalities else {}
    films = [modality for modality in modalities if modality != 3]
    pictures = list(face.frames(name, seen, seed, sound)) if films else []
    for modality in films:
        contents[modality] = media.mp4(pictures, sound if modality == 1 else None)
    for modality, content in contents.items():
        files.save(_path(folder, name, modality), content)


def _claim(folder: Path, seed: int, actors: set[int]) -> None:
    """Mark a folder as this corpus, after making sure that nothing else lies there."""
    mark = folder / PRACTICE_MARK
    if mark.exists():
        actors = actors | _check_mark(mark, seed)
    else:
        _refuse_recordings(folder)
    listed = " ".join(map(str, sorted(actors)))
    text = _TEXT.format(version=VERSION, seed=seed, actors=listed).encode()
    if not mark.exists() or mark.read_bytes() != text:
        files.save(mark, text)
    # What a killed run left behind goes, but nothing that a run beside this one writes.
    for part in folder.glob("**/.*.part"):
        with suppress(FileNotFoundError):  # its run has just finished it
            if time.time() - part.stat().st_mtime > _STALE_S:
                part.unlink()


def _check_mark(mark: Path, seed: int) -> set[int]:
    """The actors that a mark names, if its corpus is the one asked for."""
    lines = _read_mark(mark)
    there = lines.get("seed", ""), lines.get("corpus version", "")
    if there != (str(seed), str(VERSION)):
        raise ValueError(
            f"{mark.parent}: holds a practice corpus of seed {there[0] or '?'} and version "
            f"{there[1] or '?'}, not of seed {seed} and version {VERSION}; "
            "remove that folder or name another"
        )
    return {int(actor) for actor in lines.get("actors", "").split()}


def _read_mark(mark: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z ]+): ([\d ]*)$", mark.read_text("utf-8"), re.MULTILINE))


def _refuse_recordings(folder: Path) -> None:
    for path in folder.rglob("*"):
        try:
            ClipName.parse(path)
        except ValueError:
            continue
        if path.suffix.lower() in (".wav", ".mp4"):
            raise FileExistsError(
                f"{folder}: holds recordings that are not a practice corpus ({path.name}); "
                "name another folder, so that the two never mix"
            )
