"""The recordings: which are there, and are their bytes what they should be."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, ["download", "manifest", "ravdess", "recording", "verify"]
)
