"""Does the pipeline read the same off a language model's activations as would be read by hand, one text at a time?

Most of it needs transformers, which the extras ``hf`` and ``interop`` bring: ``pytest -m interop``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import course_utils
from course_utils import ccs, hf
from course_utils.errors import CourseError

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read once, when transformers brings in huggingface_hub

TEXTS = ["good film", "a bad and long and sad film , so bad", "good", "bad film and a long film", "sad"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny GPT-2 that was never trained and a tokenizer of whole words, as ``save_pretrained`` writes them."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed (extra hf)")
    import tokenizers

    prompts = [statement for text in TEXTS for template in hf.TEMPLATES.values() for statement in template(text)]
    splitter = tokenizers.pre_tokenizers.Whitespace()
    words = sorted({word for prompt in prompts for word, _ in splitter.pre_tokenize_str(prompt)})
    words = ["<end>", *words]
    raw = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<end>")
    )
    raw.pre_tokenizer = splitter
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=raw, unk_token="<end>", eos_token="<end>")
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=len(words), n_positions=48, n_embd=16, n_layer=3, n_head=2, bos_token_id=0, eos_token_id=0
    )
    model = transformers.GPT2LMHeadModel(config)
    for weight in model.parameters():  # GPT-2 begins so small that activations hardly hang on the context
        weight.data += 0.3 * torch.randn(weight.shape)
    path = tmp_path_factory.mktemp("tiny-gpt2")
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


needs_transformers = pytest.mark.interop


@needs_transformers
@pytest.mark.parametrize("layer", [0, 1, 3, -1])
def test_activations_are_those_of_one_text_at_a_time(folder, layer):
    model, tokenizer = hf.load(folder)
    assert not model.training and tokenizer.pad_token is None
    found = hf.pairs(model, tokenizer, TEXTS, "review", layer=layer, batch=3)
    assert found.positive.shape == found.negative.shape == (5, 16) and found.positive.dtype == torch.float32
    for i, text in enumerate(TEXTS):
        for side, statement in zip(found, hf.TEMPLATES["review"](text), strict=True):
            ids = torch.tensor([tokenizer(statement)["input_ids"]])
            assert tokenizer.decode(ids[0, -1]).strip() == statement.split()[-1]
            expected = model(ids, output_hidden_states=True).hidden_states[layer][0, -1]
            torch.testing.assert_close(side[i], expected, atol=1e-5, rtol=1e-4)


@needs_transformers
def test_the_size_of_a_batch_and_the_company_change_nothing(folder):
    model, tokenizer = hf.load(str(folder))
    whole = hf.pairs(model, tokenizer, TEXTS, "statement", layer=2, batch=8)
    for batch in (1, 2):
        other = hf.pairs(model, tokenizer, TEXTS, "statement", layer=2, batch=batch)
        torch.testing.assert_close(other.positive, whole.positive, atol=1e-5, rtol=1e-4)
    alone = hf.pairs(model, tokenizer, TEXTS[2:3], "statement", layer=2)
    torch.testing.assert_close(alone.negative[0], whole.negative[2], atol=1e-5, rtol=1e-4)
    assert (whole.positive[0] - whole.positive[2]).abs().max() > 1e-3  # the text is seen at the last token


@needs_transformers
def test_the_rest_of_the_pipeline_takes_them(folder):
    model, tokenizer = hf.load(folder)
    found = ccs.normalised(hf.pairs(model, tokenizer, TEXTS, lambda text: (f"{text} positive", f"{text} negative")))
    assert ccs.fit(found, restarts=2, steps=5).loss.shape == (2,)


@needs_transformers
def test_what_cannot_be_read_is_answered(folder):
    model, tokenizer = hf.load(folder)
    with pytest.raises(CourseError, match=r"Templates are review"):
        hf.pairs(model, tokenizer, TEXTS, "poem")
    for layer in (4, -5):
        with pytest.raises(CourseError, match=f"layers are 0 to 3; there is no layer {layer}"):
            hf.pairs(model, tokenizer, TEXTS, "review", layer=layer)
    with pytest.raises(CourseError, match="this model reads 48"):
        hf.pairs(model, tokenizer, ["good " * 60], "review")
    with pytest.raises(CourseError, match="makes no tokens"):
        hf.pairs(model, tokenizer, [""], lambda text: (text, text))
    for texts in ([], "good film"):
        with pytest.raises(CourseError, match="at least one text"):
            hf.pairs(model, tokenizer, texts, "review")


@needs_transformers
def test_a_model_that_cannot_be_loaded_is_answered(folder, tmp_path):
    with pytest.raises(CourseError, match=r"'nobody/no-such-model' cannot be loaded.*network.*save_pretrained"):
        hf.load("nobody/no-such-model")
    with pytest.raises(CourseError, match=r"cannot be loaded.*folder holds no causal model"):
        hf.load(tmp_path)


def test_a_missing_transformers_is_explained(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)  # what `import` finds is then "not there"
    with pytest.raises(CourseError, match=r"transformers 4\.50 or newer.*pip install.*\[hf\]"):
        hf.load("gpt2")


def test_importing_the_module_imports_no_transformers():
    code = "import sys, course_utils.hf; sys.exit('transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=120, check=False).returncode == 0


def test_no_other_module_imports_transformers():
    package = Path(course_utils.__file__).parent
    importers = [
        path.name
        for path in package.rglob("*.py")
        if any(
            line.lstrip().startswith(("import transformers", "from transformers"))
            for line in path.read_text(encoding="utf-8").splitlines()
        )
    ]
    assert importers == ["hf.py"]


@pytest.mark.parametrize("name", list(hf.TEMPLATES))
def test_templates_differ_in_their_last_word_alone(name):
    positive, negative = (statement.split(" ") for statement in hf.TEMPLATES[name](" It rains in spring. \n"))
    assert positive[:-1] == negative[:-1] and "It rains in spring." in " ".join(positive)
    assert (positive[-1], negative[-1]) in [("positive", "negative"), ("yes", "no")]
