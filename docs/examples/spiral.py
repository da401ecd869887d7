import math

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(1)
labels = torch.arange(3).unsqueeze(1).expand(3, 100).reshape(300)
radius = (torch.arange(100) / 100).expand(3, 100).reshape(300)
angle = 4 * radius + labels * (2 * math.pi / 3) + 0.1 * torch.randn(300)
x = torch.stack([radius * angle.cos(), radius * angle.sin()], 1)

net = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 3))
adam = torch.optim.Adam(net.parameters(), lr=0.02)
for step in range(300):
    adam.zero_grad()
    F.cross_entropy(net(x), labels).backward()
    adam.step()
accuracy = (net(x).argmax(1) == labels).float().mean()
print(f"accuracy {accuracy:.2f}")
