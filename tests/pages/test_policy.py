"""A server may forbid whatever is no file of its own: the widgets need nothing else."""

import pytest
from cover import ONE_OF_EACH_FORM
from looking import start_widgets, widgets_of

POLICY = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'"

IMPORT_A_BLOB = """async () => {
    const blob = new Blob(["export default 1"], { type: "text/javascript" });
    return import(URL.createObjectURL(blob)).then(() => "allowed", () => "forbidden");
}"""


def forbid(route):
    answer = route.fetch()
    route.fulfill(response=answer, headers={**answer.headers, "content-security-policy": POLICY})


@pytest.fixture(scope="module")
def strict(browser):
    """A tab in which every page comes with that policy."""
    with browser.new_page() as page:
        page.route("**/*.html", forbid)
        yield page


@pytest.mark.parametrize("name", ONE_OF_EACH_FORM)
def test_widgets_start_where_scripts_may_come_from_the_server_alone(strict, addresses, name):
    strict.goto(f"{addresses['plain']}/{name}.html")
    assert strict.evaluate(IMPORT_A_BLOB) == "forbidden"
    start_widgets(strict)
    for widget in widgets_of(strict).all():
        assert widget.get_attribute("data-state") == "started"
