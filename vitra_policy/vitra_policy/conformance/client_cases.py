"""The cases for clients. Each asks for what a robot needs, not for how it is achieved."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vitra_policy.chunks.curve import Array
from vitra_policy.conformance.client import ClientFactory
from vitra_policy.conformance.rehearsal import (
    LATENCY_S,
    MAX_SPEED,
    ORIGIN_S,
    PEAK_SPEED,
    PERIOD_S,
    START,
    STEP_S,
    STEPS,
    Answer,
    Trace,
    exchange,
    plan,
    rehearse,
)
from vitra_policy.conformance.verdict import Case

MODE = 0.06
"""How far apart two ways to do the task are, and how answers are marked that must not be followed."""
FOLLOWS = 2.5 * STEP_S * PEAK_SPEED
"""Two and a half steps of the plan: less is blending and an arm's inertia, more is another time."""
_SETTLED_S = 0.8
_BEGUN_S = ORIGIN_S + 0.2 + _SETTLED_S
"""When a client that had its first answer in time must be on its way."""
_WARM_UP_S = 0.7
"""First inference of the robot in lerobot's pull request 4223: 21 of 30 steps."""
_STILL = 1e-3


def cold_start(make: ClientFactory) -> list[str]:
    """No motion before the first answer; a first answer that took long does not throw the arm into its middle."""
    answers = exchange(4.0, latencies_s=[_WARM_UP_S])
    answers[0] = replace(answers[0], values=plan(answers[0].observed_s + STEP_S * np.arange(1, 31)))
    trace = rehearse(make(), answers, 4.0)
    first_s = _arrival(answers[0])
    found = _jumps(trace)
    moved = float(np.abs(trace.targets[trace.times_s < first_s - 1e-9] - START).max())
    if moved > _STILL:
        found.append(f"moved by {moved:.3f} before the first answer")
    if len(trace.prefixes[0][1]):
        found.append(f"claims {len(trace.prefixes[0][1])} decided steps before the first answer")
    return found + _strays(trace, first_s + _SETTLED_S, ORIGIN_S + 4.0)


def wrong_delay_estimate(make: ClientFactory) -> list[str]:
    """Latency is other than before: the robot stays on time, and the estimate follows, both ways."""
    slow_s = 0.3
    answers = exchange(6.0, latencies_s=[_WARM_UP_S, *[LATENCY_S] * 9, *[slow_s] * 4])
    trace = rehearse(make(), answers, 6.0)
    found = _jumps(trace) + _strays(trace, _arrival(answers[0]) + _SETTLED_S, ORIGIN_S + 6.0)
    lengths = [len(prefix) for _, prefix in trace.prefixes]
    over, slow_over = (int(np.ceil(delay_s / STEP_S)) for delay_s in (LATENCY_S, slow_s))
    if not over - 1 <= lengths[9] <= over + 2:
        found.append(f"after a warm-up of {_WARM_UP_S:g} s and 8 answers in {LATENCY_S:g} s it expects {lengths[9]} "
                     f"steps of delay, {over} are true")  # fmt: skip
    if not slow_over - 2 <= lengths[13] <= slow_over + 2:
        found.append(f"after 3 answers in {slow_s:g} s it expects {lengths[13]} steps of delay, {slow_over} are true")
    if not over - 1 <= lengths[-1] <= over + 2:
        found.append(f"after many answers in {LATENCY_S:g} s it expects {lengths[-1]} steps, {over} are true")
    return found


def empty_queue(make: ClientFactory) -> list[str]:
    """Steps run out: the arm comes to rest where the plan ended, and goes on without a jump when answers come again."""
    before, again_s = exchange(1.0), ORIGIN_S + 3.0
    later = [replace(one, observed_s=one.observed_s + 2.9, arrives_s=_arrival(one) + 2.9) for one in exchange(1.5)]
    trace = rehearse(make(), before + later, 4.6)
    ends_s = before[-1].observed_s + STEPS * STEP_S
    resting = (trace.times_s > ends_s + 0.6) & (trace.times_s < again_s)
    found = _jumps(trace)
    drift = float(np.ptp(trace.targets[resting], axis=0).max())
    if drift > _STILL:
        found.append(f"still moves by {drift:.3f} when the steps have been over for long")
    beyond = float(np.abs(trace.targets[resting] - plan(ends_s)).max())
    if beyond > 3 * FOLLOWS:
        found.append(f"rests {beyond:.3f} from where the plan ended")
    longest = len(trace.prefixes[len(before)][1])
    if longest:
        found.append(f"claims {longest} decided steps when it has none left")
    return found + _strays(trace, again_s + LATENCY_S + _SETTLED_S, ORIGIN_S + 4.6)


def late_chunk(make: ClientFactory) -> list[str]:
    """An answer comes when some or all of its steps are over: those are not executed."""
    answers = exchange(1.2)
    over_s = answers[2].observed_s + STEPS * STEP_S + 0.1
    answers[2] = replace(answers[2], arrives_s=over_s, offset=MODE * 2)
    partly = Answer(ORIGIN_S + 1.35, ORIGIN_S + 1.35 + 10 * STEP_S)
    rest = [replace(a, observed_s=a.observed_s + 1.7, arrives_s=_arrival(a) + 1.7) for a in exchange(1.0)]
    trace = rehearse(make(), [*answers, partly, *rest], 2.8)
    return _jumps(trace) + _strays(trace, _BEGUN_S, ORIGIN_S + 2.8)


def dropped_chunk(make: ClientFactory) -> list[str]:
    """An answer is lost: the older one goes on, by the clock."""
    trace = rehearse(make(), exchange(3.0, lost=[4, 8, 11]), 3.0)
    return _jumps(trace) + _strays(trace, _BEGUN_S, ORIGIN_S + 3.0)


def reordered_chunks(make: ClientFactory) -> list[str]:
    """An older answer overtaken by a newer one, and one that comes twice, change nothing."""
    answers = exchange(3.0)
    for number in (5, 9):
        answers[number] = replace(
            answers[number], arrives_s=_arrival(answers[number + 1]) + 0.03, offset=MODE, copies=2
        )
    answers[12] = replace(answers[12], copies=3)
    trace = rehearse(make(), answers, 3.0)
    return _jumps(trace) + _strays(trace, _BEGUN_S, ORIGIN_S + 3.0)


def splice_jump(make: ClientFactory) -> list[str]:
    """Answers that disagree, now this way, now that: no jump at any seam, and the last word is followed."""
    answers = exchange(4.0)
    changing = [replace(a, offset=MODE * (-1) ** n) if a.observed_s < ORIGIN_S + 2.5 else replace(a, offset=MODE)
                for n, a in enumerate(answers)]  # fmt: skip
    trace = rehearse(make(), changing, 4.0)
    return _jumps(trace) + _strays(trace, ORIGIN_S + 2.6 + _SETTLED_S, ORIGIN_S + 4.0, MODE)


def clock_step(make: ClientFactory) -> list[str]:
    """The clock of the stamps is set ahead and back: nothing is executed at another time, and it recovers."""
    found: list[str] = []
    for error_s in (5.0, -5.0):
        answers = [
            replace(a, stamp_error_s=error_s) if 1.5 < a.observed_s - ORIGIN_S < 2.2 else a for a in exchange(5.0)
        ]
        trace = rehearse(make(), answers, 5.0)
        sign = "ahead" if error_s > 0 else "back"
        said = _jumps(trace) + _strays(trace, _BEGUN_S, ORIGIN_S + 1.5)
        said += _strays(trace, ORIGIN_S + 2.3 + _SETTLED_S + LATENCY_S, ORIGIN_S + 5.0)
        found += [f"clock set {sign}: {what}" for what in said]
    return found


def committed_prefix(make: ClientFactory) -> list[str]:
    """The steps a client calls decided are those that it takes: not shifted, not padded, not averaged."""
    answers = exchange(3.0, latencies_s=[*[LATENCY_S] * 4, 0.45], lost=[9])
    trace = rehearse(make(), answers, 3.2)
    found: list[str] = []
    if not any(len(prefix) for _, prefix in trace.prefixes):
        return ["never says which steps are decided: every chunk is planned as if the robot stood still meanwhile"]
    for (asked_s, prefix), answer in zip(trace.prefixes, answers, strict=True):
        until_s = _arrival(answer) if answer.arrives_s is not None else asked_s + 0.6
        steps_s: Array = asked_s + STEP_S * np.arange(1, len(prefix) + 1, dtype=np.float64)
        times = steps_s[steps_s < min(until_s, trace.times_s[-1])]
        if len(times):
            wrong = float(np.abs(prefix[: len(times)] - trace.at(times)).max())
            if wrong > FOLLOWS / 2:
                found.append(f"decided steps at {asked_s - ORIGIN_S:.2f} s are {wrong:.3f} off what it then did")
        far = np.abs(prefix - plan(steps_s))
        if len(prefix) and far.max() > 3 * FOLLOWS:
            found.append(f"decided steps at {asked_s - ORIGIN_S:.2f} s are {far.max():.3f} off anything planned")
    return found[:3]


def malformed_chunk(make: ClientFactory) -> list[str]:
    """NaN, infinity, no rows, rows of another width: refused, and the chunk before goes on."""
    answers = exchange(3.0)
    bad: tuple[Array, ...] = (
        np.full((STEPS, 2), np.nan),
        np.full((STEPS, 2), np.inf),
        np.zeros((0, 2)),
        np.zeros((STEPS, 5)),
    )
    for number, values in zip((4, 6, 8, 10), bad, strict=True):
        answers[number] = replace(answers[number], values=values)
    trace = rehearse(make(), answers, 3.0)
    return _jumps(trace) + _strays(trace, _BEGUN_S, ORIGIN_S + 3.0)


CLIENT_CASES: tuple[Case[ClientFactory], ...] = (
    Case("cold start", "the arm leaps 0.7 s into its first plan", cold_start),
    Case("wrong delay estimate", "one slow inference shifts every later chunk", wrong_delay_estimate),
    Case("empty queue", "the arm falls to zero, or runs on, when the policy is late", empty_queue),
    Case("late chunk", "the arm goes back to do what is over", late_chunk),
    Case("dropped chunk", "everything after a lost answer is out of time", dropped_chunk),
    Case("reordered chunks", "an overtaken answer takes the arm back", reordered_chunks),
    Case("splice jump", "two plans meet in a jerk", splice_jump),
    Case("clock step", "a set clock freezes the arm or throws it", clock_step),
    Case("committed prefix", "the new plan continues a motion that the arm does not make", committed_prefix),
    Case("malformed chunk", "NaN reaches the drive", malformed_chunk),
)


def _arrival(answer: Answer) -> float:
    assert answer.arrives_s is not None
    return answer.arrives_s


def _jumps(trace: Trace) -> list[str]:
    if not np.isfinite(trace.targets).all():
        return ["a setpoint is not a finite number"]
    begun = np.concatenate([[np.abs(trace.targets[0] - START).max() / PERIOD_S], trace.speed()])
    worst = int(np.argmax(begun))
    if begun[worst] <= MAX_SPEED:
        return []
    at_s = trace.times_s[worst] - ORIGIN_S
    return [f"jumps at {at_s:.2f} s: {begun[worst]:.1f} /s, {MAX_SPEED:g} /s are allowed"]


def _strays(trace: Trace, from_s: float, to_s: float, offset: float = 0.0) -> list[str]:
    when = (trace.times_s >= from_s) & (trace.times_s < to_s)
    away = np.abs(trace.targets[when] - plan(trace.times_s[when]) - offset).max(axis=1)
    if not np.isfinite(away).all():
        return []
    worst = int(np.argmax(away))
    if away[worst] <= FOLLOWS:
        return []
    at_s = trace.times_s[when][worst] - ORIGIN_S
    return [f"is {away[worst]:.3f} off the plan at {at_s:.2f} s, {FOLLOWS:.3f} are allowed"]
