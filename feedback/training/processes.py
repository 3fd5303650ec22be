"""Training in a group of processes that `torchrun` started.

Every process holds the whole model and computes the gradient of its share of each batch. The first
one, of rank 0, also evaluates, prints and writes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import distributed


def rank_and_world_size() -> tuple[int, int]:
    """The rank of this process in its group, from 0, and the number of processes in the group.

    Without a group there is one process: (0, 1).
    """
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


@contextmanager
def process_group() -> Iterator[None]:
    """Join the group of processes, if `torchrun` started this one, and leave it at the end.

    Elsewhere this does nothing.

    Raises:
        RuntimeError, ValueError: the group cannot be formed; see `torch.distributed`.
    """
    if not (distributed.is_available() and distributed.is_torchelastic_launched()):
        yield
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group()
    try:
        yield
    finally:
        distributed.destroy_process_group()
