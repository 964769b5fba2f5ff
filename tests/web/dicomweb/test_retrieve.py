from io import BytesIO

import numpy as np
import PIL.Image
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import pack_bits
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from camlucida.examples.phantom.dicom import write_radiograph
from camlucida.examples.phantom.radiograph import radiograph

OCTETS = 'multipart/related; type="application/octet-stream"'
SEGMENTATION, PARAMETRIC_MAP = "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.30"


def instance(number, sop_class, **values):
    """A small instance of its own study."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = values.pop("syntax", ExplicitVRLittleEndian)
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, f"1.9.{number}.1.1"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"1.9.{number}", f"1.9.{number}.1"
    dataset.PatientName, dataset.Modality = "Doe^Jane", "OT"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def content(dataset):
    file = BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


BITS = np.random.default_rng(1).integers(0, 2, (3, 5, 7), np.uint8)
FLOATS = np.random.default_rng(2).normal(size=(2, 4, 6)).astype(np.float32)
WORDS = np.random.default_rng(3).integers(0, 60000, (2, 3, 5), np.uint16)


@pytest.fixture(scope="module")
def objects(served, send):
    """A binary segmentation, a parametric map, an image, one without pixels, and a film."""
    sizes = {"BitsStored": 16, "HighBit": 15, "BitsAllocated": 16, "PixelRepresentation": 0}
    made = {
        "binary": instance(
            1, SEGMENTATION, Rows=5, Columns=7, NumberOfFrames=3, BitsAllocated=1, BitsStored=1, HighBit=0,
            PixelRepresentation=0, SegmentationType="BINARY", PixelData=pack_bits(BITS.ravel()),
        ),
        "floats": instance(
            2, PARAMETRIC_MAP, Rows=4, Columns=6, NumberOfFrames=2, BitsAllocated=32,
            FloatPixelData=FLOATS.tobytes(),
        ),
        "big-endian": instance(
            3, "1.2.840.10008.5.1.4.1.1.7", syntax=ExplicitVRBigEndian, Rows=3, Columns=5, NumberOfFrames=2,
            PixelData=WORDS.byteswap().tobytes(), **sizes,
        ),
        "report": instance(4, "1.2.840.10008.5.1.4.1.1.88.34", syntax=ImplicitVRLittleEndian),
    }  # fmt: skip
    made["report"].add_new(0x00420011, "OB", bytes(range(256)) * 100)
    item = Dataset()
    item.add_new(0x00420011, "OB", b"nested" * 1000)
    made["report"].add_new(0x00089215, "SQ", [Dataset(), item])
    answer = send(served, *map(content, made.values()))
    assert answer.status_code == 200, answer.text
    return made


@pytest.fixture(scope="module")
def film(served, send, tmp_path_factory):
    path = tmp_path_factory.mktemp("film") / "film.dcm"
    write_radiograph(radiograph(5, rows=120), path)
    assert send(served, path.read_bytes()).status_code == 200
    return pydicom.dcmread(path)


def address(dataset, rest=""):
    return (
        f"/dicom-web/studies/{dataset.StudyInstanceUID}/series/{dataset.SeriesInstanceUID}"
        f"/instances/{dataset.SOPInstanceUID}{rest}"
    )


@pytest.fixture
def get(served):
    def ask(path, accept="*/*", **parameters):
        with served.http() as http:
            return http.get(path, headers={"Accept": accept}, params=parameters)

    return ask


def frames(get, dataset, numbers, accept=OCTETS):
    """The frames of an answer: what stands between its boundaries."""
    answer = get(address(dataset, f"/frames/{numbers}"), accept)
    assert answer.status_code == 200, answer.text
    boundary = answer.headers["content-type"].partition("boundary=")[2]
    assert int(answer.headers["content-length"]) == len(answer.content)
    parts = answer.content.split(f"\r\n--{boundary}".encode())[1:-1]
    return [part.partition(b"\r\n\r\n")[2] for part in parts]


def test_frames_of_single_bits_begin_at_a_byte(get, objects):
    found = frames(get, objects["binary"], "1,2,3")
    for frame, bits in zip(found, BITS, strict=True):
        assert len(frame) == 5  # 35 bits
        unpacked = np.unpackbits(np.frombuffer(frame, np.uint8), bitorder="little")
        assert (unpacked[:35] == bits.ravel()).all()
        assert not unpacked[35:].any()


def test_frames_of_floats_are_floats(get, objects):
    found = frames(get, objects["floats"], "2,1")
    assert [np.frombuffer(frame, "<f4").tolist() for frame in found] == [
        FLOATS[1].ravel().tolist(),
        FLOATS[0].ravel().tolist(),
    ]


def test_frames_are_little_endian_whatever_the_file_is(get, objects):
    (found,) = frames(get, objects["big-endian"], "2")
    assert (np.frombuffer(found, "<u2") == WORDS[1].ravel()).all()


@pytest.mark.parametrize("name", ["binary", "floats", "big-endian", "report"])
def test_any_of_them_is_given_as_explicit_little_endian(get, objects, name):
    answer = get(address(objects[name]), f"application/dicom; transfer-syntax={ExplicitVRLittleEndian}")
    assert answer.status_code == 200, answer.text
    decoded = pydicom.dcmread(BytesIO(answer.content))
    assert decoded.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert decoded.PatientName == "Doe^Jane"
    if name != "report":
        assert (decoded.pixel_array == {"binary": BITS, "floats": FLOATS, "big-endian": WORDS}[name]).all()


def test_metadata_has_addresses_of_what_is_large_and_they_give_it(get, served, objects):
    (described,) = get(address(objects["report"], "/metadata"), "application/dicom+json").json()
    assert described["00083002"]["Value"] == [ImplicitVRLittleEndian]
    large = described["00420011"]["BulkDataURI"]
    nested = described["00089215"]["Value"][1]["00420011"]["BulkDataURI"]
    assert large.startswith(served.url)
    assert get(large, "application/octet-stream").content == bytes(range(256)) * 100
    assert get(nested, "application/octet-stream").content == b"nested" * 1000
    assert served.dicomweb().retrieve_bulkdata(nested) == [b"nested" * 1000]
    (image,) = get(address(objects["floats"], "/metadata")).json()
    found = served.dicomweb().retrieve_bulkdata(image["7FE00008"]["BulkDataURI"])
    assert b"".join(found) == FLOATS.tobytes()


@pytest.mark.parametrize(
    ("rest", "status"),
    [
        ("/frames/0", 404),
        ("/frames/4", 404),
        ("/frames/1,4", 404),
        ("/frames/-1", 400),
        ("/frames/a", 400),
        ("/frames/1,,2", 400),
        ("/frames/" + ",".join(["1"] * 10_001), 400),
        ("/frames/9999999999999", 400),
        ("/frames/4/rendered", 404),
        ("/bulkdata/00100010", 404),
        ("/bulkdata/zzz", 404),
        ("/bulkdata/..%2F..%2Fcamlucida.sqlite", 404),
        ("/bulkdata/00089215/1/00420011", 404),
        ("/bulkdata/" + "/".join(["00089215/1"] * 100) + "/00420011", 404),
    ],
)
def test_what_is_not_there_is_a_sentence(get, objects, rest, status):
    answer = get(address(objects["binary"], rest))
    assert answer.status_code == status, answer.text
    assert "1.9.1" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/studies/1.8",
        "/studies/1.9.1/series/1.8",
        "/studies/1.9.1/series/1.9.1.1/instances/1.8",
        "/studies/1.9.2/series/1.9.1.1/instances/1.9.1.1.1",
        "/studies/1.9.1/series/1.9.2.1/instances/1.9.1.1.1",
        "/studies/..%2F..%2Fetc/metadata",
        "/studies/%00",
        "/studies/1.8/thumbnail",
    ],
)
@pytest.mark.usefixtures("objects")
def test_what_nobody_keeps_is_not_found(get, path):
    assert get(f"/dicom-web{path}").status_code == 404


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "multipart/related"),
        ("", "multipart/related"),
        ('multipart/related; type="application/dicom"', "multipart/related"),
        ("multipart/related; type=application/dicom; transfer-syntax=*", "multipart/related"),
        ("application/dicom; transfer-syntax=*", "application/dicom; transfer-syntax=1.2.840.10008.1.2.1"),
        ("image/png, application/dicom;q=0.5", "application/dicom; transfer-syntax=1.2.840.10008.1.2.1"),
        ('multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.4.80', None),
        ("image/png", None),
        ("application/dicom;q=0", None),
        ('"unfinished', None),
    ],
)
def test_an_instance_comes_as_the_client_accepts_it(get, film, accept, kind):
    answer = get(address(film), accept)
    if kind is None:
        assert answer.status_code == 406
    else:
        assert answer.headers["content-type"].startswith(kind)
        assert int(answer.headers["content-length"]) == len(answer.content)


def test_an_accept_of_many_ranges_is_refused(get, film):
    assert get(address(film), ",".join(["image/png"] * 100)).status_code == 400


def test_a_file_that_was_damaged_on_the_disk_is_not_given(served, get, send, tmp_path):
    path = tmp_path / "film.dcm"
    write_radiograph(radiograph(6, rows=64), path)
    dataset = pydicom.dcmread(path)
    assert send(served, path.read_bytes()).status_code == 200
    (blob,) = [
        one for one in served.home.folder.glob("blobs/sha256/*/*") if one.read_bytes() == path.read_bytes()
    ]
    blob.chmod(0o600)
    blob.write_bytes(path.read_bytes()[:-1] + b"\xff")
    answer = get(address(dataset))
    assert answer.status_code == 500
    assert "damaged" in answer.text
    assert str(dataset.SOPInstanceUID) not in answer.text


def picture(answer):
    assert answer.status_code == 200, answer.text
    return PIL.Image.open(BytesIO(answer.content))


def test_a_frame_is_drawn_as_the_viewer_draws_it(get, film):
    drawn = np.asarray(picture(get(address(film, "/rendered"), "image/png")), float)
    stored = film.pixel_array.astype(float)
    assert drawn.shape == stored.shape
    sign = -1 if film.PhotometricInterpretation == "MONOCHROME1" else 1
    inside = (drawn > 0) & (drawn < 255)
    assert np.corrcoef(drawn[inside], sign * stored[inside])[0, 1] > 0.99
    jpeg = picture(get(address(film, "/frames/1/rendered"), "image/jpeg"))
    assert jpeg.format == "JPEG"
    assert np.abs(np.asarray(jpeg, float) - drawn).mean() < 3


def test_a_window_and_a_viewport_are_what_was_asked_for(get, film):
    half = float(np.median(film.pixel_array))
    asked = get(address(film, "/rendered"), "image/png", window=f"{half},0.001,linear-exact")
    assert set(np.unique(np.asarray(picture(asked)))) <= {0, 128, 255}
    small = picture(get(address(film, "/rendered"), "image/png", viewport="40,40"))
    assert max(small.size) == 40
    part = picture(get(address(film, "/rendered"), "image/png", viewport="10,20,5,7,10,20"))
    whole = np.asarray(picture(get(address(film, "/rendered"), "image/png")))
    assert (np.asarray(part) == whole[7:27, 5:15]).all()
    flipped = picture(get(address(film, "/rendered"), "image/png", viewport="10,20,5,7,-10,20"))
    assert (np.asarray(flipped) == whole[7:27, 5:15][:, ::-1]).all()
    fine, coarse = (get(address(film, "/rendered"), "image/jpeg", quality=q) for q in (95, 5))
    assert len(fine.content) > 2 * len(coarse.content)


@pytest.mark.parametrize(
    "parameters",
    [
        {"window": "1,2"},
        {"window": "1,0,linear"},
        {"window": "1,x,linear"},
        {"window": "1,2,cubic"},
        {"window": "nan,2,linear"},
        {"viewport": "0,0"},
        {"viewport": "100000,100000"},
        {"viewport": "1,2,3"},
        {"viewport": "10,10,5000,5000,10,10"},
        {"quality": "0"},
        {"quality": "101"},
        {"quality": "good"},
    ],
)
def test_an_impossible_picture_is_a_sentence(get, film, parameters):
    answer = get(address(film, "/rendered"), "image/png", **parameters)
    assert answer.status_code == 400
    assert answer.json()["detail"].endswith(".")


def test_segmentations_and_maps_can_be_looked_at(get, objects):
    drawn = np.asarray(picture(get(address(objects["binary"], "/frames/3/rendered"), "image/png")))
    assert (drawn == 255 * BITS[2]).all()
    drawn = np.asarray(picture(get(address(objects["floats"], "/frames/2/rendered"), "image/png")), float)
    assert np.corrcoef(drawn.ravel(), FLOATS[1].ravel())[0, 1] > 0.95
    drawn = np.asarray(picture(get(address(objects["big-endian"], "/frames/1/rendered"), "image/png")), float)
    assert np.corrcoef(drawn.ravel(), WORDS[0].ravel())[0, 1] > 0.95


def test_what_holds_no_pixels_is_not_drawn(get, objects):
    for rest in ("/rendered", "/thumbnail", "/frames/1"):
        assert get(address(objects["report"], rest)).status_code == 404


def test_thumbnails_are_small(get, film):
    for path in (f"/dicom-web/studies/{film.StudyInstanceUID}/thumbnail", address(film, "/thumbnail")):
        assert max(picture(get(path, "image/jpeg")).size) == 200
    assert get(address(film, "/thumbnail"), "image/gif").status_code == 406
