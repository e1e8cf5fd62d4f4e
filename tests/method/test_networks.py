"""The VEN, the fusion T, the frozen wrapper and the part-wise head compute what their equations say."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from opengait_mimic.errors import ConfigError
from opengait_mimic.method.bnneck import PartBNNeck
from opengait_mimic.method.clips import clip_lengths, clip_means, silhouettes, split_clips
from opengait_mimic.method.frozen import Frozen, Teacher
from opengait_mimic.method.mimic import Fusion, MimicNetwork, PartVisibility
from opengait_mimic.method.ven import VisibilityNetwork

CLOSE = {"atol": 1e-5, "rtol": 1e-5}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def sils(*shape):
    return (torch.rand(shape) > 0.5).float()


# ---- clips in OpenGait's two layouts -----------------------------------------------------------------------


def test_clips_of_fixed_length_lie_along_the_batch():
    x = torch.rand(3, 5, 4, 2)
    assert clip_lengths(x, None) == [5, 5, 5]
    assert [c.shape for c in split_clips(x, None)] == [(1, 5, 4, 2)] * 3
    assert torch.equal(torch.cat(split_clips(x, None)), x)


def test_clips_of_any_length_lie_along_time():
    x, seqL = torch.rand(1, 6, 4, 2), torch.tensor([[1, 3, 2]])
    assert clip_lengths(x, seqL) == [1, 3, 2]
    assert [c.shape for c in split_clips(x, seqL)] == [(1, 1, 4, 2), (1, 3, 4, 2), (1, 2, 4, 2)]
    assert torch.equal(torch.cat(split_clips(x, seqL), dim=1), x)


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_the_mean_over_a_clip_by_hand(dtype):
    frames = torch.tensor([[[1.0, 10.0], [3.0, 20.0], [5.0, 60.0]]])
    assert clip_means(frames, torch.tensor([[1, 2]], dtype=dtype)).tolist() == [[1, 10], [4, 40]]
    assert clip_means(frames, None).tolist() == [[3, 30]]


def test_clip_means_are_computed_in_float32():
    frames = torch.full((1, 4096, 1), 0.1, dtype=torch.float16)
    for seqL in (None, torch.tensor([[4096]])):
        mean = clip_means(frames, seqL)
        assert mean.dtype == torch.float32
        assert mean.item() == pytest.approx(frames[0, 0, 0].item(), rel=1e-5)


# ---- the VEN -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(64, 64), (64, 44), (128, 88)])
@pytest.mark.parametrize("classes", [3, 5])
def test_the_ven_gives_a_feature_scores_and_an_amount_per_clip(size, classes):
    seen = VisibilityNetwork(classes)(sils(4, 3, *size))
    assert seen.feature.shape == (4, 64)
    assert seen.logits.shape == (4, classes)
    assert seen.amount.shape == (4,)
    assert ((seen.amount > 0) & (seen.amount < 1)).all()
    assert (seen.feature >= 0).all(), "δ comes out of a ReLU"


def test_the_vens_layers_are_the_papers():
    shapes = [tuple(p.shape) for p in VisibilityNetwork(3).parameters() if p.ndim > 1]
    assert shapes == [(32, 1, 3, 3), (64, 32, 3, 3), (128, 64, 3, 3), (64, 128), (3, 64), (1, 64)]


def test_a_frame_passes_three_convolutions_with_pooling_and_a_linear_layer():
    network = VisibilityNetwork(3, channels=(2, 3, 4), feature=5)
    (w1, b1), (w2, b2), (w3, b3), (w4, b4) = [
        (m.weight, m.bias) for m in network.frames if isinstance(m, (nn.Conv2d, nn.Linear))
    ]
    x = sils(1, 1, 64, 44)
    y = F.max_pool2d(F.conv2d(x, w1, b1, padding=1).relu(), 2)
    y = F.max_pool2d(F.conv2d(y, w2, b2, padding=1).relu(), 2)
    y = F.max_pool2d(F.conv2d(y, w3, b3, padding=1).relu(), 2, padding=1)
    assert y.shape == (1, 4, 9, 6), "the last pooling pads by 1"
    expected = (y.mean((2, 3)) @ w4.T + b4).relu()
    torch.testing.assert_close(network(x).feature, expected, **CLOSE)


def test_a_clips_feature_is_the_mean_over_its_frames():
    network, clip = VisibilityNetwork(3), sils(1, 6, 64, 44)
    frame_by_frame = torch.stack([network(clip[:, i : i + 1]).feature for i in range(6)])
    torch.testing.assert_close(network(clip).feature, frame_by_frame.mean(0), **CLOSE)
    torch.testing.assert_close(network(clip.flip(1)).feature, network(clip).feature, **CLOSE)


def test_clips_along_time_equal_clip_by_clip():
    network, lengths = VisibilityNetwork(3), [2, 5, 1]
    x = sils(1, sum(lengths), 64, 44)
    together = network(x, torch.tensor([lengths]))
    for i, clip in enumerate(x.split(lengths, dim=1)):
        alone = network(clip)
        for both, own in zip(together[:3], alone[:3], strict=True):
            torch.testing.assert_close(both[i : i + 1], own, **CLOSE)


def test_the_heads_read_delta():
    network = VisibilityNetwork(4)
    seen = network(sils(3, 2, 64, 64))
    logits = seen.feature @ network.kind.weight.T + network.kind.bias
    amount = (seen.feature @ network.amount.weight[0] + network.amount.bias[0]).sigmoid()
    torch.testing.assert_close(seen.logits, logits, **CLOSE)
    torch.testing.assert_close(seen.amount, amount, **CLOSE)


@pytest.mark.parametrize("channels", [(32, 64), (32, 64, 0), (32, 64, 1.5), []])
def test_channels_that_are_not_three_whole_numbers_are_refused(channels):
    with pytest.raises(ConfigError, match="VEN: channels") as caught:
        VisibilityNetwork(3, channels=channels)
    assert str(list(channels)) in str(caught.value)


def test_the_ven_sees_heat_maps_and_parsing_maps_as_silhouettes():
    network, whole = VisibilityNetwork(3), sils(2, 3, 64, 44)
    upper = (torch.arange(64) < 32)[:, None]
    maps = torch.stack([whole * upper, whole * ~upper, 0.5 * whole], dim=2)
    parts = whole * (1 + torch.arange(64) // 6)[:, None]
    expected = network(whole)
    for clips in (maps, parts):
        for seen, own in zip(network(clips), expected, strict=True):
            torch.testing.assert_close(seen, own, **CLOSE)
    joined = network(maps.flatten(0, 1)[None], torch.tensor([[3, 3]]))
    torch.testing.assert_close(joined.feature, expected.feature, **CLOSE)


def test_silhouettes_of_clips_by_hand():
    maps = torch.tensor([[[[[0.0, 0.5]], [[0.25, 0.0]]]]])  # one frame of two channels, 1 × 2
    assert silhouettes(maps).tolist() == [[[[0.25, 0.5]]]]
    assert silhouettes(torch.tensor([[[[0.0, 7.0]]]])).tolist() == [[[[0.0, 1.0]]]]


# ---- the fusion T ------------------------------------------------------------------------------------------


class Linear(nn.Module):
    """Stands for a backbone: [n, s, h, w] -> [n, c, p]."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 4 * 3)

    def forward(self, sils, seqL, labels):
        return self.layer(sils.mean((1, 2))).reshape(len(sils), 4, 3)


class Constant(nn.Module):
    def forward(self, sils, seqL):
        return torch.full((2, 4, 3), 7.0)


@pytest.mark.parametrize("part", ["fusion", "holistic", "parts"])
def test_a_mimic_is_eq_1(part):
    ven = VisibilityNetwork(3, tasks=("classification", "regression", "parts"), strips=4)
    network = MimicNetwork(Linear(), ven)
    clips = sils(2, 5, 8, 8)
    gamma, visibility = network.backbone(clips, None, None), ven(clips)
    assert torch.equal(network(clips).embeddings, gamma)
    network.fusion = Fusion(3, 4, 64)
    gamma = network.fusion(gamma, visibility.feature)
    if part == "holistic":
        network.holistic = Constant()
        gamma = visibility.amount[:, None, None] * gamma + 7
    network.parts = PartVisibility(torch.full((3, 4), 0.25)) if part == "parts" else None
    found = network(clips)
    torch.testing.assert_close(found.embeddings, gamma, **CLOSE)
    assert torch.equal(found.logits, visibility.logits) and torch.equal(found.amount, visibility.amount)
    if part == "parts":
        expected = visibility.part_logits.sigmoid().mean(1, keepdim=True).expand(2, 3)
        torch.testing.assert_close(found.visibility, expected, **CLOSE)
    else:
        assert found.visibility is None


def test_fusion_is_a_linear_map_per_part_of_the_feature_beside_delta():
    fusion = Fusion(parts=3, channels=4, guide=2)
    embeddings, guide = torch.rand(5, 4, 3), torch.rand(5, 2)
    expected = torch.stack([torch.cat((embeddings[:, :, p], guide), 1) @ fusion.weight[p] for p in range(3)], dim=2)
    found = fusion(embeddings, guide)
    assert found.shape == (5, 4, 3)
    torch.testing.assert_close(found, expected, **CLOSE)


@pytest.mark.parametrize("scale", [0.0, 0.01])
def test_fusion_can_start_as_identity_with_a_small_share_of_delta(scale):
    fusion = Fusion(parts=16, channels=32, guide=64)
    fusion.start_as_identity(scale)
    embeddings, guide = torch.rand(5, 32, 16), torch.rand(5, 64)
    assert torch.equal(fusion.weight[:, :32], torch.eye(32).expand(16, -1, -1))
    assert fusion.weight[:, 32:].std().item() == pytest.approx(scale, rel=0.05)
    torch.testing.assert_close(fusion(embeddings, torch.zeros(5, 64)), embeddings, **CLOSE)
    torch.testing.assert_close(fusion(embeddings, guide), embeddings, atol=40 * scale + 1e-6, rtol=0)
    assert fusion.weight.requires_grad


def test_fusion_joins_a_float32_delta_with_half_precision_features():
    fusion = Fusion(parts=3, channels=4, guide=2).bfloat16()
    assert fusion(torch.rand(5, 4, 3, dtype=torch.bfloat16), torch.rand(5, 2)).dtype == torch.bfloat16


# ---- frozen ------------------------------------------------------------------------------------------------


def normalised_network():
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 2))


def test_a_training_step_around_it_leaves_frozen_unchanged_bit_for_bit():
    frozen = Frozen(normalised_network())
    before = {name: value.clone() for name, value in frozen.state_dict().items()}
    student = nn.Linear(4, 2)
    model = nn.ModuleDict({"student": student, "frozen": frozen})
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=0.1)
    start = student.weight.detach().clone()
    for _ in range(3):
        model.train()
        x = torch.rand(6, 4)
        loss = (student(x) - frozen(x)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert not torch.equal(student.weight, start)
    after = frozen.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_frozen_gives_what_the_network_gives_in_eval_mode():
    network = normalised_network()
    x = torch.rand(6, 4)
    with torch.no_grad():
        expected = network.eval()(x)
    assert torch.equal(Frozen(network.train())(x), expected)


# ---- the teacher beside a training -------------------------------------------------------------------------


class Clips(nn.Module):
    """A network of frames as one of clips [n, s, h, w] -> [n, c, 1]: its maximum over time, whatever the length."""

    def __init__(self, frames: nn.Module):
        super().__init__()
        self.frames = frames

    def forward(self, sils, seqL=None):
        clips = list(sils) if seqL is None else sils[0].split(seqL[0].tolist())
        return torch.stack([self.frames(clip[:, None]).amax((0, 2, 3)) for clip in clips])[:, :, None]


class Joined(nn.Module):
    """Two branches over the same convolution, `how` says which of them is normalised."""

    def __init__(self, how):
        super().__init__()
        self.conv, self.norm, self.other, self.how = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.BatchNorm2d(4), how

    def forward(self, x):
        maps = self.conv(x)
        if self.how == "skip":
            return self.norm(maps) + maps
        if self.how == "two norms":
            return self.norm(maps) + self.other(maps)
        if self.how == "one norm twice":
            return self.norm(maps) + self.norm(maps.relu())
        if self.how == "one convolution twice":
            return self.norm(maps) + self.conv(x.flip(3)).relu()
        return self.norm(maps)


def lively(network):
    """A network whose batch norms have statistics and weights of their own."""
    torch.manual_seed(3)
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            for tensor in (module.running_mean, module.running_var, module.weight, module.bias):
                if tensor is not None:
                    tensor.data.uniform_(0.5, 2)
    return network


FOLDED = {
    "2D": (lambda: nn.Sequential(nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(),
                                 nn.Conv2d(4, 6, 3, stride=2, groups=2), nn.BatchNorm2d(6, affine=False)), 0),
    "3D": (lambda: nn.Sequential(nn.Unflatten(1, (1, 1)), nn.Conv3d(1, 4, (1, 3, 3)), nn.BatchNorm3d(4),
                                 nn.Flatten(2, 3)), 0),
    "after a ReLU": (lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.BatchNorm2d(4)), 1),
    "without statistics": (lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4, track_running_stats=False)), 1),
    "plainly": (lambda: Joined("plainly"), 1),  # its other batch norm is not used
    "two norms": (lambda: Joined("two norms"), 2),
    "one norm twice": (lambda: Joined("one norm twice"), 2),
    "skip": (lambda: Joined("skip"), 2),
    "one convolution twice": (lambda: Joined("one convolution twice"), 2),
}  # fmt: skip


@pytest.mark.parametrize("name", FOLDED)
def test_a_teacher_embeds_as_its_network_does_with_fewer_batch_norms(name):
    build, left = FOLDED[name]
    network = Clips(lively(build())).eval()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    sils = torch.rand(3, 9, 16, 11)
    teacher = Teacher(network)
    with torch.no_grad():
        expected = network(sils)
    torch.testing.assert_close(teacher(sils), expected, atol=1e-5, rtol=1e-5)
    made = teacher.made[1]
    assert sum(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in made.modules()) == left
    assert all(torch.equal(value, before[key]) for key, value in teacher.network.state_dict().items())
    assert set(teacher.state_dict()) == {f"network.{key}" for key in before}
    assert not any(p.requires_grad for p in made.parameters())


def test_a_teacher_takes_clips_along_time():
    network = Clips(lively(FOLDED["2D"][0]())).eval()
    sils, seqL = torch.rand(1, 9, 12, 9), torch.tensor([[4, 2, 3]], dtype=torch.int32)
    with torch.no_grad():
        torch.testing.assert_close(Teacher(network)(sils, seqL), network(sils, seqL), atol=1e-5, rtol=1e-5)


# ---- the part-wise head ------------------------------------------------------------------------------------


@pytest.mark.parametrize("training", [True, False])
def test_bnneck_normalises_all_channels_and_parts_and_scores_by_cosine(training):
    head = PartBNNeck(parts=3, channels=4, classes=5).train(training)
    with torch.no_grad():
        head.norm.weight.uniform_(0.5, 2)
        head.norm.bias.uniform_(-1, 1)
        head.norm.running_mean.uniform_(-1, 1)
        head.norm.running_var.uniform_(0.5, 2)
    mean, var = head.norm.running_mean.clone(), head.norm.running_var.clone()
    embeddings = torch.rand(6, 4, 3)
    found = head(embeddings)
    assert found.shape == (6, 5, 3)
    if training:
        mean, var = embeddings.flatten(1).mean(0), embeddings.flatten(1).var(0, unbiased=False)
    for part in range(3):
        own = [channel * 3 + part for channel in range(4)]
        features = (embeddings[:, :, part] - mean[own]) / (var[own] + 1e-5).sqrt()
        features = features * head.norm.weight[own] + head.norm.bias[own]
        for clip in range(6):
            for k in range(5):
                cosine = F.cosine_similarity(features[clip], head.weight[part, :, k], dim=0)
                assert found[clip, k, part].item() == pytest.approx(cosine.item(), abs=1e-5)


class TheirNeck(torch.nn.Module):
    """A classifier with the names that OpenGait's has."""

    def __init__(self, parts=3, channels=4, classes=5, classifies=True):
        super().__init__()
        self.bn1d = torch.nn.BatchNorm1d(parts * channels)
        torch.nn.init.uniform_(self.bn1d.weight)
        self.bn1d.running_mean.uniform_(-1, 1)
        if classifies:
            self.fc_bin = torch.nn.Parameter(torch.rand(parts, channels, classes))


def test_bnneck_starts_as_the_classifier_of_a_trained_network():
    theirs = TheirNeck()
    head = PartBNNeck(parts=3, channels=4, classes=5)
    head.start_as_in(torch.nn.Sequential(torch.nn.Linear(2, 2), theirs))
    assert torch.equal(head.weight, theirs.fc_bin) and head.weight.requires_grad
    assert all(torch.equal(value, theirs.bn1d.state_dict()[name]) for name, value in head.norm.state_dict().items())


@pytest.mark.parametrize("other", [{"classes": 6}, {"parts": 4}, {"classifies": False}], ids=str)
def test_bnneck_stays_as_it_is_where_a_networks_classifier_does_not_fit(other):
    """The last is a batch norm over all parts that classifies nothing, as OpenGait's ParallelBN1d."""
    head = PartBNNeck(parts=3, channels=4, classes=5)
    before = {name: value.clone() for name, value in head.state_dict().items()}
    head.start_as_in(torch.nn.Sequential(TheirNeck(**other)))
    assert all(torch.equal(value, before[name]) for name, value in head.state_dict().items())
