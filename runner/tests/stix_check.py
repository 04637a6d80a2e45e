"""Validates STIX bundles of `runner ledger export --format stix` with the OASIS library.

    python3 stix_check.py BUNDLE.json…     (pip install stix2==3.0.1)

Every object has to parse as the class of its type without custom content, patterns by the pattern grammar, and
references have to lead to objects of the bundle.
"""
import json
import sys

import stix2

for file in sys.argv[1:]:
    text = open(file).read()
    bundle = stix2.parse(text, allow_custom=False, version="2.1")
    ids = {o["id"] for o in bundle.objects}
    assert len(ids) == len(bundle.objects), "ids are unique"
    kinds = {}
    for o in json.loads(text)["objects"]:
        kinds[o["type"]] = kinds.get(o["type"], 0) + 1
        for name, value in o.items():
            if name.endswith("_ref") or name.endswith("_refs"):
                for ref in [value] if isinstance(value, str) else value:
                    assert ref in ids, f"{o['id']}: {name} leads nowhere"
    for kind in ("identity", "indicator", "sighting", "opinion", "marking-definition"):
        assert kinds.get(kind), f"the bundle has no {kind}"
    print(file, "is a valid STIX 2.1 bundle:", ", ".join(f"{n} {k}" for k, n in sorted(kinds.items())))
