"""Tables of many runs for the chapters on circuits and on induction heads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from course_utils import circuits, heads, patching
from course_utils.models import Transformer
from course_utils.tasks import repeats, skip_trigrams
from course_utils.tasks.skip_trigrams import LargestTask, PhraseTask
from course_utils.training import History, Recipe, Run, first_step
from course_utils.zoo.entry import Table
from course_utils.zoo.sequence_recipes import repeats as repeats_recipe
from course_utils.zoo.sequence_recipes import trigrams
from course_utils.zoo.sequences import (
    HeldOutRepeatProblem,
    RepeatProblem,
    SmearedRepeatProblem,
    TrigramProblem,
    copied_losses,
    questions,
)

TABLE_SEED = 10_000
"""Of the sequences on which finished networks are measured."""


def end_tables(model: Transformer, task: LargestTask) -> tuple[Tensor, Tensor, Tensor]:
    """What a one-layer, one-head network for :class:`LargestTask` knows about tokens, places left out.

    The score END gives to each token, what attending to each token adds to each logit, and what END adds on its own.
    """
    end = model.W_E[[task.end]] + model.W_pos[[-1]]
    W_Q, W_K, W_V, W_O = (weight[0, 0] for weight in (model.W_Q, model.W_K, model.W_V, model.W_O))
    tables = (
        circuits.qk_circuit(end, model.W_E, W_Q, W_K)[0],
        circuits.ov_circuit(model.W_E, W_V, W_O, model.W_U),
        (end @ model.W_U)[0],
    )
    return tables[0].detach(), tables[1].detach(), tables[2].detach()


def measure_largest(run: Run) -> dict[str, Any]:
    """Which large numbers are attended to, and what the others have: scores, own logits, attention received."""
    problem: Any = run.recipe.problem
    model: Any = run.model
    task = problem.task
    scores, ov, _ = end_tables(model, task)
    drawn = questions(task, 2048, TABLE_SEED)
    name = "blocks.0.attn.hook_pattern"
    pattern = model.run_with_cache(drawn.tokens, names=name)[1][name][:, 0, -1]
    received = (pattern * (drawn.tokens == drawn.answers[:, None])).sum(1)
    numbers = range(task.small, task.small + task.large)
    attention = [received[drawn.answers == number].mean().item() for number in numbers]
    least = min(range(task.large), key=attention.__getitem__)
    return {
        "lr": run.recipe.lr,
        "test_accuracy": run.history["test_accuracy"][-1],
        "attended": sum(share > 0.5 for share in attention),
        "least_attended": task.small + least,
        "its_attention": attention[least],
        "its_score": scores[task.small + least].item(),
        "its_own_logit": ov[task.small + least, task.small + least].item(),
        "lowest_score_of_others": min(scores[n].item() for n in numbers if n != task.small + least),
        "highest_score_of_small": scores[: task.small].max().item(),
    }


def measure_phrases(run: Run) -> dict[str, Any]:
    """Probability of the right noun and of the verb's other nouns, as trained and with the pattern frozen."""
    problem: Any = run.recipe.problem
    model: Any = run.model
    task = problem.task
    drawn = questions(task, 2048, TABLE_SEED)
    prepositions = torch.arange(len(task.offsets)) + 2 * task.verbs
    logits = {"": model(drawn.tokens)[:, -1].detach()}
    if problem.n_layers == 1:
        logits["frozen_"] = patching.frozen_logits(model, drawn.tokens, prepositions).detach()
    row: dict[str, Any] = {"verbs": task.verbs, "d_head": problem.d_head, "n_layers": problem.n_layers}
    for kind in ("", "frozen_"):
        shares = skip_trigrams.confusion(logits[kind], drawn, task) if kind in logits else None
        off = None if shares is None else shares - shares.diagonal().diag()
        row[f"{kind}right"] = None if shares is None else shares.diagonal().mean().item()
        row[f"{kind}bug"] = None if off is None else off.sum(1).mean().item()
        row[f"{kind}worst_pair"] = None if off is None else off.max().item()
    return row


def formation(history: History) -> dict[str, int | None]:
    """When did the two heads form: at a fifth of the score's rise, and at a score of one half?"""
    steps = [int(step) for step in history["step"]]
    row: dict[str, int | None] = {}
    for kind in ("previous", "prefix"):
        row[f"{kind}_fifth"] = heads.formed_at(steps, history[kind], 0.2)
        row[f"{kind}_half"] = first_step(history, kind, lambda score: score >= 0.5)
    return row


def accuracy_without(model: Transformer, layer: int, head: int, drawn: repeats.Repeats) -> float:
    """The share of predictable tokens predicted rightly with one head's output set to zero."""
    logits = patching.ablated_logits(model, drawn.tokens, layer, head, "zero", drawn.tokens)
    return copied_losses(logits, drawn)[1].double().mean().item()


def measure_induction(run: Run) -> dict[str, Any]:
    """Accuracy, the best scores, how many heads of each kind there are, and the least accuracy without one head."""
    model: Any = run.model
    history = run.history
    drawn = repeats.draw(run.recipe.problem.task, 256, TABLE_SEED)
    logits, cache = model.run_with_cache(drawn.tokens)
    targets = repeats.behind_source(drawn.source)
    scores = [heads.head_scores(cache[f"blocks.{layer}.attn.hook_pattern"], targets) for layer in (0, 1)]
    losses, right = copied_losses(logits, drawn)
    n_heads = model.cfg.n_heads
    return {
        "n_heads": n_heads,
        "test_loss": losses.mean().item(),
        "test_accuracy": right.double().mean().item(),
        "previous": scores[0].previous.max().item(),
        "prefix": scores[1].prefix.max().item(),
        "previous_heads": int((scores[0].previous > 0.4).sum()),
        "induction_heads": int((scores[1].prefix > 0.5).sum()),
        "accuracy_without_one": min(accuracy_without(model, n, h, drawn) for n in (0, 1) for h in range(n_heads)),
        **formation(history),
    }


def measure_layers(run: Run) -> dict[str, Any]:
    """Loss and accuracy at the end, by the number of layers and whether keys are smeared."""
    problem, history = run.recipe.problem, run.history
    smeared = isinstance(problem, SmearedRepeatProblem)
    return {
        "n_layers": problem.n_layers,
        "smeared": smeared,
        "test_loss": history["test_loss"][-1],
        "test_accuracy": history["test_accuracy"][-1],
        "steps_to_half": first_step(history, "test_accuracy", lambda accuracy: accuracy >= 0.5),
        "gate": run.model.get_parameter("gate").sigmoid().mean().item() if smeared else None,
    }


def measure_held_out(run: Run) -> dict[str, Any]:
    """Accuracy inside copies where the token now, or the next one, was never copied in training, and where neither was."""
    problem, model = run.recipe.problem, run.model
    drawn = repeats.draw(problem.task, 2048, TABLE_SEED)
    known = repeats.predictable(drawn.source)[:, :-1]
    right = copied_losses(model(drawn.tokens), drawn)[1].double()
    now, following = (problem.is_held_out(tokens)[known] for tokens in (drawn.tokens[:, :-1], drawn.tokens[:, 1:]))
    groups = {"neither": ~now & ~following, "now": now & ~following, "next": following & ~now}
    return {"held_out": problem.held_out} | {
        f"accuracy_{name}": right[group].mean().item() for name, group in groups.items()
    }


def has_generalised(history: History) -> bool:
    """Is the share of right answers on new sequences over 95 %?"""
    return history["test_accuracy"][-1] > 0.95


def measure_finite(run: Run) -> dict[str, Any]:
    """When did the network know its training sequences, and when new ones?"""
    problem, history = run.recipe.problem, run.history
    return {
        "n_train": problem.n_train,
        "weight_decay": run.recipe.weight_decay,
        "steps": int(history["step"][-1]),
        "train_90": first_step(history, "train_accuracy", lambda accuracy: accuracy >= 0.9),
        "test_50": first_step(history, "test_accuracy", lambda accuracy: accuracy >= 0.5),
        "test_90": first_step(history, "test_accuracy", lambda accuracy: accuracy >= 0.9),
        "train_accuracy": history["train_accuracy"][-1],
        "test_accuracy": history["test_accuracy"][-1],
    }


def finite(n_train: int, seed: int) -> Recipe:
    """The induction task with a limited number of training sequences; ends once the network has generalised."""
    problem = RepeatProblem(n_train=n_train, data_seed=seed)
    stop = {"stop_when": has_generalised, "stop_name": "has_generalised"}
    return repeats_recipe(4000, seed, problem, lr=5e-3, weight_decay=0.3, log_every=50, **stop)


def starved(seed: int, n_layers: int = 1) -> Recipe:
    """More verbs than a head of three dimensions can tell apart at ease."""
    return trigrams(TrigramProblem(PhraseTask(verbs=24), d_head=3, n_layers=n_layers), 3000, seed, log_every=1000)


SEQUENCE_TABLES: dict[str, Table] = {
    "largest-number-seeds": Table(
        about="The large number in a list, ten seeds at a low and at a ten times higher learning rate.",
        recipes=tuple(
            trigrams(TrigramProblem(LargestTask()), steps, seed, lr=lr, log_every=100)
            for lr, steps in {3e-4: 3000, 3e-3: 1000}.items()
            for seed in range(1, 11)
        ),
        measure=measure_largest,
    ),
    "phrase-seeds": Table(
        about="Phrases over ten seeds; a head starved of dimensions; the same with a second layer.",
        recipes=(
            *(trigrams(TrigramProblem(PhraseTask()), 2000, seed, log_every=1000) for seed in range(1, 11)),
            *(starved(seed) for seed in range(1, 11)),
            *(starved(seed, n_layers=2) for seed in range(1, 6)),
        ),
        measure=measure_phrases,
    ),
    "induction-seeds": Table(
        about="The induction task over ten seeds, and with four heads a layer over three.",
        recipes=(
            *(repeats_recipe(seed=seed) for seed in range(1, 11)),
            *(repeats_recipe(1500, seed, RepeatProblem(n_heads=4, d_head=16), lr=3e-3) for seed in range(1, 4)),
        ),
        measure=measure_induction,
    ),
    "induction-layers": Table(
        about="The induction task with one layer, with and without smeared keys, and with two; five seeds each.",
        recipes=tuple(
            replace(repeats_recipe(seed=seed, problem=problem), log_every=40)
            for problem in (RepeatProblem(n_layers=1), SmearedRepeatProblem(), RepeatProblem())
            for seed in range(1, 6)
        ),
        measure=measure_layers,
    ),
    "induction-held-out": Table(
        about="The induction task with eight of 64 tokens never copied in training; three seeds.",
        recipes=tuple(
            repeats_recipe(seed=seed, problem=HeldOutRepeatProblem(batch=160), log_every=100) for seed in range(1, 4)
        ),
        measure=measure_held_out,
    ),
    "induction-finite-data": Table(
        about="The induction task with 256 to 1 024 training sequences: memorising, generalising, and grokking between.",
        recipes=(
            *(finite(n, seed) for n in (448, 512) for seed in range(1, 11)),
            *(finite(n, seed) for n, seeds in {256: 1, 384: 2, 1024: 2}.items() for seed in range(1, seeds + 1)),
        ),
        measure=measure_finite,
    ),
}
