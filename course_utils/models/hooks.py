"""Looking at, and changing, what flows through a model.

A :class:`HookPoint` is an identity function with a name. A model passes each interesting activation through one, so
that anybody can read the activation (``run_with_cache``) or replace it (``run_with_hooks``) without touching the model's
code. Names and calling conventions are TransformerLens'.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import Any

from torch import Tensor, nn

from course_utils.errors import CourseError

HookFunction = Callable[[Tensor, "HookPoint"], Tensor | None]
"""Called with the activation and the hook point. Return a tensor to put in its place, or None to leave it alone."""


def stream_name(layer: int) -> str:
    """The hook of the residual stream after a layer; −1 is the embedding."""
    return "blocks.0.hook_resid_pre" if layer < 0 else f"blocks.{layer}.hook_resid_post"


class HookPoint(nn.Module):
    """An identity function at which an activation can be read or replaced.

    Attributes:
        name: its dotted name in the model, such as ``blocks.0.attn.hook_pattern``.
        functions: what is called with each activation, in this order; each sees what the one before it put there.
    """

    name: str = ""

    def __init__(self) -> None:
        super().__init__()
        self.functions: list[HookFunction] = []

    def forward(self, x: Tensor) -> Tensor:
        for function in self.functions:
            replaced = function(x, self)
            x = x if replaced is None else replaced
        return x


class HookedModule(nn.Module):
    """A module whose :class:`HookPoint` children are addressed by their dotted names."""

    @property
    def hook_points(self) -> dict[str, HookPoint]:
        """Every hook point by name, in the order the modules were declared."""
        return {name: module for name, module in self.named_modules() if isinstance(module, HookPoint)}

    def name_hook_points(self) -> None:
        """Tells each hook point its name. A model calls this once, when its modules are all there."""
        for name, point in self.hook_points.items():
            point.name = name

    def run_with_hooks(
        self, *inputs: Any, fwd_hooks: Iterable[tuple[str | Callable[[str], bool], HookFunction]] = ()
    ) -> Any:
        """What does the model answer when some activations are replaced on the way?

        Args:
            inputs: what the model's ``forward`` takes.
            fwd_hooks: pairs of a hook name (or a test on names) and a function ``(activation, hook) -> new or None``.

        Raises:
            CourseError: a name that no hook point has.
        """
        points = self.hook_points
        added: list[HookPoint] = []
        try:
            for where, function in fwd_hooks:
                for name in _matching(where, points):
                    points[name].functions.append(function)
                    added.append(points[name])
            return self(*inputs)
        finally:
            for point in reversed(added):
                point.functions.pop()

    def run_with_cache(
        self, *inputs: Any, names: str | Callable[[str], bool] | Iterable[str] | None = None
    ) -> tuple[Any, dict[str, Tensor]]:
        """What does the model answer, and what were its activations on the way?

        Args:
            inputs: what the model's ``forward`` takes.
            names: which activations to keep: a name, several, a test on names, or None for all.

        Returns:
            The output, and a dictionary from hook name to (detached) activation.

        Raises:
            CourseError: a name that no hook point has.
        """
        cache: dict[str, Tensor] = {}

        def keep(activation: Tensor, hook: HookPoint) -> None:
            cache[hook.name] = activation.detach()

        wanted: list[str | Callable[[str], bool]]
        if names is None:
            wanted = [lambda name: True]
        elif isinstance(names, str) or callable(names):
            wanted = [names]
        else:
            wanted = list(names)
        output = self.run_with_hooks(*inputs, fwd_hooks=[(where, keep) for where in wanted])
        return output, cache


def _matching(where: str | Callable[[str], bool], points: dict[str, HookPoint]) -> list[str]:
    if callable(where):
        return [name for name in points if where(name)]
    if where not in points:
        near = difflib.get_close_matches(where, points, n=3, cutoff=0.4)
        raise CourseError(f"This model has no hook named {where!r}. Near it: {', '.join(near) or ', '.join(points)}.")
    return [where]
