"""Details of a hand seen from close up: nails, folds of the joints, hair, freckles; added at full resolution."""

from __future__ import annotations

import numpy as np

from glimpse.phantom.fields import Field, Line, cloud, dots, smoothstep, strokes
from glimpse.phantom.hand import Finger, Hand, palm_creases
from glimpse.phantom.skin import Skin


def add_details(rng: np.random.Generator, hand: Hand, skin: Skin) -> None:
    """Add the details of one hand to the layers, in place."""
    for finger in hand.fingers:
        box = _box_of(hand, finger, skin.cover.shape)
        if box is None:
            continue
        rows, columns = np.arange(box[0].start, box[0].stop), np.arange(box[1].start, box[1].stop)
        x, y = np.meshgrid(columns.astype(np.float32), rows.astype(np.float32))
        along, across, radius, outside = finger.local(*hand.place(x, y))
        part = skin.crop(box)  # views: changing them changes the whole picture
        on = smoothstep(0.5, -0.5, outside)
        if hand.palm:
            _flexion(rng, hand, finger, part, along, across, radius, on)
        else:
            _knuckle_folds(rng, hand, finger, part, along, across, radius, on)
            _nail(rng, hand, finger, part, *finger.from_tip(*hand.place(x, y)), on)
    if hand.palm:
        lines = hand.lines(palm_creases(rng))
        deep = strokes(skin.cover.shape, lines, 0.28 * hand.px_per_mm)
        np.subtract(skin.relief, 0.11 * deep, out=skin.relief)
        np.add(skin.blood, 0.16 * deep * (0.5 + hand.person.blood), out=skin.blood)
        np.add(skin.melanin, 0.12 * hand.person.melanin * deep, out=skin.melanin)


def _box_of(hand: Hand, finger: Finger, shape: tuple[int, int]) -> tuple[slice, slice] | None:
    points, reach = hand.pixels(finger.axis), 1.25 * float(finger.radius.max()) * hand.px_per_mm * hand.person.size
    low, high = np.floor(points.min(0) - reach).astype(int), np.ceil(points.max(0) + reach).astype(int)
    low, high = np.maximum(low, 0), np.minimum(high, (shape[1], shape[0]))
    return None if (high - low < 2).any() else (slice(low[1], high[1]), slice(low[0], high[0]))


def _knuckle_folds(rng: np.random.Generator, hand: Hand, finger: Finger, skin: Skin, along: Field, across: Field,
                   radius: Field, on: Field) -> None:  # fmt: skip
    """Add the lens-shaped transverse folds of loose skin over the back of each joint."""
    mm = hand.px_per_mm
    wander = 0.35 * cloud(rng, along.shape, 2.2 * mm) + 0.18 * cloud(rng, along.shape, 0.7 * mm)
    broken = np.clip(0.75 + 0.45 * cloud(rng, along.shape, 1.6 * mm, 2), 0, 1.3) * on
    side = np.clip(np.abs(across) / radius, 0, 1)
    for k, joint in enumerate(finger.joints):
        small = k == len(finger.joints) - 1 and finger.name != "thumb"
        count, pitch = (4, 1.1) if small else (8, 1.25)
        strength = (0.55 + 0.6 * hand.person.age) * (0.7 if small else 1.0)
        near = (np.abs(along - joint) < 8) & (side < 1)
        ahead, beside = along[near] - np.float32(joint) - wander[near], side[near]
        folds = np.zeros_like(ahead)
        for i in range(count):
            offset = (i - (count - 1) / 2) * pitch * rng.uniform(0.85, 1.15)
            lens = np.float32(offset) * (1 - np.float32(0.55) * beside**2)  # outer folds bow around the joint
            depth = strength * rng.uniform(0.5, 1.0) * (1 - 0.10 * abs(i - (count - 1) / 2))
            folds += np.float32(depth) * np.exp(-np.square((ahead - lens) / np.float32(rng.uniform(0.16, 0.30))))
        folds *= broken[near] * smoothstep(1.0, 0.55, beside)
        skin.relief[near] -= 0.085 * folds
        skin.blood[near] += 0.10 * folds * hand.person.blood
        skin.melanin[near] += 0.10 * folds * hand.person.melanin


def _flexion(rng: np.random.Generator, hand: Hand, finger: Finger, skin: Skin, along: Field, across: Field,
             radius: Field, on: Field) -> None:  # fmt: skip
    """Add the flexion creases of the palmar side: one or two lines across each joint."""
    side = across / radius
    wander = 0.3 * cloud(rng, along.shape, 4 * hand.px_per_mm)
    places = [(22.0, 1), (25.0, 1)] if finger.name != "thumb" else [(4.0, 1)]
    places += [(joint - 2 - k * 1.0, 2 - k) for k, joint in enumerate(finger.joints)]
    folds = np.zeros_like(along)
    for place, count in places:
        for i in range(count):
            bow = rng.normal(0, 0.8) * (1 - side**2) + rng.normal(0, 0.5) * side
            line = np.exp(-np.square((along - place - 2.2 * i - bow - wander) / rng.uniform(0.25, 0.42)))
            folds += rng.uniform(0.6, 1.0) * line * smoothstep(1.05, 0.8, np.abs(side))
    folds *= on
    skin.relief[:] -= 0.12 * folds
    skin.blood[:] += 0.10 * folds
    skin.melanin[:] += 0.10 * folds * hand.person.melanin


def _nail(
    rng: np.random.Generator, hand: Hand, finger: Finger, skin: Skin, along: Field, across: Field, on: Field
) -> None:
    r = float(finger.radius[-1])
    half, length = r * 0.73, r * (1.55 if finger.name != "thumb" else 1.4) * hand.person.nail
    end = finger.length - 0.06 * r
    start = end - length
    corner = np.where(along < (start + end) / 2, np.float32(0.92 * half), np.float32(0.55 * half))
    u, v = np.abs(across) - (half - corner), np.abs(along - (start + end) / 2) - (length / 2 - corner)
    edge = np.hypot(np.maximum(u, 0), np.maximum(v, 0)) + np.minimum(np.maximum(u, v), 0) - corner
    plate = smoothstep(0.22, -0.22, edge) * smoothstep(0.15, -0.25, edge)
    fold = np.exp(-np.square((edge - 0.15) / 0.45)) * smoothstep(end + 0.6, end - 1.4, along) * on
    free = smoothstep(end - r * 0.20, end - r * 0.10, along - 0.12 * np.square(across) / r) * plate
    moon = smoothstep(0.6, -0.6, np.hypot(along - start + 0.5, across * 0.8) - half * rng.uniform(0.2, 0.6)) * plate
    bed = 0.03 + hand.person.melanin * 0.46
    skin.melanin[:] += plate * (bed * (1 - 0.6 * free) - skin.melanin)
    skin.blood[:] += plate * ((0.24 + 0.55 * hand.person.blood) * (1 - 0.7 * free - 0.35 * moon) - skin.blood)
    skin.horn[:] = np.maximum(skin.horn * (1 - plate), plate * 0.05 + 0.30 * free + 0.10 * moon)
    ridges = cloud(rng, (1, along.shape[1] * 2), 3)[0]
    lengthwise = np.interp(across, np.linspace(-half, half, ridges.size), ridges).astype(np.float32)
    skin.relief[:] = skin.relief * (1 - plate) - 0.075 * fold + 0.004 * lengthwise * plate
    skin.melanin[:] += 0.10 * fold * (0.4 + hand.person.melanin)
    skin.blood[:] += 0.16 * fold
    # The plate is curved like a barrel: it reflects the lamp as a long streak, off centre on the lamp's side.
    streak = np.exp(-np.square((across + (0.30 if not hand.mirrored else -0.30) * half) / (0.20 * half)))
    gloss = rng.uniform(0.05, 0.22)
    skin.sheen[:] = skin.sheen * (1 - plate) + gloss * plate * streak * smoothstep(start, start + 2, along)
    skin.form[:] *= 1 - 0.16 * plate * np.square(across / half)


def add_hair(rng: np.random.Generator, hand: Hand, skin: Skin) -> None:
    """Add fine hair: dense on the forearm, sparse on the back of the hand and the first bones of the fingers."""
    person = hand.person
    lines: list[Line] = []
    places = [(420, (4.0, -60.0), (22, 42), 9.0), (200, (14.0, 25.0), (15, 26), 5.5)]
    places += [(14, (float(f.axis[3][0]), float(f.axis[3][1])), (3, 5), 4.0) for f in hand.fingers[1:]]
    for count, (x, y), (sx, sy), long in places:
        for _ in range(rng.poisson(count * person.hair**1.5)):
            at = np.array([rng.normal(x, sx), rng.normal(y, sy)])
            heading, bend = rng.normal(0.75, 0.35), rng.normal(0, 0.5)
            t = np.linspace(0, 1, 6)
            turns = heading + bend * t
            steps = np.stack([np.sin(turns), np.cos(turns)], -1) * long * rng.uniform(0.5, 1.3) / 6
            lines.append((at + np.cumsum(steps, 0), rng.uniform(0.05, 0.09), rng.uniform(0.35, 0.9)))
    if lines:
        hair = strokes(skin.cover.shape, hand.lines(lines))
        np.maximum(skin.hair, hair * 0.85, out=skin.hair)


def add_freckles(rng: np.random.Generator, hand: Hand, skin: Skin) -> None:
    """Add freckles to light skin, and the larger flat spots of age."""
    person, mm = hand.person, hand.px_per_mm
    small, large = rng.poisson(220 * person.freckles), rng.poisson(26 * max(0.0, person.age - 0.45) * (person.ita > 10))
    if small + large == 0:
        return
    places = np.concatenate([rng.normal((2, 30), (24, 60), (small, 2)), rng.normal((2, 35), (20, 28), (large, 2))])
    radii = np.concatenate([rng.uniform(0.35, 1.1, small), rng.uniform(1.2, 3.4, large)]) * mm
    spots = dots(skin.cover.shape, hand.pixels(places), radii * 1.3, rng.uniform(0.3, 1.0, small + large))
    np.add(skin.melanin, 0.30 * smoothstep(0.15, 0.75, spots), out=skin.melanin)
