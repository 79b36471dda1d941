"""What RESULTS.md and README print is what was measured and kept."""

import json

import pytest
import results


def test_results_and_readme_are_written_from_what_is_kept() -> None:
    for path, text in results.written().items():
        assert path.read_text("utf-8") == text, f"{path.name}: run `results.py write`"


def test_each_measurement_says_by_which_commands_it_is_made() -> None:
    known = results.read_measurements()
    kept = {path.stem for path in results.MEASURED.glob("*.json")}
    assert kept <= set(known)
    for name in kept:
        found = json.loads((results.MEASURED / f"{name}.json").read_text("utf-8"))
        assert found["commit"]
        assert found["rows"]


def test_a_figure_shares_its_cell_with_its_interval() -> None:
    row = {"who": "a less b", "accuracy": 0.1, "accuracy from": -0.02, "accuracy to": 0.22}
    assert results.cell(row, "accuracy") == "+0.100 (-0.020 to +0.220)"
    assert results.cell({"clips": 960}, "clips") == "960"
    assert results.cell({}, "clips") == ""


def test_an_unknown_measurement_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        results.main(["measure", "luck"])
    assert "there is no measurement 'luck'" in capsys.readouterr().err


def test_a_command_that_lacks_its_recordings_says_which_option_names_them() -> None:
    with pytest.raises(SystemExit, match="say what DIR is, by --data"):
        results.main(["measure", "audio"])
