"""snnlib: train spiking and ordinary networks, record their features, compare their representations.

The four names most users need stand here; everything else is in the rooms, from the ground up: `spec`, `kernels`,
`memory`, `neurons`, `models`, `data`, `training`, `recording`, `similarity`, `attacks`, `experiments`, `workers`,
`store`, `evidence`, `tables`, `claims`, `measurements`, `charts`, `parameters`, `run`, `studies`, `ledger`, `notebook`.
Nothing heavy is imported until it is used, so a mistyped parameter is reported before torch has loaded.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "attacks",
        "charts",
        "claims",
        "data",
        "entries",
        "evidence",
        "experiments",
        "kernels",
        "layers",
        "ledger",
        "measurements",
        "memory",
        "loaders",
        "models",
        "neurons",
        "notebook",
        "parameters",
        "provenance",
        "recording",
        "run",
        "similarity",
        "spec",
        "store",
        "studies",
        "tables",
        "training",
        "workers",
    ],
    submod_attrs={"neurons": ["LIF"], "models": ["build_model"], "similarity": ["cka", "compare"]},
)
