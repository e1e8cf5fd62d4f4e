"""Who is compared with whom."""

from __future__ import annotations

import json

import pytest

from opengait_mimic.evaluation.protocols import protocol

CASIA_B = [f"{kind}-{i:02d}" for kind, last in (("nm", 6), ("bg", 2), ("cl", 2)) for i in range(1, last + 1)]


def clips(labels, types, views):
    """Every label with every type and view: labels, types, views."""
    return tuple(map(list, zip(*[(x, t, v) for x in labels for t in types for v in views], strict=True)))


def named(names, rows):
    return sorted({"/".join(column[i] for column in names) for i in rows})


def test_casia_b_compares_every_pair_of_different_views():
    names = clips("a", CASIA_B, ["000", "018", "036"])
    found = protocol("CASIA-B").comparisons(*names)
    assert [c.condition for c in found] == ["NM"] * 6 + ["BG"] * 6 + ["CL"] * 6
    cell = next(c for c in found if (c.condition, c.probe_view, c.gallery_view) == ("CL", "018", "036"))
    assert named(names, cell.probes) == ["a/cl-01/018", "a/cl-02/018"]
    assert named(names, cell.gallery) == [f"a/nm-0{i}/036" for i in (1, 2, 3, 4)]
    assert not cell.same_view_removed and cell.unmatched == "miss"
    assert protocol("CASIA-B").headline == ("NM", "BG", "CL")


def test_a_single_view_is_compared_with_itself():
    (cell,) = protocol("OUMVLP").comparisons(*clips("ab", ["00", "01"], ["000"]))
    assert (cell.condition, cell.probe_view, cell.gallery_view) == ("NM", "000", "000")
    assert cell.probes.tolist() == [0, 2] and cell.gallery.tolist() == [1, 3]


def test_casia_b_with_a_gallery_of_all_views():
    names = clips("a", CASIA_B, ["000", "018"])
    found = protocol("CASIA-B", cross_view="include").comparisons(*names)
    assert [(c.condition, c.probe_view) for c in found] == [
        (condition, view) for condition in ("NM", "BG", "CL") for view in ("000", "018")
    ]
    assert all(c.same_view_removed for c in found)
    assert named(names, found[2].probes) == ["a/bg-01/000"]
    assert named(names, found[2].gallery) == sorted(f"a/{t}-02/{v}" for t in ("nm", "bg", "cl") for v in ("000", "018"))


def test_grew_has_one_pool():
    names = clips("ab", ["01", "02"], ["v0", "v1"])
    (pool,) = protocol("GREW").comparisons(*names)
    assert (pool.condition, pool.probe_view, pool.same_view_removed, pool.unmatched) == ("", None, False, "miss")
    assert named(names, pool.probes) == ["a/02/v0", "a/02/v1", "b/02/v0", "b/02/v1"]


def test_gait3ds_probes_are_listed(tmp_path, monkeypatch):
    names = (["a", "a", "b"], ["camid0", "camid1", "camid0"], ["seq0", "seq0", "seq0"])
    with pytest.raises(ValueError, match=r"no file ./datasets/Gait3D/Gait3D.json"):
        monkeypatch.chdir(tmp_path)
        protocol("Gait3D")
    listing = tmp_path / "Gait3D.json"
    listing.write_text(json.dumps({"PROBE_SET": ["a-camid1-seq0"]}))
    (pool,) = protocol("Gait3D", partition=listing).comparisons(*names)
    assert pool.probes.tolist() == [1] and pool.gallery.tolist() == [0, 2] and pool.unmatched == "left out"
    listing.write_text(json.dumps({"PROBE_SET": ["c-camid1-seq0"]}))
    with pytest.raises(ValueError, match="no probe sequence"):
        protocol("Gait3D", partition=str(listing)).comparisons(*names)
    for wrong in ("{}", "[]", "{"):
        listing.write_text(wrong)
        with pytest.raises(ValueError, match=r"Gait3D.json: expected .*list PROBE_SET"):
            protocol("Gait3D", partition=listing)


def test_sustech1ks_types_hold_several_conditions():
    types = ["00-nm", "01-nm", "01-cr-ub", "02-bg", "03-oc", "04-cl-nt"]
    names = clips("a", types, ["000", "180"])
    asked = protocol("SUSTech1K")
    found = {c.condition: c for c in asked.comparisons(*names) if c.probe_view == "000"}
    assert {name: [n.split("/")[1] for n in named(names, c.probes)] for name, c in found.items()} == {
        "Normal": ["01-nm"], "Bag": ["02-bg"], "Clothing": ["04-cl-nt"], "Carrying": ["01-cr-ub"],
        "Umbrella": ["01-cr-ub"], "Occlusion": ["03-oc"], "Night": ["04-cl-nt"], "Overall": sorted(types[1:]),
    }  # fmt: skip
    assert all(named(names, c.gallery) == ["a/00-nm/180"] for c in found.values())
    assert asked.headline == ("Overall",)


def test_ccpgs_view_ends_at_the_first_underscore():
    types = ["U0_D0", "U0_D0_BG", "U1_D1", "U2_D2", "U3_D3", "U0_D3", "U1_D0"]
    names = clips("a", types, ["01_0", "01_1", "02_0"])
    found = protocol("CCPG").comparisons(*names)
    cells = {(c.condition, c.probe_view): c for c in found if c.probe_view is not None}
    assert {view for _, view in cells} == {"01", "02"}
    first = cells["CL", "01"]
    assert named(names, first.probes) == sorted(f"a/{t}/01_{i}" for t in ("U0_D0", "U0_D0_BG") for i in (0, 1))
    assert named(names, first.gallery) == ["a/U1_D1/02_0", "a/U2_D2/02_0", "a/U3_D3/02_0"]
    sides = {
        condition: ({types_of(names, i) for i in c.probes}, {types_of(names, i) for i in c.gallery})
        for (condition, view), c in cells.items()
        if view == "01"
    }
    assert sides["UP"] == ({"U3_D3"}, {"U0_D3"})
    assert sides["DN"] == ({"U1_D0"}, {"U1_D1"})
    assert sides["BG"] == ({"U0_D0_BG"}, {"U0_D0"})
    pools = {c.condition: c for c in found if c.probe_view is None}
    assert list(pools) == ["CL-ReID", "UP-ReID", "DN-ReID", "BG-ReID"]
    assert all(c.same_view_removed and c.unmatched == "left out" for c in pools.values())
    assert protocol("CCPG").headline == ("CL", "UP", "DN", "BG")


def types_of(names, row):
    return names[1][row]


def test_a_protocol_of_ones_own():
    names = clips("ab", ["front", "back", "side"], ["1", "2"])
    (pool,) = protocol("Mine", gallery=["front"], probe=["back", "side"]).comparisons(*names)
    assert pool.condition == "" and len(pool.probes) == 8 and len(pool.gallery) == 4 and not pool.same_view_removed
    asked = protocol("Mine", gallery="front", probe={"B": "back", "S": ["side"]}, cross_view="exclude")
    found = asked.comparisons(*names)
    assert [(c.condition, c.probe_view, c.gallery_view) for c in found] == [
        ("B", "1", "2"), ("B", "2", "1"), ("S", "1", "2"), ("S", "2", "1"),
    ]  # fmt: skip
    assert asked.headline == ("B", "S")
    # also in place of a known data set's protocol
    (pool,) = protocol("GREW", gallery=["front"], probe=["back"]).comparisons(*names)
    assert named(names, pool.gallery) == ["a/front/1", "a/front/2", "b/front/1", "b/front/2"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dataset": "CASIA-C"}, "'CASIA-C'; did you mean 'CASIA-B'"),
        ({"dataset": "Mine", "gallery": ["a"]}, "evaluator_cfg.probe: expected a list of walking types"),
        ({"dataset": "Mine", "probe": ["a"]}, "evaluator_cfg.gallery: expected a list of walking types"),
        ({"dataset": "Mine", "gallery": [1], "probe": ["a"]}, r"quote '01' in YAML\), found \[1\]"),
        ({"dataset": "Mine", "gallery": ["a"], "probe": {}}, "evaluator_cfg.probe: expected walking types"),
        ({"dataset": "Mine", "gallery": ["a"], "probe": {"X": []}}, "evaluator_cfg.probe: expected a list"),
        ({"dataset": "GREW", "cross_view": "include"}, "cross_view: GREW has one protocol"),
        ({"dataset": "OUMVLP", "cross_view": "exlude"}, "did you mean 'exclude'"),
    ],
)
def test_mistakes_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        protocol(**arguments)


def test_data_that_lack_what_is_compared_say_what_they_have():
    names = clips("ab", ["nm-01", "nm-05", "bg-01"], ["000", "018"])
    assert {c.condition for c in protocol("CASIA-B").comparisons(*names)} == {"NM", "BG"}
    with pytest.raises(
        ValueError, match=r"OUMVLP: nothing to compare; no gallery sequence.* 01; .*bg-01, nm-01, nm-05"
    ):
        protocol("OUMVLP").comparisons(*names)
    with pytest.raises(ValueError, match="no probe type 'nm-06' in the test set; types in the test set: bg-01"):
        protocol("Mine", gallery=["nm-01"], probe=["nm-05", "nm-06"]).comparisons(*names)
    one_side_each = (["a", "a"], ["nm-01", "nm-05"], ["000", "000"])
    other_views = (["a", "a", "a"], ["nm-01", "nm-05", "cl-09"], ["000", "000", "018"])
    assert len(protocol("CASIA-B").comparisons(*one_side_each)) == 1
    with pytest.raises(ValueError, match="no probe has a gallery sequence to be compared with"):
        protocol("CASIA-B").comparisons(*other_views)
