"""Fixtures for all tests."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import numpy as np
import pytest
import structlog
from hypothesis.internal.conjecture import providers

from camlucida.records import (
    Explanation,
    FileFormat,
    Finding,
    FindingTrust,
    Geometry,
    HeadKind,
    Image,
    Patient,
    Prediction,
    Provenance,
    SaliencyMap,
    Source,
    TrustReport,
    Window,
)
from camlucida.records.geometry import resizing
from camlucida.store.home import FILE, Home
from orthanc import Orthanc
from postgresql import PostgreSQL, homes_on

if TYPE_CHECKING:
    from s3 import S3

ROOT = Path(__file__).resolve().parent.parent

# pynetdicom installs scripts of the names of dcmtk's tools: in an active environment they would come first.
_PLACES = os.environ["PATH"].split(os.pathsep)
os.environ["PATH"] = os.pathsep.join(place for place in _PLACES if place != str(Path(sys.executable).parent))

# The same examples each time, however long the machine stands still in the middle of one.
hypothesis.settings.register_profile(
    "tests", deadline=None, derandomize=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("tests")
# Else it tries constants of whatever this process has imported: other examples after other files.
providers._get_local_constants = providers.Constants


# Files that take longest, begun first, so that both workers of `./run test` end together.
LONGEST = (
    "test_docs.py",
    "test_newcomer.py",
    "test_training.py",
    "test_fuzz.py",
    "test_receive_load.py",
    "test_ohif.py",
    "test_station.py",
    "test_serve.py",
    "test_demo.py",
    "test_models.py",
    "test_send.py",
    "test_certify_repair.py",
    "test_viewer_tools.py",
    "test_results_in_ohif.py",
    "test_watched_folder.py",
    "test_data_scientist.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files before short ones; all else stays in its order."""
    place = {name: index for index, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(LONGEST)))


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """A test that calls a command sets how things are logged, for all that come after it."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real images; left out for a newcomer who has only a clone, required in CI."""
    folder = Path(os.environ.get("CAMLUCIDA_TEST_DATA", ROOT.parent / "shared" / "data"))
    if folder.is_dir():
        return folder
    message = f"real images not found in {folder}: set CAMLUCIDA_TEST_DATA"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture
def orthanc(tmp_path) -> Iterator[Orthanc]:
    """A running, empty Orthanc that knows CAMLUCIDA and dcmtk's AE titles, on loopback."""
    with Orthanc(tmp_path / "orthanc") as running:
        yield running


@pytest.fixture(scope="session")
def s3_server() -> Iterator["S3"]:
    """A running S3-compatible store with one bucket, on loopback."""
    from s3 import running_s3  # noqa: PLC0415 - moto takes a second to import

    with running_s3() as server:
        yield server


@pytest.fixture
def s3(s3_server, monkeypatch) -> "S3":
    """The store, with AWS's variables set to it."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return s3_server


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A running PostgreSQL without databases, for the whole session."""
    with PostgreSQL() as server:
        yield server


@pytest.fixture
def on_postgresql(postgresql) -> Iterator[str]:
    """Homes that the test opens, or a process that it starts, have one empty PostgreSQL database: its URL."""
    url = postgresql.emptied()
    with homes_on(url):
        yield url


@pytest.fixture(scope="session")
def new_home(tmp_path_factory) -> Callable[[Path], Home]:
    """Opens an empty home in a folder; its tables are copied, as making them takes a quarter of a second."""
    empty = tmp_path_factory.mktemp("empty")
    Home.open(empty, embedded=True).close()

    def new(folder: Path) -> Home:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copyfile(empty / FILE, folder / FILE)
        return Home.open(folder)

    return new


@pytest.fixture(scope="session")
def make_image() -> Callable[..., Image]:
    """A made-up DICOM image of any shape, different for each seed, with a patient in it."""

    def make(space=(61, 47), seed=0, **fields) -> Image:
        values = np.random.default_rng(seed).integers(0, 4096, space, np.uint16)
        source = Source(
            format=FileFormat.DICOM,
            study_instance_uid=f"1.2.{seed}",
            series_instance_uid=f"1.2.{seed}.1",
            sop_instance_uids=(f"1.2.{seed}.1.1",),
            study_date="20240229",
            study_description="Chest",
            patient=Patient("Doe^Jane", "ID-4711", "19500101", "F"),
        )
        defaults = {
            "modality": "DX",
            "bits_stored": 12,
            "windows": (Window(2048.0, 4096.0),),
            "source": source,
        }
        return Image(values, **{**defaults, **fields})

    return make


@pytest.fixture(scope="session")
def make_explanation() -> Callable[..., Explanation]:
    """An explanation with random maps of full float32 precision: the worst case for compression."""

    def make(findings=3, native=(16, 16), pixels=(61, 47), model="a" * 64, seed=0) -> Explanation:
        random = np.random.default_rng(seed)
        values = random.normal(size=(findings, *native)).astype(np.float32)
        names = tuple(f"Finding {n}" for n in range(findings))
        logits = tuple(values.reshape(findings, -1).sum(axis=1, dtype=np.float64).tolist())
        return Explanation(
            Prediction(
                tuple(Finding(name, None, 0.5) for name in names),
                logits,
                tuple(1 / (1 + np.exp(-logit)) for logit in logits),
            ),
            SaliencyMap(
                names,
                values,
                logits,
                (0.0,) * findings,
                tuple(random.normal(size=findings).tolist()),
                "grad-cam",
                "features",
                Geometry(native, pixels, resizing(pixels, native)),
            ),
            TrustReport(
                HeadKind.LINEAR,
                1e-6,
                tuple(FindingTrust(0.01, 0.2, 0.1, "The map explains the logit.") for _ in names),
            ),
            Provenance(
                "b" * 64,
                "c" * 64,
                model,
                "made-up",
                "1",
                "grad-cam",
                "",
                "features",
                "logit",
                "0",
                "2",
                "float32",
                "cpu",
                "2026-01-01T00:00:00Z",
            ),
        )

    return make


@pytest.fixture
def bfloat16(monkeypatch) -> None:
    """OpenVINO's bfloat16; on a processor without it, its float32 on images rounded to it."""
    from camlucida.models.runtimes import fast, open_vino  # noqa: PLC0415 - they import torch

    if open_vino.has_bfloat16():
        return

    def rounded(exported, precision):
        trunk = open_vino.make(exported, "float32")
        return trunk if precision == "float32" else lambda images: trunk(images.bfloat16().float())

    monkeypatch.setitem(fast.RUNTIMES, "openvino", replace(open_vino.RUNTIME, make=rounded))
