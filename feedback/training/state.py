"""What a run knows beside the weights, the optimizer and the random number generator."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class TrainingState:
    """How far a run has come. A checkpoint holds it as JSON, under the names of these fields.

    Attributes:
        length: tokens of the windows of the next step.
        step: the last step that was taken; 0 before the first.
        tokens: tokens that the model was trained on so far.
        losses, counted: sum (nats a label) and number of the training losses since the last
            evaluation.
        recent: sum of the training losses since the last time they were checked, where
            `Settings.lengthen_every` asks for checks.
        untrained: mean of the training losses up to the first check; None before it.
        residuals, by_passes: sum and number of the residuals of steps by passes since the last
            evaluation; see `by_passes.py`.
        watched_residuals, watched: the same since the guard last looked at them.
        back_to_exact: whether the guard has ended training by passes.
        best: the lowest validation loss so far, in nats a label; None before the first evaluation.
        quicker: what races of `feedback/fast/choice.py` have decided; going on, nothing is raced
            again that may come out otherwise.
        log: the lines of log.jsonl: one dict for the start and for each evaluation.
    """

    length: int
    step: int = 0
    tokens: int = 0
    losses: float = 0.0
    counted: int = 0
    recent: float = 0.0
    untrained: float | None = None
    residuals: float = 0.0
    by_passes: int = 0
    watched_residuals: float = 0.0
    watched: int = 0
    back_to_exact: bool = False
    best: float | None = None
    quicker: dict[str, bool] = field(default_factory=dict)
    log: list[dict] = field(default_factory=list)

    def count(self, losses: list[float]) -> None:
        """Add the losses of some steps, in nats a label, to the sums."""
        for loss in losses:
            self.losses += loss
        self.counted += len(losses)

    def take_mean_loss(self) -> float:
        """The mean loss of the steps since this was last called, of which there must be one."""
        mean = self.losses / self.counted
        self.losses, self.counted = 0.0, 0
        return mean

    def count_residual(self, residual: float) -> None:
        """Add one step by passes to the sums."""
        self.residuals += residual
        self.by_passes += 1
        self.watched_residuals += residual
        self.watched += 1

    def take_mean_residual(self) -> float:
        """The mean residual of the steps by passes since this was last called, at least one."""
        mean = self.residuals / self.by_passes
        self.residuals, self.by_passes = 0.0, 0
        return mean
