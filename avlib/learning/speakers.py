"""How to know a speaker a little: normalise features by a few of their own clips, without labels.

Taught in notebooks/09-better-with-unseen-speakers.ipynb.
"""

from __future__ import annotations

import numpy as np

SPREAD_CLIPS = 20  # a person's deviations count from so many clips on as much as other people's
LIMIT = 5.0  # deviations; what lies further out is taken for that


class SpeakerNormalisation:
    """Normalise each feature to mean 0 and deviation 1 *for its speaker*, however few clips tell.

    Whoever speaks high or smiles a lot does so whatever they feel; what tells an emotion is how
    they change. The mean of a stranger is expected where the training speakers' means lie; each
    clip of the stranger moves that expectation toward their own mean, the faster the more speakers
    differ. With m the training speakers' mean, k clips of mean c, and d the variance of a feature
    within a speaker over its variance between speakers, the expectation is (k c + d m) / (k + d):
    the posterior mean of a normal distribution (*empirical Bayes*; Efron and Morris 1973,
    doi:10.1080/01621459.1973.10481350).

    >>> rng = np.random.default_rng(0)
    >>> speakers = np.repeat(np.arange(20), 30)
    >>> heights = 10.0 * speakers[:, None] + rng.normal(size=(600, 1))
    >>> known = SpeakerNormalisation().fit(heights, speakers)
    >>> stranger = 500 + rng.normal(size=(60, 1))
    >>> bool(known.transform(stranger).mean() > 4), bool(
    ...     abs(known.partial_fit(stranger[:5]).transform(stranger).mean()) < 1
    ... )
    (True, True)
    """

    def fit(self, features: np.ndarray, speakers: np.ndarray) -> SpeakerNormalisation:
        """Learn from training speakers what a stranger may be like; forgets whoever was known.

        `features` is ``(clips, features)``, `speakers` says whose each clip is. Raises ValueError
        if there are fewer than three speakers, or one has a single clip.
        """
        names, counts = np.unique(speakers, return_counts=True)
        if len(names) < 3 or counts.min() < 2:
            raise ValueError("speakers: three with two clips each are needed, or more")
        own = [features[speakers == name].astype(float) for name in names]
        means = np.array([clips.mean(axis=0) for clips in own])
        self.mean = means.mean(axis=0)
        within = np.mean([clips.var(axis=0) for clips in own], axis=0) + self._least**2
        between = means.var(axis=0, ddof=1) - within / counts.mean()  # less what chance adds
        self.deviation = np.sqrt(within)
        self.doubt = within / np.maximum(between, 1e-3 * within)  # in clips
        return self.forget()

    @property
    def _least(self) -> np.ndarray:
        """A deviation for what never changes, such as a pixel of the background."""
        return 1e-9 * (1 + np.abs(self.mean))

    def forget(self) -> SpeakerNormalisation:
        """Know nobody: what follows is about a stranger."""
        self.clips, self._sum, self._squares = 0, 0.0 * self.mean, 0.0 * self.mean
        return self

    def partial_fit(self, features: np.ndarray) -> SpeakerNormalisation:
        """Get to know the speaker by more of their clips, ``(clips, features)``, of any emotion."""
        self.clips += len(features)
        self._sum = self._sum + features.sum(axis=0, dtype=float)
        self._squares = self._squares + np.square(features, dtype=float).sum(axis=0)
        return self

    def transform(self, features: np.ndarray) -> np.ndarray:
        """The speaker's clips, normalised by what is known of them; ``(clips, features)``."""
        own = self._sum / max(self.clips, 1)
        spread = np.maximum(self._squares / max(self.clips, 1) - own**2, 0)
        mean = (self.clips * own + self.doubt * self.mean) / (self.clips + self.doubt)
        variance = self.clips * spread + SPREAD_CLIPS * self.deviation**2
        deviation = np.sqrt(variance / (self.clips + SPREAD_CLIPS))
        return np.clip((features - mean) / deviation, -LIMIT, LIMIT)

    def of_training(
        self, features: np.ndarray, speakers: np.ndarray, known: bool = True
    ) -> np.ndarray:
        """Training clips: each speaker's by all of their own; or as those of strangers."""
        if not known:
            return self.forget().transform(features)
        normalised = np.empty(features.shape)
        for name in np.unique(speakers):
            own = features[speakers == name].astype(float)
            spread = own.std(axis=0) + self._least
            normalised[speakers == name] = (own - own.mean(axis=0)) / spread
        return np.clip(normalised, -LIMIT, LIMIT)
