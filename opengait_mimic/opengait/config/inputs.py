"""What OpenGait's models take, where that is not one clip of silhouettes (or of maps or images of their size)."""

from __future__ import annotations

from opengait_mimic.errors import ConfigError

# Model class: what it takes. Occluding one input alone would leave the others to tell what is hidden.
OTHER_INPUTS = {
    "BigGait__Dinov2_Gaitbase": "RGB frames with their aspect ratios",
    "BiggerGait__DINOv2": "RGB frames",
    "DenoisingGait": "diffusion features with silhouettes",
    "GaitEdge": "RGB frames with silhouettes and aspect ratios",
    "GaitGraph1": "skeletons (joint coordinates)",
    "GaitGraph2": "skeletons (joint coordinates)",
    "GaitTR": "skeletons (joint coordinates)",
    "LidarGaitPlusPlus": "point clouds",
    "MultiScaleGaitGraph": "skeletons (joint coordinates)",
    "Segmentation": "RGB frames with silhouettes",
    "SkeletonGaitPP": "heat maps with silhouettes",
    "SMPLGait": "silhouettes with SMPL parameters",
}

# Model class: what it does with a clip instead of embedding it for recognition.
OTHER_TASKS = {
    "FoundationGait_Scaling": "is a self-supervised pretraining on pairs; take FoundationGait_Scaling_Finetune",
    "FoundationGait_Scaling_LinearProbing_DGait": "classifies a diagnosis; it embeds no identity",
    "FoundationGait_Scaling_LinearProbing_RAGAR": "classifies attributes; it embeds no identity",
    "FoundationGait_Scaling_LinearProbing_Scoliosis1K": "classifies scoliosis; it embeds no identity",
    "GaitSSB_Pretrain": "is a self-supervised pretraining on pairs; take GaitSSB_Finetune",
    "MultiDatasets": "is a base class without a network",
    "ScoNet": "classifies scoliosis; it embeds no identity",
}

ONE_CLIP = "; a backbone takes one clip of silhouettes (or of heat maps, parsing maps, depth images)"


def refuse_other_inputs(model: object) -> None:
    """Refuse a model that cannot be a backbone.

    Raises:
        ConfigError: one line with the model and what it takes or does.
    """
    if model in OTHER_INPUTS:
        raise ConfigError(f"backbone: {model} takes {OTHER_INPUTS[model]}{ONE_CLIP}")
    if model in OTHER_TASKS:
        raise ConfigError(f"backbone: {model} {OTHER_TASKS[model]}")
