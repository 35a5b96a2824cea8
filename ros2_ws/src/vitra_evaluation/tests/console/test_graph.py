"""The console, the supervisor and the drivers together: a click in Chromium stops the simulated robot."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from vitra_bringup.graph_client import GraphClient
from vitra_evaluation.plan.plan import Plan
from vitra_evaluation.session.attended_session import AttendedSession, AttendedSettings
from vitra_evaluation.session.folder import Session
from vitra_msgs.msg import DriverState, Permit
from vitra_runtime import qos

pytestmark = [pytest.mark.graph, pytest.mark.slow]
PORT, TOKEN = 8791, "tok"


def test_stop_holds_the_arm_and_a_lost_console_stops_it_too(
    small_plan: Plan, tmp_path: Path, ros_domain: int, chromium, record_property
) -> None:
    session = Session.create(tmp_path / "s", small_plan)
    settings = AttendedSettings(
        graph="launch", arms="right", person="ann", console=True, host="127.0.0.1", port=PORT, token=TOKEN,
        domain_id=ros_domain, render=False,
    )  # fmt: skip
    ended: list[object] = []

    def sit() -> None:
        try:
            ended.append(AttendedSession(session, settings, lambda line: None).run())
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=sit, daemon=True)
    thread.start()
    driver: list[tuple[float, str]] = []
    permits: list[tuple[float, bool]] = []
    with GraphClient("watcher", ros_domain) as client:
        client.watch(
            DriverState, "right_arm/driver_state", qos.SETPOINT, lambda m: driver.append((time.time(), m.state))
        )
        client.watch(Permit, "permit", qos.SETPOINT, lambda m: permits.append((time.time(), m.motion_allowed)))
        client.wait_for(lambda: client.safety is not None or bool(ended), 60, "the graph")
        assert not ended, ended
        browser = chromium()
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{PORT}/#token={TOKEN}")
        page.wait_for_selector("body[data-phase=preflight]", timeout=60_000)

        def arm() -> None:
            client.wait_ready(90)
            page.click("#rearm")
            page.click("#rearm.sure")
            page.wait_for_selector("#safety[data-state=armed]", timeout=20_000)
            page.wait_for_selector("body[data-phase=running]", timeout=90_000)
            client.wait_for(lambda: bool(driver) and driver[-1][1] == "moving", 20, "the arm to move")

        arm()
        page.evaluate("$('stop').addEventListener('pointerdown', () => window.clicked = Date.now(), {capture: true})")
        page.click("#stop")
        client.wait_for(lambda: driver[-1][1] != "moving", 5, "the driver to hold")
        clicked_s = page.evaluate("window.clicked") / 1e3
        refused_s = next(at for at, allowed in permits if at > clicked_s and not allowed)
        held_s = next(at for at, state in driver if at > clicked_s and state != "moving")
        record_property("click_to_permit_withdrawn_s", refused_s - clicked_s)
        record_property("click_to_driver_not_moving_s", held_s - clicked_s)
        print(f"click to permit {refused_s - clicked_s:.3f} s, to driver's report {held_s - clicked_s:.3f} s")
        assert refused_s - clicked_s < 0.2
        assert held_s - clicked_s < 0.2 + 0.1  # the driver reports ten times a second

        page.wait_for_selector("#stopped:not([hidden])", timeout=60_000)  # why it was pressed is asked
        page.click("[data-do=safety_stop]")
        page.click("#send")

        arm()
        stops = len(client.stops)
        browser.close()
        client.wait_for(lambda: len(client.stops) > stops, 5, "the supervisor to miss the operator")
        assert "operator" in f"{client.stops[-1].stop_source} {client.stops[-1].stop_detail}"

        # A new console has the last word: it quits the sitting.
        browser = chromium()
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{PORT}/#token={TOKEN}")
        page.wait_for_selector("#stopped:not([hidden])", timeout=60_000)
        page.click("[data-do=safety_stop]:enabled")
        page.click("#send")
        page.wait_for_selector("body[data-phase=preflight]", timeout=60_000)
        page.click("[data-do=quit]:enabled")
        thread.join(60)
        browser.close()
    assert ended == [False]
    assert [str(a.result.outcome) for a in session.store.attempts() if a.result] == ["safety_stop", "safety_stop"]
