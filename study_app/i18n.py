"""The texts of a page, and their language: the chosen one, else the study's language that the browser prefers."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import flask_babel
from babel import Locale
from flask import Flask, g, request
from markdown_it import MarkdownIt
from markupsafe import Markup, escape

from study_app.definition.study import LANGUAGES, StudyFile, Text, say
from study_app.texts import filled, translations

MARKDOWN = MarkdownIt("commonmark", {"html": False}).disable("image")


def init_app(app: Flask) -> None:
    flask_babel.Babel(app, locale_selector=language, default_domain="messages")
    app.jinja_env.install_gettext_callables(_template_text, _template_plural, newstyle=True)  # type: ignore[attr-defined]
    app.jinja_env.globals.update(
        language=language, language_name=language_name, direction=direction, shown=shown, prose=prose,
        language_link=language_link, number=flask_babel.format_decimal,
    )  # fmt: skip


def offer(study: StudyFile | None, chosen: str | None = None) -> None:
    """Set the texts of this request and their language: ?lang=..., else `chosen`, else the browser's choice."""
    asked = request.args.get("lang") or chosen
    g.languages = study.languages if study else LANGUAGES
    g.texts = study.texts if study else {}
    g.catalogs = study.catalogs if study else {}
    accepted = (code for value, _ in request.accept_languages for code in (value, value.partition("-")[0].lower()))
    preferred = [asked or "", *accepted]
    g.language = next((code for code in preferred if code in g.languages), g.languages[0])


def language() -> str:
    if "language" not in g:
        offer(None)
    return str(g.language)


def language_name(code: str) -> str:
    """The name of a language in that language, capitalised: Italiano."""
    name = Locale.parse(code, sep="-").get_display_name() or code
    return name[0].upper() + name[1:]


def direction() -> str:
    """The direction in which this request's language is written: ltr or rtl."""
    return str(Locale.parse(language(), sep="-").text_direction)


def gettext(text: str, **values: Any) -> str:
    """A built-in text, or the study file's replacement of it, in the language of this request."""
    own = _own(text)
    if own is not None:
        return filled(own, values)
    said = str(_translations().ugettext(text))
    return said % values if values else said


def _translations() -> Any:
    """The translations of the built-in texts, from the study's own catalogue of this language if it has one."""
    po = g.get("catalogs", {}).get(language())
    return translations(po) if po else flask_babel.get_translations()


def _own(text: str) -> str | None:
    """The study file's replacement of a built-in text; None if there is none."""
    texts: dict[str, Text] = g.get("texts", {})
    return say(texts[text], language()) if text in texts else None


def _template_text(text: str) -> str:
    """The same for templates, which fill in values themselves and take a text for HTML."""
    own = _own(text)
    return _translations().ugettext(text) if own is None else _formatted(own)


def _template_plural(singular: str, plural: str, number: int) -> str:
    own = _own(plural)
    return _translations().ungettext(singular, plural, number) if own is None else _formatted(own)


def _formatted(own: str) -> str:
    """The study's own text as escaped HTML, ready for %-formatting: other percent signs are doubled."""
    return re.sub(r"%(?!\(\w+\)[ds])", "%%", str(escape(own)))


def shown(text: Text) -> str:
    """A text of the study file in the language of this request."""
    return say(text, language(), gettext)


def prose(text: Text) -> Markup:
    """A Markdown text of the study file as HTML, without raw HTML and images; headings begin at the second level."""
    tokens = MARKDOWN.parse(shown(text))
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):  # the first level is the page's own heading
            token.tag = "h2" if token.tag == "h1" else "h3"
    return Markup(MARKDOWN.renderer.render(tokens, MARKDOWN.options, {}))


def language_link(code: str) -> str:
    """This page in another language, with the rest of its query string."""
    return "?" + urlencode([*((k, v) for k, v in request.args.items(multi=True) if k != "lang"), ("lang", code)])


def minutes(study: StudyFile) -> int:
    """The approximate duration of the trials: fixation, image, mask, and 1.5 s to answer and continue."""
    image_ms = sum(study.exposure_ms) / 2 + study.fixation_ms + (study.mask_ms if study.mask else 0)
    image_ms = image_ms * (2 if study.in_sequence else 1) + 1500
    return max(2, round((study.trials.total * image_ms + 60_000) / 60_000))
