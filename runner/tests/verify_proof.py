"""Checks proofs of `runner ledger prove`, and sealed files, with hashlib alone: RFC 9162, sections 2.1.3.2 and 2.1.4.2.

    python3 verify_proof.py ROOT_HEX PROOF.json | --sealed FILE
"""
import hashlib, json, sys


def H(data): return hashlib.sha256(data).digest()
def node(left, right): return H(b"\x01" + left + right)


def inclusion(entry, index, size, path, root):
    if index >= size: return False
    fn, sn, r = index, size - 1, H(b"\x00" + entry)
    for p in path:
        if sn == 0: return False
        if fn & 1 or fn == sn:
            r = node(p, r)
            while not fn & 1 and fn: fn, sn = fn >> 1, sn >> 1
        else:
            r = node(r, p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == root


def consistency(old, size, path, old_root, root):
    if old == size: return not path and old_root == root
    if not 0 < old < size: return False
    if old & (old - 1) == 0: path = [old_root] + path
    if not path: return False
    fn, sn = old - 1, size - 1
    while fn & 1: fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0: return False
        if fn & 1 or fn == sn:
            fr, sr = node(c, fr), node(c, sr)
            while not fn & 1 and fn: fn, sn = fn >> 1, sn >> 1
        else:
            sr = node(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == old_root and sr == root


def sealed(file, root):
    data = open(file, "rb").read()
    assert data.startswith(b"phalanx sealed ledger v1\n")
    at = 25 + 2 + int.from_bytes(data[25:27], "big")
    size, stack = int.from_bytes(data[28:36], "big"), []
    for i in range(size):
        n = int.from_bytes(data[at:at + 2], "big")
        h, at, j = H(b"\x00" + data[at + 10:at + 10 + n]), at + 10 + n, i
        while j & 1: h, j = node(stack.pop(), h), j >> 1
        stack.append(h)
    while len(stack) > 1: stack[-2:] = [node(stack[-2], stack[-1])]
    return at == len(data) and stack[0] == root == data[36:68]


root = bytes.fromhex(sys.argv[1])
if sys.argv[2] == "--sealed":
    ok = sealed(sys.argv[3], root)
else:
    p = json.load(open(sys.argv[2]))
    path = [bytes.fromhex(h) for h in p["path"]]
    if p["proof"] == "inclusion":
        ok = inclusion(bytes.fromhex(p["entry"]), p["index"], p["size"], path, root)
    else:
        ok = consistency(p["old_size"], p["size"], path, bytes.fromhex(p["old_root"]), root)
sys.exit(0 if ok else 1)
