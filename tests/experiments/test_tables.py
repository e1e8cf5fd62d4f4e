"""`opengait-mimic tables`: every stage once, in order, again only where something changed, and a report of it all."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import doubles
import pytest
import short_tables
import yaml
from commands import checkout, environment
from forked import processes
from short_tables import BRIEF, tree

from opengait_mimic.apps.experiments import stages, tables
from opengait_mimic.apps.experiments.recipes import BEYOND, METHODS, runs_of
from opengait_mimic.cli import main
from opengait_mimic.errors import ConfigError, DataError, RunFailed
from opengait_mimic.evaluation.results import read_result
from opengait_mimic.opengait.checkpoints import read_checkpoint

STAGES = ["teacher_gaitbase.train", "ven.train", "ven.test", "baseline1_gaitbase.test", "mimic_gaitbase.train",
          "mimic_gaitbase.test"]  # fmt: skip


@pytest.fixture
def pretended(short, monkeypatch):
    """Nothing is trained or tested: stages leave their outcomes all the same."""
    monkeypatch.setattr(stages, "_work", doubles.work)


def planned(folder: Path, runs=BRIEF, **options):
    return tables.plan(folder, made_walkers(folder), ["GaitBase"], runs, scale="demo", **options)


def made_walkers(folder: Path) -> tables.Data:
    data = tables.walkers(folder)
    tables.make_walkers(data, 0)
    return data


def run(todo, said=None, jobs=2, host="embedded", **options):
    return stages.run_stages(todo, host, "cpu", 1, jobs, (said if said is not None else []).append, **options)


def order(folder: Path) -> list[str]:
    """What was done since the last look."""
    path = folder / doubles.ORDER
    done = path.read_text().split() if path.is_file() else []
    path.unlink(missing_ok=True)
    return done


@pytest.mark.usefixtures("pretended")
class TestOrder:
    def test_every_stage_runs_once_and_after_what_it_needs(self, tmp_path):
        said: list[str] = []
        todo = planned(tmp_path)
        assert [stage.mark.name for stage in todo] == STAGES
        results = run(todo, said, jobs=3)
        done = order(tmp_path)
        assert Counter(done) == Counter(STAGES)
        for stage in todo:
            assert all(done.index(before.mark.name) < done.index(stage.mark.name) for before in stage.after)
        assert [read_result(path)["method"] for path in results] == ["VEN", "Baseline-1", "Mimic + VEN"]
        assert len(said) == 6 and [line.split("]")[0] for line in said] == [f"[{i}/6" for i in range(1, 7)]
        assert re.fullmatch(r"\[6/6\] GaitBase, .*: (train|test) \(\d+:\d\d\)", said[-1])

    def test_again_nothing_runs_and_the_results_are_the_same(self, tmp_path):
        first = run(planned(tmp_path))
        order(tmp_path)
        said: list[str] = []
        assert run(planned(tmp_path), said) == first
        assert said == ["6 of 6 stages were done before"] and order(tmp_path) == []

    def test_without_resuming_everything_runs_again(self, tmp_path):
        run(planned(tmp_path))
        run(planned(tmp_path), resume=False)
        assert Counter(order(tmp_path)) == Counter(2 * STAGES)

    def test_what_a_change_concerns_runs_again_and_that_only(self, tmp_path, monkeypatch):
        run(planned(tmp_path))
        order(tmp_path)
        monkeypatch.setitem(short_tables.ITERATIONS, "MimicGait", 3)
        said: list[str] = []
        run(planned(tmp_path), said)
        assert order(tmp_path) == ["mimic_gaitbase.train", "mimic_gaitbase.test"]
        assert said[0] == "4 of 6 stages were done before" and said[1].startswith("[5/6]")
        monkeypatch.setitem(short_tables.ITERATIONS, "VisibilityEstimation", 3)
        run(planned(tmp_path))
        assert sorted(order(tmp_path)) == sorted(s for s in STAGES if "ven" in s or "mimic" in s)
        run(planned(tmp_path, seed=1))
        assert Counter(order(tmp_path)) == Counter(STAGES), "another repetition is another training"

    def test_another_evaluation_trains_nothing(self, tmp_path):
        run(planned(tmp_path))
        order(tmp_path)
        other = replace(made_walkers(tmp_path), types={"gallery": ["01"], "probe": ["02"]})
        run(tables.plan(tmp_path, other, ["GaitBase"], BRIEF, scale="demo"))
        assert sorted(order(tmp_path)) == ["baseline1_gaitbase.test", "mimic_gaitbase.test"]

    def test_what_was_lost_is_made_again_with_what_came_of_it(self, tmp_path):
        todo = planned(tmp_path)
        run(todo)
        order(tmp_path)
        next(s for s in todo if s.mark.name == "ven.train").outcome.unlink()
        assert [stage.is_done() for stage in todo] == [True, False, False, True, False, False]
        run(planned(tmp_path))
        assert sorted(order(tmp_path)) == sorted(s for s in STAGES if "ven" in s or "mimic" in s)

    def test_what_came_of_something_older_runs_again_even_after_an_interruption(self, tmp_path, monkeypatch):
        run(planned(tmp_path))
        monkeypatch.setitem(short_tables.ITERATIONS, "VisibilityEstimation", 3)
        todo = planned(tmp_path)
        run(todo[:3])  # as far as the VEN
        order(tmp_path)
        assert [stage.is_done() for stage in todo] == [True, True, True, True, False, False]

    def test_a_folder_is_of_one_host(self, tmp_path):
        run(planned(tmp_path))
        with pytest.raises(ConfigError, match="holds what ran on embedded; give another --out for /a/checkout"):
            run(planned(tmp_path), host="/a/checkout")

    def test_what_goes_beyond_the_paper_takes_no_test_of_table_2(self, tmp_path):
        for numbers, asked in (((BEYOND,), False), ((1,), False), ((1, 2), True)):
            stages_of = [stage for stage in planned(tmp_path, runs=runs_of(numbers)) if stage.phase == "test"]
            occluded = [stage.cfgs["evaluator_cfg"].get("occluded", {}) for stage in stages_of]
            assert any("generalizability" in tests for tests in occluded) is asked

    def test_tables_share_their_runs(self, tmp_path):
        both = planned(tmp_path, runs=runs_of((1, 4)))
        assert len({stage.mark for stage in both}) == len(both)
        assert {s.mark for s in planned(tmp_path, runs=runs_of((1,)))} < {s.mark for s in both}


@pytest.mark.usefixtures("short")
class TestFailure:
    def test_the_line_names_the_log_and_the_others_are_ended(self, tmp_path, monkeypatch):
        monkeypatch.setattr(stages, "_work", doubles.work_or_fail)
        started = time.monotonic()
        with pytest.raises(RunFailed) as caught:
            run(planned(tmp_path), jobs=2)
        log = tmp_path / "logs" / "ven.train.log"
        assert str(caught.value) == f"GaitBase, VEN: train: the loss is NaN at iteration 3 (all of it: {log})"
        assert time.monotonic() - started < 300
        assert order(tmp_path) == ["teacher_gaitbase.train"]
        monkeypatch.setattr(stages, "_work", doubles.work)
        run(planned(tmp_path))
        assert Counter(order(tmp_path)) == Counter(STAGES[1:]), "what was done stays done"

    def test_a_stage_that_leaves_nothing_has_failed(self, tmp_path, monkeypatch):
        monkeypatch.setattr(stages, "_work", doubles.work_for_nothing)
        with pytest.raises(RunFailed, match="Teacher: train: it ended without a word"):
            run(planned(tmp_path), jobs=1)


@pytest.mark.usefixtures("short")
class TestResuming:
    def test_a_stage_goes_on_where_its_own_configuration_was_begun(self, tmp_path):
        stage = planned(tmp_path)[0]
        assert not stage.begin(), "nobody knows whose checkpoints there may be"
        assert stage.begin()
        stage.cfgs["optimizer_cfg"]["lr"] = 1.0
        assert not stage.begin(), "they are of the training before the change"

    def test_a_training_goes_on_from_its_last_checkpoint(self, tmp_path):
        stage = planned(tmp_path)[0]
        stage.cfgs["trainer_cfg"].update(total_iter=4, save_iter=1)
        stage.cfgs["scheduler_cfg"]["total_steps"] = 5
        run([stage])
        whole = stage.outcome.read_bytes()
        stage.outcome.unlink()
        stage.outcome.with_name("Teacher_GaitBase-00003.pt").unlink()
        said: list[str] = []
        run([stage], said)
        log = (tmp_path / "logs" / "teacher_gaitbase.train.log").read_text()
        assert "going on after iteration 2" in log and "Teacher_GaitBase-00002.pt" in log
        assert read_checkpoint(stage.outcome, "the")["iteration"] == 4 and stage.outcome.read_bytes() == whole


@pytest.mark.usefixtures("short")
class TestCommand:
    def run(self, out, said=None, **options):
        asked = tables.Options(out, jobs=2, device="cpu", host="embedded", **options)
        return tables.run_tables(asked, (said if said is not None else []).append)

    def test_every_row_of_the_papers_tables_is_in_the_report(self, pretended, tmp_path):
        written = self.run(tmp_path)
        shown = (tmp_path / "report" / "tables.md").read_text()
        parts = {int(part[0]): cells(part) for part in shown.split("**Table ")[1:5]}
        hp = "Teacher on holistic clips (HP)"
        methods = ["Baseline-1", "Baseline-2", "Occlusion Aware", "Mimic + VEN"]
        assert [row[1].removesuffix(" †") for row in parts[1]] == [hp, *methods]
        assert [row[:2] for row in parts[2][1:]] == [[kind, name] for kind in ("dynamic", "middle") for name in methods]
        columns = cells(shown.split("**Table ")[2], head=True)
        for row in parts[2][1:]:
            for column, cell in zip(columns, row, strict=True):
                told = cell != "–" or (row[1] == "Baseline-1" and column.startswith("Adaptability"))
                assert told, f"{column} of {row[1]}, {row[0]}"
        assert [row[0] for row in parts[3]] == [
            hp, "No KD (Baseline-2)", "L2 KD", "Control: MiCKD's loss without the teacher", "MiCKD (Vanilla Mimic)",
            "MiCKD + XE",
        ]  # fmt: skip
        assert [row[0] for row in parts[4]] == [
            hp, "Baseline-2", "Occlusion Aware", "VEN", "Vanilla Mimic", "Mimic + Occlusion Aware", "Mimic + VEN",
        ]  # fmt: skip
        assert "**Severity.**" in shown
        assert (tmp_path / "report" / "report.html").stat().st_size > 50_000
        assert "report.html" in written.files and "10 methods" in written.summary

    def test_every_seed_is_a_repetition_of_everything(self, pretended, tmp_path, monkeypatch):
        monkeypatch.setattr(tables, "runs_of", lambda _: BRIEF)
        said: list[str] = []
        written = self.run(tmp_path, said, seeds=3)
        for seed in range(3):
            folder = tmp_path / f"seed{seed}"
            assert Counter(order(folder)) == Counter(STAGES)
            assert {read_result(path)["seed"] for path in folder.rglob("results/*.json")} == {seed}
        walkers = [(tmp_path / f"seed{seed}/walkers/00000/00/00/00.pkl").read_bytes() for seed in range(3)]
        assert len(set(walkers)) == 3, "each on walkers of its own"
        assert "and 3 seeds" in written.summary and sum("seed 2, " in line for line in said) == 6

    def test_a_dry_run_lists_and_writes_nothing(self, pretended, tmp_path, monkeypatch, capsys):
        monkeypatch.setattr(tables, "runs_of", lambda _: BRIEF)
        out = tmp_path / "out"
        main(["tables", "--out", str(out), "--dry-run", "--host", "embedded"])
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == 6 and lines[0] == "[1/6] seed 0, GaitBase, Teacher: train"
        assert not out.exists()
        self.run(out)
        main(["tables", "--out", str(out), "--dry-run", "--json"])
        stages = json.loads(capsys.readouterr().out)
        assert all(stage["done"] and Path(stage["configuration"]).is_file() for stage in stages)
        main(["tables", "--out", str(out), "--dry-run", "--json", "--no-resume"])
        assert not any(stage["done"] for stage in json.loads(capsys.readouterr().out))

    def test_a_table_of_the_paper_is_not_the_one_beyond_it(self, tmp_path, call):
        ended = call("tables", "--out", tmp_path / "out", "--beyond", "--table", 3, "--dry-run")
        assert ended.status == 2 and "--beyond is another one" in ended.err

    def test_walking_types_of_ones_own(self, tmp_path, monkeypatch):
        root, partition = tree(tmp_path, ["before", "after", "other"])
        monkeypatch.setattr(tables, "runs_of", lambda _: [BRIEF[0], BRIEF[2]])
        own = {"data": root, "partition": partition, "scale": "demo"}
        with pytest.raises(DataError, match=r"cannot tell gallery from probe.*name them with --gallery and --probe"):
            self.run(tmp_path / "out", **own)
        self.run(tmp_path / "out", **own, gallery="before", probe="after,other")
        (path,) = (tmp_path / "out").rglob("results/*.json")
        result = read_result(path)
        assert result["method"] == "Baseline-1" and result["dataset"] == "GREW"
        assert sum(part["probes"] for part in result["tests"][0]["by_kind"].values()) == 6
        evaluator = yaml.safe_load((tmp_path / "out/seed0/baseline1_gaitbase.yaml").read_text())["evaluator_cfg"]
        assert (evaluator["gallery"], evaluator["probe"]) == (["before"], ["after", "other"])

    @pytest.mark.parametrize(
        ("options", "told"),
        [
            ({"data": Path("d")}, "--data and --partition go together"),
            ({"gallery": "01"}, "--gallery and --probe go together"),
            ({"scale": "full"}, "generated walkers have a scale and types of their own"),
            ({"gallery": "01", "probe": "02"}, "generated walkers have a scale and types of their own"),
            ({"backbones": ("GaitBas",)}, "no recipe for GaitBas on GREW; did you mean 'GaitBase'?"),
        ],
    )
    def test_what_cannot_be_is_named(self, pretended, tmp_path, options, told):
        with pytest.raises(ConfigError, match=re.escape(told)):
            self.run(tmp_path / "out", **options)

    def test_types_that_are_not_there(self, tmp_path, monkeypatch):
        root, partition = tree(tmp_path, ["before", "after"])
        monkeypatch.setattr(tables, "runs_of", lambda _: [BRIEF[0], BRIEF[2]])
        with pytest.raises(RunFailed, match="no probe type 'aftr' in the test set; types in the test set: after, befo"):
            self.run(tmp_path / "out", data=root, partition=partition, scale="demo", gallery="before",
                           probe="aftr")  # fmt: skip


def cells(table: str, head: bool = False) -> list:
    """The cells of the first Markdown table in a text, row by row without its head; or its head."""
    first, _, *others = [line for line in table.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in (first, *others)]
    return rows[0] if head else [row for row in rows[1:] if len(row) == len(rows[0])]


PATIENCE = 900  # seconds for a program that still works, however busy the machine


class TestInterruption:
    """As a program of its own, in a session of its own."""

    @contextmanager
    def started(self, folder, iterations=2):
        arguments = ["--table", "1", "--jobs", "2", "--host", "embedded", "--device", "cpu", "--out", "out"]
        process = subprocess.Popen(
            [sys.executable, short_tables.__file__, *arguments], cwd=folder,
            env={**environment(), "SHORT_ITERATIONS": str(iterations), "SHORT_RUNS": "few"}, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            yield process
        finally:
            for number in processes(process.pid):
                os.kill(number, signal.SIGKILL)

    @pytest.mark.parametrize(("end", "how"), [(os.killpg, signal.SIGINT), (os.kill, signal.SIGKILL)])
    def test_it_leaves_no_process_behind(self, tmp_path, end, how):
        with self.started(tmp_path, iterations=10**6) as process:
            log = tmp_path / "out/seed0/logs/teacher_gaitbase.train.log"
            wait_for(lambda: "train Baseline" in text(log), process)
            end(process.pid, how)
            _, errors = process.communicate(timeout=120)
            assert "Traceback" not in errors, errors
            if how == signal.SIGINT:
                assert process.returncode == 130 and "opengait-mimic: interrupted" in errors.splitlines(), errors
            wait_for(lambda: not processes(process.pid))

    def test_killed_it_goes_on_with_the_same_command(self, tmp_path):
        done = tmp_path / "out/seed0/done"
        with self.started(tmp_path) as process:
            wait_for(lambda: (done / "teacher_gaitbase.train").is_file(), process)
            process.kill()
            process.communicate()
            wait_for(lambda: not processes(process.pid))
        before = {path.name for path in done.iterdir()}
        assert "teacher_gaitbase.train" in before and len(before) < len(STAGES)
        with self.started(tmp_path) as process:
            _, errors = process.communicate(timeout=PATIENCE)
            assert process.returncode == 0, errors
        assert f"{len(before)} of {len(STAGES)} stages were done before" in errors
        trained = (tmp_path / "out/seed0/logs/teacher_gaitbase.train.log").read_text()
        assert trained.count("iteration 2 ") <= 1 and trained.count("train Baseline") == 1
        assert (tmp_path / "out/report/report.html").is_file()
        assert sorted(path.name for path in done.iterdir()) == sorted(STAGES)


@pytest.mark.heavy
@pytest.mark.parametrize("host", ["embedded", "OpenGait"])
def test_all_tables_on_a_host(host, tmp_path):
    where = "embedded" if host == "embedded" else str(checkout(host))
    subprocess.run(
        [sys.executable, short_tables.__file__, "--seeds", "1", "--host", where, "--device", "cpu", "--out", "out"],
        cwd=tmp_path, env=environment(), check=True, timeout=1500,
    )  # fmt: skip
    results = [read_result(path) for path in (tmp_path / "out").rglob("results/*.json")]
    assert {result["host"] for result in results} == {host}
    shown = (tmp_path / "out/report/tables.md").read_text()
    for method in METHODS.values():
        if method.tables and method.title not in ("MiCKD, pair 1", "MiCKD, pairs 1+2"):
            assert f"| {method.title} " in shown


def text(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


def wait_for(what, process: subprocess.Popen | None = None) -> None:
    """Wait until `what`, as long as the process still works on it; a busy machine may take its time."""
    deadline = time.monotonic() + (120 if process is None else PATIENCE)
    while not what():
        assert time.monotonic() < deadline, "waited too long"
        assert process is None or process.poll() is None or what(), process.communicate()
        time.sleep(0.1)
