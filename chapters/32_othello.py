# ---
# jupyter:
#   course:
#     id: "32"
#     title: "A world model in Othello"
#     minutes: 150
#     prerequisites: ["11"]
#     version: "0.1.0"
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 32 · A world model in Othello
#
# *Does a network that has only ever seen names of squares know that there is a board?*
#
# Othello is played with discs that are black on one side and white on the other. A move must enclose a straight line of the other side's discs between the new disc and
# another disc of the mover's own, and all discs so enclosed are turned over. So one move can change many squares, and what is legal next depends on all of them. Who cannot move passes.
#
# A network has read games as lists of squares: *b3 d2 e3 …* It was not told of a board, of discs, of two players or of passes, which have no token. It was asked for one thing: which squares may come next?
# On the left below is a game, with the moves that the network thinks possible. On the right is what we read off its activations, by one linear map, and one fact about the position that we add and you will find. Move the slider. (The cells before the figure are
# preparations; there is no need to read them now.)

# %%
from dataclasses import replace

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_utils import board_probes, checks, evidence, interventions, probes, zoo
from course_utils import legality as rules
from course_utils import probe_directions as directions
from course_utils.models import Transformer
from course_utils.plots import circuits as circuit_figures
from course_utils.plots import lines
from course_utils.plots import othello as figures
from course_utils.probes import Examples
from course_utils.tasks import othello, othello_tree
from course_utils.zoo.othello import OthelloProblem

SIZE, LAYERS = 6, range(-1, 6)  # −1 is the embedding, before the first layer
model = zoo.load("othello")
games = {"train": othello.random_games(SIZE, 1500, seed=1), "validation": othello.random_games(SIZE, 300, seed=2), "test": othello.random_games(SIZE, 600, seed=3)}


def streams(network: Transformer, part: str, layers: range = LAYERS) -> Float[Tensor, "layer n d_model"]:
    """The residual stream after each layer, at every position of these games at which there is a next move."""
    names = [interventions.stream_name(layer) for layer in layers]
    return torch.stack(list(board_probes.activations(network, games[part], names).values()))


def at_positions(part: str, values: Tensor) -> Tensor:
    """Of something that is known for each game and ply: its values at those same positions."""
    return values[:, :31][board_probes.open_positions(games[part])]


stream = {part: streams(model, part) for part in games}
by_colour = {part: at_positions(part, drawn.absolute().long()) for part, drawn in games.items()}  # 0 empty, 1 black, 2 white
print(f"positions of {len(by_colour['train']):,} boards to fit to, {len(by_colour['validation']):,} to choose by, {len(by_colour['test']):,} to test on")

# %%
shown = games["test"][:1]
belief = board_probes.colours_read(model, 2, shown, games["train"][:500], games["validation"][:100])
figures.game(
    shown.absolute()[0, :-1], shown.moves[0, :-1], shown.black_next[0, :-1], shown.legal_tokens()[0, :-1],
    model(shown.tokens()[:, :-1])[0].softmax(-1), belief[0], "It has read a list of squares; one linear map reads a board off its activations",
).show()  # fmt: skip

# %% [markdown]
# It looks as if there were a board in there. But looks are cheap. A linear map with 128 inputs and thousands of examples can find a lot that a network never uses, and it can find it in
# networks that know nothing. The question was asked by [Li et al. 2022](https://arxiv.org/abs/2210.13382), whose *probes*, maps from activations to the board, had to be nonlinear; and it was
# [Nanda et al. 2023](https://arxiv.org/abs/2309.00941) who saw why, in a single idea that takes what a *linear* map reads from three quarters of the squares to nearly all.
#
# By the end of this chapter you will have **found that idea, read the board with it, and changed one disc of the board in the network's mind, so that it answers by the rules for another board than the one its moves
# have led to.** You will have held each main claim against a control that could have refuted it; and you will know one kind of position in which the idea fails.
#
# ## What you will be able to do
#
# * measure how well a network knows rules that nobody told it;
# * fit probes to all squares at once, and know which controls they must beat;
# * say what a nonlinear probe proves and what it does not;
# * find the point of view from which a network keeps what it knows;
# * show by an intervention that the network uses what you have read, and not only stores it.
#
# **Before you start.** You need chapter 11: the residual stream, and what a layer adds to it. The core path takes about two and a half hours. Sections marked *Deeper* may be left out.
#
# **The network.** Six layers with four heads and MLPs, d_model 128, LayerNorm, 1.2 million weights, for a board of 6 × 6. It has one token for each of the 32 squares that can be played
# (the middle four are taken from the start). Both sides choose any legal move at random, so there is no strategy to learn, only rules. At each place it is asked for all
# legal moves alike; a second network, with four layers, was asked for nothing but the move that came next in the game.

# %%
for name in ("othello", "othello-sampled"):
    card = zoo.card(name)
    print(
        f"{name}: {card['recipe']['steps']:,} steps of {card['recipe']['problem']['batch']} new games each, {card['seconds'] / 60:.0f} minutes on one core"
    )

# %% [markdown]
# ---
# ## 1 · Only legal moves
#
# **Why we look here.** Before you ask what a network knows, ask what it does. If its moves were not legal, there would be nothing to explain. And some knowledge is cheap: never name a square twice. See how far that gets you before you credit a network with more.
#
# (A *position* in this chapter is one of the game: a board and a side to move. Each *place* in the list of moves leads to one. A *ply* is one move of one side. Ply 0 is the first; "at ply t" means in the position after the moves 0 to t.)

# %% [markdown]
# ### Exercise 32.1 · How legal?
# Difficulty ●●○○○ · Importance ●●●●○ · 15 min
#
# Measure how well logits agree with the rules, in three ways.
#
# <details><summary>Hint 1</summary>
#
# Boolean tensors can be indexed and averaged like numbers. `legal.gather(1, which)` looks up whether some moves are legal; `logits.softmax(1)` are the probabilities. For the third number, rank the moves.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# N is another number at each position. Rank the moves, `logits.argsort(1, descending=True).argsort(1)`: a move is among the N largest where its rank is under N. Divide the
# number of hits by N at each position, then average.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# Of two legal moves among four, logits of 3, 2, 1, 0 with the first and third legal give illegal = 0, mass = 0.73, top_n = 0.5.
#
# </details>

# %%
def legality(logits: Float[Tensor, "n move"], legal: Bool[Tensor, "n move"]) -> tuple[float, float, float]:
    """(illegal, mass, top_n), each a mean over the n positions, each of which has a legal move.

    illegal: how often the move with the largest logit is not legal. mass: the probability (softmax over moves) of all
    legal moves together. top_n: with N legal moves at a position, the share of its N largest logits that belong to legal moves.
    """
    raise NotImplementedError("Exercise 32.1: replace this line with your code")


checks.othello.test_legality(legality)

# %% [markdown]
# **Predict first.** Somebody who sees which squares are empty, and nothing else, names one of them. How often is it illegal? And if they also know how often each square is legal at each ply, when
# it is empty? And the network?
#
# *Your prediction:*

# %%
legality = checks.yours_or(legality, rules.legality)
legal = {part: at_positions(part, drawn.legal_tokens()) for part, drawn in games.items()}
ply = {part: at_positions(part, torch.arange(32).expand(len(drawn), -1)) for part, drawn in games.items()}


def answers(network: Transformer) -> Float[Tensor, "n move"]:
    """A network's logits at the test positions."""
    tokens = games["test"].tokens()[:, :-1]
    return at_positions("test", torch.cat([network(some) for some in tokens.split(250)]))


playable = othello.playable(SIZE)
free = (by_colour["train"][:, playable] == 0).double()
times = torch.zeros(2, 31, 32, dtype=torch.float64)
times[0].index_add_(0, ply["train"], legal["train"].double())
times[1].index_add_(0, ply["train"], free)
often = (times[0] / times[1].clamp_min(1))[ply["test"]].float()  # how often each move is legal at this ply when its square is empty
sampled = zoo.load("othello-sampled")
untrained = OthelloProblem().make_model(seed=1).requires_grad_(False)
guesses = {
    "untrained network": answers(untrained),
    "knows the empty squares": rules.guess_from_empty(by_colour["test"], playable),
    "… and each square's chances": rules.guess_from_empty(by_colour["test"], playable, often),
    "network of four layers, sampled moves": answers(sampled),
    "network of six layers": answers(model),
}
scores = {name: legality(logits, legal["test"]) for name, logits in guesses.items()}
for name, (illegal, mass, top_n) in scores.items():
    print(f"{name:<38} illegal first choice {illegal:6.2%}   mass on legal moves {mass:6.1%}   top-N {top_n:6.1%}")

# %% [markdown]
# Whoever knows only the empty squares is wrong more often than right, and whoever knows each square's chances besides is still wrong in a third of the positions. The six-layer network is wrong in fewer than one of a hundred. Has it seen these positions before? It was trained
# on 1.2 million games by such players. Look how many of the test boards occur in 150 000 *other* games:

# %%
others = othello.random_games(SIZE, 150_000, seed=4)
for moves in (8, 10, 12, 14, 16):
    known = {*zip(others.black[:, moves - 1].tolist(), others.white[:, moves - 1].tolist(), strict=True)}
    tested = [*zip(games["test"].black[:, moves - 1].tolist(), games["test"].white[:, moves - 1].tolist(), strict=True)]
    print(f"after {moves:2} moves {sum(board in known for board in tested) / len(tested):6.1%} of the test boards are among them")

# %% [markdown]
# Openings repeat themselves. But eight times as many games contain at most about eight times as many of the test boards, a few in a hundred after 12 moves. So later in the game the network cannot know the boards by heart. It computes from the list of moves something that serves it nearly as well as the
# board.
#
# That does not say *how*. Two accounts are possible. It might have a large collection of rules of thumb about lists of squares ("after c5, d6 is often possible, unless …"). Or it works out the board and applies the rule of the game to it.
#
# > **So now we know:** there is something to explain.

# %% [markdown]
# ---
# ## 2 · Ask for black and white
#
# **Why we look here.** If the network has worked out the board, its activations must contain it. The simplest way in which a vector can contain a fact is along a direction: a
# linear map gets it out. Such a map is called a *linear probe*. Neurons and heads read the stream by linear maps, after a LayerNorm, so what a linear probe finds is there for the network's own parts, too.
#
# For each square the probe has to tell three states: empty, black, white. One way to fit it needs no descent at all: write a 1 for the true state and 0 for the
# two others, and find the linear map with the least squared error. All squares share the activations, so that one solution serves them all.

# %% [markdown]
# ### Exercise 32.2 · A linear probe
# Difficulty ●●●○○ · Importance ●●●●● · 20 min
#
# Fit probes to all squares at once, by least squares.
#
# <details><summary>Hint 1</summary>
#
# `F.one_hot(states, 3)` writes the ones and zeros; flatten square and state into one axis. A column of ones beside the activations takes care of the bias: its weights *are* the bias.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `torch.linalg.lstsq(x, y).solution`, or the normal equations: `torch.linalg.solve(x.T @ x, x.T @ y)`. In the second case compute in double precision, and add a millionth of the mean diagonal entry to the
# diagonal, in case some directions are not used.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# Fitted to 46 000 positions, it takes less than a second for all 36 squares. The logits of the three states of a square add up to 1.
#
# </details>

# %%
def linear_probe(
    activations: Float[Tensor, "n d_model"], states: Int[Tensor, "n square"]
) -> tuple[Float[Tensor, "d_model square 3"], Float[Tensor, "square 3"]]:
    """(weight, bias) with the least squared error of activations @ weight + bias against ones and zeros.

    Entry [i, s, k] is to be 1 where square s has state k (0, 1 or 2) in example i, else 0. All squares at once; n is larger
    than d_model.
    """
    raise NotImplementedError("Exercise 32.2: replace this line with your code")


checks.othello.test_linear_probe(linear_probe)

# %% [markdown]
# **Predict first.** Fit one after each layer. How many of the squares will it get right, from the embedding up to layer 5?
#
# *Your prediction:*

# %%
linear_probe = checks.yours_or(linear_probe, board_probes.linear_probe)
Probe = tuple[Float[Tensor, "d_model square 3"], Float[Tensor, "square 3"]]


def fit(activations: Float[Tensor, "n d_model"], states: Int[Tensor, "n square"]) -> Probe:
    """A probe, in the precision of the network."""
    weight, bias = linear_probe(activations, states)
    return weight.float(), bias.float()


def read(activations: Float[Tensor, "n d_model"], probe: Probe) -> Int[Tensor, "n square"]:
    """The state of each square, according to a probe."""
    return board_probes.logits(activations, *probe).argmax(-1)


def probed(of: dict[str, Tensor], states: dict[str, Tensor]) -> list[Int[Tensor, "n square"]]:
    """What probes read on the test games, layer by layer."""
    return [read(test, fit(train, states["train"])) for train, test in zip(of["train"], of["test"], strict=True)]


def share(found: Tensor, states: Tensor, where: Tensor | None = None) -> float:
    """How many states are right, of all squares or of some."""
    right = (found == states).double()
    return (right.mean() if where is None else right[where].mean()).item()


colour_found = probed(stream, by_colour)
colour_accuracy = [share(found, by_colour["test"]) for found in colour_found]
places = ["the embedding", *(f"layer {layer}" for layer in LAYERS[1:])]
for place, accuracy in zip(places, colour_accuracy, strict=True):
    print(f"after {place:<13} {accuracy:.1%} of the squares")

# %% [markdown]
# Three quarters. Is that much? There are three states, so a third would be guessing; but nobody guesses so badly. In most positions many squares are empty, and the network's own input says which were played.
# A number like this means nothing without what it has to beat.

# %% [markdown]
# ### Exercise 32.3 · Without looking
# Difficulty ●●○○○ · Importance ●●●●○ · 10 min
#
# How good is somebody who knows only how many moves have been made? For each ply and square, find the state that it has most often.
#
# <details><summary>Hint 1</summary>
#
# Count, for each ply, square and state, how often it occurs. Then `argmax` over states.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `F.one_hot(states, 3)` has one row for each example, `index_add_(0, ply, …)` adds up the rows of each ply. Or loop over the plies: `states[ply == t].mode(0).values`.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# In the first row, the position after the first move, all but the middle four squares are 0, and so for several rows. In the last rows hardly any is.
#
# </details>

# %%
def majority(states: Int[Tensor, "n square"], ply: Int[Tensor, "n"]) -> Int[Tensor, "ply square"]:
    """Row t: the state (0, 1 or 2) that each square has most often in the examples at ply t, for t = 0 to ply.max().

    Every ply up to that occurs. Among equally frequent states any is right.
    """
    raise NotImplementedError("Exercise 32.3: replace this line with your code")


checks.othello.test_majority(majority)

# %% [markdown]
# A second control asks what *training* has to do with it. The same network with random weights passes on a good deal of its input: which tokens came, and where. Fit the same probes to it.
#
# A third knows which squares are empty, as everybody does who has the list of moves, and guesses: on each other square it names the colour that is more frequent there at that ply. To be fair to the networks, tell the probes
# of both which squares are empty, too, and ask them for black or white only.

# %%
majority = checks.yours_or(majority, board_probes.majority)
by_ply_alone = majority(by_colour["train"], ply["train"])[ply["test"]]
untrained_stream = {part: streams(untrained, part) for part in ("train", "test")}
untrained_found = probed(untrained_stream, by_colour)
untrained_accuracy = [share(found, by_colour["test"]) for found in untrained_found]
majority_accuracy = share(by_ply_alone, by_colour["test"])
layer_names = ["embedding", *map(str, LAYERS[1:])]


def empty_known(states: dict[str, Tensor]) -> Int[Tensor, "n square"]:
    """What somebody says of the test games who sees which squares are empty: of the others, the more frequent disc."""
    return board_probes.guess_discs(states["train"], ply["train"], states["test"], ply["test"])


def told_empty(activations: Float[Tensor, "n d_model"], probe: Probe, states: Int[Tensor, "n square"]) -> Int[Tensor, "n square"]:
    """What a probe says if it is told which squares are empty: one disc or the other."""
    return torch.where(states > 0, 1 + board_probes.logits(activations, *probe)[..., 1:].argmax(-1), 0)


colour_known = empty_known(by_colour)
known_accuracy = share(colour_known, by_colour["test"])
lines.curves(
    layer_names,
    {"trained network": colour_accuracy, "untrained network": untrained_accuracy, "most frequent state at the ply": [majority_accuracy] * len(LAYERS), "empty squares known": [known_accuracy] * len(LAYERS)},
    "Black or white: a linear probe hardly beats knowing which squares are empty", "after layer", "share of squares",
).show()  # fmt: skip
discs = by_colour["test"] > 0
validated = [share(read(held_out, fit(train, by_colour["train"])), by_colour["validation"]) for train, held_out in zip(stream["train"], stream["validation"], strict=True)]
best = max(range(len(LAYERS)), key=lambda i: validated[i])
disc_right = {
    "trained network": share(colour_found[best], by_colour["test"], discs), "untrained network": share(untrained_found[best], by_colour["test"], discs),
    "most frequent state": share(by_ply_alone, by_colour["test"], discs), "empty squares known": share(colour_known, by_colour["test"], discs),
}  # fmt: skip
disc_told = {
    name: share(told_empty(of["test"][best], fit(of["train"][best], by_colour["train"]), by_colour["test"]), by_colour["test"], discs)
    for name, of in {"trained network": stream, "untrained network": untrained_stream}.items()
}
print(
    f"after layer {LAYERS[best]}, chosen on validation games: {share(colour_found[best], by_colour['test'], ~discs):.1%} of the empty squares; "
    f"{share(colour_found[best] > 0, discs, discs):.1%} of the discs are read as discs"
)
print(f"of the squares: trained network {colour_accuracy[best]:.1%}, untrained network {untrained_accuracy[best]:.1%}, most frequent state {majority_accuracy:.1%}, empty squares known {known_accuracy:.1%}")
print("of the discs: " + ", ".join(f"{name} {value:.1%}" for name, value in disc_right.items()))
print("of the discs, told which squares are empty: " + ", ".join(f"{name} {value:.1%}" for name, value in disc_told.items()))

# %% [markdown]
# From layer 0 on, the trained network is some ten points above the untrained one, and some fifteen above the most frequent state. But look at the last lines. It knows which squares are *empty* (that is easy: they are
# those that were not named). Whoever knows these, and guesses the more frequent colour on the others, gets 76 % of the squares and 57 % of the discs. The probe gets 77 % and 58 %. The most frequent state is too weak a control: it says *empty* of most squares, and
# so loses discs that a guess would get. And what the trained network has before the untrained one is mostly the empty squares, too: told which these are, the untrained network's probe gets 56 % of the discs, and the trained one's 58 %.
# What is hard about Othello, whose disc is where after so many flips, a linear probe of the colours hardly gets.
#
# > **So now we know:** asked for black and white, a linear probe scores hardly more than somebody who knows which squares have been named, and guesses. It does not find a board.

# %% [markdown]
# ---
# ## 3 · A probe that does the work itself
#
# **Why we look here.** Li et al. found just this, and took a stronger probe: not a linear map, but a small network with a hidden layer. Here it has 256 hidden neurons.

# %%
where = 1 + 2  # the stream after layer 2
mlp_accuracy = {}
for name, of in {"trained": stream, "untrained": untrained_stream}.items():
    examples = [Examples(of[part][where : where + 1], by_colour[part]) for part in ("train", "test")]
    held_out = streams(model if name == "trained" else untrained, "validation", range(2, 3))
    small = probes.fit_mlp(examples[0], Examples(held_out, by_colour["validation"]), epochs=5)
    right = probes.right(small, examples[1])[0]
    mlp_accuracy[name] = (right.double().mean().item(), right[discs].double().mean().item())
    print(f"{name:<10} MLP probe of black and white: {mlp_accuracy[name][0]:.1%} of the squares, {mlp_accuracy[name][1]:.1%} of the discs")

# %% [markdown]
# It works: some fifteen points more. And the untrained network stays behind, so it is not that such a probe can find anything anywhere.
#
# **Why should this worry you?** Because a hidden layer can *compute*. If the probe finds black and white, then either the network keeps black and white, in a form that no direction
# shows; or it keeps something else, and the probe works out the colours from it. That the *information* is there was clear from the moves: a network that had kept nothing but their list would contain it, too (though a probe of
# this size might not get it out).
#
# Here is an experiment that helps to tell the two accounts apart. **Take only the positions in which black moves next**, and fit a *linear* probe of black and white to these. If the colours were kept along some crooked curve, it would have little
# reason to do better than before. Then apply it to the positions in which white moves next.
#
# **Predict first.** How well will it do on each of the two kinds of position?
#
# *Your prediction:*

# %%
black_next = {part: at_positions(part, drawn.black_next) for part, drawn in games.items()}
rows = {part: black_next[part] for part in ("train", "test")}
of_black = fit(stream["train"][where][rows["train"]], by_colour["train"][rows["train"]])
one_side = {}
for name, positions in {"black moves next": rows["test"], "white moves next": ~rows["test"]}.items():
    found, true = read(stream["test"][where][positions], of_black), by_colour["test"][positions]
    swapped = torch.where(true > 0, 3 - true, 0)
    one_side[name] = (share(found, true), share(found, true, true > 0), share(found, swapped, true > 0))
    print(
        f"probe for 'black moves next', tested where {name}: {one_side[name][0]:.1%} of the squares, "
        f"{one_side[name][1]:.1%} of the discs; {one_side[name][2]:.1%} if black and white are exchanged"
    )

# %% [markdown]
# With black to move the linear probe is at least as good as the MLP probe. With white to move it gets so few of the discs that it is *far below guessing*: it gives most of them to the wrong side, and with the colours exchanged nearly as many are right as before. There is
# no plainer way for a probe to say: you have given my states the wrong names.
#
# What names would be right in both cases?
#
# <details><summary>An answer</summary>
#
# Where black moves next, what the probe calls black are the discs of the side to move; where white moves next, it calls *white* discs black, and these are again those of the side to move. So the network keeps the board along directions, and they do not say
# which colour a disc has. They say whether it is *mine* or *theirs*, seen by the side to move. A single probe of all positions is asked for
# a direction that means black in half of them and white in the other half. The best it can do is to say little.
#
# Why should a network see it so? It never needs the colours. A move is legal if it encloses *theirs* between two of *mine*, whoever that is. With mine and theirs, the rule is the same at every move; with
# colours it would have to be learnt twice.
#
# </details>
#
# And the MLP probe? Write m = 1 for a disc that is mine, −1 for one that is theirs, and s = 1 if black moves next, −1 if white does. The disc is black if m · s = 1 and white if exactly one of the two facts (it is mine, black moves next) holds. That is their *XOR*, the famous example of what a linear map cannot compute.
# If both facts are there, how large must a hidden layer be to make colours of them?

# %% [markdown]
# ### Exercise 32.4 · Colours from a hidden layer
# Difficulty ●●●○○ · Importance ●●●●○ · 20 min
#
# Write down the weights of a network with one hidden layer that computes m · s. It should work for any m between −1 and 1: 0 for an empty square, and a probe's score is hardly ever exactly 1 or −1.
#
# <details><summary>Hint 1</summary>
#
# For s = 1 it has to return m, for s = −1 it has to return −m. Think of $|m + s|$ and $|m - s|$: for $|m| \le 1$ and s = 1 they are $1 + m$ and $1 - m$. What are they for s = −1?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# $m \cdot s = \tfrac12 \left(|m + s| - |m - s|\right)$, and $|x| = \mathrm{relu}(x) + \mathrm{relu}(-x)$: four neurons, which read m + s, −(m + s), m − s, −(m − s).
#
# </details>
#
# <details><summary>What you should see</summary>
#
# Four neurons are enough; with a thought more, two are. No linear map can do it: its answers to (1, 1) and (−1, −1) have the same sum as its answers to (1, −1) and (−1, 1), and these sums should be 2 and −2.
#
# </details>

# %%
def colour_network() -> tuple[Float[Tensor, "2 hidden"], Float[Tensor, "hidden"], Float[Tensor, "hidden"], Float[Tensor, ""]]:
    """Weights (w_in, b_in, w_out, b_out) with which relu(x @ w_in + b_in) @ w_out + b_out = m · s for x = (m, s).

    For every m from −1 to 1, and s = −1 or 1. hidden is up to you; b_out may be a number.
    """
    raise NotImplementedError("Exercise 32.4: replace this line with your code")


checks.othello.test_colour_network(colour_network)

# %% [markdown]
# Two neurons can do it for one square: relu(m + s) + relu(−m − s) − 1 is |m + s| − 1, which is m for s = 1 and −m for s = −1. For all 36 squares that makes 72. So a probe with 256, if it also finds whose turn it is, can make black and white in a network that keeps only mine and theirs. Its success alone does not show that the network keeps colours. Now ask for what it keeps.

# %% [markdown]
# ### Exercise 32.5 · As the side to move sees it
# Difficulty ●●○○○ · Importance ●●●●● · 10 min
#
# Turn boards by colour into boards of mine and theirs. (From whose point of view the states are named is called the *frame*.)
#
# <details><summary>Hint 1</summary>
#
# Where black moves next, nothing changes. Elsewhere 1 and 2 change places, and 0 stays 0.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `3 - board` exchanges 1 and 2 (and spoils 0: mend it with `torch.where`). `black_next[..., None]` broadcasts over squares.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# A board 0 1 2 stays 0 1 2 if black moves next, and becomes 0 2 1 if white does.
#
# </details>

# %%
def mover_frame(
    absolute: Int[Tensor, "game ply square"], black_next: Bool[Tensor, "game ply"]
) -> Int[Tensor, "game ply square"]:
    """Boards by colour (0 empty, 1 black, 2 white) as the side that moves next sees them (0 empty, 1 mine, 2 theirs).

    black_next says at which positions black moves next.
    """
    raise NotImplementedError("Exercise 32.5: replace this line with your code")


checks.othello.test_mover_frame(mover_frame)

# %%
mover_frame = checks.yours_or(mover_frame, othello.mover_frame)
colour_network = checks.yours_or(colour_network, board_probes.colour_network)
as_seen = {part: at_positions(part, mover_frame(drawn.absolute().long(), drawn.black_next).long()) for part, drawn in games.items()}
seen_found = probed(stream, as_seen)
seen_accuracy = [share(found, as_seen["test"]) for found in seen_found]
w_in, b_in, w_out, b_out = (torch.as_tensor(part).float() for part in colour_network())
mine = torch.where(as_seen["test"] == 1, 1.0, -1.0)[discs]
turn = torch.where(black_next["test"], 1.0, -1.0)[:, None].expand(-1, 36)[discs]
computed = (torch.stack([mine, turn], 1) @ w_in + b_in).relu() @ w_out + b_out
side = black_next["train"].long()[:, None], black_next["test"].long()[:, None]
side_found = read(stream["test"][where], fit(stream["train"][where], side[0]))
print(f"a linear probe of whose turn it is: {share(side_found, side[1]):.1%}")
print(f"given both facts, your hidden layer turns mine and theirs into the right colour for {((computed > 0) == (by_colour['test'][discs] == 1)).double().mean():.1%} of the discs")

# %% [markdown]
# Now one more control. A probe is fitted with 128 weights for each state and square. To see how much of its success is fitting, give it labels that mean nothing: each position gets the board of *another* game at
# the same ply. All that is true of boards in general is still true of these; only the tie to this game's moves is cut.

# %%
mixed = {"train": board_probes.shuffled(as_seen["train"], ply["train"], seed=0)}
shuffled_accuracy = [share(found, as_seen["test"]) for found in probed(stream, mixed)]
untrained_seen = probed(untrained_stream, as_seen)
untrained_seen_accuracy = [share(found, as_seen["test"]) for found in untrained_seen]
chances, seen_known = majority(as_seen["train"], ply["train"])[ply["test"]], empty_known(as_seen)
lines.curves(
    layer_names,
    {
        "mine or theirs": seen_accuracy, "black or white": colour_accuracy, "mine or theirs, untrained network": untrained_seen_accuracy,
        "mine or theirs, shuffled boards": shuffled_accuracy, "mine or theirs, empty squares known": [share(seen_known, as_seen["test"])] * len(LAYERS),
    },
    "In the frame of the side to move, the board is there", "after layer", "share of squares",
).show()  # fmt: skip
for name, accuracy, control in zip(places, seen_accuracy, shuffled_accuracy, strict=True):
    print(f"after {name:<13} mine or theirs {accuracy:.1%} of the squares, shuffled boards {control:.1%}")
print(f"mine or theirs, by the ply alone {share(chances, as_seen['test']):.1%}, empty squares known {share(seen_known, as_seen['test']):.1%}")

# %% [markdown]
# With boards of other games the probe falls to what the ply alone says (61 %). So what is above that level is this game's own. And knowing the empty squares makes only 76 %. Most of what can be read is there after layer 0 (88 %), nearly all after layer 1 (92 %); the best is 93 %, in the middle. Towards the end the probe loses five points or more.
#
# **One thing is left to try.** "The side that moves next" and "the side whose turn it would be if nobody ever passed" are the same in nearly all positions. Which of them does the network mean by *mine*? Only positions after an odd number of passes can tell. Fit a probe to each frame,
# and test it on these *out of turn* positions and on the others.
#
# **Predict first.** Which of the two will read the positions out of turn, and how well?
#
# *Your prediction:*

# %%
by_turns = torch.arange(32) % 2 == 1  # does black move next, if nobody has passed?
in_turn_frame = {
    part: at_positions(part, mover_frame(drawn.absolute().long(), by_turns.expand(len(drawn), -1)).long()) for part, drawn in games.items()
}  # fmt: skip
out_of_turn = black_next["test"] != by_turns[ply["test"]]
middle = 1 + 3  # after layer 3
frames = {}
for name, states in {"the side that moves next": as_seen, "whose turn it would be": in_turn_frame}.items():
    found = read(stream["test"][middle], fit(stream["train"][middle], states["train"]))
    frames[name] = [share(found[rows], states["test"][rows], discs[rows]) for rows in (~out_of_turn, out_of_turn)]
    print(f"mine belongs to {name:<25} {frames[name][0]:.1%} of the discs in turn, {frames[name][1]:.1%} out of turn")
first_choice = guesses["network of six layers"].argmax(1, keepdim=True)
late_illegal = {
    name: 1 - legal["test"].gather(1, first_choice)[rows & (ply["test"] > 20)].double().mean().item() for name, rows in {"in turn": ~out_of_turn, "out of turn": out_of_turn}.items()
}  # fmt: skip
print(f"{out_of_turn.double().mean():.1%} of the positions are out of turn; illegal first choices after ply 20: " + ", ".join(f"{name} {value:.1%}" for name, value in late_illegal.items()))

# %% [markdown]
# Out of turn, the probe for the side that moves next misses more discs than it gets. That for the turns does better. So there *mine* is nearer to "of the side whose turn it would be": a matter of odd and even places in the list, which is easy to compute, whereas to notice a pass the network would have to
# know from its board that a side has no move. But it gets far fewer discs than elsewhere, too. (Part of that may be that these positions come late.) And most of the network's first choices are legal in these positions, though it is wrong several times as often. How it manages there, with a board that no probe here reads well, is open.
#
# In all that follows we keep to the side that moves next, as the rules have it, and remember that 3 % of the positions are out of turn.
#
# > **So now we know:** the network keeps the board along directions, but not the board that we had asked for. It is that of *mine* and *theirs*, and after an odd number of passes no probe here reads it well. A probe answers the question you put, not the one you meant.

# %% [markdown]
# ---
# ## 4 · How good is it really?
#
# **Why we look here.** "More than nine in ten squares" sounds like nearly everything. But empty squares are free, and in early positions most are empty. An honest number leaves them out, and
# says at which point of the game it was taken.

# %% [markdown]
# ### Exercise 32.6 · Ply by ply
# Difficulty ●●○○○ · Importance ●●●●○ · 15 min
#
# Split a probe's accuracy by ply, over all squares and over those with a disc.
#
# <details><summary>Hint 1</summary>
#
# Count right answers among the discs of a ply, and the discs of that ply; then divide.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# With a loop over t: `rows = ply == t`, `discs = states[rows] > 0`, `right = predicted[rows] == states[rows]`; then `right.double().mean()` and `right[discs].double().mean()`.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# Whether a square counts as one with a disc is a matter of the true state, not of the predicted one. Otherwise a probe could improve its share by calling a disc empty when in doubt.
#
# </details>

# %%
def accuracy_by_ply(
    predicted: Int[Tensor, "n square"], states: Int[Tensor, "n square"], ply: Int[Tensor, "n"]
) -> tuple[Float[Tensor, "ply"], Float[Tensor, "ply"]]:
    """(all, occupied): the share of right predictions at each ply t = 0 … ply.max(), among all squares, and among the
    squares that really have a disc (state 1 or 2).

    Every ply up to that occurs, with a disc. Pooled over the examples at a ply: each square of each board counts the same.
    """
    raise NotImplementedError("Exercise 32.6: replace this line with your code")


checks.othello.test_accuracy_by_ply(accuracy_by_ply)

# %%
accuracy_by_ply = checks.yours_or(accuracy_by_ply, board_probes.accuracy_by_ply)
seen_probes = {layer: fit(of_layer, as_seen["train"]) for layer, of_layer in zip(LAYERS, stream["train"], strict=True)}
on_validation = [share(read(of_layer, seen_probes[layer]), as_seen["validation"]) for layer, of_layer in zip(LAYERS, stream["validation"], strict=True)]
best_seen = max(range(len(LAYERS)), key=lambda i: on_validation[i])
everywhere, on_discs = accuracy_by_ply(seen_found[best_seen], as_seen["test"], ply["test"])
_, known_on_discs = accuracy_by_ply(seen_known, as_seen["test"], ply["test"])
lines.curves(
    torch.arange(1, 32),
    {
        "all squares": everywhere, "discs": on_discs,
        "discs, first layer": accuracy_by_ply(seen_found[1], as_seen["test"], ply["test"])[1],
        "discs, untrained network": accuracy_by_ply(untrained_seen[best_seen], as_seen["test"], ply["test"])[1],
        "discs, most frequent state": accuracy_by_ply(chances, as_seen["test"], ply["test"])[1],
        "discs, empty squares known": known_on_discs,
    },
    "Right about the board in the beginning, less and less towards the end", "moves made", "share right",
).show()  # fmt: skip
for moves in (10, 20, 28, 30, 31):
    print(f"after {moves} moves: {on_discs[moves - 1]:.1%} of the discs, by the most frequent state {accuracy_by_ply(chances, as_seen['test'], ply['test'])[1][moves - 1]:.1%}, empty squares known {known_on_discs[moves - 1]:.1%}")
occupied_accuracy = {
    "mine or theirs": share(seen_found[best_seen], as_seen["test"], discs),
    "untrained network": share(untrained_seen[best_seen], as_seen["test"], discs),
    "most frequent state": share(chances, as_seen["test"], discs),
    "empty squares known": share(seen_known, as_seen["test"], discs),
}
untrained_told = told_empty(untrained_stream["test"][best_seen], fit(untrained_stream["train"][best_seen], as_seen["train"]), as_seen["test"])
trained_told = told_empty(stream["test"][best_seen], seen_probes[LAYERS[best_seen]], as_seen["test"])
print(f"chosen on validation games: the stream after layer {LAYERS[best_seen]}; all squares {seen_accuracy[best_seen]:.1%}")
print("discs only: " + ", ".join(f"{name} {value:.1%}" for name, value in occupied_accuracy.items()))
print(f"discs only, told which squares are empty: mine or theirs {share(trained_told, as_seen['test'], discs):.1%}, untrained network {share(untrained_told, as_seen['test'], discs):.1%}")

# %% [markdown]
# **What does it mean?** Here the network stands far above the fairer guess, too: 88 % of the discs against 57 %. In the first ten moves it is right about nearly every disc. After that it loses more and more, and in the last position it is no better than somebody who has not looked. Is the network unsure, or the probe?
#
# <details><summary>An answer</summary>
#
# Perhaps some of each; the open ends say how to find out. Late positions have gone through more flips, each of which could go wrong in the network. But near the end it may also *need* less of the board: with three empty squares left, many discs may have no say in what is legal, and in the last
# position one square is free and nothing else has to be known. A probe that fails does not show that the network does not know; it shows that this probe does not find it in this place.
#
# </details>
#
# Least squares is the simplest way to fit a probe. Does a better fit find more? Here are multinomial logistic regressions for all squares and layers, each with an L2 penalty chosen on the validation games.

# %%
fitted = probes.fit_linear(Examples(stream["train"][:, :30_000], as_seen["train"][:30_000]), Examples(stream["validation"], as_seen["validation"]), penalties=(1e-2, 1e-3), steps=10)
logistic_right = probes.right(fitted, Examples(stream["test"], as_seen["test"]))
logistic = [(right.double().mean().item(), right[discs].double().mean().item()) for right in logistic_right]
for name, (accuracy, occupied), least in zip(places, logistic, seen_accuracy, strict=True):
    print(f"after {name:<13} logistic {accuracy:.1%} of the squares, {occupied:.1%} of the discs; least squares {least:.1%} of the squares")

# %% [markdown]
# A little more: about a point at most, with two thirds of the positions to fit to. So we go on with least squares. For a picture we want probabilities, and take the logistic one.

# %%
one = int((ply["test"] == 22).nonzero()[4])
believed = board_probes.logits(stream["test"][best_seen][one : one + 1], fitted.weight[best_seen], fitted.bias[best_seen])[0].softmax(-1)
colour_order = [0, 1, 2] if black_next["test"][one] else [0, 2, 1]
right_now = int((believed.argmax(-1) == as_seen["test"][one]).sum())
figures.belief(by_colour["test"][one], believed[:, colour_order], f"After 23 moves the probe is right about {right_now} of 36 squares").show()
per_square = logistic_right[best_seen].double()
figures.cells(
    {"all positions": per_square.mean(0), "with a disc": (per_square * discs).sum(0) / discs.sum(0)},
    "Never empty, the middle looks worst; among discs it is not", percent=True,
).show()  # fmt: skip

# %% [markdown]
# One doubt is left about the training. Our network was asked for *all* legal moves at each place: more than the papers' networks were told. Did the board come from that? The second network saw nothing but games.

# %%
sampled_stream = {part: streams(sampled, part, range(-1, 4)) for part in ("train", "test")}
sampled_found = {name: probed(sampled_stream, states) for name, states in {"mine or theirs": as_seen, "black or white": by_colour}.items()}
sampled_accuracy = {name: [share(found, (as_seen if name == "mine or theirs" else by_colour)["test"]) for found in kept] for name, kept in sampled_found.items()}
for name, values in sampled_accuracy.items():
    print(f"network of sampled moves, {name}: " + ", ".join(f"{place} {value:.1%}" for place, value in zip(places[:5], values, strict=True)))
sampled_discs = share(sampled_found["mine or theirs"][3], as_seen["test"], discs)
print(f"mine or theirs, discs only, after layer 2: {sampled_discs:.1%}")

# %% [markdown]
# > **So now we know:** the board is there, in the frame of the side to move, also in a network that saw nothing but moves. And we know where the number is generous.

# %% [markdown]
# ---
# ## 5 · Does it use the board?
#
# **Why we look here.** A probe shows that something can be read. It does not show that the network reads it. (A thermometer in a room does not heat it.) So change what the probe reads, and
# look whether the moves follow. If we make one disc *theirs* that was *mine*, a network that uses this board must now answer by the rules for the changed board and, where the flip changes what is legal, name other moves.
#
# The change should be as small as possible: along the probe's direction and no other. A probe's *score* for "theirs rather than mine" is a linear function
# of the stream, resid · direction + bias, and we choose what it should be. (Nanda et al. add a multiple of the direction; to set the score is our rule.)

# %% [markdown]
# ### Exercise 32.7 · Change its mind
# Difficulty ●●●○○ · Importance ●●●●● · 15 min
#
# Move each vector the shortest way to where its score has a given value.
#
# <details><summary>Hint 1</summary>
#
# The shortest way to another value of a linear function is along its direction. How much does the score change if you add the direction once?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# By its squared length. How many times, then, must each row's direction be added to make up for what is missing?
#
# </details>
#
# <details><summary>What you should see</summary>
#
# With direction (2, 0), bias 1 and target 5, the vector (0, 7) becomes (2, 7).
#
# </details>

# %%
def set_score(
    resid: Float[Tensor, "n d_model"], direction: Float[Tensor, "n d_model"], bias: Float[Tensor, "n"], target: Float[Tensor, "n"]
) -> Float[Tensor, "n d_model"]:
    """The smallest change of each row after which its score, resid · direction + bias, is its target.

    Row i has its own direction (not of length 1), bias and target. Returns the changed rows; leaves resid as it is.
    """
    raise NotImplementedError("Exercise 32.7: replace this line with your code")


checks.othello.test_set_score(set_score)

# %% [markdown]
# And a measure of success. The papers count the network's errors: name the N moves with the largest logits, where N is how many are legal on the *changed* board, and count what is wrong with the list.

# %% [markdown]
# ### Exercise 32.8 · Errors of a list
# Difficulty ●●○○○ · Importance ●●●●○ · 10 min
#
# Count the moves that are on the list and illegal, and those that are legal and not on the list.
#
# <details><summary>Hint 1</summary>
#
# It resembles `top_n` of exercise 32.1: the same list, another count.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# With the list as a Boolean tensor, `listed ^ legal` is true where exactly one of the two is.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# Even numbers only. Why? (List and legal moves are equally many, so whatever is on the list wrongly has pushed something else out.)
#
# </details>

# %%
def intervention_error(logits: Float[Tensor, "n move"], legal: Bool[Tensor, "n move"]) -> Int[Tensor, "n"]:
    """For each position: the number of moves predicted but not legal, plus the number of legal moves not predicted.

    Predicted are the N moves with the largest logits, N being that position's number of legal moves (N ≥ 1).
    """
    raise NotImplementedError("Exercise 32.8: replace this line with your code")


checks.othello.test_intervention_error(intervention_error)

# %% [markdown]
# Now the experiment. Take positions of new games and choose a disc at random in each; the rules say which moves would be legal if this disc were turned over. How far to push, and after which layers, is chosen
# on 300 positions of other games. (A score of 1 is what the probe was fitted to answer for a state that is surely there. What does best may be more.) The target is the same after every layer.
#
# (`cases` in the code below holds such positions: the moves that led there, the board as the side to move sees it, the chosen square; `cases.present` is what is on it, `cases.edited` the changed board, `cases.legal` the rules' moves on a board.)
#
# **Predict first.** What will the mean error be without a push, with it, and with a push of the same length in a random direction?
#
# *Your prediction:*

# %%
set_score = checks.yours_or(set_score, interventions.set_score)
intervention_error = checks.yours_or(intervention_error, rules.intervention_error)
Probes = dict[int, Probe]


def push(probes_of: Probes, cases: interventions.Cases, wanted: Int[Tensor, "n"], target: float | None) -> interventions.Edit:
    """Make the chosen square's wanted state beat its present one by the target; None mirrors the score."""

    def edit(layer: int, resid: Float[Tensor, "n d_model"], which: Int[Tensor, "n"]) -> Float[Tensor, "n d_model"]:
        (weight, bias), square = probes_of[layer], cases.square[which]
        to, now = wanted[which], cases.present[which]
        direction = (weight[:, square, to] - weight[:, square, now]).T
        offset = bias[square, to] - bias[square, now]
        goal = -(resid * direction).sum(1) - offset if target is None else torch.full_like(offset, target)
        return set_score(resid, direction, offset, goal).to(resid)

    return edit


def error_after(network: Transformer, cases: interventions.Cases, wanted: Int[Tensor, "n"], edit: interventions.Edit | None, layers: tuple[int, ...]) -> float:
    """The mean error against the moves that are legal when the chosen squares have their wanted states."""
    logits = interventions.logits_at(network, cases.tokens, cases.ply, edit, layers)
    return intervention_error(logits, cases.legal(cases.edited(wanted))).double().mean().item()


tried = interventions.draw_cases(SIZE, 300, seed=8, plies=(3, 28))
turned = 3 - tried.present
choices = {
    (layers, target): error_after(model, tried, turned, push(seen_probes, tried, turned, target), layers)
    for layers in ((1, 2), (1, 2, 3), (1, 2, 3, 4), (0, 1, 2, 3, 4))
    for target in (1.5, 2.0, 2.5)
}
at_layers, strength = min(choices, key=lambda choice: choices[choice])
print(f"chosen on {len(tried)} validation positions: after layers {at_layers}, to a score of {strength}")

# %% [markdown]
# The same on nearly a thousand new positions (after 4 to 29 moves; where the flip would leave no legal move, the position is left out). Beside it stand rivals, after the same layers, which are those that suit *mine or theirs*. The table, the colours and the means each get the strength that does best for them on the validation positions; the colours and the means may also take layers 3 and 4 alone, if that does better there. (The means do best there.)
#
# * **nothing**: the unchanged network, judged by the changed board. An intervention must get well below this.
# * **a random direction**: after each layer a push of the same length, in a random direction.
# * **another disc**: a push of the same length after each layer, along the direction that the probe has for some other disc of the board.
# * **a table**: no board at all. On other positions, measure what the push for this square does to the logits *on average*, and add that to the logits, whatever else is on the board. (A push might merely favour the squares nearby.)
# * **black or white**: the direction that the probe of colours has found for the same disc.
# * **means**: the difference of the mean streams of "theirs" and of "mine", a popular direction that needs no probe.
# * **mirrored**: the right direction, but each layer's score is mirrored at 0: it changes its sign, so that a firm belief becomes as firm a belief of the opposite.
#
# And a goal: the error of the unchanged network on its own board.

# %%
cases = interventions.draw_cases(SIZE, 1000, seed=7, plies=(3, 28))
flipped = 3 - cases.present
colour_probes: Probes = {layer: fit(stream["train"][layer + 1], by_colour["train"]) for layer in {*at_layers, 3, 4}}


def mean_difference(layer: int) -> Probe:
    """A 'probe' along the line between the mean streams of "mine" and of "theirs", at which it scores −1 and 1."""
    x, states = stream["train"][layer + 1], as_seen["train"]
    mine, theirs = ((states == k).float().T @ x / (states == k).sum(0)[:, None] for k in (1, 2))  # (square, d_model)
    apart = theirs - mine
    direction = 2 * apart / apart.square().sum(1, keepdim=True)
    weight, bias = torch.zeros(128, 36, 3), torch.zeros(36, 3)
    weight[:, :, 2], bias[:, 2] = direction.T, -((mine + theirs) / 2 * direction).sum(1)
    return weight, bias


mean_probes: Probes = {layer: mean_difference(layer) for layer in {*at_layers, 3, 4}}


def in_colours(cases: interventions.Cases) -> interventions.Cases:
    """The same positions with boards in black and white."""
    return replace(cases, board=mover_frame(cases.board[:, None], cases.black_next[:, None])[:, 0])  # twice is as never


def lengths_of(network: Transformer, cases: interventions.Cases, edit: interventions.Edit, layers: tuple[int, ...]) -> dict[int, Tensor]:
    """How far an edit moves each case's stream after each layer."""
    lengths = {layer: torch.zeros(len(cases), 1) for layer in layers}

    def measured(layer: int, resid: Float[Tensor, "n d_model"], which: Int[Tensor, "n"]) -> Float[Tensor, "n d_model"]:
        moved = edit(layer, resid, which)
        lengths[layer][which] = (moved - resid).norm(dim=1, keepdim=True)
        return moved

    interventions.logits_at(network, cases.tokens, cases.ply, measured, layers)
    return lengths


def random_push(lengths: dict[int, Tensor], seed: int = 0) -> interventions.Edit:
    """Pushes of these lengths in random directions."""
    generator = torch.Generator().manual_seed(seed)

    def edit(layer: int, resid: Float[Tensor, "n d_model"], which: Int[Tensor, "n"]) -> Float[Tensor, "n d_model"]:
        return resid + lengths[layer][which] * F.normalize(torch.randn(resid.shape, generator=generator), dim=1)

    return edit


def push_another(lengths: dict[int, Tensor], cases: interventions.Cases, seed: int = 0) -> interventions.Edit:
    """Pushes of these lengths along the direction that turns over some other disc of the board."""
    chances = torch.rand(cases.board.shape, generator=torch.Generator().manual_seed(seed))
    square = (chances * (cases.board > 0)).scatter(1, cases.square[:, None], 0.0).argmax(1)
    elsewhere = replace(cases, square=square)

    def edit(layer: int, resid: Float[Tensor, "n d_model"], which: Int[Tensor, "n"]) -> Float[Tensor, "n d_model"]:
        weight, _ = seen_probes[layer]
        at, now = square[which], elsewhere.present[which]
        return resid + lengths[layer][which] * F.normalize((weight[:, at, 3 - now] - weight[:, at, now]).T, dim=1)

    return edit


def average_effect(practice: interventions.Cases) -> Float[Tensor, "square state move"]:
    """What the push does to the logits, averaged over positions with the same chosen square in the same state."""
    edit = push(seen_probes, practice, 3 - practice.present, strength)
    before, after = (interventions.logits_at(model, practice.tokens, practice.ply, one, at_layers) for one in (None, edit))
    total, count = torch.zeros(36, 3, 32), torch.zeros(36, 3, 1)
    place = (practice.square, practice.present)
    total.index_put_(place, after - before, accumulate=True)
    count.index_put_(place, torch.ones(len(practice), 1), accumulate=True)
    return total / count.clamp_min(1)


def error_by_table(cases: interventions.Cases, scale: float) -> float:
    """The error of the unchanged network's logits with the average effect added."""
    logits = interventions.logits_at(model, cases.tokens, cases.ply) + scale * effect[cases.square, cases.present]
    return intervention_error(logits, cases.legal(cases.edited(3 - cases.present))).double().mean().item()


flip = push(seen_probes, cases, flipped, strength)
pushed = lengths_of(model, cases, flip, at_layers)
legal_then = cases.legal(cases.edited(flipped))
logits_after = {
    name: interventions.logits_at(model, cases.tokens, cases.ply, edit, at_layers)
    for name, edit in {"nothing": None, "a random direction": random_push(pushed), "another disc": push_another(pushed, cases), "mine or theirs": flip}.items()
}  # fmt: skip
effect = average_effect(interventions.draw_cases(SIZE, 1500, seed=9, plies=(3, 28)))
errors = {
    **{name: intervention_error(logits_after[name], legal_then).double().mean().item() for name in ("nothing", "a random direction", "another disc")},
    "a table": error_by_table(cases, min((0.5, 1.0, 1.5), key=lambda scale: error_by_table(tried, scale))),
}
ways = {
    "black or white": lambda some, target: push(colour_probes, in_colours(some), 3 - in_colours(some).present, target),
    "means": lambda some, target: push(mean_probes, some, 3 - some.present, target),
}
own_choices = [*((at_layers, target) for target in (0.0, 1.0, 2.0, 3.0)), *(((3, 4), target) for target in (1.0, 2.0, 3.0))]
for name, way in ways.items():
    own_layers, best_target = min(own_choices, key=lambda choice: error_after(model, tried, turned, way(tried, choice[1]), choice[0]))
    errors[name] = error_after(model, cases, flipped, way(cases, best_target), own_layers)
    print(f"{name}: after layers {own_layers}, to a score of {best_target}")
errors["mirrored"] = error_after(model, cases, flipped, push(seen_probes, cases, flipped, None), at_layers)
errors["mine or theirs"] = intervention_error(logits_after["mine or theirs"], legal_then).double().mean().item()
own_error = intervention_error(logits_after["nothing"], cases.legal(cases.board)).double().mean().item()
shown_errors = errors | {"own board": own_error}
lines.bars(list(shown_errors), {"error": list(shown_errors.values())}, "Pushed along the probe's direction, it plays by the changed board", "errors per position").show()
for name, value in errors.items():
    print(f"{name:<20} {value:.2f} errors")
print(f"own board, unchanged {own_error:.2f}; {len(cases)} positions; lengths of the pushes, layer by layer: " + ", ".join(f"{length.mean():.0f}" for length in pushed.values()))
print("as shares of the stream's mean length there: " + ", ".join(f"{length.mean() / stream['test'][layer + 1].norm(dim=1).mean():.0%}" for layer, length in pushed.items()))

# %% [markdown]
# **What does it mean?** The push that changes what the probe reads takes the errors most of the way from those of the unchanged network to those that it makes on its own board. As long a push in a random direction does not, and one along the direction
# of another disc does not do this disc's work: it matters which direction is pushed. A push is a fifth to a ninth of the length that the stream has after the same layer. Nor is it that a push merely favours some squares: a table of its average effects does not come far, since what a disc changes depends on the others.
#
# The *means*, pushed after layers 3 and 4, come some seven tenths of the way, with no probe at all. (After the four layers that suit *mine or theirs* they came half-way or a little further.) *Black or white*, at the best of seven choices, leaves the error where it was.
#
# *Mirroring* gets not quite half-way. Suppose that all layers shared one direction: the first mirroring turns a score s into −s, the next layer adds its d, and the second makes s − d of it: the original belief is back. A target that says what you want does not
# depend on what has been done before.
#
# Here is one position. The rings are legal moves on the board that is drawn; the shade is the network's probability.

# %%
before_all, after_all, random_all = (logits_after[name].softmax(1) for name in ("nothing", "mine or theirs", "a random direction"))
legal_now = cases.legal(cases.board)
changed = (legal_now ^ legal_then).sum(1)
error_of = {name: intervention_error(values.log(), legal_then) for name, values in {"before": before_all, "after": after_all, "random": random_all}.items()}
example = int((changed * ((error_of["after"] == 0) & (cases.ply > 8))).argmax())


own, other = (in_colours(some).board[example] for some in (cases, replace(cases, board=cases.edited(flipped))))
spot = int(cases.square[example])
figures.before_after(
    {
        "before": figures.Panel(own, legal_now[example], before_all[example], error=int(intervention_error(before_all.log(), legal_now)[example]), edited=spot),
        "after the push": figures.Panel(other, legal_then[example], after_all[example], error=int(error_of["after"][example]), edited=spot),
        "after a random push": figures.Panel(other, legal_then[example], random_all[example], error=int(error_of["random"][example]), edited=spot),
    },
    f"One disc turned over in its mind, and {int(changed[example])} moves change from legal to illegal or back",
).show()  # fmt: skip
some_change = changed > 0
for name, values in (("before", error_of["before"]), ("after the push", error_of["after"])):
    print(f"{name:<15} {values[some_change].double().mean():.2f} errors where the flip changes what is legal ({some_change.double().mean():.0%}), {values[~some_change].double().mean():.2f} where it does not")
print(f"drawn: of {int(((error_of['after'] == 0) & (cases.ply > 8)).sum())} positions after the tenth move without an error after the push, the one where most moves change")
print(f"over all positions, {(error_of['after'] < error_of['before']).double().mean():.0%} get better by the push, {(error_of['after'] > error_of['before']).double().mean():.0%} worse")

# %% [markdown]
# The picture was chosen because it is clear. The numbers are those of all positions, and they say that the push is not free: where the flip changes no legal move, errors rise from 0.21 to 0.33.
#
# Now the same for the network that saw nothing but moves:

# %%
sampled_probes: Probes = {layer: fit(of_layer, as_seen["train"]) for layer, of_layer in zip(range(-1, 4), sampled_stream["train"], strict=True)}
sampled_choices = {
    (layers, target): error_after(sampled, tried, turned, push(sampled_probes, tried, turned, target), layers)
    for layers in ((1,), (1, 2), (0, 1, 2))
    for target in (1.0, 1.5, 2.0)
}
sampled_layers, sampled_strength = min(sampled_choices, key=lambda choice: sampled_choices[choice])
sampled_flip = push(sampled_probes, cases, flipped, sampled_strength)
sampled_errors = {
    "nothing": error_after(sampled, cases, flipped, None, ()),
    "a random direction": error_after(sampled, cases, flipped, random_push(lengths_of(sampled, cases, sampled_flip, sampled_layers)), sampled_layers),
    "mine or theirs": error_after(sampled, cases, flipped, sampled_flip, sampled_layers),
    "own board": error_after(sampled, cases, cases.present, None, ()),
}
for name, value in sampled_errors.items():
    print(f"network of sampled moves: {name:<20} {value:.2f} errors")

# %% [markdown]
# There the push goes more than half of the way to the network's own level, which is a good deal higher. This network has fewer layers, sampled targets and a little less training; which of these matters we have not separated.
#
# > **So now we know:** the network does not only contain a board. It plays by it.

# %% [markdown]
# ---
# ## Deeper · Boards that cannot be
#
# **Why we look here.** A network that had learnt by heart which moves go with which boards would fail on boards that it cannot have seen. So try some that *no* game leads to.
#
# Up to the eighth move we can try every game. Turn over one disc of a board that 8 moves have led to, and look whether any game of 8 moves leads to the result. And *erase* a disc, that is, push its square to *empty*: after t moves there
# are always t + 4 discs, so that a board with one less has never been seen at that place of a list.

# %%
early = interventions.draw_cases(SIZE, 1000, seed=17, plies=(7, 7))
possible = othello_tree.can_arise(early.edited(3 - early.present), SIZE, moves=8)


def flipped_errors(some: interventions.Cases) -> dict[str, float]:
    """Errors on the boards with the chosen disc turned over, and of the unchanged network on the boards as they are."""
    wanted = 3 - some.present
    edit = push(seen_probes, some, wanted, strength)
    return {
        "nothing": error_after(model, some, wanted, None, ()), "a random direction": error_after(model, some, wanted, random_push(lengths_of(model, some, edit, at_layers)), at_layers),
        "mine or theirs": error_after(model, some, wanted, edit, at_layers), "own board": error_after(model, some, some.present, None, ()),
    }  # fmt: skip


unnatural, natural = flipped_errors(early[~possible]), flipped_errors(early[possible])
for name, values in ((f"{int((~possible).sum())} that no game leads to", unnatural), (f"{int(possible.sum())} that games lead to", natural)):
    print(f"{name}: " + ", ".join(f"{way} {value:.2f}" for way, value in values.items()))

# %%
playable_disc = torch.isin(cases.square, playable)  # a move can only be on these, so that the middle four are never empty
to_erase = cases[playable_disc]
gone = torch.zeros_like(to_erase.square)
can_move = to_erase.legal(to_erase.edited(gone)).any(1)
to_erase, gone = to_erase[can_move], gone[can_move]
practice = tried[torch.isin(tried.square, playable)]
practice = practice[practice.legal(practice.edited(torch.zeros_like(practice.square))).any(1)]
erase_choices = {
    (layers, target): error_after(model, practice, torch.zeros_like(practice.square), push(seen_probes, practice, torch.zeros_like(practice.square), target), layers)
    for layers in ((1, 2), (0, 1, 2), (1, 2, 3))
    for target in (1.0, 1.5, 2.0)
}
erase_layers, erase_strength = min(erase_choices, key=lambda choice: erase_choices[choice])
erase = push(seen_probes, to_erase, gone, erase_strength)
erased = {
    "nothing": error_after(model, to_erase, gone, None, ()),
    "random": error_after(model, to_erase, gone, random_push(lengths_of(model, to_erase, erase, erase_layers)), erase_layers),
    "erase": error_after(model, to_erase, gone, erase, erase_layers),
    "own board": error_after(model, to_erase, to_erase.present, None, ()),
}
print(f"chosen: after layers {erase_layers}, to a score of {erase_strength}")
for name, value in erased.items():
    print(f"one disc erased, {name:<10} {value:.2f} errors")

# %% [markdown]
# Of the 1000 flips after 8 moves, 946 make boards that cannot be; only 54 make possible ones. So nearly all flips so early are of the impossible kind. On these boards the push works, too. So what the network does with its board is not looked up among whole boards that it remembers. It may well be a store of local patterns, line by line; and that is what the rule of the game is.
#
# Erasing works about as well, although such a board contradicts what the tokens say plainly, that this square *was* named, and although a square that was played has never been empty again in any game.
#
# ---
# ## Deeper · The shape of a square
#
# **Why we look here.** For each square there are three directions: empty, mine, theirs. How do they lie to each other, and are those of one layer still those of the next?
#
# Add one and the same vector to the directions of all three states: every logit of the square grows by the same amount, and neither the
# probabilities nor the verdict change. So cosines between the directions mean nothing until what they have in common is taken away. (Our probes have no common part: neither least squares nor a penalty on the weights leaves one. Other fits may.)

# %% [markdown]
# ### Exercise 32.9 · Three directions
# Difficulty ●●○○○ · Importance ●●●○○ · 10 min
#
# Compute the cosines between the three directions of a square.
#
# <details><summary>Hint 1</summary>
#
# Subtract the mean over states first. Then divide each direction by its length.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# States are along axis 1, so the common part has a mean along axis 1, and the lengths are norms along axis 0.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# Ones on the diagonal. The three numbers beside it are never all below −½: three directions that add up to nothing lie in a plane, at best 120° apart, and then each pair has −½.
#
# </details>

# %%
def state_cosines(weight: Float[Tensor, "d_model state"]) -> Float[Tensor, "state state"]:
    """Cosines between the directions that speak for each state, after their mean is taken away.

    A vector added to all states changes no probability of the probe.
    """
    raise NotImplementedError("Exercise 32.9: replace this line with your code")


checks.othello.test_state_cosines(state_cosines)

# %%
state_cosines = checks.yours_or(state_cosines, directions.state_cosines)
for name, of in {"trained": stream, "untrained": untrained_stream}.items():
    for layer in (1, 3, 5):
        weight, _ = fit(of["train"][1 + layer], as_seen["train"])
        cosines = torch.stack([state_cosines(weight[:, square]) for square in playable.tolist()]).mean(0)
        print(f"{name:<9} after layer {layer}: mine and theirs {cosines[1, 2]:5.2f}, empty and mine {cosines[0, 1]:5.2f}, empty and theirs {cosines[0, 2]:5.2f}")

# %%
turning = F.normalize(fitted.weight[..., 2] - fitted.weight[..., 1], dim=1)  # from mine to theirs: [layer, d_model, square]
over_layers = torch.einsum("l d s, m d s -> l m", turning[:, :, playable], turning[:, :, playable]) / len(playable)
circuit_figures.matrices(
    {"the same square, from layer to layer": over_layers}, "From layer 1 on, the direction from mine to theirs turns slowly",
    layer_names, layer_names, down="after layer", across="after layer", limit=1.0,
).show()  # fmt: skip
between = (turning[best_seen].T @ turning[best_seen]).abs()
far = torch.tensor([[max(abs(a // SIZE - b // SIZE), abs(a % SIZE - b % SIZE)) for b in range(36)] for a in range(36)])
print(f"between squares after layer {LAYERS[best_seen]}, mean |cosine|: neighbours {between[far == 1].mean():.2f}, others {between[far > 1].mean():.2f}; of random directions {(2 / (torch.pi * 128)) ** 0.5:.2f}")
print("the same square, from one layer to the next, mean cosine: " + ", ".join(f"{a} to {b} {value:.2f}" for a, b, value in zip(layer_names[:-1], layer_names[1:], over_layers.diagonal(1).tolist(), strict=True)))

# %% [markdown]
# **What does it mean?** In the untrained network *mine* and *theirs* are much alike, and both are opposed to *empty*: what the probe reads there is mostly whether the square was named. In the trained one the three are about equally far apart.
# *Mine* and *theirs* are no opposites, and cannot be while each of them also says "not empty".
#
# The directions of far squares are as good as independent: 36 questions "whose?" have room in 128 dimensions. Those of neighbours have hardly more in common: a mean |cosine| of 0.09, where random directions have 0.07 and far squares 0.05. From layer 1 on the direction of one square turns slowly (the cosine from one layer to the next is about 0.8), so that a part that reads it can do so at more than one place.
#
# ---
# ## Deeper · A neuron that knows a line
#
# **Why we look here.** A move on an empty square is legal if in some direction the next square is theirs, and behind one or more of theirs comes one of mine. If the network uses its board to find legal moves, somewhere it has to look
# for such lines. An MLP neuron is a natural place: its input weights are one more direction in the stream, and we know what directions mean there.
#
# So ask each neuron how much it reads of each state on each square: the cosine between its input weights and the probe's direction. For a line detector three cosines must be large *at once*.

# %% [markdown]
# ### Exercise 32.10 · Empty, theirs, mine
# Difficulty ●●●○○ · Importance ●●●○○ · 10 min
#
# Score each neuron for each line of three squares.
#
# <details><summary>Hint 1</summary>
#
# The squares of all lines are a table: `lines[:, 0]` are the first ones. `reads[:, lines[:, 0], 0]` has a row for each neuron and a column for each line.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Three such tables, stacked; then the minimum over them.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# With a sum in place of the minimum, a neuron that reads nothing but "this square is empty" would look like a detector of every line that begins there.
#
# </details>

# %%
def line_scores(reads: Float[Tensor, "neuron square state"], lines: Int[Tensor, "line 3"]) -> Float[Tensor, "neuron line"]:
    """How much each neuron reads "empty, theirs, mine" along each line.

    The least of three numbers: its reading of state 0 on the line's first square, of state 2 on its second, of state 1 on
    its third.
    """
    raise NotImplementedError("Exercise 32.10: replace this line with your code")


checks.othello.test_line_scores(line_scores)

# %% [markdown]
# **Predict first.** There are 512 neurons in each of six layers and some hundred lines, so the best of all these scores will be large by chance alone. How do you find out how large?
#
# *Your prediction:*

# %%
line_scores = checks.yours_or(line_scores, directions.line_scores)
board_lines = directions.short_lines(SIZE)
board_lines = board_lines[torch.isin(board_lines[:, 0], playable)]


def mlps(part: str, n: int) -> tuple[list[Tensor], list[Tensor], Tensor]:
    """For each layer, what its MLP reads and how active its neurons are, at the positions of n games; and the boards."""
    names = [f"blocks.{layer}.{hook}" for hook in ("hook_resid_mid", "mlp.hook_post") for layer in range(6)]
    found = list(board_probes.activations(model, games[part][:n], names).values())
    return found[:6], found[6:], as_seen[part][: len(found[0])]


read_by_mlp, neurons, boards_seen = mlps("train", 600)
generator = torch.Generator().manual_seed(0)
best_scores, best_lines, by_chance, readings = [], [], [], []
for layer in range(6):
    weight, _ = fit(read_by_mlp[layer], boards_seen)
    readings.append(directions.neuron_reads(model.W_in[layer], model.blocks[layer].ln2.w, weight))
    best_score, best_line = line_scores(readings[-1], board_lines).max(1)
    random_reads = directions.neuron_reads(torch.randn(128, 512, generator=generator), torch.ones(128), weight)
    best_scores.append(best_score)
    best_lines.append(board_lines[best_line])
    by_chance.append(line_scores(random_reads, board_lines).amax())
chance = float(max(by_chance))
triples = torch.stack([torch.randperm(36, generator=generator)[:3] for _ in board_lines])  # random squares, seldom a line
off_lines = sum(int((line_scores(reads, triples).amax(1) > chance).sum()) for reads in readings)
candidates = [(layer, neuron) for layer in range(6) for neuron in (best_scores[layer] > chance).nonzero()[:, 0].tolist()]
for layer in range(6):
    above = sum(1 for candidate in candidates if candidate[0] == layer)
    print(f"layer {layer}: best score {best_scores[layer].max():.2f}, of random weights {by_chance[layer]:.2f}; {above} neurons above the best random ones of all layers")
print(f"{len(candidates)} neurons above chance on lines; on as many random triples of squares, {off_lines}")

# %%
strongest = max(candidates, key=lambda c: float(best_scores[c[0]][c[1]]))


def name_of(candidate: tuple[int, int]) -> str:
    """Layer, neuron and line."""
    layer, neuron = candidate
    return f"layer {layer}, neuron {neuron} ({', '.join(othello.square_name(int(square), SIZE) for square in best_lines[layer][neuron])})"


layer, neuron = strongest
figures.cells(
    {name: readings[layer][neuron][:, state] for name, state in (("reads empty", 0), ("reads theirs", 2), ("reads mine", 1))},
    f"Its weights read empty, theirs, mine: {name_of(strongest)}", diverging=True,
).show()  # fmt: skip

# %% [markdown]
# **How large is large?** Give neurons random weights and score them as well: their best is 0.18. 75 of the network's neurons are above that on lines, and 4 on as many random triples of squares.
#
# These are weights. They say what the neuron *would* respond to. Does it?

# %% [markdown]
# ### Exercise 32.11 · With and without
# Difficulty ●●●○○ · Importance ●●●○○ · 15 min
#
# Measure how well an activation tells cases with a feature from cases without.
#
# <details><summary>Hint 1</summary>
#
# For all pairs of a case with and one without: `a[:, None] > b`. That is a large table; in parts, or sorted, it is none.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `torch.searchsorted(sorted_without, with_)` says how many of the sorted values are smaller, with `right=True` how many are not larger. The mean of both counts ties half.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# ½ for an activation that is always the same. (A ReLU neuron is exactly 0 in many cases, so that ties count.)
#
# </details>

# %%
def separation(activation: Float[Tensor, "n"], present: Bool[Tensor, "n"]) -> float:
    """How likely it is that a case with the feature activates more than one without, both drawn at random.

    Equal activations count half. present has both kinds; n may be 20 000.
    """
    raise NotImplementedError("Exercise 32.11: replace this line with your code")


checks.othello.test_separation(separation)

# %% [markdown]
# A neuron might tell the line from boards in general and still not know what a line is: it may read two of the three squares. So compare as sharply as you can, **with boards that lack one thing only**: the first square is not empty, or
# the second not theirs, or the third not mine, while the two others are as they should be.

# %%
separation = checks.yours_or(separation, directions.separation)


def contrasts(activation: Float[Tensor, "n"], boards: Int[Tensor, "n square"], line: Int[Tensor, "3"]) -> list[float]:
    """The separation of boards with the line from all others; from those that lack its first, its second, its third part."""
    holds = boards[:, line] == torch.tensor([0, 2, 1])
    there = holds.all(1)
    found = [separation(activation, there)]
    for missing in range(3):
        near = there | (holds[:, [k for k in range(3) if k != missing]].all(1) & ~holds[:, missing])
        found.append(separation(activation[near], there[near]))
    return found


on_train = {(layer, neuron): contrasts(neurons[layer][:, neuron], boards_seen, best_lines[layer][neuron]) for layer, neuron in candidates}
chosen = max(candidates, key=lambda candidate: min(on_train[candidate]))
_, test_neurons, test_boards = mlps("test", 600)
on_test = {(layer, neuron): contrasts(test_neurons[layer][:, neuron], test_boards, best_lines[layer][neuron]) for layer, neuron in candidates}
print("separation on test games                  all others   not empty   not theirs   not mine")
for candidate in (strongest, chosen):
    print(f"{name_of(candidate):<42}" + "".join(f"{value:<12.2f}" for value in on_test[candidate]))
clean = sum(1 for candidate in candidates if min(on_test[candidate]) > 0.8)
strangers = {
    (layer, neuron): contrasts(test_neurons[layer][:, neuron], test_boards, best_lines[other][another])
    for (layer, neuron), (other, another) in zip(candidates, [*candidates[1:], candidates[0]], strict=True)
}  # fmt: skip
clean_strangers = sum(1 for values in strangers.values() if min(values) > 0.8)
print(f"of {len(candidates)} candidates, {clean} have all four over 0.8 on their own line, and {clean_strangers} on the next candidate's")

# %%
layer, neuron = chosen
line = best_lines[layer][neuron]
target = int((playable == line[0]).nonzero())
write = model.W_out[layer][neuron] @ (model.ln_final.w[:, None] * model.W_U)
print(f"{name_of(chosen)}; of the 32 moves it speaks for, directly, {othello.square_name(int(line[0]), SIZE)} comes in place {1 + int((write > write[target]).sum())}")


there = directions.line_present(as_seen["test"], line)
without_end = as_seen["test"].clone()
without_end[:, line[2]] = 0  # with nothing at its end, the line encloses nothing
otherwise = othello.legal_in(without_end, SIZE)[:, target]  # legal by another line as well
of_game = at_positions("test", torch.arange(600)[:, None].expand(-1, 32))


def probability(where: Bool[Tensor, "n"], silence: int | None) -> float:
    """The mean probability of the line's move at these positions, one neuron of the layer giving 0."""
    some = of_game[where].unique()

    def quiet(post: Float[Tensor, "game ply neuron"], _: object) -> Tensor:
        post = post.clone()
        if silence is not None:
            post[..., silence] = 0
        return post

    logits = model.run_with_hooks(games["test"].tokens()[some, :-1], fwd_hooks=[(f"blocks.{layer}.mlp.hook_post", quiet)])
    row = torch.searchsorted(some, of_game[where])
    return logits[row, ply["test"][where]].softmax(1)[:, target].mean().item()


alone, shared = there & ~otherwise, there & otherwise
says = test_neurons[layer][alone].mean(0) * (model.W_out[layer] @ (model.ln_final.w[:, None] * model.W_U))[:, target]
rivals = [int(other) for other in says.topk(11).indices if int(other) != neuron][:10]  # those that speak most for this move there
as_it_is, without_it = probability(alone, None), probability(alone, neuron)
without_rival = min(probability(alone, rival) for rival in rivals)
print(f"its move is legal by this line alone at {int(alone.sum())} positions: mean probability {as_it_is:.3f}, with the neuron silenced {without_it:.3f}")
print(f"  with any one of the ten other neurons of the layer that speak most for it silenced, at least {without_rival:.3f}")
print(f"it is legal by other lines, too, at {int(shared.sum())} positions: {probability(shared, None):.3f}, with the neuron silenced {probability(shared, neuron):.3f}")

# %% [markdown]
# **What does it mean?** Tested against all boards, both neurons look nearly perfect; boards that lack one part only are the harder test, and the one with the most line-like weights hardly differs there from the one that was picked by near misses in the training games (at worst 0.93 and 0.95). Weights make a promise, and near misses show how far it is kept.
# More than half of the candidates keep it for all three parts, and none does on the line of the next candidate. Silencing the chosen neuron takes probability from its move where no other line makes it legal, more than any of the ten others that speak for this move, and hardly any where another line does.
#
# So there are neurons that detect one line, and one of them was seen to contribute to the probability of its move. It contributes a part; the positions are few; and most neurons have no such reading, by this score. What they do is open.
#
# ---
# ## Deeper · When does it know?
#
# **Why we look here.** The board is built in the first layers. When do the moves appear? The *logit lens* ends the computation early: it takes the stream after some layer as if it were the last.

# %% [markdown]
# ### Exercise 32.12 · Ending early
# Difficulty ●○○○○ · Importance ●●●○○ · 5 min
#
# Turn a stream into the logits that the network would answer if it were its last.
#
# <details><summary>Hint 1</summary>
#
# What does the network do after its last layer? Look at the last line of `Transformer.forward` (`Transformer.forward??` prints it).
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The final LayerNorm, `model.ln_final`, can be called. Then the unembedding, with its bias.
#
# </details>
#
# <details><summary>What you should see</summary>
#
# With the stream after layer 5, the network's own logits.
#
# </details>

# %%
def logit_lens(model: Transformer, resid: Float[Tensor, "n d_model"]) -> Float[Tensor, "n d_vocab_out"]:
    """The logits that the model would give if resid were its stream after the last layer.

    Through the final LayerNorm (model.ln_final) and the unembedding (model.W_U, model.unembed.b_U).
    """
    raise NotImplementedError("Exercise 32.12: replace this line with your code")


checks.othello.test_logit_lens(logit_lens)

# %%
logit_lens = checks.yours_or(logit_lens, directions.logit_lens)
lens = [legality(logit_lens(model, of_layer), legal["test"]) for of_layer in stream["test"]]
guess = scores["… and each square's chances"][2]
lines.curves(
    layer_names,
    {"moves: top-N of the lens": [top_n for _, _, top_n in lens], "moves: guess from empty squares and chances": [guess] * len(lens), "board, mine or theirs": seen_accuracy},
    "The board is there early, the moves come later", "after layer", "share",
).show()  # fmt: skip
for name, (illegal, _, top_n) in zip(places, lens, strict=True):
    print(f"after {name:<13} first choice legal {1 - illegal:.1%}, top-N {top_n:.1%}")

# %% [markdown]
# After layer 1 the board is within two points of its best. The list of moves is then little better than a guess from empty squares and their chances, though the first choice is legal more often than such a guess's. The layers after that bring the moves, the last but one the most, and the board
# can be read less well again. The order is one of degree: both grow from the first layer on.
#
# (A lens sees only what is written in the language of the output. That it sees little in the middle does not prove that the moves are not there.)
#
# ---
# ## Evidence
#
# The main claims beside the papers' numbers and a control. The papers' board is 8 × 8, their networks have eight layers of width 512 and saw 20 million games; ours has six of width 128 and saw 1.2 million on 6 × 6; the second has four and saw 1.0 million. So
# *levels* cannot be compared: a smaller board has fewer turns to go wrong, a shorter training gets fewer of them right. What can be compared is what beats what, and where it fails. Probes count all squares unless the row says
# otherwise; errors are counted as in the papers. The numbers after "trial" are those of an earlier trial of this course, with four layers and ten minutes of training.

# %% tags=["evidence"]
number, percent, verdict = evidence.number, evidence.percent, evidence.verdict
top, sampled_top, untrained_top = scores["network of six layers"], scores["network of four layers, sampled moves"], scores["untrained network"]
gain = {name: (values["nothing"] - values[key]) / (values["nothing"] - values[goal]) for name, values, key, goal in (
    ("flip", errors | {"own board": own_error}, "mine or theirs", "own board"), ("erase", erased, "erase", "own board"),
    ("impossible", unnatural, "mine or theirs", "own board"), ("sampled", sampled_errors, "mine or theirs", "own board"))}

evidence.table(
    [
        ("illegal first choices", "Li: 0.01 %", percent(top[0]), f"empty squares known: {percent(scores['knows the empty squares'][0], 1)}; untrained: {percent(untrained_top[0], 1)} (Li: 93.29 %)", "6 × 6; 1.2 instead of 20 million games", verdict(top[0] < 0.01, "under 1 %; not comparable")),
        ("… asked for sampled moves only", "Li: 0.01 %", percent(sampled_top[0]), "the same", "four layers, 1.0 million games", verdict(sampled_top[0] < 0.03, "under 3 %; not comparable")),
        ("black or white, linear: best layer", "Li: 79.6 %; Nanda: 75.0 %; trial 77.3 %", percent(max(colour_accuracy), 1), f"untrained {percent(max(untrained_accuracy), 1)}, majority {percent(majority_accuracy, 1)}, empty squares known {percent(known_accuracy, 1)}", "", verdict(max(colour_accuracy) - known_accuracy < 0.03, "within 3 points of empty squares known")),
        ("black or white, MLP after layer 2", "Li: 98.3 % (best layer); trial 91.5 %", f"{'over' if mlp_accuracy['trained'][0] > 0.88 else 'under'} 88 %", f"untrained {'under' if mlp_accuracy['untrained'][0] < 0.72 else 'over'} 72 % (Li: 74.5 %)", "256 hidden neurons", verdict(mlp_accuracy["trained"][0] > max(colour_accuracy) + 0.1, "ten points over linear")),
        ("black or white, linear, black to move only", "trial 91.1 %", percent(one_side["black moves next"][0], 1), f"the same probe, white to move: {percent(one_side['white moves next'][0], 1)}", "after layer 2", verdict(one_side["black moves next"][0] > max(colour_accuracy) + 0.1, "ten points over both sides")),
        ("mine or theirs, linear: best layer", "Nanda: 99.6 %; trial 91.6 %", percent(max(seen_accuracy), 1), f"untrained {percent(max(untrained_seen_accuracy), 1)}, shuffled {percent(max(shuffled_accuracy), 1)}, empty squares known {percent(share(seen_known, as_seen['test']), 1)}", "", verdict(max(seen_accuracy) > max(colour_accuracy) + 0.1, "ten points over black or white")),
        ("… logistic, penalty chosen on validation games", "as above", percent(max(accuracy for accuracy, _ in logistic), 1), f"least squares {percent(max(seen_accuracy), 1)}", "", verdict(max(accuracy for accuracy, _ in logistic) > 0.9, "over 90 %")),
        ("… discs only", "trial 84.7 %", percent(occupied_accuracy["mine or theirs"], 1), f"untrained {percent(occupied_accuracy['untrained network'], 1)}, majority {percent(occupied_accuracy['most frequent state'], 1)}, empty squares known {percent(occupied_accuracy['empty squares known'], 1)}; black or white {percent(disc_right['trained network'], 1)}", "the papers count empty squares, too", verdict(occupied_accuracy["mine or theirs"] > 0.8, "over 80 %")),
        ("… by ply: moves 5, 15, 25, 31 (all squares)", "trial: 99.9 % falling to 80.0 %, 56.8 % at the last", ", ".join(percent(float(everywhere[t - 1]), 1) for t in (5, 15, 25, 31)), "", "", verdict(float(everywhere[4]) > 0.98 > float(everywhere[24]) > float(everywhere[30]), "falls")),
        ("… in the network of sampled moves", "Nanda: 99.6 % (sampled, too)", percent(max(sampled_accuracy["mine or theirs"]), 1), f"black or white {percent(max(sampled_accuracy['black or white']), 1)}", "four layers", verdict(max(sampled_accuracy["mine or theirs"]) > max(sampled_accuracy["black or white"]) + 0.1, "ten points over black or white")),
        ("out of turn, neither frame reads the board well (discs; the side that moves next, whose turn it would be)", "not asked", ", ".join(percent(values[1], 1) for values in frames.values()), "in turn " + ", ".join(percent(values[0], 1) for values in frames.values()), "3 % of the positions", verdict(max(values[1] for values in frames.values()) < 0.7, "both under 70 %")),
        ("built early, at the end less is read (layers 0, best, 5)", "Nanda: 90.9, 99.6, 99.5 %", ", ".join(percent(value, 1) for value in (seen_accuracy[1], max(seen_accuracy), seen_accuracy[-1])), "", "", verdict(seen_accuracy[1] < max(seen_accuracy) > seen_accuracy[-1], "rises, then falls")),
        ("one disc flipped: errors, unchanged → pushed", "Nanda: 2.72 → 0.10; Li: 2.68 → 0.12; trial 2.31 → 0.84", f"{number(errors['nothing'])} → {number(errors['mine or theirs'])}", f"own board {number(own_error)}; random push {number(errors['a random direction'])}, another disc {number(errors['another disc'])}; table {number(errors['a table'])}", "error of the unchanged network is not 0 here", verdict(gain["flip"] > 0.7, "70 % of the way to its own board's error")),
        ("… by other directions: means; black or white; mirrored", "trial: 1.15; 2.39–4.40; –", ", ".join(number(errors[name]) for name in ("means", "black or white", "mirrored")), f"mine or theirs {number(errors['mine or theirs'])}", "", verdict(min(errors[name] for name in ("means", "black or white", "mirrored")) > errors["mine or theirs"], "all worse")),
        ("… in the network of sampled moves", "–", f"{number(sampled_errors['nothing'])} → {number(sampled_errors['mine or theirs'])}", f"own board {number(sampled_errors['own board'])}; random push {number(sampled_errors['a random direction'])}", "", verdict(gain["sampled"] > 0.5, "half of the way")),
        ("one disc erased", "Nanda: 2.73 → 0.02", f"{number(erased['nothing'])} → {number(erased['erase'])}", f"own board {number(erased['own board'])}; random push {number(erased['random'])}", "", verdict(gain["erase"] > 0.7, "70 % of the way")),
        ("boards that no game leads to", "Li: 2.59 → 0.06", f"{number(unnatural['nothing'])} → {number(unnatural['mine or theirs'])}", f"own board {number(unnatural['own board'])}; random push {number(unnatural['a random direction'])}", "all after 8 moves; Li's are of any length", verdict(gain["impossible"] > 0.7, "70 % of the way")),
        ("a neuron for one line: separation from all boards; from near misses", "described, no number", f"{'over' if on_test[chosen][0] > 0.95 else 'under'} 0.95; {'over' if min(on_test[chosen][1:]) > 0.9 else 'under'} 0.9", f"on another's line, all over 0.8: {clean_strangers} of the candidates", "", verdict(min(on_test[chosen]) > 0.9 and clean > len(candidates) / 2, "and over 0.8 for half of the candidates")),
        ("… silenced: probability of its move", "–", f"times {number(without_it / as_it_is)}", f"any of ten other neurons: at least times {number(without_rival / as_it_is)}", "where it is legal by this line alone", verdict(without_it < 0.9 * as_it_is and without_rival > without_it, "falls by a tenth or more; others' silence less")),
        ("the board before the moves: after layer 1, board; top-N", "–", f"{percent(seen_accuracy[2], 1)}; {percent(lens[2][2], 1)}", f"guess {percent(guess, 1)}; at the end {percent(seen_accuracy[-1], 1)}; {percent(lens[-1][2], 1)}", "logit lens", verdict(seen_accuracy[2] > max(seen_accuracy) - 0.02 and lens[2][2] < 0.75, "within 2 points of its best; under 75 %")),
        ("8 × 8, by the same code", "all of the above", "not run", "", "a recipe for a GPU is in the zoo's code (LARGE_BOARD)", "open"),
    ]
)  # fmt: skip

# %% [markdown]
# ## Open ends
#
# * **What happens at a pass?** Out of turn, no probe here reads the board well, and most first choices are legal all the same. First step: fit a probe to positions out of turn alone (draw more games: 3 % of the positions are), in both frames, and look at how it fares right after the pass
#   and later.
# * **When does the board form?** Train the network and watch the probe and the legal moves together. Which comes first, and does either come suddenly? First step: `course train othello` keeps a checkpoint; the recipe takes
#   `snapshots=(100, 250, 500, 1000, 2000)`.
# * **What is wrong at the end?** In the last positions the probe misses a quarter of the discs, then half. Does the network not know them, or does it not need them? First step: split the discs by whether turning them over would change what is legal.
# * **Who wrote it?** Something in layers 0 and 1 works out which discs are turned. First step: take out one attention head at a time and see which squares' probes suffer, and at which distance from the last move.
#
# ## Further reading
#
# * Li, Hopkins, Bau, Viégas, Pfister and Wattenberg, [Emergent world representations](https://arxiv.org/abs/2210.13382) (2022): the question and the first answer.
# * Nanda, Lee and Wattenberg, [Emergent linear representations in world models of self-supervised sequence models](https://arxiv.org/abs/2309.00941) (2023): mine and theirs.
# * Nanda, [Actually, Othello-GPT has a linear emergent world representation](https://www.neelnanda.io/mechanistic-interpretability/othello) (2023): how it was found, with neurons.
# * Hewitt and Liang, [Designing and interpreting probes with control tasks](https://arxiv.org/abs/1909.03368) (2019): why a probe needs a control.
# * Belinkov, [Probing classifiers: promises, shortcomings, and advances](https://arxiv.org/abs/2102.12452) (2021).
# * nostalgebraist, [Interpreting GPT: the logit lens](https://www.lesswrong.com/posts/AcKRB8wDpdaN6v6ru/interpreting-gpt-the-logit-lens) (2020).
