"""How commands and a terminal speak: options, errors in one sentence, output for any console.

Of no lesson.
"""

import os
import re
import sys
from collections.abc import Callable, Collection
from functools import wraps
from pathlib import Path
from typing import Annotated, Literal

import typer

from avlib import files

PLAIN = {
    "add_completion": False,
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
    "no_args_is_help": True,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}


def argument(kind: object, help: str, metavar: str) -> object:
    """What a command takes by its place: of which kind, what it is, its name in the help."""
    return Annotated[kind, typer.Argument(help=help, metavar=metavar)]


def option(kind: object, help: str, metavar: str | None = None, **more: object) -> object:
    """An option with a value: of which kind, what it is for, the value's name in the help."""
    return Annotated[kind, typer.Option(help=help, metavar=metavar, **more)]


def flag(name: str, help: str) -> object:
    """An option without a value, and without the ``--no-…`` that typer would set beside it."""
    return Annotated[bool, typer.Option(name, help=help)]


Json = option(Path | None, "write the numbers here too", "FILE")
RecipeName = option(
    Literal["paper", "sequence", "spectrogram"],
    "the MFCCs' mean over time, their sequence, or the spectrogram that they are made of",
)
AnyRecipeName = option(
    Literal["paper", "sequence", "spectrogram", "voice"],
    "the MFCCs' mean over time, their sequence, the spectrogram that they are made of, or the "
    "functionals of the voice",
)
ActionUnits = option(
    Path | None,
    "see faces by this table of action units instead of films (or a folder of what OpenFace "
    "writes)",
    "FILE",
)
Seed = option(int, "of whatever is left to chance", "S")


def command(group: typer.Typer, goes_on: bool = False, **settings: object) -> Callable:
    """Make a function a command of a group, which tells its errors in one sentence.

    `goes_on` says that the command, when it was interrupted, keeps what it has done. The function
    returns the exit status, or None for 0; it stays as it is, so that another may call it.
    """

    def add(function: Callable[..., int | None]) -> Callable[..., int | None]:
        name = group.info.name or function.__name__

        @wraps(function)
        def told(**given: object) -> None:
            try:
                _try_json(**given)
                status = function(**given)
            except (ValueError, OSError, RuntimeError, ImportError) as error:
                if os.environ.get("AVLIB_DEBUG"):
                    raise
                say(f"avlib {name}: {error}", file=sys.stderr)
                status = 1
            except KeyboardInterrupt:
                said = "; run it again to go on" if goes_on else ""
                say(f"avlib {name}: interrupted{said}", file=sys.stderr)
                status = 130
            raise typer.Exit(status or 0)

        group.command(**settings)(told)
        return function

    return add


def _try_json(json: Path | None = None, **given: object) -> None:
    """See that `--json FILE` can be written, before the work: an hour later would be late."""
    if json is not None:
        files.refuse_to_replace(json, [each for each in given.values() if isinstance(each, Path)])


def save(json: Path | None, result: object) -> None:
    """Write a result where `--json` says."""
    if json is not None:
        files.save_json(json, result)


def say(*lines: object, **how: object) -> None:
    """Print, with what a terminal would obey escaped: names of files can hold anything."""
    told = (
        re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", lambda control: ascii(control[0])[1:-1], str(line))
        for line in lines
    )
    print(*told, sep="\n", **how)


def some_of(choices: Collection[str], name: str, text: str) -> list[str]:
    """Read an option like ``clip,actor``."""
    chosen = text.split(",")
    for each in chosen:
        if each not in choices:
            said = f"{each!r} is not one of {', '.join(choices)}"
            raise typer.BadParameter(said, param_hint=name)
    return chosen


def clips_and_recipe(
    folder: Path, recipe: str, action_units: Path | None, sound_alone: bool
) -> tuple:
    """The table of clips, and the recipe for what is to be seen of them."""
    from avlib.corpus import ravdess
    from avlib.features import action_units as units
    from avlib.features.recipe import Recipe

    clips, visual = ravdess.index(folder), "none" if sound_alone else "pairs"
    if action_units is not None:
        clips, visual = units.join(clips, action_units), "vector"
    return clips, Recipe.preset(recipe, visual)
