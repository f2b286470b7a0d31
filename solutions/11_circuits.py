# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# course:
#   title: Transformer circuits
#   minutes: 150
#   prerequisites: []
# ---

# %% [markdown]
# # 11 · Transformer circuits
#
# *Where does a head look, and what does it bring back?*
#
# A small transformer reads lists like `START 3 7 0 14 2 … END`. One number in each list is large, 10 to 19, and after `END` the
# network has to say which. It has a single attention head. So it should look for the large number and copy it.
#
# Run the next two cells. They ask the network 4 000 questions and draw how much `END` looks at the large number.

# %%
import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_utils import checks, circuits, evidence, patching, zoo
from course_utils.models import Transformer
from course_utils.plots import circuits as figures
from course_utils.plots import lines
from course_utils.tasks import modular, skip_trigrams
from course_utils.zoo.problems import modular_logits

task = skip_trigrams.LargestTask()
model = zoo.load("largest-number")
drawn = skip_trigrams.largest(task, 4000, seed=7)
words = [*map(str, range(20)), "START", "END"]  # what token 0, 1, … 21 stands for
print("for example:", " ".join(words[token] for token in drawn.tokens[0]), "→", words[drawn.answers[0]])

# %%
outputs, cache = model.run_with_cache(drawn.tokens)
right = outputs[:, -1].argmax(-1) == drawn.answers
attention = cache["blocks.0.attn.hook_pattern"][:, 0, -1]  # from END to every place: [question, place]
to_answer = (attention * (drawn.tokens == drawn.answers[:, None])).sum(1)
large = range(10, 20)
looks = [to_answer[drawn.answers == number].mean().item() for number in large]
answered = [right[drawn.answers == number].double().mean().item() for number in large]
lines.bars(
    [str(number) for number in large], {"attention to it": looks, "answered rightly": answered},
    "It is right about 18 every time, and never looks at it", "share", percent=True,
).show()  # fmt: skip

# %% [markdown]
# Nine large numbers get the whole attention of the head. The tenth, 18, gets none, and is answered just as well. (Most networks that learn this task
# look at all ten. This one found another way, and that is what makes it worth a look inside.)
#
# By the end of this chapter you will have read the reason out of the weights. You will write a transformer from its parts, split its
# answer into what each part said, and multiply a few small matrices into tables that can replace the network. Then you will meet a second network, whose
# single head must bring three different nouns for the same verb, and **should** mix them up. It does not. You will find out how it gets away with it,
# and how an experiment brings the mistake to light.
#
# ## What you will be able to do
#
# * write a transformer, and see its residual stream as a memory that all parts share;
# * say how much each part contributed to an answer, exactly;
# * read a head as two independent circuits: where it looks (QK) and what it carries (OV);
# * remove a part in three ways, and say what each of them asks;
# * tell a property of the network from a property of your coordinates.
#
# **Before you start.** You need PyTorch tensors, matrix products and the softmax. No earlier chapter is needed and none about
# transformers is assumed. The core path takes about two and a half hours. Sections marked *Deeper* may be left out.
#
# **The networks.** All but one are small enough to train in under a minute on one core; the last one, which adds, is that of chapter 21 and took half an hour. None has biases, and none has LayerNorm, a step in most large models that
# rescales the stream. They come from the *zoo*, the trained networks that are shipped with the course. Their cards say how well each does, and their recipes how it was made:

# %%
for name in ("largest-number", "largest-number-two-heads", "phrases", "modular-addition"):
    card = zoo.card(name)
    print(
        f"{name}: {card['recipe']['steps']:,} steps, {card['seconds']} seconds, test accuracy {card['metrics']['test_accuracy']:.2%}"
    )
print("weights of the first:", {name: tuple(weight.shape) for name, weight in model.state_dict().items()})

# %% [markdown]
# ---
# ## 1 · A stream that everything reads and writes
#
# **Why we look here.** To take a machine apart you first put one together. Here is all there is. Each place in the sequence (papers say *position*) has a
# vector of length d_model (32 in this network), the *residual stream*. It starts as the token's row of `W_E` plus the place's row of `W_pos`. Then each part
# of the network reads the stream and **adds** something to it. Nothing is ever overwritten. At the end, `W_U` turns the stream into
# *logits*, one number for each possible answer; their softmax gives probabilities.
#
# Only one kind of part moves information from place to place: the attention head. Vectors are rows here, and weights act from the
# right, $x W$.
#
# * Each place i asks a question, its *query* $q_i = x_i W_Q$, a vector of length d_head. Each place j offers a *key* $k_j = x_j W_K$ of the same length.
#   The *attention score*, or score for short, is $q_i \cdot k_j / \sqrt{d_{head}}$. A place sees itself and what came before it, not what comes after: attention is *causal*. The
#   softmax of a row of scores is the *attention pattern*: weights that sum to 1.
# * Each place also has a *value* $v_j = x_j W_V$. Place i receives the values, averaged with its weights, and $W_O$ writes the average
#   back into the stream.

# %% [markdown]
# ### Exercise 11.1 · One head
# Difficulty ●●○○○ · Importance ●●●●● · 15 min
#
# Write an attention head for one sequence.
#
# <details><summary>Hint 1</summary>
#
# `(x @ W_Q) @ (x @ W_K).T` has one row for each query and one column for each key. What must happen to the entries above the
# diagonal before the softmax, so that it gives them exactly 0?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# A boolean matrix `future = torch.ones(n, n, dtype=torch.bool).triu(1)` marks the keys that come later. `scores.masked_fill(future,
# -torch.inf).softmax(-1)` is the pattern, and `pattern @ (x @ W_V) @ W_O` the output.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# A lower triangular pattern. Its first row is 1, 0, 0, … whatever the weights: the first place has only itself to look at.
#
# </details>


# %%
def attention_head(
    x: Float[Tensor, "pos d_model"],
    W_Q: Float[Tensor, "d_model d_head"],
    W_K: Float[Tensor, "d_model d_head"],
    W_V: Float[Tensor, "d_model d_head"],
    W_O: Float[Tensor, "d_head d_model"],
) -> tuple[Float[Tensor, "query key"], Float[Tensor, "pos d_model"]]:
    """(the attention pattern, what the head adds to the stream) for one sequence, causal, without biases.

    Scores are q·k / √d_head. pattern[i, j] is how much place i looks at place j: zero for j > i, and each row sums to
    1.
    """
    # BEGIN SOLUTION
    scores = (x @ W_Q) @ (x @ W_K).T / W_Q.shape[1] ** 0.5
    future = torch.ones_like(scores, dtype=torch.bool).triu(1)
    pattern = scores.masked_fill(future, -torch.inf).softmax(-1)
    return pattern, pattern @ (x @ W_V) @ W_O
    # END SOLUTION


checks.circuits.test_attention_head(attention_head)

# %% [markdown]
# Below each exercise a line like the next one takes your function if its check has passed, and the library's if not. So you may skip
# anything: nothing that follows breaks. (A *wrong* answer does stop "Run All", at its check: mend it, or put the empty exercise back.)

# %%
attention_head = checks.yours_or(attention_head, circuits.attention_head)
W_Q, W_K, W_V, W_O = (weight[0, 0] for weight in (model.W_Q, model.W_K, model.W_V, model.W_O))  # layer 0, head 0
examples = {"the answer is 14": 14, "the answer is 18": 18}
rows = {title: int((drawn.answers == number).nonzero()[0]) for title, number in examples.items()}
patterns = {}
for title, row in rows.items():
    stream = model.W_E[drawn.tokens[row]] + model.W_pos
    pattern, _ = attention_head(stream, W_Q, W_K, W_V, W_O)
    patterns[f"{title}: {' '.join(words[token] for token in drawn.tokens[row, 1:-1])}"] = pattern
places = ["START", *map(str, range(1, 12)), "END"]
figures.matrices(
    patterns, "END finds 14 among the small numbers; for 18 it looks at START instead", places, places,
    down="place that looks", across="place it looks at", diverging=False, height=430,
).show()  # fmt: skip

# %% [markdown]
# (Only the last row matters for the answer. The others are what the same weights happen to do where nobody asked for an answer.)
#
# The other kind of part is the *MLP*. It works on each place by itself: $\text{ReLU}(x W_{in}) W_{out}$ is added to the stream. The
# network above has none, but most have. One or more heads and the MLP after them, if there is one, make a *layer*. All heads of a layer read the same
# stream and add their outputs to it together; then the MLP reads the result.

# %% [markdown]
# ### Exercise 11.2 · A transformer
# Difficulty ●●●○○ · Importance ●●●●● · 25 min
#
# Put it together: from tokens and weights to logits, for any number of layers and heads, with or without MLPs. The weights come by the
# names that they have in TransformerLens, a library for looking inside language models.
#
# <details><summary>Hint 1</summary>
#
# Four lines around a loop: look up and add the two embeddings; for each layer add all heads' outputs, computed from the same stream,
# then the MLP's if there is one; multiply by `unembed.W_U`. `circuits.attention_head` is at your disposal.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `while f"blocks.{layer}.attn.W_Q" in weights:` goes through the layers. The attention weights of a layer are stacked over heads, so
# `for matrices in zip(W_Q, W_K, W_V, W_O)` gives one head at a time. Collect the sum of their outputs before you add it to x.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# The same logits as the library's model, to about 1e-6 of their size.
#
# </details>


# %%
def transformer(tokens: Int[Tensor, "pos"], weights: dict[str, Float[Tensor, "..."]]) -> Float[Tensor, "pos vocab"]:
    """The logits at every place of one sequence. No LayerNorm, no biases.

    weights: "embed.W_E" [d_vocab, d_model]; "pos_embed.W_pos" [n_ctx, d_model], of which a shorter sequence uses the
    first rows; "unembed.W_U" [d_model, vocab]; for each layer N = 0, 1, …: "blocks.N.attn.W_Q", "…W_K", "…W_V" [head,
    d_model, d_head], "blocks.N.attn.W_O" [head, d_head, d_model]; and, if layer N has an MLP (ReLU),
    "blocks.N.mlp.W_in" [d_model, d_mlp], "blocks.N.mlp.W_out" [d_mlp, d_model]. The heads of a layer read the same
    stream; its MLP reads what they have left. You may use circuits.attention_head(x, W_Q, W_K, W_V, W_O), which
    returns (pattern, out).
    """
    # BEGIN SOLUTION
    x = weights["embed.W_E"][tokens] + weights["pos_embed.W_pos"][: len(tokens)]
    layer = 0
    while f"blocks.{layer}.attn.W_Q" in weights:
        heads = zip(*(weights[f"blocks.{layer}.attn.{name}"] for name in ("W_Q", "W_K", "W_V", "W_O")), strict=True)
        x = x + sum(circuits.attention_head(x, *matrices).out for matrices in heads)
        if f"blocks.{layer}.mlp.W_in" in weights:
            x = x + (x @ weights[f"blocks.{layer}.mlp.W_in"]).relu() @ weights[f"blocks.{layer}.mlp.W_out"]
        layer += 1
    return x @ weights["unembed.W_U"]
    # END SOLUTION


checks.circuits.test_transformer(transformer)

# %%
transformer = checks.yours_or(transformer, circuits.transformer)
for name, tokens in (("largest-number", drawn.tokens[0]), ("modular-addition", torch.tensor([45, 99, 113]))):
    network = zoo.load(name)
    yours, theirs = transformer(tokens, network.state_dict()), network(tokens[None])[0]
    close = torch.allclose(yours, theirs.to(yours.dtype), atol=1e-4 * theirs.abs().max().item())
    print(f"{name}: the same logits as the library's model: {close}; it answers {int(yours[-1].argmax())}")

# %% [markdown]
# The second network is that of chapter 21, which adds modulo 113: 45 + 99 = 144 ≡ 31 (mod 113). Its third token, 113, stands for "=". You have written a transformer that runs a trained
# network.
#
# > **So now we know:** a transformer is a stream, and parts that add to it. Once it is settled who looks where (and which neurons are on), everything is
# > linear.

# %% [markdown]
# ---
# ## 2 · Who said it?
#
# **Why we look here.** The final stream is a sum, and the logits are linear in it. So the logits are a sum too, with one term for each
# part, and we can ask each part what it said. This is *direct logit attribution*. There is one subtlety: adding the same number
# to all logits changes no probability. So count what a part adds to the answer's logit *over its average on all logits*.
#
# `circuits.stream_parts` returns everything that was ever added to the stream, part by part.

# %% [markdown]
# ### Exercise 11.3 · Attribution
# Difficulty ●●○○○ · Importance ●●●●○ · 10 min
#
# Write the contribution of each part to the right answer.
#
# <details><summary>Hint 1</summary>
#
# `parts @ W_U` would be every part's logits. Pick the answer's, subtract the mean over the vocabulary.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# With `said = parts @ W_U` of shape [part, batch, vocab], `said[:, torch.arange(len(answers)), answers]` picks one logit for each row of
# the batch.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# The sum over parts equals the answer's logit minus the mean logit of the whole model, up to rounding.
#
# </details>


# %%
def logit_attribution(
    parts: Float[Tensor, "part batch d_model"], W_U: Float[Tensor, "d_model vocab"], answers: Int[Tensor, "batch"]
) -> Float[Tensor, "part batch"]:
    """Each part's contribution to the logit of the answer, minus the mean of its contributions to all logits.

    parts[p, b] is what part p added to the stream of question b, at the place where the answer is read off.
    """
    # BEGIN SOLUTION
    said = parts @ W_U
    return said[:, torch.arange(len(answers)), answers] - said.mean(-1)
    # END SOLUTION


checks.circuits.test_logit_attribution(logit_attribution)

# %% [markdown]
# **Predict first.** For the answer 14, which part will speak for it: the token `END`, its place, or the head? And for 18, at which
# nobody looks? (In the legend below, `head 0.0` is head 0 of layer 0.)
#
# *Your prediction:*

# %%
logit_attribution = checks.yours_or(logit_attribution, circuits.logit_attribution)
names, parts = circuits.stream_parts(model, drawn.tokens)
said = logit_attribution(parts[:, :, -1], model.W_U, drawn.answers)
logits = outputs[:, -1].detach()
whole = logits.gather(1, drawn.answers[:, None])[:, 0] - logits.mean(1)
print("the parts sum to the whole:", torch.allclose(said.sum(0), whole.to(said.dtype), atol=1e-3))
by_answer = {name: [said[i, drawn.answers == number].mean().item() for number in large] for i, name in enumerate(names)}
lines.bars(
    [str(number) for number in large],
    by_answer,
    "The head says nearly all of it, for 18 as well",
    "logit over the mean",
).show()

# %% [markdown]
# **What does it mean?** For 18 the head looks at `START`, as you saw. Yet it says "18". How can that be?
#
# <details><summary>An answer</summary>
#
# What the head carries is made from what it looks at. It looks at `START`, which is in every list. So `START`, through this head, must
# *mean* "18". If nothing catches the head's eye it rests on `START` and says 18: a default.
#
# </details>
#
# > **So now we know:** the logits are a sum over parts, and here the head says nearly all of the answer, whatever it looks at.

# %% [markdown]
# ---
# ## 3 · Two circuits in one head
#
# **Why we look here.** Put the definition of the head together in another order. The score between query i and key j is
# $x_i\,(W_Q W_K^T)\,x_j^T/\sqrt{d_{head}}$. What attending to j adds to the stream is $x_j\,W_V W_O$, and so to the logits $x_j\,(W_V W_O)\,W_U$. Two
# products of matrices, and neither contains anything of the other: **where** the head looks is the *QK circuit*, $W_Q W_K^T$; **what** it brings is
# the *OV circuit*, $W_V W_O$. Put the embedding at both ends of the first, and the embedding and $W_U$ at the ends of the second. Both become tables
# over the vocabulary, which you can read: the *full* QK and OV circuits.

# %% [markdown]
# ### Exercise 11.4 · Where it looks
# Difficulty ●○○○○ · Importance ●●●●● · 5 min
#
# Write the full QK circuit, a table of attention scores.
#
# <details><summary>Hint 1</summary>
#
# Queries from the first set of vectors, keys from the second, one dot product for each pair.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `(queries @ W_Q) @ (keys @ W_K).T`, and do not forget the division by the root of d_head.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# A table with one row for each query vector and one column for each key vector. No softmax: that depends on which tokens are there.
#
# </details>


# %%
def qk_circuit(
    queries: Float[Tensor, "n d_model"],
    keys: Float[Tensor, "m d_model"],
    W_Q: Float[Tensor, "d_model d_head"],
    W_K: Float[Tensor, "d_model d_head"],
) -> Float[Tensor, "n m"]:
    """Entry [i, j]: the attention score, divided by √d_head, of stream vector queries[i] looking at stream vector keys[j].

    No mask and no softmax.
    """
    # BEGIN SOLUTION
    return (queries @ W_Q) @ (keys @ W_K).T / W_Q.shape[1] ** 0.5
    # END SOLUTION


checks.circuits.test_qk_circuit(qk_circuit)

# %% [markdown]
# ### Exercise 11.5 · What it brings
# Difficulty ●○○○○ · Importance ●●●●● · 5 min
#
# Write the full OV circuit, a table of logits.
#
# <details><summary>Hint 1</summary>
#
# Follow one vector: through $W_V$ into the head, through $W_O$ back to the stream, through $W_U$ to the logits.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# A product of four matrices, in the order in which the vector meets them.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# One row for each source vector, one column for each token that could be predicted.
#
# </details>


# %%
def ov_circuit(
    sources: Float[Tensor, "n d_model"],
    W_V: Float[Tensor, "d_model d_head"],
    W_O: Float[Tensor, "d_head d_model"],
    W_U: Float[Tensor, "d_model vocab"],
) -> Float[Tensor, "n vocab"]:
    """Row i: what the head adds to the logits where it attends to stream vector sources[i] with weight 1."""
    # BEGIN SOLUTION
    return sources @ W_V @ W_O @ W_U
    # END SOLUTION


checks.circuits.test_ov_circuit(ov_circuit)

# %% [markdown]
# Read the network. Leave the places out and take each token's embedding as its vector. For `START` and `END`, which always stand at the same
# place, the place's vector is added.

# %%
qk_circuit = checks.yours_or(qk_circuit, circuits.qk_circuit)
ov_circuit = checks.yours_or(ov_circuit, circuits.ov_circuit)


def token_vectors(network: Transformer) -> Tensor:
    """What stands in the stream at a token, its place left out, but for START and END."""
    vectors = network.W_E.clone()
    vectors[task.start] += network.W_pos[0]
    vectors[task.end] += network.W_pos[-1]
    return vectors


vectors = token_vectors(model)
end = vectors[[task.end]]
scores = qk_circuit(end, vectors, W_Q, W_K)[0]
ov = ov_circuit(vectors, W_V, W_O, model.W_U)
direct = (end @ model.W_U)[0]  # what END says without any head
lines.bars(
    words, {"score": scores}, "END looks for large numbers, and for 18 as little as for a small one", "attention score"
).show()
figures.matrices(
    {"OV: what is added to the logits": ov}, "Each large number says itself; START says 18, and nothing else that is large",
    words, words, down="token attended to", across="logit", height=560,
).show()  # fmt: skip

# %% [markdown]
# Two pictures, and the puzzle is solved.
#
# * **Nine skip trigrams.** A rule of the form "*if 14 stood anywhere before, then after END comes 14*" is called a *skip trigram*: three tokens
#   `14 … END → 14` with any gap. Nine large numbers have a high score and an OV row that says the number itself.
# * **A default.** `START` is in every list. Its score lies below those of the nine, and far above those of small numbers and of 18. So when none of
#   the nine is there, it wins. Its row raises 18 and lowers all others.
#
# A story is cheap. Is it the whole story? The three tables (scores, OV, and what `END` says on its own) ignore where the numbers stand. If they
# explain the network, they must be able to *replace* it.

# %% [markdown]
# ### Exercise 11.6 · A network of three tables
# Difficulty ●●●○○ · Importance ●●●●● · 10 min
#
# Answer a question from the tables alone.
#
# <details><summary>Hint 1</summary>
#
# `END` gives each place the score of the token there. Softmax, then average the OV rows of those tokens. What else reaches the logits?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `scores[tokens]` is one score for each place: a token that occurs twice counts twice. `weights @ ov[tokens]` is the head's path;
# `direct` is the path around it.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# All questions answered rightly.
#
# </details>


# %%
def answer_from_tables(
    tokens: Int[Tensor, "pos"],
    scores: Float[Tensor, "vocab"],
    ov: Float[Tensor, "vocab vocab"],
    direct: Float[Tensor, "vocab"],
) -> Float[Tensor, "vocab"]:
    """The logits after the last token of a one-layer, one-head network, from tables that ignore where tokens stand.

    scores[t]: the score that the last place gives to any place with token t (already divided by √d_head). ov[t]: what
    attending to token t with weight 1 adds to the logits. direct: what the last token adds by itself. The head looks
    at all places, the last one included.
    """
    # BEGIN SOLUTION
    return direct + scores[tokens].softmax(0) @ ov[tokens]
    # END SOLUTION


checks.circuits.test_answer_from_tables(answer_from_tables)

# %% [markdown]
# Beside the trained tables stand four *controls*, experiments in which the claimed cause is absent: the tables of the untrained network, trained OV with untrained scores, trained scores with
# untrained OV, and the trained tables with the row of `START` set to zero. If both circuits are needed, each of the first three must fail. If
# `START` is the default, the last must lose 18 and nothing else. And to see whether the third table is needed, leave it out: what `END` says on its own.

# %%
answer_from_tables = checks.yours_or(answer_from_tables, circuits.answer_from_tables)
before = Transformer(model.cfg, seed=0).requires_grad_(False)  # as it was before training
vectors_before = token_vectors(before)
end_before = vectors_before[[task.end]]
scores_before = qk_circuit(end_before, vectors_before, before.W_Q[0, 0], before.W_K[0, 0])[0]
ov_before = ov_circuit(vectors_before, before.W_V[0, 0], before.W_O[0, 0], before.W_U)
ov_without_start = ov.clone()
ov_without_start[task.start] = 0
asked = drawn.answers[:1000]


def logits_from(scores: Tensor, ov: Tensor, direct: Tensor) -> Tensor:
    """What the tables say to the first thousand questions."""
    return torch.stack([answer_from_tables(tokens, scores, ov, direct) for tokens in drawn.tokens[: len(asked)]])


def right_from(scores: Tensor, ov: Tensor, direct: Tensor) -> Tensor:
    """Which of the first thousand questions do the tables answer rightly?"""
    return (logits_from(scores, ov, direct).argmax(-1) == asked).double()


tables_right = right_from(scores, ov, direct).mean().item()
controls_right = {
    "untrained tables": right_from(scores_before, ov_before, (end_before @ before.W_U)[0]).mean().item(),
    "untrained scores": right_from(scores_before, ov, direct).mean().item(),
    "untrained OV": right_from(scores, ov_before, direct).mean().item(),
}
without_direct = right_from(scores, ov, 0 * direct).mean().item()
without_start = right_from(scores, ov_without_start, direct)
lost, others_kept = without_start[asked == 18].mean().item(), without_start[asked != 18].mean().item()
print(f"the three tables answer {tables_right:.1%}; " + ", ".join(f"{k}: {v:.1%}" for k, v in controls_right.items()))
print(f"without the row of START: 18 is right in {lost:.0%}, the others in {others_kept:.0%}")
print(f"without what END says on its own: {without_direct:.1%} right")
off = (logits_from(scores, ov, direct) - logits[: len(asked)]).abs().max()
print(
    f"largest difference between a logit of the tables and the network's: {off:.1f}; largest logit: {logits.abs().max():.0f}"
)

# %% [markdown]
# The three tables give the network's answers, all of them. The third is not needed for any of these answers: the head's two tables suffice. (The tables
# do not give the network's exact logits: where a number stands does change them, by up to 3.1 where logits reach 33 in size, and that is less than it takes to change an answer.)
#
# **How did it learn them?** The history of the run has the loss of each answer by itself, in nats (natural logarithm). Guessing among ten costs
# log 10 = 2.3.
#
# **Predict first.** Will the ten losses fall together, or one after another? Which will be last?
#
# *Your prediction:*

# %%
history = zoo.history("largest-number")
shown = next(i for i, step in enumerate(history["step"]) if step >= 1000) + 1
each = {str(number): history[f"loss_{number}"][:shown] for number in large} | {"mean": history["test_loss"][:shown]}
halfway = {
    number: next(step for step, loss in zip(history["step"], history[f"loss_{number}"], strict=True) if loss < 1.15)
    for number in large
}
figure = lines.curves(
    history["step"][:shown],
    each,
    "Each loss drops when its rule is learnt; nine of the ten drop almost together",
    "step",
    "loss (nats)",
    markers=False,
)
figure.update_traces(line={"color": "grey", "width": 5, "dash": "solid"}, selector={"name": "mean"}).show()
print(
    "half of log 10 is passed at steps",
    ", ".join(f"{int(step)} ({number})" for number, step in sorted(halfway.items(), key=lambda item: item[1])),
)

# %% [markdown]
# First all ten fall to the loss of guessing among ten: the network has learnt that no small number is ever the answer. There they wait. Then 10 drops first, in a
# small *phase change* (a sudden change in the course of training; chapter 12 has a larger one). The other nine drop almost together, within a hundred steps. Last comes 18, the default, in this one run. The mean, the loss that one usually looks at, shows a bend at 2.3 and then one smooth slope.
#
# **Is the default what networks do?** One run is one run. The zoo has a table of twenty more, each with another *seed*, the number that decides all random draws: ten at this
# learning rate, and ten at a learning rate ten times higher.

# %%
seeds = zoo.table("largest-number-seeds")
slow, fast = ([row for row in seeds if row["lr"] == lr] for lr in (3e-4, 3e-3))
for label, group in (("learning rate 0.0003", slow), ("learning rate 0.003", fast)):
    defaults = [row for row in group if row["attended"] == 9]
    print(
        f"{label}: {len(group)} seeds, all answers right in {sum(row['test_accuracy'] == 1 for row in group)}; "
        f"nine numbers attended to and a default in {len(defaults)}, all ten attended to in {sum(row['attended'] == 10 for row in group)}"
    )

# %% [markdown]
# (A number counts as attended to if it gets more than half of the attention.) So the default is one solution of two, and by far the rarer one: one seed in ten, and only at the
# low learning rate. One would expect ten skip trigrams. Nine and a default do as well. Which of the two a network has found cannot be
# seen in its accuracy, which is 100 % for all. You have to look inside.
#
# > **So now we know:** a head is two tables. One says where it looks, the other what it brings, and here these two alone give all the network's answers.

# %% [markdown]
# ---
# ## 4 · A bug that hides
#
# **Why we look here.** What a head brings back depends on where it looks, and **not** on who asks. That ought to lead to mistakes. Take
# *keep in mind* and *keep at bay*. For a head that looks back from a preposition to the verb, `keep` must say both "mind" and "bay": it
# is the same row of the full OV circuit, whether `in` is asking or `at`. So *keep in bay* should come out as well.
#
# Here is a network that learnt phrases of this kind: twelve verbs, three prepositions, twelve nouns. Verb v and preposition q go
# with noun v + (0, 1 or 3) modulo 12, so each preposition occurs with each noun equally often, and neither verb nor preposition alone
# says which noun is right. The verb stands anywhere before the preposition, among fillers.

# %%
phrase_task = skip_trigrams.PhraseTask()
phrase_model = zoo.load("phrases")
asked_phrases = skip_trigrams.phrases(phrase_task, 4000, seed=7)
prepositions = torch.arange(3) + 2 * phrase_task.verbs  # their tokens
phrase_logits = phrase_model(asked_phrases.tokens)[:, -1]
normal = skip_trigrams.confusion(phrase_logits, asked_phrases, phrase_task)
print(
    "probability of the verb's noun that goes with each preposition (columns), by the preposition in the phrase (rows):"
)
print(normal.numpy().round(3))

# %% [markdown]
# Hardly a trace of the bug: 99.7 % on the diagonal. "Keep in bay" is hardly ever the answer. How does the network do what it should not be able to do?
#
# At the preposition the logits are a sum: what the preposition says by itself, and what the head brings, an average over the places it looks at. If all
# prepositions looked at the same places equally much, then verb and preposition could only **add up**: a part that depends on the verb and a part that
# depends on the preposition. But where the head looks is set by the QK circuit, from verb *and* preposition. So look at that:

# %%
_, phrase_cache = phrase_model.run_with_cache(asked_phrases.tokens)
phrase_attention = phrase_cache["blocks.0.attn.hook_pattern"][:, 0, -1]
verb = asked_phrases.tokens[asked_phrases.tokens < phrase_task.verbs]
asking = asked_phrases.tokens[:, -1] - 2 * phrase_task.verbs
to_verb = (phrase_attention * (asked_phrases.tokens < phrase_task.verbs)).sum(1)
mean_attention = torch.stack(
    [torch.stack([to_verb[(asking == q) & (verb == v)].mean() for v in range(12)]) for q in range(3)]
)
figures.matrices(
    {"attention to the verb": mean_attention}, "How loudly a verb speaks depends on who asks",
    [f"preposition {q}" for q in range(3)], [str(v) for v in range(12)],
    down="", across="verb", diverging=False, limit=1.0, height=280,
).show()  # fmt: skip
quiet = phrase_attention[(asking == 0) & (verb == 4)].mean(0)  # by place; the last is the preposition itself
alone = phrase_model.W_E[prepositions[:1]] + phrase_model.W_pos[-1]
default = (
    alone @ phrase_model.W_U + ov_circuit(alone, phrase_model.W_V[0, 0], phrase_model.W_O[0, 0], phrase_model.W_U)
)[0]
print(
    f"preposition 0 after verb 4: attention {mean_attention[0, 4]:.3f} to the verb, {quiet[-1]:.2f} to itself;",
    f"what it says on its own and by looking at itself: noun {default.argmax() - phrase_task.verbs}",
)

# %% [markdown]
# There it is. The head cannot change *what* a verb says, but it can change *how loudly*. For some verbs it does not (0, 3, 9): there adding up
# must be enough. For others it does, and for one so thoroughly that the verb is hardly heard: preposition 0 gives verb 4 one hundredth of its attention. The preposition looks at itself
# instead, and what it then says is a default, like `START` in the first network: noun 4, the right one.
#
# This is a hypothesis about a cause, and there is a direct test. *Freeze* the pattern: give every preposition the *same* attention
# pattern, the mean over the three, and leave all else alone. If loudness matters, the bug must come out now.
#
# **Two tools.** Every activation of a model passes through a *hook point* with a name, such as `blocks.0.attn.hook_pattern` (layer 0, the attention
# pattern, shape [batch, head, query, key]). You can read it, and you can replace it on the way:
#
#     logits, cache = model.run_with_cache(tokens)
#     pattern = cache["blocks.0.attn.hook_pattern"]
#
#     def replace(activation, hook):     # called when the model gets there; what it returns goes on
#         return something_else
#
#     logits = model.run_with_hooks(tokens, fwd_hooks=[("blocks.0.attn.hook_pattern", replace)])

# %% [markdown]
# ### Exercise 11.7 · Freeze where it looks
# Difficulty ●●●○○ · Importance ●●●●○ · 20 min
#
# Compute the answers of a one-layer network whose attention does not depend on the last token.
#
# <details><summary>Hint 1</summary>
#
# Two steps. First, for each ending: put it at the end of every sequence, run with a cache, keep the pattern. Then run the original
# sequences with the mean pattern in place of their own.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `version = tokens.clone(); version[:, -1] = ending` for each ending; collect the patterns, `torch.stack(patterns).mean(0)`, and replace with
# `lambda pattern, hook: mean`. The answer is in the logits of the last place, `[:, -1]`.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# With a single ending that is the sequences' own, the model's usual answers.
#
# </details>


# %%
def frozen_logits(
    model: Transformer, tokens: Int[Tensor, "batch pos"], endings: Int[Tensor, "ending"]
) -> Float[Tensor, "batch vocab"]:
    """The logits at the last place of a one-layer model (with or without an MLP), with its attention pattern frozen.

    The pattern of all heads is replaced, for each sequence by itself, by the mean of its patterns over the versions
    of this sequence that end with each of `endings` in turn. All else is computed from the sequence as it is. tokens
    and model are left as they are.
    """
    # BEGIN SOLUTION
    name = "blocks.0.attn.hook_pattern"
    patterns = []
    for ending in endings:
        version = tokens.clone()
        version[:, -1] = ending
        patterns.append(model.run_with_cache(version)[1][name])
    mean = torch.stack(patterns).mean(0)
    return model.run_with_hooks(tokens, fwd_hooks=[(name, lambda pattern, hook: mean)])[:, -1]
    # END SOLUTION


checks.circuits.test_frozen_logits(frozen_logits)

# %%
frozen_logits = checks.yours_or(frozen_logits, patching.frozen_logits)
frozen_answers = frozen_logits(phrase_model, asked_phrases.tokens, prepositions)
frozen = skip_trigrams.confusion(frozen_answers, asked_phrases, phrase_task)
on_right = frozen_answers.softmax(-1).gather(1, asked_phrases.answers[:, None])[:, 0]
asked_names, given_names = [f"preposition {q}" for q in range(3)], [f"noun of {q}" for q in range(3)]
figures.matrices(
    {"as trained": normal, "pattern frozen": frozen}, "Freeze where it looks, and the bug comes out",
    asked_names, given_names, diverging=False, limit=1.0, height=330,
).show()  # fmt: skip
frozen_right, frozen_bug = frozen.diagonal().mean().item(), (frozen.sum() - frozen.diagonal().sum()).item() / 3
print(
    f"frozen: right {frozen_right:.1%}, another noun of the same verb {frozen_bug:.1%}, anything else {1 - frozen_right - frozen_bug:.1%}"
)
print("right by preposition:", ", ".join(f"{share:.0%}" for share in frozen.diagonal().tolist()))
print("right by verb:", ", ".join(f"{v}: {on_right[verb == v].mean():.2f}" for v in range(12)))

# %% [markdown]
# With the pattern frozen the network still knows the verb: 93.9 % of the probability goes to its three nouns. *Which of them* has become half a guess: 56 % of that
# probability is on the right one, where blind chance would give 33 %. (The mean hides a difference: the right noun gets 49, 38 and 70 % of the whole with the three prepositions.)
# What is left is what adding up can do: all for the verbs 0, 3 and 9, which every preposition hears fully, and little for some others.
#
# Was it the loudness of the *verb*, or something else in the pattern? Split it: freeze only the attention to the verb, or freeze everything but that.

# %%
name = "blocks.0.attn.hook_pattern"
own = phrase_cache[name]
versions = torch.stack(
    [torch.cat([asked_phrases.tokens[:, :-1], torch.full((4000, 1), int(q))], 1) for q in prepositions]
)
mean_pattern = torch.stack([phrase_model.run_with_cache(version)[1][name] for version in versions]).mean(0)
is_verb = (asked_phrases.tokens < phrase_task.verbs)[:, None, None]


def loudness_of(loud: Tensor, rest: Tensor) -> Tensor:
    """A pattern that gives the verb what `loud` gives it, and shares out what is left as `rest` does."""
    to_the_verb, elsewhere = torch.where(is_verb, loud, 0.0), torch.where(is_verb, 0.0, rest)
    left = 1 - to_the_verb.sum(-1, keepdim=True)
    return to_the_verb + left * elsewhere / elsewhere.sum(-1, keepdim=True).clamp(min=1e-12)


mixtures = {
    "only the attention to the verb frozen": loudness_of(mean_pattern, own),
    "everything but the attention to the verb frozen": loudness_of(own, mean_pattern),
}
split_right = {}
for label, mixture in mixtures.items():
    answer = phrase_model.run_with_hooks(asked_phrases.tokens, fwd_hooks=[(name, lambda x, hook, m=mixture: m)])[:, -1]
    split_right[label] = skip_trigrams.confusion(answer, asked_phrases, phrase_task).diagonal().mean().item()
    print(f"{label}: right {split_right[label]:.1%}")

# %% [markdown]
# The loudness of the verb it is. Freezing that alone does as much damage as freezing everything. Freezing all the rest costs six points.
#
# When can a network not hide it? When its head has too little room. A table has 25 more runs:
#
# * ten of the same network, with other seeds;
# * ten with 24 verbs and a head of three dimensions, so that its tables over 59 tokens (24 verbs, 24 nouns, 3 prepositions, 8 fillers) have rank 3;
# * five of that kind with a second layer, in which a head can use what the first has found.
#
# "Worst pair": for each two prepositions, the probability of the noun that belongs to the other one, averaged over phrases; the largest over all pairs and seeds.

# %%
phrase_runs = zoo.table("phrase-seeds")
groups = {
    "12 verbs, d_head 32": [row for row in phrase_runs if row["verbs"] == 12],
    "24 verbs, d_head 3": [row for row in phrase_runs if row["verbs"] == 24 and row["n_layers"] == 1],
    "24 verbs, d_head 3, two layers": [row for row in phrase_runs if row["n_layers"] == 2],
}
for label, group in groups.items():
    mean = {key: sum(row[key] for row in group) / len(group) for key in ("right", "bug") if group[0][key] is not None}
    worst = max(row["worst_pair"] for row in group)
    line = f"{label}: {len(group)} seeds; right {evidence.percent(mean['right'])}, bug {evidence.percent(mean['bug'])}, worst pair {evidence.percent(worst)}"
    if group[0]["frozen_right"] is not None:
        line += "; frozen: right " + " to ".join(
            evidence.percent(f(row["frozen_right"] for row in group), 1) for f in (min, max)
        )
        line += ", bug " + " to ".join(evidence.percent(f(row["frozen_bug"] for row in group), 1) for f in (min, max))
    print(line)

# %% [markdown]
# Starved of dimensions, the network says "keep in bay" in a few cases of a hundred, some seven times as often as with room. That is still far less than comes out
# when the pattern is frozen. With a second layer, and heads as narrow, the bug is down again, from 3.7 % to 0.5 %.
#
# > **So now we know:** the bug of skip trigrams is real, and trained networks work around it, mostly by rescaling attention, as an intervention on the
# > pattern shows. What a network *does* and what its parts *can do* are two questions.

# %% [markdown]
# ---
# ## 5 · Take it out
#
# **Why we look here.** "Is this head needed?" sounds like one question. It is at least three, since something must be put in
# the place of what the head carries.
#
# * **Zero**: nothing. Asks: what if the head added nothing at all?
# * **Mean**: its mean over other questions, place by place. Asks: what if the head carried no *information*?
# * **Resample**: what it carries on *another question*. Asks: what if the head carried information about something else?
#
# To put something else in a part's place is to *ablate* it.
#
# **Predict first.** A network with two heads learnt to find the large number. Ablate one of its heads in the three ways. Will the three losses
# be alike? Which will be the largest?
#
# *Your prediction:*

# %% [markdown]
# ### Exercise 11.8 · Three ways to remove a head
# Difficulty ●●●○○ · Importance ●●●●○ · 20 min
#
# Write the three ablations of one head.
#
# <details><summary>Hint 1</summary>
#
# `hook_z` of a layer is what each head carries, before $W_O$: [batch, place, head, d_head]. Run the model on `others` with a cache,
# take this head's z, make the replacement out of it.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The hook function gets z; it should `z = z.clone()`, set `z[:, :, head]` to zeros, to the mean over the first axis of the other run's z, or to the
# other run's z itself, and return z.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# Resampling from the same questions changes nothing.
#
# </details>


# %%
def ablated_logits(
    model: Transformer,
    tokens: Int[Tensor, "batch pos"],
    layer: int,
    head: int,
    how: str,
    others: Int[Tensor, "others pos"],
) -> Float[Tensor, "batch pos vocab"]:
    """The logits with what one head carries replaced at all places.

    What it carries is its part of "blocks.{layer}.attn.hook_z", of shape [batch, place, head, d_head].
    how = "zero": by zeros. "mean": by its mean over the sequences `others`, for each place by itself. "resample": by
    what it is on `others`, row i of tokens getting that of row i of others (then there are as many others as tokens).
    Other heads are computed as usual.
    """
    # BEGIN SOLUTION
    name = f"blocks.{layer}.attn.hook_z"
    elsewhere = model.run_with_cache(others)[1][name][:, :, head]
    instead = {"zero": torch.zeros_like(elsewhere[0]), "mean": elsewhere.mean(0), "resample": elsewhere}[how]

    def replace(z, hook):
        z = z.clone()
        z[:, :, head] = instead
        return z

    return model.run_with_hooks(tokens, fwd_hooks=[(name, replace)])
    # END SOLUTION


checks.circuits.test_ablated_logits(ablated_logits)

# %%
ablated_logits = checks.yours_or(ablated_logits, patching.ablated_logits)
two_heads = zoo.load("largest-number-two-heads")
others = skip_trigrams.largest(task, len(drawn.tokens), seed=8)
cross_entropy = torch.nn.functional.cross_entropy
ablated: dict[str, list[float]] = {"zero": [], "mean": [], "resample": []}
accuracy: dict[str, list[float]] = {how: [] for how in ablated}
for how in ablated:
    for head in (0, 1):
        changed = ablated_logits(two_heads, drawn.tokens, 0, head, how, others.tokens)[:, -1].double()
        ablated[how].append(cross_entropy(changed, drawn.answers).item())
        accuracy[how].append((changed.argmax(-1) == drawn.answers).double().mean().item())
lines.bars(
    ["head 0", "head 1"], ablated, "What you put in its place decides what a head seems worth", "loss (nats)"
).show()
print("accuracy:", {how: [f"{share:.0%}" for share in shares] for how, shares in accuracy.items()})
whole_loss = cross_entropy(two_heads(drawn.tokens)[:, -1].double(), drawn.answers).item()
print(f"with both heads: loss {whole_loss:.0e}")
for how in ("zero", "mean"):
    silent = ablated_logits(two_heads, drawn.tokens, 0, 1, how, others.tokens)[:, -1].argmax(-1) == drawn.answers
    each_right = (f"{number}: {silent[drawn.answers == number].double().mean():.0%}" for number in large)
    print(f"without head 1 ({how}):", ", ".join(each_right))

# %% [markdown]
# Without head 1 (zero or mean) one number in ten is lost, and it is always the same one: 11 is head 1's alone. Head 0, by zero or by mean, hardly matters at all.
# Yet by resampling it is worth two nats. **What does it mean?** Which of the three ablations is right?
#
# <details><summary>An answer</summary>
#
# Each, for its own question. Without head 0, head 1 still says enough for the answer: head 0 is *not needed*. But it is *used*: when head 0 says that it has seen
# another number, the network believes it about four times in ten. Zero and mean take a voice away; resampling puts in a voice that lies. Ablation by zero has its own
# trap: zero may be far from anything the head ever says, so that later parts meet a stream they have never seen. Here nothing comes
# later, so it does little harm. Say which ablation you use, and which question it answers.
#
# </details>
#
# > **So now we know:** "what does this part do" has no answer before you say "compared to what".

# %% [markdown]
# ---
# ## Deeper · Does this head copy?
#
# To look at a table is fine with 22 tokens, and hopeless with 50 000. A number would help. If a head copies, then on the whole
# its full OV circuit makes tokens raise themselves, so it should have mostly positive eigenvalues: a direction comes out as it went in. The *eigenvalue
# score* of [Elhage et al. 2021](https://transformer-circuits.pub/2021/framework/index.html) is $\sum\lambda/\sum|\lambda|$. By this score 10 of 12
# heads of their one-layer language model copy. (Chapter 12 has another measure of copying, and the two need not agree.)

# %% [markdown]
# ### Exercise 11.9 · The eigenvalue score
# Difficulty ●●○○○ · Importance ●●○○○ · 10 min
#
# Write the eigenvalue score of a square matrix.
#
# <details><summary>Hint 1</summary>
#
# `torch.linalg.eigvals`. They are complex, in conjugate pairs: their sum is real up to rounding, and |λ| is the complex absolute value.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `values.sum().real / values.abs().sum()`.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# 1 for the identity, −1 for its negative, 0 for a quarter turn of the plane.
#
# </details>


# %%
def eigenvalue_score(matrix: Float[Tensor, "n n"]) -> float:
    """The sum of the eigenvalues divided by the sum of their absolute values."""
    # BEGIN SOLUTION
    eigenvalues = torch.linalg.eigvals(matrix)
    return (eigenvalues.sum().real / eigenvalues.abs().sum()).item()
    # END SOLUTION


checks.circuits.test_eigenvalue_score(eigenvalue_score)

# %%
eigenvalue_score = checks.yours_or(eigenvalue_score, circuits.eigenvalue_score)
generator = torch.Generator().manual_seed(0)


def random_ov() -> Tensor:
    """A block of ten tokens of the OV circuit of random matrices with the shapes of this head's."""
    product = torch.eye(10, dtype=torch.float64)
    for shape in ((10, 32), (32, 32), (32, 32), (32, 10)):
        product = product @ torch.randn(shape, generator=generator, dtype=torch.float64)
    return product


random_scores = torch.tensor([eigenvalue_score(random_ov()) for _ in range(300)])
small = ov[:10, :10]
blocks = {
    "whole table": ov, "large numbers": ov[10:20, 10:20], "small numbers": small,
    "small numbers, each row less its mean": small - small.mean(1, keepdim=True),
}  # fmt: skip
eigenvalue_scores = {name: eigenvalue_score(block.double()) for name, block in blocks.items()}
print(
    {name: round(score, 2) for name, score in eigenvalue_scores.items()},
    f"random: {random_scores.mean():.2f} ± {random_scores.std():.2f}",
)
figures.plane(
    {
        "large numbers": torch.linalg.eigvals(ov[10:20, 10:20].double()),
        "small numbers": torch.linalg.eigvals(small.double()),
        "random matrix": torch.linalg.eigvals(random_ov()),
    },
    "A copying circuit has its eigenvalues on the right; a random one has them everywhere",
).show()

# %% [markdown]
# On the block of large numbers the score is near 1. On small numbers it is clearly negative. Do small numbers *anti*-copy? Take each row's mean away, which changes no
# probability among them, and the score is within chance. The block has a single large eigenvalue, negative: nearly every small number pushes small numbers down on the
# whole. That has nothing to do with copying. A score over the whole vocabulary mixes such things. Look at the eigenvalues before you believe their sum.

# %% [markdown]
# ---
# ## Deeper · Whose coordinates?
#
# In a trained network you can look at coordinate 17 of the stream at any place. Does it mean anything? Turn the whole stream by some
# rotation R, and turn every matrix that reads from it or writes into it along. Nothing has changed: same scores, same logits. A basis that can be
# turned without a trace is not *privileged*. For the neurons of an MLP this does not hold: the ReLU acts on each coordinate by itself.

# %% [markdown]
# ### Exercise 11.10 · Turn the stream
# Difficulty ●●●○○ · Importance ●●●○○ · 15 min
#
# Rotate the residual stream of a network by rotating its weights.
#
# <details><summary>Hint 1</summary>
#
# Stream vectors are rows, and every x becomes x R. Who writes into the stream? Who reads from it? A reader must first undo the turn.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Writers, `W_E`, `W_pos`, `W_O`, `W_out`: `weight @ rotation`. Readers, `W_Q`, `W_K`, `W_V`, `W_in`, `W_U`: `rotation.T @ weight`. Both work for weights that are
# stacked over heads.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# The same logits to rounding, from weights of which not one is the same.
#
# </details>


# %%
def rotate_stream(
    weights: dict[str, Float[Tensor, "..."]], rotation: Float[Tensor, "d_model d_model"]
) -> dict[str, Float[Tensor, "..."]]:
    """The weights, under the same names, of the network whose stream is x R wherever the original's is x, and whose logits are the same.

    rotation is orthogonal. Names end with W_E, W_pos, W_Q, W_K, W_V, W_O, W_in, W_out or W_U, with the shapes of
    exercise 11.2.
    """
    # BEGIN SOLUTION
    writers = ("W_E", "W_pos", "W_O", "W_out")
    return {
        name: weight @ rotation if name.rsplit(".", 1)[-1] in writers else rotation.T @ weight
        for name, weight in weights.items()
    }
    # END SOLUTION


checks.circuits.test_rotate_stream(rotate_stream)

# %% [markdown]
# Try it on the network of chapter 21, which has an MLP. The control turns the *neurons* instead: `W_in` and `W_out` are multiplied by a
# rotation of the 512 neurons and by its inverse. If the ReLU were not there, this would change nothing either.

# %%
rotate_stream = checks.yours_or(rotate_stream, circuits.rotate_stream)
adder, adding = zoo.load("modular-addition"), zoo.entry("modular-addition").recipe.problem


def random_rotation(n: int) -> Tensor:
    """A random orthogonal matrix."""
    return torch.linalg.qr(torch.randn(n, n, generator=generator)).Q


def with_weights(weights: dict[str, Tensor]) -> Transformer:
    """The adding network with other weights."""
    network = Transformer(adder.cfg)
    network.load_state_dict(weights)
    return network


original = {name: weight.clone() for name, weight in adder.state_dict().items()}
turned = {name: weight.float() for name, weight in rotate_stream(original, random_rotation(128)).items()}
neuron_rotation = random_rotation(512)
mixed = dict(original)
mixed["blocks.0.mlp.W_in"] = original["blocks.0.mlp.W_in"] @ neuron_rotation
mixed["blocks.0.mlp.W_out"] = neuron_rotation.T @ original["blocks.0.mlp.W_out"]
tables = {name: modular_logits(adding, with_weights(weights)) for name, weights in
          (("as it is", original), ("stream turned", turned), ("neurons turned", mixed))}  # fmt: skip
kept = {name: modular.table_accuracy(table, adding.task) for name, table in tables.items()}
moved = (tables["stream turned"] - tables["as it is"]).abs().max() / tables["as it is"].abs().max()
print(
    {name: f"{share:.1%}" for name, share in kept.items()},
    f"largest change of a logit by turning the stream: {moved:.0e} of the largest",
)

# %% [markdown]
# (The change is not exactly zero: 32-bit floats round, and a rotated network rounds differently. Compare such things relative to the size of what
# you compare.) So a single coordinate of the stream has no claim to a meaning; ask for *directions* that some weight reads or writes. (Training might still leave its mark on
# coordinates, since the optimiser (AdamW) treats each weight by itself. What the network computes does not care.) Neurons, on the other hand, are worth looking at one by one. Chapter 21 does.

# %% [markdown]
# ---
# ## Evidence
#
# Every claim of this chapter beside a published number where there is one, and a control. All of it is computed here from shipped
# weights, or read from shipped tables that say how they were made.

# %% tags=["evidence"]
number, percent, verdict = evidence.number, evidence.percent, evidence.verdict
starved = [row for row in phrase_runs if row["verbs"] == 24 and row["n_layers"] == 1]
deeper = [row for row in phrase_runs if row["n_layers"] == 2]
plain = [row for row in phrase_runs if row["verbs"] == 12]
attended = [sum(row["attended"] == n for row in slow) for n in (9, 10)]
head_0 = [ablated[how][0] for how in ablated]
later = sorted(halfway.values())

evidence.table(
    [
        ("18 is answered without being looked at", "not published", f"attention {number(looks[8], below=0.01)}, right {percent(answered[8])}",
         f"14: {percent(looks[4])}, {percent(answered[4])}", "this seed", verdict(looks[8] < 0.05 and answered[8] == 1, "under 5 %, all right")),
        ("the default is START's: 18 without its row", "not published", percent(lost, 1), f"other numbers: {percent(others_kept, 1)}", "this seed, from the tables",
         verdict(lost < 0.1 and others_kept > 0.95, "under 10 %, over 95 %")),
        ("contributions of parts sum to the logit", "exact", "yes" if torch.allclose(said.sum(0), whole.to(said.dtype), atol=1e-3) else "no", "", "",
         verdict(torch.allclose(said.sum(0), whole.to(said.dtype), atol=1e-3), "1e-3")),
        ("three tables replace the network", "not published", f"{percent(tables_right)}; the head's two alone {percent(without_direct)}", "untrained tables, scores, OV: " + ("all under 25 %" if max(controls_right.values()) < 0.25 else "more"),
         "", verdict(min(tables_right, without_direct) > 0.99 > 0.5 > max(controls_right.values()), "99 %, controls under 50 %")),
        ("ten skip trigrams", "not published", f"ten: {attended[1]} of 10 seeds, nine and a default: {attended[0]}", "lr 0.003: ten in "
         f"{sum(row['attended'] == 10 for row in fast)} of 10", "one head, 11 numbers", verdict(attended[1] == 10, "in all seeds")),
        ("10 is learnt before the others (steps at half of log 10)", "not published", f"{min(halfway.values()):.0f}", f"the others: {later[1]:.0f} to {later[-1]:.0f}", "this seed",
         verdict(later[1] - later[0] >= 60, "60 steps")),
        ("trained phrases show no bug", "not published", f"right {percent(sum(r['right'] for r in plain) / 10)} (10 seeds)", "", "made-up phrases",
         verdict(min(r["right"] for r in plain) > 0.95, "95 % in all seeds")),
        ("frozen pattern: right, bug", "not published", f"{percent(frozen_right, 1)}, {percent(frozen_bug, 1)}",
         f"all but the verb's attention frozen: {percent(list(split_right.values())[1], 1)} right", "", verdict(frozen_bug > 0.2, "bug over 20 %")),
        ("... over seeds", "not published", f"right {percent(min(r['frozen_right'] for r in plain), 1)} to {percent(max(r['frozen_right'] for r in plain), 1)}", "",
         "", verdict(max(r["frozen_right"] for r in plain) < 0.9, "under 90 % in all seeds")),
        ("a starved head shows the bug", "not published", f"{percent(sum(r['bug'] for r in starved) / 10)}, worst pair {percent(max(r['worst_pair'] for r in starved), 1)}",
         f"two layers: {percent(sum(r['bug'] for r in deeper) / 5)}", "24 verbs, d_head 3",
         verdict(sum(r["bug"] for r in starved) / 10 > 3 * sum(r["bug"] for r in deeper) / 5, "three times that of two layers")),
        ("ablations disagree: head 0 by zero, mean, resample", "not published", ", ".join(number(loss) for loss in head_0), "", "loss (nats)",
         verdict(max(head_0) > 5 * min(head_0), "five times")),
        ("eigenvalue score of copying", "positive: 10 of 12 heads", number(eigenvalue_scores["large numbers"]),
         f"random: mean {number(random_scores.mean(), 0.1, below=0.05)}, spread {number(random_scores.std())}", "block of large numbers",
         verdict(eigenvalue_scores["large numbers"] > 0.9, "over 0.9")),
        ("... and negative where nothing is copied", "not published", number(eigenvalue_scores["small numbers"]),
         f"row means removed: {number(eigenvalue_scores['small numbers, each row less its mean'], 0.1)}", "block of small numbers",
         verdict(eigenvalue_scores["small numbers"] < -0.3 < eigenvalue_scores["small numbers, each row less its mean"], "a common shift")),
        ("the stream has no privileged basis, neurons have", "argued", f"stream turned: {percent(kept['stream turned'])}", f"neurons turned: {percent(kept['neurons turned'], 1)}",
         "accuracy of chapter 21's network", verdict(kept["stream turned"] == 1 and kept["neurons turned"] < 0.5, "100 %, under 50 %")),
    ]
)  # fmt: skip

# %% [markdown]
# ## Open ends
#
# * **What decides?** Nine and a default, or ten: which of the two does a seed find, and when is it settled? First step: train the two kinds of
#   seeds with snapshots (`from course_utils.training import Recipe, train`, then `Recipe(…, snapshots=…)`), and follow the scores of START and of the last number.
# * **The preposition's preference.** The frozen network is right more often than one time in three. First step: take `direct` and the OV row of each
#   preposition, and see which nouns they prefer.
# * **Two verbs.** What does the phrase network say when two verbs are in the sentence? First step: draw phrases, overwrite a filler with a second verb, and
#   compare with what the tables of its QK and OV circuits predict.
#
# ## Further reading
#
# * Elhage, Nanda, Olsson and others, [A mathematical framework for transformer
#   circuits](https://transformer-circuits.pub/2021/framework/index.html) (2021): streams, circuits, skip trigrams and their bugs.
# * Nanda, [TransformerLens](https://github.com/TransformerLensOrg/TransformerLens): the library whose names we use.
# * Wang, Variengien, Conmy, Shlegeris and Steinhardt, [Interpretability in the wild](https://arxiv.org/abs/2211.00593) (2022): ablation and patching in a
#   language model.
