"""Draw the offline stand-in for CIFAR-10: its ten classes as small drawings, for machines without the data set.

Every part has coordinates of its own, x to the right and y down; the whole drawing spans about -1 to 1. All is drawn
four times too large and then reduced, which smooths the edges.
"""

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIZE, ZOOM = 32, 4
SIDES = (-1, 1)

BLACK, WHITE, GLASS, LAMP = (28, 26, 30), (238, 238, 234), (60, 84, 104), (250, 242, 196)
PINK, LIME, STRAW = (214, 130, 130), (176, 196, 90), (236, 220, 130)
PAINT = ((186, 44, 40), (44, 84, 160), (222, 222, 220), (60, 62, 70), (214, 166, 40), (60, 130, 90), (150, 152, 160))
FUR = ((150, 98, 56), (92, 62, 44), (200, 150, 92), (206, 122, 56), (226, 214, 196), (62, 58, 60), (140, 134, 130))
SKIN = ((90, 150, 50), (120, 128, 52), (58, 112, 72), (150, 112, 60), (176, 168, 60), (190, 90, 50))
PLUMAGE = ((170, 54, 48), (60, 100, 170), (120, 92, 66), (214, 178, 62), (62, 60, 66), (222, 218, 210), (96, 132, 84))
WOOD = ((92, 62, 44), (120, 92, 62), (190, 166, 130))
SKIES = ((96, 152, 214), (168, 196, 222), (190, 192, 196), (226, 176, 136), (70, 104, 164))
WALLS = ((216, 208, 192), (190, 200, 204), (206, 178, 160), (160, 170, 150), (120, 128, 150))
GROUNDS = {
    "sky": SKIES,
    "grass": ((96, 138, 62), (142, 150, 80), (66, 102, 58), (176, 156, 100)),
    "water": ((52, 100, 142), (70, 132, 150), (98, 118, 130), (40, 76, 110)),
    "road": ((116, 116, 120), (92, 92, 98), (150, 142, 130), (176, 168, 152)),
    "indoor": ((150, 112, 76), (180, 166, 150), (110, 96, 92), (196, 180, 140)),
}

_CIRCLE = np.array([(math.cos(angle), math.sin(angle)) for angle in np.arange(20) * math.pi / 10])
_SLOPE = np.linspace(-1, 1, SIZE, dtype=np.float32)


class _Pen:
    """Draws filled shapes whose coordinates are counted along `axes` (two rows of pixels) from `origin`."""

    def __init__(self, brush, axes, origin):
        self._brush, self._axes, self._origin = brush, axes, origin

    def at(self, x, y, size=(1, 1), angle=0.0):
        """A pen for a part: centred on (x, y), `size` times as (wide, high), turned by `angle` radians."""
        (wide, high), cos, sin = size, math.cos(angle), math.sin(angle)
        axes = np.array([[wide * cos, wide * sin], [-high * sin, high * cos]])
        return _Pen(self._brush, axes @ self._axes, (x, y) @ self._axes + self._origin)

    def _pixels(self, points):
        return (np.asarray(points) @ self._axes + self._origin).ravel().tolist()

    def shape(self, colour, *points):
        """A polygon."""
        self._brush.polygon(self._pixels(points), fill=colour)

    def blob(self, colour, *points):
        """A polygon with rounded corners (Chaikin's corner cutting, twice)."""
        for _ in range(2):
            points = np.asarray(points)
            after = np.concatenate([points[1:], points[:1]])
            points = np.stack([0.75 * points + 0.25 * after, 0.25 * points + 0.75 * after], axis=1).reshape(-1, 2)
        self.shape(colour, *points)

    def oval(self, colour, x, y, wide, high=None, angle=0.0):
        """An ellipse with half-axes `wide` and `high` (without `high` a circle), turned by `angle` radians."""
        self.at(x, y, (wide, high or wide), angle).shape(colour, *_CIRCLE)

    def line(self, colour, width, *points):
        """A bent line of the given width."""
        width = max(2, round(width * math.hypot(*self._axes[1])))
        self._brush.line(self._pixels(points), fill=colour, width=width, joint="curve")


def _pick(rng, choices):
    return choices[rng.integers(len(choices))]


def _colour(rng, palette):
    """One of `palette`, made a little lighter or darker and a little different in hue."""
    return tuple((rng.integers(-10, 11, 3) + rng.integers(-22, 23) + _pick(rng, palette)).clip(0, 255).tolist())


def _shade(colour, factor):
    """`colour` made darker (factor below 1) or lighter (above 1)."""
    return tuple(min(255, int(part * factor)) for part in colour)


def _airplane(pen, rng):
    paint, trim, fat = _colour(rng, PAINT + 4 * (WHITE,)), _colour(rng, PAINT), rng.uniform(0.1, 0.18)
    wing, back, dark = rng.uniform(0.6, 0.9), rng.uniform(0.1, 0.4), _shade(paint, 0.78)
    if rng.random() < 0.4:  # seen from above
        pen = pen.at(0, 0, (0.9, 0.9), rng.uniform(-1.2, 0.6))
        for side in SIDES:
            pen.shape(dark, (0.2, 0), (-back, side * wing), (-back - 0.15, side * wing), (-0.15, 0))
            pen.shape(trim, (-0.75, 0), (-0.95, side * 0.3), (-1.05, side * 0.3), (-0.95, 0))
            pen.oval(_shade(paint, 0.55), 0.06 - back / 3, side * wing * 0.42, 0.1, 0.05)
        pen.oval(paint, 0, 0, 0.95, 0.12)
    else:
        pen = pen.at(0, 0, (rng.uniform(0.8, 1), 1), rng.uniform(-0.35, 0.1))
        pen.shape(dark, (0.2, -0.05), (-0.1, -0.4), (-0.22, -0.4), (-0.1, -0.05))
        pen.shape(trim, (-0.55, -0.05), (-0.9, -0.5), (-1.02, -0.5), (-0.92, 0))
        pen.blob(paint, (0.5, -fat), (0.95, -0.02), (0.95, fat), (0, fat), (-0.6, fat), (-0.95, -fat / 2))
        for x in np.arange(-0.5, 0.5, 0.17):
            pen.oval(GLASS, x, -0.04, 0.04)
        pen.shape(dark, (0.25, 0.04), (-0.25, wing - 0.2), (-0.42, wing - 0.2), (-0.12, 0.04))
        pen.oval(_shade(paint, 0.5), 0, 0.24, 0.12, 0.06)
    pen.oval(GLASS, 0.75, -0.02, 0.08, 0.045)


def _wheels(pen, size, y, places):
    for x in places:
        pen.oval(BLACK, x, y, size)
        pen.oval(PAINT[-1], x, y, size * 0.48)


def _front(pen, paint, roof):
    """An automobile or a truck that comes towards you."""
    for side in SIDES:
        pen.line(BLACK, 0.2, (side * 0.84, 0.3), (side * 0.84, 0.7))
    pen.blob(paint, (-0.85, -roof), (0.85, -roof), (1.1, 0.1), (1, 0.6), (-1, 0.6), (-1.1, 0.1))
    pen.shape(GLASS, (-0.7, 0.12 - roof), (0.7, 0.12 - roof), (0.8, -0.06), (-0.8, -0.06))
    pen.line(_shade(paint, 0.45), 0.18, (-0.5, 0.27), (0.5, 0.27))
    pen.line(_shade(paint, 0.7), 0.13, (-1, 0.52), (1, 0.52))
    for side in SIDES:
        pen.oval(LAMP, side * 0.76, 0.24, 0.15, 0.09)


def _automobile(pen, rng):
    paint, roof = _colour(rng, PAINT), rng.uniform(0.3, 0.48)
    if rng.random() < 0.3:
        return _front(pen.at(0, 0, (rng.uniform(0.62, 0.78), 1)), paint, roof + 0.07)
    rear, front = rng.uniform(-0.78, -0.45), rng.uniform(0.1, 0.3)
    cabin = np.array([(rear - 0.12, 0), (rear + 0.1, -roof), (front, -roof), (front + 0.32, 0)])
    pen.shape(_shade(paint, 0.9), *cabin)
    pen.shape(GLASS, *(cabin * (0.86, 0.84) - (0.02, 0)))
    pen.line(paint, 0.07, ((rear + front) / 2, -roof), ((rear + front) / 2, 0.05))
    pen.blob(paint, (-0.92, -0.06), (0.3, -0.06), (0.9, 0.02), (0.98, 0.34), (0, 0.34), (-0.96, 0.34), (-0.98, 0.1))
    pen.line(_shade(paint, 0.6), 0.05, (-0.9, 0.3), (0.92, 0.3))
    pen.oval(LAMP, 0.84, 0.1, 0.08, 0.06)
    pen.oval(PAINT[0], -0.88, 0.08, 0.06, 0.07)
    _wheels(pen, rng.uniform(0.17, 0.22), 0.34, (-0.55, 0.55))


def _truck(pen, rng):
    paint, load, roof, top = _colour(rng, PAINT), _colour(rng, PAINT), rng.uniform(0.3, 0.5), rng.uniform(0.4, 0.75)
    end, kind = rng.uniform(0.1, 0.35), rng.random()
    if kind < 0.3:  # from the front, the load behind it
        pen.shape(load, (-0.65, -top - 0.2), (0.65, -top - 0.2), (0.65, 0.5), (-0.65, 0.5))
        return _front(pen.at(0, 0, (rng.uniform(0.5, 0.65), 1)), paint, roof + 0.12)
    if kind < 0.5:  # a tanker
        pen.oval(load, end / 2 - 0.5, 0, 0.48 + end / 2, 0.32)
        pen.line(_shade(load, 1.25), 0.06, (-0.75, -0.14), (end - 0.2, -0.14))
    else:  # a container
        pen.shape(load, (-0.98, -top), (end, -top), (end, 0.3), (-0.98, 0.3))
        for x in np.linspace(-0.98, end, 5)[1:-1]:
            pen.line(_shade(load, 0.8), 0.04, (x, -top), (x, 0.25))
    pen.shape(paint, (end + 0.05, -roof), (0.74, -roof), (0.9, -0.02), (0.96, 0.36), (end + 0.05, 0.36))
    pen.shape(GLASS, (end + 0.18, 0.1 - roof), (0.7, 0.1 - roof), (0.82, 0.02), (end + 0.18, 0.02))
    pen.line(BLACK, 0.1, (-0.95, 0.33), (0.9, 0.33))
    pen.oval(LAMP, 0.9, 0.16, 0.06)
    _wheels(pen, rng.uniform(0.17, 0.22), 0.42, _pick(rng, ((-0.72, -0.3, 0.62), (-0.6, 0.62))))


def _ship(pen, rng):
    hull, trim, keel = _colour(rng, PAINT), _colour(rng, PAINT), rng.uniform(0.42, 0.6)
    if rng.random() < 0.4:  # under sail
        sail, rig = _colour(rng, (WHITE, WHITE, WALLS[0], PAINT[0])), pen.at(0, 0.12, rng.uniform(0.75, 1.1, 2))
        rig.line(WOOD[0], 0.06, (0, 0.1), (0, -0.9))
        rig.shape(sail, (-0.06, -0.9), (-0.06, 0), (-0.6, -0.02))
        rig.shape(_shade(sail, 0.85), (0.06, -0.85), (0.06, 0), (0.55, 0))
        rig.shape(trim, (0, -0.9), (-0.2, -0.84), (0, -0.78))
        pen.shape(hull, (-0.75, 0.2), (0.85, 0.18), (0.6, keel), (-0.6, keel))
    else:
        house, deck = pen.at(rng.uniform(-0.65, -0.1), 0), -rng.uniform(0.2, 0.35)
        house.line(trim, 0.18, (0.2, -0.58), (0.2, 0))
        house.line(BLACK, 0.18, (0.2, -0.6), (0.2, -0.5))
        house.shape(WHITE, (-0.1, deck), (0.55, deck), (0.65, 0.15), (-0.1, 0.15))
        for x in (0, 0.16, 0.32, 0.48):
            house.oval(GLASS, x, 0.06 + deck / 2, 0.045)
        for x in (0.75, 0.95):  # cargo
            house.line(_colour(rng, PAINT), 0.18, (x, rng.uniform(-0.2, 0)), (x, 0.15))
        pen.shape(hull, (-0.92, 0.1), (0.65, 0.1), (1, -0.02), (0.78, keel), (-0.85, keel))
        pen.line(trim, 0.05, (-0.9, 0.08 + keel / 2), (0.84, 0.06 + keel / 2))
    waves = [(x, keel - 0.08 + 0.06 * (number % 2)) for number, x in enumerate(np.linspace(-1.1, 1.1, 12))]
    pen.shape(_colour(rng, GROUNDS["water"]), *waves, (1.1, keel + 0.15), (-1.1, keel + 0.15))


def _bird(pen, rng):
    feather, belly, bill = _colour(rng, PLUMAGE), _colour(rng, PLUMAGE), _colour(rng, (PAINT[4], BLACK))
    dark, fat, flying = _shade(feather, 0.7), rng.uniform(0.2, 0.32), rng.random() < 0.45
    wing, back = rng.uniform(0.6, 0.85), rng.uniform(0, 0.4)
    if flying:
        pen.shape(dark, (0.25, -0.05), (0.45 - back, -wing), (0.2 - back, -wing * 0.8), (-0.1, 0))
    else:
        for x in (-0.1, 0.1):
            pen.line(bill, 0.05, (x, 0.2), (x + 0.02, 0.62), (x + 0.14, 0.62))
    pen.shape(dark, (-0.3, -0.05), (-0.9, rng.uniform(-0.2, 0.25)), (-0.82, 0.28), (-0.3, 0.16))
    pen.oval(feather, -0.05, 0.04, 0.46, fat, angle=-0.3)
    pen.oval(belly, 0.06, 0.14, 0.3, fat * 0.6, angle=-0.3)
    pen.shape(bill, (0.5, -0.36), (rng.uniform(0.76, 0.95), -0.24), (0.5, -0.18))
    pen.oval(feather, 0.4, -0.28, rng.uniform(0.19, 0.25))
    pen.oval(WHITE, 0.46, -0.32, 0.07)
    pen.oval(BLACK, 0.47, -0.32, 0.045)
    if flying:
        pen.shape(_shade(feather, 0.85), (0.2, 0), (-back, -wing), (-back - 0.3, -wing * 0.9), (-0.35, 0.05))
    else:
        pen.oval(dark, -0.16, 0, 0.32, fat * 0.55, angle=-0.35)


def _frog(pen, rng):
    skin, fat = _colour(rng, SKIN), rng.uniform(0.3, 0.4)
    dark, pale, mouth, eyes = _shade(skin, 0.72), _shade(skin, 1.35), _shade(skin, 0.4), ((-0.3, -0.24), (0.3, -0.24))
    if rng.random() < 0.55:  # seen from the front
        for side in SIDES:
            pen.oval(dark, side * 0.58, 0.3, 0.28, 0.2, angle=side * 0.6)
            pen.line(dark, 0.09, (side * 0.5, 0.5), (side * 0.88, 0.54))
        pen.oval(skin, 0, 0.16, 0.56, fat)
        pen.oval(pale, 0, 0.3, 0.36, fat * 0.6)
        for side in SIDES:
            pen.line(skin, 0.13, (side * 0.3, 0.25), (side * 0.26, 0.54), (side * 0.44, 0.56))
        pen.line(mouth, 0.05, (-0.42, 0.02), (-0.2, 0.12), (0.2, 0.12), (0.42, 0.02))
    else:
        pen.blob(skin, (-0.75, 0.5), (-0.5, 0.05), (0.1, -0.4), (0.7, -0.3), (0.85, 0), (0.5, 0.3), (0, 0.5))
        pen.blob(pale, (0.1, 0.3), (0.45, 0.02), (0.82, -0.04), (0.6, 0.26), (0.2, 0.5))
        pen.line(mouth, 0.04, (0.45, 0), (0.8, -0.06))
        pen.line(skin, 0.11, (0.35, 0.2), (0.3, 0.52), (0.52, 0.56))
        pen.oval(dark, -0.4, 0.26, fat, 0.2, angle=-0.5)
        pen.line(dark, 0.1, (-0.62, 0.44), (-0.1, 0.5), (0.06, 0.56))
        eyes = ((0.42, -0.36),)
    for x, y in eyes:
        for colour, size in ((skin, 0.18), (STRAW, 0.12), (BLACK, 0.065)):
            pen.oval(colour, x, y, size)


def _legs(pen, rng, coat, hind, fore, foot, width):
    """Four legs in mid-step from x = `hind` and x = `fore` down to y = `foot`, the far pair darker."""
    for shade, shift in ((0.62, 0.14), (0.9, 0)):
        for x in (hind + shift, fore + shift):
            step = rng.uniform(-0.12, 0.12)
            pen.line(_shade(coat, shade), width, (x, 0.1), (x + step * 0.4, 0.05 + foot / 2), (x + step, foot))


def _cat_head(pen, rng, fur):
    for side in SIDES:
        tip = (side * 0.95, -rng.uniform(1.2, 1.5))
        pen.shape(fur, (side * 0.15, -0.75), tip, (side * 0.95, -0.1))
        pen.shape(PINK, (side * 0.5, -0.75), tip, (side * 0.85, -0.45))
    pen.oval(fur, 0, 0, 1, 0.84)
    pen.oval(_shade(fur, 1.3), 0, 0.4, 0.42, 0.3)
    for side in SIDES:
        pen.oval(LIME, side * 0.42, -0.1, 0.22, 0.18)
        pen.oval(BLACK, side * 0.42, -0.1, 0.08, 0.18)
        for drop in (0.25, 0.5):
            pen.line(WHITE, 0.04, (side * 0.4, 0.35), (side * 1.25, drop))
    pen.shape(PINK, (-0.14, 0.2), (0.14, 0.2), (0, 0.38))


def _dog_head(pen, rng, fur):
    pen.oval(fur, 0, 0, 0.86, 1)
    pen.oval(_shade(fur, 1.35), 0, 0.5, 0.5)
    for side in SIDES:
        pen.oval(_shade(fur, 0.6), side * 0.85, 0, 0.28, 0.62, angle=side * 0.25)
        pen.oval(BLACK, side * 0.36, -0.15, 0.13)
    pen.oval(BLACK, 0, 0.3, 0.22, 0.16)
    pen.oval(PINK, 0, 0.82, 0.16, rng.uniform(0.1, 0.3))


def _pet(pen, rng, head, tail, leg):
    """A cat or a dog: close up, sitting or walking. `head` draws its head, `tail` and `leg` are lengths."""
    fur, size, pose = _colour(rng, FUR), rng.uniform(0.9, 1.1), rng.random()
    if pose < 0.3:
        place, size = (0, 0), size * 0.58
        pen.blob(_shade(fur, 0.85), (-0.5, 0.3), (0.5, 0.3), (0.9, 1.3), (-0.9, 1.3))
    elif pose < 0.6:
        place, size = (0, -0.36), size * 0.38
        pen.line(fur, 0.12, (-0.2, 0.6), (-0.6, 0.55), (-0.6 - tail / 4, 0.55 - tail))
        pen.blob(_shade(fur, 0.85), (-0.2, -0.3), (0.2, -0.3), (0.5, 0.4), (0.45, 0.8), (-0.45, 0.8), (-0.5, 0.4))
        for side in SIDES:
            pen.line(fur, 0.14, (side * 0.13, 0.2), (side * 0.15, 0.78))
    else:
        place, size = (0.46, -0.22), size * 0.33
        pen.line(fur, 0.12, (-0.55, 0.1), (-0.75, -0.1), (-0.75 - tail / 4, -tail))
        _legs(pen, rng, fur, -0.5, 0.22, 0.3 + leg, 0.14)
        pen.oval(fur, -0.14, 0.14, 0.56, rng.uniform(0.2, 0.28))
    head(pen.at(*place, (size, size)), rng, fur)


def _cat(pen, rng):
    _pet(pen, rng, _cat_head, tail=rng.uniform(0.5, 0.8), leg=rng.uniform(0.25, 0.35))


def _dog(pen, rng):
    _pet(pen, rng, _dog_head, tail=rng.uniform(0.15, 0.45), leg=rng.uniform(0.3, 0.45))


def _hoofed(pen, rng, coat, stout, muzzle):
    """A deer or a horse without what tells them apart; returns pens for its trunk and its head."""
    x, y = rng.uniform(0.52, 0.64), -rng.uniform(0.35, 0.62)
    if rng.random() < 0.3:  # close up
        pen = pen.at(-0.4, 0.4, (1.4, 1.4))
    head = pen.at(x, y)
    _legs(pen, rng, coat, -0.46, 0.27, 0.84, 0.11 * stout)
    trunk = ((-0.66, -0.22), (-0.2, -0.16), (0.5, -0.2), (0.52, 0.16), (0, 0.22), (-0.5, 0.26), (-0.7, 0))
    pen.at(0, 0, (1, stout)).blob(coat, *trunk)
    pen.shape(coat, (0.3 - 0.16 * stout, -0.14), (x - 0.14, y - 0.06), (x + 0.1, y + 0.13), (0.5, 0.1))
    head.blob(coat, (-0.18, -0.14), (0.08, -0.15), (0.34, muzzle), (0.24, muzzle + 0.13), (-0.1, 0.15))
    head.oval(_shade(coat, 0.55), 0.27, muzzle + 0.04, 0.08)
    head.oval(BLACK, 0.04, -0.03, 0.045)
    return pen, head


def _deer(pen, rng):
    coat, bone, spread = _colour(rng, FUR[:4]), _colour(rng, WOOD), rng.uniform(0.6, 1)
    pen, head = _hoofed(pen, rng, coat, 0.75, 0.06)
    pen.oval(WHITE, -0.62, -0.02, 0.09, 0.12)
    for x in np.arange(-0.4, 0.2, rng.uniform(0.12, 0.4)):
        pen.oval(_shade(coat, 1.5), x, rng.uniform(-0.08, 0.04), 0.04)
    head.oval(_shade(coat, 0.8), -0.18, -0.1, 0.16, 0.07, angle=0.5)
    if rng.random() < 0.75:
        for lean in (-0.34 * spread, 0.2 * spread):
            head.line(bone, 0.05, (0, -0.12), (lean * 0.8, -0.28), (lean, -0.55))
            head.line(bone, 0.05, (lean * 0.8, -0.28), (lean * 0.8 + 0.18, -0.43))


def _horse(pen, rng):
    coat = _colour(rng, FUR[:3] + FUR[4:6])
    mane = _shade(coat, 0.45) if rng.random() < 0.7 else WOOD[2]
    pen, head = _hoofed(pen, rng, coat, 1, 0.16)
    head.line(mane, 0.14, (-0.04, -0.14), (-0.2, -0.04), (-0.5, 0.34))
    head.shape(coat, (-0.08, -0.1), (-0.08, -0.3), (0.08, -0.1))
    pen.blob(mane, (-0.58, -0.24), (-0.7, -0.2), (-0.95, rng.uniform(0.3, 0.6)), (-0.75, 0.45), (-0.66, 0.1))


# In the order of CIFAR-10's labels, 0 to 9: how a class is drawn, and above which grounds (one named twice comes twice
# as often). Grounds are shared, so that colour alone does not tell the class.
CLASSES = (
    (_airplane, ("sky", "sky", "sky", "road", "grass", "water")),
    (_automobile, ("road", "road", "grass", "indoor", "water")),
    (_bird, ("sky", "sky", "grass", "water", "indoor")),
    (_cat, ("indoor", "indoor", "grass", "road")),
    (_deer, ("grass", "grass", "road", "water", "sky")),
    (_dog, ("indoor", "grass", "grass", "road", "water")),
    (_frog, ("grass", "water", "road", "indoor")),
    (_horse, ("grass", "grass", "road", "indoor", "water")),
    (_ship, ("water", "water", "water", "sky", "road")),
    (_truck, ("road", "road", "grass", "indoor", "sky")),
)


def _background(rng, ground):
    """An image of the sky or a wall above `ground`, with clouds, furniture, bushes or hills."""
    side = SIZE * ZOOM
    horizon, light = rng.uniform(0.3, 0.75) * side, rng.uniform(-0.3, 0.3)
    upper = _colour(rng, WALLS if ground == "indoor" else SKIES)
    lower = upper if ground == "sky" else _colour(rng, GROUNDS[ground])
    rows = np.arange(side).reshape(-1, 1, 1)
    tones = np.where(rows < horizon, upper, lower) * (1 + light * (rows / side - 0.5))
    image = Image.fromarray(tones.clip(0, 255).astype(np.uint8)).resize((side, side), Image.Resampling.NEAREST)
    brush = ImageDraw.Draw(image)
    for _ in range(rng.integers(4)):
        x, wide, tone = rng.uniform(0, side), rng.uniform(5, 24), _shade(upper, rng.uniform(0.6, 1.2))
        if ground == "sky":
            y, high, tone = rng.uniform(0, side), wide * 0.45, _shade(upper, rng.uniform(1.05, 1.3))
        elif ground == "indoor":
            y, high = horizon - wide, wide * 1.2
        else:
            y, high, tone = horizon, wide * rng.uniform(0.3, 1.2), _colour(rng, GROUNDS["grass"])
        brush.ellipse((x - wide, y - high, x + wide, y + high), fill=tone)
    return image


def _light(rng, image):
    """The finished pixels: perhaps blurred, lit unevenly, tinted, and with the noise of a camera."""
    image = image.reduce(ZOOM)
    if rng.random() < 0.3:
        image = image.filter(ImageFilter.BoxBlur(rng.uniform(0.2, 0.9)))
    down, right, middle = rng.uniform(-0.2, 0.2), rng.uniform(-0.2, 0.2), rng.uniform(0.65, 1.15)
    light = middle + down * _SLOPE[:, None, None] + right * _SLOPE[:, None]
    noise = rng.standard_normal((SIZE, SIZE, 3), np.float32) * rng.uniform(2, 12)
    return (np.asarray(image) * light * rng.uniform(0.92, 1.08, 3) + noise).clip(0, 255).astype(np.uint8)


def _drawing(label, rng):
    drawer, grounds = CLASSES[label]
    image = _background(rng, _pick(rng, grounds))
    brush, half, size = ImageDraw.Draw(image), image.width / 2, rng.uniform(0.72, 1.05)
    pen = _Pen(brush, np.eye(2) * half, half)
    shift, mirrored = rng.uniform(-0.14, 0.14, 2), (size * _pick(rng, SIDES), size)
    drawer(pen.at(*shift, mirrored, rng.uniform(-0.1, 0.1)), rng)
    if rng.random() < 0.25:  # a post, a branch or a blade of grass in front
        x = rng.uniform(-1, 1)
        pen.line(
            _colour(rng, WOOD + GROUNDS["grass"]), rng.uniform(0.05, 0.2), (x, -1), (x + rng.uniform(-0.6, 0.6), 1)
        )
    return _light(rng, image)


def draw(count, seed):
    """Make `count` drawings of CIFAR-10's ten classes.

    Returns images, uint8 (count, 32, 32, 3) in 0–255, and labels, int64 (count,), 0 to 9 in CIFAR-10's order. Every
    ten drawings hold each class once, in random order. The same `seed` gives the same drawings, and a smaller `count`
    gives the first of them. Raises TypeError unless both are integers, ValueError where one is negative.
    Taught in notebooks/01-data.
    """
    count, seed = _natural("count", count), _natural("seed", seed)
    rounds = np.tile(np.arange(len(CLASSES)), (-(-count // len(CLASSES)), 1))
    labels = np.random.default_rng(seed).permuted(rounds, axis=1).ravel()[:count].astype(np.int64)
    images = np.empty((count, SIZE, SIZE, 3), np.uint8)
    for index, label in enumerate(labels):
        images[index] = _drawing(label, np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index,))))
    return images, labels


def _natural(name, value):
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name}: expected an integer, got {value!r} of type {type(value).__name__}")
    if value < 0:
        raise ValueError(f"{name}={value}: expected 0 or more")
    return int(value)
