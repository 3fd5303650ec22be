"""Facts about the parts of attention."""

import pytest
import torch

from feedback.attention import (
    Attention,
    WindowAttention,
    causal_mask,
    merge_heads,
    rows_for,
    shift,
    split_heads,
)


def test_merging_heads_undoes_splitting_them():
    x = torch.randn(2, 5, 12)
    assert split_heads(x, 3).shape == (2, 3, 5, 4)
    assert torch.equal(merge_heads(split_heads(x, 3)), x)


@pytest.mark.parametrize(("queries", "keys"), [(4, 4), (1, 3), (2, 5)])
def test_the_last_query_reads_every_key_and_each_earlier_one_a_key_less(queries, keys):
    assert causal_mask(queries, keys).sum(1).tolist() == list(range(keys - queries + 1, keys + 1))


def test_rows_end_with_the_nearest_distance_and_repeat_the_farthest():
    table = torch.tensor([[30.0], [20.0], [10.0]])  # distances 3, 2, 1
    assert rows_for(table, 2).flatten().tolist() == [20, 10]
    assert rows_for(table, 5).flatten().tolist() == [30, 30, 30, 20, 10]
    assert rows_for(table, 0).shape == (0, 1)


@pytest.mark.parametrize(("queries", "keys"), [(4, 4), (1, 3), (3, 7)])
def test_shifting_aligns_every_query_with_its_own_distances(queries, keys):
    """If column j holds the last query's distance to key j, row i must come to hold its own."""
    distance = torch.arange(keys - 1, -1, -1.0).expand(2, queries, keys)
    own = torch.arange(keys - queries, keys)[:, None] - torch.arange(keys)
    allowed = causal_mask(queries, keys)
    assert torch.equal(shift(distance)[0][allowed], own[allowed].float())


@pytest.mark.parametrize(("queries", "keys"), [(6, 6), (1, 6), (3, 9), (2, 3)])
@pytest.mark.parametrize("window", [1, 2, 5, 9])
def test_a_window_hides_what_is_older_and_leaves_the_other_scores(queries, keys, window):
    torch.manual_seed(0)
    sizes = 6, 2, 4, True, 0.0
    plain, bounded = Attention(*sizes), WindowAttention(window, *sizes)
    bounded.load_state_dict(plain.state_dict())
    query, key = torch.randn(1, 2, queries, 3), torch.randn(1, 2, keys, 3)
    expected, found = plain.scores(query, key), bounded.scores(query, key)
    distance = torch.arange(keys - queries, keys)[:, None] - torch.arange(keys)
    assert torch.equal(found[..., distance <= window], expected[..., distance <= window])
    assert (found[..., distance > window] == -torch.inf).all()
