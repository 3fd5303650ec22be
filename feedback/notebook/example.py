"""Four words in numbers small enough to print: chapter 1 builds them, chapters 2 and 4 go on.

"her" stands for somebody, and Anna is the only one who has been named. A head that knows what a
reference asks for, and what a person offers, finds her.

Shapes: T = 4 words, d = 4 features, k = 2 features of a head.
"""

from __future__ import annotations

import torch

WORDS = ("Anna", "saw", "her", "dog")
# (T, d): how much of a person, an animal, an action and a reference each word is
EMBEDDINGS = torch.tensor(
    [
        [1.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 1.0, 0.0],
        [0.5, 0.0, 0.0, 1.0],
        [0.0, 1.0, 0.0, 0.0],
    ]
)
# (d, k): what each feature asks for, a person or an action
W_Q = torch.tensor([[0.0, 1.0], [0.0, 1.0], [1.0, 0.0], [2.0, 0.0]])
# (d, k): what each feature offers to such questions
W_K = torch.tensor([[2.0, 0.0], [0.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
# (d, k): what is handed on of each feature, person and animal
W_V = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [0.0, 0.0]])
