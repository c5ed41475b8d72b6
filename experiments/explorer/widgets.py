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
from .explored import Explored
from .looks import CODE, FIND_LABEL, METHOD_NOTES, PATH_NOTES, PATHS, WARP, Face, Look, Slider, as_png, enlarged

ENDS = ("start", "end")
SIDE = "256px"
LABEL_WIDTH, SLIDER_WIDTH = "150px", "400px"
LEAST_STRIP = 96  # pixels of the row's height


def explore_widgets(run_dir: str | Path | None = None, checkpoint: str = "last"):
    """Two faces, a morph between them, and what can be changed about them, as widgets.

    Args:
      run_dir: a finished run of an autoencoder; without one, photographs and drawn faces are warped onto each other.
      checkpoint: its "last" model or its "best".

    Returns:
      An `ipywidgets.VBox`, which a notebook shows where it is a cell's last line.

    Raises:
      UsageError, DatasetError: ipywidgets is not installed; or the run, its data or the detector of faces is not there.
    """
    check_installed("ipywidgets", "explore")
    alignment = AlignmentSettings(align=True)
    if run_dir is None:
        from .photographs import WarpExplorer

        return _Widgets(WarpExplorer(alignment)).box
    from .explorer import Explorer

    return _Widgets(Explorer(open_run(run_dir, checkpoint), alignment)).box


class _Widgets:
    """Widgets, and what they do."""

    def __init__(self, explorer: Explored):
        import ipywidgets

        self._widgets: Any = ipywidgets
        self.explorer = explorer
        self.faces = dict(zip(ENDS, explorer.first_faces, strict=True))
        self.warp = explorer.first_warp
        self.message = ipywidgets.HTML("<br>".join(map(html.escape, explorer.list_hints())))
        self.landmarks = ipywidgets.Label()
        self.find = ipywidgets.Checkbox(explorer.finds_faces, description=FIND_LABEL, disabled=not explorer.finds_faces)
        look = explorer.first_look()
        self.alpha = ipywidgets.FloatSlider(look.alpha, min=0.0, max=1.0, step=0.01, description="morph")
        methods = [(f"{method}: {METHOD_NOTES[method]}", method) for method in explorer.methods]
        self.method = ipywidgets.Dropdown(options=methods, value=look.method, description="method")
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
        self._shown: dict[str, bytes] = {}
        self.picture, self.strip, self.links = ipywidgets.Image(width=384), ipywidgets.Image(), ipywidgets.HTML()
        self.cards = {end: ipywidgets.Image(width=SIDE) for end in ENDS}
        self.captions = {end: ipywidgets.Label() for end in ENDS}
        self.box = self._laid_out()
        self.alpha.observe(lambda change: self._show(has_moved=True), "value")
        for component in (self.path, self.person, *self.sliders):
            component.observe(lambda change: self._show(), "value")
        self.method.observe(self._choose, "value")
        self._show_faces()
        self._show()

    def _laid_out(self):
        boxes = self._widgets
        chosen = [self.method, self.path] if len(self.explorer.methods) > 1 else []
        people = [self.person] if self.explorer.people else []
        middle = boxes.VBox([self.picture, self.alpha, *chosen, self.landmarks, *people])
        faces = boxes.HBox([self._face_box("start"), middle, self._face_box("end")])
        sliders = boxes.Box(self.sliders, layout=boxes.Layout(flex_flow="row wrap"))
        self.edits = boxes.VBox([sliders, self.reset] if self.sliders else [])
        find = [self.find] if self.explorer.finds_faces else []
        return boxes.VBox([self.message, faces, *find, self.strip, self.links, self.edits])

    def _face_box(self, end: str):
        upload = self._widgets.FileUpload(description="Upload")
        upload.observe(functools.partial(self._upload, end), "value")
        buttons = [upload]
        for text, make in self.explorer.chances.items():
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
            faces = {**self.faces, end: make()}
            warp = None if self.method.value == CODE else self.explorer.find_warp(*faces.values())
        except UsageError as error:
            self._refuse(error)
            return
        self.faces, self.warp, self.message.value = faces, warp, ""
        self._show_faces()
        self._show()

    def _choose(self, change: dict) -> None:
        """Another method; codes where no landmarks are found, and one line on why."""
        try:
            if change["new"] != CODE:
                self.warp = self.warp or self.explorer.find_warp(*self.faces.values())
        except UsageError as error:
            self.method.value = CODE
            self._refuse(error)
            return
        self.message.value = ""
        for widget in (self.path, self.person, self.edits):
            widget.layout.display = "none" if change["new"] == WARP else ""
        self._show()

    def _refuse(self, error: UsageError) -> None:
        self.message.value = f'<b style="color: #b00">{html.escape(str(error))}</b>'

    def _show_faces(self) -> None:
        for end, face in self.faces.items():
            picture = self.explorer.show_face(face, end == "end", self.warp)
            self.cards[end].value = enlarged(as_png(picture, f"{end} of a morph: {face.name}"))
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

    def _show(self, has_moved: bool = False) -> None:
        """The picture; and the row, which is the same wherever on it the picture is, unless only that has moved."""
        if self._is_resetting:
            return
        self.landmarks.value = self.warp.note if self.warp and self.method.value != CODE else ""
        look = Look(
            self.faces["start"],
            self.faces["end"],
            self.alpha.value,
            self.path.value,
            [slider.value for slider in self.sliders],
            self.person.value,
            self.method.value,
            self.warp,
        )
        self._shown = {"face.png": self.explorer.picture(look)} | (
            {"morph.png": self._shown["morph.png"] if has_moved else self.explorer.strip(look)}
        )
        self.picture.value = enlarged(self._shown["face.png"])
        self.strip.value = enlarged(self._shown["morph.png"], LEAST_STRIP)
        self.links.value = " ".join(
            f'<a download="{name}" href="data:image/png;base64,{base64.b64encode(content).decode()}">{text}</a>'
            for (name, content), text in zip(
                self._shown.items(), ("download the picture", "download the row"), strict=True
            )
        )


def _label(slider: Slider) -> str:
    return f"dimension {slider.name}" if slider.group == "latent" else slider.name.replace("_", " ")
