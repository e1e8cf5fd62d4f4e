"""What of a run needs the host's modules: it is imported once the host has been chosen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from modeling import models
from modeling.base_model import BaseModel

from opengait_mimic.opengait.models.backbone import host_model
from opengait_mimic.opengait.models.occluded import OccludedModel
from opengait_mimic.opengait.models.resumable import Resumable
from opengait_mimic.opengait.models.testing import result_path


class Tested(NamedTuple):
    """What a test gave on the first process.

    Attributes:
        scores: scalars by name. file: its result file, which only our models write.
    """

    scores: dict
    file: Path | None


def put_in_place(name: str, own_checkpoints: tuple[int, ...] | None, heard: Callable[[Tested], Any]) -> None:
    """Let the host's main program find a class that resumes and tells what its tests give, under the model's name.

    Args:
        name: of the model.
        own_checkpoints: the iterations that a training goes on from; None where it cannot be resumed.
        heard: called with what each test gave.
    """
    model = host_model(name)
    ours = issubclass(model, OccludedModel)

    def telling(test):
        def run_test(net):
            scores = test(net)
            heard(Tested(scores or {}, result_path(getattr(net, "module", net)) if ours else None))
            return scores

        return staticmethod(run_test)

    # OpenGait's trainings call the base class's on the way. A host's model may build its own on that one.
    run_test, BaseModel.run_test = telling(model.run_test), telling((model if ours else BaseModel).run_test)
    bases = (model,) if own_checkpoints is None or issubclass(model, Resumable) else (Resumable, model)
    content = {"__module__": model.__module__, "own_checkpoints": own_checkpoints or (), "run_test": run_test}
    setattr(models, name, type(name, bases, content))
