"""The exercises of 10-your-own-voice-and-face.ipynb."""

import numpy as np
from scipy.stats import binomtest

from avlib.corpus.ravdess import EMOTIONS
from avlib.course.checks.judging import AnswerError, array, call, compare, exercise, refuse

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
def _wilson(answer: object) -> None:
    rng = np.random.default_rng()
    n = int(rng.integers(12, 60))
    k = int(rng.integers(n // 2 + 1, n - 2))
    found = array(call(answer, k, n), "the result")
    refuse(found.shape != (2,), f"two numbers are asked for; yours has the shape {found.shape}.")
    p, z = k / n, 1.96
    below = 1 + z**2 / n
    middle, inside = (p + z**2 / (2 * n)) / below, p * (1 - p) / n + z**2 / (4 * n**2)
    half, plain = z / below * np.sqrt(inside), z * np.sqrt(p * (1 - p) / n)

    def around(centre: float, reach: float) -> tuple[float, float]:
        return centre - reach, centre + reach

    mistakes = [
        ((middle, half), "those are the middle and the reach. Return the two *ends*."),
        (around(middle, half)[::-1], "the lower end comes first."),
        (np.multiply(100, around(middle, half)), "shares, please, from 0 to 1, not per cent."),
        (around(p, plain), "that is the plain interval, p ± 1.96 standard errors."),
        (around(p, half), "your middle is p. Wilson's lies nearer to one half."),
        (around(middle, z * np.sqrt(inside)), "the reach is divided by 1 + z²/n, too."),
        (around(middle * below, half), "the middle is divided by 1 + z²/n, too."),
        (around(middle * below, half * below), "both are divided by 1 + z²/n."),
        (around(middle, z / below * inside), "where is the root?"),
        (around(middle, half / z), "where is z, in the reach?"),
        (around(middle, z / below * (np.sqrt(p * (1 - p) / n) + z / (2 * n))), "the root is over "
         "the *sum*: of the two terms together, not one by one."),
        (around(middle, z / below * np.sqrt(p * (1 - p) / n)), "where is z²/(4n²), under the "
         "root?"),
        (around(middle, z / below * np.sqrt(p * (1 - p) / n + z**2 / (4 * n))), "it is z²/(4n²): "
         "n is squared, too."),
    ]  # fmt: skip
    compare(found, around(middle, half), mistakes, "follow the two formulas: middle less reach, "
            "middle plus reach.", within=1e-9)  # fmt: skip
    ends = array(call(answer, n, n), "the result of n of n")
    refuse(not np.allclose(ends, binomtest(n, n).proportion_ci(method="wilson"), atol=1e-4),
           "with all right, k = n, it goes wrong.")  # fmt: skip


@exercise("10.3")
def _difference(answer: object) -> None:
    rng = np.random.default_rng()
    n = int(rng.integers(20, 40))
    network = rng.random(n) < 0.5
    you = np.where(rng.random(n) < 0.5, True, network)
    you[:2], network[:2] = (True, False), (False, True)
    found = array(call(answer, you.tolist(), network.tolist()), "the result")
    refuse(
        found.shape != (3,),
        f"three numbers are asked for: the mean, and both ends; yours has the shape {found.shape}.",
    )
    each = you.astype(float) - network
    middle, error = each.mean(), each.std(ddof=1) / np.sqrt(n)
    apart = np.sqrt(you.var(ddof=1) / n + network.var(ddof=1) / n)

    def around(centre: float, reach: float) -> tuple[float, float, float]:
        return centre, centre - reach, centre + reach

    mistakes = [
        (around(-middle, 1.96 * error), "your sign is turned: the advantage is *yours*, you less "
         "the network."),
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
         "absolute values: where the network alone was right, the difference is −1."),
    ]  # fmt: skip
    compare(found, around(middle, 1.96 * error), mistakes, "take the differences clip by clip, "
            "their mean, and 1.96 standard errors to each side.")  # fmt: skip
    try:
        again = array(call(answer, you, network), "the result for arrays")
    except AnswerError:
        return  # lists are what was asked for
    refuse(not np.allclose(again, found), "for arrays of True and False it comes out otherwise.")
