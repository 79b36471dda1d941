"""Judge the answers to the lessons' exercises, and say what is wrong in plain words.

An answer is judged by what it does: a function is called on fresh inputs, made on the spot, whose
right result is known. Each judge knows the mistakes that are often made, and names them. There is
a file for each lesson. What all judges share is in `judging`.
"""

import importlib
import pkgutil

from avlib.course.checks.judging import AnswerError, check, exercises, judge, notebook

__all__ = ["AnswerError", "check", "exercises", "judge", "notebook"]

for _file in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_file.name}")
