"""What a stranger relies on: workflows, forms, the commands of README, and what the pages name."""

import json
import os
import pkgutil
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
TARGETS = {*re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE)}
WORKFLOWS = {
    path.name: yaml.safe_load(path.read_text("utf-8"))
    for path in sorted((ROOT / ".github" / "workflows").iterdir())
}
JOBS = {
    f"{file}, {name}": job
    for file, workflow in WORKFLOWS.items()
    for name, job in workflow["jobs"].items()
}
COLAB = ROOT / "tests" / "colab"
needs_make = pytest.mark.skipif(not shutil.which("make"), reason="no make here")
needs_linters = pytest.mark.skipif(
    find_spec("check_jsonschema") is None, reason="what make lint needs is not installed"
)
needs_shell = pytest.mark.skipif(os.name == "nt", reason="the stand-ins are shell scripts")


def requirements(path: Path) -> set[str]:
    return {line for line in path.read_text("utf-8").splitlines() if re.match(r"\w", line)}


# Workflows and forms


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
def test_every_step_is_an_action_a_target_of_the_makefile_or_one_plain_command(job):
    for step in job["steps"]:
        command = step.get("run", "")
        assert ("uses" in step) != bool(command)
        assert not re.search(r"[\n;|&>$`]", command), command
        if command.startswith("make "):
            assert {*command.split()[1:]} <= TARGETS, command


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
def test_every_job_ends_and_has_the_rights_it_names_and_no_other(job):
    assert job["timeout-minutes"] <= 120
    assert job["permissions"]
    for step in job["steps"]:
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_no_workflow_has_rights_as_a_whole_and_none_runs_twice_at_once():
    for workflow in WORKFLOWS.values():
        assert workflow["permissions"] == {}
        assert workflow["concurrency"]["group"]


def test_an_action_is_pinned_by_one_commit_with_its_version_beside_it():
    pins = {}
    for path in (ROOT / ".github" / "workflows").iterdir():
        for line in re.findall(r"uses: (.*)", path.read_text("utf-8")):
            name, pin = re.fullmatch(r"([\w/-]+)@([0-9a-f]{40} # v\d+\.\d+\.\d+)", line).groups()
            assert pins.setdefault(name, pin) == pin, name


FORM = [  # a file, what is broken in it, and how that is named
    ("workflows/book.yml", "runs-on:", "runs_on:", "runs_on"),
    ("ISSUE_TEMPLATE/text.yml", "type: input", "type: field", "ISSUE_TEMPLATE/text.yml"),
    ("ISSUE_TEMPLATE/config.yml", "true", "perhaps", "'perhaps' is not of type 'boolean'"),
    ("dependabot.yml", "interval: monthly", "interval: now and then", "now and then"),
    ("../CITATION.cff", "title:", "heading:", "'title' is a required property"),
]
MISUSE = [
    ("workflows/book.yml", "persist-credentials: false", "fetch-depth: 1", "[artipacked]"),
    ("workflows/tests.yml", "de0fac2e4500dabe0009e67214ff5f5447ce83dd", "v6", "[unpinned-uses]"),
    ("workflows/tests.yml", "make test", "make ${{ github.head_ref }}", "[template-injection]"),
]


@needs_linters
@pytest.mark.parametrize("breaks", [FORM, FORM[-1:], MISUSE], ids=["form", "citation", "misuse"])
@pytest.mark.slow
def test_a_file_that_github_cannot_read_or_a_stranger_could_misuse_is_named(tmp_path, breaks):
    shutil.copytree(ROOT / ".github", tmp_path / ".github")
    shutil.copy(ROOT / "CITATION.cff", tmp_path)
    for file, old, new, _ in breaks:
        text = (tmp_path / ".github" / file).read_text("utf-8")
        assert old in text
        (tmp_path / ".github" / file).write_text(text.replace(old, new), "utf-8")
    command = [sys.executable, ROOT / "tests" / "github_files.py", tmp_path]
    found = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    assert found.returncode == 1
    for *_, named in breaks:
        assert named in found.stdout + found.stderr


# Commands


def recipe(target: str) -> list[str]:
    """What `make` would do for a target with nothing done before, less the stamp it leaves."""
    command = ["make", "--no-print-directory", "-nB", "PYTHON=python", "TESTERS=3", target]
    clean = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    lines = subprocess.check_output(command, cwd=ROOT, text=True, env=clean).splitlines()
    return [
        line.replace(".venv/bin/", ".venv\\Scripts\\") for line in lines if ".ready" not in line
    ]


def without_make() -> list[list[str]]:
    """The commands of README.md for Windows: to install, and for book, test and check."""
    readme = (ROOT / "README.md").read_text("utf-8")
    section = readme.split("### Without make\n")[1].split("\n#")[0]
    return [block.splitlines() for block in re.findall(r"```\n(.*?)```", section, re.DOTALL)]


@needs_make
def test_the_commands_without_make_are_those_of_the_makefile():
    install, book, test, check = without_make()
    assert recipe("book") == install + book
    assert recipe("test") == install + book + test
    assert recipe("check") == install + check


def test_windows_is_tested_with_the_commands_of_the_readme():
    install, _, _, check = without_make()
    steps = WORKFLOWS["tests.yml"]["jobs"]["windows"]["steps"]
    assert [step["run"] for step in steps if "run" in step] == install + check


NAMES_COMMANDS = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "Makefile"]
NAMES_COMMANDS += ["book/teaching.md", "book/publishing.md"]


@pytest.mark.parametrize("page", NAMES_COMMANDS)
def test_every_make_command_that_a_page_names_is_one(page):
    named = re.findall(r"(?:`|^)make ([a-z-]+)", (ROOT / page).read_text("utf-8"), re.MULTILINE)
    assert {*named} <= TARGETS


def test_what_is_looked_at_before_a_commit_are_targets_of_the_makefile():
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"]
    assert local["repo"] == "local"
    for hook in local["hooks"]:
        assert hook["entry"] in {f"make {target}" for target in TARGETS}
        assert hook["language"] == "system" and hook["pass_filenames"] is False


# Versions


def test_the_changelog_begins_with_what_is_unreleased_and_then_the_version_of_the_package():
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    first, second = re.findall(r"^## (.*)$", changelog, re.MULTILINE)[:2]
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text("utf-8"), re.M)[1]
    assert first == "Unreleased"
    assert re.fullmatch(rf"{re.escape(version)} - \d{{4}}-\d\d-\d\d", second)
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))["version"] == version


def test_binder_gets_the_python_for_which_the_requirements_are_pinned():
    """repo2docker takes an older one where runtime.txt does not say it."""
    pinned = {
        step["with"]["python-version"]
        for job in WORKFLOWS["book.yml"]["jobs"].values()
        for step in job["steps"]
        if "python-version" in step.get("with", {})
    }
    assert {(ROOT / "runtime.txt").read_text("utf-8").strip()} == {
        f"python-{one}" for one in pinned
    }
    assert f"for Python {pinned.pop()}:" in (ROOT / "requirements.txt").read_text("utf-8")


def test_what_the_changelog_says_moved_is_there():
    unreleased = (ROOT / "CHANGELOG.md").read_text("utf-8").split("\n## ")[1]
    for place in re.findall(r"^ *\| `feedback\..*\| `(feedback[\w.]+)`", unreleased, re.MULTILINE):
        pkgutil.resolve_name(place)


def test_a_tool_that_is_pinned_for_every_python_has_the_version_of_the_book():
    pinned = {line for line in requirements(ROOT / "tests" / "package.txt") if "==" in line}
    assert pinned and pinned <= requirements(ROOT / "requirements.txt")


# The rehearsal in Colab's image, with stand-ins for Docker and for GitHub's command line


def stand_in(folder: Path, name: str, script: str) -> None:
    """A program that writes its arguments, one a line, to `name`.log and goes on as told."""
    program = folder / "programs" / name
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >>"{folder}/{name}.log"\n{script}')
    program.chmod(0o755)


def run_tool(folder: Path, name: str) -> subprocess.CompletedProcess:
    """Run a copy of a tool of tests/colab in the project `folder`."""
    shutil.copytree(COLAB, folder / "tests" / "colab", dirs_exist_ok=True)
    variables = {f"GITHUB_{name}": name.lower() for name in ("SERVER_URL", "REPOSITORY", "RUN_ID")}
    path = f"{folder / 'programs'}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [sys.executable, folder / "tests" / "colab" / name],
        env={**os.environ, **variables, "PATH": path},
        capture_output=True,
        text=True,
    )


@needs_shell
def test_each_notebook_runs_in_a_container_of_its_own_and_what_fails_is_kept(tmp_path):
    (tmp_path / "notebooks").mkdir()
    for name in ("01-good.ipynb", "02-bad.ipynb"):
        (tmp_path / "notebooks" / name).write_text(json.dumps({"cells": []}))
    git = ["git", "-C", tmp_path, "-c", "user.name=A", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "Two notebooks"]):
        subprocess.run([*git, *words], check=True)
    stand_in(
        tmp_path,
        "docker",
        'case "$*" in *02-bad.ipynb) printf "\\033[31mNameError\\033[0m\\n"; exit 1 ;; esac',
    )
    ran = run_tool(tmp_path, "in_image.py")
    assert ran.returncode == 1
    assert re.search(r"^ok .*01-good.*^FAILED .*02-bad", ran.stdout, re.MULTILINE | re.DOTALL)
    assert ran.stdout.endswith("1 passed, 1 failed\n")
    assert (tmp_path / "docker.log").read_text().split("\n").count("run") == 2
    report = (tmp_path / "_build" / "colab-image.md").read_text()
    assert "notebooks/02-bad.ipynb" in report and "\nNameError\n" in report
    assert "01-good" not in report

    stand_in(tmp_path, "docker", "exit 0")
    assert run_tool(tmp_path, "in_image.py").returncode == 0
    assert not (tmp_path / "_build" / "colab-image.md").exists()


@needs_shell
@pytest.mark.parametrize(
    ("listed", "done"),
    [
        ("[]", ["create", "--title", "A chapter fails in Colab's image"]),
        ('[{"number": 7, "title": "A typing mistake"}]', ["create"]),
        ('[{"number": 9, "title": "A chapter fails in Colab\'s image"}]', ["comment", "9"]),
    ],
)
def test_an_issue_is_opened_once_and_then_commented_on(tmp_path, listed, done):
    (tmp_path / "listed.json").write_text(listed)
    stand_in(tmp_path, "gh", f'test "$2" != list || cat "{tmp_path}/listed.json"')
    (tmp_path / "_build").mkdir()
    (tmp_path / "_build" / "colab-image.md").write_text("`notebooks/02-bad.ipynb` failed")
    ran = run_tool(tmp_path, "report.py")
    assert ran.returncode == 0, ran.stderr
    said = (tmp_path / "gh.log").read_text().split("\n")
    second = said.index("issue", 1)
    assert said[second + 1 : second + 1 + len(done)] == done
    assert "`notebooks/02-bad.ipynb` failed" in said
    assert "The whole log: server_url/repository/actions/runs/run_id" in said


@needs_shell
def test_a_rehearsal_that_came_to_no_end_is_reported_too(tmp_path):
    stand_in(tmp_path, "gh", 'test "$2" != list || echo "[]"')
    assert run_tool(tmp_path, "report.py").returncode == 0
    assert "did not come to its end" in (tmp_path / "gh.log").read_text()


def test_tests_that_belong_together_are_tried_by_one_process(request):
    """Otherwise each process opens the same pages: slow, and nothing says so."""
    if request.config.getoption("loadgroup", False):
        assert "@" in request.node.nodeid, "pytest-xdist does not know the groups"
