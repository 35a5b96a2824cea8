from __future__ import annotations

from realman_driver.codes import describe_errors, describe_return


def test_a_healthy_arm_has_nothing_to_say() -> None:
    assert describe_errors([0], [0] * 7) == ""


def test_system_errors_and_joint_flags_are_named() -> None:
    words = describe_errors([0x100D, 0x9999], [0, 0x0048, 0, 0, 0, 0, 0xF000])
    assert words == (
        "collision detected (0x100D); unknown error (0x9999); joint 2: too hot, over-current (0x0048); "
        "joint 7: frames lost (0xF000)"
    )


def test_a_return_value_is_explained() -> None:
    assert describe_return("rm_movej_canfd", -1) == "rm_movej_canfd returned -1 (the data could not be sent)"
