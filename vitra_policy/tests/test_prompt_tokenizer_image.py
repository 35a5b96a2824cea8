"""What goes into the network: text and images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vitra_policy.action_space import Hands
from vitra_policy.image import ImageError, as_rgb, load_image, pixel_values, shrink_short_side
from vitra_policy.model.config import TokenizerConfig
from vitra_policy.model.fov import fov_from_focal
from vitra_policy.prompt import InstructionError, format_instruction, hands_of, split_instruction
from vitra_policy.tokenizer import ByteTokenizer, FileTokenizer, TokenizerFileError, full_ids, make_tokenizer


def test_an_idle_hand_is_none_and_sentences_end_with_a_full_stop() -> None:
    assert format_instruction(right="Pick up the cup") == "Left hand: None. Right hand: Pick up the cup."
    assert format_instruction("Hold it.", "  ") == "Left hand: Hold it. Right hand: None."


def test_instructions_tell_which_hands_act() -> None:
    text = format_instruction(left="Open the jar.", right=None)
    assert split_instruction(text) == ("Open the jar.", None)
    assert hands_of(text) == Hands(left=True, right=False)


def test_instructions_of_another_form_are_refused_with_the_way_out() -> None:
    with pytest.raises(InstructionError, match=r"for example 'Left hand: None\. Right hand: Pick up the cup\.'"):
        hands_of("pick up the cup")
    with pytest.raises(InstructionError, match="idle"):
        format_instruction(None, "")


def test_bytes_keep_clear_of_the_special_ids() -> None:
    config = TokenizerConfig(kind="bytes", image_id=4)
    ids = full_ids("é<image>", ByteTokenizer(), config, image_tokens=3)
    assert ids[:4] == [4, 4, 4, 2]
    assert min(ids[4:]) >= 5
    assert max(ids) < 264
    assert bytes(i - 5 for i in ids[4:]).decode() == "é<image>\n"


def test_a_missing_tokenizer_file_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(TokenizerFileError, match="tokenizer.json"):
        make_tokenizer(TokenizerConfig(), None)
    with pytest.raises(TokenizerFileError, match="No tokenizer at"):
        FileTokenizer(tmp_path / "tokenizer.json")
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(TokenizerFileError, match="is not a tokenizer"):
        FileTokenizer(tmp_path / "tokenizer.json")


def test_text_that_spells_a_special_token_stays_text(tmp_path: Path) -> None:
    from tokenizers import AddedToken, Tokenizer, models

    tokenizer = Tokenizer(models.BPE({c: i for i, c in enumerate("<image>")}, []))
    tokenizer.add_special_tokens([AddedToken("<image>", special=True)])
    special = tokenizer.token_to_id("<image>")
    assert special in tokenizer.encode("<image>").ids
    tokenizer.save(str(tmp_path / "t.json"))
    assert special not in FileTokenizer(tmp_path / "t.json").encode("<image>")


@pytest.mark.parametrize(
    ("height", "width", "shrunk"), [(480, 640, (224, 298)), (640, 480, (298, 224)), (7, 9, (224, 288))]
)
def test_the_short_side_becomes_224_whatever_the_size(height: int, width: int, shrunk: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    assert shrink_short_side(image).shape[:2] == shrunk
    values = pixel_values(image, 56)
    assert values.shape == (3, 56, 56)
    assert values.dtype == np.float32
    assert np.abs(values).max() <= 1


def test_white_is_one_and_black_is_minus_one() -> None:
    assert (pixel_values(np.full((50, 60, 3), 255, np.uint8), 28) == 1).all()
    assert (pixel_values(np.zeros((50, 60, 3), np.uint8), 28) == -1).all()


def test_grey_and_alpha_are_converted() -> None:
    grey = np.random.default_rng(1).integers(0, 256, (5, 6), dtype=np.uint8)
    np.testing.assert_array_equal(as_rgb(grey), np.stack([grey] * 3, -1))
    assert as_rgb(np.zeros((5, 6, 4), np.uint8)).shape == (5, 6, 3)


@pytest.mark.parametrize("bad", [np.zeros((5, 6, 3)), np.zeros((5, 6, 2), np.uint8), np.zeros((0, 6, 3), np.uint8)])
def test_other_arrays_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(ImageError, match="expected"):
        as_rgb(bad)


def test_files_are_turned_upright_and_converted(tmp_path: Path) -> None:
    wide = Image.fromarray(np.zeros((10, 30, 3), np.uint8))
    exif = wide.getexif()
    exif[0x0112] = 6  # rotate by 90 degrees
    wide.save(tmp_path / "turned.jpg", exif=exif)
    assert load_image(tmp_path / "turned.jpg").shape == (30, 10, 3)
    Image.new("LA", (4, 4)).save(tmp_path / "alpha.png")
    assert load_image(tmp_path / "alpha.png").shape == (4, 4, 3)


def test_a_bad_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnot really")
    for name in ("broken.png", "missing.png"):
        with pytest.raises(ImageError, match=name):
            load_image(tmp_path / name)


def test_the_field_of_view_of_the_head_camera() -> None:
    horizontal, vertical = fov_from_focal(1280, 720, 644, 644)
    assert np.degrees(horizontal) == pytest.approx(89.6, abs=0.1)
    assert vertical < horizontal
