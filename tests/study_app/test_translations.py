"""Every sentence that a participant reads is there in German and French, in the checkout and in the wheel."""

from __future__ import annotations

import io
import re
import string
from collections.abc import Callable
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po, write_po
from flask import Flask

import study_app
from glimpse.workspace import Workspace
from study_app import texts
from tests.study_app.conftest import load, publish

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
            assert set(texts.FILLED.findall(str(text))) - {"num"} == set(texts.FILLED.findall(source)) - {"num"}
            assert set(str(text)) <= set(string.printable + "äöüÄÖÜßéèêëàâçîïôùûœÉÀÊ’…–«»„“×\u00a0\u202f")


def test_no_french_line_can_begin_with_a_mark() -> None:
    """Before ; : ? ! and inside guillemets stands a narrow space that does not break."""
    texts = [text for message in catalog("fr") for text in ([message.string] if message.id else [])]
    flat = [part for text in texts for part in (text if isinstance(text, tuple) else (text,))]
    assert [text for text in flat if re.search(r"[^\u202f][;:?!»]|«[^\u202f]", text)] == []


@pytest.mark.parametrize("language", ["de", "fr"])
def test_the_compiled_translations_are_those_of_the_source(language: str) -> None:
    """To compile them: pybabel compile -d study_app/translations"""
    compiled = (FOLDER / "translations" / language / "LC_MESSAGES" / "messages.mo").read_bytes()
    fresh = io.BytesIO()
    write_mo(fresh, catalog(language))

    def texts(data: bytes) -> dict[object, object]:
        return {str(message.id): message.string for message in read_mo(io.BytesIO(data)) if message.id}

    assert texts(compiled) == texts(fresh.getvalue())


def arabic(folder: Path, **changed: str) -> Path:
    """A file languages/ar.po in which every text is the English one between guillemets, but for the changed ones."""
    catalog = read_po(io.BytesIO(texts.template("ar")), locale="ar")
    for message in catalog:
        if message.id:
            forms = [message.id] if isinstance(message.id, str) else [message.id[-1]] * catalog.num_plurals
            said = tuple(changed.get(form, f"«{form}»") for form in forms)
            message.string = said if len(said) > 1 else said[0]
    path = folder / "languages" / "ar.po"
    path.parent.mkdir(exist_ok=True)
    with open(path, "wb") as file:
        write_po(file, catalog)
    return path


def test_a_language_from_a_file_is_that_of_every_page(workspace: Workspace, make_app: Callable[..., Flask]) -> None:
    publish(workspace, "alpha")
    arabic(workspace.root)
    load(workspace, "pilot", 'sets = [{name = "alpha"}]\nlanguages = ["en", "ar"]\n[trials]\ncount = 12\n')
    client = make_app().test_client()
    consent = client.get("/study/pilot/", headers={"Accept-Language": "ar-EG,en;q=0.5"}).text
    assert '<html lang="ar" dir="rtl">' in consent
    assert "«12 images, about 2 minutes»" in consent
    assert ">العربية</a>" in consent
    assert '<html lang="en">' in client.get("/study/pilot/", headers={"Accept-Language": "it"}).text
    entered = client.post("/study/pilot/enter", data={"consent": "yes", "lang": "ar"})
    home = entered.headers["Location"]
    assert "«How old are you?»" in client.get(home).text
    client.post(f"{home}questions")
    client.post(f"{home}device")
    assert "«The first 2 images are for practice and do not count.»" in client.get(home).text


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"Begin": "", "Real": ""}, "lacks 2 of {count} texts: 'Begin', 'Real'."),
        ({"Questions? Write to %(contact)s.": "?"}, "as the English text for 'Questions? Write to %(contact)s.'."),
    ],
)
def test_a_language_file_with_gaps_is_refused_by_the_texts_names(
    tmp_path: Path, changed: dict[str, str], said: str
) -> None:
    path = arabic(tmp_path, **changed)
    with pytest.raises(ValueError, match=re.escape(said.format(count=len(texts.built_in_texts())))):
        texts.read_language(path, "ar")
    path.write_text('msgid "Begin')
    with pytest.raises(ValueError, match="is not readable as a PO file"):
        texts.read_language(path, "ar")
