"""Of two commands that make the same thing at once one is refused, and of what is there nothing is lost."""

import pytest
from command_line import assert_refused, photographs_in
from facezoo import files

# By command: its flags, what it makes, and the name that it holds meanwhile; and what comes beside.
BESIDE = {"publish": ("mine.json", "mine.md", "mine.png"), "sample": ("faces-sheet.png",)}
COMMANDS = {
    "encode": ("--run_dir={run} --in={pictures} --out={made}", "codes.npz", "codes.npz"),
    "attributes": ("--run_dir={run} --count=64 --out={made}", "vectors.npz", "vectors.npz"),
    "datasets": ("--show=procedural_faces --count=2 --image_size=32 --out={made}", "sheet.png", "sheet.png"),
    "publish": ("--run_dir={run} --name=mine --out={above}", "mine.npz", "mine"),
    "morph": ("--run_dir={run} --start=test:0 --end=test:1 --steps=2 --out={made}", "morphs", "morphs"),
    "edit": ("--run_dir={run} --image=test:0 --attribute=smiling --vectors={vectors} --out={made}", "edits", "edits"),
    "sample": ("--run_dir={run} --count=2 --out={made}", "faces", "faces"),
    "pack": ("--in={pictures} --size=16 --out={made}", "pack", "pack"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_second_of_two_is_refused(name, command, finished, tmp_path):
    arguments, made, held = COMMANDS[name]
    above = tmp_path / "above"
    photographs_in(tmp_path / "pictures", 4)
    if name == "edit":
        assert (
            command("attributes", f"--run_dir={finished}", "--count=200", f"--out={tmp_path / 'vectors.npz'}").code == 0
        )
    places = {"run": finished, "pictures": tmp_path / "pictures", "above": above, "made": above / made}
    flags = arguments.format(**places, vectors=tmp_path / "vectors.npz").split()
    with files.lock(above / held):
        assert_refused(command(name, *flags), str(above / held), "another facezoo is making it")
        assert not (above / made).exists()
    done = command(name, *flags)
    assert done.code == 0, done.err
    assert {path.name for path in above.iterdir()} == {made, *BESIDE.get(name, ())}
    before = (above / made).stat().st_mtime_ns
    assert_refused(command(name, *flags), str(above / made))
    assert (above / made).stat().st_mtime_ns == before
