"""Morph faces into each other, by a model's codes or without any; or lead a film to a face."""

import contextlib
from pathlib import Path

import numpy as np
from absl import flags

from ... import files
from ...films import Film
from ...latents.interpolation import PATHS, meet_all
from ..backend import check_keras_backend
from ..codes.encoding import as_person, ask_person, tell_person
from ..codes.morphing import (
    METHODS,
    NOTICE,
    WARP_PATHS,
    morph_through,
    save_morph,
    warp_and_code_through,
    warp_through,
)
from ..codes.priors import FLOW, check_prior, load_prior
from ..errors import UsageError
from ..faces.fitting import FaceFitter, describe_fitter
from ..faces.origins import refuse_crop, refuse_useless_cut
from ..faces.places import check_there, is_place
from ..faces.reader import LARGEST
from ..films.changing import Amount, find_target_points, keep_faces, lead_codes, lead_shapes, make_amount
from ..films.choosing import check_person, choose, choose_for
from ..films.following import Choice
from ..films.frames import open_film
from ..films.making import OF_FILM, FilmTask, make_task, new_film, parse_ramp
from ..films.mapping import MapFaces
from ..films.targets import digest, make_film_cut, read_target
from ..flags import groups, kinds
from ..flags.groups import MAX_IMAGE_SIZE, MIN_IMAGE_SIZE, LandmarkSettings
from ..flags.kinds import read
from ..folders import new_folder
from ..runs.run import Run, open_run

MOST_UNIFORM = 100  # pictures, which are looked at again and again, and held in memory
MOST_STEPS = 1000
STEPS = {"code": 10, "warp": 24, "warp+code": 10}
FROM_RUN = ("checkpoint", "sampling_steps", "person", "align")  # flags that do nothing without a run
FPS = 10.0
OF_FACES = ("start", "end", "through", "closed", "steps", "seconds", "path", "prior")  # flags that films do not use
OF_FILMS = ("to", "strength", "paste", "colour")
FILM_SIZE = 256  # pixels of a film's faces without a run
FILM_METHODS = ("code", "warp")
FILES = ("row.png", "sheet.png", "morph.gif", "morph.mp4")


WORDS = ("start", "end")  # flags that words without dashes are meant as
USES_MODELS = True  # which other backends of Keras than TensorFlow do as well


def define_flags(values: flags.FlagValues) -> None:
    groups.define_run_dir(values, is_required=False)
    groups.define_sampling_steps(values)
    kinds.define_path(values, "start", f"First face: {groups.FACE}")
    kinds.define_path(values, "end", f"Last face: {groups.FACE}")
    kinds.define_path(values, "video", "Instead of these a film, in which somebody becomes --to and keeps the motion.")
    kinds.define_path(values, "to", f"Of a film the face that it leads to: {groups.FACE}")
    text = "How far a film leads to it, in its first frame and in its last; one number is meant for all frames."
    flags.DEFINE_string("strength", "0:1", text, flag_values=values)
    kinds.define_paths(values, "through", "A face on the way from the first to the last.")
    flags.DEFINE_bool(
        "closed", False, "Go back from the last face to the first, without repeating it.", flag_values=values
    )
    text = (
        "By the codes of a run's model (code, the default with a run); by landmarks, without any model (warp, the "
        "default without one); or by the codes of faces warped to one shape (warp+code)."
    )
    flags.DEFINE_enum("method", None, METHODS, text, flag_values=values)
    text = "Pictures, both ends included; if absent 10 by codes and 24 by a warp, or more to meet every face."
    kinds.define_number(values, "steps", None, text, 2, MOST_STEPS)
    kinds.define_number(
        values,
        "fps",
        None,
        f"Pictures a second of the films, {FPS:g} if absent; 25 of a folder of frames that --video names.",
        1,
        60,
        kind=float,
    )
    text = "Seconds of the way from the first face to the last, instead of --steps."
    kinds.define_number(values, "seconds", None, text, 0, kind=float, above=True)
    text = (
        "Height and width of a warp's pictures without a run; if absent what the photographs hold, up to 1024, and of "
        "a film 256."
    )
    kinds.define_number(values, "size", None, text, MIN_IMAGE_SIZE, MAX_IMAGE_SIZE)
    text = (
        "Way through the codes; uniform is linear, with frames at equal distances as the face network sees them, and "
        "flow goes through codes that --prior takes for likely."
    )
    flags.DEFINE_enum("path", "linear", (*PATHS, FLOW), text, flag_values=values)
    text = (
        "Run, model file or pretrained name of the code prior that --path=flow goes by; if absent the one that ships "
        "of such codes."
    )
    kinds.define_path(values, "prior", text)
    kinds.define(values, LandmarkSettings)
    groups.define_person(values)
    kinds.define(values, groups.PastingSettings)
    kinds.define_path(values, "out", "Folder for the pictures (RUN/morphs, or morphs); of a film a new .mp4 file.")
    groups.define_alignment(values)
    groups.define_data_flags(values, groups.NOT_DATA)


def run(values: flags.FlagValues) -> None:
    if values.video is not None:
        _morph_film(values)
        return
    for name in ("start", "end"):
        if not values[name].value:
            raise UsageError(f"flag --{name} is required: {values[name].help} Or a film by --video.")
    for name in OF_FILMS:
        if values[name].present:
            raise UsageError(f"--{name} does nothing without --video, which names a film")
    stops = [str(values.start), *values.through, str(values.end)]
    for stop in stops:
        check_there(stop)
    opened = open_run(values.run_dir, values.checkpoint, values.sampling_steps) if values.run_dir else None
    method = values.method or ("code" if opened else "warp")
    _check(values, opened, method)
    steps = _steps(values, method, stops)
    out = new_folder(values.out, opened.folder / "morphs" if opened else groups.MORPHS)
    way = " through ".join(stops[:-1])
    back = " and back" if values.closed else ""
    with files.whole_folder(out) as partial:
        frames, maker = _from_run(values, opened, method, stops, steps) if opened else _by_warp(values, stops, steps)
        description = f"morph from {way} to {stops[-1]}{back} by {maker}"
        save_morph(partial, frames, description, values.closed, stops, values.fps or FPS)
    print("\n".join(str(out / name) for name in FILES if (out / name).exists()))


def _check(values: flags.FlagValues, opened: Run | None, method: str) -> None:
    """Raises UsageError for flags that do not go together."""
    if not opened:
        if method != "warp":
            raise UsageError(f"--method={method} needs a model: name its --run_dir, or take --method=warp")
        for name in FROM_RUN:
            if values[name].present and not (name == "person" and values.video):  # a film's people are followed
                raise UsageError(f"--{name} does nothing without --run_dir")
        refuse_useless_cut(read(values, groups.AlignmentSettings), groups.read_given_data(values, groups.NOT_DATA))
    elif values.size is not None:
        raise UsageError("--size does nothing with --run_dir: pictures have the size of its model's")
    if method == "warp" and opened:
        for name in ("person", "sampling_steps"):
            if values[name].present and not (name == "person" and values.video):  # a film's people are followed
                raise UsageError(f"--{name} does nothing with --method=warp, which asks no model")
    if method == "warp" and values.path not in WARP_PATHS:
        raise UsageError(f"--path={values.path} leads through codes: --method=warp takes {' or '.join(WARP_PATHS)}")
    check_prior(values.prior, values.path, "path")
    if values.path in ("uniform", FLOW):
        check_keras_backend()  # in which networks are that look at pictures, or draw codes
    if method == "code" and not values.paste:
        for name in kinds.list_names(LandmarkSettings):
            if values[name].present:
                raise UsageError(f"--{name} does nothing with --method=code")


def _steps(values: flags.FlagValues, method: str, stops: list[str]) -> int:
    if values.seconds is None:
        is_even = values.path != "uniform"
        steps = values.steps or (meet_all(STEPS[method], len(stops), values.closed) if is_even else STEPS[method])
    elif values.steps is not None:
        raise UsageError("--steps and --seconds: one follows from the other")
    else:
        steps = max(2, round(values.seconds * (values.fps or FPS)))
    if steps > MOST_STEPS:
        asked = (
            f"--seconds={values.seconds:g} at --fps={values.fps or FPS:g}" if values.seconds else f"{len(stops)} faces"
        )
        raise UsageError(f"{asked} are more than {MOST_STEPS} pictures")
    if values.path == "uniform" and steps > MOST_UNIFORM:
        given = f"--steps={steps}" if values.seconds is None else f"{steps} of --seconds={values.seconds:g}"
        raise UsageError(f"--path=uniform places up to {MOST_UNIFORM} pictures, not {given}")
    return steps


def _morph_film(values: flags.FlagValues) -> None:
    for name in OF_FACES:
        if values[name].present:
            raise UsageError(f"--{name} does nothing with --video: a film has its own frames, and leads to --to")
    if not values.to:
        raise UsageError("--to is required with --video: the face that the film leads to")
    rate = values.fps
    film, amounts = open_film(values.video, rate, "video"), parse_ramp("strength", values.strength)
    check_there(values.to)
    out = new_film(values.out, OF_FILM.format("video"))
    opened = open_run(values.run_dir, values.checkpoint, values.sampling_steps) if values.run_dir else None
    method = values.method or ("code" if opened else "warp")
    if values.colour != "match" and not values.paste:
        raise UsageError(f"--colour={values.colour} does nothing without --paste")
    if method not in FILM_METHODS:
        raise UsageError(f"--method={method}: of a film {' or '.join(FILM_METHODS)}")
    _check(values, opened, method)
    has_crop = "crop" in groups.read_given_data(values, groups.NOT_DATA)
    if has_crop and not opened and not is_place(values.to):
        raise UsageError("--crop does nothing with --video without --run_dir: faces are found")
    if values.paste and opened and not values.align and not has_crop:
        raise UsageError("--paste wants --align, which finds the faces of a film, or --crop")
    _write_film(values, film, out, opened, method, make_amount(*amounts, film))


def _write_film(
    values: flags.FlagValues, film: Film, out: Path, opened: Run | None, method: str, amount: Amount
) -> None:
    from ..faces.reader import FaceReader

    given, landmarks = groups.read_given_data(values, groups.NOT_DATA), read(values, LandmarkSettings)
    pasting, alignment = read(values, groups.PastingSettings), read(values, groups.AlignmentSettings)
    with contextlib.ExitStack() as stack:
        wants_landmarks = pasting.paste or method == "warp"
        fitter = stack.enter_context(FaceFitter(landmarks, pasting.colour == "match")) if wants_landmarks else None
        settings = ["morph", method, values.strength, values.sampling_steps, pasting.paste, describe_fitter(fitter)]
        model, person, choice = None, None, Choice()
        if opened and method == "code":
            model = opened.model()
            choice, person = choose_for(model, values.person, values.align)
        else:
            if opened:
                check_person(values.person, values.align)
            choice = choose(LARGEST, values.person)
        if opened:
            of_faces = {name: value for name, value in given.items() if name != "crop"}  # which is the frames'
            refuse_crop(alignment, given)
            reader = FaceReader(opened, alignment, of_faces)
            target = reader.read(values.to)
            settings += [person, digest(target)]
            task = make_task(film, out, opened, reader.cut, given, choice, settings)
        else:
            cut = make_film_cut(values.template, values.margin, values.size or FILM_SIZE)
            target = read_target(values.to, cut, given)
            task = FilmTask(film, out, (cut.size, cut.size, 3), cut, None, choice, [*settings, digest(target)])
        points = find_target_points(fitter, values.to, target) if fitter and not model else None
        places = stack.enter_context(task.find_places())
        map_faces: MapFaces = keep_faces
        bend_face = None
        if model:
            map_faces = lead_codes(task, places, model, target, amount, tell_person(model, person))
        elif fitter and points is not None:
            bend_face = lead_shapes(task, places, fitter, target, points, amount)
        maker = f"{opened.folder.name}{as_person(person)}" if model and opened else "a warp"
        description = f"morph of {film.path.name} to {values.to} by {maker}: {NOTICE}"
        task.write(places, fitter, map_faces, description, f"led to {values.to}", bend_face, pasting.paste)


def _by_warp(values: flags.FlagValues, stops: list[str], steps: int) -> tuple[np.ndarray, str]:
    """The frames, and by what they are made."""
    from ..faces.framing import frame_photographs

    given = groups.read_given_data(values, groups.NOT_DATA)
    alignment = groups.AlignmentSettings(True, values.template, values.margin)
    framed = frame_photographs(stops, read(values, LandmarkSettings), alignment, given, values.size)
    return warp_through(*framed.material, steps, values.path, values.closed), "a warp"


def _from_run(
    values: flags.FlagValues, opened: Run, method: str, stops: list[str], steps: int
) -> tuple[np.ndarray, str]:
    from ..faces.framing import Framed, frame_face
    from ..faces.reader import FaceReader

    reader = FaceReader(opened, read(values, groups.AlignmentSettings), groups.read_given_data(values, groups.NOT_DATA))
    faces = np.stack([reader.read(stop) for stop in stops])

    def in_frame() -> Framed:
        return frame_face(
            faces, stops, read(values, LandmarkSettings), [reader.find_known_points(stop) for stop in stops]
        )

    if method == "warp":
        return warp_through(*in_frame().material, steps, values.path, values.closed), "a warp"
    model = opened.model()
    person = ask_person(model, values.person)
    by_model = f"{opened.folder.name}{as_person(person)}"
    prior = load_prior(model, values.prior, "--path=flow") if values.path == FLOW else None
    way = steps, values.path if prior is None else "linear", values.closed, person, prior
    if method == "code":
        return morph_through(model, faces, *way), by_model
    return warp_and_code_through(model, *in_frame().material, *way), f"a warp and {by_model}"
