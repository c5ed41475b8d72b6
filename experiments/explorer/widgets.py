"""The sliders of `facezoo explore` in a Jupyter notebook."""

import base64
import functools
import html
import io
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..backend import check_installed
from ..errors import UsageError
from ..flags.groups import AlignmentSettings
from ..runs.run import open_run
from .explorer import Explorer
from .looks import FIND_LABEL, PATH_NOTES, PATHS, Face, Look, Slider, as_png, enlarged

ENDS = ("start", "end")
SIDE = "256px"
LABEL_WIDTH, SLIDER_WIDTH = "150px", "400px"
LEAST_STRIP = 96  # pixels of the row's height


def explore_widgets(run_dir: str | Path, checkpoint: str = "last"):
    """Two faces, a morph between them, and what can be changed about them, as widgets.

    Args:
      run_dir: a finished run of an autoencoder.
      checkpoint: its "last" model or its "best".

    Returns:
      An `ipywidgets.VBox`, which a notebook shows where it is a cell's last line.

    Raises:
      UsageError, DatasetError: ipywidgets is not installed; or the run, its data or the detector of faces is not there.
    """
    check_installed("ipywidgets", "explore")
    return _Widgets(Explorer(open_run(run_dir, checkpoint), AlignmentSettings(align=True))).box


class _Widgets:
    """Widgets, and what they do."""

    def __init__(self, explorer: Explorer):
        import ipywidgets

        self._widgets: Any = ipywidgets
        self.explorer = explorer
        self.faces = dict(zip(ENDS, explorer.first_faces, strict=True))
        self.message = ipywidgets.HTML(html.escape(explorer.note or explorer.hint))
        self.find = ipywidgets.Checkbox(explorer.finds_faces, description=FIND_LABEL, disabled=not explorer.finds_faces)
        look = explorer.first_look()
        self.alpha = ipywidgets.FloatSlider(look.alpha, min=0.0, max=1.0, step=0.01, description="morph")
        notes = [(f"{path}: {PATH_NOTES[path]}", path) for path in PATHS]
        self.path = ipywidgets.Dropdown(options=notes, description="path")
        self.person = ipywidgets.Dropdown(options=explorer.people, value=look.person, description="as")
        self.sliders = [
            ipywidgets.FloatSlider(
                0.0,
                min=-slider.limit,
                max=slider.limit,
                step=0.05,
                description=_label(slider),
                style={"description_width": LABEL_WIDTH},
                layout=ipywidgets.Layout(width=SLIDER_WIDTH),
            )
            for slider in explorer.sliders
        ]
        self.reset = ipywidgets.Button(description="Reset the sliders")
        self.reset.on_click(self._reset)
        self._is_resetting = False
        self.picture, self.strip, self.links = ipywidgets.Image(width=384), ipywidgets.Image(), ipywidgets.HTML()
        self.cards = {end: ipywidgets.Image(width=SIDE) for end in ENDS}
        self.captions = {end: ipywidgets.Label() for end in ENDS}
        self.box = self._laid_out()
        for component in (self.alpha, self.path, self.person, *self.sliders):
            component.observe(self._show, "value")
        for end in ENDS:
            self._show_face(end)
        self._show()

    def _laid_out(self):
        boxes = self._widgets
        people = [self.person] if self.explorer.people else []
        middle = boxes.VBox([self.picture, self.alpha, self.path, *people])
        faces = boxes.HBox([self._face_box("start"), middle, self._face_box("end")])
        sliders = boxes.Box(self.sliders, layout=boxes.Layout(flex_flow="row wrap"))
        edits = [sliders, self.reset] if self.sliders else []
        return boxes.VBox([self.message, faces, self.find, self.strip, self.links, *edits])

    def _face_box(self, end: str):
        upload = self._widgets.FileUpload(description="Upload")
        upload.observe(functools.partial(self._upload, end), "value")
        buttons = [upload]
        for text, make in (("Test split", self.explorer.anybody), ("Random face", self.explorer.invented)):
            button = self._widgets.Button(description=text)
            button.on_click(functools.partial(self._chance, end, make))
            buttons.append(button)
        return self._widgets.VBox([self.cards[end], self.captions[end], *buttons])

    def _upload(self, end: str, change: dict) -> None:
        for file in change["new"]:
            content = io.BytesIO(file["content"])
            self._take(end, functools.partial(self.explorer.photograph, content, file["name"], self.find.value))

    def _chance(self, end: str, make: Callable[[int], Face], button=None) -> None:
        self._take(end, lambda: make(secrets.randbelow(2**31)))

    def _take(self, end: str, make: Callable[[], Face]) -> None:
        """Another face, or one line on why there is none."""
        try:
            self.faces[end] = make()
        except UsageError as error:
            self.message.value = f'<b style="color: #b00">{html.escape(str(error))}</b>'
            return
        self.message.value = ""
        self._show_face(end)
        self._show()

    def _show_face(self, end: str) -> None:
        face = self.faces[end]
        self.cards[end].value = enlarged(as_png(face.picture, f"{end} of a morph: {face.name}"))
        self.captions[end].value = f"{end}: {face.name}"

    def _reset(self, button=None) -> None:
        """All sliders at 0, and one new picture instead of one for each."""
        self._is_resetting = True
        try:
            for slider in self.sliders:
                slider.value = 0.0
        finally:
            self._is_resetting = False
        self._show()

    def _show(self, change=None) -> None:
        if self._is_resetting:
            return
        look = Look(
            self.faces["start"],
            self.faces["end"],
            self.alpha.value,
            self.path.value,
            [slider.value for slider in self.sliders],
            self.person.value,
        )
        picture, strip = self.explorer.picture(look), self.explorer.strip(look)
        self.picture.value, self.strip.value = enlarged(picture), enlarged(strip, LEAST_STRIP)
        self.links.value = " ".join(
            f'<a download="{name}" href="data:image/png;base64,{base64.b64encode(content).decode()}">{text}</a>'
            for name, text, content in (
                ("face.png", "download the picture", picture),
                ("morph.png", "download the row", strip),
            )
        )


def _label(slider: Slider) -> str:
    return f"dimension {slider.name}" if slider.group == "latent" else slider.name.replace("_", " ")
