"""The recognisers as ONNX files, for programs without Python. Of no lesson yet.

`WholeWay` goes from a clip's 16-bit samples and its frame pairs to probabilities: every step of
`features.audio`, as layers. The voice's functionals cannot go that way, for they are Praat's: of
their recogniser the way from functionals on is written, and beside it what they are, as JSON.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from avlib import files
from avlib.corpus.ravdess import EMOTIONS
from avlib.evaluation import experiments, recogniser
from avlib.features import audio, functionals
from avlib.features.store import FeatureStore
from avlib.learning import loaders, splits
from avlib.learning.fusion import LateFusion

OPSET = 20
RATE = 48_000  # Hz, that `WholeWay` takes, as RAVDESS has it


class WholeWay(nn.Module):
    """From samples and frame pairs to the probabilities of the paper's fusion network.

    ``samples`` is ``(samples,)`` int16 at 48 kHz, one channel, at least a tenth of a second;
    ``pairs`` is ``(pairs, 64, 128, 3)`` uint8. Returns ``(8,)`` float32, in the order of EMOTIONS.
    `train` are the rows of the store that the network was trained on: they set the normalisation.
    """

    def __init__(self, network: nn.Module, store: FeatureStore, train: np.ndarray) -> None:
        super().__init__()
        self.network, self.recipe = network.cpu().eval(), store.recipe
        heard = store.mfcc[np.unique(store.rows["clip_number"].to_numpy()[train])]
        samples = loaders.to_device(store, train, "cpu")
        self._keep("mean", heard.mean(axis=0))
        self._keep("deviation", heard.std(axis=0))
        self._keep("colour_mean", samples.image_mean.numpy())
        self._keep("colour_deviation", samples.image_std.numpy())
        rate, window = self.recipe.sample_rate, self.recipe.analysis_window
        first, taps = audio.kaiser_best(RATE, rate)
        self.up, self.down = len(first), RATE * len(first) // rate
        self.before, long = -int(first[0]), int(first[-1] - first[0]) + taps.shape[1]
        kernels = np.zeros((self.up, 1, long))
        for phase, start in enumerate(first - first[0]):
            kernels[phase, 0, start : start + taps.shape[1]] = taps[phase]
        self._keep("kernels", kernels)
        self._keep("hann", torch.hann_window(window).numpy())
        self._keep("bands", audio.mel_bands(rate, window))
        number, band = np.arange(self.recipe.coefficients)[:, None], np.arange(128) + 0.5
        cosines = np.sqrt(2 / 128) * np.cos(np.pi * number * band / 128)
        cosines[0] /= np.sqrt(2)
        self._keep("cosines", cosines)

    def _keep(self, name: str, values: np.ndarray) -> None:
        self.register_buffer(name, torch.from_numpy(np.array(values, np.float32)))

    def mfcc(self, samples: Tensor) -> Tensor:
        """The mean MFCCs, ``(40,)`` float32, as `features.clip_mfcc` of the recipe ``paper``."""
        sound = samples.float() / 2**15
        padded = functional.pad(sound, (self.before, self.kernels.shape[2] + self.down))
        phases = functional.conv1d(padded[None, None], self.kernels, stride=self.down)[0]
        sound = phases.T.reshape(-1)[: samples.shape[0] * self.up // self.down]
        window, hop = self.recipe.analysis_window, self.recipe.hop
        frames = functional.pad(sound, (window // 2, window // 2)).unfold(0, window, hop)
        power = torch.view_as_real(torch.fft.rfft(frames * self.hann)).square().sum(dim=2)
        decibel = 10 * torch.log10(torch.clamp(power @ self.bands.T, min=1e-10))
        decibel = torch.maximum(decibel, decibel.max() - 80)
        return (decibel @ self.cosines.T).mean(dim=0)

    def forward(self, samples: Tensor, pairs: Tensor) -> Tensor:
        """Samples and pairs → the probabilities of the clip."""
        heard = (self.mfcc(samples) - self.mean) / self.deviation
        image = (pairs.float().permute(0, 3, 1, 2) - self.colour_mean) / self.colour_deviation
        logits = self.network(heard.expand(pairs.shape[0], -1), image)[self.network.decision]
        return functional.log_softmax(logits, dim=1).mean(dim=0).softmax(dim=0)


class FromFunctionals(nn.Module):
    """From a stranger's functionals, ``(clips, functionals)`` float32, to ``(clips, 8)``."""

    def __init__(self, model: LateFusion) -> None:
        super().__init__()
        normalisation, linear = model.normalisations["sound"].forget(), model.models["sound", False]
        self.weight = float(model.weights[0][0])
        for name, values in (
            ("mean", normalisation.mean), ("deviation", normalisation.deviation),
            ("coefficients", linear.coefficients), ("intercept", linear.intercept),
        ):  # fmt: skip
            self.register_buffer(name, torch.from_numpy(np.array(values, np.float32)))

    def forward(self, heard: Tensor) -> Tensor:
        """Functionals → probabilities."""
        normalised = torch.clamp((heard - self.mean) / self.deviation, -5, 5)
        logits = normalised @ self.coefficients.T + self.intercept
        return (self.weight * functional.log_softmax(logits, dim=1)).softmax(dim=1)


def write(folder: Path, store: FeatureStore) -> list[Path]:
    """Write ``own-voice.onnx``, ``own-voice.json`` and ``fusion.onnx``; return their paths.

    `store` holds the practice corpus by the recipe ``paper``, on which the fusion network that
    comes with avlib was trained. Raises ImportError, which says what to install, where onnx or
    onnxscript is missing.
    """
    from torch.export import Dim

    try:
        import onnxscript  # noqa: F401 – PyTorch's exporter is built on it
    except ImportError as error:
        raise ImportError("ONNX files need onnx and onnxscript: pip install onnxscript") from error
    model, header = recogniser.load("own-voice")
    network = experiments.trained("fusion", store)[0]
    whole = WholeWay(network, store, splits.split(store.rows, "actor", 0).train)
    asked = torch.zeros(2, len(header["functionals"]))
    clip = torch.zeros(RATE, dtype=torch.int16), torch.zeros(2, 64, 128, 3, dtype=torch.uint8)
    paths = [folder / name for name in ("own-voice.onnx", "own-voice.json", "fusion.onnx")]
    files.save(
        paths[0],
        _onnx(FromFunctionals(model), (asked,), ["functionals"], ({0: Dim("clips")},), header),
    )
    described = {each.name: asdict(each) for each in functionals.described()}
    constants = ("RATE", "HOP", "WINDOW", "BANDS", "PITCH_FLOOR", "PITCH_CEILING", "SILENCE")
    files.save_json(
        paths[1],
        {
            "computed by": "avlib.features.functionals.compute",
            "settings": {name.lower(): getattr(functionals, name) for name in constants},
            "functionals": [described[name] for name in header["functionals"]],
            "emotions": list(EMOTIONS),
            "licence": header["licence"],
        },
    )
    about = {"measured_on": store.corpus, "licence": "MIT; drawn and synthetic recordings"}
    dynamic = ({0: Dim("samples", min=RATE // 10)}, {0: Dim("pairs")})
    files.save(paths[2], _onnx(whole, clip, ["samples", "pairs"], dynamic, about))
    return paths


def _onnx(
    module: nn.Module, example: tuple, names: list[str], dynamic: tuple, header: dict[str, object]
) -> bytes:
    """A module as an ONNX file, which says what it was trained on, and under which licence."""
    program = torch.onnx.export(
        module.eval(), example, dynamo=True, opset_version=OPSET, input_names=names,
        output_names=["probabilities"], dynamic_shapes=dynamic, verbose=False,
    )  # fmt: skip
    proto = program.model_proto
    told = {"emotions": json.dumps(EMOTIONS), "trained on": header["measured_on"],
            "licence": header["licence"]}  # fmt: skip
    for key, value in told.items():
        entry = proto.metadata_props.add()
        entry.key, entry.value = key, value
    return proto.SerializeToString()
