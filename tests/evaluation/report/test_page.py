import re
import sys

import numpy as np
import PIL.Image
import pytest
from playwright.sync_api import expect

from camlucida.errors import MissingExtra
from camlucida.evaluation.report import page as report_page
from camlucida.evaluation.report.document import (
    Chart,
    ChartKind,
    Document,
    Paragraph,
    Picture,
    Section,
    Series,
    Sheet,
    Table,
    Tone,
    Verdict,
)
from camlucida.evaluation.report.page import as_html, write_page
from chromium import chromium
from conftest import ROOT

HOSTILE = "$x</svg>--><script>document.title='taken'</script>\"'&"
AXE = ROOT / "viewer" / "node_modules" / "axe-core" / "axe.min.js"
JUDGE = """async () => {
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  const { violations } = await axe.run(document, { runOnly: { type: "tag", values: tags } });
  return violations.map(({ id, nodes }) => `${id}: ${nodes[0].html} ${nodes[0].failureSummary}`);
}"""


def document():
    """Each block once or more, with words that a browser would obey if they were not escaped."""
    film = np.tile(np.linspace(0, 255, 300).astype(np.uint8), (200, 1))
    share = [0.0, 0.5, 1.0]
    unknown = float("nan")
    return Document(
        "An evaluation",
        HOSTILE,
        [("Model", "made-up"), ("Data", HOSTILE)],
        [Verdict("It must not be used.", "AUC 0.50", Tone.BAD), Verdict("Good maps.", HOSTILE, Tone.GOOD)],
        [
            Section(
                "Classification",
                [
                    Paragraph(HOSTILE, Tone.CAUTION),
                    Table(["Finding", "AUC"], [[HOSTILE, "0.97"], ["Effusion", "–"]], 1, HOSTILE, [HOSTILE]),
                    Chart(
                        ChartKind.LINE,
                        [
                            Series("one", share, share, [0, 0.4, 0.9], [0.1, 0.6, 1]),
                            Series("two", share, share),
                        ],
                        "Probability",
                        caption="Calibration",
                        reference="diagonal",
                    ),
                ],
                [Paragraph("What is folded."), Verdict("In a chapter", "as well", Tone.NEUTRAL)],
            ),
            Section(
                "Subgroups",
                [
                    Chart(
                        ChartKind.INTERVALS,
                        [Series("", [0.9, unknown], (), [0.8, unknown], [0.95, unknown])],
                        "AUC",
                        caption="By site",
                        labels=["A", HOSTILE],
                        reference=0.5,
                    ),
                    Chart(ChartKind.HISTOGRAM, [Series("", [0, 0.5], [3, 4])], "Probability", "Cases"),
                ],
            ),
            Section(
                "Worst cases",
                [
                    Sheet([Picture(film, HOSTILE, HOSTILE), Picture(film, "b", "a film")], "Sheet"),
                    Picture(PIL.Image.fromarray(film).convert("RGBA"), "", "a wedge"),
                ],
            ),
        ],
        ["Intervals are 95 %."],
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write_page(document(), tmp_path_factory.mktemp("report") / "folder" / "report.html")


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture(params=["light", "dark"])
def shown(request, browser, written):
    context = browser.new_context(color_scheme=request.param, viewport={"width": 800, "height": 1000})
    page = context.new_page()
    page.asked, page.complaints = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.goto(written.as_uri())
    yield page
    context.close()


def test_the_same_report_gives_the_same_bits(written):
    assert as_html(document()).encode() == written.read_bytes()


def test_charts_have_letters_as_letters_and_the_colours_of_the_page(written):
    html = written.read_text("utf-8")
    drawing = html[html.index("<svg") : html.index("</svg>")]
    assert ">Probability</text>" in drawing
    assert "var(--series-0)" in drawing
    assert "#0102" not in html  # a stand-in that nothing has replaced


def test_no_two_parts_of_a_page_have_one_name(written):
    names = re.findall(r'\bid="([^"]*)"', written.read_text("utf-8"))
    assert len(names) == len(set(names))


def test_a_picture_has_no_more_pixels_than_are_looked_at():
    film = np.zeros((4000, 3000, 3), np.uint8)
    html = as_html(Document("A film", "", (), (), [Section("Film", [Picture(film, "", "black")])]))
    assert len(html) < 100_000


def test_a_label_in_letters_that_matplotlib_lacks_is_shown():
    chart = Chart(ChartKind.INTERVALS, [Series("", [0.5])], "AUC", labels=["肺炎"])
    assert "肺炎" in as_html(Document("", "", (), (), [Section("", [chart])]))


@pytest.mark.parametrize("package", ["jinja2", "matplotlib"])
def test_a_missing_package_is_said_with_the_cure(monkeypatch, package):
    report_page._template.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=rf"{package}.*camlucida\[development\]"):
        as_html(document())
    report_page._template.cache_clear()


@pytest.mark.browser
class TestInABrowser:
    def test_it_fetches_nothing_and_obeys_no_label(self, shown, written):
        assert [url for url in shown.asked if not url.startswith("data:")] == [written.as_uri()]
        assert shown.complaints == []
        assert shown.title() == "An evaluation"
        assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth")

    def test_axe_has_nothing_against_it(self, shown):
        shown.evaluate("document.querySelector('details').open = true")
        shown.evaluate(AXE.read_text("utf-8"))
        assert shown.evaluate(JUDGE) == []

    def test_on_paper_it_is_light_and_what_is_folded_is_open(self, shown):
        folded = shown.get_by_text("What is folded.")
        expect(folded).to_be_hidden()
        shown.emulate_media(media="print")
        expect(folded).to_be_visible()
        assert shown.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
