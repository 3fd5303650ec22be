"""The live model beside a kernel: what is set in the page, and what Python sets."""

from live_model_page import come_to_rest, draw_small_model, press


def test_keeping_the_length_goes_from_the_page_to_python_and_back(browser):
    with browser.new_page() as page:
        draw_small_model(page, "abcd")
        box = page.get_by_label("Keep the length")
        press(page.locator("body"), "Last layer")
        box.press("Space")
        come_to_rest(page.locator("body"))
        assert page.evaluate("values.keep_length") is True
        assert page.evaluate("values.layer_weights") == [0, 1]
        said = page.locator(".keep .note")
        assert said.text_content().endswith(", as the learned weights make it.")
        page.evaluate("fromPython('keep_length', false)")
        come_to_rest(page.locator("body"))
        assert not box.is_checked()
        assert "; the learned weights would make it" in said.text_content()
