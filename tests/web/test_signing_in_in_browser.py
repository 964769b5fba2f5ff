"""A user signs in at the station's own page, sees who they are, and leaves."""

from contextlib import closing

import pytest
from playwright.sync_api import expect

from camlucida.records.role import Role
from camlucida.store.home import Home
from camlucida.store.people import users
from chromium import chromium, served

pytestmark = pytest.mark.browser


def test_a_user_signs_in_by_the_form_and_signs_out(tmp_path):
    with closing(Home.open(tmp_path)) as home:
        users.add(home, "eva", "kite-orbit-fennel", [Role.READER], "cli:root")
    with served(tmp_path) as link, chromium() as browser:
        assert "token" not in link
        page = browser.new_page()
        problems = []
        page.on(
            "console", lambda said: problems.append(said.text) if "Content Security" in said.text else None
        )
        page.goto(link)
        for typed, told in (("wrong", "do not belong together"), ("kite-orbit-fennel", "eva (reader)")):
            page.get_by_label("Name").fill("eva")
            page.get_by_label("Password").fill(typed)
            page.get_by_role("button", name="Sign in").click()
            expect(page.get_by_text(told)).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("Password")).to_be_visible()
        assert problems == []
