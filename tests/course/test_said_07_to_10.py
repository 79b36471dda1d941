"""What the text of lessons 07 to 10 says of results is so, in what is shipped and in a run."""

import re
from pathlib import Path

import pytest
from shown import NOTEBOOKS, cells, executed, said_by

from avlib.course.dominance_widgets import compared
from avlib.evaluation import dominance_table, listening, robustness
from avlib.features import functionals
from avlib.learning import systems

LATE = NOTEBOOKS[7:]


@pytest.mark.parametrize("notebook", LATE, ids=lambda path: path.stem)
def test_each_prediction_is_asked_for_and_answered_by_code(notebook: Path) -> None:
    each = cells(notebook)
    asked = [at for at, (_, text) in enumerate(each) if "**Predict.**" in text]
    names = []
    for at in asked:
        variable, name = re.match(
            r'(\w+) = course\.guess\(\s*"(\d+ [^"]+)"', each[at + 1][1]
        ).groups()
        assert f"{variable}.came_out(" in each[at + 2][1], variable
        names.append(name)
    assert len(set(names)) == len(names) >= 6
    assert {name.split()[0] for name in names} == {str(int(notebook.name[:2]))}


def test_training_apart_is_no_protection_by_itself() -> None:
    worlds = dominance_table.measured("worlds")
    noise = worlds[(worlds["strength"] == 0) & (worlds["who"] == "late-same")].iloc[0]
    assert noise["accuracy"] < noise["face only"]
    late = worlds[(worlds["strength"] == 0) & (worlds["who"] == "late")].iloc[0]
    assert abs(late["face only"] - late["accuracy"]) < 0.01  # it loses nothing
    assert late["head of face"] > noise["head of face"]


def test_drowning_is_not_shown_on_ravdess_and_late_stands_highest() -> None:
    real = dominance_table.measured("cures")
    for unit in ("actor", "clip"):
        low, high = compared(real[real["split by"] == unit], "late-same", "none")[1:]
        assert low < 0 < high
    ways = real[~real["who"].str.contains(" less ") & (real["split by"] == "actor")]
    assert ways.set_index("who")["accuracy"].idxmax() == "late"


def test_no_two_printed_figures_share_a_protocol() -> None:
    printed = [
        each for name, each in systems.SYSTEMS.items() if each.printed and "five" not in name
    ]
    assert len({each.protocol for each in printed}) == len(printed) == 6


def test_lesson_09_counts_its_numbers_rightly() -> None:
    groups = [each.name.split()[0] for each in functionals.described()]
    named = ("mean", "deviation", "p10", "p90", "movement")
    mfccs = sum(each.name.startswith("mfcc") and each.name.split()[1] in named
                for each in functionals.described())  # fmt: skip
    of_voice = sum(map(groups.count, ("pitch", "loudness", "time")))
    assert (mfccs, of_voice, len(groups)) == (150, 48, 467)
    assert len(groups) > 2 * (mfccs + of_voice)


def test_lesson_10_says_what_was_measured_of_other_microphones() -> None:
    rows = robustness.measured().set_index(["heard", "trained on"])
    clean, spoilt = robustness.WAYS
    both = "the second less the first"
    percent = 100 * rows["accuracy"]
    for name in ("noise 20 dB", "telephone"):
        assert round(percent[name, clean]) in range(22, 28)  # one clip in four
        assert rows.loc[(name, clean), "calibration error"] > 0.3
    for name in ("room 0.8 s", "8 kHz"):
        assert rows.loc[(name, both), "accuracy from"] > 0
    assert rows.loc[("clean", both), "accuracy to"] > 0  # no loss is shown
    costs = percent["clean", spoilt] - percent.xs(spoilt, level="trained on")
    assert round(costs["noise 10 dB"]) in range(13, 17)
    assert all(round(costs[name]) in (6, 7, 8) for name in ("room 0.8 s", "8 kHz", "mp3 32 kbit/s"))
    assert percent["noise 0 dB", spoilt] < 30


def test_lesson_10_says_what_the_recogniser_is_worth() -> None:
    header = listening.Recogniser.load().header
    known = {row["speaker_clips"]: row["accuracy"] for row in header["rows"]}
    assert round(5 * known[0]) == 3
    assert known[1] <= known[0]
    assert 0.4 < (known[5] - known[0]) / (known["all"] - known[0]) < 0.5
    assert min(header["accuracy_of_actor"].values()) < 0.5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "lines"),
    [
        ("07", ["by its head, the face's branch is slow", "late minus none: .*to be better",
                r"strength 0, late-same: hearing the noise costs \d"]),
        ("08", ["most parameters: fusion, not on the front", "of the four: discriminants, voice"]),
        ("09", ["their spread added, beside silence trimmed: .*shown to do better",
                "voice and face, late, beside voice and face, joint: .*shown to do better",
                "voice and face, late, beside the whole voice: .*not shown to differ",
                r"all known minus none known, here: \+"]),
        ("10", [r"95 % interval over actors: \+", r"8 of 16 right: between 28 and 72 %"]),
    ],
)  # fmt: skip
def test_a_run_bears_out_what_teachers_are_told_and_answers_each_prediction(
    number: str, lines: list[str]
) -> None:
    ran = executed(number)
    shown = said_by(ran)
    for line in lines:
        assert re.search(line, "\n".join(shown)), line
    asked = sum("course.guess(" in "".join(cell["source"]) for cell in ran)
    assert sum(text.startswith("It came out as: ") for text in shown) == asked
