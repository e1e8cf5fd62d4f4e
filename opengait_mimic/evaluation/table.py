"""Tables of methods: occluded accuracy, RP, and the HP it is relative to."""

from __future__ import annotations


def method_rows(tests: dict[str, dict[str, float]], methods: dict[str, str]) -> list[dict]:
    """The results of several tests as rows.

    Args:
        tests: metrics of each test by configuration ("test_accuracy/Rank-1": …). "teacher" is the holistic
            network on whole clips and gives HP; "baseline1" is the same on occluded clips.
        methods: {configuration: what to call it}, in the order of the rows.
    Returns:
        For each method {"method", "metrics": {name: {"occluded", "own_whole", "HP", "RP"}}}, in percent but RP.
    """
    holistic = _accuracies(tests["teacher"])
    rows = []
    for name, title in methods.items():
        own = holistic if name == "baseline1" else _named(tests[name], "holistic/")
        metrics = {}
        for metric, occluded in _accuracies(tests[name]).items():
            hp = holistic[metric]
            rp = occluded / hp if hp > 0 else None
            metrics[metric] = {"occluded": occluded, "own_whole": own[metric], "HP": hp, "RP": rp}
        rows.append({"method": title, "metrics": metrics})
    return rows


def markdown_table(rows: list[dict]) -> str:
    """The rows as a Markdown table: occluded accuracy with RP in brackets, as in the paper's Table 1."""
    names = list(rows[0]["metrics"])
    header = ["method", *(f"occluded {n} (RP)" for n in names), *(f"own whole {n}" for n in names[:1])]
    lines = []
    for row in rows:
        cells = [row["method"]]
        for name in names:
            m = row["metrics"][name]
            cells.append(f"{m['occluded']:.1f} ({'-' if m['RP'] is None else format(m['RP'], '.2f')})")
        cells.append(f"{row['metrics'][names[0]]['own_whole']:.1f}")
        lines.append(cells)
    widths = [max(len(line[i]) for line in [header, *lines]) for i in range(len(header))]
    text = ["| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |"
            for line in [header, ["-" * w for w in widths], *lines]]  # fmt: skip
    hp = ", ".join(f"{n} {rows[0]['metrics'][n]['HP']:.1f}" for n in names)
    return "\n".join([*text, "", f"HP, the teacher on whole clips: {hp}. Accuracies in percent; RP = occluded / HP."])


def _accuracies(test: dict[str, float]) -> dict[str, float]:
    return _named(test, "test_accuracy/")


def _named(test: dict[str, float], prefix: str) -> dict[str, float]:
    return {key.removeprefix(prefix): value for key, value in test.items() if key.startswith(prefix)}
