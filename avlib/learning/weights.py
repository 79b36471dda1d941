"""Networks on disk: safetensors, whose header is plain JSON; nothing is unpickled."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch
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
    """
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    told = json.dumps(header)
    files.save(Path(path), as_bytes(whole, {"avlib": told, "digest": _digest(whole, told)}))


def _digest(tensors: dict[str, Tensor], header: str) -> str:
    found = hashlib.sha256(header.encode())
    for name, tensor in sorted(tensors.items()):
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return found.hexdigest()


def load(path: str | Path, sealed: bool = True) -> tuple[dict[str, Tensor], dict[str, object]]:
    """Read what `save` wrote.

    Parameters
    ----------
    path : str or Path
    sealed : bool
        Whether the file must carry the digest that `save` writes. Networks that came with earlier
        versions carry one of the weights alone, which who loads them checks.

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
    files.DamagedError
        If it is damaged or was written by something else.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        with safe_open(path, "pt") as file:
            told = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if sealed and told["digest"] != _digest(tensors, told["avlib"]):
            raise ValueError("changed since it was written")
        return tensors, json.loads(told["avlib"])
    except (SafetensorError, TypeError, KeyError, ValueError, RuntimeError) as error:
        raise files.DamagedError(
            f"{path}: cannot be read as weights of this course ({error}); remove the file"
        ) from error
