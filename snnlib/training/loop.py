r"""Train one network: SGD with momentum (no Nesterov), linear warm-up, cosine annealing to zero.

With :math:`S` steps in all, :math:`W` of them warm-up, and base rate :math:`\eta`, step :math:`i` uses

.. math:: \eta_i = \eta\,\min\Bigl(1, \frac{i + 1}{W}\Bigr) \quad (i < W), \qquad
          \eta_i = \frac{\eta}{2}\Bigl(1 + \cos \pi \frac{i - W}{S - W}\Bigr) \quad (i \ge W).

The weights of the last epoch are the result. Test accuracy is reported after every epoch and picks nothing.

Everything random is a function of (seed, epoch), so a run that was killed goes on from the checkpoint of its last
finished epoch and ends with the same weights, bit for bit, on the processor and with the number of threads it began on
(GPUs add up in no fixed order).
"""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import LambdaLR
from tqdm import tqdm

from snnlib import kernels
from snnlib.data.batches import Augment, Batches
from snnlib.data.images import ImageData, holdout
from snnlib.memory import keep_freed_memory
from snnlib.models import build_model
from snnlib.models.parts import Classifier
from snnlib.spec import DataSpec, ModelSpec, SpecError, TrainSpec
from snnlib.training import pace, ranks
from snnlib.training.checkpoint import Checkpoint

EVAL_BATCH = 250

_seeding = threading.Lock()  # torch draws initial weights from one generator for all threads


class TrainingDiverged(RuntimeError):
    """The loss is no longer a finite number."""


class Stopped(RuntimeError):
    """A training was told to stop; its checkpoint is kept."""


@dataclass(frozen=True)
class Network:
    """A trained network and what is known of its training.

    `model` is in evaluation mode, `history` one dict an epoch, `means` how the step was computed: the precision and
    device that were used, the number of processes and of threads in each, and whether its kernels were compiled.
    """

    spec: TrainSpec
    model: Classifier
    history: list[dict[str, float]]
    means: dict[str, Any] = field(default_factory=dict)


def build(model: ModelSpec, data: DataSpec, seed: int) -> Classifier:
    """The untrained network of a spec: initial weights are a function of `seed` alone."""
    with _seeding, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        settings = model.model_dump()
        return build_model(settings.pop("arch"), in_channels=data.in_channels, num_classes=data.num_classes, **settings)


def one_device(precision: str) -> Fabric:
    """The best device there is."""
    return Fabric(accelerator="auto", devices=1, precision=precision)


def train(
    spec: TrainSpec,
    data: ImageData,
    folder: Path,
    *,
    devices: Callable[[str], Fabric] = one_device,
    progress: bool = True,
    siblings: int = 1,
    stop: threading.Event | None = None,
) -> Network:
    """Train the network of `spec` on `data`, or go on with it from the checkpoint in `folder`.

    Args:
        spec: what to train and how. "bf16-mixed" computes in float32 where that is faster (`pace.precision_here`).
        data: the images; must be those that `spec.data` names.
        folder: where the checkpoint of the last finished epoch is kept, `checkpoint.pt`.
        devices: makes the Fabric that names devices, hosts and strategy, given a precision. With several processes all
            of them call this function, each gets the network, and the first alone writes and prints; `folder` must be
            one that all of them see.
        progress: print a forecast and a progress bar on standard error.
        siblings: how many networks are trained together with this one, and wait for the same compiler.
        stop: once set, the training ends with `Stopped` before its next step.

    Raises:
        TrainingDiverged: when the loss stops being finite; names the epoch and the learning rate.
        SpecError: batches that several processes cannot share evenly.
    """
    precision = pace.precision_here(spec.precision)
    fabric = devices(precision)
    fabric.launch()
    raw = build(spec.model, spec.data, spec.seed).to(memory_format=torch.channels_last)
    if spec.epochs == 0:
        return Network(spec, raw.eval(), [])
    keep_freed_memory()
    training, test = _batches(spec, data, fabric)
    learner = raw if fabric.world_size == 1 else ranks.synchronised(raw, fabric.device)
    settings = {"lr": spec.lr, "momentum": spec.momentum, "weight_decay": spec.weight_decay}
    model, optimizer = fabric.setup(learner, torch.optim.SGD(learner.parameters(), **settings))
    schedule = LambdaLR(optimizer, _rate(len(training), spec))
    state = {"model": model, "optimizer": optimizer, "schedule": schedule, "epoch": 0, "history": [], "means": {}}
    checkpoint = Checkpoint(folder / "checkpoint.pt", spec, fabric)
    checkpoint.restore(state)
    expected = pace.forecast(
        spec,
        raw,
        training,
        sum(len(batches.dataset) for batches in test.values()),
        fabric,
        epochs=spec.epochs - state["epoch"],
        siblings=siblings,
        compiled=state["means"].get("compiled"),
    )
    expected = fabric.broadcast(expected)  # ranks that measured differently must not choose differently
    if progress and fabric.is_global_zero:
        where = f"{fabric.device}, compiled kernels" if expected.compiled else str(fabric.device)
        tqdm.write(f"training {spec.slug}: about {pace.as_text(expected.seconds)} on {where}", file=sys.stderr)
    means = {"compiled": expected.compiled, "threads": torch.get_num_threads(), "device": fabric.device.type}
    means |= {"precision": precision, "processes": fabric.world_size}
    state["means"] = state["means"] or means  # of a training that is resumed, those it began with
    with kernels.compiled(expected.compiled):
        for epoch in range(state["epoch"], spec.epochs):
            started = time.perf_counter()
            training.set_epoch(epoch)
            learned = _train_epoch(model, optimizer, schedule, training, spec, fabric, epoch, progress, stop)
            metrics = {"epoch": epoch + 1, **learned}
            seconds = time.perf_counter() - started
            for name, batches in test.items():
                metrics |= {f"{name}_{key}": value for key, value in evaluate(model, batches, fabric).items()}
            metrics |= {"seconds": time.perf_counter() - started, "images_per_second": metrics.pop("images") / seconds}
            state["history"].append(metrics)
            state["epoch"] = epoch + 1
            state["means"]["compiled"] = kernels.are_compiled()  # not if the compiler has failed
            checkpoint.save(state)
    if learner is not raw:
        raw.load_state_dict(learner.state_dict())
    return Network(spec, raw.eval(), state["history"], state["means"])


def _batches(spec: TrainSpec, data: ImageData, fabric: Fabric) -> tuple[Batches, dict[str, Batches]]:
    """Training batches, and those that are only looked at after every epoch."""
    normal = {"mean": data.mean, "std": data.std}
    training, validation = (
        holdout(data.train, spec.validation, seed=spec.seed) if spec.validation else (data.train, None)
    )
    if fabric.world_size > 1 and len(training) <= spec.batch_size:
        raise SpecError(
            f"batch_size = {spec.batch_size} takes all {len(training)} training images at once, which "
            f"{fabric.world_size} processes cannot share evenly; train on one, or with a smaller batch_size"
        )
    share = {"rank": fabric.global_rank, "world_size": fabric.world_size}
    augment = Augment.preset(data.name, data.image_size)
    batches = Batches(
        training,
        spec.batch_size,
        shuffle_seed=spec.seed,
        augment=augment,
        drop_last=len(training) > spec.batch_size,
        **normal,
        **share,
    )
    looked_at = {"test": Batches(data.test, EVAL_BATCH, **normal)}
    if validation is not None:
        looked_at["validation"] = Batches(validation, EVAL_BATCH, **normal)
    return batches, looked_at


def _rate(steps_per_epoch: int, spec: TrainSpec):
    """The factor on the base learning rate as a function of the step: the module's equation."""
    total, warmup = steps_per_epoch * spec.epochs, steps_per_epoch * spec.warmup_epochs

    def factor(step: int) -> float:
        if step < warmup:
            return min(1.0, (step + 1) / warmup)
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))

    return factor


def _train_epoch(
    model: nn.Module,
    optimizer: Any,
    schedule: LambdaLR,
    batches: Batches,
    spec: TrainSpec,
    fabric: Fabric,
    epoch: int,
    progress: bool,
    stop: threading.Event | None,
) -> dict[str, float]:
    model.train()
    loss_sum = torch.zeros((), device=fabric.device)
    correct = torch.zeros((), device=fabric.device)
    seen = 0
    lr = schedule.get_last_lr()[0]
    bar = tqdm(
        total=len(batches) * spec.batch_size,
        unit=" images",
        desc=f"{spec.model.slug} s{spec.seed} epoch {epoch + 1}/{spec.epochs}",
        disable=not (progress and fabric.is_global_zero),
        mininterval=1.0,
        leave=epoch + 1 == spec.epochs,
        file=sys.stderr,
    )
    with bar:
        for images, labels in batches:
            if stop is not None and stop.is_set():
                raise Stopped(f"{spec.slug} was stopped in epoch {epoch + 1}; asked for again, it goes on from there")
            images, labels = _to(images, labels, model)
            optimizer.zero_grad()
            logits, loss = _forward_backward(model, images, labels, fabric)
            optimizer.step()
            schedule.step()
            loss_sum += loss.detach() * len(labels)
            correct += (logits.argmax(1) == labels).sum()
            seen += len(labels)
            bar.update(len(labels) * fabric.world_size)
    loss_sum, correct, total = (
        fabric.all_reduce(value, reduce_op="sum") for value in (loss_sum, correct, torch.tensor(float(seen)))
    )
    loss = float(loss_sum / total)
    if not math.isfinite(loss):
        raise TrainingDiverged(
            f"{spec.slug}: the loss became {loss} in epoch {epoch + 1} at learning rate {lr:.3g}; "
            f"train with a smaller lr than {spec.lr:g}"
        )
    return {"lr": lr, "train_loss": loss, "train_accuracy": float(correct / total), "images": float(total)}


def _forward_backward(model: Any, images: Tensor, labels: Tensor, fabric: Fabric) -> tuple[Tensor, Tensor]:
    """Logits and loss, after the gradients were added up in the parameters."""
    if fabric.world_size > 1:
        logits = model(images)
        loss = cross_entropy(logits.float(), labels)
        fabric.backward(loss)
        return logits, loss
    # the same without Fabric's wrapper: it keeps a flag for the whole process, which trainings in threads would share
    with fabric.autocast():
        logits = model.module(images)
        loss = cross_entropy(logits.float(), labels)
    loss.backward()
    return logits, loss


@torch.no_grad()  # not inference_mode, for which kernels would be compiled once more
def evaluate(model: nn.Module, batches: Batches, fabric: Fabric | None = None) -> dict[str, float]:
    """Mean cross-entropy and top-1 accuracy (0 to 1) in evaluation mode; the model's mode is restored.

    Given a model that `fabric` has set up, its precision is used, and several processes take the batches in turn.
    """
    # without Fabric's wrapper, in which ranks would wait for each other at every batch
    network, precision = (model.module, fabric.autocast) if fabric else (model, nullcontext)
    rank, world_size = (fabric.global_rank, fabric.world_size) if fabric else (0, 1)
    was_training = model.training
    model.eval()
    loss, correct, total = 0.0, 0, 0
    for images, labels in islice(batches, rank, None, world_size):
        images, labels = _to(images, labels, model)
        with precision():
            logits = network(images).float()
        loss += float(cross_entropy(logits, labels, reduction="sum"))
        correct += int((logits.argmax(1) == labels).sum())
        total += len(labels)
    model.train(was_training)
    if world_size > 1:
        sums = torch.tensor([loss, correct, total], dtype=torch.float64, device=fabric.device)
        loss, correct, total = fabric.all_reduce(sums, reduce_op="sum").tolist()
    return {"loss": loss / total, "accuracy": correct / total}


def _to(images: Tensor, labels: Tensor, model: nn.Module) -> tuple[Tensor, Tensor]:
    """Both where the model is, and the images in the precision of its weights."""
    weights = next(model.parameters())
    layout = {"memory_format": torch.channels_last} if images.dim() == 4 else {}  # frames are (T, B, C, H, W)
    images = images.to(weights.device, weights.dtype, non_blocking=True, **layout)
    return images, labels.to(weights.device, non_blocking=True)
