"""Judges a code prior on drawn faces by the face network: python judge_prior.py PRIOR [COUNT [GUIDANCE]]

Prints Frechet distances of new faces to COUNT training faces (10,000), in the numbers that the network's heads read;
then in how many of 200 faces drawn with an attribute, and without it, at a GUIDANCE (2), the network sees that.
"""

import sys

import facezoo
import numpy as np
from facezoo.datasets.procedural import procedural_faces
from facezoo.experiments.codes.encoding import decode_codes, encode_source, floats
from facezoo.latents.sampling import fit_mixture
from facezoo.metrics import frechet_distance

prior, judge = facezoo.load(sys.argv[1]), facezoo.load("face_features")
count = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
guidance = float(sys.argv[3]) if len(sys.argv) > 3 else 2.0
asked, names, train, seen = min(count, 200), prior.attributes, procedural_faces("train"), []
parts = [range(start, min(start + 250, count)) for start in range(0, count, 250)]


def draw(count, attributes=None, seed=0):
    noise = np.random.default_rng(seed).standard_normal((count, *prior.code_shape)).astype(np.float32)
    return np.asarray(prior.draw(noise, attributes, guidance if attributes is not None else 1.0))


def look(codes):
    return np.concatenate([judge.trunk(decode_codes(prior.autoencoder, codes[part])) for part in parts])


real = np.concatenate([judge.trunk(floats(train.load(np.array(part))["image"])) for part in parts])
known = encode_source(prior.autoencoder, train, count=count)["codes"]
for name, codes in {"mixture": fit_mixture(known, "", 10).draw(0, count), "flow": draw(count)}.items():
    print(f"{name}: {frechet_distance(look(codes), real):.2f}")
for place, name in enumerate(names):
    shares = []
    for wanted in (1.0, 0.0):
        told = np.where(np.arange(len(names)) == place, wanted, 0.5) * np.ones((asked, 1))
        pictures = decode_codes(prior.autoencoder, draw(asked, told.astype(np.float32), place))
        shares.append(np.mean((np.asarray(judge.read(pictures)["attribute_logits"])[:, place] > 0) == wanted))
    print(f"{name}: with {shares[0]:.0%}, without {shares[1]:.0%}")
    seen.append(shares)
if seen:
    print("all: with {:.0%}, without {:.0%}".format(*np.mean(seen, axis=0)))
