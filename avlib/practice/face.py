"""The face of a practice clip: drawn, and moved by FACS action units.

The Facial Action Coding System describes a face by which muscles pull and how hard: action
unit 12 raises the corners of the mouth, 4 lowers the brows. Each unit here moves the part that
FACS says, by a distance that can be seen at the small intensities of real clips (0.5 to 2).

Source: Ekman & Friesen 1978, *Facial Action Coding System*.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from avlib.corpus.ravdess import ClipName
from avlib.practice import performance
from avlib.practice.media import FRAME_RATE, SOUND_RATE
from avlib.practice.performance import ACTION_UNITS, HIGHEST_ACTION_UNIT

WIDTH, HEIGHT = 320, 180  # pixels of a frame
Color = tuple[int, int, int]  # RGB
_HOLD = 2  # frames that show one drawing: animators' "on twos", half the work
_FINER = 2  # drawn this many times larger, then averaged down, for smooth edges
_SHIFT = 4  # OpenCV takes points in sixteenths of a pixel
_CENTER = np.array([WIDTH / 2, 91.0])  # of the head, in pixels of a frame
_SIDES = (-1, 1)
_ACROSS_EYE = np.linspace(-1, 1, 15)
_ACROSS_LIP = np.linspace(-1, 1, 17)
_LOOKS, _FACE = 5, 6  # first keys of the random numbers here, see performance.py

_SKINS = (
    *((244, 208, 180), (212, 156, 118), (232, 186, 150), (190, 134, 98), (244, 210, 188)),
    *((218, 164, 124), (170, 116, 82), (238, 196, 164)),
)
_HAIRS = (
    *((62, 42, 30), (34, 28, 28), (112, 78, 46), (44, 34, 28), (132, 98, 58)),
    *((84, 50, 32), (28, 26, 30), (116, 58, 34), (88, 82, 80)),
)
_IRISES = ((84, 58, 36), (70, 104, 140), (92, 112, 70), (54, 38, 28), (104, 128, 146))
_SHIRTS = ((36, 38, 46), (24, 26, 30), (52, 44, 50), (32, 44, 56), (46, 46, 44))
_MALE_HAIR = ("short", "parted", "curly", "receding")
_FEMALE_HAIR = ("long", "bob", "bun", "curls")


@dataclass(frozen=True)
class Looks:
    """What an actor looks like at rest; lengths in pixels of a frame, colours in RGB.

    Attributes
    ----------
    width, jaw : float
        Width of the head and of the jaw, 1 is average.
    skin, hair, iris, shirt : tuple of int
    lip : tuple of int
    style : str
        Of the hair: short, parted, curly, receding, long, bob, bun or curls.
    brow_y, brow_thickness, brow_arch : float
    eye_x, eye_width, eye_height : float
    nose_width, nose_y : float
    mouth_y, mouth_width, lip_thickness : float
    stubble : float
        0 shaved, 1 a beard's shadow.
    light : float
        From −1, lit from the left, to 1, lit from the right.
    """

    width: float = 1.0
    jaw: float = 1.0
    skin: Color = _SKINS[0]
    hair: Color = _HAIRS[0]
    iris: Color = _IRISES[0]
    shirt: Color = _SHIRTS[0]
    lip: Color = (196, 112, 104)
    style: str = "short"
    brow_y: float = -22.0
    brow_thickness: float = 5.0
    brow_arch: float = 2.0
    eye_x: float = 21.0
    eye_width: float = 11.5
    eye_height: float = 10.0
    nose_width: float = 9.0
    nose_y: float = 18.0
    mouth_y: float = 38.0
    mouth_width: float = 17.0
    lip_thickness: float = 4.0
    stubble: float = 0.0
    light: float = 0.0


@cache
def looks_of(actor: int) -> Looks:
    """What an actor of the practice corpus looks like, whatever the seed.

    Parameters
    ----------
    actor : int
        1 to 24; odd numbers are men, even numbers women.

    Returns
    -------
    Looks

    Notes
    -----
    Nobody real: the looks are random numbers.
    """
    rng = np.random.default_rng((_LOOKS, actor))
    man = actor % 2 == 1
    generation = (actor - 1) // 2
    skin = _SKINS[(actor * 5 + generation) % len(_SKINS)]
    rouge = (200, 84, 92) if not man else (176, 96, 86)
    return Looks(
        width=rng.uniform(0.99, 1.02),
        jaw=rng.uniform(1.0, 1.05) if man else rng.uniform(0.92, 0.97),
        skin=skin,
        hair=_HAIRS[(actor * 2 + generation) % len(_HAIRS)],
        iris=_IRISES[actor % len(_IRISES)],
        shirt=_SHIRTS[actor % len(_SHIRTS)],
        lip=_mix(skin, rouge, 0.6 if not man else 0.5),
        style=(_MALE_HAIR if man else _FEMALE_HAIR)[generation % 4],
        brow_y=rng.uniform(-22.5, -22.0),
        brow_thickness=rng.uniform(6.0, 6.5) if man else rng.uniform(5.4, 5.9),
        brow_arch=rng.uniform(1.5, 2.0) if man else rng.uniform(2.0, 2.5),
        eye_x=rng.uniform(21.2, 21.8),
        eye_width=rng.uniform(12.2, 12.8),
        eye_height=rng.uniform(12.6, 13.0) if man else rng.uniform(13.0, 13.6),
        nose_width=rng.uniform(8.5, 10.5) if man else rng.uniform(7.0, 8.5),
        nose_y=rng.uniform(15.5, 16.5),
        mouth_y=rng.uniform(37.2, 37.8),
        mouth_width=rng.uniform(19.0, 20.0),
        lip_thickness=rng.uniform(3.8, 4.3) if man else rng.uniform(4.4, 4.9),
        stubble=float(man and rng.random() < 0.4),
        light=rng.uniform(-1.0, 1.0),
    )


def frames(
    name: ClipName, row: Mapping[str, float], seed: int, sound: np.ndarray
) -> Iterator[np.ndarray]:
    """Draw a clip, frame by frame.

    Parameters
    ----------
    name : ClipName
        Gives the actor.
    row : mapping of str to float
        One row of `performance.draw`: the clip means of 17 action units, 0 to 5.
    seed : int
        For the head's movement and the moments of the blinks.
    sound : ndarray, shape (samples,), float32
        The clip's sound at 48 kHz: the mouth follows it.

    Yields
    ------
    ndarray, shape (180, 320, 3), uint8
        RGB, 30000/1001 a second, as many as the sound lasts.
    """
    rng = np.random.default_rng((seed, _FACE, *performance.clip_key(name)))
    intensities = time_course(row, sound, rng)
    poses = _sway(len(intensities), rng)
    looks = looks_of(name.actor)
    drawing = None
    for number, (at_once, pose) in enumerate(zip(intensities, poses, strict=True)):
        if number % _HOLD == 0:
            drawing = draw(looks, dict(zip(ACTION_UNITS, at_once, strict=True)), tuple(pose))
        yield drawing


def apex(name: ClipName, row: Mapping[str, float]) -> np.ndarray:
    """A clip's most expressive frame, drawn without its sound.

    Parameters
    ----------
    name : ClipName
    row : mapping of str to float
        One row of `performance.draw`.

    Returns
    -------
    ndarray, shape (180, 320, 3), uint8
    """
    peak = {unit: 1.35 * row[unit] for unit in ACTION_UNITS}
    return draw(looks_of(name.actor), peak | {"AU45": 0.2 * row["AU45"]})


def time_course(
    row: Mapping[str, float], sound: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """How strong each action unit is in each frame.

    An expression rises before the words (onset), holds through them (apex) and falls off after
    (offset); the mouth opens with the loudness; blinks come at random.

    Parameters
    ----------
    row : mapping of str to float
        Clip means of the action units.
    sound : ndarray, shape (samples,), float32
        48 kHz.
    rng : numpy.random.Generator
        For the blinks.

    Returns
    -------
    ndarray, shape (frames, 17), float64
        0 to 5. A column's mean is the clip mean asked for, but for values cut at 5.
    """
    count = round(len(sound) / SOUND_RATE * FRAME_RATE)
    edges = np.linspace(0, len(sound), count + 1).astype(int)
    energy = np.add.reduceat(np.square(sound, dtype=np.float64), edges[:-1])
    loudness = np.sqrt(energy / np.diff(edges))
    loudness = np.convolve(loudness, (0.25, 0.5, 0.25), mode="same")
    heard = np.flatnonzero(loudness > 0.1 * loudness.max())
    seconds = np.arange(count) / float(FRAME_RATE)
    onset = _ease((seconds - seconds[heard[0]] + 0.45) / 0.5)
    offset = _ease((seconds - seconds[heard[-1]]) / 0.6)
    held = 0.4 + 0.6 * onset * (1 - offset)
    held /= held.mean()
    spoken = np.sqrt(loudness / loudness.max())  # the mouth opens for soft vowels too
    spoken = 0.4 * held + 0.6 * spoken / spoken.mean()

    course = np.empty((count, len(ACTION_UNITS)))
    for column, unit in enumerate(ACTION_UNITS):
        if unit == "AU45":
            course[:, column] = _blinks(row[unit], seconds, rng)
        else:
            course[:, column] = row[unit] * (spoken if unit in ("AU25", "AU26") else held)
    return course.clip(0.0, HIGHEST_ACTION_UNIT)


def _blinks(mean: float, seconds: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lids that close fully now and then, and hang a little in between, to a given mean."""
    one_blink_s = 0.17  # of full closure, spread over its going down and up
    wanted = mean / HIGHEST_ACTION_UNIT * seconds[-1] / one_blink_s
    moments = rng.uniform(0.1, seconds[-1] - 0.2, size=int(min(wanted, 5)))
    bumps = np.exp(-0.5 * ((seconds[:, None] - moments) / 0.065) ** 2)
    closed = HIGHEST_ACTION_UNIT * bumps.max(axis=1, initial=0.0)
    return closed + max(mean - closed.mean(), 0.0)


def _sway(count: int, rng: np.random.Generator) -> np.ndarray:
    """Small movements of the head: (right px, down px, clockwise rad) in each frame."""
    phases = rng.uniform(0, 2 * np.pi, size=(2, 3))
    cycles = np.arange(count)[:, None] / float(FRAME_RATE) * rng.uniform(0.2, 0.6, size=(2, 1, 3))
    waves = np.sin(2 * np.pi * cycles + phases[:, None]).mean(axis=0)
    return waves * (1.2, 0.8, 0.015) + rng.normal(0, (0.6, 0.5, 0.01))


def draw(
    looks: Looks,
    action_units: Mapping[str, float],
    pose: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> np.ndarray:
    """Draw one face.

    Parameters
    ----------
    looks : Looks
    action_units : mapping of str to float
        Intensity, 0 to 5, by FACS name (``"AU12"``); those left out are 0.
    pose : tuple of float
        The head's place: right (px), down (px), clockwise (rad).

    Returns
    -------
    ndarray, shape (180, 320, 3), uint8
        RGB, head and shoulders on white.

    Notes
    -----
    Source: Ekman & Friesen 1978, *Facial Action Coding System*.
    """
    units = dict.fromkeys(ACTION_UNITS, 0.0) | dict(action_units)
    pen = _Pen(_backdrop(looks).copy(), pose)
    jaw = _reach(units["AU26"], 3.8, 14)
    _draw_head(pen, looks, jaw)
    _draw_nose_and_cheeks(pen, looks, units)
    for side in _SIDES:
        _draw_eye(pen, looks, units, side)
        _draw_brow(pen, looks, units, side)
    _draw_mouth(pen, looks, units, jaw)
    _draw_front_hair(pen, looks)
    small = cv2.resize(pen.pixels, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return cv2.multiply(small, _light(looks.light), scale=1 / 255)


class _Pen:
    """Draws smooth shapes given in pixels of a frame, seen from the middle of the head."""

    def __init__(self, pixels: np.ndarray, pose: tuple[float, float, float]) -> None:
        right, down, angle = pose
        self.pixels = pixels
        self._turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        self._origin = _CENTER + np.array([right, down])

    def fill(self, points: np.ndarray, color: Color) -> None:
        cv2.fillPoly(self.pixels, [self._place(points)], color, cv2.LINE_AA, _SHIFT)

    def line(self, points: np.ndarray, color: Color, width: float) -> None:
        thickness = max(round(width * _FINER), 1)
        placed = [self._place(points)]
        cv2.polylines(self.pixels, placed, False, color, thickness, cv2.LINE_AA, _SHIFT)

    def _place(self, points: np.ndarray) -> np.ndarray:
        # OpenCV counts from the middle of a pixel, the drawing from its corner.
        on_canvas = (points @ self._turn + self._origin) * _FINER - 0.5
        return np.rint(on_canvas * (1 << _SHIFT)).astype(np.int32)


def _draw_head(pen: _Pen, looks: Looks, jaw: float) -> None:
    _draw_back_hair(pen, looks)
    for side in _SIDES:
        pen.fill(_oval((side * 48 * looks.width, 0), 7, 12), _mix(looks.skin, _shade(looks), 0.35))
    pen.fill(_oval((0, 66 + jaw), 22, 14), _mix(looks.skin, _shade(looks), 0.55))
    outline = _outline(looks)
    dropped = outline + np.stack(
        [np.zeros(len(outline)), jaw * _ease((outline[:, 1] - 12) / 54)], axis=1
    )
    pen.fill(dropped, looks.skin)
    if looks.stubble:
        low = dropped[outline[:, 1] > 14]
        upper = _smooth([(-39, 14), (-26, 26), (0, 25), (26, 26), (39, 14)]) * (looks.width, 1)
        pen.fill(np.concatenate([low, upper[::-1]]), _mix(looks.skin, looks.hair, 0.12))


@cache
def _outline(looks: Looks) -> np.ndarray:
    """The outline of the face, clockwise from the right temple, (points, 2) in px."""
    right = [(46, -38), (48, -10), (45, 16), (37 * looks.jaw, 41), (22 * looks.jaw, 58)]
    left = [(-across, down) for across, down in reversed(right)]
    ring = [*right, (0, 66), *left, (-32, -60), (0, -68), (32, -60)]
    return _smooth(ring, closed=True) * (looks.width, 1)


def _draw_nose_and_cheeks(pen: _Pen, looks: Looks, units: Mapping[str, float]) -> None:
    shade = _shade(looks)
    wrinkled = _reach(units["AU09"], 2.2, 6)
    raised = _reach(units["AU06"], 2.6, 7)
    nose_y, half = looks.nose_y - wrinkled, looks.nose_width + 0.3 * wrinkled
    for side in _SIDES:
        cheek = _oval((side * 30 * looks.width, 17 - raised), 10, 7)
        pen.fill(cheek, _mix(looks.skin, (222, 108, 96), round(0.08 + 0.06 * min(raised, 5), 2)))
        under_eye = _smooth([(15, 5 - raised / 2), (24, 8 - raised), (34, 4 - raised)])
        _crease(pen, under_eye * (side, 1), looks, (units["AU06"] - 0.3) * 0.5, 1.0)
        fold = [(half + 2, nose_y - 1), (half + 10, nose_y + 9), (half + 12, nose_y + 19)]
        deep = 0.3 * units["AU10"] + 0.2 * units["AU12"] + 0.15 * units["AU09"] - 0.2
        _crease(pen, _smooth(fold) * (side, 1), looks, deep, 1.1)
        for step in (0, 1, 2):  # across the bridge of the nose
            wrinkle = [(1.5, -3 + 4 * step), (6 + step, -6 + 4 * step)]
            _crease(pen, np.array(wrinkle) * (side, 1), looks, (units["AU09"] - 0.5) * 0.5, 1.0)
        wing = _smooth([(half - 4, nose_y - 6), (half, nose_y - 1), (half - 3, nose_y + 3)])
        pen.line(wing * (side, 1), _mix(looks.skin, shade, 0.7), 1.3)
        pen.fill(_oval((side * half * 0.45, nose_y + 2.5), 2.2, 1.3), _mix(looks.skin, shade, 1.2))
    ridge = _smooth([(-4, -12), (-3.5, 2), (-6, nose_y - 4)])
    pen.line(ridge, _mix(looks.skin, shade, 0.35), 1.2)
    pen.line(
        _smooth([(-4, nose_y + 3.5), (0, nose_y + 5), (4, nose_y + 3.5)]),
        _mix(looks.skin, shade, 0.7),
        1.2,
    )


def _draw_eye(pen: _Pen, looks: Looks, units: Mapping[str, float], side: int) -> None:
    opened = 0.6 * looks.eye_height + _reach(units["AU05"], 4.5, 9)
    opened -= _reach(units["AU07"], 1.4, 3.5)
    lower = 0.4 * looks.eye_height - _reach(units["AU07"], 1.3, 3.0)
    lower -= _reach(units["AU06"], 1.2, 2.4)
    lower = max(lower, 0.4)
    closed = min(units["AU45"] / HIGHEST_ACTION_UNIT * 1.15, 1.0)
    upper = (1 - closed) * max(opened, 1.2) - closed * lower

    across = _ACROSS_EYE
    arch = (np.sqrt(1 - 0.96 * across**2) - 0.2) / 0.8
    corner_y = -0.8 * across  # the outer corner lies a little higher
    horizontal = side * (looks.eye_x + across * looks.eye_width)
    middle_y = -6.0
    top = np.stack([horizontal, middle_y + corner_y - upper * arch], axis=1)
    bottom = np.stack([horizontal, middle_y + corner_y + lower * arch], axis=1)

    lid = top - (0, 3.4 + 0.25 * max(upper, 0))
    pen.line(lid[2:-1], _mix(looks.skin, _shade(looks), 0.6), 1.1)
    if closed < 0.97:
        pen.fill(np.concatenate([top, bottom[::-1]]), (250, 249, 247))
        order = np.argsort(top[:, 0])
        for radius, color in ((5.6, looks.iris), (2.7, (16, 14, 16))):
            disc = _oval((side * looks.eye_x, middle_y - 0.8), radius, radius)
            # What the lids cover of the iris is cut off.
            roof = np.interp(disc[:, 0], top[order, 0], top[order, 1])
            floor = np.interp(disc[:, 0], bottom[order, 0], bottom[order, 1])
            disc[:, 1] = disc[:, 1].clip(roof, np.maximum(roof, floor))
            pen.fill(disc, color)
        if upper > 3:
            pen.fill(_oval((side * looks.eye_x + 1.8, middle_y - 2.6), 1.2, 1.2), (255, 255, 255))
    pen.line(bottom[1:-1], _mix(looks.skin, _shade(looks), 0.8), 1.0)
    pen.line(top, (30, 22, 22), 2.4 if looks.brow_thickness < 6.0 else 1.9)
    tight = np.stack([horizontal, bottom[:, 1] + 3.2], axis=1)[3:-3]
    _crease(pen, tight, looks, (units["AU07"] - 0.8) * 0.35, 1.0)


def _draw_brow(pen: _Pen, looks: Looks, units: Mapping[str, float], side: int) -> None:
    inner_up = _reach(units["AU01"], 10.0, 19)
    outer_up = _reach(units["AU02"], 9.5, 18)
    lowered = _reach(units["AU04"], 5.0, 11)
    together = _reach(units["AU04"], 3.0, 5.5)
    pulled = _reach(units["AU09"], 1.2, 3)
    base, arch = looks.brow_y, looks.brow_arch
    inner = (9.5 - together, base + 2.5 - inner_up + lowered + pulled)
    middle = (22 - together / 2, base - arch + 1 - 0.45 * (inner_up + outer_up) + 0.55 * lowered)
    outer = (36, base + 7.5 - outer_up + 0.2 * lowered)
    spine = _smooth([inner, middle, outer])
    taper = looks.brow_thickness / 2 * np.linspace(1.0, 0.25, len(spine))[:, None] * (0, 1)
    hair = _mix(looks.hair, (28, 20, 18), 0.75)
    pen.fill(np.concatenate([spine - taper, (spine + taper)[::-1]]) * (side, 1), hair)

    furrow = np.array([(3.6 - together / 3, inner[1] - 6), (3.0 - together / 3, inner[1] + 4)])
    _crease(pen, furrow * (side, 1), looks, (units["AU04"] - 0.6) * 0.6, 1.2)
    for step in (7, 12):  # lines across the forehead, where its muscle lifts the brows
        across = _smooth([(0, inner[1] - step), (12, inner[1] - step - 1), (24, middle[1] - step)])
        raised = units["AU01"] if step == 7 else (units["AU01"] + units["AU02"]) / 2
        _crease(pen, across * (side, 1), looks, (raised - 0.9) * 0.35, 1.0)


def _draw_mouth(pen: _Pen, looks: Looks, units: Mapping[str, float], jaw: float) -> None:
    smile, frown = _reach(units["AU12"], 4.5, 12), _reach(units["AU15"], 7.0, 12)
    tight, chin = _reach(units["AU23"], 4.0, 5), _reach(units["AU17"], 6.0, 8)
    lifted = _reach(units["AU10"], 3.6, 8)
    parted = _reach(units["AU25"], 3.8, 16)
    half = looks.mouth_width + 0.75 * smile + _reach(units["AU20"], 4.5, 9)
    half -= tight + 0.35 * jaw + 0.1 * parted
    thick = looks.lip_thickness * max(1 - 0.16 * tight, 0.3)

    rest = looks.mouth_y + 0.25 * jaw
    corner_y = rest - smile + frown + 0.3 * parted - 0.4 * lifted
    roof = rest - lifted - 0.05 * parted
    floor = rest + 0.95 * parted + min(0.75 * jaw, 1.5 * parted) - 0.7 * chin
    floor = max(floor, roof)
    top = roof - thick * 0.9
    foot = floor + thick * 1.25

    corner = np.array([half, corner_y])
    inner_top = _lip(corner - (1.5, 0), roof)
    inner_foot = _lip(corner - (1.5, 0), floor)
    outer_top = _lip(corner, top, dip=0.25 * thick)
    outer_foot = _lip(corner, foot)
    pen.fill(np.concatenate([outer_top, inner_top[::-1]]), _mix(looks.lip, (90, 30, 34), 0.2))
    pen.fill(np.concatenate([inner_foot, outer_foot[::-1]]), looks.lip)
    gap = floor - roof
    if gap > 0.8:
        pen.fill(np.concatenate([inner_top, inner_foot[::-1]]), (84, 26, 30))
        teeth = np.minimum(inner_top[:, 1] + min(0.32 * gap, 3.6), inner_foot[:, 1])
        edge = np.stack([inner_top[:, 0], teeth], axis=1)
        pen.fill(np.concatenate([inner_top, edge[::-1]])[1:-1], (246, 243, 236))
        if gap > 7:
            tongue = _oval((0, floor - 0.14 * gap), 0.5 * half, 0.16 * gap)
            pen.fill(tongue, (150, 62, 66))
    pen.line(inner_top, (104, 44, 44), 1.0)
    if gap <= 0.8:
        pen.line(inner_top, (96, 40, 40), 1.4)

    for side in _SIDES:
        dimple = corner + np.array([(2.5, -4), (4.5, 0), (2.5, 4)])
        _crease(pen, _smooth(dimple) * (side, 1), looks, (units["AU14"] - 0.4) * 0.6, 1.2)
        drawn_down = corner + np.array([(0, 0), (2.5, 3.5)])
        _crease(pen, drawn_down * (side, 1), looks, (units["AU15"] - 0.3) * 0.8, 1.2)
    under = foot + 4.5
    shadow = _smooth([(-8, under), (0, under + 1.2 - chin * 0.6), (8, under)])
    pen.line(shadow, _mix(looks.skin, _shade(looks), 0.45), 1.2)
    boss = _smooth([(-9, under + 7), (0, under + 3.5 - chin * 0.4), (9, under + 7)])
    _crease(pen, boss, looks, (units["AU17"] - 0.1) * 1.2, 1.2)


def _lip(corner: np.ndarray, middle_y: float, dip: float = 0.0) -> np.ndarray:
    """A lip's edge from the left corner over a given height in the middle to the right."""
    across = _ACROSS_LIP
    bow = 1 - np.abs(across) ** 2.4
    notch = dip * np.exp(-((across / 0.16) ** 2))  # the cupid's bow
    vertical = corner[1] + (middle_y - corner[1]) * bow + notch
    return np.stack([across * corner[0], vertical], axis=1)


def _draw_back_hair(pen: _Pen, looks: Looks) -> None:
    wide = looks.width
    if looks.style in ("long", "bob"):
        ends = 72 if looks.style == "long" else 42
        side = [(40, -64), (53, -30), (54, 10), (53, ends - 14), (42, ends)]
        ring = [(0, -80), *side, *((-across, down) for across, down in reversed(side))]
        pen.fill(_smooth(ring, closed=True) * (wide, 1), looks.hair)
    elif looks.style == "bun":
        pen.fill(_oval((0, -76), 19, 13), _mix(looks.hair, (0, 0, 0), 0.15))
        pen.fill(_oval((0, -22), 52 * wide, 54), looks.hair)
    elif looks.style == "curls":
        for angle in np.linspace(-0.25 * np.pi, 1.25 * np.pi, 15):
            center = (46 * wide * np.cos(angle), -20 - 46 * np.sin(angle))
            pen.fill(_oval(center, 13, 13), looks.hair)
    else:
        pen.fill(_oval((0, -24), 51 * wide, 51), looks.hair)


def _draw_front_hair(pen: _Pen, looks: Looks) -> None:
    crown = [(-51, -14), (-53, -40), (-34, -70), (0, -79), (34, -70), (53, -40), (51, -14)]
    hairlines = {
        "short": [(46, -32), (34, -47), (0, -50), (-34, -47), (-46, -32)],
        "parted": [(46, -30), (38, -45), (6, -48), (-20, -56), (-38, -45), (-46, -30)],
        "curly": [(45, -30), (36, -46), (18, -50), (0, -47), (-18, -51), (-36, -45), (-45, -30)],
        "receding": [(47, -34), (37, -52), (16, -53), (0, -50), (-16, -53), (-37, -52), (-47, -34)],
        "long": [(47, -20), (40, -40), (6, -56), (-6, -56), (-40, -40), (-47, -20)],
        "bob": [(47, -20), (42, -38), (20, -46), (-6, -49), (-34, -44), (-42, -36), (-47, -20)],
        "bun": [(47, -24), (38, -46), (0, -53), (-38, -46), (-47, -24)],
        "curls": [(47, -22), (40, -40), (20, -50), (0, -48), (-20, -50), (-40, -40), (-47, -22)],
    }
    whole = np.concatenate([_smooth(crown), _smooth(hairlines[looks.style])])
    pen.fill(whole * (looks.width, 1), looks.hair)
    if looks.style == "curly":
        for angle in np.linspace(0.1 * np.pi, 0.9 * np.pi, 9):
            center = (47 * looks.width * np.cos(angle), -26 - 46 * np.sin(angle))
            pen.fill(_oval(center, 11, 9), looks.hair)
    sheen = _smooth([(-34, -58), (-14, -70), (10, -72)]) * (looks.width, 1)
    pen.line(sheen, _mix(looks.hair, (255, 255, 255), 0.14), 2.5)


@cache
def _backdrop(looks: Looks) -> np.ndarray:
    """White wall, shirt and neck: what does not move, at drawing size."""
    pixels = np.full((HEIGHT * _FINER, WIDTH * _FINER, 3), 247, np.uint8)
    pen = _Pen(pixels, (0.0, 0.0, 0.0))
    broad = 106 if looks.jaw > 0.97 else 92
    shoulder = [(24, 70), (52, 77), (broad - 14, 84), (broad, 104)]
    left = [(-across, down) for across, down in reversed(shoulder)]
    pen.fill(np.concatenate([_smooth([*left]), _smooth(shoulder)]), looks.shirt)
    neck = [(-21, 30), (21, 30), (22, 68), (27, 74), (0, 88), (-27, 74), (-22, 68)]
    pen.fill(np.array(neck, float), _mix(looks.skin, _shade(looks), 0.25))
    return pixels


@cache
def _light(side: float) -> np.ndarray:
    """How much light falls on each pixel: (180, 320, 3), uint8, 255 is all of it."""
    across = np.linspace(-1, 1, WIDTH)[None]
    down = np.linspace(0, 1, HEIGHT)[:, None]
    share = 1 - 0.1 * (1 - side * across) / 2 * abs(side) - 0.06 * down
    return np.repeat((255 * share).astype(np.uint8)[:, :, None], 3, axis=2)


def _crease(pen: _Pen, points: np.ndarray, looks: Looks, depth: float, width: float) -> None:
    """A line in the skin that comes up with `depth`, from 0 (not there) to 1."""
    if depth > 0.1:
        shade = _mix(looks.skin, _shade(looks), round(min(depth, 1.0), 1))
        pen.line(points, shade, width)


@cache
def _shade(looks: Looks) -> Color:
    return _mix(looks.skin, (70, 26, 20), 0.45)


def _reach(intensity: float, per_unit: float, most: float) -> float:
    """How far a muscle pulls (px): nearly straight at first, never more than `most`."""
    return most * float(np.tanh(per_unit * intensity / most))


@cache
def _mix(color: Color, other: Color, share: float) -> Color:
    return tuple(
        int(min(max(one + share * (two - one), 0), 255))
        for one, two in zip(color, other, strict=True)
    )


def _ease(progress: np.ndarray) -> np.ndarray:
    """From 0 to 1 without a jerk at either end."""
    inside = np.clip(progress, 0.0, 1.0)
    return inside * inside * (3 - 2 * inside)


def _oval(center: tuple[float, float], across: float, down: float) -> np.ndarray:
    return _circle() * (across, down) + center


@cache
def _circle() -> np.ndarray:
    angles = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _smooth(points: list[tuple[float, float]] | np.ndarray, closed: bool = False) -> np.ndarray:
    """A smooth curve through points (Catmull & Rom 1974), (curve points, 2) in px."""
    return _catmull_rom(len(points), closed) @ np.asarray(points, dtype=float)


@cache
def _catmull_rom(count: int, closed: bool) -> np.ndarray:
    """The weights of `count` points in each point of the curve; they depend on nothing else."""
    each = np.eye(count)
    if closed:
        padded = np.concatenate([each[-1:], each, each[:2]])
    else:
        padded = np.concatenate([each[:1], each, each[-1:]])
    windows = np.stack([padded[start : len(padded) - 3 + start] for start in range(4)])
    along = np.linspace(0, 1, 6, endpoint=False)[:, None] ** np.arange(4)
    cubic = along @ (0.5 * np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]))
    weights = np.einsum("sk,kpc->psc", cubic, windows).reshape(-1, count)
    return weights if closed else np.concatenate([weights, each[-1:]])
