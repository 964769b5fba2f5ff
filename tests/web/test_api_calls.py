"""Calls that nobody thought of: schemathesis makes them of the API's own description, of everybody.

    CAMLUCIDA_API_CALLS=10000 pytest tests/web/test_api_calls.py

The bodies, which the application reads itself to bound them, and the keys of what is kept are added to the
description, so that most calls come further than to the first refusal.
"""

import inspect
import os

import hypothesis
import pytest
import requests
import schemathesis
import structlog
from fastapi.routing import iter_route_contexts
from hypothesis import strategies as st
from schemathesis import GenerationMode

from camlucida.records.role import Role
from camlucida.store.audit import trail
from camlucida.store.people import access_tokens
from camlucida.web import rights
from camlucida.web.rights import Right

CALLS = int(os.environ.get("CAMLUCIDA_API_CALLS", "80"))
PATIENT = ("Doe", "ID-4711")
STRANGERS = {
    "nobody": None,
    "made up": "Bearer " + "x" * 43,
    "none": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb290In0.",
    "empty": "Bearer ",
    "basic": "Basic Og==",
}


@pytest.fixture
def description(station, study):
    """What the application says of itself, with bodies and with keys of what is kept."""
    told = station.app.openapi()  # it is served to nobody
    image = study["images"][0]
    uids = station.image.source.sop_instance_uids
    kept = [study["key"], image["key"], image["explanations"][0]["key"], *uids]
    bodies = {
        (context.path, method): body
        for context in iter_route_contexts(station.app.routes)
        if context.path != "/static" and (body := _body(context)) is not None
        for method in context.methods
    }
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path" and parameter["schema"].get("type") == "string":
                    parameter["schema"] = {"anyOf": [{"enum": kept}, parameter["schema"]]}
            if (path, method.upper()) in bodies:
                content = {"application/json": {"schema": bodies[path, method.upper()]}}
                operation["requestBody"] = {"required": True, "content": content}
    return told


def _body(context):
    """The schema of what `bounded` reads."""
    for dependency in context.dependant.dependencies:
        record = inspect.getclosurevars(dependency.call).nonlocals.get("record")
        if record is not None:
            schema = record.model_json_schema()
            return _inlined(schema, schema.get("$defs", {}))
    return None


def _inlined(schema, definitions):
    """A schema without references."""
    if isinstance(schema, dict) and "$ref" in schema:
        return _inlined(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if isinstance(schema, dict):
        return {name: _inlined(one, definitions) for name, one in schema.items() if name != "$defs"}
    return [_inlined(one, definitions) for one in schema] if isinstance(schema, list) else schema


def test_no_call_breaks_the_station_or_tells_of_a_patient_whom_it_must_not(station, description):
    tokens = {role: f"Bearer {access_tokens.add(station.home, f'a {role}', [role])}" for role in Role}
    client = station.client()
    client.follow_redirects = False
    operations = [found.ok() for found in schemathesis.openapi.from_dict(description).get_all_operations()]
    calls = st.one_of(
        one.as_strategy(generation_mode=mode)
        for one in operations
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    )
    seen = set()

    @hypothesis.seed(4711)
    @hypothesis.settings(
        max_examples=CALLS,
        deadline=None,
        database=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(calls)
    def call(case):
        for who in (*Role, *STRANGERS):
            call_as(who, case)

    def call_as(who, case):
        sent = requests.Request(**_sent(case)).prepare()
        authorization = STRANGERS[who] if who in STRANGERS else tokens[who]
        headers = {"authorization": authorization} if authorization is not None else {}
        kind = sent.headers.get("content-type")
        headers |= {"content-type": kind} if kind and kind.isascii() else {}
        answer = client.request(sent.method, sent.url, headers=headers, content=sent.body)
        seen.add((who, answer.status_code))
        assert answer.status_code < 500, answer.text
        right = rights.of_route(case.method.upper(), case.path)
        if who in STRANGERS:
            assert answer.status_code in {307, 401, 404, 405}, (who, case.path)
        elif right not in rights.of_roles([who]):
            assert not answer.is_success
        if who in STRANGERS or answer.is_error or Right.READ not in rights.of_roles([who]):
            assert not any(word in f"{answer.text}{answer.headers}" for word in PATIENT)

    with structlog.testing.capture_logs() as lines:
        call()
    assert not any(word in str(lines) for word in PATIENT)
    assert {(Role.ADMIN, 200), (Role.OPERATOR, 403), ("nobody", 401)} <= seen
    assert trail.verify(station.home).faults == []


def _sent(case):
    kept = {"method", "url", "params", "json", "data", "headers"}
    told = case.as_transport_kwargs(base_url="http://127.0.0.1:8765")
    return {name: value for name, value in told.items() if name in kept}
