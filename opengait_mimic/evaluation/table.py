"""The demo's table: what each method keeps of the holistic accuracy."""

from __future__ import annotations

SHOWN = ("Rank-1", "Rank-5")


def method_row(result: dict) -> dict:
    """A result file's row: its method and, by metric, occluded, own_whole, HP and RP."""
    test = result["tests"][0]
    metrics = {}
    for name in SHOWN:
        score = test["scores"][name]
        metrics[name] = {"occluded": score["mean"], "own_whole": result["holistic"]["own"][name]}
        metrics[name] |= {key: score[key] for key in ("HP", "RP", "RP_interval")}
    return {"method": result["method"], "metrics": metrics}


def cells(row: dict) -> list[str]:
    """A row as it is read: method, occluded accuracies with RP in brackets, its own on holistic clips."""
    read = [row["method"]]
    for name in SHOWN:
        m = row["metrics"][name]
        read.append(f"{m['occluded']:.1f} ({'-' if m['RP'] is None else format(m['RP'], '.2f')})")
    return [*read, f"{row['metrics'][SHOWN[0]]['own_whole']:.1f}"]


def markdown_table(rows: list[dict]) -> str:
    """The rows as a Markdown table: occluded accuracy with RP in brackets, as in the paper's Table 1."""
    header = ["method", *(f"occluded {n} (RP)" for n in SHOWN), f"own holistic {SHOWN[0]}"]
    lines = [cells(row) for row in rows]
    widths = [max(len(line[i]) for line in [header, *lines]) for i in range(len(header))]
    text = ["| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |"
            for line in [header, ["-" * w for w in widths], *lines]]  # fmt: skip
    hp = ", ".join(f"{n} {rows[0]['metrics'][n]['HP']:.1f}" for n in SHOWN)
    return "\n".join(
        [*text, "", f"HP, the teacher on holistic clips: {hp}. Accuracies in percent; RP = occluded / HP."]
    )
