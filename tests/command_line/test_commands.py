"""The command line beside training itself: its flags, what it prints and where, and its paths."""

import codecs
import contextlib
import inspect
import io
import os
import re
import subprocess
import sys
from dataclasses import asdict, fields
from pathlib import Path

import pytest
import torch

from feedback import Config, LanguageModel, data, timing
from feedback.__main__ import build_parser, main
from feedback.command_line.time import cases_of
from feedback.results import load_result
from feedback.training import Settings

COMMAND = [sys.executable, "-m", "feedback"]
TINY = "--d-model 8 --heads 2 --n-layers 1 --d-ff 8 --batch-size 2 --sequence-length 8".split()
TIME = "time --sequence-length 2 --n-layers 1 --batch-size 1 --d-model 8 --heads 2 --d-ff 8".split()
TIME += ["--seconds", "0.001", "--variants", "parallel"]
TRAIN = ["train", "--task", "parity", *TINY, "--start-length", "none", "--steps", "4"]
WIDE = "aé日😀"  # of one, two, three and four bytes in UTF-8


def save_model(folder: str | Path, vocabulary: str = WIDE, model: str = "parallel") -> Path:
    """A small untrained model that reads and writes these characters."""
    torch.manual_seed(0)
    sizes = dict(d_model=8, heads=2, n_layers=1, d_ff=8, max_distance=8)
    LanguageModel(Config(model, len(set(vocabulary)), **sizes)).save(folder)
    data.Characters(vocabulary).save(folder)
    return folder


def run(*words: str | bytes, cwd: Path | None = None, **variables: str):
    """Python in a process of its own, with bytes for what it prints."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])} | variables
    return subprocess.run([sys.executable, *words], cwd=cwd, env=environment, capture_output=True)


# Several commands, a line each, in one process: to import torch takes most of its time.
SEVERAL = """
import sys
from feedback.__main__ import main

commands, here = sys.argv[1:]
for command in commands.splitlines():
    try:
        main([word.replace("HERE", here) for word in command.split()])
    except SystemExit as stopped:
        print("exit", stopped.code, flush=True)
"""


# Flags


def flags_of(*words: str) -> set[str]:
    """The flags of a command that these words, with nothing missing, ask for."""
    return set(build_parser().parse_args(words).command._option_string_actions)


def test_a_flag_has_the_name_of_the_argument_that_it_becomes():
    def flags(names):
        return {f"--{name.replace('_', '-')}" for name in names}

    of_fields = flags(field.name for field in (*fields(Config), *fields(Settings)))
    assert of_fields - flags_of("train", "--out", "run") == {"--n-tokens"}
    others = {"-h", "--help", "--what", "--variants", "--seconds", "--memory", "--out"}
    assert flags_of("time") - of_fields == others
    of_method = flags(inspect.signature(LanguageModel.generate).parameters)
    assert flags_of("generate") - of_method == {"-h", "--help", "--model", "--seed"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["time", "--layers", "4"], "unrecognized arguments: --layers 4; did you mean --n-layers?"),
        (["generate", "--lenght", "4"], "did you mean --length?"),
        (["train", "--out", "x", "--hidden", "8"], "--hidden 8 `python -m feedback train --help`"),
        (["time", "8"], "unrecognized arguments: 8 `"),
    ],
)
def test_a_flag_that_there_is_not_is_answered_with_those_there_are(words, said, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(words)
    printed = capsys.readouterr().err
    assert stopped.value.code == 2 and said in printed
    assert printed.startswith(f"usage: python -m feedback {words[0]} [-h]")


def test_one_size_varies_while_the_first_of_the_others_is_held():
    words = "time --variants parallel --what training --batch-size 8 1 --n-layers 4 2 --d-ff 3"
    options = build_parser().parse_args([*words.split(), "--sequence-length", "64"])
    sizes = {(case.batch, case.tokens, case.layers, case.hidden) for case in cases_of(options)}
    assert sizes == {(8, 64, 4, 3), (1, 64, 4, 3), (8, 64, 2, 3)}


def test_recorded_times_are_of_what_their_command_asks_for():
    recorded = load_result("timing")
    words = recorded["command"].removeprefix("python -m feedback ").split()
    cases = [asdict(case) for case in dict.fromkeys(cases_of(build_parser().parse_args(words)))]
    assert cases == [{name: row[name] for name in cases[0]} for row in recorded["results"]]


@pytest.fixture(scope="module")
def without_docstrings():
    """The help of each command and a model that writes, where Python removes docstrings."""
    commands = "train --help\ngenerate --help\ntime --help\ngenerate --prompt HERE --length 0"
    words = ["-OO", "-X", "importtime", "-c", SEVERAL, commands, "To"]
    return run(*words, COLUMNS="1000")


@pytest.mark.slow
def test_the_meaning_of_flags_does_not_go_with_the_docstrings(without_docstrings):
    said = without_docstrings.stdout.decode()
    assert said.count("exit 0\n") == 3 and said.endswith("exit 0\nTo\n")
    for field in (*fields(Config), *fields(Settings), *fields(timing.Case)):
        if field.name not in ("n_tokens", "what", "variant"):
            assert field.metadata["meaning"].replace("None", "none") in said


@pytest.mark.slow
def test_a_model_is_loaded_without_torchs_compiler(without_docstrings):
    """Its import takes longer than all else that `generate` does before the first character."""
    imported = without_docstrings.stderr.decode()
    assert "feedback.storage" in imported and "torch._dynamo" not in imported


# Characters that the console cannot show


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1", "cp437", "shift_jis", "utf-8"])
def test_a_text_is_printed_whole_on_every_console(tmp_path, encoding):
    words = ["generate", "--model", str(save_model(tmp_path)), "--prompt", WIDE, "--length", "40"]
    plain, console = io.StringIO(), io.TextIOWrapper(io.BytesIO(), encoding, newline="\n")
    for stream in (plain, console):
        with contextlib.redirect_stdout(stream):
            main([*words, "--seed", "0"])
            assert sys.stdout is stream
    expected = plain.getvalue()
    assert len(expected.rstrip("\n")) == 44 and set(WIDE) <= set(expected)
    assert console.buffer.getvalue() == expected.encode(encoding, "replace")


NO_UTF8 = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}


@pytest.mark.slow
@pytest.mark.parametrize("variables", [{"PYTHONIOENCODING": "cp1252"}, NO_UTF8])
def test_a_path_of_any_bytes_can_be_trained_into_and_written_from(tmp_path, variables):
    name = "é日".encode() + b"\xff"
    folder = os.path.join(os.fsencode(tmp_path), name, b"model")
    save_model(folder.decode("utf-8", "surrogateescape"))
    commands = f"{' '.join(TRAIN)} --out HERE/run\ngenerate --prompt a --model HERE/model"
    done = run("-c", SEVERAL, commands, name, cwd=tmp_path, **variables)
    assert (done.returncode, done.stderr) == (0, b"")
    trained, written = re.fullmatch(
        rb"(.*The best model is in \S+best\.\n)(.*)", done.stdout, re.DOTALL
    ).groups()
    assert trained and written.startswith(b"a") and len(written) >= 502


@pytest.mark.slow
def test_a_path_of_any_bytes_can_be_named_in_an_error():
    name = os.fsdecode("é日".encode() + b"\xff")
    stream = io.TextIOWrapper(io.BytesIO(), "utf-8")
    for words in (["generate", "--model", name], ["train", "--corpus", name, "--out", "x"]):
        with contextlib.redirect_stderr(stream), pytest.raises(SystemExit) as stopped:
            main(words)
        assert stopped.value.code == 2
    stream.flush()
    said = stream.buffer.getvalue().decode()
    assert "é日?" in said and "missing, so" in said and "there is no file é日?" in said


class Plain:
    """A stream as a service has it: it takes text, and nothing else is known of it."""

    def __init__(self, encoding: str):
        self.codec, self.content = encoding, b""

    def write(self, text: str) -> int:
        self.content += text.encode(self.codec)
        return len(text)

    def flush(self) -> None:
        pass


def streams(encoding: str) -> dict:
    """A stream of each kind with a function that says what was written into it."""
    wrapper = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    writer = codecs.getwriter(encoding)(io.BytesIO())
    text, plain = io.StringIO(), Plain(encoding)
    return {
        "wrapper": (wrapper, lambda: wrapper.buffer.getvalue().decode(encoding)),
        "writer": (writer, lambda: writer.stream.getvalue().decode(encoding)),
        "string": (text, text.getvalue),
        "plain": (plain, lambda: plain.content.decode(encoding)),
    }


@pytest.mark.parametrize("kind", ["wrapper", "writer", "string", "plain"])
def test_a_text_is_printed_whole_on_every_kind_of_stream(tmp_path, kind):
    stream, written = streams("cp1252")[kind]
    with contextlib.redirect_stdout(stream):
        main(["generate", "--model", str(save_model(tmp_path)), "--prompt", WIDE, "--length", "0"])
        assert sys.stdout is stream
    assert written() == (f"{WIDE}\n" if kind == "string" else "aé??\n")


@pytest.mark.parametrize("kind", ["wrapper", "writer", "string", "plain"])
def test_an_error_is_printed_whole_on_every_kind_of_stream(kind):
    stream, written = streams("ascii")[kind]
    with contextlib.redirect_stderr(stream), pytest.raises(SystemExit) as stopped:
        main(["generate", "--model", "日本/\udcff"])
    stream.flush()
    assert stopped.value.code == 2 and "missing, so" in written()


def test_without_a_stdout_the_work_is_done(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    main([*TRAIN, "--out", str(tmp_path / "run")])
    assert (tmp_path / "run/best/model.json").exists()
    main([*TIME, "--out", str(tmp_path / "timing.json")])
    assert (tmp_path / "timing.json").exists()


# Readers that go away


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "unbuffered"),
    [
        (["--help"], ""),
        (["generate", "--length", "2000"], ""),
        (["generate", "--length", "50"], "1"),
    ],
)
def test_a_reader_that_goes_away_ends_the_command_quietly(words, unbuffered):
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    with subprocess.Popen([*COMMAND, *words], stdout=-1, stderr=-1, env=environment) as process:
        process.stdout.close()
        assert process.stderr.read() == b"" and process.wait() == 1


class Gone(io.StringIO):
    """A stream whose reader goes away after some lines."""

    def write(self, text: str) -> int:
        if self.getvalue().count("\n") >= 5:
            raise BrokenPipeError
        return super().write(text)


@pytest.mark.slow
def test_training_whose_reader_goes_away_ends_quietly_and_goes_on_later(tmp_path):
    """Steps are so many that the run cannot have ended before its reader went."""
    words = [*TRAIN[:-1], "100000", "--evaluate-every", "1", "--checkpoint-every", "1"]
    words += ["--out", str(tmp_path / "run")]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen([*COMMAND, *words], stdout=-1, stderr=-1, env=environment) as process:
        assert b"beginning" in process.stdout.readline()
        for _ in range(4):
            assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b"" and process.wait() == 1
    assert not list((tmp_path / "run").glob(".unfinished*"))
    with contextlib.redirect_stdout(Gone()) as stream, pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 1
    assert "going on after step" in stream.getvalue().partition("\n")[0]
    assert not list((tmp_path / "run").glob(".unfinished*"))


def has_no_space_left(code: int, said: str) -> bool:
    return code == 2 and said.splitlines()[-1].endswith("[Errno 28] No space left on device")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_help_that_cannot_be_printed_is_an_error_and_no_more(capsys):
    with open("/dev/full", "w") as full, contextlib.redirect_stdout(full):
        with pytest.raises(SystemExit) as stopped:
            main(["--help"])
    assert has_no_space_left(stopped.value.code, capsys.readouterr().err)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.slow
def test_an_output_that_takes_nothing_is_an_error_and_no_more():
    with open("/dev/full", "w") as full:
        words = [*COMMAND, "generate", "--length", "3"]
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True)
    assert has_no_space_left(done.returncode, done.stderr)


# Paths


def test_a_tilde_is_the_home_folder_wherever_a_path_comes_in(tmp_path, monkeypatch, capsys):
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir(), here.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(here)
    (home / "mine.txt").write_text("to be or not to be\n" * 30)
    text = ["train", "--corpus=~/mine.txt", *TINY, "--steps", "1"]
    main([*text, "--out=~/run", "--model", "parallel"])
    assert "Text: " + str(home / "mine.txt") in capsys.readouterr().out
    main([*text, "--out=~/second", "--from-parallel=~/run/best"])
    main(["generate", "--model=~/second/best", "--prompt", "to", "--length", "1"])
    main([*TIME, "--out=~/timing.json"])
    assert {file.name for file in home.iterdir()} == {"mine.txt", "run", "second", "timing.json"}
    assert not list(here.iterdir())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("~nobody-of-this-name/x", "no home folder.*~nobody-of-this-name/x.*write ./~nobody"),
        ("", "the path is empty"),
    ],
)
@pytest.mark.parametrize(
    "words",
    [
        ["train", "--task", "parity", "--out"],
        ["train", "--out", "run", "--corpus"],
        ["train", "--out", "run", "--task", "parity", "--from-parallel"],
        ["generate", "--model"],
        ["time", "--out"],
    ],
)
def test_a_path_that_leads_nowhere_is_refused(tmp_path, monkeypatch, capsys, words, given, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(timing, "measure", lambda *_: pytest.fail("it began to measure"))
    with pytest.raises(SystemExit) as stopped:
        main([*words, given])
    assert stopped.value.code == 2
    assert re.search(message, capsys.readouterr().err)
    assert not list(tmp_path.iterdir())


def test_a_folder_whose_name_begins_with_a_tilde_can_be_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    save_model(tmp_path / "~nobody-of-this-name", "ab")
    words = ["--prompt", "ab", "--length", "0"]
    main(["generate", "--model", "./~nobody-of-this-name", *words])
    assert capsys.readouterr().out == "ab\n"


def test_a_run_stands_for_its_best_model(tmp_path, monkeypatch, capsys):
    (tmp_path / "mine.txt").write_text("to be or not to be\n" * 30)
    text = ["train", "--corpus", str(tmp_path / "mine.txt"), *TINY, "--steps", "1"]
    first, second = str(tmp_path / "first"), str(tmp_path / "second")
    main([*text, "--out", first, "--model", "parallel"])
    main([*text, "--out", second, "--from-parallel", first])
    main([*text, "--out", second, "--from-parallel", f"{first}/best"])  # the same run
    said = []
    for model in (second, f"{second}/best"):
        capsys.readouterr()
        main(["generate", "--model", model, "--prompt", "to", "--length", "20", "--seed", "1"])
        said.append(capsys.readouterr().out)
    assert said[0] == said[1] and len(said[0]) == 23


def test_a_folder_without_a_model_is_named_as_it_was_given(tmp_path, capsys):
    (tmp_path / "run/best").mkdir(parents=True)
    with pytest.raises(SystemExit):
        main(["generate", "--model", str(tmp_path / "run")])
    assert f"{tmp_path / 'run'} holds no complete model" in capsys.readouterr().err


def test_characters_that_are_not_those_of_the_model_are_refused(tmp_path, capsys):
    save_model(tmp_path, "abc")
    data.Characters("ab").save(tmp_path)
    with pytest.raises(SystemExit):
        main(["generate", "--model", str(tmp_path), "--prompt", "ab", "--length", "100"])
    said = capsys.readouterr()
    assert said.out == "" and "2 characters, but the model beside it has 3 tokens" in said.err
