"""The life of a gait model: built, given its data, trained, saved, restored, tested."""

from __future__ import annotations

import inspect
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
import utils
from data import sampler as samplers
from data.collate_fn import CollateFn
from data.dataset import DataSet
from data.transform import get_transform
from evaluation import evaluator as evaluators
from torch import nn, optim
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader

from modeling.loss_aggregator import LossAggregator
from opengait_mimic.data import progress
from opengait_mimic.errors import ConfigError
from opengait_mimic.opengait.checkpoints import load_weights, read_checkpoint, scheduler_state, write_checkpoint

# What a sampler section says to the CollateFn instead of to the sampler.
COLLATE_KEYS = ("type", "sample_type", "frames_num_fixed", "frames_num_min", "frames_num_max", "frames_skip_num",
                "frames_all_limit")  # fmt: skip
NORM_LAYERS = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)


def _seed_worker(_: int) -> None:
    seed = torch.initial_seed() % 2**32
    random.seed(seed)
    np.random.seed(seed)


class BaseModel(nn.Module):
    """What every gait model inherits; a subclass writes `build_network` and `forward`.

    forward takes (ipts, labs, typs, vies, seqL), as `inputs_pretreament` returns them, and returns a dict:
    training_feat {log_prefix: arguments of that loss, or a loss}, visual_summary {'image/…' or 'scalar/…'},
    inference_feat {'embeddings': [n, c, p], …}.

    Args:
        cfgs: the sections of the configuration, as `config_loader` returns them.
        training: whether to train or to test.
    Raises:
        ConfigError: an unknown type in a section.
        DataError, CheckpointError: a data set or checkpoint that is missing or does not fit.
    """

    train_loader: Any
    test_loader: Any

    def __init__(self, cfgs: dict, training: bool):
        super().__init__()
        self.msg_mgr = utils.get_msg_mgr()
        self.cfgs = cfgs
        self.iteration = 0
        self.engine_cfg = cfgs["trainer_cfg" if training else "evaluator_cfg"]
        name = cfgs["model_cfg"]["model"]
        self.save_path = str(Path("output", cfgs["data_cfg"]["dataset_name"], name, self.engine_cfg["save_name"]))
        self.build_network(cfgs["model_cfg"])
        self.init_parameters()
        self.trainer_trfs = get_transform(cfgs["trainer_cfg"]["transform"])
        if training:
            self.train_loader = self.get_loader(cfgs["data_cfg"], train=True)
        if not training or self.engine_cfg["with_test"]:
            self.test_loader = self.get_loader(cfgs["data_cfg"], train=False)
            self.evaluator_trfs = get_transform(cfgs["evaluator_cfg"]["transform"])
        self.device = utils.device()
        self.to(self.device)
        if training:
            self.loss_aggregator = LossAggregator(cfgs["loss_cfg"])
            self.optimizer = self.get_optimizer(cfgs["optimizer_cfg"])
            self.scheduler = self.get_scheduler(cfgs["scheduler_cfg"])
            # torch.amp has a GradScaler for any device since 2.3
            scaler_class = getattr(torch.amp, "GradScaler", None) or torch.cuda.amp.GradScaler
            self.scaler = scaler_class(enabled=self.engine_cfg["enable_float16"] and self.device.type == "cuda")
        self.train(training)
        if self.engine_cfg["restore_hint"] != 0:
            self.resume_ckpt(self.engine_cfg["restore_hint"])

    # Building

    def build_network(self, model_cfg: dict) -> None:
        """Make the submodules."""
        raise NotImplementedError

    def init_parameters(self) -> None:
        """Xavier for convolutions and linear maps, weights near 1 for norm layers, biases 0."""
        for module in self.modules():
            if isinstance(module, (nn.modules.conv._ConvNd, nn.Linear)):
                nn.init.xavier_uniform_(module.weight)
            elif isinstance(module, NORM_LAYERS) and module.weight is not None:
                nn.init.normal_(module.weight, mean=1.0, std=0.02)
            else:
                continue
            if module.bias is not None:
                nn.init.zeros_(module.bias)

    def get_loader(self, data_cfg: dict, train: bool = True) -> DataLoader:
        """Batches of the training or of the test set, as the section's sampler says."""
        section = "trainer_cfg" if train else "evaluator_cfg"
        sampler_cfg = self.cfgs[section]["sampler"]
        sequences = DataSet(data_cfg, train)
        sampler_class = utils.get_attr_from([samplers], sampler_cfg["type"], f"sampler ({section}.sampler.type)")
        return DataLoader(
            sequences,
            batch_sampler=sampler_class(sequences, **utils.get_valid_args(sampler_class, sampler_cfg, COLLATE_KEYS)),
            collate_fn=CollateFn(sequences.label_set, sampler_cfg),
            num_workers=data_cfg["num_workers"],
            worker_init_fn=_seed_worker,
        )

    def get_optimizer(self, optimizer_cfg: dict) -> optim.Optimizer:
        """The torch.optim class that `solver` names, over the parameters that are trained."""
        solver = utils.get_attr_from([optim], optimizer_cfg["solver"], "optimizer (optimizer_cfg.solver)")
        trained = [p for p in self.parameters() if p.requires_grad]
        return solver(trained, **utils.get_valid_args(solver, optimizer_cfg, ("solver",)))

    def get_scheduler(self, scheduler_cfg: dict) -> lr_scheduler.LRScheduler:
        """The torch.optim.lr_scheduler class that `scheduler` names."""
        name = scheduler_cfg["scheduler"]
        schedule = utils.get_attr_from([lr_scheduler], name, "scheduler (scheduler_cfg.scheduler)")
        return schedule(self.optimizer, **utils.get_valid_args(schedule, scheduler_cfg, ("scheduler",)))

    def fix_BN(self) -> None:
        """Batch norm layers keep their running statistics until the next `train()`."""
        for module in self.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()

    # Checkpoints

    def _ckpt_path(self, iteration: int) -> Path:
        name = self.engine_cfg["save_name"]
        return Path(self.save_path, "checkpoints", f"{name}-{iteration:05d}.pt")

    def save_ckpt(self, iteration: int) -> None:
        """Write model, optimizer, scheduler and iteration (rank 0 only); the file is never half written."""
        if utils.get_rank() != 0:
            return
        state = {
            "model": self.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": scheduler_state(self.scheduler),
            "iteration": iteration,
        }
        write_checkpoint(state, self._ckpt_path(iteration))

    def resume_ckpt(self, restore_hint: int | str) -> None:
        """Restore the own checkpoint of an iteration, or the file at a path (the iteration stays 0).

        In training also the optimizer and the scheduler, unless they are to be reset.

        Raises:
            CheckpointError: no such file, it cannot be read, or it is of another network.
        """
        path = self._ckpt_path(restore_hint) if isinstance(restore_hint, int) else Path(restore_hint)
        state = read_checkpoint(path, "the", utils.device())
        self._load_network(path, state["model"])
        for part in ("optimizer", "scheduler") if self.training else ():
            if self.engine_cfg[f"{part}_reset"] or part not in state:
                self.msg_mgr.log_warning(f"{path}: the {part} starts anew")
            else:
                getattr(self, part).load_state_dict(state[part])
        self.iteration = restore_hint if isinstance(restore_hint, int) else 0
        self.msg_mgr.log_info(f"restored {path}")

    def _load_network(self, path: Path, weights: dict) -> None:
        if self.engine_cfg["restore_ckpt_strict"]:
            return load_weights(self, weights, "network", path)
        keys = self.load_state_dict(weights, strict=False)
        if keys.missing_keys or keys.unexpected_keys:
            counts = f"{len(keys.missing_keys)} missing, {len(keys.unexpected_keys)} unknown"
            self.msg_mgr.log_warning(f"{path}: not all of the network's parameters ({counts})")
        return None

    # One batch

    def inputs_pretreament(self, inputs: list) -> tuple:
        """Apply the transforms to a batch and bring it to the device.

        Args:
            inputs: [seqs, labels, types, views, seqL] as CollateFn lays them out.
        Returns:
            (ipts, labs, typs, vies, seqL): ipts[f] float32 [n, s, …] for fixed sampling, else
            [1, Σs, …]; labs int64 [n]; typs and vies lists; seqL int32 [1, n], or None for fixed sampling.
        Raises:
            ConfigError: not one transform for every input stream.
        """
        streams, labels, typs, vies, lengths = inputs
        transforms = self.trainer_trfs if self.training else self.evaluator_trfs
        transforms = transforms if isinstance(transforms, list) else [transforms]
        if len(transforms) != len(streams):
            raise ConfigError(f"transform: {len(transforms)} entries for {len(streams)} input streams")
        ipts = [
            utils.np2var(np.stack([transform(clip) for clip in clips])).float()
            for transform, clips in zip(transforms, streams, strict=True)
        ]
        seqL = None if lengths is None else utils.np2var(lengths, dtype=torch.int32)
        return ipts, utils.list2var(labels, dtype=torch.int64), typs, vies, seqL

    def autocast(self) -> torch.autocast:
        """Half precision where the section asks for it: float16 on GPUs, bfloat16 on the CPU."""
        kind = self.device.type
        half = torch.bfloat16 if kind == "cpu" else torch.float16
        return torch.autocast(kind, dtype=half, enabled=self.engine_cfg["enable_float16"])

    def train_step(self, loss_sum: torch.Tensor) -> bool:
        """One step of optimizer and scheduler.

        Returns:
            False where the gradient scaler skipped the step, because half precision overflowed.
        """
        self.optimizer.zero_grad()
        self.scaler.scale(loss_sum).backward()
        scale = self.scaler.get_scale()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.scaler.get_scale() < scale:
            self.msg_mgr.log_debug(f"step skipped at iteration {self.iteration}: gradients overflow")
            return False
        self.iteration += 1
        self.scheduler.step()
        return True

    # Whole runs

    def inference(self, rank: int) -> dict[str, np.ndarray]:
        """Every `inference_feat` of the whole test set, in its order, on every process."""
        size = len(self.test_loader.dataset)
        collected = utils.Odict()
        with progress.bar(size, "test", "seq", first=rank == 0) as bar:
            for batch in self.test_loader:
                clips = self.inputs_pretreament(batch)
                with self.autocast():
                    features = self.forward(clips)["inference_feat"]
                collected.append(
                    {k: utils.ts2np(utils.ddp_all_gather(v, requires_grad=False)) for k, v in features.items()}
                )
                bar.update(min(self.test_loader.batch_sampler.batch_size, size - bar.n))
        return {key: np.concatenate(batches)[:size] for key, batches in collected.items()}

    @staticmethod
    def run_train(model: nn.Module) -> dict | None:
        """Train until total_iter.

        Args:
            model: the BaseModel, or its DDP wrap.
        Returns:
            The metrics of the last test on the way (rank 0, with_test), else None.
        """
        module = _unwrapped(model)
        cfg, result = module.engine_cfg, None
        first = utils.get_rank() == 0
        with progress.bar(cfg["total_iter"], "train", "it", first=first, initial=module.iteration) as bar:
            for inputs in module.train_loader:
                ipts = module.inputs_pretreament(inputs)
                with module.autocast():
                    output = model(ipts)
                loss_sum, loss_info = module.loss_aggregator(output["training_feat"])
                if not module.train_step(loss_sum):
                    continue
                module.msg_mgr.train_step(loss_info, output["visual_summary"])
                bar.update()
                if module.iteration % cfg["save_iter"] == 0:
                    module.save_ckpt(module.iteration)
                    if cfg["with_test"]:
                        result = _test_on_the_way(model)
                if module.iteration >= cfg["total_iter"]:
                    break
        return result

    @staticmethod
    def run_test(model: nn.Module) -> dict | None:
        """Embed the test set and evaluate it.

        Args:
            model: the BaseModel, or its DDP wrap, in eval mode.
        Returns:
            The eval function's metrics on rank 0, None on the others.
        """
        module = _unwrapped(model)
        cfg, data_cfg = module.cfgs["evaluator_cfg"], module.cfgs["data_cfg"]
        evaluate = utils.get_attr_from([evaluators], cfg["eval_func"], "eval function (evaluator_cfg.eval_func)")
        rank = utils.get_rank()
        with torch.no_grad():
            data = module.inference(rank)
        if rank != 0:
            return None
        dataset = module.test_loader.dataset
        data.update(labels=dataset.label_list, types=dataset.types_list, views=dataset.views_list)
        options = {k: cfg[k] for k in inspect.signature(evaluate).parameters if k in cfg}
        return evaluate(data, data_cfg.get("test_dataset_name") or data_cfg["dataset_name"], **options)


def _unwrapped(model: nn.Module) -> Any:
    return model.module if isinstance(model, nn.parallel.DistributedDataParallel) else model


def _test_on_the_way(model: nn.Module) -> dict | None:
    module = _unwrapped(model)
    model.eval()
    result = type(module).run_test(model)
    model.train()
    if module.engine_cfg["fix_BN"]:
        module.fix_BN()
    if result:
        module.msg_mgr.write_to_tensorboard(result)
    return result
