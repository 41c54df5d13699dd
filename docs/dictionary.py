"""`python -m docs.dictionary`: write docs/dictionary.md, the files of a workspace and every column. Tests keep it true.

The columns are those that `study_app export` describes; the keys of scores.json are compared with those of reports.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from glimpse.files import atomic_file
from study_app.experimenter.export.dictionary import EVENTS, EXTERNAL_IDS, PARTICIPANTS, RESPONSES, Column

PAGE = Path(__file__).with_suffix(".md")

INTRODUCTION = """# Files and data dictionary

Written by `python -m docs.dictionary`; tests compare it with the code and with reports.

## The workspace

| file | content |
| --- | --- |
| `images/SET/images.npy` | the images, (N, H, W, 3) `uint8`, sRGB |
| `images/SET/masks.npy`, `truth.npy` | if any: lesion masks, (N, H, W), 0 or 1; the same skin without its lesion |
| `images/SET/index.csv` | one row per image, in the order of the arrays, see below |
| `images/SET/manifest.json` | source, options, split, duplicates, and the SHA-256 of every file |
| `images/SET/preview.png` | some images of both sides of the split |
| `runs/RUN/` | a training: [its files and the columns of its log](training.md#the-folder-of-a-run) |
| `stimuli/SET/*.png` | the images that participants see: names say nothing, all files have the same size |
| `stimuli/SET/manifest.json` | size, label, and of each image: `id`, `file`, `truth`, `practice`, `sha256`, `origin` |
| `study.db`, `secret.key` | the answers (SQLite), and the key that signs personal links |
| `export/STUDY/` | [a Psych-DS data set](experimenter.md#export) of the tables below |
| `features/` | features of images, cached by weights and images; may be deleted |
| `report/` | [the report](results.md); `scores.json` is described below |

Every JSON file has a key `schema`; a file of an unknown schema is refused. Files are written all or nothing.

## index.csv of an image set

| column | meaning |
| --- | --- |
| `image_id` | name of the image, unique in the set |
| `source` | path of the photo below the folder or zip that was prepared |
| `group` | photo, person or lesion: no group is on both sides of the split |
| `split` | `train` or `test` |
| `label` | class, where the source has one |
| `x`, `y` | top left corner of a patch in its photo, in pixels; empty for whole images |
| `coverage` | share of lesion pixels in a patch, 0 to 1; empty for whole images |
"""

TABLES: Mapping[str, tuple[str, Sequence[Column]]] = {
    "The view `responses`": (
        "One row per scored trial; the export's `study-SLUG_description-responses_data.csv`. Attention trials are in "
        "`attention_trials`, with the same columns.", RESPONSES,
    ),
    "The view `participants`": (
        "One row per participant; the export's `study-SLUG_description-participants_data.csv`.", PARTICIPANTS,
    ),
    "Events of the page": ("Only with `export --events`.", EVENTS),
    "External IDs": ("Only with `export --with-external-ids`: personal data.", EXTERNAL_IDS),
}  # fmt: skip

ESTIMATE = "`n`, interval `ci95` and `method`"
# Of each section of scores.json: the keys of its first level, and the keys of one such entry with their meanings.
SCORES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "summary": ("set or run", {
        "balanced_accuracy": "mean of both classes' shares of right answers", "low": "its 95 % interval", "high": "",
        "machine_accuracy": "of a classifier on the same images", "kid": "kernel distance to test images",
        "kid_low": "its 95 % interval", "kid_high": "", "real_kid_low": "the same of real against real images",
        "real_kid_high": "",
    }),
    "samples": ("set or run", {
        "stimuli": "number of images", "sha256": "of the stimulus set", "images": "images of the picture",
        "picture_sha256": "of the picture of translations",
    }),
    "joined": ("`sets`, `images`", {}),
    "preregistration": ("", {
        "file": "the file", "sha256": "its hash", "study": "the study's facts", "parts": "which are unchanged",
    }),
    "survey": ("set", {
        "participants": "scored", "trials": "scored", "image_counts": "images judged, by class",
        "f1": f"quartiles and mean, {ESTIMATE}, `chance_mean` by each person's own habit, `undefined` participants",
        "accuracy": f"share of right answers: `mean`, {ESTIMATE}",
        "balanced_accuracy": f"mean of both classes' shares: `mean`, {ESTIMATE}",
        "hit_rate": "share of generated images called generated", "false_alarm_rate": "share of real ones called so",
        "rates": f"both with {ESTIMATE}",
        "d_prime": f"`population` (mixed model), {ESTIMATE}; `mean` of individual ones",
        "criterion": "the same of the criterion: above 0 people prefer 'real'",
        "spread": "SDs between people and between images, of the mixed model",
        "equivalence": "test against 0.5 ± `bound`: `p`, `ci90`, `verdict`, `p_chance`, `bayes_factor`",
        "response_time_s": "quartiles of the participants' medians, in s", "quartiles": "of each score over people",
        "missing_answers": "trials without an answer", "sequential": "the always-valid verdict, for looks at any time",
        "exclusions": "the verdict without some trials or people", "trends": "accuracy along position, time, exposure",
        "compared_with": "differences from the other sets", "images": "each image: how often it was called generated",
        "verdict": "the set's verdict as a sentence",
    }),
    "conditions": ("sets compared", {
        "n": "participants", "ranking": "by fooling rate", "pairs": "differences, Holm-corrected",
    }),
    "participants": ("set", {
        "questions": "answers to questions compared", "group": "the column whose groups are compared",
        "covariates": "columns adjusted for", "groups": "scores of each group", "pairs": "differences of groups",
    }),
    "reliability": ("set", {
        "n": "participants", "reliability": "split-half and ICC, of participants and images",
        "agreement": "Krippendorff's alpha", "items": "discrimination of each image",
    }),
    "ratings": ("set", {
        "trials": "rated", "participants": "scored", "without_both_classes": "participants left out",
        "auc": f"mean area under the ROC curve: `mean`, {ESTIMATE}", "zroc_slope": "slope of the zROC",
        "d_a": "its sensitivity", "auc_pooled": "area of the binormal curve", "confidence": "calibration of confidence",
        "compared_with": "differences from the other sets",
    }),
    "pairs": ("set", {
        "pairs": "judged", "participants": "scored", "right": f"`share` of right answers, {ESTIMATE}",
        "d_prime": "√2 z(share)", "first_taken_for_real": "share of answers 'left' or 'first'",
    }),
    "reasons": ("set", {
        "answers": "scored trials", "with_words": "with a reason in words", "with_a_point": "with a point on the image",
        "words": "frequent words, with answers, participants, share called generated and share right",
    }),
    "thresholds": ("set", {
        "threshold_ms": "median exposure at 75 % right, in ms", "error_rate": "without a time limit",
    }),
    "overfitting": ("run", {
        "run": "its name", "discriminator": "which one", "d_features": "its width",
        "training_images": "number", "test_images": "number",
        "gap": "mean output for training less that for test images", "low": "its 95 % interval", "high": "",
        "logit_gap": "the same before the sigmoid",
    }),
    "neighbours": ("run", {
        "shortlist": "training images compared by SSIM", "shortlist_recall": "how often they hold the nearest",
        "shortlist_recall_among": "training images of that check", "training_images": "number",
        "mean_ssim_of_nearest": "mean over generated images",
    }),
    "truncation": ("run", {
        "n": "images per threshold", "against": "`test` or `train`", "thresholds": "distances at each threshold",
    }),
    "quality": ("run or pair", {
        "extractor": "the network of the features", "distance": "name of the Fréchet distance on them",
        "kernel_distance": "name of the kernel distance on them", "against": "`test` or `train`",
        "n": "images per side", "real_groups": "groups of real images", "biased": "whether n is too small for FID",
        "kid": "unbiased, by group", "kid_p": "permutation p-value", "kid_low": "its 95 % interval", "kid_high": "",
        "frechet": "Fréchet distance", "precision": "Kynkäänniemi et al. 2019", "recall": "the same",
        "density": "Naeem et al. 2020", "coverage": "the same",
    }),
    "memorisation": ("run", {
        "threshold": "1 % quantile of held-out ratios", "share": "of generated images below it",
        "low": "its 95 % interval", "high": "", "p": "Fisher's exact test", "alarm": "p < 0.05",
        "resolution": "smallest share of copies that the sample can show", "groups": "held-out groups",
        "expected": "of these, below the threshold",
        "distinct": "generated images below it, by distinct nearest training image",
        "compared": "generated images, counted in the same way",
        "hub": "images that share a nearest one", "hub_image": "which", "hub_share": "their share",
        "recognised": "share of planted copies found", "kid": "to training and test images",
        "c_t": "Meehan et al. 2020",
    }),
    "machine_observer": ("set", {
        "observers": "accuracy and AUC of each classifier", "images": "number", "sha256": "of the stimulus set",
    }),
    "utility": ("task", {"runs": "runs used", "curves": "AUC by share of real images and kind of training"}),
}  # fmt: skip

SCORES_INTRODUCTION = """## scores.json of a report

One key a section, `null` if it was not computed, with the reason in `note`; then `provenance`: versions, options,
hashes of answers, runs and sets. `ci95` is a 95 % interval as [low, high]; where a number is missing, `note` beside it
says why. Keys that begin with `real_` are of real beside real images. Single participants are in
`tables/participants.csv` only. `kid` and `frechet` stand for names with their features, such as `random_feature_kid`:
only the published Inception's are called `kid` and `fid`.
"""


def page() -> str:
    """The whole page."""
    parts = [INTRODUCTION, *(_table(title, *facts) for title, facts in TABLES.items()), SCORES_INTRODUCTION]
    for name, (by, keys) in SCORES.items():
        rows = "\n".join(f"| `{key}` | {meaning or '(as above)'} |" for key, meaning in keys.items())
        parts.append(f"### {name}\n\nBy {by}.\n" if by else f"### {name}\n")
        parts += [f"| key | meaning |\n| --- | --- |\n{rows}\n"] if rows else []
    return "\n".join(parts)


def _table(title: str, about: str, columns: Sequence[Column]) -> str:
    rows = "\n".join(
        f"| `{c.name}` | {c.kind} | {c.unit or '-'} | {c.origin} | {c.description} |" for c in columns
    )  # fmt: skip
    head = "| column | type | unit | origin | meaning |\n| --- | --- | --- | --- | --- |"
    return f"## {title}\n\n{about}\n\n{head}\n{rows}\n"


def undocumented(scores: Mapping[str, Any]) -> Iterator[str]:
    """The keys of a scores.json that this page does not describe, as section.key."""
    for name in scores.keys() - {"schema", "note", "provenance"}:
        if name not in SCORES:
            yield name
            continue
        by, keys = SCORES[name]
        entries = [scores[name]] if not by else (scores[name] or {}).values()
        for entry in entries if keys else ():
            yield from (f"{name}.{key}" for key in entry or () if not _described(key, keys))


def _described(key: str, keys: Mapping[str, str]) -> bool:
    """Whether a key is among `keys`, with distances by their full names, or common to all sections."""
    if key == "note" or key.startswith("real_"):
        return True
    said = (re.sub("kid", r"\\w*kid\\w*", one).replace("frechet", r"\w*(frechet|fid)\w*") for one in keys)
    return any(re.fullmatch(pattern, key) for pattern in said)


if __name__ == "__main__":
    with atomic_file(PAGE) as temporary:
        temporary.write_text(page(), encoding="utf-8")
