"""Find the training image that an image may be a copy of, even if mirrored, turned, shifted or cropped.

Grey images without their low frequencies are compared by correlation, which does not depend on brightness and contrast.
A coarse search compares each image with 2,320 views of every training image (mirrored, turned, shifted, or a part of it
enlarged). The best candidates are then registered: an affine map, a gain and an offset are fitted by Gauss-Newton
steps (Lucas & Kanade 1981).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from analysis.images.copying.grey import WORK, detail, resized
from analysis.images.copying.views import orientations, poses, views
from analysis.section import AnalysisError
from glimpse.progress import progress as progress_bar

COARSE, FINE = 12, 40  # side of the frame in which images are compared, in pixels
RADIUS = 0.92  # of the disc that is compared, in halves of the side: a rotated image has lost its corners
BLOCK = 512  # images registered at a time
WAVES = 6, 10  # the side over the SD of the Gaussian whose means are subtracted, coarse and fine
CANDIDATES = 4, 3  # the best of all, and the best of groups other than that of the very best
STEPS = 5
PAIRS_AT_ONCE = 20_000_000


@dataclass(frozen=True)
class Ratios:
    """For each query the ratio of the two distances, the smaller distance, and the index of the nearest image."""

    ratio: NDArray[np.float64]  # (n,)
    distance: NDArray[np.float64]  # (n,) root of 1 - the correlation after registration
    nearest: NDArray[np.intp]  # (n,)


@dataclass(frozen=True)
class Registered:
    """Candidates for each query, their correlations, and the maps from the query's frame to the training images'."""

    rows: torch.Tensor  # (n, k)
    correlation: torch.Tensor  # (n, k); -inf for training images that were not candidates
    maps: torch.Tensor  # (n, k, 2, 3) from (x, y, 1), both in -1 to 1


def _places(side: int) -> torch.Tensor:
    """x, y, 1 of the pixels within the disc, (p, 3), and a mask of these pixels, (side * side,)."""
    centres = (torch.arange(side) + 0.5) / side * 2 - 1
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    return torch.stack([x, y, torch.ones_like(x)], -1).reshape(-1, 3)


def _disc(side: int) -> torch.Tensor:
    places = _places(side)
    return places[:, 0] ** 2 + places[:, 1] ** 2 < RADIUS**2


def _sampled(images: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    """Images (n, c, H, W) sampled at positions (n or 1, p, 2): (n, c, p)."""
    grid = at[:, None].expand(len(images), -1, -1, -1)
    return F.grid_sample(images, grid, align_corners=False, padding_mode="border")[:, :, 0]


def coarse_matches(asked: torch.Tensor, train: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The highest correlation of each grey image with any view of each training image, (n, N), and that view's index.

    To save time, the few queries are mirrored and turned by quarters, the many training images only shifted, tilted and
    enlarged.

    >>> train = torch.randn(3, 1, WORK, WORK, generator=torch.Generator().manual_seed(0))
    >>> best, _ = coarse_matches(train[1:2].flip(3), train)  # a mirrored training image
    >>> best.argmax(1).tolist(), round(best[0, 1].item(), 4)
    ([1], 1.0)
    """
    inside = _disc(COARSE)
    places = _places(COARSE)[inside]
    query = torch.stack([_turned(resized(asked, COARSE), one)[:, inside] for one in orientations()])  # (8, n, p)
    best = torch.full((len(asked), len(train)), -1.0)
    which = torch.zeros(best.shape, dtype=torch.int16)
    pictures: dict[float, torch.Tensor] = {}
    for number, (scale, pose) in enumerate(poses()):
        if scale not in pictures:
            pictures = {scale: resized(train, round(COARSE / scale))}
        at = places @ torch.tensor(pose).T
        valid = (at.abs() <= 1).all(1)
        waves = _without_waves(places[valid])
        overlap = valid.float().mean().sqrt()  # penalises small overlaps, which agree more easily by chance
        turned = _unit(query[:, :, valid] @ waves) * overlap
        for start in range(0, len(train), BLOCK):
            rows = slice(start, start + BLOCK)
            seen = _unit(_sampled(pictures[scale][rows], at[None, valid])[:, 0] @ waves)
            for view, one in enumerate(turned, start=8 * number):
                found = one @ seen.T
                which[:, rows].masked_fill_(found > best[:, rows], view)
                best[:, rows] = torch.maximum(found, best[:, rows])
    return best, which


def _turned(small: torch.Tensor, orientation: torch.Tensor) -> torch.Tensor:
    """The pixels of images (n, 1, side, side) in another orientation, (n, side * side)."""
    side = small.shape[-1]
    x, y = ((_places(side)[:, :2] @ orientation + 1) / 2 * side - 0.5).round().long().unbind(1)
    return small.flatten(1)[:, y * side + x]


def _without_waves(places: torch.Tensor) -> torch.Tensor:
    """A matrix (p, p) that subtracts, from the right, the means under a Gaussian among the pixels at these places."""
    weights = torch.exp(-0.5 * (torch.cdist(places, places) * WAVES[0] / 2) ** 2)
    return torch.eye(len(places)) - (weights / weights.sum(1, keepdim=True)).T


def _unit(rows: torch.Tensor) -> torch.Tensor:
    return F.normalize(rows - rows.mean(-1, keepdim=True), dim=-1)


def registered(query: torch.Tensor, target: torch.Tensor, maps: torch.Tensor, scale: float) -> tuple[Any, Any]:
    """The best correlation, (n,), of pairs of grey images (n, 1, 64, 64), and its map; `maps` (n, 2, 3) are the start.

    A map is accepted if it shows at least half of the disc, enlarges at most 2.5 times and hardly distorts.

    >>> image = torch.randn(1, 1, WORK, WORK, generator=torch.Generator().manual_seed(0))
    >>> found, _ = registered(image, image, torch.eye(2, 3)[None], scale=1.0)
    >>> round(found.item(), 4)
    1.0
    """
    inside, side = _disc(FINE), min(WORK, round(FINE / scale))
    places, small, raw = _places(FINE)[inside], resized(query, FINE), resized(target, side)
    a = detail(small, FINE / WAVES[1], inside.view(1, 1, FINE, FINE).float()).flatten(1)[:, inside]
    picture = _with_slopes(detail(raw, side * scale / WAVES[1]))
    start, best, best_maps = maps, torch.full((len(query),), -2.0), maps
    for step in range(STEPS + 1):
        at = torch.einsum("pk,nik->npi", places, maps)
        b, across, down = _sampled(picture, at).unbind(1)
        valid = (at.abs() <= 1).all(2).float()
        seen = valid.mean(1)
        x, y = (_centred(values, valid) for values in (a, b))
        xy, yy = (x * y).sum(1), (y * y).sum(1).clamp_min(1e-6)
        found = xy / ((x * x).sum(1).clamp_min(1e-6) * yy).sqrt() * seen.sqrt()
        better = (found > best) & (
            _plausible(maps) & (seen > 0.5) if step else torch.ones_like(found, dtype=torch.bool)
        )
        best = torch.where(better, found, best)
        best_maps = torch.where(better[:, None, None], maps, best_maps)
        if step < STEPS:
            gain = (xy / yy).clamp_min(1e-3)[:, None]
            slopes = [slope * gain * places[:, i] for slope in (across, down) for i in range(3)]
            design = torch.stack([*slopes, b, torch.ones_like(b)], 2) * valid[:, :, None]
            normal = design.transpose(1, 2) @ design
            normal = normal + 1e-3 * torch.diag_embed(normal.diagonal(dim1=1, dim2=2)) + 1e-6 * torch.eye(8)
            change = torch.linalg.solve(normal, design.transpose(1, 2) @ (x - gain * y)[:, :, None])[:, :6, 0]
            maps = maps + change.reshape(-1, 2, 3).nan_to_num().clamp(-0.15, 0.15)
    before, after = (agreement(small, raw, one) for one in (start, best_maps))
    return torch.maximum(before, after), torch.where((before > after)[:, None, None], start, best_maps)


def agreement(query: torch.Tensor, target: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
    """The correlation of detail, (n,), of images (n, 1, 40, 40) and others seen through the maps, where they overlap.

    >>> noise = torch.randn(1, 1, FINE, FINE, generator=torch.Generator().manual_seed(0))
    >>> same = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])  # the map to the same place
    >>> [round(agreement(noise, 3 * sign * noise + 1, same).item(), 3) for sign in (1, -1)]
    [1.0, -1.0]
    """
    at = torch.einsum("pk,nik->npi", _places(FINE), maps)
    seen = ((at.abs() <= 1).all(2) & _disc(FINE)).float()
    both = torch.cat([query, _sampled(target, at).view_as(query)], 1)
    x, y = detail(both, FINE / WAVES[1], seen.view_as(query)).flatten(2).unbind(1)
    x, y = _centred(x, seen), _centred(y, seen)
    share = seen.sum(1) / _disc(FINE).sum()
    return (x * y).sum(1) / (x.norm(dim=1) * y.norm(dim=1)).clamp_min(1e-6) * share.sqrt()


def _centred(values: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    mean = (values * valid).sum(1, keepdim=True) / valid.sum(1, keepdim=True).clamp_min(1)
    return (values - mean) * valid


def _plausible(maps: torch.Tensor) -> torch.Tensor:
    stretch = torch.linalg.svdvals(maps[:, :, :2])
    return (stretch[:, 1] > 0.4) & (stretch[:, 0] < 1.3) & (stretch[:, 0] < 1.25 * stretch[:, 1])


def _with_slopes(picture: torch.Tensor) -> torch.Tensor:
    """Images (n, 1, s, s) with their derivatives by x and y, in halves of the side, as channels: (n, 3, s, s)."""
    per_pixel = picture.shape[-1] / 4
    across = F.pad((picture[..., 2:] - picture[..., :-2]) * per_pixel, (1, 1, 0, 0))
    down = F.pad((picture[..., 2:, :] - picture[..., :-2, :]) * per_pixel, (0, 0, 1, 1))
    return torch.cat([picture, across, down], 1)


@torch.inference_mode()
def search(
    asked: torch.Tensor, train: torch.Tensor, groups: NDArray[Any], own: NDArray[Any] | None = None,
    candidates: tuple[int, int] = CANDIDATES,
) -> Registered:  # fmt: skip
    """The registered candidates for grey images among grey training images of `groups` (N,).

    `own` (n,): each query's own group, which is excluded. `candidates`: the number of best ones of all, and of groups
    other than that of the very best.

    >>> train = torch.randn(3, 1, WORK, WORK, generator=torch.Generator().manual_seed(0))
    >>> found = search(train[1:2].flip(3), train, np.arange(3))
    >>> found.rows[0, 0].item(), round(found.correlation[0, 0].item(), 4), found.maps[0, 0].round(decimals=4).tolist()
    (1, 1.0, [[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    """
    size = max(1, min(512, PAIRS_AT_ONCE // max(1, len(train))))
    parts = []
    with progress_bar(title="looking for copies", unit="images", total=len(asked)) as bar:
        for start in range(0, len(asked), size):
            rows = slice(start, start + size)
            parts.append(_searched(asked[rows], train, groups, None if own is None else own[rows], candidates))
            bar.update(len(asked[rows]))
    return Registered(*(torch.cat([getattr(one, name) for one in parts]) for name in ("rows", "correlation", "maps")))


def _searched(
    asked: torch.Tensor, train: torch.Tensor, groups: NDArray[Any], own: NDArray[Any] | None,
    candidates: tuple[int, int],
) -> Registered:  # fmt: skip
    best, which = coarse_matches(asked, train)
    if own is not None:
        best[torch.from_numpy(own[:, None] == groups[None, :])] = -torch.inf
    top = best.topk(min(candidates[0], len(train)), 1).indices
    same = torch.from_numpy(groups[top[:, 0].numpy()][:, None] == groups[None, :])
    others = best.masked_fill(same, -torch.inf).topk(min(candidates[1], len(train)), 1).indices
    rows = torch.cat([top, others], 1)
    score, flat = best.gather(1, rows), rows.flatten()
    score[:, top.shape[1] :][(others[:, :, None] == top[:, None, :]).any(2)] = -torch.inf  # not twice
    number = which.gather(1, rows).flatten().long()
    scales, maps = (one[number] for one in views())
    query = torch.arange(len(asked)).repeat_interleave(rows.shape[1])
    found = torch.full((len(flat),), -torch.inf)
    for scale in scales.unique().tolist():
        chosen = torch.nonzero((scales == scale) & score.flatten().isfinite())[:, 0]
        for some in chosen.split(BLOCK) if len(chosen) else ():
            found[some], maps[some] = registered(asked[query[some]], train[flat[some]], maps[some], scale)
    return Registered(rows, found.view(rows.shape), maps.view(*rows.shape, 2, 3))


def nearest_ratios(
    asked: torch.Tensor, train: torch.Tensor, groups: NDArray[Any], own: NDArray[Any] | None = None
) -> Ratios:
    """The distance to the nearest training image over that to the nearest of another group, both after registration.

    Raises AnalysisError if too few groups are left.

    >>> train = torch.randn(3, 1, WORK, WORK, generator=torch.Generator().manual_seed(0))
    >>> found = nearest_ratios(train[1:2].flip(3), train, np.arange(3))  # a mirrored training image
    >>> found.nearest.tolist(), bool(found.ratio[0] < 0.01)
    ([1], True)
    """
    if len(set(groups.tolist())) < (2 if own is None else 3):
        raise AnalysisError("The memorisation test needs training images of at least three photos, people or lesions.")
    if not len(asked):
        return Ratios(np.empty(0), np.empty(0), np.empty(0, np.intp))
    found = search(asked, train, groups, own)
    rows, distance = found.rows.numpy(), (1 - found.correlation.double()).clamp(1e-6, 2).sqrt().numpy()
    best = distance.argmin(1)
    line = np.arange(len(rows))
    nearest, first = rows[line, best], distance[line, best]
    other = groups[rows] != groups[nearest][:, None]
    second = np.where(other & np.isfinite(found.correlation.numpy()), distance, np.sqrt(2)).min(1)
    return Ratios(first / second, first, nearest)
