"""Writes vae.json: the objective of small variational autoencoders and its gradients, by PyTorch in double precision.

The likelihoods and the divergence are those of torch.distributions.

    python vae.py
"""

import json

import torch
from torch.distributions import Bernoulli, Normal, kl_divergence

torch.set_default_dtype(torch.float64)
generator = torch.Generator().manual_seed(2014)
INPUTS, HIDDEN, LATENT, ROWS = 6, 5, 3, 4


def draw(*shape):
    return (torch.randn(*shape, generator=generator) * 0.6).round(decimals=6)


def case(name, beta, sd=None):
    parameters = {}
    for layer, shape in {
        "encoder": (INPUTS, HIDDEN),
        "mean": (HIDDEN, LATENT),
        "log_variance": (HIDDEN, LATENT),
        "decoder": (LATENT, HIDDEN),
        "output": (HIDDEN, INPUTS),
        "output_log_variance": (HIDDEN, INPUTS),
    }.items():
        if layer == "output_log_variance" and (name == "bernoulli" or sd is not None):
            continue
        parameters[layer] = [draw(*shape).requires_grad_(), draw(shape[1]).requires_grad_()]

    def dense(layer, x):
        weight, bias = parameters[layer]
        return x @ weight + bias

    x = (torch.rand(ROWS, INPUTS, generator=generator) > 0.5).double() if name == "bernoulli" else draw(ROWS, INPUTS)
    noise = draw(ROWS, LATENT)
    hidden = torch.tanh(dense("encoder", x))
    mean, log_variance = dense("mean", hidden), dense("log_variance", hidden)
    posterior = Normal(mean, (log_variance / 2).exp())
    z = mean + (log_variance / 2).exp() * noise
    hidden = torch.tanh(dense("decoder", z))
    if name == "bernoulli":
        decoded = Bernoulli(logits=dense("output", hidden))
    else:
        spread = sd if sd is not None else (dense("output_log_variance", hidden) / 2).exp()
        decoded = Normal(dense("output", hidden), spread)
    likelihood = decoded.log_prob(x).sum(1)
    divergence = kl_divergence(posterior, Normal(0.0, 1.0)).sum(1)
    elbo = likelihood - beta * divergence
    (-elbo.mean()).backward()
    return {
        "name": name,
        "beta": beta,
        "sd": sd,
        "x": x.tolist(),
        "noise": noise.tolist(),
        "mean": mean.tolist(),
        "log_variance": log_variance.tolist(),
        "likelihood": likelihood.tolist(),
        "divergence": divergence.tolist(),
        "elbo": elbo.tolist(),
        "parameters": {layer: [part.tolist() for part in parts] for layer, parts in parameters.items()},
        "gradients": {layer: [part.grad.tolist() for part in parts] for layer, parts in parameters.items()},
    }


json.dump([case("bernoulli", 1.0), case("gaussian", 0.5), case("gaussian", 1.0, 0.3)], open("vae.json", "w"))
