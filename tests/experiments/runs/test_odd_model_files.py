"""Model files and vectors whose contents nobody would write by accident: one line each, and never a traceback."""

import facezoo
import numpy as np
import pytest
from command_line import assert_refused, rewrite_config
from facezoo.experiments.training.objective import complete_objective
from facezoo.models import VAE, Discriminator


def evaluated(command, run, change):
    rewrite_config(run / "model.keras", change)
    return command("evaluate", f"--run_dir={run}", "--count=8")


@pytest.mark.parametrize("factors", [None, {}, {"reconstruction": -1}, {"reconstruction": None}], ids=str)
def test_impossible_factors_are_refused(copied, command, factors):
    done = evaluated(command, copied, lambda config: config["compile_config"].update(factors=factors))
    assert_refused(done, "model.keras cannot be read as a model")


def test_an_unknown_term_is_left_out_with_a_word(copied, command):
    factors = {"reconstruction": 1.0, "nope": 2.0}
    done = evaluated(command, copied, lambda config: config["compile_config"].update(factors=factors))
    assert done.code == 0, done.err
    assert "nope is not measured, nor is loss: no term 'nope' is known" in done.err


def test_a_term_that_the_data_cannot_give_is_left_out_with_a_word(copied, command):
    rewrite_config(copied / "model.keras", lambda config: config["compile_config"].update(factors={"landmark": 1.0}))
    done = command("evaluate", f"--run_dir={copied}", "--dataset=procedural_faces", "--count=8")
    assert "landmark" in done.out
    done = command("evaluate", f"--run_dir={copied}", "--dataset=digits", "--count=8")
    assert "landmark is not measured" in done.err
    assert "Traceback" not in done.err


def test_a_model_that_was_never_compiled_is_measured_as_its_flags_say(copied, command):
    def uncompile(config):
        config["compile_config"] = None

    done = evaluated(command, copied, uncompile)
    assert done.code == 0, done.err
    assert "loss" in done.out


@pytest.mark.parametrize("name", ["\x1b[31mred", "a b", "/root", "-", ""])
def test_a_name_that_is_none_is_refused(copied, command, name):
    done = evaluated(command, copied, lambda config: config["config"].update(name=name))
    if name:
        assert_refused(done, "cannot be read as a model", "name=")
        assert "\x1b" not in done.err
    for make in (VAE, Discriminator):
        with pytest.raises(ValueError, match="name="):
            make(image_size=16, filters=(4, 4), name=name)


def test_weights_that_are_no_numbers_are_told_of(copied, command):
    model = facezoo.load(copied)
    model.set_weights([weight * np.nan for weight in model.get_weights()])
    model.save(copied / "model.keras")
    done = command("evaluate", f"--run_dir={copied}", "--count=8")
    assert "not all weights are finite numbers" in done.err


@pytest.mark.parametrize("shape", [(1, 5), (1, 2, 2), (1,)], ids=str)
def test_vectors_of_another_shape_are_refused(copied, command, shape):
    path = copied / "attributes.npz"
    assert command("attributes", f"--run_dir={copied}", "--count=200", "--attributes=smiling").code == 0
    with np.load(path) as found:
        arrays = dict(found)
    np.savez(path, **{name: np.ones(shape) if name.startswith("vectors/") else rows for name, rows in arrays.items()})
    done = command("edit", f"--run_dir={copied}", "--image=test:0", "--attribute=smiling")
    assert_refused(done, f"vectors of shape {shape[1:]} do not fit codes of shape (4,)")
    assert not (copied / "edits").exists()


def test_a_number_is_no_face(finished, command):
    done = command("morph", f"--run_dir={finished}", "--start=0", "--end=test:1", "--out=new")
    assert_refused(done, "0: no such file; a face of the run's data is test:0")


def test_a_published_network_is_completed(model, finished):
    from facezoo.experiments.runs.run import open_run

    run = open_run(finished)
    bare = VAE.from_config(model.get_config())
    complete_objective(bare, run.settings, run.source("test"))
    assert bare.objective.factors == model.objective.factors
