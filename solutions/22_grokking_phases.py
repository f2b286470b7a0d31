# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# course:
#   title: The phases of grokking
#   minutes: 120
#   prerequisites: ["21"]
# ---

# %% [markdown]
# # 22 · The phases of grokking
#
# *What goes on inside a network while its loss says nothing?*
#
# Here is the training of the network of chapter 21: addition modulo 113, learnt from 30 % of all questions.

# %%
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_utils import checks, evidence, fourier, progress, zoo
from course_utils.plots import grokking as figures
from course_utils.plots import lines
from course_utils.plots import modular as modular_figures
from course_utils.tasks import modular
from course_utils.training import Recipe, train
from course_utils.zoo.problems import ModularTransformer, modular_logits

name = "modular-addition"
p, task, problem = 113, modular.ModularTask(), zoo.entry(name).recipe.problem
history, key_frequencies = zoo.history(name), zoo.card(name)["metrics"]["key_frequencies"]
modular_figures.learning_curves(history, "Nothing seems to happen for thousands of steps, and then everything").show()

# %% [markdown]
# By step 200 it answers every training question. Its test loss, meanwhile, climbs to five times that of guessing, stays
# absurd for thousands of steps, and then falls by seven powers of ten within two and a half thousand.
#
# It looks like luck: as if the weights wandered about among all solutions that fit the training set until they stumbled on
# the one that generalises. By the end of this chapter you will have shown that it is nothing of the kind. **When test loss
# gets below that of guessing, the circuit that adds has been complete for 150 steps.** You will watch it grow from the first
# few hundred steps on, say by rule when each phase ends, find what hid it, and change the length of the wait at will.
#
# ## What you will be able to do
#
# * measure a circuit that has no effect on the loss yet;
# * divide a training run into phases by a rule;
# * tell two solutions apart inside one network, and say which of them gave an answer;
# * explain why a thing made of several parts is learnt slowly and then suddenly;
# * say what grokking needs, from sweeps (tables of many runs), and what sets its pace.
#
# **Before you start.** You need chapter 21: the key frequencies, and the split of the logits into the directions
# $\cos w_k(a+b)$, $\sin w_k(a+b)$ and the rest. The core path takes about two hours. Sections marked *Deeper* may be left out.
#
# **The runs.** The zoo keeps this network's weights at 20 moments of its training, and tables of some seventy further runs,
# each with its recipe. Where several runs are compared, the one of this chapter is the *mainline* run.

# %%
steps = [*zoo.snapshot_steps(name), int(history["step"][-1])]
print(f"snapshots: {', '.join(map(str, steps[:-1]))}, and the end, {steps[-1]}")
print(f"key frequencies of the finished network: {key_frequencies}")
answers = modular.labels(modular.all_pairs(p), task).reshape(p, p)  # the right class of each question [a, b]
train_questions = modular.train_mask(task).reshape(p, p)

# %% [markdown]
# ---
# ## 1 · Measure what does not show
#
# **Why we look here.** A loss adds up everything that a network does. If it holds two solutions at once, one that has
# memorised the training set and one that adds, test loss tells you about the louder. So take them apart. We call the first
# its *memory* and the second *the circuit*. Chapter 21 found where the circuit lives in the finished network: in six of
# 12 769 directions over (a, b). Use the *finished*
# network's directions as a probe at every earlier moment:
#
# * **restricted loss**: keep only these directions (and each class's mean), over all questions. It says how well the
#   circuit would do if it were alone.
# * **excluded loss**: remove only these directions, over the *training* questions. It says how well the network would do on
#   what it has seen without the circuit: by memory.
#
# Both measures are due to [Nanda et al. 2023](https://arxiv.org/abs/2301.05217). (Chapter 21 took the excluded loss over *all*
# questions: there it was to show that the network has no other way. Here it is to show the memory, so it is taken where memory
# helps.)
#
# **Predict first.** Test loss begins to fall at about step 1 300 and passes that of guessing (4.7 nats) near step 3 900. When
# will the restricted loss begin to fall? And the excluded loss, on training questions that are all answered: will it move
# at all?
#
# *Your prediction:*

# %% [markdown]
# ### Exercise 22.1 · Two solutions, two losses
# Difficulty ●●○○○ · Importance ●●●●● · 15 min
#
# Write the restricted and the excluded loss of a table of logits. `fourier.split_logits(logits, freqs)` (exercise 21.7) splits it.
#
# <details><summary>Hint 1</summary>
#
# `fourier.split_logits` gives both tables. What is left is which questions each is averaged over.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `torch.nn.functional.cross_entropy` wants one question a row: `table.flatten(0, 1)` with `answers.flatten()` for all
# questions, `table[train]` with `answers[train]` for those in the training set.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# For the finished network: restricted about 6e-8, excluded about 7.5. At step 0 both are near log 113 = 4.73.
#
# </details>

# %%
def progress_losses(
    logits: Float[Tensor, "p p p"], freqs: list[int], answers: Int[Tensor, "p p"], train: Bool[Tensor, "p p"]
) -> tuple[float, float]:
    """(restricted loss over all questions, excluded loss over the training questions), mean cross-entropy in nats.

    Restricted: of the logits [a, b, class], only each class's mean and the directions cos and sin of 2πk(a + b)/p for k in
    freqs are kept. Excluded: only those directions are removed. answers[a, b] is the right class; train[a, b] says whether
    the question is in the training set.
    """
    # BEGIN SOLUTION
    restricted, excluded = fourier.split_logits(logits, freqs)
    cross_entropy = torch.nn.functional.cross_entropy
    return (
        cross_entropy(restricted.flatten(0, 1), answers.flatten()).item(),
        cross_entropy(excluded[train], answers[train]).item(),
    )
    # END SOLUTION


checks.grokking.test_progress_losses(progress_losses)

# %% [markdown]
# Measure at every snapshot. (This cell asks 21 networks 12 769 questions each and trains two more for 80 steps: half a
# minute to a minute and a half.) Two controls come along. The same measures with *other* frequencies, drawn at random, must not fall. And a network that was trained, just
# now, on the same questions with random answers has nothing but memory: if a falling restricted loss were something that
# any trained network shows, it would show it too. Beside it stands a network trained equally long on sums.

# %%
progress_losses = checks.yours_or(progress_losses, progress.progress_losses)
generator = torch.Generator().manual_seed(0)
others = [k for k in (torch.randperm(p // 2, generator=generator) + 1).tolist() if k not in key_frequencies][:3]
basis = fourier.fourier_basis(p)
PARTS = ("train", "test", "restricted", "excluded", "excluded, test questions", "others kept", "others removed")
losses: dict[str, list[float]] = {part: [] for part in PARTS}
correct, spectra, squares, frames = [], [], [], {}
waves = fourier.sum_directions(list(range(1, p // 2 + 1)), p)  # cos and sin of w_k(a + b), each k
key_waves, loudness = fourier.sum_directions(key_frequencies, p), []  # and how large the circuit's logits are
moments = [0, 200, 1000, 2000, 3000, 3500, 4000, 4500, 5000, 6000, steps[-1]]
questions = modular.tokens(modular.all_pairs(p), p)
for step in steps:
    network = zoo.load(name, step=step) if step in zoo.snapshot_steps(name) else zoo.load(name)
    logits = modular_logits(problem, network)
    restricted, excluded = progress_losses(logits, key_frequencies, answers, train_questions)
    _, excluded_test = progress_losses(logits, key_frequencies, answers, ~train_questions)
    kept, removed = progress_losses(logits, others, answers, train_questions)
    whole = [modular.table_loss(logits, task, part) for part in ("train", "test")]
    now = [*whole, restricted, excluded, excluded_test, kept, removed]
    for values, loss in zip(losses.values(), now, strict=True):
        values.append(float(loss))
    loudness.append(torch.einsum("dab,abc->dc", key_waves, logits).norm().item())
    correct.append(logits.argmax(-1) == answers)
    spectra.append({
        "W_E": fourier.frequency_shares(network.W_E[:p].double(), basis),
        "W_L": fourier.frequency_shares(zoo.neuron_logit_map(network).double().T, basis),
    })
    squares.append({part: weight.double().square().sum().item() for part, weight in network.state_dict().items()})
    if step in moments:
        centred = logits - logits.mean((0, 1))
        power = torch.einsum("dab,abc->dc", waves, centred).square().sum(1)
        post = "blocks.0.mlp.hook_post"
        neuron = network.run_with_cache(questions, names=post)[1][post][:, -1, 5].reshape(p, p)
        frames[step] = (spectra[-1]["W_E"], neuron, power.reshape(-1, 2).sum(1) / centred.square().sum())

random_task = modular.ModularTask(operation="random")
memory_only = train(Recipe(ModularTransformer(random_task), steps=80, lr=1e-2, log_every=80))
random_logits = modular_logits(memory_only.recipe.problem, memory_only.model)
random_answers = modular.labels(modular.all_pairs(p), random_task).reshape(p, p)
random_shares = fourier.frequency_shares(zoo.neuron_logit_map(memory_only.model).double().T, basis)
strongest = (random_shares.argsort(descending=True)[:3] + 1).tolist()
random_restricted, _ = progress_losses(random_logits, strongest, random_answers, train_questions)
print(f"random answers: training accuracy {memory_only.history['train_accuracy'][-1]:.0%}, no frequency over "
      f"{random_shares.max():.1%} of W_L, restricted loss with its three strongest {random_restricted:.2f} nats")
also_sums = train(Recipe(ModularTransformer(), steps=80, lr=1e-2, log_every=80))
sums_shares = fourier.frequency_shares(zoo.neuron_logit_map(also_sums.model).double().T, basis)
sums_strongest = (sums_shares.argsort(descending=True)[:3] + 1).tolist()
sums_restricted, _ = progress_losses(modular_logits(problem, also_sums.model), sums_strongest, answers, train_questions)
print(f"sums, as many steps: training accuracy {also_sums.history['train_accuracy'][-1]:.0%}, the strongest frequency has "
      f"{sums_shares.max():.1%}, restricted loss {sums_restricted:.2f} nats")
shown = {part: losses[part] for part in PARTS[:5]}
lines.curves(
    steps, shown, "The circuit grows from the first few hundred steps on; test loss hides it", "step", "loss (nats)", logarithmic=True
).show()

# %% [markdown]
# Both controls behave. After 80 steps the network with random answers is at 5.08 nats, worse than guessing: memory alone does not
# lower the measure. The one that learns sums is at 3.05 by then.
#
# **What does it mean?** Read the figure at step 3 750: restricted loss 0.008, test loss 6.6. Which part of the network is to
# blame for its test answers?
#
# <details><summary>An answer</summary>
#
# The circuit is there and, alone, would answer nearly everything. On test questions the memorised part shouts
# over it: it was fitted on other questions, and on these it is confident and wrong. There are two voices in one network, and
# a test answer is decided by the louder.
#
# </details>
#
# The excluded loss is the memory's own. It *falls* until step 1 000: the network gets better by memory. Then it rises, though no
# training answer changes: the network has begun to rest its training answers on the circuit, and lets go of what it knew by
# heart. When is nothing of it left? Memory betrays itself by a difference: it does better on what was seen. So compare the excluded
# loss with that of the same logits on *test* questions, the uppermost curve.

# %%
print(f"{'step':>6} {'excluded loss, train':>22} {'test':>7} {'accuracy, train':>17} {'test':>7}")
for step in (1000, 3750, steps[-1]):
    network = zoo.load(name, step=step) if step != steps[-1] else zoo.load(name)
    without = fourier.split_logits(modular_logits(problem, network), key_frequencies).excluded
    row = [f(without, task, part) for f in (modular.table_loss, modular.table_accuracy) for part in ("train", "test")]
    print(f"{step:>6} {row[0]:>22.3g} {row[1]:>7.3g} {row[2]:>17.1%} {row[3]:>7.1%}")

# %% [markdown]
# At step 3 750 it still knows some of the training set by heart. At the end what is left does hardly better on training questions
# than on others: the difference was the memory, and next to nothing of it is left. (What is left is the answer of a network whose best part was cut out:
# confident nonsense, which costs more than guessing. How much more is a matter of scale, and weight decay shrinks the scale.
# That is why the excluded loss comes down again after step 4 750.)
#
# **Quieter memory or louder circuit?** Between steps 3 750 and 5 000 test loss falls from 6.6 to 0.004. Two things could have done
# it. Take the key part of the logits from one step and the rest from the other, and see.

# %%
early_parts, late_parts = (
    fourier.split_logits(modular_logits(problem, zoo.load(name, step=step)), key_frequencies) for step in (3750, 5000)
)


def mixed_loss(key: fourier.SplitLogits, rest: fourier.SplitLogits) -> float:
    """Test loss of the key directions of one network with all else of another."""
    means = key.restricted.mean((0, 1))  # `restricted` holds each class's mean as well, and so does `excluded`
    return modular.table_loss(key.restricted - means + rest.excluded, task, "test")


print(f"step 3 750:                          {mixed_loss(early_parts, early_parts):.3g} nats")
print(f"circuit of 5 000, memory of 3 750:   {mixed_loss(late_parts, early_parts):.3g}")
print(f"circuit of 3 750, memory of 5 000:   {mixed_loss(early_parts, late_parts):.3g}")
print(f"step 5 000:                          {mixed_loss(late_parts, late_parts):.3g}")
for label, parts in (("3 750", early_parts), ("5 000", late_parts)):
    key = (parts.restricted - parts.restricted.mean((0, 1))).norm()
    rest = (parts.excluded - parts.excluded.mean((0, 1))).norm()
    print(f"step {label}: norm of the circuit's logits {key:,.0f}, of the rest {rest:,.0f}")

# %% [markdown]
# Both did, and neither alone. The louder circuit does more of it: its logits have doubled, while the rest has shrunk by a seventh. So
# clearing the memory away is only half of what happens when a network groks. The circuit does not have to be *found* any more; it has to win.
#
# **And the random walk?** A walk that stumbles on a solution would show nothing, and then everything at once. How smooth is
# what you measured?

# %%
until = steps.index(5000)
falls = sum(later < earlier for earlier, later in zip(losses["restricted"][:until], losses["restricted"][1:], strict=False))
print(f"restricted loss fell between {falls} of {until} successive snapshots up to step 5 000")
drops = [earlier - later for earlier, later in zip(losses["restricted"], losses["restricted"][1:], strict=False)]
widest = drops.index(max(drops))
every_500 = [losses["restricted"][steps.index(step)] - losses["restricted"][steps.index(step + 500)] for step in range(500, 3000, 500)]
print(f"from step 500 to 3 000 it fell in each 500 steps by {', '.join(map(evidence.number, every_500))} nats")
print(f"its largest fall between two of them: {evidence.number(drops[widest])} of {losses['restricted'][0]:.1f} nats, from step {steps[widest]:,} to {steps[widest + 1]:,}")
print(f"with other frequencies {others} it stayed between {min(losses['others kept']):.2f} and {max(losses['others kept']):.2f} nats")
learnt = steps.index(500)
print(f"excluded loss, from step 500 on: at most {max(losses['excluded'][learnt:]):.1f} nats without the key frequencies, "
      f"{max(losses['others removed'][learnt:]):.1e} without those others")
early, late = losses["train"][steps.index(2000)], losses["train"][-1]
weights_early, weights_late = (sum(squares[at].values()) for at in (steps.index(2000), -1))
print(f"training loss at step 2 000: {early:.1e}, at the end: {late:.1e}; sum of squared weights {weights_early:,.0f} and {weights_late:,.0f}")

# %% [markdown]
# The last line is easy to overlook. At step 2 000, long after every training answer was right, training loss was 3e-7, and
# grokking made it three times lower. The circuit is not only better on questions the network has not seen: it is better on those it has
# seen, and it does so with less than a third of the squared weights. That is why decay prefers it.
#
# > **So now we know:** the circuit grows for thousands of steps during which test loss is worse than guessing. Its restricted loss
# > falls bit by bit: by at most a fifth of the way between two snapshots. Test loss is a late sign of it.

# %% [markdown]
# ---
# ## 2 · Three phases, by rule
#
# **Why we look here.** Phases drawn by eye are where the eye wants them. With the right measures each boundary is an event:
#
# * **memorisation** ends where excluded loss is least: from there on memory alone does worse and worse;
# * **circuit formation** ends where restricted loss first falls under 0.01 nats: the circuit alone solves the task;
# * **cleanup** ends where the sum of squared weights comes within 5 % of its last value, and stays: nothing is left to remove.
#
# The thresholds are ours, and the boundaries are known only to the nearest snapshots: memorisation ends somewhere between 500 and
# 1 500. After cleanup little happens any more (the spectrum of W_E goes on getting sparser). These *phases* are stretches of
# training, and have nothing to do with the phases of chapter 21's waves. They are named for what is new in them, and they
# overlap: the circuit has begun before memorisation ends.

# %% [markdown]
# ### Exercise 22.2 · Draw the lines
# Difficulty ●●○○○ · Importance ●●●●○ · 10 min
#
# Find the three steps at which the phases end.
#
# <details><summary>Hint 1</summary>
#
# Three different questions: the position of a minimum, the *first* step that passes a test, and the first step from which
# on a test is passed at *every* step.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# For the third, find the last step that fails the test; the answer is the one after it, or the very first step if none
# fails.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# For the measures of this run: 1000, 3750, 7500.
#
# </details>

# %%
def phase_boundaries(
    steps: list[int], excluded: list[float], restricted: list[float], sum_of_squares: list[float]
) -> tuple[int, int, int]:
    """The steps at which memorisation, circuit formation and cleanup end.

    1. the step with the least excluded loss;
    2. the first step with a restricted loss under 0.01;
    3. the first step from which on every sum of squares differs from the last one by at most 5 % of the last one.

    All four lists have the same length, and steps increase. There is always a step of the second kind.
    """
    # BEGIN SOLUTION
    memorised = steps[excluded.index(min(excluded))]
    formed = next(step for step, loss in zip(steps, restricted, strict=True) if loss < 0.01)
    last = sum_of_squares[-1]
    away = [i for i, value in enumerate(sum_of_squares) if abs(value - last) > 0.05 * last]
    return memorised, formed, steps[away[-1] + 1] if away else steps[0]
    # END SOLUTION


checks.grokking.test_phase_boundaries(phase_boundaries)

# %%
phase_boundaries = checks.yours_or(phase_boundaries, progress.phase_boundaries)
totals = [sum(parts.values()) for parts in squares]
memorised, formed, clean = map(int, phase_boundaries(steps, losses["excluded"], losses["restricted"], totals))
print(f"memorisation until {memorised:,}, circuit formation until {formed:,}, cleanup until {clean:,} of {steps[-1]:,} steps")
print("sum of squares there: " + ", ".join(f"{totals[steps.index(step)]:,.0f}" for step in (memorised, formed, clean)) + f"; at the end {totals[-1]:,.0f}")

groups = {
    "W_E, W_U": ("embed.W_E", "unembed.W_U"),
    "attention": tuple(f"blocks.0.attn.W_{part}" for part in "QKVO"),
    "MLP": ("blocks.0.mlp.W_in", "blocks.0.mlp.W_out"),
}
panels = {
    "loss (nats)": shown,
    "Gini of amplitudes": {part: [fourier.gini(spectrum[part].sqrt()) for spectrum in spectra] for part in ("W_E", "W_L")},
    "sum of squares": {group: [sum(parts[part] for part in members) for parts in squares] for group, members in groups.items()},
}
figures.measures(
    steps, panels, "First memory, then the circuit, then the memory goes", {"memorised": memorised, "formed": formed, "clean": clean}
).show()

# %% [markdown]
# The **Gini coefficient** in the middle says how unequal a list of numbers is: 0 if all are equal, near 1 if one holds
# everything (exercise 22.6 writes it). It is taken of amplitudes, the roots of the shares. Spectra are flat at first and sparse at the end, and most of that change is *cleanup*:
# it comes after the circuit is complete.
#
# The lowest panel shows what memory costs. Memorising builds weights everywhere. Their total begins to fall as soon as memorisation
# ends (that of W_E and W_U a thousand steps later), half of the fall comes before the circuit is complete, and at the end three quarters of the squares are gone, while the task is
# done ever better.
#
# The paper divides a run of this kind (another seed, 40 000 steps) at 1 400, 9 400 and 14 000 steps; there, too, the circuit
# grows long before test loss drops. In its telling the third phase begins with that drop. By our rule it begins when the circuit
# could do the task alone: test loss is then down from 26 nats to 6.6, which is still worse than guessing.
#
# Now look inside, at eleven moments of the run: move the slider. When can you tell which frequencies will win? (Number 5 is one
# neuron of 512; change it in the cell of section 1 to look at another.)

# %%
figures.film(
    frames, ("W_E: share of each frequency", "neuron 5 over (a, b)", "logits: share of cos, sin w(a + b)"),
    "The winning frequencies lead long before they matter",
).show()
for step in (0, 200):
    share = frames[step][0]
    print(f"step {step:>3}: largest in W_E " + ", ".join(f"{k + 1} ({share[k]:.1%})" for k in share.argsort(descending=True)[:4].tolist()))

# %% [markdown]
# At the start you cannot tell. By step 200 you can: the three that will win, 21, 1 and 8, stand highest in W_E, by a little, and
# nothing overtakes them. (In the logits they have no effect to speak of yet: restricted loss is that of guessing.)
#
# > **So now we know:** by rule, the circuit is complete long before the network is. What is left is a change of balance: the circuit
# > grows louder, and weight decay takes what it does not need.

# %% [markdown]
# ---
# ## 3 · Where is the circuit heard first?
#
# **Why we look here.** At step 3 000 one test question in eight is answered rightly, fourteen times as many as by chance, and test
# loss is still 15 nats. Which questions are they? Addition has a symmetry: a + b = b + a. About 30 % of all test questions (a, b)
# have their *mirror image*, or mirror, (b, a) in the training set.
#
# **Predict first.** How much better will the network be on those?
#
# *Your prediction:*

# %% [markdown]
# ### Exercise 22.3 · Mirror images
# Difficulty ●●○○○ · Importance ●●●●○ · 10 min
#
# Split the test accuracy by whether the mirror image was seen in training.
#
# <details><summary>Hint 1</summary>
#
# Whether (b, a) is in the training set, as a table over (a, b), is the transpose of `train`.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# A question counts if it is a test question, `~train`, and its mirror image is seen, `train.T`; or unseen, `~train.T`. Then
# take the mean of `correct` over those.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# In a network that has memorised and knows that order does not matter, the first number is 1 and the second near 1/113.
#
# </details>

# %%
def mirror_accuracy(correct: Bool[Tensor, "p p"], train: Bool[Tensor, "p p"]) -> tuple[float, float]:
    """Accuracy on the test questions (a, b) whose mirror image (b, a) is in the training set, and on the others.

    correct[a, b]: whether the question is answered rightly; train[a, b]: whether it is in the training set. All others are
    test questions. The accuracy over no questions at all is nan.
    """
    # BEGIN SOLUTION
    seen, unseen = ~train & train.T, ~train & ~train.T
    return correct[seen].double().mean().item(), correct[unseen].double().mean().item()
    # END SOLUTION


checks.grokking.test_mirror_accuracy(mirror_accuracy)

# %%
mirror_accuracy = checks.yours_or(mirror_accuracy, progress.mirror_accuracy)
seen, unseen = zip(*(mirror_accuracy(right, train_questions) for right in correct), strict=True)
at = steps.index(3000)
right_seen = correct[at][~train_questions & train_questions.T].sum()
print(f"of the right answers on the test set at step 3 000, {right_seen / correct[at][~train_questions].sum():.0%} have their mirror in the training set")
lines.curves(
    steps[: steps.index(6000)],
    {"mirror in the training set": seen[: steps.index(6000)], "mirror not seen": unseen[: steps.index(6000)]},
    "Questions whose mirror was seen come first", "step", "accuracy on test questions",
).show()

# %% [markdown]
# Six of seven early answers have their mirror in the training set. It is tempting to conclude that the network's memory knows that
# order does not matter, and nothing of addition. You have the means to ask the two voices one by one.

# %%
parts = fourier.split_logits(modular_logits(problem, zoo.load(name, step=3000)), key_frequencies)
print(f"{'step 3 000':>24} {'mirror seen':>12} {'not seen':>9}   (chance {1 / p:.1%})")
for label, table in {"whole network": None, "key directions alone": parts.restricted, "without them": parts.excluded}.items():
    right = correct[at] if table is None else table.argmax(-1) == answers
    shares = mirror_accuracy(right, train_questions)
    print(f"{label:>24} {shares[0]:>12.1%} {shares[1]:>9.1%}")
print("the right answer's logit over the mean of all answers, on average:")
print(f"{'':>24} {'mirror seen':>12} {'not seen':>9} {'trained on':>11}")
kinds = (~train_questions & train_questions.T, ~train_questions & ~train_questions.T, train_questions)
for label, table in {"key directions alone": parts.restricted, "without them": parts.excluded}.items():
    logit = (table.gather(-1, answers[..., None]) - table.mean(-1, keepdim=True))[..., 0]
    print(f"{label:>24} {logit[kinds[0]].mean():>+12.1f} {logit[kinds[1]].mean():>+9.1f} {logit[kinds[2]].mean():>+11.1f}")
memory_logits = tuple(logit[kind].mean().item() for kind in kinds)  # without the key directions
best_other = parts.excluded.scatter(-1, answers[..., None], -torch.inf).amax(-1)
behind = best_other - parts.excluded.gather(-1, answers[..., None])[..., 0]
print(f"{'behind the best wrong':>24} {behind[kinds[0]].mean():>12.1f} {behind[kinds[1]].mean():>9.1f}   (without the key directions)")
least = min(unseen)
print(f"lowest accuracy on unseen mirrors: {least:.2%}, at step {steps[unseen.index(least)]:,}")

# %% [markdown]
# The tempting conclusion is half wrong. Memory alone answers hardly any of them. The circuit alone would answer nearly nine in ten,
# of *both* kinds, so it is the circuit that answers. But memory is not blind to order: it gives the mirror's right answer a third of
# the logit of a trained question, where it pushes that of unseen ones down. That is why its resistance is less: its right answer is
# 18 behind its best wrong one, not 33, and there the circuit is heard first. Where the mirror was not seen, memory is so sure of other
# answers that accuracy is *below* chance for a long time.
#
# The advice stays the same: an accuracy on a symmetric task is easily misread, so report unseen mirrors apart. And the lesson is a
# larger one: a pattern in the behaviour (symmetry first) does not say which part of the mechanism answers, and an accuracy near 0
# does not say that a part knows nothing. Look at logits, too.
#
# > **So now we know:** early test answers are the circuit's, given where memory objects least.

# %% [markdown]
# ---
# ## 4 · Why slowly, then suddenly?
#
# **Why we look here.** On its logarithmic axis the restricted loss falls slowly at first and then faster and faster. That alone
# means little: any logit that grows steadily bends a cross-entropy like that, and in nats the loss falls by 0.9 to 0.5 in each 500
# steps from 500 to 3 000, ever less. (A fairer measure is printed after the exercise.) But might circuits grow slowly, then fast? Here is the smallest thing
# that does. Let a network be a single number x that should become 1, with loss
# ½(x − 1)². Gradient descent closes the distance by the same factor in each step: fast at first, ever slower later.
#
# Now let it be made of two parts, x = ab. The gradients are
#
# $$\frac{\partial}{\partial a}\,\tfrac12(ab - 1)^2 = (ab - 1)\,b, \qquad \frac{\partial}{\partial b}\,\tfrac12(ab-1)^2 = (ab - 1)\,a.$$
#
# Each part learns in proportion to the *other*. If both are small neither has a reason to grow: a helps only if b is there
# already. With a = b the product obeys $\dot x = 2x(1 - x)$: exponential growth from almost nothing, and the same S-curve as
# an epidemic's.
#
# **Predict first.** Start at a = b = 0.01, with a learning rate of 0.05. How many steps until the product passes one half? And
# from a = b = 0.001: ten times as many, or a few more?
#
# *Your prediction:*

# %% [markdown]
# ### Exercise 22.4 · A product of two numbers
# Difficulty ●●○○○ · Importance ●●●●○ · 10 min
#
# Train the product of two numbers by gradient descent, and keep it at every step.
#
# <details><summary>Hint 1</summary>
#
# A loop: compute the error ab − 1, then the new a and b from the *old* ones.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `a, b = a - lr * error * b, b - lr * error * a` updates both at once. Collect a·b before the first step and after each.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# A list that is flat, rises steeply, and is flat again at 1. From a = b = 0.01 with lr = 0.05 it passes one half after some
# 90 steps.
#
# </details>

# %%
def descend_product(a: float, b: float, lr: float, steps: int) -> Float[Tensor, "steps_plus_1"]:
    """The product ab during gradient descent on ½(ab − 1)², at steps 0, 1, …, steps.

    In each step a and b are updated at once, each by −lr times its derivative at the old (a, b).
    """
    # BEGIN SOLUTION
    products = [a * b]
    for _ in range(steps):
        error = a * b - 1
        a, b = a - lr * error * b, b - lr * error * a
        products.append(a * b)
    return torch.tensor(products, dtype=torch.float64)
    # END SOLUTION


checks.grokking.test_descend_product(descend_product)

# %%
descend_product = checks.yours_or(descend_product, progress.descend_product)
time = list(range(301))
lines.curves(
    time,
    {
        "one number": 1 - 0.95 ** torch.tensor(time),
        "a product, from a = b = 0.01": descend_product(0.01, 0.01, 0.05, 300),
        "a product, from a = b = 0.001": descend_product(0.001, 0.001, 0.05, 300),
    },
    "One number starts at once; a product waits, and then hurries", "step", "value (target 1)",
).update_traces(mode="lines").show()
for start in (1e-2, 1e-3, 1e-4):
    waited = int((descend_product(start, start, 0.05, 500) < 0.5).sum())
    print(f"from a = b = {start:g}: past one half after {waited} steps")
norm = dict(zip(steps, loudness, strict=True))
factors = ", ".join(f"{norm[step + 500] / norm[step]:.2f}" for step in range(500, 5000, 500))
print(f"norm of the circuit's logits: {norm[500]:,.0f} at step 500, every 500 steps up to 5 000 multiplied by {factors}; at the end {loudness[-1]:,.0f}")

# %% [markdown]
# Ten times less to start with costs the same number of steps again and again: the wait is *logarithmic* in the start.
#
# A frequency of the circuit is a product of this kind, with more factors. To write cos w(a + b − c) the embedding needs the
# plane of frequency k, some neurons must read it, and the map from neurons to logits must write the same k. Each of these is
# useless without the others, so each frequency begins as a coincidence of small weights and grows by mutual encouragement.
# (The two heads of chapter 12 wait for each other in the same way.)
#
# That a product explains slow starts is shown here; that it explains *this* network is an analogy with some evidence. The size of the
# circuit's logits grows by nearly the same factor every 500 steps from 1 500 to 3 500 (1.35 to 1.37), as a product's does, and it
# ends at a ceiling. But before step 1 500 the factor is larger, which a product's is not. Another
# thing that it predicts is to be seen in the film above: which frequencies win is visible before they matter.
#
# > **So now we know:** sudden learning needs no sudden cause. Parts that need each other are enough.

# %% [markdown]
# ---
# ## 5 · What grokking needs, and what sets its pace
#
# **Why we look here.** A story in three parts has been told: a solution that is *hard to reach* (section 4), *regularisation*
# that prefers it (section 2), and *data* so limited that memorising comes first. Two of the three can be turned
# like knobs: regularisation (decay, and with it learning rate) and data. No knob here turns the first; it rests on section 4's
# analogy. The following tables were made in the **fast setting**, learning rate 0.01 and weight decay 2, which
# groks in a few hundred steps. "Grokked" means a test accuracy of 99 %, kept for 100 steps. "Memorised" in
# these tables means a training accuracy of 99 %: that comes long before the boundary of section 2 (mainline: step 140, not 1 000).

# %%
def show(table: str, column: str) -> None:
    """The rows of a table of runs, by the column that was varied."""
    print(f"{column:>14} {'memorised at':>13} {'grokked at':>11} {'test accuracy at the end':>25}")
    for row in sorted(zoo.table(table), key=lambda row: (row[column], row["seed"])):
        grokked = row["steps_to_99"] if row["steps_to_99"] is not None else f"not by {row['steps']}"
        print(f"{row[column]:>14g} {row['steps_to_memorise']!s:>13} {grokked:>11} {row['test_accuracy']:>25.1%}")


print("Weight decay:")
show("grokking-by-decay", "weight_decay")

# %% [markdown]
# **Regularisation.** Decay hardly changes when the network memorises, and decides when it groks. Without decay it has not grokked
# after 2 500 steps, by which all runs with a decay of 0.2 and more had. (It is at 27 % on the test set, so something has begun;
# whether it would get there is an open end.) How does the time depend on the decay? On two logarithmic axes a power law is a line.

# %% [markdown]
# ### Exercise 22.5 · The exponent
# Difficulty ●●○○○ · Importance ●●●○○ · 10 min
#
# Fit y = c·xⁿ by least squares on the logarithms.
#
# <details><summary>Hint 1</summary>
#
# log y = n·log x + log c: a line. The slope of the best line is Σ(X − X̄)(Y − Ȳ) / Σ(X − X̄)², with X = log x, Y = log y.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The best line passes through the point of the means: log c = Ȳ − n·X̄.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# For x = 1, 2, 4 and y = 3, 12, 48 the exponent is 2 and the factor 3.
#
# </details>

# %%
def power_law(x: Float[Tensor, "n"], y: Float[Tensor, "n"]) -> tuple[float, float]:
    """(n, c) of the power law y ≈ c·xⁿ that is nearest on the logarithms: least squares of log y − n·log x − log c."""
    # BEGIN SOLUTION
    X, Y = x.log(), y.log()
    n = ((X - X.mean()) * (Y - Y.mean())).sum() / (X - X.mean()).square().sum()
    return n.item(), (Y.mean() - n * X.mean()).exp().item()
    # END SOLUTION


checks.grokking.test_power_law(power_law)

# %%
power_law = checks.yours_or(power_law, progress.power_law)
rows = [row for row in zoo.table("grokking-by-decay") if row["weight_decay"] > 0]
decays = torch.tensor([row["weight_decay"] for row in rows], dtype=torch.float64)
delays = torch.tensor([row["steps_to_99"] for row in rows], dtype=torch.float64)
fit = power_law(decays, delays)
slow = decays <= 0.5
print(f"steps ∝ decay^{fit[0]:.2f} over all runs, decay^{power_law(decays[slow], delays[slow])[0]:.2f} for decays up to 0.5")
figures.power_law(decays, delays, fit, "Half the decay, nearly twice the wait", "weight decay", "steps to 99 % on the test set").show()

# %% [markdown]
# Train a point of this figure yourself: set `COURSE_LIVE=1` before starting Jupyter, or change `live` here.

# %%
import os

live = os.environ.get("COURSE_LIVE") == "1"
if live:
    table = zoo.TABLES["grokking-by-decay"]
    live_row = table.measure(train(next(recipe for recipe in table.recipes if recipe.weight_decay == 1.0), progress=True))
    print(f"decay 1, trained here: 99 % on the test set after {live_row['steps_to_99']} steps")
shipped = next(row for row in rows if row["weight_decay"] == 1.0)
print(f"decay 1, shipped: after {shipped['steps_to_99']} steps")

# %% [markdown]
# Slightly less than inverse proportion, and close to it for small decays, where memorising takes a negligible part of the time. Decay sets the pace:
# AdamW multiplies every weight by 1 − lr·decay in each step, and what the loss does not defend is gone after a few multiples
# of 1/(lr·decay) steps. [Liu et al. 2022](https://arxiv.org/abs/2210.01117) measured t ∝ 1/decay on this task.
#
# Is lr × decay all that sets it? Vary the learning rate at decay 1. The mainline run is the row at 0.001.

# %%
show("grokking-by-lr", "lr")
mainline = next(int(step) for step, accuracy in zip(history["step"], history["test_accuracy"], strict=True) if accuracy >= 0.99)
known = next(int(step) for step, accuracy in zip(history["step"], history["train_accuracy"], strict=True) if accuracy >= 0.99)
print(f"{1e-3:>14g} {known:>13} {mainline:>11} (mainline, other seed)")
print("steps × lr × decay:")
for row in sorted(zoo.table("grokking-by-lr"), key=lambda row: row["lr"]):
    if row["steps_to_99"] is not None:
        print(f"  lr {row['lr']:g}: {row['steps_to_99'] * row['lr']:.1f}")
print(f"  lr 0.001: {mainline * 1e-3:.1f}   decay 0.1 at lr 0.01: {max(delays.tolist()) * 1e-2 * 0.1:.1f}")

# %% [markdown]
# Roughly. All of these runs take some three to five units of 1/(lr·decay), though the number of steps differs by a factor of twelve.
# (Changing the learning rate alone could not have told: everything is slower then. Changing decay alone could.) So the runs at
# learning rate 0.01 do not wait less in these units; they wait less in steps, and as memorising takes 50 to 90 steps whatever
# the decay, little is left between the two. If the delay itself is your subject, make learning rate or decay small.
#
# **Data.** Now the share of questions in the training set.

# %%
show("grokking-by-fraction", "fraction")

# %% [markdown]
# (The run at 0.8 is messy: it reaches 99 % but does not keep it for 100 steps. One seed a row is what it is.)
#
# **What does it mean?** Compare the columns at a fraction of 0.3 and of 0.95. Is there a *phase change*, a sudden change in the
# course of training, at 0.95? Is there grokking?
#
# <details><summary>An answer</summary>
#
# With 95 % of the questions there is hardly a gap: the network knows the test set some forty steps after the training set. The
# circuit still comes suddenly (a phase change), but memorising so much takes nearly as long as finding the rule, so there is no time in
# which the network has memorised and not yet understood. Grokking is a phase change that was *overtaken* by memorising. With 10 % and 15 % of the
# data nothing came within the steps given. Whether it would come later, or whether with so little data memorising is the cheaper
# solution, is the subject of chapter 24.
#
# </details>
#
# > **So now we know:** grokking needs a preference for the general solution, and so little data that memorising is quicker. With
# > much data the delay goes; without the preference, or with very little data, the general solution did not come in the steps
# > given. That it must be hard to reach as well is section 4's analogy, which no knob here tests.

# %% [markdown]
# ---
# ## Deeper · How unequal is a spectrum?
#
# Section 2 used the Gini coefficient. It needs no threshold, which the rule "more than 3 %" of chapter 21 did. For the absolute
# values of n numbers in increasing order, $x_1 \le \dots \le x_n$,
#
# $$G = \frac{\sum_i (2i - n - 1)\,x_i}{n \sum_i x_i}.$$

# %% [markdown]
# ### Exercise 22.6 · The Gini coefficient
# Difficulty ●○○○○ · Importance ●●○○○ · 5 min
#
# Write the Gini coefficient.
#
# <details><summary>Hint 1</summary>
#
# Take absolute values and sort. The weights 2i − n − 1 go from −(n − 1) to n − 1 in steps of 2.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `torch.arange(1, n + 1)` is i, counted from 1.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# 0 for equal numbers; 1 − 1/n for one number that is not 0 among n.
#
# </details>

# %%
def gini(values: Float[Tensor, "n"]) -> float:
    """The Gini coefficient of the absolute values of n numbers, in any order: 0 if all are equal, 1 − 1/n if all but one are 0."""
    # BEGIN SOLUTION
    n = len(values)
    ordered = values.abs().sort().values
    weights = 2 * torch.arange(1, n + 1) - n - 1
    return ((weights * ordered).sum() / (n * ordered.sum())).item()
    # END SOLUTION


checks.grokking.test_gini(gini)

# %%
gini = checks.yours_or(gini, fourier.gini)
for step in (0, memorised, formed, clean, steps[-1]):
    spectrum = spectra[steps.index(step)]
    print(f"step {step:>6,}: W_E {gini(spectrum['W_E'].sqrt()):.2f}, W_L {gini(spectrum['W_L'].sqrt()):.2f}")
print(f"random answers: W_L {gini(random_shares.sqrt()):.2f}")

# %% [markdown]
# ---
# ## Deeper · Why matrices end with equal norms, two by two
#
# Look at the sums of squares of the single matrices, when the network had memorised and at the end.

# %%
print(f"{'':>20} {'memorised':>10} {'at the end':>10}")
for part in squares[0]:
    print(f"{part:>20} {squares[steps.index(memorised)][part]:>10.0f} {squares[-1][part]:>10.0f}")

# %% [markdown]
# At the end W_V and W_O have the same sum of squares, W_in and W_out nearly, W_Q and W_K too. That is no coincidence. What W_V and
# W_O do for the output is their product, and multiplying one by s and the other by 1/s changes nothing but the price that decay charges.

# %% [markdown]
# ### Exercise 22.7 · The cheapest way to write a product
# Difficulty ●●○○○ · Importance ●●○○○ · 10 min
#
# Rescale two matrices so that their product stays and the sum of their squares is least.
#
# <details><summary>Hint 1</summary>
#
# Minimise s²‖A‖² + ‖B‖²/s² over s > 0. Differentiate by s², or note that the product of the two terms does not depend on s.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The sum of two positive terms with a fixed product is least where they are equal: s² = ‖B‖ / ‖A‖.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# Both results have the same norm, √(‖A‖·‖B‖).
#
# </details>

# %%
def balance(
    A: Float[Tensor, "m k"], B: Float[Tensor, "k n"]
) -> tuple[Float[Tensor, "m k"], Float[Tensor, "k n"]]:
    """The pair (sA, B/s) with the least sum of squares among all s > 0. The product AB is unchanged."""
    # BEGIN SOLUTION
    s = (B.norm() / A.norm()).sqrt()
    return s * A, B / s
    # END SOLUTION


checks.grokking.test_balance(balance)

# %%
balance = checks.yours_or(balance, progress.balance)
def saving(A: Float[Tensor, "m k"], B: Float[Tensor, "k n"]) -> float:
    """The share of their squares that balancing two matrices would save."""
    a, b = balance(A.double(), B.double())
    return 1 - float((a.square().sum() + b.square().sum()) / (A.double().square().sum() + B.double().square().sum()))


moments_of_balance = {step: zoo.load(name, step=step) for step in (0, 1000, 3000)} | {steps[-1]: zoo.load(name)}
print("what balancing would save, at step " + ", ".join(map(str, moments_of_balance)))
for pair, of in {
    "W_V, W_O": lambda net: (net.W_V[0].transpose(0, 1).flatten(1), net.W_O[0].flatten(0, 1)),
    "W_in, W_out": lambda net: (net.W_in[0], net.W_out[0]),
    "W_Q, W_K": lambda net: (net.W_Q[0].transpose(0, 1).flatten(1), net.W_K[0].transpose(0, 1).flatten(1).T),
    "W_E, W_U": lambda net: (net.W_E, net.W_U),
}.items():
    print(f"{pair:>12}: " + "  ".join(f"{saving(*of(net)):6.2%}" for net in moments_of_balance.values()))
network = zoo.load(name)

# %% [markdown]
# At the end next to nothing: decay has found the cheapest way to write each product. The argument holds for W_V and W_O, for W_in and
# W_out (a ReLU passes positive factors), and for W_Q and W_K. It is approximate, because AdamW's steps are not gradient descent's.
# See how W_Q and W_K get there late: they start balanced, learning upsets the balance, and slow decay restores it. It says nothing about W_E and W_U, which have a
# residual path beside them and were balanced all along, nor why the pairs agree with *each other*.

# %% [markdown]
# ---
# ## Deeper · Spikes that are rounding
#
# Many published curves of grokking show sudden spikes in the training loss, long after it was near zero ("slingshots"). Part of
# that is arithmetic. In float32 an example can have a loss of 1.2e-7 or of 0, and nothing between (chapter 21, *Fine print of the
# losses*, says why). At 0 the pull on its right class is exactly 0.
# [Prieto et al. 2025](https://arxiv.org/abs/2501.04697) call it *softmax collapse*.
#
# There is no need for it. −log softmax of the right class c is log(1 + eᵈ), where d is the logsumexp of the *other* logits minus
# the logit of c.

# %% [markdown]
# ### Exercise 22.8 · A loss that is never rounded to nothing
# Difficulty ●●●○○ · Importance ●●●○○ · 15 min
#
# Write cross-entropy so that a loss of 1e-20 comes out as 1e-20, in float32.
#
# <details><summary>Hint 1</summary>
#
# Take the right class out of the logsumexp: set its logit to −∞ in a copy (`scatter`), then log(1 + eᵈ).
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# log(1 + eᵈ) is `torch.logaddexp(d, torch.zeros_like(d))`: accurate for very negative d, and without overflow for large ones.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# For logits (50, 0) and label 0: 1.93e-22. `cross_entropy` in float32 gives 0.
#
# </details>

# %%
def exact_loss(logits: Float[Tensor, "n classes"], labels: Int[Tensor, "n"]) -> Float[Tensor, "n"]:
    """Each example's cross-entropy in nats, right to six digits however small or large, computed in the logits' dtype."""
    # BEGIN SOLUTION
    right = logits.gather(1, labels[:, None])[:, 0]
    others = logits.scatter(1, labels[:, None], -torch.inf).logsumexp(1)
    return torch.logaddexp(others - right, torch.zeros_like(right))
    # END SOLUTION


checks.grokking.test_exact_loss(exact_loss)

# %%
exact_loss = checks.yours_or(exact_loss, progress.exact_loss)
single = modular_logits(problem, network).flatten(0, 1).float()
labels = answers.flatten()
plain = torch.nn.functional.cross_entropy(single, labels, reduction="none")
exact = exact_loss(single, labels)
print(f"float32: {(plain == 0).double().mean():.0%} of the questions have a loss of exactly 0; the smallest other {plain[plain > 0].min():.2e}")
print(f"exact:   {(exact == 0).double().mean():.0%} have a loss of exactly 0; the smallest {exact.min():.2e}")
print(f"lost by rounding: {1 - plain.double().mean() / exact.double().mean():.0%} of the mean loss")
print("2 000 steps at learning rate 0.01 without decay: training losses ten times above the lowest so far")
precisions = {row["problem"].removesuffix("Transformer"): row for row in zoo.table("grokking-precision")}
for kind, row in precisions.items():
    precision = "float32" if kind == "Float32" else "float64"
    print(f"  loss computed in {precision}: {row['spikes']:>2} of {row['evaluations']} evaluations, "
          f"lowest {row['lowest_train_loss']:.0e}, last {row['last_train_loss']:.0e}")
for label, run in {"mainline run": name, "fast setting": "modular-addition-fast"}.items():
    values = torch.tensor(zoo.history(run)["train_loss"])
    spikes = int((values > 10 * values.cummin(0).values).sum())
    print(f"  for comparison, the {label} (float64, with decay): {spikes} of {len(values)}")

# %% [markdown]
# Only the precision of the *loss* differs between the first two runs; weights and logits are float32 in both. Does it remove the
# spikes?
#
# <details><summary>An answer</summary>
#
# Here, all of them. In float32 the loss gets down to where rounding begins, and from there on it is thrown up again and again. The
# examples that are rounded to 0 have no gradient any more, so the few others pull alone. And AdamW, which divides by the size of
# recent gradients, makes large steps of small ones. In float64 the same run goes on down by more than two powers of ten without a spike.
#
# It is not all there is to slingshots. The fast setting has a few spikes though its loss is computed in float64: a large learning
# rate with a strong decay is enough. But before you explain a spike, compute the loss in float64.
#
# </details>

# %% [markdown]
# ---
# ## Deeper · Make it grok sooner, honestly
#
# If a slow, steady part of the gradients builds the circuit, why not amplify it? *Grokfast*
# ([Lee et al. 2024](https://arxiv.org/abs/2405.20233)) adds a multiple of the running mean of the gradients to each gradient. That
# is a low-pass filter: what changes slowly is passed on louder. We call it the *slow-gradient filter*.

# %% [markdown]
# ### Exercise 22.9 · The slow-gradient filter
# Difficulty ●○○○○ · Importance ●●○○○ · 5 min
#
# Write one step of the filter, for tensors of any shape. (`memory` is the share of the old mean that is kept, and has nothing to do
# with what a network has memorised.)
#
# <details><summary>Hint 1</summary>
#
# First the new mean: a little of the gradient, the rest of the old mean.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The filtered gradient uses the *new* mean. Make new tensors (no `+=`): the caller keeps the old ones.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# A gradient that equals the mean comes out (1 + amplify) times as large.
#
# </details>

# %%
def slow_gradient(
    gradient: Float[Tensor, "*shape"], mean: Float[Tensor, "*shape"], memory: float, amplify: float
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
    """(filtered gradient, new mean). The new mean is memory·mean + (1 − memory)·gradient; the filtered gradient is the gradient plus
    amplify times the new mean. The arguments are left as they are."""
    # BEGIN SOLUTION
    mean = memory * mean + (1 - memory) * gradient
    return gradient + amplify * mean, mean
    # END SOLUTION


checks.grokking.test_slow_gradient(slow_gradient)

# %% [markdown]
# The published comparisons are with AdamW at the settings in which grokking was first seen, and those wait long. The fair opponent is
# AdamW with its learning rate and decay tuned. Here all methods start from the fast setting and have 600 steps. *StableMax* is a
# softmax that is not rounded; *⊥Grad* removes the part of each gradient that points along the weights (both
# [Prieto et al. 2025](https://arxiv.org/abs/2501.04697); ⊥Grad is meant for training without decay). A few settings of each were tried on
# one or two other seeds; these are the best of them.

# %%
slow_gradient = checks.yours_or(slow_gradient, progress.slow_gradient)
names = {"NoneType": "AdamW", "SlowGradient": "slow gradients", "OrthogonalGradient": "⊥Grad", "StablemaxTransformer": "StableMax"}
runs = zoo.table("grokking-accelerated")
for method, label in names.items():
    rows = [row for row in runs if row["method"] == method]
    first = [row["first_99"] for row in rows if row["first_99"] is not None]
    kept = [row["steps_to_99"] for row in rows if row["steps_to_99"] is not None]
    median = f"median {torch.tensor(kept).double().median():.0f} steps ({min(kept)}–{max(kept)})" if kept else "never"
    print(f"{label:>15}: first reached on {len(first)} of {len(rows)} seeds, kept on {len(kept)} of {len(rows)}: {median}")

# %% [markdown]
# In this table nothing beats a tuned AdamW. The slow-gradient filter gets there as surely, and no sooner. (One reading: it raises the effect of
# the learning rate on what is steady, and a learning rate of 0.01 has done that already.) StableMax takes longer and does not
# always get there. ⊥Grad, without decay, does not get there in 600 steps, though the ⊥Grad entries of the next output show that its W_L has found
# frequencies: a circuit without cleanup.
#
# Two cautions. Ten seeds (for AdamW 20) and a few settings each are little, and all these methods started from a setting that was tuned for
# AdamW. What the table shows is that a method should be compared with a tuned baseline, not that the methods are useless. And each
# speed-up has its price: the faster the run, the smaller the delay that was to be studied. In the fast setting memorising leads by
# some 150 steps, in the mainline run by 4 700.
#
# Compare the frequencies, too. Runs of the same seed share initial weights and training questions, and by whatever method they are
# trained they share most of their frequencies:

# %%
for seed in range(6):
    found = {names[row["method"]]: row["key_frequencies"] for row in runs if row["seed"] == seed}
    print(f"seed {seed}: " + "; ".join(f"{label} {' '.join(map(str, keys))}" for label, keys in found.items()))
own = {row["seed"]: set(row["key_frequencies"]) for row in runs if row["method"] == "NoneType"}
pairs = [(own[row["seed"]], set(row["key_frequencies"])) for row in runs if row["method"] != "NoneType"]
shared, by_chance = (sum(values) / len(pairs) for values in ([len(a & b) for a, b in pairs], [len(a) * len(b) / 56 for a, b in pairs]))
print(f"all {len(pairs)} pairs of a method's run and AdamW's of the same seed: {shared:.1f} frequencies in common on average "
      f"(by chance {by_chance:.2f}); the same set in {sum(a == b for a, b in pairs)}")

# %% [markdown]
# ---
# ## Deeper · Which frequencies?
#
# Every seed ends with its own handful. Over 20 seeds of the fast setting, with other initial weights and other training
# questions each time, is any frequency preferred?

# %%
plain_runs = [row for row in runs if row["method"] == "NoneType"]
used = [k for row in plain_runs for k in row["key_frequencies"]]
counts = [len(row["key_frequencies"]) for row in plain_runs]
print(f"{min(counts)} to {max(counts)} key frequencies a run, {len(used)} in all; the commonest occurs "
      f"{max(used.count(k) for k in used)} times, expected by chance {len(used) / 56:.1f}")
drawn = torch.Generator().manual_seed(0)
chance = [
    max(torch.cat([torch.randperm(56, generator=drawn)[:n] for n in counts]).bincount(minlength=56)) for _ in range(1000)
]
often = max(used.count(k) for k in used)
print(f"in 1 000 draws at random the commonest occurred that often in {sum(int(c) >= often for c in chance) / 1000:.0%}")
figures.histogram(used, "No frequency is preferred over many seeds", "frequency k", "runs that use it", len(used) / 56).show()

# %% [markdown]
# For a prime p no frequency can be special: renaming every number x to m·x turns frequency k into another and leaves addition as it
# is. Only the initial weights and the choice of training questions can decide. That they do, you have just seen.

# %% [markdown]
# ---
# ## Deeper · A lottery ticket?
#
# Do the initial weights decide? Project the *initial* embedding on the plane in which the *final* network holds frequency k. If the
# circuit grew out of something that was there, the initial points should already lie a little on a circle, k times round.
#
# Mind a trap: the final weights contain what is left of the initial ones. A plane that is fitted to the leftovers finds the start in
# itself. So take only what training *added*, and compare with planes that know nothing of this start: those of other seeds.

# %% [markdown]
# ### Exercise 22.10 · Was it there from the beginning?
# Difficulty ●●●●○ · Importance ●●○○○ · 20 min
#
# Measure how much of the initial embedding, seen in the final plane of frequency k, is a wave of frequency k.
#
# <details><summary>Hint 1</summary>
#
# What training added is final − c·start with the c that makes it perpendicular to the start, as vectors of all entries:
# c = (final · start)/(start · start). Its cos k and sin k components, two vectors of length d_model, span the plane.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `plane = torch.linalg.qr((basis[2*k-1 : 2*k+1] @ added).T).Q` with `basis = fourier.fourier_basis(len(start))`. Then
# `(basis @ start @ plane).square().sum(1)` is the power of each wave in the picture.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# About 2/(p − 1) for a start that has nothing to do with the plane; 1 if the start, in that plane, is a circle.
#
# </details>

# %%
def initial_circularity(start: Float[Tensor, "p d_model"], final: Float[Tensor, "p d_model"], k: int) -> float:
    """The share of frequency k in the start, seen in the plane in which training added frequency k.

    added = final − c·start, where c = Σ final·start / Σ start² over all entries. The plane is spanned by the cos k and sin k components of
    `added` (waves over its rows). Project the start's rows on the plane, orthogonally; of the projected table's sum of squares over all
    waves but the constant, return the share of cos k and sin k.
    """
    # BEGIN SOLUTION
    basis = fourier.fourier_basis(len(start)).to(start.dtype)
    added = final - (final * start).sum() / start.square().sum() * start
    plane = torch.linalg.qr((basis[2 * k - 1 : 2 * k + 1] @ added).T).Q
    power = (basis @ start @ plane).square().sum(1)
    return (power[2 * k - 1 : 2 * k + 1].sum() / power[1:].sum()).item()
    # END SOLUTION


checks.grokking.test_initial_circularity(initial_circularity)

# %%
initial_circularity = checks.yours_or(initial_circularity, progress.initial_circularity)
final = zoo.load(name).W_E[:p].double()
starts = [problem.make_model(seed).W_E[:p].detach().double() for seed in range(40)]  # the network itself began as seed 0
for k in key_frequencies:
    own, *strange = (initial_circularity(start, final, k) for start in starts)
    print(f"k = {k:>2}: its own start {own:.1%}, 39 other starts {sum(strange) / 39:.1%} on average and at most {max(strange):.1%}")
unused = [initial_circularity(starts[0], final, k) for k in range(1, p // 2 + 1) if k not in key_frequencies]
print(f"frequencies that the network does not use: {sum(unused) / len(unused):.1%} on average")


# %% [markdown]
# Stop here and say what you conclude. The first lines look like a discovery: four to seven times the circularity of any other
# start. Then read the last line.
#
# <details><summary>An answer</summary>
#
# The control does not hold. In the planes of frequencies that the network does *not* use, its own start is even more circular. So
# the measure does not see a ticket; it sees the start. One c for the whole matrix does not remove what is left of the initial
# weights, because decay and AdamW do not shrink all of them alike, and a plane that holds little else than leftovers is full of
# them. What can be said: where the network holds its key frequencies, other things outweigh the leftovers. A method whose control
# also "works" is weak, however large its numbers.
#
# </details>
#
# A test without that trap asks the start alone. Rank all 56 frequencies by their share of the *initial* W_E, for each of the 20 runs
# above. If strong frequencies had an advantage, the ones that win would rank high.

# %%
ranks, strange_ranks = [], []
for row in plain_runs:
    shares = fourier.frequency_shares(problem.make_model(row["seed"]).W_E[:p].detach().double(), basis)
    ranks += [int((shares > shares[k - 1]).sum()) + 1 for k in row["key_frequencies"]]
    strange = fourier.frequency_shares(problem.make_model(row["seed"] + 1).W_E[:p].detach().double(), basis)
    strange_ranks += [int((strange > strange[k - 1]).sum()) + 1 for k in row["key_frequencies"]]
draws = torch.randint(1, 57, (2000, len(ranks)), generator=drawn).double().mean(1)
mean_rank = sum(ranks) / len(ranks)
print(f"mean rank of the {len(ranks)} winning frequencies in their own initial W_E: {mean_rank:.1f} (by chance 28.5)")
print(f"in the initial W_E of the next seed: {sum(strange_ranks) / len(ranks):.1f}")
top_ten, top_five = (sum(rank <= among for rank in ranks) for among in (10, 5))
print(f"among the ten strongest: {top_ten} (by chance {len(ranks) * 10 / 56:.0f}), among the five strongest: {top_five} ({len(ranks) * 5 / 56:.0f})")
print(f"as low as {mean_rank:.1f} in {int((draws <= mean_rank).sum())} of {len(draws):,} random draws")

# %% [markdown]
# So the start matters, a little: winners rank some seven places higher than chance has it, and only in their own start. A frequency
# that is strong at the beginning has an advantage. It is far from decided: two thirds of the winners were not among the ten strongest.

# %% [markdown]
# ---
# ## Evidence
#
# Every claim of this chapter beside the paper's number where there is one, and a control. All of it is computed here from shipped
# weights, or read from shipped tables that say how they were made.

# %% tags=["evidence"]
number, percent, verdict = evidence.number, evidence.percent, evidence.verdict
at_formed, at_memorised = steps.index(formed), steps.index(memorised)
by_decay = {(row["weight_decay"], row["seed"]): row for row in zoo.table("grokking-by-decay")}
by_fraction = {row["fraction"]: row for row in zoo.table("grokking-by-fraction")}
exponent = progress.power_law(decays[slow], delays[slow])[0]
seen_then, unseen_then = progress.mirror_accuracy(correct[steps.index(3000)], train_questions)
half, tenth = (int((progress.descend_product(start, start, 0.05, 500) < 0.5).sum()) for start in (1e-2, 1e-3))
memory = by_decay[0.0, 1]
one = int((0.95 ** torch.arange(100.0) > 0.5).sum())
alone, silent = (progress.mirror_accuracy(part.argmax(-1) == answers, train_questions) for part in (parts.restricted, parts.excluded))
end_train, end_test = (modular.table_loss(without, task, part) for part in ("train", "test"))
at_1000 = fourier.split_logits(modular_logits(problem, zoo.load(name, step=memorised)), key_frequencies).excluded
memorised_test = modular.table_loss(at_1000, task, "test")
float32_spikes, float64_spikes = (precisions[kind]["spikes"] for kind in ("Float32", "Modular"))

evidence.table(
    [
        ("memorisation, circuit formation, cleanup end", "1 400, 9 400, 14 000", f"{memorised}, {formed}, {clean}", "", "by rule; other seed",
         verdict(memorised < formed < clean, "in this order")),
        ("the circuit is complete while test loss is over guessing", "shown in a figure",
         f"restricted {number(losses['restricted'][at_formed])}, test {number(losses['test'][at_formed])}",
         f"other frequencies: {number(losses['others kept'][at_formed])}", "", verdict(losses["test"][at_formed] > 4.73, "over 4.73")),
        ("restricted loss falls bit by bit", "shown in a figure", f"in {falls} of {until} intervals, by at most {number(drops[widest])}", f"from {number(losses['restricted'][0])}",
         "to step 5 000", verdict(falls >= until - 1 and drops[widest] < 0.2 * losses["restricted"][0], "all but one, none over a fifth")),
        ("restricted loss at the end", "5.54e-8", number(losses["restricted"][-1]), f"network: {number(losses['test'][-1])} (test)", "",
         verdict(losses["restricted"][-1] < losses["test"][-1], "under the network's")),
        ("memory is gone at the end: excluded loss, train and test", "not published", f"{number(end_train)}, {number(end_test)}",
         f"memorised: {number(losses['excluded'][at_memorised])}, {number(memorised_test)}", "", verdict(end_test < 1.2 * end_train, "within 20 %")),
        ("the circuit grows louder, memory quieter: test loss with only one of them of step 5 000", "not published",
         f"{number(mixed_loss(late_parts, early_parts))}, {number(mixed_loss(early_parts, late_parts))}",
         f"neither, both: {number(mixed_loss(early_parts, early_parts))}, {number(mixed_loss(late_parts, late_parts))}", "",
         verdict(mixed_loss(late_parts, early_parts) < mixed_loss(early_parts, late_parts), "the circuit does more")),
        ("grokking lowers the training loss too", "shown in a figure", f"{number(late)}", f"step 2 000: {number(early)}", "", verdict(late < early, "lower")),
        ("squares of all weights fall in cleanup", "shown in a figure", f"{totals[-1]:.0f}", f"formed: {totals[at_formed]:.0f}; memorised: {totals[at_memorised]:.0f}", "",
         verdict(totals[-1] < totals[at_formed] / 2, "by half")),
        ("spectra become sparse: Gini of W_L's amplitudes", "not published", number(fourier.gini(spectra[-1]["W_L"].sqrt())),
         f"memorised: {number(fourier.gini(spectra[at_memorised]['W_L'].sqrt()))}", "", verdict(fourier.gini(spectra[-1]["W_L"].sqrt()) > 0.5, "over 0.5")),
        ("early right answers have their mirror in the training set (step 3 000)", "up to 30 % of the test set", percent(seen_then),
         f"mirror unseen: {percent(unseen_then)}", "", verdict(seen_then > 5 * unseen_then, "five times")),
        ("but they are the circuit's: its own accuracy, mirror seen and unseen", "not published",
         ", ".join(percent(share) for share in alone), f"without it: {', '.join(percent(share) for share in silent)}", "",
         verdict(min(alone) > 0.8 and max(silent) < 0.1, "over 80 %, under 10 %")),
        ("yet memory is not blind to order: its right answer's logit over the mean, mirror seen", "not published", number(memory_logits[0]),
         f"unseen: {number(memory_logits[1])}; trained: {number(memory_logits[2])}", "step 3 000", verdict(memory_logits[0] > 0 > memory_logits[1], "above the mean, below it")),
        ("a product waits longer the smaller it starts", "not published", f"{half}, {tenth} steps", f"one number: {one} steps", "simulation", verdict(tenth > half, "longer")),
        ("time to grok ∝ decay^n", "n = −1 (Omnigrok)", f"n = {exponent:.2f}", "", "lr 0.01; decays 0.1–0.5", verdict(abs(exponent + 1) < 0.15, "−1 ± 0.15")),
        ("without decay no grokking in 2 500 steps", "not published", f"not by step {memory['steps']}", f"decay 0.2: step {by_decay[0.2, 1]['steps_to_99']}", "lr 0.01",
         verdict(memory["steps_to_99"] is None, "not in these steps")),
        ("much data: no delay", "≥ 60 % at once", f"95 %: {by_fraction[0.95]['steps_to_memorise']} and {by_fraction[0.95]['steps_to_99']}",
         f"30 %: {by_fraction[0.3]['steps_to_memorise']} and {by_fraction[0.3]['steps_to_99']}", "steps to know train and test",
         verdict(by_fraction[0.95]["steps_to_99"] < 2 * by_fraction[0.95]["steps_to_memorise"], "under twice")),
        ("little data: no grokking", "10–20 % not in 40 000", f"10 %: not by {by_fraction[0.1]['steps']}, 20 %: step {by_fraction[0.2]['steps_to_99']}",
         f"30 %: step {by_fraction[0.3]['steps_to_99']}", "fast setting; few steps", verdict(by_fraction[0.2]["steps_to_99"] is None, "not at 20 %")),
        ("spikes of the loss are rounding (no decay)", "not published", f"float32: {float32_spikes}", f"float64: {float64_spikes}", "of 201 evaluations",
         verdict(float64_spikes == 0 < float32_spikes, "none in float64")),
    ]
)  # fmt: skip

# %% [markdown]
# ## Open ends
#
# * **Train on the excluded loss.** Add to the training loss a penalty for using the key directions. Does the network find other
#   frequencies? First step: take `ModularTransformer`, and in its `loss` subtract the projection from the logits before the
#   cross-entropy.
# * **Forbid a frequency.** Remove frequency k from W_E after every step. First step: the seeds of the fast setting that use k.
# * **Without decay.** The run without decay was stopped at 2 500 steps with a test accuracy of 27 %. First step: go on, and measure
#   its restricted loss with its own strongest frequencies.
# * **A later phase change.** The first account of this network reports a small one near step 43 000, unexplained. First step:
#   `course train modular-addition` with more steps, and watch which frequency goes.
# * **Is it really no random walk?** Restricted loss uses the final frequencies, so it looks back from the winner. First step: measure the
#   restricted loss of frequencies that led at step 1 000 and lost.
#
# ## Further reading
#
# * Nanda, Chan, Lieberum, Smith and Steinhardt, [Progress measures for grokking via mechanistic
#   interpretability](https://arxiv.org/abs/2301.05217) (2023): the measures and the phases.
# * Power, Burda, Edwards, Babuschkin and Misra, [Grokking](https://arxiv.org/abs/2201.02177) (2022): where the delay was first seen.
# * Liu, Michaud and Tegmark, [Omnigrok](https://arxiv.org/abs/2210.01117) (2022): norms, decay, and grokking on other data.
# * Prieto, Barsbey, Mediano and Birdal, [Grokking at the edge of numerical stability](https://arxiv.org/abs/2501.04697) (2025).
# * Lee, Kang, Kim and Lee, [Grokfast](https://arxiv.org/abs/2405.20233) (2024).
# * Hurley and Rickard, [Comparing measures of sparsity](https://arxiv.org/abs/0811.4706) (2009): why the Gini coefficient.
