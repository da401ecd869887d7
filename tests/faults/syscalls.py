"""Every system call of a command after main began, each made to fail once and from then on, by strace."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import harness
from harness import Case, Point, Tried, Unreached, Workplace

# Calls that nothing makes fail, with the reason. All others are tried.
EXCLUDED = {
    "exit exit_group": "do not return",
    "getpid gettid getppid getuid geteuid getgid getegid umask sched_yield": "always succeed",
    "futex": "fails only for arguments that the C library never gives, which aborts then",
    "rt_sigaction rt_sigprocmask sigaltstack": "fail only for wrong arguments",
    "rt_sigreturn restart_syscall": "are the kernel's own",
    "uname sysinfo clock_gettime gettimeofday times getrusage": "fail only for wrong arguments",
    "munmap": "fails only in a process of 65,530 mappings, to cut one more in two",
    "set_robust_list rseq set_tid_address arch_prctl": "begin a thread, in the C library",
}

# errno's that a call can give: those tried once each, and those tried from then on.
ONCE_AND_ON = {
    "openat": (["EMFILE", "EACCES", "EIO"], ["EMFILE", "EIO"]),
    "open": (["EMFILE", "EACCES", "EIO"], ["EMFILE"]),
    "read": (["EIO", "EINTR"], ["EIO"]),
    "pread64": (["EIO", "EINTR"], ["EIO"]),
    "write": (["ENOSPC", "EIO", "EINTR"], ["ENOSPC"]),
    "writev": (["ENOSPC", "EINTR"], ["ENOSPC"]),
    "pwrite64": (["ENOSPC", "EINTR"], ["ENOSPC"]),
    "fsync": (["EIO", "ENOSPC", "EINTR"], ["EIO"]),
    "fdatasync": (["EIO", "ENOSPC"], ["EIO"]),
    "close": (["EIO", "EINTR", "ENOSPC"], ["EIO"]),
    "rename": (["EACCES", "ENOSPC", "EIO"], ["EACCES"]),
    "renameat": (["EACCES", "EIO"], ["EACCES"]),
    "renameat2": (["EACCES", "EINVAL", "EIO"], ["EACCES", "EINVAL"]),
    "link": (["EPERM", "EMLINK"], ["EPERM"]),
    "linkat": (["EPERM", "EMLINK"], ["EPERM"]),
    "symlink": (["EPERM"], ["EPERM"]),
    "symlinkat": (["EPERM"], ["EPERM"]),
    "unlink": (["EACCES", "EIO"], ["EACCES"]),
    "unlinkat": (["EACCES", "EIO"], ["EACCES"]),
    "rmdir": (["EACCES", "EBUSY"], ["EACCES"]),
    "mkdir": (["EACCES", "ENOSPC"], ["ENOSPC"]),
    "mkdirat": (["EACCES", "ENOSPC"], ["ENOSPC"]),
    "getdents64": (["EIO", "ENOMEM"], ["EIO"]),
    "newfstatat": (["EIO", "EACCES", "ENOMEM"], ["EIO"]),
    "fstat": (["EIO"], ["EIO"]),
    "stat": (["EIO", "EACCES"], ["EIO"]),
    "lstat": (["EIO", "EACCES"], ["EIO"]),
    "statx": (["EIO", "EACCES"], ["EIO"]),
    "statfs": (["EIO"], ["EIO"]),
    "fstatfs": (["EIO"], ["EIO"]),
    "mmap": (["ENOMEM"], ["ENOMEM"]),
    "mprotect": (["ENOMEM"], ["ENOMEM"]),
    "mremap": (["ENOMEM"], ["ENOMEM"]),
    "brk": (["ENOMEM"], ["ENOMEM"]),
    "madvise": (["ENOMEM"], ["ENOMEM"]),
    "mbind": (["EPERM"], ["EPERM"]),
    "lseek": (["EOVERFLOW"], ["EOVERFLOW"]),
    "ftruncate": (["EIO", "ENOSPC"], ["EIO"]),
    "access": (["EACCES", "EIO"], ["EACCES"]),
    "faccessat": (["EACCES"], ["EACCES"]),
    "faccessat2": (["EACCES"], ["EACCES"]),
    "readlink": (["EACCES", "EIO"], ["EACCES"]),
    "readlinkat": (["EACCES"], ["EACCES"]),
    "getcwd": (["ENOENT"], ["ENOENT"]),
    "ioctl": (["EIO"], ["EIO"]),
    "flock": (["ENOLCK", "EINTR", "EWOULDBLOCK"], ["ENOLCK"]),
    "clone3": (["EAGAIN", "ENOMEM"], ["EAGAIN"]),
    "clone": (["EAGAIN"], ["EAGAIN"]),
    "execve": (["ENOMEM", "EACCES"], ["EACCES"]),
    "pipe2": (["EMFILE"], ["EMFILE"]),
    "memfd_create": (["EMFILE"], ["EMFILE"]),
    "dup": (["EMFILE"], ["EMFILE"]),
    "dup2": (["EMFILE"], ["EMFILE"]),
    "dup3": (["EMFILE"], ["EMFILE"]),
    "sched_getaffinity": (["EPERM"], ["EPERM"]),
    "sched_setaffinity": (["EPERM"], ["EPERM"]),
    "prlimit64": (["EPERM"], ["EPERM"]),
    "getrandom": (["EINTR", "ENOSYS"], ["ENOSYS"]),
    "clock_nanosleep": (["EINTR"], []),
    "poll": (["EINTR", "ENOMEM"], []),
    "fallocate": (["EOPNOTSUPP", "ENOSPC"], ["ENOSPC"]),
    "fadvise64": (["ENOMEM"], ["ENOMEM"]),
    "copy_file_range": (["EIO", "EXDEV"], ["EXDEV"]),
    "fchmod": (["EPERM"], ["EPERM"]),
}
UNKNOWN = (["EIO", "ENOMEM"], ["EIO"])

RENAMING = {"rename", "renameat", "renameat2"}
REMOVING = {"unlink", "unlinkat", "rmdir"}
LOOKING = {
    "openat", "newfstatat", "getdents64", "fcntl", "close", "mmap", "brk", "fstat", "statx", "rename", "renameat2"
}
FIELDS = re.compile(r"(\d+) +(\w+)\((.*)")


@dataclass
class Call:
    name: str
    number: int  # of this name, from 1
    text: str


def traced(place: Workplace, preload: Path, log: Path, options: list[str], case: Case) -> list[str]:
    return [
        "strace", "-f", "-qq", "-e", "signal=none", "-o",
        str(log), *options, "-E", f"LD_PRELOAD={preload}",
        str(place.program), *case.arguments
    ]


def calls_after_start(log: Path) -> list[Call]:
    """The main thread's calls since main began, without those of a second start-up where it starts itself again."""
    calls: list[Call] = []
    counts: dict[str, int] = {}
    main = None
    inside = False
    for line in log.read_text(errors="replace").splitlines():
        match = FIELDS.match(line)
        if not match:
            continue
        thread, name, text = match.groups()
        main = main or thread
        if thread != main:
            continue
        counts[name] = counts.get(name, 0) + 1
        if name == "write" and '"main begins"' in text:
            inside = True
        elif inside:
            calls.append(Call(name, counts[name], text))
            inside = name != "execve" or " = -1 " in text
    return calls


def record(place: Workplace, preload: Path, case: Case) -> list[Call]:
    room = place.room()
    harness.enter(case, room)
    log = place.root / f"{case.name}.trace"
    ran = harness.run(traced(place, preload, log, ["-e", "trace=!futex"], case), room, patience=10)
    if ran.code != 0:
        raise SystemExit(f"faults: under strace, {case.name} ends with {ran.code}: {ran.err}")
    calls = calls_after_start(log)
    if not calls:
        raise SystemExit(f"faults: {preload} did not mark the beginning of main")
    return calls


def is_excluded(call: Call) -> bool:
    # An open descriptor answers for its flags always.
    return any(call.name in names.split()
               for names in EXCLUDED) or call.name == "fcntl" and ("F_GETF" in call.text or "F_SETF" in call.text)


def errnos(call: Call) -> list[tuple[str, bool]]:
    """(errno, from then on)"""
    if call.name == "fcntl":
        once, on = ["EMFILE"], ["EMFILE"]
    else:
        once, on = ONCE_AND_ON.get(call.name, UNKNOWN)
    if call.name == "openat" and "O_CREAT" in call.text:
        once = [*once, "ENOSPC"]
    return [(errno, False) for errno in once] + [(errno, True) for errno in on]


def injected_calls(log: Path) -> list[str]:
    return [line for line in log.read_text(errors="replace").splitlines() if "(INJECTED)" in line
           ] if log.exists() else []


def cleaning_failed(name: str, on: bool, injected: list[str]) -> bool:
    """Whether what failed was the removal of something unfinished itself."""
    if name in REMOVING or on and name in LOOKING:
        return True
    return any(".tmp-" in line and ("O_DIRECTORY" in line or "getdents" in line or "AT_SYMLINK_NOFOLLOW" in line)
               for line in injected)


def inject(place: Workplace, preload: Path, case: Case, call: Call, errno: str, on: bool, room: Path) -> Tried:
    harness.enter(case, room)
    log = room.with_suffix(".trace")
    when = f"{call.number}{'+' if on else ''}"
    # A break that cannot be moved is told by its old address, which is below the one asked for, not by an errno.
    what = "retval=0" if call.name == "brk" else f"error={errno}"
    options = ["--seccomp-bpf", "-e", f"trace={call.name}", "-e", f"inject={call.name}:{what}:when={when}"]
    command = traced(place, preload, log, options, case)
    ran = harness.run(command, room, patience=4 if case.name == "demo" else 1)
    injected = injected_calls(log)
    log.unlink(missing_ok=True)
    if not injected:
        raise Unreached
    to_stderr = [bool(re.search(r" writev?\(2,", line)) for line in injected]
    problems = harness.check_case(place, case, ran, room, line_lost=any(to_stderr))
    if on and call.name in RENAMING and harness.holds_a_model(place, room):
        halves = ("part of a model", "the old model is gone")  # set aside, and nothing can be put in its place
        problems = [problem for problem in problems if not problem.startswith(halves)]
    if ran.code == 1 and all(to_stderr):
        problems.append("a lost line of the log ended the run")
    left = harness.leftovers(room)
    if left and not cleaning_failed(call.name, on, injected):
        problems.append(f"left over: {re.sub(r'tmp-.*', 'tmp-', left[0].name)}")
    elif left and case.trains and case.name != "demo":
        problems += harness.run_again(place, room)
    return Tried(problems, shlex.join(command))


def points(place: Workplace, preload: Path, cases: dict[str, Case], bounded: bool, demo_points: int) -> list[Point]:
    result = []
    for case in cases.values():
        if case.name == "demo" and bounded:
            continue
        if harness.run_undisturbed(place, case):
            result.append(harness.undisturbed_point("syscalls", case))
            continue
        calls = [call for call in record(place, preload, case) if not is_excluded(call)]
        if case.calls:
            calls = [call for call in calls if call.name in case.calls]
        result += case_points(place, preload, case, calls, bounded, demo_points)
    return result


def case_points(place: Workplace, preload: Path, case: Case, calls: list[Call], bounded: bool,
                demo_points: int) -> list[Point]:
    tried = [(call, errno, on) for call in calls for errno, on in errnos(call)]
    if case.name == "demo":
        tried = harness.spread(
            [point for point in tried if not point[2] and point[0].name not in ("brk", "mmap", "munmap")], demo_points)
    elif bounded:
        by_kind: dict[tuple, list] = {}
        for point in tried:
            by_kind.setdefault((point[0].name, point[2]), []).append(point)
        most = 2 if case.trains else 1
        tried = [point for kind in by_kind.values() for point in harness.spread(kind, most)]

    def attempt(call: Call, errno: str, on: bool):
        return lambda room: inject(place, preload, case, call, errno, on, room)

    return [
        Point(f"syscalls/{case.name}/{call.name}/{call.number}{'+' if on else ''}/{errno}", attempt(call, errno, on))
        for call, errno, on in tried
    ]
