"""What a learner predicts before a cell answers it: buttons or a line to write in, and the outcome.

Of no lesson: each has some. A prediction is kept beside the progress, and stands there again when
the lesson is opened another day.
"""

import html
from dataclasses import dataclass

import ipywidgets
from IPython.display import display

from avlib.course import passed
from avlib.course.widgets import bundle


@dataclass(frozen=True)
class Outcome:
    """What was predicted, and what came out, in a sentence."""

    sentence: str

    def __str__(self) -> str:
        return self.sentence

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        shown = f'<p style="border-left: 4px solid #0072B2; padding-left: 0.6em">{self}</p>'
        return {"text/html": shown, "text/plain": str(self)}


class Guess:
    """A question, and what the learner predicts; see `guess`."""

    def __init__(self, name: str, question: str, *choices: str) -> None:
        if len(choices) == 1 or len(set(choices)) != len(choices):
            raise ValueError(f"{name}: give no choices, or two or more different ones: {choices}")
        self.name, self.question, self.choices = name, question, choices
        kept = passed.guesses().get(name)
        if choices:
            kept = kept if kept in choices else None
            self.control = ipywidgets.ToggleButtons(options=list(choices), value=kept)
            self.control.style.button_width = "auto"
        else:
            self.control = ipywidgets.Text(value=kept or "", placeholder="what you expect")
            self.control.continuous_update = False
            self.control.layout.width = "32em"
        self.control.observe(lambda change: passed.keep_guess(name, change["new"]), names="value")
        asked = ipywidgets.HTML(f"<p>{html.escape(question)}</p>")
        self.box = ipywidgets.VBox([asked, self.control])

    @property
    def predicted(self) -> str | None:
        """What the learner predicts, or None as long as there is nothing."""
        return (self.control.value or "").strip() or None

    def came_out(self, found: object) -> None:
        """Say what came out, beside what was predicted; `found` is a choice, if there are any.

        Raises ``ValueError`` if it is none of them.
        """
        found = str(found)
        if self.choices and found not in self.choices:
            raise ValueError(f"{found!r} is none of the choices: {', '.join(self.choices)}")
        if self.predicted is None:
            said = f"It came out as: {found}."
        elif self.predicted == found:
            said = f"As you predicted: {found}."
        else:
            said = f"You predicted: {self.predicted}. It came out as: {found}."
        display(Outcome(html.escape(said, quote=False)))

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]:
        listed = "".join(f"<li>{html.escape(each)}</li>" for each in self.choices)
        return bundle(self.box, f"<p>{html.escape(self.question)}</p><ul>{listed}</ul>")


def guess(name: str, question: str, *choices: str) -> Guess:
    """Ask the learner for a prediction; buttons for the `choices`, or a line to write in.

    The `name` is that under which it is kept, such as ``"0 loudest"``: lesson, and what about.
    Show what is returned, and call its ``came_out`` with what the next cell finds.

    >>> louder = guess("0 louder", "How many times louder is the angry voice?", "2", "5", "20")
    >>> louder.came_out("20")
    It came out as: 20.
    """
    return Guess(name, question, *choices)
