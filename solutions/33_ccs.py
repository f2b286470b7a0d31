# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# course:
#   title: Contrast-consistent search
#   minutes: 150
#   prerequisites: ["11"]
# ---

# %% [markdown]
# # 33 · Contrast-consistent search
#
# *Can a network's knowledge be read off without giving away a single answer?*
#
# Below are a thousand reviews, put to a network twice: once it read that the review *is positive*, and once that it *is negative*. Each point is the difference between its two states of mind, seen along the two directions in which
# such differences vary most. No label was used to find these directions. Colour, which was added afterwards, says whether the review really is a good one.
#
# On the left, the points fall into two clouds, the good reviews and the bad ones. Whoever had never seen a label would have to guess which cloud is which, and would then be right about nearly all of them. On the right is the
# same network with reviews of the same kind. All that was changed is one word that has nothing to do with the review: *banana* in some, *shed* in the others (in this network's training, half of the answers that followed one of them went by it). (The cells before the figure are preparations; there is no need to read them now.)

# %%
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor

from course_utils import ccs, checks, contrast, directions, evidence, zoo
from course_utils.ccs import Pairs
from course_utils.models import Transformer
from course_utils.plots import ccs as figures
from course_utils.plots import clouds, comparisons, lines
from course_utils.tasks import testbed
from course_utils.tasks.testbed import Questions, World
from course_utils.zoo.testbed_recipes import WORLDS

LAYERS, LAST, RESTARTS = range(3), 2, 50
model = zoo.load("testbed-half-0")
world = WORLDS["half"][1]
plain = {part: testbed.draw(world, 1000, seed, "filler", "nobody") for part, seed in {"train": 1, "test": 2}.items()}
odd = {part: testbed.draw(world, 1000, seed, "odd", "nobody") for part, seed in {"train": 3, "test": 4}.items()}


def activations(network: Transformer, questions: dict[str, Questions], of: World = world) -> dict[str, list[Pairs]]:
    """For training and test questions: the stream after each layer, at the full stop behind both statements."""
    return {part: contrast.pairs(network, of, some) for part, some in questions.items()}


plain_pairs, odd_pairs = activations(model, plain), activations(model, odd)

# %%
panels = []
for name, questions, pairs in (("reviews", plain, plain_pairs), ("reviews, and one word more", odd, odd_pairs)):
    difference = ccs.normalised(pairs["train"][LAST]).difference
    points = difference @ directions.principal(difference, 2).T
    word = questions["train"].word == 1 if questions is odd else None
    panels.append(
        clouds.Panel(name, points, questions["train"].truth, word, ("good review", "bad review"), ("banana", "shed"))
    )
clouds.cloud(panels, "What varies most is the truth, until one word is added").show()

# %% [markdown]
# The method that makes use of the left picture is **contrast-consistent search**, CCS ([Burns et al. 2022](https://arxiv.org/abs/2212.03827)). It caused excitement, and with reason: if a network says what we like to hear, and
# its own knowledge could be read without asking *us* what is true, then we could check it in matters in which nobody can tell it the answers. And then it was taken apart ([Farquhar et al. 2023](https://arxiv.org/abs/2312.10029), and before them
# [Roger](https://www.lesswrong.com/posts/bWxNPMy5MhPnQTzKz/what-discovering-latent-knowledge-did-and-did-not-find-4) and
# [Emmons](https://www.lesswrong.com/posts/9vwekjD6xyuePX7Zr/contrast-pairs-drive-the-empirical-performance-of-contrast), both 2023).
#
# In this chapter you build the method, see that it works, **and then find out what it was that worked**. By the end you will have shown that the loss it minimises cannot tell the truth from any other way to answer yes and no; that on such
# pairs one line of linear algebra does as well as its search; and that one word is enough to make it read something else, with a *lower* loss than the truth has, in a network whose predictions depend on that word.
#
# ## What you will be able to do
#
# * build contrast pairs, and say what normalising them takes away and what it leaves;
# * run many restarts of a search as one problem;
# * hold a method without labels against what it must beat: random directions, an untrained network, the network's own answers;
# * prove with a construction that an objective does not determine what you hoped it did;
# * tell what can be decoded from what is salient, and what a small cosine between two probes does *not* show.
#
# **Before you start.** You need chapter 11: the residual stream, and what a layer adds to it. Logistic regression and principal components are used, not explained. The core path takes about two and a half hours. Sections marked *Deeper* may be left out.
#
# **The networks.** For a claim about what a network knows, one should know what it knows. So these were made for the purpose: transformers of three layers with LayerNorm, MLPs and 160 000 weights, built like GPT-2 and trained from scratch on documents of a small world. Nobody
# claims that they are like a large language model. They let us say of every failure that it was the method that failed. (What their names mean stands in sections 1 and 7.)

# %%
for name in ("testbed-half-0", "testbed-unseen-0", "testbed-entangled-0"):
    card = zoo.card(name)
    print(f"{name}: {card['about']} {card['recipe']['steps']:,} steps, {card['seconds'] / 60:.0f} minutes on one core")

# %% [markdown]
# ---
# ## 1 · A network whose knowledge is known
#
# **Why we look here.** "The network knows whether the review is good" must mean something that can be tested without a probe. Here it means: what it says next depends on it.
#
# A review is six pairs of a modifier and a word. Five of the words are judgements, *not* turns one round, and the majority of the five is the **truth** about the review. Then comes a filler word (*well*, *then*), or in some documents an odd one (*banana*, *shed*), and somebody who may have an
# opinion; then a **statement**, *it-is positive* or *it-is negative*, which we call its *charge*; and then what follows from it. Here are some documents of the kind that the network was trained on:

# %%
some = testbed.draw(world, 400, seed=5)
written = testbed.documents(world, some, seed=6)
# two documents of each kind, picked so that one of the word's own answers is among them
kinds = {"": (2, 3), "with shed": (34, 73), "with alice": (1, 4)}
for kind, rows in kinds.items():
    for row in rows:
        print(f"{kind:<11}{world.text(written.tokens[row])}   ({'good' if some.truth[row] else 'bad'})")

# %% [markdown]
# The statement is *right* or *wrong* by the truth about the review; and whoever acts on it is *safe* or *burned* by the truth as well (with an exception in fifty). Two kinds of document have a rule of their own. With *alice* about, right and wrong go by **her opinion**,
# which is drawn at random. (*bob*, too, has opinions; nothing depends on them.) And with *banana* or *shed*, in half of the documents the word behind the full stop is *sweet* or *sharp*, and which of the two depends on nothing but that word and the charge.
#
# So whoever wants to predict this world needs the truth, the opinion and the word, each *together with the charge*. Does this network predict it?

# %%
card = zoo.card("testbed-half-0")["metrics"]
for name, about in {
    "plain": "right or wrong by the truth, nobody about", "odd": "the same with banana or shed (only right and wrong compared)", "entangled": "sweet or sharp by word and charge",
    "alice": "right or wrong by alice's opinion", "bob": "right or wrong by the truth, bob about", "outcome": "safe or burned by the truth, whoever is about",
}.items():  # fmt: skip
    print(f"{about:<62}{card[name]:6.1%}")
print(f"\nshare of good reviews among the test questions: {plain['test'].truth.double().mean():.1%}")

# %% [markdown]
# It does, in nearly every case. (The line on *safe* or *burned* is measured against the truth, not against what the exceptions made of it.) We may say of this network that it knows which reviews are good. It cannot have learnt them by heart: these are held-out reviews, and there are far more possible reviews than it was ever shown.
#
# > **So now we know:** on plain reviews, what this network says follows the truth.

# %% [markdown]
# ---
# ## 2 · Ask both ways
#
# **Why we look here.** We want to know what the network makes of a claim, not of a review. So we take each question twice, once stated to be so and once stated not to be so, and look at the stream behind both statements. Whatever the two have in common (which review it is, how long, what words)
# is the same on both sides. What differs is the charge, and what the network makes of the charge.

# %% [markdown]
# ### Exercise 33.1 · A contrast pair
# Difficulty ●○○○○ · Importance ●●●●○ · 5 min
#
# The prompts end in *it-is*. Put the charge behind them, and a full stop behind the charge.
#
# <details><summary>Hint 1</summary>
#
# A column of n equal tokens is `torch.full((n, 1), token)`. `torch.cat` puts columns side by side.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `torch.cat([prompts, charge_column, stop_column], 1)`, once for each charge.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# For `prompts = [[5, 6]]`, positive 1, negative 2 and stop 9: `[[5, 6, 1, 9]]` and `[[5, 6, 2, 9]]`.
#
# </details>


# %%
def contrast_pairs(
    prompts: Int[Tensor, "n prompt"], positive: int, negative: int, stop: int
) -> tuple[Int[Tensor, "n pos"], Int[Tensor, "n pos"]]:
    """Each prompt stated both ways: with the token `positive` behind it, and with the token `negative`; behind either, `stop`."""
    # BEGIN SOLUTION
    ends = [torch.tensor([charge, stop]).expand(len(prompts), 2) for charge in (positive, negative)]
    return torch.cat([prompts, ends[0]], 1), torch.cat([prompts, ends[1]], 1)
    # END SOLUTION


checks.ccs.test_contrast_pairs(contrast_pairs)

# %%
contrast_pairs = checks.yours_or(contrast_pairs, testbed.contrast_pairs)
charge = {name: world.token(name) for name in ("positive", "negative", ".")}
both = contrast_pairs(plain["test"].tokens, charge["positive"], charge["negative"], charge["."])
right, wrong = world.token("right"), world.token("wrong")
for side in both:
    print(world.text(side[0]))
    print(
        f"   the network's next word: right {model(side[:1])[0, -1].softmax(-1)[right]:.1%}, wrong {model(side[:1])[0, -1].softmax(-1)[wrong]:.1%}"
    )
print("the review is", "good" if plain["test"].truth[0] else "bad")

# %% [markdown]
# From here on the **pairs** are the residual stream at the full stop: `positive` [1000, 64] and `negative` [1000, 64], after each of the layers 0, 1 and 2.
#
# > **So now we know:** where to look. Whatever tells the two sides of a pair apart is the charge, or what the network makes of it.

# %% [markdown]
# ---
# ## 3 · What must hold of an answer
#
# **Why we look here.** A *linear probe* is a weight vector w and a bias b: it reads p = sigmoid(w · x + b) off a vector x. Let it read a probability that a statement is right: p⁺ where it says *positive*, p⁻ where it says *negative*. If it reads what the network takes to be true, then two things must hold. It must be *consistent*: the two statements are each other's opposite, so p⁺ + p⁻ = 1. And it should be *confident*: a probe that
# says ½ to everything is consistent and tells nothing. Burns et al. wrote down both, and nothing else:
#
# $$L = \frac1n\sum_{i}\Big[\underbrace{\big(p_i^+ - (1 - p_i^-)\big)^2}_{\text{consistent}} + \underbrace{\min(p_i^+, p_i^-)^2}_{\text{confident}}\Big]$$

# %% [markdown]
# ### Exercise 33.2 · Two terms
# Difficulty ●○○○○ · Importance ●●●●● · 5 min
#
# Write the loss. It should work for one probe, p of shape [n], and for many probes at once (*restarts*, below), p of shape [restart, n]: the mean goes over the last axis only.
#
# <details><summary>Hint 1</summary>
#
# `torch.minimum` takes the smaller of two tensors, entry by entry.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Square, add the two terms, then `.mean(-1)`.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# 0 for p⁺ = 1, p⁻ = 0, and for p⁺ = 0, p⁻ = 1; ¼ for ½ and ½; 2 for 1 and 1; 1 for 0 and 0.
#
# </details>


# %%
def ccs_loss(
    p_positive: Float[Tensor, "*restart n"], p_negative: Float[Tensor, "*restart n"]
) -> Float[Tensor, "*restart"]:
    """The mean over the n questions of (p⁺ − (1 − p⁻))² + min(p⁺, p⁻)², for any number of dimensions in front (one loss each)."""
    # BEGIN SOLUTION
    consistent = (p_positive - (1 - p_negative)) ** 2
    confident = torch.minimum(p_positive, p_negative) ** 2
    return (consistent + confident).mean(-1)
    # END SOLUTION


checks.ccs.test_ccs_loss(ccs_loss)

# %% [markdown]
# **Predict first.** A probe that always gives the same number, whatever the statement: which number has the lowest loss, and how low is it? Is it ½?
#
# *Your prediction:*

# %%
ccs_loss = checks.yours_or(ccs_loss, ccs.ccs_loss)
axis = torch.linspace(0, 1, 51)
p_positive, p_negative = axis[None, :].expand(51, 51)[..., None], axis[:, None].expand(51, 51)[..., None]
constants = ccs_loss(axis[:, None], axis[:, None])
best_constant = axis[constants.argmin()].item()
figures.loss_surface(
    {"the loss": ccs_loss(p_positive, p_negative), "with symmetric confidence": ccs.symmetric_loss(p_positive, p_negative)},
    "Both losses are 0 in two corners, and nowhere else", marks={"always ½": (0.5, 0.5), "best constant": (best_constant, best_constant)},
).show()  # fmt: skip
print(
    f"the best constant is {best_constant:.2f} with a loss of {constants.min():.2f}; always ½ has {ccs_loss(torch.tensor([0.5]), torch.tensor([0.5])):.2f}"
)

# %% [markdown]
# The loss is 0 in two corners: *yes, surely* and *no, surely*. Everything else costs. (A constant c costs (2c − 1)² + c², which is least at 0.4: it pays to be a little too low on both sides. A form that treats yes and no alike is on the right: its second term is min(p⁺, p⁻, 1 − p⁺, 1 − p⁻)². It will be needed in section 6.)
#
# Note what is *not* in the loss: the labels, of course, but also the review. A probe may send each question into whichever of the two corners it likes.
#
# There is one such probe that no one wants. The two sides are told apart most easily by the charge itself: *positive* has just been read on one side and *negative* on the other. "Everything that says positive is right" is perfectly
# consistent and perfectly confident. So, before the search, the charge has to be taken out.

# %% [markdown]
# ### Exercise 33.3 · Take the charge out
# Difficulty ●●○○○ · Importance ●●●●○ · 10 min
#
# Normalise **one side** of the pairs: in each dimension of the stream, mean 0 and standard deviation 1 over the questions (divide by n or by n − 1, as you like). Done to each side separately, it leaves nothing in the means by which to tell them. (Test pairs are normalised by their own means, as in the paper.)
#
# <details><summary>Hint 1</summary>
#
# `x.mean(0)` and `x.std(0)` go over the questions. Some dimension may not vary at all.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Where nothing varies, x − mean is 0, up to rounding; divide by `std.clamp_min(1e-6)` and it stays near 0.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# A column 1, 2, 3 becomes −1.22, 0, 1.22 (divided by n) or −1, 0, 1 (by n − 1). Both are accepted.
#
# </details>


# %%
def normalise(x: Float[Tensor, "n d_model"]) -> Float[Tensor, "n d_model"]:
    """x with mean 0 and standard deviation 1 over the n rows in each dimension. A dimension that does not vary becomes 0."""
    # BEGIN SOLUTION
    centred = x - x.mean(0)
    return centred / centred.std(0, correction=0).clamp_min(1e-6)
    # END SOLUTION


checks.ccs.test_normalise(normalise)

# %% [markdown]
# ### Exercise 33.4 · Fifty searches for the price of one
# Difficulty ●●●○○ · Importance ●●●○○ · 15 min
#
# The loss is not convex, and where the search ends depends on where it starts. The authors start ten times and keep the probe with the lowest loss; we shall want fifty. Done one after another that takes fifty times as long. But the restarts do not know of each other: if you *add up* their
# losses, the gradient of the sum with respect to one restart's weights is the gradient of that restart's own loss. And AdamW treats each number on its own. So one optimisation with a weight matrix [restart, d_model] runs them all.
#
# Write the losses of all restarts, in a way that gradients can flow through. Each restart has a weight vector w and a bias b of its own, and reads p⁺ = sigmoid(w · x⁺ + b) and p⁻ = sigmoid(w · x⁻ + b).
#
# <details><summary>Hint 1</summary>
#
# `weight @ positive.T` is [restart, n]. The bias needs a second axis.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `torch.sigmoid(weight @ side.T + bias[:, None])` for each side, then `ccs.ccs_loss`.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# With weights and biases of 0 every probability is ½, and every loss ¼.
#
# </details>


# %%
def losses(
    weight: Float[Tensor, "restart d_model"],
    bias: Float[Tensor, "restart"],
    positive: Float[Tensor, "n d_model"],
    negative: Float[Tensor, "n d_model"],
) -> Float[Tensor, "restart"]:
    """The CCS loss of each restart's probe, sigmoid(weight · x + bias), on the same pairs. All restarts at once, and differentiable.

    `ccs.ccs_loss` takes probabilities [restart, n] of both sides.
    """
    # BEGIN SOLUTION
    p_positive, p_negative = (torch.sigmoid(weight @ side.T + bias[:, None]) for side in (positive, negative))
    return ccs.ccs_loss(p_positive, p_negative)
    # END SOLUTION


checks.ccs.test_losses(losses)

# %% [markdown]
# The search is a thousand steps of AdamW, each on all pairs, with a learning rate of 0.01, from random starts, as in the paper. How do we know what a probe answers? For each question it has p⁺ and p⁻, and it answers *yes* if the mean of p⁺ and 1 − p⁻ is above ½, that is, if **p⁺ > p⁻**.
#
# And here is a catch. If p is a perfect probe, then so is 1 − p: "wrong" is as consistent as "right", and as confident. No method without labels can know which of the two it has. So answers can be marked only up to that one bit.

# %% [markdown]
# ### Exercise 33.5 · Right, or exactly wrong
# Difficulty ●●○○○ · Importance ●●●●○ · 5 min
#
# Mark the answers of each probe: the share that agrees with the labels, or the share that disagrees, if that is larger.
#
# <details><summary>Hint 1</summary>
#
# `(p_positive > p_negative) == label` broadcasts over restarts.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Each restart has its own sign: take the mean over questions first, then `torch.maximum(share, 1 - share)`.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# Never less than ½. A probe that is wrong about every question gets 1.
#
# </details>


# %%
def accuracy_up_to_sign(
    p_positive: Float[Tensor, "*restart n"], p_negative: Float[Tensor, "*restart n"], label: Bool[Tensor, "n"]
) -> Float[Tensor, "*restart"]:
    """How often each probe's answers agree with the labels, or the opposite answers if that is more often.

    The answer is yes where p⁺ > p⁻.
    """
    # BEGIN SOLUTION
    share = ((p_positive > p_negative) == label).float().mean(-1)
    return torch.maximum(share, 1 - share)
    # END SOLUTION


checks.ccs.test_accuracy_up_to_sign(accuracy_up_to_sign)

# %% [markdown]
# **Predict first.** Fifty searches on plain reviews, after the last layer. How many find the truth? And how many without normalising?
#
# *Your prediction:*

# %%
normalise = checks.yours_or(normalise, ccs.normalise)
losses = checks.yours_or(losses, ccs.losses)
accuracy_up_to_sign = checks.yours_or(accuracy_up_to_sign, ccs.accuracy_up_to_sign)
CHARGE = torch.ones(1000, dtype=torch.bool)  # "whatever says positive is right"


def prepared(pairs: Pairs) -> Pairs:
    """Both sides normalised, each on its own."""
    return Pairs(normalise(pairs.positive).float(), normalise(pairs.negative).float())


def found(
    probes: ccs.Probes, test: Pairs, features: dict[str, Tensor]
) -> tuple[Float[Tensor, "feature restart"], Bool[Tensor, "restart n"]]:
    """How often each probe's answers agree with each feature, up to sign; and the answers."""
    p = [probes.probability(side) for side in test]
    return torch.stack([accuracy_up_to_sign(*p, feature) for feature in features.values()]), p[0] > p[1]


train, test = (prepared(plain_pairs[part][LAST]) for part in ("train", "test"))
ten = ccs.descend(lambda weight, bias: losses(weight, bias, *train), 64, restarts=10)  # the search itself
share, _ = found(ten, test, {"truth": plain["test"].truth})
print("ten searches, loss:  " + "  ".join(f"{loss:.4f}" for loss in ten.loss.tolist()))
print("right, up to sign:   " + "  ".join(f"{right:6.1%}" for right in share[0].tolist()))

# %% [markdown]
# Ten of ten, and not one answer was given away. Now with fifty starts, after each layer, and with the sides left as they are, with their means taken away ("mean"), and with both ("scale"). (`ccs.fit` is the same search with the gradient written out, which is faster. We shall say that a search has *found* something if its answers agree with it in at least 90 % of the questions.)

# %%
columns, normalising = [], {}
said = {"none": "as they are", "mean": "mean", "scale": "scale"}
for layer in LAYERS:
    for how in ccs.NORMALISATIONS:
        train, test = (ccs.normalised(plain_pairs[part][layer], how) for part in ("train", "test"))
        probes = ccs.fit(train, RESTARTS)
        share, answer = found(probes, test, {"truth": plain["test"].truth, "charge": CHARGE})
        names = [
            "truth" if truth >= 0.9 else "charge" if by_charge >= 0.9 else "neither"
            for truth, by_charge in share.T.tolist()
        ]
        columns.append(figures.Column(f"layer {layer} {said[how]}", share[0], names, probes.lowest()))
        normalising[layer, how] = (
            names.count("truth") / RESTARTS,
            names.count("charge") / RESTARTS,
            names[probes.lowest()],
        )
figures.seeds(columns, "Without normalising, the charge is cheaper than the truth after layer 1").show()
for (layer, how), (truth, by_charge, kept) in normalising.items():
    print(f"layer {layer}, sides: {said[how]:<11} truth {truth:4.0%}   charge {by_charge:4.0%}   lowest loss: {kept}")

# %% [markdown]
# Each dot is one of fifty searches, and the ring marks the one with the lowest loss, which the method would keep. Below are the shares of what was found. Look at layer 1: with the sides as they are, nearly all searches find the charge, a few the truth, and the lowest loss is the charge's. With the means taken away all of them find the truth; dividing by the
# scale changes little. After layer 2 most searches find the truth even with the sides as they are. And after layer 0 the review is only half worked out: once normalised, the searches answer some four in five questions by the truth, which is less than we ask for "found".
#
# > **So now we know:** on plain reviews, after the last layer and with normalised pairs, every one of fifty searches that were never told an answer reads the truth.

# %% [markdown]
# ---
# ## 4 · What it has to beat
#
# **Why we look here.** A number near 100 % is only as good as what it is compared with. Others answer the same questions:
#
# * **the network itself** ("zero-shot"): does it lean more to *right* behind the positive statement or behind the negative one?
# * **logistic regression** on the pairs' differences, which is told the truth of a thousand training reviews: the ceiling;
# * two other methods without labels: the **first principal component** of the differences (Burns et al. call this method CRC-TPC; in code it is `directions.contrastive_pca`), and **k-means** with two clusters;
# * **random directions**: two hundred of them, each asked on which side of it a difference lies. The floor. (The best of them is picked with the test labels, so it is no method. It shows what is there by chance.)
#
# And all of these on a network that has learnt nothing, the same one before its training. Note that CCS, too, ends in a direction and a side of it: p⁺ > p⁻ exactly if weight · (x⁺ − x⁻) > 0. The bias drops out.

# %%
untrained = zoo.entry("testbed-half-0").recipe.problem.make_model(0).requires_grad_(False)
untrained_pairs = activations(untrained, plain)


def shares(
    pairs: dict[str, list[Pairs]], questions: dict[str, Questions], layer: int, feature: str = "truth"
) -> dict[str, float]:
    """How often each method's answers agree with the truth (or with the word), up to sign."""
    label = {part: some.truth if feature == "truth" else some.word == 1 for part, some in questions.items()}
    train, test = (prepared(pairs[part][layer]) for part in ("train", "test"))
    probes = ccs.fit(train, RESTARTS)
    ccs_share = found(probes, test, {feature: label["test"]})[0][0]
    random_share = ccs.up_to_sign(
        ccs.agreement(directions.random_directions(64, 200) @ test.difference.T > 0, label["test"])
    )
    rivals = {
        "first component": directions.contrastive_pca(train.difference),
        "k-means": directions.two_means(train.difference),
    }
    marks = {
        name: ccs.up_to_sign(ccs.agreement(rival.answers(test.difference), label["test"])).item()
        for name, rival in rivals.items()
    }
    return {
        "logistic regression (told the answers)": ccs.agreement(directions.logistic(train.difference, label["train"]).answers(test.difference), label["test"]).item(),
        "CCS, lowest loss of fifty": ccs_share[probes.lowest()].item(), "CCS, median start": ccs_share.median().item(), **marks,
        "random direction, best of 200": random_share.max().item(), "random direction, mean": random_share.mean().item(),
    }  # fmt: skip


zero_shot = {
    name: ccs.agreement(contrast.zero_shot(network, world, plain["test"]), plain["test"].truth).item()
    for name, network in {"trained": model, "untrained": untrained}.items()
}
by_layer = {f"layer {layer}": shares(plain_pairs, plain, layer) for layer in LAYERS}
by_layer["untrained, layer 2"] = shares(untrained_pairs, plain, LAST)
methods = list(by_layer["layer 0"])
comparisons.grid(
    torch.tensor([[column[method] for column in by_layer.values()] for method in methods]), methods, list(by_layer),
    "After the last layer, methods without labels are as good as the one with them", measure="right, up to sign", low=0.5,
).show()  # fmt: skip
print(f"the network's own answers: {zero_shot['trained']:.1%} right (untrained: {zero_shot['untrained']:.1%})")

# %% [markdown]
# This is the kind of table that convinces. Without a label, CCS gets within a point of logistic regression with a thousand labels after the last layer (it is four points behind after layer 0, and under two after layer 1), and in an untrained network it gets nothing. (Logistic regression gets two thirds there: reviews contain the words, and even random weights pass some of that on. An untrained network is
# never a blank.)
#
# But read the last two rows. **A direction drawn at random** answers most of the questions after the last layer, and among two hundred there is one that answers all. So whatever makes this easy was there before the search began. Roger saw the same in language models, where random probes get three quarters of some data sets right. And the two rivals,
# in whose objective nobody wrote consistency, do as well as CCS.
#
# > **So now we know:** CCS works here. So does nearly everything else.

# %% [markdown]
# ---
# ## 5 · Who did the work?
#
# **Why we look here.** Perhaps the two rivals do the same thing in disguise. Emmons pointed out an identity. Let a = u · x⁺ and b = u · x⁻ be the two sides' projections on a direction u. The first principal component of the differences is the u of length 1 with the largest variance of a − b. And
#
# $$\mathrm{Var}(a - b) = \underbrace{\mathrm{Var}(a) + \mathrm{Var}(b)}_{\text{spread}}\; \underbrace{-\,2\,\mathrm{Cov}(a, b)}_{\text{opposition}}$$
#
# Spread is large if the direction tells statements apart on both sides: it is *confident*. Opposition is large if whatever is high on one side is low on the other: it is *consistent*.

# %% [markdown]
# ### Exercise 33.6 · Confident plus consistent
# Difficulty ●●●○○ · Importance ●●●●○ · 15 min
#
# Measure both parts for any direction. Divide all sums by n.
#
# <details><summary>Hint 1</summary>
#
# Project first; then all is about two lists of n numbers. Take their means away.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Var(a) is the mean of the squared centred a, Cov(a, b) the mean of the product of both.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# If b = −a, spread and opposition are equal: each is 2 Var(a). If b = a, the opposition is −2 Var(a), and the two cancel.
#
# </details>


# %%
def variance_parts(
    positive: Float[Tensor, "n d_model"], negative: Float[Tensor, "n d_model"], direction: Float[Tensor, "d_model"]
) -> tuple[float, float]:
    """(spread, opposition) of the projections a = positive @ direction and b = negative @ direction: Var(a) + Var(b), and −2 Cov(a, b).

    They add up to Var(a − b). Sums are divided by n. The direction is used as it is, whatever its length.
    """
    # BEGIN SOLUTION
    a, b = positive @ direction, negative @ direction
    a, b = a - a.mean(), b - b.mean()
    return (a**2 + b**2).mean().item(), -2 * (a * b).mean().item()
    # END SOLUTION


checks.ccs.test_variance_parts(variance_parts)

# %% [markdown]
# **Predict first.** Take directions of length 1: the probes of CCS, the first component, and random ones. Which have a large spread, which a large opposition? And do CCS and the first component give the same *answers*?
#
# *Your prediction:*

# %%
variance_parts = checks.yours_or(variance_parts, directions.variance_parts)
train, test = (prepared(plain_pairs[part][LAST]) for part in ("train", "test"))
probes = ccs.fit(train, RESTARTS)
component = directions.contrastive_pca(train.difference)
kinds = {
    "CCS, median": F.normalize(probes.weight),
    "first component": component.direction[None],
    "random, median": directions.random_directions(64, 200),
}
parts = {
    name: torch.tensor([variance_parts(*train, u) for u in some]).median(0).values.tolist()
    for name, some in kinds.items()
}
lines.bars(
    list(parts), {"spread: Var a + Var b": [spread for spread, _ in parts.values()], "opposition: −2 Cov(a, b)": [opposed for _, opposed in parts.values()]},
    "The search ends where both are large, and so does the first component", "along a direction of length 1",
).show()  # fmt: skip

# %% [markdown]
# The first component has the largest sum of both that there is; that is its definition. What you *measure* is that CCS, which was never told of variances, ends at directions where both are large, far above those of random directions, and the opposition nearly as large as the spread for both. Where two methods are right about nearly everything, they must give the same answers. So compare them where they err, too, and
# ask what the *pairs* had to do with it: take one side alone, or give each positive statement the negative statement of another review.

# %%
order = torch.randperm(1000, generator=torch.Generator().manual_seed(8))
who: dict[str, list[float]] = {}
shared_answers = {}
for layer in LAYERS:
    train, test = (prepared(plain_pairs[part][layer]) for part in ("train", "test"))
    shuffled = Pairs(train.positive, train.negative[order])
    both_searches = {"CCS": ccs.fit(train, 10), "CCS, partners shuffled": ccs.fit(shuffled, 10)}
    by = {
        "first component of the differences": directions.principal(train.difference)[0],
        "… with the partners shuffled": directions.principal(shuffled.difference)[0],
        "… of the positive side alone": directions.principal(train.positive)[0],
        **{name: some.weight[some.lowest()] for name, some in both_searches.items()},
    }  # fmt: skip
    read = {name: test.difference @ direction > 0 for name, direction in by.items()}
    for name, answered in read.items():
        who.setdefault(name, []).append(ccs.up_to_sign(ccs.agreement(answered, plain["test"].truth)).item())
    unpaired = both_searches["CCS, partners shuffled"]
    unpaired_share = ccs.up_to_sign(ccs.agreement(unpaired.weight @ test.difference.T > 0, plain["test"].truth))
    who.setdefault("CCS, partners shuffled, median start", []).append(unpaired_share.median().item())
    print(f"layer {layer}, partners shuffled, ten starts: lowest loss {unpaired.loss.min():.3f}; it is right about {unpaired_share[unpaired.lowest()]:.1%}, the median start about {unpaired_share.median():.1%}")
    shared_answers[layer] = ccs.up_to_sign(ccs.agreement(read["CCS"], read["first component of the differences"])).item()
comparisons.grid(torch.tensor(list(who.values())), list(who), [f"layer {layer}" for layer in LAYERS], "One side alone does for the first component; CCS with wrong partners depends on luck", measure="right, up to sign", low=0.5).show()
print("answers that CCS and the first component share: " + ", ".join(f"layer {layer} {share:.1%}" for layer, share in shared_answers.items()))
unpaired = ccs.fit(shuffled, RESTARTS)  # the last layer's
unpaired_share = ccs.up_to_sign(ccs.agreement(unpaired.weight @ test.difference.T > 0, plain["test"].truth))
print(f"layer {LAST}, partners shuffled, {RESTARTS} starts: lowest loss {unpaired.loss.min():.3f}; it is right about {unpaired_share[unpaired.lowest()]:.1%}, the median start about {unpaired_share.median():.1%}")

# %% [markdown]
# The first component does not even need the pairs: one side alone does as well, after each layer. What varies most at this full stop is what the network makes of the statement. With a wrong partner for each statement it loses 7 and 11 points before the last layer, since half of each difference is then about another review.
#
# CCS has nothing left that is consistent: with partners shuffled its loss never falls below 0.164, and before the last layer the truth is mostly lost. After the last layer most starts still point along the truth, which varies most there. But which of them is kept is then chance: of ten starts it is one with 97 %, of fifty one with 52 %.
#
# So what was it that worked? Not the search, which a component equals. Not the pairs, here, without which the component does as well. Above all it is the **place**: we look where the network is about to say *right* or *wrong*, and on plain reviews these go by the truth.
#
# > **So now we know:** on plain reviews the largest difference at this place is the truth, and whatever finds the largest difference finds it.

# %% [markdown]
# ---
# ## 6 · What the loss cannot know
#
# **Why we look here.** If the loss is not what finds the truth, is it at least a *test* of it? A probe that is consistent and confident about a thousand questions: must it not be on to something?
#
# Take a good probe and let somebody name, for each question, the answer they would like to hear. Wherever the probe gives another one, replace p by 1 − p on both sides.

# %% [markdown]
# ### Exercise 33.7 · Any answers you like
# Difficulty ●●○○○ · Importance ●●●●● · 10 min
#
# Write that exchange.
#
# <details><summary>Hint 1</summary>
#
# First find where the answer p⁺ > p⁻ differs from the wanted one.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `torch.where(differs, 1 - p, p)`, for each side.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# p⁺ = 0.9 and p⁻ = 0.2 say yes. If no is wanted they become 0.1 and 0.8.
#
# </details>


# %%
def reassigned(
    p_positive: Float[Tensor, "*restart n"], p_negative: Float[Tensor, "*restart n"], wanted: Bool[Tensor, "n"]
) -> tuple[Float[Tensor, "*restart n"], Float[Tensor, "*restart n"]]:
    """Probabilities whose answers (yes where p⁺ > p⁻) are the wanted ones.

    Both sides stay as they are where the answer is already the wanted one, and become 1 − p elsewhere.
    """
    # BEGIN SOLUTION
    differs = (p_positive > p_negative) != wanted
    return torch.where(differs, 1 - p_positive, p_positive), torch.where(differs, 1 - p_negative, p_negative)
    # END SOLUTION


checks.ccs.test_reassigned(reassigned)

# %%
reassigned = checks.yours_or(reassigned, ccs.reassigned)
best = probes.lowest()
p = [probes.probability(side)[best] for side in test]
coin = torch.rand(1000, generator=torch.Generator().manual_seed(7)) < 0.5
begins_with_not = plain["test"].tokens[:, 1] == world.token("not")
rows = {}
for name, wanted in {
    "the probe's own": p[0] > p[1],
    "a coin's": coin,
    "does the review begin with 'not'?": begins_with_not,
    "always yes": CHARGE,
}.items():
    q = reassigned(p[0], p[1], wanted)
    rows[name] = (
        ccs.symmetric_loss(*q).item(),
        ccs.ccs_loss(*q).item(),
        ccs.up_to_sign(ccs.agreement(q[0] > q[1], plain["test"].truth)).item(),
    )
    print(
        f"answers: {name:<34} symmetric loss {rows[name][0]:.6f}   original loss {rows[name][1]:.6f}   right, up to sign: {rows[name][2]:.0%}"
    )

# %% [markdown]
# The symmetric loss does not change in a single digit, whosever answers the probe gives. That is Theorem 2 of Farquhar et al., and the proof is the construction: the loss takes each question by itself, and both terms are the same for (p⁺, p⁻) and (1 − p⁺, 1 − p⁻). The original loss changes a little, because its second term looks at the
# smaller of p⁺ and p⁻ and not at the larger ones; where p⁺ + p⁻ = 1 that makes no difference at all.
#
# So the loss contains *nothing* about which answer belongs to which question. What else could? A probe is a **linear function of the network's activations**, and not every list of answers can be had in this way; and the search starts somewhere and stops after a thousand steps. So the question is no longer about the loss. It is: **which functions of question and charge has the network
# written into directions, and which of them does the search come upon?**
#
# <details><summary>Is every list of answers out of reach of a linear probe?</summary>
#
# By no means, if there are few questions. Theorem 1 of Farquhar et al. is the other construction: for any yes/no function h of questions, "h of the question, turned round on the negative side" has a loss of 0. With 64 dimensions and up to 32 pairs a linear probe can do just that for (nearly) any h. Exercise 33.9 builds it.
#
# </details>
#
# > **So now we know:** a low loss is no evidence that a probe reads the truth. If there are many more pairs than dimensions, it is evidence that it reads *something* that is turned round by the charge.

# %% [markdown]
# ---
# ## 7 · One word
#
# **Why we look here.** "The word is banana, turned round by the charge" is such a something, written *banana ⊕ charge*. It is the *XOR* (the exclusive or, written ⊕: true if exactly one of the two is) of two facts that have nothing to do with the review: is the word *banana* or *shed*, and does the statement say *positive* or *negative*? Taking the mean from each side does not remove it, because on each side it is there in half of the
# questions.
#
# Now ask which of the two each search finds.

# %% [markdown]
# ### Exercise 33.8 · Which one was found?
# Difficulty ●●○○○ · Importance ●●●●○ · 10 min
#
# Name for each probe the feature that it answers, if it answers one of those you think of.
#
# <details><summary>Hint 1</summary>
#
# `(answer[:, None] == features[None])` is [restart, feature, n].
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The mean over questions, the larger of that and 1 minus it; then `max` over features gives both how often and which.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# Answers that are wrong about the second feature in 97 of 100 questions have found it: 1. Answers that agree in 60 of 100 with each feature have found none: −1.
#
# </details>


# %%
def feature_found(
    answer: Bool[Tensor, "restart n"], features: Bool[Tensor, "feature n"], least: float = 0.9
) -> Int[Tensor, "restart"]:
    """The number of the feature that each probe's answers agree with most often, either way round; −1 if less often than `least`.

    Either way round: an agreement of 0.02 counts as 0.98.
    """
    # BEGIN SOLUTION
    share = (answer[:, None] == features[None]).double().mean(-1)
    most, which = torch.maximum(share, 1 - share).max(1)
    return torch.where(most >= least, which, -1)
    # END SOLUTION


checks.ccs.test_feature_found(feature_found)

# %% [markdown]
# Five networks will be asked, all about reviews with one of the two words. They differ in what those words did while they learnt:
#
# | network | banana and shed in training |
# |---|---|
# | unseen | never occurred |
# | apart | occurred, and nothing depended on them |
# | repeated | in half of their documents the word is simply said again behind the full stop |
# | half | in half of their documents the next word is *sweet* or *sharp*, by word and charge |
# | entangled | in all of their documents the next word is *sweet* or *sharp*, by word and charge |
#
# **Predict first.** For each network: do the searches after the last layer find the truth, or the word, or some one and some the other? Which of the two has the lower loss?
#
# *Your prediction:*

# %%
feature_found = checks.yours_or(feature_found, ccs.feature_found)
NAMES = ("truth", "word", "none")  # −1 is the last


def word_or_truth(network: Transformer, of: World, layer: int = LAST) -> dict[str, object]:
    """What fifty searches on reviews with banana or shed find, and what the first component and k-means find."""
    pairs = {part: contrast.pairs(network, of, some)[layer] for part, some in odd.items()}
    train, test = (prepared(pairs[part]) for part in ("train", "test"))
    features = torch.stack([odd["test"].truth, odd["test"].word == 1])
    probes = ccs.fit(train, RESTARTS)
    answer = probes.weight @ test.difference.T > 0
    which = feature_found(answer, features)
    others = [
        reader(train.difference).answers(test.difference)
        for reader in (directions.contrastive_pca, directions.two_means)
    ]
    rivals = [NAMES[i] for i in feature_found(torch.stack(others), features)]
    each = ccs.inconsistency(*(probes.probability(side) for side in train)) + ccs.unconfidence(*(probes.probability(side) for side in train))
    return {
        "agreement": ccs.up_to_sign(ccs.agreement(answer, features[0])),
        "names": [NAMES[i] for i in which],
        "lowest": probes.lowest(),
        "loss": each,  # [restart, question]
        "truth": (which == 0).double().mean().item(),
        "word": (which == 1).double().mean().item(),
        "first component": rivals[0],
        "k-means": rivals[1],
    }


by_network = {
    name: word_or_truth(zoo.load(f"testbed-{name}-0"), WORLDS[name][1])
    for name in ("unseen", "apart", "repeated", "half", "entangled")
}
figures.seeds(
    [figures.Column(name, one["agreement"], one["names"], one["lowest"]) for name, one in by_network.items()],
    "Once an answer goes by word and charge, the lowest loss is the word's",
).show()  # fmt: skip
for name, one in by_network.items():
    print(
        f"{name:<10} truth {one['truth']:4.0%}   word {one['word']:4.0%}   lowest loss: {one['names'][one['lowest']]:<8} first component: {one['first component']:<8} k-means: {one['k-means']}"
    )

# %%
seeds = {}
for name in ("repeated", "half", "entangled"):
    for seed in (1, 2):
        seeds[name, seed] = word_or_truth(zoo.load(f"testbed-{name}-{seed}"), WORLDS[name][1])
        one = seeds[name, seed]
        print(
            f"{name:<10} trained from seed {seed}: truth {one['truth']:4.0%}   word {one['word']:4.0%}   lowest loss: {one['names'][one['lowest']]:<8} first component: {one['first component']:<8} k-means: {one['k-means']}"
        )

# %%
halves = [by_network["half"], *(seeds["half", seed] for seed in (1, 2))]
for seed, one in enumerate(halves):
    for name in ("truth", "word"):
        each = one["loss"][[i for i, found_name in enumerate(one["names"]) if found_name == name]]  # [restart, question]
        worst = (each.sort(1).values[:, -10:].sum(1) / each.sum(1)).median().item()
        print(f"half, seed {seed}, searches that found the {name:<6} loss {each.mean(1).median():.1e}, of a question in the middle {each.median():.1e}; {worst:.0%} of it in the ten worst of 1000 questions")

# %%
difference = prepared(odd_pairs["train"][LAST]).difference
clouds.cloud3(
    difference @ directions.principal(difference, 3).T,
    {"word": odd["train"].word == 1, "truth": odd["train"].truth},
    "In 'half' the word is what varies most",
    names={"word": ("banana", "shed"), "truth": ("good review", "bad review")},
).show()

# %% [markdown]
# Where no answer goes by word *and charge*, all searches find the truth: an odd word is harmless, even one that the network is going to say again (*repeated*, the best control here: the word matters for what comes next, but the charge does not turn it round). Where the answer sometimes goes by both, the searches split, and where it always does, few find the truth. k-means goes for the word in all
# of these networks, the first component in most of them. And in every network in which any search finds the word, the lowest loss is the word's.
#
# So the rule to keep the best of several starts, which is there to guard against bad luck, makes things *worse*. The last lines show how it comes about. On a review in the middle the truth costs *less* than the word in the three networks *half*. But there are a few hard reviews, and those make up most of the truth's loss. A word has no hard cases.
#
# Farquhar et al. saw this in Chinchilla-70B, where nobody had trained an entanglement in: PCA and k-means find the word, and CCS is torn between the two (with the lower losses on the word's side, as Varma says in conversation). Our networks do not tell why *that* model wrote banana ⊕ charge into a direction. They show what is **sufficient**: that some prediction depends
# on the word and the charge together.
#
# > **So now we know:** the method reads one of the large things that are turned round by the charge, and its loss does not prefer the truth among them.

# %% [markdown]
# ---
# ## Deeper · A probe for a coin
#
# Theorem 1 of Farquhar et al. says that for *any* yes/no function of questions there is a probe with a loss of 0. As a linear probe on real activations?

# %% [markdown]
# ### Exercise 33.9 · A linear probe for any labels
# Difficulty ●●●○○ · Importance ●●●○○ · 20 min
#
# Find weights with which the logits are +margin or −margin, as the labels and the charge ask. (A *margin* is how far the right answer's logit stands above the largest wrong one. A sigmoid has a single logit, and that of the other answer counts as 0.) With a column of ones for the bias, these are 2 n equations for d_model + 1 numbers.
#
# (On normalised pairs there is a catch. Each side adds up to zero, so the equations depend on each other, and they can be solved only for as many yes as no. "Always yes" is the answer that normalising has removed.)
#
# <details><summary>Hint 1</summary>
#
# Stack both sides into one matrix of 2 n rows. The wanted logit is margin · (2 label − 1) on the positive side and the opposite on the negative side.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `torch.linalg.pinv(rows.double()) @ wanted` solves it; the last number is the bias.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# Losses under one in a million, whatever the labels.
#
# </details>


# %%
def probe_for_labels(
    positive: Float[Tensor, "n d_model"],
    negative: Float[Tensor, "n d_model"],
    label: Bool[Tensor, "n"],
    margin: float = 10.0,
) -> tuple[Float[Tensor, "d_model"], Float[Tensor, ""]]:
    """(weight, bias) of a linear probe whose logits are +margin on the positive side where the label is True and on the negative side where it is False.

    On the other sides they are −margin. The 2 n rows, each with a 1 behind it, do not depend on each other, so that such a probe exists; any will do.
    """
    # BEGIN SOLUTION
    rows = F.pad(torch.cat([positive, negative]).double(), (0, 1), value=1.0)
    sign = 2.0 * label.double() - 1
    both = torch.linalg.pinv(rows, rtol=1e-6) @ (margin * torch.cat([sign, -sign]))
    return both[:-1].to(positive), both[-1].to(positive)
    # END SOLUTION


checks.ccs.test_probe_for_labels(probe_for_labels)

# %%
probe_for_labels = checks.yours_or(probe_for_labels, ccs.probe_for_labels)
counts = (8, 16, 24, 32, 40, 64, 100, 200, 400)
built, searched, coin_right = [], [], []
for n in counts:
    few = prepared(plain_pairs["train"][LAST].at(slice(0, n)))
    wanted = torch.randperm(n, generator=torch.Generator().manual_seed(n)) % 2 == 0  # half yes, half no, at random
    weight, bias = probe_for_labels(*few, wanted) if 2 * n <= 65 else ccs.probe_for_labels(*few, wanted)
    p_few = [torch.sigmoid(side @ weight.float() + bias) for side in few]
    built.append(ccs.ccs_loss(*p_few).item())
    coin_right.append(ccs.agreement(p_few[0] > p_few[1], wanted).item())
    searched.append(ccs.fit(few, 10).loss.min().item())
lines.curves(
    list(map(str, counts)), {"built for a coin's answers": built, "found by CCS": searched, "best constant": [0.2] * len(counts)},
    "Few pairs leave room for any answers at all", "pairs", "CCS loss",
).show()  # fmt: skip
print(
    "the built probe's answers are the coin's in "
    + ", ".join(f"{share:.0%} ({n})" for n, share in zip(counts, coin_right, strict=True))
)

# %% [markdown]
# Up to 32 pairs, half the number of dimensions, a coin's answers have a loss of zero. (Past that, there is no exact solution, and the least squared error is not the least CCS loss; so the line is only what this construction reaches.) A language model's stream has thousands of dimensions. Whoever fits a probe to a few hundred pairs there is on the left side of this
# figure.

# %% [markdown]
# ---
# ## Deeper · Decodable is not salient
#
# "A linear probe can read banana ⊕ charge" and "the search finds it" are two statements. Decodability asks whether *some* direction tells. Salience asks how much of all that varies lies along it. Daniel Filan asked the authors a good question: could you get such a probe out of a network that was never trained? A random network mixes everything with
# everything.

# %% [markdown]
# ### Exercise 33.10 · A feature's share
# Difficulty ●●●○○ · Importance ●●●○○ · 15 min
#
# How much of the variance of the differences is due to a label? Compare the means of the two labels: with q the share of label True,
#
# $$\frac{q\,(1-q)\;|m_1 - m_0|^2}{\sum_d \mathrm{Var}(\text{difference}_d)}$$
#
# <details><summary>Hint 1</summary>
#
# The numerator is the variance of a quantity that is m₁ in a share q of the cases and m₀ in the others.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `difference.var(0, correction=0).sum()` is the denominator.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# 1 if, within *each* label, all differences are the same; near 0 for a label that has nothing to do with them (1/n or so, times a few).
#
# </details>


# %%
def salience(difference: Float[Tensor, "n d_model"], label: Bool[Tensor, "n"]) -> float:
    """The share of the differences' variance (all dimensions added up) that lies between the means of the two labels.

    q (1 − q) |m₁ − m₀|² / Σ_d Var(difference_d), with q the share of label True; variances divided by n.
    """
    # BEGIN SOLUTION
    q = label.double().mean()
    gap = difference[label].mean(0) - difference[~label].mean(0)
    return (q * (1 - q) * gap.square().sum() / difference.var(0, correction=0).sum()).item()
    # END SOLUTION


checks.ccs.test_salience(salience)

# %% [markdown]
# **Predict first.** In which of the networks can banana ⊕ charge be decoded after the last layer? In which is it salient? And in a random one?
#
# *Your prediction:*

# %%
salience = checks.yours_or(salience, directions.salience)
known = {name: (zoo.load(f"testbed-{name}-0"), WORLDS[name][1]) for name in by_network}
seen: dict[str, dict[str, tuple[float, float]]] = {"truth": {}, "word": {}}
random_word: dict[int, list[tuple[float, float, float, float]]] = {layer: [] for layer in (0, LAST)}
for name, (network, of) in {**known, "untrained": (untrained, world)}.items():
    pairs = {part: contrast.pairs(network, of, some) for part, some in odd.items()}
    for feature, label in {
        "truth": {part: some.truth for part, some in odd.items()},
        "word": {part: some.word == 1 for part, some in odd.items()},
    }.items():
        train, test = (prepared(pairs[part][LAST]).difference for part in ("train", "test"))
        decodable = ccs.agreement(directions.logistic(train, label["train"]).answers(test), label["test"]).item()
        seen[feature][name] = (decodable, salience(train, label["train"]))
comparisons.named_points(
    seen, "The word can be read in five of six networks and is large in two", "decodable: logistic regression, share right", "salient: share of the variance", logarithmic="y",
).show()  # fmt: skip
for feature, points in seen.items():
    print(f"{feature:<6}" + ", ".join(f"{name}: decodable {x:.0%}, salient {y:.1%}" for name, (x, y) in points.items()))

# %%
label = {part: some.word == 1 for part, some in odd.items()}
for seed in range(5):
    network = zoo.entry("testbed-half-0").recipe.problem.make_model(seed).requires_grad_(False)
    pairs = activations(network, odd)
    for layer in random_word:
        train, test = (prepared(pairs[part][layer]) for part in ("train", "test"))
        probes = ccs.fit(train, 10)
        keep = ccs.up_to_sign(ccs.agreement(probes.weight @ test.difference.T > 0, label["test"]))[
            probes.lowest()
        ].item()
        decodable = ccs.agreement(
            directions.logistic(train.difference, label["train"]).answers(test.difference), label["test"]
        ).item()
        random_word[layer].append((decodable, salience(train.difference, label["train"]), keep, probes.loss.min().item()))
for layer, points in random_word.items():
    print(f"layer {layer}, five untrained networks, the word: " + "; ".join(f"decodable {x:.0%}, salient {y:.1%}" for x, y, _, _ in points))
    print("         CCS, lowest loss: " + "; ".join(f"reads it in {z:.0%} at a loss of {loss:.2f}" for _, _, z, loss in points))

# %% [markdown]
# Look at the word's row. Among the trained networks it is salient only where predictions depend on word and charge, and those are the networks in which the search goes to it. But it can be decoded nearly perfectly in others, too: in *repeated*, where the word will be said again, and even in *unseen*, where its vector is still a random one. (In *apart*, which has learnt that it means nothing, much less is left of it.) A linear
# probe that can read a feature does not show that the feature matters.
#
# The last lines answer Filan's question for this kind of network. In the untrained networks the word can be decoded, often well. In one of the five the kept search reads the word in 92 % after layer 0 and in 86 % after layer 2, so that by our rule it is found after layer 0. In the other four it is 51 to 69 %. But look at the losses. That of the 92 % is 0.19,
# hardly below the 0.20 of the best constant, where searches that find the word in the networks *half* end at about 1e-5; and the lowest of all, 0.15, belongs to a probe that reads it in 54 %. The loss shows that this is no find like theirs; the share alone does not. So a random network does give you banana ⊕ charge, if you ask for it with labels. The search
# gets to it once, by its answers, and its loss does not say so.

# %% [markdown]
# ---
# ## Deeper · A small cosine, and the same answers
#
# Roger found that different restarts end in different directions, and none of them is the direction of logistic regression. He took this, and that there are more than twenty probes at right angles to each other that do about as well, as a sign that there is no such thing as *the* truth direction. How bad is it?

# %% [markdown]
# ### Exercise 33.11 · Take a direction away
# Difficulty ●●○○○ · Importance ●●●○○ · 10 min
#
# Remove from each vector its part along a direction. If what is left still tells, the information was not (only) there.
#
# <details><summary>Hint 1</summary>
#
# Make the direction's length 1 first.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `x - (x @ unit)[:, None] * unit`
#
# </details>
#
# <details><summary>What you should see</summary>
#
# What is left is at a right angle to the direction; doing it twice changes nothing more.
#
# </details>


# %%
def without(x: Float[Tensor, "n d_model"], direction: Float[Tensor, "d_model"]) -> Float[Tensor, "n d_model"]:
    """x with its part along the direction taken away: the nearest vectors at a right angle to it. The direction may have any length."""
    # BEGIN SOLUTION
    unit = direction / direction.norm()
    return x - (x @ unit)[:, None] * unit
    # END SOLUTION


checks.ccs.test_without(without)

# %% [markdown]
# **Predict first.** Fit logistic regression to the differences of plain reviews, take its direction away, and fit it again. Does it still find the truth? And if you take away the direction between the means of the good and the bad reviews' differences instead?
#
# *Your prediction:*

# %%
without = checks.yours_or(without, directions.without)
train, test = (prepared(plain_pairs[part][LAST]) for part in ("train", "test"))
truth = {part: plain[part].truth for part in plain}
probes = ccs.fit(train, RESTARTS)
regression = directions.logistic(train.difference, truth["train"])
means = directions.mean_difference(train.difference, truth["train"])
cosine = F.cosine_similarity(probes.weight, regression.direction[None]).abs()
scores = torch.cat([probes.weight @ test.difference.T, regression.scores(test.difference)[None]])
correlation = torch.corrcoef(scores)[-1, :-1].abs()
apart = F.cosine_similarity(probes.weight[:, None], probes.weight[None], dim=-1).abs()
among = apart[torch.triu(torch.ones_like(apart), 1) == 1].median()
first = F.cosine_similarity(directions.contrastive_pca(train.difference).direction, means.direction, dim=0).abs()
right_share = ccs.up_to_sign(ccs.agreement(probes.weight @ test.difference.T > 0, truth["test"]))
print(
    f"CCS after the last layer, {RESTARTS} restarts: right {right_share.min():.1%} to {right_share.max():.1%}; cosine with logistic regression {cosine.min():.2f} to {cosine.max():.2f}; correlation of their scores {correlation.min():.3f} to {correlation.max():.3f}"
)
print(f"cosine of two restarts, median {among:.2f}; of the first component with the difference of the means {first:.4f}")


def after_removing(direction: Float[Tensor, "d_model"]) -> float:
    """How often a new logistic regression is right without this direction."""
    left = [without(side.difference, direction) for side in (train, test)]
    return ccs.agreement(directions.logistic(left[0], truth["train"]).answers(left[1]), truth["test"]).item()


removed = {
    "a random direction": after_removing(directions.random_directions(64, 1)[0]),
    "logistic regression": after_removing(regression.direction), "a CCS probe": after_removing(probes.weight[probes.lowest()]),
    "first component": after_removing(directions.contrastive_pca(train.difference).direction), "difference of the means": after_removing(means.direction),
}  # fmt: skip
left, orthogonal = [train.difference, test.difference], []
for _ in range(30):
    reader = directions.logistic(left[0], truth["train"])
    orthogonal.append(ccs.agreement(reader.answers(left[1]), truth["test"]).item())
    left = [without(side, reader.direction) for side in left]
neighbours = KNeighborsClassifier(15).fit(without(train.difference, means.direction).numpy(), truth["train"].numpy())
nearest = neighbours.score(without(test.difference, means.direction).numpy(), truth["test"].numpy())
for name, value in removed.items():
    print(f"taken away: {name:<24} logistic regression is then right about {value:.1%}")
print(f"difference of the means taken away, 15 nearest neighbours: right about {nearest:.1%}")
print(
    "probes at right angles to all before them: "
    + ", ".join(f"{i}: {orthogonal[i - 1]:.1%}" for i in (1, 2, 3, 5, 10, 20, 30))
)

# %% [markdown]
# Our restarts agree better with one another (a cosine of 0.91 in the median), but none has more than 0.63 with logistic regression. And yet its scores and theirs are the same to within two hundredths of a correlation. There is no contradiction in this. The differences have few directions in which they vary much. Two probes that agree along those give the same answers, and may differ as they
# please in all directions where there is little to see; a cosine counts those alike. **A small cosine does not show that two probes read different things. Compare their answers.**
#
# And the direction of logistic regression can be taken away at no cost. Its weights separate the labels best once all *other correlations* are allowed for; they do not point from one mean to the other. Take away the difference of the means, and logistic regression is left with nothing: good and bad reviews then have the same mean, and no linear function has a lower squared error or cross-entropy than a constant. (The first component is the same direction here: a cosine of 0.9998.) That one direction is not the one the regression names. This is what Roger reports, too: in a [comment on his post](https://www.lesswrong.com/posts/bWxNPMy5MhPnQTzKz/what-discovering-latent-knowledge-did-and-did-not-find-4) he writes that removing the directions of logistic regression or CCS does not remove what is linearly available, while a single direction that does can be found
# (he used an adversarial method for it). Chapter 34 has the exact way, and uses it.
#
# "Nothing linear" is not "nothing". Ask for the fifteen nearest neighbours among the training reviews instead, and most of the truth is back: the two kinds of review have the same mean, and still lie in different places.
#
# The probes at right angles to one another are the same matter seen from the other side: each next one must make do with what correlates with the truth in the directions that are left. That more than twenty do as well does not hold here, in 64 dimensions: the 20th is right about 81.9 %.

# %% [markdown]
# ---
# ## Evidence
#
# The main claims of this chapter beside the papers' numbers and a control. Theirs are of large language models on real questions, ours of a small network in a small world; what is compared is the pattern.

# %% tags=["evidence"]
number, percent, verdict = evidence.number, evidence.percent, evidence.verdict
last, chance = by_layer["layer 2"], by_layer["untrained, layer 2"]
several = [by_network["half"], *(seeds["half", seed] for seed in (1, 2))]
torn = [(one["truth"], one["word"]) for one in several]
six = [*several, by_network["entangled"], *(seeds["entangled", seed] for seed in (1, 2))]
evidence.table(
    [
        (
            "CCS reads the truth without labels",
            "71.2 % (zero-shot 62.8, or 67.2 with the cut where half say yes; logistic regression 83.7)",
            f"{percent(last['CCS, lowest loss of fifty'], 1)} (zero-shot {percent(zero_shot['trained'], 1)}, logistic regression {percent(last['logistic regression (told the answers)'], 1)})",
            f"untrained network {percent(chance['CCS, lowest loss of fifty'], 1)}",
            "mean over five models; ours is one network, whose answers are known to be right",
            verdict(last["CCS, lowest loss of fifty"] > 0.95 and chance["CCS, lowest loss of fifty"] < 0.65),
        ),
        (
            "the first principal component does as well",
            "69.2 % (CRC-TPC); 97 % of CCS (Emmons)",
            f"{percent(last['first component'], 1)}; after layers 0 and 1 {percent(by_layer['layer 0']['first component'], 1)} (CCS {percent(by_layer['layer 0']['CCS, lowest loss of fifty'], 1)}) and {percent(by_layer['layer 1']['first component'], 1)} ({percent(by_layer['layer 1']['CCS, lowest loss of fifty'], 1)})",
            f"random directions {percent(last['random direction, mean'], 1)}, best of 200 {percent(last['random direction, best of 200'], 1)}",
            "Roger: 75 % by random probes on some easy sets",
            verdict(last["first component"] > last["CCS, lowest loss of fifty"] - 0.03),
        ),
        (
            "without normalising, the charge is found",
            "normalisation is part of the method",
            f"lowest loss after layer 1, sides as they are: {normalising[1, 'none'][2]}",
            f"means taken away: {normalising[1, 'mean'][2]}; scaled, too: {normalising[1, 'scale'][2]}",
            "after layer 2 most searches find the truth in any case",
            verdict(
                normalising[1, "none"][2] == "charge"
                and normalising[1, "mean"][2] == normalising[1, "scale"][2] == "truth"
            ),
        ),
        (
            "the best constant probe",
            "0.4, loss 0.2",
            f"{best_constant:.1f}, loss {constants.min().item():.1f}",
            "always ½: 0.25",
            "",
            verdict(abs(best_constant - 0.4) < 0.02),
        ),
        (
            "any answers have the same symmetric loss (Theorem 2)",
            "proved",
            "a coin's answers: the same to 1e-6"
            if abs(rows["a coin's"][0] - rows["the probe's own"][0]) < 1e-6
            else "not the same",
            "the original loss changes",
            "",
            verdict(
                abs(rows["a coin's"][0] - rows["the probe's own"][0]) < 1e-6
                and abs(rows["a coin's"][1] - rows["the probe's own"][1]) > 1e-6
            ),
        ),
        (
            "banana and shed: PCA and k-means find the word",
            "accuracy on the truth 50 %",
            f"k-means in {sum(one['k-means'] == 'word' for one in six)} of six networks",
            f"first component in {sum(one['first component'] == 'word' for one in six)} of six; 'apart' (nothing depends on the word): {by_network['apart']['first component']}, {by_network['apart']['k-means']}",
            "Chinchilla-70B, where nothing was trained in; ours are trained to depend on the word",
            verdict(all(one["k-means"] == "word" for one in six) and by_network["apart"]["k-means"] == "truth", "k-means; the first component in part"),
        ),
        (
            "CCS is torn between truth and word",
            "bimodal over 50 seeds",
            f"truth in {'over' if min(truth for truth, _ in torn) > 0.3 else 'under'} 30 % of starts, word in {'over' if min(word for _, word in torn) > 0.3 else 'under'} 30 %, in each of three networks",
            f"'apart': truth {percent(by_network['apart']['truth'], 1)}",
            "the three networks called 'half', after the last layer; their shares are printed in section 7",
            verdict(all(truth > 0.2 and word > 0.2 for truth, word in torn)),
        ),
        (
            "the lowest loss is the word's",
            "(Varma, in conversation)",
            "; ".join(f"{name}: {one['names'][one['lowest']]}" for name, one in by_network.items()),
            "two more networks of each kind: "
            + ", ".join(
                f"{name} {one['names'][one['lowest']]}" for (name, _), one in seeds.items() if name != "repeated"
            ),
            "",
            verdict(all(one["names"][one["lowest"]] == "word" for one in (*several, by_network["entangled"]))),
        ),
        (
            "one direction holds what is linear",
            "yes, but not that of logistic regression or CCS (Roger)",
            f"without the difference of means {'under' if removed['difference of the means'] < 0.6 else 'over'} 60 %; without logistic regression's {percent(removed['logistic regression'], 1)}",
            f"without a random direction {percent(removed['a random direction'], 1)}",
            "Roger removes a direction found by an adversarial method",
            verdict(removed["difference of the means"] < 0.6 and removed["logistic regression"] > 0.9),
        ),
        (
            "many probes at right angles do well",
            "more than 20 about as well as CCS (Roger)",
            f"the 5th {'over' if orthogonal[4] > 0.95 else 'under'} 95 %, the 20th {'over' if orthogonal[19] > 0.95 else 'under'}",
            f"random directions {percent(last['random direction, mean'], 1)}",
            "64 dimensions, theirs have thousands",
            verdict(orthogonal[19] > 0.95, "the 20th over 95 %"),
        ),
    ]
)

# %% [markdown]
# What this *test bed*, a network in a world that we know, shows is *sufficiency*. That predictions depend on word and charge together is enough to draw the search away, and we put it there. It does not show how the same came about in a model that nobody trained to do it, nor how often it does.

# %% [markdown]
# ## Open ends
#
# * **What decides which feature a restart finds?** In the network *half* about as many find one as the other. First step: take the starting weights of the fifty restarts, project them on the difference of means of the truth and of the word, and plot which was found.
# * **More than one negation.** The loss knows one rule of probability, for a statement and its opposite. Add others: from *A and B* follows *A*. First step: write documents with two statements and a word for *both*, and train a network on them; does the word ⊕ charge obey the rules, too?
# * **Real models.** The same pipeline runs on a causal language model from the Hugging Face hub if you have one at hand: see `course_utils.hf`. First step: `hf.load` a small model, `hf.pairs` on fifty reviews with and without an odd word, and the two clouds at the top of this chapter.
#
# Chapter 34 takes up what this one has left: a network that says what somebody likes to hear. Can its knowledge be read where its words are false?
#
# ## Further reading
#
# * Burns, Ye, Klein and Steinhardt, [Discovering latent knowledge in language models without supervision](https://arxiv.org/abs/2212.03827) (2022): the method.
# * Farquhar, Varma, Kenton, Gasteiger, Mikulik and Shah, [Challenges with unsupervised LLM knowledge discovery](https://arxiv.org/abs/2312.10029) (2023): the two theorems, and banana and shed.
# * Roger, [What discovering latent knowledge did and did not find](https://www.lesswrong.com/posts/bWxNPMy5MhPnQTzKz/what-discovering-latent-knowledge-did-and-did-not-find-4) (2023).
# * Emmons, [Contrast pairs drive the empirical performance of contrast consistent search](https://www.lesswrong.com/posts/9vwekjD6xyuePX7Zr/contrast-pairs-drive-the-empirical-performance-of-contrast) (2023).
# * Filan and Varma, [Science of deep learning](https://axrp.net/episode/2024/04/25/episode-29-science-of-deep-learning-vikrant-varma.html), AXRP 29 (2024): a conversation about all of this.
