"""What the weights that ship are good for, judged by the face network that ships with them."""

import numpy as np
import pytest
import tensorflow as tf
from facezoo.datasets.procedural import procedural_faces, procedural_people
from facezoo.experiments.training.objective import EXPRESSION
from facezoo.metrics import face_reading, psnr
from facezoo.metrics.face_reading import column_correlations, nearest_person
from facezoo.models import load_pretrained, pretrained_names

DECIBELS = {
    "vae": 26.0,
    "vae_perceptual": 26.0,
    "cae": 34.0,
    "appearance_vae": 25.8,
    "appearance_vae_128": 25.2,
    "diffusion_autoencoder": 26.0,
    "diffusion_autoencoder_128": 25.5,
}
KEPT = ("smile", "mouth_open", "eyes_open", "yaw")
GALLERY_PEOPLE, GALLERY_PICTURES = 100, 10


@pytest.fixture(scope="module")
def judge():
    return load_pretrained("face_features")


def images_of(examples):
    return examples["image"].astype(np.float32) / 255.0


def read(judge, images):
    portions = [judge.read(images[start : start + 100]) for start in range(0, len(images), 100)]
    return {name: np.concatenate([portion[name] for portion in portions]) for name in portions[0]}


def test_the_face_network_reads_people_whom_it_has_not_seen(judge):
    source = procedural_faces("test")
    examples = source.load(np.arange(500))
    choices = [choices for _, _, choices in source.factor_ranges]
    seen = face_reading(examples, read(judge, images_of(examples)), source.landmark_names, choices)
    assert seen["identity_rank_1"] > 0.95
    assert seen["attribute_accuracy"] > 0.92
    assert seen["landmark_error"] < 5.0
    assert seen["choice_accuracy"] > 0.95


@pytest.mark.parametrize("person", [0, 1])
def test_the_face_network_reads_of_one_person_what_codes_are_to_tell(judge, person):
    people = procedural_people("test")
    examples = people.load(np.arange(person, 600, 2))
    columns = [people.factor_names.index(name) for name in EXPRESSION]
    seen = np.asarray(judge.factor_network(EXPRESSION)(images_of(examples)))
    correlations = column_correlations(examples["factors"][:, columns], seen)
    assert (correlations > 0.8).all(), dict(zip(EXPRESSION, correlations, strict=True))


@pytest.mark.parametrize("name", sorted(DECIBELS.keys() & set(pretrained_names())))
def test_autoencoders_reconstruct_faces_that_they_have_not_seen(name):
    model = load_pretrained(name)
    images = images_of(procedural_faces("test", image_size=model.image_size).load(np.arange(0, 2000, 20)))
    assert np.mean(psnr(images, model.decode(model.encode(images)))) > DECIBELS[name]


@pytest.mark.parametrize("name", ["smiling", "eyeglasses", "beard", "gray_hair"])
@pytest.mark.parametrize("prior", ["code_prior", "code_prior_128"])
def test_faces_have_the_attributes_that_the_prior_is_asked_for(judge, name, prior):
    prior = load_pretrained(prior)
    place = prior.attributes.index(name)
    told = np.full((200, len(prior.attributes)), 0.5, np.float32)
    told[:, place] = wanted = np.arange(200) % 2
    noise = np.random.default_rng(0).standard_normal((200, *prior.code_shape)).astype(np.float32)
    drawn = prior.autoencoder.decode(prior.draw(noise, told, 2.0))
    looked_at = tf.image.resize(drawn, (judge.image_size, judge.image_size), "area").numpy()
    seen = read(judge, looked_at)["attribute_logits"][:, place] > 0
    assert np.mean(seen == wanted) > 0.9


@pytest.mark.skipif("face_mapping" not in pretrained_names(), reason="no face mapping ships yet")
def test_mapped_faces_are_the_target_and_keep_the_expression(judge):
    """400 test pictures of person_0, mapped onto person_1, among 100 people."""
    model = load_pretrained("face_mapping")
    people = procedural_people("test")
    sources = images_of(people.load(np.arange(0, 800, 2)))
    mapped = np.concatenate([model.map_faces(sources[start : start + 100]) for start in range(0, 400, 100)])

    everybody = procedural_people("validation", people=GALLERY_PEOPLE)
    gallery = images_of(everybody.load(np.arange(GALLERY_PEOPLE * GALLERY_PICTURES)))
    embeddings = read(judge, gallery)["embedding"].reshape(GALLERY_PICTURES, GALLERY_PEOPLE, -1).swapaxes(0, 1)
    before, after = read(judge, sources), read(judge, mapped)
    nearest = nearest_person(after["embedding"], embeddings)
    assert np.mean(nearest == model.people.index("person_1")) >= 0.95

    columns = [people.factor_names.index(name) for name in KEPT]
    correlations = column_correlations(before["factors"][:, columns], after["factors"][:, columns])
    assert (correlations > 0.9).all(), dict(zip(KEPT, correlations, strict=True))
