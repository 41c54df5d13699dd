"""The split: by whole groups, close to what was asked for, the same each time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glimpse.imageset import ImageSetError
from glimpse.prepare.split import groups_for_testing, named_groups

group_sizes = st.lists(st.integers(1, 9), min_size=2, max_size=40)


@settings(deadline=None)
@given(group_sizes, st.floats(0.05, 0.95), st.integers(0, 99))
def test_the_share_is_met_as_closely_as_whole_groups_allow(sizes: list[int], share: float, seed: int) -> None:
    groups = [f"g{i}" for i, size in enumerate(sizes) for _ in range(size)]
    if not 0 < round(share * len(groups)) < len(groups):
        with pytest.raises(ImageSetError, match="one side empty"):
            groups_for_testing(groups, share, seed)
        return
    testing = groups_for_testing(groups, share, seed)
    taken = sum(group in testing for group in groups)
    assert 0 < taken < len(groups)
    forced = min(share, 1 - share) * len(groups) <= max(sizes)  # a single group is more than that side should hold
    assert abs(taken - share * len(groups)) <= max(sizes) / (1 if forced else 2) + 1


def test_a_count_of_photos_is_met_exactly_where_each_is_its_own_group() -> None:
    assert len(groups_for_testing([str(i) for i in range(131)], 52, 0)) == 52
    assert len(groups_for_testing([str(i) for i in range(131)], 0.4, 0)) == 52  # the paper's 79 + 52


def test_the_order_of_the_photos_does_not_matter_but_the_seed_does() -> None:
    groups = [str(i) for i in range(40)]
    assert groups_for_testing(groups, 0.3, 1) == groups_for_testing(groups[::-1], 0.3, 1)
    assert groups_for_testing(groups, 0.3, 1) != groups_for_testing(groups, 0.3, 2)


def test_nothing_is_set_aside_on_request() -> None:
    assert groups_for_testing(["a", "a"], 0, 0) == frozenset()


@pytest.mark.parametrize(
    ("groups", "wanted"),
    [([], 0.5), (["a", "a", "a"], 0.5), (["a", "b"], 2), (["a", "b"], 0.99), (["a", "b", "c"], 0.01)],
)
def test_a_split_that_leaves_one_side_empty_is_refused(groups: list[str], wanted: float) -> None:
    with pytest.raises(ImageSetError, match="leave one side empty"):
        groups_for_testing(groups, wanted, 0)


def test_a_list_names_the_photos_for_testing() -> None:
    groups = {"a1": "a", "a2": "a", "b1": "b"}
    assert named_groups(groups, ["# held out", "a1.jpg", "sub/a2.jpg", ""], "list.txt") == {"a"}


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["z9"], "list.txt names z9, which is not among the photos"),
        (["a1"], "leaves out a2, but names other photos of its group 'a'"),
        (["a1", "a2", "b1"], "leave one side of the split empty"),
        ([], "leave one side of the split empty"),
    ],
)
def test_a_list_that_cannot_be_followed_is_refused(lines: list[str], sentence: str) -> None:
    with pytest.raises(ImageSetError, match=sentence):
        named_groups({"a1": "a", "a2": "a", "b1": "b"}, lines, "list.txt")


def test_a_group_that_overshoots_as_much_as_it_helps_is_passed_over() -> None:
    """Two of four photos are wanted, so a pair and two single photos: after one single photo, the pair is a tie."""
    for seed in range(20):
        order = np.random.default_rng(seed).permutation(3)
        chosen = groups_for_testing(["a", "b", "pair", "pair"], 2, seed)
        first_is_pair = order[0] == 2
        assert chosen == ({"pair"} if first_is_pair else {"a", "b"})


@pytest.mark.parametrize(("count", "testing"), [(1, {"b"}), (15, {"a"})])
def test_where_no_group_or_every_group_would_be_chosen_the_smallest_changes_sides(
    count: int, testing: set[str]
) -> None:
    for seed in range(4):
        assert groups_for_testing(["a"] * 10 + ["b"] * 6, count, seed) == testing
