"""A captioner behind an OpenAI-compatible server: retries, limits of rate and cost, cache, strict reading."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import random
import threading
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitra_policy.action_space import Side
from vitra_training.labeling.captions.answer import UnusableAnswerError, parse
from vitra_training.labeling.errors import LabelingError

_RETRIED = {408, 409, 425, 429, 500, 502, 503, 504}
_NOBODY = {401, 402, 403, 404, 405}
"""Wrong key, unpaid, forbidden, not there: no request would be answered otherwise."""
_LONGEST_ANSWER = 1 << 20

PROMPT = """\
These {count} images are evenly spaced frames of a short first-person video. Describe what the {side} hand of the
person who wears the camera does in it. The coloured line shows where the palm of the {side} hand will go from each
image to the end: blue now, red at the end; the green dot is the palm.

Answer with one JSON object and nothing else:
{{"caption": "...", "rephrases": ["...", "...", "..."]}}

Rules:
- The caption is one imperative English sentence about the {side} hand only, such as "Pick up the red cup."
- Name the things and, where it matters, their colour and place.
- Say nothing of the other hand, the line or the camera.
- The rephrases say the same in other words.
- Where the {side} hand does nothing with a purpose, or it cannot be told, the caption is "N/A" without rephrases."""


class CaptionError(LabelingError):
    """A caption could not be had; the episode keeps none and says why."""


class RefusedCaptionError(CaptionError):
    """The server turned the request down for good."""


class UnavailableCaptionError(CaptionError):
    """The server answers nobody now: not this episode's fault, and worth another try later."""


class CaptionBudgetError(LabelingError):
    """The allowed cost is used up."""

    def __init__(self, spent: float, allowed: float) -> None:
        super().__init__(
            f"Captions have cost about {spent:.2f} of the allowed {allowed:.2f} USD. Raise the budget and run the same "
            "command again: answers are cached, nothing is paid twice."
        )


@dataclass(frozen=True, slots=True)
class Caption:
    """What a captioner said."""

    text: str
    """Imperative, or "N/A"."""
    rephrases: tuple[str, ...]
    source: str
    """Model name, or template."""
    prompt_tokens: int = 0
    answer_tokens: int = 0


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """Where captions come from."""

    model: str = "gpt-4.1"
    """Name of the model."""
    base_url: str = "https://api.openai.com/v1"
    """Server; a local one for a local model."""
    key_variable: str = "OPENAI_API_KEY"
    """Environment variable with the key; local servers need none."""
    timeout_s: float = 60.0
    """For one answer."""
    attempts: int = 5
    """Tries of one request."""
    requests_per_minute: float = 60.0
    """Limit of the rate."""
    budget_usd: float = 10.0
    """No further request is sent when the estimated cost reaches this."""
    usd_per_million_in: float = 2.0
    """Price of a million prompt tokens."""
    usd_per_million_out: float = 8.0
    """Price of a million answer tokens."""


@dataclass(slots=True)
class Spent:
    """What a client has used."""

    requests: int = 0
    cached: int = 0
    prompt_tokens: int = 0
    answer_tokens: int = 0

    def usd(self, config: ClientConfig) -> float:
        """Estimated cost."""
        return (self.prompt_tokens * config.usd_per_million_in + self.answer_tokens * config.usd_per_million_out) / 1e6


class CaptionClient:
    """Asks for captions, one request per hand and segment.

    Args:
        config: server and limits.
        audit: folder where every prompt, its images and the answer are kept; it is the cache, too.
        clock: monotonic seconds (a test brings its own).
        sleep: waits.
    """

    def __init__(
        self,
        config: ClientConfig,
        audit: Path,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._config, self._audit, self._clock, self._sleep = config, audit, clock, sleep
        self._sent: deque[float] = deque()
        self._lock = threading.Lock()
        self.spent = Spent()

    def caption(self, side: Side, images: Sequence[bytes]) -> Caption:
        """Caption of what a hand does in some JPEG images.

        Raises:
            CaptionError: no usable answer after all attempts, or a refusal.
            UnavailableCaptionError: no answer at all.
            CaptionBudgetError: the allowed cost is used up.
        """
        prompt = PROMPT.format(count=len(images), side=side)
        key = hashlib.sha256("\0".join([self._config.model, prompt]).encode() + b"".join(images)).hexdigest()[:24]
        folder = self._audit / key
        if (stored := folder / "answer.json").is_file():
            self.spent.cached += 1
            return _read(stored)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "prompt.txt").write_text(prompt)
        for number, image in enumerate(images):
            (folder / f"{number}.jpg").write_bytes(image)
        caption = self._ask(prompt, images, folder)
        partial = folder / "answer.partial"
        partial.write_text(json.dumps({
            "text": caption.text, "rephrases": caption.rephrases, "source": caption.source,
            "prompt_tokens": caption.prompt_tokens, "answer_tokens": caption.answer_tokens,
        }, indent=1))  # fmt: skip
        partial.replace(stored)
        return caption

    def _ask(self, prompt: str, images: Sequence[bytes], folder: Path) -> Caption:
        problem: object = "no attempt"
        lacking: type[CaptionError] = UnavailableCaptionError
        for attempt in range(self._config.attempts):
            if self.spent.usd(self._config) >= self._config.budget_usd:
                raise CaptionBudgetError(self.spent.usd(self._config), self._config.budget_usd)
            self._keep_rate()
            wait_s = min(2.0**attempt, 60.0) * (0.5 + random.random())
            answer = None
            try:
                answer = self._post(_body(self._config.model, prompt, images))
            except urllib.error.HTTPError as error:
                detail = error.read(2000).decode(errors="replace")
                if error.code not in _RETRIED:
                    kind = UnavailableCaptionError if error.code in _NOBODY else RefusedCaptionError
                    raise kind(f"The caption server answered {error.code}: {detail[:300]}") from None
                problem, lacking = f"{error.code}: {detail[:200]}", UnavailableCaptionError
                wait_s = _retry_after(error.headers.get("Retry-After"), wait_s)
            except json.JSONDecodeError as error:
                problem, lacking = error, CaptionError
            except (OSError, http.client.HTTPException) as error:
                problem, lacking = error, UnavailableCaptionError
            if answer is not None:
                (folder / f"raw{attempt}.json").write_text(json.dumps(answer, indent=1))
                try:
                    return self._parsed(answer)
                except UnusableAnswerError as error:
                    problem, lacking = error, CaptionError
            if attempt + 1 < self._config.attempts:
                self._sleep(wait_s)
        raise lacking(
            f"No usable caption from {self._config.base_url} after {self._config.attempts} attempts; the last: "
            f"{problem}. Prompt, images and answers are in {folder}."
        )

    def _keep_rate(self) -> None:
        """Wait until another request is allowed."""
        with self._lock:
            now = self._clock()
            while self._sent and now - self._sent[0] >= 60.0:
                self._sent.popleft()
            if len(self._sent) >= self._config.requests_per_minute:
                self._sleep(60.0 - (now - self._sent[0]))
                now = self._clock()
            self._sent.append(now)

    def _post(self, body: Mapping[str, Any]) -> Any:
        headers = {"Content-Type": "application/json"}
        if key := os.environ.get(self._config.key_variable):
            headers["Authorization"] = f"Bearer {key}"
        request = urllib.request.Request(
            f"{self._config.base_url.rstrip('/')}/chat/completions", json.dumps(body).encode(), headers
        )
        self.spent.requests += 1
        end_s, read = self._clock() + self._config.timeout_s, b""
        with urllib.request.urlopen(request, timeout=self._config.timeout_s) as response:
            # The timeout is of each read: an answer that trickles in would never end.
            while len(read) < _LONGEST_ANSWER and (block := response.read1(1 << 16)):
                read += block
                if self._clock() > end_s:
                    raise TimeoutError(f"timed out: the answer was not whole after {self._config.timeout_s:g} s")
        return json.loads(read)

    def _parsed(self, answer: Any) -> Caption:
        try:
            usage = answer.get("usage") or {}
            tokens_in, tokens_out = int(usage.get("prompt_tokens", 0)), int(usage.get("completion_tokens", 0))
            self.spent.prompt_tokens += tokens_in
            self.spent.answer_tokens += tokens_out
            choice = answer["choices"][0]
            message = choice["message"]
        except (AttributeError, KeyError, IndexError, TypeError, ValueError, OverflowError) as cause:
            raise UnusableAnswerError(f"not a chat completion ({cause!r})") from None
        if message.get("refusal") or choice.get("finish_reason") == "content_filter":
            raise RefusedCaptionError(f"The model refused: {message.get('refusal') or 'content filter'}")
        text, rephrases = parse(message.get("content"))
        return Caption(text, rephrases, str(answer.get("model") or self._config.model), tokens_in, tokens_out)


def _body(model: str, prompt: str, images: Sequence[bytes]) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{"type": "text", "text": prompt}]
    for image in images:
        url = "data:image/jpeg;base64," + base64.b64encode(image).decode()
        parts.append({"type": "image_url", "image_url": {"url": url, "detail": "low"}})
    return {"model": model, "messages": [{"role": "user", "content": parts}], "temperature": 0.2, "max_tokens": 300}


def _retry_after(value: str | None, otherwise_s: float) -> float:
    try:
        return min(max(float(value), 0.0), 120.0) if value else otherwise_s
    except ValueError:
        return otherwise_s


def _read(path: Path) -> Caption:
    stored = json.loads(path.read_text())
    return Caption(
        stored["text"], tuple(stored["rephrases"]), stored["source"], stored["prompt_tokens"], stored["answer_tokens"]
    )
