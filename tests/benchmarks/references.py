"""How the common code does it: what `speed.py` measures itself against.

Each is written as its users write it, without haste and without tricks, and gives the numbers
that ours gives, so that a ratio of seconds is a ratio for the same work.
"""

import subprocess
from pathlib import Path

import cv2
import librosa
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from avlib.learning import loaders


def mfcc(path: Path) -> np.ndarray:
    """40 MFCCs of one recording at 22.05 kHz: librosa with resampy's ``kaiser_best``."""
    sound, rate = librosa.load(path, sr=22_050, res_type="kaiser_best")
    return librosa.feature.mfcc(y=sound, sr=rate, n_mfcc=40)


def frame_pairs(path: Path, times: np.ndarray, size: int = 64) -> np.ndarray:
    """Frame pairs of one film: OpenCV, which seeks to each frame."""
    film = cv2.VideoCapture(str(path))
    rate = film.get(cv2.CAP_PROP_FPS)
    squares = []
    for time in times.ravel():
        film.set(cv2.CAP_PROP_POS_FRAMES, int(time * rate))
        there, frame = film.read()
        assert there, f"{path}: no frame at {time} s"
        height, width = frame.shape[:2]
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        square = frame[top : top + side, left : left + side]
        square = cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA)
        squares.append(cv2.cvtColor(square, cv2.COLOR_BGR2RGB))
    film.release()
    return np.stack([np.hstack(squares[at : at + 2]) for at in range(0, len(squares), 2)])


def decode(path: Path, times: int) -> None:
    """Decode a film so many times in one process, with one thread: the decoder's own limit."""
    subprocess.run(
        ["ffmpeg", "-v", "error", "-threads", "1", "-stream_loop", str(times - 1), "-i", path,
         "-map", "0:v", "-f", "null", "-"],
        check=True,
    )  # fmt: skip


def write_images(pairs: np.ndarray, folder: Path) -> None:
    """Each frame pair as an image file, as recipes with a ``Dataset`` prepare them."""
    for number, pair in enumerate(pairs):
        cv2.imwrite(str(folder / f"{number:06d}.png"), pair[..., ::-1])


class Pairs(Dataset):
    """Reads one image file a row."""

    def __init__(self, folder: Path, rows: np.ndarray, samples: loaders.Samples) -> None:
        self.folder, self.rows = folder, rows
        self.mfcc = samples.mfcc.numpy()[samples.clip_of_row.numpy()]
        self.label = samples.label.numpy()
        self.mean = samples.image_mean[0].numpy()
        self.deviation = samples.image_std[0].numpy()

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        row = self.rows[index]
        image = cv2.imread(str(self.folder / f"{row:06d}.png"))
        image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB).astype(np.float32).transpose(2, 0, 1)
        image = (image - self.mean) / self.deviation
        return torch.from_numpy(self.mfcc[row]), torch.from_numpy(image), int(self.label[row])


def fit(
    network: nn.Module,
    samples: loaders.Samples,
    train: np.ndarray,
    validation: np.ndarray,
    images: Path,
    epochs: int,
    device: str,
) -> None:
    """Train the fusion network from a ``DataLoader`` with two workers, as `training.fit` does."""
    network.to(device)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    learned = DataLoader(Pairs(images, train, samples), 64, shuffle=True, num_workers=2)
    watched = DataLoader(Pairs(images, validation, samples), 64, num_workers=2)
    for _ in range(epochs):
        network.train()
        for mfcc_batch, image, label in learned:
            present = loaders.drop_modalities(len(label), 0.25).to(device)
            logits = network(mfcc_batch.to(device), image.to(device), present)
            wanted = label.to(device)
            loss = sum(nn.functional.cross_entropy(each, wanted) for each in logits.values())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        network.eval()
        right = 0
        with torch.no_grad():
            for mfcc_batch, image, label in watched:
                answer = network(mfcc_batch.to(device), image.to(device))["joint"].argmax(dim=1)
                right += (answer.cpu() == label).sum().item()


def pitch(sound: np.ndarray, rate: int) -> np.ndarray:
    """The pitch of each frame of 10 ms by librosa's pYIN, Hz; NaN where there is no voice."""
    return librosa.pyin(
        sound, fmin=70, fmax=700, sr=rate, hop_length=rate // 100, frame_length=1024
    )[0]
