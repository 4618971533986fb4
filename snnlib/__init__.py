"""snnlib: train spiking and ordinary networks, record their features, compare their representations.

The four names most users need stand here; everything else is in the rooms below, whose order from the ground up is
`ROOMS` of tests/test_repository.py. Nothing heavy is imported until it is used, so a mistyped parameter is reported
before torch has loaded.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "attacks",
        "calls",
        "candidates",
        "charts",
        "claims",
        "data",
        "devices",
        "entries",
        "evidence",
        "experiments",
        "explorer",
        "fields",
        "figures",
        "intervals",
        "kernels",
        "layers",
        "ledger",
        "loaders",
        "measurements",
        "memory",
        "models",
        "neurons",
        "notebook",
        "parameters",
        "provenance",
        "publish",
        "recording",
        "run",
        "series",
        "shelves",
        "similarity",
        "spec",
        "store",
        "studies",
        "sweep",
        "tables",
        "team",
        "training",
        "words",
        "workers",
        "working",
    ],
    submod_attrs={"neurons": ["LIF"], "models": ["build_model"], "similarity": ["cka", "compare"]},
)
