"""The systems that the paper compares itself with, and others, small and from scratch.

Each that can be built stands in a file of its own, with its layers in a table and with what of it
cannot be had. A printed figure stands beside *its* protocol, and is not to be compared with
another's. What they hear and see is what a store holds: spectrograms and strips of six frames by
``Recipe.preset("spectrogram", "frames")``, MFCCs and frame pairs by ``paper`` and ``sequence``,
action units where no films are.

Taught in notebooks/08-table-two-run.ipynb.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from torch import nn

from avlib.features.store import FeatureStore
from avlib.learning import networks, training
from avlib.learning.loaders import Samples
from avlib.learning.splits import Split
from avlib.learning.systems.bottleneck import Bottleneck
from avlib.learning.systems.chumachenko import Chumachenko
from avlib.learning.systems.cornejo_pedrini import (
    CLASSIFIERS,
    REDUCTIONS,
    CornejoPedrini,
    Reduced,
)
from avlib.learning.systems.luna_jimenez import LunaJimenez, OverPosteriors
from avlib.learning.systems.msaf import MSAF
from avlib.learning.systems.parts import Encoded, Stage
from avlib.learning.systems.ristea import Ristea
from avlib.learning.systems.siddiqui_javaid import FIVE, OverDecisions, SiddiquiJavaid
from avlib.learning.training import Training

__all__ = ["SYSTEMS", "System", "Trained", "built", "make", "train"]


@dataclass(frozen=True)
class System:
    """A published system: what it is here, and what was printed of it, on which protocol."""

    citation: str
    source: str  # DOI, arXiv number or conference
    printed: str  # accuracy, %; empty where no figure is known to us
    protocol: str  # on which the printed figure stands, or why there is none
    lacking: str  # what of it cannot be had
    network: type[nn.Module] | None = None  # None: too little is known to build it
    # What decides once the network is trained, by variant; where there are none, the network.
    stages: Mapping[str, Callable[[], Stage]] = field(default_factory=dict)
    settings: Mapping[str, object] = field(default_factory=dict)  # of `Training`, the paper's own
    emotions: tuple[int, ...] = tuple(range(1, 9))  # codes that it is trained on and asked about
    weights: str = ""  # the file of pretrained weights that the network can be given


@dataclass(frozen=True)
class Trained:
    """A system that was trained: its network, what decides after it, and the history."""

    network: nn.Module
    stages: Mapping[str, Stage]  # by variant, each fitted; without any the network decides
    chosen: str  # the variant that is right most often on the validation rows; "" without any
    history: pd.DataFrame  # of `training.fit`

    def log_posteriors(self, samples: Samples, rows: np.ndarray) -> np.ndarray:
        """The log-probability of each emotion, ``(rows, 8)``, for each of `rows`."""
        if not self.stages:
            return training.predict(self.network, samples, rows)
        return self.stages[self.chosen].log_posteriors(Encoded(self.network, samples), rows)

    def by_variant(self, samples: Samples, rows: np.ndarray) -> dict[str, np.ndarray]:
        """What each stage says, not the chosen one alone; as `log_posteriors`."""
        given = Encoded(self.network, samples)
        return {name: stage.log_posteriors(given, rows) for name, stage in self.stages.items()}


def built() -> list[str]:
    """The names of the systems that enough is known of to build them."""
    return [name for name, system in SYSTEMS.items() if system.network is not None]


def make(name: str, store: FeatureStore, seed: int, weights: str | Path | None = None) -> nn.Module:
    """The network of a name in `SYSTEMS` that fits a store's features; see `networks.seeded`.

    `weights` is a file of pretrained weights, for a system that takes one (`System.weights`).

    Raises ValueError if there is no such system, if too little is known to build it, if the store
    holds no faces, or if the system takes no weights; and as `panns.CNN14` does of a file that does
    not hold them, or a store that they do not fit.
    """
    if name not in SYSTEMS:
        raise ValueError(f"system: there is no {name!r}; choose from {', '.join(SYSTEMS)}")
    system = SYSTEMS[name]
    if system.network is None:
        raise ValueError(f"system: {name!r} cannot be built; lacking: {system.lacking}")
    if store.image_shape is None:
        raise ValueError(
            f"{store.folder}: holds sound alone, and {name} needs faces; build a store with frame "
            "pairs or action units"
        )
    given = [store.mfcc.shape[1:], store.image_shape]
    if weights is not None:
        if not system.weights:
            able = ", ".join(each for each, other in SYSTEMS.items() if other.weights)
            raise ValueError(f"weights: {name} takes none, {able} does; leave them out")
        given.append(weights)
    return networks.seeded(system.network, *given, seed=seed)


def train(
    name: str,
    store: FeatureStore,
    samples: Samples,
    split: Split,
    settings: Training = Training(),  # noqa: B008 (frozen)
    weights: str | Path | None = None,
) -> Trained:
    """Train a system's network, then fit every stage that may come after it.

    What the paper says of the training (`System.settings`) goes before `settings`. Rows of emotions
    that the system does not know are left out by whoever makes the split. `weights` is as `make`
    has it, and raises as there.
    """
    network, system = make(name, store, settings.seed, weights), SYSTEMS[name]
    own = replace(settings, **system.settings)
    history = training.fit(network, samples, split, own, progress=False)
    if not system.stages:
        return Trained(network, {}, "", history)
    given = Encoded(network, samples)
    stages = {variant: new().fit(given, split) for variant, new in system.stages.items()}
    truth = given.labels(split.validation)

    def right(variant: str) -> int:
        said = stages[variant].log_posteriors(given, split.validation)
        return int((said.argmax(axis=1) == truth).sum())

    return Trained(network, stages, max(stages, key=right), history)


_SIDDIQUI_JAVAID = System(
    citation="[16] Siddiqui and Javaid 2020, A Multimodal Facial Emotion Recognition Framework "
    "through the Fusion of Speech with Visible and Infrared Images",
    source="doi:10.3390/mti4030046",
    printed="86.36",
    protocol="five emotions; voices of RAVDESS and faces of VIRI, different people joined by "
    "emotion; who is kept apart is not known to us",
    lacking="infrared images, the VIRI database, the pretrained image network",
    network=SiddiquiJavaid,
    stages={"SVM over decisions": OverDecisions},
)

SYSTEMS = {
    "siddiqui-javaid": _SIDDIQUI_JAVAID,  # on all eight emotions
    "siddiqui-javaid-five": replace(_SIDDIQUI_JAVAID, emotions=FIVE),
    "cornejo-pedrini": System(
        citation="[18] Cornejo and Pedrini 2019, Audio-Visual Emotion Recognition Using a Hybrid "
        "Deep Convolutional Neural Network based on Census Transform",
        source="IEEE SMC 2019",
        printed="82.5, 85, 59.5",
        protocol="six emotions; RML, eNTERFACE'05 and BAUM-1s, in this order; not RAVDESS",
        lacking="pretrained AlexNet and VGG-Face, the three databases, face crops",
        network=CornejoPedrini,
        stages={
            f"{reduction}, {classifier}": partial(Reduced, reduction, classifier)
            for reduction, classifier in product(REDUCTIONS, CLASSIFIERS)
        },
    ),
    "ristea": System(
        citation="[20] Ristea, Duţu and Radoi 2019, Emotion Recognition System from Speech and "
        "Visual Information based on Convolutional Neural Networks",
        source="arXiv:2003.00351",
        printed="69.42",
        protocol="six emotions; CREMA-D, not RAVDESS",
        lacking="CREMA-D, the widths and kernels",
        network=Ristea,
    ),
    "luna-jimenez": System(
        citation="[21] Luna-Jiménez et al. 2021, Multimodal Emotion Recognition on RAVDESS Dataset "
        "Using Transfer Learning",
        source="doi:10.3390/s21227665",
        printed="80.08",
        protocol="eight emotions; RAVDESS, five folds, actors kept apart",
        lacking="weights of the spatial transformer (AffectNet), and those of CNN-14 (AudioSet) "
        "where no file of them is given; a film's whole sequence of frames",
        weights="CNN-14 of PANNs, Cnn14_mAP=0.431.pth, doi:10.5281/zenodo.3987831",
        network=LunaJimenez,
        stages={"logistic regression on posteriors": OverPosteriors},
    ),
    "aghajani": System(
        citation="[22] Aghajani 2022, Journal of AI and Data Mining 10(4)",
        source="",  # its DOI was not found
        printed="81.04",
        protocol="eight emotions; RAVDESS; what is kept apart is not said",
        lacking="a description that suffices to build it: YAMNet features, a CNN and a bi-LSTM "
        "with attention are named; layers, widths, the face branch and the split are not",
    ),
    "chumachenko": System(
        citation="Chumachenko, Iosifidis and Gabbouj 2022, Self-attention fusion for audiovisual "
        "emotion recognition with incomplete data, intermediate attention",
        source="arXiv:2201.11095",
        printed="81.58",
        protocol="eight emotions; RAVDESS, four test actors",
        lacking="EfficientFace with weights of AffectNet, face crops, 15 frames a row",
        network=Chumachenko,
        settings={"modality_dropout": 1 / 3},
    ),
    "msaf": System(
        citation="Su, Hu, Li and Cao 2020, MSAF: Multimodal Split Attention Fusion",
        source="arXiv:2012.07175",
        printed="",
        protocol="no figure that we could read; by the authors' code: eight emotions; RAVDESS, six "
        "folds of four actors, kept apart, and the best epoch is chosen by the fold that is tested",
        lacking="a pretrained 3D ResNeXt-50 on 30 frames, branches trained before they are joined, "
        "dropout of blocks, a second module at the end",
        network=MSAF,
    ),
    "bottleneck": System(
        citation="Nagrani, Yang, Arnab, Jansen, Schmid and Sun 2021, Attention Bottlenecks for "
        "Multimodal Fusion",
        source="arXiv:2107.00135",
        printed="",
        protocol="no figure on emotions: measured on AudioSet, Epic-Kitchens and VGGSound, not on "
        "RAVDESS",
        lacking="a ViT-Base pretrained on ImageNet-21k, patches as tokens; of the "
        "authors' training: warm-up and cosine decay from 0.5, mixup, soft labels, skipped layers",
        network=Bottleneck,
    ),
}
