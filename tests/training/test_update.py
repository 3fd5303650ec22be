"""Facts about one update, and about what evaluation measures."""

import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F
from training_runs import CONFIG, SETTINGS

from feedback import LanguageModel
from feedback.tasks import NO_LABEL, TASKS
from feedback.training import evaluate
from feedback.training.update import adamw, baseline_accuracy, update


def test_an_update_follows_the_gradient_of_the_mean_over_labelled_places():
    torch.manual_seed(0)
    config = replace(CONFIG, model="feedback-kv", n_layers=2, n_tokens=7, dropout=0.0)
    ours, plain = LanguageModel(config), LanguageModel(config)
    plain.load_state_dict(ours.state_dict())
    inputs, labels = torch.randint(7, (2, 4, 8)).unbind()
    labels[:, ::2] = NO_LABEL
    settings = replace(SETTINGS, learning_rate=0.1)
    loss = update(ours, adamw(ours, settings), inputs, labels, clip=0.5)

    optimizer = adamw(plain, settings)
    mean = torch.stack(
        [
            F.cross_entropy(plain(inputs)[b, t], labels[b, t])
            for b in range(4)
            for t in range(1, 8, 2)
        ]
    ).mean()
    mean.backward()
    torch.nn.utils.clip_grad_norm_(plain.parameters(), 0.5)
    optimizer.step()
    assert loss == pytest.approx(mean.item(), rel=1e-5)
    for mine, theirs in zip(ours.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_evaluation_counts_labelled_places_only_and_leaves_the_model_training():
    class Echo(LanguageModel):
        """Finds the token it reads likeliest, with probability 1/2."""

        def forward(self, tokens):
            return F.one_hot(tokens, 3).float() * math.log(2)

    model = Echo(replace(CONFIG, n_tokens=3)).train()
    inputs = torch.tensor([[0, 1, 2, 2]])
    labels = torch.tensor([[0, NO_LABEL, 1, 2]])
    loss, accuracy = evaluate(model, [(inputs, labels)])
    assert accuracy == pytest.approx(2 / 3) and model.training
    assert loss == pytest.approx((2 * math.log(2) + math.log(4)) / 3)


def test_evaluation_without_a_label_is_refused():
    model, tokens = LanguageModel(replace(CONFIG, n_tokens=3)), torch.tensor([[0, 1]])
    for batches in ([], [(tokens, torch.full_like(tokens, NO_LABEL))]):
        with pytest.raises(ValueError, match="no label in these batches"):
            evaluate(model, batches)


def test_the_baseline_of_parity_is_right_about_the_first_token_and_half_of_the_others():
    """It answers with the last token alone."""
    held_out = list(TASKS["parity"].held_out(5))
    assert baseline_accuracy(TASKS["parity"], held_out) == pytest.approx((1 + 4 / 2) / 5, abs=0.05)
