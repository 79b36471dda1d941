"""Lesson 04: what a student writes is what avlib ships, and the text says what comes out."""

import re

import pytest
import torch
from exercises import exercises
from shown import executed, said_by, shown

from avlib.learning import networks, training


def solved(number: str) -> dict[str, object]:
    """The lesson's names, and what an exercise's folded solution defines."""
    names = vars(shown("04"))
    exec(next(each.solution for each in exercises() if each.number == number), names)
    return names


def test_the_fusion_network_that_a_student_writes_is_avlibs() -> None:
    names, shipped = solved("4.2"), networks.BalancedFusionNetwork()
    parts = names["Parts"]()
    parts.load_state_dict(shipped.state_dict())
    mfcc, image = torch.randn(5, 40), torch.randn(5, 3, 64, 128)
    ours, theirs = names["fuse"](parts, mfcc, image), shipped(mfcc, image)
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_the_loss_that_a_student_writes_is_avlibs() -> None:
    network, label = networks.BalancedFusionNetwork(), torch.arange(5)
    logits = network(torch.randn(5, 40), torch.randn(5, 3, 64, 128))
    settings = training.Training(audio_weight=0.5, image_weight=2.0)
    wanted = training.total_loss(network, training.losses(logits, label), settings)
    assert torch.equal(solved("4.3")["total_loss"](logits, label, 0.5, 2.0), wanted)


@pytest.fixture(scope="module")
def printed() -> str:
    return "\n".join(said_by(executed("04")))


@pytest.mark.slow
class TestWhatTheTextSays:
    """On the practice corpus."""

    def test_the_predictions_come_out_as_the_text_explains(self, printed: str) -> None:
        outcomes = re.findall(r"It came out as: (.*)\.", printed)
        assert outcomes[:5] == ["about 36", "the sound's", "9", "about 12 %", "image"]
        assert len(outcomes) == 6

    def test_heads_that_no_loss_reaches_know_less_than_those_that_learn(self, printed: str) -> None:
        rows = {
            float(weight): (float(audio), float(image))
            for weight, audio, image in re.findall(
                r"^([013]\.0) +([\d.]+) +([\d.]+) +[\d.]+$", printed, re.M
            )
        }
        assert set(rows) == {0.0, 1.0, 3.0}
        for untaught, taught in zip(rows[0.0], rows[1.0], strict=True):
            assert untaught < taught

    def test_muted_the_joint_and_the_audio_predictions_change(self, printed: str) -> None:
        changed = dict(re.findall(r"^(\w+): (\d+) % of the predictions change", printed, re.M))
        assert int(changed["image"]) == 0
        assert int(changed["audio"]) > 50
        assert int(changed["joint"]) > 0

    def test_what_is_missing_is_missed_less_after_modality_dropout(self, printed: str) -> None:
        """The one sentence that rests on intervals: both kept measurements bear it out."""
        for recordings in ("RAVDESS", "practice corpus"):
            assert f"{recordings}, sound missing: better" in printed
