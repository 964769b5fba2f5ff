"""The committed viewer: what a strict content security policy and a closed network allow, no more."""

import gzip
import re

import pytest

from camlucida.web.app import STATIC

FILES = sorted(path for path in STATIC.rglob("*") if path.is_file())


def test_the_page_and_what_it_needs_are_there():
    assert [path.name for path in FILES] == [
        "icon.svg",
        "index.html",
        "overviews.js",
        "viewer.css",
        "viewer.js",
    ]


def test_the_page_names_only_its_own_files():
    page = (STATIC / "index.html").read_text("utf-8")
    named = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(named) == 3
    assert all((STATIC / name.removeprefix("/static/")).is_file() for name in named)


def test_nothing_is_inline():
    page = (STATIC / "index.html").read_text("utf-8")
    assert not re.findall(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", page)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_other_host_is_named(path):
    hosts = set(re.findall(r"https?://[\w.-]+", path.read_text("utf-8")))
    assert hosts <= {"http://www.w3.org"}  # the name of SVG's namespace, which nobody fetches


@pytest.mark.parametrize("name", ["viewer.js", "overviews.js"])
def test_no_code_is_made_from_text(name):
    code = (STATIC / name).read_text("utf-8")
    assert not re.search(r"\beval\(|new Function\(|innerHTML|document\.write\(", code)


def test_it_is_small():
    assert len(gzip.compress((STATIC / "viewer.js").read_bytes(), 9)) <= 60_000
