"""What Keras' users do with any model works here: plain pictures, batches in tuples, compile, save, export."""

import inspect
import subprocess
import sys

import facezoo
import keras
import numpy as np
import pytest
import tensorflow as tf
from facezoo.losses import Objective, SquaredError
from facezoo.models import NETWORKS, VAE, AutoencoderGAN, ConditionalVAE, Discriminator, FaceFeatures
from facezoo.models.batches import as_batch

SIZE = 16
WHITE = "numbers outside of"


def images(count=8):
    return np.random.default_rng(0).uniform(0.0, 1.0, (count, SIZE, SIZE, 3)).astype(np.float32)


def tiny(kind=VAE, **arguments):
    return kind(image_size=SIZE, latent_dim=4, filters=(4, 4), **arguments)


def gan():
    model = AutoencoderGAN(autoencoder=tiny(), discriminator=Discriminator(image_size=SIZE, filters=(4, 4)))
    model.compile()
    return model


@pytest.fixture(scope="module")
def compiled():
    model = tiny(capacity=3.0)
    model.compile(keras.optimizers.SGD(1e-4), metrics=["mae"])
    return model


class Batches(keras.utils.PyDataset):
    def __init__(self, data):
        super().__init__()
        self.data = data

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return self.data


def generator(data):
    while True:
        yield data


FORMS = {
    "pictures": images(),
    "a dict": {"image": images()},
    "a dict in a tuple": ({"image": images()},),
    "pictures and pictures": (images(), images()),
}


@pytest.mark.parametrize("data", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("how", [Batches, generator], ids=["PyDataset", "generator"])
def test_it_fits_what_python_yields(compiled, data, how):
    history = compiled.fit(how(data), steps_per_epoch=2, verbose=0, shuffle=False).history
    assert history["reconstruction"][0] > 0


def test_it_fits_and_evaluates_arrays(compiled):
    history = compiled.fit(images(), images(), validation_split=0.5, batch_size=4, verbose=0).history
    assert history["val_loss"][0] > 0
    assert np.isfinite(history["mae"]).all()
    told = dict(zip(compiled.metrics_names, compiled.evaluate(images(), verbose=0), strict=True))
    assert told == pytest.approx(compiled.evaluate({"image": images()}, verbose=0, return_dict=True))
    made = compiled.predict(images(), verbose=0)
    assert {name: value.shape for name, value in made.items()} == {
        "z": (8, 4),
        "mean": (8, 4),
        "log_var": (8, 4),
        "reconstruction": (8, SIZE, SIZE, 3),
    }
    assert told["mae"] == pytest.approx(np.abs(made["reconstruction"] - images()).mean(), rel=1e-4)


def test_single_batches(compiled):
    on_batch = compiled.train_on_batch(images(), return_dict=True)
    assert set(compiled.metrics_names) < set(on_batch)
    assert len(compiled.test_on_batch(images())) == len(compiled.metrics_names)
    assert compiled.predict_on_batch(images())["z"].shape == (8, 4)


def test_what_is_compared_with_may_be_another_picture():
    model = tiny()
    model.compile(objective=Objective({"reconstruction": SquaredError()}, {"reconstruction": 1.0}))
    made = model.predict(images(), verbose=0)["reconstruction"]
    assert model.evaluate(images(), np.zeros_like(images()), verbose=0)[0] == pytest.approx((made**2).mean(), rel=1e-4)


def test_bytes_are_taken_as_what_they_are(compiled):
    as_bytes = np.rint(images() * 255.0).astype(np.uint8)
    as_floats = as_bytes.astype(np.float32) / 255.0
    np.testing.assert_allclose(compiled.encode(as_bytes), compiled.encode(as_floats), atol=1e-5)
    np.testing.assert_allclose(compiled(as_bytes)["z"], compiled({"image": as_floats})["z"], atol=1e-5)
    assert compiled.evaluate(as_bytes, verbose=0)[0] == pytest.approx(compiled.evaluate(as_floats, verbose=0)[0], 1e-4)


WRONG = {
    "white is 255": images() * 255.0,
    "black is -1": images() * 2.0 - 1.0,
}


@pytest.mark.parametrize("data", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize(
    "method", ["fit", "evaluate", "predict", "train_on_batch", "test_on_batch", "encode", "__call__"]
)
def test_other_numbers_are_refused_in_one_line(compiled, method, data):
    with pytest.raises(ValueError, match=WHITE) as error:
        getattr(compiled, method)(data)
    assert "\n" not in str(error.value)


def test_they_are_refused_in_data_sets_too(compiled):
    with pytest.raises(ValueError, match=WHITE) as error:
        compiled.fit(tf.data.Dataset.from_tensors(images() * 255.0), verbose=0, shuffle=False)
    assert "\n" not in str(error.value)


def test_every_encoder_takes_bytes_and_refuses_other_numbers():
    for model in (tiny(ConditionalVAE), FaceFeatures(image_size=32)):
        pictures = np.full((1, model.image_size, model.image_size, 3), 128, np.uint8)
        read = getattr(model, "encode", None) or model.read
        read(pictures)
        with pytest.raises(ValueError, match=WHITE):
            read(pictures.astype(np.float32))


def test_what_is_no_batch_is_named():
    with pytest.raises(ValueError, match="needs 'image'"):
        as_batch({"picture": images()})
    with pytest.raises(ValueError, match="int64: give uint8"):
        as_batch(images().astype(np.int64))
    with pytest.raises(ValueError, match=r"y must be pictures of the shape \(8, 16, 16, 3\)"):
        as_batch((images(), np.zeros(8)))
    with pytest.raises(ValueError, match="sample_weight"):
        as_batch((images(), images(), np.ones(8)))
    assert as_batch((images(), {"identity": np.zeros(8)})).keys() == {"image", "identity"}


def test_a_column_that_a_term_lacks_is_named():
    model = FaceFeatures(image_size=32)
    model.compile()
    with pytest.raises(ValueError, match="'identity' reads 'identity'; the batch has image"):
        model.fit(np.zeros((2, 32, 32, 3), np.float32), verbose=0)


@pytest.mark.parametrize("options", [{"run_eagerly": True}, {"steps_per_execution": 2}, {"jit_compile": True}], ids=str)
def test_compile_takes_keras_options(options):
    model = tiny()
    model.compile(**options)
    assert np.isfinite(model.fit(images(), batch_size=4, verbose=0).history["loss"][0])
    (name,) = options
    assert getattr(model, name) == options[name]


def test_a_loss_of_keras_is_refused():
    with pytest.raises(ValueError, match="takes the place of Keras' loss"):
        tiny().compile("adam", "mse")
    with pytest.raises(ValueError, match="makes no pictures"):
        FaceFeatures(image_size=32).compile(metrics=["mae"])


def test_metrics_are_of_a_gan_and_of_good_steps_only(tmp_path):
    model = gan()
    model.compile(metrics=[keras.metrics.MeanSquaredError(name="squares")])
    assert model.train_on_batch(images(), return_dict=True)["squares"] > 0
    before = model.train_on_batch(np.full_like(images(), np.nan), return_dict=True)["squares"]
    assert np.isfinite(before)
    model.save(tmp_path / "gan.keras")
    assert "squares" in facezoo.load(tmp_path / "gan.keras").metrics_names


def test_a_metric_that_takes_memory_is_not_loaded(tmp_path):
    model = tiny()
    model.compile(metrics=[keras.metrics.MeanIoU(num_classes=2)])
    model.save(tmp_path / "model.keras")
    with pytest.raises(Exception, match=r"keras.metrics.MeanIoU, which is no part"):
        facezoo.load(tmp_path / "model.keras")


EXPORTED = {
    "a trained model": lambda: tiny(),
    "its encoder": lambda: tiny().encoder,
    "an encoder that is told attributes": lambda: tiny(ConditionalVAE).encoder,
    "what trains against a discriminator": lambda: gan(),
    "a discriminator": lambda: Discriminator(image_size=SIZE, filters=(4, 4)),
}


@pytest.mark.parametrize("make", EXPORTED.values(), ids=EXPORTED)
def test_it_is_exported(make, tmp_path):
    model = make()
    model.export(tmp_path / "saved", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "saved"))
    if isinstance(model, VAE):
        np.testing.assert_allclose(
            served.serve(images())["reconstruction"], model(images())["reconstruction"], atol=1e-5
        )
    assert (tmp_path / "saved" / "saved_model.pb").exists()


def test_it_is_exported_to_litert_without_checks(tmp_path):
    tiny().export(tmp_path / "model.tflite", format="litert", verbose=False)
    assert b"Assert" not in (tmp_path / "model.tflite").read_bytes()


@keras.saving.register_keras_serializable("tests")
class Variant(VAE):
    """Hands everything on but its own argument."""

    def __init__(self, *, extra=3, **options):
        super().__init__(**options)
        self.extra = extra


@keras.saving.register_keras_serializable("tests")
class Forgetful(VAE):
    def __init__(self, *, extra=3, **options):
        super().__init__(**options)


def test_a_subclass_that_hands_options_on_is_saved(tmp_path):
    model = Variant(extra=5, image_size=SIZE, latent_dim=4, filters=(4, 4))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.get_config() == model.get_config()
    assert loaded.extra == 5
    assert {*inspect.signature(Variant).parameters} == {"extra", *inspect.signature(VAE).parameters}
    with pytest.raises(ValueError, match=r"Forgetful does not keep its argument 'extra'.* set self.extra"):
        Forgetful(image_size=SIZE, latent_dim=4, filters=(4, 4)).get_config()


def in_python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("imports", ["facezoo, keras", "keras, facezoo"])
def test_keras_loads_what_facezoo_has_not_imported_yet(imports, tmp_path):
    tiny().save(tmp_path / "model.keras")
    done = in_python(
        f"import {imports}, sys\nassert 'facezoo.models' not in sys.modules\n"
        f"print(type(keras.models.load_model({str(tmp_path / 'model.keras')!r})).__name__)"
    )
    assert done.stdout.split() == ["VAE"], done.stderr


def test_keras_is_told_of_every_network():
    networks = {*NETWORKS.values(), AutoencoderGAN, Discriminator}
    assert set(facezoo._Models.names) == {network.__name__ for network in networks}


def test_python_runs_it_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "facezoo", "--version"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == f"facezoo {facezoo.__version__}\n"
