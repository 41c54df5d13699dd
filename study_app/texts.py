"""The built-in texts that participants read, by their English wording: a study file may replace or remove them.

Languages beyond the built-in ones come from PO files in the folder `languages` beside the study file. To begin one:

    python -m study_app.texts it > languages/it.po
"""

from __future__ import annotations

import io
import re
import sys
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog
    from babel.support import Translations

FILLED = re.compile(r"%\((\w+)\)[ds]")  # where a number or a name is filled in
CODE = re.compile("[a-z]{2,3}(-[A-Z][A-Za-z]{1,3})?")  # of a language: it, pt-BR, zh-Hant
NAMED = 3  # missing texts that an error names


@cache
def _ids() -> tuple[str | tuple[str, str], ...]:
    """The built-in texts, those with a plural in both forms."""
    from babel.messages.mofile import read_mo

    with open(Path(__file__).parent / "translations" / "de" / "LC_MESSAGES" / "messages.mo", "rb") as file:
        ids = [message.id for message in read_mo(file) if message.id]
    return tuple(one if isinstance(one, str) else (one[0], one[1]) for one in ids)


@cache
def built_in_texts() -> tuple[str, ...]:
    """All built-in texts, sorted, those with a plural in the plural."""
    return tuple(sorted(one if isinstance(one, str) else one[1] for one in _ids()))


def is_removable(text: str) -> bool:
    """Whether a page works without it: a sentence, not a heading or the label of a button."""
    return text.endswith(".")


def filled(text: str, values: dict[str, object]) -> str:
    """A study's own text with these values: a percent sign that begins no name stays as it is."""
    return FILLED.sub(lambda found: str(values.get(found[1], found[0])), text)


def is_language(code: str) -> bool:
    """Whether this is the code of a language: it, pt-BR."""
    from babel import Locale, UnknownLocaleError

    try:
        return CODE.fullmatch(code) is not None and bool(Locale.parse(code, sep="-"))
    except (UnknownLocaleError, ValueError):
        return False


def read_language(path: Path, code: str) -> str:
    """The PO file of a language, checked: every built-in text is there and fills in what the English one does.

    Raises ValueError with a sentence that names the texts concerned.
    """
    try:
        po = path.read_text("utf-8-sig")
        catalog = _parsed(po)
    except FileNotFoundError:
        raise ValueError(
            f"there is no file {path}: make one with `python -m study_app.texts {code} > {path}` and translate it."
        ) from None
    except (ValueError, OSError) as error:
        raise ValueError(f"{path} is not readable as a PO file ({error}).") from None
    missing, wrong = [], []
    for one in _ids():
        message = catalog.get(one if isinstance(one, str) else one[0])
        forms = () if message is None or message.fuzzy else message.string
        texts = (forms,) if isinstance(forms, str) else forms
        source = one if isinstance(one, str) else one[-1]
        if not texts or not all(texts):
            missing.append(source)
        elif any(set(FILLED.findall(text)) != set(FILLED.findall(source)) for text in texts[-1:]):
            wrong.append(source)
    if missing:
        named = ", ".join(f"'{text}'" for text in missing[:NAMED]) + (", ..." if len(missing) > NAMED else "")
        raise ValueError(f"{path} lacks {len(missing)} of {len(_ids())} texts: {named}.")
    if wrong:
        raise ValueError(f"{path} does not fill in the same values as the English text for '{wrong[0]}'.")
    return po


def _parsed(po: str) -> Catalog:
    from babel.messages.pofile import PoFileError, read_po

    try:
        return read_po(io.BytesIO(po.encode()), abort_invalid=True)
    except PoFileError as error:
        raise ValueError(str(error)) from None


@lru_cache(maxsize=16)
def translations(po: str) -> Translations:
    """The translations in the text of a PO file."""
    from babel.messages.mofile import write_mo
    from babel.support import Translations

    compiled = io.BytesIO()
    write_mo(compiled, _parsed(po))
    compiled.seek(0)
    return Translations(compiled)


def template(code: str) -> bytes:
    """A PO file of this language in which every text is still to be translated."""
    from babel.messages.catalog import Catalog
    from babel.messages.pofile import write_po

    catalog = Catalog(locale=code.replace("-", "_"), project="glimpse", fuzzy=False)
    for one in _ids():
        catalog.add(one, flags=["python-format"] if "%(" in str(one) else [])
    out = io.BytesIO()
    write_po(out, catalog, sort_output=True)
    return out.getvalue()


if __name__ == "__main__":
    if len(sys.argv) != 2 or not is_language(sys.argv[1]):
        sys.exit("Name one language by its code, such as: python -m study_app.texts it > languages/it.po")
    sys.stdout.buffer.write(template(sys.argv[1]))
