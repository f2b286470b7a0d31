"""Models small enough to understand completely: one transformer and one multilayer perceptron."""

from course_utils.models.hooks import HookedModule, HookPoint
from course_utils.models.mlp import MLP, MLPConfig
from course_utils.models.transformer import Transformer, TransformerConfig

__all__ = ["MLP", "HookPoint", "HookedModule", "MLPConfig", "Transformer", "TransformerConfig"]
