"""Picture files of every kind are read by what they hold, whatever they are called."""

import io
import struct

import numpy as np
import pytest
from facezoo.datasets import photographs
from facezoo.datasets.folder import folder
from facezoo.datasets.photographs import DamagedPictureError, UnreadableFileError, read
from facezoo.datasets.picture_index import find_files
from facezoo.datasets.picture_kinds import KINDS, find_kind
from facezoo.datasets.source import DatasetError
from PIL import Image, ImageFile

SMOOTH = Image.fromarray(np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)).resize((60, 40), 3)
# Of each kind and its options how far a pixel may be off in the mean.
WAYS = {
    "JPEG": ("JPEG", {"quality": 95}, 3),
    "PNG": ("PNG", {}, 0),
    "WebP": ("WEBP", {"lossless": True}, 0),
    "GIF": ("GIF", {}, 8),
    "AVIF": ("AVIF", {"quality": 95}, 3),
    "TIFF": ("TIFF", {}, 0),
    "TIFF, big": ("TIFF", {"big_tiff": True}, 0),
    "TIFF, packed": ("TIFF", {"compression": "tiff_lzw"}, 0),
    "BMP": ("BMP", {}, 0),
    "PNM": ("PPM", {}, 0),
    "JPEG 2000": ("JPEG2000", {}, 0),
    "JPEG 2000, bare": ("JPEG2000", {"no_jp2": True}, 0),
}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEZOO_CACHE_DIR", str(tmp_path / "cache"))


def encoded(image=SMOOTH, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def heic(image=SMOOTH, **options):
    pillow_heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    pillow_heif.from_pillow(image).save(file, quality=95, **options)
    return file.getvalue()


def read_bytes(data, **options):
    return np.asarray(read(io.BytesIO(data), **options))


def distance(data):
    return np.abs(read_bytes(data).astype(int) - np.asarray(SMOOTH)).mean()


def turned_by_exif():
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


@pytest.mark.parametrize("name", WAYS)
def test_every_kind_is_read_and_known_by_its_first_bytes(name):
    kind, options, off = WAYS[name]
    data = encoded(kind=kind, **options)
    assert find_kind(data[:64]).name == name.split(",")[0]
    assert distance(data) <= off
    with pytest.raises(DamagedPictureError):
        read_bytes(data[: len(data) // 3])


def test_heic_is_read():
    assert find_kind(heic()[:64]).name == "HEIC"
    assert distance(heic()) < 5
    side = heic(SMOOTH.transpose(Image.Transpose.ROTATE_90), exif=turned_by_exif().tobytes())
    assert distance(side) < 5


def test_without_what_reads_heic_it_says_what_to_install(monkeypatch):
    data = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UnreadableFileError, match=r"pip install 'facezoo\[heif\]'"):
        read_bytes(data)


def test_all_kinds_are_tried():
    tried = {name.split(",")[0] for name in WAYS} | {"HEIC"}
    assert tried == {kind.name for kind in KINDS}


@pytest.mark.parametrize("kind", ["TIFF", "AVIF"])
def test_orientation_is_applied_once(kind):
    options = {"quality": 95} if kind == "AVIF" else {}
    side = SMOOTH.transpose(Image.Transpose.ROTATE_90)
    assert distance(encoded(side, kind, exif=turned_by_exif(), **options)) < 3


@pytest.mark.parametrize("highest", [1, 100, 255, 1000, 65535])
@pytest.mark.parametrize("number", [2, 3, 5, 6])
def test_gray_and_colours_of_netpbm_are_rounded_to_eight_bits(number, highest):
    shape = (5, 7, 3 if number in (3, 6) else 1)
    values = np.random.default_rng(1).integers(0, highest + 1, shape)
    written = " ".join(map(str, values.reshape(-1))).encode()
    data = written if number < 4 else values.astype(np.uint8 if highest < 256 else ">u2").tobytes()
    pixels = read_bytes(b"P%d # drawn\n7 # wide\n 5\n%d\n" % (number, highest) + data)
    assert (pixels == np.floor(values * 255 / highest + 0.5)).all()


def test_black_and_white_of_netpbm():
    bits = np.random.default_rng(1).integers(0, 2, (5, 11))
    packed = read_bytes(b"P4 11 5\n" + np.packbits(bits, axis=1).tobytes())
    written = read_bytes(b"P1 11 5\n" + "".join(map(str, bits.reshape(-1))).encode())
    assert (packed[..., 0] == (1 - bits) * 255).all()
    assert np.array_equal(packed, written)


@pytest.mark.parametrize(
    "data",
    [b"P6 2 2 255\n" + bytes(11), b"P3 2 2 255\n1 2 three", b"P5 2 2 0\n0000", b"P5 0 2 255\n", b"P4 9", b"P2\n"],
)
def test_damaged_netpbm_is_refused(data):
    with pytest.raises(DamagedPictureError):
        read_bytes(data)


# What asks for very much.


def tiff_of(tags, order="<"):
    entries = b"".join(struct.pack(order + "HHII", *tag) for tag in tags)
    start = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", 8)
    return start + struct.pack(order + "H", len(tags)) + entries + bytes(4)


GREEDY = {
    "many tags": (tiff_of([(1000 + n, 7, 1, 0) for n in range(1100)]), "1100 tags"),
    "long tags": (tiff_of([(700, 7, 2**30, 0)]), "very long tags"),
    "long tags in Exif": (tiff_of([(34665, 4, 1, 8), (700, 7, 2**28, 0)]), "very long tags"),
    "raw": (tiff_of([(50706, 1, 4, 0)]), "raw file"),
    "a preview first": (tiff_of([(254, 4, 1, 1)], ">"), "raw file"),
    "runs": (b"BM" + bytes(12) + struct.pack("<IiiHHI", 40, 9, 9, 1, 8, 1) + bytes(3 * 2**20), "a BMP of runs"),
    "letters": (b"P3 9 9 255\n" + b"1 " * 2**25, "a PNM in letters"),
    "tiles": (
        b"\xff\x4f\xff\x51" + struct.pack(">HH8IH", 47, 0, 9000, 9000, 0, 0, 1, 1, 0, 0, 3) + bytes(20),
        "very many tiles",
    ),
}


@pytest.mark.parametrize(("data", "reason"), GREEDY.values(), ids=GREEDY)
def test_a_file_that_asks_for_very_much_is_refused_before_it_is_decoded(monkeypatch, data, reason):
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda *_: pytest.fail("it is decoded"))
    with pytest.raises(DamagedPictureError, match=reason):
        read_bytes(data)


@pytest.mark.parametrize("kind", ["TIFF", "JPEG2000"])
def test_strangers_files_of_kinds_with_known_faults_are_refused(kind):
    with pytest.raises(DamagedPictureError, match="save it as JPEG or PNG"):
        read_bytes(encoded(kind=kind), is_from_stranger=True)


def test_more_pixels_than_are_read_are_told_with_the_way_on():
    with pytest.raises(UnreadableFileError, match="12000x9000 is more than 100 megapixels: raise max_megapixels"):
        read_bytes(b"P5 12000 9000 255\n")
    assert read_bytes(encoded(), max_pixels=60 * 40).shape == (40, 60, 3)
    with pytest.raises(UnreadableFileError, match=r"megapixels$"):
        read_bytes(encoded(), max_pixels=60 * 40 - 1)


# A folder of them.


def fill(root, count=30):
    root.mkdir()
    for number in range(count):
        SMOOTH.rotate(number).save(root / f"{number:03d}.{('jpg', 'tiff', 'bmp')[number % 3]}")
    return root


def test_files_are_chosen_by_what_they_hold_and_the_others_are_counted(tmp_path, caplog):
    root = fill(tmp_path / "photographs")
    (root / "000.jpg").rename(root / "without_ending")
    (root / "001.tiff").rename(root / "scan.dat")
    for number in range(3):
        (root / f"{number}.txt").write_text("dear")
    (root / "film.mp4").write_bytes(b"\0\0\0\x18ftypisom")
    (root / "empty").touch()
    for _ in range(2):  # told once
        source = folder("all", data_dir=root)
    assert len(source) == 30
    assert {"without_ending", "scan.dat"} < set(source.names)
    (told,) = [record.getMessage() for record in caplog.records]
    assert "5 of 35 files are no pictures and passed over: 3 .txt, 1 without an ending, 1 .mp4" in told


def test_what_is_ours_is_not_counted(tmp_path, caplog):
    root = fill(tmp_path / "photographs")
    labels = root / "labels.csv"
    labels.write_text("file,hat\n" + "".join(f"{path.name},1\n" for path in root.iterdir()))
    assert folder("all", data_dir=root, labels=labels).attribute_names == ("hat",)
    assert not caplog.records


def test_a_folder_of_other_files_alone_says_which(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(DatasetError, match=r"no pictures in .*1 of 1 files are no pictures .*1 \.txt"):
        folder("all", data_dir=tmp_path)


def test_folders_of_other_programs_are_skipped(tmp_path):
    root = fill(tmp_path / "photographs")
    for name in ("@eaDir", "#recycle", "$RECYCLE.BIN", "__MACOSX", "Preview.lrdata", ".thumbnails"):
        (root / name).mkdir()
        SMOOTH.save(root / name / "thumbnail.jpg")
    assert len(folder("all", data_dir=root)) == 30


def test_many_ways_to_one_folder_are_one(tmp_path):
    place = tmp_path / "0"
    for number in range(1, 20):  # 2**19 ways
        place.mkdir()
        following = tmp_path / str(number)
        (place / "a").symlink_to(following)
        (place / "b").symlink_to(following)
        place = following
    place.mkdir()
    SMOOTH.save(place / "face.png")
    assert [file.name for file in find_files(tmp_path / "0")] == ["a/" * 19 + "face.png"]


def test_a_real_folder_keeps_its_name_beside_links_to_it(tmp_path):
    (tmp_path / "z").mkdir()
    SMOOTH.save(tmp_path / "z" / "face.png")
    (tmp_path / "a").symlink_to(tmp_path / "z")
    assert [file.name for file in find_files(tmp_path)] == ["z/face.png"]


def test_a_flag_raises_the_limit_and_it_may_be_lowered_again(tmp_path, monkeypatch, caplog):
    root = fill(tmp_path / "photographs")
    monkeypatch.setattr(photographs, "MEGAPIXELS", 1)
    Image.new("L", (1300, 1000)).save(root / "large.png")
    assert len(folder("all", data_dir=root)) == 30
    assert "large.png (cannot be read: 1300x1000 is more than 1 megapixels" in caplog.text
    assert len(folder("all", data_dir=root, max_megapixels=2)) == 31
    caplog.clear()
    assert len(folder("all", data_dir=root)) == 30
    assert "large.png (1300x1000 is more than 1 megapixels" in caplog.text
