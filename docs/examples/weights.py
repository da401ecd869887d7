import os

import torch
from safetensors.torch import load_file, save_file
from torch import nn

net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
save_file(net.state_dict(), "from_torch.safetensors")

other = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
path = "net.safetensors" if os.path.exists("net.safetensors") else "from_torch.safetensors"
other.load_state_dict(load_file(path))

x = torch.randn(5, 3)
print(f"{path}: outputs are {(net(x) - other(x)).norm():.0e} apart")
