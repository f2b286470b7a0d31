"""What do the methods of the course find in a language model? Contrast pairs from a causal model of Hugging Face.

``load(name)`` gives a model and its tokenizer, ``pairs(model, tokenizer, texts, "review")`` what
:func:`course_utils.contrast.pairs` gives for the networks of the test bed: activations at the last token of each text stated
to be so and stated not to be so. From there on all is the same::

    model, tokenizer = hf.load("gpt2")
    found = ccs.normalised(hf.pairs(model, tokenizer, reviews, "review", layer=6))
    probes = ccs.fit(found)

No chapter needs this module, and no other imports transformers. The templates are in the manner of Burns et al. (2022) and
Farquhar et al. (2023), not theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from course_utils.contrast import Pairs
from course_utils.errors import CourseError

Template = Callable[[str], tuple[str, str]]
"""From a text to the statement that it is so and the statement that it is not so."""


def _ending_in(before: str, after: str, positive: str, negative: str) -> Template:
    def template(text: str) -> tuple[str, str]:
        said = f"{before}{text.strip()}{after} "
        return said + positive, said + negative

    return template


TEMPLATES: dict[str, Template] = {
    "review": _ending_in("Somebody wrote about a film:\n", "\nThe feeling in this review is", "positive", "negative"),
    "review-question": _ending_in(
        "Review: ", "\nQuestion: is what the reviewer thinks positive or negative?\nAnswer:", "positive", "negative"
    ),
    "statement": _ending_in("Statement: ", "\nQuestion: is the statement right, yes or no?\nAnswer:", "yes", "no"),
    "expert": _ending_in(
        "An expert who never errs is asked whether this is so: ", "\nThe expert's answer is", "yes", "no"
    ),
}
"""By name: ``review`` and ``review-question`` for reviews, ``statement`` and ``expert`` for statements."""


def load(name_or_path: str | Path) -> tuple[Any, Any]:
    """A causal language model, without gradients, and its tokenizer.

    Args:
        name_or_path: a name on the Hugging Face hub, or a folder in which both were saved (then no network is used).

    Raises:
        CourseError: transformers is not installed, or there is no such model here and none can be fetched.
    """
    try:
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError as error:
        raise CourseError(
            f"This needs transformers 4.50 or newer ({error}). In the course's folder, install it with: "
            'python -m pip install -c constraints.txt -e ".[hf]" (elsewhere: python -m pip install "transformers>=4.50").'
        ) from error
    name, here = str(name_or_path), Path(name_or_path).is_dir()
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, local_files_only=here)
        model = AutoModelForCausalLM.from_pretrained(name, local_files_only=here)
    except Exception as error:  # a wrong name, no network, a damaged file: each raises something else
        where = (
            "That folder holds no causal model with its tokenizer" if here else "Is the name right, and the network up"
        )
        raise CourseError(
            f"The model {name!r} cannot be loaded. {where}{'.' if here else '?'} A folder with what save_pretrained wrote of "
            f"a model and its tokenizer will do, and needs no network. ({type(error).__name__}: {_first_line(error)})"
        ) from error
    return model.requires_grad_(False).eval(), tokenizer


def pairs(
    model: Any, tokenizer: Any, texts: Sequence[str], template: str | Template, layer: int = -1, batch: int = 8
) -> Pairs:
    """Activations at the last token of each text stated to be so and stated not to be so.

    Args:
        model, tokenizer: as :func:`load` gives them.
        texts: n reviews or statements.
        template: one of ``TEMPLATES``, or a function from a text to both statements.
        layer: which of the model's ``hidden_states``: 0 after the embedding, k after block k, −1 the last (in most models
            behind the final norm).
        batch: how many texts are read at a time. Changes nothing but time and memory.

    Raises:
        CourseError: no such template or layer, no texts, or one that is empty or too long for the model.
    """
    if isinstance(template, str):
        if template not in TEMPLATES:
            raise CourseError(f"There is no template {template!r}. Templates are {', '.join(TEMPLATES)}.")
        template = TEMPLATES[template]
    if isinstance(texts, str) or not texts:
        raise CourseError("Give a list of at least one text.")
    sides = zip(*(template(text) for text in texts), strict=True)
    positive, negative = (_last_activations(model, tokenizer, list(side), layer, batch) for side in sides)
    return Pairs(positive, negative)


@torch.no_grad()
def _last_activations(
    model: Any, tokenizer: Any, texts: list[str], layer: int, batch: int
) -> Float[Tensor, "n d_model"]:
    """Shorter texts are padded behind their end, where no token before can see it: it matters not with what."""
    encoded = [tokenizer(text)["input_ids"] for text in texts]
    limit = getattr(model.config, "max_position_embeddings", None)
    for text, ids in zip(texts, encoded, strict=True):
        if not ids:
            raise CourseError(f"The tokenizer makes no tokens of {text!r}.")
        if limit is not None and len(ids) > limit:
            raise CourseError(f"A text has {len(ids)} tokens; this model reads {limit}. It begins: {text[:60]!r}")
    found = []
    for first in range(0, len(encoded), batch):
        some = encoded[first : first + batch]
        lengths = torch.tensor([len(ids) for ids in some])
        tokens = torch.zeros(len(some), int(lengths.max()), dtype=torch.long)
        for row, ids in enumerate(some):
            tokens[row, : len(ids)] = torch.tensor(ids)
        mask = (torch.arange(tokens.shape[1]) < lengths[:, None]).long()
        # The base model has all activations; the logits over the whole vocabulary, which would be larger, are not needed.
        states = model.base_model(
            input_ids=tokens.to(model.device), attention_mask=mask.to(model.device), output_hidden_states=True
        ).hidden_states
        if not -len(states) <= layer < len(states):
            raise CourseError(f"This model's layers are 0 to {len(states) - 1}; there is no layer {layer}.")
        state = states[layer].cpu().float()
        found.append(state[torch.arange(len(some)), lengths - 1])
    return torch.cat(found)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[0]
