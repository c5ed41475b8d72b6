"""Films are read as they are shown and written with the rate and sound of their source, whatever they are made of."""

import itertools
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from facezoo import films
from facezoo.films import FilmError, FilmWriter, Parts, probe, read_frames, writing
from facezoo.films.probing import FASTEST, SLOWEST, USUAL, _find_rate, find_ffmpeg

pytestmark = pytest.mark.usefixtures("empty_folder")

SOUND = ("-f", "lavfi", "-i", "sine=440:d=1")


def ffmpeg(*arguments):
    subprocess.run((find_ffmpeg(), "-v", "error", "-y", *arguments), check=True, stdin=subprocess.DEVNULL)


def draw(name, *options, size="48x32", rate="10", sound=False):
    """A film of a second, whose frames all differ."""
    picture = ("-f", "lavfi", "-i", f"testsrc=s={size}:r={rate}:d=1")
    ffmpeg(*picture, *(SOUND if sound else ()), *options, name)
    return Path(name)


def negative(path, out="out.mp4", key="key"):
    """The same film in its negative colours, by way of facezoo."""
    source = probe(path)
    writer = FilmWriter(Path(out), source, key)
    return writer.write((255 - frame for frame in read_frames(source, writer.num_done)), "a negative")


def test_a_film_keeps_its_frames_rate_and_sound():
    source = draw("in.mp4", "-pix_fmt", "yuv420p", rate="30000/1001", sound=True)
    assert negative(source) == 30
    made = probe(Path("out.mp4"))
    assert (made.frames_per_second, made.has_sound, made.num_frames) == (Fraction(30000, 1001), True, 30)
    pairs = zip(read_frames(probe(source)), read_frames(made), strict=True)
    assert max(np.abs(255.0 - before - after).mean() for before, after in pairs) < 4.0
    said = subprocess.run((find_ffmpeg(), "-hide_banner", "-i", "out.mp4"), capture_output=True, text=True).stderr
    assert "a negative" in said
    assert sorted(path.name for path in Path().iterdir()) == ["in.mp4", "out.mp4"]


@pytest.mark.parametrize(
    ("name", "options", "shape", "count"),
    [
        ("odd.mp4", ("-vf", "scale=47:31", "-pix_fmt", "yuv444p"), (31, 47, 3), 10),
        ("ten.mkv", ("-pix_fmt", "yuv420p10le"), (32, 48, 3), 10),
        ("gray.avi", ("-c:v", "ffv1", "-pix_fmt", "gray"), (32, 48, 3), 10),
        ("wide.mp4", ("-vf", "setsar=2"), (32, 96, 3), 10),
        ("film.webm", ("-c:v", "libvpx"), (32, 48, 3), 10),
        ("varies.mkv", ("-vf", "select=lt(n\\,5)+eq(n\\,9)", "-fps_mode", "vfr"), (32, 48, 3), 10),
    ],
)
def test_frames_are_as_they_are_shown(name, options, shape, count):
    frames = list(read_frames(probe(draw(name, *options))))
    assert {frame.shape for frame in frames} == {shape}
    assert abs(len(frames) - count) <= 1
    assert negative(Path(name)) == len(frames)


def test_a_film_that_is_too_fast_is_read_at_the_fastest_rate_and_told(caplog):
    film = probe(draw("fast.mkv", "-c:v", "ffv1", rate="480"))
    assert film.frames_per_second == FASTEST
    assert "fast.mkv has 480 frames a second: it is read at 240" in caplog.text
    assert abs(len(list(read_frames(film))) - 240) <= 2
    lines = ["1k fps", "500 fps, 50 tbr", "0 fps", "0.001 fps", "1000 tbn"]
    rates = [_find_rate(Path("a"), f"Stream: Video: a, {line}") for line in lines]
    assert rates == [FASTEST, 50, USUAL, SLOWEST, USUAL]


def test_a_film_that_was_turned_is_upright():
    draw("lying.mp4")
    ffmpeg("-display_rotation", "90", "-i", "lying.mp4", "-c", "copy", "turned.mp4")
    lying, turned = (next(read_frames(probe(Path(name)))) for name in ("lying.mp4", "turned.mp4"))
    assert turned.shape == (48, 32, 3)
    np.testing.assert_array_equal(turned, np.rot90(lying))


@pytest.mark.parametrize(
    ("name", "codec", "kept"),
    [
        ("in.mkv", "wmav2", "aac"),
        ("in.mov", "pcm_s16le", "aac"),
        ("in.mkv", "libvorbis", "aac"),
        ("in.mkv", "libmp3lame", "mp3"),
        ("in.mkv", "ac3", "ac3"),
    ],
)
def test_sound_that_players_of_mp4_do_not_know_is_encoded_anew(name, codec, kept):
    negative(draw(name, "-c:a", codec, sound=True))
    assert probe(Path("out.mp4")).sound == kept


def test_sound_that_cannot_be_read_is_left_out_and_told(caplog):
    source = draw("whole.mkv", "-c:a", "pcm_s16le", sound=True)
    Path("in.mkv").write_bytes(source.read_bytes().replace(b"A_PCM/INT/LIT", b"A_XYZ/INT/LIT"))
    assert probe(Path("in.mkv")).has_sound
    assert negative(Path("in.mkv")) == 10
    assert not probe(Path("out.mp4")).has_sound
    assert "out.mp4 has no sound: that of in.mkv cannot be read" in caplog.text
    assert sorted(path.name for path in Path().iterdir()) == ["in.mkv", "out.mp4", "whole.mkv"]


def test_a_film_that_is_cut_gives_what_is_there(caplog):
    whole = draw("whole.mkv", "-g", "2", size="96x96")
    Path("cut.mkv").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    count = len(list(read_frames(probe(Path("cut.mkv")))))
    assert 0 < count < 10
    assert f"cut.mkv is damaged or cut: {count} frames of it are read" in caplog.text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "film.mp4 is not there"),
        (b"", "is no film that ffmpeg can read"),
        (b"no film" * 100, "is no film that ffmpeg can read"),
        (b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n#EXT-X-ENDLIST\n", "is no film that ffmpeg can read"),
        (b"ffconcat version 1.0\nfile other.mp4\n", "is no film that ffmpeg can read"),
    ],
)
def test_what_is_no_film_is_answered_in_a_line(content, words):
    if content is not None:
        Path("film.mp4").write_bytes(content)
    with pytest.raises(FilmError, match=words) as told:
        probe(Path("film.mp4"))
    assert "\n" not in str(told.value)


def test_sound_alone_is_no_film():
    ffmpeg(*SOUND, "sound.mp4")
    with pytest.raises(FilmError, match="it has sound, but no pictures"):
        probe(Path("sound.mp4"))


def test_a_film_that_was_stopped_goes_on_and_is_the_same(monkeypatch):
    monkeypatch.setattr(writing, "PART_FRAMES", 4)
    source = probe(draw("in.mp4"))
    negative(source.path, "whole.mp4")
    first = FilmWriter(Path("out.mp4"), source, "key")

    def broken():
        yield from itertools.islice((255 - frame for frame in read_frames(source)), 6)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        first.write(broken(), "a negative")
    assert not Path("out.mp4").exists()
    second = FilmWriter(Path("out.mp4"), source, "key")
    assert second.num_done == 4
    assert FilmWriter(Path("out.mp4"), source, "another").num_done == 0
    assert second.write((255 - frame for frame in read_frames(source, 4)), "a negative") == 10
    for one, other in zip(*(read_frames(probe(Path(name))) for name in ("whole.mp4", "out.mp4")), strict=True):
        np.testing.assert_array_equal(one, other)
    assert sorted(path.name for path in Path().iterdir()) == ["in.mp4", "out.mp4", "whole.mp4"]


def test_a_film_in_the_place_stays():
    source = draw("in.mp4")
    Path("out.mp4").write_text("mine")
    with pytest.raises(OSError, match=r"out\.mp4"):
        negative(source)
    assert Path("out.mp4").read_text() == "mine"


def test_a_film_may_be_called_anything_and_lie_anywhere():
    Path("a#b ?c").mkdir()
    source = draw("a#b ?c/in #1?.mp4", sound=True)
    assert negative(source, "a#b ?c/out #2?.mp4") == 10
    assert probe(Path("a#b ?c/out #2?.mp4")).has_sound


def test_two_that_make_one_film_do_not_spoil_its_parts():
    source = probe(draw("in.mp4"))
    late = FilmWriter(Path("out.mp4"), source, "key")
    late.folder.mkdir()
    (late.folder / f"000000-{writing.PART_FRAMES}.mp4").write_bytes(b"of another process")
    with pytest.raises(FilmError, match="is being made by another process"):
        late.write(read_frames(source), "a test")


def test_pixels_that_only_the_container_says_are_no_squares_are_made_squares():
    draw("codec.mp4")
    ffmpeg("-i", "codec.mp4", "-c", "copy", "-aspect", "4:1", "container.mkv")
    assert next(read_frames(probe(Path("container.mkv")))).shape == (32, 128, 3)


def test_parts_are_not_written_through_a_link():
    Path("elsewhere").mkdir()
    Path(".out.mp4.key.parts").symlink_to("elsewhere")
    with pytest.raises(FilmError, match="is a link"):
        negative(draw("in.mp4"))
    assert not list(Path("elsewhere").iterdir())


def test_what_a_killed_process_was_writing_goes_with_the_rest():
    parts = films.Parts(Path("out.mp4"), "key")
    parts.save("mean", mean=np.zeros(1))
    for name in (".facezoo-partial-123-0.npz", ".facezoo-partial-0.mp4", "mine.txt"):
        (parts.folder / name).touch()
    parts.clear()
    assert [path.name for path in parts.folder.iterdir()] == ["mine.txt"]
    (parts.folder / "mine.txt").unlink()
    parts.clear()
    assert not parts.folder.exists()


def test_films_are_told_by_their_names():
    draw("in.mp4")
    Path("notes.txt").write_text("no film")
    assert films.is_film(Path("in.mp4"))
    assert not films.is_film(Path("notes.txt"))
    assert not films.is_film(Path("nowhere.mp4"))


def test_a_film_may_have_the_longest_name_there_is():
    name = f"{'ä' * 120}.mp4"
    assert negative(draw("in.mp4"), name) == 10
    assert sorted(path.name for path in Path().iterdir()) == ["in.mp4", name]


def test_what_is_kept_of_another_is_no_part_of_it_and_stays():
    parts = Parts(Path("out.mp4"), "b" * 16)
    parts.save("mean", mean=np.arange(3.0))
    np.testing.assert_array_equal(parts.load("mean")["mean"], np.arange(3.0))
    assert parts.load("other") is None
    (parts.folder / "letter.txt").write_text("mine")
    assert Parts(Path("out.mp4"), "a" * 16).list_others() == [parts.folder]
    parts.clear()
    assert [path.name for path in parts.folder.iterdir()] == ["letter.txt"]
