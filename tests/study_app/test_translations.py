"""Every sentence that a participant reads is there in German and French, in the checkout and in the wheel."""

from __future__ import annotations

import io
import re
import string
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po

import study_app

FOLDER = Path(study_app.__file__).parent
SOURCES = [("templates/admin/**", "ignore"), ("templates/**.html", "jinja2.ext.babel_extract"), ("**.py", "python")]


def sentences() -> set[str | tuple[str, ...]]:
    found = extract_from_dir(FOLDER, method_map=SOURCES, keywords={"_": None, "gettext": None, "ngettext": (1, 2)})
    return {message for _, _, message, _, _ in found}


def catalog(language: str) -> Catalog:
    with open(FOLDER / "translations" / language / "LC_MESSAGES" / "messages.po", "rb") as file:
        return read_po(file, locale=language)


@pytest.mark.parametrize("language", ["de", "fr"])
def test_every_sentence_is_translated_and_no_translation_is_left_over(language: str) -> None:
    translated = {message.id: message.string for message in catalog(language) if message.id}
    assert set(translated) == sentences()
    assert all(all(text) if isinstance(text, tuple) else text for text in translated.values())


@pytest.mark.parametrize("language", ["de", "fr"])
def test_translations_fill_in_what_the_sentence_fills_in(language: str) -> None:
    for message in catalog(language):
        for text in message.string if isinstance(message.string, tuple) else (message.string,):
            source = message.id[-1] if isinstance(message.id, tuple) else message.id
            for field in (
                "%(count)d",
                "%(minutes)d",
                "%(contact)s",
                "%(right)d",
                "%(of)d",
                "%(answered)d",
                "%(total)d",
                "%(devices)s",
                "%(width)d",
                "%(height)d",
                "%(least_width)d",
                "%(least_height)d",
                "%(rate)d",
                "%(least_rate)d",
                "%(seconds)s",
            ):
                assert (field in source) == (field in str(text))
            assert set(str(text)) <= set(string.printable + "äöüÄÖÜßéèêëàâçîïôùûœÉÀÊ’…–«»„“×\u00a0\u202f")


def test_no_french_line_can_begin_with_a_mark() -> None:
    """Before ; : ? ! and inside guillemets stands a space that does not break."""
    texts = [text for message in catalog("fr") for text in ([message.string] if message.id else [])]
    flat = [part for text in texts for part in (text if isinstance(text, tuple) else (text,))]
    assert [text for text in flat if re.search(r"[^\u00a0\u202f][;:?!»]|«[^\u00a0\u202f]", text)] == []


@pytest.mark.parametrize("language", ["de", "fr"])
def test_the_compiled_translations_are_those_of_the_source(language: str) -> None:
    """To compile them: pybabel compile -d study_app/translations"""
    compiled = (FOLDER / "translations" / language / "LC_MESSAGES" / "messages.mo").read_bytes()
    fresh = io.BytesIO()
    write_mo(fresh, catalog(language))

    def texts(data: bytes) -> dict[object, object]:
        return {str(message.id): message.string for message in read_mo(io.BytesIO(data)) if message.id}

    assert texts(compiled) == texts(fresh.getvalue())
