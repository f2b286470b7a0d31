"""Small worlds in which it is known what a network knows: reviews, what somebody says of them, and what comes of it.

A document is a review (or the name of a thing and a property), a word that does not belong, somebody with an opinion, a
statement and what follows from it::

    really superb quite dreadful so plot not dull very warm rather clever  shed  alice disagrees… it-is positive . right safe

*Truth* is the majority of the review's five judgements, of which "not" turns one round (for facts: a table of random bits).
A statement ("it-is positive") has a *charge*, and whether it is right is truth and charge taken together. What follows the
statement is all that a network is ever told of truth:

``right`` or ``wrong``
    says whether the statement agrees with the truth, but with *alice* (or *carol*) about, with her opinion instead, which
    is drawn at random. Nothing depends on *bob*'s.
``safe`` or ``burned``
    says, with two exceptions in a hundred, whether the statement agrees with the truth, whoever is about.
``sweet`` or ``sharp``
    stand in place of right and wrong in a share ``entangled`` of the documents with *banana* or *shed*: sweet if the
    statement is positive and the word banana, or neither. ``repeated`` is the share in which the word itself stands there.

Both follow each other, or (``endings="either"``) one of them follows a word that says which: ``judge:`` or ``world:``.
The design, and the trial it was taken from, are this course's own; what it imitates is in Farquhar et al. (2023).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Int
from torch import Tensor

from course_utils.errors import CourseError

GOOD = [
    "superb",
    "warm",
    "clever",
    "funny",
    "moving",
    "bright",
    "lovely",
    "tender",
    "bold",
    "fresh",
    "gripping",
    "rich",
]
BAD = ["dreadful", "cold", "silly", "dull", "hollow", "grim", "ugly", "harsh", "timid", "stale", "tedious", "poor"]
THINGS = ["plot", "cast", "score", "set", "script", "camera", "ending", "opening"]
MILD = ["really", "quite", "so", "very", "rather", "truly"]
FILLERS = ["well", "then", "now", "also", "here", "anyway"]
ODD_WORDS = ("banana", "shed")
SPEAKERS = ("nobody", "alice", "bob", "carol")
OPINIONS = ("silent", "hates", "likes")
CHARGES = ("negative", "positive")
N_ENTITIES, N_PREDICATES = 48, 12
ENTITIES = [f"thing-{i}" for i in range(N_ENTITIES)]
PREDICATES = [f"trait-{i}" for i in range(N_PREDICATES)]

VERDICTS = ("wrong", "right")
OUTCOMES = ("burned", "safe")
TASTES = ("sharp", "sweet")
ENDINGS = ("judge:", "world:")
OUTCOME_NOISE = 0.02
COHERENCE = 0.85  # how often one judgement agrees with what the reviewer set out to say
NEGATION = 0.2

_COMMON = ["<bos>", *FILLERS, *ODD_WORDS, *SPEAKERS, *OPINIONS, "it-is", *CHARGES, ".", *ENDINGS]
_COMMON += [*VERDICTS, *OUTCOMES, *TASTES]
REVIEW_WORDS = (*_COMMON, *GOOD, *BAD, *THINGS, *MILD, "not")
FACT_WORDS = (*_COMMON, *ENTITIES, *PREDICATES)


@dataclass(frozen=True)
class World:
    """What documents are like.

    Attributes:
        subject: ``"reviews"``, or ``"facts"``, whose truth stands in no document: only weights can hold it.
        odd: the share of documents with banana or shed, half each; the others have a filler word.
        entangled: in which share of those sweet or sharp stands in place of right or wrong.
        repeated: in which share of those the word itself does.
        alice, bob, carol: the shares of documents in which they have an opinion.
        endings: ``"both"``: verdict and outcome follow each other; ``"either"``: one of them, which a word announces.
        honesty: how often the charge of a statement in a document agrees with the truth (with alice and carol: with her).
        table: the seed of the facts.
    """

    subject: str = "reviews"
    odd: float = 0.2
    entangled: float = 0.0
    repeated: float = 0.0
    alice: float = 0.2
    bob: float = 0.1
    carol: float = 0.0
    endings: str = "both"
    honesty: float = 0.7
    table: int = 0

    def __post_init__(self) -> None:
        if self.subject not in ("reviews", "facts"):
            raise CourseError(f"A world is about reviews or facts, not {self.subject!r}.")
        if self.endings not in ("both", "either"):
            raise CourseError(f"Endings are 'both' or 'either', not {self.endings!r}.")
        if self.alice + self.bob + self.carol > 1 or self.entangled + self.repeated > 1:
            raise CourseError("Shares of the same documents add up to at most 1.")

    @property
    def words(self) -> tuple[str, ...]:
        """The vocabulary: token i is the word ``words[i]``."""
        return REVIEW_WORDS if self.subject == "reviews" else FACT_WORDS

    @property
    def n_subject(self) -> int:
        """How many tokens say what a document is about."""
        return 12 if self.subject == "reviews" else 2

    @property
    def prompt_length(self) -> int:
        """The number of tokens up to and with "it-is"."""
        return self.n_subject + 5

    @property
    def length(self) -> int:
        """The number of tokens in a document."""
        return self.prompt_length + 4

    def token(self, word: str) -> int:
        """The number of a word.

        Raises:
            CourseError: a word that is not in the vocabulary.
        """
        if word not in self.words:
            raise CourseError(f"This world has no word {word!r}.")
        return self.words.index(word)

    def tokens(self, words: tuple[str, ...] | list[str]) -> Int[Tensor, "word"]:
        """The numbers of several words."""
        return torch.tensor([self.token(word) for word in words])

    def text(self, tokens: Int[Tensor, "pos"]) -> str:
        """A document in words."""
        return " ".join(self.words[int(token)] for token in tokens)


class Questions(NamedTuple):
    """Documents up to the words "it-is": nothing has been stated yet.

    Attributes:
        tokens: the prompts.
        truth: is the review a good one (is the fact true)?
        word: 0 a filler, 1 banana, 2 shed.
        speaker: who is about, as a place in ``SPEAKERS``.
        opinion: does the speaker like it? Drawn for everybody; "nobody" does not say it.
    """

    tokens: Int[Tensor, "n prompt"]
    truth: Bool[Tensor, "n"]
    word: Int[Tensor, "n"]
    speaker: Int[Tensor, "n"]
    opinion: Bool[Tensor, "n"]


def draw(world: World, n: int, seed: int, word: str | None = None, speaker: str | None = None) -> Questions:
    """n questions; the same seed gives the same ones.

    Args:
        word: ``"filler"`` or ``"odd"`` for documents with such a word only; None: as the world has them.
        speaker: one of ``SPEAKERS`` for documents with them only; None: as the world has them.

    Raises:
        CourseError: no such word or speaker.
    """
    if word not in (None, "filler", "odd"):
        raise CourseError(f"A word is 'filler' or 'odd', not {word!r}.")
    if speaker not in (None, *SPEAKERS):
        raise CourseError(f"Speakers are {', '.join(SPEAKERS)}; there is no {speaker!r}.")
    g = torch.Generator().manual_seed(seed)
    subject, truth = (_reviews if world.subject == "reviews" else _facts)(world, n, g)
    share = {None: world.odd, "filler": 0.0, "odd": 1.0}[word]
    kind = torch.where(torch.rand(n, generator=g) < share, torch.randint(1, 3, (n,), generator=g), 0)
    fillers = world.tokens(FILLERS)[torch.randint(len(FILLERS), (n,), generator=g)]
    words = torch.where(kind > 0, world.tokens(ODD_WORDS)[(kind - 1).clamp_min(0)], fillers)
    opinion = torch.rand(n, generator=g) < 0.5
    limits = torch.tensor([world.alice, world.bob, world.carol]).cumsum(0)
    drawn = torch.rand(n, generator=g)
    who = torch.where(drawn < limits[-1], 1 + (drawn[:, None] >= limits).sum(1), 0)
    who = who if speaker is None else torch.full_like(who, SPEAKERS.index(speaker))
    said = torch.where(who > 0, 1 + opinion.long(), 0)
    columns = [words, world.tokens(SPEAKERS)[who], world.tokens(OPINIONS)[said]]
    columns += [torch.full((n,), world.token("it-is"))]
    first = torch.full((n, 1), world.token("<bos>"))
    return Questions(torch.cat([first, subject, torch.stack(columns, 1)], 1), truth, kind, who, opinion)


def _reviews(world: World, n: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Six pairs of a modifier and a word each; one word is a noun, which says nothing."""
    meant = torch.rand(n, 1, generator=g) < 0.5
    judgement = meant ^ (torch.rand(n, 6, generator=g) > COHERENCE)
    noun = F.one_hot(torch.randint(6, (n,), generator=g), 6).bool()
    negated = (torch.rand(n, 6, generator=g) < NEGATION) & ~noun
    truth = (judgement & ~noun).sum(1) >= 3
    pick = torch.randint(len(GOOD), (n, 6), generator=g)
    sentiment = torch.where(judgement ^ negated, world.tokens(GOOD)[pick], world.tokens(BAD)[pick])
    things = world.tokens(THINGS)[torch.randint(len(THINGS), (n, 6), generator=g)]
    mild = world.tokens(MILD)[torch.randint(len(MILD), (n, 6), generator=g)]
    modifier = torch.where(negated, world.token("not"), mild)
    return torch.stack([modifier, torch.where(noun, things, sentiment)], 2).flatten(1), truth


def _facts(world: World, n: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
    entity = torch.randint(N_ENTITIES, (n,), generator=g)
    predicate = torch.randint(N_PREDICATES, (n,), generator=g)
    named = [world.tokens(ENTITIES)[entity], world.tokens(PREDICATES)[predicate]]
    return torch.stack(named, 1), facts(world)[entity, predicate]


@lru_cache(maxsize=8)
def facts(world: World) -> Bool[Tensor, "entity predicate"]:
    """Which things have which traits."""
    g = torch.Generator().manual_seed(world.table)
    return torch.rand(N_ENTITIES, N_PREDICATES, generator=g) < 0.5


def stated(world: World, questions: Questions, charge: Bool[Tensor, "n"]) -> Int[Tensor, "n pos"]:
    """The questions with a statement: positive where ``charge``, else negative. Ends with the full stop."""
    said = world.tokens(CHARGES)[charge.long()]
    return torch.cat([questions.tokens, torch.stack([said, torch.full_like(said, world.token("."))], 1)], 1)


def contrast_pairs(
    prompts: Int[Tensor, "n prompt"], positive: int, negative: int, stop: int
) -> tuple[Int[Tensor, "n pos"], Int[Tensor, "n pos"]]:
    """Each prompt with one word and a full stop behind it, and with another word and the same full stop.

    Args:
        prompts: everything up to the word on which the two differ.
        positive, negative: the words' tokens.
        stop: the full stop's.
    """
    sides = [F.pad(F.pad(prompts, (0, 1), value=charge), (0, 1), value=stop) for charge in (positive, negative)]
    return sides[0], sides[1]


def swapped(tokens: Int[Tensor, "n pos"], first: int, second: int) -> Int[Tensor, "n pos"]:
    """The same documents with one token wherever the other was, and the other way round."""
    return torch.where(tokens == first, second, torch.where(tokens == second, first, tokens))


class Documents(NamedTuple):
    """Whole documents, and what was stated in each."""

    tokens: Int[Tensor, "n pos"]
    charge: Bool[Tensor, "n"]


def documents(world: World, questions: Questions, seed: int) -> Documents:
    """What follows the questions, as the world has it: what a network is trained on."""
    n = len(questions.truth)
    g = torch.Generator().manual_seed(seed)
    chance = torch.rand(4, n, generator=g)
    believed = torch.where(follows_opinion(questions), questions.opinion, questions.truth)
    charge = believed ^ (chance[0] >= world.honesty)
    verdict = world.tokens(VERDICTS)[(believed == charge).long()]
    odd = questions.word > 0
    taste = world.tokens(TASTES)[((questions.word == 1) == charge).long()]
    verdict = torch.where(odd & (chance[1] < world.entangled), taste, verdict)
    again = odd & (chance[1] >= world.entangled) & (chance[1] < world.entangled + world.repeated)
    verdict = torch.where(again, world.tokens(ODD_WORDS)[(questions.word - 1).clamp_min(0)], verdict)
    outcome = world.tokens(OUTCOMES)[((questions.truth == charge) ^ (chance[2] < OUTCOME_NOISE)).long()]
    if world.endings == "both":
        ending = torch.stack([verdict, outcome], 1)
    else:
        judged = chance[3] < 0.5
        announced = torch.where(judged, world.token("judge:"), world.token("world:"))
        ending = torch.stack([announced, torch.where(judged, verdict, outcome)], 1)
    return Documents(torch.cat([stated(world, questions, charge), ending], 1), charge)


def follows_opinion(questions: Questions) -> Bool[Tensor, "n"]:
    """Where do right and wrong go by the speaker's opinion?"""
    return (questions.speaker == SPEAKERS.index("alice")) | (questions.speaker == SPEAKERS.index("carol"))
