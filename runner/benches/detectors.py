#!/usr/bin/env python3
"""Runs our isolation forest beside those of scikit-learn and isotree and prints the three with their ratios.

    python3 runner/benches/detectors.py [--rounds 7] [--sets 10_cover,16_http]

Makes a virtual environment in target/peer (PyPI packages scikit-learn, isotree, numpy, pandas, which isotree needs; isotree is compiled) and builds
the runner in release mode. Each forest has 100 trees of 256 rows, is fitted to the whole set and scores it, on one
thread. All three take turns, round by round, so that a busy machine slows all alike. Figures are processor time: fit in
milliseconds, scores in rows per CPU-second; medians, with the best round beside them. The peers get float32 and
column-major arrays, respectively, as each of them likes best, made before the clock starts.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import venv

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = pathlib.Path(os.environ.get("PHALANX_DATA", ROOT.parent / "shared/data"))
TREES, SAMPLE = 100, 256
NAMES = {"ours": "phalanx", "sk": "scikit-learn", "iso": "isotree"}


def peer_python() -> pathlib.Path:
    home = ROOT / "target/peer"
    python = home / "bin/python"
    if not python.exists():
        venv.create(home, with_pip=True)
    if subprocess.run([python, "-c", "import sklearn, isotree"], capture_output=True).returncode:
        subprocess.run([python, "-m", "pip", "-q", "install", "scikit-learn", "isotree", "numpy", "pandas"], check=True)
    return python


def serve_peers(path: str) -> None:
    """Runs inside the environment: a line with the name of a peer in, a line with its two times out."""
    import time
    import warnings

    import numpy
    import sklearn
    from importlib.metadata import version
    from isotree import IsolationForest as Isotree
    from sklearn.ensemble import IsolationForest as Sklearn

    warnings.simplefilter("ignore")
    samples = numpy.load(path, allow_pickle=True)["X"]
    layouts = {"sk": samples.astype(numpy.float32, order="C"), "iso": samples.astype(numpy.float64, order="F")}
    made = {
        "sk": lambda seed: Sklearn(n_estimators=TREES, max_samples=SAMPLE, n_jobs=1, random_state=seed),
        "iso": lambda seed: Isotree(ntrees=TREES, sample_size=SAMPLE, ndim=1, missing_action="fail", nthreads=1,
                                    random_seed=seed),
    }
    score = {"sk": lambda forest, x: forest.score_samples(x), "iso": lambda forest, x: forest.predict(x)}
    print(json.dumps({"sk": sklearn.__version__, "iso": version("isotree")}), flush=True)
    for seed, peer in enumerate((line.strip() for line in sys.stdin), 1):
        rows, start = layouts[peer], time.process_time()
        forest = made[peer](seed).fit(rows)
        fitted = time.process_time()
        score[peer](forest, rows)
        end = time.process_time()
        print(json.dumps({"fit_ms": (fitted - start) * 1e3, "rows_per_s": len(rows) / (end - fitted)}), flush=True)


def run_ours(runner: pathlib.Path, path: pathlib.Path) -> dict:
    detector = f"isolation_forest:trees={TREES},sample={SAMPLE}"
    # Every turn is a new process; the peers' process stays, so ours warms up as well.
    command = [runner, "-q", "detect", "bench", path, "--rounds", "3", "--json", "--detector", detector]
    document = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    figures = document["detectors"][0]
    return {"rows": document["rows"], **{key: figures[key]["median"] for key in ("fit_ms", "rows_per_s")}}


def compare(name: str, rounds: int, python: pathlib.Path, runner: pathlib.Path) -> bool:
    path = DATA / f"adbench/{name}.npz"
    env = dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    peers = subprocess.Popen([python, __file__, "--serve", path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             text=True, env=env)
    versions = json.loads(peers.stdout.readline())

    def run_peer(peer: str) -> dict:
        peers.stdin.write(peer + "\n")
        peers.stdin.flush()
        return json.loads(peers.stdout.readline())

    taken = {key: [] for key in NAMES}
    for turn in range(rounds + 1):
        ours = run_ours(runner, path)
        measured = {"ours": ours, "sk": run_peer("sk"), "iso": run_peer("iso")}
        # The first round warms caches and Python up.
        for key in NAMES if turn else ():
            taken[key].append(measured[key])
    peers.stdin.close()
    peers.wait()

    median = {key: {figure: statistics.median(round_[figure] for round_ in rounds_)
                    for figure in ("fit_ms", "rows_per_s")} for key, rounds_ in taken.items()}
    print(f"\n{name}, {ours['rows']:,} rows, {TREES} trees x {SAMPLE}, one thread, {rounds} rounds")
    print(f"{'':20} {'fit ms':>9} {'best':>9} {'x ours':>7}   {'rows/CPU-s':>12} {'best':>12} {'ours x':>7}")
    for key, title in NAMES.items():
        best = min(r["fit_ms"] for r in taken[key]), max(r["rows_per_s"] for r in taken[key])
        slower = median[key]["fit_ms"] / median["ours"]["fit_ms"], median["ours"]["rows_per_s"] / median[key]["rows_per_s"]
        print(f"{title + ' ' + versions.get(key, ''):20} {median[key]['fit_ms']:>9.2f} {best[0]:>9.2f} {slower[0]:>7.1f}   "
              f"{median[key]['rows_per_s']:>12,.0f} {best[1]:>12,.0f} {slower[1]:>7.1f}", flush=True)
    faster = max(median["sk"]["rows_per_s"], median["iso"]["rows_per_s"])
    goals = [
        ("score, over the faster peer", median["ours"]["rows_per_s"] / faster, 5),
        ("fit, over isotree", median["iso"]["fit_ms"] / median["ours"]["fit_ms"], 5),
        ("fit, over scikit-learn", median["sk"]["fit_ms"] / median["ours"]["fit_ms"], 50),
    ]
    for title, ratio, goal in goals:
        print(f"  {title:28} {ratio:>7.1f} x, goal {goal:>2}: {'reached' if ratio >= goal else 'MISSED'}")
    return all(ratio >= goal for _, ratio, goal in goals)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--sets", default="10_cover,16_http")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        return serve_peers(args.serve)
    if not (DATA / "adbench").is_dir():
        sys.exit(f"{DATA}/adbench is missing: set PHALANX_DATA to the folder of the data sets")
    python = peer_python()
    if not os.environ.get("NOBUILD"): subprocess.run(["cargo", "build", "--release", "--quiet", "-p", "phalanx-runner"], cwd=ROOT, check=True)
    runner = ROOT / "target/release/runner"
    reached = [compare(name, args.rounds, python, runner) for name in args.sets.split(",")]
    sys.exit(0 if all(reached) else 1)


if __name__ == "__main__":
    main()
