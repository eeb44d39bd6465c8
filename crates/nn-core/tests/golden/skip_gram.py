"""Golden values for the embeddings: gensim's neighbours on a planted and on a real corpus, numpy's singular values.

    pip install numpy gensim
    python skip_gram.py          # rewrites skip_gram.json beside this file

The planted corpus is made by integers alone, so that the test makes the same one. Each list of neighbours is there for
several seeds of gensim: how far gensim agrees with itself is the measure for how far another program has to agree.
The real corpus is lee_background.cor, which comes with gensim; only words and neighbours are written here.
"""

import json
import pathlib

import gensim
import numpy as np
from gensim.models import Word2Vec
from gensim.test.utils import datapath

SEEDS = (1, 2, 3)
PLANTED = {"groups": 24, "members": 6, "sentences": 5000, "length": 12, "dimension": 32, "epochs": 5}
REAL = {"min_count": 5, "dimension": 50, "epochs": 20, "first": 50, "words": 50}


class Mix:
    """splitmix64 (Steele, Lea and Flood 2014)."""

    def __init__(self, state):
        self.state = state

    def next(self):
        mask = (1 << 64) - 1
        self.state = (self.state + 0x9E3779B97F4A7C15) & mask
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        return z ^ (z >> 31)

    def below(self, n):
        return ((self.next() >> 32) * n) >> 32


def planted():
    """Words of a group are synonyms; a sentence is about one group and its two neighbours on a ring."""
    mix, groups, members = Mix(1), PLANTED["groups"], PLANTED["members"]
    sentences = []
    for _ in range(PLANTED["sentences"]):
        topic = mix.below(groups)
        sentence = []
        for _ in range(PLANTED["length"]):
            group = (topic + (groups - 1, 0, 0, 1)[mix.below(4)]) % groups
            first, second = mix.below(members), mix.below(members)
            sentence.append(group * members + min(first, second))
        sentences.append(sentence)
    return sentences


def neighbours(sentences, words, **settings):
    """The ten nearest words of each word, for each seed; with one thread gensim's result depends on nothing else."""
    lists = []
    for seed in SEEDS:
        model = Word2Vec(sentences, sg=1, window=5, sample=1e-3, alpha=0.025, min_alpha=1e-4, workers=1, seed=seed, **settings)
        lists.append([[word for word, _ in model.wv.most_similar(at, topn=10)] for at in words(model)])
    return lists


def overlap(a, b):
    return float(np.mean([len(set(x) & set(y)) / 10 for x, y in zip(a, b)]))


def agreement(lists):
    """Mean overlap of the lists of two seeds."""
    pairs = [(i, j) for i in range(len(lists)) for j in range(i)]
    return float(np.mean([overlap(lists[i], lists[j]) for i, j in pairs]))


def planted_case(**objective):
    sentences = [[str(code) for code in sentence] for sentence in planted()]
    count = PLANTED["groups"] * PLANTED["members"]
    lists = neighbours(
        sentences, lambda _: [str(code) for code in range(count)],
        vector_size=PLANTED["dimension"], epochs=PLANTED["epochs"], min_count=1, **objective,
    )
    numbers = [[[int(word) for word in row] for row in each] for each in lists]
    return {"agreement": agreement(numbers), "neighbours": numbers}


def real_case():
    with open(datapath("lee_background.cor"), encoding="utf-8") as file:
        sentences = [line.split() for line in file]
    chosen = []

    def words(model):
        chosen[:] = model.wv.index_to_key[REAL["first"] : REAL["first"] + REAL["words"]]
        return chosen

    lists = neighbours(
        sentences, words,
        vector_size=REAL["dimension"], epochs=REAL["epochs"], min_count=REAL["min_count"], negative=5, hs=0,
    )
    counts = {}
    for sentence in sentences:
        for word in sentence:
            counts[word] = counts.get(word, 0) + 1
    vocabulary = sum(count >= REAL["min_count"] for count in counts.values())
    return {
        **REAL, "tokens": sum(counts.values()), "vocabulary": vocabulary, "chosen": chosen,
        "agreement": agreement(lists), "neighbours": lists,
    }


def sparse_case():
    """A matrix of random places and small whole numbers, and all its singular values."""
    mix, rows, columns = Mix(2), 60, 45
    entries = [[mix.below(rows), mix.below(columns), mix.below(19) - 9] for _ in range(400)]
    dense = np.zeros((rows, columns))
    for row, column, value in entries:
        dense[row, column] += value
    values = np.linalg.svd(dense, compute_uv=False)
    return {"rows": rows, "columns": columns, "entries": entries, "singular": values.tolist()}


golden = {
    "made_with": f"gensim {gensim.__version__}, numpy {np.__version__}",
    "planted": {
        **PLANTED,
        "negative_sampling": planted_case(negative=5, hs=0),
        "hierarchical_softmax": planted_case(negative=0, hs=1),
    },
    "real": real_case(),
    "sparse": sparse_case(),
}
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps(golden, separators=(",", ":"), ensure_ascii=False) + "\n", encoding="utf-8")
for name in ("negative_sampling", "hierarchical_softmax"):
    print(name, golden["planted"][name]["agreement"])
print("real", golden["real"]["agreement"])
