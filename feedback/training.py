"""Training: the loop, learning rate and sequence lengths, evaluation, going on after a stop.

Every random number of a run comes from one generator whose state is in the checkpoint, and the log
holds no clock times: those have a file of their own. A run that is killed and started again ends
bit for bit where one that was never killed ends, on the same machine with the same number of
threads.

Built in chapter 8. Shapes: B batch, T tokens.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from feedback.config import Config, is_number, whole_number
from feedback.data import Characters, Text
from feedback.language_model import LanguageModel, evaluating
from feedback.progress import Progress, say
from feedback.runs import BEST, RunFolder, RunState, finite
from feedback.tasks import NO_LABEL, Task
from feedback.timing import device
from feedback.warm_start import from_parallel

MOST_SEED = 2**64 - 1  # that a torch.Generator takes
COLLAPSED = 0.9  # of the untrained loss: a loss above it has nothing left of what was learned


@dataclass(frozen=True)
class Settings:
    """How to train. Every field is checked here, before anything is built.

    Attributes:
        steps: updates of the weights.
        batch_size: windows a step, B, over all processes.
        sequence_length: tokens of a window, T, at the end of training and in every evaluation.
        learning_rate: the highest; it rises over `warm_up` steps and falls as a cosine to a tenth.
        warm_up: steps.
        weight_decay: of AdamW, for matrices and tables only.
        clip: the largest L2 norm of the gradient of all parameters; a longer one is shortened.
        evaluate_every: steps between evaluations, each a line in the log.
        checkpoint_every: steps between checkpoints.
        start_length: tokens of the first windows; they double until they are `sequence_length`.
            None: windows are that long from the beginning.
        lengthen_below: lengthen when the mean training loss between two looks at it is below this.
            None: lengthen by step, so that the last half of the steps is at full length.
        lengthen_every: steps between two looks; a length at which the loss collapses is left again
            for half of it, see `length_after`. None: look at evaluations, and never go back.
        seed: of weights, batches and dropout, 0 <= seed < 2^64.

    Raises:
        TypeError, ValueError: a field has the wrong type or is out of range.
    """

    steps: int = 1500
    batch_size: int = 32
    sequence_length: int = 128
    learning_rate: float = 2e-3
    warm_up: int = 100
    weight_decay: float = 0.1
    clip: float = 1.0
    evaluate_every: int = 100
    checkpoint_every: int = 100
    start_length: int | None = None
    lengthen_below: float | None = None
    lengthen_every: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        least = dict.fromkeys(("steps", "batch_size", "evaluate_every", "checkpoint_every"), 1)
        least |= {"sequence_length": 2, "start_length": 2, "warm_up": 0, "seed": 0}
        least |= {"lengthen_every": 1}
        for name, low in least.items():
            value = getattr(self, name)
            if value is None and name in ("start_length", "lengthen_every"):
                continue
            value = whole_number(name, value, low, MOST_SEED if name == "seed" else None)
            object.__setattr__(self, name, value)  # a plain int, as the run's folder holds it
        for name in ("learning_rate", "clip", "weight_decay", "lengthen_below"):
            value = getattr(self, name)
            if value is None and name == "lengthen_below":
                continue
            if not is_number(value):
                raise TypeError(f"{name} is {value!r}; it must be a number")
            try:
                number = float(value)
            except OverflowError:  # a whole number that no float holds
                number = math.inf
            if not (0 < number < math.inf or (number == 0 and name == "weight_decay")):
                bound = "at least 0" if name == "weight_decay" else "above 0"
                raise ValueError(f"{name} is {value}; it must be {bound} and finite")
            if not isinstance(value, (int, float)):
                object.__setattr__(self, name, number)
        if self.start_length is None and self.lengthen_below is not None:
            raise ValueError("lengthen_below needs a start_length from which to lengthen")
        if self.lengthen_below is None and self.lengthen_every is not None:
            raise ValueError("lengthen_every needs a lengthen_below, the loss at which to lengthen")
        if self.start_length is not None and self.start_length > self.sequence_length:
            raise ValueError(
                f"start_length {self.start_length} is above sequence_length {self.sequence_length}"
            )


def learning_rate(step: int, settings: Settings) -> float:
    """The rate of a step from 1 on: a straight rise, then a cosine to a tenth of the peak."""
    rise = min(1.0, step / (settings.warm_up + 1))
    done = max(0, step - settings.warm_up) / max(1, settings.steps - settings.warm_up)
    return settings.learning_rate * rise * (0.1 + 0.9 * (1 + math.cos(math.pi * done)) / 2)


def length_at(step: int, settings: Settings) -> int:
    """The length of the windows of a step from 1 on, where lengths follow the steps.

    Lengths double from `start_length` to `sequence_length`. All but the last share the first half
    of the steps evenly.
    """
    lengths = [settings.start_length or settings.sequence_length]
    while lengths[-1] < settings.sequence_length:
        lengths.append(min(2 * lengths[-1], settings.sequence_length))
    stage = 2 * (step - 1) * (len(lengths) - 1) // settings.steps
    return lengths[min(stage, len(lengths) - 1)]


def length_after(length: int, loss: float, untrained: float, settings: Settings) -> int:
    """The length that follows a look at the training loss, where lengths follow the loss.

    Rows that have become easy are followed by longer ones. Longer rows can destroy what was
    learned; rows half as long bring it back.

    Args:
        length: of the windows so far.
        loss: its mean since the last look.
        untrained: its mean up to the first look, with which a model has learned next to nothing.
    """
    if loss < settings.lengthen_below:
        return min(2 * length, settings.sequence_length)
    if loss > COLLAPSED * untrained:
        return max(length // 2, settings.start_length)
    return length


def tokens_to_come(settings: Settings) -> int:
    """How many tokens a run sees in all, where lengths follow the steps."""
    steps = range(1, settings.steps + 1)
    return settings.batch_size * sum(length_at(step, settings) for step in steps)


def adamw(model: nn.Module, settings: Settings) -> torch.optim.AdamW:
    """AdamW that lets biases, norms and other vectors keep their size."""
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    vectors = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, settings.learning_rate, weight_decay=settings.weight_decay)


def update(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    inputs: Tensor,
    labels: Tensor,
    clip: float,
) -> float:
    """Take one step on a batch (B, T) and return its mean loss, in nats a label.

    In a group of processes each takes its share of the rows.
    """
    rank, processes = place()
    labelled = max(1, (labels != NO_LABEL).sum().item())
    inputs, labels = inputs[rank::processes], labels[rank::processes]
    logits = model(inputs)  # (B, T, V)
    loss = F.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), ignore_index=NO_LABEL, reduction="sum"
    )
    loss = loss * (processes / labelled)  # the mean over processes, of gradients too, is the mean
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), clip)
    optimizer.step()
    loss = loss.detach()
    if processes > 1:
        distributed.all_reduce(loss, distributed.ReduceOp.SUM)
    return loss.item() / processes


@torch.no_grad()
def evaluate(model: LanguageModel, batches: Iterable[tuple[Tensor, Tensor]]) -> tuple[float, float]:
    """Mean loss in nats a label, and the part of the labels that the model finds likeliest.

    Raises:
        ValueError: there is no label in any batch.
    """
    loss = right = labelled = 0
    with evaluating(model):
        for inputs, labels in batches:
            labels = labels.to(model.head.weight.device)
            logits = model(inputs.to(labels.device))
            there = labels != NO_LABEL
            loss += F.cross_entropy(logits[there], labels[there], reduction="sum").item()
            right += (logits.argmax(-1) == labels)[there].sum().item()
            labelled += there.sum().item()
    if not labelled:
        raise ValueError("there is no label in these batches, hence no mean over labels")
    return loss / labelled, right / labelled


def baseline(task: Task, batches: Iterable[tuple[Tensor, Tensor]]) -> float:
    """The part of the labels that the task's rule without a state gets right."""
    there = right = 0
    for inputs, labels in batches:
        labelled = labels != NO_LABEL
        right += (task.baseline(inputs, labels) == labels)[labelled].sum().item()
        there += labelled.sum().item()
    return right / there


def place() -> tuple[int, int]:
    """Rank of this process and world size: (0, 1) outside a process group."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


@contextmanager
def processes() -> Iterator[None]:
    """Be one process of a group while training, if `torchrun` started this one."""
    if not (distributed.is_available() and distributed.is_torchelastic_launched()):
        yield
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group()
    try:
        yield
    finally:
        distributed.destroy_process_group()


def train(
    config: Config,
    settings: Settings,
    source: Text | Task,
    out: str | Path,
    parallel: str | Path | None = None,
) -> list[dict]:
    """Train a model, leaving a folder as `feedback.runs` describes it.

    Ask the same again to go on with a run that was stopped. Under an initialised process group
    every process calls this, and the first one writes.

    Args:
        config: of the model; `n_tokens` becomes that of the source.
        source: where batches come from; see `feedback.data.Text` and `feedback.tasks`.
        out: the run's folder; made if need be.
        parallel: folder of a saved parallel model to start from; see `feedback.warm_start`.

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
        rank, processes = place()
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
        model, processes = self.model.train(), place()[1]
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
        torch.manual_seed(seed + place()[0])  # for dropout
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
