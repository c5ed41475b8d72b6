"""What is explored of a run: its model's faces, morphs between them, and sliders for what its codes hold."""

import dataclasses
import types
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from ... import pictures
from ...latents.attributes import AttributeVectors
from ...latents.interpolation import interpolate
from ...latents.sampling import Sampler, fit_gaussian, fit_mixture
from ...latents.traversal import measure_kl, most_first
from ..backend import load_tensorflow
from ..codes import encoding
from ..codes.kept import CodeKeeper
from ..codes.morphing import ShapedCodes, lead_details
from ..codes.survey import Survey, survey
from ..codes.vectors import attributes_path, check_shape, make_vectors_command, read_vectors
from ..errors import UsageError
from ..faces.framing import Framed, Tell, frame_face
from ..faces.reader import FaceReader
from ..flags.groups import AlignmentSettings, LandmarkSettings
from ..flags.sources import for_model
from ..runs.run import NOTHING_GIVEN, Run
from .explored import BEST_READER, Explored
from .looks import BOTH, CODE, LEAST_SHOWN, WARP, Face, Look, Slider, harmless

MOST_LATENTS = 12
FITTED, MOST_FITTED = 2000, 5000  # training faces that new ones are drawn like: so many, or what is kept of more
COMPONENTS = 10  # Gaussians at most, each of several times as many faces as the code has dimensions
FACES_PER_DIMENSION = 4
TYPICAL = 0.8  # share of the noise that new faces keep
SURVEYED = 256
LEAST_DEVIATION = 1e-6  # of a dimension of the code that does anything


_HINT = "For sliders of beards, glasses and so on, run once: "


class Explorer(Explored):
    """A run's model, its sliders, and faces for it. Where the code is spatial there are no sliders of its dimensions.

    Args:
      run: a finished run of an autoencoder.
      alignment: whether and how faces are found in photographs.
      given: data settings that win over the run's.
      landmarks: who finds those that a warp follows.

    Raises:
      UsageError, DatasetError: the run, its data or the detector of faces is not there.
    """

    methods = (CODE, WARP, BOTH)

    def __init__(
        self,
        run: Run,
        alignment: AlignmentSettings,
        given: Mapping[str, Any] = NOTHING_GIVEN,
        landmarks: LandmarkSettings = BEST_READER,
    ):
        self._reader, self._landmarks = FaceReader(run, alignment, given), landmarks
        super().__init__(run.source("test", given))
        self._model = run.model()
        self._run_name = run.folder.name
        self.finds_faces = self._reader.cut is not None
        size = self._reader.image_size
        self.sharpens = size > LEAST_SHOWN
        self.title = f"{harmless(self._run_name)} ({run.settings.model.model}, {size} pixels)"
        self.chances = {"From the test split": self.anybody, "Random face": self.invented}
        self.people, self._told = encoding.list_people(self._model), encoding.list_attributes(self._model)
        decode = load_tensorflow().function(self._model.decode, autograph=False)
        self._traced = types.SimpleNamespace(decode=decode, encode=self._model.encode, network=self._model.network)
        faces = survey(self._model, run.source("validation", given), masks=None, count=SURVEYED)
        self._sampler = _sampler(self._model, run, given, faces.codes)
        found, self.note = _attributes_of(run, faces.codes.shape[1:])
        has_some = any(found.names) if found else bool(self._told)
        self.hint = "" if has_some or self.note else _HINT + make_vectors_command(run)
        self._set_sliders(faces, found)
        self.first_faces = self._first_two()
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

    def invented(self, seed: int) -> Face:
        """A face that nobody has: a code drawn as those of the training faces are spread, as `facezoo sample` does.

        Raises:
          UsageError: there are too few training faces to tell how they spread.
        """
        if self._sampler is None:
            raise UsageError("the run has too few training faces to draw new ones like them")
        code = self._sampler.draw(seed, 1, TYPICAL)[0]
        noise = encoding.draw_noise(self._model, 1, seed)
        face = Face(f"drawn:{seed}", np.zeros(()), code=code, details=dict(noise))
        [picture] = self._decode(code[None], Look(face, face), np.zeros(1))
        return dataclasses.replace(face, picture=pictures.to_uint8(picture))

    def _make_face(self, name: str, picture: np.ndarray, points: np.ndarray | None) -> Face:
        [code], details = encoding.encode_exactly(self._model, picture[None])
        return Face(name, pictures.to_uint8(picture), points, code, dict(details))  # which the page copies

    def _face_of(self, name: str, photograph: Image.Image, align: bool) -> Face:
        return self._make_face(name, self._reader.from_photograph(photograph, align), None)

    def _frame(self, start: Face, end: Face, tell: Tell) -> Framed:
        faces = np.stack([encoding.floats(face.picture) for face in (start, end)])
        return frame_face(faces, [start.name, end.name], self._landmarks, [start.points, end.points], tell)

    # Pictures.

    def _frames(self, look: Look, alphas: np.ndarray, most: int) -> np.ndarray:
        if look.method == CODE:
            return self._decode(self._codes(look, alphas), look, alphas)
        warp = look.warp or self.find_warp(look.start, look.end)
        if look.method == WARP:
            return warp.frames(alphas, most)
        told, moved = self._tell(look), self._move(look)
        return ShapedCodes(self._traced, *warp.framed.material, look.path, told=told, moved=moved).pictures_at(alphas)

    def _codes(self, look: Look, alphas: np.ndarray) -> np.ndarray:
        codes = interpolate(look.start.code, look.end.code, alphas, look.path)
        return codes + self._move(look)

    def _move(self, look: Look) -> np.ndarray:
        """What the sliders add to codes."""
        strengths = np.array(look.strengths[len(self._told) :], np.float32)
        return np.tensordot(strengths, self._moves, axes=1)

    def _tell(self, look: Look) -> encoding.Columns:
        """What the model is told when it decodes, a row for all codes."""
        if not self._told:
            return encoding.tell_person(self._model, look.person)
        strengths = np.array(look.strengths[: len(self._told)] or [0.0] * len(self._told), np.float32)
        return {"attributes": (strengths[None] + 1.0) / 2.0}

    def _decode(self, codes: np.ndarray, look: Look, alphas: np.ndarray) -> np.ndarray:
        """Pictures of codes at places on the way, float32 [N, H, W, C] in [0, 1]."""
        ends = {name: np.concatenate([rows, look.end.details[name]]) for name, rows in look.start.details.items()}
        return encoding.decode_codes(self._traced, codes, {**self._tell(look), **lead_details(ends, alphas)})

    def _first_person(self) -> str | None:
        return encoding.choose_person(self._model, None)

    def _add_details(self, look: Look) -> str:
        if look.method == WARP:
            return ""
        changes = [
            f", {slider.group} {slider.name} {strength:+.2f}"
            for slider, strength in zip(self.sliders, look.strengths, strict=True)
            if strength
        ]
        return f" by {self._run_name}{encoding.as_person(look.person)}{''.join(changes)}"


def _dimensions_worth_a_slider(faces: Survey, deviations: np.ndarray) -> list[int]:
    """Those that carry most, first; none of a spatial code, whose single numbers nobody would want to set.

    What each carries is its KL in nats where the model has a posterior, else its variance.
    """
    if faces.codes.ndim != 2:
        return []
    carried = np.square(deviations) if faces.log_var is None else measure_kl(faces.codes, faces.log_var)
    order = [dimension for dimension in most_first(carried) if deviations[dimension] > LEAST_DEVIATION]
    return [int(dimension) for dimension in order[:MOST_LATENTS]]


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
    if not attributes_path(run).exists():
        return None, ""
    try:
        found = read_vectors(run)
        check_shape((vectors[0] for vectors in found.vectors.values()), code_shape)
        return found, ""
    except UsageError as error:
        return None, f"no attribute sliders: {error}"
