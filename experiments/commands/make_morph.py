"""Make one film of a morph through photographs, without any model."""

import numpy as np
from absl import flags

from ... import files, pictures
from ..codes.morphing import NOTICE, warp_through
from ..errors import UsageError
from ..faces.origins import refuse_useless_cut
from ..faces.places import check_there, is_place
from ..films.making import new_film
from ..flags import groups, kinds
from ..flags.groups import AlignmentSettings, LandmarkSettings
from ..flags.kinds import read
from ..terminal import announce

ITEM = "photograph"  # words without dashes are its values
SIZE, DRAWN_SIZE, MOST_SIZE = 512, 256, 1024
MOST_BYTES = 600_000_000  # of a film's pictures, which are held in memory
USES_MODELS = True  # which other backends of Keras than TensorFlow do as well


def define_flags(values: flags.FlagValues) -> None:
    text = f"A face on the way, two or more: facezoo make-morph a.jpg b.jpg --out=film.mp4. {groups.FACE}"
    kinds.define_paths(values, "photograph", text)
    kinds.define_required(values, "out", "The film, a new .mp4.")
    kinds.define_number(values, "seconds", 2.0, "From each face to the next.", 0, 60, kind=float, above=True)
    kinds.define_number(values, "fps", 24.0, "Pictures a second.", 1, 60, kind=float)
    text = f"Height and width in pixels; if absent {SIZE}, or {DRAWN_SIZE} where faces of a split are among them."
    kinds.define_number(values, "size", None, text, groups.MIN_IMAGE_SIZE, MOST_SIZE)
    flags.DEFINE_bool("closed", False, "Go back from the last face to the first.", flag_values=values)
    kinds.define(values, LandmarkSettings)
    groups.define_template(values, None, None)
    groups.define_data_flags(values, groups.NOT_DATA)


def run(values: flags.FlagValues) -> None:
    stops = list(values.photograph)
    if len(stops) < 2:
        raise UsageError("make-morph needs two photographs or more: facezoo make-morph a.jpg b.jpg --out=film.mp4")
    for stop in stops:
        check_there(stop)
    alignment = AlignmentSettings(True, values.template, values.margin)
    given = groups.read_given_data(values, groups.NOT_DATA)
    refuse_useless_cut(alignment, given)
    path = new_film(values.out, "what is made is a film")
    pictures.find_ffmpeg()  # or it says which way there is to one
    ways = len(stops) - (not values.closed)
    steps = max(2, round(values.seconds * values.fps))
    size = values.size or (DRAWN_SIZE if any(map(is_place, stops)) else SIZE)
    most = MOST_BYTES // (3 * size**2)
    if steps * ways > most:
        raise UsageError(
            f"{ways} ways of {values.seconds:g} seconds at --fps={values.fps:g} are {steps * ways:,} pictures, more "
            f"than the {most:,} that a film of --size={size} may have: choose less of one of them"
        )
    from ..faces.framing import frame_photographs

    back = " and back to the first" if values.closed else ""
    with files.whole_file(path, is_new=True) as partial:
        faces, points, scheme = frame_photographs(
            stops, read(values, LandmarkSettings), alignment, given, size
        ).material
        announce(f"Making {steps * ways + (not values.closed)} pictures of {size}x{size} pixels ...")
        parts = []
        for number in range(ways):
            pair = [number, (number + 1) % len(stops)]
            frames = pictures.to_uint8(warp_through(faces[pair], points[pair], scheme, steps + 1))
            parts.append(frames if number == ways - 1 and not values.closed else frames[:-1])
        said = f"morph through {', '.join(stops)}{back} by a warp: {NOTICE}"
        pictures.save_mp4(partial, np.concatenate(parts), said, values.fps)
    print(path)
