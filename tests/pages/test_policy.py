"""A server may forbid whatever is no file of its own: the widgets need nothing else."""

import pytest
from looking import PAGES, kinds_on, start_widgets, widgets_of

POLICY = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'"
FIRST_WITH = {kind: page for page in reversed(PAGES) for kind in kinds_on(page)}

IMPORT_A_BLOB = """async () => {
    const blob = new Blob(["export default 1"], { type: "text/javascript" });
    return import(URL.createObjectURL(blob)).then(() => "allowed", () => "forbidden");
}"""


def forbid(route):
    answer = route.fetch()
    route.fulfill(response=answer, headers={**answer.headers, "content-security-policy": POLICY})


@pytest.mark.parametrize("name", sorted(set(FIRST_WITH.values())))
def test_widgets_start_where_scripts_may_come_from_the_server_alone(browser, addresses, name):
    with browser.new_page() as page:
        page.route(f"**/{name}.html", forbid)
        page.goto(f"{addresses['plain']}/{name}.html")
        assert page.evaluate(IMPORT_A_BLOB) == "forbidden"
        start_widgets(page)
        for widget in widgets_of(page).all():
            assert widget.get_attribute("data-state") == "started"
