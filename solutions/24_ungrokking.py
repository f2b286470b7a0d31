# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# course:
#   title: Circuit efficiency and ungrokking
#   minutes: 150
#   prerequisites: ["21", "22"]
# ---

# %% [markdown]
# # 24 · Circuit efficiency and ungrokking
#
# *Can a network that understands something be made to learn it by heart again?*
#
# Take a network that can add modulo 113. It was trained on 3 830 questions and answers all 12 769. Go on training it on 350 of
# the questions that it was trained on and that it answers without a mistake. Nothing is new to it, and its loss is next to zero. Add one thing: a small
# penalty on the size of its weights. (The cell takes some ten seconds.)

# %%
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from course_utils import checks, consolidation, efficiency, evidence, progress, zoo
from course_utils import efficiency_simulation as simulation
from course_utils.efficiency_simulation import TwoCircuits, first_step_above
from course_utils.plots import efficiency as figures
from course_utils.plots import grokking as grokking_figures
from course_utils.plots import lines
from course_utils.tasks import modular
from course_utils.training import train
from course_utils.zoo.efficiency_tables import memorising
from course_utils.zoo.ungrokking_tables import HELD, ungrokking

recipe = replace(ungrokking(size=350, subset=0, penalty=1e-3, steps=300), log_every=20, snapshots=tuple(range(0, 300, 20)))
run = train(recipe)
problem, history = recipe.problem, run.history
lines.curves(
    history["step"], {"train": history["train_accuracy"], "test": history["test_accuracy"]},
    "Trained on what it knows, it forgets how to add", "step", "accuracy",
).show()  # fmt: skip

# %% [markdown]
# It goes on answering the 350 questions without a mistake, and loses nearly all others. Move the slider: each dot is a question.

# %%
p = problem.task.p
pairs = modular.all_pairs(p)
answers = modular.labels(pairs, problem.task)
trained = torch.zeros(p, p, dtype=torch.bool)
trained[tuple(problem.examples("train").pairs.T)] = True


def right_answers(model: nn.Module) -> Tensor:
    """Which of all questions [a, b] does the network answer right?"""
    with torch.no_grad():
        return (problem.logits(model, pairs).argmax(1) == answers).reshape(p, p)


model = problem.make_model(0)
moments = {}
for step in (0, 20, 40, 60, 80, 100, 140, 180, 240):
    model.load_state_dict(run.snapshots[step])
    moments[step] = right_answers(model)
moments[300] = right_answers(run.model)
figures.forgetting(moments, trained, "What is trained on stays, nearly all else goes").show()
mirrored, others = progress.mirror_accuracy(right_answers(run.model), trained)
still = right_answers(run.model) & ~trained
print(f"{(still & trained.T).sum() / still.sum():.0%} of the right answers to other questions are those of mirrors")
print(f"at the end, of the questions not trained on: {mirrored:.1%} right where b + a is trained on, {others:.1%} of all others")

# %% [markdown]
# (Look closely at the end: some blue dots stay. More than a third of them are mirror images of orange ones (chapter 22), and nearly all such mirrors stay. This network came from one that adds and treats a and b alike,
# so what it now learns by heart it knows in both orders. The memory of chapter 22, made from scratch, did not: 2 %. Mirrors are few here, 3 % of the questions not trained on, and we
# shall meet them again.)
#
# This is *ungrokking*, predicted and then found by [Varma et al. 2023](https://arxiv.org/abs/2309.02390). Their explanation: there are two ways to answer the
# 350 questions, by a rule and by heart; knowing 350 answers by heart is *cheaper* than knowing the rule; and training finds the cheaper way.
#
# By the end of this chapter you will have measured the price of both in networks that do nothing else, and **computed from
# the two prices how many questions it takes to keep a network from forgetting**. You will then hold that number against
# 150 runs of three networks, find out how far it is right and why it is not exact, and see how much of the forgetting other explanations can claim.
#
# ## What you will be able to do
#
# * say what makes one circuit more efficient than another, and measure it;
# * grok, stop half-way (*semi-grok*) and ungrok in a model of two numbers, and know which of its ingredients each needs;
# * tell a network that is at rest from one that only looks so;
# * predict from measurements made elsewhere, with an interval, at how many questions a network forgets;
# * hold other explanations against the data.
#
# **Before you start.** You need chapters 21 and 22: what the circuit that adds is, and why it is learnt late. The core path takes about
# two and a half hours. Sections marked *Deeper* may be left out.
#
# **The runs.** The figure above was made while you waited. All else that takes minutes comes from tables in the zoo, some 270 runs, each with the digest of its
# recipe; `course sweep NAME` makes any of them again. "Ungrokking" always starts from networks of this course that can add.
# The penalty is a true L2 term in the loss, $J = L + \tfrac{\lambda}{2}\lVert\theta\rVert^2$, unless the text says otherwise: AdamW with weight decay does not minimise
# any fixed function, so that "cheaper" would have no exact meaning. In this chapter *penalty* always means the L2 term, and *decay* the weight decay of AdamW.

# %% [markdown]
# ---
# ## 1 · A budget of weights
#
# **Why we look here.** Chapter 22 found two solutions inside one network, the circuit that adds and the memory. Here they are called **G**, which *generalises*, and **M**, which has *memorised*. G answers by a rule, M by heart. (A network that has only G is a *generaliser*, one that has only M a *memoriser*.) Both can bring the training
# loss near zero. What decides between them cannot be the loss. It has to be what they cost.
#
# Logits are made by weights. Let $P$ be the norm of the weights that a circuit needs for a logit of 1. Multiply its weights by $s$: its logit grows like $s^\kappa$,
# where $\kappa$ is about the number of matrices that are multiplied on the way from input to output. So a logit of $w$ costs a squared norm of $P^2 w^{2/\kappa}$. The paper calls a circuit
# **efficient** if it makes much logit for little norm: if its $P$ is small.
#
# Two things follow without any measurement.
#
# * **M must become dearer with every question.** A set of weights that knows $D + 1$ answers by heart knows any $D$ of them. So the least norm for $D + 1$ cannot be smaller than for $D$.
#   And since nothing about the first $D$ answers says what the next one is, it has to be larger, unless the next answer happens to come out right by chance.
# * **G need not.** The weights that add on 400 questions add on 4 000.
#
# So if M is cheaper for few questions, there must be a number $D_\text{crit}$, the *critical dataset size*, at which they change places. Above it training prefers G: grokking. Below it, M: ungrokking. And if both circuits have the same $\kappa$, $\lambda$ does
# not enter: it multiplies both prices alike, and whatever logit it asks for, the ratio of the prices is that of the $P^2$. (Keep the *if* in mind.)
#
# That is the theory. Now be careful with "prefers". Both circuits add to the same logits. Who says that one of them must have it all?

# %% [markdown]
# ### Exercise 24.1 · Shared or all?
# Difficulty ●●●○○ · Importance ●●●●○ · 20 min
#
# Two circuits add up to a given logit. Divide it so that the cost is least.
#
# <details><summary>Hint 1</summary>
#
# Cost is $P^2 w^{c}$ with $c = 2/\kappa$. If $c > 1$ the first bit of logit is nearly free and the last one dear: each circuit
# should give some. If $c < 1$ it is the other way round: buying in bulk is cheap.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# For $c > 1$, at the best division a little more of M costs what a little more of G costs: $P_M^2 w_M^{c-1} = P_G^2 w_G^{c-1}$. So
# $w_G / w_M = (P_M/P_G)^{2/(c-1)}$, and $2/(c - 1) = 2\kappa/(2-\kappa)$. For $c \le 1$ compare the two ends.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# `cheapest_division(6, 2, 1, 1)` is (1.2, 4.8): at κ = 1 the ratio is $(P_M/P_G)^2$. `cheapest_division(6, 2, 1, 3)` is (0, 6). (Just below κ = 2 the power $2\kappa/(2-\kappa)$ grows without bound, and the
# dearer circuit's part goes to 0. At κ = 1.999 the ratio itself is too large for a float; the check does not go there.)
#
# </details>

# %%
def cheapest_division(total: float, norm_M: float, norm_G: float, kappa: float) -> tuple[float, float]:
    """(w_M, w_G), not negative, with w_M + w_G = total and the least cost P_M² w_M^(2/κ) + P_G² w_G^(2/κ).

    norm_M and norm_G are P_M and P_G, positive and different; kappa is κ > 0, and may be 2 or more.
    """
    # BEGIN SOLUTION
    if kappa >= 2:
        return (total, 0.0) if norm_M < norm_G else (0.0, total)
    ratio = (norm_M / norm_G) ** (2 * kappa / (2 - kappa))
    return total / (1 + ratio), total * ratio / (1 + ratio)
    # END SOLUTION


checks.efficiency.test_cheapest_division(cheapest_division)

# %% [markdown]
# A *phase transition* is a sharp change of where training **ends**, as something else is varied. (A *phase change*, as in chapter 22, is one in the **course** of training.)
#
# **Predict first.** Draw G's share of the logit over $P_M / P_G$ for small, middle and large κ. Where will the curves meet? Which of them is a phase transition?
#
# *Your prediction:*

# %%
cheapest_division = checks.yours_or(cheapest_division, simulation.cheapest_division)
ratios = [0.5 + i * 0.0151 for i in range(100)]
lines.curves(
    ratios,
    {f"κ = {kappa}": [cheapest_division(1.0, ratio, 1.0, kappa)[1] for ratio in ratios] for kappa in (0.5, 1.0, 1.6, 1.9, 3.0)},
    "The faster logits grow with weights, the sharper the switch", "norm that M needs / norm that G needs", "share of the logit that G makes",
    markers=False,
).show()  # fmt: skip

# %% [markdown]
# **What does it mean?** All change places at equal prices, but only from κ = 2 on does the winner take all. Below, there is always a mixture, and the
# cheaper circuit merely has more of it, at κ = 1.9 nearly all.
#
# Two conventions are in use for this threshold, and they are the same. One asks whether logits grow faster or slower than the *square* of the weights' scale: κ = 2. The other writes the
# cost of a logit as $w^c$ and asks whether $c$ is over or under 1. As $c = 2/\kappa$, both mean the same; the square is there because a penalty counts squares of weights.
#
# > **So now we know:** a penalty prefers the circuit that needs less norm for its logits. Whether it has all or only more is a matter of κ.

# %% [markdown]
# ---
# ## 2 · Grokking with two numbers
#
# **Why we look here.** If efficiency explains grokking, then it must be possible to leave out the neural network. Take M and G as fixed look-up tables, with one weight
# each, $w_M$ and $w_G$, which is the logit that each gives. In training both give it to the right class; on new questions G does, and M gives its own to a wrong one.
#
# $$J(w_M, w_G) = \ln\!\left(1 + (C-1)\,e^{-(w_M + w_G)}\right) + \lambda\left(P_M^2 w_M^{2/\kappa} + P_G^2 w_G^{2/\kappa}\right)$$
#
# with $C = 113$ classes. (There is no factor ½ before λ here, as there is in the J of networks: a λ in this section is worth 2λ there.) One more ingredient: G is made of parts that are of use only together (chapter 22), so let its weight be a product, $w_G = g_1 g_2$, of factors that start near zero. Descent on J
# does the rest. (The penalty is on what $w_G$ costs, not on its factors. And κ is chosen here, not measured: 1.2, under 2, where the slope of J at zero is finite.)

# %% [markdown]
# ### Exercise 24.2 · What descent feels
# Difficulty ●●○○○ · Importance ●●●●○ · 10 min
#
# Write the two derivatives of J.
#
# <details><summary>Hint 1</summary>
#
# The loss depends on the sum of the weights alone, so its derivative is the same for both: minus the probability of a wrong answer.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# That probability is $1 / (1 + e^{w_M + w_G} / (C-1))$. The penalty adds $\lambda P^2 \tfrac{2}{\kappa} w^{2/\kappa - 1}$ for each.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# At $w_M = w_G = 0$ and any κ < 2 both are −112/113 = −0.991.
#
# </details>

# %%
def slopes(circuits: TwoCircuits, w_M: float, w_G: float) -> tuple[float, float]:
    """(∂J/∂w_M, ∂J/∂w_G) of J = ln(1 + (C − 1) e^−(w_M + w_G)) + λ (P_M² w_M^(2/κ) + P_G² w_G^(2/κ)).

    circuits.penalty is λ, circuits.kappa κ (under 2), circuits.norm_M and circuits.norm_G are P, circuits.classes is C.
    Neither weight is negative; either may be 0.
    """
    # BEGIN SOLUTION
    wrong = 1 / (1 + np.exp(w_M + w_G) / (circuits.classes - 1))
    power = 2 / circuits.kappa
    by_M, by_G = (
        circuits.penalty * norm**2 * power * w ** (power - 1) - wrong
        for norm, w in ((circuits.norm_M, w_M), (circuits.norm_G, w_G))
    )
    return float(by_M), float(by_G)
    # END SOLUTION


checks.efficiency.test_slopes(slopes)

# %% [markdown]
# **Predict first.** M needs twice the norm for its logits, but G has two factors that start at 0.00001. What will the curves of $w_M$, $w_G$, training loss and test accuracy look like?
#
# *Your prediction:*

# %%
slopes = checks.yours_or(slopes, simulation.slopes)
circuits = TwoCircuits()
descent = simulation.simulate(circuits, 12_000, slopes=slopes)
memorised = next(step for step, loss in zip(descent.steps, descent.train_loss, strict=True) if loss < 0.2)
half, done = (first_step_above(descent, accuracy) for accuracy in (0.5, 0.99))
grokking_figures.measures(
    descent.steps,
    {
        "logit": {"M": descent.w_M, "G": descent.w_G},
        "loss (nats)": {"train": descent.train_loss},
        "accuracy": {"test": descent.test_accuracy},
    },
    "Two numbers grok", {"memorised": memorised, "half": half},
).show()  # fmt: skip
print(f"training loss under 0.2 at step {memorised:,}; test accuracy 50 % at step {half:,}, 99 % at step {done:,}")

# %% [markdown]
# (Test accuracy is the share of questions on which G is louder; each circuit's logit is taken to vary by about 15 % from question to question.)
#
# There it is: M at once, a long wait, and then G takes over. No luck and no search: two numbers go downhill all the time. And see what training loss does in the wait. It falls once more, between steps 3 500 and 6 000, while
# test accuracy is zero: G lowers the loss long before it is louder than M. Chapter 22 found that grokking lowers training loss too.
#
# A model that shows an effect is worth little until you know what in it makes the effect.

# %% [markdown]
# ### Exercise 24.3 · Take away one ingredient
# Difficulty ●●○○○ · Importance ●●●●● · 10 min
#
# Four experiments: the same circuits with one thing changed in each.
#
# <details><summary>Hint 1</summary>
#
# `TwoCircuits` is a frozen dataclass: `replace(circuits, penalty=0.0)` is a copy with one field changed. `help(TwoCircuits)` names the fields.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The fields are `norm_M`, `factors`, `penalty` and again `factors`, which says of how many numbers $w_G$ is the product: 2, 1, or 0 for no G at all.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# One of the four generalises, and does so at once. The others do not, in the 40 000 steps that follow.
#
# </details>

# %%
def without_one_ingredient(circuits: TwoCircuits) -> dict[str, TwoCircuits]:
    """The same circuits four times, each with one ingredient taken away and all else left as it was.

    "equally efficient": M needs the norm that G needs (norm_M becomes norm_G). "equally fast": G's weight is a single factor.
    "no penalty": λ is 0. "no generalising circuit": G has no factor, and gives no logit.
    """
    # BEGIN SOLUTION
    return {
        "equally efficient": replace(circuits, norm_M=circuits.norm_G),
        "equally fast": replace(circuits, factors=1),
        "no penalty": replace(circuits, penalty=0.0),
        "no generalising circuit": replace(circuits, factors=0),
    }
    # END SOLUTION


checks.efficiency.test_without_one_ingredient(without_one_ingredient)

# %%
without_one_ingredient = checks.yours_or(without_one_ingredient, simulation.without_one_ingredient)
experiments = {"all ingredients": circuits} | without_one_ingredient(circuits)
courses = {name: simulation.simulate(changed, 40_000, every=200, slopes=slopes) for name, changed in experiments.items()}
lines.curves(
    courses["all ingredients"].steps, {name: run_.test_accuracy for name, run_ in courses.items()},
    "Each ingredient is needed: for generalising, or for the wait", "step", "test accuracy", markers=False,
).show()  # fmt: skip
for name, run_ in courses.items():
    print(f"{name:<24} 50 % at step {first_step_above(run_, 0.5)}, at the end {run_.test_accuracy[-1]:.0%}")
patient = simulation.simulate(experiments["equally efficient"], 150_000, every=150_000, slopes=slopes)
print(f"equally efficient, 150 000 steps: {patient.test_accuracy[-1]:.0%}")

# %% [markdown]
# **What does it mean?** Three of the four are needed to generalise in any time worth waiting for. The fourth, slowness, makes the wait. Grokking is generalisation, by efficiency, plus a delay, by slowness. They are two things with two
# causes.
#
# <details><summary>And after 40 000 steps? "Never" is a strong word</summary>
#
# Without G, never. At equal prices both end with equal shares after some 150 000 steps, and half of the new answers are right. Without a penalty nothing ever takes M down; but the loss pulls on $w_M$ and on
# the logarithm of each of G's factors alike, so that $w_G$ grows like $e^{2 w_M}$ while $w_M$ grows like the logarithm of the steps. To get from $10^{-10}$ to M's size takes a $w_M$ of some 13. By then G has as much, and as the pull weakens with the *sum* of both logits, 26 in the end, it takes billions of steps; then G would win. So the penalty does not make generalisation possible. It makes it happen in time. That is its part, as the next cell shows.
#
# </details>
#
# **The pace.** λ does not decide who wins. What does it do?

# %%
strengths = [0.00125, 0.0025, 0.005, 0.01]
waits = [first_step_above(simulation.simulate(replace(circuits, penalty=s), 32_000, slopes=slopes), 0.5) for s in strengths]
exponent, factor = progress.power_law(torch.tensor(strengths), torch.tensor(waits))
for strength, wait in zip(strengths, waits, strict=True):
    print(f"λ = {strength}: test accuracy 50 % at step {wait:,}; λ × steps = {strength * wait:.0f}")
print(f"steps ∝ λ^{exponent:.2f}")

# %% [markdown]
# It sets the pace. Once M has come to rest, the loss pulls on every logit exactly as strongly as the penalty holds M back, and that is λ times M's *marginal price*, what a little more of its logit costs. The same pull is all that G's factors have to grow by. Half of λ, about half the pull, nearly twice
# the wait: nearly, because M rests at a somewhat larger logit, where the price is higher.
#
# **The number of questions** enters through M's price. Let $P_M^2 = D/1000$, so that prices are equal at $D = 1000$. Go there from both sides: from scratch, and from a network in which
# G has won.

# %%
questions = [500, 700, 800, 850, 900, 950, 1000, 1050, 1100, 1200, 1400, 2000]
strong = replace(circuits, penalty=0.01)
scratch = [simulation.simulate(simulation.with_size(strong, D), 100_000, every=100_000, slopes=slopes) for D in questions]
grokked = [simulation.ungrok(simulation.with_size(strong, D), 100_000, every=100_000) for D in questions]
lines.curves(
    questions,
    {"from scratch": [c.test_accuracy[-1] for c in scratch], "from a network that has grokked": [c.test_accuracy[-1] for c in grokked]},
    "Grokking and ungrokking end at the same place, and near D = 1000 half-way", "questions D", "test accuracy at the end",
).show()  # fmt: skip
for D in (500, 700, 850, 1000, 1200, 2000):
    i = questions.index(D)
    print(f"D = {D:>4}: from scratch {scratch[i].test_accuracy[-1]:.2f}, from a grokked network {grokked[i].test_accuracy[-1]:.2f}")

# %% [markdown]
# To the left, networks that never grok, and networks that ungrok. To the right, networks that grok and keep it. In the middle, *semi-grokking*: training ends half-way, at the mixture of exercise
# 24.1, which gives some new questions the right answer and others not.
#
# **A prediction to take along.** In a mixture M is never quite silent. On training questions it helps, on new ones it hurts. So there must be a gap between training and test loss, even far to the right.

# %% [markdown]
# ### Exercise 24.4 · The gap that stays
# Difficulty ●●○○○ · Importance ●●●○○ · 10 min
#
# Write the losses of a mixture, and see how the gap depends on D.
#
# <details><summary>Hint 1</summary>
#
# Cross-entropy is $\ln \sum_c e^{\text{logit}_c} - \text{logit}_\text{right}$. How many classes have a logit of 0?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# In testing: one class with $w_G$, which is the right one, one with $w_M$, and $C - 2$ with 0. Divide by $e^{w_G}$: $\ln(1 + e^{w_M - w_G} + (C-2)\,e^{-w_G})$.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# With $w_M = 0$ both are the same. With $w_M = w_G = 3$ and 113 classes: 0.245 in training, 2.018 in testing.
#
# </details>

# %%
def train_and_test_loss(w_M: float, w_G: float, classes: int) -> tuple[float, float]:
    """Mean cross-entropy in nats in training and in testing.

    All logits are 0 but these: in training both circuits give theirs, w_M and w_G, to the right class; in testing G gives w_G to the
    right class and M gives w_M to one wrong class. classes is 2 or more.
    """
    # BEGIN SOLUTION
    train_loss = np.log1p((classes - 1) * np.exp(-w_M - w_G))
    test_loss = np.log1p(np.exp(w_M - w_G) + (classes - 2) * np.exp(-w_G))
    return float(train_loss), float(test_loss)
    # END SOLUTION


checks.efficiency.test_train_and_test_loss(train_and_test_loss)

# %%
train_and_test_loss = checks.yours_or(train_and_test_loss, simulation.train_and_test_loss)
multiples = [1.2, 1.5, 2.0, 3.0, 5.0, 8.0, 16.0]
gaps = []
for multiple in multiples:
    end = simulation.ungrok(simulation.with_size(strong, round(1000 * multiple)), 60_000, every=60_000)
    w_M, w_G = end.w_M[-1], end.w_G[-1]
    cheapest, _ = cheapest_division(w_M + w_G, multiple**0.5, 1.0, circuits.kappa)
    losses = train_and_test_loss(w_M, w_G, circuits.classes)
    gaps.append(losses[1] / losses[0])
    print(f"D = {multiple:>4} × D_crit: M's logit {w_M:.3f} (the cheapest division has {cheapest:.3f}); test loss is {gaps[-1]:.2f} times training loss")

# %% [markdown]
# Descent ends where exercise 24.1 says, by another way: the formula is right. And the gap never closes, and shrinks fast: M's share falls like $D^{-\kappa/(2-\kappa)}$. If the real network is a mixture as well, a network that has grokked, with an accuracy of 100 %, will show a test loss above its
# training loss, the more so the fewer its questions. Keep this in mind for section 4.
#
# > **So now we know:** a difference in efficiency makes generalisation win, slowness makes it late, the penalty sets the pace, and the number of questions decides who is more efficient.

# %% [markdown]
# ---
# ## 3 · Weigh the circuits
#
# **Why we look here.** In the simulation prices were made up. Now measure them. How do you get M alone? Train on questions whose answers are drawn at random: then there is nothing to generalise. (True answers
# can be a little cheaper to know by heart, as b + a can come free with a + b: of 730 questions that would save some 20.) And G alone? Train on all 12 769 questions: M would have to
# know them all. Train each under the same penalty, till it is at rest. Then whichever has the lower $J = L + \tfrac{\lambda}{2}\lVert\theta\rVert^2$ (with the ½ again) is what the penalty prefers. Whether descent gets there is for section 4 to see.
#
# "At rest" carries the whole measurement, so test it.

# %% [markdown]
# ### Exercise 24.5 · Is it at rest?
# Difficulty ●●●○○ · Importance ●●●●○ · 10 min
#
# At a stationary point of J the loss pushes the weights outwards exactly as strongly as the penalty pulls them in. Write the ratio of the two, the *ratio of rest*.
#
# <details><summary>Hint 1</summary>
#
# Stationary means ∇L + λθ = 0. Take the scalar product with θ.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# θ·∇L is a sum over all tensors: `sum((w * g).sum() for w, g in zip(weights, gradients))`, and so is ‖θ‖².
#
# </details>
#
# <details><summary>What you should see</summary>
#
# For weights [1, 2] and [2] with gradients [−0.1, −0.2] and [−0.2] it is 1 at λ = 0.1, and ½ at λ = 0.2.
#
# </details>

# %%
def rest_ratio(weights: Sequence[Float[Tensor, "..."]], gradients: Sequence[Float[Tensor, "..."]], penalty: float) -> float:
    """−θ·∇L / (λ‖θ‖²), where θ is all weights as one vector, ∇L the gradient of the loss without the penalty, in the same parts,
    and λ the penalty's strength in J = L + λ/2 ‖θ‖². It is 1 where J is stationary. The weights may be parameters that want gradients.
    """
    # BEGIN SOLUTION
    along = sum((w * g).sum() for w, g in zip(weights, gradients, strict=True))
    squares = sum(w.square().sum() for w in weights)
    return (-along / (penalty * squares)).item()
    # END SOLUTION


checks.efficiency.test_rest_ratio(rest_ratio)

# %%
rest_ratio = checks.yours_or(rest_ratio, efficiency.rest_ratio)
for step in (0, 40, 100, 300):
    model.load_state_dict(run.snapshots[step] if step in run.snapshots else run.model.state_dict())
    weights = list(model.parameters())
    gradients = torch.autograd.grad(problem.loss(model, step, 0), weights)
    with torch.no_grad():
        print(f"step {step:>3} of the run above: ratio {rest_ratio(weights, gradients, 1e-3):.3f}")

# %% [markdown]
# **Predict first.** Networks memorised random answers to D questions, once in 1 500 steps and once in 5 000, with a learning rate that goes down to zero in both. The ratio is 0.997 to 1.014 in all of them. Do both give the same J?
#
# *Your prediction:*

# %%
memorisers = [row for row in zoo.table("memorising-by-size") if row["penalty"] == 1e-4]
briefly = {row["size"]: row for row in zoo.table("memorising-briefly")}
sizes = sorted({row["size"] for row in memorisers})
print(f"{'D':>5} {'1 500 steps: ratio':>20} {'J':>8} {'5 000 steps: ratio':>20} {'J':>8} {'lower by':>9}")
drops = []
for D in sizes:
    longer = next(row for row in memorisers if row["size"] == D and row["seed"] == 0)
    drops.append(1 - longer["J"] / briefly[D]["J"])
    print(f"{D:>5} {briefly[D]['ratio']:>20.3f} {briefly[D]['J']:>8.4f} {longer['ratio']:>20.3f} {longer['J']:>8.4f} {drops[-1]:>9.0%}")

# %% [markdown]
# <details><summary>Why is the ratio 1, when the network is still moving?</summary>
#
# It looks along one direction only, that of scaling all weights up or down. A network finds its *size* within a hundred steps. To find a cheaper *arrangement* of the same size takes thousands. The ratio is necessary and
# not sufficient: 0.9 says "not at rest", 1.0 says nothing. What settles it is a longer run that ends at the same place.
#
# </details>
#
# Even 5 000 steps may not be the end. Each memoriser's J is an upper bound of M's price: a longer search could make M cheaper, and move $D_\text{crit}$ to the right. And G? Three networks that can add were given 400 steps on all questions, two of them also 1 600. The *start* in the output names them: `modular-addition-fast` is the network of the first cell, `modular-addition` that of chapter 21, and `1` a network like the first, from another seed and on other training questions:

# %%
everything = [row for row in zoo.table("generalising-circuit") if row["penalty"] == 1e-4]
for row in sorted(everything, key=lambda row: (str(row["start"]), row["steps"])):
    print(f"start {row['start']!s:<22} {row['steps']:>5,} steps: ratio {row['ratio']:.3f}, J = {row['J']:.4f}")

# %% [markdown]
# Four times the steps do not make G any cheaper. So it is mainly M whose price is uncertain, and $D_\text{crit}$ below is more likely too low than too high.
#
# **Logit per norm.** J mixes loss and norm. The paper's own word for efficiency is logit per parameter norm. To compare two networks by it, bring them to the same logit first; for this you have to know how their logits grow with their weights.

# %% [markdown]
# ### Exercise 24.6 · How fast do logits grow?
# Difficulty ●●●○○ · Importance ●●●○○ · 15 min
#
# Measure the exponent k (no frequency this time): multiply all weights of a network by s, and see by what power of s its margin grows, the right answer's logit less the largest wrong one (chapter 21).
#
# <details><summary>Hint 1</summary>
#
# Measure at s = 1 − step and s = 1 + step. The slope of ln margin over ln s between these two is k.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Keep copies: `kept = [w.detach().clone() for w in model.parameters()]`. Within `torch.no_grad()`, `w.copy_(s * original)`; at the end copy the originals back.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# For a product of three matrices 3. For this transformer about 6: embedding, values, output, two layers of the MLP and unembedding are six matrices one after the other, and attention, which is a softmax, adds a little of its own.
#
# </details>

# %%
def scaling_exponent(model: nn.Module, margin: Callable[[], float], step: float = 0.01) -> float:
    """k in margin ∝ s^k, where s multiplies all of the model's parameters, near s = 1.

    It is the slope of ln(margin) over ln(s) between s = 1 − step and s = 1 + step. margin() measures the model as it is at
    the moment; it is positive. The parameters are the same objects afterwards, with the same values to the bit.
    """
    # BEGIN SOLUTION
    weights = list(model.parameters())
    kept = [weight.detach().clone() for weight in weights]
    margins = []
    with torch.no_grad():
        for scale in (1 - step, 1 + step):
            for weight, original in zip(weights, kept, strict=True):
                weight.copy_(scale * original)
            margins.append(margin())
        for weight, original in zip(weights, kept, strict=True):
            weight.copy_(original)
    return float(np.log(margins[1] / margins[0]) / np.log((1 + step) / (1 - step)))
    # END SOLUTION


checks.efficiency.test_scaling_exponent(scaling_exponent)

# %%
scaling_exponent = checks.yours_or(scaling_exponent, efficiency.scaling_exponent)
start = problem.make_model(0)


def mean_margin(network: nn.Module, examples: tuple[Tensor, Tensor]) -> float:
    """By how much the right answer's logit beats the best wrong one, on average."""
    with torch.no_grad():
        return efficiency.margins(problem.logits(network, examples[0]), examples[1]).mean().item()


memoriser = train(replace(memorising(200, 0, 1e-4, 200), log_every=200))
for name, network, examples in (
    ("adds (the start of all this)", start, problem.examples("test")),
    ("has ungrokked (the end)", run.model, problem.examples("train")),
    ("has memorised 200 random answers, just now", memoriser.model, memoriser.recipe.problem.examples("train")),
):
    k = scaling_exponent(network, lambda network=network, examples=examples: mean_margin(network, examples))
    print(f"{name:<44} margin {mean_margin(network, examples):5.1f}, k = {k:.1f}")

# %% [markdown]
# About six, a little more for those that memorise. So a network that needs a norm of N for a margin of m would need $N \cdot (8/m)^{1/k}$ for a margin of 8, and all can be compared at that margin. The tables hold margin, norm and k of each network at rest, on its training questions: the *mean margin* over all of them
# (`mean_margin`), the *least margin*, that of the one question that fares worst (`least_margin`), the norm's square (`squares`) and k (`k_net`).

# %%
generalisers = [row for row in everything if row["steps"] == 400]


def norm_needed(row: dict, margin: float = 8.0) -> float:
    """The norm that the network would need for this mean margin on its training questions."""
    return row["squares"] ** 0.5 * (margin / row["mean_margin"]) ** (1 / row["k_net"])


def by_size(rows: list[dict], value: Callable[[dict], float]) -> dict[int, list[float]]:
    """The values of all rows, by the number of questions."""
    return {D: [value(row) for row in rows if row["size"] == D] for D in sorted({row["size"] for row in rows})}


figures.repeated(
    {"M alone": by_size(memorisers, norm_needed)},
    "Every question makes memorising dearer; the rule has one price", "questions D", "parameter norm for a margin of 8",
    levels={"G alone": [norm_needed(row) for row in generalisers]},
).show()  # fmt: skip
print("share of the generalisers' logits that is made of cosines of a + b − c: "
      + ", ".join(evidence.percent(row["trigonometric"], 1) for row in generalisers))
print("and of the memorisers' at most " + evidence.percent(max(row["trigonometric"] for row in memorisers), 0.1))

# %% [markdown]
# The generalisers do what chapter 21 said and little else: over 95 % of their logits are of the form that its algorithm computes. (The tables call this share *trigonometric*.) And the argument of section 1 holds in the measurement: memorising becomes dearer with every question. (This, and that the rule has one price, is the first of the paper's predictions. The table under *Evidence* calls it P1.)
#
# **Let the penalty vary.** A tenth of λ asks for more logit. Each kind of network then grows; by what power of its norm does its margin grow?

# %%
weak_M = [row for row in zoo.table("memorising-by-size") if row["penalty"] == 1e-5]
weak_G = next(row for row in zoo.table("generalising-circuit") if row["penalty"] == 1e-5)
def along_penalty(strong_row: dict, weak_row: dict) -> float:
    """By what power of the norm the margin grows when the penalty is weakened."""
    return np.log(weak_row["mean_margin"] / strong_row["mean_margin"]) / (np.log(weak_row["squares"] / strong_row["squares"]) / 2)


weak_600 = next(row for row in weak_M if row["size"] == 600)
print(f"G: margin ∝ norm^{along_penalty(generalisers[0], weak_G):.1f}; scaling all weights alike: k = {generalisers[0]['k_net']:.1f}")
print("M of 600: margin ∝ norm^" + ", ".join(f"{along_penalty(row, weak_600):.1f}" for row in memorisers if row["size"] == 600)
      + " for three networks under the stronger penalty and one under the weaker")

# %% [markdown]
# Here is the *if* of section 1: is G's exponent the same as M's? These numbers cannot tell. With one memoriser under the weak penalty the result depends on which is taken for the strong one, and the weak penalty may not have had time enough. So whether λ drops out is an open question,
# which section 4 will answer in another way. One thing is certain: all these exponents are far above 2. By exercise 24.1 the winner should take all.
#
# (Two letters, one idea: k is what we measure of a network, κ what the model of section 2 assumes of a circuit.)
#
# Does the rule really have *one* price? The networks on the dashed line saw everything. These saw less:

# %%
large = sorted(zoo.table("generalising-by-size"), key=lambda row: row["size"])
for row in large:
    print(f"D = {row['size']:>5}: J = {row['J']:.4f}, norm for a margin of 8: {norm_needed(row):.1f}, test accuracy {row['test_accuracy']:.1%}")
print(f"D = 12 769: J = {generalisers[0]['J']:.4f}, norm for a margin of 8: {norm_needed(generalisers[0]):.1f}   (same start)")

# %% [markdown]
# Nearly flat, as the theory says, from 1 500 questions to all. Nearly: with fewer questions J is a little *lower*, as it has to be, on average: fewer constraints cannot cost more. (This alone would move $D_\text{crit}$ some twenty questions to the left.)

# %% [markdown]
# ### Exercise 24.7 · Where the prices meet
# Difficulty ●●○○○ · Importance ●●●●○ · 10 min
#
# Find the number of questions at which two curves meet. For the prices of M and of G this *crossing* is our measurement of $D_\text{crit}$.
#
# <details><summary>Hint 1</summary>
#
# Look at the difference of the curves. It changes its sign between two neighbouring points, or is 0 at one.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# If the difference goes from $a$ at $x_0$ to $b$ at $x_1$, the line between them is 0 at $x_0 + (x_1 - x_0)\,a/(a - b)$.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# At x = 0, 10, 20 the curves 0, 10, 20 and 5, 5, 5 meet at 5.
#
# </details>

# %%
def crossing(x: Float[np.ndarray, "n"], one: Float[np.ndarray, "n"], other: Float[np.ndarray, "n"]) -> float | None:
    """The smallest x at which two curves meet, each straight between its points (x increasing); None if they do not.

    To be equal at a point is to meet, also at the first or the last. They are not equal along a whole stretch.
    """
    # BEGIN SOLUTION
    gap = one - other
    for i in range(len(x) - 1):
        if gap[i] * gap[i + 1] <= 0 and gap[i] != gap[i + 1]:
            return float(x[i] + (x[i + 1] - x[i]) * gap[i] / (gap[i] - gap[i + 1]))
    return None
    # END SOLUTION


checks.efficiency.test_crossing(crossing)

# %%
crossing = checks.yours_or(crossing, efficiency.crossing)


def where_prices_meet(rows: list[dict], level: float, price: Callable[[dict], float]) -> float | None:
    """Where the mean price of the memorisers reaches that of a generalising network."""
    prices = by_size(rows, price)
    x, mean = np.array(list(prices), float), np.array([np.mean(values) for values in prices.values()])
    return crossing(x, mean, np.full(len(x), level))


def all_crossings(price: Callable[[dict], float]) -> list[float]:
    """The crossing for each memorising seed with each generalising network."""
    seeds = sorted({row["seed"] for row in memorisers})
    return [
        where_prices_meet([row for row in memorisers if row["seed"] == seed], price(generaliser), price)
        for seed in seeds
        for generaliser in generalisers
    ]


figures.repeated(
    {"M alone": by_size(memorisers, lambda row: row["J"])},
    "The prices meet near 730 questions", "questions D", "J = L + λ/2 ‖θ‖² (nats)",
    levels={"G alone": [row["J"] for row in generalisers]},
).show()  # fmt: skip
crossings = {
    "J": all_crossings(lambda row: row["J"]),
    "norm for a mean margin of 8": all_crossings(norm_needed),
    "norm for a least margin of 6": all_crossings(lambda row: norm_needed(row | {"mean_margin": row["least_margin"]}, 6.0)),
}
for name, values in crossings.items():
    print(f"by {name:<30} D_crit = {np.mean(values):.0f}, from {min(values):.0f} to {max(values):.0f} over nine pairs of networks")
J_crossing = float(np.mean(crossings["J"]))
short = where_prices_meet(list(briefly.values()), np.mean([row["J"] for row in generalisers]), lambda row: row["J"])
print(f"by J with memorisers of 1 500 steps: {short:.0f}")
weak = where_prices_meet(weak_M, weak_G["J"], lambda row: row["J"])
seed_0 = [row for row in memorisers if row["seed"] == 0 and row["size"] in {other["size"] for other in weak_M}]
same = where_prices_meet(seed_0, generalisers[0]["J"], lambda row: row["J"])
print(f"by J, one pair of networks: under λ = 1e-4 {same:.0f}, under λ = 1e-5 {weak:.0f}")

# %% [markdown]
# Three definitions of efficiency put $D_\text{crit}$ in the same neighbourhood, and so does a tenth of the penalty. The largest uncertainty is none of these: memorisers that were given less time put it a
# hundred questions lower.
#
# Write the number down. It was computed from networks none of which has ever forgotten anything.
#
# > **So now we know:** memorising costs more with every question, the rule does not, and their prices meet near 730 questions.

# %% [markdown]
# ---
# ## 4 · Ungrok
#
# **Why we look here.** Now the test. Five subsets of the questions, networks from three different starts that can add, ten sizes, three penalties: 150 runs of 1 200 steps, all under L2 and all with a *ratio of rest* (exercise 24.5) within 2 % of 1 at the end, as the last line below says.
#
# The starts are those of section 3. Subsets 0 and 4 belong to `modular-addition-fast`, 1 and 3 to `1`, and 2 to `modular-addition`.
#
# **Predict first.** At what D will the test accuracy be one half? How steep will it be? Will the three penalties differ, and in which direction?
#
# *Your prediction:*

# %%
ungrokked = zoo.table("ungrokking")
penalties = sorted({row["penalty"] for row in ungrokked})


def of_penalty(penalty: float) -> list[dict]:
    """The runs under this penalty."""
    return [row for row in ungrokked if row["penalty"] == penalty]


figures.repeated(
    {f"λ = {penalty:g}": by_size(of_penalty(penalty), lambda row: row["test_accuracy"]) for penalty in penalties},
    "Few questions, and the rule is lost; the more so the stronger the penalty", "questions D", "test accuracy", percent=True,
).show()  # fmt: skip
worst = min(abs(row["ratio"] - 1) for row in ungrokked), max(abs(row["ratio"] - 1) for row in ungrokked)
print(f"training accuracy at least {min(row['train_accuracy'] for row in ungrokked):.1%}; ratio of rest off by at most {worst[1]:.3f}")

# %% [markdown]
# ### Exercise 24.8 · Where, and how sharply?
# Difficulty ●●●○○ · Importance ●●●●○ · 20 min
#
# Fit the transition: accuracy $\approx 1/(1 + (m/D)^s)$, a logistic curve in ln D. Let `scipy.optimize.curve_fit` do the fitting.
#
# <details><summary>Hint 1</summary>
#
# Fit ln m and ln s, so that both stay positive; start from the size whose accuracy is nearest to ½.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The curve is at 90 % where $(m/D)^s = 1/9$ and at 10 % where it is 9. The two D differ by a factor of $81^{1/s}$.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# For accuracies that follow the curve with m = 600 and s = 8: (600, 1.73).
#
# </details>

# %%
def transition(sizes: Float[np.ndarray, "n"], accuracies: Float[np.ndarray, "n"]) -> tuple[float, float]:
    """(midpoint, width) of accuracy ≈ 1 / (1 + (m / D)^s), fitted to all points by least squares of the accuracies' errors.

    midpoint: the D where the fitted curve is at ½. width: how many times larger D is where it is at 90 % than where it is at 10 %.
    Sizes are positive, in any order, and may repeat; there are at least three, with accuracies on both sides of ½, and s > 0.
    """
    # BEGIN SOLUTION
    from scipy.optimize import curve_fit

    def curve(D, log_m, log_s):
        return 1 / (1 + np.exp(np.exp(log_s) * (log_m - np.log(D))))

    begin = (np.log(sizes[np.abs(accuracies - 0.5).argmin()]), np.log(5.0))
    (log_m, log_s), _ = curve_fit(curve, sizes, accuracies, p0=begin)
    return float(np.exp(log_m)), float(81 ** np.exp(-log_s))
    # END SOLUTION


checks.efficiency.test_transition(transition)

# %%
transition = checks.yours_or(transition, efficiency.transition)


def fitted(groups: list[list[dict]]) -> tuple[float, float]:
    """The transition of all runs of some groups together."""
    rows = [row for group in groups for row in group]
    return transition(np.array([row["size"] for row in rows], float), np.array([row["test_accuracy"] for row in rows]))


def grouped(rows: list[dict], column: str) -> list[list[dict]]:
    """The runs with the same value in this column belong together."""
    return [[row for row in rows if row[column] == value] for value in sorted({row[column] for row in rows}, key=str)]


midpoints, widths = {}, {}
for penalty in penalties:
    starts = grouped(of_penalty(penalty), "start")
    midpoints[penalty] = efficiency.bootstrap(starts, lambda drawn: fitted(drawn)[0], draws=200)
    widths[penalty] = efficiency.bootstrap(starts, lambda drawn: fitted(drawn)[1], draws=200)
    print(f"λ = {penalty:g}: midpoint {midpoints[penalty].estimate:.0f} ({midpoints[penalty].low:.0f} to {midpoints[penalty].high:.0f}), "
          f"width × {widths[penalty].estimate:.2f} ({widths[penalty].low:.2f} to {widths[penalty].high:.2f})")
    for group in starts:
        each = [fitted([subset]) for subset in grouped(group, "subset_seed")]
        print(f"    start {group[0]['start']!s:<22} " + ", ".join(f"subset {subset[0]['subset_seed']}: {fit[0]:.0f}, × {fit[1]:.2f}" for subset, fit in
                                                                 zip(grouped(group, "subset_seed"), each, strict=True)))
paired = [
    [fitted([group])[0] for group in grouped(of_penalty(penalty), "subset_seed")] for penalty in (penalties[0], penalties[-1])
]
shift = [after / before for before, after in zip(*paired, strict=True)]
print(f"from the weakest penalty to the strongest the midpoint of the same subset changes by a factor of {min(shift):.2f} to {max(shift):.2f}")

# %% [markdown]
# (The intervals say how much the estimate would move with other starts: all runs of a start are drawn together, with replacement. There are only three starts, so take the intervals as rough.)
#
# Under the two stronger penalties the start matters more than which questions are kept: two subsets with the same start differ by 4 to 6 %, starts by up to three tenths. Compare with section 3. The start whose G is dearest (`1`) needs the most questions to keep the rule, as it should; but a difference of 2 % in price goes with one of a sixth in the midpoint (under λ = 1e-4 after these 1 200 steps; with four times as many, shown below, with one of over a quarter).
# And at 1 050 questions under the strongest penalty some networks have lost a tenth or more.
#
# **Make your own point.** With `COURSE_LIVE=1` the next cell runs one slice of the table again, and otherwise it reads it.

# %%
import os

slice_sizes = (400, 530, 690, 1050)
if os.environ.get("COURSE_LIVE") == "1":
    live = [train(ungrokking(D, 0, 1e-4), progress=True) for D in slice_sizes]
    accuracies = [run_.history["test_accuracy"][-1] for run_ in live]
else:
    rows = {row["size"]: row for row in of_penalty(1e-4) if row["subset_seed"] == 0}
    accuracies = [rows[D]["test_accuracy"] for D in slice_sizes]
print(", ".join(f"D = {D}: {accuracy:.0%}" for D, accuracy in zip(slice_sizes, accuracies, strict=True)))

# %% [markdown]
# **Prediction and outcome.** The prices meet at about 730, and half is forgotten at some 600. The prediction was made without looking at a single one of these runs: M's price comes from quite other networks, G's from the same three starts,
# settled on all questions. It is right about the kind of number, and off by nearly a fifth. And the penalty matters: the stronger, the more is forgotten. What is going on?
#
# *First suspect: time.* Are these runs at the end? Some were given four times as many steps.

# %%
longer_runs = zoo.table("ungrokking-settling")
settled = [row for row in longer_runs if row["penalty"] == 1e-4]
table = {(row["penalty"], row["subset_seed"], row["size"]): row for row in ungrokked}
print(f"{'λ':>6} {'subset':>6} {'D':>5} {'1 200 steps: test':>18} {'J':>9} {'4 800 steps: test':>18} {'J':>9}")
for row in sorted(longer_runs, key=lambda row: (row["penalty"], row["subset_seed"], row["size"])):
    before = table[row["penalty"], row["subset_seed"], row["size"]]
    print(f"{row['penalty']:>6g} {row['subset_seed']:>6} {row['size']:>5} {before['test_accuracy']:>18.1%} {before['J']:>9.5f} "
          f"{row['test_accuracy']:>18.1%} {row['J']:>9.5f}")

# %% [markdown]
# Most were not. Their ratio of rest was within 2 % of 1, and given four times the steps they forget on; only a few hardly move, such as subset 0 at 690 and 800. But time is in the *prediction* as well: memorisers that had been given little of it put the crossing at 640.

# %%
print(f"prices meet at {short:.0f} with memorisers of 1 500 steps, at {J_crossing:.0f} with those of 5 000")
early_fits, settled_fits = [], []
for group in grouped(settled, "subset_seed"):
    early_fits.append(fitted([[row for row in of_penalty(1e-4) if row["subset_seed"] == group[0]["subset_seed"]]]))
    settled_fits.append(fitted([group]))
    (early, early_width), (late, late_width) = early_fits[-1], settled_fits[-1]
    print(f"start {group[0]['start']!s:<22} half is forgotten at {early:.0f} (× {early_width:.2f} wide) after 1 200 steps, at {late:.0f} (× {late_width:.2f}) after 4 800; "
          f"{early / short:.2f} and {late / J_crossing:.2f} of the prediction")
    sizes_run = {row["size"] for row in group}
    alike, _ = fitted([[row for row in of_penalty(1e-4) if row["subset_seed"] == group[0]["subset_seed"] and row["size"] in sizes_run]])
    print(f"{'':>6}at the {len(sizes_run)} sizes that were run so long: {alike:.0f}, then {late:.0f}, which is {late / alike - 1:.0%} more")

# %% [markdown]
# Both numbers depend on how long one looks. A network finds cheaper ways to know things by heart for as long as you let it, and with more time the prediction and all three outcomes rise, by 10 to 20 %. (The fits after 1 200 steps are to ten sizes, those after 4 800 to the four or six that were run so long. At the same sizes the outcomes rise by as much.) Compared at about the same time, the outcomes lie within about 15 % of the prediction, on either side of it. Where both would
# end we do not know.
#
# Time explains most of what the penalty does, too. A stronger penalty sets a faster pace; and where there is time enough, the pace no longer matters:

# %%
print(f"{'subset':>6} {'D':>5} {'steps':>6}" + "".join(f"{f'λ = {penalty:g}':>12}" for penalty in penalties))
long_table = {(row["penalty"], row["subset_seed"], row["size"]): row for row in longer_runs}
spreads = {1200: [], 4800: []}
for subset, D in ((0, 600), (0, 690), (1, 600), (1, 690)):
    for steps, runs in ((1200, table), (4800, long_table)):
        row = [runs[penalty, subset, D]["test_accuracy"] for penalty in penalties]
        spreads[steps].append(max(row) - min(row))
        print(f"{subset:>6} {D:>5} {steps:>6}" + "".join(f"{value:>12.0%}" for value in row))

# %% [markdown]
# After 4 800 steps a hundredfold penalty makes next to no difference in three of the four. In the fourth the network under the weakest penalty, whose pace is the slowest, is probably still on its way. The paper's claim, made for weight decay, that its strength does not move the transition (P3) fits where these four are heading; it is wrong about what you see if you stop early.
#
# *Second suspect: mixtures.* The prediction compares M alone with G alone. Put the J of the ungrokked networks beside both.

# %%
figures.repeated(
    {
        "started from one that adds": by_size(of_penalty(1e-4), lambda row: row["J"]),
        "the same, 4 800 steps": by_size(settled, lambda row: row["J"]),
        "M alone": by_size(memorisers, lambda row: row["J"]),
    },
    "Near the crossing, networks that came from G cost less than M or G as measured", "questions D", "J (nats)",
    levels={"G alone": [row["J"] for row in generalisers]},
).show()  # fmt: skip
memorised_J = by_size(memorisers, lambda row: row["J"])
known = np.array(list(memorised_J), float), np.array([np.mean(values) for values in memorised_J.values()])
for D in (530, 600, 690, 800):
    alone = np.interp(D, *known)
    costs = [row["J"] for row in settled if row["size"] == D]
    tests = [row["test_accuracy"] for row in settled if row["size"] == D]
    print(f"D = {D}: M alone {alone:.4f}, G alone {np.mean([row['J'] for row in generalisers]):.4f}, from G in 4 800 steps "
          f"{', '.join(f'{end:.4f} ({test:.0%})' for end, test in zip(costs, tests, strict=True))}")

# %% [markdown]
# **Stop and read this figure.** By exercise 24.1, an exponent of six should mean that the winner takes all: J of M or J of G, and nothing between. What do you see at D = 690 and 800?
#
# The networks that started from G sit *below both*, at accuracies between.
#
# Be careful: both prices are uncertain. M became 8 to 14 % cheaper when it was given more time. G on fewer questions is some 2 % cheaper than on all.
#
# * At 690 M is the cheaper one. Two of three networks are 8 to 9 % below it, the third under 3 %.
# * At 800 G is the cheaper one. All three are 6 to 9 % below it, and 12 to 15 % below M.
#
# So 800 is the stronger case: G's price is known better than M's. It is not beyond doubt, since a longer search could still make M about as cheap.
#
# <details><summary>How can that be?</summary>
#
# The two circuits are not two separate things on one budget. They share weights: both need an embedding, an attention and an unembedding. And a network can learn only *some* of its questions by heart and leave the others to the rule. Either would make mixtures cheap, and neither is in the model of section 2.
# Which of the two it is, these runs do not say.
#
# Below the crossing a network that came from G can also sit *above* M's price, and stay there for thousands of steps. That is a matter of the way: descent goes downhill from where it is, and M, cheaper as it is, lies on the far side.
#
# </details>
#
# That they are mixtures shows in their logits. Here is the share that has the form of the algorithm, which section 3 called trigonometric:

# %%
shares_by_D = by_size(of_penalty(1e-4), lambda row: row["trigonometric"])
for D, values in shares_by_D.items():
    print(f"D = {D:>5}: {', '.join(f'{value:.0%}' for value in values)} of the logits are trigonometric")

# %% [markdown]
# It falls gradually, from over 85 % to between 5 and 18 %. So the prediction of a *place* survives, roughly. Only one case comes near to a *switch*, the sharp transition that the paper predicts (P2): one subset of the start `modular-addition-fast`, given time, goes from 10 to 90 % within a factor of 1.3 in D, by the fit. The others climb over a factor of two, through mixtures, and near the crossing these cost less than either pure circuit as measured.
#
# **The pace.** In the simulation the wait was nearly inverse to the penalty. And the time to forget, in networks? Here decay is AdamW's.

# %%
times = zoo.table("ungrokking-time")
speeds = {}
for group in grouped(times, "subset_seed"):
    decays, steps_ = (torch.tensor([float(row[key]) for row in group]) for key in ("decay", "steps_to_50"))
    speeds[group[0]["subset_seed"]] = progress.power_law(decays, steps_)[0]
    print(f"subset {group[0]['subset_seed']}: " + ", ".join(f"decay {row['decay']}: {row['steps_to_50']} steps" for row in group)
          + f"; steps ∝ decay^{speeds[group[0]['subset_seed']]:.2f}")
first = grouped(times, "subset_seed")[0]
grokking_figures.power_law(
    [row["decay"] for row in first], [row["steps_to_50"] for row in first],
    progress.power_law(torch.tensor([row["decay"] for row in first]), torch.tensor([float(row["steps_to_50"]) for row in first])),
    "Twice the decay, half the time to forget", "weight decay", "steps until test accuracy is under one half",
).show()  # fmt: skip

# %% [markdown]
# About the same: the exponents are −0.9 to −1.1, on three subsets.
#
# **The gap.** And the prediction of exercise 24.4, that test loss lies above training loss even where accuracy is 100 %?

# %%
real = sorted([row for row in of_penalty(1e-4) if row["subset_seed"] == 0 and row["size"] >= 800] + large, key=lambda row: row["size"])
figures.repeated(
    {
        "simulation": {multiple: [gap] for multiple, gap in zip(multiples, gaps, strict=True)},
        "network": {row["size"] / J_crossing: [row["test_loss"] / row["loss"]] for row in real},
    },
    "The gap that was predicted is there, and shrinks with D", "questions / D_crit", "test loss / training loss", logarithmic=True,
).show()  # fmt: skip
for row in real:
    print(f"D = {row['size']:>5}, {row['size'] / J_crossing:.1f} × D_crit: test accuracy {row['test_accuracy']:>6.1%}, test loss is {row['test_loss'] / row['loss']:5.1f} times training loss")

# %% [markdown]
# It is there, it shrinks with D, and it does not close. At 1 500 questions the network makes next to no mistakes, and its test loss still gives away that something in it knows its questions. From twice $D_\text{crit}$ on, the points lie
# next to the simulation's. That they lie *so* near is luck: κ = 1.2 was chosen for convenience, and with a κ of 6, the k that we measured, the model would have no mixture and no gap at all. What the gap says agrees with the figure before: these networks look like mixtures.
#
# > **So now we know:** ungrokking happens near where efficiency says it should, within about 15 % when both have had about the same time. The penalty sets its pace and, as far as four points can tell, not its place. And near the place circuits share.

# %% [markdown]
# ---
# ## 5 · What it is not
#
# **Why we look here.** "It forgets because memorising is cheaper" is one explanation. Others sound as good.
#
# * **Catastrophic forgetting**: new data overwrite what old data taught. Then it is the training data that do it, with or without a penalty.
# * **A random walk**: weights drift, and drifting away from a good solution makes it worse. Then a random displacement of the same length should look the same. (A walk that is held back by the 350 questions would be a fairer rival. It would still have no reason to lower J.)
# * **Representation learning**: what matters is whether the embedding is a circle, and forgetting is the embedding losing it. Then the embedding alone should be able to do it, and nothing else should.
#
# **Predict first.** Experiments: no penalty; a random step of the same length; the embedding, or all but the embedding, held still. Which will forget, if each explanation in turn is right?
#
# *Your prediction:*

# %%
held = zoo.table("ungrokking-held")


def ends(kept: str, penalty: float = 1e-4, lr: float = 5e-3) -> list[float]:
    """Test accuracies at the end of the runs in which these weights were held still."""
    return [row["test_accuracy"] for row in held if (row["frozen"], row["penalty"], row["lr"]) == (list(HELD[kept]), penalty, lr)]


outcomes = {
    "as above": [row["test_accuracy"] for row in of_penalty(1e-4) if row["size"] == 350 and row["subset_seed"] < 3],
    "no penalty": ends("no penalty", penalty=0.0),
    "no penalty, learning rate 1/10": ends("no penalty, a tenth of the learning rate", penalty=0.0, lr=5e-4),
    "embedding held still": ends("embedding held"),
    "MLP held still": ends("MLP held"),
    "embedding and unembedding held still": ends("embedding and unembedding held"),
    "all but the embedding held still": ends("all but the embedding held"),
}
for name, values in outcomes.items():
    print(f"{name:<38} test accuracy {', '.join(f'{value:.0%}' for value in values)}")
print("\non the way, at steps 100, 600 and 1 200:")  # the tables have the test accuracy of every hundredth step
with_penalty = [row for row in of_penalty(1e-4) if row["size"] == 350 and row["subset_seed"] < 3]
without = [row for row in held if row["penalty"] == 0]
for name, rows_ in (
    ("as above", with_penalty),
    ("no penalty", [row for row in without if row["lr"] == 5e-3]),
    ("no penalty, learning rate 1/10", [row for row in without if row["lr"] == 5e-4]),
):
    ways = (", ".join(f"{row['test_accuracies'][i]:.1%}" for i in (1, 6, 12)) for row in rows_)
    print(f"{name:<31} {'; '.join(ways)}")

end_weights = dict(run.model.named_parameters())
generator = torch.Generator().manual_seed(0)
displaced = problem.make_model(0)
with torch.no_grad():
    for name, weight in displaced.named_parameters():
        way = torch.randn(weight.shape, generator=generator)
        weight += way * (end_weights[name] - weight).norm() / way.norm()
at_start, at_random = problem.evaluate(start), problem.evaluate(displaced)
at_end = {metric: values[-1] for metric, values in history.items()}
print(f"\n{'':<34} {'train accuracy':>14} {'test accuracy':>14} {'J':>8}")
for name, now in (("start", at_start), ("the end of the run above", at_end), ("a random step of the same length", at_random)):
    J = efficiency.regularised_loss(now["train_loss"], now["sum_of_squares"], 1e-3)
    print(f"{name:<34} {now['train_accuracy']:>14.0%} {now['test_accuracy']:>14.0%} {J:>8.3f}")
seen, unseen = (
    (problem.logits(run.model, part.pairs).argmax(1) == part.answers).double().mean().item()
    for part in (problem.examples("dropped"), problem.examples("test"))
)
print(f"\nat the end of that run: {seen:.1%} of the questions it was once trained on and that were left out, {unseen:.1%} of all others")

# %% [markdown]
# **What does it mean?**
#
# * *Catastrophic forgetting* has a share in it. Without a penalty one of three starts loses two fifths of the test answers and another a quarter, in the first hundred steps, and then no more: Adam makes even a tiny gradient a full step, and the 350 questions are what it follows. With a tenth of
#   the learning rate at most about a twentieth is lost, and slowly. (This loss is inside all 150 runs. At which sizes it matters we have not measured.) With the penalty forgetting goes on: from step 600 to the end all three starts lose more. Nor does it look like overwriting: what is trained on is part of what the network knew. Nothing is new, and nothing contradicts. And it does not matter which
#   questions the network had once been trained on: those that were dropped fare no better than those it never saw. The *rule* goes, not the memory of examples.
# * *A random step* of the same length also does harm, to the questions that are trained on as much as to the others, and J rises. Ungrokking keeps the former perfect and lowers J. It has a direction.
# * *Representations* matter, and are not all. With embedding and unembedding held still the network hardly forgets: to know things by heart cheaply needs embeddings of its own. With the embedding alone held still, or the MLP, it forgets less. But the embedding alone, with all
#   else held still, cannot do it either. The two solutions are arrangements of the whole network.
#
# None of the three says at which D it happens. Efficiency does.
#
# > **So now we know:** the explanation by efficiency predicts a place, and the others none; two of them see a part of what happens.

# %% [markdown]
# ---
# ## Deeper · The ridge between two circuits
#
# With κ > 2 the cheapest way is one circuit alone. But descent does not look for the cheapest way; it goes downhill. Describe the circuits by the scales of their weights, $w = s^\kappa$ with cost $P^2 s^2$. Then a circuit at $s = 0$ stays there, however cheap it would be: κ > 1 makes the first bit
# of scale worth nothing. Between "all M" and "all G" lies a ridge, and where you start decides on which side you end.

# %% [markdown]
# ### Exercise 24.9 · On the ridge
# Difficulty ●●○○○ · Importance ●●○○○ · 10 min
#
# On the ridge, a little more logit costs the same from either circuit. At which ratio of scales is that?
#
# <details><summary>Hint 1</summary>
#
# A little more of scale $s$ costs $2P^2 s$ and brings $\kappa s^{\kappa-1}$ of logit.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# $P_M^2\, s_M^{2-\kappa} = P_G^2\, s_G^{2-\kappa}$.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# `ridge(2, 1, 4)` is 2: M, which is dearer, needs twice the scale of G to hold its own. `ridge(2, 1, 3)` is 4.
#
# </details>

# %%
def ridge(norm_M: float, norm_G: float, kappa: float) -> float:
    """s_M / s_G at which, for κ > 2, neither circuit buys logit cheaper at the margin.

    With w = s^κ and cost P²s², both have the same (∂cost/∂s) / (∂w/∂s) there. kappa is κ > 2.
    """
    # BEGIN SOLUTION
    return (norm_M / norm_G) ** (2 / (kappa - 2))
    # END SOLUTION


checks.efficiency.test_ridge(ridge)

# %%
ridge = checks.yours_or(ridge, simulation.ridge)
steep = TwoCircuits(norm_M=0.8, kappa=4.0)  # M is the cheaper one
place = ridge(steep.norm_M, steep.norm_G, steep.kappa)
print(f"M is cheaper; the ridge is at s_M / s_G = {place:.2f}")
for share in (0.0, 0.5, 0.9, 1.1, 1.5):
    s_M, s_G = simulation.descend_scales(steep, 1.5 * place * share, 1.5, 20_000)
    print(f"started at {share:.1f} of it: ends with logits M {s_M**4:5.2f}, G {s_G**4:5.2f}")
s_M, s_G = simulation.descend_scales(steep, 0.3 * place * 1.1, 0.3, 20_000)
print(f"started small, at 1.1 of it: ends with logits M {s_M**4:5.2f}, G {s_G**4:5.2f}")

# %% [markdown]
# M is the cheaper one and loses wherever it starts too small. The ridge is where the formula says for circuits of about the size at which they rest. Circuits that are still small race by another rule, as the last line shows: with κ > 2 the larger grows faster, whatever it costs.
#
# Two states, and between them a region where both are stable: *hysteresis*, as in water below 0 °C that has not frozen. It would make grokking and ungrokking happen at different D.
# Chapter 22 found that this network, trained from scratch with a learning rate of 0.01, does not grok on few questions:

# %%
by_fraction = {row["fraction"]: row["test_accuracy"] for row in zoo.table("grokking-by-fraction")}
for row in sorted(zoo.table("grokking-by-fraction"), key=lambda row: row["fraction"])[:4]:
    print(f"from scratch on {round(row['fraction'] * p * p):>5,} questions: test accuracy {row['test_accuracy']:.0%} after {row['steps']:,} steps")

# %% [markdown]
# From scratch the rule is not found on 1 900 questions within 1 500 steps, while a network that can add keeps most of it on 1 050, 96 % on average. That may be hysteresis or mere slowness; these runs cannot tell the two apart.
#
# Chapter 22 asked whether memorising is the cheaper solution where it saw nothing come, with 10 % and 15 % of the data. These are 1 277 and 1 915 questions. Both are far above 730: the rule is the cheaper one there, so price does not explain it. (730 was measured under the L2 term. Those runs had decay.)

# %% [markdown]
# ---
# ## Deeper · Hold on to what matters
#
# A remedy against catastrophic forgetting is *elastic weight consolidation* ([Kirkpatrick et al. 2017](https://arxiv.org/abs/1612.00796)): pull each weight back to where it was, the harder the more the old answers
# depend on it. How much they do is the diagonal F of the Fisher information, the mean square of the gradients of the answers' log-probabilities.

# %% [markdown]
# ### Exercise 24.10 · Elastic weights
# Difficulty ●●○○○ · Importance ●●○○○ · 10 min
#
# Write the pull.
#
# <details><summary>Hint 1</summary>
#
# A sum over tensors of a sum over entries.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `(importance[name] * (weights[name] - anchor[name]).square()).sum()` for each name. Keep it a tensor: the gradient has to flow.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# Its gradient with respect to θ is F·(θ − θ*): 0 at the anchor.
#
# </details>

# %%
def pull_back(weights: dict[str, Float[Tensor, "..."]], anchor: dict[str, Float[Tensor, "..."]], importance: dict[str, Float[Tensor, "..."]]) -> Float[Tensor, ""]:
    """½ Σ F_i (θ_i − θ*_i)² over all entries of all tensors; gradients flow to the weights.

    weights are θ, anchor θ* and importance F, all with the same names (in any order) and shapes. Returns a tensor with one value.
    """
    # BEGIN SOLUTION
    parts = [(importance[name] * (weights[name] - anchor[name]).square()).sum() for name in weights]
    return torch.stack(parts).sum() / 2
    # END SOLUTION


checks.efficiency.test_pull_back(pull_back)

# %%
pull_back = checks.yours_or(pull_back, consolidation.pull_back)
whole = replace(problem, size=None)
fisher = consolidation.fisher_diagonal(start, lambda: whole.logits(start, whole.examples("train").pairs), probes=10)
anchor = {name: weight.detach() for name, weight in start.named_parameters()}
with torch.no_grad():
    real_pull = pull_back(end_weights, anchor, fisher).item()
    random_pull = pull_back(dict(displaced.named_parameters()), anchor, fisher).item()
print(f"½ Σ F (θ − θ*)²: {real_pull:.3f} for the way of the run above, {random_pull:.3f} for the random step of the same length")
protected = sorted(zoo.table("ungrokking-protected"), key=lambda row: row["strength"])
free = next(row for row in of_penalty(1e-4) if row["size"] == 460 and row["subset_seed"] == 0)
print(f"squares of all weights: the start {efficiency.squared_norm(start.parameters()):.0f}, the same at rest under the penalty and able to add {generalisers[0]['squares']:.0f}")
print(f"460 questions, not protected: test accuracy {free['test_accuracy']:.0%}")
for row in protected:
    print(f"strength {row['strength']:>6g}: {row['test_accuracy']:.1%}, squares of all weights {row['sum_of_squares']:.0f}")

# %% [markdown]
# **What does it mean?** Protection works; and note what it costs. At strength 1 the pull stands in, to second order, for the loss on everything the network was trained on, and that is far too little. It takes a hundred times as much. The first line says why: by this measure the whole way of
# the run above should have cost 0.002 nats, and it cost nearly all test answers. A network that is sure of its answers has next to no Fisher information: small steps change nothing, and a quadratic approximation does not see what large steps do.
#
# A network that is kept from becoming cheaper is kept from forgetting: the harder the pull, the larger the squares stay. At strength 100 they are 730 and at 1 000 they are 870, while a network that adds and is free to settle under this penalty needs 671. (The start has 1 115.) Protection outbids efficiency; it does not remove it. Whether it matters
# *which* weights are held, a pull on all alike would show. It has not been tried here.

# %% [markdown]
# ---
# ## Deeper · Do both use the same large weights?
#
# If M and G share parameters, perhaps their *large* weights lie at the same places, and sparse networks might be told apart by them. Take the largest 5 % of each matrix of the grokked network, and count how many of them are among the largest 5 % of another network's.

# %%
print(f"by chance {zoo.table('large-weights')[0]['chance']:.1%}")
for row in zoo.table("large-weights"):
    kind = "memorised random answers" if row["rule"] == "random" else "can add"
    seed = " (same initial weights)" if row["seed"] == 0 else ""
    print(f"{kind:<26} seed {row['seed']}{seed}: {row['shared']:.1%} shared, {row['z']:+.1f} standard deviations from chance")

# %% [markdown]
# None shares clearly more than chance (the highest: 5.3 % against 5.0 %): neither memorisers with the generaliser nor one generaliser with another. That says less than it seems. Neurons have no order, so that two networks with the *same* algorithm put it at different places; a comparison
# place by place cannot see it, as the two lines at the end show: these networks *do* the same thing. Two pairs share fewer than chance. Do not make too much of their 4.6 standard deviations: if large weights come in rows and
# columns, hits are not independent, and the true deviation is larger.

# %% [markdown]
# ---
# ## Deeper · Semi-grokking in a real network?
#
# The simulation, given time, semi-groks near $D_\text{crit}$. The paper reports a network that stayed near 55 % for ten million epochs before it grokked, at a hand-picked size. That is out of reach here. At a small modulus we can look: addition modulo 37, from
# scratch, 200 to 450 of 1 369 questions, three seeds each, 6 000 steps with a learning rate that ends at zero.

# %%
small = zoo.table("semi-grokking")
figures.repeated(
    {"end of 6 000 steps": by_size(small, lambda row: row["test_accuracy"])},
    "Modulo 37: below the sizes at which all grok, some stop at 15 to 20 %", "questions D", "test accuracy", percent=True,
).show()  # fmt: skip
between = [row for row in small if 0.05 < row["test_accuracy"] < 0.95]
print(f"{len(between)} of {len(small)} end between 5 and 95 %:")
for row in sorted(between, key=lambda row: row["size"]):
    track = row["test_accuracies"]
    print(f"  D = {row['size']}, seed {row['subset_seed']}: {track[len(track) // 2]:.0%} half-way through, {track[-4]:.0%}, {track[-1]:.0%} at the end; "
          f"training accuracy {row['train_accuracy']:.0%}")

# %% [markdown]
# Just below the sizes at which all seeds grok, three of six stop at 15 to 20 % and stay there for the second half of the run (in which the learning rate goes to zero, too). It looks like semi-grokking. Is it? Remember the mirror images of the first figure.

# %%
for row in sorted(small, key=lambda row: (row["size"], row["subset_seed"])):
    if 300 <= row["size"] <= 400:
        test, mirrors, rest = (row[key] for key in ("test_accuracy", "mirrored_accuracy", "other_accuracy"))
        share = f"; {(test - rest) / (mirrors - rest) * mirrors / test:.0%} of what is right are mirrors" if mirrors > rest else ""
        print(f"D = {row['size']}, seed {row['subset_seed']}: test accuracy {row['test_accuracy']:>6.1%}; where b + a is trained on {row['mirrored_accuracy']:>6.1%}, of all others "
              f"{row['other_accuracy']:>6.1%}{share}; squares of all weights {row['squares']:.0f}")

# %% [markdown]
# Most of what the half-way networks know beyond their training set is mirrors: about nine tenths of it at D = 400, seven tenths at D = 350. Of the questions without a trained mirror they answer at most 8 %, where guessing would give 3 %. So these networks have not half understood addition. They know things by heart, and for about
# half of them have found that order does not matter: a third solution, between M and G. And they carry more weight than the network that grokked on 400.
#
# Semi-grokking, then, we have not found: between 200 and 450 questions, from scratch, in 18 runs. Without this control we should have reported it.

# %% [markdown]
# ---
# ## Deeper · Another regulariser
#
# Efficiency is about a price on weights. Dropout puts a price on something else: on relying on single neurons. Does a network that can add, with dropout in place of a penalty, forget?

# %%
dropout = zoo.table("ungrokking-dropout")
for row in sorted(dropout, key=lambda row: (row["size"], row["rate"])):
    print(f"D = {row['size']:>5}, rate {row['rate']:.1f}: test accuracy {row['test_accuracy']:.1%}, squares {row['sum_of_squares']:,.0f}")

# %% [markdown]
# With 1 050 questions next to nothing is lost. With 400, a rate of 0 (no penalty and no dropout, as in section 5, where there were 350 questions) loses a fifth; dropout loses two fifths to a half, and the weights *grow*, even more than without it. So something like ungrokking is there, without a price on weights; but half-way, not to the
# end. A first step, with one
# subset and two rates. What would settle it: more sizes, and a price to compare, such as the loss under dropout of memorising and generalising networks.

# %% [markdown]
# ---
# ## Evidence
#
# The main claims of this chapter beside the number of the paper, or of a first trial of this course where the paper has none, and a control. P1, P2 and P3 are the paper's predictions: the prices of memorising and of the rule, a sharp transition, and a transition that weight decay does not move. All of it is computed
# here, by simulation or from shipped weights, or read from shipped tables that say how they were made.

# %% tags=["evidence"]
number, percent, verdict = evidence.number, evidence.percent, evidence.verdict
mean_J = {D: float(np.mean(values)) for D, values in memorised_J.items()}
level = float(np.mean([row["J"] for row in generalisers]))
by_D = {penalty: by_size(of_penalty(penalty), lambda row: row["test_accuracy"]) for penalty in penalties}
accuracy_at = {D: [value for penalty in penalties for value in by_D[penalty][D]] for D in (400, 1050)}
simulated = {name: run_.test_accuracy[-1] for name, run_ in courses.items()}
mid = midpoints[1e-4]
at_800 = float(np.mean([row["J"] for row in settled if row["size"] == 800]))
k_M, k_G = ([row["k_net"] for row in rows_] for rows_ in (memorisers, generalisers))
shares = [row["shared"] for row in zoo.table("large-weights") if row["rule"] == "random"]
by_rate = {(row["size"], row["rate"]): row["test_accuracy"] for row in dropout}
gap = {row["size"]: row["test_loss"] / row["loss"] for row in real}

evidence.table(
    [
        ("simulation: all ingredients grok: steps to memorise, 50 %, 99 %", "trial: 1 500, 8 400, 10 500", f"{memorised}, {half}, {done}",
         f"no slowness: 50 % at {first_step_above(courses['equally fast'], 0.5)}", "equations are ours", verdict(half > 4 * memorised, "a wait four times as long")),
        ("simulation: each other ingredient is needed", "no grokking without", ", ".join(percent(simulated[name], 1) for name in experiments if name not in ("all ingredients", "equally fast")),
         f"all: {percent(simulated['all ingredients'], 1)}", "40 000 steps", verdict(max(v for n, v in simulated.items() if n not in ("all ingredients", "equally fast")) < 0.5, "under one half")),
        ("simulation: steps ∝ λ^n", "trial: 28 050 to 4 750", f"{waits[0]} to {waits[-1]}; n = {exponent:.2f}", "", "", verdict(-1.1 < exponent < -0.8, "−1.1 to −0.8")),
        ("simulation: semi-grokking near D_crit; ungrokking below", "D = 1000: 0.47; 0.50", f"{scratch[questions.index(1000)].test_accuracy[-1]:.2f}; {grokked[questions.index(1000)].test_accuracy[-1]:.2f}",
         f"D = 700, 2000: {grokked[questions.index(700)].test_accuracy[-1]:.2f}, {grokked[-1].test_accuracy[-1]:.2f}", "the paper: one hand-picked network",
         verdict(0.3 < scratch[questions.index(1000)].test_accuracy[-1] < 0.7 and grokked[questions.index(700)].test_accuracy[-1] < 0.05 and grokked[-1].test_accuracy[-1] > 0.95, "between; under 5 %, over 95 %")),
        ("P1: memorising costs more with every question: J at D = 300, 600, 900", "falls (figure); trial 0.0235, 0.0346, –", ", ".join(number(mean_J[D]) for D in (300, 600, 900)),
         f"generalising: {number(level)}", "J, not logit per norm; longer runs than the trial's", verdict(mean_J[300] < mean_J[600] < mean_J[900], "rises")),
        ("P1: generalising does not: J at D = 1 500, 3 830, all", "flat (figure)", ", ".join([number(row["J"]) for row in large if row["size"] in (1500, 3830)] + [number(generalisers[0]["J"])]),
         f"memorising, 500 to 1 100: × {mean_J[1100] / mean_J[500]:.2f}", "", verdict(generalisers[0]["J"] / large[0]["J"] < 1.1, "within 10 %")),
        ("generalising networks are trigonometric", "> 95 %", ", ".join(percent(row["trigonometric"], 1) for row in generalisers), f"memorisers: {percent(max(row['trigonometric'] for row in memorisers))}",
         "share of squares", verdict(min(row["trigonometric"] for row in generalisers) > 0.95, "over 95 %")),
        ("exponent of logits over weights, k", "trial: 6.0–6.6", f"memorising {min(k_M):.1f}–{max(k_M):.1f}, generalising {min(k_G):.1f}–{max(k_G):.1f}", "six matrices in a row: 6", "",
         verdict(min(k_M + k_G) > 5 and max(k_M + k_G) < 7, "5 to 7")),
        ("prices meet: D_crit by J", "no number; trial 694", f"{J_crossing:.0f} ({min(crossings['J']):.0f}–{max(crossings['J']):.0f})", f"memorisers of 1 500 steps: {short:.0f}", "range over nine pairs; more likely too low",
         verdict(650 < J_crossing < 850, "650 to 850")),
        ("ungrokking: few questions, much is forgotten; many, little (D = 400, 1 050; all runs)", "sharp (figure)", ", ".join(f"{percent(min(accuracy_at[D]), 1)} to {percent(max(accuracy_at[D]), 1)}" for D in (400, 1050)),
         f"training: {percent(min(row['train_accuracy'] for row in ungrokked), 1)}", "", verdict(max(accuracy_at[400]) < 0.3 and min(accuracy_at[1050]) > 0.9, "under 30 %, over 90 %")),
        ("midpoint of ungrokking, λ = 1e-4", "0.7 at 800–1000; trial 676", f"{mid.estimate:.0f} ({mid.low:.0f}–{mid.high:.0f})", "three starts, four times as long: " + ", ".join(f"{middle:.0f}" for middle, _ in settled_fits), "AdamW in the paper; other sizes",
         verdict(500 < mid.estimate < 800, "500 to 800")),
        ("P2: the transition is sharp: 10 % to 90 %", "sharp (figure)", f"× {widths[1e-4].estimate:.1f} in D", "four times as long: " + ", ".join(f"× {width:.1f}" for _, width in settled_fits), "", verdict(widths[1e-4].estimate < 1.5, "under × 1.5")),
        ("P3: weight decay does not move it: midpoints", "does not; trial 667, 676", ", ".join(f"{midpoints[penalty].estimate:.0f}" for penalty in penalties), f"same subset, λ × 100: × {min(shift):.2f} to × {max(shift):.2f}",
         "L2, λ from 1e-5 to 1e-3; 1 200 steps", verdict(max(shift) < 1.1 and min(shift) > 0.9, "within 10 %")),
        ("P3, given four times the steps: accuracies under the three penalties differ by", "does not matter", ", ".join(percent(value, 1) for value in spreads[4800]),
         f"1 200 steps: {', '.join(percent(value, 1) for value in spreads[1200])}", "D = 600 and 690, two subsets", verdict(float(np.median(spreads[4800])) < 0.1, "median under 10 points")),
        ("the prediction: midpoint over crossing, each start in 4 800 steps", "not published; trial 0.97", ", ".join(f"{middle / J_crossing:.2f}" for middle, _ in settled_fits), f"1 200 steps, against memorisers of 1 500: {mid.estimate / short:.2f}", "", verdict(all(abs(middle / J_crossing - 1) < 0.25 for middle, _ in settled_fits), "each within a quarter")),
        ("near it a mixture is cheaper than M or G (J at D = 800)", "not in the paper; trial at 600", number(at_800, 1e-3), f"M {number(float(np.interp(800, *known)), 1e-3)}, G {number(level, 1e-3)}", "winner takes all is expected at k = 6",
         verdict(at_800 < min(level, float(np.interp(800, *known))), "lower than both")),
        ("time to forget ∝ decay^n", "trial: −1.1", ", ".join(f"{value:.2f}" for value in speeds.values()), "", "AdamW, 350 questions", verdict(all(abs(value + 1) < 0.2 for value in speeds.values()), "−1 ± 0.2")),
        ("large D: a gap stays: test loss / training loss at D = 1 200, 1 500, 3 830", "predicted", ", ".join(number(gap[D]) for D in (1200, 1500, 3830)), f"simulation at 2 × D_crit: {number(gaps[2])}", "κ of the simulation was chosen", verdict(gap[1200] > gap[1500] > gap[3830] > 1, "over 1, falling")),
        ("not catastrophic forgetting alone: less is lost without a penalty", "argued", ", ".join(percent(value, 1) for value in outcomes["no penalty"]), f"with it: {', '.join(percent(value, 1) for value in outcomes['as above'])}", "350 questions, three subsets",
         verdict(min(outcomes["no penalty"]) > 3 * max(outcomes["as above"]), "keeps over three times as much")),
        ("not representations alone: only the embedding free", "argued", ", ".join(percent(value, 1) for value in outcomes["all but the embedding held still"]),
         f"embeddings held: {', '.join(percent(value, 1) for value in outcomes['embedding and unembedding held still'])}", "", verdict(min(outcomes["all but the embedding held still"]) > 0.9, "nothing forgotten")),
        ("elastic weight consolidation stops it (D = 460, strength 100)", "not in the paper", percent(protected[2]["test_accuracy"]), f"without: {percent(free['test_accuracy'])}", "", verdict(protected[2]["test_accuracy"] > 0.95, "over 95 %")),
        ("M and G share large weights", "asked", ", ".join(percent(value) for value in shares), "chance: 5 %", "one comparison network", verdict(min(shares) > 0.055, "more than chance")),
        ("from scratch it takes more questions than staying", "not published", f"{percent(by_fraction[0.15], 1)} at 1 915, {percent(by_fraction[0.2], 1)} at 2 554", f"staying: {percent(float(np.mean(accuracy_at[1050])), 1)} at 1 050", "may be speed",
         verdict(by_fraction[0.15] < 0.5, "not at 1 915")),
        ("dropout ungroks", "not in the paper", f"D = 400: {percent(by_rate[400, 0.1], 1)} to {percent(by_rate[400, 0.5], 1)}", f"rate 0: {percent(by_rate[400, 0.0], 1)}; D = 1 050: {percent(by_rate[1050, 0.5], 1)}", "one subset",
         verdict(by_rate[400, 0.5] < 0.5 * by_rate[400, 0.0], "half of what rate 0 leaves")),
    ]
)  # fmt: skip

# %% [markdown]
# ## Open ends
#
# * **The end of memorising.** Memorisers became cheaper the longer they were trained. How cheap can they get? First step: `memorising(600, 0, 1e-4, 20_000)`, and see whether J still falls.
# * **From the other side.** Start from a network that has memorised *true* answers to 1 000 questions and look whether it ends where one that adds ends. First step: `SubsetTransformer(ModularTask(fraction=1.0), size=1000)` with
#   `init_scale=3.0`, so that it memorises first.
# * **Which half?** In a mixture some new questions are answered and some are not. Are the right ones neighbours of the trained ones? First step: the distance from each question to the nearest trained one, in the figure with the slider.
#
# ## Further reading
#
# * Varma, Shah, Kenton, Kramár and Kumar, [Explaining grokking through circuit efficiency](https://arxiv.org/abs/2309.02390) (2023).
# * Kirkpatrick and others, [Overcoming catastrophic forgetting in neural networks](https://arxiv.org/abs/1612.00796) (2017).
# * Loshchilov and Hutter, [Decoupled weight decay regularization](https://arxiv.org/abs/1711.05101) (2019): why AdamW is not L2.
# * Liu, Michaud and Tegmark, [Omnigrok](https://arxiv.org/abs/2210.01117) (2022): grokking as a matter of weight norm.
# * The [conversation with Vikrant Varma](https://axrp.net/episode/2024/04/25/episode-29-science-of-deep-learning-vikrant-varma.html) on AXRP (2024): how the idea came about.
