"""The kernel's side of the live widget, without a browser."""

import io
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from avlib import practice
from avlib.corpus import ravdess
from avlib.corpus.ravdess import EMOTIONS
from avlib.course import live
from avlib.evaluation import listening
from avlib.features import audio, functionals

RATE = 8_000


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The table of three practice clips of one actor."""
    folder = tmp_path_factory.mktemp("spoken")
    practice.write(folder, 1, modalities=[3], names=practice.first()[:3], progress=False, jobs=1)
    return ravdess.index(folder)


@pytest.fixture
def session(spoken: pd.DataFrame, tmp_path: Path) -> live.Session:
    return live.Session(spoken, tmp_path / "kept")


def sound_message(rate: int = RATE, begin: bool = True) -> dict[str, object]:
    return {"kind": "sound", "rate": rate, "begin": begin}


@given(st.lists(st.integers(0, 4 * live.WINDOW * 100), max_size=8))
def test_the_window_holds_the_last_seconds_however_they_come(lengths: list[int]) -> None:
    window, whole = live.Window(), np.arange(sum(lengths), dtype=np.float32)
    window.begin(100)
    for piece in np.split(whole, np.cumsum(lengths)[:-1]) if lengths else []:
        window.add(piece)
    np.testing.assert_array_equal(window.sound, whole[-round(live.WINDOW * 100) :])


def test_a_sound_is_judged_as_predict_judges_its_file(
    spoken: pd.DataFrame, session: live.Session
) -> None:
    path = spoken.sound[0]
    ((wanted,), _) = listening.predict([path], progress=False, jobs=1)
    sound, rate = audio.load(path)
    judged = live.judge(sound, rate)
    assert judged["probabilities"] == wanted.probabilities
    assert judged["said"] == wanted.sentence()
    answer, _ = session.answer({"kind": "file", "name": path.name}, [path.read_bytes()])
    assert answer["probabilities"] == wanted.probabilities


def test_a_window_in_pieces_is_judged_as_its_file(
    spoken: pd.DataFrame, session: live.Session, tmp_path: Path
) -> None:
    sound, rate = audio.load(spoken.sound[1])
    begin = True
    for piece in np.array_split(sound, 5):
        answer, pictures = session.answer(sound_message(rate, begin), [piece.tobytes()])
        begin = False
    soundfile.write(tmp_path / "last.wav", sound[-3 * rate :], rate, subtype="FLOAT")
    ((wanted,), _) = listening.predict([tmp_path / "last.wav"], progress=False, jobs=1)
    assert answer["probabilities"] == wanted.probabilities
    assert len(pictures[0]) == functionals.BANDS * answer["columns"]
    analysed = functionals.analyse(sound[-3 * rate :], rate)
    assert answer["heard"] == pytest.approx(analysed.seconds)
    grey = np.frombuffer(pictures[0], np.uint8).reshape(functionals.BANDS, -1)
    shown = np.clip(1 + (analysed.mel - analysed.mel.max()) / live.DEPTH, 0, 1)
    np.testing.assert_allclose(grey / 255, shown, atol=0.003)


@pytest.mark.parametrize(
    ("sound", "said"),
    [
        (np.zeros(3 * RATE), "nothing but silence"),
        (np.random.default_rng(0).normal(0, 0.1, 3 * RATE), "holds no voice"),
        (np.zeros(RATE // 2), "Heard 0.5 s; 1 s are needed"),
    ],
)
def test_where_there_is_no_voice_no_probabilities_are_made_up(
    session: live.Session, sound: np.ndarray, said: str
) -> None:
    answer, pictures = session.answer(sound_message(), [sound.astype(np.float32).tobytes()])
    assert answer["probabilities"] is None
    assert said in answer["said"]
    assert len(pictures) == 1


def test_doubt_is_said(monkeypatch: pytest.MonkeyPatch, spoken: pd.DataFrame) -> None:
    even = listening.Judgement("", dict.fromkeys(EMOTIONS, 1 / 8), [])
    monkeypatch.setattr(listening.Recogniser, "judge", lambda *_: even)
    said = live.judge(*audio.load(spoken.sound[0]))["said"]
    assert said.startswith("no emotion stands out (")


WRONG = {
    "no message": (None, [], "is no message"),
    "an unknown kind": ({"kind": "erase"}, [], "is no message"),
    "a kind that is no text": ({"kind": ["sound"]}, [], "is no message"),
    "no rate": ({"kind": "sound"}, [bytes(8)], "sound of None Hz"),
    "a wrong rate": (sound_message(5), [bytes(8)], "sound of 5 Hz"),
    "a rate that is no number": ({"kind": "sound", "rate": "x"}, [bytes(8)], "sound of 'x' Hz"),
    "no sound": (sound_message(), [], "no row of float32"),
    "half a sample": (sound_message(), [bytes(6)], "no row of float32"),
    "no number": (sound_message(), [np.float32([np.nan]).tobytes()], "are no sound"),
    "a wrong picture": (sound_message(), [bytes(8), b"no jpeg"], "picture cannot be decoded"),
    "no picture": (sound_message(), [bytes(8), b""], "picture cannot be decoded"),
    "an empty file": ({"kind": "file", "name": "a.wav"}, [b""], "a.wav: is empty"),
    "no file": ({"kind": "file"}, [], "is empty"),
    "a text": ({"kind": "file", "name": "../b.txt"}, [b"x"], "b.txt: is none of .wav"),
    "no sound in it": (
        {"kind": "file", "name": "/c.WAV"}, [b"RIFF"], "c.WAV: cannot be read as sound",
    ),
    "a broken film": ({"kind": "file", "name": "d.webm"}, [b"x" * 99], "d.webm: its sound cannot"),
    "a file too large": (
        {"kind": "file", "name": "e.wav"}, [bytes(live.LARGEST + 1)],
        "e.wav: has 10.0 MB, and at most 10 MB",
    ),
    "nothing to keep": ({"kind": "keep"}, [], "nothing is recorded yet"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_message_is_refused_with_a_sentence(session: live.Session, case: str) -> None:
    message, buffers, said = WRONG[case]
    answer, pictures = session.answer(message, buffers)
    assert said in answer["refused"]
    assert "/tmp" not in answer["refused"]
    assert not pictures


def test_what_is_kept_is_a_whole_wav_under_a_new_name(
    session: live.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, 4 * RATE).astype(np.float32)
    session.answer(sound_message(), [sound.tobytes()])
    for number in (1, 2):
        answer, _ = session.answer({"kind": "keep"}, [])
        path = session.folder / f"recording-{number:02d}.wav"
        assert answer["said"] == f"Kept the last 3.0 s: {path}"
        kept, rate = soundfile.read(path)
        assert (rate, soundfile.info(path).subtype) == (RATE, "PCM_16")
        np.testing.assert_allclose(kept, sound[-3 * RATE :], atol=1e-4)
    path.with_name("recording-01.wav").unlink()
    session.answer({"kind": "keep"}, [])
    assert len(list(session.folder.iterdir())) == 2  # a gap is filled, nothing is replaced

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    answer, _ = session.answer({"kind": "keep"}, [])
    assert "No space left" in answer["refused"]
    assert len(list(session.folder.iterdir())) == 2


def test_a_loaded_file_is_not_kept(spoken: pd.DataFrame, session: live.Session) -> None:
    session.answer({"kind": "file", "name": "a.wav"}, [spoken.sound[0].read_bytes()])
    assert "refused" in session.answer({"kind": "keep"}, [])[0]


def test_a_long_file_is_judged_by_its_stretches(
    spoken: pd.DataFrame, session: live.Session
) -> None:
    sounds = [audio.load(path) for path in spoken.sound]
    rate = sounds[0][1]
    written = io.BytesIO()
    whole = np.concatenate([part for sound, _ in sounds for part in (sound, np.zeros(rate))])
    soundfile.write(written, whole, rate, format="FLAC")
    answer, pictures = session.answer({"kind": "file", "name": "l.flac"}, [written.getvalue()])
    assert len(answer["segments"]) == 3
    assert answer["columns"] <= live.COLUMNS
    assert len(pictures[0]) == functionals.BANDS * answer["columns"]


def test_clips_are_handed_out_one_after_the_other(
    spoken: pd.DataFrame, session: live.Session
) -> None:
    said = set()
    for _ in range(len(spoken)):
        answer, (samples,) = session.answer({"kind": "clip"}, [])
        said.add(answer["said"])
        code = EMOTIONS.index(answer["said"].split(", ")[1]) + 1
        paths = spoken.sound[spoken.emotion == code]
        found = np.frombuffer(samples, "<i2") / 32768
        assert any(np.array_equal(found, audio.load(path)[0]) for path in paths)
        assert answer["said"].endswith("(practice corpus)")
    assert len(said) == len(spoken)
    nothing = live.Session(None, session.folder)
    assert "no clips" in nothing.answer({"kind": "clip"}, [])[0]["refused"]


@pytest.mark.parametrize(
    ("boxes", "said"),
    [([], "No face"), ([[8, 4, 20, 30]], "One face"), ([[8, 4, 20, 30]] * 2, "2 faces")],
)
def test_faces_are_said_in_words(
    session: live.Session, monkeypatch: pytest.MonkeyPatch, boxes: list, said: str
) -> None:
    frames = []

    def find(frame: np.ndarray) -> np.ndarray:
        frames.append(frame)
        return np.array(boxes, np.float32).reshape(-1, 4)

    monkeypatch.setattr(live.faces, "find", find)
    red = np.full((240, 320, 3), (0, 0, 255), np.uint8)  # in OpenCV's order
    jpeg = cv2.imencode(".jpg", red)[1].tobytes()
    answer, pictures = session.answer(sound_message(), [bytes(8), jpeg])
    assert answer["face"].startswith(said)
    assert len(pictures) == (2 if boxes else 1)
    assert frames[0].shape == (240, 320, 3)
    assert frames[0][..., 0].min() > 200 > frames[0][..., 2].max()
    if boxes:
        assert len(pictures[1]) == live.FACE**2 * 3


def test_the_widget_answers_by_number_and_survives_any_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    widget, sent = live.Live(folder=tmp_path), []
    monkeypatch.setattr(widget.page, "send", lambda *given: sent.append(given))

    def ask(message: object) -> dict[str, object]:
        content = {"method": "custom", "content": message}
        widget.page._handle_msg({"content": {"data": content}, "buffers": []})
        return sent[-1][0]

    assert ask({"kind": "keep", "id": "a-7"})["id"] == "a-7"
    assert "is no message" in ask("nonsense")["refused"]
    monkeypatch.setattr(widget.session, "answer", lambda *_: 1 / 0)
    assert ask({"kind": "keep", "id": "a-8"})["refused"].startswith("ZeroDivisionError")


def test_without_a_kernel_a_sentence_stands_there(tmp_path: Path) -> None:
    shown, _ = live.Live(folder=tmp_path)._repr_mimebundle_()
    assert "need a kernel" in shown["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in shown
