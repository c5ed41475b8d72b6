"""What a page or a notebook of sliders shows: from two faces and the sliders' places to a picture."""

import dataclasses
import io
import shlex
import tempfile
import threading
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from PIL import Image

from ... import pictures
from ...datasets.alignment import NoFaceError
from ...datasets.reader_process import ReaderProcess
from ...datasets.source import DatasetError
from ...latents.attributes import AttributeVectors
from ...latents.interpolation import even_alphas, interpolate
from ...latents.sampling import Sampler, fit_gaussian, fit_mixture
from ...latents.traversal import measure_kl, most_first
from ..backend import load_tensorflow
from ..codes import encoding
from ..codes.kept import CodeKeeper
from ..codes.morphing import lead_details
from ..codes.survey import Survey, survey
from ..codes.vectors import ATTRIBUTES_FILE, check_shape, read_vectors
from ..errors import UsageError
from ..faces.reader import FaceReader
from ..flags.groups import AlignmentSettings
from ..flags.sources import for_model
from ..runs.run import NOTHING_GIVEN, Run

PATHS = ("linear", "normalized", "slerp")
STRIP_STEPS = 10
MOST_PIXELS = 40_000_000  # of an upload, which is somebody's photograph, and held in memory beside others
READ_AT_ONCE = 3
MOST_LATENTS = 12
LEAST_SHOWN = 256  # pixels of a picture's side, as a page shows it
FILM_STEPS, FILM_FPS = 24, 12.0
FITTED, MOST_FITTED = 2000, 5000  # training faces that new ones are drawn like: so many, or what is kept of more
COMPONENTS = 10  # Gaussians at most, each of several times as many faces as the code has dimensions
FACES_PER_DIMENSION = 4
TYPICAL = 0.8  # share of the noise that new faces keep
# What each way between two codes is.
PATH_NOTES = {
    "linear": "straight from one code to the other",
    "normalized": "straight, but no nearer to the mean face than both ends are",
    "slerp": "along a great circle, at an even pace",
}
FIND_LABEL = "find the face"
SURVEYED = 256
LEAST_DEVIATION = 1e-6  # of a dimension of the code that does anything


_HINT = "For sliders of smiles, glasses and so on, run once: facezoo attributes --run_dir={}"


class Slider(NamedTuple):
    """A number that a person sets, 0 at first.

    Attributes:
      group: "attribute", a vector's strength; "told", what a conditional decoder hears, from no to yes, 0 is unknown;
        "latent", standard deviations of a dimension of the code.
      name: of it.
      limit: it goes from -limit to limit.
    """

    group: str
    name: str
    limit: float


@dataclasses.dataclass(frozen=True, eq=False)
class Face:
    """A face to start from.

    Attributes:
      name: where it comes from, in a few harmless characters.
      picture: uint8 [H, W, C], as the model was given it, or as it decodes a code that was drawn.
      code: of it.
      details: what the model is told besides to give this very picture back, one row.
    """

    name: str
    picture: np.ndarray
    code: np.ndarray
    details: encoding.Columns = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, eq=False)
class Look:
    """All that a person has set.

    Attributes:
      start, end: the two faces.
      alpha: how far from start to end, in [0, 1].
      path: one of PATHS.
      strengths: one for each of `Explorer.sliders`.
      person: whose face it is to be, one of `Explorer.people`; None where there are none.
    """

    start: Face
    end: Face
    alpha: float = 0.0
    path: str = "linear"
    strengths: Sequence[float] = ()
    person: str | None = None


class Explorer:
    """A run's model, its sliders, and faces for it. It keeps nothing of those who use it; they may be several.

    Args:
      run: a finished run of an autoencoder.
      alignment: whether and how faces are found in photographs.
      given: data settings that win over the run's.

    Attributes:
      sliders: what there is to set; none of single dimensions where the code is spatial.
      people: whom the model can decode faces as; () for most models.
      title: what is explored, in one line.
      first_faces: two of the run's test split.
      finds_faces: whether photographs are aligned.
      hint: how there come to be sliders for attributes, where there are none; or "".
      note: why there are no attribute vectors although there is a file of them, or "".

    Raises:
      UsageError, DatasetError: the run, its data or the detector of faces is not there.
    """

    def __init__(self, run: Run, alignment: AlignmentSettings, given: Mapping[str, Any] = NOTHING_GIVEN):
        self._reader = FaceReader(run, alignment, given)
        validation, self._test = (run.source(split, given) for split in ("validation", "test"))
        self._model = run.model()
        self._run_name = run.folder.name
        self._reader_process = ReaderProcess()
        self._readers = threading.BoundedSemaphore(READ_AT_ONCE)  # photographs take much memory
        self._detecting = threading.Lock()  # the detector is not made for threads
        self.finds_faces = self._reader.cut is not None
        size = self._reader.image_size
        self.title = f"{_harmless(self._run_name)} ({run.settings.model.model}, {size} pixels)"
        self.people, self._told = encoding.list_people(self._model), encoding.list_attributes(self._model)
        traced = load_tensorflow().function(self._model.decode, autograph=False)
        self._traced = types.SimpleNamespace(decode=traced)  # all that `decode_codes` needs of a model
        faces = survey(self._model, validation, masks=None, count=SURVEYED)
        self._sampler = _sampler(self._model, run, given, faces.codes)
        found, self.note = _attributes_of(run, faces.codes.shape[1:])
        has_some = any(found.names) if found else bool(self._told)
        self.hint = "" if has_some or self.note else _HINT.format(shlex.quote(str(run.folder)))
        self._set_sliders(faces, found)
        self.first_faces = self.at(0), self.at(min(1, len(self._test) - 1))
        for show in (self.picture, self.strip):  # which traces the decoder, so that nobody waits for it
            show(self.first_look())

    def _set_sliders(self, faces: Survey, found: AttributeVectors | None) -> None:
        sliders = [Slider("told", name, 1.0) for name in self._told]
        moves: list[np.ndarray] = []
        if found:
            sliders += [Slider("attribute", name, 2.0) for name in found.names]
            moves += list(found.vectors[next(iter(found.vectors))])
        deviations = faces.codes.reshape(len(faces.codes), -1).std(axis=0)
        for dimension in _dimensions_worth_a_slider(faces, deviations):
            sliders.append(Slider("latent", str(dimension), 3.0))
            moves.append(np.eye(1, len(deviations), dimension)[0] * deviations[dimension])
        self.sliders = tuple(sliders)
        self._moves = np.array(moves, np.float32).reshape(-1, *faces.codes.shape[1:])

    def first_look(self) -> Look:
        """What is seen before anything is moved: the middle between two faces of the test split."""
        person = encoding.choose_person(self._model, None)
        return Look(*self.first_faces, alpha=0.5, strengths=[0.0] * len(self.sliders), person=person)

    def close(self) -> None:
        """Ends the reading of photographs that somebody has sent."""
        self._reader_process.close()

    # Faces.

    def photograph(self, file: str | Path | IO[bytes], name: str, align: bool = True) -> Face:
        """The face of a picture file.

        Args:
          file: a path, or an open binary file.
          name: what the user calls it.
          align: finds the largest face where the explorer does that; False takes a crop as the run's data have it.

        Raises:
          UsageError: one line on why the file gives no face.
        """
        name = _harmless(name)
        try:
            with self._readers:
                photograph = self._reader_process.read(file, MOST_PIXELS)
                with self._detecting:
                    picture = self._reader.from_photograph(photograph, align)
        except NoFaceError as error:
            raise UsageError(f'{name}: {error}; untick "{FIND_LABEL}" to take the middle of the picture') from error
        except DatasetError as error:
            raise UsageError(f"{name}: {error}") from error
        return self._encoded(name, picture)

    def at(self, place: int) -> Face:
        """A face of the run's test split."""
        picture = self._test.load(np.array([place]))["image"][0]
        return self._encoded(f"test:{place}", encoding.floats(picture))

    def anybody(self, seed: int) -> Face:
        """A face of the run's test split by chance."""
        return self.at(int(np.random.default_rng(seed).integers(len(self._test))))

    def invented(self, seed: int) -> Face:
        """A face that nobody has: a code drawn as those of the training faces are spread, as `facezoo sample` does.

        Raises:
          UsageError: there are too few training faces to tell how they spread.
        """
        if self._sampler is None:
            raise UsageError("the run has too few training faces to draw new ones like them")
        code = self._sampler.draw(seed, 1, TYPICAL)[0]
        face = Face(f"drawn:{seed}", np.zeros(()), code, dict(encoding.draw_noise(self._model, 1, seed)))
        [picture] = self._decode(code[None], Look(face, face), np.zeros(1))
        return dataclasses.replace(face, picture=pictures.to_uint8(picture))

    def _encoded(self, name: str, picture: np.ndarray) -> Face:
        [code], details = encoding.encode_exactly(self._model, picture[None])
        return Face(name, pictures.to_uint8(picture), code, dict(details))  # which the page copies

    # Pictures.

    def picture(self, look: Look) -> bytes:
        """What the sliders ask for, as a PNG."""
        [picture] = self._show(look, np.array([look.alpha]))
        return as_png(picture, f"{self._description(look)} at {look.alpha:.2f}")

    def strip(self, look: Look) -> bytes:
        """The way from start to end, the sliders' changes on all of it: a row of STRIP_STEPS pictures as a PNG."""
        frames = self._show(look, even_alphas(STRIP_STEPS))
        return as_png(pictures.row(frames), self._description(look))

    def film(self, look: Look) -> bytes:
        """The way from start to end and back, the sliders' changes on all of it, as a film in MP4."""
        frames = pictures.to_uint8(self._show(look, even_alphas(FILM_STEPS)))
        frames = pictures.resize(frames, max(LEAST_SHOWN, frames.shape[1]))
        with tempfile.TemporaryDirectory(prefix="facezoo-film-") as folder:
            path = Path(folder) / "morph.mp4"
            pictures.save_mp4(path, pictures.there_and_back(frames), self._description(look), FILM_FPS)
            return path.read_bytes()

    def _show(self, look: Look, alphas: np.ndarray) -> np.ndarray:
        return self._decode(self._codes(look, alphas), look, alphas)

    def _codes(self, look: Look, alphas: np.ndarray) -> np.ndarray:
        codes = interpolate(look.start.code, look.end.code, alphas, look.path)
        strengths = np.array(look.strengths[len(self._told) :], np.float32)
        return codes + np.tensordot(strengths, self._moves, axes=1)

    def _decode(self, codes: np.ndarray, look: Look, alphas: np.ndarray) -> np.ndarray:
        """Pictures of codes at places on the way, float32 [N, H, W, C] in [0, 1]."""
        told = encoding.tell_person(self._model, look.person)
        if self._told:
            strengths = np.array(look.strengths[: len(self._told)] or [0.0] * len(self._told), np.float32)
            told = {"attributes": (strengths[None] + 1.0) / 2.0}
        ends = {name: np.concatenate([rows, look.end.details[name]]) for name, rows in look.start.details.items()}
        return encoding.decode_codes(self._traced, codes, {**told, **lead_details(ends, alphas)})

    def _description(self, look: Look) -> str:
        changes = [
            f"{slider.group} {slider.name} {strength:+.2f}"
            for slider, strength in zip(self.sliders, look.strengths, strict=True)
            if strength
        ]
        way = f"{look.path} morph from {look.start.name} to {look.end.name} by {self._run_name}"
        return ", ".join([f"{way}{encoding.as_person(look.person)}", *changes])


def as_png(picture: np.ndarray, description: str) -> bytes:
    """[H, W, C] in [0, 1] or uint8, with our metadata."""
    file = io.BytesIO()
    pictures.save_png(file, picture, description)
    return file.getvalue()


def _dimensions_worth_a_slider(faces: Survey, deviations: np.ndarray) -> list[int]:
    """Those that carry most, first; none of a spatial code, whose single numbers nobody would want to set.

    What each carries is its KL in nats where the model has a posterior, else its variance.
    """
    if faces.codes.ndim != 2:
        return []
    carried = np.square(deviations) if faces.log_var is None else measure_kl(faces.codes, faces.log_var)
    order = [dimension for dimension in most_first(carried) if deviations[dimension] > LEAST_DEVIATION]
    return [int(dimension) for dimension in order[:MOST_LATENTS]]


def enlarged(png: bytes, least: int = LEAST_SHOWN) -> bytes:
    """A picture or a row of pictures, a PNG, by a smooth filter no lower than so many pixels; what it says stays."""
    with Image.open(io.BytesIO(png)) as image:
        factor = -(-least // image.height)
        if factor == 1:
            return png
        large = image.resize((image.width * factor, image.height * factor), Image.Resampling.LANCZOS)
        return as_png(np.atleast_3d(np.asarray(large)), image.info.get("Description", ""))


def _sampler(model, run: Run, given: Mapping[str, Any], codes: np.ndarray) -> Sampler | None:
    """How codes of training faces are spread; of spatial ones, which are large, those `codes` tell it."""
    try:
        if codes.ndim > 2:
            return fit_gaussian(codes, "")
        source, keeper = run.source("train", given), CodeKeeper(run)
        is_told = bool(encoding.list_attributes(model)) and bool(source.attribute_names)
        if is_told:
            source = for_model(source, model, run.settings.objective.masks)
        num_kept = len(keeper.find(source, is_told).get("codes", ()))
        count = max(FITTED, min(num_kept, MOST_FITTED))
        known = encoding.encode_source(model, source, (), count, told=True, keeper=keeper)["codes"]
        components = int(np.clip(len(known) // (FACES_PER_DIMENSION * known.shape[1]), 1, COMPONENTS))
        return fit_mixture(known, keeper.model_hash, components) if components > 1 else fit_gaussian(known, "")
    except ValueError:  # one code, or the same again and again
        return None


def _attributes_of(run: Run, code_shape: Sequence[int]) -> tuple[AttributeVectors | None, str]:
    """A run's attribute vectors if it has any, and a line on why they are left out if they are not its own."""
    if not (run.folder / ATTRIBUTES_FILE).exists():
        return None, ""
    try:
        found = read_vectors(run)
        check_shape((vectors[0] for vectors in found.vectors.values()), code_shape)
        return found, ""
    except UsageError as error:
        return None, f"no attribute sliders: {error}"


def _harmless(name: str) -> str:
    """A name that may come from anybody, as text that no page or template takes for anything else."""
    kept = "".join(character if character.isalnum() or character in " ._-" else "_" for character in name)
    return kept[-60:].strip() or "picture"
