"""Batch norm over several processes on the CPU is batch norm of the whole batch."""

from __future__ import annotations

import pytest
import torch
from shares import normalised
from torch import nn

from opengait_mimic.opengait.process.batch_norm import BatchNormOverProcesses, over_processes


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.BatchNorm1d(5), (12, 5)),
        (nn.BatchNorm1d(5, momentum=None), (12, 5, 3)),
        (nn.BatchNorm2d(5, affine=False), (24, 5, 4, 3)),
        (nn.BatchNorm3d(5, eps=0.1), (12, 5, 2, 4, 3)),
        (nn.BatchNorm2d(5, track_running_stats=False), (12, 5, 4, 3)),
    ],
    ids=str,
)
def test_values_gradients_and_statistics(several, layer, shape, dtype):
    x = 7 + torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype)
    expected = normalised(layer, x)
    shares = several(normalised, layer, x)
    tolerance = {"atol": 1e-10, "rtol": 1e-10} if dtype == torch.float64 else {"atol": 1e-3, "rtol": 1e-3}
    for rank, found in enumerate(shares):
        own = slice(rank, None, several.count)
        for name in ("values", "to_input"):
            torch.testing.assert_close(found[name], expected[name][own], **tolerance)
        torch.testing.assert_close(found["statistics"], expected["statistics"], **tolerance)
    for name, gradient in expected["to_weights"].items():
        torch.testing.assert_close(sum(found["to_weights"][name] for found in shares), gradient, **tolerance)


def test_names_and_values_of_the_parameters_stay_and_eval_mode_is_plain():
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Sequential(nn.BatchNorm2d(3), nn.ReLU()))
    plain(torch.randn(4, 1, 8, 8))
    before, x = {k: v.clone() for k, v in plain.state_dict().items()}, torch.randn(2, 1, 8, 8)
    expected = plain.eval()(x)
    weight = plain[1][0].weight
    changed = over_processes(plain)
    assert isinstance(changed[1][0], BatchNormOverProcesses) and not changed[1][0].training
    assert changed[1][0].weight is weight, "the optimizer's parameter"
    assert list(changed.state_dict()) == list(before)
    assert all(torch.equal(v, before[k]) for k, v in changed.state_dict().items())
    assert torch.equal(changed(x), expected)


def test_half_precision_stays_and_is_normalised_in_single(pair):
    x = torch.randn(8, 3, 4, 4, generator=torch.Generator().manual_seed(0)).bfloat16()
    expected = normalised(nn.BatchNorm2d(3), x.float())["values"]
    for rank, found in enumerate(pair(normalised, nn.BatchNorm2d(3), x)):
        assert found["values"].dtype == torch.bfloat16
        torch.testing.assert_close(found["values"].float(), expected[rank::2], atol=0.02, rtol=0.02)


def test_what_has_no_channels_is_refused():
    for layer in (BatchNormOverProcesses(3), BatchNormOverProcesses(3).eval()):
        with pytest.raises(ValueError, match=r"expected \[n, c\] or \[n, c, …\], got \[3\]"):
            layer(torch.zeros(3))
