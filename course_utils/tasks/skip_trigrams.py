"""Tasks for skip trigrams: an answer that depends on the last token and on one token somewhere before it.

``large_one``: ``START 0 4 7 2 14 9 7 END`` → ``14``: exactly one token is large, and it is the answer.
``phrase``: ``· keep · · at`` → ``bay``: a verb somewhere among fillers, a preposition at the end, a noun to answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor


class Questions(NamedTuple):
    """Sequences, and the token that should come after each."""

    tokens: Int[Tensor, "batch pos"]
    answers: Int[Tensor, "batch"]


@dataclass(frozen=True)
class LargestTask:
    """Find the one large number. Tokens: small numbers, large numbers, START, END.

    Attributes:
        small, large: how many small and how many large numbers there are; 0 … small − 1 are small.
        length: how many numbers stand between START and END.
    """

    small: int = 10
    large: int = 10
    length: int = 11

    @property
    def vocab(self) -> int:
        """How many tokens there are."""
        return self.small + self.large + 2

    @property
    def start(self) -> int:
        """The token at the start."""
        return self.small + self.large

    @property
    def end(self) -> int:
        """The token at the end."""
        return self.small + self.large + 1


def largest(task: LargestTask, n: int, seed: int) -> Questions:
    """n questions: START, small numbers with one large one among them, END; the answer is the large one."""
    g = torch.Generator().manual_seed(seed)
    numbers = torch.randint(task.small, (n, task.length), generator=g)
    answers = task.small + torch.randint(task.large, (n,), generator=g)
    numbers[torch.arange(n), torch.randint(task.length, (n,), generator=g)] = answers
    ends = torch.tensor([[task.start], [task.end]]).expand(2, n)
    return Questions(torch.cat([ends[0][:, None], numbers, ends[1][:, None]], 1), answers)


@dataclass(frozen=True)
class PhraseTask:
    """Which noun completes the phrase? Verb and preposition together decide it, and neither of them alone says a thing.

    Tokens: verbs 0 … n − 1, nouns n … 2n − 1, prepositions, fillers. The noun of verb v and preposition q is number
    v + offsets[q] modulo n.

    Attributes:
        verbs: n, how many verbs and how many nouns there are.
        offsets: one for each preposition.
        fillers: how many tokens without a meaning.
        length: tokens a sequence; the preposition is the last, the verb at a random place before it.
    """

    verbs: int = 12
    offsets: tuple[int, ...] = (0, 1, 3)
    fillers: int = 8
    length: int = 8

    @property
    def vocab(self) -> int:
        """How many tokens there are."""
        return 2 * self.verbs + len(self.offsets) + self.fillers


def phrases(task: PhraseTask, n: int, seed: int) -> Questions:
    """n phrases with random verbs, prepositions, fillers and places of the verb."""
    g = torch.Generator().manual_seed(seed)
    verb = torch.randint(task.verbs, (n,), generator=g)
    preposition = torch.randint(len(task.offsets), (n,), generator=g)
    first = 2 * task.verbs
    tokens = torch.randint(first + len(task.offsets), task.vocab, (n, task.length), generator=g)
    tokens[torch.arange(n), torch.randint(task.length - 1, (n,), generator=g)] = verb
    tokens[:, -1] = first + preposition
    return Questions(tokens, task.verbs + noun(task, verb, preposition))


def noun(task: PhraseTask, verb: Int[Tensor, "*n"], preposition: Int[Tensor, "*n"]) -> Int[Tensor, "*n"]:
    """The number of the noun that completes verb and preposition."""
    return (verb + torch.tensor(task.offsets)[preposition]) % task.verbs


def confusion(
    logits: Float[Tensor, "batch vocab"], drawn: Questions, task: PhraseTask
) -> Float[Tensor, "asked preposition"]:
    """What probability do nouns get that go with the phrase's verb, and with which preposition?

    Row: the preposition of the phrase. Column: the preposition that the verb's noun would go with. The diagonal is
    right; everything off it is a noun of the same verb and another preposition: "keep in bay". Means over phrases.
    """
    probabilities = logits.softmax(-1)
    verb = drawn.tokens[drawn.tokens < task.verbs]
    asked = drawn.tokens[:, -1] - 2 * task.verbs
    rows = []
    for preposition in range(len(task.offsets)):
        nouns = task.verbs + torch.stack(
            [noun(task, verb, torch.full_like(verb, q)) for q in range(len(task.offsets))], 1
        )
        rows.append(probabilities.gather(1, nouns)[asked == preposition].mean(0))
    return torch.stack(rows)
