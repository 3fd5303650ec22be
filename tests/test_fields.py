"""What is said of a field stands in one place, and is read in two."""

from dataclasses import dataclass, fields

import pytest

from feedback import Config
from feedback.fields import described, documented
from feedback.timing import Case
from feedback.training import Settings


def test_a_docstring_lists_what_was_said_of_each_field():
    @documented
    @dataclass
    class Recipe:
        """How to bake.

        Raises:
            ValueError: too hot.
        """

        degrees: int = described("temperature of the oven, in a phrase of so many words that " * 2)
        minutes: float = described("time in it", default=1.5)

    head, _, attributes = Recipe.__doc__.partition("\n\nAttributes:\n")
    assert head.endswith("\nRaises:\n    ValueError: too hot.")
    first, *more, last = attributes.splitlines()
    assert first.startswith("    degrees: temperature of the oven") and len(first) <= 96
    assert all(line.startswith(8 * " ") for line in more)
    assert last == "    minutes: time in it."
    assert Recipe(200).minutes == 1.5 and Recipe.minutes == 1.5
    with pytest.raises(TypeError, match="degrees"):
        Recipe()


@pytest.mark.parametrize("kind", [Config, Settings, Case])
def test_every_field_of_what_has_flags_is_described(kind):
    said = " ".join(kind.__doc__.split())
    for field in fields(kind):
        assert f"{field.name}: {field.metadata['meaning']}." in said
