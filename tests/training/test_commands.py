"""Facts about the commands `train` and `generate`: what they do, and which words they refuse."""

import re
from dataclasses import replace

import pytest
import torch
from training_runs import CONFIG, WORDS

from feedback import LanguageModel, data
from feedback.__main__ import main
from feedback.config import MODELS
from feedback.training import loop


def test_the_command_line_trains_and_writes(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text(WORDS)
    out = tmp_path / "run"
    words = ["--corpus", str(tmp_path / "mine.txt"), "--out", str(out), "--steps", "3"]
    words += ["--sequence-length", "8", "--memory-mixture", "0", "0", "1", "--n-layers", "2"]
    main(["train", *words])
    assert f"The best model is in {out / 'best'}" in capsys.readouterr().out
    assert LanguageModel.load(out / "best").config.memory_mixture == (0, 0, 1)
    texts = []
    for _ in range(2):
        main(
            ["generate", "--model", str(out / "best"), *"--prompt the --length 20 --seed 3".split()]
        )
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1] and texts[0].startswith("the") and len(texts[0]) == 24


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--task", "parity", "--corpus", "x"], "not allowed with"),
        (["--corpus", "nowhere.txt"], "there is no file nowhere.txt"),
        (["--heads", "3"], "d_model 128 is not divisible by heads 3"),
        (["--steps", "0"], "steps is 0"),
        (["--seed", str(2**64)], "seed is 18446744073709551616; it must be in 0..1844"),
        (["--d-ff", "none"], "invalid int value: 'none'"),
        (["--memory-size", "all"], "invalid int or none value: 'all'"),
        (["--task", "parity", "--start-length", "64"], "start_length 64 is above sequence_length"),
        (["--memory-mixture", "0.5", "0.4"], "memory_mixture has 2 weights"),
        (["--memory-mixture", "half"], "could not convert string to float: 'half'"),
        (["--from-parallel", "nowhere"], "nowhere.*missing"),
    ],
)
def test_a_wrong_word_is_an_error_before_anything_is_written(tmp_path, capsys, words, message):
    (tmp_path / "mine.txt").write_text(WORDS * 10)
    corpus = [] if {"--corpus", "--task"} & {*words} else ["--corpus", str(tmp_path / "mine.txt")]
    with pytest.raises(SystemExit) as stopped:
        main(["train", "--out", str(tmp_path / "run"), *corpus, *words])
    assert stopped.value.code == 2
    assert re.search(message, capsys.readouterr().err)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", (4, 0.3)),
        ("--start-length none", (None, None)),
        ("--lengthen-below none", (4, None)),
        ("--start-length none --lengthen-below none", (None, None)),
        ("--sequence-length 3", (3, 0.3)),
        ("--start-length 8 --lengthen-below 0.5", (8, 0.5)),
    ],
)
def test_none_stands_for_none_and_a_tasks_own_start_fits_its_windows(
    tmp_path, monkeypatch, words, expected
):
    calls = []
    monkeypatch.setattr(loop, "train", lambda *given: calls.append(given))
    words = ["--task", "parity", "--memory-size", "none", *words.split()]
    main(["train", "--out", str(tmp_path / "run"), *words])
    config, settings = calls[0][:2]
    assert (settings.start_length, settings.lengthen_below) == expected
    assert config.memory_size is None


@pytest.mark.parametrize("model", MODELS)
def test_every_model_trains_with_a_bounded_memory(tmp_path, model, capsys):
    sizes = "--d-model 8 --heads 2 --n-layers 1 --d-ff 8 --steps 2 --batch-size 2 --memory-size 4"
    out = tmp_path / "run"
    main(["train", "--out", str(out), "--task", "parity", "--model", model, *sizes.split()])
    capsys.readouterr()
    assert LanguageModel.load(out / "best").config.memory_size == 4


def test_a_stopped_text_ends_without_a_traceback(monkeypatch, capsys):
    def stopped(*given):
        yield torch.tensor([0])
        raise KeyboardInterrupt

    monkeypatch.setattr(LanguageModel, "stream", stopped)
    with pytest.raises(SystemExit, match="Stopped"):
        main(["generate"])
    capsys.readouterr()


def test_a_model_of_a_task_says_why_it_writes_no_text(capsys):
    for words, message in [
        (["--model", "s3-parallel"], "s3-parallel was trained on a task and reads no characters"),
        (["--seed", "-1"], "seed is -1; it must be in 0..18446744073709551615"),
    ]:
        with pytest.raises(SystemExit):
            main(["generate", *words])
        assert message in capsys.readouterr().err


def test_generate_says_what_is_wrong(tmp_path, capsys):
    model = LanguageModel(replace(CONFIG, n_tokens=3))
    model.save(tmp_path)
    for words, message in [
        ([], "characters.json: missing"),
        (["--prompt", ""], "the prompt is empty"),
        (["--prompt", "abx"], "'x' .character 2 of the text. is not among the 3 characters"),
        (["--temperature", "-1"], "temperature is -1.0"),
        (["--top-k", "9"], "top_k is 9; it must be in 1..3"),
    ]:
        with pytest.raises(SystemExit):
            main(["generate", "--model", str(tmp_path), "--prompt", "ab", *words])
        assert re.search(message, capsys.readouterr().err), message
        data.Characters("abc").save(tmp_path)
