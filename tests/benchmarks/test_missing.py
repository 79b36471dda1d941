"""The measurement of modality dropout tests the modality that it says is missing."""

import missing
import numpy as np
import torch

from avlib.features import FeatureStore
from avlib.learning import loaders, networks


def test_what_is_missing_does_not_reach_the_joint_classifier(easy: FeatureStore) -> None:
    rows = np.arange(len(easy.rows))
    samples = loaders.to_device(easy, rows, "cpu")
    network = networks.make("balanced", easy, seed=0)
    found = {
        case: missing.predicted(network, easy, samples, rows, present)
        for case, present in missing.CASES.items()
    }
    changed = loaders.Samples(**vars(samples) | {"mfcc": torch.randn_like(samples.mfcc)})
    for case, same in (("both", False), ("sound missing", True), ("picture missing", False)):
        other = missing.predicted(network, easy, changed, rows, missing.CASES[case])
        assert found[case].equals(other) == same, case


def test_the_rows_are_both_ways_and_their_paired_difference(easy: FeatureStore) -> None:
    without, dropped, less = missing.compare(easy, 1, folds=3, epochs=1, progress=False)
    assert [without["who"], dropped["who"]] == list(missing.WAYS)
    for case in missing.CASES:
        assert np.isclose(less[case], dropped[case] - without[case])
        assert less[f"{case} from"] <= less[case] <= less[f"{case} to"]
