"""A few pages of the built book that together hold a widget of every form: what depends on a
widget's form, and not on what it shows, is tried there."""

from looking import PAGES, html_of, kinds_on, states_on, widgets_of


def form_of(kind: str, state: dict) -> tuple:
    """Widgets of one form have the same controls: questions ask for a choice, a number or a place
    on a slider, some layer weights are replayed, and some training is shown in brief."""
    traits = ("choices", "high", "history", "brief")
    return (kind, *(bool(state.get(trait)) for trait in traits))


def one_of_each_form() -> dict[str, list[int]]:
    """On which pages they stand, and as which of the page: always on the page with the most forms
    that are left, and among those on the lightest."""
    forms = {page: [*map(form_of, kinds_on(page), states_on(page))] for page in PAGES}
    left, found = {form for page in PAGES for form in forms[page]}, {}
    while left:
        most = {page: (len(left & {*forms[page]}), -len(html_of(page))) for page in PAGES}
        page = max(most, key=most.get)
        found[page] = sorted(map(forms[page].index, left & {*forms[page]}))
        left -= {*forms[page]}
    return found


ONE_OF_EACH_FORM = one_of_each_form()


def one_of_each_form_on(visit) -> list:
    """The widgets of an open page that are tried for all of their form."""
    return [widgets_of(visit.page).nth(index) for index in ONE_OF_EACH_FORM[visit.name]]
