"""The sections of the report: one file each, computed by `compute(context)`."""

# The sections in the order of the page: a summary, the images themselves, people beside metrics and alone (Figure 10),
# then the paper's Figures 6 and 7 and Table 3, then what goes beyond.
SECTIONS = {
    "summary": "analysis.sections.summary",
    "samples": "analysis.sections.samples",
    "joined": "analysis.sections.people_and_metrics",
    "preregistration": "analysis.sections.preregistration",
    "survey": "analysis.sections.survey",
    "conditions": "analysis.sections.conditions",
    "participants": "analysis.sections.participants",
    "reliability": "analysis.sections.reliability",
    "ratings": "analysis.sections.tasks.ratings",
    "pairs": "analysis.sections.tasks.pairs",
    "reasons": "analysis.sections.tasks.reasons",
    "thresholds": "analysis.sections.tasks.thresholds",
    "overfitting": "analysis.sections.images.overfitting",
    "neighbours": "analysis.sections.images.neighbours",
    "truncation": "analysis.sections.images.truncation",
    "quality": "analysis.sections.images.quality",
    "memorisation": "analysis.sections.images.memorisation",
    "machine_observer": "analysis.sections.images.machine_observer",
    "utility": "analysis.sections.images.utility",
}
LAST = ("joined", "summary")  # computed after all others, from their results
