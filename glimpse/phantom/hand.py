"""The anatomy of a hand: its outline and height, and the positions of joints, nails, creases, veins and tendons.

A hand is drawn in its own frame: mm from the middle of the wrist, y towards the fingertips, the thumb at negative x as
in a right hand seen from the back; left hands and palms are mirrored. Lengths and breadths are those of a hand
191 mm long, scaled by the person's size. A finger is a bent chain of three bones in a tube of varying radius.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import distance_transform_edt, gaussian_filter

from glimpse.phantom.fields import Field, Line, bounding_box, smooth_line, smoothstep
from glimpse.phantom.person import Person

# knuckle x, y; direction in degrees from y towards +x; bones (the last to the middle of the pad); diameters at web,
# mid-bone, joint, mid-bone, joint, pad
FINGERS = {
    "thumb": ((-44.0, 50.0), -38.0, (36.0, 23.0), (25.0, 21.5, 23.0, 21.5, 20.5, 17.0)),
    "index": ((-25.0, 88.0), -6.0, (44.0, 25.5, 17.5), (20.5, 19.3, 20.2, 17.6, 17.8, 15.2)),
    "middle": ((-4.0, 92.0), 0.5, (48.5, 29.0, 18.0), (20.8, 19.6, 20.6, 18.0, 18.2, 15.6)),
    "ring": ((15.5, 88.0), 6.5, (44.5, 27.5, 18.0), (19.8, 18.4, 19.2, 16.8, 17.0, 14.6)),
    "little": ((32.0, 79.0), 15.0, (34.0, 20.0, 15.5), (17.6, 16.2, 16.8, 14.8, 15.0, 12.8)),
}
# ends of the bones and webs that fill the body of the hand: x, y, radius at either end; the softness of their union
BODY = (
    ((-15, 8, 14), (-25, 86, 12.0), 10), ((-5, 6, 14), (-4, 89, 12.0), 10), ((6, 6, 14), (15.5, 86, 11.5), 10),
    ((16, 6, 13), (31.5, 78, 10.5), 10), ((19, 12, 12), (29, 58, 12.5), 18), ((-14, 14, 16), (-40, 48, 14.5), 14),
    ((-40, 52, 7), (-27, 76, 6.0), 16), ((-25, 88, 9), (-4, 107, 7.0), 8), ((-4, 107, 6), (15.5, 103, 6.0), 8),
    ((15.5, 103, 6), (34, 90, 6.0), 8), ((0, -4, 28.5), (0, -170, 37.0), 10),
)  # fmt: skip


@dataclass(frozen=True)
class Finger:
    """One finger in the hand's frame: its axis, the radius along it, and its joints (mm from the knuckle)."""

    name: str
    axis: NDArray[np.float64]  # (K, 2)
    arc: NDArray[np.float64]  # (K,) mm along the axis
    radius: NDArray[np.float64]  # (K,) mm
    joints: tuple[float, ...]

    @property
    def length(self) -> float:
        """The distance from the knuckle to the tip, mm."""
        return float(self.arc[-1] + self.radius[-1])

    def local(self, x: Field, y: Field) -> tuple[Field, Field, Field, Field]:
        """Per point: mm along the axis (beyond its ends too), mm across, radius there, distance to the outline."""
        best = np.full(x.shape, np.inf, np.float32)
        along, across, radius = (np.zeros(x.shape, np.float32) for _ in range(3))
        for k in range(len(self.axis) - 1):
            (ax, ay), (bx, by) = self.axis[k], self.axis[k + 1]
            length = float(np.hypot(bx - ax, by - ay))
            ux, uy = (bx - ax) / length, (by - ay) / length
            forward = (x - np.float32(ax)) * np.float32(ux) + (y - np.float32(ay)) * np.float32(uy)
            side = (x - np.float32(ax)) * np.float32(uy) - (y - np.float32(ay)) * np.float32(ux)
            inside = np.clip(forward, 0, length)
            r = np.float32(self.radius[k]) + inside * np.float32((self.radius[k + 1] - self.radius[k]) / length)
            distance = np.hypot(forward - inside, side) - r
            closer = distance < best
            best[closer], radius[closer] = distance[closer], r[closer]
            free = forward if k in (0, len(self.axis) - 2) else inside
            along[closer], across[closer] = free[closer] + np.float32(self.arc[k]), side[closer]
        return along, across, radius, best

    def from_tip(self, x: Field, y: Field) -> tuple[Field, Field]:
        """Per point: mm along the straight extension of the last bone, counted as in `local`; mm across it."""
        (ax, ay), (bx, by) = self.axis[-3], self.axis[-1]
        length = np.hypot(bx - ax, by - ay)
        ux, uy = np.float32((bx - ax) / length), np.float32((by - ay) / length)
        dx, dy = x - np.float32(bx), y - np.float32(by)
        return dx * ux + dy * uy + np.float32(self.arc[-1]), dx * uy - dy * ux


@dataclass(frozen=True)
class Surface:
    """The fields of a picture of hands, each (H, W); lengths in mm."""

    x: Field  # place in the hand's frame
    y: Field
    outside: Field  # signed distance to the outline, negative on the hand
    height: Field
    joint: Field  # 0-1 over the knuckles: looser, darker, redder skin
    tip: Field  # 0-1 over the ends of the fingers, where blood shows
    finger: Field  # 0 over the body of the hand, 1 on the fingers
    per_mm: float  # points per mm


@dataclass(frozen=True)
class Hand:
    """A hand in a pose and its place in the picture."""

    person: Person
    palm: bool  # seen from the front
    mirrored: bool
    origin: tuple[float, float]  # px of the wrist
    angle: float  # radians, clockwise as seen
    px_per_mm: float
    fingers: tuple[Finger, ...]

    def place(self, x: Field, y: Field) -> tuple[Field, Field]:
        """Convert pixels to the hand's frame."""
        dx, dy = (x - np.float32(self.origin[0])), (np.float32(self.origin[1]) - y)
        cos, sin = np.float32(np.cos(self.angle)), np.float32(np.sin(self.angle))
        scale = np.float32(1 / (self.px_per_mm * self.person.size))
        u, v = (dx * cos - dy * sin) * scale, (dx * sin + dy * cos) * scale
        return (-u if self.mirrored else u), v

    def pixels(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Convert points of the hand's frame (K, 2) to pixels x, y."""
        u, v = points[:, 0] * (-1 if self.mirrored else 1), points[:, 1]
        cos, sin, scale = np.cos(self.angle), np.sin(self.angle), self.px_per_mm * self.person.size
        return np.stack([
            self.origin[0] + (u * cos + v * sin) * scale, self.origin[1] - (v * cos - u * sin) * scale,
        ], -1)  # fmt: skip

    def lines(self, lines: list[Line]) -> list[Line]:
        """Convert strokes of the hand's frame (mm) to strokes of the picture (px)."""
        scale = self.px_per_mm * self.person.size
        return [(self.pixels(points), width * scale, strength) for points, width, strength in lines]


def pose(person: Person, rng: np.random.Generator, *, right: bool, palm: bool, origin: tuple[float, float],
         angle: float, px_per_mm: float) -> Hand:  # fmt: skip
    """A hand of this person laid flat, the fingers spread at random, each slightly bent to one side."""
    spread = rng.uniform(0.8, 1.5)
    fingers = []
    for name, ((x, y), direction, bones, diameters) in FINGERS.items():
        thumb = name == "thumb"
        turn = direction * (rng.uniform(0.7, 1.25) if thumb else spread) + rng.normal(0, 0.9)
        bend = rng.normal(-14 if thumb else (0 if name == "middle" else -np.sign(direction) * 2.0), 1.2)
        if thumb:
            bend = -bend
        # A finger that is not quite flat looks shorter from above.
        lengths = np.array(bones) * person.finger_length * (1 - rng.uniform(0, 0.05, len(bones)))
        knots, heading = [np.array([x, y])], np.radians(turn)
        for bone in lengths:
            knots.append(knots[-1] + bone * np.array([np.sin(heading), np.cos(heading)]))
            heading += np.radians(bend)
        stations = np.concatenate([[0], np.cumsum(lengths)])
        radii = np.array(diameters) / 1.9 * person.finger_width
        s = [0, lengths[0] * 0.55, stations[1], stations[1] + (stations[2] - stations[1]) * 0.5]
        if thumb:
            marks, widths = [*s, stations[2] - 3, stations[2]], [*radii[:4], radii[4], radii[5] * 1.04]
        else:
            marks = [*s, stations[2], stations[2] + (stations[3] - stations[2]) * 0.6, stations[3]]
            widths = [*radii[:5], radii[4] * 0.93, radii[5]]
        arc = np.linspace(0, stations[-1], 10)
        axis = np.stack([PchipInterpolator(stations, np.array(knots)[:, i])(arc) for i in range(2)], -1)
        fingers.append(Finger(name, axis, arc, PchipInterpolator(marks, widths)(arc), tuple(stations[1:-1])))
    return Hand(person, palm, right == palm, origin, angle, px_per_mm, tuple(fingers))


def surface(hand: Hand, x: Field, y: Field) -> Surface:
    """The hand's fields at pixels x, y (all vary slowly, so a coarse grid is enough)."""
    u, v = hand.place(x, y)
    grid = float(np.hypot(u[0, 1] - u[0, 0], v[0, 1] - v[0, 0]))  # mm from one point to the next
    body = np.full(u.shape, 1e3, np.float32)
    for (ax, ay, ar), (bx, by, br), soft in BODY:
        body = _join(body, _capsule(u, v, (ax, ay), (bx, by), ar * hand.person.breadth, br * hand.person.breadth), soft)
    outside, tops = body.copy(), np.zeros(u.shape, np.float32)
    joint, tip, finger = (np.zeros(u.shape, np.float32) for _ in range(3))
    for one in hand.fingers:
        near = (np.abs(u - one.axis[:, 0].mean()) < 75) & (v > one.axis[0, 1] - 30)
        box = bounding_box(near)
        along, _, radius, distance = one.local(u[box], v[box])
        outside[box] = np.minimum(outside[box], _join(body[box], distance, 14.0 if one.name == "thumb" else 4.0))
        round_ = radius * np.sqrt(np.clip(1 - np.square(1 + np.minimum(distance, 0) / radius), 0, 1))
        tops[box] = np.maximum(tops[box], round_ * 1.05)
        on = smoothstep(2.0, -2.0, distance)
        for place in one.joints:
            joint[box] = np.maximum(joint[box], on * np.exp(-np.square((along - place) / (radius * 0.75))))
        finger[box] = np.maximum(finger[box], smoothstep(6, 32, along) * on)
        tip[box] = np.maximum(tip[box], smoothstep(one.length - 26, one.length - 4, along) * on)
    for (kx, ky), *_ in list(FINGERS.values())[1:]:
        joint = np.maximum(joint, 0.75 * np.exp(-(np.square((u - kx) / 8.5) + np.square((v - ky + 1) / 8.0))))
    outside = gaussian_filter(outside, min(2.0, 0.8 / grid))
    depth = gaussian_filter(distance_transform_edt(outside < 0).astype(np.float32) * np.float32(grid), 1.0 / grid)
    dome = 13 * np.sqrt(np.clip(1 - np.square(1 - np.clip(depth / 17, 0, 1)), 0, 1))
    height = dome + finger * (tops - dome)
    if hand.palm:
        for cx, cy, rx, ry, swell in ((-27, 34, 15, 26, 4.0), (20, 35, 12, 28, 3.0), (2, 86, 32, 9, 1.6)):
            height += swell * np.exp(-(np.square((u - cx) / rx) + np.square((v - cy) / ry)))
        height -= 2.0 * np.exp(-(np.square(u / 14) + np.square((v - 52) / 22)))
    else:
        for one in hand.fingers[1:]:
            kx, ky = one.axis[0]
            height += (1.6 + 1.8 * hand.person.lean) * np.exp(-(np.square((u - kx) / 6.5) + np.square((v - ky) / 7.5)))
            if hand.person.lean > 0.2:  # tendons from the knuckles to the wrist
                t = np.clip((v - 8) / (ky - 8), 0, 1)
                ridge = np.exp(-np.square((u - kx * t + 3 * (1 - t)) / 2.4)) * smoothstep(0.12, 0.45, t)
                height += hand.person.lean * 1.1 * ridge * smoothstep(1.02, 0.85, t)
        height += 1.6 * np.exp(-(np.square((u - 21) / 7) + np.square((v + 12) / 9)))  # head of the ulna
    height = gaussian_filter(height, min(3.5, 1.3 / grid))
    return Surface(u, v, outside, height, joint, tip, finger, 1 / grid)


def veins(rng: np.random.Generator) -> list[Line]:
    """The dorsal venous network, from the webs towards the wrist, with veins that join (mm)."""
    lines: list[Line] = []
    starts = [(-14, 98), (6, 101), (24, 95), (-28, 70)]
    meet = [(-18 + rng.normal(0, 4), 48 + rng.normal(0, 6)), (6 + rng.normal(0, 4), 52 + rng.normal(0, 6)),
            (22 + rng.normal(0, 3), 46 + rng.normal(0, 6))]  # fmt: skip
    for i, start in enumerate(starts):
        end = meet[min(i, 2) if i < 3 else 0]
        lines.append((_wander(rng, start, end, 3.0), rng.uniform(1.8, 2.8), rng.uniform(0.5, 0.9)))
    for i, (mx, my) in enumerate(meet):
        wrist = (mx * 0.8 + rng.normal(0, 3), -20 + rng.normal(0, 8))
        lines.append((_wander(rng, (mx, my), wrist, 4.0), rng.uniform(2.2, 3.4), rng.uniform(0.6, 1.0)))
        lines.append((_wander(rng, wrist, (wrist[0] * 0.8, -150), 5.0), rng.uniform(2.4, 3.4), rng.uniform(0.5, 0.9)))
        if i and rng.random() < 0.7:
            lines.append((_wander(rng, meet[i - 1], (mx, my), 4.0), rng.uniform(1.4, 2.2), rng.uniform(0.4, 0.7)))
    return lines


def palm_creases(rng: np.random.Generator) -> list[Line]:
    """Thenar, proximal and distal creases of the palm, the creases of the wrist, and minor lines (mm)."""
    j = lambda s=2.0: rng.normal(0, s)  # noqa: E731
    main: list[list[tuple[float, float]]] = [
        [(-34, 72 + j()), (-14 + j(), 66), (-3 + j(), 44), (-8 + j(), 16), (-9, 6)],
        [(-34, 73 + j()), (-8, 66 + j()), (14, 52 + j()), (27 + j(), 40 + j())],
        [(40, 66 + j()), (22, 66 + j()), (0, 74 + j()), (-8 + j(), 90)],
        [(-24, 1), (-6, -2 + j(0.7)), (10, -2 + j(0.7)), (25, 1)],
        [(-23, -6), (-4, -8 + j(0.7)), (12, -8 + j(0.7)), (24, -5)],
    ]
    lines: list[Line] = []
    for k, points in enumerate(main):
        path, deep = smooth_line(points, 40), rng.uniform(0.75, 1.0) if k < 3 else rng.uniform(0.3, 0.6)
        for i in range(0, 39, 3):  # deepest in the middle, lost at the ends
            much = deep * np.sin(np.pi * (i + 4) / 46) ** 0.7 * rng.uniform(0.75, 1.0)
            lines.append((path[i : i + 4], (0.55 + 0.5 * much) * rng.uniform(0.9, 1.1), float(much)))
    for _ in range(int(rng.integers(10, 26))):
        x, y = rng.uniform(-32, 32), rng.uniform(8, 88)
        turn, long = rng.uniform(-1.2, 1.2), rng.uniform(6, 20)
        ends = np.array([[x, y], [x + long * np.cos(turn), y + long * np.sin(turn)]])
        lines.append((_wander(rng, tuple(ends[0]), tuple(ends[1]), 1.0), rng.uniform(0.3, 0.5), rng.uniform(0.2, 0.5)))
    return lines


def _wander(
    rng: np.random.Generator, start: tuple[float, float], end: tuple[float, float], stray: float
) -> NDArray[np.float64]:
    t = np.linspace(0, 1, 6)[:, None]
    points = np.array(start) * (1 - t) + np.array(end) * t
    points[1:-1] += rng.normal(0, stray, (4, 2)) * np.array([1.0, 0.3])
    return smooth_line(points, 40)


def _capsule(x: Field, y: Field, a: tuple[float, float], b: tuple[float, float], ra: float, rb: float) -> Field:
    """The signed distance to a tapered capsule."""
    dx, dy = np.float32(b[0] - a[0]), np.float32(b[1] - a[1])
    t = np.clip(((x - np.float32(a[0])) * dx + (y - np.float32(a[1])) * dy) / (dx * dx + dy * dy), 0, 1)
    distance = np.hypot(x - np.float32(a[0]) - t * dx, y - np.float32(a[1]) - t * dy)
    return np.asarray(distance - (np.float32(ra) + t * np.float32(rb - ra)), np.float32)


def _join(a: Field, b: Field, soft: float) -> Field:
    """The union of two shapes with a fillet `soft` mm wide (polynomial smooth minimum)."""
    h = np.clip(0.5 + 0.5 * (b - a) / np.float32(soft), 0, 1)
    return np.asarray(b + (a - b) * h - np.float32(soft) * h * (1 - h), np.float32)
