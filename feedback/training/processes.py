"""Training in a group of processes that `torchrun` started: each takes its share of a batch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import distributed


def rank_and_world_size() -> tuple[int, int]:
    """Rank of this process and world size: (0, 1) outside a process group."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


@contextmanager
def process_group() -> Iterator[None]:
    """Be one process of a group while training, if `torchrun` started this one."""
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
