"""The embedded host's gait models compute what OpenGait's compute, from the same checkpoints."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from recorded import model_files, read_model
from torch import nn

from opengait_mimic.opengait.activation import activate

activate("embedded")

from modeling import models  # noqa: E402

from opengait_mimic.backbones import modules  # noqa: E402
from opengait_mimic.backbones.resnet import ResNet9  # noqa: E402

TOLERANCE = {"atol": 1e-4, "rtol": 0}

CONFIGS = {
    "GaitBase": {
        "model": "Baseline",
        "backbone_cfg": {"type": "ResNet9", "block": "BasicBlock", "channels": [4, 4, 8, 8], "layers": [1, 1, 1, 1],
                         "strides": [1, 2, 2, 1], "maxpool": False},
        "SeparateFCs": {"in_channels": 8, "out_channels": 6, "parts_num": 16},
        "SeparateBNNecks": {"class_num": 5, "in_channels": 6, "parts_num": 16},
        "bin_num": [16],
    },
    "GaitSet": {
        "model": "GaitSet",
        "in_channels": [1, 4, 8, 8],
        "SeparateFCs": {"in_channels": 8, "out_channels": 6, "parts_num": 62},
        "bin_num": [16, 8, 4, 2, 1],
    },
    "GaitGL": {"model": "GaitGL", "channels": [2, 4, 6], "class_num": 5},
    "GaitGL-GREW": {
        "model": "GaitGL",
        "channels": [2, 4, 4, 6],
        "class_num": 5,
        "SeparateBNNecks": {"class_num": 5, "in_channels": 6, "parts_num": 64},
    },
    **{
        f"DeepGaitV2-{mode}": {
            "model": "DeepGaitV2",
            "Backbone": {"in_channels": 1, "mode": mode, "layers": [1, 1, 2, 1], "channels": [4, 4, 6, 8]},
            "SeparateBNNecks": {"class_num": 5},
        }
        for mode in ("2d", "p3d", "3d")
    },
}  # fmt: skip
PARTS = {"GaitBase": 16, "GaitSet": 62, "GaitGL": 64, "GaitGL-GREW": 64}
NO_DEEP = [name for name in CONFIGS if not name.startswith("DeepGaitV2")]
BY_FRAMES_OR_CLIPS = [*NO_DEEP, "DeepGaitV2-2d"]


def bare(cfg: dict, dataset: str = "CASIA-B") -> nn.Module:
    """The network of a model_cfg, without loaders, losses and optimiser."""
    cls = getattr(models, cfg["model"])
    model = cls.__new__(cls)
    nn.Module.__init__(model)
    model.cfgs = {"data_cfg": {"dataset_name": dataset}, "model_cfg": cfg}
    model.build_network(cfg)
    return model


def build(name: str) -> nn.Module:
    torch.manual_seed(0)
    return bare(CONFIGS[name], "GREW" if name.endswith("GREW") else "CASIA-B")


def run(model: nn.Module, sils: torch.Tensor, labels: torch.Tensor | None = None, seqL=None) -> dict:
    n = sils.shape[0] if seqL is None else seqL.numel()
    labels = torch.arange(n) if labels is None else labels
    return model(([sils], labels, ["nm"] * n, ["000"] * n, seqL))


def embed(model: nn.Module, sils: torch.Tensor, seqL=None) -> torch.Tensor:
    with torch.no_grad():
        return run(model.eval(), sils, seqL=seqL)["inference_feat"]["embeddings"]


def clip(frames: int, width: int = 44, seed: int = 0, n: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(n, frames, 64, width, generator=generator) > 0.5).float()


# ---------------------------------------------------------------- recorded numbers


def recorded_with(*keys: str):
    """Parametrise `recorded` over the recorded models that have these entries."""
    found = [pytest.param(path, id=f"{path.parts[-4]}-{path.stem}") for path in model_files()
             if set(keys) <= set(read_model(path).data)]  # fmt: skip
    return pytest.mark.parametrize("recorded", found, indirect=True)


@pytest.fixture
def recorded(request) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    """A model with the recorded weights, and the other recorded entries."""
    config, weights, data = read_model(request.param)
    model = bare(config["model_cfg"], config["dataset_name"])
    model.load_state_dict(weights)
    return model, data


def rewind_statistics(model: nn.Module, sils: torch.Tensor) -> None:
    """Take back one training pass over `sils` from the running statistics of the batch norms.

    Where the weights were recorded after the training pass (num_batches_tracked is 1), the embeddings of single clips
    are from before it. One pass makes 0.9 * before + 0.1 * batch of the statistics, and a further pass shows what
    0.1 * batch is.
    """
    after = {k: v.clone() for k, v in model.state_dict().items()}
    if not any(v.item() for k, v in after.items() if k.endswith("num_batches_tracked")):
        return
    with torch.no_grad():
        run(model.train(), sils)
    further = model.state_dict()
    model.load_state_dict({k: (1.9 * v - further[k]) / 0.9 if ".running_" in k else v for k, v in after.items()})


@recorded_with("eval_embeddings")
def test_embeddings_of_single_clips_equal_opengait(recorded):
    model, data = recorded
    rewind_statistics(model, data["input"].float())
    ours = torch.cat([embed(model, one[None].float()) for one in data["input"]])
    torch.testing.assert_close(ours, data["eval_embeddings"], **TOLERANCE)


@recorded_with("eval_embeddings")
def test_embeddings_of_a_batch_equal_opengait(recorded):
    model, data = recorded
    rewind_statistics(model, data["input"].float())
    torch.testing.assert_close(embed(model, data["input"].float()), data["eval_embeddings"], **TOLERANCE)


@recorded_with("train_triplet_embeddings")
def test_training_features_equal_opengait(recorded):
    model, data = recorded
    features = run(model.train(), data["input"].float(), data["labels"])["training_feat"]
    expected = {"triplet": ("embeddings", data["train_triplet_embeddings"])}
    if "train_softmax_logits" in data:
        expected["softmax"] = ("logits", data["train_softmax_logits"])
    assert features.keys() == expected.keys()
    for prefix, (key, values) in expected.items():
        torch.testing.assert_close(features[prefix][key], values, **TOLERANCE)
        assert torch.equal(features[prefix]["labels"], data["labels"])


@recorded_with("seqL_embeddings")
def test_clips_of_unequal_length_equal_opengait(recorded):
    model, data = recorded
    ours = embed(model, data["seqL_input"].float(), data["seqL"])
    torch.testing.assert_close(ours, data["seqL_embeddings"], **TOLERANCE)


# ---------------------------------------------------------------- the host's contract


@pytest.mark.parametrize(("name", "width"), [(n, w) for n in CONFIGS for w in (44, 64, 88) if n in NO_DEEP or w != 64])
def test_forward_gives_what_the_host_expects(name, width):
    labels = torch.tensor([7, 3])
    out = run(build(name), clip(6, width, n=2), labels)
    parts = PARTS.get(name, 16)
    assert set(out) == {"training_feat", "visual_summary", "inference_feat"}
    assert out["visual_summary"]["image/sils"].shape == (12, 1, 64, width)
    assert out["inference_feat"]["embeddings"].shape == (2, 6, parts)
    assert out["training_feat"]["triplet"]["embeddings"].shape == (2, 6, parts)
    if name == "GaitSet":
        assert set(out["training_feat"]) == {"triplet"}
    else:
        assert set(out["training_feat"]) == {"triplet", "softmax"}
        assert out["training_feat"]["softmax"]["logits"].shape == (2, 5, parts)
    assert all(torch.equal(kwargs["labels"], labels) for kwargs in out["training_feat"].values())


@pytest.mark.parametrize("name", BY_FRAMES_OR_CLIPS)
def test_every_clip_of_a_concatenation_is_embedded_by_itself(name):
    model = build(name)
    clips = [clip(frames, seed=frames) for frames in (7, 1, 4, 9, 2)]
    seqL = torch.tensor([[c.shape[1] for c in clips]], dtype=torch.int32)
    joined = embed(model, torch.cat(clips, dim=1), seqL)
    torch.testing.assert_close(joined, torch.cat([embed(model, c) for c in clips]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", BY_FRAMES_OR_CLIPS)
def test_equal_clips_train_alike_stacked_or_concatenated(name):
    stacked, seqL = clip(6, n=3), torch.tensor([[6, 6, 6]])
    model = build(name).train()
    twin = deepcopy(model)
    expected = run(model, stacked)["training_feat"]
    found = run(twin, stacked.flatten(0, 1)[None], seqL=seqL)["training_feat"]
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(twin.state_dict(), model.state_dict(), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("mode", ["p3d", "3d"])
def test_deepgaitv2_sees_over_the_ends_of_concatenated_clips(mode):
    model = build(f"DeepGaitV2-{mode}")
    first, second = clip(5, seed=1), clip(7, seed=2)
    joined = embed(model, torch.cat([first, second], dim=1), torch.tensor([[5, 7]]))
    assert joined.shape[0] == 2
    assert (joined - torch.cat([embed(model, first), embed(model, second)])).abs().max() > 1e-3


def test_frames_that_seqL_does_not_count_are_refused():
    with pytest.raises(ValueError, match=r"\[3, 4\].*7 frames.*8 frames"):
        embed(build("GaitBase"), clip(8), torch.tensor([[3, 4]]))


@pytest.mark.parametrize("name", CONFIGS)
def test_gradient_reaches_every_parameter(name):
    model = build(name).train()
    features = run(model, clip(6, n=3))["training_feat"]
    outputs = [value for kwargs in features.values() for key, value in kwargs.items() if key != "labels"]
    sum((value**3).sum() for value in outputs).backward()
    without = [key for key, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert without == []


@pytest.mark.parametrize("frames", [1, 2])
@pytest.mark.parametrize("name", ["GaitGL", "GaitGL-GREW"])
def test_gaitgl_repeats_clips_of_less_than_three_frames(name, frames):
    model, short = build(name), clip(frames)
    repeated = short.repeat(1, {1: 3, 2: 2}[frames], 1, 1)
    torch.testing.assert_close(embed(model, short), embed(model, repeated))


def test_gaitgl_channels_have_to_fit_the_data_set():
    with pytest.raises(ValueError, match="GaitGL: channels needs 4 numbers on GREW, found"):
        bare(CONFIGS["GaitGL"], "GREW")


@pytest.mark.parametrize("mode", ["2d", "p3d", "3d"])
def test_deepgaitv2_names_a_width_it_does_not_take(mode):
    with pytest.raises(ValueError, match="44 or 88 columns, found 64.*BaseSilCuttingTransform"):
        embed(build(f"DeepGaitV2-{mode}"), clip(3, width=64))


def test_deepgaitv2_can_retrieve_by_the_normalised_features():
    plain, second = build("DeepGaitV2-2d"), bare({**CONFIGS["DeepGaitV2-2d"], "use_emb2": True})
    second.load_state_dict(plain.state_dict())
    features, _ = plain.eval().BNNecks(embed(plain, clip(4)))
    torch.testing.assert_close(embed(second, clip(4)), features)
    torch.testing.assert_close(features.norm(dim=1), torch.ones(1, 16))


def test_clips_of_several_channels_come_frame_by_frame():
    cfg = deepcopy(CONFIGS["GaitBase"])
    cfg["backbone_cfg"]["in_channel"] = 2
    out = run(bare(cfg), torch.stack([clip(5, n=2), clip(5, seed=1, n=2)], dim=2))
    assert out["inference_feat"]["embeddings"].shape == (2, 6, 16)
    assert out["visual_summary"]["image/sils"].shape == (10, 2, 64, 44)


# ---------------------------------------------------------------- building blocks


def test_bn_necks_normalise_alike_in_parallel_and_part_by_part():
    parallel, single = (modules.SeparateBNNecks(3, 4, 5, parallel_BN1d=flag) for flag in (True, False))
    single.fc_bin.data.copy_(parallel.fc_bin)
    x = torch.randn(6, 4, 3)
    torch.testing.assert_close(parallel(x), single(x))
    assert len(single.bn1d) == 3


def test_bn_necks_give_cosines_only_with_norm():
    x = 10 * torch.randn(6, 4, 3)
    features, logits = modules.SeparateBNNecks(3, 4, 5)(x)
    torch.testing.assert_close(features.norm(dim=1), torch.ones(6, 3))
    assert logits.shape == (6, 5, 3) and logits.abs().max() <= 1 + 1e-6
    plain = modules.SeparateBNNecks(3, 4, 5, norm=False)
    features, logits = plain(x)
    torch.testing.assert_close(features, plain.bn1d(x.flatten(1)).view(6, 4, 3))
    torch.testing.assert_close(logits[:, :, 1], features[:, :, 1] @ plain.fc_bin[1])


def test_resnet9_names_a_block_it_does_not_have():
    with pytest.raises(ValueError, match="'Basicblock'.*BasicBlock"):
        ResNet9("Basicblock")
