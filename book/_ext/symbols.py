r"""The symbols of `feedback/notation.py` in a formula, each letter in a class of its own.

A letter is a symbol only where it stands for itself: not in the name of an operator or in words,
not in a subscript or superscript ($W_k$ is no key). $k$ alone is a number of features, and $m$ and
$v$ alone are running means of AdamW, so a key, a value and a memory vector have an index; $V$ is a
number of tokens, but on a page that has $K$ it is the values; of the vectors $x$ only $x_t^l$, with
step and layer, is the output of a layer.
"""

import re

INDEXED = {"k": "keys", "v": "values", "m": "memory"}
ALWAYS = {"q": "queries", "Q": "queries", "K": "keys"}

# A command whose argument holds words or names; any other command; a script; any other letter.
TOKEN = re.compile(
    r"(?P<words>\\(?:operatorname\*?|text\w*|mathrm|mathbf|begin|end|class|label|tag)\s*\{)"
    r"|\\(?:[A-Za-z]+|.)"
    r"|(?P<script>[_^])"
    r"|(?P<letter>[A-Za-z])",
    re.DOTALL,
)


def colored(tex: str, has_keys: bool = False) -> str:
    """A formula with a class around the letter of each symbol."""
    parts, place = [], 0
    while match := TOKEN.search(tex, place):
        parts.append(tex[place : match.start()])
        end = match.end()
        if match["words"]:
            end = end_of_group(tex, end - 1)
        elif match["script"]:
            end = end_of_argument(tex, end)
        name = symbol(tex, match, has_keys) if match["letter"] else None
        text = tex[match.start() : end]
        parts.append(rf"{{\class{{of-{name}}}{{{text}}}}}" if name else text)
        place = end
    return "".join([*parts, tex[place:]])


def symbol(tex: str, match: re.Match, has_keys: bool) -> str | None:
    """Whose letter it is."""
    letter, scripts = match[0], scripts_after(tex, match.end())
    if letter == "V":
        return "values" if has_keys else None
    if letter == "x":
        is_transposed = "\\top" in scripts.get("^", "")
        return "outputs" if len(scripts) == 2 and not is_transposed else None
    return ALWAYS.get(letter) or (INDEXED.get(letter) if scripts else None)


def scripts_after(tex: str, place: int) -> dict[str, str]:
    """What stands below (_) and above (^) the letter that ends at a place."""
    found: dict[str, str] = {}
    while (match := re.compile(r"\s*([_^])").match(tex, place)) and match[1] not in found:
        place = end_of_argument(tex, match.end())
        found[match[1]] = tex[match.end() : place]
    return found


def end_of_argument(tex: str, place: int) -> int:
    """Where the argument ends that begins at a place: a group, a command or one character."""
    place += len(tex[place:]) - len(tex[place:].lstrip())
    if tex[place : place + 1] == "{":
        return end_of_group(tex, place)
    command = re.compile(r"\\(?:[A-Za-z]+|.)").match(tex, place)
    if command is None:
        return place + 1
    following = command.end()  # \text{...} as a script: its group belongs to it
    return end_of_group(tex, following) if tex[following : following + 1] == "{" else following


def end_of_group(tex: str, place: int) -> int:
    """Where the group ends whose brace opens at a place."""
    depth = 0
    for match in re.compile(r"\\.|[{}]", re.DOTALL).finditer(tex, place):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if depth == 0:
            return match.end()
    return len(tex)
