"""Time of one epoch of skip-gram with negative sampling in gensim.

    python3 gensim_skip_gram.py CORPUS.txt [--threads N]

The corpus is the one that the example `skip_gram_bench` of nn-core writes: a sentence on each line, words between spaces.
Settings are those of the example; reading the text and counting its words are not timed.
"""

import argparse
import json
import resource
import time

import gensim
from gensim.models import Word2Vec


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    with open(args.corpus, encoding="utf-8") as file:
        sentences = [line.split() for line in file]
    model = Word2Vec(
        sg=1, hs=0, vector_size=100, window=5, negative=5, ns_exponent=0.75, sample=1e-3, alpha=0.025, min_alpha=1e-4,
        min_count=1, workers=args.threads, seed=1,
    )
    model.build_vocab(sentences)
    began = time.perf_counter()
    model.train(sentences, total_examples=model.corpus_count, epochs=1)
    seconds = time.perf_counter() - began
    print(json.dumps({
        "name": "skipgram",
        "seconds": seconds,
        "items": sum(map(len, sentences)),
        "words": len(model.wv),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "device": "cpu",
        "version": f"gensim {gensim.__version__}, {args.threads} threads",
    }))


if __name__ == "__main__":
    main()
