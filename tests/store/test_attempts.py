from sqlalchemy import select, update

from camlucida.examples.phantom.dicom import write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.store import attempts, instances
from camlucida.store.tables import InstanceRow, Origin


def test_an_attempt_that_was_ended_on_purpose_is_taken_back(home, tmp_path):
    write_radiograph(radiograph(1, rows=64), tmp_path / "film.dcm")
    instances.take(home, tmp_path / "film.dcm", Origin.STORE)
    with home.database.write() as session:
        session.execute(update(InstanceRow).values(attempts=3))
    attempts.forgive(home)
    with home.database.read() as session:
        assert session.scalars(select(InstanceRow.attempts)).all() == [2]
    for _ in range(5):
        attempts.forgive(home)
    with home.database.read() as session:
        assert session.scalars(select(InstanceRow.attempts)).all() == [0]
