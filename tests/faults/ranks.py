"""Runs of several ranks of which one is killed at a random step, each rank in its turn; the others end with a line that
names it, and other numbers of ranks go on to the bits of one process that was left alone."""

import json
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path

import harness
import kills
from harness import Point, Tried, Workplace

SEED = 21
STEPS = 120
MOST_RANKS = 4
PER_RUN = (1, 2, 3)  # kills of one run, in turn
TRAINING = (*kills.RESUMED, "--max_steps", str(STEPS), "--logging_steps", "1", "--save_steps", "8", "--eval_steps", "24",
            "--micro_batches", "8", "--rank_timeout", "20")


def has_mpirun(program: Path) -> bool:
    build = subprocess.run([str(program), "--build_info"], capture_output=True, text=True).stdout
    return shutil.which("mpirun") is not None and re.search(r"^ranks\s.*\bmpi\b", build, re.MULTILINE) is not None


def command_of(place: Workplace, ranks: int) -> list[str]:
    training = [str(place.program), *harness.train_arguments(place.other, place.data, *TRAINING)]
    if ranks == 1:
        return training
    return ["mpirun", "--oversubscribe", "--allow-run-as-root", "--bind-to", "none", "-n", str(ranks), "sh", "-c",
            'echo $$ > "pid-$OMPI_COMM_WORLD_RANK"; exec "$@"', "sh", *training]


def steps_taken(out: Path) -> int:
    """The last step that the log has."""
    try:
        lines = (out / "metrics.jsonl").read_text().split("\n")
        return json.loads(lines[-2])["step"] if len(lines) > 1 else 0
    except OSError:
        return 0


def outcome(out: Path) -> dict[str, object]:
    """What a run came to, without what is only said of several ranks and without what each rank computes for itself."""
    def without(value: object) -> object:
        if not isinstance(value, dict):
            return [without(part) for part in value] if isinstance(value, list) else value
        return {key: without(part) for key, part in value.items()
                if not key.startswith("rank") and "executed_mac" not in key}
    return {name: without(value) for name, value in kills.outcome(out).items()}


class Undisturbed(kills.Undisturbed):
    """One process with as many micro-batches."""

    def get(self) -> "Undisturbed":
        with self.lock:
            if not self.outcome:
                room = self.place.room()
                ran = harness.run(command_of(self.place, 1), room)
                if ran.code != 0:
                    raise RuntimeError(f"undisturbed, the run of one process ends with {ran.code}: {ran.err}")
                self.outcome = outcome(room / "out")
                shutil.rmtree(room)
        return self


killed_at: list[tuple[int, int, int]] = []  # rank, ranks, step


def notes() -> list[str]:
    ranks = {f"{rank} of {ranks}" for rank, ranks, _ in killed_at}
    return [f"killed {len(killed_at)} times: ranks {', '.join(sorted(ranks))}; after steps "
            f"{', '.join(str(step) for step in sorted(step for *_, step in killed_at))}"] if killed_at else []


def kill_at_step(place: Workplace, ranks: int, room: Path, rank: int, step: int, delay: float) -> harness.Ran:
    """Runs so many ranks, and kills one of them so many seconds after the log has a step."""
    begin = time.monotonic()
    for file in room.glob("pid-*"):
        file.unlink()
    with open(room / "said", "w+") as said:
        process = subprocess.Popen(command_of(place, ranks), cwd=room, env=harness.ENVIRONMENT, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=said, start_new_session=True)
        while process.poll() is None and steps_taken(room / "out") < step:
            time.sleep(0.002)
        time.sleep(delay)
        pid = room / f"pid-{rank}"
        if process.poll() is None and pid.exists():
            os.kill(int(pid.read_text()), signal.SIGKILL)
            killed_at.append((rank, ranks, steps_taken(room / "out")))
        try:
            code = process.wait(timeout=harness.HANG_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            code = None
            process.wait()
        said.seek(0)
        return harness.Ran(code, "", said.read(), time.monotonic() - begin)


def killed(place: Workplace, whole: Undisturbed, number: int, room: Path) -> Tried:
    """A run of which PER_RUN times a rank is killed, and that other numbers of ranks go on with."""
    expected = whole.get()
    draw = random.Random(SEED + number)
    problems: list[str] = []
    times = PER_RUN[number % len(PER_RUN)]
    least = 1
    for i in range(times):
        ranks = draw.randint(2, MOST_RANKS)
        rank = (number + i) % ranks
        step = draw.randint(least, STEPS - (times - 1 - i) * STEPS // 4 - 4)
        ran = kill_at_step(place, ranks, room, rank, step, draw.uniform(0, 0.02))
        problems += kills.check_killed(place, room / "out")
        if ran.code is None:
            problems.append("the other ranks hang")
        if ran.code == 0:
            break
        if f"process rank {rank}" not in ran.err:
            problems.append(f"no line names rank {rank}: {harness.last_line(ran.err)}")
        least = min(steps_taken(room / "out"), STEPS - 8)
    last = command_of(place, draw.randint(1, MOST_RANKS))
    ran = harness.run(last, room)
    if ran.code != 0:
        problems.append(f"the run after the last kill ends with {ran.code}: {harness.last_line(ran.err)}")
    problems = harness.problems_at_end(problems, room, outcome, expected.outcome)
    return Tried(problems, f"{shlex.join(last)} # after {times} kills, seed {SEED + number}", times)


def points(place: Workplace, bounded: bool, runs: int) -> list[Point]:
    whole = Undisturbed(place)
    return [Point(f"ranks/killed/{i}", lambda room, i=i: killed(place, whole, i, room), PER_RUN[i % len(PER_RUN)])
            for i in range(3 if bounded else runs)]
