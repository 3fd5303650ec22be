"""One token after another without gradients: prepared weights, and a cache that grows in place.

What `LanguageModel.step` and `generate` run on. It computes what the models compute, in fewer and
larger products; the models themselves stay the plain account.

Shapes: B batch, d width, L layers, H heads, k = d / H, n keys read, V tokens.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from feedback.cache import Memory, Room
from feedback.prepared import LayerWeights, layer_weights, product
from feedback.sequence import normalize


class Stepper:
    """The weights of a language model prepared for single steps: a copy as they are right now.

    Attributes:
        sets: how many pairs of keys and values a step has.
        reach: how many keys the tables of distances serve; doubled when a memory outgrows it.
    """

    def __init__(self, model: nn.Module):
        self.config, self.core = model.core.config, model.core
        self.parallel = self.config.model == "parallel"
        self.embedding = model.embedding.weight.detach().clone()
        self.reach = self.config.max_distance + self.parallel
        self.layers = [copied(layer_weights(layer, self.reach)) for layer in self.core.layers]
        self.eps = [(layer.norm1.eps, layer.norm2.eps) for layer in self.core.layers]
        self.products = [
            [product(w) for w in (z.query, z.output, z.widen, z.narrow)] for z in self.layers
        ]
        if self.parallel:
            self.sets = self.config.n_layers
            self.projections = [joined([z.keys_values], z.norm1) for z in self.core.layers]
        else:
            self.sets = len(self.core.keys_values)
            self.projections = [joined(self.core.keys_values)]
            self.mixture = self.core.mixture.weights(self.embedding)
        head, norm = model.head, self.core.norm
        self.head = product(head.weight * norm.weight), head.bias + head.weight @ norm.bias
        self.last_eps = norm.eps

    def extend(self, reach: int) -> None:
        """Let the tables of distances serve up to `reach` keys: the farthest repeats."""
        more, self.reach = reach - self.reach, reach
        self.layers = [
            w._replace(
                r=torch.cat([w.r[:, :, :1].expand(-1, -1, more), w.r], dim=2),
                s=torch.cat([w.s[:, :, :1].expand(-1, -1, more), w.s], dim=2),
            )
            for w in self.layers
        ]

    def step(self, token: Tensor, memory: Memory | None) -> tuple[Tensor, Memory]:
        """Logits (B, V) after tokens (B,) that follow `memory`, and the memory with them in it."""
        state = self.embedding[token]
        memory = self.core.start(state[:, None], memory, self.sets)
        room, end = Room.after(memory)
        n = len(memory) + self.parallel
        with torch.autocast(state.device.type, enabled=False):
            while n > self.reach:
                self.extend(2 * self.reach)
            outputs = [state]
            for i in range(self.config.n_layers):
                state = self.layer(i, state, room, end, n)
                outputs.append(state)
            if not self.parallel:
                m = (self.mixture @ torch.stack(outputs).flatten(1)).view_as(state)
                room.write(end, self.project(0, m))
            multiply, bias = self.head
            logits = multiply(normalize(state, self.last_eps)[0], bias)
        return logits, room.memory(end + 1, self.config)

    def layer(self, i: int, state: Tensor, room: Room, end: int, n: int) -> Tensor:
        """Layer i: (B, d) -> (B, d), reading n keys."""
        (B, d), H, (eps1, eps2) = state.shape, self.config.heads, self.eps[i]
        w, (to_query, to_output, to_hidden, to_state) = self.layers[i], self.products[i]
        if n:
            z = normalize(state, eps1)[0]
            if self.parallel:
                room.write(end, self.project(i, z), first=i)
            keys, values = room.read(i % self.sets, end + self.parallel - n, end + self.parallel)
            query = to_query(z, w.query_bias).view(B, H, -1).transpose(0, 1)  # (H, B, k)
            scores = torch.baddbmm(w.s[:, :, -n:], query, w.r[:, :, -n:]).view(H * B, 1, n)
            scores.baddbmm_(query.reshape(H * B, 1, -1), keys.transpose(1, 2))
            read = torch.bmm(scores.softmax(-1), values).view(H, B, -1)
            state = to_output(read.transpose(0, 1).reshape(B, d), w.output_bias, plus=state)
        hidden = to_hidden(normalize(state, eps2)[0], w.widen_bias, relu=True)
        return to_state(hidden, w.narrow_bias, plus=state)

    def project(self, i: int, x: Tensor) -> Tensor:
        """Keys and values of x (B, d), as a room stores them: (sets, 2, H, B, k)."""
        multiply, bias = self.projections[i]
        (B, d), H = x.shape, self.config.heads
        return multiply(x, bias).view(B, -1, 2, H, d // H).permute(1, 2, 3, 0, 4)


def copied(weights: LayerWeights) -> LayerWeights:
    """The same numbers in storage of their own: some of them are the layer's parameters."""
    return LayerWeights(*(w.detach().clone() for w in weights))


def joined(pairs: list[nn.Module], norm: nn.LayerNorm | None = None) -> tuple:
    """All keys and values of x by one product, norm's gain and bias worked in: (product, bias)."""
    maps = [linear for pair in pairs for linear in (pair.key, pair.value)]
    weight = torch.cat([linear.weight for linear in maps])
    bias = [weight.new_zeros(z.out_features) if z.bias is None else z.bias for z in maps]
    bias = torch.cat(bias)
    if norm is not None:
        bias, weight = bias + weight @ norm.bias, weight * norm.weight
    return product(weight), bias


prepared: WeakKeyDictionary[nn.Module, tuple] = WeakKeyDictionary()


@torch.no_grad()
def stepper(model: nn.Module) -> Stepper:
    """A `Stepper` of the model as it is: the last one, unless a weight has changed since.

    Autocast is off here and in its steps, as in `feedback.sequence`.
    Changes made behind autograd's back, through `.data`, are not seen.
    """
    state = [(p.data_ptr(), None if p.is_inference() else p._version) for p in model.parameters()]
    known = prepared.get(model)
    if known is None or known[0] != state:
        with torch.autocast(model.embedding.weight.device.type, enabled=False):
            known = prepared[model] = (state, Stepper(model))
    return known[1]
