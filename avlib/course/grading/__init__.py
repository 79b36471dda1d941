"""Mark the notebooks that a class hands in: ``python -m avlib grade``. Of no lesson.

What comes from a student is untrusted. `lessons` says what the exercises ask for, `collected`
finds the answers in a student's notebooks, `inside` runs an answer in a process of its own, `room`
is the door to that process, `limits` what it may use, `plain` what passes through the door, and
`marks` what comes of it. The judge works on this side of the door, where no answer reaches it.
"""
