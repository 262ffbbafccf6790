"""A refresh killed at any moment keeps the current model, and the next one cleans up."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from learning import by_model
from rounds import rounds

from twotower.community import Community, queries
from twotower.community.model_registry import ModelRegistry
from twotower.community.queries import active_model
from twotower.matching.matcher import Matcher

ROUNDS = rounds(5, 100)
# Imports all, then for each line on stdin tells the id of a process of its own that refreshes.
PROGRAM = """
import os, sys
import torch
torch.set_num_threads(1)
from pathlib import Path
from learning import quick_map, shaken
from twotower.bundle import shipped
from twotower.retrieval import projection
from twotower.retraining.refresh import refresh
from twotower.core.settings import Settings

projection.fit_map, shipped.PAIRS = quick_map, 2000
settings = Settings(Path(sys.argv[1]) / "none", Path(sys.argv[2]), sys.argv[3])
print("ready", flush=True)
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        try:
            strength = 1e-4 * (1 + int(line))
            outcome = refresh(settings, train=lambda e, _: shaken(e, strength))
            print("done", outcome.model, flush=True)
        finally:
            os._exit(0)
    print(child, flush=True)
    os.waitpid(child, 0)
    print("ended", flush=True)
"""


def test_a_killed_refresh_keeps_the_current_model_and_the_next_one_cleans_up(settings, tmp_path):
    tests = Path(__file__).parents[1]
    path = f"{tests.parent}:{tests / 'helpers'}"
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path), str(settings.assets), settings.community],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=tests.parent,
        env={
            **os.environ,
            "PYTHONPATH": path,
            "OMP_NUM_THREADS": "1",
        },
    )

    def say(number: int) -> int:
        program.stdin.write(f"{number}\n")
        program.stdin.flush()
        return int(program.stdout.readline())

    def hear_to_the_end() -> list[str]:
        heard = []
        while (line := program.stdout.readline().strip()) != "ended":
            assert line
            heard.append(line)
        return heard

    try:
        assert program.stdout.readline().strip() == "ready"
        began = time.monotonic()
        say(0)
        assert hear_to_the_end()[-1].startswith("done")
        takes = time.monotonic() - began
        drawn = random.Random(7)
        finished = 0
        for number in range(1, ROUNDS + 1):
            child = say(number)
            time.sleep(drawn.uniform(0.05, 1.0) * takes)
            with suppress(ProcessLookupError):  # it was quicker
                os.kill(child, signal.SIGKILL)
            finished += any(line.startswith("done") for line in hear_to_the_end())
            community = Community.open(settings.community, model_version="")
            name = active_model(community)
            everyone = queries.stats(community)["listeners"]
            assert by_model(settings)[name] == everyone, "the served model lacks somebody's vectors"
            community.close()
            matcher = Matcher.load(settings)
            assert matcher.version == name and len(matcher.snapshot()) == everyone
            matcher.community.close()
        assert finished < ROUNDS
        say(ROUNDS + 1)
        assert hear_to_the_end()[-1].startswith("done")
    finally:
        program.stdin.close()
        program.wait(30)
        program.stdout.close()
    registry = ModelRegistry.of(settings)
    community = Community.open(settings.community, model_version="")
    served = active_model(community)
    assert set(registry.names()) == {served, registry.previous_of(served)}
    assert set(by_model(settings)) == {served, registry.previous_of(served)}
    assert not registry.work.exists()
