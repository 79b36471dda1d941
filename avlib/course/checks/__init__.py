"""Judge the answers to the lessons' exercises, and say what is wrong in plain words.

An answer is judged by what it does: a function is called on fresh inputs, made on the spot, whose
right result is known. Each judge knows the mistakes that are often made, and names them. There is
a file for each lesson. What all judges share is in `judging`.
"""

from avlib.course.checks import (
    lesson_00,
    lesson_01,
    lesson_02,
    lesson_03,
    lesson_04,
    lesson_05,
    lesson_06,
)
from avlib.course.checks.judging import AnswerError, check, exercises, judge

__all__ = [
    "AnswerError", "check", "exercises", "judge",
    "lesson_00", "lesson_01", "lesson_02", "lesson_03", "lesson_04", "lesson_05", "lesson_06",
]  # fmt: skip
