"""Export encoder and decoder as files that run without facezoo, each held to the original, or as a page."""

from absl import flags

from ... import files
from ..backend import load_tensorflow, use_one_thread
from ..codes.encoding import as_person, ask_person, tell_person
from ..errors import UsageError
from ..exporting.format import PRECISIONS
from ..exporting.formats import FORMATS
from ..exporting.graphs import ExportError
from ..flags import groups, kinds
from ..folders import new_folder
from ..runs.run import open_run
from ..tables import markdown_table

WEB = "web"
PARTS = ("encoder", "decoder", "autoencoder")
WORDS = ("run_dir",)  # flags that words without dashes are meant as


def define_flags(values: flags.FlagValues) -> None:
    groups.define_run_dir(values)
    text = f"Kind of the files; {WEB} is a page that morphs in a browser, with all that it needs."
    flags.DEFINE_enum("format", "onnx", [*FORMATS, WEB], text, flag_values=values)
    flags.DEFINE_list("part", ["encoder", "decoder"], f"Some of {', '.join(PARTS)}.", flag_values=values)
    problem = f"must be some of {', '.join(PARTS)}, each once"
    flags.register_validator("part", _are_parts, problem, flag_values=values)
    text = (
        "Of the numbers in the files; int8 computes in it too, with ranges found on training faces. If absent, "
        f"float32, and int8 of {WEB}."
    )
    flags.DEFINE_enum("precision", None, PRECISIONS, text, flag_values=values)
    text = "dB of PSNR that reconstructions with a file may be worse by; if one loses more, nothing is written."
    kinds.define_number(values, "max_psnr_loss", 0.5, text, 0, kind=float)
    kinds.define_number(values, "count", 64, "Test faces that each file is run on.", 1, 10_000)
    groups.define_person(values)
    text = f"Folder dist of onnxruntime-web, for --format={WEB}; if absent, npm fetches it once."
    kinds.define_path(values, "runtime", text)
    kinds.define_path(values, "out", f"New folder for the files (RUN/export, of --format={WEB} RUN/page).")
    groups.define_data_flags(values)


def _are_parts(found: list[str]) -> bool:
    return bool(found) and set(found) <= set(PARTS) and len(set(found)) == len(found)


def run(values: flags.FlagValues) -> None:
    opened = open_run(values.run_dir, values.checkpoint)
    is_page = values.format == WEB
    out = new_folder(values.out, opened.folder / ("page" if is_page else "export"))
    precision = values.precision or ("int8" if is_page else "float32")
    _check_flags(values, precision)
    tf = load_tensorflow()
    use_one_thread(tf)
    from ..shipping.card import as_rows
    from ..shipping.export import export
    from ..shipping.runtime import find_runtime
    from ..shipping.trial import make_trial
    from ..shipping.web import write_page

    given = groups.read_given_data(values)
    model = opened.model()
    person = ask_person(model, values.person)
    runtime = find_runtime(values.runtime) if is_page else None
    trial = make_trial(model, lambda split: opened.source(split, given), tell_person(model, person), values.count)
    with files.whole_folder(out) as folder:
        if runtime:
            results = write_page(opened, trial, given, precision, values.max_psnr_loss, runtime, folder)
        else:
            results = export(opened, trial, values.format, precision, values.part, values.max_psnr_loss, folder)
    print(markdown_table(as_rows(results)))
    print(f"{out / 'index.html' if is_page else out}: {opened.folder.absolute().name}{as_person(person)}")


def _check_flags(values: flags.FlagValues, precision: str) -> None:
    """Raises UsageError where a package is missing, or flags do not go together, before anything is loaded."""
    is_page = values.format == WEB
    for name, is_of_page in (("runtime", True), ("part", False)):
        if values[name].present and is_page != is_of_page:
            raise UsageError(f"--{name} does nothing {'without' if is_of_page else 'with'} --format={WEB}")
    try:
        FORMATS["onnx" if is_page else values.format].check(precision)
    except ExportError as error:
        raise UsageError(f"--format={values.format} {error}") from error
