"""The page of `facezoo explore`, by Gradio."""

import base64
import functools
import html
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from ..errors import UsageError
from . import server
from .explored import Explored
from .looks import (
    CODE,
    FIND_LABEL,
    METHOD_NOTES,
    PATH_NOTES,
    PATHS,
    WARP,
    Face,
    Look,
    Slider,
    as_png,
    enlarged,
    folded,
)
from .warps import Warp

ENDS = ("start", "end")
LEAST_STRIP = 96  # pixels of the row's height
NARROW = 600  # pixels of a window's width, up to which the row is two
GROUPS = {
    "told": "What the decoder is told: -1 no, 1 yes, 0 nothing",
    "attribute": "Attributes: 1 leads from faces without it to faces with it",
    "latent": "Dimensions of the code in standard deviations, the most important first",
}
QUIETLY: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
# The strip is made again when nothing has been moved for some milliseconds, so that it does not hold the picture up.
# So is a picture that can be sharper than the one that a moved slider gets at once.
# A slider is one stop of the tabulator: its number and its arrow are for the mouse. Faces are dropped on either end.
ON_LOAD = """() => {
  const skip = () => document.querySelectorAll(".sliders input[type=number], .sliders button.reset-button," +
    " #morph input[type=number], #morph button.reset-button").forEach(part => { part.tabIndex = -1; });
  new MutationObserver(skip).observe(document.body, {childList: true, subtree: true});
  skip();
  document.addEventListener("click", event => { event.target.closest("#message p")?.remove(); });
  const card = event => event.target.closest?.("#face-start, #face-end");
  for (const kind of ["dragenter", "dragover"]) document.addEventListener(kind, event => {
    event.preventDefault();
    document.querySelectorAll(".dropping").forEach(other => other.classList.remove("dropping"));
    card(event)?.classList.add("dropping");
  });
  document.addEventListener("drop", event => {
    event.preventDefault();
    document.querySelectorAll(".dropping").forEach(other => other.classList.remove("dropping"));
    const input = card(event)?.querySelector("input[type=file]"), file = event.dataTransfer.files[0];
    if (!input || !file) return;
    const files = new DataTransfer();
    files.items.add(file);
    input.files = files.files;
    input.dispatchEvent(new Event("change", {bubbles: true}));
  });
  const timers = {};
  document.addEventListener("input", event => {
    if (event.target.closest("#method, #find")) return;
    const button = event.target.closest("#morph") ? "#sharpen" : "#at-rest";
    clearTimeout(timers[button]);
    timers[button] = setTimeout(() => document.querySelector(button)?.click(), 250);
  }, true);
}"""
# On a wide window the sliders scroll beside the picture, else they are below it. A narrow one that is high enough keeps
# the picture in sight.
CSS = """
.gradio-container { overflow: visible !important; }
.gradio-container main { width: 100%; max-width: 1600px; margin: 0 auto !important; }
#title h1 { font-size: 20px; margin: 0; }
#title p { margin: 2px 0 0; font-size: 14px; color: var(--body-text-color-subdued); }
#message { position: fixed; top: 12px; left: 50%; transform: translateX(-50%); z-index: 110; width: auto;
  max-width: min(680px, 92vw); min-width: 0; overflow: visible; }
#message:not(:has(p)) { display: none; }
#message p { margin: 0; padding: 8px 12px; border-radius: 8px; font-size: 15px; overflow-wrap: anywhere;
  background: #fde8e8; color: #8a1c1c; border: 1px solid #f3b4b4; box-shadow: 0 2px 12px #0003; cursor: pointer;
  animation: leave 1s 20s forwards; }
#message p::after { content: " \\00d7"; font-weight: bold; }
@keyframes leave { to { opacity: 0; visibility: hidden; } }
.hint { font-size: 13px; color: var(--body-text-color-subdued); overflow-wrap: anywhere; }
.hint p { margin: 4px 8px; }
.hint:not(:has(p)), #film:not(:has(figure)) { display: none; }
.dropping { outline: 3px dashed var(--link-text-color); outline-offset: 4px; border-radius: 8px; }
#stage { display: grid; gap: 16px; align-items: start; grid-template: "start result end edits" auto
  "controls controls controls edits" 1fr / minmax(282px, 3fr) minmax(282px, 4fr) minmax(282px, 3fr) 6fr; }
#stage:not(:has(#edits)) { grid-template: "start result end" auto "controls controls controls" 1fr / 3fr 4fr 3fr; }
#stage > * { min-width: 0 !important; }
#face-start { grid-area: start; }
#face-end { grid-area: end; }
#result { grid-area: result; z-index: 100; background: var(--body-background-fill); }
#controls { grid-area: controls; }
#edits { grid-area: edits; max-height: 86vh; overflow-y: auto; flex-wrap: nowrap; }
#edits > * { flex-shrink: 0; }
#edits .label-wrap { text-align: left; }
.picture { margin: 0; text-align: center; }
.picture img { width: 100%; border-radius: 8px; display: block; margin: 0 auto; }
.face .picture img { max-width: 256px; }
#result .picture img { max-width: 384px; }
#stage:not(:has(#edits)) #result .picture img { max-width: 512px; }
.picture figcaption { margin-top: 6px; font-size: 13px; overflow-wrap: anywhere; }
.picture a { color: var(--link-text-color); text-decoration: underline; }
.sliders .form { display: grid; grid-template-columns: repeat(auto-fill, minmax(230px, 1fr));
  border: 0; box-shadow: none; background: none; }
.sliders .block { padding: 4px 8px 12px; }
.sliders [data-testid=block-info] { padding: 0; background: none; color: var(--body-text-color); font-weight: 500; }
.sliders input[type=number] { width: 56px; }
.sliders input[type=range] { --slider-color: var(--neutral-200); --range_progress: 0% !important; }
#film video { width: 100%; max-width: 384px; border-radius: 8px; display: block; margin: 0 auto; }
@media (max-width: 1240px) {
  #stage:has(#edits) { grid-template: "start result end" auto "controls controls controls" auto "edits edits edits" 1fr
    / 3fr 4fr 3fr; }
  #edits { max-height: none; }
}
@media (max-width: 900px) {
  #stage { display: flex; flex-flow: row wrap; }
  #stage > * { flex: 1 1 100%; }
  #stage > .face { flex: 1 1 40%; }
  #result { order: 1; position: sticky; top: 0; padding: 8px 0; }
  #stage #result .picture img { max-width: min(256px, 36vh) !important; }
  #controls { order: 2; }
  #edits { order: 3; max-height: none; }
}
@media (max-height: 480px) {
  #result { position: static; }
}
"""


def looks() -> dict[str, Any]:
    """Theme, style and script, as Gradio takes them. Fonts are those of the reader's machine: none is loaded."""
    theme = gr.themes.Soft(
        primary_hue="teal", neutral_hue="slate", font=["system-ui", "sans-serif"], font_mono=["monospace"]
    )
    return {"theme": theme, "css": CSS, "js": ON_LOAD}


def page_of(explorer: Explored, uploads: Path) -> gr.Blocks:
    """The page, not served yet.

    Args:
      explorer: what it shows.
      uploads: the folder that Gradio puts uploads into.
    """
    title = f"facezoo: {explorer.title}"
    with gr.Blocks(title=title, analytics_enabled=False, fill_width=True, delete_cache=(60, 600)) as page:
        _Page(explorer, uploads)
    return page.queue(max_size=server.MOST_EVENTS)


class _Page:
    """Components, and what they do. What a person has set is in the components and in their own `gr.State`."""

    def __init__(self, explorer: Explored, uploads: Path):
        self.explorer, self.uploads = explorer, uploads
        self.faces, self.warp = gr.State(explorer.first_faces), gr.State(explorer.first_warp)
        self._lay_out()
        self.settings = [self.faces, self.warp, self.method, self.alpha, self.path, self.person, *self.sliders]
        self.row = [self.strip, self.film]  # of which a film is, and goes with it
        self.outputs = [self.picture, *self.row]
        # What follows from two faces and a method.
        pictures = [self.cards[end]["picture"] for end in ENDS]
        self.pair = [self.faces, self.message, self.warp, self.landmarks, *pictures, *self.outputs]
        for end in ENDS:
            self._connect_face(end)
        self._connect_method()
        self._connect_sliders()

    # Layout.

    def _lay_out(self) -> None:
        explorer = self.explorer
        gr.HTML(f"<h1>facezoo</h1><p>{html.escape(explorer.title)}</p>", elem_id="title")
        self.message = gr.HTML("", elem_id="message")
        self.cards: dict[str, dict[str, Any]] = {}
        look = explorer.first_look()
        with gr.Row(elem_id="stage"):
            self._lay_out_face("start", look)
            with gr.Column(elem_id="result"):
                self.picture = gr.HTML(_shown_picture(explorer.sharp_picture(look)))
            self._lay_out_face("end", look)
            with gr.Column(elem_id="controls"):
                self._lay_out_controls(look)
                self.strip = gr.HTML(_shown_strip(explorer.strip(look)), elem_id="strip")
                self.make_film = gr.Button("Make a film of it", size="sm", elem_id="make-film")
                self.film = gr.HTML("", elem_id="film")
                gr.HTML("".join(map(_hint, explorer.list_hints())), elem_classes="hint", elem_id="hint")
            with gr.Column(elem_id="edits", visible=bool(explorer.sliders)) as self.edits:
                self._lay_out_sliders()
        self.at_rest = gr.Button(visible="hidden", elem_id="at-rest")
        self.sharpen = gr.Button(visible="hidden" if explorer.sharpens else False, elem_id="sharpen")

    def _lay_out_controls(self, look: Look) -> None:
        explorer = self.explorer
        people, finds = list(explorer.people), explorer.finds_faces
        self.alpha = gr.Slider(0.0, 1.0, look.alpha, step=0.01, label="morph", elem_id="morph")
        methods = [(f"{method}: {METHOD_NOTES[method]}", method) for method in explorer.methods]
        self.method = gr.Radio(methods, value=look.method, label="method", visible=len(methods) > 1, elem_id="method")
        self.landmarks = gr.HTML(_hint(look.warp.note if look.warp else ""), elem_classes="hint", elem_id="landmarks")
        notes = "; ".join(f"{path}: {PATH_NOTES[path]}" for path in PATHS)
        self.path = gr.Radio(
            list(PATHS), value=look.path, label="path", info=notes, visible=look.method == CODE, elem_id="path"
        )
        self.person = gr.Radio(people, value=look.person, label="as", visible=bool(people))
        self.find = gr.Checkbox(finds, label=f"{FIND_LABEL} in an upload", visible=finds, elem_id="find")

    def _lay_out_face(self, end: str, look: Look) -> None:
        with gr.Column(elem_id=f"face-{end}", elem_classes="face"):
            self.cards[end] = {
                "picture": gr.HTML(self._shown_face(end, (look.start, look.end), look.warp)),
                "upload": gr.UploadButton(
                    "Upload, or drop a picture", size="sm", variant="primary", elem_id=f"upload-{end}"
                ),
                "path": gr.Textbox(visible="hidden"),
                "chances": [
                    gr.Button(label, size="sm", elem_id=f"{make.__name__}-{end}")
                    for label, make in self.explorer.chances.items()
                ],
            }

    def _lay_out_sliders(self) -> None:
        """Group by group, in the explorer's order."""
        self.sliders: list[gr.Slider] = []
        for group, label in GROUPS.items():
            own = [slider for slider in self.explorer.sliders if slider.group == group]
            if own:
                with gr.Accordion(label, open=True), gr.Row(elem_classes="sliders"):
                    self.sliders += [_laid_out(slider) for slider in own]
        self.reset = gr.Button("Reset the sliders", size="sm", elem_id="reset")

    # Events.

    def _connect_face(self, end: str) -> None:
        card = self.cards[end]
        # Only the path of an upload is sent on, as text that `_upload` judges: what an event names as a file of
        # Gradio's kind, Gradio copies from anywhere, or downloads.
        sent = card["upload"].upload(None, card["upload"], card["path"], js="file => file ? file.path : ''", **QUIETLY)
        read = functools.partial(self._upload, end)
        self._on(sent.then, read, self.pair, [card["path"], self.find], show_progress="full")
        for button, make in zip(card["chances"], self.explorer.chances.values(), strict=True):
            self._on(button.click, functools.partial(self._chance, end, make), self.pair)

    def _connect_method(self) -> None:
        chosen = [self.method, self.path, self.person, self.edits]
        self._on(self.method.input, self._choose, [*chosen, *self.pair])

    def _on(
        self,
        event: Callable,
        function: Callable,
        outputs: list,
        more: list | None = None,
        show_progress: str = "minimal",
    ) -> None:
        inputs = [*(more or []), *self.settings]
        event(function, inputs, outputs, **{**QUIETLY, "show_progress": show_progress}, show_progress_on=self.picture)

    def _connect_sliders(self) -> None:
        moved: list[Any] = [self.alpha, self.path, self.person, *self.sliders]
        fast: dict[str, Any] = {"trigger_mode": "always_last", "queue": False, **QUIETLY}
        gr.on([component.input for component in moved], self._shown, self.settings, self.picture, **fast)
        self.at_rest.click(self._strip, self.settings, self.row, **fast)
        self._on(self.reset.click, self._reset, [*self.sliders, *self.outputs])
        # What takes long is kept first, and shown if it is still what is set when it comes.
        sharp, film = gr.State(None), gr.State(None)
        come = self.sharpen.click(self._make_sharp, self.settings, sharp, **fast)
        come.then(self._show_sharp, [sharp, *self.settings], [sharp, self.picture], queue=False, **QUIETLY)
        filming: dict[str, Any] = {"show_progress": "full", "show_progress_on": self.film, "api_visibility": "private"}
        come = self.make_film.click(self._make_film, self.settings, film, **filming)
        come.then(self._show_film, [film, *self.settings], [film, self.film, self.message], **QUIETLY)

    def _shown(self, *settings) -> str:
        return _shown_picture(self.explorer.picture(self._look(*settings)))

    def _sharpened(self, *settings) -> str:
        return _shown_picture(self.explorer.sharp_picture(self._look(*settings)))

    def _make_sharp(self, *settings) -> tuple[tuple, str]:
        return settings, self._sharpened(*settings)

    def _show_sharp(self, made: tuple[tuple, str] | None, *settings) -> list:
        return [None, made[1] if made and made[0] == settings else gr.skip()]

    def _strip(self, *settings) -> list[str]:
        """The row, and no film."""
        return [_shown_strip(self.explorer.strip(self._look(*settings))), ""]

    def _make_film(self, *settings) -> tuple[tuple, str]:
        return _all_but_alpha(*settings), self._film(*settings)

    def _show_film(self, made: tuple[tuple, str] | None, *settings) -> list:
        if made and made[0] == _all_but_alpha(*settings):
            return [None, made[1], ""]
        return [None, gr.skip(), _message("the film is not shown, since it is not of what is set now: make it again")]

    def _film(self, *settings) -> str:
        try:
            data = _data_of(self.explorer.film(self._look(*settings)), "video/mp4")
        except OSError as error:
            return _message(f"the film cannot be made: {error}")
        link = f'<a href="{data}" download="morph.mp4">download the film</a>'
        film = f'<video src="{data}" controls loop autoplay muted></video>'
        return f'<figure class="picture">{film}<figcaption>{link}</figcaption></figure>'

    def _reset(self, *settings) -> list:
        zeros = [0.0] * len(self.sliders)
        settings = *settings[: len(settings) - len(zeros)], *zeros
        return [*zeros, self._sharpened(*settings), *self._strip(*settings)]

    def _upload(self, end: str, path: str, find: bool, *settings) -> list:
        file = Path(path or "none").resolve()

        def read() -> Face:
            if not (file.parent.parent == self.uploads.resolve() and file.is_file()):
                raise UsageError("the upload has not come: try again")
            try:
                return self.explorer.photograph(file, file.name, find)
            finally:
                shutil.rmtree(file.parent, ignore_errors=True)  # the upload's own

        return self._with_face(end, read, *settings)

    def _chance(self, end: str, make: Callable[[int], Face], *settings) -> list:
        return self._with_face(end, lambda: make(secrets.randbelow(2**31)), *settings)

    def _with_face(self, end: str, make: Callable[[], Face], faces, warp, method, *settings) -> list:
        """What `pair` shows with another face; after an error only a message."""
        try:
            face = make()
            faces = (face, faces[1]) if end == "start" else (faces[0], face)
            return self._brought_together(faces, None, method, *settings)
        except UsageError as error:
            return self._refused(error)

    def _choose(self, faces, warp, method, *settings) -> list:
        """What there is to choose with another method, and what `pair` shows; after an error codes stay."""
        try:
            shown = self._brought_together(faces, warp, method, *settings)
        except UsageError as error:
            method, shown = CODE, self._refused(error)
        visible = [
            gr.update(visible=method != WARP and bool(there)) for there in (PATHS, self.explorer.people, self.sliders)
        ]
        return [method, *visible, *shown]

    def _brought_together(self, faces, warp: Warp | None, method: str, *settings) -> list:
        """New settings of `pair`; a UsageError where no landmarks are found in faces that are to be warped."""
        if method != CODE:
            warp = warp or self.explorer.find_warp(*faces)
        note = warp.note if warp and method != CODE else ""
        cards = [self._shown_face(end, faces, warp) for end in ENDS]
        now = faces, warp, method, *settings
        return [faces, "", warp, _hint(note), *cards, self._sharpened(*now), *self._strip(*now)]

    def _refused(self, error: UsageError) -> list:
        return [_message(str(error)) if output is self.message else gr.skip() for output in self.pair]

    def _shown_face(self, end: str, faces: tuple[Face, Face], warp: Warp | None) -> str:
        face = faces[ENDS.index(end)]
        picture = as_png(self.explorer.show_face(face, end == "end", warp), f"{end} of a morph: {face.name}")
        return _figure(enlarged(picture), f"the {end} of the morph", f"{end}: {html.escape(face.name)}")

    def _look(
        self,
        faces: tuple[Face, Face],
        warp: Warp | None,
        method: str,
        alpha: float,
        path: str,
        person: str | None,
        *strengths: float,
    ) -> Look:
        return Look(*faces, alpha, path, strengths, person, method, warp)


def _all_but_alpha(faces, warp, method, alpha, *settings) -> tuple:
    """What a film is of, which shows all of the way."""
    return faces, warp, method, *settings


def _laid_out(slider: Slider) -> gr.Slider:
    label = f"dimension {slider.name}" if slider.group == "latent" else slider.name.replace("_", " ")
    name = f"{slider.group}-{slider.name}"
    return gr.Slider(-slider.limit, slider.limit, 0.0, step=0.05, label=label, elem_id=name, min_width=200)


def _message(text: str) -> str:
    return f'<p role="alert">{html.escape(text)}</p>' if text else ""


def _hint(text: str) -> str:
    return f"<p>{html.escape(text)}</p>" if text else ""


def _shown_picture(picture: bytes) -> str:
    return _figure(enlarged(picture), "the picture", _link(picture, "face.png", "download the picture"))


def _shown_strip(picture: bytes) -> str:
    """A row of pictures, or two rows in a window where one would be hard to see."""
    large = enlarged(picture, LEAST_STRIP)
    narrow = f'<source media="(max-width: {NARROW}px)" srcset="{_data_of(folded(large))}">'
    return _figure(large, "the way from start to end", _link(picture, "morph.png", "download the row"), narrow)


def _figure(picture: bytes, alternative: str, caption: str, others: str = "") -> str:
    """A picture inside of the page itself: no file is made or served, and what is saved from it has our metadata."""
    image = f'<img src="{_data_of(picture)}" alt="{alternative}">'
    return f'<figure class="picture"><picture>{others}{image}</picture><figcaption>{caption}</figcaption></figure>'


def _link(picture: bytes, name: str, text: str) -> str:
    return f'<a href="{_data_of(picture)}" download="{name}">{text}</a>'


def _data_of(content: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64," + base64.b64encode(content).decode()
