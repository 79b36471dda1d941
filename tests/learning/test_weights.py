"""Weights come back bit for bit, or not at all."""

from pathlib import Path

import pytest
import torch

from avlib.learning import networks, training, weights


def test_weights_come_back_bit_for_bit_with_their_header(tmp_path: Path) -> None:
    network = training.seeded(networks.FusionNetwork, seed=3)
    network.to(memory_format=torch.channels_last)
    header = {"accuracy": 0.5, "history": [{"epoch": 1, "side": "train"}]}
    weights.save(tmp_path / "fusion.safetensors", network.state_dict(), header)
    found, said = weights.load(tmp_path / "fusion.safetensors")
    other = training.seeded(networks.FusionNetwork, seed=4)
    other.load_state_dict(found)
    assert training.digest(other) == training.digest(network)
    assert said == header


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "audio.safetensors"
    with pytest.raises(FileNotFoundError, match=r"audio\.safetensors"):
        weights.load(path)
    weights.save(path, {"one": torch.ones(50)}, {})
    whole = path.read_bytes()
    flipped = whole[:-5] + bytes([whole[-5] ^ 1]) + whole[-4:]
    other = whole.replace(b'"avlib":"{}"', b'"avlib":"[]"')
    assert other != whole
    for damaged in (b"", whole[:-3], flipped, other, b"<html>404</html>", b"\x80\x04pickled"):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"audio\.safetensors: cannot be read"):
            weights.load(path)
    from safetensors.torch import save_file

    save_file({"one": torch.ones(1)}, path)  # of another program
    with pytest.raises(ValueError, match=r"audio\.safetensors: cannot be read"):
        weights.load(path)
