"""The console in a real headless Chromium."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from vitra_evaluation.session.store import Outcome


@pytest.fixture
def page(browser, console) -> Iterator:
    context = browser.new_context()
    page = context.new_page()
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.goto(console.url)
    page.wait_for_selector("body[data-phase=reset]")
    yield page
    assert page.problems == []
    context.close()


def to_running(page) -> None:
    page.click("[data-do=confirm_reset]")
    page.click("[data-do=start]")
    page.wait_for_selector("body[data-phase=running]")


def test_start_milestone_and_success(page, console) -> None:
    to_running(page)
    page.click("text=grasped")
    page.wait_for_selector("#milestones .reached")
    page.click("[data-do=success]")
    console.wait_for(lambda: bool(console.session.store.counted()))
    result = console.session.store.attempts()[0].result
    assert result.outcome is Outcome.SUCCESS
    assert list(result.milestones) == ["grasped"]


def test_fail_with_code_and_note_by_keyboard(page, console) -> None:
    page.keyboard.press("c")
    page.wait_for_selector("body[data-phase=ready]")
    page.keyboard.press("g")
    page.wait_for_selector("body[data-phase=running]")
    page.keyboard.press("f")
    page.select_option("#codes", "dropped")
    page.fill("#text", "slipped at the rim")
    page.keyboard.press("Enter")
    console.wait_for(lambda: bool(console.session.store.counted()))
    result = console.session.store.attempts()[0].result
    assert (result.failure_code, result.note) == ("dropped", "slipped at the rim")


def test_void_needs_a_reason_and_the_trial_comes_again(page, console) -> None:
    to_running(page)
    page.click("[data-do=void]")
    page.click("#send")
    console.wait_for(lambda: page.evaluate("document.getElementById('message').textContent.includes('needs a reason')"))
    page.click("[data-do=void]")
    page.fill("#text", "bumped the table")
    page.click("#send")
    page.wait_for_selector("body[data-phase=reset]")
    assert console.session.store.attempts()[0].void_reason == "bumped the table"
    assert console.session.next_slot().index == 0


def test_stop_acts_on_press_and_rearming_is_explicit(page, console, record_property) -> None:
    """The 200 ms from click to hold are asserted on the graph (test_console_graph); here they are only noted."""
    to_running(page)
    page.evaluate("$('stop').addEventListener('pointerdown', () => window.clicked = Date.now(), {capture: true})")
    page.hover("#stop")
    page.mouse.down()  # no release: a press is enough
    console.wait_for(lambda: console.port.stops > 0)
    record_property("click_to_stop_s", console.port.stopped_at_s - page.evaluate("window.clicked") / 1e3)
    page.mouse.up()
    page.wait_for_selector("#safety[data-state=stopped]")
    page.wait_for_selector("body[data-phase=label]")
    page.click("[data-do=safety_stop]")
    page.click("#send")
    page.wait_for_selector("body[data-phase=preflight]")
    page.click("#rearm")
    assert not console.port.armed
    page.click("#rearm.sure")
    page.wait_for_selector("#safety[data-state=armed]")
    assert console.port.told.count("arm") == 1
    assert console.port.stops == 1


def test_the_run_ends_when_a_failure_is_chosen_not_when_its_note_is_typed(page, console) -> None:
    to_running(page)
    page.click("[data-do=fail]")
    page.wait_for_selector("body[data-phase=label]")
    console.wait_for(lambda: not console.port.running)
    assert page.is_visible("#ask")
    page.fill("#text", "it took a while to write this down")
    page.click("#send")
    console.wait_for(lambda: bool(console.session.store.counted()))
    assert console.session.store.attempts()[0].result.reason == "ended by the evaluator"


def test_pause_holds_the_next_trial_back_until_it_is_lifted(page, console) -> None:
    to_running(page)
    page.click("[data-do=pause]")
    page.wait_for_selector("[data-do=pause]:text-is('Go on')")
    page.click("[data-do=success]")
    console.wait_for(lambda: len(console.session.store.counted()) == 1)
    console.wait_for(lambda: "(paused)" in page.inner_text("#progress"))
    page.click("[data-do=home]")  # obeyed in the pause, so the pause has been looked at
    console.wait_for(lambda: console.port.told.count("home") == 2)
    assert console.port.started == 1
    page.keyboard.press("p")
    page.wait_for_selector("body[data-phase=reset]")
    page.wait_for_selector("[data-do=pause]:text-is('Pause after trial')")
    console.wait_for(lambda: "(paused)" not in page.inner_text("#progress"))


def test_quitting_from_the_page_ends_the_sitting_and_keeps_what_was_done(page, console) -> None:
    to_running(page)
    page.click("[data-do=success]")
    console.wait_for(lambda: len(console.session.store.counted()) == 1)
    page.wait_for_selector("body[data-phase=reset]")
    page.click("[data-do=quit]")
    console.wait_for(lambda: console.outcome == [False])
    assert not console.session.is_complete


def test_a_lost_connection_is_shown_and_ends_the_operators_presence(page, console) -> None:
    console.wait_for(lambda: console.presence.is_there)
    page.context.set_offline(True)
    page.evaluate("socket.close()")
    page.wait_for_selector("#lost:not([hidden])")
    console.wait_for(lambda: not console.presence.is_there)


def test_a_wrong_token_is_told_and_sees_nothing(browser, console) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{console.address}/#token=guess")
    console.wait_for(lambda: page.evaluate("document.getElementById('lost-why').textContent.includes('Wrong token')"))
    assert page.inner_text("#instruction") == ""
    context.close()


def test_a_second_evaluator_looks_on_and_can_take_over(page, browser, console) -> None:
    context = browser.new_context()
    other = context.new_page()
    other.goto(console.url)
    other.wait_for_selector("#take:not([hidden])")
    assert other.is_disabled("[data-do=confirm_reset]")
    other.click("#take")
    page.wait_for_selector("#take:not([hidden])")
    other.click("[data-do=confirm_reset]:enabled")
    page.wait_for_selector("body[data-phase=ready]")
    context.close()


def test_the_camera_lives_and_the_reference_is_laid_over_it(page, console) -> None:
    console.wait_for(lambda: page.evaluate("Number(document.getElementById('camera').dataset.frames || 0) > 2"))
    to_running(page)
    page.click("[data-do=success]")
    page.wait_for_selector("body[data-phase=reset]")
    to_running(page)
    page.click("[data-do=success]")  # both policies met the first layout; its picture is the reference of later ones
    console.wait_for(lambda: len(console.session.store.counted()) == 2)
    assert list((console.session.folder / "references").iterdir())
    while page.evaluate("reference === null"):
        page.wait_for_selector("body[data-phase=reset]")
        to_running(page)
        page.click("[data-do=success]")
    page.check("#edges")
    drawn = "document.getElementById('overlay').getContext('2d').getImageData(0, 0, 42, 24).data.some((v) => v > 0)"
    assert page.evaluate(drawn)
    page.uncheck("#edges")
    assert not page.evaluate(drawn)
    page.evaluate("$('blend').value = 60; draw()")
    assert page.evaluate(drawn)


@pytest.mark.parametrize("size", [(390, 844), (320, 568)])
def test_everything_is_within_reach_on_a_phone(browser, console, size: tuple[int, int], tmp_path) -> None:
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(console.url)
    page.wait_for_selector("body[data-phase=reset]")
    to_running(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    stop = page.locator("#stop").bounding_box()
    assert stop["y"] + stop["height"] <= size[1]
    assert min(stop["width"], stop["height"]) >= 100
    for button in page.query_selector_all("#buttons button"):
        assert button.bounding_box()["height"] >= 44
    page.screenshot(path=tmp_path / "phone.png")
    assert (tmp_path / "phone.png").stat().st_size > 5000
    context.close()
