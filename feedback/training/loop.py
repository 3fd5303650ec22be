"""Training from the first batch to the last checkpoint: `train` reads from top to bottom.

The functions around it, in the order in which it calls them: what is checked before any work, what
is printed at the start, one update's checks, the evaluation, and the length of the next windows.

Every random number of a run comes from one generator whose state is in the checkpoint, and the log
holds no clock times: those have a file of their own. A run that is killed and started again ends
bit for bit where one that was never killed ends, on the same machine with the same number of
threads.

Built in chapter 8. Shapes: B batch, T tokens.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import Tensor, distributed
from torch.nn.parallel import DistributedDataParallel

from feedback.config import Config
from feedback.data import Text
from feedback.fast.choice import deciding_anew
from feedback.language_model import LanguageModel
from feedback.machine import device
from feedback.tasks import NO_LABEL, Task
from feedback.training.by_passes import Plan, Trainee, check_passes, choose_passes, watch
from feedback.training.clock import Clock
from feedback.training.divergence import Diverged, check_finite, explaining_overflow
from feedback.training.looking import Updates, looks_after
from feedback.training.processes import rank_and_world_size
from feedback.training.progress import Progress, print_line
from feedback.training.run_folder import BEST, RunFolder
from feedback.training.settings import (
    Settings,
    learning_rate,
    length_after,
    length_at,
    tokens_to_come,
)
from feedback.training.state import TrainingState
from feedback.training.update import adamw, baseline_accuracy, evaluate, update
from feedback.training.warm_start import warm_start

Batches = list[tuple[Tensor, Tensor]]  # inputs and labels, (B, T) int64 each


@contextmanager
def independent_of_the_caller() -> Iterator[None]:
    """Gradients on, random numbers and races of its own, whatever the caller has for itself."""
    with torch.inference_mode(False), torch.enable_grad(), torch.random.fork_rng():
        with deciding_anew():
            yield


@independent_of_the_caller()
def train(
    config: Config,
    settings: Settings,
    source: Text | Task,
    out: str | Path,
    parallel: str | Path | None = None,
) -> list[dict]:
    """Train a model, leaving a folder as `feedback.training.run_folder` describes it.

    Call it with the same arguments again to go on with a run that was stopped. In a group of
    processes each one calls it; the first one evaluates, prints and writes.

    Args:
        config: of the model; `n_tokens` becomes that of the source.
        settings: how to train it.
        source: where batches come from; see `feedback.data.Text` and `feedback.tasks`.
        out: the run's folder; made if need be.
        parallel: folder of a saved parallel model with whose weights this one begins, of whatever
            kind it is; see `warm_start.py`.

    Returns:
        The log, a dict for the start and for each evaluation: `step`, `tokens` trained on, `length`
        of the windows, `training_loss` (the mean since the line before, None at the start) and
        `validation_loss` in nats a label, `accuracy`; for a task its `baseline`, for a feedback
        model its `layer_weights`, where steps went by passes their mean `residual`. It is complete
        in the first process only.

    Raises:
        ValueError, OSError: before any work, where something does not fit, or the folder holds
            something else or is in use; later, where a loss or weights are not finite, before they
            are saved, or where a checkpoint cannot be written. What was saved before is intact.
    """
    rank, processes = rank_and_world_size()
    writer = rank == 0  # the one process that evaluates, prints and writes
    held_out = list(source.held_out(settings.sequence_length))
    check_fits(settings, held_out, processes)
    check_passes(config, settings)
    config = replace(config, n_tokens=source.n_tokens)
    request = describe_request(config, settings, source, parallel)
    folder = RunFolder(out, request, getattr(source, "characters", None))

    torch.manual_seed(settings.seed)
    model = LanguageModel(config).to(device())
    optimizer = adamw(model, settings)
    generator = torch.Generator().manual_seed(settings.seed)

    with folder.locked() if writer else nullcontext():
        resumed, beginning = folder.resume(model, optimizer, generator)
        state = resumed or TrainingState(length=length_at(1, settings))
        if resumed is None and parallel is not None:
            report = warm_start(model, parallel, source, settings)
            beginning += f", with the weights of a parallel model\n{report}"
        clock = Clock(folder.read_times(state.step))
        if writer:
            folder.create()
            announce(folder, beginning, model, settings)
        if resumed is None:
            check_finite(state.step, model, optimizer, held_out[0][0])
            if writer:
                evaluate_and_record(state, None, model, held_out, source, folder)
        elif writer:
            folder.write_log(state.log)
            replace_lost_best(folder, model, state)
        if state.step == settings.steps:
            return state.log

        model.train()
        trainee = Trainee(model)
        replica: torch.nn.Module = model if settings.passes is None else trainee
        if processes > 1:
            distributed.barrier()  # until all have read the checkpoint
            # A single graded pass gives layer weights no gradient.
            unused = settings.passes is not None and Plan.parse(settings.passes).graded == 1
            replica = DistributedDataParallel(replica, find_unused_parameters=unused)
        progress, updates = Progress(state.step + 1, settings.steps), Updates()
        for step in range(state.step + 1, settings.steps + 1):
            state.step = step
            with clock, explaining_overflow(step):
                if settings.lengthen_below is None:
                    state.length = length_at(step, settings)
                for group in optimizer.param_groups:
                    group["lr"] = learning_rate(step, settings)
                batch = source.batch(settings.batch_size, state.length, generator)
                inputs, labels = (x.to(device(), non_blocking=True) for x in batch)  # (B, T) each
                choose_passes(trainee, state, settings, generator)
                seed_dropout(generator, rank)
                loss = update(replica, optimizer, inputs, labels, settings.clip)
                look_here = looks_after(step, settings)
                if look_here:
                    loss.item()  # waits for an accelerator, so that the clock counts its work
            updates.add(step, loss, model)
            state.tokens += inputs.numel()
            if not look_here:
                continue
            losses = updates.look(model)
            state.count(losses)
            watch(trainee, state, settings)
            lengthen_or_shorten(state, losses, settings)

            evaluate_here = step % settings.evaluate_every == 0 or step == settings.steps
            save_here = step % settings.checkpoint_every == 0 or step == settings.steps
            if evaluate_here or save_here:
                check_finite(step, model, optimizer, held_out[0][0])
                clock.note(step)
                if writer:
                    folder.write_times(clock.lines)
            if evaluate_here:
                mean_loss = state.take_mean_loss()
                if writer:
                    evaluate_and_record(state, mean_loss, model, held_out, source, folder)
                    progress.show(step, latest_values(state.log, settings), keep=True)
                lengthen_at_evaluation(state, mean_loss, settings)
            elif writer:
                progress.show(step, latest_values(state.log, settings) | {"training": losses[-1]})
            if save_here and writer:
                folder.save_last(model, optimizer, generator, state)
        if writer:
            replace_lost_best(folder, model, state)
        return state.log


# Before any work


def check_fits(settings: Settings, held_out: Batches, processes: int) -> None:
    """Refuse settings that fit neither the source of batches nor the number of processes."""
    if settings.batch_size % processes:
        raise ValueError(
            f"batch_size {settings.batch_size} cannot be shared evenly by {processes} processes"
        )
    if all((labels == NO_LABEL).all() for _, labels in held_out):
        raise ValueError(
            f"sequence_length {settings.sequence_length} is too short for this task: nothing "
            "is asked within it"
        )


def describe_request(
    config: Config, settings: Settings, source: Text | Task, parallel: str | Path | None
) -> dict:
    """All that decides how a run comes out, as run.json holds it."""
    return {
        "config": asdict(config),
        "settings": asdict(settings),
        "source": source.describe(),
        "from_parallel": None if parallel is None else str(parallel),
        "dtype": str(torch.get_default_dtype()).removeprefix("torch."),
    }


def announce(folder: RunFolder, beginning: str, model: LanguageModel, settings: Settings) -> None:
    """Print what is trained, from where on, and for how many steps and tokens."""
    weights = sum(p.numel() for p in model.parameters())
    print_line(f"{folder.path.name}: {beginning}")
    print_line(f"{model.config.model} model of {weights:,} weights on {device()}")
    whole = settings.steps * settings.batch_size * settings.sequence_length
    if settings.start_length is None:
        tokens = f"{whole:,} tokens"
    elif settings.lengthen_below is None:
        tokens = (
            f"{tokens_to_come(settings):,} tokens; they would be {whole:,} if all windows had "
            f"{settings.sequence_length}"
        )
    else:
        tokens = (
            f"at most {whole:,} tokens: how many depends on when the loss falls below "
            f"{settings.lengthen_below}"
        )
    print_line(f"{settings.steps:,} steps, {tokens}")


# One update


def seed_dropout(generator: torch.Generator, rank: int) -> None:
    """Give dropout random numbers that follow from the run's generator, others in each process."""
    torch.manual_seed(torch.randint(2**62, (), generator=generator).item() + rank)


# Evaluation


def evaluate_and_record(
    state: TrainingState,
    training_loss: float | None,
    model: LanguageModel,
    held_out: Batches,
    source: Text | Task,
    folder: RunFolder,
) -> None:
    """Evaluate, add a line to the log, and keep the model if it is the best so far."""
    loss, accuracy = evaluate(model, held_out)
    if not math.isfinite(loss):
        raise Diverged(f"the validation loss of step {state.step} is {loss}")
    line: dict[str, object] = {"step": state.step, "tokens": state.tokens, "length": state.length}
    line |= {"training_loss": training_loss, "validation_loss": loss, "accuracy": accuracy}
    if state.by_passes:
        line["residual"] = state.take_mean_residual()
    if isinstance(source, Task):
        line["baseline"] = baseline_accuracy(source, held_out)
    if model.config.model != "parallel":
        line["layer_weights"] = model.layer_weights().tolist()
    state.log.append(line)
    folder.write_log(state.log)
    if state.best is None or loss < state.best:
        state.best = loss
        folder.save_best(model)


def latest_values(log: list[dict], settings: Settings) -> dict[str, float]:
    """What the screen shows of the last line of the log, by name: losses in nats a label."""
    names = ["training_loss", "validation_loss"]
    if "residual" in log[-1]:
        names += ["residual"]
    if "baseline" in log[-1]:
        names += ["accuracy", "baseline"]
    if settings.start_length is not None:
        names += ["length"]
    values = {name.removesuffix("_loss"): log[-1][name] for name in names}
    return {name: value for name, value in values.items() if value is not None}


def replace_lost_best(folder: RunFolder, model: LanguageModel, state: TrainingState) -> None:
    """If the best model is missing or damaged, write it again if it is this one; say what was done.

    Args:
        model: after the step that `state` names.
    """
    if folder.best_is_whole():
        return
    step = min(state.log, key=lambda line: line["validation_loss"])["step"]
    lost = f"{folder.path / BEST} is missing or damaged: it was the model of step {step}"
    if step == state.step:
        folder.save_best(model)
        print_line(f"{lost}, and is written again, for that is the last step")
    else:
        print_line(f"{lost}, and is lost; a better model, if one comes, takes its place")


# The length of the next windows, where it follows the loss


def lengthen_or_shorten(state: TrainingState, losses: list[float], settings: Settings) -> None:
    """Every `lengthen_every` steps, choose the length by the mean loss since the last check.

    Args:
        losses: of the steps since this was last called.
    """
    every = settings.lengthen_every
    if every is None:  # then evaluations are the checks
        return
    for loss in losses:
        state.recent += loss
    if state.step % every == 0:
        mean, state.recent = state.recent / every, 0.0
        if state.untrained is None:
            state.untrained = mean
        state.length = length_after(state.length, mean, state.untrained, settings)


def lengthen_at_evaluation(state: TrainingState, mean_loss: float, settings: Settings) -> None:
    """Where evaluations are the checks, double the length if the training loss is low enough."""
    below = settings.lengthen_below
    if below is not None and settings.lengthen_every is None and mean_loss < below:
        state.length = min(2 * state.length, settings.sequence_length)
