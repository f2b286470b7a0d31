# ---
# jupyter:
#   course:
#     id: "21"
#     title: "The Fourier algorithm"
#     minutes: 150
#     prerequisites: []
#     version: "0.1.0"
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 21 · The Fourier algorithm
#
# *What does a network compute when it adds?*
#
# A small transformer was shown 30 % of all the sums a + b modulo 113, and no rule. For thousands of steps it knew those
# sums by heart and hardly any others. Then it began to answer every sum there is.
#
# Run the next two cells. The first loads the network. The second asks it all 12 769 questions and draws what eight of
# its parts do on each one: the question's a runs down, its b runs across.

# %%
import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_utils import checks, evidence, fourier, zoo
from course_utils.models import MLP, MLPConfig
from course_utils.plots import modular as figures
from course_utils.tasks import modular

p = 113
task = modular.ModularTask(p=p, fraction=0.3)
model = zoo.load("modular-addition")
print(f"{sum(weight.numel() for weight in model.parameters()):,} weights, {task.n_train:,} training questions")

# %%
questions = modular.tokens(modular.all_pairs(p), p)  # every "a b =", one a row
outputs, cache = model.run_with_cache(questions)
logits = outputs[:, -1].double().reshape(p, p, p)  # what it answers at "=": a table [a, b, class]
neurons = cache["blocks.0.mlp.hook_post"][:, -1].double().reshape(p, p, -1)  # a table [a, b, neuron]
attention = cache["blocks.0.attn.hook_pattern"][:, :, -1].reshape(p, p, 4, 3)  # how much "=" attends to a, b and "="

some = [97, 26, 293, 341]  # four of the 512 neurons
pictures = torch.cat([attention[..., 0].permute(2, 0, 1).double(), neurons[:, :, some].permute(2, 0, 1)])
names = [f"head {h}: attention to a" for h in range(4)] + [f"neuron {n}" for n in some]
figures.tables(pictures, names, "Heads and neurons draw waves over the questions").show()

# %% [markdown]
# Checks, dots and broad hills. Nothing in the data is wavy: a sum is a sum. Yet wherever you look in this network
# something oscillates (a hill that comes round once is a wave too), and each part keeps to one wavelength.
#
# By the end of this chapter you will have shown what the waves are for. The network adds by **turning**: each number
# becomes a set of rotations, rotations compose when they are multiplied, and the answer is the number whose rotation
# undoes the total. Nobody put this algorithm in. You will read it out of the weights, measure how much of the network
# it accounts for, break the network by removing it, and then write down, without any training, neurons that do the
# same job.
#
# ## What you will be able to do
#
# * find the waves a function on 0 … p − 1 is made of, in one variable and in two;
# * decide by a rule, not by eye, which frequencies a network uses;
# * say what each neuron computes, and how neurons turn into an answer;
# * test a story about a network in both directions: keep only what it names, and remove what it names;
# * build a network that adds from formulas.
#
# **Before you start.** You need PyTorch tensors and linear algebra. No earlier chapter is needed. The core path takes
# about two and a half hours. Sections marked *Deeper* may be left out.
#
# **The network.** One layer, no LayerNorm, no biases. It reads three tokens, `a b =`. Each token and each place has
# a learnt vector of length 128 (`W_E`, `W_pos`); their sums make up the *residual stream*. Four attention heads carry
# information from a and b to the place of `=`. An MLP with 512 ReLU neurons reads the result there (`W_in`) and
# writes back (`W_out`). Last, `W_U` turns the residual stream at `=` into 113 logits. `run_with_cache` returns the logits
# and, under names, what was computed on the way: `blocks.0.mlp.hook_post` is the neurons after the ReLU,
# `hook_pre` before it, `blocks.0.attn.hook_pattern` the attention weights. The network was trained on the whole
# training set at each step, by AdamW with learning rate 0.001 and weight decay 1 (each step also shrinks every weight by
# a thousandth of itself): the setting of
# [Nanda et al. 2023](https://arxiv.org/abs/2301.05217), for 14 000 steps in place of their 40 000. Its card in the
# zoo, the course's collection of trained networks, has the rest (losses are cross-entropies with the natural logarithm,
# in *nats*):

# %%
card = zoo.card("modular-addition")
print(f"{card['recipe']['steps']:,} steps, {card['seconds'] / 60:.0f} minutes on one CPU core, recipe {card['digest']}")
print(f"test accuracy {card['metrics']['test_accuracy']:.2%}, test loss {card['metrics']['test_loss']:.1e} nats")
figures.learning_curves(
    zoo.history("modular-addition"), "It knows its training questions early, and the others much later"
).show()

# %% [markdown]
# That long wait between knowing and understanding is *grokking*. Chapter 22 watches it happen. This one asks what the
# network is at the end.
#
# ---
# ## 1 · Waves
#
# **Why we look here.** What the network can know about a is its row of `W_E`: 113 numbers, 113 vectors. If the network
# thinks in waves, this is where they must begin. To see which waves a table of 113 rows is made of, you need the right
# ruler.
#
# Functions on 0 … p − 1 are vectors of length p. Waves that fit into p steps an integer number of times make a basis of
# them: the *Fourier basis*. For odd p it has one constant, and a cosine and a sine of each frequency k from 1 to
# (p − 1)/2. Frequency k means the angle $w_k = 2\pi k/p$: the wave $\cos(w_k x)$ goes round k times while x goes from 0
# to p. There is no frequency above (p − 1)/2, because on whole numbers $\cos(w_{p-k}x)$ *is* $\cos(w_k x)$.
#
# If every basis vector has length 1 and any two are orthogonal, then changing to this basis is a rotation. Lengths and
# sums of squares stay as they are, and a coefficient is a dot product.
#
# One practical thing. The losses of this network are so small that single precision cannot hold them, so all tables in
# this chapter are in double precision. Where you make a tensor of your own, ask for the same:
# `torch.arange(p, dtype=torch.float64)`.

# %% [markdown]
# ### Exercise 21.1 · The ruler
# Difficulty ●●○○○ · Importance ●●●●● · 10 min
#
# Write the orthonormal Fourier basis for odd p.
#
# <details><summary>Hint 1</summary>
#
# Make all angles at once: an outer product of the frequencies 1 … (p − 1)/2 with the numbers 0 … p − 1, times 2π/p.
# Rows 1, 3, 5, … of the basis are its cosines and rows 2, 4, 6, … its sines.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The sum over x of cos²(w_k x) is p/2, and so is that of sin². So each wave must be divided by √(p/2), and the
# constant row, whose p entries are equal, is 1/√p everywhere. `basis[1::2] = …` fills every second row.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# `basis @ basis.T` is the identity. For p = 5, row 0 is 0.447 five times; row 1 starts 0.632, 0.195, −0.512.
#
# </details>

# %%
def fourier_basis(p: int) -> Float[Tensor, "p p"]:
    """The real orthonormal Fourier basis of functions on 0 … p − 1, for odd p. One component a row.

    Row 0 is the constant; row 2k − 1 is cos(2πkx/p) and row 2k is sin(2πkx/p) as functions of x = 0 … p − 1, for
    k = 1 … (p − 1)/2; each is divided by its length. So the order is: constant, cos 1, sin 1, cos 2, sin 2, …
    """
    raise NotImplementedError("Exercise 21.1: replace this line with your code")


checks.fourier.test_fourier_basis(fourier_basis)

# %% [markdown]
# Below each exercise a line like the next one takes your function if its check has passed, and the library's if not. So
# you may skip anything: nothing that follows breaks. (It also hands on your results in double precision.)

# %%
fourier_basis = checks.yours_or(fourier_basis, fourier.fourier_basis)
basis = fourier_basis(p)
is_identity = torch.allclose(basis @ basis.T, torch.eye(p, dtype=basis.dtype), atol=1e-5)
print("basis times its transpose is the identity:", is_identity)

# %% [markdown]
# Now point the ruler at the embedding. Multiply `basis @ W_E`: row i of the result is the vector that the embedding
# gives to wave i, and its squared length says how much of the embedding is made of that wave. A frequency owns two rows
# (its cosine and its sine), so add the two.
#
# **Predict first.** There are 56 frequencies. In a random embedding each would hold about 1/56 of the total, 1.8 %. In
# this one: will all be used, a few, or one?
#
# *Your prediction:*

# %% [markdown]
# ### Exercise 21.2 · Which frequencies?
# Difficulty ●●○○○ · Importance ●●●●● · 10 min
#
# Write the share of each frequency in a matrix that has one row per number.
#
# <details><summary>Hint 1</summary>
#
# `basis @ matrix` has one row per wave. Square, sum over columns: the power of each wave. Leave the constant out.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# After the constant, rows come in pairs (cos k, sin k): reshape the p − 1 powers to (−1, 2), sum each pair, and divide
# by the total of what you kept.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# For p = 113, 56 shares that sum to 1. For a matrix of random numbers all of them are near 1/56.
#
# </details>

# %%
def frequency_shares(matrix: Float[Tensor, "p n"], basis: Float[Tensor, "p p"]) -> Float[Tensor, "freq"]:
    """The share of each frequency in a matrix with one row per number 0 … p − 1.

    `basis` holds one unit wave a row, ordered as in exercise 21.1. Entry k − 1 of the result is the sum of squares of
    the components of `matrix` along cos k and sin k, over all columns, divided by that of all frequencies together.
    The constant is left out, so the (p − 1)/2 shares sum to 1.
    """
    raise NotImplementedError("Exercise 21.2: replace this line with your code")


checks.fourier.test_frequency_shares(frequency_shares)

# %% [markdown]
# Look at three spectra. The second is the control that could spoil the story: the same network before its first step.
# So is the third: the *trained* embedding, measured with a random orthonormal basis in place of waves. If any basis made
# the embedding look sparse, waves would be nothing special. Was your prediction right?

# %%
frequency_shares = checks.yours_or(frequency_shares, fourier.frequency_shares)
W_E = model.W_E[:p].double()  # the row of "=" is left out
untrained = zoo.load("modular-addition", step=0)
random_basis = torch.linalg.qr(torch.randn(p, p, dtype=torch.float64, generator=torch.Generator().manual_seed(0))).Q

figures.spectrum(
    {
        "trained": frequency_shares(W_E, basis),
        "before training": frequency_shares(untrained.W_E[:p].double(), basis),
        "trained, in a random basis": frequency_shares(W_E, random_basis),
    },
    "The trained embedding keeps a handful of frequencies and drops the rest",
).show()

# %% [markdown]
# **What does it mean?** An embedding of 113 numbers in 128 dimensions could give each number a direction of its own.
# Why would a network throw nearly all of that freedom away?
#
# <details><summary>An answer</summary>
#
# Weight decay charges for every squared weight. A frequency that does nothing for the loss costs its sum of squares and
# buys nothing, so it decays to zero. What survives is what is used. Sparse spectra are what regularisation leaves of a
# network whose solution lives in few waves; they do not yet say what the waves are used *for*.
#
# </details>
#
# > **So now we know:** to this network a number is a handful of points on circles, $(\cos w_k x, \sin w_k x)$ for a few k.

# %% [markdown]
# ---
# ## 2 · Neurons that keep to one frequency
#
# **Why we look here.** The embedding sees a and b apart. The sum must be made where they meet. Anything the network
# computes at `=` is a function of (a, b), a 113 × 113 table, and such a table has a Fourier basis as well: every product
# of a wave in a with a wave in b. There are 113² of these products, they are orthonormal again, and finding a table's
# coefficients means transforming its rows and then its columns.

# %% [markdown]
# ### Exercise 21.3 · Two dimensions
# Difficulty ●●○○○ · Importance ●●●●○ · 10 min
#
# Write the two-dimensional transform, for many tables at once.
#
# <details><summary>Hint 1</summary>
#
# For a single table T it is `basis @ T @ basis.T`. The tables here are stacked along a last axis.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Coefficient [i, j, n] sums `basis[i, a] * basis[j, b] * table[a, b, n]` over a and b. Write it as two calls of
# `torch.einsum`: first the sum over a, then over b. One einsum with three factors builds a table of p⁴ numbers.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# The table cos(w₃a)·sin(w₇b) has a single coefficient that is not zero, at row 5 (cos 3) and column 14 (sin 7).
#
# </details>

# %%
def fourier_2d(table: Float[Tensor, "p p n"], basis: Float[Tensor, "p p"]) -> Float[Tensor, "p p n"]:
    """The coefficients of n tables over (a, b) in products of waves.

    Entry [i, j, n] is the coefficient of basis[i] as a function of a times basis[j] as a function of b in table n. The
    sum of squares of each table is kept.
    """
    raise NotImplementedError("Exercise 21.3: replace this line with your code")


checks.fourier.test_fourier_2d(fourier_2d)

# %% [markdown]
# **Predict first.** Take all 512 neurons together and ask which of the 12 769 products of waves they contain. Where will
# the bright cells lie: everywhere, in the first row and column (functions of a alone and of b alone), on the diagonal
# (the same frequency in a and b)?
#
# *Your prediction:*

# %%
fourier_2d = checks.yours_or(fourier_2d, fourier.fourier_2d)
power = fourier_2d(neurons, basis).pow(2).sum(-1)
power[0, 0] = 0  # the mean activation would drown everything else
blocks = power[1:, 1:].unflatten(1, (-1, 2)).unflatten(0, (-1, 2)).sum((1, 3))  # [frequency in a, frequency in b]
print(f"of the sum of squares in products, {evidence.percent((blocks.trace() / blocks.sum()).item())} joins waves of one frequency")
figures.spectrum_2d(power, fourier.component_names(p), "Over nine tenths of the products' power joins waves of one frequency").show()

# %% [markdown]
# The picture shows the components that hold most, of 113 by 113; the others are darker still. Its colour is the root of
# the sum of squares. The bright cells are the first row, the first column and 2 × 2 blocks on the diagonal: waves of a,
# waves of b, and products of a wave in a with a wave in b *of the same frequency*. Addition alone can never give a
# product, so something in the network multiplies. First, though: does every neuron mix all frequencies, or does each
# keep to one?

# %% [markdown]
# ### Exercise 21.4 · One neuron, one frequency?
# Difficulty ●●●○○ · Importance ●●●●○ · 15 min
#
# Find each neuron's best frequency, and the share of the neuron's variance that it explains.
#
# <details><summary>Hint 1</summary>
#
# Variance ignores the mean: take all squared coefficients, set [0, 0] to zero, and their sum is the total. Frequency k
# owns rows and columns 2k − 1 and 2k; which of its 3 × 3 − 1 = 8 cells do you add up?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Loop over k: `power[[0, 2*k-1, 2*k]][:, [0, 2*k-1, 2*k]]` is the 3 × 3 × neuron block of the constant and frequency k,
# and its [0, 0] cell is zero already. Sum it, stack over k, and take the maximum over frequencies. Mind that
# `argmax` counts from 0 and frequencies from 1, and that a dead neuron has total 0.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# Some four in five neurons of the trained network are above 85 %, in a few large groups: one for each frequency.
#
# </details>

# %%
def neuron_frequencies(
    activations: Float[Tensor, "p p neuron"], basis: Float[Tensor, "p p"]
) -> tuple[Int[Tensor, "neuron"], Float[Tensor, "neuron"]]:
    """For each neuron, the frequency k (counted from 1) that explains most of it, and the share that it explains.

    The total is the neuron's variance over (a, b): the sum of its squared coefficients except that of the constant,
    [0, 0]. Frequency k explains eight of them: cos k and sin k of a, cos k and sin k of b, and their four products.
    A dead neuron (zero for every question) has share 0, and any frequency will do; no result is NaN.
    """
    raise NotImplementedError("Exercise 21.4: replace this line with your code")


checks.fourier.test_neuron_frequencies(neuron_frequencies)

# %%
neuron_frequencies = checks.yours_or(neuron_frequencies, fourier.neuron_frequencies)
best, explained = neuron_frequencies(neurons, basis)
clear = explained > 0.85
figures.neuron_clusters(
    best, explained, f"{clear.sum()} of {len(best)} neurons are explained to more than 85 % by a single frequency"
).show()

# %% [markdown]
# What of the neurons below 85 %? The next cell (it takes some seconds) says that they vary less, and that most of what they do is the same frequency
# and its double. Then come the controls: the network before training, and the network after 1 000 steps, when it knew
# every training question and hardly any other.

# %%
def neuron_table(network: torch.nn.Module) -> Float[Tensor, "p p neuron"]:
    """A network's neurons at "=" for every question, as a table [a, b, neuron]."""
    name = "blocks.0.mlp.hook_post"
    n = network.cfg.d_vocab - 1
    every_question = modular.tokens(modular.all_pairs(n), n)
    return network.run_with_cache(every_question, names=name)[1][name][:, -1].double().reshape(n, n, -1)


variation = neurons.flatten(0, 1).std(0)
print(f"standard deviation, clear neurons: {variation[clear].mean():.1f}, the others: {variation[~clear].mean():.1f}")
power = fourier_2d(neurons, basis).pow(2)
power[0, 0] = 0
with_double = []
for neuron in (~clear).nonzero().flatten().tolist():
    k = int(best[neuron])
    double = min(2 * k, p - 2 * k)  # frequency p − 2k is the same wave as 2k
    rows = [0, 2 * k - 1, 2 * k, 2 * double - 1, 2 * double]
    with_double.append(power[rows][:, rows, neuron].sum() / power[:, :, neuron].sum())
alone, both = explained[~clear].median().item(), torch.stack(with_double).median().item()
print(f"explained, the others: one frequency {evidence.percent(alone)}, with its double {evidence.percent(both)}")

memorising = zoo.load("modular-addition", step=1000)
for name, network in {"before training": untrained, "memorising": memorising, "grokked": model}.items():
    shares = neuron_frequencies(neuron_table(network), basis)[1]
    print(f"{name:>16}: median share of a neuron's best frequency {evidence.percent(shares.median().item())}")

# %% [markdown]
# > **So now we know:** the network is several smaller networks side by side. Each cluster of neurons has one frequency,
# > and computes with waves of that frequency in a, in b, and with their products.

# %% [markdown]
# ---
# ## 3 · From products to a sum
#
# **Why we look here.** The neurons hold products of waves, and a product is not yet an answer. Here is what the products
# are for:
#
# $$\cos(w(a+b)) = \cos wa\,\cos wb - \sin wa\,\sin wb, \qquad \sin(w(a+b)) = \sin wa\,\cos wb + \cos wa\,\sin wb.$$
#
# Whoever has the four products has the *angle of the sum*, by adding and subtracting. And the angle does not care about
# "modulo p" at all: turning by $w(a+b)$ and by $w(a+b-p)$ is the same turn. The awkward part of the task is free.
#
# How could an angle become a choice among 113 answers? Compare it with the angle of each candidate c:
#
# $$\cos(w(a+b-c)) = \cos(w(a+b))\,\cos wc + \sin(w(a+b))\,\sin wc.$$
#
# This is largest, namely 1, exactly when c = a + b modulo p. And as a function of the neurons it is *linear*, with
# weights $\cos wc$ and $\sin wc$. So if the story is right, the map from neurons to logits, `W_L = W_out @ W_U`, must be
# made, as a function of c, of a few frequencies alone, those that the neurons have: the *key frequencies*.
#
# **Predict first.** Will the frequencies of `W_L` be those of `W_E`?
#
# *Your prediction:*

# %%
W_L = (model.W_out[0] @ model.W_U).double()  # [neuron, c]
shares = frequency_shares(W_L.T, basis)
key_frequencies = fourier.key_frequencies(shares, threshold=0.03)
print("key frequencies, by the rule that their share of W_L exceeds 3 %:", key_frequencies)
print("frequencies over 3 % in W_E:", fourier.key_frequencies(frequency_shares(W_E, basis)))
figures.spectrum(
    {
        "W_L, trained": shares,
        "W_L, before training": frequency_shares((untrained.W_out[0] @ untrained.W_U).double().T, basis),
    },
    "The neurons write only a few frequencies of the answer",
    threshold=0.03,
).show()

# %% [markdown]
# There is no published rule for what makes a frequency "key", so we state ours: more than 3 % of the sum of squares of
# `W_L`. The figure shows how little hangs on the 3: between the bars that are used and those that are not there is a
# wide gap.
#
# <details><summary>Why read W_L and not W_E?</summary>
#
# `W_L` is what reaches the answer. A frequency can be in the embedding without being written to the logits, and here one
# is: 16, twice the key frequency 8. Nanda's first account of such a network
# has one such frequency as well, unexplained. The reverse is impossible: what `W_L` writes must have come from somewhere.
#
# </details>
#
# > **So now we know:** both ends of the network, the embedding and the map from neurons to answers, speak the same few
# > frequencies, and the neurons between them hold the products that the formula needs.

# %% [markdown]
# ---
# ## 4 · The logits are a sum of cosines
#
# **Why we look here.** Circumstantial evidence is not enough. The story makes a sharp prediction about the one thing
# that matters, the output: for every question and every candidate,
#
# $$\text{logit}_c(a, b) \approx \sum_{k \in \text{key}} \alpha_k \cos(w_k(a + b - c)).$$
#
# The left side has 113³ ≈ 1.4 million numbers. The right side has one free number per frequency.

# %% [markdown]
# ### Exercise 21.5 · The prediction
# Difficulty ●●○○○ · Importance ●●●●○ · 10 min
#
# Write the right-hand side as a table.
#
# <details><summary>Hint 1</summary>
#
# The table depends on a, b and c only through a + b − c. Build that first, of shape [p, p, p], by broadcasting
# `x[:, None, None]`, `x[None, :, None]` and `x[None, None, :]`.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Sum over frequencies: `alpha * torch.cos(2 * torch.pi * k * distance / p)`. Compute in float64: angles are large.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# Along c, the largest entry of row (a, b) is at c = (a + b) mod p, and equals the sum of the alphas if they are positive.
#
# </details>

# %%
def cosine_logits(alphas: Float[Tensor, "k"], freqs: list[int], p: int) -> Float[Tensor, "p p p"]:
    """The table [a, b, c] of Σ_k alphas[k] · cos(2π · freqs[k] · (a + b − c) / p)."""
    raise NotImplementedError("Exercise 21.5: replace this line with your code")


checks.fourier.test_cosine_logits(cosine_logits)

# %%
cosine_logits = checks.yours_or(cosine_logits, fourier.cosine_logits)
print("the largest of Σ cos for 97 + 50:", cosine_logits(torch.ones(2, dtype=torch.float64), [1, 8], p)[97, 50].argmax().item())

# %% [markdown]
# Softmax does not change when the same number is added to all logits of a question. So before comparing, subtract from
# each question's logits their mean over c. Then find the coefficients α that fit best, and ask what share of the variance the
# sum explains. The cosines are orthogonal over all (a, b, c), so each coefficient is a single projection.

# %% [markdown]
# ### Exercise 21.6 · The fit
# Difficulty ●●●○○ · Importance ●●●●● · 15 min
#
# Fit the coefficients α and report the share of variance explained.
#
# <details><summary>Hint 1</summary>
#
# For one wave C = cos(w_k(a + b − c)), the least-squares weight is (C · logits) / (C · C), with dots over all p³ entries.
# Since different waves are orthogonal, each can be fitted on its own.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `cosine_logits(torch.ones(1, dtype=torch.float64), [k], p)` of exercise 21.5 is the table C, and C · C = p³/2. With
# `fitted = cosine_logits(alphas, freqs, p)` the explained share is
# 1 − (sum of squares of centred − fitted) / (sum of squares of centred).
#
# </details>
#
# <details><summary>What you should see</summary>
#
# On the trained network more than nine tenths of the variance, from a handful of numbers. On wrong frequencies next to
# nothing.
#
# </details>

# %%
def fit_cosines(logits: Float[Tensor, "p p p"], freqs: list[int]) -> tuple[Float[Tensor, "k"], float]:
    """Least-squares weights of logits ≈ Σ_k α_k cos(2πk(a + b − c)/p), and the share of variance they explain.

    First subtract from each question's logits, logits[a, b, :], their mean over c. The share is
    1 − Σ(centred − fitted)² / Σ centred², with sums over all of [a, b, c].
    """
    raise NotImplementedError("Exercise 21.6: replace this line with your code")


checks.fourier.test_fit_cosines(fit_cosines)

# %%
fit_cosines = checks.yours_or(fit_cosines, fourier.fit_cosines)

alphas, share = fit_cosines(logits, key_frequencies)
fitted = cosine_logits(alphas, key_frequencies, p)
wrong_frequencies = [k for k in range(1, p // 2 + 1) if k not in key_frequencies][: len(key_frequencies)]
memorised = memorising(questions)[:, -1].double().reshape(p, p, p)

print(f"key frequencies {key_frequencies}: {evidence.percent(share)} of the variance")
print(f"as many others {wrong_frequencies}: {evidence.percent(fit_cosines(logits, wrong_frequencies)[1])}")
print(f"the memorising network: {evidence.percent(fit_cosines(memorised, key_frequencies)[1])}")
figures.tables(
    torch.stack([logits[:, :, 0] - logits.mean(-1), fitted[:, :, 0]]),
    ["the network's logit of answer 0", "the fitted sum of cosines"],
    "A handful of numbers reproduce a table",
    columns=2,
).show()

# %% [markdown]
# **Why several frequencies?** A single one has its maximum in the right place already. Look at how the sum of cosines
# falls off around the right answer as more waves are added.

# %%
order = alphas.argsort(descending=True).tolist()
curves = {}
for n in sorted({1, 2, len(order)}):
    chosen = order[:n]
    curve = cosine_logits(alphas[chosen], [key_frequencies[i] for i in chosen], p)[:, 0, 0]  # b = c = 0: distance a
    curves[f"{n} wave{'s' * (n > 1)}"] = curve / curve.max()
figures.margins(curves, "One wave has near misses; several agree only at the right answer").show()

# %% [markdown]
# With one wave the right answer beats its neighbour on the circle by almost nothing: a cosine is flat at its top. Waves
# of other frequencies have their near misses elsewhere. They all agree at distance 0, and nowhere else entirely, so the
# *margin* between right and wrong grows. Exercise 21.10 puts a number on it.
#
# > **So now we know:** the network's output is, to good approximation, the sum of a few cosines of a + b − c.

# %% [markdown]
# ---
# ## 5 · Does the network use it? Keep it, remove it
#
# **Why we look here.** Most of the variance is not all of the function. Perhaps the small rest does the work and the
# waves are decoration. The test has two sides. *Keep* only what the story names: if the story is the whole story, the
# loss should be no worse. *Remove* just what it names: if the network has no other way, the loss should be ruined. And
# a control: remove as many directions that the story does not name, and next to nothing should happen.
#
# As a function of the question, each class's logit is a table over (a, b). The story says that all of it lies along the
# tables $\cos w_k(a+b)$ and $\sin w_k(a+b)$ of the key frequencies: two directions a frequency, out of 12 769. We call
# these the *key directions*, the loss with only them the *restricted loss*, and the loss without them the *excluded loss*.

# %% [markdown]
# ### Exercise 21.7 · Split the logits
# Difficulty ●●●○○ · Importance ●●●●● · 20 min
#
# Split the logits into what lies along the key directions and what does not.
#
# <details><summary>Hint 1</summary>
#
# Make the 2K direction tables cos w_k(a + b) and sin w_k(a + b), each scaled to sum of squares 1 (they are orthogonal
# already). For each class c, a projection is: dot the table with each direction, and add up direction times dot.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# With `directions` of shape [2K, p, p]: `dots = torch.einsum("dab,abc->dc", directions, logits)`, then
# `kept = torch.einsum("dab,dc->abc", directions, dots)`. The sum of squares of cos w_k(a + b) over (a, b) is p²/2.
# The mean that `restricted` keeps is each class's mean over all questions.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# `restricted + excluded` equals the logits plus each class's mean. The restricted loss is about as low as the full loss,
# or lower; the excluded loss is as bad as guessing, or worse.
#
# </details>

# %%
def split_logits(
    logits: Float[Tensor, "p p p"], freqs: list[int]
) -> tuple[Float[Tensor, "p p p"], Float[Tensor, "p p p"]]:
    """The logits with only the key directions over (a, b), and the logits without them: (restricted, excluded).

    For each class c, logits[:, :, c] is a table over (a, b). Its projection is onto the span of the tables
    cos(2πk(a + b)/p) and sin(2πk(a + b)/p) for k in freqs.
    restricted = the class's mean over (a, b) + its projection; excluded = its logits − its projection.
    """
    raise NotImplementedError("Exercise 21.7: replace this line with your code")


checks.fourier.test_split_logits(split_logits)

# %%
split_logits = checks.yours_or(split_logits, fourier.split_logits)
restricted, excluded = split_logits(logits, key_frequencies)
wrong_restricted, wrong_excluded = split_logits(logits, wrong_frequencies)

losses = {
    "as it is": modular.table_loss(logits, task),
    "only the key directions": modular.table_loss(restricted, task),
    "the fitted cosines": modular.table_loss(fitted, task),
    "without other directions": modular.table_loss(wrong_excluded, task),
    "only other directions": modular.table_loss(wrong_restricted, task),
    "without the key directions": modular.table_loss(excluded, task),
}
figures.losses(losses, "Two directions a frequency carry the whole performance").show()
print(f"guessing evenly among {p} answers costs {torch.tensor(float(p)).log():.2f} nats")

# %% [markdown]
# These losses are means over all 12 769 questions; the loss on the card is over the test questions.
#
# **What does it mean?** Compare the first three rows. What does it say about the part of the logits that the story
# leaves out, if the loss *without* that part is lower?
#
# <details><summary>An answer</summary>
#
# What was thrown away was not a better algorithm but noise: on average it pushed wrong answers up. The fitted cosines
# do better than the network they describe. That is strong evidence for an account like this one: the idealised version
# works at least as well as the original. A loss *above* that of even guessing, in the last two rows, is no
# contradiction: a network that is confidently wrong does worse than one that shrugs.
#
# </details>
#
# <details><summary>Fine print: which directions are kept?</summary>
#
# The paper's text describes the restricted loss by products of waves (four products for each frequency: the 2 × 2 blocks
# of the picture in section 2) and computes it with the directions in a + b (two for each frequency), as you did. If the
# story is right it makes little difference, since only those two combinations of the four products carry anything. The
# Deeper section *Fine print of the losses* checks that on this network.
#
# </details>
#
# > **So now we know:** of the network's answers, the part that the story names is sufficient and necessary; what it does
# > not name could go. You removed it from the output. The evidence table at the end removes it from the neurons too.

# %% [markdown]
# ---
# ## 6 · Write the network by hand
#
# **Why we look here.** If you understand a machine you can build one. So far you know what the network computes; now
# find weights that compute it, without training. One puzzle is left: where do the *products* come from, when the neurons
# can only add and clip?
#
# Put a and b on a circle of frequency w and give a neuron the sum of the two points, seen from a direction φ:
#
# $$\cos(wa - \varphi) + \cos(wb - \varphi) \;=\; 2\cos\!\big(\tfrac{w(a-b)}{2}\big)\,\cos\!\big(\tfrac{w(a+b)}{2} - \varphi\big).$$
#
# It looks like a sum, and it *is* a product: a part that knows only the difference a − b, times a wave that knows the
# sum, at half the angle. Now clip it with the ReLU. The ReLU of a wave cos θ is no longer a pure wave:
#
# $$\mathrm{ReLU}(\cos\theta) = \tfrac{1}{\pi} + \tfrac12\cos\theta + \tfrac{2}{3\pi}\cos 2\theta - \tfrac{2}{15\pi}\cos 4\theta + \dots$$
#
# A *harmonic* of a wave is a wave with a multiple of its angle. The second has twice the angle:
# $\cos(w(a+b) - 2\varphi)$. That is the angle of the sum. The neuron at φ holds it under a pile of other terms. But take several neurons, at phases φ spread evenly over the whole circle, and
# weight the neuron at φ by $\cos(2\varphi - wc)$: terms that turn with φ at another speed cancel (all but a few high
# harmonics, which shrink as phases are added), and what remains is $\cos(w(a+b) - wc)$, times a factor
# $|\cos(w(a-b)/2)|$. The absolute value comes from the ReLU: where the factor is negative, θ is turned by π, and the second
# harmonic does not notice. It is never 0, because p is odd, so it never changes which answer is best.
#
# **Predict first.** With one frequency, how many neurons do you need to get all 12 769 sums right?
#
# *Your prediction:*

# %% [markdown]
# ### Exercise 21.8 · Addition without training
# Difficulty ●●●●○ · Importance ●●●●● · 25 min
#
# Write three matrices such that `relu((W_E[a] + W_E[b]) @ W_in) @ W_L` has its largest entry at (a + b) mod p. The number
# of phases is odd for thrift: the series above has no odd harmonic but the first, and then 10 phases cancel no more than 5.
#
# <details><summary>Hint 1</summary>
#
# Row x of `W_E` holds cos(w_k x), sin(w_k x) for each k. A neuron at phase φ of frequency k must see
# cos(w_k x − φ) = cos φ · cos(w_k x) + sin φ · sin(w_k x): so its column of `W_in` holds cos φ and sin φ in the two rows
# of frequency k, and zeros elsewhere.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Phases: 2πj/n_phases for j = 0 … n_phases − 1. `W_in` is block-diagonal with the same 2 × n_phases block for each
# frequency: `torch.block_diag(*[block] * len(freqs))`. Row of `W_L` for phase φ of frequency k: cos(2φ − w_k c) over c.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# Accuracy 1.0 for any odd prime p and any frequency, for every odd number of phases from 5 on. With 3, 4, 6 or 8 phases an
# unwanted harmonic that is too strong does not cancel: harmonic m stays if m + 2 or m − 2 is a multiple of the number of
# phases. An even n counts as n/2 where n/2 is odd and at least 5: 10 phases leave just what 5 leave.
#
# </details>

# %%
def weights_by_hand(
    p: int, freqs: list[int], n_phases: int
) -> tuple[Float[Tensor, "p two_k"], Float[Tensor, "two_k neurons"], Float[Tensor, "neurons p"]]:
    """Weights (W_E, W_in, W_L), from formulas, of a network that adds modulo a prime p.

    relu((W_E[a] + W_E[b]) @ W_in) @ W_L must have its largest entry at (a + b) mod p, for all a and b. W_E has two
    columns for each frequency in freqs and holds no other frequency; there are n_phases neurons for each frequency. No
    neuron is idle (a column of W_in or a row of W_L of zeros), and each frequency raises the right answer's logit.
    n_phases is odd and at least 5. Scale, signs, and the order of columns and neurons are yours to choose.
    """
    raise NotImplementedError("Exercise 21.8: replace this line with your code")


checks.fourier.test_weights_by_hand(weights_by_hand)

# %% [markdown]
# Put your matrices into a real network, one that reads the sum of the two one-hot vectors, and ask it everything.

# %%
weights_by_hand = checks.yours_or(weights_by_hand, fourier.weights_by_hand)


def network_by_hand(p: int, freqs: list[int], n_phases: int) -> MLP:
    """A perceptron on the sum of two one-hot vectors, with the weights of exercise 21.8."""
    W_E, W_in, W_L = weights_by_hand(p, freqs, n_phases)
    network = MLP(MLPConfig(d_in=p, d_hidden=W_in.shape[1], d_out=p)).double().requires_grad_(False)
    network.W_in.copy_(W_E @ W_in)
    network.W_out.copy_(W_L)
    return network


two_hot = modular.two_hot(modular.all_pairs(p), p).double()
sums = modular.labels(modular.all_pairs(p), task).reshape(p, p)
for freqs, n_phases in [([key_frequencies[0]], 3), ([key_frequencies[0]], 5), (key_frequencies, 5), (key_frequencies, 51)]:
    answers = network_by_hand(p, freqs, n_phases)(two_hot).reshape(p, p, p)
    right = answers.gather(-1, sums[..., None])[..., 0]
    best_wrong = answers.scatter(-1, sums[..., None], -torch.inf).amax(-1)
    print(
        f"frequencies: {len(freqs)} · phases: {n_phases:2} · neurons: {len(freqs) * n_phases:3} · "
        f"accuracy {evidence.percent((right > best_wrong).double().mean().item())} · "
        f"smallest margin ÷ largest logit {(right - best_wrong).min() / answers.max():.1e}"
    )

# %% [markdown]
# Five neurons add modulo 113 without a mistake. They do so by a hair: the margins tell you what the trained network
# spends 512 neurons and several frequencies on. Cross-entropy is not content with being right; it pays for being right
# by a lot, and weight decay makes it pay for each unit of scale. More frequencies buy margin at the same scale.
#
# **What does it mean?** With many phases your network's logits are $\sum_k |\cos(w_k(a-b)/2)|\cos(w_k(a+b-c))$, up to scale. How much of
# their variance can a sum of plain cosines explain, and is that more or less than for the trained network?

# %%
by_hand = network_by_hand(p, key_frequencies, 51)(two_hot).reshape(p, p, p)
print(f"by hand: {evidence.percent(fit_cosines(by_hand, key_frequencies)[1])} explained by the sum of cosines")
print(f"formula: {evidence.percent(8 / torch.pi**2)} (8/π²: the squared mean of |cos| over the mean of cos²)")
print(f"trained: {evidence.percent(share)}")

# %% [markdown]
# <details><summary>An answer</summary>
#
# Less. The factor $|\cos(w_k(a-b)/2)|$ makes your network unsure when a and b lie opposite each other on the circle:
# the two points cancel and the neurons see nothing. It explains why the trained network is not just your network with
# more neurons: it has made this factor nearly constant. It has two tools that you did not use. The first Deeper
# section finds them.
#
# </details>
#
# > **So now we know:** the algorithm suffices (your network has nothing else), and the trained network needs it
# > (section 5). That is what it means to have reverse-engineered something.

# %% [markdown]
# ---
# ## Deeper · Two ways to multiply
#
# A transformer has two places where numbers are multiplied. You used one, the ReLU. The other is attention: a head's
# output is an attention weight (which depends on a and b) times a value (which depends on a or b). The first picture of
# the chapter shows that the attention weights are waves.
#
# How much of the multiplying does each do? Measure the share of a neuron's variance that lies in products. Before the
# ReLU, only attention can have put it there. With attention frozen at its average pattern, the neurons' inputs are a
# function of a plus a function of b, without any product, and only the ReLU is left.

# %% [markdown]
# ### Exercise 21.9 · How much is product?
# Difficulty ●●○○○ · Importance ●●●○○ · 10 min
#
# Write the share of each neuron's variance that lies in products of a wave in a with a wave in b.
#
# <details><summary>Hint 1</summary>
#
# In the table of squared coefficients, functions of a alone are column 0 and functions of b alone are row 0.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `power[1:, 1:]` are the products. The total is everything except [0, 0].
#
# </details>
#
# <details><summary>What you should see</summary>
#
# 0, up to rounding, for a table f(a) + g(b), and 1 for cos(w a)·cos(w b).
#
# </details>

# %%
def product_share(activations: Float[Tensor, "p p neuron"], basis: Float[Tensor, "p p"]) -> Float[Tensor, "neuron"]:
    """The share of each neuron's variance over (a, b) that lies in products of a wave in a with a wave in b.

    Products are coefficients [i, j] with i ≥ 1 and j ≥ 1; the total leaves out the constant [0, 0] alone. A dead neuron
    (zero for every question) has share 0.
    """
    raise NotImplementedError("Exercise 21.9: replace this line with your code")


checks.fourier.test_product_share(product_share)

# %%
product_share = checks.yours_or(product_share, fourier.product_share)
average = cache["blocks.0.attn.hook_pattern"].mean(0, keepdim=True)
freeze = ("blocks.0.attn.hook_pattern", lambda pattern, hook: average.expand_as(pattern))
seen: dict[str, Tensor] = {}
keep = [(f"blocks.0.mlp.hook_{side}", lambda x, hook: seen.update({hook.name[-4:].strip("_"): x})) for side in ("pre", "post")]
frozen_logits = model.run_with_hooks(questions, fwd_hooks=[freeze, *keep])[:, -1].double().reshape(p, p, p)


def product_median(activations: Float[Tensor, "questions pos neuron"]) -> str:
    """The median over neurons of the product share at "=", to print."""
    return evidence.percent(product_share(activations[:, -1].double().reshape(p, p, -1), basis).median().item())


print(f"as it is, before the ReLU:         {product_median(cache['blocks.0.mlp.hook_pre'])} of a neuron's variance is product")
print(f"as it is, after the ReLU:          {product_median(cache['blocks.0.mlp.hook_post'])}")
print(f"attention frozen, before the ReLU: {product_median(seen['pre'])}")
print(f"attention frozen, after the ReLU:  {product_median(seen['post'])}")
print(f"accuracy with attention frozen:    {evidence.percent(modular.table_accuracy(frozen_logits, task))}")
print(f"cosines explain: {evidence.percent(share)} as it is, {evidence.percent(fit_cosines(frozen_logits, key_frequencies)[1])} frozen")

# %% [markdown]
# **What does it mean?** Most of the product terms come from the ReLU, as in the network you built. But what attention
# adds is not small change: with its pattern frozen the network gets a good part of its answers wrong.
#
# Your network in section 6 had the factor $|\cos(w(a-b)/2)|$ in front of each wave. What takes it away here? Two things are
# in this network that were not in yours: attention, and the frequency that `W_E` holds and `W_L` does not. The next cell
# freezes the one, or removes the other from `W_E`. For each key frequency it prints the mean amplitude of
# $\cos(w(a+b-c))$ in the logits where a and b cancel (the factor is below 0.2), then where they do not (above 0.8).

# %%
extra = [k for k in fourier.key_frequencies(frequency_shares(W_E, basis)) if k not in key_frequencies]
without_extra = zoo.load("modular-addition")
for k in extra:
    without_extra.W_E[:p] -= (basis[2 * k - 1 : 2 * k + 1].T @ basis[2 * k - 1 : 2 * k + 1] @ W_E).float()
fewer_logits = without_extra(questions)[:, -1].double().reshape(p, p, p)


def amplitudes(table: Float[Tensor, "p p p"], k: int) -> str:
    """The mean amplitude of cos(w_k(a + b − c)) where |cos(w_k(a − b)/2)| is below 0.2, and where it is above 0.8."""
    waves, x = basis[2 * k - 1 : 2 * k + 1], torch.arange(p)
    amplitude = torch.einsum("abd,dab->ab", table @ waves.T, waves[:, sums])
    factor = (torch.pi * k * (x[:, None] - x) / p).cos().abs()
    return f"k = {k}: {amplitude[factor < 0.2].mean():4.1f} / {amplitude[factor > 0.8].mean():4.1f}"


for what, table in {"as it is": logits, "attention frozen": frozen_logits, f"without {extra} in W_E": fewer_logits}.items():
    print(f"{what:>20}:", " · ".join(amplitudes(table, k) for k in key_frequencies), f"· loss {modular.table_loss(table, task):.0e}")

# %% [markdown]
# <details><summary>An answer</summary>
#
# With attention frozen, the neurons' inputs are made as in your hand-made network: a function of a plus a function of b,
# and the amplitude of each wave is $|\cos(w(a-b)/2)|$. Attention depends on a and b, and so can turn the weight from one
# to the other just where they would cancel. It evens the amplitudes of 1 and 21 out: frozen, they all but vanish where a
# and b cancel. Frequency 8 stays nearly as even as it was. There 16 does it: without 16 in `W_E` its amplitude falls to a
# fraction where a and b cancel, and the other two do not change. The likely way: with w the angle of 8, the sum
# $\cos 2wa + \cos 2wb = 2\cos(w(a-b))\cos(w(a+b))$ is a wave in a + b, at full size where a and b cancel at frequency 8.
# That is how the trained network gets beyond 8/π². Attention does most of it, as 8 is the weakest of the three. This is
# one network: whether others share the work in this way is open.
#
# With attention frozen it falls not to your network's level but below it, because its other weights were tuned to work
# with the attention it had. Freezing is a strong intervention: the neurons meet inputs they never met in training, and
# the fall in accuracy overstates what attention contributes. Networks that do without this trick have been called
# *pizzas*, those that use it well *clocks* ([Zhong et al. 2023](https://arxiv.org/abs/2306.17844)).
#
# </details>

# %% [markdown]
# ---
# ## Deeper · How much does another frequency buy?
#
# Section 4 showed that several waves leave fewer near misses than one. Here is the number that counts: how far the right
# answer's logit stands above the best wrong one.

# %% [markdown]
# ### Exercise 21.10 · The margin
# Difficulty ●●○○○ · Importance ●●●○○ · 10 min
#
# Write the margin of a sum of cosines. It is called hundreds of times: compute p values, not p³.
#
# <details><summary>Hint 1</summary>
#
# The logits depend on a, b, c through d = a + b − c alone. The right answer has d = 0; wrong ones have d = 1 … p − 1.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Compute the p values Σ α_k cos(2πkd/p) for d = 0 … p − 1; the margin is the first minus the largest of the others.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# For α = 1 and frequency 1 with p = 113 the margin is 1 − cos(2π/113) ≈ 0.0015.
#
# </details>

# %%
def margin(alphas: Float[Tensor, "k"], freqs: list[int], p: int) -> float:
    """By how much the logit of the right answer exceeds that of the best wrong one, for Σ_k α_k cos(2πk(a + b − c)/p).

    It may be negative, if the weights are such that a wrong answer wins.
    """
    raise NotImplementedError("Exercise 21.10: replace this line with your code")


checks.fourier.test_margin(margin)

# %%
margin = checks.yours_or(margin, fourier.margin)
generator = torch.Generator().manual_seed(0)


def even_margin(freqs: list[int]) -> float:
    """The margin with equal weights and sum of squares 1, as weight decay would have it."""
    n = len(freqs)
    return float(margin(torch.full((n,), n**-0.5, dtype=torch.float64), freqs, p))


counts = list(range(1, 9))
drawn = {n: [even_margin((torch.randperm(p // 2, generator=generator)[:n] + 1).tolist()) for _ in range(100)] for n in counts}
medians = [float(torch.tensor(drawn[n]).median()) for n in counts]
figures.margin_by_count(counts, medians, "At a fixed sum of squares, more frequencies buy more margin").show()
ours, others = even_margin(key_frequencies), drawn[len(key_frequencies)]
print(f"this network's frequencies: {ours:.2f}, more than {sum(m < ours for m in others)} of {len(others)} draws of as many")

# %% [markdown]
# Frequencies were drawn at random (the median of 100 draws is shown), with equal weights and a fixed sum of squared
# weights. One frequency alone has next to no margin, and every further one adds to it. The network's own do better
# than most draws of as many: some sets of waves are more use than others. So why does the network stop at a
# handful? Not because of this curve, which goes on rising. A likely reason: a frequency is not free. It needs a plane of the embedding, a
# share of the heads, and enough neurons to make its second harmonic cleanly, and weight decay charges for all of them.
# What a sum of squared α leaves out is exactly that. The network without attention near the end of this chapter
# pays another price and stops elsewhere.

# %% [markdown]
# ---
# ## Deeper · The circles everybody draws
#
# Papers on grokking show the embedding as a circle, found by principal components. You can now say where it comes from
# before you draw it.

# %% [markdown]
# ### Exercise 21.11 · Look from the right side
# Difficulty ●●●○○ · Importance ●●○○○ · 10 min
#
# Give each number's coordinates in the plane in which the embedding holds frequency k.
#
# <details><summary>Hint 1</summary>
#
# The plane is spanned by two vectors of length d_model: the embedding's cos k and sin k components. They need not be
# orthogonal or of equal length, so make an orthonormal basis of their plane first.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# With `basis = fourier_basis(len(W_E))`, the rows of `basis[2*k-1 : 2*k+1] @ W_E` are the two vectors; `torch.linalg.qr`
# of its transpose gives two orthonormal columns. Multiply `W_E` by them.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# For the key frequencies the numbers lie on a circle, and going from x to x + 1 turns by 2πk/p.
#
# </details>

# %%
def circle(W_E: Float[Tensor, "p d_model"], k: int) -> Float[Tensor, "p 2"]:
    """Coordinates of each row of W_E in the plane of frequency k.

    The plane is spanned by the cos k and sin k components of W_E (waves over the rows). Coordinates are along any
    orthonormal basis of that plane: the picture may come out rotated or mirrored. The mean row stays in W_E.
    """
    raise NotImplementedError("Exercise 21.11: replace this line with your code")


checks.fourier.test_circle(circle)

# %%
circle = checks.yours_or(circle, fourier.circle)
planes = {k: circle(W_E, k) for k in [*key_frequencies, *extra, 3]}
for k, points in planes.items():
    inside = frequency_shares(points, basis)
    print(f"plane of k = {k:2}: frequency {inside.argmax() + 1:2} makes {evidence.percent(inside.max().item())} of the variance")
figures.circles(planes, "In a key frequency's plane the numbers go round k times").show()

# %% [markdown]
# The last two panels are controls. 16 is no key frequency: `W_E` holds it and `W_L` does not. Frequency 3 hardly occurs in
# `W_E`. A circle alone proves little: in the plane of k = 3 the numbers lie on a circle too, but it turns once, not three
# times. The two vectors that span that plane are small and nearly noise, so frequency 1, which is strong, leaks into it.
# Look at the order of the points: the colour is the angle 2πkx/p, and in the plane of 3 it runs round three times.

# %% [markdown]
# ---
# ## Deeper · Predict a network you have not seen
#
# Another network of the same shape was trained on **subtraction**, a − b modulo 113, on half of the questions. You know how
# addition works.
#
# **Predict first.** What will this one do? Write down at least: which identity it needs, along which directions over
# (a, b) its logits will lie, and what your tools would report if you pointed them at it unchanged.
#
# *Your prediction:*

# %% [markdown]
# ### Exercise 21.12 · Subtraction from addition
# Difficulty ●●○○○ · Importance ●●○○○ · 10 min
#
# Turn the logit table of a network that adds into that of a network that subtracts, by renaming its inputs.
#
# <details><summary>Hint 1</summary>
#
# a − b is a + (−b), and −b modulo p is one of the numbers 0 … p − 1.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# With `p = len(logits)`, index the second axis with `(-torch.arange(p)) % p`.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# Doing it twice gives the table back. So the same function turns a subtraction table into an addition table.
#
# </details>

# %%
def subtraction_from_addition(logits: Float[Tensor, "p p p"]) -> Float[Tensor, "p p p"]:
    """The table [a, b, c] of a network that answers a − b, made from that of one that answers a + b, by renaming inputs."""
    raise NotImplementedError("Exercise 21.12: replace this line with your code")


checks.fourier.test_subtraction_from_addition(subtraction_from_addition)

# %%
subtraction_from_addition = checks.yours_or(subtraction_from_addition, fourier.subtraction_from_addition)
subtractor = zoo.load("modular-subtraction")
differences = subtractor(questions)[:, -1].double().reshape(p, p, p)
sub_keys = fourier.key_frequencies(frequency_shares(zoo.neuron_logit_map(subtractor).double().T, basis))
print(f"test accuracy on a − b: {modular.table_accuracy(differences, modular.ModularTask(operation='subtract', fraction=0.5), 'test'):.2%}")
print(f"key frequencies {sub_keys}")
print(f"a sum of cosines of a + b − c explains {evidence.percent(fit_cosines(differences, sub_keys)[1])}")
renamed = subtraction_from_addition(differences)  # the table of a network that adds
sub_alphas, sub_share = fit_cosines(renamed, sub_keys)
print(f"with b renamed to −b                   {evidence.percent(sub_share)}")
sub_restricted, sub_excluded = split_logits(renamed, sub_keys)
print(f"loss of the network {modular.table_loss(renamed, task):.0e}, of the fitted cosines alone "
      f"{modular.table_loss(cosine_logits(sub_alphas, sub_keys, p), task):.0e} nats")
print(f"only the key directions {modular.table_loss(sub_restricted, task):.0e}, "
      f"without them {modular.table_loss(sub_excluded, task):.0f} nats")

# %% [markdown]
# <details><summary>An answer</summary>
#
# The same algorithm with one sign changed: $\cos(w(a-b)) = \cos wa\cos wb + \sin wa\sin wb$. Pointed at it unchanged,
# the fit for a + b finds nothing; after renaming b the same frequencies explain more than half of the variance. That is
# less than the first network's share, and less even than that of the network you wrote by hand. Yet those cosines are what
# counts: alone they answer better than the network, and without their directions it is ruined. It is a less tidy network
# all the same: keeping *everything* along those directions makes it worse, so along them it also writes something that is
# no such cosine. An account that predicts an unseen network, and the way in which your own tools will fail on it, is worth
# more than one fitted afterwards.
#
# </details>

# %% [markdown]
# ---
# ## Deeper · A network without attention
#
# One more network is simpler: 113 inputs, the sum of the two one-hot vectors, one hidden layer of 256 ReLU neurons, 113
# logits. It is an MLP and nothing else; so as not to mix it up with the MLP of a transformer we call it the *perceptron*.
# It groks the same task. It has no attention, and one kind of multiplication. Is its algorithm the
# same?
#
# **Predict first.** Three things: which frequencies it will use; what share of its neurons will keep to one frequency;
# and how much a sum of plain cosines will explain (think of section 6).
#
# *Your prediction:*

# %%
perceptron = zoo.load("modular-mlp").double()
outputs, hidden = perceptron.run_with_cache(two_hot)
mlp_logits, mlp_neurons = outputs.reshape(p, p, p), hidden["hook_post"].reshape(p, p, -1)
mlp_shares = frequency_shares(perceptron.W_out.T, basis)
print(f"test accuracy {zoo.card('modular-mlp')['metrics']['test_accuracy']:.2%}")
print("frequencies over 3 % in W_out:", fourier.key_frequencies(mlp_shares))
print(f"smallest share {mlp_shares.min():.2%}, largest {mlp_shares.max():.2%}")
figures.spectrum(
    {
        "W_out, trained": mlp_shares,
        "W_out, before training": frequency_shares(zoo.entry("modular-mlp").recipe.problem.make_model(0).W_out.detach().T.double(), basis),
    },
    "No frequency of the perceptron stands out",
    threshold=0.03,
).show()

# %% [markdown]
# No key frequencies at all. By the look of this spectrum the perceptron found something else, or nothing wavy. Before
# you believe that, ask the neurons.

# %%
mlp_best, mlp_explained = neuron_frequencies(mlp_neurons, basis)
every_frequency = list(range(1, p // 2 + 1))
members = torch.bincount(mlp_best, minlength=p // 2 + 1)[1:]
mlp_restricted, mlp_excluded = split_logits(mlp_logits, every_frequency)
print(f"neurons explained to more than 85 % by one frequency: {(mlp_explained > 0.85).sum()} of {len(mlp_best)}")
print(f"frequencies that own a neuron: {(members > 0).sum()} of {p // 2}, with {members.min()} to {members.max()} neurons each")
five_each = network_by_hand(p, every_frequency, 5)(two_hot).reshape(p, p, p)
print(f"a sum of cosines of all frequencies explains {evidence.percent(fourier.fit_cosines(mlp_logits, every_frequency).explained)} of the logits; "
      f"by hand, with five neurons for each, {evidence.percent(fourier.fit_cosines(five_each, every_frequency).explained)}")
print(f"loss {modular.table_loss(mlp_logits, task):.0e}; only directions in a + b {modular.table_loss(mlp_restricted, task):.0e}; "
      f"without them {modular.table_loss(mlp_excluded, task):.1f} nats")

# %% [markdown]
# <details><summary>An answer</summary>
#
# The same algorithm, spread thin: nearly every neuron keeps to one frequency, and *every* frequency has some neurons.
# So no frequency of the whole matrix stands out. The rule "more than 3 % of the sum of squares"
# answers the question it was made for, how concentrated a matrix is, and not the question whether neurons compute with
# waves. About half of the logits' variance is no sum of plain cosines. Few neurons and no attention do not explain that:
# five by hand for each frequency have neither more, and lose a fifth only. But theirs have evenly spread phases and
# equal amplitudes. Uneven ones may make the difference here; this chapter leaves it open. Throw away what does not lie along
# directions in a + b, and the loss falls by a large factor. [Nanda](https://www.lesswrong.com/posts/N6WM6hs7RQMKDhYjB/a-mechanistic-interpretability-analysis-of-grokking)
# saw the same in a perceptron of this width: a cluster for every frequency, of three to seven neurons.
#
# </details>

# %% [markdown]
# ---
# ## Deeper · Fine print of the losses
#
# Two details that papers leave to their code, checked here.
#
# *Products or sums?* The restricted loss can keep the four products of each key frequency or, as you did, the two
# directions in a + b. *Which precision?* In float32 a single example cannot cost less than 2⁻²³ ≈ 1.2e-7 nats, unless
# it is exactly 0. Softmax divides by a sum that is 1 + ε, relative to its largest term, and float32 has no number between 1 and
# 1 + 2⁻²³: a small ε is rounded to 0 or to 2⁻²³. Losses at the level of this network must be computed in float64.

# %%
coefficients = fourier.fourier_2d(logits, basis)
products = torch.zeros_like(coefficients)
products[0, 0] = coefficients[0, 0]
for k in key_frequencies:
    rows = torch.tensor([2 * k - 1, 2 * k])
    products[rows[:, None], rows] = coefficients[rows[:, None], rows]
products_only = fourier.inverse_fourier_2d(products, basis)
print(f"restricted loss, directions in a + b: {modular.table_loss(restricted, task):.1e}")
print(f"restricted loss, all four products:   {modular.table_loss(products_only, task):.1e}")

right = modular.labels(modular.all_pairs(p), task)
for name, number in {"float32": torch.float32, "float64": torch.float64}.items():
    each = torch.nn.functional.cross_entropy(restricted.flatten(0, 1).to(number), right, reduction="none")
    print(f"{name}: {(each == 0).double().mean():.0%} of the questions cost exactly 0; smallest other cost {each[each > 0].min():.1e}")

# %% [markdown]
# ---
# ## Deeper · Grok one yourself
#
# With ten times the learning rate and twice the decay the same network groks in a few hundred steps. That shortens the
# wait (the subject of chapter 22) but leaves the algorithm as it is: other frequencies, same waves. Set
# `COURSE_LIVE=1` before starting Jupyter, or change `live` here, to train one; it takes about a minute.

# %%
import os

live = os.environ.get("COURSE_LIVE") == "1"
if live:
    from course_utils.training import train

    run = train(zoo.entry("modular-addition-fast").recipe, progress=True)
    fresh, fresh_history = run.model.requires_grad_(False), run.history
else:
    fresh, fresh_history = zoo.load("modular-addition-fast"), zoo.history("modular-addition-fast")
fresh_keys = fourier.key_frequencies(frequency_shares(zoo.neuron_logit_map(fresh).double().T, basis))
fresh_logits = fresh(questions)[:, -1].double().reshape(p, p, p)
print("trained just now" if live else "the shipped run", "· key frequencies", fresh_keys)
print("a sum of cosines explains", evidence.percent(fit_cosines(fresh_logits, fresh_keys)[1]))
figures.learning_curves(fresh_history, "At ten times the learning rate the wait is short").show()

# %% [markdown]
# How often does it work? The zoo has a table of runs with seeds that were not used to choose the setting:

# %%
rows = zoo.table("modular-addition-fast-seeds")
for column, what in {"steps_to_99": "test accuracy of 99 %, kept for 100 steps", "steps_to_low_loss": "test loss below 0.01, kept for 100 steps"}.items():
    reached = sorted(row[column] for row in rows if row[column] is not None)
    print(f"{what}: {len(reached)} of {len(rows)} seeds, after {reached[0]} to {reached[-1]} steps (median {reached[len(reached) // 2]})")
print("key frequencies by seed:", *(row["key_frequencies"] for row in rows))

# %% [markdown]
# ---
# ## Evidence
#
# Every claim of this chapter beside the paper's number and a control that could have refuted it. All of it is computed
# here, from the shipped weights. The last column says which limit decides.
#
# Three rows cut inside the network, not at its output. As a function of c, `W_L` holds a cosine and a sine of each key
# frequency. The weights with which the neurons write them are two directions among the 512 neurons, which the paper calls
# u_k and v_k. The story says that along u_k and v_k the neurons are waves in a + b, and that nothing else they do matters:
# so their activations are projected on these six directions, or on what is perpendicular to all of them.

# %%
directions = fourier.neuron_directions(W_L, key_frequencies)  # u_k and v_k: along which W_L reads frequency k
plane = torch.linalg.qr(directions.T).Q
random_plane = torch.linalg.qr(torch.randn(plane.shape, dtype=plane.dtype, generator=torch.Generator().manual_seed(0))).Q
stream = cache["blocks.0.hook_resid_mid"][:, -1].double().reshape(p, p, -1) @ model.W_U.double()  # what skips the MLP


def only(axes: Float[Tensor, "neuron m"]) -> Float[Tensor, "p p p"]:
    """The logits if the neurons' activations are projected on these orthonormal axes."""
    return neurons @ axes @ axes.T @ W_L + stream


def share_of_sum(values: Float[Tensor, "p p"], k: int) -> float:
    """What share of a table's variance is a wave of frequency k in a + b?"""
    along = torch.einsum("dab,ab->d", fourier.sum_directions([k], p), values)
    return float(along.pow(2).sum() / (values - values.mean()).pow(2).sum())


def clear_share(network: torch.nn.Module) -> float:
    """The fraction of a network's neurons that one frequency explains to more than 85 %."""
    return float((fourier.neuron_frequencies(neuron_table(network), basis).explained > 0.85).double().mean())


def loss(table: Float[Tensor, "p p p"]) -> float:
    """The mean loss of a table of logits over all questions, in nats."""
    return modular.table_loss(table, task)

# %% tags=["evidence"]
number, percent, verdict = evidence.number, evidence.percent, evidence.verdict
before = fourier.frequency_shares((untrained.W_out[0] @ untrained.W_U).double().T, basis)
neurons_clear = {name: clear_share(network) for name, network in {"ours": model, "memorising": memorising}.items()}
pairs = zip(key_frequencies, directions.unflatten(0, (-1, 2)), strict=True)
along = [share_of_sum(neurons @ direction, k) for k, pair in pairs for direction in pair]
along_random = [share_of_sum(neurons @ direction, k) for k in key_frequencies for direction in random_plane.T]
fit, (wrong_alphas, wrong_fit) = (fourier.fit_cosines(logits, freqs) for freqs in (key_frequencies, wrong_frequencies))
wrong_fitted_loss = loss(fourier.cosine_logits(wrong_alphas, wrong_frequencies, p))
memorised_fit = fourier.fit_cosines(memorised, key_frequencies).explained
split, wrong_split = fourier.split_logits(logits, key_frequencies), fourier.split_logits(logits, wrong_frequencies)
full, fitted_loss = loss(logits), loss(fourier.cosine_logits(fit.alphas, key_frequencies, p))
on_plane, off_plane = loss(only(plane)), loss(logits - neurons @ plane @ plane.T @ W_L)
on_random, off_random = loss(only(random_plane)), loss(logits - neurons @ random_plane @ random_plane.T @ W_L)
five, three = (
    modular.table_accuracy(network_by_hand(p, key_frequencies[:1], n)(two_hot).reshape(p, p, p), task) for n in (5, 3)
)
guess = float(torch.tensor(float(p)).log())

evidence.table(
    [
        ("a few key frequencies: share of W_L over 3 %", "14 35 41 42 52", " ".join(map(str, key_frequencies)),
         f"before training: none over {percent(before.max().item())}", "other seed; the rule is ours",
         verdict(3 <= len(key_frequencies) <= 6, "3 to 6")),
        ("neurons explained to over 85 % by one frequency", "84.6 %", percent(neurons_clear["ours"]),
         f"memorising: {percent(neurons_clear['memorising'])}", "", verdict(neurons_clear["ours"] > 0.75, "over 75 %")),
        ("waves in a + b explain the neurons along u_k, v_k", "93.2–98.2 %", f"{percent(min(along))}–{percent(max(along))}",
         f"random directions: at most {percent(max(along_random))}", "", verdict(min(along) > 0.93, "over 93 %")),
        ("a sum of cosines explains the logits", "95 %", percent(fit.explained),
         f"other frequencies: {percent(wrong_fit)}; memorising: {percent(memorised_fit)}", "",
         verdict(fit.explained > 0.95, "over 95 %")),
        ("loss of the network", "2.41e-7", number(full), f"memorising: {number(loss(memorised))}; guessing: {number(guess)}",
         "14 000 steps, not 40 000", verdict(full < 1e-6, "under 1e-6")),
        ("loss of the fitted cosines", "4.7e-8", number(fitted_loss), f"other frequencies: {number(wrong_fitted_loss)}", "",
         verdict(fitted_loss < full, "under the network's")),
        ("loss with the directions in a + b alone", "5.54e-8", number(loss(split.restricted)),
         f"other frequencies: {number(loss(wrong_split.restricted))}", "",
         verdict(loss(split.restricted) < full, "under the network's")),
        ("loss without the directions in a + b", "not published", number(loss(split.excluded)),
         f"without others: {number(loss(wrong_split.excluded))}", "over all pairs",
         verdict(loss(split.excluded) > guess, "over guessing")),
        ("loss, neurons projected on u_k, v_k", "1.19e-7", number(on_plane),
         f"on as many random ones: {number(on_random)}", "", verdict(on_plane < 2 * full, "under twice the network's")),
        ("loss, neurons without u_k, v_k", "5.27", number(off_plane),
         f"without random ones: {number(off_random)}", "", verdict(off_plane > 1, "over 1")),
        ("five neurons written by hand add: accuracy", "not published", percent(five), f"three neurons: {percent(three)}",
         "no training", verdict(five == 1, "all questions")),
    ]
)  # fmt: skip

# %% [markdown]
# Three things are worth a word. Projecting the neurons on the key directions *lowered* the paper's loss and raises ours by
# two fifths. So in the neurons ours fails the test of section 5, "no worse", and the row's limit asks for less, "under twice
# the network's": what is cut away still helps a little. Taking out as many random directions nearly triples the loss, to
# 3.4e-7: next to nothing beside the 4.7 of the row. And this network uses fewer frequencies than the paper's. Seeds differ
# in that, but the table of seeds above does not explain it: ten seeds of the fast setting have 3 or 4, never 5.
#
# ## Open ends
#
# * **Does another network use a double?** In this run `W_E` holds 16, twice the key frequency 8, and it evens out the
#   amplitude of 8. That is one network. First step: train the same setting with a second seed, look for a frequency in
#   `W_E` that `W_L` lacks, remove it, and print the amplitudes as in *Two ways to multiply*.
# * **Does subtraction take more data?** The network that subtracts was given half of the questions. First step: train addition
#   and subtraction on 30 %, 40 % and 50 % in the *fast setting* (that of the section above, ten times the learning rate and
#   twice the decay). If they differ, is it because a + b = b + a lets one question
#   teach two?
# * **Why these frequencies?** Each seed ends with its own handful. First step: train the fast setting from ten
#   initialisations with the same data, and from the same initialisation with ten splits; which of the two decides?
# * **How does it memorise?** This chapter explains the network at the end, and nothing about what it knew at step 1 000.
#   First step: apply your tools to `zoo.load("modular-addition", step=1000)` and say what they *do* find.
# * **Harder moduli.** What happens when p is not prime, say 112 or 121? First step: find out what `fourier_basis` should be
#   for even p, then train the fast setting.
#
# ## Further reading
#
# * Nanda, Chan, Lieberum, Smith and Steinhardt, [Progress measures for grokking via mechanistic
#   interpretability](https://arxiv.org/abs/2301.05217) (2023): the work this chapter reproduces.
# * Power, Burda, Edwards, Babuschkin and Misra, [Grokking](https://arxiv.org/abs/2201.02177) (2022): where the delay was
#   first reported.
# * Zhong, Liu, Tegmark and Andreas, [The clock and the pizza](https://arxiv.org/abs/2306.17844) (2023): two ways of
#   adding with waves, and how to tell them apart.
# * Gromov, [Grokking modular arithmetic](https://arxiv.org/abs/2301.02679) (2023): a two-layer network solved in closed form.
