"""Golden values for nn_core::models::attention, computed by PyTorch in float64.

    pip install torch && python3 attention.py

attention.json holds for each block its inputs, its parameters (dense weights as [inputs, outputs], those of in_proj and
of the recurrent nets as PyTorch has them), the context, the weights, and the gradient of sum(context * coefficients) for
every parameter and input.

additive    Bahdanau 2015: softmax of v' tanh(W s + U h), two sequences of 4 and 2 steps
map         the same over the places of a feature map, without a query
multi_head  torch.nn.MultiheadAttention, weights of each head: keys and values with padding, and one sequence with itself
            under a causal mask
retain      Choi 2016, section 2.3, on torch.nn.GRU: sequences of 5, 3 and 1 steps
"""
import json
import os

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
torch.set_default_dtype(torch.float64)


def numbers(tensor):
    return [float(f"{value:.10g}") for value in tensor.detach().reshape(-1).tolist()]


def leaf(*shape):
    return torch.empty(shape).uniform_(-1, 1).requires_grad_()


def described(tensors):
    return {
        name: {"shape": list(value.shape), "value": numbers(value), "gradient": numbers(value.grad)}
        for name, value in tensors.items()
    }


def case(inputs, parameters, context, weights, extra):
    coefficients = torch.randn(context.shape)
    (context * coefficients).sum().backward()
    return {
        "inputs": described(inputs), "parameters": described(parameters), "context": numbers(context),
        "weights": numbers(weights), "coefficients": numbers(coefficients), **extra,
    }


def padded(lengths, steps):
    return torch.arange(steps)[None, :] >= torch.tensor(lengths)[:, None]


def additive():
    torch.manual_seed(1)
    lengths = [4, 2]
    query, keys = leaf(2, 3), leaf(2, 4, 5)
    w, u, v = leaf(3, 6), leaf(5, 6), leaf(6, 1)
    scores = (torch.tanh((query @ w)[:, None] + keys @ u) @ v)[..., 0]
    weights = torch.softmax(scores.masked_fill(padded(lengths, 4), -torch.inf), 1)
    context = (weights[..., None] * keys).sum(1)
    parameters = {"query.weight": w, "key.weight": u, "score.weight": v}
    return case({"query": query, "keys": keys}, parameters, context, weights, {"lengths": lengths})


def feature_map():
    torch.manual_seed(2)
    places = leaf(2, 3, 2, 4)
    u, bias, v = leaf(3, 6), leaf(6), leaf(6, 1)
    scores = (torch.tanh(torch.einsum("bchw,ck->bhwk", places, u) + bias) @ v)[..., 0]
    weights = torch.softmax(scores.reshape(2, 8), 1).reshape(2, 2, 4)
    context = torch.einsum("bhw,bchw->bc", weights, places)
    return case({"map": places}, {"key.weight": u, "key.bias": bias, "score.weight": v}, context, weights, {})


def multi_head(causal):
    torch.manual_seed(3)
    net = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    for parameter in net.parameters():
        torch.nn.init.uniform_(parameter, -0.6, 0.6)
    if causal:
        lengths = [4, 4]
        query = key = value = leaf(2, 4, 8)
        mask = torch.ones(4, 4).triu(1).bool()
        context, weights = net(query, key, value, attn_mask=mask, average_attn_weights=False)
        inputs = {"query": query}
    else:
        lengths = [5, 3]
        query, key, value = leaf(2, 3, 8), leaf(2, 5, 8), leaf(2, 5, 8)
        mask = padded(lengths, 5)
        context, weights = net(query, key, value, key_padding_mask=mask, average_attn_weights=False)
        inputs = {"query": query, "key": key, "value": value}
    found = case(inputs, dict(net.named_parameters()), context, weights, {"lengths": lengths})
    weight = found["parameters"]["out_proj.weight"]
    for part in ("value", "gradient"):
        weight[part] = numbers(torch.tensor(weight[part]).reshape(8, 8).T)
    return found


def retain():
    torch.manual_seed(4)
    lengths, steps, width, alpha_width, beta_width = [5, 3, 1], 5, 4, 5, 6
    v = leaf(3, steps, width)
    alpha_net, beta_net = (torch.nn.GRU(width, size, batch_first=True) for size in (alpha_width, beta_width))
    for net in (alpha_net, beta_net):
        for parameter in net.parameters():
            torch.nn.init.uniform_(parameter, -0.9, 0.9)
    w_alpha, b_alpha, w_beta, b_beta = leaf(alpha_width, 1), leaf(1), leaf(beta_width, width), leaf(width)
    contexts, weights, contributions = [], torch.zeros(3, steps), torch.zeros(3, steps, width)
    for row, length in enumerate(lengths):
        backwards = v[row:row + 1, :length].flip(1)
        g = alpha_net(backwards)[0].flip(1)[0]
        h = beta_net(backwards)[0].flip(1)[0]
        alpha = torch.softmax((g @ w_alpha + b_alpha)[:, 0], 0)
        beta = torch.tanh(h @ w_beta + b_beta)
        parts = alpha[:, None] * beta * v[row, :length]
        contexts.append(parts.sum(0))
        weights[row, :length] = alpha.detach()
        contributions[row, :length] = parts.detach()
    context = torch.stack(contexts)
    parameters = {"alpha.weight": w_alpha, "alpha.bias": b_alpha, "beta.weight": w_beta, "beta.bias": b_beta}
    for name, net in (("alpha_net", alpha_net), ("beta_net", beta_net)):
        for key, parameter in net.named_parameters():
            parameters[f"{name}.stack.layers.0.forward.{key.removesuffix('_l0')}"] = parameter
    return case({"v": v}, parameters, context, weights, {"lengths": lengths, "contributions": numbers(contributions)})


def main():
    golden = {
        "additive": additive(), "map": feature_map(), "multi_head": multi_head(False), "causal": multi_head(True),
        "retain": retain(),
    }
    with open(os.path.join(HERE, "attention.json"), "w", encoding="utf-8") as file:
        json.dump(golden, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
