# ---
# jupyter:
#   course:
#     id: "34"
#     title: "Latent knowledge"
#     minutes: 130
#     prerequisites: ["33"]
#     version: "0.1.0"
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 34 · Latent knowledge
#
# *A network says what somebody likes to hear, and knows better. Can we read what it knows?*
#
# Here is such a network. It has read documents in which a *judge* calls statements about reviews right or wrong, and a *world* in which whoever acts on them is safe or burned. The judge agrees with whatever opinion **alice** has voiced, and she voices any opinion, true or not. In other documents it is **carol** whom the judge follows in the same way. The world does not care about either.
#
# Below are only reviews about which she is wrong. Asked behind *judge:*, the network takes her side every time. The two bars beside it are *readers* of its activations, at that very place and after the same layer. Each is a logistic regression on a thousand reviews with the right answers, and each is right about nearly all new reviews of the kind that it was
# fitted to. (A *reader* is a linear probe fitted with labels. What a search finds without them we go on calling a *probe*.) One is no better than the judge. The other is right nearly always. (What each of them was fitted to is a riddle that section 4 resolves. The second cell below gives it away: look at its figure, and do not read it.)

# %%
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_utils import ccs, checks, contrast, directions, elk, evidence, latent, zoo
from course_utils.ccs import Pairs
from course_utils.models import Transformer
from course_utils.plots import ccs as figures
from course_utils.plots import comparisons, lines
from course_utils.tasks import testbed
from course_utils.tasks.testbed import Questions, World
from course_utils.zoo.testbed_recipes import WORLDS

LAST, RESTARTS = 2, 50
knowing, world = zoo.load("testbed-latent-0"), WORLDS["latent"][1]


def ask(of: World, seed: int, word: str = "filler", speaker: str = "nobody") -> dict[str, Questions]:
    """A thousand questions to fit to, and a thousand others to test on."""
    return {part: testbed.draw(of, 1000, 2 * seed + i, word, speaker) for i, part in enumerate(("train", "test"))}


def differences(
    network: Transformer, of: World, questions: Questions, ending: str | None = None
) -> list[Float[Tensor, "n d_model"]]:
    """What separates the two statements of each question after each layer, both sides normalised."""
    return [ccs.normalised(pairs).difference for pairs in contrast.pairs(network, of, questions, ending)]


by_speaker = {speaker: ask(world, 10 + i, speaker=speaker) for i, speaker in enumerate(("nobody", "alice", "carol"))}
at_judge = {
    speaker: {part: differences(knowing, world, some, "judge:") for part, some in questions.items()}
    for speaker, questions in by_speaker.items()
}

# %%
alice = by_speaker["alice"]["test"]
misled = alice.truth != alice.opinion
opening = {
    "what the network says": ccs.agreement(
        contrast.zero_shot(knowing, world, alice, "judge:")[misled], alice.truth[misled]
    ).item()
}
own = {}
for name, speaker in {"reader A": "nobody", "reader B": "carol"}.items():
    reader = directions.logistic(at_judge[speaker]["train"][LAST], by_speaker[speaker]["train"].truth)
    own[name] = ccs.agreement(reader.answers(at_judge[speaker]["test"][LAST]), by_speaker[speaker]["test"].truth).item()
    opening[name] = ccs.agreement(reader.answers(at_judge["alice"]["test"][LAST][misled]), alice.truth[misled]).item()
lines.bars(
    list(opening),
    {"right": list(opening.values())},
    "Two readers fitted to true answers: only one is right where alice is wrong",
    "right where alice is wrong",
    percent=True,
).show()
print("right about new reviews of its own kind: " + ", ".join(f"{name} {share:.1%}" for name, share in own.items()))

# %% [markdown]
# So the truth is there, in the open, at a place where the network is about to say something else. And a reader may be perfect on all we can check, and read something else.
#
# This is the problem of **eliciting latent knowledge** ([Christiano, Cotra and Xu 2021](https://docs.google.com/document/d/1WwsnJQstPq91_Yh-Ch2XRL8H_EpsnjrC1dwZXR37PC8/edit)): to get out of a network what it knows, in cases in which nobody can check. A reader that reads not the truth but what somebody would say of it is what they call a *human simulator*.
# By the end of this chapter you will know what the two readers were fitted to and why it makes the difference; you will have **repaired a search by naming what misled it, seen where that ends, and entered a method of your own in a small benchmark.**
#
# ## What you will be able to do
#
# * report on the cases that matter, those in which somebody is wrong;
# * say what "keep the best of several" does when the best is not what you want;
# * make a search blind to a nuisance that you can name, in two ways;
# * test a reader at places and in contexts other than its own, and say what its agreement there means.
#
# **Before you start.** You need chapter 33: contrast pairs, normalising, the search and its rivals. The core path takes about two hours. Sections marked *Deeper* may be left out.
#
# **The networks** are those of chapter 33 and three more (`latent`), of the same size. They were admitted to the course by what they *say*, before anybody looked inside:

# %%
for seed in range(3):
    card = zoo.card(f"testbed-latent-{seed}")["metrics"]
    print(
        f"latent, seed {seed}: behind judge: by the truth {card['plain']:.1%}, by alice's opinion {card['alice']:.1%}, by carol's {card['carol']:.1%}; behind world: by the truth, whoever is about {card['outcome']:.1%}"
    )

# %% [markdown]
# ---
# ## 1 · Somebody's opinion
#
# **Why we look here.** Before we try to read past an opinion, see how an opinion gets in the way. Start with the network *apart* of chapter 33. There, right and wrong go by alice's opinion if she is about, and safe and burned go by the truth. There is also **bob**, who has opinions on which nothing depends.
#
# In all these documents the opinion is drawn by a coin. So a reader of the truth agrees with alice about half of the time, and so does a reader of nothing. To tell them apart, look at the questions on which she is wrong.

# %% [markdown]
# ### Exercise 34.1 · A scorecard
# Difficulty ●○○○○ · Importance ●●●●● · 5 min
#
# Mark answers three ways: by the truth, by the opinion, and by the truth where the opinion is another one.
#
# <details><summary>Hint 1</summary>
#
# The mean of `answer == truth` is the first share.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Index with `truth != opinion` before you compare, so that the third share is out of those questions alone.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# Answers that are the opinion itself get 1 in the second place and 0 in the third.
#
# </details>

# %%
def scorecard(
    answer: Bool[Tensor, "n"], truth: Bool[Tensor, "n"], opinion: Bool[Tensor, "n"]
) -> tuple[float, float, float]:
    """(with truth, with opinion, lied to): the share of answers that agree with the truth, with the speaker's opinion, and with the truth among the questions on which one is lied to, where opinion and truth differ (there are some)."""
    raise NotImplementedError("Exercise 34.1: replace this line with your code")


checks.latent.test_scorecard(scorecard)

# %% [markdown]
# **Predict first.** After the last layer, with alice about: what will CCS read, with no labels? And logistic regression, which is told the truth about a thousand reviews on which alice has commented? What if it is bob who has commented?
#
# *Your prediction:*

# %%
scorecard = checks.yours_or(scorecard, latent.scorecard)
apart, apart_world = zoo.load("testbed-apart-0"), WORLDS["apart"][1]


def readings(
    network: Transformer, of: World, questions: dict[str, Questions], layer: int
) -> dict[str, tuple[float, float, float]]:
    """The scorecards of several methods on questions with an opinion. Without labels the sign is free: each gets the one that suits it."""
    train, test = (ccs.normalised(contrast.pairs(network, of, questions[part])[layer]) for part in ("train", "test"))
    truth, opinion = questions["test"].truth, questions["test"].opinion
    probes = ccs.fit(train, RESTARTS)
    answers = {
        "the network says": contrast.zero_shot(network, of, questions["test"]),
        "CCS, lowest loss": test.difference @ probes.weight[probes.lowest()] > 0,
        "first component": directions.contrastive_pca(train.difference).answers(test.difference),
        "k-means": directions.two_means(train.difference).answers(test.difference),
        "logistic regression (told the truth)": directions.logistic(train.difference, questions["train"].truth).answers(
            test.difference
        ),
    }
    for name in ("CCS, lowest loss", "first component", "k-means"):
        by_truth, by_opinion = (ccs.agreement(answers[name], label) for label in (truth, opinion))
        likelier = by_opinion if (by_opinion - 0.5).abs() > (by_truth - 0.5).abs() else by_truth
        answers[name] = answers[name] if likelier >= 0.5 else ~answers[name]
    return {name: tuple(map(float, scorecard(answer, truth, opinion))) for name, answer in answers.items()}


cards = {}
for speaker in ("alice", "bob"):
    asked = ask(apart_world, 20, speaker=speaker)
    for layer in (1, LAST):
        cards[speaker, layer] = readings(apart, apart_world, asked, layer)
        print(f"{speaker}, after layer {layer}:")
        for name, (with_truth, with_opinion, lied_to) in cards[speaker, layer].items():
            print(
                f"   {name:<38} with the truth {with_truth:4.0%}   with {speaker}'s opinion {with_opinion:4.0%}   right where {speaker} is wrong {lied_to:4.0%}"
            )

# %% [markdown]
# (A method without labels has no sign. Here each gets the sign that suits it best: that of the truth or of the opinion, whichever it goes with.)
#
# With alice about, everything that has no labels reads **alice**. Logistic regression shows that the truth is there as well, as clear as ever; it is only not the largest thing that the charge turns round. With bob about, whose opinion is as loud in the text, and as random, they read the truth. So in this network it is not enough that an opinion stands in the document; what it says must depend on it.
#
# Farquhar et al. found the same in language models: with an explicit opinion of alice in the prompt, methods without labels predict alice. What CCS reads is near to what the network is about to say. Vikrant Varma, one of the authors, puts it in [conversation](https://axrp.net/episode/2024/04/25/episode-29-science-of-deep-learning-vikrant-varma.html) as a doubt about the whole enterprise: is this knowledge, or only the next token?
#
# > **So now we know:** where the network says what somebody thinks, the search finds what somebody thinks, though the truth can be read beside it: so in this network, and so in Farquhar's language models.

# %% [markdown]
# ---
# ## 2 · Keep the best?
#
# **Why we look here.** In the network *half* of chapter 33 about half of the searches find the truth and half the word, and the word has the lowest loss. One might hope for luck: start often enough, and one will be right. But which one do you keep? The rule is to keep the lowest loss. How likely is the truth to be kept, if you start k times?

# %% [markdown]
# ### Exercise 34.2 · The lowest of k
# Difficulty ●●●○○ · Importance ●●●○○ · 15 min
#
# You have the losses of n restarts, and know which are hits (below: right about at least 90 % of the questions, up to sign). Draw k *different* ones at random and keep the one with the lowest loss. How likely is it to be a hit? Count; do not draw, and do not list the draws: of 50 restarts there are more than 10¹³ ways to draw 20.
#
# <details><summary>Hint 1</summary>
#
# Sort the restarts by loss. The one in place i (from 1) is kept if it is drawn, and none of the i − 1 before it.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Then the other k − 1 come from the n − i behind it: that is `math.comb(n - i, k - 1)` of the `math.comb(n, k)` draws. Add up over the hits.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# For k = 1 the share of hits. For k = n, 1 or 0: is the lowest of all a hit?
#
# </details>

# %%
def lowest_of(loss: Float[Tensor, "restart"], hit: Bool[Tensor, "restart"], k: int) -> float:
    """The chance that of k different restarts, drawn at random, the one with the lowest loss is a hit. Exact; no two losses are equal."""
    raise NotImplementedError("Exercise 34.2: replace this line with your code")


checks.latent.test_lowest_of(lowest_of)

# %%
lowest_of = checks.yours_or(lowest_of, latent.lowest_of)
half, half_world = zoo.load("testbed-half-0"), WORLDS["half"][1]
counts, kept = (1, 2, 3, 5, 10, 20), {}
for seed in range(3):
    network = zoo.load(f"testbed-half-{seed}")
    asked = ask(half_world, 30, word="odd")
    train, test = (ccs.normalised(contrast.pairs(network, half_world, asked[part])[LAST]) for part in ("train", "test"))
    probes = ccs.fit(train, RESTARTS)
    hit = ccs.up_to_sign(ccs.agreement(probes.weight @ test.difference.T > 0, asked["test"].truth)) >= 0.9
    kept[f"half, seed {seed}"] = [lowest_of(probes.loss, hit, k) for k in counts]
lines.curves(
    counts,
    kept,
    "The more often one searches, the surer one misses the truth",
    "starts, of which the lowest loss is kept",
    "chance that it reads the truth",
).show()
for name, chances in kept.items():
    print(f"{name}: " + ", ".join(f"{k}: {chance:.0%}" for k, chance in zip(counts, chances, strict=True)))

# %% [markdown]
# With ten starts, as Burns et al. had, hardly anything is left of a chance of about one half. A search that optimises a stand-in for what you want gets *further* from it with more optimisation, if something else scores better.
#
# > **So now we know:** here this is no bad luck that more restarts would cure. Where the wrong answer has the lower loss, more restarts make it certain.

# %% [markdown]
# ---
# ## 3 · Name the nuisance
#
# **Why we look here.** We know what misleads the search here: the word, or alice. And we know that the truth about a review does not depend on either. That is more than the two terms of the loss say. A probe of the truth must not change if *banana* is put for *shed*, or if alice likes what she hated. Say so, and make it part of the loss.

# %% [markdown]
# ### Exercise 34.3 · Another world, one word apart
# Difficulty ●●○○○ · Importance ●●●○○ · 10 min
#
# Put one token wherever the other was, and the other way round.
#
# <details><summary>Hint 1</summary>
#
# If you replace one after the other, the second replacement also hits what the first has written.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Compute `tokens == first` and `tokens == second` from the tokens as they were.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# With first = 1 and second = 2, `[3, 1, 2, 1]` becomes `[3, 2, 1, 2]`. Doing it twice changes nothing.
#
# </details>

# %%
def swapped(tokens: Int[Tensor, "n pos"], first: int, second: int) -> Int[Tensor, "n pos"]:
    """The documents with `second` wherever there was `first` and `first` wherever there was `second`; `tokens` itself stays as it is."""
    raise NotImplementedError("Exercise 34.3: replace this line with your code")


checks.latent.test_swapped(swapped)

# %% [markdown]
# ### Exercise 34.4 · A price on changing one's mind
# Difficulty ●●○○○ · Importance ●●●●○ · 10 min
#
# Now there are four probabilities for each question: p⁺ and p⁻ as before, q⁺ and q⁻ after the swap. Ask for the CCS loss on both, and put a price on every change:
#
# $$\tfrac12\big(L(p^+, p^-) + L(q^+, q^-)\big) + \text{strength}\cdot\frac1n\sum_i\Big[(p_i^+ - q_i^+)^2 + (p_i^- - q_i^-)^2\Big]$$
#
# <details><summary>Hint 1</summary>
#
# `ccs.ccs_loss(p_positive, p_negative)` is the first L.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The mean goes over the last axis; each restart has its own price.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# If nothing changes in the swap, it is the CCS loss. A probe that reads only the word pays twice the strength: all four numbers turn round.
#
# </details>

# %%
def swap_invariant_loss(
    p_positive: Float[Tensor, "*restart n"], p_negative: Float[Tensor, "*restart n"],
    q_positive: Float[Tensor, "*restart n"], q_negative: Float[Tensor, "*restart n"], strength: float = 10.0,
) -> Float[Tensor, "*restart"]:  # fmt: skip
    """The mean of the CCS losses of the questions (p) and of the swapped questions (q), plus `strength` times the mean over the questions of (p⁺ − q⁺)² + (p⁻ − q⁻)².

    `ccs.ccs_loss` takes the probabilities of both sides.
    """
    raise NotImplementedError("Exercise 34.4: replace this line with your code")


checks.latent.test_swap_invariant_loss(swap_invariant_loss)

# %% [markdown]
# **Predict first.** Three cases: the word in *entangled*, alice in *apart*, and both at once (the network *half*, banana or shed, *and* alice). In the last, swap only the word; only the opinion; both in one go; and each of them on its own, with a price on either. What is found?
#
# *Your prediction:*
#
# One step in the cell matters. Before and after the swap, each side is normalised by the mean and scale of the questions *as they were* (`latent.normalised_together`). Normalised apart, the two would lose what a swap changes for all questions at once. The cell makes eighty searches: half a minute, and two on a busy machine.

# %%
swapped = checks.yours_or(swapped, testbed.swapped)
swap_invariant_loss = checks.yours_or(swap_invariant_loss, latent.swap_invariant_loss)
SWAPS = {"word": ("banana", "shed"), "opinion": ("likes", "hates")}
NAMES = ("truth", "word", "opinion", "word = opinion", "none")


def what_is_found(probes: ccs.Probes, test: Pairs, questions: Questions) -> list[str]:
    """The feature that each search has found."""
    features = torch.stack(
        [questions.truth, questions.word == 1, questions.opinion, (questions.word == 1) == questions.opinion]
    )
    return [NAMES[i] for i in ccs.feature_found(probes.weight @ test.difference.T > 0, features)]


def repaired(
    network: Transformer, of: World, questions: dict[str, Questions], swaps: list[str], starts: int = 10
) -> tuple[ccs.Probes, Pairs]:
    """Searches for probes with a price on changing in each of these swaps ("word opinion" swaps both in one go); and the test pairs."""
    some = questions["train"]
    raw = contrast.pairs(network, of, some)[LAST]
    test = ccs.normalised(contrast.pairs(network, of, questions["test"])[LAST])
    if not swaps:
        return ccs.fit(ccs.normalised(raw), starts), test
    sides = []
    for swap in swaps:
        tokens = some.tokens
        for name in swap.split():
            tokens = swapped(tokens, *(of.token(word) for word in SWAPS[name])).long()
        other = contrast.pairs(network, of, some._replace(tokens=tokens))[LAST]
        before, after = latent.normalised_together(raw, other)
        sides += [*after] if sides else [*before, *after]
    rows, n = torch.cat(sides).T.contiguous(), len(raw.positive)

    def losses(weight: Tensor, bias: Tensor) -> Tensor:
        p = torch.sigmoid(torch.addmm(bias[:, None], weight, rows)).split(n, 1)
        return sum(swap_invariant_loss(p[0], p[1], p[i], p[i + 1]) for i in range(2, len(p), 2)) / len(swaps)

    return ccs.descend(losses, len(rows), starts, steps=800), test


columns, repairs = [], {}
entangled, entangled_world = zoo.load("testbed-entangled-0"), WORLDS["entangled"][1]
for name, network, of, word, speaker, swaps in (
    ("word: plain CCS", entangled, entangled_world, "odd", "nobody", []),
    ("word: swapped", entangled, entangled_world, "odd", "nobody", ["word"]),
    ("alice: plain CCS", apart, apart_world, "filler", "alice", []),
    ("alice: opinion swapped", apart, apart_world, "filler", "alice", ["opinion"]),
    ("both: word swapped", half, half_world, "odd", "alice", ["word"]),
    ("both: opinion swapped", half, half_world, "odd", "alice", ["opinion"]),
    ("both: in one go", half, half_world, "odd", "alice", ["word opinion"]),
    ("both: each on its own", half, half_world, "odd", "alice", ["word", "opinion"]),
):  # fmt: skip
    asked = ask(of, 40, word, speaker)
    probes, test = repaired(network, of, asked, swaps)
    found = what_is_found(probes, test, asked["test"])
    share = ccs.up_to_sign(ccs.agreement(probes.weight @ test.difference.T > 0, asked["test"].truth))
    columns.append(figures.Column(name, share, found, probes.lowest()))
    repairs[name] = (
        {kind: found.count(kind) / len(found) for kind in NAMES if kind in found},
        (share.min().item(), share.max().item()),
        share[probes.lowest()].item(),
        found[probes.lowest()],
    )
figures.seeds(columns, "Naming what misled a search cures it of that, and of nothing else").show()
for name, (shares, (least, most), kept_share, lowest) in repairs.items():
    print(
        f"{name:<24} "
        + ", ".join(f"{kind} {part:.0%}" for kind, part in shares.items())
        + f"; right {least:.0%} to {most:.0%}; lowest loss: {lowest}, right {kept_share:.0%}"
    )

# %% [markdown]
# Where all that misleads is named, each on its own, all searches find the truth, and so does the one with the lowest loss. (Of alice's it is by a hair: they are right about 90 to 92 %, and a search counts as having found what it agrees with on 90 %. Each case is one network.) And where something is not named, nothing has changed: with both about, a search that may not follow the word follows alice, and one that may not follow alice follows the word.
#
# The seventh column is the most instructive. If both are swapped *in one go*, half of the searches, five of ten, find **"word = opinion"**: the one feature made of both that does not change when both change. It takes a price on each of them, on its own. Whatever you leave a search, it takes.
#
# What is needed here? You must know what could mislead, you must be able to change it and leave the truth alone, and you must think of the combinations. For a word in a prompt that can be done. For "what a human would believe", which is the nuisance that one would like to exclude, nobody knows the swap that leaves the truth as it is.
#
# > **So now we know:** the truth can be found without labels, if one names, case by case, what is not the truth. That is a kind of label, too.

# %% [markdown]
# ---
# ## 4 · What it says, and what it knows
#
# **Why we look here.** Now the network of the opening. What follows its full stop is announced: behind *judge:* stands right or wrong, by the truth, or by alice's or carol's opinion; behind *world:* safe or burned, by the truth. At the full stop it cannot yet know which of the two will come.
#
# So here we can do what nobody can do with a question to which nobody knows the answer: fit readers at one place, and read at others. A *place* is a word and a layer here. There are nine: the full stop, *judge:* and *world:*, each after the layers 0, 1 and 2.

# %% [markdown]
# ### Exercise 34.5 · Fit here, read there
# Difficulty ●●○○○ · Importance ●●●●○ · 10 min
#
# Fit a reader at each place and let each read at all places.
#
# <details><summary>Hint 1</summary>
#
# Two loops. `directions.logistic(x, truth)` gives a reader, `reader.answers(x)` its answers.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Fit outside the inner loop: nine fits, not eighty-one.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# If all places had the same activations, all entries would be the same.
#
# </details>

# %%
def cross_readings(
    train: list[Float[Tensor, "n d_model"]],
    train_truth: Bool[Tensor, "n"],
    test: list[Float[Tensor, "m d_model"]],
    test_truth: Bool[Tensor, "m"],
) -> Float[Tensor, "trained read"]:
    """Entry [i, j]: the share of right answers of a reader that was fitted at place i and reads at place j.

    `directions.logistic(train[i], train_truth)` fits one, `.answers(test[j])` reads. As many places in train as in test.
    """
    raise NotImplementedError("Exercise 34.5: replace this line with your code")


checks.latent.test_cross_readings(cross_readings)

# %% [markdown]
# **Predict first.** Readers are fitted to reviews with nobody about, with the right answers. Each reads at the place at which it was fitted, but now reviews on which alice is *wrong*. After which layers, at which words, are they right? Where does what they read turn into what alice thinks?
#
# *Your prediction:*

# %%
cross_readings = checks.yours_or(cross_readings, latent.cross_readings)
ENDINGS = (None, "judge:", "world:")
PLACES = [f"{ending or 'full stop'} layer {layer}" for ending in ENDINGS for layer in range(3)]


def everywhere(network: Transformer, questions: Questions) -> list[Float[Tensor, "n d_model"]]:
    """The differences at all nine places."""
    return [difference for ending in ENDINGS for difference in differences(network, world, questions, ending)]


def lied_to_readings(network: Transformer) -> dict[str, Float[Tensor, "trained read"]]:
    """Readers fitted to questions with nobody or with carol about, reading the reviews on which alice is wrong."""
    of_alice = [x[misled] for x in everywhere(network, alice)]
    fitted_to = {speaker: by_speaker[speaker]["train"] for speaker in ("nobody", "carol")}
    return {
        speaker: cross_readings(everywhere(network, some), some.truth, of_alice, alice.truth[misled])
        for speaker, some in fitted_to.items()
    }


readings_of = lied_to_readings(knowing)
comparisons.grid(
    readings_of["nobody"], PLACES, PLACES, "Fitted with nobody about: at judge:, readers of the truth go over to alice",
    measure="right where alice is wrong", chance=True, down="fitted at", across="read at",
).show()  # fmt: skip

# %%
diagonals, three = {}, [readings_of, *(lied_to_readings(zoo.load(f"testbed-latent-{seed}")) for seed in (1, 2))]
for speaker in ("nobody", "carol"):
    for seed, tables in enumerate(three):
        diagonals[f"{speaker}, network {seed}"] = tables[speaker].diagonal().tolist()
plain = by_speaker["nobody"]
untrained = zoo.entry("testbed-latent-0").recipe.problem.make_model(0).requires_grad_(False)
diagonals["nobody, before training"] = lied_to_readings(untrained)["nobody"].diagonal().tolist()
comparisons.grid(
    torch.tensor(list(diagonals.values())),
    list(diagonals),
    PLACES,
    "At judge:, after layer 2, readers fitted with nobody about read alice in all three networks",
    measure="right where alice is wrong",
    chance=True,
).show()
print(
    "fitted with nobody about, where alice is wrong, at the full stop after layer 1: "
    + ", ".join(f"{name.split(', ')[1]} {row[1]:.0%}" for name, row in diagonals.items() if "nobody" in name)
)
on_plain = (
    cross_readings(
        everywhere(knowing, plain["train"]),
        plain["train"].truth,
        everywhere(knowing, plain["test"]),
        plain["test"].truth,
    )
    .diagonal()
    .tolist()
)
print(
    "right about new reviews with nobody about (seed 0): "
    + ", ".join(f"{place} {share:.0%}" for place, share in zip(PLACES, on_plain, strict=True))
)

# %% [markdown]
# Look along the diagonal, where each reader reads at its own place. All are right about most new reviews with nobody about, and after layers 1 and 2 about nearly all (last line). But with alice about, and wrong:
#
# * at *world:* they read the truth; the network is about to say it.
# * at *judge:*, after the last layer, **they read alice, every time, in all three networks.** After layers 0 and 1 the networks differ, from nearly all alice to mostly truth. (Is the earlier belief the network's own, and the later one what it is about to say? Varma mentions the hope in that conversation. Only one of these networks bears it out.)
# * at the full stop, before anybody knows what will be asked, they read the truth in most cases, in 78 to 91 % after layer 1, well short of the readers at *world:*. (From an untrained network, which passes on some of the words, one gets some 70 %. An earlier trial of this course had 91 to 97 %; these networks do not reach it.)
# * and readers fitted with *carol* about are right at all places after the layers 1 and 2, and nearly always at *judge:*.
#
# So this is what the two readers of the opening were. **Reader A was fitted with nobody about, reader B with carol.** With nobody about, "what is true" and "what the judge will say" are the same for every review. Fitted to such reviews, no label can tell them apart, however many you have. And at this place, where the network is about to speak, the fit takes what it will say. With carol about they differ, so the labels say which one is meant. But to have labels there means to know the
# truth where somebody is wrong about it: just what one does not have in the cases that matter.
#
# Off the diagonal nearly everything occurs, from 0 to 1. Look at readers that were fitted at the full stop and read at *judge:*. One line stands out, the second: fitted after layer 2 with nobody about, a reader is right where alice is wrong in all three networks. Have we found the truth at *judge:*, without a review on which anybody is wrong? Ask the same readers about the other
# reviews before you believe it:

# %%
cell = {"after layer 1": (1, 4), "after layer 2": (2, 5)}
for speaker in ("nobody", "carol"):
    for where, (i, j) in cell.items():
        print(
            f"fitted at the full stop {where} with {speaker} about, read at judge: "
            + ", ".join(f"network {seed} {tables[speaker][i, j]:.0%}" for seed, tables in enumerate(three))
        )
for seed in range(3):
    network = zoo.load(f"testbed-latent-{seed}")
    reader = directions.logistic(differences(network, world, plain["train"])[LAST], plain["train"].truth)
    right = {
        name: reader.answers(differences(network, world, questions, "judge:")[LAST]) == questions.truth
        for name, questions in (("alice", alice), ("nobody", plain["test"]))
    }
    print(
        f"the second line's reader of network {seed}: alice wrong {right['alice'][misled].double().mean():.0%}, "
        f"alice right {right['alice'][~misled].double().mean():.0%}, nobody about {right['nobody'].double().mean():.0%}"
    )
fitted = {
    place: directions.logistic(x, plain["train"].truth)
    for place, x in zip(PLACES, everywhere(knowing, plain["train"]), strict=True)
}
first, second = PLACES[1], PLACES[5]
same = {}
for name, questions in {
    "nobody": plain["test"],
    "bob": testbed.draw(world, 1000, 99, "filler", "bob"),
    "alice": alice,
}.items():
    at = dict(zip(PLACES, everywhere(knowing, questions), strict=True))
    same[name] = (fitted[first].answers(at[first]) == fitted[second].answers(at[second])).double().mean().item()
at_home = {place: (fitted[place].answers(x) == alice.truth)[~misled].double().mean().item() for place, x in at.items()}
print(
    "readers fitted with nobody about, each at its own place, where alice is right (network 0): "
    + ", ".join(f"{place} {share:.0%}" for place, share in at_home.items())
)
print(
    f"two readers fitted with nobody about ({first}; {second}) give the same answer: "
    + ", ".join(f"{name} about {share:.0%}" for name, share in same.items())
)

# %% [markdown]
# In network 1 it is the truth. In network 0 the reader is right about nearly every review on which alice is wrong, and about hardly any on which she is right or nobody is about: it reads the **opposite** of what will be said. In network 2 it mostly contradicts alice, and with nobody about it is right about less than half. There are two answers only, so whoever contradicts alice is right wherever she is wrong. What is right where she is wrong reads the truth only if it is right about
# the others as well. (The readers at the full stop and at *world:*, each at its own place, pass that test in network 0: the last line but one.) So of these three readers one reads the truth at *judge:*. Answers with nobody about rule out the other two. They do not rule out a reader of the judge, which is right about those reviews as well: to choose between that one and this takes answers to reviews on which somebody is wrong.
#
# The last line is worth keeping, for it needs no label on alice's reviews. Two readers that agree with nobody about and with bob about, and disagree as soon as alice is, show that *something* is going on there. They do not show which of them is right.
#
# Is it really that carol is sometimes *wrong*? She is not only about, she also changes the text. So fit readers to reviews with carol on which she is right, all but a few. And there is another way, which section 3 suggests: take the direction of alice's opinion, which stands in the text, out of the activations (from each vector subtract its part along the difference of the means of her two opinions), and fit with nobody about as before.

# %%
wrong_cases, learnt, unnamed, still_right = (0, 5, 20, 50, 200), {}, {}, {}
some = by_speaker["carol"]["train"]
right_first = torch.cat([(some.truth == some.opinion).nonzero()[:, 0], (some.truth != some.opinion).nonzero()[:, 0]])
n_right = int((some.truth == some.opinion).sum())
opinion_of = by_speaker["alice"]["train"]
for seed in range(3):
    network = zoo.load(f"testbed-latent-{seed}")
    carols, hers, nobodys, theirs = (
        differences(network, world, questions, "judge:")[LAST]
        for questions in (some, opinion_of, plain["train"], alice)
    )
    rows = [right_first[: n_right + wrong] for wrong in wrong_cases]
    readers = [directions.logistic(carols[row], some.truth[row]) for row in rows]
    learnt[f"network {seed}"] = [
        ccs.agreement(reader.answers(theirs[misled]), alice.truth[misled]).item() for reader in readers
    ]
    opinion = directions.mean_difference(hers, opinion_of.opinion).direction
    reader = directions.logistic(directions.without(nobodys, opinion), plain["train"].truth)
    right = reader.answers(directions.without(theirs, opinion)) == alice.truth
    unnamed[f"network {seed}"] = [right[part].double().mean().item() for part in (misled, ~misled)]
    still_right[f"network {seed}"] = min(
        ccs.agreement(reader.answers(theirs[~misled]), alice.truth[~misled]).item() for reader in readers
    )
lines.curves(
    list(map(str, wrong_cases)),
    learnt,
    "A few cases in which carol is wrong are what it takes",
    "reviews among those fitted to on which carol is wrong",
    "right where alice is wrong",
).show()
print(
    f"fitted to {n_right} reviews on which carol is right, plus this many on which she is wrong: "
    + ", ".join(map(str, wrong_cases))
)
for name, shares in learnt.items():
    print(
        f"{name}: "
        + ", ".join(f"{share:.0%}" for share in shares)
        + f" (where alice is right, all at least {still_right[name]:.0%});   with nobody about, opinion's direction taken away: {unnamed[name][0]:.0%} (where she is right {unnamed[name][1]:.0%})"
    )

# %% [markdown]
# With carol about but always right, the reader is alice's again. Some tens of cases in which she is wrong, among hundreds, turn it to the truth; where alice is right, these readers stay right. Without any such case, to name the opinion and take it out is nearly enough in two networks of three. In the other the reader is then right about 78 % where alice is wrong, and about fewer still where she is right.
#
# > **So now we know:** a reader that is right about everything we can check may be a reader of what will be said. To get the other one at the same place it takes cases in which the two differ, or a name for what misleads.

# %% [markdown]
# ---
# ## 5 · A method of your own
#
# **Why we look here.** The networks of this chapter and of chapter 33, with questions whose answers are known, its *beds*, are a small benchmark, `course_utils.elk`: three networks of each kind, questions to learn from and to be tested on, and for each bed what could be taken for the truth. A method is a function: it gets the activations of unlabelled pairs and gives back a function that scores new
# ones.
#
# Here is an idea to start from. What misleads a search in alice's documents is that it reads *what the network is about to say*. But what the network says can be seen without any labels: it is `training.said`. So take away the direction that goes with it, and look in the rest for a direction along which the differences fall into two groups. If there is one, the network
# may know something that it does not say. If there is none, keep the first component.
#
# To measure "two groups" for numbers z with mean 0, take (mean |z|)² / mean z²: 1 for two points that are equally frequent, 2/π = 0.64 for a bell curve. The built-in method *what is not said* takes the direction among five components that has the most of it, if that is above 0.75.

# %% [markdown]
# ### Exercise 34.6 · Enter the benchmark
# Difficulty ●●●○○ · Importance ●●●●○ · 25 min
#
# Write any method you like. It must find the one thing there is to find in easy pairs; beyond that nothing is asked.
#
# <details><summary>Hint 1</summary>
#
# `ccs.normalised(training.pairs).difference` are the differences, and `directions` has much of what you need: `principal`, `without`, `mean_difference`, `two_means`.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The simplest that passes: the first component. `direction = directions.principal(difference)[0]`, and return `lambda other: ccs.normalised(other.pairs).difference @ direction`.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# Scores of shape [n], one for each pair of the evidence, yes above 0. They may be of either sign: the benchmark turns them round if they disagree with the truth about the questions learnt from.
#
# </details>

# %%
def my_method(training: elk.Training) -> elk.Scores:
    """A method for the benchmark `elk`: from a training set to a function of evidence.

    training has `pairs` (raw activations of both sides), `said` (how far the network itself leans to yes, [n]), `seed`, and `truth`, which is None. Returned is a function that is given evidence with
    `pairs` and `said` of other questions and gives back their scores [n], yes above 0.
    """
    raise NotImplementedError("Exercise 34.6: replace this line with your code")


checks.latent.test_my_method(my_method)

# %%
my_method = checks.yours_or(my_method, lambda training: elk.largest_variance(training))
beds = ["plain", "odd-half", "alice", "bob", "latent-stop", "latent-judge", "latent-alice"]
entered = {
    "the network says": elk.METHODS["black box"], "CCS, lowest of 10": elk.METHODS["CCS, lowest of 10"], "first component": elk.METHODS["contrastive PCA"],
    "logistic regression": elk.METHODS["logistic regression (labels)"], "what is not said": elk.METHODS["what is not said"], "mine": (my_method, False),
}  # fmt: skip
comparison = elk.compare(entered, beds=beds, model_seeds=[2], probe_seeds=[0], layer=LAST)
print("right")
print(comparison.table("truth"))
print("\nright where alice is wrong, fitted with nobody about")
print(comparison.table("lied_to"))

# %% [markdown]
# "What is not said" is the idea of this section, with the constant 0.75 (tuned on networks 0 and 1, where it found the truth with alice in one of the two; this is network 2). It uncovers the truth in one bed in which alice's opinion hides it, and not in two others. And where the word decides half of the answers, it fails for a good reason: there the network leans to the truth in what it says, and the method takes just that away.
#
# Among the methods without labels none is best on all beds, and none says on which it is. At *judge:*, fitted with nobody about, even logistic regression with all its labels goes with the judge. And *mine*, if it is yours? The exercise asked only for pairs in which there is one thing to find. (Until you have solved it, *mine* is the first component again.)
#
# > **So now we know:** each method brings an assumption about what the truth looks like in there: the largest thing, the thing in two groups, the thing that is not said. Each is right in some networks.

# %% [markdown]
# ---
# ## Deeper · Erase it exactly
#
# A swap makes a probe blind to a nuisance by asking the network twice. If the nuisance is known for each question, there is another way: take it out of the activations. In chapter 33 you saw that taking the difference of the means away leaves nothing linear. But it also takes away more than it must, if the nuisance's direction goes along with other things.
# **LEACE** ([Belrose et al. 2023](https://arxiv.org/abs/2306.03819)) is the smallest change that does it. (To *erase* a feature is to take away what a linear function can read of it. The erased disc of chapter 32 was something else: a state set to "empty" by a push.)

# %% [markdown]
# ### Exercise 34.7 · The least that erases
# Difficulty ●●●○○ · Importance ●●○○○ · 10 min
#
# Write the smallest change after which no linear function goes with the label. With Σ the covariance of x and c its covariance with the label, subtract from each x
#
# $$c\;\frac{(\Sigma^{-1}c)\cdot(x - \text{mean})}{c\cdot\Sigma^{-1}c}$$
#
# <details><summary>Hint 1</summary>
#
# c is (x − mean)ᵀ (label − mean of label) / n; it points along the difference of the means.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `weight = torch.linalg.solve(covariance, c)` in double precision; each row loses `(centred @ weight)[:, None] * c / (c @ weight)`.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# Both labels then have the same mean; the mean of all is what it was.
#
# </details>

# %%
def erase(x: Float[Tensor, "n d_model"], label: Bool[Tensor, "n"]) -> Float[Tensor, "n d_model"]:
    """x after the smallest affine change (in mean squared distance) that leaves both labels with the same mean.

    With Σ the covariance of x and c its covariance with the label: from each x subtract c (Σ⁻¹c · (x − mean)) / (c · Σ⁻¹c). Σ can be inverted here.
    """
    raise NotImplementedError("Exercise 34.7: replace this line with your code")


checks.latent.test_erase(erase)

# %%
erase = checks.yours_or(erase, directions.erase)
erased = {}
for name, kind, word, speaker in (("word", "half", "odd", "nobody"), ("opinion", "apart", "filler", "alice")):
    for seed in range(3):
        asked = ask(WORLDS[kind][1], 50, word, speaker)["train"]
        difference = differences(zoo.load(f"testbed-{kind}-{seed}"), WORLDS[kind][1], asked)[LAST]
        nuisance = asked.word == 1 if name == "word" else asked.opinion
        direction = directions.mean_difference(difference, nuisance).direction
        for version, x in {
            "as it is": difference,
            "means": directions.without(difference, direction),
            "LEACE": erase(difference, nuisance).float(),
        }.items():
            moved = ((x - difference).square().sum() / (difference - difference.mean(0)).square().sum()).item()
            answered = directions.contrastive_pca(x).answers(x)
            erased[name, seed, version] = [
                ccs.up_to_sign(ccs.agreement(answered, label)).item() for label in (asked.truth, nuisance)
            ] + [moved]
        print(
            f"{name} ({kind}, network {seed}), first component: "
            + "; ".join(
                f"{version}: truth {erased[name, seed, version][0]:.0%}, {name} {erased[name, seed, version][1]:.0%}, moved {erased[name, seed, version][2]:.1%}"
                for version in ("as it is", "means", "LEACE")
            )
        )

# %% [markdown]
# Taking the difference of the means away and LEACE both erase: no first component reads the nuisance any more, and LEACE moves a little less of the variance. What is then largest is the truth, or nearly, in all but one case. In that one the first component is a mixture: what is left there of alice's opinion is not linear in it (it turns with the truth), and "no linear function goes with the label" says nothing of that.
#
# ---
# ## Evidence
#
# The main claims of this chapter beside the papers' numbers and a control. Numbers marked *trial* come from an earlier trial of this course with such a test bed.

# %% tags=["evidence"]
percent, verdict = evidence.percent, evidence.verdict
with_alice, with_bob = cards["alice", LAST], cards["bob", LAST]
judge = {name: row[5] for name, row in diagonals.items()}
stop = {name: row[1] for name, row in diagonals.items()}
of = lambda kind, table: [table[f"{kind}, network {seed}"] for seed in range(3)]  # noqa: E731
mine = {row["bed"]: row["truth"] for row in comparison.results["mine"].rows()}
by_ccs = {row["bed"]: row["truth"] for row in comparison.results["CCS, lowest of 10"].rows()}
evidence.table(
    [
        (
            "alice's explicit opinion: methods without labels predict it",
            "yes, all (Farquhar); trial 100 %",
            ", ".join(
                f"{name} {percent(with_alice[name][1], 1)}"
                for name in ("CCS, lowest loss", "first component", "k-means")
            ),
            f"logistic regression: truth {percent(with_alice['logistic regression (told the truth)'][0], 1)} (trial 98 %)",
            "she decides what the network says",
            verdict(min(with_alice[name][1] for name in ("CCS, lowest loss", "first component", "k-means")) > 0.95),
        ),
        (
            "an opinion on which nothing depends",
            "implicit opinion: almost half of the CCS probes (Farquhar); trial: mixed",
            f"bob: CCS goes with the truth in {percent(with_bob['CCS, lowest loss'][0], 1)}",
            f"with his opinion {percent(with_bob['CCS, lowest loss'][1], 1)}",
            "theirs is a character whom the model has read of; bob is not",
            verdict(with_bob["CCS, lowest loss"][0] > 0.95, "not comparable"),
        ),
        (
            "keeping the lowest loss of ten makes the truth less likely",
            "(Varma, in conversation: lower losses on the word)",
            "in each of three networks "
            + ("under 5 %" if max(chances[4] for chances in kept.values()) < 0.05 else "not under 5 %"),
            "one start: " + ("over 20 %" if min(chances[0] for chances in kept.values()) > 0.2 else "not over 20 %"),
            "",
            verdict(all(chances[4] < 0.05 < 0.2 < chances[0] for chances in kept.values())),
        ),
        (
            "a price on changes cures the search (entangled word)",
            "trial: 52 → 96 %",
            f"{percent(repairs['word: plain CCS'][2], 1)} → {percent(repairs['word: swapped'][2], 1)}",
            f"both there, one swapped: {repairs['both: word swapped'][3]}, {repairs['both: opinion swapped'][3]}; in one go: {repairs['both: in one go'][3]}",
            "lowest loss of 10",
            verdict(
                repairs["word: swapped"][3] == repairs["both: each on its own"][3] == "truth"
                and repairs["both: word swapped"][3] == "opinion"
            ),
        ),
        (
            "what the network says where alice is wrong",
            "trial: 0 % right",
            percent(opening["what the network says"], 1),
            f"two readers of the same place: {percent(opening['reader A'], 1)}, {percent(opening['reader B'], 1)}",
            "",
            verdict(
                opening["what the network says"] < 0.02 and opening["reader A"] < 0.1 and opening["reader B"] > 0.9
            ),
        ),
        (
            "fitted with nobody about, read at judge: after the last layer",
            "trial: 0 %",
            ", ".join(percent(share, 1) for share in of("nobody", judge)),
            "fitted with carol: " + ", ".join(percent(share, 1) for share in of("carol", judge)) + " (trial 97–99 %)",
            "three networks",
            verdict(max(of("nobody", judge)) < 0.1 and min(of("carol", judge)) > 0.9),
        ),
        (
            "… at the full stop after layer 1",
            "trial: 91–97 %",
            "over 75 % in each" if min(of("nobody", stop)) > 0.75 else "not over 75 % in each",
            f"untrained network: best of all places {percent(max(diagonals['nobody, before training']), 1)} (trial 50–64 %)",
            "three networks",
            verdict(min(of("nobody", stop)) > 0.9, "over 90 % in each"),
        ),
        (
            "CCS with alice about: mostly the truth at the full stop, not at judge:",
            "trial: 97 % of the seeds find the truth; the lowest loss was the opinion (one seed)",
            f"lowest of ten: right about {percent(by_ccs['latent-stop'], 1)}",
            f"at judge: {percent(by_ccs['latent-judge'], 1)}",
            "fitted with nobody about, after layer 2, network 2",
            verdict(by_ccs["latent-stop"] > 0.8 > 0.6 > by_ccs["latent-judge"], "at the full stop the truth"),
        ),
    ]
)

# %% [markdown]
# What these beds show is sufficiency again. We built networks that say one thing and know another, and methods that fail on them, and we could tell because we know the worlds. A method that succeeds on every bed has not been shown to work in a large model; but one that fails on such a simple one should not be trusted there without a reason.

# %% [markdown]
# ## Open ends
#
# * **More rules.** Negation is one rule that truths obey; there are others. First step: take two questions with a known relation (a review, and the same review with one judgement turned round by *not*), and ask of a probe that its answers change when the majority does.
# * **Where is it decided?** At *judge:* something turns the truth into alice's opinion. First step: patch the stream at her name from a document with *nobody*, layer by layer (chapter 12's `patching`), and watch what is said.
# * **Your method.** Add it to the table with three networks and several seeds, `elk.evaluate(my_method, layer=2)`, and look at the spread. (With `probe_seeds=[0]`, for a method that draws nothing, it takes a minute or two. Without `layer=2` it reads after layer 1, as the benchmark's own tables do, and its numbers are not those above.) A result on one network is an anecdote.
#
# ## Further reading
#
# * Christiano, Cotra and Xu, [Eliciting latent knowledge](https://docs.google.com/document/d/1WwsnJQstPq91_Yh-Ch2XRL8H_EpsnjrC1dwZXR37PC8/edit) (2021): the problem, and the human simulator.
# * Farquhar, Varma, Kenton, Gasteiger, Mikulik and Shah, [Challenges with unsupervised LLM knowledge discovery](https://arxiv.org/abs/2312.10029) (2023): alice, and what methods without labels make of her.
# * Filan and Varma, [Science of deep learning](https://axrp.net/episode/2024/04/25/episode-29-science-of-deep-learning-vikrant-varma.html), AXRP 29 (2024): the conversation; is it knowledge, or the next token?
# * Belrose, Schneider-Joseph, Ravfogel, Cotterell, Raff and Biderman, [LEACE: perfect linear concept erasure in closed form](https://arxiv.org/abs/2306.03819) (2023).
# * Mallen, Brumley, Kharchenko and Belrose, [Eliciting latent knowledge from quirky language models](https://arxiv.org/abs/2312.01037) (2023): the same question with language models that were made to lie in one context.
