"""The layers of all skin in one picture."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from gan_core.prepare.phantom.fields import Field


@dataclass(frozen=True)
class Skin:
    """Each layer (H, W): densities as in `skin`, heights in mm, weights 0-1."""

    melanin: Field
    blood: Field
    vein: Field
    relief: Field  # fine height
    light: Field  # shading by the hand's form
    cover: Field  # 1 on skin, 0 off it, soft over a pixel
    scale: Field | float = 0.0  # dry horn

    def crop(self, box: tuple[slice, slice]) -> Skin:
        return replace(
            self, **{f.name: v[box] for f in fields(self) if not isinstance(v := getattr(self, f.name), float)}
        )
