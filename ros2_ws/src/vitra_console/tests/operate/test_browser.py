"""The operator's page in a real headless Chromium, before a robot that obeys at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pretend_robot import ARMED, DISARMED, STOPPED, FakeRobot

from vitra_console.web.presence import Presence
from vitra_console.web.server import ConsoleServer

SIZES = [(360, 640), (390, 844), (768, 1024), (1280, 800), (1920, 1080)]


@pytest.fixture
def robot() -> FakeRobot:
    return FakeRobot()


@pytest.fixture
def url(robot: FakeRobot) -> Iterator[str]:
    with ConsoleServer(robot.desk, Presence(), "tok", tcp_port=0) as server:
        yield server.url


def opened(browser: Any, url: str, size: tuple[int, int] = (1280, 800)) -> Any:
    page = browser.new_context(viewport={"width": size[0], "height": size[1]}).new_page()
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.goto(url)
    page.wait_for_selector("body:not([data-safety=unknown])")
    return page


@pytest.fixture
def page(browser: Any, url: str) -> Iterator[Any]:
    page = opened(browser, url)
    yield page
    assert page.problems == []
    page.context.close()


def arm(page: Any) -> None:
    page.click("#rearm")
    page.click("#rearm.sure")
    page.wait_for_selector("body[data-safety=armed]")


def says(page: Any, text: str) -> None:
    page.wait_for_function("(text) => $('message').textContent.includes(text)", arg=text)


def test_arm_instruct_run_stop_rearm_home_and_record(page: Any, robot: FakeRobot) -> None:
    arm(page)
    page.fill("#instruction", "Right hand: Wave.")
    page.click("#run:enabled")
    page.wait_for_selector("#end:enabled")
    page.click("#stop")
    page.wait_for_selector("body[data-safety=stopped]")
    assert "Somebody pressed STOP" in page.inner_text("#cause")
    arm(page)
    page.click("#home:enabled")
    says(page, "On the way to the ready posture")
    robot.executor(0, homes=1)
    robot.desk.watch()
    says(page, "The arms are in the ready posture.")
    page.click("#record:enabled")
    page.wait_for_selector("#save:enabled")
    page.click("#save")
    says(page, "Saved: runs/sim/episodes/episode_000001")
    assert robot.told == [
        "safety_supervisor/rearm_from", "run Right hand: Wave. 0", "STOP", "safety_supervisor/rearm_from",
        "executor/home", "recorder/start", "recorder/save",
    ]  # fmt: skip


def test_the_speed_is_chosen_on_the_page_also_while_the_policy_runs(page: Any, robot: FakeRobot) -> None:
    arm(page)
    page.click("#run:enabled")
    page.wait_for_selector("#end:enabled")
    page.select_option("#speed", "25")
    says(page, "At 25 percent of the speed")
    assert robot.told[-1] == "speed 0.25"
    assert page.input_value("#speed") == "25"
    robot.view.speed_share = 0.4  # somebody else changed it
    page.wait_for_function("() => $('speed').value === '40'")


def test_arming_needs_a_second_look_and_a_ready_robot(page: Any, robot: FakeRobot) -> None:
    page.click("#rearm")
    assert robot.told == []
    robot.safety(DISARMED, missing=("head_camera: no heartbeat yet", "right_arm: disconnected"))
    page.wait_for_selector("#rearm:disabled")
    assert page.locator("#missing li").all_inner_texts() == ["head_camera: no heartbeat yet", "right_arm: disconnected"]


def test_nothing_that_moves_can_be_pressed_before_arming(page: Any) -> None:
    for name in ("run", "end", "home"):
        assert page.is_disabled(f"#{name}")
    assert page.is_enabled("#stop")
    assert page.is_enabled("#record")


def test_a_press_on_stop_is_enough_and_so_is_a_key(page: Any, robot: FakeRobot) -> None:
    page.hover("#stop")
    page.mouse.down()
    page.wait_for_selector("body[data-safety=stopped]")
    page.mouse.up()
    robot.safety(ARMED)
    page.wait_for_selector("body[data-safety=armed]")
    page.keyboard.press("Escape")
    page.wait_for_selector("body[data-safety=stopped]")
    assert robot.told.count("STOP") == 2


def test_a_stop_pressed_without_a_link_leaves_first_when_it_is_back(browser: Any, robot: FakeRobot) -> None:
    with ConsoleServer(robot.desk, Presence(), "tok", tcp_port=0) as server:
        page = opened(browser, server.url)
    page.wait_for_selector("#lost:visible")
    page.keyboard.press("Escape")
    assert "STOP has not been sent" in page.inner_text("#lost-why")
    assert robot.told == []
    with ConsoleServer(robot.desk, Presence(), "tok", tcp_port=server.port):
        page.wait_for_selector("body[data-safety=stopped]")
        page.wait_for_selector("#lost", state="hidden")
    assert robot.told == ["STOP"]
    page.context.close()


def test_a_space_while_typing_is_a_space(page: Any, robot: FakeRobot) -> None:
    page.click("#instruction")
    page.keyboard.type("put it down")
    assert page.input_value("#instruction") == "put it down"
    assert robot.told == []


@pytest.mark.parametrize("size", SIZES)
def test_stop_is_in_view_and_on_top_wherever_the_page_is_scrolled(
    browser: Any, url: str, robot: FakeRobot, size: tuple[int, int]
) -> None:
    page = opened(browser, url, size)
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    page.click("#details summary")
    for where in ("0", "document.body.scrollHeight / 2", "document.body.scrollHeight"):
        page.evaluate(f"window.scrollTo(0, {where})")
        box = page.locator("#stop").bounding_box()
        assert box["width"] >= 300
        assert box["height"] >= 100
        assert 0 <= box["y"] <= size[1] - box["height"]
        hit = "([x, y]) => document.elementFromPoint(x, y).id"
        assert page.evaluate(hit, [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]) == "stop"
    page.click("#stop")
    page.wait_for_selector("body[data-safety=stopped]")
    page.context.close()


@pytest.mark.parametrize("size", SIZES[:2])
def test_buttons_are_large_enough_for_a_thumb(browser: Any, url: str, size: tuple[int, int]) -> None:
    page = opened(browser, url, size)
    for button in page.query_selector_all("main button:visible"):
        assert button.bounding_box()["height"] >= 44
    page.context.close()


def test_the_camera_lives(page: Any) -> None:
    page.wait_for_function("() => Number($('camera').dataset.frames || 0) > 2")


def test_an_error_is_told_in_red_and_in_words(page: Any, robot: FakeRobot) -> None:
    robot.refuse["safety_supervisor/rearm_from"] = "not ready: the camera is silent"
    page.click("#rearm")
    page.click("#rearm.sure")
    says(page, "Not ready: the camera is silent")
    assert "bad" in page.get_attribute("#message", "class")


def test_an_order_pressed_on_a_page_that_had_not_heard_of_the_stop_is_refused(page: Any, robot: FakeRobot) -> None:
    arm(page)
    robot.safety(STOPPED, "driver_fault")  # the page learns of it within 100 ms; its order is older
    page.evaluate("socket.send(JSON.stringify({do: 'home', stops: state.stops - (state.safety.state === 'stopped')}))")
    says(page, "Given before the last STOP")
    assert "executor/home" not in robot.told


def test_task_and_start_state_of_the_simulation(page: Any, robot: FakeRobot) -> None:
    page.select_option("#sim-task", "place_can_in_box")
    page.fill("#seed", "3")
    page.click("#reset:enabled")
    says(page, "The scene is set up anew")
    assert robot.told == ["reset place_can_in_box 3", "instruct"]
    assert page.input_value("#instruction") == "Right hand: place_can_in_box."


def test_joints_speed_and_diagnostics_are_there_for_who_looks(page: Any) -> None:
    page.click("#details summary")
    page.wait_for_selector("#arms .joints")
    assert "1: 6°" in page.inner_text("#arms")
    assert "fastest joint" in page.inner_text("#figures")


def test_a_lost_connection_covers_the_top(page: Any) -> None:
    page.context.set_offline(True)
    page.evaluate("socket.close()")
    page.wait_for_selector("#lost:not([hidden])")
    assert "hardware stop" in page.inner_text("#lost")


def test_a_second_page_looks_on_may_stop_and_can_take_over(page: Any, browser: Any, url: str, robot: FakeRobot) -> None:
    other = opened(browser, url)
    other.wait_for_selector("#take:not([hidden])")
    assert other.is_disabled("#rearm")
    other.click("#stop")
    page.wait_for_selector("body[data-safety=stopped]")
    other.click("#take")
    page.wait_for_selector("#take:not([hidden])")
    arm(other)
    other.context.close()
