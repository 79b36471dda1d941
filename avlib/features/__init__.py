"""How a recording becomes numbers."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    ["action_units", "audio", "faces", "functionals", "recipe", "spoil", "store", "video"],
    {
        "recipe": ["Recipe", "clip_frames", "clip_mfcc", "clip_pairs", "clip_voice"],
        "store": ["FeatureStore", "build"],
    },
)
