#!/usr/bin/env python3
"""Makes everything outside the program fail, one point after another, and checks what is left each time.

    tests/faults/faults.py [PART ...] [--bounded] [--program PATH] [--json FILE] [--only POINT]

PART: syscalls, allocations, kills, ranks, environment; all by default. README.md says what each does and what must hold.
Exit code 0: every point is handled; 1: some are not, listed with what repeats one; 77: this machine lacks what a part
needs.
"""

import argparse
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import allocations
import environment
import harness
import kills
import ranks
import syscalls

PARTS = ("syscalls", "allocations", "kills", "ranks", "environment")
SOURCE = Path(__file__).resolve().parent
SKIPPED = 77


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all by default")
    parser.add_argument("--bounded",
                        action="store_true",
                        help="a fixed selection that takes a minute or two, as ctest runs it")
    parser.add_argument("--program",
                        type=Path,
                        default=SOURCE.parents[1] / "build/release/transkimmer/cli/transkimmer",
                        help="default: what scripts/build.sh built")
    parser.add_argument("--preload", type=Path, help="the library of preload.cpp; default: compiled now")
    parser.add_argument("--only",
                        metavar="POINT",
                        help="tries the points whose name starts so, and keeps their folders")
    parser.add_argument("--case",
                        action="append",
                        help="only this command of syscalls and allocations; may be given again")
    parser.add_argument("--kills", type=int, default=200, help="SIGKILLs at random times")
    parser.add_argument("--resumes", type=int, default=100, help="runs that are killed at random times and go on")
    parser.add_argument("--rank-runs", type=int, default=30, help="runs of several ranks, of which some are killed")
    parser.add_argument("--demo-points", type=int, default=40, help="points of `demo`, up to half a minute each")
    parser.add_argument("--timeout", type=float, default=harness.HANG_SECONDS, help="seconds after which a run hangs")
    parser.add_argument("--seconds",
                        type=float,
                        default=float("inf"),
                        help="begin no point of a part after that; they are counted, too")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="points at a time")
    parser.add_argument("--work", type=Path, help="folder to work in; default: a temporary one")
    parser.add_argument("--json", type=Path, help="writes the outcome there, too")
    arguments = parser.parse_args()
    unknown = [part for part in arguments.parts if part not in PARTS]
    if unknown:
        parser.error(f"unknown part {unknown[0]}; there are {', '.join(PARTS)}")
    return arguments


def say(text: str) -> None:
    print(text, flush=True)


def compiled_preload(folder: Path) -> Path:
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
    if not compiler:
        skip("no C++ compiler for preload.cpp; name a built one by --preload")
    library = folder / "preload.so"
    subprocess.run([compiler, "-std=c++20", "-O2", "-shared", "-fPIC",
                    str(SOURCE / "preload.cpp"), "-o",
                    str(library)],
                   check=True)
    return library


def skip(why: str) -> None:
    say(f"skipped: {why}")
    sys.exit(SKIPPED)


def can_trace() -> bool:
    if not shutil.which("strace"):
        return False
    return subprocess.run(
        ["strace", "-f", "--seccomp-bpf", "-o", "/dev/null", "-e", "inject=getppid:error=EIO", "true"],
        capture_output=True).returncode == 0


def report(outcome: harness.Outcome, seconds: float) -> None:
    for note in outcome.notes:
        say(note)
    for cause, findings in outcome.causes():
        say(f"\nnot handled, {len(findings)} times: {cause}")
        for finding in findings[:3]:
            say(f"    {finding.point}: {'; '.join(finding.problems)}"[:400])
        say(f"    repeat: tests/faults/faults.py --only {shlex.quote(findings[0].point)}")
    unreached = f" ({len(outcome.unreached)} more were not reached)" if outcome.unreached else ""
    not_begun = f" ({outcome.not_begun} more were not begun)" if outcome.not_begun else ""
    say(f"{outcome.part}: {outcome.points} points, {outcome.handled} handled, {seconds:.0f} s{unreached}{not_begun}")


def as_json(outcome: harness.Outcome) -> dict:
    return {
        "part": outcome.part, "points": outcome.points, "handled": outcome.handled, "unreached": outcome.unreached,
        "not_begun": outcome.not_begun, "notes": outcome.notes, "causes": [{
            "cause": cause, "count": len(findings),
            "points": [{"point": f.point, "problems": f.problems, "command": f.tried.command} for f in findings[:20]]
        } for cause, findings in outcome.causes()]
    }


def points_of(part: str, place: harness.Workplace, cases: dict[str, harness.Case], preload: Path | None,
              arguments: argparse.Namespace) -> list[harness.Point]:
    if part == "syscalls":
        return syscalls.points(place, preload, cases, arguments.bounded, arguments.demo_points)
    if part == "allocations":
        return allocations.points(place, preload, cases, arguments.bounded)
    if part == "kills":
        return kills.points(place, preload, cases, arguments.bounded, arguments.kills, arguments.resumes)
    if part == "ranks":
        return ranks.points(place, arguments.bounded, arguments.rank_runs)
    return environment.points(place, arguments.bounded)


def inherit_no_ignored_signals() -> None:
    """Signals that nohup or a shell's & made this script ignore would be ignored by all that it starts, too."""
    for name in kills.ASKING:
        if signal.getsignal(signal.Signals[name]) == signal.SIG_IGN:
            signal.signal(signal.Signals[name], lambda *_: None)


def only_those(cases: dict[str, harness.Case], arguments: argparse.Namespace) -> dict[str, harness.Case]:
    wanted = arguments.case or (arguments.only.split("/")[1:2] if arguments.only else [])
    return {name: case for name, case in cases.items() if name in wanted} or cases


def try_part(part: str, place: harness.Workplace, cases: dict[str, harness.Case], preload: Path | None,
             arguments: argparse.Namespace) -> harness.Outcome:
    begin = time.monotonic()
    points = points_of(part, place, cases, preload, arguments)
    if arguments.only:
        points = [point for point in points if point.name.startswith(arguments.only)]
    say(f"{part}: {sum(point.size for point in points)} points")
    outcome = harness.try_points(place, part, points, arguments.jobs, bool(arguments.only), arguments.seconds, say)
    if part == "environment":
        outcome.notes = environment.table()
    if part == "kills":
        outcome.notes = kills.notes()
    if part == "ranks":
        outcome.notes = ranks.notes()
    report(outcome, time.monotonic() - begin)
    return outcome


def try_parts(parts: list[str], root: Path, arguments: argparse.Namespace) -> list[harness.Outcome]:
    preload = None
    if {"syscalls", "allocations", "kills"} & set(parts):
        preload = arguments.preload.resolve() if arguments.preload else compiled_preload(root)
    place = harness.Workplace(root, arguments.program.resolve())
    cases = only_those(harness.make_cases(place), arguments)
    outcomes = []
    for part in parts:
        outcomes.append(try_part(part, place, cases, preload, arguments))
        if arguments.json:
            arguments.json.write_text(json.dumps([as_json(outcome) for outcome in outcomes], indent=2) + "\n")
    return outcomes


def main() -> int:
    arguments = parse()
    inherit_no_ignored_signals()
    harness.HANG_SECONDS = arguments.timeout
    if not arguments.program.is_file():
        raise SystemExit(f"{arguments.program} is not there; build it or name another by --program")
    parts = [arguments.only.split("/")[0]] if arguments.only else arguments.parts or list(PARTS)
    if {"syscalls", "kills"} & set(parts) and not can_trace():
        skip("strace is missing or may not trace here")
    if "ranks" in parts and not ranks.has_mpirun(arguments.program):
        if parts == ["ranks"]:
            skip("no mpirun, or a build without MPI")
        parts.remove("ranks")
        say("ranks: skipped, no mpirun, or a build without MPI")
    root = Path(tempfile.mkdtemp(prefix="faults-", dir=arguments.work))
    root.chmod(0o755)  # for the rows that are another user's
    try:
        outcomes = try_parts(parts, root, arguments)
    finally:
        if not arguments.only:
            shutil.rmtree(root, ignore_errors=True)
    total = sum(outcome.points for outcome in outcomes)
    handled = sum(outcome.handled for outcome in outcomes)
    say(f"{total} points, {handled} handled")
    return 0 if total == handled else 1


if __name__ == "__main__":
    sys.exit(main())
