"""What each process of a group does with its share of a batch, and one process with all of it."""

from __future__ import annotations

import copy
import warnings
from typing import NamedTuple

import numpy as np
import torch
import torch.distributed as dist
from torch import nn

from opengait_mimic.method.occlusion import OcclusionParameters
from opengait_mimic.opengait.process.batch_norm import over_processes


def place() -> tuple[int, int]:
    """This process's rank and the number of processes."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def own_share() -> slice:
    """As OpenGait's sampler deals a batch out."""
    rank, count = place()
    return slice(rank, None, count)


# ---- a loss ------------------------------------------------------------------------------------------------

CHANNELS, PARTS = 4, 3  # of the embeddings; as many classes as channels


class Batch(NamedTuple):
    """Inputs [n, 5] of a linear map, its weight, and of the n clips teacher features, labels and hidden fractions."""

    inputs: torch.Tensor
    teacher: torch.Tensor
    labels: torch.Tensor
    amount: torch.Tensor
    weight: torch.Tensor


def batch(labels: list[int], seed: int, dtype: torch.dtype) -> Batch:
    """A batch at random, whose identities are `labels`."""
    generator = torch.Generator().manual_seed(seed)
    n, size = len(labels), CHANNELS * PARTS
    inputs = torch.randn(n, 5, generator=generator, dtype=torch.float64)
    weight = torch.randn(size, 5, generator=generator, dtype=torch.float64)
    teacher = (inputs @ weight.T + torch.randn(n, size, generator=generator, dtype=torch.float64)).unflatten(1, (-1, 3))
    amount = torch.rand(n, generator=generator, dtype=torch.float64)
    return Batch(*(x.to(dtype) for x in (inputs, teacher)), torch.tensor(labels), amount.to(dtype), weight.to(dtype))


def loss_and_gradient(entry: dict, tasks: tuple[str, ...], whole: Batch) -> dict:
    """A loss of `loss_cfg`, over the host's way from a network in DDP to an averaged gradient.

    Returns:
        loss: of the global batch; logged: what it tells; gradient: of the linear map's weight; share: the own clips.
    """
    from modeling.loss_aggregator import LossAggregator
    from utils import get_ddp_module

    wide = torch.float32 if whole.inputs.dtype == torch.bfloat16 else whole.inputs.dtype
    linear = nn.Linear(5, CHANNELS * PARTS, bias=False, dtype=wide)
    linear.weight.data.copy_(whole.weight)
    network, mine = get_ddp_module(linear), own_share()
    embeddings = network(whole.inputs[mine].to(wide)).to(whole.inputs.dtype).unflatten(1, (CHANNELS, PARTS))
    labels = whole.labels[mine]
    features = {
        "MiCKDLoss": {"mimic": embeddings, "labels": labels, "teacher": whole.teacher[mine]},
        "L2KDLoss": {"mimic": embeddings, "labels": labels, "teacher": whole.teacher[mine]},
        "TripletLoss": {"embeddings": embeddings, "labels": labels},
        "CrossEntropyLoss": {"logits": embeddings, "labels": labels},
        "VisibilityLoss": {"kind": labels, "true_amount": whole.amount[mine]},
    }
    if "classification" in tasks:
        features["VisibilityLoss"]["logits"] = embeddings[:, :, 0]
    if "regression" in tasks:
        features["VisibilityLoss"]["amount"] = embeddings[:, 0, 1].sigmoid()
    loss, logged = LossAggregator({**entry, "log_prefix": "it"})({"it": features[entry["type"]]})
    loss.backward()
    return {
        "loss": loss.detach() / place()[1],
        "logged": {name: value.detach() for name, value in logged.items()},
        "gradient": linear.weight.grad,
        "share": torch.arange(len(whole.inputs))[mine],
    }


# ---- a network ---------------------------------------------------------------------------------------------


def share_of(inputs: tuple) -> tuple:
    """The own share of what one of our models takes: `Clips`, labels, types, views and seqL."""
    clips, labels, types, views, seqL = inputs
    rank, count = place()
    mine = own_share()
    lengths = [clips.occluded.shape[1]] * len(labels)
    if seqL is None:
        sils = [x[mine] for x in clips[:2]]
    else:
        lengths = seqL[0].tolist()
        sils = [torch.cat(x.split(lengths, dim=1)[rank::count], dim=1) for x in clips[:2]]
        seqL = seqL[:, mine]
    parameters = clips.parameters and parameters_of(clips.parameters, np.arange(len(labels))[mine], lengths)
    clips = clips._replace(
        occluded=sils[0], holistic=sils[1], kind=clips.kind[mine], amount=clips.amount[mine], parameters=parameters
    )
    return clips, labels[mine], types[mine], views[mine], seqL


def parameters_of(batch: OcclusionParameters, clips: np.ndarray, lengths: list[int]) -> OcclusionParameters:
    """The parameters of some clips of a batch; `lengths` of all of them, in frames."""
    starts = np.cumsum([0, *lengths])
    frames = np.concatenate([np.arange(starts[i], starts[i + 1]) for i in clips])
    masked = np.isin(batch.masked, frames)
    return OcclusionParameters(batch.kind[clips], batch.amount[clips], batch.boxes[frames], batch.refit[frames],
                np.searchsorted(frames, batch.masked[masked]), batch.masks[masked], batch.merged[masked])  # fmt: skip


def model_of(cfgs: dict, dtype: torch.dtype | None):
    """One of our models in training, in `dtype`, and as the host wraps it for several processes."""
    from main import _distributed
    from modeling import models
    from utils import get_msg_mgr, init_seeds

    get_msg_mgr().init_logger("output", False)
    init_seeds(0)
    model = getattr(models, cfgs["model_cfg"]["model"])(copy.deepcopy(cfgs), True)
    if dtype is not None:
        for network in (model, vars(model).get("teacher")):
            if network is not None:
                network.to(dtype)
    return model, _distributed(model, cfgs["trainer_cfg"], True)


def steps(cfgs: dict, inputs: list[tuple], dtype: torch.dtype | None = None) -> dict:
    """Train a model on global batches, one step each.

    Args:
        inputs: of the model's forward, for all processes together. dtype: of weights and clips; None leaves them, and
            the YAML's half precision is used.
    Returns:
        loss: of each step; gradient: of the first, averaged; weights: after the last; clips: the own clips' kinds.
    """
    model, network = model_of(cfgs, dtype)
    losses, gradients = [], None
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*find_unused_parameters.*")
        for whole in inputs:
            mine = share_of(whole)
            if dtype is not None:
                mine = (mine[0]._replace(**{k: getattr(mine[0], k).to(dtype) for k in ("occluded", "holistic")}),
                        *mine[1:])  # fmt: skip
            with model.autocast():
                output = network(mine)
            loss, _ = model.loss_aggregator(output["training_feat"])
            model.train_step(loss)
            losses.append(loss.item() / place()[1])
            if gradients is None:
                gradients = {k: p.grad.clone() for k, p in model.named_parameters() if p.requires_grad}
    return {"loss": losses, "gradient": gradients, "weights": model.state_dict(), "kinds": mine[0].kind}


# ---- a layer -----------------------------------------------------------------------------------------------


def normalised(layer: nn.Module, whole: torch.Tensor) -> dict:
    """A batch norm of the own share, over all processes, and the gradients of a sum of its values' cubes."""
    layer = copy.deepcopy(layer)
    if whole.dtype == torch.float64:
        layer.double()
    if place()[1] > 1:
        layer = over_processes(layer)
    x = whole[own_share()].clone().requires_grad_()
    values = layer(x)
    values.pow(3).sum().backward()
    weights = {name: parameter.grad for name, parameter in layer.named_parameters()}
    return {
        "values": values.detach(),
        "to_input": x.grad,
        "to_weights": weights,
        "statistics": dict(layer.named_buffers()),
    }


# ---- a test set --------------------------------------------------------------------------------------------


def seen_by_us(cfgs: dict) -> dict | None:
    """What one of our models sees of a test set, occluded: names of the clips and features, on the first process."""
    from modeling import models
    from utils import init_seeds

    from opengait_mimic.opengait.models.embedding import Condition, embed_data_set

    init_seeds(0)
    net = getattr(models, cfgs["model_cfg"]["model"])(cfgs, False)
    occlusion = net.occlusion["evaluator_cfg"]
    seen = next(embed_data_set(net, [Condition(lambda inputs: net(inputs)["inference_feat"], occlusion.mixture, 3)]))
    return None if seen is None else {"names": seen.names, **seen.features}


def seen_by_host(cfgs: dict) -> dict:
    """What the host's own test gathers of a model of its own."""
    from modeling import models

    rank, count = place()
    cfgs["evaluator_cfg"]["sampler"]["batch_size"] = count
    net = getattr(models, cfgs["model_cfg"]["model"])(cfgs, False)
    with torch.no_grad():
        return dict(net.inference(rank))
