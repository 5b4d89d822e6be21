"""The state of a training run in one file, so that an interrupted one goes on where it was. Used by training."""

import dataclasses
import io
import json
import os
from pathlib import Path

import numpy as np


class Checkpoint:
    """One file: weights, momentum, dropout's random state, history, and whose it is."""

    def __init__(self, path, recipe, epochs, dataset, network, variables):
        self.path, self.epochs, self.variables = path and Path(path), epochs, variables
        # All that must agree for a training to be continued. At a constant learning rate epochs may be added later.
        length = None if recipe.schedule == "constant" else epochs
        self.identity = dataclasses.asdict(recipe) | {"epochs": length, "data set": path and dataset.digest()}
        self.identity["layers"] = network  # runs.digest

    def restore(self):
        if not (self.path and self.path.exists()):
            return None
        self.path.with_suffix(".new").unlink(missing_ok=True)  # left by a process that was killed while it wrote
        try:
            with np.load(self.path) as kept:
                note = json.loads(str(kept["note"]))
                values = [kept[f"v{number}"] for number in range(len(self.variables))]
        except Exception as error:  # a damaged file can raise anything
            raise ValueError(f"{self.path} is not a complete checkpoint ({error}); delete it to start again") from None
        if note["identity"] != self.identity:
            keys = [key for key, value in self.identity.items() if note["identity"].get(key) != value]
            raise ValueError(
                f"{self.path} belongs to another recipe, data set or network ({', '.join(keys)} differ); delete it to start "
                "again"
            )
        done = len(note["history"]["loss"])
        if done > self.epochs:
            raise ValueError(
                f"{self.path} holds {done} epochs already, epochs={self.epochs} were asked for; ask for {done} or more, or "
                "delete it to start again"
            )
        for variable, value in zip(self.variables, values, strict=True):
            variable.assign(value)
        return note["history"]

    def write(self, history):
        if not self.path:
            return
        note = json.dumps({"identity": self.identity, "history": history})
        memory = io.BytesIO()
        np.savez(memory, note=np.array(note), **{f"v{i}": value.numpy() for i, value in enumerate(self.variables)})
        beside = self.path.with_suffix(".new")
        try:
            beside.write_bytes(memory.getvalue())
            os.replace(beside, self.path)
        except OSError:  # a full disk: the checkpoint of the epoch before stays
            beside.unlink(missing_ok=True)
            raise
