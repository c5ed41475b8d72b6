"""The head: its skin, ears, nostrils and wrinkles, and the neck below it."""

import numpy as np

from .canvas import Canvas
from .colours import rgb, skin_colour
from .geometry import SCALE
from .light import gloss, light_direction, light_on_head, matt_light
from .shapes import ellipse, segment, spot, step
from .surface import Nose, normals


def draw_head(canvas: Canvas) -> None:
    """Paints the lit skin of the head."""
    face, surface = canvas.face, canvas.surface
    normal = normals(face, surface, canvas.view, relief=True)
    canvas.surface.light = matt_light(face, normal, light_on_head(face))
    skin = skin_colour(face)
    cheeks = 0.35 * spot(np.abs(surface.x) - 0.40, surface.y - 0.36, 0.20, 0.16)
    albedo = skin * (1.0 - cheeks * rgb(0.02, 0.20, 0.16))
    sockets = 0.20 * spot(np.abs(surface.x) - face.eye_x + 0.02, surface.y - face.eye_y + 0.02, 0.19, 0.12)
    canvas.surface.light *= 1.0 - sockets
    shine = (0.10 + 0.06 * face["light_strength"]) * gloss(face, normal, 4)
    canvas.paint(albedo * canvas.surface.light + shine, canvas.on_head)


def draw_ears(canvas: Canvas) -> None:
    """Paints the ears that can be seen."""
    for side in (-1, 1):
        face = canvas.face
        place = face.to_view(side * 0.98 * face.half_width, face.zero + 0.16, face.zero - 0.04)
        with canvas.window(face.to_picture(place[0], place[1]), 0.18, 0.25) as part:
            _draw_ear(part, side, (place[0], place[1]))


def _draw_ear(canvas: Canvas, side: int, place: tuple[np.ndarray, np.ndarray]) -> None:
    face = canvas.face
    x, y = side * (canvas.view[0] - place[0]), canvas.view[1] - place[1]
    x = x + 0.25 * y
    turned_here = np.clip(0.25 - 2.2 * side * face.sin_yaw, 0.0, 1.0)
    alpha = canvas.cover(ellipse(x, y, 0.088 + 0.05 * turned_here, 0.172))
    head = canvas.cover((canvas.surface.rim - 0.985) * face.half_width, 0.02)
    fold = 0.30 * spot(x + 0.01, y + 0.02, 0.045, 0.10)
    normal = (side * (0.75 + 2.0 * x), face.zero - 0.2, face.zero + 0.55)
    # A little shade where the ear leaves the head.
    canvas.picture *= 1.0 - 0.22 * turned_here * head * spot(x, y, 0.12, 0.20)
    colour = skin_colour(face) * (1.0 - fold * rgb(0.7, 1.0, 1.0)) * rgb(1.0, 0.94, 0.93)
    canvas.paint(colour * matt_light(face, normal, light_direction(face)), alpha * (1.0 - head * (1.0 - turned_here)))


def draw_nostrils(canvas: Canvas) -> None:
    """Paints nostrils and the shade under the nose."""
    face = canvas.face
    base_y = face.nose_y
    with canvas.window(face.on_face(face.zero, base_y, 0.07), 0.19, 0.13) as part:
        face, nose = part.face, Nose(part.face, *part.view)
        aside, along = nose.aside - nose.base_aside, nose.along - nose.base_along
        shade = 0.30 * spot(aside + 0.04 * face["light_x"], along - 0.055, nose.half_width, 0.045)
        part.picture *= 1.0 - shade * (0.35 - 0.65 * np.minimum(face["light_y"], 0.0))
        crease = segment(np.abs(aside), along, (nose.half_width * 0.98, -0.07), (nose.half_width * 0.90, 0.0))
        part.picture *= 1.0 - 0.28 * np.exp(-((crease / 0.028) ** 2))
        hole = ellipse(np.abs(aside) - 0.48 * nose.half_width, along + 0.002 + 0.1 * face.sin_pitch, 0.040, 0.022)
        part.paint_on_head(skin_colour(face) * rgb(0.28, 0.18, 0.17), 0.85 * part.cover(hole, 0.035))


def draw_wrinkles(canvas: Canvas) -> None:
    """Paints the folds and lines of age and smile."""
    face, x, y = canvas.face, np.abs(canvas.surface.x), canvas.surface.y
    smile = np.clip(face["smile"], 0.0, 1.0)
    start = (face.nose_half_width + 0.025, face.nose_y - 0.04)
    end = (face.mouth_half_width + 0.065, face.mouth_y - face.corner_lift * 0.4 + 0.03)
    bow = segment(x, y, start, end)
    fold = np.exp(-((bow / 0.030) ** 2)) * np.clip(0.02 + 0.20 * face.age + 0.13 * smile, 0.0, 0.5)
    forehead = sum(np.exp(-(((y - at + 0.10 * x * x) / 0.020) ** 2)) for at in (-0.42, -0.33))
    forehead = forehead * np.maximum(1.0 - (x / 0.42) ** 2, 0.0) * 0.13 * np.clip(face.age - 0.25, 0.0, 1.0)
    foot = np.exp(-(((y - face.eye_y - 0.02) / 0.06) ** 2 + ((x - face.eye_x - 0.21) / 0.045) ** 2))
    crow = foot * (0.5 + 0.5 * np.cos((y - face.eye_y) * 90.0)) * (0.30 * face.age + 0.06 * smile)
    jowl = spot(x - 0.33, y - 0.86, 0.05, 0.12) * 0.16 * np.clip(face.age - 0.4, 0.0, 1.0)
    dark = (fold + forehead + crow + jowl) * (canvas.surface.rim < 1.0)
    canvas.picture *= 1.0 - dark * rgb(0.75, 1.0, 1.0)


def draw_neck(canvas: Canvas) -> None:
    """Paints the neck with the chin's shade on it."""
    face = canvas.face
    x, y = canvas.body
    top_x = (face.centre_x - 0.5) / SCALE - 0.10 * face.sin_yaw - 0.55 * face.sin_roll
    middle = top_x * step(1.7, 0.6, y)
    half = 0.40 + 0.04 * face["face_width"] + 0.04 * face["jaw_width"] + 0.55 * np.maximum(y - 1.15, 0.0) ** 2
    aside = (x - middle) / half
    normal = (np.clip(aside, -1.0, 1.0), face.zero + 0.12, np.sqrt(np.maximum(1.0 - aside * aside, 0.05)))
    light = matt_light(face, normal, light_direction(face))
    below_jaw = np.exp(-np.maximum(canvas.surface.rim - 1.0, 0.0) * 5.5)
    throat = 1.0 - 0.10 * np.exp(-(((np.abs(x - middle) - 0.16 - 0.25 * (1.5 - y)) / 0.06) ** 2))
    colour = skin_colour(face) * rgb(0.97, 0.93, 0.91) * (light * ((1.0 - 0.48 * below_jaw) * throat))
    canvas.paint(colour, canvas.cover(np.maximum((np.abs(aside) - 1.0) * half, 0.3 - y)))
