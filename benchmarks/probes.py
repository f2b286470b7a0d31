"""How long does it take to fit a linear probe for each layer and square? ``python -m benchmarks.probes``.

The reference is a loop: for each layer, square and penalty one fit of scikit-learn's ``LogisticRegression``, whose
penalty is then chosen on the same validation data. Both start from the same activations and minimise the same loss with
the same penalties. The loop is timed on every ninth square of each layer and its time multiplied up, because all of it takes
many minutes; accuracies are compared on those squares.

Prints one JSON object: processor seconds of one thread, which other work on the machine does not lengthen, the ratio
(above 1: ours is faster), and both mean test accuracies in per cent. The target is 20.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import warnings

import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from benchmarks.import_time import middle_half
from course_utils import board_probes, probes, zoo
from course_utils.interventions import stream_name
from course_utils.models import Transformer
from course_utils.probes import Examples
from course_utils.tasks import othello

EVERY = 9  # squares of the board, of which the loop fits one


def examples(model: Transformer, n_games: int, seed: int) -> Examples:
    """Activations after each layer and the board in the mover's frame, wherever a move may follow."""
    games = othello.random_games(6, n_games, seed)
    layers = board_probes.activations(model, games, [stream_name(layer) for layer in range(model.cfg.n_layers)])
    states = games.relative()[:, :-1][board_probes.open_positions(games)]
    return Examples(torch.stack(list(layers.values())), states)


def loop(train: Examples, validation: Examples, test: Examples, squares: list[int]) -> float:
    """The mean test accuracy of scikit-learn's fits on these squares."""
    shares = []
    for layer in range(len(train.activations)):
        mean, scale = train.activations[layer].mean(0), train.activations[layer].std(0)
        x, held_out, unseen = (((part.activations[layer] - mean) / scale).numpy() for part in (train, validation, test))
        for square in squares:
            y, y_held_out, y_unseen = (part.states[:, square].long() for part in (train, validation, test))
            best, chosen = float("inf"), None
            for penalty in probes.PENALTIES:
                fit = LogisticRegression(C=1 / (penalty * len(x)), max_iter=1000).fit(x, y.numpy())
                logs = torch.from_numpy(fit.predict_log_proba(held_out))
                # A state that never occurs on this square has no column.
                columns = torch.searchsorted(torch.from_numpy(fit.classes_).long(), y_held_out)
                loss = -logs.gather(1, columns[:, None]).mean().item()
                if loss < best:
                    best, chosen = loss, fit
            assert chosen is not None
            shares.append((torch.from_numpy(chosen.predict(unseen)) == y_unseen).double().mean().item())
    return statistics.mean(shares)


def measure(model: Transformer, repeats: int, n_games: int = 650) -> dict[str, object]:
    """Fits both ways ``repeats`` times, after one unmeasured round of ours."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    train, validation, test = (examples(model, n, seed) for n, seed in ((n_games, 1), (n_games // 3, 2), (n_games, 3)))
    n_squares = train.states.shape[1]
    squares = list(range(0, n_squares, EVERY))
    fitted = probes.fit_linear(train, validation)
    times: dict[str, list[float]] = {"ours": [], "loop": []}
    for _ in range(repeats):
        started = time.process_time()
        fitted = probes.fit_linear(train, validation)
        times["ours"].append(time.process_time() - started)
        started = time.process_time()
        with warnings.catch_warnings(), threadpool_limits(1):
            warnings.simplefilter("ignore", ConvergenceWarning)
            reference_accuracy = loop(train, validation, test, squares)
        times["loop"].append((time.process_time() - started) * n_squares / len(squares))
    torch.set_num_threads(threads)
    ours, reference = (statistics.median(times[name]) for name in ("ours", "loop"))
    row: dict[str, object] = {
        "name": "probe_fit",
        "ours": round(ours, 2),
        "reference": round(reference, 1),
        "unit": "CPU s",
        "ratio": round(reference / ours, 1),
        "repeats": repeats,
        "threads": 1,
        "probes": len(train.activations) * n_squares,
        "positions": len(train.states),
        "ours_accuracy": round(100 * probes.right(fitted, test)[..., squares].double().mean().item(), 2),
        "reference_accuracy": round(100 * reference_accuracy, 2),
    }
    if repeats > 1:
        row |= {"ours_spread": middle_half(times["ours"]), "reference_spread": middle_half(times["loop"])}
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=1)
    arguments = parser.parse_args()
    print(json.dumps(measure(zoo.load("othello"), arguments.repeats)))


if __name__ == "__main__":
    main()
