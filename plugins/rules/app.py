"""A detector of rules written by hand: the score of a row is the share of rules that hold.

Setting `rules`: comparisons of features with numbers, `and` between them, `;` between rules:
"bytes_out > 12 and packets <= 3; port < 1024". A detector of rules learns nothing.
"""

import operator

from wit_world import exports
from wit_world.exports import detector
from componentize_py_types import Err

COMPARISONS = {
    ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "==": operator.eq, "!=": operator.ne,
}


def clause(text, columns):
    """`feature comparison number` as (position, comparison, number)."""
    words = text.split()
    if len(words) != 3 or words[1] not in COMPARISONS:
        raise Err(f"`{text.strip()}` is no comparison: write `feature > number`")
    if words[0] not in columns:
        raise Err(f"there is no feature `{words[0]}`: there are {', '.join(columns)}")
    try:
        return columns.index(words[0]), COMPARISONS[words[1]], float(words[2])
    except ValueError:
        raise Err(f"`{words[2]}` is no number")


class Detector(exports.Detector):
    width = 1
    rules = []

    def describe(self):
        return detector.Info(name="rules", version="0.1.0", learning=detector.Learning.BATCH)

    def init(self, config, columns, seed):
        Detector.width = len(columns)
        Detector.rules = []
        for setting in config:
            if setting.name != "rules" or not isinstance(setting.value, detector.Value_Text):
                raise Err("the only setting is `rules`, a text")
            for rule in setting.value.value.split(";"):
                Detector.rules.append([clause(part, columns) for part in rule.split(" and ")])

    def fit(self, rows):
        pass

    def update(self, rows):
        pass

    def score(self, rows):
        width, rules = Detector.width, Detector.rules
        if not rules:
            return [0.0] * (len(rows) // width)
        holds = lambda row, rule: all(compare(row[at], limit) for at, compare, limit in rule)
        batch = (rows[start:start + width] for start in range(0, len(rows), width))
        return [sum(holds(row, rule) for rule in rules) / len(rules) for row in batch]

    def save(self):
        return b""

    def load(self, state):
        if state:
            raise Err("a detector of rules has no state")
