"""A kernel that slides, and the filters that a network found: pictures of convolutions.

Shown in 03-unimodal-cnns.ipynb. No layout is computed: a move costs hundredths of a
second.
"""

import html
from functools import partial

import ipywidgets
import numpy as np
import torch
from matplotlib.figure import Figure

from avlib.course import painting
from avlib.course.training_widgets import Drawing
from avlib.course.widgets import Explorer, choice
from avlib.evaluation.plots import OKABE_ITO, Picture
from avlib.learning.loaders import Samples, batches

VALUES = (1, 1, 1, 5, 5, 5, 2, 2)  # what the kernel slides along
KERNELS = {"−1, 0, 1": (-1, 0, 1), "1, 1, 1": (1, 1, 1), "−1, 2, −1": (-1, 2, -1)}
_CELL = 58  # pixels, of a number


def slide(kernel: tuple[int, ...], padding: bool) -> list[int | None]:
    """The answer at each place of `VALUES`; None where the kernel would reach over an end.

    With `padding` a zero stands beyond each end, and there is an answer everywhere.
    """
    padded = np.pad(VALUES, 1)
    answers = [int(padded[at : at + 3] @ kernel) for at in range(len(VALUES))]
    return answers if padding else [None, *answers[1:-1], None]


def draw_slide(kernel: str, place: int, padding: bool) -> Drawing:
    """A kernel of `KERNELS` at a place, from 1, and the answers up to there."""
    weights, answers = KERNELS[kernel], slide(KERNELS[kernel], padding)
    around = np.pad(VALUES, 1)[place - 1 : place + 2]
    products = " + ".join(
        f"{_minus(value)}·{f'({_minus(weight)})' if weight < 0 else weight}"
        for value, weight in zip(around, weights, strict=True)
    )
    answer = answers[place - 1]
    said = f"{products} = {_minus(answer)}"
    if answer is None:
        said = "no answer: the kernel would reach over the end"
    ends = [0, len(VALUES) + 1] if padding else []
    parts = [_row("input", 14, "", {n: v for n, v in enumerate(VALUES, 1)})]
    parts += [_row("", 14, "", dict.fromkeys(ends, 0), dashes="4 4")]
    on = dict(zip(range(place - 1, place + 2), weights, strict=True))
    parts += [_row("kernel", 82, OKABE_ITO[4], on), _words(2 * _CELL, 158, said, 15)]
    done = {n: each for n, each in enumerate(answers[:place], 1) if each is not None}
    parts += [_row("answers", 180, OKABE_ITO[5], done)]
    told = ", ".join(_minus(each) for each in done.values()) or "none"
    alt = (
        f"A drawing of the kernel {kernel} at place {place} of {', '.join(map(str, VALUES))}"
        f"{', with a zero beyond each end' if padding else ''}: {said}. Answers so far: {told}."
    )
    size = f'width="{12 * _CELL}" height="240" viewBox="0 0 {12 * _CELL} 240"'
    head = f'xmlns="http://www.w3.org/2000/svg" {size}'
    ground = '<rect width="100%" height="100%" fill="white"/>'
    return Drawing(f'<svg {head} font-family="sans-serif">{ground}{"".join(parts)}</svg>', alt)


def kernel_slider() -> Explorer:
    """Move a kernel along eight numbers, with and without padding (lesson 03)."""
    return Explorer(
        draw_slide,
        "Slide the kernel from left to right. Which kernel answers where values rise, and which "
        "to a peak? What does padding change?",
        kernel=choice("kernel", KERNELS),
        place=choice("place", range(1, len(VALUES) + 1), 4),
        padding=ipywidgets.Checkbox(False, description="padding: a zero at each end"),
    )


def _minus(number: int | None) -> str:
    return str(number).replace("-", "−")


def _row(name: str, y: int, fill: str, cells: dict[int, int], dashes: str = "") -> str:
    """Numbers in boxes, each at its place; place 0 lies left of the input."""
    parts = [_words(4, y + 33, name, 14)] if name else []
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    for at, number in cells.items():
        x = (at + 1.5) * _CELL
        parts.append(
            f'<rect x="{x}" y="{y}" width="{_CELL - 6}" height="{_CELL - 6}" rx="4" '
            f'fill="{fill or "white"}" stroke="black"{dashed}/>'
        )
        parts.append(_words(x + _CELL / 2 - 3, y + 33, _minus(number), 18, "middle"))
    return "".join(parts)


def _words(x: float, y: float, said: str, size: int = 12, anchor: str = "start") -> str:
    where = f'x="{x}" y="{y}" font-size="{size}" text-anchor="{anchor}"'
    return f"<text {where}>{html.escape(said)}</text>"


@torch.no_grad()
def draw_filter(
    before: torch.nn.Module, after: torch.nn.Module, samples: Samples, row: int, channel: int
) -> Picture:
    """One filter of an image CNN's first layer, before and after training, and how it responds.

    `before` is the network as its training began. All kernels share a scale, on which grey is 0,
    and both responses share one.
    """
    image = next(batches(samples, np.array([row]))).image
    layers = {"after": after.cnn.layers[0], "before": before.cnn.layers[0]}
    weights = {when: each.weight.permute(0, 2, 3, 1).cpu() for when, each in layers.items()}
    most = max(float(each.abs().max()) for each in weights.values())
    responses = {
        when: each(image)[0, channel].clamp(min=0).cpu().numpy() for when, each in layers.items()
    }
    highest = max(float(each.max()) for each in responses.values()) or 1.0
    change = weights["after"][channel] - weights["before"][channel]
    share = float(change.norm() / weights["before"][channel].norm())
    canvas = np.full((360, 890, 3), 255, np.uint8)
    _paste(canvas, samples.pairs[row].cpu().numpy(), 10, 26, 2)
    words, said = [(10, 18, "frame pair")], []
    for number, when in enumerate(layers):
        x, y, response = 284 + 276 * number, 186 + 78 * number, responses[when]
        words.append((x, 18, f"response {when} training: highest {response.max():.1f}"))
        said.append(f"{words[-1][2]}, {100 * (response > 0).mean():.0f} % of the places above 0")
        _paste(canvas, painting.coloured(response / highest), x, 26, 4)
        words.append((10, y, f"the {len(weights[when])} filters {when} training"))
        canvas[y + 5 : y + 56, 7 + 54 * channel : 58 + 54 * channel] = 0  # a frame
        for each, kernel in enumerate(((weights[when] / most + 1) / 2).numpy()):
            _paste(canvas, 255 * kernel, 10 + 54 * each, y + 8, 9)
    _paste(canvas, painting.coloured(np.linspace(1, 0, 32)[:, None].repeat(2, axis=1)), 838, 26, 4)
    words += [(850, 36, f"{highest:.1f}"), (850, 154, "0")]
    words.append((10, 345, f"training changed filter {channel} by {share:.1f} times its own size"))
    figure = Figure(figsize=(8.9, 3.6), dpi=100, layout="none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    axes.imshow(canvas)
    for x, y, each in words:
        axes.text(x, y, each, fontsize=8)
    alt = f"A frame pair, and where filter {channel} of the first layer responds to it"
    return Picture.of(figure, f"{alt}: {'; '.join(said)}; {words[-1][2]}.", samples.corpus, False)


def _paste(canvas: np.ndarray, picture: np.ndarray, x: int, y: int, size: int) -> None:
    """Lay a picture, (height, width, 3) of 0 to 255, upon another, each pixel `size` large."""
    large = np.rint(picture).astype(np.uint8).repeat(size, axis=0).repeat(size, axis=1)
    canvas[y : y + large.shape[0], x : x + large.shape[1]] = large


def filter_viewer(
    before: torch.nn.Module, after: torch.nn.Module, samples: Samples, rows: list[int]
) -> Explorer:
    """See the first layer's filters at work, trained beside untrained (lesson 03)."""
    before, after = (network.to(samples.label.device) for network in (before, after))
    return Explorer(
        partial(draw_filter, before, after, samples),
        "Which filter did the training change most? Which responds to the edges of the mouth, and "
        "which to nothing?",
        channel=choice("filter", range(after.cnn.layers[0].out_channels)),
        row=choice("frame pair", rows),
    )
