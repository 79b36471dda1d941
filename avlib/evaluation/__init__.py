"""What a trained network is worth, and how sure we are of it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    [
        "audit",
        "dominance",
        "dominance_table",
        "experiments",
        "export",
        "ladder",
        "listening",
        "metrics",
        "plots",
        "profile",
        "recogniser",
        "robustness",
        "runner",
        "scoring",
        "table2",
        "timeline",
    ],
)
