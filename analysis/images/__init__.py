"""Measures of images: features, distances, SSIM."""

from __future__ import annotations

from collections.abc import Mapping

BLIND = "random features see grain and colour, not layout"  # said beside every distance on them


def better(observers: Mapping[str, Mapping[str, float]]) -> str:
    """The name of the machine observer with the largest AUC, which does not depend on where its answers are divided.

    >>> better({"pixels": {"auc": 0.9, "accuracy": 0.7}, "random features": {"auc": 0.8, "accuracy": 0.8}})
    'pixels'
    """
    return max(observers, key=lambda name: observers[name]["auc"])
