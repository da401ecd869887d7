# PyTorch has none of these: three of the seven, by hand.
import torch

torch.manual_seed(1)
rows = 20000
cost = lambda b: (b - 0.45) ** 2
p = torch.sigmoid(torch.tensor(1.0))
truth = p * (1 - p) * 0.1


def straight_through(z, u):
    soft = torch.sigmoid(z)
    b = (z + u.log() - (-u).log1p() > 0).float()
    cost(b + soft - soft.detach()).sum().backward()


def gumbel(z, u):
    soft = torch.sigmoid(z + u.log() - (-u).log1p())
    b = (soft > 0.5).float()
    cost(b + soft - soft.detach()).sum().backward()


def reinforce(z, u):
    b = (z + u.log() - (-u).log1p() > 0).float()
    distribution = torch.distributions.Bernoulli(logits=z)
    (cost(b) * distribution.log_prob(b)).sum().backward()


for f in (straight_through, gumbel, reinforce):
    z = torch.ones(rows, requires_grad=True)
    f(z, torch.rand(rows))
    print(f"{f.__name__:16} bias {z.grad.mean() - truth:7.4f}, deviation {z.grad.std():.4f}")
