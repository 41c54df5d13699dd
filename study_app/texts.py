"""The built-in texts that participants read, by their English wording: a study file may replace or remove them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

FILLED = re.compile(r"%\((\w+)\)[ds]")  # where a number or a name is filled in


@cache
def built_in_texts() -> tuple[str, ...]:
    """All of them, sorted; of a singular and a plural, the plural."""
    from babel.messages.mofile import read_mo

    with open(Path(__file__).parent / "translations" / "de" / "LC_MESSAGES" / "messages.mo", "rb") as file:
        ids = [message.id for message in read_mo(file) if message.id]
    return tuple(sorted(one[-1] if isinstance(one, tuple | list) else one for one in ids))


def is_removable(text: str) -> bool:
    """Whether a page works without it: a sentence, not a heading or the label of a button."""
    return text.endswith(".")


def filled(text: str, values: dict[str, object]) -> str:
    """A study's own text with these values: a percent sign that begins no name stays as it is."""
    return FILLED.sub(lambda found: str(values.get(found[1], found[0])), text)
