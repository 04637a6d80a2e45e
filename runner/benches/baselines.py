#!/usr/bin/env python3
"""Prints ROC-AUC of our detectors beside the reference implementations', set by set.

    python3 runner/benches/baselines.py [BASELINES.md] [--sets 2_annthyroid,6_cardio] [--detectors ecod,knn]

The references are the tables of BASELINES.md (default: ../shared/baselines.md), measured with scikit-learn, isotree,
PyOD, river and rrcf; ours come from `runner detect score` on the same data, 10 seeds, built in release mode. Streams
(half-space trees, random cut forest) are scored each row before it is learnt from, on three shuffled sub-samples of
20,000 and 1,000 rows, as the references were; numpy draws those, in a virtual environment in target/numpy. `ok`: not
more than 0.02 below the reference, or than three standard errors of the difference of the means; `ABOVE`: more than
0.02 above it.
"""
import argparse
import json
import math
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import venv

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = pathlib.Path(os.environ.get("PHALANX_DATA", ROOT.parent / "shared/data"))
RUNNER = ROOT / "target/release/runner"
# Name of the column, our detector, and for streams the rows of a sub-sample.
COLUMNS = {
    "sk_if": ("isolation_forest", 0),
    "iso_if": ("isolation_forest", 0),
    "iso_eif": ("extended_forest:scaling=none,per_node=false", 0),
    "iso_eif_std": ("extended_forest", 0),
    "ecod": ("ecod", 0),
    "ecod_ind": ("ecod", 0),
    "copod": ("copod", 0),
    "hbos": ("hbos", 0),
    "loda": ("loda", 0),
    "knn": ("knn:neighbours=6", 0),
    "hst": ("half_space_trees", 20_000),
    "rrcf": ("random_cut_forest:trees=40,window=256", 1_000),
}


def number(cell: str) -> tuple[float, float] | None:
    """`.861±.008` or `1.00` as mean and standard deviation."""
    match = re.fullmatch(r"(\d?\.\d+)(?:±(\.\d+))?", cell.strip())
    return match and (float(match[1]), float(match[2] or 0))


def adbench(text: str) -> dict:
    """{set: {column: (mean, sd)}} of the first table of section 3."""
    table = re.search(r"^\| set \|.*?\n\n", text[text.index("ROC-AUC\n"):], re.S | re.M)[0].strip().splitlines()
    names = [cell.strip() for cell in table[0].strip("|").split("|")][1:]
    rows = (line.strip("|").split("|") for line in table[2:])
    return {row[0].strip(): {name: number(cell) for name, cell in zip(names, row[1:])} for row in rows}


def score(path: pathlib.Path, detector: str, seeds: int, *flags: str) -> dict:
    """Mean and standard deviation of ROC-AUC over seeds."""
    command = [RUNNER, "-q", "detect", "score", path, "--detector", detector, "--seeds", str(seeds), "--json", *flags]
    document = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return document["detectors"][0]["roc_auc"]


def numpy_python() -> pathlib.Path:
    home = ROOT / "target/numpy"
    python = home / "bin/python"
    if not python.exists():
        venv.create(home, with_pip=True)
        subprocess.run([python, "-m", "pip", "-q", "install", "numpy"], check=True)
    return python


SHUFFLE = """
import sys, numpy
path, size, seed, out = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
data, draws = numpy.load(path, allow_pickle=True), numpy.random.default_rng(seed)
rows, labels = data["X"], data["y"].ravel()
taken = draws.permutation(len(rows))[:size]
if labels[taken].sum() < 2:
    taken[:5] = numpy.flatnonzero(labels)[:5]
    draws.shuffle(taken)
numpy.savez(out, X=rows[taken], y=labels[taken])
"""


def score_stream(path: pathlib.Path, detector: str, size: int, seeds: int) -> dict:
    """The same over shuffled sub-samples."""
    python, values = numpy_python(), []
    with tempfile.TemporaryDirectory() as folder:
        sample = pathlib.Path(folder) / "sample.npz"
        for seed in range(seeds):
            subprocess.run([python, "-c", SHUFFLE, path, str(size), str(seed), sample], check=True)
            values.append(score(sample, detector, 1, "--stream")["mean"])
    return {"mean": statistics.mean(values), "sd": statistics.stdev(values)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("baselines", nargs="?", default=ROOT.parent / "shared/baselines.md", type=pathlib.Path)
    parser.add_argument("--sets", default="")
    parser.add_argument("--detectors", default="")
    args = parser.parse_args()
    if not (DATA / "adbench").is_dir() or not args.baselines.is_file():
        sys.exit(f"{DATA}/adbench or {args.baselines} is missing: set PHALANX_DATA, or name the file of the baselines")
    subprocess.run(["cargo", "build", "--release", "--locked", "--quiet"], cwd=ROOT, check=True)
    references = adbench(args.baselines.read_text())
    chosen, wanted = args.sets.split(",") if args.sets else list(references), args.detectors.split(",")
    taken, below = {}, 0
    print(f"{'set':16} {'detector':46} {'ours':>12}  {'reference':>24}  {'difference':>10}")
    for name in chosen:
        path = DATA / f"adbench/{name}.npz"
        for column, (detector, size) in COLUMNS.items():
            reference = references[name].get(column)
            if not reference or (args.detectors and detector.split(":")[0] not in wanted):
                continue
            if (name, detector) not in taken:
                seeds = 3 if size else 10
                scored = score_stream(path, detector, size, seeds) if size else score(path, detector, seeds)
                taken[name, detector] = scored, seeds
            ours, seeds = taken[name, detector]
            difference = ours["mean"] - reference[0]
            error = 3 * math.hypot(ours["sd"] or 0, reference[1]) / math.sqrt(seeds)
            verdict = "ABOVE" if difference > 0.02 else "ok" if -difference <= max(0.02, error) else "BELOW"
            below += verdict == "BELOW"
            print(f"{name:16} {detector:46} {ours['mean']:.3f}±{ours['sd'] or 0:.3f}   "
                  f"{column:>12} {reference[0]:.3f}±{reference[1]:.3f}  {difference:>+10.3f}  "
                  f"{verdict}", flush=True)
    print(f"\n{below} figures below their reference" if below else "\nno figure below its reference")
    if not args.detectors and not args.sets:
        means = {"ensemble": [], "isolation_forest": [], "kurtosis_forest": []}
        for name in references:
            for detector in means:
                means[detector].append(score(DATA / f"adbench/{name}.npz", detector, 3)["mean"])
        for detector, values in means.items():
            print(f"mean over {len(values)} sets, {detector}: {sum(values) / len(values):.4f}")
    sys.exit(1 if below else 0)


if __name__ == "__main__":
    main()
