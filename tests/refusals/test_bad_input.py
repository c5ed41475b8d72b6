"""A table of bad input: every row gets exit code 2 and a short message that names the culprit, and leaves no trace."""

import contextlib
import hashlib
import io
import json
import os
import re
import shlex
import shutil
import stat
import struct
import sys
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

import filelock
import h5py
import keras
import numpy as np
import pytest
from facezoo import files
from facezoo.datasets.packing import write_pack
from facezoo.datasets.source import Source
from facezoo.experiments import cli
from facezoo.experiments.training import run as training_run
from facezoo.models import VAE, FaceFeatures, FaceMapping, pretrained
from PIL import Image

MOST_LINES = 6
# The flags of the smallest run, without --epochs and with.
SMALL = "--image_size=32 --set=filters=8,8 --latent_dim=4 --batch_size=8 --steps_per_epoch=2 --validation_steps=1"
TINY = f"{SMALL} --epochs=1"
# The files of a checkpoint, and VGG's first convolutions.
FILES = {"model": "model.keras", "state": "state.json"}
VGG = ("block1_conv1", "block1_conv2", "block2_conv1", "block2_conv2", "block3_conv1", "block3_conv2")


class Case(NamedTuple):
    """A row of the table.

    Attributes:
      id: what is wrong.
      arguments: the command line as a shell reads it; @ stands for the folder of the materials.
      fragments: what the message must hold.
      cards: which folder of cards of the materials stands in for the weights that ship; "" leaves those.
    """

    id: str
    arguments: str
    fragments: tuple[str, ...]
    cards: str = ""


def not_for_root(case):
    """A row about permissions, which do not bind the superuser."""
    return pytest.param(case, marks=pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may do everything"))


def table(rows):
    return pytest.mark.parametrize("case", rows, ids=lambda case: case.id)


# Commands, and what every one of them refuses.

COMMANDS = [
    Case("misspelt", "trian --model=vae", ("'trian'", "did you mean 'train'")),
    Case("upper-case", "TRAIN --model=vae", ("'TRAIN'", "train, evaluate")),
    Case("empty", "''", ("no command ''", "train, evaluate")),
    Case("blank", "' '", ("' '", "train, evaluate")),
    Case("number", "7", ("'7'", "train, evaluate")),
    Case("two-in-one", "train,evaluate", ("'train,evaluate'", "train, evaluate")),
    Case("not-ascii", "entraîner", ("'entraîner'", "train, evaluate")),
    Case("not-there", "paint --run_dir=@/run", ("'paint'", "train, evaluate")),
    Case("flag-first", "--model=vae train", ("'--model=vae'", "train, evaluate")),
    Case("flag-file-first", "--flagfile=@/run/flags.txt", ("--flagfile", "train, evaluate")),
    Case("recipe-first", "--recipe=vae", ("'--recipe=vae'", "train, evaluate")),
    Case("single-dash", "-v", ("'-v'", "train, evaluate")),
]

UNKNOWN_FLAGS = [
    Case("train", "train --modle=vae", ("modle", "Did you mean: model")),
    Case("evaluate", "evaluate --run_dir=@/run --splt=test", ("splt", "split")),
    Case("analyse", "analyse --run_dir=@/run --atribute=smiling", ("atribute", "attribute")),
    Case("morph", "morph --run_dir=@/run --start=test:0 --end=test:1 --frames=5", ("frames",)),
    Case("encode", "encode --run_dir=@/run --in=@/pictures --output=a.npz", ("output",)),
    Case("swap", "swap --run_dir=@/mapping --in=@/people --to=bob --out=new --pasted", ("pasted", "paste")),
    Case("explore", "explore --run_dir=@/run --prot=7860", ("prot", "port")),
    Case("publish", "publish --run_dir=@/run --name=tiny --recipe_name=vae", ("recipe_name",)),
    Case("pack", "pack --in=@/pictures --out=new --image_size=32", ("image_size",)),
    Case("datasets", "datasets --shows=digits", ("shows", "show")),
    Case("models", "models --verbose", ("verbose",)),
    Case("upper-case", "train --Model=vae", ("Model", "model")),
    Case("negated-number", "train --noepochs", ("noepochs",)),
    Case("negated-text", "evaluate --run_dir=@/run --nodataset", ("nodataset",)),
    Case("of-another-command", "evaluate --run_dir=@/run --epochs=3", ("epochs",)),
    Case("of-train-for-models", "models --model=vae", ("model",)),
    Case("without-name", "train --=3", ("=3",)),
    Case("recipe-for-evaluate", "evaluate --run_dir=@/run --recipe=vae", ("--recipe",)),
]

WORDS = [
    Case("train", "train vae", ("'vae'", "--flag=value")),
    Case("evaluate", "evaluate --run_dir=@/run extra", ("'extra'", "--flag=value")),
    Case("analyse", "analyse --run_dir=@/run smiling", ("'smiling'", "--flag=value")),
    Case("morph", "morph a.jpg b.jpg --run_dir=@/run --start=test:0 --end=test:1", ("'a.jpg'", "--flag=value")),
    Case("encode", "encode --run_dir=@/run --in=@/pictures codes.npz", ("'codes.npz'", "--flag=value")),
    Case("swap", "swap --run_dir=@/mapping --in=@/people --to=bob --out=new bob", ("'bob'", "--flag=value")),
    Case("explore", "explore --run_dir=@/run 7860", ("'7860'", "--flag=value")),
    Case("publish", "publish --run_dir=@/run --name=tiny weights", ("'weights'", "--flag=value")),
    Case("pack", "pack @/pictures --in=@/pictures --out=new", ("'@/pictures'", "--flag=value")),
    Case("datasets", "datasets digits", ("'digits'", "--flag=value")),
    Case("models", "models vae", ("'vae'", "--flag=value")),
    Case("after-two-dashes", "train -- --epochs=3", ("'--epochs=3'", "--flag=value")),
    Case("blank", "train ' '", ("' '", "--flag=value")),
    Case("dash", "train -", ("'-'", "--flag=value")),
]

MISSING_FLAGS = [
    Case("evaluate", "evaluate", ("--run_dir", "required")),
    Case("analyse", "analyse --out=new", ("--run_dir", "required")),
    Case("morph", "morph --start=test:0 --end=test:1 --method=code", ("--method=code", "--run_dir")),
    Case("encode", "encode --in=@/pictures", ("--run_dir", "required")),
    Case("swap", "swap --in=@/people --to=bob --out=new", ("--run_dir", "required")),
    Case("explore", "explore --checkpoint=best", ("--checkpoint", "without --run_dir")),
    Case("publish", "publish --name=tiny", ("--run_dir", "required")),
    Case("empty-run", "evaluate --run_dir=", ("--run_dir", "required")),
    Case("run-without-value", "evaluate --run_dir", ("run_dir",)),
    Case("start", "morph --run_dir=@/run --end=test:0", ("--start", "required")),
    Case("end", "morph --run_dir=@/run --start=test:0", ("--end", "required")),
    Case("empty-end", "morph --run_dir=@/run --start=test:0 --end=", ("--end", "required")),
    Case("in", "encode --run_dir=@/run", ("--in", "required")),
    Case("empty-in", "encode --run_dir=@/run --in=", ("--in", "required")),
    Case("swap-in", "swap --run_dir=@/mapping --to=bob --out=new", ("--in", "required")),
    Case("to", "swap --run_dir=@/mapping --in=@/people --out=new", ("--to", "required")),
    Case("empty-to", "swap --run_dir=@/mapping --in=@/people --to= --out=new", ("--to", "required")),
    Case("out", "swap --run_dir=@/mapping --in=@/people --to=bob", ("--out", "required")),
    Case("pack-in", "pack --out=new", ("--in", "required")),
    Case("pack-out", "pack --in=@/pictures", ("--out", "required")),
    Case("pack-empty-out", "pack --in=@/pictures --out=", ("--out", "required")),
    Case("empty-name", "publish --run_dir=@/run --name=", ("--name=", "letters")),
]

FLAG_FILES = [
    Case("missing", "train --flagfile=nowhere.flags", ("nowhere.flags",)),
    Case("without-name", "train --flagfile=", ("--flagfile",)),
    Case("without-name-after-a-blank", "train --flagfile ''", ("--flagfile",)),
    Case("folder", "train --flagfile=@/pictures", ("@/pictures",)),
    Case("picture", "train --flagfile=@/pictures/000.jpg", ("--flagfile", "not a text")),
    Case("words", "train --flagfile=@/flags/words.flags", ("'dear'", "--flag=value")),
    Case("unknown-flag", "train --flagfile=@/flags/unknown.flags", ("no_such_flag",)),
    Case("bad-value", "train --flagfile=@/flags/bad_value.flags", ("--epochs", "whole number")),
    Case("missing-in-it", "train --flagfile=@/flags/nested.flags", ("nowhere.flags",)),
    Case("of-evaluate", "train --flagfile=@/flags/evaluate.flags", ("vgg19_weights",)),
    Case("unknown-recipe", "train --recipe=nope", ("--recipe=nope", "vae")),
    Case("recipe-without-name", "train --recipe=", ("--recipe=", "vae")),
    Case("recipe-by-path", "train --recipe=../recipes/vae", ("--recipe=../recipes/vae", "conditional_vae")),
    Case("recipe-with-ending", "train --recipe=vae.flags", ("--recipe=vae.flags", "conditional_vae")),
]

# Values of train's flags.

TRAIN_VALUES = [
    Case("epochs-zero", "train --epochs=0", ("--epochs", "whole number of at least 1")),
    Case("epochs-negative", "train --epochs=-1", ("--epochs", "whole number of at least 1")),
    Case("epochs-fraction", "train --epochs=1.5", ("--epochs", "whole number of at least 1")),
    Case("epochs-exponent", "train --epochs=1e3", ("--epochs", "whole number of at least 1")),
    Case("epochs-word", "train --epochs=ten", ("--epochs", "whole number of at least 1")),
    Case("epochs-empty", "train --epochs=", ("--epochs", "whole number of at least 1")),
    Case("epochs-without-value", "train --epochs", ("epochs",)),
    Case("epochs-nan", "train --epochs=nan", ("--epochs", "whole number of at least 1")),
    Case("epochs-of-400-digits", f"train --epochs={'9' * 400}", ("--epochs", "too large")),
    Case("epochs-of-5000-digits", f"train --epochs={'9' * 5000}", ("--epochs", "whole number of at least 1")),
    Case("batch-zero", "train --batch_size=0", ("--batch_size", "at least 1")),
    Case("batch-too-large", "train --batch_size=30000", ("--batch_size", "20000")),
    Case("batch-huge", f"train --batch_size=1{'0' * 30}", ("--batch_size", "too large")),
    Case("steps-zero", "train --steps_per_epoch=0", ("--steps_per_epoch", "at least 1")),
    Case("steps-too-many", "train --steps_per_epoch=1000000", ("--steps_per_epoch=1000000", "312")),
    Case("validation-steps-zero", "train --validation_steps=0", ("--validation_steps", "at least 1")),
    Case("rate-zero", "train --learning_rate=0", ("--learning_rate", "number above 0")),
    Case("rate-negative", "train --learning_rate=-1e-3", ("--learning_rate", "number above 0")),
    Case("rate-nan", "train --learning_rate=nan", ("--learning_rate", "number above 0")),
    Case("rate-infinite", "train --learning_rate=inf", ("--learning_rate", "number above 0")),
    Case("rate-beyond-floats", "train --learning_rate=1e999", ("--learning_rate", "number above 0")),
    Case("rate-beyond-float32", f"train {TINY} --learning_rate=1e39", ("--learning_rate", "number above 0")),
    Case("rate-below-floats", "train --learning_rate=1e-999", ("--learning_rate", "number above 0")),
    Case("rate-word", "train --learning_rate=banana", ("--learning_rate", "number above 0")),
    Case("rate-comma", "train --learning_rate=0,001", ("--learning_rate", "number above 0")),
    Case("rate-empty", "train --learning_rate=", ("--learning_rate", "number above 0")),
    Case("weight-decay-negative", "train --weight_decay=-1", ("--weight_decay", "at least 0")),
    Case("weight-decay-nan", "train --weight_decay=nan", ("--weight_decay", "at least 0")),
    Case("beta-above-one", "train --beta_1=1.1", ("--beta_1", "at most 0.999999")),
    Case("beta-one", f"train {TINY} --beta_1=1 --dry_run", ("--beta_1",)),
    Case("momentum-negative", "train --momentum=-0.1", ("--momentum", "at least 0")),
    Case("momentum-nan", "train --momentum=NaN", ("--momentum", "at least 0")),
    Case("optimizer", "train --optimizer=lion", ("--optimizer", "adam", "adamw", "sgd")),
    Case("optimizer-empty", "train --optimizer=", ("--optimizer", "adamw")),
    Case("schedule", "train --schedule=steps", ("--schedule", "constant", "cosine", "exponential")),
    Case("schedule-steps-zero", "train --schedule_steps=0", ("--schedule_steps", "at least 1")),
    Case("warm-up-negative", "train --warmup_steps=-1", ("--warmup_steps", "at least 0")),
    Case("warm-up-too-long", f"train {TINY} --warmup_steps=2", ("--warmup_steps=2", "shorter")),
    Case("final-fraction-zero", "train --final_fraction=0", ("--final_fraction", "above 0")),
    Case("final-fraction-above-one", "train --final_fraction=2", ("--final_fraction", "at most 1")),
    Case("clip-norm-zero", "train --clip_norm=0", ("--clip_norm", "above 0")),
    Case("ema-one", "train --ema=1", ("--ema", "at most 0.999999")),
    Case("ema-negative", "train --ema=-0.1", ("--ema", "at least 0")),
    Case("ema-word", "train --ema=slow", ("--ema", "a number")),
    Case("flip", "train --flip=maybe", ("--flip", "maybe")),
    Case("affine", "train --noaffine=2", ("--noaffine=2",)),
    Case("rotation-negative", "train --rotation=-5", ("--rotation", "at least 0", "at most 180")),
    Case("rotation-too-far", "train --rotation=181", ("--rotation", "too large", "at most 180")),
    Case("rotation-nan", "train --rotation=nan", ("--rotation", "at least 0")),
    Case("rotation-word", "train --rotation=left", ("--rotation", "a number")),
    Case("scale-below-one", "train --scale=0.9", ("--scale", "at least 1")),
    Case("scale-infinite", "train --scale=inf", ("--scale", "at most 100")),
    Case("shift-above-one", "train --shift=1.5", ("--shift", "at most 1")),
    Case("shift-negative", "train --shift=-0.1", ("--shift", "at least 0")),
    Case("colour-above-one", "train --colour=2", ("--colour", "at most 1")),
    Case("colour-word", "train --colour=red", ("--colour", "a number")),
    Case("colour-misspelt", "train --color=0.5", ("color", "colour")),
    Case("warp-above-one", "train --warp=2", ("--warp", "at most 1")),
    Case("patience-zero", "train --patience=0", ("--patience", "at least 1")),
    Case("precision", "train --precision=float7", ("--precision", "float32", "mixed_float16")),
    Case("precision-that-keras-has", "train --precision=float64", ("--precision", "float32", "mixed_bfloat16")),
    Case("strategy", "train --strategy=tpu", ("--strategy", "one_device", "mirrored")),
    Case("devices-zero", "train --devices=0", ("--devices", "at least 1")),
    Case("seed-negative", "train --seed=-1", ("--seed", "at least 0")),
    Case("seed-too-large", "train --seed=2147483648", ("--seed", "2147483647")),
    Case("seed-word", "train --seed=random", ("--seed", "whole number")),
    Case("cache-negative", "train --cache_gb=-1", ("--cache_gb", "at least 0")),
    Case("cache-infinite", "train --cache_gb=inf", ("--cache_gb", "number")),
    Case("cache-beyond-floats", f"train {TINY} --cache_gb=1e305 --dry_run", ("--cache_gb",)),
    Case("save-every-zero", "train --save_every=0", ("--save_every", "at least 1")),
    Case("keep-no-checkpoint", "train --keep_checkpoints=0", ("--keep_checkpoints", "at least 1")),
    Case("rollbacks-negative", "train --rollbacks=-1", ("--rollbacks", "at least 0")),
    Case("draw-every-zero", "train --draw_every=0", ("--draw_every", "at least 1")),
    Case("dry-run", "train --dry_run=perhaps", ("--dry_run", "perhaps")),
    Case("image-size-too-small", "train --image_size=7", ("--image_size", "16", "1024")),
    Case("image-size-too-large", "train --image_size=5000", ("--image_size", "16", "1024")),
    Case("image-size-of-two", "train --image_size=64x64", ("--image_size", "whole number")),
    Case("image-size-odd", "train --image_size=36", ("image_size=36", "multiple of 16")),
    Case("image-size-not-drawn", "train --image_size=512", ("procedural_faces", "32 to 256", "512")),
    Case("channels", "train --channels=2", ("--channels", "1", "3")),
    Case("channels-word", "train --channels=rgb", ("--channels", "1", "3")),
    Case("code-zero", "train --latent_dim=0", ("--latent_dim", "at least 1")),
    Case("code-negative", "train --latent_dim=-3", ("--latent_dim", "at least 1")),
    Case("code-fraction", "train --latent_dim=6.4", ("--latent_dim", "whole number")),
    Case("code-beyond-memory", f"train {TINY} --latent_dim=1{'0' * 16}", ("latent_dim",)),
    Case("factor-negative", "train --r_loss_factor=-1", ("--r_loss_factor", "at least 0")),
    Case("factor-infinite", "train --kl_factor=inf", ("--kl_factor", "at least 0")),
    Case("factor-beyond-float32", f"train {TINY} --kl_factor=1e39", ("--kl_factor", "at least 0")),
    Case("factor-nan", "train --perceptual_factor=nan", ("--perceptual_factor", "at least 0")),
    Case("factor-word", "train --ssim_factor=much", ("--ssim_factor", "at least 0")),
    Case("factor-empty", "train --adversarial_factor=", ("--adversarial_factor", "at least 0")),
    Case("perceptual-network", "train --perceptual_network=resnet", ("--perceptual_network", "vgg16", "face")),
    Case("adversarial-loss", "train --adversarial_loss=wasserstein", ("--adversarial_loss", "bce", "hinge")),
    Case("balance", "train --balance=fair", ("--balance", "adaptive", "skip", "none")),
    Case("discriminator", "train --discriminator=local", ("--discriminator", "global", "patch")),
    Case("discriminator-filters-word", "train --discriminator_filters=4,x", ("--discriminator_filters", "4")),
    Case("discriminator-filters-zero", "train --discriminator_filters=4,0", ("--discriminator_filters", "positive")),
    Case("discriminator-filters-long", f"train --discriminator_filters={'9' * 5000}", ("--discriminator_filters",)),
    Case("discriminator-filters-none", "train --discriminator_filters=", ("--discriminator_filters", "positive")),
    Case("discriminator-start", "train --adversarial_start=-1", ("--adversarial_start", "at least 0")),
    Case(
        "discriminator-start-huge",
        f"train {TINY} --adversarial_factor=1 --adversarial_start=1{'0' * 30}",
        ("_start",),
    ),
    Case("discriminator-rate", "train --discriminator_learning_rate=0", ("--discriminator_learning_rate", "above 0")),
    Case("penalty-negative", "train --r1_factor=-1", ("--r1_factor", "at least 0")),
    Case("crop-of-three", "train --crop=1,2,3", ("--crop", "left,top,width,height")),
    Case("crop-of-five", "train --crop=1,2,3,3,3", ("--crop", "left,top,width,height")),
    Case("crop-of-words", "train --crop=a,b,c,d", ("--crop", "left,top,width,height")),
    Case("crop-negative", "train --crop=-1,0,10,10", ("--crop", "left,top,width,height")),
    Case("crop-of-5000-digits", f"train --crop=0,0,1,{'1' * 5000}", ("--crop", "left,top,width,height")),
    Case("crop-empty-square", "train --crop=0,0,0,0", ("--crop", "left,top,width,height")),
    Case("crop-fraction", "train --crop=0,0,9.5,9.5", ("--crop", "left,top,width,height")),
    Case("crop-side-zero", "train --crop=0", ("--crop", "one side or left,top,width,height")),
    Case("crop-side-negative", "train --crop=-148", ("--crop", "one side or left,top,width,height")),
    Case("crop-side-fraction", "train --crop=9.5", ("--crop", "one side or left,top,width,height")),
    Case("crop-side-word", "train --crop=centre", ("--crop", "one side or left,top,width,height")),
    Case("subfolders", "train --subfolders=people", ("--subfolders", "identity", "attribute")),
]

MODEL_ARGUMENTS = [
    Case("model", "train --model=nope", ("--model=nope", "vae", "face_mapping")),
    Case("model-empty", "train --model=", ("--model=", "vae", "face_mapping")),
    Case("model-by-class", "train --model=VAE", ("--model=VAE", "vae", "face_mapping")),
    Case("unknown", "train --set=no_such=3", ("--set=no_such", "filters", "dropout")),
    Case("misspelt", "train --set=fliters=8,8", ("--set=fliters", "filters")),
    Case("of-another-model", "train --model=cae --set=capacity=5", ("--set=capacity", "cae", "upsampling")),
    Case("no-value", "train --set=filters", ("--set=filters", "name=value")),
    Case("no-name", "train --set==3", ("--set", "argument ''")),
    Case("empty", "train --set=", ("--set=", "name=value")),
    Case("own-flag", "train --set=latent_dim=3", ("--set=latent_dim", "--latent_dim")),
    Case("own-flag-seed", "train --set=seed=3", ("--set=seed=3", "--seed")),
    Case("own-flag-attributes", "train --set=attributes=smiling", ("--set=attributes", "--attributes")),
    Case("name", "train --set=name=mine", ("--set=name", "filters")),
    Case("people", "train --model=face_mapping --dataset=procedural_people --set=people=a,b", ("--set=people", "data")),
    Case("filters-one", "train --set=filters=8", ("filters=8", "commas")),
    Case("filters-word", "train --set=filters=many", ("filters='many'", "commas")),
    Case("filters-empty", "train --set=filters=", ("filters=''",)),
    Case("filters-none", "train --set=filters=()", ("filters=()",)),
    Case("filters-zero", "train --set=filters=0,8", ("filters=(0, 8)", "positive")),
    Case("filters-negative", "train --set=filters=-8,8", ("filters=(-8, 8)", "positive")),
    Case("filters-fraction", "train --set=filters=8,8.5", ("filters=(8, 8.5)", "positive")),
    Case("filters-true", "train --set=filters=True,8", ("filters=(True, 8)", "positive")),
    Case("filters-mapping", "train --set=filters={8:8}", ("filters={8: 8}",)),
    Case("strides-one", "train --set=strides=2", ("strides=2", "commas")),
    Case("strides-three", f"train {TINY} --set=strides=2,3", ("strides=(2, 3)", "1 or a 2")),
    Case("strides-too-many", f"train {TINY} --set=strides=2,2,2", ("strides=(2, 2, 2)", "filters=(8, 8)")),
    Case("decoder-too-short", f"train {TINY} --set=decoder_filters=8,", ("decoder_filters=(8,)", "filters=(8, 8)")),
    Case("kernel-zero", "train --set=kernel_size=0", ("kernel_size=0", "positive")),
    Case("kernel-fraction", "train --set=kernel_size=2.5", ("kernel_size=2.5", "positive")),
    Case("kernel-true", f"train {TINY} --set=kernel_size=True --dry_run", ("kernel_size=True", "positive")),
    Case("kernel-beyond-memory", f"train {TINY} --set=kernel_size=1000000", ("kernel_size=1000000", "memory")),
    Case("decoder-kernel-zero", "train --set=decoder_kernel_size=0", ("decoder_kernel_size=0", "positive")),
    Case("upsampling", "train --set=upsampling=magic", ("upsampling='magic'", "nearest", "subpixel")),
    Case("upsampling-nul", "train --set=upsampling=near\0est", ("upsampling='near\\x00est'", "nearest")),
    Case("decoder-blocks-negative", "train --set=decoder_blocks=-1", ("decoder_blocks=-1", "at least 0")),
    Case("decoder-blocks-true", "train --set=decoder_blocks=True", ("decoder_blocks=True", "at least 0")),
    Case("output-skips", "train --set=output_skips=maybe", ("output_skips='maybe'", "True or False")),
    Case("batch-norm-word", "train --set=batch_norm=off", ("batch_norm='off'", "True or False")),
    Case("batch-norm-number", "train --set=batch_norm=1", ("batch_norm=1", "True or False")),
    Case("dropout-one", "train --set=dropout=1", ("dropout=1", "below 1")),
    Case("dropout-word", "train --set=dropout=much", ("dropout='much'", "below 1")),
    Case("dropout-nan", "train --set=dropout=1e999-1e999", ("dropout=", "below 1")),
    Case("slope-negative", "train --set=negative_slope=-1", ("negative_slope=-1", "at least 0")),
    Case("capacity-infinite", "train --set=capacity=1e999", ("capacity=inf", "at least 0")),
    Case("capacity-steps-zero", "train --set=capacity_steps=0", ("capacity_steps=0", "positive")),
    Case("capacity-steps-beyond-integers", f"train --set=capacity_steps=1{'0' * 30}", ("capacity_steps=1",)),
    Case("free-bits-none", "train --set=free_bits=few", ("free_bits='few'", "at least 0")),
    Case("penalty-negative", "train --set=l2=-1", ("l2=-1", "at least 0")),
    Case("penalty-beyond-floats", f"train --set=l2=1{'0' * 400}", ("l2=1", "at most 3.4e+38")),
    Case("initializer", f"train {TINY} --set=kernel_initializer=nope", ("nope",)),
    Case("initializer-number", f"train {TINY} --set=kernel_initializer=3", ("initializer identifier: 3",)),
    Case("too-deep", f"train --set=dropout={'-' * 20000}1", ("--set=dropout",)),
    Case("form", "train --model=dfc_vae --set=form=huge", ("form='huge'", "residual", "plain")),
    Case("form-without-blocks", "train --model=dfc_vae --set=blocks=0", ("blocks=0", "form='residual'")),
    Case("structure", "train --model=face_mapping --dataset=procedural_people --set=structure=ae", ("'ae'", "liae")),
    Case("attribute-dropout", "train --model=conditional_vae --set=attribute_dropout=2", ("attribute_dropout=2",)),
    Case("convolutions", "train --model=face_features --set=convolutions=1,2", ("convolutions=(1, 2)", "filters=")),
]

COMBINATIONS = [
    Case("devices-of-one", "train --devices=2", ("--devices=2", "--strategy=mirrored")),
    Case("devices-beyond-memory", f"train --strategy=mirrored --devices={2**62}", ("--devices", "1024")),
    Case("devices-too-many", "train --strategy=mirrored --devices=64", ("--devices=64", "2 CPUs")),
    Case(
        "batch-for-two", f"train {TINY} --strategy=mirrored --devices=2 --batch_size=7", ("--batch_size=7", "2 devices")
    ),
    Case("data-dir-of-drawn-faces", "train --data_dir=@/pictures", ("--data_dir", "procedural_faces")),
    Case("crop-of-drawn-faces", "train --crop=0,0,8,8", ("--crop", "procedural_faces")),
    Case("labels-of-digits", "train --dataset=digits --labels=@/labels/good.csv", ("--labels", "digits")),
    Case("subfolders-of-drawn-faces", "train --subfolders=identity", ("--subfolders", "procedural_faces")),
    Case("dataset", "train --dataset=nope", ("--dataset=nope", "procedural_faces", "folder")),
    Case("dataset-empty", "train --dataset=", ("--dataset=", "procedural_faces", "folder")),
    Case("folder-without-data-dir", "train --dataset=folder", ("--dataset=folder", "--data_dir")),
    Case("attributes-of-vae", "train --attributes=smiling", ("--attributes", "vae", "conditional_vae")),
    Case("attribute-unknown", "train --model=conditional_vae --attributes=smilling", ("smilling", "'smiling'")),
    Case("attribute-twice", "train --model=conditional_vae --attributes=smiling,smiling", ("'smiling'", "twice")),
    Case("attribute-empty", "train --model=conditional_vae --attributes=smiling,,beard", ("no attribute ''",)),
    Case(
        "attributes-of-none",
        "train --model=conditional_vae --dataset=folder --data_dir=@/pictures --batch_size=8",
        ("attributes", "--labels"),
    ),
    Case("people-without-names", "train --model=face_mapping", ("people", "--subfolders=identity")),
    Case(
        "one-person",
        "train --model=face_mapping --dataset=folder --data_dir=@/alone --subfolders=identity --batch_size=8",
        ("people", "at least two"),
    ),
    Case("factors-of-digits", "train --model=face_features --dataset=digits", ("landmarks", "procedural_faces")),
    Case("term-of-another-model", f"train {TINY} --model=cae --kl_factor=1", ("--kl_factor", "cae", "reconstruction")),
    Case("term-without-head", f"train {TINY} --mask_factor=1", ("--mask_factor", "vae", "reconstruction")),
    Case("no-term-left", f"train {TINY} --r_loss_factor=0 --kl_factor=0", ("every loss factor is 0",)),
    Case(
        "adversarial-alone",
        f"train {TINY} --adversarial_factor=1 --r_loss_factor=0 --kl_factor=0",
        ("the only loss term is 'adversarial'",),
    ),
    Case("hinge-and-skip", f"train {TINY} --adversarial_factor=1 --balance=skip", ("hinge", "skip")),
    Case(
        "discriminator-too-deep",
        f"train {TINY} --adversarial_factor=1 --discriminator_filters=4,4,4,4,4,4",
        ("image_size=32", "6 times", "filters"),
    ),
    Case(
        "projected-with-few-heads",
        f"train {TINY} --adversarial_factor=1 --discriminator=projected --discriminator_filters=4,4",
        ("--discriminator=projected", "filters=(4, 4)", "must be 4"),
    ),
    Case(
        "discriminator-beyond-memory",
        f"train {TINY} --adversarial_factor=1 --discriminator_filters=4,1{'0' * 14}",
        ("--discriminator_filters=4,1", "memory"),
    ),
    Case("balance-of-nothing", f"train {TINY} --balance=none", ("--balance", "--adversarial_factor")),
    Case("start-of-nothing", f"train {TINY} --adversarial_start=9", ("--adversarial_start", "--adversarial_factor")),
    Case("network-of-nothing", f"train {TINY} --perceptual_network=face", ("--perceptual_network", "_factor")),
    Case(
        "weights-of-nothing",
        f"train {TINY} --perceptual_factor=1 --perceptual_network=face --perceptual_weights=@/weights/nan.h5",
        ("--perceptual_weights", "--perceptual_network=face"),
    ),
    Case("layers-of-nothing", f"train {TINY} --perceptual_layers=relu1_1", ("--perceptual_layers", "_factor")),
    Case("parts-of-nothing", f"train {TINY} --landmark_parts=nose", ("--landmark_parts", "--landmark_factor")),
    Case("parts-unknown", f"train {TINY} --landmark_factor=1 --landmark_parts=ear", ("--landmark_parts=ear",)),
    Case("parts-empty", f"train {TINY} --landmark_factor=1 --landmark_parts=eye,", ("--landmark_parts",)),
    Case(
        "expression-of-maps",
        "train --model=cae --image_size=32 --expression_factor=1",
        ("--expression_factor=1", "cae"),
    ),
    Case(
        "expression-in-few", f"train {TINY} --latent_dim=10 --expression_factor=1", ("--expression_factor=1", "(10,)")
    ),
    Case(
        "expression-in-two",
        "train --model=face_mapping --dataset=procedural_people --image_size=32 --set=structure=liae "
        "--set=inter_dim=5 --expression_factor=1",
        ("--expression_factor=1", "(10,)"),
    ),
    Case("landmarks-of-digits", f"train {TINY} --dataset=digits --landmark_factor=1", ("--landmark_factor", "digits")),
    Case(
        "layers-of-another-network",
        f"train {TINY} --perceptual_factor=1 --perceptual_network=face --perceptual_layers=block3_conv3",
        ("--perceptual_layers=block3_conv3", "stage_1_conv_1"),
    ),
    Case(
        "layers-unknown",
        f"train {TINY} --perceptual_factor=1 --perceptual_layers=block9_conv1 --perceptual_weights=@/weights/nan.h5",
        ("--perceptual_layers=block9_conv1", "block1_conv1"),
    ),
    Case("warp-of-vae", f"train {TINY} --warp=0.1", ("--warp=0.1", "vae")),
    Case("affine-of-vae", f"train {TINY} --noaffine", ("--noaffine", "vae")),
    Case("rotation-in-place", f"train {TINY} --rotation=5 --noaffine", ("--rotation=5", "--noaffine")),
    Case(
        "factors-of-mirrored-faces",
        "train --model=face_features --image_size=32 --set=filters=4,4 --set=convolutions=1,1 --flip",
        ("face_features", "factors", "--blur"),
    ),
    Case(
        "masks-of-nothing",
        "train --model=face_mapping --dataset=procedural_people --image_size=32 --set=filters=8,8 --set=inter_dim=8"
        " --set=mask_head=True --nomasks --batch_size=8",
        ("masks", "--mask_factor=0"),
    ),
    Case("monitor", f"train {TINY} --monitor=nope", ("--monitor=nope", "reconstruction", "psnr")),
    Case("monitor-empty", f"train {TINY} --monitor=", ("--monitor=", "reconstruction", "psnr")),
    Case("monitor-not-trained", f"train {TINY} --monitor=dssim", ("--monitor=dssim", "reconstruction", "psnr")),
]

# Run folders.

TRAINING_FOLDERS = [
    Case("file", f"train {TINY} --run_dir=@/letter.txt", ("--run_dir=@/letter.txt", "is a file")),
    Case("below-a-file", f"train {TINY} --run_dir=@/letter.txt/run", ("@/letter.txt",)),
    Case("no-run", f"train {TINY} --run_dir=@/pictures", ("--run_dir=@/pictures", "not a run")),
    Case("name-too-long", f"train {TINY} --run_dir={'long' * 100}", ("longlong", "too long")),
    Case("nowhere", f"train {TINY} --run_dir=/proc/nowhere/run", ("/proc/nowhere",)),
    not_for_root(Case("not-writable", f"train {TINY} --run_dir=@/locked/run", ("@/locked", "ermission"))),
    Case("circle", f"train {TINY} --run_dir=@/loop", ("@/loop",)),
    Case(
        "other-flags",
        f"train {TINY} --learning_rate=0.01 --flip --run_dir=@/run",
        ("@/run", "was --learning_rate=0.0005", "now --learning_rate=0.01", "was --noflip", "now --flip"),
    ),
    Case("other-model", f"train {TINY} --model=cae --run_dir=@/run", ("@/run", "was --model=vae", "now --model=cae")),
    Case("other-data", f"train {TINY} --dataset=digits --run_dir=@/run", ("@/run", "now --dataset=digits")),
    Case("fewer-epochs", f"train {SMALL} --epochs=1 --run_dir=@/resume/longer", ("3 epochs", "--epochs=1")),
    Case("flags-of-junk", f"train {TINY} --run_dir=@/runs/flags_of_junk", ("@/runs/flags_of_junk",)),
    Case("unknown-flag", f"train {TINY} --run_dir=@/runs/unknown_flag", ("@/runs/unknown_flag", "no_such_flag")),
    Case("no-checkpoints", f"train {SMALL} --epochs=2 --run_dir=@/resume/no_checkpoints", ("no checkpoint",)),
    Case("damaged", f"train {SMALL} --epochs=2 --run_dir=@/resume/damaged", ("@/resume/damaged", "no checkpoint")),
    Case("no-sums", f"train {SMALL} --epochs=2 --run_dir=@/resume/no_sums", ("@/resume/no_sums", "no checkpoint")),
    Case("other-sums", f"train {SMALL} --epochs=2 --run_dir=@/resume/other_sums", ("other_sums", "no checkpoint")),
    Case("other-version", f"train {SMALL} --epochs=2 --run_dir=@/resume/other_version", ("state.json", "version")),
    Case("state-of-text", f"train {SMALL} --epochs=2 --run_dir=@/resume/state_of_text", ("state.json",)),
    Case("state-of-list", f"train {SMALL} --epochs=2 --run_dir=@/resume/state_of_list", ("state.json",)),
    Case("step-of-text", f"train {SMALL} --epochs=2 --run_dir=@/resume/step_of_text", ("state.json",)),
    Case("other-steps", f"train {SMALL} --epochs=2 --run_dir=@/resume/other_steps", ("--run_dir", "2 steps", "not 7")),
    Case("model-of-text", f"train {SMALL} --epochs=2 --run_dir=@/resume/model_of_text", ("model.keras",)),
    Case("model-without-config", f"train {SMALL} --epochs=2 --run_dir=@/resume/no_config", ("model.keras",)),
    Case("config-of-text", f"train {SMALL} --epochs=2 --run_dir=@/resume/config_text", ("model.keras",)),
    Case("config-of-list", f"train {SMALL} --epochs=2 --run_dir=@/resume/config_list", ("model.keras",)),
    Case("other-weights", f"train {SMALL} --epochs=2 --run_dir=@/resume/other_model", ("model.keras", "latent_dim")),
    Case("other-class", f"train {SMALL} --epochs=2 --run_dir=@/resume/other_class", ("model.keras", "Sequential")),
    Case("in-use", f"train {SMALL} --epochs=2 --run_dir=@/resume/in_use", ("in_use", "another training")),
]

MORPH = "--start=test:0 --end=test:1 --steps=2 --out=new"

FINISHED_RUNS = [
    Case("missing", "evaluate --run_dir=@/nowhere", ("--run_dir=@/nowhere", "no such folder")),
    Case("file", "evaluate --run_dir=@/letter.txt", ("@/letter.txt", "cannot be read as a model")),
    Case("no-run", "evaluate --run_dir=@/pictures", ("--run_dir=@/pictures", "flags.txt")),
    Case("empty-folder", f"morph --run_dir=@/empty {MORPH}", ("--run_dir=@/empty", "flags.txt")),
    Case("circle", "evaluate --run_dir=@/loop", ("--run_dir=@/loop", "no such")),
    Case("name-too-long", f"evaluate --run_dir={'long' * 100}", ("longlong", "too long")),
    Case("no-flags", "encode --run_dir=@/runs/no_flags --in=@/pictures", ("@/runs/no_flags", "flags.txt")),
    Case(
        "flags-are-a-folder",
        "evaluate --run_dir=@/runs/flags.txt_is_a_folder",
        ("@/runs/flags.txt_is_a_folder", "flags.txt"),
    ),
    Case("flags-of-junk", "evaluate --run_dir=@/runs/flags_of_junk", ("@/runs/flags_of_junk",)),
    Case("unknown-flag", "evaluate --run_dir=@/runs/unknown_flag", ("@/runs/unknown_flag", "no_such_flag")),
    Case("flags-of-morph", f"morph --run_dir=@/runs/flags_of_morph {MORPH}", ("@/runs/flags_of_morph", "start")),
    Case("flags-of-words", "evaluate --run_dir=@/runs/flags_of_words", ("@/runs/flags_of_words", "dear")),
    Case("flags-of-bad-value", "evaluate --run_dir=@/runs/bad_value", ("@/runs/bad_value", "--epochs")),
    Case("flags-of-nested-file", "evaluate --run_dir=@/runs/nested", ("@/runs/nested", "nowhere.flags")),
    Case("flags-of-unknown-data", "evaluate --run_dir=@/runs/unknown_data", ("--dataset=nope", "procedural_faces")),
    Case("flags-of-lost-data", "evaluate --run_dir=@/runs/lost_data", ("data_dir=@/nowhere",)),
    Case("flags-of-lost-labels", "evaluate --run_dir=@/runs/lost_labels", ("@/nowhere.csv",)),
    Case("flags-of-another-size", "evaluate --run_dir=@/runs/other_size --count=8", ("@/runs/other_size", "64")),
    Case("flags-of-gray", f"morph --run_dir=@/runs/gray {MORPH}", ("@/runs/gray", "channels")),
    Case("flags-of-another-size-encode", "encode --run_dir=@/runs/other_size --in=@/people", ("other_size", "64")),
    Case("no-model", f"morph --run_dir=@/runs/no_model {MORPH}", ("@/runs/no_model", "has not finished")),
    Case("no-model-encode", "encode --run_dir=@/runs/no_model --in=@/people", ("@/runs/no_model", "not finished")),
    Case("no-model-publish", "publish --run_dir=@/runs/no_model --name=tiny", ("@/runs/no_model", "not finished")),
    Case(
        "no-model-swap",
        "swap --run_dir=@/runs/no_model --in=@/people --to=bob --out=new",
        ("@/runs/no_model", "has not finished"),
    ),
    Case(
        "model-is-a-folder",
        "evaluate --run_dir=@/runs/model.keras_is_a_folder",
        ("@/runs/model.keras_is_a_folder", "model.keras"),
    ),
    Case("model-empty", "evaluate --run_dir=@/runs/empty", ("@/runs/empty/model.keras", "cannot be read")),
    Case("model-of-text", f"morph --run_dir=@/runs/text {MORPH}", ("@/runs/text/model.keras", "cannot be read")),
    Case("model-truncated", "encode --run_dir=@/runs/truncated --in=@/people", ("truncated/model.keras", "cannot be")),
    Case("model-of-picture", "evaluate --run_dir=@/runs/picture", ("@/runs/picture/model.keras", "cannot be read")),
    Case("foreign-zip", "evaluate --run_dir=@/runs/foreign_zip", ("@/runs/foreign_zip/model.keras", "cannot be read")),
    Case("without-config", "publish --run_dir=@/runs/no_config --name=tiny", ("no_config/model.keras", "cannot be")),
    Case("without-weights", "evaluate --run_dir=@/runs/no_weights", ("@/runs/no_weights/model.keras", "cannot be")),
    Case("config-of-text", "evaluate --run_dir=@/runs/config_text", ("@/runs/config_text/model.keras", "cannot be")),
    Case("config-of-list", "evaluate --run_dir=@/runs/config_list", ("@/runs/config_list/model.keras", "cannot be")),
    Case("argument-out-of-range", "evaluate --run_dir=@/runs/bad_argument", ("bad_argument/model.keras", "latent_dim")),
    Case("unknown-argument", "evaluate --run_dir=@/runs/new_argument", ("new_argument/model.keras", "no_such")),
    Case("unknown-class", "evaluate --run_dir=@/runs/new_class", ("new_class/model.keras", "holds a Nope")),
    Case("foreign-class", "evaluate --run_dir=@/runs/popen", ("@/runs/popen/model.keras", "holds a Popen")),
    Case("weights-of-text", "evaluate --run_dir=@/runs/text_weights", ("text_weights/model.keras", "cannot be read")),
    Case("weights-of-another", "evaluate --run_dir=@/runs/other_weights", ("other_weights/model.keras", "cannot be")),
    Case("sequential", "evaluate --run_dir=@/runs/sequential", ("sequential/model.keras", "holds a Sequential")),
    Case("face-network-morph", f"morph --run_dir=@/runs/reader {MORPH}", ("reader/model.keras", "FaceFeatures")),
    Case("face-network-encode", "encode --run_dir=@/runs/reader --in=@/people", ("reader/model.keras", "FaceFeatures")),
    Case("no-best", "evaluate --run_dir=@/runs/plain --checkpoint=best", ("checkpoints/best/model.keras",)),
    Case("checkpoint", "evaluate --run_dir=@/run --checkpoint=first", ("--checkpoint", "last", "best")),
    not_for_root(Case("not-readable", "evaluate --run_dir=@/locked", ("@/locked",))),
]

# Evaluate.

EVALUATE = "evaluate --run_dir=@/run --count=8"

EVALUATIONS = [
    Case("split", "evaluate --run_dir=@/run --split=all", ("--split", "train", "validation", "test")),
    Case("split-empty", "evaluate --run_dir=@/run --split=", ("--split", "validation")),
    Case("count-zero", "evaluate --run_dir=@/run --count=0", ("--count", "at least 1")),
    Case("count-word", "evaluate --run_dir=@/run --count=all", ("--count", "whole number")),
    Case("dataset", f"{EVALUATE} --dataset=nope", ("--dataset=nope", "procedural_faces")),
    Case("dataset-empty", f"{EVALUATE} --dataset=", ("--dataset=", "procedural_faces")),
    Case("labels-of-drawn-faces", f"{EVALUATE} --labels=@/labels/good.csv", ("--labels", "procedural_faces")),
    Case("folder-without-data-dir", f"{EVALUATE} --dataset=folder", ("--dataset=folder", "--data_dir")),
    Case("folder-missing", f"{EVALUATE} --dataset=folder --data_dir=@/nowhere", ("data_dir=@/nowhere", "not there")),
    Case("crop-outside", f"{EVALUATE} --dataset=folder --data_dir=@/pictures --crop=30,0,30,30", ("crop", "40x30")),
    Case("crop-side-of-mnist", "datasets --show=mnist --data_dir=@/empty --crop=29", ("crop=29", "28x28")),
    Case("tfds-of-junk", f"{EVALUATE} --dataset=mnist --data_dir=@/tfds", ("@/tfds", "mnist")),
    Case("output-is-a-folder", "evaluate --run_dir=@/runs/metrics.json_is_a_folder --count=8", ("metrics.json",)),
    Case("weights-missing", f"{EVALUATE} --vgg19_weights=nowhere.h5", ("--vgg19_weights", "nowhere.h5")),
    Case("weights-folder", f"{EVALUATE} --vgg19_weights=@/empty", ("--vgg19_weights=@/empty", "no weights file")),
    Case("weights-empty", f"{EVALUATE} --vgg19_weights=@/weights/empty.h5", ("@/weights/empty.h5", "not an HDF5")),
    Case("weights-of-text", f"{EVALUATE} --vgg19_weights=@/weights/text.h5", ("@/weights/text.h5", "not an HDF5")),
    Case("weights-truncated", f"{EVALUATE} --vgg19_weights=@/weights/truncated.h5", ("truncated.h5", "damaged")),
    Case("weights-of-else", f"{EVALUATE} --vgg19_weights=@/weights/other.h5", ("@/weights/other.h5",)),
    Case("weights-of-a-run", f"{EVALUATE} --vgg19_weights=@/run/model.keras", ("@/run/model.keras", "not an HDF5")),
    Case("weights-shallow", f"{EVALUATE} --vgg19_weights=@/weights/shallow.h5", ("shallow.h5", "block3_conv1")),
    Case("weights-with-a-gap", f"{EVALUATE} --vgg19_weights=@/weights/gap.h5", ("gap.h5", "block1_conv2")),
    Case("weights-of-other-shapes", f"{EVALUATE} --vgg19_weights=@/weights/shapes.h5", ("shapes.h5", "block1_conv1")),
    Case("weights-not-finite", f"{EVALUATE} --vgg19_weights=@/weights/nan.h5", ("nan.h5", "not finite")),
]

# Analyse.

ANALYSE = "analyse --run_dir=@/run --out=new --count=20"

ANALYSES = [
    Case("split", f"{ANALYSE} --split=all", ("--split", "train", "validation", "test")),
    Case("count-too-small", f"{ANALYSE} --count=9", ("--count", "at least 10")),
    Case("count-word", f"{ANALYSE} --count=all", ("--count", "whole number")),
    Case("groups-too-few", f"{ANALYSE} --groups=1", ("--groups", "at least 10")),
    Case("groups-fraction", f"{ANALYSE} --groups=12.5", ("--groups", "whole number")),
    Case("switch-of-number", f"{ANALYSE} --disentanglement=2", ("--disentanglement", "2")),
    Case("attribute", f"{ANALYSE} --attribute=smilling", ("'smilling'", "did you mean 'smiling'")),
    Case("attribute-empty", f"{ANALYSE} --attribute=", ("no attribute ''", "smiling")),
    Case("attribute-of-else", f"{ANALYSE} --dataset=digits --attribute=smiling", ("digits/test", "digit_0")),
    Case("dataset", f"{ANALYSE} --dataset=nope", ("--dataset=nope", "procedural_faces")),
    Case("few-pictures", f"{ANALYSE} --dataset=folder --data_dir=@/pictures", ("folder/test", "fewer than 10")),
    Case("out-without-name", "analyse --run_dir=@/run --out=", ("--out=", "no folder")),
    Case("out-is-a-file", "analyse --run_dir=@/run --out=@/letter.txt", ("@/letter.txt", "already holds something")),
    Case("out-is-full", "analyse --run_dir=@/run --out=@/pictures", ("@/pictures", "already holds something")),
    Case("out-below-a-file", f"{ANALYSE} --out=@/letter.txt/new", ("@/letter.txt",)),
    Case("out-is-here", f"{ANALYSE} --out=.", ("the folder that the command runs in",)),
    Case("of-a-face-network", "analyse --run_dir=@/runs/reader --out=new", ("reader/model.keras", "FaceFeatures")),
    Case("not-a-number", "analyse --run_dir=@/runs/not_a_number --out=new", ("not_a_number", "not finite")),
    Case("strangers", "analyse --run_dir=@/mapping --dataset=procedural_faces --out=new", ("people known are",)),
]

# Weights that training starts from or is judged by.

PERCEPTUAL = f"train {TINY} --perceptual_factor=1 --perceptual_weights="

TRAINING_WEIGHTS = [
    Case("perceptual-missing", f"{PERCEPTUAL}nowhere.h5", ("--perceptual_weights=nowhere.h5", "face")),
    Case("perceptual-none", PERCEPTUAL, ("--perceptual_weights=", "no weights file")),
    Case("perceptual-folder", f"{PERCEPTUAL}@/empty", ("--perceptual_weights=@/empty", "no weights file")),
    Case("perceptual-empty", f"{PERCEPTUAL}@/weights/empty.h5", ("--perceptual_weights", "not an HDF5")),
    Case("perceptual-of-text", f"{PERCEPTUAL}@/weights/text.h5", ("--perceptual_weights", "not an HDF5")),
    Case("perceptual-truncated", f"{PERCEPTUAL}@/weights/truncated.h5", ("truncated.h5", "damaged")),
    Case("perceptual-of-else", f"{PERCEPTUAL}@/weights/other.h5", ("@/weights/other.h5",)),
    Case("perceptual-of-dense", f"{PERCEPTUAL}@/weights/dense.weights.h5", ("dense.weights.h5", "no layer of vgg16")),
    Case("perceptual-of-another", f"{PERCEPTUAL}@/weights/vgg19.h5", ("vgg19.h5", "block3_conv4")),
    Case("perceptual-shallow", f"{PERCEPTUAL}@/weights/shallow.h5", ("shallow.h5", "block3_conv3")),
    Case("perceptual-of-other-shapes", f"{PERCEPTUAL}@/weights/shapes.h5", ("shapes.h5", "block1_conv1")),
    Case("perceptual-not-finite", f"{PERCEPTUAL}@/weights/nan.h5", ("nan.h5", "not finite")),
    Case("start-missing", f"train {TINY} --init_from=nowhere", ("--init_from=nowhere", "face_features")),
    Case("start-missing-file", f"train {TINY} --init_from=@/nowhere.keras", ("--init_from=@/nowhere.keras",)),
    Case("start-of-text", f"train {TINY} --init_from=@/letter.txt", ("@/letter.txt", "cannot be read")),
    Case("start-of-picture", f"train {TINY} --init_from=@/pictures/000.jpg", ("@/pictures/000.jpg", "cannot be read")),
    Case("start-of-hdf5", f"train {TINY} --init_from=@/weights/shallow.h5", ("@/weights/shallow.h5", "cannot be read")),
    Case("start-of-npz", f"train {TINY} --init_from=@/weights/codes.npz", ("codes.npz", "no such")),
    Case("start-no-run", f"train {TINY} --init_from=@/pictures", ("@/pictures", "not a run")),
    Case("start-not-finished", f"train {TINY} --init_from=@/runs/no_model", ("no_model", "has not finished")),
    Case("start-truncated", f"train {TINY} --init_from=@/runs/truncated", ("truncated/model.keras", "cannot be read")),
    Case("start-sequential", f"train {TINY} --init_from=@/runs/sequential", ("model.keras", "holds a Sequential")),
    Case("start-of-another-kind", f"train {TINY} --model=cae --init_from=@/run", ("VAE", "ConvolutionalAutoencoder")),
    Case("start-of-another-code", f"train {TINY} --latent_dim=8 --init_from=@/run", ("latent_dim is 4, not 8",)),
    Case("start-of-another-size", f"train {TINY} --image_size=64 --init_from=@/run", ("image_size is 32, not 64",)),
    Case("start-that-ships", f"train {TINY} --init_from=vae", ("--init_from=vae", "image_size is 64, not 32")),
]

TINY_CARD = f"train {TINY} --init_from=tiny"

CARDS = [
    Case("missing", TINY_CARD, ("tiny", "none"), "empty"),
    Case("of-text", TINY_CARD, ("tiny.json", "damaged"), "of_text"),
    Case("of-junk", TINY_CARD, ("tiny.json", "damaged"), "of_junk"),
    Case("of-a-list", TINY_CARD, ("tiny.json", "damaged"), "of_a_list"),
    Case("without-hash", TINY_CARD, ("tiny.json", "sha256"), "no_sha256"),
    Case("without-model", TINY_CARD, ("tiny.json", "model"), "no_model"),
    Case("other-hash", TINY_CARD, ("tiny.npz", "SHA-256"), "other_hash"),
    Case("without-weights", TINY_CARD, ("tiny.npz",), "no_weights"),
    Case("weights-of-text", TINY_CARD, ("tiny.npz", "damaged"), "text_weights"),
    Case("weights-pickled", TINY_CARD, ("tiny.npz", "damaged"), "pickled_weights"),
    Case("weights-of-another", TINY_CARD, ("tiny.npz", "does not fit"), "other_weights"),
    Case("unknown-class", TINY_CARD, ("tiny.npz", "Nope"), "new_class"),
    Case("foreign-class", TINY_CARD, ("tiny.npz", "Popen"), "popen"),
    Case("argument-out-of-range", TINY_CARD, ("tiny.npz", "latent_dim"), "bad_argument"),
    Case("unknown-argument", TINY_CARD, ("tiny.npz or its card", "no_such"), "new_argument"),
    Case("outside", f"train {TINY} --init_from=../tiny", ("--init_from=../tiny",), "sound"),
    Case("outside-by-path", f"train {TINY} --init_from=@/cards/new_class/tiny", ("tiny.npz", "Nope")),
    Case("models-of-text", "models", ("tiny.json", "damaged"), "of_text"),
    Case("models-without-recipe", "models", ("tiny.json", "recipe"), "no_recipe"),
    Case("models-without-data", "models", ("tiny.json", "data"), "no_data"),
    Case(
        "no-face-network",
        f"train {TINY} --perceptual_factor=1 --perceptual_network=face",
        ("face network", "face_features"),
        "empty",
    ),
    Case("face-network-of-text", f"train {TINY} --landmark_consistency_factor=1", ("face_features",), "face_of_text"),
]

# Pictures.

ONE_FACE = "morph --run_dir=@/run --end=test:0 --out=new --start="

FACES = [
    Case("missing", f"{ONE_FACE}nowhere.png", ("nowhere.png", "no such file")),
    Case("folder", f"{ONE_FACE}@/pictures", ("@/pictures", "is a directory")),
    Case("circle", f"{ONE_FACE}@/loop", ("@/loop", "too many levels")),
    Case("below-a-file", f"{ONE_FACE}@/letter.txt/a.png", ("@/letter.txt/a.png", "not a directory")),
    Case("name-too-long", f"{ONE_FACE}{'long' * 100}.png", ("longlong", "too long")),
    Case("dangling-link", f"{ONE_FACE}@/images/dangling.png", ("dangling.png", "no such file")),
    not_for_root(Case("not-readable", f"{ONE_FACE}@/locked/a.png", ("@/locked/a.png", "permission"))),
    Case("pipe", f"{ONE_FACE}@/images/pipe.png", ("pipe.png", "not a regular file")),
    Case("place-beyond-the-split", f"{ONE_FACE}test:2000", ("test:2000", "test:0 to test:1999")),
    Case("place-negative", f"{ONE_FACE}test:-1", ("test:-1", "test:1999")),
    Case("place-fraction", f"{ONE_FACE}test:1.5", ("test:1.5", "test:1999")),
    Case("place-word", f"{ONE_FACE}test:first", ("test:first", "test:1999")),
    Case("place-none", f"{ONE_FACE}test:", ("test:", "test:1999")),
    Case("place-power", f"{ONE_FACE}test:²", ("test:²", "test:1999")),
    Case("place-of-200-digits", f"{ONE_FACE}test:{'9' * 200}", ("test:999", "test:1999")),
    Case("split-unknown", f"{ONE_FACE}all:1", ("all:1", "no such file")),
    Case("empty-file", f"{ONE_FACE}@/images/empty.png", ("empty.png", "empty file")),
    Case("cut-off-jpeg", f"{ONE_FACE}@/images/cut_off.jpg", ("cut_off.jpg", "truncated")),
    Case("cut-off-header-of-jpeg", f"{ONE_FACE}@/images/cut_header.jpg", ("cut_header.jpg", "truncated")),
    Case("cut-off-png", f"{ONE_FACE}@/images/cut_off.png", ("cut_off.png", "truncated")),
    Case("cut-off-webp", f"{ONE_FACE}@/images/cut_off.webp", ("cut_off.webp",)),
    Case("beginning-of-jpeg", f"{ONE_FACE}@/images/beginning.jpg", ("beginning.jpg",)),
    Case("beginning-of-png", f"{ONE_FACE}@/images/beginning.png", ("beginning.png", "truncated")),
    Case("beginning-of-webp", f"{ONE_FACE}@/images/beginning.webp", ("beginning.webp",)),
    Case("text", f"{ONE_FACE}@/images/text.png", ("text.png", "not a JPEG, PNG, WebP")),
    Case("zip", f"{ONE_FACE}@/images/zip.jpg", ("zip.jpg", "not a JPEG, PNG, WebP")),
    Case("cut-off-gif", f"{ONE_FACE}@/images/cut_off.gif", ("cut_off.gif", "truncated")),
    Case("beginning-of-gif", f"{ONE_FACE}@/images/beginning.gif", ("beginning.gif",)),
    Case("pdf", f"{ONE_FACE}@/images/document.jpg", ("document.jpg", "not a JPEG, PNG, WebP")),
    Case("svg", f"{ONE_FACE}@/images/drawing.png", ("drawing.png", "not a JPEG, PNG, WebP")),
    Case("heic", f"{ONE_FACE}@/images/telephone.jpg", ("telephone.jpg",)),
    Case("sound", f"{ONE_FACE}@/images/sound.webp", ("sound.webp", "not a JPEG, PNG, WebP")),
    Case("huge-png", f"{ONE_FACE}@/images/huge.png", ("huge.png", "megapixels")),
    Case("huge-jpeg", f"{ONE_FACE}@/images/huge.jpg", ("huge.jpg", "megapixels")),
    Case("huge-webp", f"{ONE_FACE}@/images/huge.webp", ("huge.webp", "megapixels")),
    Case("no-pixels", f"{ONE_FACE}@/images/no_pixels.png", ("no_pixels.png",)),
    Case("text-bomb", f"{ONE_FACE}@/images/text_bomb.png", ("text_bomb.png",)),
    Case("wrong-sums", f"{ONE_FACE}@/images/wrong_sums.png", ("wrong_sums.png",)),
    Case("crop-outside-of-one-pixel", f"{ONE_FACE}@/images/one_pixel.png --crop=0,0,2,2", ("one_pixel.png", "1x1")),
    Case("crop-outside", f"{ONE_FACE}@/pictures/000.jpg --crop=30,0,30,30", ("000.jpg", "crop", "40x30")),
    Case("crop-side-outside", f"{ONE_FACE}@/pictures/000.jpg --crop=31", ("000.jpg", "crop=31", "40x30")),
    Case("crop-not-square", f"{ONE_FACE}@/pictures/000.jpg --crop=0,0,10,20", ("000.jpg", "square")),
]

PHOTOGRAPHS = "--start=@/pictures/000.jpg --end=@/pictures/001.jpg --out=new"

MORPHS = [
    Case("one-step", "morph --run_dir=@/run --start=test:0 --end=test:1 --steps=1", ("--steps", "at least 2")),
    Case("many-steps", "morph --run_dir=@/run --start=test:0 --end=test:1 --steps=1001", ("--steps", "1000")),
    Case("path", "morph --run_dir=@/run --start=test:0 --end=test:1 --path=bent", ("--path", "linear", "slerp")),
    Case("end", "morph --run_dir=@/run --start=test:0 --end=test:2000 --out=new", ("test:2000", "test:1999")),
    Case("end-file", "morph --run_dir=@/run --start=test:0 --end=@/images/text.png --out=new", ("text.png",)),
    Case("taken", "morph --run_dir=@/run --start=test:0 --end=test:1 --out=@/people", ("--out=@/people", "already")),
    Case("out-is-a-file", "morph --run_dir=@/run --start=test:0 --end=test:1 --out=@/letter.txt", ("@/letter.txt",)),
    Case("below-a-file", "morph --run_dir=@/run --start=test:0 --end=test:1 --out=@/letter.txt/new", ("@/letter.txt",)),
    Case("circle", "morph --run_dir=@/run --start=test:0 --end=test:1 --out=@/loop", ("@/loop",)),
    Case("out-empty", "morph --run_dir=@/run --start=test:0 --end=test:1 --steps=2 --out=", ("--out",)),
    Case("person-of-a-vae", f"morph --run_dir=@/run {MORPH} --person=ann", ("--person=ann", "a VAE maps nobody")),
    Case("person-empty", f"morph --run_dir=@/run {MORPH} --person=", ("--person=:", "a VAE maps nobody")),
    Case("sampled-stranger", "sample --run_dir=@/mapping --count=2 --person=eve", ("--person=eve", "knows ann, bob")),
    Case("stranger", f"morph --run_dir=@/mapping {PHOTOGRAPHS} --person=eve", ("--person=eve", "knows ann, bob")),
    Case("person-by-number", f"morph --run_dir=@/mapping {PHOTOGRAPHS} --person=1", ("--person=1", "knows ann, bob")),
    Case("dataset", f"morph --run_dir=@/run {MORPH} --dataset=nope", ("--dataset=nope", "procedural_faces")),
    Case("data-dir-missing", f"morph --run_dir=@/run {MORPH} --dataset=folder --data_dir=@/nowhere", ("@/nowhere",)),
]

ENCODE = "encode --run_dir=@/run --out=new.npz --in="

ENCODINGS = [
    Case("missing", f"{ENCODE}@/nowhere", ("--in=@/nowhere", "not there")),
    Case("file", f"{ENCODE}@/pictures/000.jpg", ("@/pictures/000.jpg", "not a folder")),
    Case("empty", f"{ENCODE}@/empty", ("no pictures", "@/empty", "JPEG")),
    Case("hidden", f"{ENCODE}@/hidden", ("no pictures", "@/hidden")),
    Case("notes", f"{ENCODE}@/notes", ("no pictures", "@/notes")),
    Case("circle", f"{ENCODE}@/circle", ("no pictures", "@/circle")),
    Case("link-to-itself", f"{ENCODE}@/loop", ("@/loop",)),
    Case("home-of-nobody", f"{ENCODE}~nobody_of_this_name/pictures", ("~nobody_of_this_name/pictures",)),
    Case("name-too-long", f"{ENCODE}{'long' * 100}", ("longlong", "too long")),
    not_for_root(Case("not-readable", f"{ENCODE}@/locked", ("@/locked", "ermission"))),
    Case("letters", f"{ENCODE}@/letters", ("12 of 12", "letter_00.jpg", "and 7 more", "not a JPEG")),
    Case("damaged", f"{ENCODE}@/damaged", ("5 of 15", "000.jpg")),
    Case("crop-outside", f"{ENCODE}@/pictures --crop=30,0,30,30", ("40 of 40", "40x30", "crop")),
    Case("crop-not-square", f"{ENCODE}@/pictures --crop=0,0,10,20", ("crop=0,0,10,20", "square")),
    Case("crop", f"{ENCODE}@/pictures --crop=1,2", ("--crop", "left,top,width,height")),
    Case("taken", "encode --run_dir=@/run --in=@/people --out=@/letter.txt", ("--out=@/letter.txt", "exists")),
    Case("out-is-a-folder", "encode --run_dir=@/run --in=@/people --out=@/empty", ("--out=@/empty", "exists")),
    Case("out-empty", "encode --run_dir=@/run --in=@/people --out=", ("--out",)),
    Case("below-a-file", "encode --run_dir=@/run --in=@/people --out=@/letter.txt/a.npz", ("@/letter.txt",)),
    Case("reconstructions-taken", f"{ENCODE}@/people --reconstructions=@/pictures", ("--reconstructions=@/pictures",)),
    Case("reconstructions-file", f"{ENCODE}@/people --reconstructions=@/letter.txt", ("--reconstructions",)),
    Case("reconstructions-below", f"{ENCODE}@/people --reconstructions=@/letter.txt/new", ("@/letter.txt/new",)),
    Case("reconstructions-in-out", f"{ENCODE}@/people --reconstructions=new.npz", ("--reconstructions",)),
    Case(
        "reconstructions-below-out", f"{ENCODE}@/people --reconstructions=new.npz/a", ("--reconstructions=new.npz/a",)
    ),
    Case("person-and-no-pictures", f"{ENCODE}@/people --person=ann", ("--person=ann", "without --reconstructions")),
    Case("person-of-a-vae", f"{ENCODE}@/people --reconstructions=new --person=ann", ("--person=ann", "maps nobody")),
    Case(
        "stranger",
        "encode --run_dir=@/mapping --in=@/people --out=new.npz --reconstructions=new --person=eve",
        ("--person=eve", "knows ann, bob"),
    ),
    Case("reconstructions-empty", f"{ENCODE}@/people --reconstructions=", ("--reconstructions",)),
    Case(
        "reconstructions-and-no-codes",
        "encode --run_dir=@/run --in=@/people --out=@/letter.txt/a.npz --reconstructions=new/pictures",
        ("@/letter.txt",),
    ),
]

SWAP = "swap --run_dir=@/mapping --out=new --to=bob --in="

SWAPS = [
    Case("vae", "swap --run_dir=@/run --in=@/people --to=bob --out=new", ("@/run", "vae", "--model=face_mapping")),
    Case("stranger", "swap --run_dir=@/mapping --in=@/people --to=eve --out=new", ("--to=eve", "ann, bob")),
    Case("another-name", "swap --run_dir=@/mapping --in=@/people --to=Bobby --out=new", ("--to=Bobby", "ann, bob")),
    Case("number", "swap --run_dir=@/mapping --in=@/people --to=1 --out=new", ("--to=1", "ann, bob")),
    Case("missing", f"{SWAP}@/nowhere", ("--in=@/nowhere", "not there")),
    Case("file", f"{SWAP}@/letter.txt", ("@/letter.txt", "not a folder")),
    Case("empty", f"{SWAP}@/empty", ("no pictures", "@/empty")),
    Case("letters", f"{SWAP}@/letters", ("12 of 12", "letter_00.jpg")),
    Case("crop-outside", f"{SWAP}@/people --crop=30,0,30,30", ("20 of 20", "crop")),
    Case("paste", f"{SWAP}@/people --paste=where", ("--paste", "where")),
    Case("taken", "swap --run_dir=@/mapping --in=@/people --to=bob --out=@/pictures", ("--out=@/pictures", "already")),
    Case(
        "out-is-a-file", "swap --run_dir=@/mapping --in=@/people --to=bob --out=@/letter.txt", ("--out=@/letter.txt",)
    ),
    Case("below-a-file", "swap --run_dir=@/mapping --in=@/people --to=bob --out=@/letter.txt/new", ("@/letter.txt",)),
    Case("out-is-in", "swap --run_dir=@/mapping --in=@/people --to=bob --out=@/people", ("--out=@/people", "already")),
]

EXPLORE = "explore --run_dir=@/run"

EXPLORATIONS = [
    Case("port-out-of-range", f"{EXPLORE} --port=65536", ("--port", "at most 65535")),
    Case("port-of-letters", f"{EXPLORE} --port=http", ("--port", "whole number")),
    Case("short-token", f"{EXPLORE} --token=@/tokens/short", ("--token", "8 to 200")),
    Case("odd-token", f"{EXPLORE} --token=@/tokens/odd", ("--token", "8 to 200")),
    Case("binary-token", f"{EXPLORE} --token=@/tokens/binary", ("--token", "cannot be read")),
    Case("pipe-for-token", f"{EXPLORE} --token=/dev/null", ("--token", "not a regular file")),
    Case("token-itself", f"{EXPLORE} --token=top-secret", ("--token=top-secret", "no such file", "FACEZOO_TOKEN")),
    Case("host-without-name", f"{EXPLORE} --host=", ("--host=",)),
    Case("host-of-a-dot", f"{EXPLORE} --host=.", ("--host=.", "not a name that a machine can have")),
    Case("long-host", f"{EXPLORE} --host={'n' * 64}", ("--host=nnn", "not a name that a machine can have")),
    Case("host-of-others", f"{EXPLORE} --host=192.0.2.1 --token=make", ("--host=192.0.2.1",)),
    Case("missing", "explore --run_dir=@/nowhere", ("@/nowhere", "no such folder")),
    Case("no-model", "explore --run_dir=@/runs/no_model", ("@/runs/no_model", "has not finished")),
    Case("reader", "explore --run_dir=@/runs/reader --noalign", ("FaceFeatures", "autoencoders")),
    Case("lost-data", "explore --run_dir=@/runs/lost_data --noalign", ("nowhere", "not there")),
    Case("size-of-a-run", f"{EXPLORE} --size=64", ("--size", "with --run_dir")),
    Case("without-run-or-alignment", "explore --noalign", ("--align", "without --run_dir")),
    Case("without-run-or-data", "explore --dataset=folder --data_dir=@/nowhere", ("@/nowhere", "not there")),
    Case("no-reader-of-landmarks", "explore --landmarks=points.csv", ("--landmarks", "mediapipe|mtcnn|face")),
    Case("crop-and-align", f"{EXPLORE} --crop=0,0,20,20", ("--crop and --align",)),
    Case("template-for-nothing", f"{EXPLORE} --noalign --template=celeba", ("--template", "--align")),
]

PUBLISH = "publish --run_dir=@/runs/digits"

PUBLICATIONS = [
    Case("name-of-a-path", f"{PUBLISH} --name=a/b", ("--name=a/b", "letters")),
    Case("name-outside", f"{PUBLISH} --name=../tiny", ("--name=../tiny", "letters")),
    Case("name-with-blank", f"{PUBLISH} --name='my run'", ("--name=my run", "letters")),
    Case("name-with-dot", f"{PUBLISH} --name=.hidden", ("--name=.hidden", "letters")),
    Case("name-with-newline", f"{PUBLISH} --name='tiny\n'", ("--name=tiny", "letters")),
    Case("name-not-ascii", f"{PUBLISH} --name=visagé", ("--name=visagé", "letters")),
    Case("taken", f"{PUBLISH} --name=tiny --out=@/cards/sound", ("--name=tiny", "tiny.npz exists")),
    Case("card-taken", f"{PUBLISH} --name=tiny --out=@/cards/no_weights", ("--name=tiny", "tiny.json exists")),
    Case("out-is-a-file", f"{PUBLISH} --name=tiny --out=@/letter.txt", ("@/letter.txt",)),
    Case("split", f"{PUBLISH} --name=tiny --split=all", ("--split", "validation")),
    Case("checkpoint", f"{PUBLISH} --name=tiny --checkpoint=9", ("--checkpoint", "best")),
    Case("no-best", f"{PUBLISH} --name=tiny --checkpoint=best", ("best/model.keras",)),
    Case("too-large-for-float16", "publish --run_dir=@/runs/large --name=tiny", ("@/runs/large", "float16")),
    Case("not-a-number", "publish --run_dir=@/runs/not_a_number --name=tiny", ("@/runs/not_a_number", "float16")),
    Case("lost-data", "publish --run_dir=@/runs/lost_data --name=tiny", ("@/nowhere",)),
]

# Data sets: the sheet shows what train refuses too, and faster.

SHEETS = [
    Case("unknown", "datasets --show=nope", ("--show=nope", "procedural_faces")),
    Case("empty", "datasets --show=", ("--show=", "procedural_faces")),
    Case("two", "datasets --show=digits --dataset=mnist", ("--dataset",)),
    Case("without-show", "datasets --dataset=mnist", ("--dataset", "--show")),
    Case("not-png", "datasets --show=digits --out=sheet.jpg", ("--out=sheet.jpg", ".png")),
    Case("no-ending", "datasets --show=digits --out=sheet", ("--out=sheet", ".png")),
    Case("out-empty", "datasets --show=digits --out=", ("--out", ".png")),
    Case("taken", "datasets --show=digits --out=@/images/text.png", ("--out=@/images/text.png", "exists")),
    Case("out-is-a-folder", "datasets --show=digits --out=@/images/folder.png", ("folder.png", "exists")),
    Case("below-a-file", "datasets --show=digits --out=@/letter.txt/sheet.png", ("@/letter.txt",)),
    Case("name-too-long", f"datasets --show=digits --out={'long' * 100}.png", ("longlong", "too long")),
    Case("count-zero", "datasets --show=digits --count=0", ("--count", "at least 1", "1024")),
    Case("count-too-large", "datasets --show=digits --count=1025", ("--count", "1024")),
    Case("rotation", "datasets --show=digits --rotation=200", ("--rotation", "at most 180")),
    Case("moves-in-place", "datasets --show=digits --warp=0.2 --shift=0.1 --noaffine", ("--shift=0.1", "--noaffine")),
    Case("in-place-without-warp", "datasets --show=digits --noaffine", ("--noaffine", "--warp")),
    Case("dots", "datasets --show=digits --dots=few", ("--dots", "few")),
    Case("split", "datasets --show=digits --split=all", ("--split", "validation")),
    Case("image-size", "datasets --show=digits --image_size=8", ("--image_size", "16", "1024")),
    Case("image-size-not-drawn", "datasets --show=procedural_faces --image_size=16", ("procedural_faces", "32 to 256")),
    Case("image-size-of-clips", "datasets --show=procedural_clips --image_size=16", ("procedural_clips", "32 to 256")),
    Case("data-dir-of-digits", "datasets --show=digits --data_dir=@/pictures", ("--data_dir", "digits")),
    Case("crop-of-digits", "datasets --show=digits --crop=0,0,8,8", ("--crop", "digits")),
    Case("folder-without-data-dir", "datasets --show=folder", ("folder", "--data_dir")),
    Case("crop-of-mnist", "datasets --show=mnist --data_dir=@/empty --crop=20,20,28,28", ("crop=20,20,28,28", "28x28")),
    Case("crop-side-of-mnist", "datasets --show=mnist --data_dir=@/empty --crop=29", ("crop=29", "28x28")),
    Case("tfds-of-junk", "datasets --show=mnist --data_dir=@/tfds", ("@/tfds", "mnist")),
]

FOLDER = "datasets --show=folder --out=new.png --data_dir="

FOLDERS = [
    Case("data-dir-empty", FOLDER, ("data_dir", "missing")),
    Case("missing", f"{FOLDER}@/nowhere", ("data_dir=@/nowhere", "not there")),
    Case("file", f"{FOLDER}@/letter.txt", ("data_dir=@/letter.txt", "not a folder")),
    Case("empty", f"{FOLDER}@/empty", ("no pictures", "@/empty")),
    Case("letters", f"{FOLDER}@/letters", ("12 of 12", "letter_04.jpg", "and 7 more")),
    Case("too-few-for-a-split", f"{FOLDER}@/few --split=validation", ("none of the 3", "@/few", "validation")),
    Case(
        "too-few-for-a-batch",
        "train --dataset=folder --data_dir=@/pictures",
        ("folder/train", "one batch of 64", "--batch_size"),
    ),
    Case("too-few-for-training", "train --dataset=folder --data_dir=@/few", ("none of the 3", "@/few", "validation")),
    Case("letters-in-training", "train --dataset=folder --data_dir=@/letters", ("12 of 12", "letter_00.jpg")),
    Case("damage-in-training", "train --dataset=folder --data_dir=@/damaged", ("5 of 15", "000.jpg")),
    Case("people-in-no-folder", f"{FOLDER}@/pictures --subfolders=identity", ("40 of 40", "000.jpg", "sub-folder")),
    Case("attributes-alike", f"{FOLDER}@/twins", ("sub-folders", "'ann_b'", "more than once")),
    Case("attribute-without-name", f"{FOLDER}@/nameless", ("sub-folders", "''", "no name")),
    Case("crop-outside", f"{FOLDER}@/pictures --crop=30,0,30,30", ("40 of 40", "40x30")),
    Case("crop-side-outside", f"{FOLDER}@/pictures --crop=31", ("40 of 40", "crop=31", "40x30")),
    Case("crop-side-huge", f"{FOLDER}@/pictures --crop={'9' * 30}", ("40 of 40", "40x30")),
    Case("crop-huge", f"{FOLDER}@/pictures --crop=0,0,{'9' * 30},{'9' * 30}", ("40 of 40", "40x30")),
    Case("crop-not-square", f"{FOLDER}@/pictures --crop=0,0,10,20", ("crop=0,0,10,20", "square")),
]

PACK = "pack --out=new --in="

PACKINGS = [
    Case("missing", f"{PACK}@/nowhere", ("--in=@/nowhere", "not there")),
    Case("file", f"{PACK}@/letter.txt", ("--in=@/letter.txt", "not a folder")),
    Case("empty", f"{PACK}@/empty", ("no pictures", "@/empty")),
    Case("letters", f"{PACK}@/letters", ("12 of 12", "letter_04.jpg")),
    Case("damaged", f"{PACK}@/damaged", ("5 of 15", "000.jpg")),
    Case("pack-of-a-pack", f"{PACK}@/packs/sound", ("no pictures", "@/packs/sound")),
    Case("people-in-no-folder", f"{PACK}@/pictures --subfolders=identity", ("40 of 40", "000.jpg", "sub-folder")),
    Case("subfolders", f"{PACK}@/pictures --subfolders=people", ("--subfolders", "identity")),
    Case("labels", f"{PACK}@/pictures --labels=@/labels/two.csv", ("two.csv", "line 4")),
    Case("crop-outside", f"{PACK}@/pictures --crop=31", ("40 of 40", "crop=31", "40x30")),
    Case("crop", f"{PACK}@/pictures --crop=1,2", ("--crop", "left,top,width,height")),
    Case("size-small", f"{PACK}@/pictures --size=8", ("--size", "at least 16", "1024")),
    Case("size-large", f"{PACK}@/pictures --size=2000", ("--size", "1024")),
    Case("size-word", f"{PACK}@/pictures --size=large", ("--size", "whole number")),
    Case("channels", f"{PACK}@/pictures --channels=2", ("--channels", "1|3")),
    Case("shard-zero", f"{PACK}@/pictures --shard_mb=0", ("--shard_mb", "above 0")),
    Case("shard-word", f"{PACK}@/pictures --shard_mb=small", ("--shard_mb", "a number")),
    Case("taken", "pack --in=@/pictures --out=@/people", ("--out=@/people", "already")),
    Case("out-is-in", "pack --in=@/pictures --out=@/pictures", ("--out=@/pictures", "already")),
    Case("out-is-a-pack", "pack --in=@/pictures --out=@/packs/sound", ("--out=@/packs/sound", "already")),
    Case("out-is-a-file", "pack --in=@/pictures --out=@/letter.txt", ("--out=@/letter.txt", "already")),
    Case("below-a-file", "pack --in=@/pictures --out=@/letter.txt/new", ("@/letter.txt",)),
    Case("name-too-long", f"pack --in=@/pictures --out={'long' * 100}", ("longlong", "too long")),
]

PACKED = "datasets --show=packed --out=new.png --data_dir=@/packs/"

PACKS = [
    Case("without-data-dir", "datasets --show=packed", ("packed", "--data_dir")),
    Case("data-dir-empty", "datasets --show=packed --data_dir=", ("data_dir", "missing")),
    Case("missing", f"{PACKED}nowhere", ("data_dir=@/packs/nowhere", "not there")),
    Case("file", f"{PACKED}sound/index.json", ("index.json", "not a folder")),
    Case("folder-of-pictures", "datasets --show=packed --data_dir=@/pictures", ("@/pictures", "facezoo pack --in=")),
    Case("loop", "datasets --show=packed --data_dir=@/loop", ("data_dir=@/loop", "not there")),
    Case("index-of-words", f"{PACKED}words", ("words/index.json", "damaged")),
    Case("index-of-another-format", f"{PACKED}foreign", ("foreign/index.json", "not of a pack")),
    Case("another-version", f"{PACKED}version", ("version/index.json", "version 2", "version 1", "pack the pictures")),
    Case("index-without-splits", f"{PACKED}splits", ("splits/index.json", "damaged")),
    Case("files-missing", f"{PACKED}missing --image_size=16", ("missing/train-00000.tfrecord", "no such file")),
    Case("files-truncated", f"{PACKED}truncated --image_size=16", ("truncated/train-00000.tfrecord", "instead of")),
    Case(
        "files-changed",
        f"{PACKED}changed --image_size=16",
        ("changed/train-00000.tfrecord", "checksum", "copy the pack"),
    ),
    Case("in-training", "train --dataset=packed --data_dir=@/packs/truncated --image_size=16", ("truncated/train-",)),
    Case("size-in-training", "train --dataset=packed --data_dir=@/packs/sound", ("@/packs/sound", "--size=64")),
    Case("size", f"{PACKED}sound --image_size=32", ("image_size=32", "16 pixels", "--size=32")),
    Case("crop", f"{PACKED}sound --image_size=16 --crop=8", ("--crop", "packed")),
    Case("labels", f"{PACKED}sound --image_size=16 --labels=@/labels/good.csv", ("--labels", "packed")),
    Case("subfolders", f"{PACKED}sound --image_size=16 --subfolders=identity", ("--subfolders", "packed")),
    Case("split", f"{PACKED}train --image_size=16 --split=test", ("@/packs/train", "no pictures in the test split")),
    Case(
        "too-few-for-a-batch",
        "train --dataset=packed --data_dir=@/packs/sound --image_size=16",
        ("packed/train", "one batch of 64", "--batch_size"),
    ),
]

LABELS = f"{FOLDER}@/pictures --labels=@/labels"

LABEL_FILES = [
    Case("missing", f"{LABELS}/nowhere.csv", ("nowhere.csv", "No such file")),
    Case("folder", f"{LABELS}", ("@/labels", "directory")),
    Case("circle", f"{FOLDER}@/pictures --labels=@/loop", ("@/loop",)),
    Case("home-of-nobody", f"{FOLDER}@/pictures --labels=~nobody_of_this_name/a.csv", ("~nobody_of_this_name",)),
    Case("empty", f"{LABELS}/empty.csv", ("empty.csv", "line 1", "header")),
    Case("blank-lines", f"{LABELS}/blank_lines.csv", ("blank_lines.csv", "line 1", "header")),
    Case(
        "in-training", "train --dataset=folder --data_dir=@/pictures --labels=@/labels/two.csv", ("two.csv", "line 4")
    ),
    Case("one-column", f"{LABELS}/one_column.csv", ("one_column.csv", "line 1", "header")),
    Case("no-header", f"{LABELS}/no_header.csv", ("no_header.csv", "000.jpg")),
    Case("only-header", f"{LABELS}/only_header.csv", ("only_header.csv", "40 of 40", "000.jpg")),
    Case("short-row", f"{LABELS}/short_row.csv", ("short_row.csv", "line 4", "2 times 0/1")),
    Case("long-row", f"{LABELS}/long_row.csv", ("long_row.csv", "line 4", "2 times 0/1")),
    Case("two", f"{LABELS}/two.csv", ("two.csv", "line 4", "0/1 or -1/1")),
    Case("yes", f"{LABELS}/yes.csv", ("yes.csv", "line 4", "0/1 or -1/1")),
    Case("fraction", f"{LABELS}/fraction.csv", ("fraction.csv", "line 4", "0/1 or -1/1")),
    Case("no-value", f"{LABELS}/no_value.csv", ("no_value.csv", "line 4", "0/1 or -1/1")),
    Case("nan", f"{LABELS}/nan.csv", ("nan.csv", "line 4", "0/1 or -1/1")),
    Case("both-forms", f"{LABELS}/both_forms.csv", ("both_forms.csv", "line 4", "0 and -1")),
    Case("name-twice", f"{LABELS}/name_twice.csv", ("name_twice.csv", "line 42", "000.jpg")),
    Case("attribute-twice", f"{LABELS}/attribute_twice.csv", ("attribute_twice.csv", "'smiling'", "more than once")),
    Case("attribute-without-name", f"{LABELS}/nameless.csv", ("nameless.csv", "''", "no name")),
    Case("other-names", f"{LABELS}/other_names.csv", ("other_names.csv", "40 of 40", "000.jpg")),
    Case("one-name-missing", f"{LABELS}/one_missing.csv", ("one_missing.csv", "1 of 40", "007.jpg")),
    Case("base-name-of-two", f"{FOLDER}@/people --labels=@/labels/base.csv", ("base.csv", "0.png", "2 pictures")),
    Case("latin-1", f"{LABELS}/latin_1.csv", ("latin_1.csv", "not UTF-8")),
    Case("nul-in-value", f"{LABELS}/nul_value.csv", ("nul_value.csv", "line 4")),
    Case("nul-in-name", f"{LABELS}/nul_name.csv", ("nul_name.csv", "1 of 40", "002.jpg")),
    Case("picture", f"{FOLDER}@/pictures --labels=@/pictures/000.jpg", ("000.jpg", "not UTF-8")),
    Case("open-quote", f"{LABELS}/open_quote.csv", ("open_quote.csv",)),
    Case("long-field", f"{LABELS}/long_field.csv", ("long_field.csv",)),
    Case("celeb-a-short-row", f"{LABELS}/celeb_a_short.txt", ("celeb_a_short.txt", "line 4", "2 times")),
    Case("celeb-a-other-value", f"{LABELS}/celeb_a_value.txt", ("celeb_a_value.txt", "line 4", "-1/1")),
    Case("celeb-a-only-count", f"{LABELS}/celeb_a_count.txt", ("celeb_a_count.txt", "40 of 40", "it has no rows")),
    Case("celeb-a-no-names", f"{LABELS}/celeb_a_names.txt", ("celeb_a_names.txt",)),
    not_for_root(Case("not-readable", f"{FOLDER}@/pictures --labels=@/locked/a.csv", ("@/locked/a.csv", "ermission"))),
]


# The materials.


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def picture(seed=0, size=(40, 30)):
    numbers = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)
    return Image.fromarray(numbers).resize(size, Image.Resampling.BICUBIC)


def encoded(kind, seed=0, **options):
    """A picture as the bytes of a file."""
    file = io.BytesIO()
    picture(seed).save(file, kind, **options)
    return file.getvalue()


def half(content):
    return content[: len(content) // 2]


def png_chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width, height, *chunks):
    """A PNG's signature and header, whatever follows."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks)


def huge_jpeg():
    """Headers alone, of 65,500 x 65,500 pixels."""
    frame = struct.pack(">HBHHB", 17, 8, 65_500, 65_500, 3) + b"\1\x22\0\2\x11\1\3\x11\1"
    return b"\xff\xd8\xff\xc0" + frame + b"\xff\xda\0\x0c\3\1\0\2\x11\3\x11\0\x3f\0"


def huge_webp():
    """An animation of small frames whose canvas is said to have 12,000 x 12,000 pixels."""
    content = bytearray(encoded("WEBP", save_all=True, append_images=[picture(1)]))
    assert content[12:16] == b"VP8X"
    content[24:30] = (11_999).to_bytes(3, "little") * 2
    return bytes(content)


def make_pictures(folder):
    for number in range(40):
        write(folder / "pictures" / f"{number:03d}.jpg", encoded("JPEG", number))
    for number in range(10):
        for person in ("ann", "bob"):
            write(folder / "people" / person / f"{number}.png", encoded("PNG", number))
    for number in range(20):
        write(folder / "alone" / "ann" / f"{number}.png", encoded("PNG", number))
    for number in range(15):
        write(folder / "damaged" / f"{number:03d}.jpg", encoded("JPEG", number)[: 100 if number < 5 else None])
    for number in range(12):
        write(folder / "letters" / f"letter_{number:02d}.jpg", "dear")
    for number in range(3):
        write(folder / "few" / f"{number:03d}.jpg", encoded("JPEG", number))
    for name in ("twins/Ann B/0.png", "twins/ann_b/0.png", "nameless/---/0.png", "nameless/ann/0.png", "hidden/.0.png"):
        write(folder / name, encoded("PNG"))
    write(folder / "notes" / "notes.txt", "dear")
    (folder / "empty").mkdir()
    (folder / "circle").mkdir()
    (folder / "circle" / "inside").symlink_to(folder / "circle")
    (folder / "loop").symlink_to(folder / "loop")
    write(folder / "letter.txt", "dear")
    for name, token in {"short": b"secret", "odd": b"top secret token", "binary": b"\xff" * 20}.items():
        write(folder / "tokens" / name, token)


def make_images(folder):
    contents = {
        "empty.png": b"",
        "cut_off.jpg": encoded("JPEG")[:-100],
        "cut_header.jpg": encoded("JPEG")[:200],
        "cut_off.png": half(encoded("PNG")),
        "cut_off.webp": half(encoded("WEBP")),
        "beginning.jpg": b"\xff\xd8\xff",
        "beginning.png": b"\x89PNG\r\n\x1a\n",
        "beginning.webp": b"RIFF\x04\0\0\0WEBP",
        "text.png": b"dear",
        "zip.jpg": zipped({"letter.txt": b"dear"}),
        "cut_off.gif": half(encoded("GIF")),
        "beginning.gif": b"GIF89a",
        "document.jpg": b"%PDF-1.7\n",
        "drawing.png": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "telephone.jpg": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
        "sound.webp": b"RIFF\x24\0\0\0WAVEfmt ",
        "huge.png": png(20_000, 6_000, struct.pack(">I", 0) + b"IDAT"),
        "huge.jpg": huge_jpeg(),
        "huge.webp": huge_webp(),
        "no_pixels.png": png(0, 0, png_chunk(b"IDAT", zlib.compress(b"")), png_chunk(b"IEND", b"")),
        "text_bomb.png": png(1, 1, png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(100_000_000)))),
        "wrong_sums.png": encoded("PNG").replace(b"IDAT", b"IDAT\1", 1),
        "one_pixel.png": png(1, 1, png_chunk(b"IDAT", zlib.compress(bytes(4))), png_chunk(b"IEND", b"")),
    }
    for name, content in contents.items():
        write(folder / "images" / name, content)
    (folder / "images" / "folder.png").mkdir()
    os.mkfifo(folder / "images" / "pipe.png")
    (folder / "images" / "dangling.png").symlink_to(folder / "nowhere.png")


def make_labels(folder):
    header, names = "file,smiling,beard", [f"{number:03d}.jpg" for number in range(40)]
    rows = [f"{name},1,0" for name in names]

    def with_third(row):
        return "\n".join([header, *rows[:2], row, *rows[3:]])

    good = "\n".join([header, *rows])
    celeb_a = [f"{name} 1 -1" for name in names]
    contents = {
        "good.csv": good,
        "empty.csv": "",
        "blank_lines.csv": "\n\n\n",
        "one_column.csv": "\n".join(["file", *names]),
        "no_header.csv": "\n".join(rows),
        "only_header.csv": header,
        "short_row.csv": with_third("002.jpg,1"),
        "long_row.csv": with_third("002.jpg,1,0,1"),
        "two.csv": with_third("002.jpg,2,0"),
        "yes.csv": with_third("002.jpg,yes,no"),
        "fraction.csv": with_third("002.jpg,0.5,1.0"),
        "no_value.csv": with_third("002.jpg,,1"),
        "nan.csv": with_third("002.jpg,nan,1"),
        "both_forms.csv": with_third("002.jpg,-1,1"),
        "name_twice.csv": "\n".join([good, rows[0]]),
        "attribute_twice.csv": good.replace("beard", "Smiling"),
        "nameless.csv": good.replace("beard", "-"),
        "other_names.csv": good.replace(".jpg", ".jpeg"),
        "one_missing.csv": good.replace(rows[7] + "\n", ""),
        "base.csv": "\n".join([header, *(f"{number}.png,1,0" for number in range(10))]),
        "latin_1.csv": good.replace("beard", "barbé").encode("latin-1"),
        "nul_value.csv": with_third("002.jpg,1\0,0"),
        "nul_name.csv": with_third("002.jpg\0,1,0"),
        "open_quote.csv": good.replace("smiling", '"smiling'),
        "long_field.csv": good.replace("smiling", '"smiling') + "\n" + "000.jpg,1,0\n" * 20_000,
        "celeb_a_short.txt": "\n".join(["40", "Smiling Beard", celeb_a[0], "001.jpg 1", *celeb_a[2:]]),
        "celeb_a_value.txt": "\n".join(["40", "Smiling Beard", celeb_a[0], "001.jpg 1 2", *celeb_a[2:]]),
        "celeb_a_count.txt": "40\n",
        "celeb_a_names.txt": "\n".join(["40", *celeb_a]),
    }
    for name, content in contents.items():
        write(folder / "labels" / name, content)


def make_flag_files(folder):
    contents = {
        "words.flags": "dear\n",
        "unknown.flags": "--no_such_flag=1\n",
        "bad_value.flags": "--epochs=many\n",
        "nested.flags": "--flagfile=nowhere.flags\n",
        "evaluate.flags": "--vgg19_weights=imagenet\n",
    }
    for name, content in contents.items():
        write(folder / "flags" / name, content)


def zipped(members):
    """Files of a name and a content, as the bytes of a zip."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def members_of(content):
    """What `zipped` was given."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def saved(model, folder):
    """A model as the bytes of its file."""
    model.save(folder / "saved.keras")
    content = (folder / "saved.keras").read_bytes()
    (folder / "saved.keras").unlink()
    return content


def without(items, name):
    return {key: value for key, value in items.items() if key != name}


def tiny_vae(**arguments):
    return VAE(**{"image_size": 32, "filters": (8, 8), "latent_dim": 4} | arguments)


def filled(model, value):
    model.set_weights([np.full_like(weight, value) for weight in model.get_weights()])
    return model


def spoiled_descriptions(config):
    """Descriptions of a model that none of facezoo's fits, by name."""
    arguments = config["config"]
    return {
        "bad_argument": config | {"config": arguments | {"latent_dim": -1}},
        "new_argument": config | {"config": arguments | {"no_such": 1}},
        "new_class": config | {"class_name": "Nope", "registered_name": "facezoo>Nope"},
        # What may not be called whatever it is: a class that starts programs.
        "popen": {"module": "subprocess", "class_name": "Popen", "config": {"args": ["true"]}, "registered_name": None},
    }


def make_runs(folder):
    """A finished run, a mapping run, and runs of which a part is damaged or another's: by name below `runs`."""
    run = folder / "run"
    assert cli.run(["train", *TINY.split(), f"--run_dir={run}"]) == 0
    flags, model = (run / "flags.txt").read_text(), (run / "model.keras").read_bytes()
    members = members_of(model)
    sequential = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    others = members_of(saved(tiny_vae(filters=(4, 4)), folder))
    digits = flags.replace("procedural_faces", "digits") + "--channels=3\n"
    lost = flags.replace("procedural_faces", "folder")
    contents = {
        "plain": (flags, model),
        "no_flags": (None, model),
        "flags_of_junk": (bytes(range(128, 256)), model),
        "unknown_flag": (flags + "--no_such_flag=1\n", model),
        "flags_of_morph": ("--run_dir=run\n--start=test:0\n--end=test:1\n", model),
        "flags_of_words": (flags + "dear\n", model),
        "bad_value": (flags + "--epochs=many\n", model),
        "nested": (flags + "--flagfile=nowhere.flags\n", model),
        "unknown_data": (flags.replace("procedural_faces", "nope"), model),
        "lost_data": (lost + f"--data_dir={folder / 'nowhere'}\n", model),
        "lost_labels": (lost + f"--data_dir={folder / 'pictures'}\n--labels={folder / 'nowhere.csv'}\n", model),
        "other_size": (flags + "--image_size=64\n", model),
        "gray": (flags + "--channels=1\n", model),
        "digits": (digits, model),
        "no_model": (flags, None),
        "empty": (flags, b""),
        "text": (flags, b"dear"),
        "truncated": (flags, half(model)),
        "picture": (flags, encoded("PNG")),
        "foreign_zip": (flags, zipped({"letter.txt": b"dear"})),
        "no_config": (flags, zipped(without(members, "config.json"))),
        "no_weights": (flags, zipped(without(members, "model.weights.h5"))),
        "config_text": (flags, zipped(members | {"config.json": b"dear"})),
        "config_list": (flags, zipped(members | {"config.json": b"[1, 2]"})),
        "text_weights": (flags, zipped(members | {"model.weights.h5": b"dear"})),
        "other_weights": (flags, zipped(members | {"model.weights.h5": others["model.weights.h5"]})),
        "sequential": (flags, saved(sequential, folder)),
        "reader": (flags, saved(FaceFeatures(image_size=32, filters=(8, 8), convolutions=(1, 1)), folder)),
        "large": (digits, saved(filled(tiny_vae(), 1e6), folder)),
        "not_a_number": (digits, saved(filled(tiny_vae(), np.nan), folder)),
    }
    for name, spoiled in spoiled_descriptions(json.loads(members["config.json"])).items():
        contents[name] = (flags, zipped(members | {"config.json": json.dumps(spoiled).encode()}))
    for name, (flags_text, model_file) in contents.items():
        make_run(folder / "runs" / name, flags_text, model_file)
    for name in ("metrics.json", "model.keras", "flags.txt"):
        place = folder / "runs" / f"{name}_is_a_folder"
        kept = {"flags.txt": flags, "model.keras": model} | {name: None}
        make_run(place, kept["flags.txt"], kept["model.keras"])
        (place / name).mkdir()
    mapping = FaceMapping(image_size=32, filters=(8, 8), decoder_filters=(8, 8), inter_dim=8, people=("ann", "bob"))
    people = f"--dataset=folder\n--data_dir={folder / 'people'}\n--subfolders=identity\n"
    make_run(folder / "mapping", f"--model=face_mapping\n--image_size=32\n{people}", saved(mapping, folder))


def make_run(folder, flags_text, model_file):
    """What the commands read of a run; None is left out."""
    for name, content in (("flags.txt", flags_text), ("model.keras", model_file)):
        if content is not None:
            write(folder / name, content)


def make_resumable_runs(folder):
    """Copies of the run whose checkpoints are damaged, or sound but not what the run goes on from."""
    run = folder / "run"

    def copied(name):
        return Path(shutil.copytree(run, folder / "resume" / name)) / "checkpoints"

    def with_files(name, **files):
        """The newest state with other files, and the sums that go with them."""
        place = sorted(copied(name).glob("[0-9]*"))[-1]
        for file, content in files.items():
            write(place / FILES[file], content)
        sums = [f"{hashlib.sha256((place / file).read_bytes()).hexdigest()}  {file}" for file in FILES.values()]
        write(place / "SHA256SUMS", "\n".join(sums) + "\n")

    newest = sorted((run / "checkpoints").glob("[0-9]*"))[-1]
    state = json.loads((newest / "state.json").read_text())
    members = members_of((newest / "model.keras").read_bytes())
    sequential = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    with_files("other_version", state=json.dumps(state | {"no_such": 1}))
    with_files("state_of_text", state="dear")
    with_files("state_of_list", state="[1, 2]")
    with_files("step_of_text", state=json.dumps(state | {"step": "many"}))
    with_files("other_steps", state=json.dumps(state | {"steps_per_epoch": 7}))
    with_files("model_of_text", model="dear")
    with_files("no_config", model=zipped(without(members, "config.json")))
    with_files("config_text", model=zipped(members | {"config.json": b"dear"}))
    with_files("config_list", model=zipped(members | {"config.json": b"[1, 2]"}))
    with_files("other_model", model=saved(tiny_vae(latent_dim=8), folder))
    with_files("other_class", model=saved(sequential, folder))
    shutil.rmtree(copied("no_checkpoints"))
    for place in copied("damaged").glob("[0-9]*"):
        write(place / "model.keras", half((place / "model.keras").read_bytes()))
    for place in copied("no_sums").glob("[0-9]*"):
        (place / "SHA256SUMS").unlink()
    for place in copied("other_sums").glob("[0-9]*"):
        write(place / "SHA256SUMS", "dear")
    flags_file = copied("longer").parent / "flags.txt"
    write(flags_file, flags_file.read_text().replace("--epochs=1", "--epochs=3"))
    copied("in_use")


def make_weights(folder):
    """Files of VGG's weights, in the layout of keras.applications, of which not one is whole."""
    weights = folder / "weights"
    weights.mkdir()
    shallow, whole = ["block1_conv1", "block1_conv2"], [*VGG, "block3_conv3"]
    save_vgg(weights / "shallow.h5", shallow)
    save_vgg(weights / "gap.h5", [name for name in whole if name != "block1_conv2"])
    save_vgg(weights / "shapes.h5", whole, filters=8)
    save_vgg(weights / "nan.h5", whole, value=np.nan)
    save_vgg(weights / "vgg19.h5", [*whole, "block3_conv4"])
    write(weights / "truncated.h5", half((weights / "nan.h5").read_bytes()))
    write(weights / "empty.h5", b"")
    write(weights / "text.h5", "dear")
    with h5py.File(weights / "other.h5", "w") as file:
        file["measurements"] = np.arange(5)
    dense = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    dense.save_weights(weights / "dense.weights.h5")


def save_vgg(path, names, filters=64, value=0.0):
    """Convolutions that all have the shape of the first one."""
    with h5py.File(path, "w") as file:
        for name in names:
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{name}_W", f"{name}_b"]
            group[f"{name}_W"] = np.full((3, 3, 3, filters), value, np.float32)
            group[f"{name}_b"] = np.zeros(filters, np.float32)


def make_cards(folder):
    """Folders of weights that ship, each with a model called tiny of which something is wrong."""
    cards = folder / "cards"
    card = {"name": "tiny", "recipe": "none", "data": "none"}
    pretrained.save_pretrained(tiny_vae(), "tiny", card, cards / "sound")
    pretrained.save_pretrained(tiny_vae(), "tiny", card, cards)  # outside of all those folders
    pretrained.save_pretrained(tiny_vae(filters=(4, 4)), "tiny", card, cards / "smaller")
    sound, weights = (cards / "sound" / "tiny.json").read_text(), (cards / "sound" / "tiny.npz").read_bytes()
    card = json.loads(sound)
    pickled = io.BytesIO()
    np.savez(pickled, **{"0000": np.array([{}], dtype=object)})

    def with_weights(name, data):
        """Other weights, and a card that speaks of them."""
        make_card(cards / name, json.dumps(card | {"sha256": hashlib.sha256(data).hexdigest()}), data)

    for name in ("recipe", "data", "sha256", "model"):
        make_card(cards / f"no_{name}", json.dumps(without(card, name)), weights)
    make_card(cards / "other_hash", json.dumps(card | {"sha256": "0" * 64}), weights)
    make_card(cards / "of_text", "dear", weights)
    make_card(cards / "of_junk", bytes(range(128, 256)), weights)
    make_card(cards / "of_a_list", "[1, 2]", weights)
    make_card(cards / "no_weights", sound, None)
    with_weights("text_weights", b"dear")
    with_weights("pickled_weights", pickled.getvalue())
    with_weights("other_weights", (cards / "smaller" / "tiny.npz").read_bytes())
    for name, description in spoiled_descriptions(card["model"]).items():
        make_card(cards / name, json.dumps(card | {"model": description}), weights)
    write(cards / "face_of_text" / "face_features.json", "dear")


def make_card(folder, card, weights):
    write(folder / "tiny.json", card)
    if weights is not None:
        write(folder / "tiny.npz", weights)


def make_junk_of_tfds(folder):
    write(folder / "tfds" / "mnist" / "3.0.1" / "dataset_info.json", "dear")


def make_packs(folder):
    """One that is sound, and copies of it with something wrong."""
    names = [f"{number:03d}.jpg" for number in range(40)]
    sound, first = folder / "packs" / "sound", "train-00000.tfrecord"
    for pack, source_names in ((sound, names), (folder / "packs" / "train", names[:1])):
        pack.mkdir(parents=True)
        write_pack(Source("made/all", source_names, flat_pictures, (16, 16, 3)), pack, 10**6)
    index = (sound / "index.json").read_text()
    for name, changed in {
        "words": "dear",
        "foreign": '{"version": 1}',
        "version": index.replace('"version": 1', '"version": 2'),
        "splits": index.replace("splits", "parts"),
    }.items():
        write(shutil.copytree(sound, sound.with_name(name)) / "index.json", changed)
    for name in ("missing", "truncated", "changed"):
        shutil.copytree(sound, sound.with_name(name))
    records = (sound / first).read_bytes()
    (sound.with_name("missing") / first).unlink()
    write(sound.with_name("truncated") / first, half(records))
    write(sound.with_name("changed") / first, records[:100] + bytes(len(records) - 100))


def flat_pictures(positions):
    return {"image": np.full((len(positions), 16, 16, 3), 100, np.uint8)}


def make_locked_folder(folder):
    """For those whom permissions bind."""
    for name in ("flags.txt", "model.keras", "a.png", "a.csv"):
        write(folder / "locked" / name, "dear")
    (folder / "locked").chmod(0)


@pytest.fixture(scope="module")
def materials(tmp_path_factory):
    """A folder of everything that the rows speak of; no row may change it."""
    folder = tmp_path_factory.mktemp("materials")
    make_pictures(folder)
    make_images(folder)
    make_labels(folder)
    make_flag_files(folder)
    make_runs(folder)
    make_resumable_runs(folder)
    make_weights(folder)
    make_cards(folder)
    make_junk_of_tfds(folder)
    make_packs(folder)
    make_locked_folder(folder)
    with filelock.FileLock(folder / "resume" / "in_use" / ".lock"):
        yield folder
    (folder / "locked").chmod(0o700)  # or else it could not be removed


# What is asked of every row.


def listing(folder):
    """Every path below a folder, with the size and the time of the last change of files; locks say who came last."""
    found = {}
    for place, folders, names in os.walk(folder):
        found |= dict.fromkeys(f"{place}/{name}" for name in folders)
        for name in names:
            status = os.lstat(f"{place}/{name}")
            is_fixed = stat.S_ISREG(status.st_mode) and name != ".lock"
            found[f"{place}/{name}"] = (status.st_size, status.st_mtime_ns) if is_fixed else None
    return found


@pytest.fixture(scope="module")
def listed(materials):
    """What the materials hold before any row."""
    return listing(materials)


@pytest.fixture
def refused(command, materials, listed, empty_folder, tmp_path, monkeypatch):
    """Runs a row, and holds what happens against what every refusal must be."""

    def begin(*arguments, **options):
        raise AssertionError("a training began, which could take hours")

    def check(case):
        monkeypatch.setattr(training_run, "take_steps", begin)
        if case.cards:
            ship_instead(materials / "cards" / case.cards, monkeypatch)
        with shown_warnings():
            done = command(*(argument.replace("@", str(materials)) for argument in shlex.split(case.arguments)))
        assert done.code == 2, done.err
        assert "Traceback" not in done.err
        assert len(done.err.strip().splitlines()) <= MOST_LINES, done.err
        _, *messages = re.split(r"^facezoo: ", done.err, flags=re.MULTILINE)
        assert len(messages) == 1, done.err
        for fragment in case.fragments:
            assert fragment.replace("@", str(materials)) in messages[0]
        assert not listing(empty_folder)
        assert {path.name for path in tmp_path.iterdir()} <= {empty_folder.name, "cache"}
        assert listing(materials) == listed

    return check


@contextlib.contextmanager
def shown_warnings():
    """Python's warnings are lines on stderr, as for a user, and not errors, as for the other tests."""

    def show(message, category, *place):
        print(f"{category.__name__}: {message}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
            warnings.simplefilter("ignore", category)
        warnings.showwarning = show
        yield


def ship_instead(folder, monkeypatch):
    """Lets a folder stand in for the weights that ship with the package."""
    monkeypatch.setattr(pretrained, "FOLDER", folder)
    monkeypatch.setattr(files, "WEIGHTS_FOLDER", folder)
    for function in (pretrained.load_pretrained, pretrained.read_card):
        monkeypatch.setattr(function, "__defaults__", (folder,))


@table(COMMANDS)
def test_what_is_no_command_is_answered_with_the_commands(refused, case):
    refused(case)


@table(UNKNOWN_FLAGS)
def test_an_unknown_flag_is_named(refused, case):
    refused(case)


@table(WORDS)
def test_a_word_that_is_no_flag_is_named(refused, case):
    refused(case)


@table(MISSING_FLAGS)
def test_a_flag_that_is_required_is_asked_for(refused, case):
    refused(case)


@table(FLAG_FILES)
def test_a_flag_file_that_holds_no_flags_is_named(refused, case):
    refused(case)


@table(TRAIN_VALUES)
def test_a_value_that_a_flag_of_train_cannot_have_is_named(refused, case):
    refused(case)


@table(MODEL_ARGUMENTS)
def test_an_argument_that_a_model_cannot_have_is_named(refused, case):
    refused(case)


@table(COMBINATIONS)
def test_flags_that_do_not_go_together_are_named(refused, case):
    refused(case)


@table(TRAINING_FOLDERS)
def test_a_folder_that_cannot_be_trained_into_is_named_and_left_alone(refused, case):
    refused(case)


@table(FINISHED_RUNS)
def test_a_run_that_cannot_be_opened_is_named(refused, case):
    refused(case)


@table(EVALUATIONS)
def test_what_cannot_be_measured_is_named(refused, case):
    refused(case)


@table(ANALYSES)
def test_what_cannot_be_analysed_leaves_nothing(refused, case):
    refused(case)


@table(TRAINING_WEIGHTS)
def test_weights_that_training_cannot_take_are_named(refused, case):
    refused(case)


@table(CARDS)
def test_weights_that_ship_are_held_against_their_card(refused, case):
    refused(case)


@table(FACES)
def test_a_face_that_cannot_be_had_is_named(refused, case):
    refused(case)


@table(MORPHS)
def test_a_morph_that_cannot_be_made_leaves_nothing(refused, case):
    refused(case)


@table(ENCODINGS)
def test_pictures_that_cannot_be_encoded_leave_nothing(refused, case):
    refused(case)


@table(SWAPS)
def test_faces_that_cannot_be_swapped_leave_nothing(refused, case):
    refused(case)


@table(EXPLORATIONS)
def test_what_cannot_be_explored_is_named(refused, case):
    refused(case)


@table(PUBLICATIONS)
def test_a_run_that_cannot_be_published_leaves_nothing(refused, case):
    refused(case)


@table(SHEETS)
def test_a_sheet_that_cannot_be_drawn_leaves_nothing(refused, case):
    refused(case)


@table(FOLDERS)
def test_a_folder_that_is_no_data_set_is_named(refused, case):
    refused(case)


@table(PACKINGS)
def test_pictures_that_cannot_be_packed_leave_nothing(refused, case):
    refused(case)


@table(PACKS)
def test_a_folder_that_is_no_sound_pack_is_named(refused, case):
    refused(case)


@table(LABEL_FILES)
def test_labels_that_do_not_fit_are_named_with_their_line(refused, case):
    refused(case)
