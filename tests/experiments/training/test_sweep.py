"""The trainings that a file tells of."""

import pytest
from facezoo.experiments.errors import UsageError
from facezoo.experiments.flags.parsing import RECIPES, recipes
from facezoo.experiments.training.sweep import read_sweep, read_targets


def sweep_of(tmp_path, text):
    path = tmp_path / "sweep.toml"
    path.write_text(text, encoding="utf-8")
    return read_sweep(path)


def test_a_grid_is_every_value_with_every_other_and_single_runs_come_besides(tmp_path):
    text = (
        'flags = ["--epochs=1"]\n[grid]\nlatent_dim = [4, 8]\nflip = [true, false]\n'
        '[[runs]]\nname = "cae"\nflags = ["--model=cae"]\n'
    )
    trials = sweep_of(tmp_path, text)
    assert [trial.name for trial in trials] == [
        "latent_dim=4,flip=true",
        "latent_dim=4,flip=false",
        "latent_dim=8,flip=true",
        "latent_dim=8,flip=false",
        "cae",
    ]
    assert trials[1].arguments == ("--epochs=1", "--latent_dim=4", "--flip=false")
    assert trials[-1].arguments == ("--epochs=1", "--model=cae")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "0 runs"),
        ("flags = 3\n[[runs]]\nname = 'a'", "flags must be a list of texts"),
        ("grid = 3", "grid must be a table of lists"),
        ("[grid]\nepochs = 3", "grid must be a table of lists"),
        ("[grid]\nepochs = []", "grid must be a table of lists"),
        ("runs = 1", "runs must be tables"),
        ("[[runs]]\nname = '../a'", "must be made of letters"),
        ("[[runs]]\nname = '..'", "must be made of letters"),
        ("[[runs]]\nflags = []", "must be made of letters"),
        ("[[runs]]\nname = 'a'\nflag = []", "'flag' of the run a"),
        ("[[runs]]\nname = 'a'\n[[runs]]\nname = 'a'", "two runs are called a"),
        ("[[runs]]\nname = 'a'\nflags = ['--run_dir=b']", "a folder of its own"),
        ("[grid]\nno_such_flag = [1]", "no_such_flag"),
        ("[grid]\ndry_run = [true]", "nothing would be trained"),
        ("flags = ['--dry_run']\n[[runs]]\nname = 'a'", "nothing would be trained"),
        ("[[runs]]\nname = 'a'\n[[runs]]\nname = 'A'", "two runs are called a"),
        ("[[runs]]\nname = 'Sweep.toml'", "no run can be called Sweep.toml"),
        ("[[runs]]\nname = '" + 201 * "a" + "'", "no run can be called aaa"),
        ("[grid]\nepochs = [-1]", "epochs"),
        ("[gird]\nepochs = [1]", "'gird' is none of flags, grid, runs"),
        ("[grid]\nepochs = [1" + ",1" * 1000 + "]", "1001 runs"),
        ("[grid", "--file="),
        ("[[runs]]\nname = 'a'\nflags = ['--data_dir=${NO_SUCH}']", "the variable NO_SUCH is not set"),
    ],
)
def test_what_tells_of_no_trainings_is_refused_in_one_line(tmp_path, text, said):
    with pytest.raises(UsageError) as refusal:
        sweep_of(tmp_path, text)
    assert said in str(refusal.value)
    assert str(refusal.value).startswith("--file=")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        read_sweep(tmp_path / "none.toml")


def test_a_variable_stands_for_what_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("FACES", "/my faces")
    (trial,) = sweep_of(tmp_path, "[[runs]]\nname = 'a'\nflags = ['--data_dir=${FACES}/one', '--dataset=folder']")
    assert trial.arguments == ("--data_dir=/my faces/one", "--dataset=folder")


def test_targets_are_texts_by_measure(tmp_path):
    path = tmp_path / "sweep.toml"
    path.write_text("[[runs]]\nname = 'a'\n[targets.'a paper']\npsnr = '> 30'\n")
    assert read_targets(path) == {"a paper": {"psnr": "> 30"}}
    for text in ("targets = 3", "[targets]\na = 3", "[targets.a]\npsnr = 30"):
        path.write_text(text)
        with pytest.raises(UsageError, match="target"):
            read_targets(path)


def test_the_sweep_of_the_zoo_is_of_every_recipe_but_those_for_a_few_pictures_of_one_s_own(monkeypatch):
    for name, value in {"FACES": "faces", "CROP": "8,18,74,74", "VGG19": "imagenet", "ZOO": "zoo"}.items():
        monkeypatch.setenv(name, value)
    runs = [trial.name for trial in read_sweep(RECIPES / "zoo.toml")]
    others = {"demo", "face_features", "photographs", "photographs_128", "mapping_photographs"}
    assert set(runs) == set(recipes()) - others
    assert runs.index("vae") < runs.index("vae_perceptual")  # which goes on from it
    assert read_targets(RECIPES / "zoo.toml")
