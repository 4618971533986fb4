"""A training by as many processes as asked for, on CPUs: `python ranks_train.py PROCESSES FOLDER SPEC`, SPEC as JSON.

The first process leaves `trained.pt` in the folder; each says what it is on standard error.
"""

import sys
from dataclasses import replace
from pathlib import Path

import torch
from lightning_fabric import Fabric

from snnlib import training
from snnlib.data.images import open_images
from snnlib.spec import TrainSpec

if __name__ == "__main__":
    processes, folder, spec = int(sys.argv[1]), Path(sys.argv[2]), TrainSpec.model_validate_json(sys.argv[3])
    torch.set_num_threads(1)
    fabrics = []

    def devices(precision: str) -> Fabric:
        strategy = "ddp" if processes > 1 else "auto"
        # in double precision: a rounding error is a spike more or less, which float32 shows after a few steps
        fabrics.append(Fabric(accelerator="cpu", devices=processes, strategy=strategy, precision="64-true"))
        return fabrics[-1]

    data = open_images("digits", cache_dir=folder / "images")
    data = replace(data, train=data.train.take(100), test=data.test.take(50))
    network = training.train(spec, data, folder, devices=devices)
    rank = fabrics[-1].global_rank
    found = {"history": network.history, "means": network.means, "weights": network.model.state_dict()}
    torch.save(found, folder / ("trained.pt" if rank == 0 else f"trained-{rank}.pt"))
    fabrics[-1].barrier()
