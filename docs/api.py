"""`python -m docs.api`: write docs/api.md, signatures and docstrings of public functions. A test keeps it up to date.

The sources are parsed, not imported, so the page is the same whatever is installed.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

from glimpse.files import atomic_file

PAGE = Path(__file__).with_suffix(".md")
ROOT = PAGE.parents[1]
WIDTH = 100

MODULES = {
    "Answers of people": (
        "analysis.people.trials", "analysis.people.inference", "analysis.people.estimation.estimate",
        "analysis.people.estimation.variance", "analysis.people.equivalence", "analysis.people.sequential",
        "analysis.people.population.mixed",
        "analysis.people.population.simulation", "analysis.planning", "glimpse.observers",
    ),
    "Images": (
        "analysis.images.extractors", "analysis.images.features", "analysis.images.kid", "analysis.images.distances",
        "analysis.images.copying.assess",
    ),
    "Image sets, stimulus sets, generators": (
        "glimpse.workspace", "glimpse.imageset", "glimpse.stimuli", "glimpse.publishing.rules",
        "glimpse.publishing.pairs", "gan_core.sampling",
    ),
}  # fmt: skip

INTRODUCTION = """# API

Public functions and classes, by module, written by `python -m docs.api` from signatures and docstrings; a test runs
their examples. [Five examples](examples.md) show them at work. Versions before 1.0 may change them.
"""

Function = ast.FunctionDef | ast.ClassDef


def page() -> str:
    """The whole page."""
    parts = [INTRODUCTION]
    for title, modules in MODULES.items():
        parts.append(f"## {title}")
        parts += [part for module in modules for part in _module(module)]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _module(name: str) -> Iterator[str]:
    tree = ast.parse(ROOT.joinpath(*name.split(".")).with_suffix(".py").read_text("utf-8"))
    yield f"### {name}\n\n{_prose(tree)}"
    for node in tree.body:
        if isinstance(node, Function) and not node.name.startswith("_"):
            yield f"#### {node.name}\n\n```python\n{_signature(node)}\n```\n\n{_prose(node)}"
            if isinstance(node, ast.ClassDef):
                yield "\n".join(
                    f"- `{_member(method)}`" + _said(method)
                    for method in node.body
                    if isinstance(method, ast.FunctionDef) and not method.name.startswith("_")
                )


def _said(method: ast.FunctionDef) -> str:
    """The first paragraph of a method's docstring, behind a colon."""
    paragraph = " ".join((ast.get_docstring(method) or "").partition("\n\n")[0].split())
    return f": {paragraph}" if paragraph else ""


def _member(method: ast.FunctionDef) -> str:
    """A method with its parameters, or a property with its type, on one line."""
    if method.returns and any(isinstance(one, ast.Name) and "property" in one.id for one in method.decorator_list):
        return f"{method.name}: {ast.unparse(method.returns)}"
    return _signature(method, 1000)


def _signature(node: Function, width: int = WIDTH) -> str:
    """A function with its parameters and result, or a class with its fields; long ones with one parameter per line."""
    if isinstance(node, ast.ClassDef):
        given = [ast.unparse(field) for field in node.body if isinstance(field, ast.AnnAssign)]
        start, end = f"class {node.name}(", ")"
    else:
        given = _parameters(node.args)
        start, end = f"{node.name}(", ")" + (f" -> {ast.unparse(node.returns)}" if node.returns else "")
    line = f"{start}{', '.join(given)}{end}"
    return line if len(line) <= width else "\n".join([start, *(f"    {one}," for one in given), end])


def _parameters(args: ast.arguments) -> list[str]:
    """The parameters as written in the source, without `self` and `cls`."""
    given = [*args.posonlyargs, *args.args]
    defaults = [None] * (len(given) - len(args.defaults)) + args.defaults
    said = [_parameter(one, default) for one, default in zip(given, defaults, strict=True)]
    said += [f"*{ast.unparse(args.vararg)}"] if args.vararg else ["*"] * bool(args.kwonlyargs)
    said += [_parameter(one, default) for one, default in zip(args.kwonlyargs, args.kw_defaults, strict=True)]
    said += [f"**{ast.unparse(args.kwarg)}"] if args.kwarg else []
    return [one for one in said if one not in ("self", "cls")]


def _parameter(one: ast.arg, default: ast.expr | None) -> str:
    return ast.unparse(one) + (f" = {ast.unparse(default)}" if default is not None else "")


def _prose(node: Function | ast.Module) -> str:
    """The docstring as Markdown: examples become blocks of code."""
    found = []
    for part in inspect.cleandoc(ast.get_docstring(node) or "").split("\n\n"):
        found.append(f"```pycon\n{part}\n```" if part.startswith(">>>") else part)
    return "\n\n".join(found)


if __name__ == "__main__":
    with atomic_file(PAGE) as temporary:
        temporary.write_text(page(), encoding="utf-8")
