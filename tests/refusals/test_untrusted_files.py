"""Files that somebody has made in bad faith: nothing in them is executed, followed or written elsewhere."""

import base64
import hashlib
import io
import json
import marshal
import os
import zipfile

import facezoo
import h5py
import keras
import numpy as np
import pytest
from command_line import VAE_FLAGS, assert_refused, photographs_in
from facezoo.experiments.errors import UsageError
from facezoo.models import DFCVAE, VAE, load_pretrained
from facezoo.models.pretrained import read_card, save_pretrained


@pytest.fixture
def model_file(tmp_path):
    path = tmp_path / "model.keras"
    VAE(image_size=32, filters=(4, 4), latent_dim=2).save(path)
    return path


def rewritten(path, change):
    """The model file with another configuration."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    members["config.json"] = json.dumps(change(config)).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def function(module, name):
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


def lambda_layer(marker):
    code = compile(f"lambda x: open({str(marker)!r}, 'w') and x", "<lambda>", "eval").co_consts[0]
    packed = base64.b64encode(marshal.dumps(code)).decode()
    layer = {"name": "attack", "function": {"class_name": "__lambda__", "config": {"code": packed}}}
    return {"module": "keras.layers", "class_name": "Lambda", "config": layer, "registered_name": None}


def call(module, name, *arguments):
    """A layer whose making calls a function by its name."""
    config = {"function": function(module, name), "arguments": list(arguments)}
    return {"module": "keras.layers", "class_name": "Lambda", "config": config, "registered_name": None}


ATTACKS = {
    "python code": lambda marker: lambda_layer(marker),
    "a function of the system": lambda marker: call("os", "system", f"touch {marker}"),
    "a class of Python": lambda marker: {"module": "subprocess", "class_name": "Popen", "config": {"args": ["touch"]}},
    "a download": lambda marker: call("keras.utils", "get_file", "x", "http://127.0.0.1:9/x"),
    "unsafe loading": lambda marker: call("keras.config", "enable_unsafe_deserialization"),
    "a function under our name": lambda marker: (
        function("keras.utils", "get_file") | {"registered_name": "facezoo>VAE"}
    ),
    "a function of the optimizers": lambda marker: function("keras.optimizers", "get"),
    "a class without a module": lambda marker: {"class_name": "Lambda", "config": {}},
    "a file elsewhere": lambda marker: {
        "module": "keras.layers",
        "class_name": "StringLookup",
        "config": {"vocabulary": "/etc/hostname"},
    },
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
@pytest.mark.parametrize("place", ["whole", "argument", "compiled"])
def test_a_configuration_that_names_anything_else_is_refused(model_file, tmp_path, attack, place):
    foreign = attack(tmp_path / "marker")

    def change(config):
        if place == "argument":
            config["config"]["kernel_initializer"] = foreign
        else:
            config["compile_config"] = {"optimizer": [foreign]}
        return foreign if place == "whole" else config

    with pytest.raises(UsageError, match=r"no part of facezoo's models|not one of facezoo's") as error:
        facezoo.load(rewritten(model_file, change))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "marker").exists()


def test_a_class_that_only_claims_to_be_facezoo_s_is_refused(model_file):
    def change(config):
        return {"module": "subprocess", "class_name": "Popen", "registered_name": "facezoo>Popen", "config": {}}

    with pytest.raises(UsageError, match="holds a Popen, not one of facezoo's"):
        facezoo.load(rewritten(model_file, change))


@pytest.mark.parametrize(
    "initializer", [None, "he_normal", {"class_name": "HeNormal", "config": {"seed": 1}}, "facenet's"], ids=str
)
def test_our_own_files_are_read(tmp_path, initializer):
    arguments = {"image_size": 32, "filters": (4, 4), "latent_dim": 2}
    if initializer == "facenet's":
        model = DFCVAE(form="plain", image_size=32, latent_dim=2)
    else:
        model = VAE(**arguments, **({"kernel_initializer": initializer} if initializer else {}))
    model.compile(keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(1e-3, 10)))
    model.save(tmp_path / "model.keras")
    assert facezoo.load(tmp_path / "model.keras").get_config() == model.get_config()


def test_a_configuration_of_any_depth_is_answered(model_file):
    def change(config):
        config["config"]["deep"] = "@"
        return config

    path = rewritten(model_file, change)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["config.json"] = members["config.json"].replace(b'"@"', b"[" * 3000 + b"]" * 3000)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(UsageError, match="cannot be read as a model") as error:
        facezoo.load(path)
    assert "\n" not in str(error.value)


def test_an_archive_writes_nothing_outside_of_itself(model_file, tmp_path):
    with zipfile.ZipFile(model_file, "a") as archive:
        archive.writestr("../outside.txt", "attack")
        archive.writestr("/tmp/../" + str(tmp_path) + "/absolute.txt", "attack")
    facezoo.load(model_file)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.keras"]
    assert not (tmp_path.parent / "outside.txt").exists()


def test_a_configuration_that_unpacks_to_very_much_is_refused(model_file):
    with zipfile.ZipFile(model_file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b" " * 20_000_000)
    assert model_file.stat().st_size < 50_000
    with pytest.raises(UsageError, match="more than 10 MB"):
        facezoo.load(model_file)


def resaved(path, change, compression=zipfile.ZIP_STORED):
    """The model file with other weights."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    weights = io.BytesIO(members["model.weights.h5"])
    with h5py.File(weights, "a") as file:
        change(file)
    members["model.weights.h5"] = weights.getvalue()
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def first_kernel(file):
    found = []
    file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
    return found[0]


def declare_much(file):
    """An array that is declared and not stored: four gigabytes in a file of some kilobytes."""
    del file[name := first_kernel(file)]
    file.create_dataset(name, (2**30,), np.float32, chunks=(2**20,))


def point_elsewhere(file):
    del file[name := first_kernel(file)]
    file.create_dataset(name, (64,), np.uint8, external=[("/etc/hostname", 0, 64)])


@pytest.mark.parametrize(
    ("change", "reason"),
    [(declare_much, "of which few are stored"), (point_elsewhere, "another file")],
    ids=["declared", "elsewhere"],
)
def test_arrays_that_are_not_in_the_file_are_not_read(model_file, change, reason):
    with pytest.raises(UsageError, match=reason):
        facezoo.load(resaved(model_file, change))


def test_weights_that_unpack_to_very_much_are_refused(model_file):
    def grow(file):
        file["zeros"] = np.zeros(50_000_000, np.uint8)

    with pytest.raises(UsageError, match="it unpacks to 50,"):
        facezoo.load(resaved(model_file, grow, zipfile.ZIP_DEFLATED))


def test_a_configuration_that_asks_for_more_than_the_file_holds_is_refused(model_file):
    def change(config):
        config["config"]["latent_dim"] = 10_000_000
        return config

    with pytest.raises(UsageError, match=r"its configuration asks for [0-9,]{10,} parameters, it holds [0-9,]{5,9}$"):
        facezoo.load(rewritten(model_file, change))


@pytest.mark.parametrize("name", ["decoder_blocks", "decoder_depth"])
def test_a_configuration_of_more_blocks_than_arrays_is_refused(model_file, name):
    def change(config):
        config["config"][name] = 1_000_000_000
        return config

    with pytest.raises(UsageError, match=f"asks for 1,000,000,000 {name}"):
        facezoo.load(rewritten(model_file, change))


def test_a_name_of_a_megabyte_is_refused(model_file):
    def change(config):
        config["config"]["name"] = "n" * 1_000_000
        return config

    with pytest.raises(UsageError, match="a text in its configuration has 1,000,000 characters"):
        facezoo.load(rewritten(model_file, change))


def test_a_card_that_asks_for_very_much_is_refused(tmp_path):
    save_pretrained(VAE(image_size=32, filters=(4, 4), latent_dim=2), "tiny", {"recipe": "", "data": ""}, tmp_path)
    load_pretrained("tiny", tmp_path)
    card = json.loads((tmp_path / "tiny.json").read_text())
    for name, value in (("latent_dim", 10_000_000), ("name", "n" * 1_000_000)):
        changed = card | {"model": card["model"] | {"config": card["model"]["config"] | {name: value}}}
        (tmp_path / "tiny.json").write_text(json.dumps(changed))
        with pytest.raises(ValueError, match=r"or its card is damaged: (its card's model has|a text in)"):
            load_pretrained("tiny", tmp_path)


def test_weights_of_a_card_that_unpack_to_very_much_are_refused(tmp_path):
    save_pretrained(VAE(image_size=32, filters=(4, 4), latent_dim=2), "tiny", {"recipe": "", "data": ""}, tmp_path)
    np.savez_compressed(tmp_path / "tiny.npz", **{"0000": np.zeros(10**8, np.float16)})
    card = json.loads((tmp_path / "tiny.json").read_text())
    card["sha256"] = hashlib.sha256((tmp_path / "tiny.npz").read_bytes()).hexdigest()
    (tmp_path / "tiny.json").write_text(json.dumps(card))
    with pytest.raises(ValueError, match="it unpacks to 200,000,"):
        load_pretrained("tiny", tmp_path)


def test_the_flags_of_a_run_include_no_other_file(command, copied, tmp_path):
    (tmp_path / "secret").write_text("my password\n")
    flags = (copied / "flags.txt").read_text()
    for line in (f"--flagfile={tmp_path / 'secret'}", f"-flagfile {tmp_path / 'secret'}"):
        (copied / "flags.txt").write_text(flags + line + "\n")
        done = command("evaluate", f"--run_dir={copied}")
        assert_refused(done, "include no other file")
        assert "password" not in done.err


@pytest.mark.parametrize("name", ["manifest.csv", "index.json", "labels.csv", "attributes.npz", "state.json"])
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(command, copied, tmp_path, name):
    folder = tmp_path / "data"
    photographs_in(folder, 8)
    places = {"attributes.npz": copied / name, "state.json": copied / "checkpoints" / "000000008" / name}
    place = places.get(name, folder / name)
    place.unlink(missing_ok=True)
    os.mkfifo(place)
    arguments = {
        "manifest.csv": ["align", f"--in={copied}", f"--out={folder}", f"--landmarks={copied / 'metrics.csv'}"],
        "index.json": ["train", "--dataset=packed", f"--data_dir={folder}", "--run_dir=new"],
        "labels.csv": ["train", "--dataset=folder", f"--data_dir={folder}", f"--labels={place}", "--run_dir=new"],
        "attributes.npz": ["edit", f"--run_dir={copied}", "--image=test:0", "--attribute=smiling"],
        "state.json": ["train", *VAE_FLAGS, "--epochs=3", f"--run_dir={copied}"],
    }
    done = command(*arguments[name])
    if name == "state.json":  # the state before it is taken
        assert done.code == 0
        assert "not a regular file" in done.err
    else:
        assert_refused(done, name, "not a regular file")


def test_flags_beyond_counting_are_refused(command, copied, tmp_path):
    (tmp_path / "many.flags").write_text("--epochs=5\n" * 3000)
    assert_refused(command("train", f"--flagfile={tmp_path / 'many.flags'}"), "more than 2000 flags")
    (copied / "flags.txt").write_text("--epochs=5\n" * 3000)
    assert_refused(command("evaluate", f"--run_dir={copied}"), "more than 2000 flags")


@pytest.mark.parametrize("kind", ["device", "pipe", "large"])
def test_the_flags_of_a_run_are_a_regular_file_of_moderate_size(command, copied, kind):
    path = copied / "flags.txt"
    path.unlink()
    if kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.write_bytes(b"#" * 2_000_000)
    assert_refused(command("evaluate", f"--run_dir={copied}"), "flags.txt")


def test_files_of_flags_that_include_each_other_are_told(command, empty_folder, tmp_path):
    for number in range(26):
        (tmp_path / f"{number}.flags").write_text(f"--flagfile={tmp_path}/{number + 1}.flags\n" * 2)
    (tmp_path / "26.flags").write_text("--epochs=1\n")
    assert_refused(command("train", f"--flagfile={tmp_path}/0.flags"), "more than 100 files of flags")
    (tmp_path / "circle.flags").write_text(f"--flagfile={tmp_path}/circle.flags\n")
    assert_refused(command("train", f"--flagfile={tmp_path}/circle.flags"), "includes itself")


class Attack:
    def __reduce__(self):
        return print, ("executed",)


def test_weights_that_ship_are_read_without_pickle(tmp_path, capsys):
    data = io.BytesIO()
    np.savez(data, attack=np.array([Attack()], object))
    (tmp_path / "vae.npz").write_bytes(data.getvalue())
    card = read_card("vae") | {"sha256": hashlib.sha256(data.getvalue()).hexdigest()}
    (tmp_path / "vae.json").write_text(json.dumps(card))
    with pytest.raises(ValueError, match=r"vae\.npz or its card is damaged") as error:
        load_pretrained("vae", tmp_path)
    assert "\n" not in str(error.value)
    assert "executed" not in capsys.readouterr().out
