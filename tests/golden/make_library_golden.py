"""Writes library.safetensors: the general ops beside PyTorch's, on random shapes, in float64.

    python tests/golden/make_library_golden.py

A case `<op>.<k>` has inputs x0, x1, ..., integers that it reads (index), the value y, an upstream gradient dy and the
gradients dx0, dx1, ...; tests/autograd/library_golden_test.cpp knows the op by its name.
"""

import pathlib
import random

import safetensors.torch
import torch
import torch.nn.functional as F

torch.manual_seed(0)
random.seed(0)
torch.set_default_dtype(torch.float64)
file = {}


def shape(least=1, most=4):
    return [random.randint(1, 5) for _ in range(random.randint(least, most))]


def broadcast(s):
    """s with some extents of 1, and perhaps without its first dimensions."""
    return [1 if random.random() < 0.3 else n for n in s][random.randint(0, len(s) - 1):]


def positive(s):
    return torch.rand(s) * 2 + 0.25


def add(op, f, *inputs, index=None):
    k = sum(name.startswith(op + ".") and name.endswith(".y") for name in file)
    leaves = [x.clone().requires_grad_() for x in inputs]
    y = f(*leaves) if index is None else f(*leaves, index)
    dy = torch.randn(y.shape)
    y.backward(dy)
    case = {"y": y.detach(), "dy": dy} | {f"x{i}": x for i, x in enumerate(inputs)}
    case |= {f"dx{i}": x.grad for i, x in enumerate(leaves)}
    if index is not None:
        case["index"] = index
    file.update({f"{op}.{k}.{name}": x.contiguous().clone() for name, x in case.items()})


def gelu_tanh(x):
    return F.gelu(x, approximate="tanh")


UNARY = {"neg": torch.neg, "abs": torch.abs, "exp": torch.exp, "square": torch.square, "sin": torch.sin, "cos": torch.cos,
         "erf": torch.erf, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "log_sigmoid": F.logsigmoid,
         "softplus": F.softplus, "relu": F.relu, "elu": F.elu, "gelu": F.gelu, "gelu_tanh": gelu_tanh, "silu": F.silu,
         "log": torch.log, "log1p": torch.log1p, "sqrt": torch.sqrt, "rsqrt": torch.rsqrt}
OF_POSITIVE = {"log", "log1p", "sqrt", "rsqrt"}
BINARY = {"add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "maximum": torch.maximum,
          "minimum": torch.minimum, "pow": torch.pow}
REDUCE = {"sum": torch.sum, "mean": torch.mean, "max": torch.amax, "min": torch.amin, "logsumexp": torch.logsumexp,
          "norm": lambda x, dims, keepdim: torch.linalg.vector_norm(x, 2, dims, keepdim),
          "var": lambda x, dims, keepdim: torch.var(x, dims, correction=1, keepdim=keepdim)}
SPECIAL = torch.tensor([float("nan"), float("inf"), -float("inf"), 0.0, -0.0, 1e30, -1e30, 800.0, -800.0, 1e-30])

for _ in range(3):
    for name, f in UNARY.items():
        add(name, f, positive(shape()) if name in OF_POSITIVE else torch.randn(shape()))
    for name, f in BINARY.items():
        s = shape()
        first, second = (s, broadcast(s)) if random.random() < 0.5 else (broadcast(s), s)
        add(name, f, positive(first) if name == "pow" else torch.randn(first), torch.randn(second).abs() + 0.1)
    for name, f in REDUCE.items():
        most = [2] + shape(1, 3)  # two values at least, for var
        add(name, lambda x: f(x, tuple(range(x.dim())), False), torch.randn(most))
        add(name + "_first_and_last", lambda x: f(x, (0, -1), True), torch.randn(most))
        add(name + "_last", lambda x: f(x, (-1,), False), torch.randn(most + [4]))
    s = shape(2)
    add("where", lambda a, b, mask: torch.where(mask.bool(), a, b), torch.randn(s), torch.randn(broadcast(s)),
        index=torch.randint(0, 2, s))
    add("masked_fill", lambda x, mask: x.masked_fill(mask.bool(), -7.0), torch.randn(s), index=torch.randint(0, 2, s))
    add("clamp", lambda x: x.clamp(-0.5, 0.75), torch.randn(shape()))
    add("pow_3", lambda x: x**3, torch.randn(shape()))
    add("operators", lambda x: 1 - x / 2.0 + 1 / (x * x + 2) - 0.5, torch.randn(shape()))
    add("triu_1", lambda x: x.triu(1), torch.randn(shape(2)))
    add("tril_-1", lambda x: x.tril(-1), torch.randn(shape(2)))
    add("cumsum_0", lambda x: x.cumsum(0), torch.randn(shape()))
    add("sort_down", lambda x: torch.sort(x, dim=0, descending=True).values, torch.randn(shape()))
    add("topk_2", lambda x: x.topk(2, -1).values, torch.randn(shape(1, 3) + [4]))
    s = shape(2, 3)
    where_to = s[:1] + [6] + s[2:]
    add("gather_1", lambda x, index: x.gather(1, index), torch.randn(s), index=torch.randint(0, s[1], where_to))
    s = shape(1, 3)
    add("index_add", lambda x, rows, index: x.index_add(0, index, rows), torch.randn(s), torch.randn([7] + s[1:]),
        index=torch.randint(0, s[0], [7]))
    batch = shape(1, 2)
    add("matmul", torch.matmul, torch.randn(batch + [3, 4]), torch.randn(broadcast(batch) + [4, 2]))
    add("matmul", torch.matmul, torch.randn(batch + [3, 4]), torch.randn([4, 2]))
    add("linear", F.linear, torch.randn(batch + [3, 4]), torch.randn([5, 4]), torch.randn([5]))
    n, channels = random.randint(1, 3), random.randint(1, 3)
    image = [n, channels, random.randint(5, 8), random.randint(5, 8)]
    kernel = [random.randint(1, 4), channels, random.randint(1, 3), random.randint(1, 3)]
    add("conv2d", F.conv2d, torch.randn(image), torch.randn(kernel), torch.randn(kernel[:1]))
    add("conv2d_2_1", lambda *x: F.conv2d(*x, stride=2, padding=1), torch.randn(image), torch.randn(kernel), torch.randn(kernel[:1]))
    add("conv2d_1_2_2", lambda *x: F.conv2d(*x, stride=1, padding=2, dilation=2), torch.randn(image), torch.randn(kernel), torch.randn(kernel[:1]))
    add("max_pool2d", lambda x: F.max_pool2d(x, 2), torch.randn(image))
    add("max_pool2d_3_2_1", lambda x: F.max_pool2d(x, 3, 2, 1), torch.randn(image))
    add("avg_pool2d_3_2_1", lambda x: F.avg_pool2d(x, 3, 2, 1), torch.randn(image))
    s = shape(1, 2)
    labels = torch.randint(0, 4, s)
    labels[torch.rand(s) < 0.3] = -100
    add("cross_entropy", lambda x, y: F.cross_entropy(x.reshape(-1, 4), y.reshape(-1), reduction="none").reshape(y.shape),
        torch.randn(s + [4]), index=labels)

for name, f in UNARY.items():  # values where there is no number, or none that is near
    file[f"special.{name}"] = f(SPECIAL)
for name, f in BINARY.items():
    file[f"special.{name}"] = f(SPECIAL.unsqueeze(1), SPECIAL)
file["special.x"] = SPECIAL
nan_rows = torch.tensor([[1.0, float("nan"), 3.0, float("nan")], [2.0, 2.0, -float("inf"), 1.0]])
file["special.rows"] = nan_rows
file["special.max"], file["special.argmax"] = nan_rows.amax(1), nan_rows.argmax(1)
file["special.min"], file["special.argmin"] = nan_rows.amin(1), nan_rows.argmin(1)
file["special.logsumexp"] = nan_rows.logsumexp(1)
for down in (False, True):
    file[f"special.argsort.{int(down)}"] = torch.sort(nan_rows, dim=1, descending=down, stable=True).indices

# Modules and losses of nn/, of float32 parameters: tests/nn/library_golden_test.cpp.
gru = torch.nn.GRU(3, 4)
x, h = torch.randn(5, 2, 3, requires_grad=True), torch.randn(1, 2, 4, requires_grad=True)
y, last = gru(x, h)
dy = torch.randn(y.shape)
(y * dy).sum().backward()
file |= {f"gru.{name}": p.detach() for name, p in gru.named_parameters()}
file |= {f"gru.grad.{name}": p.grad for name, p in gru.named_parameters()}
file |= {"gru.x": x.detach(), "gru.h": h.detach()[0], "gru.y": y.detach(), "gru.last": last.detach()[0], "gru.dy": dy,
         "gru.grad.x": x.grad, "gru.grad.h": h.grad[0]}
norm = torch.nn.RMSNorm(6, eps=1e-5)
norm.weight.data = torch.randn(6)
x = torch.randn(2, 3, 6, requires_grad=True)
y = norm(x)
dy = torch.randn(y.shape)
y.backward(dy)
file |= {"rms_norm.x": x.detach(), "rms_norm.weight": norm.weight.detach(), "rms_norm.y": y.detach(), "rms_norm.dy": dy,
         "rms_norm.grad.x": x.grad, "rms_norm.grad.weight": norm.weight.grad}
x, target = (4 * torch.randn(3, 5)).requires_grad_(), torch.rand(3, 5)
loss = F.binary_cross_entropy_with_logits(x, target)
loss.backward()
file |= {"bce.x": x.detach(), "bce.target": target, "bce.loss": loss.detach(), "bce.grad": x.grad}
start, pull = torch.randn(6), torch.randn(6)
for name, make in {"adam": lambda p: torch.optim.Adam(p, lr=0.1),
                   "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.5, weight_decay=0.01)}.items():
    w = start.clone().requires_grad_()
    optimizer = make([w])
    for _ in range(5):  # the loss sum(pull w + w^4 / 4)
        optimizer.zero_grad()
        (pull * w + w**4 / 4).sum().backward()
        optimizer.step()
    file[f"{name}.w"] = w.detach()
file |= {"steps.start": start, "steps.pull": pull}

path = pathlib.Path(__file__).with_name("library.safetensors")
safetensors.torch.save_file(file, path)
print(path.name, len(file), "tensors,", path.stat().st_size, "bytes")
