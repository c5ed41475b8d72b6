"""MediaPipe's face landmarker: 478 points of a face."""

import contextlib
import hashlib
import os
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
from PIL import Image

from .... import files
from ...backend import check_installed, without_chatter
from ...errors import UsageError

PLACE = "FACEZOO_FACE_LANDMARKER"  # the environment variable that names the model file
ADDRESS = (
    "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/face_landmarker.task"
)
SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
MOST_BYTES = 16 * 2**20
DOWNLOAD_TIMEOUT = 20  # seconds without an answer
MOST_FACES = 8
SIDES = (256, 1280)  # to which the longer side of a picture is brought before it is looked at
# Where a small face is looked for if the whole picture shows none: parts of so many sides, at so many places a side.
PARTS = ((0.5, 3), (0.25, 7))


class FaceMesh:
    """Grishchenko et al., "Attention mesh: high-fidelity face mesh prediction in real-time" (2020), by MediaPipe.

    Args:
      model: its model file; the one that FACEZOO_FACE_LANDMARKER names if absent, or that is in facezoo's cache, where
        it is downloaded to once.

    Attributes:
      path: of its model file.

    Raises:
      UsageError: mediapipe is not installed, or the file cannot be had.
    """

    scheme: ClassVar[str] = "mediapipe"
    takes_lying_for_upright: ClassVar[bool] = True

    def __init__(self, model: str | None = None):
        check_installed("mediapipe", "landmarks")
        self.path = path = model_file(model)
        with without_chatter(), _without_tensorflow():
            from mediapipe.tasks.python import BaseOptions, vision

        try:
            options = vision.FaceLandmarkerOptions(
                base_options=BaseOptions(model_asset_buffer=files.read_bytes(path, MOST_BYTES)), num_faces=MOST_FACES
            )
            with without_chatter():
                self.landmarker = vision.FaceLandmarker.create_from_options(options)
        except (OSError, RuntimeError, ValueError) as error:
            raise UsageError(f"{path} is not the model file of MediaPipe's face landmarker: {error}") from error

    def close(self) -> None:
        """Ends its threads; at the interpreter's end it would be too late."""
        self.landmarker.close()

    def faces(self, photograph: Image.Image, closely: bool = False) -> list[np.ndarray]:
        """The faces of an RGB photograph, the largest first: [478, 2] each, (x, y) in its pixels."""
        found = [] if closely else self._look_at(photograph)
        for share, places in PARTS if closely else ():
            parts = _parts(photograph.size, share, places)
            found = found or [points for part in parts for points in self._part(photograph, part)]
        return sorted(found, key=lambda points: -float(np.prod(np.ptp(points, axis=0))))

    def _part(self, photograph: Image.Image, box: tuple[int, int, int, int]) -> list[np.ndarray]:
        part = Image.fromarray(np.asarray(photograph)[box[1] : box[3], box[0] : box[2]])
        return [points + box[:2] for points in self._look_at(part)]

    def _look_at(self, photograph: Image.Image) -> list[np.ndarray]:
        from mediapipe import Image as MediaPipeImage
        from mediapipe import ImageFormat

        scale = np.clip(max(photograph.size), *SIDES) / max(photograph.size)
        width, height = (max(1, round(side * scale)) for side in photograph.size)
        small = photograph.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0)
        image = MediaPipeImage(image_format=ImageFormat.SRGB, data=np.ascontiguousarray(small))
        with without_chatter():
            found = self.landmarker.detect(image).face_landmarks
        return [np.array([(point.x, point.y) for point in face]) * photograph.size for face in found]


def model_file(given: str | None) -> Path:
    """The model file: the one given, of the environment variable, of the cache, or downloaded there.

    Raises:
      UsageError: it is not there, or cannot be downloaded.
    """
    named = given or os.environ.get(PLACE)
    if named:
        path = Path(os.path.expanduser(named))  # noqa: PTH111 (Path's may raise)
        if not path.is_file():
            raise UsageError(f"{'--landmark_model' if given else PLACE}={named}: there is no such file")
        return path
    path = files.cache_folder() / "face_landmarker.task"
    return path if path.is_file() else _download(path)


def _download(path: Path) -> Path:
    try:
        with contextlib.closing(urllib.request.urlopen(ADDRESS, timeout=DOWNLOAD_TIMEOUT)) as answer:
            data = answer.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        text = f"MediaPipe's face landmarker cannot be downloaded ({error}): get {ADDRESS} and name it by"
        raise UsageError(f"{text} --landmark_model or {PLACE}, or choose --landmarks=mtcnn") from error
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise UsageError(f"{ADDRESS} is not the file that facezoo knows (SHA-256 differs)")
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.whole_file(path, is_shared=True) as partial:
        partial.write_bytes(data)
    return path


def _parts(size: tuple[int, int], share: float, places: int) -> Iterator[tuple[int, int, int, int]]:
    """Boxes (left, top, right, bottom) all over a picture that overlap."""
    width, height = (round(share * side) for side in size)
    for top in np.linspace(0, size[1] - height, places).astype(int).tolist():
        for left in np.linspace(0, size[0] - width, places).astype(int).tolist():
            yield left, top, left + width, top + height


@contextlib.contextmanager
def _without_tensorflow() -> Iterator[None]:
    """MediaPipe imports TensorFlow where there is one, for a decorator of its documentation: seconds for nothing."""
    if "tensorflow" in sys.modules:
        yield
        return
    sys.modules["tensorflow"] = None  # type: ignore[assignment]  # as good as not installed
    try:
        yield
    finally:
        del sys.modules["tensorflow"]
