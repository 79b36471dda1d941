"""The exercises of 10-your-own-voice-and-face.ipynb."""

import numpy as np

from avlib.corpus.ravdess import EMOTIONS
from avlib.course.checks.judging import AnswerError, array, call, compare, exercise, number, refuse

_DOUBT = "no emotion stands out"


@exercise("10.1")
def _answer(answer: object) -> None:
    rng = np.random.default_rng()
    others = rng.permutation(EMOTIONS[:-1]).tolist()  # "surprised", the last name, in the middle
    names = [*others[:4], EMOTIONS[-1], *others[4:]]
    shares = np.sort(rng.dirichlet(np.full(8, 0.8)))[::-1] + np.arange(8, 0, -1) / 100
    told = dict(sorted(zip(names, (shares / shares.sum()).tolist(), strict=True)))
    likeliest, share = names[0], told[names[0]]
    found = call(answer, told, share - 0.01)
    mistakes = {
        likeliest[0]: "that is the first letter; `max` over the *names* needs a key.",
        EMOTIONS[-1]: "that is the last name in the alphabet: `max` needs `key=probabilities.get`.",
        names[-1]: "that is the *least* likely one: `max`, not `min`.",
        _DOUBT: "the likeliest one reaches `least` here, and should be named.",
    }
    refuse(isinstance(found, float), "that is the probability. The *name* that has it, please.")
    refuse(
        not isinstance(found, str),
        f"a name is asked for; yours is of the kind {type(found).__name__}.",
    )
    refuse(found in mistakes, mistakes.get(found, ""))
    refuse(found != likeliest, f"{likeliest!r} is the likeliest here, and yours is {found!r:.40}.")
    doubted = call(answer, told, share + 0.01)
    refuse(
        not isinstance(doubted, str),
        f"a text is asked for; yours is of the kind {type(doubted).__name__}.",
    )
    refuse(
        doubted == likeliest,
        "where the likeliest is below `least`, none should be named. Do you look at `least`, or at "
        "a number of your own?",
    )
    refuse(doubted != _DOUBT, f"the text for doubt is {_DOUBT!r}; yours is {doubted!r:.40}.")
    even = call(answer, told, share)
    refuse(
        not isinstance(even, str) or even != likeliest,
        "*at least* `least` includes equality: `>=`.",
    )


@exercise("10.2")
def _clips_needed(answer: object) -> None:
    rng = np.random.default_rng()
    p, width = rng.uniform(0.35, 0.65), rng.uniform(0.08, 0.16)
    found = number(call(answer, p, width), "the result")
    z, clips = 1.96, np.arange(1, 10_001)

    def first(reach: np.ndarray, most: float) -> int:
        """The smallest number of clips at which this is no more than that."""
        return int(clips[reach <= most][0])

    below, inside = 1 + z**2 / clips, p * (1 - p) / clips + z**2 / (4 * clips**2)
    wilson, plain = 2 * z / below * np.sqrt(inside), 2 * z * np.sqrt(p * (1 - p) / clips)
    right = first(wilson, width)
    mistakes = [
        (right - 1, "one too few: at that n the interval is still wider."),
        (right + 1, "one too many: the *smallest* n for which it is at most so wide."),
        (first(wilson / 2, width), "you measured the half of the interval, from its middle to one "
         "end. The width goes from end to end."),
        (first(2 * wilson, width), "twice the width? The 2 is in the formula already."),
        (first(plain, width), "that is the plain interval, 1.96 standard errors to each side."),
        (_plain_root(p, width), "that is the plain interval, not rounded up."),
        (first(2 * z * np.sqrt(inside), width), "divide by 1 + z²/n, too."),
        (first(2 * z / below * inside, width), "where is the root?"),
    ]  # fmt: skip
    refuse(found != round(found), "a test has a whole number of clips.")
    otherwise = f"at {found:.0f} clips it is not the smallest n with an interval so narrow."
    compare(found, right, mistakes, otherwise, within=0)


def _plain_root(p: float, width: float) -> float:
    """Where 1.96 plain standard errors to each side are so wide."""
    return (2 * 1.96 / width) ** 2 * p * (1 - p)


@exercise("10.3")
def _difference(answer: object) -> None:
    rng = np.random.default_rng()
    n = int(rng.integers(20, 40))
    recogniser = rng.random(n) < 0.5
    you = np.where(rng.random(n) < 0.5, True, recogniser)
    you[:2], recogniser[:2] = (True, False), (False, True)
    found = array(call(answer, you.tolist(), recogniser.tolist()), "the result")
    refuse(
        found.shape != (3,),
        f"three numbers are asked for: the mean, and both ends; yours has the shape {found.shape}.",
    )
    each = you.astype(float) - recogniser
    middle, error = each.mean(), each.std(ddof=1) / np.sqrt(n)
    apart = np.sqrt(you.var(ddof=1) / n + recogniser.var(ddof=1) / n)

    def around(centre: float, reach: float) -> tuple[float, float, float]:
        return centre, centre - reach, centre + reach

    mistakes = [
        (around(-middle, 1.96 * error), "your sign is turned: the advantage is *yours*, you less "
         "the recogniser."),
        (around(middle, 1.96 * each.std() / np.sqrt(n)), "n − 1 in place of n: `std(ddof=1)`."),
        (around(middle, 1.96 * each.std(ddof=1)), "that is how far the differences spread. The "
         "standard error is that over the root of n."),
        (around(middle, 1.96 * each.std(ddof=1) / n), "over the *root* of n, not over n."),
        (around(middle, error), "1.96 standard errors to each side; yours is one."),
        (around(middle, 1.96 * apart), "you took each list's own error, as if they had heard "
         "different clips. Take the differences clip by clip first."),
        ((middle, middle + 1.96 * error, middle - 1.96 * error), "the lower end comes first."),
        (around(each.sum(), 1.96 * error), "that is the sum of the differences; their mean."),
        (around(np.abs(each).mean(), 1.96 * np.abs(each).std(ddof=1) / np.sqrt(n)), "you took "
         "absolute values: where the recogniser alone was right, the difference is −1."),
    ]  # fmt: skip
    compare(found, around(middle, 1.96 * error), mistakes, "take the differences clip by clip, "
            "their mean, and 1.96 standard errors to each side.")  # fmt: skip
    try:
        again = array(call(answer, you, recogniser), "the result for arrays")
    except AnswerError:
        return  # lists are what was asked for
    refuse(not np.allclose(again, found), "for arrays of True and False it comes out otherwise.")
