"""Allocations after main began, each made to fail once and from then on, by the preloaded library."""

import shlex
from pathlib import Path

import harness
from harness import Case, Point, Tried, Workplace


def record(place: Workplace, preload: Path, case: Case) -> list[int]:
    """The first allocation from each stack of callers."""
    room = place.room()
    harness.enter(case, room)
    sites = place.root / f"{case.name}.sites"
    ran = harness.run([str(place.program), *case.arguments], room,
                      {"LD_PRELOAD": str(preload), "TK_FAULT_SITES": str(sites)})
    if ran.code != 0:
        raise SystemExit(f"faults: with {preload}, {case.name} ends with {ran.code}: {ran.err}")
    return sorted({int(line) for line in sites.read_text().split()})


def fail(place: Workplace, preload: Path, case: Case, which: str, room: Path) -> Tried:
    harness.enter(case, room)
    variables = {"LD_PRELOAD": str(preload), "TK_FAULT_ALLOCATION": which}
    command = [str(place.program), *case.arguments]
    ran = harness.run(command, room, variables)
    problems = harness.check_case(place, case, ran, room)
    left = harness.leftovers(room)
    if left and case.trains:  # it may have been removing that failed
        problems += harness.run_again(place, room)
    elif left and not which.endswith("+"):  # without any memory no folder is read
        problems.append("left over: something unfinished")
    return Tried(problems, shlex.join(["env", *(f"{key}={value}" for key, value in variables.items()), *command]))


def points(place: Workplace, preload: Path, cases: dict[str, Case], bounded: bool) -> list[Point]:
    result = []
    for case in cases.values():
        if case.name in ("demo",
                         "threads"):  # the same code as train's; half a minute a point, or another order each time
            continue
        if harness.run_undisturbed(place, case):
            result.append(harness.undisturbed_point("allocations", case))
            continue
        sites = record(place, preload, case)
        once = harness.spread(sites, 30 if case.trains else 8) if bounded else sites
        on = harness.spread(sites, 10 if case.trains else 4) if bounded else harness.spread(
            sites, max(100,
                       len(sites) // 8))

        def attempt(which: str, case: Case = case):
            return lambda room: fail(place, preload, case, which, room)

        result += [
            Point(f"allocations/{case.name}/{which}", attempt(which))
            for which in [*(str(n) for n in once), *(f"{n}+" for n in on)]
        ]
    return result
