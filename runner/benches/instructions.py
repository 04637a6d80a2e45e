#!/usr/bin/env python3
"""Counts the instructions of six kernels and compares them with runner/benches/instructions.json.

    python3 runner/benches/instructions.py [--bless] [--runner target/release/runner]

Clocks of shared machines are noisy; instructions are not. Each kernel of `runner bench` does its work once and five times
under valgrind's cachegrind, and a quarter of the difference is what it costs: the start of the program cancels out. A
kernel that grew by more than 5 % fails; one that shrank by as much is told, and should be blessed, so that it stays so.
`--bless` writes the counts; say in the commit why. valgrind shows programs one kind of processor on every machine with AVX2, so
counts of the same compiler agree; on others this is skipped, as it is without valgrind.
"""
import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SAVED = ROOT / "runner/benches/instructions.json"
KERNELS = ["forest.fit", "forest.score", "traffic.generate", "votes.tally", "ledger.append", "ledger.verify"]
TOLERANCE = 0.05


def refs(runner: pathlib.Path, kernel: str, times: int) -> int:
    command = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    done = subprocess.run([*command, runner, "bench", kernel, "--repeat", str(times)], capture_output=True, text=True)
    found = re.search(r"I\s+refs:\s+([\d,]+)", done.stderr)
    if done.returncode or not found:
        sys.exit(f"{kernel} failed under valgrind:\n{done.stderr}")
    return int(found[1].replace(",", ""))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bless", action="store_true")
    parser.add_argument("--runner", default=ROOT / "target/release/runner", type=pathlib.Path)
    args = parser.parse_args()
    cpu = pathlib.Path("/proc/cpuinfo")
    if not shutil.which("valgrind") or " avx2" not in (cpu.read_text() if cpu.exists() else ""):
        return print("SKIPPED: instructions are counted by valgrind on a processor with AVX2, and one of them is missing")
    saved = json.loads(SAVED.read_text()) if SAVED.exists() else {}
    counts, grown, shrunk = {}, [], []
    print(f"{'instructions':20} {'saved':>14} {'now':>14} {'change':>8}")
    for kernel in KERNELS:
        counts[kernel] = (refs(args.runner, kernel, 5) - refs(args.runner, kernel, 1)) // 4
        before = saved.get(kernel)
        change = counts[kernel] / before - 1 if before else 0.0
        print(f"{kernel:20} {before or 0:>14,} {counts[kernel]:>14,} {change:>+8.1%}", flush=True)
        if before is None or change > TOLERANCE:
            grown.append(kernel)
        elif change < -TOLERANCE:
            shrunk.append(kernel)
    if args.bless:
        SAVED.write_text(json.dumps(counts, indent=1) + "\n")
        return
    if shrunk:
        print(f"shrank by more than {TOLERANCE:.0%}: {', '.join(shrunk)}; --bless, so that it stays so")
    if grown:
        sys.exit(f"grew by more than {TOLERANCE:.0%}, or are new: {', '.join(grown)}; find out why, or --bless and say so")


if __name__ == "__main__":
    main()
