"""The typed description of one network: sizes, ablation switches and presets."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from vitra_policy.action_space import MODEL_ACTION_DIM, STATE_DIM, STEPS
from vitra_policy.errors import UnknownNameError, VitraError
from vitra_policy.places import NUMBERS

_Config = TypeVar("_Config")
_LARGEST = 2**20
"""No size of a network is larger, and memory ends before."""
_LAYERS_MAX, _ELEMENTS_MAX = 512, 10**12


class ConfigError(VitraError):
    """Sizes of a model configuration that cannot go together."""


@dataclass(frozen=True, slots=True)
class VisionConfig:
    """Image tower; the defaults are SigLIP-So400m/14 at 224 px."""

    image_size: int = 224
    """Side of the square input image, pixels; its width where ``image_height`` is set."""
    patch_size: int = 14
    width: int = 1152
    layers: int = 27
    heads: int = 16
    mlp_width: int = 4304
    norm_eps: float = 1e-6
    kind: Literal["siglip", "efficientnet_lite0"] = "siglip"
    """``efficientnet_lite0``: a small pretrained tower for a CPU; of the sizes above only the image's count then."""
    image_height: int | None = None
    """Height of the input image, pixels; None for a square."""

    @property
    def image_shape(self) -> tuple[int, int]:
        """Height and width of the input image, pixels."""
        return self.image_height or self.image_size, self.image_size

    @property
    def tokens(self) -> int:
        """Cells of the feature map: image tokens where no keypoints are taken out of it."""
        height, width = self.image_shape
        return (height // self.patch_size) * (width // self.patch_size)


@dataclass(frozen=True, slots=True)
class GroundingConfig:
    """Keypoint tokens out of a small tower's feature map (`vitra_policy.model.grounding`)."""

    keypoints: int = 32
    width: int = 128
    places: int | None = None
    """Numbers that the keypoints are asked for, where things are; they join the cognition feature. None: not asked."""


@dataclass(frozen=True, slots=True)
class LanguageConfig:
    """Gemma-2 trunk; the defaults are Gemma-2 2B with PaliGemma's vocabulary."""

    vocabulary: int = 257216
    width: int = 2304
    layers: int = 26
    heads: int = 8
    kv_heads: int = 4
    head_dim: int = 256
    mlp_width: int = 9216
    query_scalar: float = 256.0
    """Attention logits are divided by the square root of this number."""
    softcap: float | None = 50.0
    """Attention logits are squashed to +-softcap by tanh; None leaves them alone (ablation and tests only)."""
    rope_theta: float = 1e4
    norm_eps: float = 1e-6


@dataclass(frozen=True, slots=True)
class ExpertConfig:
    """DiT action expert; the defaults are DiT-B."""

    width: int = 768
    layers: int = 12
    heads: int = 12
    steps: int = STEPS
    """Actions per chunk."""
    action_dim: int = MODEL_ACTION_DIM
    state_dim: int = STATE_DIM
    causal: bool = True
    """Causal attention over the action tokens (paper) or bidirectional (ablation)."""
    use_state: bool = True
    """Whether the hand state enters as a token."""
    state_sees_cognition: bool = False
    """Whether the state's token is made of the cognition feature too: where things are, as seen from the hand."""

    @property
    def context_tokens(self) -> int:
        """Tokens before the actions: cognition and, where used, state."""
        return 2 if self.use_state else 1

    @property
    def tokens(self) -> int:
        """All tokens of the expert."""
        return self.context_tokens + self.steps


@dataclass(frozen=True, slots=True)
class TokenizerConfig:
    """Which tokenizer the language embedding belongs to."""

    kind: Literal["file", "bytes"] = "file"
    """``file``: a Hugging Face tokenizer.json beside the weights; ``bytes``: the built-in byte-level tokenizer."""
    pad_id: int = 0
    bos_id: int = 2
    image_id: int = 257152


@dataclass(frozen=True, slots=True)
class VitraConfig:
    """One VITRA network."""

    name: str = "3b"
    vision: VisionConfig = field(default_factory=VisionConfig)
    language: LanguageConfig = field(default_factory=LanguageConfig)
    expert: ExpertConfig = field(default_factory=ExpertConfig)
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    grounding: GroundingConfig = field(default_factory=GroundingConfig)
    """Used with ``vision.kind = "efficientnet_lite0"``."""
    use_fov: bool = True
    """Whether the camera's field of view enters as a token."""
    clean_prefix: bool = False
    """Trained with clean committed prefixes, i.e. training-time real-time chunking (arXiv 2512.05964)."""
    diffusion_steps: int = 100
    """Noise levels of training; DDIM visits a subset of them."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work, by name."""
        _check_types(self)
        for what, width, parts in (
            ("vision.image_size by vision.patch_size", self.vision.image_size, self.vision.patch_size),
            ("vision.width by vision.heads", self.vision.width, self.vision.heads),
            ("language.heads by language.kv_heads", self.language.heads, self.language.kv_heads),
            ("language.head_dim by 2 (rotary halves)", self.language.head_dim, 2),
            ("expert.width by expert.heads", self.expert.width, self.expert.heads),
        ):
            if width <= 0 or parts <= 0 or width % parts:
                raise ConfigError(f"Model '{self.name}': cannot divide {what} ({width} by {parts}).")
        for what, layers in (
            ("vision.layers", self.vision.layers),
            ("language.layers", self.language.layers),
            ("expert.layers", self.expert.layers),
        ):
            if not 1 <= layers <= _LAYERS_MAX:
                raise ConfigError(f"Model '{self.name}': {what} is {layers}, expected 1 to {_LAYERS_MAX}.")
        elements = self.language.vocabulary * self.language.width + self._matrix_elements()
        if elements > _ELEMENTS_MAX:
            raise ConfigError(f"Model '{self.name}' has about {elements / 1e9:.0f} billion weights; sizes are wrong.")

    def _matrix_elements(self) -> int:
        vision, language, expert = self.vision, self.language, self.expert
        return (
            vision.layers * vision.width * (4 * vision.width + 2 * vision.mlp_width)
            + language.layers * language.width * 3 * (language.mlp_width + language.heads * language.head_dim)
            + expert.layers * 18 * expert.width**2
            + vision.tokens * vision.width
            + (expert.action_dim + expert.state_dim + expert.steps) * expert.width
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain nested dictionary, ready for JSON."""
        return asdict(self)

    @staticmethod
    def from_dict(values: dict[str, Any]) -> VitraConfig:
        """Inverse of :meth:`to_dict`.

        Raises:
            UnknownNameError: A field this version does not know.
        """
        return _from_dict(VitraConfig, values)


def _from_dict(kind: type[_Config], values: dict[str, Any]) -> _Config:
    if not isinstance(values, dict):
        raise ConfigError(f"{kind.__name__} is {values!r} in the checkpoint's config.json; expected an object.")
    hints = get_type_hints(kind)
    known = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    for name in values:
        if name not in known:
            raise UnknownNameError(
                f"field of {kind.__name__}", name, known, "The checkpoint may be of a newer version."
            )
    return kind(**{k: _checked(f"{kind.__name__}.{k}", hints[k], v) for k, v in values.items()})


def _checked(where: str, kind: Any, value: Any) -> Any:
    """A value of the type that its field has; numbers are positive and no larger than any network's."""
    if is_dataclass(kind):
        return _from_dict(kind, value)  # type: ignore[arg-type]
    if get_origin(kind) is Literal:
        allowed = get_args(kind)
        fits = value in allowed if isinstance(value, str) else False
        expected = " or ".join(map(repr, allowed))
    else:
        kinds = get_args(kind) or (kind,)
        if float in kinds and type(value) is int:
            value = float(value)
        fits, expected = type(value) in kinds, " or ".join(getattr(k, "__name__", str(k)) for k in kinds)
    if fits and type(value) in (int, float):
        least = 0 if where.endswith("_id") else 1 if type(value) is int else 1e-12
        fits, expected = least <= value <= _LARGEST, f"{expected} between {least:g} and {_LARGEST:g}"
    if not fits:
        raise ConfigError(f"{where} is {value!r} in the checkpoint's config.json; expected {expected}.")
    return value


def _check_types(config: Any) -> None:
    """Refuse a configuration whose values do not have their fields' types and bounds."""
    hints = get_type_hints(type(config))
    for part in fields(config):
        where, value = f"{type(config).__name__}.{part.name}", getattr(config, part.name)
        if is_dataclass(hints[part.name]):
            if not isinstance(value, hints[part.name]):
                raise ConfigError(f"{where} is {value!r}; expected a {hints[part.name]}.")
            _check_types(value)
        else:
            _checked(where, hints[part.name], value)


DIT_SIZES: dict[str, tuple[int, int, int]] = {
    "DiT-T": (256, 3, 4),
    "DiT-S": (384, 6, 4),
    "DiT-M": (384, 12, 6),
    "DiT-B": (768, 12, 12),
    "DiT-L": (1024, 24, 16),
}
"""Width, layers and heads of the reference's named experts."""


def expert_config(model_type: str, **changes: Any) -> ExpertConfig:
    """Expert of one of the reference's named sizes.

    Raises:
        UnknownNameError: ``model_type`` is not in :data:`DIT_SIZES`.
    """
    if model_type not in DIT_SIZES:
        raise UnknownNameError("expert size", model_type, DIT_SIZES)
    width, layers, heads = DIT_SIZES[model_type]
    return replace(ExpertConfig(width=width, layers=layers, heads=heads), **changes)


_BYTES = TokenizerConfig(kind="bytes", pad_id=0, bos_id=2, image_id=4)
_BYTE_VOCABULARY = 264

PRESETS: dict[str, VitraConfig] = {
    "3b": VitraConfig(),
    # 12 M parameters, trainable on a CPU.
    "mini": VitraConfig(
        name="mini",
        vision=VisionConfig(image_size=112, width=192, layers=4, heads=4, mlp_width=768),
        language=LanguageConfig(
            vocabulary=_BYTE_VOCABULARY,
            width=256,
            layers=4,
            heads=4,
            kv_heads=2,
            head_dim=64,
            mlp_width=1024,
            query_scalar=64.0,
        ),
        expert=ExpertConfig(width=256, layers=4, heads=4),
        tokenizer=_BYTES,
    ),
    # 4.4 M parameters; behind a pretrained tower that stays as it is, it learns the simulator's tasks on a CPU.
    "mini-lite0": VitraConfig(
        name="mini-lite0",
        vision=VisionConfig(kind="efficientnet_lite0", image_size=448, image_height=256, patch_size=16),
        language=LanguageConfig(
            vocabulary=_BYTE_VOCABULARY,
            width=256,
            layers=2,
            heads=4,
            kv_heads=2,
            head_dim=64,
            mlp_width=512,
            query_scalar=64.0,
        ),
        expert=ExpertConfig(width=128, layers=3, heads=2, state_sees_cognition=True),
        tokenizer=_BYTES,
        grounding=GroundingConfig(places=NUMBERS),
    ),
    # The 3b network with an eighth of its width: same tokens, layers and launches, for benchmarks on a CPU.
    "reduced": VitraConfig(
        name="reduced",
        vision=VisionConfig(width=144, heads=2, mlp_width=538),
        language=LanguageConfig(vocabulary=_BYTE_VOCABULARY, width=288, head_dim=32, mlp_width=1152, query_scalar=32.0),
        expert=ExpertConfig(width=192, heads=3),
        tokenizer=_BYTES,
    ),
}


def preset(name: str) -> VitraConfig:
    """One of `PRESETS`: 3b (published), mini, mini-lite0 (imitation), reduced (CPU benchmark of 3b).

    Raises:
        UnknownNameError: No preset has that name.
    """
    if name not in PRESETS:
        raise UnknownNameError("model preset", name, PRESETS)
    return PRESETS[name]
