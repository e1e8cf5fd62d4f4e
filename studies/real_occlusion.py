"""Does a VEN trained on synthetic occlusions see real ones?

Trains narrow VENs on generated and recorded walkers under several lists of kinds, runs them over silhouettes of real
pedestrians whose frames are marked clear, merged with another person, or partly hidden, and writes the areas under
the ROC curves beside those of trivial measures, with pictures:

    python studies/real_occlusion.py FOLDER --out docs/results
"""

from __future__ import annotations

import json
import platform
import time
from pathlib import Path

import click
import numpy as np
import torch
import torch.nn.functional as F
import yaml
from PIL import Image, ImageDraw
from scipy.optimize import minimize
from scipy.stats import rankdata
from tqdm import tqdm

from opengait_mimic.data import mocap
from opengait_mimic.method.clips import clip_means
from opengait_mimic.method.losses import visibility
from opengait_mimic.method.occlusion import Mixture, apply_occlusion, mixture, visible_mask
from opengait_mimic.method.ven import VisibilityNetwork
from opengait_mimic.walkers.render import Noise, flesh, silhouettes
from opengait_mimic.walkers.walkers import joints, sample_subject, sample_walk

CLEAR, MERGED, HIDDEN = range(3)
MARKED = {HIDDEN: "partly hidden", MERGED: "merged"}
INPUTS = {"sil": "cropped to what is visible", "sil_box": "in the box of the whole body"}
SIZE, BATCH, RATE = 64, 64, 4e-3
CHANNELS, FEATURE = (8, 16, 32), 64
FRAMES, BLOCK = 5120, 256  # occluded frames that a VEN learns from, and how many are made at a time
BODY = Noise(edge=0.3, holes=0.2, crop=0.5)
DRAWS = 300  # of the bootstrap
AROUND = 2  # frames before and after, for the rows that look at several

PAPER = [{"kind": "top", "prob": 0.33}, {"kind": "bottom", "prob": 0.33}]
SEVEN = [{"kind": kind, "prob": 0.11} for kind in
         ("top", "bottom", "middle", "left", "right", "moving_patch", "moving_pole")]  # fmt: skip
LIFE = [
    {"kind": "crossing_person", "prob": 0.24, "amount": [0.25, 0.7], "merged": True},
    {"kind": "crossing_person", "prob": 0.04, "amount": [0.25, 0.6]},
    {"kind": "outline", "prob": 0.16, "amount": [0.04, 0.35], "merged": True,
     "shapes": ["post", "railing", "tree", "patches"]},
    {"kind": "outline", "prob": 0.06, "amount": [0.15, 0.5]},
    {"kind": "outline", "prob": 0.06, "amount": [0.05, 0.3], "shapes": ["post"]},
    {"kind": "outline", "prob": 0.12, "amount": [0.2, 0.6], "shapes": ["patches"]},
    {"kind": "detector_cut", "prob": 0.04, "amount": [0.2, 0.5]},
]  # fmt: skip
# name -> (kinds, whether frames look as a street camera's do, whether the amount is told by the body)
TRAININGS = {
    "top, bottom (the paper's)": (PAPER, False, False),
    "the paper's seven, street look": (SEVEN, True, False),
    "closer to life, street look": (LIFE, True, False),
    "closer to life, street look, amount by body": (LIFE, True, True),
}
NEARLY_CLEAN = 0.04  # less than this share of a silhouette is not worth a name


# ---- frames to learn from ----------------------------------------------------------------------------------


def bodies(data: Path, seed: int) -> np.ndarray:
    """Whole silhouettes of generated walkers and of recorded walks, from all sides and from above, uint8 [f, 64, 64].

    Every body is seen by a camera of its own, which looks down by 0 to 35 degrees.
    """
    rng = np.random.default_rng(seed)
    return np.concatenate([generated(rng, 300), recorded(rng, data / "cmu-walk")])


def generated(rng: np.random.Generator, people: int) -> np.ndarray:
    """Twelve frames of each of some generated walkers."""
    frames = []
    for _ in range(people):
        positions, build = joints(sample_walk(sample_subject(rng), rng, view=0.0), 36)
        frames.append(_seen_by_a_camera(positions[::3], build, rng))
    return np.concatenate(frames)


def recorded(rng: np.random.Generator, folder: Path) -> np.ndarray:
    """Up to 24 frames of every recorded walk of a folder, from three sides."""
    frames = []
    for path in sorted(folder.glob("*.npz")):
        recording = mocap.load(path)
        build = mocap.build(recording)
        for positions in recording.trials.values():
            for _ in range(3):
                some = mocap.face_forward(positions)[rng.integers(3) :: 6][:24]
                frames.append(_seen_by_a_camera(some, build, rng))
    return np.concatenate(frames)


def _seen_by_a_camera(positions: np.ndarray, build, rng: np.random.Generator) -> np.ndarray:
    around, down = np.deg2rad(rng.uniform(0, 360)), np.deg2rad(rng.uniform(0, 35))
    x, y, z = np.moveaxis(positions, -1, 0)
    x, z = x * np.cos(around) + z * np.sin(around), z * np.cos(around) - x * np.sin(around)
    turned = np.stack([x, y * np.cos(down) - z * np.sin(down), y * np.sin(down) + z * np.cos(down)], axis=-1)
    return silhouettes(flesh(turned.astype(np.float32), build), 0.0, SIZE, BODY, rng)


def warped(frames: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Frames [f, h, w] with boxes that do not quite fit: other sizes, places and widths, a lean, mirrored or not.

    The feet stay at about the lower edge.
    """
    count = len(frames)
    tall, lean = rng.uniform(0.92, 1.04, count), rng.uniform(-0.12, 0.12, count)
    broad = tall * rng.uniform(0.75, 1.1, count) * rng.choice((-1, 1), count)
    right, down = rng.uniform(-0.08, 0.08, count), 1 - 1 / tall - rng.uniform(0, 0.03, count)
    zero = np.zeros(count)
    return sampled(frames, np.stack([1 / broad, lean, right, zero, 1 / tall, down], axis=1))


def thickened(frames: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Frames [f, h, w] as the difference to a background gives them: coarse, and the legs fat for their shadows."""
    level = torch.from_numpy(rng.uniform(0.15, 0.42, (len(frames), 1, 1)).astype(np.float32))
    shadow = torch.from_numpy(rng.uniform(0.1, 0.4, (len(frames), 1, 1)).astype(np.float32))
    down = torch.linspace(-1, 1, SIZE)[None, :, None].clamp(min=0)
    return (blurred(frames, rng.uniform(1.4, 2.6)) > (level - shadow * down).clamp(min=0.06)).float()


def blurred(frames: torch.Tensor, sigma: float) -> torch.Tensor:
    reach = int(3 * sigma) + 1
    kernel = torch.exp(-(torch.arange(-reach, reach + 1) ** 2) / (2 * sigma**2)).float()
    kernel = kernel / kernel.sum()
    soft = F.conv2d(frames[:, None], kernel.view(1, 1, 1, -1), padding=(0, reach))
    return F.conv2d(soft, kernel.view(1, 1, -1, 1), padding=(reach, 0))[:, 0]


def cropped(frames: torch.Tensor) -> torch.Tensor:
    """Frames [f, h, w] as the field crops them: what is bright fills the rows, its median column is the middle one."""
    bright = frames > 0.5
    rows, there = bright.any(2), bright.flatten(1).any(1)
    top = torch.where(there, rows.float().argmax(1), 0).float()
    bottom = torch.where(there, SIZE - rows.flip(1).float().argmax(1), SIZE).float()
    mass = bright.sum(1).cumsum(1)
    middle = torch.where(there, (mass * 2 < mass[:, -1:]).sum(1) + 0.5, SIZE / 2)
    scale, zero = (bottom - top) / SIZE, torch.zeros(len(frames))
    where = [scale, zero, 2 * middle / SIZE - 1, zero, scale, (top + bottom) / SIZE - 1]
    return (sampled(frames, torch.stack(where, dim=1)) > 0.5).float()


def halved(frames: torch.Tensor) -> torch.Tensor:
    """Frames at half of their size, as these small networks see them."""
    return F.avg_pool2d(frames[:, None], 2)[:, 0]


def sampled(frames: torch.Tensor, where) -> torch.Tensor:
    """Frames [f, h, w] through affine maps [f, 6]."""
    maps = torch.as_tensor(where, dtype=torch.float32).view(-1, 2, 3)
    grid = F.affine_grid(maps, (len(frames), 1, SIZE, SIZE), align_corners=False)
    return F.grid_sample(frames[:, None], grid, align_corners=False)[:, 0]


def occluded(
    whole: np.ndarray, kinds: Mixture, street: bool, by_body: bool, rng: np.random.Generator
) -> tuple[torch.Tensor, ...]:
    """FRAMES occluded frames, every second one cropped, the others in the box of the whole body.

    Args:
        whole: uint8 silhouettes to draw from. street: make them look like a street camera's.
        by_body: the amount is not the hidden share of the frame but what is wrong with the silhouette: hidden pixels
            of the body and pixels of somebody else, as a share of all bright ones; hardly any is clean.
    Returns:
        The frames, halved, their kinds [f] and their amounts [f].
    """
    parts = []
    for _ in range(FRAMES // BLOCK):
        frames = torch.from_numpy(whole[rng.integers(len(whole), size=BLOCK)]).float() / 255
        if street:
            frames = thickened(warped(frames, rng), rng)
        plan = kinds.sample([rng] * BLOCK, [np.zeros(1, dtype=np.int64)] * BLOCK, SIZE, SIZE)
        kind, amount = torch.from_numpy(plan.kind), torch.from_numpy(plan.amount)
        painted = apply_occlusion(frames[:, None], plan)[:, 0]
        if by_body:
            visible = torch.from_numpy(visible_mask(plan, SIZE, SIZE))
            either = ((frames > 0.5) | (painted > 0.5)).sum((1, 2))
            amount = 1 - ((frames > 0.5) & visible).sum((1, 2)) / either.clamp(min=1)
            kind = torch.where(amount > NEARLY_CLEAN, kind, 0)
        frames = painted
        if street:
            frames = (blurred(frames, rng.uniform(0.4, 1.0)) > 0.5).float()
        frames[::2] = cropped(frames[::2])
        parts.append((halved(frames), kind, amount))
    return tuple(torch.cat(values) for values in zip(*parts, strict=True))


def trained(
    whole: np.ndarray, kinds: list[dict], street: bool, by_body: bool, seed: int, iterations: int
) -> VisibilityNetwork:
    """A narrow VEN, by the paper's loss."""
    torch.manual_seed(seed)
    mixed = mixture(kinds)
    frames, kind, amount = occluded(whole, mixed, street, by_body, np.random.default_rng([seed, 1]))
    network = VisibilityNetwork(len(mixed.classes), CHANNELS, FEATURE)
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=iterations)
    for _ in tqdm(range(iterations), leave=False, disable=None):
        some = torch.randint(len(frames), (BATCH,))
        seen = network(frames[some, None])
        loss, _, _ = visibility(seen.logits, seen.amount, kind[some], amount[some])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return network.eval()


def kept(folder: Path | None, name: str, seed: int, iterations: int, data: Path) -> VisibilityNetwork:
    """The VEN of a list of kinds, from the folder, or else trained and put there."""
    kinds, street, by_body = TRAININGS[name]
    file = folder and folder / f"{list(TRAININGS).index(name)}-{seed}-{iterations}.pt"
    if file is None or not file.is_file():
        network = trained(bodies(data, seed), kinds, street, by_body, seed, iterations)
        if file is not None:
            folder.mkdir(parents=True, exist_ok=True)
            torch.save(network.state_dict(), file)
        return network
    network = VisibilityNetwork(len(mixture(kinds).classes), CHANNELS, FEATURE)
    network.load_state_dict(torch.load(file, weights_only=True))
    return network.eval()


# ---- what is measured --------------------------------------------------------------------------------------


@torch.no_grad()
def features(network: VisibilityNetwork, frames: np.ndarray) -> torch.Tensor:
    """The penultimate feature of every frame, [f, d]."""
    return torch.cat([network.frames(halved(piece)[:, None]) for piece in torch.from_numpy(frames).split(256)])


@torch.no_grad()
def judged(network: VisibilityNetwork, feature: torch.Tensor, tracks: np.ndarray, around: int = 0) -> dict:
    """What a VEN says of every frame, looking at frames up to `around` before and after it in its track.

    Args:
        feature: of every frame. tracks: [f].
    Returns:
        "amount": [f] the hidden share. "kind": [f] log-odds of any occlusion against none.
    """
    number = np.arange(len(feature))
    near = [number[(tracks == tracks[n]) & (abs(number - n) <= around)] for n in number] if around else number[:, None]
    lengths = torch.tensor([[len(n) for n in near]])
    clips = clip_means(feature[np.concatenate(near)][None], lengths)
    logits = network.kind(clips).double()
    odds = torch.logsumexp(logits[:, 1:], 1) - logits[:, 0]
    return {"amount": network.amount(clips)[:, 0].sigmoid().numpy(), "kind": odds.numpy()}


def area_under_roc(score: np.ndarray, positive: np.ndarray) -> float:
    """The share of pairs (positive, other) of frames [f] that the score puts in order, ties half."""
    count = positive.sum()
    above = rankdata(score)[positive].sum() - count * (count + 1) / 2
    return float(above / (count * (len(positive) - count)))


def both(score: np.ndarray, state: np.ndarray, chosen: np.ndarray) -> dict[str, float]:
    """The areas for frames partly hidden and for merged ones, each against clear ones."""
    found = {}
    for mark, name in MARKED.items():
        frames = chosen & np.isin(state, (mark, CLEAR))
        found[name] = area_under_roc(score[frames], state[frames] == mark)
    return found


def trivial(frames: np.ndarray) -> dict[str, np.ndarray]:
    """Scores [f] that need no network: area and aspect, small or large, or far from the median."""
    area = frames.mean((1, 2))
    aspect = frames.any(1).sum(1) / np.maximum(1, frames.any(2).sum(1))
    scores = {}
    for name, value in (("area", area), ("aspect", aspect)):
        scores |= {f"large {name}": value, f"small {name}": -value, f"odd {name}": abs(value - np.median(value))}
    return scores


def fitted(frames: np.ndarray, state: np.ndarray, tracks: np.ndarray, mark: int) -> np.ndarray:
    """Logistic regression on area, aspect and their squares, taught the real marks of four fifths of the tracks."""
    area, aspect = trivial(frames)["large area"], trivial(frames)["large aspect"]
    inputs = np.stack([area, aspect, area**2, aspect**2, area * aspect], axis=1)
    inputs = np.c_[(inputs - inputs.mean(0)) / inputs.std(0), np.ones(len(inputs))]
    score = np.zeros(len(frames))
    for fold in range(5):
        taught = (tracks % 5 != fold) & ((state == mark) | (state == CLEAR))
        sign = np.where(state[taught] == mark, 1, -1)
        weight = np.where(sign > 0, 0.5 / (sign > 0).mean(), 0.5 / (sign < 0).mean())

        def loss(b, x=inputs[taught], sign=sign, weight=weight):
            return (weight * np.logaddexp(0, -sign * (x @ b))).mean() + 1e-4 * b @ b

        score[tracks % 5 == fold] = inputs[tracks % 5 == fold] @ minimize(loss, np.zeros(inputs.shape[1])).x
    return score


def interval(scores: list[np.ndarray], other: dict[int, np.ndarray], state: np.ndarray, tracks: np.ndarray) -> dict:
    """95 % interval of how much larger the areas of scores (mean over seeds) are than another's.

    By bootstrap over tracks, since frames of a track resemble each other.
    """
    rng = np.random.default_rng(0)
    frames_of = [np.flatnonzero(tracks == track) for track in np.unique(tracks)]
    found = {name: [] for name in MARKED.values()}
    for _ in range(DRAWS):
        drawn = np.concatenate([frames_of[n] for n in rng.integers(len(frames_of), size=len(frames_of))])
        for mark, name in MARKED.items():
            frames = drawn[np.isin(state[drawn], (mark, CLEAR))]
            *ours, theirs = (area_under_roc(s[frames], state[frames] == mark) for s in (*scores, other[mark]))
            found[name].append(np.mean(ours) - theirs)
    return {name: np.percentile(values, [2.5, 97.5]).tolist() for name, values in found.items()}


# ---- the report --------------------------------------------------------------------------------------------


def picture(frames: np.ndarray, state: np.ndarray, amount: np.ndarray, target: Path) -> None:
    """Hits and misses: of each mark the frames that the VEN is surest of, on either side, with its amounts."""
    rows = []
    for mark, name in {**MARKED, CLEAR: "clear"}.items():
        order = np.flatnonzero(state == mark)
        order = order[np.argsort(-amount[order], kind="stable")]
        rows += [
            (f"{name}\nfound hidden", order[:: max(1, len(order) // 60)][:14]),
            (f"{name}\nfound clear", order[-14:]),
        ]
    scale, left, line = 96, 110, 16
    page = Image.new("RGB", (left + 14 * (scale + 6), len(rows) * (scale + line + 6)), "white")
    draw = ImageDraw.Draw(page)
    for row, (name, chosen) in enumerate(rows):
        top = row * (scale + line + 6)
        draw.multiline_text((6, top + 30), name, fill="black")
        for column, frame in enumerate(chosen):
            cell = Image.fromarray((255 * frames[frame]).astype(np.uint8)).resize((scale, scale))
            page.paste(cell, (left + column * (scale + 6), top))
            draw.text(
                (left + column * (scale + 6) + scale // 2, top + scale), f"{amount[frame]:.2f}", "black", anchor="ma"
            )
    page.save(target)


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=Path("docs/results"), show_default=True
)
@click.option("--seeds", default=3, show_default=True)
@click.option("--iterations", default=400, show_default=True)
@click.option(
    "--keep", type=click.Path(file_okay=False, path_type=Path), help="Keep networks here, and do not train them again."
)
@click.option("--only", multiple=True, metavar="TRAINING", help="Some of the lists of kinds; default: all.")
def main(data: Path, out: Path, seeds: int, iterations: int, keep: Path | None, only: tuple[str, ...]) -> None:
    """Train on walkers and on DATA/cmu-walk, measure on DATA/vtest-pedestrians; write real-occlusion.md/.json/.png."""
    torch.set_num_threads(1)
    began = time.time()
    with np.load(data / "vtest-pedestrians" / "pedestrians.npz") as stored:
        state, tracks = stored["state"], np.repeat(np.arange(len(stored["lengths"])), stored["lengths"])
        real = {name: np.unpackbits(stored[name], axis=-1).astype(np.float32) for name in INPUTS}
    every, later = np.ones(len(state), dtype=bool), tracks % 2 == 1
    results = {"iterations": iterations, "seeds": seeds, "python": platform.python_version(),
               "torch": torch.__version__, "frames": np.bincount(state).tolist(), "rows": []}  # fmt: skip

    def row(name: str, view: str, per_seed: list[dict], odd: list[dict], **more) -> None:
        results["rows"].append({"name": name, "input": view, "areas": per_seed, "odd_tracks": odd, **more})
        click.echo(f"{name} | {view} | {_cells(per_seed)} | {_cells(odd)}")

    best, last = {}, {}
    for view, frames in real.items():
        measured = {name: (both(score, state, every), score) for name, score in trivial(frames).items()}
        for name, (areas, score) in measured.items():
            row(name, view, [areas], [both(score, state, later)])
        best[view] = {mark: max(measured.values(), key=lambda m, n=name: m[0][n])[1] for mark, name in MARKED.items()}
        taught = {mark: fitted(frames, state, tracks, mark) for mark in MARKED}
        areas = [{MARKED[m]: both(s, state, chosen)[MARKED[m]] for m, s in taught.items()} for chosen in (every, later)]
        row("area and aspect, taught the real marks", view, areas[:1], areas[1:])
    for name in TRAININGS:
        if only and name not in only:
            continue
        networks = [kept(keep, name, seed, iterations, data) for seed in range(seeds)]
        for view, frames in real.items():
            found = [features(network, frames) for network in networks]
            for around in (0, AROUND):
                said = [judged(*pair, tracks, around) for pair in zip(networks, found, strict=True)]
                for head in said[0]:
                    scores = [one[head] for one in said]
                    row(f"VEN, {name}; {head}, {2 * around + 1} frames", view,
                        [both(score, state, every) for score in scores],
                        [both(score, state, later) for score in scores],
                        more_than_trivial=interval(scores, best[view], state, tracks))  # fmt: skip
                    if (around, head) == (0, "amount"):
                        last[view] = scores[0]
    out.mkdir(parents=True, exist_ok=True)
    for view, frames in real.items():
        picture(frames, state, last[view], out / f"real-occlusion-{view}.png")
    results["minutes"] = round((time.time() - began) / 60, 1)
    (out / "real-occlusion.json").write_text(json.dumps(results, indent=1) + "\n")
    (out / "real-occlusion-tables.md").write_text(tables(results))


def _cells(areas: list[dict]) -> str:
    found = []
    for name in MARKED.values():
        values = [area[name] for area in areas]
        spread = f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
        found.append(f"{np.mean(values):.3f}{spread}")
    return " | ".join(found)


def tables(results: dict) -> str:
    """The results as Markdown: a table for each kind of input."""
    lines = []
    for view, title in INPUTS.items():
        lines += [f"## Silhouettes {title} (`{view}`)", "",
                  "| score | partly hidden | merged | same, odd tracks | | above the best trivial one |",
                  "|---|---|---|---|---|---|"]  # fmt: skip
        for found in (r for r in results["rows"] if r["input"] == view):
            more = found.get("more_than_trivial")
            words = "; ".join(f"{low:+.2f} … {high:+.2f}" for low, high in more.values()) if more else ""
            lines.append(f"| {found['name']} | {_cells(found['areas'])} | {_cells(found['odd_tracks'])} | {words} |")
        lines.append("")
    lines += ["## The kinds closer to life", "", "```yaml", yaml.safe_dump({"kinds": LIFE}, sort_keys=False), "```", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
