"""Training: the loop, learning rate and sequence lengths, evaluation, going on after a stop.

Every random number of a run comes from one generator whose state is in the checkpoint, and the log
holds no clock times: those have a file of their own. A run that is killed and started again ends
bit for bit where one that was never killed ends, on the same machine with the same number of
threads.

Built in chapter 8. Shapes: B batch, T tokens.
"""

from __future__ import annotations

import math
import time
from dataclasses import asdict
from pathlib import Path

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from feedback.config import Config
from feedback.data import Characters, Text
from feedback.language_model import LanguageModel, evaluating
from feedback.machine import device
from feedback.tasks import NO_LABEL, Task
from feedback.training.processes import rank_and_world_size
from feedback.training.progress import Progress, say
from feedback.training.run_folder import BEST, RunFolder, RunState, finite
from feedback.training.settings import (
    Settings,
    learning_rate,
    length_after,
    length_at,
    tokens_to_come,
)
from feedback.training.update import adamw, baseline, evaluate, update
from feedback.training.warm_start import from_parallel


def train(
    config: Config,
    settings: Settings,
    source: Text | Task,
    out: str | Path,
    parallel: str | Path | None = None,
) -> list[dict]:
    """Train a model, leaving a folder as `feedback.training.run_folder` describes it.

    Ask the same again to go on with a run that was stopped. Under an initialised process group
    every process calls this, and the first one writes.

    Args:
        config: of the model; `n_tokens` becomes that of the source.
        source: where batches come from; see `feedback.data.Text` and `feedback.tasks`.
        out: the run's folder; made if need be.
        parallel: folder of a saved parallel model to start from; see `warm_start.py`.

    Returns:
        The log, a dict for the start and for each evaluation.

    Raises:
        ValueError, OSError: what does not fit, before any work; a folder that is not this run's, or
            in use; a loss, or weights, that are not finite, before they are saved; a checkpoint
            that cannot be written, the one before intact.
    """
    with torch.inference_mode(False), torch.enable_grad(), torch.random.fork_rng():
        training = Training(config, settings, source, Path(out), parallel)
        try:
            return training.run()
        finally:
            training.folder.release()


def diverged(what: str) -> ValueError:
    return ValueError(f"{what}; try a lower learning rate. What was saved is as it was")


class Training:
    """One run, from its folder to its last checkpoint; see `train`."""

    def __init__(
        self,
        config: Config,
        settings: Settings,
        source: Text | Task,
        out: Path,
        parallel: str | Path | None,
    ):
        self.settings, self.source, self.parallel = settings, source, parallel
        rank, processes = rank_and_world_size()
        self.first = rank == 0
        if settings.batch_size % processes:
            raise ValueError(
                f"batch_size {settings.batch_size} cannot be shared evenly by {processes} processes"
            )
        self.held_out = list(source.held_out(settings.sequence_length))
        if all((labels == NO_LABEL).all() for _, labels in self.held_out):
            raise ValueError(
                f"sequence_length {settings.sequence_length} is too short for this task: nothing "
                "is asked within it"
            )
        torch.manual_seed(settings.seed)
        self.config = Config(**{**asdict(config), "n_tokens": source.n_tokens})
        asked = {
            "config": asdict(self.config),
            "settings": asdict(settings),
            "source": source.describe(),
            "from_parallel": None if parallel is None else str(parallel),
            "dtype": str(torch.get_default_dtype()).removeprefix("torch."),
        }
        self.folder = RunFolder(out, asked, getattr(source, "characters", None))
        self.model = LanguageModel(self.config)
        self.model.to(device())
        self.optimizer = adamw(self.model, settings)
        self.generator = torch.Generator().manual_seed(settings.seed)

    def run(self) -> list[dict]:
        """Train from where the folder's checkpoint ends, or from the beginning."""
        settings = self.settings
        if self.first:
            self.folder.claim()
        state, said = self.folder.resume(self.model, self.optimizer, self.generator)
        if state is None and self.parallel is not None:
            said += f", with the weights of a parallel model\n{self.warm_start()}"
        if self.first:
            self.folder.begin()
            self.introduce(said)
            if state is not None:
                self.look_after_best(state)
        self.times = self.folder.read_times(state.step if state else 0)
        spent = self.times[-1] if self.times else {}
        self.seconds = spent.get("seconds", 0.0)
        self.processor_seconds = spent.get("processor_seconds", 0.0)
        if state is None:
            state = RunState(length=length_at(1, settings))
            self.check_finite(state)
            self.record(state)
        elif self.first:
            self.folder.write_log(state.log)
        if state.step == settings.steps:
            return state.log
        model, processes = self.model.train(), rank_and_world_size()[1]
        if processes > 1:
            distributed.barrier()  # until all have read the checkpoint
            model = DistributedDataParallel(self.model)
        progress = Progress(state.step + 1, settings.steps, self.first)
        progress.values |= self.shown(state)
        for state.step in progress:
            self.advance(state, model, progress)
        if self.first:
            self.look_after_best(state)
        return state.log

    def look_after_best(self, state: RunState) -> None:
        """Where the best model was lost, write it again if it is the last; say what was done."""
        if self.folder.best_is_whole():
            return
        step = min(state.log, key=lambda line: line["validation_loss"])["step"]
        found = (
            f"{self.folder.folder / BEST} is missing or damaged: it was the model of step {step}"
        )
        if step == state.step:
            self.folder.save_best(self.model)
            say(f"{found}, and is written again, for that is the last step")
        else:
            say(f"{found}, and cannot be had back; a better model, if one comes, takes its place")

    def warm_start(self) -> str:
        """Take the weights of a parallel model, and say what became of each."""
        characters = getattr(self.source, "characters", None)
        if characters is not None:
            theirs = Characters.load(self.parallel).characters
            if theirs != characters.characters:
                raise ValueError(
                    f"{self.parallel} reads other characters than this text holds: they differ in "
                    f"{''.join(sorted({*theirs} ^ {*characters.characters}))!r}"
                )
        sample = torch.Generator().manual_seed(self.settings.seed)
        tokens, _ = self.source.batch(16, self.settings.sequence_length, sample)
        return from_parallel(self.model, self.parallel, tokens.to(device()))

    def advance(self, state: RunState, model: nn.Module, progress: Progress) -> None:
        """Take a step; evaluate and write a checkpoint where it is time."""
        settings, step = self.settings, state.step
        loss = self.step(state, model)
        # A sum takes one pass; only where it is not finite it may have overflowed.
        sums = torch.stack([weight.detach().sum() for weight in self.model.parameters()])
        if not finite([sums]) and not finite(self.model.parameters()):
            raise diverged(f"step {step} left weights that are not finite")
        progress.show(step, training=loss)
        self.look(state, loss)
        evaluate_now = step % settings.evaluate_every == 0 or step == settings.steps
        save_now = step % settings.checkpoint_every == 0 or step == settings.steps
        if evaluate_now or save_now:
            self.check_finite(state)
        if self.first and (evaluate_now or save_now):
            self.note_time(step)
        if evaluate_now:
            self.record(state)
            progress.show(step, keep=True, **self.shown(state))
        if self.first and save_now:
            self.folder.save_last(self.model, self.optimizer, self.generator, state)

    def step(self, state: RunState, model: nn.Module) -> float:
        """Draw a batch, update the weights with it and return its loss, against the clock."""
        settings, step = self.settings, state.step
        wall, processor = time.perf_counter(), time.process_time()
        if settings.lengthen_below is None:
            state.length = length_at(step, settings)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(step, settings)
        batch = self.source.batch(settings.batch_size, state.length, self.generator)
        seed = torch.randint(2**62, (), generator=self.generator).item()
        torch.manual_seed(seed + rank_and_world_size()[0])  # for dropout
        inputs, labels = (x.to(device()) for x in batch)
        try:
            loss = update(model, self.optimizer, inputs, labels, settings.clip)
        except RuntimeError as error:
            if "without overflow" not in str(error):
                raise
            raise diverged(f"the update of step {step} is too large ({error})") from error
        if not math.isfinite(loss):
            raise diverged(f"the loss of step {step} is {loss}")
        state.tokens += inputs.numel()
        state.losses, state.counted = state.losses + loss, state.counted + 1
        self.seconds += time.perf_counter() - wall
        self.processor_seconds += time.process_time() - processor
        return loss

    @torch.no_grad()
    def check_finite(self, state: RunState) -> None:
        """Refuse a model or an optimizer that holds, or a model that computes, what is not finite.

        Weights can be finite and yet so large that nothing can be computed with them.
        """
        tensors = [*self.model.parameters()]
        tensors += (value for kept in self.optimizer.state.values() for value in kept.values())
        with evaluating(self.model):
            tensors.append(self.model(self.held_out[0][0].to(device())))
        if not finite(tensors):
            raise diverged(f"weights, optimizer or logits after step {state.step} are not finite")

    def look(self, state: RunState, loss: float) -> None:
        """Choose the next length by the mean loss, where it is time and lengths follow the loss."""
        settings = self.settings
        if settings.lengthen_every is None:
            return
        state.recent += loss
        if state.step % settings.lengthen_every == 0:
            mean, state.recent = state.recent / settings.lengthen_every, 0.0
            if state.untrained is None:
                state.untrained = mean
            state.length = length_after(state.length, mean, state.untrained, settings)

    def note_time(self, step: int) -> None:
        """Add how long training has taken, evaluations and checkpoints left out, to times.jsonl."""
        line = {"step": step, "seconds": round(self.seconds, 3)}
        self.times.append(line | {"processor_seconds": round(self.processor_seconds, 3)})
        self.folder.write_times(self.times)

    def record(self, state: RunState) -> None:
        """Evaluate, add a line to the log, keep the model if it is the best, perhaps lengthen."""
        settings = self.settings
        training_loss = state.losses / state.counted if state.counted else None
        state.losses, state.counted = 0.0, 0
        if self.first:
            loss, accuracy = evaluate(self.model, self.held_out)
            if not math.isfinite(loss):
                raise diverged(f"the validation loss of step {state.step} is {loss}")
            line = {"step": state.step, "tokens": state.tokens, "length": state.length}
            line |= {"training_loss": training_loss, "validation_loss": loss, "accuracy": accuracy}
            if isinstance(self.source, Task):
                line["baseline"] = baseline(self.source, self.held_out)
            if self.config.model != "parallel":
                line["layer_weights"] = self.model.layer_weights().tolist()
            state.log.append(line)
            self.folder.write_log(state.log)
            if state.best is None or loss < state.best:
                state.best = loss
                self.folder.save_best(self.model)
        looks_here = settings.lengthen_below is not None and settings.lengthen_every is None
        if looks_here and training_loss is not None:
            if training_loss < settings.lengthen_below:
                state.length = min(2 * state.length, settings.sequence_length)

    def shown(self, state: RunState) -> dict[str, float | None]:
        """What to show of the last line of the log."""
        if not state.log:  # another process has it
            return {}
        line = state.log[-1]
        names = ["training_loss", "validation_loss"]
        if isinstance(self.source, Task):
            names += ["accuracy", "baseline"]
        values = {name.removesuffix("_loss"): line.get(name) for name in names}
        if self.settings.start_length is not None:
            values["length"] = line["length"]
        return {name: value for name, value in values.items() if value is not None}

    def introduce(self, said: str) -> None:
        """Print what is trained, for how long, and where it goes."""
        settings, weights = self.settings, sum(p.numel() for p in self.model.parameters())
        say(f"{self.folder.folder.name}: {said}")
        say(f"{self.config.model} model of {weights:,} weights on {device()}")
        whole = settings.steps * settings.batch_size * settings.sequence_length
        if settings.start_length is None:
            say(f"{settings.steps:,} steps, {whole:,} tokens")
        elif settings.lengthen_below is None:
            say(
                f"{settings.steps:,} steps, {tokens_to_come(settings):,} tokens; they would be "
                f"{whole:,} if all windows had {settings.sequence_length}"
            )
        else:
            say(
                f"{settings.steps:,} steps, at most {whole:,} tokens: how many depends on when "
                f"the loss falls below {settings.lengthen_below}"
            )
