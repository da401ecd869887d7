"""What all parts share: a tiny model and its data, runs of the program, and what must hold after each of them."""

import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import struct
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Iterable

HANG_SECONDS = 60.0  # --timeout changes it
LONGEST_LINE = 400

# No variable of the caller's may change what a run does.
ENVIRONMENT = {
    "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": "/", "LANG": "C.UTF-8", "OMP_WAIT_POLICY": "passive"
}

MODEL_FILES = ("config.json", "model.safetensors", "vocab.txt", "tokenizer_config.json")
RUN_FILES = ("run.json", "trainer_state.json", "train_results.json", "eval_results.json", "speed_results.json",
             "all_results.json", "report.html")
CHECKPOINT_FILES = MODEL_FILES + ("optimizer.safetensors", "trainer_state.json")

# Words of the standard library and of other libraries, which say nothing to whoever runs the program.
FOREIGN_WORDS = ("filesystem error", "basic_ios", "basic_filebuf", "std::", "json.exception", "terminate called",
                 "what():", "iostream", "vector::", "basic_string", "map::at", "bad_alloc", "bad_function_call")


@dataclass
class Ran:
    code: int | None  # minus the signal's number where a signal ended it; None: it hung
    out: str
    err: str
    seconds: float


def run(command: list[str], folder: Path, variables: dict[str, str] | None = None, patience: float = 1) -> Ran:
    """Runs a command; after `patience` times the time for a hang it is killed."""
    begin = time.monotonic()
    process = subprocess.Popen(command,
                               cwd=folder,
                               env=ENVIRONMENT | (variables or {}),
                               stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE,
                               start_new_session=True)
    try:
        out, err = process.communicate(timeout=patience * HANG_SECONDS)
        code = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        code = None
    return Ran(code, out.decode(errors="replace"), err.decode(errors="replace"), time.monotonic() - begin)


# The tiny model and its data.

TOKENS = "[PAD] [UNK] [CLS] [SEP] [MASK] the plot music cast story was fine dull and long new fil ##m".split()
CONFIG = {
    "model_type": "bert", "vocab_size": len(TOKENS), "hidden_size": 16, "num_hidden_layers": 3,
    "num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 40
}


def review(i: int, good: bool) -> str:
    noun = ("plot", "music", "cast", "story")[i % 4]
    return f"the {noun} was {'fine' if good else 'dull'} and {'long' if i % 3 == 0 else 'new'}"


def write_sst2(folder: Path) -> None:
    folder.mkdir(parents=True)
    rows = {
        "train": "".join(f"{review(i, i % 2 == 1)}\t{i % 2}\n" for i in range(32)),
        "dev": "".join(f"{review(i, i % 2 == 1)} film\t{i % 2}\n" for i in range(10)),
        "test": "".join(f"{i}\t{review(i, i % 2 == 1)}\n" for i in range(5))
    }
    for split, text in rows.items():
        (folder / f"{split}.tsv").write_text(("index\tsentence\n" if split == "test" else "sentence\tlabel\n") + text)


def write_wnli(folder: Path) -> None:
    """As many rows as the official files have, so that `glue verify` finds nothing wrong."""
    folder.mkdir(parents=True)
    for split, rows in {"train": 635, "dev": 71, "test": 146}.items():
        labels = split != "test"
        text = "index\tsentence1\tsentence2" + ("\tlabel\n" if labels else "\n")
        for i in range(rows):
            text += f"{i}\t{review(i, True)}\t{review(i, False)}" + (f"\t{i % 2}\n" if labels else "\n")
        (folder / f"{split}.tsv").write_text(text)


COMPUTING = ("--threads", "1", "--device", "cpu")  # one thread, so that the calls come in the same order each time


def train_arguments(model: Path | str, data: Path, *more: str) -> list[str]:
    return [
        "train", "--task_name", "sst2", "--data_dir",
        str(data), "--model_name_or_path",
        str(model), "--output_dir", "out", "--max_steps", "6", "--per_device_train_batch_size", "8", "--logging_steps",
        "2", "--save_steps", "2", "--save_total_limit", "1", *COMPUTING, *more
    ]


class Workplace:
    """A folder with inputs that all runs share and a folder of its own for each run.

    There are two start models, of different sizes and vocabularies, so that files of two runs in one folder do not
    fit together.
    """

    def __init__(self, root: Path, program: Path):
        self.root = root
        self.program = program
        self.inputs = root / "inputs"
        self.data = self.inputs / "data"
        self.model = self.inputs / "model"
        self.other = self.inputs / "other"
        self.verified = self.inputs / "verified"
        self._loads: dict[str, str] = {}
        self._lock = threading.Lock()
        self._rooms = 0
        write_sst2(self.data / "SST-2")
        write_wnli(self.verified / "WNLI")
        self.make_model(self.model, TOKENS, 16)
        self.make_model(self.other, TOKENS + ["film", "other"], 24)

    def make_model(self, folder: Path, tokens: list[str], hidden: int) -> None:
        vocabulary = self.inputs / f"{folder.name}.txt"
        vocabulary.write_text("\n".join(tokens) + "\n")
        config = self.inputs / f"{folder.name}.json"
        config.write_text(
            json.dumps(CONFIG | {"vocab_size": len(tokens), "hidden_size": hidden, "intermediate_size": 2 * hidden}))
        self.must("init", str(folder), "--config", str(config), "--vocab", str(vocabulary))

    def must(self, *arguments: str, folder: Path | None = None) -> Ran:
        """Runs the program undisturbed."""
        ran = run([str(self.program), *arguments], folder or self.root)
        if ran.code != 0:
            raise SystemExit(
                f"faults: undisturbed, `{shlex.join(['transkimmer', *arguments])}` ends with {ran.code}: {ran.err}")
        return ran

    def room(self) -> Path:
        with self._lock:
            self._rooms += 1
            room = self.root / f"room-{self._rooms:06}"
        room.mkdir()
        return room

    def why_not_loaded(self, folder: Path) -> str:
        """What `eval` says of a model folder, empty where it loads; asked once for equal files."""
        key = repr(sorted(hashes(folder, MODEL_FILES).items()))
        with self._lock:
            if key in self._loads:
                return self._loads[key]
        ran = run([
            str(self.program), "eval", "--task_name", "sst2", "--data_dir",
            str(self.data), "--model_name_or_path",
            str(folder), "--speed_samples", "0", *COMPUTING
        ], self.root)
        said = "" if ran.code == 0 else f"exit code {ran.code}: {last_line(ran.err)}".replace(str(folder), folder.name)
        with self._lock:
            self._loads[key] = said
        return said


# What must hold of files.


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]


def hashes(folder: Path, names: Iterable[str]) -> dict[str, str]:
    return {name: digest(folder / name) for name in names if (folder / name).is_file()}


def ends_with_a_record(data: bytes) -> bool:
    """Whether records of TFRecord fill the bytes: length, its CRC, that many bytes, their CRC."""
    at = 0
    while at + 12 <= len(data):
        at += 16 + struct.unpack_from("<Q", data, at)[0]
    return at == len(data)


def why_not_whole(file: Path) -> str:
    """What is wrong with a file's end or its text, empty where it is whole."""
    data = file.read_bytes()
    try:
        if file.suffix == ".safetensors":
            length = struct.unpack("<Q", data[:8])[0]
            entries = json.loads(data[8:8 + length])
            ends = [entry["data_offsets"][1] for name, entry in entries.items() if name != "__metadata__"]
            return "" if 8 + length + max(ends, default=0) == len(data) else "cut"
        if file.suffix == ".json":
            json.loads(data)
        elif file.suffix == ".jsonl":
            for line in data.splitlines():
                json.loads(line)
            return "" if not data or data.endswith(b"\n") else "ends within a line"
        elif ".tfevents." in file.name:
            return "" if ends_with_a_record(data) else "ends within a record"
        elif file.suffix == ".html":
            return "" if b"</html>" in data else "cut"
        else:
            return "" if not data or data.endswith(b"\n") else "ends within a line"
    except (ValueError, struct.error, KeyError) as error:
        return f"does not parse ({type(error).__name__})"
    return ""


def files_of(room: Path) -> list[Path]:
    return sorted(path for path in room.rglob("*") if path.is_file())


def leftovers(room: Path) -> list[Path]:
    return sorted(path for path in room.rglob("*") if ".tmp-" in path.name and ".tmp-" not in path.parent.name)


def problems_at_end(problems: list[str], room: Path, outcome, expected: dict[str, object]) -> list[str]:
    """Those so far, and what is left over in the room; where there is none, what outcome(out) has that is not expected."""
    if leftovers(room):
        problems = [*problems, "left over at the end"]
    if problems:
        return problems
    found = outcome(room / "out")
    different = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
    return [f"gone on to other bits in {', '.join(different)}"] if different else []


def checkpoints(folder: Path) -> list[Path]:
    found = [
        path for path in folder.glob("checkpoint-*") if re.fullmatch(r"checkpoint-\d+", path.name) and path.is_dir()
    ]
    return sorted(found, key=lambda path: int(path.name.rpartition("-")[2]))


def check_files(place: Workplace, room: Path) -> list[str]:
    """Problems of files under their final names: each is whole, each checkpoint has all its files and loads."""
    problems = []
    for file in files_of(room):
        if ".tmp-" in str(file.relative_to(room)):
            continue
        why = why_not_whole(file)
        if why:
            problems.append(f"half a file: {file.relative_to(room)} {why}")
    for folder in (path for out in [room, *room.iterdir()] if out.is_dir() for path in checkpoints(out)):
        missing = [name for name in CHECKPOINT_FILES if not (folder / name).is_file()]
        why = f"without {', '.join(missing)}" if missing else place.why_not_loaded(folder)
        if why:
            problems.append(f"half a checkpoint: {folder.name} {why}")
    return problems


def check_model(place: Workplace, folder: Path, allowed: list[dict[str, str]]) -> list[str]:
    """Problems of a model in an output folder: it is one of `allowed` as a whole, or there is none of its files."""
    found = hashes(folder, MODEL_FILES)
    if not found or found in allowed:
        return []
    if "model.safetensors" not in found:
        return [f"part of a model: {', '.join(found)} without weights"]
    why = place.why_not_loaded(folder)
    return [f"a model that is neither the old nor the new one{': ' + why if why else ', and it loads'}"]


def holds_a_model(place: Workplace, folder: Path) -> bool:
    """Whether a model that loads lies anywhere below the folder, be it in a checkpoint or set aside."""
    return any(not place.why_not_loaded(weights.parent) for weights in folder.rglob("model.safetensors"))


# What must hold of what is said.


def last_line(text: str) -> str:
    lines = text.rstrip("\n").split("\n")
    return lines[-1] if lines else ""


def shape(line: str) -> str:
    """A line without its figures and the blanks that align them."""
    return " ".join(re.sub(r"(?<!\w)[-+]?\d[\d.:,]*(e[-+]?\d+)?|\bnan\b|\binf\b", " # ", line).split())


def check_line(err: str, ordinary: set[str]) -> list[str]:
    """Problems of what a failing run said on standard error, beside the lines of one that succeeds."""
    last = last_line(err)
    problems = []
    if not last or shape(last) in ordinary or last.startswith("warning:"):
        return ["no line says what went wrong"]
    if not err.endswith("\n"):
        problems.append("the last line is not ended")
    if len(last.encode()) > LONGEST_LINE:
        problems.append(f"a line of {len(last.encode())} bytes")
    foreign = next((word for word in FOREIGN_WORDS if word in last), None)
    if foreign:
        problems.append(f"in a library's words: {last[:200]}")
    others = [
        line for line in err.splitlines() if line and shape(line) not in ordinary and not line.startswith("warning:")
    ]
    if len(others) > 1:
        problems.append(f"more than one line: {' / '.join(others)[:200]}")
    return problems


def check_end(ran: Ran, codes: tuple[int, ...]) -> list[str]:
    """Problems of how a run ended."""
    if ran.code is None:
        return ["hangs"]
    if ran.code < 0 or ran.code >= 128 and ran.code not in codes:
        number = -ran.code if ran.code < 0 else ran.code - 128
        name = signal.Signals(number).name if number in list(signal.Signals) else str(number)
        return [f"ended by {name}: {last_line(ran.err)[:200]}"]
    return [] if ran.code in codes else [f"exit code {ran.code}: {last_line(ran.err)[:200]}"]


# The commands in which faults are tried.


@dataclass
class Case:
    name: str
    arguments: list[str]
    earlier: Path | None = None  # what lies in the room before the run
    trains: bool = False
    reports_on_stdout: bool = False  # a problem is a row of its table
    calls: tuple[str, ...] = ()  # only these are tried
    # From the undisturbed run:
    ran: Ran | None = None
    problems: list[str] = field(default_factory=list)
    files: set[str] = field(default_factory=set)
    bits: dict[str, str] = field(default_factory=dict)
    new_model: dict[str, str] = field(default_factory=dict)
    old_model: dict[str, str] = field(default_factory=dict)
    old_run: dict[str, str] = field(default_factory=dict)

    @property
    def ordinary(self) -> set[str]:
        return {shape(line) for line in self.ran.err.splitlines()}


# Files whose bits are the same in every run.
STABLE = re.compile(r"(\.safetensors|vocab\.txt|[^.]config\.json|/config\.json|\.tsv|predict_results.*\.txt)$")


def enter(case: Case, room: Path) -> None:
    if case.earlier:
        shutil.copytree(case.earlier, room, dirs_exist_ok=True)


def make_cases(place: Workplace) -> dict[str, Case]:
    earlier = place.root / "earlier"
    earlier_on = place.root / "earlier-on"
    for folder, model in ((earlier, place.other), (earlier_on, place.model)):
        folder.mkdir()
        place.must(*train_arguments(model, place.data, "--seed", "7"), folder=folder)
    task = ["--task_name", "sst2", "--data_dir", str(place.data), "--model_name_or_path"]
    trained = str(earlier_on / "out")
    cases = [
        Case("train", train_arguments(place.model, place.data), trains=True),
        Case("overwrite", train_arguments(place.model, place.data, "--overwrite_output_dir"), earlier, trains=True),
        Case("train-on",
             train_arguments("out/checkpoint-4", place.data, "--overwrite_output_dir"),
             earlier_on,
             trains=True),
        Case("threads", [*train_arguments(place.model, place.data), "--threads", "2"],
             trains=True,
             calls=("clone3", "clone", "mmap", "mprotect", "madvise", "sched_setaffinity")),
        Case("predict", ["predict", *task, trained, "--output_dir", "out", "--write_logits", *COMPUTING]),
        Case("eval", ["eval", *task, trained, "--speed_samples", "4", *COMPUTING]),
        Case("convert", ["convert", trained, "out", "--dtype", "bfloat16"]),
        Case("init",
             ["init", "out", "--config",
              str(place.inputs / "model.json"), "--vocab",
              str(place.inputs / "model.txt")]),
        Case("inspect", ["inspect", trained]),
        Case("verify", ["glue", "verify", "--data_dir", str(place.verified)], reports_on_stdout=True),
        Case("demo", ["demo", "--output_dir", "out", *COMPUTING], trains=True),
    ]
    return {case.name: case for case in cases}


def run_undisturbed(place: Workplace, case: Case) -> list[str]:
    """Fills in what a case comes to where nothing fails; its problems, with which there is nothing to compare."""
    if case.ran:
        return case.problems
    room = place.room()
    enter(case, room)
    case.old_model = hashes(room / "out", MODEL_FILES)
    case.old_run = hashes(room / "out", RUN_FILES)
    case.ran = place.must(*case.arguments, folder=room)
    case.files = {str(path.relative_to(room)) for path in files_of(room)}
    case.bits = {name: digest(room / name) for name in case.files if STABLE.search(name)}
    case.new_model = hashes(room / "out", MODEL_FILES)
    case.problems = check_files(place, room) + [f"left over: {path.name}" for path in leftovers(room)]
    if case.trains:
        why = place.why_not_loaded(room / "out")
        case.problems += [f"what was written does not load: {why}"] if why else []
    shutil.rmtree(room)
    return case.problems


# Said by a program that OpenBLAS gave the kernels of an old processor and that could not start again.
OTHER_KERNELS = "warning: could not start again with OPENBLAS_CORETYPE"


def check_results(case: Case, ran: Ran, room: Path) -> list[str]:
    """Problems of a run that says it succeeded."""
    problems = []
    files = {str(path.relative_to(room)) for path in files_of(room) if ".tmp-" not in str(path)}
    missing = sorted(case.files - files)
    if missing:
        problems.append(f"exit code 0 without {', '.join(missing)}")
    told = "warning:" in ran.err and {name for name in files - case.files if not re.search(r"checkpoint-\d+/", name)
                                     } == set()
    if files - case.files and not told:
        problems.append(f"exit code 0 with {', '.join(sorted(files - case.files))}")
    changed = sorted(name for name, bits in case.bits.items() if name in files and digest(room / name) != bits)
    if changed and OTHER_KERNELS not in ran.err:
        problems.append(f"exit code 0 with other bits in {', '.join(changed)}")
    said, expected = ([shape(line) for line in text.splitlines()] for text in (ran.out, case.ran.out))
    if said != expected:
        different = next((line for line in said if line not in expected), f"{len(said)} of {len(expected)} lines")
        problems.append(f"exit code 0 with other text on standard output: {different[:100]}")
    return problems


def check_failure(place: Workplace, case: Case, room: Path) -> list[str]:
    """Problems of a folder in which a run failed: no mixture, nothing lost."""
    out = room / "out"
    problems = check_model(place, out, [case.old_model, case.new_model])
    found = hashes(out, MODEL_FILES)
    if case.old_model and found == case.old_model != case.new_model:
        mixed = [name for name, bits in hashes(out, RUN_FILES).items() if case.old_run.get(name) != bits]
        if mixed:
            problems.append(f"files of two runs: {', '.join(mixed)} beside the old model")
    if case.old_model and not found:
        problems.append("the old model is gone, the new one is not there")
    if case.old_model and not holds_a_model(place, out):
        problems.append("no model is left anywhere where there had been one")
    return problems


def check_case(place: Workplace, case: Case, ran: Ran, room: Path, line_lost: bool = False) -> list[str]:
    """All problems of a run in which something failed. `line_lost`: standard error was what failed."""
    problems = check_end(ran, (0, 1))
    if not problems:
        if ran.code == 0:
            problems += check_results(case, ran, room)
        else:
            said_in_table = case.reports_on_stdout and "broken" in ran.out
            if not line_lost and not said_in_table:
                problems += check_line(ran.err, case.ordinary)
            problems += check_failure(place, case, room)
    elif ran.code is not None:
        problems += check_failure(place, case, room)
    return problems + check_files(place, room)


# Points: what is tried, in parallel, and what came of it.


@dataclass
class Tried:
    problems: list[str]
    command: str
    failed: int = 1  # points that the problems are of


@dataclass
class Point:
    name: str  # PART/..., which --only takes
    attempt: Callable[[Path], Tried]  # in a room of its own
    size: int = 1  # points that it stands for


@dataclass
class Finding:
    point: str
    tried: Tried

    @property
    def problems(self) -> list[str]:
        return self.tried.problems


def cause_of(problem: str) -> str:
    """A problem without the names and figures of its case."""
    text = re.sub(r"^(ended by \w+|a model that is neither the old nor the new one):.*", r"\1", problem)
    text = re.sub(r"\[[^\]]*\]", "[...]", text)
    text = re.sub(r"checkpoint-\d+", "checkpoint-N", text)
    text = re.sub(r"\.tmp-[-\d]+", ".tmp-N", text)
    text = re.sub(r"(without|with|in) [\w./-]+\.\w+(, [\w./-]+)+", r"\1 several files", text)
    text = re.sub(r"/[^ :]*/", ".../", text)
    return shape(text)


@dataclass
class Outcome:
    part: str
    points: int = 0
    unreached: list[str] = field(default_factory=list)
    not_begun: int = 0  # points for which there was no time
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def handled(self) -> int:
        return self.points - sum(finding.tried.failed for finding in self.findings)

    def causes(self) -> list[tuple[str, list[Finding]]]:
        groups: dict[str, list[Finding]] = {}
        for finding in self.findings:
            for cause in dict.fromkeys(map(cause_of, finding.problems)):
                groups.setdefault(cause, []).append(finding)
        return sorted(groups.items(), key=lambda group: -len(group[1]))


def undisturbed_point(part: str, case: Case) -> Point:
    """Stands for all points of a case that goes wrong where nothing fails."""
    return Point(
        f"{part}/{case.name}/undisturbed",
        lambda room: Tried([f"undisturbed: {problem}"
                            for problem in case.problems], shlex.join(["transkimmer", *case.arguments])))


class Unreached(Exception):
    """The call to disturb did not come."""


def try_points(place: Workplace, part: str, points: list[Point], jobs: int, keep: bool, seconds: float,
               say: Callable[[str], None]) -> Outcome:
    """Tries all points, of which none begins after that many seconds."""
    outcome = Outcome(part)
    lock = threading.Lock()
    begin = time.monotonic()
    total = sum(point.size for point in points)

    def attempt(point: Point) -> None:
        if time.monotonic() - begin > seconds:
            with lock:
                outcome.not_begun += point.size
            return
        room = place.room()
        finding = None
        unreached = False
        try:
            tried = point.attempt(room)
            finding = Finding(point.name, tried) if tried.problems else None
        except Unreached:
            unreached = True
        except Exception as error:  # of the check itself: the other points go on
            finding = Finding(point.name, Tried([f"the check failed: {error!r}"], ""))
        if keep:
            say(f"{point.name}: {room}")
        else:
            shutil.rmtree(room, ignore_errors=True)
        with lock:
            if unreached:
                outcome.unreached.append(point.name)
                return
            outcome.points += point.size
            if finding:
                outcome.findings.append(finding)
                say(f"{point.name}: {'; '.join(finding.problems)}"[:300])
            if outcome.points // 250 > (outcome.points - point.size) // 250:
                say(f"... {part}: {outcome.points} of {total}, {time.monotonic() - begin:.0f} s")

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(attempt, points))
    return outcome


def run_again(place: Workplace, room: Path) -> list[str]:
    """Problems of the next training run into a copy of a folder in which something unfinished may be left: it goes."""
    again = place.room()
    shutil.copytree(room, again, symlinks=True, dirs_exist_ok=True)
    ran = run([str(place.program), *train_arguments(place.model, place.data, "--overwrite_output_dir")], again)
    left = leftovers(again)
    shutil.rmtree(again)
    if ran.code != 0:
        return [f"the run after it ends with {ran.code}: {last_line(ran.err)}"]
    return ["left over, after one more run, too"] if left else []


def spread(items: list, count: int) -> list:
    """`count` of the items, evenly spread; all where there are fewer."""
    if len(items) <= count:
        return items
    return [items[i * len(items) // count] for i in range(count)]
