"""Shared by all packages: workspace, files, image sets, stimulus sets, command lines. Nothing here imports torch."""

DISTRIBUTION = "glimpse-study"  # the name to install by; `glimpse` on PyPI is another project


def how_to_install(extra: str) -> str:
    """The command that installs what an optional part needs.

    >>> how_to_install("train")
    "pip install 'glimpse-study[train]'"
    """
    return f"pip install '{DISTRIBUTION}[{extra}]'"
