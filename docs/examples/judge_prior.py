"""Judges a code prior on drawn faces by the face network: python judge_prior.py PRIOR [COUNT [GUIDANCE]]

Prints Frechet distances of new faces to COUNT training faces (10,000), in the numbers that the network's heads read;
then in how many of 200 faces drawn with an attribute, and without it, at a GUIDANCE (2), the network sees that.
"""

import sys

import facezoo
import numpy as np
import tensorflow as tf
from facezoo.datasets.procedural import procedural_faces
from facezoo.experiments.codes.encoding import decode_codes, encode_source, floats
from facezoo.latents.sampling import fit_mixture
from facezoo.metrics import frechet_distance

prior, judge = facezoo.load(sys.argv[1]), facezoo.load("face_features")
count, guidance = (float(text) for text in (*sys.argv[2:], *("10000", "2")[len(sys.argv) - 2 :]))
count, names, shares = int(count), prior.attributes, []
real, train = (procedural_faces("train", image_size=one.image_size) for one in (judge, prior.autoencoder))


def draw(count, attributes=None, seed=0):
    noise = np.random.default_rng(seed).standard_normal((count, *prior.code_shape)).astype(np.float32)
    return np.asarray(prior.draw(noise, attributes, guidance if attributes is not None else 1.0))


def look(codes, read=judge.trunk):
    shown = (decode_codes(prior.autoencoder, codes[at : at + 250]) for at in range(0, len(codes), 250))
    return np.concatenate([read(tf.image.resize(one, real.image_shape[:2], "area")) for one in shown])


faces = [judge.trunk(floats(real.load(part)["image"])) for part in np.array_split(np.arange(count), -(-count // 250))]
known = encode_source(prior.autoencoder, train, count=count)["codes"]
for title, codes in {"mixture": fit_mixture(known, "", 10).draw(0, count), "flow": draw(count)}.items():
    print(f"{title}: {frechet_distance(look(codes), np.concatenate(faces)):.2f}")
for place, name in enumerate(names):
    told = np.full((2, min(count, 200), len(names)), 0.5, np.float32)
    told[..., place] = [[1.0], [0.0]]
    seen = [look(draw(len(one), one, place), lambda faces: judge.read(faces)["attribute_logits"]) > 0 for one in told]
    shares.append([np.mean(seen[0][:, place]), 1.0 - np.mean(seen[1][:, place])])
    print("{}: with {:.0%}, without {:.0%}".format(name, *shares[-1]))
if shares:
    print("all: with {:.0%}, without {:.0%}".format(*np.mean(shares, axis=0)))
