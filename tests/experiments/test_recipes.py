"""Recipes: the shipped files and the command are what they give; the paper's numbers stand in them; they train."""

from __future__ import annotations

import copy
import os
import shlex
from pathlib import Path

import pytest
import yaml

from opengait_mimic.apps.experiments.recipes import (
    BACKBONES,
    BEYOND,
    DATASETS,
    METHODS,
    NEW_TYPES,
    OCCLUSIONS,
    file_name,
    header,
    needs,
    recipe,
    rows,
    runs_of,
    shipped_files,
    small,
    yaml_file,
    yaml_text,
)
from opengait_mimic.data.tree import generate_walkers
from opengait_mimic.errors import DataError
from opengait_mimic.evaluation.occluded import occluded_tests
from opengait_mimic.method.occlusion import Occlusion
from opengait_mimic.opengait.activation import activate
from opengait_mimic.opengait.config.check import check
from opengait_mimic.opengait.config.names import method_name
from opengait_mimic.opengait.config.networks import backbone_spec, evaluator_settings
from opengait_mimic.opengait.config.networks import ven_spec as named_ven
from opengait_mimic.opengait.config.reading import defaults, find, merge, shipped
from opengait_mimic.opengait.config.transforms import lifted, occlusion_settings, prepared_by

activate("embedded")

from main import run  # noqa: E402
from modeling import models as host_models  # noqa: E402

from opengait_mimic.opengait.models.backbone import Backbone, Bare, probe  # noqa: E402

FOLDER = shipped("configs") / "mimicgait"
TEACHERS = [(dataset, backbone) for dataset, facts in DATASETS.items() for backbone in facts.teachers]
ALL = [(*teacher, *run) for teacher in TEACHERS
       for run in runs_of((1, 2, 3, 4, BEYOND) if teacher == ("GREW", "GaitBase") else (1,))]  # fmt: skip


def some(*roles):
    """The runs of some methods, or of VENs ("vens") or of what learns around a teacher ("others")."""
    wanted = {
        "vens": [name for name, method in METHODS.items() if method.tasks],
        "others": [name for name, method in METHODS.items() if method.model and not method.tasks],
    }
    names = {name for role in roles for name in wanted.get(role, [role])}
    return pytest.mark.parametrize("at", [at for at in ALL if at[2] in names], ids=" ".join)


def occlusion(cfgs, engine):
    entry = lifted(cfgs[engine]["transform"], engine)[1]
    return None if entry is None else Occlusion(**occlusion_settings(entry, engine))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A folder with every file below configs/mimicgait/<data set>."""
    folder = tmp_path_factory.mktemp("written")
    for at in ALL:
        path = folder / path_of(*at)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml_file(*at))
    return folder


def path_of(dataset, *at):
    return Path("configs/mimicgait", dataset, file_name(dataset, *at))


class TestShippedFiles:
    def test_they_are_what_the_recipes_give_and_at_most_sixty(self):
        texts = shipped_files()
        assert set(texts) == {p.relative_to(FOLDER).as_posix() for p in FOLDER.rglob("*.yaml")}
        old = [name for name, text in texts.items() if (FOLDER / name).read_bytes() != text.encode()]
        assert not old, "write them again: opengait-mimic recipe --all configs/mimicgait"
        assert len(texts) <= 60

    @pytest.mark.parametrize(("dataset", "backbone"), TEACHERS, ids="/".join)
    def test_every_data_set_and_backbone_has_what_one_starts_from(self, dataset, backbone):
        there = {path.name for path in (FOLDER / dataset).iterdir()}
        assert {file_name(dataset, backbone, method) for method in ("teacher", "ven", "mimic")} <= there
        assert any(name.startswith("baseline2_") for name in there)

    def test_grews_studies_have_the_rows_of_the_papers_tables_and_of_what_goes_beyond_it(self):
        here = {path.name for folder in ("GREW", "studies") for path in (FOLDER / folder).iterdir()}
        wanted = {m for table in (1, 3, 4, BEYOND) for m, _ in rows(table)} - {"control", "pair1", "pairs12"}
        assert {file_name("GREW", "GaitBase", method) for method in wanted} <= here

    @pytest.mark.parametrize("at", ALL, ids=" ".join)
    def test_a_file_says_what_its_recipe_does_and_reads_well(self, at):
        text = yaml_file(*at)
        assert yaml.safe_load(text) == recipe(*at)
        lines = text.splitlines()
        comment = [line for line in lines if line.startswith("#")]
        assert 2 <= len(comment) <= 10 and lines[: len(comment)] == comment, "all comments stand at the top"
        assert at[0] in comment[0] and max(map(len, lines)) <= 125

    @some("others")
    def test_what_a_file_names_comes_along_or_its_header_says_how_to_get_it(self, at, tmp_path, monkeypatch, call):
        monkeypatch.chdir(tmp_path)
        commands = "\n".join(line for line in header(*at) if line.startswith("  ")).replace("\\\n", "")
        for line in commands.splitlines():
            words = shlex.split(line)
            if words[0] == "mkdir":
                Path(words[-1]).mkdir(parents=True)
            else:
                assert words[0] == "opengait-mimic" and words[-2] == ">"
                Path(words[-1]).write_text(call(*words[1:-2]).out)
        model_cfg = recipe(*at)["model_cfg"]
        for key in ("backbone", "ven"):
            assert model_cfg[key] is None or find(model_cfg[key], key).is_file()
        assert bool(commands) is any(tmp_path.iterdir())


class TestCommand:
    def test_it_prints_the_file_in_any_spelling(self, call):
        assert call("recipe", "GREW", "GaitBase", "l2kd").out == (FOLDER / "studies/l2kd_gaitbase.yaml").read_text()
        printed = call("recipe", "casia-b", "gaitgl", "MIMIC", "--occlusions", "dynamic").out
        assert printed == yaml_file("CASIA-B", "GaitGL", "mimic", "dynamic")

    def test_it_lists_what_there_is(self, call):
        listed = call("recipe").out
        assert all(name in listed for name in (*DATASETS, *METHODS, *OCCLUSIONS))
        assert call("recipe", "--list").out == listed

    @pytest.mark.parametrize(("arguments", "told"), [
        (["GRE", "GaitBase", "mimic"], "data set GRE; did you mean 'GREW'"),
        (["SUSTech1K", "GaitBase", "mimic"], "GaitBase; allowed: DeepGaitV2"),
        (["GREW", "GaitBase", "mimc"], "method mimc; did you mean 'mimic'"),
        (["GREW", "GaitBase", "mimic", "--occlusions", "midle"], "--occlusions midle; did you mean 'middle'"),
        (["GREW", "GaitBase"], "a data set, a backbone and a method"),
        (["GREW", "GaitBase", "teacher", "--occlusions", "middle"], "holistic"),
    ])  # fmt: skip
    def test_a_mistake_ends_in_one_line(self, call, arguments, told):
        ended = call("recipe", *arguments)
        assert ended.status == 2 and ended.out == "" and told in ended.err and ended.err.count("\n") == 1

    def test_it_writes_the_shipped_files(self, call, tmp_path):
        call("recipe", "--all", tmp_path)
        assert {p.relative_to(tmp_path).as_posix(): p.read_text() for p in tmp_path.rglob("*.yaml")} == shipped_files()


class TestArguments:
    def test_changing_a_recipe_changes_no_other(self):
        for at in ALL:
            spoiled, before = recipe(*at), copy.deepcopy(recipe(*at))
            spoiled["loss_cfg"][0].get("pairs", []).clear()
            for section in spoiled.values():
                section.clear()
            assert recipe(*at) == before

    def test_the_users_data_folder_and_number_of_identities_take_the_place_of_the_shipped(self):
        cfgs = recipe("GREW", "GaitBase", "mickd_xe", folder="", data={"dataset_root": "x"}, identities=7)
        assert cfgs["data_cfg"] == {**recipe("GREW", "GaitBase", "mimic")["data_cfg"], "dataset_root": "x"}
        assert cfgs["model_cfg"]["backbone"] == "teacher_gaitbase.yaml" and cfgs["model_cfg"]["class_num"] == 7
        mimic = recipe("GREW", "DeepGaitV2", "mimic", "middle", folder="runs/a")
        assert mimic["model_cfg"]["backbone"] == "runs/a/teacher_deepgaitv2.yaml"
        assert mimic["model_cfg"]["ven"] == "runs/a/ven_cut_middle.yaml"
        for backbone in BACKBONES:
            model_cfg = recipe("GREW", backbone, "teacher", identities=7)["model_cfg"]
            assert model_cfg.get("class_num", model_cfg.get("SeparateBNNecks", {}).get("class_num")) == 7


class TestTables:
    def titles(self, table, occlusions="standard"):
        return [METHODS[method].title for method, of in rows(table) if of == occlusions]

    def test_every_row_of_the_papers_tables_is_there(self):
        four = ["Baseline-1", "Baseline-2", "Occlusion Aware", "Mimic + VEN"]
        assert self.titles(1) == self.titles(2) == four
        assert self.titles(2, "middle") == self.titles(2, "dynamic") == four[1:], "it does not apply to Baseline-1"
        own = ["Control", "MiCKD, pair 1", "MiCKD, pairs 1+2"]
        assert self.titles(3) == ["Baseline-2", "L2 KD", *own, "Vanilla Mimic", "MiCKD + XE"]
        assert self.titles(4) == [
            "Baseline-2", "Occlusion Aware", "VEN", "Vanilla Mimic", "Mimic + Occlusion Aware", "Mimic + VEN",
        ]  # fmt: skip

    def test_beyond_the_paper_every_part_stands_alone_and_together_painted_and_refitted(self):
        assert self.titles(BEYOND) == [
            "Mimic + VEN", "Baseline-1", "Baseline-1, registered", "Mimic + VEN+", "Mimic + VEN+, registered",
            "Mimic + VEN, clean clips", "Residual", "Mimic + VEN+, registered, clean clips",
        ]  # fmt: skip
        assert self.titles(BEYOND, "refitted") == self.titles(BEYOND)

    @pytest.mark.parametrize("tables", [(1,), (2,), (3,), (4,), (1, 2, 3, 4), (BEYOND,)])
    def test_stages_come_after_what_they_need_and_once(self, tables):
        order = runs_of(tables)
        assert len(set(order)) == len(order)
        assert {row for table in tables for row in rows(table)} <= set(order)
        for place, stage in enumerate(order):
            assert set(needs(*stage)) <= set(order[:place])
        assert needs("mimic", "dynamic") == [("teacher", "standard"), ("ven", "dynamic")]

    @some("others")
    def test_a_configuration_is_the_method_it_is_called(self, at, written, monkeypatch):
        monkeypatch.chdir(written)
        cfgs, how = recipe(*at), METHODS[at[2]]
        ven = named_ven(cfgs["model_cfg"])
        assert method_name(cfgs, ven and ven.model_cfg) == how.title
        assert (ven is None) == (how.ven is None)
        assert all(cfgs["evaluator_cfg"].get(key, False) is how.weighted for key in ("weighted", "likelihood"))

    @some("others")
    def test_occluded_tests_are_those_of_the_papers_tables(self, at):
        dataset, backbone, method, occlusions = at
        cfgs = recipe(*at)
        trained = occlusion(cfgs, "trainer_cfg")
        entry = lifted(cfgs["evaluator_cfg"]["transform"], "evaluator_cfg")[1]
        asked = evaluator_settings(cfgs).occluded
        tests = occluded_tests(asked, entry["kinds"], entry["seed"], trained.mixture.names if trained else ())
        assert (asked.who, asked.gallery_by, asked.repeats) == ("both", "network", 1)
        protocols = {test.name: (test.protocol, test.mixture.names) for test in tests[1:]}
        assert tests[0].mixture.names == OCCLUSIONS[occlusions]
        if occlusions in NEW_TYPES:
            assert protocols == {occlusions: ("adaptability", NEW_TYPES[occlusions])}
        elif (dataset, backbone) == ("GREW", "GaitBase") and (method, occlusions) in rows(2):
            assert protocols == {name: ("generalizability", new) for name, new in NEW_TYPES.items()}
            assert all(test.zero_shot for test in tests[1:])
        else:
            assert protocols == {}

    def test_occlusions_closer_to_life_are_an_option_and_in_no_table(self):
        cfgs, ven = (recipe("GREW", "GaitBase", method, "life") for method in ("mimic", "ven"))
        assert cfgs["model_cfg"]["ven"].endswith("ven_life.yaml")
        learned = occlusion(ven, "trainer_cfg").mixture
        assert learned.names == ("top", "bottom", "crossing_person", "outline", "detector_cut")
        assert 1 - sum(learned.probs) == pytest.approx(1 / 6, abs=1e-3)
        assert list(evaluator_settings(cfgs).occluded.adaptability) == ["life"]
        assert not any(of == "life" for table in (1, 2, 3, 4, BEYOND) for _, of in rows(table))


class TestNumbers:
    @pytest.mark.parametrize("at", ALL, ids=" ".join)
    def test_a_run_is_complete_but_for_the_path_of_the_data(self, at, written, monkeypatch):
        monkeypatch.chdir(written)
        for needed in needs(*at[2:]):
            checkpoint = backbone_spec({"backbone": str(path_of(*at[:2], *needed))}, "").checkpoint
            checkpoint.parent.mkdir(parents=True, exist_ok=True)
            checkpoint.touch()
        trained = METHODS[at[2]].trained
        with pytest.raises(DataError, match="dataset_root: no such folder: your_path"):
            check(path_of(*at), "embedded", "train" if trained else "test", processes=4)
        cfgs = recipe(*at)
        trainer, evaluator = cfgs["trainer_cfg"], cfgs["evaluator_cfg"]
        assert cfgs["data_cfg"]["dataset_name"] == cfgs["data_cfg"]["test_dataset_name"] == at[0]
        assert trainer["save_name"] == evaluator["save_name"]
        visibility = "evaluate_visibility" if METHODS[at[2]].tasks else "evaluate_recognition"
        assert evaluator["eval_func"] == visibility
        assert evaluator["restore_hint"] == (trainer["total_iter"] if trained else 0)
        assert trainer["total_iter"] % trainer["save_iter"] == 0, "the last iteration is saved"
        milestones = cfgs["scheduler_cfg"]["milestones"]
        assert milestones == sorted(milestones) and milestones[0] > 0 and milestones[-1] <= trainer["total_iter"]

    def test_no_two_runs_share_a_folder(self):
        runs = {path_of(*at): (at[0], recipe(*at)) for at in ALL}
        folders = {(at, c["model_cfg"]["model"], c["trainer_cfg"]["save_name"]) for at, c in runs.values()}
        assert len(folders) == len(runs)

    @some("vens", "others")
    def test_occlusions_are_of_the_papers_range_and_equally_likely(self, at):
        cfgs, names, how = recipe(*at), OCCLUSIONS[at[3]], METHODS[at[2]]
        tested, trained = occlusion(cfgs, "evaluator_cfg"), occlusion(cfgs, "trainer_cfg")
        assert tested.seed == 0 and tested.mixture.names == names
        assert all(type_.amount == (0.4, 0.6) for type_ in tested.mixture.types)
        assert all(type_.refit == (at[3] == "refitted") for type_ in tested.mixture.types)

        def likely(clean):
            return pytest.approx([1 / (len(names) + clean)] * len(names), abs=2e-4)

        assert tested.mixture.probs == likely(bool(how.tasks))
        if not how.trained:
            assert trained is None, "trained by nobody: training it is refused"
        else:
            assert trained.mixture.probs == likely(bool(how.tasks) or how.clean) and trained.seed is None
            assert trained.mixture.types == tested.mixture.types

    @some("teacher")
    def test_teachers_see_holistic_clips(self, at):
        assert "Occlusion" not in str(recipe(*at)) and "occluded" not in recipe(*at)["evaluator_cfg"]

    @some("teacher", "others")
    def test_optimizers_and_margins_are_the_papers(self, at):
        cfgs = recipe(*at)
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
    def test_second_stages_train_as_long_as_the_papers_or_shorter_in_proportion_to_their_teacher(self, at):
        cfgs, teacher = recipe(*at), recipe(*at[:2], "teacher")
        schedule = cfgs["trainer_cfg"]["total_iter"], cfgs["scheduler_cfg"]["milestones"]
        total = teacher["trainer_cfg"]["total_iter"]
        if not METHODS[at[2]].trained:
            assert schedule == (total, teacher["scheduler_cfg"]["milestones"])
        elif DATASETS[at[0]].in_paper or total >= 180_000:
            assert schedule == (300_000, [80_000, 120_000, 150_000])
        else:
            assert schedule[0] == pytest.approx(total * 5 / 3, rel=0.05)
            assert [m / schedule[0] for m in schedule[1]] == pytest.approx([80 / 300, 120 / 300, 150 / 300], abs=0.005)

    @some("mimic", "vanilla", "mimic_occlusion_aware")
    def test_mickd_stands_as_the_paper_has_it(self, at):
        (loss,) = recipe(*at)["loss_cfg"]
        assert set(loss) == {"type", "log_prefix", "loss_term_weight", "margin"}, "the rest is default"
        assert recipe(*at)["model_cfg"]["init_from_teacher"] is False

    @some("ven", "ven_classification")
    def test_vens_are_the_authors(self, at):
        cfgs = recipe(*at)
        assert (cfgs["optimizer_cfg"]["solver"], cfgs["optimizer_cfg"]["lr"]) == ("Adam", 1e-4)
        subjects, sequences = cfgs["trainer_cfg"]["sampler"]["batch_size"]
        assert subjects * sequences == 32
        model_cfg, (loss,) = cfgs["model_cfg"], cfgs["loss_cfg"]
        assert model_cfg["channels"] == [32, 64, 128] and model_cfg["feature"] == 64
        both = METHODS[at[2]].tasks == "both"
        assert model_cfg.get("tasks", "both") == ("both" if both else [METHODS[at[2]].tasks])
        assert (loss["type"], loss.get("amount_weight")) == ("VisibilityLoss", 10 if both else None)

    @some("others")
    def test_a_run_names_the_teacher_and_ven_of_its_data_set_width_and_occlusions(self, at, written, monkeypatch):
        monkeypatch.chdir(written)
        cfgs, teacher = recipe(*at), recipe(*at[:2], "teacher")
        model_cfg = cfgs["model_cfg"]
        assert Path(model_cfg["backbone"]) == path_of(*at[:2], "teacher")
        widths = {prepared_by(c[e]["transform"]) for c in (cfgs, teacher) for e in ("trainer_cfg", "evaluator_cfg")}
        ven = named_ven(model_cfg)
        if ven is not None:
            assert Path(model_cfg["ven"]).parent == Path("configs/mimicgait", at[0])
            assert ven.kinds.classes == ("clean", *OCCLUSIONS[at[3]])
            widths.add(ven.prepared_by)
        cut = at[1] == "DeepGaitV2" or not DATASETS[at[0]].in_paper  # the paper's input is 64 × 64; DeepGaitV2's is 44
        assert widths == {"BaseSilCuttingTransform" if cut else "BaseSilTransform"}

    @some("others")
    def test_a_run_samples_and_augments_as_its_teacher(self, at):
        cfgs, teacher = recipe(*at), recipe(*at[:2], "teacher")
        assert lifted(cfgs["trainer_cfg"]["transform"], "trainer_cfg")[0] == teacher["trainer_cfg"]["transform"]
        assert cfgs["trainer_cfg"]["sampler"] == teacher["trainer_cfg"]["sampler"]
        assert cfgs["data_cfg"] == teacher["data_cfg"] and cfgs["optimizer_cfg"] == teacher["optimizer_cfg"]
        if METHODS[at[2]].losses is None:
            assert cfgs["loss_cfg"] == teacher["loss_cfg"]
        assert cfgs["model_cfg"].get("class_num", DATASETS[at[0]].identities) == DATASETS[at[0]].identities

    @pytest.mark.parametrize(("dataset", "backbone"), TEACHERS, ids="/".join)
    def test_teachers_have_opengaits_numbers(self, dataset, backbone):
        """All that decides a teacher's weights but the width of GaitBase's and GaitGL's input, which is the paper's."""
        root = Path(os.environ.get("OPENGAIT_ROOT", Path.home() / ".cache" / "opengait-mimic" / "OpenGait"))
        path = DATASETS[dataset].teachers[backbone].opengait
        if path is None:
            pytest.skip(f"OpenGait ships no {backbone} for {dataset}")
        if not (root / "configs" / path).is_file():
            pytest.skip("no OpenGait checkout: set OPENGAIT_ROOT or put one into ~/.cache/opengait-mimic/OpenGait")
        theirs = merge(*(yaml.safe_load((root / "configs" / p).read_text()) for p in ("default.yaml", path)))
        own = recipe(dataset, backbone, "teacher")
        ours = merge(defaults("embedded"), copy.deepcopy(own))
        for section in ("model_cfg", "optimizer_cfg", "scheduler_cfg"):
            assert {key: theirs[section][key] for key in own[section]} == own[section], section
        assert ours["data_cfg"].get("data_in_use") == theirs["data_cfg"].get("data_in_use")
        assert ours["trainer_cfg"]["total_iter"] == theirs["trainer_cfg"]["total_iter"]
        sampler = own["trainer_cfg"]["sampler"]
        assert {key: theirs["trainer_cfg"]["sampler"][key] for key in sampler} == sampler
        smoothed = [[{"label_smooth": True, **loss} for loss in cfgs["loss_cfg"]] for cfgs in (ours, theirs)]
        assert smoothed[0] == smoothed[1]
        assert steps(ours) == steps(theirs)
        assert prepared_by(theirs["trainer_cfg"]["transform"]) == "BaseSilCuttingTransform"


def steps(cfgs):
    """The augmentations of a training with their probabilities, and the place of what makes floats of silhouettes."""
    (first,) = cfgs["trainer_cfg"]["transform"]
    entries = first["trf_cfg"] if first["type"] == "Compose" else [first]
    return [(e["type"], e["prob"]) if "prob" in e else "BaseSil" for e in entries]


EMBEDDINGS = {("GREW", "GaitBase"): (256, 16), ("GREW", "GaitGL"): (256, 64), ("GREW", "DeepGaitV2"): (256, 16),
              ("Gait3D", "GaitGL"): (128, 64), ("CASIA-B", "DeepGaitV2"): (256, 16)}  # fmt: skip


class TestNetworks:
    def test_those_built_below_are_all_there_are(self):
        built, there = (
            [recipe(*at, "teacher", identities=1)["model_cfg"] for at in of] for of in (EMBEDDINGS, TEACHERS)
        )
        assert all(network in built for network in there)

    @pytest.mark.parametrize("at", EMBEDDINGS, ids=" ".join)
    def test_they_build_at_full_size(self, at, tmp_path, monkeypatch):
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


@pytest.fixture(scope="module")
def walkers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("walkers")
    generate_walkers(folder / "sils", folder / "sils.json", 8, 2, sequences=4, frames=8, width=44)
    return {"dataset_root": str(folder / "sils"), "dataset_partition": str(folder / "sils.json")}


class TestSmallScale:
    @pytest.mark.parametrize(
        ("backbone", "tables"), [("GaitBase", (1, 2, 3, 4)), ("GaitGL", (1,)), ("DeepGaitV2", (1,))]
    )
    def test_every_stage_of_the_tables_trains(self, backbone, tables, walkers, tmp_path, monkeypatch):
        """One iteration of each, every one from the teacher and the VEN that its YAML names."""
        monkeypatch.chdir(tmp_path)
        runs = [run for run in (*runs_of(tables), ("ven_regression", "standard")) if METHODS[run[0]].trained]
        for method, occlusions in runs:
            cfgs = small(recipe("GREW", backbone, method, occlusions, folder="", data=walkers, identities=8))
            cfgs["trainer_cfg"].update(total_iter=1, save_iter=1)
            cfgs["scheduler_cfg"]["total_steps"] = 2
            cfgs["evaluator_cfg"]["restore_hint"] = 1
            name = file_name("GREW", backbone, method, occlusions)
            Path(name).write_text(yaml_text(cfgs))
            run(check(name, "embedded", "train"), training=True)
        assert len(list(Path("output").rglob("*.pt"))) == len(runs)

    def test_the_ven_with_parts_learns_longer(self):
        cfgs = [small(recipe("GREW", "GaitBase", name)) for name in ("ven", "ven_parts")]
        assert [c["trainer_cfg"]["total_iter"] for c in cfgs] == [200, 2400]
        assert cfgs[1]["model_cfg"]["tasks"] == ["classification", "regression", "parts"]

    def test_longer_runs_differ_in_iterations_alone_and_vens_do_not(self):
        for at in ALL:
            expected = small(recipe(*at))
            if not METHODS[at[2]].tasks:
                trainer = expected["trainer_cfg"]
                trainer["total_iter"] *= 4
                trainer["save_iter"] *= 4
                expected["evaluator_cfg"]["restore_hint"] *= 4
                expected["scheduler_cfg"]["total_steps"] = trainer["total_iter"] + 1
            assert small(recipe(*at), "longer") == expected

    def test_small_runs_keep_what_they_learn_and_by_which_loss(self):
        for at in ALL:
            cfgs, scaled = recipe(*at), small(recipe(*at))
            assert scaled["loss_cfg"] == cfgs["loss_cfg"]
            for engine in ("trainer_cfg", "evaluator_cfg"):
                same = [lifted(c[engine]["transform"], engine)[1] for c in (cfgs, scaled)]
                assert same[0] == same[1]
                assert len({prepared_by(c[engine]["transform"]) for c in (cfgs, scaled)}) == 1
            assert scaled["evaluator_cfg"].get("occluded") == cfgs["evaluator_cfg"].get("occluded")
            sampler = scaled["trainer_cfg"]["sampler"]
            assert sampler["batch_size"] == [8, 4]
            assert sampler["frames_num_fixed"] == (3 if sampler["sample_type"] == "fixed_ordered" else 2)
            assert scaled["scheduler_cfg"]["total_steps"] == scaled["trainer_cfg"]["total_iter"] + 1
            assert not scaled["trainer_cfg"]["enable_float16"] and not scaled["evaluator_cfg"]["enable_float16"]
            model_cfg = scaled["model_cfg"]
            assert model_cfg.get("init_from_teacher", True) is True
            assert {**model_cfg, **cfgs["model_cfg"]}.keys() == model_cfg.keys()
