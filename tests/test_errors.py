"""Errors: one line each, which survives being sent, and pages that there are."""

import ast
import pickle
import re

import pytest

from hts_tf import errors, team
from hts_tf.collecting import deaths, executor_pool
from hts_tf.environments import checked
from tests import command_line

ROOT = command_line.ROOT
SOURCES = sorted((ROOT / "hts_tf").rglob("*.py"))
PAGED = ("ConfigError", "RunError", "DivergenceError", "ProtocolError", "WorkerError", "warn")


def pages_given():
    """(where, page) of each error and warning that is given one, in as many words."""
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in PAGED:
                where = f"{source.relative_to(ROOT)}:{node.lineno}"
                for keyword in node.keywords:
                    if keyword.arg == "page":
                        value = keyword.value
                        is_choice = isinstance(value, ast.IfExp)
                        for page in (value.body, value.orelse) if is_choice else (value,):
                            if (name := ast.literal_eval(page)) is not None:
                                yield where, name


def pages_named():
    """(where, page) of each page that a source names as docs/PAGE."""
    for source in SOURCES:
        for page in re.findall(r"\bdocs/([\w/]+\.md(?:#[\w-]+)?)", source.read_text()):
            yield source.relative_to(ROOT), page


def anchors(page):
    """Anchors of a page's headings, as GitHub and MkDocs make them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for heading in re.findall(r"^#+ (.*)", text, re.MULTILINE):
        yield re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())


def test_pages_exist():
    given = [*pages_given()]
    assert len(given) > 50
    for where, name in (*given, *pages_named()):
        page, _, anchor = name.partition("#")
        path = ROOT / "docs" / page
        assert path.is_file(), (where, name)
        assert not anchor or anchor in anchors(path), (where, name)


@pytest.mark.parametrize(
    "kind",
    [
        errors.ConfigError,
        errors.RunError,
        errors.DivergenceError,
        team.MachineLostError,
        checked.ProtocolError,
        executor_pool.WorkerError,
    ],
)
def test_a_page_is_said_once_wherever_an_error_goes(kind):
    error = kind("it cannot be", page="cluster.md#gpus")
    for _ in range(2):
        assert str(error) == "it cannot be (see docs/cluster.md#gpus)"
        error = pickle.loads(pickle.dumps(error))
    assert type(error) is kind
    assert str(kind("it cannot be")) == "it cannot be"


def test_what_an_executor_died_in_is_sent_with_its_error():
    attempt = deaths.Attempt(1, 2, 0, ())
    error = executor_pool.WorkerError("it died", attempt, page="faq.md")
    again = pickle.loads(pickle.dumps(error))
    assert (again.attempt, str(again)) == (attempt, "it died (see docs/faq.md)")


def test_texts_of_others_come_into_a_line():
    assert errors.in_a_line(ValueError("a\n  b")) == "a b"
    assert len(errors.in_a_line("x" * 1000)) == 300
