"""Which explanations of a study are its results: what a reader has only tried is none."""

import pytest

from camlucida import pipeline
from camlucida.errors import UnknownMethod
from camlucida.examples.phantom.dicom import write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.models.registry import Registry
from camlucida.pacs.export import Export, explained, export
from camlucida.store.home import Home
from camlucida.store.tables import ExplanationRow
from example_models import write_model


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with one film, which the station has explained and of which a reader has tried HiResCAM."""
    folder = tmp_path_factory.mktemp("tried")
    write_radiograph(radiograph(1, rows=64), folder / "film.dcm")
    opened = Home.open(folder / "home")
    Registry(opened.folder).add(write_model(folder / "model"))
    list(pipeline.take_in(opened, pipeline.find([folder / "film.dcm"])))
    current = pipeline.current_models(opened)
    for method in (pipeline.METHOD, "hirescam"):
        pipeline.want(opened, current, method)
    assert [outcome.state for outcome in pipeline.explain_wanted(opened, current)] == ["done", "done"]
    yield opened
    opened.close()


def methods_of(home, *methods):
    with home.database.read() as session:
        return [session.get_one(ExplanationRow, one).method for one in explained(session, 1, methods)]


def test_what_a_reader_has_tried_is_no_result_unless_it_is_named(home):
    assert methods_of(home) == ["grad-cam"]
    assert methods_of(home, "hirescam") == ["hirescam"]
    assert methods_of(home, "hirescam", "grad-cam") == ["grad-cam", "hirescam"]


def test_a_method_that_explains_nothing_here_is_a_sentence_with_those_that_do(home):
    with pytest.raises(UnknownMethod, match=r"“lime”; there is: grad-cam, hirescam\.$"):
        methods_of(home, "lime")


@pytest.mark.parametrize(("methods", "written"), [((), "grad-cam"), (("hirescam",), "hirescam")])
def test_files_are_written_of_results_only(home, methods, written):
    reports = [one for one in export(home, 1, "clinical", methods=methods) if one.kind == "SR"]
    assert len(reports) == 1
    assert isinstance(reports[0], Export)
    assert reports[0].about.endswith(f", {written}")
