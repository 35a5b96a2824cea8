import numpy as np
import pytest

from vitra_sim.scene.appearance import SEEN_PATTERNS, Appearance, Pattern, random_appearance, texture


@pytest.mark.parametrize("pattern", list(Pattern))
def test_a_texture_has_the_colours_of_its_look_and_nothing_beyond(pattern):
    look = Appearance(table=pattern, table_rgb=((0.2, 0.3, 0.4), (0.6, 0.5, 0.4)), seed=3)
    pixels = texture(look, 64)
    assert pixels.shape == (64, 64, 3)
    assert pixels.min() >= 50
    assert pixels.max() <= 154
    assert (np.ptp(pixels[..., 0]) > 0) == (pattern is not Pattern.PLAIN)


def test_looks_repeat_with_their_seed_and_seen_looks_use_seen_patterns():
    assert random_appearance(np.random.default_rng(1)) == random_appearance(np.random.default_rng(1))
    looks = [random_appearance(np.random.default_rng(seed)) for seed in range(40)]
    assert {look.table for look in looks} == set(SEEN_PATTERNS)
    assert not {random_appearance(np.random.default_rng(s), unseen=True).table for s in range(40)} & set(SEEN_PATTERNS)
