"""The person in a photo: tone, build and age, drawn once per person and the same in all photos of that person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glimpse.phantom.skin import melanin_for


@dataclass(frozen=True)
class Person:
    ita: float  # individual typology angle, degrees
    melanin: float  # optical densities, see `skin`
    blood: float
    size: float  # of the hand, 1 = 191 mm
    breadth: float  # of the body of the hand
    finger_length: float
    finger_width: float
    lean: float  # 0-1: how far tendons and veins stand out
    age: float  # 0-1: wrinkles, spots
    hair: float  # 0-1
    freckles: float  # 0-1
    sleeve: tuple[float, float, float] | None  # linear colour of the cloth
    cuff: float  # mm below the wrist
    nail: float  # length


def draw_person(seed: int) -> Person:
    """Draw the person of this seed. ITA covers the human range (Chardon 1991) instead of clustering at one tone."""
    rng = np.random.default_rng([seed, 1])
    ita = float(
        np.clip(rng.choice([58, 47, 35, 20, -5, -40], p=[0.15, 0.2, 0.2, 0.17, 0.14, 0.14]) + rng.normal(0, 7), -60, 66)
    )
    breadth = rng.normal(1.0, 0.045)
    colour = rng.choice(
        [[0.02, 0.02, 0.025], [0.03, 0.05, 0.12], [0.55, 0.55, 0.55], [0.14, 0.15, 0.17], [0.2, 0.03, 0.04]]
    )
    cloth = tuple(np.clip(np.asarray(colour) * rng.uniform(0.8, 1.25), 0, 0.8).tolist())
    return Person(
        ita=ita, melanin=melanin_for(ita), blood=float(rng.uniform(0.13, 0.27)),
        size=float(np.clip(rng.normal(0.98, 0.05), 0.86, 1.08)), breadth=float(np.clip(breadth, 0.9, 1.1)),
        finger_length=float(np.clip(rng.normal(1, 0.03), 0.93, 1.06)),
        finger_width=float(np.clip(breadth * rng.normal(1, 0.035), 0.88, 1.12)),
        lean=float(rng.beta(2, 2)), age=float(rng.beta(1.8, 2)), hair=float(rng.beta(1, 2)),
        freckles=float(rng.beta(0.8, 3)) * float(ita > 25),
        sleeve=cloth if rng.random() < 0.35 else None,
        cuff=float(rng.uniform(4, 24)), nail=float(rng.uniform(0.92, 1.18)),
    )  # fmt: skip
