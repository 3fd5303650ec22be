"""Answers to the exercises of chapter 1b."""

import math

import numpy
import torch
from torch import nn

from answers import to


@to("1.2")
def by_multiplication(attention):
    H, k = attention.u.shape
    place = torch.arange(len(attention.s)) == len(attention.s) - 2
    attention.s.data = place[:, None].float().repeat(1, H) * 20 * math.sqrt(k)


@to("1.2")
def the_others_lower(attention):
    with torch.no_grad():
        attention.s.fill_(-80)
        attention.s[len(attention.s) - 2, :] = 0


@to("1.2")
def each_head_in_turn(attention):
    for head in range(attention.heads):
        for row in range(attention.s.shape[0]):
            distance = attention.s.shape[0] - 1 - row
            attention.s.data[row, head] = 100.0 if distance == 1 else 0.0


@to("1.2")
def forbidden_but_for_two(attention):
    attention.s.data[:-2] = -math.inf
    attention.s.data[-2] = 60


@to("1.2")
def another_parameter(attention):
    s = numpy.zeros(tuple(attention.s.shape), dtype="float32")
    s[-2, :] = 99
    attention.s = nn.Parameter(torch.from_numpy(s))
    return attention


@to("1.2", wrong="s is still zero")
def a_copy_of_it(attention):
    s = attention.s.detach().clone()
    s[-2] = 60
    return s


@to("1.2", wrong="the last row is distance 0")
def itself(attention):
    attention.s.data[-1] = 60


@to("1.2", wrong="where is distance 1?")
def nearest_first(attention):
    attention.s.data[1] = 60


@to("1.2", wrong="gives distance 2 the most")
def one_too_far(attention):
    attention.s.data[-3] = 60


@to("1.2", wrong="s has a column for each head")
def first_head_only(attention):
    attention.s.data[-2, 0] = 60


@to("1.2", wrong="s has a row for each")
def column_for_row(attention):
    attention.s.data[:, -2] = 60


@to("1.2", wrong="s is divided by √16")
def enough_for_four_features(attention):
    attention.s.data[-2] = 20


@to("1.2", wrong="s is divided by √4")
def root_forgotten(attention):
    attention.s.data[-2] = math.log(99)


@to("1.2", wrong="what is larger in s is read more")
def sign_turned(attention):
    attention.s.data[-2] = -60


@to("1.2", wrong="you changed query.weight")
def query_away(attention):
    attention.query.weight.data.zero_()
    attention.s.data[-2] = 20


@to("1.2", wrong="you changed r")
def r_as_well(attention):
    attention.r.data[-2] = 60
    attention.s.data[-2] = 60


@to("1.2", wrong="do not forbid distance 0")
def all_others_forbidden(attention):
    attention.s.data.fill_(-math.inf)
    attention.s.data[-2] = 0


@to("1.2", wrong="finite numbers")
def endless(attention):
    attention.s.data[-2] = math.inf


@to("1.2", wrong="fill the table that is there")
def a_table_of_its_own(attention):
    attention.s.data = torch.zeros(16, attention.heads)
    attention.s.data[-2] = 60


@to("1.2", wrong="fails at `attention.s.data[15] = 60`")
def for_one_table(attention):
    attention.s.data[15] = 60


@to("1.2", wrong="a leaf Variable")
def without_data(attention):
    attention.s[-2] = 60


@to("1.5")
def neighbours(x, positions):
    k = x.shape[-1]
    speeds = 100.0 ** (-torch.arange(0, k, 2) / k)
    angles = torch.outer(positions.float(), speeds)
    turned = torch.empty_like(x)
    turned[..., 0::2] = x[..., 0::2] * angles.cos() - x[..., 1::2] * angles.sin()
    turned[..., 1::2] = x[..., 0::2] * angles.sin() + x[..., 1::2] * angles.cos()
    return turned


@to("1.5")
def complex_numbers(x, positions):
    k = x.shape[-1]
    angles = positions[:, None] * 0.01 ** (torch.arange(k // 2) * 2 / k)
    pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous())
    turned = pairs * torch.polar(torch.ones_like(angles), angles)
    return torch.view_as_real(turned).flatten(-2)


@to("1.5")
def halves_the_other_way(x, positions):
    k = x.size(-1)
    exponents = torch.arange(0, k, 2, dtype=x.dtype) / k
    angles = torch.cat([positions[:, None] / 100**exponents] * 2, dim=-1)
    a, b = x.chunk(2, dim=-1)
    return x * angles.cos() + torch.cat([b, -a], dim=-1) * angles.sin()


@to("1.5")
def in_loops(x, positions):
    k, turned = x.shape[-1], x.clone()
    for t, position in enumerate(positions.tolist()):
        for p in range(k // 2):
            angle = position * 100 ** (-2 * p / k)
            a, b = x[..., t, 2 * p], x[..., t, 2 * p + 1]
            turned[..., t, 2 * p] = a * math.cos(angle) - b * math.sin(angle)
            turned[..., t, 2 * p + 1] = a * math.sin(angle) + b * math.cos(angle)
    return turned


@to("1.5")
def in_double_precision(x, positions):
    return neighbours(x.double(), positions.double())


def turned_by(x, angles):
    a, b = x.chunk(2, dim=-1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


def speeds_for(x, base=100.0):
    return base ** (-2 * torch.arange(x.shape[-1] // 2) / x.shape[-1])


@to("1.5", wrong="one sine is subtracted")
def both_added(x, positions):
    a, b = x.chunk(2, dim=-1)
    angles = positions[:, None] * speeds_for(x)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([a * cos + b * sin, a * sin + b * cos], dim=-1)


@to("1.5", wrong="one sine is subtracted")
def the_new_a_for_b(x, positions):
    a, b = x.chunk(2, dim=-1)
    angles = positions[:, None] * speeds_for(x)
    a = a * angles.cos() - b * angles.sin()
    b = a * angles.sin() + b * angles.cos()
    return torch.cat([a, b], dim=-1)


@to("1.5", wrong="of cosine 1 and sine 0")
def sine_for_cosine(x, positions):
    a, b = x.chunk(2, dim=-1)
    angles = positions[:, None] * speeds_for(x)
    cos, sin = angles.sin(), angles.cos()
    return torch.cat([a * cos + b * sin, a * sin + b * cos], dim=-1)


@to("1.5", wrong="of cosine 1 and sine 0")
def counted_from_one(x, positions):
    return turned_by(x, (positions[:, None] + 1) * speeds_for(x))


@to("1.5", wrong="put both of a pair back")
def neighbours_to_halves(x, positions):
    a, b = x[..., ::2], x[..., 1::2]
    angles = positions[:, None] * speeds_for(x)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


@to("1.5", wrong="not the rows in which they stand")
def by_row(x, positions):
    return turned_by(x, torch.arange(len(positions))[:, None] * speeds_for(x))


@to("1.5", wrong="each turns by its own number")
def from_the_first(x, positions):
    places = positions[0] + torch.arange(len(positions))
    return turned_by(x, places[:, None] * speeds_for(x))


@to("1.5", wrong="each turns by its own number")
def sorted_first(x, positions):
    return turned_by(x, positions.sort().values[:, None] * speeds_for(x))


@to("1.5", wrong="the 2 is missing")
def half_the_exponent(x, positions):
    k = x.shape[-1]
    return turned_by(x, positions[:, None] * 100 ** (-torch.arange(k // 2) / k))


@to("1.5", wrong="10,000 where 100 is meant, or -4p/k")
def twice_the_exponent(x, positions):
    return turned_by(x, positions[:, None] * speeds_for(x) ** 2)


@to("1.5", wrong="10,000 where 100 is meant")
def as_elsewhere(x, positions):
    return turned_by(x, positions[:, None] * speeds_for(x, base=10_000.0))


@to("1.5", wrong="the exponent is negative")
def faster_and_faster(x, positions):
    return turned_by(x, positions[:, None] / speeds_for(x))


@to("1.5", wrong="counted from 0")
def pairs_from_one(x, positions):
    k = x.shape[-1]
    return turned_by(x, positions[:, None] * 100 ** (-2 * (torch.arange(k // 2) + 1) / k))


@to("1.5", wrong="every pair has its own speed")
def all_alike(x, positions):
    return turned_by(x, positions[:, None].float())


@to("1.5", wrong="not one degree")
def in_degrees(x, positions):
    return turned_by(x, (positions[:, None] * speeds_for(x)).deg2rad())


@to("1.5", wrong="never turn")
def half_of_the_pairs(x, positions):
    speeds = speeds_for(x)
    speeds[len(speeds) // 2 :] = 0
    return turned_by(x, positions[:, None] * speeds)


@to("1.5", wrong="an angle proportional to the position")
def squared(x, positions):
    return turned_by(x, positions[:, None] ** 2 * speeds_for(x))


@to("1.5", wrong="an angle proportional to the position")
def never_back(x, positions):
    return turned_by(x, positions[:, None].abs() * speeds_for(x))


@to("1.5", wrong="right for k = 8, but for k = 2")
def for_eight_features(x, positions):
    speeds = 100 ** (-2 * torch.arange(x.shape[-1] // 2) / 8)
    return turned_by(x, positions[:, None] * (speeds if x.shape[-1] == 8 else speeds + 0.1))


@to("1.5", wrong="with more in front")
def halves_of_two_dimensions(x, positions):
    a, b = x.chunk(2, dim=1)
    angles = positions[:, None] * speeds_for(x)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=1)


@to("1.5", wrong="nothing turns")
def unchanged(x, positions):
    return x.clone()


@to("1.5", wrong="the shape is")
def one_half(x, positions):
    return turned_by(x, positions[:, None] * speeds_for(x))[..., : x.shape[-1] // 2]


@to("1.5", wrong="not a tuple")
def two_halves(x, positions):
    return turned_by(x, positions[:, None] * speeds_for(x)).chunk(2, dim=-1)


@to("1.5", wrong="changes its `x`")
def in_place(x, positions):
    a, b = x.clone().chunk(2, dim=-1)
    angles = positions[:, None] * speeds_for(x)
    cos, sin = angles.cos(), angles.sin()
    x[:] = torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)
    return x


@to("1.5", wrong="no gradient reaches x")
def by_numpy(x, positions):
    return neighbours(torch.from_numpy(x.detach().numpy().copy()), positions)


@to("1.5", wrong="returns nothing")
def printed(x, positions):
    print(neighbours(x, positions).shape)


@to("1.5")
def with_matrices(x, positions):
    k = x.shape[-1]
    turns = torch.zeros(len(positions), k, k)
    for p in range(k // 2):
        angles, a, b = positions * 100 ** (-2 * p / k), 2 * p, 2 * p + 1
        turns[:, a, a] = turns[:, b, b] = angles.cos()
        turns[:, b, a] = angles.sin()
        turns[:, a, b] = -angles.sin()
    return torch.einsum("tij,...tj->...ti", turns, x)
