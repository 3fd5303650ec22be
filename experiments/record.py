"""The result file of an experiment: every finished run's numbers, under the hash of what was asked.

The file is written as soon as a run is done, so that an experiment lands in parts. What it holds
already is not asked again; what the plan no longer asks is left out when the file is next written.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

from experiment import SEARCH_SEED, Experiment, Variant
from runs import Request, Run

from feedback.files import read_json, write_atomically

RESULTS = Path(__file__).resolve().parent.parent / "feedback" / "results"
SHARED = ("config", "weights")  # equal in all results of a variant, and written once


def write_result(name: str, question: str, **content: object) -> None:
    """Write a result file: what was asked, the command that asks it again, and what was found."""
    whole = {"question": question, "command": f"make results ONLY={name}"} | content
    write_atomically(RESULTS / f"{name}.json", (json.dumps(whole) + "\n").encode())


class Record:
    """What is known of an experiment, and what its plan asks.

    Attributes:
        known: what was found for each request that is answered, by the request's name.
    """

    def __init__(self, name: str, experiment: Experiment):
        self.name, self.experiment, self.file = name, experiment, RESULTS / f"{name}.json"
        self.known = unpack(read_json(self.file)) if self.file.exists() else {}

    def run(self, variant: Variant, changes: dict, seed: int) -> Run:
        """The run of a variant with these changes of its settings."""
        settings, parallel = replace(variant.settings, **changes, seed=seed), None
        if (before := self.before(variant)) is not None:
            parallel = self.run(before, self.chosen(before) or {}, seed)
        return Run(variant.source, variant.config, settings, parallel)

    def before(self, variant: Variant) -> Variant | None:
        """The variant whose trained models this one starts from."""
        return next((v for v in self.experiment.variants if v.name == variant.after), None)

    def search(self, variant: Variant) -> list[Request]:
        """A request for each of the changes that are tried; none before its start is chosen."""
        before = self.before(variant)
        if before is not None and self.chosen(before) is None:
            return []
        runs = [self.run(variant, changes, SEARCH_SEED) for changes in self.experiment.search]
        ends, apart = self.experiment.ends, self.experiment.apart
        return [Request(run, search=True, ends=ends, apart=apart) for run in runs]

    def chosen(self, variant: Variant, done: bool = True) -> dict | None:
        """The changes with the lowest loss; None as long as the search is not done.

        With done=False those with the lowest loss so far; None where there is none yet. An
        experiment that tries nothing changes nothing.
        """
        if not self.experiment.search:
            return {}
        found = [self.known.get(request.name) for request in self.search(variant)]
        if not any(found) or (done and not all(found)):
            return None
        ends = [one and one["validation_loss"] for one in found]
        losses = [math.inf if loss is None else loss for loss in ends]  # None: it diverged
        return self.experiment.search[losses.index(min(losses))]

    def results(self, variant: Variant, done: bool = True) -> list[Request]:
        """A request for each seed with the chosen changes; none before there are any."""
        changes, ends = self.chosen(variant, done), self.experiment.ends
        if changes is None:
            return []
        runs = [self.run(variant, changes, seed) for seed in self.experiment.seeds]
        return [Request(run, False, ends, kept=variant.kept) for run in runs]

    def missing(self) -> dict[str, Request]:
        """What is not known yet and can be asked now, each under a name to print."""
        asked = {}
        for variant in self.experiment.variants:
            for number, request in enumerate(self.search(variant), start=1):
                asked[f"{variant.name}, search {number}"] = request
            for request in self.results(variant):
                asked[f"{variant.name}, seed {request.run.settings.seed}"] = request
        return {name: one for name, one in asked.items() if one.name not in self.known}

    def add(self, request: Request, found: dict) -> None:
        """Take in what was found, and write the file."""
        self.known[request.name] = json.loads(json.dumps(found))
        self.write()

    def write(self) -> None:
        """Write all that is known and asked, in the order of the plan."""
        machine = next((found["machine"] for found in self.known.values()), None)
        write_result(
            self.name,
            self.experiment.question,
            machine=machine,
            search_seed=SEARCH_SEED,
            ends=self.experiment.ends,
            variants=[self.row(variant, machine) for variant in self.experiment.variants],
        )

    def row(self, variant: Variant, machine: dict | None) -> dict:
        """All that is known of a variant; a machine is named where it is another than this one.

        A plan that tries more than before keeps its results until its search is done anew.
        """
        parts = {}
        asked = ("search", self.search(variant)), ("runs", self.results(variant, done=False))
        for part, requests in asked:
            parts[part] = []
            for i, request in enumerate(requests):
                if (found := self.known.get(request.name)) is not None:
                    entry = {"request": request.name}
                    if part == "search":
                        entry["changes"] = self.experiment.search[i]
                    entry |= {k: v for k, v in found.items() if k not in SHARED}
                    if entry["machine"] == machine:
                        del entry["machine"]
                    parts[part].append(entry)
        whole = [self.known[x["request"]] for x in parts["runs"] if "diverged" not in x]
        return {
            "name": variant.name,
            "source": variant.source,
            "after": variant.after,
            **{name: whole[0][name] for name in SHARED if whole},
            "settings": variant.settings.__dict__,
            "chosen": self.chosen(variant, done=False),
            **parts,
        }


def unpack(content: dict) -> dict[str, dict]:
    """What a result file has found, by the names of the requests; the reverse of `Record.write`."""
    known = {}
    for variant in content["variants"]:
        shared = {name: variant[name] for name in SHARED if name in variant}
        for entry in variant["search"]:
            known[entry["request"]] = {"machine": content["machine"]} | entry
        for entry in variant["runs"]:
            known[entry["request"]] = {"machine": content["machine"]} | shared | entry
    for name, found in known.items():
        known[name] = {k: v for k, v in found.items() if k not in ("request", "changes")}
    return known
