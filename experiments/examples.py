"""Two examples of each command, and the page that tells of it: for its help and for the documents."""

from typing import NamedTuple


class Example(NamedTuple):
    """A command line.

    Attributes:
      line: as it is typed.
      says: what it does.
    """

    line: str
    says: str


class Guide(NamedTuple):
    """What leads a reader into a command.

    Attributes:
      page: of docs/, without its ending.
      examples: two.
    """

    page: str
    examples: tuple[Example, Example]


GUIDES = {
    "demo": Guide(
        "morphing",
        (
            Example("facezoo demo", "Warps two drawn faces, then trains for two minutes and morphs them by codes."),
            Example("facezoo demo --start=test:4 --end=test:8 --run_dir=runs/others", "With two other drawn faces."),
        ),
    ),
    "studio": Guide(
        "photographs",
        (
            Example(
                "facezoo studio PHOTOGRAPHS --out=studio",
                "Faces, training, measures, a morph and a model card, one after the other.",
            ),
            Example(
                "facezoo studio PHOTOGRAPHS --out=studio --size=128 --pictures",
                "At 128 pixels, with faces on the card.",
            ),
        ),
    ),
    "train": Guide(
        "photographs",
        (
            Example(
                "facezoo train --recipe=photographs --data_dir=CROPS --run_dir=runs/mine",
                "Goes on from weights that ship, with a folder of crops, as facezoo align makes it.",
            ),
            Example(
                "facezoo train --model=vae --dataset=procedural_faces --epochs=10 --dry_run",
                "Shows the settings, the parameters and one batch of a training, and writes nothing.",
            ),
        ),
    ),
    "evaluate": Guide(
        "measuring",
        (
            Example("facezoo evaluate --run_dir=runs/mine", "PSNR, SSIM and every loss term on the test split."),
            Example(
                "facezoo evaluate --run_dir=vae --metrics=kid --what=samples --count=500",
                "How good new faces are, drawn from weights that ship.",
            ),
        ),
    ),
    "compare": Guide(
        "measuring",
        (
            Example("facezoo compare runs/a runs/b", "Two runs: settings that differ, figures, curves, pictures."),
            Example("facezoo compare runs/a runs/b vae --out=side_by_side", "With one that ships."),
        ),
    ),
    "analyse": Guide(
        "editing",
        (
            Example("facezoo analyse --run_dir=runs/mine", "Traversals by KL, histograms, PCA and t-SNE of the codes."),
            Example(
                "facezoo analyse --run_dir=vae --count=500 --attribute=smiling --nodisentanglement --out=analysis",
                "Of fewer faces, coloured by an attribute, without the measures that take long.",
            ),
        ),
    ),
    "morph": Guide(
        "morphing",
        (
            Example(
                "facezoo morph --start=a.jpg --end=b.jpg", "Warps two photographs into each other, without any model."
            ),
            Example(
                "facezoo morph --run_dir=runs/mine --start=a.jpg --end=b.jpg --align --method=warp+code --steps=48",
                "By a warp and the codes of a trained model, in 48 pictures.",
            ),
        ),
    ),
    "make-morph": Guide(
        "morphing",
        (
            Example("facezoo make-morph a.jpg b.jpg c.jpg --out=film.mp4", "One film through three photographs."),
            Example(
                "facezoo make-morph test:1145 test:1040 --seconds=3 --size=256 --closed --out=round.mp4",
                "Of drawn faces, there and back, smaller.",
            ),
        ),
    ),
    "encode": Guide(
        "commands",
        (
            Example(
                "facezoo encode --run_dir=runs/mine --in=CROPS --out=codes.npz", "The codes of a folder of pictures."
            ),
            Example(
                "facezoo encode --run_dir=cae --in=CROPS --reconstructions=decoded",
                "With the pictures that weights that ship decode from them.",
            ),
        ),
    ),
    "attributes": Guide(
        "editing",
        (
            Example("facezoo attributes --run_dir=vae --out=vectors.npz", "Of all attributes that the data know."),
            Example(
                "facezoo attributes --run_dir=runs/faces --attributes=beard,eyeglasses --count=2000",
                "Two, from the first 2,000 faces; kept with the run, where facezoo edit finds them.",
            ),
        ),
    ),
    "edit": Guide(
        "editing",
        (
            Example(
                "facezoo edit --run_dir=runs/faces --image=a.jpg --align --attribute=beard", "From shaven to bearded."
            ),
            Example(
                "facezoo edit --run_dir=runs/faces --image=a.jpg --attribute=eyeglasses --keep=beard --strength=0:2:5",
                "Five pictures with more and more of glasses, and as much beard as before.",
            ),
        ),
    ),
    "sample": Guide(
        "editing",
        (
            Example("facezoo sample --run_dir=vae --count=64 --out=faces", "New faces from weights that ship."),
            Example(
                "facezoo sample --run_dir=runs/mine --count=10000 --format=packed --out=PACK", "A pack to train on."
            ),
        ),
    ),
    "swap": Guide(
        "mapping",
        (
            Example(
                "facezoo swap --run_dir=runs/mapping --in=CROPS --to=ann --out=swapped",
                "Every face of a folder as one of the people that the model was trained on.",
            ),
            Example(
                "facezoo swap --run_dir=runs/mapping --in=clip.mp4 --to=ann --out=film.mp4 --align --paste",
                "Put back into the frames of a film; so with a folder of photographs, into another folder.",
            ),
        ),
    ),
    "align": Guide(
        "photographs",
        (
            Example("facezoo align --in=PHOTOGRAPHS --out=CROPS --size=128", "Crops of 128 pixels to train on."),
            Example(
                "facezoo align --in=PHOTOGRAPHS --out=CROPS --faces=all --template=celeba --margin=0.25",
                "All faces of each photograph, cut as CelebA's are, with more around them.",
            ),
        ),
    ),
    "pack": Guide(
        "photographs",
        (
            Example("facezoo pack --in=CROPS --out=PACK --size=64", "A few large files instead of many small ones."),
            Example("facezoo pack --in=CROPS --out=PACK --size=128 --channels=1 --shard_mb=512", "In gray, larger."),
        ),
    ),
    "explore": Guide(
        "editing",
        (
            Example("facezoo explore", "A page on this machine that warps two photographs into each other."),
            Example(
                "facezoo explore --run_dir=runs/mine --host=0.0.0.0 --token=make",
                "A trained model's sliders, for other machines, behind a token.",
            ),
        ),
    ),
    "models": Guide(
        "models",
        (
            Example("facezoo models", "The architectures with what they take, and the weights that ship."),
            Example("facezoo models --help", "This help: the command takes no flags."),
        ),
    ),
    "datasets": Guide(
        "drawn_faces",
        (
            Example("facezoo datasets", "What there is to train on."),
            Example("facezoo datasets --show=procedural_faces --out=sheet.png", "A labelled sheet of drawn faces."),
        ),
    ),
    "distill": Guide(
        "compression",
        (
            Example("facezoo distill --run_dir=vae --out=runs/small", "A small decoder for codes of one that ships."),
            Example("facezoo distill --run_dir=runs/mine --width=96 --steps=10000 --out=runs/small", "A wider one."),
        ),
    ),
    "compress": Guide(
        "compression",
        (
            Example("facezoo compress --run_dir=cae --quantise=int4 --out=runs/coarse", "Kernels of four bits."),
            Example("facezoo compress --run_dir=vae --prune_channels=0.35 --out=runs/narrow", "Half of the work."),
        ),
    ),
    "export": Guide(
        "exporting",
        (
            Example(
                "facezoo export --run_dir=runs/mine --format=onnx --precision=int8 --out=files",
                "Encoder and decoder in eight bits, held to the model on test faces.",
            ),
            Example(
                "facezoo export --run_dir=vae --format=web --out=page",
                "A page that morphs, edits and draws faces in a browser, without a server.",
            ),
        ),
    ),
    "publish": Guide(
        "publishing",
        (
            Example("facezoo publish --run_dir=runs/mine --out=published", "Weights in float16, beside their card."),
            Example(
                "facezoo publish --run_dir=runs/mine --nopictures --to=hf://USER/NAME --license=cc-by-nc-4.0",
                "On the Hugging Face hub as well, in a private repository.",
            ),
        ),
    ),
    "benchmark": Guide(
        "results",
        (
            Example("facezoo benchmark --measure=train --models=vae", "How fast a model trains here."),
            Example("facezoo benchmark --measure=morph --pairs=20 --out=morphs.json", "How good morphs are."),
        ),
    ),
    "launch": Guide(
        "scaling",
        (
            Example(
                "facezoo launch --workers=2 -- train --recipe=vae --run_dir=runs/two",
                "One training by two processes on this machine.",
            ),
            Example(
                "facezoo launch --workers=4 --restarts=0 -- train --model=cae --run_dir=runs/four",
                "By four, which all end where one does.",
            ),
        ),
    ),
    "sweep": Guide(
        "measuring",
        (
            Example("facezoo sweep --file=sweep.toml --out=runs/sweep", "All runs of a file, one after the other."),
            Example(
                "facezoo sweep --file=sweep.toml --out=runs/sweep --metrics=psnr,lpips --table=page.md",
                "Measured, and written into the table of a page.",
            ),
        ),
    ),
    "doctor": Guide(
        "machines",
        (
            Example("facezoo doctor", "What this machine has and what runs on it; 20 seconds."),
            Example("facezoo doctor --noself_test", "Looks, and tries nothing."),
        ),
    ),
}
