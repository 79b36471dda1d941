"""Anybody's predictions, read from a table and checked against the clips' names. Of no lesson."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from avlib import files
from avlib.corpus.ravdess import EMOTIONS, ClipName
from avlib.evaluation import metrics
from avlib.evaluation.metrics import CODES, LOG_COLUMNS

_CHANCES = [f"prob_{code}" for code in CODES]
_READ = {"clip", "label", "fold", *_CHANCES}
_ROUNDING = 8 * 0.005 + 1e-9  # how far eight numbers of two digits may add up beside 1
_CLIP_LENGTH = len("01-01-01-01-01-01")


def read(path: str | Path, labels_from: int = 1) -> pd.DataFrame:
    """Read anybody's table of predictions, as it was published; it comes back as `by_clip`.

    `path` is a text file with commas, semicolons or tabs and, in any order and with small or
    capital letters, the columns ``clip`` (a RAVDESS name), ``label`` (emotion code, or its word)
    and ``prob_1`` … ``prob_8``; optionally ``fold``, which is kept. Several rows about a clip are
    joined. It is read a block at a time: a million rows need no more memory than one block.
    `labels_from` is the code of *neutral*: RAVDESS counts from 1, many programs from 0. The
    table's ``attrs`` say how many ``rows`` were read, and in how many (``rounded``) probabilities
    rounded to two digits, say, did not add up to one and were scaled.

    Raises ValueError, which lists the lines, if it cannot be read as a table, a column is missing,
    a name is not RAVDESS, a label is no emotion or not that of the name, the probabilities of a row
    are no probabilities, or a clip stands in two folds.
    """
    path, faults, sums, folds, rows, rounded = Path(path), [], [], [], 0, 0
    for block in _blocks(path):
        chances = block[_CHANCES].to_numpy(float)
        actor, label = _against_names(block, labels_from, faults)
        total = chances.sum(axis=1)
        wrong = ~(np.abs(total - 1) <= _ROUNDING) | (chances < 0).any(axis=1)
        faults += [
            (line, f"probabilities should be 0 or more and add up to 1, and come to {come:.4g}")
            for line, come in zip(block.index[wrong], total[wrong], strict=True)
        ]
        if faults:
            continue  # to the end of the file: every faulty line is to be told
        rows, rounded = rows + len(block), rounded + int((np.abs(total - 1) > 1e-4).sum())
        logs = np.log(np.maximum(chances / total[:, None], np.finfo(float).tiny))
        known = pd.DataFrame(logs, columns=LOG_COLUMNS).assign(
            clip=block["clip"].astype(object).str[-_CLIP_LENGTH:].to_numpy(),
            actor=actor,
            label=label,
        )
        sums.append(known.assign(rows=1).groupby(["clip", "actor", "label"]).sum())
        if "fold" in block:
            folds.append(known[["clip"]].assign(fold=block["fold"].to_numpy()).drop_duplicates())
    if faults:
        shown = "; ".join(f"line {line}: {said}" for line, said in sorted(faults)[:3])
        more = f"; and {len(faults) - 3} lines more" if len(faults) > 3 else ""
        raise ValueError(f"{path}: {shown}{more}")
    if not rows:
        raise ValueError(f"{path}: holds no rows below its header")
    whole = pd.concat(sums).groupby(level=[0, 1, 2]).sum()
    joined = metrics.by_clip(whole[LOG_COLUMNS].div(whole["rows"], axis=0).reset_index())
    if folds:
        joined = _with_folds(joined, pd.concat(folds).drop_duplicates(), path)
    joined.attrs |= {"rows": rows, "rounded": rounded}
    return joined


def _blocks(path: Path) -> Iterator[pd.DataFrame]:
    """The rows of a table, a block at a time; the index is the line in the file."""
    mark, decimal, names = files.dialect(path)
    names = [name.lower() for name in names]
    missing = {"clip", "label", *_CHANCES} - set(names)
    if missing:
        raise ValueError(f"{path}: lacks the columns {', '.join(sorted(missing))}")
    line = 2
    try:
        for block in pd.read_csv(
            path, sep=mark, names=names, header=0, encoding="utf-8-sig", chunksize=50_000,
            dtype={"clip": "category", "label": "category"}, decimal=decimal,
            usecols=[name for name in names if name in _READ], skip_blank_lines=False,
        ):  # fmt: skip
            block.index = range(line, line + len(block))
            line += len(block)
            block = block[block.notna().any(axis=1)]  # an empty line, or one of commas alone
            for name in _CHANCES:
                block[name] = pd.to_numeric(block[name], errors="coerce")
            yield block
    except (ValueError, MemoryError, OverflowError) as error:
        raise ValueError(f"{path}: cannot be read as a table ({error})") from error


def _against_names(
    block: pd.DataFrame, labels_from: int, faults: list[tuple[int, str]]
) -> tuple[np.ndarray, np.ndarray]:
    """Actor and emotion code of each row, by its clip's name; what the labels say otherwise."""
    actor, emotion, unread = {}, {}, {}
    clip = block["clip"].astype(object).fillna("")
    for name in clip.unique():
        try:
            parsed = ClipName.parse(name if name.count("-") == 6 else f"01-{name}")
            actor[name], emotion[name] = parsed.actor, parsed.emotion
        except ValueError as error:
            unread[name] = str(error) if name else "the clip has no name"
    told = {label: _code(str(label), labels_from) for label in block["label"].unique()}
    truth, label = clip.map(emotion), block["label"].map(told).astype(float)
    for line in block.index[clip.isin(list(unread))]:
        faults.append((line, unread[clip[line]]))
    for line in block.index[truth.notna() & (label != truth)]:
        code = int(truth[line])
        faults.append((
            line, f"{clip[line]} is {EMOTIONS[code - 1]} ({code}), and its label says "
            f"{block['label'][line]} (labels that count from 0 need `--labels from-0`)",
        ))  # fmt: skip
    return clip.map(actor).to_numpy(), truth.to_numpy()


def _code(label: str, labels_from: int) -> float:
    """The emotion code that a label means: a word, 3 or 3.0; NaN if it means none."""
    word = label.strip().lower()
    if word in EMOTIONS:
        return EMOTIONS.index(word) + 1
    try:
        return float(word) + 1 - labels_from
    except ValueError:
        return np.nan


def _with_folds(joined: pd.DataFrame, folds: pd.DataFrame, path: Path) -> pd.DataFrame:
    for said, wrong in (
        ("has no fold", folds["fold"].isna()),
        ("stands in two folds", folds["clip"].duplicated()),
    ):
        if wrong.any():
            clips = ", ".join(folds.loc[wrong, "clip"].unique()[:3])
            raise ValueError(f"{path}: {wrong.sum()} clips: {clips} … {said}; mend the column")
    return joined.merge(folds, on="clip", validate="one_to_one")


def summarise(predictions: pd.DataFrame) -> dict[str, dict[str, float]]:
    """`metrics.summarise` of ``all`` and, where there are folds, of each of them.

    Beside them stands what always answering the other folds' most frequent emotion would give.
    """
    found = {"all": metrics.summarise(predictions)}
    if "fold" not in predictions:
        return found
    folds = dict(list(predictions.groupby("fold")))
    found |= {f"fold {name}": metrics.summarise(fold) for name, fold in folds.items()}
    if len(folds) > 1:
        others = {name: predictions.loc[predictions["fold"] != name, "label"] for name in folds}
        common = [metrics.majority(fold, others[name]) for name, fold in folds.items()]
        found["always the most frequent of the other folds"] = metrics.summarise(pd.concat(common))
    return found
