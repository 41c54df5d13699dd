"""The sections of the report: one file each, computed by `compute(context)`."""

# The sections in the order of the page: Figure 10, Figure 6, Figure 7, Table 3, samples, then what goes beyond.
SECTIONS = {
    "survey": "analysis.sections.survey",
    "thresholds": "analysis.sections.thresholds",
    "overfitting": "analysis.sections.overfitting",
    "neighbours": "analysis.sections.neighbours",
    "truncation": "analysis.sections.truncation",
    "samples": "analysis.sections.samples",
    "quality": "analysis.sections.quality",
    "memorisation": "analysis.sections.memorisation",
    "machine_observer": "analysis.sections.machine_observer",
    "utility": "analysis.sections.utility",
    "joined": "analysis.sections.people_and_metrics",
}
