"""The embedded model's weights: where they come from, whether they are whole, and where they lie."""

from dragoman.models.weights.files import Progress
from dragoman.models.weights.manifest import DEFAULT_MODEL, ModelEntry, WheelPart, find_entry, load_manifest
from dragoman.models.weights.pull import import_file, pull
from dragoman.models.weights.store import InstalledModel, WeightsStore

__all__ = [
    "DEFAULT_MODEL",
    "InstalledModel",
    "ModelEntry",
    "Progress",
    "WeightsStore",
    "WheelPart",
    "find_entry",
    "import_file",
    "load_manifest",
    "pull",
]
