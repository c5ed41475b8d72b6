"""Files of labels and landmarks as spreadsheets, pandas and others write them, and names as systems spell them."""

import unicodedata

import numpy as np
import pytest
from facezoo.datasets.alignment import POINT_NAMES
from facezoo.datasets.folder import folder
from facezoo.datasets.labels import read_landmarks, snake_case
from facezoo.datasets.naming import Names
from facezoo.datasets.source import DatasetError, with_attributes
from facezoo.experiments.codes.encoding import choose_person
from facezoo.experiments.flags.files import expand
from facezoo.models import FaceMapping
from PIL import Image

NAMES = ("a.jpg", "b.jpg", "sub/c.jpg")
WAYS = {
    "commas": "file,hat,smile\na.jpg,1,0\nb.jpg,0,1\nsub/c.jpg,1,1\n",
    "semicolons": "file;hat;smile\na.jpg;1;0\nb.jpg;0;1\nsub/c.jpg;1;1\n",
    "tabs": "file\that\tsmile\na.jpg\t1\t0\nb.jpg\t0\t1\nsub/c.jpg\t1\t1\n",
    "Excel's first line": "sep=;\nfile;hat;smile\na.jpg;1;0\nb.jpg;0;1\nsub/c.jpg;1;1\n",
    "pandas' index": ",file,hat,smile\n0,a.jpg,1,0\n1,b.jpg,0,1\n2,sub/c.jpg,1,1\n",
    "pandas' index, read again": "Unnamed: 0,file,hat,smile\n0,a.jpg,1,0\n1,b.jpg,0,1\n2,sub/c.jpg,1,1\n",
    "names as pandas' index": ",hat,smile\na.jpg,1,0\nb.jpg,0,1\nsub/c.jpg,1,1\n",
    "True": "file,hat,smile\na.jpg,True,False\nb.jpg,FALSE,TRUE\nsub/c.jpg,true,true\n",
    "1.0": "file,hat,smile\na.jpg,1.0,0.0\nb.jpg,0.0,1.0\nsub/c.jpg,1.0,1.0\n",
    "-1.0": "file,hat,smile\na.jpg,1.0,-1.0\nb.jpg,-1.0,1.0\nsub/c.jpg,1.0,1.0\n",
    "folders before": "file,hat,smile\n/data/x/a.jpg,1,0\n/data/x/b.jpg,0,1\n/data/x/sub/c.jpg,1,1\n",
    "backslashes": "file,hat,smile\n.\\a.jpg,1,0\n.\\b.jpg,0,1\nsub\\c.jpg,1,1\n",
    "Windows' paths": "file,hat,smile\nC:\\x\\a.jpg,1,0\nC:\\x\\b.jpg,0,1\nC:\\x\\sub\\c.jpg,1,1\n",
    "large letters": "file,hat,smile\nA.JPG,1,0\nb.JPG,0,1\nSub/C.jpg,1,1\n",
    "returns": "file,hat,smile\r\na.jpg,1,0\r\nb.jpg,0,1\r\nsub/c.jpg,1,1\r\n",
    "old Mac": "file,hat,smile\ra.jpg,1,0\rb.jpg,0,1\rsub/c.jpg,1,1\r",
    "spaces and empty rows": "file, hat ,smile\n a.jpg , 1, 0\n,,\nb.jpg,0,1\n\nsub/c.jpg,1,1\n,,\n",
    "quotes": '"file","hat","smile"\n"a.jpg","1","0"\n"b.jpg","0","1"\n"sub/c.jpg","1","1"\n',
}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEZOO_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def photographs(tmp_path):
    root = tmp_path / "photographs"
    (root / "sub").mkdir(parents=True)
    for name in NAMES:
        Image.new("RGB", (8, 8)).save(root / name)
    return root


def attributes(root, labels):
    source = folder("all", data_dir=root, image_size=2, labels=labels)
    return source.attribute_names, source.load(np.arange(len(source)))["attributes"].tolist()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("way", WAYS)
def test_labels_are_read_as_others_write_them(photographs, tmp_path, way, encoding):
    (tmp_path / "labels.csv").write_bytes(WAYS[way].encode(encoding))
    assert attributes(photographs, tmp_path / "labels.csv") == (("hat", "smile"), [[1, 0], [0, 1], [1, 1]])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("file,hat\na.jpg,yes\n", "line 2: .*: hat is 'yes'"),
        ("file,hat,smile\na.jpg,1,\n", "line 2: .*: smile is empty"),
        ("file,hat,smile\na.jpg,1\n", "line 2: .*: it has 2 cells, the header 3"),
        ("file|hat\na.jpg|1\n", "line 1: .* separated by commas, semicolons or tabs"),
        ("file,hat\nphoto_a.jpg,1\n", "no row for 3 of 3 .*; its first row is of photo_a.jpg"),
        ("file,hat\nA.jpg,1\na.JPG,1\n", "no row for 3 of 3 pictures, the first is a.jpg"),
        ("sep=;\nfile;hat\na.jpg;2\n", "line 3: "),
    ],
)
def test_the_reason_names_the_cause(photographs, tmp_path, text, reason):
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(DatasetError, match=reason):
        attributes(photographs, tmp_path / "labels.csv")


def test_labels_in_another_code_are_told(photographs, tmp_path):
    (tmp_path / "labels.csv").write_bytes("file,Hüte\na.jpg,1\n".encode("latin-1"))
    with pytest.raises(DatasetError, match="not UTF-8 text: save them as CSV in UTF-8"):
        attributes(photographs, tmp_path / "labels.csv")


def test_another_persons_picture_of_the_same_name_is_not_meant():
    assert Names(["anna/1.png"]).find("max/1.png") is None
    assert Names(["photographs/max/1.png", "anna/1.png"]).find("max/1.png") == "photographs/max/1.png"
    assert Names(["x/1.png", "y/1.png"]).find("1.png") is None


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_accents_in_or_beside_their_letters_are_the_same(tmp_path, form):
    other = {"NFC": "NFD", "NFD": "NFC"}[form]
    root = tmp_path / "photographs"
    root.mkdir()
    Image.new("RGB", (8, 8)).save(root / unicodedata.normalize(form, "Zoë.png"))
    (tmp_path / "labels.csv").write_text(unicodedata.normalize(other, "file,Hüte\nZoë.png,1\n"))
    assert attributes(root, tmp_path / "labels.csv") == (("hüte",), [[1]])
    model = FaceMapping(image_size=32, filters=(4, 4), inter_dim=6, people=("max", unicodedata.normalize(form, "Zoë")))
    assert choose_person(model, unicodedata.normalize(other, "Zoë")) == model.people[1]


def test_landmarks_with_semicolons_and_commas_in_numbers(tmp_path):
    columns = ";".join(f"{name}_{axis}" for name in POINT_NAMES for axis in "xy")
    numbers = ";".join(f"{number},5" for number in range(10))
    (tmp_path / "points.csv").write_bytes(f"file;{columns}\r\na.jpg;{numbers}\r\n".encode("utf-8-sig"))
    assert read_landmarks(tmp_path / "points.csv")["a.jpg"].reshape(-1).tolist() == [n + 0.5 for n in range(10)]


def test_two_rows_of_landmarks_for_one_file_are_refused(tmp_path):
    columns = ",".join(f"{name}_{axis}" for name in POINT_NAMES for axis in "xy")
    row = "a.jpg," + ",".join(map(str, range(10)))
    (tmp_path / "points.csv").write_text(f"file,{columns}\n{row}\n{row}\n")
    with pytest.raises(DatasetError, match=r"points\.csv, line 3: a second row for a\.jpg"):
        read_landmarks(tmp_path / "points.csv")


def test_flags_with_a_mark_of_byte_order(tmp_path):
    (tmp_path / "mine.flags").write_bytes("--epochs=3\r\n--flip\r\n".encode("utf-8-sig"))
    assert expand([f"--flagfile={tmp_path / 'mine.flags'}"]) == ["--epochs=3", "--flip"]


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("हिन्दी चश्मा", "हिन्दी_चश्मा"),
        ("ใส่แว่น", "ใส่แว่น"),
        (unicodedata.normalize("NFD", "Schöne Hüte"), "schöne_hüte"),
        ("می‌خندد", "می‌خندد"),
    ],
)
def test_words_of_other_scripts_stay_whole(name, column):
    assert snake_case(name) == unicodedata.normalize("NFC", column)


def test_signs_tell_columns_apart_where_nothing_else_does(photographs, tmp_path):
    path = tmp_path / "labels.csv"
    rows = "".join(f"{name},1,0\n" for name in NAMES)
    path.write_text("file,age>30,age<30\n" + rows)
    assert attributes(photographs, path)[0] == ("age_over_30", "age_under_30")
    path.write_text("file,age>30,hat\n" + rows)
    assert attributes(photographs, path)[0] == ("age_30", "hat")  # as it was


def test_a_model_that_knows_a_torn_name_reads_the_whole_one(photographs, tmp_path):
    (tmp_path / "labels.csv").write_text("file,चश्मा\n" + "".join(f"{name},1\n" for name in NAMES))
    source = folder("all", data_dir=photographs, labels=tmp_path / "labels.csv")
    assert with_attributes(source, ["चश_म"]).attribute_names == ("चश_म",)
