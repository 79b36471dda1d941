"""Networks on disk: safetensors, whose header is plain JSON; nothing is unpickled.

Taught in notebooks/04-the-fusion-network.ipynb.
"""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as as_bytes
from torch import Tensor

from avlib import files


def save(path: str | Path, tensors: dict[str, Tensor], header: dict[str, object]) -> None:
    """Write tensors and what is to be known of them, whole or not at all.

    Parameters
    ----------
    path : str or Path
    tensors : dict of Tensor
        A network's ``state_dict()``, for instance.
    header : dict
        Of plain values, as JSON holds them.

    Raises
    ------
    OSError
        If it cannot be written; names the file.

    Notes
    -----
    Taught in lesson 04.
    """
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    files.save(Path(path), as_bytes(whole, {"avlib": json.dumps(header)}))


def load(path: str | Path) -> tuple[dict[str, Tensor], dict[str, object]]:
    """Read what `save` wrote.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    dict of Tensor
        On the processor.
    dict
        The header.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is damaged or was written by something else.

    Notes
    -----
    Taught in lesson 04.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        with safe_open(path, "pt") as file:
            header = json.loads(file.metadata()["avlib"])
            return {name: file.get_tensor(name) for name in file.keys()}, header  # noqa: SIM118
    except (SafetensorError, TypeError, KeyError, ValueError) as error:
        raise ValueError(
            f"{path}: cannot be read as weights of this course ({error}); remove the file"
        ) from error
