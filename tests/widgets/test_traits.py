"""What each trait type accepts and refuses, and that a refusal loses nothing."""

import itertools
import math
import sys

import ipywidgets
import numpy as np
import pytest
import torch
import traitlets

from feedback import Config
from feedback.widgets.traits import (
    Checked,
    Names,
    Number,
    OneOf,
    SomeOf,
    Text,
    Weights,
    Whole,
    array,
    checked_together,
    of_type,
    sequence,
)

NO_NUMBERS = [True, np.True_, torch.tensor(True), "3", None, [3], 3j, torch.ones(2), object()]


def holder(trait: Checked) -> traitlets.HasTraits:
    """A thing with this trait as its setting `x`."""
    return type("Holder", (traitlets.HasTraits,), {"x": trait})()


def kept(trait: Checked, value):
    thing = holder(trait)
    thing.x = value
    return thing.x


def refused(trait: Checked, value, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        holder(trait).x = value
    # So that traitlets takes back what else was in a message.
    assert isinstance(caught.value, traitlets.TraitError)


# ---- numbers ----


@pytest.mark.parametrize(
    "value", [2, 5, np.int64(3), np.uint8(4), torch.tensor(5), torch.tensor([5]), np.array(2)]
)
def test_a_whole_number_is_kept_as_pythons_own(value):
    found = kept(Whole(2, 5), value)
    assert found == int(value) and type(found) is int


@pytest.mark.parametrize("value", [1, 6, np.int64(6), torch.tensor(1), -(10**400)])
def test_a_whole_number_has_bounds(value):
    refused(Whole(2, 5), value, ValueError, r"x is -?\d+; it must be in 2..5")


def test_a_whole_number_may_have_no_highest():
    assert kept(Whole(2), 10**400) == 10**400
    refused(Whole(2), 1, ValueError, "x is 1; it must be at least 2")
    refused(Whole(2), 2.0, TypeError, "x is 2.0; it must be a whole number of at least 2")


@pytest.mark.parametrize(
    "value", [*NO_NUMBERS, 3.0, np.float32(3), torch.tensor(3.0), math.nan, math.inf]
)
def test_what_is_no_whole_number_has_a_wrong_type(value):
    refused(Whole(2, 5), value, TypeError, "x is .*; it must be a whole number in 2..5")


@pytest.mark.parametrize(
    "value", [0, 0.0, 2.5, np.float32(2.5), torch.tensor(2.5), np.array([[2.5]]), np.float64(1e300)]
)
def test_a_number_is_kept_as_pythons_own(value):
    found = kept(Number(0), value)
    assert found == np.asarray(value).item() and type(found) in (int, float)


@pytest.mark.parametrize(
    "value", [-1e-300, -1, np.float32(-1), torch.tensor(-1.0), math.nan, torch.tensor(math.nan)]
)
def test_a_number_has_a_lowest(value):
    refused(Number(0), value, ValueError, "x is .*; it must be a finite number of at least 0")


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, np.float32("inf"), 10**400])
def test_a_number_is_finite_also_where_a_page_reads_it(value):
    refused(Number(), value, ValueError, "it must be a finite number$")
    assert kept(Number(), sys.float_info.max) == sys.float_info.max


@pytest.mark.parametrize("value", NO_NUMBERS)
def test_what_is_no_number_has_a_wrong_type(value):
    refused(Number(), value, TypeError, "x is .*; it must be a finite number")


# ---- texts and choices ----


def test_a_text_has_a_least_length_and_an_alphabet():
    assert kept(Text(2, "abc"), "ab") == "ab"
    assert kept(Text(), "") == ""
    refused(Text(2, "abc"), "a", ValueError, "x has 1 characters; it must have at least 2")
    refused(Text(2, "abc"), "abz", ValueError, r"x holds 'z' \(character 2\), .* the 3 characters")
    refused(Text(), b"", TypeError, "x is b''; it must be a text")
    refused(Text(), None, TypeError, "x is None; it must be a text")


def test_a_choice_is_kept_as_it_stands_among_the_choices():
    for value in (4, np.int64(4), torch.tensor(4)):
        assert kept(OneOf((1, 4)), value) == 4 and type(kept(OneOf((1, 4)), value)) is int
    assert kept(OneOf(["a", "b"]), np.str_("a")) == "a"


@pytest.mark.parametrize(
    ("value", "error"),
    [(2, ValueError), (True, TypeError), (1.0, TypeError), ("1", TypeError), (None, TypeError)],
)
def test_what_is_no_choice_is_told_the_choices(value, error):
    refused(OneOf((1, 4)), value, error, f"x is {value!r}; choose one of 1, 4")


def test_some_of_the_choices_may_be_none_of_them():
    assert kept(SomeOf("ab"), ("b",)) == ["b"]
    assert kept(SomeOf("ab"), []) == []
    refused(SomeOf("ab"), ["b", "c"], ValueError, "one of x is 'c'; choose one of 'a', 'b'")
    refused(SomeOf("ab"), "ab", TypeError, "x is 'ab'; it must be a sequence")


# ---- several values ----


@pytest.mark.parametrize("values", [[1, 2], (1, 2), np.array([1, 2]), torch.tensor([1, 2])])
def test_a_sequence_is_a_list_an_array_or_a_tensor(values):
    assert sequence("x", values, 2) == [1, 2]


@pytest.mark.parametrize("values", ["12", 12, None, np.array(1.5), torch.tensor(1)])
def test_what_is_no_sequence_has_a_wrong_type(values):
    with pytest.raises(TypeError, match="x is .*; it must be a sequence"):
        sequence("x", values)


def test_names_are_texts_one_for_each_thing():
    assert kept(Names(2, "each row"), ("a", 1)) == ["a", "1"]
    refused(Names(2, "each row"), "ab", TypeError, "x is 'ab'; it must be a sequence")
    refused(Names(2, "each row"), ["a"], ValueError, "x has length 1; it must have 2, one for each")


def test_weights_are_numbers_that_sum_to_one():
    given = [1, 0, 0.0], np.array([0.5, 0.5, 0]), torch.tensor([1, 0, 0], requires_grad=False)
    for values in given:
        assert kept(Weights(3, 1e-6), values) == [float(value) for value in values]
    assert sum(kept(Weights(2, 1e-3), [0.5, 0.5009])) != 1
    refused(Weights(2, 1e-3), [0.5, 0.502], ValueError, "x sums to 1.002; it must sum to 1")
    refused(Weights(2, 1e-3), [1, 0, 0], ValueError, "x has length 3; it must have 2, one for the")
    refused(Weights(2, 1e-3), [1.5, -0.5], ValueError, "one of x is -0.5; .* of at least 0")
    refused(Weights(2, 1e-3), [math.nan, 1], ValueError, "one of x is nan; it must be a finite")
    refused(Weights(2, 1e-3), [True, False], TypeError, "one of x is True; it must be a finite")


def test_an_array_is_made_of_lists_arrays_and_tensors_within_one_another():
    row = torch.tensor([1, 2], dtype=torch.bfloat16, requires_grad=False)
    for values in (
        [[1, 2], [1, 2]],
        [row, (1, 2)],
        np.float32([[1, 2]] * 2),
        torch.stack([row] * 2),
    ):
        found = array("x", values, "(A, B)")
        assert found.dtype == float and found.tolist() == [[1, 2], [1, 2]]


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ([1, 2], ValueError, r"x has shape \(2,\); it must have \(A, B\)"),
        ([[]], ValueError, r"x has shape \(1, 0\); it must have \(A, B\)"),
        ([[1], [2, 3]], ValueError, "in rows of equal length"),
        ([[1, math.nan]], ValueError, "x holds nan or infinity"),
        ([[1, math.inf]], ValueError, "x holds nan or infinity"),
        ([["1"]], TypeError, r"x is \[\['1'\]\]; it must be numbers of shape"),
        ([[True]], TypeError, "it must be numbers"),
        (torch.tensor([[True]]), TypeError, "it must be numbers"),
        (None, TypeError, "x is None; it must be numbers"),
    ],
)
def test_what_is_no_array_of_numbers_is_refused(values, error, message):
    with pytest.raises(error, match=message):
        array("x", values, "(A, B)")


def test_a_wrong_type_is_named_with_the_place_of_the_right_one():
    of_type("x", 1, int)
    with pytest.raises(TypeError, match="x is of type int; it must be a feedback.config.Config"):
        of_type("x", 1, Config)


# ---- settings that depend on one another ----


class Window(ipywidgets.Widget):
    """From `first` to `last` of a text; `kind` is one of what the constructor was given."""

    kinds = traitlets.List()
    kind = OneOf(lambda self: self.kinds).tag(sync=True)
    text = Text(1).tag(sync=True)
    first = Whole(0).tag(sync=True)
    last = Whole(0, none=lambda self: len(self.text) - 1).tag(sync=True)
    maybe = Whole(1, 3, allow_none=True).tag(sync=True)

    def __init__(self, text="hello", first=0, last=None, maybe=None):
        super().__init__(kinds=["a", "b"], kind="b", text=text, first=first, last=last, maybe=maybe)

    @checked_together("text", "first", "last")
    def _inside(self, text, first, last):
        Whole.check("last", last, 0, len(text) - 1)
        Whole.check("first", first, 0, last)

    @property
    def state(self) -> tuple:
        return self.kind, self.text, self.first, self.last, self.maybe


def test_none_stands_for_a_value_or_for_itself_as_the_setting_says():
    window = Window()
    assert (window.last, window.maybe) == (4, None)
    window.last, window.maybe = 2, 3
    window.last = window.maybe = None
    assert (window.last, window.maybe) == (4, None)
    with pytest.raises(TypeError, match="first is None; it must be a whole number"):
        window.first = None


def test_a_limit_may_depend_on_the_widget():
    window = Window()
    window.kind = "a"
    with pytest.raises(ValueError, match="kind is 'c'; choose one of 'a', 'b'"):
        window.kind = "c"
    window.kinds = ["c"]
    window.kind = "c"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (dict(last=5), ValueError, "last is 5; it must be in 0..4"),
        (dict(first=3, last=2), ValueError, "first is 3; it must be in 0..2"),
        (dict(text=""), ValueError, "text has 0 characters"),
        (dict(last="end"), TypeError, "last is 'end'; it must be a whole number"),
    ],
)
def test_arguments_are_checked_together(arguments, error, message):
    with pytest.raises(error, match=message):
        Window(**arguments)
    window = Window()
    before = window.state
    with pytest.raises(error, match=message):
        window.set_state(arguments)
    assert window.state == before


LONGER = {"text": "0123456789", "first": 7, "last": 8}
SHORTER = {"text": "ab", "first": 0, "last": 1}


@pytest.mark.parametrize("names", list(itertools.permutations(LONGER)))
@pytest.mark.parametrize("values", [LONGER, SHORTER])
def test_what_comes_together_is_checked_together_in_any_order(names, values):
    window = Window(first=2, last=4)
    window.set_state({name: values[name] for name in names})  # as the page sends it
    assert {name: getattr(window, name) for name in names} == values
    window = Window(first=2, last=4)
    with window.hold_trait_notifications():
        for name in names:
            setattr(window, name, values[name])
    assert {name: getattr(window, name) for name in names} == values


@pytest.mark.parametrize("wrong", [{"last": 11}, {"last": "x"}, {"kind": "c"}, {"maybe": 0}])
@pytest.mark.parametrize("first", ["the wrong value", "the others"])
def test_a_message_with_one_wrong_value_changes_nothing_and_nobody_hears_of_it(wrong, first):
    message = LONGER | wrong if first == "the others" else wrong | LONGER | wrong
    window, heard = Window(), []
    window.observe(heard.append, ["kind", "text", "first", "last", "maybe"])
    before = window.state
    with pytest.raises((TypeError, ValueError), match=f"{next(iter(wrong))} is"):
        window.set_state(message)
    assert (window.state, heard) == (before, [])
    window.set_state(LONGER)
    assert window.state == ("b", "0123456789", 7, 8, None)


def test_a_setting_alone_is_checked_against_the_others_as_they_are():
    window = Window(first=2, last=4)
    for name, value in {"text": "abc", "first": 5, "last": 1}.items():
        before = window.state
        with pytest.raises(ValueError, match="it must be in"):
            setattr(window, name, value)
        assert window.state == before
    window.first = 0
    window.last = 2
    window.text = "abc"
    assert window.state == ("b", "abc", 0, 2, None)
