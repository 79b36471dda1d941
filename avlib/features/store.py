"""From a table of clips to a store of features: decode once, keep the result.

A `Recipe` holds every setting that changes a number. `build` turns a table of clips into a
`FeatureStore`: a folder of memory-mapped arrays with the recipe in its header.
Taught in notebooks/02-mfcc-and-frame-pairs.ipynb.
"""

from __future__ import annotations

import hashlib
import inspect
import io
import json
import os
import shutil
import warnings
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import delayed

from avlib import files, workers
from avlib.corpus import ravdess, recording, verify
from avlib.features import audio, video
from avlib.features.recipe import Recipe, clip_mfcc, clip_pairs

_HEADER = "header.json"
_FORMAT = 4
_FORM = {
    "format": int,
    "recipe": dict,
    "corpus": str,
    "recordings": str,
    "code": str,
    "left_out": dict,
    "digests": dict,
}
# What a recipe can need of a clip: what it is called, and what to do where it is not there.
_KINDS = {
    "sound": (
        "sound file",
        "add the wav files (modality 03) or the mp4 files with sound (01)",
    ),
    "picture": (
        "picture file",
        'build a store of sound alone with `--no-picture` (Recipe(visual="none"))',
    ),
    "vector": (
        "action units",
        "add them to the table that `--action-units` names (action_units.join), "
        "or leave these recordings out",
    ),
}
_CLIP_COLUMNS = [
    "clip",
    "emotion",
    "intensity",
    "statement",
    "repetition",
    "actor",
    "sex",
    "practice",
    "sound",
    "picture",
]


def build(
    clips: pd.DataFrame,
    recipe: Recipe,
    folder: str | Path,
    jobs: int | None = None,
    progress: bool = True,
    skip_faulty: bool = False,
) -> FeatureStore:
    """Compute the features of every clip and keep them in a folder.

    Every recording is checked before the work starts (see `verify.unusable`), so that a faulty
    one is known at once and not after an hour. Each clip's features are first written to a
    folder beside it, whose name carries a digest of what is computed and ends in ``.partial``;
    when all are there they are joined and the store appears under its name in one step. A run
    that was killed or met a full disk goes on where it stopped; two that do the same work at
    once, in two lessons say, end in one store. A store that is already there, of the same
    recordings, recipe and code, is opened as it is; to know that it is the same no recording is
    read, unless its size or time has changed. One that is damaged is built again.

    Parameters
    ----------
    clips : DataFrame
        What `ravdess.index` returns.
    recipe : Recipe
    folder : str or Path
        The store to write.
    jobs : int, optional
        Processes; one for each core by default. joblib's backend can send them elsewhere.
    progress : bool
        Show a bar.
    skip_faulty : bool
        Leave out clips that cannot be used, and keep them with the reasons in the store's
        header, instead of raising an error that lists them.

    Returns
    -------
    FeatureStore

    Raises
    ------
    ValueError
        If clips lack the sound, picture or action units that the recipe asks for, or files are
        faulty.
    FileExistsError
        If the folder holds something else, or a store of other recordings or another recipe.
    OSError
        If the disk is full or the folder cannot be written.
    """
    folder = Path(folder)
    if not folder.name or folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise FileExistsError(f"{folder}: name a new folder for the feature store")
    header = {
        "format": _FORMAT,
        "recipe": asdict(recipe),
        "corpus": ravdess.corpus(clips),
        **content(clips, recipe, jobs, progress),
    }
    # Another set of recordings, or another recipe, works in another folder.
    partial = folder.with_name(f"{folder.name}.{files.digest(header)[:12]}.partial")
    if folder.exists() and (store := _open_same(folder, header)):
        _remove(partial, header)  # of a run that was killed at its very end
        _accept(store.header["left_out"], clips, skip_faulty)
        return store
    left_out = _faulty(clips, recipe, jobs, progress)
    _accept(left_out, clips, skip_faulty)
    try:
        _prepare(partial, header)
        tasks = [
            delayed(_write_clip)(partial, row["clip"], row["sound"], row["picture"], recipe)
            for row in clips.to_dict("records")
            if row["clip"] not in left_out and not _is_whole(partial, row["clip"])
        ]
        written = workers.results(tasks, jobs, "features", "clip", progress)
        left_out |= dict(filter(None, written))
        _accept(left_out, clips, skip_faulty)
        whole = clips[~clips["clip"].isin(left_out)]
        joined = partial / f"joined.{os.getpid()}"
        _join(partial, joined, whole, header | {"left_out": dict(sorted(left_out.items()))})
        joined.rename(folder)
    except OSError as error:
        if isinstance(error, FileExistsError):  # a folder that is not ours
            raise
        if not folder.exists():  # else another run of the same work was faster, and tidied up
            raise OSError(
                error.errno,
                f"{folder}: could not be written ({error.strerror or error}); nothing is lost, "
                f"{files.remedy(error)} and run the same command again (what is done so far lies "
                f"in {partial.name})",
            ) from error
    _remove(partial, header)
    # Another run may have been faster under this name, perhaps with other recordings.
    return _open_same(folder, header) or FeatureStore.open(folder)


def _require_media(clips: pd.DataFrame, recipe: Recipe) -> None:
    needed = recipe.media + ["vector"] * (recipe.visual == "vector")
    for column in needed:
        lacking = clips["clip"]
        if column in clips:
            lacking = clips.loc[clips[column].isna(), "clip"]
        if len(lacking):
            raise ValueError(
                f"{len(lacking)} of {len(clips)} clips have no {_KINDS[column][0]} "
                f"({', '.join(lacking[:3])}{', …' if len(lacking) > 3 else ''}); "
                f"{_KINDS[column][1]}"
            )


def _faulty(
    clips: pd.DataFrame, recipe: Recipe, jobs: int | None, progress: bool
) -> dict[str, str]:
    """Clips that the recipe cannot be followed for, and why."""
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
    if not left_out or (skip_faulty and len(left_out) < len(clips)):
        return
    listed = "\n".join(f"  {reason}" for _, reason in sorted(left_out.items()))
    remedy = (
        "none is left"
        if skip_faulty
        else "mend or remove these files, or leave the clips out with `--skip-faulty` "
        "(build(…, skip_faulty=True))"
    )
    raise ValueError(f"{len(left_out)} of {len(clips)} clips cannot be used:\n{listed}\n{remedy}")


def content(
    clips: pd.DataFrame, recipe: Recipe, jobs: int | None = None, progress: bool = True
) -> dict[str, str]:
    """What the features of a set of clips follow from: the recordings' bytes, and the code.

    Parameters
    ----------
    clips : DataFrame
        What `ravdess.index` returned.
    recipe : Recipe
    jobs : int, optional
        Processes; one for each processor by default.
    progress : bool
        Show a bar where files have to be read: their checksums are remembered beside them.

    Returns
    -------
    dict of str
        ``recordings``, a fingerprint of the clips' names and files, wherever these lie, and of the
        action units where the recipe takes them; and
        ``code``, one of the functions that make features of them.

    Raises
    ------
    ValueError
        If clips lack the sound, picture or action units that the recipe asks for.
    """
    _require_media(clips, recipe)
    columns = recipe.media
    files = [Path(path) for column in columns for path in clips[column]]
    digests = verify.digests(files, jobs, progress)
    rows = clips[["clip", *columns]].itertuples(index=False)
    named = [[name, *(digests[Path(path)] for path in paths)] for name, *paths in rows]
    if recipe.visual == "vector":
        named.append(hashlib.sha256(np.stack(clips["vector"]).tobytes()).hexdigest())
    code = "".join(map(inspect.getsource, (recording, audio, video, clip_mfcc, clip_pairs)))
    return {"recordings": _fingerprint(json.dumps(named)), "code": _fingerprint(code)}


def _fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _open_same(folder: Path, header: dict[str, object]) -> FeatureStore | None:
    """The store that is there already; None where it was ours and damaged, and is gone now."""
    if not (folder / _HEADER).is_file():
        raise FileExistsError(
            f"{folder}: is there already and is no feature store; name another folder"
        )
    kept = _header(folder, Recipe(**header["recipe"]))
    if kept["recordings"] != header["recordings"]:
        raise FileExistsError(
            f"{folder}: was built from other recordings (or they have changed since); "
            "remove the folder, or write the store to another one"
        )
    if kept["code"] != header["code"]:
        raise FileExistsError(
            f"{folder}: was built by another version of avlib, whose numbers may differ; "
            "remove the folder, or write the store to another one"
        )
    try:
        return FeatureStore.open(folder)
    except files.DamagedError as error:
        warnings.warn(f"{error}; it is built again", stacklevel=3)
        for name in (*kept["digests"], _HEADER):  # the header last: it is our mark
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()
        return None


def _header(folder: Path, recipe: Recipe | None) -> dict[str, object]:
    """The header of a finished store, if this avlib wrote it, and by this recipe."""
    try:
        header = files.unseal(folder / _HEADER, _FORM)
    except files.DamagedError as error:
        raise files.DamagedError(
            f"{error}; it is no feature store of this version of avlib, or a damaged one: remove "
            "the folder, or name another one"
        ) from error
    if header["format"] != _FORMAT:
        raise FileExistsError(
            f"{folder}: was built by another version of avlib, in another form; "
            "remove the folder, or write the store to another one"
        )
    if recipe is not None and header["recipe"] != asdict(recipe):
        found, wanted = header["recipe"], asdict(recipe)
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


def _foreign(partial: Path, header: dict[str, object]) -> list[str]:
    """Names in a folder that are not from this very work; our mark is its sealed header."""

    def is_ours(path: Path) -> bool:
        if path.name == _HEADER:
            with suppress(FileNotFoundError, files.DamagedError):
                return files.unseal(path, {}) == header
        return path.name.startswith((".", "joined.")) or path.suffix == ".part"

    if not partial.exists():
        return []
    # Another run of the same work may tidy up at this moment.
    return [path.name for path in partial.iterdir() if not is_ours(path) and path.exists()]


def _prepare(partial: Path, header: dict[str, object]) -> None:
    """Make the partial folder, or keep one that an interrupted run of the same work left."""
    if foreign := _foreign(partial, header):
        raise FileExistsError(
            f"{partial}: holds {foreign[0]}, which avlib did not write; move that folder away"
        )
    partial.mkdir(parents=True, exist_ok=True)
    files.seal(partial / _HEADER, header)


def _remove(partial: Path, header: dict[str, object]) -> None:
    if not _foreign(partial, header):
        shutil.rmtree(partial, ignore_errors=True)


def _write_clip(
    partial: Path, clip: str, sound: Path, picture: Path | None, recipe: Recipe
) -> tuple[str, str] | None:
    """Keep a clip's features; return the clip and the reason if it cannot be used."""
    try:
        arrays = {"mfcc": clip_mfcc(sound, recipe)}
        if recipe.visual == "pairs":
            arrays["pairs"] = clip_pairs(picture, recipe)
    except ValueError as error:  # too short for the recipe, say
        return clip, str(error)
    body = io.BytesIO()
    np.savez(body, **arrays)
    fresh = partial / f".{clip}.{os.getpid()}"
    fresh.write_bytes(_part_digest(clip, body.getvalue()) + body.getvalue())
    fresh.replace(partial / f"{clip}.part")
    return None


def _part_digest(clip: str, body: bytes) -> bytes:
    """What a part begins with: it tells a damaged part, and one of another clip."""
    return hashlib.sha256(clip.encode() + body).digest()


def _is_whole(partial: Path, clip: str) -> bool:
    try:
        content = (partial / f"{clip}.part").read_bytes()
    except FileNotFoundError:
        return False
    return content[:32] == _part_digest(clip, content[32:])


def _join(partial: Path, joined: Path, clips: pd.DataFrame, header: dict[str, object]) -> None:
    """Copy every clip's arrays into one array each, without holding them all in memory."""
    shutil.rmtree(joined, ignore_errors=True)
    joined.mkdir()
    parts = [partial / f"{clip}.part" for clip in clips["clip"]]
    shape = _read(parts[0], "mfcc").shape
    _join_array(joined / "mfcc.npy", parts, "mfcc", (len(parts), *shape))
    if header["recipe"]["visual"] == "vector":
        np.save(joined / "vectors.npy", np.stack(clips["vector"]))
    if header["recipe"]["visual"] == "pairs":
        counts = [len(_read(part, "pairs")) for part in parts]
        shape = _read(parts[0], "pairs").shape[1:]
        _join_array(joined / "pairs.npy", parts, "pairs", (sum(counts), *shape))
        np.save(joined / "clip_of_pair.npy", np.repeat(np.arange(len(parts)), counts))
    table = clips[_CLIP_COLUMNS].copy()
    for column in ("sound", "picture"):
        table[column] = [None if path is None else Path(path).name for path in table[column]]
    table.to_csv(joined / "clips.csv", index=False)
    digests = {path.name: _digest_of(path) for path in sorted(joined.iterdir())}
    files.seal(joined / _HEADER, header | {"digests": digests})


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(part: Path, name: str) -> np.ndarray:
    with part.open("rb") as file:
        file.seek(32)  # past its digest
        with np.load(io.BytesIO(file.read())) as arrays:
            return arrays[name]


def _join_array(path: Path, parts: list[Path], name: str, shape: tuple[int, ...]) -> None:
    """Write one array of many parts, a part at a time.

    An ordinary file, not a memory map: writing to a map on a full disk ends the process.
    """
    kind = _read(parts[0], name).dtype.str
    layout = {"descr": kind, "fortran_order": False, "shape": shape}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, layout)
        for part in parts:
            file.write(_read(part, name).tobytes())


@dataclass(frozen=True)
class FeatureStore:
    """The features of a set of clips, memory-mapped from a folder.

    Attributes
    ----------
    folder : Path
    header : dict
        ``recipe``, ``recordings`` and ``code`` (see `content`), ``corpus``, ``format``,
        ``digests`` (of the files) and ``left_out`` (clips that could not be used, and why).
    clips : DataFrame
        One row a clip, as `ravdess.index`; ``sound`` and ``picture`` are file names.
    mfcc : ndarray, shape (clips, 40) or (clips, 40, frames), float32
    pairs : ndarray, shape (pairs, 64, 128, 3), uint8, or None
        RGB frame pairs, clip after clip; None in a store of sound alone.
    clip_of_pair : ndarray, shape (pairs,), int64, or None
        The row in `clips` that each pair was cut from.
    vectors : ndarray, shape (clips, action units), float32, or None
        In place of frame pairs, in a store of a recipe with ``visual="vector"``.
    """

    folder: Path
    header: dict[str, object]
    clips: pd.DataFrame
    mfcc: np.ndarray
    pairs: np.ndarray | None
    clip_of_pair: np.ndarray | None
    vectors: np.ndarray | None = None

    @classmethod
    def open(cls, folder: str | Path, recipe: Recipe | None = None) -> FeatureStore:
        """Open a finished store: its files are compared with their digests, and mapped.

        Parameters
        ----------
        folder : str or Path
        recipe : Recipe, optional
            What the caller needs the store to be built with.

        Returns
        -------
        FeatureStore

        Raises
        ------
        FileNotFoundError
            If there is no finished store.
        FileExistsError
            If the store was built with another recipe, or by a version that wrote it otherwise.
        files.DamagedError
            If a file of it is not as it was written.
        """
        folder = Path(folder)
        if not (folder / _HEADER).is_file():
            raise FileNotFoundError(
                f"{folder}: no finished feature store; build one with "
                f"`python -m avlib features DATA --out {folder}`"
            )
        header = _header(folder, recipe)
        for name, digest in header["digests"].items():
            if not (folder / name).is_file() or _digest_of(folder / name) != digest:
                raise files.DamagedError(
                    f"{folder / name}: is not as avlib wrote it (a damaged disk?); remove the "
                    "folder and build the store again"
                )
        visual = header["recipe"]["visual"]
        return cls(
            folder,
            header,
            pd.read_csv(folder / "clips.csv"),
            np.load(folder / "mfcc.npy", mmap_mode="r"),
            np.load(folder / "pairs.npy", mmap_mode="r") if visual == "pairs" else None,
            np.load(folder / "clip_of_pair.npy") if visual == "pairs" else None,
            np.load(folder / "vectors.npy") if visual == "vector" else None,
        )

    @property
    def recipe(self) -> Recipe:
        """The recipe that the store was built with."""
        return Recipe(**self.header["recipe"])

    @property
    def image_shape(self) -> tuple[int, ...] | None:
        """``(64, 128, 3)`` of a frame pair, ``(35,)`` of a vector; None in a store of sound."""
        seen = self.vectors if self.pairs is None else self.pairs
        return None if seen is None else seen.shape[1:]

    @property
    def corpus(self) -> str:
        """What the recordings are: ``"practice corpus"`` or ``"RAVDESS"``."""
        return self.header["corpus"]

    @cached_property
    def rows(self) -> pd.DataFrame:
        """What a network is trained on, one row each: a frame pair with its clip's codes.

        The paper duplicates recordings so that images and recordings are one to one. In a store of
        sound alone each clip has as many rows as it would have pairs, so that a network hears it
        as often; in a store of vectors, of which a clip has one, it has one row. The columns are
        those of `clips` and ``clip_number``, the row in `clips`.
        """
        numbers = self.clip_of_pair
        if numbers is None:
            times = self.recipe.pairs_a_clip if self.vectors is None else 1
            numbers = np.repeat(np.arange(len(self.clips)), times)
        return self.clips.iloc[numbers].reset_index(drop=True).assign(clip_number=numbers)
