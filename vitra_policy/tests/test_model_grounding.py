"""The small tower and the keypoint tokens behind it."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from vitra_policy.model.config import PRESETS, GroundingConfig, VitraConfig, preset
from vitra_policy.model.efficientnet import CHANNELS, EfficientNetLite0
from vitra_policy.model.grounding import Grounding
from vitra_policy.model.vla import PlacesError, Vitra, told_cognition

ROOT = Path(__file__).resolve().parents[2]


def unfolded(tower: EfficientNetLite0) -> dict[str, torch.Tensor]:
    """Published-style weights of a random tower with batch norms that do something."""
    torch.manual_seed(0)
    weights: dict[str, torch.Tensor] = {}

    def add(conv: str, norm: str, shape: torch.Size) -> None:
        weights[f"{conv}.weight"] = torch.randn(shape) * 0.2
        weights[f"{norm}.weight"], weights[f"{norm}.bias"] = torch.rand(shape[0]) + 0.5, torch.randn(shape[0])
        weights[f"{norm}.running_mean"], weights[f"{norm}.running_var"] = (
            torch.randn(shape[0]),
            torch.rand(shape[0]) + 1,
        )

    add("_conv_stem", "_bn0", tower.stem.conv.weight.shape)
    for index, block in enumerate(tower.blocks):
        name = f"_blocks.{index}."
        if block.expand is not None:
            add(f"{name}_expand_conv", f"{name}_bn0", block.expand.conv.weight.shape)
        add(f"{name}_depthwise_conv", f"{name}_bn1", block.depthwise.conv.weight.shape)
        add(f"{name}_project_conv", f"{name}_bn2", block.project.conv.weight.shape)
    return weights


def test_folded_batch_norms_give_what_the_norms_gave() -> None:
    tower = EfficientNetLite0()
    weights = unfolded(tower)
    tower.load_pretrained(weights)
    x = torch.rand(1, 3, 33, 32)
    padded = torch.nn.functional.pad(x, (0, 1, 1, 1))  # "same": the odd one goes to the right and the bottom
    conv = torch.nn.functional.conv2d(padded, weights["_conv_stem.weight"], stride=2)
    norm = torch.nn.functional.batch_norm(
        conv, weights["_bn0.running_mean"], weights["_bn0.running_var"], weights["_bn0.weight"], weights["_bn0.bias"],
        eps=1e-3,
    )  # fmt: skip
    torch.testing.assert_close(tower.stem(x), norm, rtol=1e-4, atol=1e-4)


def test_the_tower_has_a_sixteenth_of_the_image_and_112_channels() -> None:
    assert EfficientNetLite0()(torch.zeros(2, 3, 64, 96)).shape == (2, CHANNELS, 4, 6)


def grounding() -> Grounding:
    torch.manual_seed(1)
    return Grounding(GroundingConfig(keypoints=4, width=16), 8, 12).eval()


def test_keypoint_tokens_depend_on_the_words_and_not_on_their_padding() -> None:
    module, features, text = grounding(), torch.randn(1, 8, 5, 7), torch.randn(1, 9, 12)
    padded = torch.cat([text, torch.randn(1, 3, 12)], dim=1)
    valid = torch.arange(12)[None] < 9
    with torch.inference_mode():
        plain, other = module(features, text, None), module(features, torch.randn(1, 9, 12), None)
        torch.testing.assert_close(module(features, padded, valid), plain, rtol=1e-4, atol=1e-5)
    assert plain.shape == (1, 4, 12)
    assert not torch.allclose(plain, other, atol=1e-3)


def test_a_keypoint_follows_what_it_looks_at_across_the_image() -> None:
    """With one hot cell, every keypoint that answers to it reports that cell's place."""
    module = grounding()
    with torch.no_grad():
        module.heat.weight.zero_()
        module.heat.bias.zero_()
        module.heat.weight[:, 0] = 1e3
        for layer in (*module.convolutions, module.film):
            layer.weight.zero_()
            layer.bias.zero_()
        module.enter.weight.zero_()
        module.enter.bias.zero_()
        module.enter.weight[0, 0] = 1.0
        module.token.weight.zero_()
        module.token.bias.zero_()
        module.which.zero_()
        module.token.weight[0, 0] = module.token.weight[1, 1] = 1.0
    features = torch.zeros(1, 8, 4, 4)
    features[0, 0, 1, 3] = 5.0
    with torch.inference_mode():
        tokens = module(features, torch.zeros(1, 3, 12), None)
    torch.testing.assert_close(tokens[0, 0, :2], torch.tensor([0.75, -0.25]), atol=1e-3, rtol=0)


def test_new_keypoints_already_differ_from_image_to_image() -> None:
    torch.manual_seed(4)
    module = Grounding(preset("mini-lite0").grounding, 112, 256)
    read: list[torch.Tensor] = []
    module.token.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0][..., :2]))
    with torch.inference_mode():
        module(torch.randn(8, 112, 16, 28), torch.randn(8, 20, 256), None)
    assert read[0].std(dim=0).median() > 0.05  # of a range of 2; flat heat maps give 0.006


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_survives_json(name: str) -> None:
    assert VitraConfig.from_dict(preset(name).to_dict()) == preset(name)


def test_the_network_on_kept_features_is_the_network_on_the_image() -> None:
    torch.manual_seed(2)
    model = Vitra(preset("mini-lite0")).eval()
    pixels, text, fov = torch.rand(2, 3, 64, 96), torch.randint(5, 200, (2, 20)), torch.rand(2, 2)
    valid = torch.ones(2, 20, dtype=torch.bool)
    valid[1, 15:] = False
    with torch.inference_mode():
        whole = model.cognition(pixels, text, fov, valid)
        kept = model.cognition_of(model.vision(pixels), text, fov, valid)
        torch.testing.assert_close(kept, whole)
        alone = model.cognition(pixels[1:], text[1:, :15], fov[1:])
        torch.testing.assert_close(alone, whole[1:], rtol=1e-3, atol=1e-4)


def test_what_the_keypoints_say_of_places_joins_the_cognition_feature() -> None:
    torch.manual_seed(5)
    model = Vitra(preset("mini-lite0")).eval()
    assert model.places is not None
    text, fov = torch.randint(5, 200, (2, 20)), torch.rand(2, 2)
    tokens = torch.randn(2, model.config.grounding.keypoints, 256)
    with torch.inference_mode():
        said, whole = model.places_of_tokens(tokens), model.cognition_of_tokens(tokens, text, fov)
        torch.testing.assert_close(whole - model.trunk_of_tokens(tokens, text, fov), model.places.into(said)[:, None])
        torch.testing.assert_close(told_cognition(model, said[0]), model.places.into(said[:1])[:, None])


def test_a_network_that_says_no_places_cannot_be_told_any() -> None:
    config = replace(preset("mini-lite0"), grounding=GroundingConfig())
    with pytest.raises(PlacesError, match="not asked for places"):
        told_cognition(Vitra(config), torch.zeros(15))


@pytest.mark.parametrize("page", ["docs/model.md", "vitra_policy/vitra_policy/checkpoints/place/README.md"])
def test_pages_say_how_large_the_small_model_is(page: str) -> None:
    millions = sum(p.numel() for p in Vitra(preset("mini-lite0")).parameters()) / 1e6
    assert f"{millions:.1f} M parameters" in (ROOT / page).read_text()
