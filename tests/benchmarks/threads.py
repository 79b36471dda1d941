"""Two trainings at once on one machine: what idle threads that spin cost, and what helps.

`python tests/benchmarks/threads.py [--seconds 20] [--json FILE]` trains the image network on random
pictures, alone and beside a second process that does the same, under several settings of OpenMP,
and prints batches a second. Settings take turns, so that a busy machine harms all alike. Shared
fairly, each of two trainings gets half of what one gets alone.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import pandas as pd

SETTINGS = {
    "as the library comes": {"OMP_WAIT_POLICY": "", "IMPORT_FIRST": "torch"},
    "as avlib sets it": {"OMP_WAIT_POLICY": "", "IMPORT_FIRST": "avlib"},
    "waiting asleep": {"OMP_WAIT_POLICY": "PASSIVE"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
TURNS = 3


def train(seconds: float) -> None:
    """Train for a while, and print how many batches a second went by."""
    import_module(os.environ.get("IMPORT_FIRST", "torch"))  # OpenMP reads its setting once
    import torch

    from avlib.learning import networks, training

    network = networks.seeded(networks.ImageNetwork, (64, 128, 3), seed=0)
    network.to(memory_format=torch.channels_last)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    picture = torch.rand(64, 64, 128, 3).permute(0, 3, 1, 2)
    label = torch.arange(64) % 8
    batches, begun = 0, None
    while begun is None or time.perf_counter() - begun < seconds:
        optimiser.zero_grad()
        sum(training.losses(network(None, picture), label).values()).backward()
        optimiser.step()
        if begun is None:  # the first batch warms up
            begun = time.perf_counter()
        else:
            batches += 1
    print(batches / (time.perf_counter() - begun))


def beside(setting: dict[str, str], processes: int, seconds: float) -> list[float]:
    """Batches a second of so many trainings at once."""
    environment = {
        name: value
        for name, value in (os.environ | setting).items()
        if value or name not in setting
    }
    command = [sys.executable, __file__, "--train", "--seconds", str(seconds)]
    started = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    return [float(process.communicate()[0]) for process in started]


def main() -> None:
    """Measure every setting, in turns, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="of each training (default 10)")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--train", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.train:
        return train(options.seconds)
    rows = [
        {"setting": name, "trainings at once": processes, "batches a second": rate}
        for _ in range(TURNS)
        for name, setting in SETTINGS.items()
        for processes in (1, 2)
        for rate in beside(setting, processes, options.seconds)
    ]
    table = pd.DataFrame(rows).pivot_table(
        index="setting", columns="trainings at once", values="batches a second", aggfunc="median"
    )
    print(table.reindex(list(SETTINGS)).round(2).to_string())
    if options.json:
        medians = table.stack().rename("batches a second, each").reset_index().to_dict("records")
        options.json.write_text(json.dumps({"rows": medians}, indent=1) + "\n")


if __name__ == "__main__":
    main()
