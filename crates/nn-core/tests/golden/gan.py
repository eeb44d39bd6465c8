"""Writes gan.json: both losses of a small adversarial pair and their gradients, by PyTorch in double precision.

    python gan.py
"""

import json

import torch

torch.set_default_dtype(torch.float64)
generator = torch.Generator().manual_seed(2014)
COLUMNS, LATENT, HIDDEN, ROWS, SLOPE = 3, 2, 5, 4, 0.2
functional = torch.nn.functional


def draw(*shape):
    return (torch.randn(*shape, generator=generator) * 0.6).round(decimals=6)


def network(inputs, outputs):
    layers = [(draw(inputs, HIDDEN), draw(HIDDEN)), (draw(HIDDEN, outputs), draw(outputs))]
    return [[part.requires_grad_() for part in layer] for layer in layers]


def through(layers, activation, x):
    (first, bias), (second, other) = layers
    return activation(x @ first + bias) @ second + other


def gradients(loss, layers):
    flat = [part for layer in layers for part in layer]
    found = iter(torch.autograd.grad(loss, flat, retain_graph=True))
    return [[next(found).tolist() for _ in layer] for layer in layers]


maker, judge = network(LATENT, COLUMNS), network(COLUMNS, 1)
real, z = draw(ROWS, COLUMNS), draw(ROWS, LATENT)
made = torch.sigmoid(through(maker, torch.tanh, z))


def logits(x):
    return through(judge, lambda x: functional.leaky_relu(x, SLOPE), x)


def cross_entropy(logits, target):
    return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


discriminator_loss = cross_entropy(logits(real), 1.0) + cross_entropy(logits(made.detach()), 0.0)
non_saturating = cross_entropy(logits(made), 1.0)
minimax = -cross_entropy(logits(made), 0.0)
json.dump(
    {
        "slope": SLOPE,
        "generator": [[part.tolist() for part in layer] for layer in maker],
        "discriminator": [[part.tolist() for part in layer] for layer in judge],
        "real": real.tolist(),
        "z": z.tolist(),
        "made": made.tolist(),
        "logits": logits(real).tolist(),
        "discriminator_loss": discriminator_loss.item(),
        "discriminator_gradients": gradients(discriminator_loss, judge),
        "non_saturating": non_saturating.item(),
        "non_saturating_gradients": gradients(non_saturating, maker),
        "minimax": minimax.item(),
        "minimax_gradients": gradients(minimax, maker),
    },
    open("gan.json", "w"),
)
