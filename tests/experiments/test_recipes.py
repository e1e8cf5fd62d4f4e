"""The shipped configurations: they are what the recipes give, have the paper's hyperparameters, and train."""

from __future__ import annotations

import copy
import os
from functools import cache
from pathlib import Path

import pytest
import yaml

from opengait_mimic.apps.experiments.recipes import (
    BACKBONES,
    BEYOND_KINDS,
    DATASETS,
    KINDS,
    METHODS,
    NEW_KINDS,
    file_name,
    files,
    header,
    needs,
    recipe,
    rows,
    small,
    stages,
    write_configs,
    yaml_text,
)
from opengait_mimic.data import generate_walkers
from opengait_mimic.errors import DataError
from opengait_mimic.evaluation.occluded import occluded_tests, settings
from opengait_mimic.evaluation.protocols import protocol
from opengait_mimic.method.occlusion import Occlusion
from opengait_mimic.opengait.config.check import check, defaults, merge
from opengait_mimic.opengait.config.sections import (
    backbone_spec,
    find,
    lifted,
    method_name,
    occlusion_settings,
    prepared_by,
    shipped,
)
from opengait_mimic.opengait.config.sections import ven_spec as named_ven
from opengait_mimic.opengait.host import activate

activate("embedded")

from main import run  # noqa: E402
from modeling import models as host_models  # noqa: E402

from opengait_mimic.opengait.models.backbone import Backbone, Bare, probe  # noqa: E402

FOLDER = shipped("configs") / "mimicgait"
ALL = [(dataset, backbone, *run)
       for dataset, facts in DATASETS.items() for backbone in facts.teachers
       for run in stages((1, 2, 3, 4) if (dataset, backbone) == ("GREW", "GaitBase") else (1,))]  # fmt: skip
TEACHERS = [(dataset, backbone) for dataset, facts in DATASETS.items() for backbone in facts.teachers]


def path_of(dataset, backbone, method, kinds="standard"):
    return FOLDER / dataset / file_name(dataset, backbone, method, kinds)


@cache
def _read(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def read(dataset, backbone, method, kinds="standard"):
    """A shipped file's content."""
    return copy.deepcopy(_read(path_of(dataset, backbone, method, kinds)))


def some(*roles):
    """The shipped runs of some methods, or of VENs ("vens") or of what learns around a teacher ("others")."""
    wanted = {
        "vens": [name for name, method in METHODS.items() if method.tasks],
        "others": [name for name, method in METHODS.items() if method.model and not method.tasks],
    }
    names = {name for role in roles for name in wanted.get(role, [role])}
    return pytest.mark.parametrize("at", [at for at in ALL if at[2] in names], ids=" ".join)


def occlusion(cfgs, engine):
    entry = lifted(cfgs[engine]["transform"], engine)[1]
    return None if entry is None else Occlusion(**occlusion_settings(entry, engine))


# ---- files and recipes -------------------------------------------------------------------------------------


def test_the_shipped_files_are_what_the_recipes_give_and_nothing_else():
    texts = files()
    assert set(texts) == {p.relative_to(FOLDER).as_posix() for p in FOLDER.rglob("*.yaml")}
    old = [name for name, text in texts.items() if (FOLDER / name).read_bytes() != text.encode()]
    assert not old, "write them again: python -m opengait_mimic.apps.experiments.recipes configs/mimicgait"


def test_writing_twice_gives_the_same_bytes(tmp_path):
    once, again = ({p.relative_to(root): p.read_bytes() for p in write_configs(root)}
                   for root in (tmp_path / "once", tmp_path / "again"))  # fmt: skip
    assert once == again and len(once) == len(files())


@pytest.mark.parametrize("at", ALL, ids=" ".join)
def test_a_file_says_what_its_recipe_does_and_reads_well(at):
    cfgs = recipe(*at)
    assert read(*at) == cfgs, "in YAML as in Python; a VEN is the same for every backbone of its width"
    assert recipe(*at) == cfgs and recipe(*at) is not cfgs
    assert list(cfgs) == [f"{section}_cfg" for section in
                          ("data", "evaluator", "loss", "model", "optimizer", "scheduler", "trainer")]  # fmt: skip
    lines = path_of(*at).read_text().splitlines()
    comment = [line for line in lines if line.startswith("#")]
    assert 2 <= len(comment) <= 6 and lines[: len(comment)] == comment, "all comments stand at the top"
    assert at[0] in comment[0] and max(map(len, lines)) <= 120 and len(lines) < 100


def test_changing_a_recipe_changes_no_other():
    for at in ALL:
        spoiled = recipe(*at)
        spoiled["loss_cfg"][0].get("pairs", []).clear()
        for section in spoiled.values():
            section.clear()
        assert recipe(*at) == read(*at)


def test_the_users_data_folder_and_number_of_identities_take_the_place_of_the_shipped():
    cfgs = recipe("GREW", "GaitBase", "mickd_xe", folder="", data={"dataset_root": "x"}, identities=7)
    assert cfgs["data_cfg"] == {**recipe("GREW", "GaitBase", "mimic")["data_cfg"], "dataset_root": "x"}
    assert cfgs["model_cfg"]["backbone"] == "teacher_gaitbase.yaml" and cfgs["model_cfg"]["class_num"] == 7
    mimic = recipe("GREW", "DeepGaitV2", "mimic", "middle", folder="runs/a")
    assert mimic["model_cfg"]["backbone"] == "runs/a/teacher_deepgaitv2.yaml"
    assert mimic["model_cfg"]["ven"] == "runs/a/ven_cut_middle.yaml"
    for backbone in BACKBONES:
        model_cfg = recipe("GREW", backbone, "teacher", identities=7)["model_cfg"]
        assert model_cfg.get("class_num", model_cfg.get("SeparateBNNecks", {}).get("class_num")) == 7


def test_text_has_values_on_one_line_where_they_fit_and_reads_back():
    cfgs = {"a_cfg": {"b": 1.0e-4, "c": [1, [2]], "d": {"e": None, "f": "01"}, "g": [{"h": 1}], "i": {}}, "j_cfg": [{}]}
    cfgs["a_cfg"]["long"] = {f"key{i}": i for i in range(20)}
    text = yaml_text(cfgs, ["What it is."])
    assert yaml.safe_load(text) == cfgs
    assert text.startswith("# What it is.\na_cfg:\n  b: 0.0001\n  c: [1, [2]]\n  d: {e: null, f: '01'}\n")
    assert "\n  g:\n    - {h: 1}\n  i: {}\n" in text
    assert "\n  long:\n    key0: 0\n" in text and "\n\nj_cfg:\n" in text


# ---- the paper's tables ------------------------------------------------------------------------------------


def titles(table, kinds):
    return [METHODS[method].title for method, of in rows(table) if of == kinds]


def test_every_row_of_the_papers_tables_is_there():
    four = ["Baseline-1", "Baseline-2", "Occlusion Aware", "Mimic + VEN"]
    assert titles(1, "standard") == titles(2, "standard") == four
    assert titles(2, "middle") == titles(2, "dynamic") == four[1:], "adaptability does not apply to Baseline-1"
    own = ["Control", "MiCKD, pair 1", "MiCKD, pairs 1+2"]
    assert titles(3, "standard") == ["Baseline-2", "L2 KD", *own, "Vanilla Mimic", "MiCKD + XE"]
    assert titles(4, "standard") == [
        "Baseline-2", "Occlusion Aware", "VEN", "Vanilla Mimic", "Mimic + Occlusion Aware", "Mimic + VEN",
    ]  # fmt: skip


def test_stages_come_after_what_they_need_and_once():
    for tables in ((1,), (2,), (3,), (4,), (1, 2, 3, 4)):
        order = stages(tables)
        assert len(set(order)) == len(order)
        assert {row for table in tables for row in rows(table)} <= set(order)
        for place, stage in enumerate(order):
            assert set(needs(*stage)) <= set(order[:place])
    assert needs("mimic", "dynamic") == [("teacher", "standard"), ("ven", "dynamic")]
    assert needs("teacher") == needs("ven", "middle") == []


@some("others")
def test_a_configuration_is_the_method_it_is_called(at):
    cfgs, method = read(*at), METHODS[at[2]]
    ven = named_ven(cfgs["model_cfg"])
    assert method_name(cfgs, ven and ven.model_cfg) == method.title
    assert (ven is None) == (method.ven is None)


@some("others")
def test_occluded_tests_are_those_of_the_papers_tables(at):
    dataset, backbone, method, kinds = at
    cfgs = read(*at)
    trained = occlusion(cfgs, "trainer_cfg")
    entry = lifted(cfgs["evaluator_cfg"]["transform"], "evaluator_cfg")[1]
    asked = settings(cfgs["evaluator_cfg"]["occluded"])
    tests = occluded_tests(asked, entry["kinds"], entry["seed"], trained.mixture.names if trained else ())
    assert (asked.who, asked.gallery_by, asked.repeats) == ("both", "network", 1)
    protocols = {test.name: (test.protocol, test.mixture.names) for test in tests[1:]}
    assert tests[0].mixture.names == KINDS[kinds]
    if kinds != "standard":
        assert protocols == {kinds: ("adaptability", NEW_KINDS[kinds])}
    elif (dataset, backbone) == ("GREW", "GaitBase") and (method, kinds) in rows(2):
        assert protocols == {name: ("generalizability", new) for name, new in NEW_KINDS.items()}
        assert all(test.zero_shot for test in tests[1:])
    else:
        assert protocols == {}


def test_kinds_closer_to_life_are_an_option_and_no_table_of_the_papers():
    (kinds,) = BEYOND_KINDS
    at = ("GREW", "GaitBase", "mimic", kinds)
    cfgs, ven = recipe(*at), recipe("GREW", "GaitBase", "ven", kinds)
    assert cfgs["model_cfg"]["ven"].endswith(f"ven_{kinds}.yaml")
    learned = occlusion(ven, "trainer_cfg").mixture
    assert learned.names == ("top", "bottom", "crossing_person", "outline", "detector_cut")
    assert learned.classes == ("clean", *learned.names) and 1 - sum(learned.probs) == pytest.approx(1 / 6, abs=1e-3)
    assert settings(cfgs["evaluator_cfg"]["occluded"]).adaptability == {kinds: list(BEYOND_KINDS[kinds])}
    assert "Not in the paper; its kinds of occlusion are closer to life." in header(*at)
    assert not any(of == kinds for table in (1, 2, 3, 4) for _, of in rows(table))


# ---- what stands in them -----------------------------------------------------------------------------------


@pytest.mark.parametrize("at", ALL, ids=" ".join)
def test_a_shipped_run_is_complete_but_for_the_path_of_the_data(at, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for needed in needs(*at[2:]):
        checkpoint = backbone_spec({"backbone": str(path_of(*at[:2], *needed))}, "").checkpoint
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        checkpoint.touch()
    with pytest.raises(DataError, match="dataset_root: no such folder: your_path"):
        check(path_of(*at), "embedded", "test" if at[2] == "baseline1" else "train", processes=4)
    cfgs = read(*at)
    assert cfgs["data_cfg"]["dataset_name"] == cfgs["data_cfg"]["test_dataset_name"] == at[0]
    assert cfgs["trainer_cfg"]["save_name"] == cfgs["evaluator_cfg"]["save_name"]
    visibility = "evaluate_visibility" if METHODS[at[2]].tasks else "evaluate_recognition"
    assert cfgs["evaluator_cfg"]["eval_func"] == visibility


@pytest.mark.parametrize("at", ALL, ids=" ".join)
def test_a_shipped_run_is_tested_at_an_iteration_that_its_training_saves(at):
    cfgs = read(*at)
    trainer, tested = cfgs["trainer_cfg"], cfgs["evaluator_cfg"]["restore_hint"]
    assert tested == (0 if at[2] == "baseline1" else trainer["total_iter"])
    assert trainer["total_iter"] % trainer["save_iter"] == 0
    assert cfgs["evaluator_cfg"]["sampler"]["sample_type"] == "all_ordered"
    milestones = cfgs["scheduler_cfg"]["milestones"]
    assert milestones == sorted(milestones) and 0 < milestones[0] and milestones[-1] <= trainer["total_iter"]


def test_no_two_shipped_runs_share_a_folder():
    folders = {(p.parent.name, _read(p)["model_cfg"]["model"], _read(p)["trainer_cfg"]["save_name"])
               for p in FOLDER.rglob("*.yaml")}  # fmt: skip
    assert len(folders) == len(files())


@some("vens", "others")
def test_occlusions_are_of_the_papers_range_and_equally_likely(at):
    cfgs, names = read(*at), KINDS[at[3]]
    tested = occlusion(cfgs, "evaluator_cfg")
    assert tested.seed == 0 and tested.mixture.names == names
    assert all(kind.amount == (0.4, 0.6) and not kind.refit for kind in tested.mixture.types)
    clean = 1 if METHODS[at[2]].tasks else 0
    assert tested.mixture.probs == pytest.approx([1 / (len(names) + clean)] * len(names), abs=2e-4)
    if not clean:
        assert sum(tested.mixture.probs) == pytest.approx(1, abs=1e-12)
    trained = occlusion(cfgs, "trainer_cfg")
    if at[2] == "baseline1":
        assert trained is None, "trained by nobody: training it is refused"
    else:
        assert trained.mixture == tested.mixture and trained.seed is None


@some("teacher")
def test_teachers_see_whole_clips(at):
    cfgs = read(*at)
    assert occlusion(cfgs, "trainer_cfg") is occlusion(cfgs, "evaluator_cfg") is None
    assert "occluded" not in cfgs["evaluator_cfg"]


@some("teacher", "others")
def test_optimizers_and_margins_are_the_papers(at):
    cfgs = read(*at)
    optimizer = cfgs["optimizer_cfg"]
    if at[1] == "GaitGL":
        assert (optimizer["solver"], optimizer["lr"]) == ("Adam", 1e-4)
    else:
        assert (optimizer["solver"], optimizer["lr"], optimizer["momentum"]) == ("SGD", 0.1, 0.9)
    assert cfgs["scheduler_cfg"]["gamma"] == 0.1
    assert all(loss.get("margin", 0.2) == 0.2 and loss["loss_term_weight"] == 1 for loss in cfgs["loss_cfg"])
    if DATASETS[at[0]].in_paper:
        assert cfgs["trainer_cfg"]["sampler"]["batch_size"] == [32, 4]


@some("others")
def test_second_stages_train_as_long_as_the_papers_or_shorter_in_proportion_to_their_teacher(at):
    cfgs, teacher = read(*at), read(*at[:2], "teacher")
    schedule = cfgs["trainer_cfg"]["total_iter"], cfgs["scheduler_cfg"]["milestones"]
    total = teacher["trainer_cfg"]["total_iter"]
    if at[2] == "baseline1":
        assert schedule == (total, teacher["scheduler_cfg"]["milestones"])
    elif DATASETS[at[0]].in_paper or total >= 180_000:
        assert schedule == (300_000, [80_000, 120_000, 150_000])
    else:
        assert schedule[0] == pytest.approx(total * 5 / 3, rel=0.05)
        assert [m / schedule[0] for m in schedule[1]] == pytest.approx([80 / 300, 120 / 300, 150 / 300], abs=0.005)


@some("mimic", "vanilla", "mimic_occlusion_aware")
def test_mickd_stands_as_the_paper_has_it(at):
    (loss,) = read(*at)["loss_cfg"]
    assert set(loss) == {"type", "log_prefix", "loss_term_weight", "margin"}, "the rest is default"
    assert read(*at)["model_cfg"]["init_from_teacher"] is False


@some("vens")
def test_vens_are_the_authors(at):
    cfgs = read(*at)
    assert (cfgs["optimizer_cfg"]["solver"], cfgs["optimizer_cfg"]["lr"]) == ("Adam", 1e-4)
    people, sequences = cfgs["trainer_cfg"]["sampler"]["batch_size"]
    assert people * sequences == 32
    model_cfg, (loss,) = cfgs["model_cfg"], cfgs["loss_cfg"]
    assert model_cfg["channels"] == [32, 64, 128] and model_cfg["feature"] == 64
    both = METHODS[at[2]].tasks == "both"
    assert model_cfg.get("tasks", "both") == ("both" if both else [METHODS[at[2]].tasks])
    assert (loss["type"], loss.get("amount_weight")) == ("VisibilityLoss", 10 if both else None)


@some("others")
def test_a_run_names_the_shipped_teacher_and_ven_of_its_data_set_width_and_kinds(at, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfgs, teacher = read(*at), read(*at[:2], "teacher")
    model_cfg = cfgs["model_cfg"]
    assert find(model_cfg["backbone"], "backbone") == path_of(*at[:2], "teacher")
    widths = {prepared_by(c[e]["transform"]) for c in (cfgs, teacher) for e in ("trainer_cfg", "evaluator_cfg")}
    ven = named_ven(model_cfg)
    if ven is not None:
        assert find(model_cfg["ven"], "ven").parent == FOLDER / at[0]
        assert ven.kinds.classes == ("clean", *KINDS[at[3]])
        widths.add(ven.prepared_by)
    cut = at[1] == "DeepGaitV2" or not DATASETS[at[0]].in_paper  # the paper's input is 64 × 64; DeepGaitV2 takes 44
    assert widths == {"BaseSilCuttingTransform" if cut else "BaseSilTransform"}


@some("others")
def test_a_run_samples_and_augments_as_its_teacher(at):
    cfgs, teacher = read(*at), read(*at[:2], "teacher")
    assert lifted(cfgs["trainer_cfg"]["transform"], "trainer_cfg")[0] == teacher["trainer_cfg"]["transform"]
    assert cfgs["trainer_cfg"]["sampler"] == teacher["trainer_cfg"]["sampler"]
    assert cfgs["data_cfg"] == teacher["data_cfg"] and cfgs["optimizer_cfg"] == teacher["optimizer_cfg"]
    if METHODS[at[2]].losses is None:
        assert cfgs["loss_cfg"] == teacher["loss_cfg"]
    assert cfgs["model_cfg"].get("class_num", DATASETS[at[0]].identities) == DATASETS[at[0]].identities


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_data_set_has_its_protocol(dataset, tmp_path):
    (tmp_path / "partition.json").write_text('{"TRAIN_SET": [], "TEST_SET": ["1"], "PROBE_SET": ["1-a-b"]}')
    assert protocol(dataset, partition=tmp_path / "partition.json").dataset == dataset


@pytest.mark.parametrize(("dataset", "backbone"), TEACHERS, ids="/".join)
def test_teachers_have_opengaits_numbers(dataset, backbone):
    """All that decides a teacher's weights but the width of GaitBase's and GaitGL's input, which is the paper's."""
    root = Path(os.environ.get("OPENGAIT_ROOT", Path.home() / ".cache" / "opengait-mimic" / "OpenGait"))
    path = DATASETS[dataset].teachers[backbone].opengait
    if path is None:
        pytest.skip(f"OpenGait ships no {backbone} for {dataset}")
    if not (root / "configs" / path).is_file():
        pytest.skip("no OpenGait checkout: set OPENGAIT_ROOT or put one into ~/.cache/opengait-mimic/OpenGait")
    theirs = merge(yaml.safe_load((root / "configs" / "default.yaml").read_text()),
                   yaml.safe_load((root / "configs" / path).read_text()))  # fmt: skip
    ours = merge(defaults("embedded"), read(dataset, backbone, "teacher"))
    for section in ("model_cfg", "optimizer_cfg", "scheduler_cfg"):
        own = read(dataset, backbone, "teacher")[section]
        assert {key: theirs[section][key] for key in own} == own, section
    assert ours["data_cfg"].get("data_in_use") == theirs["data_cfg"].get("data_in_use")
    assert ours["trainer_cfg"]["total_iter"] == theirs["trainer_cfg"]["total_iter"]
    sampler = read(dataset, backbone, "teacher")["trainer_cfg"]["sampler"]
    assert {key: theirs["trainer_cfg"]["sampler"][key] for key in sampler} == sampler
    assert [smoothed(loss) for loss in ours["loss_cfg"]] == [smoothed(loss) for loss in theirs["loss_cfg"]]
    assert steps(ours) == steps(theirs)
    assert prepared_by(theirs["trainer_cfg"]["transform"]) == "BaseSilCuttingTransform"


def smoothed(loss):
    """A loss with the default of its key label_smooth."""
    return {"label_smooth": True, **loss}


def steps(cfgs):
    """The augmentations of a training with their probabilities, and the place of what makes floats of silhouettes."""
    (first,) = cfgs["trainer_cfg"]["transform"]
    entries = first["trf_cfg"] if first["type"] == "Compose" else [first]
    return [(e["type"], e["prob"]) if "prob" in e else "BaseSil" for e in entries]


# ---- networks ----------------------------------------------------------------------------------------------

EMBEDDINGS = {("GREW", "GaitBase"): (256, 16), ("GREW", "GaitGL"): (256, 64), ("GREW", "DeepGaitV2"): (256, 16),
              ("Gait3D", "GaitGL"): (128, 64), ("CASIA-B", "DeepGaitV2"): (256, 16)}  # fmt: skip


def architecture(dataset, backbone):
    """Everything of a teacher's network but the number of identities."""
    return yaml.safe_dump(recipe(dataset, backbone, "teacher", identities=1)["model_cfg"])


def test_the_networks_built_below_are_all_there_are():
    assert {architecture(*at) for at in EMBEDDINGS} == {architecture(*at) for at in TEACHERS}


@pytest.mark.parametrize("at", EMBEDDINGS, ids=" ".join)
def test_networks_of_full_size_build(at, tmp_path, monkeypatch):
    """The backbone, and our models around it, for ten identities (GREW's classifier alone would be 82 million)."""
    monkeypatch.chdir(tmp_path)
    for method in ("teacher", "ven", "ven_classification"):
        text = yaml_text(recipe(*at, method, folder="", identities=10))
        (tmp_path / file_name(*at, method)).write_text(text)
    teacher = Backbone(recipe(*at, "teacher", identities=10)["model_cfg"], at[0])
    shape = probe(teacher)
    assert (shape.channels, shape.parts) == EMBEDDINGS[at]
    cfgs = merge(defaults("embedded"), recipe(*at, "occlusion_aware", folder="", identities=10))
    aware = type("OcclusionAware", (host_models.OcclusionAware, Bare), {})(cfgs, False)
    weights = sum(p.numel() for p in aware.backbone.parameters())
    assert weights == sum(p.numel() for p in teacher.parameters())
    assert aware.neck.weight.shape == (shape.parts, shape.channels, 10)
    assert aware.ven.network.feature_size == 64


# ---- the scale of two cores --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def walkers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("walkers")
    generate_walkers(folder / "sils", folder / "sils.json", 8, 2, sequences=4, frames=8, width=44)
    return {"dataset_root": str(folder / "sils"), "dataset_partition": str(folder / "sils.json")}


@pytest.mark.parametrize(("backbone", "tables"), [("GaitBase", (1, 2, 3, 4)), ("GaitGL", (1,)), ("DeepGaitV2", (1,))])
def test_every_stage_of_the_tables_trains_at_small_scale(backbone, tables, walkers, tmp_path, monkeypatch):
    """One iteration of each, every one from the teacher and the VEN that its YAML names."""
    monkeypatch.chdir(tmp_path)
    runs = [*stages(tables), ("ven_regression", "standard")]
    for method, kinds in runs:
        cfgs = small(recipe("GREW", backbone, method, kinds, folder="", data=walkers, identities=8))
        if method == "baseline1":
            continue
        cfgs["trainer_cfg"].update(total_iter=1, save_iter=1)
        cfgs["scheduler_cfg"]["total_steps"] = 2
        cfgs["evaluator_cfg"]["restore_hint"] = 1
        name = file_name("GREW", backbone, method, kinds)
        Path(name).write_text(yaml_text(cfgs))
        run(check(name, "embedded", "train"), training=True)
    assert len(list(Path("output").rglob("*.pt"))) == len(runs) - 1


def test_longer_small_runs_differ_in_iterations_alone_and_vens_do_not():
    for at in ALL:
        expected = small(recipe(*at))
        if not METHODS[at[2]].tasks:
            trainer = expected["trainer_cfg"]
            trainer["total_iter"] *= 4
            trainer["save_iter"] *= 4
            expected["evaluator_cfg"]["restore_hint"] *= 4
            expected["scheduler_cfg"]["total_steps"] = trainer["total_iter"] + 1
        assert small(recipe(*at), "longer") == expected


def test_small_runs_keep_what_they_learn_and_by_which_loss():
    for at in ALL:
        cfgs, scaled = recipe(*at), small(recipe(*at))
        assert scaled["loss_cfg"] == cfgs["loss_cfg"]
        for engine in ("trainer_cfg", "evaluator_cfg"):
            same = [lifted(c[engine]["transform"], engine)[1] for c in (cfgs, scaled)]
            assert same[0] == same[1]
            assert len({prepared_by(c[engine]["transform"]) for c in (cfgs, scaled)}) == 1
        assert scaled["evaluator_cfg"].get("occluded") == cfgs["evaluator_cfg"].get("occluded")
        trainer = scaled["trainer_cfg"]
        sampler = trainer["sampler"]
        assert sampler["batch_size"] == [8, 4]
        assert sampler["frames_num_fixed"] == (3 if sampler["sample_type"] == "fixed_ordered" else 2)
        assert scaled["scheduler_cfg"]["total_steps"] == trainer["total_iter"] + 1
        assert not trainer["enable_float16"] and not scaled["evaluator_cfg"]["enable_float16"]
        model_cfg = scaled["model_cfg"]
        assert model_cfg.get("init_from_teacher", True) is True
        assert {**model_cfg, **cfgs["model_cfg"]}.keys() == model_cfg.keys()
