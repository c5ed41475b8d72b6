"""Look into a run's latent space: traversals, histograms, projections, disentanglement."""

import json
from typing import Any

from absl import flags

from ... import files
from ...datasets.source import SPLITS, DatasetError, Source, with_attributes
from ..backend import load_tensorflow
from ..codes.analysis import MOST_POINTS, analyse_codes, check_codes, describe_shape, report
from ..codes.kept import CodeKeeper
from ..codes.survey import survey
from ..flags import groups, kinds
from ..flags.kinds import read_given
from ..folders import new_folder
from ..runs.folder import find_logs
from ..runs.run import open_run

LEAST_EXAMPLES = 10
# Ten for each of the 43 factors of drawn faces. By three draws of so many groups of 100 the VAE that ships scores 0.10,
# 0.08 and 0.10; by twice as many of 32, in the same time, 0.03 to 0.05, hardly more than the 0.02 of guessing.
GROUPS = 430
WORDS = ("run_dir",)  # flags that words without dashes are meant as


def define_flags(values: flags.FlagValues) -> None:
    groups.define_run_dir(values)
    flags.DEFINE_enum("split", "test", SPLITS, "Split to encode.", flag_values=values)
    kinds.define_number(values, "count", None, "Only the first examples of the split.", LEAST_EXAMPLES)
    text = "Attribute that colours the projections; the one that most nearly half of the faces have if absent."
    flags.DEFINE_string("attribute", None, text, flag_values=values)
    text = "Also measure disentanglement where the true factors are known, which takes minutes."
    flags.DEFINE_bool("disentanglement", True, text, flag_values=values)
    kinds.define_number(values, "groups", GROUPS, "Groups of faces drawn for the FactorVAE score.", 10)
    kinds.define_path(values, "out", "Folder for what is found (RUN/analysis).")
    groups.define_data_flags(values)


def run(values: flags.FlagValues) -> None:
    opened = open_run(values.run_dir, values.checkpoint)
    out = new_folder(values.out, opened.folder / "analysis")
    given = read_given(values, groups.DataSettings)
    source = opened.source(values.split, given)
    count = min(values.count or len(source), len(source))
    if count < LEAST_EXAMPLES:
        raise DatasetError(f"{source.name} has {count} examples: fewer than {LEAST_EXAMPLES} say nothing of codes")
    if values.attribute is not None:
        with_attributes(source, [values.attribute])  # or it says which there are

    load_tensorflow()
    from ...pictures.projector import link_projector

    model = opened.model()
    with files.whole_folder(out) as partial:
        faces = survey(model, source, opened.settings.objective.masks, count, MOST_POINTS, CodeKeeper(opened))
        check_codes(faces.codes, opened)
        found: dict[str, Any] = {
            **opened.provenance(values.split, given),
            "count": len(faces.codes),
            "code_shape": list(faces.codes.shape[1:]),
        }
        found |= analyse_codes(
            partial,
            model,
            source,
            faces,
            run_name=opened.folder.name,
            attribute=values.attribute,
            num_groups=values.groups if values.disentanglement else 0,
        )
        files.write_text(partial / "analysis.json", json.dumps(found, indent=2) + "\n")
    log = find_logs(opened.folder)[1]
    if out.parent == opened.folder and log.is_dir() and files.is_below(log, opened.folder):
        link_projector(log, out / "projector")
    print("\n".join([report(found), *_explain_gaps(found, source, values)]))
    print(f"{out}\ntensorboard --logdir {out / 'projector'}")


def _explain_gaps(found: dict[str, Any], source: Source, values: flags.FlagValues) -> list[str]:
    """A sentence for whatever does not apply to this model and data."""
    if "dimensions" not in found:
        return [
            f"A code of {describe_shape(found)} has places, not dimensions that mean something by themselves: no "
            "traversals, histograms, active units or disentanglement; the projector gets principal components."
        ]
    sentences = []
    if "kl" not in found:
        sentences.append("The model is not variational: no KL, and dimensions are ordered by variance.")
    if values.disentanglement and not source.factor_names:
        sentences.append(f"The true factors of {source.name} are not known: no disentanglement.")
    if constant := found.get("constant_factors"):
        sentences.append(f"Factors that do not vary here are not measured: {', '.join(constant)}.")
    return sentences
