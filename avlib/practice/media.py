"""The two kinds of file of a practice corpus: wav sound, and mp4 sound and picture.

Both say in their metadata that they are synthetic. Sound is ``(samples,)`` float32 at 48 kHz,
full scale 1.
"""

from collections.abc import Sequence
from fractions import Fraction
from io import BytesIO

import av
import cv2
import numpy as np
import soundfile

SOUND_RATE = 48_000  # Hz, as RAVDESS
FRAME_RATE = Fraction(30_000, 1_001)  # frames a second, as RAVDESS
COMMENT = "avlib practice corpus, synthetic: drawn and spoken by a computer, not RAVDESS"


def wav(sound: np.ndarray) -> bytes:
    """Encode sound as a 16-bit wav file."""
    file = BytesIO()
    with soundfile.SoundFile(file, "w", SOUND_RATE, 1, subtype="PCM_16", format="WAV") as writer:
        writer.comment = COMMENT
        writer.write(sound)
    return file.getvalue()


def mp4(frames: Sequence[np.ndarray], sound: np.ndarray | None) -> bytes:
    """Encode frames as an mp4 file with H.264 picture, and AAC sound where there is any.

    The frames, at least one, are ``(height, width, 3)`` uint8 RGB of even height and width,
    30000/1001 a second. One thread works, so that the same frames give the same bytes.
    """
    file = BytesIO()
    with av.open(file, "w", format="mp4") as container:
        container.metadata.update(title="avlib practice clip (synthetic)", comment=COMMENT)
        speed_over_size = {"preset": "veryfast", "crf": "20", "threads": "1"}
        picture = container.add_stream("libx264", FRAME_RATE, options=speed_over_size)
        picture.pix_fmt = "yuv420p"
        picture.height, picture.width = frames[0].shape[:2]
        if sound is not None:
            fast = {"aac_coder": "fast"}
            voice = container.add_stream("aac", SOUND_RATE, layout="mono", options=fast)
            block = av.AudioFrame.from_ndarray(sound[None], "fltp", "mono")
            block.sample_rate, block.pts, block.time_base = SOUND_RATE, 0, Fraction(1, SOUND_RATE)
            # The muxer interleaves by time, so the sound may come in one piece.
            container.mux(voice.encode(block))
            container.mux(voice.encode(None))
        drawing, frame_s = None, 1 / FRAME_RATE
        for number, pixels in enumerate(frames):
            if pixels is not drawing:  # else the same array is shown again
                drawing = pixels
                # Brightness, and colour at half size: OpenCV does it six times faster than FFmpeg.
                planes = cv2.cvtColor(pixels, cv2.COLOR_RGB2YUV_I420)
                frame = av.VideoFrame.from_numpy_buffer(planes, format="yuv420p")
            frame.pts, frame.time_base = number, frame_s
            container.mux(picture.encode(frame))
        container.mux(picture.encode(None))
    return file.getvalue()
