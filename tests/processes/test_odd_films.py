"""Films that are odd or damaged: each is read as it is shown and made with its rate, length and sound, or refused."""

import os
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from facezoo.films import FilmError, FilmWriter, probe, read_frames
from facezoo.films.probing import find_ffmpeg

pytestmark = pytest.mark.usefixtures("empty_folder")

SOUND = ("-f", "lavfi", "-i", "sine=440:d=1")
SIZE = (32, 48)
LOST = 24.0  # of 255, by coding alone: 21 of a film of 2x2 pixels, 16 of fine colours, 10 of others


def ffmpeg(*arguments):
    subprocess.run((find_ffmpeg(), "-v", "error", "-y", *arguments), check=True, stdin=subprocess.DEVNULL, timeout=60)


def draw(name, *options, size="48x32", rate="10", seconds="1"):
    ffmpeg("-f", "lavfi", "-i", f"testsrc=s={size}:r={rate}:d={seconds}", *options, name)


def with_sound(name, *options, sound=SOUND):
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=48x32:r=10:d=1", *sound, *options, name)


def turn(name, degrees):
    draw("lying.mp4", "-pix_fmt", "yuv420p")
    ffmpeg("-display_rotation", degrees, "-i", "lying.mp4", "-c", "copy", name)


def cut(name, share, *options):
    draw(f"whole-{name}", "-g", "2", *options, size="96x96")
    whole = Path(f"whole-{name}").read_bytes()
    Path(name).write_bytes(whole[: int(share * len(whole))])


def spoil(name):
    draw(f"whole-{name}", "-g", "2", size="96x96")
    whole = bytearray(Path(f"whole-{name}").read_bytes())
    for place in range(len(whole) // 3, 2 * len(whole) // 3, 50):
        whole[place] ^= 0xFF
    Path(name).write_bytes(whole)


def change_size(name):
    for number, size in enumerate(("48x32", "64x64")):
        draw(f"{number}.ts", "-c:v", "mpeg2video", size=size, rate="25")
    Path(name).write_bytes(Path("0.ts").read_bytes() + Path("1.ts").read_bytes())


def add_cover(name):
    draw("cover.png", "-frames:v", "1")
    with_sound("plain.mp4")
    cover = ("-map", "1:v", "-map", "0", "-c", "copy", "-disposition:v:0", "attached_pic")
    ffmpeg("-i", "plain.mp4", "-i", "cover.png", *cover, name)


def cover_alone(name):
    draw("cover.png", "-frames:v", "1")
    ffmpeg(*SOUND, "-i", "cover.png", "-map", "0", "-map", "1", "-c:v", "copy", "-disposition:v", "attached_pic", name)


def pipe_out(name):
    """A film without its length in it, as cameras of web pages send it."""
    picture = ("-f", "lavfi", "-i", "testsrc=s=48x32:r=10:d=1")
    command = (find_ffmpeg(), "-v", "error", *picture, "-c:v", "libvpx", "-f", "webm", "-")
    Path(name).write_bytes(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)


class Good(NamedTuple):
    """A film that is read, and what of it: about so many frames, of a size and a rate."""

    name: str
    make: object
    count: int = 10
    size: tuple[int, int] = SIZE
    rate: Fraction = Fraction(10)
    sound: bool = False


YUV = ("-pix_fmt", "yuv420p")
GOOD = [
    Good("plain.mp4", lambda name: with_sound(name, *YUV), sound=True),
    Good("silent.mp4", lambda name: draw(name, *YUV)),
    Good("one_frame.mp4", lambda name: draw(name, "-frames:v", "1"), 1),
    Good("odd_sides.mp4", lambda name: draw(name, "-vf", "scale=47:31", "-pix_fmt", "yuv444p"), size=(31, 47)),
    Good("ten_bits.mkv", lambda name: draw(name, "-pix_fmt", "yuv420p10le")),
    Good("wide_colours.mkv", lambda name: draw(name, "-pix_fmt", "yuv420p10le", "-color_trc", "smpte2084")),
    Good("portrait.mp4", lambda name: turn(name, "90"), size=(48, 32)),
    Good("upside_down.mov", lambda name: turn(name, "180")),
    Good("wide_pixels.mp4", lambda name: draw(name, "-vf", "setsar=2"), size=(32, 96)),
    Good("varying.mkv", lambda name: draw(name, "-vf", "select=lt(n\\,5)+eq(n\\,9)", "-fps_mode", "vfr")),
    Good("ntsc.mpg", lambda name: draw(name, "-c:v", "mpeg2video", rate="30000/1001"), 30, rate=Fraction(30000, 1001)),
    Good("fast.mp4", lambda name: draw(name, rate="240", seconds="0.1"), 24, rate=Fraction(240)),
    Good("slow.mp4", lambda name: draw(name, rate="1/2", seconds="6"), 3, rate=Fraction(1, 2)),
    Good("gray.avi", lambda name: draw(name, "-c:v", "ffv1", "-pix_fmt", "gray")),
    Good("two_colours.mkv", lambda name: draw(name, "-c:v", "ffv1", "-pix_fmt", "gray10le")),
    Good("stills.avi", lambda name: draw(name, "-c:v", "mjpeg")),
    Good("vp8.webm", lambda name: draw(name, "-c:v", "libvpx")),
    Good("vp9.webm", lambda name: draw(name, "-c:v", "libvpx-vp9", "-cpu-used", "8")),
    Good("piped.webm", pipe_out),
    Good("moving.gif", lambda name: draw(name)),
    Good("gif.mp4", lambda name: (draw("a.gif"), Path("a.gif").rename(name))),
    Good("seen_through.mov", lambda name: draw(name, "-c:v", "png", "-pix_fmt", "rgba")),
    Good("seen_through.webm", lambda name: draw(name, "-c:v", "libvpx", "-auto-alt-ref", "0", "-pix_fmt", "yuva420p")),
    Good(
        "interlaced.ts",
        lambda name: draw(name, "-c:v", "mpeg2video", "-flags", "+ilme+ildct", rate="25"),
        25,
        rate=Fraction(25),
    ),
    Good("old.flv", lambda name: with_sound(name, "-c:a", "aac"), sound=True),
    Good("windows.wmv", lambda name: with_sound(name), sound=True),
    Good("phone.3gp", lambda name: draw(name, "-c:v", "mpeg4")),
    Good("loud.mov", lambda name: with_sound(name, "-c:a", "pcm_s16le"), sound=True),
    Good("long_sound.mp4", lambda name: with_sound(name, sound=("-f", "lavfi", "-i", "sine=440:d=3")), sound=True),
    Good("short_sound.mp4", lambda name: with_sound(name, sound=("-f", "lavfi", "-i", "sine=440:d=0.3")), sound=True),
    Good(
        "two_sounds.mkv",
        lambda name: with_sound(name, "-map", "0", "-map", "1", "-map", "2", sound=(*SOUND, *SOUND)),
        sound=True,
    ),
    Good("with_cover.mp4", add_cover, sound=True),
    Good("late.mkv", lambda name: draw(name, "-output_ts_offset", "5")),
    Good("tiny.mkv", lambda name: draw(name, "-vf", "scale=2:2,setsar=1", "-c:v", "ffv1"), size=(2, 2)),
    Good(
        "one_pixel.mkv",
        lambda name: draw(name, "-vf", "scale=1:1,setsar=1", "-c:v", "ffv1", "-pix_fmt", "gray"),
        size=(1, 1),
    ),
    Good("other_sizes.ts", change_size, 50, rate=Fraction(25)),
    Good("-dash, 'quote' 100% #?.mp4", lambda name: draw(f"./{name}")),
    Good("CAPITALS.MP4", lambda name: draw(name)),
]


@pytest.mark.parametrize("film", GOOD, ids=lambda film: film.name)
def test_an_odd_film_is_read_and_made_again(film):
    film.make(film.name)
    source = probe(Path(film.name))
    assert source.frames_per_second == film.rate
    frames = list(read_frames(source))
    assert {frame.shape for frame in frames} == {(*film.size, 3)}
    assert abs(len(frames) - film.count) <= max(1, film.count // 20)
    FilmWriter(Path("out.mp4"), source, "key").write(iter(frames), "a test")
    made = probe(Path("out.mp4"))
    assert (made.frames_per_second, made.has_sound) == (film.rate, film.sound)
    again = list(read_frames(made))
    assert len(again) == len(frames)
    assert again[0].shape == (*(side + side % 2 for side in film.size), 3)
    if source.seconds and film.name not in ("late.mkv", "other_sizes.ts"):
        assert made.seconds == pytest.approx(source.seconds, abs=0.15)
    height, width = film.size
    apart = [np.abs(one.astype(int) - other[:height, :width]).mean() for one, other in zip(frames, again, strict=True)]
    assert max(apart) < LOST


HURT = {
    "cut.mkv": lambda name: cut(name, 0.5),
    "cut.ts": lambda name: cut(name, 0.5),
    "cut.webm": lambda name: cut(name, 0.5, "-c:v", "libvpx"),
    "spoilt.mkv": spoil,
    "spoilt.avi": spoil,
}


@pytest.mark.parametrize("name", HURT)
def test_what_is_left_of_a_damaged_film_is_made(name):
    HURT[name](name)
    frames = list(read_frames(probe(Path(name))))
    assert 0 < len(frames) <= 11
    FilmWriter(Path("out.mp4"), probe(Path(name)), "key").write(iter(frames), "a test")
    assert len(list(read_frames(probe(Path("out.mp4"))))) == len(frames)


BAD = {
    "empty.mp4": (lambda name: Path(name).write_bytes(b""), "is no film that ffmpeg can read"),
    "text.mp4": (lambda name: Path(name).write_text("no film\n" * 99), "is no film that ffmpeg can read"),
    "noise.mkv": (lambda name: Path(name).write_bytes(os.urandom(9999)), "is no film that ffmpeg can read"),
    "zeros.mov": (lambda name: Path(name).write_bytes(bytes(9999)), "is no film that ffmpeg can read"),
    "cut.mp4": (lambda name: cut(name, 0.5), "is no film that ffmpeg can read"),
    "head.mkv": (lambda name: cut(name, 0.02), "no film|no frame"),
    "sound.mp4": (lambda name: ffmpeg(*SOUND, name), "it has sound, but no pictures"),
    "cover.mp4": (cover_alone, "it has sound, but no pictures"),
    "huge.avi": (lambda name: draw(name, "-frames:v", "1", "-c:v", "mjpeg", size="7696x4336"), "7696x4336 pixels"),
    "folder.mp4": (lambda name: Path(name).mkdir(), "is no file"),
    "pipe.mp4": (os.mkfifo, "is no file"),
    "nowhere.mp4": (lambda name: Path(name).symlink_to("missing"), "is not there"),
    "itself.mp4": (lambda name: Path(name).symlink_to(name), "is n"),
    "picture.mp4": (lambda name: draw("a.png", "-frames:v", "1") or Path("a.png").rename(name), "no film"),
    "list.mp4": (lambda name: Path(name).write_text("#EXTM3U\n#EXTINF:1,\n/etc/passwd\n"), "is no film"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_film_is_refused_in_a_line(name):
    make, words = BAD[name]
    make(name)
    with pytest.raises(FilmError, match=words) as told:
        list(read_frames(probe(Path(name))))
    assert "\n" not in str(told.value)
    assert name in str(told.value)
