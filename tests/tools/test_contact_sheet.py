"""The README's picture of the practice corpus is drawn by a command."""

from pathlib import Path

import contact_sheet
import cv2
import numpy as np

from avlib.corpus import ravdess
from avlib.practice import face


def test_the_contact_sheet_holds_every_emotion_of_every_actor(tmp_path: Path) -> None:
    sheet = contact_sheet.contact_sheet(actors=2)
    assert sheet.dtype == np.uint8
    assert sheet.shape[0] == len(ravdess.EMOTIONS) * face.HEIGHT
    assert len(np.unique(sheet.reshape(-1, 3), axis=0)) > 1000
    assert contact_sheet.main([str(tmp_path / "faces.png"), "--actors", "2"]) == 0
    assert (cv2.imread(str(tmp_path / "faces.png"))[..., ::-1] == sheet).all()
