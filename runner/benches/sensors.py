#!/usr/bin/env python3
"""Compares the flows that `runner capture` puts packets together to with those of Argus and softflowd.

    python3 runner/benches/sensors.py [--runner target/release/runner] [TRACE.pcap …]

Needs Debian's packages argus-server, argus-client and softflowd. Traces are those of ../shared/data/pcap, or of
$PHALANX_DATA/pcap. Argus writes a binetflow file of each, softflowd exports it as NetFlow v5, NetFlow v9 and IPFIX, and
the runner reads all of these. By the ends of flows (protocol, addresses, ports) it compares packets and bytes of each
direction. Packets have to be equal; bytes too, but for the padding of short frames, which softflowd counts. How often the
same ends have talked is a matter of timeouts. IGMP is left out beside Argus, which takes a field of IGMPv3 for the
destination. Ends with 1 if ends or packets differ.
"""
import argparse
import collections
import csv
import io
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = pathlib.Path(os.environ.get("PHALANX_DATA", ROOT.parent / "shared/data")) / "pcap"
PORT = 29_055
# A frame has at least 46 bytes behind its header, an IP packet at least 20.
PADDING_MAX = 26


def argus(trace: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    raw, flows = folder / "argus", folder / "flows.binetflow"
    # Argus goes on writing a file that is there.
    raw.unlink(missing_ok=True)
    # No report of a flow before its end.
    subprocess.run(["argus", "-F", "/dev/null", "-S", "3600", "-r", trace, "-w", raw], check=True, capture_output=True)
    fields = "stime dur proto saddr sport dir daddr dport state stos dtos pkts bytes spkts sbytes".split()
    ra = ["ra", "-F", "/dev/null", "-u", "-p", "6", "-n", "-c", ",", "-r", raw, "-s", *fields, "-", "ip"]
    flows.write_bytes(subprocess.run(ra, check=True, capture_output=True).stdout)
    return flows


def softflowd(trace: pathlib.Path, folder: pathlib.Path, version: str) -> pathlib.Path:
    flows = folder / f"v{version}"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as collector:
        collector.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        collector.bind(("127.0.0.1", PORT))
        collector.settimeout(0.5)
        timeouts = [f"-t{name}=60" for name in ("general", "tcp", "tcp.rst", "tcp.fin", "udp", "icmp")]
        subprocess.run(
            ["softflowd", "-a", "-d", "-c", "none", "-p", folder / "pid", "-r", trace, "-v", version, *timeouts,
             "-tmaxlife=3600", "-n", f"127.0.0.1:{PORT}"],
            check=True, capture_output=True, timeout=60)
        with flows.open("wb") as file:
            try:
                while True:
                    file.write(collector.recv(65_535))
            except TimeoutError:
                pass
    return flows


def read(runner: pathlib.Path, file: pathlib.Path) -> list[dict[str, str]]:
    command = [runner, "capture", "convert", file, "--to", "csv", "--both-ways", "-q"]
    return list(csv.DictReader(io.StringIO(subprocess.run(command, check=True, capture_output=True, text=True).stdout)))


def by_ends(flows: list[dict[str, str]]) -> dict[tuple, list[int]]:
    """Packets and bytes from the lower end, then from the higher one."""
    sums = collections.defaultdict(lambda: [0, 0, 0, 0])
    for flow in flows:
        number = lambda name: int(flow[name] or 0)
        ends = [(flow["source"], flow["source_port"]), (flow["destination"], flow["destination_port"])]
        ways = [[number(f"{way}_packets"), number(f"{way}_bytes")] for way in ("sent", "received")]
        if ends[0] > ends[1]:
            ends.reverse()
            ways.reverse()
        key = (flow["protocol"], *ends)
        sums[key] = [a + b for a, b in zip(sums[key], ways[0] + ways[1])]
    return sums


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runner", type=pathlib.Path)
    parser.add_argument("traces", nargs="*", type=pathlib.Path)
    args = parser.parse_args()
    missing = [name for name in ("argus", "ra", "softflowd") if not shutil.which(name)]
    if missing:
        sys.exit(f"{', '.join(missing)} not found: apt-get install argus-server argus-client softflowd")
    traces = args.traces or sorted(DATA.glob("*.pcap"))
    if not traces:
        sys.exit(f"no traces in {DATA}: set PHALANX_DATA to the folder that has pcap/, or name some")
    runner = args.runner
    if runner is None:
        subprocess.run(["cargo", "build", "--release", "--locked", "--bin", "runner"], cwd=ROOT, check=True)
        runner = ROOT / "target/release/runner"
    columns = "{:<24}{:<12}{:>8}{:>8}{:>8}{:>8}{:>10}{:>10}{:>14}"
    print(columns.format("trace", "sensor", "flows", "its", "ends", "its", "packets", "its", "bytes"))
    unlike = 0
    for trace in traces:
        packets = read(runner, trace)
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            sensors = [("Argus", argus(trace, folder))]
            sensors += [(label, softflowd(trace, folder, v)) for v, label in (("5", "NetFlow v5"), ("9", "NetFlow v9"), ("10", "IPFIX"))]
            for label, file in sensors:
                # Addresses of IPv6 are not kept, and NetFlow v5 has none.
                told = {"NetFlow v5": lambda flow: flow["source"], "Argus": lambda flow: flow["protocol"] != "2"}
                told = told.get(label, lambda flow: True)
                ours, theirs = list(filter(told, packets)), list(filter(told, read(runner, file)))
                a, b = by_ends(ours), by_ends(theirs)
                total = lambda sums: sum(sum(counts[::2]) for counts in sums.values())
                same_packets = a.keys() == b.keys() and all(a[key][::2] == b[key][::2] for key in a)
                padded = sum(sum(b[key][1::2]) - sum(a[key][1::2]) for key in a if key in b)
                fits = all(0 <= y - x <= PADDING_MAX * n for key in a if key in b
                           for n, x, y in zip(a[key][::2], a[key][1::2], b[key][1::2]))
                bytes_told = "DIFFER" if not fits else f"+{padded} padding" if padded else "equal"
                unlike += not (same_packets and fits)
                print(columns.format(trace.stem, label, len(ours), len(theirs), len(a), len(b), total(a), total(b), bytes_told)
                      + ("" if same_packets else "  DIFFER"))
    sys.exit(1 if unlike else 0)


if __name__ == "__main__":
    main()
