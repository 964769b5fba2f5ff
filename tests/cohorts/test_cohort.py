import json
import os
import signal
from contextlib import closing
from pathlib import Path

import duckdb
import numpy as np
import pytest

import forked
from camlucida.cohorts import asking
from camlucida.cohorts.cohort import Cohort, Wish
from camlucida.cohorts.engines import explain_here, explain_on_ray
from camlucida.cohorts.inputs import images_of, of_folder, of_table
from camlucida.cohorts.shard import Explainer, Shard, explanation_at
from camlucida.cohorts.tables import read_table
from camlucida.errors import InputError, ModelChanged
from camlucida.images.read import read_image
from camlucida.models.load import load_folder
from camlucida.pipeline import find, take_in
from camlucida.saliency.explain import explain
from camlucida.store.home import Home
from camlucida.store.worklist import Search
from example_models import small_network, write_model


def begin(folder, films, model, *, shard_size=2):
    wish = Wish.of("films", str(model), load_folder(model), "grad-cam", None, shard_size)
    return Cohort.begin(folder, wish, of_folder(films))


def compute(cohort):
    """What is missing, in this process."""
    explainer = Explainer(cohort.setup(None))
    for shard in cohort.missing():
        explainer(shard)
    return cohort.finish()


def content(folder):
    """The bytes of all files below a folder, by their names."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory, films, model):
    """A cohort that was computed without being disturbed."""
    cohort = begin(tmp_path_factory.mktemp("cohort"), films, model)
    compute(cohort)
    return cohort


def findings(cohort):
    return [
        row
        for shard in cohort.shards()
        for row in read_table(cohort.folder / "shards" / shard.name / "findings.parquet")
    ]


def test_each_finding_of_each_image_has_its_row_and_its_map(cohort, films, model):
    rows = findings(cohort)
    assert [row["input"] for row in rows] == [f"{n}.dcm" for n in (0, 1, 2, 4) for _ in range(2)]
    network = load_folder(model)
    for row in rows:
        alone = explain(network, read_image(films / row["input"]), finding=row["finding"])
        assert row["logit"] == pytest.approx(alone.logits[0], abs=1e-4)
        assert row["evidence_for"] + row["evidence_against"] + row["bias"] + row["residual"] == pytest.approx(
            row["logit"], abs=1e-4
        )
        kept = explanation_at(cohort.folder, row)
        index = kept.saliency_map.findings.index(row["finding"])
        np.testing.assert_allclose(kept.saliency_map.values[index], alone.values[0], atol=1e-5)
        assert kept.trust.findings[index].statement == row["statement"]


def test_what_is_broken_is_refused_with_its_reason(cohort):
    (refused,) = read_table(cohort.folder / "refused.parquet")
    assert refused["input"] == "3.dcm"
    assert refused["reason"].endswith(".")
    manifest = json.loads((cohort.folder / "cohort.json").read_text())
    assert (manifest["state"], manifest["inputs"], manifest["inputs_explained"]) == ("complete", 5, 4)
    assert manifest["model_digest"] == cohort.wish.model_digest


def killed_in_the_second_shard(folder, films, model):
    cohort = begin(folder, films, model)
    first, second, *_ = cohort.missing()
    explainer = Explainer(cohort.setup(None))
    explainer(first)
    explainer._write = lambda _shard, into: (
        (into / "maps.bin").write_bytes(b"half") and os.kill(os.getpid(), signal.SIGKILL)
    )
    explainer(second)


def test_what_was_killed_goes_on_and_gives_the_same_bytes(cohort, films, model, tmp_path):
    code = forked.ended(killed_in_the_second_shard, tmp_path / "to", films, model)
    assert code == -signal.SIGKILL
    assert len(list((tmp_path / "to" / "shards").iterdir())) == 2  # one whole, one not
    again = begin(tmp_path / "to", Path("nowhere"), model)  # what it is made of was noted when it began
    assert [shard.number for shard in again.missing()] == [1, 2]
    compute(again)
    assert content(tmp_path / "to") == content(cohort.folder)


def test_processes_give_the_same_bytes(cohort, films, model, tmp_path):
    other = begin(tmp_path / "to", films, model)
    done = list(explain_here(other.setup(None), other.missing(), 2))
    assert [one.shard for one in done] == [0, 1, 2]
    other.finish()
    assert content(tmp_path / "to") == content(cohort.folder)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_ray_gives_the_same_bytes(cohort, films, model, tmp_path):
    other = begin(tmp_path / "to", films, model)
    done = list(explain_on_ray(other.setup(None), other.missing(), 8))
    assert sorted(one.shard for one in done) == [0, 1, 2]
    other.finish()
    assert content(tmp_path / "to") == content(cohort.folder)


def test_a_folder_holds_one_cohort(cohort, films, model, tmp_path):
    with pytest.raises(InputError, match="shard size “2”, not “3”"):
        begin(cohort.folder, films, model, shard_size=3)
    (tmp_path / "letter.txt").touch()
    with pytest.raises(InputError, match="no cohort"):
        begin(tmp_path, films, model)
    with pytest.raises(InputError, match="Nothing was found"):
        Cohort.begin(tmp_path / "to", cohort.wish, [])


def test_a_model_that_has_changed_meanwhile_is_not_asked(films, tmp_path):
    changing = write_model(tmp_path / "model")
    cohort = begin(tmp_path / "to", films, changing)
    write_model(tmp_path / "model", small_network(seed=1))
    with pytest.raises(ModelChanged, match="not the one"):
        Explainer(cohort.setup(None))


def test_duckdb_reads_all_shards_at_once(cohort):
    asked = (
        "SELECT finding, count(*), max(probability) FROM read_parquet(?) GROUP BY finding ORDER BY finding"
    )
    answered = duckdb.execute(asked, [f"{cohort.folder}/shards/*/findings.parquet"]).fetchall()
    rows = findings(cohort)
    for finding, number, highest in answered:
        assert number == 4
        assert highest == max(row["probability"] for row in rows if row["finding"] == finding)
    assert len(answered) == 2


def test_the_lines_of_a_table_are_taken_in_their_order(films, tmp_path):
    table = tmp_path / "films.csv"
    table.write_text("image,note\n2.dcm,x\n0.dcm,y\nmissing.dcm,z\n")
    inputs = list(of_table(table, films))
    assert [one.name for one in inputs] == ["2.dcm", "0.dcm", "missing.dcm"]
    assert images_of(inputs[0], None)[0].digest == read_image(films / "2.dcm").digest
    table.write_text("file name\n2.dcm\n")
    with pytest.raises(InputError, match="no column “picture”"):
        list(of_table(table, films, "picture"))


def test_the_station_is_asked_as_its_worklist_is(films, model, tmp_path, monkeypatch):
    monkeypatch.setattr(asking, "PAGE", 2)
    with closing(Home.open(tmp_path / "home")) as home:
        list(take_in(home, find([films])))
        inputs = list(asking.stored(home, asking.read_query(["modality=DX", "text=phantom"])))
        assert list(asking.stored(home, asking.read_query(["modality=CT"]))) == []
    assert len({one.name for one in inputs}) == len(inputs) == 4
    explainer = Explainer(begin(tmp_path / "to", films, model).setup(tmp_path / "home"))
    done = explainer(Shard(7, tuple(inputs)))
    assert (done.images, done.refused) == (4, ())
    rows = read_table(tmp_path / "to" / "shards" / "000007" / "findings.parquet")
    digests = {read_image(films / f"{n}.dcm").digest for n in (0, 1, 2, 4)}
    assert {row["pixel_digest"] for row in rows} == digests


def test_a_query_says_what_the_worklist_s_search_says():
    words = ["study_date>=20240101", "finding=Pleural effusion", "probability>=0.5", "reported"]
    assert asking.read_query(words) == Search(
        first_date="20240101",
        finding="Pleural effusion",
        probability=0.5,
        reported=True,
        sort="arrival",
        descending=False,
    )


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("films", "no file, no folder and no search"),
        ("age>=3", "no file, no folder and no search"),
        ("study_date>=May", "no date"),
        ("state=done", "there are: waiting"),
        ("probability>=half", "no probability"),
    ],
)
def test_what_is_no_search_is_told(word, said):
    with pytest.raises(InputError, match=said):
        asking.read_query([word])
