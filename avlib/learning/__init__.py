"""How numbers become a trained network."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    [
        "classifiers",
        "cures",
        "dominance",
        "fusion",
        "loaders",
        "networks",
        "speakers",
        "splits",
        "systems",
        "training",
    ],
)
