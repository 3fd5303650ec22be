"""Slides as they are cut from a small page, counted by hand."""

import re

import deck
import pytest


def cell(code: str, outputs: str = "", tags: str = "") -> str:
    lines = "".join(f'<span class="line">{line}</span>\n' for line in code.split("\n"))
    shown = f'<div class="cell_output">{outputs}</div>' if outputs else ""
    return f'<div class="cell {tags}"><div class="cell_input"><pre>{lines}</pre></div>{shown}</div>'


def printed(text: str) -> str:
    return f'<div class="output stream"><pre>{text}</pre></div>'


def cut(*blocks: str, waiting: float = 0) -> list[deck.Slide]:
    head = '<h1>7 · Chapter<a class="headerlink" href="#x">#</a></h1><p>What it is about.</p>'
    page = f"<article><section>{head}{''.join(blocks)}</section></article>"
    return deck.slides_of(page, waiting)


def texts(slides: list[deck.Slide]) -> list[str]:
    found = (re.sub(r"<[^>]*>", "", slide.html().split("<aside")[0]) for slide in slides)
    return [" ".join(text.split()) for text in found]


def notes(slides: list[deck.Slide]) -> list[str]:
    found = (re.sub(r"<[^>]*>", " ", slide.html().split("minutes.</p>")[1]) for slide in slides)
    return [" ".join(text.split()) for text in found]


def test_a_heading_is_a_slide_with_its_first_sentences_and_all_is_said():
    text = "One. Two stands (in the field. So they say) <em>here</em>. " + "More words. " * 30
    _, slide = cut(f"<section><h2>Part</h2><p>{text}</p><p>The rest.</p></section>")
    assert slide.title == "Part"
    (shown,) = texts([slide])
    assert shown.startswith("PartOne. Two stands (in the field. So they say) here. More words.")
    assert 40 < len(shown.split()) <= 47
    assert notes([slide]) == [" ".join(re.sub("<.*?>", " ", text).split()) + " The rest."]


def test_a_formula_follows_the_sentence_that_leads_to_it_while_there_is_room():
    formula = r'<div class="math">\[a = {\class{of-keys}{k}}_j\]</div>'
    _, slide, more = cut(
        f"<section><h2>Part</h2><p>It begins.</p><p>First this. Then that is so:</p>{formula}",
        f"<p>After.</p>{formula * 8}</section>",
    )
    assert texts([slide])[0].startswith(r"PartIt begins.Then that is so:\[a =")
    assert slide.minutes["looking"] == 0 and slide.minutes["reading"] > 1 / 2
    assert notes([slide])[0].endswith("First this. Then that is so: After.")
    assert more.minutes["reading"] >= 1 / 2


@pytest.mark.parametrize("lead", ["", "<p>As loudly:</p>"])
def test_a_long_list_below_a_heading_or_its_lead_is_shown_in_short(lead):
    items = "".join(f"<li><p><em>{k}.</em> First. {'More words. ' * 20}</p></li>" for k in range(4))
    _, slide = cut(f"<h2>Part</h2>{lead}<ul>{items}</ul>")
    said = re.sub("<[^>]*>", "", lead)
    assert texts([slide]) == [f"Part{said}0. First. 1. First. 2. First. 3. First."]
    assert slide.minutes["reading"] == pytest.approx((4 * 42 + len(said.split())) / 130)


def test_formulas_in_notes_are_as_they_were_typed():
    _, slide = cut(
        r'<h2>Part</h2><p>Of <span class="math">\(W_k {\class{of-memory}{m}}_j\)</span>.</p>'
    )
    assert notes([slide]) == ["Of W_k m_j ."]
    assert r"\class{of-memory}" in slide.html().split("<aside")[0]


def test_long_code_is_cut_between_functions_and_nothing_of_it_is_lost():
    function = "def f():\n" + "\n".join(f"    x = {k}" for k in range(12))
    code = "\n\n\n".join([function] * 3)
    _, *slides = cut("<h2>Part</h2>", cell(code))
    found = [text.removeprefix("Part") for text in texts(slides)]
    assert found == [" ".join(function.split())] * 3
    assert sum(slide.minutes["code"] for slide in slides) == pytest.approx(39 / 12)


def test_what_a_cell_prints_stands_below_it_and_no_more_than_fits():
    many = "\n".join(map(str, range(90)))
    _, slide, more = cut(
        "<h2>Part</h2>", cell("p(1)", printed("one")), cell("p(90)", printed(many))
    )
    assert texts([slide]) == ["Partp(1) one"]
    assert texts([more])[0].startswith("Partp(90) 0 1")
    assert texts([more])[0].endswith("23 ... and 66 lines more")


def test_what_is_wider_than_a_slide_is_wrapped():
    _, slide = cut("<h2>Part</h2>", cell("p(1)", printed("word " * 50)))
    lines = slide.html().split('<div class="highlight printed"><pre>')[1].split("</pre>")[0]
    assert [len(line) for line in lines.strip().split("\n")] == [99, 99, 49]


@pytest.mark.parametrize(
    "left_out",
    [
        cell("import os\nfrom math import (\n    pi,\n)"),
        cell("import os\n" * 12 + "green = 3"),
        cell("x = 1", tags="tag_hide-cell"),
        cell("x = 1", tags="tag_hide-input"),
        cell("x = 1", printed("1"), tags="tag_no-slide"),
        "<details><summary>Answer</summary><p>x = 1</p></details>",
    ],
)
def test_what_is_folded_or_only_imports_is_left_out(left_out):
    assert texts(cut("<h2>Part</h2><p>Text.</p>", left_out))[1:] == ["PartText."]


def test_a_drawing_and_a_widget_have_a_slide_of_their_own_and_no_code():
    figure = (
        '<figure><svg viewBox="0 0 1 1"><g></g></svg><figcaption>So it is.</figcaption></figure>'
    )
    widget = (
        '<div class="output text_html"><div class="feedback-widget" data-widget="x"></div></div>'
    )
    _, _, first, second = cut(
        "<h2>Part</h2><p>Text.</p><p>Look. At this:</p>",
        cell("plot()", figure),
        cell("W()", widget),
    )
    assert texts([first, second]) == ["PartSo it is.", "Part"]
    assert 'viewBox="0 0 1 1"' in first.html() and "feedback-widget" in second.html()
    assert first.minutes["looking"] == second.minutes["looking"] == 1
    assert notes([first])[0] == "At this:"


def test_an_exercise_is_a_slide_with_its_minutes_and_without_its_solution():
    text = "<p><strong>Exercise 7.1 · A name</strong> (easy, 10 minutes). Write f.</p>"
    stub = cell('def f():\n    ...\n\n\nchecks.check("7.1", f)', printed("not begun"))
    solved = cell("def f_solution(): pass", tags="tag_hide-cell")
    _, slide = cut("<h2>Exercises</h2>", text, stub, solved)
    assert texts([slide]) == [
        'Exercise 7.1 · A name (easy, 10 minutes). Write f.def f(): ... checks.check("7.1", f)'
    ]
    assert slide.minutes["exercises"] == 10 and slide.minutes["code"] == 0
    assert "The exercise takes 10." in slide.html()


def test_what_follows_an_exercise_amid_a_section_is_of_that_section():
    text = "<p><strong>Exercise 7.1 · A name</strong> (easy, 10 minutes). Write f.</p>"
    solved = cell("def f_solution(): pass", tags="tag_hide-cell")
    *_, slide = cut("<h2>Part</h2><p>Text.</p>", text, solved, "<p>It goes on.</p>")
    assert texts([slide]) == ["PartIt goes on."] and slide.minutes["reading"] == 3 / 130


def test_the_seconds_that_cells_run_are_minutes_of_the_first_slide():
    first, second = cut("<h2>Part</h2><p>Text.</p>", waiting=90)
    assert first.minutes["waiting"] == 1.5 and second.minutes["waiting"] == 0


def test_a_page_of_something_else_is_refused():
    with pytest.raises(ValueError, match="no page of the built book"):
        deck.slides_of("<html></html>")
