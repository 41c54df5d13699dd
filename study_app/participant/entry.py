"""Entry to a study: its address, consent, and the form that makes a participant."""

from __future__ import annotations

import hmac
import re
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, abort, g, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from study_app import i18n, models, security
from study_app.database import app_database
from study_app.definition import crowd, prolific
from study_app.definition.study import LANGUAGES, StudyFile
from study_app.i18n import gettext as _
from study_app.participant import allocation, device
from study_app.participant.pages import back, closed

blueprint = Blueprint("entry", __name__)
TOKEN = re.compile("[A-Za-z0-9_-]{24}")
Identity = tuple[str, str, dict[str, str]]  # platform, person, other IDs


@blueprint.get("/")
def index() -> Any:
    with app_database().read() as session:
        studies = session.scalars(select(models.Study).where(models.Study.state == "open").order_by(models.Study.id))
        offered = [(study.slug, StudyFile.from_dict(study.current.definition)) for study in studies]
    if len(offered) == 1:
        return redirect(_with_query(url_for("entry.study", slug=offered[0][0])), 303)
    page = {"title": "Glimpse", "languages": LANGUAGES}  # for the header, which belongs to no study here
    return render_template(
        "index.html", study=page, offered=offered, query=request.query_string.decode("ascii", "ignore")
    )


def _with_query(path: str) -> str:
    query = request.query_string.decode("ascii", "ignore")
    return f"{path}?{query}" if query else path


def _study(session: Session, slug: str, *, write: bool = False) -> tuple[models.Study, StudyFile]:
    """The study with this slug, else 404. In a write transaction its row is locked."""
    query = select(models.Study).where(models.Study.slug == slug)
    row = session.scalar(query.with_for_update() if write else query)
    if row is None:
        abort(404)
    file = StudyFile.from_dict(row.current.definition)
    i18n.offer(file, request.form.get("lang"))
    return row, file


def _who(file: StudyFile) -> tuple[Identity | None, bool]:
    """The external ID in this request's address, and whether the address proves it.

    A signed personal link (its platform is `link`) proves it, and so does Prolific's token where the study verifies it.
    """
    who = crowd.platform_identity(_parameters(file))
    if who is not None and who[0] == "id" and crowd.is_signed(who[1], crowd.link_key(file.slug)):
        return ("link", *who[1:]), True
    return who, bool(who and who[0] == "prolific" and file.prolific.domain)


def _parameters(file: StudyFile) -> dict[str, str]:
    """The address's parameters; of a study that verifies Prolific's, Prolific's only if they are signed."""
    given = request.args.to_dict()
    if not file.prolific.domain:
        return given
    names = {name: given.pop(name) for name in crowd.prolific_parameters() & given.keys()}
    if "signed" not in g:
        g.signed = _signed(file, names)
    return given | (g.signed or {})


def _signed(file: StudyFile, names: dict[str, str]) -> dict[str, str] | None:
    """The parameters that Prolific signed. A token may expire while the consent page is read, but not before."""
    token = request.args.get(file.prolific.parameter, "")
    if not token:
        return None
    if request.method != "POST":
        return prolific.proven(token, file.prolific, names)
    proof = _proof(file, request.form.get("token", ""))
    if hmac.compare_digest(request.form.get("proof", "").encode(), proof.encode()):
        return prolific.unchecked(token, file.prolific, names)
    return None


def _proof(file: StudyFile, form: str) -> str:
    """Shows that the consent form with the token `form` was given out for this address, when Prolific's was valid."""
    return security.derived(f"prolific {file.slug} {form} {request.args.get(file.prolific.parameter)}").hex()


def _is_unproven(file: StudyFile) -> bool:
    """Whether the study verifies Prolific's IDs, and the address has an ID or token of Prolific without proof."""
    names = crowd.prolific_parameters() | {file.prolific.parameter}
    return bool(file.prolific.domain and request.args.keys() & names) and not _who(file)[1]


def _is_simulated(slug: str) -> bool:
    """Whether this is a simulated participant; 403 for one without the pass that the server's key gives."""
    given = request.args.get("simulated")
    if given is not None and not hmac.compare_digest(given.encode(), security.simulation_pass(slug).encode()):
        abort(403)
    return given is not None


def _consent(file: StudyFile) -> dict[str, Any]:
    """The text that the participant reads and agrees to, in their language; its hash is stored."""
    about = [i18n.shown(file.about)]
    if not file.about:
        about = [
            _(
                "You will see pairs of images: one is a real medical photograph, the other was generated by a "
                "computer. You say which one you think is real."
            )
            if file.pairs
            else _(
                "Some of the images that you will see are real medical photographs; others were generated by "
                "a computer. Each stays on the screen until you say whether you think it is real or generated."
            )
            if file.mode == "unlimited"
            else _(
                "Some of the images that you will see are real medical photographs; others were generated by "
                "a computer. Each appears only briefly. Then you say whether you think it was real or generated."
            ),
            _("We want to know how well people can tell them apart. You need no special knowledge."),
        ]
    built_in = [
        _("%(count)d pairs of images, about %(minutes)d minutes", count=file.trials.total, minutes=i18n.minutes(file))
        if file.pairs
        else _("%(count)d images, about %(minutes)d minutes", count=file.trials.total, minutes=i18n.minutes(file)),
        _(
            "We store your answers, your response times and some details of your screen, but neither your "
            "name nor your IP address."
        ),
        _("You can stop at any time. A link at the bottom of the following pages lets you have your answers deleted."),
        _("Some medical images can be unpleasant to look at."),
    ]
    facts = built_in if file.facts is None else [i18n.shown(fact) for fact in file.facts]
    if file.contact:
        facts.append(_("Questions? Write to %(contact)s.", contact=file.contact))
    agreed = i18n.shown(file.consent) or _(
        "I am at least 18 years old, I have read this information, and I am taking part voluntarily."
    )
    return {
        "about": "\n\n".join(filter(None, about)),
        "facts": list(filter(None, facts)),
        "agreed": agreed,
        "language": i18n.language(),
    }


def _is_preview() -> bool:
    return request.args.get("assignmentId") == crowd.PREVIEW


def _ask(file: StudyFile, *, missing: bool = False) -> str:
    """The consent page. Its form carries a token, so that sending it twice makes one participant."""
    token = allocation.new_token()
    proof = _proof(file, token) if file.prolific.domain and _who(file)[1] else ""
    return render_template(
        "consent.html", study=file, consent=_consent(file), preview=_is_preview(), missing=missing,
        token=token, proof=proof, action=_with_query("enter"), who=_shown_id(file),
    )  # fmt: skip


def _device_page(file: StudyFile) -> str | None:
    """The device page, with the reason if the device is unsuitable; None for a suitable one.

    It comes before the consent and stores nothing: its measures are in the address.
    """
    if not file.needs_device or _is_preview() or _is_simulated(file.slug):
        return None
    measures = device.measured(request.args)
    why = device.unsuitable(file, measures)
    if not why:
        return None
    others = [(key, value) for key, value in request.args.items(multi=True) if key not in device.MEASURES]
    address = url_for("entry.study", slug=file.slug, _external=True) + ("?" + urlencode(others) if others else "")
    if not request.args.keys() & set(device.MEASURES):
        why = ""  # not checked yet
    code_and_url = back("unsuitable", file, dict(others) | _parameters(file)) if why else {}
    return render_template(
        "device.html", study=file, unsuitable=why, device=measures, kept=others, address=address, **code_and_url
    )


@blueprint.get("/study/<slug>/")
def study(slug: str) -> Any:
    with app_database().read() as session:
        row, file = _study(session, slug)
        return _elsewhere(session, row, file) or _device_page(file) or _ask(file)


@blueprint.get("/study/<slug>/enter")
def returned(slug: str) -> Response:
    """The form's address opened with GET (the back button): redirect to the study's first page."""
    return redirect(_with_query(url_for("entry.study", slug=slug)), 303)


def _elsewhere(session: Session, row: models.Study, file: StudyFile, token: str = "") -> Any:
    """The response to a person who cannot enter: their own page if it is proved to be theirs, else the reason.

    A proven ID (`_who`) and the token of a consent form lead to the page of the participant who entered with them. A
    platform's ID alone does not, since others may know it: it only prevents a second entry, and only those who send the
    consent form are told so. The browser in which a person began finds their page by itself (consent.js). None if the
    person may enter.
    """
    (who, proven), simulated = _who(file), _is_simulated(row.slug)
    own = token and session.scalar(select(models.Participant).where(models.Participant.token == token))
    known = allocation.by_external_id(session, row, who) if who and (token or proven) else None
    if known is not None and proven:
        own = known
    if own:
        return redirect(url_for("pages.participant", token=own.token), 303)
    if known is not None:
        return _refused(file, "begun")
    if _is_unproven(file) and not simulated:
        return _refused(file, "unproven")
    if row.state not in models.ADMITTING:
        return _refused(file, row.state)
    if file.invited_only and not simulated and not proven:
        return _refused(file, "invited-only")
    if not simulated and allocation.is_full(session, row):
        return _refused(file, "full")
    return None


def _shown_id(file: StudyFile) -> str:
    """The external ID in the form in which the page's script looks up this browser's own participant."""
    return " ".join((crowd.platform_identity(_parameters(file)) or ("",))[:2])


def _refused(file: StudyFile, why: str) -> tuple[str, int]:
    code_and_url = back(why, file, _parameters(file))
    return render_template("closed.html", study=file, why=why, who=_shown_id(file), **code_and_url), 403


@blueprint.post("/study/<slug>/enter")
def enter(slug: str) -> Any:
    security.limit_entries()
    choices, token = request.form.getlist("consent"), request.form.get("token", "")
    if not TOKEN.fullmatch(token):
        token = allocation.new_token()
    with app_database().write() as session:
        row, file = _study(session, slug, write=True)
        if _is_preview():
            abort(403)
        elsewhere = _elsewhere(session, row, file, token)
        if elsewhere is not None:
            return elsewhere
        if "no" in choices:
            declined = allocation.new_participant(row, language=i18n.language(), token=token, state="no-consent")
            session.add(declined)
            return closed(declined, file, _parameters(file))
        if "yes" not in choices:
            return _ask(file, missing=True), 422
        check = _device_page(file)
        if check is not None:
            return check, 422
        person = allocation.enter(
            session, row, language=i18n.language(), consent=_consent(file), who=_who(file)[0], token=token,
            simulated=_is_simulated(slug),
        )  # fmt: skip
        if person is None:
            return _refused(file, "full")
        if file.needs_device and not person.simulated:
            person.device = dict(device.measured(request.args))
            if not file.asked(after=False) and not file.calibration:
                person.stage = "trials"
    return redirect(url_for("pages.participant", token=token), 303)
