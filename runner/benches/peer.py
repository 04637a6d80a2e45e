#!/usr/bin/env python3
"""Runs the clean-room Mesa + scikit-learn program beside classic.ron and prints the ratio of their speeds.

    python3 runner/benches/peer.py [--agents 100] [--steps 5] [--rounds 3]

Makes a virtual environment in target/peer-mesa (PyPI packages mesa, scikit-learn, numpy, joblib) and builds the runner in
release mode. Both programs run on one thread and in turn, round by round, so that a busy machine slows both. The
figures are agent-ticks per CPU-second: for the peer without its initialisation (as it reports it), for us with
everything (process start, first models, ledger, output files), and of the ticks after the first alone.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import venv

ROOT = pathlib.Path(__file__).resolve().parents[2]
PEER = pathlib.Path(os.environ.get("PHALANX_PEER", ROOT.parent / "shared/peers/mesa_baseline.py"))


def peer_python() -> pathlib.Path:
    home = ROOT / "target/peer-mesa"
    python = home / "bin/python"
    if not python.exists():
        venv.create(home, with_pip=True)
        subprocess.run([python, "-m", "pip", "-q", "install", "mesa", "scikit-learn", "numpy", "joblib"], check=True)
    return python


def run_peer(python: pathlib.Path, agents: int, steps: int, seed: int) -> dict:
    env = dict(os.environ, OMP_NUM_THREADS="1")
    command = [python, PEER, "--agents", str(agents), "--steps", str(steps), "--seed", str(seed)]
    out = json.loads(subprocess.run(command, check=True, capture_output=True, env=env).stdout)
    return {"speed": out["agent_steps_per_cpu_s"], "f1": out["f1"], "rss_mb": out["rss_mb"],
            "confirmed": out["confirmed_signatures"] / out["published_signatures"]}


def run_ours(runner: pathlib.Path, agents: int, steps: int, seed: int) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        command = [runner, "run", ROOT / "scenarios/classic.ron", "--seed", str(seed), "--threads", "1", "--json",
                   "--progress", "none", "--set", f"agents={agents}", "--set", f"ticks={steps}",
                   "--out", pathlib.Path(folder) / "out"]
        process = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE)
        text = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"runner failed with exit code {process.returncode}")
    record = json.loads(text)["runs"][0]
    signatures = record["signatures"]
    return {"cpu_s": usage.ru_utime + usage.ru_stime, "f1": record["detection"]["f1"],
            "rss_mb": usage.ru_maxrss / 1024, "confirmed": signatures["confirmed"] / signatures["reported"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--agents", type=int, default=100)
    parser.add_argument("--steps", type=int, default=5, help="at least 2")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    if args.steps < 2:
        parser.error("--steps must be at least 2")
    if not PEER.exists():
        sys.exit(f"{PEER} is missing: set PHALANX_PEER to mesa_baseline.py")
    subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=ROOT, check=True)
    python, runner = peer_python(), ROOT / "target/release/runner"
    rows = []
    print(f"classic, {args.agents} agents x {args.steps} ticks, one thread, agent-ticks per CPU-second")
    print(f"{'round':>5} {'mesa':>9} {'phalanx':>9} {'ratio':>7} {'ticks':>9} {'ratio':>7}   {'F1 mesa':>8} {'phalanx':>8}   "
          f"{'confirmed':>9} {'phalanx':>8}   {'MB mesa':>8} {'phalanx':>8}")
    for seed in range(1, args.rounds + 1):
        a, b = run_peer(python, args.agents, args.steps, seed), run_ours(runner, args.agents, args.steps, seed)
        first = run_ours(runner, args.agents, 1, seed)
        whole = args.agents * args.steps / b["cpu_s"]
        ticks = args.agents * (args.steps - 1) / (b["cpu_s"] - first["cpu_s"])
        rows.append((whole / a["speed"], ticks / a["speed"]))
        print(f"{seed:>5} {a['speed']:>9.2f} {whole:>9.1f} {rows[-1][0]:>7.1f} {ticks:>9.1f} {rows[-1][1]:>7.1f}   "
              f"{a['f1']:>8.3f} {b['f1']:>8.3f}   {a['confirmed']:>9.3f} {b['confirmed']:>8.3f}   "
              f"{a['rss_mb']:>8.0f} {b['rss_mb']:>8.0f}", flush=True)
    print("median ratios {:.1f}, of ticks alone {:.1f}".format(*map(statistics.median, zip(*rows))))


if __name__ == "__main__":
    main()
