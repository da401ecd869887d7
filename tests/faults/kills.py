"""Runs that are ended from outside: SIGKILL at random times and at each call that changes names, and signals that ask;
and runs that are killed at random times and go on, to the bits of one that was left alone.

Between two renames SIGKILL leaves what is there. A folder without weights holds no model, for which nobody mistakes it.
"""

import json
import random
import shlex
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import harness
import syscalls
from harness import Case, Point, Tried, Unreached, Workplace

SEED = 15
NAMING = {
    "rename", "renameat", "renameat2", "unlink", "unlinkat", "rmdir", "mkdir", "mkdirat", "link", "linkat", "symlink",
    "symlinkat", "ftruncate"
}
ASKING = {"SIGTERM": 143, "SIGINT": 130, "SIGHUP": 129}
STEPS = 40


def changes_names(call: syscalls.Call) -> bool:
    return call.name in NAMING or call.name == "openat" and "O_CREAT" in call.text


def families(place: Workplace) -> list[dict[str, str]]:
    """What each start model shares with all that was trained from it."""
    return [harness.hashes(model, ("vocab.txt", "tokenizer_config.json")) for model in (place.model, place.other)]


def check_killed(place: Workplace, out: Path) -> list[str]:
    """Problems of an output folder after a kill: what is there under a final name is whole."""
    if not out.is_dir():
        return []
    problems = harness.check_files(place, out.parent)
    found = harness.hashes(out, harness.MODEL_FILES)
    if "model.safetensors" in found:
        why = place.why_not_loaded(out)
        if why:
            problems.append(f"a model that does not load: {why}")
        shared = {name: bits for name, bits in found.items() if name in ("vocab.txt", "tokenizer_config.json")}
        if not why and shared not in families(place):
            problems.append("a model of one run with a tokenizer of another")
    return problems


def start(place: Workplace, model: Path | str, seed: int) -> list[str]:
    return [
        str(place.program), *harness.train_arguments(model, place.data, "--max_steps", str(STEPS), "--seed", str(seed),
                                                     "--report=false", "--overwrite_output_dir")
    ]


def kill_after(command: list[str], room: Path, seconds: float, number: int) -> harness.Ran:
    """Runs a command, and sends it the signal after so many seconds."""
    process = subprocess.Popen(command,
                               cwd=room,
                               env=harness.ENVIRONMENT,
                               stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE,
                               start_new_session=True)
    begin = time.monotonic()
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(number)
        try:
            out, err = process.communicate(timeout=harness.HANG_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            return harness.Ran(None, "", err.decode(errors="replace"), time.monotonic() - begin)
    return harness.Ran(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"),
                       time.monotonic() - begin)


def whole_run(place: Workplace) -> float:
    """Seconds of an undisturbed run, the median of five."""
    seconds = []
    for _ in range(5):
        room = place.room()
        ran = harness.run(start(place, place.model, 1), room)
        if ran.code != 0:
            raise SystemExit(f"faults: undisturbed, train ends with {ran.code}: {ran.err}")
        seconds.append(ran.seconds)
        shutil.rmtree(room)
    return sorted(seconds)[2]


def series(place: Workplace, kills: int, seconds: float, seed: int, room: Path) -> Tried:
    """`kills` runs into one folder, each killed at a random time, and one that is left alone. Every second one starts
    from the newest checkpoint that is there, the others from one of the start models in turn."""
    draw = random.Random(seed)
    out = room / "out"
    problems: dict[str, int] = {}
    failed = finished = 0
    for i in range(kills):
        whole = [folder for folder in harness.checkpoints(out) if not place.why_not_loaded(folder)]
        model = f"out/{whole[-1].name}" if i % 2 == 1 and whole else (place.model, place.other)[i // 2 % 2]
        before = harness.holds_a_model(place, out)
        ran = kill_after(start(place, model, i + 1), room, draw.uniform(0, 1.1 * seconds), signal.SIGKILL)
        finished += ran.code == 0
        found = check_killed(place, out)
        if ran.code not in (0, -signal.SIGKILL):
            found.append(f"a run after a kill ends with {ran.code}: {harness.last_line(ran.err)}")
        if before and not harness.holds_a_model(place, out):
            found.append("no model is left anywhere where there had been one")
        failed += bool(found)
        for problem in map(harness.cause_of, found):
            problems[problem] = problems.get(problem, 0) + 1
    before = len(harness.leftovers(room))
    last = start(place, place.model, 1)
    ran = harness.run(last, room)
    found = check_killed(place, out)
    if ran.code != 0:
        found.append(f"the run after all kills ends with {ran.code}: {harness.last_line(ran.err)}")
    if harness.leftovers(room):
        found.append(f"left over by kills, after one more run: {len(harness.leftovers(room))} entries of {before}")
    texts = [f"{problem} ({count} of {kills} kills)" for problem, count in problems.items()] + found
    return Tried(texts, f"{shlex.join(last)} # after {kills} kills, {finished} of them too late", failed + bool(found))


# A run that does all that a run can do between two kills: it skims, averages its weights, is scored, saves, rotates,
# keeps the best model and takes it, and fits the threshold. Kills reach each of these.
RESUMED = ("--skim", "--skim_width", "4", "--logging_steps", "3", "--max_steps", "40", "--save_steps", "4", "--save_total_limit", "2",
           "--eval_strategy", "steps", "--eval_steps", "4", "--load_best_model_at_end", "--metric_for_best_model",
           "loss", "--ema_decay", "0.9", "--weight_decay", "0.01", "--report_to", "tensorboard")
TIMED = ("ms_per_step", "seconds", "runtime", "per_second", "time_speedup_padded", "time_speedup_unpadded")


def resumed_command(place: Workplace) -> list[str]:
    return [str(place.program), *harness.train_arguments(place.other, place.data, *RESUMED)]


def untimed(value: object) -> object:
    """JSON without what is measured anew each time."""
    if isinstance(value, dict):
        return {key: untimed(part) for key, part in value.items() if not key.endswith(TIMED)}
    return [untimed(part) for part in value] if isinstance(value, list) else value


def outcome(out: Path) -> dict[str, object]:
    """All that a finished run came to: each file's bits, and of JSON the numbers that are not times."""
    found: dict[str, object] = {}
    for file in harness.files_of(out):
        name = str(file.relative_to(out))
        if name in ("run.json", "report.html", "speed_results.json", "metrics.jsonl") or name.startswith("runs/"):
            continue
        found[name] = untimed(json.loads(file.read_text())) if file.suffix == ".json" else harness.digest(file)
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    found["metrics.jsonl"] = untimed(rows)
    return found


class Undisturbed:
    """What the run comes to that is left alone, and its seconds; made when it is first asked for."""

    def __init__(self, place: Workplace):
        self.place = place
        self.lock = threading.Lock()
        self.outcome: dict[str, object] = {}
        self.seconds = 0.0

    def get(self) -> "Undisturbed":
        with self.lock:
            if not self.outcome:
                room = self.place.room()
                ran = harness.run(resumed_command(self.place), room)
                if ran.code != 0:
                    raise RuntimeError(f"undisturbed, the run to be resumed ends with {ran.code}: {ran.err}")
                self.outcome, self.seconds = outcome(room / "out"), ran.seconds
                shutil.rmtree(room)
        return self


def is_finished(out: Path) -> bool:
    """Whether its run has come to its end: a kill may find it there, on its way out."""
    return (out / "run.json").exists() and "finished" in json.loads((out / "run.json").read_text())


newest_at_kill: list[str] = []  # for each kill that came in time: the newest checkpoint that it left


def notes() -> list[str]:
    with_one = sum(name != "none" for name in newest_at_kill)
    return [f"runs that go on: killed {len(newest_at_kill)} times before their end, {with_one} of them with a checkpoint "
            f"({len(set(newest_at_kill) - {'none'})} different ones)"] if newest_at_kill else []


def resumed(place: Workplace, whole: Undisturbed, kills: int, seed: int, room: Path) -> Tried:
    """One run that is killed `kills` times at random and started again each time by the same command. After each kill
    what is there is whole; the run that then ends by itself comes to what the undisturbed one does."""
    expected = whole.get()
    draw = random.Random(seed)
    command = resumed_command(place)
    problems: list[str] = []
    finished = False
    for _ in range(kills):
        ran = kill_after(command, room, draw.uniform(0, 0.8 * expected.seconds), signal.SIGKILL)
        finished = ran.code == 0 or is_finished(room / "out")
        if not finished:
            there = harness.checkpoints(room / "out")
            newest_at_kill.append(there[-1].name if there else "none")
        problems += check_killed(place, room / "out")
        if ran.code not in (0, -signal.SIGKILL):
            problems.append(f"a run that is to go on ends with {ran.code}: {harness.last_line(ran.err)}")
        if finished:
            break
    if not finished:
        ran = harness.run(command, room)
        if ran.code != 0:
            problems.append(f"the run after the last kill ends with {ran.code}: {harness.last_line(ran.err)}")
    problems = harness.problems_at_end(problems, room, outcome, expected.outcome)
    return Tried(problems, f"{shlex.join(command)} # killed up to {kills} times, seed {seed}", kills)


def kill_at_call(place: Workplace, preload: Path, case: Case, call: syscalls.Call, room: Path) -> Tried:
    harness.enter(case, room)
    log = room.with_suffix(".trace")
    options = ["-e", f"trace={call.name}", "-e", f"inject={call.name}:signal=KILL:when={call.number}"]
    command = syscalls.traced(place, preload, log, options, case)
    ran = harness.run(command, room)
    log.unlink(missing_ok=True)
    if ran.code == 0:
        raise Unreached
    out = room / "out"
    problems = harness.check_files(place, room)
    if case.trains:
        found = harness.hashes(out, harness.MODEL_FILES)
        if "model.safetensors" in found and found not in (case.old_model, case.new_model):
            why = place.why_not_loaded(out)
            problems.append(f"a model that is neither the old nor the new one{': ' + why if why else ', and it loads'}")
        if case.old_model and not harness.holds_a_model(place, out):
            problems.append("no model is left anywhere where there had been one")
        problems += harness.run_again(place, room)
    elif out.is_dir():
        found = hashes_of(out)
        if (found.keys() -
                case_files(case)) or "model.safetensors" in case_files(case) and found.keys() != case_files(case):
            problems.append(f"part of an output: {', '.join(sorted(found))}")
    return Tried(problems, shlex.join(command))


def hashes_of(folder: Path) -> dict[str, str]:
    return harness.hashes(folder, [path.name for path in folder.iterdir() if ".tmp-" not in path.name])


def case_files(case: Case) -> set[str]:
    return {name.removeprefix("out/") for name in case.files}


def check_asked(place: Workplace, case: Case, ran: harness.Ran, name: str, room: Path, started: bool) -> list[str]:
    """Problems of a run that was asked to stop: it says so in a line, and training leaves what it learnt."""
    problems = harness.check_end(ran, (0, ASKING[name]))
    if ran.code == -signal.Signals[name] and not started:
        problems = []  # before main could ask for the signal
    if ran.code == ASKING[name]:
        said = [line for line in ran.err.splitlines() if line.startswith("stopped by a signal")
               ]  # and where the checkpoint is
        problems += harness.check_line(ran.err, case.ordinary | set(map(harness.shape, said)))
        steps = "\nstep " in ran.err
        if case.trains and steps and not any(not place.why_not_loaded(folder)
                                             for folder in harness.checkpoints(room / "out")):
            problems.append("no checkpoint is left of what was learnt")
    if ran.code == 0:
        problems += harness.check_results(case, ran, room)
    elif case.trains:
        problems += harness.check_failure(place, case, room)
    problems += harness.check_files(place, room)
    if harness.leftovers(room):
        problems.append(f"left over after {name}")
    return problems


def has_begun(ran: harness.Ran) -> bool:
    """Whether it has said anything of its own: that it starts again with other BLAS kernels comes before the start."""
    return any(not line.startswith("warning: BLAS chose its ") for line in ran.err.splitlines())


def ask_at_call(place: Workplace, preload: Path, case: Case, call: syscalls.Call, name: str, room: Path) -> Tried:
    harness.enter(case, room)
    log = room.with_suffix(".trace")
    options = ["-e", f"trace={call.name}", "-e", f"inject={call.name}:signal={name}:when={call.number}"]
    command = syscalls.traced(place, preload, log, options, case)
    ran = harness.run(command, room)
    log.unlink(missing_ok=True)
    return Tried(check_asked(place, case, ran, name, room, started=True), shlex.join(command))


def ask_after(place: Workplace, case: Case, name: str, seconds: float, room: Path) -> Tried:
    harness.enter(case, room)
    command = [str(place.program), *case.arguments]
    ran = kill_after(command, room, seconds, signal.Signals[name])
    return Tried(check_asked(place, case, ran, name, room, has_begun(ran)),
                 f"{shlex.join(command)} # {name} after {seconds:.3f} s")


def points(place: Workplace, preload: Path, cases: dict[str, Case], bounded: bool, kills: int,
           resumes: int) -> list[Point]:
    seconds = whole_run(place)
    share = min(kills, 25) if bounded else kills
    result = [Point("kills/random", lambda room: series(place, share, seconds, SEED, room), share + 1)]
    whole = Undisturbed(place)
    for i in range(4 if bounded else resumes):
        times = 1 + i % 3
        result.append(
            Point(f"kills/resumed/{i}", lambda room, i=i, times=times: resumed(place, whole, times, SEED + i, room),
                  times))
    draw = random.Random(SEED)
    for case in cases.values():
        if case.name in ("demo", "threads", "eval", "inspect",
                         "verify"):  # which write nothing, or by the same code as train
            continue
        if harness.run_undisturbed(place, case):
            result.append(harness.undisturbed_point("kills", case))
            continue
        calls = [call for call in syscalls.record(place, preload, case) if changes_names(call)]
        for call in harness.spread(calls, 8) if bounded else calls:
            result.append(
                Point(f"kills/{case.name}/SIGKILL/{call.name}/{call.number}",
                      lambda room, case=case, call=call: kill_at_call(place, preload, case, call, room)))
        for name in ASKING:
            for call in harness.spread(calls, 3 if bounded else 40):
                result.append(
                    Point(f"kills/{case.name}/{name}/{call.name}/{call.number}",
                          lambda room, case=case, call=call, name=name: ask_at_call(place, preload, case, call, name,
                                                                                    room)))
            for i in range(2 if bounded else 20):
                after = draw.uniform(0, 1.1 * case.ran.seconds)
                result.append(
                    Point(f"kills/{case.name}/{name}/time/{i}",
                          lambda room, case=case, name=name, after=after: ask_after(place, case, name, after, room)))
    return result
