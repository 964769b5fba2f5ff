from contextlib import closing

import pytest
from fastapi.testclient import TestClient

from camlucida.store.home import Home
from camlucida.store.people.visits import new_token
from camlucida.web.app import create_app


@pytest.mark.usefixtures("on_postgresql")
def test_while_postgresql_is_away_the_server_says_so_and_goes_on_when_it_is_back(tmp_path, postgresql):
    with closing(Home.open(tmp_path / "home")) as home:
        client = TestClient(create_app(home), "http://127.0.0.1:8765", raise_server_exceptions=False)
        client.get("/sign-in", params={"token": new_token(home)}, follow_redirects=False)
        assert client.get("/api/studies").status_code == 200
        postgresql.stop()
        away = client.get("/api/studies")
        postgresql.start()
        assert (away.status_code, away.headers["retry-after"]) == (503, "10")
        assert "PostgreSQL does not answer" in away.json()["detail"]
        assert client.get("/api/studies").status_code == 200
