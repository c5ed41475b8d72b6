"""What the card of a published model tells besides what training measures."""

from ...datasets.source import Source
from ...losses.vgg import VGG16_FILE
from ...losses.weights import WeightsError, find_weights
from ..runs.run import Run
from .judging import Setting, judge, make_streams
from .making import make_batches
from .measure_names import RECONSTRUCTIONS

# Measures, and the file that each needs.
ON_CARDS = {
    "lpips": "lpips_alex.npz",
    "identity": "face_recognition.npz",
    "kid": VGG16_FILE,
    "frechet": VGG16_FILE,
}


def measure_for_card(run: Run, model, source: Source, square: tuple[float, float, float] | None) -> dict[str, float]:
    """Those of `ON_CARDS` whose files are there, of all reconstructions of a split.

    Args:
      run: of the model.
      model: an `Autoencoder`.
      source: the split, as the model reads it.
      square: where the recogniser looks, or None where nothing tells.
    """
    names = [name for name, file in ON_CARDS.items() if _is_there(file) and (square or name != "identity")]
    size, _, channels = source.image_shape
    streams = make_streams(names, Setting(size, channels, square=square), is_asked=False)
    found = judge(make_batches(RECONSTRUCTIONS, run, model, source, None), streams) if streams else {}
    return {name: figure.value for name, figure in found.items()}


def _is_there(file: str) -> bool:
    try:
        return bool(find_weights(file))
    except WeightsError:
        return False
