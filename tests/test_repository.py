"""Setting the book's public address, and removing it again, in a copy of this very tree."""

import json
import shutil
from pathlib import Path

import pytest
import sync
import yaml

ROOT = Path(__file__).resolve().parents[1]

ADDRESS = "https://github.com/some-one/feedback_book.v2"


@pytest.fixture(scope="module")
def without_address(tmp_path_factory) -> Path:
    """What the tool reads and writes, brought to the state without an address."""
    root = tmp_path_factory.mktemp("tree")
    names = ["_config.yml", "_toc.yml", "README.md", "CITATION.cff", "pyproject.toml"]
    for path in [*map(ROOT.joinpath, names), *ROOT.glob("notebooks/*.ipynb")]:
        (root / path.relative_to(ROOT)).parent.mkdir(exist_ok=True)
        shutil.copy(path, root / path.relative_to(ROOT))
    for folder in ("book", "feedback"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__*__"))
    assert sync.main(["--repository", ""], root) == 0
    return root


@pytest.fixture
def tree(without_address, tmp_path) -> Path:
    """A copy of that for one test."""
    return shutil.copytree(without_address, tmp_path / "tree")


def contents(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def set_up_cell(path: Path) -> str:
    return "".join(json.loads(path.read_text())["cells"][0]["source"])


@pytest.mark.parametrize("given", [ADDRESS, ADDRESS + "/", ADDRESS + ".git", f" {ADDRESS}.git/"])
def test_an_address_is_one_however_it_is_written(given):
    assert sync.checked_address(given) == ADDRESS


def test_one_command_sets_the_address_everywhere(tree):
    assert sync.main(["--repository", ADDRESS + ".git"], tree) == 0

    config = yaml.safe_load((tree / "_config.yml").read_text())
    assert config["repository"] == {"url": ADDRESS, "branch": "main", "path_to_book": ""}
    assert config["launch_buttons"] == {"colab_url": "https://colab.research.google.com"}
    assert yaml.safe_load((tree / "CITATION.cff").read_text())["repository-code"] == ADDRESS
    project = (tree / "pyproject.toml").read_text()
    assert f'\n[project.urls]\nRepository = "{ADDRESS}"\n' in project

    readme = (tree / "README.md").read_text()
    notebooks = sorted((tree / "notebooks").glob("*.ipynb"))
    colab = ADDRESS.replace("https://github.com", "https://colab.research.google.com/github")
    badge = "[![Open in Colab](book/_static/colab-badge.svg)]"
    for path in notebooks:
        assert f' or "git+{ADDRESS}")' in set_up_cell(path)
        assert f"{badge}({colab}/blob/main/notebooks/{path.name})" in readme
    assert readme.count("colab-badge.svg") == len(notebooks)
    assert (tree / "book/_static/colab-badge.svg").is_file()

    assert sync.main(["--check"], tree) == 0


def test_removing_the_address_restores_every_file(tree):
    before = contents(tree)
    assert sync.main(["--repository", ADDRESS], tree) == 0
    assert contents(tree) != before
    assert sync.main(["--repository", "https://github.com/another/place"], tree) == 0
    assert not any(ADDRESS.encode() in text for text in contents(tree).values())
    assert sync.main(["--repository", ""], tree) == 0
    assert contents(tree) == before


def test_without_an_address_there_is_no_badge_and_no_link(without_address):
    readme = (without_address / "README.md").read_text()
    assert "colab-badge" not in readme and "colab.research" not in readme
    assert "launch_buttons" not in yaml.safe_load((without_address / "_config.yml").read_text())


@pytest.mark.parametrize(
    "bad",
    [
        "github.com/a/b",
        "http://github.com/a/b",
        "https://github.com/a",
        "https://github.com/a/b/tree/main",
        "https://gitlab.com/a/b",
        "https://github.com/a/..",
        "https://github.com/a/b\nc: d",
        'https://github.com/a/b"',
        "git@github.com:a/b.git",
    ],
)
def test_another_address_is_refused_before_anything_is_written(without_address, capsys, bad):
    before = contents(without_address)
    assert sync.main(["--repository", bad], without_address) == 1
    assert "https://github.com/OWNER/REPO" in capsys.readouterr().err
    assert contents(without_address) == before


def test_an_address_written_elsewhere_is_refused(tree, capsys):
    config = tree / "_config.yml"
    config.write_text("repository: {url: https://github.com/a/b}\n" + config.read_text())
    before = contents(tree)
    assert sync.main(["--repository", ADDRESS], tree) == 1
    assert "_config.yml" in capsys.readouterr().err
    assert contents(tree) == before
