"""What a lesson calls."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    [
        "checks",
        "comparison_widgets",
        "convolution_widgets",
        "doctor",
        "dominance_widgets",
        "feature_widgets",
        "film",
        "fusion_widgets",
        "grading",
        "guesses",
        "lesson",
        "listening_widgets",
        "live",
        "overview",
        "passed",
        "system_sketches",
        "systems_widgets",
        "training_widgets",
        "voice_widgets",
        "widgets",
    ],
    {
        "lesson": [
            "home",
            "on_colab",
            "data_folder",
            "hand_on",
            "checkpoints",
            "recordings",
            "OtherReleaseError",
            "repository",
            "address",
            "start",
            "with_picture",
            "store",
            "lessons",
            "run_lesson",
        ],
        "guesses": ["guess"],
        "overview": ["progress"],
    },
)
