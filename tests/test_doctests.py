"""Examples in docstrings run, and print what they say."""

import doctest
import importlib
import pkgutil

import pytest

import analysis.images
import analysis.people

ROOMS = (analysis.people, analysis.images)
GROUND_FLOOR = ["command_line", "images", "observers", "progress", "publishing", "truth"]
MODULES = ["glimpse", "gan_core.confidence", "gan_core.experiments", *(f"glimpse.{name}" for name in GROUND_FLOOR)]
MODULES += [m.name for room in ROOMS for m in pkgutil.walk_packages(room.__path__, f"{room.__name__}.")]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_print_what_they_say(name):
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0
