"""The split depends on position, number of records and seed, and on nothing else."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xpad.errors import NotEnoughDataError
from xpad.stages.split import (
    TEST,
    TRAIN,
    VALIDATION,
    Members,
    block_split,
    by_shares,
    hashed,
    stratified_uniform,
)


def drawn(positions, total, seed):
    """The split of records that are drawn one by one, with the published shares."""
    return by_shares(stratified_uniform(positions, total, seed), 0.2, 0.4)


@given(
    total=st.integers(1, 2000),
    seed=st.integers(0, 2**32),
    cuts=st.lists(st.integers(0, 2000), max_size=6),
)
@settings(deadline=None, max_examples=50)
def test_any_partition_gives_the_same_numbers(total, seed, cuts):
    whole = stratified_uniform(np.arange(total), total, seed)
    edges = [0, *sorted(min(c, total) for c in cuts), total]
    parts = [stratified_uniform(np.arange(a, b), total, seed) for a, b in pairwise(edges)]
    np.testing.assert_array_equal(whole, np.concatenate(parts))
    backwards = stratified_uniform(np.arange(total)[::-1], total, seed)
    np.testing.assert_array_equal(whole, backwards[::-1])
    some = np.random.default_rng(seed).integers(0, total, 5)
    np.testing.assert_array_equal(whole[some], stratified_uniform(some, total, seed))
    assert whole.min() >= 0
    assert whole.max() < 1


@pytest.mark.parametrize("total", [10, 50, 100, 1000, 12_345])
def test_shares_are_exact_to_a_record_a_stratum(total):
    split = drawn(np.arange(total), total, seed=4)
    for code, share in ((TRAIN, 0.2), (VALIDATION, 0.2), (TEST, 0.6)):
        assert abs((split == code).sum() - share * total) <= 1


def test_sparse_usable_records_still_split_as_published():
    # 717 usable of 1000, as Juno's: near the 143 of an exact draw.
    rng = np.random.default_rng(1)
    usable = np.sort(rng.choice(1000, 717, replace=False))
    n = (drawn(usable, 1000, seed=4) == TRAIN).sum()
    assert 120 < n < 167


def test_seeds_give_independent_splits():
    a = drawn(np.arange(10_000), 10_000, seed=4) == TRAIN
    b = drawn(np.arange(10_000), 10_000, seed=5) == TRAIN
    assert 0.15 < b[a].mean() < 0.25


def test_neighbours_do_not_follow_each_other():
    train = drawn(np.arange(100_000), 100_000, seed=0) == TRAIN
    for lag in (1, 2, 5, 10, 50, 100):
        both = (train[lag:] & train[:-lag]).mean()
        assert both == pytest.approx(0.04, abs=0.004)


def test_hash_bits_are_balanced():
    bits = hashed(np.arange(4096), seed=3)[:, None] >> np.arange(64, dtype=np.uint64) & np.uint64(1)
    assert np.abs(bits.mean(axis=0) - 0.5).max() < 0.05


def test_blocks_stay_whole():
    blocks = np.repeat(np.arange(30), 17)
    split = block_split(blocks, 0.2, 0.2, seed=4)
    for block in range(30):
        assert len(set(split[blocks == block])) == 1
    assert [(split == c).sum() // 17 for c in (TRAIN, VALIDATION, TEST)] == [6, 6, 18]


def test_three_blocks_give_one_each():
    split = block_split(np.array([7, 7, 8, 9]), 0.2, 0.2, seed=0)
    assert set(split) == {TRAIN, VALIDATION, TEST}


def test_two_blocks_are_too_few():
    with pytest.raises(NotEnoughDataError, match="three blocks"):
        block_split(np.array([1, 2]), 0.2, 0.2, seed=0)


@given(
    n=st.integers(0, 300), seed=st.integers(0, 99), pick=st.lists(st.integers(0, 299), max_size=20)
)
@settings(deadline=None, max_examples=50)
def test_members_are_the_positions_with_a_code(n, seed, pick):
    """In any order, also with repeats, as blocks of several record dimensions ask for them."""
    codes = np.random.default_rng(seed).integers(-1, 3, n).astype(np.int8)
    members = Members.of(codes, TEST)
    assert members.bits.nbytes == -(-n // 8)
    for positions in (np.arange(n), np.array([p for p in pick if p < n], dtype=np.int64)):
        np.testing.assert_array_equal(
            members.among(positions), np.flatnonzero(codes[positions] == TEST)
        )


def test_members_of_many_positions(monkeypatch):
    monkeypatch.setattr("xpad.stages.split.SPAN", 16)
    codes = np.random.default_rng(0).integers(-1, 3, 100).astype(np.int8)
    np.testing.assert_array_equal(
        Members.of(codes, TEST).among(np.arange(100)), np.flatnonzero(codes == TEST)
    )
