import torch
import torch.nn.functional as F
from torch import nn


def bars(n):
    place = F.one_hot(torch.multinomial(torch.ones(8), n, replacement=True), 8).float()
    across = place[: n // 2].unsqueeze(2).expand(n // 2, 8, 8)
    down = place[n // 2 :].unsqueeze(1).expand(n // 2, 8, 8)
    return torch.cat([across, down]).unsqueeze(1) + 0.5 * torch.randn(n, 1, 8, 8)


torch.manual_seed(1)
n = 128
labels = (torch.arange(n) >= n // 2).long()
net = nn.Sequential(
    nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8 * 4 * 4, 2)
)
adam = torch.optim.Adam(net.parameters(), lr=0.01)
for step in range(60):
    adam.zero_grad()
    F.cross_entropy(net(bars(n)), labels).backward()
    adam.step()
accuracy = (net(bars(n)).argmax(1) == labels).float().mean()
print(f"accuracy {accuracy:.2f}")
