"""From a table of clips to their features: decode once, keep the result.

A clip's features are one small file, whose name is a digest of all that they follow from; `build`
makes the files that are missing. A `FeatureStore` is a table of clips and a view on their files.
Taught in notebooks/02-mfcc-and-frame-pairs.ipynb.
"""

from __future__ import annotations

import hashlib
import os
import re
import warnings
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd
import safetensors.numpy
from joblib import delayed

from avlib import files, workers
from avlib.corpus import ravdess, verify
from avlib.features import functionals
from avlib.features.recipe import Recipe, clip_features

_HEADER = "header.json"  # with the table of clips: one file changes in one step, two would not
_FORM = {
    "recipe": dict, "corpus": str, "recordings": str, "versions": list, "left_out": dict,
    "clips": list,
}  # fmt: skip
_CODES = ["clip", "emotion", "intensity", "statement", "repetition", "actor", "sex", "practice"]
_LACKING = {
    "sound": "sound file ({}); add the wav files (modality 03) or the mp4 files with sound (01)",
    "picture": "picture file ({}); build a store of sound alone with `--no-picture` "
    '(Recipe(visual="none"))',
    "vector": "action units ({}); add them to the table that `--action-units` names "
    "(action_units.join), or leave these recordings out",
}
# What decides numbers beside recordings and recipe; told where it differs from today's.
_VERSIONS = (
    f"revision {Recipe.revision}, PyAV {av.__version__}, librosa {version('librosa')}, "
    f"NumPy {np.__version__}, OpenCV {cv2.__version__}, SciPy {version('scipy')}"
)


def build(
    clips: pd.DataFrame,
    recipe: Recipe,
    folder: str | Path,
    jobs: int | None = None,
    progress: bool = True,
    skip_faulty: bool = False,
) -> FeatureStore:
    """Compute the features of those clips that `folder` does not hold yet, and open the store.

    `clips` is what `ravdess.index` (and `action_units.join`) returned; `jobs` processes work, one
    for each core by default, and joblib's backend can send them elsewhere. A recording is read
    again only if its size or time has changed. It is checked before the work starts (see
    `verify.unusable`), so that a faulty one is known at once and not after an hour; `skip_faulty`
    leaves such clips out, and the store's header says why. Each file is written whole or not at
    all: a run that was killed goes on where it stopped, and two at once do no harm. A damaged file
    is told (`UserWarning`) and made again.

    Raises `ValueError` naming all clips that lack what the recipe asks for or cannot be used;
    `FileExistsError` if the folder holds something else, or features by another recipe; `OSError`
    if it cannot be written.
    """
    folder = Path(folder)
    kept = _kept(folder, recipe)
    _require_media(clips, recipe)
    table, recordings = _table(clips, recipe, jobs, progress)
    done = _done(folder, table, recipe)
    missing = clips[~clips["clip"].isin(done)]
    left_out = _faulty(missing, recipe, jobs, progress)
    _accept(left_out, clips, skip_faulty)
    tasks = [
        delayed(_make)(folder, table[clip]["key"], clip, sound, picture, recipe)
        for clip, sound, picture in missing[["clip", "sound", "picture"]].itertuples(index=False)
        if clip not in left_out
    ]
    try:
        left_out |= filter(None, workers.results(tasks, jobs, "features", "clip", progress))
        _accept(left_out, clips, skip_faulty)
        new = [clip for clip in missing["clip"] if clip not in left_out]
        done |= {clip: _facts(folder, table[clip]["key"], recipe) for clip in new}
        header = {
            "recipe": asdict(recipe),
            "corpus": ravdess.corpus(clips),
            "recordings": recordings,
            "versions": sorted({versions for _, versions in done.values()}),
            "left_out": dict(sorted(left_out.items())),
            "clips": [
                entry | {"rows": done[clip][0]} for clip, entry in table.items() if clip in done
            ],
        }
        if header != kept:
            files.seal(folder / _HEADER, header)
    except OSError as error:
        raise OSError(
            error.errno,
            f"{folder}: could not be written ({error.strerror or error}); nothing is lost, "
            f"{files.remedy(error)} and run the same command again",
        ) from error
    return FeatureStore(folder, header)


def _kept(folder: Path, recipe: Recipe) -> dict[str, object] | None:
    """The header that is there already; None where no build into this folder has ended."""
    if (folder / _HEADER).is_file():
        return _header(folder, recipe)
    # What a killed run left: hidden files, and folders with files of clips.
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else ["no folder"]
    ours = all(re.fullmatch(r"\..*|[0-9a-f]{2}", name) for name in names)
    if not folder.name or (os.path.lexists(folder) and not ours):
        raise FileExistsError(
            f"{folder}: is there already and is no feature store; name another folder"
        )
    return None


def _header(folder: Path, recipe: Recipe | None) -> dict[str, object]:
    """The header of a store with its table, if this avlib wrote it, and by this recipe."""
    try:
        header = files.unseal(folder / _HEADER, _FORM)
    except files.DamagedError as error:
        raise files.DamagedError(
            f"{error}; it is no feature store of this version of avlib, or a damaged one: name "
            "another folder, or remove this file and build again (the clips' own files are kept)"
        ) from error
    found = header["recipe"]
    wanted = found if recipe is None else asdict(recipe)
    if found != wanted:
        differing = ", ".join(
            f"{setting} is {found.get(setting)!r} and {value!r} was asked for"
            for setting, value in wanted.items()
            if found.get(setting) != value
        )
        raise FileExistsError(
            f"{folder}: was built with another recipe: {differing}. "
            "Name another folder, or remove this one and build again"
        )
    return header


def _require_media(clips: pd.DataFrame, recipe: Recipe) -> None:
    for column in recipe.media + ["vector"] * (recipe.visual == "vector"):
        lacking = clips.loc[clips.reindex(columns=[column])[column].isna(), "clip"]
        if len(lacking):
            some = ", ".join(lacking[:3]) + (", …" if len(lacking) > 3 else "")
            raise ValueError(
                f"{len(lacking)} of {len(clips)} clips have no {_LACKING[column].format(some)}"
            )


def _table(
    clips: pd.DataFrame, recipe: Recipe, jobs: int | None, progress: bool
) -> tuple[dict[str, dict[str, object]], str]:
    """Of each clip what the header keeps, and a fingerprint of all recordings together.

    The ``key`` that its file is named by holds whatever decides a number: the recordings' bytes,
    wherever they lie, the recipe and its revision.
    """
    paths = [Path(path) for column in recipe.media for path in clips[column]]
    digests = verify.digests(paths, jobs, progress)
    table, named = {}, []
    for row in clips.to_dict("records"):
        # A file that cannot be read has no digest, and shall share its features with none.
        media = [digests[Path(row[column])] or str(row[column]) for column in recipe.media]
        names = {column: row[column] and Path(row[column]).name for column in ("sound", "picture")}
        key = files.digest([asdict(recipe), recipe.revision, *media])
        vector = {"vector": row["vector"].tolist()} if recipe.visual == "vector" else {}
        codes = {code: row[code] for code in _CODES}
        table[row["clip"]] = codes | names | {"key": key} | vector
        named.append([row["clip"], *media, *vector.values()])
    return table, files.digest(named)


def _faulty(
    clips: pd.DataFrame, recipe: Recipe, jobs: int | None, progress: bool
) -> dict[str, str]:
    """Clips that the recipe cannot be followed for, and why."""
    if clips.empty:
        return {}
    columns = recipe.media
    needed = {Path(path): column == "sound" for column in columns[::-1] for path in clips[column]}
    found = verify.unusable(needed, jobs, progress)
    return {
        row["clip"]: f"{row[column]}: {found[Path(row[column])]}"
        for row in clips.to_dict("records")
        for column in columns
        if Path(row[column]) in found
    }


def _accept(left_out: dict[str, str], clips: pd.DataFrame, skip_faulty: bool) -> None:
    """Go on without the clips that are left out, or list every one of them."""
    if left_out and not (skip_faulty and len(left_out) < len(clips)):
        listed = "".join(f"  {reason}\n" for _, reason in sorted(left_out.items()))
        remedy = "mend or remove these files, or leave the clips out with `--skip-faulty`"
        remedy = "none is left" if skip_faulty else f"{remedy} (build(…, skip_faulty=True))"
        raise ValueError(f"{len(left_out)} of {len(clips)} clips cannot be used:\n{listed}{remedy}")


def _make(
    folder: Path, key: str, clip: str, sound: Path, picture: Path | None, recipe: Recipe
) -> tuple[str, str] | None:
    """Keep a clip's features; return the clip and the reason if it cannot be used."""
    try:
        arrays = clip_features(sound, picture, recipe)
    except ValueError as error:  # too short for the recipe, say
        return clip, str(error)
    arrays["versions"] = np.frombuffer(_VERSIONS.encode(), np.uint8)
    # A slice of a larger array would be written wrongly, without a word.
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    body = safetensors.numpy.save(whole)
    files.save(_place(folder, key), _seal(key, body) + body)
    return None


def _place(folder: Path, key: str) -> Path:
    return folder / key[:2] / f"{key}.clip"


def _seal(key: str, body: bytes) -> bytes:
    """What a clip's file begins with: it tells a damaged one, and one of another clip."""
    digest = hashlib.sha256(body)
    digest.update(key.encode())
    return digest.digest()


def _read(folder: Path, key: str) -> dict[str, np.ndarray]:
    """What `_make` kept, with the versions that made it: the one door to a clip's file."""
    path, kept, body = _place(folder, key), b"", b""
    if path.is_file():
        with path.open("rb") as file:
            kept, body = file.read(32), file.read()
    if kept != _seal(key, body):
        raise files.DamagedError(
            f"{path}: is gone or not as avlib wrote it (a damaged disk?); `build` makes it again"
        )
    return safetensors.numpy.load(body)


def _facts(folder: Path, key: str, recipe: Recipe) -> tuple[int, str]:
    """Of a clip that has its file: how many rows, and the versions that made its features."""
    arrays = _read(folder, key)
    counted = {"none": recipe.pairs_a_clip, "vector": 1}
    rows = len(arrays["pairs"]) if recipe.has_pictures else counted[recipe.visual]
    return rows, arrays["versions"].tobytes().decode()


def _done(
    folder: Path, table: dict[str, dict[str, object]], recipe: Recipe
) -> dict[str, tuple[int, str]]:
    """The facts of each clip whose file is there and whole."""
    found = {}
    for clip, entry in table.items():
        if _place(folder, entry["key"]).exists():
            try:
                found[clip] = _facts(folder, entry["key"], recipe)
            except files.DamagedError as error:
                warnings.warn(str(error), stacklevel=3)
    return found


@dataclass(frozen=True)
class FeatureStore:
    """A table of clips and a view on the files that hold their features.

    Cheap to hand to another process: files are read at first use, and compared with their digests;
    `files.DamagedError` names one that is gone or was changed. A warning tells of other versions.
    """

    folder: Path
    header: dict[str, object]  # recipe, corpus, recordings, versions, left_out with reasons, clips

    def __post_init__(self) -> None:
        made = {each for versions in self.header["versions"] for each in versions.split(", ")}
        if others := sorted(made - set(_VERSIONS.split(", "))):
            warnings.warn(
                f"{self.folder}: holds features by {', '.join(others)}; here is {_VERSIONS}. "
                "Numbers may differ a little; remove the folder to have all made anew",
                stacklevel=4,
            )

    def __getstate__(self) -> dict[str, object]:
        return {"folder": self.folder.absolute(), "header": self.header}

    @classmethod
    def open(cls, folder: str | Path, recipe: Recipe | None = None) -> FeatureStore:
        """Open what the last `build` into this folder returned.

        Raises `FileNotFoundError` if there is no finished store, `FileExistsError` if it was built
        by another `recipe` than the caller needs, and `files.DamagedError` if its header was
        changed or is of another version of avlib.
        """
        folder = Path(folder)
        if not (folder / _HEADER).is_file():
            raise FileNotFoundError(
                f"{folder}: no finished feature store; build one with "
                f"`python -m avlib features DATA --out {folder}`"
            )
        return cls(folder, _header(folder, recipe))

    @cached_property
    def clips(self) -> pd.DataFrame:
        """The table of `ravdess.index`, with names for paths, and each clip's key and rows."""
        return pd.DataFrame(self.header["clips"])

    @cached_property
    def rows(self) -> pd.DataFrame:
        """What a network is trained on, one row each: a frame pair with its clip's codes.

        The paper duplicates recordings so that images and recordings are one to one. In a store of
        sound alone each clip has as many rows as it would have pairs, so that a network hears it
        as often; in a store of strips or of vectors, of which a clip has one, it has one row. The
        columns are those of `clips` and ``clip_number``, the row in `clips`.
        """
        numbers = np.repeat(np.arange(len(self.clips)), self.clips["rows"])
        return self.clips.iloc[numbers].reset_index(drop=True).assign(clip_number=numbers)

    @cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        """What the clips' files hold, joined in the order of the table; read-only."""
        heard = "voice" if self.recipe.sound == "voice" else "mfcc"
        joined = {heard: np.empty(self.shapes[heard], np.float32)}
        if self.recipe.has_pictures:
            joined["pairs"] = np.empty(self.shapes["pairs"], np.uint8)
        end = 0
        for number, (key, rows) in enumerate(self.clips[["key", "rows"]].itertuples(index=False)):
            found, end = _read(self.folder, key), end + rows
            joined[heard][number] = found[heard]
            if "pairs" in joined:
                joined["pairs"][end - rows : end] = found["pairs"]
        for array in joined.values():
            array.flags.writeable = False
        return joined

    @property
    def mfcc(self) -> np.ndarray:
        """``(clips, 40)`` or ``(clips, 40, frames)``, float32; no store of voices has them.

        By the recipe ``spectrogram`` a log-mel spectrogram, ``(clips, 64, frames)``, in dB.
        """
        if self.recipe.sound == "voice":
            raise ValueError(
                f"{self.folder}: holds functionals of the voice, and these networks take MFCCs; "
                "use the recipe `paper` or `sequence`, or `run ladder`"
            )
        return self.arrays["mfcc"]

    @property
    def voice(self) -> np.ndarray | None:
        """``(clips, functionals)`` float32, as `functionals.described` lists them; or None."""
        return self.arrays.get("voice")

    @property
    def pairs(self) -> np.ndarray | None:
        """``(pairs, 64, 128, 3)`` uint8, RGB, clip after clip; None where there are none.

        By a recipe of ``frames``, ``(clips, 64, 384, 3)``: six frames of each clip side by side.
        """
        return self.arrays.get("pairs")

    @property
    def clip_of_pair(self) -> np.ndarray | None:
        """``(pairs,)`` int64: the row in `clips` that each pair was cut from; or None."""
        return self.rows["clip_number"].to_numpy() if self.recipe.has_pictures else None

    @cached_property
    def vectors(self) -> np.ndarray | None:
        """``(clips, action units)`` float32, by a recipe with ``visual="vector"``; else None."""
        if self.recipe.visual != "vector":
            return None
        return np.array(self.clips["vector"].tolist(), np.float32)

    @property
    def shapes(self) -> dict[str, tuple[int, ...] | None]:
        """The shapes of `mfcc`, `voice`, `pairs` and `vectors`, which no file need be read for."""
        recipe, size = self.recipe, self.recipe.frame_size
        frames = () if recipe.sound == "mean" else (recipe.sequence_frames,)
        width, spoken = recipe.frames_side_by_side * size, recipe.sound == "voice"
        return {
            "mfcc": None if spoken else (len(self.clips), recipe.coefficients, *frames),
            "voice": (len(self.clips), len(functionals.described())) if spoken else None,
            "pairs": (len(self.rows), size, width, 3) if recipe.has_pictures else None,
            "vectors": None if self.vectors is None else self.vectors.shape,
        }

    @property
    def image_shape(self) -> tuple[int, ...] | None:
        """``(64, 128, 3)`` of a frame pair, ``(35,)`` of a vector; None in a store of sound."""
        seen = self.shapes["pairs"] or self.shapes["vectors"]
        return None if seen is None else seen[1:]

    @property
    def recipe(self) -> Recipe:
        """The recipe that the features were made by."""
        return Recipe(**self.header["recipe"])

    @property
    def corpus(self) -> str:
        """What the recordings are: ``"practice corpus"`` or ``"RAVDESS"``."""
        return self.header["corpus"]
