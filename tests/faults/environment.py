"""Places, limits and variables in which the program may be started: it gives the same bits, or one line."""

import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import harness
from harness import Point, Tried, Unreached, Workplace

BITS_MAY_DIFFER = "the BLAS takes other kernels, which docs/performance.md says changes bits"
SHELL = shutil.which("bash") or "/bin/sh"
CORES = ("Prescott", "Core2", "Penryn", "Dunnington", "Atom", "Nano", "Nehalem", "Sandybridge", "Haswell", "SkylakeX",
         "Cooperlake", "Sapphirerapids", "Opteron", "Barcelona", "Bobcat", "Bulldozer", "Piledriver", "Steamroller",
         "Excavator", "Zen", "nonsense")
# The superuser may do everything, so some rows are another's.
ROOT = os.geteuid() == 0
PLAIN_USER = "setpriv --reuid=54321 --regid=54321 --clear-groups --inh-caps=-all" if ROOT else "env"


@dataclass
class Row:
    name: str
    shell: str = 'exec "$@"'  # starts the command
    out: str = "out"  # the output folder
    prepare: str = ""
    flags: tuple[str, ...] = ()  # of the commands that compute
    other_bits: str = ""  # why the bits may be others
    lost: str = ""  # "log", "results" or both: what goes nowhere
    unseen: bool = False  # and the program need not know
    bounded: bool = True
    patience: float = 1


def variable(setting: str, **more) -> Row:
    return Row(setting, f'exec env {shlex.quote(setting)} "$@"', **more)


def thread_rows() -> list[Row]:
    settings = [
        f"{name}={value}" for name, values in {
            "OMP_THREAD_LIMIT": (1, 2, 3),
            "OMP_DYNAMIC": ("true", "false"),
            "OMP_MAX_ACTIVE_LEVELS": (0, 1, 2),
            "OMP_NUM_THREADS": (1, 2, 3, 16, "2,1", "1,2", 0, "many"),
            "OMP_WAIT_POLICY": ("active", "passive"),
            "OMP_PROC_BIND": ("true", "false", "close", "spread", "master"),
            "OMP_PLACES": ("cores", "threads", "{0}", "{99}"),
            "GOMP_CPU_AFFINITY": ("0", "0-1", "99"),
            "GOMP_SPINCOUNT": (0, "infinite"),
            "OMP_NESTED": ("true",),
            "OMP_SCHEDULE": ("dynamic", "guided,7"),
            "OMP_STACKSIZE": ("16k", "64M", "1000000G", "wrong"),
            "OMP_CANCELLATION": ("true",),
            "OMP_DISPLAY_ENV": ("true",),
            "OMP_TARGET_OFFLOAD": ("mandatory",),
            "OPENBLAS_NUM_THREADS": (1, 2, 64),
            "GOTO_NUM_THREADS": (1, 3),
            "OPENBLAS_VERBOSE": (2,),
            "OPENBLAS_MAIN_FREE": (1,),
        }.items() for value in values
    ]
    rows = [variable(setting) for setting in settings]
    for threads in (1, 2, 5):
        for setting in ("OMP_THREAD_LIMIT=1", "OMP_THREAD_LIMIT=2", "OMP_MAX_ACTIVE_LEVELS=0", "OMP_DYNAMIC=true"):
            row = variable(setting, flags=("--threads", str(threads)))
            row.name += f" --threads {threads}"
            rows.append(row)
    return rows


def library_rows() -> list[Row]:
    settings = ("MALLOC_ARENA_MAX=1", "MALLOC_PERTURB_=165", "MALLOC_TOP_PAD_=0",
                "GLIBC_TUNABLES=glibc.malloc.tcache_count=0", "LD_BIND_NOW=1", "TZ=:/nowhere", "TZ=XYZ-25:99",
                "TMPDIR=/nowhere", "TERM=dumb", "COLUMNS=1", "NO_COLOR=1", "POSIXLY_CORRECT=1", "HOME=", "PATH=",
                "TRANSKIMMER_NONSENSE=1")
    return [
        *map(variable, settings),
        Row("no HOME", 'exec env -u HOME "$@"'),
        Row("no environment", 'exec env -i "$@"'),
        Row("no address randomisation", 'exec setarch -R "$@"')
    ]


def core_rows() -> list[Row]:
    rows = []
    for core in CORES:
        more = {"other_bits": BITS_MAY_DIFFER, "bounded": core in ("Prescott", "Haswell", "SkylakeX", "nonsense")}
        rows.append(variable(f"OPENBLAS_CORETYPE={core}", **more))
        rows.append(Row(f"--blas_coretype {core}", flags=("--blas_coretype", core), **more))
    return rows


def emulated_rows() -> list[Row]:
    """Processors without AVX2 or AVX-512. (QEMU 7.2 reads what masked loads of AVX2 leave out, hence none with it.)"""
    if not shutil.which("qemu-x86_64"):
        return []
    settings = {
        "": ("qemu64", "Conroe", "Nehalem", "SandyBridge", "max"), "OMP_THREAD_LIMIT=1": ("Nehalem",),
        "OMP_MAX_ACTIVE_LEVELS=0": ("Nehalem",), "OMP_DYNAMIC=true": ("Nehalem",), "OMP_NUM_THREADS=3": ("Nehalem",)
    }
    return [
        Row(f"qemu {cpu} {setting}".rstrip(),
            f'exec env {setting} qemu-x86_64 -cpu {cpu} "$@"',
            other_bits=BITS_MAY_DIFFER,
            bounded=False,
            patience=2) for setting, cpus in settings.items() for cpu in cpus
    ]


def locale_rows(place: Workplace) -> list[Row]:
    rows = [variable(f"LC_ALL={locale}") for locale in ("C", "POSIX", "C.UTF-8", "xx", "en_US.ISO-8859-1")]
    locales = place.root / "locales"
    locales.mkdir(exist_ok=True)
    for name in ("de_DE", "tr_TR", "hi_IN"):
        made = shutil.which("localedef") and subprocess.run(
            ["localedef", "-i", name, "-f", "UTF-8",
             str(locales / f"{name}.UTF-8")], capture_output=True).returncode == 0
        if made:
            rows.append(Row(f"LC_ALL={name}.UTF-8", f'exec env LOCPATH={locales} LC_ALL={name}.UTF-8 "$@"'))
    return rows


def descriptor_rows() -> list[Row]:
    rows = []
    for mask in range(1, 8):
        closed = [fd for fd in range(3) if mask >> fd & 1]
        lost = " ".join((["results"] if 1 in closed else []) + (["log"] if 2 in closed else []))
        rows.append(
            Row(f"closed {' '.join(map(str, closed))}", 'exec "$@" ' + " ".join(f"{fd}>&-" for fd in closed),
                lost=lost,
                unseen=True))
    return rows + [
        Row("full 1", 'exec "$@" >/dev/full', lost="results"),
        Row("full 2", 'exec "$@" 2>/dev/full', lost="log"),
        Row("full 1 2", 'exec "$@" >/dev/full 2>&1', lost="results log"),
        Row("read-only 1", 'exec "$@" 1</dev/null', lost="results"),
        Row("read-only 2", 'exec "$@" 2</dev/null', lost="log"),
        Row("folder as 0", 'exec "$@" </'),
        Row("reader of 1 goes", 'set -o pipefail; "$@" | head -c 1 >/dev/null', lost="results", unseen=True),
        Row("no reader of 1", 'set -o pipefail; "$@" | true', lost="results"),
        Row("no reader of 2", 'set -o pipefail; { "$@" 2>&1 >&3 | true; } 3>&1', lost="log"),
        Row("no reader of 1, SIGPIPE ignored", 'trap "" PIPE; set -o pipefail; "$@" | true', lost="results"),
        Row("signals ignored", 'trap "" HUP INT TERM PIPE CHLD; exec "$@"'),
    ]


def limit_rows() -> list[Row]:
    rows = []
    # What OpenBLAS asks for grows with the cores: from some 300 MiB on two of them to 1,600 on many.
    for megabytes in (100, 150, 200, 225, 250, 275, 300, 325, 350, 375, 400, 500, 600, 700, 750, 800, 850, 900, 960,
                      1000, 1100, 1200, 1300, 1400, 1500, 1550, 1600, 2000, 4000):
        for kind in "vd":
            rows.append(
                Row(f"ulimit -{kind} {megabytes} MiB",
                    f'ulimit -{kind} {megabytes * 1024} && exec "$@"',
                    bounded=megabytes in (200, 300, 500, 900, 1550, 4000)))
    for kind, values in {
            "n": (3, 4, 5, 6, 7, 8, 10, 16, 64), "f": (0, 1, 2, 4, 8, 16, 64), "s": (192, 256, 512, 1024, "unlimited"),
            "l": (0,), "c": (0,), "q": (0,)
    }.items():
        rows += [Row(f"ulimit -{kind} {value}", f'ulimit -{kind} {value} && exec "$@"') for value in values]
    for value in (1, 2, 64):
        shell = f'ulimit -u {value} && exec {PLAIN_USER} "$@"'
        rows.append(Row(f"ulimit -u {value}, another user", shell, prepare="chmod 777 ."))
    return rows + [
        Row("taskset -c 0", 'exec taskset -c 0 "$@"'),
        Row("nice -n 19", 'exec nice -n 19 "$@"'),
        Row("umask 077", 'umask 077 && exec "$@"'),
        Row("umask 0", 'umask 0 && exec "$@"'),
        Row("umask 777, another user", f'umask 777 && exec {PLAIN_USER} "$@"', prepare="chmod 777 .")
    ]


def place_rows() -> list[Row]:
    return [
        Row("blanks", out="a folder  of mine"),
        Row("line end", out="a\nb"),
        Row("UTF-8", out="Übergröße/日本語/🙂"),
        Row("not UTF-8", out="\udcff\udcfe"),
        Row("escape", out="a\x1b[31mb"),
        Row("quotes", out="it's \"$HOME\""),
        Row("name of 255 bytes", out="x" * 255),
        Row("name of 256 bytes", out="x" * 256),
        Row("name of 240 bytes", out="x" * 240),
        Row("path of 4,200 bytes", out="/".join(["y" * 199] * 21)),
        Row("deep", out="/".join(["d"] * 300)),
        Row("relative", out="./a/../out"),
        Row("slash at the end", out="out/"),
        Row("a dot", out="."),
        Row("dash", out="./-o"),
        Row("link to a folder", prepare="mkdir real && ln -s real out"),
        Row("link to nothing", prepare="ln -s nothing out"),
        Row("link to itself", prepare="ln -s out out"),
        Row("a file", prepare="echo text >out"),
        Row("below a file", out="file/out", prepare="echo text >file"),
        Row("/dev/null", out="/dev/null"),
        Row("/proc", out="/proc/out"),
        Row("read-only folder, another user", f'exec {PLAIN_USER} "$@"', prepare="mkdir -m 555 out"),
        Row("read-only parent, another user", f'exec {PLAIN_USER} "$@"', prepare="chmod 555 ."),
        Row("unreadable folder, another user", f'exec {PLAIN_USER} "$@"', prepare="mkdir -m 333 out"),
        Row("working folder removed", 'mkdir gone && cd gone && rmdir ../gone && exec "$@"'),
        Row("working folder removed, absolute", 'mkdir gone && cd gone && rmdir ../gone && exec "$@"',
            out="{room}/out"),
        Row("working folder closed, another user",
            f'cd closed && exec {PLAIN_USER} "$@"',
            prepare="chmod 777 . && mkdir -m 700 closed",
            out="{room}/out"),
    ]


def rows(place: Workplace) -> list[Row]:
    found = [
        *thread_rows(), *library_rows(), *core_rows(), *emulated_rows(), *locale_rows(place), *descriptor_rows(),
        *limit_rows(), *place_rows()
    ]
    lacking = {tool for tool in ("setpriv", "setarch", "taskset") if not shutil.which(tool)}
    line = f"{PLAIN_USER} {shlex.quote(str(place.program))} --version"
    if ROOT and subprocess.run(line, shell=True, capture_output=True, check=False).returncode != 0:
        lacking.add("setpriv")  # the program lies where others may not go
    return [row for row in found if not any(tool in row.shell for tool in lacking)]


# The commands, each beside what it comes to where nothing is odd.

COMMANDS = ("train", "eval", "predict", "convert")
CPU = ("--device", "cpu")


def arguments(place: Workplace, command: str, out: str, flags: tuple[str, ...]) -> list[str]:
    task = ["--task_name", "sst2", "--data_dir", str(place.data), "--model_name_or_path"]
    trained = str(place.root / "wide-run" / "out")
    if command == "train":
        return [
            "train", *task,
            str(place.inputs / "wide"), "--output_dir", out, "--max_steps", "4", "--save_steps", "2", "--logging_steps",
            "2", "--save_total_limit", "1", "--report=false", *CPU, *flags
        ]
    if command == "eval":
        return ["eval", *task, trained, "--speed_samples", "0", *CPU, *flags]
    if command == "predict":
        return ["predict", *task, trained, "--output_dir", out, "--write_logits", *CPU, *flags]
    return ["convert", trained, out, "--dtype", "bfloat16"]


def results(command: str, ran: harness.Ran, out: Path) -> dict[str, str]:
    """What must not change: hashes of files, and the scores on standard output."""
    names = {
        "train": harness.MODEL_FILES, "predict": ("logits_sst2.tsv", "predict_results_sst2.txt"),
        "convert": harness.MODEL_FILES
    }
    found = harness.hashes(out, names.get(command, ()))
    if command == "eval":
        found["scores"] = " ".join(re.findall(r"eval_(?:loss|accuracy) += +\S+", ran.out))
    return found


def explains_loading(ran: harness.Ran) -> bool:
    """The dynamic loader's line, where there is no memory even to load the program."""
    return ran.code == 127 and "error while loading shared libraries" in ran.err


def check(place: Workplace, row: Row, command: str, ran: harness.Ran, room: Path, out: Path, expected: dict[str, str],
          ordinary: set[str]) -> tuple[str, list[str]]:
    """The table's word for it, and problems."""
    ran.err = re.sub(r"^qemu-x86_64: warning: .*\n", "", ran.err, flags=re.MULTILINE)
    end = [] if explains_loading(ran) else harness.check_end(ran, (0, 1, 2))
    if end:
        return end[0].split(":")[0], end + harness.check_files(place, room)
    problems = harness.check_files(place, room)
    if harness.leftovers(room):
        problems.append("left over: something unfinished")
    if ran.code == 0:
        found = results(command, ran, out)
        if command == "eval" and "results" in row.lost:
            return "0, results lost", problems + ([] if row.unseen else
                                                  ["exit code 0, but the results went nowhere"])
        if found == expected:
            return "same", problems
        if row.other_bits and found.keys() == expected.keys():
            return "other bits", problems
        return "WRONG", problems + [
            "other bits" if found.keys() == expected.keys() else f"exit code 0 with {', '.join(found) or 'nothing'}"
        ]
    if row.lost == "log":
        problems.append(f"a lost log ends it with {ran.code}")
    if "log" not in row.lost:
        problems += harness.check_line(ran.err, ordinary)
    return f"{ran.code}: {harness.last_line(ran.err)}", problems


def table() -> list[str]:
    """A line for each row: what came of each command, and what was said."""
    lines = [f"{'row':<40} " + " ".join(f"{command:<11}" for command in COMMANDS) + " line"]
    for name, words in WORDS.items():
        cells = [words.get(command, "").partition(": ") for command in COMMANDS]
        said = next((text for _, _, text in cells if text), "")
        lines.append(f"{name[:40]:<40} " + " ".join(f"{word[-11:]:<11}" for word, _, _ in cells) + f" {said[:100]}")
    return lines


WORDS: dict[str, dict[str, str]] = {}  # row -> command -> what came of it


def attempt(place: Workplace, row: Row, command: str, expected: dict[str, str], ordinary: set[str],
            room: Path) -> Tried:
    if "hangs" in WORDS.get(row.name, {}).values():
        raise Unreached
    if row.prepare:
        subprocess.run([SHELL, "-c", row.prepare], cwd=room, check=True)
    out = row.out.replace("{room}", str(room))
    line = [
        SHELL, "-c", row.shell, "sh",
        str(place.program), *arguments(place, command, out, () if command == "convert" else row.flags)
    ]
    ran = harness.run(line, room, patience=row.patience)
    subprocess.run(["chmod", "-R", "u+rwX", str(room)], capture_output=True)
    word, problems = check(place, row, command, ran, room, room / out, expected, ordinary)
    WORDS.setdefault(row.name, {})[command] = word
    return Tried(problems, f"cd {shlex.quote(str(room))} && {shlex.join(line)}")


def points(place: Workplace, bounded: bool) -> list[Point]:
    place.make_model(place.inputs / "wide", harness.TOKENS, 128)  # so wide that the BLAS would use threads
    trained = place.root / "wide-run"
    trained.mkdir()
    place.must(*arguments(place, "train", "out", ()), folder=trained)
    expected = {}
    for command in COMMANDS:
        room = place.room()
        ran = place.must(*arguments(place, command, "out", ()), folder=room)
        expected[command] = (results(command, ran,
                                     room / "out"), {harness.shape(line) for line in ran.err.splitlines()})
    result = []
    for row in rows(place):
        if bounded and not row.bounded:
            continue
        for command in COMMANDS if not bounded else COMMANDS[:3] if row.lost else COMMANDS[:1]:
            result.append(
                Point(f"environment/{row.name}/{command}",
                      lambda room, row=row, command=command: attempt(place, row, command, *expected[command], room)))
    return result
