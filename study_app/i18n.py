"""The language of a page: the one chosen, else the browser's first choice among the study's languages."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Flask, g, request
from flask_babel import Babel, gettext

from study_app.study import LANGUAGES, StudyFile, Text, say

NAMES = {"en": "English", "de": "Deutsch", "fr": "Français"}


def init_app(app: Flask) -> None:
    Babel(app, locale_selector=language, default_domain="messages")
    app.jinja_env.globals.update(language=language, language_names=NAMES, shown=shown, language_link=language_link)


def offer(languages: tuple[str, ...], chosen: str | None = None) -> None:
    """Set the language of this request, one of `languages`: ?lang=..., else `chosen`, else the browser's choice."""
    asked = request.args.get("lang") or chosen
    g.languages = languages
    preferred = [asked or "", *(value.partition("-")[0].lower() for value, _ in request.accept_languages)]
    g.language = next((code for code in preferred if code in languages), languages[0])


def language() -> str:
    if "language" not in g:
        offer(LANGUAGES)
    return str(g.language)


def shown(text: Text) -> str:
    """A text of the study file in the language of this request."""
    return say(text, language(), gettext)


def language_link(code: str) -> str:
    """This page in another language, with the rest of its query string."""
    return "?" + urlencode([*((k, v) for k, v in request.args.items(multi=True) if k != "lang"), ("lang", code)])


def minutes(study: StudyFile) -> int:
    """The approximate duration of the trials: fixation, image, mask, and 1.5 s to answer and continue."""
    image_ms = sum(study.exposure_ms) / 2 + study.fixation_ms + (study.mask_ms if study.mask else 0) + 1500
    return max(2, round((study.trials.total * image_ms + 60_000) / 60_000))
