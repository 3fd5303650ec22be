"""Tasks whose answer is a state that every token may change: permutations, and small programs.

A task makes inputs and labels, both (B, T) int64, from a generator. A label is the answer right
after reading the token at its place; where there is no answer it is `NO_LABEL`, which
`cross_entropy` leaves out.

Shapes: B batch, T tokens.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import permutations

import torch
from torch import Tensor

NO_LABEL = -100
HELD_OUT = 2**62  # the seed of held-out examples


class Task(ABC):
    """What all tasks share.

    Attributes:
        name: what `--task` calls it.
        words: the vocabulary; a word's place is its token.
    """

    name: str
    words: tuple[str, ...]

    @abstractmethod
    def batch(
        self, batch_size: int, length: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Inputs and labels, both (B, T) int64."""

    @abstractmethod
    def baseline(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """What a rule that tracks no state answers at every token, (B, T) int64."""

    @property
    def n_tokens(self) -> int:
        """Size V of the vocabulary."""
        return len(self.words)

    def describe(self) -> dict[str, str]:
        """What tells this task from others."""
        return {"task": self.name}

    def held_out(self, length: int, seed: int = HELD_OUT) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs and labels, both (B, T), of 512 examples that are the same at every call.

        Another seed gives other examples; it should be none that anyone trains with.
        """
        generator = torch.Generator().manual_seed(seed)
        for _ in range(8):
            yield self.batch(64, length, generator)


class Composition(Task):
    """The product of the permutations of n things read so far.

    A token is one of the n! permutations, in lexicographic order, so that token 0 changes nothing.
    With n = 2 the tokens are "leave" and "swap", and the product is the parity of the swaps.
    The baseline answers with the last permutation alone.

    Args:
        swaps: draw only permutations that swap two things or none; every product comes up all the
            same, and there are fewer single steps to learn.

    Attributes:
        moves: the tokens that inputs are drawn from.
        product: (n!, n!), [a, b] is the permutation "first a, then b".
    """

    def __init__(self, name: str, n: int, swaps: bool = False):
        self.name = name
        elements = torch.tensor(list(permutations(range(n))))  # (n!, n): x goes to elements[a, x]
        self.words = tuple("".join(map(str, p)) for p in elements.tolist())
        moved = (elements != torch.arange(n)).sum(-1)
        self.moves = (moved <= (2 if swaps else n)).nonzero().flatten()
        composed = elements[:, elements].transpose(0, 1)  # (n!, n!, n): x goes to b[a[x]]
        digits = n ** torch.arange(n - 1, -1, -1)
        self.product = torch.searchsorted((elements * digits).sum(-1), (composed * digits).sum(-1))

    def batch(
        self, batch_size: int, length: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Inputs and labels, both (B, T)."""
        drawn = torch.randint(len(self.moves), (batch_size, length), generator=generator)
        inputs = self.moves[drawn]
        state, labels = torch.zeros(batch_size, dtype=torch.int64), torch.empty_like(inputs)
        for t in range(length):
            labels[:, t] = state = self.product[state, inputs[:, t]]
        return inputs, labels

    def baseline(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Answer every token (B, T) with itself, as if it stood at the beginning."""
        return inputs


class Program(Task):
    """Programs that assign, count, compare and print; the label of `print x ;` is the value of x.

    A program is 100 statements and END. A statement is one of `x = 3 ;` for a variable that has no
    value yet, `x ++ ;`, `x -- ;`, `if x < y : x ++ ;` and `print x ;`, drawn evenly and drawn anew
    where it is impossible: values stay in 1..10. An `if` compares with a variable or a number, and
    what it guards is no `if` and no `print`. Every row of a batch begins with a program; where one
    ends the next begins, without any variable.

    The baseline answers with the last value printed of the same variable; where there is none, it
    is wrong.

    Source: the paper's algorithmic task, from its description; rows there cut through programs.
    """

    STATEMENTS = 100

    def __init__(self, name: str, variables: int):
        self.name, self.variables = name, "xyzpr"[:variables]
        numbers = tuple(map(str, range(1, 11)))
        self.words = (*self.variables, *numbers, *"= ++ -- if < > : print ; END".split())
        self.token = {word: i for i, word in enumerate(self.words)}

    def batch(
        self, batch_size: int, length: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Inputs and labels, both (B, T)."""
        seed = torch.randint(2**62, (), generator=generator).item()
        rows = [self.row(length, random.Random(seed + row)) for row in range(batch_size)]
        inputs, labels = torch.tensor(rows).unbind(1)
        return inputs, labels

    def row(self, length: int, source: random.Random) -> tuple[list[int], list[int]]:
        """Tokens and labels of one row."""
        tokens: list[int] = []
        labels: list[int] = []
        while len(tokens) < length:
            for words, answer in self.program(source):
                tokens += [self.token[word] for word in words]
                labels += [NO_LABEL] * (len(words) - 1)
                labels.append(NO_LABEL if answer is None else self.token[str(answer)])
        return tokens[:length], labels[:length]

    def program(self, source: random.Random) -> Iterator[tuple[list[str], int | None]]:
        """The statements of one program, each with the value that it prints, if it does."""
        values: dict[str, int] = {}
        for _ in range(self.STATEMENTS):
            yield self.statement(values, source)
        yield ["END"], None

    def statement(
        self, values: dict[str, int], source: random.Random, kinds: str = "=+-ip"
    ) -> tuple[list[str], int | None]:
        """Draw one statement, carry it out on `values`, and give its words and what it prints."""
        while True:
            kind = source.choice(kinds)
            if kind == "=":
                if free := [name for name in self.variables if name not in values]:
                    name, value = source.choice(free), source.randint(1, 10)
                    values[name] = value
                    return [name, "=", str(value), ";"], None
            elif values:
                name = source.choice(list(values))
                if kind == "p":
                    return ["print", name, ";"], values[name]
                if kind == "i":
                    return self.condition(name, values, source), None
                change = 1 if kind == "+" else -1
                if 1 <= values[name] + change <= 10:
                    values[name] += change
                    return [name, "++" if kind == "+" else "--", ";"], None

    def condition(self, left: str, values: dict[str, int], source: random.Random) -> list[str]:
        """Draw an `if` on the variable `left`, and carry out what it guards if it holds."""
        with_variable, sign = source.random() < 0.5, source.choice("<>")
        right = source.choice(list(values)) if with_variable else str(source.randint(1, 10))
        difference = values[left] - (values[right] if with_variable else int(right))
        holds = difference < 0 if sign == "<" else difference > 0
        guarded, _ = self.statement(values if holds else dict(values), source, kinds="=+-")
        return ["if", left, sign, right, ":", *guarded]

    def baseline(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Answer every `print` in tokens (B, T) with the last label (B, T) of its variable."""
        answers = torch.full_like(labels, NO_LABEL)
        for row in range(len(inputs)):
            printed: dict[int, int] = {}
            for t in (labels[row] != NO_LABEL).nonzero().flatten().tolist():
                name = inputs[row, t - 1].item()  # `print x ;`: the label stands at the semicolon
                answers[row, t] = printed.get(name, NO_LABEL)
                printed[name] = labels[row, t].item()
        return answers


TASKS = {
    task.name: task
    for task in (
        Composition("parity", 2),
        Composition("s3", 3),
        Composition("s5", 5),
        Composition("s5-swaps", 5, swaps=True),
        Program("program3", 3),
        Program("program5", 5),
    )
}
