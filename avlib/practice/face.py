"""The face of a practice clip: drawn, and moved by FACS action units.

The Facial Action Coding System describes a face by which muscles pull and how hard: action
unit 12 raises the corners of the mouth, 4 lowers the brows. Each unit here moves the part that
FACS says, by a distance that can be seen at the small intensities of real clips (0.5 to 2).
Source: Ekman & Friesen 1978, *Facial Action Coding System*.

All drawings of a clip are computed at once: below, a number may be an array, one for each
drawing, and points are ``(…, points, 2)``, in pixels of a frame from the middle of the head.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import islice
from types import SimpleNamespace as Looks
from typing import NamedTuple

import cv2
import numpy as np

from avlib.corpus.ravdess import ClipName
from avlib.practice import movement, performance
from avlib.practice.movement import ease
from avlib.practice.performance import ACTION_UNITS, HIGHEST_ACTION_UNIT

WIDTH, HEIGHT = 320, 180  # pixels of a frame
Numbers = float | np.ndarray
Color = tuple[int, int, int] | np.ndarray  # RGB
Units = Mapping[str, np.ndarray]  # action units, a number for each drawing
_HOLD = 2  # frames that show one drawing: animators' "on twos", half the work
_FINER = 2  # drawn this many times larger, then averaged down, for smooth edges
_SHIFT = 4  # OpenCV takes points in sixteenths of a pixel
_CENTER = (WIDTH / 2, 91.0)  # of the head, in pixels of a frame
_MOVING = slice(80, 240)  # columns of a frame; the head never leaves them
_MOVING_FINER = slice(_FINER * _MOVING.start, _FINER * _MOVING.stop)
_SIDES = (-1, 1)
_ACROSS_EYE = np.linspace(-1, 1, 15)
_ACROSS_LIP = np.linspace(-1, 1, 17)
_AROUND = np.linspace(0, 2 * np.pi, 28, endpoint=False)
_CIRCLE = np.stack([np.cos(_AROUND), np.sin(_AROUND)], axis=1)
_LOOKS, _FACE = 5, 6  # first keys of the random numbers here, see performance.py

_MEASURES = {  # of a face at rest, in pixels: between what numbers, of women and of men
    "width": ((0.99, 1.02), (0.99, 1.02)),  # of the head, 1 is average
    "jaw": ((0.92, 0.97), (1.0, 1.05)),  # its width, 1 is average
    "brow_y": ((-22.5, -22.0), (-22.5, -22.0)),
    "brow_thickness": ((5.4, 5.9), (6.0, 6.5)),
    "brow_arch": ((2.0, 2.5), (1.5, 2.0)),
    "eye_x": ((21.2, 21.8), (21.2, 21.8)),
    "eye_width": ((12.2, 12.8), (12.2, 12.8)),
    "eye_height": ((13.0, 13.6), (12.6, 13.0)),
    "nose_width": ((7.0, 8.5), (8.5, 10.5)),
    "nose_y": ((15.5, 16.5), (15.5, 16.5)),
    "mouth_y": ((37.2, 37.8), (37.2, 37.8)),
    "mouth_width": ((19.0, 20.0), (19.0, 20.0)),
    "lip_thickness": ((4.4, 4.9), (3.8, 4.3)),
}
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
_CROWN = [(-51, -14), (-53, -40), (-34, -70), (0, -79), (34, -70), (53, -40), (51, -14)]
_HAIRLINES = {
    "short": [(46, -32), (34, -47), (0, -50), (-34, -47), (-46, -32)],
    "parted": [(46, -30), (38, -45), (6, -48), (-20, -56), (-38, -45), (-46, -30)],
    "curly": [(45, -30), (36, -46), (18, -50), (0, -47), (-18, -51), (-36, -45), (-45, -30)],
    "receding": [(47, -34), (37, -52), (16, -53), (0, -50), (-16, -53), (-37, -52), (-47, -34)],
    "long": [(47, -20), (40, -40), (6, -56), (-6, -56), (-40, -40), (-47, -20)],
    "bob": [(47, -20), (42, -38), (20, -46), (-6, -49), (-34, -44), (-42, -36), (-47, -20)],
    "bun": [(47, -24), (38, -46), (0, -53), (-38, -46), (-47, -24)],
    "curls": [(47, -22), (40, -40), (20, -50), (0, -48), (-20, -50), (-40, -40), (-47, -22)],
}


def looks_of(actor: int) -> Looks:
    """What an actor (1 to 24) looks like, whatever the seed: nobody real, random numbers."""
    rng = np.random.default_rng((_LOOKS, actor))
    man = actor % 2 == 1
    generation = (actor - 1) // 2
    skin = _SKINS[(actor * 5 + generation) % len(_SKINS)]
    return Looks(
        **{name: rng.uniform(*ranges[man]) for name, ranges in _MEASURES.items()},
        skin=skin,
        hair=_HAIRS[(actor * 2 + generation) % len(_HAIRS)],
        iris=_IRISES[actor % len(_IRISES)],
        shirt=_SHIRTS[actor % len(_SHIRTS)],
        lip=_mix(skin, (176, 96, 86), 0.5) if man else _mix(skin, (200, 84, 92), 0.6),
        style=(_MALE_HAIR if man else _FEMALE_HAIR)[generation % 4],
        stubble=man and rng.random() < 0.4,  # a beard's shadow
        light=rng.uniform(-1.0, 1.0),  # from −1, lit from the left, to 1, lit from the right
    )


def frames(
    name: ClipName, row: Mapping[str, float], seed: int, sound: np.ndarray
) -> Iterator[np.ndarray]:
    """Draw a clip, frame by frame: ``(180, 320, 3)`` uint8 RGB, as many as its sound lasts.

    The name gives the actor; `row`, of `performance.draw`, the clip means of 17 action units;
    `seed` the head's movement and the moments of the blinks; and the mouth follows `sound`,
    ``(samples,)`` float32 at 48 kHz. A drawing is held for two frames: the same array twice.
    """
    rng = np.random.default_rng((seed, _FACE, *performance.clip_key(name)))
    intensities = movement.time_course(row, sound, rng)
    poses = movement.sway(len(intensities), rng)
    drawings = draw(name.actor, intensities[::_HOLD], poses[::_HOLD])
    return islice((drawing for drawing in drawings for _ in range(_HOLD)), len(intensities))


def draw(actor: int, intensities: np.ndarray, poses: np.ndarray) -> Iterator[np.ndarray]:
    """Draw an actor's face again and again: ``(180, 320, 3)`` uint8 RGB, on white.

    `intensities` are ``(drawings, 17)``, 0 to 5, in the order of ACTION_UNITS; `poses` are
    ``(drawings, 3)``, the head's place: right (px), down (px), clockwise (rad).
    """
    looks = looks_of(actor)
    units = dict(zip(ACTION_UNITS, intensities.T, strict=True))
    jaw = _reach(units["AU26"], 3.8, 14)
    strokes = [*_back_hair(looks), *_head(looks, jaw), *_nose_and_cheeks(looks, units)]
    for side in _SIDES:
        strokes += [*_eye(looks, units, side), *_brow(looks, units, side)]
    strokes += [*_mouth(looks, units, jaw), *_front_hair(looks)]

    backdrop, light, still = _backdrop(actor)
    canvas = backdrop.copy()
    for _ in _paint(canvas, strokes, poses):
        picture = still.copy()
        _average_and_light(canvas[:, _MOVING_FINER], light[:, _MOVING], picture[:, _MOVING])
        yield picture
        canvas[:, _MOVING_FINER] = backdrop[:, _MOVING_FINER]


@cache
def _backdrop(actor: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What does not move, at drawing size; the light on each pixel of a frame; and both."""
    looks = looks_of(actor)
    broad = 106 if looks.jaw > 0.97 else 92
    shoulder = [(24, 70), (52, 77), (broad - 14, 84), (broad, 104)]
    shirt = np.concatenate([_smooth(_mirrored(shoulder)), _smooth(shoulder)])
    neck = [(-21, 30), (21, 30), (22, 68), (27, 74), (0, 88), (-27, 74), (-22, 68)]
    strokes = [Stroke(shirt, looks.shirt), Stroke(_points(neck), _shaded(looks, 0.25))]
    canvas = np.full((HEIGHT * _FINER, WIDTH * _FINER, 3), 247, np.uint8)
    next(_paint(canvas, strokes, np.zeros((1, 3))))
    across = np.linspace(-1, 1, WIDTH)[None]
    down = np.linspace(0, 1, HEIGHT)[:, None]
    share = 1 - 0.1 * (1 - looks.light * across) / 2 * abs(looks.light) - 0.06 * down
    light = np.repeat((255 * share).astype(np.uint8)[:, :, None], 3, axis=2)
    still = np.empty_like(light)
    _average_and_light(canvas, light, still)
    return canvas, light, still


class Stroke(NamedTuple):
    """A line, or a filled shape, in every drawing of a clip."""

    points: np.ndarray  # (points, 2) or (drawings, points, 2)
    color: Color  # or (drawings, 3)
    width: float = 0.0  # px; 0 fills
    shown: bool | np.ndarray = True  # or (drawings,)


def _paint(canvas: np.ndarray, strokes: list[Stroke], poses: np.ndarray) -> Iterator[None]:
    """Paint on the canvas, pose after pose, and let the caller look at each."""
    count = len(poses)
    every = [np.broadcast_to(points, (count, *points.shape[-2:])) for points, *_ in strokes]
    cos, sin = np.cos(poses[:, 2]), np.sin(poses[:, 2])
    turned = np.concatenate(every, axis=1) @ np.array([[cos, sin], [-sin, cos]]).transpose(2, 0, 1)
    # OpenCV counts from the middle of a pixel, the drawing from its corner.
    on_canvas = (turned + (_CENTER + poses[:, None, :2])) * _FINER - 0.5
    fixed = np.rint(on_canvas * (1 << _SHIFT)).astype(np.int32)
    placed = np.split(fixed, np.cumsum([points.shape[1] for points in every])[:-1], axis=1)
    colors = [np.broadcast_to(stroke.color, (count, 3)).tolist() for stroke in strokes]
    shown = [np.broadcast_to(stroke.shown, count).tolist() for stroke in strokes]
    thick = [round(stroke.width * _FINER) for stroke in strokes]
    for number in range(count):
        for points, color, there, thickness in zip(placed, colors, shown, thick, strict=True):
            if not there[number]:
                continue
            shape, ink = [points[number]], color[number]
            if thickness:
                cv2.polylines(canvas, shape, False, ink, thickness, cv2.LINE_AA, _SHIFT)
            else:
                cv2.fillPoly(canvas, shape, ink, cv2.LINE_AA, _SHIFT)
        yield


def _average_and_light(canvas: np.ndarray, light: np.ndarray, picture: np.ndarray) -> None:
    height, width = light.shape[:2]
    small = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
    cv2.multiply(small, light, picture, scale=1 / 255)


def _head(looks: Looks, jaw: np.ndarray) -> Iterator[Stroke]:
    for side in _SIDES:
        yield Stroke(_oval((side * 48 * looks.width, 0), 7, 12), _shaded(looks, 0.35))
    yield Stroke(_oval((0, 66 + jaw), 22, 14), _shaded(looks, 0.55))
    right = [(46, -38), (48, -10), (45, 16), (37 * looks.jaw, 41), (22 * looks.jaw, 58)]
    ring = [*right, (0, 66), *_mirrored(right), (-32, -60), (0, -68), (32, -60)]
    outline = _smooth(ring, closed=True) * (looks.width, 1)
    dropped = outline + jaw[:, None, None] * ease((outline[:, 1:] - 12) / 54) * (0, 1)
    yield Stroke(dropped, looks.skin)
    if looks.stubble:
        low = dropped[:, outline[:, 1] > 14]
        upper = _smooth([(-39, 14), (-26, 26), (0, 25), (26, 26), (39, 14)]) * (looks.width, 1)
        upper = np.broadcast_to(upper, (len(low), *upper.shape))
        yield Stroke(_between(low, upper), _mix(looks.skin, looks.hair, 0.12))


def _nose_and_cheeks(looks: Looks, units: Units) -> Iterator[Stroke]:
    wrinkled = _reach(units["AU09"], 2.2, 6)
    raised = _reach(units["AU06"], 2.6, 7)
    nose_y, half = looks.nose_y - wrinkled, looks.nose_width + 0.3 * wrinkled
    red = np.round(0.08 + 0.06 * np.minimum(raised, 5), 2)
    under_eye = _smooth([(15, 5 - raised / 2), (24, 8 - raised), (34, 4 - raised)])
    fold = _smooth([(half + 2, nose_y - 1), (half + 10, nose_y + 9), (half + 12, nose_y + 19)])
    folded = 0.3 * units["AU10"] + 0.2 * units["AU12"] + 0.15 * units["AU09"] - 0.2
    wing = _smooth([(half - 4, nose_y - 6), (half, nose_y - 1), (half - 3, nose_y + 3)])
    for side in _SIDES:
        cheek = _oval((side * 30 * looks.width, 17 - raised), 10, 7)
        yield Stroke(cheek, _mix(looks.skin, (222, 108, 96), red))
        yield _crease(under_eye * (side, 1), looks, (units["AU06"] - 0.3) * 0.5, 1.0)
        yield _crease(fold * (side, 1), looks, folded, 1.1)
        for step in (0, 1, 2):  # across the bridge of the nose
            wrinkle = np.array([(1.5, -3 + 4 * step), (6 + step, -6 + 4 * step)])
            yield _crease(wrinkle * (side, 1), looks, (units["AU09"] - 0.5) * 0.5, 1.0)
        yield Stroke(wing * (side, 1), _shaded(looks, 0.7), 1.3)
        yield Stroke(_oval((side * half * 0.45, nose_y + 2.5), 2.2, 1.3), _shaded(looks, 1.2))
    ridge = _smooth([(-4, -12), (-3.5, 2), (-6, nose_y - 4)])
    yield Stroke(ridge, _shaded(looks, 0.35), 1.2)
    foot = _smooth([(-4, nose_y + 3.5), (0, nose_y + 5), (4, nose_y + 3.5)])
    yield Stroke(foot, _shaded(looks, 0.7), 1.2)


def _eye(looks: Looks, units: Units, side: int) -> Iterator[Stroke]:
    opened = 0.6 * looks.eye_height + _reach(units["AU05"], 4.5, 9)
    opened -= _reach(units["AU07"], 1.4, 3.5)
    lower = 0.4 * looks.eye_height - _reach(units["AU07"], 1.3, 3.0)
    lower = np.maximum(lower - _reach(units["AU06"], 1.2, 2.4), 0.4)
    closed = np.minimum(units["AU45"] / HIGHEST_ACTION_UNIT * 1.15, 1.0)
    upper = (1 - closed) * np.maximum(opened, 1.2) - closed * lower

    across, middle_y = _ACROSS_EYE, -6.0
    arch = (np.sqrt(1 - 0.96 * across**2) - 0.2) / 0.8
    corner_y = middle_y - 0.8 * across  # the outer corner lies a little higher
    horizontal = side * (looks.eye_x + across * looks.eye_width)
    top = _curve(horizontal, corner_y - upper[:, None] * arch)
    bottom = _curve(horizontal, corner_y + lower[:, None] * arch)

    lid = top - _points([(0, 3.4 + 0.25 * np.maximum(upper, 0))])
    yield Stroke(lid[:, 2:-1], _shaded(looks, 0.6), 1.1)
    seen = closed < 0.97
    yield Stroke(_between(top, bottom), (250, 249, 247), shown=seen)
    for radius, color in ((5.6, looks.iris), (2.7, (16, 14, 16))):
        disc = _oval((side * looks.eye_x, middle_y - 0.8), radius, radius)
        # What the lids cover of the iris is cut off, where they lie at the disc's points.
        each = np.eye(len(horizontal))
        weights = np.stack([np.interp(disc[:, 0], horizontal[::side], one) for one in each])
        roof, floor = (lid[:, ::side, 1] @ weights for lid in (top, bottom))
        cut = _curve(disc[:, 0], disc[:, 1].clip(roof, np.maximum(roof, floor)))
        yield Stroke(cut, color, shown=seen)
    glint = _oval((side * looks.eye_x + 1.8, middle_y - 2.6), 1.2, 1.2)
    yield Stroke(glint, (255, 255, 255), shown=seen & (upper > 3))
    yield Stroke(bottom[:, 1:-1], _shaded(looks, 0.8), 1.0)
    yield Stroke(top, (30, 22, 22), 2.4 if looks.brow_thickness < 6.0 else 1.9)
    yield _crease(bottom[:, 3:-3] + (0, 3.2), looks, (units["AU07"] - 0.8) * 0.35, 1.0)


def _brow(looks: Looks, units: Units, side: int) -> Iterator[Stroke]:
    inner_up = _reach(units["AU01"], 10.0, 19)
    outer_up = _reach(units["AU02"], 9.5, 18)
    lowered = _reach(units["AU04"], 5.0, 11)
    together = _reach(units["AU04"], 3.0, 5.5)
    base, arch = looks.brow_y, looks.brow_arch
    inner_y = base + 2.5 - inner_up + lowered + _reach(units["AU09"], 1.2, 3)
    middle_y = base - arch + 1 - 0.45 * (inner_up + outer_up) + 0.55 * lowered
    outer_y = base + 7.5 - outer_up + 0.2 * lowered
    spine = _smooth([(9.5 - together, inner_y), (22 - together / 2, middle_y), (36, outer_y)])
    taper = looks.brow_thickness / 2 * np.linspace(1.0, 0.25, spine.shape[-2])[:, None] * (0, 1)
    hair = _mix(looks.hair, (28, 20, 18), 0.75)
    yield Stroke(_between(spine - taper, spine + taper) * (side, 1), hair)

    furrow = _points([(3.6 - together / 3, inner_y - 6), (3.0 - together / 3, inner_y + 4)])
    yield _crease(furrow * (side, 1), looks, (units["AU04"] - 0.6) * 0.6, 1.2)
    both = (units["AU01"] + units["AU02"]) / 2
    for step, raised in ((7, units["AU01"]), (12, both)):  # lines across the forehead
        across = _smooth([(0, inner_y - step), (12, inner_y - step - 1), (24, middle_y - step)])
        yield _crease(across * (side, 1), looks, (raised - 0.9) * 0.35, 1.0)


def _mouth(looks: Looks, units: Units, jaw: np.ndarray) -> Iterator[Stroke]:
    smile, frown = _reach(units["AU12"], 4.5, 12), _reach(units["AU15"], 7.0, 12)
    tight, chin = _reach(units["AU23"], 4.0, 5), _reach(units["AU17"], 6.0, 8)
    lifted = _reach(units["AU10"], 3.6, 8)
    parted = _reach(units["AU25"], 3.8, 16)
    half = looks.mouth_width + 0.75 * smile + _reach(units["AU20"], 4.5, 9)
    half -= tight + 0.35 * jaw + 0.1 * parted
    thick = looks.lip_thickness * np.maximum(1 - 0.16 * tight, 0.3)

    rest = looks.mouth_y + 0.25 * jaw
    corner_y = rest - smile + frown + 0.3 * parted - 0.4 * lifted
    roof = rest - lifted - 0.05 * parted
    floor = rest + 0.95 * parted + np.minimum(0.75 * jaw, 1.5 * parted) - 0.7 * chin
    floor = np.maximum(floor, roof)
    foot = floor + thick * 1.25

    inner_top = _lip(half - 1.5, corner_y, roof)
    inner_foot = _lip(half - 1.5, corner_y, floor)
    outer_top = _lip(half, corner_y, roof - thick * 0.9)
    # The cupid's bow.
    outer_top[..., 1] += (0.25 * thick)[:, None] * np.exp(-((_ACROSS_LIP / 0.16) ** 2))
    yield Stroke(_between(outer_top, inner_top), _mix(looks.lip, (90, 30, 34), 0.2))
    yield Stroke(_between(inner_foot, _lip(half, corner_y, foot)), looks.lip)
    gap = floor - roof
    is_open = gap > 0.8
    yield Stroke(_between(inner_top, inner_foot), (84, 26, 30), shown=is_open)
    low = np.minimum(0.32 * gap, 3.6)
    teeth = np.minimum(inner_top[..., 1] + low[:, None], inner_foot[..., 1])
    edge = _curve(inner_top[..., 0], teeth)
    yield Stroke(_between(inner_top, edge)[:, 1:-1], (246, 243, 236), shown=is_open)
    tongue = _oval((0, floor - 0.14 * gap), 0.5 * half, 0.16 * gap)
    yield Stroke(tongue, (150, 62, 66), shown=gap > 7)
    yield Stroke(inner_top, (104, 44, 44), 1.0)
    yield Stroke(inner_top, (96, 40, 40), 1.4, ~is_open)

    dimple = [(half + 2.5, corner_y - 4), (half + 4.5, corner_y), (half + 2.5, corner_y + 4)]
    drawn_down = _points([(half, corner_y), (half + 2.5, corner_y + 3.5)])
    for side in _SIDES:
        yield _crease(_smooth(dimple) * (side, 1), looks, (units["AU14"] - 0.4) * 0.6, 1.2)
        yield _crease(drawn_down * (side, 1), looks, (units["AU15"] - 0.3) * 0.8, 1.2)
    under = foot + 4.5
    shadow = _smooth([(-8, under), (0, under + 1.2 - chin * 0.6), (8, under)])
    yield Stroke(shadow, _shaded(looks, 0.45), 1.2)
    boss = _smooth([(-9, under + 7), (0, under + 3.5 - chin * 0.4), (9, under + 7)])
    yield _crease(boss, looks, (units["AU17"] - 0.1) * 1.2, 1.2)


def _lip(half: np.ndarray, corner_y: np.ndarray, middle_y: np.ndarray) -> np.ndarray:
    """A lip's edge from one corner over a given height in the middle to the other."""
    bow = 1 - np.abs(_ACROSS_LIP) ** 2.4
    down = corner_y[:, None] + (middle_y - corner_y)[:, None] * bow
    return _curve(_ACROSS_LIP * half[:, None], down)


def _back_hair(looks: Looks) -> Iterator[Stroke]:
    wide = looks.width
    if looks.style in ("long", "bob"):
        ends = 72 if looks.style == "long" else 42
        side = [(40, -64), (53, -30), (54, 10), (53, ends - 14), (42, ends)]
        ring = [(0, -80), *side, *_mirrored(side)]
        yield Stroke(_smooth(ring, closed=True) * (wide, 1), looks.hair)
    elif looks.style == "bun":
        yield Stroke(_oval((0, -76), 19, 13), _mix(looks.hair, (0, 0, 0), 0.15))
        yield Stroke(_oval((0, -22), 52 * wide, 54), looks.hair)
    elif looks.style == "curls":
        for angle in np.linspace(-0.25 * np.pi, 1.25 * np.pi, 15):
            center = (46 * wide * np.cos(angle), -20 - 46 * np.sin(angle))
            yield Stroke(_oval(center, 13, 13), looks.hair)
    else:
        yield Stroke(_oval((0, -24), 51 * wide, 51), looks.hair)


def _front_hair(looks: Looks) -> Iterator[Stroke]:
    whole = np.concatenate([_smooth(_CROWN), _smooth(_HAIRLINES[looks.style])])
    yield Stroke(whole * (looks.width, 1), looks.hair)
    if looks.style == "curly":
        for angle in np.linspace(0.1 * np.pi, 0.9 * np.pi, 9):
            center = (47 * looks.width * np.cos(angle), -26 - 46 * np.sin(angle))
            yield Stroke(_oval(center, 11, 9), looks.hair)
    sheen = _smooth([(-34, -58), (-14, -70), (10, -72)]) * (looks.width, 1)
    yield Stroke(sheen, _mix(looks.hair, (255, 255, 255), 0.14), 2.5)


def _crease(points: np.ndarray, looks: Looks, depth: np.ndarray, width: float) -> Stroke:
    """A line in the skin that comes up with `depth`, from 0 (not there) to 1."""
    return Stroke(points, _shaded(looks, np.round(depth.clip(0, 1), 1)), width, depth > 0.1)


def _reach(intensity: np.ndarray, per_unit: float, most: float) -> np.ndarray:
    """How far a muscle pulls (px): nearly straight at first, never more than `most`."""
    return most * np.tanh(per_unit * intensity / most)


def _shaded(looks: Looks, share: Numbers) -> np.ndarray:
    """The skin, so much of the way to its shade."""
    return _mix(looks.skin, _mix(looks.skin, (70, 26, 20), 0.45), share)


def _mix(color: Color, other: Color, share: Numbers) -> np.ndarray:
    """A colour, so much of the way to another, (…, 3)."""
    step = np.subtract(other, color)
    return (color + np.multiply.outer(share, step)).clip(0, 255).astype(int)


def _mirrored(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """On the other side of the head, in reverse order: so that a shape closes."""
    return [(-across, down) for across, down in reversed(points)]


def _curve(right: np.ndarray, down: np.ndarray) -> np.ndarray:
    return np.stack(np.broadcast_arrays(right, down), axis=-1)


def _points(pairs: list[tuple[Numbers, Numbers]]) -> np.ndarray:
    numbers = np.broadcast_arrays(*(number for pair in pairs for number in pair))
    return np.stack(numbers, axis=-1, dtype=float).reshape(*numbers[0].shape, -1, 2)


def _between(curve: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The outline of what lies between two curves that run in the same direction."""
    return np.concatenate([curve, other[..., ::-1, :]], axis=-2)


def _oval(center: tuple[Numbers, Numbers], across: Numbers, down: Numbers) -> np.ndarray:
    return _CIRCLE * _points([(across, down)]) + _points([center])


def _smooth(pairs: list[tuple[Numbers, Numbers]], closed: bool = False) -> np.ndarray:
    """A smooth curve through points (Catmull & Rom 1974)."""
    return _catmull_rom(len(pairs), closed) @ _points(pairs)


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
