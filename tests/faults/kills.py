"""Runs that are ended from outside: SIGKILL at random times and at each call that changes names, and signals that ask.

Between two renames SIGKILL leaves what is there. A folder without weights holds no model, for which nobody mistakes it.
"""

import random
import shlex
import shutil
import signal
import subprocess
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


def points(place: Workplace, preload: Path, cases: dict[str, Case], bounded: bool, kills: int) -> list[Point]:
    seconds = whole_run(place)
    share = min(kills, 25) if bounded else kills
    result = [Point("kills/random", lambda room: series(place, share, seconds, SEED, room), share + 1)]
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
