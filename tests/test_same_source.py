"""A class may be shown in part: some of its methods, in any order, each as the package has it."""

import pytest
from same_source import same_source

FILE = '''\
"""A loop."""


# Two ways: there and back.
class Loop:
    """Steps, one after another."""

    size = 3  # steps

    def __init__(self, x):
        self.x = x

    def run(self):
        """All of them."""

        def one(t):
            """One of them."""
            return self.step(t)

        return [one(t) for t in range(self.size)]

    # No step knows another.
    @staticmethod
    def step(
        t: int,
    ) -> int:
        """Step t."""
        return t


class Function(
    Loop,
):
    def back(self): ...


def run():
    return "not the method"
'''
RUN = """\
def run(self):
    def one(t):
        return self.step(t)

    return [one(t) for t in range(self.size)]"""
STEP = """\
# No step knows another.
@staticmethod
def step(
    t: int,
) -> int:
    return t"""


@pytest.fixture
def root(tmp_path):
    (tmp_path / "feedback").mkdir()
    (tmp_path / "feedback/loop.py").write_text(FILE)
    return tmp_path


def shown(*methods: str, of: str = "Loop") -> str:
    return f"# feedback/loop.py: {of}\n" + "\n\n\n".join(methods)


def test_methods_are_filled_in_in_the_order_in_which_they_are_asked_for(root):
    assert same_source(shown("def step(): ...", "def run(): ..."), root) == shown(STEP, RUN)
    assert same_source(shown("def run(): ...", "def step(): ..."), root) == shown(RUN, STEP)
    assert same_source(shown("size = ..."), root) == shown("size = 3  # steps")
    back = shown("def back(self): ...", of="Function")
    assert same_source(back, root) == back


def test_a_class_and_a_method_of_it_are_not_taken_for_one_another(root):
    whole = same_source("# feedback/loop.py\ndef run(): ...", root)
    assert whole == '# feedback/loop.py\ndef run():\n    return "not the method"'
    for wrong in (shown("class Loop: ..."), shown("def nowhere(): ...")):
        with pytest.raises(ValueError, match=r"feedback/loop\.py: Loop does not define"):
            same_source(wrong, root)


@pytest.mark.parametrize(
    "change",
    [("return t", "return t + 1"), ("@staticmethod\n", ""), ("# No step", "# A step")],
)
def test_a_method_that_differs_is_mended_and_its_docstring_is_the_cells_own(root, change):
    assert same_source(shown(STEP.replace(*change)), root) == shown(STEP)
    own = shown(STEP.replace("int:\n", 'int:\n    """Its number."""\n'))
    assert same_source(own, root) == own
