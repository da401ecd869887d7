"""Times the gates of benchmarks/estimators.cpp in PyTorch: a million binary choices, forward and backward, as the
estimators' published code computes them. Median of the repetitions and their range, in milliseconds.

    python3 benchmarks/peers/estimators.py --threads 2
"""

import argparse
import statistics
import time

import torch


def straight_through_gumbel(logits):
    return torch.nn.functional.gumbel_softmax(logits, tau=1.0, hard=True)


def gumbel_rao(logits, samples=10):
    """The choice, and the mean of K softmaxes given it (Paulus et al.): exponentials give the conditional Gumbels."""
    with torch.no_grad():
        probabilities = torch.softmax(logits, -1)
        choice = torch.multinomial(probabilities, 1)
        one_hot = torch.zeros_like(logits).scatter_(-1, choice, 1.0)
        exponential = torch.empty((samples,) + logits.shape).exponential_()
        winner = (exponential * one_hot).sum(-1, keepdim=True)
        total = torch.logsumexp(logits, -1, keepdim=True).exp()
        given = torch.where(one_hot.bool(), -winner.log() + total.log(),
                            -(exponential / logits.exp() + winner / total).log())
        shift = given - logits
    soft = torch.softmax(logits + shift, -1).mean(0)
    return one_hot + soft - soft.detach()


class ReinMax(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits):
        probabilities = torch.softmax(logits, -1)
        choice = torch.multinomial(probabilities, 1)
        one_hot = torch.zeros_like(logits).scatter_(-1, choice, 1.0)
        ctx.save_for_backward(one_hot, probabilities)
        return one_hot

    @staticmethod
    def backward(ctx, g):
        one_hot, p = ctx.saved_tensors
        q = 0.5 * (p + one_hot)
        first = 2 * q * (g - (q * g).sum(-1, keepdim=True))
        return first - 0.5 * p * (g - (p * g).sum(-1, keepdim=True))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--gates", type=int, default=1000000)
    parser.add_argument("--repetitions", type=int, default=11)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cpu_time", action="store_true", help="the processor's time in place of that on the wall")
    arguments = parser.parse_args()
    now = time.process_time if arguments.cpu_time else time.perf_counter
    torch.set_num_threads(arguments.threads)
    g = torch.tensor([0.0, 1.0]).expand(arguments.gates, 2).contiguous()
    for name, estimator in [("st-gs", straight_through_gumbel), ("gr:10", gumbel_rao), ("reinmax", ReinMax.apply)]:
        times = []
        for _ in range(arguments.repetitions):
            logits = torch.tensor([0.0, 0.3]).repeat(arguments.gates, 1).requires_grad_()
            start = now()
            estimator(logits).backward(g)
            times.append(1000 * (now() - start))
        print(f"{name:<12} {statistics.median(times):8.2f} ms ({min(times):.2f} to {max(times):.2f})")


if __name__ == "__main__":
    main()
